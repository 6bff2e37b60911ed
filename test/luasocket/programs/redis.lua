-- redis-lua with a real Redis, over TCP and over its Unix socket.

local redis = require 'redis'
local socket = require 'socket'
local redis_server = require 'redis_server'

local case = {}

local server


-- Runs f with a client over each, in an empty database.
local function over_both(t, f)
  server = server or redis_server.start(t)
  local ways = {
    { 'TCP', { host = '127.0.0.1', port = server.port } },
    { 'Unix', { scheme = 'unix', path = server.path } },
  }
  for _, way in ipairs(ways) do
    local client = redis.connect(way[2])
    client:flushdb()
    f(client, way[1], way[2])
    client:quit()
  end
end


function case.commands(t)
  over_both(t, function(client, over)
    t.tell(over .. ' ping', client:ping())
    t.tell(over .. ' set', client:set('name', 'value'))
    t.tell(over .. ' get', client:get 'name')
    t.tell(over .. ' none', client:get 'no such')
    t.tell(over .. ' incr', client:incr 'count', client:incr 'count')
    t.tell(over .. ' binary', client:set('binary', 'a\r\n\0b'), client:get 'binary')
    t.tell(over .. ' empty', client:set('empty', ''), client:get 'empty')
    t.tell(over .. ' list', client:rpush('list', 'a', 'b', 'c'), client:lrange('list', 0, -1))
    t.tell(over .. ' hash', client:hmset('hash', 'x', '1', 'y', '2'), client:hgetall 'hash')
    t.tell(over .. ' exists', client:exists 'name', client:exists 'no such')
    t.tell(over .. ' wrong', pcall(client.incr, client, 'name'))
  end)
end


function case.pipelines(t)
  if not pcall(table.insert, {}, 2, 'beyond the end') then
    t.skip "redis-lua's pipelines need a table.insert that goes beyond the end"
  end
  over_both(t, function(client, over)
    local replies, count = client:pipeline(function(pipeline)
      for i = 1, 1000 do
        pipeline:set('key' .. i, 'value ' .. i)
      end
      for i = 1, 1000 do
        pipeline:get('key' .. i)
      end
      pipeline:exists 'key1'
    end)
    t.tell(over .. ' replies', count, #replies, replies[1], replies[1001], replies[2000],
      replies[2001])
    for i = 1, 1000 do
      t.equal(replies[1000 + i], 'value ' .. i)
    end
  end)
end


function case.transactions(t)
  over_both(t, function(client, over, parameters)
    local replies, count = client:transaction(function(transaction)
      transaction:set('a', '1')
      transaction:incr 'a'
      transaction:get 'a'
    end)
    t.tell(over .. ' all', replies, count)

    local other = redis.connect(parameters)
    local tries = 0
    replies = client:transaction({ cas = true, watch = 'a', retry = 2 }, function(transaction)
      tries = tries + 1
      local seen = tonumber(transaction:get 'a')
      if tries == 1 then
        other:set('a', '10')
      end
      transaction:multi()
      transaction:set('a', seen + 1)
    end)
    t.tell(over .. ' another try', tries, replies, client:get 'a')
    t.tell(over .. ' discarded', pcall(client.transaction, client, function(transaction)
      transaction:set('a', 'lost')
      transaction:discard()
    end))
    t.tell(over .. ' unchanged', client:get 'a')
    other:quit()
  end)
end


function case.publish_and_subscribe(t)
  over_both(t, function(client, over, parameters)
    local publisher = redis.connect(parameters)
    local messages = 0
    for message, abort in client:pubsub { subscribe = { 'news', 'sport' }, psubscribe = 'w*' } do
      -- They end in no order of ours.
      if message.kind ~= 'unsubscribe' then
        t.tell(over .. ' message', message.kind, message.channel, message.payload)
      end
      if message.kind == 'psubscribe' then
        publisher:publish('news', 'first')
        publisher:publish('weather', 'rain')
        publisher:publish('none', 'unheard')
        publisher:publish('sport', ('x'):rep(100000))
      elseif message.kind == 'message' or message.kind == 'pmessage' then
        messages = messages + 1
        if messages == 3 then
          abort()
        end
      end
    end
    t.tell(over .. ' messages', messages)
    t.tell(over .. ' it still works', client:ping())
    publisher:quit()
  end)
end


function case.a_value_of_10_megabytes(t)
  local value = ('0123456789abcde\n'):rep(10 * 1048576 / 16)
  over_both(t, function(client, over)
    t.tell(over .. ' set', client:set('large', value))
    t.tell(over .. ' length', client:strlen 'large')
    t.equal(client:get 'large', value)
  end)
end


function case.timeouts(t)
  over_both(t, function(client, over, parameters)
    if over == 'TCP' then
      local impatient = redis.connect { host = '127.0.0.1', port = parameters.port, timeout = 0.2 }
      local started = socket.gettime()
      local ok, problem = pcall(impatient.blpop, impatient, 'no such list', 10)
      local took = socket.gettime() - started
      t.tell(over, ok, problem:match 'connection error.*')
      t.check(took > 0.19 and took < 5, took)
    end
    t.tell(over .. ' others', client:ping())
  end)
end


function case.no_server(t)
  local port = t.peer.port_of_nobody()
  local function told(ok, problem)
    return ok, tostring(problem):gsub('^.-:%d+: ', ''):gsub('127.*%[', '['):gsub('/.*%[', '[')
  end
  t.tell('TCP', told(pcall(redis.connect, '127.0.0.1', port)))
  t.tell('Unix', told(pcall(redis.connect, { scheme = 'unix', path = t.path 'none' })))
end


-- In the middle of a reply the server is gone.
function case.a_server_that_dies(t)
  local own = redis_server.start(t)
  local client = redis.connect('127.0.0.1', own.port)
  t.tell('before', client:ping())
  t.peer.stop(own.pid)
  local ok, problem = pcall(client.ping, client)
  t.tell('after', ok, problem:match 'connection error.*' or problem)
end


return case
