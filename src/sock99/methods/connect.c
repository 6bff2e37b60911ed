/*
** connect.c: connects to numeric addresses and names.
**
** A connect to a numeric address starts at once and continues in the kernel. A name
** needs a lookup, which the object's timeouts limit, too. If a timeout ends the call, the
** object keeps the lookup (pending.c), and the next call continues it.
*/

#include "methods.h"

#include <poll.h>

/*** @module sock99 */


/*
** One address
*/

/* Waits for a connect that continues in the kernel. */
static int finish_connect(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit) {
  int error = sock99_wait_for(L, s, limit, POLLOUT);
  s->is_connecting = error == SOCK99_TIMEOUT;
  return error != 0 ? error : sock99_connect_error(s->fd);
}


static int connect_inet(lua_State *L, struct sock99_socket *s, const struct s99_address *peer,
                        struct sock99_limit *limit) {
  int error = sock99_start_connect(s->fd, peer);
  return error == EINPROGRESS ? finish_connect(L, s, limit) : error;
}


static int connect_unix(lua_State *L, struct sock99_socket *s, const struct s99_address *peer,
                        struct sock99_limit *limit) {
  int64_t pause = 0;
  int error = 0;
  while (error == 0 && connect(s->fd, &peer->addr.sa, peer->len) != 0) {
    if (errno == EAGAIN)
      error = sock99_sleep_to_retry(L, s, limit, &pause);
    else
      error = sock99_try_again(L, s, limit, POLLOUT, errno);
  }
  return error;
}


/* A closed ephemeral port on loopback can be connected to itself. */
static int refuse_itself(struct sock99_socket *s, const struct s99_address *peer) {
  static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
  if (!s99_is_connected_to_itself(s->fd, peer))
    return 0;
  (void)connect(s->fd, &nobody, sizeof(nobody));
  return ECONNREFUSED;
}


static int connect_to(lua_State *L, struct sock99_socket *s, const struct s99_address *peer,
                      struct sock99_limit *limit) {
  int error = sock99_unblock(s);
  if (error != 0)
    return error;
  if (s->family == AF_UNIX)
    return connect_unix(L, s, peer, limit);
  error = connect_inet(L, s, peer, limit);
  return error == 0 ? refuse_itself(s, peer) : error;
}


/*
** A connect in progress and its destination
*/

/* FNV-1a. */
static uint32_t hash(uint32_t so_far, const char *bytes, size_t length) {
  size_t i;
  for (i = 0; i < length; i++)
    so_far = (so_far ^ (unsigned char)bytes[i]) * UINT32_C(16777619);
  return so_far;
}


uint32_t sock99_destination(lua_State *L, int first) {
  size_t length;
  const char *host = luaL_checklstring(L, first, &length), *service;
  uint32_t so_far = hash(UINT32_C(2166136261), host, length + 1);
  if (sock99_is_port(L, first + 1)) {
    int port = (int)lua_tonumber(L, first + 1);
    return hash(so_far, (const char *)&port, sizeof(port));
  }
  service = luaL_checklstring(L, first + 1, &length);
  return hash(so_far, service, length);
}


