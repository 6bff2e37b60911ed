-- peer: the other end of a program under test. It is a process of its own and
-- lives on plain descriptors (test_support), so that it is the same whichever
-- core the program runs on.

local system = require 'test_support'

local peer = {}

local BLOCK = 65536

local children = {}


-- One connection, read through a buffer. What fails ends the process: a peer
-- has nobody to tell.
local Connection = {}
Connection.__index = Connection


-- More bytes in the buffer; false at the end of the stream.
local function fill(connection)
  local data, _, code
  repeat
    data, _, code = system.recv(connection.fd)
  until data or code ~= system.ETIMEDOUT
  if not data or data == '' then
    return false
  end
  connection.buffer = connection.buffer .. data
  return true
end


-- The next line without its CR LF; nil at the end of the stream.
function Connection:line()
  local from = 1
  while true do
    local stop = self.buffer:find('\n', from, true)
    if stop then
      local line = self.buffer:sub(1, stop - 1):gsub('\r$', '')
      self.buffer = self.buffer:sub(stop + 1)
      return line
    end
    from = #self.buffer + 1
    if not fill(self) then
      return nil
    end
  end
end


-- Exactly n bytes, or what there was before the stream ended.
function Connection:read(n)
  local pieces, have = { self.buffer }, #self.buffer
  self.buffer = ''
  while have < n do
    if not fill(self) then
      break
    end
    pieces[#pieces + 1] = self.buffer
    have = have + #self.buffer
    self.buffer = ''
  end
  local data = table.concat(pieces)
  self.buffer = data:sub(n + 1)
  return data:sub(1, n)
end


function Connection:read_to_end()
  return self:read(2 ^ 30)
end


function Connection:write(data)
  local position = 1
  while position <= #data do
    local sent = system.send(self.fd, data:sub(position, position + BLOCK - 1))
    if not sent then
      return false
    end
    position = position + sent
  end
  return true
end


function Connection:close()
  system.close(self.fd)
end


-- A listener on a free port of this machine's IPv4, and that port.
function peer.listen()
  local fd = assert(system.socket('inet', 'stream'))
  assert(system.bind(fd, '127.0.0.1', 0))
  assert(system.listen(fd, 512))
  local _, port = assert(system.getsockname(fd))
  return fd, port
end


-- A port where connections are refused for as long as this process lives: it
-- is taken, but nobody listens.
function peer.port_of_nobody()
  local fd = assert(system.socket('inet', 'stream'))
  assert(system.bind(fd, '127.0.0.1', 0))
  local _, port = assert(system.getsockname(fd))
  return port
end


-- The next client, however long it takes.
function peer.accept(listener)
  local fd, message, code
  repeat
    fd, message, code = system.accept(listener)
  until fd or code ~= system.ETIMEDOUT
  return setmetatable({ fd = assert(fd, message), buffer = '' }, Connection)
end


-- Runs f in a process of its own, which ends no later than this one.
function peer.start(f)
  io.stdout:flush()
  local parent = system.getpid()
  local pid = assert(system.fork())
  if pid == 0 then
    system.end_with_parent(parent)
    local ok, problem = pcall(f)
    if not ok then
      io.stderr:write('the peer failed: ', tostring(problem), '\n')
    end
    system.exit(ok and 0 or 1)
  end
  children[pid] = true
  return pid
end


-- Waits until it has ended by itself.
function peer.wait(pid)
  children[pid] = nil
  return system.wait(pid)
end


function peer.stop(pid)
  system.kill(pid)
  peer.wait(pid)
end


function peer.stop_all()
  while next(children) do
    peer.stop((next(children)))
  end
end


-- A server whose `handle` gets one connection after the other; its port.
function peer.serve(handle)
  local listener, port = peer.listen()
  local pid = peer.start(function()
    while true do
      local connection = peer.accept(listener)
      handle(connection)
      connection:close()
    end
  end)
  system.close(listener)
  return port, pid
end


-- Repeats f until it returns something true, which is what is returned.
function peer.eventually(f, what)
  local deadline = system.now() + 10
  repeat
    local result = f()
    if result then
      return result
    end
    system.sleep(0.01)
  until system.now() > deadline
  error(what .. ' within 10 s', 2)
end


return peer
