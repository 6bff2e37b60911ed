/*
** values.h: between Lua's values and C's, the ground floor of the module.
**
** failure.c turns errors into results, argument.c reads numbers, errno.c has
** their names, endpoint.c reads and pushes addresses, config.c and
** read_option.c read tables. None of them knows socket objects.
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
** two below; a struct sock99_failure where more is known about it.
*/

/* The object's own deadline passed: "timeout". */
#define SOCK99_TIMEOUT (-1)
/* The orderly end of a stream, or an object that was closed: "closed". */
#define SOCK99_CLOSED (-2)

struct sock99_failure {
  int error;         /* EAI_ where `stage` is "getaddrinfo" */
  const char *call;  /* "bind", put before the reason; NULL: the reason stands alone */
  const char *what;  /* follows the call: an address, a number; NULL: nothing */
  const char *text;  /* the whole message in place of these; NULL: there is none */
  const char *stage; /* the fourth result; NULL: there is none */
  bool has_partial;  /* the partial result is on top of the stack */
};

/* Pushes nil, message, code; nil, message, code, stage; or nil, message, partial, code,
** with the stage behind them if there is one. Returns how many it pushed. An orderly
** end has no code. A kind with its own words reports them, and neither code nor stage. */
SOCK99_HIDDEN int sock99_push_failure(lua_State *L, const struct sock99_failure *failure);

/* The same for an error of which nothing else is known, without and with a partial
** result on top of the stack; and for the failure of an opening. */
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

/* A configuration error, EINVAL, as the result. Returns false. */
SOCK99_HIDDEN bool sock99_refuse(socket99_result *result, const char *format, ...)
    SOCK99_PRINTF(2, 3);


/*
** argument.c. Numbers that stand for integers are taken as text, too ("10"); one
** that has a fraction raises an error with every Lua.
*/

/* Raises an error about an argument; the format is lua_pushfstring's. */
SOCK99_HIDDEN void sock99_raise(lua_State *L, int argument, const char *format,
                                ...) SOCK99_NORETURN;

enum sock99_whole { SOCK99_WHOLE, SOCK99_FRACTION, SOCK99_TOO_LARGE };

/* The number at `index` as an integer, if it is one; NaN counts as a fraction. */
SOCK99_HIDDEN enum sock99_whole sock99_to_whole(lua_State *L, int index, long long *out);

/* The integer at `index`, which the message calls `name`; raises for any other
** value and outside `least` to `most`. */
SOCK99_HIDDEN long long sock99_check_integer(lua_State *L, int index, const char *name,
                                             long long least, long long most);

/* The same; `missing` where the argument is nil or absent. */
SOCK99_HIDDEN long long sock99_opt_integer(lua_State *L, int index, const char *name,
                                           long long least, long long most, long long missing);

/* A number of bytes, `least` or more. */
#define SOCK99_LARGEST_SIZE ((long long)(SIZE_MAX / 4))
SOCK99_HIDDEN size_t sock99_check_size(lua_State *L, int index, const char *name, size_t least);

/* The argument `max`, a number of bytes; SIZE_MAX where it is missing, or more than
** anything has. */
SOCK99_HIDDEN size_t sock99_opt_max(lua_State *L, int index, size_t least);

/* A number that may be a descriptor; -1 where none can be that number. */
SOCK99_HIDDEN int sock99_check_descriptor(lua_State *L, int index);

/* The same; a Lua file and any object with `getfd` mean theirs, too. */
SOCK99_HIDDEN int sock99_check_fd(lua_State *L, int index);

/* The string at `index`, and the part of it that the two indexes behind it
** mean, as in string.sub: it is empty where *first > *last. */
SOCK99_HIDDEN const char *sock99_check_part(lua_State *L, int index, size_t *first, size_t *last);

/* Pushes entry `i` of the list at index `list`, a string or a number; raises for any
** other. */
SOCK99_HIDDEN void sock99_push_entry(lua_State *L, int list, int i);

/* Whether the value is a number, or its text, that is a port: 0 to 65535. */
SOCK99_HIDDEN bool sock99_is_port(lua_State *L, int index);


/* errno.c: pushes sock99.errno. */
SOCK99_HIDDEN void sock99_push_errno(lua_State *L);


/*
** limit.c: how long a call may take, as pure time. Times are nanoseconds on
** s99_now()'s clock; 0 has passed, S99_NEVER never comes.
*/

struct sock99_limit {
  int64_t each; /* nanoseconds of one wait; S99_NEVER: forever */
  int64_t end;  /* of the whole call; S99_NEVER: none */
};

/* Rounded up; S99_NEVER for negative seconds and for centuries. */
SOCK99_HIDDEN int64_t sock99_nanoseconds(double seconds);

/* The time so many seconds from now. */
SOCK99_HIDDEN int64_t sock99_end_after(double seconds);

/* The end of a wait that begins now. */
SOCK99_HIDDEN int64_t sock99_wait_end(const struct sock99_limit *limit);

