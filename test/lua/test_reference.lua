-- What the modules really have, what the reference says of them (make doc), and
-- what editors are told (library/) are the same.
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

-- The lines that stand above a function or between two empty lines.
local function definition_blocks(module)
  local text = read('library/' .. module:gsub('%.', '/') .. '.lua')
  lu.assertEquals(text:match '^%-%-%-@meta (%S+)', module)
  return (text .. '\n'):gsub('\n\n', '\n\0'):gmatch '[^%z]+'
end


local function names(text, pattern)
  local list = {}
  for name in text:gmatch(pattern) do
    list[#list + 1] = name:gsub('%?$', '')
  end
  return list
end


local function count(text, pattern)
  return #names(text, '(' .. pattern .. ')')
end


-- As the functions of a module begin: "sock99", "luasocket".
local function short(module)
  return module:match '[^.]*$'
end


-- For each member its parameters and its number of results; for each class its
-- fields.
local function definitions(module)
  local members, classes = {}, {}
  for block in definition_blocks(module) do
    local owner, mark, name, parameters =
      block:match '\nfunction ([%w_]+)([.:])([%w_]+)%((.-)%) end'
    if owner then
      local member = owner .. mark .. name
      assert(not members[member], member .. ' is defined twice')
      lu.assertEquals(table.concat(names(block, '@param (%S+)'), ', '), parameters, member)
      members[member] = { parameters = parameters, results = count(block, '%-%-%-@return ') }
    end
    local class = block:match '%-%-%-@class ([%w_.]+)'
    if class then
      classes[class] = names(block, '%-%-%-@field (%S+)')
      local variable = block:match '\nlocal ([%w_]+) = {}'
      if variable then
        lu.assertEquals(variable == short(module) and module or module .. '.' .. variable, class)
      end
    end
  end
  for class, name in pairs { [module] = short(module), ['sock99.socket'] = 'socket' } do
    for _, field in ipairs(classes[class] or {}) do
      members[name .. '.' .. field] = { results = 0 }
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


-- How many values the longest of its results has.
local function result_count(entry)
  local most = 0
  local results = entry:match 'Returns:</h3>(.*)' or ''
  results = results:gsub('<h3[^>]*>Or</h3>', '\0'):gsub('<h3.*', '')
  for group in results:gmatch '[^%z]+' do
    most = math.max(most, count(group, '<span class="types">'))
  end
  return most
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
  for entry in html:gsub('<dt ', '\0'):gmatch '%z([^%z]*)' do
    local signature = entry:match '<strong>([^<]*)</strong>'
    local member, parameters = signature:match '^(%S+) ?%(?(.-)%)?$'
    parameters = parameters:gsub('=[^,%]]*', ''):gsub('[%[%]]', '')
    if not member:find '[.:]' then
      member = short(module) .. '.' .. member
    end
    assert(not members[member], member .. ' is in the reference twice')
    members[member] = { parameters = parameters, results = result_count(entry), text = entry }
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
  members['luasocket.dns'], members['luasocket.unix'] = nil, nil
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
    local told = definitions(module)
    told['luasocket.dns'], told['luasocket.unix'] = nil, nil
    assert_of_what_there_is(module, told)
  end
end


function TestReference:test_the_reference_is_of_what_there_is()
  for _, module in ipairs(modules) do
    assert_of_what_there_is(module, reference(module))
  end
end


local function assert_agreement(module)
  local told, defined = reference(module), definitions(module)
  defined['luasocket.dns'], defined['luasocket.unix'] = nil, nil
  local differences = {}
  for _, member in ipairs(keys(defined)) do
    local definition, entry = defined[member], told[member] or {}
    if definition.parameters ~= entry.parameters and definition.parameters then
      differences[#differences + 1] =
        ('%s(%s) or (%s)'):format(member, definition.parameters, tostring(entry.parameters))
    elseif definition.results ~= entry.results then
      differences[#differences + 1] =
        ('%s: %d or %s results'):format(member, definition.results, tostring(entry.results))
    end
  end
  lu.assertEquals(table.concat(differences, '\n'), '')
end


function TestReference:test_definitions_and_reference_agree_on_parameters_and_results()
  for _, module in ipairs(modules) do
    assert_agreement(module)
  end
end


function TestReference:test_examples_in_the_reference_compile()
  local html = reference_html 'sock99'
  lu.assertTrue(count(html, '<pre class="example">') >= 10)
  assert_examples_compile(html)
  assert_examples_compile(reference_html 'sock99.luasocket')
end


function TestReference:test_definitions_and_reference_have_the_fields_of_open()
  local _, classes = definitions 'sock99'
  local source = read('src/sock99/values/config.c'):match 'field_names%[FIELD_COUNT%] = {(.-)}'
  local fields = keys(fields_of_open)
  lu.assertEquals(names(source, '"([a-z0-9_]+)"'), fields)
  table.sort(classes['sock99.config'])
  lu.assertEquals(classes['sock99.config'], fields)
  local text = reference 'sock99'['sock99.open'].text
  for _, field in ipairs(fields) do
    lu.assertStrContains(text, '<code>' .. field .. '</code>')
  end
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
    ['README.md'] = read 'README.md':match '\n| `receive(%[pattern [^\n]*',
    ['the reference'] = reference 'sock99'['stream:receive'].text:gsub('&quot;', '"'),
    ['library/sock99.lua'] = read 'library/sock99.lua':match '%-%-%-@param pattern[^\n]*',
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
