-- Sendfile: what arrives is the file, from where to where was asked for, and a
-- caller can always go on where it stopped.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

local errno, keep = sock99.errno, support.keep

TestContent = support.suite()
TestPositions = support.suite()
TestPartial = support.suite()
TestPipes = support.suite()
TestPeers = support.suite()
TestArguments = support.suite()

local opened = {}


local function opens(name, mode)
  local file = assert(io.open(name, mode or 'rb'))
  opened[#opened + 1] = file
  return file
end


-- Before the descriptors that are left over are closed behind their backs.
local function close_files()
  for _, file in ipairs(opened) do
    if io.type(file) == 'file' then
      file:close()
    end
  end
  opened = {}
end


for _, suite in ipairs { TestContent, TestPositions, TestPartial, TestPipes, TestPeers,
                         TestArguments } do
  local tearDown = suite.tearDown
  function suite.tearDown()
    close_files()
    tearDown()
  end
end


-- Bytes in which no piece is like another.
local all_content

local function content(size)
  if not all_content then
    local words = {}
    for i = 1, 3000000 / 8 do
      words[i] = ('%08x'):format(i * 2654435 % 2 ^ 32)
    end
    all_content = table.concat(words)
  end
  return all_content:sub(1, size)
end


local function make_file(text)
  local name = support.path 'file'
  local file = assert(io.open(name, 'wb'))
  assert(file:write(text))
  assert(file:close())
  return name
end


local function pair(t)
  local a, b = keep(sock99.pair(t))
  b:settimeout(10)
  return a, b
end


-- Two ends over TCP, with little room between them.
local function connection()
  local server = keep(sock99.socket { host = '127.0.0.1', server = true,
                                      sockopts = { rcvbuf = 65536 } })
  local host, port = server:getsockname()
  local client = keep(sock99.socket { host = host, port = port, sockopts = { sndbuf = 65536 } })
  server:settimeout(10)
  local peer = keep(server:accept())
  peer:settimeout(10)
  return client, peer
end


-- What the peer gets when `f` has sent, and what f returns.
local function arrives(f)
  local a, b = pair()
  local results = { f(a) }
  a:close()
  return b:receive '*a', results
end


local function assert_arrives(text, file, ...)
  local arguments = { n = select('#', ...), ... }
  local got, results = arrives(function(a)
    return a:sendfile(file, (table.unpack or unpack)(arguments, 1, arguments.n))
  end)
  lu.assertEquals(results, { #text })
  lu.assertEquals(got or '', text)
end


local function is_integer(value)
  return type(value) == 'number' and value % 1 == 0
    and (not math.type or math.type(value) == 'integer')
end


function TestContent:test_a_large_file_arrives_whole()
  local text = content(3000000)
  local name = make_file(text)
  for _, make in ipairs { pair, connection } do
    local a, b = make()
    support.spawn(function()
      b:close()
      a:sendfile(opens(name))
      a:close()
    end)
    a:close()
    lu.assertTrue(b:receive '*a' == text)
  end
end


function TestContent:test_results_are_counts()
  local a, b = pair()
  local sent = a:sendfile(opens(make_file 'some text'))
  lu.assertEquals(sent, 9)
  lu.assertTrue(is_integer(sent))
  lu.assertEquals(b:receive(9), 'some text')
  lu.assertEquals(select(2, a:getstats()), 9)
end


function TestContent:test_parts()
  local file = opens(make_file '0123456789')
  assert_arrives('0123456789', file, 0)
  assert_arrives('456789', file, 4)
  assert_arrives('45', file, 4, 2)
  assert_arrives('9', file, 9, 1)
  assert_arrives('', file, 4, 0)
  assert_arrives('012', file, 0, 3)
  assert_arrives('012', file, nil, 3)
end


function TestContent:test_the_end_of_the_file_comes_first()
  local file = opens(make_file '0123456789')
  assert_arrives('789', file, 7, 100)
  assert_arrives('', file, 10, 100)
  assert_arrives('', file, 1000)
  assert_arrives('', opens(make_file ''))
end


function TestContent:test_beyond_4_gib()
  local file = opens(support.path 'file', 'w+b')
  lu.skipIf(not file:seek('set', 5 * 2 ^ 30) or not file:write 'far out' or not file:flush(),
            'no file of 5 GiB')
  assert_arrives('far out', file, 5 * 2 ^ 30)
  assert_arrives('out', file, 5 * 2 ^ 30 + 4)
  lu.assertEquals(file:seek('set', 5 * 2 ^ 30), 5 * 2 ^ 30)
  assert_arrives('far', file, nil, 3)
  lu.assertEquals(file:seek(), 5 * 2 ^ 30 + 3)
end


function TestContent:test_files_that_the_kernel_makes_up()
  local file = io.open '/proc/self/limits'
  lu.skipIf(not file, 'no /proc/self/limits')
  local text = file:read '*a'
  file:close()
  assert_arrives(text, opens '/proc/self/limits')
  assert_arrives(text:sub(11, 20), opens '/proc/self/limits', 10, 10)
  assert_arrives(('\0'):rep(100000), opens '/dev/zero', nil, 100000)
  assert_arrives(('\0'):rep(10), opens '/dev/zero', 7, 10)
  assert_arrives('', opens '/dev/null')
end


local function content_of(name)
  local file = assert(io.open(name, 'rb'))
  local text = file:read '*a'
  file:close()
  return text
end


function TestPositions:test_a_file_of_lua_goes_on_from_where_it_is()
  local file = opens(make_file '0123456789\nabcdef')
  lu.assertEquals(file:read(4), '0123')
  assert_arrives('456', file, nil, 3)
  lu.assertEquals(file:seek(), 7)
  lu.assertEquals(file:read '*l', '789')
  assert_arrives('abcdef', file)
  lu.assertEquals(file:seek(), 17)
  lu.assertNil(file:read(1))
  file:seek('set', 2)
  assert_arrives('23456789\nabcdef', file)
end


function TestPositions:test_an_offset_leaves_the_position_alone()
  local file = opens(make_file '0123456789')
  lu.assertEquals(file:read(4), '0123')
  assert_arrives('89', file, 8)
  assert_arrives('01', file, 0, 2)
  lu.assertEquals(file:seek(), 4)
  lu.assertEquals(file:read(3), '456')
end


function TestPositions:test_what_was_written_is_flushed_first()
  local file = opens(support.path 'file', 'w+b')
  file:write '0123456789'
  assert_arrives('0123456789', file, 0)
  file:write 'abc'
  assert_arrives('89abc', file, 8)
  file:seek('set', 11)
  file:write 'X'
  assert_arrives('c', file)
  assert_arrives('0123456789aXc', file, 0)
  file:seek 'end'
  file:write 'end'
  lu.assertEquals(file:seek(), 16)
  file = opens(support.path 'file', 'a+b')
  file:write '.'
  assert_arrives('end.', file, 13)
end


-- A descriptor of the text's own.
local function descriptor(text)
  local file = opens(make_file(text))
  local client, server = pair { datagram = true }
  -- Lua's files don't tell theirs, but send it.
  assert(client:sendfds('x', file))
  local _, fds = server:receivefds()
  return fds[1]
end


function TestPositions:test_what_cannot_be_flushed_is_told()
  local full = io.open('/dev/full', 'r+b')
  lu.skipIf(not full, 'there is no /dev/full')
  opened[#opened + 1] = full
  full:write 'x'
  lu.assertEquals({ pair():sendfile(full) }, { nil, 'No space left on device', 0, errno.ENOSPC })
end


function TestPositions:test_a_failed_flush_leaves_the_position_alone()
  local name = support.path 'limited'
  support.in_child(function()
    support.limit_file_size(100)
    local a = sock99.pair()
    local file = assert(io.open(name, 'w+b'))
    file:setvbuf('full', 4096)
    file:write(('0123456789'):rep(10))
    file:flush()
    file:write 'more'
    local sent, message, partial = a:sendfile(file)
    assert(sent == nil and partial == 0, message)
    assert(message:find 'too large', message)
    file:write 'OVERWRITES'
    file:close()
  end)
  lu.assertEquals(content_of(name):sub(1, 100), ('0123456789'):rep(10))
end


function TestPositions:test_a_descriptor_goes_on_from_where_it_is()
  local fd = descriptor '0123456789'
  assert_arrives('012', fd, nil, 3)
  lu.assertEquals(support.read(fd), '3456789')
  assert_arrives('', fd)
  assert_arrives('45', fd, 4, 2)
  lu.assertEquals(support.read(fd), '')
  assert_arrives('0123456789', fd, 0)
end


function TestPartial:test_a_timeout_tells_what_was_sent_and_the_same_call_goes_on()
  local text = content(3000000)
  local name = make_file(text)
  for _, make in ipairs { pair, connection } do
    for _, file in ipairs { opens(name), descriptor(text) } do
      local a, b = make()
      local got, total, timeouts = {}, 0, 0
      a:settimeout(0)
      b:settimeout(0)
      local deadline = support.now() + 60
      repeat
        local sent, message, partial, code, unsent = a:sendfile(file)
        lu.assertNil(unsent)
        if not sent then
          lu.assertEquals({ message, code }, { 'timeout', support.ETIMEDOUT })
          lu.assertTrue(is_integer(partial))
          timeouts = timeouts + 1
        end
        total = total + (sent or partial)
        got[#got + 1] = b:receiveany() or ''
      until sent or support.now() > deadline
      lu.assertEquals(total, #text)
      lu.assertTrue(timeouts > 0)
      a:close()
      b:settimeout(10)
      got[#got + 1] = b:receive '*a' or ''
      lu.assertTrue(table.concat(got) == text)
    end
  end
end


function TestPartial:test_the_partial_count_is_where_an_offset_goes_on()
  local text = content(1000000)
  local file = opens(make_file(text))
  local a, b = pair()
  a:settimeout(0)
  local _, message, partial = a:sendfile(file, 100)
  lu.assertEquals(message, 'timeout')
  lu.assertTrue(partial > 0 and partial < #text)
  lu.assertEquals(file:seek(), 0)
  a:close()
  lu.assertTrue(b:receive '*a' == text:sub(101, 100 + partial))
end


function TestPartial:test_both_timeouts_end_it()
  local file = opens(make_file(content(3000000)))
  for _, mode in ipairs { 'b', 't' } do
    local a = pair()
    a:settimeout(0.1, mode)
    local before = support.now()
    local _, message = a:sendfile(file, 0)
    lu.assertEquals(message, 'timeout')
    lu.assertTrue(support.now() - before >= 0.1)
    lu.assertEquals(a:events(), 'w')
  end
end


function TestPartial:test_a_timeout_that_does_not_pass()
  local text = content(3000000)
  local name = make_file(text)
  local a, b = connection()
  support.spawn(function()
    b:close()
    a:settimeout(60)
    a:sendfile(opens(name))
    a:close()
  end)
  a:close()
  lu.assertTrue(b:receive '*a' == text)
end


function TestPartial:test_signals_are_not_seen()
  local text = content(3000000)
  local name = make_file(text)
  local a, b = pair()
  support.spawn(function()
    b:close()
    support.alarms(0.002)
    local sent = a:sendfile(opens(name))
    a:send(tostring(sent))
    a:close()
  end)
  a:close()
  local got = {}
  for i = 1, 20 do
    got[i] = b:receive(10000)
    support.sleep(0.005)
  end
  got[21] = b:receive '*a'
  lu.assertTrue(table.concat(got) == text .. #text)
end


function TestPipes:test_a_program_s_output()
  local pipe = assert(io.popen 'echo first; echo second; echo third')
  lu.assertEquals(pipe:read '*l', 'first')
  assert_arrives('second\nth', pipe, nil, 9)
  lu.assertEquals(pipe:read '*l', 'ird')
  assert_arrives('', pipe)
  pipe:close()
end


function TestPipes:test_more_than_a_pipe_holds()
  local text = content(500000)
  local name = make_file(text)
  local a, b = pair()
  support.spawn(function()
    b:close()
    local pipe = io.popen("cat '" .. name .. "'")
    a:sendfile(pipe)
    pipe:close()
    a:close()
  end)
  a:close()
  lu.assertTrue(b:receive '*a' == text)
end


function TestPipes:test_a_descriptor()
  local reader, writer = assert(support.pipe())
  support.write(writer, '0123456789')
  assert_arrives('0123', reader, nil, 4)
  support.close(writer)
  assert_arrives('456789', reader)
  local from, to = pair()
  from:send 'from a socket'
  from:close()
  assert_arrives('from a socket', to:getfd())
end


function TestPipes:test_one_that_is_silent_is_waited_for_no_longer_than_the_timeout()
  local reader, writer = assert(support.pipe())
  local a, b = pair()
  support.write(writer, 'word')
  a:settimeout(0.05)
  lu.assertEquals({ a:sendfile(reader) }, { nil, 'timeout', 4, support.ETIMEDOUT })
  lu.assertEquals(b:receive(4), 'word')
  lu.assertEquals({ a:sendfile(reader) }, { nil, 'timeout', 0, support.ETIMEDOUT })
end


function TestPipes:test_a_file_that_does_not_block_is_waited_for()
  local reader, writer = assert(support.pipe())
  local before = support.descriptors()
  local file = opens('/dev/fd/' .. reader)
  for fd in pairs(support.descriptors()) do
    if not before[fd] then
      support.set_nonblocking(fd, true)
    end
  end
  local a, b = pair()
  a:settimeout(0.05)
  lu.assertEquals({ a:sendfile(file) }, { nil, 'timeout', 0, support.ETIMEDOUT })
  support.spawn(function()
    support.sleep(0.05)
    support.write(writer, 'later')
  end)
  support.close(writer)
  a:settimeout(30)
  lu.assertEquals(a:sendfile(file), 5)
  lu.assertEquals(b:receive(5), 'later')
end


function TestPipes:test_what_was_read_and_not_sent_is_told()
  local text = content(60000)
  local reader, writer = assert(support.pipe())
  local a, b = pair()
  a:settimeout(0)
  -- Room for a part of it
  while a:send(('x'):rep(50000)) do
    support.sleep(0)
  end
  local before = select(2, a:getstats())
  b:receive(30000)
  support.spawn(function()
    support.write(writer, text)
  end)
  support.close(writer)
  local total, deadline, unsent = 0, support.now() + 60
  repeat
    local results = { a:sendfile(reader) }
    lu.assertEquals({ results[2], results[4] }, { 'timeout', support.ETIMEDOUT })
    total, unsent = total + results[3], results[5]
  until unsent or support.now() > deadline
  lu.assertEquals(select(2, a:getstats()) - before, total)
  lu.assertTrue(#unsent > 0)
  a:settimeout(10)
  support.spawn(function()
    assert(a:send(unsent))
    assert(a:sendfile(reader))
    a:close()
  end)
  a:close()
  b:receive(before - 30000)
  lu.assertTrue(b:receive '*a' == text)
end


function TestPipes:test_an_offset_is_none_of_a_pipe_s()
  local a = pair()
  local reader = assert(support.pipe())
  local pipe = assert(io.popen 'echo text')
  for _, file in ipairs { reader, pipe } do
    lu.assertEquals({ a:sendfile(file, 0) }, { nil, 'Illegal seek', 0, errno.ESPIPE })
  end
  lu.assertEquals(pipe:read '*l', 'text')
  pipe:close()
end


function TestPeers:test_one_that_keeps_up_does_not_keep_the_call_from_ending()
  local a, b = pair()
  support.spawn(function()
    a:close()
    repeat until not b:receiveany()
  end)
  b:close()
  a:settimeout(0.1, 't')
  local sent, message, count = a:sendfile(opens '/dev/zero')
  lu.assertNil(sent)
  lu.assertEquals(message, 'timeout')
  lu.assertTrue(count > 0)
  lu.assertEquals(a:events(), 'w')
  a:close()
end


function TestPeers:test_one_that_goes_in_the_middle()
  local file = opens(make_file(content(3000000)))
  for _, make in ipairs { pair, connection } do
    local a, b = make()
    support.spawn(function()
      a:close()
      b:receive(100000)
      b:close()
    end)
    b:close()
    a:settimeout(20)
    local sent, message, partial, code = a:sendfile(file, 0)
    lu.assertNil(sent)
    lu.assertEquals(message, 'closed')
    lu.assertTrue(partial > 0 and partial < 3000000)
    lu.assertTrue(code == errno.EPIPE or code == errno.ECONNRESET, code)
  end
end


-- In a child, to which SIGPIPE is deadly; its exit status.
local function child_status(f)
  local pid = assert(support.fork())
  if pid == 0 then
    local ok, problem = pcall(f)
    io.stderr:write(ok and '' or tostring(problem) .. '\n')
    support.exit(ok and 0 or 1)
  end
  return support.wait(pid)
end


local function write_to_nobody()
  local reader, writer = support.pipe()
  support.close(reader)
  support.write(writer, 'x')
end


function TestPeers:test_sigpipe_is_not_raised()
  local killed = 128 + 13
  lu.skipIf(child_status(write_to_nobody) ~= killed, 'SIGPIPE is ignored')
  local name = make_file(content(100000))
  local function send_to_nobody(timeout)
    local a, b = pair()
    b:close()
    a:settimeout(timeout)
    for _ = 1, 3 do
      local _, message, sent, code = a:sendfile(opens(name))
      lu.assertEquals({ message, sent, code }, { 'closed', 0, errno.EPIPE })
    end
    local pipe = io.popen('cat ' .. name)
    lu.assertEquals(select(2, a:sendfile(pipe)), 'closed')
    pipe:close()
  end
  lu.assertEquals(child_status(send_to_nobody), 0)
  lu.assertEquals(child_status(function() send_to_nobody(1) end), 0)
  -- What others do is as deadly as it was before.
  lu.assertEquals(child_status(function()
    send_to_nobody()
    write_to_nobody()
  end), killed)
end


function TestArguments:test_what_is_no_file()
  local a = pair()
  local closed = opens(make_file 'x')
  closed:close()
  local file = opens(make_file 'x')
  local cases = {
    { 'a file or a descriptor expected', nil }, { 'a file or a descriptor expected', 'name' },
    { 'a file or a descriptor expected', {} }, { 'a file or a descriptor expected', a },
    { 'descriptor -1 is less than 0', -1 },
    { 'descriptor: integer expected, got 1.5', 1.5 },
    { 'is more than 2147483647', 2 ^ 40 },
    { 'a file or a descriptor expected', newproxy and newproxy() or {} },
    { 'closed file', closed },
    { 'offset -1 is less than 0', file, -1 },
    { 'offset: integer expected, got 0.5', file, 0.5 },
    { 'offset: integer expected', file, 0 / 0 },
    { 'count -1 is less than 0', file, 0, -1 },
    { 'count inf is more than', file, nil, math.huge },
    { 'number expected', file, {} }, { 'number expected', file, 0, true },
  }
  for _, case in ipairs(cases) do
    lu.assertErrorMsgContains(case[1], a.sendfile, a, case[2], case[3], case[4])
  end
end


function TestArguments:test_what_the_system_says()
  local a = pair()
  local write_only = opens(support.path 'other', 'wb')
  lu.assertEquals({ a:sendfile(write_only) }, { nil, 'Bad file descriptor', 0, errno.EBADF })
  local reader, writer = assert(support.pipe())
  support.close(reader)
  support.close(writer)
  lu.assertEquals({ a:sendfile(writer) }, { nil, 'Bad file descriptor', 0, errno.EBADF })
  local directory = io.open(support.path '')
  if directory then
    lu.assertEquals({ a:sendfile(directory) }, { nil, 'Is a directory', 0, errno.EISDIR })
    directory:close()
  end
end


function TestArguments:test_other_objects()
  local file = opens(make_file 'x')
  local closed = pair()
  closed:close()
  local results = { closed:sendfile(file) }
  lu.assertEquals({ results[1], results[2], results[3], results[4] }, { nil, 'closed', 0, nil })
  local packets = pair { seqpacket = true }
  lu.assertEquals({ packets:sendfile(file) },
                  { nil, 'Operation not supported', 0, errno.EOPNOTSUPP })
  lu.assertNil(pair { datagram = true }.sendfile)
  local server = keep(sock99.socket { host = '127.0.0.1', server = true })
  lu.assertErrorMsgContains('tcp{client} expected', server.sendfile, server, file)
  lu.assertErrorMsgContains('tcp{client} expected', server.sendfile, {}, file)
end


support.run()
