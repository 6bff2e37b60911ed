-- Racing addresses, where some are dead, late, refusing or unreachable.

local dirent = require 'posix.dirent'
local lu = require 'luaunit'
local poll = require 'posix.poll'
local sock99 = require 'sock99'
local network = dofile 'test/network/network.lua'

TestRace = {}

local function assert_connects(t, peer, seconds)
  network.both(t, function(results, took, way)
    lu.assertNotNil(results[1], results[2])
    lu.assertEquals(network.peer(results[1]), peer)
    network.tell('%s %s: connected after %.3f s', way, t.host, took)
    network.assert_took(took, seconds - 0.002, seconds + 0.05)
  end)
end

local function assert_fails_at_once(t, code, message, most)
  network.both(t, function(results, took)
    network.assert_failed(results, 'connect', code, message)
    network.assert_took(took, 0, most or 0.05)
  end)
end

local function bury()
  os.execute 'bury fd09::70; bury 10.9.0.71'
end

local function revive_later(seconds)
  os.execute(('(sleep %s; revive fd09::70; revive 10.9.0.71) &'):format(seconds))
end

-- A port of the caller's own. What is closed may hold it for a while.
local own_port = 6000
local function next_port()
  own_port = own_port + 1
  return own_port
end

function TestRace:setUp()
  bury()
end

function TestRace:test_a_dead_ipv6_address_costs_one_attempt_delay()
  network.assert_addresses('dead6-alive4', { 'fd09::66', '10.9.0.2' })
  assert_connects({ host = 'dead6-alive4', port = 7001 }, '10.9.0.2', 0.25)
  assert_connects({ host = 'dead6-alive4', port = 7001, timeout = 3 }, '10.9.0.2', 0.25)
end

function TestRace:test_a_dead_ipv4_address_costs_one_attempt_delay()
  network.assert_addresses('dead4-alive6', { '10.9.0.66', '2001:db8:9::2' })
  assert_connects({ host = 'dead4-alive6', port = 7001 }, '2001:db8:9::2', 0.25)
end

function TestRace:test_three_dead_addresses_cost_three_attempt_delays()
  network.assert_addresses('three-dead', { 'fd09::66', '10.9.0.66', '10.9.0.67', '10.9.0.2' })
  assert_connects({ host = 'three-dead', port = 7001 }, '10.9.0.2', 0.75)
end

function TestRace:test_families_alternate()
  network.assert_addresses('families', { 'fd09::66', 'fd09::67', '10.9.0.2' })
  assert_connects({ host = 'families', port = 7001 }, '10.9.0.2', 0.25)
end

function TestRace:test_the_attempt_delay_is_the_callers()
  assert_connects({ host = 'dead6-alive4', port = 7001, attempt_delay = 0.05 }, '10.9.0.2', 0.05)
  assert_connects({ host = 'three-dead', port = 7001, attempt_delay = 0.05 }, '10.9.0.2', 0.15)
  assert_connects({ host = 'dead4-alive6', port = 7001, attempt_delay = 1.1 }, '2001:db8:9::2', 1.1)
end

function TestRace:test_the_first_address_wins_when_it_lives()
  network.assert_addresses('alive', { 'fd09::2', '10.9.0.2' })
  assert_connects({ host = 'alive', port = 7001 }, 'fd09::2', 0)
end

function TestRace:test_a_deadline_tells_a_service_by_its_name()
  lu.skipIf(not sock99.resolve { host = '127.0.0.1', port = 'http' },
            'this system knows no service http')
  network.both({ host = 'all-dead', port = 'http', timeout = 0.3 }, function(results)
    network.assert_failed(results, 'timeout', 'ETIMEDOUT',
      'connect all-dead:http: Connection timed out')
  end)
end

function TestRace:test_all_dead_ends_at_the_deadline()
  network.both({ host = 'all-dead', port = 7001, timeout = 1 }, function(results, took, way)
    network.assert_failed(results, 'timeout', 'ETIMEDOUT',
      'connect all-dead:7001: Connection timed out')
    network.tell('%s all-dead, timeout = 1: %.3f s', way, took)
    network.assert_took(took, 1, 1.1)
  end)
end

function TestRace:test_a_deadline_before_the_next_attempt_holds()
  network.both({ host = 'dead6-alive4', port = 7001, timeout = 0.1 }, function(results, took)
    network.assert_failed(results, 'timeout', 'ETIMEDOUT',
      'connect dead6-alive4:7001: Connection timed out')
    network.assert_took(took, 0.1, 0.2)
  end)
end

function TestRace:test_a_numeric_address_has_a_deadline_too()
  network.both({ ipv4 = '10.9.0.66', port = 7001, timeout = 0.3 }, function(results, took)
    network.assert_failed(results, 'timeout', 'ETIMEDOUT',
      'connect 10.9.0.66:7001: Connection timed out')
    network.assert_took(took, 0.3, 0.4)
  end)
end

function TestRace:test_all_refused_fails_at_once_with_the_last()
  assert_fails_at_once({ host = 'alive', port = 7002 }, 'ECONNREFUSED',
    'connect 10.9.0.2:7002: Connection refused')
  assert_fails_at_once({ host = 'alive', port = 7002, timeout = 1 }, 'ECONNREFUSED',
    'connect 10.9.0.2:7002: Connection refused')
end

