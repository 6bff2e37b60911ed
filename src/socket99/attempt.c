/*
** attempt.c: makes a descriptor from a candidate.
**
** The socket is close-on-exec and has its options before it is bound or
** connected. A step that fails undoes the steps before it, and the attempt
** records the first failure.
*/

#include "internal.h"

#include <poll.h>


bool s99_attempt_fail(struct s99_attempt *attempt, enum socket99_status stage, int error) {
  struct s99_failure *failure = &attempt->failure;
  memset(failure, 0, sizeof(*failure));
  failure->stage = stage;
  failure->error = error;
  failure->candidate = attempt->candidate;
  attempt->progress = S99_ENDED;
  return false;
}


static int family_of(const struct s99_attempt *attempt) {
  return attempt->candidate->addr.sa.sa_family;
}


/*
** Options
*/

static bool fail_constant(struct s99_attempt *attempt, int error, const char *constant) {
  s99_attempt_fail(attempt, SOCKET99_ERROR_SETSOCKOPT, error);
  attempt->failure.text = constant;
  return false;
}


static bool set_int(struct s99_attempt *attempt, int level, int option, int value,
                    const char *constant) {
  if (setsockopt(attempt->fd, level, option, &value, sizeof(value)) == 0)
    return true;
  return fail_constant(attempt, errno, constant);
}


/* The address to bind to: a server's candidate, or a client's local address. */
static const struct s99_address *bound_address(const struct s99_attempt *attempt) {
  if (attempt->plan->cfg->server)
    return attempt->candidate;
  return attempt->plan->local.len > 0 ? &attempt->plan->local : NULL;
}


static bool binds_a_port(const struct s99_plan *plan) {
  return plan->cfg->server || plan->cfg->bind_port != 0;
}


/* Whether an IPv6 socket of the plan is dual-stack. */
static bool takes_ipv4(const struct s99_plan *plan) {
  if (plan->v6only != S99_UNSET)
    return plan->v6only == S99_OFF;
  return plan->any && plan->family == AF_UNSPEC;
}


