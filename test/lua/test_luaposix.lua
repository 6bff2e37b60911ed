-- The descriptors are luaposix's: what sock99 opens, luaposix uses.

local lu = require 'luaunit'
local support = require 'support'

TestLuaposix = support.suite()


local function need(name)
  local found, module = pcall(require, name)
  lu.skipIf(not found, 'luaposix is not installed for this Lua')
  return module
end


function TestLuaposix:test_tcp()
  local socket, unistd = need 'posix.sys.socket', need 'posix.unistd'
  local server, port = support.server {}
  local client = support.open { host = '127.0.0.1', port = port }
  local accepted = assert(socket.accept(server))
  lu.assertEquals(socket.send(client, 'hello'), 5)
  lu.assertEquals(socket.recv(accepted, 100), 'hello')
  lu.assertEquals(unistd.write(accepted, 'and back'), 8)
  lu.assertEquals(unistd.read(client, 100), 'and back')
  for _, fd in ipairs { server, client, accepted } do
    lu.assertEquals(unistd.close(fd), 0)
  end
end


function TestLuaposix:test_poll_and_flags()
  local poll, fcntl = need 'posix.poll', need 'posix.fcntl'
  local server, port = support.server { nonblocking = true }
  lu.assertEquals(poll.rpoll(server, 0), 0)
  local client = support.open { host = '127.0.0.1', port = port }
  lu.assertEquals(poll.rpoll(server, 1000), 1)
  local bit = fcntl.fcntl(server, fcntl.F_GETFL) / fcntl.O_NONBLOCK
  lu.assertEquals(math.floor(bit) % 2, 1)
  bit = fcntl.fcntl(client, fcntl.F_GETFL) / fcntl.O_NONBLOCK
  lu.assertEquals(math.floor(bit) % 2, 0)
end


function TestLuaposix:test_errno_has_the_same_numbers()
  local errno = need 'posix.errno'
  local ours = require 'sock99'.errno
  local compared = 0
  for name, number in pairs(errno) do
    if type(name) == 'string' and name:find '^E%u+$' and ours[name] then
      lu.assertEquals(ours[name], number, name)
      compared = compared + 1
    end
  end
  lu.assertTrue(compared > 50)
end


support.run()
