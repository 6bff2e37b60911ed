-- messages.lua: datagrams, whole and each once; descriptors that pass.

local shared = require 'shared'
local sock99 = require 'sock99'
local add, expect, equal = shared.add, shared.expect, shared.equal
local object_of, pair, text = shared.object_of, shared.pair, shared.text

--
-- Datagrams: whole, each once.
--

local function udp(s)
  s.b = s:keep(assert(sock99.socket { server = true, datagram = true, host = '127.0.0.1' }))
  s.host, s.port = s.b:getsockname()
  s.a = s:keep(assert(sock99.socket { datagram = true, host = s.host, port = s.port }))
  s.loose = s:keep(assert(sock99.socket { datagram = true, family = 'inet', connect = false }))
  s.b:settimeout(shared.deadline)
end


local function udp_pair(s)
  udp(s)
  assert(s.loose:bind('127.0.0.1', 0))
  local host, port = s.loose:getsockname()
  assert(s.b:setpeername(host, port))
  assert(s.loose:setpeername(s.host, s.port))
end


local function unix_datagrams(s)
  s.host = s.dir .. '/b'
  s.b = s:keep(assert(sock99.socket { server = true, datagram = true, path = s.host }))
  s.a = s:keep(assert(sock99.socket { datagram = true, path = s.host }))
  s.loose = s:keep(assert(sock99.socket { datagram = true, family = 'unix', connect = false }))
  s.b:settimeout(shared.deadline)
  s.loose:settimeout(shared.deadline)
end


local function nothing_more(s)
  s.b:settimeout(0)
  equal(select(2, s.b:receive()), 'timeout', 'what came beside it')
end


local function records(s)
  pair(s, { seqpacket = true })
end

