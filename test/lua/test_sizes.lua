-- Numbers that are wider than a size is on some machine mean what they say, or are
-- an error; none is cut. Bytes of numbers and addresses are in the network's order.

local lu = require 'luaunit'
local sock99 = require 'sock99'
local support = require 'support'

local keep = support.keep

TestSizes = support.suite()

local WIDE = 4294967296


function TestSizes:test_indices_beyond_32_bits_are_beyond_the_end()
  local a, b = keep(sock99.pair())
  b:settimeout(0)
  a:send('hello', WIDE + 1)
  a:send('hello', 1, -WIDE - 1)
  lu.assertEquals({ b:receive(1) }, { nil, 'timeout', '', sock99.errno.ETIMEDOUT })
  lu.assertEquals(a:send('hello', 1, WIDE + 1), 5)
  lu.assertEquals(b:receive(5), 'hello')
  lu.assertEquals(a:send('hello', -WIDE - 1), 5)
  lu.assertEquals(b:receive(5), 'hello')
end


function TestSizes:test_a_count_beyond_32_bits_is_waited_for_or_refused()
  local a, b = keep(sock99.pair())
  b:settimeout(0)
  a:send 'hello'
  for _, count in ipairs { WIDE, WIDE + 5 } do
    local ok, _, message, partial = pcall(b.receive, b, count)
    if ok then
      lu.assertEquals({ message, partial }, { 'timeout', 'hello' })
      a:send 'hello'
    end
  end
  lu.assertEquals(b:receive(5), 'hello')
end


function TestSizes:test_ports_and_addresses_are_in_the_networks_order()
  local server = keep(sock99.socket { ipv4 = '127.0.0.1', server = true })
  local host, port = server:getsockname()
  local client = keep(sock99.socket { host = host, port = port, timeout = 20 })
  local accepted = keep(server:accept())
  lu.assertEquals({ client:getpeername() }, { '127.0.0.1', port, 'inet' })
  lu.assertEquals({ accepted:getpeername() }, { client:getsockname() })
  client:send 'one\ntwo'
  lu.assertEquals(accepted:receive(), 'one')
  lu.assertEquals(accepted:receive(3), 'two')
end


function TestSizes:test_options_of_every_width_come_back()
  local socket = keep(sock99.socket { ipv4 = '127.0.0.1', server = true, datagram = true })
  local values = { multicast_ttl = 7, multicast_loop = false, tos = 16, broadcast = true }
  for name, value in pairs(values) do
    lu.assertEquals(socket:setoption(name, value), 1)
    lu.assertEquals(socket:getoption(name), value)
  end
  lu.assertTrue(socket:getoption 'rcvbuf' > 0)
end


support.run()
