-- operations.lua: what bench/instructions counts, under callgrind; `operations.lua
-- memory` prints the bytes of idle objects instead.
--
-- Both ends of a connection are in this process, so that nothing depends on who
-- runs when. What an operation leaves for the collector is collected, and counted;
-- no collection comes in between. So nothing else here may leave any.

local host, path = '127.0.0.1', 'listener'
local SHORT, LONG, LINE = ('x'):rep(64), ('x'):rep(65536), ('x'):rep(59) .. '\n'
local ROUNDS, BATCH = 5, 64


local function nothing()
end


-- The lowest free port: all of them have five digits, and none is one that the
-- system gives to clients.
local function free_port(sock99, datagram)
  local port = 20000
  repeat
    port = port + 1
    local fd = sock99.open { ipv4 = host, port = port, server = true, datagram = datagram }
  until fd and sock99.close(fd)
  return port
end


-- Each operation has a name and a step; how many steps are a batch (100) and how many
-- operations a step is (1); what comes before and after each step (before, after) and
-- each batch (begin, finish), and is not counted.

local function openings(sock99)
  local list = {}
  local port, udp_port = free_port(sock99), free_port(sock99, true)
  local listener = assert(sock99.socket { ipv4 = host, port = port, server = true, backlog = 1000,
    sockopts = { linger = 0 } })
  local datagrams = assert(sock99.socket { ipv4 = host, port = udp_port, server = true,
    datagram = true })
  local server_port, udp_server_port = free_port(sock99), free_port(sock99, true)

  local function accept_all(n)
    for _ = 1, n do
      listener:accept():close()
    end
    collectgarbage()
  end

  local kinds = {
    { 'TCP server', { ipv4 = host, port = server_port, server = true } },
    { 'TCP client', { ipv4 = host, port = port }, finish = accept_all },
    { 'TCP client by host', { host = host, port = port }, finish = accept_all },
    { 'UDP server', { ipv4 = host, port = udp_server_port, server = true, datagram = true } },
    { 'UDP client', { ipv4 = host, port = udp_port, datagram = true } },
    { 'Unix server', { path = path, server = true }, after = function() os.remove(path) end },
  }
  for _, kind in ipairs(kinds) do
    local name, config = kind[1], kind[2]
    table.insert(list, { name = 'open and close, ' .. name, after = kind.after,
      finish = kind.finish, step = function()
        sock99.close(assert(sock99.open(config)))
      end })
    table.insert(list, { name = 'socket and close, ' .. name, after = kind.after,
      finish = kind.finish, step = function()
        assert(sock99.socket(config)):close()
      end })
  end

  local client_config, fd = { ipv4 = host, port = port }, nil
  table.insert(list, { name = 'accept and close',
    before = function() fd = assert(sock99.open(client_config)) end,
    step = function() listener:accept():close() end,
    after = function() sock99.close(fd) end })

  -- LuaSocket's core, over ours.
  local socket = require 'socket'
  table.insert(list, { name = 'core: tcp and close', step = function() socket.tcp():close() end })
  table.insert(list, { name = 'core: tcp, connect and close', finish = accept_all,
    step = function()
      local object = socket.tcp()
      assert(object:connect(host, port))
      object:close()
    end })

  list.peer = datagrams
  return list
end


-- Both ends of a connection, with room for whole batches.
local function connection(sock99)
  local room = { sndbuf = 212992, rcvbuf = 212992 }
  local port = free_port(sock99)
  local listener = assert(sock99.socket { ipv4 = host, port = port, server = true,
    sockopts = room })
  local near = assert(sock99.socket { ipv4 = host, port = port, sockopts = room })
  local far = assert(listener:accept())
  listener:close()
  return near, far
end


