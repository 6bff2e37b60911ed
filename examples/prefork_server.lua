-- prefork_server.lua: several processes listen on one port, and the kernel
-- spreads the connections over them. Needs luaposix, for fork.
-- Run: scripts/with-lua 5.3 examples/prefork_server.lua [port [workers]]
-- Port 8080, 4 workers where missing. Ends at the end of its input (Ctrl-D).

local sock99 = require 'sock99'
local unistd = require 'posix.unistd'
local wait = require 'posix.sys.wait'.wait

local port, count = arg[1] or 8080, tonumber(arg[2] or 4)
local shared = { reuseport = true }

-- Holds the port: bound, but not listening, so that no connection comes here.
local own = { host = '127.0.0.1', port = port }
local holder = assert(sock99.socket{ connect = false, bind = own, sockopts = shared })
own.port = select(2, holder:getsockname())

-- When the parent goes, for whatever reason, this end of a pair becomes readable.
local function work(lifeline)
  local server = assert(sock99.socket{
    host = own.host, port = own.port, server = true, sockopts = shared })
  server:settimeout(0)
  lifeline:send('ready\n')
  while true do
    local readable = sock99.select({ server, lifeline })
    if readable[lifeline] then return end
    local client = server:accept()
    if client then
      client:send(('hello from worker %d\n'):format(unistd.getpid()))
      client:close()
    end
  end
end

local ours, theirs = assert(sock99.pair())
for _ = 1, count do
  if unistd.fork() == 0 then ours:close(); work(theirs); unistd._exit(0) end
end
theirs:close()
for _ = 1, count do assert(ours:receive() == 'ready') end
print(('listening on %s:%d'):format(own.host, own.port))
io.stdout:flush()
io.read('*a')
ours:close()
for _ = 1, count do wait(-1) end
