-- objects.lua: what sending and receiving cost, compared with bare system calls.
--
-- Each contender (bench/traffic.c, bench/traffic.lua) has its other end in a
-- process of its own (bench/peer.c), and prints the CPU time of its own end. As
-- in run.lua, bare C runs right before each, and the median of the ratios is told.

package.path = 'bench/?.lua;' .. package.path

local harness = require 'harness'

local build, print_table = harness.build, harness.print_table
local rounds = math.max(3, math.floor(harness.rounds / 3))

-- `peer`: what the other end does; `few`: how many are enough to count what they
-- make; `lacking`: libraries that have nothing for it.
local kinds = {
  { name = 'send', title = 'send 64 KiB', peer = 'send', n = 2000, few = 50 },
  { name = 'receive', title = 'receive 64 KiB', peer = 'receive', n = 1500, few = 50 },
  { name = 'echo', title = 'echo of 64 bytes', peer = 'echo', n = 4000, few = 300 },
  { name = 'lines', title = 'line of 60 bytes', peer = 'lines', n = 100000, few = 3000,
    lacking = { luaposix = true } },
  { name = 'datagrams', title = 'datagram of 64 bytes', peer = 'datagrams', n = 20000, few = 1000,
    lacking = { cqueues = true } },
  { name = 'many', title = 'datagram, many at once', peer = 'datagrams', n = 20000, few = 1000,
    lacking = { cqueues = true, luaposix = true, luasocket = true } },
}

local round_trips = {
  { name = 'echo', title = 'without a timeout', peer = 'echo' },
  { name = 'limited', title = 'with one', peer = 'echo',
    lacking = { bare = true, luaposix = true } },
}

local sizes = {
  { name = 'memory', title = "Lua's memory of an idle connected object", peer = 'idle' },
  { name = 'file', title = 'shared object, stripped' },
}

-- `counted`: its instructions are counted, which takes longer than all the rest.
local bare = { title = 'bare C', library = 'bare', counted = true }
local contenders = {
  { title = 'sock99, Lua 5.3', lua = '5.3', library = 'sock99', module = 'sock99',
    counted = true },
  { title = 'sock99, Lua 5.4', lua = '5.4', library = 'sock99', module = 'sock99' },
  { title = 'sock99, LuaJIT', lua = 'jit', library = 'sock99', module = 'sock99' },
  { title = 'luaposix, Lua 5.3', lua = '5.3', library = 'luaposix', module = 'posix.sys.socket',
    object = 'posix' },
  { title = 'LuaSocket, Lua 5.3', lua = '5.3', library = 'luasocket', module = 'socket',
    object = 'socket.core', counted = true },
  { title = 'cqueues, Lua 5.3', lua = '5.3', library = 'cqueues', module = 'cqueues.socket',
    object = '_cqueues' },
}


local function lacks(contender, kind)
  return kind.lacking and kind.lacking[contender.library]
end


-- What a contender prints about n of a kind; `under` runs it.
local function run(contender, kind, n, under)
  local program = contender == bare and build .. '/bench/traffic'
    or ('%s bench/traffic.lua %s'):format(contender.interpreter, contender.library)
  local command = ('%s %s/bench/peer %s %d %s %s %s %d'):format(contender.environment or '', build,
    kind.peer, n, under or '', program, kind.name, n)
  local text, ok = harness.output(command)
  assert(ok, 'failed: ' .. command)
  return tonumber(text)
end


local function microseconds(contender, kind)
  return run(contender, kind, kind.n) / kind.n * 1e6
end


local function select_from(contenders_here, wanted)
  local list = {}
  for _, contender in ipairs(contenders_here) do
    if wanted(contender) then
      table.insert(list, contender)
    end
  end
  return list
end


-- A cell, or a dash for what a library does not have.
local function cell(format, value)
  return function(contender, kind)
    return lacks(contender, kind) and '–' or format:format(value(contender, kind))
  end
end


-- What 2n more of them make, each.
local function each(n, count)
  return (count(3 * n) - count(n)) / (2 * n)
end


local function instructions(contender, kind)
  return each(kind.few, function(n)
    return harness.instructions(function(under) run(contender, kind, n, under) end)
  end)
end


local function system_calls(contender, kind)
  return each(100, function(n)
    local _, names = harness.system_calls(function(under) run(contender, kind, n, under) end)
    return #names
  end)
end


-- Of the shared object without symbols, in bytes.
local function file_size(contender)
  local stripped = build .. '/bench/stripped.so'
  local name = contender.object or contender.module
  local _, ok = harness.output(
    ([[%s %s -e 'print(package.searchpath("%s", package.cpath))' | xargs strip -o %s]])
      :format(contender.environment, contender.interpreter, name, stripped))
  assert(ok, 'failed: strip ' .. name)
  local file = assert(io.open(stripped, 'rb'))
  local size = file:seek 'end'
  file:close()
  os.remove(stripped)
  return size
end


local function benchmark()
  local present = harness.present(contenders)
  local all = { bare }
  for _, contender in ipairs(present) do
    table.insert(all, contender)
  end
  print(('\n## Sending and receiving; median of %d rounds'):format(rounds))
  for _, kind in ipairs(kinds) do
    local able = select_from(present, function(contender) return not lacks(contender, kind) end)
    harness.compare(bare, able, kind, rounds, microseconds)
  end
  print_table('CPU time of one end, to bare C', all, kinds, cell('%.2f', function(contender, kind)
    return contender[kind].ratio
  end))
  print_table('in microseconds', all, kinds, cell('%.3f', function(contender, kind)
    return contender[kind].time
  end))
  if harness.has 'valgrind' then
    local counted = select_from(all, function(contender) return contender.counted end)
    print_table('instructions outside the kernel', counted, kinds, cell('%.0f', instructions))
  else
    print '\nSkipped: instructions: no valgrind'
  end
  if harness.has 'strace' then
    print_table('system calls of a round trip', all, round_trips, cell('%.2f', system_calls))
  else
    print '\nSkipped: system calls: no strace'
  end
  print_table('bytes', present, sizes, function(contender, kind)
    local bytes = kind.name == 'file' and file_size(contender) or run(contender, kind, 200)
    return ('%.0f'):format(bytes)
  end)
end


benchmark()
