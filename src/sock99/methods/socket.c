/*
** socket.c: opens, wraps, binds and shuts down socket objects, accepts connections,
** and reports the addresses of both ends.
*/

#include "methods.h"

#include <poll.h>

/*** @module sock99 */


/*
** Creation
*/

static enum sock99_class class_opened(const socket99_config *config, bool is_connected) {
  if (config->datagram)
    return is_connected ? SOCK99_CONNECTED : SOCK99_UNCONNECTED;
  if (config->server && !config->unconnected)
    return SOCK99_SERVER;
  return is_connected ? SOCK99_CLIENT : SOCK99_MASTER;
}


void sock99_finish_opening(lua_State *L, const struct sock99_settings *settings,
                           const socket99_result *result) {
  struct sock99_socket *s = lua_touserdata(L, -1);
  enum sock99_class class;
  sock99_adopt_result(s, settings, result);
  if (settings->never_waits)
    s->each_wait = 0;
  class = class_opened(&settings->config, result->connected);
  if (s->class != class)
    sock99_set_class(L, -1, class);
}


/*** Open the socket that a table describes, as an object.

A listener's descriptor is always non-blocking; the object's timeout determines
whether its calls wait.
@function socket
@tparam config t as `open` takes it; `nonblocking` means `settimeout(0)`, and
`timeout` applies only to the opening
@treturn[1] socket the object
@treturn[2] nil
@treturn[2] string the stage that failed, the address or option, and the reason
@treturn[2] integer errno, or the EAI_ code of the stage "getaddrinfo"
@treturn[2] stage
@usage
local client = assert(sock99.socket{ host = 'example.com', port = 80, timeout = 2 })
assert(client:send('HEAD / HTTP/1.0\r\n\r\n'))
print(client:receive())
*/
int sock99_open_socket(lua_State *L) {
  struct sock99_request request;
  struct sock99_settings settings;
  socket99_result result;
  if (!sock99_read_config(L, &request, &result))
    return sock99_fail_result(L, &result);
  sock99_derive_settings(&request.config, &settings);
  /* The most likely class, so that it seldom has to change. */
  sock99_new_socket(L, class_opened(&request.config, !request.config.unconnected));
  if (!sock99_open_now(L, &request.config, &result))
    return sock99_fail_result(L, &result);
  sock99_finish_opening(L, &settings, &result);
  return 1;
}


/*** Make an object from a descriptor, which the object then owns.

The kernel reports its family and type, and whether it listens or is connected;
its flags are left alone.
@function wrap
@tparam integer fd a TCP, UDP or Unix domain socket
@treturn[1] socket the object
@treturn[2] nil
@treturn[2] string the error; the descriptor is still the caller's
@treturn[2] integer errno
@usage
local stdin = assert(sock99.wrap(0)) -- as inetd starts a program
*/
int sock99_wrap(lua_State *L) {
  int fd = sock99_check_descriptor(L, 1), error = EBADF;
  sock99_new_socket(L, SOCK99_MASTER);
  if (fd >= 0)
    error = sock99_adopt(L, lua_gettop(L), fd);
  return error == 0 ? 1 : sock99_fail_call(L, "wrap", lua_tostring(L, 1), error);
}


static void set_end(lua_State *L, int index, int fd, const struct sock99_settings *settings) {
  struct sock99_socket *s = lua_touserdata(L, index);
  s->fd = fd;
  s->type = (unsigned char)settings->type;
  s->family = AF_UNIX;
  s->is_nonblocking = settings->config.nonblocking;
  if (settings->never_waits)
    s->each_wait = 0;
}


/*** The sockets for `pair` to make.

@record pair_config
@tfield ?boolean datagram
@tfield ?boolean seqpacket
@tfield ?boolean nonblocking neither object ever waits
@tfield ?boolean cloexec close-on-exec; true by default
*/

