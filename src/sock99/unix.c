/*
** unix.c: descriptors and credentials that pass through Unix domain sockets.
*/

#include "object.h"


ssize_t sock99_receive_rights(struct sock99_socket *s, void *room, size_t size, int *flags) {
  return recv(s->fd, room, size, *flags);
}


void sock99_close_rights(struct sock99_socket *s) {
  (void)s;
}


const luaL_Reg sock99_unix_methods[] = {{NULL, NULL}};
