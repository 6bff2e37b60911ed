-- options: LuaSocket's option names and values, translated to sock99's.
--
-- LuaSocket's names have the same meaning as there, and only for the same objects. Any
-- other name is that of an option of sock99.

local kinds = require 'sock99.kinds'
local arguments = require 'sock99.luasocket.arguments'
local errors = require 'sock99.luasocket.errors'
local objects = require 'sock99.luasocket.objects'

local options = {}

local native = kinds.native(objects.MASTER)


-- By LuaSocket's name: the objects that can set and get it ("t": tcp, "u": udp), the
-- type of its value, and sock99's name if it differs.
local table_of_options = {
  ['broadcast'] = { set = 'u', get = 'u', value = 'boolean' },
  ['dontroute'] = { set = 'u', get = 'u', value = 'boolean' },
  ['error'] = { set = '', get = 'tu', value = 'error' },
  ['ip-add-membership'] = { set = 'u', get = '', value = 'membership' },
  ['ip-drop-membership'] = { set = 'u', get = '', value = 'membership' },
  ['ip-multicast-if'] = { set = 'u', get = 'u', value = 'interface' },
  ['ip-multicast-loop'] = { set = 'u', get = 'u', value = 'boolean' },
  ['ip-multicast-ttl'] = { set = 'u', get = '', value = 'number' },
  ['ipv6-add-membership'] = {
    set = 'u', get = '', value = 'membership6', name = 'ipv6-join-group',
  },
  ['ipv6-drop-membership'] = {
    set = 'u', get = '', value = 'membership6', name = 'ipv6-leave-group',
  },
  ['ipv6-multicast-hops'] = { set = 'u', get = 'u', value = 'number' },
  ['ipv6-multicast-loop'] = { set = 'u', get = 'u', value = 'boolean' },
  ['ipv6-unicast-hops'] = { set = 'u', get = 'u', value = 'number' },
  ['ipv6-v6only'] = { set = 'tu', get = 'u', value = 'boolean', name = 'v6only' },
  ['keepalive'] = { set = 't', get = 't', value = 'boolean' },
  ['linger'] = { set = 't', get = 't', value = 'linger' },
  ['recv-buffer-size'] = { set = 'tu', get = 'tu', value = 'number', name = 'rcvbuf' },
  ['reuseaddr'] = { set = 'tu', get = 'tu', value = 'boolean' },
  ['reuseport'] = { set = 'tu', get = 'tu', value = 'boolean' },
  ['send-buffer-size'] = { set = 'tu', get = 'tu', value = 'number', name = 'sndbuf' },
  ['tcp-defer-accept'] = { set = 't', get = '', value = 'number' },
  ['tcp-fastopen'] = { set = 't', get = '', value = 'number' },
  ['tcp-fastopen-connect'] = { set = 't', get = '', value = 'number_as_flag' },
  ['tcp-keepcnt'] = { set = 't', get = 't', value = 'number' },
  ['tcp-keepidle'] = { set = 't', get = 't', value = 'number' },
  ['tcp-keepintvl'] = { set = 't', get = 't', value = 'number' },
  ['tcp-nodelay'] = { set = 't', get = 't', value = 'boolean' },
}


-- Translation of values to sock99's

local to = {}


function to.boolean(value)
  return arguments.boolean(value, 3, 'setoption')
end


function to.number(value)
  return math.floor(arguments.number(value, 3, 'setoption'))
end


function to.number_as_flag(value)
  return arguments.number(value, 3, 'setoption') ~= 0
end


local function field(value, name, kind)
  local found = value[name]
  if type(found) ~= kind then
    arguments.raise(3, 'setoption', ("%s '%s' field expected"):format(kind, name))
  end
  return found
end


function to.linger(value)
  arguments.table(value, 3, 'setoption')
  local on, seconds = field(value, 'on', 'boolean'), field(value, 'timeout', 'number')
  return on and seconds
end


