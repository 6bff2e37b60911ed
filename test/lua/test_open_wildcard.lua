-- Servers on every address, IPv6 zones, and machines without IPv6.

local lu = require 'luaunit'
local support = require 'support'

local open, fails, refuses, with = support.open, support.fails, support.refuses, support.with

TestWildcard = support.suite()
TestZone = support.suite()
TestWithoutIpv6 = support.suite()


local function assert_reachable(server, host, type_fields)
  local client = open(with({ host = host, port = support.port_of(server) }, type_fields or {}))
  if type_fields then
    support.send(client, 'hello')
    lu.assertEquals((support.recv(server)), 'hello')
  else
    support.assert_talk(client, assert(support.accept(server)))
  end
end


local function assert_unreachable(server, host)
  fails({ host = host, port = support.port_of(server) }, 'connect', 'ECONNREFUSED')
end


local function v6only(fd)
  return support.getsockopt(fd, support.IPPROTO_IPV6, support.IPV6_V6ONLY)
end


function TestWildcard:test_a_server_without_address_is_reached_over_both_families()
  local server = open { server = true }
  lu.assertEquals((support.getsockname(server)), '::')
  lu.assertEquals(v6only(server), 0)
  assert_reachable(server, '127.0.0.1')
  assert_reachable(server, '::1')
end


function TestWildcard:test_a_star_is_every_address()
  for _, datagram in ipairs { false, true } do
    for field, expected in pairs { host = '::', ipv4 = '0.0.0.0', ipv6 = '::' } do
      local server = open { server = true, datagram = datagram, [field] = '*' }
      lu.assertEquals((support.getsockname(server)), expected)
      if expected == '::' then
        lu.assertEquals(v6only(server), field == 'host' and 0 or 1)
      end
      if field ~= 'ipv6' then
        assert_reachable(server, '127.0.0.1', datagram and { datagram = true } or nil)
      end
      if field ~= 'ipv4' then
        assert_reachable(server, '::1', datagram and { datagram = true } or nil)
      end
    end
    lu.assertEquals((support.getsockname(open {
      server = true, datagram = datagram, host = '*', family = 'inet' })), '0.0.0.0')
  end
  lu.assertEquals((select(4, require 'sock99'.open { host = '*', port = 80 })), 'getaddrinfo')
  refuses({ ipv4 = '*', port = 80 }, "ipv4 '*' is not a numeric IPv4 address")
end


function TestWildcard:test_a_local_star_is_any_address_of_the_family()
  local server = open { server = true }
  local own = support.closed_port()
  for _, host in ipairs { '127.0.0.1', '::1' } do
    local client = open {
      host = host, port = support.port_of(server), bind = { host = '*', port = own },
    }
    lu.assertEquals({ support.getsockname(client) }, { host, own })
    client = open { host = host, port = support.port_of(server), bind = { host = '*' } }
    lu.assertEquals((support.getsockname(client)), host)
  end
end


function TestWildcard:test_so_is_a_datagram_server()
  local server = open { server = true, datagram = true }
  assert_reachable(server, '127.0.0.1', { datagram = true })
  assert_reachable(server, '::1', { datagram = true })
end


function TestWildcard:test_whatever_the_system_setting_is()
  for _, setting in ipairs { '0', '1' } do
    support.in_network(function()
      local file = io.open('/proc/sys/net/ipv6/bindv6only', 'w')
      lu.skipIf(not (file and file:write(setting) and file:close()),
                'bindv6only cannot be set in a network namespace')
      assert_reachable(open { server = true }, '127.0.0.1')
      local server = open { server = true, host = '::' }
      assert_reachable(server, '::1')
      assert_unreachable(server, '127.0.0.1')
    end)
  end
end


function TestWildcard:test_v6only_true_makes_it_ipv6_only()
  local server = open { server = true, sockopts = { v6only = true } }
  assert_reachable(server, '::1')
  assert_unreachable(server, '127.0.0.1')
end


function TestWildcard:test_an_explicit_one_of_ipv6_is_ipv6_only()
  for _, field in ipairs { 'host', 'ipv6' } do
    local server = open { server = true, [field] = '::' }
    lu.assertEquals(v6only(server), 1)
    assert_reachable(server, '::1')
    assert_unreachable(server, '127.0.0.1')
  end
end


function TestWildcard:test_v6only_false_makes_it_dual_stack()
  local server = open { server = true, host = '::', sockopts = { v6only = false } }
  assert_reachable(server, '127.0.0.1')
  assert_reachable(server, '::1')
end


function TestWildcard:test_an_explicit_one_of_ipv4_is_ipv4_only()
  local server = open { server = true, host = '0.0.0.0' }
  assert_reachable(server, '127.0.0.1')
  assert_unreachable(server, '::1')
end


