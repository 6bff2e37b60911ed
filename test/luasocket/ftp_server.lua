-- ftp_server: an FTP server for clients under test: files in memory, EPSV and
-- PASV for the data. One client after the other.

local system = require 'test_support'
local peer = require 'peer'

local ftp_server = {}

-- What each command does; the session is its connection, its files, and where
-- the next data connection will arrive.
local commands = {}


local function reply(session, text)
  return session.connection:write(text .. '\r\n')
end


-- Runs f with the data connection, between the two replies.
local function transfer(session, f)
  if not session.listener then
    return reply(session, '425 no data connection')
  end
  reply(session, '150 here it comes')
  local data = peer.accept(session.listener)
  f(data)
  data:close()
  system.close(session.listener)
  session.listener = nil
  reply(session, '226 done')
end


function commands.USER(session, name)
  session.user = name
  reply(session, name == 'nopass' and '230 come in' or '331 and the password?')
end


function commands.PASS(session, password)
  if session.user == 'ftp' or password == 'secret' then
    reply(session, '230-welcome\r\n of several\r\n230 lines')
  else
    reply(session, '530 wrong')
  end
end


function commands.TYPE(session)
  reply(session, '200 as you like')
end


function commands.CWD(session, directory)
  reply(session, directory == 'nowhere' and '550 no such directory' or '250 there')
end


function commands.EPSV(session)
  local port
  session.listener, port = peer.listen()
  reply(session, ('229 here (|||%d|)'):format(port))
end


function commands.PASV(session)
  local port
  session.listener, port = peer.listen()
  reply(session, ('227 here (127,0,0,1,%d,%d)'):format(math.floor(port / 256), port % 256))
end


function commands.RETR(session, name)
  local content = session.files[name]
  if not content then
    return reply(session, '550 no such file')
  end
  transfer(session, function(data)
    data:write(content)
  end)
end


function commands.STOR(session, name)
  if name == 'forbidden' then
    return reply(session, '553 not that')
  end
  transfer(session, function(data)
    session.files[name] = data:read_to_end()
  end)
end


function commands.APPE(session, name)
  transfer(session, function(data)
    session.files[name] = (session.files[name] or '') .. data:read_to_end()
  end)
end


function commands.NLST(session)
  local names = {}
  for name in pairs(session.files) do
    names[#names + 1] = name
  end
  table.sort(names)
  transfer(session, function(data)
    data:write(table.concat(names, '\r\n') .. '\r\n')
  end)
end


function commands.DELE(session, name)
  session.files[name] = nil
  reply(session, '250 gone')
end


-- Not FTP: hangs up in the middle of a reply.
function commands.DIE(session)
  session.connection:write '150-and th'
  session.over = true
end


function commands.QUIT(session)
  reply(session, '221 bye')
  session.over = true
end


local function serve(connection, files)
  local session = { connection = connection, files = files }
  reply(session, '120 in a moment')
  reply(session, '220 ready')
  repeat
    local name, argument = (connection:line() or 'QUIT'):match '^(%u+) ?(.*)$'
    local command = commands[name]
    if command then
      command(session, argument)
    else
      reply(session, '502 not here')
    end
  until session.over
end


-- Starts one with these files; its port.
function ftp_server.start(files)
  return peer.serve(function(connection)
    serve(connection, files)
  end)
end


return ftp_server
