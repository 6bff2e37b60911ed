---@meta sock99.luasocket

-- Definitions for editors, in LuaCATS, by scripts/definitions.lua (make definitions).
-- On package.path this file would be found in place of the module, so it must not
-- get there.

---LuaSocket's core over sock99's objects: what `require 'socket.core'` returns.
---
---Functions and methods have LuaSocket's names, arguments and results; those that
---fail return nil and LuaSocket's message. The differences are listed
---in the guide. Objects also have the methods of
---sock99's streams and datagrams; this page describes those that behave
---differently. Calling a method that does not suit the object's class (`send` of a
---"tcp{master}") raises an error.
---@class sock99.luasocket
---@field BLOCKSIZE integer The maximum size of a source's chunks: 2048.
---@field _DATAGRAMSIZE integer The default size to which LuaSocket truncates datagrams: 8192. This core returns whole datagrams.
---@field _SETSIZE integer The number of descriptors that the process may have open; `select` accepts all of them.
---@field _SOCKETINVALID integer The result of `getfd` for an object without a descriptor: -1.
---@field _VERSION string The version of LuaSocket that this core replaces: "LuaSocket 3.0.0".
---@field dns sock99.luasocket.dns
---@field sinkt {[string]: function} Sinks by name: "close-when-done", "keep-open", "default".
---@field sourcet {[string]: function} Sources by name: "by-length", "until-closed", "default".
---@field unix sock99.luasocket.unix
local luasocket = {}

---Names and addresses.
---@class sock99.luasocket.dns
local dns = {}

---Objects for Unix domain sockets; calling the table calls `unix.stream`.
---@class sock99.luasocket.unix
---@overload fun(): sock99.luasocket.tcp?, string?
local unix = {}

---A TCP or Unix stream socket.
---@class sock99.luasocket.tcp: sock99.stream
local tcp = {}

---A datagram socket.
---@class sock99.luasocket.udp: sock99.datagram
local udp = {}

---Return all addresses of a name.
---@param host string
---@return table? # a list of `{ family =, addr = }`
---@return string? message the error
function dns.getaddrinfo(host) end

---Return the name of this machine.
---@return string
function dns.gethostname() end

---Return the names of an address and a port, one of which may be nil.
---@param host? string
---@param service? string a port, or its name
---@return table? # the list of the host's names
---@return string? # the name of the service; on failure the error
function dns.getnameinfo(host, service) end

---Return the canonical name of a name or address.
---@param host string
---@return string?
---@return table|string # `{ name =, alias =, ip = }`; on failure "host not found"
function dns.tohostname(host) end

---Return the first address of a name.
---@param host string
---@return string? # numeric IPv4 address
---@return table|string # `{ name =, alias =, ip = }`; `ip` is the list of all addresses; on failure "host not found"
function dns.toip(host) end

---Create a server on the first of the host's addresses that can be bound.
---@param host string "*" means all IPv4 addresses
---@param port integer|string 0 means any free port
---@param backlog? integer
---@return sock99.luasocket.tcp?
---@return string? message the error
function luasocket.bind(host, port, backlog) end

---Return a function that calls the entry of `choices` named by its first argument.
---@param choices table functions by name
---@return function
function luasocket.choose(choices) end

---Create a connected stream object. The addresses of a name are raced.
---@param host string
---@param port integer|string
---@param local_host? string a local address to bind
---@param local_port? integer|string a local port to bind
---@param family? string "inet" or "inet6"
---@return sock99.luasocket.tcp?
---@return string? message the error
function luasocket.connect(host, port, local_host, local_port, family) end

---`connect` over IPv4 only.
---@param host string
---@param port integer|string
---@param local_host? string
---@param local_port? integer|string
---@return sock99.luasocket.tcp?
---@return string? message the error
function luasocket.connect4(host, port, local_host, local_port) end

---`connect` over IPv6 only.
---@param host string
---@param port integer|string
---@param local_host? string
---@param local_port? integer|string
---@return sock99.luasocket.tcp?
---@return string? message the error
function luasocket.connect6(host, port, local_host, local_port) end

---Seconds since the Epoch, with a fraction.
---@return number
function luasocket.gettime() end

---Replace LuaSocket's core by this one, for the whole program.
---
---Call it before LuaSocket is loaded. LuaSocket's Lua files then run over this core; if
---they are not installed, `require 'socket'` also provides the functions that socket.lua
---would have added.
---
---Like LuaSocket, it ignores SIGPIPE in the process if the signal has its default action:
---LuaSec and others rely on this when they write to a socket whose peer has gone.
---@param t? table `sigpipe = false` leaves the signal unchanged
---@return sock99.luasocket # this core
function luasocket.install(t) end

---Return a function that returns its arguments or, if the first is false or nil, calls
---the finalizer and throws the second.
---@param finalizer? function
---@return function
function luasocket.newtry(finalizer) end

---Return a function that calls f, but returns nil and the error if `try` throws one.
---@param f function
---@return function
function luasocket.protect(f) end

---Wait until any of the given objects is ready for reading or writing.
---@param r? table objects to read from
---@param w? table objects to write to; one with a `connect` in progress is ready when that has succeeded or failed
---@param timeout? number in seconds; nil or negative: no limit
---@return table # the ready ones of `r`, as a list and as keys
---@return table # the ready ones of `w`
---@return string? # "timeout" if none is ready
function luasocket.select(r, w, timeout) end

---Create an ltn12 sink that sends its chunks.
---@param mode? string "close-when-done" or "keep-open", the default
---@param socket sock99.luasocket.tcp
---@return function
function luasocket.sink(mode, socket) end

