-- Every stage's error, provoked for real: what failed, on what, and why.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

local open, fails, with = support.open, support.fails, support.with

TestBindErrors = support.suite()
TestConnectErrors = support.suite()
TestLookupErrors = support.suite()
TestOtherErrors = support.suite()


-- bind

function TestBindErrors:test_a_port_in_use()
  for _, host in ipairs { '127.0.0.1', '::1' } do
    local _, port = support.server { host = host }
    local where = host == '::1' and '[::1]' or host
    fails({ host = host, port = port, server = true }, 'bind', 'EADDRINUSE',
          ('bind %s:%d: Address already in use'):format(where, port))
  end
end


function TestBindErrors:test_a_port_in_use_of_a_client()
  local _, port = support.server {}
  local own = support.closed_port()
  open { host = '127.0.0.1', port = own, server = true }
  fails({ host = '127.0.0.1', port = port, bind = { host = '127.0.0.1', port = own } }, 'bind',
        'EADDRINUSE', ('bind 127.0.0.1:%d: Address already in use'):format(own))
end


function TestBindErrors:test_a_privileged_port()
  local file = io.open('/proc/sys/net/ipv4/ip_unprivileged_port_start')
  local first = file and file:read '*n' or 1024
  if file then
    file:close()
  end
  lu.skipIf(first <= 80, 'port 80 is free for all on this system')
  support.as_nobody(function()
    fails({ host = '127.0.0.1', port = 80, server = true }, 'bind', 'EACCES',
          'bind 127.0.0.1:80: Permission denied')
  end)
end


function TestBindErrors:test_an_address_of_no_interface()
  fails({ host = '192.0.2.77', server = true }, 'bind', 'EADDRNOTAVAIL',
        'bind 192.0.2.77:0: Cannot assign requested address')
end


function TestBindErrors:test_a_directory_that_is_not_ours()
  local path = support.path()
  support.as_stranger(function()
    fails({ path = path, server = true }, 'bind', 'EACCES',
          'bind ' .. path .. ': Permission denied')
  end)
end


function TestBindErrors:test_a_directory_that_is_not_there()
  local path = support.path 'nowhere' .. '/socket'
  fails({ path = path, server = true }, 'bind', 'ENOENT',
        'bind ' .. path .. ': No such file or directory')
end


function TestBindErrors:test_a_directory_that_is_none()
  local path = support.path 'file'
  assert(io.open(path, 'w')):close()
  fails({ path = path .. '/socket', server = true }, 'bind', 'ENOTDIR',
        'bind ' .. path .. '/socket: Not a directory')
end


function TestBindErrors:test_a_path_that_is_taken()
  local path = support.path()
  open { path = path, server = true }
  fails({ path = path, server = true }, 'bind', 'EADDRINUSE',
        'bind ' .. path .. ': Address already in use')
  lu.assertEquals((support.stat(path)), 'socket')
end


function TestBindErrors:test_an_abstract_name_that_is_taken()
  local name = support.abstract 'taken'
  open { path = name, server = true }
  fails({ path = name, server = true }, 'bind', 'EADDRINUSE',
        'bind ' .. name:gsub('%z', '@') .. ': Address already in use')
end


-- connect

function TestConnectErrors:test_refused()
  local port = support.closed_port()
  fails({ host = '127.0.0.1', port = port }, 'connect', 'ECONNREFUSED',
        ('connect 127.0.0.1:%d: Connection refused'):format(port))
  port = support.closed_port '::1'
  fails({ host = '::1', port = port }, 'connect', 'ECONNREFUSED',
        ('connect [::1]:%d: Connection refused'):format(port))
end


function TestConnectErrors:test_refused_over_both_families_tells_the_last()
  support.in_network(function()
    fails({ port = 80 }, 'connect', 'ECONNREFUSED', 'connect 127.0.0.1:80: Connection refused')
  end)
end


