/*
** objects.h: the socket object, and what all its methods need.
**
** An object is the same full userdata from creation to close. Its metatable
** determines its class. A kind is a set of five metatables, one for each class;
** a change of class selects another metatable of the same kind. Methods recognise
** an object by its first word, which a program cannot write into another userdata.
*/
#ifndef SOCK99_OBJECTS_H
#define SOCK99_OBJECTS_H

#include "values/values.h"

#include "input.h"

/* The class of an object. Its name is in tostring and in the field `class`. */
enum sock99_class {
  SOCK99_MASTER,      /* "tcp{master}": neither connected nor listening */
  SOCK99_CLIENT,      /* "tcp{client}" */
  SOCK99_SERVER,      /* "tcp{server}" */
  SOCK99_CONNECTED,   /* "udp{connected}" */
  SOCK99_UNCONNECTED, /* "udp{unconnected}" */
  SOCK99_CLASS_COUNT
};

SOCK99_HIDDEN extern const char *const sock99_class_names[SOCK99_CLASS_COUNT];

/* Sets of classes. */
#define SOCK99_ONLY(class) (1u << (class))
#define SOCK99_STREAMS                                                                             \
  (SOCK99_ONLY(SOCK99_MASTER) | SOCK99_ONLY(SOCK99_CLIENT) | SOCK99_ONLY(SOCK99_SERVER))
#define SOCK99_DATAGRAMS (SOCK99_ONLY(SOCK99_CONNECTED) | SOCK99_ONLY(SOCK99_UNCONNECTED))
#define SOCK99_ANY (SOCK99_STREAMS | SOCK99_DATAGRAMS)

/* Descriptors that were received with data and not yet requested. */
struct sock99_rights {
  int count;      /* at most SOCK99_MOST_FDS */
  bool truncated; /* some could not be received, and are lost */
  int fds[];
};

struct sock99_socket {
  const void *mark;               /* distinguishes it from other userdata */
  struct sock99_pending *pending; /* a connect to a name in progress; or NULL */
  int fd;                         /* -1: closed, or not opened yet */
  unsigned char type;             /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
  unsigned char family;           /* AF_INET, AF_INET6, AF_UNIX */
  unsigned char class;
  bool wants_writing : 1;     /* the last call that timed out was sending or connecting */
  bool is_connecting : 1;     /* no call has returned the result of connecting `fd` yet */
  bool is_nonblocking : 1;    /* we set O_NONBLOCK */
  bool stays_nonblocking : 1; /* also for accepted connections */
  uint32_t destination;       /* of a connect in progress: a hash of its host and port */
  int pending_error;          /* occurred after a batch of datagrams; the next call reports it */
  double each_wait;           /* seconds for one wait (timeout mode "b"); negative: no limit */
  double whole_call;          /* seconds for a whole call (mode "t"); negative: no limit */
  struct sock99_input input;
  struct sock99_rights *rights;
  struct sockaddr *peer;   /* of an accepted connection over IP, from accept(2) */
  uint64_t received, sent; /* bytes */
  double created;          /* sock99_seconds() */
};


/*
** pending.c: openings, and objects whose opening has not yet produced a descriptor;
** their `fd` is -1.
*/

/* The parts of a configuration that determine the resulting object. */
struct sock99_settings {
  socket99_config config; /* its pointers are no longer valid */
  int type;
  bool never_waits;
};

/* An opening and the settings of the resulting object. */
struct sock99_opening {
  socket99_opening *running; /* NULL: cancelled */
  struct sock99_settings settings;
};

/* Called before an opening starts; makes listeners non-blocking in `config`. */
SOCK99_HIDDEN void sock99_derive_settings(socket99_config *config,
                                          struct sock99_settings *settings);

/* Gives the descriptor of a successful opening to the object. */
SOCK99_HIDDEN void sock99_adopt_result(struct sock99_socket *s,
                                       const struct sock99_settings *settings,
                                       const socket99_result *result);
SOCK99_HIDDEN void sock99_cancel(struct sock99_opening *opening);

/* The first starts to open the socket that `config` describes, for an object without a
** descriptor. The second starts to look up its host and port, for an object that has a
** descriptor. Both return false and set `result` on failure. */
SOCK99_HIDDEN bool sock99_begin_race(struct sock99_socket *s, const socket99_config *config,
                                     const struct sock99_settings *settings,
                                     socket99_result *result);
SOCK99_HIDDEN bool sock99_begin_lookup(struct sock99_socket *s, const socket99_config *config,
                                       socket99_result *result);

/* Both end an opening in any state. The second keeps the opening's descriptor open if an
** event loop may still watch it. */
SOCK99_HIDDEN void sock99_end_pending(struct sock99_socket *s);
SOCK99_HIDDEN void sock99_close_pending(struct sock99_socket *s);

/* Whether the object is connecting to a name, or has failed to and not reported it. */
SOCK99_HIDDEN bool sock99_has_opening(const struct sock99_socket *s);

