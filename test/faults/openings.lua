-- openings.lua: each way to open a socket, with sock99.socket, with sock99.open, in
-- steps, and through the C library's own interface.

local faults = require 'faults'
local capi = require 'faults_capi'
local shared = require 'shared'
local sock99 = require 'sock99'
local system = require 'test_support'
local add, expect, equal = shared.add, shared.expect, shared.equal
local have_ipv6, listen_everywhere = shared.have_ipv6, shared.listen_everywhere
local listen, listen_there = shared.listen, shared.listen_there
local meets, object_of = shared.meets, shared.object_of
local always, listens, with_rules = shared.always, shared.listens, shared.with_rules

--
-- Openings. Each scenario has: t(s), the table; ready(s, socket), the check.
--

-- With sock99.socket; with sock99.open; in steps. `step_expect` has the rules for
-- steps alone; `once`: with sock99.socket is enough; `unix`: connect may be repeated.
local function opens(name, t, ready, more)
  more = more or {}

  local function variant(suffix, act, rules, twin)
    local scenario = { name = name .. suffix, kind = 'open', act = act, twin = twin }
    for key, value in pairs(more) do
      scenario[key] = value
    end
    if rules then
      scenario.expect = with_rules(more.step_expect or {}, with_rules(rules, more.expect or {}))
    end
    scenario.check = function(s, socket)
      expect(socket, 'nothing was opened')
      ready(s, s:keep(object_of(socket)))
    end
    add(scenario)
  end

  variant(' (socket)', function(s)
    return sock99.socket(t(s))
  end)
  if more.once then
    return
  end
  variant(' (open)', function(s)
    return sock99.open(t(s))
  end, nil, true)
  variant(' (start)', function(s)
    local opening, message, code, stage = sock99.start(t(s))
    if not opening then
      return nil, message, code, stage
    end
    s:keep { close = function() opening:cancel() end }
    for _ = 1, 100 do
      local socket
      socket, message, code, stage = opening:step()
      if socket ~= false then
        return socket, message, code, stage
      end
      pcall(sock99.select, { opening }, nil, shared.deadline)
    end
    return nil, 'the opening never ends', -1, 'steps'
  end, {
    { 'connect', 'EINPROGRESS', 'ok' },
    more.unix and { 'connect', 'EAGAIN', 'ok' } or nil,
  })
end


local function listens_there(s, server)
  s.listener = server
  meets(s, s:keep(assert(sock99.socket { path = s.listening_path or s.dir .. '/s' })))
end


local blocking = { { 'connect', 'EINPROGRESS', { 'connect', 'ETIMEDOUT' } } }

opens('tcp server', always { server = true, host = '127.0.0.1' }, listens)
opens('tcp server with options', always {
  server = true, host = '127.0.0.1',
  sockopts = { reuseport = true, rcvbuf = 32768, linger = false, { 1, 9, 1 } },
}, listens)

-- The first of its two candidates may lack its family or its address.
opens('tcp server on every address', always { server = true }, listens, {
  world = have_ipv6,
  expect = { { 'socket bind', 'EAFNOSUPPORT EADDRNOTAVAIL', 'ok' } },
})
opens('udp server', always { server = true, datagram = true, host = '127.0.0.1' },
      function(s, server)
        local _, port = server:getsockname()
        local client = s:keep(assert(sock99.socket {
          datagram = true, host = '127.0.0.1', port = port }))
        equal(client:send 'x', 1)
        server:settimeout(shared.deadline)
        equal((server:receivefrom()), 'x')
      end)

local function to_listener(fields)
  return function(s)
    local t = { host = '127.0.0.1', port = s.port }
    for key, value in pairs(fields or {}) do
      t[key] = value
    end
    return t
  end
end

opens('tcp client', to_listener(), meets, { setup = listen, expect = blocking })
opens('tcp client, non-blocking', to_listener { nonblocking = true },
      meets, { setup = listen, expect = blocking })
