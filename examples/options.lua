-- options.lua: socket options, by name and by number, and what they do.
-- Run: scripts/with-lua 5.3 examples/options.lua [port]
-- Port 8080 where missing.

local sock99 = require 'sock99'
local socket = require 'posix.sys.socket'

local address = { ipv4 = '127.0.0.1', port = arg[1] or 8080, datagram = true, server = true }


local function open(sockopts)
  return sock99.open(setmetatable({ sockopts = sockopts }, { __index = address }))
end


-- Two servers may share a port if both say so; the kernel spreads the work.
-- rcvtimeo is in seconds: recv gives up after 0.2.
local first = assert(open { reuseport = true, rcvtimeo = 0.2 })
local second = assert(open { reuseport = true })
print('two descriptors on one port')
print('recv:', select(2, socket.recv(first, 100)))

-- Without it, the port is taken.
print('without reuseport:', select(2, open {}))

-- Case, the prefix, '-' and '_' don't matter. What has no name goes by number.
assert(sock99.close(second))
second = assert(open { SO_REUSEPORT = true, IP_TTL = 8,
  { socket.SOL_SOCKET, socket.SO_BROADCAST, 1 } })

-- A name or a type that is wrong is the program's fault, and raised.
print('raised:', select(2, pcall(open, { reusport = true })))
print('raised:', select(2, pcall(open, { rcvtimeo = 'soon' })))

sock99.close(first)
sock99.close(second)
