-- socket.http, as programs use it, against the tests' own server.

local socket = require 'socket'
local http = require 'socket.http'
local ltn12 = require 'ltn12'
local url = require 'socket.url'
local http_server = require 'http_server'

local case = {}

local MEGABYTE = 1048576

local base = http_server.start()


-- The headers, without those that name a port.
local function tell_headers(t, label, headers)
  local told = {}
  for name, value in pairs(headers or {}) do
    told[name] = value:gsub(':%d%d%d%d%d', ':PORT')
  end
  t.tell(label, told)
end


local function tell(t, label, body, code, headers, status)
  t.tell(label, body, code, status)
  tell_headers(t, label .. ' headers', type(headers) == 'table' and headers or {})
end


-- A sink that holds the endless body against what arrives.
local function comparing_sink()
  local got = { bytes = 0, wrong = 0 }
  return got, function(chunk)
    if chunk then
      if chunk ~= http_server.bytes(got.bytes, #chunk) then
        got.wrong = got.wrong + 1
      end
      got.bytes = got.bytes + #chunk
    end
    return 1
  end
end


local function fetch(t, path, size)
  local got, sink = comparing_sink()
  local ok, code = http.request { url = base .. path, sink = sink }
  t.tell(path, ok, code, got)
  t.equal(ok, 1, path)
  t.equal(got.bytes, size, path)
  t.equal(got.wrong, 0, path)
end


function case.get(t)
  local body, code, headers, status = http.request(base .. '/echo')
  t.equal(code, 200)
  tell(t, '/echo', body, code, headers, status)
  tell(t, '/nosuch', http.request(base .. '/nosuch'))
  tell(t, 'query', http.request(base .. '/echo?a=b&c=%20d'))
end


function case.methods(t)
  tell(t, 'HEAD', http.request { url = base .. '/length/100', method = 'HEAD' })
  local answer = {}
  tell(t, 'PUT', http.request { url = base .. '/echo', method = 'PUT',
    source = ltn12.source.string 'new', headers = { ['content-length'] = 3, ['X-Own'] = 'yes' },
    sink = ltn12.sink.table(answer) })
  t.tell('PUT answer', table.concat(answer))
  for _, code in ipairs { 204, 304, 404, 500 } do
    tell(t, 'status ' .. code, http.request(base .. '/status/' .. code))
  end
end


function case.post(t)
  local body, code = http.request(base .. '/echo', 'name=value&other=thing')
  t.equal(code, 200)
  t.tell('form', body, code)
  t.tell('empty form', http.request(base .. '/echo', ''))
end


function case.post_in_chunks(t)
  local sent, answer = 0, {}
  local ok, code = http.request {
    url = base .. '/count', method = 'POST', sink = ltn12.sink.table(answer),
    source = function()
      if sent == 300 then
        return nil
      end
      sent = sent + 1
      return http_server.bytes((sent - 1) * 1000, 1000)
    end,
  }
  t.tell('answer', ok, code, table.concat(answer))
  t.equal(table.concat(answer), '300000 bytes, right')
end


function case.post_a_large_body(t)
  local size, answer = 8 * MEGABYTE, {}
  local ok, code = http.request {
    url = base .. '/count', method = 'POST', sink = ltn12.sink.table(answer),
    headers = { ['content-length'] = ('%d'):format(size) },
    source = ltn12.source.string(http_server.bytes(0, size)),
  }
  t.tell('answer', ok, code, table.concat(answer))
  t.equal(table.concat(answer), ('%d bytes, right'):format(size))
end


function case.redirects(t)
  for _, code in ipairs { 301, 302, 303, 307 } do
    local body, result, headers = http.request(base .. '/redirect/' .. code)
    t.equal(result, 200, 'after ' .. code)
    tell(t, 'after ' .. code, body, result, headers)
  end
  tell(t, 'absolute', http.request(base .. '/absolute'))
  tell(t, 'refused', http.request { url = base .. '/redirect/302', redirect = false })
  tell(t, 'not for a POST', http.request(base .. '/redirect/302', 'body'))
  tell(t, 'in a circle', http.request(base .. '/circle'))
  tell(t, 'at most 2', http.request { url = base .. '/circle', maxredirects = 2 })
end


function case.chunked(t)
  fetch(t, '/chunked/1', 1)
  fetch(t, '/chunked/200000', 200000)
  tell(t, 'trailers', http.request(base .. '/trailers'))
  tell(t, 'a bad size', http.request(base .. '/bad-chunk'))
end


function case.continue_100(t)
  tell(t, 'without a body', http.request(base .. '/continue'))
  local answer = {}
  tell(t, 'with a body', http.request { url = base .. '/continue', method = 'POST',
    headers = { expect = '100-continue', ['content-length'] = 5 },
    source = ltn12.source.string 'large', sink = ltn12.sink.table(answer) })
  t.tell('answer', table.concat(answer))
end


function case.basic_authentication(t)
  tell(t, 'none', http.request(base .. '/secret'))
  tell(t, 'in the URL', http.request(base:gsub('//', '//user:pass%%20word@') .. '/secret'))
  tell(t, 'wrong', http.request(base:gsub('//', '//user:wrong@') .. '/secret'))
  local answer = {}
  t.equal(select(2, http.request { url = base .. '/secret', user = 'user',
    password = 'pass word', sink = ltn12.sink.table(answer) }), 200)
  t.tell('in the table', table.concat(answer))
end


function case.a_proxy(t)
  local answer = {}
  local ok, code = http.request { url = 'http://example.invalid/echo?x=1', proxy = base,
    sink = ltn12.sink.table(answer) }
  t.equal(ok, 1)
  t.tell('through it', code, table.concat(answer))
end


function case.a_body_of_50_megabytes(t)
  local size = (t.slow and 5 or 50) * MEGABYTE
  fetch(t, ('/length/%d'):format(size), size)
end


function case.a_body_until_closed(t)
  fetch(t, '/until-closed/3000000', 3000000)
  fetch(t, '/until-closed/0', 0)
end


function case.odd_but_valid(t)
  tell(t, 'folded', http.request(base .. '/folded'))
  tell(t, 'sloppy', http.request(base .. '/sloppy'))
  tell(t, 'HTTP/0.9', http.request(base .. '/old'))
  tell(t, 'malformed', http.request(base .. '/malformed'))
end


function case.a_server_that_ends_too_early(t)
  for _, path in ipairs { '/nothing', '/half-status', '/half-headers', '/half-chunk' } do
    tell(t, path, http.request(base .. path))
  end
  local got, sink = comparing_sink()
  tell(t, 'half a body', http.request { url = base .. '/half-length/100000', sink = sink })
  t.tell('that half', got)
  t.check(got.bytes > 90000, 'half of it is missing')
end


-- In the middle of the body the process is gone, and with it the listener.
function case.a_server_that_dies(t)
  local port, pid = t.peer.serve(function(connection)
    repeat
      local line = connection:line()
    until not line or line == ''
    connection:write 'HTTP/1.1 200 OK\r\nContent-Length: 140000\r\n\r\n'
    connection:write(http_server.bytes(0, 70000))
    t.system.exit(0)
  end)
  local got, sink = comparing_sink()
  tell(t, 'first', http.request { url = ('http://127.0.0.1:%d/'):format(port), sink = sink })
  t.tell('got', got)
  t.check(got.bytes > 60000, 'what was sent is missing')
  t.peer.wait(pid)
  tell(t, 'second', http.request(('http://127.0.0.1:%d/'):format(port)))
end


-- A reset may overtake what was sent before it.
function case.a_reset(t)
  local port = t.peer.serve(function(connection)
    connection:write 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart of it'
    -- Closing with the request unread is a reset.
  end)
  local ok, problem = http.request { url = ('http://127.0.0.1:%d/'):format(port) }
  t.tell('result', ok, problem)
  t.equal(ok, nil)
end


function case.timeouts(t)
  local before = http.TIMEOUT
  http.TIMEOUT = 0.2
  local started = socket.gettime()
  tell(t, 'silence', http.request(base .. '/silence'))
  local took = socket.gettime() - started
  http.TIMEOUT = before
  t.check(took > 0.19, 'it did not wait')
  t.check(took < 5, 'it waited too long')
end


function case.no_server(t)
  local port = t.peer.port_of_nobody()
  tell(t, 'refused', http.request(('http://127.0.0.1:%d/'):format(port)))
  tell(t, 'no such host', http.request 'http://no-such-host.invalid/')
  tell(t, 'no host', http.request 'http:///path')
end


-- The pieces that http.request is made of, as programs use them.
function case.step_by_step(t)
  local parsed = url.parse(base)
  local session = http.open(parsed.host, parsed.port, socket.tcp)
  t.tell('request line', session:sendrequestline('GET', '/length/10'))
  t.tell('headers', session:sendheaders { host = 'x', connection = 'close' })
  t.tell('status', session:receivestatusline())
  local headers = session:receiveheaders()
  tell_headers(t, 'headers', headers)
  local got, sink = comparing_sink()
  t.tell('body', session:receivebody(headers, sink))
  t.tell('got', got)
  t.tell('close', session:close())
end


function case.a_socket_of_ones_own(t)
  local created = 0
  local answer = {}
  local ok, code = http.request {
    url = base .. '/length/20', sink = ltn12.sink.table(answer),
    create = function()
      created = created + 1
      local connection = socket.tcp()
      connection:setoption('tcp-nodelay', true)
      return setmetatable({}, { __index = function(_, name)
        return function(_, ...)
          return connection[name](connection, ...)
        end
      end })
    end,
  }
  t.tell('result', ok, code, created, #table.concat(answer))
  t.equal(created, 1)
end


function case.many_requests(t)
  local before = t.descriptors()
  for i = 1, 300 do
    local body, code = http.request(base .. '/length/' .. i)
    t.equal(code, 200)
    t.equal(#body, i)
  end
  t.equal(t.descriptors(), before, 'descriptors')
end


return case
