-- dns: the resolver functions under LuaSocket's names.

local sock99 = require 'sock99'
local kinds = require 'sock99.kinds'
local arguments = require 'sock99.luasocket.arguments'
local errors = require 'sock99.luasocket.errors'

--- @module sock99.luasocket

local dns = {}


--- Names and addresses.
-- @table dns

--- Return the name of this machine.
-- @function dns.gethostname
-- @treturn string
function dns.gethostname()
  return kinds.hostname()
end


-- LuaSocket's "resolved" table. getaddrinfo(3) reports no aliases.
local function resolved(name, addresses)
  return { name = name, alias = {}, ip = addresses }
end


-- The messages of hstrerror(3), which LuaSocket uses here, for a resolver that does not
-- answer or fails; any other error means that the name does not exist.
local failures = {
  [sock99.errno.EAI_AGAIN] = 'Host name lookup failure',
  [sock99.errno.EAI_FAIL] = 'Unknown server error',
}


-- Returns the canonical name and the addresses of a name or numeric address.
local function look_up(host)
  local name, names, addresses, code, _
  if not host:find '^[%d.]+$' and not kinds.numeric(host) then
    name, addresses, code = kinds.canonical(host)
  else
    names, _, code = kinds.names(host, nil, true)
    name, addresses = names and names[1], { host }
  end
  if not name then
    return nil, failures[code] or 'host not found'
  end
  return name, addresses
end


--- Return the first address of a name.
-- @function dns.toip
-- @string host
-- @treturn[1] string numeric IPv4 address
-- @treturn[1] table `{ name =, alias =, ip = }`; `ip` is the list of all addresses
-- @treturn[2] nil
-- @treturn[2] string "host not found"
function dns.toip(host)
  local name, addresses = look_up(arguments.string(host, 1, 'toip'))
  if not name then
    return nil, addresses
  end
  if addresses[1]:find ':' then
    return nil, 'host not found'
  end
  return addresses[1], resolved(name, addresses)
end


--- Return the canonical name of a name or address.
-- @function dns.tohostname
-- @string host
-- @treturn[1] string
-- @treturn[1] table `{ name =, alias =, ip = }`
-- @treturn[2] nil
-- @treturn[2] string "host not found"
function dns.tohostname(host)
  local name, addresses = look_up(arguments.string(host, 1, 'tohostname'))
  if not name then
    return nil, addresses
  end
  return name, resolved(name, addresses)
end


--- Return all addresses of a name.
-- @function dns.getaddrinfo
-- @string host
-- @treturn[1] table a list of `{ family =, addr = }`
-- @treturn[2] nil
-- @treturn[2] string the error
function dns.getaddrinfo(host)
  host = arguments.string(host, 1, 'getaddrinfo')
  if host == '' or host == '*' then
    return errors.results(errors.no_host())
  end
  local found, message, code, stage = sock99.resolve { host = host }
  if not found then
    return errors.results(nil, message, code, stage)
  end
  local list = {}
  for i, address in ipairs(found) do
    list[i] = { family = address.family, addr = address.host }
  end
  return list
end


--- Return the names of an address and a port, one of which may be nil.
-- @function dns.getnameinfo
-- @tparam[opt] string host
-- @tparam[opt] string service a port, or its name
-- @treturn[1] table the list of the host's names
-- @treturn[1] ?string the name of the service
-- @treturn[2] nil
-- @treturn[2] string the error
function dns.getnameinfo(host, service)
  if host == nil and service == nil then
    error('host and serv cannot be both nil', 2)
  end
  local names, found, code, stage = kinds.names(host, service)
  if not names then
    return errors.results(nil, found, code, stage)
  end
  if host == nil then
    names = {}
  end
  if service == nil then
    return names
  end
  return names, found
end


return dns
