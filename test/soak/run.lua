-- run.lua [PROGRAM[:PATTERN]…]: load and soak; prints figures, and ends in
-- "N passed, N failed, N skipped". All programs where none is named; of a program
-- all cases, or those whose names have the pattern in them.
--
-- A program (crowd, opens, failures, prefork) is a list of cases: `name`, and
-- `run`, which returns the case's figures, raises an error where it fails, and a
-- table { skip = reason } where it cannot be run. A case with a `plant` has a
-- fault put in on purpose: it passes if it fails with a message of that pattern.
--
-- From the environment, how many: see amount.lua.

package.path = 'test/soak/?.lua;' .. package.path

local process = require 'process'
local system = require 'test_support'

local programs = { 'crowd', 'opens', 'failures', 'prefork' }
local count = { passed = 0, FAILED = 0, skipped = 0 }


local function indented(text)
  return (text:gsub('[^\n]+', '    %0'))
end


-- In a process of its own: its memory and descriptors are the case's alone.
local function outcome_of(case)
  local child = process.spawn(function(channel)
    local network = process.own_network()
    local ok, told = pcall(case.run)
    local verdict = ok and 'passed' or type(told) == 'table' and told.skip and 'skipped' or 'FAILED'
    told = type(told) == 'table' and told.skip or tostring(told)
    if not network then
      told = told .. '; not in a network of its own'
    end
    channel:send { verdict, '\n', told }
  end)
  local verdict = child.channel:receive() or 'FAILED'
  local told = child.channel:receive '*a' or ''
  local status = process.finish(child)
  if status ~= 0 then
    return 'FAILED', ('%s\nended with status %d'):format(told, status)
  end
  return verdict, told
end


local function judge(case)
  local verdict, told = outcome_of(case)
  if not case.plant or verdict == 'skipped' then
    return verdict, told
  end
  if verdict == 'FAILED' and told:find(case.plant) then
    return 'passed', 'noticed: ' .. told
  end
  return 'FAILED', 'the fault put in was not noticed: ' .. told
end


local function run(program, case)
  local start = system.now()
  local verdict, told = judge(case)
  count[verdict] = count[verdict] + 1
  print(('%s: %s: %s (%.1f s)'):format(program, case.name, verdict, system.now() - start))
  print(indented(told))
  io.stdout:flush()
end


for _, name in ipairs(#arg > 0 and arg or programs) do
  local program, pattern = name:match '^([^:]+):?(.*)$'
  for _, case in ipairs(require(program)) do
    if case.name:find(pattern) then
      run(program, case)
    end
  end
end
print(('%d passed, %d failed, %d skipped'):format(count.passed, count.FAILED, count.skipped))
os.exit(count.FAILED == 0 and count.passed > 0 and 0 or 1)
