-- The life of socket objects: birth, class, names, timeouts, death.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

local errno, keep = sock99.errno, support.keep

TestObject = support.suite()


local function class_of(object)
  return (tostring(object):gsub(':.*', ''))
end


-- nil, message, code
local function assert_failure(code, message, ...)
  local result = { ... }
  lu.assertEquals(select('#', ...), 3)
  lu.assertNil(result[1])
  lu.assertEquals(errno[result[3]], code, result[2])
  if message then
    lu.assertEquals(result[2], message)
  end
end


-- nil, message, code, stage
local function assert_stage(stage, code, message, ...)
  lu.assertEquals(select('#', ...), 4)
  lu.assertEquals((select(4, ...)), stage)
  local _, got, number = ...
  assert_failure(code, message, nil, got, number)
end


local function assert_closed(...)
  lu.assertEquals(select('#', ...), 3)
  lu.assertEquals({ n = 3, ... }, { n = 3, nil, 'closed', nil })
end


-- Birth

function TestObject:test_a_client_and_a_server_of_each_kind()
  for _, t in ipairs {
    { host = '127.0.0.1' }, { host = '::1' }, { path = support.path() },
    { path = support.path 'records', seqpacket = true },
  } do
    local server = support.listener(support.with(t, {}))
    local name, port = server:getsockname()
    if not t.path then
      t = { host = name, port = port }
    end
    local client = keep(sock99.socket(t))
    local accepted = keep(server:accept())
    lu.assertEquals({ class_of(server), class_of(client), class_of(accepted) },
                    { 'tcp{server}', 'tcp{client}', 'tcp{client}' })
    support.assert_talk(client:getfd(), accepted:getfd())
    lu.assertEquals(client:getfamily(), accepted:getfamily())
  end
end


function TestObject:test_classes_of_datagram_sockets()
  local server = keep(sock99.socket { server = true, datagram = true, host = '127.0.0.1' })
  local _, port = server:getsockname()
  lu.assertEquals(class_of(server), 'udp{unconnected}')
  local client = keep(sock99.socket { datagram = true, host = '127.0.0.1', port = port })
  lu.assertEquals(class_of(client), 'udp{connected}')
  lu.assertEquals(class_of(keep(sock99.socket { datagram = true })), 'udp{unconnected}')
end


function TestObject:test_a_socket_that_is_not_connected_is_a_master()
  local master = keep(sock99.socket { family = 'inet', connect = false })
  lu.assertEquals(class_of(master), 'tcp{master}')
  lu.assertEquals(master.class, 'tcp{master}')
  local bound = keep(sock99.socket { host = '127.0.0.1', server = true, connect = false })
  lu.assertEquals(class_of(bound), 'tcp{master}')
end


function TestObject:test_the_class_is_a_field_and_the_index_a_plain_table()
  local client, accepted, server = support.connection()
  lu.assertEquals(client.class, 'tcp{client}')
  lu.assertEquals(server.class, 'tcp{server}')
  lu.assertIs(getmetatable(client).__index, getmetatable(accepted).__index)
  lu.assertIsTable(getmetatable(client).__index)
  lu.assertIsFunction(getmetatable(client).__index.send)
  lu.assertNil(getmetatable(client).__metatable)
  lu.assertNil(client.nosuch)
end


function TestObject:test_tostring_is_the_same_for_life_but_for_the_class()
  local client = support.connection()
  local text = tostring(client)
  lu.assertStrMatches(text, 'tcp{client}: %S+')
  lu.assertEquals(tostring(client), text)
  client:close()
  lu.assertEquals(tostring(client), text)
end


function TestObject:test_a_failed_opening_tells_its_stage()
  support.assert_no_fd_leak(function()
    local result = { sock99.socket { host = '127.0.0.1', port = support.closed_port() } }
    lu.assertNil(result[1])
    lu.assertStrContains(result[2], 'Connection refused')
    lu.assertEquals(errno[result[3]], 'ECONNREFUSED')
    lu.assertEquals(result[4], 'connect')
  end)
  lu.assertErrorMsgContains('unknown field', sock99.socket, { hots = '' })
  local object, message, code, stage = sock99.socket { host = '127.0.0.1' }
  lu.assertNil(object)
  lu.assertStrContains(message, 'configuration: ')
  lu.assertEquals({ errno[code], stage }, { 'EINVAL', 'configuration' })
end


function TestObject:test_nonblocking_is_a_timeout_of_0()
  local server = support.listener { host = '127.0.0.1', nonblocking = true }
  lu.assertEquals(server:gettimeout(), 0)
  assert_failure('ETIMEDOUT', 'timeout', server:accept())
  local _, port = server:getsockname()
  local client = keep(sock99.socket { host = '127.0.0.1', port = port, nonblocking = true })
  lu.assertEquals(client:gettimeout(), 0)
  lu.assertTrue(support.nonblocking(client:getfd()))
  lu.assertEquals((select(2, client:receive())), 'timeout')
  local a = keep(sock99.pair { nonblocking = true })
  lu.assertEquals({ a:gettimeout() }, { 0, -1 })
end


function TestObject:test_a_listener_does_not_block_and_its_connections_do()
  local server = support.listener()
  lu.assertTrue(support.nonblocking(server:getfd()))
  lu.assertEquals({ server:gettimeout() }, { -1, -1 })
  local client, accepted = support.connection()
  lu.assertFalse(support.nonblocking(client:getfd()))
  lu.assertFalse(support.nonblocking(accepted:getfd()))
end


function TestObject:test_the_timeout_of_an_opening_is_not_the_objects()
  local server = support.listener()
  local _, port = server:getsockname()
  local client = keep(sock99.socket { host = '127.0.0.1', port = port, timeout = 5 })
  lu.assertEquals({ client:gettimeout() }, { -1, -1 })
  lu.assertFalse(support.nonblocking(client:getfd()))
  server:settimeout(7)
  lu.assertEquals({ keep(server:accept()):gettimeout() }, { -1, -1 })
end


