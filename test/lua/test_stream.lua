-- Bytes of streams, in and out.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local states = require 'test_states'
local support = require 'support'

local errno, keep = sock99.errno, support.keep
local KIB, MIB = 1024, 1024 * 1024

-- LuaJIT 2.1.0-beta3 compiles string.sub, with a negative end, into something else.
if jit then
  jit.off()
end

TestSend = support.suite()
TestReceive = support.suite()
TestLines = support.suite()
TestEnd = support.suite()
TestSignals = support.suite()
TestConnect = support.suite()


-- Every result, nil ones too.
local function results(...)
  return { n = select('#', ...), ... }
end


-- f(a, b) with two ends of a connection over TCP, and over a Unix socket, which
-- are read in different ways.
local function each_kind(f)
  local client, accepted = support.connection('127.0.0.1', { sndbuf = 65536, rcvbuf = 65536 })
  f(client, accepted)
  f(keep(sock99.pair()))
end


-- Two ends, one of which a child process has alone, to run f(it).
local function with_child(f, a, b)
  if not a then
    a, b = keep(sock99.pair())
  end
  support.spawn(function()
    a:close()
    f(b)
  end)
  b:close()
  return a
end


local numbers = {}
for i = 1, 30000 do
  numbers[i] = ('%x,'):format(i)
end
numbers = table.concat(numbers)


