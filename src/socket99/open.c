/*
** open.c: an opening as a state machine: check → resolve → connect, race or
** listen → done.
**
** Each state does what it can and names the next one; one that has to wait
** names itself. socket99_open runs the machine to its end and waits in
** poll(2) where a state does; with one candidate and no deadline no state
** waits, and it is a straight line of system calls. socket99_step runs it as
** far as it gets, and leaves the waiting to whoever watches the poller.
*/

#include "internal.h"

#include <poll.h>

enum state { S99_RESOLVE, S99_CONNECT, S99_RACE, S99_LISTEN, S99_DONE, S99_FAILED };

struct socket99_opening {
  enum state state;
  struct s99_plan plan;
  bool blocks;        /* states may wait */
  bool resolves_only; /* done when the candidates are known */
  struct s99_lookup *lookup;
  struct s99_race race;
  struct s99_attempt *attempts;
  struct pollfd *polled; /* beside attempts; fd -1: not one that poll(2) could end */
  struct s99_attempt *winner;
  int64_t retry_at, retry_wait;
  socket99_result told; /* the failure to tell if all fail */
  size_t told_rank;
  /* socket99_start alone: */
  struct s99_poller poller;
  socket99_config *copy;
  pid_t process;
  int64_t alarm;
};


/*
** Waiting
*/

static int64_t earlier(int64_t a, int64_t b) {
  return a < b ? a : b;
}


/* poll(2), which is tried again where its time is not over: 0, or an errno that
** another try would meet again. */
static int wait_in_poll(struct pollfd *polled, nfds_t count, int ms) {
  if (poll(polled, count, ms) >= 0 || errno == EINTR || errno == EAGAIN)
    return 0;
  return errno;
}


static enum state fail_to_wait(int error, socket99_result *res) {
  s99_fail_text(res, SOCKET99_ERROR_UNKNOWN, error, "poll");
  return S99_FAILED;
}


static bool is_late(const struct socket99_opening *opening) {
  return opening->plan.deadline != S99_NEVER && s99_now() >= opening->plan.deadline;
}


/* What is watched from outside, if anybody watches. */
static int watch(struct socket99_opening *opening, int fd, bool for_writing) {
  return opening->poller.fd < 0 ? 0 : s99_poller_add(&opening->poller, fd, for_writing);
}


static void unwatch(struct socket99_opening *opening, int fd, bool for_writing) {
  if (opening->poller.fd >= 0)
    s99_poller_remove(&opening->poller, fd, for_writing);
}


static enum state fail_late(struct socket99_opening *opening, socket99_result *res) {
  const struct s99_plan *plan = &opening->plan;
  char where[SOCKET99_WHERE_SIZE];
  if (opening->state == S99_RESOLVE) {
    s99_fail_text(res, SOCKET99_ERROR_TIMEOUT, ETIMEDOUT, "getaddrinfo %.200s",
                  plan->name != NULL ? plan->name : plan->service);
    return S99_FAILED;
  }
  if (plan->name != NULL && plan->service != NULL)
    snprintf(where, sizeof(where), "%.180s:%.40s", plan->name, plan->service);
  else if (plan->name != NULL)
    snprintf(where, sizeof(where), "%.200s:%d", plan->name, plan->port);
  else
    socket99_address_text(&plan->candidates.list[0].addr.sa, plan->candidates.list[0].len, where,
                          sizeof(where));
  s99_fail_text(res, SOCKET99_ERROR_TIMEOUT, ETIMEDOUT, "connect %.240s", where);
  return S99_FAILED;
}


/*
** Resolve
*/

/* A client's own address rules out candidates of the other family. */
static bool drop_unfit(struct s99_plan *plan, socket99_result *res) {
  struct s99_candidates *candidates = &plan->candidates;
  size_t i, kept = 0;
  if (plan->own.len == 0 || plan->own_port_only)
    return true;
  for (i = 0; i < candidates->count; i++) {
    if (candidates->list[i].addr.sa.sa_family == plan->own.addr.sa.sa_family)
      candidates->list[kept++] = candidates->list[i];
  }
  candidates->count = kept;
  if (kept > 0)
    return true;
  s99_fail(res, SOCKET99_ERROR_BIND, EAFNOSUPPORT, &plan->own);
  return false;
}


