-- model: what the receive side must answer, said as plainly as it can be: of all
-- bytes that were sent and not yet taken, in one string. It knows no sockets.

local model = {}


-- Chance: the same numbers on every Lua (Park and Miller's minimal standard).
function model.chance(seed)
  local state = seed * 7919 % 2147483646 + 1
  local function below(n)
    state = state * 16807 % 2147483647
    return state % n
  end
  for _ = 1, 3 do
    below(1)
  end
  return below
end


local function letter(pattern)
  return type(pattern) == 'string' and pattern:match '^%*?(%a)'
end


local function without_crs(bytes)
  return (bytes:gsub('\r', ''))
end


local function line(pending, prefix, keeps, drops_crs)
  local stop = pending:find('\n', 1, true)
  if not stop then
    return nil
  elseif keeps then
    return prefix .. pending:sub(1, stop), stop
  elseif drops_crs then
    return prefix .. without_crs(pending:sub(1, stop - 1)), stop
  end
  return ((prefix .. pending:sub(1, stop - 1)):gsub('\r$', '')), stop
end


-- The result of receive(pattern, prefix), and how many of the pending bytes it
-- takes; nil: they are not enough. `drops_crs`: as LuaSocket has it.
function model.receive(pending, pattern, prefix, drops_crs)
  local count = tonumber(pattern)
  if count then
    local more = math.max(count - #prefix, 0)
    if #pending < more then
      return nil
    end
    return prefix .. pending:sub(1, more), more
  elseif letter(pattern) == 'a' then
    return nil
  end
  return line(pending, prefix, letter(pattern) == 'L', drops_crs)
end


-- Whether all bytes up to the end are what was asked for.
function model.wants_all(pattern)
  return letter(pattern) == 'a'
end


-- What is told of bytes that were not enough.
function model.partial(bytes, pattern, prefix, drops_crs)
  local is_line = pattern == nil or letter(pattern) == 'l'
  return prefix .. (drops_crs and is_line and without_crs(bytes) or bytes)
end


-- What data:sub(i, j) is, and how many bytes lie before it. LuaJIT 2.1.0-beta3
-- compiles a negative j wrongly where it is -1 at first, so there is none.
function model.part(data, i, j)
  i, j = i or 1, j or #data
  if i < 0 then
    i = #data + i + 1
  end
  if j < 0 then
    j = #data + j + 1
  end
  i = math.max(i, 1)
  return j >= i and data:sub(i, j) or '', i - 1
end


return model
