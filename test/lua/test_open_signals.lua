-- Signals that interrupt an opening are nothing that a program sees.

local lu = require 'luaunit'
local support = require 'support'

TestSignals = support.suite()


-- Opens t while SIGALRM comes and goes; somebody accepts after `delay`.
local function open_under_alarms(t, server, delay)
  support.spawn(function()
    support.sleep(delay)
    support.accept(server)
    support.accept(server)
    support.sleep(0.2)
  end)
  local started = support.now()
  support.alarms(0.02)
  local fd, message = require 'sock99'.open(t)
  local count = support.alarms(0)
  lu.assertNil(message)
  lu.assertTrue(count >= 3, count)
  return fd, support.now() - started
end


-- Waits until a connect would wait.
local function fill_backlog(connect)
  support.alarms(0.1)
  repeat
    local connected = connect()
  until not connected
  support.alarms(0)
end


function TestSignals:test_a_unix_connect_that_waits_for_room()
  for _, kind in ipairs { 'stream', 'seqpacket' } do
    local t = { path = support.path(kind), seqpacket = kind == 'seqpacket' }
    local server = support.open(support.with(t, { server = true, backlog = 1 }))
    fill_backlog(function()
      return support.connect(support.socket('unix', kind), t.path)
    end)
    local fd, took = open_under_alarms(t, server, 0.2)
    lu.assertTrue(took >= 0.15, took)
    lu.assertEquals(support.getpeername(fd), t.path)
    lu.assertFalse(support.nonblocking(fd))
  end
end


function TestSignals:test_a_tcp_connect_that_goes_on_by_itself()
  support.in_network(function()
    local server, port = support.server { backlog = 1 }
    fill_backlog(function()
      return support.connect(support.socket 'inet', '127.0.0.1', port)
    end)
    -- The kernel asks again after a second.
    local fd, took = open_under_alarms({ host = '127.0.0.1', port = port }, server, 0.1)
    lu.assertTrue(took >= 0.15, took)
    lu.assertEquals({ support.getpeername(fd) }, { '127.0.0.1', port })
    lu.assertEquals(support.getsockopt(fd, support.SOL_SOCKET, support.SO_ERROR), 0)
  end)
end


function TestSignals:test_a_refusal_after_signals_is_a_refusal()
  support.in_network(function()
    local server, port = support.server { backlog = 1 }
    fill_backlog(function()
      return support.connect(support.socket 'inet', '127.0.0.1', port)
    end)
    local started = support.now()
    support.spawn(function()
      -- Its own copy goes too, with this process.
      support.close(server)
      support.sleep(0.1)
    end)
    support.alarms(0.02)
    support.close(server)
    support.fails({ host = '127.0.0.1', port = port }, 'connect', 'ECONNREFUSED')
    support.alarms(0)
    lu.assertTrue(support.now() - started < 4)
  end)
end


support.run()
