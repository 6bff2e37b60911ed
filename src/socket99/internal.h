/*
** internal.h: declarations that the files of the C library share.
**
** open.c calls config.c (check), resolver.c and inquiry.c (candidates), race.c
** with attempt.c, or listener.c (a descriptor), and error.c (a result). Calls
** between files only go down, never back up.
*/
#ifndef SOCKET99_INTERNAL_H
#define SOCKET99_INTERNAL_H

#include "platform.h"

#include "socket99.h"

#include <poll.h>
#include <stdint.h>

/* Times are nanoseconds of s99_now()'s clock; S99_NEVER is later than any. */
#define S99_NEVER INT64_MAX
#define S99_MILLISECOND INT64_C(1000000)

/* No event tells when a Unix peer that was full has room again. Callers retry after
** pauses that double, from the first to the longest. */
#define S99_FIRST_PAUSE S99_MILLISECOND
#define S99_LONGEST_PAUSE (20 * S99_MILLISECOND)

/* Milliseconds until `at`, rounded up, as poll(2) takes them. */
static inline int s99_poll_ms(int64_t at) {
  int64_t left;
  if (at == S99_NEVER)
    return -1;
  left = at <= 0 ? 0 : at - s99_now();
  if (left <= 0)
    return 0;
  left = (left + S99_MILLISECOND - 1) / S99_MILLISECOND;
  return left > INT_MAX ? INT_MAX : (int)left;
}

/* An address of any supported family. */
union s99_sockaddr {
  struct sockaddr sa;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
  struct sockaddr_un un;
};

struct s99_address {
  union s99_sockaddr addr;
  socklen_t len;
};

/* An opening without a resolver has no more candidates than this. */
#define S99_INLINE_CANDIDATES 2

/* Addresses, in the order to try them. `list` is `inlined` or heap memory. */
struct s99_candidates {
  struct s99_address *list;
  size_t count;
  struct s99_address inlined[S99_INLINE_CANDIDATES];
};

/* How the caller's options set an option that has a default. */
enum s99_setting { S99_UNSET, S99_OFF, S99_ON };

/* A caller that wants to know when a signal interrupts a wait of its opening. False ends
** the opening with EINTR. */
struct s99_interruption {
  bool (*go_on)(void *context);
  void *context;
};

/*
** A checked configuration and what follows from it, or why it was refused. It
** borrows `cfg` and owns its candidates. If `name` and `service` are NULL, the
** candidates are known; otherwise they need a resolver.
*/
struct s99_plan {
  const struct s99_interruption *interruption; /* NULL: nobody wants to know */
  const socket99_config *cfg;
  int type;   /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
  int family; /* AF_UNSPEC: any */
  int port;   /* if `service` is NULL */
  const char *service;
  const char *name;
  bool any;                 /* a server on every address */
  bool establish;           /* connect or listen; false: only create */
  int64_t delay;            /* Connection Attempt Delay, nanoseconds */
  int64_t deadline;         /* on s99_now()'s clock; S99_NEVER: none */
  struct s99_address local; /* of a client; len 0: none */
  bool local_port_only;     /* `local` fits any family */
  enum s99_setting reuseaddr, v6only, broadcast;
  struct s99_candidates candidates;
  /* Why it was refused: EINVAL or the errno of a system call, and text of up to
  ** SOCKET99_WHERE_SIZE bytes. */
  int error;
  char *message;
};

/*
** The failure of a step, which error.c turns into a result. Its pointers lead
** into the opening. The last four members say what the failure was about; if
** several are set, `text` and the options come before `candidate`.
*/
struct s99_failure {
  enum socket99_status stage; /* SOCKET99_OK: none */
  int error;                  /* errno */
  int code;                   /* EAI_ code of a lookup */
  int option_id;              /* of `sockopts` */
  const char *text;           /* the name of a constant or call */
  const socket99_option *option;
  const struct s99_address *candidate;
};

/*
** error.c: fills in results. s99_fail leaves `where` empty, s99_fail_call
** names a call that belongs to no stage, s99_refuse leaves `where` as s99_check wrote it,
*s99_report writes what the failure was about.
*/
S99_HIDDEN void s99_succeed(socket99_result *res, int fd, int family, bool connected);
S99_HIDDEN void s99_fail(socket99_result *res, enum socket99_status status, int error);
S99_HIDDEN void s99_fail_call(socket99_result *res, const char *call, int error);
S99_HIDDEN void s99_refuse(socket99_result *res, int error);
S99_HIDDEN void s99_report(socket99_result *res, const struct s99_plan *plan,
                           const struct s99_failure *failure);

