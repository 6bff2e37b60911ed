-- records.lua: what the benchmarks measured, read back.
--
-- A line each: work, library, Lua ("-" for C), measure; then either a text, or
-- median, lower quartile, upper quartile and the number of rounds.

local records = {}


-- LuaJIT rounds 0.125 up, the C library to even: a hair more than a tie is none.
local function number(text)
  return tonumber(text) * (1 + 1e-12)
end


-- get(work, library, lua, measure) gives a text, or { median, low, high, rounds },
-- or nil; each(work, measure) goes through what was measured, in the file's order.
function records.read(path)
  local by_key, lines = {}, {}
  for line in io.lines(path) do
    local fields = {}
    for field in (line .. '\t'):gmatch '([^\t]*)\t' do
      table.insert(fields, field)
    end
    local work, library, lua, measure, value, low, high, rounds = (unpack or table.unpack)(fields)
    value = low and { median = number(value), low = number(low), high = number(high),
      rounds = tonumber(rounds) } or value
    local key = table.concat({ work, library, lua, measure }, '\t')
    by_key[key] = value
    table.insert(lines, { work = work, library = library, lua = lua, measure = measure,
      value = value })
  end

  local data = {}

  function data.get(work, library, lua, measure)
    return by_key[table.concat({ work, library, lua or '-', measure }, '\t')]
  end

  function data.each(work, measure)
    local i = 0
    return function()
      repeat
        i = i + 1
      until not lines[i] or lines[i].work == work and lines[i].measure == measure
      return lines[i]
    end
  end

  return data
end


return records
