/*
** lua.c: one Lua state for all inputs, with the module in it.
*/

#include "lua.h"

#include <stdlib.h>

int luaopen_sock99(lua_State *L);
int luaopen_sock99_kinds(lua_State *L);


static lua_State *new_state(void) {
  lua_State *L = luaL_newstate();
  if (L == NULL)
    machine_fail("no Lua state");
  luaL_requiref(L, "sock99", luaopen_sock99, 0);
  luaL_requiref(L, "sock99.kinds", luaopen_sock99_kinds, 0);
  lua_settop(L, 0);
  return L;
}


lua_State *fuzz_begin(struct input luck) {
  static lua_State *L;
  memset(&machine_hooks, 0, sizeof(machine_hooks));
  machine_boot(luck);
  if (L == NULL)
    L = new_state();
  return L;
}


void fuzz_end(lua_State *L) {
  lua_settop(L, 0);
  lua_gc(L, LUA_GCCOLLECT, 0);
  machine_halt();
}


static void push_from(lua_State *L, const char *module, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, module);
  lua_getfield(L, -1, name);
  lua_replace(L, -3);
  lua_pop(L, 1);
}


void fuzz_push_function(lua_State *L, const char *name) {
  push_from(L, "sock99", name);
}


void fuzz_push_kinds_function(lua_State *L, const char *name) {
  push_from(L, "sock99.kinds", name);
}


void fuzz_push_method(lua_State *L, int index, const char *name) {
  index = lua_absindex(L, index);
  lua_getfield(L, index, name);
  if (!lua_isfunction(L, -1))
    machine_fail("there is no method %s", name);
  lua_pushvalue(L, index);
}


int fuzz_call(lua_State *L, int arguments) {
  int below = lua_gettop(L) - arguments - 1;
  luaL_checkstack(L, LUA_MINSTACK, "too many values");
  if (lua_pcall(L, arguments, LUA_MULTRET, 0) != LUA_OK)
    return -1;
  return lua_gettop(L) - below;
}


int fuzz_must(lua_State *L, int arguments) {
  int results = fuzz_call(L, arguments);
  if (results < 0)
    machine_fail("raised: %s", lua_tostring(L, -1));
  return results;
}


const char *fuzz_check_failure(lua_State *L, int first, int results) {
  const char *message;
  first = lua_absindex(L, first);
  if (results < 2 || !lua_isnil(L, first) || lua_type(L, first + 1) != LUA_TSTRING)
    machine_fail("%d results, of which the second is %s", results, luaL_typename(L, first + 1));
  message = lua_tostring(L, first + 1);
  if (message[0] == '\0' || strlen(message) > 500 || strlen(message) != lua_rawlen(L, first + 1))
    machine_fail("a message of %d bytes: '%s'", (int)lua_rawlen(L, first + 1), message);
  if (results > 2 && !lua_isnil(L, first + 2) &&
      (!lua_isinteger(L, first + 2) || lua_tointeger(L, first + 2) == 0))
    machine_fail("%s: no code", message);
  return message;
}


int fuzz_push_socket(lua_State *L, int family, int type, bool is_connected) {
  int fd = machine_new(MACHINE_SOCKET, family, type);
  if (is_connected)
    machine_connect(fd);
  fuzz_push_function(L, "wrap");
  lua_pushinteger(L, fd);
  if (fuzz_must(L, 1) != 1)
    machine_fail("wrap: %s", fuzz_check_failure(L, -3, 3));
  return fd;
}
