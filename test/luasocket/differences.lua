-- differences: where our core answers otherwise than LuaSocket's, on purpose.
-- By the case of the conformance program, and the label of what it tells: what
-- LuaSocket's tells, and what ours does. README.md has the reasons.

local differences = {}

local function differ(case, label, theirs, ours)
  differences[case] = differences[case] or {}
  differences[case][label] = { theirs, ours }
end


-- A port is a number everywhere. LuaSocket's getsockname tells it as a string.
for _, place in ipairs {
  { 'accept', 'accepted', '127.0.0.1' },
  { 'bind', 'at localhost', '127.0.0.1' },
  { 'bind', 'bound', '127.0.0.1' },
  { 'bind', 'tcp bound', '0.0.0.0' },
  { 'bind_ipv6', 'an IPv6 client', '::1' },
  { 'bind_ipv6', 'tcp at ::', '::' },
  { 'bind_ipv6', 'tcp6 at *', '::' },
  { 'connect', 'connected', '127.0.0.1' },
  { 'udp_names', 'bound udp', '127.0.0.1' },
  { 'udp_names', 'udp at *', '0.0.0.0' },
} do
  local case, who, host = place[1], place[2], place[3]
  local family = host:find ':' and 'inet6' or 'inet'
  differ(case, who .. ':getsockname()', ("'%s', 'PORT', '%s'"):format(host, family),
    ("'%s', PORT, '%s'"):format(host, family))
end


-- A Unix stream is a tcp object, a Unix datagram socket a udp object, as copas and
-- others tell them apart by their first letters.
differ('the_module', 'unix()', 'unixstream{master}', 'tcp{master}')
differ('objects', 'unix.stream', "unixstream{master}, 'unixstream{master}', true",
  "tcp{master}, 'tcp{master}', true")
differ('objects', 'unix.dgram', "unixdgram{unconnected}, 'unixdgram{unconnected}', true",
  "udp{unconnected}, 'udp{unconnected}', true")
differ('unix_stream', 'bound', 'unixstream{master}', 'tcp{master}')
differ('unix_stream', 'listens', 'unixstream{server}', 'tcp{server}')
differ('unix_stream', 'connected', 'unixstream{client}', 'tcp{client}')
differ('unix_stream', 'accepted', 'unixstream{client}, true', 'tcp{client}, true')
differ('unix_dgram', 'connected', 'unixdgram{connected}', 'udp{connected}')

for _, refusal in ipairs {
  { 'unix_dgram', "connected:sendto('x', '/.../dgram')", 'unixdgram{unconnected}' },
  { 'unix_dgram', "dgram:send('x')", 'unixdgram{connected}' },
  { 'unix_stream', "server:receive('/.../stream')", 'unixstream{client}' },
  { 'unix_stream', "server:send('/.../stream')", 'unixstream{client}' },
  { 'unix_stream', 'stream:accept()', 'unixstream{server}' },
  { 'unix_stream', "stream:send('x')", 'unixstream{client}' },
} do
  local text = "'raises', 'bad argument: %s expected'"
  local ours = refusal[3]:gsub('unixdgram', 'udp'):gsub('unixstream', 'tcp')
  differ(refusal[1], refusal[2], text:format(refusal[3]), text:format(ours))
end

-- … and so connect is a method of all of them.
for _, who in ipairs { 'client', 'server' } do
  differ('unix_stream', ("%s:connect('/.../stream')"):format(who),
    "'raises', 'bad argument: unixstream{master} expected'", "nil, 'already connected'")
end


-- Abstract names work.
differ('unix_abstract', 'connect', "nil, 'Invalid argument'", '1')
differ('unix_abstract', 'its name', 'false', 'true')
differ('unix_abstract', 'too long', '1', "nil, 'path too long'")


-- Nothing is cut or wrapped in silence.
differ('connect', "tcp:connect('127.0.0.1', PORT + 65536)", "nil, 'connection refused'",
  "nil, 'service not supported for socket type'")
