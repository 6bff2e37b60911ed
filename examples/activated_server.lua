-- activated_server.lua: a server whose socket systemd opens, and passes to it
-- when the first client comes.
-- Try: systemd-socket-activate -E LUA_CPATH='build/5.3/?.so' -l 8080 \
--        lua5.3 examples/activated_server.lua
-- As a service: a unit NAME.socket with ListenStream=, and a NAME.service.

local sock99 = require 'sock99'

local passed = sock99.listen_fds()
if #passed == 0 then
  io.stderr:write('no socket was passed: see the beginning of this file\n')
  os.exit(1)
end

-- One greeting for each socket of the unit, then it's idle until the next.
for _, each in ipairs(passed) do
  local server = assert(each.socket, 'descriptor ' .. each.fd .. ' is no socket')
  local host, port = server:getsockname()
  print(('%s: %s on %s%s'):format(each.name, server.class, host, port and ':' .. port or ''))
  local client = assert(server:accept())
  assert(client:send(('hello from %s\n'):format(each.name)))
  client:close()
  server:close()
end