/* Only a stream's connect takes time; one that may take all it wants, and has
** nothing beside it, needs no race. */
static bool needs_race(const struct socket99_opening *opening) {
  const struct s99_plan *plan = &opening->plan;
  if (!plan->establish || plan->type == SOCK_DGRAM)
    return false;
  return plan->candidates.count > 1 || plan->deadline != S99_NEVER || !opening->blocks;
}


static enum state begin_race(struct socket99_opening *opening, socket99_result *res) {
  struct s99_candidates *candidates = &opening->plan.candidates;
  size_t i;
  opening->attempts = calloc(candidates->count, sizeof(*opening->attempts));
  opening->polled = calloc(candidates->count, sizeof(*opening->polled));
  if (opening->attempts == NULL || opening->polled == NULL) {
    s99_fail(res, SOCKET99_ERROR_UNKNOWN, ENOMEM, NULL);
    return S99_FAILED;
  }
  s99_interleave(candidates->list, candidates->count);
  for (i = 0; i < candidates->count; i++) {
    opening->attempts[i].candidate = &candidates->list[i];
    opening->attempts[i].fd = opening->polled[i].fd = -1;
    opening->polled[i].events = POLLOUT;
  }
  s99_race_init(&opening->race, candidates->count, opening->plan.delay);
  return S99_RACE;
}


/* The candidates are known. */
static enum state after_resolve(struct socket99_opening *opening, socket99_result *res) {
  if (opening->resolves_only)
    return S99_DONE;
  if (opening->plan.cfg->server)
    return S99_LISTEN;
  if (!drop_unfit(&opening->plan, res))
    return S99_FAILED;
  return needs_race(opening) ? begin_race(opening, res) : S99_CONNECT;
}


static bool start_lookup(struct socket99_opening *opening, socket99_result *res) {
  struct s99_question question;
  struct s99_answer failure = {EAI_SYSTEM, 0, NULL};
  int error;
  s99_question(&opening->plan, &question);
  opening->lookup = s99_lookup_start(question.name, question.service, &question.hints, &error);
  if (opening->lookup != NULL) {
    error = watch(opening, s99_lookup_fd(opening->lookup), false);
    if (error == 0)
      return true;
    s99_lookup_end(opening->lookup);
    opening->lookup = NULL;
  }
  failure.error = error;
  return s99_take_answer(&opening->plan, &failure, res);
}


static void end_lookup(struct socket99_opening *opening) {
  unwatch(opening, s99_lookup_fd(opening->lookup), false);
  s99_lookup_end(opening->lookup);
  opening->lookup = NULL;
}


static int await_lookup(const struct socket99_opening *opening) {
  struct pollfd answered;
  answered.fd = s99_lookup_fd(opening->lookup);
  answered.events = POLLIN;
  return wait_in_poll(&answered, 1, s99_poll_ms(opening->plan.deadline));
}


static enum state look_up(struct socket99_opening *opening, socket99_result *res) {
  struct s99_answer answer;
  int error = 0;
  if (opening->lookup == NULL && !start_lookup(opening, res))
    return S99_FAILED;
  if (opening->blocks)
    error = await_lookup(opening);
  if (s99_lookup_take(opening->lookup, &answer)) {
    end_lookup(opening);
    return s99_take_answer(&opening->plan, &answer, res) ? after_resolve(opening, res) : S99_FAILED;
  }
  if (error != 0)
    return fail_to_wait(error, res);
  return is_late(opening) ? fail_late(opening, res) : S99_RESOLVE;
}


static enum state resolve(struct socket99_opening *opening, socket99_result *res) {
  struct s99_plan *plan = &opening->plan;
  if (plan->name == NULL && plan->service == NULL)
    return after_resolve(opening, res);
  if (!opening->blocks || plan->deadline != S99_NEVER)
    return look_up(opening, res);
  return s99_resolve(plan, res) ? after_resolve(opening, res) : S99_FAILED;
}


/*
** Failures of several candidates: told is that of the last in list order that
** says more than "unreachable", else that of the last.
*/

static bool says_little(int error) {
  switch (error) {
  case ENETUNREACH:
  case EHOSTUNREACH:
  case ENETDOWN:
  case EHOSTDOWN:
  case EADDRNOTAVAIL:
  case EAFNOSUPPORT:
    return true;
  default:
    return false;
  }
}


static void keep_telling(struct socket99_opening *opening, size_t candidate,
                         const socket99_result *failure) {
  size_t rank = candidate + 1;
  if (!says_little(failure->saved_errno))
    rank += opening->plan.candidates.count;
  if (rank < opening->told_rank)
    return;
  opening->told = *failure;
  opening->told_rank = rank;
}