differ('connect', "tcp:connect('127.0.0.1\\0x', PORT)", "nil, 'connection refused'",
  "nil, 'host '127.0.0.1' has a NUL byte in it'")
differ('udp_datagrams', 'large by default', '8192', 'PORT')
differ('unix_dgram', 'large by default', '8192', 'PORT')


-- Numeric options take numbers; LuaSocket takes everything else as 0.
local numeric = {
  { 'options_of_tcp', 'client', '1', 'recv-buffer-size', 'send-buffer-size', 'tcp-defer-accept' },
  { 'options_of_tcp', 'client', "nil, 'setsockopt failed'", 'tcp-fastopen',
    'tcp-fastopen-connect', 'tcp-keepcnt', 'tcp-keepidle', 'tcp-keepintvl' },
  { 'options_of_udp', 'udp', '1', 'ip-multicast-ttl', 'recv-buffer-size', 'send-buffer-size' },
  { 'options_of_udp', 'udp', "nil, 'setsockopt failed'", 'ipv6-multicast-hops',
    'ipv6-unicast-hops' },
  { 'options_of_udp_ipv6', 'udp6', '1', 'ipv6-multicast-hops', 'ipv6-unicast-hops' },
}

local no_numbers = {
  [''] = 'nil', [", 'x'"] = 'string', [', true'] = 'boolean', [', {}'] = 'table',
}

for _, options in ipairs(numeric) do
  for i = 4, #options do
    for argument, kind in pairs(no_numbers) do
      differ(options[1], ("%s:setoption('%s'%s)"):format(options[2], options[i], argument),
        options[3], ("'raises', 'bad argument: number expected, got %s'"):format(kind))
    end
  end
end

differ('options_of_udp', "udp:setoption('ip-multicast-if', 5)", "nil, 'setsockopt failed'",
  "'raises', 'bad argument: ip expected'")


-- Either family's name of an option works on either family.
for _, call in ipairs { "setoption('ipv6-multicast-hops', 5)", "setoption('ipv6-unicast-hops', 5)",
  "setoption('ipv6-multicast-loop', true)" } do
  differ('options_of_udp', 'udp:' .. call, "nil, 'setsockopt failed'", '1')
end
for name, value in pairs { ['multicast-hops'] = '5', ['multicast-loop'] = 'true',
  ['unicast-hops'] = '64' } do
  differ('options_of_udp', ("udp:getoption('ipv6-%s')"):format(name),
    "nil, 'getsockopt failed'", value)
end

-- They tell the truth: LuaSocket's reads what nothing was written to.
differ('options_of_udp_ipv6', "udp6:getoption('ipv6-multicast-hops')", '64', '1')
differ('options_of_udp_ipv6', "udp6:getoption('ipv6-unicast-hops')", '0', '64')

-- Without lingering there is no time to tell.
for i = 2, 6 do
  differ('values_of_options', ("client:getoption('linger') #%d"):format(i),
    '{on=false timeout=5}', '{on=false timeout=0}')
end


-- Patterns go without the star, too, and lines with their end; a list is sent.
for _, pattern in ipairs { '*L', 'L', 'a', 'l' } do
  differ('receive', ("nothing:receive('%s')"):format(pattern),
    "'raises', 'bad argument: invalid receive pattern'", "nil, 'timeout', ''")
end
for _, arguments in ipairs { '-1', "-1, 'before'" } do
  differ('receive', ('nothing:receive(%s)'):format(arguments),
    "'raises', 'bad argument: invalid receive pattern'",
    "'raises', 'bad argument: count -1 is less than 0'")
end
differ('send', 'client:send({})', "'raises', 'bad argument: string expected, got table'", '0')
differ('udp_connected', 'connected:send({})',
  "'raises', 'bad argument: string expected, got table'", '0')


