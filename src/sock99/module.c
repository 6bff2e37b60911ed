/*
** module.c: what `require 'sock99'` returns.
*/

#include "module.h"


/*** One call opens any socket.

Functions that fail return nil, a message, and a number of @{errno} by which a
program can tell errors apart; those that open a socket add the stage that
failed. Mistakes in the program itself (a value of the wrong type, an unknown
field) raise an error; anything that may come from user input is returned.

A socket object has the methods of `socket` and, depending on its type, those of
`stream` or `datagram`.

@module sock99
@usage
local sock99 = require 'sock99'
local client = assert(sock99.socket{ host = 'localhost', port = 'http', timeout = 2 })
*/


/*** The socket to open. Fields may be inherited through `__index`.

@record config
@tfield ?string host name or numeric address to connect to, or to listen on
@tfield ?integer|string port 0 to 65535, or a service's name; 0 or missing with
`server`: any free port
@tfield ?string path of a Unix domain socket; a leading `"\0"` makes it an abstract name
@tfield ?string ipv4 numeric IPv4 address, in place of `host`
@tfield ?string ipv6 numeric IPv6 address, in place of `host`
@tfield ?'inet'|'inet6'|'unix' family only addresses of this family
@tfield ?boolean connect false: only create the socket, set its options and bind it
@tfield ?boolean server bind and listen; a datagram server only binds
@tfield ?boolean datagram datagrams instead of a stream
@tfield ?boolean seqpacket SOCK_SEQPACKET, for Unix domain sockets
@tfield ?boolean nonblocking set O_NONBLOCK on the descriptor; an object never waits
@tfield ?integer backlog connections that may wait for a stream server; SOMAXCONN if 0
or missing
@tfield ?address bind a client's local address
@tfield ?options sockopts options to set before the socket is bound or connected
@tfield ?string|integer mode permission bits of a Unix server's file, in octal digits:
`'0660'`
@tfield ?boolean unlink replace a Unix server's socket file if nobody listens on it
@tfield ?boolean cloexec close-on-exec; true by default
@tfield ?number timeout seconds for the whole opening, including the name lookup and
all attempts; more than 0
@tfield ?number attempt_delay seconds before the next address is tried in parallel
with an attempt, 0.01 to 2; 0.25 by default
*/

/*** A client's local address.

@record address
@tfield ?string host numeric
@tfield ?integer|string port
@tfield ?string path
*/

/*** The stage that failed: the fourth result of functions that open.

@words stage
@field configuration a value out of range, or fields that contradict each other
@field getaddrinfo the name or the service was not found; the code is an EAI_ code
@field socket
@field setsockopt
@field bind
@field listen
@field connect
@field fcntl
@field snprintf
@field timeout the deadline passed
@field unknown memory or descriptors ran out
*/

/*** Open the socket that a table describes.

Mistakes in the program (no table, an unknown field, a field of the wrong type, a
fraction in place of an integer) raise an error; all other failures are returned.

@function open
@tparam config t the socket to open
@treturn[1] integer the file descriptor, which the caller must close
@treturn[2] nil
@treturn[2] string the stage that failed, the address or option, and the reason
@treturn[2] integer errno, or the EAI_ code of the stage "getaddrinfo"
@treturn[2] stage
@usage
local fd = assert(sock99.open{ host = '127.0.0.1', port = 0, server = true })
*/
static int l_open(lua_State *L) {
  struct sock99_request request;
  socket99_result result;
  if (!sock99_read_config(L, &request, &result) || !sock99_open_now(L, &request.config, &result))
    return sock99_fail_result(L, &result);
  lua_pushinteger(L, result.fd);
  return 1;
}


/* Pushes {host=, port=, family=} for one address. */
static void push_address_table(lua_State *L, const struct sockaddr_storage *found) {
  static const char *const names[] = {"family", "port", "host"};
  bool is_ipv6 = found->ss_family == AF_INET6;
  struct s99_address address;
  int i, table;
  address.len = is_ipv6 ? sizeof(address.addr.in6) : sizeof(address.addr.in);
  memcpy(&address.addr, found, address.len);
  lua_createtable(L, 0, 3);
  table = lua_gettop(L);
  (void)sock99_push_endpoint(L, &address);
  for (i = 0; i < 3; i++)
    lua_setfield(L, table, names[i]);
}


#define ADDRESSES "sock99.addresses"

