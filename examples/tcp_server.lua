-- tcp_server.lua: sends each client's line back to it, one client at a time.
-- Run: scripts/with-lua 5.3 examples/tcp_server.lua [port [clients]]
-- Port 8080 where missing, 0 is any free one; ends after so many clients.
-- echo_server.lua serves many at a time.

local sock99 = require 'sock99'

local port, clients = arg[1] or 8080, tonumber(arg[2] or 1)


local function echo(client)
  client:settimeout(10) -- a client that says nothing must not keep the others waiting
  local line, message = client:receive('*L')
  if not line then
    return nil, message
  end
  return client:send(line)
end


local server = assert(sock99.socket{ host = '127.0.0.1', port = port, server = true })
print(('listening on %s:%d'):format(server:getsockname()))
io.stdout:flush()

for number = 1, clients do
  local client = assert(server:accept())
  local sent, message = echo(client)
  print(('client %d: %s'):format(number, sent and sent .. ' bytes echoed' or message))
  client:close()
end
server:close()