-- A datagram can be sent to a name, and what is wrong with an address is said.
differ('udp_datagrams', "udp:sendto('x', 'localhost', PORT)", "nil, 'Name or service not known'",
  '1')
differ('udp_datagrams', "udp:sendto('x', '127.0.0.1')",
  "'raises', 'bad argument: string expected, got nil'", "nil, 'Invalid argument'")
differ('udp_datagrams', "udp:sendto('x', '127.0.0.1', 'no-such-service')",
  "nil, 'Name or service not known'",
  "nil, 'service not supported for socket type'")
differ('udp_datagrams', "udp:sendto('x', 'no-such-host.invalid', PORT)",
  "nil, 'Name or service not known'",
  "nil, 'host or service not provided, or not known'")
differ('udp_datagrams', "udp:sendto('x', '::1', PORT)",
  "nil, 'Address family for hostname not supported'",
  "nil, '::1 is not an address of the socket's family'")
-- A table without a first entry is a mistake.
for _, label in ipairs { 'a hole', 'not in the list' } do
  differ('select', label, "0, 0, 'timeout'",
    "'raises', 'bad argument: a list expected, got a table without an entry 1'")
end
differ('unix_dgram', "dgram:sendto('x', '')", "nil, 'Invalid argument'", "nil, 'path is empty'")


-- What has no descriptor is closed, and keeps its options for the one to come.
for _, label in ipairs { 'closed udp:getsockname()', 'closed:getpeername()',
  'closed:getsockname()', 'fresh udp:getsockname()', 'fresh:getpeername()',
  'fresh:getsockname()', 'fresh:listen()' } do
  differ('without_a_descriptor', label, "nil, 'Bad file descriptor'", "nil, 'closed'")
end
for _, who in ipairs { 'closed udp', 'fresh udp' } do
  differ('without_a_descriptor', who .. ':receive()', "''", "nil, 'closed'")
  differ('without_a_descriptor', who .. ':receivefrom()', "nil, 'ai_family not supported'",
    "nil, 'closed'")
end
differ('without_a_descriptor', "closed udp:sendto('x', '127.0.0.1', 9)", "nil, 'refused'",
  "nil, 'closed'")
differ('without_a_descriptor', "fresh udp:setoption('broadcast', true)",
  "nil, 'setsockopt failed'", '1')
differ('without_a_descriptor', "fresh:setoption('keepalive', true)", "nil, 'setsockopt failed'",
  '1')
differ('setfd', 'taken:getpeername()', "'127.0.0.1', PORT, 'unspec'", "'127.0.0.1', PORT, 'inet'")


-- No timeout is told as -1, whatever it was set by.
differ('timeouts', 'and now #13', '-5, 4', '-1, 4')
differ('timeouts', 'and now #15', '-1, -5', '-1, -1')


-- No descriptor is too large for select, and what it cannot wait for it says.
differ('select', 'a number', "'raises', 'attempt to index a number value'", "0, 0, 'timeout'")
differ('select', 'a string', "0, 0, 'timeout'",
  "'raises', 'bad argument: entry 1: a socket or a descriptor expected, got string'")
differ('select', 'a table without getfd', "0, 0, 'timeout'",
  "'raises', 'bad argument: entry 1: it has neither getfd nor pollfd'")
differ('select', 'a descriptor that is not open', "0, 0, 'timeout'",
  "'raises', 'bad argument: entry 1: descriptor 900 is not open'")
differ('select', 'beyond 1,024', "'raises', 'bad argument: descriptor too large for set size'",
  "'raises', 'bad argument: entry 1: descriptor 5000 is not open'")
differ('select', 'a timeout that is not a number', "0, 0, 'timeout'",
  "'raises', 'bad argument: not a number'")


-- protect can be yielded across wherever pcall can.
if rawget(_G, 'jit') then
  differ('try_and_protect', 'yield', 'false', 'true')
  differ('try_and_protect', 'resumed', "false, 'cannot resume dead coroutine'",
    "true, nil, 'a reason'")
end


return differences
