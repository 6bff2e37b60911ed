-- half: what LuaSocket's socket.lua adds to socket.core, for where LuaSocket's Lua
-- half is not installed. `require 'socket'` finds it then.

--- @module sock99.luasocket

local core = require 'sock99.luasocket'
local arguments = require 'sock99.luasocket.arguments'
local dns = require 'sock99.luasocket.dns'
local streams = require 'sock99.luasocket.streams'
local try = require 'sock99.luasocket.try'

-- Programs may replace what is in the core's tables.
local getaddrinfo = dns.getaddrinfo

--- LuaSocket's Lua half.
-- What its socket.lua adds; `require 'socket'` finds these where that is not installed.
-- @section half

--- The greatest chunk of a source: 2048.
-- @tfield integer BLOCKSIZE

--- The sinks by name: "close-when-done", "keep-open", "default".
-- @tfield {[string]=function} sinkt

--- The sources by name: "by-length", "until-closed", "default".
-- @tfield {[string]=function} sourcet

--- What `newtry()` returns.
-- @function try
-- @tparam any ... values
-- @treturn any ... all of them, where the first is neither false nor nil
core.try = try.newtry()

core.BLOCKSIZE = 2048


--- `connect` over IPv4 alone.
-- @function connect4
-- @string host
-- @tparam integer|string port
-- @tparam[opt] string own_host
-- @tparam[opt] integer|string own_port
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string why
function core.connect4(host, port, own_host, own_port)
  return streams.connect(host, port, own_host, own_port, 'inet')
end


--- `connect` over IPv6 alone.
-- @function connect6
-- @string host
-- @tparam integer|string port
-- @tparam[opt] string own_host
-- @tparam[opt] integer|string own_port
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string why
function core.connect6(host, port, own_host, own_port)
  return streams.connect(host, port, own_host, own_port, 'inet6')
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


--- A server on the first of the host's addresses that can be bound.
-- @function bind
-- @string host "*" is every IPv4 address
-- @tparam integer|string port 0 is any free one
-- @tparam[opt] integer backlog
-- @treturn[1] tcp
-- @treturn[2] nil
-- @treturn[2] string why
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


--- A function that calls the entry of `choices` that its first argument names.
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


-- What select needs to know of the socket behind a source or sink.
local function over(socket, call)
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


-- Sinks: chunks are sent; nil ends them.

core.sinkt = {}

core.sinkt['close-when-done'] = function(socket)
  return over(socket, function(chunk)
    if chunk then
      return socket:send(chunk)
    end
    socket:close()
    return 1
  end)
end

core.sinkt['keep-open'] = function(socket)
  return over(socket, function(chunk)
    if chunk then
      return socket:send(chunk)
    end
    return 1
  end)
end

core.sinkt.default = core.sinkt['keep-open']

--- A sink, as ltn12 has them, that sends its chunks.
-- @function sink
-- @tparam[opt] string mode "close-when-done" or "keep-open", which is meant without
-- one, too
-- @tparam tcp socket
-- @treturn function
core.sink = core.choose(core.sinkt)


-- Sources: chunks of at most BLOCKSIZE; nil at the end.

core.sourcet = {}

core.sourcet['by-length'] = function(socket, length)
  return over(socket, function()
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
  return over(socket, function()
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

--- A source, as ltn12 has them, of what comes.
-- @function source
-- @tparam[opt] string mode "by-length", or "until-closed", which is meant without one,
-- too
-- @tparam tcp socket
-- @tparam[opt] integer length for "by-length"
-- @treturn function
core.source = core.choose(core.sourcet)


return core
