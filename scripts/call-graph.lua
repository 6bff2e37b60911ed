-- call-graph.lua FRAME FILE.ci…: what gcc's -fcallgraph-info=su says of the stack.
--
-- Fails where functions call each other in a circle, where a frame's size is not
-- known when it is compiled (alloca, arrays of variable length), and where one is
-- larger than FRAME bytes. Tells the deepest path. Calls through pointers are not in
-- it: those into Lua, and back.

local limit = tonumber(arg[1])
local frames, calls, unbounded = {}, {}, {}

for i = 2, #arg do
  for line in io.lines(arg[i]) do
    local name, kind = line:match '^node: { title: "([^"]+)" label: ".-\\n%d+ bytes %(([^)]*)%)'
    if name then
      frames[name] = tonumber(line:match '\\n(%d+) bytes %(')
      calls[name] = calls[name] or {}
      unbounded[name] = kind == 'dynamic' or nil
    end
    local caller, callee = line:match '^edge: { sourcename: "([^"]+)" targetname: "([^"]+)"'
    if caller then
      calls[caller] = calls[caller] or {}
      calls[caller][callee] = true
    end
  end
end

local failed = false

local function complain(...)
  print(string.format(...))
  failed = true
end

for name, size in pairs(frames) do
  if unbounded[name] then
    complain('%s: its frame has no bound', name)
  end
  if size > limit then
    complain('%s: a frame of %d bytes, more than %d', name, size, limit)
  end
end

local depth, path, open = {}, {}, {}

-- The bytes of stack that the deepest path from `name` takes, itself included.
local function visit(name, trail)
  if depth[name] then
    return depth[name]
  end
  if open[name] then
    complain('a circle: %s', table.concat(trail, ' -> ') .. ' -> ' .. name)
    return 0
  end
  open[name] = true
  trail[#trail + 1] = name
  local deepest = 0
  for callee in pairs(calls[name] or {}) do
    local below = visit(callee, trail)
    if below > deepest then
      deepest, path[name] = below, callee
    end
  end
  trail[#trail] = nil
  open[name] = nil
  depth[name] = deepest + (frames[name] or 0)
  return depth[name]
end

local count, first = 0, nil
for name in pairs(frames) do
  count = count + 1
  if not first or visit(name, {}) > visit(first, {}) then
    first = name
  end
end
if count == 0 then
  complain 'no function at all'
else
  local names, name = {}, first
  while name do
    names[#names + 1] = name:match '[^:]*$'
    name = path[name]
  end
  print(count .. ' functions; ' .. depth[first] .. ' bytes: ' .. table.concat(names, ' -> '))
end
os.exit(failed and 1 or 0)
