/*
** lua.h: one Lua state for all inputs, with the module in it.
*/
#ifndef FUZZ_LUA_H
#define FUZZ_LUA_H

#include "input.h"
#include "machine.h"

#include <lauxlib.h>
#include <lua.h>

/* Its stack is empty. */
lua_State *fuzz_begin(struct input luck);

/* Nobody holds an object any more, and the machine is as it was. */
void fuzz_end(lua_State *L);

/* sock99.NAME, sock99.kinds.NAME, or a method of the object at `index`. */
void fuzz_push_function(lua_State *L, const char *name);
void fuzz_push_kinds_function(lua_State *L, const char *name);
void fuzz_push_method(lua_State *L, int index, const char *name);

/* The function below `arguments` values: how many results are on the stack in their
** place; -1: it raised, and the message is. */
int fuzz_call(lua_State *L, int arguments);

/* The same for what must not raise. */
int fuzz_must(lua_State *L, int arguments);

/* nil, message, code or nil, and whatever follows, from `first` on. */
const char *fuzz_check_failure(lua_State *L, int first, int results);

/* An object of a new socket of the machine, on top of the stack. */
int fuzz_push_socket(lua_State *L, int family, int type, bool is_connected);

#endif
