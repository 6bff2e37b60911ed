/*
** option.c: options of an object, by name or by number.
**
** read_option.c converts Lua values to those of the C library; this file converts
** them back. A name that no system has, or a value of the wrong type, raises an
** error; all other errors are returned.
*/

#include "methods.h"

/* The largest buffer for an option by number. */
#define LARGEST_SIZE ((lua_Integer)1024 * 1024)

/* Most values fit this buffer; a larger one is read into a userdata. */
#define BUFFER_SIZE 1024

/* The buffer for an option by number if no size is given. */
#define DEFAULT_SIZE 4096

/* Stack indices: the option's name or number, its value, and strings to be kept alive. */
#define OPTION 2
#define VALUE 3
#define ANCHOR 4

/*** @module sock99 */


/* `constant` was tried; NULL: that of the socket's family. */
static int fail_call(lua_State *L, const struct sock99_socket *s, const char *call,
                     const char *constant, const socket99_option *option, int error) {
  char label[64];
  if (constant != NULL)
    return sock99_fail_call(L, call, constant, error);
  s99_option_label(option, s->type, s->family, label, sizeof(label));
  return sock99_fail_call(L, call, label, error);
}


/* nil, "option rcvbuf: … is not in …", EINVAL. */
static int refuse(lua_State *L, const char *why) {
  const struct sock99_failure failure = {.error = EINVAL, .text = why};
  return sock99_push_failure(L, &failure);
}


/*
** Setting. Each function returns 0, or the number of values pushed for a failure.
*/

static int set_option(lua_State *L, struct sock99_socket *s, const socket99_option *option) {
  char why[SOCKET99_WHERE_SIZE];
  const char *constant = NULL;
  int error, fd = sock99_descriptor(s);
  if (fd < 0 && !sock99_is_pending(s))
    return sock99_fail(L, SOCK99_CLOSED);
  if (!s99_option_check(option, s->type, why, sizeof(why)))
    return refuse(L, why);
  error = fd < 0 ? sock99_keep_option(s, option) : sock99_apply_option(s, fd, option, &constant);
  return error == 0 ? 0 : fail_call(L, s, "setsockopt", constant, option, error);
}


/* Sets an option to the value on top of the stack. */
static int set_named(lua_State *L, struct sock99_socket *s, const char *name,
                     enum socket99_kind kind) {
  static const struct sock99_option_place place = {VALUE, ANCHOR};
  socket99_option option = {name, 0, 0, {SOCKET99_BOOLEAN, 0, 0, NULL, 0, NULL, NULL, NULL}};
  socket99_result result;
  if (!sock99_read_option_value(L, &place, name, kind, &option.value, &result))
    return refuse(L, result.where);
  return set_option(L, s, &option);
}


/* The value is one membership or a list of them. */
static int set_memberships(lua_State *L, struct sock99_socket *s, const char *name) {
  int count = lua_istable(L, VALUE) ? (int)lua_rawlen(L, VALUE) : 0;
  int i, pushed = 0;
  if (count == 0) {
    lua_pushvalue(L, VALUE);
    return set_named(L, s, name, SOCKET99_MEMBERSHIP);
  }
  for (i = 1; i <= count && pushed == 0; i++) {
    lua_settop(L, VALUE);
    lua_rawgeti(L, VALUE, i);
    pushed = set_named(L, s, name, SOCKET99_MEMBERSHIP);
  }
  return pushed;
}


static int set_by_name(lua_State *L, struct sock99_socket *s) {
  enum socket99_kind kind;
  const char *name;
  luaL_checktype(L, OPTION, LUA_TSTRING);
  name = sock99_check_option_name(L, OPTION, OPTION, s->type, s->family, &kind);
  if (lua_isnone(L, VALUE) && kind == SOCKET99_BOOLEAN)
    lua_pushboolean(L, 1);
  lua_settop(L, VALUE);
  if (kind == SOCKET99_MEMBERSHIP)
    return set_memberships(L, s, name);
  lua_pushvalue(L, VALUE);
  return set_named(L, s, name, kind);
}


static int set_by_number(lua_State *L, struct sock99_socket *s) {
  static const struct sock99_option_place place = {OPTION, ANCHOR};
  socket99_option option;
  socket99_result result;
  luaL_argcheck(L, lua_rawlen(L, OPTION) == 3, OPTION, "{level, option, value} expected");
  lua_settop(L, VALUE);
  lua_pushvalue(L, OPTION);
  if (!sock99_read_numbered_option(L, &place, &option, &result))
    return refuse(L, result.where);
  return set_option(L, s, &option);
}


/*** Options by name ([all of them](options.md)), in lower or upper case, with or
without the prefix of their constant; and entries `{level, option, value}`.

@record options
*/

/*** The value of an option.

@union option_value
@tfield boolean flag
@tfield number number
@tfield string bytes
@tfield membership group to join or to leave
@tfield membership[] groups
*/

/*** A multicast group to join or to leave.

@record membership
@tfield string group numeric address
@tfield ?string|integer interface its name, its index, or, for IPv4, an address of it
@tfield ?string source numeric address; of source-specific options
*/

/*** An option that has no name: `{level, option, value}`.

@record raw_option
@tfield integer 1 level
@tfield integer 2 option
@tfield integer|string 3 value
*/

/*** The same to be asked for: `{level, option, size}`.

@record raw_name
@tfield integer 1 level
@tfield integer 2 option
@tfield ?integer 3 bytes of the value
*/

/*** @type socket */