/* config.c. False: `cfg` was refused; the plan's `error` and `message` say why. */
S99_HIDDEN bool s99_check(const socket99_config *cfg, struct s99_plan *plan, char *message);

/* copy.c: a deep copy in one block, to free with free(3). NULL: no memory. */
S99_HIDDEN socket99_config *s99_copy_config(const socket99_config *cfg);

/* process.c: a number that no other process has, a child of fork(2) included. */
S99_HIDDEN int64_t s99_process(void);

/* address.c */
enum s99_numeric {
  S99_NOT_NUMERIC,
  S99_NUMERIC,
  S99_UNKNOWN_ZONE,
  S99_ZONE_ERROR /* the zone could not be looked up: errno */
};
S99_HIDDEN enum s99_numeric s99_numeric(const char *host, struct s99_address *out);
S99_HIDDEN void s99_unmap(struct s99_address *address);
S99_HIDDEN void s99_wildcard(int family, struct s99_address *out);
S99_HIDDEN void s99_loopback(int family, struct s99_address *out);
S99_HIDDEN void s99_set_port(struct s99_address *address, int port);
S99_HIDDEN int s99_port(const struct s99_address *address);
S99_HIDDEN bool s99_port_number(const char *text, int *port);
S99_HIDDEN bool s99_unix(const char *path, size_t length, struct s99_address *out);
S99_HIDDEN bool s99_is_abstract(const struct s99_address *address);
S99_HIDDEN bool s99_is_wildcard(const struct s99_address *address);
S99_HIDDEN bool s99_lacks_zone(const struct s99_address *address, int error);
/* The address that a call failed on, and what it lacks. */
S99_HIDDEN void s99_failed_address_text(const struct s99_address *address, int error, char *buf,
                                        size_t size);
S99_HIDDEN bool s99_is_group(const struct s99_address *address);
S99_HIDDEN int s99_find_local_broadcast(const struct s99_address *address, bool *is_broadcast);
S99_HIDDEN bool s99_same_address(const struct s99_address *a, const struct s99_address *b);

/* lookup.c: name lookups that do not block the caller. */
struct s99_lookup;

/* What getaddrinfo(3) returned, and errno. The receiver frees `found`. */
struct s99_answer {
  int code, error;
  struct addrinfo *found;
};

/* NULL, with an errno in `error`, if memory, descriptors or threads run out. One that is
** asked `aside` of another gives way to those that are not. */
S99_HIDDEN struct s99_lookup *s99_lookup_start(const char *name, const char *service,
                                               const struct addrinfo *hints, bool aside,
                                               int *error);
/* Readable when the answer is there. */
S99_HIDDEN int s99_lookup_fd(const struct s99_lookup *lookup);
/* Lets the lookup's thread run, if the answer may be there in a moment. */
S99_HIDDEN void s99_lookup_give_way(const struct s99_lookup *lookup);
S99_HIDDEN bool s99_lookup_take(struct s99_lookup *lookup, struct s99_answer *answer);
/* Closes its descriptor and frees it, now or when its thread returns. */
S99_HIDDEN void s99_lookup_end(struct s99_lookup *lookup);

/*
** resolver.c: the lookup that a plan needs, and candidates from its answer.
** s99_resolve blocks. s99_take_answer and s99_join_answer free the answer; false: there
** are no candidates, or no more, and its `code` and `error` say why. What joins is in
** `joined`, behind those that are there already; the plan's list stays as it is.
*/
struct s99_query {
  const char *name, *service;
  struct addrinfo hints;
};
S99_HIDDEN void s99_query(const struct s99_plan *plan, struct s99_query *query);
S99_HIDDEN void s99_resolve(const struct s99_plan *plan, struct s99_answer *answer);
S99_HIDDEN bool s99_take_answer(struct s99_plan *plan, struct s99_answer *answer);
S99_HIDDEN bool s99_join_answer(const struct s99_plan *plan, struct s99_answer *answer,
                                struct s99_candidates *joined);
S99_HIDDEN void s99_candidates_free(struct s99_candidates *candidates);

/* attempt.c: makes a descriptor from a candidate. */
enum s99_progress {
  S99_ENDED,        /* failed or not begun: no descriptor */
  S99_CONNECTING,   /* the descriptor becomes writable when it ends */
  S99_BACKLOG_FULL, /* of a Unix listener: to be retried */
  S99_UNCONNECTED,  /* complete, without a peer */
  S99_CONNECTED     /* complete */
};

