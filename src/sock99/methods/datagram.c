/*
** datagram.c: whole messages, one at a time: datagrams, and the records of
** SOCK_SEQPACKET.
**
** Every IP datagram fits 64 KiB. A message of a Unix socket may be of any size,
** so its size is asked for first, and a large one lands in a userdata. What is
** cut in spite of that, because somebody else took the message in between, is
** told like what is cut by the caller's own `max`: "truncated", and the whole
** length.
**
** Messages do not go through the scratch buffer: Lua may collect garbage, and
** so run other calls on sockets, before it has copied what it is given.
*/

#include "datagram.h"

#include <poll.h>

/*** @module sock99 */


struct sock99_socket *sock99_check_datagram(lua_State *L) {
  return sock99_check_socket(L, SOCK99_DATAGRAMS, "udp{connected|unconnected}");
}


/*
** Out
*/

/* After a call that could not send: 0 is "again". */
int sock99_wait_to_send(struct sock99_socket *s, struct sock99_wait *wait, bool addressed,
                        struct sock99_retry *retry, int error) {
  if (error == EINTR)
    return 0;
  if (!s99_would_block(error))
    return error;
  if (addressed && s->family == AF_UNIX)
    return sock99_sleep_for_room(s, wait, retry);
  return sock99_wait_for(s, wait, POLLOUT);
}


/* To the peer, or to an address. */
static int send_one(struct sock99_socket *s, struct sock99_wait *wait, const char *data,
                    size_t length, const struct s99_address *to) {
  int flags = sock99_message_flags(s), error = 0;
  struct sock99_retry retry = {0, 0};
  while (error == 0) {
    ssize_t sent = to == NULL ? send(s->fd, data, length, flags)
                              : sendto(s->fd, data, length, flags, &to->addr.sa, to->len);
    if (sent >= 0) {
      s->sent += (uint64_t)sent;
      return 0;
    }
    error = sock99_wait_to_send(s, wait, to != NULL, &retry, errno);
  }
  return error;
}


/* The list at index 2 becomes one string. */
static void join_list(lua_State *L) {
  luaL_Buffer buffer;
  int i, count = (int)lua_rawlen(L, 2);
  lua_settop(L, 2);
  luaL_buffinit(L, &buffer);
  for (i = 1; i <= count; i++) {
    lua_rawgeti(L, 2, i);
    if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER) {
      lua_pushfstring(L, "entry %d: string expected, got %s", i, luaL_typename(L, -1));
      luaL_argerror(L, 2, lua_tostring(L, -1));
    }
    luaL_addvalue(&buffer);
  }
  luaL_pushresult(&buffer);
  lua_replace(L, 2);
}


static int push_send_failure(lua_State *L, const struct sock99_socket *s, size_t partial,
                             int error) {
  if (s->type == SOCK_DGRAM)
    return sock99_push_errno_failure(L, error);
  sock99_push_count(L, partial);
  return sock99_push_partial(L, error);
}


/* The peer would take an empty record for the end. */
static int refuse_empty(lua_State *L, size_t partial) {
  lua_pushnil(L);
  lua_pushliteral(L, "an empty message would mean the end");
  sock99_push_count(L, partial);
  lua_pushinteger(L, EINVAL);
  return 4;
}


int sock99_send_message(lua_State *L, struct sock99_socket *s) {
  size_t first, last, length;
  struct sock99_wait wait;
  const char *data;
  int error = SOCK99_CLOSED;
  if (lua_istable(L, 2))
    join_list(L);
  data = sock99_check_part(L, 2, &first, &last);
  length = first <= last ? last - first + 1 : 0;
  if (length == 0 && s->type == SOCK_SEQPACKET && s->fd >= 0)
    return refuse_empty(L, first - 1);
  sock99_begin_wait(s, &wait);
  if (s->fd >= 0)
    error = send_one(s, &wait, length > 0 ? data + first - 1 : data, length, NULL);
  if (error != 0)
    return push_send_failure(L, s, first - 1, error);
  sock99_push_count(L, first - 1 + length);
  return 1;
}


