/*
** many.c: many datagrams in one call, in and out.
**
** Over IP, up to 64 of them are one system call. In: the rooms that they land in
** belong to the call until Lua has a list of all; the Lua state keeps them for the
** next one. Out: the whole list is looked at before anything is sent, so that
** a bad entry sends none.
*/

#include "datagram.h"

#include <poll.h>

/* Datagrams that one system call sends or receives. */
#define BATCH 64

/*** @module sock99 */

/*** @type datagram */


/*
** Out
*/

struct outgoing {
  struct s99_mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  struct s99_address addresses[BATCH];
  int count;
  bool addressed;
};


static void refuse_entry(lua_State *L, int i, const char *expected) {
  lua_pushfstring(L, "entry %d: %s expected", i, expected);
  luaL_argerror(L, 2, lua_tostring(L, -1));
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
static int add_message(lua_State *L, const struct sock99_socket *s, struct sock99_wait *wait,
                       struct outgoing *out) {
  struct msghdr *message = &out->messages[out->count].msg_hdr;
  struct iovec *part = &out->parts[out->count];
  struct s99_address *to = &out->addresses[out->count];
  memset(message, 0, sizeof(*message));
  part->iov_base = (char *)lua_tolstring(L, -3, &part->iov_len);
  message->msg_iov = part;
  message->msg_iovlen = 1;
  if (has_address(L, s, lua_gettop(L) - 1)) {
    int error = sock99_read_address(L, s, lua_gettop(L) - 1, wait, to);
    if (error != 0)
      return error;
    message->msg_name = &to->addr;
    message->msg_namelen = to->len;
    out->addressed = true;
  }
  lua_pop(L, 2);
  out->count++;
  return 0;
}


/* The next entries, whose data is kept on the stack. */
static int collect(lua_State *L, const struct sock99_socket *s, struct sock99_wait *wait, int *next,
                   int last, struct outgoing *out) {
  int error = 0;
  out->count = 0;
  out->addressed = false;
  lua_settop(L, 2);
  for (; error == 0 && *next <= last && out->count < BATCH; (*next)++) {
    push_entry(L, *next);
    error = add_message(L, s, wait, out);
  }
  return error;
}


static int send_collected(struct sock99_socket *s, struct sock99_wait *wait, struct outgoing *out,
                          uint64_t *done) {
  int flags = sock99_message_flags(s), first = 0, error = 0;
  struct sock99_retry retry = {0, 0};
  while (error == 0 && first < out->count) {
    int i, sent = s99_send_many(s->fd, out->messages + first, out->count - first, flags);
    if (sent < 0) {
      error = sock99_wait_to_send(s, wait, out->addressed, &retry, errno);
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


/* With SOCK99_TOLD, nil, message, code are on top of the stack. */
static int push_many_failure(lua_State *L, uint64_t done, int error) {
  sock99_push_count(L, done);
  if (error != SOCK99_TOLD)
    return sock99_push_partial(L, error);
  lua_insert(L, -2);
  return 4;
}


/*** Send many datagrams, 64 of them in one system call.

@function sendmany
@tparam table list of strings, or of `{data, host, port}` (of a Unix socket
`{data, path}`), as `receivemany` returns them; what has no address goes to the
peer
@treturn[1] integer how many were sent: all
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why the next one was not sent
@treturn[2] integer how many were sent
@treturn[2] ?integer errno
@usage
server:sendmany(server:receivemany(64))
*/
int sock99_sendmany(lua_State *L) {
  struct sock99_socket *s = sock99_check_datagram(L);
  struct outgoing out;
  struct sock99_wait wait;
  uint64_t done = 0;
  int next = 1, last, error, unsent;
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checkstack(L, BATCH + LUA_MINSTACK, "too many datagrams");
  last = (int)lua_rawlen(L, 2);
  check_entries(L, s, last);
  error = s->fd < 0 ? SOCK99_CLOSED : 0;
  sock99_begin_wait(s, &wait);
  while (error == 0 && next <= last) {
    error = collect(L, s, &wait, &next, last, &out);
    unsent = send_collected(s, &wait, &out, &done);
    error = unsent != 0 ? unsent : error;
  }
  if (error != 0)
    return push_many_failure(L, done, error);
  sock99_push_count(L, done);
  return 1;
}


/*
** In
*/

struct incoming {
  struct sock99_socket *socket;
  struct s99_mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  struct s99_address addresses[BATCH];
  int count;
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
  int flags = sock99_message_flags(s) & ~S99_MSG_NOSIGNAL, error = 0;
  struct sock99_wait wait;
  sock99_begin_wait(s, &wait);
  while (error == 0) {
    prepare_rooms(in, rooms, max);
    in->count = s99_receive_many(s->fd, in->messages, max, flags);
    if (in->count >= 0)
      return 0;
    error = errno;
    if (s99_would_block(error))
      error = sock99_wait_for(s, &wait, POLLIN);
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


static void set_origin(lua_State *L, const struct sock99_socket *s, int list,
                       const struct s99_address *from) {
  sock99_push_origin(L, s, from);
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
      set_origin(L, in->socket, list, &one.from);
    }
    add_entry(L, in->socket, list, i + 1, &one);
  }
  lua_settop(L, list);
  return 1;
}


/* The rooms are nobody else's until the list is complete, and go back where
** they came from even if it never is. */
static int receive_many_inet(lua_State *L, struct sock99_socket *s, int max) {
  struct sock99_scratch *scratch = sock99_scratch_of(L);
  struct incoming in;
  struct sock99_rooms *rooms;
  int error, status = 0;
  in.socket = s;
  lua_pushcfunction(L, push_batch);
  lua_pushlightuserdata(L, &in);
  rooms = sock99_take_rooms(scratch, (size_t)max);
  error = rooms == NULL ? ENOMEM : receive_batch(s, &in, rooms->bytes, max);
  if (error == 0)
    status = lua_pcall(L, 1, 1, 0);
  sock99_return_rooms(scratch, rooms);
  if (error != 0)
    return sock99_push_errno_failure(L, error);
  return status == 0 ? 1 : lua_error(L);
}


/* Their sizes are asked for one by one. */
static int receive_many_unix(lua_State *L, struct sock99_socket *s, int max) {
  int flags = (sock99_message_flags(s) & ~S99_MSG_NOSIGNAL) | MSG_DONTWAIT;
  int i, list, error;
  struct sock99_message in;
  char small[SOCK99_ROOM_SIZE];
  in.wants_from = true;
  error = sock99_receive_one(L, s, small, &in);
  if (error != 0)
    return sock99_push_errno_failure(L, error);
  list = new_list(L, max);
  for (i = 1; error == 0; i++) {
    if (s->class != SOCK99_CONNECTED || in.is_cut)
      set_origin(L, s, list, &in.from);
    add_entry(L, s, list, i, &in);
    lua_settop(L, list + 2);
    error = i < max ? sock99_try_to_receive(L, s, flags, small, &in) : EAGAIN;
    if (error == 0)
      s->received += in.length;
  }
  lua_settop(L, list);
  if (!s99_would_block(error) && error != EINTR)
    s->pending_error = error;
  return 1;
}


/*** Receive many datagrams: waits for the first, and takes what else is there.

Over IP it is one system call.
@function receivemany
@tparam[opt=64] integer max how many at most; more than 64 are never taken
@treturn[1] table list as `sendmany` takes it: of strings where the object is
connected, else of `{data, host, port}`, of a Unix socket `{data, path}`; one that
was cut, since another reader came between, is a table with `truncated`, its
whole length
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not
@treturn[2] ?integer errno
@usage
for _, datagram in ipairs(assert(server:receivemany())) do
  print(datagram[2], datagram[3], #datagram[1])
end
*/
int sock99_receivemany(lua_State *L) {
  struct sock99_socket *s = sock99_check_datagram(L);
  lua_Integer max = luaL_optinteger(L, 2, BATCH);
  luaL_argcheck(L, max >= 1, 2, "a number of datagrams, 1 or more, expected");
  if (s->fd < 0)
    return sock99_push_errno_failure(L, SOCK99_CLOSED);
  if (max > BATCH)
    max = BATCH;
  return s->family == AF_UNIX ? receive_many_unix(L, s, (int)max)
                              : receive_many_inet(L, s, (int)max);
}