local function echo(near, far)
  return function()
    near:send(SHORT)
    far:send(far:receive(64))
    assert(#near:receive(64) == 64)
  end
end


local function streams(sock99)
  local near, far = connection(sock99)
  local limited, far_limited = connection(sock99)
  limited:settimeout(10)
  far_limited:settimeout(10)
  local total, total_far = connection(sock99)
  total:settimeout(10, 't')
  total_far:settimeout(10, 't')
  return {
    { name = 'send 64 B',
      step = function() near:send(SHORT) end,
      finish = function(n)
        far:receive(64 * n)
        collectgarbage()
      end },
    { name = 'receive 64 B',
      before = function() far:send(SHORT) end,
      step = function() near:receive(64) end },
    { name = 'receive 64 B, read ahead',
      begin = function(n) far:send(SHORT:rep(n)) end,
      step = function() near:receive(64) end },
    { name = 'receive 64 KiB', batch = 20,
      before = function() far:send(LONG) end,
      step = function() near:receive(65536) end },
    { name = 'receive a line of 60 B', batch = 200,
      begin = function(n) far:send(LINE:rep(n)) end,
      step = function() near:receive '*l' end },
    { name = 'receiveany 64 B',
      before = function() far:send(SHORT) end,
      step = function() near:receiveany() end },
    { name = 'echo, both ends', step = echo(near, far) },
    { name = 'echo, both ends, timeout', step = echo(limited, far_limited) },
    { name = 'echo, both ends, total timeout', step = echo(total, total_far) },
  }
end


local function datagrams(sock99)
  local port = free_port(sock99, true)
  local server = assert(sock99.socket { ipv4 = host, port = port, server = true, datagram = true })
  local client = assert(sock99.socket { ipv4 = host, port = port, datagram = true })
  local _, client_port = client:getsockname()
  local strings, addressed = {}, {}
  for i = 1, BATCH do
    strings[i], addressed[i] = SHORT, { SHORT, host, client_port }
  end

  local function fill_client(n)
    for _ = 1, n or BATCH do
      assert(server:sendto(SHORT, host, client_port))
    end
  end

  local function fill_server(n)
    for _ = 1, n or BATCH do
      client:send(SHORT)
    end
  end

  local function drain(from)
    return function(n)
      for _ = 1, n or BATCH do
        from:receive()
      end
      collectgarbage()
    end
  end

  local drain_client, drain_server = drain(client), drain(server)

  return {
    { name = 'sendto 64 B', batch = 50, finish = drain_client,
      step = function() server:sendto(SHORT, host, client_port) end },
    { name = 'receivefrom 64 B', batch = 50, begin = fill_server,
      step = function() server:receivefrom() end },
    { name = 'send a datagram of 64 B', batch = 50, finish = drain_server,
      step = function() client:send(SHORT) end },
    { name = 'receive a datagram of 64 B', batch = 50, begin = fill_client,
      step = function() client:receive() end },
    { name = 'sendmany, each of 64', batch = 10, count = BATCH,
      step = function() client:sendmany(strings) end,
      after = drain_server },
    { name = 'sendmany, each of 64 with address', batch = 10, count = BATCH,
      step = function() server:sendmany(addressed) end,
      after = drain_client },
    { name = 'receivemany, each of 64', batch = 10, count = BATCH,
      before = fill_client,
      step = function() assert(#client:receivemany(BATCH) == BATCH) end },
    { name = 'receivemany, each of 64 with address', batch = 10, count = BATCH,
      before = fill_server,
      step = function() assert(#server:receivemany(BATCH) == BATCH) end },
  }
end


-- One batch of steps; its garbage is collected twice, since finalizers leave some.
local function run(toggle, operation, step)
  local n, before, after =
    operation.batch or 100, operation.before or nothing, operation.after or nothing
  collectgarbage()
  collectgarbage()
  collectgarbage 'stop'
  for _ = 1, n do
    before()
    toggle()
    step()
    toggle()
    after()
  end
  toggle()
  collectgarbage()
  collectgarbage()
  toggle()
  collectgarbage 'restart'
end


-- The first round grows buffers and is not reported. What a batch of no steps takes
-- comes right before each, to be subtracted.
local function count(counting, operation)
  local n, toggle = operation.batch or 100, counting.toggle
  local begin, finish = operation.begin or nothing, operation.finish or nothing
  local idle = { batch = n }
  for round = 0, ROUNDS do
    local name = round > 0 and operation.name or 'warm-up'
    run(toggle, idle, nothing)
    counting.report('0|' .. name)
    begin(n)
    run(toggle, operation, operation.step)
    counting.report(n * (operation.count or 1) .. '|' .. name)
    finish(n)
  end
end


local function count_all()
  local counting = require 'counting'
  counting.toggle()
  local sock99 = require 'sock99'
  counting.toggle()
  counting.report "1|load: require 'sock99'"
  counting.toggle()
  require 'sock99.luasocket'.install()
  require 'socket'
  counting.toggle()
  counting.report "1|load: install(), require 'socket'"
  for _, operations in ipairs { openings, streams, datagrams } do
    for _, operation in ipairs(operations(sock99)) do
      count(counting, operation)
    end
  end
end


local function bytes_each(n, make)
  local objects = { make() }
  for i = 2, n do
    objects[i] = false
  end
  collectgarbage()
  collectgarbage()
  local before = collectgarbage 'count'
  for i = 2, n do
    objects[i] = make()
  end
  collectgarbage()
  collectgarbage()
  return (collectgarbage 'count' - before) * 1024 / (#objects - 1)
end


local function print_memory()
  local sock99 = require 'sock99'
  local config = { ipv4 = host, port = 0, server = true, datagram = true }
  print(('%.1f bytes: an idle object'):format(bytes_each(10000, function()
    return assert(sock99.socket(config))
  end)))
  require 'sock99.luasocket'.install()
  local socket = require 'socket'
  print(('%.1f bytes: an idle object of the core'):format(bytes_each(10000, socket.tcp)))
end


if ... == 'memory' then
  print_memory()
else
  count_all()
end
