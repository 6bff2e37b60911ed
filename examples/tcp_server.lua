-- tcp_server.lua: sends each client's line back to it.
-- Run: scripts/with-lua 5.3 examples/tcp_server.lua [port [clients]]
-- Port 8080 where missing; ends after so many clients, 1 where missing.

local sock99 = require 'sock99'
local socket = require 'posix.sys.socket'
local signal = require 'posix.signal'

local port, clients = arg[1] or 8080, tonumber(arg[2] or 1)

-- luaposix's send raises SIGPIPE when a client has gone; now it returns EPIPE.
signal.signal(signal.SIGPIPE, signal.SIG_IGN)


local function echo(fd)
  local line = ''
  while not line:find('\n', 1, true) do
    local data, message = socket.recv(fd, 4096)
    if not data or data == '' then
      return nil, message or 'the client closed before its line ended'
    end
    line = line .. data
  end
  return socket.send(fd, line)
end


local server = assert(sock99.open { host = '127.0.0.1', port = port, server = true })
print('listening on 127.0.0.1:' .. port)
io.stdout:flush()

for number = 1, clients do
  local fd = assert(socket.accept(server))
  local sent, message = echo(fd)
  print(('client %d: %s'):format(number, sent and sent .. ' bytes echoed' or message))
  sock99.close(fd)
end
sock99.close(server)
