-- Runs each scenario once to see which calls it makes, and then again for each of
-- these calls and each way in which it may fail; after each, nothing may be lost,
-- and everything must work. `run.lua [part of a scenario's name]…`
--
-- Scenarios run in child processes: one that crashes, or hangs, is told with the
-- case that it was at, and the next child goes on behind it.

local calls = require 'calls'
local faults = require 'faults'
local rules = require 'rules'
local scenarios = require 'scenarios'
local shared = require 'shared'
local sock99 = require 'sock99'
local system = require 'test_support'

local unpack = table.unpack or unpack -- luacheck: ignore

-- Seconds that a case may take; a storm of interruptions; "from now on".
local patience, storm, always = 60, 6, 2147483647


-- Twins of scenarios are left out, and the run without the fault comes after the
-- last of a call's cases.
local is_brief = os.getenv 'FAULTS_BRIEF' ~= nil


local function pack(...)
  return { n = select('#', ...), ... }
end


--
-- What a run holds
--

local state = {}
state.__index = state

function state:keep(object)
  self.kept[#self.kept + 1] = function() object:close() end
  return object
end


function state:own(fd)
  self.kept[#self.kept + 1] = function()
    if fd ~= self.given then
      system.close(fd)
    end
  end
  return fd
end


function state:at_end(f)
  self.kept[#self.kept + 1] = f
end


-- The descriptor of a Lua file, as a copy that came through a socket.
function state:pass_through(file)
  local a, b = assert(sock99.pair())
  self:keep(a)
  self:keep(b)
  assert(a:sendfds('x', file))
  return assert(b:receivefds())
end


function state:finish()
  for i = #self.kept, 1, -1 do
    self.kept[i]()
  end
  self.kept = {}
end


local directory

local function new_state(case)
  return setmetatable({ kept = {}, dir = directory, case = case }, state)
end


--
-- Cases
--

-- Names that scenarios give to files.
local files_may_be = { ['.'] = true, ['..'] = true, s = true, own = true, b = true, file = true }


local function clean(problems)
  for _, name in ipairs(faults.files(directory)) do
    if not files_may_be[name] then
      problems[#problems + 1] = 'the file ' .. name .. ' is left'
    end
    if not name:find '^%.+$' then
      os.remove(directory .. '/' .. name)
    end
  end
end


-- The thread of a lookup takes a moment to end.
local function compare(before, problems)
  local fds, threads, mask
  local deadline = system.now() + (patience > 2 and 10 or 0.5)
  repeat
    fds, threads, mask = faults.remains()
  until threads == before[2] or system.now() > deadline
  if fds ~= before[1] then
    problems[#problems + 1] = ('%d descriptors are lost'):format(fds - before[1])
  end
  if threads ~= before[2] then
    problems[#problems + 1] = ('%d threads are left'):format(threads - before[2])
  end
  if mask ~= before[3] then
    problems[#problems + 1] = 'the signal mask is another one'
  end
end


-- stage, code, message of results that tell a failure.
local function told(kind, results)
  if kind == 'open' then
    return results[4], results[3], results[2]
  end
  return nil, results[kind == 'partial' and 4 or 3], results[2]
end


local function describe(kind, results)
  if results[1] ~= nil then
    return 'ok'
  end
  local stage, code, message = told(kind, results)
  return ('%s (%s%s)'):format(tostring(message), stage and stage .. ', ' or '',
                              tostring(sock99.errno[code] or code))
end


local function is_told(case, kind, results, stage, error)
  local number = faults.errors[error or case.error]
  local its_stage, code, message = told(kind, results)
  if results[1] ~= nil or code ~= number or (stage and its_stage ~= stage) then
    return false
  end
  -- The fault's words, or those of what it became.
  if message == 'closed' then
    return number == faults.errors.EPIPE or number == faults.errors.ECONNRESET
  end
  if error and error ~= 'EAI_SYSTEM' or case.error:find '^EAI_' then
    return type(message) == 'string' and message ~= ''
  end
  return message:find(faults.words(faults.errors[case.error]), 1, true) ~= nil
end


local function fits(case, kind, results, expected)
  if expected == 'ok' then
    return results[1] ~= nil
  elseif expected == 'an end' then
    local _, code, message = told(kind, results)
    return results[1] ~= nil or (message ~= nil and (kind == 'words' or faults.words(code) ~= nil))
  elseif expected == 'same' then
    return is_told(case, kind, results)
  elseif expected == 'either' then
    return results[1] ~= nil or is_told(case, kind, results, nil,
      (select(2, told(kind, results))) == faults.errors.EAI_SYSTEM and 'EAI_SYSTEM' or nil)
  elseif expected.any then
    for _, one in ipairs(expected.any) do
      if fits(case, kind, results, one) then
        return true
      end
    end
    return false
  end
  return is_told(case, kind, results, expected[1], expected[2] or expected.code)
end


local function text_of(expected)
  if type(expected) ~= 'table' then
    return expected
  elseif not expected.any then
    return table.concat({ expected[1] or '', expected[2] or expected.code or 'same' }, ' ')
  end
  local all = {}
  for i, one in ipairs(expected.any) do
    all[i] = text_of(one)
  end
  return table.concat(all, ' or ')
end


local function faults_of(scenario, case)
  local list = {}
  for _, fault in ipairs(case and case.faults or {}) do
    list[#list + 1] = fault
  end
  for _, fault in ipairs(scenario.standing or {}) do
    list[#list + 1] = fault
  end
  return list
end


-- Runs `act` under the faults; true and whether they have occurred, or what is wrong.
local function perform(scenario, case, s, problems)
  local files = {}
  for _, name in ipairs(faults.files(directory)) do
    files[name] = true
  end
  faults.begin(faults_of(scenario, case))
  local results = pack(pcall(scenario.act, s))
  local fired = faults.stop()[1] > 0
  if not results[1] then
    error('it raised: ' .. tostring(results[2]), 0)
  end
  results = pack(unpack(results, 2, results.n))
  if results[1] == nil and scenario.kind == 'open' then
    for _, name in ipairs(faults.files(directory)) do
      if not files[name] then
        problems[#problems + 1] = 'the failure leaves a file: ' .. name
      end
    end
  end
  local expected = case and fired and case.expected or 'ok'
  if not fits(case, scenario.kind, results, expected) then
    problems[#problems + 1] = ('expected: %s; got: %s'):format(text_of(expected),
                                                               describe(scenario.kind, results))
  end
  return results, fired
end


-- After an error the work goes on; then it must be done.
local function complete(scenario, s, results)
  if results[1] == nil then
    local partial = results[3]
    results = pack((scenario.again or scenario.act)(s, partial))
    if results[1] == nil then
      error('it does not go on: ' .. describe(scenario.kind, results), 0)
    end
  end
  scenario.check(s, unpack(results, 1, results.n))
end


-- The problems of one run, and whether the fault occurred in it.
local function run(scenario, case)
  local before, problems, s = pack(faults.remains()), {}, new_state(case)
  local fired, began = false, system.now()
  local ok, problem = pcall(function()
    local results
    if scenario.setup then
      scenario.setup(s)
    end
    results, fired = perform(scenario, case, s, problems)
    complete(scenario, s, results)
  end)
  faults.stop()
  if not ok then
    problems[#problems + 1] = tostring(problem)
  end
  local ended, trouble = pcall(s.finish, s)
  if not ended then
    problems[#problems + 1] = 'at its end: ' .. tostring(trouble)
  end
  if system.now() - began > shared.deadline / 2 then
    problems[#problems + 1] = 'it waits in vain'
  end
  clean(problems)
  compare(before, problems)
  return problems, fired
end


--
-- All cases of a scenario
--

local function label(call, nth, what)
  return ('%s %d: %s'):format(call, nth, what)
end


local function new_case(kind, call, nth, last, mode, error, expected, name)
  return {
    kind = kind, call = call, error = error, expected = expected, label = name,
    faults = { { call = call, nth = nth, last = last, mode = mode,
                 error = error and assert(faults.errors[error], error) or 0 } },
  }
end


local function add_errors(list, scenario, call, nth)
  local mode = calls.done_all_the_same[call] and 'done' or 'fail'
  for error in assert(calls.errors[call], call):gmatch '%S+' do
    local expected = rules.expected(scenario, call, error, nth)
    if not expected then
      list.unruled[call .. ' ' .. error] = true
    elseif expected ~= 'skip' then
      list[#list + 1] = new_case('errors', call, nth, nth, mode, error, expected,
                                 label(call, nth, error))
      if error == 'EINTR' and call ~= 'close' then
        list[#list + 1] = new_case('storms of EINTR', call, nth, nth + storm - 1, mode, error,
                                   expected, label(call, nth, 'a storm of EINTR'))
      end
    end
  end
end


-- An error that does not go away, and for which no other try is right.
local lasting = {
  accept4 = 'EMFILE', close = 'EIO', connect = 'EACCES', getaddrinfo = 'EAI_FAIL', poll = 'ENOMEM',
  renameat2 = 'EPERM', sigtimedwait = 'EINVAL', write = 'none',
}

local function add_lasting(list, scenario, call, nth)
  local error = lasting[call] or calls.errors[call]:gsub('EAGAIN ', ''):match '%S+'
  local mode = calls.done_all_the_same[call] and 'done' or 'fail'
  if nth == 1 and error ~= 'none' and call ~= scenario.undoes_with then
    list[#list + 1] = new_case('lasting errors', call, 1, always, mode, error, 'an end',
                               ('%s: always %s'):format(call, error))
  end
end


local wakeups = {
  { 'ready', 'a wake-up for nothing' },
  { 'quiet', 'an early end' },
  { 'blank', 'a wake-up by nobody' },
}

local function add_wakeups(list, scenario, nth)
  for i = 1, scenario.believes_counts and 2 or 3 do
    local mode, name = wakeups[i][1], wakeups[i][2]
    list[#list + 1] = new_case('false wake-ups', 'poll', nth, nth, mode, nil, 'ok',
                               label('poll', nth, name))
    list[#list + 1] = new_case('false wake-ups', 'poll', nth, nth + storm - 1, mode, nil, 'ok',
                               label('poll', nth, 'again and again ' .. name))
  end
end


-- Short at one place; everywhere; everywhere between interruptions.
local function add_short(list, call, nth)
  list[#list + 1] = new_case('short transfers', call, nth, nth, 'short', nil, 'ok',
                             label(call, nth, 'short'))
  if nth > 1 then
    return
  end
  list[#list + 1] = new_case('short transfers', call, 1, always, 'short', nil, 'ok',
                             call .. ': always short')
  local mixed = new_case('short transfers', call, 1, always, 'short', nil, 'ok',
                         call .. ': always short, and interrupted')
  for i = 6, 2, -2 do
    table.insert(mixed.faults, 1, { call = call, nth = i, last = i, mode = 'fail',
                                    error = faults.errors.EINTR })
  end
  list[#list + 1] = mixed
end


local function cases_of(scenario, noted)
  local list, count = { unruled = {} }, {}
  for _, call in ipairs(noted) do
    local nth = (count[call] or 0) + 1
    count[call] = nth
    -- A standing fault is there already.
    local standing = false
    for _, fault in ipairs(scenario.standing or {}) do
      standing = standing or fault.call == call
    end
    if not standing then
      add_errors(list, scenario, call, nth)
      add_lasting(list, scenario, call, nth)
      if call == 'poll' then
        add_wakeups(list, scenario, nth)
      end
      if calls.may_be_short[call] then
        add_short(list, call, nth)
      end
    end
  end
  return list, count
end


--
-- Children
--

local function fork(f)
  local reader, writer = assert(system.pipe())
  io.stdout:flush()
  local pid = assert(system.fork())
  if pid == 0 then
    system.close(reader)
    local ok, problem = pcall(f, function(...)
      system.write(writer, table.concat({ ... }, '\t'):gsub('\n', ' ') .. '\n')
    end)
    if not ok then
      system.write(writer, 'problem\t' .. tostring(problem):gsub('\n', ' ') .. '\n')
    end
    system.exit(0)
  end
  system.close(writer)
  local pieces = {}
  repeat
    pieces[#pieces + 1] = assert(system.read(reader))
  until pieces[#pieces] == ''
  system.close(reader)
  local lines = {}
  for line in table.concat(pieces):gmatch '[^\n]+' do
    local words = {}
    for word in line:gmatch '[^\t]+' do
      words[#words + 1] = word
    end
    lines[#lines + 1] = words
  end
  return lines, faults.wait(pid)
end


local function ended_badly(how, number)
  if how == 'signal' then
    return number == 14 and 'it hangs' or 'signal ' .. number
  end
  return number ~= 0 and 'exit status ' .. number or nil
end


-- The calls of a run without faults; nil and why it fails.
local function record(scenario)
  local lines, how, number = fork(function(tell)
    faults.alarm(patience)
    if not scenario.fresh then
      run(scenario)
    end
    local problems = run(scenario)
    for _, call in ipairs(faults.noted()) do
      tell('call', call)
    end
    for _, problem in ipairs(problems) do
      tell('problem', problem)
    end
  end)
  local noted, problem = {}, ended_badly(how, number)
  for _, line in ipairs(lines) do
    if line[1] == 'call' then
      noted[#noted + 1] = line[2]
    else
      problem = line[2]
    end
  end
  return not problem and noted or nil, problem
end


local function is_same_call(a, b)
  return b ~= nil and a.call == b.call and a.faults[1].nth == b.faults[1].nth
end


local function run_cases(scenario, list, first, last, tell)
  if not scenario.fresh then
    run(scenario)
  end
  for i = first, last do
    faults.note(tostring(i))
    faults.alarm(patience)
    local problems, fired = run(scenario, list[i])
    for _, problem in ipairs(problems) do
      tell('failed', i, problem)
    end
    if not (is_brief and is_same_call(list[i], list[i + 1])) then
      for _, problem in ipairs((run(scenario))) do
        tell('failed', i, 'without the fault, afterwards: ' .. problem)
      end
    end
    tell(fired and 'fired' or 'missed', i)
  end
end


local totals = { cases = 0, missed = 0, scenarios = 0, kinds = {}, met = {}, failures = {} }


local function fail(scenario, what, problem)
  totals.failures[#totals.failures + 1] = ('%s: %s: %s'):format(scenario.name, what, problem)
end


local function read_report(scenario, list, lines)
  for _, line in ipairs(lines) do
    local case = list[tonumber(line[2])]
    if line[1] == 'failed' then
      fail(scenario, case.label, line[3] or '?')
    elseif line[1] == 'problem' then
      fail(scenario, 'the run', line[2] or '?')
    else
      totals.cases = totals.cases + 1
      totals.kinds[case.kind] = (totals.kinds[case.kind] or 0) + 1
      totals.missed = totals.missed + (line[1] == 'missed' and 1 or 0)
    end
  end
end


local function run_scenario(scenario)
  local noted, problem = record(scenario)
  if not noted then
    return fail(scenario, 'without faults', problem)
  end
  local list, count = cases_of(scenario, noted)
  for call in pairs(count) do
    totals.met[call] = true
  end
  for call in pairs(list.unruled) do
    fail(scenario, call, 'no rule says what must come of it')
  end
  totals.scenarios = totals.scenarios + 1
  local first = 1
  while first <= #list do
    local last = scenario.fresh and first or #list
    local lines, how, number = fork(function(tell)
      run_cases(scenario, list, first, last, tell)
    end)
    read_report(scenario, list, lines)
    problem = ended_badly(how, number)
    if problem then
      last = tonumber(faults.note())
      fail(scenario, list[last].label, problem)
    end
    first = last + 1
  end
end


--
-- What the product imports
--

local function imports(file)
  local pipe = assert(io.popen("env -u LD_PRELOAD nm -D --undefined-only '" .. file .. "'"))
  local symbols = {}
  for symbol in pipe:lines() do
    symbols[#symbols + 1] = symbol:match '%s[Uwv]%s+(%S+)'
  end
  pipe:close()
  return symbols
end


-- A function that nobody has thought of, and calls that no scenario has made.
local function check_imports(file, symbols, met)
  local scenario = { name = file }
  for _, symbol in ipairs(symbols) do
    local name = calls.name_of(symbol)
    local ours = not symbol:find '^lua' and not calls.exempt[name]
    if ours and not (calls.errors[name] and faults.knows(name)) then
      fail(scenario, symbol, 'it is imported; nothing makes it fail, and no reason is given')
    elseif ours and met and not met[name] then
      fail(scenario, symbol, 'no scenario has called it')
    end
  end
end


--
-- What the checks are worth: faults in the injector that they must notice
--

local sabotages = {
  { 'close', 'tcp server (socket)', 'descriptors are lost' },
  { 'unlink', 'unix server (socket)', 'the failure leaves a file' },
  { 'eintr', 'receive a line over tcp', 'expected: ok; got: Input/output error' },
  { 'errno', 'tcp server (socket)', 'expected: bind same; got: bind 127.0.0.1:0: No child' },
  { 'byte', 'receive all over tcp', 'what came' },
  { 'mask', 'sendfile of a file over tcp', 'the signal mask is another one' },
  { 'thread', 'resolve with a timeout', 'threads are left' },
  { 'hang', 'receive nothing until a timeout over tcp', 'it hangs' },
  { 'crash', 'tcp server (socket)', 'signal 6' },
}


local function find_scenario(name)
  for _, scenario in ipairs(scenarios) do
    if scenario.name == name then
      return scenario
    end
  end
  error('no scenario ' .. name)
end


-- True where the checks notice it, in at most a few cases.
local function is_noticed(sabotage, scenario, text)
  local noted = assert(record(scenario))
  local list = cases_of(scenario, noted)
  local before, few, step = patience, {}, math.max(1, math.floor(#list / 12))
  for i = 1, #list, step do
    few[#few + 1] = list[i]
  end
  patience = 2
  local lines, how, number = fork(function(tell)
    if sabotage == 'hang' or sabotage == 'crash' then
      faults.alarm(patience)
    end
    faults.sabotage(sabotage)
    for i, case in ipairs(few) do
      for _, problem in ipairs((run(scenario, case))) do
        tell('failed', i, problem)
      end
    end
  end)
  patience = before
  if tostring(ended_badly(how, number)):find(text, 1, true) then
    return true
  end
  for _, line in ipairs(lines) do
    if line[3] and line[3]:find(text, 1, true) then
      return true
    end
  end
  return false
end


local function check_the_checks()
  for _, each in ipairs(sabotages) do
    local scenario = find_scenario(each[2])
    if is_noticed(each[1], scenario, each[3]) then
      print(('noticed: %s (%s)'):format(each[1], each[3]))
    else
      fail(scenario, 'sabotage ' .. each[1], 'nobody has noticed it')
    end
  end
  local before = #totals.failures
  check_imports('an invented import', { 'ppoll@GLIBC_2.4' })
  if table.remove(totals.failures) and #totals.failures == before then
    print 'noticed: an import that nothing makes fail'
  else
    fail({ name = 'imports' }, 'ppoll', 'nobody has noticed it')
  end
end


--
-- All of it
--

local function is_chosen(scenario)
  if not arg[1] then
    return not (scenario.twin and is_brief)
  end
  for _, part in ipairs(arg) do
    if scenario.name:find(part, 1, true) then
      return true
    end
  end
  return false
end


local function summary(seconds)
  local kinds = {}
  for kind, count in pairs(totals.kinds) do
    kinds[#kinds + 1] = ('%d %s'):format(count, kind)
  end
  table.sort(kinds)
  return ('%s: %d cases of %d scenarios (%s; %d did not come to it), %.1f s of CPU'):format(
    _G.jit and 'LuaJIT' or _VERSION, totals.cases, totals.scenarios, table.concat(kinds, ', '),
    totals.missed, seconds)
end


directory = assert(system.mkdtemp())
faults.note '0'
faults.sabotage(os.getenv 'FAULTS_SABOTAGE' or 'none')
for _, scenario in ipairs(scenarios) do
  local chosen = is_chosen(scenario)
  local lack = chosen and scenario.world and scenario.world()
  if lack then
    print(('skipped: %s: %s'):format(scenario.name, lack))
  elseif chosen then
    run_scenario(scenario)
  end
end
if not arg[1] then
  local build = os.getenv 'FAULTS_BUILD'
  local module = build .. '/' .. os.getenv 'FAULTS_LUA' .. '/sock99.so'
  check_imports('sock99.so', imports(module), totals.met)
  check_imports('libsocket99.so', imports(build .. '/libsocket99.so'), totals.met)
  check_the_checks()
end
os.remove(directory)

for _, failure in ipairs(totals.failures) do
  print('FAILED ' .. failure)
end
print(summary(faults.cpu()))
os.exit(#totals.failures == 0 and 0 or 1)
