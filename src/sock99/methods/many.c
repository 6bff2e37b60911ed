/*
** many.c: sends and receives many datagrams in one call.
**
** Over IP, one system call transfers up to 64 of them. It needs blocks of the Lua state,
** which the call claims; it runs in a protected call, so that they are released even if
** an error is raised. The whole list is checked before anything is sent, so a bad entry
** sends none.
*/

#include "methods.h"

#include <poll.h>

/* Datagrams per system call. */
#define BATCH 64

/*** @module sock99 */

/*** A datagram with its source or destination.

@record packet
@tfield string 1 data
@tfield ?string 2 numeric host; the path for a Unix socket
@tfield ?integer 3 port
@tfield ?integer truncated the whole length of a datagram that was truncated because
another reader had taken the one before it
*/

/*** @type datagram */


/*
** Sending
*/

struct outgoing {
  struct sock99_mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  struct s99_address addresses[BATCH];
  int count;
  bool addressed;
  struct sock99_socket *socket;
  struct sock99_limit limit;
  uint64_t done;
  struct sock99_failure failure;
};


static void refuse_entry(lua_State *L, int i, const char *expected) {
  sock99_raise(L, 2, "entry %d: %s expected", i, expected);
}


static bool is_text(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TSTRING || lua_type(L, index) == LUA_TNUMBER;
}


/* A port number, a service name, or nil, which an entry for the peer has. */
static bool is_port(lua_State *L, int index) {
  if (lua_isnumber(L, index))
    return sock99_is_port(L, index);
  return lua_type(L, index) == LUA_TSTRING || lua_isnil(L, index);
}


/* Pushes data, host and port of an entry of the list at index 2; missing ones are nil. */
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


/* Checks all entries before anything is sent. */
static void check_entries(lua_State *L, const struct sock99_socket *s, int count) {
  int i;
  for (i = 1; i <= count; i++) {
    push_entry(L, i);
    if (s->family != AF_UNIX && !lua_isnil(L, -2) && lua_isnil(L, -1))
      refuse_entry(L, i, "a port, 0 to 65535,");
    lua_pop(L, 3);
  }
}


/* Whether the host or path at `index` is a destination other than the peer. A message
** received from an unnamed Unix socket has the path "". */
static bool has_address(lua_State *L, const struct sock99_socket *s, int index) {
  return !lua_isnil(L, index) && (s->family != AF_UNIX || lua_rawlen(L, index) > 0);
}