static inline bool sock99_is_pending(const struct sock99_socket *s) {
  return s->fd < 0 && s->pending != NULL && sock99_has_opening(s);
}

/* Continues as far as possible without waiting. */
SOCK99_HIDDEN void sock99_step(struct sock99_socket *s);

/* Continues until it has succeeded or failed. Returns 0 or SOCK99_TIMEOUT. */
SOCK99_HIDDEN int sock99_await(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit);

/* Waits for the lookup, as long as it takes, and commits to one attempt to connect. The
** object then has its descriptor, or has failed. */
SOCK99_HIDDEN void sock99_settle(lua_State *L, struct sock99_socket *s);

/* Whether it has failed; and the failure, which is reported once. The object then gets
** back the descriptor that it had before, or has none. */
SOCK99_HIDDEN bool sock99_has_failed(const struct sock99_socket *s);
SOCK99_HIDDEN bool sock99_take_failure(struct sock99_socket *s, socket99_result *failure);

/* Methods that need a connection call this first: it waits until the object has its
** descriptor, for as long as `limit` allows. If it gets none, it returns false and sets
** `failure`, whose text is a string pushed on the stack. */
SOCK99_HIDDEN bool sock99_await_descriptor(lua_State *L, struct sock99_socket *s,
                                           struct sock99_limit *limit,
                                           struct sock99_failure *failure);

static inline bool sock99_has_descriptor(lua_State *L, struct sock99_socket *s,
                                         struct sock99_limit *limit,
                                         struct sock99_failure *failure) {
  return s->fd >= 0 || sock99_await_descriptor(L, s, limit, failure);
}

/* The object's descriptor, connected or not; -1: none. */
SOCK99_HIDDEN int sock99_descriptor(const struct sock99_socket *s);

/* Removes the descriptor from the object without closing it. */
SOCK99_HIDDEN void sock99_release_descriptor(struct sock99_socket *s);

/* The descriptor to poll, and the events. The second is for event loops, which may
** remember the descriptor. */
SOCK99_HIDDEN int sock99_poll_target(const struct sock99_socket *s, short *events);
SOCK99_HIDDEN int sock99_pollfd(struct sock99_socket *s);

/* Sets an option on the object's descriptor `fd`; 0 or an errno. `*constant` is the
** name tried last; NULL: see s99_option_apply. */
SOCK99_HIDDEN int sock99_apply_option(const struct sock99_socket *s, int fd,
                                      const socket99_option *option, const char **constant);

/* Keeps an option for the descriptor that the race will produce. Returns 0 or ENOMEM. */
SOCK99_HIDDEN int sock99_keep_option(struct sock99_socket *s, const socket99_option *option);

/* connect(2): returns 0, an errno, or EINPROGRESS; and the result of a connect that was
** in progress. */
SOCK99_HIDDEN int sock99_start_connect(int fd, const struct s99_address *peer);
SOCK99_HIDDEN int sock99_connect_error(int fd);


/*
** object.c: creation, class, descriptor, close
*/

/* Pushes a new object of this class and of the native kind, without a descriptor. */
SOCK99_HIDDEN struct sock99_socket *sock99_new_socket(lua_State *L, enum sock99_class class);

/* The same, but of the kind of the object at `index`. */
SOCK99_HIDDEN struct sock99_socket *sock99_new_sibling(lua_State *L, int index,
                                                       enum sock99_class class);

/* The same, but of the kind on top of the stack, which it replaces. */
SOCK99_HIDDEN struct sock99_socket *sock99_new_of_kind(lua_State *L, enum sock99_class class);

/* Stores the kind on top of the stack, a list of metatables by class, in the metatable
** below it. */
SOCK99_HIDDEN void sock99_add_to_kind(lua_State *L);

/* Whether this Lua state has the native kind; and pops a kind and makes it the native
** one. */
SOCK99_HIDDEN bool sock99_has_native_kind(lua_State *L);
SOCK99_HIDDEN void sock99_set_native_kind(lua_State *L);

/* Keeps the address that accept(2) returned: the kernel forgets it when the client resets
** the connection. It is kept until the class changes or the descriptor is closed, and not
** at all without memory. */
SOCK99_HIDDEN void sock99_keep_peer(struct sock99_socket *s, const struct s99_address *peer);
SOCK99_HIDDEN bool sock99_kept_peer(const struct sock99_socket *s, struct s99_address *peer);

/* Changes the class of the object at `index`. */
SOCK99_HIDDEN void sock99_set_class(lua_State *L, int index, enum sock99_class class);

/* Gives a descriptor to the object at `index`. The kernel reports its type and family,
** from which the class follows. Returns 0, or an errno if it was not adopted. */
SOCK99_HIDDEN int sock99_adopt(lua_State *L, int index, int fd);

/* Closes the descriptor, drops unread bytes and closes received descriptors. */
SOCK99_HIDDEN void sock99_close_socket(lua_State *L, struct sock99_socket *s);

