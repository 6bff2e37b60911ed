-- What luasock99 0.1 and socket99 0.2.2 did wrong, one test for each.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

local open, fails, refuses = support.open, support.fails, support.refuses

TestFaults = support.suite()


function TestFaults:test_ipv4_and_ipv6_are_the_address()
  local fd = open { server = true, ipv4 = '127.0.0.1' }
  lu.assertEquals((support.getsockname(fd)), '127.0.0.1')
  fails({ host = '127.0.0.2', port = support.port_of(fd) }, 'connect', 'ECONNREFUSED')
  fd = open { server = true, ipv6 = '::1' }
  lu.assertEquals((support.getsockname(fd)), '::1')
end


local bad_option = { { support.SOL_SOCKET, 9999, 1 } }

local function many_times(t, stage, code)
  support.assert_no_fd_leak(function()
    for _ = 1, 100 do
      fails(t, stage, code)
    end
  end)
end


function TestFaults:test_no_descriptor_leaks_when_bind_fails()
  local _, port = support.server {}
  many_times({ host = '127.0.0.1', port = port, server = true }, 'bind', 'EADDRINUSE')
end


function TestFaults:test_no_descriptor_leaks_when_setsockopt_fails()
  many_times({ server = true, sockopts = bad_option }, 'setsockopt', 'ENOPROTOOPT')
end


function TestFaults:test_no_descriptor_leaks_when_a_unix_connect_fails()
  many_times({ path = support.path() }, 'connect', 'ENOENT')
end


function TestFaults:test_no_descriptor_leaks_when_listen_fails()
  support.in_child(function()
    local ok, why = support.deny('listen', sock99.errno.EADDRINUSE)
    lu.skipIf(not ok, why)
    many_times({ host = '127.0.0.1', server = true }, 'listen', 'EADDRINUSE')
  end)
end


function TestFaults:test_a_failure_is_no_descriptor_and_leaves_standard_input_open()
  local fd = sock99.open { path = support.path() }
  lu.assertNil(fd)
  lu.assertNil((sock99.close(-1)))
  lu.assertTrue(support.descriptors()[0])
end


function TestFaults:test_a_server_binds_each_address_in_turn()
  for _, code in ipairs { 'EADDRNOTAVAIL', 'EAFNOSUPPORT' } do
    support.in_child(function()
      local ok, why = support.deny('bind inet6', sock99.errno[code])
      lu.skipIf(not ok, why)
      local fd = open { server = true }
      lu.assertEquals((support.getsockname(fd)), '0.0.0.0')
      open { host = '127.0.0.1', port = support.port_of(fd) }
    end)
  end
end


function TestFaults:test_the_longest_path_is_whole_and_longer_ones_are_named()
  local path = support.long_path(support.PATH_SIZE - 1)
  open { path = path, server = true }
  lu.assertEquals((support.stat(path)), 'socket')
  lu.assertStrContains(refuses { path = path .. 'x', server = true },
                       ('the limit is %d'):format(support.PATH_SIZE - 1))
end


function TestFaults:test_the_first_cause_is_told()
  -- close would leave another errno, and the test of a path none at all.
  local _, port = support.server {}
  fails({ host = '127.0.0.1', port = port, server = true }, 'bind', 'EADDRINUSE')
  lu.assertNotStrContains(refuses { host = '127.0.0.1' }, 'Success')
end


function TestFaults:test_ports_are_neither_taken_nor_cut_nor_wrapped()
  for _, port in ipairs { 70000, -1, 4294967376 } do
    refuses({ host = '127.0.0.1', port = port },
            ('port %.0f is not in 0 to 65535'):format(port))
  end
end


function TestFaults:test_texts_are_not_cut_at_a_nul_byte()
  refuses { host = '127.0.0.1\0.example.com', port = 80 }
  refuses { path = support.path() .. '\0x', server = true }
  lu.assertNil((support.stat(support.path())))
  local name = support.abstract() .. '\0more'
  lu.assertEquals(support.getsockname(open { path = name, server = true }), name)
end


function TestFaults:test_close_on_exec_from_birth()
  lu.assertTrue(support.cloexec(open { datagram = true }))
end


function TestFaults:test_any_number_of_options_at_any_level_by_name()
  local fd = open {
    server = true, host = '127.0.0.1',
    sockopts = { keepalive = true, rcvbuf = 65536, nodelay = true, tos = 16, keepidle = 60 },
  }
  lu.assertEquals(support.getsockopt(fd, support.IPPROTO_TCP, support.TCP_NODELAY), 1)
  lu.assertEquals(support.getsockopt(fd, support.IPPROTO_TCP, support.TCP_KEEPIDLE), 60)
  lu.assertEquals(support.getsockopt(fd, support.IPPROTO_IP, support.IP_TOS), 16)
end


-- Resident memory in KiB; nil where the system does not tell.
local function resident()
  collectgarbage()
  collectgarbage()
  local file = io.open '/proc/self/status'
  local text = file and file:read '*a'
  if file then
    file:close()
  end
  return text and tonumber(text:match 'VmRSS:%s*(%d+)')
end


function TestFaults:test_no_memory_leaks_when_a_field_has_the_wrong_type()
  lu.skipIf(support.runner, 'the RUNNER looks for leaks itself')
  lu.skipIf(not resident(), 'this system does not tell how much memory is used')
  local t = { host = ('x'):rep(10000), path = ('y'):rep(100), sockopts = { keepalive = true },
              backlog = 'wrong' }
  local function fail_often()
    for _ = 1, 20000 do
      assert(not pcall(sock99.open, t))
    end
  end
  fail_often()
  local before = resident()
  fail_often()
  -- One leaked host for each would be 200 MB.
  lu.assertTrue(resident() - before < 1024, resident() - before)
end


function TestFaults:test_a_datagram_client_is_connected()
  local fd = open { host = '127.0.0.1', port = 9, datagram = true }
  lu.assertEquals({ support.getpeername(fd) }, { '127.0.0.1', 9 })
end


function TestFaults:test_unknown_fields_are_errors_that_name_the_nearest()
  support.raises("unknown field 'nonblock' (did you mean 'nonblocking'?)", { nonblock = true })
end


function TestFaults:test_host_with_another_address_is_a_configuration_error()
  refuses { host = '127.0.0.1', path = '/tmp/x', port = 80 }
  refuses { host = '127.0.0.1', ipv4 = '127.0.0.1', port = 80 }
  refuses { host = '::1', ipv6 = '::1', port = 80 }
  local fd = open { host = 'localhost', family = 'inet', server = true }
  lu.assertEquals((support.getsockname(fd)), '127.0.0.1')
end


function TestFaults:test_a_client_without_a_port_is_a_configuration_error()
  refuses { host = '127.0.0.1' }
  refuses { host = '127.0.0.1', port = 0 }
end


function TestFaults:test_an_explicit_ipv6_wildcard_is_ipv6_only()
  local fd = open { server = true, host = '::' }
  fails({ host = '127.0.0.1', port = support.port_of(fd) }, 'connect', 'ECONNREFUSED')
  fd = open { server = true, host = '::', sockopts = { v6only = false } }
  open { host = '127.0.0.1', port = support.port_of(fd) }
  fd = open { server = true }
  open { host = '127.0.0.1', port = support.port_of(fd) }
end


support.run()
