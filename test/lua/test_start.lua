-- Openings from Lua: what start, step and the rest return, that the garbage
-- collector ends what the program forgot, and how a deadline is said.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

local errno, raises, refuses = sock99.errno, support.raises, support.refuses

-- Those that are not collected yet. One that outlived its test would close the
-- next one's descriptors, once tearDown has closed its own.
local openings = setmetatable({}, { __mode = 'k' })

local function suite()
  local made = support.suite()
  local close_descriptors = made.tearDown
  function made.tearDown()
    for opening in pairs(openings) do
      opening:cancel()
    end
    close_descriptors()
  end
  return made
end

TestStart = suite()
TestEnd = suite()
TestTimes = suite()
TestResolve = suite()


local function start(t)
  local opening, message = sock99.start(t)
  lu.assertNotNil(opening, message)
  openings[opening] = true
  return opening
end


-- Steps whenever its descriptor is readable; what the last step returned.
local function finish(opening)
  local fd = opening:pollfd()
  for _ = 1, 1000 do
    lu.assertTrue(support.readable(fd, 10), 'nothing to wait for')
    local results = { opening:step() }
    lu.assertEquals(opening:pollfd(), fd)
    if results[1] ~= false then
      if results[1] then
        results[1] = results[1]:detach()
      end
      return results[1], results[2], results[3], results[4]
    end
    lu.assertEquals(results, { false })
  end
  lu.fail('still not done')
end


-- A listener that takes no more connections, what holds them, and its path.
local function full_listener()
  local path = support.path('full')
  local listener = support.open { path = path, server = true, backlog = 1 }
  for _ = 1, 2 do
    support.open { path = path }
  end
  return path, listener
end


-- Start and step

function TestStart:test_a_tcp_client()
  local server, port = support.server()
  local fd, more = finish(start { host = '127.0.0.1', port = port })
  lu.assertIsNumber(fd)
  lu.assertNil(more)
  if math.type then
    lu.assertEquals(math.type(fd), 'integer')
  end
  lu.assertFalse(support.nonblocking(fd))
  lu.assertTrue(support.cloexec(fd))
  support.assert_talk(fd, assert(support.accept(server)))
end


function TestStart:test_a_name()
  local server, port = support.server()
  local fd = finish(start { host = 'localhost', port = port, nonblocking = true })
  lu.assertIsNumber(fd)
  lu.assertTrue(support.nonblocking(fd))
  assert(support.accept(server))
end


function TestStart:test_servers_and_datagrams()
  local server = finish(start { host = 'localhost', server = true })
  local client = finish(start { host = '127.0.0.1', port = support.port_of(server) })
  support.assert_talk(client, assert(support.accept(server)))
  lu.assertIsNumber(finish(start { datagram = true }))
  lu.assertIsNumber(finish(start { host = '127.0.0.1', port = 9, datagram = true }))
  lu.assertIsNumber(finish(start { path = support.path(), server = true }))
end


function TestStart:test_failures_are_those_of_open()
  for _, t in ipairs {
    { host = '127.0.0.1', port = support.closed_port() },
    { path = support.path('nowhere') },
    { host = 'a..b', port = 1 },
    { host = '127.0.0.1', port = 'no-such-service' },
    { host = '127.0.0.1', port = 1, bind = { host = '192.0.2.1' } },
  } do
    support.assert_no_fd_leak(function()
      local opening = start(t)
      lu.assertEquals({ finish(opening) }, { sock99.open(t) })
      opening:cancel()
    end)
  end
end


function TestStart:test_start_returns_configuration_errors()
  support.assert_no_fd_leak(function()
    for _, t in ipairs {
      { host = '' }, { host = 'x' }, { host = 'x', port = 70000 }, { path = ('x'):rep(200) },
      { host = 'x', path = 'y' }, { ipv4 = '::1', port = 1 }, { host = 'x', port = 1, timeout = 0 },
    } do
      local results = { sock99.start(t) }
      lu.assertEquals(results[4], 'configuration')
      lu.assertEquals(results[3], errno.EINVAL)
      lu.assertEquals(results, { sock99.open(t) })
    end
  end)
end


function TestStart:test_start_raises_what_open_raises()
  support.assert_no_fd_leak(function()
    lu.assertErrorMsgContains('table expected, got nil', sock99.start, nil)
    lu.assertErrorMsgContains("unknown field 'hots'", sock99.start, { hots = 'x' })
    lu.assertErrorMsgContains("field 'host': string expected", sock99.start, { host = 5 })
  end)
end


function TestStart:test_the_table_may_change_or_die_after_start()
  local server, port = support.server()
  local t = { host = 'local' .. 'host', port = port, sockopts = { keepalive = true } }
  local opening = start(t)
  t.host, t.sockopts = nil, nil
  t = nil -- luacheck: ignore 311
  collectgarbage()
  collectgarbage()
  lu.assertIsNumber(finish(opening))
  assert(support.accept(server))
end


