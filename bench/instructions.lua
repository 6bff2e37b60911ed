-- instructions.lua DIRECTORY [DIRECTORY]: a table of what bench/instructions counted
-- there: callgrind's files out.1, out.2 … and the file `memory`.


-- The median of the batches of each operation, less a batch of no operations.
local function read_counts(directory)
  local names, batches, idle = {}, {}, 0
  local i, file = 1, io.open(directory .. '/out.1')
  while file do
    local text = file:read '*a'
    file:close()
    local n, name = text:match 'Client Request: (%d+)|([^\n]*)'
    local total = tonumber(text:match '\ntotals: (%d+)')
    if n == '0' then
      idle = total
    elseif name ~= 'warm-up' then
      if not batches[name] then
        batches[name] = {}
        names[#names + 1] = name
      end
      table.insert(batches[name], (total - idle) / tonumber(n))
    end
    i = i + 1
    file = io.open(('%s/out.%d'):format(directory, i))
  end
  local counts = {}
  for name, list in pairs(batches) do
    table.sort(list)
    counts[name] = list[math.ceil(#list / 2)]
  end
  return names, counts
end


local function read_all(directory)
  local names, counts = read_counts(directory)
  for line in io.lines(directory .. '/memory') do
    local value, name = line:match '^(%S+) (.*)$'
    names[#names + 1] = name
    counts[name] = tonumber(value)
  end
  return names, counts
end


local function cell(value)
  return value and ('%.1f'):format(value) or '-'
end


local function print_row(...)
  print((('%-40s %10s %10s %8s'):format(...):gsub(' +$', '')))
end


local names, before = read_all(arg[1])
if not arg[2] then
  print_row('instructions outside the kernel', '', '', '')
  for _, name in ipairs(names) do
    print_row(name, cell(before[name]), '', '')
  end
else
  local after
  names, after = read_all(arg[2])
  print_row('instructions outside the kernel', 'before', 'after', 'ratio')
  for _, name in ipairs(names) do
    local ratio = before[name] and ('%.3f'):format(after[name] / before[name]) or '-'
    print_row(name, cell(before[name]), cell(after[name]), ratio)
  end
end
