-- The reference (make doc) and the definitions for editors (library/) are both made
-- of the LDoc above functions. They are of what the modules really have.
--
-- A member is told by its class: "socket:close", "socket.class", "sock99.open".
-- A method that every object has is the class socket's, unless streams and
-- datagrams each say what theirs does.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

-- Every field of open, with a value that is not raised about.
local fields_of_open = {
  attempt_delay = 1, backlog = 1, bind = { host = '127.0.0.1' }, cloexec = true, connect = false,
  datagram = true, family = 'inet', host = '127.0.0.1', ipv4 = '127.0.0.1', ipv6 = '::1',
  mode = '600', nonblocking = true, path = '/nosuch/socket', port = 1, seqpacket = true,
  server = true, sockopts = {}, timeout = 1, unlink = true,
}


local function read(path)
  local file = assert(io.open(path))
  local text = file:read('*a')
  file:close()
  return text
end


local function keys(set)
  local list = {}
  for key in pairs(set) do
    list[#list + 1] = key
  end
  table.sort(list)
  return list
end


-- The definitions

local function library_of(module)
  return '/' .. module:gsub('%.', '/') .. '.lua'
end


local function names(text, pattern)
  local list = {}
  for name in text:gmatch(pattern) do
    list[#list + 1] = name:gsub('%?$', '')
  end
  return list
end


-- As the functions of a module begin: "sock99", "luasocket".
local function short(module)
  return module:match '[^.]*$'
end


-- All members, and for each class its fields.
local function definitions(module)
  local members, classes, class = {}, {}, nil
  for line in read('library' .. library_of(module)):gmatch '[^\n]+' do
    local member = line:match '^function (%S+)%('
    if member then
      members[member] = {}
    end
    class = line:match '^%-%-%-@class ([%w_.]+)' or class
    local field = line:match '^%-%-%-@field (%S+)'
    if field then
      classes[class] = classes[class] or {}
      table.insert(classes[class], (field:gsub('%?$', '')))
    end
  end
  for name, prefix in pairs { [module] = short(module), ['sock99.socket'] = 'socket' } do
    for _, field in ipairs(classes[name] or {}) do
      members[prefix .. '.' .. field] = {}
    end
  end
  return members, classes
end


-- The reference

local modules = { 'sock99', 'sock99.luasocket' }
local pages = {}


local function build_reference()
  lu.skipIf(support.output_of('command -v ldoc') == '', 'there is no ldoc')
  lu.skipIf(support.output_of('command -v mandoc') == '', 'there is no mandoc')
  local directory = support.path()
  local told = support.output_of('scripts/build-doc ' .. directory .. ' 2>&1 || echo failed')
  lu.assertEquals(told, '')
  for _, module in ipairs(modules) do
    pages[module] = read(directory .. '/modules/' .. module .. '.html')
  end
end


-- It is built once.
local function reference_html(module)
  if not pages[module] then
    build_reference()
  end
  return pages[module]
end


-- A program in the reference is a program.
local function assert_examples_compile(entry)
  for example in entry:gmatch '<pre class="example">(.-)</pre>' do
    local code = example:gsub('<[^>]*>', ''):gsub('&lt;', '<'):gsub('&gt;', '>')
      :gsub('&quot;', '"'):gsub('&apos;', "'"):gsub('&amp;', '&')
    lu.assertNotNil((loadstring or load)(code), code)
  end
end


local function reference(module)
  local members, html = {}, reference_html(module)
  for section in ('Records Types Words'):gmatch '%a+' do
    html = html:gsub('<h2 class="section" id="' .. section .. '">.-</dl>', '')
  end
  for entry in html:gsub('<dt ', '\0'):gmatch '%z([^%z]*)' do
    local signature = entry:match '<strong>([^<]*)</strong>'
    local member = signature:match '^%S+'
    if not member:find '[.:]' then
      member = short(module) .. '.' .. member
    end
    assert(not members[member], member .. ' is in the reference twice')
    members[member] = { text = entry }
  end
  return members
end


-- The module

local function methods_of(object)
  return getmetatable(object).__index
end


-- Objects of every class, the streams and the datagrams.
local function kinds()
  local listener = support.keep(sock99.socket { server = true, host = '127.0.0.1' })
  local client, peer = support.keep(sock99.pair())
  local master = support.keep(sock99.socket { connect = false, family = 'inet' })
  local connected, other = support.keep(sock99.pair { datagram = true })
  local unconnected = support.keep(sock99.socket { datagram = true })
  local classes = {}
  for _, object in ipairs { listener, client, master, connected, unconnected } do
    classes[object.class] = true
  end
  lu.assertEquals(keys(classes),
    { 'tcp{client}', 'tcp{master}', 'tcp{server}', 'udp{connected}', 'udp{unconnected}' })
  return { listener, client, peer, master }, { connected, other, unconnected }
end


local function members_of_kind(objects)
  local members = methods_of(objects[1])
  for _, object in ipairs(objects) do
    lu.assertEquals(keys(methods_of(object)), keys(members), object.class)
  end
  return members
end


local function module_members(told)
  local members = {}
  local function add(class, name, value)
    local mark = type(value) == 'function' and class ~= 'sock99' and ':' or '.'
    members[class .. mark .. name] = true
  end
  for name, value in pairs(sock99) do
    add('sock99', name, value)
  end
  local streams, datagrams = kinds()
  local stream, datagram = members_of_kind(streams), members_of_kind(datagrams)
  for name, value in pairs(stream) do
    add(datagram[name] and not told['stream:' .. name] and 'socket' or 'stream', name, value)
  end
  for name, value in pairs(datagram) do
    add(stream[name] and not told['datagram:' .. name] and 'socket' or 'datagram', name, value)
  end
  local opening = assert(sock99.start { server = true, host = '127.0.0.1' })
  for name, value in pairs(methods_of(opening)) do
    add('opening', name, value)
  end
  opening:cancel()
  return members
end


-- The keys of one that the other lacks.
local function missing(set, other)
  local list = {}
  for _, key in ipairs(keys(set)) do
    if other[key] == nil then
      list[#list + 1] = key
    end
  end
  return table.concat(list, ' ')
end


-- Of LuaSocket's core: what is in its tables, and the methods that its objects do
-- not have from sock99's.
local function luasocket_members(told)
  local core, members = require 'sock99.luasocket.half', {}
  for class, functions in pairs { luasocket = core, dns = core.dns, unix = core.unix } do
    for name in pairs(functions) do
      members[class .. '.' .. name] = name ~= '__unload' or nil
    end
  end
  for class, new in pairs { tcp = core.tcp, udp = core.udp } do
    for name, method in pairs(methods_of(new())) do
      local source = type(method) == 'function' and debug.getinfo(method, 'S').source or ''
      local own = source:find 'streams%.lua$' or source:find 'datagrams%.lua$'
      local member = class .. ':' .. name
      members[member] = (own or told[member]) and true
    end
  end
  return members
end


local members_of = { ['sock99'] = module_members, ['sock99.luasocket'] = luasocket_members }


local function assert_of_what_there_is(module, told)
  local there = members_of[module](told)
  lu.assertEquals(missing(there, told), '', 'what is there, and not told')
  lu.assertEquals(missing(told, there), '', 'what is told, and not there')
end


TestReference = support.suite()


function TestReference:test_definitions_are_of_what_there_is()
  for _, module in ipairs(modules) do
    assert_of_what_there_is(module, (definitions(module)))
  end
end


function TestReference:test_the_reference_is_of_what_there_is()
  for _, module in ipairs(modules) do
    assert_of_what_there_is(module, reference(module))
  end
end


local function interpreter()
  local i = 0
  while arg[i - 1] do
    i = i - 1
  end
  return arg[i]
end


function TestReference:test_definitions_are_what_the_script_makes_of_ldoc()
  local directory = support.path()
  local told = support.output_of(('mkdir -p %s/sock99 && "%s" scripts/definitions.lua %s 2>&1')
    :format(directory, interpreter(), directory))
  lu.assertEquals(told, '')
  for _, module in ipairs(modules) do
    lu.assertTrue(read(directory .. library_of(module)) == read('library' .. library_of(module)),
      'library' .. library_of(module) .. ' is not up to date; make definitions writes it')
  end
end


local known_tags = { alias = true, class = true, field = true, meta = true, overload = true,
  param = true, ['return'] = true }

function TestReference:test_definitions_can_be_read()
  for _, module in ipairs(modules) do
    local path = 'library' .. library_of(module)
    assert(loadfile(path))
    local text = read(path)
    lu.assertEquals(text:match '^%-%-%-@meta (%S+)', module)
    for tag in text:gmatch '\n%-%-%-%s*@(%S*)' do
      lu.assertTrue(known_tags[tag], tag)
    end
    -- What LDoc knows and editors do not: its references and its optional types.
    lu.assertNil(text:find('@{', 1, true))
    lu.assertNil(text:find '\n%-%-%-@[^#\n]*[ |(]%?')
  end
end


function TestReference:test_examples_in_the_reference_compile()
  local html = reference_html 'sock99'
  lu.assertTrue(#names(html, '(<pre class="example">)') >= 10)
  assert_examples_compile(html)
  assert_examples_compile(reference_html 'sock99.luasocket')
end


function TestReference:test_definitions_have_the_fields_of_open()
  local _, classes = definitions 'sock99'
  local source = read('src/sock99/values/config.c'):match 'field_names%[FIELD_COUNT%] = {(.-)}'
  local fields = keys(fields_of_open)
  lu.assertEquals(names(source, '"([a-z0-9_]+)"'), fields)
  table.sort(classes['sock99.config'])
  lu.assertEquals(classes['sock99.config'], fields)
end


-- The fields of open that a function does not raise about.
local function fields_of(f)
  local fields = {}
  for field, value in pairs(fields_of_open) do
    local ok, one, other = pcall(f, { [field] = value })
    fields[field] = ok or nil
    if type(one) == 'userdata' then
      support.keep(one, other)
    end
  end
  return keys(fields)
end


-- The letters that receive takes for a pattern.
local function patterns_of_receive()
  local a, b = support.keep(sock99.pair { nonblocking = true })
  local letters = {}
  for byte = 33, 126 do
    local letter = string.char(byte)
    if not letter:find '[%d*]' and pcall(a.receive, a, letter) then
      letters[#letters + 1] = letter
    end
  end
  b:close()
  return letters
end


function TestReference:test_all_that_tell_of_receive_have_its_patterns()
  local told = {
    ['README.md'] = read 'README.md':match '\n| `receive%(%[pattern [^\n]*' or '',
    ['library/sock99.lua'] = read 'library/sock99.lua':match '%-%-%-@param pattern[^\n]*' or '',
  }
  local letters = patterns_of_receive()
  lu.assertTrue(#letters >= 3)
  for where, text in pairs(told) do
    for _, letter in ipairs(letters) do
      lu.assertTrue(text:find('[\'"]%*' .. letter .. '[\'"]') ~= nil, where .. ' lacks ' .. letter)
    end
  end
end


function TestReference:test_definitions_have_the_fields_of_resolve_and_pair()
  local _, classes = definitions 'sock99'
  for class, f in pairs { lookup = sock99.resolve, pair_config = sock99.pair } do
    table.sort(classes['sock99.' .. class])
    lu.assertEquals(classes['sock99.' .. class], fields_of(f), class)
  end
end


support.run()
