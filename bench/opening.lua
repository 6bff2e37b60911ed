-- opening.lua: what it costs to open and close a socket, compared with bare system calls.
--
-- Every contender is a program that prints the CPU time (user and system) of N
-- openings. Bare C runs right before each of them.
--
-- The listener of the clients lives here and accepts only between the runs:
-- every client closes first, whatever its speed. SO_LINGER 0 then resets the
-- connection, so that nothing stays in TIME_WAIT. Its port is below 32768:
-- a loopback peer above would have to be told apart from the client itself.

package.path = 'bench/?.lua;' .. package.path

local harness = require 'harness'
local sock99 = require 'sock99'
local poll = require 'posix.poll'
local socket = require 'posix.sys.socket'
local unistd = require 'posix.unistd'

local build = harness.build
local host = '127.0.0.1'

local kinds = {
  { name = 'tcp_server', n = 2000 },
  { name = 'tcp_client', n = 1000 },
  { name = 'udp_client', n = 5000 },
  { name = 'unix_client', n = 1000 },
}

local bare = { library = 'bare', command = build .. '/bench/bare' }
local library = { library = 'socket99', command = build .. '/bench/library' }
local contenders = harness.contenders {
  { library = 'descriptor', module = 'sock99' },
  { library = 'sock99', module = 'sock99' },
  { library = 'luaposix', module = 'posix.sys.socket' },
  { library = 'luasocket', module = 'socket.unix' },
  { library = 'cqueues', module = 'cqueues.socket' },
  { library = 'luv', module = 'luv' },
}
table.insert(contenders, 1, library)


local function free_port(datagram)
  local port = 20000 + unistd.getpid() % 10000
  while true do
    local fd, message, code = sock99.open { ipv4 = host, port = port, server = true,
      datagram = datagram, sockopts = not datagram and { linger = 0, rcvtimeo = 10 } or nil }
    if fd then
      return port, fd
    end
    assert(code == sock99.errno.EADDRINUSE, message)
    port = port + 1
  end
end


-- The peers: where each kind of socket is opened, and who accepts.
local path = build .. '/bench/listener'
local udp_port = free_port(true)
local tcp_port, tcp_listener = free_port(false)
local server_port, server = free_port(false)
sock99.close(server)
local unix_listener = assert(sock99.open { path = path, server = true, unlink = true,
  sockopts = { rcvtimeo = 10 } })
local ports =
  { tcp_server = server_port, tcp_client = tcp_port, udp_client = udp_port, unix_client = 0 }
local listeners = { tcp_client = tcp_listener, unix_client = unix_listener }


local function accept_all(kind, n)
  local listener = listeners[kind.name]
  for _ = 1, listener and n or 0 do
    sock99.close(assert(socket.accept(listener)))
  end
end


-- Those of a program that ended before its time.
local function accept_what_is_there(kind)
  local listener = listeners[kind.name]
  while listener and poll.rpoll(listener, 100) == 1 do
    sock99.close(assert(socket.accept(listener)))
  end
end


-- Runs n openings, under a command if one is given; the seconds they took.
local function run(contender, kind, n, under)
  local program = contender.command
    or contender.interpreter .. ' bench/open.lua ' .. contender.library
  local command = table.concat({ contender.environment or '', under or '', program,
    kind.name, n, host, ports[kind.name], path }, ' ')
  local seconds = tonumber(harness.output(command .. ' 2>' .. build .. '/bench/errors'))
  if not seconds then
    accept_what_is_there(kind)
    error(harness.output('head -n 1 ' .. build .. '/bench/errors'), 0)
  end
  accept_all(kind, n)
  return seconds
end


-- System calls by name, and the names in the order of their last appearance.
local function count_calls(contender, kind, n)
  local counts, names = harness.system_calls(function(under)
    run(contender, kind, n, under)
  end)
  local order = {}
  for i = #names, 1, -1 do
    if not order[names[i]] then
      order[names[i]] = true
      table.insert(order, 1, names[i])
    end
  end
  return counts, order
end


-- Those of one opening and closing, as what 20 make more than 10: how many, and a list.
local function system_calls(contender, kind)
  local few = count_calls(contender, kind, 10)
  local many, order = count_calls(contender, kind, 20)
  local calls, sum = {}, 0
  for _, name in ipairs(order) do
    local each = math.floor((many[name] - (few[name] or 0)) / 10 + 0.5)
    sum = sum + each
    if each > 0 then
      table.insert(calls, each > 1 and ('%s x%d'):format(name, each) or name)
    end
  end
  return sum, table.concat(calls, ', ')
end


local function count_all(contender, kind)
  local work = 'open.' .. kind.name
  if harness.has 'strace' then
    local calls, list = system_calls(contender, kind)
    harness.record(work, contender, 'calls', calls)
    harness.record(work, contender, 'call list', list)
  end
  if harness.has 'valgrind' and not harness.quick then
    harness.record(work, contender, 'instructions', harness.each(100, function(n)
      return harness.instructions(function(under) run(contender, kind, n, under) end)
    end))
  end
  harness.record(work, contender, 'allocations', harness.each(100, function(n)
    return (harness.allocations(function(under) run(contender, kind, n, under) end))
  end))
end


local function benchmark()
  for _, kind in ipairs(kinds) do
    local able = harness.compare('open.' .. kind.name, bare, contenders, harness.rounds,
      function(contender)
        return run(contender, kind, kind.n) / kind.n * 1e6
      end, function(contender)
        run(contender, kind, 10)
      end)
    table.insert(able, 1, bare)
    for _, contender in ipairs(able) do
      if not contender.lua or contender.lua == harness.counted then
        harness.attempt('open.' .. kind.name, contender, count_all, kind)
      end
    end
  end
end


benchmark()
unistd.unlink(path)
