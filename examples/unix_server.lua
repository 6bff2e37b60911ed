-- unix_server.lua: greets each client on a Unix socket that only its owner and
-- group may use.
-- Run: scripts/with-lua 5.3 examples/unix_server.lua [path [clients]]
-- Path /tmp/hello.sock where missing; ends after so many clients, 1 where missing.

local sock99 = require 'sock99'

local path, clients = arg[1] or '/tmp/hello.sock', tonumber(arg[2] or 1)

-- mode: whatever the umask is, and before anyone can connect.
-- unlink: what a server that was killed left behind is in the way no more;
-- a server that is alive keeps its path, and this is EADDRINUSE.
local server = assert(sock99.socket{ path = path, server = true, mode = '0660', unlink = true })
print('listening on ' .. server:getsockname())
io.stdout:flush()

for _ = 1, clients do
  local client = assert(server:accept())
  local name = assert(client:receive())
  assert(client:send(('hello, %s\n'):format(name)))
  -- The kernel knows who is at the other end, whatever they say.
  print(('greeted %s, who is user %d'):format(name, assert(client:getpeercred()).uid))
  client:close()
end

-- The file stays until someone removes it; the next server could, too.
server:close()
os.remove(path)
