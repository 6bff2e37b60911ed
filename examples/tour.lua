-- tour.lua: one socket of each kind, client and server, and a line each way.
-- Run: make run, or, once it is built: scripts/with-lua 5.3 examples/tour.lua

local sock99 = require 'sock99'
local errno = sock99.errno

local question, answer = 'knock, knock', "who's there?"
local row = '%-14s  %-28s  %-4s  %-28s  %7s  %6s'


-- An address with more fields; those of the address are inherited.
local function with(address, more)
  return setmetatable(more, { __index = address })
end


-- Three ways to say it

local function talk_over_stream(server, client)
  local peer = assert(server:accept())
  assert(client:send(question .. '\n'))
  local asked = assert(peer:receive())
  assert(peer:send(answer .. '\n'))
  local answered = assert(client:receive())
  peer:close()
  return asked, answered
end


-- Messages need no end of line: each is received as it was sent.
local function talk_over_messages(server, client)
  local peer = assert(server:accept())
  assert(client:send(question))
  local asked = assert(peer:receive())
  assert(peer:send(answer))
  local answered = assert(client:receive())
  peer:close()
  return asked, answered
end


-- There are no connections: who is to be answered is told with the datagram.
local function talk_over_datagrams(server, client)
  assert(client:send(question))
  local asked, host, port = server:receivefrom()
  assert(asked, host)
  assert(server:sendto(answer, host, port))
  return asked, assert(client:receive())
end


local function kinds(base)
  return {
    { 'TCP over IPv4', { ipv4 = '127.0.0.1' } },
    { 'TCP over IPv6', { ipv6 = '::1' } },
    { 'UDP', { ipv4 = '127.0.0.1', datagram = true } },
    { 'Unix stream', { path = base .. '.stream' } },
    -- A datagram can only be answered when it comes from somewhere.
    { 'Unix datagram', { path = base .. '.datagram', datagram = true },
      own = { path = base .. '.client' } },
    { 'Unix seqpacket', { path = base .. '.seqpacket', seqpacket = true } },
    { 'abstract', { path = '\0' .. base } },
  }
end


local function talk_of(address)
  return address.datagram and talk_over_datagrams or address.seqpacket and talk_over_messages
    or talk_over_stream
end


local function open_both(kind)
  local address = kind[2]
  local server, message, code = sock99.socket(with(address, { server = true }))
  if not server then
    return nil, message, code
  end
  server:settimeout(5)
  local _, port = server:getsockname() -- the system chose one that is free
  local client
  client, message, code = sock99.socket(with(address, { port = port, bind = kind.own }))
  if not client then
    server:close()
    return nil, message, code
  end
  client:settimeout(5)
  return server, client
end


local function address_text(server)
  local host, port, family = server:getsockname()
  if not port then
    return (host:gsub('^%z', '@'))
  end
  return (family == 'inet6' and '[%s]:%d' or '%s:%d'):format(host, port)
end


local function microseconds(start, finish)
  return ('%.0f us'):format((finish - start) * 1e6)
end


-- True when both lines arrived, false when this machine lacks the kind.
local function show(kind)
  local start = sock99.gettime()
  local server, client, code = open_both(kind)
  if not server then
    local message = client
    assert(kind[2].ipv6 and (code == errno.EAFNOSUPPORT or code == errno.EADDRNOTAVAIL), message)
    print(('%-14s  not on this machine: %s'):format(kind[1], message))
    return false
  end
  local opened = sock99.gettime()
  local asked, answered = talk_of(kind[2])(server, client)
  local talked = sock99.gettime()
  print(row:format(kind[1], address_text(server), server:getfd() .. ' ' .. client:getfd(),
    asked .. ' - ' .. answered, microseconds(start, opened), microseconds(opened, talked)))
  client:close()
  server:close()
  return asked == question and answered == answer
end


local function tour(base)
  local shown = 0
  print(('%s on %s\n'):format(sock99._VERSION, jit and jit.version or _VERSION))
  print(row:format('kind', 'address', 'fds', 'what was said', 'open', 'talk'))
  for _, kind in ipairs(kinds(base)) do
    shown = shown + (show(kind) and 1 or 0)
  end
  print(('\n%d kinds of sockets opened, talked over and closed.'):format(shown))
end


local base = os.tmpname() -- a file that is there, and names beside it
local ok, message = pcall(tour, base)
for _, suffix in ipairs { '', '.stream', '.datagram', '.client', '.seqpacket' } do
  os.remove(base .. suffix)
end
if not ok then
  io.stderr:write('tour: ', tostring(message), '\n')
  os.exit(1)
end