function TestWildcard:test_explicit_ones_of_both_families_share_a_port()
  local first = open { server = true, host = '0.0.0.0' }
  local port = support.port_of(first)
  local second = open { server = true, host = '::', port = port }
  assert_reachable(first, '127.0.0.1')
  assert_reachable(second, '::1')
end


function TestWildcard:test_family_restricts_it()
  local server = open { server = true, family = 'inet' }
  assert_reachable(server, '127.0.0.1')
  assert_unreachable(server, '::1')
  server = open { server = true, family = 'inet6' }
  assert_reachable(server, '::1')
  assert_unreachable(server, '127.0.0.1')
end


function TestWildcard:test_a_port_that_is_taken_over_ipv4_is_taken()
  local _, port = support.server { host = '0.0.0.0' }
  -- No fall back to a half of what was asked for.
  fails({ server = true, port = port }, 'bind', 'EADDRINUSE')
end


function TestWildcard:test_a_second_server_on_a_name_does_not_slide_to_its_next_address()
  local first = open { server = true, host = 'localhost' }
  fails({ server = true, host = 'localhost', port = support.port_of(first) }, 'bind', 'EADDRINUSE')
end


function TestWildcard:test_options_of_both_levels_are_set_on_a_dual_stack_server()
  local server = open { server = true, sockopts = { ttl = 33 } }
  lu.assertEquals(support.getsockopt(server, support.IPPROTO_IP, support.IP_TTL), 33)
  lu.assertEquals(support.getsockopt(server, support.IPPROTO_IPV6, support.IPV6_UNICAST_HOPS), 33)
end


-- Zones

local function with_link_local_address(f)
  support.in_network(function()
    local _, status = support.output_of 'ip -6 address add fe80::1/64 dev lo nodad 2>&1; echo $?'
      :match '^(.-)\n?(%d+)$'
    lu.skipIf(status ~= '0', 'ip(8) cannot add an address')
    -- The kernel gets round to using it in its own time.
    local probe, patience = support.socket('inet6', 'dgram'), support.now() + 5
    assert(support.bind(probe, 'fe80::1%lo', 0))
    repeat
      support.send(probe, 'there?', 'fe80::1%lo', support.port_of(probe))
    until support.readable(probe, 0.01) or support.now() > patience
    support.close(probe)
    f()
  end)
end


function TestZone:test_a_link_local_address_by_interface_name_or_index()
  with_link_local_address(function()
    for _, host in ipairs { 'fe80::1%lo', 'fe80::1%1' } do
      for _, field in ipairs { 'host', 'ipv6' } do
        local server = open { server = true, [field] = host }
        lu.assertEquals((support.getsockname(server)), 'fe80::1%lo')
        local client = open { [field] = host, port = support.port_of(server) }
        lu.assertEquals((support.getpeername(client)), 'fe80::1%lo')
        support.assert_talk(client, assert(support.accept(server)))
      end
    end
  end)
end


function TestZone:test_in_bind()
  with_link_local_address(function()
    local server = open { server = true, host = 'fe80::1%lo' }
    local client = open { host = 'fe80::1%lo', port = support.port_of(server),
                          bind = { host = 'fe80::1%lo' } }
    lu.assertEquals((support.getsockname(client)), 'fe80::1%lo')
  end)
end


function TestZone:test_is_told_in_errors()
  with_link_local_address(function()
    fails({ host = 'fe80::1%lo', port = 80 }, 'connect', 'ECONNREFUSED',
          'connect [fe80::1%lo]:80: Connection refused')
    fails({ host = 'fe80::1%1', port = 80 }, 'connect', 'ECONNREFUSED',
          'connect [fe80::1%lo]:80: Connection refused')
  end)
end


local MISSING = ' (zone missing, as in fe80::1%eth0): Invalid argument'

function TestZone:test_a_link_local_address_without_one_is_told_so()
  for _, field in ipairs { 'host', 'ipv6' } do
    local t = { [field] = 'fe80::1', port = 80 }
    fails(t, 'connect', 'EINVAL', 'connect [fe80::1]:80' .. MISSING)
    t.timeout = 5
    fails(t, 'connect', 'EINVAL', 'connect [fe80::1]:80' .. MISSING)
    t.timeout, t.datagram = nil, true
    fails(t, 'connect', 'EINVAL', 'connect [fe80::1]:80' .. MISSING)
    t.server, t.port = true, 0
    fails(t, 'bind', 'EINVAL', 'bind [fe80::1]:0' .. MISSING)
    t.datagram = nil
    fails(t, 'bind', 'EINVAL', 'bind [fe80::1]:0' .. MISSING)
  end
  fails({ host = '::1', port = 80, bind = { host = 'fe80::1' } }, 'bind', 'EINVAL',
        'bind [fe80::1]:0' .. MISSING)
end