function TestConnectErrors:test_unreachable()
  support.in_network(function()
    fails({ host = '192.0.2.1', port = 80 }, 'connect', 'ENETUNREACH',
          'connect 192.0.2.1:80: Network is unreachable')
    fails({ host = '2001:db8::1', port = 80 }, 'connect', 'ENETUNREACH',
          'connect [2001:db8::1]:80: Network is unreachable')
    fails({ host = '192.0.2.1', port = 80, datagram = true }, 'connect', 'ENETUNREACH',
          'connect 192.0.2.1:80: Network is unreachable')
  end)
end


function TestConnectErrors:test_of_two_errors_the_one_that_says_more_is_told()
  support.in_network(function()
    assert(support.deny('socket inet6', sock99.errno.EAFNOSUPPORT))
    fails({ port = 80 }, 'connect', 'ECONNREFUSED', 'connect 127.0.0.1:80: Connection refused')
  end)
  support.in_network(function()
    assert(support.deny('socket inet', sock99.errno.EAFNOSUPPORT))
    fails({ port = 80 }, 'connect', 'ECONNREFUSED', 'connect [::1]:80: Connection refused')
  end)
end


function TestConnectErrors:test_no_such_path()
  local path = support.path()
  fails({ path = path }, 'connect', 'ENOENT', 'connect ' .. path .. ': No such file or directory')
end


function TestConnectErrors:test_a_path_whose_directory_is_none()
  local path = support.path 'file'
  assert(io.open(path, 'w')):close()
  fails({ path = path .. '/socket' }, 'connect', 'ENOTDIR')
end


function TestConnectErrors:test_a_file_that_is_no_socket()
  local path = support.path 'file'
  assert(io.open(path, 'w')):close()
  fails({ path = path }, 'connect', 'ECONNREFUSED', 'connect ' .. path .. ': Connection refused')
end


function TestConnectErrors:test_a_socket_that_nobody_listens_on()
  local path = support.path()
  support.close(open { path = path, server = true })
  fails({ path = path }, 'connect', 'ECONNREFUSED', 'connect ' .. path .. ': Connection refused')
end


function TestConnectErrors:test_an_abstract_name_that_is_not_there()
  local name = support.abstract 'nobody'
  fails({ path = name }, 'connect', 'ECONNREFUSED',
        'connect ' .. name:gsub('%z', '@') .. ': Connection refused')
end


function TestConnectErrors:test_a_socket_of_another_type()
  local path = support.path()
  open { path = path, server = true, datagram = true }
  fails({ path = path }, 'connect', 'EPROTOTYPE',
        'connect ' .. path .. ': Protocol wrong type for socket')
  fails({ path = path, seqpacket = true }, 'connect', 'EPROTOTYPE')
end


function TestConnectErrors:test_a_path_that_is_not_ours_to_write()
  local path = support.path()
  open { path = path, server = true, mode = '0600' }
  support.chmod(support.path '', 511)
  support.as_stranger(function()
    lu.skipIf((support.stat(path)) == nil, 'the directory of temporary files is closed to others')
    fails({ path = path }, 'connect', 'EACCES', 'connect ' .. path .. ': Permission denied')
  end)
end


function TestConnectErrors:test_a_failed_client_removes_the_file_that_bind_made()
  local path, own = support.path 'nobody', support.path 'own'
  fails({ path = path, bind = { path = own } }, 'connect', 'ENOENT')
  lu.assertNil((support.stat(own)))
  fails({ path = path, datagram = true, bind = { path = own } }, 'connect', 'ENOENT')
  lu.assertNil((support.stat(own)))
end


function TestConnectErrors:test_a_failed_client_leaves_a_file_that_was_there()
  local own = support.path 'own'
  open { path = own, server = true }
  fails({ path = support.path 'nobody', bind = { path = own } }, 'bind', 'EADDRINUSE')
  lu.assertEquals((support.stat(own)), 'socket')
end


function TestConnectErrors:test_a_socket_connected_to_itself_is_refused()
  local port
  repeat
    local fd, ephemeral = support.server {}
    port = ephemeral
    support.close(fd)
  until port >= 32768
  fails({ host = '127.0.0.1', port = port, bind = { host = '127.0.0.1', port = port } }, 'connect',
        'ECONNREFUSED', ('connect 127.0.0.1:%d: Connection refused'):format(port))
  fails({ host = '::1', port = port, bind = { host = '::1', port = port } }, 'connect',
        'ECONNREFUSED')
