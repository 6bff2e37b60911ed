-- streams.lua: bytes, in and out, and files. Nothing is lost, whatever fails: what
-- an error tells as partial, and what comes after it, are the whole.

local faults = require 'faults'
local shared = require 'shared'
local system = require 'test_support'
local add, expect, equal = shared.add, shared.expect, shared.equal
local ways, text = shared.ways, shared.text

--
-- Streams. Nothing is lost, whatever fails: what an error tells as partial, and
-- what comes after it, are the whole.
--


-- `taken` bytes are no longer there then; `ends`: the peer has closed.
local function receives(name, pattern, wanted, taken, ends)
  ways(function(suffix, setup)
    for _, seconds in ipairs { false, shared.deadline } do
      local scenario = {
        name = ('receive %s%s%s'):format(name, suffix, seconds and ' with a timeout' or ''),
        kind = 'partial',
        setup = function(s)
          setup(s)
          s.b:settimeout(seconds or nil)
          assert(s.a:send(text))
          if ends then
            s.a:close()
          end
        end,
        act = function(s) return s.b:receive(pattern) end,
        again = function(s, partial)
          local data, message, rest = s.b:receive(pattern, partial)
          -- All that there is was there already.
          return data or message == 'closed' and rest
        end,
        check = function(s, data)
          equal(data, wanted, 'what came')
          s.b:settimeout(0)
          equal(select(3, s.b:receive '*a'), text:sub(taken + 1), 'what was left')
        end,
      }
      add(scenario)
    end
  end)
end

receives('a line', '*l', 'line 1, -', 10)
receives('a line with its end', '*L', 'line 1, -\n', 10)
receives('a number of bytes', 100, text:sub(1, 100), 100)
receives('all', '*a', text, #text, true)

ways(function(suffix, setup)
  add {
    name = 'receive what is there' .. suffix, kind = 'partial',
    setup = function(s)
      setup(s)
      assert(s.a:send(text))
    end,
    act = function(s) return s.b:receiveany() end,
    check = function(s, data)
      expect(data and #data > 0)
      equal(data .. s.b:receive(#text - #data), text, 'what came')
    end,
  }
  -- A deadline that passes is told as such, and not before.
  add {
    name = 'receive nothing until a timeout' .. suffix, kind = 'partial',
    setup = function(s)
      setup(s)
      s.b:settimeout(0.02)
      assert(s.a:send 'a part')
    end,
    act = function(s)
      local began = system.now()
      local line, message, partial, code = s.b:receive()
      if message ~= 'timeout' then
        return line, message, partial, code
      end
      return 'a timeout', partial, system.now() - began
    end,
    again = function(s, partial)
      s.b:receive('*l', partial)
      return 'a timeout', 'a part', 1
    end,
    check = function(_, what, partial, seconds)
      equal(what, 'a timeout')
      equal(partial, 'a part', 'partial')
      expect(seconds >= 0.02, 'it ended too early')
    end,
  }
end)

-- The last byte sent is told, and sending goes on from there.
local function sends(name, setup, data, text_of)
  add {
    name = 'send ' .. name, kind = 'partial', setup = setup,
    act = function(s) return s.a:send(data) end,
    again = function(s, partial)
      s.a:send(text_of, partial + 1)
      return #text_of
    end,
    check = function(s, last)
      equal(last, #text_of, 'last byte')
      equal(s.b:receive(#text_of), text_of, 'what came')
      s.b:settimeout(0)
      equal(select(3, s.b:receive '*a'), '', 'what came beside it')
    end,
  }
end

for _, seconds in ipairs { false, shared.deadline } do
  ways(function(suffix, setup)
    local function limited(s)
      setup(s)
      s.a:settimeout(seconds or nil)
    end
    suffix = suffix .. (seconds and ' with a timeout' or '')
    sends('a string' .. suffix, limited, text, text)
    sends('a list' .. suffix, limited, { text:sub(1, 50), 1, text:sub(51), '\n' },
          text:sub(1, 50) .. '1' .. text:sub(51) .. '\n')
  end)
end


--
-- Files
--

local function file_of(s, data)
  local name = s.dir .. '/file'
  local file = assert(io.open(name, 'w+b'))
  file:write(data)
  file:seek 'set'
  s:keep(file)
  return file
end

-- Bytes that were read from a pipe and not sent are told, and sent by `again`.
local function sendfiles(name, source, more)
  local scenario = more or {}
  ways(function(suffix, setup)
    local one = {}
    for key, value in pairs(scenario) do
      one[key] = value
    end
    one.name, one.kind = 'sendfile of ' .. name .. suffix, 'partial'
    one.setup = function(s)
      setup(s)
      s.source = source(s)
    end
    one.act = function(s)
      local sent, message, partial, code, unsent = s.a:sendfile(s.source)
      s.unsent = unsent
      return sent, message, partial, code
    end
    one.again = function(s, partial)
      if s.unsent then
        assert(s.a:send(s.unsent))
      end
      -- Nothing failed but to move the position by what was sent.
      if partial == #text then
        return partial
      end
      return partial + #(s.unsent or '') + assert(s.a:sendfile(s.source))
    end
    one.check = function(s, sent)
      equal(sent, #text, 'bytes sent')
      equal(s.b:receive(#text), text, 'what came')
      s.b:settimeout(0)
      equal(select(3, s.b:receive '*a'), '', 'what came beside it')
    end
    add(one)
  end)
end

local reads_instead = { 'sendfile', 'EINVAL ENOSYS', 'ok' }

sendfiles('a file', function(s) return file_of(s, text) end, {
  expect = {
    reads_instead,
    -- BSD says so of what is only read.
    { 'fflush', 'EBADF', 'ok' },
    -- Of no pipe: the file is read from where it is.
    { 'ftello', 'ESPIPE', 'either' },
    { 'sigpending sigtimedwait', '*', 'ok' },
    { 'fileno', '*', 'same' },
  },
})
sendfiles('a descriptor', function(s)
  local file = file_of(s, text)
  local _, fds = assert(s:pass_through(file))
  return s:own(fds[1])
end, {
  expect = {
    reads_instead,
    { 'lseek', 'ESPIPE', 'either' },
    { 'sigpending sigtimedwait', '*', 'ok' },
  },
})
sendfiles('a file that the kernel cannot copy', function(s) return file_of(s, text) end, {
  standing = { { call = 'sendfile', nth = 1, last = 1000, error = faults.errors.EINVAL } },
  expect = {
    { 'fflush', 'EBADF', 'ok' },
    { 'ftello', 'ESPIPE', 'either' },
    { 'sigpending sigtimedwait', '*', 'ok' },
  },
})

local function filled_pipe(s)
  local reader, writer = assert(system.pipe())
  s:own(reader)
  assert(system.write(writer, text))
  system.close(writer)
  return reader
end

sendfiles('a pipe', filled_pipe, { expect = { { 'lseek', '*', 'either' } } })
sendfiles("a pipe of Lua's", function(s)
  local name = s.dir .. '/file'
  file_of(s, text):flush()
  return s:keep(assert(io.popen('cat ' .. name)))
end, { expect = { { 'ftello', '*', 'either' }, { 'fileno', '*', 'ok' } } })
