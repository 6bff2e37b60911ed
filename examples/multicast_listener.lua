-- multicast_listener.lua: prints the datagrams that are sent to a group.
-- Run: scripts/with-lua 5.3 examples/multicast_listener.lua [group [port [interface [count]]]]
-- 239.255.1.1 and port 9999 where missing; an interface as the system knows it
-- ("eth0") or by an address of it; ends after so many datagrams.

local sock99 = require 'sock99'

local group, port = arg[1] or '239.255.1.1', arg[2] or 9999
local interface, count = arg[3], tonumber(arg[4] or math.huge)

local listener = assert(sock99.socket{
  host = group, -- only what is sent to the group, not all that comes to the port
  port = port,
  server = true,
  datagram = true,
  sockopts = {
    reuseaddr = true, -- others on this machine may listen, too
    add_membership = { group = group, interface = interface },
  },
})
print(('listening on %s:%d'):format(listener:getsockname()))
io.stdout:flush()

for _ = 1, count do
  local data, host, sender_port = listener:receivefrom()
  assert(data, host) -- an error's message is the second result
  print(('%s:%d: %s'):format(host, sender_port, data))
end
listener:close()
