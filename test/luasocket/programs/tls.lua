-- LuaSec over sockets of the core: clients and servers, TLS 1.2 and 1.3, with
-- and without waiting.

local socket = require 'socket'
local ssl = require 'ssl'
local https = require 'ssl.https'
local ltn12 = require 'ltn12'
local certificates = require 'certificates'
local http_server = require 'http_server'

local case = {}

local PROTOCOLS = { 'tlsv1_2', 'tlsv1_3' }

local parameters = certificates.parameters


-- What OpenSSL says, without the number of an error.
local function tell_failure(t, label, ok, problem)
  t.equal(not ok, true, label)
  t.tell(label, ok, problem)
end


-- A server in another process that does `handle` with each client, wrapped as
-- `fields` say; its port.
local function serve(t, fields, handle)
  local listener = t.check(socket.bind('127.0.0.1', 0))
  local _, port = listener:getsockname()
  t.start(function()
    local context = assert(ssl.newcontext(parameters(t, 'server', 'server', fields)))
    while true do
      local plain = assert(listener:accept())
      local secure = assert(ssl.wrap(plain, context))
      if secure:dohandshake() then
        handle(secure)
      end
      secure:close()
    end
  end)
  listener:close()
  return port
end


local function echo_lines(secure)
  for line in function() return secure:receive() end do
    secure:send(line .. '\n')
  end
end


local function connect(t, port)
  local plain = t.check(socket.connect('127.0.0.1', port))
  plain:settimeout(10)
  return plain
end


local function secured(t, port, fields, name)
  local secure = t.check(ssl.wrap(connect(t, port), parameters(t, 'client', name, fields)))
  secure:settimeout(10)
  return secure
end


-- Certificates are made once, when the first case asks.
local function prepared(f)
  return function(t)
    if not t.has_certificates then
      certificates.make(t)
      t.has_certificates = true
    end
    f(t)
  end
end


function case.an_echo(t)
  for _, protocol in ipairs(PROTOCOLS) do
    local port = serve(t, { protocol = protocol }, echo_lines)
    local secure = secured(t, port, { protocol = protocol, verify = 'peer' })
    t.tell('handshake', secure:dohandshake())
    t.tell('version', secure:info 'protocol')
    t.tell('peer', secure:getpeercertificate():subject())
    t.tell('send', secure:send 'hello\nmore\n')
    t.tell('receive', secure:receive())
    t.tell('receive 2', secure:receive(2))
    t.tell('dirty', secure:dirty())
    t.tell('receive rest', secure:receive '*l')
    t.tell('send a part', secure:send('abc\n', 2, 4))
    t.tell('receive again', secure:receive('*l', 'prefix '))
    t.tell('close', secure:close())
  end
end


function case.wrap_takes_the_descriptor(t)
  local port = serve(t, {}, echo_lines)
  local plain = connect(t, port)
  local descriptor = plain:getfd()
  local secure = t.check(ssl.wrap(plain, parameters(t, 'client')))
  t.tell('it moves', plain:getfd(), secure:getfd() == descriptor)
  t.tell('the plain one is closed', plain:send 'x')
  t.tell('closing that does nothing', plain:close())
  t.check(secure:dohandshake())
  t.tell('the other works', secure:send 'here\n', secure:receive())
  secure:close()
end


function case.certificates_on_both_ends(t)
  local port = serve(t, { verify = { 'peer', 'fail_if_no_peer_cert' }, protocol = 'tlsv1_2' },
    function(secure)
      local certificate = secure:getpeercertificate()
      secure:send(certificate:subject()[1].value .. '\n')
    end)
  local secure = secured(t, port, { verify = 'peer' }, 'client')
  t.tell('handshake', secure:dohandshake())
  t.tell('it knows us', secure:receive())
  secure:close()

  secure = secured(t, port, { verify = 'peer' })
  tell_failure(t, 'without one', secure:dohandshake())
  secure:close()
  secure = secured(t, port, { verify = 'peer', cafile = t.path 'stranger.pem' })
  tell_failure(t, 'a server of nobody we know', secure:dohandshake())
  secure:close()
end


function case.a_plain_server(t)
  local port = t.peer.serve(function(connection)
    connection:write 'this is not TLS\r\n'
    connection:read_to_end()
  end)
  local secure = secured(t, port, {})
  tell_failure(t, 'handshake', secure:dohandshake())
  secure:close()
end


function case.a_server_that_is_gone(t)
  local port = t.peer.serve(function(connection)
    connection:read(1)
  end)
  local secure = secured(t, port, {})
  tell_failure(t, 'handshake', secure:dohandshake())
  secure:close()
end


function case.ends(t)
  local port = serve(t, {}, function(secure)
    secure:receive()
    secure:send('last words')
  end)
  local secure = secured(t, port, {})
  t.check(secure:dohandshake())
  secure:send 'go\n'
  t.tell('all of it', secure:receive '*a')
  t.tell('then', secure:receive())
  secure:close()
end


function case.a_large_body_each_way(t)
  local size = (t.slow and 1 or 8) * 1048576
  local port = serve(t, {}, function(secure)
    local got = secure:receive(size)
    secure:send((got == http_server.bytes(0, size) and 'right' or 'wrong') .. '\n')
    secure:send(got)
  end)
  local secure = secured(t, port, {})
  t.check(secure:dohandshake())
  t.equal(secure:send(http_server.bytes(0, size)), size)
  t.tell('there', secure:receive())
  t.equal(secure:receive(size), http_server.bytes(0, size))
  secure:close()
