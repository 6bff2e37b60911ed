/*
** attempt.c: one candidate to one descriptor.
**
** The socket is close-on-exec and has its options before it is bound or
** connected. Where a step fails, what the steps before it made is undone, and
** the first cause is what the result tells.
*/

#include "internal.h"

#include <poll.h>


/*
** Options
*/

static bool set_int(int fd, int level, int option, int value, const char *label,
                    socket99_result *res) {
  if (setsockopt(fd, level, option, &value, sizeof(value)) == 0)
    return true;
  return s99_fail_text(res, SOCKET99_ERROR_SETSOCKOPT, errno, "%s", label);
}


/* A server's socket is bound to the candidate, a client's to its own address. */
static const struct s99_address *bound_address(const struct s99_plan *plan,
                                               const struct s99_address *candidate) {
  if (plan->cfg->server)
    return candidate;
  return plan->own.len > 0 ? &plan->own : NULL;
}


static bool binds_a_port(const struct s99_plan *plan) {
  return plan->cfg->server || plan->cfg->bind_port != 0;
}


/* Whether an IPv6 socket of the plan is dual-stack. */
static bool takes_ipv4(const struct s99_plan *plan) {
  if (plan->v6only != S99_UNSAID)
    return plan->v6only == S99_OFF;
  return plan->any && plan->family == AF_UNSPEC;
}


static bool set_defaults(int fd, const struct s99_plan *plan, const struct s99_address *candidate,
                         socket99_result *res) {
  const struct s99_address *bound = bound_address(plan, candidate);
  int family = candidate->addr.sa.sa_family;
  if (family == AF_UNIX || bound == NULL)
    return true;
  if (plan->type == SOCK_STREAM && plan->reuseaddr == S99_UNSAID && binds_a_port(plan) &&
      !set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR", res))
    return false;
  /* On any other address IPV6_V6ONLY changes nothing. */
  if (family == AF_INET6 && plan->v6only == S99_UNSAID && s99_is_wildcard(bound)) {
    return set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, takes_ipv4(plan) ? 0 : 1, "IPV6_V6ONLY", res);
  }
  return true;
}


static bool fail_option(const socket99_option *option, int error, const struct s99_plan *plan,
                        int family, socket99_result *res) {
  char label[64];
  s99_option_label(option, plan->type, family, label, sizeof(label));
  return s99_fail_text(res, SOCKET99_ERROR_SETSOCKOPT, error, "%s", label);
}


static bool set_old_options(int fd, const struct s99_plan *plan, int family, socket99_result *res) {
  size_t i;
  for (i = 0; i < SOCKET99_MAX_SOCK_OPTS; i++) {
    const socket99_sockopt *option = &plan->cfg->sockopts[i];
    socket99_option numbered;
    if (option->option_id == 0)
      break;
    if (setsockopt(fd, SOL_SOCKET, option->option_id, option->value, option->value_len) == 0)
      continue;
    memset(&numbered, 0, sizeof(numbered));
    numbered.level = SOL_SOCKET;
    numbered.option_id = option->option_id;
    return fail_option(&numbered, errno, plan, family, res);
  }
  return true;
}


static bool set_options(int fd, const struct s99_plan *plan, int family, socket99_result *res) {
  bool dual = family == AF_INET6 && takes_ipv4(plan);
  size_t i;
  for (i = 0; i < plan->cfg->option_count; i++) {
    const socket99_option *option = &plan->cfg->options[i];
    int error = s99_option_apply(fd, option, plan->type, family, dual);
    if (error != 0)
      return fail_option(option, error, plan, family, res);
  }
  return true;
}


/*
** Creation
*/

