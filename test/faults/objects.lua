-- objects.lua: objects that are born without an opening, and what becomes of them:
-- wrap, pair, accept, bind, listen, connect, and all that moves no data.

local faults = require 'faults'
local shared = require 'shared'
local sock99 = require 'sock99'
local system = require 'test_support'
local add, expect, equal = shared.add, shared.expect, shared.equal
local listen, listen_there, talk = shared.listen, shared.listen_there, shared.talk
local meets, object_of, listens = shared.meets, shared.object_of, shared.listens
local connection, pair, simple = shared.connection, shared.pair, shared.simple

--
-- Objects without an opening
--


local function wraps(name, setup, class)
  add {
    name = 'wrap ' .. name, kind = 'method', setup = setup,
    -- An error leaves the descriptor to the caller.
    expect = {
      { 'getsockname', '*', 'same' },
      -- There is no peer; or, of BSD, none any more.
      { 'getpeername', 'ENOTCONN EINVAL', class == 'tcp{client}' and 'skip' or 'ok' },
    },
    act = function(s)
      return sock99.wrap(s.raw)
    end,
    check = function(s, object)
      expect(object)
      s.raw = nil
      s:keep(object)
      equal(object.class, class, 'class')
    end,
  }
end

wraps('a connection', function(s)
  connection(s)
  s.raw = s:own(s.a:detach())
end, 'tcp{client}')
wraps('a listener', function(s)
  listen(s)
  s.raw = s:own(s.listener:detach())
end, 'tcp{server}')
wraps('a datagram socket', function(s)
  s.raw = s:own(assert(sock99.open { datagram = true, family = 'inet', connect = false }))
end, 'udp{unconnected}')

local pairs_of = {
  streams = {},
  datagrams = { datagram = true },
  records = { seqpacket = true, nonblocking = true },
}

for name, fields in pairs(pairs_of) do
  add {
    name = 'pair of ' .. name,
    kind = 'open',
    expect = { { 'socketpair', '*', { 'socket' } } },
    act = function() return sock99.pair(fields) end,
    check = function(s, a, b)
      expect(a and b)
      s:keep(a)
      s:keep(b)
      equal(a:send 'x\n', 2)
      expect(b:receive())
    end,
  }
end

-- What accept says of a connection that has gone, or of its network (accept(2)).
local gone = 'ECONNABORTED EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH ENONET ENOPROTOOPT ' ..
  'EOPNOTSUPP EPROTO'

for _, seconds in ipairs { false, shared.deadline } do
  for _, unix in ipairs { false, true } do
    add {
      name = 'accept' .. (unix and ' on a path' or '') .. (seconds and ' with a timeout' or ''),
      kind = 'method',
      setup = function(s)
        listen(s, unix and { path = s.dir .. '/s' } or { host = '127.0.0.1' })
        s.a = s:keep(assert(sock99.socket(unix and { path = s.path } or
                                            { host = '127.0.0.1', port = s.port })))
        s.listener:settimeout(seconds or nil)
      end,
      expect = {
        { 'accept4', gone, 'ok' },
      },
      act = function(s) return s.listener:accept() end,
      check = function(s, peer)
        expect(peer)
        talk(s.a, s:keep(peer))
      end,
    }
  end
end

-- A descriptor as somebody else made it: accept makes it non-blocking first.
add {
  name = 'accept of a wrapped listener with a timeout', kind = 'method',
  setup = function(s)
    s.listener = s:keep(object_of(assert(sock99.open { server = true, host = '127.0.0.1' })))
    s.port = select(2, s.listener:getsockname())
    s.a = s:keep(assert(sock99.socket { host = '127.0.0.1', port = s.port }))
    s.listener:settimeout(shared.deadline)
  end,
  expect = { { 'accept4', gone, 'ok' } },
  act = function(s) return s.listener:accept() end,
  check = function(s, peer)
    expect(peer)
    talk(s.a, s:keep(peer))
  end,
}


--
-- bind, listen, connect and others, of objects
--

local function master(s)
  s.object = s:keep(assert(sock99.socket { family = 'inet', connect = false }))
end

add {
  name = 'object binds', kind = 'method', setup = master,
  act = function(s) return s.object:bind('127.0.0.1', 0) end,
  check = function(s, done)
    equal(done, 1)
    equal((s.object:getsockname()), '127.0.0.1')
  end,
}

add {
  name = 'object listens', kind = 'method',
  setup = function(s)
    master(s)
    assert(s.object:bind('127.0.0.1', 0))
  end,
  act = function(s) return s.object:listen() end,
  check = function(s, done)
    equal(done, 1)
    listens(s, s.object)
  end,
}

