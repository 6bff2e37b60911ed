-- programs.lua: one measurement of bench/luasocket.lua.
-- Run: scripts/with-lua VERSION bench/programs.lua CORE PROGRAM; CORE is luasocket
-- or sock99. Prints what was measured, each as a line `name value`. With COUNT in the
-- environment it does only so many requests, MiB, round trips or pipelines, the
-- latter smaller ones: enough to count what each of them executes.
--
-- The servers are processes of their own. Those of socket.http and redis-lua use
-- neither core; copas has both its ends on the one that is measured.

local core, program = arg[1], arg[2]

local system = require 'test_support'
local peer = require 'peer'

if core == 'sock99' then
  require 'sock99.luasocket'.install()
end

local programs = {}

local few = tonumber(os.getenv 'COUNT')

local REQUESTS = few or 5000
local BYTES = (few or 50) * 1048576
local CONNECTIONS, ROUND_TRIPS = few and 20 or 1000, few or 20
local PIPELINES, COMMANDS = few or 20, few and 200 or 10000


-- Runs f and prints its time, that of the clock and that of the processor.
local function measure(f)
  local clock, processor = system.now(), os.clock()
  f()
  print('seconds', system.now() - clock)
  print('processor', os.clock() - processor)
end


function programs.http_large()
  local http = require 'socket.http'
  local url = ('%s/length/%d'):format(require 'http_server'.start(), BYTES)
  local got = 0
  measure(function()
    assert(http.request { url = url, sink = function(chunk)
      got = got + #(chunk or '')
      return 1
    end })
  end)
  assert(got == BYTES)
end


function programs.http_small()
  local http = require 'socket.http'
  local url = require 'http_server'.start() .. '/length/100'
  assert(#http.request(url) == 100)
  measure(function()
    for _ = 1, REQUESTS do
      assert(http.request(url))
    end
  end)
end


-- KiB of this process that are in memory.
local function resident()
  for line in io.lines '/proc/self/status' do
    local kilobytes = line:match '^VmRSS:%s*(%d+)'
    if kilobytes then
      return tonumber(kilobytes)
    end
  end
  return 0
end


-- The server prints what each connection takes of its memory, once they are all there.
local function serve_echo(listener)
  local copas = require 'copas'
  local count, before = 0, nil
  copas.addserver(listener, function(client)
    count = count + 1
    before = before or resident()
    if count == CONNECTIONS then
      collectgarbage()
      print('memory', (resident() - before) / CONNECTIONS)
      io.stdout:flush()
    end
    client = copas.wrap(client)
    local line = client:receive()
    while line do
      client:send(line .. '\n')
      line = client:receive()
    end
  end, 0)
  copas.loop()
end


function programs.copas_echo()
  local copas = require 'copas'
  local socket = require 'socket'
  assert(system.limit_descriptors(4096))
  local listener = assert(socket.bind('127.0.0.1', 0, 4096))
  local _, port = listener:getsockname()
  peer.start(function()
    serve_echo(listener)
  end)
  listener:close()
  copas.autoclose = false

  local left = 0
  local function in_each(f)
    for i = 1, CONNECTIONS do
      left = left + 1
      copas.addthread(function()
        f(i)
        left = left - 1
      end)
    end
    while left > 0 do
      copas.step(10)
    end
  end

  local clients = {}
  local function talk(i)
    local client = copas.wrap(clients[i])
    assert(client:send 'hello\n')
    assert(client:receive() == 'hello')
  end

  in_each(function(i)
    clients[i] = socket.tcp()
    assert(copas.connect(clients[i], '127.0.0.1', port))
    talk(i)
  end)
  measure(function()
    in_each(function(i)
      for _ = 1, ROUND_TRIPS do
        talk(i)
      end
    end)
  end)
end


function programs.redis_pipelines()
  local redis = require 'redis'
  local t = { skip = error, path = function(name)
    return os.getenv 'BENCH_DIRECTORY' .. '/' .. name
  end }
  local server = require 'redis_server'.start(t)
  local client = redis.connect('127.0.0.1', server.port)
  local value = ('x'):rep(100)
  measure(function()
    for _ = 1, PIPELINES do
      client:pipeline(function(pipeline)
        for i = 1, COMMANDS / 2 do
          pipeline:set('key' .. i, value)
          pipeline:get('key' .. i)
        end
      end)
    end
  end)
  assert(client:get 'key1' == value)
end


programs[program]()
peer.stop_all()
