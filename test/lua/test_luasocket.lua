-- sock99.luasocket where it has no counterpart in LuaSocket: openings behind
-- objects, options that are kept, and how it takes LuaSocket's place.

local lu = require 'luaunit'
local core = require 'sock99.luasocket'
local sock99 = require 'sock99'
local kinds = require 'sock99.kinds'
local support = require 'support'

TestPending = support.suite()
TestKept = support.suite()
TestConnect = support.suite()
TestMemory = support.suite()
TestInstall = support.suite()
TestHalf = support.suite()

local keep = support.keep
local unpack = table.unpack or unpack

-- A wait of this long is one for ever, in a test.
local LONG = 20


local function listener()
  local server = keep(core.tcp4())
  assert(server:bind('127.0.0.1', 0))
  assert(server:listen())
  server:settimeout(LONG)
  local _, port = server:getsockname()
  return server, port
end


-- A port where connections are neither taken nor refused: its backlog is full.
local function busy_port()
  local port = support.port_of(support.open { host = '127.0.0.1', server = true, backlog = 1 })
  for _ = 1, 8 do
    local client = keep(core.tcp())
    client:settimeout(0)
    client:connect('127.0.0.1', port)
  end
  return port
end


-- An object that connects to a name and may not wait for it. A lookup that is over
-- at once leaves nothing to wait for; the server takes the connection then.
local function pending_to(port, server)
  for _ = 1, 100 do
    local client = keep(core.tcp())
    client:settimeout(0)
    local ok, problem = client:connect('localhost', port)
    if problem == 'timeout' then
      return client
    elseif ok and server then
      keep(server:accept()):close()
    end
    client:close()
  end
  return lu.skip 'lookups are always over at once'
end


-- Until select says so. The kernel may answer an address of another family first.
local function wait_writable(client)
  local _, writables = core.select(nil, { client }, LONG)
  lu.assertIs(writables[1], client)
  lu.assertEquals(writables[client], 1)
end


-- Openings


function TestPending.test_a_name_is_connected_to_without_waiting()
  local server, port = listener()
  local client = pending_to(port, server)
  wait_writable(client)
  lu.assertTrue(client:getfd() >= 0)
  lu.assertEquals(client:connect('localhost', port), 1)
  lu.assertEquals({ client:connect('localhost', port) }, { nil, 'already connected' })
  local accepted = keep(server:accept())
  client:settimeout(LONG)
  lu.assertEquals(client:send 'hello\n', 6)
  lu.assertEquals(accepted:receive(), 'hello')
end


function TestPending.test_it_is_a_client_like_any_other_that_has_no_descriptor_yet()
  local client = pending_to(busy_port())
  local server, connected = listener(), keep(core.tcp4())
  connected:connect(server:getsockname())
  lu.assertIs(getmetatable(client), getmetatable(connected))
  lu.assertStrContains(tostring(client), 'tcp{client}')
  lu.assertEquals(client.class, 'tcp{client}')
  lu.assertFalse(client:dirty())
  lu.assertNil(client:timeout())
  lu.assertEquals({ client:getsockname() }, { nil, 'closed' })
  lu.assertEquals({ client:send('abc', 2) }, { nil, 'timeout', 1 })
  lu.assertEquals({ client:send('abc', -1) }, { nil, 'timeout', 2 })
  lu.assertEquals({ client:receive('*l', 'prefix') }, { nil, 'timeout', 'prefix' })
  lu.assertEquals({ client:receive() }, { nil, 'timeout', '' })
  lu.assertEquals({ client:connect('localhost', 1) },
    { nil, 'Operation already in progress' })
  lu.assertNil(client:getoption 'error')
  lu.assertEquals({ client:sendfile(io.tmpfile()) }, { nil, 'timeout', 0 })
  lu.assertErrorMsgContains('timeout', client:lines())
  lu.assertEquals({ client:receivefds() }, { nil, 'receivefds: not a Unix domain socket' })
end


function TestPending.test_its_calls_wait_as_long_as_its_timeout_says()
  local client = pending_to(busy_port())
  client:settimeout(0.1)
  local started = support.now()
  lu.assertEquals({ client:send 'x' }, { nil, 'timeout', 0 })
  lu.assertTrue(support.now() - started >= 0.099)
end