/* A port that connect(2) chooses may be in use for other peers; one that bind(2)
** chooses may not, so that clients would run out of ports. */
static void leave_port_to_connect(const struct s99_attempt *attempt) {
  const struct s99_plan *plan = attempt->plan;
  int on = 1;
  if (S99_IP_BIND_ADDRESS_NO_PORT < 0 || !plan->establish || plan->type != SOCK_STREAM ||
      binds_a_port(plan))
    return;
  /* Linux before 4.2 lacks it. */
  (void)setsockopt(attempt->fd, IPPROTO_IP, S99_IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
}


static bool set_defaults(struct s99_attempt *attempt) {
  const struct s99_plan *plan = attempt->plan;
  const struct s99_address *bound = bound_address(attempt);
  int family = family_of(attempt);
  if (family == AF_UNIX || bound == NULL)
    return true;
  leave_port_to_connect(attempt);
  if (plan->type == SOCK_STREAM && plan->reuseaddr == S99_UNSET && binds_a_port(plan) &&
      !set_int(attempt, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"))
    return false;
  /* IPV6_V6ONLY has no effect on other addresses. */
  if (family == AF_INET6 && plan->v6only == S99_UNSET && s99_is_wildcard(bound))
    return set_int(attempt, IPPROTO_IPV6, IPV6_V6ONLY, takes_ipv4(plan) ? 0 : 1, "IPV6_V6ONLY");
  return true;
}


static bool set_sockopts(struct s99_attempt *attempt) {
  const socket99_sockopt *option = attempt->plan->cfg->sockopts;
  size_t i;
  for (i = 0; i < SOCKET99_MAX_SOCK_OPTS && option[i].option_id != 0; i++) {
    if (setsockopt(attempt->fd, SOL_SOCKET, option[i].option_id, option[i].value,
                   option[i].value_len) == 0)
      continue;
    s99_attempt_fail(attempt, SOCKET99_ERROR_SETSOCKOPT, errno);
    attempt->failure.option_id = option[i].option_id;
    return false;
  }
  return true;
}


/* Whether candidates of either family may be tried, so that an option which one family
** alone has is meant for that one. */
static bool is_family_open(const struct s99_plan *plan) {
  return plan->family == AF_UNSPEC && (plan->name != NULL || plan->candidates.count > 1);
}


static bool set_options(struct s99_attempt *attempt) {
  const struct s99_plan *plan = attempt->plan;
  int family = family_of(attempt);
  bool dual = family == AF_INET6 && takes_ipv4(plan);
  size_t i;
  for (i = 0; i < plan->cfg->option_count; i++) {
    const socket99_option *option = &plan->cfg->options[i];
    const char *constant;
    int error = s99_option_apply(attempt->fd, option, plan->type, family, dual, &constant);
    if (error == 0 || (error == ENOPROTOOPT && is_family_open(plan) &&
                       s99_option_is_foreign(option, plan->type, family)))
      continue;
    s99_attempt_fail(attempt, SOCKET99_ERROR_SETSOCKOPT, error);
    attempt->failure.text = constant;
    attempt->failure.option = option;
    return false;
  }
  return true;
}


/*
** Creation
*/

/* Sets the flags that socket(2) does not take on this system. */
static bool set_late_flags(int fd, bool cloexec, bool nonblocking) {
  if (cloexec && S99_SOCK_CLOEXEC == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    return false;
  return !(nonblocking && S99_SOCK_NONBLOCK == 0) || fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}


static bool set_up(struct s99_attempt *attempt, bool cloexec, bool nonblocking) {
  if (!set_late_flags(attempt->fd, cloexec, nonblocking))
    return s99_attempt_fail(attempt, SOCKET99_ERROR_FCNTL, errno);
  if (s99_no_sigpipe(attempt->fd) != 0)
    return fail_constant(attempt, errno, "SO_NOSIGPIPE");
  return set_defaults(attempt) && set_sockopts(attempt) && set_options(attempt);
}


void s99_attempt_discard(struct s99_attempt *attempt) {
  close(attempt->fd);
  attempt->fd = -1;
}


bool s99_create(struct s99_attempt *attempt, bool nonblocking) {
  bool cloexec = !attempt->plan->cfg->inherit;
  int flags = (cloexec ? S99_SOCK_CLOEXEC : 0) | (nonblocking ? S99_SOCK_NONBLOCK : 0);
  attempt->fd = socket(family_of(attempt), attempt->plan->type | flags, 0);
  if (attempt->fd < 0)
    return s99_attempt_fail(attempt, SOCKET99_ERROR_SOCKET, errno);
  if (set_up(attempt, cloexec, nonblocking))
    return true;
  s99_attempt_discard(attempt);
  return false;
}


/*
** A client's local address
*/

void s99_local_address(const struct s99_plan *plan, int family, struct s99_address *out) {
  *out = plan->local;
  if (!plan->local_port_only)
    return;
  s99_wildcard(family, out);
  s99_set_port(out, plan->cfg->bind_port);
}


static bool bind_local(struct s99_attempt *attempt) {
  struct s99_address local;
  if (attempt->plan->local.len == 0)
    return true;
  s99_local_address(attempt->plan, family_of(attempt), &local);
  if (bind(attempt->fd, &local.addr.sa, local.len) == 0)
    return true;
  return s99_attempt_fail(attempt, SOCKET99_ERROR_BIND, errno);
}


/* Removes the file that bind_local made. */
static void unlink_local(const struct s99_plan *plan) {
  const struct s99_address *local = &plan->local;
  if (local->len > 0 && local->addr.sa.sa_family == AF_UNIX && !s99_is_abstract(local))
    unlink(local->addr.un.sun_path);
}


/*
** Connecting. Each function returns 0 or an errno.
*/

/* The caller's SO_SNDTIMEO, which bounds a blocking connect; false: there is none. */
static bool get_send_timeout(int fd, struct timeval *timeout) {
  socklen_t length = sizeof(*timeout);
  memset(timeout, 0, sizeof(*timeout));
  return getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, timeout, &length) == 0 &&
         timeout->tv_sec <= INT_MAX && (timeout->tv_sec != 0 || timeout->tv_usec != 0);
}


static int64_t nanoseconds(const struct timeval *time) {
  return ((int64_t)time->tv_sec * 1000000 + time->tv_usec) * 1000;
}


/* Waits for the end of a connect that a signal interrupted; it goes on by
** itself (connect(2), EINTR). */
static int await_connect(const struct s99_plan *plan, int fd, int64_t begun) {
  struct timeval timeout;
  int64_t end = get_send_timeout(fd, &timeout) ? begun + nanoseconds(&timeout) : S99_NEVER;
  struct pollfd writable;
  int ready, error = 0;
  socklen_t length = sizeof(error);
  writable.fd = fd;
  writable.events = POLLOUT;
  writable.revents = 0;
  while ((ready = poll(&writable, 1, s99_poll_ms(end))) <= 0) {
    if (ready < 0) {
      error = errno;
      if (!s99_goes_on(plan, error))
        return error;
      error = 0;
    }
    if (s99_now() >= end)
      return ETIMEDOUT;
  }
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
    return errno;
  return error;
}


static int connect_once(int fd, const struct s99_address *candidate) {
  return connect(fd, &candidate->addr.sa, candidate->len) == 0 ? 0 : errno;
}


/* Of a non-blocking socket. */
static int connect_unix(int fd, const struct s99_address *candidate) {
  int error;
  do {
    error = connect_once(fd, candidate);
  } while (error == EINTR);
  return error;
}


/* The kernel's count begins anew with each call, so the option is set to the rest. */
static int connect_until(int fd, const struct s99_address *candidate, int64_t end) {
  struct timeval left;
  int64_t microseconds = (end - s99_now()) / 1000;
  if (microseconds <= 0)
    return EAGAIN;
  memset(&left, 0, sizeof(left));
  left.tv_sec = (time_t)(microseconds / 1000000);
  left.tv_usec = (suseconds_t)(microseconds % 1000000);
  if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof(left)) != 0)
    return errno;
  return connect_once(fd, candidate);
}


/* Of a blocking socket, which has to begin again after a signal. */
static int connect_unix_waiting(const struct s99_plan *plan, int fd,
                                const struct s99_address *candidate) {
  struct timeval timeout;
  int64_t begun = s99_now(), end = S99_NEVER;
  int error = connect_once(fd, candidate);
  if (error == EINTR && get_send_timeout(fd, &timeout))
    end = begun + nanoseconds(&timeout);
  while (error == EINTR && s99_goes_on(plan, error))
    error = end == S99_NEVER ? connect_once(fd, candidate) : connect_until(fd, candidate, end);
  if (end != S99_NEVER)
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  return error == EAGAIN ? ETIMEDOUT : error;
}


static int connect_inet(const struct s99_plan *plan, int fd, const struct s99_address *candidate) {
  int64_t begun = s99_now();
  int error = connect_once(fd, candidate);
  if (error == EINTR)
    return s99_goes_on(plan, error) ? await_connect(plan, fd, begun) : error;
  /* A blocking socket returns EINPROGRESS only when the caller's SO_SNDTIMEO expires. */
  return error == EINPROGRESS ? ETIMEDOUT : error;
}


/* Replies to a broadcast come from other addresses, so its socket stays unconnected. */
static int connect_datagram(struct s99_attempt *attempt) {
  const struct s99_address *candidate = attempt->candidate;
  bool is_broadcast = s99_is_group(candidate);
  int error = 0;
  if (!is_broadcast && attempt->plan->broadcast == S99_ON)
    error = s99_find_local_broadcast(candidate, &is_broadcast);
  if (is_broadcast || error != 0)
    return error;
  error = connect_inet(attempt->plan, attempt->fd, candidate);
  if (error == EACCES && s99_find_local_broadcast(candidate, &is_broadcast) == 0 && is_broadcast)
    return 0;
  attempt->progress = S99_CONNECTED;
  return error;
}


/* Whether both ends are the same, `port` being that of one. */
static bool has_equal_ends(int fd, int port) {
  struct s99_address local, peer;
  local.len = peer.len = sizeof(local.addr);
  return getsockname(fd, &local.addr.sa, &local.len) == 0 && s99_port(&local) == port &&
         getpeername(fd, &peer.addr.sa, &peer.len) == 0 && s99_same_address(&local, &peer);
}


/* Whether connect(2) may choose this port as the local one. On Linux the range that it
** chooses from begins no lower than the unprivileged ports. */
static bool is_ephemeral(int port) {
  return port >= S99_FIRST_EPHEMERAL_PORT ||
         (port >= IPPORT_RESERVED && port >= s99_first_ephemeral_port());
}


/* A closed ephemeral port of this machine can be connected to itself. */
bool s99_is_connected_to_itself(int fd, const struct s99_address *peer) {
  int port = s99_port(peer);
  return is_ephemeral(port) && has_equal_ends(fd, port);
}


static bool is_connected_to_itself(const struct s99_attempt *attempt) {
  int port = attempt->plan->cfg->bind_port;
  if (port == 0)
    return s99_is_connected_to_itself(attempt->fd, attempt->candidate);
  return port == s99_port(attempt->candidate) && has_equal_ends(attempt->fd, port);
}


static int connect_stream(struct s99_attempt *attempt) {
  int error;
  attempt->progress = S99_CONNECTED;
  if (family_of(attempt) == AF_UNIX)
    return connect_unix_waiting(attempt->plan, attempt->fd, attempt->candidate);
  error = connect_inet(attempt->plan, attempt->fd, attempt->candidate);
  if (error == 0 && is_connected_to_itself(attempt))
    return ECONNREFUSED;
  return error;
}


static int connect_any(struct s99_attempt *attempt) {
  if (attempt->plan->type == SOCK_DGRAM && family_of(attempt) != AF_UNIX)
    return connect_datagram(attempt);
  return connect_stream(attempt);
}


static bool establish(struct s99_attempt *attempt, bool late_nonblocking) {
  int error;
  attempt->progress = S99_UNCONNECTED;
  error = attempt->plan->establish ? connect_any(attempt) : 0;
  if (error != 0)
    return s99_attempt_fail(attempt, SOCKET99_ERROR_CONNECT, error);
  if (late_nonblocking && fcntl(attempt->fd, F_SETFL, O_NONBLOCK) != 0)
    return s99_attempt_fail(attempt, SOCKET99_ERROR_FCNTL, errno);
  return true;
}


bool s99_connect(struct s99_attempt *attempt) {
  const struct s99_plan *plan = attempt->plan;
  bool nonblocking = plan->cfg->nonblocking;
  /* Only a stream's connect waits, so only its socket has to be blocking at first. */
  bool waits = plan->establish && plan->type != SOCK_DGRAM;
  if (!s99_create(attempt, nonblocking && !waits))
    return false;
  if (bind_local(attempt)) {
    if (establish(attempt, nonblocking && waits))
      return true;
    unlink_local(plan);
  }
  s99_attempt_discard(attempt);
  return false;
}


/*
** Attempts in a race: the socket is non-blocking.
*/

/* With SO_LINGER set, close(2) may wait in spite of O_NONBLOCK. */
static void stop_lingering(int fd) {
  struct linger off = {0, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
}


void s99_attempt_end(struct s99_attempt *attempt) {
  const socket99_config *cfg = attempt->plan->cfg;
  attempt->progress = S99_ENDED;
  if (attempt->fd < 0)
    return;
  if (cfg->option_count > 0 || cfg->sockopts[0].option_id != 0)
    stop_lingering(attempt->fd);
  unlink_local(attempt->plan);
  s99_attempt_discard(attempt);
}


static enum s99_progress progress_after(int error, bool is_unix) {
  if (error == 0)
    return S99_CONNECTED;
  if (error == EINPROGRESS || (error == EINTR && !is_unix))
    return S99_CONNECTING;
  return error == EAGAIN && is_unix ? S99_BACKLOG_FULL : S99_ENDED;
}


/* `error` is the outcome of connect(2) or SO_ERROR. */
static void settle(struct s99_attempt *attempt, int error) {
  bool is_unix = family_of(attempt) == AF_UNIX;
  if (error == 0 && !is_unix && is_connected_to_itself(attempt))
    error = ECONNREFUSED;
  attempt->progress = progress_after(error, is_unix);
  if (attempt->progress != S99_ENDED)
    return;
  s99_attempt_end(attempt);
  s99_attempt_fail(attempt, SOCKET99_ERROR_CONNECT, error);
}


void s99_attempt_again(struct s99_attempt *attempt) {
  const struct s99_address *candidate = attempt->candidate;
  int error;
  if (candidate->addr.sa.sa_family == AF_UNIX)
    error = connect_unix(attempt->fd, candidate);
  else
    error = connect_once(attempt->fd, candidate);
  settle(attempt, error);
}


void s99_attempt_begin(struct s99_attempt *attempt) {
  if (!s99_create(attempt, true))
    return;
  if (bind_local(attempt))
    s99_attempt_again(attempt);
  else
    s99_attempt_discard(attempt);
}


void s99_attempt_check(struct s99_attempt *attempt) {
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
    error = errno;
  settle(attempt, error);
}


bool s99_attempt_finish(struct s99_attempt *attempt) {
  int error;
  if (attempt->plan->cfg->nonblocking || fcntl(attempt->fd, F_SETFL, 0) == 0)
    return true;
  error = errno;
  s99_attempt_end(attempt);
  return s99_attempt_fail(attempt, SOCKET99_ERROR_FCNTL, error);
}
