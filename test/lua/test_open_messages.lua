-- What a configuration may not say, and the words for it: what only the
-- program's text can have wrong is raised, all else is returned.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

local raises, refuses = support.raises, support.refuses

TestRaised = support.suite()
TestNearest = support.suite()
TestReturned = support.suite()
TestContradictions = support.suite()


-- Raised

function TestRaised:test_what_is_no_table()
  raises('table expected, got nil', nil)
  for _, value in ipairs { 'x', 5, true, print } do
    raises('table expected, got ' .. type(value), value)
  end
  lu.assertErrorMsgContains('table expected, got no value', sock99.open)
  lu.assertErrorMsgContains("bad argument #1 to '", sock99.open, 5)
end


local types = {
  string = { 'host', 'ipv4', 'ipv6', 'path', 'family' },
  boolean = { 'server', 'datagram', 'seqpacket', 'nonblocking', 'unlink', 'cloexec', 'connect' },
  integer = { 'port', 'backlog', 'mode' },
  table = { 'sockopts', 'bind' },
}

local values = {
  ['string'] = 'x', ['boolean'] = true, ['number'] = 5, ['table'] = {}, ['function'] = print,
  ['thread'] = coroutine.create(function() end), ['userdata'] = io.stdout,
}

local function suits(type_name, expected, field)
  return type_name == expected or (expected == 'integer' and type_name == 'number') or
    (type_name == 'string' and (field == 'port' or field == 'mode'))
end


function TestRaised:test_every_field_of_every_wrong_type()
  for expected, fields in pairs(types) do
    for _, field in ipairs(fields) do
      for type_name, value in pairs(values) do
        if not suits(type_name, expected, field) then
          raises(("field '%s': %s expected, got %s"):format(field, expected, type_name),
                 support.with({ host = '127.0.0.1', port = 1 }, { [field] = value }))
        end
      end
    end
  end
end


function TestRaised:test_wrong_types_inside_bind()
  raises("field 'bind.host': string expected, got number", { datagram = true, bind = { host = 1 } })
  raises("field 'bind.path': string expected, got table", { datagram = true, bind = { path = {} } })
  raises("field 'bind.port': integer expected, got boolean",
         { datagram = true, bind = { port = true } })
end


function TestRaised:test_fractions_where_integers_are_due()
  raises("field 'port': integer expected, got 80.5", { host = '127.0.0.1', port = 80.5 })
  raises("field 'backlog': integer expected, got 0.5", { server = true, backlog = 0.5 })
  raises("field 'mode': integer expected, got 1.5", { server = true, mode = 1.5 })
  raises("field 'bind.port': integer expected, got 1.5", { datagram = true, bind = { port = 1.5 } })
  raises("field 'port': integer expected, got ", { host = '127.0.0.1', port = 0 / 0 })
end


function TestRaised:test_keys_that_are_no_names()
  raises('unknown field [1]', { 'localhost' })
  raises('unknown field [boolean]', { [true] = 1 })
  raises('unknown field [table]', { [{}] = 1 })
  raises('unknown field bind.[1]', { datagram = true, bind = { '127.0.0.1' } })
end


function TestRaised:test_a_name_with_a_nul_byte_is_no_field()
  raises("unknown field 'host", { ['host\0'] = '127.0.0.1', port = 1 })
  raises("unknown field ''", { [''] = 1 })
end


function TestRaised:test_names_that_the_error_blames_are_told_whole_or_bounded()
  local name = ('x'):rep(100000)
  local ok, message = pcall(sock99.open, { [name] = 1 })
  lu.assertFalse(ok)
  lu.assertStrContains(message, "unknown field 'xxx")
end


function TestRaised:test_options_of_the_wrong_type()
  local function option(name, value)
    return { host = '127.0.0.1', server = true, sockopts = { [name] = value } }
  end
  raises("option 'reuseaddr': boolean expected, got string", option('reuseaddr', 'x'))
  raises("option 'rcvbuf': integer expected, got boolean", option('rcvbuf', true))
  raises("option 'rcvbuf': integer expected, got 1.5", option('rcvbuf', 1.5))
  raises("option 'linger': seconds (a number) or false expected, got boolean",
         option('linger', true))
  raises("option 'add_membership': table {group=, interface=} expected, got string",
         option('add_membership', 'x'))
  raises("option 'add_membership': a membership has the fields group, interface and source",
         option('add_membership', { grup = '239.0.0.1' }))
end


