-- http_unix.lua: asks an HTTP server on a Unix path, as Docker's is, for something.
-- Run: scripts/with-lua 5.3 examples/http_unix.lua [path [target]]
-- /var/run/docker.sock and /containers/json where missing.

local sock99 = require 'sock99'

local path, target = arg[1] or '/var/run/docker.sock', arg[2] or '/containers/json'
local client = assert(sock99.socket{ path = path })
client:settimeout(10)

assert(client:send{ 'GET ', target, ' HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' })

local status = assert(client:receive()) -- HTTP/1.1 200 OK
local headers = {}
for line in client:lines() do
  if line == '' then break end
  local name, value = line:match('^([^:]+):%s*(.*)')
  headers[name:lower()] = value
end

-- A body comes in pieces that each begin with a length, or with one length for
-- all of it, or lasts until the server closes.
local body = {}
if (headers['transfer-encoding'] or ''):lower() == 'chunked' then
  repeat
    local size = tonumber(assert(client:receive()):match('^%x+'), 16)
    body[#body + 1] = assert(client:receive(size))
    assert(client:receive()) -- the line's end
  until size == 0
else
  body[1] = assert(client:receive(headers['content-length'] or '*a'))
end
client:close()

io.stderr:write(status, '\n')
io.write(table.concat(body))
os.exit(status:find '^HTTP/1%.%d 2' and 0 or 1)
