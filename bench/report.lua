-- report.lua: from what was measured (bench/records.lua), and bench/template.md, to
-- doc/bench/README.md. The same data always give the same text.

local names = require 'names'

local report = {}


-- 1234567 as 1,234,567.
local function integer(number)
  local text = ('%.0f'):format(number)
  local count
  repeat
    text, count = text:gsub('^(-?%d+)(%d%d%d)', '%1,%2')
  until count == 0
  return text
end


-- A median by a format, with its quartiles where there were rounds.
local function with_spread(format)
  return function(value)
    if value.rounds == 1 then
      return format:format(value.median)
    end
    return ('%s (%s–%s)'):format(format:format(value.median), format:format(value.low),
      format:format(value.high))
  end
end


local function as_table(head, rows)
  local lines = { '| ' .. table.concat(head, ' | ') .. ' |',
    '| ---' .. (' | ---:'):rep(#head - 1) .. ' |' }
  for _, row in ipairs(rows) do
    table.insert(lines, '| ' .. table.concat(row, ' | ') .. ' |')
  end
  return table.concat(lines, '\n')
end


-- A row for each library and Lua that has a measure of any of the works; a
-- column for each of these.
local function matrix(data, title, works, measure, show)
  local head, rows = { title }, {}
  for _, work in ipairs(works) do
    table.insert(head, names.work[work])
  end
  for _, library in ipairs(names.libraries) do
    for _, lua in ipairs(names.luas) do
      local row, any = { names.who(library, lua) }, false
      for _, work in ipairs(works) do
        local value = data.get(work, library, lua, measure)
        any = any or value ~= nil
        table.insert(row, value and show(value) or '–')
      end
      if any then
        table.insert(rows, row)
      end
    end
  end
  return #rows > 0 and as_table(head, rows) or 'Not measured.'
end


local function machine(data)
  local rows = {}
  for line in data.each('machine', 'is') do
    table.insert(rows, { line.library, line.value })
  end
  return as_table({ 'what', 'which' }, rows)
end


-- The goals

local function meets(data, goal, value)
  if goal.same_as then
    local other = data.get(goal.work, goal.same_as, nil, goal.measure)
    return other and value.median == other.median
  end
  -- As it is shown: a brk(2) more in a thousand round trips is none.
  return tonumber(goal.format:format(value.median / (goal.unit or 1))) <= goal.most
end


local function verdict(met, missed)
  if #missed == 0 then
    return #met > 0 and 'met' or 'not measured'
  end
  return #met == 0 and '**missed**' or '**missed** on ' .. table.concat(missed, ', ')
end


-- Each goal beside what came out, on each Lua, and for LuaSocket on the same.
local function goal_table(data)
  local head, rows = { 'goal', 'verdict', 'at most' }, {}
  for _, lua in ipairs { '5.1', '5.3', '5.4', 'jit' } do
    table.insert(head, names.lua[lua])
  end
  table.insert(head, 'LuaSocket, Lua 5.3')
  for _, goal in ipairs(require 'goals') do
    local same = goal.same_as and data.get(goal.work, goal.same_as, nil, goal.measure)
    local row = { goal.title, same and goal.format:format(same.median)
      or goal.most and ('%.4g'):format(goal.most) or '–' }
    local met, missed = {}, {}
    for _, lua in ipairs { '5.1', '5.3', '5.4', 'jit' } do
      local value = data.get(goal.work, goal.library, lua, goal.measure)
      if value then
        table.insert(meets(data, goal, value) and met or missed, names.lua[lua])
      end
      table.insert(row, value and goal.format:format(value.median / (goal.unit or 1)) or '–')
    end
    local theirs = data.get(goal.work, 'luasocket', '5.3', goal.measure)
    table.insert(row, theirs and goal.format:format(theirs.median / (goal.unit or 1)) or '–')
    table.insert(row, 2, verdict(met, missed))
    table.insert(rows, row)
  end
  return as_table(head, rows)
end


-- When the network fails

local function failing(data)
  return matrix(data, 'seconds, lower is better', names.failing, 'seconds', with_spread '%.2f')
    .. '\n\n' .. matrix(data, 'and then', names.failing, 'outcome', function(text)
      return text
    end)
end


local function crowd(data)
  local rows = {}
  for _, library in ipairs(names.libraries) do
    local us = data.get('network.crowd', library, '5.3', 'us')
    local base = data.get('network.crowd', 'luv', '5.3', 'us')
    if us then
      table.insert(rows, { names.who(library, '5.3'),
        base and ('%.2f'):format(us.median / base.median) or '–', with_spread '%.1f'(us),
        integer(data.get('network.crowd', library, '5.3', 'a second').median) })
    end
  end
  return as_table({ '', 'CPU time to luv (lower is better)', 'µs of CPU an opening (lower)',
    'openings a second (higher)' }, rows)
end


-- Programs

local function programs(data)
  local rows = {}
  for _, work in ipairs(names.programs) do
    for _, lua in ipairs(names.luas) do
      local row = { names.work[work], names.lua[lua] }
      for _, measure in ipairs { 'processor', 'seconds', 'memory' } do
        local ratio = data.get(work, 'sock99', lua, measure .. ' ratio')
        table.insert(row, ratio and with_spread '%.2f'(ratio) or '–')
      end
      for _, library in ipairs { 'sock99', 'luasocket' } do
        for _, measure in ipairs { 'processor', 'memory' } do
          local value = data.get(work, library, lua, measure)
          table.insert(row, value and ('%.2f'):format(value.median) or '–')
        end
      end
      if data.get(work, 'sock99', lua, 'processor ratio') then
        table.insert(rows, row)
      end
    end
  end
  return as_table({ 'program', 'Lua', 'CPU time', 'wall-clock time', 'memory of a connection',
    'CPU s, sock99', 'KiB, sock99', 'CPU s, LuaSocket', 'KiB, LuaSocket' }, rows)
end


local function program_instructions(data)
  local rows = {}
  for i, part in ipairs { 'MiB', 'request', 'line', 'command' } do
    local work = names.programs[i]
    local ours = data.get(work, 'sock99', '5.1', 'instructions')
    local theirs = data.get(work, 'luasocket', '5.1', 'instructions')
    if ours and theirs then
      table.insert(rows, { names.work[work]:match '^[^:]*' .. ', a ' .. part,
        ('%.2f'):format(ours.median / theirs.median), integer(ours.median),
        integer(theirs.median) })
    end
  end
  return #rows > 0 and as_table({ 'lower is better', 'sock99 to LuaSocket', 'sock99',
    'LuaSocket' }, rows) or 'Not measured.'
