-- flat.lua: something done many times, and what it leaves behind.
--
-- After each tenth the process is measured. Descriptors and threads must be the
-- same every time; the last three samples of memory must not all be above the
-- first three by more than the bound. So a peak is forgiven, a leak is not: one of
-- b bytes a call shows from bound / (b * 0.5) calls on. Garbage is collected often:
-- resident memory is not to tell how lazy the collector was.

local process = require 'process'
local sock99 = require 'sock99'
local system = require 'test_support'

local WARM_UP = 1000
local COLLECT_EVERY = 100

-- LuaJIT's traces and their machine code come when they come.
local BOUND = { lua = jit and 64 * 1024 or 4 * 1024, resident = jit and 512 * 1024 or 64 * 1024 }


-- A lookup's thread ends after the lookup: wait for that.
local function settled()
  local figures
  for _ = 1, 500 do
    figures = process.measure()
    if figures.threads == 1 then
      break
    end
    sock99.sleep(0.01)
  end
  return figures
end


local function extreme(choose, samples, key, first, last)
  local value = samples[first][key]
  for i = first + 1, last do
    value = choose(value, samples[i][key])
  end
  return value
end


local function check(samples)
  for _, key in ipairs { 'descriptors', 'threads' } do
    for i = 2, #samples do
      local before, now = samples[1][key], samples[i][key]
      if now ~= before then
        error(('%s: %d after a tenth, %d after %d tenths'):format(key, before, now, i), 0)
      end
    end
  end
  for _, key in ipairs { 'lua', 'resident' } do
    local growth = extreme(math.min, samples, key, 8, 10) - extreme(math.max, samples, key, 1, 3)
    if growth > BOUND[key] then
      error(('%s memory grew by %d bytes'):format(key, growth), 0)
    end
  end
end


local function call(f, first, last)
  for i = first, last do
    f(i)
    if i % COLLECT_EVERY == 0 then
      collectgarbage()
    end
  end
  return settled()
end


-- Calls f(i) n times, after a warm-up; returns what that took, as text.
return function(n, f)
  local tenth = math.max(1, math.floor(n / 10))
  call(f, 1, math.min(tenth, WARM_UP))
  local samples, start = {}, system.now()
  for i = 1, 10 do
    samples[i] = call(f, (i - 1) * tenth + 1, i * tenth)
  end
  local seconds = system.now() - start
  check(samples)
  local first, last = samples[1], samples[10]
  return ('%d in %.1f s, %.2f us each; from the first tenth to the last: '
    .. '%d descriptors, %d threads, Lua %+d bytes, resident %+d KiB'):format(
    10 * tenth, seconds, seconds / (10 * tenth) * 1e6, last.descriptors, last.threads,
    last.lua - first.lua, (last.resident - first.resident) / 1024)
end