static int fail_destination(lua_State *L, int first, int error) {
  const char *host = luaL_checkstring(L, first), *port = luaL_checkstring(L, first + 1);
  lua_pushfstring(L, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
  return sock99_fail_stage(L, "connect", lua_tostring(L, -1), error);
}


/* The connection exists even if the system cannot report its peer (ENOTCONN: it is
** already gone). */
static int check_peer(struct sock99_socket *s) {
  struct s99_address peer;
  peer.len = sizeof(peer.addr);
  if (getpeername(s->fd, &peer.addr.sa, &peer.len) == 0)
    return refuse_itself(s, &peer);
  return errno == ENOTCONN ? ENOTCONN : 0;
}


int sock99_continue_connect(lua_State *L, struct sock99_socket *s, int first,
                            struct sock99_limit *limit) {
  socket99_result result;
  int error = sock99_is_pending(s) ? sock99_await(L, s, limit) : 0;
  if (sock99_take_failure(s, &result))
    return sock99_fail_result(L, &result);
  if (error == 0 && s->fd < 0)
    error = SOCK99_CLOSED;
  if (error == 0 && s->is_connecting)
    error = finish_connect(L, s, limit);
  if (error == 0)
    error = check_peer(s);
  return error == 0 ? sock99_push_done(L) : fail_destination(L, first, error);
}


/*
** Names
*/

/* Without a timeout the lookup may block, and so may each attempt. */
static int connect_blocking(lua_State *L, struct sock99_socket *s, const socket99_config *lookup,
                            struct sock99_limit *limit) {
  struct sockaddr_storage *found;
  struct s99_address peer;
  socket99_result result;
  size_t count, i;
  int error = EINVAL;
  if (!sock99_find_addresses(L, lookup, &result, &found, &count))
    return sock99_fail_result(L, &result);
  for (i = 0; i < count && error != 0; i++) {
    sock99_pick_address(found, count, s->family, i, &peer);
    error = connect_to(L, s, &peer, limit);
  }
  free(found);
  return error == 0 ? sock99_push_done(L) : sock99_fail_address(L, "connect", &peer, error);
}


static bool has_peer(const struct sock99_socket *s) {
  struct s99_address peer;
  peer.len = sizeof(peer.addr);
  return getpeername(s->fd, &peer.addr.sa, &peer.len) == 0;
}


/* An existing connection must be detected here: the object has no descriptor during the
** lookup. */
static int connect_name(lua_State *L, struct sock99_socket *s, const socket99_config *lookup,
                        struct sock99_limit *limit) {
  socket99_result result;
  int error;
  if (has_peer(s)) {
    sock99_set_class(L, 1, SOCK99_CLIENT);
    return fail_destination(L, 2, EISCONN);
  }
  if (!sock99_has_timeout(s))
    return connect_blocking(L, s, lookup, limit);
  error = sock99_set_nonblocking(s);
  if (error != 0)
    return sock99_fail_stage(L, "fcntl", NULL, error);
  if (!sock99_begin_lookup(s, lookup, &result))
    return sock99_fail_result(L, &result);
  s->destination = sock99_destination(L, 2);
  return sock99_continue_connect(L, s, 2, limit);
}


static int connect_address(lua_State *L, struct sock99_socket *s, const struct s99_address *peer,
                           struct sock99_limit *limit) {
  int error = connect_to(L, s, peer, limit);
  if (s->is_connecting)
    s->destination = sock99_destination(L, 2);
  /* An earlier connect that failed to wait, or another object's, has succeeded since. */
  if (error == EISCONN)
    sock99_set_class(L, 1, SOCK99_CLIENT);
  return error == 0 ? sock99_push_done(L) : sock99_fail_address(L, "connect", peer, error);
}


static int begin_connecting(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit) {
  struct sock99_failure failure;
  struct s99_address peer;
  socket99_config lookup;
  sock99_end_pending(s);
  switch (sock99_read_endpoint(L, s->family, s->type, 2, &peer, &lookup, &failure)) {
  case SOCK99_ADDRESS:
    return connect_address(L, s, &peer, limit);
  case SOCK99_NAME:
    return connect_name(L, s, &lookup, limit);
  default:
    return sock99_push_failure(L, &failure);
  }
}


/*** @type stream */

/*** Connect the object, which becomes a client.

The object's timeouts limit the call, including the lookup of a name. After a timeout
the connection is still being made, and the object is a client: to continue, call again
with the same host and port, or wait until the object is writable and use it. With
another destination the error is EALREADY. A name's addresses are tried in turn.
@function connect
@tparam string host a numeric address or a name; the path for a Unix socket
@tparam integer|string port
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string "timeout", "closed", or another error
@treturn[2] ?integer errno, or the EAI_ code of the stage "getaddrinfo"
@treturn[2] ?string the stage: "getaddrinfo", "connect", "timeout", "configuration"
@usage
client:settimeout(0)
local ok, message = client:connect('example.com', 80)
while message == 'timeout' do
  sock99.select(nil, { client })
  ok, message = client:connect('example.com', 80)
end
*/
int sock99_connect(lua_State *L) {
  struct sock99_socket *s = sock99_check_socket(
      L, SOCK99_ONLY(SOCK99_MASTER) | SOCK99_ONLY(SOCK99_CLIENT), "tcp{master}");
  struct sock99_limit limit;
  int count;
  if (s->fd < 0 && !sock99_is_pending(s))
    return sock99_fail(L, SOCK99_CLOSED);
  luaL_argcheck(L, s->family == AF_UNIX || !lua_isnoneornil(L, 3), 3, "port expected");
  sock99_begin_wait(s, &limit);
  if (s->is_connecting || sock99_is_pending(s)) {
    if (sock99_destination(L, 2) != s->destination)
      return fail_destination(L, 2, EALREADY);
    return sock99_continue_connect(L, s, 2, &limit);
  }
  count = begin_connecting(L, s, &limit);
  if (count == 1 || s->is_connecting || sock99_is_pending(s))
    sock99_set_class(L, 1, SOCK99_CLIENT);
  return count;
}


const luaL_Reg sock99_connect_methods[] = {{"connect", sock99_connect}, {NULL, NULL}};
