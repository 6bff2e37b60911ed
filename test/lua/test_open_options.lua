-- Socket options in an opening: they are set, before bind and connect.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

local open, fails, refuses = support.open, support.fails, support.refuses

TestOptions = support.suite()


local function server(sockopts, fields)
  return (support.server(support.with({ sockopts = sockopts }, fields or {})))
end


local function integer(fd, level, option)
  return support.getsockopt(fd, support[level], support[option])
end


function TestOptions:test_booleans()
  local fd = server { keepalive = true, nodelay = true }
  lu.assertEquals(integer(fd, 'SOL_SOCKET', 'SO_KEEPALIVE'), 1)
  lu.assertEquals(integer(fd, 'IPPROTO_TCP', 'TCP_NODELAY'), 1)
  fd = server { keepalive = false, nodelay = false }
  lu.assertEquals(integer(fd, 'SOL_SOCKET', 'SO_KEEPALIVE'), 0)
  lu.assertEquals(integer(fd, 'IPPROTO_TCP', 'TCP_NODELAY'), 0)
end


function TestOptions:test_integers()
  local fd = server { rcvbuf = 65536, keepidle = 33, tos = 16 }
  -- Linux doubles it, for its own needs (socket(7)).
  lu.assertEquals(integer(fd, 'SOL_SOCKET', 'SO_RCVBUF'), 131072)
  lu.assertEquals(integer(fd, 'IPPROTO_TCP', 'TCP_KEEPIDLE'), 33)
  lu.assertEquals(integer(fd, 'IPPROTO_IP', 'IP_TOS'), 16)
end


function TestOptions:test_seconds_and_false_for_linger()
  local fd = server { linger = 7 }
  lu.assertEquals({ support.linger(fd) }, { true, 7 })
  fd = server { linger = 0 }
  lu.assertEquals({ support.linger(fd) }, { true, 0 })
  fd = server { linger = false }
  lu.assertEquals((support.linger(fd)), false)
end


function TestOptions:test_names_in_every_spelling()
  for _, name in ipairs { 'keepalive', 'SO_KEEPALIVE', 'so_keepalive', 'KeepAlive', 'keepalive' } do
    local fd = server { [name] = true }
    lu.assertEquals(integer(fd, 'SOL_SOCKET', 'SO_KEEPALIVE'), 1, name)
  end
  for _, name in ipairs { 'user_timeout', 'user-timeout', 'TCP_USER_TIMEOUT' } do
    local fd = server { [name] = 1234 }
    lu.assertEquals(integer(fd, 'IPPROTO_TCP', 'TCP_USER_TIMEOUT'), 1234, name)
  end
end


function TestOptions:test_numbered_ones()
  local keepalive = { support.SOL_SOCKET, support.SO_KEEPALIVE, 1 }
  local fd = server { keepalive, { support.IPPROTO_TCP, support.TCP_KEEPIDLE, 44 } }
  lu.assertEquals(integer(fd, 'SOL_SOCKET', 'SO_KEEPALIVE'), 1)
  lu.assertEquals(integer(fd, 'IPPROTO_TCP', 'TCP_KEEPIDLE'), 44)
end


function TestOptions:test_level_zero_is_the_level_of_ip()
  lu.assertEquals(support.IPPROTO_IP, 0)
  local fd = server { { 0, support.IP_TOS, 8 } }
  lu.assertEquals(integer(fd, 'IPPROTO_IP', 'IP_TOS'), 8)
end


function TestOptions:test_a_numbered_one_takes_bytes()
  local one = ('\1'):rep(4)
  local fd = server { { support.SOL_SOCKET, support.SO_KEEPALIVE, one } }
  lu.assertEquals(integer(fd, 'SOL_SOCKET', 'SO_KEEPALIVE'), 1)
end


function TestOptions:test_named_and_numbered_in_their_order()
  -- The array comes last, in sequence, so that its last word counts.
  local fd = server {
    keepidle = 11,
    { support.IPPROTO_TCP, support.TCP_KEEPIDLE, 22 },
    { support.IPPROTO_TCP, support.TCP_KEEPIDLE, 33 },
  }
  lu.assertEquals(integer(fd, 'IPPROTO_TCP', 'TCP_KEEPIDLE'), 33)
end


