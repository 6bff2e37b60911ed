-- names.lua: lookups, addresses with zones, sockets that were passed at the start,
-- and what LuaSocket's programs ask for beside that.

local core = require 'sock99.luasocket'
local faults = require 'faults'
local shared = require 'shared'
local sock99 = require 'sock99'
local kinds = require 'sock99.kinds'
local system = require 'test_support'
local add, expect, equal = shared.add, shared.expect, shared.equal
local have_ipv6, simple = shared.have_ipv6, shared.simple
local listen, meets = shared.listen, shared.meets

--
-- Lookups, and sockets that were passed at the start
--

for _, seconds in ipairs { false, shared.deadline } do
  add {
    name = 'resolve' .. (seconds and ' with a timeout' or ''), kind = 'open', fresh = true,
    act = function()
      return sock99.resolve { host = 'localhost', family = 'inet', port = 80,
                              timeout = seconds or nil }
    end,
    check = function(_, list)
      expect(list)
      equal(list[1].host, '127.0.0.1', 'host')
      equal(list[1].port, 80, 'port')
    end,
  }
end

-- The descriptors from 3 on are the program's own here, so it is told of one
-- more than there are, or of none.
add {
  name = 'listen_fds', kind = 'method',
  setup = function(s)
    local server = assert(sock99.socket { server = true, host = '127.0.0.1' })
    s.object = s:keep(server)
    if s.moved == nil then
      s.moved = assert(system.dup(3))
      assert(system.dup2(server:getfd(), 3))
      s:at_end(function()
        assert(system.dup2(s.moved, 3))
        system.close(s.moved)
      end)
    end
    faults.setenv('LISTEN_PID', ('%d'):format(system.getpid()))
    faults.setenv('LISTEN_FDS', '1')
  end,
  expect = {
    -- The descriptor is not open: the environment lies.
    { 'fcntl getsockname getsockopt getpeername', '*', 'ok' },
    { 'unsetenv', '*', 'ok' },
  },
  act = function(s)
    s.list = sock99.listen_fds()
    return s.list
  end,
  check = function(_, list)
    expect(#list <= 1)
    if list[1] then
      equal(list[1].fd, 3)
      if list[1].socket then
        expect(list[1].socket:setfd(-1)) -- which is restored
      end
    end
  end,
}


-- A zone is told by its name, or, where that is not known, by its number.
add {
  name = 'an address with a zone', kind = 'method', world = have_ipv6,
  standing = { { call = 'socket', nth = 1, last = 1000, error = faults.errors.EACCES } },
  expect = {
    { 'if_indextoname', '*', 'ok' },
    -- There is no such interface; or nobody knows.
    { 'if_nametoindex', 'ENODEV', { code = 'EINVAL' } },
  },
  act = function()
    local fd, message, code, stage = sock99.open {
      ipv6 = 'ff02::1%lo', port = 9, datagram = true, connect = false,
    }
    if stage == 'socket' then
      return message
    end
    return fd, message, code
  end,
  again = function(s)
    s:own(assert(sock99.open { ipv6 = 'ff02::1%lo', port = 9, datagram = true, connect = false }))
    return 'socket [ff02::1%'
  end,
  check = function(_, message)
    expect(message:find('socket [ff02::1%', 1, true), message)
  end,
}


--
-- What LuaSocket's programs ask for beside that
--

add {
  name = 'LuaSocket: the name of the machine', kind = 'method',
  act = function(s)
    local name, message = kinds.hostname()
    return name, message, s.case and faults.errors[s.case.error] -- it tells no number
  end,
  check = function(_, name) expect(#name > 0) end,
}
add {
  name = 'LuaSocket: the limit of descriptors', kind = 'method',
  expect = { { 'getrlimit', '*', 'ok' } }, -- it is not known, then
  act = function() return kinds.limit() end,
  check = function(_, limit) expect(limit > 0) end,
}
add {
  name = 'LuaSocket: the names of an address', kind = 'open', fresh = true,
  expect = { { 'getnameinfo', '*', { 'getaddrinfo' } } },
  act = function() return kinds.names('127.0.0.1', '9') end,
  check = function(_, names) equal(#names, 1) end,
}
add {
  name = 'LuaSocket: the addresses of a name', kind = 'open', fresh = true,
  act = function() return kinds.canonical 'localhost' end,
  check = function(_, name) expect(name) end,
}


-- A name is connected to in an opening behind the object; LuaSocket's words have no
-- number beside them.
for _, seconds in ipairs { false, shared.deadline, 0 } do
  add {
    name = ('LuaSocket: connect to a name, %s'):format(seconds and 'timeout ' .. seconds or
                                                         'no timeout'),
    kind = 'words', fresh = true,
    -- LuaSocket says "timeout" of the system's, too, which asks for another try.
    expect = { { 'connect', 'ETIMEDOUT', seconds == 0 and 'skip' or 'an end' } },
    setup = listen,
    act = function(s)
      local object, message = core.tcp()
      if not object then
        return nil, message
      end
      s:keep(object)
      object:settimeout(seconds or nil)
      local done
      for _ = 1, 100 do
        done, message = object:connect('localhost', s.port)
        if done or seconds ~= 0 or not kinds.is_connecting(object) then
          break
        end
        pcall(core.select, nil, { object }, shared.deadline)
      end
      s.object = object
      return done, message
    end,
    check = function(s, done)
      equal(done, 1)
      s.object:settimeout(shared.deadline)
      meets(s, s.object)
    end,
  }
end


-- The same of an object that keeps its descriptor.
for _, seconds in ipairs { false, shared.deadline, 0 } do
  add {
    name = ('connect to a name, %s'):format(seconds and 'timeout ' .. seconds or 'no timeout'),
    -- A failure of one step may be another's, or none.
    kind = 'words', fresh = true,
    expect = { { 'connect', 'ETIMEDOUT', seconds == 0 and 'skip' or 'an end' } },
    setup = listen,
    act = function(s)
      local object, message, code, stage = sock99.socket { family = 'inet', connect = false }
      if not object then
        return nil, message, code, stage
      end
      s.object = s:keep(object)
      object:settimeout(seconds or nil)
      local done
      for _ = 1, 100 do
        done, message, code, stage = object:connect('localhost', s.port)
        if done or seconds ~= 0 or not kinds.is_connecting(object) then
          break
        end
        pcall(sock99.select, nil, { object }, shared.deadline)
      end
      return done, message, code, stage
    end,
    check = function(s, done)
      equal(done, 1)
      s.object:settimeout(shared.deadline)
      meets(s, s.object)
    end,
  }
end


-- An interface by its address, as a socket's option.
simple("the interface of multicasts", function(s)
  return s.object:setoption('multicast_if', '127.0.0.1')
end, function(_, done) equal(done, 1) end, {
  setup = function(s)
    s.object = s:keep(assert(sock99.socket { datagram = true, family = 'inet', connect = false }))
  end,
  -- It is no name, so it is looked for among the addresses.
  expect = { { 'if_nametoindex', '*', 'either' }, { 'getsockname', '*', 'same' } },
})
