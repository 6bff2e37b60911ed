-- tcp_client.lua: sends a line to a TCP server and prints its answer.
-- Run: scripts/with-lua 5.3 examples/tcp_client.lua [host [port [line]]]
-- Try it on tcp_server.lua. The host may be a name, the port a service.

local sock99 = require 'sock99'

local host, port, line = arg[1] or '127.0.0.1', arg[2] or 8080, arg[3] or 'hello'

local client, message, code, stage = sock99.socket{
  host = host,
  port = port,
  timeout = 5, -- to look the name up and to connect, whatever the network does
  sockopts = { nodelay = true },
}
if not client then
  io.stderr:write(message, '\n')
  if stage == 'connect' and code == sock99.errno.ECONNREFUSED then
    io.stderr:write('is the server running?\n')
  end
  os.exit(1)
end

client:settimeout(5) -- for every wait from here on
assert(client:send(line .. '\n'))
print(assert(client:receive()))
client:close()