/* Whether the time of the whole call has passed, for a call that goes on without
** waiting. One that has no time at all may do what needs no wait. */
SOCK99_HIDDEN bool sock99_is_over(const struct sock99_limit *limit);

/* Milliseconds left for a name lookup; 0: no limit, as in socket99_config. */
SOCK99_HIDDEN long long sock99_wait_ms(const struct sock99_limit *limit);

/* poll(2) until then, past signals: how many are ready, or -1 and errno. */
struct pollfd;
SOCK99_HIDDEN int sock99_poll(struct pollfd *polled, size_t count, int64_t end);

SOCK99_HIDDEN void sock99_sleep_until(int64_t end);

/* Seconds since the Epoch, as gettimeofday(2) tells them. */
SOCK99_HIDDEN double sock99_seconds(void);


/*
** endpoint.c
*/

/* Pushes what getsockname and its kin return: host, port, "inet" or "inet6";
** or a Unix path ("" for an unnamed one). Returns how many. */
SOCK99_HIDDEN int sock99_push_address(lua_State *L, const struct s99_address *address);

/* Pushes two values: host, port; or path, nil. */
SOCK99_HIDDEN void sock99_push_origin(lua_State *L, const struct s99_address *from);

/* Reads an address, for a socket of this family and type, from the arguments (host,
** port) or, for AF_UNIX, (path) from `first` on; "*" is every address of the family.
** Of a name, `lookup` says what to look up, as long as the arguments are there. */
enum sock99_endpoint {
  SOCK99_NO_ENDPOINT, /* `failure` says why not */
  SOCK99_ADDRESS,
  SOCK99_NAME
};
SOCK99_HIDDEN enum sock99_endpoint sock99_read_endpoint(lua_State *L, int family, int type,
                                                        int first, struct s99_address *out,
                                                        socket99_config *lookup,
                                                        struct sock99_failure *failure);

/* The address at `place`, from 0 on, of those that a lookup for this family has found. */
SOCK99_HIDDEN void sock99_pick_address(const struct sockaddr_storage *found, size_t count,
                                       int family, size_t place, struct s99_address *out);

/* Reads the address, for a socket of this family and type, from the arguments (host,
** port) or, for AF_UNIX, (path) from `first` on; "*" is every address of the family.
** Names are looked up, for as long as `limit` allows. False: `failure` says why. */
SOCK99_HIDDEN bool sock99_read_address(lua_State *L, int family, int type, int first,
                                       const struct sock99_limit *limit, struct s99_address *out,
                                       struct sock99_failure *failure);


/*
** config.c
*/

/* Options that a table may hold before their list moves to a userdata. */
#define SOCK99_INLINE_OPTIONS 8

/*
** A configuration on its way from Lua to C. Its strings stay on the Lua
** stack above the call's arguments, so it is good until the function that
** read it returns; nothing in it needs to be freed.
*/
struct sock99_request {
  socket99_config config;
  socket99_option *options;
  size_t capacity;
  socket99_option inlined[SOCK99_INLINE_OPTIONS];
};

/*
** Reads the table at stack index 1. True: the request is filled. False: the
** result says which value cannot be. Raises an error for mistakes in the program.
*/
SOCK99_HIDDEN bool sock99_read_config(lua_State *L, struct sock99_request *request,
                                      socket99_result *result);

/* The same for a name lookup: fewer fields, and no port is needed. */
SOCK99_HIDDEN bool sock99_read_lookup(lua_State *L, struct sock99_request *request,
                                      socket99_result *result);

/* The same for sock99.pair, whose table may be missing. */
SOCK99_HIDDEN bool sock99_read_pair(lua_State *L, struct sock99_request *request,
                                    socket99_result *result);


/*
** read_option.c: options as Lua has them, to the C library's.
*/

/* Where an option is read: the argument that an error names, and the stack
** index at which strings are kept until the call ends. What lies there moves
** up, so indices of the values to read count from the top. */
struct sock99_option_place {
  int argument;
  int anchor;
};

/* Keeps the value at `index` alive until the call ends. */
SOCK99_HIDDEN void sock99_anchor(lua_State *L, int anchor, int index);

/* The option's name at `index`, and its kind; raises where no system has it. */
SOCK99_HIDDEN const char *sock99_check_option_name(lua_State *L, int argument, int index, int type,
                                                   int family, enum socket99_kind *kind);

/* The value on top of the stack, as the option's kind has it; of a membership
** one, not a list. Raises for other types. False: the result says why it cannot
** be. */
SOCK99_HIDDEN bool sock99_read_option_value(lua_State *L, const struct sock99_option_place *place,
                                            const char *name, enum socket99_kind kind,
                                            socket99_value *value, socket99_result *result);

/* {level, option, value} on top of the stack; the same. */
SOCK99_HIDDEN bool sock99_read_numbered_option(lua_State *L,
                                               const struct sock99_option_place *place,
                                               socket99_option *option, socket99_result *result);

/* level and option of such a table on top of the stack. */
SOCK99_HIDDEN bool sock99_read_option_number(lua_State *L, const struct sock99_option_place *place,
                                             socket99_option *option, socket99_result *result);

#endif
