/*
** kinds.c: other kinds of objects than the native one, for the Lua half.
**
** `require 'sock99.kinds'` loads this from sock99.so. A kind is a list of metatables,
** one for each class. They start with the native methods, and the Lua half replaces
** those that behave differently. Programs do not use these functions.
*/

#include "module.h"

#include <sys/resource.h>


static enum sock99_class check_class(lua_State *L, int index) {
  return (enum sock99_class)(sock99_check_integer(L, index, "class", 1, SOCK99_CLASS_COUNT) - 1);
}


static struct sock99_socket *check_object(lua_State *L, int index) {
  struct sock99_socket *s = sock99_test_socket(L, index);
  luaL_argcheck(L, s != NULL, index, "socket expected");
  return s;
}


static const struct {
  const char *name;
  int family;
} families[] = {{"inet", AF_INET}, {"inet6", AF_INET6}, {"unix", AF_UNIX}};


/* Gives the object a new descriptor of this family and closes its old one. */
static bool create(lua_State *L, struct sock99_socket *s, int family, socket99_result *result) {
  socket99_config config;
  memset(&config, 0, sizeof(config));
  config.family = family;
  config.datagram = s->type == SOCK_DGRAM;
  config.unconnected = true;
  config.nonblocking = true;
  if (!socket99_open(&config, result))
    return false;
  sock99_close_socket(L, s);
  s->fd = result->fd;
  s->family = (unsigned char)family;
  s->is_nonblocking = true;
  return true;
}


/* connect_fresh(object, host, port): connects an object that never had a descriptor to a
** numeric address. In any other case it does nothing and returns nothing. */
static int l_connect_fresh(lua_State *L) {
  struct sock99_socket *s = sock99_check_socket(L, SOCK99_STREAMS, "tcp{any}");
  struct s99_address address;
  socket99_result result;
  size_t length;
  const char *host = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &length) : NULL;
  if (s->fd >= 0 || sock99_is_pending(s) || s->family != AF_UNSPEC || host == NULL ||
      !sock99_is_port(L, 3))
    return 0;
  if (strlen(host) != length || s99_numeric(host, &address) != S99_NUMERIC)
    return 0;
  if (!create(L, s, address.addr.sa.sa_family, &result))
    return sock99_fail_result(L, &result);
  return sock99_connect(L);
}


/* Starts to open the socket that the table at 1 describes for the object in upvalue 3.
** Returns nothing, or the results of a failure. */
static int l_start_opening(lua_State *L) {
  struct sock99_socket *s = lua_touserdata(L, lua_upvalueindex(3));
  struct sock99_request request;
  struct sock99_settings settings;
  socket99_result result;
  if (!sock99_read_config(L, &request, &result))
    return sock99_fail_result(L, &result);
  sock99_derive_settings(&request.config, &settings);
  sock99_close_socket(L, s);
  if (sock99_has_timeout(s))
    return sock99_begin_race(s, &request.config, &settings, &result)
               ? 0
               : sock99_fail_result(L, &result);
  if (!sock99_open_now(L, &request.config, &result))
    return sock99_fail_result(L, &result);
  sock99_adopt_result(s, &settings, &result);
  return 0;
}


/* open(object, t, host, port): connects the object, which may get another descriptor.
** `t` is a table as sock99.socket takes it, made from host and port. It has no `timeout`:
** the object's timeouts apply. */
static int l_open(lua_State *L) {
  struct sock99_socket *s = sock99_check_socket(L, SOCK99_STREAMS, "tcp{any}");
  uint32_t destination = sock99_destination(L, 3);
  struct sock99_limit limit;
  int top = lua_gettop(L);
  sock99_set_class(L, 1, SOCK99_CLIENT);
  sock99_push_scratch(L);
  lua_pushnil(L);
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, l_start_opening, 3);
  lua_pushvalue(L, 2);
  lua_call(L, 1, LUA_MULTRET);
  if (lua_gettop(L) > top)
    return lua_gettop(L) - top;
  if (!sock99_is_pending(s))
    return sock99_push_done(L);
  s->destination = destination;
  sock99_begin_wait(s, &limit);
  return sock99_continue_connect(L, s, 3, &limit);
}


