-- network.lua: one measurement in a namespace made by bench/network.
-- Run: lua network.lua LIBRARY HOST PORT TIMEOUT; prints seconds and the outcome.

local library, host, port, timeout = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4])

local open = {}

function open.sock99()
  local sock99 = require 'sock99'
  local fd, message = sock99.open{ host = host, port = port, timeout = timeout }
  return fd and 'connected' or message
end

function open.LuaSocket()
  local tcp = require 'socket'.tcp()
  tcp:settimeout(timeout)
  local ok, message = tcp:connect(host, port)
  return ok and 'connected' or message
end

function open.cqueues()
  local cqueues = require 'cqueues'
  local errno = require 'cqueues.errno'
  local socket = require 'cqueues.socket'
  local outcome
  local loop = cqueues.new()
  loop:wrap(function()
    local connection = socket.connect{ host = host, port = port }
    connection:onerror(function(_, _, code) return code end)
    local ok, code = connection:connect(timeout)
    outcome = ok and 'connected' or errno.strerror(code)
  end)
  assert(loop:loop())
  return outcome
end

function open.luv()
  local uv = require 'luv'
  local outcome
  local function finish(message)
    outcome = outcome or message
    uv.stop()
  end
  local timer = uv.new_timer()
  timer:start(timeout * 1000, 0, function() finish 'timeout' end)
  uv.getaddrinfo(host, tostring(port), { socktype = 'stream' }, function(failure, found)
    if failure then return finish(failure) end
    uv.new_tcp():connect(found[1].addr, port, function(message)
      finish(message or 'connected')
    end)
  end)
  uv.run()
  return outcome
end

local function now()
  local file = assert(io.open '/proc/uptime')
  local seconds = file:read '*n'
  file:close()
  return seconds
end

local before = now()
local outcome = open[library]()
io.write(string.format('%.2f s: %s\n', now() - before, tostring(outcome)))
io.stdout:flush()
os.exit(0)
