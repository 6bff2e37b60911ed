/*
** argument.c: reads arguments of functions: numbers, parts of strings, ports and
** descriptors.
**
** All methods read their integers here, so that a fraction, NaN or a number out
** of range is the same error in every Lua version: luaL_checkinteger truncates
** fractions in 5.1, 5.2 and LuaJIT.
*/

#include "values.h"

#include <stdarg.h>


void sock99_raise(lua_State *L, int argument, const char *format, ...) {
  va_list arguments;
  const char *message;
  va_start(arguments, format);
  message = lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  luaL_argerror(L, argument, message);
}


/*
** Integers
*/

enum sock99_whole sock99_to_whole(lua_State *L, int index, long long *out) {
  lua_Number number;
  if (sock99_tointeger(L, index, out))
    return SOCK99_WHOLE;
  number = lua_tonumber(L, index);
  if (number >= -9223372036854775808.0 && number < 9223372036854775808.0)
    return SOCK99_FRACTION;
  return number == number ? SOCK99_TOO_LARGE : SOCK99_FRACTION;
}


/* Pushes and returns the number at `index` as text. */
static const char *push_text(lua_State *L, int index) {
  lua_pushvalue(L, index);
  return lua_tostring(L, -1);
}


static void refuse_range(lua_State *L, int index, const char *name, bool is_low, long long limit) {
  char text[32];
  snprintf(text, sizeof(text), "%lld", limit);
  sock99_raise(L, index, "%s %s is %s than %s", name, push_text(L, index), is_low ? "less" : "more",
               text);
}


static void refuse_number(lua_State *L, int index, const char *name, long long least,
                          long long most) {
  lua_Number number = luaL_checknumber(L, index);
  long long whole;
  if (sock99_to_whole(L, index, &whole) == SOCK99_FRACTION)
    sock99_raise(L, index, "%s: integer expected, got %s", name, push_text(L, index));
  refuse_range(L, index, name, number < (lua_Number)least,
               number < (lua_Number)least ? least : most);
}


long long sock99_check_integer(lua_State *L, int index, const char *name, long long least,
                               long long most) {
  long long number;
  if (!sock99_tointeger(L, index, &number) || number < least || number > most)
    refuse_number(L, index, name, least, most);
  return number;
}


long long sock99_opt_integer(lua_State *L, int index, const char *name, long long least,
                             long long most, long long missing) {
  return lua_isnoneornil(L, index) ? missing : sock99_check_integer(L, index, name, least, most);
}


size_t sock99_check_size(lua_State *L, int index, const char *name, size_t least) {
  return (size_t)sock99_check_integer(L, index, name, (long long)least, SOCK99_LARGEST_SIZE);
}


size_t sock99_opt_max(lua_State *L, int index, size_t least) {
  if (lua_isnoneornil(L, index) || lua_tonumber(L, index) > (lua_Number)SOCK99_LARGEST_SIZE)
    return SIZE_MAX;
  return sock99_check_size(L, index, "max", least);
}


/*
** Strings, lists of them, and their parts
*/

/* As in string.sub: counts from 1, or from the end if negative. An index may have more
** bits than a size_t. */
static size_t first_index(long long i, size_t length) {
  if (i > 0)
    return (uint64_t)i < SIZE_MAX ? (size_t)i : SIZE_MAX;
  return i == 0 || (uint64_t) - (i + 1) >= length ? 1 : length + 1 - (size_t)-i;
}


static size_t last_index(long long j, size_t length) {
  if (j >= 0)
    return (uint64_t)j < length ? (size_t)j : length;
  return (uint64_t) - (j + 1) >= length ? 0 : length + 1 - (size_t)-j;
}


void sock99_push_entry(lua_State *L, int list, int i) {
  lua_rawgeti(L, list, i);
  if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)
    sock99_raise(L, list, "entry %d: string expected, got %s", i, luaL_typename(L, -1));
}


void sock99_check_range(lua_State *L, int index, size_t length, size_t *first, size_t *last) {
  *first = first_index(sock99_opt_integer(L, index, "i", LLONG_MIN, LLONG_MAX, 1), length);
  *last = last_index(sock99_opt_integer(L, index + 1, "j", LLONG_MIN, LLONG_MAX, -1), length);
}


const char *sock99_check_part(lua_State *L, int index, size_t *first, size_t *last) {
  size_t length;
  const char *data = luaL_checklstring(L, index, &length);
  sock99_check_range(L, index + 1, length, first, last);
  return data;
}


/*
** Ports and descriptors
*/

bool sock99_is_port(lua_State *L, int index) {
  long long port;
  return sock99_tointeger(L, index, &port) && port >= 0 && port <= 65535;
}


int sock99_check_descriptor(lua_State *L, int index) {
  long long fd;
  if (sock99_tointeger(L, index, &fd))
    return fd < 0 || fd > INT_MAX ? -1 : (int)fd;
  luaL_checknumber(L, index);
  if (sock99_to_whole(L, index, &fd) == SOCK99_FRACTION)
    sock99_raise(L, index, "descriptor: integer expected, got %s", push_text(L, index));
  return -1;
}


static int file_descriptor(lua_State *L, int index) {
  FILE *file = sock99_tofile(L, index);
  return file != NULL ? fileno(file) : -1;
}


int sock99_check_fd(lua_State *L, int index) {
  long long fd = -1;
  if (lua_type(L, index) == LUA_TNUMBER)
    return sock99_check_descriptor(L, index);
  if (sock99_isfile(L, index))
    return file_descriptor(L, index);
  luaL_argcheck(L, lua_istable(L, index) || lua_isuserdata(L, index), index,
                "a descriptor or an object with getfd expected");
  lua_getfield(L, index, "getfd");
  luaL_argcheck(L, lua_isfunction(L, -1), index, "it has no method getfd");
  lua_pushvalue(L, index);
  lua_call(L, 1, 1);
  if (lua_isnumber(L, -1) && sock99_to_whole(L, -1, &fd) == SOCK99_FRACTION)
    sock99_raise(L, index, "its getfd returned %s: integer expected", lua_tostring(L, -1));
  lua_pop(L, 1);
  return fd < 0 || fd > INT_MAX ? -1 : (int)fd;
}
