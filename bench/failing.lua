-- failing.lua: how long a network that fails holds a program up.
-- Runs in the namespace of bench/network.
--
-- Nearly all of it is waiting, so all libraries wait at the same time, each in a
-- process of its own (bench/network.lua). They begin one after the other, so
-- that none has to wait for the processor.

package.path = 'bench/?.lua;' .. package.path

local harness = require 'harness'
local sock99 = require 'sock99'

local LIMIT = harness.quick and 4 or 20
local rounds = harness.quick and 1 or 5

-- The namespace is new, so its ports are free.
local server = assert(sock99.socket { port = 2000, server = true })

local works = {
  { name = 'network.dead6', host = 'dead6', port = 2000, timeout = harness.quick and 3 or 10 },
  { name = 'network.dead4', host = 'dead4', port = 2000, timeout = harness.quick and 3 or 10 },
  { name = 'network.silent', host = 'silent.example', port = 80, timeout = 1 },
}

local contenders = harness.select(harness.contenders {
  { library = 'sock99', module = 'sock99' },
  { library = 'luasocket', module = 'socket' },
  { library = 'cqueues', module = 'cqueues.socket' },
  { library = 'luv', module = 'luv' },
}, function(contender)
  return contender.lua == harness.counted
end)


local function start(contender, work)
  return assert(io.popen(('%s timeout %d %s bench/network.lua %s %s %d %d 2>&1'):format(
    contender.environment, LIMIT, contender.interpreter, contender.library, work.host, work.port,
    work.timeout)))
end


local function record(work, contender, pipes)
  local times, outcome = {}, nil
  for i, pipe in ipairs(pipes) do
    local text = pipe:read '*a'
    pipe:close()
    local seconds, what = text:match '^([%d.]+) s: ([^\n]*)'
    times[i] = tonumber(seconds) or LIMIT
    outcome = what or text:match '[^\n]+' or 'still waiting'
  end
  harness.record(work.name, contender, 'seconds', times)
  harness.record(work.name, contender, 'outcome', outcome)
end


local running = {}
for _, work in ipairs(works) do
  io.write(('%s: %d contenders, %d rounds\n'):format(work.name, #contenders, rounds)):flush()
  running[work] = {}
  for _ = 1, rounds do
    for _, contender in ipairs(contenders) do
      running[work][contender] = running[work][contender] or {}
      table.insert(running[work][contender], start(contender, work))
      sock99.sleep(0.1)
    end
  end
end
for _, work in ipairs(works) do
  for _, contender in ipairs(contenders) do
    record(work, contender, running[work][contender])
  end
end
server:close()
