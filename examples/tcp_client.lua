-- tcp_client.lua: sends a line to a TCP server and prints its answer.
-- Run: scripts/with-lua 5.3 examples/tcp_client.lua [host [port [line]]]
-- Try it on tcp_server.lua. The host may be a name, the port a service.

local sock99 = require 'sock99'
local socket = require 'posix.sys.socket'

local host, port, line = arg[1] or '127.0.0.1', arg[2] or 8080, arg[3] or 'hello'

local fd, message, code, stage = sock99.open {
  host = host,
  port = port,
  sockopts = { nodelay = true, rcvtimeo = 5 },
}
if not fd then
  io.stderr:write(message, '\n')
  if stage == 'connect' and code == sock99.errno.ECONNREFUSED then
    io.stderr:write('is the server running?\n')
  end
  os.exit(1)
end

assert(socket.send(fd, line .. '\n'))
local answer = ''
while not answer:find('\n', 1, true) do
  local data = assert(socket.recv(fd, 4096))
  if data == '' then
    break
  end
  answer = answer .. data
end
io.write(answer)
sock99.close(fd)
