-- crowd.lua: one process holds very many sockets, in a loop of cqueues' and with
-- sock99.select, and echoes what comes on each. The clients are in another process,
-- and check every byte. What a socket takes is told, the kernel's part apart;
-- afterwards no descriptor is left.

local amount = require 'amount'
local process = require 'process'
local sock99 = require 'sock99'
local system = require 'test_support'

local PATIENCE = 120
local BATCH = 500        -- connections, or datagrams, on their way: below any backlog
local SPARE = 100        -- descriptors that are not the crowd's
local MOST_LUA = 400     -- bytes of an object and its place in a list


-- Kinds. `echo` sends back what is there: true, or false at the end, nil for
-- nothing yet. Streams are accepted by a listener; datagrams each have a socket of
-- their own from the start, and an empty one is the end. `window`: how many are on
-- their way at most; datagrams beyond some backlog would be dropped. `part` is what
-- clients do before they close.

local kinds = {}


local function spoilt(data, fault)
  return fault == 'spoil' and data:find '^7 0 ' and data:upper() or data
end


local function echo_bytes(socket, fault)
  local data, message = socket:receiveany(65536)
  if data then
    assert(socket:send(spoilt(data, fault)) == #data)
    return true
  elseif message == 'timeout' then
    return nil
  end
  assert(message == 'closed', message)
  return false
end


-- Half of them go by a reset.
local function reset_half(clients, first, last)
  for i = first + first % 2, last, 2 do
    assert(clients[i]:setoption('linger', 0))
  end
end


local function echo_datagram(socket, fault)
  local data, host, port = socket:receivefrom()
  if not data then
    assert(host == 'timeout', host)
    return nil
  end
  assert(socket:sendto(spoilt(data, fault), host, port))
  return data ~= ''
end


local function send_nothing(clients, first, last)
  for i = first, last do
    assert(clients[i]:send '')
  end
  for i = first, last do
    assert(clients[i]:receive() == '')
  end
end


kinds.TCP = {
  echo = echo_bytes,
  ending = '\n',
  window = math.huge,
  server = function() return { host = '127.0.0.1', server = true } end,
  part = reset_half,
}


-- The name is of Linux's abstract namespace, which a network has to itself.
kinds.Unix = {
  echo = echo_bytes,
  ending = '\n',
  window = math.huge,
  server = function() return { path = '\0crowd' .. system.getpid(), server = true } end,
  part = function() end,
}


-- Not the clients' address, lest there are too few ports.
kinds.UDP = {
  echo = echo_datagram,
  ending = '',
  window = BATCH,
  datagram = true,
  server = function() return { host = '127.0.0.2', server = true, datagram = true } end,
  part = send_nothing,
}


-- The server: loops. `crowd` has the listener, if any, and the members so far. The
-- channel says when to measure, and when to end.

local function tell(channel, figures, held)
  assert(channel:send(('%d %d %d %d\n'):format(figures.lua, figures.resident,
    figures.descriptors, held)))
end


local function measure_crowd()
  return process.measure(amount.connections + SPARE)
end


-- Takes an order; true: to end.
local function obey(channel, held)
  if channel:receive() ~= 'measure' then
    return true
  end
  tell(channel, measure_crowd(), held)
  return false
end


-- Those that are closed leave no gap.
local function compact(list)
  local kept = 0
  for i = 1, #list do
    local socket = list[i]
    list[i] = nil
    if socket:getfd() >= 0 then
      kept = kept + 1
      list[kept] = socket
    end
  end
end


local function accept_all(listener, list)
  local socket = listener:accept()
  while socket do
    socket:settimeout(0)
    list[#list + 1] = socket
    socket = listener:accept()
  end
end


-- Each returns a function that serves; what the loop itself takes is there by then.
local loops = {}

function loops.select()
  return function(channel, crowd, fault)
    local list, ended = crowd.members, false
    list[#list + 1] = channel
    list[#list + 1] = crowd.listener
    local others = crowd.listener and 2 or 1
    while not ended do
      local closed = false
      for _, socket in ipairs((sock99.select(list))) do
        if socket == crowd.listener then
          accept_all(socket, list)
        elseif socket == channel then
          ended = obey(channel, #list - others)
        elseif crowd.echo(socket, fault) == false then
          if fault == 'lose' and not closed then
            socket:detach()
          end
          socket:close()
          closed = true
        end
      end
      if closed then
        compact(list)
      end
    end
  end
end


function loops.cqueues()
  local cqueues = require 'cqueues'
  local loop, held, ended = cqueues.new(), 0, false

  local function serve(echo, socket)
    held = held + 1
    local open = echo(socket)
    while open ~= false do
      if open == nil then
        cqueues.poll(socket)
      end
      open = echo(socket)
    end
    cqueues.cancel(socket)
    socket:close()
    held = held - 1
  end

  local function accept(crowd)
    while true do
      local socket = crowd.listener:accept()
      if socket then
        socket:settimeout(0)
        loop:wrap(serve, crowd.echo, socket)
      else
        cqueues.poll(crowd.listener)
      end
    end
  end

  return function(channel, crowd)
    for i, socket in ipairs(crowd.members) do
      loop:wrap(serve, crowd.echo, socket)
      crowd.members[i] = nil
    end
    if crowd.listener then
      loop:wrap(accept, crowd)
    end
    loop:wrap(function()
      repeat
        cqueues.poll(channel)
        ended = obey(channel, held)
      until ended
    end)
    while not ended do
      assert(loop:step())
    end
  end
end


local function open(address)
  local server = assert(sock99.socket(address))
  server:settimeout(0)
  return server
end


local function port_of(socket)
  local _, port = socket:getsockname()
  return port
end


-- n sockets of their own; returns their ports as text.
local function open_members(crowd, address, n)
  local ports = {}
  for i = 1, n do
    crowd.members[i] = open(address)
    ports[i] = port_of(crowd.members[i])
  end
  return table.concat(ports, ' ')
end


-- First tells what is taken before anybody came, then the host and the ports.
local function serve(channel, loop, kind, address, n, fault)
  local crowd, run = { echo = kind.echo, members = {} }, loops[loop]()
  crowd.listener = not kind.datagram and open(address) or nil
  tell(channel, measure_crowd(), 0)
  local ports = kind.datagram and open_members(crowd, address, n) or port_of(crowd.listener)
  assert(channel:send(('%s %s\n'):format(tostring(address.host), tostring(ports))))
  run(channel, crowd, fault)
end


-- The clients

local function line_of(i, round)
  return ('%d %d %s'):format(i, round, ('echo'):rep((i * 7 + round * 31) % 60))
end


-- One echo for each of those, all on their way at once.
local function exchange(kind, clients, first, last, round)
  for i = first, last do
    assert(clients[i]:send(line_of(i, round) .. kind.ending))
  end
  for i = first, last do
    local line, message = clients[i]:receive()
    if line ~= line_of(i, round) then
      error(('socket %d, round %d: got %.40s, %s'):format(i, round, tostring(line),
        tostring(message)), 0)
    end
  end
end


-- Calls f(first, last) for so many at a time.
local function in_batches(n, size, f)
  size = math.min(size, n)
  for first = 1, n, size do
    f(first, math.min(first + size - 1, n))
  end
end


-- Where the i-th client goes: the server tells one port, or one for each.
local function targets(kind, address, channel)
  local words = {}
  for word in assert(channel:receive()):gmatch '%S+' do
    words[#words + 1] = word
  end
  return function(i)
    if address.path then
      return { path = address.path }
    end
    return { host = words[1], port = words[i + 1] or words[2], datagram = kind.datagram }
  end
end


-- A batch has been accepted once it was echoed to.
local function connect(kind, target, n)
  local clients = {}
  in_batches(n, BATCH, function(first, last)
    for i = first, last do
      clients[i] = assert(sock99.socket(target(i)))
      clients[i]:settimeout(PATIENCE)
    end
    exchange(kind, clients, first, last, 0)
  end)
  return clients
end


local function close(kind, clients)
  in_batches(#clients, BATCH, function(first, last)
    kind.part(clients, first, last)
    for i = first, last do
      clients[i]:close()
    end
  end)
end


local function figures_from(channel)
  local lua, resident, descriptors, held =
    assert(channel:receive()):match '^(%d+) (%d+) (%d+) (%d+)$'
  return { lua = tonumber(lua), resident = tonumber(resident),
    descriptors = tonumber(descriptors), held = tonumber(held) }
end


local function measure(channel)
  assert(channel:send 'measure\n')
  return figures_from(channel)
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
  return ('%d sockets, %d rounds in %.1f s; each takes %.0f bytes of Lua, %.0f resident; '
    .. 'descriptors %d, then %d, then %d; Lua %.0f KiB, then %.0f, then %.0f'):format(
    n, rounds, seconds, (full.lua - before.lua) / n, (full.resident - before.resident) / n,
    before.descriptors, full.descriptors, after.descriptors,
    before.lua / 1024, full.lua / 1024, after.lua / 1024)
end


local function drive(channel, loop, kind, address, n)
  local start = system.now()
  channel:settimeout(PATIENCE)
  local before = figures_from(channel)
  local clients = connect(kind, targets(kind, address, channel), n)
  for round = 1, amount.rounds do
    in_batches(n, kind.window, function(first, last)
      exchange(kind, clients, first, last, round)
    end)
  end
  local full = measure(channel)
  assert(full.held == n, 'not all are held')
  close(kind, clients)
  local after = measure_empty(channel)
  local told = figures_of(n, amount.rounds, system.now() - start, before, full, after)
  if after.held ~= 0 or after.descriptors ~= before.descriptors then
    error('left open: ' .. told, 0)
  end
  if loop == 'select' and (full.lua - before.lua) / n > MOST_LUA then
    error('too much memory: ' .. told, 0)
  end
  return told
end


local function run(loop, kind, n, fault)
  process.need_descriptors(amount.connections + SPARE)
  if loop == 'cqueues' and not pcall(require, 'cqueues') then
    error { skip = 'there is no cqueues for this Lua' }
  end
  local address = kind.server()
  local child = process.spawn(function(channel)
    serve(channel, loop, kind, address, n, fault)
  end)
  return process.finally(function()
    local status = process.finish(child)
    assert(status == 0, 'the server ended with status ' .. status)
  end, drive, child.channel, loop, kind, address, n)
end


local cases = {}

for _, name in ipairs { 'TCP', 'Unix', 'UDP' } do
  for _, loop in ipairs { 'cqueues', 'select' } do
    cases[#cases + 1] = { name = ('%s, %s'):format(name, loop), run = function()
      return run(loop, kinds[name], amount.connections)
    end }
  end
end


local PLANTED = math.min(500, amount.connections)

local function plant(name, pattern, fault)
  cases[#cases + 1] = { name = 'planted: ' .. name, plant = pattern, run = function()
    return run('select', kinds.TCP, PLANTED, fault)
  end }
end

plant('one echo is wrong', '^socket 7, round 0: got 7 0 ECHO', 'spoil')
plant('a connection is not closed', '^left open: ', 'lose')


return cases
