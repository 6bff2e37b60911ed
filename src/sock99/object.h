/*
** object.h: socket objects; what the rooms that work on them share.
**
** An object is one full userdata from birth to close. What it is at the
** moment (its class) is its metatable; a set of five metatables, one for each
** class, makes a kind of objects, and a change of class picks another one of
** the same set. Methods know an object by its first word, which no program can
** give to a userdata of its own.
**
** Calls carry errors as an int: 0, an errno, or one of the two below.
*/
#ifndef SOCK99_OBJECT_H
#define SOCK99_OBJECT_H

#include "sock99.h"

#include "objects/input.h"

#include "internal.h"

/* The object's own deadline passed: "timeout". */
#define SOCK99_TIMEOUT (-1)
/* The orderly end of a stream, or an object that was closed: "closed". */
#define SOCK99_CLOSED (-2)

/* What an object is; tostring and the field `class` tell its name. */
enum sock99_class {
  SOCK99_MASTER,      /* "tcp{master}": neither connected nor listening */
  SOCK99_CLIENT,      /* "tcp{client}" */
  SOCK99_SERVER,      /* "tcp{server}" */
  SOCK99_CONNECTED,   /* "udp{connected}" */
  SOCK99_UNCONNECTED, /* "udp{unconnected}" */
  SOCK99_CLASS_COUNT
};

/* Classes as a set. */
#define SOCK99_ONLY(class) (1u << (class))
#define SOCK99_STREAMS                                                                             \
  (SOCK99_ONLY(SOCK99_MASTER) | SOCK99_ONLY(SOCK99_CLIENT) | SOCK99_ONLY(SOCK99_SERVER))
#define SOCK99_DATAGRAMS (SOCK99_ONLY(SOCK99_CONNECTED) | SOCK99_ONLY(SOCK99_UNCONNECTED))
#define SOCK99_ANY (SOCK99_STREAMS | SOCK99_DATAGRAMS)

/* Descriptors that came with data and that nobody has claimed yet. */
struct sock99_rights {
  int count, capacity;
  bool truncated; /* there were more, for which the process had no room */
  int fds[];
};

struct sock99_socket {
  const void *mark; /* what tells it from the userdata of others */
  int fd;           /* -1: closed, or not there yet */
  int type;         /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
  int family;       /* AF_INET, AF_INET6, AF_UNIX */
  unsigned char class;
  bool wants_writing;     /* the last call that timed out was sending or connecting */
  bool connecting;        /* a connect that timed out is still under way */
  bool is_nonblocking;    /* O_NONBLOCK was set by us */
  bool stays_nonblocking; /* of accepted connections, too */
  uint32_t destination;   /* of that connect: what told its host and port apart */
  int pending_error;      /* came behind datagrams that were received with it */
  double each_wait;       /* seconds of one wait (timeout mode "b"); negative: forever */
  double whole_call;      /* seconds of a call (mode "t"); negative: forever */
  struct sock99_input input;
  struct sock99_rights *rights;
  uint64_t received, sent; /* bytes */
  double birth;            /* sock99_seconds() */
};


/*
** Birth and class
*/

/* A closed object of this class on top of the stack, of the native kind. */
SOCK99_HIDDEN struct sock99_socket *sock99_new_socket(lua_State *L, enum sock99_class class);

/* The same, of the same kind as the object at `index`. */
SOCK99_HIDDEN struct sock99_socket *sock99_new_sibling(lua_State *L, int index,
                                                       enum sock99_class class);

/* The same of the kind on top of the stack, in its place. */
SOCK99_HIDDEN struct sock99_socket *sock99_new_of_kind(lua_State *L, enum sock99_class class);

/* A new kind, the list of its metatables, on top of the stack. `faces` are methods
** in the place of native ones. At stack index `words` is a table of its own words
** for errors, by number: its methods tell these, and leave out the number and
** what the failing call was about. */
struct sock99_faces {
  const luaL_Reg *streams, *datagrams;
};
SOCK99_HIDDEN void sock99_new_kind(lua_State *L, int words, const struct sock99_faces *faces);

/* Makes the object at `index` one of another class. */
SOCK99_HIDDEN void sock99_set_class(lua_State *L, int index, enum sock99_class class);

/* Takes a descriptor, whose type and family the kernel is asked for, and the
** class that follows; 0, or an errno, and the descriptor is not taken. */
SOCK99_HIDDEN int sock99_adopt(lua_State *L, int index, int fd);

/* Closes the descriptor, and all that came with it. */
SOCK99_HIDDEN void sock99_close_socket(lua_State *L, struct sock99_socket *s);

/* Sets O_NONBLOCK unless it was set by us before; 0 or an errno. */
SOCK99_HIDDEN int sock99_set_nonblocking(struct sock99_socket *s);

