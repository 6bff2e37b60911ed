-- house.lua [--graph] BUILD LUA: which file of src/ calls which, and that it looks down.
--
-- Fails on an arrow from a floor to one above it and on a circle within a floor, and
-- tells the symbols that make each arrow. --graph lists the files by floor instead,
-- highest first, each with the files that it calls.
--
-- An arrow is an undefined symbol of one object file that another one defines, as nm
-- tells them: functions called, functions in a table of methods, and data alike.

-- The floors, from the ground up. Every file of src/ is in one of these folders.
local floors = {
  'socket99',         -- the C library
  'sock99/system',    -- what the module alone asks of the system; no Lua
  'sock99/values',    -- between Lua's values and C's
  'sock99/objects',   -- what an object is
  'sock99/methods',   -- what an object can do
  'sock99',           -- what Lua sees
}

local wants_graph = arg[1] == '--graph'
if wants_graph then
  table.remove(arg, 1)
end
local build, lua = arg[1], arg[2]
assert(build and lua, 'house.lua [--graph] BUILD LUA')

local level = {}
for i, folder in ipairs(floors) do
  level[folder] = i
end

local failed = false

local function complain(...)
  print(string.format(...))
  failed = true
end


local function lines_of(command)
  local pipe = assert(io.popen(command))
  local lines = {}
  for line in pipe:lines() do
    lines[#lines + 1] = line
  end
  pipe:close()
  return lines
end


-- The files of src/, without "src/", and the floor that each is on.
local function read_files()
  local files, floor_of = {}, {}
  for _, path in ipairs(lines_of 'find src -name "*.c" | LC_ALL=C sort') do
    local file = path:match '^src/(.*)$'
    floor_of[file] = level[file:match '^(.*)/']
    if floor_of[file] then
      files[#files + 1] = file
    else
      complain('src/%s: its folder has no floor in scripts/house.lua', file)
    end
  end
  return files, floor_of
end


-- Which symbols an object file defines for others, and which it lacks.
local function read_symbols(file)
  local variant = file:match '^socket99/' and 'private' or lua
  local object = ('%s/obj/%s/%s'):format(build, variant, (file:gsub('c$', 'o')))
  local defined, undefined = {}, {}
  local there = io.open(object)
  if not there then
    complain('%s is not there', object)
    return defined, undefined
  end
  there:close()
  for _, line in ipairs(lines_of(('LC_ALL=C nm -P -g "%s"'):format(object))) do
    local name, kind = line:match '^(%S+) (%a)'
    if name then
      table.insert(kind == 'U' and undefined or defined, name)
    end
  end
  return defined, undefined
end


-- arrows[from][to]: the symbols of `to` that `from` uses; and how many there are in all.
local function read_arrows(files)
  local definer, used, arrows, count = {}, {}, {}, 0
  for _, file in ipairs(files) do
    local defined
    defined, used[file] = read_symbols(file)
    for _, name in ipairs(defined) do
      definer[name] = file
    end
  end
  for _, file in ipairs(files) do
    arrows[file] = {}
    for _, name in ipairs(used[file]) do
      local to = definer[name]
      if to and to ~= file then
        arrows[file][to] = arrows[file][to] or {}
        table.insert(arrows[file][to], name)
        count = count + 1
      end
    end
  end
  return arrows, count
end


-- Complains of the arrows that run up, and takes them out: what is left of a circle
-- lies within one floor.
local function check_floors(files, floor_of, arrows)
  for _, from in ipairs(files) do
    for _, to in ipairs(files) do
      local symbols = arrows[from][to]
      if symbols and floor_of[to] > floor_of[from] then
        complain('up: %s -> %s (%s)', from, to, table.concat(symbols, ', '))
        arrows[from][to] = nil
      end
    end
  end
end


-- The shortest way from a file back to itself, as a list of files; nil if there is none.
local function circle_through(start, files, arrows)
  local reached_from, queue, head = {}, { start }, 1
  while queue[head] and not reached_from[start] do
    local from = queue[head]
    head = head + 1
    for _, to in ipairs(files) do
      if arrows[from][to] and not reached_from[to] then
        reached_from[to] = from
        queue[#queue + 1] = to
      end
    end
  end
  if not reached_from[start] then
    return nil
  end
  local circle, file = { start }, start
  repeat
    file = reached_from[file]
    table.insert(circle, 1, file)
  until file == start
  return circle
end


local function shortest_circle(files, arrows)
  local shortest
  for _, file in ipairs(files) do
    local circle = circle_through(file, files, arrows)
    if circle and not (shortest and #shortest <= #circle) then
      shortest = circle
    end
  end
  return shortest
end


local function describe(circle, arrows)
  local steps = { circle[1] }
  for i = 2, #circle do
    local symbols = arrows[circle[i - 1]][circle[i]]
    steps[i] = ('%s (%s)'):format(circle[i], table.concat(symbols, ', '))
  end
  return table.concat(steps, '\n    -> ')
end


-- Complains of the shortest circle, takes its thinnest arrow out, and so on until
-- there is none.
local function check_circles(files, arrows)
  local circle = shortest_circle(files, arrows)
  while circle do
    complain('circle: %s', describe(circle, arrows))
    local thinnest = 2
    for i = 3, #circle do
      if #arrows[circle[i - 1]][circle[i]] < #arrows[circle[thinnest - 1]][circle[thinnest]] then
        thinnest = i
      end
    end
    arrows[circle[thinnest - 1]][circle[thinnest]] = nil
    circle = shortest_circle(files, arrows)
  end
end


-- How many files of its own floor lie below a file, one upon the other. A file of a
-- circle counts from where the circle was entered.
local function heights(files, floor_of, arrows)
  local height = {}
  local function visit(file)
    if not height[file] then
      height[file] = 0
      local highest = 0
      for to in pairs(arrows[file]) do
        if floor_of[to] == floor_of[file] then
          highest = math.max(highest, visit(to) + 1)
        end
      end
      height[file] = highest
    end
    return height[file]
  end
  for _, file in ipairs(files) do
    visit(file)
  end
  return height
end


local function print_graph(files, floor_of, arrows)
  local height = heights(files, floor_of, arrows)

  local function is_above(a, b)
    local floor_a, floor_b = floor_of[a], floor_of[b]
    if floor_a ~= floor_b then
      return floor_a > floor_b
    end
    if height[a] ~= height[b] then
      return height[a] > height[b]
    end
    return a < b
  end

  local function name_within(floor, file)
    return floor_of[file] == floor and file:match '[^/]*$' or file
  end

  local ordered = {}
  for i, file in ipairs(files) do
    ordered[i] = file
  end
  table.sort(ordered, is_above)
  local last
  for _, file in ipairs(ordered) do
    local floor = floor_of[file]
    if floor ~= last then
      print(('%ssrc/%s/'):format(last and '\n' or '', floors[floor]))
      last = floor
    end
    local called = {}
    for _, to in ipairs(ordered) do
      if arrows[file][to] then
        called[#called + 1] = name_within(floor, to)
      end
    end
    local line = ('  %-16s %s'):format(name_within(floor, file), table.concat(called, ' '))
    print((line:gsub(' +$', '')))
  end
end


local files, floor_of = read_files()
local arrows, count = read_arrows(files)
if count == 0 then
  complain 'no file calls another'
end
if wants_graph then
  print_graph(files, floor_of, arrows)
else
  check_floors(files, floor_of, arrows)
  check_circles(files, arrows)
end
os.exit(failed and 1 or 0)
