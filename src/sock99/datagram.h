/*
** datagram.h: what one message and many of them have in common.
*/
#ifndef SOCK99_DATAGRAM_H
#define SOCK99_DATAGRAM_H

#include "object.h"

/* A message that was received. */
struct sock99_message {
  const char *data;
  size_t size;   /* of what is there of it */
  size_t length; /* of the whole message */
  bool is_cut;
  bool wants_from;
  struct s99_address from;
};

SOCK99_HIDDEN struct sock99_socket *sock99_check_datagram(lua_State *L);

/* After a call that could not send: 0 is "again". `addressed`: to anybody else than
** the peer; all zero in `retry` before the first call. */
SOCK99_HIDDEN int sock99_wait_to_send(struct sock99_socket *s, struct sock99_wait *wait,
                                      bool addressed, struct sock99_retry *retry, int error);

/* One message, if there is one, or where there is leave to block; 0 or an errno.
** It lies in `small`, of SOCK99_ROOM_SIZE bytes, or, if it is larger, in a userdata on
** top of the stack. */
SOCK99_HIDDEN int sock99_try_to_receive(lua_State *L, struct sock99_socket *s, int flags,
                                        char *small, struct sock99_message *in);

/* The same, as long as the object's timeouts allow. */
SOCK99_HIDDEN int sock99_receive_one(lua_State *L, struct sock99_socket *s, char *small,
                                     struct sock99_message *in);

/* Pushes two values: host, port; or path, nil. */
SOCK99_HIDDEN void sock99_push_origin(lua_State *L, const struct sock99_socket *s,
                                      const struct s99_address *from);

/* many.c */
SOCK99_HIDDEN int sock99_sendmany(lua_State *L);
SOCK99_HIDDEN int sock99_receivemany(lua_State *L);

#endif
