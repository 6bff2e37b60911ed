-- names_cqueues.lua: connect to many names at once, under cqueues.
-- Run: scripts/with-lua 5.3 examples/names_cqueues.lua PORT NAME ...

local cqueues = require 'cqueues'
local sock99 = require 'sock99'

local port = arg[1]
local loop = cqueues.new()
local connected = 0

local function open(name)
  local opening = assert(sock99.start{ host = name, port = port, timeout = 5 })
  local socket, message = opening:step()
  while socket == false do
    cqueues.poll(opening)
    socket, message = opening:step()
  end
  cqueues.cancel(opening) -- before its descriptor is closed
  opening:cancel()
  if not socket then return print(name, message) end
  connected = connected + 1
  socket:close()
end

for i = 2, #arg do
  loop:wrap(open, arg[i])
end
assert(loop:loop())
print(connected .. ' of ' .. #arg - 1 .. ' connected')
