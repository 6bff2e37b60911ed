-- Garbage collection in the middle of a call, with finalizers that use sockets
-- themselves: what one object receives never shows up in another.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

TestFinalizers = support.suite()


-- Calls f whenever garbage is collected, until it returns false, or has had
-- enough: each call makes garbage, too.
local function at_each_collection(f, times)
  local function arm()
    local function finalize()
      times = times - 1
      if f() and times > 0 then
        arm()
      end
    end
    if newproxy then -- luacheck: ignore 113
      getmetatable(newproxy(true)).__gc = finalize -- luacheck: ignore 113
    else
      setmetatable({}, { __gc = finalize })
    end
  end
  arm()
end


-- One cycle after the other, without a pause between them.
local function with_an_eager_collector(f)
  local pause, multiplier = support.pace_collector(100, 400)
  local ok, problem = pcall(f)
  support.pace_collector(pause, multiplier)
  assert(ok, problem)
end


-- A pair whose second end's finalizers read lines, and how many they have read.
local function reading_finalizers()
  local a, b = support.keep(sock99.pair())
  local stats = { lines = 0, running = true }
  b:settimeout(0)
  at_each_collection(function()
    a:send '---- a line for the finalizer ----\n---- the next'
    local line, message, partial = b:receive()
    stats.lines = stats.lines + 1
    stats.wrong = stats.wrong or (line or partial):find('[^-a-z ]') and (line or message)
    return stats.running
  end, 2000)
  return stats
end


