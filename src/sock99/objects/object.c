/*
** object.c: the userdata of a socket object: its mark, class and descriptor.
*/

#include "objects.h"


/* Their addresses mark objects and finalized objects, which other finalizers may still
** use. */
static const char mark = 0, finalized_mark = 0;

/* Registry keys of the native kind, and of the table from metatables to kinds, where
** programs cannot reach them. A kind is a list of metatables by class. */
static const char native_key = 0, kinds_key = 0;

#define NATIVE ((void *)&native_key)
#define KINDS ((void *)&kinds_key)

const char *const sock99_class_names[SOCK99_CLASS_COUNT] = {
    "tcp{master}", "tcp{client}", "tcp{server}", "udp{connected}", "udp{unconnected}"};


/*
** Recognising objects
*/

static void push_from_registry(lua_State *L, void *key) {
  lua_pushlightuserdata(L, key);
  lua_rawget(L, LUA_REGISTRYINDEX);
}


/* Pushes the kind of the object at `index`, or nil. */
static void push_kind_or_nil(lua_State *L, int index) {
  push_from_registry(L, KINDS);
  if (!lua_getmetatable(L, index < 0 ? index - 1 : index))
    lua_pushnil(L);
  lua_rawget(L, -2);
  lua_replace(L, -2);
}


static bool has_kind(lua_State *L, int index) {
  bool has;
  push_kind_or_nil(L, index);
  has = lua_istable(L, -1);
  lua_pop(L, 1);
  return has;
}


/* Checking every object's metatable would be a third of the cost of receiving a buffered
** line, so only finalized ones are checked: their memory may belong to another userdata
** by now, with the mark still in it. Light userdata has no size. */
struct sock99_socket *sock99_test_socket(lua_State *L, int index) {
  struct sock99_socket *s = lua_touserdata(L, index);
  if (s == NULL || lua_rawlen(L, index) != sizeof(*s))
    return NULL;
  return s->mark == &mark || (s->mark == &finalized_mark && has_kind(L, index)) ? s : NULL;
}


/* Common mistakes are a dot instead of the colon, and sending to a listener. */
static void refuse_self(lua_State *L, const struct sock99_socket *s, const char *expected) {
  if (s == NULL)
    sock99_raise(L, 1, "%s expected, got %s; call methods with a colon, object:method()", expected,
                 lua_isnone(L, 1) ? "no value" : luaL_typename(L, 1));
  if (s->class == SOCK99_SERVER)
    sock99_raise(L, 1, "%s expected, got %s; accept() returns its connections", expected,
                 sock99_class_names[s->class]);
  sock99_raise(L, 1, "%s expected, got %s", expected, sock99_class_names[s->class]);
}


struct sock99_socket *sock99_check_socket(lua_State *L, unsigned int classes,
                                          const char *expected) {
  struct sock99_socket *s = sock99_test_socket(L, 1);
  if (s == NULL || (classes & SOCK99_ONLY(s->class)) == 0)
    refuse_self(L, s, expected);
  return s;
}


struct sock99_socket *sock99_check_any(lua_State *L) {
  return sock99_check_socket(L, SOCK99_ANY, "socket");
}


/*
** Creation and class
*/

/* Pushes the object's kind, or the native one if the debug library removed its metatable. */
static void push_kind(lua_State *L, int index) {
  push_kind_or_nil(L, index);
  if (lua_istable(L, -1))
    return;
  lua_pop(L, 1);
  push_from_registry(L, NATIVE);
}


bool sock99_has_native_kind(lua_State *L) {
  bool has;
  push_from_registry(L, NATIVE);
  has = lua_istable(L, -1);
  lua_pop(L, 1);
  return has;
}


