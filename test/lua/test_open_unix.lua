-- Unix domain sockets: paths, abstract names, the three types, and the limit
-- of a name's length.

local lu = require 'luaunit'
local support = require 'support'

local open, with = support.open, support.with

TestUnix = support.suite()
TestUnixNames = support.suite()


local function assert_stream_talks(address)
  local server = open(with(address, { server = true }))
  local client = open(address)
  support.assert_talk(client, assert(support.accept(server)))
  return server, client
end


local function socket_type(fd)
  return support.getsockopt(fd, support.SOL_SOCKET, support.SO_TYPE)
end


function TestUnix:test_stream_on_a_path_talks()
  local path = support.path()
  local server, client = assert_stream_talks { path = path }
  lu.assertEquals(support.getsockname(server), path)
  lu.assertEquals(support.getpeername(client), path)
  lu.assertEquals(socket_type(server), support.SOCK_STREAM)
end


function TestUnix:test_stream_on_an_abstract_name_talks()
  local name = support.abstract 'stream'
  local server = assert_stream_talks { path = name }
  lu.assertEquals(support.getsockname(server), name)
end


function TestUnix:test_family_unix_goes_with_a_path()
  assert_stream_talks { path = support.path(), family = 'unix' }
end


function TestUnix:test_seqpacket_keeps_messages_apart()
  for _, path in ipairs { support.path(), support.abstract 'seq' } do
    local server = open { path = path, server = true, seqpacket = true }
    local client = open { path = path, seqpacket = true }
    local accepted = assert(support.accept(server))
    lu.assertEquals(socket_type(client), support.SOCK_SEQPACKET)
    support.assert_talk(client, accepted)
    support.send(client, 'one')
    support.send(client, 'two')
    lu.assertEquals((support.recv(accepted)), 'one')
    lu.assertEquals((support.recv(accepted)), 'two')
  end
end


function TestUnix:test_datagrams_go_both_ways_with_bind()
  local suffix = 0
  for _, make in ipairs { support.path, support.abstract } do
    suffix = suffix + 1
    local server_path, client_path = make('server' .. suffix), make('client' .. suffix)
    local server = open { path = server_path, server = true, datagram = true }
    local client = open { path = server_path, datagram = true, bind = { path = client_path } }
    lu.assertEquals(support.getpeername(client), server_path)
    support.send(client, 'question')
    local data, from = support.recv(server)
    lu.assertEquals({ data, from }, { 'question', client_path })
    assert(support.send(server, 'answer', from))
    lu.assertEquals((support.recv(client)), 'answer')
  end
end


function TestUnix:test_datagram_client_without_bind_can_send()
  local path = support.path()
  local server = open { path = path, server = true, datagram = true }
  local client = open { path = path, datagram = true }
  support.send(client, 'hello')
  lu.assertEquals((support.recv(server)), 'hello')
end


function TestUnix:test_unconnected_datagram_socket()
  local fd = open { family = 'unix', datagram = true }
  lu.assertEquals(socket_type(fd), support.SOCK_DGRAM)
  lu.assertEquals(support.getsockname(fd), '')
  local path = support.path()
  fd = open { datagram = true, bind = { path = path } }
  lu.assertEquals(support.getsockname(fd), path)
  lu.assertNil((support.getpeername(fd)))
end


function TestUnix:test_stream_client_with_an_own_path()
  local path, own = support.path 'server', support.path 'own'
  local server = open { path = path, server = true }
  local client = open { path = path, bind = { path = own } }
  lu.assertEquals(support.getpeername(support.accept(server)), own)
  lu.assertEquals(support.getsockname(client), own)
end


function TestUnix:test_a_client_with_an_abstract_name_of_its_own_may_fail()
  for _, timeout in ipairs { 0, 5 } do
    support.fails({ path = support.path 'nowhere', bind = { path = support.abstract 'own' },
                    timeout = timeout > 0 and timeout or nil }, 'connect', 'ENOENT')
  end