/*
** Connect: nothing to wait for, or nothing against waiting in connect(2)
*/

static enum state connect_first(struct socket99_opening *opening, socket99_result *res) {
  const struct s99_plan *plan = &opening->plan;
  size_t i;
  for (i = 0; i < plan->candidates.count; i++) {
    if (s99_connect(plan, &plan->candidates.list[i], res))
      return S99_DONE;
    keep_telling(opening, i, res);
  }
  *res = opening->told;
  return S99_FAILED;
}


/*
** Race
*/

static void attempt_failed(struct socket99_opening *opening, size_t i,
                           const socket99_result *failure) {
  s99_race_failed(&opening->race, i);
  keep_telling(opening, i, failure);
}


/* Another attempt holds the port that this one is to be bound to. */
static bool is_port_held(const struct socket99_opening *opening, const socket99_result *failure) {
  return failure->status == SOCKET99_ERROR_BIND && failure->saved_errno == EADDRINUSE &&
         opening->plan.cfg->bind_port != 0 && opening->race.in_flight > 1;
}


static void retry_later(struct socket99_opening *opening) {
  opening->retry_wait = opening->retry_wait == 0
                            ? S99_FIRST_PAUSE
                            : earlier(2 * opening->retry_wait, S99_LONGEST_PAUSE);
  opening->retry_at = s99_now() + opening->retry_wait;
}


static void watch_attempt(struct socket99_opening *opening, size_t i) {
  struct s99_attempt *attempt = &opening->attempts[i];
  socket99_result failure;
  int error = watch(opening, attempt->fd, true);
  if (error == 0) {
    opening->polled[i].fd = attempt->fd;
    opening->polled[i].revents = 0;
    return;
  }
  s99_attempt_end(&opening->plan, attempt);
  s99_fail(&failure, SOCKET99_ERROR_UNKNOWN, error, attempt->candidate);
  attempt_failed(opening, i, &failure);
}


static void unwatch_attempt(struct socket99_opening *opening, size_t i) {
  if (opening->polled[i].fd >= 0)
    unwatch(opening, opening->polled[i].fd, true);
  opening->polled[i].fd = -1;
}


/* An attempt has begun, or got further. */
static void follow(struct socket99_opening *opening, size_t i, const socket99_result *failure) {
  switch (opening->attempts[i].flight) {
  case S99_IN_FLIGHT:
    watch_attempt(opening, i);
    break;
  case S99_WAITING:
    retry_later(opening);
    break;
  case S99_CONNECTED:
    opening->winner = &opening->attempts[i];
    break;
  default:
    attempt_failed(opening, i, failure);
  }
}


static void begin_attempt(struct socket99_opening *opening) {
  size_t i = s99_race_start(&opening->race, s99_now());
  struct s99_attempt *attempt = &opening->attempts[i];
  socket99_result failure;
  s99_attempt_begin(&opening->plan, attempt, &failure);
  if (attempt->flight == S99_ENDED && is_port_held(opening, &failure))
    s99_race_postpone(&opening->race);
  else
    follow(opening, i, &failure);
}


static void retry_attempts(struct socket99_opening *opening) {
  size_t i;
  for (i = 0; i < opening->race.next && opening->winner == NULL; i++) {
    socket99_result failure;
    if (opening->attempts[i].flight != S99_WAITING)
      continue;
    s99_attempt_again(&opening->plan, &opening->attempts[i], &failure);
    follow(opening, i, &failure);
  }
}


/* The time by which the race has something to do, whatever the network says. */
static int64_t next_event(const struct socket99_opening *opening) {
  int64_t next = earlier(s99_race_next(&opening->race), opening->plan.deadline);
  size_t i;
  for (i = 0; i < opening->race.next; i++) {
    if (opening->attempts[i].flight == S99_WAITING)
      return earlier(next, opening->retry_at);
  }
  return next;
}


static void check_attempts(struct socket99_opening *opening) {
  size_t i;
  for (i = 0; i < opening->race.next && opening->winner == NULL; i++) {
    socket99_result failure;
    if (opening->polled[i].fd < 0 || opening->polled[i].revents == 0)
      continue;
    unwatch_attempt(opening, i);
    s99_attempt_check(&opening->plan, &opening->attempts[i], &failure);
    follow(opening, i, &failure);
  }
}


