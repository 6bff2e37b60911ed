/*
** module.h: the top floor: everything that Lua sees except objects.
*/
#ifndef SOCK99_MODULE_H
#define SOCK99_MODULE_H

#include "methods/methods.h"

/* opening.c: sock99.start, and the metatable of the openings that it returns. */
SOCK99_HIDDEN int sock99_start(lua_State *L);
SOCK99_HIDDEN void sock99_register_opening(lua_State *L);

/* dns.c: adds the resolver functions for LuaSocket's `dns` to the table on top of the
** stack. */
SOCK99_HIDDEN void sock99_add_dns(lua_State *L);

#endif
