-- names_select.lua: connect to many names at once, without an event loop.
-- Run: scripts/with-lua 5.3 examples/names_select.lua PORT NAME ...

local sock99 = require 'sock99'

local port = arg[1]
local openings, names, connected = {}, {}, 0

for i = 2, #arg do
  local opening = assert(sock99.start{ host = arg[i], port = port, timeout = 5 })
  openings[#openings + 1] = opening
  names[opening] = arg[i]
end

local function step(opening)
  local socket, message = opening:step()
  if socket == false then return true end -- not yet
  if socket then
    connected = connected + 1
    socket:close()
  else
    print(names[opening], message)
  end
  opening:cancel()
end

while #openings > 0 do
  local ready, pending = sock99.select(openings), {}
  for _, opening in ipairs(openings) do
    if not ready[opening] or step(opening) then pending[#pending + 1] = opening end
  end
  openings = pending
end
print(connected .. ' of ' .. #arg - 1 .. ' connected')
