/*
** objects.h: what a socket object is, and what every method of one needs.
**
** An object is one full userdata from birth to close. What it is at the
** moment (its class) is its metatable; a set of five metatables, one for each
** class, makes a kind of objects, and a change of class picks another one of
** the same set. Methods know an object by its first word, which no program can
** give to a userdata of its own.
*/
#ifndef SOCK99_OBJECTS_H
#define SOCK99_OBJECTS_H

#include "values/values.h"

#include "input.h"

/* What an object is; tostring and the field `class` tell its name. */
enum sock99_class {
  SOCK99_MASTER,      /* "tcp{master}": neither connected nor listening */
  SOCK99_CLIENT,      /* "tcp{client}" */
  SOCK99_SERVER,      /* "tcp{server}" */
  SOCK99_CONNECTED,   /* "udp{connected}" */
  SOCK99_UNCONNECTED, /* "udp{unconnected}" */
  SOCK99_CLASS_COUNT
};

SOCK99_HIDDEN extern const char *const sock99_class_names[SOCK99_CLASS_COUNT];

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
  const void *mark;               /* what tells it from the userdata of others */
  struct sock99_pending *pending; /* NULL: it connects to no name */
  int fd;                         /* -1: closed, or not there yet */
  unsigned char type;             /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
  unsigned char family;           /* AF_INET, AF_INET6, AF_UNIX */
  unsigned char class;
  bool wants_writing;     /* the last call that timed out was sending or connecting */
  bool is_connecting;     /* the connect of `fd` is under way, or was not told to be over */
  bool is_nonblocking;    /* O_NONBLOCK was set by us */
  bool stays_nonblocking; /* of accepted connections, too */
  uint32_t destination;   /* of a connect under way: a hash of its host and port */
  int pending_error;      /* came behind datagrams that were received with it */
  double each_wait;       /* seconds of one wait (timeout mode "b"); negative: forever */
  double whole_call;      /* seconds of a call (mode "t"); negative: forever */
  struct sock99_input input;
  struct sock99_rights *rights;
  uint64_t received, sent; /* bytes */
  double birth;            /* sock99_seconds() */
};


/*
** pending.c: openings, and objects that have one until they have their descriptor.
** Such an object's `fd` is -1.
*/

/* What a configuration says of the object that comes of it. */
struct sock99_traits {
  socket99_config config; /* its pointers are not to be followed */
  int type;
  bool never_waits;
};

/* An opening, and what comes of it. */
struct sock99_opening {
  socket99_opening *running; /* NULL: it was cancelled */
  struct sock99_traits traits;
};

/* Before an opening begins. */
SOCK99_HIDDEN void sock99_prepare(socket99_config *config, struct sock99_traits *traits);

/* The descriptor of an opening that has ended well becomes the object's. */
SOCK99_HIDDEN void sock99_take_result(struct sock99_socket *s, const struct sock99_traits *traits,
                                      const socket99_result *result);
SOCK99_HIDDEN void sock99_cancel(struct sock99_opening *opening);

/* Begin to open what `config` describes, for an object without a descriptor; and to
** look up the host and port in it, for one that has a descriptor and no limit to wait
** without. False: `result` says why not. */
SOCK99_HIDDEN bool sock99_begin_race(struct sock99_socket *s, const socket99_config *config,
                                     const struct sock99_traits *traits, socket99_result *result);
SOCK99_HIDDEN bool sock99_begin_lookup(struct sock99_socket *s, const socket99_config *config,
                                       socket99_result *result);

/* Ends it in any state; the second where a loop of the program's may still watch the
** opening's descriptor, which then stays open. */
SOCK99_HIDDEN void sock99_end_pending(struct sock99_socket *s);
SOCK99_HIDDEN void sock99_close_pending(struct sock99_socket *s);

/* Whether the object still connects to a name, or has failed to and not told it. */
SOCK99_HIDDEN bool sock99_has_opening(const struct sock99_socket *s);

static inline bool sock99_is_pending(const struct sock99_socket *s) {
  return s->fd < 0 && s->pending != NULL && sock99_has_opening(s);
}

