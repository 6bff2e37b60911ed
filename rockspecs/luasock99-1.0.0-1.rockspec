rockspec_format = "3.0"
package = "luasock99"
version = "1.0.0-1"

source = {
  url = "git+file://.",
}

description = {
  summary = "One call opens any socket",
  detailed = [[
TCP, UDP and Unix domain sockets, client and server, from one table: the
right address, within the time given, with no descriptor lost. Gives a socket
object that does it all, or a file descriptor for luaposix, cqueues or luv.]],
  license = "BSD-3-Clause",
  labels = { "socket", "network", "unix" },
}

supported_platforms = { "unix" }

dependencies = {
  "lua >= 5.1, < 5.6",
}

build = {
  type = "builtin",
  modules = {
    sock99 = {
      sources = {
        "src/socket99/address.c",
        "src/socket99/attempt.c",
        "src/socket99/config.c",
        "src/socket99/copy.c",
        "src/socket99/error.c",
        "src/socket99/inquiry.c",
        "src/socket99/listener.c",
        "src/socket99/lookup.c",
        "src/socket99/open.c",
        "src/socket99/option.c",
        "src/socket99/option_check.c",
        "src/socket99/option_table.c",
        "src/socket99/option_value.c",
        "src/socket99/poller_epoll.c",
        "src/socket99/poller_kqueue.c",
        "src/socket99/process.c",
        "src/socket99/race.c",
        "src/socket99/resolver.c",
        "src/socket99/spelling.c",
        "src/socket99/system.c",
        "src/socket99/system_bsd.c",
        "src/socket99/system_linux.c",
        "src/sock99/dns.c",
        "src/sock99/kinds.c",
        "src/sock99/methods/class.c",
        "src/sock99/methods/connect.c",
        "src/sock99/methods/datagram.c",
        "src/sock99/methods/handle.c",
        "src/sock99/methods/many.c",
        "src/sock99/methods/option.c",
        "src/sock99/methods/sendfile.c",
        "src/sock99/methods/socket.c",
        "src/sock99/methods/stream.c",
        "src/sock99/methods/unix.c",
        "src/sock99/module.c",
        "src/sock99/objects/activation.c",
        "src/sock99/objects/input.c",
        "src/sock99/objects/object.c",
        "src/sock99/objects/pending.c",
        "src/sock99/objects/rights.c",
        "src/sock99/objects/select.c",
        "src/sock99/objects/wait.c",
        "src/sock99/opening.c",
        "src/sock99/system/system.c",
        "src/sock99/system/system_bsd.c",
        "src/sock99/system/system_linux.c",
        "src/sock99/values/argument.c",
        "src/sock99/values/config.c",
        "src/sock99/values/endpoint.c",
        "src/sock99/values/errno.c",
        "src/sock99/values/failure.c",
        "src/sock99/values/limit.c",
        "src/sock99/values/read_option.c",
      },
      incdirs = { "include", "src/socket99", "src/sock99" },
      defines = { "_GNU_SOURCE", "SOCKET99_PRIVATE" },
      libraries = { "pthread" },
    },
    ["sock99.install"] = "lua/sock99/install.lua",
    ["sock99.luasocket"] = "lua/sock99/luasocket.lua",
    ["sock99.luasocket.arguments"] = "lua/sock99/luasocket/arguments.lua",
    ["sock99.luasocket.datagrams"] = "lua/sock99/luasocket/datagrams.lua",
    ["sock99.luasocket.dns"] = "lua/sock99/luasocket/dns.lua",
    ["sock99.luasocket.errors"] = "lua/sock99/luasocket/errors.lua",
    ["sock99.luasocket.half"] = "lua/sock99/luasocket/half.lua",
    ["sock99.luasocket.objects"] = "lua/sock99/luasocket/objects.lua",
    ["sock99.luasocket.options"] = "lua/sock99/luasocket/options.lua",
    ["sock99.luasocket.streams"] = "lua/sock99/luasocket/streams.lua",
    ["sock99.luasocket.try"] = "lua/sock99/luasocket/try.lua",
  },
  -- library/ is for editors; beside the modules it would hide sock99.so.
  copy_directories = { "doc", "library" },
  platforms = {
    linux = {
      modules = {
        sock99 = {
          libraries = { "pthread", "dl" },
        },
      },
    },
  },
}

test = {
  type = "command",
  command = "make test",
}
