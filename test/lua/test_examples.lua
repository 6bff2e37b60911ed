-- Every example in Lua runs to its end and prints what it should. One that no
-- test runs, or that is too long to be read at a glance, is a failure.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

local most_lines = 45
local started = {}


local function quoted(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end


-- A process whose output can be read; the first line is its id, the last one its
-- exit status. `before` is what the shell does before it becomes the command.
local function start_command(command, before)
  local shell = ('echo $$; %s exec %s'):format(before or '', command)
  local pipe = assert(io.popen('sh -c ' .. quoted(shell) .. ' 2>&1; echo "exit status $?"'))
  local process = { pipe = pipe, told = '', id = assert(tonumber(pipe:read())) }
  started[#started + 1] = process
  return process
end


local function command_of(example, ...)
  local words = { support.interpreter, 'examples/' .. example }
  for _, word in ipairs { ... } do
    words[#words + 1] = quoted(word)
  end
  return table.concat(words, ' ')
end


local function start(example, ...)
  return start_command(command_of(example, ...))
end


-- All that it prints, once it has ended.
local function finish(process)
  process.told = process.told .. process.pipe:read('*a')
  process.pipe:close()
  process.pipe = nil
  local told, status = process.told:match '^(.*)exit status (%d+)\n$'
  return told, tonumber(status)
end


-- A server that says what it listens on, which is returned with it.
local function serve(process, pattern)
  for line in process.pipe:lines() do
    process.told = process.told .. line .. '\n'
    local address = line:match(pattern or '^listening on (.*)')
    if address then
      return process, address
    end
  end
  lu.fail('it did not begin to listen:\n' .. process.told)
end


local function assert_says(told, ...)
  for _, pattern in ipairs { ... } do
    lu.assertStrMatches('\n' .. told .. '\n', '.*\n' .. pattern .. '\n.*')
  end
end


local function run(example, ...)
  local told, status = finish(start(example, ...))
  lu.assertEquals(status, 0, told)
  return told
end


local function ends_well(process, ...)
  local told, status = finish(process)
  lu.assertEquals(status, 0, told)
  assert_says(told, ...)
end


-- A client of "host:port", or of a path.
local function connect(address)
  local host, port = address:match '^(.+):(%d+)$'
  local client = support.keep(sock99.socket {
    host = host, port = port, path = not host and address or nil, timeout = 10,
  })
  client:settimeout(30)
  return client
end


-- What a server says to who comes.
local function greeting(address)
  local client = connect(address)
  local line = assert(client:receive())
  client:close()
  return line
end


local function needs(module)
  lu.skipIf(not pcall(require, module), 'there is no ' .. module)
end


local suite = support.suite()
TestExamples = { setUp = suite.setUp }


function TestExamples.tearDown()
  for _, process in ipairs(started) do
    if process.pipe then
      os.execute('kill ' .. process.id)
      process.pipe:close()
    end
  end
  started = {}
  suite.tearDown()
end


function TestExamples:test_tour()
  assert_says(run 'tour.lua', 'TCP over IPv4 .* 127%.0%.0%.1:%d+ .*', 'UDP .* 127%.0%.0%.1:%d+ .*',
    'Unix stream .*%.stream .*', 'Unix datagram .*%.datagram .*', 'Unix seqpacket .*%.seqpacket .*',
    "abstract .* @/.* knock, knock %- who's there%? .* us", '[67] kinds of sockets opened.*')
end


function TestExamples:test_tcp()
  local server, address = serve(start('tcp_server.lua', 0, 2))
  local host, port = address:match '(.*):(.*)'
  lu.assertEquals(run('tcp_client.lua', host, port, 'good morning'), 'good morning\n')
  lu.assertEquals(run('tcp_client.lua', 'localhost', port, 'good night'), 'good night\n')
  ends_well(server, 'client 1: 13 bytes echoed', 'client 2: 11 bytes echoed')
end


function TestExamples:test_a_tcp_client_without_a_server_says_so()
  local told, status = finish(start('tcp_client.lua', '127.0.0.1', support.closed_port()))
  lu.assertEquals(status, 1)
  assert_says(told, 'connect 127%.0%.0%.1:%d+: Connection refused', 'is the server running%?')
end


function TestExamples:test_udp_pair()
  assert_says(run 'udp_pair.lua', 'server: "what is the time%?" from 127%.0%.0%.1',
    'client: "[0-9:]*"', 'client: Connection refused')
end


function TestExamples:test_unix_server()
  local path = support.path()
  local server = serve(start('unix_server.lua', path))
  local client = connect(path)
  lu.assertEquals(select(2, support.stat(path)), tonumber('660', 8))
  assert(client:send('world\n'))
  lu.assertEquals(client:receive(), 'hello, world')
  client:close()
  ends_well(server, 'greeted world, who is user ' .. support.getuid())
  lu.assertNil(io.open(path))
end


function TestExamples:test_options()
  needs 'posix.sys.socket'
  assert_says(run('options.lua', support.closed_port()), 'two descriptors on one port',
    'recv:.*temporarily unavailable.*', 'without reuseport:.*Address already in use.*',
    "raised:.*did you mean 'reuseport'.*", "raised:.*'rcvtimeo'.*got string.*")
end


-- Each with a hundred connections, then with one that is refused.
local function names(example)
  local hundred = {}
  for i = 1, 100 do
    hundred[i] = 'localhost'
  end
  local server, address = serve(start('tcp_server.lua', 0, 100))
  local unpack = table.unpack or unpack
  local told = run(example, address:match ':(%d+)', unpack(hundred))
  assert_says(told, '100 of 100 connected')
  ends_well(server)
  told = run(example, support.closed_port(), 'localhost')
  assert_says(told, '.*Connection refused', '0 of 1 connected')
end


function TestExamples:test_names_with_select()
  names 'names_select.lua'
end


function TestExamples:test_names_with_cqueues()
  needs 'cqueues'
  names 'names_cqueues.lua'
end


function TestExamples:test_names_with_luv()
  needs 'luv'
  names 'names_luv.lua'
end


function TestExamples:test_echo_server_serves_many_clients()
  local server, address = serve(start('echo_server.lua', 0, 21))
  local clients = {}
  for i = 1, 20 do
    clients[i] = connect(address)
  end
  for round = 1, 3 do
    for i, client in ipairs(clients) do
      assert(client:send(('%d says %d\n'):format(i, round)))
    end
    for i = #clients, 1, -1 do
      lu.assertEquals(clients[i]:receive(), ('%d says %d'):format(i, round))
    end
  end
  for _, client in ipairs(clients) do
    client:close()
  end
  -- One that sends more than the system holds before it takes its echo.
  local client = connect(address)
  client:settimeout(0)
  local data, sent, echo = ('0123456789'):rep(200000), 0, {}
  while sent < #data do
    local readable, writable = sock99.select({ client }, { client }, 30)
    lu.assertTrue(#readable + #writable > 0, 'it is stuck')
    if writable[client] then
      local last, message, partial = client:send(data, sent + 1)
      sent = last or assert(message == 'timeout' and partial, message)
    else
      echo[#echo + 1] = assert(client:receiveany())
    end
  end
  assert(client:shutdown 'send')
  client:settimeout(30)
  echo[#echo + 1] = client:receive(#data - #table.concat(echo))
  lu.assertTrue(table.concat(echo) == data)
  client:close()
  ends_well(server)
end


function TestExamples:test_redis_client()
  lu.skipIf(support.output_of 'command -v redis-server' == '', 'there is no redis-server')
  local path = support.path 'redis'
  local command = "redis-server --port 0 --save '' --unixsocket " .. path
  local redis = serve(start_command(command, 'unset LD_PRELOAD;'), 'ready to accept connections')
  lu.assertEquals(run('redis_client.lua', path, 'SET', 'colour', 'blue\r\ngreen'), 'OK\n')
  lu.assertEquals(run('redis_client.lua', path, 'GET', 'colour'), 'blue\r\ngreen\n')
  lu.assertEquals(run('redis_client.lua', path, 'GET', 'smell'), 'nothing\n')
  lu.assertEquals(run('redis_client.lua', path, 'RPUSH', 'list', 'a', '', 'c'), '3\n')
  lu.assertEquals(run('redis_client.lua', path, 'LRANGE', 'list', 0, -1), '  a\n  \n  c\n')
  assert_says(run('redis_client.lua', path, 'NOSUCH'), 'ERR unknown command.*')
  finish(start('redis_client.lua', path, 'SHUTDOWN', 'NOSAVE'))
  ends_well(redis)
end


function TestExamples:test_files_over_http_on_a_unix_path()
  local directory, path = support.path '', support.path 'http'
  local contents = ('a line of the file\n'):rep(50000)
  for name, text in pairs { file = contents, empty = '' } do
    local file = assert(io.open(directory .. name, 'w'))
    file:write(text)
    file:close()
  end
  assert(support.mkdir(directory .. 'below'))
  local server = serve(start('file_server.lua', directory, path, 5))
  local told = run('http_unix.lua', path, '/file')
  lu.assertTrue(told == 'HTTP/1.0 200 OK\n' .. contents, told:sub(1, 100))
  lu.assertEquals(run('http_unix.lua', path, '/empty'), 'HTTP/1.0 200 OK\n')
  for _, target in ipairs { '/nosuch', '/below', '/../etc/passwd' } do
    local status
    told, status = finish(start('http_unix.lua', path, target))
    lu.assertEquals({ told, status }, { 'HTTP/1.0 404 Not Found\nno such file\n', 1 })
  end
  ends_well(server)
end


-- Docker's daemon answers in chunks.
function TestExamples:test_http_in_chunks_on_a_unix_path()
  local path = support.path()
  local server = support.keep(sock99.socket { path = path, server = true })
  local asked = start('http_unix.lua', path, '/version')
  server:settimeout(30)
  local client = support.keep(server:accept())
  lu.assertEquals(client:receive(), 'GET /version HTTP/1.1')
  assert(client:send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' ..
    '5\r\n{"Ver\r\nC;why=not\r\nsion":"1.0"}\r\n0\r\n\r\n'))
  ends_well(asked, 'HTTP/1.1 200 OK', '{"Version":"1.0"}')
  client:close()
  server:close()
end


function TestExamples:test_files_over_http_on_a_port()
  local server, address = serve(start('file_server.lua', 'examples', 0, 1))
  local client = connect(address)
  assert(client:send('GET /tour.lua HTTP/1.0\r\n\r\n'))
  local told = assert(client:receive('*a'))
  local file = assert(io.open 'examples/tour.lua')
  lu.assertEquals(told:match '\r\n\r\n(.*)', file:read('*a'))
  file:close()
  client:close()
  ends_well(server)
end


function TestExamples:test_worker_pool_shares_connections_out()
  needs 'posix.unistd'
  local server, address = serve(start('worker_pool.lua', 0, 2, 6))
  local workers = {}
  for number = 1, 6 do
    local told, worker = greeting(address):match '^client (%d+), meet worker (%d+)$'
    lu.assertEquals(told, tostring(number))
    workers[worker] = (workers[worker] or 0) + 1
  end
  lu.assertEquals(support.count(workers), 2)
  for _, clients in pairs(workers) do
    lu.assertEquals(clients, 3)
  end
  ends_well(server)
end


function TestExamples:test_worker_pool_outlives_clients_that_reset()
  needs 'posix.unistd'
  local server, address = serve(start('worker_pool.lua', 0, 2, 12))
  local workers = {}
  for number = 1, 12 do
    if number <= 6 then
      local client = connect(address)
      client:setoption('linger', 0)
      client:close()
    else
      workers[greeting(address):match '^client %d+, meet worker (%d+)$'] = true
    end
  end
  lu.assertEquals(support.count(workers), 2)
  ends_well(server)
end


function TestExamples:test_preforked_processes_share_a_port()
  needs 'posix.unistd'
  local fifo = support.path()
  lu.assertEquals(support.output_of('mkfifo ' .. fifo .. ' && echo made'), 'made')
  local process = start_command(command_of('prefork_server.lua', 0, 3) .. ' <' .. fifo)
  local input = assert(io.open(fifo, 'w'))
  local server, address = serve(process)
  local workers = {}
  for _ = 1, 40 do
    workers[greeting(address):match '^hello from worker (%d+)$'] = true
  end
  lu.assertTrue(support.count(workers) > 1)
  input:close()
  ends_well(server)
end


function TestExamples:test_multicast_listener()
  local server, address = serve(start('multicast_listener.lua', '239.255.1.1', 0, '127.0.0.1', 2))
  local group, port = address:match '(.*):(.*)'
  lu.assertEquals(group, '239.255.1.1')
  local sender = support.keep(sock99.socket {
    datagram = true,
    bind = { host = '127.0.0.1' },
    sockopts = { multicast_if = '127.0.0.1', multicast_loop = true, multicast_ttl = 0 },
  })
  local _, own = sender:getsockname()
  assert(sender:sendto('to whom it may concern', group, port))
  assert(sender:sendto('again', group, port))
  sender:close()
  ends_well(server, '127%.0%.0%.1:' .. own .. ': to whom it may concern',
    '127%.0%.0%.1:' .. own .. ': again')
end


-- The protocol: descriptors from 3 on, and who they are for in the environment.
function TestExamples:test_activated_server_by_the_protocol()
  local server = assert(sock99.open { host = '127.0.0.1', server = true, cloexec = false })
  lu.skipIf(server > 9, 'the shell cannot name descriptor ' .. server)
  local address = '127.0.0.1:' .. support.port_of(server)
  local process = start_command(command_of('activated_server.lua') .. ' 3<&' .. server,
    'export LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$$;')
  support.close(server)
  lu.assertEquals(greeting(address), 'hello from web')
  ends_well(process, ('web: tcp{server} on %s'):format(address:gsub('%p', '%%%0')))
end


function TestExamples:test_activated_server_by_systemd()
  lu.skipIf(support.output_of 'command -v systemd-socket-activate' == '',
    'there is no systemd-socket-activate')
  local path = support.path()
  local activator = serve(start_command(
    ('systemd-socket-activate -E LUA_CPATH -E LUA_PATH -E LD_PRELOAD --fdname=web -l %s %s'):format(
      path, command_of('activated_server.lua'))), '^Listening on (.*) as 3')
  lu.assertEquals(greeting(path), 'hello from web')
  ends_well(activator, 'web: tcp{server} on ' .. path:gsub('%p', '%%%0'))
end


function TestExamples:test_activated_server_without_a_socket_says_so()
  local told, status = finish(start 'activated_server.lua')
  lu.assertEquals(status, 1)
  assert_says(told, 'no socket was passed.*')
end


function TestExamples:test_a_graceful_server_ends_when_it_is_told_to()
  needs 'posix.signal'
  for _, signal in ipairs { 'TERM', 'INT' } do
    local server, port = serve(start('graceful_server.lua', 0), '^listening on port (%d+)')
    local client = support.keep(sock99.socket { host = '127.0.0.1', port = port, timeout = 5 })
    client:settimeout(5)
    client:send 'one\n'
    lu.assertEquals(client:receive(), 'ONE')
    client:shutdown 'send'
    lu.assertEquals((select(2, client:receive())), 'closed')
    os.execute(('kill -%s %s'):format(signal, server.id))
    ends_well(server, 'listening on port.*', 'ended: closed')
  end
end


function TestExamples:test_all_examples_are_short_and_have_a_test()
  local source = arg[0]:gsub('[^/]*$', '') .. 'test_examples.lua'
  local file = assert(io.open(source))
  local tests = file:read('*a')
  file:close()
  for name in support.output_of('ls examples/*.lua'):gmatch 'examples/(%S+)' do
    lu.assertStrContains(tests, name)
    if name ~= 'tour.lua' then
      local lines = 0
      for _ in io.lines('examples/' .. name) do
        lines = lines + 1
      end
      lu.assertTrue(lines <= most_lines, name .. ' has ' .. lines .. ' lines')
    end
  end
end


support.run()