/* Goes on as far as it gets without waiting. */
SOCK99_HIDDEN void sock99_step(struct sock99_socket *s);

/* Goes on until it has ended, well or not: 0, SOCK99_TIMEOUT, or an errno. */
SOCK99_HIDDEN int sock99_await(struct sock99_socket *s, const struct sock99_limit *limit);

/* Waits for the lookup, as long as it takes, and stays with one attempt to connect:
** the object has its descriptor then, or has failed. */
SOCK99_HIDDEN void sock99_settle(struct sock99_socket *s);

/* The failure that ended it, which is told once. The object has the descriptor then
** that it had before, or none. */
SOCK99_HIDDEN bool sock99_has_failed(const struct sock99_socket *s);
SOCK99_HIDDEN bool sock99_take_failure(struct sock99_socket *s, socket99_result *failure);

/* At the head of a method that needs a connection: whether the object has its
** descriptor, for which it waits as long as its timeouts allow. False: `failure` says
** why not; its text is a string that this pushes. */
SOCK99_HIDDEN bool sock99_arrive(lua_State *L, struct sock99_socket *s,
                                 struct sock99_failure *failure);

static inline bool sock99_has_descriptor(lua_State *L, struct sock99_socket *s,
                                         struct sock99_failure *failure) {
  return s->fd >= 0 || sock99_arrive(L, s, failure);
}

/* The descriptor that the object has, connected or not; -1: none. */
SOCK99_HIDDEN int sock99_descriptor(const struct sock99_socket *s);

/* The object has none any more; it is not closed. */
SOCK99_HIDDEN void sock99_release_descriptor(struct sock99_socket *s);

/* What to poll, and for which events. For a loop of the program's: it may remember
** the descriptor. */
SOCK99_HIDDEN int sock99_watched(const struct sock99_socket *s, short *events);
SOCK99_HIDDEN int sock99_pollfd(struct sock99_socket *s);

/* Sets an option on the object's descriptor `fd`; 0 or an errno. */
SOCK99_HIDDEN int sock99_apply_option(const struct sock99_socket *s, int fd,
                                      const socket99_option *option);

/* Keeps an option for the descriptor that a race will bring; 0 or ENOMEM. */
SOCK99_HIDDEN int sock99_keep_option(struct sock99_socket *s, const socket99_option *option);

/* connect(2): 0, an errno, or EINPROGRESS; and how that has ended. */
SOCK99_HIDDEN int sock99_start_connect(int fd, const struct s99_address *peer);
SOCK99_HIDDEN int sock99_connect_error(int fd);


/*
** object.c: birth, class, descriptor, end
*/

/* A closed object of this class on top of the stack, of the native kind. */
SOCK99_HIDDEN struct sock99_socket *sock99_new_socket(lua_State *L, enum sock99_class class);

/* The same, of the same kind as the object at `index`. */
SOCK99_HIDDEN struct sock99_socket *sock99_new_sibling(lua_State *L, int index,
                                                       enum sock99_class class);

/* The same of the kind on top of the stack, in its place. */
SOCK99_HIDDEN struct sock99_socket *sock99_new_of_kind(lua_State *L, enum sock99_class class);

/* A kind, the list of its metatables by class, is on top of the stack, the metatable
** of one class below it: objects that wear it are of that kind. */
SOCK99_HIDDEN void sock99_join_kind(lua_State *L);

SOCK99_HIDDEN bool sock99_has_native_kind(lua_State *L);

/* The list on top of the stack becomes the native kind. */
SOCK99_HIDDEN void sock99_set_native_kind(lua_State *L);

/* Makes the object at `index` one of another class. */
SOCK99_HIDDEN void sock99_set_class(lua_State *L, int index, enum sock99_class class);

/* Takes a descriptor, whose type and family the kernel is asked for, and the
** class that follows; 0, or an errno, and the descriptor is not taken. */
SOCK99_HIDDEN int sock99_adopt(lua_State *L, int index, int fd);

