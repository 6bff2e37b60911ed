-- run.lua CORE PROGRAM: runs the cases of test/luasocket/programs/PROGRAM.lua
-- over one core: `luasocket`, LuaSocket's own, or `sock99`, ours. What a case
-- tells is what must be the same over both.
--
-- A case is a function of the table that the program returns; they run in the
-- order in which the file defines them. Each gets `t`, the functions below, and
-- prints:
--
--   case NAME     it begins
--   told TEXT     something that is compared
--   skip REASON   it cannot run
--   fail REASON   it did not do what it should
--   done NAME     it ended, in whatever way

-- Files that cases make are in $PROGRAM_DIRECTORY, which is the caller's to remove,
-- as a program that is ended from outside cannot.

local core, program, seconds = arg[1], arg[2], tonumber(arg[3] or 60)

local system = require 'test_support'
local peer = require 'peer'

system.end_after(seconds)
if core == 'sock99' then
  require 'sock99.luasocket'.install()
end

local t = { core = core, system = system, peer = peer }

-- Sanitizers and valgrind make it slow: less of everything.
t.slow = (os.getenv 'RUNNER' or '') ~= ''


local SKIP = {}


local function say(kind, text)
  io.stdout:write(kind, ' ', (text:gsub('\n', '\\n')), '\n')
  io.stdout:flush()
end


function t.skip(reason)
  say('skip', reason)
  error(SKIP, 0)
end


-- The modules, or a skip.
function t.need(...)
  local modules = {}
  for i, name in ipairs { ... } do
    local found, module = pcall(require, name)
    if not found then
      t.skip(('%s is not installed for this Lua'):format(name))
    end
    modules[i] = module
  end
  return (table.unpack or unpack)(modules)
end


-- Values as text that does not depend on the run. Ephemeral ports are only
-- told to be ports; numbers are told by their value: LuaSocket's are floats.
local show, show_string

function show_string(value)
  if value:find '^%d%d%d%d%d$' then
    return "'PORT'"
  end
  if #value > 200 then
    return ('%s... (%d bytes)'):format(show_string(value:sub(1, 20)), #value)
  end
  return "'" .. value:gsub('[%c\127-\255\\]', function(c)
    return ('\\%03d'):format(c:byte())
  end) .. "'"
end

local function show_number(value)
  if value > 9999 and value < 65536 then
    return 'PORT'
  end
  return ('%.14g'):format(value)
end

local function show_table(value)
  local fields = {}
  for k, v in pairs(value) do
    fields[#fields + 1] = (type(k) == 'string' and k or '[' .. show(k) .. ']') .. '=' .. show(v)
  end
  table.sort(fields)
  return '{' .. table.concat(fields, ' ') .. '}'
end

function show(value)
  local kind = type(value)
  if kind == 'string' then
    return show_string(value)
  elseif kind == 'number' then
    return show_number(value)
  elseif kind == 'table' then
    return show_table(value)
  elseif kind == 'userdata' then
    return (tostring(value):gsub(':? 0x%x+$', ''))
  elseif kind == 'boolean' or kind == 'nil' then
    return tostring(value)
  end
  return kind
end


-- Tells the values, under a label. Trailing nils are not a difference.
function t.tell(label, ...)
  local count = select('#', ...)
  while count > 0 and (select(count, ...)) == nil do
    count = count - 1
  end
  local values = {}
  for i = 1, count do
    values[i] = show((select(i, ...)))
  end
  say('told', ('%s: %s'):format(label, count > 0 and table.concat(values, ', ') or 'nil'))
end


local function exactly(value)
  return type(value) == 'string' and show_string(value) or tostring(value)
end


function t.equal(actual, expected, what)
  if actual ~= expected then
    error(('%s: expected %s, not %s'):format(
      what or 'value', exactly(expected), exactly(actual)), 2)
  end
end


function t.check(value, ...)
  if not value then
    error(show((...)), 2)
  end
  return value, ...
end


-- A file of this program's own.
function t.path(name)
  t.directory = t.directory or os.getenv 'PROGRAM_DIRECTORY' or assert(system.mkdtemp())
  return t.directory .. '/' .. name
end


-- Runs a command, which must succeed. A sanitizer that is preloaded is for us.
function t.command(command)
  local log = t.path 'log'
  local ok = os.execute(('unset LD_PRELOAD; { %s; } >%s 2>&1'):format(command, log))
  if ok ~= 0 and ok ~= true then
    local file = assert(io.open(log))
    error(command .. ': ' .. file:read '*a', 2)
  end
end


-- How many descriptors are open.
function t.descriptors()
  local count = 0
  for _ in pairs(system.descriptors()) do
    count = count + 1
  end
  return count
end


-- Runs f beside this program, in another process with a core of the same kind.
function t.start(f)
  return peer.start(f)
end


-- The names of a program's cases, in their order.
local function cases_of(path)
  local names = {}
  for line in io.lines(path) do
    names[#names + 1] = line:match '^function case%.([%w_]+)'
  end
  return names
end


local function run(name, case)
  say('case', name)
  local ok, problem = xpcall(function()
    case(t)
  end, function(problem)
    return problem == SKIP and SKIP or debug.traceback(tostring(problem))
  end)
  if not ok and problem ~= SKIP then
    say('fail', problem)
  end
  say('done', name)
end


local path = ('test/luasocket/programs/%s.lua'):format(program)
local cases = dofile(path)
for _, name in ipairs(cases_of(path)) do
  run(name, cases[name])
end
peer.stop_all()
if t.directory and not os.getenv 'PROGRAM_DIRECTORY' then
  os.execute("rm -rf '" .. t.directory .. "'")
end
os.exit(0)
