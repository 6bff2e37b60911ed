/*
** datagram.c: sends and receives one message at a time: datagrams, and records of
** SOCK_SEQPACKET.
**
** Any IP datagram fits into 64 KiB. A Unix message may have any size, so its size
** is queried first, and a large one is received into a userdata. If another reader
** takes that message first, the next one may be longer and is truncated; this is
** reported as when the caller's `max` truncates it: "truncated", and the whole
** length.
**
** A message is received into a block that all objects share. While Lua creates a
** string it may collect garbage, and so run other calls on sockets. Therefore a
** small message is copied first, and for a large one the call claims the block.
*/

#include "methods.h"

#include <poll.h>

/*** @module sock99 */


struct sock99_socket *sock99_check_datagram(lua_State *L) {
  return sock99_check_socket(L, SOCK99_DATAGRAMS, "udp{connected|unconnected}");
}


/*
** Sending
*/

int sock99_try_to_send_again(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                             bool addressed, int64_t *pause, int error) {
  if (addressed && s->family == AF_UNIX && sock99_would_block(error))
    return sock99_sleep_to_retry(L, s, limit, pause);
  return sock99_try_again(L, s, limit, POLLOUT, error);
}


/* To the peer, or to an address. */
static int send_one(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                    const char *data, size_t length, const struct s99_address *to) {
  int flags = sock99_message_flags(s), error = s->pending_error;
  int64_t pause = 0;
  s->pending_error = 0;
  while (error == 0) {
    ssize_t sent = to == NULL ? send(s->fd, data, length, flags)
                              : sendto(s->fd, data, length, flags, &to->addr.sa, to->len);
    if (sent >= 0) {
      s->sent += (uint64_t)sent;
      return 0;
    }
    error = sock99_try_to_send_again(L, s, limit, to != NULL, &pause, errno);
  }
  return error;
}


/* Strings joined at once; Lua's stack limits their number. */
#define JOINED 100

/* Replaces the list at index 2 by one string. */
static void join_list(lua_State *L) {
  int i, base, count = (int)lua_rawlen(L, 2);
  luaL_checkstack(L, JOINED + LUA_MINSTACK, "too many strings");
  lua_pushliteral(L, "");
  base = lua_gettop(L);
  for (i = 1; i <= count; i++) {
    sock99_push_entry(L, 2, i);
    if (i % JOINED == 0 || i == count)
      lua_concat(L, lua_gettop(L) - base + 1);
  }
  lua_replace(L, 2);
}


static int fail_to_send(lua_State *L, const struct sock99_socket *s, size_t partial, int error) {
  if (s->type == SOCK_DGRAM)
    return sock99_fail(L, error);
  sock99_push_count(L, partial);
  return sock99_fail_partial(L, error);
}


/* The peer would mistake an empty record for the end of the stream. */
static int refuse_empty(lua_State *L, size_t partial) {
  static const struct sock99_failure failure = {
      .error = EINVAL,
      .text = "an empty message would signal the end of the stream",
      .has_partial = true};
  sock99_push_count(L, partial);
  return sock99_push_failure(L, &failure);
}


int sock99_send_message(lua_State *L, struct sock99_socket *s) {
  size_t first, last, length;
  struct sock99_limit limit;
  const char *data;
  int error = SOCK99_CLOSED;
  if (lua_istable(L, 2))
    join_list(L);
  data = sock99_check_part(L, 2, &first, &last);
  length = first <= last ? last - first + 1 : 0;
  if (length == 0 && s->type == SOCK_SEQPACKET && s->fd >= 0)
    return refuse_empty(L, first - 1);
  sock99_begin_wait(s, &limit);
  if (s->fd >= 0)
    error = send_one(L, s, &limit, length > 0 ? data + first - 1 : data, length, NULL);
  if (error != 0)
    return fail_to_send(L, s, first - 1, error);
  sock99_push_count(L, first - 1 + length);
  return 1;
}


/*** Datagram sockets: UDP and Unix domain.

A message is sent and received whole. An object with a peer has the class
`"udp{connected}"` and reports errors from the network; one without has the class
`"udp{unconnected}"`. Unix sockets use the same class names.

@type datagram
*/