local function group_of(value)
  arguments.table(value, 3, 'setoption')
  local group = field(value, 'multiaddr', 'string')
  if not kinds.numeric(group) then
    arguments.raise(3, 'setoption', "invalid 'multiaddr' ip address")
  end
  return group
end


function to.membership(value)
  local group, interface = group_of(value), field(value, 'interface', 'string')
  if interface == '*' or interface == '0.0.0.0' then
    interface = nil
  end
  return { group = group, interface = interface }
end


function to.membership6(value)
  local group, index = group_of(value), value.interface
  if index ~= nil and type(index) ~= 'number' then
    arguments.raise(3, 'setoption', "number 'interface' field expected")
  end
  return { group = group, interface = index and index ~= 0 and ('%d'):format(index) or nil }
end


function to.interface(value)
  value = arguments.string(value, 3, 'setoption')
  if value == '*' then
    return '0.0.0.0'
  elseif kinds.numeric(value) ~= 'inet' then
    arguments.raise(3, 'setoption', 'ip expected')
  end
  return value
end


-- Translation of values from sock99's

local from = {}


function from.linger(seconds)
  return { on = seconds and true or false, timeout = seconds or 0 }
end


function from.error(number)
  if number == 0 then
    return nil
  end
  return errors.message(number, 'connect')
end


-- Finds an option that the object can set or get; `way` is "set" or "get".
local function find(object, name, way, method)
  name = arguments.string(name, 2, method)
  local option = table_of_options[name]
  if option then
    local class = object.class:sub(1, 1)
    if option[way]:find(class, 1, true) or kinds.family(object) == 'unix' then
      return option, option.name or name
    end
  elseif kinds.is_option(name) then
    return {}, name
  end
  return arguments.raise(2, method, ("unsupported option `%s'"):format(name))
end


-- Whether an option is given by number: { level, option, value }.
local function is_raw(name)
  return type(name) == 'table' and name[1] ~= nil
end


local function translate(object, name, value)
  if is_raw(name) then
    return name
  end
  local option, native_name = find(object, name, 'set', 'setoption')
  if to[option.value] then
    value = to[option.value](value)
  end
  return native_name, value
end


-- Options by number have no name; they form the list part.
local function keep(object, name, value)
  local all = objects.kept(object).options or {}
  if type(name) == 'table' then
    name, value = #all + 1, { name[1], name[2], name[3] }
  elseif type(value) == 'table' then
    local list = all[name] or {}
    list[#list + 1] = value
    value = list
  end
  all[name] = value
  objects.keep(object, 'options', all)
end


-- These have no descriptor yet, or may get another one, which gets the options, too.
local is_early = { ['tcp{master}'] = true, ['udp{unconnected}'] = true }


function options.set(object, name, value)
  name, value = translate(object, name, value)
  local ok = native.setoption(object, name, value)
  -- Without a descriptor that fails, but only after it has checked name and value.
  if is_early[kinds.class(object)] and (ok or native.getfd(object) < 0) then
    keep(object, name, value)
    ok = true
  end
  if ok then
    return 1
  end
  return nil, 'setsockopt failed'
end


-- Returns the error of a failed connect, which the descriptor does not report.
local function take_failure(object)
  local failure = objects.kept(object).failure
  if failure then
    objects.keep(object, 'failure', nil)
    return failure
  end
  local _, message, code, stage = kinds.take_failure(object)
  return message and errors.message(code, stage, message)
end


function options.get(object, name)
  if is_raw(name) then
    local value = native.getoption(object, name)
    if value == nil then
      return nil, 'getsockopt failed'
    end
    return value
  end
  local option, native_name = find(object, name, 'get', 'getoption')
  if option.value == 'error' then
    local failure = take_failure(object)
    if failure then
      return failure
    end
  end
  local value = native.getoption(object, native_name)
  if value == nil then
    return nil, 'getsockopt failed'
  elseif from[option.value] then
    return from[option.value](value)
  end
  return value
end


return options