---Return the arguments without the first n. If n is negative, it is returned, too, as in
---LuaSocket.
---@param n integer
---@param ... any values
---@return any ... # those after the nth
function luasocket.skip(n, ...) end

---Wait for some time.
---@param seconds number
function luasocket.sleep(seconds) end

---Create an ltn12 source of the received bytes.
---@param mode? string "by-length" or "until-closed", the default
---@param socket sock99.luasocket.tcp
---@param length? integer for "by-length"
---@return function
function luasocket.source(mode, socket, length) end

---Create a stream object for either family; `bind` or `connect` creates its descriptor.
---@return sock99.luasocket.tcp
function luasocket.tcp() end

---Create a stream object for IPv4 only.
---@return sock99.luasocket.tcp?
---@return string? message the error
function luasocket.tcp4() end

---Create a stream object for IPv6 only.
---@return sock99.luasocket.tcp?
---@return string? message the error
function luasocket.tcp6() end

---The result of `newtry()`: returns its arguments, or throws the second.
---@param ... any values
---@return any ... # all of them, if the first is neither false nor nil
function luasocket.try(...) end

---Create a datagram object for either family; its first use creates its descriptor.
---@return sock99.luasocket.udp
function luasocket.udp() end

---Create a datagram object for IPv4 only.
---@return sock99.luasocket.udp?
---@return string? message the error
function luasocket.udp4() end

---Create a datagram object for IPv6 only.
---@return sock99.luasocket.udp?
---@return string? message the error
function luasocket.udp6() end

---Bind the object to a local address; a Unix object takes only a path.
---@param host string "*" means all addresses
---@param port? integer|string 0 means any free port
---@return 1?
---@return string? message the error
function tcp:bind(host, port) end

---Connect to the first of the host's addresses that answers; a Unix object takes only
---a path. With `settimeout(0)` it never waits, not even for a lookup: it returns
---"timeout", and the object becomes ready for writing, or reports an error, when the
---connect has ended. Until then another call returns "Operation already in progress".
---An object that has a descriptor keeps it, and tries the addresses in turn.
---@param host string
---@param port? integer|string
---@return 1?
---@return string? message the error
function tcp:connect(host, port) end

---The family of the object.
---@return 'inet4'|'inet6'|'unix'
function tcp:getfamily() end

---Get an option.
---@param name string
---@return any? # the value; nil for "error" if there is none
---@return string? message the error
function tcp:getoption(name) end

---Listen for connections: the object becomes a server.
---@param backlog? integer connections that may wait
---@return 1?
---@return string? message the error
function tcp:listen(backlog) end

---Give the object another descriptor. The old one is not closed.
---@param fd integer
function tcp:setfd(fd) end

---Set an option by LuaSocket's name or any of sock99's.
---@param name string
---@param value? any a boolean, a number, or LuaSocket's table: `{ on =, timeout = }` for "linger"
---@return 1?
---@return string? message the error
function tcp:setoption(name, value) end

---Alias of `connect`.
---@param host string
---@param port? integer|string
---@return 1?
---@return string? message the error
function tcp:setpeername(host, port) end

---Alias of `bind`.
---@param host string
---@param port? integer|string
---@return 1?
---@return string? message the error
function tcp:setsockname(host, port) end

---Shut down one direction, or both.
---@param how? 'send'|'receive'|'both' (default: "both")
---@return integer # 1, also if the peer has already gone
function tcp:shutdown(how) end

---Alias of `setsockname`.
---@param host string
---@param port? integer|string
---@return 1?
---@return string? message the error
function udp:bind(host, port) end

---Alias of `setpeername`.
---@param host string
---@param port? integer|string
---@return 1?
---@return string? message the error
function udp:connect(host, port) end

---The family of the object.
---@return 'inet4'|'inet6'|'unix'
function udp:getfamily() end

---Get an option.
---@param name string
---@return any? # the value; nil for "error" if there is none
---@return string? message the error
function udp:getoption(name) end

---Send a datagram to an address; the first one determines the object's family. A Unix
---object takes only a path.
---@param data string
---@param host string
---@param port? integer|string
---@return integer? # the number of bytes
---@return string? message the error
function udp:sendto(data, host, port) end

---Set an option by LuaSocket's name or any of sock99's.
---@param name string
---@param value? any a boolean, a number, an address, or LuaSocket's table: `{ multiaddr =, interface = }` for a membership
---@return 1?
---@return string? message the error
function udp:setoption(name, value) end

---Connect the object, or disconnect it with `"*"`. A Unix object takes only a path.
---@param host string
---@param port? integer|string
---@return 1?
---@return string? message the error
function udp:setpeername(host, port) end

---Bind the object to a local address; a Unix object takes only a path.
---@param host string "*" means all addresses
---@param port? integer|string 0 means any free port
---@return 1?
---@return string? message the error
function udp:setsockname(host, port) end

---Create a datagram object for Unix paths and abstract names.
---@return sock99.luasocket.udp?
---@return string? message the error
function unix.dgram() end

---Create a stream object for Unix paths and abstract names. `unix()` does the same.
---@return sock99.luasocket.tcp?
---@return string? message the error
function unix.stream() end

---Alias of `unix.stream`.
---@return sock99.luasocket.tcp?
---@return string? message the error
function unix.tcp() end

---Alias of `unix.dgram`.
---@return sock99.luasocket.udp?
---@return string? message the error
function unix.udp() end

return luasocket
