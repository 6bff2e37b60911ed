-- TCP and UDP over IPv4 and IPv6: what is opened talks.

local lu = require 'luaunit'
local support = require 'support'

local open, with = support.open, support.with

TestTcp = support.suite()
TestUdp = support.suite()


local function assert_tcp_talks(server_address, client_address)
  local server = open(with(server_address, { server = true }))
  local port = support.port_of(server)
  lu.assertTrue(port > 0)
  local client = open(with(client_address or server_address, { port = port }))
  local accepted = assert(support.accept(server))
  support.assert_talk(client, accepted)
  return server, client, accepted
end


function TestTcp:test_host_of_ipv4_talks()
  local server, client = assert_tcp_talks { host = '127.0.0.1' }
  lu.assertEquals((support.getsockname(server)), '127.0.0.1')
  lu.assertEquals((support.getpeername(client)), '127.0.0.1')
end


function TestTcp:test_host_of_ipv6_talks()
  local server, client = assert_tcp_talks { host = '::1' }
  lu.assertEquals((support.getsockname(server)), '::1')
  lu.assertEquals((support.getpeername(client)), '::1')
end


function TestTcp:test_field_ipv4_talks()
  assert_tcp_talks { ipv4 = '127.0.0.1' }
end


function TestTcp:test_field_ipv6_talks()
  assert_tcp_talks { ipv6 = '::1' }
end


function TestTcp:test_name_talks()
  assert_tcp_talks { host = 'localhost' }
end


function TestTcp:test_name_with_family_inet_is_ipv4()
  local server = assert_tcp_talks { host = 'localhost', family = 'inet' }
  lu.assertEquals((support.getsockname(server)), '127.0.0.1')
end


function TestTcp:test_mapped_address_is_ipv4()
  local server, client = assert_tcp_talks { host = '::ffff:127.0.0.1' }
  lu.assertEquals((support.getsockname(server)), '127.0.0.1')
  lu.assertEquals(support.getsockopt(client, support.SOL_SOCKET, support.SO_DOMAIN),
                  support.AF_INET)
end


function TestTcp:test_client_without_host_reaches_this_machine_over_either_family()
  assert_tcp_talks({ host = '127.0.0.1' }, {})
  assert_tcp_talks({ host = '::1' }, {})
end


function TestTcp:test_client_with_family_alone_takes_only_that()
  assert_tcp_talks({ host = '127.0.0.1' }, { family = 'inet' })
  assert_tcp_talks({ host = '::1' }, { family = 'inet6' })
  local _, port = support.server { host = '127.0.0.1' }
  support.fails({ port = port, family = 'inet6' }, 'connect', 'ECONNREFUSED')
end


function TestTcp:test_server_with_family_alone_listens_on_all_of_it()
  local server = assert_tcp_talks({ family = 'inet' }, { host = '127.0.0.1' })
  lu.assertEquals((support.getsockname(server)), '0.0.0.0')
  server = assert_tcp_talks({ family = 'inet6' }, { host = '::1' })
  lu.assertEquals((support.getsockname(server)), '::')
end


function TestTcp:test_port_zero_is_any_free_port()
  local first = support.server { port = 0 }
  local second = support.server {}
  lu.assertTrue(support.port_of(first) > 0)
  lu.assertNotEquals(support.port_of(first), support.port_of(second))
end


function TestTcp:test_a_given_port_is_the_port()
  local port = support.closed_port()
  local server = support.server { port = port }
  lu.assertEquals(support.port_of(server), port)
end


function TestTcp:test_a_server_comes_back_while_old_connections_linger()
  local server, client, accepted = assert_tcp_talks { host = '127.0.0.1' }
  local port = support.port_of(server)
  -- Whoever closes first keeps the address in TIME_WAIT.
  support.close(accepted)
  support.close(client)
  support.close(server)
  local again = { host = '127.0.0.1', port = port, server = true }
  support.fails(with(again, { sockopts = { reuseaddr = false } }), 'bind', 'EADDRINUSE')
  open(again)
end


local function assert_udp_talks(server_address, client_address)
  local server = open(with(server_address, { server = true, datagram = true }))
  local port = support.port_of(server)
  lu.assertTrue(port > 0)
  local client = open(with(client_address or server_address, { port = port, datagram = true }))
  assert(support.send(client, 'knock, knock'))
  local data, host, from = support.recv(server)
  lu.assertEquals(data, 'knock, knock')
  lu.assertEquals(from, support.port_of(client))
  assert(support.send(server, "who's there?", host, from))
  lu.assertEquals((support.recv(client)), "who's there?")
  return server, client
end


function TestUdp:test_ipv4_talks()
  assert_udp_talks { host = '127.0.0.1' }
  assert_udp_talks { ipv4 = '127.0.0.1' }
