-- crowd.lua: 1,000 connects at once through one loop.
-- Runs in the namespace of bench/network, since it may use all of a machine's
-- ports; `crowd.lua LIBRARY` is one measurement: CPU and wall-clock seconds.

package.path = 'bench/?.lua;' .. package.path

local harness = require 'harness'
local sock99 = require 'sock99'

local COUNT = 1000
local host = '127.0.0.1'

local connect_all = {}


function connect_all.sock99(port)
  local left = {}
  for i = 1, COUNT do
    left[i] = assert(sock99.start { host = host, port = port, timeout = 10 })
  end
  while #left > 0 do
    local ready, still = sock99.select(left), {}
    for _, opening in ipairs(left) do
      local socket, message = false, nil
      if ready[opening] then
        socket, message = opening:step()
      end
      if socket then
        socket:close()
        opening:cancel()
      else
        assert(socket == false, message)
        table.insert(still, opening)
      end
    end
    left = still
  end
end


function connect_all.cqueues(port)
  local cqueues = require 'cqueues'
  local socket = require 'cqueues.socket'
  local loop = cqueues.new()
  for _ = 1, COUNT do
    loop:wrap(function()
      local connection = socket.connect { host = host, port = port }
      assert(connection:connect(10))
      connection:close()
    end)
  end
  assert(loop:loop())
end


function connect_all.luv(port)
  local uv = require 'luv'
  local left = COUNT
  for _ = 1, COUNT do
    local handle = assert(uv.new_tcp())
    assert(handle:connect(host, port, function(problem)
      assert(not problem, problem)
      handle:close()
      left = left - 1
    end))
  end
  while left > 0 do
    uv.run 'once'
  end
end


local function measure(library)
  local server = assert(sock99.socket { ipv4 = host, server = true })
  local _, port = server:getsockname()
  local wall, processor = sock99.gettime(), os.clock()
  connect_all[library](port)
  print(os.clock() - processor, sock99.gettime() - wall)
end


local function compare()
  local present = harness.select(harness.contenders {
    { library = 'sock99', module = 'sock99' },
    { library = 'cqueues', module = 'cqueues.socket' },
    { library = 'luv', module = 'luv' },
  }, function(contender)
    return contender.lua == harness.counted
  end)
  io.write(('network.crowd: %d contenders, %d rounds\n'):format(#present, harness.rounds)):flush()
  local times, rates = {}, {}
  for round = 1, harness.rounds do
    for _, contender in ipairs(present) do
      local text = harness.output(('%s %s bench/crowd.lua %s 2>&1'):format(contender.environment,
        contender.interpreter, contender.library))
      local processor, wall = text:match '^([%d.e-]+)%s+([%d.e-]+)'
      assert(processor, text)
      if round == 1 then
        times[contender], rates[contender] = {}, {}
      end
      table.insert(times[contender], processor / COUNT * 1e6)
      table.insert(rates[contender], COUNT / wall)
    end
  end
  for _, contender in ipairs(present) do
    harness.record('network.crowd', contender, 'us', times[contender])
    harness.record('network.crowd', contender, 'a second', rates[contender])
  end
end


if ... then
  measure(...)
else
  compare()
end