/* On top of the stack are data, host, port; the data stays there. */
static bool add_message(lua_State *L, struct outgoing *out) {
  const struct sock99_socket *s = out->socket;
  struct msghdr *message = &out->messages[out->count].msg_hdr;
  struct iovec *part = &out->parts[out->count];
  struct s99_address *to = &out->addresses[out->count];
  int host = lua_gettop(L) - 1;
  memset(message, 0, sizeof(*message));
  part->iov_base = (char *)lua_tolstring(L, -3, &part->iov_len);
  message->msg_iov = part;
  message->msg_iovlen = 1;
  if (has_address(L, s, host)) {
    if (!sock99_read_address(L, s->family, s->type, host, &out->limit, to, &out->failure))
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
static bool collect(lua_State *L, struct outgoing *out, int *next, int last) {
  out->count = 0;
  out->addressed = false;
  lua_settop(L, 2);
  for (; *next <= last && out->count < BATCH; (*next)++) {
    push_entry(L, *next);
    if (!add_message(L, out))
      return false;
  }
  return true;
}


static int send_collected(lua_State *L, struct outgoing *out) {
  struct sock99_socket *s = out->socket;
  int flags = sock99_message_flags(s), first = 0, error = 0;
  int64_t pause = 0;
  while (error == 0 && first < out->count) {
    int i, sent = sock99_send_many(s->fd, out->messages + first, out->count - first, flags);
    size_t bytes = 0;
    if (sent < 0) {
      error = sock99_try_to_send_again(L, s, &out->limit, out->addressed, &pause, errno);
      continue;
    }
    for (i = first; i < first + sent; i++)
      bytes += out->messages[i].msg_len;
    s->sent += bytes;
    first += sent;
    pause = 0;
    if (first < out->count && sock99_is_over(&out->limit, bytes))
      error = SOCK99_TIMEOUT;
  }
  out->done += (uint64_t)first;
  return error;
}


/* Called by Lua, with a pointer to a struct outgoing and the list. Returns the text of the failure,
** which is valid while the caller keeps it on the stack. */
static int l_send_all(lua_State *L) {
  struct outgoing *out = *(struct outgoing **)lua_touserdata(L, 1);
  int next = 1, last = (int)lua_rawlen(L, 2), error = 0;
  bool has_addresses = true;
  luaL_checkstack(L, BATCH + LUA_MINSTACK, "too many datagrams");
  while (has_addresses && error == 0 && next <= last) {
    has_addresses = collect(L, out, &next, last);
    error = send_collected(L, out);
  }
  if (error != 0)
    out->failure = (struct sock99_failure){.error = error};
  lua_pushstring(L, out->failure.text);
  return 1;
}


/* Sends the list at index 2, `*done` messages of it; 0: all, otherwise sets `failure`. */
static int send_all(lua_State *L, struct sock99_socket *s, uint64_t *done,
                    struct sock99_failure *failure) {
  struct sock99_blocks *blocks;
  struct outgoing *out;
  int status;
  lua_pushcfunction(L, l_send_all);
  lua_pushlightuserdata(L, &out);
  lua_pushvalue(L, 2);
  blocks = sock99_claim_blocks(sock99_scratch_of(L), 1);
  if (blocks == NULL)
    return failure->error = ENOMEM;
  out = (void *)blocks->bytes;
  out->socket = s;
  out->done = 0;
  out->failure = (struct sock99_failure){.error = 0};
  sock99_begin_wait(s, &out->limit);
  status = lua_pcall(L, 2, 1, 0);
  *done = out->done;
  *failure = out->failure;
  sock99_return_blocks(sock99_scratch_of(L), blocks);
  return status == 0 ? failure->error : lua_error(L);
}


/*** Send many datagrams, 64 of them in one system call.

@function sendmany
@tparam (string|packet)[] list as `receivemany` returns it; an entry without an
address is sent to the peer
@treturn[1] integer how many were sent: all of them
@treturn[2] nil
@treturn[2] string "timeout", "closed", or the error of the first one that was not sent
@treturn[2] integer how many were sent
@treturn[2] ?integer errno
@usage
server:sendmany(server:receivemany(64))
*/
static int l_sendmany(lua_State *L) {
  struct sock99_socket *s = sock99_check_datagram(L);
  struct sock99_failure failure = {.error = SOCK99_CLOSED};
  uint64_t done = 0;
  luaL_checktype(L, 2, LUA_TTABLE);
  check_entries(L, s, (int)lua_rawlen(L, 2));
  if (s->fd >= 0)
    (void)send_all(L, s, &done, &failure);
  sock99_push_count(L, done);
  failure.has_partial = true;
  return failure.error == 0 ? 1 : sock99_push_failure(L, &failure);
}


/*
** Receiving
*/

/* Stored at the beginning of the blocks that receive the datagrams. */
struct incoming {
  struct sock99_socket *socket;
  struct sock99_mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  struct s99_address addresses[BATCH];
  int max, count;
  char *block;                 /* the first */
  struct sock99_message first; /* over Unix */
};


static void prepare_blocks(struct incoming *in) {
  bool wants_from = in->socket->class != SOCK99_CONNECTED;
  int i;
  for (i = 0; i < in->max; i++) {
    struct msghdr *message = &in->messages[i].msg_hdr;
    memset(message, 0, sizeof(*message));
    in->parts[i].iov_base = in->block + (size_t)i * SOCK99_BLOCK_SIZE;
    in->parts[i].iov_len = SOCK99_BLOCK_SIZE;
    message->msg_iov = &in->parts[i];
    message->msg_iovlen = 1;
    message->msg_name = wants_from ? &in->addresses[i].addr : NULL;
    message->msg_namelen = wants_from ? sizeof(in->addresses[i].addr) : 0;
  }
}


/* The first message of a Unix socket, or as many of an IP socket as there are. */
static int receive_batch(lua_State *L, struct incoming *in, int flags) {
  if (in->socket->family == AF_UNIX)
    return sock99_try_to_receive(L, in->socket, flags, in->block, &in->first);
  prepare_blocks(in);
  in->count = sock99_receive_many(in->socket->fd, in->messages, in->max, flags);
  return in->count < 0 ? errno : 0;
}


static int receive_first(lua_State *L, struct incoming *in) {
  struct sock99_socket *s = in->socket;
  int flags = sock99_message_flags(s) & ~SOCK99_MSG_NOSIGNAL, error = s->pending_error;
  struct sock99_limit limit;
  s->pending_error = 0;
  sock99_begin_wait(s, &limit);
  while (error == 0) {
    error = receive_batch(L, in, flags);
    if (error == 0)
      return 0;
    error = sock99_try_again(L, s, &limit, POLLIN, error);
  }
  return error;
}


/*
** The list is at stack index `list`; the two slots above it hold the address of
** the last sender.
*/
static int new_list(lua_State *L, int count) {
  lua_createtable(L, count, 0);
  lua_pushnil(L);
  lua_pushnil(L);
  return lua_gettop(L) - 2;
}


static void set_sender(lua_State *L, int list, const struct s99_address *from) {
  sock99_push_sender(L, from);
  lua_replace(L, list + 2);
  lua_replace(L, list + 1);
}


/* Adds a string, or a table if there is an address or the message was cut. */
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


/* Many datagrams of one sender share its host. */
static void push_inet(lua_State *L, const struct incoming *in) {
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
      set_sender(L, list, &one.from);
    }
    add_entry(L, in->socket, list, i + 1, &one);
  }
  lua_settop(L, list);
}


