-- Tables by chance, with a fixed seed: whatever is in them, an opening gives a
-- descriptor, or tells what is wrong, and never loses a descriptor.
--
-- Nothing leaves this machine: hosts are of loopback or no addresses at all,
-- no name needs a resolver, paths are in a directory of the test's own.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

TestFuzz = support.suite()

local ROUNDS = support.runner and 2000 or 20000


-- Chance: the same everywhere (Park and Miller's minimal standard generator).
local state = 20120712

local function chance(n)
  state = state * 16807 % 2147483647
  return state % n
end


local function pick(list)
  return list[chance(#list) + 1]
end


-- Values

local directory

local numbers = {
  0, 1, -1, 2, 80, 255, 256, 511, 512, 1023, 40000, 65535, 65536, 70000, 2 ^ 31 - 1, 2 ^ 31,
  -2 ^ 31, 2 ^ 32, 2 ^ 32 + 80, 2 ^ 53, 2 ^ 63, -2 ^ 63, 1e300, -1e300, 0.5, 80.5, 1e-300,
  math.huge, -math.huge, 0 / 0, -0.0,
}

local texts = {
  '', 'x', '\0', 'a\0b', '0', '80', '0x50', ' 80 ', '80.5', '-1', '1e3', 'nan', 'inf',
  '99999999999', 'inet', 'inet6', 'unix', '0600', '777', '99', '%s%n%d', '\255\254',
  ('x'):rep(107), ('x'):rep(108), ('x'):rep(109), ('x'):rep(5000), ('7'):rep(400), ('\0'):rep(200),
}

local others = {
  true, false, print, function() end, coroutine.create(function() end), io.stdout, {}, { 1, 2, 3 },
  { host = '127.0.0.1' }, setmetatable({}, { __index = { host = 5 } }),
}


local function anything()
  local kind = chance(3)
  return pick(kind == 0 and numbers or kind == 1 and texts or others)
end


local hosts = {
  '127.0.0.1', '::1', 'localhost', '127.0.0.2', '::ffff:127.0.0.1', '127.1', '::1%lo', '::1%1',
  'fe80::1%nosuch', '::1%', '', 'local\0host', '0.0.0.0', '::', '127.255.255.255',
}


local function path()
  local kind = chance(6)
  local name = ('x'):rep(chance(120)) .. chance(10)
  if kind == 0 then
    return '\0' .. directory .. name
  elseif kind == 1 then
    return directory .. '/nowhere/' .. name
  elseif kind == 2 then
    return directory .. '/a\0' .. name
  end
  return directory .. '/' .. name
end


local function port()
  return pick { 0, 1, 80, 40000, 65535, 65536, -1, '80', '0', 'http', 'nosuchservice', 2 ^ 40 }
end


local function option()
  return pick {
    { support.SOL_SOCKET, support.SO_KEEPALIVE, 1 }, { support.SOL_SOCKET, 9999, 1 },
    { support.SOL_SOCKET, support.SO_KEEPALIVE, ('\1'):rep(chance(40)) }, { 9999, 1, 1 },
    { support.SOL_SOCKET, 9999, ('x'):rep(chance(3000)) }, { 1, 2 }, {}, { 1, 2, 3, 4 },
    { anything(), 9999, 1 }, { support.SOL_SOCKET, anything(), 'x' }, { 9999, 1, anything() },
    anything(),
  }
end


local option_names = {
  'reuseaddr', 'SO_KEEPALIVE', 'rcvbuf', 'sndbuf', 'linger', 'nodelay', 'tos', 'ttl', 'broadcast',
  'v6only', 'bindtodevice', 'add_membership', 'rcvtimeo', 'reuse-port', 'keepidle', 'congestion',
  'multicast_if', 'passcred', '', 'no such', 'so_', 'ipv6_', 'reuse\0addr',
}


local function sockopts()
  local t = {}
  for i = 1, chance(4) do
    t[i] = option()
  end
  for _ = 1, chance(4) do
    local value = anything()
    -- Only what is lasting can be a time to wait.
    if chance(3) > 0 then
      value = pick { true, false, 1, 65536, 'lo', { group = '239.0.0.1', interface = 'lo' } }
    end
    t[pick(option_names)] = value
  end
  return t
end


local function own_address()
  local t = {}
  if chance(2) == 0 then
    t.host = pick(hosts)
  end
  if chance(3) == 0 then
    t.port = port()
  end
  if chance(3) == 0 then
    t.path = path()
  end
  return t
end


local function flag()
  return chance(2) == 0
end


-- A field, in one table of how many, and with what.
local fields = {
  { 'host', 9, function() return pick(hosts) end },
  { 'port', 9, port },
  { 'path', 19, path },
  { 'ipv4', 19, function() return pick(chance(2) == 0 and hosts or texts) end },
  { 'ipv6', 19, function() return pick(chance(2) == 0 and hosts or texts) end },
  { 'family', 12, function() return pick { 'inet', 'inet6', 'unix', 'inet4' } end },
  { 'server', 2, flag }, { 'datagram', 3, flag }, { 'seqpacket', 19, flag },
  { 'nonblocking', 4, flag }, { 'connect', 5, flag }, { 'cloexec', 6, flag },
  { 'unlink', 19, flag },
  { 'backlog', 19, function() return pick(numbers) end },
  { 'mode', 19, function() return pick { '0600', '666', 384, 660, '', '8', 0 } end },
  { 'bind', 9, own_address },
  { 'sockopts', 4, sockopts },
}

local addresses = {
  function(t) t.host, t.port = pick(hosts), port() end,
  function(t) t.host, t.port = pick(hosts), port() end,
  function(t) t.path = path() end,
  function() end,
}


-- One value in a hundred has nothing to do with its field.
local function fill(t)
  pick(addresses)(t)
  for _, field in ipairs(fields) do
    if chance(field[2]) == 0 then
      t[field[1]] = field[3]()
    end
    if chance(100) == 0 and field[1] ~= 'host' and field[1] ~= 'path' then
      t[field[1]] = anything()
    end
  end
  if chance(40) == 0 then
    t[pick { 'hots', 'nonblock', 1, true, 'x\0y', ('k'):rep(300), 'timeot', 'reuseaddr' }] = 1
  end
  return t
end


-- Metamethods that raise, change the table, or make garbage, in mid-walk.
local function bewitch(t)
  local kind, calls, last = chance(5), 0, chance(20)
  if kind == 0 then
    return setmetatable(t, { __index = fill {} })
  end
  return setmetatable(t, {
    __index = function(_, key)
      calls = calls + 1
      if kind == 1 and calls == last then
        error 'the metamethod raised'
      elseif kind == 2 then
        collectgarbage 'step'
        return key == 'host' and '127.0.0.' .. calls or nil
      elseif kind == 3 then
        for name in pairs(t) do
          t[name] = nil
        end
        collectgarbage()
      end
      return nil
    end,
    __len = function() error 'the metamethod raised' end,
    __pairs = function() error 'the metamethod raised' end,
    __tostring = function() error 'the metamethod raised' end,
    __metatable = 'none of yours',
  })
end


-- What may come out

local stages = {
  getaddrinfo = true, socket = true, setsockopt = true, bind = true, listen = true, connect = true,
  fcntl = true, configuration = true,
}

local blames = { 'unknown field', "field '", "option '", "an option's ", 'unknown option',
                 'table expected', 'the metamethod raised' }

local function check_raised(problem)
  lu.assertIsString(problem)
  for _, text in ipairs(blames) do
    if problem:find(text, 1, true) then
      return 'raised'
    end
  end
  lu.fail('raised: ' .. problem)
end


local function check(ok, fd, message, code, stage)
  if not ok then
    return check_raised(fd)
  elseif fd then
    lu.assertTrue(fd > 2 and fd % 1 == 0)
    lu.assertTrue(sock99.close(fd))
    return 'opened'
  end
  lu.assertTrue(#message > 0 and #message < 500, message)
  lu.assertTrue(type(code) == 'number' and code % 1 == 0 and code ~= 0, message)
  lu.assertTrue(stages[stage], message)
  lu.assertEquals(message:sub(1, #stage), stage)
  return stage
end


local function play(rounds)
  local seen = {}
  local before = support.descriptor_count()
  for _ = 1, rounds do
    local t = fill {}
    if chance(4) == 0 then
      t = bewitch(t)
    end
    local what = check(pcall(sock99.open, t))
    seen[what] = (seen[what] or 0) + 1
  end
  lu.assertEquals(support.descriptor_count(), before)
  return seen
end


function TestFuzz:test_tables_by_chance()
  directory = support.path ''
  directory = directory:sub(1, -2)
  support.in_child(function()
    -- Where it can be had, a network where no port is anybody's.
    if support.unshare_network() then
      support.interface_up 'lo'
    end
    local seen = play(ROUNDS)
    -- Else chance had nothing to do with sock99.
    for what in pairs { opened = 1, raised = 1, configuration = 1, bind = 1, connect = 1,
                        setsockopt = 1 } do
      lu.assertTrue((seen[what] or 0) > 0, what)
    end
  end)
end


function TestFuzz:test_what_is_no_table()
  for _ = 1, 200 do
    local value = anything()
    if type(value) ~= 'table' then
      local ok, problem = pcall(sock99.open, value)
      lu.assertFalse(ok)
      lu.assertStrContains(problem, 'table expected')
    end
  end
end


support.run()
