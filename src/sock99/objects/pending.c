/*
** pending.c: an object that is still connecting to a name.
**
** Its `fd` is -1 meanwhile, which methods that need a descriptor test anyway. Instead
** it has a struct sock99_pending with an opening of the C library. The opening either
** races addresses and produces a descriptor; or it looks up the name for the
** descriptor that the object already had, which is then connected to one address after
** the other. When the last address is being tried, the object gets its descriptor back
** and is like one that connects to a numeric address.
**
** Nothing here runs Lua or raises an error.
*/

#include "objects.h"

#include <poll.h>

enum phase {
  RACING,    /* the opening will produce a descriptor */
  RESOLVING, /* the opening will produce addresses for `fd` */
  TRYING,    /* `fd` is being connected, and there are more addresses to try */
  FAILED,    /* until a method reports the error */
  OVER       /* the object has its descriptor */
};

/* An option set before there is a descriptor. */
struct late_option {
  struct late_option *next;
  socket99_config *config; /* with this one option */
};

struct sock99_pending {
  enum phase phase;
  struct sock99_opening opening;
  int fd; /* -1: none */
  struct sockaddr_storage *addresses;
  size_t count, next;
  struct late_option *options, **last_option;
  socket99_result failure;
  int watched; /* 1: pollfd has returned the opening's descriptor; more: and then the object's */
};


/*
** Openings
*/

void sock99_derive_settings(socket99_config *config, struct sock99_settings *settings) {
  settings->never_waits = config->nonblocking;
  settings->type = config->seqpacket ? SOCK_SEQPACKET : config->datagram ? SOCK_DGRAM : SOCK_STREAM;
  /* accept(2) would block if the client has gone since poll(2) reported it. */
  if (config->server && !config->datagram && !config->unconnected)
    config->nonblocking = true;
  settings->config = *config;
}


void sock99_adopt_result(struct sock99_socket *s, const struct sock99_settings *settings,
                         const socket99_result *result) {
  s->fd = result->fd;
  s->type = (unsigned char)settings->type;
  s->family = (unsigned char)result->family;
  s->is_nonblocking = settings->config.nonblocking;
}


void sock99_cancel(struct sock99_opening *opening) {
  socket99_opening *running = opening->running;
  opening->running = NULL;
  socket99_cancel(running);
}


/*
** Begin and end
*/

static bool begin(struct sock99_socket *s, enum phase phase, socket99_result *result) {
  struct sock99_pending *pending = calloc(1, sizeof(*pending));
  if (pending == NULL) {
    s99_fail(result, SOCKET99_ERROR_UNKNOWN, ENOMEM);
    return false;
  }
  pending->phase = phase;
  pending->fd = -1;
  pending->last_option = &pending->options;
  sock99_end_pending(s);
  s->pending = pending;
  return true;
}


bool sock99_begin_race(struct sock99_socket *s, const socket99_config *config,
                       const struct sock99_settings *settings, socket99_result *result) {
  if (!begin(s, RACING, result))
    return false;
  s->pending->opening.settings = *settings;
  s->pending->opening.running = socket99_start(config, result);
  if (s->pending->opening.running == NULL)
    sock99_end_pending(s);
  return s->pending != NULL;
}


bool sock99_begin_lookup(struct sock99_socket *s, const socket99_config *config,
                         socket99_result *result) {
  if (!begin(s, RESOLVING, result))
    return false;
  s->pending->opening.running = s99_start_lookup(config, result);
  if (s->pending->opening.running == NULL) {
    sock99_end_pending(s);
    return false;
  }
  s->pending->fd = s->fd;
  s->fd = -1;
  return true;
}


void sock99_end_pending(struct sock99_socket *s) {
  struct sock99_pending *pending = s->pending;
  struct late_option *option;
  if (pending == NULL)
    return;
  s->pending = NULL;
  sock99_cancel(&pending->opening);
  if (pending->fd >= 0)
    close(pending->fd);
  while ((option = pending->options) != NULL) {
    pending->options = option->next;
    free(option->config);
    free(option);
  }
  free(pending->addresses);
  free(pending);
}


bool sock99_has_opening(const struct sock99_socket *s) {
  return s->pending->phase != OVER;
}


void sock99_close_pending(struct sock99_socket *s) {
  if (s->pending != NULL && s->pending->watched < 2)
    sock99_end_pending(s);
}


/*
** Options
*/