/* is_connecting(object) → whether no call has returned the final result of a connect */
static int l_is_connecting(lua_State *L) {
  const struct sock99_socket *s = check_object(L, 1);
  lua_pushboolean(L, s->is_connecting || sock99_is_pending(s));
  return 1;
}


/* take_failure(object) → nil, message, code, stage if a connect to a name has failed and
** no method has reported it. A connect in progress is continued first. */
static int l_take_failure(lua_State *L) {
  struct sock99_socket *s = check_object(L, 1);
  socket99_result result;
  sock99_step(s);
  return sock99_take_failure(s, &result) ? sock99_fail_result(L, &result) : 0;
}


/* LuaSocket truncates a datagram to the requested size without reporting it. */
static int l_receive_datagram(lua_State *L) {
  struct sock99_socket *s = sock99_check_socket(L, SOCK99_DATAGRAMS, "udp{connected|unconnected}");
  int results = sock99_receive_message(L, s);
  if (lua_isnil(L, -results))
    return results;
  lua_pop(L, results - 1);
  return 1;
}


/* LuaSocket allows sendto and receivefrom only without a peer. */
static void check_unconnected(lua_State *L) {
  (void)sock99_check_socket(L, SOCK99_ONLY(SOCK99_UNCONNECTED), "udp{unconnected}");
}


static int l_send_datagram(lua_State *L) {
  return sock99_send_message(
      L, sock99_check_socket(L, SOCK99_ONLY(SOCK99_CONNECTED), "udp{connected}"));
}


static int l_sendto(lua_State *L) {
  check_unconnected(L);
  return sock99_sendto(L);
}


/* LuaSocket returns no port for Unix addresses and does not report truncation. */
static int l_receivefrom(lua_State *L) {
  int results, most;
  check_unconnected(L);
  results = sock99_receivefrom(L);
  most = ((const struct sock99_socket *)lua_touserdata(L, 1))->family == AF_UNIX ? 2 : 3;
  if (results <= most)
    return results;
  lua_pop(L, results - most);
  return most;
}


/* kind(message) → a kind: the metatables of the classes 1 to 5. Its methods report
** failures with message(code, stage, text), of which stage and text may be nil. */
static int l_kind(lua_State *L) {
  static const luaL_Reg streams[] = {{"receive", sock99_receive_luasocket}, {NULL, NULL}};
  static const luaL_Reg datagrams[] = {{"receive", l_receive_datagram},
                                       {"receivefrom", l_receivefrom},
                                       {"send", l_send_datagram},
                                       {"sendto", l_sendto},
                                       {NULL, NULL}};
  static const struct sock99_overrides overrides = {streams, datagrams};
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  sock99_new_kind(L, 1, &overrides);
  return 1;
}


/* native(class) → the native methods of a class, by name; they take objects of any kind */
static int l_native(lua_State *L) {
  enum sock99_class class = check_class(L, 1);
  sock99_new_socket(L, class);
  lua_getmetatable(L, -1);
  lua_getfield(L, -1, "__index");
  return 1;
}


/* new(kind, class) → an object without a descriptor */
static int l_new(lua_State *L) {
  enum sock99_class class = check_class(L, 2);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_rawgeti(L, 1, (int)class + 1);
  luaL_argcheck(L, lua_istable(L, -1), 1, "a kind expected");
  lua_settop(L, 1);
  sock99_new_of_kind(L, class)->stays_nonblocking = true;
  return 1;
}


/* move(to, from): closes the descriptor of `to` and moves the descriptor and class of
** `from` there, but not the timeouts. */
static int l_move(lua_State *L) {
  struct sock99_socket *to = check_object(L, 1), *from = check_object(L, 2);
  sock99_close_socket(L, to);
  to->fd = from->fd;
  to->type = from->type;
  to->family = from->family;
  to->is_nonblocking = from->is_nonblocking;
  from->fd = -1;
  sock99_set_class(L, 1, (enum sock99_class)from->class);
  sock99_close_socket(L, from);
  return 0;
}


/* classify(object, class) */
static int l_classify(lua_State *L) {
  check_object(L, 1);
  sock99_set_class(L, 1, check_class(L, 2));
  return 0;
}


/* add_metatable(kind, metatable): objects with this metatable belong to the kind. */
static int l_add_metatable(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_insert(L, 1);
  sock99_add_to_kind(L);
  return 0;
}


