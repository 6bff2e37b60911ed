-- streams: creates, binds and connects tcp and Unix stream objects. Their other methods
-- are in C.

local sock99 = require 'sock99'
local kinds = require 'sock99.kinds'
local arguments = require 'sock99.luasocket.arguments'
local errors = require 'sock99.luasocket.errors'
local objects = require 'sock99.luasocket.objects'

--- @module sock99.luasocket

local streams = {}

local native = kinds.native(objects.MASTER)
local only = objects.only
local connect_fresh = kinds.connect_fresh
local errno = sock99.errno


-- bind

local function is_bound(object)
  local _, port = native.getsockname(object)
  return type(port) == 'number' and port ~= 0
end


-- A failed bind may have left a descriptor of another family.
local function bind_to(object, address)
  if native.getfd(object) < 0 or kinds.family(object) ~= address.family then
    if is_bound(object) then
      return errors.wrong_family()
    end
    local ok, message, code, stage = objects.create(object, address.family)
    if not ok then
      return nil, message, code, stage
    end
  end
  return native.bind(object, address.host, address.port)
end


-- Any other error concerns an address of this machine; binding the next one instead would
-- hide it.
local is_not_local = { [errno.EAFNOSUPPORT] = true, [errno.EADDRNOTAVAIL] = true }


local function bind_to_first(object, list)
  local ok, message, code, stage
  for _, address in ipairs(list) do
    ok, message, code, stage = bind_to(object, address)
    if ok or stage == 'configuration' or not is_not_local[code] then
      break
    end
  end
  return ok, message, code, stage
end


--- A TCP or Unix stream socket.
-- @type tcp

--- Bind the object to a local address; a Unix object takes only a path.
-- @function bind
-- @string host "*" means all addresses
-- @tparam[opt] integer|string port 0 means any free port
-- @treturn[1] integer 1
-- @treturn[2] nil
-- @treturn[2] string the error

--- Alias of `bind`.
-- @function setsockname
-- @string host
-- @tparam[opt] integer|string port
-- @treturn[1] integer 1
-- @treturn[2] nil
-- @treturn[2] string the error
local function bind(object, host, port)
  if kinds.family(object) == 'unix' then
    return errors.results(native.bind(object, host))
  end
  host = arguments.string(host, 1, 'bind')
  port = arguments.port(port, 2, 'bind')
  if not port then
    return errors.results(errors.no_service())
  end
  local list, message, code, stage = objects.addresses(object, host, port)
  if not list then
    return errors.results(nil, message, code, stage)
  end
  return errors.results(bind_to_first(object, list))
end


-- connect

-- After any result the object is a client.
local function as_client(object, ...)
  kinds.classify(object, objects.CLIENT)
  return errors.results(...)
end


-- Keeps the local address for a descriptor that may have to replace this one.
local function keep_address(object)
  if kinds.class(object) == 'tcp{master}' and is_bound(object) then
    local host, port = native.getsockname(object)
    objects.keep(object, 'bound', { host = host, port = port })
  end
end


local function create_again(object, family)
  local bound = objects.kept(object).bound
  if objects.kept(object).failed then
    objects.keep(object, 'failed', nil)
    objects.keep(object, 'failure', nil)
  end
  local ok, message, code, stage = objects.create(object, family)
  if ok and bound then
    return native.bind(object, bound.host, bound.port)
  end
  return ok, message, code, stage
end


-- Prepares the object to connect to an address of this family.
local function prepare(object, family)
  keep_address(object)
  local kept = objects.kept(object)
  if kept.family and kept.family ~= family then
    return errors.wrong_family()
  elseif native.getfd(object) < 0 or (kept.failed and not kept.foreign) then
    return create_again(object, family)
  elseif kinds.family(object) == family then
    return 1
  elseif objects.is_connected(object) then
    return errors.connected()
  elseif kept.foreign or kept.bound then
    return errors.wrong_family()
  end
  return objects.create(object, family)
end


-- After a failure the descriptor stays open, since a program may wait for it and query
-- its error. The next connect replaces it: POSIX leaves the state of such a socket
-- unspecified.
local function keep_failure(object, message, code, stage)
  if not kinds.is_connecting(object) and code ~= errno.EISCONN then
    objects.keep(object, 'failed', true)
    objects.keep(object, 'failure', errors.message(code, stage, message))
  end
