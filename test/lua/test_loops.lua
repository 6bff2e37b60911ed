-- Objects and openings in the loops of others: cqueues, luv, and luaposix's
-- poll; and descriptors that are detached from an object and live on there.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

-- What no loop may need: a test that waits longer has failed.
local PATIENCE = 10

-- luv's loop has descriptors of its own, which are to outlive the tests.
pcall(require, 'luv')

-- Those that a failed test did not close. One that outlived its test would
-- close the next one's descriptors, once tearDown has closed its own.
local objects = setmetatable({}, { __mode = 'k' })

local function suite()
  local made = support.suite()
  local close_descriptors = made.tearDown
  function made.tearDown()
    for object in pairs(objects) do
      object:close()
    end
    collectgarbage()
    collectgarbage()
    close_descriptors()
  end
  return made
end

TestCqueues = suite()
TestLuv = suite()
TestPosix = suite()


local function made(object, problem)
  lu.assertNotNil(object, problem)
  objects[object] = true
  return object
end


local function need(name)
  local found, module = pcall(require, name)
  lu.skipIf(not found, name .. ' is not installed for this Lua')
  return module
end


-- A listener that is an object, and its port.
local function listener()
  local server = made(sock99.socket {
    server = true, host = '127.0.0.1', nonblocking = true })
  local _, port = server:getsockname()
  return server, port
end


local function client_of(port)
  return made(sock99.socket { host = '127.0.0.1', port = port, nonblocking = true })
end


-- Two connected objects, over TCP; neither waits.
local function tcp_pair()
  local server, port = listener()
  local client = client_of(port)
  lu.assertTrue(support.readable(server:getfd(), PATIENCE))
  local accepted = made(server:accept())
  accepted:settimeout(0)
  server:close()
  return client, accepted
end


-- cqueues


-- Runs the functions side by side; what goes wrong in one goes wrong here.
local function side_by_side(functions)
  local cqueues = need 'cqueues'
  local loop, left = cqueues.new(), 0
  for _, f in ipairs(functions) do
    left = left + 1
    loop:wrap(function()
      f(cqueues)
      left = left - 1
    end)
  end
  local deadline = support.now() + PATIENCE
  while left > 0 do
    local ok, problem = loop:step(deadline - support.now())
    if not ok then
      error(problem, 0)
    end
    lu.assertTrue(support.now() < deadline, 'some wait for ever')
  end
end


-- Repeats a call that does not wait, until it says something else than "timeout".
local function patiently(cqueues, object, call, ...)
  while true do
    local result, problem, partial = object[call](object, ...)
    if result or problem ~= 'timeout' then
      return result, problem, partial
    end
    cqueues.poll(object)
  end
end


-- cqueues keeps what it knows of a descriptor: it is to forget it before others
-- get the number.
local function close(cqueues, object)
  cqueues.cancel(object)
  object:close()
end


