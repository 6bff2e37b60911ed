-- How long a call may take: limits are kept whatever the peer does, whatever poll(2)
-- says, and whatever signals come; and handlers of signals run while a call waits.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local core = require 'sock99.luasocket'
local support = require 'support'

local keep = support.keep
local errno = sock99.errno

local MIB = 1024 * 1024

TestTime = support.suite()
TestFloods = support.suite()
TestErrorQueues = support.suite()
TestSignals = support.suite()


-- Two ends of a connection over TCP with objects of LuaSocket's kind.
local function luasocket_tcp()
  local server = keep(core.tcp())
  assert(server:bind('127.0.0.1', 0))
  assert(server:listen())
  local client = keep(core.tcp())
  assert(client:connect(server:getsockname()))
  return client, keep(server:accept())
end


local function luasocket_unix()
  local server = keep(core.unix())
  local path = support.path 'server'
  os.remove(path)
  assert(server:bind(path))
  assert(server:listen())
  local client = keep(core.unix())
  assert(client:connect(path))
  return client, keep(server:accept())
end


-- f(name, a, b) with two ends of each kind of stream.
local function each_stream(f)
  f('tcp', support.connection())
  f('unix', keep(sock99.pair()))
  f('tcp of LuaSocket', luasocket_tcp())
  f('unix of LuaSocket', luasocket_unix())
end


-- f in another process, which has `b` alone.
local function elsewhere(a, b, f)
  support.spawn(function()
    a:close()
    f(b)
  end)
  b:close()
end


local function elapsed(f, ...)
  local started = support.now()
  local results = { f(...) }
  return support.now() - started, results
end


-- Time: a limit counts from the beginning of the call, whichever its mode

-- One byte each 0.05 s; the limit is 0.2 s.
local function trickle(b)
  for _ = 1, 24 do
    if not b:send 'x' then
      break
    end
    support.sleep(0.05)
  end
end


local function assert_trickle(name, receive)
  for _, mode in ipairs { 'b', 't' } do
    each_stream(function(kind, a, b)
      elsewhere(a, b, trickle)
      a:settimeout(0.2, mode)
      local time, results = elapsed(receive, a)
      local what = ('%s, %s, mode %s: %.2f s'):format(name, kind, mode, time)
      lu.assertTrue(time >= 0.19 and time < 0.6, what)
      lu.assertNil(results[1], what)
      lu.assertStrContains(tostring(results[2]), 'timeout', what)
      a:close()
    end)
  end
end


function TestTime:test_a_trickle_of_bytes_does_not_prolong_a_receive()
  for _, pattern in ipairs { 100, '*l', '*a' } do
    assert_trickle(pattern, function(a) return a:receive(pattern) end)
  end
  assert_trickle('*L', function(a) return a:receive '*L' end)
end


function TestTime:test_a_trickle_of_bytes_does_not_prolong_an_iteration()
  assert_trickle('lines', function(a)
    local ok, message = pcall(a:lines())
    return ok and 'a line' or nil, message
  end)
end


-- A peer that reads a little each 0.05 s.
local function sip(b)
  for _ = 1, 24 do
    if not b:receive(20000) then
      break
    end
    support.sleep(0.05)
  end
end


function TestTime:test_a_peer_that_sips_does_not_prolong_a_send()
  local data = ('x'):rep(8 * MIB)
  for _, mode in ipairs { 'b', 't' } do
    for name, send in pairs {
      string = function(a) return a:send(data) end,
      list = function(a) return a:send { data, data } end,
      sendfile = function(a)
        local file = io.tmpfile()
        file:write(data)
        file:seek 'set'
        local sent, message, partial = a:sendfile(file)
        file:close()
        return sent, message, partial
      end,
    } do
      each_stream(function(kind, a, b)
        elsewhere(a, b, sip)
        a:settimeout(0.2, mode)
        local time, results = elapsed(send, a)
        local what = ('%s, %s, mode %s: %.2f s'):format(name, kind, mode, time)
        lu.assertTrue(time >= 0.19 and time < 0.6, what)
        lu.assertEquals({ results[1], results[2] }, { nil, 'timeout' }, what)
        a:close()
      end)
    end
  end
end