end


local function connect_descriptor(object, host, port)
  local ok, message, code, stage = native.connect(object, host, port)
  if ok then
    objects.forget(object)
    return 1
  end
  keep_failure(object, message, code, stage)
  return nil, message, code, stage
end


-- Keeps the object's descriptor if possible.
local function connect_to_family(object, host, port, family)
  local ok, message, code, stage = prepare(object, family)
  if not ok then
    return nil, message, code, stage
  end
  return connect_descriptor(object, host, port)
end


-- For an object without a descriptor: it gets that of the first address to answer.
local function connect_to_any(object, host, port)
  local kept = objects.kept(object)
  local ok, message, code, stage = kinds.open(object, {
    host = host,
    port = port,
    family = kept.family,
    bind = kept.bound,
    sockopts = kept.options,
    nonblocking = true,
  }, host, port)
  if ok then
    objects.forget(object)
  end
  return ok, message, code, stage
end


local function connect_to_name(object, host, port)
  if native.getfd(object) < 0 then
    return connect_to_any(object, host, port)
  elseif objects.is_connected(object) then
    return errors.connected()
  end
  return connect_to_family(object, host, port, kinds.family(object))
end


-- Continues a connect in progress. As in LuaSocket, the error is EALREADY unless it has just
-- ended.
local function continue_connect(object, host, port)
  local ok, message, code, stage = connect_descriptor(object, host, port)
  if stage == 'timeout' then
    return errors.in_progress()
  end
  return ok, message, code, stage
end


local function connect_unix(object, path)
  if native.getfd(object) < 0 then
    local ok, message, code, stage = objects.create(object, 'unix')
    if not ok then
      return nil, message, code, stage
    end
  end
  local ok, message, code, stage = native.connect(object, path)
  if ok then
    objects.forget(object)
  end
  return ok, message, code, stage
end


local function connect_any(object, host, port)
  if kinds.class(object) == 'tcp{server}' then
    return errors.results(errors.connected())
  elseif kinds.family(object) == 'unix' then
    return as_client(object, connect_unix(object, host))
  end
  host = arguments.string(host, 1, 'connect')
  port = arguments.port(port, 2, 'connect')
  if not port then
    return as_client(object, errors.no_service())
  elseif host == '' then
    return as_client(object, errors.no_host())
  elseif host == '*' then
    host = objects.kept(object).family == 'inet6' and '::' or '0.0.0.0'
  end
  if kinds.is_connecting(object) then
    return errors.results(continue_connect(object, host, port))
  end
  local family = kinds.numeric(host)
  if family and type(port) == 'number' then
    return as_client(object, connect_to_family(object, host, port, family))
  elseif port == 0 then
    return as_client(object, errors.refused())
  end
  return as_client(object, connect_to_name(object, host, port))
end


--- Connect to the first of the host's addresses that answers; a Unix object takes only
-- a path. With `settimeout(0)` it never waits, not even for a lookup: it returns
-- "timeout", and the object becomes ready for writing, or reports an error, when the
-- connect has ended. Until then another call returns "Operation already in progress".
-- An object that has a descriptor keeps it, and tries the addresses in turn.
-- @function connect
-- @string host
-- @tparam[opt] integer|string port
-- @treturn[1] integer 1
-- @treturn[2] nil
-- @treturn[2] string the error

--- Alias of `connect`.
-- @function setpeername
-- @string host
-- @tparam[opt] integer|string port
-- @treturn[1] integer 1
-- @treturn[2] nil
-- @treturn[2] string the error

-- The common case takes the shortest path.
local function connect(object, host, port)
  if not objects.is_plain(object) then
    return connect_any(object, host, port)
  end
  local ok, message, code, stage = connect_fresh(object, host, port)
  if ok then
    return 1
  elseif not message then
    return connect_any(object, host, port)
  end
  keep_failure(object, message, code, stage)
  return as_client(object, nil, message, code, stage)
end


--- Listen for connections: the object becomes a server.
-- @function listen
-- @tparam[opt] integer backlog connections that may wait
-- @treturn[1] integer 1
-- @treturn[2] nil
-- @treturn[2] string the error

