/*
** module.h: the top floor: what Lua sees beside objects.
*/
#ifndef SOCK99_MODULE_H
#define SOCK99_MODULE_H

#include "methods/methods.h"

/* opening.c: sock99.start, and the metatable of what it returns. */
SOCK99_HIDDEN int sock99_start(lua_State *L);
SOCK99_HIDDEN void sock99_register_opening(lua_State *L);

/* dns.c: what LuaSocket's names of functions need of the resolver, into the table on
** top of the stack. */
SOCK99_HIDDEN void sock99_add_dns(lua_State *L);

#endif
