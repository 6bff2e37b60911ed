-- datagrams: creates udp and Unix datagram objects, and sets their address and peer.
-- Their other methods are in C.

local kinds = require 'sock99.kinds'
local arguments = require 'sock99.luasocket.arguments'
local errors = require 'sock99.luasocket.errors'
local objects = require 'sock99.luasocket.objects'

--- @module sock99.luasocket

local datagrams = {}

local native = kinds.native(objects.UNCONNECTED)
local only = objects.only

-- Calls method(object, host, port) for one address.
local function try_address(object, method, address)
  if native.getfd(object) < 0 then
    local ok, message, code, stage = objects.create(object, address.family, true)
    if not ok then
      return nil, message, code, stage
    end
  elseif kinds.family(object) ~= address.family then
    return errors.wrong_family()
  end
  return method(object, address.host, address.port)
end


-- The same for each address until one succeeds.
local function try_addresses(object, method, host, port)
  local list, message, code, stage = objects.addresses(object, host, port)
  for _, address in ipairs(list or {}) do
    local ok
    ok, message, code, stage = try_address(object, method, address)
    if ok then
      return ok
    end
  end
  return errors.results(nil, message, code, stage)
end


local function with_unix(object, method, path)
  if native.getfd(object) < 0 then
    local ok, message, code, stage = objects.create(object, 'unix', true)
    if not ok then
      return errors.results(nil, message, code, stage)
    end
  end
  return errors.results(method(object, path))
end


--- A datagram socket.
-- @type udp

--- Bind the object to a local address; a Unix object takes only a path.
-- @function setsockname
-- @string host "*" means all addresses
-- @tparam[opt] integer|string port 0 means any free port
-- @treturn[1] integer 1
-- @treturn[2] nil
-- @treturn[2] string the error

--- Alias of `setsockname`.
-- @function bind
-- @string host
-- @tparam[opt] integer|string port
-- @treturn[1] integer 1
-- @treturn[2] nil
-- @treturn[2] string the error
local function setsockname(object, host, port)
  if kinds.family(object) == 'unix' then
    return with_unix(object, native.setsockname, host)
  end
  host = arguments.string(host, 1, 'setsockname')
  port = arguments.port(port, 2, 'setsockname')
  if not port then
    return errors.results(errors.no_service())
  end
  return try_addresses(object, native.setsockname, host, port)
end


local function forget_peer(object)
  if native.getfd(object) < 0 then
    return 1
  end
  return errors.results(native.setpeername(object, '*'))
end


--- Connect the object, or disconnect it with `"*"`. A Unix object takes only a path.
-- @function setpeername
-- @string host
-- @tparam[opt] integer|string port
-- @treturn[1] integer 1
-- @treturn[2] nil
-- @treturn[2] string the error

--- Alias of `setpeername`.
-- @function connect
-- @string host
-- @tparam[opt] integer|string port
-- @treturn[1] integer 1
-- @treturn[2] nil
-- @treturn[2] string the error
local function setpeername(object, host, port)
  if kinds.family(object) == 'unix' then
    return with_unix(object, native.setpeername, host)
  end
  host = arguments.string(host, 1, 'setpeername')
  if host == '*' then
    return forget_peer(object)
  end
  port = arguments.port(port, 2, 'setpeername')
  if not port then
    return errors.results(errors.no_service())
  end
  return try_addresses(object, native.setpeername, host, port)
end


--- Send a datagram to an address; the first one determines the object's family. A Unix
-- object takes only a path.
-- @function sendto
-- @string data
-- @string host
-- @tparam[opt] integer|string port
-- @treturn[1] integer the number of bytes
-- @treturn[2] nil
-- @treturn[2] string the error

local sendto = objects.method(objects.UNCONNECTED, 'sendto')

local function sendto_first(object, data, host, port)
  if native.getfd(object) >= 0 then
    return sendto(object, data, host, port)
  end
  data = arguments.string(data, 1, 'sendto')
  host = arguments.string(host, 2, 'sendto')
  port = arguments.port(port, 3, 'sendto')
  if not port then
    return errors.results(errors.no_service())
  end
  return try_addresses(object, function(_, address, number)
    return native.sendto(object, data, address, number)
  end, host, port)
end


--- The family of the object.
-- @function getfamily
-- @treturn 'inet4'|'inet6'|'unix'

--- Set an option by LuaSocket's name or any of sock99's.
-- @function setoption
-- @string name
-- @tparam[opt] any value a boolean, a number, an address, or LuaSocket's table:
-- `{ multiaddr =, interface = }` for a membership
-- @treturn[1] integer 1
-- @treturn[2] nil
-- @treturn[2] string the error
-- @raise for a name unknown to objects of this type, or a value of the wrong type

--- Get an option.
-- @function getoption
-- @string name
-- @treturn[1] any the value; nil for "error" if there is none
-- @treturn[2] nil
-- @treturn[2] string the error

local function set_option(object, name, value)
  return require 'sock99.luasocket.options'.set(object, name, value)
end


local function get_option(object, name)
  return require 'sock99.luasocket.options'.get(object, name)
end


objects.add({ objects.CONNECTED, objects.UNCONNECTED }, {
  setsockname = only('udp{unconnected}', 'setsockname', setsockname),
  bind = only('udp{unconnected}', 'bind', setsockname),
  setpeername = setpeername,
  connect = setpeername,
  getpeername = only('udp{connected}', 'getpeername',
    objects.method(objects.CONNECTED, 'getpeername')),
  getfamily = objects.getfamily,
  setoption = set_option,
  getoption = get_option,
})

-- The metatable of a fresh object until it has a descriptor.
local fresh = objects.derive(objects.UNCONNECTED, {
  sendto = only('udp{unconnected}', 'sendto', sendto_first),
})


-- Creates an object; with a descriptor if `family` is given, which is then the only one.
function datagrams.new(family)
  local object = objects.new(objects.UNCONNECTED)
  if family == nil then
    kinds.set_metatable(object, fresh)
    return object
  end
  if family ~= 'unix' then
    objects.keep(object, 'family', family)
  end
  local ok, message, code, stage = objects.create(object, family, true)
  return errors.results(ok and object, message, code, stage)
end


return datagrams
