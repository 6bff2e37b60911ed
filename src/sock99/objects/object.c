/*
** object.c: the userdata that a socket object is: its classes, its descriptor,
** and what it tells of errors.
**
** Errors are told as LuaSocket tells them: nil, a message, and where a part of
** the work was done, that part; ours add the error's number.
*/

#include "object.h"

#include <float.h>

/*** @module sock99 */


/* Their addresses mark objects, and those that were collected, which finalizers
** may still use. */
static const char mark = 0, dead_mark = 0;

/* A key of the metatables: the list of the kind's metatables, by class. */
static const char kind_key = 0;

/* The same in the registry: the native kind. */
#define NATIVE ((void *)&kind_key)

static const char *const class_names[SOCK99_CLASS_COUNT] = {
    "tcp{master}", "tcp{client}", "tcp{server}", "udp{connected}", "udp{unconnected}"};


/*
** Knowing objects
*/

static bool has_kind(lua_State *L, int index) {
  bool has;
  if (!lua_getmetatable(L, index))
    return false;
  lua_pushlightuserdata(L, NATIVE);
  lua_rawget(L, -2);
  has = lua_istable(L, -1);
  lua_pop(L, 2);
  return has;
}


/* Looking into the metatable of every object would be a third of what it costs
** to take a line out of the buffer. The memory of a dead one may be a userdata of
** somebody else's by now, the mark still in it. Only a full userdata has a size. */
struct sock99_socket *sock99_test_socket(lua_State *L, int index) {
  struct sock99_socket *s = lua_touserdata(L, index);
  if (s == NULL || lua_rawlen(L, index) != sizeof(*s))
    return NULL;
  return s->mark == &mark || (s->mark == &dead_mark && has_kind(L, index)) ? s : NULL;
}


struct sock99_socket *sock99_check_socket(lua_State *L, unsigned int classes,
                                          const char *expected) {
  struct sock99_socket *s = sock99_test_socket(L, 1);
  if (s != NULL && (classes & SOCK99_ONLY(s->class)) != 0)
    return s;
  lua_pushfstring(L, "%s expected", expected);
  luaL_argerror(L, 1, lua_tostring(L, -1));
  return NULL;
}


/* Lua 5.1, 5.2 and LuaJIT would close descriptor 3 for 3.7. What no descriptor can
** be is -2. */
lua_Integer sock99_check_whole(lua_State *L, int index) {
  lua_Number number = luaL_checknumber(L, index);
  if (!(number >= INT_MIN && number <= INT_MAX))
    return -2;
  luaL_argcheck(L, (lua_Number)(int)number == number, index, "a whole number expected");
  return (lua_Integer)number;
}


/* What the method getfd of any other object says. */
static lua_Integer call_getfd(lua_State *L, int index) {
  lua_Integer fd;
  luaL_argcheck(L, lua_istable(L, index) || lua_isuserdata(L, index), index,
                "a descriptor or an object with getfd expected");
  lua_getfield(L, index, "getfd");
  luaL_argcheck(L, lua_isfunction(L, -1), index, "it has no method getfd");
  lua_pushvalue(L, index);
  lua_call(L, 1, 1);
  fd = lua_isnumber(L, -1) ? lua_tointeger(L, -1) : -1;
  lua_pop(L, 1);
  return fd;
}


int sock99_check_fd(lua_State *L, int index) {
  const struct sock99_socket *s = sock99_test_socket(L, index);
  lua_Integer fd;
  if (s != NULL)
    return s->fd;
  fd = lua_type(L, index) == LUA_TNUMBER ? sock99_check_whole(L, index) : call_getfd(L, index);
  return fd < 0 || fd > INT_MAX ? -1 : (int)fd;
}


/*
** Birth and class
*/

static void push_native_kind(lua_State *L) {
  lua_pushlightuserdata(L, NATIVE);
  lua_rawget(L, LUA_REGISTRYINDEX);
}


/* The native kind, too, where the debug library took the metatable away. */
static void push_kind(lua_State *L, int index) {
  if (!lua_getmetatable(L, index)) {
    push_native_kind(L);
    return;
  }
  lua_pushlightuserdata(L, NATIVE);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (!lua_istable(L, -1)) {
    lua_pop(L, 1);
    push_native_kind(L);
  }
}


