-- network.lua LIBRARY HOST PORT TIMEOUT: one measurement of bench/failing.lua:
-- connects as its library does, and prints the seconds it took and the outcome.

local library, host, port, timeout = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4])

local clock = require 'sock99'.gettime

-- Each loads its library, and gives what connects and tells how that ended.
local open = {}


function open.sock99()
  local sock99 = require 'sock99'
  return function()
    local socket, message = sock99.socket { host = host, port = port, timeout = timeout }
    return socket and 'connected' or message
  end
end


function open.luasocket()
  local socket = require 'socket'
  return function()
    local tcp = socket.tcp()
    tcp:settimeout(timeout)
    local ok, message = tcp:connect(host, port)
    return ok and 'connected' or message
  end
end


function open.cqueues()
  local cqueues = require 'cqueues'
  local errno = require 'cqueues.errno'
  local socket = require 'cqueues.socket'
  return function()
    local outcome
    local loop = cqueues.new()
    loop:wrap(function()
      local connection = socket.connect { host = host, port = port }
      connection:onerror(function(_, _, code) return code end)
      local ok, code = connection:connect(timeout)
      outcome = ok and 'connected' or errno.strerror(code)
    end)
    assert(loop:loop())
    return outcome
  end
end


function open.luv()
  local uv = require 'luv'
  return function()
    local outcome
    local function finish(message)
      outcome = outcome or message
      uv.stop()
    end
    local timer = uv.new_timer()
    timer:start(timeout * 1000, 0, function() finish 'timeout' end)
    uv.getaddrinfo(host, tostring(port), { socktype = 'stream' }, function(failure, found)
      if failure then
        return finish(failure)
      end
      uv.new_tcp():connect(found[1].addr, port, function(message)
        finish(message or 'connected')
      end)
    end)
    uv.run()
    return outcome
  end
end


local connect = open[library]()
local before = clock()
local outcome = connect()
io.write(string.format('%.4f s: %s\n', clock() - before, tostring(outcome)))
io.stdout:flush()
os.exit(0)