function TestStart:test_events_and_timeout()
  local path = full_listener()
  local opening = start { path = path }
  lu.assertEquals(opening:events(), 'r')
  lu.assertEquals(opening:timeout(), 0)
  lu.assertEquals({ opening:step() }, { false })
  lu.assertEquals(opening:events(), 'r')
  lu.assertTrue(opening:timeout() >= 0 and opening:timeout() <= 0.02)
  lu.assertStrContains(tostring(opening), 'opening')
end


function TestStart:test_a_full_listener_is_tried_again()
  local path, listener = full_listener()
  local opening = start { path = path }
  for _ = 1, 5 do
    lu.assertTrue(support.readable(opening:pollfd(), 1))
    lu.assertEquals({ opening:step() }, { false })
  end
  assert(support.accept(listener))
  lu.assertIsNumber(finish(opening))
end


function TestStart:test_methods_want_an_opening()
  local opening = start { datagram = true }
  for _, name in ipairs { 'step', 'pollfd', 'events', 'timeout', 'cancel' } do
    lu.assertErrorMsgContains('bad argument', opening[name])
    lu.assertErrorMsgContains('bad argument', opening[name], {})
    lu.assertErrorMsgContains('bad argument', opening[name], io.stdout)
  end
  lu.assertNil(opening.nothing)
end


-- The end

function TestEnd:test_a_step_after_the_end()
  local opening = start { datagram = true }
  local fd = finish(opening)
  for _ = 1, 2 do
    local nothing, message, code, stage = opening:step()
    lu.assertNil(nothing)
    lu.assertIsString(message)
    lu.assertEquals(errno[code], 'EALREADY')
    lu.assertEquals(stage, 'unknown')
  end
  lu.assertNil(opening:timeout())
  lu.assertEquals(opening:events(), 'r')
  opening:cancel()
  lu.assertTrue(sock99.close(fd), 'the socket is the program\'s')
end


function TestEnd:test_cancel_at_any_stage()
  local _, port = support.server()
  local path = full_listener()
  local tables = { { host = '127.0.0.1', port = port }, { path = path }, { datagram = true } }
  for _, t in ipairs(tables) do
    for steps = 0, 2 do
      local delivered = nil
      local before = support.descriptor_count()
      local opening = start(t)
      for _ = 1, steps do
        delivered = opening:step() or delivered
      end
      for _ = 1, 2 do
        opening:cancel()
        lu.assertEquals(opening:pollfd(), -1)
        lu.assertNil(opening:timeout())
        lu.assertEquals(opening:events(), 'r')
        local _, message, code = opening:step()
        lu.assertIsString(message)
        lu.assertEquals(errno[code], 'ECANCELED')
      end
      if delivered then
        delivered:close()
      end
      lu.assertEquals(support.descriptor_count(), before)
    end
  end
end


function TestEnd:test_garbage_is_collected_with_its_descriptors()
  local path = full_listener()
  support.assert_no_fd_leak(function()
    for _ = 1, 50 do
      local opening = start { path = path, timeout = 5 }
      opening:step()
    end
    collectgarbage()
    collectgarbage()
  end)
end


-- The thread of a lookup that was given up has files open until it is through.
function TestEnd:test_garbage_in_a_lookup_is_collected()
  local before = support.descriptor_count()
  for i = 1, 50 do
    local opening = start { host = 'localhost', port = 1 }
    if i % 2 == 0 then
      opening:step()
    end
  end
  collectgarbage()
  collectgarbage()
  for _ = 1, 500 do
    if support.descriptor_count() == before then
      break
    end
    support.sleep(0.01)
  end
  lu.assertEquals(support.descriptor_count(), before)
end


function TestEnd:test_a_variable_to_be_closed()
  local load_text = loadstring or load -- luacheck: ignore 113
  local scope = load_text [[
    local opening <close> = ...
    opening:step()
  ]]
  lu.skipIf(not scope, 'this Lua has no variables to be closed')
  local path = full_listener()
  local opening = start { path = path }
  scope(opening)
  lu.assertEquals(opening:pollfd(), -1)
end


-- A child may only close what its parent started.
function TestEnd:test_a_child_cannot_step()
  local path, listener = full_listener()
  local opening = start { path = path }
  opening:step()
  support.in_child(function()
    local nothing, message, code = opening:step()
    assert(nothing == nil and type(message) == 'string' and type(code) == 'number')
    opening:cancel()
    assert(opening:pollfd() == -1)
  end)
  assert(support.accept(listener))
  lu.assertIsNumber(finish(opening))
end


-- timeout and attempt_delay

local fine = { datagram = true }


function TestTimes:test_what_is_no_number_raises()
  for _, field in ipairs { 'timeout', 'attempt_delay' } do
    for _, value in ipairs { '1', true, {}, print } do
      raises(("field '%s': seconds (a number) expected, got %s"):format(field, type(value)),
             support.with(fine, { [field] = value }))
    end
  end
end


