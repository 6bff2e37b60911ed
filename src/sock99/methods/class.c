/*
** class.c: kinds of objects and their metatables. This is the only file that knows
** all methods.
*/

#include "methods.h"


/* LuaSocket's name for bind of datagrams. */
static const luaL_Reg datagram_aliases[] = {{"setsockname", sock99_bind}, {NULL, NULL}};


/* Adds functions to the table on top of the stack. Their upvalues are at `upvalues`: the
** scratch buffer, and the kind's function for messages or nil. */
static void add_functions(lua_State *L, const luaL_Reg *functions, int upvalues) {
  for (; functions->name != NULL; functions++) {
    lua_pushvalue(L, upvalues);
    lua_pushvalue(L, upvalues + 1);
    lua_pushcclosure(L, functions->func, 2);
    lua_setfield(L, -2, functions->name);
  }
}


/* Pushes a table of the methods of a class. */
static void push_methods(lua_State *L, enum sock99_class class,
                         const struct sock99_overrides *overrides, int upvalues) {
  lua_newtable(L);
  add_functions(L, sock99_handle_methods, upvalues);
  add_functions(L, sock99_socket_methods, upvalues);
  add_functions(L, sock99_option_methods, upvalues);
  add_functions(L, sock99_unix_methods, upvalues);
  if (class >= SOCK99_CONNECTED) {
    add_functions(L, sock99_datagram_methods, upvalues);
    add_functions(L, sock99_many_methods, upvalues);
    add_functions(L, datagram_aliases, upvalues);
    add_functions(L, overrides->datagrams, upvalues);
  } else {
    add_functions(L, sock99_connection_methods, upvalues);
    add_functions(L, sock99_connect_methods, upvalues);
    add_functions(L, sock99_stream_methods, upvalues);
    add_functions(L, sock99_sendfile_methods, upvalues);
    add_functions(L, overrides->streams, upvalues);
  }
  lua_pushstring(L, sock99_class_names[class]);
  lua_setfield(L, -2, "class");
}


/* Replaces the scratch buffer and the function for messages on top of the stack by the
** kind, a list of metatables. */
static void push_new_kind(lua_State *L, const struct sock99_overrides *overrides) {
  int class, kind, upvalues = lua_gettop(L) - 1;
  lua_newtable(L);
  kind = lua_gettop(L);
  for (class = 0; class < SOCK99_CLASS_COUNT; class ++) {
    lua_newtable(L);
    add_functions(L, sock99_handle_metamethods, upvalues);
    push_methods(L, (enum sock99_class) class, overrides, upvalues);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, kind);
    sock99_add_to_kind(L);
    lua_pop(L, 1);
    lua_rawseti(L, kind, class + 1);
  }
  lua_replace(L, upvalues);
  lua_settop(L, upvalues);
}


void sock99_new_kind(lua_State *L, int messages, const struct sock99_overrides *overrides) {
  sock99_push_scratch(L);
  lua_pushvalue(L, messages);
  push_new_kind(L, overrides);
}


void sock99_register_objects(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const struct sock99_overrides native = {none, none};
  if (sock99_has_native_kind(L))
    return;
  sock99_push_scratch(L);
  lua_pushnil(L);
  push_new_kind(L, &native);
  sock99_set_native_kind(L);
}
