/*
** many.c: many datagrams in one call, in and out.
**
** Over IP, up to 64 of them are one system call. In: the rooms that they land in
** belong to the call until Lua has a list of all; the Lua state keeps them for the
** next one. Out: the whole list is looked at before anything is sent, so that
** a bad entry sends none.
*/

#include "methods.h"

#include <poll.h>

/* Datagrams that one system call sends or receives. */
#define BATCH 64

/*** @module sock99 */

/*** A datagram and where it came from, or goes to.

@record packet
@tfield string 1 data
@tfield ?string 2 numeric host; of a Unix socket the path
@tfield ?integer 3 port
@tfield ?integer truncated the whole length of a datagram that was cut, since another
reader came between
*/

/*** @type datagram */


/*
** Out
*/

/* The arrays lie in a userdata at stack index 3, above the object and the list. */
struct outgoing {
  struct sock99_mmsghdr *messages;
  struct iovec *parts;
  struct s99_address *addresses;
  int count;
  bool addressed;
};


static void refuse_entry(lua_State *L, int i, const char *expected) {
  sock99_raise(L, 2, "entry %d: %s expected", i, expected);
}


static bool is_text(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TSTRING || lua_type(L, index) == LUA_TNUMBER;
}


/* A service's name will do as well, and, for the peer's, nothing. */
static bool is_port(lua_State *L, int index) {
  if (lua_isnumber(L, index))
    return sock99_is_port(L, index);
  return lua_type(L, index) == LUA_TSTRING || lua_isnil(L, index);
}


/* Pushes data, host, port of an entry of the list at index 2, nil for what is
** missing. */
static void push_entry(lua_State *L, int i) {
  int entry, field;
  lua_rawgeti(L, 2, i);
  entry = lua_gettop(L);
  if (lua_istable(L, entry)) {
    for (field = 1; field <= 3; field++)
      lua_rawgeti(L, entry, field);
    lua_remove(L, entry);
  } else {
    lua_pushnil(L);
    lua_pushnil(L);
  }
  if (!is_text(L, entry))
    refuse_entry(L, i, "a string, or {data, host, port},");
  if (!lua_isnil(L, entry + 1) && lua_type(L, entry + 1) != LUA_TSTRING)
    refuse_entry(L, i, "a string as host or path");
  if (!is_port(L, entry + 2))
    refuse_entry(L, i, "a port, 0 to 65535,");
}


/* A bad entry must not be found when half of them are sent. */
static void check_entries(lua_State *L, const struct sock99_socket *s, int count) {
  int i;
  for (i = 1; i <= count; i++) {
    push_entry(L, i);
    if (s->family != AF_UNIX && !lua_isnil(L, -2) && lua_isnil(L, -1))
      refuse_entry(L, i, "a port, 0 to 65535,");
    lua_pop(L, 3);
  }
}


/* Whether the host or path at `index` means anybody else than the peer. What
** came from a Unix socket without a name has the path "". */
static bool has_address(lua_State *L, const struct sock99_socket *s, int index) {
  return !lua_isnil(L, index) && (s->family != AF_UNIX || lua_rawlen(L, index) > 0);
}


/* On top of the stack are data, host, port; the data stays there. */
static bool add_message(lua_State *L, const struct sock99_socket *s, struct sock99_limit *limit,
                        struct outgoing *out, struct sock99_failure *failure) {
  struct msghdr *message = &out->messages[out->count].msg_hdr;
  struct iovec *part = &out->parts[out->count];
  struct s99_address *to = &out->addresses[out->count];
  int host = lua_gettop(L) - 1;
  memset(message, 0, sizeof(*message));
  part->iov_base = (char *)lua_tolstring(L, -3, &part->iov_len);
  message->msg_iov = part;
  message->msg_iovlen = 1;
  if (has_address(L, s, host)) {
    if (!sock99_read_address(L, s->family, s->type, host, limit, to, failure))
      return false;
    message->msg_name = &to->addr;
    message->msg_namelen = to->len;
    out->addressed = true;
  }
  lua_pop(L, 2);
  out->count++;
  return true;
}


/* The next entries, whose data is kept on the stack. False: the last of them has no
** address. */
static bool collect(lua_State *L, const struct sock99_socket *s, struct sock99_limit *limit,
                    int *next, int last, struct outgoing *out, struct sock99_failure *failure) {
  out->count = 0;
  out->addressed = false;
  lua_settop(L, 3);
  for (; *next <= last && out->count < BATCH; (*next)++) {
    push_entry(L, *next);
    if (!add_message(L, s, limit, out, failure))
      return false;
  }
  return true;
}


static int send_collected(struct sock99_socket *s, struct sock99_limit *limit, struct outgoing *out,
                          uint64_t *done) {
  int flags = sock99_message_flags(s), first = 0, error = 0;
  struct sock99_retry retry = {0, 0};
  while (error == 0 && first < out->count) {
    int i, sent = sock99_send_many(s->fd, out->messages + first, out->count - first, flags);
    if (sent < 0) {
      error = sock99_wait_to_send(s, limit, out->addressed, &retry, errno);
      continue;
    }
    for (i = first; i < first + sent; i++)
      s->sent += out->messages[i].msg_len;
    first += sent;
    retry.pause = 0;
  }
  *done += (uint64_t)first;
  return error;
}


