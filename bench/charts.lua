-- charts.lua: what gnuplot is told to draw: name → script, which prints SVG.
--
-- The colours are Okabe and Ito's, which colour-blind people can tell apart; each
-- library has a shape of its own as well. The background is white, so that dark
-- pages show the same.

local names = require 'names'

local charts = {}

local colour = { sock99 = '#0072b2', luasocket = '#d55e00', cqueues = '#009e73', luv = '#cc79a7',
  luaposix = '#7f7f7f' }
local shape = { sock99 = 7, luasocket = 9, cqueues = 5, luv = 13, luaposix = 11 }


-- A title; below it `rows` rows of so many pixels each, what they are called
-- left of `left`; a horizontal axis with its title; `foot` pixels for a legend.
local function frame(chart)
  local plot = chart.rows * chart.pixels
  local height = 46 + plot + 56 + (chart.foot or 0)
  return ([[
set encoding utf8
set terminal svg size 560,%.0f fixed font 'sans-serif,15' background '#ffffff' linewidth 1.2
set border 0
set tics nomirror scale 0 textcolor rgb '#333333'
set grid xtics linetype 1 linecolor rgb '#dddddd' linewidth 0.8
set lmargin at screen %g
set rmargin at screen 0.96
set tmargin at screen %.6f
set bmargin at screen %.6f
set label '{/:Bold %s}' at screen 0.02, screen %.6f left textcolor rgb '#111111' font ',16'
set xlabel '%s' offset 0,0.7 textcolor rgb '#333333'
set xtics offset 0,0.3
unset key
]]):format(height, chart.left, 1 - 46 / height, 1 - (46 + plot) / height, chart.title,
    1 - 24 / height, chart.axis)
end


local function labels(rows)
  local list = {}
  for y, text in pairs(rows) do
    table.insert(list, { y = y, text = ("'%s' %g"):format(text:gsub("'", "''"), y) })
  end
  table.sort(list, function(a, b) return a.y < b.y end)
  for i, entry in ipairs(list) do
    list[i] = entry.text
  end
  return table.concat(list, ', ')
end


-- Rows in groups, each of which may have a title. row(entry, y) gives a line of data.
local function group_rows(groups, row)
  local y, rows, lines, extra = 0, {}, {}, {}
  for _, group in ipairs(groups) do
    if group.title then
      y = y + 1
      table.insert(extra, ("set label '%s' at screen 0.02, first %g textcolor rgb '#333333'")
        :format(group.title, y))
    end
    for _, entry in ipairs(group) do
      y = y + 1
      rows[y] = entry.label
      table.insert(lines, row(entry, y))
      if entry.text then
        table.insert(extra, ("set label '%s' at first %.7g, first %g offset 0.5,0 "
          .. "textcolor rgb '#333333'"):format(entry.text, entry.value, y))
      end
    end
    y = y + 0.3
  end
  return y + 0.3, labels(rows), table.concat(lines, '\n'), table.concat(extra, '\n')
end


-- Horizontal bars, in groups. A bar: label, value, text at its end, library.
local function bars(chart, groups)
  local y, rows, lines, extra = group_rows(groups, function(bar, y)
    return ('%g 0 %.7g %g %g %s'):format(bar.value, bar.value, y - 0.36, y + 0.36,
      colour[bar.library]:gsub('#', '0x'))
  end)
  chart.rows, chart.pixels = y - 0.4, 23
  return frame(chart) .. ([[
$bars << EOD
%s
EOD
set xrange [0:%g]
set yrange [%g:0.4]
set xtics %s
set ytics (%s)
set style fill solid 1 noborder
%s
plot $bars using 1:(($4+$5)/2):2:3:4:5:6 with boxxy linecolor rgb variable
]]):format(lines, chart.greatest, y, chart.tics, rows, extra)
end


function charts.connect(data)
  local groups = {}
  for _, work in ipairs(names.failing) do
    local group = { title = names.work[work] }
    for _, library in ipairs { 'sock99', 'luasocket', 'cqueues', 'luv' } do
      local seconds = data.get(work, library, '5.3', 'seconds')
      if seconds then
        local connected = data.get(work, library, '5.3', 'outcome') == 'connected'
        local failed = work ~= 'network.silent' and not connected
        table.insert(group, { label = names.library[library], library = library,
          value = seconds.median,
          text = ('%.2f s%s'):format(seconds.median, failed and ', gave up' or '') })
      end
    end
    if #group > 0 then
      table.insert(groups, group)
    end
  end
  return #groups > 0 and bars({ title = 'How long a failing network holds a program up',
    axis = 'seconds (lower is better)', left = 0.2, greatest = 16, tics = '0, 2, 10' }, groups)
end


