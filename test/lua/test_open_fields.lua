-- Fields that go with every kind of socket.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

local open, with = support.open, support.with

TestFlags = support.suite()
TestConnectFalse = support.suite()
TestBind = support.suite()
TestPort = support.suite()
TestBacklog = support.suite()
TestInheritance = support.suite()


-- An opening of each kind, as client and as server, and f of its descriptor.
local function each_kind(fields, f)
  local addresses = {
    { host = '127.0.0.1' }, { host = '::1' }, { host = 'localhost' },
    { host = '127.0.0.1', datagram = true }, { host = '::1', datagram = true },
    { path = support.path 'stream' }, { path = support.abstract 'stream' },
    { path = support.path 'datagram', datagram = true },
    { path = support.path 'seqpacket', seqpacket = true },
  }
  for _, address in ipairs(addresses) do
    local server = open(with(address, with(fields, { server = true })))
    f(server)
    if address.host then
      address.port = support.port_of(server)
    end
    f(open(with(address, fields)))
  end
  f(open(with({ datagram = true }, fields)))
  f(open(with({ host = '127.0.0.1', connect = false }, fields)))
end


function TestFlags:test_descriptors_block_unless_asked()
  each_kind({}, function(fd)
    lu.assertFalse(support.nonblocking(fd))
  end)
end


function TestFlags:test_nonblocking_false_blocks()
  each_kind({ nonblocking = false }, function(fd)
    lu.assertFalse(support.nonblocking(fd))
  end)
end


function TestFlags:test_nonblocking_is_set_on_every_kind()
  each_kind({ nonblocking = true }, function(fd)
    lu.assertTrue(support.nonblocking(fd))
  end)
end


function TestFlags:test_nonblocking_client_is_connected()
  local server, port = support.server {}
  local client = open { host = '127.0.0.1', port = port, nonblocking = true }
  lu.assertEquals((support.getpeername(client)), '127.0.0.1')
  support.assert_talk(client, assert(support.accept(server)))
end


function TestFlags:test_nonblocking_client_is_refused_as_a_blocking_one_is()
  support.fails({ host = '127.0.0.1', port = support.closed_port(), nonblocking = true }, 'connect',
                'ECONNREFUSED')
end


function TestFlags:test_close_on_exec_is_set_on_every_kind()
  each_kind({}, function(fd)
    lu.assertTrue(support.cloexec(fd))
  end)
end


function TestFlags:test_cloexec_false_leaves_it_off_on_every_kind()
  each_kind({ cloexec = false }, function(fd)
    lu.assertFalse(support.cloexec(fd))
  end)
end


local function is_open_in_a_program(fd)
  return support.output_of(('test -e /dev/fd/%d && echo yes || echo no'):format(fd)) == 'yes'
end


function TestFlags:test_a_program_that_is_started_has_no_descriptor_of_ours()
  lu.assertFalse(is_open_in_a_program(support.server {}))
  lu.assertFalse(is_open_in_a_program(support.server { cloexec = true }))
end


function TestFlags:test_a_program_that_is_started_has_what_it_is_meant_to_have()
  lu.assertTrue(is_open_in_a_program(support.server { cloexec = false }))
end


-- connect = false

function TestConnectFalse:test_stream_client_is_created_and_can_connect_later()
  local server, port = support.server {}
  local fd = open { host = '127.0.0.1', port = port, connect = false }
  lu.assertNil((support.getpeername(fd)))
  assert(support.connect(fd, '127.0.0.1', port))
  support.assert_talk(fd, assert(support.accept(server)))
end


function TestConnectFalse:test_server_is_bound_and_does_not_listen()
  local fd = open { host = '127.0.0.1', server = true, connect = false }
  lu.assertTrue(support.port_of(fd) > 0)
  lu.assertEquals(support.getsockopt(fd, support.SOL_SOCKET, support.SO_ACCEPTCONN), 0)
  assert(support.listen(fd, 1))
  open { host = '127.0.0.1', port = support.port_of(fd) }
end


function TestConnectFalse:test_needs_no_address()
  local fd = open { connect = false }
  lu.assertEquals(support.getsockopt(fd, support.SOL_SOCKET, support.SO_TYPE), support.SOCK_STREAM)
  lu.assertEquals(support.getsockopt(fd, support.SOL_SOCKET, support.SO_DOMAIN), support.AF_INET)
  fd = open { connect = false, family = 'inet6' }
  lu.assertEquals(support.getsockopt(fd, support.SOL_SOCKET, support.SO_DOMAIN), support.AF_INET6)
  fd = open { connect = false, family = 'unix', seqpacket = true }
  lu.assertEquals(support.getsockopt(fd, support.SOL_SOCKET, support.SO_DOMAIN), support.AF_UNIX)
