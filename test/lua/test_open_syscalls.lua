-- The budget of system calls, counted by strace(1).

local lu = require 'luaunit'
local support = require 'support'

TestBudget = support.suite()


-- What a traced interpreter runs.
local function script(text)
  return ([[
    local sock99, support = require 'sock99', require 'test_support'
    local free = %d
    local function must(t) return assert(sock99.open(t)) end
    local listening = must { server = true, host = '127.0.0.1', port = free }
    local listening6 = must { server = true, host = '::1', port = free }
    local bound = must { server = true, datagram = true, host = '127.0.0.1', port = free }
    local stream, datagram = %q, %q
    os.remove(stream)
    os.remove(datagram)
    must { server = true, path = stream }
    must { server = true, path = datagram, datagram = true }
    support.close(-1000)
    %s
    support.close(-1000)
  ]]):format(support.closed_port(), support.path 'stream', support.path 'datagram', text)
end


local function trace(text)
  return support.trace(script(text))
end


local function calls(text)
  return support.calls(script(text))
end


function TestBudget:test_tcp_server()
  lu.assertEquals(calls "must { server = true, host = '127.0.0.1' }",
                  'socket setsockopt bind listen')
  lu.assertEquals(calls "must { server = true, host = '::1' }", 'socket setsockopt bind listen')
  lu.assertEquals(calls "must { server = true, ipv4 = '0.0.0.0' }",
                  'socket setsockopt bind listen')
end


function TestBudget:test_tcp_server_on_an_ipv6_wildcard()
  local expected = 'socket setsockopt setsockopt bind listen'
  lu.assertEquals(calls "must { server = true }", expected)
  lu.assertEquals(calls "must { server = true, host = '::' }", expected)
end


function TestBudget:test_nonblocking_and_close_on_exec_cost_nothing()
  local told = trace "must { server = true, host = '127.0.0.1', nonblocking = true }"
  lu.assertStrMatches(told:match 'socket%(.-\n',
                      'socket%(AF_INET, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, .*\n')
  lu.assertNotStrContains(told, 'fcntl')
end


function TestBudget:test_tcp_client()
  lu.assertEquals(calls "must { host = '127.0.0.1', port = free }", 'socket connect')
  lu.assertEquals(calls "must { host = '::1', port = free }", 'socket connect')
  lu.assertEquals(calls "must { port = free, family = 'inet' }", 'socket connect')
end


function TestBudget:test_nonblocking_tcp_client_costs_one_more()
  lu.assertEquals(calls "must { host = '127.0.0.1', port = free, nonblocking = true }",
                  'socket connect fcntl')
end


function TestBudget:test_udp_client()
  lu.assertEquals(calls "must { host = '127.0.0.1', port = free, datagram = true }",
                  'socket connect')
  lu.assertEquals(
    calls "must { host = '127.0.0.1', port = free, datagram = true, nonblocking = true }",
    'socket connect')
end


function TestBudget:test_udp_server()
  lu.assertEquals(calls "must { host = '127.0.0.1', datagram = true, server = true }",
                  'socket bind')
end


function TestBudget:test_unconnected_sockets()
  lu.assertEquals(calls "must { datagram = true }", 'socket')
  lu.assertEquals(calls "must { host = '127.0.0.1', port = free, connect = false }", 'socket')
end


function TestBudget:test_unix_server()
  local path = support.path 'server'
  lu.assertEquals(calls(('must { server = true, path = %q }'):format(path)),
                  'socket bind listen')
  lu.assertEquals(calls(('must { server = true, path = %q, datagram = true }')
                        :format(path .. '2')), 'socket bind')
end


function TestBudget:test_unix_client()
  lu.assertEquals(calls "must { path = stream }", 'socket connect')
  lu.assertEquals(calls "must { path = datagram, datagram = true }", 'socket connect')
end


function TestBudget:test_each_option_costs_one()
  lu.assertEquals(calls [[must {
    server = true, host = '127.0.0.1', datagram = true,
    sockopts = { rcvbuf = 65536, broadcast = true, { 1, 9, 1 } }
  }]], 'socket setsockopt setsockopt setsockopt bind')
end


function TestBudget:test_reuseaddr_said_by_the_program_is_not_set_twice()
  lu.assertEquals(
    calls "must { server = true, host = '127.0.0.1', sockopts = { reuseaddr = true } }",
    'socket setsockopt bind listen')
end


function TestBudget:test_a_local_address_costs_two()
  lu.assertEquals(
    calls "must { host = '127.0.0.1', port = free, bind = { host = '127.0.0.2' } }",
    'socket setsockopt bind connect')
  lu.assertEquals(
    calls "must { host = '127.0.0.1', port = free, bind = { port = free - 1 } }",
    'socket setsockopt bind connect')
end


function TestBudget:test_a_failed_opening_closes_what_it_opened()
  lu.assertEquals(calls "sock99.open { host = '127.0.0.9', port = free }",
                  'socket connect close')
end


function TestBudget:test_a_configuration_error_costs_nothing()
  lu.assertEquals(calls "sock99.open { host = '127.0.0.1' }", '')
  lu.assertEquals(calls "pcall(sock99.open, { hots = '127.0.0.1' })", '')
end


support.run()
