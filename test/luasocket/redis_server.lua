-- redis_server: a real Redis for the clients under test, on a Unix socket and a
-- TCP port, without files of its own.

local peer = require 'peer'
local system = require 'test_support'

local redis_server = {}


-- Redis takes no port 0, so another may have taken this one by the time.
local function free_port()
  local listener, port = peer.listen()
  system.close(listener)
  return port
end


local function answers(path)
  local fd = assert(system.socket('unix', 'stream'))
  local connected = system.connect(fd, path)
  system.close(fd)
  return connected
end


local function start_at(t, port)
  local path = t.path('redis-' .. port)
  local command = ('unset LD_PRELOAD; exec redis-server --bind 127.0.0.1 --port %d ' ..
    "--unixsocket %s --save '' --appendonly no --dir %s >%s 2>&1"):format(
    port, path, t.path '', t.path 'redis.log')
  local pid = peer.start(function()
    system.execute(command)
  end)
  local up = pcall(peer.eventually, function()
    return answers(path)
  end, 'Redis was to answer')
  return up and { port = port, path = path, pid = pid }
end


-- { port =, path =, pid = } of a server that is up; skips where there is none.
function redis_server.start(t)
  local found = os.execute 'command -v redis-server >/dev/null'
  if found ~= 0 and found ~= true then
    t.skip 'redis-server is not installed'
  end
  for _ = 1, 3 do
    local server = start_at(t, free_port())
    if server then
      return server
    end
  end
  error 'Redis does not start'
end


return redis_server