struct sock99_socket *sock99_new_of_kind(lua_State *L, enum sock99_class class) {
  struct sock99_socket *s = lua_newuserdata(L, sizeof(*s));
  memset(s, 0, sizeof(*s));
  s->mark = &mark;
  s->fd = -1;
  s->type = class >= SOCK99_CONNECTED ? SOCK_DGRAM : SOCK_STREAM;
  s->class = (unsigned char)class;
  s->each_wait = s->whole_call = -1;
  s->birth = sock99_seconds();
  lua_rawgeti(L, -2, (int)class + 1);
  lua_setmetatable(L, -2);
  lua_remove(L, -2);
  return s;
}


struct sock99_socket *sock99_new_socket(lua_State *L, enum sock99_class class) {
  luaL_checkstack(L, LUA_MINSTACK, "too many values");
  push_native_kind(L);
  return sock99_new_of_kind(L, class);
}


struct sock99_socket *sock99_new_sibling(lua_State *L, int index, enum sock99_class class) {
  push_kind(L, index);
  return sock99_new_of_kind(L, class);
}


void sock99_set_class(lua_State *L, int index, enum sock99_class class) {
  struct sock99_socket *s = lua_touserdata(L, index);
  lua_pushvalue(L, index);
  push_kind(L, -1);
  lua_rawgeti(L, -1, (int)class + 1);
  lua_setmetatable(L, -3);
  lua_pop(L, 2);
  s->class = (unsigned char)class;
}


