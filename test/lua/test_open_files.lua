-- The files of Unix servers: permission bits, stale sockets, what is left
-- behind and what is left alone.

local lu = require 'luaunit'
local support = require 'support'

local open, fails = support.open, support.fails

TestMode = support.suite()
TestUnlink = support.suite()


local function octal(digits)
  return tonumber(digits, 8)
end


-- Leaves the umask as it was, whatever f does.
local function under_umask(digits, f)
  support.in_child(function()
    support.umask(octal(digits))
    f()
    lu.assertEquals(support.umask(0), octal(digits), 'the umask was changed')
  end)
end


local function assert_mode(path, digits)
  local kind, mode = support.stat(path)
  lu.assertEquals(kind, 'socket')
  lu.assertEquals(('%04o'):format(mode), digits)
end


function TestMode:test_exact_under_every_umask()
  for _, umask in ipairs { '000', '022', '077', '777' } do
    for _, mode in ipairs { '0666', '0600', '0000', '0777', '0007', '0640' } do
      local path = support.path(umask .. mode)
      under_umask(umask, function()
        open { path = path, server = true, mode = mode }
      end)
      assert_mode(path, mode)
    end
  end
end


function TestMode:test_for_datagram_and_seqpacket_too()
  for _, kind in ipairs { 'datagram', 'seqpacket' } do
    local path = support.path(kind)
    under_umask('077', function()
      open { path = path, server = true, mode = '0622', [kind] = true }
    end)
    assert_mode(path, '0622')
  end
end


function TestMode:test_for_a_server_that_does_not_listen_yet()
  local path = support.path()
  open { path = path, server = true, mode = '0602', connect = false }
  assert_mode(path, '0602')
end


function TestMode:test_an_integer_means_the_same_bits()
  local path = support.path()
  open { path = path, server = true, mode = octal '0751' }
  assert_mode(path, '0751')
  path = support.path 'zero'
  open { path = path, server = true, mode = 0 }
  assert_mode(path, '0000')
end


function TestMode:test_with_and_without_a_leading_zero()
  for _, digits in ipairs { '600', '0600', '000600' } do
    local path = support.path(digits)
    open { path = path, server = true, mode = digits }
    assert_mode(path, '0600')
  end
end


function TestMode:test_missing_leaves_it_to_the_umask()
  for umask, mode in pairs { ['000'] = '0777', ['027'] = '0750' } do
    local path = support.path(umask)
    under_umask(umask, function()
      open { path = path, server = true }
    end)
    assert_mode(path, mode)
  end
end


function TestMode:test_the_server_works_with_it()
  local path = support.path()
  local server = open { path = path, server = true, mode = '0600' }
  support.assert_talk(open { path = path }, assert(support.accept(server)))
end


function TestMode:test_shuts_others_out()
  local path = support.path()
  support.chmod(support.path '', octal '0711')
  local server = open { path = path, server = true, mode = '0600' }
  support.as_stranger(function()
    lu.skipIf(not support.stat(path), 'the directory of temporary files is closed to others')
    fails({ path = path }, 'connect', 'EACCES')
  end)
  support.close(server)
  os.remove(path)
  open { path = path, server = true, mode = '0666' }
  support.as_stranger(function()
    open { path = path }
  end)
end


-- unlink

local function make_stale(path, fields)
  support.close(open(support.with({ path = path, server = true }, fields or {})))
  lu.assertEquals((support.stat(path)), 'socket')
end


local function assert_only(path)
  local names = support.output_of("ls -A '" .. support.path '' .. "'")
  lu.assertEquals(names, path:match '[^/]+$' or '')
end


function TestUnlink:test_a_stale_socket_is_replaced()
  local path = support.path()
  make_stale(path)
  fails({ path = path, server = true }, 'bind', 'EADDRINUSE')
  local server = open { path = path, server = true, unlink = true }
  support.assert_talk(open { path = path }, assert(support.accept(server)))
  assert_only(path)
end


function TestUnlink:test_stale_sockets_of_every_type()
  for _, old in ipairs { {}, { datagram = true }, { seqpacket = true } } do
    for _, new in ipairs { {}, { datagram = true }, { seqpacket = true } } do
      local path = support.path()
      make_stale(path, old)
      local server = open(support.with({ path = path, server = true, unlink = true }, new))
      open(support.with({ path = path }, new))
      assert_only(path)
      support.close(server)
      os.remove(path)
    end
  end
end


function TestUnlink:test_on_the_longest_path_and_the_shortest_name()
  local path = support.long_path(support.PATH_SIZE - 1)
  make_stale(path)
  open { path = path, server = true, unlink = true }
  assert_only(path)
  os.remove(path)
  path = support.path 's'
  make_stale(path)
  open { path = path, server = true, unlink = true }
  assert_only(path)
end


function TestUnlink:test_where_no_name_is_left_beside_it_it_stays()
  for digit in ('0123456789abcdefghijklmnopqrstuvwxyz'):gmatch '.' do
    support.close(open { path = support.path(digit), server = true })
  end
  fails({ path = support.path 'a', server = true, unlink = true }, 'bind', 'EADDRINUSE')
end


function TestUnlink:test_a_relative_path_is_replaced()
  local directory = support.path ''
  support.in_child(function()
    assert(support.chdir(directory))
    make_stale 'here'
    open { path = 'here', server = true, unlink = true }
    open { path = 'here' }
  end)
  assert_only 'here'
end


function TestUnlink:test_nothing_there_is_no_error()
  local path = support.path()
  open { path = path, server = true, unlink = true }
  assert_only(path)
