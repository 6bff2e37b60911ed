-- luasocket.lua: programs on LuaSocket's core and on ours.
--
-- Each program (bench/programs.lua) runs on one core right after the other. The
-- ratio of the two, ours over LuaSocket's, is below 1 where ours is ahead.

package.path = 'bench/?.lua;' .. package.path

local harness = require 'harness'

local rounds = harness.quick and 1 or math.min(harness.rounds, 5)

-- Debian has copas for the older Luas alone; redis-lua fails on later ones.
-- `few`: how many are enough to count what they execute, each of `parts` parts.
local programs = {
  { name = 'http_large', modules = { 'socket.http' }, few = 1, parts = 1 },
  { name = 'http_small', modules = { 'socket.http' }, few = 20, parts = 1 },
  { name = 'copas_echo', modules = { 'copas' }, few = 5, parts = 20 },
  { name = 'redis_pipelines', modules = { 'redis' }, few = 2, parts = 200,
    luas = { ['5.1'] = true, jit = true } },
}

-- What a run tells: seconds of the processor, of the clock, KiB a connection.
local measures = { 'processor', 'seconds', 'memory' }
local cores = { { library = 'luasocket' }, { library = 'sock99' } }


-- What one run measured, by name; under a command and with a COUNT, if given.
local function run(lua, core, program, under, count)
  local directory = harness.output 'mktemp -d':match '%S+'
  local text = harness.output(
    ("BENCH_DIRECTORY=%s COUNT='%s' RUNNER='%s' scripts/with-lua %s bench/programs.lua %s %s 2>&1")
      :format(directory, count or '', under or '', lua, core.library, program.name))
  harness.output("rm -rf '" .. directory .. "'")
  local values = {}
  for name, value in text:gmatch '(%l+)%s+([%d.e+-]+)\n' do
    values[name] = tonumber(value)
  end
  assert(values.seconds and values.processor, text:match '[^\n]*')
  return values
end


local function lacks(lua, modules)
  for _, module in ipairs(modules) do
    local text = harness.output(
      ('scripts/with-lua %s -e \'print((pcall(require, "%s")))\' 2>&1'):format(lua, module))
    if not text:match '^true' then
      return module
    end
  end
end


-- A list by round of each measure of each core.
local function measure(who, program)
  local lists = {}
  for _ = 1, rounds do
    for _, core in ipairs(cores) do
      local values = run(who.lua, core, program)
      lists[core] = lists[core] or {}
      for _, name in ipairs(measures) do
        lists[core][name] = lists[core][name] or {}
        table.insert(lists[core][name], values[name])
      end
    end
  end
  return lists
end


local function record(lua, program, lists)
  local work, theirs, ours = 'program.' .. program.name, lists[cores[1]], lists[cores[2]]
  for _, name in ipairs(measures) do
    if #theirs[name] > 0 then
      local ratios = {}
      for i, value in ipairs(theirs[name]) do
        ratios[i] = ours[name][i] / math.max(value, 0.001)
      end
      harness.record(work, { library = 'sock99', lua = lua }, name .. ' ratio', ratios)
      for _, core in ipairs(cores) do
        harness.record(work, { library = core.library, lua = lua }, name, lists[core][name])
      end
    end
  end
end


-- Of the process that uses the core, the servers not counted.
local function count(who, program)
  local each = harness.each(program.few, function(n)
    return harness.instructions(function(under) run(who.lua, who, program, under, n) end)
  end)
  harness.record('program.' .. program.name, who, 'instructions', each / program.parts)
end


local function compare(lua, program)
  local work, who = 'program.' .. program.name, { library = 'sock99', lua = lua }
  local missing = lacks(lua, { 'test_support', 'socket.core', 'sock99.luasocket' })
    or lacks(lua, program.modules)
  if missing then
    harness.record(work, who, 'absent', 'no module ' .. missing)
    return
  end
  io.write(('%s: Lua %s, %d rounds\n'):format(work, lua, rounds)):flush()
  local lists = harness.attempt(work, who, measure, program)
  if lists then
    record(lua, program, lists)
  end
  for _, core in ipairs(cores) do
    if lists and lua == '5.1' and harness.has 'valgrind' and not harness.quick then
      harness.attempt(work, { library = core.library, lua = lua }, count, program)
    end
  end
end


-- Not on Lua 5.3 alone, even for a quick look: these programs are at home on 5.1.
for _, program in ipairs(programs) do
  for _, lua in ipairs(harness.quick and { '5.1' } or harness.luas) do
    if not program.luas or program.luas[lua] then
      compare(lua, program)
    end
  end
end
