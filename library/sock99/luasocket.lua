---@meta sock99.luasocket

-- Definitions for editors, in LuaCATS, by scripts/definitions.lua (make definitions).
-- On package.path this file would be found in place of the module, so it must not
-- get there.

---LuaSocket's core over sock99's objects: what `require 'socket.core'` returns.
---
---Functions and methods have LuaSocket's names, arguments and results; those that
---fail return nil and LuaSocket's words for it. What is different is
---in the guide. Objects have the methods of
---sock99's streams and datagrams, too; told here are those that work in
---another way. A method that is not one of the object's class (`send` of a
---"tcp{master}") raises an error.
---@class sock99.luasocket
---@field BLOCKSIZE integer The greatest chunk of a source: 2048.
---@field _DATAGRAMSIZE integer What LuaSocket's datagrams are cut at by default: 8192. Ours are whole.
---@field _SETSIZE integer How many descriptors the process may have, all of which `select` takes.
---@field _SOCKETINVALID integer What `getfd` tells of an object without a descriptor: -1.
---@field _VERSION string The version of LuaSocket that this core stands for: "LuaSocket 3.0.0".
---@field dns sock99.luasocket.dns
---@field sinkt {[string]: function} The sinks by name: "close-when-done", "keep-open", "default".
---@field sourcet {[string]: function} The sources by name: "by-length", "until-closed", "default".
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

---All addresses of a name.
---@param host string
---@return table? # a list of `{ family =, addr = }`
---@return string? message why
function dns.getaddrinfo(host) end

---The name of this machine.
---@return string
function dns.gethostname() end

---The names of an address and of a port. One of them may be nil.
---@param host? string
---@param service? string a port, or its name
---@return table? # the list of the host's names
---@return string? # the name of the service; on failure why
function dns.getnameinfo(host, service) end

---The canonical name of a name, or of an address.
---@param host string
---@return string?
---@return table|string # `{ name =, alias =, ip = }`; on failure "host not found"
function dns.tohostname(host) end

---The first address of a name.
---@param host string
---@return string? # numeric IPv4 address
---@return table|string # `{ name =, alias =, ip = }`; `ip` is the list of all addresses; on failure "host not found"
function dns.toip(host) end

---A server on the first of the host's addresses that can be bound.
---@param host string "*" is every IPv4 address
---@param port integer|string 0 is any free one
---@param backlog? integer
---@return sock99.luasocket.tcp?
---@return string? message why
function luasocket.bind(host, port, backlog) end

---A function that calls the entry of `choices` that its first argument names.
---@param choices table functions by name
---@return function
function luasocket.choose(choices) end

---A stream object that is connected: the addresses of a name are raced.
---@param host string
---@param port integer|string
---@param own_host? string its own address
---@param own_port? integer|string its own port
---@param family? string "inet" or "inet6"
---@return sock99.luasocket.tcp?
---@return string? message why
function luasocket.connect(host, port, own_host, own_port, family) end

---`connect` over IPv4 alone.
---@param host string
---@param port integer|string
---@param own_host? string
---@param own_port? integer|string
---@return sock99.luasocket.tcp?
---@return string? message why
function luasocket.connect4(host, port, own_host, own_port) end

---`connect` over IPv6 alone.
---@param host string
---@param port integer|string
---@param own_host? string
---@param own_port? integer|string
---@return sock99.luasocket.tcp?
---@return string? message why
function luasocket.connect6(host, port, own_host, own_port) end

---Seconds since the Epoch, with a fraction.
---@return number
function luasocket.gettime() end

---Put this core in the place of LuaSocket's own, for the whole program.
---
---It has to come before LuaSocket is loaded. LuaSocket's Lua files then run over
---this core; where they are not installed, `require 'socket'` finds what
---socket.lua would have added.
---
---As LuaSocket does, it ignores SIGPIPE in the process, where the signal has its default:
---LuaSec and others write to a socket whose peer has gone, and rely on it.
---@param t? table `sigpipe = false` leaves the signal as it is
---@return sock99.luasocket # this core
function luasocket.install(t) end

---A function that returns its arguments, or, where the first is false or nil, calls
---the finalizer and throws the second.
---@param finalizer? function
---@return function
function luasocket.newtry(finalizer) end

---A function that does what f does, but returns nil and the error that `try` throws.
---@param f function
---@return function
function luasocket.protect(f) end

---Wait until some of many can be read or written without waiting.
---@param r? table objects to read from
---@param w? table objects to write to; one whose `connect` came to no end is ready when it has
---@param timeout? number in seconds; nil or less than 0: none
---@return table # those of `r` that are ready, as a list and as keys
---@return table # the same of `w`
---@return string? # "timeout" where nothing is
function luasocket.select(r, w, timeout) end

---A sink, as ltn12 has them, that sends its chunks.
---@param mode? string "close-when-done" or "keep-open", which is meant without one, too
---@param socket sock99.luasocket.tcp
---@return function
function luasocket.sink(mode, socket) end

---Its arguments, without the first n; -1 returns n as well, as in LuaSocket.
---@param n integer
---@param ... any values
---@return any ... # those after the nth
function luasocket.skip(n, ...) end

