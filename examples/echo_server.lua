-- echo_server.lua: sends back what many clients send, in one process.
-- Run: scripts/with-lua 5.3 examples/echo_server.lua [port [clients]]
-- Port 8080 where missing; ends after so many clients, never where missing.

local sock99 = require 'sock99'

local port, left = arg[1] or 8080, tonumber(arg[2]) or math.huge
local server = assert(sock99.socket{ host = '127.0.0.1', port = port, server = true })
local unsent = {} -- for each client, what it has not taken yet

local function drop(client)
  unsent[client], left = nil, left - 1
  client:close()
end

-- With a timeout of 0 nobody is waited for: a client takes what it has room for.
local function serve(client)
  local data, why = unsent[client], nil
  if data == '' then data, why = client:receiveany() end
  if not data then return why == 'timeout' or drop(client) end
  local last, message, partial = client:send(data)
  if not last and message ~= 'timeout' then return drop(client) end
  unsent[client] = data:sub((last or partial) + 1)
end

server:settimeout(0)
print(('listening on %s:%d'):format(server:getsockname()))
io.stdout:flush()

while left > 0 do
  local readers, writers = { server }, {}
  for client, data in pairs(unsent) do -- who has not taken its echo is not read from
    table.insert(data == '' and readers or writers, client)
  end
  local readable, writable = sock99.select(readers, writers)
  local new = readable[server] and server:accept()
  for client in pairs(unsent) do
    if readable[client] or writable[client] then serve(client) end
  end
  if new then new:settimeout(0); unsent[new] = '' end
end
