-- The lookup that nobody answers, the listener that has no room, and what an
-- event loop sees of them.

local lu = require 'luaunit'
local poll = require 'posix.poll'
local socket = require 'posix.sys.socket'
local sock99 = require 'sock99'
local network = dofile 'test/network/network.lua'

local PATH = os.getenv 'TMP_DIR' .. '/full.sock'

TestLookup = {}

function TestLookup:tearDown()
  network.await_threads()
end

function TestLookup:test_a_silent_resolver_ends_at_the_deadline()
  network.both({ host = 'silent.example', port = 80, timeout = 1 }, function(results, took, way)
    network.assert_failed(results, 'timeout', 'ETIMEDOUT',
      'getaddrinfo silent.example: Connection timed out')
    network.tell('%s with a silent resolver, timeout = 1: %.3f s', way, took)
    network.assert_took(took, 1, 1.1)
  end)
end

function TestLookup:test_resolve_has_a_deadline()
  local began = network.now()
  network.assert_failed({ sock99.resolve { host = 'silent.example', timeout = 0.3 } },
    'timeout', 'ETIMEDOUT', 'getaddrinfo silent.example: Connection timed out')
  network.assert_took(network.now() - began, 0.3, 0.4)
end

function TestLookup:test_the_timeouts_of_an_object_are_for_its_lookups_too()
  for _, timeout in ipairs { 0, 0.3 } do
    local client = assert(sock99.socket { family = 'inet', connect = false })
    client:settimeout(timeout)
    local began = network.now()
    local ok, problem = client:connect('silent.example', 80)
    lu.assertEquals({ ok, problem }, { nil, 'timeout' })
    network.assert_took(network.now() - began, timeout, timeout + 0.1)
    client:close()
  end
end

function TestLookup:test_a_server_has_a_deadline()
  network.both({ host = 'silent.example', port = 0, server = true, timeout = 0.3 },
    function(results, took)
      network.assert_failed(results, 'timeout', 'ETIMEDOUT',
        'getaddrinfo silent.example: Connection timed out')
      network.assert_took(took, 0.3, 0.4)
    end)
end

function TestLookup:test_one_deadline_holds_over_lookup_and_attempts()
  network.both({ host = 'three-dead', port = 7001, timeout = 0.6 }, function(results, took)
    network.assert_failed(results, 'timeout', 'ETIMEDOUT',
      'connect three-dead:7001: Connection timed out')
    network.assert_took(took, 0.6, 0.7)
  end)
end

-- More than there are threads, so that some are only queued.
local function longest_call(count)
  local openings, longest = {}, 0
  for i = 1, count do
    local began = network.now()
    openings[i] = assert(sock99.start { host = ('silent%d.example'):format(i), port = 80 })
    longest = math.max(longest, network.now() - began)
  end
  for _ = 1, 10 do
    for _, opening in ipairs(openings) do
      local began = network.now()
      local result = opening:step()
      longest = math.max(longest, network.now() - began)
      lu.assertEquals(result, false)
    end
    poll.poll({}, 10)
  end
  for _, opening in ipairs(openings) do
    local began = network.now()
    opening:cancel()
    longest = math.max(longest, network.now() - began)
  end
  return longest
end

-- The best of three: the machine may have other things to do.
function TestLookup:test_no_call_takes_a_millisecond_while_the_resolver_is_silent()
  local best = math.huge
  for _ = 1, 3 do
    best = math.min(best, longest_call(20))
  end
  network.tell('longest start, step or cancel: %.3f ms', best * 1000)
  lu.assertTrue(best < 0.001)
end

-- As many as there are threads: the last one waits for the deadline in the queue.
function TestLookup:test_a_queued_lookup_keeps_its_deadline()
  local openings = {}
  for i = 1, 260 do
    openings[i] = assert(sock99.start { host = 'silent' .. i .. '.example', port = 80 })
    lu.assertEquals(openings[i]:step(), false)
  end
  local results, took = network.drive { host = 'alive', port = 7001, timeout = 0.3 }
  network.assert_failed(results, 'timeout', 'ETIMEDOUT', 'getaddrinfo alive: Connection timed out')
  network.assert_took(took, 0.3, 0.4)
  for _, opening in ipairs(openings) do
    opening:cancel()
  end
  local fd, message = sock99.open { host = 'alive', port = 7001, timeout = 1 }
  lu.assertNotNil(fd, message)
  sock99.close(fd)
