-- support: what the Lua tests share. It has every call of test_support (the
-- system calls of test/lua/support.c), and what is built on them.
--
-- A suite's tearDown closes every object that was kept and every descriptor,
-- and removes every file that a test made; what a test asserts about leaks, it
-- asserts itself.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local system = require 'test_support'

local support = setmetatable({}, { __index = system })

-- The interpreter that runs this; under a RUNNER there is more in front of it.
support.interpreter = arg[-1]
support.runner = (os.getenv 'RUNNER' or '') ~= ''


-- Suites

local directory, spawned, kept = nil, {}, {}


-- Both as they were. Lua 5.5 has other names for them.
function support.pace_collector(pause, multiplier)
  if _VERSION == 'Lua 5.5' then
    return collectgarbage('param', 'pause', pause), collectgarbage('param', 'stepmul', multiplier)
  end
  return collectgarbage('setpause', pause), collectgarbage('setstepmul', multiplier)
end


-- Of this process; nil where /proc does not tell, or no descriptor is left to ask it.
local function thread_count()
  local status = io.open '/proc/self/status'
  if not status then
    return nil
  end
  local count = status:read('*a'):match 'Threads:%s+(%d+)'
  status:close()
  return tonumber(count)
end


-- One, but for what the program runs under: an emulator has a thread of its own.
local own_threads = thread_count()


-- The thread of a lookup that was given up has files open for a moment, which
-- are neither a test's leak nor a test's to close. Where /proc tells, wait for
-- its end.
local function await_threads()
  for _ = 1, 1000 do
    local count = thread_count()
    if not count or count == own_threads then
      return
    end
    sock99.sleep(0.01)
  end
end


function support.suite()
  local before
  return {
    setUp = function()
      await_threads()
      before = system.descriptors()
    end,

    tearDown = function()
      for _, object in ipairs(kept) do
        object:close()
      end
      kept = {}
      await_threads()
      for fd in pairs(system.descriptors()) do
        if not before[fd] then
          system.close(fd)
        end
      end
      for _, pid in ipairs(spawned) do
        system.wait(pid)
      end
      spawned = {}
      if directory then
        os.execute("rm -rf '" .. directory .. "'")
        directory = nil
      end
    end,
  }
end


function support.run()
  os.exit(lu.LuaUnit.run(), true)
end


