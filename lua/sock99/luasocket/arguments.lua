-- arguments: checks arguments of functions written in Lua as C functions do. Errors
-- have the position of the program's call.

local arguments = {}


-- Some hosts omit the debug library; errors then have no position.
local getinfo = debug and debug.getinfo

-- The directory of these files, as debug.getinfo reports it: "@…/sock99/luasocket".
local ours = getinfo and getinfo(1, 'S').source:gsub('/[^/]*$', '')


-- The level of the program's function, counted from the caller of this one. Tail calls
-- have no source, so they are skipped.
local function caller()
  if not getinfo then
    return 0
  end
  local level = 2
  local info = getinfo(level, 'S')
  while info and (info.source:sub(1, #ours) == ours or info.what == 'tail') do
    level = level + 1
    info = getinfo(level, 'S')
  end
  return level - 1
end


local function raise(index, name, problem)
  error(("bad argument #%d to '%s' (%s)"):format(index, name, problem), caller())
end


local function expect(kind, value, index, name)
  local got = value == nil and 'no value' or type(value)
  raise(index, name, ('%s expected, got %s'):format(kind, got))
end


arguments.raise = raise


function arguments.string(value, index, name)
  if type(value) == 'string' then
    return value
  elseif type(value) == 'number' then
    return ('%s'):format(value)
  end
  return expect('string', value, index, name)
end


function arguments.number(value, index, name)
  return tonumber(value) or expect('number', value, index, name)
end


function arguments.boolean(value, index, name)
  if type(value) == 'boolean' then
    return value
  end
  return expect('boolean', value, index, name)
end


function arguments.table(value, index, name)
  if type(value) == 'table' then
    return value
  end
  return expect('table', value, index, name)
end


-- Returns a port number or a service name; nil if the value can be neither.
function arguments.port(value, index, name)
  local number = tonumber(value)
  if not number then
    if type(value) ~= 'string' then
      expect('string', value, index, name)
    end
    return value == '' and 0 or value
  end
  if number >= 0 and number <= 65535 and number % 1 == 0 then
    return number
  end
  return nil
end


return arguments
