-- redis_client.lua: a client of a protocol of lines: one command to Redis.
-- Run: scripts/with-lua 5.3 examples/redis_client.lua HOST:PORT COMMAND [ARGUMENT ...]
-- For example, with a redis-server running: … 127.0.0.1:6379 SET colour blue
-- In place of HOST:PORT also the path of a Unix socket.

local sock99 = require 'sock99'

local host, port = arg[1]:match '^(.+):(%w+)$'
local path = not host and arg[1] or nil
local client = assert(sock99.socket{ host = host, port = port, path = path, timeout = 5 })
client:settimeout(5, 't') -- each call below has five seconds in all

-- A command is a list of strings, each after its length. A list of strings is
-- sent as it is, without being joined, in one system call.
local command = { ('*%d\r\n'):format(#arg - 1) }
for i = 2, #arg do
  command[#command + 1] = ('$%d\r\n'):format(#arg[i])
  command[#command + 1] = arg[i]
  command[#command + 1] = '\r\n'
end
assert(client:send(command))

-- What a line's first letter says of the rest: how many bytes follow, or how
-- many answers; else the rest is the answer.
local function answer(indent)
  local kind, rest = assert(client:receive()):match('^(.)(.*)')
  if kind == '$' and rest ~= '-1' then
    print(indent .. assert(client:receive(rest)))
    assert(client:receive()) -- the line's end
  elseif kind == '*' then
    for _ = 1, tonumber(rest) do answer(indent .. '  ') end
  else
    print(indent .. (kind == '$' and 'nothing' or rest))
  end
end

answer ''
client:close()
