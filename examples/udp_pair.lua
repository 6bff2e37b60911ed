-- udp_pair.lua: a UDP server and a client of it, in one program.
-- Run: scripts/with-lua 5.3 examples/udp_pair.lua

local sock99 = require 'sock99'

local server = assert(sock99.socket{ ipv4 = '127.0.0.1', server = true, datagram = true })
local host, port = server:getsockname()
local client = assert(sock99.socket{ ipv4 = host, port = port, datagram = true })

-- Datagrams may get lost: do not wait for one longer than a second.
server:settimeout(1)
client:settimeout(1)

-- The client is connected: it needs no address to send to, it receives from
-- the server alone, and it hears when nobody is there.
assert(client:send('what is the time?'))

local question, peer, peer_port = server:receivefrom()
assert(question, peer)
print(('server: %q from %s'):format(question, peer))
assert(server:sendto(os.date('%H:%M:%S'), peer, peer_port))

print(('client: %q'):format(assert(client:receive())))

server:close()
assert(client:send('still there?'))
print('client: ' .. select(2, client:receive()))
client:close()
