-- goals.lua: what was to be reached, for the report to hold against what was measured.
--
-- `most`: the greatest value that meets the goal. `same_as`: the library whose
-- value it must be. The goals were set beside Lua 5.3, and are asked of every Lua.

local goals = {}


local function add(goal)
  table.insert(goals, goal)
end


local function add_each(works, goal)
  for _, work in ipairs(works) do
    local one = { work = work }
    for key, value in pairs(goal) do
      one[key] = value
    end
    one.title = goal.title:format(require 'names'.work[work])
    add(one)
  end
end


local opening = { 'open.tcp_server', 'open.tcp_client', 'open.udp_client', 'open.unix_client' }

add { work = 'network.dead6', title = 'connected past a dead first address, s', library = 'sock99',
  measure = 'seconds', most = 0.30, format = '%.2f' }
add { work = 'network.silent', title = 'silent resolver, `timeout = 1`: back after, s',
  library = 'sock99', measure = 'seconds', most = 1.10, format = '%.2f' }
add_each(opening, { title = '%s, system calls of open and close', library = 'descriptor',
  measure = 'calls', same_as = 'bare', format = '%.0f' })
add_each(opening, { title = '%s, open and close by `sock99.open`, to bare C',
  library = 'descriptor', measure = 'ratio', most = 1.15, format = '%.2f' })
add_each(opening, { title = '%s, open and close by `sock99.socket`, to bare C',
  library = 'sock99', measure = 'ratio', most = 1.2, format = '%.2f' })
add { work = 'traffic.echo', title = 'system calls of a round trip', library = 'sock99',
  measure = 'calls', most = 2, format = '%.2f' }
add { work = 'traffic.limited', title = 'the same with a timeout', library = 'sock99',
  measure = 'calls', most = 4, format = '%.2f' }
add { work = 'traffic.send', title = 'send 64 KiB, to bare C', library = 'sock99',
  measure = 'ratio', most = 1.05, format = '%.2f' }
add { work = 'traffic.receive', title = 'receive 64 KiB, to bare C', library = 'sock99',
  measure = 'ratio', most = 1.4, format = '%.2f' }
add { work = 'traffic.echo', title = 'echo of 64 bytes, to bare C', library = 'sock99',
  measure = 'ratio', most = 1.05, format = '%.2f' }
add { work = 'traffic.lines', title = 'line of 60 bytes, µs', library = 'sock99',
  measure = 'us', most = 0.1, format = '%.3f' }
add { work = 'traffic.datagrams', title = 'datagram of 64 bytes received, µs', library = 'sock99',
  measure = 'us', most = 1.2, format = '%.2f' }
add { work = 'traffic.many', title = 'the same with `receivemany`, µs', library = 'sock99',
  measure = 'us', most = 0.9, format = '%.2f' }
add { work = 'memory', title = "Lua's memory of an idle connection, bytes", library = 'sock99',
  measure = 'lua bytes', most = 199, format = '%.0f' }
add { work = 'size', title = 'shared object, stripped, KiB', library = 'sock99',
  measure = 'bytes', unit = 1024, most = 100, format = '%.0f' }
add_each({ 'program.http_large', 'program.http_small', 'program.copas_echo',
  'program.redis_pipelines' }, { title = '%s, CPU time to LuaSocket\'s', library = 'sock99',
  measure = 'processor ratio', most = 1, format = '%.2f' })


return goals
