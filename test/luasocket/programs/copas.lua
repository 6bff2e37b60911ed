-- Copas over the core: a server in one process, its clients in another, each
-- in a loop of its own. This copas is version 1.1.7, as Debian has it.

local copas = require 'copas'
local socket = require 'socket'
local http = require 'socket.http'
local ltn12 = require 'ltn12'
local http_server = require 'http_server'

local case = {}

-- In the clients' process; a server's handlers leave closing to copas.
copas.autoclose = false


-- Runs the loop until nothing is left of `tasks`.
local function finish(t, tasks)
  local deadline = socket.gettime() + 40
  while next(tasks) do
    copas.step(1)
    t.check(socket.gettime() < deadline, 'some never ended')
  end
end


-- Runs f(i) for 1 to n, each in a thread, until all have ended. One that fails
-- has its error printed by copas, and never ends.
local function each(t, n, f)
  local tasks = {}
  for i = 1, n do
    tasks[i] = true
    copas.addthread(function()
      f(i)
      tasks[i] = nil
    end)
  end
  finish(t, tasks)
end


-- A server in another process that `handle`s each client; its port.
local function serve(t, handle)
  local listener = t.check(socket.bind('127.0.0.1', 0, 4096))
  local _, port = listener:getsockname()
  t.start(function()
    copas.autoclose = true
    copas.addserver(listener, handle, 0)
    copas.loop()
  end)
  listener:close()
  return port
end


local function echo_lines(client)
  client = copas.wrap(client)
  local line = client:receive()
  while line do
    client:send(line .. '\n')
    line = client:receive()
  end
end


local function connect(port)
  local client = socket.tcp()
  assert(copas.connect(client, '127.0.0.1', port))
  return client, copas.wrap(client)
end


function case.an_echo(t)
  local port = serve(t, echo_lines)
  local right = 0
  each(t, 20, function(i)
    local client, wrapped = connect(port)
    for j = 1, 5 do
      local line = ('line %d of client %d'):format(j, i)
      wrapped:send(line .. '\n')
      local answer = wrapped:receive()
      right = right + (answer == line and 1 or 0)
    end
    client:close()
  end)
  t.tell('right answers', right)
  t.equal(right, 100)
end


function case.large_messages(t)
  local size = 2 * 1048576
  local port = serve(t, function(client)
    client = copas.wrap(client)
    client:send(client:receive(size))
  end)
  local right = 0
  each(t, 3, function(i)
    local client, wrapped = connect(port)
    local data = http_server.bytes(i, size)
    wrapped:send(data)
    local answer = wrapped:receive(size)
    right = right + (answer == data and 1 or 0)
    client:close()
  end)
  t.equal(right, 3)
end


-- With a timeout of 0, receive(n) ends with what is there.
function case.partial_messages(t)
  local port = serve(t, function(client)
    client = copas.wrap(client)
    client:send 'some'
    client:receive()
    client:send 'more'
    client:receive()
  end)
  each(t, 1, function()
    local client, wrapped = connect(port)
    wrapped:settimeout(0)
    t.tell('a part', wrapped:receive(100))
    wrapped:send '\n'
    t.tell('another', wrapped:receive(100))
    wrapped:send '\n'
    t.tell('the end', wrapped:receive(100))
    client:close()
  end)
end


function case.no_server(t)
  local port = t.peer.port_of_nobody()
  each(t, 1, function()
    local client = socket.tcp()
    t.tell('refused', copas.connect(client, '127.0.0.1', port))
    client:close()
  end)
end


function case.timeouts(t)
  local listener = t.check(socket.bind('127.0.0.1', 0))
  local _, port = listener:getsockname()
  local client = t.check(socket.connect('127.0.0.1', port))
  local accepted = t.check(listener:accept())
  accepted:settimeout(0)
  local got
  copas.addthread(function()
    got = copas.receive(accepted)
  end)
  local started = socket.gettime()
  t.tell('nothing happens', copas.step(0.1))
  t.check(socket.gettime() - started > 0.09, 'it did not wait')
  t.tell('nothing came', got)
  client:send 'now\n'
  t.tell('something happens', copas.step(10))
  t.tell('it came', got)
  client:close()
  accepted:close()
  listener:close()
