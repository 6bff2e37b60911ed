-- concurrent.lua: 1,000 connects at once through one loop; prints openings a second.
-- Run: lua concurrent.lua; needs luaposix.

local clock = require 'posix.time'
local poll = require 'posix.poll'.poll
local sock99 = require 'sock99'

local COUNT, ROUNDS = 1000, 5

local function now()
  local time = clock.clock_gettime(clock.CLOCK_MONOTONIC)
  return time.tv_sec + time.tv_nsec / 1e9
end

local function step_all(openings, watched)
  while next(watched) do
    poll(watched, -1)
    for pollfd, entry in pairs(watched) do
      local socket = false
      if entry.revents and entry.revents.IN then socket = assert(openings[pollfd]:step()) end
      if socket then
        socket:close()
        openings[pollfd]:cancel()
        openings[pollfd], watched[pollfd] = nil, nil
      end
    end
  end
end

local function round(port)
  local openings, watched = {}, {}
  for _ = 1, COUNT do
    local opening = assert(sock99.start{ host = '127.0.0.1', port = port, timeout = 10 })
    openings[opening:pollfd()] = opening
    watched[opening:pollfd()] = { events = { IN = true } }
  end
  step_all(openings, watched)
end

-- A free port below the ephemeral ones: luaposix's getsockname hands the kernel
-- an uninitialised length, so the port of port 0 can't be had from it.
local function listen()
  for port = 20000 + math.random(5000), 30000 do
    local server = sock99.open{ ipv4 = '127.0.0.1', port = port, server = true }
    if server then return server, port end
  end
  error 'no free port'
end

math.randomseed(os.time())
local rates = {}
for i = 1, ROUNDS do
  local server, port = listen()
  local before = now()
  round(port)
  rates[i] = COUNT / (now() - before)
  sock99.close(server)
end
table.sort(rates)
print(string.format('%d openings a second (median of %d rounds of %d at once)',
  math.floor(rates[math.ceil(ROUNDS / 2)]), ROUNDS, COUNT))
