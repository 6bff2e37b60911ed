/*
** open.c: an opening: check, resolve, then connect, race or listen.
**
** An opening goes straight on until it has to wait: for the answer of a lookup,
** or for an attempt in a race. These are its two states; a lookup that is still
** asked may bring more candidates to a race. socket99_open waits
** there in poll(2); with one candidate and no deadline nothing waits, and it
** is a straight line of system calls. socket99_step returns instead, and
** leaves the waiting to the program that watches the poller.
*/

#include "internal.h"

/* How long the addresses of one family wait for those of the other where only one can be
** used, or all are wanted (RFC 8305, section 3, Resolution Delay). */
#define RESOLUTION_DELAY (50 * S99_MILLISECOND)

enum state {
  RESOLVING, /* from the start until the candidates are known */
  RACING,
  ENDED
};

struct socket99_opening {
  enum state state;
  struct s99_plan plan;
  bool blocks;        /* it may wait in poll(2) */
  bool resolves_only; /* it ends when the candidates are known, with `found` */
  struct sockaddr_storage *found;
  size_t found_count;
  struct s99_inquiry inquiry;
  int64_t settles_at; /* when candidates of one family suffice; S99_NEVER: none came */
  struct s99_race race;
  struct s99_attempt *attempts; /* of the race, by candidate */
  struct pollfd *polled;        /* beside attempts; fd -1: not connecting. Then room for lookups */
  int64_t retry_at, retry_wait;
  struct s99_attempt only;    /* the attempt, where there is no race */
  struct s99_attempt *winner; /* it has the descriptor */
  struct s99_failure failure; /* the one to report; SOCKET99_OK: none yet */
  size_t failure_rank;
  /* Only of socket99_start: */
  struct s99_poller poller;
  socket99_config *copy;
  int64_t process;
  int64_t alarm;
};


/*
** The end
*/

static void fail(struct socket99_opening *opening, enum socket99_status stage, int error) {
  memset(&opening->failure, 0, sizeof(opening->failure));
  opening->failure.stage = stage;
  opening->failure.error = error;
  opening->state = ENDED;
}


static void fail_lookup(struct socket99_opening *opening, const struct s99_answer *answer) {
  fail(opening, SOCKET99_ERROR_GETADDRINFO, answer->code == EAI_SYSTEM ? answer->error : 0);
  opening->failure.code = answer->code;
}


/* A step that belongs to no stage: the message names its call. */
static void fail_call(struct socket99_opening *opening, const char *call, int error) {
  fail(opening, SOCKET99_ERROR_UNKNOWN, error);
  opening->failure.text = call;
}


static bool is_late(const struct socket99_opening *opening) {
  return opening->plan.deadline != S99_NEVER && s99_now() >= opening->plan.deadline;
}


/* Where all addresses that are known have failed, their failure says more. */
static void fail_late(struct socket99_opening *opening) {
  bool connecting = opening->state == RACING;
  if (connecting && opening->race.in_progress == 0) {
    opening->state = ENDED;
    return;
  }
  fail(opening, SOCKET99_ERROR_TIMEOUT, ETIMEDOUT);
  opening->failure.candidate = connecting ? &opening->plan.candidates.list[0] : NULL;
}


/*
** Failures of several candidates: the one to report is that of the last in
** list order that says more than "unreachable", else that of the last.
*/