end


-- Both ends of a connection in this process, wrapped, and not waiting.
local function pair(t, fields)
  local listener = t.check(socket.bind('127.0.0.1', 0))
  local _, port = listener:getsockname()
  local client = connect(t, port)
  local server = t.check(listener:accept())
  listener:close()
  client:settimeout(0)
  server:settimeout(0)
  client = t.check(ssl.wrap(client, parameters(t, 'client', nil, fields)))
  server = t.check(ssl.wrap(server, parameters(t, 'server', 'server', fields)))
  client:settimeout(0)
  server:settimeout(0)
  return client, server
end


-- Waits for what the last call wanted.
local function wait_for(t, secure, want)
  t.check(want == 'wantread' or want == 'wantwrite', want)
  local list = { secure }
  local _, _, problem = socket.select(want == 'wantread' and list or nil,
    want == 'wantwrite' and list or nil, 10)
  t.check(not problem, problem)
end


-- One step of each end's handshake after the other's, until both are done.
local function shake_hands(t, client, server)
  local wants, done = {}, {}
  repeat
    for name, secure in pairs { client = client, server = server } do
      if not done[name] then
        local ok, want = secure:dohandshake()
        done[name] = ok
        wants[#wants + 1] = want
      end
    end
  until done.client and done.server
  for _, want in ipairs(wants) do
    t.check(want == 'wantread' or want == 'wantwrite', want)
  end
  t.check(#wants > 0, 'it waited')
end


function case.handshake_without_waiting(t)
  for _, protocol in ipairs(PROTOCOLS) do
    local client, server = pair(t, { protocol = protocol })
    t.tell('nothing to read', server:dohandshake())
    t.tell('nothing yet', client:dohandshake())
    t.tell('select', #(socket.select({ server }, nil, 10)))
    shake_hands(t, client, server)
    t.tell('version', client:info 'protocol', server:info 'protocol')
    client:send 'x\n'
    wait_for(t, server, 'wantread')
    t.tell('it works', server:receive())
    t.tell('no more', server:receive())
    client:close()
    server:close()
  end
end


-- As much as fits, until the other end has to read: wantwrite, then wantread.
function case.transfer_without_waiting(t)
  local client, server = pair(t, {})
  shake_hands(t, client, server)
  local size = (t.slow and 12 or 20) * 1048576
  local data = http_server.bytes(0, size)
  local sent, got, pieces, wants = 0, 0, {}, {}
  while got < size do
    if sent < size then
      local last, want, partial = client:send(data, sent + 1)
      sent = last or partial
      wants[want or 'nothing'] = true
    end
    repeat
      local piece, want, partial = server:receive(65536)
      piece = piece or partial
      got = got + #piece
      pieces[#pieces + 1] = piece
      wants[want or 'nothing'] = true
      -- What is left may be less than a block.
    until want
    if got < size and sent == size then
      wait_for(t, server, 'wantread')
    end
  end
  t.tell('wants', wants)
  t.equal(table.concat(pieces), data)
  client:close()
  server:close()
end


function case.timeouts(t)
  local client, server = pair(t, {})
  shake_hands(t, client, server)
  client:settimeout(0.1)
  local started = socket.gettime()
  t.tell('nothing comes', client:receive())
  local took = socket.gettime() - started
  t.check(took > 0.09 and took < 5, took)
  server:send 'part'
  t.tell('only a part comes', client:receive())
  server:close()
  t.tell('the end', client:receive())
  client:close()
end


-- An HTTP server that talks TLS: what http_server needs of a connection.
local function as_connection(secure)
  local connection = {}

  function connection.line()
    return (secure:receive())
  end

  function connection.read(_, n)
    return n > 0 and secure:receive(n) or ''
  end

  function connection.write(_, data)
    return secure:send(data)
  end

  return connection
end


function case.https_requests(t)
  local port = serve(t, {}, function(secure)
    http_server.handle(as_connection(secure))
  end)
  local base = ('https://127.0.0.1:%d'):format(port)
  local body, code, headers, status = https.request(base .. '/length/1000')
  t.tell('get', body == http_server.bytes(0, 1000), code, headers, status)
  t.tell('post', https.request(base .. '/echo', 'name=value'))
  local pieces = {}
  t.tell('verified', https.request { url = base .. '/length/2000000', verify = 'peer',
    cafile = t.path 'authority.pem', sink = ltn12.sink.table(pieces) })
  t.equal(table.concat(pieces), http_server.bytes(0, 2000000))
  tell_failure(t, 'not verified', https.request { url = base .. '/length/1', verify = 'peer',
    cafile = t.path 'stranger.pem' })
  t.tell('chunked', https.request(base .. '/trailers'))
end


function case.https_through_socket_http(t)
  local http = require 'socket.http'
  local port = serve(t, {}, function(secure)
    http_server.handle(as_connection(secure))
  end)
  t.tell('get', http.request(('https://127.0.0.1:%d/continue'):format(port)))
end


for name, f in pairs(case) do
  case[name] = prepared(f)
end

return case