int sock99_keep_option(struct sock99_socket *s, const socket99_option *option) {
  struct late_option *late = malloc(sizeof(*late));
  socket99_config config;
  memset(&config, 0, sizeof(config));
  config.options = option;
  config.option_count = 1;
  if (late == NULL)
    return ENOMEM;
  late->next = NULL;
  late->config = s99_copy_config(&config);
  if (late->config == NULL) {
    free(late);
    return ENOMEM;
  }
  *s->pending->last_option = late;
  s->pending->last_option = &late->next;
  return 0;
}


int sock99_apply_option(const struct sock99_socket *s, int fd, const socket99_option *option,
                        const char **constant) {
  if (option->name != NULL)
    return s99_option_set(fd, option->name, &option->value, constant);
  return s99_option_apply(fd, option, s->type, s->family, false, constant);
}


static void apply_options(const struct sock99_socket *s) {
  const struct late_option *late;
  const char *constant;
  for (late = s->pending->options; late != NULL; late = late->next)
    (void)sock99_apply_option(s, s->fd, &late->config->options[0], &constant);
}


/*
** Steps
*/

static bool is_in_progress(const struct sock99_socket *s) {
  return sock99_is_pending(s) && s->pending->phase != FAILED;
}


/* The connection may still be in progress: connect gets its result from the descriptor.
** If a loop has watched the opening's descriptor, it stays open for the loop to remove. */
static void finish(struct sock99_socket *s) {
  s->is_connecting = s->wants_writing = true;
  if (s->pending->watched > 0)
    s->pending->phase = OVER;
  else
    sock99_end_pending(s);
}


static void finish_on_descriptor(struct sock99_socket *s) {
  s->fd = s->pending->fd;
  s->pending->fd = -1;
  finish(s);
}


static void finish_with_result(struct sock99_socket *s, const socket99_result *result) {
  sock99_adopt_result(s, &s->pending->opening.settings, result);
  apply_options(s);
  finish(s);
}


static void fail(struct sock99_socket *s, const struct s99_address *peer, int error) {
  socket99_result *failure = &s->pending->failure;
  s99_fail(failure, SOCKET99_ERROR_CONNECT, error);
  socket99_address_text(&peer->addr.sa, peer->len, failure->where, sizeof(failure->where));
}


int sock99_start_connect(int fd, const struct s99_address *peer) {
  int error = connect(fd, &peer->addr.sa, peer->len) == 0 ? 0 : errno;
  /* With this error Linux clears the last attempt, whose error was reported. */
  if (error == ECONNABORTED)
    error = connect(fd, &peer->addr.sa, peer->len) == 0 ? 0 : errno;
  /* EALREADY: started through another object with the same descriptor. */
  return error == EINTR || error == EALREADY ? EINPROGRESS : error;
}


int sock99_connect_error(int fd) {
  int error = 0;
  socklen_t length = sizeof(error);
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}


/* Starts to connect to the next address that does not fail immediately. */
static void try_next(struct sock99_socket *s) {
  struct sock99_pending *pending = s->pending;
  pending->phase = FAILED;
  while (pending->phase == FAILED && pending->next < pending->count) {
    struct s99_address peer;
    int error;
    sock99_pick_address(pending->addresses, pending->count, s->family, pending->next++, &peer);
    error = sock99_start_connect(pending->fd, &peer);
    if (error == 0 || error == EINPROGRESS)
      pending->phase = TRYING;
    else
      fail(s, &peer, error);
  }
  if (pending->phase == TRYING && pending->next == pending->count)
    finish_on_descriptor(s);
}


static void check_attempt(struct sock99_socket *s) {
  struct sock99_pending *pending = s->pending;
  struct pollfd polled = {.fd = pending->fd, .events = POLLOUT};
  struct s99_address peer;
  int error;
  if (poll(&polled, 1, 0) <= 0)
    return;
  error = sock99_connect_error(pending->fd);
  if (error == 0) {
    finish_on_descriptor(s);
    return;
  }
  sock99_pick_address(pending->addresses, pending->count, s->family, pending->next - 1, &peer);
  fail(s, &peer, error);
  try_next(s);
}


static void step_opening(struct sock99_socket *s) {
  struct sock99_pending *pending = s->pending;
  socket99_result result;
  if (!socket99_step(pending->opening.running, &result))
    return;
  if (result.status != SOCKET99_OK) {
    pending->phase = FAILED;
    pending->failure = result;
  } else if (pending->phase == RACING) {
    finish_with_result(s, &result);
  } else {
    pending->addresses = s99_take_found(pending->opening.running, &pending->count);
    try_next(s);
  }
}