/*** Create two Unix domain sockets that are connected to each other.

@function pair
@tparam[opt] pair_config t
@treturn[1] socket one end
@treturn[1] socket the other
@treturn[2] nil
@treturn[2] string the error
@treturn[2] integer errno
@treturn[2] stage
@usage
local parent, child = assert(sock99.pair())
*/
int sock99_pair(lua_State *L) {
  struct sock99_request request;
  struct sock99_settings settings;
  socket99_result result;
  enum sock99_class class;
  int ends[2], first;
  if (!sock99_read_pair(L, &request, &result))
    return sock99_fail_result(L, &result);
  sock99_derive_settings(&request.config, &settings);
  class = settings.type == SOCK_DGRAM ? SOCK99_CONNECTED : SOCK99_CLIENT;
  sock99_new_socket(L, class);
  first = lua_gettop(L);
  sock99_new_socket(L, class);
  if (sock99_socketpair(settings.type, !request.config.inherit, request.config.nonblocking, ends) !=
      0) {
    memset(&result, 0, sizeof(result));
    result.status = SOCKET99_ERROR_SOCKET;
    result.saved_errno = errno;
    return sock99_fail_result(L, &result);
  }
  set_end(L, first, ends[0], &settings);
  set_end(L, first + 1, ends[1], &settings);
  return 2;
}


/*
** Addresses
*/

/*** @type socket */

typedef int get_name(int, struct sockaddr *, socklen_t *);

static int find_name(int fd, get_name *name, struct s99_address *address) {
  memset(address, 0, sizeof(*address));
  address->len = sizeof(address->addr);
  return name(fd, &address->addr.sa, &address->len) == 0 ? 0 : errno;
}


/*** The object's local address.

@function getsockname
@treturn[1] string the numeric host; for a Unix socket its path, or "" if it has none
@treturn[1] ?integer the port; nil for a Unix socket
@treturn[1] ?'inet'|'inet6' family; IPv4 through an IPv6 socket is "inet"
@treturn[2] nil
@treturn[2] string the error
@treturn[2] integer errno
*/
static int l_getsockname(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  struct s99_address local;
  int fd = sock99_descriptor(s);
  int error = fd < 0 ? SOCK99_CLOSED : find_name(fd, getsockname, &local);
  return error == 0 ? sock99_push_endpoint(L, &local) : sock99_fail(L, error);
}


/*** The address of the peer. The results are as those of `getsockname`.

A connection returned by `accept` reports it even after the client has reset it.

@function getpeername
@treturn[1] string the host
@treturn[1] ?integer the port
@treturn[1] ?'inet'|'inet6' the family
@treturn[2] nil
@treturn[2] string the error
@treturn[2] integer errno
*/
static int l_getpeername(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  struct s99_address peer;
  int fd = sock99_descriptor(s);
  int error = fd < 0 ? SOCK99_CLOSED : find_name(fd, getpeername, &peer);
  if (error == 0 || (fd >= 0 && sock99_kept_peer(s, &peer)))
    return sock99_push_endpoint(L, &peer);
  return sock99_fail(L, error);
}


/*** The family of the object's descriptor.

@function getfamily
@treturn[1] 'inet4'|'inet6'|'unix'
@treturn[2] nil
@treturn[2] string "closed"
*/
static int l_getfamily(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  if (sock99_descriptor(s) < 0)
    return sock99_fail(L, SOCK99_CLOSED);
  lua_pushstring(L, s->family == AF_UNIX ? "unix" : s->family == AF_INET6 ? "inet6" : "inet4");
  return 1;
}


/*** Bind the object to a local address.

@function bind
@tparam string host a numeric address, a name, or "*"; the path for a Unix socket
@tparam[opt=0] integer|string port 0: any free port
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string the error
@treturn[2] ?integer errno, or the EAI_ code of the stage "getaddrinfo"
@treturn[2] ?string the stage: "getaddrinfo", "bind", "timeout", "configuration"
*/
int sock99_bind(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  struct sock99_limit limit;
  struct sock99_failure failure;
  struct s99_address local;
  if (sock99_descriptor(s) < 0)
    return sock99_fail(L, SOCK99_CLOSED);
  sock99_begin_wait(s, &limit);
  if (!sock99_read_address(L, s->family, s->type, 2, &limit, &local, &failure))
    return sock99_push_failure(L, &failure);
  if (bind(sock99_descriptor(s), &local.addr.sa, local.len) != 0)
    return sock99_fail_address(L, "bind", &local, errno);
  return sock99_push_done(L);
}


/*
** Listeners
*/

/*** Stream sockets: TCP, Unix streams, and SOCK_SEQPACKET, whose messages `send` and
`receive` pass whole.

An object's `class` determines which methods it allows: `"tcp{master}"` is neither
connected nor listening, `"tcp{client}"` is connected, `"tcp{server}"` listens.
Unix sockets use the same class names.

@type stream
*/