opens('tcp client with an address of its own', to_listener { bind = { host = '127.0.0.1' } },
      meets, {
        setup = listen,
        -- IP_BIND_ADDRESS_NO_PORT saves a port, where the system has it.
        expect = { { 'setsockopt', '*', 'ok' }, blocking[1] },
      })

-- Then it waits for the end in poll, and asks how it ended.
opens('tcp client, interrupted', to_listener(), meets, {
  setup = listen, once = true,
  standing = { { call = 'connect', nth = 1, last = 1000, error = faults.errors.EINTR } },
  expect = {
    { 'poll', 'EAGAIN EINTR', 'ok' }, { 'poll', '*', { 'connect' } },
    -- The first asks for SO_SNDTIMEO: where that is not known, there is none.
    { 'getsockopt', '*', { 'connect' }, from = 2 }, { 'getsockopt', '*', 'ok' },
  },
})

local raced = {
  { 'connect', 'EINPROGRESS', 'ok' },
}
opens('tcp client with a deadline', to_listener { timeout = shared.deadline }, meets,
      { setup = listen, expect = raced })

-- ::1 and 127.0.0.1: what happens to the first costs nothing but the first.
local little = 'ENETUNREACH EHOSTUNREACH ENETDOWN EHOSTDOWN EADDRNOTAVAIL EAFNOSUPPORT'
opens('tcp client of two candidates', function(s) return { port = s.port } end, meets, {
  world = have_ipv6,
  setup = listen_everywhere,
  expect = {
    { 'socket connect getsockopt', '*', 'ok' },
  },
  step_expect = {
    { 'epoll_add', '*', 'either' },
  },
})

-- ::1 refuses: the second is the only one, and tells its error if it says more.
opens('tcp client whose first candidate refuses', function(s) return { port = s.port } end, meets, {
  world = have_ipv6,
  setup = listen,
  expect = {
    -- Of the first: nothing is lost. Of the second: told.
    { 'socket', 'EAFNOSUPPORT', { any = { 'ok', { 'connect', 'ECONNREFUSED' } } } },
    { 'connect', little, { any = { 'ok', { 'connect', 'ECONNREFUSED' } } } },
    { 'connect', 'EINPROGRESS', 'ok' },
    { 'connect', '*', { any = { 'ok', { 'connect' } } } },
    { 'socket', '*', { any = { 'ok', { 'socket' } } } },
    { 'getsockopt', '*', 'either' },
  },
  step_expect = {
    { 'epoll_add', '*', 'either' },
  },
})

opens('udp client', function(s) return { datagram = true, host = '127.0.0.1', port = s.port } end,
      function(s, client)
        equal(client.class, 'udp{connected}', 'class')
        equal(client:send 'x', 1)
        s.listener:settimeout(shared.deadline)
        equal((s.listener:receivefrom()), 'x')
      end, {
        setup = function(s) listen(s, { host = '127.0.0.1', datagram = true }) end,
        expect = blocking,
        step_expect = { { 'connect', 'EINPROGRESS', { 'connect', 'ETIMEDOUT' } } },
      })

opens('udp client of everybody', always {
  datagram = true, host = '127.255.255.255', port = 9, sockopts = { broadcast = true },
}, function(_, client)
  equal(client.class, 'udp{unconnected}', 'class')
end)

opens('udp client without a peer', always { datagram = true, family = 'inet', connect = false },
      function(_, client) equal(client.class, 'udp{unconnected}', 'class') end)


local function at(fields)
  return function(s)
    local t = { path = s.dir .. '/s' }
    for key, value in pairs(fields or {}) do
      t[key] = value
    end
    return t
  end
end

local function leave_stale(s)
  assert(sock99.socket { server = true, path = s.dir .. '/s' }):close()
end

local function has_mode(mode)
  return function(s, server)
    equal(select(2, system.stat(s.dir .. '/s')), mode, 'mode')
    listens_there(s, server)
  end
end

