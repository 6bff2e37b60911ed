-- The report of the benchmarks (doc/bench) is what its writer makes of the data
-- beside it, and no other document tells a figure that was measured elsewhere.

package.path = 'bench/?.lua;' .. package.path

local lu = require 'luaunit'
local charts = require 'charts'
local figures = require 'figures'
local records = require 'records'
local report = require 'report'
local writer = require 'write'

local directory = 'doc/bench/'
local data = records.read(directory .. 'data.tsv')


local function read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read '*a'
  file:close()
  return text
end


local function lines(text)
  local list = {}
  for line in text:gmatch '([^\n]*)\n?' do
    table.insert(list, line)
  end
  return list
end


-- Line by line, so that a failure tells the one that differs.
local function assert_same_lines(text, expected, path)
  local here, due = lines(text), lines(expected)
  for i = 1, math.max(#here, #due) do
    lu.assertEquals(here[i], due[i], ('%s:%d'):format(path, i))
  end
end


local function documents()
  local list = {}
  local pipe = assert(io.popen 'ls README.md CHANGELOG.md doc/*.md doc/*.3')
  for path in pipe:lines() do
    list[path] = read(path)
  end
  pipe:close()
  return list
end


-- What looks like a figure that was measured

local units = { 'KiB', 'MiB', 'GiB', 'KB', 'MB', 'bytes?', 'ns', 'us', 'µs', 'ms', 's', 'seconds?',
  'milliseconds?', 'microseconds?', 'minutes?', '%%', 'percent', 'times', 'instructions?' }
local words = { 'half of', 'half the', 'half as', 'third of', 'thirds of', 'third the',
  'quarter of', 'tenth of', 'tenth the', 'twice', 'threefold', 'percent' }

-- What is no measurement: a size or a time that the source sets, a limit that a
-- test of its own holds, a figure of the system's or of another library's manual.
local fixed = {
  ['README.md'] = {
    ['64 KiB'] = true, -- the scratch buffer
    ['200 bytes'] = true, -- test_object.lua
    ['10 seconds'] = true, ['1 second'] = true, -- the timeouts given in the benchmark
    ['8,192 bytes'] = true, -- LuaSocket's _DATAGRAMSIZE
    ['50 ms'] = true, -- RESOLUTION_DELAY in open.c
  },
  ['doc/architecture.md'] = {
    ['64 KiB'] = true,
    ['100 ms'] = true, ['quarter of'] = true, -- PATIENCE and IDLE_TIME in lookup.c
  },
  ['doc/socket99.3'] = {
    ['1 bytes'] = true, -- sizeof(sun_path)-1
    ['50 milliseconds'] = true, ['100 milliseconds'] = true, ['quarter of'] = true,
  },
  ['doc/options.md'] = { ['15 bytes'] = true, ['8 bytes'] = true },
}


-- The text that people read: no code, and nothing of what is quoted.
local function prose(text)
  return (text:gsub('<!%-%- bench:.-<!%-%- /bench %-%->', ''):gsub('\n```.-\n```', '\n')
    :gsub('`[^`\n]*`', ''):gsub('\n%.EX.-\n%.EE', '\n'))
end


-- Every phrase in it that looks like a figure.
local function figures_in(text)
  local found = {}
  text = ' ' .. prose(text):gsub('%s+', ' ') .. ' '
  for _, unit in ipairs(units) do
    for number, rest in text:gmatch('%f[%w.](%d[%d.,]*)( ?' .. unit .. ')%f[^%w%%]') do
      if number:match '%d$' then
        table.insert(found, number .. rest)
      end
    end
  end
  for _, word in ipairs(words) do
    for phrase in text:gmatch('%f[%w%-]' .. word .. '%f[^%w%-]') do
      table.insert(found, phrase)
    end
  end
  return found
end


TestReport = {}


function TestReport:test_is_what_the_writer_makes_of_the_data()
  assert_same_lines(read(directory .. 'README.md'), report.text(data), directory .. 'README.md')
end


function TestReport:test_has_every_chart_as_it_was_drawn_from_the_data()
  for name, script_of in pairs(charts) do
    local script = assert(script_of(data), name)
    local file = read(directory .. name .. '.svg')
    local svg, mark = file:match '^(.*)(<!%-%- bench: .*)$'
    lu.assertEquals(mark, writer.mark(script, svg), name)
    lu.assertStrContains(report.text(data), '(' .. name .. '.svg)')
  end
end


function TestReport:test_tells_no_path_of_the_machine()
  local text = read(directory .. 'data.tsv')
  lu.assertNil(text:match '/home/' or text:match '/root/' or text:match '/tmp/')
end


TestDocuments = {}


function TestDocuments:test_quote_the_report()
  local quoted = 0
  for path, text in pairs(documents()) do
    local filled, unknown = figures.fill(text, data)
    lu.assertEquals(unknown, {}, path)
    assert_same_lines(text, filled, path)
    local _, opened = text:gsub('<!%-%- bench:', '')
    local _, closed = text:gsub('<!%-%- /bench %-%->', '')
    lu.assertEquals(opened, closed, path)
    quoted = quoted + opened
  end
  lu.assertTrue(quoted >= 4)
end


function TestDocuments:test_tell_no_figure_of_their_own()
  -- Such a figure is quoted as <!-- bench:NAME -->…<!-- /bench -->; if it is none
  -- that can be measured, it belongs into the list `fixed` above.
  local unknown = {}
  for path, text in pairs(documents()) do
    for _, phrase in ipairs(figures_in(text)) do
      if not (fixed[path] and fixed[path][phrase]) then
        table.insert(unknown, path .. ': ' .. phrase)
      end
    end
  end
  lu.assertEquals(unknown, {})
end


function TestDocuments:test_show_the_two_charts_first()
  local readme = read 'README.md'
  lu.assertStrContains(readme, '(doc/bench/connect.svg)')
  lu.assertStrContains(readme, '(doc/bench/cost.svg)')
end


-- That these checks see what they are to see.
TestCheck = {}


function TestCheck:test_sees_a_figure_in_prose()
  for text, phrase in pairs {
    ['a line costs 247 ns.'] = '247 ns',
    ['it is 2.4 times as fast'] = '2.4 times',
    ['takes 8,360 bytes here'] = '8,360 bytes',
    ['about 57 % of it'] = '57 %',
    ['about 57% of it'] = '57%',
    ['needs\n1.5 s'] = '1.5 s',
    ['a third of the time'] = 'third of',
    ['twice as fast'] = 'twice',
  } do
    lu.assertEquals(figures_in(text), { phrase }, text)
  end
end


function TestCheck:test_sees_none_in_code_quotations_and_names()
  for _, text in ipairs {
    'timeout `1.5 s` or so', 'a\n```lua\nx = 5 -- 5 ms\n```\n', 'Lua 5.3 and 5.4 streams',
    'takes <!-- bench:idle heap -->199 bytes<!-- /bench --> here',
    'the Lua half, half-close, 2 sockets',
  } do
    lu.assertEquals(figures_in(text), {}, text)
  end
end


function TestCheck:test_puts_the_reports_figure_in_the_place_of_another()
  local filled = figures.fill('in <!-- bench:dead address -->9 s<!-- /bench -->.', data)
  lu.assertEquals(filled, ('in <!-- bench:dead address -->%s<!-- /bench -->.')
    :format(figures['dead address'](data)))
  local _, unknown = figures.fill('<!-- bench:no such -->1<!-- /bench -->', data)
  lu.assertEquals(unknown, { 'no such' })
end


os.exit(lu.LuaUnit.run())