function TestTime:test_the_nearer_of_two_limits_counts()
  local a = keep(sock99.pair())
  for _, limits in ipairs { { 0.1, 5 }, { 5, 0.1 }, { -1, 0.1 }, { 0.1, -1 } } do
    a:settimeout(limits[1], 'b')
    a:settimeout(limits[2], 't')
    local time, results = elapsed(a.receive, a)
    lu.assertEquals(results[2], 'timeout')
    lu.assertTrue(time >= 0.09 and time < 0.5, tostring(time))
  end
end


-- Floods: a call that always finds more ends at its limit

-- Sends for as long as anybody reads, two seconds at most.
local function flood(b, piece)
  b:settimeout(2)
  local data, stop = piece:rep(math.floor(MIB / #piece)), support.now() + 2
  while support.now() < stop and b:send(data) do end
end


local function large_buffers(a, b)
  a:setoption('rcvbuf', 4 * MIB)
  b:setoption('sndbuf', 4 * MIB)
end


local function assert_flood(timeout, receive, most_time, most_bytes)
  each_stream(function(kind, a, b)
    if a.setoption then
      pcall(large_buffers, a, b)
    end
    elsewhere(a, b, function(peer) flood(peer, 'no end ') end)
    support.sleep(0.05)
    a:settimeout(timeout)
    local time, results = elapsed(receive, a)
    local bytes = #(results[3] or '')
    local what = ('%s: %.2f s, %d bytes'):format(kind, time, bytes)
    lu.assertEquals({ results[1], results[2] }, { nil, 'timeout' }, what)
    lu.assertTrue(time < most_time, what)
    lu.assertTrue(bytes <= most_bytes, what)
    a:close()
  end)
end


function TestFloods:test_without_time_at_most_a_mebibyte_and_one_read_is_taken()
  for _, pattern in ipairs { '*l', '*L', '*a', 64 * MIB } do
    assert_flood(0, function(a) return a:receive(pattern) end, 1, MIB + 512 * 1024)
  end
end


function TestFloods:test_with_a_limit_the_call_ends_then()
  for _, pattern in ipairs { '*l', '*a' } do
    assert_flood(0.2, function(a) return a:receive(pattern) end, 3, 4096 * MIB)
  end
end


-- Takes all that comes, for two seconds at most.
local function swallow(b)
  b:settimeout(2)
  local stop = support.now() + 2
  while support.now() < stop and b:receiveany() do end
end


function TestFloods:test_a_peer_that_swallows_all_ends_a_send_at_its_limit()
  local data = ('x'):rep(MIB)
  local list = {}
  for i = 1, 4096 do
    list[i] = data
  end
  for _, timeout in ipairs { 0, 0.1 } do
    each_stream(function(kind, a, b)
      elsewhere(a, b, swallow)
      a:settimeout(timeout)
      local time, results = elapsed(a.send, a, list)
      local what = ('%s, timeout %g: %.2f s'):format(kind, timeout, time)
      lu.assertEquals({ results[1], results[2] }, { nil, 'timeout' }, what)
      lu.assertTrue(time < 0.8, what)
      a:close()
    end)
  end
end


-- Error queues

local function cpu(f, ...)
  local before = os.clock()
  local results = { f(...) }
  return os.clock() - before, results
end


-- A datagram object whose queue holds the network's answer to what it has sent.
local function refused(sockopts)
  local object = keep(sock99.socket {
    ipv4 = '127.0.0.1', server = true, datagram = true, sockopts = sockopts,
  })
  assert(object:sendto('x', '127.0.0.1', support.closed_port()))
  support.sleep(0.05)
  return object
end


local function has_option(name)
  local object = keep(sock99.socket { datagram = true, family = 'inet' })
  local ok, message = object:setoption(name, name == 'recverr' or 0)
  return ok, message
end


function TestErrorQueues:test_an_unread_entry_neither_spins_nor_prolongs_a_receive()
  lu.skipIf(not has_option 'recverr', 'this system has no error queues')
  for _, mode in ipairs { 'b', 't' } do
    local object = refused { recverr = true }
    object:settimeout(0.2, mode)
    local _, message, code = object:receive()
    lu.assertEquals(errno[code], 'ECONNREFUSED', message)
    local used, results = cpu(elapsed, object.receive, object)
    lu.assertEquals(results[2][2], 'timeout')
    lu.assertTrue(results[1] >= 0.19 and results[1] < 0.5, tostring(results[1]))
    lu.assertTrue(used < 0.1, ('%.3f s of the CPU'):format(used))
  end
end


function TestErrorQueues:test_select_does_not_report_an_entry_for_ever()
  lu.skipIf(not has_option 'recverr', 'this system has no error queues')
  local object = refused { recverr = true }
  object:settimeout(0)
  local times, stop = 0, support.now() + 0.2
  while support.now() < stop do
    if #sock99.select({ object }, nil, 0.05) > 0 then
      times = times + 1
      object:receive()
    end
  end
  lu.assertTrue(times <= 2, times .. ' times readable')
end


-- SOF_TIMESTAMPING_TX_SOFTWARE and SOF_TIMESTAMPING_SOFTWARE of the kernel's headers.
function TestErrorQueues:test_timestamps_of_sending_do_not_spin()
  local client, accepted = support.connection()
  lu.skipIf(not client:setoption('timestamping', 2 + 16), 'this system has no timestamps')
  for name, object in pairs { stream = client, datagram = keep(sock99.socket {
    ipv4 = '127.0.0.1', server = true, datagram = true, sockopts = { timestamping = 2 + 16 },
  }) } do
    if name == 'stream' then
      assert(object:send 'x')
      lu.assertEquals(accepted:receive(1), 'x')
    else
      assert(object:sendto('x', '127.0.0.1', support.closed_port()))
    end
    support.sleep(0.05)
    object:settimeout(0.2)
    local used, results = cpu(elapsed, object.receive, object)
    if name == 'datagram' and results[2][2] ~= 'timeout' then
      used, results = cpu(elapsed, object.receive, object)
    end
    lu.assertEquals(results[2][2], 'timeout', name)
    lu.assertTrue(used < 0.1, ('%s: %.3f s of the CPU'):format(name, used))
  end
end


-- Signals: handlers run while a call waits

-- Calls that wait, by name.
local function waits()
  local server = support.listener()
  local a, b = keep(sock99.pair())
  local full = keep(sock99.pair())
  local one = keep(sock99.pair { datagram = true })
  local records = keep(sock99.pair { seqpacket = true })
  local udp = keep(sock99.socket { host = '127.0.0.1', server = true, datagram = true })
  local theirs = luasocket_tcp()
  local calls = {
    accept = function(seconds) server:settimeout(seconds) return server:accept() end,
    receive = function(seconds) a:settimeout(seconds) return a:receive() end,
    receiveany = function(seconds) a:settimeout(seconds) return a:receiveany() end,
    receivefds = function(seconds) a:settimeout(seconds) return a:receivefds() end,
    lines = function(seconds) a:settimeout(seconds) return a:lines()() end,
    record = function(seconds) records:settimeout(seconds) return records:receive() end,
    datagram = function(seconds) one:settimeout(seconds) return one:receive() end,
    receivefrom = function(seconds) udp:settimeout(seconds) return udp:receivefrom() end,
    receivemany = function(seconds) udp:settimeout(seconds) return udp:receivemany() end,
    luasocket = function(seconds) theirs:settimeout(seconds) return theirs:receive() end,
    send = function(seconds)
      full:settimeout(seconds)
      return full:send(('x'):rep(16 * MIB))
    end,
    list = function(seconds)
      full:settimeout(seconds)
      return full:send { 1, ('x'):rep(16 * MIB) }
    end,
    select = function(seconds) return sock99.select({ b }, nil, seconds) end,
    sleep = function(seconds) return sock99.sleep(seconds) end,
  }
  return calls
end


-- Under a RUNNER sending 16 MiB takes seconds before anything waits.
local function is_soon(time, limit)
  return support.runner or time < limit
end


function TestSignals:test_a_handler_runs_while_a_call_waits_which_then_goes_on()
  for name, call in pairs(waits()) do
    local started, ran = support.now(), nil
    support.on_alarm(0.1, function() ran = support.now() - started end)
    pcall(call, 0.3)
    local time = support.now() - started
    lu.assertNotNil(ran, name)
    lu.assertTrue(ran >= 0.09 and is_soon(ran, 0.25),
                  ('%s: handler after %.2f s'):format(name, ran))
    lu.assertTrue(time >= 0.29 and is_soon(time, 0.8), ('%s: %.2f s'):format(name, time))
  end
end


function TestSignals:test_an_error_of_a_handler_ends_the_call()
  for _, seconds in ipairs { 5, -1 } do
    for name, call in pairs(waits()) do
      if not (name == 'sleep' and seconds < 0) then
        local started = support.now()
        support.on_alarm(0.05, function() error('interrupted!', 0) end)
        local ok, message = pcall(call, seconds)
        lu.assertEquals({ ok, message }, { false, 'interrupted!' }, name)
        lu.assertTrue(is_soon(support.now() - started, 1), name)
      end
    end
  end
end


function TestSignals:test_an_error_of_a_handler_leaves_the_object_as_it_was()
  each_stream(function(kind, a, b)
    b:send 'begin'
    support.sleep(0.02)
    support.on_alarm(0.05, function() error('interrupted!', 0) end)
    lu.assertEquals({ pcall(a.receive, a) }, { false, 'interrupted!' }, kind)
    b:send ' end\n'
    lu.assertEquals(a:receive(), 'begin end', kind)
    a:send 'and back\n'
    lu.assertEquals(b:receive(), 'and back', kind)
  end)
end


function TestSignals:test_a_handler_may_close_the_object_that_waits()
  each_stream(function(kind, a)
    support.on_alarm(0.05, function() a:close() end)
    local _, message = a:receive()
    lu.assertEquals(message, 'closed', kind)
  end)
  local server = support.listener()
  support.on_alarm(0.05, function() server:close() end)
  lu.assertEquals((select(2, server:accept())), 'closed')
end


function TestSignals:test_a_handler_may_use_the_object_that_waits()
  each_stream(function(kind, a, b)
    support.on_alarm(0.05, function()
      b:send 'one\ntwo\n'
      lu.assertEquals(a:receive(), 'one', kind)
    end)
    lu.assertEquals(a:receive(), 'two', kind)
  end)
end


function TestSignals:test_a_server_without_a_limit_ends_where_a_handler_sets_a_flag()
  local server, stop = support.listener(), false
  server:settimeout(0.05)
  support.on_alarm(0.1, function() stop = true end)
  local started = support.now()
  while not stop do
    server:accept()
  end
  lu.assertTrue(support.now() - started < 1)
end


-- Openings that wait: a Unix listener and a TCP listener whose backlogs are full.
local function full_listeners()
  local path = support.path 'full'
  keep(sock99.socket { path = path, server = true, backlog = 1 })
  local server = keep(sock99.socket { host = '127.0.0.1', server = true, backlog = 1 })
  local _, port = server:getsockname()
  local addresses = { unix = { path = path }, tcp = { ipv4 = '127.0.0.1', port = port } }
  for _, address in pairs(addresses) do
    repeat
      address.timeout = 0.1
      local client = sock99.socket(address)
    until not (client and keep(client))
  end
  return addresses
end


function TestSignals:test_a_handler_runs_while_an_opening_waits_which_then_goes_on()
  for name, address in pairs(full_listeners()) do
    for _, open in ipairs { sock99.open, sock99.socket } do
      address.timeout = 0.3
      local started, ran = support.now(), nil
      support.on_alarm(0.1, function() ran = support.now() - started end)
      lu.assertEquals((select(4, open(address))), 'timeout', name)
      local time = support.now() - started
      lu.assertTrue(ran and ran >= 0.09 and ran < 0.25, ('%s: %s'):format(name, tostring(ran)))
      lu.assertTrue(time >= 0.29 and is_soon(time, 0.8), ('%s: %.2f s'):format(name, time))
    end
  end
end


function TestSignals:test_an_error_of_a_handler_ends_an_opening_and_leaves_no_descriptor()
  for name, address in pairs(full_listeners()) do
    for _, timeout in ipairs { 5, false } do
      for _, open in ipairs { sock99.open, sock99.socket } do
        address.timeout = timeout or nil
        local before, started = support.descriptor_count(), support.now()
        support.on_alarm(0.05, function() error('interrupted!', 0) end)
        lu.assertEquals({ pcall(open, address) }, { false, 'interrupted!' }, name)
        lu.assertTrue(support.now() - started < 1, name)
        collectgarbage()
        lu.assertEquals(support.descriptor_count(), before, name)
      end
    end
  end
end


support.run()
