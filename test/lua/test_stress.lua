-- Collections in the middle of everything, and memory that ends at each
-- allocation in turn: Lua's, and C's. Scripts that use every method run in Lua
-- states of their own (test/lua/states.c).

local lu = require 'luaunit'
local states = require 'test_states'
local support = require 'support'

local can_run = pcall(states.run, '', {})


-- Before each script. What is opened is held until the state ends, so that
-- nothing but its end closes it, whatever failed before. Raw descriptors that a
-- script is about to wrap are closed if it does not get that far.
local preamble = [[
  local raw = { fds = {}, fd = false, unread = false }
  function _G.clean_up()
    if raw.fd then raw.fds = { raw.fd } end
    for _, fd in pairs(type(raw.fds) == 'table' and raw.fds or {}) do
      require 'sock99'.close(fd)
    end
  end
  local sock99, dir = require 'sock99', ...
  local held = {}
  _G.held = held
  if rawget(_G, 'jit') then jit.off() end
  local function hold(...)
    if not ... then error((select(2, ...)), 0) end
    for i = 1, select('#', ...) do held[#held + 1] = (select(i, ...)) end
    return ...
  end
  local function equal(a, b)
    if a ~= b then error(('expected %q, got %q'):format(tostring(b), tostring(a)), 2) end
  end
]]


local scripts = {
  births = [[
    local server = hold(sock99.socket { server = true, host = '127.0.0.1' })
    local host, port, family = server:getsockname()
    equal(family, 'inet')
    local client = hold(sock99.socket { host = host, port = port, sockopts = { nodelay = true } })
    local accepted = hold(server:accept())
    equal((accepted:getpeername()), '127.0.0.1')
    equal(tostring(client):sub(1, 11), 'tcp{client}')
    raw.fd = accepted:detach()
    local wrapped = hold(sock99.wrap(raw.fd))
    raw.fd = false
    client:send 'x\n'
    equal(wrapped:receive(), 'x')
    hold(sock99.socket { server = true, path = dir .. 'births', unlink = true, mode = '600' })
    local other = hold(sock99.socket { path = dir .. 'births' })
    equal((other:getpeername()), dir .. 'births')
    raw.fd = wrapped:getfd()
    equal(wrapped:setfd(-1), 1)
  ]],

  life = [[
    local a, b = hold(sock99.pair { nonblocking = true })
    equal(a:gettimeout(), 0)
    equal(select(2, a:receive()), 'timeout')
    a:settimeout(5, 't')
    a:setstats(1, 2, 3)
    equal((a:getstats()), 1)
    equal(a:dirty(), false)
    equal(a:events(), 'r')
    equal(a:pollfd(), a:getfd())
    equal(a:timeout(), nil)
    equal(a:getfamily(), 'unix')
    equal(a:shutdown 'send', 1)
    equal(select(2, b:receive '*a'), 'closed')
    equal(b:close(), 1)
    equal(select(2, b:send 'x'), 'closed')
    local server = hold(sock99.socket { server = true, host = '127.0.0.1' })
    local _, port = server:getsockname()
    local master = hold(sock99.socket { family = 'inet', connect = false })
    equal(master:bind('127.0.0.1', 0), 1)
    equal(master:connect('localhost', tostring(port)), 1)
    local listener = hold(sock99.socket { family = 'inet', connect = false })
    equal(listener:listen(), 1)
    equal(select(2, listener:bind('::1', 0)), "::1 is not an address of the socket's family")
    server:settimeout(0)
    hold(server:accept())
    equal(select(2, server:accept()), 'timeout')
  ]],

  lines = [[
    local a, b = hold(sock99.pair())
    local long = ('y'):rep(70000)
    a:send { 'one\r\n', 2, '\n', long, '\nkept\r\nlast' }
    equal(b:receive(), 'one')
    equal(b:receive '*l', '2')
    equal(b:receive('*l', 'pre'), 'pre' .. long)
    for line in b:lines(true) do
      equal(line, 'kept\r\n')
      break
    end
    b:settimeout(0)
    local _, why, partial = b:receive()
    equal(partial, 'last')
    a:send '\r'
    equal(select(3, b:receive('*l', partial)), 'last\r')
    a:send '\nlast again'
    equal(b:receive('*l', 'last\r'), 'last')
    a:close()
    for line in b:lines() do equal(line, 'last again') end
  ]],

  pieces = [[
    local a, b = hold(sock99.pair())
    local large = ('0123456789'):rep(10000)
    a:send(large)
    equal(b:receive(10), '0123456789')
    equal(b:receive '99990', large:sub(11))
    a:send(large)
    equal(b:receiveany(5), '01234')
    equal(b:receive(100000 - 5, 'x'), 'x' .. large:sub(6, -2))
    raw.fd, raw.unread = b:detach()
    b = hold(sock99.wrap(raw.fd))
    raw.fd = false
    equal(raw.unread, '9')
    a:send(large)
    a:shutdown 'send'
    equal(b:receive(3), '012')
    equal(b:receive '*a', large:sub(4))
    equal(select(2, b:receive(1)), 'closed')
    b:settimeout(0)
    local _, message, sent = b:send(('z'):rep(1000000))
    equal(message, 'timeout')
    equal(#a:receive(sent), sent)
    b:send { large, large, large }
    equal(a:receive(100000), large)
  ]],

  -- Each evicts the other from the buffer that they share.
  sharing = [[
    local a, b = hold(sock99.pair())
    local c, d = hold(sock99.pair())
    for i = 1, 3 do
      local size = ({ 10, 5000, 60000 })[i]
      a:send(('a'):rep(size) .. '\n' .. ('A'):rep(size) .. '\n')
      c:send(('c'):rep(size) .. '\n' .. ('C'):rep(size) .. '\n')
      equal(b:receive(), ('a'):rep(size))
      equal(d:receive(), ('c'):rep(size))
      equal(b:receive(), ('A'):rep(size))
      equal(d:receive(), ('C'):rep(size))
    end
  ]],

  messages = [[
    local a, b = hold(sock99.pair { datagram = true })
    local large = ('d'):rep(100000)
    a:send(large)
    equal(b:receive(), large)
    a:send ''
    equal(b:receive(), '')
    a:send 'truncated'
    local data, word, length = b:receive(5)
    equal(data .. word .. length, 'trunctruncated9')
    local server = hold(sock99.socket { server = true, datagram = true, host = '127.0.0.1' })
    local client = hold(sock99.socket { datagram = true, family = 'inet' })
    local host, port = server:getsockname()
    client:sendto('hello', host, port)
    local text, from = server:receivefrom()
    equal(text .. from, 'hello127.0.0.1')
    equal(client:setpeername(host, port), 1)
    client:sendmany { 'one', 'two' }
    local list = server:receivemany(10)
    equal(#list, 2)
    local x, y = hold(sock99.pair { seqpacket = true })
    x:send { 'one', ' record' }
    equal(y:receive(), 'one record')
  ]],

  rights = [[
    local a, b = hold(sock99.pair())
    local c, d = hold(sock99.pair())
    a:sendfds('data', c, d:getfd())
    local data
    data, raw.fds = b:receivefds()
    equal(data, 'data')
    for i = 1, #raw.fds do
      hold(sock99.wrap(raw.fds[i]))
      raw.fds[i] = nil
    end
    a:sendfds('line\nmore', c)
    equal(b:receive(), 'line')
    a:sendfds('never claimed', c, d)
    b:receive(4)
    equal(type(b:getpeercred().pid), 'number')
  ]],

  openings = [[
    local server = hold(sock99.socket { server = true, host = '127.0.0.1' })
    local _, port = server:getsockname()
    local opening = hold(sock99.start { host = '127.0.0.1', port = port })
    local object, why
    repeat
      object, why = opening:step()
      if object == nil then error(why, 0) end
    until object
    hold(object)
    equal(type(opening:pollfd()), 'number')
    object:send 'x\n'
    equal(hold(server:accept()):receive(), 'x')
    opening:cancel()
    hold(sock99.start { host = '127.0.0.1', port = port, timeout = 10 })
  ]],

  options = [[
    local a = hold(sock99.pair())
    equal(a:setoption('rcvbuf', 100000), 1)
    equal(type(a:getoption 'rcvbuf'), 'number')
    equal(pcall(a.getoption, a, 'nosuch'), false)
    local tcp = hold(sock99.socket {
      server = true, host = '127.0.0.1',
      sockopts = { keepalive = true, linger = 0, { 1, 9, 1 }, rcvtimeo = 2.5 } })
    equal(tcp:getoption 'keepalive', true)
    equal(tcp:setoption('linger', false), 1)
    equal(tcp:getoption 'linger', false)
    tcp:getoption 'congestion'
  ]],

  select = [[
    local list, all = {}, {}
    for i = 1, 40, 2 do
      list[i], list[i + 1] = hold(sock99.pair())
      all[i], all[i + 1] = list[i]:getfd(), list[i + 1]
    end
    list[1]:send 'x\ny\n'
    list[2]:receive()
    local readable, writable = sock99.select(list, all, 0)
    equal(#readable, 1)
    equal(#writable, 40)
    equal(readable[1], list[2])
    equal(select(3, sock99.select({ list[1] }, nil, 0)), 'timeout')
    local foreign = { getfd = function() return list[2]:getfd() end,
                      dirty = function() return true end }
    equal(sock99.select({ foreign }, {}, 1)[1], foreign)
    local opening = hold(sock99.start { host = '127.0.0.1', port = 1 })
    sock99.select({ opening }, nil, 1)
  ]],

  sendfile = [[
    local a, b = hold(sock99.pair())
    local file = hold(io.open('Makefile', 'rb'))
    equal(a:sendfile(file, 2, 100), 100)
    equal(#b:receive(100), 100)
    file:read(3)
    equal(a:sendfile(file, nil, 50), 50)
    equal(#b:receive(50), 50)
    equal(file:seek(), 53)
    a:close()
    equal(select(2, a:sendfile(file)), 'closed')
  ]],

  activation = [[
    equal(#sock99.listen_fds(), 0)
  ]],

  luasocket = [[
    local server = hold(core.tcp())
    equal(server:setoption('reuseaddr', true), 1)
    equal(server:bind('127.0.0.1', 0), 1)
    equal(server:listen(5), 1)
    local host, port = server:getsockname()
    local client = hold(core.tcp())
    client:settimeout(5)
    equal(client:connect(host, port), 1)
    local accepted = hold(server:accept())
    client:send(('a\rb'):rep(200) .. '\r\n')
    equal(accepted:receive(), ('ab'):rep(200))
    equal(core.select({ client }, nil, 0)[1], nil)
    local named = hold(core.tcp4())
    named:settimeout(0)
    named:connect('localhost', port)
    local udp = hold(core.udp())
    equal(udp:setsockname('127.0.0.1', 0), 1)
    udp:sendto('x', udp:getsockname())
    equal((udp:receivefrom()), 'x')
  ]],

  questions = [[
    equal(#sock99.resolve { ipv4 = '127.0.0.1' }, 1)
    equal(type(sock99.resolve { host = 'localhost' }), 'table')
    equal(select(2, sock99.socket { host = '127.0.0.1', path = 'x' }):sub(1, 14), 'configuration:')
    equal(sock99.errno.EINVAL, 22)
    equal(select(2, sock99.wrap(-1)), 'wrap -1: Bad file descriptor')
    equal(pcall(sock99.socket, { hots = 1 }), false)
    local a = hold(sock99.pair())
    equal(pcall(a.accept, a), false)
    equal(pcall(a.receive, a, 'x'), false)
    equal(pcall(a.send, a, { {} }), false)
  ]],

  lists = [[
    local a, b = hold(sock99.pair())
    local list = {}
    for i = 1, 1100 do list[i] = i > 1090 and i or 'x' end
    equal(a:send(list), 1090 + 40)
    equal(b:receive(1130):sub(-8), '10991100')
  ]],
}


-- What is not the script's own matter.
-- Its parts are loaded when they are first used; a file that Lua's own loader has open
-- where memory ends is not ours.
local libraries = { luasocket = [[
  local core = require 'sock99.luasocket'
  for _, part in ipairs { 'streams', 'datagrams', 'options', 'dns', 'arguments' } do
    require('sock99.luasocket.' .. part)
  end
]] }


-- The module itself.
local loading = [[
  return function()
    if not require 'sock99'.pair() then error 'no pair' end
  end
]]


-- Calls f with each script, and the directory of its files.
local function each_script(f)
  lu.skipIf(not can_run, 'this Lua takes no allocator')
  local names = {}
  for name in pairs(scripts) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local text = ('%s%s return function() %s end'):format(preamble, libraries[name] or '',
                                                          scripts[name])
    local directory = support.path ''
    f(name, function(how)
      os.remove(directory .. 'births')
      return states.run(text, how, directory)
    end)
  end
  f('loading', function(how)
    return states.run(loading, how)
  end)
end


TestStress = support.suite()


function TestStress:test_a_collection_at_every_allocation()
  lu.skipIf(_VERSION == 'Lua 5.1', 'this Lua collects nothing when it needs memory')
  each_script(function(name, run)
    local ok, message = run { collect = true }
    lu.assertTrue(ok, name .. ': ' .. message)
  end)
end


function TestStress:test_a_collection_at_every_instruction()
  each_script(function(name, run)
    local ok, message = run { hook = true }
    lu.assertTrue(ok, name .. ': ' .. message)
  end)
end


function TestStress:test_no_descriptor_is_lost_where_lua_runs_out_of_memory()
  each_script(function(name, run)
    local ok, message, counts = run {}
    lu.assertTrue(ok, name .. ': ' .. message)
    local before = support.descriptor_count()
    for i = 0, counts.allocations - 1 do
      run { memory = i }
      lu.assertEquals(support.descriptor_count(), before, ('%s: allocation %d'):format(name, i))
    end
    lu.assertTrue(counts.allocations > 0)
  end)
end


-- With malloc.c before the C library's allocator: in a process of its own.

TestBlocks = support.suite()


-- What the C library keeps, it keeps after the first time, or, of threads' stacks,
-- once more when more threads than ever lived at a time.
local function assert_no_block_is_lost(what, run, how)
  local lost
  for _ = 1, 30 do
    lost = select(3, run(how)).lost
    if lost == 0 then
      return
    end
  end
  lu.fail(('%s: %d blocks'):format(what, lost))
end


function TestBlocks:test_no_block_is_lost_where_lua_runs_out_of_memory()
  if not support.counts_blocks 'TestBlocks.test_no_block_is_lost_where_lua_runs_out_of_memory' then
    return
  end
  each_script(function(name, run)
    local _, _, counts = run {}
    for i = 0, counts.allocations do
      assert_no_block_is_lost(('%s: allocation %d'):format(name, i), run, { memory = i })
    end
  end)
end


function TestBlocks:test_nothing_is_lost_where_c_runs_out_of_memory()
  if not support.counts_blocks 'TestBlocks.test_nothing_is_lost_where_c_runs_out_of_memory' then
    return
  end
  each_script(function(name, run)
    local _, _, counts = run {}
    local before = support.descriptor_count()
    for i = 0, counts.mallocs do
      local what = ('%s: malloc %d'):format(name, i)
      assert_no_block_is_lost(what, run, { malloc = i })
      lu.assertEquals(support.descriptor_count(), before, what)
    end
  end)
end


support.run()
