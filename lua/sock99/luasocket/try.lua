-- try: LuaSocket's exceptions, which pass an error from `try` to `protect`.

--- @module sock99.luasocket

local try = {}

-- `protect` turns only these into results, and raises all other errors again.
local exceptions = setmetatable({}, { __mode = 'k' })


local function throw(message)
  local exception = setmetatable({ message }, { __metatable = false })
  exceptions[exception] = true
  error(exception, 0)
end


--- Return a function that returns its arguments or, if the first is false or nil, calls
-- the finalizer and throws the second.
-- @function newtry
-- @tparam[opt] function finalizer
-- @treturn function
function try.newtry(finalizer)
  return function(...)
    if ... then
      return ...
    end
    if finalizer then
      finalizer()
    end
    throw((select(2, ...)))
  end
end


local function unwrap(ok, ...)
  if ok then
    return ...
  end
  local raised = ...
  if raised ~= nil and exceptions[raised] then
    return nil, raised[1]
  end
  error(raised, 0)
end


--- Return a function that calls f, but returns nil and the error if `try` throws one.
-- @function protect
-- @tparam function f
-- @treturn function
-- @usage
-- local socket = require 'sock99.luasocket'
-- local ask = socket.protect(function(host, port)
--   local client = socket.newtry()(socket.connect(host, port))
--   local try = socket.newtry(function() client:close() end)
--   try(client:send('hello\n'))
--   return try(client:receive())
-- end)
-- print(ask('127.0.0.1', 7))
function try.protect(f)
  return function(...)
    return unwrap(pcall(f, ...))
  end
end


--- Return the arguments without the first n. If n is negative, it is returned, too, as in
-- LuaSocket.
-- @function skip
-- @tparam integer n
-- @tparam any ... values
-- @treturn any ... those after the nth
function try.skip(n, ...)
  n = require 'sock99.luasocket.arguments'.number(n, 1, 'skip')
  if n < 0 then
    return n, ...
  end
  return select(n + 1, ...)
end


return try
