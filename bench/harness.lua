-- harness.lua: what the benchmarks share: commands, contenders, statistics, tables.

local harness = { build = os.getenv 'BUILD', rounds = tonumber(os.getenv 'ROUNDS' or 15) }


function harness.output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read '*a'
  local ok = pipe:close()
  return text, ok
end


-- True, or nil and the reason why this contender is not here. Leaves in it the
-- environment that it needs and its interpreter.
function harness.find(contender)
  if not contender.lua then
    return true
  end
  local interpreter = harness.output('scripts/find-lua interpreter ' .. contender.lua):match '%S+'
  if not interpreter then
    return nil, 'no interpreter'
  end
  local path = ("LUA_CPATH='%s/%s/?.so;;'"):format(harness.build, contender.lua)
  local _, found = harness.output(("%s %s -e 'require \"%s\"' 2>/dev/null")
    :format(path, interpreter, contender.module))
  if not found then
    return nil, 'no module ' .. contender.module
  end
  contender.environment, contender.interpreter = path, interpreter
  return true
end


-- Those that are here; says which are not, and why.
function harness.present(contenders)
  local present = {}
  for _, contender in ipairs(contenders) do
    local found, reason = harness.find(contender)
    if found then
      table.insert(present, contender)
    else
      print(('Skipped: %s: %s'):format(contender.title, reason))
    end
  end
  return present
end


function harness.has(program)
  return select(2, harness.output('command -v ' .. program .. ' >/dev/null'))
end


function harness.median(list)
  table.sort(list)
  local middle = #list / 2
  return (list[math.ceil(middle)] + list[math.floor(middle) + 1]) / 2
end


-- Turn by turn, right after `bare` each time: the noise of the machine cancels in
-- the ratio. Leaves the medians of both in contender[kind]; seconds(contender,
-- kind) is one measurement, nil where the library cannot do it.
function harness.compare(bare, contenders, kind, rounds, seconds)
  local times, ratios = { [bare] = {} }, {}
  for _, contender in ipairs(contenders) do
    times[contender], ratios[contender] = {}, {}
  end
  for _ = 1, rounds do
    for _, contender in ipairs(contenders) do
      local base, own = seconds(bare, kind), seconds(contender, kind)
      table.insert(times[bare], base)
      table.insert(times[contender], own)
      table.insert(ratios[contender], own / base)
    end
  end
  bare[kind] = { time = harness.median(times[bare]), ratio = 1 }
  for _, contender in ipairs(contenders) do
    contender[kind] = { time = harness.median(times[contender]),
      ratio = harness.median(ratios[contender]) }
  end
end


-- What a program executes outside the kernel; run(under) runs it under a command.
function harness.instructions(run)
  local log = harness.build .. '/bench/callgrind.log'
  run('valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file=' .. log)
  local file = assert(io.open(log))
  local text = file:read '*a'
  file:close()
  return tonumber(text:match 'Collected : (%d+)')
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


-- A row for each contender, a column for each kind; cell(contender, kind) is a text.
function harness.print_table(title, rows, kinds, cell)
  local head, line = { title }, { '---' }
  for _, kind in ipairs(kinds) do
    table.insert(head, kind.title)
    table.insert(line, '---:')
  end
  print('\n| ' .. table.concat(head, ' | ') .. ' |')
  print('| ' .. table.concat(line, ' | ') .. ' |')
  for _, row in ipairs(rows) do
    local cells = { row.title }
    for _, kind in ipairs(kinds) do
      table.insert(cells, cell(row, kind))
    end
    print('| ' .. table.concat(cells, ' | ') .. ' |')
    io.stdout:flush()
  end
end


return harness