static bool is_unreachable(int error) {
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


static void keep_failure(struct socket99_opening *opening, const struct s99_attempt *attempt) {
  size_t rank = (size_t)(attempt->candidate - opening->plan.candidates.list) + 1;
  if (!is_unreachable(attempt->failure.error))
    rank += opening->plan.candidates.count;
  if (rank < opening->failure_rank)
    return;
  opening->failure = attempt->failure;
  opening->failure_rank = rank;
}


/*
** Waiting
*/

static int64_t earlier(int64_t a, int64_t b) {
  return a < b ? a : b;
}


/* Calls poll(2). 0, or an errno that another call would return again. */
static int wait_in_poll(const struct socket99_opening *opening, struct pollfd *polled, nfds_t count,
                        int ms) {
  int error = poll(polled, count, ms) >= 0 ? 0 : errno;
  return error == 0 || s99_goes_on(&opening->plan, error) ? 0 : error;
}


/* Adds a descriptor to the poller, if the opening has one. 0 or an errno. */
static int watch(struct socket99_opening *opening, int fd, bool for_writing) {
  return opening->poller.fd < 0 ? 0 : s99_poller_add(&opening->poller, fd, for_writing);
}


static void unwatch(struct socket99_opening *opening, int fd, bool for_writing) {
  if (opening->poller.fd >= 0)
    s99_poller_remove(&opening->poller, fd, for_writing);
}


/*
** In turn: no candidate has to wait, or the only one may wait in connect(2)
*/

/* A server tries the next candidate only if the machine lacks this address or its
** family. Otherwise a second server on the same name would listen on the next
** address of that name, and both would believe that they own it. */
static bool may_try_next(const struct s99_attempt *attempt) {
  int error = attempt->failure.error;
  return !attempt->plan->cfg->server || error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}


static void try_in_turn(struct socket99_opening *opening) {
  const struct s99_candidates *candidates = &opening->plan.candidates;
  struct s99_attempt *attempt = &opening->only;
  bool goes_on = true;
  size_t i;
  for (i = 0; i < candidates->count && goes_on; i++) {
    attempt->candidate = &candidates->list[i];
    if (opening->plan.cfg->server ? s99_listen(attempt) : s99_connect(attempt))
      opening->winner = attempt;
    else
      keep_failure(opening, attempt);
    goes_on = opening->winner == NULL && may_try_next(attempt);
  }
  opening->state = ENDED;
}


/*
** Race
*/

/* Only a stream's connect takes time. */
static bool takes_time(const struct socket99_opening *opening) {
  const struct s99_plan *plan = &opening->plan;
  return !plan->cfg->server && plan->establish && plan->type != SOCK_DGRAM &&
         !opening->resolves_only;
}


/* With one candidate and no deadline connect(2) may take as long as it needs. */
static bool needs_race(const struct socket99_opening *opening) {
  const struct s99_plan *plan = &opening->plan;
  return takes_time(opening) &&
         (plan->candidates.count > 1 || plan->deadline != S99_NEVER || !opening->blocks);
}


static void polled_for_connect(struct pollfd *polled) {
  polled->fd = -1;
  polled->events = POLLOUT;
  polled->revents = 0;
}


static void attempt_failed(struct socket99_opening *opening, size_t i) {
  s99_race_failed(&opening->race, i);
  keep_failure(opening, &opening->attempts[i]);
}


static void watch_attempt(struct socket99_opening *opening, size_t i) {
  struct s99_attempt *attempt = &opening->attempts[i];
  int error = watch(opening, attempt->fd, true);
  if (error == 0) {
    opening->polled[i].fd = attempt->fd;
    opening->polled[i].revents = 0;
    return;
  }
  s99_attempt_end(attempt);
  s99_attempt_fail(attempt, SOCKET99_ERROR_UNKNOWN, error);
  attempt->failure.text = opening->poller.call;
  attempt_failed(opening, i);
}


static void unwatch_attempt(struct socket99_opening *opening, size_t i) {
  if (opening->polled[i].fd >= 0)
    unwatch(opening, opening->polled[i].fd, true);
  opening->polled[i].fd = -1;
}


static void retry_later(struct socket99_opening *opening) {
  opening->retry_wait = opening->retry_wait == 0
                            ? S99_FIRST_PAUSE
                            : earlier(2 * opening->retry_wait, S99_LONGEST_PAUSE);
  opening->retry_at = s99_now() + opening->retry_wait;
}


static void follow_attempt(struct socket99_opening *opening, size_t i) {
  switch (opening->attempts[i].progress) {
  case S99_CONNECTING:
    watch_attempt(opening, i);
    break;
  case S99_BACKLOG_FULL:
    retry_later(opening);
    break;
  case S99_CONNECTED:
    opening->winner = &opening->attempts[i];
    break;
  default:
    attempt_failed(opening, i);
  }
}


/* The attempt's local port is still held by another attempt. */
static bool is_port_held(const struct socket99_opening *opening,
                         const struct s99_attempt *attempt) {
  return attempt->progress == S99_ENDED && attempt->failure.stage == SOCKET99_ERROR_BIND &&
         attempt->failure.error == EADDRINUSE && opening->plan.cfg->bind_port != 0 &&
         opening->race.in_progress > 1;
}


static void begin_attempt(struct socket99_opening *opening) {
  size_t i = s99_race_start(&opening->race, s99_now());
  struct s99_attempt *attempt = &opening->attempts[i];
  s99_attempt_begin(attempt);
  if (is_port_held(opening, attempt))
    s99_race_postpone(&opening->race);
  else
    follow_attempt(opening, i);
}


static void retry_attempts(struct socket99_opening *opening) {
  size_t i;
  for (i = 0; i < opening->race.next && opening->winner == NULL; i++) {
    if (opening->attempts[i].progress != S99_BACKLOG_FULL)
      continue;
    s99_attempt_again(&opening->attempts[i]);
    follow_attempt(opening, i);
  }
}


static void check_attempts(struct socket99_opening *opening) {
  size_t i;
  for (i = 0; i < opening->race.next && opening->winner == NULL; i++) {
    if (opening->polled[i].fd < 0 || opening->polled[i].revents == 0)
      continue;
    unwatch_attempt(opening, i);
    s99_attempt_check(&opening->attempts[i]);
    follow_attempt(opening, i);
  }
}


/*
** Ends the oldest attempt in progress, unless one has ended meanwhile. It has had the
** time of eight attempt delays and is not tried again: were the live address among
** many dead ones, a second round would only put it off.
*/
static void make_room(struct socket99_opening *opening) {
  size_t i = 0;
  (void)wait_in_poll(opening, opening->polled, (nfds_t)opening->race.next, 0);
  check_attempts(opening);
  if (opening->winner != NULL || !s99_race_is_full(&opening->race))
    return;
  while (opening->attempts[i].progress == S99_ENDED)
    i++;
  unwatch_attempt(opening, i);
  s99_attempt_end(&opening->attempts[i]);
  s99_attempt_fail(&opening->attempts[i], SOCKET99_ERROR_CONNECT, ETIMEDOUT);
  attempt_failed(opening, i);
}


/* When the race has to act even if no attempt ends. */
static int64_t next_event(const struct socket99_opening *opening) {
  int64_t next = earlier(s99_race_next(&opening->race), opening->plan.deadline);
  size_t i;
  for (i = 0; i < opening->race.next; i++) {
    if (opening->attempts[i].progress == S99_BACKLOG_FULL)
      return earlier(next, opening->retry_at);
  }
  return next;
}


/* The lookups lie behind the attempts that have begun. */
static int poll_all(struct socket99_opening *opening, int ms) {
  struct pollfd *lookups = &opening->polled[opening->race.next];
  nfds_t count = (nfds_t)opening->race.next;
  size_t i;
  int error;
  if (s99_inquiry_is_over(&opening->inquiry))
    return wait_in_poll(opening, opening->polled, count, ms);
  s99_inquiry_polled(&opening->inquiry, lookups);
  error = wait_in_poll(opening, opening->polled, count + S99_QUESTIONS, ms);
  for (i = 0; i < S99_QUESTIONS; i++)
    polled_for_connect(&lookups[i]);
  return error;
}


/* Sees which attempts have ended; where the opening blocks, waits for one, or for an
** answer. */
static int poll_attempts(struct socket99_opening *opening) {
  int error = poll_all(opening, opening->blocks ? s99_poll_ms(next_event(opening)) : 0);
  if (error == 0)
    check_attempts(opening);
  if (s99_now() >= opening->retry_at)
    retry_attempts(opening);
  return error;
}


static bool is_lost(const struct socket99_opening *opening) {
  return s99_race_is_lost(&opening->race) && s99_inquiry_is_over(&opening->inquiry);
}


static void finish_race(struct socket99_opening *opening) {
  opening->state = ENDED;
  if (s99_attempt_finish(opening->winner))
    return;
  opening->failure = opening->winner->failure;
  opening->winner = NULL;
}


/* A connection that is complete wins even if the deadline has passed. */
static void race(struct socket99_opening *opening) {
  int error = 0;
  while (opening->winner == NULL && s99_race_due(&opening->race, s99_now())) {
    if (s99_race_is_full(&opening->race))
      make_room(opening);
    else
      begin_attempt(opening);
  }
  if (opening->winner == NULL && !is_lost(opening))
    error = poll_attempts(opening);
  if (opening->winner != NULL)
    finish_race(opening);
  else if (is_lost(opening))
    opening->state = ENDED;
  else if (error != 0)
    fail_call(opening, "poll", error);
  else if (is_late(opening))
    fail_late(opening);
}


/* Makes room for `count` attempts. False: no memory; nothing has changed. */
static bool make_attempts(struct socket99_opening *opening,
                          const struct s99_candidates *candidates) {
  size_t count = candidates->count, i;
  struct s99_attempt *attempts = realloc(opening->attempts, count * sizeof(*attempts));
  struct pollfd *polled;
  if (attempts == NULL)
    return false;
  opening->attempts = attempts;
  polled = realloc(opening->polled, (count + S99_QUESTIONS) * sizeof(*polled));
  if (polled == NULL)
    return false;
  opening->polled = polled;
  for (i = opening->race.next; i < count; i++) {
    memset(&attempts[i], 0, sizeof(attempts[i]));
    attempts[i].plan = &opening->plan;
    attempts[i].candidate = &candidates->list[i];
    attempts[i].fd = -1;
  }
  for (i = opening->race.next; i < count + S99_QUESTIONS; i++)
    polled_for_connect(&polled[i]);
  return true;
}


static void begin_race(struct socket99_opening *opening) {
  struct s99_candidates *candidates = &opening->plan.candidates;
  if (!make_attempts(opening, candidates)) {
    fail_call(opening, "realloc", ENOMEM);
    return;
  }
  s99_interleave(candidates->list, candidates->count);
  s99_race_init(&opening->race, candidates->count, opening->plan.delay);
  opening->state = RACING;
  race(opening);
}


static const struct s99_address *moved(const struct s99_address *candidate,
                                       const struct s99_candidates *from,
                                       const struct s99_candidates *to) {
  size_t i;
  for (i = 0; i < from->count; i++) {
    if (candidate == &from->list[i])
      return &to->list[i];
  }
  return candidate;
}


/* What attempts and failures point to is now in `to`. */
static void move_candidates(struct socket99_opening *opening, const struct s99_candidates *to) {
  const struct s99_candidates *from = &opening->plan.candidates;
  size_t i;
  for (i = 0; i < opening->race.next; i++) {
    struct s99_attempt *attempt = &opening->attempts[i];
    attempt->candidate = moved(attempt->candidate, from, to);
    attempt->failure.candidate = moved(attempt->failure.candidate, from, to);
  }
  opening->failure.candidate = moved(opening->failure.candidate, from, to);
  if (opening->failure_rank > from->count)
    opening->failure_rank += to->count - from->count;
}


/* Those that came late alternate with those whose attempts have not begun. False: no
** memory; the race goes on without them. */
static bool join_race(struct socket99_opening *opening, struct s99_candidates *joined) {
  size_t begun = opening->race.next, behind = begun > 0 ? begun - 1 : 0;
  if (!make_attempts(opening, joined))
    return false;
  move_candidates(opening, joined);
  s99_interleave(joined->list + behind, joined->count - behind);
  s99_race_join(&opening->race, joined->count);
  return true;
}


static void end_attempts(struct socket99_opening *opening) {
  size_t i;
  for (i = 0; i < opening->race.next; i++) {
    unwatch_attempt(opening, i);
    s99_attempt_end(&opening->attempts[i]);
  }
}


/*
** Resolve
*/

/* A client's local address rules out candidates of the other family. */
static bool drop_unfit(const struct s99_plan *plan, struct s99_candidates *candidates) {
  size_t i, kept = 0;
  if (plan->local.len == 0 || plan->local_port_only)
    return true;
  for (i = 0; i < candidates->count; i++) {
    if (candidates->list[i].addr.sa.sa_family == plan->local.addr.sa.sa_family)
      candidates->list[kept++] = candidates->list[i];
  }
  candidates->count = kept;
  return kept > 0;
}


/* The candidates' addresses in a block of their own. */
static void copy_addresses(struct socket99_opening *opening) {
  const struct s99_candidates *candidates = &opening->plan.candidates;
  size_t i;
  opening->state = ENDED;
  opening->found = calloc(candidates->count, sizeof(*opening->found));
  opening->found_count = candidates->count;
  if (opening->found == NULL)
    fail_call(opening, "calloc", ENOMEM);
  for (i = 0; opening->found != NULL && i < candidates->count; i++)
    memcpy(&opening->found[i], &candidates->list[i].addr, candidates->list[i].len);
}


/* Called when the candidates are known. */
static void open_candidates(struct socket99_opening *opening) {
  if (opening->resolves_only) {
    copy_addresses(opening);
  } else if (!drop_unfit(&opening->plan, &opening->plan.candidates)) {
    fail(opening, SOCKET99_ERROR_BIND, EAFNOSUPPORT);
    opening->failure.candidate = &opening->plan.local;
  } else if (needs_race(opening)) {
    begin_race(opening);
  } else {
    try_in_turn(opening);
  }
}


static void take_answer(struct socket99_opening *opening, struct s99_answer *answer) {
  if (s99_take_answer(&opening->plan, answer))
    open_candidates(opening);
  else
    fail_lookup(opening, answer);
}


/* There are candidates of one family that was asked for alone. */
static bool has_a_family(const struct socket99_opening *opening) {
  return opening->settles_at != S99_NEVER;
}


/* Candidates that joined those that are there; false: none did. */
static bool join(struct socket99_opening *opening, struct s99_answer *answer) {
  struct s99_candidates *candidates = &opening->plan.candidates, joined;
  if (!s99_join_answer(&opening->plan, answer, &joined))
    return false;
  if (!opening->resolves_only)
    (void)drop_unfit(&opening->plan, &joined);
  if (joined.count == candidates->count ||
      (opening->state == RACING && !join_race(opening, &joined))) {
    s99_candidates_free(&joined);
    return false;
  }
  s99_candidates_free(candidates);
  *candidates = joined;
  if (joined.list == joined.inlined)
    candidates->list = candidates->inlined;
  return true;
}


/* The answer for both families is the system's, and complete. Its failure counts unless
** what the name server could not say of both it says of one. */
static void hear_whole(struct socket99_opening *opening, struct s99_answer *answer) {
  if (opening->state == RACING) {
    (void)join(opening, answer);
  } else if (answer->code == 0 ||
             (!has_a_family(opening) && s99_inquiry_knows_all(&opening->inquiry))) {
    s99_inquiry_end(&opening->inquiry, &opening->poller);
    take_answer(opening, answer);
  } else {
    fail_lookup(opening, answer);
    opening->state = RESOLVING;
  }
}


static void hear_family(struct socket99_opening *opening, struct s99_answer *answer) {
  if (join(opening, answer) && !has_a_family(opening))
    opening->settles_at = takes_time(opening) ? 0 : s99_now() + RESOLUTION_DELAY;
}


static bool begin_inquiry(struct socket99_opening *opening) {
  struct s99_answer failure = {EAI_SYSTEM, 0, NULL};
  failure.error = s99_inquiry_begin(&opening->inquiry, &opening->plan, &opening->poller);
  if (failure.error != 0)
    fail_lookup(opening, &failure);
  return failure.error == 0;
}


static void hear_answers(struct socket99_opening *opening) {
  struct s99_answer answer;
  enum s99_question question = S99_WHOLE;
  while (opening->state != ENDED && question != S99_QUESTIONS) {
    question = s99_inquiry_take(&opening->inquiry, &opening->poller, &answer);
    if (question == S99_WHOLE)
      hear_whole(opening, &answer);
    else if (question != S99_QUESTIONS)
      hear_family(opening, &answer);
    if (has_a_family(opening) && s99_inquiry_knows_all(&opening->inquiry))
      s99_inquiry_end(&opening->inquiry, &opening->poller);
  }
}


/* When a lookup has to act even if no answer comes. */
static int64_t next_question(const struct socket99_opening *opening) {
  int64_t next = earlier(opening->inquiry.more_at, opening->settles_at);
  return earlier(next, opening->plan.deadline);
}


static int await_lookup(const struct socket99_opening *opening, int64_t until) {
  struct pollfd polled[S99_QUESTIONS];
  s99_inquiry_give_way(&opening->inquiry);
  s99_inquiry_polled(&opening->inquiry, polled);
  return wait_in_poll(opening, polled, S99_QUESTIONS, s99_poll_ms(until));
}


/* Candidates of one family are opened when the other has been silent for long enough. */
static void open_what_came(struct socket99_opening *opening, int error) {
  bool late = is_late(opening), over = s99_inquiry_is_over(&opening->inquiry);
  if (has_a_family(opening) && (over || late || s99_now() >= opening->settles_at)) {
    opening->failure.stage = SOCKET99_OK;
    open_candidates(opening);
  } else if (over) {
    opening->state = ENDED;
  } else if (error != 0) {
    fail_call(opening, "poll", error);
  } else if (late) {
    fail_late(opening);
  }
}


static void look_up(struct socket99_opening *opening) {
  int error = 0;
  if (!opening->inquiry.begun && !begin_inquiry(opening))
    return;
  if (opening->blocks)
    error = await_lookup(opening, next_question(opening));
  s99_inquiry_ask_more(&opening->inquiry, &opening->plan, &opening->poller);
  hear_answers(opening);
  if (opening->state == RESOLVING)
    open_what_came(opening, error);
}


static void resolve(struct socket99_opening *opening) {
  const struct s99_plan *plan = &opening->plan;
  struct s99_answer answer;
  if (plan->name == NULL && plan->service == NULL) {
    open_candidates(opening);
  } else if (!opening->blocks || plan->deadline != S99_NEVER) {
    look_up(opening);
  } else {
    s99_resolve(plan, &answer);
    take_answer(opening, &answer);
  }
}


/*
** In one call
*/

static bool begin(struct socket99_opening *opening, const socket99_config *cfg,
                  socket99_result *res) {
  opening->state = RESOLVING;
  opening->blocks = true;
  opening->resolves_only = false;
  opening->found = NULL;
  opening->found_count = 0;
  memset(&opening->inquiry, 0, sizeof(opening->inquiry));
  opening->inquiry.more_at = opening->settles_at = S99_NEVER;
  opening->attempts = NULL;
  opening->polled = NULL;
  opening->race.next = 0;
  opening->retry_at = opening->retry_wait = 0;
  opening->only.plan = &opening->plan;
  opening->winner = NULL;
  opening->failure.stage = SOCKET99_OK;
  opening->failure_rank = 0;
  opening->poller.fd = -1;
  if (s99_check(cfg, &opening->plan, res->where))
    return true;
  s99_refuse(res, opening->plan.error);
  return false;
}


/* Goes on as far as it can; where the opening blocks, waits once. */
static void advance(struct socket99_opening *opening) {
  if (opening->state == RACING) {
    hear_answers(opening);
    race(opening);
  } else {
    resolve(opening);
  }
}


/* Frees everything but the poller. */
static void release(struct socket99_opening *opening) {
  if (opening->inquiry.begun)
    s99_inquiry_end(&opening->inquiry, &opening->poller);
  if (opening->attempts != NULL)
    end_attempts(opening);
  free(opening->attempts);
  free(opening->polled);
  opening->attempts = NULL;
  opening->polled = NULL;
  s99_candidates_free(&opening->plan.candidates);
}


/* The result of an opening that has ended; a descriptor is the caller's from here on. */
static bool finish(struct socket99_opening *opening, socket99_result *res) {
  struct s99_attempt *winner = opening->winner;
  if (winner != NULL) {
    s99_succeed(res, winner->fd, winner->candidate->addr.sa.sa_family,
                winner->progress == S99_CONNECTED);
    winner->fd = -1;
  } else if (opening->failure.stage != SOCKET99_OK) {
    s99_report(res, &opening->plan, &opening->failure);
  } else {
    s99_succeed(res, -1, AF_UNSPEC, false);
  }
  release(opening);
  return res->status == SOCKET99_OK;
}


bool s99_open(const socket99_config *cfg, const struct s99_interruption *interruption,
              socket99_result *res) {
  struct socket99_opening opening;
  if (!begin(&opening, cfg, res))
    return false;
  opening.plan.interruption = interruption;
  while (opening.state != ENDED)
    advance(&opening);
  return finish(&opening, res);
}


bool socket99_open(const socket99_config *cfg, socket99_result *res) {
  return s99_open(cfg, NULL, res);
}


struct sockaddr_storage *s99_take_found(socket99_opening *opening, size_t *count) {
  struct sockaddr_storage *found = opening->found;
  *count = opening->found_count;
  opening->found = NULL;
  opening->found_count = 0;
  return found;
}


bool s99_find_addresses(const socket99_config *cfg, const struct s99_interruption *interruption,
                        socket99_result *res, struct sockaddr_storage **addresses, size_t *count) {
  struct socket99_opening opening;
  *addresses = NULL;
  *count = 0;
  if (!begin(&opening, cfg, res))
    return false;
  opening.plan.interruption = interruption;
  opening.resolves_only = true;
  while (opening.state != ENDED)
    advance(&opening);
  *addresses = s99_take_found(&opening, count);
  return finish(&opening, res);
}


bool socket99_resolve(const socket99_config *cfg, socket99_result *res,
                      struct sockaddr_storage **addresses, size_t *count) {
  return s99_find_addresses(cfg, NULL, res, addresses, count);
}


/*
** In steps
*/

static int set_alarm(struct socket99_opening *opening, int64_t at) {
  opening->alarm = at;
  return s99_poller_alarm(&opening->poller, at);
}


static void abandon(struct socket99_opening *opening) {
  free(opening->found);
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
    s99_fail_call(res, "malloc", ENOMEM);
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
    s99_fail_call(res, opening->poller.call, error);
    s99_poller_close(&opening->poller);
    abandon(opening);
    return NULL;
  }
  opening->blocks = false;
  opening->process = s99_process();
  return opening;
}