function TestCqueues:test_an_echo_server_and_its_clients()
  local server, port = listener()
  local functions, answers = {}, 0
  local clients = 20

  local function serve(accepted)
    return function(cqueues)
      local line = patiently(cqueues, accepted, 'receive')
      assert(accepted:send('echo of ' .. line .. '\n'))
      close(cqueues, accepted)
    end
  end

  functions[1] = function(cqueues)
    local loop = cqueues.running()
    for _ = 1, clients do
      local accepted = made(patiently(cqueues, server, 'accept'))
      accepted:settimeout(0)
      loop:wrap(serve(accepted), cqueues)
    end
    close(cqueues, server)
  end
  for i = 1, clients do
    functions[#functions + 1] = function(cqueues)
      local client = client_of(port)
      assert(client:send('line ' .. i .. '\n'))
      lu.assertEquals(patiently(cqueues, client, 'receive'), 'echo of line ' .. i)
      lu.assertEquals({ patiently(cqueues, client, 'receive') }, { nil, 'closed', '' })
      answers = answers + 1
      close(cqueues, client)
    end
  end
  need 'cqueues'
  side_by_side(functions)
  lu.assertEquals(answers, clients)
end


-- A send that has to wait is polled for writing.
function TestCqueues:test_more_than_the_buffers_hold()
  need 'cqueues'
  local client, accepted = tcp_pair()
  local data = ('0123456789abcdef'):rep(65536 * 4)
  local waits = 0
  -- Else the system may let them grow until they hold all of it.
  lu.assertEquals({ client:setoption('sndbuf', 65536), accepted:setoption('rcvbuf', 65536) },
                  { 1, 1 })
  side_by_side {
    function(cqueues)
      local sent = 0
      while sent < #data do
        local last, problem, partial = client:send(data, sent + 1)
        sent = last or partial
        if not last then
          lu.assertEquals(problem, 'timeout')
          lu.assertEquals(client:events(), 'w')
          waits = waits + 1
          cqueues.poll(client)
        end
      end
      close(cqueues, client)
    end,
    function(cqueues)
      local pieces = {}
      while true do
        local piece, problem, partial = accepted:receive(65536)
        pieces[#pieces + 1] = piece or partial
        if problem == 'closed' then
          break
        elseif problem then
          lu.assertEquals(problem, 'timeout')
          lu.assertEquals(accepted:events(), 'r')
          cqueues.poll(accepted)
        end
      end
      lu.assertTrue(table.concat(pieces) == data)
      close(cqueues, accepted)
    end,
  }
  lu.assertTrue(waits > 0)
end


-- What was read ahead does not show on the descriptor.
function TestCqueues:test_what_was_read_ahead_is_ready()
  need 'cqueues'
  local client, accepted = tcp_pair()
  assert(client:send 'one\ntwo\n')
  side_by_side { function(cqueues)
    lu.assertEquals(patiently(cqueues, accepted, 'receive'), 'one')
    lu.assertTrue(accepted:dirty())
    local before = support.now()
    cqueues.poll(accepted)
    lu.assertTrue(support.now() - before < PATIENCE / 2)
    lu.assertEquals(accepted:receive(), 'two')
    lu.assertFalse(accepted:dirty())
    close(cqueues, accepted)
    close(cqueues, client)
  end }
end


-- With a timeout, poll returns nothing of what is not ready; it does not spin.
function TestCqueues:test_a_poll_that_ends_in_vain()
  need 'cqueues'
  local client, accepted = tcp_pair()
  client:settimeout(0.001)
  side_by_side { function(cqueues)
    lu.assertEquals({ client:receive() }, { nil, 'timeout', '', sock99.errno.ETIMEDOUT })
    local before = support.now()
    cqueues.poll(client, 0.1)
    lu.assertTrue(support.now() - before > 0.09)
    close(cqueues, client)
    close(cqueues, accepted)
  end }
end


function TestCqueues:test_openings()
  need 'cqueues'
  local server, port = listener()
  local functions, opened = {}, 0
  for i = 1, 10 do
    functions[i] = function(cqueues)
      local opening = assert(sock99.start {
        host = i % 2 == 0 and 'localhost' or '127.0.0.1', port = port, timeout = PATIENCE })
      local object, problem = opening:step()
      while object == false do
        cqueues.poll(opening)
        object, problem = opening:step()
      end
      cqueues.cancel(opening)
      opening:cancel()
      made(object, problem)
      opened = opened + 1
      close(cqueues, object)
    end
  end
  side_by_side(functions)
  lu.assertEquals(opened, 10)
  server:close()
end


-- Both kinds of objects, also one that is closed as soon as it is connected.
function TestCqueues:test_connecting_to_a_name()
  need 'cqueues'
  local core = require 'sock99.luasocket'
  local server, port = listener()
  local makers = {
    function() return sock99.socket { family = 'inet', connect = false } end, core.tcp, core.tcp4,
  }
  local functions, connected = {}, 0
  for i = 1, 30 do
    functions[i] = function(cqueues)
      local client = made(makers[i % 3 + 1]())
      client:settimeout(0)
      local ok, message = client:connect('localhost', port)
      while message == 'timeout' or message == 'Operation already in progress' do
        cqueues.poll(client)
        ok, message = client:connect('localhost', port)
      end
      lu.assertEquals(ok, 1, message)
      connected = connected + 1
      if i % 2 == 0 then
        lu.assertEquals(client:send 'x', 1)
        lu.assertEquals({ client:receive() }, { nil, 'timeout', '', i % 3 == 0 and
          sock99.errno.ETIMEDOUT or nil })
        cqueues.poll(client, 0.01)
        cqueues.poll(client, 0.01)
      end
      close(cqueues, client)
    end
  end
  side_by_side(functions)
  lu.assertEquals(connected, 30)
  server:close()
end


function TestCqueues:test_a_name_that_is_refused()
  need 'cqueues'
  local port = support.closed_port()
  side_by_side { function(cqueues)
    local client = made(sock99.socket { family = 'inet', connect = false })
    client:settimeout(0)
    local ok, message, code = client:connect('localhost', port)
    while message == 'timeout' do
      cqueues.poll(client)
      ok, message, code = client:connect('localhost', port)
    end
    lu.assertNil(ok)
    lu.assertEquals(code, sock99.errno.ECONNREFUSED)
    close(cqueues, client)
  end }
end


function TestCqueues:test_datagrams()
  need 'cqueues'
  local receiver = made(sock99.socket { host = '127.0.0.1', port = 0, server = true,
    datagram = true, nonblocking = true })
  local _, port = receiver:getsockname()
  local sender = made(sock99.socket { host = '127.0.0.1', port = port, datagram = true,
    nonblocking = true })
  side_by_side {
    function(cqueues)
      local data, ip, from = patiently(cqueues, receiver, 'receivefrom')
      lu.assertEquals({ data, ip }, { 'question', '127.0.0.1' })
      assert(receiver:sendto('answer', ip, from))
      close(cqueues, receiver)
    end,
    function(cqueues)
      assert(sender:send 'question')
      lu.assertEquals(patiently(cqueues, sender, 'receive'), 'answer')
      close(cqueues, sender)
    end,
  }
end


-- What was read ahead comes with the descriptor.
function TestCqueues:test_detached()
  local socket = need 'cqueues.socket'
  local client, accepted = tcp_pair()
  assert(client:send 'one\ntwo\n')
  lu.assertTrue(support.readable(accepted:getfd(), PATIENCE))
  lu.assertEquals(accepted:receive(), 'one')
  local fd, unread = accepted:detach()
  lu.assertEquals(unread, 'two\n')
  lu.assertEquals(accepted:getfd(), -1)
  local theirs = assert(socket.fdopen(fd))
  side_by_side {
    function()
      theirs:setmode('b', 'b')
      lu.assertEquals(theirs:read '*l', 'three')
      assert(theirs:write 'four\n')
      assert(theirs:flush())
    end,
    function(cqueues)
      assert(client:send 'three\n')
      lu.assertEquals(patiently(cqueues, client, 'receive'), 'four')
      close(cqueues, client)
    end,
  }
  theirs:close()
  lu.assertFalse(support.descriptors()[fd] or false)
end


-- luv


-- Runs the loop until `done` says so.
local function loop_until(uv, done)
  local late = false
  local timer = uv.new_timer()
  timer:start(PATIENCE * 1000, 0, function()
    late = true
  end)
  while not done() and not late do
    uv.run 'once'
  end
  timer:close()
  uv.run 'nowait'
  lu.assertFalse(late, 'some wait for ever')
end


local function stop(uv, handle)
  local closed = false
  handle:close(function()
    closed = true
  end)
  loop_until(uv, function()
    return closed
  end)
end


function TestLuv:test_polled_for_reading()
  local uv = need 'luv'
  local client, accepted = tcp_pair()
  local poll = assert(uv.new_poll(accepted:pollfd()))
  local lines, problem = {}, nil
  poll:start('r', function(failed)
    lu.assertNil(failed)
    local line
    repeat
      line, problem = accepted:receive()
      lines[#lines + 1] = line
    until not line
  end)
  assert(client:send 'one\ntwo\nthree\n')
  client:close()
  loop_until(uv, function()
    return problem == 'closed'
  end)
  lu.assertEquals(lines, { 'one', 'two', 'three' })
  poll:stop()
  stop(uv, poll)
  accepted:close()
end


function TestLuv:test_polled_for_writing()
  local uv = need 'luv'
  local client, accepted = tcp_pair()
  local data = ('x'):rep(8 * 1048576)
  local _, problem, sent = client:send(data)
  lu.assertEquals(problem, 'timeout')
  lu.assertEquals(client:events(), 'w')
  local poll = assert(uv.new_poll(client:pollfd()))
  poll:start('w', function()
    local last, why, partial = client:send(data, sent + 1)
    sent = last or partial
    lu.assertTrue(last ~= nil or why == 'timeout', why)
  end)
  local received = 0
  local reading = assert(uv.new_poll(accepted:pollfd()))
  reading:start('r', function()
    local piece, _, partial = accepted:receive(1048576)
    received = received + #(piece or partial)
  end)
  loop_until(uv, function()
    return received == #data
  end)
  lu.assertEquals(sent, #data)
  stop(uv, poll)
  stop(uv, reading)
  client:close()
  accepted:close()
end


-- luv sets O_NONBLOCK on the descriptor, behind the object's back.
function TestLuv:test_an_object_that_waits_still_does()
  local uv = need 'luv'
  local client, accepted = tcp_pair()
  accepted:settimeout(nil)
  local poll = assert(uv.new_poll(accepted:pollfd()))
  stop(uv, poll)
  lu.assertTrue(support.nonblocking(accepted:getfd()))
  support.spawn(function()
    support.sleep(0.1)
    client:send 'late\n'
  end)
  lu.assertEquals(accepted:receive(), 'late')
  client:close()
  accepted:close()
end


-- A loop that takes the descriptor around connect gets one that stays.
function TestLuv:test_connecting_to_a_name()
  local uv = need 'luv'
  local core = require 'sock99.luasocket'
  local server, port = listener()
  for _, make in ipairs { core.tcp, core.tcp4, function()
    return sock99.socket { family = 'inet', connect = false }
  end } do
    local client = made(make())
    client:settimeout(0)
    client:connect('localhost', port)
    local fd = client:getfd()
    lu.assertTrue(fd >= 0)
    local poll, writable = assert(uv.new_poll(fd)), false
    poll:start('w', function(failed)
      lu.assertNil(failed)
      writable = true
    end)
    loop_until(uv, function()
      return writable
    end)
    lu.assertEquals(client:send 'hello\n', 6)
    lu.assertEquals(client:getfd(), fd)
    stop(uv, poll)
    client:close()
  end
  server:close()
end


function TestLuv:test_openings()
  local uv = need 'luv'
  local server, port = listener()
  local opening = assert(sock99.start { host = 'localhost', port = port, timeout = PATIENCE })
  local poll = assert(uv.new_poll(opening:pollfd()))
  local object, problem = false, nil
  poll:start(opening:events(), function()
    if object == false then
      object, problem = opening:step()
    end
  end)
  loop_until(uv, function()
    return object ~= false
  end)
  stop(uv, poll)
  opening:cancel()
  made(object, problem):close()
  server:close()
end


local function assert_detached_talks(uv, handle, fd, peer)
  assert(handle:open(fd))
  local got = ''
  handle:read_start(function(failed, data)
    lu.assertNil(failed)
    got = got .. (data or '')
  end)
  handle:write 'from luv\n'
  peer:settimeout(PATIENCE)
  assert(peer:send 'from us\n')
  loop_until(uv, function()
    return got == 'from us\n'
  end)
  lu.assertEquals(peer:receive(), 'from luv')
  stop(uv, handle)
  lu.assertEquals({ peer:receive() }, { nil, 'closed', '' })
  peer:close()
end


function TestLuv:test_detached_tcp()
  local uv = need 'luv'
  local client, accepted = tcp_pair()
  local fd, unread = accepted:detach()
  lu.assertNil(unread)
  assert_detached_talks(uv, uv.new_tcp(), fd, client)
end


function TestLuv:test_detached_unix()
  local uv = need 'luv'
  local a, b = sock99.pair()
  made(a)
  made(b)
  assert_detached_talks(uv, uv.new_pipe(false), (a:detach()), b)
end


-- luaposix


function TestPosix:test_poll()
  local poll = need 'posix.poll'
  local client, accepted = tcp_pair()
  lu.assertEquals(poll.rpoll(accepted:getfd(), 0), 0)
  assert(client:send 'hello')
  lu.assertEquals(poll.rpoll(accepted:getfd(), PATIENCE * 1000), 1)
  local polled = { [accepted:getfd()] = { events = { IN = true } },
    [client:getfd()] = { events = { IN = true, OUT = true } } }
  lu.assertEquals(poll.poll(polled, PATIENCE * 1000), 2)
  lu.assertTrue(polled[accepted:getfd()].revents.IN)
  lu.assertTrue(polled[client:getfd()].revents.OUT)
  lu.assertFalse(polled[client:getfd()].revents.IN)
  lu.assertEquals(accepted:receive(5), 'hello')
  client:close()
  accepted:close()
end


function TestPosix:test_the_descriptor_of_an_object()
  local socket, unistd = need 'posix.sys.socket', need 'posix.unistd'
  local client, accepted = tcp_pair()
  lu.assertEquals(socket.send(client:getfd(), 'from luaposix\n'), 14)
  accepted:settimeout(PATIENCE)
  lu.assertEquals(accepted:receive(), 'from luaposix')
  assert(accepted:send 'from us\n')
  lu.assertTrue(support.readable(client:getfd(), PATIENCE))
  lu.assertEquals(unistd.read(client:getfd(), 100), 'from us\n')
  client:close()
  accepted:close()
end


function TestPosix:test_detached()
  local unistd, fcntl = need 'posix.unistd', need 'posix.fcntl'
  local client, accepted = tcp_pair()
  local fd = accepted:detach()
  lu.assertNotNil(fcntl.fcntl(fd, fcntl.F_GETFD))
  accepted:close()
  lu.assertEquals(unistd.write(fd, 'still here\n'), 11)
  client:settimeout(PATIENCE)
  lu.assertEquals(client:receive(), 'still here')
  lu.assertEquals(unistd.close(fd), 0)
  lu.assertEquals({ client:receive() }, { nil, 'closed', '' })
  client:close()
end


function TestPosix:test_wrapped()
  local socket = need 'posix.sys.socket'
  local a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM, 0)
  local ours, theirs = made(sock99.wrap(a)), b
  ours:settimeout(PATIENCE)
  assert(ours:send 'hello\n')
  lu.assertEquals(socket.recv(theirs, 100), 'hello\n')
  lu.assertEquals(socket.send(theirs, 'and back\n'), 9)
  lu.assertEquals(ours:receive(), 'and back')
  ours:close()
  lu.assertEquals(socket.recv(theirs, 100), '')
  support.close(theirs)
end


support.run()
