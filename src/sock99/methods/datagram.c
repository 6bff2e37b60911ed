/*
** datagram.c: whole messages, one at a time: datagrams, and the records of
** SOCK_SEQPACKET.
**
** Every IP datagram fits 64 KiB. A message of a Unix socket may be of any size,
** so its size is asked for first, and a large one lands in a userdata. A message
** that another reader's took the place of meanwhile is cut, and reported like one
** that the caller's own `max` cuts: "truncated", and the whole length.
**
** A message lands in a room that all objects share. Lua may collect garbage, and
** so run other calls on sockets, while it makes a string of it: so a small one
** is copied first, and with a large one the room is the call's alone meanwhile.
*/

#include "methods.h"

#include <poll.h>

/*** @module sock99 */


struct sock99_socket *sock99_check_datagram(lua_State *L) {
  return sock99_check_socket(L, SOCK99_DATAGRAMS, "udp{connected|unconnected}");
}


/*
** Out
*/

/* After a call that could not send: 0 is "again". */
int sock99_wait_to_send(struct sock99_socket *s, struct sock99_limit *limit, bool addressed,
                        struct sock99_retry *retry, int error) {
  if (error == EINTR)
    return 0;
  if (!sock99_would_block(error))
    return error;
  if (addressed && s->family == AF_UNIX)
    return sock99_sleep_for_room(s, limit, retry);
  return sock99_wait_for(s, limit, POLLOUT);
}


/* To the peer, or to an address. */
static int send_one(struct sock99_socket *s, struct sock99_limit *limit, const char *data,
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
    error = sock99_wait_to_send(s, limit, to != NULL, &retry, errno);
  }
  return error;
}


/* Strings that are joined at once: so many fit Lua's stack. */
#define JOINED 100

/* The list at index 2 becomes one string. */
static void join_list(lua_State *L) {
  int i, count = (int)lua_rawlen(L, 2);
  lua_settop(L, 2);
  luaL_checkstack(L, JOINED + LUA_MINSTACK, "too many strings");
  lua_pushliteral(L, "");
  for (i = 1; i <= count; i++) {
    sock99_push_entry(L, 2, i);
    if (i % JOINED == 0 || i == count)
      lua_concat(L, lua_gettop(L) - 2);
  }
  lua_replace(L, 2);
}


static int fail_to_send(lua_State *L, const struct sock99_socket *s, size_t partial, int error) {
  if (s->type == SOCK_DGRAM)
    return sock99_fail(L, error);
  sock99_push_count(L, partial);
  return sock99_fail_partial(L, error);
}