function charts.memory(data)
  local group, greatest = {}, 0
  for _, library in ipairs { 'sock99', 'luv', 'luasocket', 'cqueues' } do
    local bytes = data.get('memory', library, '5.3', 'heap bytes')
    if bytes then
      greatest = math.max(greatest, bytes.median)
      table.insert(group, { label = names.library[library], library = library,
        value = bytes.median, text = ('%.0f'):format(bytes.median) })
    end
  end
  return #group > 0 and bars({ title = 'Memory of an idle connection',
    axis = 'bytes of heap, Lua 5.3 (lower is better)', left = 0.2, greatest = greatest * 1.25,
    tics = '0, 2000' }, { group })
end


-- In one line at the foot, evenly spaced by the length of the names.
local function legend(libraries)
  local lines, x = {}, 0.05
  for _, library in ipairs(libraries) do
    local name = names.library[library]
    table.insert(lines, ("set label '%s' at screen %g, screen 0.035 left offset 1,-0.3 point "
      .. "pointtype %d pointsize 1 linecolor rgb '%s' textcolor rgb '#333333'"):format(name, x,
      shape[library], colour[library]))
    x = x + 0.075 + 0.0155 * #name
  end
  return table.concat(lines, '\n')
end


-- A library's points, one for each row that it has: ratio, row, quartiles.
local function points_of(data, library, works)
  local points = {}
  for y, work in ipairs(works) do
    local ratio = data.get(work, library, '5.3', 'ratio')
    if ratio then
      table.insert(points, ('%.7g %g %.7g %.7g'):format(ratio.median, y, ratio.low, ratio.high))
    end
  end
  return points
end


local function plot_of(library)
  return ("$%s using 1:2:3:4 with xerrorbars pointtype %d pointsize 1 linewidth 1.2 "
    .. "linecolor rgb '%s' notitle"):format(library, shape[library], colour[library])
end


-- A row for each work, a point for each library, with its quartiles, on a
-- logarithmic scale.
function charts.cost(data)
  local works, rows, blocks, plots, keys = {}, {}, {}, {}, {}
  for _, list in ipairs { names.opening, names.traffic } do
    for _, work in ipairs(list) do
      if work ~= 'traffic.many' then
        table.insert(works, work)
        rows[#works] = (list == names.opening and 'open a ' or '') .. names.work[work]
      end
    end
  end
  -- Ours comes last, on top of the others.
  for _, library in ipairs { 'luaposix', 'luv', 'cqueues', 'luasocket', 'sock99' } do
    local points = points_of(data, library, works)
    if #points > 0 then
      table.insert(blocks, ('$%s << EOD\n%s\nEOD'):format(library, table.concat(points, '\n')))
      table.insert(plots, plot_of(library))
      table.insert(keys, 1, library)
    end
  end
  local chart = { title = 'CPU time compared with the bare system calls', left = 0.37, foot = 26,
    axis = 'times bare C, Lua 5.3 (lower is better)', rows = #works + 0.4, pixels = 27 }
  return #plots > 0 and frame(chart) .. ([[
%s
set logscale x
set xrange [0.9:30]
set yrange [%g:0.4]
set xtics (1, 1.5, 2, 3, 5, 10, 20)
set ytics (%s)
set grid ytics
set arrow from 1, graph 0 to 1, graph 1 nohead linecolor rgb '#333333' linewidth 1.2 back
set errorbars small
%s
plot %s
]]):format(table.concat(blocks, '\n'), #works + 0.8, labels(rows), legend(keys),
    table.concat(plots, ', \\\n  '))
end


-- A program's CPU time on our core over that on LuaSocket's.
function charts.programs(data)
  local groups = {}
  for _, work in ipairs(names.programs) do
    local group = { title = names.work[work] }
    for _, lua in ipairs(names.luas) do
      local ratio = data.get(work, 'sock99', lua, 'processor ratio')
      if ratio then
        table.insert(group, { label = names.lua[lua], ratio = ratio })
      end
    end
    if #group > 0 then
      table.insert(groups, group)
    end
  end
  local y, rows, lines, extra = group_rows(groups, function(point, y)
    return ('%.7g %g %.7g %.7g'):format(point.ratio.median, y, point.ratio.low, point.ratio.high)
  end)
  local chart = { title = 'Programs on sock99 compared with LuaSocket', left = 0.2,
    axis = 'times the CPU time on LuaSocket (lower is better)', rows = y - 0.4, pixels = 23 }
  return #groups > 0 and frame(chart) .. ([[
$programs << EOD
%s
EOD
set xrange [0:1.5<*]
set xtics 0, 0.25
set yrange [%g:0.4]
set ytics (%s)
%s
set arrow from 1, graph 0 to 1, graph 1 nohead linecolor rgb '#333333' linewidth 1.2 back
set errorbars small
plot $programs using 1:2:3:4 with xerrorbars pointtype 7 pointsize 1 linewidth 1.2 \
  linecolor rgb '%s'
]]):format(lines, y, rows, extra, colour.sock99)
end


return charts
