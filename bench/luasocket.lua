-- luasocket.lua: programs on LuaSocket's core and on ours; prints Markdown.
--
-- Each program (bench/programs.lua) runs on one core right after the other, and
-- the ratio of the two is what is told, as the median over all rounds.

local rounds = math.max(3, math.floor(tonumber(os.getenv 'ROUNDS' or 15) / 3))

local programs = {
  { name = 'http_large', title = 'socket.http: 50 MB' },
  { name = 'http_small', title = 'socket.http: 5,000 requests' },
  { name = 'copas_echo', title = 'copas: 20,000 lines echoed on 1,000 connections' },
  { name = 'redis_pipelines', title = 'redis-lua: 20 pipelines of 10,000 SET and GET' },
}

local measures = {
  { name = 'seconds', title = 's', format = '%.3f' },
  { name = 'processor', title = 's of processor', format = '%.3f' },
  { name = 'memory', title = 'KiB a connection, server', format = '%.2f' },
}


local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read '*a'
  pipe:close()
  return text
end


-- What one run measured, by name; nil and what it printed where it failed.
local function run(version, core, program)
  local directory = output 'mktemp -d':match '%S+'
  local text = output(('BENCH_DIRECTORY=%s scripts/with-lua %s bench/programs.lua %s %s 2>&1')
    :format(directory, version, core, program.name))
  os.execute("rm -rf '" .. directory .. "'")
  local values = {}
  for name, value in text:gmatch '(%l+)%s+([%d.e+-]+)\n' do
    values[name] = tonumber(value)
  end
  if not values.seconds then
    return nil, text
  end
  return values
end


local function median(list)
  table.sort(list)
  local middle = #list / 2
  return (list[math.ceil(middle)] + list[math.floor(middle) + 1]) / 2
end


local function finds(version, module)
  return output(('scripts/with-lua %s -e \'print((pcall(require, "%s")))\' 2>/dev/null')
    :format(version, module)):match '^true' ~= nil
end


-- A column of numbers by measure for each core, and of their ratios.
local function rounds_of(version, program)
  local columns = { luasocket = {}, sock99 = {}, ratio = {} }
  for _ = 1, rounds do
    local theirs, problem = run(version, 'luasocket', program)
    local ours, our_problem = run(version, 'sock99', program)
    if not theirs or not ours then
      return nil, problem or our_problem
    end
    for _, measure in ipairs(measures) do
      local name = measure.name
      if theirs[name] and ours[name] then
        for _, column in pairs(columns) do
          column[name] = column[name] or {}
        end
        table.insert(columns.luasocket[name], theirs[name])
        table.insert(columns.sock99[name], ours[name])
        table.insert(columns.ratio[name], theirs[name] / math.max(ours[name], 0.001))
      end
    end
  end
  return columns
end


local function print_rows(version, program)
  local columns, problem = rounds_of(version, program)
  if not columns then
    print(('| %s | %s | failed: %s | | | |'):format(program.title, version,
      problem:match '[^\n]*'))
    return
  end
  for _, measure in ipairs(measures) do
    local theirs, ours = columns.luasocket[measure.name], columns.sock99[measure.name]
    if theirs then
      print(('| %s | %s | %s | %s | %s | %.2f |'):format(program.title, version, measure.title,
        measure.format:format(median(theirs)), measure.format:format(median(ours)),
        median(columns.ratio[measure.name])))
    end
  end
  io.stdout:flush()
end


local function benchmark(versions)
  print '\n## Programs on LuaSocket\'s core and on ours\n'
  print(('Median of %d rounds; the ratio is above 1 where ours is ahead.\n'):format(rounds))
  print "| program | Lua | | LuaSocket | sock99 | ratio |\n| --- | --- | --- | ---: | ---: | ---: |"
  for _, version in ipairs(versions) do
    for _, program in ipairs(programs) do
      print_rows(version, program)
    end
  end
end


local versions, skipped = {}, {}
for _, version in ipairs { '5.1', 'jit' } do
  local missing
  for _, module in ipairs { 'test_support', 'sock99.luasocket', 'socket.http', 'copas', 'redis' } do
    missing = missing or not finds(version, module) and module
  end
  if missing then
    table.insert(skipped, ('Skipped: programs on Lua %s: no module %s'):format(version, missing))
  else
    table.insert(versions, version)
  end
end
if #versions > 0 then
  benchmark(versions)
end
for _, line in ipairs(skipped) do
  print('\n' .. line)
end
