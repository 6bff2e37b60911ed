-- traffic.lua LIBRARY KIND N PORT: sends or receives with one of Lua's libraries
-- what bench/peer.c gives and takes. Prints the CPU time of it in seconds; of
-- the kind `memory`, the bytes of Lua's memory that a connected object holds.

local library, kind = ...
local count, port = tonumber((select(3, ...))), tonumber((select(4, ...)))
local host = '127.0.0.1'

-- As in traffic.h.
local STRING_SIZE, ECHO_SIZE, BATCH = 65536, 64, 200
local LONG, SHORT = ('x'):rep(STRING_SIZE), ('x'):rep(ECHO_SIZE)

-- Each gives functions on a connection: send(s, data), receive(s, size),
-- lines(s, n), batch(s), which receives BATCH datagrams, and limit(s), which
-- sets a timeout; and how to connect. What is short is called in a loop right
-- here, so that a call more does not count as the library's.
local libraries = {}


-- sock99 and LuaSocket have the same methods.
local function receive_lines(s, n)
  for _ = 1, n do
    s:receive()
  end
end


local function receive_batch(s)
  for _ = 1, BATCH do
    s:receive()
  end
end


function libraries.sock99()
  local sock99 = require 'sock99'
  return {
    connect = function() return sock99.socket { host = host, port = port } end,
    connect_datagram = function()
      return sock99.socket { host = host, port = port, datagram = true }
    end,
    send = function(s, data) return s:send(data) end,
    receive = function(s, size) return s:receive(size) end,
    lines = receive_lines,
    batch = receive_batch,
    many = function(s)
      local left = BATCH
      while left > 0 do
        left = left - #s:receivemany(64)
      end
    end,
    limit = function(s) return s:settimeout(10) end,
  }
end


function libraries.luasocket()
  local socket = require 'socket'
  return {
    connect = function()
      local s = socket.tcp4()
      assert(s:connect(host, port))
      return s
    end,
    connect_datagram = function()
      local s = socket.udp4()
      assert(s:setpeername(host, port))
      return s
    end,
    send = function(s, data) return s:send(data) end,
    receive = function(s, size) return s:receive(size) end,
    lines = receive_lines,
    batch = receive_batch,
    limit = function(s) return s:settimeout(10) end,
  }
end


function libraries.cqueues()
  local socket = require 'cqueues.socket'
  return {
    connect = function()
      local s = socket.connect { host = host, port = port }
      assert(s:connect())
      s:setmode('bn', 'bn')
      return s
    end,
    send = function(s, data) return s:write(data) end,
    receive = function(s, size) return s:read(size) end,
    lines = function(s, n)
      for _ = 1, n do
        s:read '*l'
      end
    end,
    limit = function(s) return s:settimeout(10) end,
  }
end


function libraries.luaposix()
  local posix = require 'posix.sys.socket'
  local recv, send = posix.recv, posix.send

  local function connect(type)
    local fd = assert(posix.socket(posix.AF_INET, type, 0))
    assert(posix.connect(fd, { family = posix.AF_INET, addr = host, port = port }))
    return fd
  end

  return {
    connect = function() return connect(posix.SOCK_STREAM) end,
    connect_datagram = function() return connect(posix.SOCK_DGRAM) end,
    send = send,
    receive = function(fd, size)
      local data = recv(fd, size)
      if #data == size then
        return data
      end
      local pieces, have = { data }, #data
      while have < size do
        data = recv(fd, size - have)
        pieces[#pieces + 1] = data
        have = have + #data
      end
      return table.concat(pieces)
    end,
    batch = function(fd)
      for _ = 1, BATCH do
        recv(fd, STRING_SIZE)
      end
    end,
  }
end


function libraries.luv()
  local uv = require 'luv'
  local unread = {} -- by handle: the pieces that came, and their size

  -- Runs the loop until what `start` began has told how it ended.
  local function wait(start)
    local done, failure = false, nil
    assert(start(function(problem)
      done, failure = true, problem
    end))
    while not done do
      uv.run 'once'
    end
    assert(not failure, failure)
  end

  local function start_reading(s)
    local came = { size = 0 }
    unread[s] = came
    assert(s:read_start(function(problem, data)
      assert(not problem, problem)
      if data then
        came[#came + 1] = data
        came.size = came.size + #data
      end
    end))
    return came
  end

  local function receive(s, size)
    local came = unread[s] or start_reading(s)
    while came.size < size do
      uv.run 'once'
    end
    came.size = came.size - size
    local pieces, left = {}, size
    while left > 0 do
      local piece = table.remove(came, 1)
      if #piece > left then
        table.insert(came, 1, piece:sub(left + 1))
        piece = piece:sub(1, left)
      end
      pieces[#pieces + 1] = piece
      left = left - #piece
    end
    return table.concat(pieces)
  end

  return {
    connect = function()
      local s = assert(uv.new_tcp())
      wait(function(finish) return s:connect(host, port, finish) end)
      return s
    end,
    connect_datagram = function()
      local s = assert(uv.new_udp())
      assert(s:connect(host, port))
      return s
    end,
    send = function(s, data)
      wait(function(finish) return s:write(data, finish) end)
    end,
    send_datagram = function(s, data)
      wait(function(finish) return s:send(data, nil, nil, finish) end)
    end,
    receive = receive,
    batch = function(s)
      local left = BATCH
      assert(s:recv_start(function(problem, data)
        assert(not problem, problem)
        left = left - (data and 1 or 0)
      end))
      while left > 0 do
        uv.run 'once'
      end
      s:recv_stop()
    end,
  }
end


local calls = libraries[library]()


local function timed(work)
  return function()
    local s = assert(calls.connect())
    local start = os.clock()
    work(s)
    return os.clock() - start
  end
end


local function send_strings(s)
  local send = calls.send
  for _ = 1, count do
    send(s, LONG)
  end
end


local function receive_strings(s)
  local receive = calls.receive
  for _ = 1, count do
    assert(#receive(s, STRING_SIZE) == STRING_SIZE)
  end
end


local function echo(s)
  local send, receive = calls.send, calls.receive
  for _ = 1, count do
    send(s, SHORT)
    assert(#receive(s, ECHO_SIZE) == ECHO_SIZE)
  end
end


-- The clock runs only while a batch that is there is received.
local function batches(receive)
  return function()
    local s, send = assert(calls.connect_datagram()), calls.send_datagram or calls.send
    local used = 0
    for _ = 1, count, BATCH do
      send(s, 'x')
      io.read()
      local start = os.clock()
      receive(s)
      used = used + os.clock() - start
    end
    return used
  end
end


local function memory()
  local objects = { assert(calls.connect()) }
  for i = 2, count do
    objects[i] = false
  end
  collectgarbage()
  collectgarbage()
  local before = collectgarbage 'count'
  for i = 2, count do
    objects[i] = assert(calls.connect())
  end
  collectgarbage()
  collectgarbage()
  return (collectgarbage 'count' - before) * 1024 / (#objects - 1)
end


local kinds = {
  send = timed(send_strings),
  receive = timed(receive_strings),
  echo = timed(echo),
  -- The same with a timeout.
  limited = timed(function(s)
    calls.limit(s)
    echo(s)
  end),
  lines = timed(function(s) calls.lines(s, count) end),
  datagrams = batches(calls.batch),
  many = batches(calls.many),
  memory = memory,
}


print(('%.6f'):format(kinds[kind]()))
os.exit(0) -- with everything still there: bench/allocations.c counts it