/*** Send a datagram to the peer, whole or not at all.

@function send
@tparam string|number|(string|number)[] data the datagram; a list of strings and
numbers is joined into one
@tparam[opt=1] integer i the first byte to send, as in `string.sub`
@tparam[opt=-1] integer j the last one
@treturn[1] integer index of the last byte sent; without `i`, this is the number
of bytes
@treturn[2] nil
@treturn[2] string "timeout", "closed", or another error; an error that an earlier
datagram caused ("Connection refused") is reported here or by `receive`
@treturn[2] ?integer errno
*/
static int l_send(lua_State *L) {
  return sock99_send_message(L, sock99_check_datagram(L));
}


/* Port 0 is not a valid destination, but Linux would connect to it. */
static bool has_port(const struct s99_address *address) {
  switch (address->addr.sa.sa_family) {
  case AF_INET:
    return address->addr.in.sin_port != 0;
  case AF_INET6:
    return address->addr.in6.sin6_port != 0;
  default:
    return true;
  }
}


static int fail_to_send_to(lua_State *L, int error) {
  const struct sock99_failure failure = {.error = error,
                                         .stage = error == SOCK99_TIMEOUT ? "timeout" : "sendto"};
  return sock99_push_failure(L, &failure);
}


static int refuse_port(lua_State *L, const struct s99_address *to) {
  char host[SOCKET99_WHERE_SIZE];
  struct sock99_failure failure = {.error = EINVAL, .stage = "sendto"};
  socket99_address_text(&to->addr.sa, to->len, host, sizeof(host));
  failure.text = lua_pushfstring(L, "sendto %s: the port is missing, 1 to 65535", host);
  return sock99_push_failure(L, &failure);
}


static int fail_without_zone(lua_State *L, const struct s99_address *to, int error) {
  char where[SOCKET99_WHERE_SIZE];
  s99_failed_address_text(to, error, where, sizeof(where));
  return sock99_fail_call(L, "sendto", where, error);
}


/*** Send a datagram to an address, whole or not at all.

@function sendto
@tparam string|number data the datagram
@tparam string host a numeric address or a name; the path for a Unix socket
@tparam[opt] integer|string port not for a Unix socket
@treturn[1] integer the number of bytes sent
@treturn[2] nil
@treturn[2] string "timeout", "closed", or another error
@treturn[2] ?integer errno, or the EAI_ code for the stage "getaddrinfo"
@treturn[2] ?string the stage: "getaddrinfo", "sendto", "timeout", "configuration"
@usage
local data, host, port = server:receivefrom()
server:sendto(data:upper(), host, port)
*/
int sock99_sendto(lua_State *L) {
  struct sock99_socket *s = sock99_check_datagram(L);
  size_t length;
  const char *data = luaL_checklstring(L, 2, &length);
  struct sock99_limit limit;
  struct sock99_failure failure;
  struct s99_address to;
  int error;
  if (s->fd < 0)
    return sock99_fail(L, SOCK99_CLOSED);
  sock99_begin_wait(s, &limit);
  if (!sock99_read_address(L, s->family, s->type, 3, &limit, &to, &failure))
    return sock99_push_failure(L, &failure);
  if (!has_port(&to))
    return refuse_port(L, &to);
  error = send_one(L, s, &limit, data, length, &to);
  if (s99_lacks_zone(&to, error))
    return fail_without_zone(L, &to, error);
  if (error != 0)
    return fail_to_send_to(L, error);
  sock99_push_count(L, length);
  return 1;
}


/*
** Receiving
*/

static int fill_message(struct sock99_message *in, ssize_t got, const struct iovec *part) {
  if (got < 0)
    return errno;
  in->data = part->iov_base;
  in->length = (size_t)got;
  in->size = in->length < part->iov_len ? in->length : part->iov_len;
  in->is_cut = in->size < in->length;
  return 0;
}


/* recvfrom(2) is faster than recvmsg(2). */
static int receive_inet(const struct sock99_socket *s, int flags, char *block,
                        struct sock99_message *in) {
  struct iovec part = {block, SOCK99_BLOCK_SIZE};
  struct sockaddr *from = in->wants_from ? &in->from.addr.sa : NULL;
  in->from.len = sizeof(in->from.addr);
  return fill_message(in,
                      recvfrom(s->fd, block, SOCK99_BLOCK_SIZE, flags | SOCK99_MSG_WHOLE_LENGTH,
                               from, from != NULL ? &in->from.len : NULL),
                      &part);
}


