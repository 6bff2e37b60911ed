-- errors: the one place that translates failures into LuaSocket's messages.
--
-- Within the Lua half a failure has the form in which sock99's functions return it: nil,
-- message, code, stage. Code and stage identify it; messages are never matched.

local sock99 = require 'sock99'
local kinds = require 'sock99.kinds'

local errors = {}

local errno = sock99.errno

-- LuaSocket's own messages; for other errors it uses the system's.
local system_messages = {
  EACCES = 'permission denied',
  EADDRINUSE = 'address already in use',
  ECONNABORTED = 'closed',
  ECONNREFUSED = 'connection refused',
  ECONNRESET = 'closed',
  EISCONN = 'already connected',
  EPIPE = 'closed',
  ETIMEDOUT = 'timeout',
}

local lookup_messages = {
  EAI_AGAIN = 'temporary failure in name resolution',
  EAI_BADFLAGS = 'invalid value for ai_flags',
  EAI_FAIL = 'non-recoverable failure in name resolution',
  EAI_FAMILY = 'ai_family not supported',
  EAI_MEMORY = 'memory allocation failure',
  EAI_NONAME = 'host or service not provided, or not known',
  EAI_OVERFLOW = 'argument buffer overflow',
  EAI_SERVICE = 'service not supported for socket type',
  EAI_SOCKTYPE = 'ai_socktype not supported',
}


local function by_number(names)
  local texts = {}
  for name, text in pairs(names) do
    if errno[name] then
      texts[errno[name]] = text
    end
  end
  return texts
end

local system, lookup = by_number(system_messages), by_number(lookup_messages)


-- Returns LuaSocket's message for a failure. A message without a stage is "closed", or
-- comes from a method that LuaSocket does not have.
function errors.message(code, stage, message)
  if stage == 'timeout' then
    return 'timeout'
  elseif stage == 'getaddrinfo' then
    return lookup[code] or message
  elseif stage == 'configuration' and code == errno.ENAMETOOLONG then
    return 'path too long'
  elseif stage == 'configuration' then
    return (message:gsub('^configuration: ', ''))
  elseif message and not stage then
    return message
  end
  return system[code] or kinds.strerror(code)
end


-- Turns the results of sock99's functions into those of a method.
function errors.results(ok, message, code, stage)
  if ok then
    return ok
  end
  return nil, errors.message(code, stage, message)
end


-- Failures that the Lua half detects, in the form that sock99's functions return.

function errors.refused()
  return nil, nil, errno.ECONNREFUSED, 'connect'
end


function errors.connected()
  return nil, nil, errno.EISCONN, 'connect'
end


function errors.in_progress()
  return nil, nil, errno.EALREADY, 'connect'
end


function errors.no_host()
  return nil, nil, errno.EAI_NONAME, 'getaddrinfo'
end


function errors.no_service()
  return nil, nil, errno.EAI_SERVICE, 'getaddrinfo'
end


function errors.wrong_family()
  return nil, 'Address family for hostname not supported', errno.EAFNOSUPPORT, 'configuration'
end


return errors
