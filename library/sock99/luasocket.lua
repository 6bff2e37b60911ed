---@meta sock99.luasocket

-- What editors know of LuaSocket's core over sock99's objects, in the place of
-- LuaSocket itself. Nothing here is ever run; see ../sock99.lua.


---LuaSocket's core over sock99's objects: what `require 'socket.core'` returns.
---@class sock99.luasocket
---@field _VERSION string the version of LuaSocket that this core stands for: "LuaSocket 3.0.0"
---@field _DATAGRAMSIZE integer what LuaSocket's datagrams are cut at by default: 8192. Ours are whole
---@field _SETSIZE integer how many descriptors the process may have, all of which `select` takes
---@field _SOCKETINVALID integer what `getfd` tells of an object without a descriptor: -1
---@field BLOCKSIZE integer the greatest chunk of a source: 2048
---@field sinkt table<string, function> the sinks by name: "close-when-done", "keep-open", "default"
---@field sourcet table<string, function> the sources by name: "by-length", "until-closed", "default"
---@field dns sock99.luasocket.dns
---@field unix sock99.luasocket.unix
local luasocket = {}

---Names and addresses.
---@class sock99.luasocket.dns
local dns = {}

---Objects for Unix domain sockets; a call is `unix.stream`.
---@class sock99.luasocket.unix
---@overload fun(): sock99.luasocket.tcp?, string?
local unix = {}

---A stream of TCP, or of a Unix path.
---@class sock99.luasocket.tcp: sock99.stream
local tcp = {}

---A socket for datagrams.
---@class sock99.luasocket.udp: sock99.datagram
local udp = {}


-- Functions

---Seconds since the Epoch, with a fraction.
---@return number
function luasocket.gettime() end

---Wait.
---@param seconds number
function luasocket.sleep(seconds) end

---A stream object of either family; it gets its descriptor from `bind` or `connect`.
---@return sock99.luasocket.tcp
function luasocket.tcp() end

---A stream object for IPv4 alone.
---@return sock99.luasocket.tcp?
---@return string? # why
function luasocket.tcp4() end

---A stream object for IPv6 alone.
---@return sock99.luasocket.tcp?
---@return string? # why
function luasocket.tcp6() end

---A datagram object of either family; it gets its descriptor from its first use.
---@return sock99.luasocket.udp
function luasocket.udp() end

---A datagram object for IPv4 alone.
---@return sock99.luasocket.udp?
---@return string? # why
function luasocket.udp4() end

---A datagram object for IPv6 alone.
---@return sock99.luasocket.udp?
---@return string? # why
function luasocket.udp6() end

---A stream object for Unix paths and abstract names. `unix()` is the same.
---@return sock99.luasocket.tcp?
---@return string? # why
function unix.stream() end

---A datagram object for Unix paths and abstract names.
---@return sock99.luasocket.udp?
---@return string? # why
function unix.dgram() end

---Another name of `unix.stream`.
---@return sock99.luasocket.tcp?
---@return string? # why
function unix.tcp() end

---Another name of `unix.dgram`.
---@return sock99.luasocket.udp?
---@return string? # why
function unix.udp() end

---Put this core in the place of LuaSocket's own, for the whole program. It has to
---come before LuaSocket is loaded, and raises an error afterwards.
---@return sock99.luasocket
function luasocket.install() end

---A stream object that is connected: the addresses of a name are raced.
---@param host string
---@param port integer|string
---@param own_host? string its own address
---@param own_port? integer|string its own port
---@param family? string "inet" or "inet6"
---@return sock99.luasocket.tcp?
---@return string? # why
function luasocket.connect(host, port, own_host, own_port, family) end

---The name of this machine.
---@return string
function dns.gethostname() end

---The first address of a name.
---@param host string
---@return string? # numeric IPv4 address
---@return table|string # `{ name =, alias =, ip = }`; `ip` is the list of all addresses; "host not found"
function dns.toip(host) end

---The canonical name of a name, or of an address.
---@param host string
---@return string?
---@return table|string # `{ name =, alias =, ip = }`; "host not found"
function dns.tohostname(host) end

---All addresses of a name.
---@param host string
---@return table? # a list of `{ family =, addr = }`
---@return string? # why
function dns.getaddrinfo(host) end

---The names of an address and of a port. One of them may be nil.
---@param host? string
---@param service? string a port, or its name
---@return table? # the list of the host's names
---@return string? # the name of the service; why
function dns.getnameinfo(host, service) end

---Wait until some of many can be read or written without waiting.
---@param r? table objects to read from
---@param w? table objects to write to; one whose `connect` came to no end is ready when it has
---@param timeout? number in seconds; nil or less than 0: none
---@return table # those of `r` that are ready, as a list and as keys
---@return table # the same of `w`
---@return string? # "timeout" where nothing is
function luasocket.select(r, w, timeout) end

---A function that returns its arguments, or, where the first is false or nil,
---calls the finalizer and throws the second.
---@param finalizer? function
---@return function
function luasocket.newtry(finalizer) end

---A function that does what f does, but returns nil and the error that `try` throws.
---@param f function
---@return function
function luasocket.protect(f) end