/* The same where a timeout is set, before a call that takes no flags. */
SOCK99_HIDDEN int sock99_unblock(struct sock99_socket *s);


/* What a configuration says of the object that comes of it. */
struct sock99_traits {
  socket99_config config; /* its pointers are not to be followed */
  int type;
  bool never_waits;
};

/* Before an opening begins, and when it has ended well: the object on top of
** the stack takes the descriptor. */
SOCK99_HIDDEN void sock99_prepare(socket99_config *config, struct sock99_traits *traits);
SOCK99_HIDDEN void sock99_born(lua_State *L, const struct sock99_traits *traits,
                               const socket99_result *result);


/*
** Arguments
*/

/* NULL where the value at `index` is no socket object. */
SOCK99_HIDDEN struct sock99_socket *sock99_test_socket(lua_State *L, int index);

/* The object at index 1; raises unless it is of one of `classes`, which
** `expected` names ("tcp{client}"). It may be closed. */
SOCK99_HIDDEN struct sock99_socket *sock99_check_socket(lua_State *L, unsigned int classes,
                                                        const char *expected);

/* The object at index 1, of whatever class. */
SOCK99_HIDDEN struct sock99_socket *sock99_check_any(lua_State *L);

/* Whether the value is a number, or its text, that is a port: 0 to 65535. */
SOCK99_HIDDEN bool sock99_is_port(lua_State *L, int index);

/* A number that may be a descriptor; -2: none can be; raises for a fraction. */
SOCK99_HIDDEN lua_Integer sock99_check_whole(lua_State *L, int index);

/* The descriptor that an integer, a socket object, or any object with getfd
** means, -1 for a closed one; raises for all else. */
SOCK99_HIDDEN int sock99_check_fd(lua_State *L, int index);


/* The string at `index`, and the part of it that the two indexes behind it
** mean, as in string.sub: it is empty where *first > *last. */
SOCK99_HIDDEN const char *sock99_check_part(lua_State *L, int index, size_t *first, size_t *last);


/*
** Waiting
*/

/* How long one call may still wait, by the object's two timeouts. */
struct sock99_wait {
  int64_t each; /* nanoseconds of one wait; S99_NEVER: forever */
  int64_t end;  /* on s99_now()'s clock; S99_NEVER: none */
};

/* At the beginning of a call; the object wants nothing yet. */
SOCK99_HIDDEN void sock99_begin_wait(struct sock99_socket *s, struct sock99_wait *wait);

/* Until the descriptor is ready for `events` (POLLIN, POLLOUT), or has an
** error to tell: 0, SOCK99_TIMEOUT, or an errno. */
SOCK99_HIDDEN int sock99_wait_for(struct sock99_socket *s, struct sock99_wait *wait, short events);

/* The same, where nothing has been tried yet: a wait of 0 looks. */
SOCK99_HIDDEN int sock99_look_for(struct sock99_socket *s, struct sock99_wait *wait, short events);

/* The same for what data comes from, or goes to, beside the object's descriptor. */
SOCK99_HIDDEN int sock99_look_at(int fd, struct sock99_wait *wait, short events);

/* poll(2) until then, past signals: how many are ready, or -1 and errno. */
struct pollfd;
SOCK99_HIDDEN int sock99_poll(struct pollfd *polled, size_t count, int64_t end);

/* Whether the time of the whole call has passed, for a call that goes on without
** waiting. One that has no time at all may do what needs no wait. */
SOCK99_HIDDEN bool sock99_is_over(const struct sock99_wait *wait);

/* A wait in short sleeps, for what never says that it has room: a Unix listener
** whose backlog is full, the receiver of a socket that is not connected to it.
** Zero at first, and again after a success: 0, or SOCK99_TIMEOUT. */
struct sock99_retry {
  int64_t end, pause;
};
SOCK99_HIDDEN int sock99_sleep_for_room(struct sock99_socket *s, const struct sock99_wait *wait,
                                        struct sock99_retry *retry);

/* The end of a wait that begins now: 0 has passed, S99_NEVER never does. */
SOCK99_HIDDEN int64_t sock99_wait_end(const struct sock99_wait *wait);
SOCK99_HIDDEN void sock99_sleep_until(int64_t end);

/* The time so many seconds from now; S99_NEVER for negative ones, too. */
SOCK99_HIDDEN int64_t sock99_end_after(double seconds);

/* Milliseconds that the object's timeouts leave for name lookups and the like:
** 0: no limit, as in socket99_config. */
SOCK99_HIDDEN long long sock99_wait_ms(const struct sock99_wait *wait);

SOCK99_HIDDEN bool sock99_has_timeout(const struct sock99_socket *s);