/* Sets `part` to memory for the next message: `block`, or a new userdata on top of the
** stack if the message is larger. Returns 0 or an errno. */
static int fit_next(lua_State *L, const struct sock99_socket *s, int flags, char *block,
                    struct iovec *part) {
  ssize_t size = sock99_next_message_size(s->fd, flags);
  if (size < 0)
    return errno;
  part->iov_base = block;
  part->iov_len = SOCK99_BLOCK_SIZE;
  if ((size_t)size > part->iov_len) {
    part->iov_len = (size_t)size;
    part->iov_base = sock99_newuserdata(L, part->iov_len);
  }
  return 0;
}


static int receive_unix(lua_State *L, struct sock99_socket *s, int flags, char *block,
                        struct sock99_message *in) {
  struct msghdr message;
  struct iovec part;
  int top = lua_gettop(L), error = fit_next(L, s, flags, block, &part);
  if (error != 0)
    return error;
  memset(&message, 0, sizeof(message));
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_name = &in->from.addr;
  message.msg_namelen = sizeof(in->from.addr);
  /* If another reader has taken the message, do not wait for the next one. */
  flags |= MSG_DONTWAIT | SOCK99_MSG_WHOLE_LENGTH;
  error = fill_message(in, sock99_receive_message_rights(s, &message, flags), &part);
  in->is_cut = (message.msg_flags & MSG_TRUNC) != 0;
  in->from.len = message.msg_namelen;
  if (error != 0)
    lua_settop(L, top);
  return error;
}


int sock99_try_to_receive(lua_State *L, struct sock99_socket *s, int flags, char *block,
                          struct sock99_message *in) {
  return s->family == AF_UNIX ? receive_unix(L, s, flags, block, in)
                              : receive_inet(s, flags, block, in);
}


/* During the wait a signal handler may also receive into the block, or have it replaced;
** so the block is fetched each time. */
int sock99_receive_into_block(lua_State *L, struct sock99_socket *s, struct sock99_message *in) {
  int flags = sock99_message_flags(s) & ~SOCK99_MSG_NOSIGNAL, error = s->pending_error;
  struct sock99_limit limit;
  if (s->fd < 0)
    return SOCK99_CLOSED;
  s->pending_error = 0;
  sock99_begin_wait(s, &limit);
  while (error == 0) {
    char *block = sock99_message_block(sock99_scratch_of(L));
    if (block == NULL)
      return ENOMEM;
    error = sock99_try_to_receive(L, s, flags, block, in);
    if (error == 0) {
      s->received += in->length;
      return 0;
    }
    error = sock99_try_again(L, s, &limit, POLLIN, error);
  }
  return error;
}


static void push_small(lua_State *L, const struct sock99_message *in) {
  char copy[SOCK99_SMALL_PIECE];
  memcpy(copy, in->data, in->size);
  lua_pushlstring(L, copy, in->size);
}


void sock99_push_message(lua_State *L, struct sock99_message *in, size_t max) {
  if (in->size > max) {
    in->size = max;
    in->is_cut = true;
  }
  if (!SOCK99_COLLECTS_FIRST)
    lua_pushlstring(L, in->data, in->size);
  else if (in->size <= SOCK99_SMALL_PIECE)
    push_small(L, in);
  else
    sock99_push_from_blocks(L, in->data, in->size);
}


/* Appends "truncated" and the length to the `count` results if the message was cut.
** Returns the number of results. */
static int end_results(lua_State *L, const struct sock99_message *in, int count) {
  if (!in->is_cut)
    return count;
  lua_pushliteral(L, "truncated");
  sock99_push_count(L, in->length);
  return count + 2;
}


static int fail_to_receive(lua_State *L, const struct sock99_socket *s, int error) {
  if (s->type == SOCK_DGRAM)
    return sock99_fail(L, error);
  lua_pushliteral(L, "");
  return sock99_fail_partial(L, error);
}


/* Programs that know streams ask for a line of them. */
static void check_no_pattern(lua_State *L) {
  if (lua_type(L, 2) == LUA_TSTRING && !lua_isnumber(L, 2))
    sock99_raise(L, 2, "records have no patterns: number expected, got '%s'", lua_tostring(L, 2));
}


int sock99_receive_message(lua_State *L, struct sock99_socket *s) {
  size_t max;
  struct sock99_message in;
  int error;
  if (s->type == SOCK_SEQPACKET)
    check_no_pattern(L);
  max = sock99_opt_max(L, 2, 0);
  in.wants_from = false;
  error = sock99_receive_into_block(L, s, &in);
  if (error == 0 && in.length == 0 && s->type == SOCK_SEQPACKET)
    error = SOCK99_CLOSED;
  if (error != 0)
    return fail_to_receive(L, s, error);
  sock99_push_message(L, &in, max);
  return end_results(L, &in, 1);
}