function TestRace:test_a_refusal_is_told_before_what_is_unreachable()
  network.assert_addresses('unreachable-last', { '10.9.0.2', '10.9.1.1' })
  assert_fails_at_once({ host = 'unreachable-last', port = 7002 }, 'ECONNREFUSED',
    'connect 10.9.0.2:7002: Connection refused')
end

function TestRace:test_a_refusal_is_told_before_what_never_answered_arp()
  network.assert_addresses('unreachable-later', { 'fd09::2', '10.9.0.200' })
  assert_fails_at_once({ host = 'unreachable-later', port = 7002 }, 'ECONNREFUSED',
    'connect [fd09::2]:7002: Connection refused', 0.2)
end

function TestRace:test_all_unreachable_tells_the_last()
  network.assert_addresses('unreachable', { '10.9.0.200', '10.9.1.1' })
  assert_fails_at_once({ host = 'unreachable', port = 7001 }, 'EHOSTUNREACH',
    'connect 10.9.1.1:7001: No route to host', 0.2)
end

-- A lost SYN is sent again after one second.
local function assert_late_answer_wins(name)
  for _, way in ipairs { 'open', 'drive' } do
    bury()
    revive_later(0.6)
    local results, took = network[way] { host = name, port = 7001, timeout = 5 }
    lu.assertNotNil(results[1], results[2])
    lu.assertEquals(network.peer(results[1]), 'fd09::70')
    sock99.close(results[1])
    network.tell('%s %s: connected after %.3f s', way, name, took)
    network.assert_took(took, 0.9, 1.3)
  end
end

function TestRace:test_a_late_answer_wins_over_a_dead_address()
  network.assert_addresses('late6-dead4', { 'fd09::70', '10.9.0.66' })
  assert_late_answer_wins 'late6-dead4'
end

function TestRace:test_a_late_answer_wins_after_a_refusal()
  network.assert_addresses('late6-refused4', { 'fd09::70', '10.9.0.72' })
  assert_late_answer_wins 'late6-refused4'
end

function TestRace:test_attempts_share_a_port_of_their_own()
  network.assert_addresses('dead4-alive4', { '10.9.0.66', '10.9.0.2' })
  for _, way in ipairs { 'open', 'drive' } do
    local port = next_port()
    local results, took = network[way] {
      host = 'dead4-alive4', port = 7001, bind = { port = port }, timeout = 5,
    }
    lu.assertNotNil(results[1], results[2])
    lu.assertEquals(network.own_port(results[1]), port)
    sock99.close(results[1])
    network.assert_took(took, 0.248, 0.3)
  end
end

function TestRace:test_an_attempt_waits_for_the_port_that_another_one_holds()
  network.assert_addresses('late-refusal4-alive4', { '10.9.0.71', '10.9.0.2' })
  for _, way in ipairs { 'open', 'drive' } do
    local port = next_port()
    bury()
    revive_later(0.6)
    local results, took, _, steps = network[way] {
      host = 'late-refusal4-alive4', port = 7001, bind = { port = port }, timeout = 5,
      sockopts = { reuseaddr = false },
    }
    lu.assertNotNil(results[1], results[2])
    lu.assertEquals({ network.peer(results[1]), network.own_port(results[1]) },
      { '10.9.0.2', port })
    sock99.close(results[1])
    network.tell('%s with a held port: connected after %.3f s', way, took)
    network.assert_took(took, 0.9, 1.3)
    lu.assertTrue((steps or 0) <= 8, 'spins')
  end
end

function TestRace:test_a_held_port_does_not_outlast_the_deadline()
  network.both({
    host = 'dead4-alive4', port = 7001, bind = { port = next_port() }, timeout = 0.5,
    sockopts = { reuseaddr = false },
  }, function(results, took, _, steps)
    network.assert_failed(results, 'timeout', 'ETIMEDOUT',
      'connect dead4-alive4:7001: Connection timed out')
    network.assert_took(took, 0.5, 0.6)
    lu.assertTrue((steps or 0) <= 8, 'spins')
  end)
end

local function descriptors()
  local count = 0
  for name in dirent.files '/proc/self/fd' do
    count = count + (name:match '^%d+$' and 1 or 0)
  end
  return count
end

function TestRace:test_many_dead_addresses_hold_eight_descriptors_at_a_time()
  local before, most = descriptors(), 0
  local opening = assert(sock99.start {
    host = 'thirty-dead', port = 7001, attempt_delay = 0.02, timeout = 5,
  })
  local client, message
  repeat
    poll.rpoll(opening:pollfd(), 5000)
    client, message = opening:step()
    most = math.max(most, descriptors() - before)
  until client ~= false
  lu.assertNotNil(client, message)
  lu.assertEquals((client:getpeername()), '10.9.0.2')
  client:close()
  opening:cancel()
  network.tell('thirty dead addresses: at most %d descriptors', most)
  -- Beside the attempts: the poller, its timer, and what the lookup leaves open.
  lu.assertTrue(most >= 8 and most <= 8 + 5, most)
  lu.assertEquals(descriptors(), before)
end

function TestRace:test_an_address_behind_many_dead_ones_is_reached_by_either_way()
  assert_connects({ host = 'thirty-dead', port = 7001, attempt_delay = 0.01 }, '10.9.0.2', 0.3)
end

network.retry(TestRace)

os.exit(lu.LuaUnit.run())