end


function TestUnix:test_connect_false_neither_connects_nor_listens()
  local path = support.path()
  local fd = open { path = path, connect = false }
  lu.assertNil((support.getpeername(fd)))
  lu.assertNil((support.stat(path)))
  fd = open { path = path, server = true, connect = false }
  lu.assertEquals(support.getsockname(fd), path)
  lu.assertEquals(support.getsockopt(fd, support.SOL_SOCKET, support.SO_ACCEPTCONN), 0)
  support.fails({ path = path }, 'connect', 'ECONNREFUSED')
end


function TestUnix:test_relative_path()
  local path = support.path 'here'
  support.in_child(function()
    assert(support.chdir(support.path ''))
    assert_stream_talks { path = 'here' }
  end)
  lu.assertEquals((support.stat(path)), 'socket')
end


-- Names

local LONGEST = support.PATH_SIZE - 1

function TestUnixNames:test_longest_path_talks_and_is_whole()
  local path = support.long_path(LONGEST)
  local server = assert_stream_talks { path = path }
  lu.assertEquals((support.stat(path)), 'socket')
  lu.assertEquals(#support.getsockname(server), LONGEST)
end


function TestUnixNames:test_path_one_too_long_is_refused_with_the_limit()
  local path = support.long_path(LONGEST + 1)
  for _, server in ipairs { true, false } do
    local message = support.refuses { path = path, server = server }
    lu.assertStrContains(message, ('has %d bytes, the limit is %d'):format(LONGEST + 1, LONGEST))
    lu.assertStrContains(message, path:sub(1, 60))
  end
  lu.assertNil((support.stat(path)))
end


function TestUnixNames:test_longest_abstract_name_talks_and_is_whole()
  local name = support.abstract()
  name = name .. ('x'):rep(support.PATH_SIZE - #name)
  local server = assert_stream_talks { path = name }
  lu.assertEquals(support.getsockname(server), name)
end


function TestUnixNames:test_abstract_name_one_too_long_is_refused_with_the_limit()
  local name = '\0' .. ('x'):rep(support.PATH_SIZE)
  local message = support.refuses { path = name, server = true }
  lu.assertStrContains(message, ('has %d bytes, the limit is %d'):format(#name, support.PATH_SIZE))
end


function TestUnixNames:test_abstract_names_with_nul_bytes_are_different_names()
  local prefix = support.abstract()
  local first = open { path = prefix .. '\0a', server = true }
  local second = open { path = prefix .. '\0b', server = true }
  local third = open { path = prefix, server = true }
  lu.assertEquals(support.getsockname(first), prefix .. '\0a')
  local client = open { path = prefix .. '\0b' }
  support.assert_talk(client, assert(support.accept(second)))
  lu.assertFalse(support.readable(first, 0))
  lu.assertFalse(support.readable(third, 0))
end


function TestUnixNames:test_own_path_has_the_same_limits()
  local path = support.path()
  open { path = path, server = true, datagram = true }
  local own = support.long_path(LONGEST)
  local client = open { path = path, datagram = true, bind = { path = own } }
  lu.assertEquals(support.getsockname(client), own)
  local message = support.refuses { path = path, datagram = true,
                                    bind = { path = support.long_path(LONGEST + 1) } }
  lu.assertStrContains(message, ('has %d bytes, the limit is %d'):format(LONGEST + 1, LONGEST))
end


function TestUnixNames:test_empty_path_is_refused()
  support.refuses({ path = '' }, 'path is empty')
  support.refuses({ path = '', server = true }, 'path is empty')
end


function TestUnixNames:test_nul_inside_a_path_is_refused()
  support.refuses({ path = '/tmp/a\0b', server = true }, "path '/tmp/a' has a NUL byte in it")
  lu.assertNil((support.stat('/tmp/a')))
end


support.run()
