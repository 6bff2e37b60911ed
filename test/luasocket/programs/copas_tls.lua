-- LuaSec's connections in a loop of copas, server and clients.

local copas = require 'copas'
local socket = require 'socket'
local ssl = require 'ssl'
local certificates = require 'certificates'
local http_server = require 'http_server'

local case = {}

copas.autoclose = false


-- This copas waits where a call says "timeout"; LuaSec says what it wants, and
-- here the words are changed. `handshake` makes both calls go on with that.
local function as_copas_wants(secure, handshake)
  local adapter = {}

  local function timeout_for(want)
    return (want == 'wantread' or want == 'wantwrite') and 'timeout' or want
  end

  function adapter.getfd()
    return secure:getfd()
  end

  function adapter.dirty()
    return not handshake and secure:dirty()
  end

  function adapter.receive(_, ...)
    local data, want, partial = (handshake and secure.dohandshake or secure.receive)(secure, ...)
    return data, timeout_for(want), partial
  end

  function adapter.send(_, ...)
    local last, want, partial = secure:send(...)
    return last, timeout_for(want), partial
  end

  return adapter
end


-- The connection over TLS: LuaSec's object, and it as copas wraps it.
local function secured(plain, parameters)
  local secure = assert(ssl.wrap(plain, parameters))
  secure:settimeout(0)
  assert(copas.receive(as_copas_wants(secure, true)))
  return secure, copas.wrap(as_copas_wants(secure))
end


local function serve(t, handle)
  local listener = t.check(socket.bind('127.0.0.1', 0, 512))
  local _, port = listener:getsockname()
  t.start(function()
    local context = assert(ssl.newcontext(certificates.parameters(t, 'server', 'server')))
    copas.addserver(listener, function(plain)
      local secure, wrapped = secured(plain, context)
      handle(wrapped)
      secure:close()
    end)
    copas.loop()
  end)
  listener:close()
  return port
end


-- n clients at once, each of which does `talk`.
local function clients(t, n, port, fields, talk)
  local left = n
  for i = 1, n do
    copas.addthread(function()
      local plain = socket.tcp()
      assert(copas.connect(plain, '127.0.0.1', port))
      local secure, wrapped =
        secured(plain, certificates.parameters(t, 'client', nil, fields))
      talk(wrapped, i, secure)
      secure:close()
      left = left - 1
    end)
  end
  local deadline = socket.gettime() + 40
  while left > 0 do
    copas.step(1)
    t.check(socket.gettime() < deadline, 'some never ended')
  end
end


local function echo_lines(wrapped)
  local line = wrapped:receive()
  while line do
    wrapped:send(line .. '\n')
    line = wrapped:receive()
  end
end


function case.an_echo(t)
  certificates.make(t)
  local port = serve(t, echo_lines)
  for _, protocol in ipairs { 'tlsv1_2', 'tlsv1_3' } do
    local right = 0
    clients(t, 20, port, { protocol = protocol, verify = 'peer' }, function(wrapped, i, secure)
      for j = 1, 3 do
        local line = ('line %d of client %d'):format(j, i)
        wrapped:send(line .. '\n')
        local answer = wrapped:receive()
        right = right + (answer == line and 1 or 0)
      end
      if i == 1 then
        t.tell('version', secure:info 'protocol')
      end
    end)
    t.equal(right, 60)
  end
end


function case.large_messages(t)
  local size = 1048576
  local port = serve(t, function(wrapped)
    wrapped:send(wrapped:receive(size))
  end)
  local right = 0
  clients(t, 3, port, {}, function(wrapped, i)
    local data = http_server.bytes(i, size)
    wrapped:send(data)
    local answer = wrapped:receive(size)
    right = right + (answer == data and 1 or 0)
  end)
  t.equal(right, 3)
end


return case
