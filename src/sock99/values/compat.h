/*
** compat.h: all differences between Lua 5.1, 5.2, 5.3, 5.4, 5.5 and LuaJIT.
*/
#ifndef SOCK99_COMPAT_H
#define SOCK99_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#if LUA_VERSION_NUM < 501 || LUA_VERSION_NUM > 505
#error "sock99 is for Lua 5.1 to 5.5 and LuaJIT"
#endif

#if LUA_VERSION_NUM == 501
#define lua_rawlen(L, index) lua_objlen(L, index)
#endif

/* Converts the number, or numeric string, at `index` to an integer. Returns false if it
** is not an integer of this type. */
static inline bool sock99_tointeger(lua_State *L, int index, long long *out) {
#if LUA_VERSION_NUM >= 503
  int is_integer;
  *out = lua_tointegerx(L, index, &is_integer);
  return is_integer != 0;
#else
  lua_Number number = lua_tonumber(L, index);
  if (!(number >= -9223372036854775808.0 && number < 9223372036854775808.0))
    return false;
  *out = (long long)number;
  return (lua_Number)*out == number && (number != 0 || lua_isnumber(L, index));
#endif
}


#if LUA_VERSION_NUM >= 505
#define sock99_newstate(allocator, data) lua_newstate(allocator, data, 0)
#else
#define sock99_newstate(allocator, data) lua_newstate(allocator, data)
#endif

/* Allocates no user value; Lua 5.4 adds one by default. */
#if LUA_VERSION_NUM >= 504
#define sock99_newuserdata(L, size) lua_newuserdatauv(L, size, 0)
#else
#define sock99_newuserdata(L, size) lua_newuserdata(L, size)
#endif

/* Whether lua_pushlstring may run finalizers before it has copied the bytes. */
#define SOCK99_COLLECTS_FIRST (LUA_VERSION_NUM < 503)

/* Calls a function in a protected call, and pushes its error. */
#if LUA_VERSION_NUM == 501
#define sock99_pcall(L, function) lua_cpcall(L, function, NULL)
#else
#define sock99_pcall(L, function) (lua_pushcfunction(L, function), lua_pcall(L, 0, 0, 0))
#endif

/* For the luaopen_ functions, which the shared object exports. */
#if defined(__GNUC__)
#define SOCK99_EXPORT __attribute__((visibility("default")))
#else
#define SOCK99_EXPORT
#endif


/* Lua's headers do not declare that it never returns. */
#if defined(__GNUC__)
/* NOLINTNEXTLINE(readability-redundant-declaration): this one has the attribute. */
int luaL_argerror(lua_State *, int, const char *) __attribute__((noreturn));
#endif


/* Pushes a new table with `functions` in it; luaL_newlib is not in 5.1. */
static inline void sock99_newlib(lua_State *L, const luaL_Reg *functions) {
  lua_newtable(L);
  for (; functions->name != NULL; functions++) {
    lua_pushcfunction(L, functions->func);
    lua_setfield(L, -2, functions->name);
  }
}


/* Pushes an integer. Returns false and pushes nothing if this Lua cannot represent it
** exactly. */
static inline bool sock99_pushwhole(lua_State *L, long long number) {
#if LUA_VERSION_NUM >= 503
  if ((lua_Integer)number != number)
    return false;
  lua_pushinteger(L, (lua_Integer)number);
#else
  if (number > 9007199254740992LL || number < -9007199254740992LL)
    return false;
  lua_pushnumber(L, (lua_Number)number);
#endif
  return true;
}


/* Pushes a number of bytes, which has 64 bits if Lua has integers. */
static inline void sock99_push_count(lua_State *L, uint64_t count) {
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, (lua_Integer)count);
#else
  lua_pushnumber(L, (lua_Number)count);
#endif
}


/* Whether the value is a file of the io library. */
static inline bool sock99_isfile(lua_State *L, int index) {
  bool is_file;
  if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
    return false;
  luaL_getmetatable(L, LUA_FILEHANDLE);
  is_file = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return is_file;
}


/* Returns the stream of such a file; NULL if the file is closed. */
static inline FILE *sock99_tofile(lua_State *L, int index) {
#if LUA_VERSION_NUM >= 502
  const luaL_Stream *stream = lua_touserdata(L, index);
  return stream->closef != NULL ? stream->f : NULL;
#else
  return *(FILE **)lua_touserdata(L, index);
#endif
}

#endif
