/*
** counting.c: a Lua module that tells callgrind what to count.
**
** toggle() begins or ends it, report(text) writes what was counted since the last
** report into a file, beside the text. Preloaded, it stops the time of day, too:
** Lua makes the seed of its tables from it, and how their keys fall counts.
*/

#include <lauxlib.h>
#include <lua.h>
#include <time.h>
#include <valgrind/callgrind.h>


time_t time(time_t *result) {
  if (result != NULL)
    *result = 1;
  return 1;
}


static int toggle(lua_State *L) {
  (void)L;
  CALLGRIND_TOGGLE_COLLECT;
  return 0;
}


static int report(lua_State *L) {
  CALLGRIND_DUMP_STATS_AT(luaL_checkstring(L, 1));
  return 0;
}


int luaopen_counting(lua_State *L);

int luaopen_counting(lua_State *L) {
  lua_newtable(L);
  lua_pushcfunction(L, toggle);
  lua_setfield(L, -2, "toggle");
  lua_pushcfunction(L, report);
  lua_setfield(L, -2, "report");
  return 1;
}
