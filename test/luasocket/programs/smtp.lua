-- socket.smtp against the tests' own server.

local smtp = require 'socket.smtp'
local ltn12 = require 'ltn12'
local mime = require 'mime'
local smtp_server = require 'smtp_server'

local case = {}

local port, said = smtp_server.start()


local function mail(fields)
  local all = { from = '<me@example.invalid>', rcpt = '<you@example.invalid>',
    server = '127.0.0.1', port = port, domain = 'tests' }
  for name, value in pairs(fields) do
    all[name] = value
  end
  return all
end


local function message(fields)
  fields.headers.date = 'Thu, 1 Jan 1970 00:00:00 +0000'
  fields.headers['x-mailer'] = 'tests'
  return smtp.message(fields)
end


-- The lines of a header come in the order of a table's keys, and the boundary is random.
local function tell_said(t, label)
  local lines = {}
  for line in (said() .. '\n'):gmatch '(.-)\n' do
    lines[#lines + 1] = (line:gsub('%d+==%d+', 'BOUNDARY'))
  end
  t.tell(label .. ' lines', #lines)
  table.sort(lines)
  for i, line in ipairs(lines) do
    t.tell(('%s %d'):format(label, i), line)
  end
end


function case.a_message(t)
  t.tell('send', smtp.send(mail { source = message {
    headers = { subject = 'a test' }, body = 'hello\r\n.\r\n..two\r\nend' } }))
  tell_said(t, 'said')
end


function case.several_recipients(t)
  t.tell('send', smtp.send(mail { rcpt = { '<a@example.invalid>', '<b@example.invalid>' },
    source = ltn12.source.string 'plain\r\n' }))
  tell_said(t, 'said')
  t.tell('one is unknown', smtp.send(mail { rcpt = { '<a@example.invalid>', '<nobody@invalid>' },
    source = ltn12.source.string 'plain\r\n' }))
  tell_said(t, 'said')
end


function case.attachments(t)
  local data = ('0123456789'):rep(20)
  t.tell('send', smtp.send(mail { source = message {
    headers = { subject = 'with an attachment' },
    body = {
      preamble = 'before',
      { body = mime.eol(0, 'first\nsecond\n') },
      { headers = { ['content-type'] = 'application/octet-stream',
        ['content-transfer-encoding'] = 'BASE64' },
        body = ltn12.source.chain(ltn12.source.string(data),
          ltn12.filter.chain(mime.encode 'base64', mime.wrap())) },
      epilogue = 'after',
    } } }))
  tell_said(t, 'said')
end


function case.authentication(t)
  local source = function()
    return ltn12.source.string 'x\r\n'
  end
  t.tell('right', smtp.send(mail { user = 'me', password = 'secret', source = source() }))
  tell_said(t, 'said')
  t.tell('wrong', smtp.send(mail { user = 'me', password = 'other', source = source() }))
  tell_said(t, 'said')
end


function case.no_server(t)
  local closed = t.peer.port_of_nobody()
  t.tell('send', smtp.send(mail { port = closed, source = ltn12.source.string 'x' }))
end


return case
