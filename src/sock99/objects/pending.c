/*
** pending.c: an object that is still connecting to a name.
**
** Its descriptor is -1 meanwhile, so that methods which need one find out at no
** cost. What it has instead is a struct sock99_pending: an opening of the C library
** that races for a descriptor, or that looks the name up for the descriptor which
** the object has had from the start and which is then connected to one address
** after the other. With the last address that may still answer, the object gets
** its descriptor back and is like one that connects to a numeric address.
**
** Nothing here runs Lua or raises an error.
*/

#include "objects.h"

#include <poll.h>

enum phase {
  RACING,    /* the opening brings a descriptor */
  RESOLVING, /* the opening brings addresses for `fd` */
  TRYING,    /* `fd` is being connected, and there are more addresses to try */
  FAILED,    /* until a method tells why */
  OVER       /* the object has its descriptor */
};

/* An option that was set before there was a descriptor. */
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
  int watched; /* 1: pollfd has given the opening's descriptor; more: and then another */
};


/*
** Openings
*/

void sock99_prepare(socket99_config *config, struct sock99_traits *traits) {
  traits->never_waits = config->nonblocking;
  traits->type = config->seqpacket ? SOCK_SEQPACKET : config->datagram ? SOCK_DGRAM : SOCK_STREAM;
  /* accept(2) would hang where the peer has gone after poll(2) told of it. */
  if (config->server && !config->datagram && !config->unconnected)
    config->nonblocking = true;
  traits->config = *config;
}


void sock99_take_result(struct sock99_socket *s, const struct sock99_traits *traits,
                        const socket99_result *result) {
  s->fd = result->fd;
  s->type = (unsigned char)traits->type;
  s->family = (unsigned char)result->family;
  s->is_nonblocking = traits->config.nonblocking;
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
                       const struct sock99_traits *traits, socket99_result *result) {
  if (!begin(s, RACING, result))
    return false;
  s->pending->opening.traits = *traits;
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
** Going on
*/

static bool is_under_way(const struct sock99_socket *s) {
  return sock99_is_pending(s) && s->pending->phase != FAILED;
}


/* The connection may still be under way: connect asks the descriptor for its end.
** A loop that has watched the opening will remove its descriptor, so it stays. */
static void land(struct sock99_socket *s) {
  s->is_connecting = s->wants_writing = true;
  if (s->pending->watched > 0)
    s->pending->phase = OVER;
  else
    sock99_end_pending(s);
}


static void land_on_own(struct sock99_socket *s) {
  s->fd = s->pending->fd;
  s->pending->fd = -1;
  land(s);
}


static void land_with(struct sock99_socket *s, const socket99_result *result) {
  sock99_take_result(s, &s->pending->opening.traits, result);
  apply_options(s);
  land(s);
}


static void fail(struct sock99_socket *s, const struct s99_address *peer, int error) {
  socket99_result *failure = &s->pending->failure;
  s99_fail(failure, SOCKET99_ERROR_CONNECT, error);
  socket99_address_text(&peer->addr.sa, peer->len, failure->where, sizeof(failure->where));
}


int sock99_start_connect(int fd, const struct s99_address *peer) {
  int error = connect(fd, &peer->addr.sa, peer->len) == 0 ? 0 : errno;
  /* By this, Linux forgets the last attempt, whose own error was told. */
  if (error == ECONNABORTED)
    error = connect(fd, &peer->addr.sa, peer->len) == 0 ? 0 : errno;
  /* EALREADY: begun through another object on the same descriptor. */
  return error == EINTR || error == EALREADY ? EINPROGRESS : error;
}


int sock99_connect_error(int fd) {
  int error = 0;
  socklen_t length = sizeof(error);
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}


/* Connects to the next address that does not fail at once. */
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
    land_on_own(s);
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
    land_on_own(s);
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
    land_with(s, &result);
  } else {
    pending->addresses = s99_take_found(pending->opening.running, &pending->count);
    try_next(s);
  }
}


void sock99_step(struct sock99_socket *s) {
  if (!is_under_way(s))
    return;
  if (s->pending->phase == TRYING)
    check_attempt(s);
  else
    step_opening(s);
}


/*
** Waiting
*/

int sock99_watched(const struct sock99_socket *s, short *events) {
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
  polled.fd = sock99_watched(s, &polled.events);
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
  while (error == 0 && is_under_way(s)) {
    error = wait_once(L, s, sock99_limit_end(limit));
    sock99_step(s);
  }
  if (error == SOCK99_TIMEOUT && is_under_way(s))
    return SOCK99_TIMEOUT;
  if (error > 0 && is_under_way(s))
    fail_to_poll(s, error);
  return 0;
}


bool sock99_arrive(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
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
** The end
*/

static bool is_in(const struct sock99_socket *s, enum phase phase) {
  return sock99_is_pending(s) && s->pending->phase == phase;
}


/* A race waits in the library, where no hooks run. */
void sock99_settle(lua_State *L, struct sock99_socket *s) {
  socket99_result result;
  sock99_step(s);
  while (is_in(s, RESOLVING)) {
    (void)wait_once(L, s, S99_NEVER);
    sock99_step(s);
  }
  if (is_in(s, TRYING))
    land_on_own(s);
  if (!is_in(s, RACING))
    return;
  if (s99_settle(s->pending->opening.running, &result)) {
    land_with(s, &result);
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
** A loop like cqueues' ends in an error if a descriptor is closed before it has
** removed it, which it does at its next turn. Once the object has a descriptor, the
** opening's stays open until a loop has asked twice for the object's: the first
** question may come within the same turn (cqueues.cancel). If the object is closed
** after the first one, the opening's descriptor lives until the object is collected.
*/
int sock99_pollfd(struct sock99_socket *s) {
  struct sock99_pending *pending = s->pending;
  short events;
  if (pending != NULL && pending->phase == OVER && ++pending->watched > 2)
    sock99_end_pending(s);
  else if (pending != NULL && (pending->phase == RACING || pending->phase == RESOLVING))
    pending->watched = 1;
  return sock99_watched(s, &events);
}
