--- LuaSocket's core over sock99's objects: what `require 'socket.core'` returns.
--
-- The parts are in luasocket/: streams.lua and datagrams.lua make the objects.
-- @module sock99.luasocket
-- @usage
-- require 'sock99.luasocket'.install()
-- local http = require 'socket.http'

local sock99 = require 'sock99'
local kinds = require 'sock99.kinds'
local datagrams = require 'sock99.luasocket.datagrams'
local dns = require 'sock99.luasocket.dns'
local pending = require 'sock99.luasocket.pending'
local streams = require 'sock99.luasocket.streams'
local try = require 'sock99.luasocket.try'

-- Programs put functions of their own into this table. What is in it is for them
-- alone: nothing here calls through it.
local core = {
  _VERSION = 'LuaSocket 3.0.0',
  _DATAGRAMSIZE = 8192,
  _SETSIZE = kinds.limit(),
  _SOCKETINVALID = -1,
  connect = streams.connect,
  dns = dns,
  gettime = sock99.gettime,
  newtry = try.newtry,
  protect = try.protect,
  select = pending.select,
  skip = try.skip,
  sleep = sock99.sleep,
}


function core.__unload() end


function core.tcp()
  return streams.new()
end


function core.tcp4()
  return streams.new 'inet'
end


function core.tcp6()
  return streams.new 'inet6'
end


function core.udp()
  return datagrams.new()
end


function core.udp4()
  return datagrams.new 'inet'
end


function core.udp6()
  return datagrams.new 'inet6'
end


-- What `require 'socket.unix'` returns.
local unix = {}


function unix.stream()
  return streams.new 'unix'
end


function unix.dgram()
  return datagrams.new 'unix'
end


unix.tcp = unix.stream
unix.udp = unix.dgram

core.unix = setmetatable(unix, { __call = unix.stream })


-- Finds `socket` where nothing else does.
local function search(name)
  if name ~= 'socket' then
    return "\n\tsock99.luasocket has no '" .. name .. "'"
  end
  return function()
    return require 'sock99.luasocket.half'
  end
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
-- @function install
-- @treturn table this core
-- @raise where LuaSocket's core is loaded already
function core.install()
  for name, ours in pairs(installed) do
    local loaded = package.loaded[name]
    if loaded ~= nil and loaded ~= ours then
      error(("'%s' is loaded already: call install() before anything requires it"):format(name), 2)
    end
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