end

-- The name server answers for one family and is silent about the other.
function TestLookup:test_half_an_answer_connects()
  for name, peer in pairs { ['a2.half'] = '10.9.0.2', ['aaaa2.half'] = 'fd09::2' } do
    for _, timeout in ipairs { 1, 15 } do
      network.both({ host = name, port = 7001, timeout = timeout }, function(results, took, way)
        lu.assertNotNil(results[1], results[2])
        lu.assertEquals(network.peer(results[1]), peer)
        network.tell('%s %s, timeout = %d: connected after %.3f s', way, name, timeout, took)
        network.assert_took(took, 0.248, 0.35)
      end)
    end
    local results, took = network.drive { host = name, port = 7001 }
    lu.assertNotNil(results[1], results[2])
    sock99.close(results[1])
    network.assert_took(took, 0.248, 0.35)
  end
end

-- One lookup, in the system's order, where both answers come.
function TestLookup:test_a_whole_answer_is_not_waited_for()
  network.both({ host = 'a2-noaaaa.half', port = 7001, timeout = 2 }, function(results, took)
    lu.assertNotNil(results[1], results[2])
    network.assert_took(took, 0, 0.05)
  end)
  network.assert_addresses('a2-aaaa2.half', { 'fd09::2', '10.9.0.2' })
end