void sock99_step(struct sock99_socket *s) {
  if (!is_in_progress(s))
    return;
  if (s->pending->phase == TRYING)
    check_attempt(s);
  else
    step_opening(s);
}


/*
** Waiting
*/

int sock99_poll_target(const struct sock99_socket *s, short *events) {
  const struct sock99_pending *pending = s->pending;
  *events = POLLIN;
  if (!sock99_is_pending(s))
    return s->fd;
  if (pending->phase == TRYING)
    *events = POLLOUT;
  return pending->phase == TRYING ? pending->fd : socket99_pollfd(pending->opening.running);
}


/* Waits once. Returns 0, SOCK99_TIMEOUT, or an errno. Hooks that run here may have
** closed the object. */
static int wait_once(lua_State *L, const struct sock99_socket *s, int64_t end) {
  struct pollfd polled = {.fd = -1};
  int ready;
  polled.fd = sock99_poll_target(s, &polled.events);
  ready = sock99_poll(L, &polled, 1, end);
  if (ready < 0 && errno != EINTR)
    return errno;
  return ready == 0 ? SOCK99_TIMEOUT : 0;
}


static void fail_to_poll(struct sock99_socket *s, int error) {
  socket99_result *failure = &s->pending->failure;
  s->pending->phase = FAILED;
  s99_fail(failure, SOCKET99_ERROR_UNKNOWN, error);
  snprintf(failure->where, sizeof(failure->where), "poll");
}


int sock99_await(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit) {
  int error = 0;
  sock99_step(s);
  while (error == 0 && is_in_progress(s)) {
    error = wait_once(L, s, sock99_limit_end(limit));
    sock99_step(s);
  }
  if (error == SOCK99_TIMEOUT && is_in_progress(s))
    return SOCK99_TIMEOUT;
  if (error > 0 && is_in_progress(s))
    fail_to_poll(s, error);
  return 0;
}


bool sock99_await_descriptor(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                             struct sock99_failure *failure) {
  socket99_result result;
  int error = sock99_is_pending(s) ? sock99_await(L, s, limit) : 0;
  if (s->fd >= 0)
    return true;
  if (sock99_take_failure(s, &result))
    sock99_describe(L, &result, failure);
  else
    *failure = (struct sock99_failure){.error = error != 0 ? error : SOCK99_CLOSED};
  return false;
}


/*
** Results
*/

static bool is_in(const struct sock99_socket *s, enum phase phase) {
  return sock99_is_pending(s) && s->pending->phase == phase;
}


/* A race waits in the library, where hooks do not run. */
void sock99_settle(lua_State *L, struct sock99_socket *s) {
  socket99_result result;
  sock99_step(s);
  while (is_in(s, RESOLVING)) {
    (void)wait_once(L, s, S99_NEVER);
    sock99_step(s);
  }
  if (is_in(s, TRYING))
    finish_on_descriptor(s);
  if (!is_in(s, RACING))
    return;
  if (s99_settle(s->pending->opening.running, &result)) {
    finish_with_result(s, &result);
  } else {
    s->pending->phase = FAILED;
    s->pending->failure = result;
  }
}


bool sock99_has_failed(const struct sock99_socket *s) {
  return sock99_is_pending(s) && s->pending->phase == FAILED;
}


bool sock99_take_failure(struct sock99_socket *s, socket99_result *failure) {
  if (!sock99_has_failed(s))
    return false;
  *failure = s->pending->failure;
  s->fd = s->pending->fd;
  s->pending->fd = -1;
  sock99_end_pending(s);
  return true;
}


int sock99_descriptor(const struct sock99_socket *s) {
  return sock99_is_pending(s) ? s->pending->fd : s->fd;
}


void sock99_release_descriptor(struct sock99_socket *s) {
  s->fd = -1;
  if (s->pending != NULL)
    s->pending->fd = -1;
}


/*
** Loops such as cqueues fail if a descriptor is closed before they have removed it,
** which they do in their next turn. So once the object has a descriptor, the opening's
** stays open until a loop has queried the object's twice: the first query may come in
** the same turn (cqueues.cancel). If the object is closed after the first query, the
** opening's descriptor stays open until the object is collected.
*/
int sock99_pollfd(struct sock99_socket *s) {
  struct sock99_pending *pending = s->pending;
  short events;
  if (pending != NULL && pending->phase == OVER && ++pending->watched > 2)
    sock99_end_pending(s);
  else if (pending != NULL && (pending->phase == RACING || pending->phase == RESOLVING))
    pending->watched = 1;
  return sock99_poll_target(s, &events);
}
