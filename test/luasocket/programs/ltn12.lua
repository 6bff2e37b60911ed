-- What socket.lua adds to the core, and pumps between sockets and ltn12's and
-- mime's filters.

local socket = require 'socket'
local ltn12 = require 'ltn12'
local mime = require 'mime'
local http_server = require 'http_server'

local case = {}


-- A server that does one thing with its one client, and a connection to it.
local function connected(t, handle)
  local port = t.peer.serve(handle)
  local client = t.check(socket.connect('127.0.0.1', port))
  client:settimeout(10)
  return client, port
end


-- Says how many bytes came before the end of the stream, and whether they were
-- the endless body.
local function counting(connection)
  local data = connection:read_to_end()
  local right = data == http_server.bytes(0, #data)
  connection:write(('%d %s\n'):format(#data, right and 'right' or 'wrong'))
end


function case.source_until_closed(t)
  local client = connected(t, function(connection)
    connection:write(http_server.bytes(0, 300001))
  end)
  local pieces = {}
  local ok, problem = ltn12.pump.all(socket.source('until-closed', client),
    (ltn12.sink.table(pieces)))
  t.tell('pump', ok, problem, #pieces)
  t.equal(table.concat(pieces), http_server.bytes(0, 300001))
  t.tell('it is closed', client:getfd() < 0)
end


function case.source_by_length(t)
  local client = connected(t, function(connection)
    connection:write(http_server.bytes(0, 5000) .. 'the rest\r\n')
  end)
  local pieces = {}
  t.tell('pump', ltn12.pump.all(socket.source('by-length', client, 5000),
    (ltn12.sink.table(pieces))))
  t.equal(table.concat(pieces), http_server.bytes(0, 5000))
  t.tell('what follows', client:receive())
  local source = socket.source('by-length', client, 10)
  t.tell('at the end', source())
  client:close()
end


function case.sinks(t)
  local client = connected(t, counting)
  t.tell('keep-open', ltn12.pump.all(ltn12.source.string(http_server.bytes(0, 200000)),
    socket.sink('keep-open', client)))
  t.tell('shutdown', client:shutdown 'send')
  t.tell('counted', client:receive())
  client:close()

  client = connected(t, counting)
  t.tell('close-when-done', ltn12.pump.all(ltn12.source.string 'few',
    socket.sink('close-when-done', client)))
  t.tell('it is closed', client:getfd() < 0)
  t.tell('unknown', pcall(socket.sink, 'no-such-sink', client))
end


-- A megabyte through base64, there and back through an echo.
function case.filters(t)
  local client = connected(t, function(connection)
    connection:write(connection:read_to_end())
  end)
  local size = 100 * 1024
  local encode = ltn12.filter.chain(mime.encode 'base64', mime.wrap 'base64')
  local decode = ltn12.filter.chain(mime.decode 'base64')
  t.check(ltn12.pump.all(
    ltn12.source.chain(ltn12.source.string(http_server.bytes(0, size)), encode),
    socket.sink('keep-open', client)))
  client:shutdown 'send'
  local pieces = {}
  t.tell('back', ltn12.pump.all(ltn12.source.chain(socket.source('until-closed', client), decode),
    (ltn12.sink.table(pieces))))
  t.equal(table.concat(pieces), http_server.bytes(0, size))
end


function case.pump_step(t)
  local client = connected(t, function(connection)
    connection:write(('x'):rep(5000))
  end)
  local source, got = socket.source('until-closed', client), 0
  local sink = function(chunk)
    got = got + #(chunk or '')
    return 1
  end
  local steps = 0
  local ok, problem
  repeat
    ok, problem = ltn12.pump.step(source, sink)
    steps = steps + 1
  until not ok
  t.tell('steps', steps, got, problem)
end


-- An error in the middle of either end comes out of the pump.
function case.errors(t)
  local client = connected(t, function(connection)
    connection:write 'some'
    connection:read_to_end()
  end)
  client:settimeout(0.1)
  local pieces = {}
  t.tell('timeout', ltn12.pump.all(socket.source('until-closed', client),
    (ltn12.sink.table(pieces))))
  t.tell('pieces', table.concat(pieces))
  client:close()
  t.tell('closed', ltn12.pump.all(ltn12.source.string 'data', socket.sink('keep-open', client)))
  t.tell('a file', ltn12.pump.all(ltn12.source.error 'no file', socket.sink('keep-open', client)))
end


-- The sources and sinks of sockets can be selected.
function case.sources_in_select(t)
  local client = connected(t, function(connection)
    connection:write 'one\ntwo\n'
    connection:read_to_end()
  end)
  local source, sink = socket.source('until-closed', client), socket.sink('keep-open', client)
  -- One after the other: of two objects with one descriptor LuaSocket knows one.
  local readable = socket.select({ source }, nil, 10)
  local _, writable = socket.select(nil, { sink }, 10)
  t.tell('ready', readable[source], writable[sink])
  client:receive()
  readable = socket.select({ source }, nil, 0)
  t.tell('dirty', readable[source], source.dirty(), sink.dirty())
  client:close()
end


function case.bind(t)
  local server = t.check(socket.bind('127.0.0.1', 0))
  local ip, port = server:getsockname()
  t.tell('bound', server, ip, port, server:getoption 'reuseaddr')
  t.tell('again', socket.bind('127.0.0.1', port))
  local client = t.check(socket.connect('127.0.0.1', port))
  local accepted = t.check(server:accept())
  t.tell('peers', client, accepted, accepted:getpeername())
  t.tell('sent', client:send 'x', accepted:receive(1))
  for _, each in ipairs { server, client, accepted } do
    each:close()
  end
  server = t.check(socket.bind('*', 0, 5))
  t.tell('everywhere', (server:getsockname()))
  server:close()
  t.tell('not here', socket.bind('192.0.2.1', 0))
  t.tell('no such host', socket.bind('no-such-host.invalid', 0))
end


function case.connect4_and_6(t)
  local server = t.check(socket.bind('127.0.0.1', 0))
  local _, port = server:getsockname()
  local client = t.check(socket.connect4('localhost', port))
  t.tell('4', client:getpeername())
  client:close()
  server:close()

  local listening, listener = pcall(socket.bind, '::1', 0)
  if not (listening and listener) then
    t.skip 'there is no IPv6'
  end
  _, port = listener:getsockname()
  client = t.check(socket.connect6('::1', port))
  t.tell('6', client:getpeername())
  client:close()
  listener:close()
end


function case.try_and_protect(t)
  local finalized = 0
  local try = socket.newtry(function()
    finalized = finalized + 1
  end)
  local risky = socket.protect(function(...)
    return try(...)
  end)
  t.tell('fine', risky(1, 2, 3))
  t.tell('not fine', risky(nil, 'a reason', 'more'))
  t.tell('finalized', finalized)
  t.tell("socket.try's", socket.protect(function()
    socket.try(nil, 'thrown')
  end)())
  t.tell('other errors', pcall(socket.protect(function()
    error('a bug', 0)
  end)))
  t.tell('choose', pcall(socket.choose { default = function(a, b)
    return a, b
  end }, 1, 2))
end


return case