/*** Sockets of messages: UDP, and Unix datagrams.

A message is sent and received whole. An object that has a peer is
`"udp{connected}"`, and hears of errors that the network reports; other ones
are `"udp{unconnected}"`. Unix sockets have the same names.

@type datagram
*/

/*** Send a datagram to the peer. It is sent whole, or not at all.

@function send
@tparam string|number|table data the datagram; the strings and numbers of a
list are sent as one
@tparam[opt=1] integer i the first byte to send, as in `string.sub`
@tparam[opt=-1] integer j the last one
@treturn[1] integer index of the last byte sent, which is the number of bytes
where `i` is missing
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not; what the peer's system said
to an earlier datagram ("Connection refused") is told here or by `receive`
@treturn[2] ?integer errno
*/
static int l_send(lua_State *L) {
  return sock99_send_message(L, sock99_check_datagram(L));
}


/* 0 is no port to send to, but Linux would connect to it. */
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


/*** Send a datagram to an address. It is sent whole, or not at all.

@function sendto
@tparam string|number data the datagram
@tparam string host numeric, or a name; of a Unix socket the path
@tparam integer|string port
@treturn[1] integer the number of bytes sent
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not
@treturn[2] ?integer errno
@usage
local data, host, port = server:receivefrom()
server:sendto(data:upper(), host, port)
*/
static int l_sendto(lua_State *L) {
  struct sock99_socket *s = sock99_check_datagram(L);
  size_t length;
  const char *data = luaL_checklstring(L, 2, &length);
  struct sock99_wait wait;
  struct s99_address to;
  int error;
  if (s->fd < 0)
    return sock99_push_errno_failure(L, SOCK99_CLOSED);
  sock99_begin_wait(s, &wait);
  error = sock99_read_address(L, s, 3, &wait, &to);
  if (error == 0 && !has_port(&to))
    return sock99_push_address_failure(L, "sendto", &to, EINVAL);
  if (error == 0)
    error = send_one(s, &wait, data, length, &to);
  if (error != 0)
    return sock99_push_errno_failure(L, error);
  sock99_push_count(L, length);
  return 1;
}


/*
** In
*/

static int note(struct sock99_message *in, ssize_t got, const struct iovec *part) {
  if (got < 0)
    return errno;
  in->data = part->iov_base;
  in->length = (size_t)got;
  in->size = in->length < part->iov_len ? in->length : part->iov_len;
  in->is_cut = in->size < in->length;
  return 0;
}


/* recvfrom(2) is quicker than recvmsg(2). */
static int receive_inet(const struct sock99_socket *s, int flags, char *small,
                        struct sock99_message *in) {
  struct iovec part = {small, SOCK99_ROOM_SIZE};
  struct sockaddr *from = in->wants_from ? &in->from.addr.sa : NULL;
  in->from.len = sizeof(in->from.addr);
  return note(in,
              recvfrom(s->fd, small, SOCK99_ROOM_SIZE, flags | S99_MSG_WHOLE_LENGTH, from,
                       from != NULL ? &in->from.len : NULL),
              &part);
}


/* Makes `part` fit the next message: 0 or an error. What is larger than the room
** goes to a userdata on top of the stack. */
static int fit_next(lua_State *L, const struct sock99_socket *s, int flags, char *small,
                    struct iovec *part) {
  ssize_t size = s99_next_message_size(s->fd, flags);
  if (size < 0)
    return errno;
  part->iov_base = small;
  part->iov_len = SOCK99_ROOM_SIZE;
  if ((size_t)size > part->iov_len) {
    part->iov_len = (size_t)size;
    part->iov_base = lua_newuserdata(L, part->iov_len);
  }
  return 0;
}