function TestRaised:test_options_that_are_none()
  local function options(sockopts)
    return { host = '127.0.0.1', server = true, sockopts = sockopts }
  end
  raises("unknown option 'nosuchthing'", options { nosuchthing = 1 })
  raises("unknown option 'reuseadr' (did you mean 'reuseaddr'?)", options { reuseadr = true })
  raises("field 'sockopts': an entry without a name is {level, option, value}, got number",
         options { 5 })
  raises("field 'sockopts': an entry without a name is {level, option, value}, got table",
         options { { 1, 2 } })
  raises("field 'sockopts': a key is an option's name, got boolean", options { [true] = 1 })
  raises("an option's level: integer expected, got string", options { { 'x', 2, 3 } })
  raises("an option's number: integer expected, got table", options { { 1, {}, 3 } })
  raises("option '{level, option, value}': integer or string expected, got boolean",
         options { { 1, 2, true } })
end


function TestRaised:test_numbers_that_are_in_no_list_of_options()
  for _, key in ipairs { 0, -1, 1.5, 30, 2 ^ 60 } do
    raises('is neither a name nor an index of the list', { server = true, sockopts = { [key] = 1 } })
  end
end


function TestRaised:test_memberships_with_fields_of_the_wrong_type()
  local function membership(t)
    return { host = '127.0.0.1', server = true, sockopts = { add_membership = t } }
  end
  raises("option 'add_membership': field 'group': string expected, got boolean",
         membership { group = true })
  raises("option 'add_membership': field 'interface': string expected, got table",
         membership { group = '239.0.0.1', interface = {} })
  raises('a membership has the fields group, interface and source',
         membership { group = '239.0.0.1', [true] = 'lo' })
end


-- The nearest name

local function assert_suggests(key, field)
  raises(("unknown field '%s' (did you mean '%s'?)"):format(key, field), { [key] = true })
end


function TestNearest:test_what_was_probably_meant()
  assert_suggests('nonblock', 'nonblocking')
  assert_suggests('non_blocking', 'nonblocking')
  assert_suggests('hostname', 'host')
  assert_suggests('hots', 'host')
  assert_suggests('Host', 'host')
  assert_suggests('prot', 'port')
  assert_suggests('serv', 'server')
  assert_suggests('datagramm', 'datagram')
  assert_suggests('dgram', 'datagram')
  assert_suggests('sockopt', 'sockopts')
  assert_suggests('closeexec', 'cloexec')
  assert_suggests('IPv4', 'ipv4')
  assert_suggests('unlnk', 'unlink')
end


function TestNearest:test_inside_bind()
  raises("unknown field 'bind.hots' (did you mean 'bind.host'?)",
         { datagram = true, bind = { hots = '127.0.0.1' } })
end


function TestNearest:test_nothing_is_made_up_for_what_is_like_nothing()
  local ok, message = pcall(sock99.open, { quux = 1 })
  lu.assertFalse(ok)
  lu.assertStrContains(message, "unknown field 'quux'")
  lu.assertNotStrContains(message, 'did you mean')
end


function TestNearest:test_an_option_is_sent_to_its_place()
  raises("unknown field 'reuseaddr' (an option: sockopts = { reuseaddr = ... })",
         { server = true, reuseaddr = true })
end


function TestNearest:test_names_of_other_libraries()
  for _, field in ipairs { { type = 'udp' }, { udp = true } } do
    raises('datagram = true', field)
  end
  raises('server = true', { listen = true })
  raises('host = ...', { address = '127.0.0.1' })
end


-- A hint on what to set never names what can only be read.
function TestNearest:test_no_hint_names_an_option_that_can_only_be_read()
  for _, name in ipairs { 'acceptconn', 'error', 'domain', 'protocol', 'peercred', 'tcp_info' } do
    local ok, message = pcall(sock99.open, { [name] = 1 })
    lu.assertFalse(ok)
    lu.assertNotStrContains(message, 'an option')
  end
  for _, misspelt in ipairs { 'acceptcon', 'eror', 'domian', 'meminf' } do
    local ok, message = pcall(sock99.open, { server = true, sockopts = { [misspelt] = 1 } })
    lu.assertFalse(ok)
    lu.assertNotStrContains(message, 'did you mean', nil, message)
  end
end


-- Returned

function TestReturned:test_ports_out_of_range_are_named()
  local function port(value)
    return { host = '127.0.0.1', port = value }
  end
  refuses(port(70000), 'port 70000 is not in 0 to 65535')
  refuses(port(65536), 'port 65536 is not in 0 to 65535')
  refuses(port(-1), 'port -1 is not in 0 to 65535')
  refuses(port(4294967376), 'port 4294967376 is not in 0 to 65535')
  refuses(port(-4294967216), 'port -4294967216 is not in 0 to 65535')
  refuses(port(1e300), 'port 1e+300 is not in 0 to 65535')
  refuses(port(math.huge), 'port inf is not in 0 to 65535')
  refuses(port(-math.huge), 'port -inf is not in 0 to 65535')
  refuses(port '70000', "port '70000' is not in 0 to 65535")
  refuses(port '-1', "port '-1' is not in 0 to 65535")
  refuses(port '1e300', "port '1e300' is not in 0 to 65535")
  refuses(port '80.5', "port '80.5' is not an integer")
  refuses(port '', 'port is empty')
  refuses(port '80\0', "port '80' has a NUL byte in it")