/* See which attempts have ended; where the opening blocks, wait for one. */
static int poll_attempts(struct socket99_opening *opening) {
  int ms = opening->blocks ? s99_poll_ms(next_event(opening)) : 0;
  int error = wait_in_poll(opening->polled, (nfds_t)opening->race.next, ms);
  if (error == 0)
    check_attempts(opening);
  if (s99_now() >= opening->retry_at)
    retry_attempts(opening);
  return error;
}


static void end_attempts(struct socket99_opening *opening) {
  size_t i;
  for (i = 0; i < opening->race.next; i++) {
    unwatch_attempt(opening, i);
    s99_attempt_end(&opening->plan, &opening->attempts[i]);
  }
}


/* Finished work counts before the clock: a connection that is there wins. */
static enum state race(struct socket99_opening *opening, socket99_result *res) {
  int error = 0;
  while (opening->winner == NULL && s99_race_due(&opening->race, s99_now()))
    begin_attempt(opening);
  if (opening->winner == NULL && opening->race.in_flight > 0)
    error = poll_attempts(opening);
  if (opening->winner != NULL)
    return s99_attempt_deliver(&opening->plan, opening->winner, res) ? S99_DONE : S99_FAILED;
  if (s99_race_is_lost(&opening->race)) {
    *res = opening->told;
    return S99_FAILED;
  }
  if (error != 0)
    return fail_to_wait(error, res);
  return is_late(opening) ? fail_late(opening, res) : S99_RACE;
}


/*
** Listen: a server goes on to the next candidate only when the machine lacks
** the address or its family. A second server on a name must not slide to the
** next address of that name while both believe that they own it.
*/

static enum state listen_first(struct socket99_opening *opening, socket99_result *res) {
  const struct s99_plan *plan = &opening->plan;
  size_t i;
  for (i = 0; i < plan->candidates.count; i++) {
    if (s99_listen(plan, &plan->candidates.list[i], res))
      return S99_DONE;
    if (res->saved_errno != EAFNOSUPPORT && res->saved_errno != EADDRNOTAVAIL)
      return S99_FAILED;
    keep_telling(opening, i, res);
  }
  *res = opening->told;
  return S99_FAILED;
}


/*
** The machine
*/

static enum state next_state(struct socket99_opening *opening, socket99_result *res) {
  switch (opening->state) {
  case S99_RESOLVE:
    return resolve(opening, res);
  case S99_CONNECT:
    return connect_first(opening, res);
  case S99_RACE:
    return race(opening, res);
  case S99_LISTEN:
    return listen_first(opening, res);
  default:
    return opening->state;
  }
}


static bool has_ended(const struct socket99_opening *opening) {
  return opening->state == S99_DONE || opening->state == S99_FAILED;
}


/* What a state may still hold; the poller stays. */
static void release(struct socket99_opening *opening) {
  if (opening->lookup != NULL)
    end_lookup(opening);
  if (opening->attempts != NULL)
    end_attempts(opening);
  free(opening->attempts);
  free(opening->polled);
  opening->attempts = NULL;
  opening->polled = NULL;
  s99_candidates_free(&opening->plan.candidates);
}


static bool begin(struct socket99_opening *opening, const socket99_config *cfg,
                  socket99_result *res) {
  opening->state = S99_RESOLVE;
  opening->blocks = true;
  opening->resolves_only = false;
  opening->lookup = NULL;
  opening->attempts = NULL;
  opening->polled = NULL;
  opening->winner = NULL;
  opening->race.next = 0;
  opening->retry_at = opening->retry_wait = 0;
  opening->told_rank = 0;
  opening->poller.fd = -1;
  if (cfg == NULL) {
    s99_fail_text(res, SOCKET99_ERROR_CONFIGURATION, EINVAL, "cfg is NULL");
    return false;
  }
  return s99_check(cfg, &opening->plan, res);
}


bool socket99_open(const socket99_config *cfg, socket99_result *res) {
  struct socket99_opening opening;
  if (!begin(&opening, cfg, res))
    return false;
  while (!has_ended(&opening))
    opening.state = next_state(&opening, res);
  release(&opening);
  return opening.state == S99_DONE;
}


/* The candidates' addresses, for their receiver to free. */
static struct sockaddr_storage *addresses_of(const struct s99_candidates *candidates) {
  struct sockaddr_storage *list = calloc(candidates->count, sizeof(*list));
  size_t i;
  for (i = 0; list != NULL && i < candidates->count; i++)
    memcpy(&list[i], &candidates->list[i].addr, candidates->list[i].len);
  return list;
}


