-- smtp_server: an SMTP server for clients under test. The answer to QUIT holds
-- nothing, but what the client said is in its mailbox, which the tests read
-- through a pipe.

local system = require 'test_support'
local peer = require 'peer'

local smtp_server = {}


local function reply(connection, text)
  return connection:write(text .. '\r\n')
end


local function read_message(connection, said)
  reply(connection, '354 go ahead')
  for line in function() return connection:line() end do
    said[#said + 1] = line
    if line == '.' then
      break
    end
  end
  reply(connection, '250 taken')
end


-- Replies by verb; what is missing is 250.
local replies = {
  EHLO = '250-tests\r\n250-AUTH LOGIN PLAIN\r\n250 HELP',
  QUIT = '221 bye',
}


local function log_in(connection, said)
  for _, challenge in ipairs { '334 VXNlcm5hbWU6', '334 UGFzc3dvcmQ6' } do
    reply(connection, challenge)
    said[#said + 1] = connection:line()
  end
  reply(connection, said[#said] == 'c2VjcmV0' and '235 welcome' or '535 wrong')
end


-- One session; returns all that the client said.
local function serve(connection)
  local said = {}
  reply(connection, '220 ready')
  for line in function() return connection:line() end do
    said[#said + 1] = line
    local verb = line:match '^%u+'
    if verb == 'DATA' then
      read_message(connection, said)
    elseif verb == 'AUTH' then
      log_in(connection, said)
    elseif verb == 'RCPT' and line:find 'nobody' then
      reply(connection, '550 no such user')
    else
      reply(connection, replies[verb] or '250 fine')
    end
    if verb == 'QUIT' then
      break
    end
  end
  return table.concat(said, '\n')
end


-- Starts one; its port, and a function that returns what the next client said.
function smtp_server.start()
  local reader, writer = assert(system.pipe())
  local port = peer.serve(function(connection)
    local said = serve(connection)
    system.write(writer, ('%08d'):format(#said) .. said)
  end)
  local buffer = ''

  local function take(n)
    while #buffer < n do
      local data = assert(system.read(reader))
      assert(data ~= '', 'the server is gone')
      buffer = buffer .. data
    end
    local taken = buffer:sub(1, n)
    buffer = buffer:sub(n + 1)
    return taken
  end

  return port, function()
    return take(tonumber(take(8)))
  end
end


return smtp_server
