-- every_function: each function that a program can call, found at run time, and how to
-- call each of them so that it does its work. test_allocations.lua runs them in Lua
-- states of their own, where memory ends in the middle of a call.
--
-- A scenario arranges what a call needs, and returns the call; what its results
-- must be (a function that raises, where it is missing anything will do); and what
-- makes the same call possible once more. Of what it opens nothing stays open.

local sock99 = require 'sock99'
local core = require 'sock99.luasocket.half'
local kinds = require 'sock99.kinds'
local support = require 'test_support'

local calls = {}

local unpack = table.unpack or unpack
local CLASSES = { 'master', 'client', 'server', 'connected', 'unconnected' }

local MOST_DESCRIPTORS = 150

local LARGE = ('0123456789'):rep(10000)
local MORE_THAN_FITS = LARGE:rep(40)


-- What a scenario opened

local held, raw


local function hold(...)
  if not ... then
    error(tostring((select(2, ...))), 0)
  end
  for i = 1, select('#', ...) do
    local value = select(i, ...)
    if type(value) == 'userdata' then
      held[#held + 1] = value
    end
  end
  return ...
end


local function hold_fd(fd)
  raw[#raw + 1] = fd
  return fd
end


-- Objects first: a descriptor that one of them has is not closed twice.
local function close_all()
  for _, object in ipairs(held) do
    if io.type(object) then
      object:close()
    elseif object.cancel then
      object:cancel()
    else
      object:close()
    end
  end
  for _, fd in ipairs(raw) do
    sock99.close(fd)
  end
  held, raw = {}, {}
end


local function descriptors()
  local count = 0
  for _ in pairs(support.descriptors(MOST_DESCRIPTORS)) do
    count = count + 1
  end
  return count
end


-- Results

local function equal(expected)
  return function(got)
    if got ~= expected then
      error(('expected %q, got %q'):format(tostring(expected), tostring(got)), 0)
    end
  end
end


local function is(kind)
  return function(got, message)
    if type(got) ~= kind then
      error(('a %s expected, got %s, %s'):format(kind, tostring(got), tostring(message)), 0)
    end
  end
end


local function holds(...)
  hold(...)
end


local function fails(text)
  return function(got, message)
    if got ~= nil or not tostring(message):find(text, 1, true) then
      error(('%q expected, got %s, %s'):format(text, tostring(got), tostring(message)), 0)
    end
  end
end


-- Objects of each kind and class: context.object, and what it talks to

local make = {}


function make.native_master(c)
  c.object = hold(sock99.socket { family = 'inet', connect = false })
end


function make.native_client(c)
  c.object, c.peer = hold(sock99.pair())
end


function make.native_server(c)
  c.object = hold(sock99.socket { server = true, host = '127.0.0.1' })
end


function make.native_connected(c)
  c.object, c.peer = hold(sock99.pair { datagram = true })
end


local function client_of(server, t)
  t.host, t.port = server:getsockname()
  return hold(sock99.socket(t))
end


function make.native_unconnected(c)
  c.object = hold(sock99.socket { server = true, datagram = true, host = '127.0.0.1' })
  c.peer = client_of(c.object, { datagram = true })
end


function make.luasocket_master(c)
  c.object = hold(core.tcp4())
end


function make.luasocket_server(c)
  c.object = hold(core.tcp())
  hold(c.object:bind('127.0.0.1', 0))
  hold(c.object:listen(5))
end


function make.luasocket_client(c)
  local server = { }
  make.luasocket_server(server)
  c.object = hold(core.tcp())
  hold(c.object:connect(server.object:getsockname()))
  c.peer = hold(server.object:accept())
end


function make.luasocket_unconnected(c)
  c.object, c.peer = hold(core.udp()), hold(core.udp())
  hold(c.object:setsockname('127.0.0.1', 0))
  hold(c.peer:setpeername(c.object:getsockname()))
end


function make.luasocket_connected(c)
  make.luasocket_unconnected(c)
  hold(c.object:setpeername(c.peer:getsockname()))
end


function make.fresh_unconnected(c)
  c.object = hold(core.udp())
end


-- Its lookup may be over when the call is made, and the connection there.
function make.pending_client(c)
  local server = hold(sock99.socket { server = true, host = '127.0.0.1' })
  local _, port = server:getsockname()
  c.object = hold(core.tcp())
  c.object:settimeout(0)
  c.object:connect('localhost', port)
end


-- The same, of an object that keeps the descriptor which it has.
function make.resolving_client(c)
  local server = hold(sock99.socket { server = true, host = '127.0.0.1' })
  local _, port = server:getsockname()
  repeat
    c.object = hold(sock99.socket { family = 'inet', connect = false })
    c.object:settimeout(0)
    c.object:connect('localhost', port)
  until c.object.class == 'tcp{client}'
end


-- Methods. Where an object is of none of the classes, what it says is not looked at.

local methods, only, arguments = {}, {}, {}


local function on(classes, name, ...)
  only[name], methods[name] = ' ' .. classes .. ' ', { ... }
end


local function simple(name, check, ...)
  local given = { ... }
  arguments[name] = given
  on(table.concat(CLASSES, ' '), name, function(c)
    return function()
      return c.object[name](c.object, unpack(given))
    end, check
  end)
end


simple('close', equal(1))
simple('getfd', is 'number')
simple('pollfd', is 'number')
simple('dirty', is 'boolean')
simple('events', is 'string')
simple 'timeout'
simple('gettimeout', is 'number')
simple('settimeout', equal(1), 1, 't')
simple('getfamily', is 'string')
simple 'shutdown'
simple 'getpeercred'

on('client connected unconnected', 'getstats', function(c)
  return function() return c.object:getstats() end, is 'number'
end)

on('client connected unconnected', 'setstats', function(c)
  return function() return c.object:setstats(1, 2, 3) end, equal(1)
end)

for _, name in ipairs { '__gc', '__close' } do
  on('master client server connected unconnected', name, function(c)
    local method = getmetatable(c.object)[name]
    return function() return method(c.object) end
  end)
end

on('master client server connected unconnected', '__tostring', function(c)
  return function() return tostring(c.object) end, is 'string'
end)

-- What was read ahead comes along.
on('master client server connected unconnected', 'detach', function(c)
  if c.class == 'client' then
    c.peer:send('line\n' .. LARGE:sub(1, 20000))
    hold(c.object:receive())
  end
  return function() return c.object:detach() end, function(fd)
    is 'number'(fd)
    hold_fd(fd)
  end
end)

on('master client server connected unconnected', 'setfd', function(c)
  local fd = hold_fd(support.dup(c.object:getfd()))
  hold_fd(c.object:getfd())
  return function() return c.object:setfd(fd) end
end)

arguments.bind = { '127.0.0.1', 0 }
arguments.setsockname = arguments.bind

for _, name in ipairs { 'bind', 'setsockname' } do
  on('master', name, function(c)
    return function() return c.object[name](c.object, '127.0.0.1', 0) end, equal(1)
  end, function(c)
    c.object:close()
    c.object = hold(c.is_native and sock99.socket { family = 'unix', connect = false }
                    or core.unix.stream())
    local path = support.mkdtemp()
    return function()
      os.remove(path .. '/s')
      local ok, message = c.object[name](c.object, path .. '/s')
      os.remove(path .. '/s')
      os.remove(path)
      return ok, message
    end
  end)
end

arguments.sendto = { 'x', '127.0.0.1', 9 }
arguments.listen = {}

on('master', 'listen', function(c)
  hold(c.object:bind('127.0.0.1', 0))
  return function() return c.object:listen() end, equal(1)
end)

on('server', 'accept', function(c)
  client_of(c.object, {})
  c.object:settimeout(5)
  return function() return c.object:accept() end, holds
end, function(c)
  c.object:settimeout(0)
  return function() return c.object:accept() end, fails 'timeout'
end)

arguments.connect = { '127.0.0.1', 9 }
arguments.connect_fresh = arguments.connect

local function connecting(name)
  return function(c)
    local server = hold(sock99.socket { server = true, host = '127.0.0.1' })
    local host, port = server:getsockname()
    c.object:settimeout(5)
    return function() return c.object[name](c.object, host, port) end, equal(1)
  end, function(c)
    local refused = hold(sock99.socket { family = 'inet', connect = false })
    hold(refused:bind('127.0.0.1', 0))
    local host, port = refused:getsockname()
    return function() return c.object[name](c.object, host, port) end
  end
end

-- By a name, without a timeout and with one.
local function connecting_by_name(name, seconds)
  return function(c)
    c.resolves = true
    local server = hold(sock99.socket { server = true, host = '127.0.0.1' })
    local _, port = server:getsockname()
    c.object:settimeout(seconds)
    return function() return c.object[name](c.object, 'localhost', port) end
  end
end

on('master', 'connect', connecting 'connect', connecting_by_name('connect', 5),
   connecting_by_name('connect', nil))
on('unconnected', 'setpeername', connecting 'setpeername')
arguments.setpeername = arguments.connect

on('client connected', 'getpeername', function(c)
  return function() return c.object:getpeername() end, is 'string'
end, function(c)
  local server = hold(sock99.socket { server = true, host = '127.0.0.1' })
  c.object = client_of(server, {})
  return function() return c.object:getpeername() end, equal '127.0.0.1'
end)

on('master client server connected unconnected', 'getsockname', function(c)
  return function() return c.object:getsockname() end, is 'string'
end)

-- Options
on('master client server connected unconnected', 'setoption', function(c)
  return function() return c.object:setoption('reuseaddr', true) end, equal(1)
end, function(c)
  return function() return c.object:setoption('rcvbuf', 100000) end, equal(1)
end, function(c)
  local value = c.is_native and 0 or { on = true, timeout = 0 }
  return function() return c.object:setoption('linger', value) end
end, function(c)
  return function() return c.object:setoption('rcvbuf', -1) end
end, function(c)
  return function() return c.object:setoption(1, 8, 100000) end
end, function(c)
  return function() return c.object:setoption 'nosuch' end
end)

on('master client server connected unconnected', 'getoption', function(c)
  return function() return c.object:getoption 'reuseaddr' end
end, function(c)
  return function() return c.object:getoption 'linger' end
end, function(c)
  return function() return c.object:getoption 'congestion' end
end, function(c)
  return function() return c.object:getoption(1, 8, 4) end
end, function(c)
  return function() return c.object:getoption 'nosuch' end
end)

-- Bytes and messages out. What a peer has not read may fill it.
local function drain(c)
  return function()
    c.peer:settimeout(0)
    repeat
      local data = c.peer:receive(65536)
    until not data
  end
end

arguments.send = { 'x' }

on('client connected', 'send', function(c)
  return function() return c.object:send 'hello' end, equal(5), drain(c)
end, function(c)
  return function() return c.object:send(12345) end, equal(5), drain(c)
end, function(c)
  return function() return c.object:send('hello', 6) end
end)

on('client', 'send_list', function(c)
  return function() return c.object:send { 'a', 10, '', 2.5, 'b' } end, equal(7), drain(c)
end, function(c)
  local list = {}
  for i = 1, 1100 do
    list[i] = i % 2 == 0 and i or 'x'
  end
  return function() return c.object:send(list) end, is 'number', drain(c)
end, function(c)
  return function() return c.object:send { 'a', {} } end
end, function(c)
  c.object:settimeout(0)
  return function() return c.object:send(MORE_THAN_FITS) end, fails 'timeout'
end, function(c)
  c.peer:close()
  return function() return c.object:send { 'a', 'b' } end
end)

on('client', 'sendfile', function(c)
  local file = hold(io.open('Makefile', 'rb'))
  return function() return c.object:sendfile(file, 2, 100) end, equal(100), drain(c)
end, function(c)
  local file = hold(io.open('Makefile', 'rb'))
  c.peer:close()
  return function() return c.object:sendfile(file) end
end)

on('unconnected', 'sendto', function(c)
  local receiver = hold(sock99.socket { server = true, datagram = true, host = '127.0.0.1' })
  local host, port = receiver:getsockname()
  return function() return c.object:sendto('hello', host, port) end
end)

arguments.sendmany = { { 'x' } }

on('connected unconnected', 'sendmany', function(c)
  local list = { 'one', 2, 'three' }
  if c.class == 'unconnected' then
    local host, port = c.object:getsockname()
    list = { { 'one', host, port }, { 'two', host, port } }
  end
  return function() return c.object:sendmany(list) end, equal(#list)
end, function(c)
  return function() return c.object:sendmany { 'one', {} } end
end)

arguments.sendfds = { 'x', 0 }

on('client connected', 'sendfds', function(c)
  local fd = c.object:getfd()
  return function() return c.object:sendfds('data', fd, c.peer) end
end)

-- Bytes in. Those of a stream stay unread where the call raises, and are the partial
-- result where it returns; messages are lost.
arguments.receive = { 5 }

local function receiving(text, check, ...)
  local given = { ... }
  return function(c)
    c.peer:send(text)
    c.object:settimeout(5)
    c.ends = true
    return function()
      return c.object:receive(unpack(given))
    end, check, c.class ~= 'client' and function()
      c.peer:send(text)
    end or nil
  end
end

local function ended(text, check, ...)
  local scenario = receiving(text, check, ...)
  return function(c)
    local act, result = scenario(c)
    c.peer:close()
    return act, result
  end
end

on('client', 'receive', receiving('first\r\nsecond\n', equal 'first'),
   receiving('first\r\nsecond\n', equal 'prefixfirst\r\n', '*L', 'prefix'),
   receiving('\r\nsecond\n', is 'string', '*l', 'x\r'),
   receiving('a\rb\rc\r\n', is 'string'),
   receiving(LARGE .. '\n', equal(LARGE)),
   receiving(LARGE .. '\nmore\n', equal(LARGE)),
   receiving(LARGE, equal('prefix' .. LARGE:sub(1, 8994)), 9000, 'prefix'),
   receiving(LARGE, equal(LARGE), 100000),
   receiving(LARGE, equal(LARGE:sub(1, 100)), '100'),
   receiving(LARGE:sub(1, 30000), equal(LARGE:sub(1, 30000)), 30000),
   receiving('x', equal '', 0),
   ended('all', equal 'all', '*a'),
   ended(LARGE, equal(LARGE), '*a'),
   ended('not a line', fails 'closed', '*l', 'prefix'),
   function(c)
     c.peer:send 'no line'
     c.object:settimeout(0)
     return function() return c.object:receive() end, fails 'timeout'
   end, function(c)
     return function() return c.object:receive 'x' end
   end)

on('connected unconnected', 'receive_message', receiving('datagram', is 'string'),
   receiving('datagram', is 'string', 3), function(c)
     c.object:settimeout(0)
     return function() return c.object:receive() end, fails 'timeout'
   end)

on('connected', 'receive_large', receiving(LARGE:sub(1, 60000), is 'string'))

on('client', 'receiveany', function(c)
  c.peer:send 'hello'
  c.object:settimeout(5)
  return function() return c.object:receiveany() end, equal 'hello'
end)

on('client', 'lines', function(c)
  c.peer:send 'one\ntwo\r\nthree'
  c.peer:shutdown 'send'
  c.object:settimeout(5)
  return function()
    local count = 0
    for _ in c.object:lines() do
      count = count + 1
    end
    return count
  end, is 'number'
end, function(c)
  c.object:settimeout(0)
  return function() return pcall(c.object:lines()) end
end)

on('connected unconnected', 'receivefrom', function(c)
  c.peer:send 'hello'
  c.object:settimeout(5)
  return function() return c.object:receivefrom() end, nil, function() c.peer:send 'x' end
end)

on('connected unconnected', 'receivemany', function(c)
  local function refill()
    for _ = 1, 3 do
      c.peer:send 'hello'
    end
  end
  refill()
  c.object:settimeout(5)
  return function() return c.object:receivemany(10) end, is 'table', refill
end, function(c)
  c.object:settimeout(0)
  return function() return c.object:receivemany() end, fails 'timeout'
end)

on('client connected', 'receivefds', function(c)
  local function refill()
    if c.object:getfamily() == 'unix' then
      c.peer:sendfds('data', c.peer, c.object)
    end
  end
  refill()
  c.object:settimeout(5)
  return function() return c.object:receivefds() end, function(data, list)
    if data then
      equal(c.class == 'client' and 'data' or data)(data)
      is 'table'(list)
    end
    for _, fd in ipairs(type(list) == 'table' and list or {}) do
      hold_fd(fd)
    end
  end, c.class ~= 'client' and refill or nil
end)

-- Several names for one method, and more that is done by it.
local also = {
  send = { 'send_list' },
  receive = { 'receive_message', 'receive_large' },
  connect = { 'setpeername' },
}


-- Openings

local openings = {}


local function opening_to(host)
  local server = hold(sock99.socket { server = true, host = '127.0.0.1' })
  local _, port = server:getsockname()
  return hold(sock99.start { host = host or '127.0.0.1', port = port, timeout = 10 })
end


local function step(opening)
  local object, message
  repeat
    object, message = opening:step()
    if object == false then
      sock99.select({ opening }, nil, 5)
    end
  until object ~= false
  return object, message
end


-- What an opening has told is final.
openings.step = {
  function(c)
    local opening = opening_to()
    c.ends = true
    return function() return step(opening) end, holds
  end,
  function(c)
    local opening = opening_to 'localhost'
    c.resolves, c.ends = true, true
    return function() return step(opening) end, function(object)
      if object then
        hold(object)
      end
    end
  end,
  function(c)
    c.ends = true
    local closed = hold(sock99.socket { family = 'inet', connect = false })
    hold(closed:bind('127.0.0.1', 0))
    local host, port = closed:getsockname()
    local opening = hold(sock99.start { host = host, port = port })
    return function() return step(opening) end, fails ''
  end,
}

for _, name in ipairs { 'pollfd', 'events', 'timeout', 'cancel', '__gc', '__close' } do
  openings[name] = { function()
    local opening = opening_to()
    local method = getmetatable(opening)[name] or opening[name]
    return function() return method(opening) end
  end }
end

openings.__tostring = { function()
  local opening = opening_to()
  return function() return tostring(opening) end, is 'string'
end }


-- Functions of the module

local module = {}

local many_options = {
  reuseaddr = true, keepalive = true, linger = 1, rcvbuf = 100000, sndbuf = 100000, nodelay = true,
  rcvtimeo = 2.5, { 1, 9, 1 }, { 1, 2, 1 }, { 1, 9, 0 },
}


-- The table that a function must open, by `open` or `socket`.
local function opens(name, t, to)
  return function(c)
    local given = {}
    for field, value in pairs(t) do
      given[field] = value
    end
    c.resolves = t.host == 'localhost'
    if to then
      local server = hold(sock99.socket { server = true, host = '127.0.0.1' })
      local _, port = server:getsockname()
      given.port = port
    end
    return function()
      return sock99[name](given)
    end, function(made, message)
      if c.resolves and not made then
        return
      elseif not made then
        error(message, 0)
      elseif type(made) == 'number' then
        hold_fd(made)
      else
        hold(made)
      end
    end
  end
end


local function refuses(name, t)
  return function()
    return function() return sock99[name](t) end, fails ''
  end
end


for _, name in ipairs { 'open', 'socket', 'start' } do
  module[name] = {
    opens(name, { server = true, host = '127.0.0.1' }),
    opens(name, { server = true, host = '127.0.0.1', sockopts = many_options }),
    opens(name, { server = true, datagram = true }),
    opens(name, { host = '127.0.0.1' }, true),
    opens(name, { host = '127.0.0.1', timeout = 10, bind = { host = '127.0.0.1' } }, true),
    opens(name, { host = 'localhost' }, true),
    opens(name, { host = 'localhost', timeout = 10 }, true),
    opens(name, { family = 'unix', connect = false }),
    refuses(name, { host = '127.0.0.1', path = 'x' }),
    function() return function() return sock99[name] { hots = 1 } end end,
  }
end

for _, name in ipairs { 'open', 'socket' } do
  table.insert(module[name], function()
    local closed = hold(sock99.socket { family = 'inet', connect = false })
    hold(closed:bind('127.0.0.1', 0))
    local host, port = closed:getsockname()
    return function() return sock99[name] { host = host, port = port } end, fails 'refused'
  end)
end

module.wrap = { function()
  local fd = hold_fd(sock99.open { server = true, host = '127.0.0.1' })
  return function() return sock99.wrap(fd) end, holds
end, function()
  return function() return sock99.wrap(-1) end, fails 'Bad file'
end }

module.pair = { function()
  return function() return sock99.pair { datagram = true } end, holds
end }

module.resolve = { function()
  return function() return sock99.resolve { ipv4 = '127.0.0.1' } end, is 'table'
end, function(c)
  c.resolves = true
  return function() return sock99.resolve { host = 'localhost', port = 1 } end
end, function(c)
  c.resolves = true
  return function() return sock99.resolve { host = 'localhost', timeout = 10 } end
end, refuses('resolve', { host = '' }) }

local function selecting(select)
  return function()
    local list, all = {}, {}
    for i = 1, 40, 2 do
      list[i], list[i + 1] = hold(sock99.pair())
      all[i], all[i + 1] = list[i]:getfd(), list[i + 1]
    end
    return function() return select(list, all, 0) end, is 'table'
  end
end

local function selecting_foreign(select)
  return function()
    local a = hold(sock99.pair())
    local foreign = { getfd = function() return a:getfd() end, dirty = function() return true end }
    return function() return select({ foreign }, { a }, 1) end, is 'table'
  end
end

module.select = { selecting(sock99.select), selecting_foreign(sock99.select) }

module.listen_fds = { function()
  return function() return sock99.listen_fds() end, is 'table'
end }

module.close = { function()
  local fd = hold_fd(sock99.open { server = true, host = '127.0.0.1' })
  return function() return sock99.close(fd) end, equal(true)
end, function()
  return function() return sock99.close(-1) end, fails 'close -1'
end }

local function calling(f, check, ...)
  local given = { ... }
  return { function()
    return function() return f(unpack(given)) end, check
  end }
end

module.gettime = calling(sock99.gettime, is 'number')
module.sleep = calling(sock99.sleep, nil, 0.0001)


-- LuaSocket's core, and what socket.lua adds to it

local functions = {}


local function making(f, ...)
  return calling(f, holds, ...)
end


for _, name in ipairs { 'tcp', 'tcp4', 'tcp6', 'udp', 'udp4', 'udp6' } do
  functions[name] = making(core[name])
end

functions.gettime = calling(core.gettime, is 'number')
functions.sleep = calling(core.sleep, nil, 0.0001)
functions.skip = calling(core.skip, equal(3), 2, 1, 2, 3)
functions.__unload = calling(core.__unload)
functions.install = calling(core.install)

functions.newtry = { function()
  return function()
    local protected = core.protect(function() return core.newtry(function() end)(nil, 'why') end)
    return protected()
  end, fails 'why'
end, function()
  return function() return core.newtry()(1) end, equal(1)
end }
functions.protect = functions.newtry
functions.try = calling(core.try, equal(1), 1)

local function connecting_to(f)
  return { function(c)
    local server = hold(sock99.socket { server = true, host = '127.0.0.1' })
    local host, port = server:getsockname()
    c.resolves = true
    return function() return f(host, port) end, function(object)
      if object then
        hold(object)
      end
    end
  end }
end

functions.connect = connecting_to(core.connect)
functions.connect4 = connecting_to(core.connect4)
functions.connect6 = { function(c)
  c.resolves = true
  return function() return core.connect6('::1', 9) end
end }

functions.select = { selecting(core.select), selecting_foreign(core.select), function(c)
  make.pending_client(c)
  return function() return core.select({ c.object }, { c.object }, 1) end, is 'table'
end }

functions.bind = { function(c)
  c.resolves = true
  return function() return core.bind('127.0.0.1', 0) end, function(server)
    if server then
      hold(server)
    end
  end
end }

functions.choose = { function()
  return function() return core.choose { a = function() return 1 end } 'a' end, equal(1)
end }

for _, name in ipairs { 'sink', 'source' } do
  functions[name] = { function(c)
    make.luasocket_client(c)
    local which = name == 'sink' and 'keep-open' or 'by-length'
    c.peer:send 'x'
    return function() return core[name](which, c.object, 1)('x') end, nil, function()
      c.peer:send 'x'
    end
  end }
end

local function ends_of(list)
  local all = {}
  for name, f in pairs(list) do
    all[name] = { function(c)
      make.luasocket_client(c)
      c.peer:send 'x'
      c.object:settimeout(0)
      return function() return f(c.object, 1)('x') end
    end }
  end
  return all
end


local function looking_up(f, ...)
  local given = { ... }
  return { function(c)
    c.resolves = true
    return function() return f(unpack(given)) end
  end }
end


local dns = {
  gethostname = calling(core.dns.gethostname, is 'string'),
  toip = looking_up(core.dns.toip, 'localhost'),
  tohostname = looking_up(core.dns.tohostname, '127.0.0.1'),
  getaddrinfo = looking_up(core.dns.getaddrinfo, 'localhost'),
  getnameinfo = looking_up(core.dns.getnameinfo, '127.0.0.1', '80'),
}

local unix = {
  stream = making(core.unix.stream),
  dgram = making(core.unix.dgram),
  tcp = making(core.unix.tcp),
  udp = making(core.unix.udp),
  __call = { function()
    return function() return core.unix() end, holds
  end },
}


-- What the Lua half has of C

local function on_object(f, check)
  return { function(c)
    make.native_client(c)
    return function() return f(c.object) end, check
  end }
end


local of_kinds = {
  strerror = calling(kinds.strerror, is 'string', 22),
  is_option = calling(kinds.is_option, equal(true), 'rcvbuf'),
  -- It makes nearly two hundred methods.
  kind = { function(c)
    c.is_long = true
    return function() return kinds.kind(tostring) end, is 'table'
  end },
  native = calling(kinds.native, is 'table', 1),
  limit = calling(kinds.limit, is 'number'),
  numeric = calling(kinds.numeric, equal 'inet', '127.0.0.1'),
  family = on_object(kinds.family),
  hostname = calling(kinds.hostname, is 'string'),
  canonical = looking_up(kinds.canonical, 'localhost'),
  names = looking_up(kinds.names, '127.0.0.1', '80'),
  classify = on_object(function(object) return kinds.classify(object, 2) end),
  class = on_object(kinds.class, equal 'tcp{client}'),
  is_connecting = on_object(kinds.is_connecting, equal(false)),
  take_failure = on_object(kinds.take_failure),
  add_metatable = calling(function() return kinds.add_metatable(kinds.kind(tostring), {}) end),
  open = { function(c)
    local server = {}
    make.luasocket_server(server)
    local _, port = server.object:getsockname()
    c.resolves = true
    return function()
      c.object = hold(core.tcp())
      c.object:settimeout(5)
      return kinds.open(c.object, { host = 'localhost', port = port }, 'localhost', port)
    end
  end, function(c)
    local server = {}
    make.luasocket_server(server)
    local host, port = server.object:getsockname()
    return function()
      c.object = hold(core.tcp())
      return kinds.open(c.object, { host = host, port = port }, host, port)
    end, equal(1)
  end },
  ignore_sigpipe = calling(function() kinds.ignore_sigpipe() return true end),
  setfd = on_object(function(object) return kinds.setfd(object, object:getfd()) end),
  set_metatable = on_object(function(object)
    return kinds.set_metatable(object, getmetatable(object))
  end),
  new = calling(function() return kinds.new(kinds.kind(tostring), 1) end, holds),
  connect_fresh = { function(c)
    local server = {}
    make.luasocket_server(server)
    local host, port = server.object:getsockname()
    return function()
      c.object = hold(core.tcp())
      return kinds.connect_fresh(c.object, host, port)
    end, equal(1)
  end },
  move = { function(c)
    make.native_client(c)
    return function() return kinds.move(c.object, c.peer) end
  end },
}


-- All of them

local tables = {
  sock99 = { sock99, module },
  core = { core, functions },
  dns = { core.dns, dns },
  unix = { core.unix, unix },
  kinds = { kinds, of_kinds },
  sinkt = { core.sinkt, ends_of(core.sinkt) },
  sourcet = { core.sourcet, ends_of(core.sourcet) },
}


local function add_functions(names, prefix, t)
  for name, value in pairs(t) do
    if type(value) == 'function' and type(name) == 'string' then
      names[#names + 1] = prefix .. '.' .. name
    end
  end
end


local function add_metatable(names, prefix, metatable)
  add_functions(names, prefix, metatable)
  add_functions(names, prefix, metatable.__index)
end


local function add_kind(names, kind)
  for _, class in ipairs(CLASSES) do
    local context = {}
    make[kind .. '_' .. class](context)
    add_metatable(names, kind .. '.' .. class, getmetatable(context.object))
  end
end


-- The names of all functions that there are: "sock99.open", "native.client.send".
function calls.names()
  local names = {}
  held, raw = {}, {}
  for prefix, pair in pairs(tables) do
    add_functions(names, prefix, pair[1])
  end
  add_functions(names, 'unix', getmetatable(core.unix))
  add_kind(names, 'native')
  add_kind(names, 'luasocket')
  add_metatable(names, 'fresh.unconnected', getmetatable(hold(core.udp())))
  for _, kind in ipairs { 'pending', 'resolving' } do
    local context = {}
    make[kind .. '_client'](context)
    add_metatable(names, kind .. '.client', getmetatable(context.object))
  end
  add_metatable(names, 'opening', getmetatable(opening_to()))
  close_all()
  table.sort(names)
  return names
end


local function anyhow(kind, name)
  return function(c)
    local method = c.object[name] or getmetatable(c.object)[name]
    local given = arguments[name] or {}
    if given == arguments.bind and c.object:getfamily() == 'unix' then
      given = { '/no such directory/socket' }
    end
    c.resolves, c.may_raise = kind == 'pending' or kind == 'resolving', true
    return function()
      return method(c.object, unpack(given))
    end, function(result)
      if name == 'detach' and result then
        hold_fd(result)
      end
    end, false
  end
end


local function is_for(name, class)
  return only[name] and only[name]:find(' ' .. class .. ' ', 1, true)
end


-- Objects that LuaSocket refuses more to than ours do.
local function is_plain(kind, class, name)
  if kind == 'native' then
    return is_for(name, class)
  elseif kind == 'luasocket' then
    local refused = {
      ['unconnected.send'] = true, ['connected.receivefrom'] = true, ['master.getstats'] = true,
      ['master.setstats'] = true, ['server.shutdown'] = true, ['master.shutdown'] = true,
    }
    return is_for(name, class) and not refused[class .. '.' .. name]
  end
  return false
end


local function of_method(kind, class, name)
  local list = {}
  local all = { name, unpack(also[name] or {}) }
  if not methods[name] then
    return nil
  end
  for _, each in ipairs(all) do
    if is_plain(kind, class, each) then
      for _, scenario in ipairs(methods[each]) do
        list[#list + 1] = scenario
      end
    end
  end
  if not list[1] then
    list[1] = anyhow(kind, name)
  end
  for i, scenario in ipairs(list) do
    list[i] = function(c)
      c.class, c.is_native = class, kind == 'native'
      make[kind .. '_' .. class](c)
      return scenario(c)
    end
  end
  return list
end


-- The scenarios of a function; nil: it has none.
function calls.scenarios(name)
  local first, second, third = name:match '^([^.]+)%.([^.]+)%.?([^.]*)$'
  if first == 'opening' then
    return openings[second]
  elseif tables[first] then
    return tables[first][2][second]
  end
  return of_method(first, second, third)
end


-- Starving

-- A stack that cannot grow is an overflow, to Lua. The iterator of lines raises what
-- other methods return.
local function tells_memory(ok, first, message, code)
  if not ok then
    first = tostring(first):lower()
    return first:find 'not enough memory$' ~= nil or first:find 'stack overflow %(' ~= nil or
      first:find 'cannot allocate memory$' ~= nil
  end
  message = tostring(message):lower()
  return not first and (code == sock99.errno.ENOMEM or code == sock99.errno.EAI_MEMORY or
    message:find 'memory' ~= nil)
end


-- Whether the call did what it had to; raises where it did neither that nor told
-- that there was no memory.
local function judge(c, check, ok, ...)
  if tells_memory(ok, ...) then
    return false
  elseif not ok and (check == nil or c.may_raise) then
    return true
  elseif not ok then
    error(tostring((...)), 0)
  elseif c.resolves and not ... then
    return true
  elseif check then
    check(...)
  end
  return true
end


-- Drops the first of starve's results, whether there was too little.
local function judged(c, check, was_short, ok, ...)
  c.has_ended = c.ends and ok
  return was_short, judge(c, check, ok, ...)
end


-- Once more, with all the memory that it wants.
local function repeat_call(c, scenario, act, check, refill)
  if refill == false or c.has_ended then
    close_all()
    c = {}
    act, check = scenario(c)
  elseif refill then
    refill()
  end
  if not judge(c, check, pcall(act)) then
    error('there is memory again, and it is not taken', 0)
  end
end


-- What nobody holds is closed when it is collected; a thread has files open.
local function await_descriptors(before)
  for i = 1, 1000 do
    if descriptors() == before then
      return
    elseif i > 1 then
      support.sleep(0.001)
    end
    collectgarbage()
  end
  error(('%d descriptors more'):format(descriptors() - before), 0)
end


-- One case; whether there were enough for it.
local function starved(starve, scenario, what, n, once)
  local c = {}
  local act, check, refill = scenario(c)
  local was_short, done = judged(c, check, starve(what, n, once, act))
  if not done then
    repeat_call(c, scenario, act, check, refill)
  end
  close_all()
  return not was_short
end


-- Until there is enough: how many cases that were.
local function starve_all(starve, scenario, what, once, before)
  for n = 0, 100000 do
    local ok, enough = pcall(starved, starve, scenario, what, n, once)
    if not ok then
      error(('%s, %s %d: %s'):format(what, once and 'but for' or 'up to', n, tostring(enough)), 0)
    end
    await_descriptors(before)
    if enough then
      return n
    end
  end
  error('it never has enough', 0)
end


-- The thread of a lookup that was given up has files open for a moment. Where /proc
-- tells, its end is waited for.
local function await_threads()
  for _ = 1, 1000 do
    local status = io.open '/proc/self/status'
    local threads = status and status:read('*a'):match 'Threads:%s+(%d+)'
    if status then
      status:close()
    end
    if threads == nil or threads == '1' then
      return
    end
    support.sleep(0.005)
  end
end


-- What is made once, for the first call: threads, caches. Whether it is a long one.
local function call_first(scenario)
  local c = {}
  local act, check = scenario(c)
  judge(c, check, pcall(act))
  close_all()
  collectgarbage()
  await_threads()
  return c.is_long
end


local function starve_function(starve, what, name)
  local cases = 0
  for i, scenario in ipairs(calls.scenarios(name)) do
    local ok, problem = pcall(function()
      local is_long = call_first(scenario)
      local before = descriptors()
      cases = cases + starve_all(starve, scenario, what, false, before)
      if not is_long then
        cases = cases + starve_all(starve, scenario, what, true, before)
      end
    end)
    if not ok then
      error(('%s, scenario %d: %s'):format(name, i, tostring(problem)), 0)
    end
  end
  return cases
end


-- For test_states: what it runs starves the functions whose names, one a line, it is
-- given, by each of their allocations that fails, and by all that follow failing, too.
-- It returns the number of cases.
function calls.starver(names, what)
  if rawget(_G, 'jit') then
    rawget(_G, 'jit').off()
  end
  return function(starve)
    local cases = 0
    held, raw = {}, {}
    for name in names:gmatch '[^\n]+' do
      cases = cases + starve_function(starve, what, name)
    end
    return cases
  end
end


return calls
