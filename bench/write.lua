-- write.lua DATA DIRECTORY [DOCUMENT…]: writes the report and its charts into the
-- directory, and what the documents quote of it into them. Needs gnuplot.

package.path = 'bench/?.lua;' .. package.path

local charts = require 'charts'
local figures = require 'figures'
local records = require 'records'
local report = require 'report'


local function read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read '*a'
  file:close()
  return text
end


local function write(path, text)
  local file = assert(io.open(path, 'wb'))
  assert(file:write(text))
  file:close()
end


local function run(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read '*a'
  pipe:close()
  return text
end


local writer = {}


local function checksum(text)
  local path = os.tmpname()
  write(path, text)
  local sum = run('cksum <' .. path):match '%d+'
  os.remove(path)
  return sum
end


-- What ends a chart: checksums of its script, and of what gnuplot made of it, by
-- which it is known without gnuplot.
function writer.mark(script, svg)
  return ('<!-- bench: %s %s -->\n'):format(checksum(script), checksum(svg))
end


local function draw(script)
  local path = os.tmpname()
  write(path, script)
  local svg = run('gnuplot ' .. path .. ' 2>&1')
  os.remove(path)
  assert(svg:match '</svg>%s*$', svg)
  svg = svg:gsub('<title>Gnuplot</title>', '<title>' .. script:match 'Bold ([^}]*)}' .. '</title>')
  return svg .. writer.mark(script, svg)
end


local function main(path, directory, ...)
  local data = records.read(path)
  write(directory .. '/README.md', report.text(data))
  for name, script_of in pairs(charts) do
    local script = script_of(data)
    if script then
      write(('%s/%s.svg'):format(directory, name), draw(script))
    end
  end
  for _, document in ipairs { ... } do
    local old = read(document)
    local new, unknown = figures.fill(old, data)
    assert(#unknown == 0, document .. ': there is no figure ' .. tostring(unknown[1]))
    if new ~= old then
      write(document, new)
    end
  end
  print(directory .. '/README.md')
end


-- Run, or required by the test.
if arg and arg[0] and arg[0]:match 'write%.lua$' then
  main((unpack or table.unpack)(arg))
end

return writer