bool socket99_resolve(const socket99_config *cfg, socket99_result *res,
                      struct sockaddr_storage **addresses, size_t *count) {
  struct socket99_opening opening;
  *addresses = NULL;
  *count = 0;
  if (!begin(&opening, cfg, res))
    return false;
  opening.resolves_only = true;
  while (!has_ended(&opening))
    opening.state = next_state(&opening, res);
  if (opening.state == S99_DONE) {
    *addresses = addresses_of(&opening.plan.candidates);
    *count = opening.plan.candidates.count;
    s99_succeed(res, -1, AF_UNSPEC, false);
  }
  release(&opening);
  if (opening.state == S99_DONE && *addresses == NULL)
    return s99_fail(res, SOCKET99_ERROR_UNKNOWN, ENOMEM, NULL);
  return opening.state == S99_DONE;
}


/*
** In steps
*/

static int set_alarm(struct socket99_opening *opening, int64_t at) {
  opening->alarm = at;
  return s99_poller_alarm(&opening->poller, at);
}


static void abandon(struct socket99_opening *opening) {
  free(opening->copy);
  free(opening);
}


socket99_opening *socket99_start(const socket99_config *cfg, socket99_result *res) {
  struct socket99_opening *opening = calloc(1, sizeof(*opening));
  socket99_config *copy = cfg == NULL ? NULL : s99_copy_config(cfg);
  int error;
  if (opening == NULL || (cfg != NULL && copy == NULL)) {
    free(opening);
    free(copy);
    s99_fail(res, SOCKET99_ERROR_UNKNOWN, ENOMEM, NULL);
    return NULL;
  }
  opening->copy = copy;
  if (!begin(opening, copy, res)) {
    abandon(opening);
    return NULL;
  }
  error = s99_poller_open(&opening->poller);
  if (error == 0)
    error = set_alarm(opening, 0);
  if (error != 0) {
    s99_poller_close(&opening->poller);
    abandon(opening);
    s99_fail(res, SOCKET99_ERROR_UNKNOWN, error, NULL);
    return NULL;
  }
  opening->blocks = false;
  opening->process = getpid();
  return opening;
}


static int64_t alarm_of(const struct socket99_opening *opening) {
  if (has_ended(opening))
    return S99_NEVER;
  return opening->state == S99_RACE ? next_event(opening) : opening->plan.deadline;
}


bool socket99_step(socket99_opening *opening, socket99_result *res) {
  enum state before;
  int error;
  if (opening->process != getpid()) {
    s99_fail_text(res, SOCKET99_ERROR_UNKNOWN, EPERM, "opening of process %ld",
                  (long)opening->process);
    return true;
  }
  if (has_ended(opening)) {
    s99_fail_text(res, SOCKET99_ERROR_UNKNOWN, EALREADY, "opening");
    return true;
  }
  do {
    before = opening->state;
    opening->state = next_state(opening, res);
  } while (opening->state != before && !has_ended(opening));
  /* Without its alarm it might never be stepped again. */
  error = set_alarm(opening, alarm_of(opening));
  if (error != 0 && !has_ended(opening)) {
    opening->state = S99_FAILED;
    s99_fail(res, SOCKET99_ERROR_UNKNOWN, error, NULL);
  }
  if (has_ended(opening))
    release(opening);
  return has_ended(opening);
}


int socket99_pollfd(const socket99_opening *opening) {
  return opening->poller.fd;
}


int socket99_timeout_ms(const socket99_opening *opening) {
  return s99_poll_ms(opening->alarm);
}


/* In a child of the process that started it, a descriptor's removal from the
** poller would silence the parent's, how a socket lingers is the parent's to
** say, and the file of the client's own address is the parent's too: closing
** is all that is done there. */
static void leave_to_parent(socket99_opening *opening) {
  opening->poller.fd = -1;
  opening->plan.own.len = 0;
  opening->copy->option_count = 0;
  opening->copy->sockopts[0].option_id = 0;
}


void socket99_cancel(socket99_opening *opening) {
  struct s99_poller poller;
  bool ours;
  if (opening == NULL)
    return;
  poller = opening->poller;
  ours = opening->process == getpid();
  if (!ours)
    leave_to_parent(opening);
  if (!ours && !S99_POLLER_IS_INHERITED)
    poller.fd = -1;
  release(opening);
  s99_poller_close(&poller);
  abandon(opening);
}
