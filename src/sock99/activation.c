/*
** activation.c: sockets that systemd passed.
*/

#include "object.h"


int sock99_listen_fds(lua_State *L) {
  lua_newtable(L);
  return 1;
}