socket99_opening *s99_start_lookup(const socket99_config *cfg, socket99_result *res) {
  socket99_opening *opening = socket99_start(cfg, res);
  if (opening != NULL)
    opening->resolves_only = true;
  return opening;
}


static int64_t alarm_of(const struct socket99_opening *opening) {
  if (opening->state == ENDED)
    return S99_NEVER;
  return opening->state == RACING ? next_event(opening) : next_question(opening);
}


/* Whether it cannot go on in this process, or at all; the result says why. */
static bool is_over(const struct socket99_opening *opening, socket99_result *res) {
  if (opening->process != s99_process()) {
    s99_fail(res, SOCKET99_ERROR_UNKNOWN, EPERM);
    snprintf(res->where, sizeof(res->where), "opening of process %ld",
             (long)(pid_t)opening->process);
    return true;
  }
  if (opening->state == ENDED) {
    s99_fail(res, SOCKET99_ERROR_UNKNOWN, EALREADY);
    snprintf(res->where, sizeof(res->where), "opening");
    return true;
  }
  return false;
}


bool socket99_step(socket99_opening *opening, socket99_result *res) {
  int error;
  if (is_over(opening, res))
    return true;
  advance(opening);
  /* Without its alarm the opening might never be stepped again. */
  error = set_alarm(opening, alarm_of(opening));
  if (error != 0 && opening->state != ENDED)
    fail_call(opening, opening->poller.call, error);
  if (opening->state == ENDED)
    finish(opening, res);
  return opening->state == ENDED;
}


