-- unix_server.lua: greets each client on a Unix socket that only its owner and
-- group may use.
-- Run: scripts/with-lua 5.3 examples/unix_server.lua [path [clients]]
-- Path /tmp/hello.sock where missing; ends after so many clients, 1 where missing.

local sock99 = require 'sock99'
local socket = require 'posix.sys.socket'
local signal = require 'posix.signal'
local stat = require 'posix.sys.stat'

local path, clients = arg[1] or '/tmp/hello.sock', tonumber(arg[2] or 1)

signal.signal(signal.SIGPIPE, signal.SIG_IGN)

-- mode: whatever the umask is, and before anyone can connect.
-- unlink: what a server that was killed left behind is in the way no more;
-- a server that is alive keeps its path, and this is EADDRINUSE.
local server = assert(sock99.open { path = path, server = true, mode = '0660', unlink = true })
print(('listening on %s, mode %04o'):format(path, stat.stat(path).st_mode % 512))
io.stdout:flush()

for _ = 1, clients do
  local fd = assert(socket.accept(server))
  local name = assert(socket.recv(fd, 4096)):gsub('%s+$', '')
  socket.send(fd, ('hello, %s\n'):format(name))
  print('greeted ' .. name)
  sock99.close(fd)
end

-- The file stays until someone removes it; the next server could, too.
sock99.close(server)
os.remove(path)
