/*
** values.h: conversion between Lua values and C values, the lowest layer of
** the module.
**
** failure.c turns errors into results, argument.c reads numbers, errno.c names
** error numbers, endpoint.c reads and pushes addresses, limit.c computes time
** limits, config.c and read_option.c read tables. None of them knows socket
** objects.
*/
#ifndef SOCK99_VALUES_H
#define SOCK99_VALUES_H

#include "system/system.h"

#include "values/compat.h"

#include "internal.h"

#if defined(__GNUC__)
#define SOCK99_HIDDEN __attribute__((visibility("hidden")))
#define SOCK99_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define SOCK99_NORETURN __attribute__((noreturn))
#else
#define SOCK99_HIDDEN
#define SOCK99_PRINTF(text, first)
#define SOCK99_NORETURN
#endif


/*
** failure.c. Within the module an error is an int: 0, an errno, or one of the
** two values below. A struct sock99_failure adds details.
*/

/* The object's timeout expired: "timeout". */
#define SOCK99_TIMEOUT (-1)
/* The peer ended the stream, or the object is closed: "closed". */
#define SOCK99_CLOSED (-2)

struct sock99_failure {
  int error;         /* an EAI_ code if `stage` is "getaddrinfo" */
  const char *call;  /* "bind", put before the reason; NULL: only the reason */
  const char *what;  /* follows the call: an address, a number; or NULL */
  const char *text;  /* the whole message, instead of the two above; or NULL */
  const char *stage; /* the fourth result; or NULL */
  bool has_partial;  /* the partial result is on top of the stack */
};

/* Pushes nil, message, code; nil, message, code, stage; or nil, message, partial, code,
** followed by the stage if there is one. Returns the number of values pushed.
** SOCK99_CLOSED has a nil code. A kind that has its own messages reports those, without
** code and stage. */
SOCK99_HIDDEN int sock99_push_failure(lua_State *L, const struct sock99_failure *failure);

/* The same for an error without details, for one with a partial result on top of the
** stack, and for an opening that failed. */
SOCK99_HIDDEN int sock99_fail(lua_State *L, int error);
SOCK99_HIDDEN int sock99_fail_partial(lua_State *L, int error);
SOCK99_HIDDEN int sock99_fail_result(lua_State *L, const socket99_result *result);

/* nil, "fcntl: Bad file descriptor", code. `what` may be NULL. */
SOCK99_HIDDEN int sock99_fail_call(lua_State *L, const char *call, const char *what, int error);

/* nil, "bind 127.0.0.1:80: Permission denied", code, "bind": the call is a step of an
** opening. `what` may be NULL. */
SOCK99_HIDDEN int sock99_fail_stage(lua_State *L, const char *stage, const char *what, int error);
SOCK99_HIDDEN int sock99_fail_address(lua_State *L, const char *stage,
                                      const struct s99_address *address, int error);

/* The failure of an opening; its message is a string that this pushes. */
SOCK99_HIDDEN void sock99_describe(lua_State *L, const socket99_result *result,
                                   struct sock99_failure *failure);

/* Pushes 1, the result of a call that has no other. */
SOCK99_HIDDEN int sock99_push_done(lua_State *L);

/* Pushes the message of an error alone. */
SOCK99_HIDDEN void sock99_push_reason(lua_State *L, int error);

/* Stores a configuration error, EINVAL, in `result`. Returns false. */
SOCK99_HIDDEN bool sock99_refuse(socket99_result *result, const char *format, ...)
    SOCK99_PRINTF(2, 3);


/*
** argument.c. Integers may also be given as strings ("10"); a number with a
** fraction raises an error in every Lua version.
*/

/* Raises an argument error; the format is that of lua_pushfstring. */
SOCK99_HIDDEN void sock99_raise(lua_State *L, int argument, const char *format,
                                ...) SOCK99_NORETURN;

enum sock99_whole { SOCK99_WHOLE, SOCK99_FRACTION, SOCK99_TOO_LARGE };

/* Converts the number at `index` to an integer, if it is one. NaN counts as a fraction. */
SOCK99_HIDDEN enum sock99_whole sock99_to_whole(lua_State *L, int index, long long *out);

/* Returns the integer at `index`. Raises an error, which calls it `name`, for any other
** value and for one outside `least` to `most`. */
SOCK99_HIDDEN long long sock99_check_integer(lua_State *L, int index, const char *name,
                                             long long least, long long most);

