-- prefork.lua: workers of one port are killed at random, now and then all of them,
-- many in the middle of an answer, and started again. Clients in other processes check each
-- answer against what they asked, and count what became of it; none is answered
-- wrongly. Then a round without kills is answered whole, and no process is left.
--
-- A request is a line "id checksum bytes repeats" and that many bytes; its answer
-- a line "id checksum bytes" and the request's bytes, reversed, repeated.

local amount = require 'amount'
local process = require 'process'
local sock99 = require 'sock99'
local system = require 'test_support'

local WORKERS, CLIENTS = 4, 8
local SEED = 20260731
local PATIENCE = 30            -- of a client, for anything
local MOST_PAUSE = 0.02        -- seconds between two kills
local ALL_OF = 20              -- one kill of so many kills all workers
local REQUESTS_PER_CONNECTION = 8

-- Refused when connecting; reset or closed before a byte of the answer; short:
-- reset or closed within it; late: out of patience.
local OUTCOMES = { 'answered', 'refused', 'reset', 'closed', 'short', 'late' }


-- As random numbers that are the same on every Lua.
local function random_numbers(seed)
  local state = seed % 2147483647 + 1
  return function(most)
    state = state * 16807 % 2147483647
    return state % most + 1
  end
end


local function checksum(text)
  local a, b = 1, 0
  for i = 1, #text do
    a = (a + text:byte(i)) % 65521
    b = (b + a) % 65521
  end
  return b * 65536 + a
end


-- The worker

