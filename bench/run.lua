-- run.lua: what it costs to open and close a socket, compared with bare system calls.
--
-- Every contender is a program that prints the CPU time (user and system) of N
-- openings. Bare C runs right before each of them, and the ratio of the two is
-- what is told, as the median over all rounds: the noise of the machine cancels.
--
-- The listener of the clients lives here and accepts only between the runs:
-- every client closes first, whatever its speed. SO_LINGER 0 then resets the
-- connection, so that nothing stays in TIME_WAIT. Its port is below 32768:
-- a loopback peer above would have to be told apart from the client itself.

package.path = 'bench/?.lua;' .. package.path

local harness = require 'harness'
local sock99 = require 'sock99'
local socket = require 'posix.sys.socket'
local unistd = require 'posix.unistd'

local build, output, print_table = harness.build, harness.output, harness.print_table
local host = '127.0.0.1'

local kinds = {
  { name = 'tcp_server', title = 'TCP server', n = 2000 },
  { name = 'tcp_client', title = 'TCP client', n = 1000 },
  { name = 'udp_client', title = 'UDP client', n = 5000 },
  { name = 'unix_client', title = 'Unix client', n = 1000 },
}

local bare = { title = 'bare C', command = build .. '/bench/bare' }
local contenders = {
  { title = 'socket99, C', command = build .. '/bench/library' },
  { title = 'sock99, Lua 5.3', lua = '5.3', library = 'sock99', module = 'sock99' },
  { title = 'sock99, Lua 5.4', lua = '5.4', library = 'sock99', module = 'sock99' },
  { title = 'sock99, LuaJIT', lua = 'jit', library = 'sock99', module = 'sock99' },
  { title = 'sock99 objects, Lua 5.3', lua = '5.3', library = 'objects', module = 'sock99' },
  { title = 'luaposix, Lua 5.3', lua = '5.3', library = 'luaposix', module = 'posix.sys.socket' },
  { title = 'LuaSocket, Lua 5.3', lua = '5.3', library = 'luasocket', module = 'socket.unix' },
  { title = 'cqueues, Lua 5.3', lua = '5.3', library = 'cqueues', module = 'cqueues.socket' },
}


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


-- What a contender prints about n openings; `under` runs it, `tail` redirects.
local function run(contender, kind, n, under, tail)
  local program = contender.command
    or contender.interpreter .. ' bench/open.lua ' .. contender.library
  local command = table.concat({ contender.environment or '', under or '', program,
    kind.name, n, host, ports[kind.name], path, tail or '' }, ' ')
  local text, ok = output(command)
  assert(ok, 'failed: ' .. command)
  accept_all(kind, n)
  return text
end


local function microseconds(contender, kind)
  return tonumber(run(contender, kind, kind.n)) / kind.n * 1e6
end


-- System calls by name, and the names in the order of their last appearance.
local function count_calls(contender, kind, n)
  local counts, names = harness.system_calls(function(under)
    run(contender, kind, n, under, '>/dev/null')
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


-- Those of one opening and closing: what 20 make more than 10.
local function system_calls(contender, kind)
  local few = count_calls(contender, kind, 10)
  local many, order = count_calls(contender, kind, 20)
  local calls = {}
  for _, name in ipairs(order) do
    local each = math.floor((many[name] - (few[name] or 0)) / 10 + 0.5)
    if each > 0 then
      table.insert(calls, each > 1 and ('%s x%d'):format(name, each) or name)
    end
  end
  return table.concat(calls, ', ')
end


-- Instructions of the program itself, the kernel's not counted.
local function instructions(contender, kind)
  local function count(n)
    return harness.instructions(function(under)
      run(contender, kind, n, under, '>/dev/null')
    end)
  end

  return (count(300) - count(100)) / 200
end


local function benchmark()
  local system = output('uname -srm'):match '[^\n]+'
  print(('%s; %s; median of %d rounds.'):format(sock99._VERSION, system, harness.rounds))
  local present = harness.present(contenders)
  local all = { bare }
  for _, contender in ipairs(present) do
    table.insert(all, contender)
  end
  for _, kind in ipairs(kinds) do
    harness.compare(bare, present, kind, harness.rounds, microseconds)
  end
  print_table('CPU time of open and close, to bare C', all, kinds, function(contender, kind)
    return ('%.2f'):format(contender[kind].ratio)
  end)
  print_table('in microseconds', all, kinds, function(contender, kind)
    return ('%.2f'):format(contender[kind].time)
  end)
  if harness.has 'strace' then
    print_table('system calls', all, kinds, system_calls)
  else
    print '\nSkipped: system calls: no strace'
  end
  if harness.has 'valgrind' then
    print_table('instructions outside the kernel', all, kinds, function(contender, kind)
      return ('%.0f'):format(instructions(contender, kind))
    end)
  else
    print '\nSkipped: instructions: no valgrind'
  end
end


benchmark()
unistd.unlink(path)