/*** Receive a whole datagram of any size.

@function receive
@tparam[opt] integer max at most this many bytes; the rest is dropped
@treturn[1] string the datagram; "" is an empty datagram, not the end
@treturn[1] ?'truncated' if it was longer than `max`
@treturn[1] ?integer its whole length in that case
@treturn[2] nil
@treturn[2] string "timeout", "closed", or another error
@treturn[2] ?integer errno
*/
static int l_receive(lua_State *L) {
  return sock99_receive_message(L, sock99_check_datagram(L));
}


/*** Receive a datagram and the address of its sender.

@function receivefrom
@tparam[opt] integer max at most this many bytes; the rest is dropped
@treturn[1] string the datagram
@treturn[1] string the sender's numeric address; for a Unix socket its path, or ""
if it has none
@treturn[1] ?integer the sender's port; nil for a Unix socket
@treturn[1] ?'truncated' if the datagram was longer than `max`
@treturn[1] ?integer its whole length in that case
@treturn[2] nil
@treturn[2] string "timeout", "closed", or another error
@treturn[2] ?integer errno
*/
int sock99_receivefrom(lua_State *L) {
  struct sock99_socket *s = sock99_check_datagram(L);
  size_t max = sock99_opt_max(L, 2, 0);
  struct sock99_message in;
  int error;
  in.wants_from = true;
  error = sock99_receive_into_block(L, s, &in);
  if (error != 0)
    return sock99_fail(L, error);
  sock99_push_message(L, &in, max);
  sock99_push_sender(L, &in.from);
  return end_results(L, &in, 3);
}


/*
** Peers
*/

static int forget_peer(lua_State *L, const struct sock99_socket *s) {
  if (sock99_disconnect(s->fd) != 0)
    return sock99_fail_stage(L, "connect", "*", errno);
  sock99_set_class(L, 1, SOCK99_UNCONNECTED);
  return sock99_push_done(L);
}


/*** Connect to a peer, or disconnect from it.

The peer becomes the destination of `send`, and only datagrams from it are
received. So use `sendto` for a broadcast or multicast address: answers come from
other addresses. With "*", a port chosen by the system may be lost.
@function setpeername
@tparam string host a numeric address or a name; the path for a Unix socket; "*"
to disconnect
@tparam[opt] integer|string port not for a Unix socket
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string "timeout", "closed", or another error; the peer is unchanged
@treturn[2] ?integer errno, or the EAI_ code for the stage "getaddrinfo"
@treturn[2] ?string the stage: "getaddrinfo", "connect", "timeout", "configuration"
*/
static int l_setpeername(lua_State *L) {
  struct sock99_socket *s = sock99_check_datagram(L);
  const char *host = luaL_checkstring(L, 2);
  struct sock99_limit limit;
  struct sock99_failure failure;
  struct s99_address peer;
  if (s->fd < 0)
    return sock99_fail(L, SOCK99_CLOSED);
  if (strcmp(host, "*") == 0)
    return forget_peer(L, s);
  sock99_begin_wait(s, &limit);
  if (!sock99_read_address(L, s->family, s->type, 2, &limit, &peer, &failure))
    return sock99_push_failure(L, &failure);
  if (!has_port(&peer))
    return sock99_fail_address(L, "connect", &peer, EINVAL);
  while (connect(s->fd, &peer.addr.sa, peer.len) != 0) {
    if (errno != EINTR)
      return sock99_fail_address(L, "connect", &peer, errno);
  }
  sock99_set_class(L, 1, SOCK99_CONNECTED);
  return sock99_push_done(L);
}


/*** Bind the object to a local address.

@function setsockname
@tparam string host a numeric address, a name, or "*"; the path for a Unix socket
@tparam[opt=0] integer|string port 0: any free port
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string the error
@treturn[2] ?integer errno, or the EAI_ code for the stage "getaddrinfo"
@treturn[2] ?string the stage: "getaddrinfo", "bind", "timeout", "configuration"
*/


const luaL_Reg sock99_datagram_methods[] = {
    {"send", l_send},
    {"sendto", sock99_sendto},
    {"receive", l_receive},
    {"receivefrom", sock99_receivefrom},
    {"setpeername", l_setpeername},
    {NULL, NULL},
};
