-- Select: which of many are ready, in LuaSocket's terms.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

local keep = support.keep
local unpack = table.unpack or unpack

TestReady = support.suite()
TestEntries = support.suite()
TestWaiting = support.suite()
TestNumbers = support.suite()


local function pair(t)
  return keep(sock99.pair(t))
end


-- What select tells: lists of entries, and how many results there are.
local function look(readers, writers, timeout)
  local results = { sock99.select(readers, writers, timeout or 0) }
  return results[1], results[2], results[3], #results
end


-- Each entry of the list once, in this order, and under its own key.
local function assert_told(told, ...)
  local count = 0
  for key, value in pairs(told) do
    if type(key) ~= 'number' then
      lu.assertEquals(told[value], key)
    end
    count = count + 1
  end
  lu.assertEquals(#told, select('#', ...))
  local objects = 0
  for i = 1, select('#', ...) do
    local entry = select(i, ...)
    lu.assertTrue(rawequal(told[i], entry), i)
    if type(entry) ~= 'number' then
      objects = objects + 1
      lu.assertEquals(told[entry], i)
    end
  end
  lu.assertEquals(count, #told + objects)
end


function TestReady:test_readers_and_writers_as_lists_that_know_their_members()
  local a, b = pair()
  a:send 'x'
  local readers, writers, message, count = look({ a, b }, { b, a })
  assert_told(readers, b)
  assert_told(writers, b, a)
  lu.assertEquals({ message, count }, { nil, 2 })
end


function TestReady:test_a_timeout_is_two_empty_tables_and_a_word()
  local a = pair()
  for _, timeout in ipairs { 0, 0.001 } do
    local readers, writers, message = look({ a }, {}, timeout)
    assert_told(readers)
    assert_told(writers)
    lu.assertEquals(message, 'timeout')
  end
end


function TestReady:test_either_table_may_be_nil()
  local a, b = pair()
  a:send 'x'
  assert_told((look({ b }, nil)), b)
  assert_told((select(2, look(nil, { b }))), b)
  local readers, writers, message = look(nil, nil)
  assert_told(readers)
  assert_told(writers)
  lu.assertEquals(message, 'timeout')
end


function TestReady:test_the_results_are_never_the_arguments()
  local a, b = pair()
  a:send 'x'
  local given = { b }
  lu.assertFalse(rawequal((look(given)), given))
end


function TestReady:test_what_was_read_ahead_is_ready_at_once()
  local a, b = pair()
  a:send 'one\ntwo\n'
  lu.assertEquals(b:receive(), 'one')
  lu.assertTrue(b:dirty())
  -- The descriptor itself has nothing to tell, and nobody waits for it.
  lu.assertFalse(support.readable(b:getfd(), 0))
  local readers, writers = look({ a, b }, { a }, 60)
  assert_told(readers, b)
  assert_told(writers, a)
  lu.assertEquals(b:receive(), 'two')
  assert_told((look { b }))
end


function TestReady:test_what_was_read_ahead_says_nothing_of_writing()
  local a, b = pair { nonblocking = true }
  a:send 'one\ntwo\n'
  lu.assertEquals(b:receive(), 'one')
  repeat
    local sent = b:send(('x'):rep(65536))
  until not sent
  local _, writers, message = look(nil, { b })
  assert_told(writers)
  lu.assertEquals(message, 'timeout')
end


function TestReady:test_a_listener_and_a_connection_being_made()
  local server = keep(sock99.socket { host = '127.0.0.1', server = true })
  assert_told((look { server }))
  local client = keep(sock99.socket { family = 'inet', connect = false })
  client:settimeout(0)
  client:connect(server:getsockname())
  local _, writers = look(nil, { client }, 5)
  assert_told(writers, client)
  lu.assertEquals((client:connect(server:getsockname())), 1)
  assert_told((look({ server }, nil, 5)), server)
end


function TestReady:test_an_end_and_an_error_are_told_to_whoever_asked()
  local a, b = pair()
  a:close()
  local readers, writers = look({ b }, { b })
  assert_told(readers, b)
  assert_told(writers, b)
  -- The reader of a pipe has gone: POLLERR, which nobody asks for by that name.
  local reader, writer = assert(support.pipe())
  support.close(reader)
  readers, writers = look({ writer }, { writer })
  assert_told(readers, writer)
  assert_told(writers, writer)
  assert_told((look { writer }), writer)
end


function TestReady:test_each_kind_of_object()
  local kinds = {
    { host = '127.0.0.1', datagram = true, server = true },
    { host = '::1', datagram = true, server = true },
    { path = support.path(), datagram = true, server = true },
  }
  for _, t in ipairs(kinds) do
    local object = keep(sock99.socket(t))
    local readers, writers = look({ object }, { object })
    assert_told(readers)
    assert_told(writers, object)
  end
end


function TestEntries:test_one_that_comes_several_times_is_told_once()
  local a, b = pair()
  a:send 'x'
  local readers, writers = look({ b, a, b, b }, { b, b, a, b })
  assert_told(readers, b)
  assert_told(writers, b, a)
end


function TestEntries:test_descriptors_as_integers()
  local a, b = pair()
  a:send 'x'
  local fd = b:getfd()
  local readers, writers = look({ fd, a:getfd(), fd, b }, { fd, fd, a })
  assert_told(readers, fd, b)
  assert_told(writers, fd, a)
end


function TestEntries:test_any_object_with_getfd()
  local a, b = pair()
  local object = { getfd = function() return b:getfd() end }
  local heir = setmetatable({}, { __index = object })
  assert_told((look { object, heir }))
  a:send 'x'
  assert_told((look { object, heir, b }), object, heir, b)
end


function TestEntries:test_any_object_that_is_dirty()
  local a = pair()
  local object = {
    is_dirty = false,
    fd = a:getfd(),
    getfd = function(this) return this.fd end,
    dirty = function(this) return this.is_dirty end,
  }
  assert_told((look { object }))
  object.is_dirty = true
  local readers, writers = look({ object }, { object, a }, 60)
  assert_told(readers, object)
  assert_told(writers, object, a)
end


function TestEntries:test_whoever_has_no_descriptor_is_skipped()
  local a, b = pair()
  local closed = pair()
  closed:close()
  local function none() return -1 end
  local function nothing() return nil end
  local function never() error 'not to be asked' end
  a:send 'x'
  local list = { { getfd = none, dirty = never }, closed, { getfd = nothing }, b }
  local readers, writers = look(list, list)
  assert_told(readers, b)
  assert_told(writers, b)
  lu.assertEquals(select(3, look { closed }), 'timeout')
end


function TestEntries:test_what_getfd_says_is_a_descriptor_or_none()
  local a = pair()
  for _, fd in ipairs { 2 ^ 40, -2 ^ 40, 'x', true } do
    lu.assertEquals(select(3, look { { getfd = function() return fd end } }), 'timeout')
  end
  assert_told((select(2, look(nil, { { getfd = function() return 2 ^ 31 end }, a }))), a)
end


function TestEntries:test_an_opening_is_ready_when_a_step_gets_further()
  local server = keep(sock99.socket { host = '127.0.0.1', server = true })
  local host, port = server:getsockname()
  local opening = assert(sock99.start { host = host, port = port, timeout = 30 })
  local object
  repeat
    assert_told((look({ opening }, nil, 5)), opening)
    object = opening:step()
  until object ~= false
  keep(object)
  assert_told((select(2, look(nil, { object }))), object)
  opening:cancel()
  assert_told((look { opening }))
end


function TestEntries:test_what_is_no_socket_is_named()
  local a = pair()
  local cases = {
    { { 'x' }, 'entry 1: a socket or a descriptor expected, got string' },
    { { a, true }, 'entry 2: a socket or a descriptor expected, got boolean' },
    { { a, a, print }, 'entry 3: a socket or a descriptor expected, got function' },
    { { a, {} }, 'entry 2: it has neither getfd nor pollfd' },
    { { a, io.stdout }, 'entry 2: it has neither getfd nor pollfd' },
    { { -1 }, 'entry 1: -1 is not a descriptor' },
    { { a, 1.5 }, 'entry 2: 1.5 is not a descriptor' },
    { { 2 ^ 40 }, 'is not a descriptor' },
    { { 0 / 0 }, 'is not a descriptor' },
  }
  for _, case in ipairs(cases) do
    lu.assertErrorMsgContains(case[2], sock99.select, case[1], nil, 0)
    lu.assertErrorMsgContains('#2', sock99.select, nil, case[1], 0)
    lu.assertErrorMsgContains(case[2], sock99.select, { a }, case[1], 0)
  end
end


function TestEntries:test_a_descriptor_that_is_not_open_is_named()
  local a, b = pair()
  local fd = b:detach()
  support.close(fd)
  local words = ('descriptor %d is not open'):format(fd)
  lu.assertErrorMsgContains('entry 2: ' .. words, sock99.select, { a, fd }, { a }, 0)
  lu.assertErrorMsgContains('#1', sock99.select, { a, fd }, { a }, 0)
  lu.assertErrorMsgContains('entry 3: ' .. words, sock99.select, { a }, { a, a, fd }, 0)
  lu.assertErrorMsgContains('#2', sock99.select, { a }, { a, a, fd }, 0)
  local object = { getfd = function() return fd end }
  lu.assertErrorMsgContains('entry 1: ' .. words, sock99.select, { object }, nil)
end


function TestEntries:test_arguments_of_other_types()
  lu.assertErrorMsgContains('table expected', sock99.select, 1, nil, 0)
  lu.assertErrorMsgContains('table expected', sock99.select, nil, 'x', 0)
  lu.assertErrorMsgContains('number expected', sock99.select, nil, nil, 'x')
  lu.assertErrorMsgContains('not a number', sock99.select, nil, nil, 0 / 0)
end


function TestEntries:test_errors_of_methods_come_through_and_nothing_is_lost()
  support.assert_no_fd_leak(function()
    local a, b = pair()
    local fd = a:getfd()
    local bad = { getfd = function() error('no descriptor today', 0) end }
    local worse = { getfd = function() return fd end, dirty = function() error('mud', 0) end }
    local many = {}
    for i = 1, 1000 do
      many[i] = a
    end
    for _, list in ipairs { { bad }, { a, bad }, many } do
      many[1001] = bad
      lu.assertErrorMsgEquals('no descriptor today', sock99.select, list, list, 0)
    end
    lu.assertErrorMsgEquals('mud', sock99.select, { worse }, nil, 0)
    a:close()
    b:close()
  end)
end


function TestEntries:test_a_method_may_change_the_tables()
  local a, b = pair()
  a:send 'x'
  local list
  local object = { getfd = function() list[1] = nil return b:getfd() end }
  list = { b, object, b }
  local readers = look(list)
  lu.assertTrue(rawequal(readers[1], object))
  lu.assertTrue(rawequal(readers[2], b))
  lu.assertEquals(#readers, 2)
end


function TestEntries:test_tables_that_only_stand_for_others()
  local a, b = pair()
  a:send 'x'
  local set = setmetatable({}, { __index = function(_, i) return ({ a, b })[i] end })
  assert_told((look(set)), b)
end


function TestEntries:test_memory_that_runs_out()
  local a, b = pair()
  a:send 'x'
  local many = {}
  for i = 1, 100 do
    many[i] = i % 2 == 0 and a or b
  end
  local before = support.descriptor_count()
  local readers
  for n = 0, 100 do
    if support.starve(n, function() readers = sock99.select(many, many, 0) end) then
      break
    end
  end
  assert_told(readers, b)
  lu.assertEquals(support.descriptor_count(), before)
end


function TestWaiting:test_until_something_is_ready()
  local a, b = pair()
  support.spawn(function()
    support.sleep(0.05)
    a:send 'x'
  end)
  assert_told((sock99.select({ a, b })), b)
  assert_told((sock99.select({ a, b }, nil, -1)), b)
  assert_told((sock99.select({ a, b }, nil, math.huge)), b)
end


function TestWaiting:test_no_less_than_it_was_told()
  local a = pair()
  local before = support.now()
  lu.assertEquals(select(3, look({ a }, nil, 0.1)), 'timeout')
  lu.assertTrue(support.now() - before >= 0.1)
  before = support.now()
  lu.assertEquals(select(3, look(nil, nil, 0.05)), 'timeout')
  lu.assertTrue(support.now() - before >= 0.05)
end


function TestWaiting:test_goes_on_past_signals_and_keeps_its_end()
  local a = pair()
  support.alarms(0.02)
  local before = support.now()
  local message = select(3, look({ a }, nil, 0.3))
  local passed = support.now() - before
  local count = support.alarms(0)
  lu.assertEquals(message, 'timeout')
  lu.assertTrue(passed >= 0.3)
  lu.assertTrue(count > 0)
  -- Were the wait to begin anew with each signal, it would have no end.
  lu.assertTrue(passed < 20)
end


-- `count` pairs, with room for their descriptors, in a process of their own.
local function with_pairs(count, f)
  lu.skipIf(support.runner, 'the descriptors are counted by what runs the interpreter, too')
  support.in_child(function()
    local ok, why = support.limit_descriptors(2 * count + 100)
    lu.skipIf(not ok, ('no %d descriptors: %s'):format(2 * count, tostring(why)))
    local ones, others = {}, {}
    for i = 1, count do
      ones[i], others[i] = sock99.pair()
      lu.assertNotNil(ones[i], others[i])
    end
    f(ones, others)
  end)
end


function TestNumbers:test_descriptors_above_1024()
  with_pairs(700, function(ones, others)
    local last = others[#others]
    lu.assertTrue(last:getfd() > 1024)
    assert_told((look { last }))
    ones[#ones]:send 'x'
    local readers, writers = look({ others[1], last }, { last })
    assert_told(readers, last)
    assert_told(writers, last)
  end)
end


function TestNumbers:test_10000_objects()
  with_pairs(5000, function(ones, others)
    local all = {}
    for i = 1, 5000 do
      all[i], all[5000 + i] = ones[i], others[i]
    end
    lu.assertEquals(select(3, look(all)), 'timeout')
    for _, i in ipairs { 1, 2500, 5000 } do
      ones[i]:send 'x'
    end
    -- More entries than the process may have descriptors
    local readers, writers = look(all, all)
    assert_told(readers, others[1], others[2500], others[5000])
    lu.assertEquals(#writers, 10000)
    lu.assertTrue(rawequal(writers[7777], all[7777]))
  end)
end


-- The same in their last bits, wherever those end.
function TestNumbers:test_descriptors_that_are_far_apart()
  local a, b = pair()
  a:send 'x'
  local fd = b:getfd()
  local list = { fd }
  for _, distance in ipairs { 32, 64, 128, 256 } do
    list[#list + 1] = assert(support.dup2(fd, fd + distance))
  end
  assert_told((look(list)), unpack(list))
  assert_told((look { a, fd + 256, fd }), fd + 256, fd)
end


function TestNumbers:test_more_descriptors_than_may_be_open()
  lu.skipIf((os.getenv 'RUNNER' or ''):find 'valgrind', "valgrind's limit is not the kernel's")
  local fd = pair():getfd()
  local list = {}
  for i = 1, 20 do
    list[i] = assert(support.dup(fd))
  end
  support.in_child(function()
    assert(support.limit_descriptors(10))
    lu.assertErrorMsgContains('poll: Invalid argument', sock99.select, list, nil, 0)
  end)
end


function TestNumbers:test_one_object_more_often_than_descriptors_may_be_open()
  local a, b = pair()
  a:send 'x'
  local list = {}
  for i = 1, 50000 do
    list[i] = b
  end
  support.in_child(function()
    assert(support.limit_descriptors(64))
    local readers, writers = look(list, list)
    assert_told(readers, b)
    assert_told(writers, b)
  end)
end


function TestReady:test_a_descriptor_with_a_fraction_is_raised()
  local object = { getfd = function() return 3.7 end }
  lu.assertErrorMsgContains('its descriptor is 3.7', sock99.select, { object }, nil, 0)
  lu.assertErrorMsgContains('its descriptor is 3.7', sock99.select, nil, { object }, 0)
end


function TestReady:test_a_table_that_is_no_list_is_raised()
  local a = support.keep(sock99.pair())
  for _, t in ipairs { { [a] = true }, { name = a }, { [2] = a } } do
    lu.assertErrorMsgContains('a list expected', sock99.select, t, nil, 0)
    lu.assertErrorMsgContains('a list expected', sock99.select, nil, t, 0)
  end
  lu.assertEquals((select(3, sock99.select({}, {}, 0))), 'timeout')
end


support.run()
