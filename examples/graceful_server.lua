-- graceful_server: a server that ends on SIGTERM or Ctrl-C, once the connection that it
-- serves has its answer. Needs luaposix for the signals.
--
-- The handler runs while accept() waits, without a limit. It closes the listener, so
-- that accept() returns "closed" and no new connection is made.

local signal = require 'posix.signal'
local sock99 = require 'sock99'

local port = ...
local server = assert(sock99.socket { host = '127.0.0.1', port = port, server = true })
print(('listening on port %d'):format((select(2, server:getsockname()))))
io.stdout:flush()

local function stop()
  server:close()
end

signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)

while true do
  local client, message = server:accept()
  if not client then
    print('ended: ' .. message)
    break
  end
  client:settimeout(5)
  for line in client:lines() do
    client:send(line:upper() .. '\n')
  end
  client:close()
end