/*** Listen for connections: the object becomes a server.

@function listen
@tparam[opt] integer backlog connections that may wait; SOMAXCONN by default
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string the error
@treturn[2] ?integer errno
@treturn[2] ?string the stage: "listen", "fcntl"
*/
static int l_listen(lua_State *L) {
  struct sock99_socket *s = sock99_check_socket(
      L, SOCK99_ONLY(SOCK99_MASTER) | SOCK99_ONLY(SOCK99_SERVER), "tcp{master}");
  int backlog = (int)sock99_opt_integer(L, 2, "backlog", 0, INT_MAX, SOMAXCONN);
  int error;
  if (s->fd < 0)
    return sock99_fail(L, SOCK99_CLOSED);
  if (listen(s->fd, backlog) != 0)
    return sock99_fail_stage(L, "listen", NULL, errno);
  error = sock99_set_nonblocking(s);
  if (error != 0)
    return sock99_fail_stage(L, "fcntl", NULL, error);
  sock99_set_class(L, 1, SOCK99_SERVER);
  return sock99_push_done(L);
}


/* Returns a descriptor and sets `*from`; or returns -1 and sets `*error`. */
static int accept_one(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                      struct s99_address *from, int *error) {
  /* If somebody else takes the connection that poll(2) reported, accept(2) on a wrapped
  ** descriptor would block until the next one. */
  *error = sock99_unblock(s);
  while (*error == 0) {
    int fd;
    from->addr.sa.sa_family = AF_UNSPEC;
    from->len = sizeof(from->addr);
    fd = sock99_accept(s->fd, s->stays_nonblocking, &from->addr.sa, &from->len);
    if (fd >= 0)
      return fd;
    if (errno == EINTR || !sock99_concerns_the_connection(errno))
      *error = sock99_try_again(L, s, limit, POLLIN, errno);
  }
  return -1;
}


/*** Accept the next connection.

@function accept
@treturn[1] stream the connection, without a timeout
@treturn[2] nil
@treturn[2] string "timeout", "closed", or another error
@treturn[2] integer errno
@usage
local server = assert(sock99.socket{ host = '127.0.0.1', server = true })
local client = assert(server:accept())
client:settimeout(10)
*/
static int l_accept(lua_State *L) {
  struct sock99_socket *s = sock99_check_socket(L, SOCK99_ONLY(SOCK99_SERVER), "tcp{server}");
  struct sock99_socket *peer;
  struct sock99_limit limit;
  struct s99_address from;
  int error;
  /* Created first: Lua may collect garbage here, and a finalizer may close the server. */
  peer = sock99_new_sibling(L, 1, SOCK99_CLIENT);
  if (s->fd < 0)
    return sock99_fail(L, SOCK99_CLOSED);
  sock99_begin_wait(s, &limit);
  peer->fd = accept_one(L, s, &limit, &from, &error);
  if (peer->fd < 0)
    return sock99_fail(L, error);
  sock99_keep_peer(peer, &from);
  peer->type = s->type;
  peer->family = s->family;
  peer->is_nonblocking = peer->stays_nonblocking = s->stays_nonblocking;
  return 1;
}


/*** @type socket */

/*** Shut down one direction of a connection, or both.

@function shutdown
@tparam[opt="both"] 'both'|'send'|'receive' how
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string the error
@treturn[2] integer errno
*/
static int l_shutdown(lua_State *L) {
  static const char *const names[] = {"receive", "send", "both", NULL};
  static const int hows[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
  int fd = sock99_descriptor(sock99_check_any(L));
  int how = luaL_checkoption(L, 2, "both", names);
  if (fd < 0)
    return sock99_fail(L, SOCK99_CLOSED);
  if (shutdown(fd, hows[how]) != 0)
    return sock99_fail(L, errno);
  return sock99_push_done(L);
}


const luaL_Reg sock99_socket_methods[] = {
    {"bind", sock99_bind},          {"getfamily", l_getfamily}, {"getpeername", l_getpeername},
    {"getsockname", l_getsockname}, {"shutdown", l_shutdown},   {NULL, NULL},
};

const luaL_Reg sock99_connection_methods[] = {
    {"accept", l_accept}, {"listen", l_listen}, {NULL, NULL}};
