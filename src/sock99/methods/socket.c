/*
** socket.c: the life of a socket object: opened, wrapped or accepted; bound,
** listening, shut down; and the addresses at its two ends.
*/

#include "methods.h"

#include <poll.h>

/*** @module sock99 */


/*
** Birth
*/

static enum sock99_class class_opened(const socket99_config *config, bool is_connected) {
  if (config->datagram)
    return is_connected ? SOCK99_CONNECTED : SOCK99_UNCONNECTED;
  if (config->server && !config->unconnected)
    return SOCK99_SERVER;
  return is_connected ? SOCK99_CLIENT : SOCK99_MASTER;
}


void sock99_born(lua_State *L, const struct sock99_traits *traits, const socket99_result *result) {
  struct sock99_socket *s = lua_touserdata(L, -1);
  enum sock99_class class;
  sock99_take_result(s, traits, result);
  if (traits->never_waits)
    s->each_wait = 0;
  class = class_opened(&traits->config, result->connected);
  if (s->class != class)
    sock99_set_class(L, -1, class);
}


/*** Open the socket that a table describes, as an object.

A listener's descriptor is always non-blocking; that its calls wait, or not, is
the object's timeout.
@function socket
@tparam config t as `open` takes it; `nonblocking` is `settimeout(0)`, and
`timeout` is for the opening alone
@treturn[1] socket the object
@treturn[2] nil
@treturn[2] string what failed on what, and why
@treturn[2] integer errno, or the EAI_ code of the stage "getaddrinfo"
@treturn[2] stage
@usage
local client = assert(sock99.socket{ host = 'example.com', port = 80, timeout = 2 })
assert(client:send('HEAD / HTTP/1.0\r\n\r\n'))
print(client:receive())
*/
int sock99_socket(lua_State *L) {
  struct sock99_request request;
  struct sock99_traits traits;
  socket99_result result;
  if (!sock99_read_config(L, &request, &result))
    return sock99_fail_result(L, &result);
  sock99_prepare(&request.config, &traits);
  /* What it will most likely be, so that it need not become another one. */
  sock99_new_socket(L, class_opened(&request.config, !request.config.unconnected));
  if (!sock99_open_now(L, &request.config, &result))
    return sock99_fail_result(L, &result);
  sock99_born(L, &traits, &result);
  return 1;
}


/*** Make an object of a descriptor, which the object owns from then on.

What it is (family, type, whether it listens or is connected) the kernel is
asked; its flags are left alone.
@function wrap
@tparam integer fd a TCP, UDP or Unix domain socket
@treturn[1] socket the object
@treturn[2] nil
@treturn[2] string why not; the descriptor is still yours
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


static void set_end(lua_State *L, int index, int fd, const struct sock99_traits *traits) {
  struct sock99_socket *s = lua_touserdata(L, index);
  s->fd = fd;
  s->type = (unsigned char)traits->type;
  s->family = AF_UNIX;
  s->is_nonblocking = traits->config.nonblocking;
  if (traits->never_waits)
    s->each_wait = 0;
}


/*** What `pair` makes.

@record pair_config
@tfield ?boolean datagram
@tfield ?boolean seqpacket
@tfield ?boolean nonblocking the two never wait
@tfield ?boolean cloexec close-on-exec; true where missing
*/

/*** Two Unix domain sockets that are connected to each other.

@function pair
@tparam[opt] pair_config t
@treturn[1] socket one end
@treturn[1] socket the other
@treturn[2] nil
@treturn[2] string why not
@treturn[2] integer errno
@treturn[2] stage
@usage
local parent, child = assert(sock99.pair())
*/
int sock99_pair(lua_State *L) {
  struct sock99_request request;
  struct sock99_traits traits;
  socket99_result result;
  enum sock99_class class;
  int ends[2], first;
  if (!sock99_read_pair(L, &request, &result))
    return sock99_fail_result(L, &result);
  sock99_prepare(&request.config, &traits);
  class = traits.type == SOCK_DGRAM ? SOCK99_CONNECTED : SOCK99_CLIENT;
  sock99_new_socket(L, class);
  first = lua_gettop(L);
  sock99_new_socket(L, class);
  if (sock99_socketpair(traits.type, !request.config.inherit, request.config.nonblocking, ends) !=
      0) {
    memset(&result, 0, sizeof(result));
    result.status = SOCKET99_ERROR_SOCKET;
    result.saved_errno = errno;
    return sock99_fail_result(L, &result);
  }
  set_end(L, first, ends[0], &traits);
  set_end(L, first + 1, ends[1], &traits);
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


/*** The object's own address.

@function getsockname
@treturn[1] string the host, numeric; of a Unix socket its path, "" where it has none
@treturn[1] ?integer the port; nil of a Unix socket
@treturn[1] ?'inet'|'inet6' family; IPv4 through an IPv6 socket is "inet"
@treturn[2] nil
@treturn[2] string why not
@treturn[2] integer errno
*/
static int l_getsockname(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  struct s99_address local;
  int fd = sock99_descriptor(s);
  int error = fd < 0 ? SOCK99_CLOSED : find_name(fd, getsockname, &local);
  return error == 0 ? sock99_push_endpoint(L, &local) : sock99_fail(L, error);
}


/*** The address of the peer. Results are those of `getsockname`.

A connection that `accept` made tells it even if the client has reset it meanwhile.

@function getpeername
@treturn[1] string the host
@treturn[1] ?integer the port
@treturn[1] ?'inet'|'inet6' the family
@treturn[2] nil
@treturn[2] string why not
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


/*** Give the object an address of its own.

@function bind
@tparam string host numeric, or a name, or "*"; of a Unix socket the path
@tparam[opt=0] integer|string port 0: any that is free
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string why not
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

/*** Sockets of bytes: TCP, Unix streams, and SOCK_SEQPACKET, whose messages
`send` and `receive` pass whole.

What an object can do depends on its `class`: `"tcp{master}"` is neither
connected nor listening, `"tcp{client}"` is connected, `"tcp{server}"` listens;
Unix sockets have the same names.

@type stream
*/

/*** Wait for connections, from now on: the object becomes a server.

@function listen
@tparam[opt] integer backlog connections that may wait; SOMAXCONN where it is missing
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string why not
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


/* A descriptor and the peer's address, or an error in `*error`. */
static int accept_one(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                      struct s99_address *from, int *error) {
  /* Where somebody else takes the connection that poll(2) told of, accept(2) on
  ** a descriptor that was wrapped as it is would wait for the next one. */
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


/*** The next connection to a server.

@function accept
@treturn[1] stream the connection, without a timeout
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not
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
  /* First, since the garbage that Lua collects may close the server. */
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

/*** End one direction of a connection, or both.

@function shutdown
@tparam[opt="both"] 'both'|'send'|'receive' how
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string why not
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
