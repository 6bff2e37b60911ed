-- programs: suites of tests from the programs of test/luasocket/programs. Each
-- case is two tests: that it works over LuaSocket's own core, and that over
-- ours it tells the same.

local lu = require 'luaunit'
local support = require 'support'

local programs = {}

local CORES = { luasocket = "LuaSocket's core", sock99 = 'our core' }

local SECONDS = support.runner and 300 or 60


local function path_of(program)
  return ('test/luasocket/programs/%s.lua'):format(program)
end


local function names_of(program)
  local names = {}
  for line in io.lines(path_of(program)) do
    names[#names + 1] = line:match '^function case%.([%w_]+)'
  end
  return names
end


local function finds(module)
  return (pcall(require, module))
end


-- Why a program cannot run over this core here; nil if it can.
local function obstacle(core, needs)
  for _, module in ipairs(needs) do
    if not finds(module) then
      return ('there is no %s for this Lua'):format(module)
    end
  end
  if core == 'sock99' and not finds 'sock99.luasocket' then
    return 'there is no sock99.luasocket'
  end
  return nil
end


-- Our half runs under what the tests run under; LuaSocket's is not ours to check.
local function command(core, program, directory)
  local runner = core == 'sock99' and os.getenv 'RUNNER' or ''
  return ('PROGRAM_DIRECTORY=%s %s %s test/luasocket/run.lua %s %s %d 2>&1'):format(
    directory, runner, support.interpreter, core, program, SECONDS)
end


-- By case: { told = {…}, fail = , skip = , done = }, and what else was printed.
local function run(core, program)
  local results, noise, case = {}, {}, nil
  local directory = assert(support.mkdtemp())
  local pipe = assert(io.popen(command(core, program, directory)))
  for line in pipe:lines() do
    local kind, text = line:match '^(%l+) (.*)$'
    if kind == 'case' then
      case = { told = {} }
      results[text] = case
    elseif case and kind == 'told' then
      case.told[#case.told + 1] = text
    elseif case and (kind == 'fail' or kind == 'skip' or kind == 'done') then
      case[kind] = text:gsub('\\n', '\n')
    else
      noise[#noise + 1] = line
    end
  end
  pipe:close()
  os.execute("rm -rf '" .. directory .. "'")
  return results, table.concat(noise, '\n')
end


-- Each program runs once over each core, when the first of its tests does.
local function runs(program)
  local done = {}
  return function(core)
    if not done[core] then
      local results, noise = run(core, program)
      done[core] = { results = results, noise = noise }
    end
    return done[core].results, done[core].noise
  end
end


-- What a case told over a core, which must have ended well.
local function told(results, noise, name, core)
  local case = results[name]
  if not case or not case.done then
    lu.fail(('%s: the program ended before the case did\n%s'):format(CORES[core], noise))
  end
  if case.fail then
    lu.fail(('%s: %s\n%s'):format(CORES[core], case.fail, noise))
  end
  return case
end


-- By label; a label that is told again gets a number.
local function by_label(lines)
  local labels, seen = {}, {}
  for _, line in ipairs(lines) do
    local label, text = line:match '^(.-): (.*)$'
    seen[label] = (seen[label] or 0) + 1
    if seen[label] > 1 then
      label = ('%s #%d'):format(label, seen[label])
    end
    labels[label] = text
  end
  return labels
end


local function sorted(list)
  table.sort(list)
  return list
end


-- Whether it is what was expected. The message of an error that is raised may say more:
-- what it got, and what to do.
local function is_same(expected, got)
  if got == expected then
    return true
  end
  local begin = expected and expected:match "^('raises', 'bad argument: .*)'$"
  return begin ~= nil and got ~= nil and got:sub(1, #begin) == begin
end


-- Asserts that both told the same, but for what `differences` (by label) says:
-- { theirs, ours }.
local function compare(theirs, ours, differences)
  local their_labels, our_labels = by_label(theirs), by_label(ours)
  local wrong, labels = {}, {}
  for _, told_labels in ipairs { their_labels, our_labels } do
    for label in pairs(told_labels) do
      labels[label] = true
    end
  end
  for label in pairs(labels) do
    local difference = differences and differences[label]
    local expected = difference and difference[2] or their_labels[label]
    if not is_same(expected, our_labels[label]) then
      wrong[#wrong + 1] = ('%s\n    expected %s\n    got      %s'):format(
        label, tostring(expected), tostring(our_labels[label]))
    end
    if difference and their_labels[label] ~= difference[1] then
      wrong[#wrong + 1] = ("%s\n    LuaSocket's was to be %s\n    but is %s"):format(
        label, difference[1], tostring(their_labels[label]))
    end
  end
  if #wrong > 0 then
    lu.fail('not as over LuaSocket: ' .. table.concat(sorted(wrong), '\n  '))
  end
end


local function skip(why)
  return function()
    lu.skip(why)
  end
end


-- A suite with the tests of one program; where it cannot run at all, one test
-- says why.
--
--   programs.suite('http', { needs = { 'socket.http' }, differences = { CASE = {…} } })
function programs.suite(program, options)
  local suite, results_over = support.suite(), runs(program)
  local without_luasocket = obstacle('luasocket', options.needs)
  local without_ours = obstacle('sock99', options.needs)
  if without_luasocket then
    suite.test_it = skip(without_luasocket)
    return suite
  end

  for _, name in ipairs(names_of(program)) do
    suite[('test_%s_on_luasocket'):format(name)] = function()
      local results, noise = results_over 'luasocket'
      local case = told(results, noise, name, 'luasocket')
      lu.skipIf(case.skip, case.skip)
    end

    suite[('test_%s_on_sock99'):format(name)] = not without_ours and function()
      local results, noise = results_over 'sock99'
      local ours = told(results, noise, name, 'sock99')
      lu.skipIf(ours.skip, ours.skip)
      results, noise = results_over 'luasocket'
      local theirs = told(results, noise, name, 'luasocket')
      if not theirs.skip then
        compare(theirs.told, ours.told, (options.differences or {})[name])
      end
    end or nil
  end
  if without_ours then
    suite.test_it_on_sock99 = skip(without_ours)
  end
  return suite
end


return programs
