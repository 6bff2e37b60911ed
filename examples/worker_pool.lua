-- worker_pool.lua: hands each connection to the next of some child processes.
-- Run: scripts/with-lua 5.3 examples/worker_pool.lua [port [workers [clients]]]
-- Port 8080, 4 workers where missing; ends after so many clients, never where
-- missing. Needs luaposix, for fork.

local sock99 = require 'sock99'
local unistd = require 'posix.unistd'
local wait = require 'posix.sys.wait'.wait

local port, count, clients = arg[1] or 8080, tonumber(arg[2] or 4), tonumber(arg[3] or math.huge)
local workers = {}

-- In a child: until the parent closes its end.
local function work(pipe)
  while true do
    local number, fds = pipe:receivefds(1)
    if not number then return end
    local client = assert(sock99.wrap(fds[1]))
    client:send(('client %s, meet worker %d\n'):format(number, unistd.getpid()))
    client:close()
  end
end

for i = 1, count do
  local ours, theirs = assert(sock99.pair{ seqpacket = true }) -- one message a client
  if unistd.fork() == 0 then
    for _, other in ipairs(workers) do other:close() end
    ours:close()
    work(theirs)
    unistd._exit(0)
  end
  theirs:close()
  workers[i] = ours
end

local server = assert(sock99.socket{ host = '127.0.0.1', port = port, server = true })
print(('listening on %s:%d'):format(server:getsockname()))
io.stdout:flush()
for number = 1, clients do
  local client = assert(server:accept())
  assert(workers[number % count + 1]:sendfds(tostring(number), client))
  client:close() -- the descriptor is on its way to the worker
end
for _, worker in ipairs(workers) do worker:close() end
for _ = 1, count do wait(-1) end
