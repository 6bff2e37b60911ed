-- half: the functions that LuaSocket's socket.lua adds to socket.core. `require 'socket'`
-- loads this if LuaSocket's Lua half is not installed.

--- @module sock99.luasocket

local core = require 'sock99.luasocket'
local arguments = require 'sock99.luasocket.arguments'
local dns = require 'sock99.luasocket.dns'
local streams = require 'sock99.luasocket.streams'
local try = require 'sock99.luasocket.try'

-- A local, since programs may replace functions in the core's tables.
local getaddrinfo = dns.getaddrinfo

--- LuaSocket's Lua half.
-- The functions of its socket.lua; `require 'socket'` provides them if that is not
-- installed.
-- @section half

--- The maximum size of a source's chunks: 2048.
-- @tfield integer BLOCKSIZE

--- Sinks by name: "close-when-done", "keep-open", "default".
-- @tfield {[string]=function} sinkt

--- Sources by name: "by-length", "until-closed", "default".
-- @tfield {[string]=function} sourcet

--- The result of `newtry()`: returns its arguments, or throws the second.
-- @function try
-- @tparam any ... values
-- @treturn any ... all of them, if the first is neither false nor nil
core.try = try.newtry()

core.BLOCKSIZE = 2048


--- `connect` over IPv4 only.
-- @function connect4
-- @string host
-- @tparam integer|string port
-- @tparam[opt] string local_host
-- @tparam[opt] integer|string local_port
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string the error
function core.connect4(host, port, local_host, local_port)
  return streams.connect(host, port, local_host, local_port, 'inet')
end


--- `connect` over IPv6 only.
-- @function connect6
-- @string host
-- @tparam integer|string port
-- @tparam[opt] string local_host
-- @tparam[opt] integer|string local_port
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string the error
function core.connect6(host, port, local_host, local_port)
  return streams.connect(host, port, local_host, local_port, 'inet6')
end


local function serve(address, port, backlog)
  local server, message = streams.new(address.family)
  if not server then
    return nil, message
  end
  local ok
  ok, message = server:setoption('reuseaddr', true)
  if ok then
    ok, message = server:bind(address.addr, port)
  end
  if ok then
    ok, message = server:listen(backlog)
  end
  if not ok then
    server:close()
    return nil, message
  end
  return server
end


--- Create a server on the first of the host's addresses that can be bound.
-- @function bind
-- @string host "*" means all IPv4 addresses
-- @tparam integer|string port 0 means any free port
-- @tparam[opt] integer backlog
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string the error
function core.bind(host, port, backlog)
  host = arguments.string(host, 1, 'bind')
  local list, message = getaddrinfo(host == '*' and '0.0.0.0' or host)
  if not list then
    return nil, message
  end
  local server
  for _, address in ipairs(list) do
    server, message = serve(address, port, backlog)
    if server then
      return server
    end
  end
  return nil, message
end


--- Return a function that calls the entry of `choices` named by its first argument.
-- @function choose
-- @tparam table choices functions by name
-- @treturn function
function core.choose(choices)
  return function(name, ...)
    local chosen
    if type(name) == 'string' then
      chosen = choices[name]
    else
      chosen = choices.default
    end
    if not chosen then
      error(("unknown key (%s)"):format(tostring(name)), 2)
    elseif type(name) == 'string' then
      return chosen(...)
    end
    return chosen(name, ...)
  end
end


-- Wraps the call of a source or sink into an object with the methods that select needs.
local function wrap(socket, call)
  local methods = {
    getfd = function()
      return socket:getfd()
    end,
    dirty = function()
      return socket:dirty()
    end,
  }
  return setmetatable(methods, {
    __call = function(_, ...)
      return call(...)
    end,
  })
end


-- Sinks send chunks; nil ends them.

core.sinkt = {}

core.sinkt['close-when-done'] = function(socket)
  return wrap(socket, function(chunk)
    if chunk then
      return socket:send(chunk)
    end
    socket:close()
    return 1
  end)
end

core.sinkt['keep-open'] = function(socket)
  return wrap(socket, function(chunk)
    if chunk then
      return socket:send(chunk)
    end
    return 1
  end)
end

core.sinkt.default = core.sinkt['keep-open']

--- Create an ltn12 sink that sends its chunks.
-- @function sink
-- @tparam[opt] string mode "close-when-done" or "keep-open", the default
-- @tparam tcp socket
-- @treturn function
core.sink = core.choose(core.sinkt)


-- Sources return chunks of at most BLOCKSIZE bytes, and nil at the end.

core.sourcet = {}

core.sourcet['by-length'] = function(socket, length)
  return wrap(socket, function()
    if length <= 0 then
      return nil
    end
    local chunk, message = socket:receive(math.min(core.BLOCKSIZE, length))
    if not chunk then
      return nil, message
    end
    length = length - #chunk
    return chunk
  end)
end

core.sourcet['until-closed'] = function(socket)
  local ended = false
  return wrap(socket, function()
    if ended then
      return nil
    end
    local chunk, message, partial = socket:receive(core.BLOCKSIZE)
    if chunk then
      return chunk
    elseif message ~= 'closed' then
      return nil, message
    end
    socket:close()
    ended = true
    return partial
  end)
end

core.sourcet.default = core.sourcet['until-closed']

--- Create an ltn12 source of the received bytes.
-- @function source
-- @tparam[opt] string mode "by-length" or "until-closed", the default
-- @tparam tcp socket
-- @tparam[opt] integer length for "by-length"
-- @treturn function
core.source = core.choose(core.sourcet)


return core
