-- What methods take for a socket object, and what they do not.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

TestIdentity = support.suite()


local function methods_of(object)
  return getmetatable(object).__index
end


function TestIdentity:test_methods_refuse_what_is_no_object()
  local a, b = assert(sock99.pair())
  local opening = assert(sock99.start { ipv4 = '127.0.0.1', server = true })
  local strangers = { true, 1, 'text', ('x'):rep(160), {}, print, io.stdout, opening,
    setmetatable({}, getmetatable(a)) }
  for name, method in pairs(methods_of(a)) do
    if type(method) == 'function' then
      for _, stranger in ipairs(strangers) do
        lu.assertErrorMsgContains('expected', method, stranger, name)
      end
      lu.assertErrorMsgContains('expected', method)
    end
  end
  opening:cancel()
  a:close()
  b:close()
end


function TestIdentity:test_methods_refuse_objects_of_another_class()
  local stream, other = assert(sock99.pair())
  local datagram = assert(sock99.socket { datagram = true })
  lu.assertErrorMsgContains('tcp{client}', methods_of(stream).receive, datagram)
  lu.assertErrorMsgContains('udp', methods_of(datagram).receivefrom, stream)
  stream:close()
  other:close()
  datagram:close()
end


function TestIdentity:test_an_object_without_its_metatable_is_still_one()
  local server = assert(sock99.socket { ipv4 = '127.0.0.1', server = true })
  local methods = methods_of(server)
  local _, port = server:getsockname()
  local client = assert(sock99.socket { ipv4 = '127.0.0.1', port = port })
  local metatable = getmetatable(server)
  debug.setmetatable(server, nil)
  local accepted = assert(methods.accept(server))
  lu.assertEquals(methods.close(server), 1)
  debug.setmetatable(server, metatable)
  assert(client:send 'x')
  lu.assertEquals(accepted:receive(1), 'x')
  accepted:close()
  client:close()
end


support.run()
