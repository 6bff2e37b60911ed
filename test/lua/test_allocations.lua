-- Memory ends at each allocation of each call, Lua's and C's: the call says so,
-- loses nothing, and works as soon as there is memory again. The functions are
-- found at run time, in the module, in the metatables of all objects and in
-- LuaSocket's core (test/lua/every_function.lua); one that nobody wrote a scenario for fails.
--
--     CALLS=native.client     only those whose names begin so

local lu = require 'luaunit'
local functions = require 'every_function'
local states = require 'test_states'
local support = require 'support'

local can_run = pcall(states.run, '', {})
local CALLS = os.getenv 'CALLS' or ''


TestAllocations = support.suite()


-- Under a RUNNER, which slows all down: those that bring all C code with them.
local chosen = {
  sock99 = true, opening = true, ['native.client'] = true, ['native.connected'] = true,
  ['luasocket.client'] = true,
}


-- The names of functions, of those of one class together.
local function grouped_names()
  local groups, by_prefix, count = {}, {}, 0
  for _, name in ipairs(functions.names()) do
    local prefix = name:match '^(.*)%.'
    if name:sub(1, #CALLS) == CALLS and (chosen[prefix] or not support.runner) then
      if not by_prefix[prefix] then
        by_prefix[prefix] = {}
        groups[#groups + 1] = by_prefix[prefix]
      end
      table.insert(by_prefix[prefix], name)
      count = count + 1
    end
  end
  return groups, count
end


-- How many cases; or nil, and what went wrong. The C library keeps a block of each
-- thread's stack, for the next thread, and so one more whenever more threads than ever
-- live at a time: that ends, while what is lost is lost anew each time.
local function starve(names, what)
  local text = ('return require("every_function").starver(%q, %q)'):format(
    table.concat(names, '\n'), what)
  local ok, message, counts
  for _ = 1, 30 do
    ok, message, counts = states.run(text, { starves = true })
    if not ok or counts.lost == 0 then
      break
    end
  end
  if not ok then
    return nil, message
  elseif counts.lost ~= 0 then
    return nil, ('%d blocks are lost'):format(counts.lost)
  end
  return tonumber(message)
end


-- All that goes wrong, by function.
local function starve_one_by_one(names, what)
  local problems = {}
  for _, name in ipairs(names) do
    local cases, problem = starve({ name }, what)
    if not cases then
      problems[#problems + 1] = name .. ': ' .. problem
    end
  end
  return table.concat(problems, '\n')
end


local function starve_each(what)
  lu.skipIf(not can_run, 'this Lua takes no allocator')
  local sum = 0
  local groups, count = grouped_names()
  for _, names in ipairs(groups) do
    local cases, problem = starve(names, what)
    if not cases then
      lu.fail(problem .. '\n' .. starve_one_by_one(names, what))
    end
    sum = sum + cases
  end
  print(('# %s: %d cases of %d functions'):format(what, sum, count))
  lu.assertTrue(sum > 0)
end


function TestAllocations:test_every_function_has_a_scenario()
  local without = {}
  for _, name in ipairs(functions.names()) do
    if not functions.scenarios(name) then
      without[#without + 1] = name
    end
  end
  lu.assertEquals(table.concat(without, ' '), '')
end


-- In a process that counts the blocks that are not freed, where there can be one.
-- What that one has printed is printed here, too.
local function starve_counting(name, what)
  local is_alone = support.runner or os.getenv 'SOCK99_PRELOADED'
  if states.counts_blocks() or (what == 'memory' and is_alone) then
    starve_each(what)
    return
  end
  local _, output = support.counts_blocks('TestAllocations.' .. name)
  print(output:match '# %l+: [^\n]*')
end


function TestAllocations:test_every_allocation_of_lua_may_fail()
  starve_counting('test_every_allocation_of_lua_may_fail', 'memory')
end


function TestAllocations:test_every_allocation_of_c_may_fail()
  starve_counting('test_every_allocation_of_c_may_fail', 'malloc')
end


support.run()