/* The same, but keeps unread bytes and received descriptors. */
SOCK99_HIDDEN void sock99_close_descriptor(struct sock99_socket *s);

/* The same from the object's finalizer; other finalizers may still use the object. */
SOCK99_HIDDEN void sock99_finalize_socket(lua_State *L, struct sock99_socket *s);

/* Sets O_NONBLOCK unless we have already set it. Returns 0 or an errno. */
SOCK99_HIDDEN int sock99_set_nonblocking(struct sock99_socket *s);

/* The same if a timeout is set, before a system call without flags. */
SOCK99_HIDDEN int sock99_unblock(struct sock99_socket *s);

/* Returns the object at `index`, or NULL if it is not a socket object. */
SOCK99_HIDDEN struct sock99_socket *sock99_test_socket(lua_State *L, int index);

/* Returns the object at index 1, which may be closed. Raises an error unless its class
** is in the set `classes`, which `expected` names ("tcp{client}"). */
SOCK99_HIDDEN struct sock99_socket *sock99_check_socket(lua_State *L, unsigned int classes,
                                                        const char *expected);

/* The same for any class. */
SOCK99_HIDDEN struct sock99_socket *sock99_check_any(lua_State *L);


/*
** wait.c. A wait may run handlers of signals, in Lua: they may close the object, read
** from it, or raise an error that leaves the call. So a caller must not hold anything
** across a wait that only the caller can release.
*/

/* Begins a call: the nearer of the object's two timeouts is its limit. */
static inline void sock99_begin_wait(struct sock99_socket *s, struct sock99_limit *limit) {
  s->wants_writing = false;
  limit->duration = S99_NEVER;
  limit->end = 0;
  limit->bytes = 0;
  if (s->each_wait >= 0)
    limit->duration = sock99_nanoseconds(s->each_wait);
  if (s->whole_call >= 0 && (s->each_wait < 0 || s->whole_call < s->each_wait))
    limit->duration = sock99_nanoseconds(s->whole_call);
}

/* Handles a system call that failed with `error`: waits until the descriptor is ready
** for `events` (POLLIN, POLLOUT) if the call would have blocked. Returns 0 to try again,
** else SOCK99_TIMEOUT, SOCK99_CLOSED or an errno. */
SOCK99_HIDDEN int sock99_try_again(lua_State *L, struct sock99_socket *s,
                                   struct sock99_limit *limit, short events, int error);

/* Waits before the first attempt: with a timeout of 0 it polls once. */
SOCK99_HIDDEN int sock99_wait_for(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                                  short events);

/* The same for another descriptor, such as the file being sent; 0 after a signal, too. */
SOCK99_HIDDEN int sock99_wait_for_fd(lua_State *L, int fd, struct sock99_limit *limit,
                                     short events);

/* Sleeps briefly before a retry, where poll(2) cannot wait for free space: in the full
** backlog of a Unix listener, or in the queue of a receiver that the socket is not
** connected to. `*pause` is 0 at first, and again after a success. Returns 0 or an
** error. */
SOCK99_HIDDEN int sock99_sleep_to_retry(lua_State *L, struct sock99_socket *s,
                                        struct sock99_limit *limit, int64_t *pause);

static inline bool sock99_has_timeout(const struct sock99_socket *s) {
  return s->each_wait >= 0 || s->whole_call >= 0;
}

/* Returns MSG_NOSIGNAL, and MSG_DONTWAIT if and only if a timeout is set: O_NONBLOCK is
** shared with all duplicates of the descriptor, so others may change it. */
static inline int sock99_message_flags(const struct sock99_socket *s) {
  return SOCK99_MSG_NOSIGNAL | (sock99_has_timeout(s) ? MSG_DONTWAIT : 0);
}


/*
** rights.c: recvmsg(2) and recv(2) that store received descriptors in s->rights.
*/
SOCK99_HIDDEN ssize_t sock99_receive_message_rights(struct sock99_socket *s, struct msghdr *message,
                                                    int flags);
SOCK99_HIDDEN ssize_t sock99_receive_rights(struct sock99_socket *s, void *buffer, size_t size,
                                            int flags);

/* Frees s->rights if it holds nothing. */
SOCK99_HIDDEN void sock99_release_rights(struct sock99_socket *s);
SOCK99_HIDDEN void sock99_close_rights(struct sock99_socket *s);

/* Descriptors that one message can carry (SCM_MAX_FD of Linux). */
#define SOCK99_MOST_FDS 253

/* Ancillary data: these descriptors, and whatever else options make a socket receive:
** credentials, security labels, timestamps. */
union sock99_control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(SOCK99_MOST_FDS * sizeof(int)) + 512];
};


/* select.c, activation.c: functions of the module. */
SOCK99_HIDDEN int sock99_select(lua_State *L);
SOCK99_HIDDEN int sock99_listen_fds(lua_State *L);

#endif
