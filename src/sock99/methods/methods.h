/*
** methods.h: what an object can do. Each file adds its methods to those of
** streams or of datagrams; class.c, which knows all of them, makes metatables.
*/
#ifndef SOCK99_METHODS_H
#define SOCK99_METHODS_H

#include "objects/objects.h"


/*
** Methods by file
*/

SOCK99_HIDDEN extern const luaL_Reg sock99_handle_methods[];     /* every class */
SOCK99_HIDDEN extern const luaL_Reg sock99_handle_metamethods[]; /* every class */
SOCK99_HIDDEN extern const luaL_Reg sock99_socket_methods[];     /* every class */
SOCK99_HIDDEN extern const luaL_Reg sock99_option_methods[];     /* every class */
SOCK99_HIDDEN extern const luaL_Reg sock99_unix_methods[];       /* every class */
SOCK99_HIDDEN extern const luaL_Reg sock99_connection_methods[]; /* streams; socket.c */
SOCK99_HIDDEN extern const luaL_Reg sock99_connect_methods[];    /* streams */
SOCK99_HIDDEN extern const luaL_Reg sock99_stream_methods[];     /* streams */
SOCK99_HIDDEN extern const luaL_Reg sock99_sendfile_methods[];   /* streams */
SOCK99_HIDDEN extern const luaL_Reg sock99_datagram_methods[];   /* datagrams */
SOCK99_HIDDEN extern const luaL_Reg sock99_many_methods[];       /* datagrams */


/*
** class.c
*/

/* A new kind, the list of its metatables, on top of the stack. `faces` are methods
** in the place of native ones. At stack index `words` is a function that says a
** failure in the kind's own words, by code, stage and text: its methods report these,
** and leave out the number and what the failing call was about. */
struct sock99_faces {
  const luaL_Reg *streams, *datagrams;
};
SOCK99_HIDDEN void sock99_new_kind(lua_State *L, int words, const struct sock99_faces *faces);

/* Makes the native kind, unless this Lua state has it already. */
SOCK99_HIDDEN void sock99_register_objects(lua_State *L);


/*
** socket.c
*/

/* When an opening has ended well: the object on top of the stack takes the
** descriptor, and is of the class that follows. */
SOCK99_HIDDEN void sock99_born(lua_State *L, const struct sock99_traits *traits,
                               const socket99_result *result);

/* Functions of the module. */
SOCK99_HIDDEN int sock99_socket(lua_State *L);
SOCK99_HIDDEN int sock99_wrap(lua_State *L);
SOCK99_HIDDEN int sock99_pair(lua_State *L);

/* bind(2), which datagrams call setsockname, too. */
SOCK99_HIDDEN int sock99_bind(lua_State *L);


/*
** connect.c
*/

SOCK99_HIDDEN int sock99_connect(lua_State *L);

/* A hash of the host and port at stack index `first`, as the program has written
** them; 80 is "80". */
SOCK99_HIDDEN uint32_t sock99_destination(lua_State *L, int first);

/* Goes on with a connect under way, to that host and port; pushes the results. */
SOCK99_HIDDEN int sock99_go_on_connecting(lua_State *L, struct sock99_socket *s, int first,
                                          struct sock99_limit *limit);


/*
** datagram.c: messages, and what one of them and many have in common.
*/

struct sock99_message {
  const char *data;
  size_t size;   /* of what is there of it */
  size_t length; /* of the whole message */
  bool is_cut;
  bool wants_from;
  struct s99_address from;
};

SOCK99_HIDDEN struct sock99_socket *sock99_check_datagram(lua_State *L);

/* send and receive of what keeps messages apart (datagrams, SOCK_SEQPACKET). */
SOCK99_HIDDEN int sock99_send_message(lua_State *L, struct sock99_socket *s);
SOCK99_HIDDEN int sock99_receive_message(lua_State *L, struct sock99_socket *s);
SOCK99_HIDDEN int sock99_receivefrom(lua_State *L);
SOCK99_HIDDEN int sock99_sendto(lua_State *L);

/* After a call that could not send: 0 is "again". `addressed`: to anybody else than
** the peer; all zero in `retry` before the first call. */
SOCK99_HIDDEN int sock99_wait_to_send(struct sock99_socket *s, struct sock99_limit *limit,
                                      bool addressed, struct sock99_retry *retry, int error);

/* One message, if there is one, or where there is leave to block; 0 or an errno.
** It lies in `room`, of SOCK99_ROOM_SIZE bytes, or, if it is larger, in a userdata on
** top of the stack. */
SOCK99_HIDDEN int sock99_try_to_receive(lua_State *L, struct sock99_socket *s, int flags,
                                        char *room, struct sock99_message *in);

/* The same, as long as the object's timeouts allow; and into the room that all objects
** share, where it is good until Lua runs, for sock99_push_message. */
SOCK99_HIDDEN int sock99_receive_one(lua_State *L, struct sock99_socket *s, char *room,
                                     struct sock99_message *in);
SOCK99_HIDDEN int sock99_receive_into_room(lua_State *L, struct sock99_socket *s,
                                           struct sock99_message *in);

/* Pushes the first `max` bytes of a message that lies in the shared room. */
SOCK99_HIDDEN void sock99_push_message(lua_State *L, struct sock99_message *in, size_t max);


/*
** stream.c
*/

/* One read's worth more to what is unread, for which there is room for `wanted`
** bytes or more; 0 or an error. */
SOCK99_HIDDEN int sock99_fill(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                              size_t wanted);

/* receive as LuaSocket has it: "*l" ignores every CR, and 0 bytes are waited for. */
SOCK99_HIDDEN int sock99_receive_luasocket(lua_State *L);

#endif
