-- http_server: an HTTP/1.1 server for clients under test. It does what each
-- path asks for, well-behaved or not, and closes after each answer.

local peer = require 'peer'

local http_server = {}

-- Answers by path: functions of the connection and the request.
local routes = {}


-- Each of the 256 bytes, and so often that the pattern's length is odd: no
-- block of a client's begins where another did.
local pattern = {}
for i = 0, 256 do
  pattern[#pattern + 1] = string.char((i * 7) % 256)
end
pattern = table.concat(pattern)


-- `size` bytes from `position` (from 0) of the endless body.
function http_server.bytes(position, size)
  local offset = position % #pattern
  local copies = math.ceil((offset + size) / #pattern)
  return pattern:rep(copies):sub(offset + 1, offset + size)
end


local function answer(connection, status, headers, body)
  local lines = { 'HTTP/1.1 ' .. status }
  for name, value in pairs(headers) do
    lines[#lines + 1] = name .. ': ' .. value
  end
  lines[#lines + 1] = '\r\n'
  return connection:write(table.concat(lines, '\r\n') .. (body or ''))
end


local function ok(connection, body)
  answer(connection, '200 OK', { ['Content-Length'] = #body }, body)
end


-- Sends `size` bytes of the endless body, as `frame` makes them.
local function send_bytes(connection, size, frame)
  local position = 0
  while position < size do
    local block = http_server.bytes(position, math.min(65536, size - position))
    if not connection:write(frame and frame(block) or block) then
      return
    end
    position = position + #block
  end
end


local function chunk(data)
  return ('%x\r\n'):format(#data) .. data .. '\r\n'
end


local function size_in(request)
  return tonumber(request.path:match '%d+$')
end


-- What arrived, as text.
local function told(request)
  local names, lines = {}, { request.method .. ' ' .. request.path }
  for name in pairs(request.headers) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    if name ~= 'user-agent' then
      lines[#lines + 1] = name .. ': ' .. request.headers[name]:gsub(':%d+$', ':PORT')
    end
  end
  lines[#lines + 1] = ''
  lines[#lines + 1] = request.body
  return table.concat(lines, '\n')
end


routes['/echo'] = function(connection, request)
  ok(connection, told(request))
end


-- How much arrived, and whether it is the endless body.
routes['/count'] = function(connection, request)
  local size = #request.body
  local right = request.body == http_server.bytes(0, size)
  ok(connection, ('%d bytes, %s'):format(size, right and 'right' or 'wrong'))
end


routes['/length'] = function(connection, request)
  local size = size_in(request)
  answer(connection, '200 OK', { ['Content-Length'] = ('%d'):format(size) })
  send_bytes(connection, size)
end


routes['/until-closed'] = function(connection, request)
  answer(connection, '200 OK', {})
  send_bytes(connection, size_in(request))
end


routes['/chunked'] = function(connection, request)
  answer(connection, '200 OK', { ['Transfer-Encoding'] = 'chunked' })
  send_bytes(connection, size_in(request), chunk)
  connection:write '0\r\n\r\n'
end


routes['/trailers'] = function(connection)
  answer(connection, '200 OK', { ['Transfer-Encoding'] = 'chunked', ['Trailer'] = 'X-Sum' })
  connection:write '5;name=value\r\nhello\r\n7\r\n, world\r\n0\r\nX-Sum: 12\r\n\r\n'
end


routes['/bad-chunk'] = function(connection)
  answer(connection, '200 OK', { ['Transfer-Encoding'] = 'chunked' })
  connection:write '5\r\nhello\r\nno number\r\n'
end


routes['/continue'] = function(connection)
  connection:write 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\nX-Wait: yes\r\n\r\n'
  ok(connection, 'continued')
end


routes['/status'] = function(connection, request)
  answer(connection, ('%d Told'):format(size_in(request)), {})
end


routes['/redirect'] = function(connection, request)
  answer(connection, ('%d Moved'):format(size_in(request)), {
    ['Location'] = '/echo', ['Content-Length'] = 5 }, 'moved')
end


routes['/absolute'] = function(connection, request)
  local place = ('http://%s/echo'):format(request.headers.host)
  answer(connection, '302 Found', { ['Location'] = place })
end


routes['/circle'] = function(connection)
  answer(connection, '302 Found', { ['Location'] = '/circle', ['Content-Length'] = 0 })
end


routes['/secret'] = function(connection, request)
  if request.headers.authorization == 'Basic dXNlcjpwYXNzIHdvcmQ=' then
    return ok(connection, 'welcome')
  end
  answer(connection, '401 Unauthorized', {
    ['WWW-Authenticate'] = 'Basic realm="tests"', ['Content-Length'] = 2 }, 'no')
end


routes['/folded'] = function(connection)
  connection:write('HTTP/1.1 200 OK\r\nX-Long: one\r\n  two\r\nX-Twice: 1\r\nX-Twice: 2\r\n' ..
    'Content-Length: 0\r\n\r\n')
end


-- Line ends without CR, and CRs where none belong.
routes['/sloppy'] = function(connection)
  connection:write 'HTTP/1.1 200 O\rK\nX-Odd: a\rb\r\r\nContent-Length: 4\n\nbody'
end


routes['/old'] = function(connection)
  connection:write 'no status line: HTTP/0.9\r\nmore'
end


routes['/malformed'] = function(connection)
  connection:write 'HTTP/1.1 200 OK\r\nthis is no header\r\n\r\n'
end


-- Ends too early: before anything, in the status line, the headers, the body.
routes['/nothing'] = function()
end


routes['/half-status'] = function(connection)
  connection:write 'HTTP/1.1 20'
end


routes['/half-headers'] = function(connection)
  connection:write 'HTTP/1.1 200 OK\r\nContent-Le'
end


routes['/half-length'] = function(connection, request)
  local size = size_in(request)
  answer(connection, '200 OK', { ['Content-Length'] = ('%d'):format(size * 2) })
  send_bytes(connection, size)
end


routes['/half-chunk'] = function(connection)
  answer(connection, '200 OK', { ['Transfer-Encoding'] = 'chunked' })
  connection:write '5\r\nhello\r\nff\r\nnot all of it'
end


-- Says nothing until the client is gone.
routes['/silence'] = function(connection)
  connection:read_to_end()
end


local function read_headers(connection)
  local headers = {}
  for line in function() return connection:line() end do
    if line == '' then
      return headers
    end
    local name, value = line:match '^([^:]+):%s*(.*)$'
    headers[name:lower()] = value
  end
  return nil
end


local function read_chunks(connection)
  local pieces = {}
  while true do
    local size = tonumber(connection:line() or '0', 16)
    pieces[#pieces + 1] = connection:read(size)
    connection:line()
    if size == 0 then
      return table.concat(pieces)
    end
  end
end


local function read_body(connection, headers)
  if headers['transfer-encoding'] then
    return read_chunks(connection)
  end
  return connection:read(tonumber(headers['content-length'] or 0))
end


local function read_request(connection)
  local method, path = (connection:line() or ''):match '^(%u+) (%S+)'
  local headers = method and read_headers(connection)
  if not headers then
    return nil
  end
  return { method = method, path = path, headers = headers,
    body = read_body(connection, headers) }
end


-- '/length/50' is the route '/length', as is what a proxy is asked for.
local function route_of(path)
  return routes[path:gsub('^http://[^/]+', ''):match '^/[^/?]*']
end


-- One request and its answer.
function http_server.handle(connection)
  local request = read_request(connection)
  if not request then
    return
  end
  local route = route_of(request.path)
  if route then
    route(connection, request)
  else
    answer(connection, '404 Not Found', { ['Content-Length'] = 4 }, 'none')
  end
end


-- Starts one; its URL without a path, and the process.
function http_server.start()
  local port, pid = peer.serve(http_server.handle)
  return 'http://127.0.0.1:' .. port, pid
end


return http_server
