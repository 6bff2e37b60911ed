/*
** datagram.c: whole messages, in and out.
*/

#include "object.h"


int sock99_receive_message(lua_State *L, struct sock99_socket *s) {
  (void)s;
  return luaL_error(L, "not there yet");
}


int sock99_send_message(lua_State *L, struct sock99_socket *s) {
  (void)s;
  return luaL_error(L, "not there yet");
}


const luaL_Reg sock99_datagram_methods[] = {{NULL, NULL}};