struct s99_attempt {
  const struct s99_plan *plan;
  const struct s99_address *candidate;
  enum s99_progress progress;
  int fd;                     /* -1: none */
  struct s99_failure failure; /* why it ended */
};

/* Records a failure and returns false, as the result of a step. */
S99_HIDDEN bool s99_attempt_fail(struct s99_attempt *attempt, enum socket99_status stage,
                                 int error);
/* Closes the descriptor. */
S99_HIDDEN void s99_attempt_discard(struct s99_attempt *attempt);

/* Makes the socket and sets its options. */
S99_HIDDEN bool s99_create(struct s99_attempt *attempt, bool nonblocking);
/* Makes a client's socket and connects it; a stream blocks until it is connected. */
S99_HIDDEN bool s99_connect(struct s99_attempt *attempt);
/* The address that a client binds a socket of `family` to. */
S99_HIDDEN void s99_local_address(const struct s99_plan *plan, int family, struct s99_address *out);
/* Costs a system call only if connect(2) may have chosen the peer's port. */
S99_HIDDEN bool s99_is_connected_to_itself(int fd, const struct s99_address *peer);

/* The steps of an attempt that does not block; each sets `progress`. */
S99_HIDDEN void s99_attempt_begin(struct s99_attempt *attempt);
S99_HIDDEN void s99_attempt_again(struct s99_attempt *attempt);
S99_HIDDEN void s99_attempt_check(struct s99_attempt *attempt);
S99_HIDDEN void s99_attempt_end(struct s99_attempt *attempt);
/* Makes a connected socket blocking, unless the caller wants it otherwise. */
S99_HIDDEN bool s99_attempt_finish(struct s99_attempt *attempt);

/* listener.c: makes a server's socket, binds it, and listens if it is a stream. */
S99_HIDDEN bool s99_listen(struct s99_attempt *attempt);

/* race.c: the order of attempts to connect. */
#define S99_MOST_ATTEMPTS 8 /* in progress at a time */

struct s99_race {
  size_t count;  /* candidates */
  size_t next;   /* the first that has not started */
  size_t newest; /* the last that has */
  size_t in_progress;
  int64_t delay; /* Connection Attempt Delay */
  int64_t newest_start;
  bool newest_ended;
  bool held; /* `next` waits for one in progress to end */
};

S99_HIDDEN void s99_interleave(struct s99_address *list, size_t count);
S99_HIDDEN void s99_race_init(struct s99_race *race, size_t count, int64_t delay);
/* More candidates, behind the others. */
S99_HIDDEN void s99_race_join(struct s99_race *race, size_t count);
S99_HIDDEN int64_t s99_race_next(const struct s99_race *race);
S99_HIDDEN bool s99_race_due(const struct s99_race *race, int64_t now);
S99_HIDDEN bool s99_race_is_full(const struct s99_race *race);
S99_HIDDEN size_t s99_race_start(struct s99_race *race, int64_t now);
S99_HIDDEN void s99_race_failed(struct s99_race *race, size_t attempt);
S99_HIDDEN void s99_race_postpone(struct s99_race *race);
S99_HIDDEN bool s99_race_is_lost(const struct s99_race *race);

/*
** poller_epoll.c, poller_kqueue.c: one descriptor that stands for several and for
** an alarm. It is readable when one of them is ready or the alarm is due. It is
** epoll(7) with a timerfd on Linux, kqueue(2) elsewhere.
*/
struct s99_poller {
  int fd;
  int timer;        /* -1: the poller keeps time itself */
  const char *call; /* that was made last; if it failed, messages name it */
};

/* 0 or an errno. */
S99_HIDDEN int s99_poller_open(struct s99_poller *poller);
S99_HIDDEN int s99_poller_add(struct s99_poller *poller, int fd, bool for_writing);
S99_HIDDEN void s99_poller_remove(struct s99_poller *poller, int fd, bool for_writing);
/* Sets the alarm. A time in the past is due at once; S99_NEVER turns it off. */
S99_HIDDEN int s99_poller_alarm(struct s99_poller *poller, int64_t at);
S99_HIDDEN void s99_poller_close(struct s99_poller *poller);

