-- shared.lua: what the scenarios share: the list of them, the checks, and sockets
-- that others talk to.

local sock99 = require 'sock99'

local scenarios = {}

-- Seconds that pass only where something is waited for in vain (run.lua notices).
local deadline = 20


local function add(scenario)
  scenarios[#scenarios + 1] = scenario
end


local function expect(what, message)
  if not what then
    error(message or 'the work is not done', 2)
  end
end


local function equal(got, wanted, what)
  if got ~= wanted then
    error(('%s: expected %q, got %q'):format(what or 'result', tostring(wanted):sub(1, 60),
                                             tostring(got):sub(1, 60)), 2)
  end
end


local function have_ipv6()
  local socket = sock99.socket { server = true, host = '::1' }
  if not socket then
    return 'there is no ::1'
  end
  socket:close()
end


local function object_of(fd)
  return type(fd) == 'number' and assert(sock99.wrap(fd)) or fd
end


local function always(value)
  return function()
    return value
  end
end


local function with_rules(first, second)
  local all = {}
  for _, list in ipairs { first, second } do
    for _, rule in ipairs(list) do
      all[#all + 1] = rule
    end
  end
  return all
end


-- A listener on 127.0.0.1, its port in s.port.
local function listen(s, t)
  t = t or { host = '127.0.0.1' }
  t.server = true
  s.listener = s:keep(assert(sock99.socket(t)))
  s.path = t.path
  if not t.path then
    s.port = select(2, assert(s.listener:getsockname()))
  end
end


local function listen_everywhere(s)
  listen(s, {})
end


local function listen_there(s)
  listen(s, { path = s.dir .. '/s' })
end


-- A line each way, in whole.
local function talk(a, b)
  a:settimeout(deadline)
  b:settimeout(deadline)
  equal(a:send 'there\n', 6, 'bytes sent')
  equal(b:receive(), 'there', 'what came')
  equal(b:send 'and back\n', 9, 'bytes sent')
  equal(a:receive(), 'and back', 'what came')
end


-- The client must be connected to the listener, before which an attempt that was
-- given up may stand in the queue.
-- Whether the accepted object is the client's: attempts that were given up, and objects
-- whose connect failed while they were being connected, may be in the queue before it.
local function is_of(client, peer)
  local host, port = client:getsockname()
  if not port then
    return true
  end
  local _, from = peer:getpeername()
  return host ~= nil and from == port
end


local function meets(s, client)
  s.listener:settimeout(deadline)
  equal(client:send 'who?\n', 5, 'bytes sent')
  repeat
    local peer = s:keep(assert(s.listener:accept()))
    peer:settimeout(deadline)
    if is_of(client, peer) then
      local line, message = peer:receive()
      if line then
        equal(line, 'who?', 'what came')
        return talk(client, peer)
      end
      equal(message, 'closed', 'of an attempt that was given up')
    end
  until false
end


local function listens(s, server)
  local host, port = assert(server:getsockname())
  if host == '::' or host == '0.0.0.0' then
    host = '127.0.0.1'
  end
  s.listener = server
  meets(s, s:keep(assert(sock99.socket { host = host, port = port })))
end


local function connection(s, fields)
  listen(s, fields)
  s.a = s:keep(assert(sock99.socket { host = '127.0.0.1', port = s.port, path = s.path }))
  s.listener:settimeout(deadline)
  s.b = s:keep(assert(s.listener:accept()))
  s.a:settimeout(deadline)
  s.b:settimeout(deadline)
end


local function pair(s, fields)
  s.a, s.b = assert(sock99.pair(fields))
  s:keep(s.a)
  s:keep(s.b)
  s.a:settimeout(deadline)
  s.b:settimeout(deadline)
end


local function ways(add_one)
  add_one(' over tcp', connection)
  add_one(' over unix', pair)
end


local function simple(name, act, check, more)
  local scenario = more or {}
  scenario.name, scenario.kind, scenario.act = name, 'method', act
  scenario.setup = scenario.setup or connection
  scenario.check = function(s, ...)
    expect((...), 'nothing was told')
    check(s, ...)
  end
  add(scenario)
end


local text = {}
-- One byte of it in a message of its own must fit a Unix socket's queue.
for i = 1, 12 do
  text[i] = ('line %d, %s'):format(i, ('-'):rep(i))
end
text = table.concat(text, '\n') .. '\n'


return {
  list = scenarios,
  deadline = deadline,
  add = add,
  expect = expect,
  equal = equal,
  have_ipv6 = have_ipv6,
  listen = listen,
  listen_everywhere = listen_everywhere,
  listen_there = listen_there,
  talk = talk,
  meets = meets,
  object_of = object_of,
  always = always,
  listens = listens,
  with_rules = with_rules,
  connection = connection,
  pair = pair,
  simple = simple,
  ways = ways,
  text = text,
}