---Its arguments, without the first n.
---@param n integer
---@param ... any
---@return any ... # those after the nth
function luasocket.skip(n, ...) end


-- LuaSocket's Lua half: there after `require 'socket'`

---What `newtry()` returns.
---@param ... any
---@return any ... # all of them, where the first is neither false nor nil
function luasocket.try(...) end

---`connect` over IPv4 alone.
---@param host string
---@param port integer|string
---@param own_host? string
---@param own_port? integer|string
---@return sock99.luasocket.tcp?
---@return string? # why
function luasocket.connect4(host, port, own_host, own_port) end

---`connect` over IPv6 alone.
---@param host string
---@param port integer|string
---@param own_host? string
---@param own_port? integer|string
---@return sock99.luasocket.tcp?
---@return string? # why
function luasocket.connect6(host, port, own_host, own_port) end

---A server on the first of the host's addresses that can be bound.
---@param host string "*" is every IPv4 address
---@param port integer|string 0 is any free one
---@param backlog? integer
---@return sock99.luasocket.tcp?
---@return string? # why
function luasocket.bind(host, port, backlog) end

---A function that calls the entry of `choices` that its first argument names.
---@param choices table functions by name
---@return function
function luasocket.choose(choices) end

---A sink, as ltn12 has them, that sends its chunks.
---@param mode? string "close-when-done" or "keep-open", which is meant without one, too
---@param socket sock99.luasocket.tcp
---@return function
function luasocket.sink(mode, socket) end

---A source, as ltn12 has them, of what comes.
---@param mode? string "by-length", or "until-closed", which is meant without one, too
---@param socket sock99.luasocket.tcp
---@param length? integer for "by-length"
---@return function
function luasocket.source(mode, socket, length) end


-- Streams

---Give the object an address of its own; a Unix object takes a path alone.
---@param host string "*" is every address
---@param port? integer|string 0 is any free one
---@return integer? # 1
---@return string? # why
function tcp:bind(host, port) end

---Another name of `bind`.
---@param host string
---@param port? integer|string
---@return integer? # 1
---@return string? # why
function tcp:setsockname(host, port) end

---Connect to the first of the host's addresses that answers; a Unix object takes
---a path alone. With `settimeout(0)` it never waits, not even for a name: it
---returns "timeout", and the object can be written to, or tells its failure, when
---it is done.
---@param host string
---@param port? integer|string
---@return integer? # 1
---@return string? # why
function tcp:connect(host, port) end

---Another name of `connect`.
---@param host string
---@param port? integer|string
---@return integer? # 1
---@return string? # why
function tcp:setpeername(host, port) end

---Make a server of the object.
---@param backlog? integer connections that may wait
---@return integer? # 1
---@return string? # why
function tcp:listen(backlog) end

---End one direction, or both.
---@param how? string "send", "receive" or "both"
---@return integer # 1; that the peer has gone already is no error
function tcp:shutdown(how) end

---Give the object another descriptor. The one that it had is not closed.
---@param fd integer
function tcp:setfd(fd) end

---The family.
---@return string # "inet4", "inet6" or "unix"
function tcp:getfamily() end

---Set an option by LuaSocket's name, or by any of sock99's.
---@param name string
---@param value? any a boolean, a number, or LuaSocket's table: `{ on =, timeout = }` for "linger"
---@return integer? # 1
---@return string? # why
function tcp:setoption(name, value) end

---Tell an option.
---@param name string
---@return any? # the value; nil for "error" where there is none
---@return string? # why
function tcp:getoption(name) end


-- Datagrams

---Give the object an address of its own; a Unix object takes a path alone.
---@param host string "*" is every address
---@param port? integer|string 0 is any free one
---@return integer? # 1
---@return string? # why
function udp:setsockname(host, port) end

---Another name of `setsockname`.
---@param host string
---@param port? integer|string
---@return integer? # 1
---@return string? # why
function udp:bind(host, port) end

---Connect the object; `"*"` ends that. A Unix object takes a path alone.
---@param host string
---@param port? integer|string
---@return integer? # 1
---@return string? # why
function udp:setpeername(host, port) end

---Another name of `setpeername`.
---@param host string
---@param port? integer|string
---@return integer? # 1
---@return string? # why
function udp:connect(host, port) end

---Send a datagram to an address; the first one decides of which family the object
---is. A Unix object takes a path alone.
---@param data string
---@param host string
---@param port? integer|string
---@return integer? # the number of bytes
---@return string? # why
function udp:sendto(data, host, port) end

---The family.
---@return string # "inet4", "inet6" or "unix"
function udp:getfamily() end

---Set an option by LuaSocket's name, or by any of sock99's.
---@param name string
---@param value? any a boolean, a number, an address, or LuaSocket's table: `{ multiaddr =, interface = }` for a membership
---@return integer? # 1
---@return string? # why
function udp:setoption(name, value) end

---Tell an option.
---@param name string
---@return any? # the value; nil for "error" where there is none
---@return string? # why
function udp:getoption(name) end


return luasocket