opens('unix server', at { server = true }, listens_there)
opens('unix server with a mode', at { server = true, mode = '0777' }, has_mode(511))

-- What cannot be looked at, asked, or moved is left alone: the path is taken.
local taken = {
  { 'lstat', '*', { 'bind', 'EADDRINUSE' } },
  { 'connect', '*', { 'bind', 'EADDRINUSE' } },
  { 'renameat2', 'ENOSYS EINVAL', 'ok' },
  { 'renameat2', 'EEXIST', 'ok' }, -- another name is found
  { 'renameat2', '*', { 'bind', 'EADDRINUSE' } },
  { 'unlink', '*', { 'bind', 'EADDRINUSE' } },
}
-- ECONNREFUSED is the very answer that is hoped for.
table.insert(taken, 1, { 'connect', 'ECONNREFUSED EINTR', 'ok' })

opens('unix server in the place of a stale one', at { server = true, unlink = true },
      listens_there, { setup = leave_stale, expect = taken, step_expect = taken })
opens('unix server in the place of a stale one, with a mode',
      at { server = true, unlink = true, mode = '0600' }, has_mode(384),
      { setup = leave_stale, expect = taken, step_expect = taken, once = true })
opens('unix server in the place of a stale one, without renameat2',
      at { server = true, unlink = true }, listens_there, {
        setup = leave_stale, once = true, undoes_with = 'unlink',
        standing = { { call = 'renameat2', nth = 1, last = 1000, error = faults.errors.ENOSYS } },
        expect = with_rules({
          { 'link', 'EEXIST', 'ok' }, { 'link', '*', { 'bind', 'EADDRINUSE' } },
        }, taken),
      })
opens('unix server of an abstract name', function(s)
  s.listening_path = '\0' .. s.dir
  return { server = true, path = s.listening_path }
end, listens_there)
opens('unix datagram server', at { server = true, datagram = true }, function(s, server)
  local client = s:keep(assert(sock99.socket { datagram = true, path = s.dir .. '/s' }))
  equal(client:send 'x', 1)
  server:settimeout(shared.deadline)
  equal((server:receivefrom()), 'x')
end)


-- A blocking connect to a full backlog ends so when SO_SNDTIMEO has passed.
local full = { 'connect', 'EAGAIN', { 'connect', 'ETIMEDOUT' } }

opens('unix client', at(), meets, {
  setup = listen_there,
  expect = { { 'connect', 'EINPROGRESS', { 'connect' } }, full },
  step_expect = { { 'connect', 'EINPROGRESS', 'skip' } },
  unix = true,
})
-- A full backlog is tried again until the deadline.
opens('unix client with a deadline', at { timeout = shared.deadline }, meets, {
  setup = listen_there, unix = true,
  expect = { { 'connect', 'EINPROGRESS', 'skip' }, { 'connect', 'EAGAIN', 'ok' } },
  step_expect = { { 'connect', 'EINPROGRESS', 'skip' } },
})
opens('unix datagram client with a path of its own', function(s)
  return { datagram = true, path = s.dir .. '/s', bind = { path = s.dir .. '/own' } }
end, function(s, client)
  equal(client:send 'x', 1)
  s.listener:settimeout(shared.deadline)
  local data, from = s.listener:receivefrom()
  equal(data, 'x')
  equal(from, s.dir .. '/own')
end, {
  setup = function(s) listen(s, { path = s.dir .. '/s', datagram = true }) end,
  expect = { { 'connect', 'EINTR', 'ok' }, full, { 'connect', '*', { 'connect' } } },
  step_expect = { { 'connect', 'EINTR', 'ok' }, full, { 'connect', '*', { 'connect' } } },
})
opens('unix seqpacket client', at { seqpacket = true }, function(s, client)
  s.listener:settimeout(shared.deadline)
  equal(client:send 'x', 1)
  repeat
    local peer = s:keep(assert(s.listener:accept()))
    local data, message = peer:receive()
    expect(data == 'x' or message == 'closed', message)
  until data
end, {
  setup = function(s) listen(s, { path = s.dir .. '/s', seqpacket = true }) end,
  expect = { { 'connect', 'EINTR', 'ok' }, full, { 'connect', '*', { 'connect' } } },
  step_expect = {
    { 'connect', 'EINPROGRESS', 'skip' }, { 'connect', 'EAGAIN', 'ok' },
  },
})