for _, host in ipairs { '127.0.0.1', 'localhost' } do
  for _, seconds in ipairs { false, shared.deadline } do
    add {
      name = ('object connects to %s%s'):format(host, seconds and ' with a timeout' or ''),
      kind = 'method', fresh = host == 'localhost',
      setup = function(s)
        listen(s)
        master(s)
        s.object:settimeout(seconds or nil)
      end,
      expect = {
        { 'connect', 'EINPROGRESS EALREADY ECONNABORTED', 'ok' },
        -- A lookup's own; its codes are told.
        { 'pthread_sigmask', '*', 'skip', from = 2 },
        { 'eventfd pthread_attr_init pthread_cond_init pthread_condattr_init pthread_create ' ..
    'pthread_mutex_init pthread_sigmask', '*',
          { code = 'EAI_SYSTEM' } },
        -- A name's connect asks for a peer before its lookup, and a failure means
        -- none; it asks again at the end, where ENOTCONN means that the peer has gone.
        { 'getpeername', 'ENOTCONN', 'same', from = 2 },
        { 'getpeername', '*', 'ok' },
        { 'epoll_add', '*', { code = 'EAI_SYSTEM' }, from = 2 },
        -- Once a connection is made, neither matters.
        { 'timerfd_settime', '*', 'either', from = 2 },
        { 'epoll_delete', '*', 'ok' },
        -- Of the lookup; of the connection, told.
        { 'poll', '*', 'either' },
      },
      act = function(s) return s.object:connect(host, s.port) end,
      again = function(s)
        local done, message, code = s.object:connect(host, s.port)
        -- Its first connect has gone on in the meantime.
        if code == faults.errors.EISCONN then
          return 1
        end
        return done, message, code
      end,
      check = function(s, done)
        equal(done, 1)
        meets(s, s.object)
      end,
    }
  end
end

add {
  name = 'object connects to a path', kind = 'method',
  setup = function(s)
    listen_there(s)
    s.object = s:keep(assert(sock99.socket { family = 'unix', connect = false }))
    s.object:settimeout(shared.deadline)
  end,
  expect = { { 'connect', 'EAGAIN', 'ok' } },
  act = function(s) return s.object:connect(s.path) end,
  check = function(s, done)
    equal(done, 1)
    meets(s, s.object)
  end,
}


simple('getsockname', function(s) return s.a:getsockname() end,
       function(_, host) equal(host, '127.0.0.1') end,
       { expect = { { 'getsockname', '*', 'same' } } })
simple('getpeername', function(s) return s.a:getpeername() end,
       function(s, _, port) equal(port, s.port) end)
simple('getpeercred', function(s) return s.a:getpeercred() end,
       function(_, peer) equal(peer.uid, system.getuid()) end, { setup = pair })
simple('getoption', function(s) return s.a:getoption 'rcvbuf' end,
       function(_, size) expect(size > 0) end)
simple('setoption', function(s) return s.a:setoption('keepalive', true) end,
       function(s) equal(s.a:getoption 'keepalive', true) end)
simple('shutdown', function(s) return s.a:shutdown 'send' end, function(s)
  equal(select(2, s.b:receive()), 'closed')
end)
simple('close', function(s) return s.a:close() end, function(s)
  equal(select(2, s.b:receive()), 'closed')
end)
simple('close of a descriptor', function(s)
  local done, message, code = sock99.close(s.raw)
  s.raw = nil
  return done, message, code
end, function(s, done)
  equal(done, true)
  equal(select(2, s.b:receive()), 'closed')
end, {
  setup = function(s)
    connection(s)
    s.raw = s.a:detach()
  end,
  expect = { { 'close', 'EINTR', 'ok' }, { 'close', '*', 'same' } },
  again = function() return true end, -- it is closed in any case
})

-- Whatever poll says, select raises no other error than poll's own.
simple('select', function(s)
  local ok, readable = pcall(sock99.select, { s.b }, { s.b }, shared.deadline)
  if not ok then
    return nil, readable, faults.errors[s.case.error]
  end
  return readable
end, function(s, readable)
  expect(readable[s.b])
end, {
  setup = function(s)
    connection(s)
    s.a:send 'x'
  end,
  expect = { { 'poll', 'EAGAIN EINTR', 'ok' }, { 'poll', '*', 'same' } },
  believes_counts = true,
})

-- There is nobody to tell; it ends in any case.
simple('sleep', function()
  local start = system.now()
  sock99.sleep(0.001)
  return system.now() - start
end, function(_, seconds)
  expect(seconds >= 0.001, seconds)
end, { expect = { { 'poll', '*', 'ok' } } })

simple('detach', function(s)
  s.raw = s.b:detach()
  return s.raw
end, function(s, fd)
  s.b = s:keep(object_of(fd))
  talk(s.a, s.b)
end)