/* The same, but returns `missing` if the argument is nil or absent. */
SOCK99_HIDDEN long long sock99_opt_integer(lua_State *L, int index, const char *name,
                                           long long least, long long most, long long missing);

/* Returns a number of bytes, at least `least`. */
#define SOCK99_LARGEST_SIZE ((long long)(SIZE_MAX / 4))
SOCK99_HIDDEN size_t sock99_check_size(lua_State *L, int index, const char *name, size_t least);

/* Returns the argument `max`, a number of bytes; SIZE_MAX if it is missing or larger
** than any object in memory. */
SOCK99_HIDDEN size_t sock99_opt_max(lua_State *L, int index, size_t least);

/* Returns a descriptor number, or -1 if it is outside the range of descriptors. */
SOCK99_HIDDEN int sock99_check_descriptor(lua_State *L, int index);

/* The same, but also accepts a Lua file or any object that has a method `getfd`. */
SOCK99_HIDDEN int sock99_check_fd(lua_State *L, int index);

/* Returns the string at `index`. The next two arguments select a part of it, as in
** string.sub; the part is empty if *first > *last. */
SOCK99_HIDDEN const char *sock99_check_part(lua_State *L, int index, size_t *first, size_t *last);

/* The same for the two indexes alone, of a string, or a list of strings, so long. */
SOCK99_HIDDEN void sock99_check_range(lua_State *L, int index, size_t length, size_t *first,
                                      size_t *last);

/* Pushes entry `i` of the list at index `list`. Raises an error unless it is a string
** or a number. */
SOCK99_HIDDEN void sock99_push_entry(lua_State *L, int list, int i);

/* Whether the value is a port, 0 to 65535, as a number or as a string. */
SOCK99_HIDDEN bool sock99_is_port(lua_State *L, int index);


/* errno.c: pushes sock99.errno. */
SOCK99_HIDDEN void sock99_push_errno(lua_State *L);


/*
** limit.c: time limits of calls, counted from the beginning of the call. Times are
** nanoseconds on the clock of s99_now(); 0 is in the past, S99_NEVER is never reached.
*/

/* The clock is read when a call first waits, or goes on without waiting: before that
** no time has passed. */
struct sock99_limit {
  int64_t duration; /* nanoseconds; 0: the call never waits; S99_NEVER: no limit */
  int64_t end;      /* 0 until the clock was read */
  uint64_t bytes;   /* moved by a call that never waits */
};

/* A call that never waits ends once it has moved so many bytes. */
#define SOCK99_MOST_AT_ONCE ((size_t)1024 * 1024)

/* Rounds up. Returns S99_NEVER for negative seconds and for centuries. */
SOCK99_HIDDEN int64_t sock99_nanoseconds(double seconds);

/* Returns the time `seconds` from now. */
SOCK99_HIDDEN int64_t sock99_end_after(double seconds);

/* Returns when the call must end. */
SOCK99_HIDDEN int64_t sock99_limit_end(struct sock99_limit *limit);

/* Whether a call must end that has just moved so many bytes and has more to do. */
SOCK99_HIDDEN bool sock99_is_over(struct sock99_limit *limit, size_t bytes);

/* Returns the milliseconds left for a name lookup; 0: no limit, as in socket99_config. */
SOCK99_HIDDEN long long sock99_limit_ms(struct sock99_limit *limit);

/* poll(2) until `end`. Returns how many are ready, 0 when the time is over, or -1 and
** errno: EINTR after the handlers of a signal have run. */
struct pollfd;
SOCK99_HIDDEN int sock99_poll(lua_State *L, struct pollfd *polled, size_t count, int64_t end);

SOCK99_HIDDEN void sock99_sleep_until(lua_State *L, int64_t end);

/* Runs the handlers of signals that came, which Lua keeps as hooks: any error that
** one raises comes out of it. */
SOCK99_HIDDEN void sock99_run_hooks(lua_State *L);

/* socket99_open and socket99_resolve. When a signal interrupts their waits, the handlers
** run as in sock99_run_hooks. */
SOCK99_HIDDEN bool sock99_open_now(lua_State *L, const socket99_config *config,
                                   socket99_result *result);
SOCK99_HIDDEN bool sock99_find_addresses(lua_State *L, const socket99_config *config,
                                         socket99_result *result,
                                         struct sockaddr_storage **addresses, size_t *count);

/* Returns seconds since the Epoch, from gettimeofday(2). */
SOCK99_HIDDEN double sock99_seconds(void);


/*
** endpoint.c
*/

