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
        "src/socket99/listener.c",
        "src/socket99/lookup.c",
        "src/socket99/open.c",
        "src/socket99/option.c",
        "src/socket99/option_check.c",
        "src/socket99/option_table.c",
        "src/socket99/option_value.c",
        "src/socket99/poller_epoll.c",
        "src/socket99/poller_kqueue.c",
        "src/socket99/race.c",
        "src/socket99/resolver.c",
        "src/socket99/spelling.c",
        "src/sock99/activation.c",
        "src/sock99/config.c",
        "src/sock99/datagram.c",
        "src/sock99/dns.c",
        "src/sock99/endpoint.c",
        "src/sock99/errno.c",
        "src/sock99/input.c",
        "src/sock99/kinds.c",
        "src/sock99/many.c",
        "src/sock99/module.c",
        "src/sock99/object.c",
        "src/sock99/opening.c",
        "src/sock99/option.c",
        "src/sock99/read_option.c",
        "src/sock99/select.c",
        "src/sock99/sendfile.c",
        "src/sock99/socket.c",
        "src/sock99/stream.c",
        "src/sock99/unix.c",
        "src/sock99/wait.c",
      },
      incdirs = { "include", "src/socket99" },
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
    ["sock99.luasocket.pending"] = "lua/sock99/luasocket/pending.lua",
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
