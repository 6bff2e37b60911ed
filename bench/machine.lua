-- machine.lua: what was measured, where and when: records of the machine and of
-- all versions. Nothing that tells whose machine it is.

package.path = 'bench/?.lua;' .. package.path

local harness = require 'harness'

local lua = harness.counted


local function first(command, pattern)
  return (harness.output('(' .. command .. ') 2>&1 </dev/null'):match(pattern))
end


-- As Debian numbers it; else as the library itself does.
local function version(package, expression)
  return first('dpkg-query -W -f \'${Version}\' ' .. package, '^[%d:]*%f[%d]([%d.]*%d)')
    or first(('scripts/with-lua %s -e \'print(%s)\''):format(lua, expression), '([%d.]*%d)%s*$')
end


local function processor()
  local model = first('cat /proc/cpuinfo', 'model name%s*:%s*([^\n]+)') or first('uname -m', '%S+')
  local cores = first('getconf _NPROCESSORS_ONLN', '%d+') .. ' cores'
  local virtual = first('cat /proc/cpuinfo', '%f[%w]hypervisor%f[%W]') and ', virtual machine' or ''
  return model .. ', ' .. cores .. virtual
end


local facts = {
  { 'date', os.date '!%Y-%m-%d' },
  { 'processor', processor() },
  { 'load before it began', os.getenv 'LOAD' },
  { 'kernel', first('uname -s', '%S+') .. ' ' .. first('uname -r', '^[%d.]*%d') },
  { 'C library', first('getconf GNU_LIBC_VERSION', '[^\n]+') },
  { 'compiler', first((os.getenv 'CC' or 'cc') .. ' --version', '[^\n]+') },
  { 'flags', os.getenv 'CFLAGS' },
  { 'sock99', first(('scripts/with-lua %s -e \'print(require("sock99")._VERSION)\'')
    :format(lua), ' ([%d.]*%d)') },
  { 'LuaSocket', version('lua-socket', 'require("socket")._VERSION') },
  { 'cqueues', version('lua-cqueues', 'require("cqueues").VERSION') },
  { 'luv', version('lua-luv', 'require("luv").version_string()') },
  { 'luaposix', version('lua-posix', 'require("posix").version') },
  { 'copas', version('lua-copas', 'require("copas")._VERSION') },
  { 'redis-lua', version('lua-redis', 'require("redis")._VERSION') },
  { 'Redis', first('redis-server --version', 'v=([%d.]+)') },
  { 'valgrind', first('valgrind --version', '[%d.]*%d') },
  { 'strace', first('strace --version', '[%d.]*%d') },
  { 'gnuplot', first('gnuplot --version', '[^\n]+') },
}

for _, fact in ipairs(facts) do
  if fact[2] then
    harness.record('machine', { library = fact[1] }, 'is', fact[2])
  end
end
for _, one in ipairs(harness.luas) do
  local interpreter = first('scripts/find-lua interpreter ' .. one, '^%S+')
  if interpreter then
    local said = first(interpreter .. ' -v', '^(%S+ %S+)')
    harness.record('machine', { library = said:match '^%S+', lua = one }, 'is',
      said:match '%S+$')
  end
end
harness.record('machine', { library = 'rounds' }, 'is', ('%d'):format(harness.rounds))