-- A server does not need the kept fields.
local function listen(object, backlog)
  local ok, message, code, stage = native.listen(object, backlog)
  if ok then
    objects.forget(object)
  end
  return errors.results(ok, message, code, stage)
end


--- Shut down one direction, or both.
-- @function shutdown
-- @tparam[opt="both"] 'send'|'receive'|'both' how
-- @treturn integer 1, also if the peer has already gone

local function shutdown(object, how)
  native.shutdown(object, how)
  return 1
end


--- Give the object another descriptor. The old one is not closed.
-- @function setfd
-- @tparam integer fd

-- As in LuaSocket, success returns nothing.
local function setfd(object, fd)
  local ok, _, code = kinds.setfd(object, fd)
  objects.forget(object)
  if not ok then
    return nil, errors.message(code)
  elseif native.getfd(object) >= 0 then
    objects.keep(object, 'foreign', true)
  end
end


--- The family of the object.
-- @function getfamily
-- @treturn 'inet4'|'inet6'|'unix'

--- Set an option by LuaSocket's name or any of sock99's.
-- @function setoption
-- @string name
-- @tparam[opt] any value a boolean, a number, or LuaSocket's table:
-- `{ on =, timeout = }` for "linger"
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


local function only_clients(name)
  return only('tcp{client}', name, objects.method(objects.CLIENT, name))
end


objects.add({ objects.MASTER, objects.CLIENT, objects.SERVER }, {
  bind = only('tcp{master}', 'bind', bind),
  setsockname = only('tcp{master}', 'setsockname', bind),
  listen = only('tcp{master}', 'listen', listen),
  connect = connect,
  setpeername = connect,
  shutdown = only('tcp{client}', 'shutdown', shutdown),
  setfd = setfd,
  getfamily = objects.getfamily,
  setoption = set_option,
  getoption = get_option,
  getstats = only_clients 'getstats',
  setstats = only_clients 'setstats',
})


-- Creates an object; with a descriptor if `family` is given, which is then the only one.
function streams.new(family)
  local object = objects.new(objects.MASTER)
  if family == nil then
    return object
  end
  if family ~= 'unix' then
    objects.keep(object, 'family', family)
  end
  local ok, message, code, stage = objects.create(object, family)
  return errors.results(ok and object, message, code, stage)
end


--- Functions
-- @section end

local families = { inet = 'inet', inet6 = 'inet6' }


-- Translates LuaSocket's local address to sock99's bind.
local function local_address(object, host, port)
  port = arguments.port(port or 0, 4, 'connect')
  if not port then
    return errors.no_service()
  elseif host == nil then
    return { port = port }
  end
  local list, message, code, stage = objects.addresses(object, host, port)
  return list and { host = list[1].host, port = list[1].port }, message, code, stage
end


--- Create a connected stream object. The addresses of a name are raced.
-- @function connect
-- @string host
-- @tparam integer|string port
-- @tparam[opt] string local_host a local address to bind
-- @tparam[opt] integer|string local_port a local port to bind
-- @tparam[opt] string family "inet" or "inet6"
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string the error
function streams.connect(host, port, local_host, local_port, family)
  host = arguments.string(host, 1, 'connect')
  port = arguments.port(port, 2, 'connect')
  family = family or 'unspec'
  if family ~= 'unspec' and not families[family] then
    arguments.raise(5, 'connect', ("invalid option '%s'"):format(tostring(family)))
  end
  if not port then
    return errors.results(errors.no_service())
  elseif port == 0 then
    return errors.results(errors.refused())
  elseif host == '' then
    return errors.results(errors.no_host())
  end
  local object = objects.new(objects.MASTER)
  if families[family] then
    objects.keep(object, 'family', family)
  end
  if local_host ~= nil or local_port ~= nil then
    local bound, message, code, stage = local_address(object, local_host, local_port)
    if not bound then
      return errors.results(nil, message, code, stage)
    end
    objects.keep(object, 'bound', bound)
  end
  local ok, message, code, stage = connect_to_any(object, host == '*' and '0.0.0.0' or host, port)
  return errors.results(ok and object, message, code, stage)
end


return streams
