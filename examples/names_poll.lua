-- names_poll.lua: connect to many names at once, in a plain poll loop.
-- Run: scripts/with-lua 5.3 examples/names_poll.lua PORT NAME ...

local poll = require 'posix.poll'.poll
local sock99 = require 'sock99'

local port = arg[1]
local openings, watched, connected = {}, {}, 0

for i = 2, #arg do
  local opening = assert(sock99.start{ host = arg[i], port = port, timeout = 5 })
  openings[opening:pollfd()] = { name = arg[i], opening = opening }
  watched[opening:pollfd()] = { events = { IN = true } }
end

local function step(pollfd)
  local socket, message = openings[pollfd].opening:step()
  if socket == false then return end
  if socket then
    connected = connected + 1
    socket:close()
  else
    print(openings[pollfd].name, message)
  end
  openings[pollfd].opening:cancel()
  openings[pollfd], watched[pollfd] = nil, nil
end

while next(watched) do
  poll(watched, -1)
  for pollfd, entry in pairs(watched) do
    if entry.revents and entry.revents.IN then step(pollfd) end
  end
end
print(connected .. ' of ' .. #arg - 1 .. ' connected')