/* A list of addresses that Lua frees even if an error is raised while it is converted. */
struct addresses {
  struct sockaddr_storage *list;
  size_t count;
};


static int l_free_addresses(lua_State *L) {
  struct addresses *addresses = lua_touserdata(L, 1);
  free(addresses->list);
  addresses->list = NULL;
  return 0;
}


static struct addresses *new_addresses(lua_State *L) {
  struct addresses *addresses = sock99_newuserdata(L, sizeof(*addresses));
  addresses->list = NULL;
  addresses->count = 0;
  if (luaL_newmetatable(L, ADDRESSES)) {
    lua_pushcfunction(L, l_free_addresses);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return addresses;
}


/*** The name to look up: one of `host`, `ipv4`, `ipv6`.

@record lookup
@tfield ?string host
@tfield ?string ipv4
@tfield ?string ipv6
@tfield ?integer|string port
@tfield ?'inet'|'inet6' family
@tfield ?boolean datagram
@tfield ?number timeout seconds; more than 0
*/

/*** An address found by `resolve`.

@record found
@tfield string host numeric
@tfield integer port
@tfield 'inet'|'inet6' family
*/

/*** Look up the addresses of a name, without opening anything.

@function resolve
@tparam lookup t the name to look up
@treturn[1] found[] the addresses, in the system's order
@treturn[2] nil
@treturn[2] string the error
@treturn[2] integer errno, or the EAI_ code of the stage "getaddrinfo"
@treturn[2] stage
@usage
for _, a in ipairs(assert(sock99.resolve{ host = 'localhost', port = 80 })) do
  print(a.host, a.port, a.family)
end
*/
static int l_resolve(lua_State *L) {
  struct sock99_request request;
  socket99_result result;
  struct addresses *found;
  size_t i;
  if (!sock99_read_lookup(L, &request, &result))
    return sock99_fail_result(L, &result);
  found = new_addresses(L);
  if (!sock99_find_addresses(L, &request.config, &result, &found->list, &found->count))
    return sock99_fail_result(L, &result);
  lua_createtable(L, (int)found->count, 0);
  for (i = 0; i < found->count; i++) {
    push_address_table(L, &found->list[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  free(found->list);
  found->list = NULL;
  return 1;
}


/*** Close a raw descriptor.

@function close
@tparam integer fd the descriptor
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] string the error
@treturn[2] integer errno
@usage
sock99.close(fd)
*/
static int l_close(lua_State *L) {
  int fd = sock99_check_descriptor(L, 1);
  int error = fd >= 0 && close(fd) == 0 ? 0 : fd < 0 ? EBADF : errno;
  /* After EINTR the descriptor is closed nevertheless: a second close could close one
  ** that another thread has just opened (close(2)). */
  if (error != 0 && error != EINTR)
    return sock99_fail_call(L, "close", lua_tostring(L, 1), error);
  lua_pushboolean(L, 1);
  return 1;
}


/*** Seconds since the Epoch, with a fraction.

@function gettime
@treturn number
*/
static int l_gettime(lua_State *L) {
  lua_pushnumber(L, sock99_seconds());
  return 1;
}


/*** Wait for some time.

@function sleep
@tparam number seconds may have a fraction; 0 or less: do not wait
*/
static int l_sleep(lua_State *L) {
  lua_Number seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds == seconds, 1, "not a number");
  if (seconds > 0)
    sock99_sleep_until(L, sock99_end_after((double)seconds));
  return 0;
}


/*** Name and version: "sock99 1.0.0".
@tfield string _VERSION
*/

static const luaL_Reg functions[] = {
    {"open", l_open},          {"socket", sock99_open_socket},
    {"wrap", sock99_wrap},     {"pair", sock99_pair},
    {"start", sock99_start},   {"resolve", l_resolve},
    {"select", sock99_select}, {"listen_fds", sock99_listen_fds},
    {"close", l_close},        {"gettime", l_gettime},
    {"sleep", l_sleep},        {NULL, NULL},
};


SOCK99_EXPORT int luaopen_sock99(lua_State *L);

int luaopen_sock99(lua_State *L) {
  sock99_register_objects(L);
  sock99_register_opening(L);
  sock99_newlib(L, functions);
  sock99_push_errno(L);
  lua_setfield(L, -2, "errno");
  lua_pushliteral(L, "sock99 1.0.0");
  lua_setfield(L, -2, "_VERSION");
  return 1;
}
