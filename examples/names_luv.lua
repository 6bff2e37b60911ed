-- names_luv.lua: connect to many names at once, under luv.
-- Run: scripts/with-lua 5.3 examples/names_luv.lua PORT NAME ...

local sock99 = require 'sock99'
local uv = require 'luv'

local port = arg[1]
local connected = 0

local function finish(name, socket, message)
  if not socket then return print(name, message) end
  connected = connected + 1
  socket:close()
end

local function open(name)
  local opening = assert(sock99.start{ host = name, port = port, timeout = 5 })
  local watcher = uv.new_poll(opening:pollfd())
  watcher:start('r', function()
    local socket, message = opening:step()
    if socket == false then return end
    watcher:close(function() opening:cancel() end)
    finish(name, socket, message)
  end)
end

for i = 2, #arg do
  open(arg[i])
end
uv.run()
print(connected .. ' of ' .. #arg - 1 .. ' connected')
