-- connect of objects to names: the resolver that never answers, addresses that never
-- answer or refuse late, and what a loop sees of them. Both kinds of objects.

local lu = require 'luaunit'
local poll = require 'posix.poll'
local core = require 'sock99.luasocket'
local sock99 = require 'sock99'
local network = dofile 'test/network/network.lua'

local errno = sock99.errno

TestNames = {}

function TestNames:tearDown()
  network.await_threads()
end

local function native(family)
  return assert(sock99.socket { family = family or 'inet', connect = false })
end

local makers = {
  native = native,
  own_descriptor = core.tcp4,
  no_descriptor = core.tcp,
}

-- Connects without waiting, by what poll(2) says of pollfd and events; its results, the
-- seconds that it took, the longest call.
local function drive(client, host, seconds)
  local began, longest = network.now(), 0
  client:settimeout(0)
  while true do
    local called = network.now()
    local ok, problem, code = client:connect(host, 7001)
    local now = network.now()
    longest = math.max(longest, now - called)
    local goes_on = problem == 'timeout' or problem == 'Operation already in progress'
    if ok or not goes_on or now - began >= seconds then
      return { ok, problem, code }, now - began, longest
    end
    local events = client:events() == 'w' and { OUT = true } or { IN = true }
    local left = math.max(1, math.ceil((began + seconds - now) * 1000))
    assert(poll.poll({ [client:pollfd()] = { events = events } }, left))
  end
end

function TestNames:test_nothing_waits_for_a_silent_resolver()
  for _, make in pairs(makers) do
    local client = make()
    local _, took, longest = drive(client, 'silent.example', 0.3)
    network.assert_took(took, 0.3, 0.4)
    network.assert_took(longest, 0, 0.02)
    local began = network.now()
    client:close()
    network.assert_took(network.now() - began, 0, 0.02)
  end
end

function TestNames:test_a_lookup_goes_on_from_call_to_call()
  local client = native()
  client:settimeout(0.1)
  for _ = 1, 3 do
    local began = network.now()
    lu.assertEquals({ client:connect('silent.example', 80) },
      { nil, 'timeout', errno.ETIMEDOUT, 'timeout' })
    network.assert_took(network.now() - began, 0.1, 0.15)
    lu.assertEquals((select(3, client:connect('other.example', 80))), errno.EALREADY)
  end
  -- The resolver gives up after two seconds, counted from the first call.
  local began = network.now()
  client:settimeout(10)
  local _, message, _, stage = client:connect('silent.example', 80)
  lu.assertEquals(stage, 'getaddrinfo')
  lu.assertStrContains(message, 'getaddrinfo silent.example')
  network.assert_took(network.now() - began, 1, 1.9)
  client:close()
end

function TestNames:test_data_calls_wait_as_long_as_the_timeout_says()
  for _, make in pairs(makers) do
    local client = make()
    client:settimeout(0)
    client:connect('silent.example', 80)
    client:settimeout(0.1)
    for _, call in ipairs { 'send', 'receive' } do
      local began = network.now()
      lu.assertEquals((select(2, client[call](client, call == 'send' and 'x' or nil))), 'timeout')
      network.assert_took(network.now() - began, 0.1, 0.15)
    end
    client:close()
  end
end

function TestNames:test_select_ends_when_it_was_told()
  for _, make in pairs(makers) do
    local client = make()
    client:settimeout(0)
    client:connect('silent.example', 80)
    local began = network.now()
    local readers, writers, message = sock99.select({ client }, { client }, 0.2)
    lu.assertEquals({ #readers, #writers, message }, { 0, 0, 'timeout' })
    network.assert_took(network.now() - began, 0.2, 0.3)
    client:close()
  end
end

function TestNames:test_getfd_waits_for_the_lookup_and_its_failure()
  for name, make in pairs(makers) do
    local client = make()
    local before = client:getfd()
    client:settimeout(0)
    client:connect('silent.example', 80)
    local began = network.now()
    lu.assertEquals(client:getfd(), before)
    network.assert_took(network.now() - began, 1.5, 2.5)
    lu.assertEquals(client:timeout(), 0)
    local ok, problem = client:connect('silent.example', 80)
    lu.assertNil(ok)
    lu.assertNotEquals(problem, 'timeout', name)
    client:close()
  end
end

function TestNames:test_addresses_are_tried_one_after_the_other_on_the_one_descriptor()
  network.assert_addresses('late-refusal4-alive4', { '10.9.0.71', '10.9.0.2' })
  for _, make in ipairs { native, core.tcp4 } do
    os.execute 'bury 10.9.0.71'
    local client = make()
    local fd = client:getfd()
    client:settimeout(0.2)
    lu.assertEquals((select(2, client:connect('late-refusal4-alive4', 7001))), 'timeout')
    lu.assertEquals(client:events(), 'w')
    lu.assertEquals(client:pollfd(), fd)
    os.execute 'revive 10.9.0.71'
    client:settimeout(10)
    lu.assertEquals({ client:connect('late-refusal4-alive4', 7001) }, { 1 })
    lu.assertEquals(client:getfd(), fd)
    lu.assertEquals((client:getpeername()), '10.9.0.2')
    client:close()
  end
end

function TestNames:test_getfd_stays_with_one_address()
  os.execute 'bury 10.9.0.71'
  local client = native()
  local fd = client:getfd()
  client:settimeout(0)
  client:connect('late-refusal4-alive4', 7001)
  lu.assertEquals(client:getfd(), fd)
  os.execute 'revive 10.9.0.71'
  client:settimeout(10)
  lu.assertEquals((select(3, client:connect('late-refusal4-alive4', 7001))), errno.ECONNREFUSED)
  client:close()
end

function TestNames:test_getfd_ends_a_race_with_the_newest_attempt()
  local client = core.tcp()
  client:settimeout(0.35)
  lu.assertEquals({ client:connect('three-dead', 7001) }, { nil, 'timeout' })
  local fd = client:getfd()
  lu.assertTrue(fd >= 0)
  lu.assertEquals({ client:pollfd(), client:events() }, { fd, 'w' })
  client:settimeout(0.3)
  lu.assertEquals({ client:connect('three-dead', 7001) },
    { nil, 'Operation already in progress' })
  lu.assertEquals(client:getfd(), fd)
  client:close()
end

function TestNames:test_a_race_is_watched_to_its_end()
  local client = core.tcp()
  local results, took, longest = drive(client, 'dead6-alive4', 5)
  lu.assertEquals(results, { 1 })
  lu.assertEquals((client:getpeername()), '10.9.0.2')
  network.assert_took(took, 0.248, 0.3)
  network.assert_took(longest, 0, 0.02)
  client:close()
end

function TestNames:test_without_a_timeout_the_next_address_is_tried_too()
  local client = native()
  lu.assertEquals({ client:connect('unreachable-last', 7001) }, { 1 })
  client:close()
end

function TestNames:test_an_ipv6_object_takes_ipv4_last()
  local client = native 'inet6'
  client:setoption('v6only', false)
  local results = drive(client, 'alive', 5)
  lu.assertEquals(results, { 1 })
  lu.assertEquals((client:getpeername()), 'fd09::2')
  client:close()
end

network.retry(TestNames)

os.exit(lu.LuaUnit.run())