/* Closes the descriptor, and all that came with it. */
SOCK99_HIDDEN void sock99_close_socket(lua_State *L, struct sock99_socket *s);

/* The same, once Lua has collected the object, which finalizers may still use. */
SOCK99_HIDDEN void sock99_bury_socket(lua_State *L, struct sock99_socket *s);

/* Sets O_NONBLOCK unless it was set by us before; 0 or an errno. */
SOCK99_HIDDEN int sock99_set_nonblocking(struct sock99_socket *s);

/* The same where a timeout is set, before a call that takes no flags. */
SOCK99_HIDDEN int sock99_unblock(struct sock99_socket *s);

/* NULL where the value at `index` is no socket object. */
SOCK99_HIDDEN struct sock99_socket *sock99_test_socket(lua_State *L, int index);

/* The object at index 1; raises unless it is of one of `classes`, which
** `expected` names ("tcp{client}"). It may be closed. */
SOCK99_HIDDEN struct sock99_socket *sock99_check_socket(lua_State *L, unsigned int classes,
                                                        const char *expected);

/* The object at index 1, of whatever class. */
SOCK99_HIDDEN struct sock99_socket *sock99_check_any(lua_State *L);


/*
** wait.c
*/

/* At the beginning of a call; the object wants nothing yet. */
SOCK99_HIDDEN void sock99_begin_wait(struct sock99_socket *s, struct sock99_limit *limit);

/* Until the descriptor is ready for `events` (POLLIN, POLLOUT), or has an
** error to report: 0, SOCK99_TIMEOUT, or an errno. */
SOCK99_HIDDEN int sock99_wait_for(struct sock99_socket *s, struct sock99_limit *limit,
                                  short events);

/* The same, where nothing has been tried yet: a wait of 0 looks. */
SOCK99_HIDDEN int sock99_look_for(struct sock99_socket *s, struct sock99_limit *limit,
                                  short events);

/* The same for another descriptor, such as the file being sent. */
SOCK99_HIDDEN int sock99_look_at(int fd, struct sock99_limit *limit, short events);

/* A wait in short sleeps, for what never says that it has room: a Unix listener
** whose backlog is full, the receiver of a socket that is not connected to it.
** Zero at first, and again after a success: 0, or SOCK99_TIMEOUT. */
struct sock99_retry {
  int64_t end, pause;
};
SOCK99_HIDDEN int sock99_sleep_for_room(struct sock99_socket *s, const struct sock99_limit *limit,
                                        struct sock99_retry *retry);

SOCK99_HIDDEN bool sock99_has_timeout(const struct sock99_socket *s);

/* MSG_NOSIGNAL, and MSG_DONTWAIT exactly when a timeout is set: O_NONBLOCK is
** shared with every dup of the descriptor, and set and unset under us. */
SOCK99_HIDDEN int sock99_message_flags(const struct sock99_socket *s);


/*
** rights.c: recvmsg(2) that keeps the descriptors that come along in s->rights;
** and recv(2) that does.
*/
SOCK99_HIDDEN ssize_t sock99_receive_message_rights(struct sock99_socket *s, struct msghdr *message,
                                                    int flags);
SOCK99_HIDDEN ssize_t sock99_receive_rights(struct sock99_socket *s, void *room, size_t size,
                                            int flags);

/* An object without unclaimed descriptors holds no room for them. */
SOCK99_HIDDEN void sock99_release_rights(struct sock99_socket *s);
SOCK99_HIDDEN void sock99_close_rights(struct sock99_socket *s);

/* What one message may carry (SCM_MAX_FD of Linux). */
#define SOCK99_MOST_FDS 253

/* Room for that, and for what else a socket may be set to tell along with it:
** credentials, security labels, times. */
union sock99_control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(SOCK99_MOST_FDS * sizeof(int)) + 512];
};


/* select.c, activation.c: functions of the module. */
SOCK99_HIDDEN int sock99_select(lua_State *L);
SOCK99_HIDDEN int sock99_listen_fds(lua_State *L);

#endif
