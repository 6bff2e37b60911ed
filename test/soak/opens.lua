-- opens.lua: each kind of socket, opened and closed very often, a third of them in
-- each of the three ways; and lookups. Descriptors, threads and memory stay what
-- they were.

local amount = require 'amount'
local flat = require 'flat'
local process = require 'process'
local sock99 = require 'sock99'
local system = require 'test_support'


-- Three ways to open: each returns what `close` takes.

local ways = {}


function ways.open(t)
  return assert(sock99.open(t)), sock99.close
end


local function close_object(object)
  return object:close()
end

function ways.socket(t)
  return assert(sock99.socket(t)), close_object
end


function ways.start(t)
  local opening = assert(sock99.start(t))
  local object, message = opening:step()
  while object == false do
    sock99.select { opening }
    object, message = opening:step()
  end
  opening:cancel()
  return assert(object, message), close_object
end


-- Kinds: a function that makes what is to be opened, and perhaps what is to be
-- done once it is.

local function listener(t)
  t.server = true
  return assert(sock99.socket(t))
end


-- In memory, where that can be had: a million files are no matter of the disk's.
local function path()
  local directory = system.mkdtemp '/dev/shm' or assert(system.mkdtemp())
  return directory .. '/socket', function() os.execute("rm -rf '" .. directory .. "'") end
end


-- The listener's backlog stays empty.
local function accept_from(server)
  return function()
    return (assert(server:accept()))
  end
end


local kinds = {
  { name = 'TCP server', make = function()
    return { host = '127.0.0.1', server = true }
  end },

  -- Closed by a reset, so that no port waits for a minute.
  { name = 'TCP client', make = function()
    local server = listener { host = '127.0.0.1' }
    local _, port = server:getsockname()
    return { host = '127.0.0.1', port = port, sockopts = { linger = 0 } }, accept_from(server)
  end },

  { name = 'UDP, unconnected', make = function()
    return { host = '127.0.0.1', server = true, datagram = true }
  end },

  { name = 'UDP, connected', make = function()
    return { host = '127.0.0.1', port = 9, datagram = true }
  end },

  { name = 'Unix server, unlink and mode', make = function()
    local name, remove = path()
    return { path = name, server = true, unlink = true, mode = '0600' }, nil, remove
  end },

  { name = 'Unix client', make = function()
    local name, remove = path()
    local server = listener { path = name }
    return { path = name }, accept_from(server), remove
  end },

  { name = 'Unix datagrams', make = function()
    local name, remove = path()
    local server = listener { path = name, datagram = true }
    return { path = name, datagram = true }, function() return server:getfd() and nil end, remove
  end },
}


local cases = {}

local function add(name, n, run)
  cases[#cases + 1] = { name = name, run = function() return run(n) end }
  return cases[#cases]
end


local function run_kind(kind, way, n)
  local t, after, clean_up = kind.make()
  local function once()
    local object, close = way(t)
    local peer = after and after()
    close(object)
    if peer then
      peer:close()
    end
  end
  return process.finally(clean_up, flat, n, once)
end


for _, kind in ipairs(kinds) do
  for _, way in ipairs { 'open', 'socket', 'start' } do
    add(kind.name .. ', ' .. way, amount.opens / 3, function(n)
      return run_kind(kind, ways[way], n)
    end)
  end
end


add('pair', amount.opens, function(n)
  return flat(n, function()
    local a, b = assert(sock99.pair())
    a:close()
    b:close()
  end)
end)


add('objects left to the collector', amount.opens, function(n)
  return flat(n, function()
    assert(sock99.socket { host = '127.0.0.1', server = true, datagram = true })
  end)
end)


add('numeric address resolved', amount.opens, function(n)
  return flat(n, function()
    assert(sock99.resolve { host = '127.0.0.1', port = 80 })
  end)
end)


-- A thread for each.
add('localhost resolved within a time, a fiftieth as many', amount.opens / 50, function(n)
  return flat(n, function()
    assert(sock99.resolve { host = 'localhost', port = 80, timeout = 60 })
  end)
end)


add('TCP client of localhost within a time, a fiftieth as many', amount.opens / 50, function(n)
  local server = listener { host = 'localhost' }
  local _, port = server:getsockname()
  local t = { host = 'localhost', port = port, timeout = 60, sockopts = { linger = 0 } }
  return flat(n, function()
    local client = assert(sock99.socket(t))
    assert(server:accept()):close()
    client:close()
  end)
end)


-- What a leak looks like: the smallest that the bounds must show.

local PLANTED = 20000

local function plant(name, pattern, leak)
  add('planted: ' .. name, PLANTED, function(n)
    return flat(n, function(i)
      sock99.close(assert(sock99.open { host = '127.0.0.1', server = true, datagram = true }))
      leak(i)
    end)
  end).plant = pattern
end


local kept = {}

plant('a descriptor of 10,000', '^descriptors: ', function(i)
  if i % 10000 == 0 then
    assert(sock99.open { host = '127.0.0.1', server = true, datagram = true })
  end
end)

plant('64 bytes of Lua a call', '^lua memory grew', function(i)
  kept[#kept + 1] = ('%40d'):format(i)
end)

plant('64 bytes of C a call', '^resident memory grew', function()
  assert(system.lose(64))
end)


return cases
