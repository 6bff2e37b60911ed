-- open.lua LIBRARY KIND N HOST PORT PATH: opens and closes a socket of the kind
-- N times with one of Lua's libraries, and prints the CPU time of that in seconds.

local libraries = {}


function libraries.descriptor()
  local sock99 = require 'sock99'
  local open, close = sock99.open, sock99.close
  return {
    tcp_server = function(host, port) return open { host = host, port = port, server = true } end,
    tcp_client = function(host, port) return open { host = host, port = port } end,
    udp_client = function(host, port) return open { host = host, port = port, datagram = true } end,
    unix_client = function(_, _, path) return open { path = path } end,
  }, close
end


function libraries.sock99()
  local socket = require 'sock99'.socket
  return {
    tcp_server = function(host, port) return socket { host = host, port = port, server = true } end,
    tcp_client = function(host, port) return socket { host = host, port = port } end,
    udp_client = function(host, port)
      return socket { host = host, port = port, datagram = true }
    end,
    unix_client = function(_, _, path) return socket { path = path } end,
  }, function(object) object:close() end
end


function libraries.luaposix()
  local s = require 'posix.sys.socket'

  local function client(type, address)
    local fd = assert(s.socket(address.family, type, 0))
    assert(s.connect(fd, address))
    return fd
  end

  return {
    tcp_server = function(host, port)
      local fd = assert(s.socket(s.AF_INET, s.SOCK_STREAM, 0))
      assert(s.setsockopt(fd, s.SOL_SOCKET, s.SO_REUSEADDR, 1))
      assert(s.bind(fd, { family = s.AF_INET, addr = host, port = port }))
      assert(s.listen(fd, s.SOMAXCONN))
      return fd
    end,
    tcp_client = function(host, port)
      return client(s.SOCK_STREAM, { family = s.AF_INET, addr = host, port = port })
    end,
    udp_client = function(host, port)
      return client(s.SOCK_DGRAM, { family = s.AF_INET, addr = host, port = port })
    end,
    unix_client = function(_, _, path)
      return client(s.SOCK_STREAM, { family = s.AF_UNIX, path = path })
    end,
  }, require('posix.unistd').close
end


function libraries.luasocket()
  local s = require 'socket'
  local unix = require 'socket.unix'
  local stream = type(unix) == 'table' and unix.stream or unix
  return {
    tcp_server = function(host, port)
      local object = assert(s.tcp4())
      assert(object:setoption('reuseaddr', true))
      assert(object:bind(host, port))
      assert(object:listen(4096))
      return object
    end,
    tcp_client = function(host, port)
      local object = assert(s.tcp4())
      assert(object:connect(host, port))
      return object
    end,
    udp_client = function(host, port)
      local object = assert(s.udp4())
      assert(object:setpeername(host, port))
      return object
    end,
    unix_client = function(_, _, path)
      local object = assert(stream())
      assert(object:connect(path))
      return object
    end,
  }, function(object) object:close() end
end


function libraries.cqueues()
  local s = require 'cqueues.socket'
  return {
    tcp_server = function(host, port)
      local object = assert(s.listen { host = host, port = port, reuseaddr = true })
      assert(object:listen())
      return object
    end,
    tcp_client = function(host, port)
      local object = assert(s.connect { host = host, port = port })
      assert(object:connect())
      return object
    end,
    udp_client = function(host, port)
      local object = assert(s.connect { host = host, port = port, type = s.SOCK_DGRAM })
      assert(object:connect())
      return object
    end,
    unix_client = function(_, _, path)
      local object = assert(s.connect { path = path })
      assert(object:connect())
      return object
    end,
  }, function(object) object:close() end
end


function libraries.luv()
  local uv = require 'luv'

  -- Runs the loop until what `start` began has told how it ended.
  local function wait(start)
    local done, failure = false, nil
    assert(start(function(problem)
      done, failure = true, problem
    end))
    while not done do
      uv.run 'once'
    end
    assert(not failure, failure)
  end

  return {
    tcp_server = function(host, port)
      local handle = assert(uv.new_tcp())
      assert(handle:bind(host, port))
      assert(handle:listen(4096, print))
      return handle
    end,
    tcp_client = function(host, port)
      local handle = assert(uv.new_tcp())
      wait(function(finish) return handle:connect(host, port, finish) end)
      return handle
    end,
    udp_client = function(host, port)
      local handle = assert(uv.new_udp())
      assert(handle:connect(host, port))
      return handle
    end,
    unix_client = function(_, _, path)
      local handle = assert(uv.new_pipe(false))
      wait(function(finish) return handle:connect(path, finish) end)
      return handle
    end,
  }, function(handle)
    handle:close()
    uv.run 'nowait' -- which frees it
  end
end


local library, kind, n, host, port, path = ...
local kinds, close = libraries[library]()
local open = kinds[kind]
port = tonumber(port)

local start = os.clock()
for _ = 1, tonumber(n) do
  close(assert(open(host, port, path)))
end
print(('%.6f'):format(os.clock() - start))
