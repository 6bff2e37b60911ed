-- Datagrams, and the records of SOCK_SEQPACKET, through socket objects: whole,
-- or said to be cut, and from and to the addresses that were meant.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

local errno, keep = sock99.errno, support.keep

TestSizes = support.suite()
TestAddresses = support.suite()
TestPeers = support.suite()
TestWaiting = support.suite()
TestMany = support.suite()
TestRecords = support.suite()
TestMemory = support.suite()


-- A receiver on a free port, or what `t` says, with its address.
local function receiver(t)
  local socket = support.with({ datagram = true, server = true }, t or { host = '127.0.0.1' })
  local object = keep(sock99.socket(socket))
  local host, port = object:getsockname()
  object:settimeout(5)
  return object, host, port
end


local function unconnected(family)
  return keep(sock99.socket { datagram = true, family = family or 'inet', connect = false })
end


-- Connected to each other.
local function inet_pair()
  local a, host, port = receiver()
  local b = keep(sock99.socket { datagram = true, host = host, port = port })
  assert(a:setpeername(b:getsockname()))
  b:settimeout(5)
  return a, b
end


local function unix_pair(t)
  local a, b = keep(sock99.pair(support.with({ datagram = true }, t or {})))
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


local function pattern(bytes)
  return ('0123456789abcdef'):rep(math.ceil(bytes / 16)):sub(1, bytes)
end


