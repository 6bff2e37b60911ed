-- objects: what streams and datagrams share: their kind of sock99's objects, how
-- an object gets its descriptor, and addresses.
--
-- A fresh object has no descriptor until bind or connect says of which family it
-- has to be. What it was told until then is kept beside it, as is what a second
-- descriptor for the same object needs.

local sock99 = require 'sock99'
local kinds = require 'sock99.kinds'
local errors = require 'sock99.luasocket.errors'

local objects = {}

objects.MASTER, objects.CLIENT, objects.SERVER = 1, 2, 3
objects.CONNECTED, objects.UNCONNECTED = 4, 5

local kind = kinds.kind(errors.words)


local native = kinds.native(objects.MASTER)


-- What is kept for an object:
--   family   the only one that it may have
--   options  as sock99's sockopts
--   bound    its own address, as sock99's bind
--   foreign  its descriptor came from outside
--   failed   its descriptor could not be connected
--   failure  why not, until somebody asks
local kept = setmetatable({}, { __mode = 'k' })


local nothing = {}


function objects.is_plain(object)
  return kept[object] == nil
end


function objects.kept(object)
  return kept[object] or nothing
end


function objects.keep(object, name, value)
  local of = kept[object]
  if not of then
    of = {}
    kept[object] = of
  end
  of[name] = value
end


function objects.forget(object)
  kept[object] = nil
end


function objects.new(class)
  return kinds.new(kind, class)
end


-- IPv6 objects are for IPv6 alone, unless the program says otherwise.
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


-- Gives the object a descriptor of this family; the one that it had is closed.
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


-- How long a lookup may take: nil for ever, which a timeout of 0 means as well, since
-- no lookup would ever end.
local function lookup_limit(object)
  local each, whole = native.gettimeout(object)
  if each < 0 or (whole >= 0 and whole < each) then
    each = whole
  end
  return each > 0 and each < math.huge and each or nil
end


-- The numeric addresses that host and port mean: a list of { host=, port=, family= }.
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


-- A method that is written in C, with LuaSocket's words.
function objects.method(class, name)
  return kind[class].__index[name]
end


-- The method for objects that are of this class when it is called; for others it
-- raises an error in LuaSocket's words.
function objects.only(expected, name, method)
  return function(object, ...)
    if kinds.class(object) ~= expected then
      error(("calling '%s' on bad self (%s expected)"):format(name, expected), 2)
    end
    return method(object, ...)
  end
end


-- Objects of all these classes get the same methods: a program may take one from an
-- object and call it when the object is of another class.
function objects.add(classes, methods)
  for _, class in ipairs(classes) do
    for name, method in pairs(methods) do
      kind[class].__index[name] = method
    end
  end
end


-- Objects in other clothes, that are of the kind all the same: the metatable of a class
-- with `methods` in the place of its own.
function objects.derive(class, methods)
  local metatable, all = {}, {}
  for key, value in pairs(kind[class]) do
    metatable[key] = value
  end
  for name, method in pairs(metatable.__index) do
    all[name] = methods[name] or method
  end
  metatable.__index = all
  kinds.join(kind, metatable)
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