end


function TestConnectFalse:test_is_bound_where_bind_says()
  local fd = open { connect = false, bind = { host = '::1' } }
  lu.assertEquals((support.getsockname(fd)), '::1')
  lu.assertTrue(support.port_of(fd) > 0)
  fd = open { host = '127.0.0.1', connect = false, bind = { host = '127.0.0.2' } }
  lu.assertEquals((support.getsockname(fd)), '127.0.0.2')
end


function TestConnectFalse:test_connect_true_is_the_default_spelt_out()
  local server, port = support.server {}
  support.assert_talk(open { host = '127.0.0.1', port = port, connect = true },
                      assert(support.accept(server)))
end


-- bind

function TestBind:test_client_has_the_host_of_bind()
  local server, port = support.server { host = '0.0.0.0' }
  local client = open { host = '127.0.0.1', port = port, bind = { host = '127.0.0.3' } }
  lu.assertEquals((support.getsockname(client)), '127.0.0.3')
  lu.assertEquals((support.getpeername(assert(support.accept(server)))), '127.0.0.3')
end


function TestBind:test_client_has_the_port_of_bind()
  local _, port = support.server {}
  local own = support.closed_port()
  local client = open { host = '127.0.0.1', port = port, bind = { port = own } }
  lu.assertEquals(support.port_of(client), own)
  client = open { host = '::1', port = port, datagram = true, bind = { port = own } }
  lu.assertEquals(support.port_of(client), own)
end


function TestBind:test_client_has_host_and_port_of_bind()
  local _, port = support.server { host = '::1' }
  local own = support.closed_port '::1'
  local client = open { host = '::1', port = port, bind = { host = '::1', port = tostring(own) } }
  lu.assertEquals({ support.getsockname(client) }, { '::1', own })
end


function TestBind:test_datagram_without_address_is_bound()
  local own = support.closed_port()
  local fd = open { datagram = true, bind = { host = '127.0.0.1', port = own } }
  lu.assertEquals({ support.getsockname(fd) }, { '127.0.0.1', own })
  lu.assertNil((support.getpeername(fd)))
end


function TestBind:test_its_family_picks_among_the_addresses_of_a_name()
  local _, port = support.server { host = '127.0.0.1' }
  local client = open { host = 'localhost', port = port, bind = { host = '127.0.0.1' } }
  lu.assertEquals((support.getpeername(client)), '127.0.0.1')
  client = open { port = port, bind = { host = '127.0.0.1' } }
  lu.assertEquals((support.getpeername(client)), '127.0.0.1')
end


function TestBind:test_no_address_of_its_family_is_an_error_of_bind()
  support.fails({ host = '127.0.0.1', port = 9, bind = { host = '::1' } }, 'bind', 'EAFNOSUPPORT',
                'bind [::1]:0: Address family not supported by protocol')
end


function TestBind:test_an_address_of_no_interface_is_an_error_of_bind()
  support.fails({ host = '127.0.0.1', port = 9, bind = { host = '192.0.2.77' } }, 'bind',
                'EADDRNOTAVAIL', 'bind 192.0.2.77:0: Cannot assign requested address')
end


-- port

function TestPort:test_number_as_text()
  local port = support.closed_port()
  lu.assertEquals(support.port_of(support.server { port = tostring(port) }), port)
end


function TestPort:test_hexadecimal_text_is_a_number_as_everywhere_in_lua()
  local port = support.closed_port()
  lu.assertEquals(support.port_of(support.server { port = ('0x%x'):format(port) }), port)
end


function TestPort:test_text_zero_is_any_port()
  lu.assertTrue(support.port_of(support.server { port = '0' }) > 0)
end


function TestPort:test_a_float_without_fraction_is_an_integer()
  local port = support.closed_port()
  lu.assertEquals(support.port_of(support.server { port = port * 1.0 }), port)
end


