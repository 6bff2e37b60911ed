-- process.lua: children that one can talk to, and what a process takes up.

local sock99 = require 'sock99'
local system = require 'test_support'

local process = {}

-- Our ends, which no child may inherit: the end of a child's channel tells it
-- that we have gone.
local channels = {}


-- A child that runs f(channel), and our end of that. It ends with us, and what
-- goes wrong in it makes its exit status 1.
function process.spawn(f)
  local ours, theirs = assert(sock99.pair())
  local parent = system.getpid()
  io.stdout:flush()
  local pid = assert(system.fork())
  if pid == 0 then
    system.end_with_parent(parent)
    ours:close()
    for channel in pairs(channels) do
      channel:close()
    end
    channels = {}
    local ok, problem = pcall(f, theirs)
    if not ok then
      io.stderr:write(tostring(problem), '\n')
    end
    system.exit(ok and 0 or 1)
  end
  theirs:close()
  channels[ours] = true
  return { pid = pid, channel = ours }
end


-- Hangs up and waits: the exit status, or 128 + the signal.
function process.finish(child)
  channels[child.channel] = nil
  child.channel:close()
  return assert(system.wait(child.pid))
end


-- What f(...) returns or raises, after clean_up(), which may be nil.
function process.finally(clean_up, f, ...)
  local ok, told = pcall(f, ...)
  if clean_up then
    clean_up()
  end
  if not ok then
    error(told, 0)
  end
  return told
end


-- All ports are ours, and what we leave in TIME_WAIT is in nobody's way.
function process.own_network()
  return system.unshare_network() and system.interface_up 'lo'
end


-- A limit of that many descriptors, or the case is skipped.
function process.need_descriptors(n)
  local ok, why = system.limit_descriptors(n)
  if not ok then
    error { skip = ('no more than %d descriptors: %s'):format(n, why) }
  end
end


local function read(path)
  local file = io.open(path)
  if not file then
    error { skip = 'there is no ' .. path }
  end
  local text = file:read '*a'
  file:close()
  return text
end


local function size(set)
  local n = 0
  for _ in pairs(set) do
    n = n + 1
  end
  return n
end


-- Descriptors below `most`, threads; and bytes, without Lua's garbage. The Rss
-- of smaps_rollup is exact, where VmRSS of status may be off by half a megabyte.
function process.measure(most)
  collectgarbage()
  collectgarbage()
  local figures = {
    descriptors = size(system.descriptors(most)),
    threads = tonumber(read '/proc/self/status':match 'Threads:%s*(%d+)'),
  }
  collectgarbage()
  figures.lua = collectgarbage 'count' * 1024
  figures.resident = tonumber(read '/proc/self/smaps_rollup':match 'Rss:%s*(%d+)') * 1024
  return figures
end


return process