-- Socket objects that a call must have made. tearDown closes them: one that is
-- collected later could close a descriptor of the next test's.
function support.keep(object, other, ...)
  lu.assertNotNil(object, other)
  kept[#kept + 1] = object
  if type(other) == 'userdata' then
    kept[#kept + 1] = other
  end
  return object, other, ...
end


-- Calls f, where Lua gets memory n times and then no more; true where that was
-- enough. LuaJIT 2.1.0-beta3 crashes where a compiled trace runs out of memory:
-- what is starved is interpreted.
function support.starve(n, f)
  if jit then
    jit.off()
    jit.flush()
  end
  return system.starve(n, f)
end


-- A listening object on a free port of 127.0.0.1, or what else `t` says.
function support.listener(t)
  t = t or { host = '127.0.0.1' }
  t.server = true
  return support.keep(sock99.socket(t))
end


-- A connection over TCP: the client, the accepted object, the listener.
function support.connection(host, sockopts)
  local server = support.listener { host = host or '127.0.0.1', sockopts = sockopts }
  local name, port = server:getsockname()
  local client = support.keep(sock99.socket { host = name, port = port, sockopts = sockopts })
  return client, support.keep(server:accept()), server
end


-- A file name in a directory of the test's own.
function support.path(name)
  directory = directory or assert(system.mkdtemp())
  return directory .. '/' .. (name or 'socket')
end


-- A path of exactly so many bytes, in that directory.
function support.long_path(bytes)
  local prefix = support.path('')
  return prefix .. ('x'):rep(bytes - #prefix)
end


-- An abstract name that nobody else has.
function support.abstract(suffix)
  return '\0' .. support.path(suffix)
end


-- Openings

function support.count(set)
  local n = 0
  for _ in pairs(set) do
    n = n + 1
  end
  return n
end


function support.descriptor_count()
  await_threads()
  return support.count(system.descriptors())
end


-- Calls f, which must leave as many descriptors open as there were.
function support.assert_no_fd_leak(f, ...)
  local before = support.descriptor_count()
  f(...)
  lu.assertEquals(support.descriptor_count(), before, 'descriptors leaked')
end


-- The descriptor that an opening must give.
function support.open(t)
  local fd, message, code, stage = sock99.open(t)
  if fd == nil then
    lu.fail(('not opened: %s (%s, %s)'):format(message, tostring(code), tostring(stage)))
  end
  lu.assertIsNumber(fd)
  lu.assertTrue(fd >= 0 and fd % 1 == 0)
  if math.type then
    lu.assertEquals(math.type(fd), 'integer')
  end
  lu.assertNil(message)
  return fd
end


-- What an opening must fail with; the message is told whole, or not at all.
-- A failure leaves no descriptor.
function support.fails(t, stage, code, message)
  local before = support.descriptor_count()
  local result = { sock99.open(t) }
  lu.assertEquals(support.descriptor_count(), before, 'descriptors leaked')
  lu.assertNil(result[1])
  lu.assertIsString(result[2])
  lu.assertEquals({ result[4], sock99.errno[result[3]] }, { stage, code }, result[2])
  if message then
    lu.assertEquals(result[2], message)
  end
  return result[2]
end


-- A configuration error, whose message is this after its prefix.
function support.refuses(t, message)
  return support.fails(t, 'configuration', 'EINVAL', message and 'configuration: ' .. message)
end


-- A raised error, with this text in it.
function support.raises(text, t, ...)
  local before = support.descriptor_count()
  lu.assertErrorMsgContains(text, sock99.open, t, ...)
  lu.assertEquals(support.descriptor_count(), before, 'descriptors leaked')
end


-- The fields of both; those of the second win.
function support.with(t, fields)
  local both = {}
  for _, each in ipairs { t, fields } do
    for name, value in pairs(each) do
      both[name] = value
    end
  end
  return both
end


function support.port_of(fd)
  local _, port = assert(system.getsockname(fd))
  return port
end


-- A server on a free port (and what else `t` says), and that port.
function support.server(t)
  local fd = support.open(support.with({ server = true, host = '127.0.0.1' }, t or {}))
  return fd, support.port_of(fd)
end


-- A loopback port that nobody listens on, below the ephemeral ones: no client
-- of somebody else's gets it in the meantime.
function support.closed_port(host)
  for _ = 1, 100 do
    local port = math.random(20000, 32000)
    local fd = sock99.open { host = host or '127.0.0.1', port = port, server = true }
    if fd then
      system.close(fd)
      return port
    end
  end
  error 'no free port'
end


-- A line each way between two connected descriptors.
function support.assert_talk(a, b)
  assert(system.send(a, 'knock, knock'))
  lu.assertEquals((system.recv(b)), 'knock, knock')
  assert(system.send(b, "who's there?"))
  lu.assertEquals((system.recv(a)), "who's there?")
end


-- Other processes. What goes wrong in one goes wrong here.

-- Nothing is left in a buffer for the child to print a second time.
local function fork()
  io.stdout:flush()
  return assert(system.fork())
end


local function run_in_child(f, writer)
  local ok, problem = pcall(f)
  system.write(writer, ok and 'ok' or tostring(problem))
  system.exit(0)
end


function support.in_child(f)
  local reader, writer = assert(system.pipe())
  local pid = fork()
  if pid == 0 then
    run_in_child(f, writer)
  end
  system.close(writer)
  local told = ''
  repeat
    local piece = assert(system.read(reader))
    told = told .. piece
  until piece == ''
  system.close(reader)
  local status = assert(system.wait(pid))
  if told ~= 'ok' then
    error(told ~= '' and told or ('the child ended with status ' .. status), 0)
  end
  lu.assertEquals(status, 0, "the child's exit status")
end


-- A child that does something on the side, until tearDown.
function support.spawn(f)
  local pid = fork()
  if pid == 0 then
    pcall(f)
    system.exit(0)
  end
  spawned[#spawned + 1] = pid
end


-- In a network of its own that has only loopback.
function support.in_network(f)
  support.in_child(function()
    local ok, why = system.unshare_network()
    lu.skipIf(not ok, 'no network namespace can be made: ' .. tostring(why))
    ok, why = system.interface_up('lo')
    lu.skipIf(not ok, 'loopback cannot be brought up: ' .. tostring(why))
    f()
  end)
end


-- In a network of its own without IPv6 addresses.
function support.without_ipv6(f)
  support.in_network(function()
    local file = io.open('/proc/sys/net/ipv6/conf/all/disable_ipv6', 'w')
    lu.skipIf(not file, 'IPv6 cannot be switched off in a network namespace')
    local ok = file:write '1' and file:close()
    lu.skipIf(not ok, 'IPv6 cannot be switched off in a network namespace')
    f()
  end)
end


-- As a user with no privileges.
function support.as_nobody(f)
  support.in_child(function()
    if system.getuid() == 0 then
      assert(system.setuid(65534))
    end
    f()
  end)
end


-- As a user who is not the owner of our files.
function support.as_stranger(f)
  lu.skipIf(system.getuid() ~= 0, 'only root can become another user')
  support.as_nobody(f)
end


-- What a command prints, its last newline dropped. A sanitizer that is
-- preloaded is for the interpreter: see support.interpret.
function support.output_of(command)
  local pipe = assert(io.popen('unset LD_PRELOAD; ' .. command))
  local output = pipe:read('*a')
  pipe:close()
  return (output:gsub('\n$', ''))
end


-- The command with which a shell has this interpreter run a file.
function support.interpret(name)
  return ("env LD_PRELOAD='%s' '%s' '%s'"):format(os.getenv 'LD_PRELOAD' or '', support.interpreter,
                                                 name)
end


-- Memory

local function find_module(name)
  for template in package.cpath:gmatch '[^;]+' do
    local path = template:gsub('%?', name)
    local file = io.open(path)
    if file then
      file:close()
      return path
    end
  end
end


-- Runs the test of that name with malloc.c before the C library's allocator, in a
-- process of its own; true: this is one. Otherwise it returns what the test printed.
function support.counts_blocks(name)
  if require 'test_states'.counts_blocks() then
    return true
  end
  lu.skipIf(support.runner, 'the RUNNER has an allocator of its own')
  lu.skipIf(os.getenv 'SOCK99_PRELOADED', 'only with the GNU C library')
  local output = support.output_of(('SOCK99_PRELOADED=1 LD_PRELOAD=%s %s %s -o tap %s 2>&1'):format(
    find_module 'test_malloc', support.interpreter, arg[0], name))
  local reason = output:match '# SKIP ([^\n]*)'
  lu.skipIf(reason, reason)
  lu.assertStrContains(output, '1 success')
  return false, output
end


-- System calls

-- What strace(1) tells of a program, between two calls of close that do nothing:
-- support.close(-1000).
function support.trace(text)
  lu.skipIf(support.runner, 'the RUNNER makes calls of its own')
  local program, told = support.path 'program.lua', support.path 'trace'
  local file = assert(io.open(program, 'w'))
  file:write(text)
  file:close()
  local output = support.output_of(('strace -f -e trace=network,%%desc -o %s %s %s 2>&1'):format(
    told, support.interpreter, program))
  file = io.open(told)
  lu.skipIf(not file or output:find 'ptrace', 'strace does not work here: ' .. output)
  local lines = file:read '*a'
  file:close()
  lu.assertEquals(output, '')
  return assert(lines:match 'close%(%-1000%).-\n(.*)%d+ +close%(%-1000%)', lines)
end


-- The names of those calls, in order. An allocator's calls are its own business.
function support.calls(text)
  local names = {}
  for name in support.trace(text):gmatch '%d+ +([%w_]+)%(' do
    if not name:find '^mmap' then
      names[#names + 1] = name
    end
  end
  return table.concat(names, ' ')
end


return support
