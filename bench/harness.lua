-- harness.lua: what the benchmarks share: commands, contenders, statistics, records.
--
-- What is measured goes line by line into the file $RECORDS (bench/records.lua
-- reads it back); what is printed only tells how far it has come.

local harness = { build = os.getenv 'BUILD', quick = os.getenv 'QUICK' == '1' }

-- How often each is measured: an odd number, so that the median is one of them.
harness.rounds = tonumber(os.getenv 'ROUNDS') or (harness.quick and 3 or 9)

harness.luas = harness.quick and { '5.3' } or { '5.1', '5.3', '5.4', 'jit' }

-- The Lua whose instructions, allocations and system calls are counted: the only
-- one here for which Debian has every peer, and the one the goals were set with.
harness.counted = '5.3'


function harness.output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read '*a'
  pipe:close()
  return text
end


function harness.has(program)
  return harness.output('command -v ' .. program):match '%S' ~= nil
end


-- One line of what was measured: a number, a list of them by round, or a text.
-- `who` has a library and, unless it is C, the version of Lua.
function harness.record(work, who, measure, value)
  local list = type(value) == 'table' and value or { value }
  local fields = { work, who.library, who.lua or '-', measure }
  if type(list[1]) == 'string' then
    table.insert(fields, (list[1]:gsub('%s+', ' ')))
  else
    table.sort(list)
    for _, share in ipairs { 0.5, 0.25, 0.75 } do
      local place = 1 + share * (#list - 1)
      local below = math.floor(place)
      local value_there = list[below]
      if place > below then
        value_there = value_there + (place - below) * (list[below + 1] - value_there)
      end
      table.insert(fields, ('%.7g'):format(value_there))
    end
    table.insert(fields, #list)
  end
  local file = assert(io.open(os.getenv 'RECORDS', 'a'))
  file:write(table.concat(fields, '\t'), '\n')
  file:close()
end


-- True, or nil and the reason why this library is not here for this Lua. Leaves
-- in it the environment that it needs and its interpreter.
local function find(contender)
  local interpreter = harness.output('scripts/find-lua interpreter ' .. contender.lua):match '%S+'
  if not interpreter then
    return nil, 'no interpreter'
  end
  local path = ("LUA_CPATH='%s/%s/?.so;;'"):format(harness.build, contender.lua)
  local found = harness.output(("%s %s -e 'print((pcall(require, \"%s\")))' 2>&1")
    :format(path, interpreter, contender.module))
  if not found:match '^true' then
    return nil, 'no module ' .. contender.module
  end
  contender.environment, contender.interpreter = path, interpreter
  return true
end


-- Each library with each Lua, as far as they are here; which are not is recorded.
function harness.contenders(libraries)
  local present = {}
  for _, library in ipairs(libraries) do
    for _, lua in ipairs(harness.luas) do
      local contender = { lua = lua }
      for key, value in pairs(library) do
        contender[key] = value
      end
      local found, reason = find(contender)
      if found then
        table.insert(present, contender)
      else
        harness.record('absent', contender, 'reason', reason)
      end
    end
  end
  return present
end


function harness.select(list, wanted)
  local chosen = {}
  for _, entry in ipairs(list) do
    if wanted(entry) then
      table.insert(chosen, entry)
    end
  end
  return chosen
end


-- f(contender, …), once more if need be, since what else the machine does may stop a
-- program. nil where it fails again: that is recorded, and all others go on.
function harness.attempt(work, contender, f, ...)
  local ok, value = pcall(f, contender, ...)
  if not ok then
    ok, value = pcall(f, contender, ...)
  end
  if ok then
    return value
  end
  local reason = tostring(value):match '[^\n]+' or 'no output'
  io.stderr:write(('%s: %s, Lua %s: %s\n'):format(work, contender.library, contender.lua or '-',
    reason))
  harness.record(work, contender, 'failed', reason)
end


-- Turn by turn, right after `bare` each time: the noise of the machine cancels in
-- the ratio. microseconds(contender) is one measurement; try(contender), a short
-- one, tells whether it can do this at all. Gives those that could.
function harness.compare(work, bare, contenders, rounds, microseconds, try)
  local function able(contender)
    try(contender)
    return true
  end

  local left = harness.select(contenders, function(contender)
    return harness.attempt(work, contender, able)
  end)
  io.write(('%s: %d contenders, %d rounds\n'):format(work, #left, rounds)):flush()
  local base, times, ratios = {}, {}, {}
  for _, contender in ipairs(left) do
    times[contender], ratios[contender] = {}, {}
  end
  for _ = 1, rounds do
    left = harness.select(left, function(contender)
      local bare_time = harness.attempt(work, bare, microseconds)
      local time = bare_time and harness.attempt(work, contender, microseconds)
      if time then
        table.insert(base, bare_time)
        table.insert(times[contender], time)
        table.insert(ratios[contender], time / bare_time)
      end
      return time
    end)
  end
  if #base > 0 then
    harness.record(work, bare, 'us', base)
    harness.record(work, bare, 'ratio', 1)
  end
  for _, contender in ipairs(left) do
    harness.record(work, contender, 'ratio', ratios[contender])
    harness.record(work, contender, 'us', times[contender])
  end
  return left
end


local function read(path)
  local file = assert(io.open(path))
  local text = file:read '*a'
  file:close()
  return text
end


-- What 2n more of them make, each: what a program does once cancels.
function harness.each(n, count)
  return (count(3 * n) - count(n)) / (2 * n)
end


-- What a program executes outside the kernel; run(under) runs it under a command.
function harness.instructions(run)
  local log = harness.build .. '/bench/callgrind.log'
  run('valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file=' .. log)
  return tonumber(read(log):match 'Collected : (%d+)')
end


-- Its system calls: how many of each name, and the names, in order.
function harness.system_calls(run)
  local log = harness.build .. '/bench/strace.log'
  run('strace -f -o ' .. log)
  local counts, names = {}, {}
  for line in io.lines(log) do
    local name = line:match '^%d+%s+([%w_]+)%('
    if name then
      counts[name] = (counts[name] or 0) + 1
      table.insert(names, name)
    end
  end
  return counts, names
end


-- Its allocations, and the bytes that it has not freed in the end.
function harness.allocations(run)
  local log = harness.build .. '/bench/allocations.log'
  os.remove(log)
  run(('env LD_PRELOAD=%s/bench/allocations.so ALLOCATIONS=%s'):format(harness.build, log))
  local calls, bytes = read(log):match '(%d+) (%d+)'
  return tonumber(calls), tonumber(bytes)
end


return harness
