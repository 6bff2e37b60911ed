-- objects: common code of streams and datagrams: their kind of sock99's objects, the
-- creation of descriptors, and addresses.
--
-- A fresh object has no descriptor until bind or connect determines its family. Options
-- set before are kept in a table, as is anything that a second descriptor for the same
-- object needs.

local sock99 = require 'sock99'
local kinds = require 'sock99.kinds'
local errors = require 'sock99.luasocket.errors'

local objects = {}

objects.MASTER, objects.CLIENT, objects.SERVER = 1, 2, 3
objects.CONNECTED, objects.UNCONNECTED = 4, 5

local kind = kinds.kind(errors.message)


local native = kinds.native(objects.MASTER)


-- The fields kept for an object:
--   family   the only one that it may have
--   options  in the form of sock99's sockopts
--   bound    its local address, in the form of sock99's bind
--   foreign  whether its descriptor came from outside
--   failed   whether its descriptor could not be connected
--   failure  the error of that, until it is queried
local kept = setmetatable({}, { __mode = 'k' })


local nothing = {}


function objects.is_plain(object)
  return kept[object] == nil
end


function objects.kept(object)
  return kept[object] or nothing
end


function objects.keep(object, name, value)
  local fields = kept[object]
  if not fields then
    fields = {}
    kept[object] = fields
  end
  fields[name] = value
end


function objects.forget(object)
  kept[object] = nil
end


function objects.new(class)
  return kinds.new(kind, class)
end


-- IPv6 objects are limited to IPv6 unless the program sets the option.
local function options_for(object, family)
  local options = objects.kept(object).options
  if family ~= 'inet6' or (options and options.v6only ~= nil) then
    return options
  end
  local all = { v6only = true }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return all
end


-- Gives the object a new descriptor of this family and closes its old one.
function objects.create(object, family, datagram)
  local made, message, code, stage = sock99.socket {
    family = family,
    connect = false,
    nonblocking = true,
    datagram = datagram,
    sockopts = options_for(object, family),
  }
  if not made then
    return nil, message, code, stage
  end
  kinds.move(object, made)
  return 1
end


-- The limit of a lookup in seconds; nil: none. A timeout of 0 also sets no limit, since
-- otherwise no lookup could ever succeed.
local function lookup_limit(object)
  local each, whole = native.gettimeout(object)
  if each < 0 or (whole >= 0 and whole < each) then
    each = whole
  end
  return each > 0 and each < math.huge and each or nil
end


-- Resolves host and port to a list of { host=, port=, family= } with numeric hosts.
function objects.addresses(object, host, port)
  local only = objects.kept(object).family
  if host == '*' then
    host = only == 'inet6' and '::' or '0.0.0.0'
  end
  local family = kinds.numeric(host)
  if family and only and family ~= only then
    return errors.wrong_family()
  elseif host == '' then
    return errors.no_host()
  end
  if family and type(port) == 'number' then
    return { { host = host, port = port, family = family } }
  end
  return sock99.resolve {
    host = host,
    port = port,
    family = only,
    datagram = kinds.class(object):sub(1, 3) == 'udp',
    timeout = lookup_limit(object),
  }
end


function objects.is_connected(object)
  return (native.getpeername(object)) ~= nil
end


-- A method written in C, with LuaSocket's messages.
function objects.method(class, name)
  return kind[class].__index[name]
end


-- Restricts a method to objects that have this class when it is called; for others it
-- raises LuaSocket's error.
function objects.only(expected, name, method)
  return function(object, ...)
    if kinds.class(object) ~= expected then
      error(("calling '%s' on bad self (%s expected)"):format(name, expected), 2)
    end
    return method(object, ...)
  end
end


-- All these classes get the same methods, since a program may get a method from an object
-- and call it when the object's class has changed.
function objects.add(classes, methods)
  for _, class in ipairs(classes) do
    for name, method in pairs(methods) do
      kind[class].__index[name] = method
    end
  end
end


-- Returns a metatable of the same kind, with `methods` in place of the class's own.
function objects.derive(class, methods)
  local metatable, all = {}, {}
  for key, value in pairs(kind[class]) do
    metatable[key] = value
  end
  for name, method in pairs(metatable.__index) do
    all[name] = methods[name] or method
  end
  metatable.__index = all
  kinds.add_metatable(kind, metatable)
  return metatable
end


function objects.getfamily(object)
  local family = native.getfamily(object)
  if family then
    return family
  end
  return objects.kept(object).family == 'inet6' and 'inet6' or 'inet4'
end


return objects
