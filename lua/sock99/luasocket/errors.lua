-- errors: what went wrong, in LuaSocket's words.

local errno = require 'sock99'.errno

local errors = {}

-- What LuaSocket has words of its own for; all else is told in the system's.
local words = {
  EACCES = 'permission denied',
  EADDRINUSE = 'address already in use',
  ECONNABORTED = 'closed',
  ECONNREFUSED = 'connection refused',
  ECONNRESET = 'closed',
  EISCONN = 'already connected',
  EPIPE = 'closed',
  ETIMEDOUT = 'timeout',
}

local lookup_words = {
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

errors.refused = words.ECONNREFUSED
errors.connected = words.EISCONN
errors.no_host = lookup_words.EAI_NONAME
errors.no_service = lookup_words.EAI_SERVICE
errors.wrong_family = 'Address family for hostname not supported'


local function by_number(names)
  local texts = {}
  for name, text in pairs(names) do
    if errno[name] then
      texts[errno[name]] = text
    end
  end
  return texts
end


-- By errno.
errors.words = by_number(words)

local lookup = by_number(lookup_words)


-- From what sock99 returns: "connect [::1]:80: Connection refused", 111, "connect".
function errors.tell(message, code, stage)
  if stage == 'timeout' then
    return 'timeout'
  elseif stage == 'configuration' then
    message = message:gsub('^configuration: ', '')
    return message == 'host is empty' and errors.no_host or message
  end
  local texts = stage == 'getaddrinfo' and lookup or errors.words
  return texts[code] or message:match '.*: (.*)' or message
end


return errors
