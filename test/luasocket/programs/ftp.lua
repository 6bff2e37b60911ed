-- socket.ftp against the tests' own server.

local ftp = require 'socket.ftp'
local ltn12 = require 'ltn12'
local ftp_server = require 'ftp_server'
local http_server = require 'http_server'

local case = {}

local size = 1000003
local port = ftp_server.start {
  ['hello.txt'] = 'hello, world\r\n', large = http_server.bytes(0, size),
}
local base = ('127.0.0.1:%d/'):format(port)


function case.get(t)
  t.tell('anonymous', ftp.get('ftp://' .. base .. 'hello.txt'))
  t.tell('with a password', ftp.get('ftp://me:secret@' .. base .. 'hello.txt;type=i'))
  t.tell('without one', ftp.get('ftp://nopass@' .. base .. 'hello.txt'))
  t.tell('wrong', ftp.get('ftp://me:wrong@' .. base .. 'hello.txt'))
  t.tell('no such file', ftp.get('ftp://' .. base .. 'none'))
  t.tell('no such type', ftp.get('ftp://' .. base .. 'hello.txt;type=x'))
end


function case.get_a_large_file(t)
  local pieces = {}
  t.tell('get', ftp.get { host = '127.0.0.1', port = port, path = 'large', type = 'i',
    sink = ltn12.sink.table(pieces) })
  t.equal(table.concat(pieces), http_server.bytes(0, size))
end


function case.put(t)
  t.tell('put', ftp.put('ftp://' .. base .. 'new.txt', 'some text'))
  t.tell('it is there', ftp.get('ftp://' .. base .. 'new.txt'))
  t.tell('large', ftp.put { host = '127.0.0.1', port = port, path = 'copy', type = 'i',
    source = ltn12.source.string(http_server.bytes(0, size)) })
  t.equal(ftp.get('ftp://' .. base .. 'copy'), http_server.bytes(0, size))
  t.tell('append', ftp.put { host = '127.0.0.1', port = port, command = 'appe',
    argument = 'new.txt', source = ltn12.source.string ', and more' })
  t.tell('it is longer', ftp.get('ftp://' .. base .. 'new.txt'))
  t.tell('forbidden', ftp.put('ftp://' .. base .. 'forbidden', 'x'))
end


function case.commands(t)
  local names = {}
  t.tell('nlst', ftp.get { host = '127.0.0.1', port = port, command = 'nlst',
    sink = ltn12.sink.table(names) })
  t.check(table.concat(names):find('hello.txt', 1, true), 'it is not in the list')
end


-- The session's own functions, with PASV in place of EPSV.
function case.step_by_step(t)
  local session = ftp.open('127.0.0.1', port)
  t.tell('greet', session:greet())
  t.tell('login', session:login('me', 'secret'))
  t.tell('type', session:type 'i')
  t.tell('cwd', session:cwd 'somewhere')
  t.tell('pasv', session:pasv())
  -- Its port is a float where Lua has integers, and "21.0" is no service.
  session.pasvt.port = math.floor(session.pasvt.port)
  local pieces = {}
  t.tell('receive', session:receive { path = 'hello.txt', sink = ltn12.sink.table(pieces) })
  t.tell('received', table.concat(pieces))
  t.tell('epsv', session:epsv())
  t.tell('send', session:send { path = 'from.steps', source = ltn12.source.string 'steps' })
  t.tell('quit', session:quit())
  t.tell('close', session:close())
end


function case.a_server_that_hangs_up(t)
  local session = ftp.open('127.0.0.1', port)
  session:greet()
  session.tp:command 'die'
  t.tell('reply', session.tp:check '2..')
  t.tell('then', session.tp:command 'noop', session.tp:check '2..')
  session:close()
end


function case.no_server(t)
  local closed = t.peer.port_of_nobody()
  t.tell('get', ftp.get(('ftp://127.0.0.1:%d/x'):format(closed)))
end


return case