end


local function memory(data)
  local rows = {}
  for _, library in ipairs(names.libraries) do
    for _, lua in ipairs(names.luas) do
      local own = data.get('memory', library, lua, 'lua bytes')
      local heap = data.get('memory', library, lua, 'heap bytes')
      if own then
        table.insert(rows, { names.who(library, lua), heap and integer(heap.median) or '–',
          integer(own.median) })
      end
    end
  end
  return as_table({ 'bytes, lower is better', 'heap of the process', "of it Lua's" }, rows)
end


local function sizes(data)
  local rows = {}
  for _, library in ipairs(names.libraries) do
    local bytes = data.get('size', library, '5.3', 'bytes')
    if bytes then
      table.insert(rows, { names.library[library], integer(bytes.median) })
    end
  end
  return as_table({ 'shared object, stripped, for Lua 5.3', 'bytes, lower is better' }, rows)
end


-- What is not in the tables, and why.
local function missing(data)
  local lines = {}
  for line in data.each('absent', 'reason') do
    table.insert(lines, ('- %s: %s'):format(names.who(line.library, line.lua), line.value))
  end
  for _, works in ipairs { names.opening, names.traffic, names.programs,
    { 'traffic.limited', 'memory', 'size' } } do
    for _, work in ipairs(works) do
      for _, measure in ipairs { 'absent', 'failed' } do
        for line in data.each(work, measure) do
          table.insert(lines, ('- %s, %s: %s'):format(names.work[work],
            names.who(line.library, line.lua), line.value))
        end
      end
    end
  end
  for line in data.each('network', 'absent') do
    table.insert(lines, '- A failing network: ' .. line.value)
  end
  -- What several benchmarks look for is missing once.
  local seen, once = {}, {}
  for _, line in ipairs(lines) do
    if not seen[line] then
      seen[line] = true
      table.insert(once, line)
    end
  end
  return #once > 0 and table.concat(once, '\n') or 'Nothing.'
end


local function fill(text, values)
  return (text:gsub('%$([%l_]+)', function(name)
    return assert(values[name], name)
  end))
end


local function template()
  local file = assert(io.open 'bench/template.md')
  local text = file:read '*a'
  file:close()
  return text
end


function report.text(data)
  local ratio, us = with_spread '%.2f', with_spread '%.3f'
  local function text(value) return value end
  local function count(value) return integer(value.median) end
  local function decimals(value) return ('%.2f'):format(value.median) end
  return fill(template(), {
    machine = machine(data),
    goals = goal_table(data),
    failing = failing(data),
    crowd = crowd(data),
    opening_calls = matrix(data, 'number, lower is better', names.opening, 'calls', count),
    opening_lists = matrix(data, 'which', names.opening, 'call list', text),
    opening_instructions = matrix(data, 'lower is better', names.opening, 'instructions', count),
    opening_allocations = matrix(data, 'lower is better', names.opening, 'allocations', decimals),
    opening_ratio = matrix(data, 'to bare C, lower is better', names.opening, 'ratio', ratio),
    opening_us = matrix(data, 'µs, lower is better', names.opening, 'us', with_spread '%.2f'),
    traffic_calls = matrix(data, 'lower is better', { 'traffic.send', 'traffic.receive',
      'traffic.echo', 'traffic.limited', 'traffic.lines', 'traffic.datagrams', 'traffic.many' },
      'calls', decimals),
    traffic_instructions = matrix(data, 'lower is better', names.traffic, 'instructions', count),
    traffic_allocations = matrix(data, 'lower is better', names.traffic, 'allocations', decimals),
    traffic_ratio = matrix(data, 'to bare C, lower is better', names.traffic, 'ratio', ratio),
    traffic_us = matrix(data, 'µs, lower is better', names.traffic, 'us', us),
    memory = memory(data),
    sizes = sizes(data),
    programs = programs(data),
    program_instructions = program_instructions(data),
    missing = missing(data),
  })
end


return report