function TestOptions:test_any_number_of_them()
  local sockopts = {}
  for i = 1, 300 do
    sockopts[i] = { support.IPPROTO_TCP, support.TCP_KEEPIDLE, i }
  end
  sockopts.keepalive, sockopts.nodelay, sockopts.rcvbuf = true, true, 65536
  local fd = server(sockopts)
  lu.assertEquals(integer(fd, 'IPPROTO_TCP', 'TCP_KEEPIDLE'), 300)
  lu.assertEquals(integer(fd, 'SOL_SOCKET', 'SO_KEEPALIVE'), 1)
  lu.assertEquals(integer(fd, 'IPPROTO_TCP', 'TCP_NODELAY'), 1)
end


function TestOptions:test_on_every_kind_of_socket()
  local path = support.path()
  local kinds = {
    { host = '127.0.0.1', server = true }, { host = '::1', server = true },
    { host = '127.0.0.1', port = 9, datagram = true }, { datagram = true }, { connect = false },
    { path = path, server = true }, { path = path }, { path = path, connect = false },
  }
  for _, t in ipairs(kinds) do
    t.sockopts = { keepalive = true }
    lu.assertEquals(integer(open(t), 'SOL_SOCKET', 'SO_KEEPALIVE'), 1)
  end
end


function TestOptions:test_are_set_before_bind()
  -- Two may share a port only if both asked for it before they were bound.
  local share = { reuseport = true }
  local fd = server(share)
  server(share, { port = support.port_of(fd) })
  server(share, { port = support.port_of(fd) })
  fd = server({ reuseaddr = true }, { datagram = true })
  server({ reuseaddr = true }, { datagram = true, port = support.port_of(fd) })
end


function TestOptions:test_are_set_before_connect()
  -- The first segment tells the peer how large the others may be.
  local listening, port = support.server {}
  open { host = '127.0.0.1', port = port, sockopts = { maxseg = 600 } }
  local segment = integer(assert(support.accept(listening)), 'IPPROTO_TCP', 'TCP_MAXSEG')
  lu.assertTrue(segment <= 600, segment)
end


function TestOptions:test_a_stream_server_reuses_its_address_unless_told_not_to()
  lu.assertEquals(integer(server {}, 'SOL_SOCKET', 'SO_REUSEADDR'), 1)
  lu.assertEquals(integer(server { reuseaddr = true }, 'SOL_SOCKET', 'SO_REUSEADDR'), 1)
  lu.assertEquals(integer(server { reuseaddr = false }, 'SOL_SOCKET', 'SO_REUSEADDR'), 0)
  lu.assertEquals(integer(server({}, { datagram = true }), 'SOL_SOCKET', 'SO_REUSEADDR'), 0)
  local numbered = { { support.SOL_SOCKET, support.SO_REUSEADDR, 0 } }
  lu.assertEquals(integer(server(numbered), 'SOL_SOCKET', 'SO_REUSEADDR'), 0)
end


function TestOptions:test_either_name_on_either_family()
  for _, name in ipairs { 'ttl', 'unicast_hops' } do
    local fd = server({ [name] = 9 }, { host = '127.0.0.1' })
    lu.assertEquals(integer(fd, 'IPPROTO_IP', 'IP_TTL'), 9)
    fd = server({ [name] = 9 }, { host = '::1' })
    lu.assertEquals(integer(fd, 'IPPROTO_IPV6', 'IPV6_UNICAST_HOPS'), 9)
  end
end


function TestOptions:test_a_membership_receives()
  support.in_network(function()
    support.output_of 'ip route add 239.0.0.0/8 dev lo 2>&1'
    local group = { group = '239.1.2.3', interface = '127.0.0.1' }
    local fd = open { host = '0.0.0.0', server = true, datagram = true,
                      sockopts = { add_membership = group } }
    local client = open { host = '239.1.2.3', port = support.port_of(fd), datagram = true,
                          sockopts = { multicast_if = '127.0.0.1' } }
    assert(support.send(client, 'hello', '239.1.2.3', support.port_of(fd)))
    lu.assertEquals((support.recv(fd)), 'hello')
  end)
end


function TestOptions:test_a_list_of_memberships_and_interfaces_by_name()
  support.in_network(function()
    local fd = open { host = '0.0.0.0', server = true, datagram = true, sockopts = {
      add_membership = { { group = '239.1.1.1', interface = 'lo' },
                         { group = '239.1.1.2', interface = 1 } },
    } }
    local file = assert(io.open '/proc/net/igmp')
    local text = file:read '*a'
    file:close()
    -- In the byte order of the machine
    lu.assertStrContains(text, '010101EF')
    lu.assertStrContains(text, '020101EF')
    support.close(fd)
    lu.assertStrMatches(
      fails({ host = '0.0.0.0', server = true, datagram = true, sockopts = {
        add_membership = { { group = '239.1.1.1', interface = 'lo' },
                           { group = '239.1.1.1', interface = 'lo' } },
      } }, 'setsockopt', 'EADDRINUSE'), 'setsockopt .+: Address already in use')
  end)