/*
** open.c, for openings behind objects.
**
** s99_start_lookup starts an opening that only finds addresses, as socket99_resolve
** does. When a step has ended well, s99_take_found hands them over, to free with
** free(3).
** s99_settle waits for the lookup of a client's opening, as long as it takes, and
** ends all attempts but one. True: the result has the descriptor of that one, which
** may still be connecting. False: the result says why there is none.
*/
S99_HIDDEN socket99_opening *s99_start_lookup(const socket99_config *cfg, socket99_result *res);
S99_HIDDEN struct sockaddr_storage *s99_take_found(socket99_opening *opening, size_t *count);
/* open.c: socket99_open and socket99_resolve for such a caller. */
S99_HIDDEN bool s99_open(const socket99_config *cfg, const struct s99_interruption *interruption,
                         socket99_result *res);
S99_HIDDEN bool s99_find_addresses(const socket99_config *cfg,
                                   const struct s99_interruption *interruption,
                                   socket99_result *res, struct sockaddr_storage **addresses,
                                   size_t *count);

/* Whether a wait that poll(2) or connect(2) ended with `error` goes on. */
static inline bool s99_goes_on(const struct s99_plan *plan, int error) {
  if (error == EINTR && plan->interruption != NULL)
    return plan->interruption->go_on(plan->interruption->context);
  return error == EINTR || error == EAGAIN;
}

S99_HIDDEN bool s99_settle(socket99_opening *opening, socket99_result *res);

/*
** inquiry.c: the lookups of one opening: of both families, and, when that has been silent
** for a while, of each alone.
*/
enum s99_question { S99_WHOLE, S99_INET6_ALONE, S99_INET_ALONE, S99_QUESTIONS };

struct s99_inquiry {
  bool begun;
  struct s99_lookup *lookups[S99_QUESTIONS]; /* NULL: not asked, or over */
  bool known[S99_QUESTIONS];                 /* what there is, or that there is nothing */
  int64_t more_at;                           /* when each family is asked alone */
};

/* 0 or an errno. The poller may have no descriptor. */
S99_HIDDEN int s99_inquiry_begin(struct s99_inquiry *inquiry, const struct s99_plan *plan,
                                 struct s99_poller *poller);
/* Asks what is due by now. */
S99_HIDDEN void s99_inquiry_ask_more(struct s99_inquiry *inquiry, const struct s99_plan *plan,
                                     struct s99_poller *poller);
/* Takes an answer that has come; S99_QUESTIONS: there is none. */
S99_HIDDEN enum s99_question s99_inquiry_take(struct s99_inquiry *inquiry,
                                              struct s99_poller *poller, struct s99_answer *answer);
S99_HIDDEN bool s99_inquiry_is_over(const struct s99_inquiry *inquiry);
/* What is still asked can tell nothing new. */
S99_HIDDEN bool s99_inquiry_knows_all(const struct s99_inquiry *inquiry);
/* Lets the first lookup's thread run, if the answer may be there in a moment. */
S99_HIDDEN void s99_inquiry_give_way(const struct s99_inquiry *inquiry);
/* What to wait for in poll(2): S99_QUESTIONS of them. */
S99_HIDDEN void s99_inquiry_polled(const struct s99_inquiry *inquiry, struct pollfd *polled);
/* Gives up what is still asked. */
S99_HIDDEN void s99_inquiry_end(struct s99_inquiry *inquiry, struct s99_poller *poller);

/* spelling.c: the edit distance of two words, the second of at most so many characters. */
#define S99_LONGEST_WORD 40

S99_HIDDEN size_t s99_edits(const char *a, const char *b, size_t limit);

/*
** option.c. s99_option_check returns false and writes the reason into `why` if
** an option's name or value is wrong. s99_option_apply sets the option and
** returns 0 or an errno; on a `dual` socket, which also receives IPv4, an
** option of both levels is set on both. s99_option_set asks the kernel for type and
** family. Both say in `label` which constant was tried last, "IP_TTL"; NULL: none, or
** one by number. s99_option_label writes the constant that a socket of the family has
** ("SO_RCVBUF", "level 1 option 8"). An option is foreign to sockets of one family if
** the other alone has it.
*/
S99_HIDDEN bool s99_option_check(const socket99_option *option, int type, char *why, size_t size);
S99_HIDDEN int s99_option_apply(int fd, const socket99_option *option, int type, int family,
                                bool dual, const char **label);
S99_HIDDEN int s99_option_set(int fd, const char *name, const socket99_value *value,
                              const char **label);
S99_HIDDEN bool s99_option_is_foreign(const socket99_option *option, int type, int family);
S99_HIDDEN void s99_option_label(const socket99_option *option, int type, int family, char *buf,
                                 size_t size);
S99_HIDDEN bool s99_option_is(const socket99_option *option, int level, int option_id);

#endif