for name, setup in pairs { udp = udp, unix = unix_datagrams, seqpacket = records } do
  local kind = setup == records and 'partial' or 'method'
  add {
    name = 'send a datagram over ' .. name, kind = kind, setup = setup,
    act = function(s) return s.a:send(text) end,
    check = function(s, sent)
      equal(sent, #text)
      equal((s.b:receive()), text, 'the datagram')
      nothing_more(s)
    end,
  }
  add {
    name = 'receive a datagram over ' .. name, kind = kind,
    setup = function(s)
      setup(s)
      assert(s.a:send(text))
    end,
    act = function(s) return s.b:receive() end,
    check = function(s, data)
      equal(data, text, 'the datagram')
      nothing_more(s)
    end,
  }
end

for name, setup in pairs { udp = udp, unix = unix_datagrams } do
  add {
    name = 'send a datagram to an address over ' .. name, kind = 'method', setup = setup,
    act = function(s) return s.loose:sendto(text, s.host, s.port) end,
    check = function(s, sent)
      equal(sent, #text)
      equal((s.b:receivefrom()), text, 'the datagram')
      nothing_more(s)
    end,
  }
  add {
    name = 'receive a datagram and its origin over ' .. name, kind = 'method',
    setup = function(s)
      setup(s)
      assert(s.a:send(text))
    end,
    act = function(s) return s.b:receivefrom() end,
    check = function(s, data, host)
      equal(data, text, 'the datagram')
      equal(host, name == 'unix' and '' or '127.0.0.1', 'host')
      nothing_more(s)
    end,
  }
  -- How many were sent is told; the rest is sent again.
  add {
    name = 'send many datagrams over ' .. name, kind = 'partial', setup = setup,
    act = function(s) return s.a:sendmany { '1', '2', '3', '4', '5' } end,
    again = function(s, sent)
      local rest = {}
      for i = sent + 1, 5 do
        rest[#rest + 1] = tostring(i)
      end
      return sent + assert(s.a:sendmany(rest))
    end,
    check = function(s, sent)
      equal(sent, 5)
      for i = 1, 5 do
        equal((s.b:receivefrom()), tostring(i), 'the datagram')
      end
      nothing_more(s)
    end,
  }
end

for name, setup in pairs { udp = udp, ['udp with a peer'] = udp_pair, unix = unix_datagrams } do
  add {
    name = 'receive many datagrams over ' .. name, kind = 'method',
    setup = function(s)
      setup(s)
      s.sender = setup == udp_pair and s.loose or s.a
      for i = 1, 5 do
        assert(s.sender:send(tostring(i)))
      end
    end,
    -- What came before an error is delivered first, and the error by the next call.
    expect = { { 'recv recvmsg', '*', 'either' } },
    act = function(s) return s.b:receivemany() end,
    check = function(s, list)
      expect(list)
      local got = #list
      for i, each in ipairs(list) do
        equal(type(each) == 'table' and each[1] or each, tostring(i), 'the datagram')
      end
      while got < 5 do
        local data, message = s.b:receive()
        expect(data or message ~= 'timeout', 'a datagram is lost')
        if data then
          got = got + 1
          equal(data, tostring(got), 'the datagram')
        end
      end
      if s.case and s.case.error then
        s.b:settimeout(0)
        s.b:receive() -- tells the error that came after them
      end
      nothing_more(s)
    end,
  }
end

for name, target in pairs { ['to a peer'] = true, ['to nobody'] = false } do
  add {
    name = 'datagram object connects ' .. name, kind = 'method',
    setup = target and udp or udp_pair,
    act = function(s)
      if target then
        return s.loose:setpeername(s.host, s.port)
      end
      return s.loose:setpeername '*'
    end,
    check = function(s, done)
      equal(done, 1)
      equal(s.loose.class, target and 'udp{connected}' or 'udp{unconnected}')
    end,
  }
end


--
-- Descriptors that pass
--

local function talks_through(s, fd)
  local received = s:keep(object_of(fd))
  received:settimeout(shared.deadline)
  assert(s.far:send 'through it\n')
  equal(received:receive(), 'through it', 'what came through the descriptor')
end

local types = { stream = {}, datagram = { datagram = true }, record = { seqpacket = true } }

for name, fields in pairs(types) do
  local function setup(s)
    pair(s, fields)
    s.far, s.near = assert(sock99.pair())
    s:keep(s.far)
    s:keep(s.near)
    s.far:settimeout(shared.deadline)
  end
  add {
    name = 'send descriptors over a ' .. name, kind = 'partial', setup = setup,
    act = function(s) return s.a:sendfds('taken?', s.near, s.near) end,
    again = function(s, sent)
      if sent == 0 then
        return s.a:sendfds('taken?', s.near, s.near)
      end
      return s.a:send(('taken?'):sub(sent + 1)) + sent
    end,
    check = function(s, sent)
      equal(sent, 6)
      local data, fds = assert(s.b:receivefds())
      equal(#fds, 2, 'descriptors')
      s:own(fds[2])
      talks_through(s, fds[1])
      while #data < 6 do
        data = data .. assert(s.b:receive(6 - #data))
      end
      equal(data, 'taken?')
    end,
  }
  add {
    name = 'receive descriptors over a ' .. name, kind = 'method',
    setup = function(s)
      setup(s)
      assert(s.a:sendfds('taken?', s.near, s.near))
    end,
    act = function(s) return s.b:receivefds() end,
    check = function(s, data, fds)
      expect(data)
      equal(#fds, 2, 'descriptors')
      s:own(fds[2])
      talks_through(s, fds[1])
      while #data < 6 do
        data = data .. assert(s.b:receive(6 - #data))
      end
      equal(data, 'taken?')
    end,
  }
end

-- Those that nobody claims are closed with the object.
add {
  name = 'receive bytes that descriptors came with', kind = 'partial',
  setup = function(s)
    pair(s)
    assert(s.a:sendfds('taken?\n', s.a, s.b))
  end,
  act = function(s) return s.b:receive() end,
  again = function(s, partial) return s.b:receive('*l', partial) end,
  check = function(_, line) equal(line, 'taken?') end,
}
