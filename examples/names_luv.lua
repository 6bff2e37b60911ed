-- names_luv.lua: connect to many names at once, under luv.
-- Run: scripts/with-lua 5.3 examples/names_luv.lua PORT NAME ...

local sock99 = require 'sock99'
local uv = require 'luv'

local port = arg[1]
local connected = 0

local function finish(name, fd, message)
  if not fd then return print(name, message) end
  connected = connected + 1
  sock99.close(fd)
end

local function open(name)
  local opening = assert(sock99.start{ host = name, port = port, timeout = 5 })
  local watcher = uv.new_poll(opening:pollfd())
  watcher:start('r', function()
    local fd, message = opening:step()
    if fd == false then return end
    watcher:close(function() opening:cancel() end)
    finish(name, fd, message)
  end)
end

for i = 2, #arg do
  open(arg[i])
end
uv.run()
print(connected .. ' of ' .. #arg - 1 .. ' connected')
