-- failures.lua: openings that fail, very often, a third of them in each of the
-- three ways; they leave nothing behind either.

local amount = require 'amount'
local flat = require 'flat'
local process = require 'process'
local sock99 = require 'sock99'
local system = require 'test_support'


local ways = { open = sock99.open, socket = sock99.socket }

function ways.start(t)
  local opening, message, code, stage = sock99.start(t)
  if not opening then
    return opening, message, code, stage
  end
  local object
  repeat
    object, message, code, stage = opening:step()
    if object == false then
      sock99.select { opening }
    end
  until object ~= false
  opening:cancel()
  return object, message, code, stage
end


-- `make` returns what fails, and how to end what that needs meanwhile.

local function closer(object)
  return function() object:close() end
end


local failures = {
  { name = 'ECONNREFUSED', stage = 'connect', make = function()
    local taken = assert(sock99.socket {
      host = '127.0.0.1', connect = false, bind = { host = '127.0.0.1', port = 0 } })
    local _, port = taken:getsockname()
    return { host = '127.0.0.1', port = port }, closer(taken)
  end },

  { name = 'ENOENT', stage = 'connect', make = function()
    return { path = '/nosuch/socket' }
  end },

  { name = 'EADDRINUSE', stage = 'bind', make = function()
    local server = assert(sock99.socket { host = '127.0.0.1', server = true })
    local _, port = server:getsockname()
    return { host = '127.0.0.1', port = port, server = true }, closer(server)
  end },

  -- Somebody listens there: nothing is stale.
  { name = 'EADDRINUSE', stage = 'bind', title = 'EADDRINUSE, Unix', make = function()
    local directory = assert(system.mkdtemp())
    local name = directory .. '/socket'
    local server = assert(sock99.socket { path = name, server = true })
    return { path = name, server = true, unlink = true }, function()
      server:close()
      os.execute("rm -rf '" .. directory .. "'")
    end
  end },

  { name = 'EADDRNOTAVAIL', stage = 'bind', make = function()
    return { host = '127.0.0.1', port = 9, bind = { host = '192.0.2.1' } }
  end },

  { name = 'EINVAL', stage = 'configuration', make = function()
    return { host = '127.0.0.1', port = 70000 }
  end },

  -- The first fits, the second does not.
  { name = 'ENOPROTOOPT', stage = 'setsockopt', make = function()
    return { host = '127.0.0.1', server = true,
      sockopts = { { 1, 2, 1 }, { 1, 9999, 1 } } }
  end },
}


local function run(failure, way, n)
  local t, clean_up = failure.make()
  local function once()
    local object, message, code, stage = way(t)
    if object ~= nil or sock99.errno[code] ~= failure.name or stage ~= failure.stage then
      error(('expected %s at %s, got %s, %s, %s'):format(failure.name, failure.stage,
        tostring(object), tostring(message), tostring(stage)), 0)
    end
  end
  return process.finally(clean_up, flat, n, once)
end


local cases = {}

for _, failure in ipairs(failures) do
  for _, way in ipairs { 'open', 'socket', 'start' } do
    cases[#cases + 1] = {
      name = (failure.title or failure.name) .. ', ' .. way,
      run = function() return run(failure, ways[way], amount.opens / 3) end,
    }
  end
end


-- An error that is raised unwinds past C.
cases[#cases + 1] = { name = 'a field that does not exist', run = function()
  return flat(amount.opens, function()
    assert(not pcall(sock99.open, { host = '127.0.0.1', prot = 80 }))
  end)
end }


cases[#cases + 1] = { name = 'planted: another error', plant = '^expected EINVAL', run = function()
  local failure = { name = 'EINVAL', stage = 'configuration', make = failures[2].make }
  return run(failure, ways.open, 20000)
end }


return cases
