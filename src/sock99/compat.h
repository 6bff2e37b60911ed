/*
** compat.h: what differs between Lua 5.1, 5.2, 5.3, 5.4, 5.5 and LuaJIT, and
** nowhere else.
*/
#ifndef SOCK99_COMPAT_H
#define SOCK99_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#include <stdbool.h>

#if LUA_VERSION_NUM < 501 || LUA_VERSION_NUM > 505
#error "sock99 is for Lua 5.1 to 5.5 and LuaJIT"
#endif

#if LUA_VERSION_NUM == 501
#define lua_rawlen(L, index) lua_objlen(L, index)
#endif

#if LUA_VERSION_NUM >= 503
#define sock99_isinteger(L, index) lua_isinteger(L, index)
#else
#define sock99_isinteger(L, index) ((void)(L), (void)(index), 0)
#endif

/* LUA_API of the headers says what an exported function looks like. */
#if defined(__GNUC__)
#define SOCK99_EXPORT __attribute__((visibility("default")))
#else
#define SOCK99_EXPORT
#endif


/* A new table with `functions` in it, on top of the stack (luaL_newlib is not in 5.1). */
static inline void sock99_newlib(lua_State *L, const luaL_Reg *functions) {
  lua_newtable(L);
  for (; functions->name != NULL; functions++) {
    lua_pushcfunction(L, functions->func);
    lua_setfield(L, -2, functions->name);
  }
}

#endif