/* MSG_NOSIGNAL, and MSG_DONTWAIT exactly when a timeout is set: O_NONBLOCK is
** shared with every dup of the descriptor, and set and unset under us. */
SOCK99_HIDDEN int sock99_message_flags(const struct sock99_socket *s);

/* Seconds since the Epoch, as gettimeofday(2) tells them. */
SOCK99_HIDDEN double sock99_seconds(void);


/*
** Results
*/

/* What a call returns that has nothing to tell: 1. */
SOCK99_HIDDEN int sock99_push_done(lua_State *L);

/* Pushes the words of an error: "timeout", "closed" (ECONNRESET and EPIPE too),
** or the system's; and its number, nil for an orderly end. */
SOCK99_HIDDEN void sock99_push_error(lua_State *L, int error);
SOCK99_HIDDEN void sock99_push_code(lua_State *L, int error);

/* nil, message, code; for SOCK99_TOLD they are there already. Here and below: they
** return how many there are; a kind with words of its own has no code. */
SOCK99_HIDDEN int sock99_push_errno_failure(lua_State *L, int error);

/* nil, "what: message", code. `what` may be "". */
SOCK99_HIDDEN int sock99_push_call_failure(lua_State *L, const char *call, const char *what,
                                           int error);

/* nil, "bind 127.0.0.1:80: Permission denied", code. */
SOCK99_HIDDEN int sock99_push_address_failure(lua_State *L, const char *call,
                                              const struct s99_address *address, int error);

/* What is on top of the stack is the partial result: nil, message, partial, code. */
SOCK99_HIDDEN int sock99_push_partial(lua_State *L, int error);


/*
** Addresses
*/

/* Pushes what getsockname and its kin return: host, port, "inet" or "inet6";
** or a Unix path ("" for an unnamed one). Returns how many. */
SOCK99_HIDDEN int sock99_push_address(lua_State *L, const struct s99_address *address);

/* Reads (host, port) or, for a Unix object, (path) from `first` on; "*" is
** every address of the object's family. Names are looked up, for as long as
** `wait` allows. 0, SOCK99_TIMEOUT, or an error that was pushed already as
** nil, message, code: then SOCK99_TOLD. */
#define SOCK99_TOLD (-3)
SOCK99_HIDDEN int sock99_read_address(lua_State *L, const struct sock99_socket *s, int first,
                                      struct sock99_wait *wait, struct s99_address *out);


/*
** Rooms: each adds its methods to those of streams or datagrams.
*/

SOCK99_HIDDEN extern const luaL_Reg sock99_life_methods[];       /* socket.c: all classes */
SOCK99_HIDDEN extern const luaL_Reg sock99_connection_methods[]; /* socket.c: streams */
SOCK99_HIDDEN extern const luaL_Reg sock99_option_methods[];     /* option.c: all classes */
SOCK99_HIDDEN extern const luaL_Reg sock99_stream_methods[];     /* stream.c: streams */
SOCK99_HIDDEN extern const luaL_Reg sock99_sendfile_methods[];   /* sendfile.c: streams */
SOCK99_HIDDEN extern const luaL_Reg sock99_datagram_methods[];   /* datagram.c: datagrams */
SOCK99_HIDDEN extern const luaL_Reg sock99_unix_methods[];       /* unix.c: all classes */

/* socket.c: bind(2), which datagrams call setsockname, too; and connect(2). */
SOCK99_HIDDEN int sock99_bind(lua_State *L);
SOCK99_HIDDEN int sock99_connect(lua_State *L);

/* unix.c: recvmsg(2) that keeps the descriptors that come along in s->rights;
** and recv(2) that does, with msg_flags in `*flags`. */
SOCK99_HIDDEN ssize_t sock99_receive_message_rights(struct sock99_socket *s, struct msghdr *message,
                                                    int flags);
SOCK99_HIDDEN ssize_t sock99_receive_rights(struct sock99_socket *s, void *room, size_t size,
                                            int flags);
SOCK99_HIDDEN void sock99_close_rights(struct sock99_socket *s);

/* stream.c: one read's worth more to what is unread, for which there is room for
** `wanted` bytes or more; 0 or an error. */
SOCK99_HIDDEN int sock99_fill(lua_State *L, struct sock99_socket *s, struct sock99_wait *wait,
                              size_t wanted);

/* stream.c: receive as LuaSocket has it: "*l" ignores every CR, and 0 bytes are
** waited for. */
SOCK99_HIDDEN int sock99_receive_luasocket(lua_State *L);

/* datagram.c: receive of what keeps messages apart (datagrams, SOCK_SEQPACKET). */
SOCK99_HIDDEN int sock99_receive_message(lua_State *L, struct sock99_socket *s);
SOCK99_HIDDEN int sock99_send_message(lua_State *L, struct sock99_socket *s);
SOCK99_HIDDEN int sock99_receivefrom(lua_State *L);

#endif
