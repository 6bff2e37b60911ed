-- pending: objects whose connection is being made by a sock99 opening: the host is
-- a name, and the object's timeout lets nobody wait for it.
--
-- Such an object has no descriptor yet. It wears a metatable of its own, whose
-- methods first let the opening go on; once the connection is there, the object
-- takes it and is like any other. A failure is told once, by whichever method
-- asks first; after that the object is closed, and may connect again.

local sock99 = require 'sock99'
local kinds = require 'sock99.kinds'
local errors = require 'sock99.luasocket.errors'
local objects = require 'sock99.luasocket.objects'

--- @module sock99.luasocket

local pending = {}

local select = sock99.select

-- By object: the opening, the options set meanwhile, the message of a failure.
local flying = setmetatable({}, { __mode = 'k' })

local metatable, client


local function land(object, of, made)
  flying[object] = nil
  of.opening:cancel()
  kinds.move(object, made)
  objects.forget(object)
  objects.keep(object, 'landed', true)
  for _, option in ipairs(of.options) do
    client.setoption(object, option[1], option[2])
  end
  return true
end


-- true: connected; false: not yet; nil and a message: it failed.
local function step(object)
  local of = flying[object]
  if of.message then
    return nil, of.message
  end
  local made, message, code, stage = of.opening:step()
  if made then
    return land(object, of, made)
  elseif made == false then
    return false
  end
  of.message = errors.words(code, stage, message)
  of.opening:cancel()
  return nil, of.message
end


-- The same, after as long as the object's timeout allows.
local function wait(object)
  local of, limit = flying[object], objects.limit(object)
  local deadline = limit and kinds.clock() + limit
  while true do
    local done, message = step(object)
    local left = deadline and deadline - kinds.clock()
    if done ~= false then
      return done, message
    elseif left and left <= 0 then
      return false, 'timeout'
    end
    local ok, problem = pcall(select, { of.opening:pollfd() }, nil, left)
    if not ok then
      return nil, problem
    end
  end
end


-- The object is closed, and its failure was told.
local function fall(object)
  flying[object].opening:cancel()
  flying[object] = nil
  kinds.classify(object, objects.CLIENT)
end


-- Waits, and tells a failure: true, or nil and a message.
local function finish(object)
  local done, message = wait(object)
  if done == nil then
    fall(object)
  end
  return done or nil, message
end


-- The object connects to what `t` describes.
function pending.start(object, t)
  local opening, message, code, stage = sock99.start(t)
  kinds.classify(object, objects.CLIENT)
  if not opening then
    return nil, errors.words(code, stage, message)
  end
  flying[object] = { opening = opening, options = {} }
  kinds.dress(object, metatable)
  return object:connect()
end


-- Methods

local methods = {}


function methods.connect(object)
  local done, message = finish(object)
  if done then
    objects.forget(object)
    return 1
  end
  return nil, message
end


-- Whether the connection came about in another call than connect; true once.
function pending.has_landed(object)
  local landed = objects.kept(object).landed
  if landed then
    objects.forget(object)
  end
  return landed
end


-- The index before the first byte to send, as in string.sub.
local function before(data, i)
  i = tonumber(i) or 1
  if i < 0 then
    i = #data + 1 + i
  end
  return i > 1 and i - 1 or 0
end


function methods.send(object, data, i, j)
  local done, message = finish(object)
  if done then
    return client.send(object, data, i, j)
  end
  return nil, message, before(data, i)
end


function methods.receive(object, pattern, prefix)
  local done, message = finish(object)
  if done then
    return client.receive(object, pattern, prefix)
  end
  return nil, message, prefix or ''
end


function methods.close(object)
  fall(object)
  return 1
end


function methods.getoption(object, name)
  local done, message = step(object)
  if done == nil and name == 'error' then
    fall(object)
    return message
  end
  return client.getoption(object, name)
end


function methods.setoption(object, name, value)
  if step(object) ~= false then
    return client.setoption(object, name, value)
  end
  -- Without a descriptor it fails, but not before it has checked name and value.
  client.setoption(object, name, value)
  table.insert(flying[object].options, { name, value })
  return 1
end


function methods.pollfd(object)
  if step(object) == false then
    return flying[object].opening:pollfd()
  end
  return client.pollfd(object)
end


-- What neither needs the connection nor tells of it.
local unaffected = {
  'class', 'dirty', 'getstats', 'gettimeout', 'setstats', 'settimeout', 'timeout',
}


-- The metatable, once the clients' is complete.
function pending.dress(of_clients)
  metatable, client = {}, of_clients.__index
  for key, value in pairs(of_clients) do
    metatable[key] = value
  end
  for name, method in pairs(client) do
    methods[name] = methods[name] or function(object, ...)
      step(object)
      return method(object, ...)
    end
  end
  for _, name in ipairs(unaffected) do
    methods[name] = client[name]
  end
  methods.setpeername = methods.connect
  metatable.__index = methods
  metatable.__close = methods.close
end


-- select

-- Once an object's opening has ended, its descriptor is not there any more: so none is
-- looked for before all openings have gone on.
local function step_all(set)
  for _, object in ipairs(set or {}) do
    if flying[object] then
      step(object)
    end
  end
end


-- Appends what is to be watched of a set to `watched`, what failed to `failed`.
-- Openings are watched for reading, and noted in `pollfds`.
local function sort(set, watched, failed, read, pollfds)
  for _, object in ipairs(set or {}) do
    local of = flying[object]
    if of == nil then
      watched[#watched + 1] = object
    elseif of.message then
      failed[#failed + 1] = object
    else
      local pollfd = of.opening:pollfd()
      read[#read + 1] = pollfd
      pollfds[pollfd] = true
    end
  end
end


-- What is ready: the lists in one, without the openings' descriptors.
local function merge(ready, failed, pollfds)
  local all = {}
  for _, list in ipairs { ready, failed } do
    for _, object in ipairs(list) do
      if not pollfds[object] and not all[object] then
        all[#all + 1] = object
        all[object] = #all
      end
    end
  end
  return all
end


local function look(r, w, timeout)
  local read, write, failed_read, failed_write, pollfds = {}, {}, {}, {}, {}
  step_all(r)
  step_all(w)
  sort(r, read, failed_read, read, pollfds)
  sort(w, write, failed_write, read, pollfds)
  if failed_read[1] or failed_write[1] then
    timeout = 0
  end
  local readable, writable = select(read, write, timeout)
  return merge(readable, failed_read, pollfds), merge(writable, failed_write, pollfds)
end


local function select_among(r, w, timeout)
  local deadline = timeout and timeout >= 0 and kinds.clock() + timeout or nil
  while true do
    local left = deadline and math.max(deadline - kinds.clock(), 0)
    local readable, writable = look(r, w, left)
    if readable[1] ~= nil or writable[1] ~= nil then
      return readable, writable
    elseif left and left <= 0 then
      return readable, writable, 'timeout'
    end
  end
end


--- Wait until some of many can be read or written without waiting.
-- @function select
-- @tparam ?table r objects to read from
-- @tparam ?table w objects to write to; one whose `connect` came to no end is ready
-- when it has
-- @tparam ?number timeout in seconds; nil or less than 0: none
-- @treturn table those of `r` that are ready, as a list and as keys
-- @treturn table the same of `w`
-- @treturn ?string "timeout" where nothing is
function pending.select(r, w, timeout)
  -- It is sock99's while nothing is pending.
  if next(flying) == nil then
    return select(r, w, timeout)
  end
  return select_among(r, w, timeout)
end


return pending
