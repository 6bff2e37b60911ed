/*
** methods.h: methods of objects. Each file defines methods of streams, datagrams
** or all objects; class.c, which knows all of them, makes the metatables.
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

/* Pushes a new kind, the list of its metatables. `overrides` are methods that replace
** native ones. At stack index `messages` is nil or a function that returns the message
** of an error, given its code, stage and text, of which the last two may be nil: the
** kind's methods report these messages, without the code and the call's details. */
struct sock99_overrides {
  const luaL_Reg *streams, *datagrams;
};
SOCK99_HIDDEN void sock99_new_kind(lua_State *L, int messages,
                                   const struct sock99_overrides *overrides);

/* Makes the native kind, unless this Lua state has it already. */
SOCK99_HIDDEN void sock99_register_objects(lua_State *L);


/*
** socket.c
*/

/* Called when an opening has succeeded: gives the descriptor, its class and timeout to
** the object on top of the stack. */
SOCK99_HIDDEN void sock99_finish_opening(lua_State *L, const struct sock99_settings *settings,
                                         const socket99_result *result);

/* Functions of the module. */
SOCK99_HIDDEN int sock99_open_socket(lua_State *L);
SOCK99_HIDDEN int sock99_wrap(lua_State *L);
SOCK99_HIDDEN int sock99_pair(lua_State *L);

/* bind(2); also setsockname of datagrams. */
SOCK99_HIDDEN int sock99_bind(lua_State *L);


/*
** connect.c
*/

SOCK99_HIDDEN int sock99_connect(lua_State *L);

/* A hash of the host and port at stack index `first`, as the program passed them; 80
** equals "80". */
SOCK99_HIDDEN uint32_t sock99_destination(lua_State *L, int first);

/* Continues a connect in progress; `first` is as above. Pushes the results. */
SOCK99_HIDDEN int sock99_continue_connect(lua_State *L, struct sock99_socket *s, int first,
                                          struct sock99_limit *limit);


/*
** datagram.c: messages; shared with many.c.
*/

struct sock99_message {
  const char *data;
  size_t size;   /* bytes received */
  size_t length; /* bytes in the whole message */
  bool is_cut;
  bool wants_from;
  struct s99_address from;
};

SOCK99_HIDDEN struct sock99_socket *sock99_check_datagram(lua_State *L);

/* send and receive for sockets with message boundaries (datagrams, SOCK_SEQPACKET). */
SOCK99_HIDDEN int sock99_send_message(lua_State *L, struct sock99_socket *s);
SOCK99_HIDDEN int sock99_receive_message(lua_State *L, struct sock99_socket *s);
SOCK99_HIDDEN int sock99_receivefrom(lua_State *L);
SOCK99_HIDDEN int sock99_sendto(lua_State *L);

/* Waits after a send that failed with `error`. Returns 0 if it is to be repeated, or an
** error. `addressed`: the destination is not the peer; `*pause` is 0 before the first
** call. */
SOCK99_HIDDEN int sock99_try_to_send_again(lua_State *L, struct sock99_socket *s,
                                           struct sock99_limit *limit, bool addressed,
                                           int64_t *pause, int error);

/* Receives one message; waits for it only if `flags` permit. It is stored in `block`, of
** SOCK99_BLOCK_SIZE bytes, or in a userdata on top of the stack if it is larger. Returns
** 0 or an errno. */
SOCK99_HIDDEN int sock99_try_to_receive(lua_State *L, struct sock99_socket *s, int flags,
                                        char *block, struct sock99_message *in);

/* The same, for as long as the object's limits allow, into the block that all objects
** share, where the message is valid until Lua runs, for sock99_push_message. */
SOCK99_HIDDEN int sock99_receive_into_block(lua_State *L, struct sock99_socket *s,
                                            struct sock99_message *in);

/* Pushes the first `max` bytes of a message in the shared block. */
SOCK99_HIDDEN void sock99_push_message(lua_State *L, struct sock99_message *in, size_t max);


/*
** stream.c
*/

/* Adds the bytes of one read to the input, `*count` of them, with space for at least
** `least` if the input can hold them; none after a wait, since the handler of a signal
** may have read. Returns 0 or an error. */
SOCK99_HIDDEN int sock99_fill(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                              size_t least, size_t *count);

/* receive as in LuaSocket: "*l" ignores every CR, and receive(0) waits for data. */
SOCK99_HIDDEN int sock99_receive_luasocket(lua_State *L);

#endif
