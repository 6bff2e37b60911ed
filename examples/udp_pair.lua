-- udp_pair.lua: a UDP server and a client of it, in one program.
-- Run: scripts/with-lua 5.3 examples/udp_pair.lua [port]
-- Port 8080 where missing.

local sock99 = require 'sock99'
local socket = require 'posix.sys.socket'

local address = { ipv4 = '127.0.0.1', port = arg[1] or 8080, datagram = true }
local inherits = { __index = address }

local server = assert(sock99.open(setmetatable({ server = true }, inherits)))
-- Datagrams may get lost: do not wait for the answer longer than a second.
local client = assert(sock99.open(setmetatable({ sockopts = { rcvtimeo = 1 } }, inherits)))

-- The client is connected: it needs no address to send to, it receives from
-- the server alone, and it hears when nobody is there.
assert(socket.send(client, 'what is the time?'))

local question, from = socket.recvfrom(server, 65535)
assert(question, from)
print(('server: %q from %s'):format(question, from.addr))
assert(socket.sendto(server, os.date('%H:%M:%S'), from))

print(('client: %q'):format(assert(socket.recv(client, 65535))))

sock99.close(server)
assert(socket.send(client, 'still there?'))
local _, message = socket.recv(client, 65535)
print('client: ' .. message)
sock99.close(client)
