-- tour.lua: one socket of each kind, client and server, and a line each way.
-- Run: make run, or, once it is built: scripts/with-lua 5.3 examples/tour.lua
-- sock99 opens the descriptors, luaposix talks over them.

local sock99 = require 'sock99'
local socket = require 'posix.sys.socket'
local clock = require 'posix.time'
local unistd = require 'posix.unistd'
local errno = sock99.errno

local question, answer = 'knock, knock', "who's there?"
local row = '%-14s  %-28s  %-4s  %-28s  %7s  %6s'


-- An address with more fields; those of the address are inherited.
local function with(address, more)
  return setmetatable(more, { __index = address })
end


local function microseconds()
  local now = clock.clock_gettime(clock.CLOCK_MONOTONIC)
  return now.tv_sec * 1e6 + now.tv_nsec / 1e3
end


local function kinds(directory)
  return {
    { 'TCP over IPv4', { ipv4 = '127.0.0.1' } },
    { 'TCP over IPv6', { ipv6 = '::1' } },
    { 'UDP', { ipv4 = '127.0.0.1', datagram = true } },
    { 'Unix stream', { path = directory .. '/stream' } },
    -- A datagram can only be answered when it comes from somewhere.
    { 'Unix datagram', { path = directory .. '/datagram', datagram = true },
      own = { path = directory .. '/client' } },
    { 'Unix seqpacket', { path = directory .. '/seqpacket', seqpacket = true } },
    { 'abstract', { path = '\0sock99-tour-' .. unistd.getpid() } },
  }
end


-- With port 0 the system picks a free port, but luaposix's getsockname doesn't
-- tell reliably which one (33.4 hands the kernel an uninitialized length).
local function open_server(address)
  local port = 20000 + unistd.getpid() % 10000
  while true do
    local server, message, code =
      sock99.open(with(address, { server = true, port = not address.path and port or nil }))
    if server then
      return server, port
    elseif address.path or code ~= errno.EADDRINUSE then
      return nil, message, code
    end
    port = port + 1
  end
end


local function open_both(kind)
  local address = kind[2]
  local server, port, code = open_server(address)
  if not server then
    return nil, port, code
  end
  local own = { port = not address.path and port or nil, bind = kind.own }
  local client, message
  client, message, code = sock99.open(with(address, own))
  if not client then
    sock99.close(server)
    return nil, message, code
  end
  return server, client, port
end


local function receive_line(fd)
  local line = ''
  while not line:find('\n', 1, true) do
    local data = assert(socket.recv(fd, 1024))
    assert(data ~= '', 'the peer has gone')
    line = line .. data
  end
  return line:sub(1, -2)
end


local function talk_over_stream(server, client)
  local accepted = assert(socket.accept(server))
  assert(socket.send(client, question .. '\n'))
  local asked = receive_line(accepted)
  assert(socket.send(accepted, answer .. '\n'))
  local answered = receive_line(client)
  sock99.close(accepted)
  return asked, answered
end


local function talk_over_datagrams(server, client)
  assert(socket.send(client, question .. '\n'))
  local asked, peer = socket.recvfrom(server, 1024)
  assert(asked, peer)
  assert(socket.sendto(server, answer .. '\n', peer))
  return asked:sub(1, -2), receive_line(client)
end


local function address_text(address, port)
  if address.path then
    return (address.path:gsub('^%z', '@'))
  end
  return address.ipv6 and ('[%s]:%d'):format(address.ipv6, port)
    or ('%s:%d'):format(address.ipv4, port)
end


-- True when both lines arrived, false when this machine lacks the kind.
local function show(kind)
  local address = kind[2]
  local start = microseconds()
  local server, client, port = open_both(kind)
  if not server then
    local message, code = client, port
    assert(address.ipv6 and (code == errno.EAFNOSUPPORT or code == errno.EADDRNOTAVAIL), message)
    print(('%-14s  not on this machine: %s'):format(kind[1], message))
    return false
  end
  local opened = microseconds()
  local talk = address.datagram and talk_over_datagrams or talk_over_stream
  local asked, answered = talk(server, client)
  local talked = microseconds()
  print(row:format(kind[1], address_text(address, port), server .. ' ' .. client,
    asked .. ' - ' .. answered, ('%.0f us'):format(opened - start),
    ('%.0f us'):format(talked - opened)))
  sock99.close(client)
  sock99.close(server)
  return asked == question and answered == answer
end


local function tour(directory)
  local shown = 0
  print(('%s on %s\n'):format(sock99._VERSION, jit and jit.version or _VERSION))
  print(row:format('kind', 'address', 'fds', 'what was said', 'open', 'talk'))
  for _, kind in ipairs(kinds(directory)) do
    shown = shown + (show(kind) and 1 or 0)
  end
  print(('\n%d kinds of sockets opened, talked over and closed.'):format(shown))
end


local function remove(directory)
  for _, name in ipairs { 'stream', 'datagram', 'client', 'seqpacket' } do
    unistd.unlink(directory .. '/' .. name)
  end
  unistd.rmdir(directory)
end


local directory = assert(require('posix.stdlib').mkdtemp('/tmp/sock99.XXXXXX'))
local ok, message = pcall(tour, directory)
remove(directory)
if not ok then
  io.stderr:write('tour: ', tostring(message), '\n')
  os.exit(1)
end
