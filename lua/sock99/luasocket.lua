--- LuaSocket's core over sock99's objects: what `require 'socket.core'` returns.
--
-- Functions and methods have LuaSocket's names, arguments and results; those that
-- fail return nil and LuaSocket's message. The differences are listed
-- [in the guide](README.md#on-sock99-in-one-line). Objects also have the methods of
-- @{sock99|sock99's} streams and datagrams; this page describes those that behave
-- differently. Calling a method that does not suit the object's class (`send` of a
-- "tcp{master}") raises an error.
-- @module sock99.luasocket
-- @usage
-- require 'sock99.luasocket'.install()
-- local http = require 'socket.http'

-- The parts are in luasocket/: streams.lua and datagrams.lua make the objects. Each part
-- is loaded at its first use, since loading all of them would take most of the time of
-- loading LuaSocket.

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

--- The version of LuaSocket that this core replaces: "LuaSocket 3.0.0".
-- @tfield string _VERSION

--- The default size to which LuaSocket truncates datagrams: 8192. This core returns whole
-- datagrams.
-- @tfield integer _DATAGRAMSIZE

--- The number of descriptors that the process may have open; `select` accepts all of them.
-- @tfield integer _SETSIZE

--- The result of `getfd` for an object without a descriptor: -1.
-- @tfield integer _SOCKETINVALID

--- Wait until any of the given objects is ready for reading or writing.
-- @function select
-- @tparam ?table r objects to read from
-- @tparam ?table w objects to write to; one with a `connect` in progress is ready when
-- that has succeeded or failed
-- @tparam ?number timeout in seconds; nil or negative: no limit
-- @treturn table the ready ones of `r`, as a list and as keys
-- @treturn table the ready ones of `w`
-- @treturn ?string "timeout" if none is ready

--- Seconds since the Epoch, with a fraction.
-- @function gettime
-- @treturn number

--- Wait for some time.
-- @function sleep
-- @number seconds

-- Programs add and replace functions in this table, so nothing here calls through it.
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


--- Create a stream object for either family; `bind` or `connect` creates its descriptor.
-- @function tcp
-- @treturn tcp
function core.tcp()
  return new_stream()
end


--- Create a stream object for IPv4 only.
-- @function tcp4
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string the error
function core.tcp4()
  return new_stream 'inet'
end


--- Create a stream object for IPv6 only.
-- @function tcp6
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string the error
function core.tcp6()
  return new_stream 'inet6'
end


--- Create a datagram object for either family; its first use creates its descriptor.
-- @function udp
-- @treturn udp
function core.udp()
  return new_datagram()
end


--- Create a datagram object for IPv4 only.
-- @function udp4
-- @treturn[1] udp
-- @treturn[2] nil
-- @treturn[2] string the error
function core.udp4()
  return new_datagram 'inet'
end


--- Create a datagram object for IPv6 only.
-- @function udp6
-- @treturn[1] udp
-- @treturn[2] nil
-- @treturn[2] string the error
function core.udp6()
  return new_datagram 'inet6'
end


-- The result of `require 'socket.unix'`.
local unix = {}


--- Objects for Unix domain sockets; calling the table calls `unix.stream`.
-- @table unix

--- Create a stream object for Unix paths and abstract names. `unix()` does the same.
-- @function unix.stream
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string the error
function unix.stream()
  return new_stream 'unix'
end


--- Create a datagram object for Unix paths and abstract names.
-- @function unix.dgram
-- @treturn[1] udp
-- @treturn[2] nil
-- @treturn[2] string the error
function unix.dgram()
  return new_datagram 'unix'
end


--- Alias of `unix.stream`.
-- @function unix.tcp
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string the error
unix.tcp = unix.stream

--- Alias of `unix.dgram`.
-- @function unix.udp
-- @treturn[1] udp
-- @treturn[2] nil
-- @treturn[2] string the error
unix.udp = unix.dgram

core.unix = setmetatable(unix, { __call = unix.stream })


-- The last searcher: finds `socket` if no other does.
local function search(name)
  return name == 'socket' and function()
    return require 'sock99.luasocket.half'
  end or nil
end


local function is_last_searcher(searchers)
  return searchers[#searchers] == search
end


local installed = { ['socket'] = core, ['socket.core'] = core, ['socket.unix'] = unix }


--- Replace LuaSocket's core by this one, for the whole program.
--
-- Call it before LuaSocket is loaded. LuaSocket's Lua files then run over this core; if
-- they are not installed, `require 'socket'` also provides the functions that socket.lua
-- would have added.
--
-- Like LuaSocket, it ignores SIGPIPE in the process if the signal has its default action:
-- LuaSec and others rely on this when they write to a socket whose peer has gone.
-- @function install
-- @tparam[opt] table t `sigpipe = false` leaves the signal unchanged
-- @treturn luasocket this core
-- @raise if LuaSocket's core is already loaded
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