function TestFinalizers:test_other_objects_are_read_in_the_middle_of_a_call()
  local stats = reading_finalizers()
  local a, b = support.keep(sock99.pair())
  with_an_eager_collector(function()
    for i = 1, 1000 do
      local text = ('%d'):format(i % 10):rep(i * 20)
      assert(a:send { text, '\n', text, text, '\n' })
      lu.assertTrue(b:receive() == text, 'a line came out wrong')
      lu.assertTrue(b:receive(2 * #text) == text .. text, 'a piece came out wrong')
      lu.assertEquals(b:receive(), '')
    end
  end)
  stats.running = false
  lu.assertNil(stats.wrong)
  lu.assertTrue(stats.lines > 10, 'the finalizers hardly ran: ' .. stats.lines)
end


function TestFinalizers:test_an_object_is_read_by_a_finalizer_of_its_own()
  local a, b = support.keep(sock99.pair())
  local running, told = true, 0
  a:settimeout(0)
  b:settimeout(0)
  at_each_collection(function()
    told = told + #(b:receive(100) or select(3, b:receive(1)))
    return running
  end, 2000)
  with_an_eager_collector(function()
    for _ = 1, 300 do
      a:send(('x'):rep(20000) .. '\n')
      local ok, line, _, partial = pcall(b.receive, b)
      line = ok and (line or partial) or ''
      lu.assertNil(line:find '[^x]')
      told = told + #line
    end
  end)
  running = false
  lu.assertTrue(told > 0)
end


function TestFinalizers:test_an_object_is_closed_by_a_finalizer_of_its_own()
  for _ = 1, 30 do
    local a, b = support.keep(sock99.pair())
    b:settimeout(0)
    a:send(('x'):rep(20000) .. '\nrest')
    at_each_collection(function()
      b:close()
    end, 1)
    with_an_eager_collector(function()
      for _ = 1, 100 do
        local ok, line = pcall(b.receive, b, 9000)
        lu.assertTrue(not ok or not line or not line:find '[^x\n]')
      end
    end)
    collectgarbage()
    lu.assertEquals(b:getfd(), -1)
    a:close()
  end
end


-- The numbers become strings, which is when garbage is collected.
function TestFinalizers:test_a_list_changes_while_it_is_sent()
  local a, b = support.keep(sock99.pair())
  b:settimeout(0)
  for round = 1, 20 do
    local list = { ('A'):rep(20000) .. round }
    for i = 2, 1000 do
      list[i] = i + round * 1000
    end
    at_each_collection(function()
      list[1] = 'A'
      collectgarbage()
    end, 1)
    assert(a:send(list))
    local got = ''
    repeat
      local piece = b:receiveany()
      got = got .. (piece or '')
    until not piece
    lu.assertStrContains(got, '^A+%d+$', true)
  end
end


-- The descriptors are the object's until they are in a list: closed with it, or told.
function TestFinalizers:test_an_object_is_closed_while_its_descriptors_are_told()
  local current, running = nil, true
  at_each_collection(function()
    if current then
      current:close()
    end
    return running
  end, 5000)
  support.assert_no_fd_leak(function()
    with_an_eager_collector(function()
      support.pace_collector(0, 1000)
      for _ = 1, 500 do
        local a, b = sock99.pair()
        a:sendfds('x', a, a, a, a, a, a, a, a)
        current = b
        local data, fds = b:receivefds()
        current = nil
        for _, fd in ipairs(data and fds or {}) do
          lu.assertTrue(sock99.close(fd))
        end
        a:close()
        b:close()
      end
    end)
  end)
  running = false
end


-- A step makes the object first: a finalizer that cancels comes before or after.
function TestFinalizers:test_an_opening_is_cancelled_in_the_middle_of_a_step()
  local server = support.keep(assert(sock99.socket { host = '127.0.0.1', server = true }))
  local _, port = server:getsockname()
  server:settimeout(0)
  with_an_eager_collector(function()
    for _ = 1, 300 do
      local opening = assert(sock99.start { host = '127.0.0.1', port = port })
      at_each_collection(function()
        opening:cancel()
      end, 1)
      local socket, message = opening:step()
      lu.assertTrue(socket ~= nil or message ~= nil)
      if socket then
        socket:close()
      end
      opening:cancel()
      local accepted = server:accept()
      if accepted then
        accepted:close()
      end
    end
  end)
end


-- An object that connects to a name is closed, and connects again, whenever there is
-- garbage to collect.
function TestFinalizers:test_an_object_that_connects_is_closed_in_the_middle_of_a_call()
  local port = support.closed_port()
  local clients, running = {}, true
  at_each_collection(function()
    for i, client in ipairs(clients) do
      if i % 2 == 0 then
        client:close()
      else
        client:connect('localhost', port)
      end
    end
    return running
  end, 2000)
  with_an_eager_collector(function()
    for _ = 1, 60 do
      for i = 1, 4 do
        clients[i] = support.keep(assert(sock99.socket { family = 'inet', connect = false }))
        clients[i]:settimeout(0)
        clients[i]:connect('localhost', port)
      end
      for _, client in ipairs(clients) do
        sock99.select(clients, clients, 0)
        -- Of those that were closed before they could connect, they raise an error.
        pcall(client.send, client, { 'x', 1 })
        pcall(client.receive, client)
        client:pollfd()
        client:setoption('keepalive', true)
        client:connect('localhost', port)
        client:detach()
      end
    end
  end)
  running = false
end


-- A finalizer that takes three of five descriptors at some allocation of the call
-- which is about to return them.
local function steal(kind, round)
  local a, b = sock99.pair(kind)
  local null = assert(io.open '/dev/null')
  a:sendfds('x', null, null, null, null, null)
  b:settimeout(0)
  local stolen = {}
  at_each_collection(function()
    local _, fds = b:receivefds(3)
    stolen = type(fds) == 'table' and fds or {}
    return false
  end, 1)
  for _ = 1, round % 97 do
    local _ = { round }
  end
  local _, first = b:receivefds(1)
  local _, rest = b:receivefds()
  local count = 0
  for _, list in ipairs { first, rest, stolen } do
    for _, fd in ipairs(type(list) == 'table' and list or {}) do
      count = count + (support.close(fd) and 1 or 0)
    end
  end
  for _, object in ipairs { a, b, null } do
    object:close()
  end
  return count
end


function TestFinalizers:test_descriptors_that_a_finalizer_takes_are_taken_once()
  for _, kind in ipairs { {}, { seqpacket = true }, { datagram = true } } do
    local before = support.descriptor_count()
    with_an_eager_collector(function()
      for round = 1, 1000 do
        local count = steal(kind, round)
        -- A finalizer that has not run yet finds its object closed.
        lu.assertEquals(count, 5, 'round ' .. round)
      end
    end)
    collectgarbage()
    lu.assertEquals(support.descriptor_count(), before)
  end
end


support.run()