/* The peer would take an empty record for the end. */
static int refuse_empty(lua_State *L, size_t partial) {
  static const struct sock99_failure failure = {
      .error = EINVAL, .text = "an empty message would mean the end", .has_partial = true};
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
    error = send_one(s, &limit, length > 0 ? data + first - 1 : data, length, NULL);
  if (error != 0)
    return fail_to_send(L, s, first - 1, error);
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


static int fail_to_send_to(lua_State *L, int error) {
  const struct sock99_failure failure = {.error = error,
                                         .stage = error == SOCK99_TIMEOUT ? "timeout" : "sendto"};
  return sock99_push_failure(L, &failure);
}


/*** Send a datagram to an address. It is sent whole, or not at all.

@function sendto
@tparam string|number data the datagram
@tparam string host numeric, or a name; of a Unix socket the path
@tparam integer|string port
@treturn[1] integer the number of bytes sent
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not
@treturn[2] ?integer errno, or the EAI_ code of the stage "getaddrinfo"
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
    return sock99_fail_address(L, "sendto", &to, EINVAL);
  error = send_one(s, &limit, data, length, &to);
  if (error != 0)
    return fail_to_send_to(L, error);
  sock99_push_count(L, length);
  return 1;
}


/*
** In
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


/* recvfrom(2) is quicker than recvmsg(2). */
static int receive_inet(const struct sock99_socket *s, int flags, char *room,
                        struct sock99_message *in) {
  struct iovec part = {room, SOCK99_ROOM_SIZE};
  struct sockaddr *from = in->wants_from ? &in->from.addr.sa : NULL;
  in->from.len = sizeof(in->from.addr);
  return fill_message(in,
                      recvfrom(s->fd, room, SOCK99_ROOM_SIZE, flags | SOCK99_MSG_WHOLE_LENGTH, from,
                               from != NULL ? &in->from.len : NULL),
                      &part);
}


/* Makes `part` fit the next message: 0 or an error. What is larger than the room
** goes to a userdata on top of the stack. */
static int fit_next(lua_State *L, const struct sock99_socket *s, int flags, char *room,
                    struct iovec *part) {
  ssize_t size = sock99_next_message_size(s->fd, flags);
  if (size < 0)
    return errno;
  part->iov_base = room;
  part->iov_len = SOCK99_ROOM_SIZE;
  if ((size_t)size > part->iov_len) {
    part->iov_len = (size_t)size;
    part->iov_base = sock99_newuserdata(L, part->iov_len);
  }
  return 0;
}


static int receive_unix(lua_State *L, struct sock99_socket *s, int flags, char *room,
                        struct sock99_message *in) {
  struct msghdr message;
  struct iovec part;
  int error = fit_next(L, s, flags, room, &part);
  if (error != 0)
    return error;
  memset(&message, 0, sizeof(message));
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_name = &in->from.addr;
  message.msg_namelen = sizeof(in->from.addr);
  /* The room is for the message that is there; another is not waited for. */
  flags |= MSG_DONTWAIT | SOCK99_MSG_WHOLE_LENGTH;
  error = fill_message(in, sock99_receive_message_rights(s, &message, flags), &part);
  in->is_cut = (message.msg_flags & MSG_TRUNC) != 0;
  in->from.len = message.msg_namelen;
  return error;
}


int sock99_try_to_receive(lua_State *L, struct sock99_socket *s, int flags, char *room,
                          struct sock99_message *in) {
  return s->family == AF_UNIX ? receive_unix(L, s, flags, room, in)
                              : receive_inet(s, flags, room, in);
}


int sock99_receive_one(lua_State *L, struct sock99_socket *s, char *room,
                       struct sock99_message *in) {
  int flags = sock99_message_flags(s) & ~SOCK99_MSG_NOSIGNAL;
  int top = lua_gettop(L), error = s->pending_error;
  struct sock99_limit limit;
  s->pending_error = 0;
  sock99_begin_wait(s, &limit);
  while (error == 0) {
    lua_settop(L, top);
    error = sock99_try_to_receive(L, s, flags, room, in);
    if (error == 0) {
      s->received += in->length;
      return 0;
    }
    if (sock99_would_block(error))
      error = sock99_wait_for(s, &limit, POLLIN);
    else if (error == EINTR)
      error = 0;
  }
  return error;
}


int sock99_receive_into_room(lua_State *L, struct sock99_socket *s, struct sock99_message *in) {
  char *room;
  if (s->fd < 0)
    return SOCK99_CLOSED;
  room = sock99_message_room(sock99_scratch_of(L));
  return room == NULL ? ENOMEM : sock99_receive_one(L, s, room, in);
}


static void push_large(lua_State *L, const struct sock99_message *in) {
  struct sock99_rooms *rooms = sock99_take_rooms(sock99_scratch_of(L), 1);
  sock99_push_from_rooms(L, in->data, in->size, rooms);
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
    push_large(L, in);
}


/* The results, `count` of them so far, end in "truncated", length if it was. */
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


int sock99_receive_message(lua_State *L, struct sock99_socket *s) {
  size_t max = sock99_opt_max(L, 2, 0);
  struct sock99_message in;
  int error;
  in.wants_from = false;
  error = sock99_receive_into_room(L, s, &in);
  if (error == 0 && in.length == 0 && s->type == SOCK_SEQPACKET)
    error = SOCK99_CLOSED;
  if (error != 0)
    return fail_to_receive(L, s, error);
  sock99_push_message(L, &in, max);
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
  size_t max = sock99_opt_max(L, 2, 0);
  struct sock99_message in;
  int error;
  in.wants_from = true;
  error = sock99_receive_into_room(L, s, &in);
  if (error != 0)
    return sock99_fail(L, error);
  sock99_push_message(L, &in, max);
  sock99_push_origin(L, &in.from);
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
@treturn[2] ?integer errno, or the EAI_ code of the stage "getaddrinfo"
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


/*** Give the object an address of its own.

@function setsockname
@tparam string host numeric, or a name, or "*"; of a Unix socket the path
@tparam[opt=0] integer|string port 0: any that is free
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string why not
@treturn[2] ?integer errno, or the EAI_ code of the stage "getaddrinfo"
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