end


function TestUdp:test_ipv6_talks()
  assert_udp_talks { host = '::1' }
  assert_udp_talks { ipv6 = '::1' }
end


function TestUdp:test_name_talks()
  assert_udp_talks { host = 'localhost' }
end


function TestUdp:test_client_with_an_address_is_connected()
  local server, client = assert_udp_talks { host = '127.0.0.1' }
  local host, port = assert(support.getpeername(client))
  lu.assertEquals({ host, port }, { '127.0.0.1', support.port_of(server) })
  local stranger = open { host = '127.0.0.1', server = true, datagram = true }
  assert(support.send(stranger, 'spam', '127.0.0.1', support.port_of(client)))
  lu.assertFalse(support.readable(client, 0.05))
end


function TestUdp:test_refusal_reaches_a_client()
  local server, client = assert_udp_talks { host = '127.0.0.1' }
  support.close(server)
  assert(support.send(client, 'anybody?'))
  local data, _, code = support.recv(client)
  lu.assertNil(data)
  lu.assertEquals(require 'sock99'.errno[code], 'ECONNREFUSED')
end


function TestUdp:test_connect_false_leaves_it_unconnected()
  local client = open { host = '127.0.0.1', port = 9, datagram = true, connect = false }
  lu.assertNil((support.getpeername(client)))
end


function TestUdp:test_client_without_address_is_unconnected_and_can_send_anywhere()
  local server = open { host = '127.0.0.1', server = true, datagram = true }
  local client = open { datagram = true }
  lu.assertNil((support.getpeername(client)))
  assert(support.send(client, 'hello', '127.0.0.1', support.port_of(server)))
  lu.assertEquals((support.recv(server)), 'hello')
end


function TestUdp:test_client_without_address_has_the_family_asked_for()
  for family, number in pairs { inet = support.AF_INET, inet6 = support.AF_INET6 } do
    local fd = open { datagram = true, family = family }
    lu.assertEquals(support.getsockopt(fd, support.SOL_SOCKET, support.SO_DOMAIN), number)
  end
end


function TestUdp:test_groups_stay_unconnected()
  for _, host in ipairs { '239.255.0.1', '255.255.255.255', 'ff02::1' } do
    local fd = open { host = host, port = 9, datagram = true }
    lu.assertNil((support.getpeername(fd)), host)
  end
end


function TestUdp:test_broadcast_address_of_loopback_stays_unconnected()
  support.in_network(function()
    local everybody = { host = '127.255.255.255', port = 9, datagram = true }
    local fd = open(everybody)
    lu.assertNil((support.getpeername(fd)))
    fd = open(with(everybody, { sockopts = { broadcast = true } }))
    lu.assertNil((support.getpeername(fd)))
    lu.assertEquals(support.getsockopt(fd, support.SOL_SOCKET, support.SO_BROADCAST), 1)
  end)
end


-- RFC 3021
function TestUdp:test_a_network_of_two_has_no_broadcast_address()
  support.in_network(function()
    support.output_of 'ip addr add 10.9.9.8/31 dev lo 2>&1'
    local fd = open { host = '10.9.9.9', port = 9, datagram = true,
                      sockopts = { broadcast = true } }
    lu.assertEquals((support.getpeername(fd)), '10.9.9.9')
  end)
end


function TestUdp:test_an_ipv6_host_with_broadcast_on_is_connected()
  local fd = open { host = '::1', port = 9, datagram = true, sockopts = { broadcast = true } }
  lu.assertEquals((support.getpeername(fd)), '::1')
end


-- The same error as that of a broadcast without leave.
function TestUdp:test_a_host_that_may_not_be_reached_is_an_error_of_connect()
  support.in_network(function()
    local said = support.output_of 'ip route add prohibit 10.9.9.0/24 2>&1'
    lu.skipIf(said ~= '', said)
    support.fails({ host = '10.9.9.255', port = 9, datagram = true }, 'connect', 'EACCES')
  end)
end


function TestUdp:test_an_ordinary_host_with_broadcast_on_is_connected()
  local fd = open { host = '127.0.0.1', port = 9, datagram = true, sockopts = { broadcast = true } }
  lu.assertEquals((support.getpeername(fd)), '127.0.0.1')
end


function TestUdp:test_a_taken_port_is_in_use_by_default()
  local fd = open { host = '127.0.0.1', server = true, datagram = true }
  local port = support.port_of(fd)
  support.fails({ host = '127.0.0.1', port = port, server = true, datagram = true }, 'bind',
                'EADDRINUSE', ('bind 127.0.0.1:%d: Address already in use'):format(port))
end


support.run()
