-- file_server.lua: the files of a directory over HTTP, on a port or a Unix path.
-- Run: scripts/with-lua 5.3 examples/file_server.lua DIRECTORY [port or /path [requests]]
-- Try: curl http://127.0.0.1:8080/README.md
-- Ends after so many requests, never where missing.

local sock99 = require 'sock99'

local directory, where, requests = arg[1] or '.', arg[2] or '8080', tonumber(arg[3] or math.huge)
local address = where:find('/', 1, true) and { path = where, unlink = true }
  or { host = '127.0.0.1', port = where }

-- Only what is below the directory, and no directories.
local function open(path)
  local file = not path:find('..', 1, true) and io.open(directory .. path, 'rb')
  if not file then return nil end
  local _, problem = file:read(0)
  return not problem and file or nil
end

local function serve(client)
  client:settimeout(10)
  local path = (client:receive() or ''):match('^GET (/%S*) HTTP/1')
  repeat local header = client:receive() until not header or header == ''
  local file = path and open(path)
  if not file then return client:send('HTTP/1.0 404 Not Found\r\n\r\nno such file\n') end
  local head = 'HTTP/1.0 200 OK\r\nContent-Length: ' .. file:seek('end') .. '\r\n\r\n'
  -- From its first byte to its end, without passing through Lua.
  if client:send(head) then client:sendfile(file, 0) end
  file:close()
end

local server = assert(sock99.socket(setmetatable({ server = true }, { __index = address })))
print('listening on ' .. (address.path or ('%s:%d'):format(server:getsockname())))
io.stdout:flush()
for _ = 1, requests do
  local client = assert(server:accept())
  serve(client)
  client:close()
end