end


-- getaddrinfo

function TestLookupErrors:test_a_name_that_cannot_be()
  local before = support.descriptor_count()
  local fd, message, code, stage = sock99.open { host = 'nosuch.invalid', port = 80 }
  lu.assertNil(fd)
  lu.assertEquals(stage, 'getaddrinfo')
  lu.assertStrMatches(message, 'getaddrinfo nosuch%.invalid: .+')
  lu.assertStrMatches(sock99.errno[code], 'EAI_%u+')
  lu.assertEquals(support.descriptor_count(), before)
end


function TestLookupErrors:test_a_name_of_a_server_that_cannot_be()
  local _, message, _, stage = sock99.open { host = 'nosuch.invalid', server = true }
  lu.assertEquals(stage, 'getaddrinfo')
  lu.assertStrMatches(message, 'getaddrinfo nosuch%.invalid: .+')
end


function TestLookupErrors:test_a_service_is_told_with_its_host()
  local _, message, _, stage = sock99.open { host = 'localhost', port = 'no-such-service' }
  lu.assertEquals(stage, 'getaddrinfo')
  lu.assertStrMatches(message, 'getaddrinfo localhost:no%-such%-service: .+')
end


-- socket, setsockopt

local function in_poverty(f)
  support.in_child(function()
    -- The children's report needs its descriptor; the rest is taken.
    support.limit_descriptors(64)
    local taken
    repeat
      taken = support.socket 'inet'
    until not taken
    f()
  end)
end


function TestOtherErrors:test_too_many_descriptors()
  in_poverty(function()
    lu.assertEquals({ sock99.start { host = '127.0.0.1', port = 80 } },
                    { nil, 'unknown epoll_create1: Too many open files', sock99.errno.EMFILE,
                      'unknown' })
    fails({ host = '127.0.0.1', server = true }, 'socket', 'EMFILE',
          'socket 127.0.0.1:0: Too many open files')
    fails({ host = '127.0.0.1', port = 80 }, 'socket', 'EMFILE',
          'socket 127.0.0.1:80: Too many open files')
    fails({ path = '/tmp/x' }, 'socket', 'EMFILE', 'socket /tmp/x: Too many open files')
    fails({ port = 80 }, 'socket', 'EMFILE')
    fails({ datagram = true }, 'socket', 'EMFILE')
  end)
end


function TestOtherErrors:test_a_probe_without_a_descriptor_removes_nothing()
  local path = support.path()
  support.close(open { path = path, server = true })
  in_poverty(function()
    fails({ path = path, server = true, unlink = true }, 'socket', 'EMFILE')
    lu.assertEquals((support.stat(path)), 'socket')
  end)
end


function TestOtherErrors:test_an_option_that_is_none()
  local option = { sockopts = { { support.SOL_SOCKET, 9999, 1 } } }
  fails(with({ host = '127.0.0.1', server = true }, option), 'setsockopt', 'ENOPROTOOPT',
        'setsockopt level 1 option 9999: Protocol not available')
  fails(with({ host = '127.0.0.1', port = 9, datagram = true }, option), 'setsockopt',
        'ENOPROTOOPT')
  local path = support.path()
  fails(with({ path = path, server = true }, option), 'setsockopt', 'ENOPROTOOPT')
  lu.assertNil((support.stat(path)))
end


function TestOtherErrors:test_an_option_that_the_system_refuses()
  local message = fails({ host = '127.0.0.1', server = true, sockopts = { ttl = 0 } },
                        'setsockopt', 'EINVAL')
  lu.assertEquals(message, 'setsockopt IP_TTL: Invalid argument')
end


function TestOtherErrors:test_an_option_that_needs_a_privilege()
  support.as_nobody(function()
    fails({ host = '127.0.0.1', server = true, sockopts = { rcvbufforce = 65536 } }, 'setsockopt',
          'EPERM', 'setsockopt SO_RCVBUFFORCE: Operation not permitted')
  end)
