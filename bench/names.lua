-- names.lua: what the report calls what was measured, and in which order.

local names = {}

names.lua = { ['5.1'] = 'Lua 5.1', ['5.3'] = 'Lua 5.3', ['5.4'] = 'Lua 5.4', jit = 'LuaJIT' }
names.luas = { '-', '5.1', '5.3', '5.4', 'jit' }

names.library = {
  bare = 'bare C', socket99 = 'socket99_open, C', descriptor = 'sock99.open',
  sock99 = 'sock99', luasocket = 'LuaSocket', cqueues = 'cqueues', luv = 'luv',
  luaposix = 'luaposix',
}
names.libraries =
  { 'bare', 'socket99', 'descriptor', 'sock99', 'luasocket', 'cqueues', 'luv', 'luaposix' }

names.work = {
  ['open.tcp_server'] = 'TCP server', ['open.tcp_client'] = 'TCP client',
  ['open.udp_client'] = 'UDP client', ['open.unix_client'] = 'Unix client',
  ['traffic.send'] = 'send 64 KiB', ['traffic.receive'] = 'receive 64 KiB',
  ['traffic.echo'] = 'echo of 64 bytes', ['traffic.limited'] = 'echo, with a timeout',
  ['traffic.lines'] = 'line of 60 bytes', ['traffic.datagrams'] = 'datagram of 64 bytes',
  ['traffic.many'] = 'datagram, many at once',
  memory = 'memory', size = 'size of the shared object',
  ['network.dead6'] = 'dead IPv6 address, then IPv4',
  ['network.dead4'] = 'dead IPv4 address, then IPv6',
  ['network.silent'] = 'silent resolver, timeout 1 s',
  ['program.http_large'] = 'socket.http: 50 MB',
  ['program.http_small'] = 'socket.http: 5,000 requests',
  ['program.copas_echo'] = 'copas: 20,000 lines, 1,000 connections',
  ['program.redis_pipelines'] = 'redis-lua: 20 pipelines of 10,000 commands',
}
names.opening = { 'open.tcp_server', 'open.tcp_client', 'open.udp_client', 'open.unix_client' }
names.traffic = { 'traffic.send', 'traffic.receive', 'traffic.echo', 'traffic.lines',
  'traffic.datagrams', 'traffic.many' }
names.failing = { 'network.dead6', 'network.dead4', 'network.silent' }
names.programs = { 'program.http_large', 'program.http_small', 'program.copas_echo',
  'program.redis_pipelines' }


function names.who(library, lua)
  local text = names.library[library]
  return names.lua[lua] and text .. ', ' .. names.lua[lua] or text
end


return names