/* Pushes host, port, "inet" or "inet6"; or a Unix path ("" for an unnamed socket), as
** getsockname returns them. Returns the number of values pushed. */
SOCK99_HIDDEN int sock99_push_endpoint(lua_State *L, const struct s99_address *address);

/* Pushes the sender's address as two values: host, port; or path, nil. */
SOCK99_HIDDEN void sock99_push_sender(lua_State *L, const struct s99_address *from);

/* Reads an address for a socket of this family and type from the arguments at `first`:
** host and port or, for AF_UNIX, path. "*" is the wildcard address of the family. For a
** name, `lookup` describes the lookup that it needs; it is valid while the arguments are
** on the stack. */
enum sock99_endpoint {
  SOCK99_NO_ENDPOINT, /* `failure` says why */
  SOCK99_ADDRESS,
  SOCK99_NAME
};
SOCK99_HIDDEN enum sock99_endpoint sock99_read_endpoint(lua_State *L, int family, int type,
                                                        int first, struct s99_address *out,
                                                        socket99_config *lookup,
                                                        struct sock99_failure *failure);

/* One of the addresses that a lookup for this family has found, by its place from 0 on.
** For an IPv6 socket, IPv4 addresses come last, and are mapped. */
SOCK99_HIDDEN void sock99_pick_address(const struct sockaddr_storage *found, size_t count,
                                       int family, size_t place, struct s99_address *out);

/* Reads an address as above. Names are looked up for as long as `limit` allows. Returns
** false and sets `failure` on error. */
SOCK99_HIDDEN bool sock99_read_address(lua_State *L, int family, int type, int first,
                                       struct sock99_limit *limit, struct s99_address *out,
                                       struct sock99_failure *failure);


/*
** config.c
*/

/* Number of options stored inline; a longer list moves to a userdata. */
#define SOCK99_INLINE_OPTIONS 8

/*
** A configuration converted from a Lua table. Its strings stay on the Lua stack
** above the call's arguments, so it is valid until the function that read it
** returns; nothing in it needs to be freed.
*/
struct sock99_request {
  socket99_config config;
  socket99_option *options;
  size_t capacity;
  socket99_option inlined[SOCK99_INLINE_OPTIONS];
};

/*
** Fills `request` from the table at stack index 1. Returns false and sets `result` if
** a value is invalid. Raises an error for mistakes in the program.
*/
SOCK99_HIDDEN bool sock99_read_config(lua_State *L, struct sock99_request *request,
                                      socket99_result *result);

/* The same for a name lookup, which has fewer fields and needs no port. */
SOCK99_HIDDEN bool sock99_read_lookup(lua_State *L, struct sock99_request *request,
                                      socket99_result *result);

/* The same for sock99.pair, whose table is optional. */
SOCK99_HIDDEN bool sock99_read_pair(lua_State *L, struct sock99_request *request,
                                    socket99_result *result);


/*
** read_option.c: socket options from Lua values to socket99_option.
*/

/* The argument that an error names, and the stack index at which strings are kept until
** the call ends. Inserting there moves the values above it up, so their indices count
** from the top. */
struct sock99_option_place {
  int argument;
  int anchor;
};

/* Keeps the value at `index` alive until the call ends. */
SOCK99_HIDDEN void sock99_anchor(lua_State *L, int anchor, int index);

/* Returns the option's name at `index` and sets its kind. Raises an error if no system
** has an option of that name. */
SOCK99_HIDDEN const char *sock99_check_option_name(lua_State *L, int argument, int index, int type,
                                                   int family, enum socket99_kind *kind);

/* Whether the option can be read and never set. */
SOCK99_HIDDEN bool sock99_is_read_only_option(const char *name);

/* Reads the value on top of the stack according to the option's kind; a membership is
** a single one, not a list. Raises an error for other types. Returns false and sets
** `result` if the value is invalid. */
SOCK99_HIDDEN bool sock99_read_option_value(lua_State *L, const struct sock99_option_place *place,
                                            const char *name, enum socket99_kind kind,
                                            socket99_value *value, socket99_result *result);

/* The same for a table {level, option, value} on top of the stack. */
SOCK99_HIDDEN bool sock99_read_numbered_option(lua_State *L,
                                               const struct sock99_option_place *place,
                                               socket99_option *option, socket99_result *result);

/* The same for only the level and option of such a table. */
SOCK99_HIDDEN bool sock99_read_option_number(lua_State *L, const struct sock99_option_place *place,
                                             socket99_option *option, socket99_result *result);

#endif
