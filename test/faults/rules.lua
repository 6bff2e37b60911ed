-- What must come of a fault: lists of rules, of which the first that fits counts.
--
-- A rule is { calls, errors, what must come }, each of the first two a string of
-- names, or '*'. What must come:
--
--   'ok'              the work is done, as if there had been no fault
--   'same'            the error is told, in the system's words
--   { stage, error }  of an opening: the stage, and the error that is told if it
--                     is not the fault's own
--   { code = error }  another error is told
--   'either'          both are right: 'ok', and 'same'
--   'an end'          the work is done, or any error is told
--   { any = { … } }   one of these
--   'skip'            the fault is not made, and the reason stands beside the rule
--
-- With `from`, a rule is for that occurrence of the call and later ones.
--
-- Scenarios put rules of their own before these, for what is particular to them.

local rules = {}

-- Waits, interruptions and descriptors that close with an error, in any call.
local everywhere = {
  { 'close', '*', 'ok' },
  { 'write', 'EINTR', 'ok' },
  { '*', 'EINTR', 'ok' },
  -- poll(2), notes: what other systems say where Linux says ENOMEM.
  { 'poll', 'EAGAIN', 'ok' },
  -- The second call gives back the mask that the first one gave; where that fails,
  -- which it cannot with these arguments, there is no other way to do it.
  { 'pthread_sigmask', '*', 'skip', from = 2 },
  -- A socket that is connected to itself is looked for, where that can be done.
  { 'getsockname', '*', 'ok' },
}

-- Openings, by stage.
rules.open = {
  { 'socket', '*', { 'socket' } },
  { 'setsockopt', '*', { 'setsockopt' } },
  { 'bind fchmod open fstat chmod', '*', { 'bind' } },
  { 'listen', '*', { 'listen' } },
  { 'connect getsockopt getifaddrs', '*', { 'connect' } },
  { 'fcntl', '*', { 'fcntl' } },
  { 'getaddrinfo', '*', { 'getaddrinfo' } },
  -- A lookup that cannot begin.
  { 'eventfd pthread_attr_init pthread_cond_init pthread_condattr_init pthread_create ' ..
    'pthread_mutex_init pthread_sigmask', '*',
    { 'getaddrinfo', 'EAI_SYSTEM' } },
  -- An opening that cannot be watched.
  { 'epoll_create1 timerfd_create epoll_add', '*', { 'unknown' } },
  -- Once it is done, nobody minds the alarm.
  { 'timerfd_settime', '*', 'either', from = 2 },
  { 'timerfd_settime', '*', { 'unknown' } },
  -- A descriptor leaves the set when it is closed, at the latest.
  { 'epoll_delete', '*', 'ok' },
  -- Unless all that is waited for is there already.
  { 'poll', '*', { any = { 'ok', { 'unknown' } } } },
}

-- Methods that tell nil, message, code, or with a partial result.
rules.method = {
  { 'recv recvfrom recvmsg recvmmsg send sendto sendmsg sendmmsg accept4 sendfile pread read fread',
    'EAGAIN', 'ok' },
  { '*', '*', 'same' },
}
rules.partial = rules.method

-- Methods that tell no number.
rules.words = {
  { '*', '*', 'an end' },
}


local function has(names, name)
  return names == '*' or (' ' .. names .. ' '):find(' ' .. name .. ' ', 1, true) ~= nil
end


local function find(list, call, error, nth)
  for _, rule in ipairs(list or {}) do
    if has(rule[1], call) and has(rule[2], error) and nth >= (rule.from or 1) then
      return rule[3]
    end
  end
end


-- The rule for one fault of a scenario.
function rules.expected(scenario, call, error, nth)
  return find(scenario.expect, call, error, nth) or find(everywhere, call, error, nth) or
           find(rules[scenario.kind], call, error, nth)
end


return rules