static void set_in_registry(lua_State *L, void *key) {
  lua_pushlightuserdata(L, key);
  lua_insert(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
}


static void push_kinds(lua_State *L) {
  push_from_registry(L, KINDS);
  if (lua_istable(L, -1))
    return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  set_in_registry(L, KINDS);
}


void sock99_add_to_kind(lua_State *L) {
  push_kinds(L);
  lua_pushvalue(L, -3);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}


void sock99_set_native_kind(lua_State *L) {
  set_in_registry(L, NATIVE);
}


struct sock99_socket *sock99_new_of_kind(lua_State *L, enum sock99_class class) {
  struct sock99_socket *s = sock99_newuserdata(L, sizeof(*s));
  memset(s, 0, sizeof(*s));
  s->mark = &mark;
  s->fd = -1;
  s->type = class >= SOCK99_CONNECTED ? SOCK_DGRAM : SOCK_STREAM;
  s->class = (unsigned char)class;
  s->each_wait = s->whole_call = -1;
  s->created = sock99_seconds();
  lua_rawgeti(L, -2, (int)class + 1);
  lua_setmetatable(L, -2);
  lua_remove(L, -2);
  return s;
}


struct sock99_socket *sock99_new_socket(lua_State *L, enum sock99_class class) {
  luaL_checkstack(L, LUA_MINSTACK, "too many values");
  push_from_registry(L, NATIVE);
  return sock99_new_of_kind(L, class);
}


struct sock99_socket *sock99_new_sibling(lua_State *L, int index, enum sock99_class class) {
  push_kind(L, index);
  return sock99_new_of_kind(L, class);
}


void sock99_keep_peer(struct sock99_socket *s, const struct s99_address *peer) {
  if (peer->addr.sa.sa_family != AF_INET && peer->addr.sa.sa_family != AF_INET6)
    return;
  s->peer = malloc(peer->len);
  if (s->peer != NULL)
    memcpy(s->peer, &peer->addr, peer->len);
}


bool sock99_kept_peer(const struct sock99_socket *s, struct s99_address *peer) {
  if (s->peer == NULL)
    return false;
  peer->len = s->peer->sa_family == AF_INET ? sizeof(peer->addr.in) : sizeof(peer->addr.in6);
  memcpy(&peer->addr, s->peer, peer->len);
  return true;
}


static void forget_peer(struct sock99_socket *s) {
  free(s->peer);
  s->peer = NULL;
}


void sock99_set_class(lua_State *L, int index, enum sock99_class class) {
  struct sock99_socket *s = lua_touserdata(L, index);
  forget_peer(s);
  push_kind(L, index);
  lua_rawgeti(L, -1, (int)class + 1);
  lua_setmetatable(L, index < 0 ? index - 2 : index);
  lua_pop(L, 1);
  s->class = (unsigned char)class;
}


/* The flag belongs to the open file: another process that shares it may have cleared it. */
int sock99_set_nonblocking(struct sock99_socket *s) {
  int flags = fcntl(s->fd, F_GETFL);
  if (flags < 0)
    return errno;
  if ((flags & O_NONBLOCK) == 0 && fcntl(s->fd, F_SETFL, flags | O_NONBLOCK) < 0)
    return errno;
  s->is_nonblocking = true;
  return 0;
}


int sock99_unblock(struct sock99_socket *s) {
  return sock99_has_timeout(s) ? sock99_set_nonblocking(s) : 0;
}


static int get_int(int fd, int option, int *out) {
  socklen_t length = sizeof(*out);
  *out = 0;
  return getsockopt(fd, SOL_SOCKET, option, out, &length) == 0 ? 0 : errno;
}


/* On BSD, getpeername fails with EINVAL after a shutdown. */
static int find_peer(int fd, bool *has_peer) {
  struct s99_address peer;
  peer.len = sizeof(peer.addr);
  *has_peer = getpeername(fd, &peer.addr.sa, &peer.len) == 0;
  return *has_peer || errno == ENOTCONN || errno == EINVAL ? 0 : errno;
}


/* A stream that has lost its peer remains a client, also under another object. */
static int find_class(int fd, int type, enum sock99_class before, enum sock99_class *class) {
  int listens = 0, error = 0;
  bool has_peer = before == SOCK99_CLIENT;
  if (type != SOCK_DGRAM)
    error = get_int(fd, SO_ACCEPTCONN, &listens);
  if (error == 0 && !listens && (type == SOCK_DGRAM || !has_peer))
    error = find_peer(fd, &has_peer);
  if (error == 0 && !listens && type != SOCK_DGRAM && !has_peer)
    has_peer = sock99_was_connected(fd);
  if (type == SOCK_DGRAM)
    *class = has_peer ? SOCK99_CONNECTED : SOCK99_UNCONNECTED;
  else
    *class = listens ? SOCK99_SERVER : has_peer ? SOCK99_CLIENT : SOCK99_MASTER;
  return error;
}


int sock99_adopt(lua_State *L, int index, int fd) {
  struct sock99_socket *s = lua_touserdata(L, index);
  struct s99_address local;
  enum sock99_class class;
  int type, error = get_int(fd, SO_TYPE, &type);
  if (error != 0)
    return error;
  if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
    return EPROTOTYPE;
  memset(&local, 0, sizeof(local));
  local.len = sizeof(local.addr);
  if (getsockname(fd, &local.addr.sa, &local.len) != 0)
    return errno;
  switch (local.addr.sa.sa_family) {
  case AF_INET:
  case AF_INET6:
  case AF_UNIX:
    break;
  default:
    return EAFNOSUPPORT;
  }
  error = find_class(fd, type, s->class, &class);
  if (error != 0)
    return error;
  sock99_set_class(L, index, class);
  s->fd = fd;
  s->type = (unsigned char)type;
  s->family = (unsigned char)local.addr.sa.sa_family;
  return 0;
}


/*
** Close
*/

static void forget_unread(lua_State *L, struct sock99_socket *s) {
  sock99_input_drop(&s->input, sock99_scratch_of(L), sock99_unread(&s->input));
  sock99_close_rights(s);
  forget_peer(s);
}


void sock99_close_descriptor(struct sock99_socket *s) {
  int fd = s->fd;
  sock99_close_pending(s);
  s->fd = -1;
  s->is_connecting = s->wants_writing = s->is_nonblocking = false;
  s->pending_error = 0;
  if (fd >= 0)
    close(fd);
}


void sock99_close_socket(lua_State *L, struct sock99_socket *s) {
  forget_unread(L, s);
  sock99_close_descriptor(s);
}


void sock99_finalize_socket(lua_State *L, struct sock99_socket *s) {
  sock99_close_socket(L, s);
  sock99_end_pending(s);
  s->mark = &finalized_mark;
}