int sock99_set_nonblocking(struct sock99_socket *s) {
  if (!s->is_nonblocking && s99_set_nonblocking(s->fd) != 0)
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


/* BSD says EINVAL of a socket that was shut down. */
static int ask_peer(int fd, bool *has_peer) {
  struct s99_address peer;
  peer.len = sizeof(peer.addr);
  *has_peer = getpeername(fd, &peer.addr.sa, &peer.len) == 0;
  return *has_peer || errno == ENOTCONN || errno == EINVAL ? 0 : errno;
}


/* A stream that has no peer any more is still what it was. */
static int ask_class(int fd, int type, enum sock99_class before, enum sock99_class *class) {
  int listens = 0, error = 0;
  bool has_peer = before == SOCK99_CLIENT;
  if (type != SOCK_DGRAM)
    error = get_int(fd, SO_ACCEPTCONN, &listens);
  if (error == 0 && !listens && (type == SOCK_DGRAM || !has_peer))
    error = ask_peer(fd, &has_peer);
  if (type == SOCK_DGRAM)
    *class = has_peer ? SOCK99_CONNECTED : SOCK99_UNCONNECTED;
  else
    *class = listens ? SOCK99_SERVER : has_peer ? SOCK99_CLIENT : SOCK99_MASTER;
  return error;
}


int sock99_adopt(lua_State *L, int index, int fd) {
  struct sock99_socket *s = lua_touserdata(L, index);
  struct s99_address own;
  enum sock99_class class;
  int type, error = get_int(fd, SO_TYPE, &type);
  if (error != 0)
    return error;
  if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
    return EPROTOTYPE;
  memset(&own, 0, sizeof(own));
  own.len = sizeof(own.addr);
  if (getsockname(fd, &own.addr.sa, &own.len) != 0)
    return errno;
  switch (own.addr.sa.sa_family) {
  case AF_INET:
  case AF_INET6:
  case AF_UNIX:
    break;
  default:
    return EAFNOSUPPORT;
  }
  error = ask_class(fd, type, s->class, &class);
  if (error != 0)
    return error;
  sock99_set_class(L, index, class);
  s->fd = fd;
  s->type = type;
  s->family = own.addr.sa.sa_family;
  return 0;
}


/*
** Death
*/

static void forget_unread(lua_State *L, struct sock99_socket *s) {
  sock99_input_drop(&s->input, sock99_scratch_of(L), sock99_unread(&s->input));
  sock99_close_rights(s);
}


void sock99_close_socket(lua_State *L, struct sock99_socket *s) {
  int fd = s->fd;
  forget_unread(L, s);
  s->fd = -1;
  s->connecting = s->wants_writing = s->is_nonblocking = false;
  s->pending_error = 0;
  if (fd >= 0)
    close(fd);
}


struct sock99_socket *sock99_check_any(lua_State *L) {
  return sock99_check_socket(L, SOCK99_ANY, "socket");
}


/*** A socket object: what every one has.

After `close`, `detach` and `setfd(-1)` methods return nil and "closed"; those
that ask nothing of the system still answer. A method that the object's kind
does not have raises an error.

@type socket
*/


/*** What the object is at the moment: "tcp{master}", "tcp{client}",
"tcp{server}", "udp{connected}" or "udp{unconnected}".
@field class
*/

/*** Close the socket. The object stays, and is of no more use.

Bytes and descriptors that were received and not taken are dropped. Closing
again does nothing.
@function close
@treturn integer 1
*/
static int l_close(lua_State *L) {
  sock99_close_socket(L, sock99_check_any(L));
  lua_pushinteger(L, 1);
  return 1;
}


static int l_end(lua_State *L) {
  sock99_close_socket(L, sock99_check_any(L));
  return 0;
}


static int l_gc(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  sock99_close_socket(L, s);
  s->mark = &dead_mark;
  return 0;
}


/*** Give the descriptor up: the object is closed, the descriptor is not.

Descriptors that came along and that nobody claimed are closed.

@function detach
@treturn[1] integer the descriptor, yours to close
@treturn[1] ?string what was received and not taken; nil where there is none
@treturn[2] nil
@treturn[2] string "closed"
*/
static int l_detach(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  size_t unread;
  do
    unread = sock99_unread(&s->input);
  while (!sock99_push_piece(L, &s->input, unread, sock99_push_bytes, NULL));
  if (s->fd < 0)
    return sock99_push_errno_failure(L, SOCK99_CLOSED);
  lua_pushinteger(L, s->fd);
  if (unread > 0)
    lua_insert(L, -2);
  else
    lua_pushnil(L);
  s->fd = -1;
  sock99_close_socket(L, s);
  return 2;
}


/*
** Descriptors
*/

/*** The descriptor, which stays the object's.

@function getfd
@treturn integer the descriptor; -1 where the object is closed
*/
static int l_getfd(lua_State *L) {
  lua_pushinteger(L, sock99_check_any(L)->fd);
  return 1;
}


/*** Give the object another descriptor, or none.

The old one is not closed; what was received and not taken is dropped.
@function setfd
@tparam integer fd what the object owns from now on; -1: nothing, it is closed
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string why the descriptor was not taken; the object is closed
@treturn[2] integer errno
*/
static int l_setfd(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  lua_Integer fd = sock99_check_whole(L, 2);
  int error = 0;
  luaL_argcheck(L, fd >= -1, 2, "a descriptor, or -1, expected");
  s->fd = -1;
  sock99_close_socket(L, s);
  if (fd >= 0)
    error = sock99_adopt(L, 1, (int)fd);
  if (error != 0)
    return sock99_push_errno_failure(L, error);
  lua_pushinteger(L, 1);
  return 1;
}


/*** Whether bytes are read ahead, so that `receive` need not wait for more.

@function dirty
@treturn boolean
*/
static int l_dirty(lua_State *L) {
  lua_pushboolean(L, sock99_unread(&sock99_check_any(L)->input) > 0);
  return 1;
}


/*
** For event loops: the names that cqueues looks for
*/

/*** What a loop watches. The same as `getfd`.

@function pollfd
@treturn integer the descriptor; -1 where the object is closed
*/


/*** What `pollfd` is to be watched for.

@function events
@treturn string "w" after a call that timed out while sending or connecting,
else "r"
*/
static int l_events(lua_State *L) {
  lua_pushstring(L, sock99_check_any(L)->wants_writing ? "w" : "r");
  return 1;
}


/*** When the object is ready whatever its descriptor says.

@function timeout
@treturn ?integer 0 while bytes are read ahead, else nil
*/
static int l_timeout(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  if (sock99_unread(&s->input) > 0 && !s->wants_writing)
    lua_pushinteger(L, 0);
  else
    lua_pushnil(L);
  return 1;
}


/*
** Timeouts and counts
*/

/*** Limit how long calls on the object may take.

Without a limit they take as long as it takes. With 0 they never wait.
@function settimeout
@tparam ?number seconds nil, negative or math.huge: no limit
@tparam[opt="b"] string mode "b": the limit of each wait within a call; "t":
that of the whole call. Both can be set.
@treturn integer 1
@usage
client:settimeout(5) -- no wait is longer than 5 seconds
client:settimeout(60, 't') -- and no call is longer than a minute
*/
static int l_settimeout(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  lua_Number seconds = luaL_optnumber(L, 2, -1);
  const char *mode = luaL_optstring(L, 3, "b");
  luaL_argcheck(L, seconds == seconds, 2, "not a number");
  if (seconds < 0 || seconds > (lua_Number)DBL_MAX)
    seconds = -1;
  if (mode[0] == 'b')
    s->each_wait = (double)seconds;
  else if (mode[0] == 't' || mode[0] == 'r')
    s->whole_call = (double)seconds;
  else
    luaL_argerror(L, 3, "invalid timeout mode");
  lua_pushinteger(L, 1);
  return 1;
}


/*** The limits that `settimeout` has set.

@function gettimeout
@treturn number seconds of each wait; -1: no limit
@treturn number seconds of a whole call; -1: no limit
*/
static int l_gettimeout(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  lua_pushnumber(L, s->each_wait);
  lua_pushnumber(L, s->whole_call);
  return 2;
}


/*** How much has passed through the object.

@function getstats
@treturn integer bytes received
@treturn integer bytes sent
@treturn number the object's age, in seconds
*/
static int l_getstats(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  sock99_push_count(L, s->received);
  sock99_push_count(L, s->sent);
  lua_pushnumber(L, sock99_seconds() - s->birth);
  return 3;
}


static void read_stat(lua_State *L, int index, uint64_t *stat) {
  lua_Number count;
  if (lua_isnoneornil(L, index))
    return;
  count = luaL_checknumber(L, index);
  luaL_argcheck(L, count >= 0 && count < 9223372036854775808.0, index,
                "a number of bytes, 0 or more, expected");
  *stat = (uint64_t)count;
}


/*** Set what `getstats` counts from.

@function setstats
@tparam[opt] integer received bytes; left as it is where missing
@tparam[opt] integer sent bytes
@tparam[opt] number age in seconds
@treturn integer 1
*/
static int l_setstats(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  uint64_t received = s->received, sent = s->sent;
  double now = sock99_seconds(), age = (double)luaL_optnumber(L, 4, now - s->birth);
  read_stat(L, 2, &received);
  read_stat(L, 3, &sent);
  s->received = received;
  s->sent = sent;
  s->birth = now - age;
  lua_pushinteger(L, 1);
  return 1;
}


/*
** Errors
*/

/* Upvalue 2 of a kind's methods: its own words, by error. */
static bool has_own_words(lua_State *L) {
  return lua_istable(L, lua_upvalueindex(2));
}


/* The kind's own words for it, or the system's. */
static void push_words(lua_State *L, int error) {
  char words[128];
  if (has_own_words(L)) {
    lua_rawgeti(L, lua_upvalueindex(2), error);
    if (lua_isstring(L, -1))
      return;
    lua_pop(L, 1);
  }
  lua_pushstring(L, s99_strerror(error, words, sizeof(words)));
}


void sock99_push_error(lua_State *L, int error) {
  switch (error) {
  case SOCK99_TIMEOUT:
    lua_pushliteral(L, "timeout");
    break;
  case SOCK99_CLOSED:
  case ECONNRESET:
  case EPIPE:
    lua_pushliteral(L, "closed");
    break;
  default:
    push_words(L, error);
  }
}


void sock99_push_code(lua_State *L, int error) {
  if (error == SOCK99_CLOSED)
    lua_pushnil(L);
  else
    lua_pushinteger(L, error == SOCK99_TIMEOUT ? ETIMEDOUT : error);
}


/* What was told already has a code, which may have to go. */
static int push_told(lua_State *L) {
  if (!has_own_words(L))
    return 3;
  lua_pop(L, 1);
  return 2;
}


int sock99_push_errno_failure(lua_State *L, int error) {
  if (error == SOCK99_TOLD)
    return push_told(L);
  lua_pushnil(L);
  sock99_push_error(L, error);
  if (has_own_words(L))
    return 2;
  sock99_push_code(L, error);
  return 3;
}


int sock99_push_call_failure(lua_State *L, const char *call, const char *what, int error) {
  char words[128];
  if (error < 0 || has_own_words(L))
    return sock99_push_errno_failure(L, error);
  lua_pushnil(L);
  lua_pushfstring(L, "%s%s%s: %s", call, what[0] == '\0' ? "" : " ", what,
                  s99_strerror(error, words, sizeof(words)));
  lua_pushinteger(L, error);
  return 3;
}


int sock99_push_partial(lua_State *L, int error) {
  lua_pushnil(L);
  sock99_push_error(L, error);
  lua_pushvalue(L, -3);
  if (has_own_words(L))
    return 3;
  sock99_push_code(L, error);
  return 4;
}


int sock99_push_done(lua_State *L) {
  lua_pushinteger(L, 1);
  return 1;
}


static int l_tostring(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  lua_pushfstring(L, "%s: %p", class_names[s->class], (const void *)s);
  return 1;
}


/*
** Metatables
*/

static const luaL_Reg object_methods[] = {
    {"close", l_close},
    {"detach", l_detach},
    {"getfd", l_getfd},
    {"setfd", l_setfd},
    {"dirty", l_dirty},
    {"pollfd", l_getfd},
    {"events", l_events},
    {"timeout", l_timeout},
    {"getstats", l_getstats},
    {"setstats", l_setstats},
    {"settimeout", l_settimeout},
    {"gettimeout", l_gettimeout},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", l_gc}, {"__close", l_end}, {"__tostring", l_tostring}, {NULL, NULL}};


/* Into the table on top of the stack; the functions' upvalues lie at `upvalues`:
** the scratch buffer and the kind's own words, or nil. */
static void add_functions(lua_State *L, const luaL_Reg *functions, int upvalues) {
  for (; functions->name != NULL; functions++) {
    lua_pushvalue(L, upvalues);
    lua_pushvalue(L, upvalues + 1);
    lua_pushcclosure(L, functions->func, 2);
    lua_setfield(L, -2, functions->name);
  }
}


/* What the methods of a class are, in a table on top of the stack. */
static void push_methods(lua_State *L, enum sock99_class class, const struct sock99_faces *faces,
                         int upvalues) {
  lua_newtable(L);
  add_functions(L, object_methods, upvalues);
  add_functions(L, sock99_life_methods, upvalues);
  add_functions(L, sock99_option_methods, upvalues);
  add_functions(L, sock99_unix_methods, upvalues);
  if (class >= SOCK99_CONNECTED) {
    add_functions(L, sock99_datagram_methods, upvalues);
    add_functions(L, faces->datagrams, upvalues);
  } else {
    add_functions(L, sock99_connection_methods, upvalues);
    add_functions(L, sock99_stream_methods, upvalues);
    add_functions(L, sock99_sendfile_methods, upvalues);
    add_functions(L, faces->streams, upvalues);
  }
  lua_pushstring(L, class_names[class]);
  lua_setfield(L, -2, "class");
}


/* The scratch buffer and the kind's words are on top of the stack; the kind, a list
** of metatables, takes their place. */
static void push_new_kind(lua_State *L, const struct sock99_faces *faces) {
  int class, kind, upvalues = lua_gettop(L) - 1;
  lua_newtable(L);
  kind = lua_gettop(L);
  for (class = 0; class < SOCK99_CLASS_COUNT; class ++) {
    lua_newtable(L);
    add_functions(L, metamethods, upvalues);
    push_methods(L, (enum sock99_class) class, faces, upvalues);
    lua_setfield(L, -2, "__index");
    lua_pushlightuserdata(L, NATIVE);
    lua_pushvalue(L, kind);
    lua_rawset(L, -3);
    lua_rawseti(L, kind, class + 1);
  }
  lua_replace(L, upvalues);
  lua_settop(L, upvalues);
}


void sock99_new_kind(lua_State *L, int words, const struct sock99_faces *faces) {
  sock99_push_scratch(L);
  lua_pushvalue(L, words);
  push_new_kind(L, faces);
}


void sock99_register_objects(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const struct sock99_faces native = {none, none};
  lua_pushlightuserdata(L, NATIVE);
  sock99_push_scratch(L);
  lua_pushnil(L);
  push_new_kind(L, &native);
  lua_rawset(L, LUA_REGISTRYINDEX);
}