end


function TestUnlink:test_goes_with_mode()
  local path = support.path()
  make_stale(path, { mode = '0777' })
  open { path = path, server = true, unlink = true, mode = '0620' }
  assert_mode(path, '0620')
end


-- What is in use stays, and works on.
local function assert_in_use(path)
  local kind, mode, inode = support.stat(path)
  fails({ path = path, server = true, unlink = true }, 'bind', 'EADDRINUSE',
        'bind ' .. path .. ': Address already in use')
  lu.assertEquals({ support.stat(path) }, { kind, mode, inode })
  assert_only(path)
end


function TestUnlink:test_a_live_stream_server_stays()
  local path = support.path()
  local server = open { path = path, server = true, backlog = 1 }
  assert_in_use(path)
  -- Nor was a place in its backlog taken.
  lu.assertFalse(support.readable(server, 0))
  support.assert_talk(open { path = path }, assert(support.accept(server)))
end


function TestUnlink:test_a_live_server_with_a_full_backlog_stays()
  local path = support.path()
  open { path = path, server = true, backlog = 1 }
  support.alarms(0.05)
  repeat
    local connected = support.connect(support.socket 'unix', path)
  until not connected
  support.alarms(0)
  assert_in_use(path)
end


function TestUnlink:test_a_live_datagram_server_stays()
  local path = support.path()
  local server = open { path = path, server = true, datagram = true }
  assert_in_use(path)
  lu.assertFalse(support.readable(server, 0))
  support.send(open { path = path, datagram = true }, 'alive')
  lu.assertEquals((support.recv(server)), 'alive')
end


function TestUnlink:test_a_live_seqpacket_server_stays()
  local path = support.path()
  open { path = path, server = true, seqpacket = true }
  assert_in_use(path)
end


function TestUnlink:test_a_server_that_does_not_listen_yet_stays()
  local path = support.path()
  local server = open { path = path, server = true, connect = false }
  assert_in_use(path)
  assert(support.listen(server, 1))
  open { path = path }
end


function TestUnlink:test_a_datagram_socket_connected_elsewhere_stays()
  local path, other = support.path 'a', support.path 'b'
  open { path = other, server = true, datagram = true }
  open { path = other, datagram = true, bind = { path = path } }
  local kind, mode, inode = support.stat(path)
  fails({ path = path, server = true, unlink = true }, 'bind', 'EADDRINUSE')
  lu.assertEquals({ support.stat(path) }, { kind, mode, inode })
end


function TestUnlink:test_a_regular_file_stays()
  local path = support.path()
  local file = assert(io.open(path, 'w'))
  file:write 'precious'
  file:close()
  assert_in_use(path)
  file = assert(io.open(path))
  lu.assertEquals(file:read '*a', 'precious')
  file:close()
end


function TestUnlink:test_a_directory_stays()
  local path = support.path()
  assert(support.mkdir(path))
  assert_in_use(path)
  lu.assertEquals((support.stat(path)), 'directory')
end


function TestUnlink:test_a_symbolic_link_to_a_stale_socket_stays_with_its_target()
  local path, target = support.path 'link', support.path 'target'
  make_stale(target)
  assert(support.symlink(target, path))
  fails({ path = path, server = true, unlink = true }, 'bind', 'EADDRINUSE')
  lu.assertEquals((support.stat(path)), 'link')
  lu.assertEquals((support.stat(target)), 'socket')
end


function TestUnlink:test_a_dangling_link_stays()
  local path = support.path()
  assert(support.symlink(support.path 'nowhere', path))
  fails({ path = path, server = true, unlink = true }, 'bind', 'EADDRINUSE')
  lu.assertEquals((support.stat(path)), 'link')
end


function TestUnlink:test_a_stale_socket_in_a_directory_that_is_not_ours_stays()
  local path = support.path()
  make_stale(path, { mode = '0777' })
  support.chmod(support.path '', octal '0755')
  support.as_stranger(function()
    lu.skipIf(not support.stat(path), 'the directory of temporary files is closed to others')
    local _, _, code = require 'sock99'.open { path = path, server = true, unlink = true }
    lu.assertEquals(require 'sock99'.errno[code], 'EADDRINUSE')
  end)
  assert_only(path)
end


function TestUnlink:test_closing_leaves_the_file()
  local path = support.path()
  make_stale(path)
  assert_only(path)
end


function TestUnlink:test_an_option_that_fails_does_not_cost_the_stale_file()
  local path = support.path()
  make_stale(path)
  fails({ path = path, server = true, unlink = true,
          sockopts = { { support.SOL_SOCKET, 9999, 1 } } }, 'setsockopt', 'ENOPROTOOPT')
  assert_only(path)
end


function TestUnlink:test_of_many_servers_at_once_one_has_the_path()
  local path = support.path()
  make_stale(path)
  local reader, writer = assert(support.pipe())
  local hold, release = assert(support.pipe())
  for _ = 1, 8 do
    support.spawn(function()
      support.close(release)
      local fd = require 'sock99'.open { path = path, server = true, unlink = true }
      support.write(writer, fd and 'y' or 'n')
      support.read(hold)
    end)
  end
  support.close(writer)
  local answers = ''
  repeat
    answers = answers .. assert(support.read(reader))
  until #answers == 8
  -- One owner at least; a window of microseconds may let the path go to another.
  lu.assertStrContains(answers, 'y')
  open { path = path }
  assert_only(path)
  support.close(release)
end


support.run()