static void make_outgoing(lua_State *L, int count, struct outgoing *out) {
  size_t size = count < BATCH ? (size_t)count : BATCH;
  out->messages = sock99_newuserdata(
      L, size * (sizeof(*out->messages) + sizeof(*out->parts) + sizeof(*out->addresses)));
  out->parts = (void *)(out->messages + size);
  out->addresses = (void *)(out->parts + size);
}


/* Sends the list at index 2, `*done` messages of it; false: `failure` says why not all. */
static bool send_all(lua_State *L, struct sock99_socket *s, uint64_t *done,
                     struct sock99_failure *failure) {
  struct outgoing out;
  struct sock99_limit limit;
  int next = 1, last = (int)lua_rawlen(L, 2);
  bool has_addresses = true;
  lua_settop(L, 2);
  make_outgoing(L, last, &out);
  sock99_begin_wait(s, &limit);
  while (has_addresses && next <= last) {
    int error;
    has_addresses = collect(L, s, &limit, &next, last, &out, failure);
    error = send_collected(s, &limit, &out, done);
    if (error != 0) {
      *failure = (struct sock99_failure){.error = error};
      return false;
    }
  }
  return has_addresses;
}


/*** Send many datagrams, 64 of them in one system call.

@function sendmany
@tparam (string|packet)[] list as `receivemany` returns it; what has no address goes
to the peer
@treturn[1] integer how many were sent: all
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why the next one was not sent
@treturn[2] integer how many were sent
@treturn[2] ?integer errno
@usage
server:sendmany(server:receivemany(64))
*/
static int l_sendmany(lua_State *L) {
  struct sock99_socket *s = sock99_check_datagram(L);
  struct sock99_failure failure = {.error = SOCK99_CLOSED};
  uint64_t done = 0;
  bool is_done;
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checkstack(L, BATCH + LUA_MINSTACK, "too many datagrams");
  check_entries(L, s, (int)lua_rawlen(L, 2));
  is_done = s->fd >= 0 && send_all(L, s, &done, &failure);
  sock99_push_count(L, done);
  failure.has_partial = true;
  return is_done ? 1 : sock99_push_failure(L, &failure);
}


/*
** In
*/

struct incoming {
  struct sock99_socket *socket;
  struct sock99_mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  struct s99_address addresses[BATCH];
  int count;                   /* received; over Unix, at most to be received */
  struct sock99_message first; /* over Unix, in `room` */
  char *room;
};


static void prepare_rooms(struct incoming *in, char *rooms, int count) {
  bool wants_from = in->socket->class != SOCK99_CONNECTED;
  int i;
  for (i = 0; i < count; i++) {
    struct msghdr *message = &in->messages[i].msg_hdr;
    memset(message, 0, sizeof(*message));
    in->parts[i].iov_base = rooms + (size_t)i * SOCK99_ROOM_SIZE;
    in->parts[i].iov_len = SOCK99_ROOM_SIZE;
    message->msg_iov = &in->parts[i];
    message->msg_iovlen = 1;
    message->msg_name = wants_from ? &in->addresses[i].addr : NULL;
    message->msg_namelen = wants_from ? sizeof(in->addresses[i].addr) : 0;
  }
}


static int receive_batch(struct sock99_socket *s, struct incoming *in, char *rooms, int max) {
  int flags = sock99_message_flags(s) & ~SOCK99_MSG_NOSIGNAL, error = 0;
  struct sock99_limit limit;
  sock99_begin_wait(s, &limit);
  while (error == 0) {
    prepare_rooms(in, rooms, max);
    in->count = sock99_receive_many(s->fd, in->messages, max, flags);
    if (in->count >= 0)
      return 0;
    error = errno;
    if (sock99_would_block(error))
      error = sock99_wait_for(s, &limit, POLLIN);
    else if (error == EINTR)
      error = 0;
  }
  return error;
}


/*
** The list is at index `list` of the stack, where the last datagram came from
** in the two places above it.
*/
static int new_list(lua_State *L, int count) {
  lua_createtable(L, count, 0);
  lua_pushnil(L);
  lua_pushnil(L);
  return lua_gettop(L) - 2;
}


static void set_origin(lua_State *L, int list, const struct s99_address *from) {
  sock99_push_origin(L, from);
  lua_replace(L, list + 2);
  lua_replace(L, list + 1);
}


/* From the peer: a string; else, or where it was cut, a table that says more. */
static void add_entry(lua_State *L, const struct sock99_socket *s, int list, int i,
                      const struct sock99_message *in) {
  if (s->class == SOCK99_CONNECTED && !in->is_cut) {
    lua_pushlstring(L, in->data, in->size);
    lua_rawseti(L, list, i);
    return;
  }
  lua_createtable(L, 3, 0);
  lua_pushlstring(L, in->data, in->size);
  lua_rawseti(L, -2, 1);
  lua_pushvalue(L, list + 1);
  lua_rawseti(L, -2, 2);
  lua_pushvalue(L, list + 2);
  lua_rawseti(L, -2, 3);
  if (in->is_cut) {
    sock99_push_count(L, in->length);
    lua_setfield(L, -2, "truncated");
  }
  lua_rawseti(L, list, i);
}