end


function TestOptions:test_values_out_of_range_are_named()
  local message = refuses { server = true, sockopts = { rcvbuf = 2 ^ 40 } }
  lu.assertStrContains(message, 'rcvbuf')
  message = refuses { server = true, sockopts = { linger = -1 } }
  lu.assertStrContains(message, 'linger')
  message = refuses { server = true, sockopts = { linger = 0 / 0 } }
  lu.assertStrContains(message, 'linger')
  message = refuses { server = true, sockopts = { rcvtimeo = math.huge } }
  lu.assertStrContains(message, 'rcvtimeo')
  refuses { server = true, sockopts = { { 2 ^ 40, 1, 1 } } }
  refuses { server = true, sockopts = { { 1, -2 ^ 40, 1 } } }
  refuses { server = true, sockopts = { { 1, 2, 1e300 } } }
end


function TestOptions:test_an_empty_table_is_no_option()
  open { host = '127.0.0.1', server = true, sockopts = {} }
end


-- An option of one family alone

local of_ipv6 = {
  v6only = false, recvpathmtu = true,
  join_group = { group = 'ff02::1', interface = 'lo' },
  [1] = { 41, 26, 0 },
}


-- Without IPv6 in the kernel, what is said for it is said in vain.
function TestOptions:test_an_option_of_one_family_does_not_end_an_opening_on_the_other()
  for name, value in pairs(of_ipv6) do
    support.in_child(function()
      local ok, why = support.deny('socket inet6', sock99.errno.EAFNOSUPPORT)
      lu.skipIf(not ok, why)
      local t = { server = true, sockopts = { [name] = value } }
      lu.assertEquals((sock99.socket(t):getsockname()), '0.0.0.0', name)
      t.datagram = true
      lu.assertEquals((sock99.socket(t):getsockname()), '0.0.0.0', name)
      local listener = sock99.socket { server = true, ipv4 = '127.0.0.1' }
      local _, port = listener:getsockname()
      for _, timeout in ipairs { false, 5 } do
        local client = { port = port, sockopts = { [name] = value }, timeout = timeout or nil }
        lu.assertNotNil(sock99.socket(client), name)
        client.host = 'localhost'
        lu.assertNotNil(sock99.socket(client), name)
      end
    end)
  end
end


-- Where the program has chosen the family, the option is a mistake.
function TestOptions:test_an_option_of_the_other_family_is_an_error_where_there_is_but_one()
  for name, value in pairs(of_ipv6) do
    for _, t in ipairs {
      { server = true, host = '127.0.0.1' }, { server = true, family = 'inet' },
      { server = true, ipv4 = '127.0.0.1', datagram = true },
    } do
      t.sockopts = { [name] = value }
      local fd, _, code, stage = sock99.open(t)
      lu.assertEquals({ fd, code, stage }, { nil, sock99.errno.ENOPROTOOPT, 'setsockopt' }, name)
    end
  end
end


-- On a dual-stack socket both levels are set; the message names the one that failed.
function TestOptions:test_the_constant_is_that_of_the_call_that_failed()
  for _, case in ipairs {
    { { ttl = 0 }, 'IP_TTL: Invalid argument' },
    { { unicast_hops = 0 }, 'IP_TTL: Invalid argument' },
    { { join_group = { group = '10.1.1.1', interface = 'lo' } },
      'IP_ADD_MEMBERSHIP: Invalid argument' },
    { { join_group = { group = 'fe80::1', interface = 'lo' } },
      'IPV6_JOIN_GROUP: Invalid argument' },
    { { rcvbuf = 1, ttl = 0 }, 'IP_TTL: Invalid argument' },
  } do
    local t = { server = true, datagram = true, sockopts = case[1] }
    local _, message, code = sock99.open(t)
    lu.assertEquals({ message, code }, { 'setsockopt ' .. case[2], sock99.errno.EINVAL })
    t.sockopts = nil
    local object = support.keep(sock99.socket(t))
    for name, value in pairs(case[1]) do
      local done
      done, message = object:setoption(name, value)
      if not done then
        lu.assertEquals(message, 'setsockopt ' .. case[2])
      end
    end
  end
end


support.run()