end


-- What goes wrong in a handler goes to its own error handler.
function case.errors_in_a_handler(t)
  local port = serve(t, function(client)
    local wrapped = copas.wrap(client)
    copas.setErrorHandler(function(message)
      client:settimeout(1)
      client:send('failed: ' .. message:match '[%w ]+$' .. '\n')
    end)
    local line = wrapped:receive()
    error(line, 0)
  end)
  each(t, 1, function()
    local client, wrapped = connect(port)
    wrapped:send 'this\n'
    t.tell('told', wrapped:receive())
    t.tell('and closed', wrapped:receive())
    client:close()
  end)
end


function case.datagrams(t)
  local server = t.check(socket.udp())
  t.check(server:setsockname('127.0.0.1', 0))
  local _, port = server:getsockname()
  t.start(function()
    copas.addserver(server, function(udp)
      local wrapped = copas.wrap(udp)
      while true do
        local data, ip, from = wrapped:receivefrom()
        wrapped:sendto('echo of ' .. data, ip, from)
      end
    end)
    copas.loop()
  end)
  server:close()
  each(t, 5, function(i)
    local udp = t.check(socket.udp())
    udp:settimeout(0)
    t.check(udp:setpeername('127.0.0.1', port))
    local wrapped = copas.wrap(udp)
    wrapped:send('datagram ' .. i)
    t.tell('answer ' .. i, (wrapped:receive()))
    udp:close()
  end)
end


-- What socket.http needs of a socket, over copas.
local function patient_socket()
  local plain = socket.tcp()
  local wrapped = copas.wrap(plain)
  return setmetatable({
    settimeout = function()
      return 1
    end,
    connect = function(_, host, port)
      return copas.connect(plain, host, port)
    end,
    close = function()
      return plain:close()
    end,
    receive = function(_, pattern, prefix)
      return copas.receive(plain, pattern, prefix)
    end,
  }, { __index = function(_, name)
    return function(_, ...)
      return wrapped[name](wrapped, ...)
    end
  end })
end


function case.http_requests_at_once(t)
  local base = http_server.start()
  local right = 0
  each(t, 10, function(i)
    local pieces = {}
    local ok, code = http.request { url = base .. '/length/' .. i * 10000,
      create = patient_socket, sink = ltn12.sink.table(pieces) }
    if ok and code == 200 and table.concat(pieces) == http_server.bytes(0, i * 10000) then
      right = right + 1
    end
  end)
  t.equal(right, 10)
end


-- That many connections, all open at once, and a line each way on each, twice.
local function crowd(t, n)
  local limit, why = t.system.limit_descriptors(n + 1000)
  if not limit then
    t.skip(('no %d descriptors: %s'):format(n + 1000, why))
  end
  local port = serve(t, echo_lines)
  local clients, right = {}, 0

  local function talk(i)
    local wrapped = copas.wrap(clients[i])
    wrapped:send('client ' .. i .. '\n')
    local answer = wrapped:receive()
    right = right + (answer == 'client ' .. i and 1 or 0)
  end

  each(t, n, function(i)
    clients[i] = connect(port)
    talk(i)
  end)
  t.equal(right, n, 'right answers')
  each(t, n, talk)
  t.equal(right, 2 * n, 'right answers')
  for _, client in ipairs(clients) do
    client:close()
  end
end


function case.connections_400_at_once(t)
  crowd(t, 400)
end


function case.connections_2000_at_once(t)
  if t.core == 'luasocket' then
    t.skip "LuaSocket's select ends at descriptor 1,024"
  end
  crowd(t, 2000)
end


return case
