-- crowd.lua: one process holds very many connections, in a loop of cqueues' and
-- with sock99.select, and echoes what comes on each. The clients are in another
-- process, and check every byte. What a connection takes is told, the kernel's
-- part apart; afterwards no descriptor is left.

local amount = require 'amount'
local process = require 'process'
local sock99 = require 'sock99'
local system = require 'test_support'

local PATIENCE = 120
local BATCH = 500        -- connected at once: well below any backlog
local SPARE = 100        -- descriptors that are no connections
local MOST_LUA = 400     -- bytes of an object and its place in a list


-- The server. It is told by its channel when to measure, and when to end.

-- What is there goes back; false at the end of the stream, nil for nothing yet.
local function echo(socket, fault)
  local data, message = socket:receiveany(65536)
  if data then
    if fault == 'spoil' and data:find '^7 0 ' then
      data = data:upper()
    end
    assert(socket:send(data) == #data)
    return true
  end
  if message == 'timeout' then
    return nil
  end
  assert(message == 'closed', message)
  return false
end


local function tell(channel, figures, held)
  assert(channel:send(('%d %d %d %d\n'):format(figures.lua, figures.resident,
    figures.descriptors, held)))
end


local loops = {}

function loops.select(server, channel, report, fault)
  local watched, held = { server, channel }, 0
  local ended

  local function accept()
    local socket = server:accept()
    while socket do
      socket:settimeout(0)
      held = held + 1
      watched[#watched + 1] = socket
      socket = server:accept()
    end
  end

  -- Those that are closed leave no gap.
  local function compact()
    local kept = 0
    for i = 1, #watched do
      local socket = watched[i]
      watched[i] = nil
      if socket:getfd() >= 0 then
        kept = kept + 1
        watched[kept] = socket
      end
    end
  end

  while not ended do
    local closed = false
    for _, socket in ipairs((sock99.select(watched))) do
      if socket == server then
        accept()
      elseif socket == channel then
        ended = report(held)
      elseif echo(socket, fault) == false then
        held, closed = held - 1, true
        if fault == 'lose' and held == 0 then
          socket:detach()
        end
        socket:close()
      end
    end
    if closed then
      compact()
    end
  end
end


function loops.cqueues(server, channel, report)
  local cqueues = require 'cqueues'
  local loop, held, ended = cqueues.new(), 0, false

  local function serve(socket)
    local open = echo(socket)
    while open ~= false do
      if open == nil then
        cqueues.poll(socket)
      end
      open = echo(socket)
    end
    held = held - 1
    cqueues.cancel(socket)
    socket:close()
  end

  local function accept()
    while true do
      local socket = server:accept()
      if socket then
        socket:settimeout(0)
        held = held + 1
        loop:wrap(serve, socket)
      else
        cqueues.poll(server)
      end
    end
  end

  loop:wrap(accept)
  loop:wrap(function()
    repeat
      cqueues.poll(channel)
      ended = report(held)
    until ended
  end)
  while not ended do
    assert(loop:step())
  end
end


local function serve(channel, loop, address, fault)
  local server = assert(sock99.socket(address))
  server:settimeout(0)
  local host, port = server:getsockname()
  local function report(held)
    local order = channel:receive()
    if order == 'measure' then
      tell(channel, process.measure(amount.connections + SPARE), held)
    end
    return order ~= 'measure'
  end
  assert(channel:send(('%s %s\n'):format(host, port)))
  loops[loop](server, channel, report, fault)
end


-- The clients

local function line_of(i, round)
  return ('%d %d %s'):format(i, round, ('echo'):rep((i * 7 + round * 31) % 60))
end


local function send(clients, first, last, round)
  for i = first, last do
    assert(clients[i]:send { line_of(i, round), '\n' })
  end
end


local function check(clients, first, last, round)
  for i = first, last do
    local line, message = clients[i]:receive()
    if line ~= line_of(i, round) then
      error(('connection %d, round %d: got %s, %s'):format(i, round, tostring(line),
        tostring(message)), 0)
    end
  end
end


-- A batch has been accepted once it was echoed to.
local function connect(t, n)
  local clients = {}
  for first = 1, n, BATCH do
    local last = math.min(first + BATCH - 1, n)
    for i = first, last do
      clients[i] = assert(sock99.socket(t))
      clients[i]:settimeout(PATIENCE)
    end
    send(clients, first, last, 0)
    check(clients, first, last, 0)
  end
  return clients
end


-- Half of those over TCP by a reset.
local function close(clients)
  for i, client in ipairs(clients) do
    if i % 2 == 0 and client:getfamily() ~= 'unix' then
      assert(client:setoption('linger', 0))
    end
    client:close()
  end
end


local function measure(channel)
  assert(channel:send 'measure\n')
  local line = assert(channel:receive())
  local lua, resident, descriptors, held = line:match '^(%d+) (%d+) (%d+) (%d+)$'
  return { lua = tonumber(lua), resident = tonumber(resident),
    descriptors = tonumber(descriptors), held = tonumber(held) }
end


-- What the server takes once all clients are gone; it has yet to notice that.
local function measure_empty(channel)
  local deadline = system.now() + PATIENCE
  local figures
  repeat
    figures = measure(channel)
  until figures.held == 0 or system.now() > deadline
  return figures
end


local function figures_of(n, rounds, seconds, before, full, after)
  return ('%d connections, %d rounds in %.1f s; each takes %.0f bytes of Lua, %.0f resident; '
    .. 'descriptors %d, then %d, then %d; Lua %.0f KiB, then %.0f, then %.0f'):format(
    n, rounds, seconds, (full.lua - before.lua) / n, (full.resident - before.resident) / n,
    before.descriptors, full.descriptors, after.descriptors,
    before.lua / 1024, full.lua / 1024, after.lua / 1024)
end


local function drive(channel, address, loop, n)
  local rounds, start = amount.rounds, system.now()
  channel:settimeout(PATIENCE)
  local host, port = assert(channel:receive()):match '^(%S+) (%S+)$'
  local target = { path = address.path, host = not address.path and host or nil,
    port = not address.path and port or nil }
  local before = measure(channel)
  local clients = connect(target, n)
  for round = 1, rounds do
    send(clients, 1, n, round)
    check(clients, 1, n, round)
  end
  local full = measure(channel)
  assert(full.held == n, 'not all are held')
  close(clients)
  local after = measure_empty(channel)
  local told = figures_of(n, rounds, system.now() - start, before, full, after)
  if after.held ~= 0 or after.descriptors ~= before.descriptors then
    error('left open: ' .. told, 0)
  end
  if loop == 'select' and (full.lua - before.lua) / n > MOST_LUA then
    error('too much memory: ' .. told, 0)
  end
  return told
end


local function run(loop, address, n, fault)
  process.need_descriptors(amount.connections + SPARE)
  if loop == 'cqueues' and not pcall(require, 'cqueues') then
    error { skip = 'there is no cqueues for this Lua' }
  end
  local child = process.spawn(function(channel) serve(channel, loop, address, fault) end)
  return process.finally(function()
    local status = process.finish(child)
    assert(status == 0, 'the server ended with status ' .. status)
  end, drive, child.channel, address, loop, n)
end


local function tcp()
  return { host = '127.0.0.1', server = true }
end


-- The name is of Linux's abstract namespace, which a network has to itself.
local function unix()
  return { path = '\0crowd' .. system.getpid(), server = true }
end


local cases = {}

for _, kind in ipairs { { name = 'TCP', make = tcp }, { name = 'Unix', make = unix } } do
  for _, loop in ipairs { 'cqueues', 'select' } do
    cases[#cases + 1] = { name = ('%s, %s'):format(kind.name, loop), run = function()
      return run(loop, kind.make(), amount.connections)
    end }
  end
end


local PLANTED = 500

local function plant(name, pattern, fault)
  cases[#cases + 1] = { name = 'planted: ' .. name, plant = pattern, run = function()
    return run('select', tcp(), PLANTED, fault)
  end }
end

plant('one echo is wrong', '^connection 7, round 0: got 7 0 ECHO', 'spoil')
plant('one connection is not closed', '^left open: ', 'lose')


return cases