/* The newest attempt that is connecting becomes the winner. */
static void end_race_early(struct socket99_opening *opening) {
  size_t i = opening->race.next;
  while (i > 0 && opening->polled[i - 1].fd < 0)
    i--;
  if (i == 0)
    return;
  unwatch_attempt(opening, i - 1);
  opening->winner = &opening->attempts[i - 1];
  opening->state = ENDED;
}


bool s99_settle(socket99_opening *opening, socket99_result *res) {
  if (is_over(opening, res))
    return false;
  while (opening->state != ENDED) {
    int error =
        s99_inquiry_is_over(&opening->inquiry) ? 0 : await_lookup(opening, alarm_of(opening));
    if (error != 0)
      fail_call(opening, "poll", error);
    else
      advance(opening);
    if (opening->state == RACING)
      end_race_early(opening);
  }
  (void)set_alarm(opening, S99_NEVER);
  return finish(opening, res);
}


int socket99_pollfd(const socket99_opening *opening) {
  return opening->poller.fd;
}


int socket99_timeout_ms(const socket99_opening *opening) {
  return s99_poll_ms(opening->alarm);
}


/* A child of the process that started the opening only closes descriptors. The
** sockets, the poller's list and the file of the local address are shared with
** the parent: removing a descriptor from the list, turning lingering off or
** unlinking the file would affect it. */
static void leave_to_parent(socket99_opening *opening) {
  opening->poller.fd = -1;
  opening->plan.local.len = 0;
  opening->copy->option_count = 0;
  opening->copy->sockopts[0].option_id = 0;
}


void socket99_cancel(socket99_opening *opening) {
  struct s99_poller poller;
  bool ours;
  if (opening == NULL)
    return;
  poller = opening->poller;
  ours = opening->process == s99_process();
  if (!ours)
    leave_to_parent(opening);
  if (!ours && !S99_POLLER_IS_INHERITED)
    poller.fd = -1;
  release(opening);
  s99_poller_close(&poller);
  abandon(opening);
}