end


function TestReturned:test_own_ports_out_of_range_are_named()
  local function own(value)
    return { datagram = true, bind = { host = '127.0.0.1', port = value } }
  end
  refuses(own(70000), 'bind: port 70000 is not in 0 to 65535')
  refuses(own(-1), 'bind: port -1 is not in 0 to 65535')
  refuses(own 'https', "bind.port 'https' is not a number")
end


function TestReturned:test_texts_that_are_cut_by_nothing()
  for _, field in ipairs { 'host', 'ipv4', 'ipv6', 'family' } do
    refuses({ [field] = 'one\0two', port = 80 }, field .. " 'one' has a NUL byte in it")
  end
  refuses({ datagram = true, bind = { host = '127.0.0.1\0' } },
          "bind.host '127.0.0.1' has a NUL byte in it")
  refuses({ datagram = true, bind = { port = '80\0' } }, "bind.port '80' has a NUL byte in it")
end


function TestReturned:test_empty_texts()
  for _, field in ipairs { 'host', 'ipv4', 'ipv6' } do
    refuses({ [field] = '', port = 80, server = field ~= 'host' })
  end
  refuses({ host = '', port = 80 }, 'host is empty')
  refuses({ family = '' }, "family '' is none of 'inet', 'inet6', 'unix'")
end


function TestReturned:test_addresses_that_are_not_numeric()
  refuses({ ipv4 = 'localhost', port = 80 }, "ipv4 'localhost' is not a numeric IPv4 address")
  refuses({ ipv4 = '127.1', port = 80 }, "ipv4 '127.1' is not a numeric IPv4 address")
  refuses({ ipv4 = '010.0.0.1', port = 80 }, "ipv4 '010.0.0.1' is not a numeric IPv4 address")
  refuses({ ipv4 = '127.0.0.1 ', port = 80 }, "ipv4 '127.0.0.1 ' is not a numeric IPv4 address")
  refuses({ ipv6 = '::g', port = 80 }, "ipv6 '::g' is not a numeric IPv6 address")
  refuses({ ipv6 = '[::1]', port = 80 }, "ipv6 '[::1]' is not a numeric IPv6 address")
  refuses({ datagram = true, bind = { host = 'localhost' } },
          "bind: host 'localhost' is not a numeric IPv4 or IPv6 address")
end


function TestReturned:test_addresses_that_are_of_another_family()
  refuses({ ipv4 = '::1', port = 80 }, "ipv4 '::1' is not an address of family inet")
  refuses({ ipv6 = '127.0.0.1', port = 80 }, "ipv6 '127.0.0.1' is not an address of family inet6")
  refuses({ host = '127.0.0.1', family = 'inet6', port = 80 },
          "host '127.0.0.1' is not an address of family inet6")
  refuses({ host = '::1', family = 'inet', port = 80 },
          "host '::1' is not an address of family inet")
end


function TestReturned:test_a_client_needs_a_port()
  for _, datagram in ipairs { true, false } do
    for _, port in ipairs { 0, '0', false } do
      refuses({ host = '127.0.0.1', datagram = datagram, port = port or nil },
              "port is missing: a client of host '127.0.0.1' needs one, 1 to 65535")
    end
  end
end


function TestReturned:test_a_stream_client_needs_somewhere_to_go()
  refuses({}, 'nothing to connect to: no host, port or path')
  refuses({ family = 'unix' }, 'family unix needs a path')
  refuses({ family = 'unix', server = true }, 'family unix needs a path')
  refuses({ datagram = true, connect = true },
          'connect needs an address: give host, ipv4, ipv6 or path')
end


function TestReturned:test_backlogs()
  refuses({ server = true, backlog = -1 }, 'backlog -1 is negative')
  refuses({ server = true, backlog = 2 ^ 31 }, 'backlog 2147483648 is not in 0 to 2147483647')
  refuses({ server = true, datagram = true, backlog = 5 }, 'backlog 5 is for stream servers')
  refuses({ host = '127.0.0.1', port = 1, backlog = 5 }, 'backlog 5 is for stream servers')
end