static int receive_unix(lua_State *L, struct sock99_socket *s, int flags, char *small,
                        struct sock99_message *in) {
  struct msghdr message;
  struct iovec part;
  int error = fit_next(L, s, flags, small, &part);
  if (error != 0)
    return error;
  memset(&message, 0, sizeof(message));
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_name = &in->from.addr;
  message.msg_namelen = sizeof(in->from.addr);
  /* The room is for the message that is there; another is not waited for. */
  flags |= MSG_DONTWAIT | S99_MSG_WHOLE_LENGTH;
  error = note(in, sock99_receive_message_rights(s, &message, flags), &part);
  in->is_cut = (message.msg_flags & MSG_TRUNC) != 0;
  in->from.len = message.msg_namelen;
  return error;
}


/* One message, if there is one, or where there is leave to block. */
int sock99_try_to_receive(lua_State *L, struct sock99_socket *s, int flags, char *small,
                          struct sock99_message *in) {
  return s->family == AF_UNIX ? receive_unix(L, s, flags, small, in)
                              : receive_inet(s, flags, small, in);
}


int sock99_receive_one(lua_State *L, struct sock99_socket *s, char *small,
                       struct sock99_message *in) {
  int flags = sock99_message_flags(s) & ~S99_MSG_NOSIGNAL;
  int top = lua_gettop(L), error = s->pending_error;
  struct sock99_wait wait;
  s->pending_error = 0;
  sock99_begin_wait(s, &wait);
  while (error == 0) {
    lua_settop(L, top);
    error = sock99_try_to_receive(L, s, flags, small, in);
    if (error == 0) {
      s->received += in->length;
      return 0;
    }
    if (s99_would_block(error))
      error = sock99_wait_for(s, &wait, POLLIN);
    else if (error == EINTR)
      error = 0;
  }
  return error;
}


/* The bytes that a caller wants at most. */
static size_t check_max(lua_State *L, int index) {
  lua_Number max;
  if (lua_isnoneornil(L, index))
    return SIZE_MAX;
  max = luaL_checknumber(L, index);
  luaL_argcheck(L, max >= 0, index, "a number of bytes, 0 or more, expected");
  if (max > (lua_Number)(SIZE_MAX / 4))
    return SIZE_MAX;
  luaL_argcheck(L, (lua_Number)(size_t)max == max, index, "a whole number of bytes expected");
  return (size_t)max;
}


static void push_data(lua_State *L, struct sock99_message *in, size_t max) {
  if (in->size > max) {
    in->size = max;
    in->is_cut = true;
  }
  lua_pushlstring(L, in->data, in->size);
}


/* The results, `count` of them so far, end in "truncated", length if it was. */
static int end_results(lua_State *L, const struct sock99_message *in, int count) {
  if (!in->is_cut)
    return count;
  lua_pushliteral(L, "truncated");
  sock99_push_count(L, in->length);
  return count + 2;
}


static int push_receive_failure(lua_State *L, const struct sock99_socket *s, int error) {
  if (s->type == SOCK_DGRAM)
    return sock99_push_errno_failure(L, error);
  lua_pushliteral(L, "");
  return sock99_push_partial(L, error);
}


int sock99_receive_message(lua_State *L, struct sock99_socket *s) {
  size_t max = check_max(L, 2);
  struct sock99_message in;
  char small[SOCK99_ROOM_SIZE];
  int error = SOCK99_CLOSED;
  in.wants_from = false;
  if (s->fd >= 0)
    error = sock99_receive_one(L, s, small, &in);
  if (error == 0 && in.length == 0 && s->type == SOCK_SEQPACKET)
    error = SOCK99_CLOSED;
  if (error != 0)
    return push_receive_failure(L, s, error);
  push_data(L, &in, max);
  return end_results(L, &in, 1);
}


/*** Receive a datagram: the whole of it, whatever its size.

@function receive
@tparam[opt] integer max at most so many bytes of it; the rest is dropped
@treturn[1] string the datagram; "" is an empty one, not the end
@treturn[1] ?string "truncated" where it was longer than `max`
@treturn[1] ?integer the whole length then
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not
@treturn[2] ?integer errno
*/
static int l_receive(lua_State *L) {
  return sock99_receive_message(L, sock99_check_datagram(L));
}