-- Of the timer, the lookup, the attempt.
local watched = {
  { 'epoll_add', '*', { 'unknown' }, from = 3 },
  { 'epoll_add', '*', { 'getaddrinfo', 'EAI_SYSTEM' }, from = 2 },
}
opens('tcp client of a name', to_listener { host = 'localhost', family = 'inet' }, meets,
      { setup = listen, fresh = true, expect = blocking, step_expect = watched })
opens('tcp client of a name with a deadline',
      to_listener { host = 'localhost', family = 'inet', timeout = shared.deadline }, meets,
      { setup = listen, expect = raced, fresh = true, step_expect = watched })
opens('tcp server of a name', always { server = true, host = 'localhost', family = 'inet' },
      listens, { once = true })


--
-- The C library's own interface
--

local function c_opens(name, t, ready, more)
  more = more or {}
  for suffix, act in pairs {
    [' (socket99_open)'] = function(s)
      return capi.open(t(s))
    end,
    [' (socket99_step)'] = function(s)
      local opening, message, code, stage = capi.start(t(s))
      if not opening then
        return nil, message, code, stage
      end
      s:keep { close = function() capi.cancel(opening) end }
      for _ = 1, 100 do
        local fd
        fd, message, code, stage = capi.step(opening)
        if fd ~= false then
          return fd, message, code, stage
        end
        pcall(sock99.select, { capi.pollfd(opening) }, nil, shared.deadline)
      end
      return nil, 'the opening never ends', -1, 'steps'
    end,
  } do
    local rules = more.expect or {}
    if suffix:find 'step' then
      rules = with_rules(more.step_expect or {}, with_rules(rules, {
        { 'connect', 'EINPROGRESS', 'ok' }, { 'epoll_add', '*', 'either' },
      }))
    end
    add {
      name = 'C: ' .. name .. suffix, kind = 'open', act = act,
      setup = more.setup, fresh = more.fresh, expect = rules,
      check = function(s, socket)
        expect(socket)
        ready(s, s:keep(object_of(socket)))
      end,
    }
  end
end

c_opens('tcp server', always { server = true, host = '127.0.0.1' }, listens)
c_opens('tcp client', to_listener(), meets,
        { setup = listen, expect = blocking, step_expect = raced })
c_opens('tcp client with a deadline', to_listener { timeout_ms = 1000 * shared.deadline }, meets,
        { setup = listen, expect = raced })
-- ::1 and 127.0.0.1, of which the listener has the second.
c_opens('tcp client of a name with a deadline',
        to_listener { host = 'localhost', timeout_ms = 1000 * shared.deadline }, meets, {
          setup = listen, fresh = true,
          expect = with_rules(raced, { { 'socket connect getsockopt', '*', 'either' } }),
        })
c_opens('unix server in the place of a stale one', at { server = true, unlink = true, mode = 511 },
        has_mode(511), { setup = leave_stale, expect = taken })

add {
  name = 'C: socket99_resolve', kind = 'open', fresh = true,
  act = function()
    return capi.resolve { host = 'localhost', timeout_ms = 1000 * shared.deadline }
  end,
  check = function(_, count) expect(count and count > 0) end,
}
add {
  name = 'C: socket99_option_set and socket99_option_get', kind = 'method', setup = listen,
  act = function(s) return capi.option(s.listener:getfd()) end,
  check = function(_, done) equal(done, true) end,
}
add {
  name = 'C: socket99_fprintf', kind = 'method',
  act = capi.print,
  expect = { { 'fprintf', '*', 'same' } },
  check = function(_, done) equal(done, true) end,
}