/* Where socket(2) takes no flags, fcntl(2) sets them. */
static bool set_late_flags(int fd, bool cloexec, bool nonblocking) {
  if (cloexec && S99_SOCK_CLOEXEC == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    return false;
  return !(nonblocking && S99_SOCK_NONBLOCK == 0) || fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}


int s99_create(const struct s99_plan *plan, const struct s99_address *candidate, bool nonblocking,
               socket99_result *res) {
  int family = candidate->addr.sa.sa_family;
  bool cloexec = !plan->cfg->inherit;
  int flags = (cloexec ? S99_SOCK_CLOEXEC : 0) | (nonblocking ? S99_SOCK_NONBLOCK : 0);
  int fd = socket(family, plan->type | flags, 0);
  if (fd < 0) {
    s99_fail(res, SOCKET99_ERROR_SOCKET, errno, candidate);
    return -1;
  }
  if (!set_late_flags(fd, cloexec, nonblocking))
    s99_fail(res, SOCKET99_ERROR_FCNTL, errno, candidate);
  else if (s99_no_sigpipe(fd) != 0)
    s99_fail_text(res, SOCKET99_ERROR_SETSOCKOPT, errno, "SO_NOSIGPIPE");
  else if (set_defaults(fd, plan, candidate, res) && set_old_options(fd, plan, family, res) &&
           set_options(fd, plan, family, res))
    return fd;
  close(fd);
  return -1;
}


/*
** A client's own address
*/

static bool owns_a_file(const struct s99_plan *plan) {
  return plan->own.len > 0 && plan->own.addr.sa.sa_family == AF_UNIX &&
         !s99_is_abstract(&plan->own);
}


static bool bind_own(int fd, const struct s99_plan *plan, const struct s99_address *candidate,
                     socket99_result *res) {
  struct s99_address own = plan->own;
  if (plan->own.len == 0)
    return true;
  if (plan->own_port_only) {
    s99_wildcard(candidate->addr.sa.sa_family, &own);
    s99_set_port(&own, plan->cfg->bind_port);
  }
  if (bind(fd, &own.addr.sa, own.len) == 0)
    return true;
  return s99_fail(res, SOCKET99_ERROR_BIND, errno, &own);
}


/*
** Connecting. Each returns 0 or an errno.
*/

/* A connect that goes on by itself (connect(2), EINTR): wait for its end. */
static int await_connect(int fd) {
  struct pollfd writable;
  int error = 0;
  socklen_t length = sizeof(error);
  writable.fd = fd;
  writable.events = POLLOUT;
  writable.revents = 0;
  while (poll(&writable, 1, -1) < 0) {
    if (errno != EINTR && errno != EAGAIN)
      return errno;
  }
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
    return errno;
  return error;
}


static int connect_unix(int fd, const struct s99_address *candidate) {
  int error;
  do {
    error = connect(fd, &candidate->addr.sa, candidate->len) == 0 ? 0 : errno;
  } while (error == EINTR);
  return error;
}


static int connect_inet(int fd, const struct s99_address *candidate) {
  if (connect(fd, &candidate->addr.sa, candidate->len) == 0)
    return 0;
  if (errno == EINTR)
    return await_connect(fd);
  /* A blocking socket says so only when the caller's SO_SNDTIMEO ran out. */
  return errno == EINPROGRESS ? ETIMEDOUT : errno;
}


/* Replies to a broadcast come from other addresses: it stays unconnected. */
static int connect_datagram(int fd, const struct s99_plan *plan,
                            const struct s99_address *candidate, bool *connected) {
  bool is_broadcast = s99_is_group(candidate);
  int error = 0;
  *connected = false;
  if (!is_broadcast && plan->broadcast == S99_ON)
    error = s99_ask_local_broadcast(candidate, &is_broadcast);
  if (is_broadcast || error != 0)
    return error;
  error = connect_inet(fd, candidate);
  if (error == EACCES && s99_ask_local_broadcast(candidate, &is_broadcast) == 0 && is_broadcast)
    return 0;
  *connected = error == 0;
  return error;
}


/* A closed ephemeral port on loopback can be connected to itself. */
bool s99_is_connected_to_itself(int fd, const struct s99_address *candidate) {
  struct s99_address own;
  own.len = sizeof(own.addr);
  if (!s99_is_loopback(candidate) || !s99_is_ephemeral(candidate))
    return false;
  return getsockname(fd, &own.addr.sa, &own.len) == 0 && s99_same_address(&own, candidate);
}


static int connect_to(int fd, const struct s99_plan *plan, const struct s99_address *candidate,
                      bool *connected) {
  int error;
  *connected = true;
  if (candidate->addr.sa.sa_family == AF_UNIX)
    return connect_unix(fd, candidate);
  if (plan->type == SOCK_DGRAM)
    return connect_datagram(fd, plan, candidate, connected);
  error = connect_inet(fd, candidate);
  if (error == 0 && s99_is_connected_to_itself(fd, candidate))
    return ECONNREFUSED;
  return error;
}


static bool establish(int fd, const struct s99_plan *plan, const struct s99_address *candidate,
                      bool late_nonblocking, socket99_result *res) {
  bool connected = false;
  int error = plan->establish ? connect_to(fd, plan, candidate, &connected) : 0;
  if (error != 0)
    return s99_fail(res, SOCKET99_ERROR_CONNECT, error, candidate);
  if (late_nonblocking && fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
    return s99_fail(res, SOCKET99_ERROR_FCNTL, errno, candidate);
  return s99_succeed(res, fd, candidate->addr.sa.sa_family, connected);
}


bool s99_connect(const struct s99_plan *plan, const struct s99_address *candidate,
                 socket99_result *res) {
  bool nonblocking = plan->cfg->nonblocking;
  /* Only a stream's connect waits, so only it must begin as blocking. */
  bool waits = plan->establish && plan->type != SOCK_DGRAM;
  int fd = s99_create(plan, candidate, nonblocking && !waits, res);
  if (fd < 0)
    return false;
  if (bind_own(fd, plan, candidate, res)) {
    if (establish(fd, plan, candidate, nonblocking && waits, res))
      return true;
    if (owns_a_file(plan))
      unlink(plan->own.addr.un.sun_path);
  }
  close(fd);
  return false;
}


/*
** Attempts that nobody waits for: the socket is non-blocking.
*/

/* With SO_LINGER set, close(2) may wait even where O_NONBLOCK is. */
static void stop_lingering(int fd) {
  struct linger off = {0, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
}


void s99_attempt_end(const struct s99_plan *plan, struct s99_attempt *attempt) {
  attempt->flight = S99_ENDED;
  if (attempt->fd < 0)
    return;
  if (plan->cfg->option_count > 0 || plan->cfg->sockopts[0].option_id != 0)
    stop_lingering(attempt->fd);
  if (owns_a_file(plan))
    unlink(plan->own.addr.un.sun_path);
  close(attempt->fd);
  attempt->fd = -1;
}


static enum s99_flight flight_after(int error, bool is_unix) {
  if (error == 0)
    return S99_CONNECTED;
  if (error == EINPROGRESS || (error == EINTR && !is_unix))
    return S99_IN_FLIGHT;
  return error == EAGAIN && is_unix ? S99_WAITING : S99_ENDED;
}


static void settle(const struct s99_plan *plan, struct s99_attempt *attempt, int error,
                   socket99_result *res) {
  bool is_unix = attempt->candidate->addr.sa.sa_family == AF_UNIX;
  attempt->flight = flight_after(error, is_unix);
  if (attempt->flight == S99_CONNECTED && !is_unix &&
      s99_is_connected_to_itself(attempt->fd, attempt->candidate)) {
    error = ECONNREFUSED;
    attempt->flight = S99_ENDED;
  }
  if (attempt->flight != S99_ENDED)
    return;
  s99_attempt_end(plan, attempt);
  s99_fail(res, SOCKET99_ERROR_CONNECT, error, attempt->candidate);
}


void s99_attempt_again(const struct s99_plan *plan, struct s99_attempt *attempt,
                       socket99_result *res) {
  const struct s99_address *candidate = attempt->candidate;
  int error;
  if (candidate->addr.sa.sa_family == AF_UNIX)
    error = connect_unix(attempt->fd, candidate);
  else
    error = connect(attempt->fd, &candidate->addr.sa, candidate->len) == 0 ? 0 : errno;
  settle(plan, attempt, error, res);
}


void s99_attempt_begin(const struct s99_plan *plan, struct s99_attempt *attempt,
                       socket99_result *res) {
  attempt->flight = S99_ENDED;
  attempt->fd = s99_create(plan, attempt->candidate, true, res);
  if (attempt->fd < 0)
    return;
  if (bind_own(attempt->fd, plan, attempt->candidate, res)) {
    s99_attempt_again(plan, attempt, res);
    return;
  }
  close(attempt->fd);
  attempt->fd = -1;
}


void s99_attempt_check(const struct s99_plan *plan, struct s99_attempt *attempt,
                       socket99_result *res) {
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
    error = errno;
  settle(plan, attempt, error, res);
}


bool s99_attempt_deliver(const struct s99_plan *plan, struct s99_attempt *attempt,
                         socket99_result *res) {
  if (!plan->cfg->nonblocking && fcntl(attempt->fd, F_SETFL, 0) != 0) {
    int error = errno;
    s99_attempt_end(plan, attempt);
    return s99_fail(res, SOCKET99_ERROR_FCNTL, error, attempt->candidate);
  }
  s99_succeed(res, attempt->fd, attempt->candidate->addr.sa.sa_family, true);
  attempt->flight = S99_ENDED;
  attempt->fd = -1;
  return true;
}