/* host, port; or path, nil. */
void sock99_push_origin(lua_State *L, const struct sock99_socket *s,
                        const struct s99_address *from) {
  if (s->family == AF_UNIX) {
    (void)sock99_push_address(L, from);
    lua_pushnil(L);
  } else {
    (void)sock99_push_address(L, from);
    lua_pop(L, 1);
  }
}


/*** Receive a datagram, and where it came from.

@function receivefrom
@tparam[opt] integer max at most so many bytes of it; the rest is dropped
@treturn[1] string the datagram
@treturn[1] string the sender's host, numeric; of a Unix socket its path, ""
where it has none
@treturn[1] ?integer the sender's port; nil of a Unix socket
@treturn[1] ?string "truncated" where the datagram was longer than `max`
@treturn[1] ?integer the whole length then
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not
@treturn[2] ?integer errno
*/
int sock99_receivefrom(lua_State *L) {
  struct sock99_socket *s = sock99_check_datagram(L);
  size_t max = check_max(L, 2);
  struct sock99_message in;
  char small[SOCK99_ROOM_SIZE];
  int error = SOCK99_CLOSED;
  in.wants_from = true;
  if (s->fd >= 0)
    error = sock99_receive_one(L, s, small, &in);
  if (error != 0)
    return sock99_push_errno_failure(L, error);
  push_data(L, &in, max);
  sock99_push_origin(L, s, &in.from);
  return end_results(L, &in, 3);
}


/*
** Peers
*/

static int forget_peer(lua_State *L, const struct sock99_socket *s) {
  if (s99_disconnect(s->fd) != 0)
    return sock99_push_call_failure(L, "connect", "*", errno);
  sock99_set_class(L, 1, SOCK99_UNCONNECTED);
  return sock99_push_done(L);
}


/*** Connect to a peer, or to no peer any more.

What is sent goes there, and only what comes from there is received: a
broadcast or multicast address is better sent to with `sendto`, since answers
come from others. With "*", a port that the system had chosen may be gone.
@function setpeername
@tparam string host numeric, or a name; of a Unix socket the path; "*": no peer
@tparam integer|string port
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not; the peer is the same as before
@treturn[2] ?integer errno
*/
static int l_setpeername(lua_State *L) {
  struct sock99_socket *s = sock99_check_datagram(L);
  const char *host = luaL_checkstring(L, 2);
  struct sock99_wait wait;
  struct s99_address peer;
  int error;
  if (s->fd < 0)
    return sock99_push_errno_failure(L, SOCK99_CLOSED);
  if (strcmp(host, "*") == 0)
    return forget_peer(L, s);
  sock99_begin_wait(s, &wait);
  error = sock99_read_address(L, s, 2, &wait, &peer);
  if (error != 0)
    return sock99_push_errno_failure(L, error);
  if (!has_port(&peer))
    return sock99_push_address_failure(L, "connect", &peer, EINVAL);
  while (connect(s->fd, &peer.addr.sa, peer.len) != 0) {
    if (errno != EINTR)
      return sock99_push_address_failure(L, "connect", &peer, errno);
  }
  sock99_set_class(L, 1, SOCK99_CONNECTED);
  return sock99_push_done(L);
}


/*** Give the object an address of its own.

@function setsockname
@tparam string host numeric, or a name, or "*"; of a Unix socket the path
@tparam[opt=0] integer|string port 0: any that is free
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string why not
@treturn[2] ?integer errno
*/


const luaL_Reg sock99_datagram_methods[] = {
    {"send", l_send},
    {"sendto", l_sendto},
    {"sendmany", sock99_sendmany},
    {"receive", l_receive},
    {"receivefrom", sock99_receivefrom},
    {"receivemany", sock99_receivemany},
    {"setpeername", l_setpeername},
    {"setsockname", sock99_bind},
    {NULL, NULL},
};