function TestLookup:test_half_an_answer_is_resolved()
  local began = network.now()
  local found = assert(sock99.resolve { host = 'a2.half', timeout = 2 })
  lu.assertEquals({ #found, found[1].host }, { 1, '10.9.0.2' })
  network.assert_took(network.now() - began, 0.298, 0.38)
end

function TestLookup:test_half_an_answer_is_enough_for_an_object()
  local client = assert(sock99.socket { connect = false })
  client:settimeout(5)
  local began = network.now()
  lu.assertNotNil(client:connect('a2.half', 7001))
  lu.assertEquals(client:getpeername(), '10.9.0.2')
  network.assert_took(network.now() - began, 0, 0.4)
  client:close()
end

-- However many names are silent.
function TestLookup:test_silent_names_do_not_hold_up_the_others()
  for _, count in ipairs { 15, 16, 64, 200 } do
    local openings = {}
    for i = 1, count do
      openings[i] = assert(sock99.start { host = 'silent' .. i .. '.example', port = 80 })
      lu.assertEquals(openings[i]:step(), false)
    end
    for _, name in ipairs { 'alive', 'a2-noaaaa.half' } do
      local began = network.now()
      local fd, message = sock99.open { host = name, port = 7001, timeout = 2 }
      lu.assertNotNil(fd, message)
      sock99.close(fd)
      network.assert_took(network.now() - began, 0, 0.5)
    end
    for _, opening in ipairs(openings) do
      opening:cancel()
    end
  end
end

-- As few steps as there are events: one that is readable too often spins.
function TestLookup:test_pollfd_is_readable_when_there_is_something_to_do()
  for name, most in pairs { ['dead6-alive4'] = 6, ['three-dead'] = 9, ['silent.example'] = 3,
                            ['all-dead'] = 7 } do
    local _, _, longest, steps = network.drive { host = name, port = 7001, timeout = 1 }
    network.tell('%s: %d steps, the longest of %.3f ms', name, steps, longest * 1000)
    lu.assertTrue(steps <= most, name .. ' spins')
  end
end

function TestLookup:test_needless_steps_change_nothing()
  local began = network.now()
  local opening = assert(sock99.start { host = 'three-dead', port = 7001, timeout = 5 })
  local client, message
  repeat
    client, message = opening:step()
  until client ~= false
  lu.assertNotNil(client, message)
  network.assert_took(network.now() - began, 0.748, 0.8)
  lu.assertEquals(client:getpeername(), '10.9.0.2')
  client:close()
  opening:cancel()
end

function TestLookup:test_timeout_tells_when_a_step_is_due()
  local opening = assert(sock99.start { host = 'dead6-alive4', port = 7001, timeout = 3 })
  lu.assertEquals(opening:timeout(), 0)
  lu.assertEquals(opening:step(), false)
  lu.assertTrue(opening:timeout() > 0.2 and opening:timeout() <= 0.25)
  lu.assertEquals(poll.rpoll(opening:pollfd(), 1000), 1)
  lu.assertEquals(opening:step(), false)
  lu.assertTrue(opening:timeout() > 0.2 and opening:timeout() <= 0.25)
  opening:cancel()
end


TestFullListener = {}

-- Fills a backlog until connect would wait.
function TestFullListener:setUp()
  os.remove(PATH)
  self.server = assert(sock99.open { path = PATH, server = true, backlog = 1 })
  self.clients = {}
  repeat
    local fd, message, _, stage = sock99.open { path = PATH, timeout = 0.02 }
    table.insert(self.clients, fd)
    lu.assertTrue(fd ~= nil or stage == 'timeout', message)
  until not fd
  lu.assertEquals(#self.clients, 2)
end

function TestFullListener:tearDown()
  for _, fd in ipairs(self.clients) do
    sock99.close(fd)
  end
  sock99.close(self.server)
  os.remove(PATH)
end

function TestFullListener:test_the_deadline_holds()
  network.both({ path = PATH, timeout = 0.5 }, function(results, took, way, steps)
    network.assert_failed(results, 'timeout', 'ETIMEDOUT',
      'connect ' .. PATH .. ': Connection timed out')
    network.tell('%s of a full Unix listener, timeout = 0.5: %.3f s', way, took)
    network.assert_took(took, 0.5, 0.6)
    lu.assertTrue((steps or 0) <= 40, 'spins')
  end)
end

function TestFullListener:test_an_opening_never_blocks_and_connects_when_there_is_room()
  local opening = assert(sock99.start { path = PATH })
  local longest = 0
  local function step()
    lu.assertEquals(poll.rpoll(opening:pollfd(), 1000), 1)
    local began = network.now()
    local results = { opening:step() }
    longest = math.max(longest, network.now() - began)
    return results
  end
  for _ = 1, 10 do
    lu.assertEquals(step(), { false })
  end
  sock99.close(assert(socket.accept(self.server)))
  local began = network.now()
  local results
  repeat
    results = step()
  until results[1] ~= false
  lu.assertNotNil(results[1], results[2])
  network.tell('room in a full Unix listener found after %.3f s; longest step %.3f ms',
    network.now() - began, longest * 1000)
  network.assert_took(network.now() - began, 0, 0.05)
  lu.assertTrue(longest < 0.005)
  results[1]:close()
  opening:cancel()
end

-- The system lists the IPv4 address first.
function TestLookup:test_a_method_takes_the_first_address_of_the_objects_family()
  network.assert_addresses('dead4-alive6', { '10.9.0.66', '2001:db8:9::2' })
  local expected = { inet6 = '2001:db8:9::2', inet = '10.9.0.66' }
  for family, host in pairs(expected) do
    local object = assert(sock99.socket { family = family, datagram = true })
    assert(object:setpeername('dead4-alive6', 7001))
    lu.assertEquals((object:getpeername()), host)
    object:close()
  end
  local client = assert(sock99.socket { family = 'inet6', connect = false })
  assert(client:connect('dead4-alive6', 7001))
  lu.assertEquals((client:getpeername()), expected.inet6)
  client:close()
end

-- Another family's address is mapped only where there is none of its own.
function TestLookup:test_a_method_maps_the_first_address_else()
  network.assert_addresses('unreachable', { '10.9.0.200', '10.9.1.1' })
  local object = assert(sock99.socket { family = 'inet6', datagram = true })
  object:setpeername('unreachable', 7001)
  lu.assertEquals((object:getpeername()), '10.9.0.200')
  object:close()
end

network.retry(TestLookup)
network.retry(TestFullListener)

os.exit(lu.LuaUnit.run())