local function answer_to(id, sum, text, repeats)
  local body = text:reverse():rep(repeats)
  return ('%s %s %d\n'):format(id, sum, #body), body
end


-- In two pieces, so that there is a middle to be killed in.
local function answer(client, fault)
  local line = client:receive()
  local id, sum, bytes, repeats = (line or ''):match '^(%d+) (%d+) (%d+) (%d+)$'
  local text = id and client:receive(bytes)
  if not text then
    return false
  end
  if ('%d'):format(checksum(text)) ~= sum then
    sum = 'wrong request'
  end
  local head, body = answer_to(id, sum, text, tonumber(repeats))
  if fault == 'spoil' and id % 100 == 0 then
    body = body:sub(1, -2) .. '!'
  end
  local middle = math.floor(#body / 2)
  return client:send { head, body:sub(1, middle) } and client:send(body:sub(middle + 1))
end


-- Until the parent hangs up.
local function work(make_server, channel, fault)
  local server = make_server()
  server:settimeout(0)
  assert(channel:send 'ready\n')
  while true do
    local readable = sock99.select { server, channel }
    if readable[channel] then
      return
    end
    local client = server:accept()
    if client then
      client:settimeout(PATIENCE)
      repeat until not answer(client, fault)
      client:close()
    end
  end
end


-- The client

local function request(random)
  local text = {}
  for i = 1, random(100) do
    text[i] = string.char(random(256) - 1)
  end
  return table.concat(text), random(8) == 1 and 500 or random(20)
end


-- What became of a call that failed.
local function failure(message, code)
  local name = sock99.errno[code]
  if message == 'timeout' then
    return 'late'
  elseif message == 'closed' and code == nil then
    return 'closed'
  elseif name == 'ECONNRESET' or name == 'EPIPE' then
    return 'reset'
  elseif name == 'ECONNREFUSED' then
    return 'refused'
  end
  error(('unexpected: %s (%s)'):format(tostring(message), tostring(name)), 0)
end


-- One of the outcomes; the socket is good for another request if answered.
local function ask(socket, id, random)
  local text, repeats = request(random)
  local sum = ('%d'):format(checksum(text))
  local head, body = answer_to(id, sum, text, repeats)
  local sent, message, _, code = socket:send {
    ('%d %s %d %d\n'):format(id, sum, #text, repeats), text }
  if not sent then
    return failure(message, code)
  end
  local got, why, partial, errno = socket:receive(#head + #body)
  if not got then
    local outcome = failure(why, errno)
    return partial ~= '' and outcome ~= 'late' and 'short' or outcome
  end
  if got ~= head .. body then
    error(('request %d was answered wrongly'):format(id), 0)
  end
  return 'answered'
end


local function connect(address)
  local socket, message, code = sock99.socket(address)
  if not socket then
    return nil, failure(message, code)
  end
  socket:settimeout(PATIENCE)
  return socket
end


-- Asks n times, and tells the channel how often there was each outcome.
local function ask_all(address, n, seed, channel)
  local random, counts, id = random_numbers(seed), {}, 0
  local function note(outcome)
    counts[outcome] = (counts[outcome] or 0) + 1
  end
  while id < n do
    local socket, outcome = connect(address)
    if not socket then
      id = id + 1
      note(outcome)
    else
      for _ = 1, math.min(REQUESTS_PER_CONNECTION, n - id) do
        id = id + 1
        outcome = ask(socket, id, random)
        note(outcome)
        if outcome ~= 'answered' then
          break
        end
      end
      socket:close()
    end
  end
  local line = {}
  for i, outcome in ipairs(OUTCOMES) do
    line[i] = ('%d'):format(counts[outcome] or 0)
  end
  assert(channel:send('counts ' .. table.concat(line, ' ') .. '\n'))
end


-- The parent: starts workers and clients, and kills.

local function start_worker(server)
  local worker = process.spawn(function(channel)
    work(server.make, channel, server.fault)
  end)
  worker.starting = true
  return worker
end


local function start_clients(address, n, seed)
  local clients = {}
  for i = 1, CLIENTS do
    clients[i] = process.spawn(function(channel)
      local ok, problem = pcall(ask_all, address, n, seed + i, channel)
      if not ok then
        channel:send(problem .. '\n')
      end
    end)
  end
  return clients
end


-- Adds up what a client tells at its end.
local function take_counts(client, sums)
  local line = client.channel:receive() or 'a client ended without counts'
  process.finish(client)
  local counts, i = line:match '^counts (.*)', 0
  if not counts then
    error(line, 0)
  end
  for number in counts:gmatch '%d+' do
    i = i + 1
    sums[OUTCOMES[i]] = sums[OUTCOMES[i]] + tonumber(number)
  end
end


-- A worker has something to say: that it is ready, or, by its end, that it is dead.
local function notice(workers, i, server, expected)
  local worker = workers[i]
  if worker.channel:receive() then
    worker.starting = false
    return
  end
  local status = process.finish(worker)
  if not expected[worker.pid] then
    error('a worker ended by itself, with status ' .. status, 0)
  end
  expected[worker.pid] = nil
  workers[i] = start_worker(server)
end


-- How many were killed: one that is not ready yet is spared.
local function kill(workers, random, killed)
  local victims = random(ALL_OF) == 1 and workers or { workers[random(#workers)] }
  local kills = 0
  for _, worker in ipairs(victims) do
    if not worker.starting and not killed[worker.pid] then
      killed[worker.pid] = true
      assert(system.kill(worker.pid))
      kills = kills + 1
    end
  end
  return kills
end


-- Waits until a child has something to say, or the time is due. `on_worker` and
-- `on_client` are told the index.
local function listen_to(workers, clients, due, on_worker, on_client)
  local watched, tell = {}, {}
  for list, f in pairs { [workers] = on_worker, [clients] = on_client } do
    for i, child in pairs(list) do
      watched[#watched + 1] = child.channel
      tell[child.channel] = function() f(i) end
    end
  end
  for _, channel in ipairs((sock99.select(watched, nil, math.max(0, due - system.now())))) do
    tell[channel]()
  end
end


-- Until all clients are done; returns what became of their requests, and the kills.
-- Without random numbers nobody is killed.
local function attend(server, workers, clients, random)
  local sums, kills, killed, due = {}, 0, {}, system.now()
  for _, outcome in ipairs(OUTCOMES) do
    sums[outcome] = 0
  end
  local function on_worker(i)
    notice(workers, i, server, killed)
  end
  local function on_client(i)
    take_counts(clients[i], sums)
    clients[i] = nil
  end
  while next(clients) do
    listen_to(workers, clients, due, on_worker, on_client)
    if system.now() >= due then
      kills = kills + (random and kill(workers, random, killed) or 0)
      due = system.now() + (random and random(1000) / 1000 * MOST_PAUSE or 1)
    end
  end
  for i, worker in ipairs(workers) do
    if killed[worker.pid] then
      on_worker(i)
    end
  end
  return sums, kills
end


local function total(sums)
  local sum = 0
  for _, count in pairs(sums) do
    sum = sum + count
  end
  return sum
end


local function described(sums)
  local words = {}
  for i, outcome in ipairs(OUTCOMES) do
    words[i] = ('%d %s'):format(sums[outcome], outcome)
  end
  return table.concat(words, ', ')
end


local function await_ready(workers)
  for _, worker in ipairs(workers) do
    if worker.starting then
      assert(worker.channel:receive() == 'ready', 'a worker did not start')
      worker.starting = false
    end
  end
end


-- None is left, of those that we started and of those that they did.
local function assert_no_children()
  local pid, _, code = system.wait(-1)
  assert(not pid and sock99.errno[code] == 'ECHILD', 'a process is left')
end


local function under_kills(server, workers, each)
  local start = system.now()
  local clients = start_clients(server.address, each, SEED)
  local sums, kills = attend(server, workers, clients, random_numbers(SEED))
  local told = ('%d requests in %.1f s, %d workers killed: %s'):format(total(sums),
    system.now() - start, kills, described(sums))
  assert(total(sums) == each * CLIENTS, 'not every request has an outcome: ' .. told)
  assert(sums.answered > 0, told)
  assert(sums.reset + sums.closed + sums.short > 0, 'no kill met a request: ' .. told)
  assert(not server.lasting or sums.refused == 0, 'refused, though there is a listener: ' .. told)
  return told
end


local function without_kills(server, workers, each)
  local clients = start_clients(server.address, each, SEED + CLIENTS)
  local sums = attend(server, workers, clients)
  assert(sums.answered == each * CLIENTS, 'without kills: ' .. described(sums))
  return ('%d without kills: all answered'):format(sums.answered)
end


local function run(make, requests, fault)
  local server, workers = make(), {}
  server.fault = fault
  for i = 1, WORKERS do
    workers[i] = start_worker(server)
  end
  await_ready(workers)
  local told = under_kills(server, workers, math.ceil(requests / CLIENTS))
  await_ready(workers)
  told = ('%s; then %s'):format(told, without_kills(server, workers, 100))
  for _, worker in ipairs(workers) do
    local status = process.finish(worker)
    assert(status == 0, 'a worker ended with status ' .. status)
  end
  assert_no_children()
  return told
end


-- One listener, which all workers inherit. Connections that wait survive a worker.
local function inherited()
  local server = assert(sock99.socket {
    host = '127.0.0.1', server = true, sockopts = { nodelay = true } })
  local host, port = server:getsockname()
  return {
    lasting = true,
    address = { host = host, port = port },
    make = function() return server end,
  }
end


-- A listener for each worker; those that wait there go with it. The port is kept
-- by a socket that does not listen.
local function of_each_worker()
  local shared = { reuseport = true, nodelay = true }
  local holder = assert(sock99.socket {
    connect = false, bind = { host = '127.0.0.1', port = 0 }, sockopts = shared })
  local host, port = holder:getsockname()
  return {
    holder = holder,
    address = { host = host, port = port },
    make = function()
      return assert(sock99.socket {
        host = host, port = port, server = true, sockopts = shared })
    end,
  }
end


return {
  { name = 'one listener for all workers', run = function()
    return run(inherited, amount.requests)
  end },
  { name = 'a listener for each worker', run = function()
    return run(of_each_worker, amount.requests)
  end },
  { name = 'planted: wrong answers', plant = '^request %d+ was answered wrongly', run = function()
    return run(inherited, 2000, 'spoil')
  end },
}
