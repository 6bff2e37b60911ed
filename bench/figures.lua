-- figures.lua: what other documents quote of the report, by name. Between
-- `<!-- bench:NAME -->` and `<!-- /bench -->` they have these texts, which
-- `make bench` puts there and a test compares.

local names = require 'names'

local figures = {}


local function median(data, work, library, measure)
  local value = data.get(work, library, '5.3', measure)
  return value and value.median
end


local function chart(file, text)
  return ('[![%s](doc/bench/%s.svg)](doc/bench/README.md)'):format(text, file)
end


-- "sock99 0.25 s, LuaSocket 10.01 s, …"
local function in_words(data, work, measure, format)
  local list = {}
  for _, library in ipairs { 'sock99', 'luasocket', 'cqueues', 'luv', 'luaposix' } do
    local value = median(data, work, library, measure)
    if value then
      table.insert(list, names.library[library] .. ' ' .. format:format(value))
    end
  end
  return table.concat(list, ', ')
end


function figures.connect(data)
  local sentences = {}
  for _, work in ipairs(names.failing) do
    table.insert(sentences, names.work[work] .. ': ' .. in_words(data, work, 'seconds', '%.2f s'))
  end
  return chart('connect', 'How long a failing network holds a program up: '
    .. table.concat(sentences, '; '))
end


function figures.cost(data)
  local sentences = {}
  for _, work in ipairs { 'open.tcp_client', 'traffic.echo', 'traffic.lines' } do
    table.insert(sentences, names.work[work] .. ': ' .. in_words(data, work, 'ratio', '%.2f'))
  end
  return chart('cost', 'CPU time to bare C: ' .. table.concat(sentences, '; '))
end


figures['idle heap'] = function(data)
  return in_words(data, 'memory', 'heap bytes', '%.0f')
end


-- "8.2 KiB"
figures['idle luasocket'] = function(data)
  local bytes = median(data, 'memory', 'luasocket', 'lua bytes')
  return bytes and ('%.1f KiB'):format(bytes / 1024) or '?'
end


figures['dead address'] = function(data)
  local seconds = median(data, 'network.dead6', 'sock99', 'seconds')
  return seconds and ('%.2f s'):format(seconds) or '?'
end


-- text with every quotation as it is to be, and which names it has that are none.
function figures.fill(text, data)
  local unknown = {}
  text = text:gsub('(<!%-%- bench:([%l%d ]-) %-%->)(.-)(<!%-%- /bench %-%->)',
    function(open, name, old, close)
      if name == 'fill' or not figures[name] then
        table.insert(unknown, name)
        return open .. old .. close
      end
      local line_end = old:find '\n' and '\n' or ''
      return open .. line_end .. figures[name](data) .. line_end .. close
    end)
  return text, unknown
end


return figures
