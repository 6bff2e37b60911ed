/*
** select.c: which of many are ready.
*/

#include "object.h"


int sock99_select(lua_State *L) {
  return luaL_error(L, "not there yet");
}