static bool is_same(const struct s99_address *a, const struct msghdr *b) {
  return a->len == b->msg_namelen && memcmp(&a->addr, b->msg_name, a->len) == 0;
}


/* Called by Lua, with a struct incoming; returns the list. Many datagrams of one
** sender share its host. */
static int push_batch(lua_State *L) {
  const struct incoming *in = lua_touserdata(L, 1);
  struct sock99_message one;
  int i, list = new_list(L, in->count);
  one.from.len = 0;
  for (i = 0; i < in->count; i++) {
    const struct msghdr *message = &in->messages[i].msg_hdr;
    one.data = message->msg_iov->iov_base;
    one.length = one.size = in->messages[i].msg_len;
    one.is_cut = (message->msg_flags & MSG_TRUNC) != 0;
    in->socket->received += one.length;
    if (in->socket->class != SOCK99_CONNECTED && !is_same(&one.from, message)) {
      one.from.addr = in->addresses[i].addr;
      one.from.len = message->msg_namelen;
      set_origin(L, list, &one.from);
    }
    add_entry(L, in->socket, list, i + 1, &one);
  }
  lua_settop(L, list);
  return 1;
}


/* Called by Lua, with a struct incoming; returns the list. The sizes of Unix messages
** are asked for one by one. The first lies in the room already. */
static int push_unix(lua_State *L) {
  struct incoming *in = lua_touserdata(L, 1);
  struct sock99_socket *s = in->socket;
  int flags = (sock99_message_flags(s) & ~SOCK99_MSG_NOSIGNAL) | MSG_DONTWAIT;
  int i, list = new_list(L, in->count), error = 0;
  for (i = 1; error == 0; i++) {
    if (s->class != SOCK99_CONNECTED || in->first.is_cut)
      set_origin(L, list, &in->first.from);
    add_entry(L, s, list, i, &in->first);
    lua_settop(L, list + 2);
    error = i < in->count ? sock99_try_to_receive(L, s, flags, in->room, &in->first) : EAGAIN;
    if (error == 0)
      s->received += in->first.length;
  }
  lua_settop(L, list);
  if (!sock99_would_block(error) && error != EINTR)
    s->pending_error = error;
  return 1;
}


static int receive_first(lua_State *L, struct incoming *in, char *room, int max) {
  in->count = max;
  in->room = room;
  in->first.wants_from = true;
  return sock99_receive_one(L, in->socket, room, &in->first);
}


/* What is above the function and its argument holds a large message. */
static int receive_many(lua_State *L, struct sock99_socket *s, int max) {
  bool is_unix = s->family == AF_UNIX;
  int error, status = 0, function = lua_gettop(L) + 1;
  struct sock99_rooms *rooms;
  struct incoming *in;
  lua_pushcfunction(L, is_unix ? push_unix : push_batch);
  lua_pushnil(L);
  rooms = sock99_take_rooms(sock99_scratch_of(L), is_unix ? 2 : (size_t)max + 1);
  if (rooms == NULL)
    return sock99_fail(L, ENOMEM);
  in = (void *)rooms->bytes;
  in->socket = s;
  lua_pushlightuserdata(L, in);
  lua_replace(L, function + 1);
  error = is_unix ? receive_first(L, in, rooms->bytes + SOCK99_ROOM_SIZE, max)
                  : receive_batch(s, in, rooms->bytes + SOCK99_ROOM_SIZE, max);
  if (error == 0)
    status = lua_pcall(L, lua_gettop(L) - function, 1, 0);
  sock99_return_rooms(sock99_scratch_of(L), rooms);
  if (error != 0)
    return sock99_fail(L, error);
  return status == 0 ? 1 : lua_error(L);
}


/*** Receive many datagrams: waits for the first, and takes what else is there.

Over IP it is one system call.
@function receivemany
@tparam[opt=64] integer max how many at most; more than 64 are never taken
@treturn[1] (string|packet)[] strings where the object is connected
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not
@treturn[2] ?integer errno
@usage
for _, datagram in ipairs(assert(server:receivemany())) do
  print(datagram[2], datagram[3], #datagram[1])
end
*/
static int l_receivemany(lua_State *L) {
  struct sock99_socket *s = sock99_check_datagram(L);
  long long max = sock99_opt_integer(L, 2, "max", 1, LLONG_MAX, BATCH);
  if (s->fd < 0)
    return sock99_fail(L, SOCK99_CLOSED);
  return receive_many(L, s, max < BATCH ? (int)max : BATCH);
}


const luaL_Reg sock99_many_methods[] = {
    {"sendmany", l_sendmany}, {"receivemany", l_receivemany}, {NULL, NULL}};
