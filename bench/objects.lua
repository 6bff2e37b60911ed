-- objects.lua: what sending and receiving cost, compared with bare system calls;
-- what an idle connection keeps, and how large each library is.
--
-- Each contender (bench/traffic.c, bench/traffic.lua) has its other end in a
-- process of its own (bench/peer.c), and prints the CPU time of its own end. As
-- in opening.lua, bare C runs right before each.

package.path = 'bench/?.lua;' .. package.path

local harness = require 'harness'

local build = harness.build
local rounds = math.min(harness.rounds, 7)

-- `peer`: what the other end does; `few`: how many are enough to count what they
-- make; `lacking`: libraries that have nothing for it.
local kinds = {
  { name = 'send', n = 2000, few = 50 },
  { name = 'receive', n = 1500, few = 50 },
  { name = 'echo', n = 4000, few = 300 },
  { name = 'lines', n = 100000, few = 3000, lacking = { luaposix = true, luv = true } },
  { name = 'datagrams', n = 20000, few = 1000, lacking = { cqueues = true } },
  { name = 'many', peer = 'datagrams', n = 20000, few = 1000,
    lacking = { cqueues = true, luaposix = true, luasocket = true, luv = true } },
}

local limited = { name = 'limited', peer = 'echo', few = 300,
  lacking = { bare = true, luaposix = true, luv = true } }
local memory = { name = 'memory', peer = 'idle', lacking = { bare = true, luaposix = true } }

local bare = { library = 'bare' }
local contenders = harness.contenders {
  { library = 'sock99', module = 'sock99' },
  { library = 'luaposix', module = 'posix.sys.socket', object = 'posix' },
  { library = 'luasocket', module = 'socket', object = 'socket.core' },
  { library = 'cqueues', module = 'cqueues.socket', object = '_cqueues' },
  { library = 'luv', module = 'luv' },
}


local function can(kind)
  return function(contender)
    return not (kind.lacking and kind.lacking[contender.library])
  end
end


local function is_counted(contender)
  return contender == bare or contender.lua == harness.counted
end


-- What a contender prints about n of a kind; `under` runs it.
local function run(contender, kind, n, under)
  local program = contender == bare and build .. '/bench/traffic'
    or ('%s bench/traffic.lua %s'):format(contender.interpreter, contender.library)
  local command = ('%s %s/bench/peer %s %d %s %s %s %d 2>%s/bench/errors'):format(
    contender.environment or '', build, kind.peer or kind.name, n, under or '', program,
    kind.name, n, build)
  return tonumber((harness.output(command)))
    or error(harness.output('head -n 1 ' .. build .. '/bench/errors'), 0)
end


local function count_all(contender, kind)
  local work = 'traffic.' .. kind.name
  if harness.has 'strace' then
    harness.record(work, contender, 'calls', harness.each(kind.few, function(n)
      local _, names = harness.system_calls(function(under) run(contender, kind, n, under) end)
      return #names
    end))
  end
  if kind == limited then
    return
  end
  if harness.has 'valgrind' and not harness.quick then
    harness.record(work, contender, 'instructions', harness.each(kind.few, function(n)
      return harness.instructions(function(under) run(contender, kind, n, under) end)
    end))
  end
  harness.record(work, contender, 'allocations', harness.each(kind.few, function(n)
    return (harness.allocations(function(under) run(contender, kind, n, under) end))
  end))
end


-- Lua's own memory of an idle connected object; and all of the process's heap,
-- which can't be seen where Lua has an allocator of its own.
local function record_memory(contender)
  harness.record('memory', contender, 'lua bytes', run(contender, memory, 201))
  if contender.lua ~= 'jit' then
    harness.record('memory', contender, 'heap bytes', harness.each(100, function(n)
      return select(2, harness.allocations(function(under) run(contender, memory, n, under) end))
    end))
  end
end


-- Of the shared object without symbols.
local function record_size(contender)
  local stripped = build .. '/bench/stripped.so'
  local name = contender.object or contender.module
  harness.output(("%s %s -e 'print(package.searchpath(\"%s\", package.cpath))' | xargs strip -o %s")
    :format(contender.environment, contender.interpreter, name, stripped))
  local file = assert(io.open(stripped, 'rb'))
  harness.record('size', contender, 'bytes', file:seek 'end')
  file:close()
  os.remove(stripped)
end


local function benchmark()
  for _, kind in ipairs(kinds) do
    local able = harness.compare('traffic.' .. kind.name, bare,
      harness.select(contenders, can(kind)), rounds, function(contender)
        return run(contender, kind, kind.n) / kind.n * 1e6
      end, function(contender)
        run(contender, kind, kind.few)
      end)
    table.insert(able, 1, bare)
    for _, contender in ipairs(harness.select(able, is_counted)) do
      harness.attempt('traffic.' .. kind.name, contender, count_all, kind)
    end
  end
  print 'traffic: timeouts, memory, size'
  for _, contender in ipairs(harness.select(contenders, is_counted)) do
    if can(limited)(contender) then
      harness.attempt('traffic.limited', contender, count_all, limited)
    end
    harness.attempt('size', contender, record_size)
  end
  for _, contender in ipairs(harness.select(contenders, can(memory))) do
    harness.attempt('memory', contender, record_memory)
  end
end


benchmark()
