-- What the tests of this directory share: a clock, and openings that are timed.

local sock99 = require 'sock99'
local dirent = require 'posix.dirent'
local poll = require 'posix.poll'
local stat = require 'posix.sys.stat'
local time = require 'posix.time'
local lu = require 'luaunit'

local network = {}

function network.now()
  local at = time.clock_gettime(time.CLOCK_MONOTONIC)
  return at.tv_sec + at.tv_nsec / 1e9
end

function network.assert_took(seconds, least, most)
  if seconds < least or seconds > most then
    lu.fail(('took %.3f s, not %.2f to %.2f'):format(seconds, least, most))
  end
end

-- Gives each test of a class that asserts times three tries: a busy machine can
-- miss 50 ms now and then.
function network.retry(class)
  local nothing = function() end
  for name, test in pairs(class) do
    if name:match '^test' then
      class[name] = function(self)
        for _ = 1, 2 do
          local ok, problem = pcall(test, self)
          if ok then
            return
          end
          network.tell('%s once more: %s', name,
            type(problem) == 'table' and tostring(problem.msg) or tostring(problem))
          local down, up = class.tearDown or nothing, class.setUp or nothing
          down(self)
          up(self)
        end
        test(self)
      end
    end
  end
end

-- Prints what was measured.
function network.tell(...)
  print('# ' .. string.format(...))
end

-- Drives an opening by its pollfd alone. Returns its results, the seconds that
-- it took, the longest call of `start` or `step`, and how many steps there were.
function network.drive(t)
  local began = network.now()
  local opening = assert(sock99.start(t))
  local longest = network.now() - began
  local number, steps = opening:pollfd(), 0
  while true do
    lu.assertEquals(poll.rpoll(number, 20000), 1, 'pollfd never became readable')
    local before = network.now()
    local results = { opening:step() }
    longest = math.max(longest, network.now() - before)
    steps = steps + 1
    lu.assertEquals(opening:pollfd(), number)
    if results[1] ~= false then
      local took = network.now() - began
      lu.assertEquals({ opening:step() }, { nil, 'unknown opening: Operation already in progress',
        sock99.errno.EALREADY, 'unknown' })
      lu.assertEquals(opening:pollfd(), number)
      opening:cancel()
      if results[1] then
        results[1] = results[1]:detach()
      end
      return results, took, longest, steps
    end
  end
end

-- The same with `open`.
function network.open(t)
  local began = network.now()
  local results = { sock99.open(t) }
  return results, network.now() - began
end

-- Runs a case through `open` and through an opening.
function network.both(t, check)
  for _, way in ipairs { 'open', 'drive' } do
    local results, took, _, steps = network[way](t)
    check(results, took, way, steps)
    if results[1] then
      sock99.close(results[1])
    end
  end
end

-- As /proc/net writes an address, on a little-endian machine.
local known = {
  ['0200090A'] = '10.9.0.2',
  ['000009FD000000000000000002000000'] = 'fd09::2',
  ['000009FD000000000000000070000000'] = 'fd09::70',
  ['B80D0120000009000000000002000000'] = '2001:db8:9::2',
}

-- The line of /proc/net about a socket, as fields.
local function kernel_fields(fd)
  local inode = tostring(assert(stat.stat('/proc/self/fd/' .. fd)).st_ino)
  for _, protocol in ipairs { 'tcp', 'tcp6' } do
    for line in io.lines('/proc/net/' .. protocol) do
      local fields = {}
      for field in line:gmatch '%S+' do
        table.insert(fields, field)
      end
      if fields[10] == inode then
        return fields
      end
    end
  end
end

function network.peer(fd)
  return known[kernel_fields(fd)[3]:match '%x+']
end

function network.own_port(fd)
  return tonumber(kernel_fields(fd)[2]:match ':(%x+)', 16)
end

-- The system sorts addresses: a test that relies on an order makes sure of it.
function network.assert_addresses(name, expected)
  local hosts = {}
  for _, address in ipairs(assert(sock99.resolve { host = name })) do
    table.insert(hosts, address.host)
  end
  lu.assertEquals(hosts, expected)
end

function network.assert_failed(results, stage, code, message)
  lu.assertNil(results[1])
  lu.assertEquals({ results[4], results[3], results[2] }, { stage, sock99.errno[code], message })
end

-- Waits until the resolver's threads are gone; those of abandoned lookups stay
-- for the two seconds that /etc/resolv.conf gives each of their questions.
function network.await_threads()
  local deadline = network.now() + 20
  local count
  repeat
    count = 0
    for name in dirent.files '/proc/self/task' do
      count = count + (name:match '^%d+$' and 1 or 0)
    end
    poll.poll({}, 5)
  until count == 1 or network.now() > deadline
  lu.assertEquals(count, 1, 'threads')
end

return network