function TestZone:test_so_are_methods()
  local sock99 = require 'sock99'
  local code = sock99.errno.EINVAL
  local stream = support.keep(sock99.socket { family = 'inet6', connect = false })
  local datagram = support.keep(sock99.socket { family = 'inet6', datagram = true })
  for call, results in pairs {
    connect = { stream:connect('fe80::1', 80) },
    bind = { stream:bind('fe80::1', 80) },
  } do
    lu.assertEquals(results, { nil, call .. ' [fe80::1]:80' .. MISSING, code, call })
  end
  support.in_network(function()
    local object = sock99.socket { family = 'inet6', datagram = true }
    local sent, message = object:sendto('x', 'fe80::1', 80)
    if not sent then
      lu.assertStrContains(message, 'sendto [fe80::1]:80 (zone missing')
    end
  end)
  lu.assertEquals({ datagram:setpeername('fe80::1', 80) },
                  { nil, 'connect [fe80::1]:80' .. MISSING, code, 'connect' })
end


-- A group needs an interface where no route leads to one.
function TestZone:test_so_is_a_membership_without_an_interface()
  support.in_network(function()
    local sock99 = require 'sock99'
    local constants = { ['ff02::5'] = 'IPV6_JOIN_GROUP', ['224.0.0.5'] = 'IP_ADD_MEMBERSHIP' }
    for group, constant in pairs(constants) do
      local expected = ('setsockopt %s without an interface: No such device'):format(constant)
      local t = { server = true, datagram = true, sockopts = { join_group = { group = group } } }
      local fd, message = sock99.open(t)
      if not fd then
        lu.assertEquals(message, expected)
        t.sockopts = nil
        local _
        _, message = assert(sock99.socket(t)):setoption('join_group', { group = group })
        lu.assertEquals(message, expected)
      end
    end
  end)
end


function TestZone:test_on_an_address_that_needs_none()
  local server = open { server = true, host = '::1%lo' }
  assert_reachable(server, '::1')
  assert_reachable(server, '::1%lo')
end


function TestZone:test_an_unknown_one_is_a_configuration_error()
  for _, field in ipairs { 'host', 'ipv6' } do
    refuses({ [field] = 'fe80::1%nosuch9', port = 80 },
            field .. " 'fe80::1%nosuch9': no interface 'nosuch9'")
    refuses({ [field] = 'fe80::1%', port = 80 }, field .. " 'fe80::1%': no interface ''")
    refuses({ [field] = 'fe80::1%0', port = 80 }, field .. " 'fe80::1%0': no interface '0'")
    refuses({ [field] = 'fe80::1%lo%lo', port = 80 })
  end
  refuses({ datagram = true, bind = { host = '::1%nosuch9' } },
          "bind: host '::1%nosuch9': no interface 'nosuch9'")
end


function TestZone:test_none_for_ipv4()
  refuses({ ipv4 = '127.0.0.1%lo', port = 80 },
          "ipv4 '127.0.0.1%lo' is not a numeric IPv4 address")
end


-- IPv6 switched off

function TestWithoutIpv6:test_a_server_without_address_works_over_ipv4()
  support.without_ipv6(function()
    assert_reachable(open { server = true }, '127.0.0.1')
    assert_reachable(open { server = true, datagram = true }, '127.0.0.1', { datagram = true })
  end)
end


function TestWithoutIpv6:test_a_client_without_host_reaches_this_machine()
  support.without_ipv6(function()
    local server, port = support.server {}
    support.assert_talk(open { port = port }, assert(support.accept(server)))
  end)
end


function TestWithoutIpv6:test_a_server_on_a_name_takes_the_address_that_works()
  support.without_ipv6(function()
    assert_reachable(open { server = true, host = 'localhost' }, '127.0.0.1')
  end)
end


function TestWithoutIpv6:test_an_explicit_address_is_an_error()
  support.without_ipv6(function()
    fails({ server = true, host = '::1' }, 'bind', 'EADDRNOTAVAIL',
          'bind [::1]:0: Cannot assign requested address')
  end)
end


-- As on a kernel without IPv6, where not even a socket can be had.
function TestWithoutIpv6:test_where_there_is_no_family_at_all()
  support.in_child(function()
    local ok, why = support.deny('socket inet6', require 'sock99'.errno.EAFNOSUPPORT)
    lu.skipIf(not ok, why)
    local server = open { server = true }
    lu.assertEquals((support.getsockname(server)), '0.0.0.0')
    assert_reachable(server, '127.0.0.1')
    support.assert_talk(open { port = support.port_of(server) }, assert(support.accept(server)))
    fails({ server = true, host = '::1' }, 'socket', 'EAFNOSUPPORT')
    fails({ server = true, family = 'inet6' }, 'socket', 'EAFNOSUPPORT')
  end)
end


support.run()