function TestPending.test_select_waits_no_longer_than_it_was_told()
  local client = pending_to(busy_port())
  local started = support.now()
  local readables, writables, problem = core.select({ client }, { client }, 0.1)
  lu.assertEquals({ #readables, #writables, problem }, { 0, 0, 'timeout' })
  lu.assertTrue(support.now() - started >= 0.099)
end


function TestPending.test_select_knows_the_others_of_its_sets()
  local server, port = listener()
  local other = keep(core.connect('127.0.0.1', port))
  local client = pending_to(busy_port())
  local readables, writables = core.select({ server, client }, { client, other }, LONG)
  lu.assertEquals(#readables, 1)
  lu.assertIs(readables[1], server)
  lu.assertEquals(#writables, 1)
  lu.assertIs(writables[1], other)
end


function TestPending.test_sending_waits_for_the_connection()
  local server, port = listener()
  local client = pending_to(port, server)
  client:settimeout(LONG)
  lu.assertEquals(client:send 'hello\n', 6)
  lu.assertEquals(client:connect('localhost', port), 1)
  lu.assertEquals(keep(server:accept()):receive(), 'hello')
end


function TestPending.test_a_failure_is_ready_and_is_told_once()
  local port = support.closed_port()
  local client = pending_to(port)
  local readables, writables = core.select({ client }, { client }, LONG)
  lu.assertIs(writables[1], client)
  lu.assertIs(readables[1] or client, client)
  lu.assertEquals({ client:connect('localhost', port) }, { nil, 'connection refused' })
  local _, again = listener()
  client:settimeout(LONG)
  lu.assertEquals(client:connect('localhost', again), 1)
end


function TestPending.test_the_option_error_tells_a_failure()
  local port = support.closed_port()
  local client = pending_to(port)
  wait_writable(client)
  lu.assertEquals(client:getoption 'error', 'connection refused')
  lu.assertNil((client:getoption 'error'))
  lu.assertEquals({ client:send 'x' }, { nil, 'closed', 0 })
end


function TestPending.test_sending_tells_a_failure()
  local client = pending_to(support.closed_port())
  client:settimeout(LONG)
  lu.assertEquals({ client:send('abc', 2) }, { nil, 'connection refused', 1 })
  lu.assertEquals({ client:receive() }, { nil, 'closed', '' })
end


-- A list whose one entry comes when the descriptor is readable. Later its number may
-- be that of anything else.
local function late_list(entry, fd)
  local is_there
  return setmetatable({}, {
    __index = function(_, i)
      is_there = is_there or support.readable(fd, LONG)
      return i == 1 and is_there and entry or nil
    end,
  })
end


function TestPending.test_an_object_in_both_sets_may_get_there_in_the_middle_of_select()
  local entries = 0
  for _ in ipairs(setmetatable({}, { __index = { true } })) do
    entries = entries + 1
  end
  lu.skipIf(entries == 0, 'this ipairs looks at the table alone')
  local server, port = listener()
  for _ = 1, 50 do
    local client = pending_to(port, server)
    local pollfd = client:pollfd()
    -- If the lookup has just ended, that was the descriptor of the connection.
    if client:getfd() < 0 then
      local both = late_list(client, pollfd)
      local _, writables, message = core.select({ client }, both, LONG)
      lu.assertIs(writables[1], client, message)
    end
    keep(server:accept()):close()
    client:close()
  end
end


function TestPending.test_options_that_are_set_meanwhile_are_applied()
  local server, port = listener()
  local client = pending_to(port, server)
  lu.assertEquals(client:setoption('keepalive', true), 1)
  wait_writable(client)
  lu.assertEquals(client:connect('localhost', port), 1)
  lu.assertTrue(client:getoption 'keepalive')
  keep(server:accept())
end


function TestPending.test_closing_ends_the_opening()
  local port = busy_port()
  support.assert_no_fd_leak(function()
    local client = core.tcp()
    client:settimeout(0)
    client:connect('localhost', port)
    lu.assertEquals(client:close(), 1)
    lu.assertEquals({ client:send 'x' }, { nil, 'closed', 0 })
    lu.assertEquals(client:close(), 1)
  end)
end


function TestPending.test_the_collector_ends_the_opening()
  local port = busy_port()
  support.assert_no_fd_leak(function()
    for _ = 1, 5 do
      local client = core.tcp()
      client:settimeout(0)
      client:connect('localhost', port)
    end
    -- Lua 5.1 takes a cycle for the object, one for what its weak table held.
    for _ = 1, 4 do
      collectgarbage()
    end
  end)
end


function TestPending.test_a_timeout_that_passes_does_not_end_the_opening()
  local port = busy_port()
  local client = keep(core.tcp())
  client:settimeout(0.05)
  lu.assertEquals({ client:connect('localhost', port) }, { nil, 'timeout' })
  lu.assertEquals({ client:connect('localhost', port) },
    { nil, 'Operation already in progress' })
end


function TestPending.test_what_has_no_name_is_told()
  local client = keep(core.tcp())
  client:settimeout(0)
  local ok, problem = client:connect('no-such-host.invalid', 80)
  while problem == 'timeout' or problem == 'Operation already in progress' do
    core.select(nil, { client }, LONG)
    ok, problem = client:connect('no-such-host.invalid', 80)
  end
  lu.assertNil(ok)
  lu.assertIsString(problem)
  lu.assertStrContains(tostring(client), 'tcp{client}')
end


function TestPending.test_a_loop_can_watch_it()
  local server, port = listener()
  local client = pending_to(port, server)
  local ok
  for _ = 1, 1000 do
    lu.assertEquals(client:events(), 'r')
    lu.assertTrue(support.readable(client:pollfd(), LONG))
    ok = client:connect('localhost', port)
    if ok or client:events() == 'w' then
      break
    end
  end
  wait_writable(client)
  lu.assertEquals(ok or client:connect('localhost', port), 1)
  for _ = 1, 2 do
    lu.assertEquals(client:pollfd(), client:getfd())
  end
  keep(server:accept())
end


function TestPending.test_the_descriptor_that_getfd_returns_stays()
  local server, port = listener()
  for _, make in ipairs { core.tcp, core.tcp4 } do
    local client = keep(make())
    local before = client:getfd()
    client:settimeout(0)
    client:connect('localhost', port)
    local fd = client:getfd()
    lu.assertTrue(fd >= 0)
    lu.assertTrue(before < 0 or before == fd)
    lu.assertEquals(client:pollfd(), fd)
    wait_writable(client)
    client:settimeout(LONG)
    client:connect('localhost', port)
    lu.assertEquals(client:send 'hello\n', 6)
    lu.assertEquals(client:getfd(), fd)
    lu.assertEquals(keep(server:accept()):receive(), 'hello')
  end
end


-- The opening's descriptor is open until a loop had time to remove it.
function TestPending.test_a_descriptor_that_a_loop_has_seen_is_not_closed_under_it()
  local server, port = listener()
  local client = pending_to(port, server)
  local pollfd = client:pollfd()
  wait_writable(client)
  lu.assertEquals(client:connect('localhost', port), 1)
  lu.assertNotEquals(client:pollfd(), pollfd)
  lu.assertTrue(support.descriptors()[pollfd] ~= nil)
  client:send 'x'
  lu.assertTrue(support.descriptors()[pollfd] ~= nil)
  lu.assertEquals(client:pollfd(), client:getfd())
  lu.assertFalse(support.descriptors()[pollfd] ~= nil)
  keep(server:accept())
end


function TestPending.test_the_descriptor_can_be_taken_away()
  local server, port = listener()
  for _, way in ipairs { 'detach', 'setfd', 'close' } do
    support.assert_no_fd_leak(function()
      local client = pending_to(port, server)
      local fd = way == 'detach' and client:detach() or nil
      if way == 'setfd' then
        client:setfd(-1)
      end
      lu.assertEquals({ client:send 'x' },
        way == 'close' and { nil, 'timeout', 0 } or { nil, 'closed', 0 })
      client:close()
      if fd then
        support.close(fd)
      end
    end)
  end
end


function TestPending.test_a_child_process_leaves_it_alone()
  local server, port = listener()
  local client = pending_to(port, server)
  support.in_child(function()
    local ok, problem = client:connect('localhost', port)
    lu.assertNil(ok)
    lu.assertEquals(problem, 'Operation not permitted')
    client:close()
  end)
  client:settimeout(LONG)
  lu.assertEquals(client:connect('localhost', port), 1)
  keep(server:accept())
end


-- What is kept


function TestKept.test_options_come_before_the_descriptor()
  local server, port = listener()
  for _, host in ipairs { '127.0.0.1', 'localhost' } do
    for _, timeout in ipairs { -1, LONG } do
      local client = keep(core.tcp())
      lu.assertEquals(client:setoption('keepalive', true), 1)
      lu.assertEquals(client:setoption('linger', { on = true, timeout = 3 }), 1)
      lu.assertEquals(client:getfd(), -1)
      client:settimeout(timeout)
      lu.assertEquals(client:connect(host, port), 1)
      lu.assertTrue(client:getoption 'keepalive')
      lu.assertEquals(client:getoption 'linger', { on = true, timeout = 3 })
      keep(server:accept())
    end
  end
end


function TestKept.test_options_of_datagrams_come_before_the_descriptor()
  local udp = keep(core.udp())
  lu.assertEquals(udp:setoption('broadcast', true), 1)
  lu.assertEquals(udp:setsockname('127.0.0.1', 0), 1)
  lu.assertTrue(udp:getoption 'broadcast')
end


function TestKept.test_options_are_checked_at_once()
  lu.assertErrorMsgContains('unsupported option', core.tcp().setoption, keep(core.tcp()),
    'no-such-option', true)
  lu.assertErrorMsgContains('boolean expected', core.tcp().setoption, keep(core.tcp()),
    'keepalive', 5)
end


function TestKept.test_sock99s_own_options_are_there()
  local udp = keep(core.udp4())
  lu.assertEquals(udp:setoption('ip-tos', 16), 1)
  lu.assertEquals(udp:getoption 'ip-tos', 16)
end


function TestKept.test_a_client_keeps_its_own_address_when_a_name_is_connected_to()
  local server, port = listener()
  for _, timeout in ipairs { -1, LONG } do
    local client = keep(core.tcp4())
    lu.assertEquals(client:setoption('keepalive', true), 1)
    lu.assertEquals(client:bind('127.0.0.1', 0), 1)
    local _, own = client:getsockname()
    client:settimeout(timeout)
    lu.assertEquals(client:connect('localhost', port), 1)
    lu.assertEquals(select(2, client:getsockname()), own)
    lu.assertTrue(client:getoption 'keepalive')
    keep(server:accept())
  end
end


-- Connecting


function TestConnect.test_after_a_failure_it_may_connect_again()
  local _, port = listener()
  local closed = support.closed_port()
  for _, host in ipairs { '127.0.0.1', 'localhost' } do
    for _, kind in ipairs { 'tcp', 'tcp4' } do
      local client = keep(core[kind]())
      client:setoption('keepalive', true)
      lu.assertEquals({ client:connect(host, closed) }, { nil, 'connection refused' })
      lu.assertEquals({ client:connect(host, closed) }, { nil, 'connection refused' })
      lu.assertEquals(client:connect(host, port), 1)
      lu.assertTrue(client:getoption 'keepalive')
    end
  end
end


function TestConnect.test_after_a_failure_it_keeps_its_own_address()
  local _, port = listener()
  local client = keep(core.tcp4())
  lu.assertEquals(client:bind('127.0.0.1', 0), 1)
  local _, own = client:getsockname()
  lu.assertEquals({ client:connect('127.0.0.1', support.closed_port()) },
    { nil, 'connection refused' })
  lu.assertEquals(client:connect('127.0.0.1', port), 1)
  lu.assertEquals(select(2, client:getsockname()), own)
end


function TestConnect.test_a_failure_without_waiting_is_seen_by_select_and_told_as_an_option()
  local closed = support.closed_port()
  local client = keep(core.tcp())
  client:settimeout(0)
  client:connect('127.0.0.1', closed)
  wait_writable(client)
  lu.assertEquals(client:getoption 'error', 'connection refused')
end


function TestConnect.test_a_descriptor_from_outside_is_the_one_that_is_connected()
  local _, port = listener()
  local fd = support.open { family = 'inet', connect = false }
  local client = keep(core.tcp())
  client:setfd(fd)
  lu.assertEquals(client:connect('localhost', port), 1)
  lu.assertEquals(client:getfd(), fd)
end


function TestConnect.test_an_object_that_was_closed_connects_again()
  local _, port = listener()
  local client = keep(core.tcp())
  lu.assertEquals(client:connect('127.0.0.1', port), 1)
  client:close()
  lu.assertEquals(client:connect('localhost', port), 1)
  client:close()
  lu.assertEquals(client:connect('127.0.0.1', port), 1)
end


function TestConnect.test_objects_are_non_blocking_and_close_on_exec()
  local server, port = listener()
  local objects = { server, keep(core.tcp4()), keep(core.udp4()), keep(core.unix.stream()) }
  for _, host in ipairs { '127.0.0.1', 'localhost' } do
    objects[#objects + 1] = keep(core.connect(host, port))
    objects[#objects + 1] = keep(server:accept())
  end
  for _, object in ipairs(objects) do
    lu.assertTrue(support.nonblocking(object:getfd()), tostring(object))
    lu.assertTrue(support.cloexec(object:getfd()), tostring(object))
  end
end


function TestConnect.test_descriptors_above_1024_can_be_waited_for()
  support.in_child(function()
    lu.skipIf(core._SETSIZE < 1200, 'the process may not have so many descriptors')
    local server, port = listener()
    local client = keep(core.connect('127.0.0.1', port))
    for _ = 1, 1100 do
      support.open { family = 'inet', connect = false }
    end
    local accepted = keep(server:accept())
    lu.assertTrue(accepted:getfd() > 1024)
    client:send 'x'
    local readables = core.select({ accepted }, nil, LONG)
    lu.assertIs(readables[1], accepted)
  end)
end


function TestConnect.test_every_bind_that_fails_leaves_no_descriptor_open()
  support.assert_no_fd_leak(function()
    for _, host in ipairs { '192.0.2.1', 'no-such-host.invalid' } do
      local master = core.tcp()
      lu.assertNil((master:bind(host, 0)))
      master:close()
    end
  end)
end


-- Methods that a program takes from an object before it is of the class that has them

TestTaken = support.suite()


local function take(object, ...)
  local taken = {}
  for _, name in ipairs { ... } do
    taken[name] = object[name]
  end
  return taken
end


function TestTaken.test_before_connect()
  local server, port = listener()
  for _, host in ipairs { '127.0.0.1', 'localhost' } do
    for _, moment in ipairs { 'before', 'after' } do
      local client = keep(core.tcp())
      local taken = take(client, 'send', 'receive', 'shutdown', 'getstats', 'setoption')
      client:settimeout(0)
      client:connect(host, port)
      if moment == 'after' then
        taken = take(client, 'send', 'receive', 'shutdown', 'getstats', 'setoption')
      end
      client:settimeout(LONG)
      lu.assertEquals(taken.setoption(client, 'keepalive', true), 1)
      lu.assertEquals(taken.send(client, 'hello\n'), 6)
      local accepted = keep(server:accept())
      accepted:send(accepted:receive() .. '\n')
      lu.assertEquals(taken.receive(client), 'hello')
      lu.assertEquals(select(2, taken.getstats(client)), 6)
      lu.assertEquals(taken.shutdown(client), 1)
      client:close()
    end
  end
end


function TestTaken.test_before_listen()
  local server = keep(core.tcp())
  local taken = take(server, 'bind', 'listen', 'accept', 'connect')
  lu.assertEquals(taken.bind(server, '127.0.0.1', 0), 1)
  lu.assertEquals(taken.listen(server), 1)
  server:settimeout(0)
  lu.assertEquals({ taken.accept(server) }, { nil, 'timeout' })
  lu.assertEquals({ taken.connect(server, '127.0.0.1', 1) }, { nil, 'already connected' })
  lu.assertErrorMsgContains("calling 'bind' on bad self (tcp{master} expected)",
    taken.bind, server, '127.0.0.1', 0)
end


function TestTaken.test_of_datagrams()
  local one, other = keep(core.udp()), keep(core.udp())
  local names = { 'send', 'sendto', 'receivefrom', 'setpeername', 'getpeername', 'setsockname' }
  local taken = take(one, unpack(names))
  other:setsockname('127.0.0.1', 0)
  local host, port = other:getsockname()
  lu.assertEquals(taken.sendto(one, 'x', host, port), 1)
  lu.assertEquals(taken.setpeername(one, host, port), 1)
  lu.assertEquals(taken.send(one, 'x'), 1)
  lu.assertEquals((taken.getpeername(one)), host)
  lu.assertErrorMsgContains('udp{unconnected} expected', taken.sendto, one, 'x', host, port)
  lu.assertErrorMsgContains('udp{unconnected} expected', taken.receivefrom, one)
  lu.assertErrorMsgContains('udp{unconnected} expected', taken.setsockname, one, host, 0)
  taken = take(one, unpack(names))
  lu.assertEquals(taken.setpeername(one, '*'), 1)
  lu.assertEquals(taken.sendto(one, 'x', host, port), 1)
  lu.assertErrorMsgContains('udp{connected} expected', taken.send, one, 'x')
  lu.assertErrorMsgContains('udp{connected} expected', taken.getpeername, one)
end


function TestTaken.test_a_unix_datagram_comes_from_a_path_alone()
  local receiver, path = keep(core.unix.dgram()), support.path()
  receiver:bind(path)
  receiver:sendto('x', path)
  lu.assertEquals(select('#', receiver:receivefrom()), 2)
end


-- Memory


-- f, with no memory left after each allocation in turn. The objects that it keeps in
-- its argument are closed; what else it opened the collector has to find.
local function starve(f)
  support.assert_no_fd_leak(function()
    local enough, n = false, 0
    while not enough do
      local objects = {}
      enough = support.starve(n, function()
        f(objects)
      end)
      for _, object in pairs(objects) do
        object:close()
      end
      n = n + 1
    end
    lu.assertTrue(n > 3)
    for _ = 1, 4 do
      collectgarbage()
    end
  end)
end


function TestMemory.test_connecting_loses_no_descriptor()
  local server, port = listener()
  for _, host in ipairs { '127.0.0.1', 'localhost' } do
    for _, timeout in ipairs { -1, LONG } do
      starve(function(objects)
        objects.client = core.tcp()
        objects.client:setoption('keepalive', true)
        objects.client:settimeout(timeout)
        assert(objects.client:connect(host, port) == 1)
        objects.accepted = server:accept()
      end)
    end
  end
end


function TestMemory.test_servers_lose_no_descriptor()
  starve(function(objects)
    objects.server = core.tcp()
    assert(objects.server:bind('localhost', 0))
    assert(objects.server:listen())
    assert(objects.server:getsockname())
  end)
end


function TestMemory.test_datagrams_lose_no_descriptor()
  starve(function(objects)
    objects.receiver, objects.sender = core.udp(), core.udp()
    assert(objects.receiver:setsockname('127.0.0.1', 0))
    local _, port = objects.receiver:getsockname()
    assert(objects.sender:sendto('hello', '127.0.0.1', port) == 5)
    assert(objects.receiver:receivefrom() == 'hello')
  end)
end


-- Taking LuaSocket's place


-- As in a program that has not loaded LuaSocket.
local function in_program(f)
  support.in_child(function()
    for _, name in ipairs { 'socket', 'socket.core', 'socket.unix' } do
      package.loaded[name] = nil
    end
    f()
  end)
end


-- … and where LuaSocket's Lua half is not installed.
local function without_luasocket(f)
  in_program(function()
    package.path = 'lua/?.lua'
    package.cpath = package.cpath:match '^[^;]*'
    f()
  end)
end


function TestInstall.test_it_is_found_under_luasockets_names()
  in_program(function()
    lu.assertIs(core.install(), core)
    lu.assertIs(core.install(), core)
    lu.assertIs(require 'socket.core', core)
    lu.assertIs(require 'socket.unix', core.unix)
  end)
end


function TestInstall.test_a_second_installation_changes_nothing()
  in_program(function()
    core.install()
    local searchers = package.searchers or package.loaders
    local count = #searchers
    require 'socket'
    core.install()
    lu.assertEquals(#searchers, count)
  end)
end


function TestInstall.test_it_refuses_to_come_after_luasocket()
  for _, name in ipairs { 'socket', 'socket.core', 'socket.unix' } do
    in_program(function()
      local theirs = {}
      package.loaded[name] = theirs
      lu.assertErrorMsgContains(("'%s' is loaded already"):format(name), core.install)
      lu.assertIs(package.loaded[name], theirs)
      lu.assertNotIs(package.loaded['socket.core'], core)
    end)
  end
end


function TestInstall.test_requiring_it_is_enough()
  in_program(function()
    lu.assertIs(require 'sock99.install', core)
    lu.assertIs(require 'socket.core', core)
  end)
end


local function is_on_path(name)
  for template in package.path:gmatch '[^;]+' do
    local file = io.open((template:gsub('%?', name)))
    if file then
      file:close()
      return true
    end
  end
  return false
end


function TestInstall.test_luasockets_lua_half_comes_first_where_it_is()
  in_program(function()
    lu.skipIf(not is_on_path 'socket', 'there is no socket.lua for this Lua')
    core.install()
    lu.assertIs(require 'socket', core)
    lu.assertNil(package.loaded['sock99.luasocket.half'])
  end)
end


function TestInstall.test_socket_is_found_where_nothing_else_is()
  without_luasocket(function()
    core.install()
    lu.assertIs(require 'socket', core)
    lu.assertIsFunction(core.bind)
    core.install()
  end)
end


function TestInstall.test_other_modules_are_still_missing()
  without_luasocket(function()
    core.install()
    lu.assertErrorMsgContains('socket.http', require, 'socket.http')
  end)
end


function TestInstall.test_it_never_calls_through_what_programs_replace()
  in_program(function()
    core.install()
    local function never()
      error 'called'
    end
    local _, port = listener()
    for _, name in ipairs { 'tcp', 'tcp4', 'udp', 'select', 'newtry', 'protect', 'skip', 'sleep',
      'gettime' } do
      core[name] = never
    end
    core.dns.getaddrinfo = never
    keep(core.connect('localhost', port))
  end)
end


-- The substitute of socket.lua


-- A program with nothing but ours.
local function with_half(f)
  without_luasocket(function()
    core.install()
    f(require 'socket')
  end)
end


function TestHalf.test_servers_and_clients()
  with_half(function(socket)
    for _, host in ipairs { '127.0.0.1', 'localhost', '*' } do
      local server = keep(socket.bind(host, 0))
      server:settimeout(LONG)
      local _, port = server:getsockname()
      lu.assertTrue(server:getoption 'reuseaddr')
      local client = keep(socket.connect4('127.0.0.1', port))
      lu.assertEquals(client:getfamily(), 'inet4')
      keep(server:accept())
      server:close()
    end
    lu.assertEquals({ socket.bind('192.0.2.1', 0) }, { nil, 'Cannot assign requested address' })
    lu.assertNil((socket.bind('no-such-host.invalid', 0)))
    lu.assertNil((socket.connect6('127.0.0.1', 1)))
  end)
end


function TestHalf.test_try()
  with_half(function(socket)
    lu.assertEquals({ socket.try(1, 2) }, { 1, 2 })
    local f = socket.protect(function()
      socket.try(nil, 'a reason')
    end)
    lu.assertEquals({ f() }, { nil, 'a reason' })
  end)
end


function TestHalf.test_choose()
  with_half(function(socket)
    local f = socket.choose {
      default = function(...) return 'default', ... end,
      other = function(...) return 'other', ... end,
    }
    lu.assertEquals({ f('other', 1, 2) }, { 'other', 1, 2 })
    lu.assertEquals({ f(1, 2) }, { 'default', 1, 2 })
    lu.assertErrorMsgContains('unknown key (none)', f, 'none')
  end)
end


local function pump(source, sink)
  local chunk
  repeat
    chunk = source()
    lu.assertTrue((sink(chunk)) and true)
  until not chunk
end


local function all_chunks()
  local chunks = {}
  return chunks, function(chunk)
    chunks[#chunks + 1] = chunk
    return 1
  end
end


function TestHalf.test_sources_and_sinks()
  with_half(function(socket)
    local server, port = listener()
    local client = keep(socket.connect('127.0.0.1', port))
    local accepted = keep(server:accept())
    local data = ('0123456789'):rep(500)

    local sent = false
    pump(function()
      local chunk = not sent and data or nil
      sent = true
      return chunk
    end, socket.sink('keep-open', client))
    local chunks, sink = all_chunks()
    pump(socket.source('by-length', accepted, #data), sink)
    lu.assertEquals(table.concat(chunks), data)
    lu.assertEquals(#chunks[1], socket.BLOCKSIZE)

    sink = socket.sink('close-when-done', client)
    lu.assertEquals(sink:getfd(), client:getfd())
    lu.assertFalse(sink:dirty())
    sink 'the rest'
    sink(nil)
    lu.assertEquals(client:getfd(), -1)
    local rest
    rest, sink = all_chunks()
    pump(socket.source(accepted), sink)
    lu.assertEquals(table.concat(rest), 'the rest')
    lu.assertEquals(accepted:getfd(), -1)
  end)
end



function TestPending:test_options_are_checked_at_once()
  local client = pending_to(busy_port())
  lu.assertErrorMsgContains("unsupported option `nosuch'", client.setoption, client, 'nosuch', true)
  lu.assertErrorMsgContains('boolean expected', client.setoption, client, 'keepalive', 'yes')
  lu.assertEquals(client:setoption('keepalive', true), 1)
end


function TestPending:test_a_variable_to_be_closed_ends_it()
  local client = pending_to(busy_port())
  getmetatable(client).__close(client)
  lu.assertEquals(client:getfd(), -1)
  lu.assertEquals({ client:getpeername() }, { nil, 'closed' })
end


TestArguments = support.suite()


function TestArguments:test_a_resolver_that_did_not_answer_is_not_a_name_that_is_not_found()
  local canonical, names = kinds.canonical, kinds.names
  for code, message in pairs {
    [sock99.errno.EAI_AGAIN] = 'Host name lookup failure',
    [sock99.errno.EAI_FAIL] = 'Unknown server error',
    [sock99.errno.EAI_NONAME] = 'host not found',
  } do
    kinds.canonical = function() return nil, 'in the words of gai_strerror', code end
    kinds.names = kinds.canonical
    local results = { { core.dns.toip 'example.org' }, { core.dns.tohostname 'example.org' },
      { core.dns.tohostname '192.0.2.1' } }
    kinds.canonical, kinds.names = canonical, names
    lu.assertEquals(results, { { nil, message }, { nil, message }, { nil, message } })
  end
end


function TestArguments:test_the_lua_half_too_is_held_to_objects_and_classes()
  local client = keep(core.tcp())
  lu.assertErrorMsgContains('socket expected', kinds.family, {})
  lu.assertErrorMsgContains('socket expected', kinds.classify, io.stdout, 1)
  for _, class in ipairs { 0, 6, -1 } do
    lu.assertErrorMsgContains('(class ', kinds.classify, client, class)
  end
end


function TestArguments:test_answers_of_the_resolver_are_garbage_like_all_else()
  for _ = 1, 10 do
    lu.assertEquals((core.dns.toip 'localhost'), '127.0.0.1')
    lu.assertIsNil((core.dns.tohostname '999.999.999.999'))
  end
  collectgarbage()
  collectgarbage()
end


function TestConnect:test_no_descriptor_is_left_for_it()
  lu.skipIf(support.runner, 'the RUNNER has descriptors of its own')
  local _, port = listener()
  support.in_child(function()
    local client = keep(core.tcp())
    local highest = 0
    for fd in pairs(support.descriptors()) do
      highest = math.max(highest, fd)
    end
    assert(support.limit_descriptors(highest + 1))
    repeat until not support.socket 'inet'
    lu.assertEquals({ client:connect('127.0.0.1', port) }, { nil, 'Too many open files' })
  end)
end


function TestArguments:test_errors_are_told_of_the_line_that_is_wrong()
  local client = keep(core.tcp())
  for _, wrong in ipairs {
    function() client:connect('127.0.0.1') end,
    function() client:setoption('keepalive', 1) end,
    function() client:setoption('linger', {}) end,
    function() core.dns.toip() end,
  } do
    local line = debug.getinfo(wrong, 'S').linedefined
    local _, message = pcall(wrong)
    lu.assertStrContains(message, ('test_luasocket.lua:%d: bad argument'):format(line))
  end
end


-- Found by programs that others have written

TestFound = support.suite()


function TestFound:test_skip_takes_minus_one()
  lu.assertEquals({ core.skip(-1, 'a', 'b') }, { -1, 'a', 'b' })
  lu.assertEquals({ core.skip(0, 'a', 'b') }, { 'a', 'b' })
  lu.assertEquals({ core.skip(2, 'a', 'b') }, {})
end


function TestFound:test_setfd_keeps_what_was_received()
  local a, b = keep(sock99.pair())
  local object = keep(core.unix())
  object:setfd(a:detach())
  object:settimeout(5)
  b:send 'one\ntwo\n'
  lu.assertEquals(object:receive(), 'one')
  local fd = object:getfd()
  object:setfd(-1)
  object:setfd(fd)
  lu.assertEquals(object:receive(), 'two')
end


-- sendfile and receivefds are methods of LuaSocket's kind, too: a failure is nil first.
function TestFound:test_what_fails_looks_like_a_failure()
  local a, b = keep(sock99.pair())
  local object = keep(core.unix())
  object:setfd(a:detach())
  object:settimeout(0.01)
  lu.assertEquals({ object:receivefds() }, { nil, 'timeout' })
  local file = io.tmpfile()
  file:write(('x'):rep(8 * 1024 * 1024))
  file:seek 'set'
  local results = { object:sendfile(file) }
  lu.assertEquals({ results[1], results[2], #results }, { nil, 'timeout', 3 })
  b:close()
  results = { object:sendfile(file) }
  lu.assertEquals({ results[1], results[2], results[3] }, { nil, 'closed', 0 })
  file:close()
  local datagrams = keep(core.unix.dgram())
  lu.assertEquals({ datagrams:setsockname(support.path 'bound') }, { 1 })
  datagrams:settimeout(0.01)
  lu.assertEquals({ datagrams:receivefds() }, { nil, 'timeout' })
end


function TestFound:test_options_by_number()
  local tcp = keep(core.tcp())
  local level, option = support.SOL_SOCKET, support.SO_RCVBUF
  lu.assertEquals(tcp:setoption { level, option, 16384 }, 1)
  assert(tcp:bind('127.0.0.1', 0))
  local set = tcp:getoption { level, option }
  lu.assertTrue(set == 16384 or set == 32768, tostring(set))
  lu.assertEquals(tcp:setoption { level, option, 32768 }, 1)
  lu.assertTrue(tcp:getoption { level, option } > set)
end


-- A service that only UDP has.
function TestFound:test_a_datagram_object_looks_for_services_of_datagrams()
  local services = support.output_of 'getent -s files services tftp/udp 2>/dev/null'
  local tcp = support.output_of 'getent -s files services tftp/tcp 2>/dev/null'
  lu.skipIf(not services:find '^tftp' or tcp:find '^tftp', 'this system knows no such service')
  local udp = keep(core.udp())
  lu.assertEquals(udp:setpeername('127.0.0.1', 'tftp'), 1)
  lu.assertEquals((select(2, udp:getpeername())), 69)
end


local function in_lua(program)
  local name = support.path 'program.lua'
  local file = assert(io.open(name, 'w'))
  file:write(program)
  file:close()
  return support.output_of(support.interpret(name) .. ' 2>&1')
end


function TestFound:test_it_loads_without_the_debug_library()
  lu.assertEquals(in_lua [[
    debug = nil
    package.loaded.debug = nil
    local core = require 'sock99.luasocket'.install()
    local object = core.tcp()
    print(pcall(object.bind, object, {}))
    print(pcall(object.setoption, object, 'nosuch', 1))
    object:close()
  ]], "false\tbad argument #1 to 'bind' (string expected, got table)\n" ..
    "false\tbad argument #2 to 'setoption' (unsupported option `nosuch')")
end


function TestFound:test_a_module_that_is_missing_is_not_blamed_on_us()
  local told = in_lua [[
    require 'sock99.luasocket'.install()
    print(pcall(require, 'no.such.module'))
  ]]
  lu.assertNotStrContains(told, 'sock99')
end


-- Whoever writes with write(2), as LuaSec does, to a socket whose peer has gone.
function TestFound:test_install_ignores_sigpipe_where_it_has_its_default()
  local program = [[
    local support, sock99 = require 'test_support', require 'sock99'
    support.default_sigpipe()
    require 'sock99.luasocket'.install(%s)
    local a, b = sock99.pair()
    b:close()
    print(support.write(a:getfd(), 'x'))
  ]]
  lu.assertStrContains(in_lua(program:format ''), 'Broken pipe')
  lu.assertStrContains(in_lua(program:format '{ sigpipe = true }'), 'Broken pipe')
  lu.assertNotStrContains(in_lua(program:format '{ sigpipe = false }'), 'Broken pipe')
end


function TestFound:test_what_install_does_not_take()
  for _, case in ipairs {
    { 5, 'table expected, got number' },
    { { sigpip = false }, "unknown field 'sigpip'" },
    { { sigpipe = 1 }, "field 'sigpipe': boolean expected, got number" },
  } do
    lu.assertErrorMsgContains(case[2], core.install, case[1])
  end
end


support.run()
