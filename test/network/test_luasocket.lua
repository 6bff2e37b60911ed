-- LuaSocket's objects in the same network: their timeouts cover the lookup, and a
-- dead address costs them no more than it costs an opening.

local lu = require 'luaunit'
local core = require 'sock99.luasocket'
local network = dofile 'test/network/network.lua'

TestLuaSocket = {}

function TestLuaSocket:tearDown()
  network.await_threads()
end

-- Connects, and closes; the results, and the seconds that it took.
local function connect(host, timeout, mode)
  local client = core.tcp()
  client:settimeout(timeout, mode)
  local began = network.now()
  local ok, problem = client:connect(host, 7001)
  local took = network.now() - began
  local peer = ok and client:getpeername()
  client:close()
  return peer, problem, took
end

function TestLuaSocket:test_a_timeout_covers_the_lookup()
  for _, mode in ipairs { 'b', 't' } do
    local peer, problem, took = connect('silent.example', 0.3, mode)
    lu.assertEquals({ peer, problem }, { nil, 'timeout' })
    network.assert_took(took, 0.3, 0.4)
  end
end

function TestLuaSocket:test_a_timeout_covers_the_attempts()
  local peer, problem, took = connect('all-dead', 0.3)
  lu.assertEquals({ peer, problem }, { nil, 'timeout' })
  network.assert_took(took, 0.3, 0.4)
end

function TestLuaSocket:test_a_dead_address_costs_one_attempt_delay()
  for _, timeout in ipairs { -1, 5 } do
    local peer, problem, took = connect('dead6-alive4', timeout)
    lu.assertEquals({ peer, problem }, { '10.9.0.2' })
    network.assert_took(took, 0.248, 0.3)
  end
end

-- Until it is connected: what select took in all, and the longest connect.
local function connect_without_waiting(host, seconds)
  local client = core.tcp()
  client:settimeout(0)
  local longest, began = 0, network.now()
  repeat
    local called = network.now()
    local ok, problem = client:connect(host, 7001)
    longest = math.max(longest, network.now() - called)
    if not ok and problem == 'timeout' then
      core.select(nil, { client }, math.max(0, began + seconds - network.now()))
    end
  until ok or problem ~= 'timeout' or network.now() - began >= seconds
  local peer = client:getpeername()
  client:close()
  return peer, network.now() - began, longest
end

function TestLuaSocket:test_select_drives_the_race()
  local peer, took, longest = connect_without_waiting('dead6-alive4', 5)
  lu.assertEquals(peer, '10.9.0.2')
  network.assert_took(took, 0.248, 0.3)
  network.assert_took(longest, 0, 0.02)
end

function TestLuaSocket:test_nothing_blocks_while_the_resolver_is_silent()
  local peer, took, longest = connect_without_waiting('silent.example', 0.3)
  lu.assertNil(peer)
  network.assert_took(took, 0.3, 0.4)
  network.assert_took(longest, 0, 0.02)
end

network.retry(TestLuaSocket)

os.exit(lu.LuaUnit.run())
