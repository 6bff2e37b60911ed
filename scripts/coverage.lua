-- coverage.lua FILE: prints what gcovr measured: a table, then each line that never
-- ran and each that never took one of its branches, with their text. Fails where
-- the goal is missed.

local json = require 'cjson'

local goal = { lines = 98, branches = 95 }


local function read(path)
  local file = assert(io.open(path))
  local text = file:read '*a'
  file:close()
  return text
end


-- '+' for a branch that was taken, '-' for one that was not.
local function signs(branches)
  local marks = {}
  for i, branch in ipairs(branches) do
    marks[i] = branch.count > 0 and '+' or '-'
  end
  return table.concat(marks)
end


local function count(file)
  local sum = { lines = 0, lines_run = 0, branches = 0, branches_taken = 0, missed = {} }
  for _, line in ipairs(file.lines) do
    if not line['gcovr/noncode'] and not line['gcovr/excluded'] then
      local marks = signs(line.branches)
      local _, taken = marks:gsub('%+', '')
      sum.lines = sum.lines + 1
      sum.lines_run = sum.lines_run + (line.count > 0 and 1 or 0)
      sum.branches = sum.branches + #marks
      sum.branches_taken = sum.branches_taken + taken
      if line.count == 0 or taken < #marks then
        sum.missed[#sum.missed + 1] = {
          number = line.line_number,
          marks = line.count == 0 and 'never' or marks,
        }
      end
    end
  end
  return sum
end


local function percent(part, whole)
  return whole == 0 and 100 or 100 * part / whole
end


local function print_row(name, sum)
  print(string.format('%-28s %5d / %5d %6.1f %%   %5d / %5d %6.1f %%', name,
    sum.lines_run, sum.lines, percent(sum.lines_run, sum.lines),
    sum.branches_taken, sum.branches, percent(sum.branches_taken, sum.branches)))
end


local function print_missed(name, sum)
  local number = 0
  local text = {}
  for line in io.lines(name) do
    number = number + 1
    text[number] = line
  end
  print('\n' .. name)
  for _, missed in ipairs(sum.missed) do
    print(string.format('%5d %-8s %s', missed.number, missed.marks, text[missed.number]))
  end
end


local files = json.decode(read(arg[1])).files
table.sort(files, function(a, b) return a.file < b.file end)
local total = { lines = 0, lines_run = 0, branches = 0, branches_taken = 0 }
local sums = {}
print(string.format('%-28s %22s   %22s', '', 'lines', 'branches'))
for i, file in ipairs(files) do
  sums[i] = count(file)
  for key, value in pairs(total) do
    total[key] = value + sums[i][key]
  end
  print_row(file.file, sums[i])
end
print_row('total', total)

print '\nNever run, or with branches that were never taken (-):'
for i, file in ipairs(files) do
  if sums[i].missed[1] then
    print_missed(file.file, sums[i])
  end
end

local lines = percent(total.lines_run, total.lines)
local branches = percent(total.branches_taken, total.branches)
local reached = lines >= goal.lines and branches >= goal.branches
print(string.format('\n%.2f %% of the lines (goal: %d %%), %.2f %% of the branches (goal: %d %%)',
  lines, goal.lines, branches, goal.branches))
os.exit(reached)
