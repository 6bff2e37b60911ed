-- Signals that interrupt an opening are nothing that a program sees.

local lu = require 'luaunit'
local support = require 'support'

TestSignals = support.suite()


-- Opens t while SIGALRM comes and goes; somebody accepts after `delay`, and stays
-- until we have seen the connection. Returns how many alarms there were, too.
local function open_under_alarms(t, server, delay)
  local reader, writer = assert(support.pipe())
  local started = support.now()
  support.spawn(function()
    support.close(writer)
    support.sleep(delay)
    support.accept(server)
    support.accept(server)
    support.read(reader)
  end)
  support.close(reader)
  support.alarms(0.02)
  local fd, message = require 'sock99'.open(t)
  local count = support.alarms(0)
  lu.assertNil(message)
  lu.assertTrue(support.now() - started >= delay)
  return fd, count, writer
end


-- A busy machine may let the one who accepts go first: then nothing was
-- interrupted, and it is done again.
local function under_alarms(scene)
  for try = 1, 10 do
    local count, writer = scene(try)
    support.close(writer)
    if count >= 3 then
      return
    end
  end
  lu.fail('no opening was interrupted')
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
    under_alarms(function(try)
      local t = { path = support.path(kind .. try), seqpacket = kind == 'seqpacket' }
      local server = support.open(support.with(t, { server = true, backlog = 1 }))
      fill_backlog(function()
        return support.connect(support.socket('unix', kind), t.path)
      end)
      local fd, count, writer = open_under_alarms(t, server, 0.2)
      lu.assertEquals(support.getpeername(fd), t.path)
      lu.assertFalse(support.nonblocking(fd))
      return count, writer
    end)
  end
end


function TestSignals:test_a_tcp_connect_that_goes_on_by_itself()
  support.in_network(function()
    under_alarms(function()
      local server, port = support.server { backlog = 1 }
      fill_backlog(function()
        return support.connect(support.socket 'inet', '127.0.0.1', port)
      end)
      -- The kernel asks again after a second.
      local t = { host = '127.0.0.1', port = port }
      local fd, count, writer = open_under_alarms(t, server, 0.1)
      lu.assertEquals({ support.getpeername(fd) }, { '127.0.0.1', port })
      lu.assertEquals(support.getsockopt(fd, support.SOL_SOCKET, support.SO_ERROR), 0)
      return count, writer
    end)
  end)
end


function TestSignals:test_a_refusal_after_signals_is_a_refusal()
  support.in_network(function()
    local server, port = support.server { backlog = 1 }
    fill_backlog(function()
      return support.connect(support.socket 'inet', '127.0.0.1', port)
    end)
    support.spawn(function()
      -- Its own copy goes too, with this process.
      support.close(server)
      support.sleep(0.1)
    end)
    support.alarms(0.02)
    support.close(server)
    support.fails({ host = '127.0.0.1', port = port }, 'connect', 'ECONNREFUSED')
    support.alarms(0)
  end)
end


support.run()