function TestTimes:test_a_timeout_is_more_than_zero()
  for _, value in ipairs { 0, -0.5, -1, -math.huge } do
    refuses(support.with(fine, { timeout = value }),
            ('timeout %.14g is not more than 0 seconds'):format(value))
  end
  lu.assertStrContains(refuses(support.with(fine, { timeout = 0 / 0 })), 'timeout')
end


function TestTimes:test_an_attempt_delay_has_limits()
  for _, value in ipairs { 0, -1, 0.009, 2.001, math.huge, -math.huge } do
    refuses(support.with(fine, { attempt_delay = value }),
            ('attempt_delay %.14g is not in 0.01 to 2 seconds'):format(value))
  end
  lu.assertStrContains(refuses(support.with(fine, { attempt_delay = 0 / 0 })), 'attempt_delay')
  for _, value in ipairs { 0.01, 0.25, 2 } do
    support.open(support.with(fine, { attempt_delay = value }))
  end
end


function TestTimes:test_any_length_of_timeout_is_fine()
  local server, port = support.server()
  for _, value in ipairs { 1e-9, 0.001, 1, 1e6, 2^31, 1e12, 1e300, math.huge } do
    support.open(support.with(fine, { timeout = value }))
    if value >= 1 then
      support.open { host = '127.0.0.1', port = port, timeout = value }
      assert(support.accept(server))
    end
  end
end


function TestTimes:test_the_deadline_holds()
  local path = full_listener()
  local message = 'connect ' .. path .. ': Connection timed out'
  local begun = support.now()
  support.fails({ path = path, timeout = 0.1 }, 'timeout', 'ETIMEDOUT', message)
  local took = support.now() - begun
  lu.assertTrue(took >= 0.1 and took < 2, took)

  begun = support.now()
  lu.assertEquals({ finish(start { path = path, timeout = 0.1 }) },
                  { nil, message, errno.ETIMEDOUT, 'timeout' })
  took = support.now() - begun
  lu.assertTrue(took >= 0.1 and took < 2, took)
end


-- resolve

function TestResolve:test_numbers()
  lu.assertEquals(sock99.resolve { host = '127.0.0.1', port = 80 },
                  { { host = '127.0.0.1', port = 80, family = 'inet' } })
  lu.assertEquals(sock99.resolve { ipv4 = '127.0.0.1' },
                  { { host = '127.0.0.1', port = 0, family = 'inet' } })
  lu.assertEquals(sock99.resolve { ipv6 = '::1', port = '443' },
                  { { host = '::1', port = 443, family = 'inet6' } })
  lu.assertEquals(sock99.resolve { host = '0:0::1', family = 'inet6' },
                  { { host = '::1', port = 0, family = 'inet6' } })
end


function TestResolve:test_a_name()
  for _, timeout in ipairs { math.huge, 10 } do
    local list = assert(sock99.resolve { host = 'localhost', port = 80, timeout = timeout })
    lu.assertTrue(#list >= 1)
    for _, address in ipairs(list) do
      lu.assertEquals(address.port, 80)
      lu.assertTrue(address.host == '127.0.0.1' or address.host == '::1')
      lu.assertEquals(address.family, address.host == '::1' and 'inet6' or 'inet')
    end
  end
end


function TestResolve:test_the_port_is_an_integer()
  local address = sock99.resolve { host = '127.0.0.1', port = 80 }[1]
  lu.skipIf(not math.type, 'this Lua has no integers')
  lu.assertEquals(math.type(address.port), 'integer')
end


function TestResolve:test_unknown_names()
  for _, timeout in ipairs { math.huge, 10 } do
    local nothing, message, code, stage =
      sock99.resolve { host = 'a..b', port = 80, timeout = timeout }
    lu.assertNil(nothing)
    lu.assertStrContains(message, 'getaddrinfo a..b')
    lu.assertStrContains(errno[code], 'EAI_')
    lu.assertEquals(stage, 'getaddrinfo')
  end
end


function TestResolve:test_configuration_errors()
  for _, t in ipairs {
    {}, { host = '' }, { host = 'x', port = 70000 }, { ipv4 = '::1' }, { host = 'x', timeout = 0 },
    { host = 'a\0b' }, { host = 'x', family = 'unix' }, { host = 'x', ipv4 = '127.0.0.1' },
  } do
    local nothing, message, code, stage = sock99.resolve(t)
    lu.assertNil(nothing)
    lu.assertStrContains(message, 'configuration: ')
    lu.assertEquals(errno[code], 'EINVAL')
    lu.assertEquals(stage, 'configuration')
  end
end


function TestResolve:test_raised()
  lu.assertErrorMsgContains('table expected', sock99.resolve)
  lu.assertErrorMsgContains("field 'server' is not for a lookup", sock99.resolve, { server = true })
  lu.assertErrorMsgContains("field 'path' is not for a lookup", sock99.resolve, { path = 'x' })
  lu.assertErrorMsgContains("field 'host'", sock99.resolve, { host = 5 })
end


support.run()