/* set_metatable(object, metatable): in effect until the object's class changes. */
static int l_set_metatable(lua_State *L) {
  check_object(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_setmetatable(L, 1);
  return 0;
}


/* class(object) → its current class, such as "tcp{client}" */
static int l_class(lua_State *L) {
  lua_pushstring(L, sock99_class_names[check_object(L, 1)->class]);
  return 1;
}


/* family(object) → "inet", "inet6" or "unix", also if the object is closed; nil if it
** never had a descriptor. */
static int l_family(lua_State *L) {
  const struct sock99_socket *s = check_object(L, 1);
  size_t i;
  for (i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
    if (families[i].family == s->family) {
      lua_pushstring(L, families[i].name);
      return 1;
    }
  }
  return 0;
}


/* numeric(host) → "inet" or "inet6"; nil if it is not a numeric address */
static int l_numeric(lua_State *L) {
  size_t length;
  const char *host = luaL_checklstring(L, 1, &length);
  struct s99_address address;
  if (strlen(host) != length || s99_numeric(host, &address) != S99_NUMERIC)
    return 0;
  lua_pushstring(L, address.addr.sa.sa_family == AF_INET ? "inet" : "inet6");
  return 1;
}


/* limit() → the number of descriptors that the process may have open */
static int l_limit(lua_State *L) {
  struct rlimit limit;
  lua_Integer count = INT_MAX;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < INT_MAX)
    count = (lua_Integer)limit.rlim_cur;
  lua_pushinteger(L, count);
  return 1;
}


/* setfd(object, fd) → 1, or nil, message, code: replaces the descriptor without closing
** the old one. As in LuaSocket, buffered input is kept. */
static int l_setfd(lua_State *L) {
  struct sock99_socket *s = check_object(L, 1);
  int fd = (int)sock99_check_integer(L, 2, "descriptor", -1, INT_MAX), error = 0;
  sock99_release_descriptor(s);
  sock99_close_descriptor(s);
  if (fd >= 0)
    error = sock99_adopt(L, 1, fd);
  return error == 0 ? sock99_push_done(L) : sock99_fail(L, error);
}


/* ignore_sigpipe(): ignores the signal in the process if it has its default action. */
static int l_ignore_sigpipe(lua_State *L) {
  (void)L;
  sock99_ignore_sigpipe();
  return 0;
}


/* is_option(name) → whether sock99 has an option of this name */
static int l_is_option(lua_State *L) {
  lua_pushboolean(L, socket99_option_kind(luaL_checkstring(L, 1), 0, 0, NULL));
  return 1;
}


/* strerror(errno) → the system's message */
static int l_strerror(lua_State *L) {
  char words[128];
  lua_pushstring(L, s99_strerror((int)sock99_check_integer(L, 1, "errno", INT_MIN, INT_MAX), words,
                                 sizeof(words)));
  return 1;
}


static const luaL_Reg functions[] = {
    {"strerror", l_strerror},
    {"is_option", l_is_option},
    {"kind", l_kind},
    {"native", l_native},
    {"new", l_new},
    {"classify", l_classify},
    {"ignore_sigpipe", l_ignore_sigpipe},
    {"add_metatable", l_add_metatable},
    {"setfd", l_setfd},
    {"set_metatable", l_set_metatable},
    {"class", l_class},
    {"family", l_family},
    {"numeric", l_numeric},
    {"limit", l_limit},
    {NULL, NULL},
};


/* Functions that close or open an object's descriptor; they need the scratch buffer. */
static const luaL_Reg on_objects[] = {{"move", l_move},
                                      {"connect_fresh", l_connect_fresh},
                                      {"open", l_open},
                                      {"is_connecting", l_is_connecting},
                                      {"take_failure", l_take_failure},
                                      {NULL, NULL}};


/* Adds functions to the table on top of the stack. */
static void add_with_scratch(lua_State *L, const luaL_Reg *f) {
  for (; f->name != NULL; f++) {
    sock99_push_scratch(L);
    lua_pushcclosure(L, f->func, 1);
    lua_setfield(L, -2, f->name);
  }
}


SOCK99_EXPORT int luaopen_sock99_kinds(lua_State *L);

int luaopen_sock99_kinds(lua_State *L) {
  sock99_register_objects(L);
  sock99_newlib(L, functions);
  add_with_scratch(L, on_objects);
  sock99_add_dns(L);
  return 1;
}