function TestObject:test_descriptors_are_close_on_exec_unless_asked()
  local client, accepted, server = support.connection()
  local a, b = keep(sock99.pair())
  for _, object in ipairs { client, accepted, server, a, b } do
    lu.assertTrue(support.cloexec(object:getfd()))
  end
  a, b = keep(sock99.pair { cloexec = false })
  lu.assertFalse(support.cloexec(a:getfd()))
  lu.assertFalse(support.cloexec(b:getfd()))
end


function TestObject:test_pairs_of_each_kind()
  for kind, class in pairs { stream = 'tcp{client}', seqpacket = 'tcp{client}',
                             datagram = 'udp{connected}' } do
    local a, b = keep(sock99.pair { [kind ~= 'stream' and kind or 'cloexec'] = true })
    lu.assertEquals({ class_of(a), class_of(b) }, { class, class })
    lu.assertEquals({ a:getfamily(), b:getfamily() }, { 'unix', 'unix' })
    lu.assertEquals({ a:getsockname(), a:getpeername() }, { '', '' })
    support.assert_talk(a:getfd(), b:getfd())
  end
  lu.assertErrorMsgContains("field 'host' is not for a pair", sock99.pair, { host = 'x' })
end


function TestObject:test_a_pair_that_cannot_be_is_told()
  lu.assertEquals({ sock99.pair { datagram = true, seqpacket = true } },
                  { nil, 'configuration: datagram cannot be combined with seqpacket: ' ..
                    'give one of them', errno.EINVAL, 'configuration' })
  lu.assertEquals({ sock99.pair { host = 'x\0' } },
                  { nil, "configuration: host 'x' has a NUL byte in it", errno.EINVAL,
                    'configuration' })
end


-- wrap

function TestObject:test_wrap_finds_out_what_a_descriptor_is()
  local path = support.path()
  local server, port = support.server {}
  for class, fd in pairs {
    ['tcp{server}'] = server,
    ['tcp{client}'] = support.open { host = '127.0.0.1', port = port },
    ['tcp{master}'] = support.socket('inet6', 'stream'),
    ['udp{unconnected}'] = support.socket('inet', 'dgram'),
    ['udp{connected}'] = support.open { host = '127.0.0.1', port = port, datagram = true },
  } do
    local object = keep(sock99.wrap(fd))
    lu.assertEquals(class_of(object), class)
    lu.assertEquals(object:getfd(), fd)
  end
  lu.assertEquals(class_of(keep(sock99.wrap(support.socket('unix', 'seqpacket')))), 'tcp{master}')
  local unix = keep(sock99.wrap(support.open { path = path, server = true }))
  lu.assertEquals({ class_of(unix), unix:getfamily() }, { 'tcp{server}', 'unix' })
  lu.assertEquals(unix:getsockname(), path)
end