function TestReturned:test_modes()
  local path = support.path()
  local function mode(value)
    return { path = path, server = true, mode = value }
  end
  refuses(mode(660), "mode 660 is not in 0 to 511; Lua has no octal numbers: write mode = '0660'")
  refuses(mode(-1))
  refuses(mode '0999', "mode '0999' is not made of octal digits")
  refuses(mode '', "mode '' is not made of octal digits")
  refuses(mode '0o600', "mode '0o600' is not made of octal digits")
  refuses(mode '1777', "mode '1777' is more than '0777'")
  refuses(mode(('7'):rep(1000)))
  refuses(mode '0600\0', "mode '0600' has a NUL byte in it")
  lu.assertNil((support.stat(path)))
end


function TestReturned:test_long_values_are_quoted_in_part()
  local message = refuses { host = ('x'):rep(100000), family = 'nosuch', port = 80 }
  lu.assertTrue(#message < 400)
  message = refuses { ipv4 = ('x'):rep(100000), port = 80 }
  lu.assertTrue(#message < 400)
end


-- Contradictions

function TestContradictions:test_one_address_only()
  refuses({ host = 'a', path = '/x', port = 80 },
          'host cannot be combined with path: give one of them')
  refuses({ host = 'a', ipv4 = '127.0.0.1', port = 80 },
          'host cannot be combined with ipv4: give one of them')
  refuses({ host = 'a', ipv6 = '::1', port = 80 },
          'host cannot be combined with ipv6: give one of them')
  refuses({ ipv4 = '127.0.0.1', ipv6 = '::1', port = 80 },
          'ipv4 cannot be combined with ipv6: give one of them')
  refuses({ path = '/x', ipv4 = '127.0.0.1' },
          'path cannot be combined with ipv4: give one of them')
end


function TestContradictions:test_family_and_address()
  refuses({ path = '/x', family = 'inet' }, 'path cannot be combined with family inet')
  refuses({ ipv4 = '127.0.0.1', family = 'inet6', port = 80 },
          'ipv4 cannot be combined with family inet6')
  refuses({ ipv6 = '::1', family = 'inet', port = 80 }, 'ipv6 cannot be combined with family inet')
  refuses({ host = 'a', family = 'unix', port = 80 }, 'host cannot be combined with family unix')
  refuses({ family = 'inet5', port = 80 }, "family 'inet5' is none of 'inet', 'inet6', 'unix'")
  -- getfamily() calls it that.
  refuses({ ipv6 = '::1', family = 'inet4', port = 80 }, 'ipv6 cannot be combined with family inet')
end


function TestContradictions:test_what_is_for_paths_alone_or_not_for_them()
  refuses({ path = '/x', port = 80 }, 'port cannot be combined with path')
  refuses({ family = 'unix', datagram = true, port = 80 },
          'port cannot be combined with family unix')
  refuses({ host = '127.0.0.1', port = 80, seqpacket = true },
          'seqpacket is for Unix domain sockets')
  refuses({ path = '/x', seqpacket = true, datagram = true },
          'seqpacket cannot be combined with datagram')
  refuses({ server = true, mode = '0600' }, 'mode 600 is for servers on a path')
  refuses({ path = '/x', mode = '0600' }, 'mode 600 is for servers on a path')
  refuses({ path = '\0x', server = true, mode = '0600' }, 'mode 600 is for servers on a path')
  refuses({ server = true, unlink = true }, 'unlink is for servers on a path')
  refuses({ path = '/x', unlink = true }, 'unlink is for servers on a path')
  refuses({ path = '\0x', server = true, unlink = true }, 'unlink is for servers on a path')
end


function TestContradictions:test_bind()
  refuses({ server = true, bind = { host = '127.0.0.1' } },
          'bind cannot be combined with server: host, port or path say where it listens')
  refuses({ datagram = true, bind = {} }, 'bind is empty: give host, port or path')
  refuses({ datagram = true, bind = { host = '127.0.0.1', path = '/x' } },
          'bind: path cannot be combined with host or port')
  refuses({ path = '/x', bind = { host = '127.0.0.1' } },
          'bind: host and port are for TCP and UDP, a Unix domain socket has a path')
  refuses({ host = '127.0.0.1', port = 1, bind = { path = '/x' } },
          'bind: path is for Unix domain sockets')
  refuses({ datagram = true, bind = { path = '' } }, 'bind: path is empty')
end


function TestContradictions:test_a_port_that_nothing_would_use()
  refuses({ datagram = true, port = 80 },
          'port is given without a host: a datagram client without an address is not connected')
  refuses({ connect = false, port = 80 },
          'port is given without a host: this socket is not connected')
end


support.run()
