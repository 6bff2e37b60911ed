-- Random sequences of operations on pairs of connected objects, against a model
-- that holds the bytes and messages on their way in plain strings and lists.
--
-- A sequence is a list of operations that is made before the first one runs, from
-- its number alone, so that it is the same everywhere. An operation that would
-- wait forever, or has no object any more, is left out; so any part of a sequence
-- is a sequence, too, and the one that fails is told as short as it can be.
--
--     SEQUENCES=100000    so many of each kind
--     SEED=1234           only the sequence of that number

local lu = require 'luaunit'
local model = require 'model'
local sock99 = require 'sock99'
local support = require 'support'

local errno = sock99.errno

local OPERATIONS = 24
local SEQUENCES = tonumber(os.getenv 'SEQUENCES') or (support.runner and 30 or 300)
local SEED = tonumber(os.getenv 'SEED')

-- What always fits between two sockets, and what messages may be there.
local FITS = 30000
local MESSAGES = 30

local LONG = 5 -- seconds: what nothing takes


local function check(ok, text, ...)
  if not ok then
    local told = {}
    for i = 1, select('#', ...) do
      local value = select(i, ...)
      value = type(value) == 'string' and #value > 100
        and ('%d bytes: %s…%s'):format(#value, value:sub(1, 30), value:sub(-30)) or value
      told[i] = type(value) == 'string' and ('%q'):format(value) or tostring(value)
    end
    error(text .. ': ' .. table.concat(told, ', '), 0)
  end
end


local function same(name, got, expected)
  check(got == expected, name .. ' gave and should have given', got, expected)
end


-- nil, message, partial, code. A kind with words of its own tells no code.
local function is_code(world, got, ...)
  for i = 1, world.luasocket and 0 or select('#', ...) do
    local code = select(i, ...)
    if got == (code and errno[code] or nil) then
      return true
    end
  end
  return world.luasocket and got == nil
end


-- What an end may be: open, finished (what is pending is all: 'ended'; 'failed',
-- where ECONNRESET is told once; 'reset', where it may be told), without an object.

local function is_open(e)
  return e.object and e.open
end


local function limit(e)
  if e.each < 0 or (e.whole >= 0 and e.whole < e.each) then
    return e.whole
  end
  return e.each
end


local function soon_over(e)
  return limit(e) >= 0 and limit(e) < 0.1
end


-- A call that needs many turns may end between two of them.
local function is_hurried(e)
  return e.whole > 0 and e.whole < 0.1
end


local function new_object(e, object)
  e.object, e.open = object, true
  e.each, e.whole = -1, -1
  e.base, e.sent = 0, 0
  e.wants_writing = false
end


local function forget_object(e)
  e.open = false
  e.wants_writing = false
end


-- Streams: the bytes on their way to an end are e.pending, the descriptors that
-- come with one of them e.rights: { at = how many bytes before it, port = }.

local stream = {}


local function received_ahead(e)
  return e.object:getstats() - e.base
end


local function is_broken_off(e)
  return e.finished == 'reset' or e.finished == 'failed'
end


-- Over TCP, more may wait at the sender.
local function is_congested(e)
  return e.world.tcp and #e.pending > FITS
end


-- Until all that was sent has arrived: what follows is not a matter of time then.
local function settle(e)
  if not is_open(e) then
    return 0
  end
  local fd, deadline = e.object:getfd(), support.now() + LONG
  local ahead = received_ahead(e)
  check(ahead >= 0 and ahead <= #e.pending, 'bytes received ahead, and pending', ahead, #e.pending)
  same('dirty', e.object:dirty(), ahead > 0)
  if not is_congested(e) then
    while support.arrived(fd) + ahead ~= #e.pending do
      check(support.now() < deadline, 'arrived, read ahead, pending', support.arrived(fd), ahead,
            #e.pending)
      sock99.sleep(0.001)
    end
    check(not e.finished or support.ended(fd), 'the end did not arrive')
  end
  return ahead
end


local function take(e, count)
  e.base = e.base + count
  e.taken = e.taken + count
  e.pending = e.pending:sub(count + 1)
end


-- What came with bytes that an object has received goes with the object.
local function drop_rights(e, before)
  while e.rights[1] and e.rights[1].at < before do
    table.remove(e.rights, 1)
  end
end


-- Whether the code of an end is one that the model allows.
local function is_end(e, code)
  local finished = e.finished
  if finished == 'failed' then
    e.finished = 'ended'
    return is_code(e.world, code, 'ECONNRESET')
  elseif finished == 'reset' then
    return is_code(e.world, code, false, 'ECONNRESET', 'EPIPE')
  end
  return is_code(e.world, code, false)
end


local function expect_closed(e, name, partial, ...)
  local value, message, rest, code = ...
  same(name, value, nil)
  same(name, message, 'closed')
  same(name .. ': the partial result', rest, partial)
  check(is_code(e.world, code, false), name .. ': code', code)
end


-- Of a call that got everything there was.
local function expect_short(e, name, partial, ...)
  local value, message, rest, code = ...
  same(name, value, nil)
  same(name, message, e.finished and 'closed' or 'timeout')
  same(name .. ': the partial result', rest, partial)
  check(e.finished and is_end(e, code) or is_code(e.world, code, 'ETIMEDOUT'), name .. ': code',
        code)
end


local function early_end(e, request, partial)
  local got = received_ahead(e)
  check(got <= #e.pending, 'received, pending', got, #e.pending)
  same('receive, ended early', partial,
       model.partial(e.pending:sub(1, got), request.pattern, request.prefix, e.world.luasocket))
  e.partial = partial
  take(e, got)
end


local function check_receive(e, request, ...)
  local value, message, partial, code = ...
  local text, count = model.receive(e.pending, request.pattern, request.prefix, e.world.luasocket)
  local rest = model.partial(e.pending, request.pattern, request.prefix, e.world.luasocket)
  if message == 'timeout' and (is_hurried(e) or is_congested(e)) then
    early_end(e, request, partial)
  elseif text then
    same('receive', value, text)
    check(select('#', ...) == 1, 'receive: results', ...)
    take(e, count)
  elseif model.wants_all(request.pattern) and e.finished and value ~= nil then
    check(e.finished ~= 'failed', 'receive: an error, and not told')
    same('receive', value, rest)
    check(#e.pending > 0, 'receive: all of nothing')
    take(e, #e.pending)
  else
    check(not (model.wants_all(request.pattern) and e.finished == 'ended' and #e.pending > 0),
          'receive: the end is no error', message)
    expect_short(e, 'receive', rest, value, message, partial, code)
    e.partial = partial
    take(e, #e.pending)
  end
end


-- LuaSocket waits for something, and leaves it.
local function receive_nothing(e)
  local value, message, partial, code = e.object:receive(0)
  if #e.pending > 0 then
    same('receive(0)', value, '')
  else
    expect_short(e, 'receive(0)', '', value, message, partial, code)
  end
end


local function would_wait(e)
  return not e.finished and not soon_over(e)
end


stream.receive = {
  weight = 10,

  make = function(chance)
    local n = chance(10)
    local pattern = ({ '*l', 'l', '*L', 'L', '*a', 'a' })[n]
    if n == 9 then
      pattern = 0
    elseif n > 6 then
      pattern = ({ 0, 1, 2, 5, 40, 300, 9000, 70000 })[chance(8) + 1] + chance(3)
      pattern = chance(4) == 0 and tostring(pattern) or pattern
    end
    local prefix = ({ '', 'x', 'x\r', '\r', 'abc\ndef', false })[chance(6) + 1]
    return { pattern = pattern, prefix = prefix or nil, goes_on = chance(2) == 0 }
  end,

  run = function(e, op)
    local prefix = op.goes_on and e.partial or op.prefix
    local request = { pattern = op.pattern, prefix = prefix or '' }
    if not e.open then
      expect_closed(e, 'receive', prefix or '', e.object:receive(op.pattern, prefix))
      return
    end
    settle(e)
    local waits_for = tonumber(op.pattern) == 0 and #request.prefix == 0 and e.world.luasocket
    local enough = model.receive(e.pending, op.pattern, request.prefix)
    if (not enough or (waits_for and #e.pending == 0)) and would_wait(e) then
      return
    end
    if not (tonumber(op.pattern) and tonumber(op.pattern) <= #request.prefix) or waits_for then
      e.wants_writing = false
    end
    if waits_for then
      receive_nothing(e)
    else
      check_receive(e, request, e.object:receive(op.pattern, prefix))
    end
  end,
}


stream.receiveany = {
  weight = 4,

  make = function(chance)
    return { max = ({ 1, 3, 100, 50000 })[chance(6) + 1] }
  end,

  run = function(e, op)
    local max = op.max or math.huge
    if not e.open then
      expect_closed(e, 'receiveany', '', e.object:receiveany(op.max))
      return
    end
    local ahead = settle(e)
    if #e.pending == 0 and would_wait(e) then
      return
    end
    e.wants_writing = false
    local value, message, partial, code = e.object:receiveany(op.max)
    if #e.pending == 0 then
      expect_short(e, 'receiveany', '', value, message, partial, code)
      return
    end
    check(value and #value > 0 and #value <= max, 'receiveany', value, message, code)
    same('receiveany', value, e.pending:sub(1, #value))
    check(ahead == 0 or #value == math.min(ahead, max), 'receiveany: read ahead', #value, ahead)
    take(e, #value)
  end,
}


-- One turn of the iterator; false: it ended.
local function check_line(e, iterate, keeps)
  local text, count = model.receive(e.pending, keeps and '*L' or '*l', '')
  local ok, got = pcall(iterate)
  if text then
    check(ok or is_hurried(e) or is_congested(e), 'lines raised', got)
    if ok then
      same('lines', got, text)
      take(e, count)
    end
    return ok
  elseif not ok then
    check(got == 'closed' and is_broken_off(e) or got == 'timeout' and not e.finished,
          'lines raised', got)
    e.finished = e.finished == 'failed' and 'ended' or e.finished
    return false
  end
  check(e.finished ~= 'failed', 'lines: an error, and not told')
  same('lines: the last one', got, #e.pending > 0 and e.pending or nil)
  take(e, #e.pending)
  return got ~= nil
end


stream.lines = {
  weight = 3,

  make = function(chance)
    return { keeps = chance(2) == 0, turns = chance(4) + 1 }
  end,

  run = function(e, op)
    local iterate = e.object:lines(op.keeps)
    if not e.open then
      same('lines of a closed object', iterate(), nil)
      return
    end
    for _ = 1, op.turns do
      settle(e)
      if not model.receive(e.pending, '*l', '') and would_wait(e) then
        return
      end
      e.wants_writing = false
      if not check_line(e, iterate, op.keeps) then
        return
      end
    end
  end,
}


-- Sending

local function some_text(chance)
  local pieces = {}
  for i = 1, chance(chance(4) == 0 and 60 or 8) do
    pieces[i] = ({ 'a', 'b', 'xyz', '\r', '\n', '\n', '\r\n', '\0', 'line\n', 'q' })[chance(10) + 1]
  end
  local block = table.concat(pieces)
  local size = chance(20)
  if size == 0 then
    return (block .. 'end of a block\n'):rep(1 + chance(20000))
  elseif size <= 3 then
    return (block .. 'x'):rep(1 + chance(900))
  end
  return block
end


-- Whether sending must fail, and whether it may.
local function is_broken(e)
  local peer = e.peer
  if not e.may_write or (not e.world.tcp and (not peer.open or peer.refuses)) then
    return true, true
  end
  return e.finished == 'failed', is_broken_off(e) or not peer.open
end


local function is_gone(code)
  return code == errno.EPIPE or code == errno.ECONNRESET
end


-- The first `count` bytes are on their way.
local function note_sent(e, text, count)
  local peer = e.peer
  e.sent = e.sent + count
  if peer.open then
    peer.pending = peer.pending .. text:sub(1, count)
  elseif count > 0 and e.world.tcp then
    e.finished = 'reset'
  end
end


-- `before`: what the index of the first byte is ahead of 1.
local function check_sent(e, name, text, before, ...)
  local value, message, partial, code = ...
  local must_fail, may_fail = is_broken(e)
  if value then
    check(not must_fail, name .. ' succeeded')
    same(name, value, before + #text)
    note_sent(e, text, #text)
    return #text
  end
  local count = partial - before
  check(count >= 0 and count < #text, name .. ': the partial result', partial, before, #text)
  note_sent(e, text, count)
  if message == 'timeout' then
    check(not must_fail and is_code(e.world, code, 'ETIMEDOUT'), name .. ': code', code)
    check(is_hurried(e) or (soon_over(e) and #e.peer.pending + #text - count > FITS),
          name .. ' had no room', #text, count, #e.peer.pending)
    e.wants_writing = true
  else
    same(name, message, 'closed')
    check(may_fail, name .. ' failed', message, code)
    check(e.world.luasocket or is_gone(code), name .. ': code', code)
    if e.finished == 'failed' or (e.finished and e.world.tcp and not e.peer.open) then
      e.finished = 'reset'
    end
  end
  return count
end


local function has_room(e, text)
  local _, may_fail = is_broken(e)
  return may_fail or #e.peer.pending + #text <= FITS or soon_over(e)
end


local function index(chance)
  return chance(3) == 0 and chance(11) - 5 or nil
end


stream.send = {
  weight = 12,

  make = function(chance)
    local i = index(chance)
    return { text = some_text(chance), i = i, j = i and index(chance) }
  end,

  run = function(e, op)
    local text, before = model.part(op.text, op.i, op.j)
    if not e.open then
      expect_closed(e, 'send', before, e.object:send(op.text, op.i, op.j))
    elseif text == '' then
      same('send: nothing', e.object:send(op.text, op.i, op.j), before)
    elseif has_room(e, text) then
      settle(e)
      e.wants_writing = false
      check_sent(e, 'send', text, before, e.object:send(op.text, op.i, op.j))
    end
  end,
}


stream.send_list = {
  weight = 3,

  make = function(chance)
    local list = {}
    for i = 1, chance(6) do
      list[i] = chance(4) == 0 and chance(1000) or some_text(chance)
    end
    return { list = list }
  end,

  run = function(e, op)
    local text = table.concat(op.list)
    if not e.open then
      expect_closed(e, 'send', 0, e.object:send(op.list))
    elseif text == '' then
      same('send: an empty list', e.object:send(op.list), 0)
      e.wants_writing = false
    elseif has_room(e, text) then
      settle(e)
      e.wants_writing = false
      check_sent(e, 'send', text, 0, e.object:send(op.list))
    end
  end,
}


-- Descriptors. The two that are passed are told apart by their ports.

local function port_of(fd)
  local _, port = support.getsockname(fd)
  return port
end


local function check_rights(got, expected)
  check(type(got) == 'table', 'receivefds: no list', got)
  local ports = {}
  for i, fd in ipairs(got) do
    ports[i] = port_of(fd)
    sock99.close(fd)
  end
  same('receivefds', table.concat(ports, ' '), table.concat(expected, ' '))
end


-- As many as asked for of those before that byte.
local function claim(e, before, max)
  local ports = {}
  while #ports < max and e.rights[1] and e.rights[1].at < before do
    ports[#ports + 1] = table.remove(e.rights, 1).port
  end
  return ports
end


local function passed(world, n)
  local fds = {}
  for i = 1, n do
    fds[i] = world.spare[i % 2 + 1]
  end
  return fds
end


local function make_sendfds(chance)
  return { text = some_text(chance) .. 'x', count = chance(3) + 1 }
end


local unpack = table.unpack or unpack


stream.sendfds = {
  weight = 3,
  make = make_sendfds,

  run = function(e, op)
    local fds = passed(e.world, op.count)
    if not e.open then
      expect_closed(e, 'sendfds', 0, e.object:sendfds(op.text, unpack(fds)))
    elseif e.world.tcp then
      local value, _, count, code = e.object:sendfds(op.text, unpack(fds))
      check(value == nil and count == 0 and is_code(e.world, code, 'EAFNOSUPPORT'), 'sendfds', code)
    elseif has_room(e, op.text) then
      settle(e)
      e.wants_writing = false
      local at = e.peer.taken + #e.peer.pending
      local sent = check_sent(e, 'sendfds', op.text, 0, e.object:sendfds(op.text, unpack(fds)))
      for i = 1, sent > 0 and op.count or 0 do
        table.insert(e.peer.rights, { at = at, port = port_of(fds[i]) })
      end
    end
  end,
}


stream.receivefds = {
  weight = 3,

  make = function(chance)
    return { max = ({ 1, 2 })[chance(5) + 1] }
  end,

  run = function(e, op)
    if not e.open then
      same('receivefds', select(2, e.object:receivefds(op.max)), 'closed')
      return
    elseif e.world.tcp then
      check(is_code(e.world, select(3, e.object:receivefds(op.max)), 'EAFNOSUPPORT'), 'receivefds')
      return
    end
    local ahead = settle(e)
    local has_rights = e.rights[1] and e.rights[1].at < e.taken + ahead
    if not has_rights and #e.pending == 0 and would_wait(e) then
      return
    end
    if not has_rights then
      e.wants_writing = false
    end
    local data, list, code = e.object:receivefds(op.max)
    if not has_rights and #e.pending == 0 then
      expect_short(e, 'receivefds', nil, data, list, nil, code)
      return
    end
    check(data and (has_rights or #data > 0), 'receivefds', data, list, code)
    same('receivefds', data, e.pending:sub(1, #data))
    check(ahead == 0 and not has_rights or #data == ahead, 'receivefds: read ahead', #data, ahead)
    take(e, #data)
    check_rights(list, claim(e, e.taken, op.max or math.huge))
  end,
}


-- The end

-- What its going does to the peer.
local function leave(e, is_hard)
  local unread = not is_hard and support.arrived(e.object:getfd()) or 0
  local peer = e.peer
  if is_hard or unread > 0 then
    peer.finished = peer.finished == nil and peer.may_write and 'failed' or 'reset'
  else
    peer.finished = peer.finished or 'ended'
  end
  e.pending, e.rights = '', {}
  forget_object(e)
end


-- What waits at the sender may be lost.
local function may_leave(e)
  return not is_congested(e) and not is_congested(e.peer)
end


-- A value may stay in a slot of the stack that nobody uses any more.
local function collect_object(e)
  local last = setmetatable({ e.object }, { __mode = 'v' })
  e.object = nil
  collectgarbage()
  collectgarbage()
  if last[1] then
    last[1]:close()
  end
end


stream.close = {
  weight = 0.4,
  run = function(e)
    if e.open then
      if not may_leave(e) then
        return
      end
      settle(e)
      settle(e.peer)
      leave(e)
    end
    same('close', e.object:close(), 1)
  end,
}


stream.collect = {
  weight = 0.3,
  run = function(e)
    if not e.open or not may_leave(e) then
      return
    end
    settle(e)
    settle(e.peer)
    leave(e)
    collect_object(e)
  end,
}


stream.reset = {
  weight = 0.4,
  run = function(e)
    if not e.open or not e.world.tcp or not may_leave(e) then
      return
    end
    settle(e)
    settle(e.peer)
    leave(e, true)
    local value = e.world.luasocket and { on = true, timeout = 0 } or 0
    same('setoption', e.object:setoption('linger', value), 1)
    same('close', e.object:close(), 1)
  end,
}


local function shut(e, how)
  if how ~= 'receive' then
    e.may_write = false
    e.peer.finished = e.peer.finished or 'ended'
  end
  if how ~= 'send' then
    e.refuses = true
    e.finished = e.finished or 'ended'
  end
end


stream.shutdown = {
  weight = 0.7,

  make = function(chance)
    return { how = ({ 'send', 'send', 'receive', 'both' })[chance(4) + 1] }
  end,

  run = function(e, op)
    local how = e.world.tcp and 'send' or op.how
    if not e.open then
      check(e.world.luasocket or select(2, e.object:shutdown(how)) == 'closed', 'shutdown')
      return
    end
    settle(e)
    local gone = e.world.tcp and e.finished and (not e.may_write or not e.peer.open)
    local ok, message = e.object:shutdown(how)
    check(ok == 1 or gone, 'shutdown', ok, message)
    if is_open(e.peer) then
      shut(e, how)
    else
      e.may_write = false
    end
  end,
}


-- Another object for the same descriptor

-- TCP forgets its peer.
local function has_peer(e)
  return not e.world.tcp or (e.peer.open and not (e.finished and not e.may_write))
end


local function wrap(e, fd)
  local object, message = sock99.wrap(fd)
  check(object, 'wrap', message)
  new_object(e, object)
end


stream.detach = {
  weight = 1,
  run = function(e)
    if not e.open then
      local fd, message, code = e.object:detach()
      check(fd == nil and message == 'closed' and code == nil, 'detach', fd, message, code)
      return
    elseif e.world.luasocket or not has_peer(e) then
      return
    end
    local ahead = settle(e)
    local fd, unread = e.object:detach()
    same('detach', unread, ahead > 0 and e.pending:sub(1, ahead) or nil)
    same('getfd', e.object:getfd(), -1)
    take(e, ahead)
    drop_rights(e, e.taken)
    wrap(e, fd)
  end,
}


-- What was read ahead is lost.
stream.setfd = {
  weight = 1,

  make = function(chance)
    return { wraps = chance(2) == 0 }
  end,

  run = function(e, op)
    if not e.open or e.world.luasocket or not has_peer(e) then
      return
    end
    local ahead, fd = settle(e), e.object:getfd()
    same('setfd', e.object:setfd(-1), 1)
    same('receive', select(2, e.object:receive()), 'closed')
    take(e, ahead)
    drop_rights(e, e.taken)
    e.wants_writing = false
    if op.wraps then
      wrap(e, fd)
    else
      same('setfd', e.object:setfd(fd), 1)
    end
  end,
}


-- What every end has, of streams and of messages

local common = {}


common.settimeout = {
  weight = 5,

  make = function(chance)
    return {
      seconds = ({ 0, 0, 0, 0.001, -1, LONG, math.huge })[chance(8) + 1],
      mode = ({ 'b', 't', 'r' })[chance(6) + 1],
    }
  end,

  run = function(e, op)
    local seconds = op.seconds or -1
    if op.mode and op.mode ~= 'b' and seconds == LONG then
      seconds = 10 * LONG
    end
    same('settimeout', e.object:settimeout(op.seconds and seconds, op.mode), 1)
    if seconds < 0 or seconds == math.huge then
      seconds = -1
    end
    e[(op.mode or 'b') == 'b' and 'each' or 'whole'] = seconds
  end,
}


common.look = {
  weight = 4,
  run = function(e)
    local object = e.object
    local each, whole = object:gettimeout()
    check(each == e.each and whole == e.whole, 'gettimeout', each, whole, e.each, e.whole)
    same('events', object:events(), e.wants_writing and 'w' or 'r')
    check((object:getfd() >= 0) == e.open, 'getfd', object:getfd())
    same('pollfd', object:pollfd(), object:getfd())
    local due = object:dirty() and not e.wants_writing
    same('timeout', object:timeout(), due and 0 or nil)
    same('getstats', select(2, object:getstats()), e.sent)
    check(e.open or not object:dirty(), 'dirty, and closed')
  end,
}


local function contains(list, object)
  for _, each in ipairs(list) do
    if each == object then
      return true
    end
  end
  return false
end


common.select = {
  weight = 2,
  run = function(e)
    local world = e.world
    local objects, ready = {}, 0
    for _, each in ipairs(world) do
      if each.object then
        objects[#objects + 1] = each.object
        world.settle(each)
      end
    end
    local readable, writable, message = world.select(objects, nil, 0)
    for _, each in ipairs(world) do
      if each.object and each.open then
        local is_ready = world.is_readable(each)
        check(contains(readable, each.object) == is_ready or is_ready == nil, 'select: readable',
              is_ready)
      end
      ready = ready + (contains(readable, each.object) and 1 or 0)
    end
    same('select', #readable, ready)
    same('select', #writable, 0)
    same('select', message, ready == 0 and 'timeout' or nil)
  end,
}


-- Messages: those on their way to an end are e.queue: { text =, rights = }. The
-- descriptors that came with messages that were received are e.loose.

local messages = {}


local function pending_bytes(e)
  local bytes = 0
  for _, message in ipairs(e.queue) do
    bytes = bytes + #message.text
  end
  return bytes
end


local function settle_messages(e)
  if is_open(e) and (#e.queue > 0 or (e.finished and e.world.records)) then
    check(support.readable(e.object:getfd(), LONG), 'nothing arrived')
  end
end


-- A network that told of a peer that is gone may tell so in any call.
local function is_told(e, code)
  local world = e.world
  if world.records then
    return e.finished == 'reset' and (code == errno.ECONNRESET or code == errno.EPIPE)
  elseif e.peer.open then
    return false
  end
  return world.luasocket or code == errno.ECONNREFUSED or code == errno.ENOTCONN or
    (world.records and code == errno.ECONNRESET)
end


local function pop(e)
  local message = table.remove(e.queue, 1)
  for _, port in ipairs(message.rights) do
    table.insert(e.loose, port)
  end
  e.base = e.base + #message.text
  return message.text
end


-- A receive that got no message. Records have a partial result.
local function check_no_message(e, name, has_partial, ...)
  local message, partial, code = ...
  if not has_partial then
    code = partial
  else
    same(name .. ': the partial result', partial, '')
  end
  if message ~= 'timeout' and is_told(e, code) then
    e.finished = e.finished and 'ended'
    return
  end
  check(#e.queue == 0, name .. ' failed', message, code)
  if e.finished and e.world.records then
    same(name, message, 'closed')
    check(is_code(e.world, code, false), name .. ': code', code)
  else
    same(name, message, 'timeout')
    check(is_code(e.world, code, 'ETIMEDOUT'), name .. ': code', code)
  end
end


local function would_wait_for_message(e)
  return #e.queue == 0 and not soon_over(e) and not (e.finished and e.world.records)
end


local function check_message(e, name, max, has_from, ...)
  if select('#', ...) > 0 and (...) == nil then
    return check_no_message(e, name, e.world.records, select(2, ...))
  end
  check(#e.queue > 0, name .. ': a message from nowhere', ...)
  local text = pop(e)
  local whole = #text
  local results = { n = select('#', ...), ... }
  same(name, results[1], text:sub(1, math.min(max, whole)))
  if has_from then
    same(name .. ': host', results[2], e.world.inet and '127.0.0.1' or '')
    same(name .. ': port', results[3], e.world.inet and e.port_of_peer or nil)
    results = { n = results.n - 2, results[1], results[4], results[5] }
  end
  local is_cut = whole > max and not e.world.luasocket
  same(name, results[2], is_cut and 'truncated' or nil)
  same(name, results[3], is_cut and whole or nil)
  same(name .. ': results', results.n, is_cut and 3 or 1)
end


local function make_max(chance)
  return { max = ({ 0, 1, 5, 1000, 100000 })[chance(9) + 1] }
end


local function expect_closed_message(e, name, ...)
  if e.world.records and name ~= 'receivefds' then
    expect_closed(e, name, '', ...)
  else
    local value, message, code = ...
    check(value == nil and message == 'closed' and code == nil, name, ...)
  end
end


local function receiver(name, has_from)
  return {
    weight = has_from and 3 or 10,
    make = make_max,

    run = function(e, op)
      local max = op.max
      if e.world.luasocket and max == nil then
        max = 100000
      end
      if not e.open then
        expect_closed_message(e, name, e.object[name](e.object, max))
        return
      elseif would_wait_for_message(e) then
        return
      end
      settle_messages(e)
      e.wants_writing = false
      check_message(e, name, max or math.huge, has_from, e.object[name](e.object, max))
    end,
  }
end


messages.receive = receiver 'receive'
messages.receivefrom = receiver('receivefrom', true)
messages.receiveany = receiver 'receiveany'


local function message_fits(e, count, size)
  return not e.peer.open or soon_over(e) or e.world.records and (e.finished or e.peer.refuses) or
    (#e.peer.queue + count <= MESSAGES and pending_bytes(e.peer) + size <= FITS)
end


local function is_message_broken(e)
  local peer = e.peer
  return not e.may_write or not peer.open or peer.refuses or e.finished == 'reset'
end


local function deliver(e, text, rights)
  e.sent = e.sent + #text
  if e.peer.open then
    table.insert(e.peer.queue, { text = text, rights = rights or {} })
  end
end


-- Why a message was not sent.
local function check_unsent(e, name, size, message, code)
  if message == 'timeout' then
    check(is_code(e.world, code, 'ETIMEDOUT'), name .. ': code', code)
    check(soon_over(e) and (#e.peer.queue >= MESSAGES or pending_bytes(e.peer) + size > FITS),
          name .. ' had no room')
    e.wants_writing = true
    return
  end
  check(is_message_broken(e), name .. ' failed', message, code)
  check(e.world.luasocket or is_gone(code) or code == errno.ECONNREFUSED or
        code == errno.ENOTCONN, name .. ': code', message, code)
  e.finished = e.finished and 'ended'
  -- Linux drops what such a peer had sent.
  if code == errno.ECONNREFUSED and not e.world.inet then
    e.queue = {}
  end
end


local function some_message(chance)
  local text = some_text(chance)
  return text:sub(1, chance(10) == 0 and 20000 or 2000)
end


messages.send = {
  weight = 12,

  make = function(chance)
    local i = index(chance)
    return { text = some_message(chance), i = i, j = i and index(chance) }
  end,

  run = function(e, op)
    local text, before = op.text, 0
    local is_part = not e.world.luasocket
    if is_part then
      text, before = model.part(op.text, op.i, op.j)
    end
    local i, j = is_part and op.i or nil, is_part and op.j or nil
    if not e.open then
      local value, message, code = e.object:send(op.text, i, j)
      if e.world.records then
        same('send', code, before)
      end
      check(value == nil and message == 'closed', 'send', value, message)
    elseif text == '' and e.world.records then
      same('send: nothing', select(4, e.object:send(op.text, i, j)), errno.EINVAL)
    elseif message_fits(e, 1, #text) then
      e.wants_writing = false
      local value, message, partial, code = e.object:send(op.text, i, j)
      if value then
        same('send', value, before + #text)
        deliver(e, text)
      else
        same('send: the partial result', e.world.records and partial or before, before)
        check_unsent(e, 'send', #text, message, e.world.records and code or partial)
      end
    end
  end,
}


-- The parts of a list are one message.
messages.send_list = {
  weight = 2,

  make = function(chance)
    local list = {}
    for i = 1, chance(5) do
      list[i] = chance(4) == 0 and chance(1000) or some_message(chance)
    end
    return { list = list }
  end,

  run = function(e, op)
    local text = table.concat(op.list)
    if e.open and message_fits(e, 1, #text) and not (text == '' and e.world.records) then
      e.wants_writing = false
      local value, message, partial, code = e.object:send(op.list)
      if value then
        same('send', value, #text)
        deliver(e, text)
      else
        check_unsent(e, 'send', #text, message, e.world.records and code or partial)
      end
    end
  end,
}


messages.sendmany = {
  weight = 3,

  make = function(chance)
    local list = {}
    for i = 1, chance(8) == 0 and 70 or chance(5) do
      list[i] = some_message(chance):sub(1, 400)
    end
    return { list = list }
  end,

  run = function(e, op)
    local total = #table.concat(op.list)
    if not e.open then
      expect_closed(e, 'sendmany', 0, e.object:sendmany(op.list))
    elseif message_fits(e, #op.list, total) then
      e.wants_writing = false
      local value, message, partial, code = e.object:sendmany(op.list)
      local count = value or partial
      check(count <= #op.list and (count == #op.list) == (value ~= nil), 'sendmany', count)
      for i = 1, count do
        deliver(e, op.list[i])
      end
      if not value then
        check_unsent(e, 'sendmany', total, message, code)
      end
    end
  end,
}


messages.receivemany = {
  weight = 3,

  make = function(chance)
    return { max = ({ 1, 2, 10, 100 })[chance(6) + 1] }
  end,

  run = function(e, op)
    if not e.open then
      same('receivemany', select(2, e.object:receivemany(op.max)), 'closed')
      return
    elseif would_wait_for_message(e) then
      return
    end
    settle_messages(e)
    e.wants_writing = false
    local list, message, code = e.object:receivemany(op.max)
    if not list then
      check_no_message(e, 'receivemany', false, message, code)
      return
    end
    local most = math.min(op.max or 64, 64, #e.queue)
    check(#list >= 1 and #list <= most, 'receivemany', #list, most)
    check(e.world.inet or #list == most or not e.peer.open, 'receivemany left some', #list, most)
    for _, text in ipairs(list) do
      same('receivemany', text, pop(e))
    end
  end,
}


messages.sendfds = {
  weight = 2,
  make = make_sendfds,

  run = function(e, op)
    local fds, rights = passed(e.world, op.count), {}
    local text = op.text:sub(-2000)
    if not e.open then
      expect_closed(e, 'sendfds', 0, e.object:sendfds(text, unpack(fds)))
    elseif message_fits(e, 1, #text) then
      e.wants_writing = false
      local value, message, partial, code = e.object:sendfds(text, unpack(fds))
      if not value then
        same('sendfds', partial, 0)
        check_unsent(e, 'sendfds', #text, message, code)
        return
      end
      same('sendfds', value, #text)
      for i = 1, op.count do
        rights[i] = port_of(fds[i])
      end
      deliver(e, text, rights)
    end
  end,
}


messages.receivefds = {
  weight = 3,
  make = stream.receivefds.make,

  run = function(e, op)
    if not e.open then
      expect_closed_message(e, 'receivefds', e.object:receivefds(op.max))
      return
    elseif #e.loose == 0 and would_wait_for_message(e) then
      return
    end
    settle_messages(e)
    local was_loose = #e.loose > 0
    if not was_loose then
      e.wants_writing = false
    end
    local data, list, code = e.object:receivefds(op.max)
    if data == nil then
      check(not was_loose, 'receivefds', list, code)
      check_no_message(e, 'receivefds', false, list, code)
      return
    end
    check(was_loose or #e.queue > 0, 'receivefds: a message from nowhere', data)
    same('receivefds', data, was_loose and '' or pop(e))
    local ports = {}
    while #e.loose > 0 and #ports < (op.max or math.huge) do
      ports[#ports + 1] = table.remove(e.loose, 1)
    end
    check_rights(list, ports)
  end,
}


local function leave_messages(e)
  local peer = e.peer
  if e.world.records then
    peer.finished = #e.queue > 0 and 'reset' or peer.finished or 'ended'
  end
  e.queue, e.loose = {}, {}
  forget_object(e)
end


messages.close = {
  weight = 0.5,
  run = function(e)
    if e.open then
      leave_messages(e)
    end
    same('close', e.object:close(), 1)
  end,
}


messages.collect = {
  weight = 0.3,
  run = function(e)
    if not e.open then
      return
    end
    leave_messages(e)
    collect_object(e)
  end,
}


messages.shutdown = {
  weight = 0.5,
  make = stream.shutdown.make,

  run = function(e, op)
    if not e.open then
      same('shutdown', select(2, e.object:shutdown(op.how)), 'closed')
    elseif e.world.records then
      same('shutdown', e.object:shutdown(op.how), 1)
      if is_open(e.peer) then
        shut(e, op.how)
      else
        e.may_write = false
      end
    end
  end,
}


messages.detach = {
  weight = 1,
  run = function(e)
    if not e.open or not e.peer.open then
      return
    end
    local fd, unread = e.object:detach()
    same('detach', unread, nil)
    e.loose = {}
    wrap(e, fd)
  end,
}


messages.setfd = {
  weight = 1,
  make = stream.setfd.make,

  run = function(e, op)
    if not e.open or not e.peer.open or e.world.luasocket then
      return
    end
    local fd = e.object:getfd()
    same('setfd', e.object:setfd(-1), 1)
    e.loose = {}
    e.wants_writing = false
    if op.wraps then
      wrap(e, fd)
    else
      same('setfd', e.object:setfd(fd), 1)
    end
  end,
}


-- Worlds: two connected ends

local listeners = {}


local function tcp_pair()
  local server = listeners.tcp or support.listener()
  listeners.tcp = server
  local host, port = server:getsockname()
  local client = assert(sock99.socket { host = host, port = port, sockopts = { nodelay = true } })
  local accepted = assert(server:accept())
  accepted:setoption('nodelay', true)
  return client, accepted
end


local function luasocket_pair()
  local core = require 'sock99.luasocket'
  local server = listeners.luasocket
  if not server then
    server = support.keep(core.tcp())
    assert(server:bind('127.0.0.1', 0))
    assert(server:listen(5))
    listeners.luasocket = server
  end
  local client = core.tcp()
  assert(client:connect(server:getsockname()))
  local accepted = assert(server:accept())
  client:setoption('tcp-nodelay', true)
  accepted:setoption('tcp-nodelay', true)
  return client, accepted
end


local function unix_pair()
  return assert(sock99.pair())
end


local function record_pair()
  return assert(sock99.pair { seqpacket = true })
end


local function unix_datagram_pair()
  return assert(sock99.pair { datagram = true })
end


-- Two sockets that know each other's address.
local function connect_each_other(a, b)
  assert(a:setpeername(b:getsockname()))
  assert(b:setpeername(a:getsockname()))
  return a, b
end


local function udp_pair()
  local t = { server = true, datagram = true, host = '127.0.0.1' }
  return connect_each_other(assert(sock99.socket(t)), assert(sock99.socket(t)))
end


local function luasocket_udp_pair()
  local core = require 'sock99.luasocket'
  local a, b = assert(core.udp()), assert(core.udp())
  assert(a:setsockname('127.0.0.1', 0))
  assert(b:setsockname('127.0.0.1', 0))
  return connect_each_other(a, b)
end


local function is_stream_readable(e)
  return #e.pending > 0 or e.finished ~= nil
end


local function is_message_readable(e)
  if #e.queue == 0 and not e.world.records and not e.peer.open then
    return nil
  end
  return #e.queue > 0 or (e.finished ~= nil and e.world.records == true)
end


-- What is in all of them of these operations, with those that both have.
local function operations_of(list, ...)
  local all, names = {}, {}
  for _, operations in ipairs { list, common } do
    for name, operation in pairs(operations) do
      all[name] = operation
    end
  end
  for i = 1, select('#', ...) do
    all[select(i, ...)] = nil
  end
  for name in pairs(all) do
    names[#names + 1] = name
  end
  table.sort(names)
  all.names = names
  return all
end


local kinds = {
  tcp = { pair = tcp_pair, tcp = true, operations = operations_of(stream) },
  unix = { pair = unix_pair, operations = operations_of(stream) },
  luasocket_tcp = {
    pair = luasocket_pair, tcp = true, luasocket = true,
    operations = operations_of(stream, 'lines', 'sendfds', 'receivefds', 'receiveany'),
  },
  records = {
    pair = record_pair, records = true,
    operations = operations_of(messages, 'receivefrom', 'sendmany', 'receivemany'),
  },
  udp = {
    pair = udp_pair, inet = true,
    operations = operations_of(messages, 'receiveany', 'shutdown', 'sendfds', 'receivefds'),
  },
  unix_datagrams = {
    pair = unix_datagram_pair,
    operations = operations_of(messages, 'receiveany', 'shutdown'),
  },
  luasocket_udp = {
    pair = luasocket_udp_pair, inet = true, luasocket = true,
    operations = operations_of(messages, 'receiveany', 'receivefrom', 'shutdown', 'sendfds',
                               'receivefds', 'send_list', 'sendmany', 'receivemany', 'detach'),
  },
}


local function is_of_streams(kind)
  return kind.operations.lines ~= nil or kind.tcp
end


local function new_end(world, object)
  local e = {
    world = world, pending = '', rights = {}, taken = 0, queue = {}, loose = {}, may_write = true,
  }
  new_object(e, object)
  if world.luasocket then
    e.each, e.whole = object:gettimeout()
  end
  return e
end


local function new_world(kind, spare)
  local world = setmetatable({ spare = spare }, { __index = kind })
  local a, b = kind.pair()
  world[1], world[2] = new_end(world, a), new_end(world, b)
  world[1].peer, world[2].peer = world[2], world[1]
  if world.inet then
    world[1].port_of_peer, world[2].port_of_peer = port_of(b:getfd()), port_of(a:getfd())
  end
  world.select = world.luasocket and require 'sock99.luasocket'.select or sock99.select
  world.settle = is_of_streams(kind) and settle or settle_messages
  world.is_readable = is_of_streams(kind) and is_stream_readable or is_message_readable
  return world
end


-- All that is still on its way comes.
local function drain(e)
  if not is_open(e) or not is_of_streams(e.world) or #e.pending == 0 then
    return
  end
  e.object:settimeout(LONG)
  e.object:settimeout(-1, 't')
  same('the rest', e.object:receive(#e.pending), e.pending)
end


local function close_world(world)
  for _, e in ipairs(world) do
    if e.object then
      if e.open and e.world.tcp and not e.world.luasocket then
        e.object:setoption('linger', 0)
      end
      e.object:close()
    end
  end
end


-- Sequences

local function add_weights(operations)
  local total = 0
  for _, name in ipairs(operations.names) do
    total = total + operations[name].weight * 10
  end
  return total
end


local function pick(operations, chance)
  local at = chance(add_weights(operations))
  for _, name in ipairs(operations.names) do
    at = at - operations[name].weight * 10
    if at < 0 then
      return name
    end
  end
end


local function make_sequence(kind, seed)
  local chance, sequence = model.chance(seed), {}
  for i = 1, chance(OPERATIONS) + OPERATIONS / 2 do
    local name = pick(kind.operations, chance)
    local make = kind.operations[name].make
    local op = make and make(chance) or {}
    op.name, op.side = name, chance(2) + 1
    sequence[i] = op
  end
  return sequence
end


local function count_descriptors()
  local count = 0
  for _ in pairs(support.descriptors(100)) do
    count = count + 1
  end
  return count
end


local function perform(world, sequence)
  for i, op in ipairs(sequence) do
    local e = world[op.side]
    if e.object then
      local ok, problem = pcall(world.operations[op.name].run, e, op)
      if not ok then
        return ('operation %d: %s'):format(i, tostring(problem))
      end
    end
  end
  for side = 1, 2 do
    local ok, problem = pcall(drain, world[side])
    if not ok then
      return ('at the end, side %d: %s'):format(side, tostring(problem))
    end
  end
end


-- nil, or what is wrong.
local function run(kind, sequence, spare)
  local before = count_descriptors()
  local world = new_world(kind, spare)
  local problem = perform(world, sequence)
  close_world(world)
  local after = count_descriptors()
  if not problem and after ~= before then
    problem = ('%d descriptors more'):format(after - before)
  end
  return problem
end


local function without(sequence, first, count)
  local rest = {}
  for i, op in ipairs(sequence) do
    if i < first or i >= first + count then
      rest[#rest + 1] = op
    end
  end
  return rest
end


-- As few of the operations as still fail.
local function shrink(kind, sequence, spare)
  local size = math.floor(#sequence / 2)
  while size >= 1 do
    local first = 1
    while first <= #sequence do
      local shorter = without(sequence, first, size)
      if run(kind, shorter, spare) then
        sequence = shorter
      else
        first = first + size
      end
    end
    size = math.floor(size / 2)
  end
  return sequence
end


local function describe_value(value)
  if type(value) == 'table' then
    local parts = {}
    for i, each in ipairs(value) do
      parts[i] = describe_value(each)
    end
    return '{ ' .. table.concat(parts, ', ') .. ' }'
  elseif type(value) ~= 'string' then
    return tostring(value)
  elseif #value > 80 then
    return ('<%d bytes, %q…>'):format(#value, value:sub(1, 40))
  end
  return ('%q'):format(value)
end


local function describe(sequence)
  local lines = {}
  for i, op in ipairs(sequence) do
    local fields = {}
    for name, value in pairs(op) do
      if name ~= 'name' and name ~= 'side' then
        fields[#fields + 1] = name .. ' = ' .. describe_value(value)
      end
    end
    table.sort(fields)
    lines[i] = ('%d. side %d: %s %s'):format(i, op.side, op.name, table.concat(fields, ', '))
  end
  return (table.concat(lines, '\n'):gsub('\\\n', '\\n'))
end


local function fail(kind, name, seed, problem, spare)
  local sequence = make_sequence(kind, seed)
  local short = shrink(kind, sequence, spare)
  lu.fail(('%s: SEED=%d: %s\n%s\nthe shortest of it: %s\n%s'):format(
    name, seed, problem, describe(sequence), tostring(run(kind, short, spare)), describe(short)))
end


TestModel = support.suite()


local function run_all(name)
  local kind, spare, seeds = kinds[name], {}, { 1, SEQUENCES }
  if SEED then
    seeds = { SEED, SEED }
  end
  listeners = {}
  for i = 1, 2 do
    spare[i] = support.open { server = true, datagram = true, host = '127.0.0.1' }
  end
  run(kind, {}, spare)
  for seed = seeds[1], seeds[2] do
    local problem = run(kind, make_sequence(kind, seed), spare)
    if problem then
      fail(kind, name, seed, problem, spare)
    end
  end
end


for name in pairs(kinds) do
  TestModel['test_' .. name .. '_does_as_the_model_says'] = function()
    run_all(name)
  end
end


support.run()
