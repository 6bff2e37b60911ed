-- Descriptors and credentials through Unix domain sockets: what is sent
-- arrives, and what is received is never lost and never leaks.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

local errno, keep = sock99.errno, support.keep
local unpack = table.unpack or unpack

TestSend = support.suite()
TestReceive = support.suite()
TestLimits = support.suite()
TestCredentials = support.suite()

local kinds = { {}, { datagram = true }, { seqpacket = true } }


local function pair(t)
  local a, b = keep(sock99.pair(t))
  a:settimeout(5)
  b:settimeout(5)
  return a, b
end


local function results(...)
  return { n = select('#', ...), ... }
end


local function assert_results(actual, ...)
  lu.assertEquals(actual, results(...))
end


-- A pipe's reader that gives `text` once, and whose writer is closed.
local function reader_of(text)
  local reader, writer = assert(support.pipe())
  support.write(writer, text)
  support.close(writer)
  return reader
end


-- Each of these descriptors gives its text; they are closed.
local function assert_texts(fds, ...)
  local texts = {}
  for i, fd in ipairs(fds) do
    texts[i] = support.read(fd)
    support.close(fd)
  end
  lu.assertEquals(texts, { ... })
end


-- Sends descriptors that give these texts, and keeps none.
local function send_texts(socket, data, ...)
  local fds = {}
  for i, text in ipairs { ... } do
    fds[i] = reader_of(text)
  end
  lu.assertEquals(support.send_fds(socket:getfd(), data, fds), #data)
  for _, fd in ipairs(fds) do
    support.close(fd)
  end
end


function TestSend:test_a_plain_peer_gets_data_and_descriptors()
  for _, kind in ipairs(kinds) do
    local a, b = pair(kind)
    local reader = reader_of 'text'
    lu.assertEquals(a:sendfds('data', reader), 4)
    lu.assertEquals(support.read(reader), 'text')
    support.close(reader)
    reader = reader_of 'more'
    lu.assertEquals(a:sendfds('x', reader, reader), 1)
    local data, fds = support.recv_fds(b:getfd())
    lu.assertEquals({ data, #fds }, { 'data', 1 })
    assert_texts(fds, '')
    data, fds = support.recv_fds(b:getfd())
    lu.assertEquals({ data, #fds }, { 'x', 2 })
    assert_texts(fds, 'more', '')
  end
end


function TestSend:test_objects_and_files_are_descriptors_too()
  local a, b = pair()
  local c, d = pair()
  local path = support.path 'file'
  local file = assert(io.open(path, 'w'))
  file:write 'of a file'
  file:close()
  file = assert(io.open(path))
  local reader = reader_of 'of getfd'
  local object = { getfd = function() return reader end }
  lu.assertEquals(a:sendfds('x', c, file, object), 1)
  file:close()
  local _, fds = b:receivefds()
  lu.assertEquals(#fds, 3)
  d:send 'of a socket'
  lu.assertEquals((support.recv(fds[1])), 'of a socket')
  support.close(table.remove(fds, 1))
  assert_texts(fds, 'of a file', 'of getfd')
end


function TestSend:test_what_is_no_descriptor_is_refused()
  local a, b = pair()
  local function raises(text, ...)
    lu.assertErrorMsgContains(text, a.sendfds, a, ...)
  end
  raises('at least 1 byte expected', '', 0)
  raises('descriptor', 'x')
  raises('descriptor', 'x', 'zero')
  raises('descriptor', 'x', nil)
  raises('getfd', 'x', {})
  raises('string expected', nil, 0)
  local file = io.tmpfile()
  file:close()
  local closed = pair()
  closed:close()
  local function object(fd)
    return { getfd = function() return fd end }
  end
  for _, bad in ipairs { -1, 1000000, file, closed, object 'x', object(2 ^ 40), object(-5) } do
    assert_results(results(a:sendfds('x', bad)), nil, 'Bad file descriptor', 0, errno.EBADF)
  end
  b:settimeout(0)
  lu.assertEquals(select(2, b:receive(1)), 'timeout')
end


function TestSend:test_the_limit_is_named()
  local a, b = pair()
  local many = {}
  for i = 1, 254 do
    many[i] = 0
  end
  lu.assertErrorMsgContains('more than 253 descriptors', a.sendfds, a, 'x', unpack(many))
  many[254] = nil
  support.assert_no_fd_leak(function()
    lu.assertEquals(a:sendfds('x', unpack(many)), 1)
    local data, fds, said = b:receivefds()
    lu.assertEquals({ data, #fds, said }, { 'x', 253 })
    for _, fd in ipairs(fds) do
      support.close(fd)
    end
  end)
end


function TestSend:test_a_stream_takes_the_rest_later()
  local a, b = pair()
  local data = ('0123456789'):rep(100000)
  local reader = reader_of 'once'
  a:settimeout(0)
  local ok, message, sent, code = a:sendfds(data, reader)
  support.close(reader)
  lu.assertNil(ok)
  lu.assertEquals({ message, code }, { 'timeout', errno.ETIMEDOUT })
  lu.assertTrue(sent > 0 and sent < #data)
  lu.assertEquals(a:events(), 'w')
  support.spawn(function()
    a:settimeout(5)
    a:send(data, sent + 1)
    a:close()
  end)
  a:close()
  local got = b:receive(#data)
  lu.assertTrue(got == data, 'the bytes differ')
  local rest, fds = b:receivefds()
  lu.assertEquals({ rest, #fds }, { '', 1 })
  assert_texts(fds, 'once')
  assert_results(results(b:receive '*a'), nil, 'closed', '', nil)
end


function TestSend:test_what_there_is_room_for_goes_though_the_time_is_over()
  for _, seconds in ipairs { 0, 1e-9 } do
    local a, b = pair()
    a:settimeout(seconds, 't')
    local ok, message, sent = a:sendfds(('x'):rep(8000000), reader_of 'once')
    lu.assertEquals({ ok, message, a:events() }, { nil, 'timeout', 'w' })
    lu.assertTrue(sent > 0)
    assert_texts(select(2, b:receivefds()), 'once')
  end
end


function TestSend:test_a_full_stream_is_waited_for()
  local a, b = pair()
  local data = ('x'):rep(1000000)
  support.spawn(function()
    b:receive(#data)
  end)
  support.alarms(0.02)
  lu.assertEquals(a:sendfds(data, 0), #data)
  support.alarms(0)
end


function TestSend:test_a_peer_that_has_gone_is_told()
  local a, b = pair()
  b:close()
  assert_results(results(a:sendfds('x', 0)), nil, 'closed', 0, errno.EPIPE)
  a:close()
  assert_results(results(a:sendfds('x', 0)), nil, 'closed', 0, nil)
end


function TestSend:test_bytes_are_counted()
  local a, b = pair()
  a:sendfds('four', 0)
  lu.assertEquals((b:receivefds()), 'four')
  lu.assertEquals(select(2, a:getstats()), 4)
  lu.assertEquals((b:getstats()), 4)
end


-- Receiving

function TestReceive:test_descriptors_come_with_their_message()
  for _, kind in ipairs(kinds) do
    local a, b = pair(kind)
    send_texts(a, 'first', '1', '2')
    send_texts(a, 'second', '3')
    local data, fds, said = b:receivefds()
    lu.assertEquals({ data, #fds, said }, { 'first', 2 })
    lu.assertTrue(support.cloexec(fds[1]) and support.cloexec(fds[2]))
    if math.type then
      lu.assertEquals(math.type(fds[1]), 'integer')
    end
    assert_texts(fds, '1', '2')
    data, fds = b:receivefds()
    lu.assertEquals({ data, #fds }, { 'second', 1 })
    assert_texts(fds, '3')
    a:send 'none'
    lu.assertEquals({ b:receivefds() }, { 'none', {} })
  end
end


function TestReceive:test_more_than_are_asked_for_stay()
  for _, kind in ipairs(kinds) do
    local a, b = pair(kind)
    send_texts(a, 'data', '1', '2', '3')
    local data, fds = b:receivefds(1)
    lu.assertEquals({ data, #fds }, { 'data', 1 })
    assert_texts(fds, '1')
    b:settimeout(0)
    data, fds = b:receivefds(5)
    lu.assertEquals({ data, #fds }, { '', 2 })
    assert_texts(fds, '2', '3')
    lu.assertEquals(select(2, b:receivefds()), 'timeout')
    lu.assertErrorMsgContains('max -1 is less than 0', b.receivefds, b, -1)
  end
end


function TestReceive:test_none_may_be_asked_for()
  for _, kind in ipairs(kinds) do
    local a, b = pair(kind)
    send_texts(a, 'data', '1')
    lu.assertEquals({ b:receivefds(0) }, { 'data', {} })
    local data, fds = b:receivefds()
    lu.assertEquals({ data, #fds }, { '', 1 })
    assert_texts(fds, '1')
  end
end


-- What one message may carry.
local MOST = 253

local function null_descriptors(count)
  local file = assert(io.open '/dev/null')
  local list = {}
  for i = 1, count do
    list[i] = file
  end
  return list, file
end


-- Reads what there is in every way that asks for no descriptors.
local readers = {
  receive = function(b) return b:receive(4) end,
  receiveany = function(b) return b:receiveany() end,
  lines = function(b) return b:lines()() end,
  receivefrom = function(b) return b:receivefrom() end,
  receivemany = function(b) return b:receivemany() end,
}


function TestReceive:test_unclaimed_descriptors_do_not_pile_up()
  local null, file = null_descriptors(200)
  for _, kind in ipairs(kinds) do
    for name, read in pairs(readers) do
      local a, b = pair(kind)
      if b[name] then
        local before = support.count(support.descriptors())
        for _ = 1, 4 do
          assert(a:sendfds('abc\n', unpack(null)))
          lu.assertNotNil(read(b), name)
        end
        local kept = support.count(support.descriptors()) - before
        lu.assertTrue(kept <= MOST, ('%s: %d descriptors'):format(name, kept))
        local _, fds, truncated = b:receivefds()
        lu.assertEquals({ #fds, truncated }, { MOST, 'truncated' }, name)
        for _, fd in ipairs(fds) do
          support.close(fd)
        end
        lu.assertEquals(support.count(support.descriptors()), before, name)
      end
    end
  end
  file:close()
end


function TestReceive:test_what_receive_took_along_is_there_afterwards()
  for _, kind in ipairs(kinds) do
    local a, b = pair(kind)
    send_texts(a, 'head', '1')
    send_texts(a, 'tail', '2')
    lu.assertEquals(b:receive(4), 'head')
    lu.assertEquals((b:receive(2)), 'ta')
    local is_stream = not kind.datagram and not kind.seqpacket
    lu.assertEquals(b:dirty(), is_stream)
    b:settimeout(0)
    local data, fds = b:receivefds()
    lu.assertEquals({ data, #fds }, { is_stream and 'il' or '', 2 })
    assert_texts(fds, '1', '2')
    lu.assertFalse(b:dirty())
    lu.assertEquals(select(2, b:receivefds()), 'timeout')
  end
end


function TestReceive:test_what_was_read_ahead_comes_without_descriptors()
  local a, b = pair()
  a:send 'line\nrest'
  lu.assertEquals(b:receive(), 'line')
  lu.assertEquals({ b:receivefds() }, { 'rest', {} })
end


function TestReceive:test_a_datagram_that_max_cuts_keeps_its_descriptors()
  local a, b = pair { datagram = true }
  send_texts(a, 'abcdef', '1')
  assert_results(results(b:receivefrom(2)), 'ab', '', nil, 'truncated', 6)
  send_texts(a, 'many', '2')
  lu.assertEquals(b:receivemany(), { 'many' })
  local data, fds = b:receivefds()
  lu.assertEquals({ data, #fds }, { '', 2 })
  assert_texts(fds, '1', '2')
end


function TestReceive:test_a_large_message_is_whole()
  for _, kind in ipairs { { datagram = true }, { seqpacket = true } } do
    local a, b = pair(kind)
    local data = ('x'):rep(150000)
    lu.assertEquals(a:sendfds(data, 0), #data)
    local got, fds = b:receivefds()
    lu.assertTrue(got == data)
    lu.assertEquals(#fds, 1)
    support.close(fds[1])
  end
end


function TestReceive:test_nobody_claims_and_none_leaks()
  local ends = {
    close = function(b) b:close() end,
    setfd = function(b) support.close(b:getfd()) b:setfd(-1) end,
    detach = function(b) support.close((b:detach())) end,
  }
  for _, finish in pairs(ends) do
    for _, kind in ipairs(kinds) do
      support.assert_no_fd_leak(function()
        local a, b = assert(sock99.pair(kind))
        send_texts(a, 'x', '1', '2')
        lu.assertEquals(b:receive(1), 'x')
        a:close()
        finish(b)
      end)
    end
  end
  support.assert_no_fd_leak(function()
    do
      local a, b = assert(sock99.pair())
      send_texts(a, 'x', '1', '2')
      b:receive(1)
    end
    collectgarbage()
    collectgarbage()
  end)
end


function TestReceive:test_the_end_timeouts_and_closed_objects()
  for _, kind in ipairs { {}, { seqpacket = true } } do
    local a, b = pair(kind)
    b:settimeout(0)
    assert_results(results(b:receivefds()), nil, 'timeout', errno.ETIMEDOUT)
    send_texts(a, 'last', '1')
    a:close()
    local data, fds = b:receivefds()
    lu.assertEquals(data, 'last')
    assert_texts(fds, '1')
    assert_results(results(b:receivefds()), nil, 'closed', nil)
    b:close()
    assert_results(results(b:receivefds()), nil, 'closed', nil)
  end
  local _, b = pair { datagram = true }
  b:settimeout(0.05)
  assert_results(results(b:receivefds()), nil, 'timeout', errno.ETIMEDOUT)
end


function TestReceive:test_signals_interrupt_nothing()
  for _, kind in ipairs(kinds) do
    local a, b = pair(kind)
    b:settimeout(nil)
    support.spawn(function()
      support.sleep(0.2)
      send_texts(a, 'late', '1')
    end)
    support.alarms(0.02)
    local data, fds = b:receivefds()
    lu.assertTrue(support.alarms(0) >= 1)
    lu.assertEquals(data, 'late')
    assert_texts(fds, '1')
  end
end


function TestReceive:test_only_unix_sockets_have_this()
  local inet = keep(sock99.socket { datagram = true, family = 'inet', connect = false })
  local code = errno.EAFNOSUPPORT
  assert_results(results(inet:sendfds('x', 0)), nil, 'sendfds: not a Unix domain socket', 0, code)
  assert_results(results(inet:receivefds()), nil, 'receivefds: not a Unix domain socket', code)
  assert_results(results(inet:getpeercred()), nil, 'getpeercred: not a Unix domain socket', code)
end


function TestReceive:test_ancillary_data_of_other_kinds_is_no_descriptor()
  for _, option in ipairs { 'passcred', 'passpidfd', 'timestamp' } do
    local path = support.path(option)
    local server = sock99.socket {
      path = path, server = true, datagram = true, sockopts = { [option] = true },
    }
    if server then
      keep(server):settimeout(5)
      local client = keep(sock99.socket { path = path, datagram = true })
      support.assert_no_fd_leak(function()
        send_texts(client, 'both', '1')
        local data, fds, said = server:receivefds()
        lu.assertEquals({ data, #fds, said }, { 'both', 1 }, option)
        assert_texts(fds, '1')
        client:send 'plain'
        lu.assertEquals(server:receive(), 'plain')
      end)
    end
  end
end


-- Limits

-- So that the process can open just so many descriptors more. valgrind keeps
-- some for itself: its limit is not the kernel's.
local function leave_free(count)
  lu.skipIf((os.getenv 'RUNNER' or ''):find 'valgrind', 'the limit is not exact under valgrind')
  local highest, opened = 0, {}
  for fd in pairs(support.descriptors()) do
    highest = math.max(highest, fd)
  end
  assert(support.limit_descriptors(highest + 1 + count))
  repeat
    local fd = support.socket('unix', 'dgram')
    opened[#opened + 1] = fd
  until not fd
  for _ = 1, count do
    support.close(table.remove(opened))
  end
end


function TestLimits:test_a_full_table_of_descriptors_is_told()
  for _, kind in ipairs(kinds) do
    local a, b = pair(kind)
    send_texts(a, 'data', '1', '2', '3', '4')
    send_texts(a, 'next', '5')
    support.in_child(function()
      leave_free(2)
      support.assert_no_fd_leak(function()
        local data, fds, said = b:receivefds()
        lu.assertEquals({ data, #fds, said }, { 'data', 2, 'truncated' })
        assert_texts(fds, '1', '2')
        data, fds, said = b:receivefds()
        lu.assertEquals({ data, #fds, said }, { 'next', 1 })
        assert_texts(fds, '5')
      end)
    end)
  end
end


function TestLimits:test_what_a_receive_could_not_take_along_is_told_by_the_next_receivefds()
  for _, kind in ipairs(kinds) do
    local a, b = pair(kind)
    send_texts(a, 'data', '1', '2')
    support.in_child(function()
      leave_free(0)
      lu.assertEquals(b:receive(4), 'data')
      lu.assertEquals({ b:receivefds() }, { '', {}, 'truncated' })
      b:settimeout(0)
      lu.assertEquals(select(2, b:receivefds()), 'timeout')
    end)
  end
end


function TestLimits:test_running_out_of_memory_anywhere_loses_none()
  for _, kind in ipairs(kinds) do
    local a, b = pair(kind)
    local enough, n = false, 0
    support.assert_no_fd_leak(function()
      while not enough do
        send_texts(a, 'data', '1', '2', '3')
        local fds
        enough = support.starve(n, function()
          local _
          _, fds = b:receivefds()
        end)
        if not enough then
          fds = select(2, b:receivefds())
        end
        assert_texts(fds, '1', '2', '3')
        n = n + 1
      end
      b:settimeout(0)
      repeat
        local rest = b:receive(1)
      until not rest
    end)
    lu.assertTrue(n > 1)
  end
end


-- Credentials

function TestCredentials:test_who_made_a_pair()
  for _, kind in ipairs(kinds) do
    local a = pair(kind)
    local peer = a:getpeercred()
    lu.assertEquals(peer.uid, support.getuid())
    lu.assertEquals(peer.pid, support.getpid())
    lu.assertTrue(peer.gid >= 0)
  end
end


function TestCredentials:test_who_connected_and_who_listens()
  local path = support.path()
  local server = keep(sock99.socket { path = path, server = true })
  local own = support.getpid()
  support.in_child(function()
    local client = assert(sock99.socket { path = path })
    lu.assertEquals(client:getpeercred().pid, own)
    client:send(tostring(support.getpid()))
  end)
  local peer = keep(server:accept())
  lu.assertEquals(tostring(peer:getpeercred().pid), peer:receive '*a')
end


-- To a process in a PID namespace of its own, those outside have no number.
function TestCredentials:test_a_peer_of_another_pid_namespace_has_no_pid()
  local path, script = support.path(), support.path 'script'
  local file = assert(io.open(script, 'w'))
  file:write(([[
    local peer = assert(require 'sock99'.socket { path = %q }):getpeercred()
    print(peer.pid, peer.uid, peer.gid)
  ]]):format(path))
  file:close()
  keep(sock99.socket { path = path, server = true })
  local command = 'unshare --pid --fork %s 2>/dev/null'
  lu.skipIf(support.output_of(command:format 'echo made') ~= 'made', 'no PID namespaces here')
  local peer = keep(sock99.pair()):getpeercred()
  lu.assertEquals(support.output_of(command:format(support.interpret(script))),
                  ('-1\t%d\t%d'):format(peer.uid, peer.gid))
end


function TestCredentials:test_nobody_is_an_error()
  local server = keep(sock99.socket { path = support.path(), server = true, datagram = true })
  assert_results(results(server:getpeercred()), nil, 'Transport endpoint is not connected',
    errno.ENOTCONN)
  server:close()
  assert_results(results(server:getpeercred()), nil, 'closed', nil)
end


support.run()