-- A connection whose client has reset it, with and without bytes that it sent before,
-- and whether somebody has looked at the error: the number of a descriptor.
local function reset_connection(host, sends, looks)
  local client, accepted = support.connection(host)
  client:setoption('linger', 0)
  if sends then
    client:send 'half a line'
  end
  client:close()
  lu.assertEquals(#sock99.select({ accepted }, nil, 10), 1)
  if looks then
    accepted:getoption 'error'
  end
  return accepted:detach()
end


-- The ways in which a program comes by a descriptor.
local function ways_to_wrap()
  return {
    wrap = sock99.wrap,
    setfd = function(fd)
      local object = keep(sock99.socket { family = 'inet', connect = false })
      support.close(object:detach())
      object:setfd(fd)
      return object
    end,
    sendfds = function(fd)
      local a, b = keep(sock99.pair())
      a:sendfds('x', fd)
      support.close(fd)
      local _, fds = b:receivefds()
      return sock99.wrap(fds[1])
    end,
    luasocket = function(fd)
      local object = keep(require 'sock99.luasocket'.tcp4())
      object:close()
      object:setfd(fd)
      return object
    end,
  }
end


function TestObject:test_a_reset_connection_is_still_a_client()
  for name, wrap in pairs(ways_to_wrap()) do
    for _, host in ipairs { '127.0.0.1', '::1' } do
      for case = 0, 3 do
        local label = ('%s, %s, case %d'):format(name, host, case)
        local object = keep(wrap(reset_connection(host, case % 2 == 1, case >= 2)))
        lu.assertEquals(class_of(object), 'tcp{client}', label)
        object:settimeout(5)
        local line, why = object:receive()
        lu.assertEquals({ line, why }, { nil, 'closed' }, label)
        local sent
        sent, why = object:send 'x'
        lu.assertEquals({ sent, why }, { nil, 'closed' }, label)
      end
    end
  end
end


function TestObject:test_a_reset_connection_tells_its_error()
  local object = keep(sock99.wrap(reset_connection('127.0.0.1')))
  lu.assertEquals({ object:receive() }, { nil, 'closed', '', errno.ECONNRESET })
end


function TestObject:test_a_unix_connection_without_its_peer_is_still_a_client()
  for _, kind in ipairs { 'stream', 'seqpacket' } do
    local a, b = keep(sock99.pair { seqpacket = kind == 'seqpacket' })
    b:send 'unread'
    a:send 'unread'
    a:close()
    local object = keep(sock99.wrap(b:detach()))
    lu.assertEquals(class_of(object), 'tcp{client}', kind)
    local sent, why = object:send 'x'
    lu.assertEquals({ sent, why }, { nil, 'closed' }, kind)
  end
end


function TestObject:test_what_never_was_connected_is_a_master()
  for _, family in ipairs { 'inet', 'inet6', 'unix' } do
    lu.assertEquals(class_of(keep(sock99.wrap(support.socket(family)))), 'tcp{master}')
  end
  local bound = support.open { host = '127.0.0.1', server = true, connect = false }
  lu.assertEquals(class_of(keep(sock99.wrap(bound))), 'tcp{master}')
end


-- accept

function TestObject:test_an_accepted_connection_tells_who_it_was()
  for _, host in ipairs { '127.0.0.1', '::1' } do
    local server = support.listener { host = host }
    local name, port = server:getsockname()
    local client = keep(sock99.socket { host = name, port = port, sockopts = { linger = 0 } })
    local expected = { client:getsockname() }
    client:close()
    lu.assertEquals(#sock99.select({ server }, nil, 10), 1)
    local accepted = keep(server:accept())
    accepted:settimeout(5)
    accepted:receive()
    lu.assertEquals({ accepted:getpeername() }, expected)
    local fd = accepted:detach()
    lu.assertEquals({ accepted:getpeername() }, { nil, 'closed' })
    accepted:setfd(fd)
    assert_failure('ENOTCONN', nil, accepted:getpeername())
  end
end


function TestObject:test_ipv4_of_a_dual_stack_listener_tells_who_it_was()
  local server = support.listener { host = nil }
  local _, port = server:getsockname()
  local client = keep(sock99.socket {
    host = '127.0.0.1', port = port, sockopts = { linger = 0 },
  })
  local expected = { client:getsockname() }
  client:close()
  local accepted = keep(server:accept())
  accepted:receive()
  lu.assertEquals({ accepted:getpeername() }, expected)
end


function TestObject:test_wrap_leaves_flags_alone()
  for _, nonblocking in ipairs { true, false } do
    local fd = support.open { server = true, nonblocking = nonblocking, cloexec = false }
    keep(sock99.wrap(fd))
    lu.assertEquals(support.nonblocking(fd), nonblocking)
    lu.assertFalse(support.cloexec(fd))
  end
end


function TestObject:test_wrap_takes_only_sockets()
  local reader, writer = support.pipe()
  local file = io.open('/dev/null')
  assert_failure('ENOTSOCK', 'wrap ' .. reader .. ': Socket operation on non-socket',
                 sock99.wrap(reader))
  collectgarbage()
  collectgarbage()
  assert(support.write(writer, 'the pipe is not closed'))
  file:close()
  support.close(reader)
  support.close(writer)
  assert_failure('EBADF', nil, sock99.wrap(reader))
  assert_failure('EBADF', 'wrap -1: Bad file descriptor', sock99.wrap(-1))
  assert_failure('EBADF', 'wrap 4294967296: Bad file descriptor', sock99.wrap(4294967296))
  assert_failure('EBADF', nil, sock99.wrap(2 ^ 40))
  lu.assertErrorMsgContains('number expected', sock99.wrap)
  lu.assertErrorMsgContains('number expected', sock99.wrap, 'x')
end


-- Raw sockets need no privilege in a network of one's own.
function TestObject:test_wrap_refuses_sockets_that_are_neither_streams_nor_datagrams()
  support.in_network(function()
    local raw = support.socket('inet', 'raw')
    lu.skipIf(not raw, 'a raw socket cannot be made here')
    assert_failure('EPROTOTYPE', nil, sock99.wrap(raw))
    lu.assertEquals(support.close(raw), 0)
  end)
end


function TestObject:test_wrap_refuses_sockets_of_other_families()
  local route = support.socket('route', 'dgram')
  lu.skipIf(not route, 'a routing socket cannot be made here')
  assert_failure('EAFNOSUPPORT', nil, sock99.wrap(route))
  lu.assertEquals(support.close(route), 0)
end


-- What somebody else has closed is told by whoever uses it.
function TestObject:test_a_descriptor_that_is_closed_already_is_told()
  for _, timeout in ipairs { -1, 0, 10 } do
    local listener = support.server {}
    local server = sock99.wrap(listener)
    local stream = support.socket 'inet'
    local client = sock99.wrap(stream)
    server:settimeout(timeout)
    client:settimeout(timeout)
    support.close(listener)
    support.close(stream)
    assert_failure('EBADF', 'Bad file descriptor', server:accept())
    assert_stage('connect', 'EBADF', 'connect 127.0.0.1:1: Bad file descriptor',
                   client:connect('127.0.0.1', 1))
    assert_stage('listen', 'EBADF', 'listen: Bad file descriptor', client:listen())
    server:setfd(-1)
    client:setfd(-1)
  end
end


function TestObject:test_two_objects_on_one_descriptor()
  local client, accepted = support.connection()
  local second = sock99.wrap(client:getfd())
  lu.assertEquals(second:getfd(), client:getfd())
  lu.assertEquals(client:send 'from one\n', 9)
  lu.assertEquals(second:send 'from the other\n', 15)
  lu.assertEquals(accepted:receive(), 'from one')
  lu.assertEquals(accepted:receive(), 'from the other')
  lu.assertEquals(second:setfd(-1), 1)
  lu.assertEquals(client:send 'still there\n', 12)
  lu.assertEquals(accepted:receive(), 'still there')
end


-- Death

function TestObject:test_close_closes_once_and_may_be_called_again()
  local a, b = sock99.pair()
  local fd = a:getfd()
  lu.assertEquals(a:close(), 1)
  local other = support.socket('inet')
  lu.assertEquals(other, fd)
  lu.assertEquals(a:close(), 1)
  lu.assertEquals(a:close(), 1)
  lu.assertFalse(support.nonblocking(other), 'another descriptor of that number lives on')
  support.close(other)
  lu.assertEquals(b:receive(1), nil)
  b:close()
end


function TestObject:test_no_method_works_after_close()
  local client, accepted, server = support.connection()
  for _, object in ipairs { client, accepted, server } do
    object:close()
    lu.assertEquals({ object:getfd(), object:pollfd() }, { -1, -1 })
    assert_closed(object:getsockname())
    assert_closed(object:getpeername())
    assert_closed(object:getfamily())
    assert_closed(object:shutdown())
    assert_closed(object:detach())
    assert_closed(object:bind('127.0.0.1', 0))
    lu.assertEquals(object:dirty(), false)
    lu.assertEquals({ object:events(), object:timeout() }, { 'r' })
    lu.assertEquals(object:settimeout(1), 1)
    lu.assertEquals(#{ object:getstats() }, 3)
  end
  assert_closed(server:accept())
  assert_closed(client:connect('127.0.0.1', 1))
  lu.assertEquals({ n = 4, client:send 'x' }, { n = 4, nil, 'closed', 0, nil })
  lu.assertEquals({ n = 4, client:send { 'x' } }, { n = 4, nil, 'closed', 0, nil })
  lu.assertEquals({ n = 4, client:receive() }, { n = 4, nil, 'closed', '', nil })
  lu.assertEquals({ n = 4, client:receive(0) }, { n = 4, nil, 'closed', '', nil })
  lu.assertEquals({ n = 4, client:receiveany() }, { n = 4, nil, 'closed', '', nil })
  for _ in client:lines() do
    lu.fail 'a line from a closed socket'
  end
  local master = sock99.socket { family = 'inet', connect = false }
  master:close()
  assert_closed(master:listen())
  assert_closed(master:connect('127.0.0.1', 1))
end


function TestObject:test_the_collector_closes_what_nobody_holds()
  support.assert_no_fd_leak(function()
    for _ = 1, 20 do
      local a = sock99.pair()
      a:send 'unread'
      sock99.socket { server = true, host = '127.0.0.1' }
    end
    collectgarbage()
    collectgarbage()
  end)
end


function TestObject:test_close_at_the_end_of_a_scope()
  local chunk = (loadstring or load) [[
    local sock99, fail = ...
    local a <close> = sock99.pair()
    if fail then error 'on purpose' end
    return a
  ]]
  lu.skipIf(not chunk, 'this Lua has no variables that are closed')
  local object = chunk(sock99, false)
  lu.assertEquals(object:getfd(), -1)
  collectgarbage()
  support.assert_no_fd_leak(function()
    lu.assertErrorMsgContains('on purpose', chunk, sock99, true)
    collectgarbage()
  end)
end


function TestObject:test_the_metamethods_for_closing_may_be_called()
  local a, b = keep(sock99.pair())
  local meta = getmetatable(a)
  meta.__close(a, nil)
  lu.assertEquals(a:getfd(), -1)
  meta.__gc(b)
  meta.__gc(b)
  lu.assertEquals(b:getfd(), -1)
  lu.assertErrorMsgContains('socket expected', meta.__gc, io.stdout)
end


function TestObject:test_an_object_that_is_dead_and_has_another_metatable_is_none()
  local object = keep(sock99.pair())
  local meta, getfd = getmetatable(object), object.getfd
  meta.__gc(object)
  for _, other in ipairs { false, {} } do
    debug.setmetatable(object, other or nil)
    lu.assertErrorMsgContains('socket expected', getfd, object)
  end
  debug.setmetatable(object, meta)
  lu.assertEquals(getfd(object), -1)
end


function TestObject:test_a_listener_with_another_metatable_accepts_objects()
  local server = support.listener()
  local host, port = server:getsockname()
  local meta, accept = getmetatable(server), server.accept
  for _, other in ipairs { false, {} } do
    keep(sock99.socket { host = host, port = port })
    debug.setmetatable(server, other or nil)
    lu.assertEquals(class_of(keep(accept(server))), 'tcp{client}')
  end
  debug.setmetatable(server, meta)
end


function TestObject:test_detach_gives_the_descriptor_and_what_was_read_ahead()
  local a, b = keep(sock99.pair())
  b:send 'line\nunread\0bytes'
  lu.assertEquals(a:receive(), 'line')
  local fd = a:getfd()
  lu.assertEquals({ a:detach() }, { fd, 'unread\0bytes' })
  lu.assertEquals({ a:getfd(), a:dirty() }, { -1, false })
  assert_closed(a:detach())
  lu.assertEquals(a:close(), 1)
  support.assert_talk(fd, b:getfd())
  lu.assertEquals({ n = 2, b:detach() }, { n = 2, fd + 1, nil })
end


function TestObject:test_setfd_closes_nothing()
  local a, b = keep(sock99.pair())
  local fd = a:getfd()
  b:send 'first\nsecond\n'
  lu.assertEquals(a:receive(), 'first')
  a:settimeout(3)
  lu.assertEquals(a:setfd(-1), 1)
  lu.assertEquals({ a:getfd(), a:dirty() }, { -1, false })
  lu.assertEquals(a:setfd(fd), 1)
  lu.assertEquals({ a:getfd(), a:dirty(), class_of(a) }, { fd, false, 'tcp{client}' })
  lu.assertEquals(a:gettimeout(), 3)
  b:send 'third\n'
  lu.assertEquals(a:receive(), 'third')
end


function TestObject:test_setfd_asks_the_kernel_anew()
  local object = keep(sock99.pair())
  local old = object:getfd()
  lu.assertEquals(object:setfd(support.server {}), 1)
  lu.assertEquals({ class_of(object), object:getfamily() }, { 'tcp{server}', 'inet4' })
  support.close(old)
  old = object:getfd()
  lu.assertEquals(object:setfd(support.socket('inet6', 'dgram')), 1)
  lu.assertEquals({ class_of(object), object:getfamily() }, { 'udp{unconnected}', 'inet6' })
  support.close(old)
end


function TestObject:test_setfd_takes_only_sockets()
  local object = keep(sock99.pair())
  local reader, writer = support.pipe()
  assert_failure('ENOTSOCK', nil, object:setfd(reader))
  lu.assertEquals(object:getfd(), -1)
  assert(support.write(writer, 'x'))
  assert_failure('EBADF', nil, object:setfd(1000000))
  lu.assertErrorMsgContains('descriptor -2 is less than -1', object.setfd, object, -2)
  lu.assertErrorMsgContains('number expected', object.setfd, object)
end


-- Arguments

function TestObject:test_methods_on_the_wrong_class_are_raised()
  local client, accepted, server = support.connection()
  local datagram = keep(sock99.socket { datagram = true })
  lu.assertErrorMsgContains('tcp{client} expected', client.send, server, 'x')
  lu.assertErrorMsgContains('tcp{client} expected', client.receive, datagram)
  lu.assertErrorMsgContains('tcp{client} expected', client.lines, server)
  lu.assertErrorMsgContains('tcp{server} expected', client.accept, client)
  lu.assertErrorMsgContains('tcp{master} expected', client.listen, accepted)
  lu.assertErrorMsgContains('tcp{master} expected', client.connect, server, '127.0.0.1', 1)
  lu.assertErrorMsgContains('socket expected', client.getfd)
  for _, stranger in ipairs { io.stdout, {}, 'x', 1, true, print } do
    lu.assertErrorMsgContains('socket expected', client.getfd, stranger)
    lu.assertErrorMsgContains('tcp{client} expected', client.send, stranger, 'x')
  end
  lu.assertEquals(client:getfd() >= 0, true)
end


function TestObject:test_results_are_integers_where_lua_has_them()
  lu.skipIf(not math.type, 'this Lua has no integers')
  local client = support.connection()
  for _, number in ipairs { client:getfd(), client:pollfd(), select(2, client:getsockname()),
                            client:send 'x', (client:getstats()), client:close() } do
    lu.assertEquals(math.type(number), 'integer')
  end
end


-- Timeouts, counts, event loops

function TestObject:test_settimeout_has_two_modes()
  local a = keep(sock99.pair())
  lu.assertEquals({ a:gettimeout() }, { -1, -1 })
  lu.assertEquals(a:settimeout(1.5), 1)
  lu.assertEquals({ a:gettimeout() }, { 1.5, -1 })
  lu.assertEquals(a:settimeout(7, 't'), 1)
  lu.assertEquals({ a:gettimeout() }, { 1.5, 7 })
  a:settimeout(2, 'b')
  lu.assertEquals({ a:gettimeout() }, { 2, 7 })
  for _, forever in ipairs { -1, -0.5, math.huge } do
    a:settimeout(1)
    a:settimeout(forever)
    lu.assertEquals({ a:gettimeout() }, { -1, 7 })
  end
  a:settimeout(nil, 't')
  a:settimeout()
  lu.assertEquals({ a:gettimeout() }, { -1, -1 })
  lu.assertErrorMsgContains('not a number', a.settimeout, a, 0 / 0)
  lu.assertErrorMsgContains('timeout mode', a.settimeout, a, 1, 'x')
  lu.assertErrorMsgContains('number expected', a.settimeout, a, {})
end


function TestObject:test_a_timeout_never_ends_early()
  local a = keep(sock99.pair())
  for mode, seconds in pairs { b = 0.0004, t = 0.03 } do
    a:settimeout(nil, 'b')
    a:settimeout(nil, 't')
    a:settimeout(seconds, mode)
    local started = support.now()
    lu.assertEquals({ a:receive() }, { nil, 'timeout', '', errno.ETIMEDOUT })
    lu.assertTrue(support.now() - started >= seconds)
  end
end


function TestObject:test_getstats_counts_bytes_and_setstats_sets_them()
  local a, b = keep(sock99.pair())
  a:send 'twelve bytes'
  a:send { 'and', ' ', 5 }
  b:receive(10)
  local received, sent, age = a:getstats()
  lu.assertEquals({ received, sent }, { 0, 17 })
  lu.assertTrue(age >= 0 and age < 100)
  received, sent = b:getstats()
  lu.assertEquals({ received, sent }, { 17, 0 })
  lu.assertEquals(b:setstats(100, 200, 1000), 1)
  b:send 'x'
  received, sent, age = b:getstats()
  lu.assertEquals({ received, sent }, { 100, 201 })
  lu.assertTrue(age >= 1000 and age < 1100)
  lu.assertEquals(b:setstats(), 1)
  lu.assertEquals((b:getstats()), 100)
  lu.assertEquals(b:setstats(nil, 2 ^ 53), 1)
  lu.assertEquals((select(2, b:getstats())), 2 ^ 53)
  for _, bad in ipairs { -1, 0 / 0, math.huge, 1e30 } do
    lu.assertErrorMsgMatches('.*%(received.* .*%)', b.setstats, b, bad)
    lu.assertErrorMsgMatches('.*%(sent.* .*%)', b.setstats, b, 1, bad)
  end
  lu.assertErrorMsgContains('number expected', b.setstats, b, 1, 2, {})
end


function TestObject:test_dirty_is_what_was_read_ahead()
  local a, b = keep(sock99.pair())
  lu.assertEquals({ a:dirty(), a:timeout() }, { false })
  b:send 'one\ntwo\n'
  lu.assertEquals(a:dirty(), false)
  a:receive()
  lu.assertEquals({ a:dirty(), a:timeout() }, { true, 0 })
  a:receive()
  lu.assertEquals({ a:dirty(), a:timeout() }, { false })
end


function TestObject:test_events_say_what_the_last_timeout_waited_for()
  local a, b = keep(sock99.pair())
  a:settimeout(0)
  lu.assertEquals(a:events(), 'r')
  repeat
    local sent = a:send(('x'):rep(10000))
  until not sent
  lu.assertEquals({ a:events(), a:timeout() }, { 'w' })
  b:send 'two\nlines\n'
  a:receive()
  lu.assertEquals({ a:events(), a:timeout() }, { 'r', 0 })
  repeat
    local sent = a:send(('x'):rep(10000))
  until not sent
  lu.assertEquals({ n = 2, a:events(), a:timeout() }, { n = 2, 'w', nil })
  a:close()
  lu.assertEquals({ a:events(), a:timeout() }, { 'r' })
end


function TestObject:test_timeouts_of_event_loops_are_not_the_objects()
  local a = keep(sock99.pair())
  a:settimeout(3)
  lu.assertNil(a:timeout())
  a:settimeout(0)
  lu.assertNil(a:timeout())
end


-- Names

function TestObject:test_names_at_both_ends()
  for host, family in pairs { ['127.0.0.1'] = 'inet', ['::1'] = 'inet6' } do
    local client, accepted, server = support.connection(host)
    local _, port = server:getsockname()
    lu.assertEquals({ server:getsockname() }, { host, port, family })
    lu.assertEquals({ client:getpeername() }, { host, port, family })
    lu.assertEquals({ client:getsockname() }, { accepted:getpeername() })
    assert_failure('ENOTCONN', nil, server:getpeername())
    lu.assertEquals(client:getfamily(), host == '::1' and 'inet6' or 'inet4')
  end
end


function TestObject:test_names_of_unix_sockets()
  for _, path in ipairs { support.path(), support.long_path(support.PATH_SIZE - 1),
                          support.abstract 'x\0y' } do
    local server = support.listener { path = path }
    local client = keep(sock99.socket { path = path })
    local accepted = keep(server:accept())
    lu.assertEquals({ server:getsockname() }, { path })
    lu.assertEquals({ client:getpeername() }, { path })
    lu.assertEquals({ client:getsockname() }, { '' })
    lu.assertEquals({ accepted:getpeername() }, { '' })
    server:close()
  end
end


-- The kernel's length counts a byte behind such a path.
function TestObject:test_a_path_without_room_for_a_nul_is_whole()
  local path = support.long_path(support.PATH_SIZE)
  local fd = support.socket 'unix'
  lu.skipIf(not support.bind(fd, path), 'the system takes no such path')
  lu.assertEquals({ keep(sock99.wrap(fd)):getsockname() }, { path })
end


function TestObject:test_a_zone_is_told_by_its_interface_or_by_its_index()
  support.in_network(function()
    local said = support.output_of([[(ip link add gone type veth peer name other &&
      ip link set gone up && ip addr add fe80::1/64 dev gone nodad &&
      ip addr add fe80::2/64 dev lo nodad) 2>&1]])
    lu.skipIf(said ~= '', said)
    local gone = keep(sock99.socket { host = 'fe80::1%gone', server = true, datagram = true })
    local there = keep(sock99.socket { host = 'fe80::2%lo', server = true, datagram = true })
    lu.assertEquals({ (gone:getsockname()), (there:getsockname()) },
                    { 'fe80::1%gone', 'fe80::2%lo' })
    support.output_of 'ip link del gone'
    lu.assertStrMatches((gone:getsockname()), 'fe80::1%%%d+')
  end)
end


function TestObject:test_ipv4_through_a_dual_stack_listener_is_ipv4()
  local server = support.listener {}
  lu.skipIf(server:getfamily() ~= 'inet6', 'there is no IPv6 here')
  local _, port, family = server:getsockname()
  lu.assertEquals(family, 'inet6')
  local client = keep(sock99.socket { host = '127.0.0.1', port = port })
  local accepted = keep(server:accept())
  lu.assertEquals(accepted:getfamily(), 'inet6')
  lu.assertEquals({ accepted:getsockname() }, { '127.0.0.1', port, 'inet' })
  lu.assertEquals({ accepted:getpeername() }, { client:getsockname() })
end


function TestObject:test_ipv4_is_taken_by_an_ipv6_object()
  local object = keep(sock99.wrap(support.socket 'inet6'))
  lu.skipIf(not object:bind('127.0.0.1', 0), 'there is no IPv6 here')
  local _, port = object:getsockname()
  lu.assertEquals({ object:getsockname() }, { '127.0.0.1', port, 'inet' })
  lu.assertEquals(object:listen(), 1)
  local client = keep(sock99.wrap(support.socket 'inet6'))
  lu.assertEquals(client:connect('127.0.0.1', port), 1)
  lu.assertEquals({ client:getpeername() }, { '127.0.0.1', port, 'inet' })
  local plain = keep(sock99.wrap(support.socket 'inet'))
  lu.assertEquals(plain:connect('::ffff:127.0.0.1', port), 1)
  assert_stage('configuration', 'EAFNOSUPPORT', nil,
    keep(sock99.wrap(support.socket 'inet')):connect('::1', 1))
end


-- bind, listen, connect, shutdown

function TestObject:test_bind_listen_and_accept_step_by_step()
  local master = keep(sock99.socket { family = 'inet', connect = false })
  lu.assertEquals(master:bind('127.0.0.1', 0), 1)
  lu.assertEquals(class_of(master), 'tcp{master}')
  lu.assertEquals(master:listen(5), 1)
  lu.assertEquals(class_of(master), 'tcp{server}')
  lu.assertEquals(master:listen(), 1)
  local _, port = master:getsockname()
  local client = keep(sock99.wrap(support.socket 'inet'))
  lu.assertEquals(client:connect('127.0.0.1', port), 1)
  lu.assertEquals(class_of(client), 'tcp{client}')
  local accepted = keep(master:accept())
  client:send 'hello\n'
  lu.assertEquals(accepted:receive(), 'hello')
end


function TestObject:test_bind_takes_names_services_and_the_wildcard()
  local function bound(family, ...)
    local object = keep(sock99.wrap(support.socket(family)))
    local result = { object:bind(...) }
    lu.assertEquals(result, { 1 }, result[2])
    return object:getsockname()
  end
  lu.assertEquals((bound('inet', '*', 0)), '0.0.0.0')
  lu.assertEquals((bound('inet6', '*', 0)), '::')
  lu.assertEquals((bound('inet', 'localhost', 0)), '127.0.0.1')
  lu.assertEquals((bound('inet', '127.0.0.1', '0')), '127.0.0.1')
  lu.assertEquals((bound('inet', '127.0.0.1')), '127.0.0.1')
  local path = support.path()
  lu.assertEquals(bound('unix', path), path)
end


-- Binding needs no privilege in a network of one's own.
function TestObject:test_a_service_may_be_named_with_every_kind_of_host()
  support.in_network(function()
    for _, host in ipairs { '*', '127.0.0.1', 'localhost' } do
      local object = keep(sock99.wrap(support.socket 'inet'))
      local ok, why = object:bind(host, 'domain')
      lu.assertEquals(ok, 1, why)
      lu.assertEquals((select(2, object:getsockname())), 53)
      object:close()
    end
  end)
end


function TestObject:test_bind_tells_what_failed()
  local _, port = support.server {}
  local object = keep(sock99.wrap(support.socket 'inet'))
  assert_stage('bind', 'EADDRINUSE', ('bind 127.0.0.1:%d: Address already in use'):format(port),
                 object:bind('127.0.0.1', port))
  assert_stage('configuration', 'EINVAL', nil, object:bind('127.0.0.1\0', 0))
  lu.assertErrorMsgContains('string expected', object.bind, object)
  lu.assertErrorMsgContains('string expected', object.bind, object, '127.0.0.1', {})
  local unix = keep(sock99.wrap(support.socket 'unix'))
  assert_stage('configuration', 'EINVAL', nil, unix:bind '')
  assert_stage('configuration', 'ENAMETOOLONG', nil, unix:bind(('x'):rep(support.PATH_SIZE)))
  assert_stage('configuration', 'EINVAL', nil, unix:bind 'a\0b')
  assert_stage('bind', 'ENOENT', nil, unix:bind(support.path 'no/such/place'))
end


function TestObject:test_a_port_that_cannot_be_is_told()
  local object = keep(sock99.wrap(support.socket 'inet'))
  for _, port in ipairs { -1, 65536, 4294967376, 1.5, '70000' } do
    for _, method in ipairs { 'bind', 'connect' } do
      local ok, message, code = object[method](object, '127.0.0.1', port)
      lu.assertNil(ok)
      lu.assertStrContains(message, 'port')
      lu.assertStrContains(message, tostring(port))
      lu.assertEquals(errno[code], 'EINVAL')
    end
  end
  local ok, message = object:bind('127.0.0.1', 'no such service')
  lu.assertNil(ok)
  lu.assertStrContains(message, 'no such service')
end


-- O_NONBLOCK belongs to the open file: another library, or a child process, may have
-- cleared it.
function TestObject:test_a_limit_holds_where_somebody_clears_nonblocking()
  local server = support.listener()
  server:settimeout(0.05)
  for _ = 1, 2 do
    support.set_nonblocking(server:getfd(), false)
    local started = support.now()
    lu.assertEquals((select(2, server:accept())), 'timeout')
    lu.assertTrue(support.now() - started < 1)
  end
  local client = support.connection('127.0.0.1', { sndbuf = 8192 })
  client:settimeout(0.05)
  local file = io.tmpfile()
  file:write(('x'):rep(8 * 1024 * 1024))
  for _ = 1, 2 do
    support.set_nonblocking(client:getfd(), false)
    file:seek 'set'
    local started = support.now()
    lu.assertEquals((select(2, client:sendfile(file))), 'timeout')
    lu.assertTrue(support.now() - started < 1)
  end
  file:close()
end


function TestObject:test_a_method_called_in_the_wrong_way_says_what_it_got()
  local client, _, server = support.connection()
  local udp = keep(sock99.socket { server = true, datagram = true, host = '127.0.0.1' })
  for _, name in ipairs { 'send', 'receive', 'close', 'settimeout', 'getsockname' } do
    lu.assertErrorMsgContains('got string; call methods with a colon', client[name], 'x')
    lu.assertErrorMsgContains('got no value; call methods with a colon', client[name])
  end
  lu.assertErrorMsgContains('tcp{client} expected, got tcp{server}; accept() returns',
                            client.send, server, 'x')
  lu.assertErrorMsgContains('tcp{server} expected, got udp{unconnected}', server.accept, udp)
  lu.assertErrorMsgContains('udp{connected|unconnected} expected, got tcp{client}', udp.sendto,
                            client)
end


function TestObject:test_an_object_that_finds_itself_connected_is_a_client()
  local server = support.listener()
  local host, port = server:getsockname()
  for _, name in ipairs { host, 'localhost' } do
    local object = keep(sock99.socket { family = 'inet', connect = false })
    local other = keep(sock99.wrap(support.dup(object:getfd())))
    assert(other:connect(host, port))
    lu.assertEquals(errno[select(3, object:connect(name, port))], 'EISCONN')
    lu.assertEquals(object.class, 'tcp{client}')
    lu.assertEquals(object:send 'x', 1)
  end
end


function TestObject:test_a_descriptor_is_a_whole_number()
  local one = keep(sock99.pair())
  local fd = one:getfd()
  for _, call in ipairs { sock99.close, sock99.wrap } do
    lu.assertErrorMsgContains('descriptor: integer expected, got ', call, fd + 0.5)
  end
  lu.assertErrorMsgContains('descriptor: integer expected, got ', one.setfd, one, fd + 0.5)
  lu.assertEquals(one:getfd(), fd)
  lu.assertEquals(select(3, sock99.wrap(1e300)), errno.EBADF)
  lu.assertEquals(select(3, sock99.close(-1e300)), errno.EBADF)
end


function TestObject:test_no_number_is_no_time_to_sleep()
  lu.assertErrorMsgContains('not a number', sock99.sleep, 0 / 0)
  lu.assertErrorMsgContains('not a number', keep(sock99.pair()).settimeout, keep(sock99.pair()),
                            0 / 0)
end


function TestObject:test_listen_checks_its_backlog()
  local master = keep(sock99.wrap(support.socket 'inet'))
  for _, bad in ipairs { -1, 2 ^ 31 } do
    lu.assertErrorMsgContains('backlog', master.listen, master, bad)
  end
  lu.assertEquals(master:listen(0), 1)
end


function TestObject:test_shutdown_of_each_direction()
  local client, accepted = support.connection()
  lu.assertEquals(client:shutdown 'send', 1)
  lu.assertEquals({ accepted:receive '*a' }, { nil, 'closed', '' })
  lu.assertEquals({ client:send 'x' }, { nil, 'closed', 0, errno.EPIPE })
  accepted:send 'half open\n'
  lu.assertEquals(client:receive(), 'half open')
  lu.assertEquals(client:shutdown 'receive', 1)
  lu.assertEquals({ client:receive() }, { nil, 'closed', '' })
  lu.assertEquals(accepted:shutdown(), 1)
  lu.assertErrorMsgContains('invalid option', client.shutdown, client, 'nothing')
  local master = keep(sock99.wrap(support.socket 'inet'))
  assert_failure('ENOTCONN', nil, master:shutdown 'both')
end


-- accept

function TestObject:test_accept_waits_as_long_as_the_timeout_says()
  local server = support.listener()
  server:settimeout(0)
  assert_failure('ETIMEDOUT', 'timeout', server:accept())
  server:settimeout(0.05)
  local started = support.now()
  assert_failure('ETIMEDOUT', 'timeout', server:accept())
  lu.assertTrue(support.now() - started >= 0.05)
  local _, port = server:getsockname()
  server:settimeout(30)
  support.spawn(function()
    support.sleep(0.05)
    support.connect(support.socket 'inet', '127.0.0.1', port)
  end)
  lu.assertEquals(class_of(keep(server:accept())), 'tcp{client}')
end


function TestObject:test_accept_when_the_peer_has_gone()
  local server = support.listener()
  local _, port = server:getsockname()
  -- A reset, before anybody has accepted.
  local client = support.open { host = '127.0.0.1', port = port, sockopts = { linger = 0 } }
  support.close(client)
  server:settimeout(0.05)
  local accepted = server:accept()
  if accepted then
    lu.assertEquals({ keep(accepted):receive() }, { nil, 'closed', '', errno.ECONNRESET })
  end
  assert_failure('ETIMEDOUT', 'timeout', server:accept())
end


-- Another process takes the connection between poll and accept.
function TestObject:test_accept_does_not_hang_on_a_wrapped_listener_that_others_serve()
  local fd, port = support.server {}
  local server = keep(sock99.wrap(fd))
  lu.assertFalse(support.nonblocking(fd))
  server:settimeout(0)
  assert_failure('ETIMEDOUT', 'timeout', server:accept())
  lu.assertTrue(support.nonblocking(fd))
  keep(sock99.socket { host = '127.0.0.1', port = port })
  lu.assertEquals(class_of(keep(server:accept())), 'tcp{client}')
end


function TestObject:test_accept_without_a_timeout_on_a_wrapped_listener()
  local fd, port = support.server {}
  local server = keep(sock99.wrap(fd))
  support.spawn(function()
    support.sleep(0.05)
    support.connect(support.socket 'inet', '127.0.0.1', port)
  end)
  lu.assertEquals(class_of(keep(server:accept())), 'tcp{client}')
  lu.assertFalse(support.nonblocking(fd))
end


function TestObject:test_a_full_table_in_accept_is_an_error_to_go_on_from()
  lu.skipIf(support.runner, 'the RUNNER has descriptors of its own')
  support.in_child(function()
    local server = support.listener()
    server:settimeout(10)
    local _, port = server:getsockname()
    local clients = {}
    for i = 1, 2 do
      clients[i] = keep(sock99.socket { host = '127.0.0.1', port = port })
    end
    local last = clients[2]:getfd()
    assert(support.limit_descriptors(last + 1))
    for _ = 1, 3 do
      assert_failure('EMFILE', 'Too many open files', server:accept())
    end
    assert(support.limit_descriptors(last + 10))
    lu.assertEquals({ server:accept():getpeername() }, { clients[1]:getsockname() })
    lu.assertEquals({ server:accept():getpeername() }, { clients[2]:getsockname() })
    assert_failure('EMFILE', nil, (function()
      assert(support.limit_descriptors(last + 1))
      local a, message, code = sock99.pair()
      return a, message, code
    end)())
  end)
end


-- Memory

-- The objects of `list`, connected in pairs, each with something received.
local function fill(list)
  for i = 1, #list, 2 do
    list[i], list[i + 1] = assert(sock99.pair())
    list[i]:send 'a line\n'
    list[i + 1]:receive()
  end
end


function TestObject:test_an_idle_connected_object_costs_less_than_200_bytes()
  support.in_child(function()
    local list = {}
    for i = 1, 1000 do
      list[i] = false
    end
    support.limit_descriptors(1100)
    collectgarbage()
    collectgarbage()
    local before = collectgarbage 'count'
    fill(list)
    collectgarbage()
    collectgarbage()
    local each = (collectgarbage 'count' - before) * 1024 / 1000
    lu.assertTrue(each < 200, each .. ' bytes')
  end)
end


-- A connection that is neither made nor refused: the backlog is full.
local function stuck_connect()
  local port = support.port_of(support.open { host = '127.0.0.1', server = true, backlog = 1 })
  for _ = 1, 20 do
    local client = keep(assert(sock99.socket { family = 'inet', connect = false }))
    client:settimeout(0)
    local _, message = client:connect('127.0.0.1', port)
    if message == 'timeout' and not client:getpeername() then
      return client, port
    end
  end
  return lu.skip 'a full backlog takes connections here'
end


function TestObject:test_a_name_that_is_not_there_is_told_by_the_stage()
  local stream = keep(assert(sock99.socket { family = 'inet', connect = false }))
  local datagram = keep(assert(sock99.socket { datagram = true }))
  for _, results in ipairs {
    { stream:bind('no-such-host.invalid', 0) },
    { stream:connect('no-such-host.invalid', 1) },
    { datagram:sendto('x', 'no-such-host.invalid', 1) },
    { datagram:setpeername('no-such-host.invalid', 1) },
    { datagram:setsockname('no-such-host.invalid', 1) },
  } do
    lu.assertEquals(results[4], 'getaddrinfo')
    lu.assertStrContains(sock99.errno[results[3]], 'EAI_')
    lu.assertStrContains(results[2], 'getaddrinfo no-such-host.invalid')
  end
end


function TestObject:test_a_connect_under_way_goes_on_to_where_it_began_and_nowhere_else()
  local client, port = stuck_connect()
  for _, other in ipairs { { '127.0.0.2', port }, { '127.0.0.1', port + 1 },
    { '127.0.0.1', 'discard' } } do
    lu.assertEquals({ client:connect(other[1], other[2]) },
      { nil, ('connect %s:%s: Operation already in progress'):format(other[1], other[2]),
        sock99.errno.EALREADY, 'connect' })
  end
  for _, same in ipairs { port, tostring(port) } do
    lu.assertEquals({ client:connect('127.0.0.1', same) },
      { nil, 'timeout', sock99.errno.ETIMEDOUT, 'timeout' })
  end
end


support.run()