-- lu.assertEquals would print it.
local function assert_same(actual, expected)
  lu.assertEquals(#actual, #expected)
  lu.assertTrue(actual == expected, 'the bytes differ')
end


function TestSizes:test_every_size_of_an_ip_datagram_passes_whole()
  local a, b = inet_pair()
  for _, size in ipairs { 0, 1, 1472, 9000, 65507 } do
    local data = pattern(size)
    lu.assertEquals(b:send(data), size)
    assert_same(a:receive(), data)
  end
end


function TestSizes:test_what_no_datagram_can_hold_is_an_error()
  local a, b = inet_pair()
  local sent, message, code = b:send(pattern(65508))
  lu.assertNil(sent)
  lu.assertStrContains(message, 'too long')
  lu.assertEquals(code, errno.EMSGSIZE)
  lu.assertEquals(b:send 'next', 4)
  lu.assertEquals(a:receive(), 'next')
end


function TestSizes:test_a_unix_datagram_may_be_larger_than_any_of_ip()
  local a, b = unix_pair()
  for _, size in ipairs { 0, 1, 65535, 65536, 65537, 150000 } do
    local data = pattern(size)
    lu.assertEquals(a:send(data), size)
    assert_same(b:receive(), data)
  end
end


function TestSizes:test_an_empty_datagram_is_no_end()
  for _, pair in ipairs { inet_pair, unix_pair } do
    local a, b = pair()
    lu.assertEquals(a:send '', 0)
    a:send 'after'
    assert_results(results(b:receive()), '')
    assert_results(results(b:receive()), 'after')
  end
end


function TestSizes:test_what_max_cuts_is_said()
  for _, pair in ipairs { inet_pair, unix_pair } do
    local a, b = pair()
    for _, case in ipairs { { 5 }, { 6 }, { 4, 'abcd' }, { 0, '' } } do
      local max, cut = case[1], case[2]
      a:send 'abcde'
      if cut then
        assert_results(results(b:receive(max)), cut, 'truncated', 5)
      else
        assert_results(results(b:receive(max)), 'abcde')
      end
    end
    a:send ''
    assert_results(results(b:receive(0)), '')
    b:settimeout(0)
    lu.assertEquals(select(2, b:receive()), 'timeout')
  end
end


function TestSizes:test_a_large_unix_datagram_that_max_cuts_tells_its_length()
  local a, b = unix_pair()
  a:send(pattern(150000))
  a:send(pattern(150000))
  assert_results(results(b:receive(3)), '012', 'truncated', 150000)
  local data, said, length = b:receive(100000)
  assert_same(data, pattern(100000))
  lu.assertEquals({ said, length }, { 'truncated', 150000 })
end


function TestSizes:test_a_max_beyond_all_messages_cuts_nothing()
  for _, pair in ipairs { inet_pair, unix_pair } do
    local a, b = pair()
    for _, max in ipairs { 2 ^ 70, math.huge } do
      a:send 'abcde'
      assert_results(results(b:receive(max)), 'abcde')
    end
  end
end


function TestSizes:test_a_max_that_is_no_number_of_bytes_is_raised()
  local a = receiver()
  for _, max in ipairs { -1, 1.5, 0 / 0, 'x', {} } do
    lu.assertErrorMsgContains("bad argument #", a.receive, a, max)
    lu.assertErrorMsgContains("bad argument #", a.receivefrom, a, max)
  end
end


-- Two processes read from one socket: between asking for a size and reading,
-- the other may take that message.
function TestSizes:test_what_is_cut_since_another_reader_came_first_is_said()
  local a, b = unix_pair()
  local reader, writer = assert(support.pipe())
  local function read_all()
    while true do
      local data, said, length = b:receive()
      if data == 'end' then
        return true
      end
      local whole = said and length or #data
      if not data or (whole ~= 3000 and whole ~= 150000) or data ~= pattern(#data) then
        return false
      end
    end
  end
  for _ = 1, 2 do
    support.spawn(function()
      support.write(writer, read_all() and 'y' or 'n')
    end)
  end
  for _ = 1, 200 do
    lu.assertEquals(a:send(pattern(3000)), 3000)
    lu.assertEquals(a:send(pattern(150000)), 150000)
  end
  a:send 'end'
  a:send 'end'
  support.close(writer)
  local told = support.read(reader)
  lu.assertEquals(#told < 2 and told .. support.read(reader) or told, 'yy')
end


function TestSizes:test_a_list_and_a_part_make_one_datagram()
  local a, b = inet_pair()
  lu.assertEquals(a:send { 'one', 2, 'three' }, 9)
  lu.assertEquals(b:receive(), 'one2three')
  lu.assertEquals(a:send {}, 0)
  lu.assertEquals(b:receive(), '')
  lu.assertEquals(a:send('abcdef', 2, 4), 4)
  lu.assertEquals(b:receive(), 'bcd')
  lu.assertEquals(a:send('abcdef', -2), 6)
  lu.assertEquals(b:receive(), 'ef')
  lu.assertEquals(a:send(12), 2)
  lu.assertEquals(b:receive(), '12')
  lu.assertErrorMsgContains('entry 2: string expected, got boolean', a.send, a, { 'x', true })
end


function TestSizes:test_bytes_are_counted()
  local a, b = inet_pair()
  a:send 'four'
  a:send ''
  a:sendmany { 'a', 'bc' }
  b:receive(1)
  b:receive()
  b:receivemany()
  lu.assertEquals(select(2, a:getstats()), 7)
  lu.assertEquals((b:getstats()), 7)
end


-- Addresses

function TestAddresses:test_an_answer_goes_where_receivefrom_says()
  local server, host, port = receiver()
  local client = unconnected()
  client:settimeout(5)
  lu.assertEquals(client:sendto('question', host, port), 8)
  local data, from_host, from_port = server:receivefrom()
  local _, own_port = client:getsockname()
  lu.assertEquals({ data, from_host, from_port }, { 'question', '127.0.0.1', own_port })
  server:sendto('answer', from_host, from_port)
  assert_results(results(client:receivefrom()), 'answer', host, port)
end


function TestAddresses:test_a_missing_port_is_told_of_the_address()
  local socket = keep(assert(sock99.socket { datagram = true }))
  for _, port in ipairs { 'nil', 0, '0' } do
    lu.assertEquals({ socket:sendto('x', '127.0.0.1', port ~= 'nil' and port or nil) },
      { nil, 'sendto 127.0.0.1:0: the port is missing, 1 to 65535', sock99.errno.EINVAL,
        'sendto' })
  end
  lu.assertErrorMsgContains('entry 2: a port, 0 to 65535, expected', function()
    socket:sendmany { { 'x', '127.0.0.1', 9 }, { 'x', '127.0.0.1' } }
  end)
  lu.assertEquals(socket:getstats(), 0)
end


function TestAddresses:test_receivefrom_says_what_max_cuts_behind_the_address()
  local server, host, port = receiver()
  local client = unconnected()
  client:sendto('abcde', host, port)
  local _, own_port = client:getsockname()
  assert_results(results(server:receivefrom(2)), 'ab', '127.0.0.1', own_port, 'truncated', 5)
end


function TestAddresses:test_unix_datagrams_come_from_a_path_or_from_nowhere()
  local path, own = support.path 'server', support.path 'client'
  local server = receiver { path = path }
  local client = keep(sock99.socket { datagram = true, family = 'unix', connect = false })
  client:sendto('unnamed', path)
  assert_results(results(server:receivefrom()), 'unnamed', '', nil)
  lu.assertEquals(client:setsockname(own), 1)
  client:sendto('named', path)
  client:sendto('named', path)
  assert_results(results(server:receivefrom()), 'named', own, nil)
  assert_results(results(server:receivefrom(1)), 'n', own, nil, 'truncated', 5)
  lu.assertEquals(server:sendto('back', own), 4)
  lu.assertEquals(client:receive(), 'back')
end


function TestAddresses:test_an_abstract_name_is_an_address()
  lu.skipIf(not sock99.open { path = support.abstract(), server = true, datagram = true },
    'there are no abstract names')
  local name = support.abstract 'x'
  local server = receiver { path = name }
  local client = keep(sock99.socket { datagram = true, path = name, bind = { path = name .. 'y' } })
  client:send 'abstract'
  assert_results(results(server:receivefrom()), 'abstract', name .. 'y', nil)
end


function TestAddresses:test_ipv4_through_a_dual_stack_socket_is_plain_ipv4()
  local server = keep(sock99.socket { datagram = true, server = true })
  lu.skipIf(server:getfamily() ~= 'inet6', 'there is no IPv6')
  server:settimeout(5)
  local _, port = server:getsockname()
  local client = unconnected()
  client:settimeout(5)
  client:sendto('4', '127.0.0.1', port)
  local data, host, from = server:receivefrom()
  lu.assertEquals({ data, host }, { '4', '127.0.0.1' })
  server:sendto('plain', host, from)
  lu.assertEquals(client:receive(), 'plain')
  client:sendto('many', '127.0.0.1', port)
  local list = server:receivemany()
  lu.assertEquals(list, { { 'many', '127.0.0.1', from } })
  lu.assertEquals(server:sendmany(list), 1)
  lu.assertEquals(client:receive(), 'many')
  lu.assertEquals(server:setpeername('127.0.0.1', from), 1)
  lu.assertEquals({ server:getpeername() }, { '127.0.0.1', from, 'inet' })
end


function TestAddresses:test_names_and_ports_as_text_are_taken()
  local server, host, port = receiver()
  local client = unconnected()
  lu.assertEquals(client:sendto(12, host, tostring(port)), 2)
  lu.assertEquals(server:receive(), '12')
  lu.assertEquals(client:sendto('by name', 'localhost', port), 7)
  lu.assertEquals(server:receive(), 'by name')
end


function TestAddresses:test_an_address_that_cannot_be_is_an_error()
  local client = unconnected()
  local sent, message, code = client:sendto('x', '::1', 9)
  lu.assertNil(sent)
  lu.assertStrContains(message, '::1')
  lu.assertEquals(code, errno.EAFNOSUPPORT)
  sent, message, code = client:sendto('x', 'bad\0host', 9)
  lu.assertNil(sent)
  lu.assertStrContains(message, 'NUL')
  lu.assertEquals(code, errno.EINVAL)
  sent, message, code = client:sendto('x', '127.0.0.1', 70000)
  lu.assertNil(sent)
  lu.assertStrContains(message, 'in 0 to 65535')
  lu.assertEquals(code, errno.EINVAL)
  lu.assertErrorMsgContains('string expected', client.sendto, client, {}, '::1', 70000)
  assert_results(results(unconnected 'unix':sendto('x', support.path 'nobody')), nil,
    'No such file or directory', errno.ENOENT, 'sendto')
end


function TestAddresses:test_without_a_peer_send_fails()
  lu.assertEquals(select(3, unconnected():send 'x'), errno.EDESTADDRREQ)
  lu.assertEquals(select(3, unconnected 'unix':send 'x'), errno.ENOTCONN)
end


-- Peers

function TestPeers:test_setpeername_makes_and_ends_a_connection()
  local server, host, port = receiver()
  local stranger = unconnected()
  local client = unconnected()
  client:settimeout(5)
  -- Linux lets go of a port that it chose itself when the peer is forgotten.
  local own_host, own_port = '127.0.0.1'
  repeat
    own_port = math.random(20000, 32000)
  until client:setsockname(own_host, own_port)
  lu.assertEquals(client:setpeername(host, port), 1)
  lu.assertStrContains(tostring(client), 'udp{connected}', false)
  lu.assertEquals({ client:getpeername() }, { host, port, 'inet' })
  stranger:sendto('stranger', own_host, own_port)
  server:sendto('peer', own_host, own_port)
  lu.assertEquals(client:receive(), 'peer')
  lu.assertEquals(client:setpeername '*', 1)
  lu.assertStrContains(tostring(client), 'udp{unconnected}', false)
  lu.assertNil((client:getpeername()))
  stranger:sendto('stranger', own_host, own_port)
  lu.assertEquals(client:receive(), 'stranger')
  lu.assertEquals(client:setpeername '*', 1)
end


function TestPeers:test_setpeername_connects_to_a_path()
  local path = support.path()
  local server = receiver { path = path }
  local client = unconnected 'unix'
  lu.assertEquals(client:setpeername(path), 1)
  lu.assertEquals({ client:getpeername() }, { path })
  lu.assertEquals(client:send 'x', 1)
  lu.assertEquals(server:receive(), 'x')
  lu.assertEquals(client:setpeername '*', 1)
  lu.assertEquals(select(3, client:send 'x'), errno.ENOTCONN)
end


function TestPeers:test_a_peer_that_cannot_be_leaves_the_old_one()
  local server, host, port = receiver()
  local client = keep(sock99.socket { datagram = true, host = host, port = port })
  local function refuses(code, ...)
    local ok, message, number = client:setpeername(...)
    lu.assertNil(ok)
    lu.assertEquals(number, errno[code], message)
  end
  refuses('EINVAL', '127.0.0.1', 0)
  refuses('EINVAL', '127.0.0.1')
  refuses('EAFNOSUPPORT', '::1', port)
  refuses('EACCES', '255.255.255.255', port)
  lu.assertStrContains(tostring(client), 'udp{connected}')
  lu.assertEquals(client:send 'still there', 11)
  lu.assertEquals(server:receive(), 'still there')
end


function TestPeers:test_a_broadcast_address_can_be_the_peer()
  local server, _, port = receiver { host = '0.0.0.0' }
  local client = keep(sock99.socket {
    datagram = true, family = 'inet', connect = false, sockopts = { broadcast = true },
  })
  lu.assertEquals({ client:setpeername('127.255.255.255', port) }, { 1 })
  lu.assertEquals(client:send 'to all', 6)
  lu.assertEquals(server:receive(), 'to all')
end


function TestPeers:test_a_multicast_group_can_be_the_peer()
  local group = '239.255.71.1'
  local server, message = sock99.socket {
    datagram = true, server = true, host = '0.0.0.0',
    sockopts = { add_membership = { group = group, interface = '127.0.0.1' } },
  }
  lu.skipIf(not server, 'no group can be joined on loopback: ' .. tostring(message))
  keep(server):settimeout(5)
  local _, port = server:getsockname()
  local client = keep(sock99.socket {
    datagram = true, family = 'inet', connect = false,
    sockopts = { multicast_if = '127.0.0.1', multicast_loop = true },
  })
  lu.assertEquals({ client:setpeername(group, port) }, { 1 })
  lu.assertEquals(client:send 'to the group', 12)
  lu.assertEquals(server:receive(), 'to the group')
end


function TestPeers:test_a_refusal_by_the_peers_system_is_told_once()
  local port = support.closed_port()
  local client = keep(sock99.socket { datagram = true, host = '127.0.0.1', port = port })
  client:settimeout(5)
  lu.assertEquals(client:send 'anybody?', 8)
  assert_results(results(client:receive()), nil, 'Connection refused', errno.ECONNREFUSED)
  client:settimeout(0)
  assert_results(results(client:receive()), nil, 'timeout', errno.ETIMEDOUT)
  client:settimeout(5)
  client:send 'anybody?'
  assert_results(results(client:receivemany()), nil, 'Connection refused', errno.ECONNREFUSED)
end


function TestPeers:test_a_closed_object_says_so()
  local a = receiver()
  a:close()
  for _, call in ipairs {
    { 'send', 'x' }, { 'sendto', 'x', '127.0.0.1', 9 }, { 'receive' }, { 'receivefrom' },
    { 'receivemany' }, { 'setpeername', '127.0.0.1', 9 }, { 'setpeername', '*' },
    { 'setsockname', '127.0.0.1', 0 },
  } do
    assert_results(results(a[call[1]](a, call[2], call[3], call[4])), nil, 'closed', nil)
  end
  assert_results(results(a:sendmany { 'x' }), nil, 'closed', 0, nil)
end


function TestPeers:test_methods_know_what_is_no_datagram_socket()
  local a = receiver()
  local stream = keep(sock99.pair())
  lu.assertNil(stream.sendto)
  lu.assertNil(stream.receivemany)
  lu.assertErrorMsgContains('udp{connected|unconnected} expected', a.receive, stream)
  lu.assertErrorMsgContains('udp{connected|unconnected} expected', a.receive, io.stdout)
end


-- Waiting

function TestWaiting:test_a_timeout_of_zero_never_waits()
  local a = receiver()
  a:settimeout(0)
  for _, call in ipairs { 'receive', 'receivefrom', 'receivemany' } do
    assert_results(results(a[call](a)), nil, 'timeout', errno.ETIMEDOUT)
  end
  local u = unix_pair()
  u:settimeout(0)
  for _, call in ipairs { 'receive', 'receivefrom', 'receivemany' } do
    assert_results(results(u[call](u)), nil, 'timeout', errno.ETIMEDOUT)
  end
  lu.assertEquals(u:events(), 'r')
end


function TestWaiting:test_a_timeout_is_waited_for()
  for _, pair in ipairs { inet_pair, unix_pair } do
    for _, mode in ipairs { 'b', 't' } do
      local a = pair()
      a:settimeout(nil)
      a:settimeout(0.1, mode)
      local started = support.now()
      lu.assertEquals(select(2, a:receive()), 'timeout')
      lu.assertTrue(support.now() - started >= 0.1)
    end
  end
end


-- Sends until there is no more room.
local function fill(send)
  local count, sent, message = -1
  repeat
    sent, message = send()
    count = count + 1
  until not sent
  lu.assertEquals(message, 'timeout')
  return count
end


-- A full receiver at a path; the sender is connected to it, or is not.
local function full_receiver(connected)
  local path = support.path()
  local server = receiver { path = path }
  local client = keep(sock99.socket {
    datagram = true, family = 'unix', path = connected and path or nil, connect = connected,
  })
  local function send()
    if connected then
      return client:send(pattern(100))
    end
    return client:sendto(pattern(100), path)
  end
  client:settimeout(0)
  return server, client, send, fill(send)
end


function TestWaiting:test_a_full_unix_receiver_is_waited_for()
  for _, connected in ipairs { true, false } do
    local server, client, send, count = full_receiver(connected)
    lu.assertEquals(client:events(), 'w')
    client:settimeout(0.1)
    local started = support.now()
    lu.assertEquals({ send() },
      { nil, 'timeout', errno.ETIMEDOUT, not connected and 'timeout' or nil })
    lu.assertTrue(support.now() - started >= 0.1)
    support.spawn(function()
      support.sleep(0.1)
      for _ = 1, count do
        server:receive()
      end
    end)
    client:settimeout(5)
    lu.assertEquals({ send() }, { 100 })
    lu.assertEquals(client:events(), 'r')
    server:close()
    client:close()
    os.remove(support.path())
  end
end


function TestWaiting:test_many_wait_for_a_full_unix_receiver_and_none_is_lost()
  for _, connected in ipairs { true, false } do
    local a, path = nil, support.path()
    local b = receiver { path = path }
    a = keep(sock99.socket {
      datagram = true, family = 'unix', path = connected and path or nil, connect = connected,
    })
    local list = {}
    for i = 1, 300 do
      list[i] = connected and tostring(i) or { tostring(i), path }
    end
    a:settimeout(0)
    local ok, message, count, code = a:sendmany(list)
    lu.assertNil(ok)
    lu.assertEquals({ message, code }, { 'timeout', errno.ETIMEDOUT })
    lu.assertTrue(count > 0 and count < 300)
    support.spawn(function()
      a:settimeout(5)
      for _ = 1, count do
        table.remove(list, 1)
      end
      a:sendmany(list)
    end)
    for i = 1, 300 do
      lu.assertEquals(b:receive(), tostring(i))
    end
    a:close()
    b:close()
    os.remove(path)
  end
end


-- Calls f under a timer, while a child sends, after a while, what it waits for.
local function under_alarms(f, send)
  support.spawn(function()
    support.sleep(0.3)
    send()
  end)
  support.alarms(0.02)
  local got = results(f())
  lu.assertTrue(support.alarms(0) >= 1)
  return got
end


function TestWaiting:test_signals_interrupt_nothing()
  for _, pair in ipairs { inet_pair, unix_pair } do
    for _, timeout in ipairs { -1, 10 } do
      for _, call in ipairs { 'receive', 'receivefrom', 'receivemany' } do
        local a, b = pair()
        a:settimeout(timeout)
        local got = under_alarms(function()
          return a[call](a)
        end, function()
          b:send 'at last'
        end)
        local data = got[1]
        lu.assertEquals(call == 'receivemany' and data[1] or data, 'at last')
        a:close()
        b:close()
      end
    end
  end
end


function TestWaiting:test_signals_interrupt_no_send()
  for _, connected in ipairs { true, false } do
    local server, client, send, count = full_receiver(connected)
    for _, timeout in ipairs { -1, 10 } do
      client:settimeout(timeout)
      local got = under_alarms(send, function()
        server:receive()
      end)
      lu.assertEquals(got[1], 100)
    end
    lu.assertTrue(count > 0)
    server:close()
    client:close()
    os.remove(support.path())
  end
end


-- Many

local function texts(first, last)
  local list = {}
  for i = first, last do
    list[#list + 1] = tostring(i)
  end
  return list
end


local function data_of(list)
  local data = {}
  for i, entry in ipairs(list) do
    data[i] = type(entry) == 'table' and entry[1] or entry
  end
  return data
end


function TestMany:test_many_are_echoed()
  for _, pair in ipairs { inet_pair, unix_pair } do
    local a, b = pair()
    for _, count in ipairs { 1, 2, 5 } do
      lu.assertEquals(a:sendmany(texts(1, count)), count)
      lu.assertEquals(b:sendmany(b:receivemany(64)), count)
      lu.assertEquals(data_of(a:receivemany()), texts(1, count))
    end
  end
end


function TestMany:test_a_server_without_a_peer_echoes_to_each_sender()
  local server, host, port = receiver()
  local clients = {}
  for i = 1, 3 do
    clients[i] = keep(sock99.socket { datagram = true, host = host, port = port })
    clients[i]:settimeout(5)
    clients[i]:sendmany { 'a' .. i, '', 'c' .. i }
  end
  local list = server:receivemany()
  lu.assertEquals(#list, 9)
  lu.assertEquals(server:sendmany(list), 9)
  for i = 1, 3 do
    lu.assertEquals(data_of(clients[i]:receivemany()), { 'a' .. i, '', 'c' .. i })
  end
end


function TestMany:test_more_than_one_system_call_takes_are_sent_and_received()
  local a, b = inet_pair()
  lu.assertEquals(a:sendmany(texts(1, 150)), 150)
  local all = {}
  while #all < 150 do
    local list = b:receivemany(1000)
    lu.assertTrue(#list <= 64)
    for _, entry in ipairs(list) do
      all[#all + 1] = entry
    end
  end
  lu.assertEquals(data_of(all), texts(1, 150))
end


function TestMany:test_large_ones_are_whole()
  local a, b = inet_pair()
  a:sendmany { pattern(65507), 'small', pattern(30000) }
  local list = b:receivemany()
  lu.assertEquals(#list, 3)
  assert_same(list[1], pattern(65507))
  lu.assertEquals(list[2], 'small')
  assert_same(list[3], pattern(30000))
end


function TestMany:test_large_unix_ones_are_whole()
  local a, b = unix_pair()
  a:settimeout(0)
  lu.assertEquals(a:sendmany { 'small', pattern(150000), '' }, 3)
  local list = b:receivemany()
  lu.assertEquals(#list, 3)
  assert_same(list[2], pattern(150000))
  lu.assertEquals({ list[1], list[3] }, { 'small', '' })
end


function TestMany:test_max_is_the_most_that_are_taken()
  for _, pair in ipairs { inet_pair, unix_pair } do
    local a, b = pair()
    a:sendmany { '1', '2', '3' }
    lu.assertEquals(data_of(b:receivemany(2)), { '1', '2' })
    lu.assertEquals(data_of(b:receivemany(2)), { '3' })
    lu.assertErrorMsgContains('max 0 is less than 1', b.receivemany, b, 0)
    lu.assertErrorMsgContains('max -1 is less than 1', b.receivemany, b, -1)
  end
end


function TestMany:test_what_cannot_be_sent_says_how_many_were()
  local a, b = inet_pair()
  local ok, _, count, code = a:sendmany { '1', '2', pattern(65508), '4' }
  lu.assertNil(ok)
  lu.assertEquals({ count, code }, { 2, errno.EMSGSIZE })
  lu.assertEquals(data_of(b:receivemany()), { '1', '2' })
end


function TestMany:test_an_address_that_cannot_be_says_how_many_were_sent()
  local server, host, port = receiver()
  local client = unconnected()
  local ok, message, count, code = client:sendmany {
    { '1', host, port }, { '2', host, tostring(port) }, { '3', '::1', port }, { '4', host, port },
  }
  lu.assertNil(ok)
  lu.assertStrContains(message, '::1')
  lu.assertEquals({ count, code }, { 2, errno.EAFNOSUPPORT })
  lu.assertEquals(data_of(server:receivemany()), { '1', '2' })
end


function TestMany:test_a_service_may_be_named()
  local ok, message, count = unconnected():sendmany { { 'x', '127.0.0.1', 'no-such-service' } }
  lu.assertEquals({ ok, count }, { nil, 0 })
  lu.assertStrContains(message, 'no-such-service')
end


function TestMany:test_a_path_or_none_on_unix_sockets()
  local path = support.path()
  local server = receiver { path = path }
  local client = keep(sock99.socket { path = path, datagram = true })
  lu.assertEquals(client:sendmany { { 'to the path', path }, { 'to the peer', '' }, 'plain' }, 3)
  lu.assertEquals(data_of(server:receivemany()), { 'to the path', 'to the peer', 'plain' })
end


function TestMany:test_a_bad_entry_is_raised_before_any_is_sent()
  local server, host, port = receiver()
  local client = unconnected()
  for _, bad in ipairs {
    true, {}, { {}, host, port }, { 'x', 5, port }, { 'x', host, -1 }, { 'x', host, 1.5 },
    { 'x', host, 65536 }, { 'x', host, {} },
  } do
    lu.assertErrorMsgContains('entry 2:', client.sendmany, client, { { '1', host, port }, bad })
  end
  lu.assertErrorMsgContains('table expected', client.sendmany, client, 'x')
  server:settimeout(0)
  lu.assertEquals(select(2, server:receive()), 'timeout')
  lu.assertEquals(client:sendmany {}, 0)
end


function TestMany:test_numbers_are_data()
  local a, b = inet_pair()
  lu.assertEquals(a:sendmany { 1, { 22 } }, 2)
  lu.assertEquals(data_of(b:receivemany()), { '1', '22' })
end


-- Records

local function record_pair()
  local a, b = unix_pair { datagram = false, seqpacket = true }
  lu.assertStrContains(tostring(a), 'tcp{client}')
  return a, b
end


function TestRecords:test_records_keep_apart_and_whole()
  local a, b = record_pair()
  local large = pattern(150000)
  for _, data in ipairs { 'one', '2', large, 'four' } do
    lu.assertEquals(a:send(data), #data)
  end
  lu.assertEquals(b:receive(), 'one')
  lu.assertEquals(b:receiveany(), '2')
  assert_same(b:receive(), large)
  assert_results(results(b:receive(2)), 'fo', 'truncated', 4)
  lu.assertFalse(b:dirty())
end


function TestRecords:test_the_end_is_told_as_a_streams()
  local a, b = record_pair()
  a:send 'last'
  a:close()
  lu.assertEquals(b:receive(), 'last')
  assert_results(results(b:receive()), nil, 'closed', '', nil)
  assert_results(results(b:receive()), nil, 'closed', '', nil)
  local sent, message, partial, code = b:send 'x'
  lu.assertNil(sent)
  lu.assertEquals({ message, partial, code }, { 'closed', 0, errno.EPIPE })
  b:close()
  assert_results(results(b:send ''), nil, 'closed', 0, nil)
end


function TestRecords:test_each_direction_ends_by_itself()
  local a, b = record_pair()
  lu.assertEquals(a:shutdown 'send', 1)
  assert_results(results(b:receive()), nil, 'closed', '', nil)
  lu.assertEquals(b:send 'still', 5)
  lu.assertEquals(a:receive(), 'still')
end


function TestRecords:test_an_empty_record_is_refused_since_it_means_the_end()
  local a, b = record_pair()
  local sent, message, partial, code = a:send ''
  lu.assertNil(sent)
  lu.assertStrContains(message, 'empty')
  lu.assertEquals({ partial, code }, { 0, errno.EINVAL })
  a:send 'next'
  lu.assertEquals(b:receive(), 'next')
end


function TestRecords:test_a_list_is_one_record()
  local a, b = record_pair()
  lu.assertEquals(a:send { 'a', 1, 'b' }, 3)
  lu.assertEquals(a:send('abc', 2), 3)
  lu.assertEquals(b:receive(), 'a1b')
  lu.assertEquals(b:receive(), 'bc')
end


function TestRecords:test_timeouts_and_closed_objects_have_empty_parts()
  local a, b = record_pair()
  a:settimeout(0)
  assert_results(results(a:receive()), nil, 'timeout', '', errno.ETIMEDOUT)
  fill(function()
    local sent, message, partial = a:send(pattern(1000))
    if not sent then
      lu.assertEquals(partial, 0)
    end
    return sent, message
  end)
  lu.assertEquals(a:events(), 'w')
  b:close()
  assert_results(results(b:receive()), nil, 'closed', '', nil)
  assert_results(results(b:send 'x'), nil, 'closed', 0, nil)
end


function TestRecords:test_a_server_accepts_records()
  local path = support.path()
  local server = keep(sock99.socket { path = path, server = true, seqpacket = true })
  local client = keep(sock99.socket { path = path, seqpacket = true })
  local peer = keep(server:accept())
  client:send 'one'
  client:send 'two'
  lu.assertEquals({ peer:receive(), peer:receive() }, { 'one', 'two' })
end


-- Memory

-- Calls f with ever more memory, until it has enough.
local function starve(f)
  for n = 0, 1000 do
    if support.starve(n, f) then
      return n
    end
  end
  lu.fail('it never has enough')
end


function TestMemory:test_running_out_anywhere_leaves_the_object_usable()
  for _, pair in ipairs { inet_pair, unix_pair } do
    local a, b = pair()
    local enough = starve(function()
      a:send(pattern(150))
      b:receive()
      a:sendmany { 'x', pattern(100), { 'z' } }
      b:receivemany()
    end)
    lu.assertTrue(enough > 0)
    b:settimeout(0)
    repeat
      local data = b:receive()
    until not data
    b:settimeout(5)
    a:send 'fine'
    lu.assertEquals(b:receive(), 'fine')
    a:sendmany { 'fine', 'too' }
    lu.assertEquals(data_of(b:receivemany()), { 'fine', 'too' })
  end
end


-- What calls f when it is collected.
local function on_collect(f)
  if newproxy then
    getmetatable(newproxy(true)).__gc = f
  else
    setmetatable({}, { __gc = f })
  end
end


-- Lua may collect before it has copied what it is given.
function TestMemory:test_a_finalizer_that_receives_does_not_disturb_a_receive()
  local a, b = inet_pair()
  local c, d = inet_pair()
  c:settimeout(0)
  d:settimeout(0)
  local calls = 0
  local function receive_too()
    calls = calls + 1
    c:send(('!'):rep(9000))
    d:receive()
    c:sendmany { ('?'):rep(9000), ('?'):rep(9000) }
    d:receivemany()
  end
  for _ = 1, 300 do
    for _ = 1, 5 do
      on_collect(receive_too)
    end
    a:send(pattern(9000))
    assert_same(b:receive(), pattern(9000))
    a:sendmany { pattern(8000), pattern(7000) }
    local list = b:receivemany()
    if #list == 1 then
      list[2] = b:receivemany()[1]
    end
    assert_same(list[1], pattern(8000))
    assert_same(list[2], pattern(7000))
  end
  collectgarbage()
  lu.assertTrue(calls > 0)
end


support.run()
