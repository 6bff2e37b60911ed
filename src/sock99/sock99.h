/*
** sock99.h: what the rooms of the Lua module share.
**
** config.c turns a Lua table into a socket99_config, read_option.c the options
** in it, module.c opens it and tells the result, opening.c opens it in steps,
** errno.c is the table of error numbers. object.h has the objects' share.
*/
#ifndef SOCK99_H
#define SOCK99_H

#include "platform.h"

#include "values/compat.h"

#include "socket99.h"

#if defined(__GNUC__)
#define SOCK99_HIDDEN __attribute__((visibility("hidden")))
#define SOCK99_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define SOCK99_HIDDEN
#define SOCK99_PRINTF(text, first)
#endif

/* Options that a table may hold before their list moves to a userdata. */
#define SOCK99_INLINE_OPTIONS 8

/*
** A configuration on its way from Lua to C. Its strings stay on the Lua
** stack above the call's arguments, so it is good until the function that
** read it returns; nothing in it needs to be freed.
*/
struct sock99_request {
  socket99_config config;
  socket99_option *options;
  size_t capacity;
  socket99_option inlined[SOCK99_INLINE_OPTIONS];
};

/*
** Reads the table at stack index 1. True: the request is filled. False: the
** result says which value cannot be. Raises what is the program's fault.
*/
SOCK99_HIDDEN bool sock99_read_config(lua_State *L, struct sock99_request *request,
                                      socket99_result *result);

/* The same for a name lookup: fewer fields, and no port is needed. */
SOCK99_HIDDEN bool sock99_read_lookup(lua_State *L, struct sock99_request *request,
                                      socket99_result *result);

/* The same for sock99.pair, whose table may be missing. */
SOCK99_HIDDEN bool sock99_read_pair(lua_State *L, struct sock99_request *request,
                                    socket99_result *result);

/* "configuration: …", EINVAL, as the result. Returns false. */
SOCK99_HIDDEN bool sock99_refuse(socket99_result *result, const char *format, ...)
    SOCK99_PRINTF(2, 3);

/* A number as an integer, if it is one. */
enum sock99_whole { SOCK99_WHOLE, SOCK99_FRACTION, SOCK99_TOO_LARGE };

SOCK99_HIDDEN enum sock99_whole sock99_to_whole(lua_State *L, int index, long long *out);

/* Functions of the module, in the rooms of what they make. */
SOCK99_HIDDEN int sock99_socket(lua_State *L);
SOCK99_HIDDEN int sock99_wrap(lua_State *L);
SOCK99_HIDDEN int sock99_pair(lua_State *L);
SOCK99_HIDDEN int sock99_select(lua_State *L);
SOCK99_HIDDEN int sock99_listen_fds(lua_State *L);

/* The metatables of socket objects. */
SOCK99_HIDDEN void sock99_register_objects(lua_State *L);

/* What LuaSocket's names of functions need of the resolver, into the table on top
** of the stack. */
SOCK99_HIDDEN void sock99_add_dns(lua_State *L);

/* sock99.start, and the metatable of what it returns. */
SOCK99_HIDDEN int sock99_start(lua_State *L);
SOCK99_HIDDEN void sock99_register_opening(lua_State *L);

/* Pushes nil, message, code, stage; returns 4. */
SOCK99_HIDDEN int sock99_push_failure(lua_State *L, const socket99_result *result);

/* Pushes sock99.errno. */
SOCK99_HIDDEN void sock99_push_errno(lua_State *L);

#endif