/* The sizes of Unix messages are asked for one by one. */
static void push_unix(lua_State *L, struct incoming *in) {
  struct sock99_socket *s = in->socket;
  int flags = (sock99_message_flags(s) & ~SOCK99_MSG_NOSIGNAL) | MSG_DONTWAIT;
  int i, list = new_list(L, in->max), error = 0;
  for (i = 1; error == 0; i++) {
    s->received += in->first.length;
    if (s->class != SOCK99_CONNECTED || in->first.is_cut)
      set_sender(L, list, &in->first.from);
    add_entry(L, s, list, i, &in->first);
    lua_settop(L, list + 2);
    error = i < in->max ? sock99_try_to_receive(L, s, flags, in->block, &in->first) : EAGAIN;
  }
  lua_settop(L, list);
  if (!sock99_would_block(error) && error != EINTR)
    s->pending_error = error;
}


/* Called by Lua, with a pointer to a struct incoming. Returns the error, and the list where it is
 * 0. */
static int l_receive_all(lua_State *L) {
  struct incoming *in = *(struct incoming **)lua_touserdata(L, 1);
  int error = receive_first(L, in);
  lua_pushinteger(L, error);
  if (error != 0)
    return 1;
  if (in->socket->family == AF_UNIX)
    push_unix(L, in);
  else
    push_inet(L, in);
  return 2;
}


static int receive_many(lua_State *L, struct sock99_socket *s, int max) {
  struct sock99_blocks *blocks;
  struct incoming *in;
  int status;
  lua_pushcfunction(L, l_receive_all);
  lua_pushlightuserdata(L, &in);
  blocks = sock99_claim_blocks(sock99_scratch_of(L), s->family == AF_UNIX ? 2 : (size_t)max + 1);
  if (blocks == NULL)
    return sock99_fail(L, ENOMEM);
  in = (void *)blocks->bytes;
  in->socket = s;
  in->max = max;
  in->block = blocks->bytes + SOCK99_BLOCK_SIZE;
  in->first.wants_from = true;
  status = lua_pcall(L, 1, 2, 0);
  sock99_return_blocks(sock99_scratch_of(L), blocks);
  if (status != 0)
    return lua_error(L);
  if (lua_istable(L, -1))
    return 1;
  return sock99_fail(L, (int)lua_tointeger(L, -2));
}


/*** Receive many datagrams: wait for the first, then add all that are available.

Over IP this is one system call.
@function receivemany
@tparam[opt=64] integer max how many at most; a call never returns more than 64
@treturn[1] (string|packet)[] strings if the object is connected
@treturn[2] nil
@treturn[2] string "timeout", "closed", or another error
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