---Wait.
---@param seconds number
function luasocket.sleep(seconds) end

---A source, as ltn12 has them, of what comes.
---@param mode? string "by-length", or "until-closed", which is meant without one, too
---@param socket sock99.luasocket.tcp
---@param length? integer for "by-length"
---@return function
function luasocket.source(mode, socket, length) end

---A stream object of either family; it gets its descriptor from `bind` or `connect`.
---@return sock99.luasocket.tcp
function luasocket.tcp() end

---A stream object for IPv4 alone.
---@return sock99.luasocket.tcp?
---@return string? message why
function luasocket.tcp4() end

---A stream object for IPv6 alone.
---@return sock99.luasocket.tcp?
---@return string? message why
function luasocket.tcp6() end

---What `newtry()` returns.
---@param ... any values
---@return any ... # all of them, where the first is neither false nor nil
function luasocket.try(...) end

---A datagram object of either family; it gets its descriptor from its first use.
---@return sock99.luasocket.udp
function luasocket.udp() end

---A datagram object for IPv4 alone.
---@return sock99.luasocket.udp?
---@return string? message why
function luasocket.udp4() end

---A datagram object for IPv6 alone.
---@return sock99.luasocket.udp?
---@return string? message why
function luasocket.udp6() end

---Give the object an address of its own; a Unix object takes a path alone.
---@param host string "*" is every address
---@param port? integer|string 0 is any free one
---@return 1?
---@return string? message why
function tcp:bind(host, port) end

---Connect to the first of the host's addresses that answers; a Unix object takes a
---path alone. With `settimeout(0)` it never waits, not even for a name: it returns
---"timeout", and the object can be written to, or tells its failure, when it is done.
---Another call meanwhile returns "Operation already in progress". An object that has
---a descriptor keeps it, and tries the addresses one after the other.
---@param host string
---@param port? integer|string
---@return 1?
---@return string? message why
function tcp:connect(host, port) end

---The family.
---@return 'inet4'|'inet6'|'unix'
function tcp:getfamily() end

---Tell an option.
---@param name string
---@return any? # the value; nil for "error" where there is none
---@return string? message why
function tcp:getoption(name) end

---Make a server of the object.
---@param backlog? integer connections that may wait
---@return 1?
---@return string? message why
function tcp:listen(backlog) end

---Give the object another descriptor. The one that it had is not closed.
---@param fd integer
function tcp:setfd(fd) end

---Set an option by LuaSocket's name, or by any of sock99's.
---@param name string
---@param value? any a boolean, a number, or LuaSocket's table: `{ on =, timeout = }` for "linger"
---@return 1?
---@return string? message why
function tcp:setoption(name, value) end

---Another name of `connect`.
---@param host string
---@param port? integer|string
---@return 1?
---@return string? message why
function tcp:setpeername(host, port) end

---Another name of `bind`.
---@param host string
---@param port? integer|string
---@return 1?
---@return string? message why
function tcp:setsockname(host, port) end

---End one direction, or both.
---@param how? 'send'|'receive'|'both' (default: "both")
---@return integer # 1; that the peer has gone already is no error
function tcp:shutdown(how) end

---Another name of `setsockname`.
---@param host string
---@param port? integer|string
---@return 1?
---@return string? message why
function udp:bind(host, port) end

---Another name of `setpeername`.
---@param host string
---@param port? integer|string
---@return 1?
---@return string? message why
function udp:connect(host, port) end

---The family.
---@return 'inet4'|'inet6'|'unix'
function udp:getfamily() end

---Tell an option.
---@param name string
---@return any? # the value; nil for "error" where there is none
---@return string? message why
function udp:getoption(name) end

---Send a datagram to an address; the first one decides of which family the object is.
---A Unix object takes a path alone.
---@param data string
---@param host string
---@param port? integer|string
---@return integer? # the number of bytes
---@return string? message why
function udp:sendto(data, host, port) end

---Set an option by LuaSocket's name, or by any of sock99's.
---@param name string
---@param value? any a boolean, a number, an address, or LuaSocket's table: `{ multiaddr =, interface = }` for a membership
---@return 1?
---@return string? message why
function udp:setoption(name, value) end

---Connect the object; `"*"` ends that. A Unix object takes a path alone.
---@param host string
---@param port? integer|string
---@return 1?
---@return string? message why
function udp:setpeername(host, port) end

---Give the object an address of its own; a Unix object takes a path alone.
---@param host string "*" is every address
---@param port? integer|string 0 is any free one
---@return 1?
---@return string? message why
function udp:setsockname(host, port) end

---A datagram object for Unix paths and abstract names.
---@return sock99.luasocket.udp?
---@return string? message why
function unix.dgram() end

---A stream object for Unix paths and abstract names. `unix()` is the same.
---@return sock99.luasocket.tcp?
---@return string? message why
function unix.stream() end

---Another name of `unix.stream`.
---@return sock99.luasocket.tcp?
---@return string? message why
function unix.tcp() end

---Another name of `unix.dgram`.
---@return sock99.luasocket.udp?
---@return string? message why
function unix.udp() end

return luasocket
