--- LuaSocket's core over sock99's objects: what `require 'socket.core'` returns.
--
-- Functions and methods have LuaSocket's names, arguments and results; those that
-- fail return nil and LuaSocket's words for it. What is different is
-- [in the guide](README.md#on-sock99-in-one-line). Objects have the methods of
-- @{sock99|sock99's} streams and datagrams, too; told here are those that work in
-- another way. A method that is not one of the object's class (`send` of a
-- "tcp{master}") raises an error.
-- @module sock99.luasocket
-- @usage
-- require 'sock99.luasocket'.install()
-- local http = require 'socket.http'

-- The parts are in luasocket/: streams.lua and datagrams.lua make the objects. They are
-- loaded when they are first used: to read all of them would be most of what it takes to
-- load LuaSocket.

local sock99 = require 'sock99'
local kinds = require 'sock99.kinds'
local try = require 'sock99.luasocket.try'

local streams, datagrams


local function new_stream(family)
  streams = streams or require 'sock99.luasocket.streams'
  return streams.new(family)
end


local function new_datagram(family)
  datagrams = datagrams or require 'sock99.luasocket.datagrams'
  return datagrams.new(family)
end


local function connect(...)
  return require 'sock99.luasocket.streams'.connect(...)
end


local dns = {}

for _, name in ipairs { 'gethostname', 'toip', 'tohostname', 'getaddrinfo', 'getnameinfo' } do
  dns[name] = function(...)
    return require 'sock99.luasocket.dns'[name](...)
  end
end

--- The version of LuaSocket that this core stands for: "LuaSocket 3.0.0".
-- @tfield string _VERSION

--- What LuaSocket's datagrams are cut at by default: 8192. Ours are whole.
-- @tfield integer _DATAGRAMSIZE

--- How many descriptors the process may have, all of which `select` takes.
-- @tfield integer _SETSIZE

--- What `getfd` tells of an object without a descriptor: -1.
-- @tfield integer _SOCKETINVALID

--- Wait until some of many can be read or written without waiting.
-- @function select
-- @tparam ?table r objects to read from
-- @tparam ?table w objects to write to; one whose `connect` came to no end is ready
-- when it has
-- @tparam ?number timeout in seconds; nil or less than 0: none
-- @treturn table those of `r` that are ready, as a list and as keys
-- @treturn table the same of `w`
-- @treturn ?string "timeout" where nothing is

--- Seconds since the Epoch, with a fraction.
-- @function gettime
-- @treturn number

--- Wait.
-- @function sleep
-- @number seconds

-- Programs put functions of their own into this table. What is in it is for them
-- alone: nothing here calls through it.
local core = {
  _VERSION = 'LuaSocket 3.0.0',
  _DATAGRAMSIZE = 8192,
  _SETSIZE = kinds.limit(),
  _SOCKETINVALID = -1,
  connect = connect,
  dns = dns,
  gettime = sock99.gettime,
  newtry = try.newtry,
  protect = try.protect,
  select = sock99.select,
  skip = try.skip,
  sleep = sock99.sleep,
}


function core.__unload() end


--- A stream object of either family; it gets its descriptor from `bind` or `connect`.
-- @function tcp
-- @treturn tcp
function core.tcp()
  return new_stream()
end


--- A stream object for IPv4 alone.
-- @function tcp4
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string why
function core.tcp4()
  return new_stream 'inet'
end


--- A stream object for IPv6 alone.
-- @function tcp6
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string why
function core.tcp6()
  return new_stream 'inet6'
end


--- A datagram object of either family; it gets its descriptor from its first use.
-- @function udp
-- @treturn udp
function core.udp()
  return new_datagram()
end


--- A datagram object for IPv4 alone.
-- @function udp4
-- @treturn[1] udp
-- @treturn[2] nil
-- @treturn[2] string why
function core.udp4()
  return new_datagram 'inet'
end


--- A datagram object for IPv6 alone.
-- @function udp6
-- @treturn[1] udp
-- @treturn[2] nil
-- @treturn[2] string why
function core.udp6()
  return new_datagram 'inet6'
end


-- What `require 'socket.unix'` returns.
local unix = {}


--- Objects for Unix domain sockets; a call is `unix.stream`.
-- @table unix

--- A stream object for Unix paths and abstract names. `unix()` is the same.
-- @function unix.stream
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string why
function unix.stream()
  return new_stream 'unix'
end


--- A datagram object for Unix paths and abstract names.
-- @function unix.dgram
-- @treturn[1] udp
-- @treturn[2] nil
-- @treturn[2] string why
function unix.dgram()
  return new_datagram 'unix'
end


--- Another name of `unix.stream`.
-- @function unix.tcp
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string why
unix.tcp = unix.stream

--- Another name of `unix.dgram`.
-- @function unix.udp
-- @treturn[1] udp
-- @treturn[2] nil
-- @treturn[2] string why
unix.udp = unix.dgram

core.unix = setmetatable(unix, { __call = unix.stream })


-- Finds `socket` where nothing else does.
local function search(name)
  return name == 'socket' and function()
    return require 'sock99.luasocket.half'
  end or nil
end


local function is_last_searcher(searchers)
  return searchers[#searchers] == search
end


local installed = { ['socket'] = core, ['socket.core'] = core, ['socket.unix'] = unix }


--- Put this core in the place of LuaSocket's own, for the whole program.
--
-- It has to come before LuaSocket is loaded. LuaSocket's Lua files then run over
-- this core; where they are not installed, `require 'socket'` finds what
-- socket.lua would have added.
--
-- As LuaSocket does, it ignores SIGPIPE in the process, where the signal has its default:
-- LuaSec and others write to a socket whose peer has gone, and rely on it.
-- @function install
-- @tparam[opt] table t `sigpipe = false` leaves the signal as it is
-- @treturn luasocket this core
-- @raise where LuaSocket's core is loaded already
-- @usage
-- require 'sock99.luasocket'.install()
-- print(require 'socket'._VERSION)
function core.install(t)
  if t ~= nil and type(t) ~= 'table' then
    error(("bad argument #1 to 'install' (table expected, got %s)"):format(type(t)), 2)
  end
  for key, value in pairs(t or {}) do
    if key ~= 'sigpipe' then
      error(("bad argument #1 to 'install' (unknown field '%s')"):format(tostring(key)), 2)
    elseif type(value) ~= 'boolean' then
      error(("bad argument #1 to 'install' (field 'sigpipe': boolean expected, got %s)")
        :format(type(value)), 2)
    end
  end
  for name, ours in pairs(installed) do
    local loaded = package.loaded[name]
    if loaded ~= nil and loaded ~= ours then
      error(("'%s' is loaded already: call install() before anything requires it"):format(name), 2)
    end
  end
  if not t or t.sigpipe ~= false then
    kinds.ignore_sigpipe()
  end
  package.loaded['socket.core'] = core
  package.loaded['socket.unix'] = unix
  local searchers = package.searchers or package.loaders
  if not is_last_searcher(searchers) then
    searchers[#searchers + 1] = search
  end
  return core
end


return core
