-- The budget of system calls of socket objects, counted by strace(1).

local lu = require 'luaunit'
local support = require 'support'

TestBudget = support.suite()


-- What a traced interpreter runs: `prepare`, and `text` between two marks that
-- do nothing.
local function script(text, prepare)
  return ([[
    local sock99, support = require 'sock99', require 'test_support'
    local free = %d
    local dir = %q
    local server = assert(sock99.socket { server = true, host = '127.0.0.1', port = free })
    local client = assert(sock99.socket { host = '127.0.0.1', port = free })
    local accepted = assert(server:accept())
    local a, b = sock99.pair()
    local result
    collectgarbage 'stop'
    %s
    support.close(-1000)
    %s
    support.close(-1000)
  ]]):format(support.closed_port(), support.path '', prepare or '', text)
end


local function calls(text, prepare)
  return support.calls(script(text, prepare))
end


local function times(count, name)
  return (name .. ' '):rep(count):sub(1, -2)
end


-- Birth and death

function TestBudget:test_opening_costs_what_open_costs()
  for text, expected in pairs {
    ["{ server = true, host = '127.0.0.1' }"] = 'socket setsockopt bind listen',
    ["{ server = true }"] = 'socket setsockopt setsockopt bind listen',
    ["{ server = true, path = dir .. '1' }"] = 'socket bind listen',
    ["{ server = true, path = dir .. '2', seqpacket = true }"] = 'socket bind listen',
    ["{ host = '127.0.0.1', port = free }"] = 'socket connect',
    ["{ host = '127.0.0.1', port = free, datagram = true }"] = 'socket connect',
    ["{ host = '127.0.0.1', datagram = true, server = true }"] = 'socket bind',
    ["{ datagram = true }"] = 'socket',
  } do
    lu.assertEquals(calls(('result = assert(sock99.socket %s)'):format(text)), expected)
  end
end


function TestBudget:test_a_listener_is_nonblocking_from_birth()
  local told = support.trace(script "result = sock99.socket { server = true, path = dir .. '1' }")
  lu.assertStrContains(told, 'SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK')
end


function TestBudget:test_a_pair_costs_one()
  lu.assertEquals(calls 'result = { sock99.pair() }', 'socketpair')
  lu.assertEquals(calls 'result = { sock99.pair { nonblocking = true } }', 'socketpair')
end


function TestBudget:test_wrap_asks_four_questions_at_most()
  local questions = 'getsockopt getsockname getsockopt'
  lu.assertEquals(calls 'result = sock99.wrap(server:getfd())', questions)
  lu.assertEquals(calls 'result = sock99.wrap(client:getfd())', questions .. ' getpeername')
end


function TestBudget:test_accept_costs_one_where_there_is_a_connection()
  local connect = "result = sock99.socket { host = '127.0.0.1', port = free }"
  lu.assertEquals(calls('b = server:accept()', connect), 'accept4')
  -- A call with a limit makes sure that nobody has cleared O_NONBLOCK.
  lu.assertEquals(calls('b = server:accept()', connect .. ' server:settimeout(5)'),
                  'fcntl accept4')
  lu.assertEquals(calls('b = server:accept()', 'server:settimeout(0)'), 'fcntl accept4')
  lu.assertEquals(calls('b = server:accept()', 'server:settimeout(0.01)'), 'fcntl accept4 poll')
end


function TestBudget:test_connect_costs_one_and_more_where_it_may_wait()
  local prepare = "result = sock99.wrap(support.socket 'inet')"
  local text = "assert(result:connect('127.0.0.1', free))"
  lu.assertEquals(calls(text, prepare), 'connect')
  lu.assertEquals(calls(text, prepare .. ' result:settimeout(20)'),
                  'fcntl fcntl connect poll getsockopt')
end


function TestBudget:test_closing_costs_one_once()
  lu.assertEquals(calls 'a:close() a:close()', 'close')
  lu.assertEquals(calls 'a, b = nil, nil collectgarbage() collectgarbage()', 'close close')
end


function TestBudget:test_questions_about_the_object_cost_nothing()
  lu.assertEquals(calls [[
    client:getfd() client:dirty() client:pollfd() client:events() client:timeout()
    client:settimeout(1) client:gettimeout() client:getstats() client:setstats(1, 2, 3)
    client:getfamily() tostring(client)
    client:setfd(-1) accepted:detach()
  ]], '')