end


-- What the kernel does not refuse by itself, a filter in front of it does.

local function denying(call, code, f)
  support.in_child(function()
    local ok, why = support.deny(call, sock99.errno[code])
    lu.skipIf(not ok, why)
    f()
  end)
end


function TestOtherErrors:test_a_socket_that_is_denied()
  denying('socket', 'EACCES', function()
    fails({ host = '127.0.0.1', port = 80 }, 'socket', 'EACCES',
          'socket 127.0.0.1:80: Permission denied')
  end)
end


function TestOtherErrors:test_a_listen_that_is_denied_leaves_no_file()
  local path = support.path()
  denying('listen', 'EADDRINUSE', function()
    fails({ path = path, server = true }, 'listen', 'EADDRINUSE',
          'listen ' .. path .. ': Address already in use')
    lu.assertNil((support.stat(path)))
    fails({ path = path, server = true, mode = '0600' }, 'listen', 'EADDRINUSE')
    lu.assertNil((support.stat(path)))
    local message = fails({ host = '127.0.0.1', port = 0, server = true }, 'listen', 'EADDRINUSE')
    lu.assertStrMatches(message, 'listen 127%.0%.0%.1:%d+: Address already in use')
  end)
end


function TestOtherErrors:test_a_mode_that_is_denied_leaves_no_file()
  local path = support.path()
  denying('fchmod', 'EPERM', function()
    fails({ path = path, server = true, mode = '0600' }, 'bind', 'EPERM',
          'bind ' .. path .. ': Operation not permitted')
    lu.assertNil((support.stat(path)))
  end)
  denying('chmod', 'EROFS', function()
    support.umask(63)
    fails({ path = path, server = true, mode = '0666' }, 'bind', 'EROFS',
          'bind ' .. path .. ': Read-only file system')
    lu.assertNil((support.stat(path)))
  end)
end


function TestOtherErrors:test_a_nonblocking_flag_that_is_denied()
  local _, port = support.server {}
  local path, own = support.path(), support.path 'own'
  open { path = path, server = true }
  denying('fcntl F_SETFL', 'ENOMEM', function()
    fails({ host = '127.0.0.1', port = port, nonblocking = true }, 'fcntl', 'ENOMEM',
          ('fcntl 127.0.0.1:%d: Cannot allocate memory'):format(port))
    fails({ path = path, nonblocking = true, bind = { path = own } }, 'fcntl', 'ENOMEM')
    lu.assertNil((support.stat(own)))
  end)
end


-- sock99.close

function TestOtherErrors:test_close()
  local fd = open { datagram = true }
  lu.assertTrue(sock99.close(fd))
  local result, message, code = sock99.close(fd)
  lu.assertNil(result)
  lu.assertEquals(message, ('close %d: Bad file descriptor'):format(fd))
  lu.assertEquals(code, sock99.errno.EBADF)
  result, message, code = sock99.close(-1)
  lu.assertNil(result)
  lu.assertEquals({ message, sock99.errno[code] }, { 'close -1: Bad file descriptor', 'EBADF' })
  lu.assertNil((sock99.close(2 ^ 31)))
  lu.assertErrorMsgContains('number expected, got no value', sock99.close)
  lu.assertErrorMsgContains('number expected, got string', sock99.close, 'x')
end


-- sock99.errno

function TestOtherErrors:test_errno_leads_both_ways()
  local count = 0
  for name, number in pairs(sock99.errno) do
    if type(name) == 'string' then
      count = count + 1
      local back = sock99.errno[number]
      lu.assertIsString(back)
      lu.assertEquals(sock99.errno[back], number, name)
    end
  end
  lu.assertTrue(count > 80)
  lu.assertEquals(sock99.errno[sock99.errno.EAGAIN], 'EAGAIN')
  lu.assertEquals(sock99.errno.EWOULDBLOCK, sock99.errno.EAGAIN)
  lu.assertNil(sock99.errno.ENOSUCHERROR)
end


function TestOtherErrors:test_version()
  lu.assertEquals(sock99._VERSION, 'sock99 1.0.0')
end


support.run()