/*** Set an option of the socket.

The name is the system's constant in lower case, with or without its prefix.
@function setoption
@tparam string|raw_option name a field of `options`, or the constant's name; or by
number
@tparam[opt=true] option_value value a boolean, an integer, seconds, a string, or
`{group=, interface=, source=}` or a list of them, depending on the option; only a
boolean may be omitted
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string "closed" or another error
@treturn[2] ?integer errno; ENOPROTOOPT if this system lacks the option
@raise if no system has an option of that name, or the value has the wrong type
@usage
client:setoption('nodelay', true)
client:setoption('linger', 0)
*/
static int l_setoption(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  int pushed = lua_istable(L, OPTION) ? set_by_number(L, s) : set_by_name(L, s);
  if (pushed > 0)
    return pushed;
  lua_pushinteger(L, 1);
  return 1;
}


/*
** Getting
*/

static void push_value(lua_State *L, const socket99_value *value) {
  switch (value->kind) {
  case SOCKET99_BOOLEAN:
    lua_pushboolean(L, value->integer != 0);
    break;
  case SOCKET99_INTEGER:
    if (!sock99_pushwhole(L, value->integer))
      lua_pushlstring(L, (const char *)&value->integer, sizeof(value->integer));
    break;
  case SOCKET99_SECONDS:
    lua_pushnumber(L, (lua_Number)value->seconds);
    break;
  default:
    lua_pushlstring(L, value->bytes, value->length);
  }
}


static int get_named(lua_State *L, const struct sock99_socket *s, const char *name) {
  socket99_option option;
  socket99_value value;
  char buffer[BUFFER_SIZE];
  int error, fd = sock99_descriptor(s);
  memset(&option, 0, sizeof(option));
  option.name = name;
  if (fd < 0)
    return sock99_fail(L, SOCK99_CLOSED);
  error = socket99_option_get(fd, option.name, &value, buffer, sizeof(buffer));
  if (error == ERANGE && value.length > sizeof(buffer)) {
    size_t size = value.length;
    void *larger = sock99_newuserdata(L, size);
    error = socket99_option_get(sock99_descriptor(s), option.name, &value, larger, size);
  }
  if (error != 0)
    return fail_call(L, s, "getsockopt", NULL, &option, error);
  push_value(L, &value);
  return 1;
}


static int get_by_name(lua_State *L, const struct sock99_socket *s) {
  enum socket99_kind kind;
  luaL_checktype(L, OPTION, LUA_TSTRING);
  return get_named(L, s, sock99_check_option_name(L, OPTION, OPTION, s->type, s->family, &kind));
}


static void push_bytes(lua_State *L, const void *bytes, socklen_t length) {
  int integer;
  if (length == sizeof(integer)) {
    memcpy(&integer, bytes, sizeof(integer));
    lua_pushinteger(L, integer);
  } else {
    lua_pushlstring(L, bytes, length);
  }
}


/* Returns the size in {level, option, size}, or `missing` if there is none. */
static socklen_t check_size(lua_State *L, socklen_t missing) {
  long long size = 0;
  lua_rawgeti(L, OPTION, 3);
  if (lua_isnil(L, -1))
    return missing;
  luaL_argcheck(L, lua_type(L, -1) == LUA_TNUMBER, OPTION, "an option's size: integer expected");
  luaL_argcheck(L,
                sock99_to_whole(L, -1, &size) == SOCK99_WHOLE && size > 0 && size <= LARGEST_SIZE,
                OPTION, "an option's size is not in 1 to 1048576");
  return (socklen_t)size;
}


static int get_by_number(lua_State *L, const struct sock99_socket *s) {
  static const struct sock99_option_place place = {OPTION, ANCHOR};
  socket99_option option;
  socket99_result result;
  char buffer[BUFFER_SIZE];
  void *bytes = buffer;
  socklen_t length;
  lua_settop(L, VALUE);
  lua_pushvalue(L, OPTION);
  if (!sock99_read_option_number(L, &place, &option, &result))
    return refuse(L, result.where);
  length = check_size(L, DEFAULT_SIZE);
  /* Its length counts instructions of 8 bytes, so the kernel would overrun the buffer. */
  if (option.level == SOL_SOCKET && option.option_id == SOCK99_COUNTED_OPTION)
    return get_named(L, s, "get_filter");
  if (length > sizeof(buffer))
    bytes = sock99_newuserdata(L, length);
  if (sock99_descriptor(s) < 0)
    return sock99_fail(L, SOCK99_CLOSED);
  if (getsockopt(sock99_descriptor(s), option.level, option.option_id, bytes, &length) != 0)
    return fail_call(L, s, "getsockopt", NULL, &option, errno);
  push_bytes(L, bytes, length);
  return 1;
}


/*** Get an option of the socket.

@function getoption
@tparam string|raw_name name a field of `options`, or the constant's name; or by
number
@treturn[1] option_value a boolean, an integer, seconds, or a string, depending on the
option. `linger` is false if it is off. By number: an integer if the value has 4 bytes,
otherwise its bytes. An integer too large for this Lua's numbers is a string of its 8
bytes.
@treturn[2] nil
@treturn[2] string "closed" or another error
@treturn[2] ?integer errno; ENOPROTOOPT if this system lacks the option, or it
can only be set
@raise if no system has an option of that name
@usage
print(client:getoption 'rcvbuf')
*/
static int l_getoption(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  return lua_istable(L, OPTION) ? get_by_number(L, s) : get_by_name(L, s);
}


const luaL_Reg sock99_option_methods[] = {
    {"setoption", l_setoption}, {"getoption", l_getoption}, {NULL, NULL}};