function TestPort:test_service_name()
  lu.skipIf(not support.output_of 'getent services discard/udp':find '^discard',
            'this system knows no service discard')
  local client = open { host = '127.0.0.1', port = 'discard', datagram = true }
  lu.assertEquals({ support.getpeername(client) }, { '127.0.0.1', 9 })
  client = open { host = 'localhost', port = 'discard', datagram = true }
  local _, port = support.getpeername(client)
  lu.assertEquals(port, 9)
end


function TestPort:test_service_of_the_loopback_client_without_host()
  lu.skipIf(not support.output_of 'getent services http/tcp':find '^http',
            'this system knows no service http')
  support.in_network(function()
    support.fails({ port = 'http', family = 'inet' }, 'connect', 'ECONNREFUSED',
                  'connect 127.0.0.1:80: Connection refused')
  end)
end


function TestPort:test_unknown_service_is_an_error_of_getaddrinfo()
  local message = support.fails({ host = '127.0.0.1', port = 'no-such-service' }, 'getaddrinfo',
                                'EAI_SERVICE')
  lu.assertEquals(message, 'getaddrinfo no-such-service: unknown service')
end


function TestPort:test_limits_are_ports()
  -- 65535 may be taken; the point is that it is no configuration error.
  local _, _, _, stage = sock99.open { host = '127.0.0.1', port = 65535, server = true }
  lu.assertTrue(stage == nil or stage == 'bind')
  local client = open { host = '127.0.0.1', port = 1, datagram = true }
  lu.assertEquals({ support.getpeername(client) }, { '127.0.0.1', 1 })
end


-- backlog

function TestBacklog:test_bounds_the_connections_that_wait()
  local path = support.path()
  open { path = path, server = true, backlog = 2 }
  local waiting = 0
  -- On a full backlog a connect would wait.
  support.alarms(0.05)
  while waiting < 10 and support.connect(support.socket 'unix', path) do
    waiting = waiting + 1
  end
  support.alarms(0)
  -- Linux lets one more in than the backlog says.
  lu.assertTrue(waiting == 2 or waiting == 3, waiting)
end


function TestBacklog:test_missing_or_zero_is_the_system_maximum()
  for _, backlog in ipairs { false, 0 } do
    local path = support.path(tostring(backlog))
    open { path = path, server = true, backlog = backlog or nil }
    for _ = 1, 100 do
      open { path = path }
    end
  end
end


-- __index

local function inherits(t, fields)
  return setmetatable(fields, { __index = t })
end


local Server = { server = true, host = '127.0.0.1' }
Server.__index = Server

function TestInheritance:test_fields_of_a_class_count()
  local fd = open(setmetatable({ datagram = true }, Server))
  lu.assertEquals((support.getsockname(fd)), '127.0.0.1')
  lu.assertEquals(support.getsockopt(fd, support.SOL_SOCKET, support.SO_TYPE), support.SOCK_DGRAM)
end


function TestInheritance:test_own_fields_win()
  local fd = open(setmetatable({ host = '127.0.0.5' }, Server))
  lu.assertEquals((support.getsockname(fd)), '127.0.0.5')
  local port = support.port_of(fd)
  fd = open(setmetatable({ server = false, host = '127.0.0.5', port = port }, Server))
  lu.assertEquals({ support.getpeername(fd) }, { '127.0.0.5', port })
end


function TestInheritance:test_through_several_tables_and_a_function()
  local fields = setmetatable({}, {
    __index = function(_, key)
      return key == 'nonblocking' or nil
    end,
  })
  local fd = open(inherits(inherits(fields, { host = '127.0.0.1' }), { server = true }))
  lu.assertTrue(support.nonblocking(fd))
end


function TestInheritance:test_inside_bind()
  local fd = open { datagram = true, bind = inherits({ host = '127.0.0.6' }, {}) }
  lu.assertEquals((support.getsockname(fd)), '127.0.0.6')
end


function TestInheritance:test_methods_and_other_keys_of_a_class_are_no_unknown_fields()
  local class = { server = true, host = '127.0.0.1', greet = print, count = 3 }
  open(setmetatable({}, { __index = class }))
end


function TestInheritance:test_an_inherited_field_has_the_same_type()
  support.raises("field 'host': string expected, got number",
                 setmetatable({}, { __index = { host = 5 } }))
end


function TestInheritance:test_an_error_of_a_metamethod_passes_through()
  local t = setmetatable({ server = true }, {
    __index = function(_, key)
      if key == 'path' then
        error('no ' .. key .. ' today')
      end
    end,
  })
  support.raises('no path today', t)
end


support.run()
