-- Sockets that were passed to the process: the tests speak systemd's protocol
-- themselves, to an interpreter that they start; and have systemd's own tool do
-- it, where there is one.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

local keep = support.keep

TestPassed = support.suite()
TestUntrue = support.suite()


-- What each program begins with.
local preamble = [[
local sock99 = require 'sock99'
local system = require 'test_support'
local function class(socket) return socket and tostring(socket):match '^[^:]+' or 'none' end
]]


local function write_program(text)
  local name = support.path 'program.lua'
  local file = assert(io.open(name, 'w'))
  assert(file:write(preamble .. text))
  assert(file:close())
  return name
end


-- Makes these descriptors those from 3 on.
local function renumber(fds)
  for i, fd in ipairs(fds) do
    assert(support.dup2(fd, 100 + i))
  end
  for i in ipairs(fds) do
    assert(support.dup2(100 + i, 2 + i))
    support.close(100 + i)
  end
end


-- The lines that a program prints that got these descriptors, from 3 on, and
-- these variables; $$ is its own process.
local function lines_of(program, variables, fds)
  local script, told = write_program(program), support.path 'told'
  local command = ("unset LISTEN_PID LISTEN_FDS LISTEN_FDNAMES; %s exec '%s' '%s' >'%s'"):format(
    variables, support.interpreter, script, told)
  io.stdout:flush()
  local pid = assert(support.fork())
  if pid == 0 then
    support.end_after(60)
    renumber(fds or {})
    support.execute(command)
    support.exit(1)
  end
  lu.assertEquals(support.wait(pid), 0)
  local lines = {}
  for line in io.lines(told) do
    lines[#lines + 1] = line
  end
  return lines
end


local function listener()
  return support.open { host = '127.0.0.1', server = true }
end


local show = [[
for i, passed in ipairs(sock99.listen_fds()) do
  print(i, passed.name, passed.fd, class(passed.socket), system.cloexec(passed.fd),
        passed.socket and passed.socket:getfd() or -1)
end
]]


function TestPassed:test_objects_with_names()
  local fds = {
    listener(),
    support.open { host = '127.0.0.1', server = true, datagram = true },
    support.open { path = support.path(), server = true },
    support.open { path = support.path() },
    (support.pipe()),
  }
  lu.assertEquals(
    lines_of(show, 'LISTEN_PID=$$ LISTEN_FDS=5 LISTEN_FDNAMES=web:log:control:peer:pipe', fds), {
      '1\tweb\t3\ttcp{server}\ttrue\t3',
      '2\tlog\t4\tudp{unconnected}\ttrue\t4',
      '3\tcontrol\t5\ttcp{server}\ttrue\t5',
      '4\tpeer\t6\ttcp{client}\ttrue\t6',
      '5\tpipe\t7\tnone\ttrue\t-1',
    })
end


function TestPassed:test_names_that_are_missing()
  local fds = { listener(), listener(), listener() }
  local program = [[
    for _, passed in ipairs(sock99.listen_fds()) do print(passed.name) end
  ]]
  local function names(variables)
    return lines_of(program, 'LISTEN_PID=$$ LISTEN_FDS=3 ' .. variables, fds)
  end
  lu.assertEquals(names '', { 'unknown', 'unknown', 'unknown' })
  lu.assertEquals(names 'LISTEN_FDNAMES=one', { 'one', 'unknown', 'unknown' })
  lu.assertEquals(names 'LISTEN_FDNAMES=one::three', { 'one', '', 'three' })
  lu.assertEquals(names 'LISTEN_FDNAMES=one:two:three:four', { 'one', 'two', 'three' })
end


function TestPassed:test_only_as_many_as_are_told()
  local fds = { listener(), listener(), listener() }
  lu.assertEquals(lines_of(show .. 'print(system.cloexec(4), system.cloexec(5))',
                           'LISTEN_PID=$$ LISTEN_FDS=1', fds),
                  { '1\tunknown\t3\ttcp{server}\ttrue\t3', 'false\tfalse' })
end


function TestPassed:test_they_are_served()
  local fd = listener()
  local host = '127.0.0.1'
  local client = keep(sock99.socket { host = host, port = support.port_of(fd) })
  client:settimeout(30)
  lines_of([[
    local server = sock99.listen_fds()[1].socket
    server:settimeout(30)
    local client = assert(server:accept())
    client:send('hello\n')
    server:settimeout(0)
    assert(select(2, server:accept()) == 'timeout')
  ]], 'LISTEN_PID=$$ LISTEN_FDS=1', { fd })
  lu.assertEquals(client:receive(), 'hello')
end


function TestPassed:test_a_listener_does_not_hang_in_accept()
  lu.assertEquals(lines_of([[
    local passed = sock99.listen_fds()
    print(system.nonblocking(passed[1].fd), system.nonblocking(passed[2].fd))
  ]], 'LISTEN_PID=$$ LISTEN_FDS=2',
    { listener(), support.open { host = '127.0.0.1', server = true, datagram = true } }),
    { 'true\tfalse' })
end


function TestPassed:test_only_once_and_not_to_children()
  lu.assertEquals(lines_of([[
    local first, second = sock99.listen_fds(), sock99.listen_fds()
    print(#first, #second)
    print(os.getenv 'LISTEN_PID', os.getenv 'LISTEN_FDS', os.getenv 'LISTEN_FDNAMES',
          os.getenv 'LISTEN_PIDFDID')
  ]], 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=x LISTEN_PIDFDID=7', { listener() }),
    { '1\t0', 'nil\tnil\tnil\tnil' })
end


function TestPassed:test_objects_own_their_descriptors()
  lu.assertEquals(lines_of([[
    sock99.listen_fds()
    collectgarbage()
    collectgarbage()
    print(system.descriptors()[3], system.descriptors()[4], system.descriptors()[5])
  ]], 'LISTEN_PID=$$ LISTEN_FDS=3', { listener(), (select(2, support.pipe())), listener() }),
    { 'nil\ttrue\tnil' })
end


function TestPassed:test_memory_that_runs_out_takes_nothing()
  lu.assertEquals(lines_of([[
    local list
    local n = 0
    if jit then jit.off() end -- see support.starve
    while not system.starve(n, function() list = sock99.listen_fds() end) do
      assert(os.getenv 'LISTEN_FDS' == '2')
      assert(not system.cloexec(3) and not system.cloexec(4))
      collectgarbage()
      n = n + 1
    end
    print(n > 0, class(list[1].socket), class(list[2].socket))
  ]], 'LISTEN_PID=$$ LISTEN_FDS=2', { listener(), listener() }),
    { 'true\ttcp{server}\ttcp{server}' })
end


function TestUntrue:test_nothing_was_passed()
  lu.assertEquals(lines_of('print(#sock99.listen_fds())', ''), { '0' })
  lu.assertEquals(sock99.listen_fds(), {})
end


function TestUntrue:test_what_is_not_for_this_process_or_malformed()
  local fds = { listener() }
  local program = [[
    print(#sock99.listen_fds(), system.cloexec(3), os.getenv 'LISTEN_FDS')
  ]]
  for _, variables in ipairs {
    'LISTEN_FDS=1',
    'LISTEN_PID=1 LISTEN_FDS=1',
    'LISTEN_PID= LISTEN_FDS=1',
    'LISTEN_PID=$$x LISTEN_FDS=1',
    'LISTEN_PID=" $$" LISTEN_FDS=1',
    'LISTEN_PID=$$',
    'LISTEN_PID=$$ LISTEN_FDS=',
    'LISTEN_PID=$$ LISTEN_FDS=0',
    'LISTEN_PID=$$ LISTEN_FDS=-1',
    'LISTEN_PID=$$ LISTEN_FDS=+1',
    'LISTEN_PID=$$ LISTEN_FDS=1x',
    'LISTEN_PID=$$ LISTEN_FDS=x',
    'LISTEN_PID=$$ LISTEN_FDS=1.0',
    'LISTEN_PID=$$ LISTEN_FDS=2147483647',
    'LISTEN_PID=$$ LISTEN_FDS=2147483640',
    'LISTEN_PID=$$ LISTEN_FDS=4294967297',
    'LISTEN_PID=$$ LISTEN_FDS=18446744073709551617',
  } do
    lu.assertEquals(lines_of(program, variables, fds), { '0\tfalse\tnil' }, variables)
  end
end


function TestUntrue:test_more_than_there_are()
  lu.assertEquals(lines_of('print(#sock99.listen_fds(), system.cloexec(3))',
                           'LISTEN_PID=$$ LISTEN_FDS=100', { listener() }), { '0\tfalse' })
end


-- A connection to a path that somebody is about to listen on.
local function connect_when_it_is_there(path)
  local deadline = support.now() + 30
  repeat
    local client, message = sock99.socket { path = path }
    if client then
      return keep(client)
    end
    lu.assertTrue(support.now() < deadline, message)
    support.sleep(0.01)
  until false
end


function TestPassed:test_systemd_socket_activate()
  lu.skipIf(support.runner, 'the RUNNER would run the tool, too')
  local tool = support.output_of 'command -v systemd-socket-activate || true'
  lu.skipIf(tool == '', 'there is no systemd-socket-activate')
  local path = support.path()
  local script = write_program [[
    local passed = sock99.listen_fds()
    local client = assert(passed[1].socket:accept())
    client:send(#passed .. passed[1].name .. '\n')
  ]]
  local command = ("exec %s -E LUA_PATH -E LUA_CPATH -l '%s' --fdname=control '%s' '%s'")
    :format(tool, path, support.interpreter, script)
  support.spawn(function()
    support.end_after(60)
    support.execute(command .. ' >/dev/null 2>&1')
  end)
  local client = connect_when_it_is_there(path)
  client:settimeout(30)
  lu.assertEquals(client:receive(), '1control')
end


support.run()