end


function TestBudget:test_names_cost_one()
  lu.assertEquals(calls 'client:getsockname() client:getpeername()', 'getsockname getpeername')
end


-- Bytes

function TestBudget:test_a_round_trip_costs_two_at_each_end()
  local text = [[
    client:send 'question' accepted:receive(8)
    accepted:send 'answer' client:receive(6)
  ]]
  lu.assertEquals(calls(text), 'sendto recvfrom sendto recvfrom')
  lu.assertEquals(calls(text, 'client:settimeout(5) accepted:settimeout(5)'),
                  'sendto recvfrom sendto recvfrom')
  text = text:gsub('client', 'a'):gsub('accepted', 'b')
  lu.assertEquals(calls(text), 'sendto recvmsg sendto recvmsg')
end


-- Of a peer that takes its time: send, receive, wait, receive.
function TestBudget:test_a_round_trip_with_a_timeout_costs_four_at_most()
  lu.skipIf(support.runner, 'the RUNNER makes calls of its own')
  local server = support.listener()
  server:settimeout(10)
  support.spawn(function()
    local peer = server:accept()
    repeat
      local question = peer:receive(8)
      support.sleep(0.005)
    until not question or not peer:send(question)
  end)
  local told = calls([[
    for _ = 1, 20 do
      client:send 'question'
      assert(client:receive(8))
    end
  ]], ([[
    client = sock99.socket { host = '127.0.0.1', port = %d }
    client:settimeout(20)
  ]]):format((select(2, server:getsockname()))))
  for trip in (told .. ' '):gmatch '(sendto [^s]*)' do
    lu.assertTrue(trip == 'sendto recvfrom ' or trip == 'sendto recvfrom poll recvfrom ', trip)
  end
  lu.assertStrContains(told, 'poll')
end


function TestBudget:test_a_timeout_costs_one_wait()
  lu.assertEquals(calls('client:receive(1)', 'client:settimeout(0)'), 'recvfrom')
  lu.assertEquals(calls('client:receive(1)', 'client:settimeout(0.01)'), 'recvfrom poll')
  lu.assertEquals(calls('client:receive(1)', "client:settimeout(0.01, 't')"), 'recvfrom poll')
end


function TestBudget:test_small_pieces_cost_one_read()
  lu.assertEquals(calls [[
    a:send(('x'):rep(1000))
    for _ = 1, 1000 do assert(b:receive(1)) end
  ]], 'sendto recvmsg')
end


function TestBudget:test_lines_cost_one_read_for_64_kib()
  local told = calls([[
    for i = 1, 4096 do assert(#client:receive() == 63) end
  ]], [[
    local t = { server = true, host = '127.0.0.1', sockopts = { rcvbuf = 400000 } }
    server = sock99.socket(t)
    client = sock99.socket { host = '127.0.0.1', port = select(2, server:getsockname()),
                             sockopts = t.sockopts }
    accepted = server:accept()
    accepted:send(((('x'):rep(63)) .. '\n'):rep(4096))
  ]])
  lu.assertEquals(told, times(4, 'recvfrom'))
end


function TestBudget:test_pieces_of_64_kib_cost_one_read_each()
  lu.assertEquals(calls([[
    assert(client:receive(65536)) assert(client:receive(65536))
  ]], "accepted:send(('x'):rep(131072))"), 'recvfrom recvfrom')
end


function TestBudget:test_a_list_costs_one_for_1024_strings()
  local text = [[
    local list = {}
    for i = 1, %d do list[i] = 'x' end
    a:send(list)
  ]]
  lu.assertEquals(calls(text:format(0)), '')
  lu.assertEquals(calls(text:format(1)), 'sendto')
  lu.assertEquals(calls(text:format(1024)), 'sendmsg')
  lu.assertEquals(calls(text:format(2500)), 'sendmsg sendmsg sendmsg')
end


function TestBudget:test_nothing_costs_nothing()
  lu.assertEquals(calls "a:send '' a:send('x', 2) a:send {} b:receive(0) b:receive(1, 'xy')", '')
end


support.run()