-- Bytes that are not the same at a distance where buffers end.
local function pattern(bytes)
  local times = math.ceil(bytes / #numbers)
  return (times > 1 and numbers:rep(times) or numbers):sub(1, bytes)
end


-- Too long to be printed where it differs.
local function assert_same(actual, expected)
  lu.assertEquals(actual and #actual, #expected)
  lu.assertTrue(actual == expected, 'the bytes differ')
end


-- send

function TestSend:test_indexes_are_those_of_string_sub()
  local a, b = keep(sock99.pair())
  local data = 'abcde'
  for i = -7, 7 do
    for j = -7, 7 do
      local part = data:sub(i, j)
      local last = a:send(data, i, j)
      lu.assertEquals(b:receive(#part), part)
      if part ~= '' then
        lu.assertEquals(last, data:find(part, 1, true) + #part - 1)
      end
    end
  end
  lu.assertEquals(a:send(data, 3), 5)
  lu.assertEquals(b:receive(3), 'cde')
  lu.assertEquals(a:send(data, nil, 2), 2)
  lu.assertEquals(b:receive(2), 'ab')
  lu.assertEquals({ a:send '', a:send(data, 6), a:send(data, 10) }, { 0, 5, 9 })
end


-- The indexes of a list count its bytes, as if it were one string.
function TestSend:test_indexes_of_a_list_are_those_of_its_bytes()
  local list = { 'ab', '', 12, 'cde', 'f' }
  local text = table.concat(list)
  local kinds = {
    stream = {}, record = { seqpacket = true }, datagram = { datagram = true },
  }
  for kind, t in pairs(kinds) do
    local a, b = keep(sock99.pair(t))
    b:settimeout(0)
    for i = -9, 9 do
      for j = -9, 9 do
        local part = text:sub(i, j)
        if not (kind == 'record' and part == '') then
          local what = ('%s, %d to %d'):format(kind, i, j)
          lu.assertEquals(a:send(list, i, j), a:send(text, i, j), what)
          if kind == 'stream' then
            lu.assertEquals(b:receive(2 * #part), part .. part, what)
          else
            lu.assertEquals({ b:receive(), b:receive() }, { part, part }, what)
          end
        end
      end
    end
  end
end


function TestSend:test_a_list_goes_on_from_its_partial_result()
  local list = {}
  for i = 1, 3000 do
    list[i] = i % 7 == 0 and i or ('%d,'):format(i):rep(i % 100)
  end
  local text = table.concat(list)
  each_kind(function(a, b)
    a:settimeout(0)
    b:settimeout(0)
    local pieces, sent, is_done = {}, 0
    repeat
      local last, message, partial = a:send(list, sent + 1)
      lu.assertTrue(last ~= nil or message == 'timeout', message)
      sent, is_done = last or partial, last ~= nil
      repeat
        local piece = b:receiveany()
        pieces[#pieces + 1] = piece
      until not piece
    until is_done
    lu.assertEquals(sent, #text)
    b:settimeout(5)
    local got = table.concat(pieces)
    assert_same(got .. b:receive(#text - #got), text)
  end)
end


function TestSend:test_numbers_are_sent_as_their_text()
  local a, b = keep(sock99.pair())
  lu.assertEquals(a:send(42), 2)
  lu.assertEquals(b:receive(2), '42')
  lu.assertErrorMsgContains('string expected', a.send, a)
  lu.assertErrorMsgContains('string expected', a.send, a, true)
  lu.assertErrorMsgContains('number expected', a.send, a, 'x', {})
end


-- What does not fit is told exactly: going on from there sends every byte once.
function TestSend:test_partial_results_are_exact_in_both_directions()
  each_kind(function(a, b)
    local data, got, i = pattern(3 * MIB), {}, 1
    local timeouts = 0
    a:settimeout(0)
    b:settimeout(0)
    while i <= #data do
      local last, message, partial, code = a:send(data, i)
      if not last then
        lu.assertEquals({ message, code }, { 'timeout', errno.ETIMEDOUT })
        lu.assertTrue(partial >= i - 1 and partial < #data)
        timeouts = timeouts + 1
        last = partial
      end
      i = last + 1
      local some, why, rest = b:receive(100000)
      lu.assertTrue(some ~= nil or why == 'timeout')
      got[#got + 1] = some or rest
    end
    b:settimeout(10)
    a:close()
    got[#got + 1] = b:receive '*a'
    lu.assertTrue(timeouts > 0)
    assert_same(table.concat(got), data)
  end)
end


function TestSend:test_a_partial_result_from_an_index_counts_from_the_beginning()
  local a, b = keep(sock99.pair())
  local data = pattern(2 * MIB)
  a:settimeout(0)
  local _, message, partial = a:send(data, 1001, -1001)
  lu.assertEquals(message, 'timeout')
  a:close()
  assert_same(b:receive '*a', data:sub(1001, partial))
end


function TestSend:test_a_list_goes_as_its_strings_in_order()
  each_kind(function(a, b)
    local list, text = {}, {}
    for i = 1, 5000 do
      list[i] = i % 3 == 0 and i or i % 7 == 0 and '' or ('<%d>'):format(i)
      text[i] = tostring(list[i])
    end
    text = table.concat(text)
    lu.assertEquals(a:send(list), #text)
    lu.assertEquals(type(list[3]), 'number')
    assert_same(b:receive(#text), text)
  end)
end


function TestSend:test_an_empty_list_is_nothing_sent()
  local a, b = keep(sock99.pair())
  lu.assertEquals({ a:send {}, a:send { '' }, a:send { '', '', '' } }, { 0, 0, 0 })
  b:settimeout(0)
  lu.assertEquals(results(b:receive(1)), results(nil, 'timeout', '', errno.ETIMEDOUT))
end


function TestSend:test_a_bad_entry_is_raised_before_anything_is_sent()
  local a, b = keep(sock99.pair())
  local late = {}
  for i = 1, 3000 do
    late[i] = 'x'
  end
  late[2999] = false
  for entry, list in pairs { ['entry 2: string expected, got table'] = { 'a', {} },
                             ['entry 1: string expected, got boolean'] = { true, 'b' },
                             ['entry 2999: string expected, got boolean'] = late } do
    lu.assertErrorMsgContains(entry, a.send, a, list)
  end
  b:settimeout(0)
  lu.assertEquals((select(2, b:receive(1))), 'timeout')
  lu.assertEquals(a:getstats(), 0)
end


function TestSend:test_a_long_list_of_long_strings()
  local list = {}
  for i = 1, 5000 do
    list[i] = pattern(i)
  end
  local text = table.concat(list)
  local a = with_child(function(b)
    local all = b:receive(#text)
    b:send(all == text and 'the same\n' or 'different\n')
  end)
  lu.assertEquals(a:send(list), #text)
  lu.assertEquals(a:receive(), 'the same')
end


function TestSend:test_the_partial_result_of_a_list_counts_bytes()
  each_kind(function(a, b)
    local list = {}
    for i = 1, 2000 do
      list[i] = pattern(3001)
    end
    local text = table.concat(list)
    a:settimeout(0)
    local sent, message, partial, code = a:send(list)
    lu.assertEquals({ sent, message, code }, { nil, 'timeout', errno.ETIMEDOUT })
    lu.assertTrue(partial > 0 and partial < #text)
    lu.assertEquals((select(2, a:getstats())), partial)
    a:close()
    assert_same(b:receive '*a', text:sub(1, partial))
  end)
end


function TestSend:test_what_there_is_room_for_goes_though_the_time_is_over()
  local data = ('x'):rep(32 * MIB)
  for _, seconds in ipairs { 0, 1e-9 } do
    for _, argument in ipairs { data, { data, data } } do
      each_kind(function(a)
        a:settimeout(seconds, 't')
        local sent, message, partial = a:send(argument)
        lu.assertEquals({ sent, message }, { nil, 'timeout' })
        lu.assertTrue(partial > 0)
        lu.assertEquals(a:events(), 'w')
      end)
    end
  end
end


function TestSend:test_a_timeout_for_the_whole_call_ends_it_whatever_the_peer_takes()
  local a = with_child(function(b)
    while b:receiveany() do
      support.sleep(0.001)
    end
  end)
  a:settimeout(0.05, 't')
  local data, started = pattern(256 * KIB), support.now()
  local list = {}
  for i = 1, 10000 do
    list[i] = data
  end
  local sent, message, partial = a:send(list)
  lu.assertEquals({ sent, message }, { nil, 'timeout' })
  lu.assertTrue(partial > 0)
  lu.assertTrue(support.now() - started >= 0.05)
end


-- receive

function TestReceive:test_patterns()
  each_kind(function(a, b)
    for _, star in ipairs { '*', '' } do
      a:send 'line\r\nline\nkept\r\nnine bytes, and the rest'
      lu.assertEquals(b:receive(star .. 'l'), 'line')
      lu.assertEquals(b:receive(), 'line')
      lu.assertEquals(b:receive(star .. 'L'), 'kept\r\n')
      lu.assertEquals(b:receive(4), 'nine')
      lu.assertEquals(b:receive ' 6 ', ' bytes')
      lu.assertEquals(b:receive(14, 'x'), 'x, and the res')
      lu.assertEquals(b:receive '1', 't')
    end
    a:send 'all of\nit'
    a:shutdown 'send'
    lu.assertEquals(b:receive '*a', 'all of\nit')
    lu.assertEquals(results(b:receive '*a'), results(nil, 'closed', '', nil))
    lu.assertEquals(results(b:receive 'a'), results(nil, 'closed', '', nil))
  end)
end


function TestReceive:test_only_the_first_letter_of_a_pattern_counts()
  local a, b = keep(sock99.pair())
  a:send 'one\ntwo\nthree'
  lu.assertEquals(b:receive '*line', 'one')
  lu.assertEquals(b:receive 'Line', 'two\n')
  a:close()
  lu.assertEquals(b:receive '*all', 'three')
end


function TestReceive:test_what_is_no_pattern_is_raised()
  local a = keep(sock99.pair())
  for _, bad in ipairs { '', '*', 'x', '**l', '*n', ' l' } do
    lu.assertErrorMsgContains('invalid receive pattern', a.receive, a, bad)
  end
  lu.assertErrorMsgContains('count -1 is less than 0', a.receive, a, -1)
  lu.assertErrorMsgContains('count: integer expected', a.receive, a, 0 / 0)
  lu.assertErrorMsgContains('count inf is more than', a.receive, a, math.huge)
  lu.assertErrorMsgContains('count: integer expected, got 1.5', a.receive, a, 1.5)
  lu.assertErrorMsgContains('string expected', a.receive, a, {})
  lu.assertErrorMsgContains('string expected', a.receive, a, 1, {})
end


function TestReceive:test_nothing_asked_for_is_there_at_once()
  local a, b = keep(sock99.pair())
  lu.assertEquals({ a:receive(0), a:receive '0', a:receive(0, 'prefix') }, { '', '', 'prefix' })
  b:close()
  lu.assertEquals(a:receive(0), '')
end


function TestReceive:test_a_prefix_counts_among_the_bytes()
  local a, b = keep(sock99.pair())
  a:send 'def'
  lu.assertEquals(b:receive(3, 'abc'), 'abc')
  lu.assertEquals(b:receive(2, 'abc'), 'abc')
  lu.assertEquals(b:receive(5, 'abc'), 'abcde')
  a:send '\n'
  lu.assertEquals(b:receive('*l', 12), '12f')
  a:send 'end'
  a:close()
  lu.assertEquals(b:receive('*a', 'the '), 'the end')
  lu.assertEquals(results(b:receive('*a', 'x')), results(nil, 'closed', 'x', nil))
  lu.assertEquals(results(b:receive(5, 'x')), results(nil, 'closed', 'x', nil))
  lu.assertEquals(results(b:receive('*l', 'x')), results(nil, 'closed', 'x', nil))
end


function TestReceive:test_the_partial_result_of_a_timeout_is_where_to_go_on()
  each_kind(function(a, b)
    b:settimeout(0.01)
    a:send 'ab'
    lu.assertEquals(results(b:receive(5)), results(nil, 'timeout', 'ab', errno.ETIMEDOUT))
    a:send 'cd'
    lu.assertEquals(results(b:receive(5, 'ab')), results(nil, 'timeout', 'abcd', errno.ETIMEDOUT))
    a:send 'efg'
    lu.assertEquals(b:receive(5, 'abcd'), 'abcde')
    lu.assertEquals(results(b:receive()), results(nil, 'timeout', 'fg', errno.ETIMEDOUT))
    lu.assertFalse(b:dirty())
    a:send '\n'
    lu.assertEquals(b:receive('*l', 'fg'), 'fg')
    a:send 'all'
    lu.assertEquals(results(b:receive '*a'), results(nil, 'timeout', 'all', errno.ETIMEDOUT))
  end)
end


function TestReceive:test_the_cr_of_a_line_may_come_before_the_timeout()
  local a, b = keep(sock99.pair())
  b:settimeout(0)
  a:send 'abc\r'
  lu.assertEquals((select(3, b:receive())), 'abc\r')
  a:send '\nnext\r\r'
  lu.assertEquals(b:receive('*l', 'abc\r'), 'abc')
  lu.assertEquals((select(3, b:receive())), 'next\r\r')
  a:send '\n\n'
  lu.assertEquals(b:receive('*l', 'next\r\r'), 'next\r')
  lu.assertEquals(b:receive('*L', 'x\r'), 'x\r\n')
  a:send '\r\n\n'
  lu.assertEquals(b:receive('*l', 'x\r'), 'x\r')
  lu.assertEquals(b:receive('*l', '\r'), '')
end


function TestReceive:test_receiveany_gives_what_is_there()
  each_kind(function(a, b)
    a:send 'some bytes'
    lu.assertEquals(b:receiveany(), 'some bytes')
    a:send 'some more bytes'
    lu.assertEquals({ b:receiveany(4), b:receiveany '6', b:receiveany(100) },
                    { 'some', ' more ', 'bytes' })
    a:send 'line\nrest'
    lu.assertEquals({ b:receive(), b:receiveany() }, { 'line', 'rest' })
    b:settimeout(0.01)
    lu.assertEquals(results(b:receiveany()), results(nil, 'timeout', '', errno.ETIMEDOUT))
    a:close()
    lu.assertEquals(results(b:receiveany()), results(nil, 'closed', '', nil))
    lu.assertErrorMsgContains('max 0 is less than 1', b.receiveany, b, 0)
    lu.assertErrorMsgContains('max -1 is less than 1', b.receiveany, b, -1)
    lu.assertErrorMsgContains('number expected', b.receiveany, b, 'x')
  end)
end


function TestReceive:test_receiveany_waits_for_the_first_byte()
  local a = with_child(function(b)
    support.sleep(0.05)
    b:send 'late'
    b:receive()
  end)
  lu.assertEquals(a:receiveany(), 'late')
end


-- Each call is tried once, however little time it has.
function TestReceive:test_what_is_there_counts_though_the_time_is_over()
  each_kind(function(a, b)
    a:send 'a line\n'
    b:settimeout(1e-9, 't')
    lu.assertEquals(results(b:receive()), results 'a line')
  end)
end


function TestReceive:test_a_timeout_of_years_is_one()
  local a = with_child(function(b)
    support.sleep(0.05)
    b:send 'a line\n'
  end)
  a:settimeout(1e9)
  lu.assertEquals(results(a:receive()), results 'a line')
end


function TestReceive:test_a_timeout_for_the_whole_call_ends_a_dribble()
  local a = with_child(function(b)
    while b:send 'x' do
      support.sleep(0.02)
    end
  end)
  a:settimeout(0.1, 't')
  a:settimeout(60, 'b')
  local started = support.now()
  local data, message, partial = a:receive(3000)
  local took = support.now() - started
  lu.assertEquals({ data, message, partial:gsub('x', '') }, { nil, 'timeout', '', #partial })
  lu.assertTrue(took >= 0.1 and took < 30, took)
end


-- Where there is always one more byte, nothing is ever waited for.
function TestReceive:test_a_timeout_for_the_whole_call_ends_a_flood()
  local a = with_child(function(b)
    while b:send(('x'):rep(4096)) do end
  end)
  a:settimeout(0.05, 't')
  local started = support.now()
  local data, message, partial = a:receive()
  lu.assertEquals({ data, message }, { nil, 'timeout' })
  lu.assertTrue(#partial > 0)
  lu.assertTrue(support.now() - started < 30)
  a:close()
end


-- Sizes at which bytes move from one buffer to another.
local sizes = { 1, 1000, 1023, 1024, 1025, 16383, 16384, 16385, 49151, 49152, 49153, 65535,
                65536, 65537, 81920, 131071, 131072, 131073, 200000, 1000000 }


function TestReceive:test_results_of_many_sizes()
  local a = with_child(function(b)
    for _, size in ipairs(sizes) do
      b:send { pattern(size), 'and a line\n', pattern(size), '\n' }
    end
    b:receive()
  end)
  for _, size in ipairs(sizes) do
    assert_same(a:receive(size), pattern(size))
    lu.assertEquals(a:receive(), 'and a line')
    assert_same(a:receive(), pattern(size))
  end
end


-- What a random call must give, of `data` from `position` on.
local function random_call(data, position)
  local choice = math.random(5)
  if choice == 1 then
    local newline = data:find('\n', position, true)
    return '*L', newline and data:sub(position, newline)
  elseif choice == 2 then
    local newline = data:find('\n', position, true)
    return '*l', newline and data:sub(position, newline - 1):gsub('\r$', ''),
           newline and newline - position + 1
  end
  local count = math.random(choice == 3 and 100000 or 3000)
  local bytes = data:sub(position, position + count - 1)
  return count, #bytes == count and bytes
end


function TestReceive:test_calls_in_any_order_miss_no_byte()
  local seed = os.getenv 'SEED' or 20260101
  math.randomseed(tonumber(seed))
  local pieces = {}
  for i = 1, 3000 do
    local length = math.random(8) == 1 and math.random(30000) or math.random(100)
    pieces[i] = pattern(length) .. (math.random(2) == 1 and '\r\n' or '\n')
  end
  local data, position = table.concat(pieces), 1
  local a = with_child(function(b)
    local i = 1
    while i <= #data do
      i = b:send(data, i, i + math.random(150000) - 1) + 1
    end
    b:receive()
  end)
  while true do
    local what, expected, length = random_call(data, position)
    if not expected then
      break
    end
    local got, message = a:receive(what)
    lu.assertTrue(got == expected, ('seed %s, byte %d: receive(%s): %s'):format(
      seed, position, what, message or 'other bytes'))
    position = position + (length or #expected)
  end
  lu.assertTrue(position > 1)
end


function TestReceive:test_objects_share_no_bytes()
  local ends = {}
  for i = 1, 20 do
    local a, b = keep(sock99.pair())
    ends[i] = { a, b }
    a:send(('first of %d\nsecond of %d\n%s\n'):format(i, i, pattern(i * 5000)))
  end
  for i = 1, 20 do
    lu.assertEquals(ends[i][2]:receive(), 'first of ' .. i)
  end
  for i = 20, 1, -1 do
    lu.assertEquals(ends[i][2]:receive(), 'second of ' .. i)
  end
  for i = 1, 20 do
    assert_same(ends[i][2]:receive(), pattern(i * 5000))
    lu.assertFalse(ends[i][2]:dirty())
  end
end


-- O_NONBLOCK is shared with every dup.

function TestReceive:test_a_dup_that_is_made_nonblocking_changes_nothing()
  local size = 2 * MIB
  local a = with_child(function(b)
    support.sleep(0.05)
    local data = b:receive(size)
    support.sleep(0.05)
    b:send(data)
  end)
  local dup = support.dup(a:getfd())
  support.set_nonblocking(dup, true)
  local data = pattern(size)
  lu.assertEquals(a:send(data), size)
  assert_same(a:receive(size), data)
end


function TestReceive:test_a_dup_that_is_made_blocking_does_not_make_a_timeout_wait()
  local a = keep(sock99.pair { nonblocking = true })
  local dup = support.dup(a:getfd())
  support.set_nonblocking(dup, false)
  lu.assertEquals((select(2, a:receive())), 'timeout')
  local sent, message
  repeat
    sent, message = a:send(pattern(100000))
  until not sent
  lu.assertEquals(message, 'timeout')
end


-- Lines

local function lines_of(text, keep_end)
  local a, b = sock99.pair()
  a:send(text)
  a:close()
  local lines = {}
  for line in b:lines(keep_end) do
    lines[#lines + 1] = line
  end
  b:close()
  return lines
end


function TestLines:test_lines_end_in_lf_or_cr_lf()
  lu.assertEquals(lines_of 'a\nb\r\n\n\r\nc\n', { 'a', 'b', '', '', 'c' })
  lu.assertEquals(lines_of '', {})
  lu.assertEquals(lines_of '\n', { '' })
end


function TestLines:test_lines_with_their_ends()
  lu.assertEquals(lines_of('a\nb\r\n\nc', true), { 'a\n', 'b\r\n', '\n', 'c' })
end


function TestLines:test_a_last_line_without_an_end_counts()
  lu.assertEquals(lines_of 'a\nb', { 'a', 'b' })
  lu.assertEquals(lines_of 'a\nb\r', { 'a', 'b\r' })
end


function TestLines:test_nothing_inside_a_line_changes()
  lu.assertEquals(lines_of 'a\0b\n\0\n\rc\rd\r\r\n\r\r\n', { 'a\0b', '\0', '\rc\rd\r', '\r' })
  local bytes = {}
  for i = 0, 255 do
    bytes[#bytes + 1] = i ~= 10 and string.char(i) or ''
  end
  bytes = table.concat(bytes):rep(300)
  local lines = lines_of(bytes .. '\n' .. bytes)
  assert_same(lines[1], bytes)
  assert_same(lines[2], bytes)
end


function TestLines:test_closing_inside_the_loop_ends_it()
  local a, b = keep(sock99.pair())
  a:send '1\n2\n3\n'
  local lines = {}
  for line in b:lines() do
    lines[#lines + 1] = line
    if line == '2' then
      b:close()
    end
  end
  lu.assertEquals(lines, { '1', '2' })
end


function TestLines:test_a_loop_that_is_left_loses_nothing()
  local a, b = keep(sock99.pair())
  a:send '1\n2\n3\n'
  local lines = {}
  for line in b:lines() do
    lines[#lines + 1] = line
    if #lines == 2 then
      break
    end
  end
  lu.assertEquals(lines, { '1', '2' })
  lu.assertEquals(b:receive(), '3')
end


local function iterator_alone()
  local a, b = sock99.pair()
  a:send '1\n2\n'
  a:close()
  return b:lines()
end


function TestLines:test_an_iterator_holds_its_object()
  (function()
    local next_line = iterator_alone()
    collectgarbage()
    collectgarbage()
    lu.assertEquals({ next_line(), next_line() }, { '1', '2' })
    lu.assertNil(next_line())
    lu.assertNil(next_line())
  end)()
  collectgarbage()
  collectgarbage()
end


function TestLines:test_all_but_an_orderly_end_is_raised()
  local a, b = keep(sock99.pair())
  a:send 'line\nhalf'
  b:settimeout(0)
  local next_line = b:lines()
  lu.assertEquals(next_line(), 'line')
  local ok, message = pcall(next_line)
  lu.assertEquals({ ok, message }, { false, 'timeout' })
  a:send ' and half\n'
  lu.assertEquals(next_line(), 'half and half')
end


function TestLines:test_a_reset_is_raised()
  local client, accepted = support.connection()
  client:send 'unread'
  support.readable(accepted:getfd(), 5)
  -- Closing with bytes unread resets.
  accepted:close()
  local ok, message = pcall(client:lines())
  lu.assertEquals({ ok, message }, { false, 'closed' })
end


local function peak()
  local status = io.open '/proc/self/status'
  lu.skipIf(not status, 'there is no /proc here')
  local kib = status:read('*a'):match 'VmHWM:%s+(%d+)'
  status:close()
  return tonumber(kib) * KIB
end


function TestLines:test_a_line_of_64_mib_in_small_pieces()
  local size = (support.runner and 4 or 64) * MIB
  local piece = ('x'):rep(4 * KIB)
  local a = with_child(function(b)
    for _ = 1, size / #piece do
      b:send(piece)
    end
    b:send '\r\nnext\n'
    b:receive()
  end)
  local line = a:receive()
  lu.assertEquals(#line, size)
  lu.assertTrue(line == piece:rep(size / #piece))
  lu.assertEquals(a:receive(), 'next')
  a:close()
end


-- Every byte is looked at once, and copied little more often, however it comes.
function TestLines:test_the_work_of_a_line_grows_as_its_length_does()
  local small = support.runner and 16 or 1
  for piece, size in pairs { [1] = 4 * MIB, [1000] = 64 * MIB, [100000] = 64 * MIB } do
    size = size / small
    local work = states.line_work(size, piece)
    lu.assertTrue(work >= size and work < 4 * size, ('%.0f for %.0f'):format(work, size))
  end
end


-- The bytes once as they come, once as Lua's string; SOCK99_LARGE=1: 1 GiB.
function TestLines:test_all_of_much_takes_memory_in_proportion()
  lu.skipIf(support.runner, 'the RUNNER has memory of its own')
  local size = (os.getenv 'SOCK99_LARGE' and 1024 or 256) * MIB
  local piece = pattern(MIB)
  support.in_child(function()
    local a = with_child(function(b)
      for _ = 1, size / MIB do
        b:send(piece)
      end
    end)
    local before = peak()
    local all = assert(a:receive '*a')
    lu.assertEquals(#all, size)
    lu.assertTrue(all:sub(-MIB) == piece)
    local used = peak() - before
    lu.assertTrue(used < 2.2 * size, ('%.0f MiB for %.0f'):format(used / MIB, size / MIB))
  end)
end


-- Ends

function TestEnd:test_half_close_in_both_directions()
  each_kind(function(a, b)
    a:send 'question'
    lu.assertEquals(a:shutdown 'send', 1)
    lu.assertEquals(b:receive '*a', 'question')
    b:send 'answer'
    lu.assertEquals(b:shutdown 'send', 1)
    lu.assertEquals(a:receive '*a', 'answer')
    lu.assertEquals(results(a:send 'x'), results(nil, 'closed', 0, errno.EPIPE))
    lu.assertEquals(results(b:receive(1)), results(nil, 'closed', '', nil))
  end)
end


function TestEnd:test_a_peer_that_ends_in_the_middle_of_a_read()
  each_kind(function(a, b)
    a:send 'half of what was asked for'
    a:close()
    lu.assertEquals(results(b:receive(1000)),
                    results(nil, 'closed', 'half of what was asked for', nil))
    lu.assertEquals(results(b:receive()), results(nil, 'closed', '', nil))
  end)
end


function TestEnd:test_a_peer_that_resets_in_the_middle_of_a_read()
  local client, accepted = support.connection()
  accepted:send 'line\nread ahead'
  lu.assertEquals(client:receive(), 'line')
  client:send 'unread'
  support.readable(accepted:getfd(), 5)
  accepted:close()
  lu.assertEquals(results(client:receive(1000)),
                  results(nil, 'closed', 'read ahead', errno.ECONNRESET))
end


local function assert_broken(size, sent, message, partial, code)
  lu.assertEquals({ sent, message }, { nil, 'closed' })
  lu.assertTrue(partial >= 0 and partial < size, partial)
  lu.assertTrue(code == errno.EPIPE or code == errno.ECONNRESET, code)
end


function TestEnd:test_a_peer_that_goes_in_the_middle_of_a_write()
  local data = pattern(32 * MIB)
  local function read_some(b)
    b:receive(MIB)
    b:close()
  end
  local client, accepted = support.connection()
  assert_broken(#data, with_child(read_some, client, accepted):send(data))
  assert_broken(#data, with_child(read_some):send(data))
end


function TestEnd:test_a_peer_that_goes_in_the_middle_of_a_list()
  local list = {}
  for i = 1, 5000 do
    list[i] = pattern(10000)
  end
  local a = with_child(function(b)
    b:receive(MIB)
  end)
  assert_broken(5000 * 10000, a:send(list))
end


function TestEnd:test_sigpipe_is_never_raised()
  support.in_child(function()
    support.default_sigpipe()
    each_kind(function(a, b)
      b:close()
      for _, data in ipairs { 'x', { 'x', 'y' }, ('x'):rep(100000) } do
        for _ = 1, 3 do
          a:send(data)
        end
      end
      lu.assertEquals({ a:send 'x' }, { nil, 'closed', 0, errno.EPIPE })
      a:settimeout(0)
      lu.assertEquals({ a:send { 'x', 'y' } }, { nil, 'closed', 0, errno.EPIPE })
    end)
  end)
end


-- Memory

local function resident()
  local file = io.open '/proc/self/statm'
  lu.skipIf(not file, 'this system does not tell the memory of a process')
  local pages = file:read('*a'):match '^%d+ (%d+)'
  file:close()
  return tonumber(pages) * 4096
end


function TestReceive:test_a_long_line_leaves_no_large_buffer()
  lu.skipIf(support.runner, 'the RUNNER has an allocator of its own')
  local line, ends = ('x'):rep(70000) .. '\n?', {}
  local function read_long_line()
    local a, b = keep(sock99.pair())
    a:setoption('sndbuf', 200000)
    b:settimeout(5)
    assert(a:send(line))
    lu.assertEquals(#b:receive(), 70000)
    ends[#ends + 1] = b
  end
  read_long_line()
  collectgarbage()
  local before = resident()
  for _ = 1, 200 do
    read_long_line()
  end
  collectgarbage()
  local each = (resident() - before) / 200
  lu.assertTrue(each < 16 * 1024, ('%.0f bytes each'):format(each))
  for _, b in ipairs(ends) do
    lu.assertEquals(b:receive(1), '?')
  end
end


-- Records of SOCK_SEQPACKET

function TestLines:test_records_are_iterated_one_by_one()
  local a, b = keep(sock99.pair { seqpacket = true })
  local sent = { 'one\ntwo', 'three\n', '\n', ('x'):rep(100000), 'four' }
  for _, record in ipairs(sent) do
    assert(a:send(record))
  end
  a:close()
  local got = {}
  for record in b:lines() do
    got[#got + 1] = record
  end
  lu.assertEquals(got, sent)
end


function TestLines:test_an_error_in_the_middle_of_records_is_raised()
  local a, b = keep(sock99.pair { seqpacket = true })
  b:settimeout(0.01)
  a:send 'one'
  local iterate = b:lines()
  lu.assertEquals(iterate(), 'one')
  lu.assertErrorMsgContains('timeout', iterate)
  a:send 'two'
  lu.assertEquals(iterate(), 'two')
end


function TestReceive:test_records_have_no_patterns()
  local _, b = keep(sock99.pair { seqpacket = true })
  for _, word in ipairs { '*l', 'L', '*a', 'x' } do
    lu.assertErrorMsgContains('records have no patterns', b.receive, b, word)
  end
end


-- Signals

-- A RUNNER may need more than a millisecond from one signal to the next.
local function under_alarms(f)
  support.alarms(support.runner and 0.02 or 0.001)
  local ok, problem = pcall(f)
  local count = support.alarms(0)
  if not ok then
    error(problem, 0)
  end
  lu.assertTrue(count > 0)
end


function TestSignals:test_signals_lose_no_byte()
  for _, timeout in ipairs { -1, 60 } do
    local size = 4 * MIB
    local data = pattern(size)
    local a = with_child(function(b)
      support.sleep(0.02)
      local got = b:receive(size)
      support.sleep(0.02)
      b:send { got, 'line\n' }
      b:receive()
    end)
    a:settimeout(timeout)
    under_alarms(function()
      lu.assertEquals(a:send(data), size)
      assert_same(a:receive(size), data)
      lu.assertEquals(a:receive(), 'line')
    end)
  end
end


function TestSignals:test_signals_do_not_end_a_wait()
  local a = keep(sock99.pair())
  local server = support.listener()
  a:settimeout(0.05)
  server:settimeout(0.05)
  under_alarms(function()
    local started = support.now()
    lu.assertEquals((select(2, a:receive())), 'timeout')
    lu.assertEquals((select(2, server:accept())), 'timeout')
    lu.assertTrue(support.now() - started >= 0.1)
  end)
end


function TestSignals:test_signals_do_not_end_accept()
  for _, wrapped in ipairs { false, true } do
    local fd, port = support.server { nonblocking = not wrapped }
    local server = keep(sock99.wrap(fd))
    support.spawn(function()
      support.sleep(0.05)
      support.connect(support.socket 'inet', '127.0.0.1', port)
    end)
    under_alarms(function()
      lu.assertEquals(keep(server:accept()).class, 'tcp{client}')
    end)
  end
end


-- connect

local function master(family)
  return keep(sock99.wrap(support.socket(family or 'inet')))
end


function TestConnect:test_a_host_may_be_a_name_and_a_port_its_text()
  local server = support.listener()
  local _, port = server:getsockname()
  for _, host in ipairs { 'localhost', '127.0.0.1' } do
    for _, timeout in ipairs { -1, 20 } do
      local client = master()
      client:settimeout(timeout)
      lu.assertEquals({ client:connect(host, tostring(port)) }, { 1 })
      lu.assertEquals({ client:getpeername() }, { '127.0.0.1', port, 'inet' })
    end
  end
end


function TestConnect:test_a_name_is_for_an_object_of_ipv6_too()
  local server = support.listener {}
  lu.skipIf(server:getfamily() ~= 'inet6', 'there is no IPv6 here')
  local _, port = server:getsockname()
  lu.assertEquals({ master('inet6'):connect('localhost', port) }, { 1 })
end


function TestConnect:test_the_object_becomes_a_client()
  local server = support.listener()
  local client = master()
  client:settimeout(10)
  lu.assertErrorMsgContains('tcp{client} expected', client.send, client, 'x')
  lu.assertEquals(client:connect('127.0.0.1', (select(2, server:getsockname()))), 1)
  lu.assertEquals({ client.class, client:events() }, { 'tcp{client}', 'r' })
  local accepted = keep(server:accept())
  accepted:send 'hello\n'
  lu.assertEquals(client:receive(), 'hello')
end


function TestConnect:test_a_refusal_is_told_and_may_be_followed_by_success()
  local port, client = support.closed_port(), master()
  local refused = ('connect 127.0.0.1:%d: Connection refused'):format(port)
  for _, timeout in ipairs { -1, 10 } do
    client:settimeout(timeout)
    lu.assertEquals({ client:connect('127.0.0.1', port) },
      { nil, refused, errno.ECONNREFUSED, 'connect' })
    lu.assertEquals(client.class, timeout == -1 and 'tcp{master}' or client.class)
  end
  local server = support.listener()
  lu.assertEquals({ client:connect('127.0.0.1', (select(2, server:getsockname()))) }, { 1 })
end


-- connect, and again whenever the descriptor is ready.
local function connect_without_waiting(client, ...)
  local ok, message, code = client:connect(...)
  for _ = 1, 100 do
    if ok or message ~= 'timeout' then
      break
    end
    lu.assertEquals({ client.class, client:events(), code },
                    { 'tcp{client}', 'w', errno.ETIMEDOUT })
    support.sleep(0.05)
    ok, message, code = client:connect(...)
  end
  return ok, message, code
end


function TestConnect:test_without_waiting_it_is_called_again()
  local server = support.listener()
  local _, port = server:getsockname()
  for _, host in ipairs { '127.0.0.1', '::ffff:127.0.0.1' } do
    local client = master()
    client:settimeout(0)
    lu.assertEquals({ connect_without_waiting(client, host, port) }, { 1 })
    lu.assertEquals({ client:getpeername() }, { '127.0.0.1', port, 'inet' })
  end
end


function TestConnect:test_a_client_is_connected_already()
  local client, _, server = support.connection()
  local _, port = server:getsockname()
  lu.assertEquals({ client:connect('127.0.0.1', port) },
                  { nil, ('connect 127.0.0.1:%d: Transport endpoint is already connected')
                    :format(port), errno.EISCONN, 'connect' })
end


function TestConnect:test_without_waiting_a_refusal_is_told_by_the_next_call()
  local port, client = support.closed_port(), master()
  client:settimeout(0)
  lu.assertEquals({ connect_without_waiting(client, '127.0.0.1', tostring(port)) },
                  { nil, ('connect 127.0.0.1:%d: Connection refused'):format(port),
                    errno.ECONNREFUSED })
end


function TestConnect:test_a_connection_that_is_being_made_may_be_used_when_it_is_writable()
  local server = support.listener()
  local _, port = server:getsockname()
  local client = master()
  client:settimeout(0)
  client:connect('127.0.0.1', port)
  local accepted = keep(server:accept())
  client:settimeout(10)
  lu.assertEquals(client:send 'hello\n', 6)
  lu.assertEquals(accepted:receive(), 'hello')
  lu.assertEquals(client:connect('127.0.0.1', port), 1)
end


-- Nobody answers where the backlog is full: Linux drops what comes.
function TestConnect:test_a_connection_that_takes_longer_than_the_timeout()
  support.in_network(function()
    local fd, port = support.server { backlog = 1 }
    local clients = {}
    local message
    repeat
      local client = master()
      clients[#clients + 1] = client
      client:settimeout(0.1)
      local started = support.now()
      message = select(2, client:connect('127.0.0.1', port))
      lu.assertTrue(not message or support.now() - started >= 0.1)
    until message or #clients > 100
    lu.assertEquals(message, 'timeout')
    local client = clients[#clients]
    lu.assertEquals({ client.class, client:events() }, { 'tcp{client}', 'w' })
    local second = keep(sock99.wrap(support.dup(client:getfd())))
    second:settimeout(0)
    lu.assertEquals((select(2, second:connect('127.0.0.1', port))), 'timeout')
    local server = keep(sock99.wrap(fd))
    server:settimeout(10)
    for _ = 1, #clients - 1 do
      keep(server:accept())
    end
    -- The kernel asks again after a second, then after two more.
    client:settimeout(60)
    lu.assertEquals({ client:connect('127.0.0.1', port) }, { 1 })
    lu.assertEquals({ second:connect('127.0.0.1', port) }, { 1 })
  end)
end


-- A client that connects to a name and may not wait for it, on the descriptor that it
-- has. A lookup that is over at once leaves nothing to wait for.
local function pending_to(port, server)
  for _ = 1, 100 do
    local client = master()
    client:settimeout(0)
    local ok, message = client:connect('localhost', port)
    if message == 'timeout' and client:events() == 'r' then
      return client
    elseif ok and server then
      keep(server:accept()):close()
    end
    client:close()
  end
  return lu.skip 'lookups are always over at once'
end


function TestConnect:test_a_name_does_not_wait_for_the_resolver()
  local server = support.listener()
  local _, port = server:getsockname()
  local client = pending_to(port, server)
  lu.assertEquals(client.class, 'tcp{client}')
  lu.assertEquals(client:getfamily(), 'inet4')
  lu.assertEquals((client:getsockname()), '0.0.0.0')
  lu.assertEquals((select(3, client:getpeername())), errno.ENOTCONN)
  lu.assertEquals(client:setoption('keepalive', true), 1)
  lu.assertTrue(client:getoption 'keepalive')
  lu.assertEquals({ client:connect('localhost', port + 1) },
    { nil, ('connect localhost:%d: Operation already in progress'):format(port + 1),
      errno.EALREADY, 'connect' })
  local _, writers = sock99.select(nil, { client }, 10)
  lu.assertIs(writers[1], client)
  lu.assertEquals(client:connect('localhost', port), 1)
  lu.assertEquals((select(3, client:connect('localhost', port))), errno.EISCONN)
  lu.assertEquals(client:getstats(), 0)
  lu.assertTrue(client:getoption 'keepalive')
  keep(server:accept())
end


function TestConnect:test_a_call_that_needs_the_connection_waits_for_it()
  local server = support.listener()
  local _, port = server:getsockname()
  for _, call in ipairs {
    function(client) return client:send 'hello\n' end,
    function(client) return client:send { 'hello', '\n' } end,
    function(client)
      local file = keep(io.tmpfile())
      file:write 'hello\n'
      file:seek 'set'
      return client:sendfile(file)
    end,
  } do
    local client = pending_to(port, server)
    client:settimeout(10)
    lu.assertEquals(call(client), 6)
    lu.assertEquals(keep(server:accept()):receive(), 'hello')
  end
end


function TestConnect:test_the_descriptor_is_the_same_from_the_start_to_the_end()
  local server = support.listener()
  local _, port = server:getsockname()
  local client = master()
  local fd = client:getfd()
  client:settimeout(0)
  local done = client:connect('localhost', port)
  lu.assertEquals(client:getfd(), fd)
  lu.assertEquals((select(2, sock99.select(nil, { fd }, 10))), { fd })
  client:settimeout(10)
  lu.assertEquals(done or client:connect('localhost', port), 1)
  lu.assertEquals({ client:getfd(), client:pollfd() }, { fd, fd })
  keep(server:accept())
end


function TestConnect:test_a_name_that_is_refused_is_told_once()
  local port = support.closed_port()
  local client = pending_to(port)
  local readers, writers = sock99.select({ client }, { client }, 10)
  lu.assertIs(readers[1] or writers[1], client)
  lu.assertEquals({ client:connect('localhost', port) },
    { nil, ('connect localhost:%d: Connection refused'):format(port), errno.ECONNREFUSED,
      'connect' })
  local server = support.listener()
  local _, again = server:getsockname()
  client:settimeout(10)
  lu.assertEquals(client:connect('localhost', again), 1)
end


function TestConnect:test_a_name_that_does_not_exist_is_told_by_whichever_call_asks()
  for _, call in ipairs {
    function(client) return client:connect('no-such-host.invalid', 80) end,
    function(client) return client:send 'x' end,
    function(client) return client:receive() end,
    function(client) return pcall(client:lines()) end,
  } do
    local client = master()
    client:settimeout(0)
    local ok, message = client:connect('no-such-host.invalid', 80)
    client:settimeout(30)
    if message == 'timeout' then
      ok, message = call(client)
    end
    lu.assertTrue(not ok)
    lu.assertStrContains(message, 'getaddrinfo no-such-host.invalid')
    lu.assertTrue(client:getfd() >= 0)
  end
end


function TestConnect:test_an_object_that_connects_to_a_name_may_end_at_any_moment()
  local port = support.closed_port()
  for _, finish in ipairs {
    function(client) return client:close() end,
    function(client)
      support.close(client:detach())
    end,
    function(client)
      local fd = client:getfd()
      client:setfd(-1)
      support.close(fd)
    end,
    function(client)
      client:setfd(-1)
      return client
    end,
    function() end,
  } do
    local left = 0
    support.assert_no_fd_leak(function()
      local client = assert(sock99.socket { family = 'inet', connect = false })
      local fd = client:getfd()
      client:settimeout(0)
      client:connect('localhost', port)
      if finish(client) then
        -- Given up, not closed; the number is known from before.
        left = sock99.close(fd) and 0 or left
      end
      client = nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
    end)
    lu.assertEquals(left, 0)
  end
end


function TestConnect:test_a_child_process_leaves_a_lookup_to_its_parent()
  lu.skipIf(support.runner, 'to the RUNNER a lookup that a child has a copy of is a leak')
  local server = support.listener()
  local _, port = server:getsockname()
  local client = pending_to(port, server)
  support.in_child(function()
    lu.assertEquals((select(3, client:connect('localhost', port))), errno.EPERM)
    client:close()
  end)
  client:settimeout(10)
  lu.assertEquals(client:connect('localhost', port), 1)
end


-- The listener goes meanwhile: what Linux sends again after a second is refused.
function TestConnect:test_a_connection_that_took_longer_may_be_refused_later()
  support.in_network(function()
    for host, name in pairs { ['127.0.0.1'] = '127.0.0.1', ['::1'] = '[::1]' } do
      local fd, port = support.server { host = host, backlog = 1 }
      local client, message
      for _ = 1, 100 do
        client = master(host == '::1' and 'inet6' or 'inet')
        client:settimeout(0.05)
        message = select(2, client:connect(host, port))
        if message then
          break
        end
      end
      lu.assertEquals(message, 'timeout')
      lu.assertEquals({ client:connect(host, port) },
        { nil, 'timeout', errno.ETIMEDOUT, 'timeout' })
      support.close(fd)
      client:settimeout(60)
      lu.assertEquals({ client:connect(host, port) },
                      { nil, ('connect %s:%d: Connection refused'):format(name, port),
                        errno.ECONNREFUSED, 'connect' })
    end
  end)
end


function TestConnect:test_a_port_that_connects_to_itself_is_refused()
  support.in_network(function()
    local range = io.open('/proc/sys/net/ipv4/ip_local_port_range', 'w')
    local ok = range and range:write '40001 40001' and range:close()
    lu.skipIf(not ok, 'the range of ephemeral ports cannot be set')
    for _, timeout in ipairs { -1, 0 } do
      local client = master()
      client:settimeout(timeout)
      lu.assertEquals({ connect_without_waiting(client, '127.0.0.1', 40001) },
                      { nil, 'connect 127.0.0.1:40001: Connection refused', errno.ECONNREFUSED })
      client:close()
    end
  end)
end


function TestConnect:test_a_unix_path()
  local path = support.path()
  local server = support.listener { path = path }
  local client = master 'unix'
  lu.assertEquals(client:connect(path), 1)
  lu.assertEquals({ client:getpeername() }, { path })
  keep(server:accept()):send 'hello\n'
  lu.assertEquals(client:receive(), 'hello')
  local nowhere = support.path 'nowhere'
  lu.assertEquals({ master('unix'):connect(nowhere) },
                  { nil, 'connect ' .. nowhere .. ': No such file or directory', errno.ENOENT,
                    'connect' })
end


-- A listener that accepts nobody, and a client that had to wait.
local function crowd(path, timeout)
  local server = support.listener { path = path, backlog = 1 }
  for _ = 1, 100 do
    local client = master 'unix'
    client:settimeout(timeout)
    local ok, message = client:connect(path)
    if not ok then
      lu.assertEquals(message, 'timeout')
      return server, client
    end
  end
  lu.fail 'the backlog is never full'
end


function TestConnect:test_a_full_unix_backlog_is_waited_for()
  local path = support.path()
  local started = support.now()
  local server, client = crowd(path, 0.05)
  lu.assertTrue(support.now() - started >= 0.05)
  lu.assertEquals({ client.class, client:events() }, { 'tcp{master}', 'w' })
  client:settimeout(0)
  lu.assertEquals((select(2, client:connect(path))), 'timeout')
  support.spawn(function()
    support.sleep(0.05)
    server:accept()
    support.sleep(0.2)
  end)
  client:settimeout(30)
  lu.assertEquals({ client:connect(path) }, { 1 })
end


function TestConnect:test_a_full_unix_backlog_on_a_dup_that_is_nonblocking()
  local path = support.path()
  local server, client = crowd(path, 0)
  support.spawn(function()
    support.sleep(0.05)
    server:accept()
    support.sleep(0.2)
  end)
  client:settimeout(nil)
  support.set_nonblocking(client:getfd(), true)
  lu.assertEquals({ client:connect(path) }, { 1 })
end


function TestConnect:test_arguments_that_cannot_be_are_raised()
  local client = master()
  lu.assertErrorMsgContains('string expected', client.connect, client, nil, 1)
  lu.assertErrorMsgContains('port expected', client.connect, client, '127.0.0.1')
  lu.assertErrorMsgContains('string expected', client.connect, client, '127.0.0.1', {})
  local unix = master 'unix'
  lu.assertErrorMsgContains('string expected', unix.connect, unix)
end


support.run()
