/*
** listener.c: one candidate to one bound and listening descriptor.
**
** Unix paths need care: the socket file must never have more permissions than
** `mode` allows, not even for an instant, and an existing file is removed only
** if it is a socket that nobody listens on.
*/

#include "internal.h"


/*
** Stale socket files
*/

static bool is_socket_file(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}


/*
** Whether nobody listens on `path`, so that a connect is refused. The probe is
** a datagram socket: a stream socket could block, would enter the backlog of a
** live listener, and is refused by a socket that is bound but does not listen
** yet.
*/
static bool is_refused(int probe, const char *path) {
  struct s99_address address;
  int status;
  if (!s99_unix(path, strlen(path), &address))
    return false;
  do {
    status = connect(probe, &address.addr.sa, address.len);
  } while (status != 0 && errno == EINTR);
  return status != 0 && errno == ECONNREFUSED;
}


/* Renames `path` to an unused name of the same length in its directory. */
static bool move_aside(const char *path, char *aside) {
  static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  const char *slash = strrchr(path, '/');
  size_t length = strlen(path);
  size_t first = slash == NULL ? 0 : (size_t)(slash - path) + 1;
  unsigned long seed = (unsigned long)getpid();
  int tries;
  if (length - first > 6)
    first = length - 6;
  memcpy(aside, path, length + 1);
  for (tries = 0; tries < 100; tries++) {
    unsigned long number = seed + (unsigned long)tries * 7919;
    size_t i;
    for (i = length; i > first; i--, number /= 36)
      aside[i - 1] = digits[number % 36];
    if (s99_rename_noreplace(path, aside) == 0)
      return true;
    if (errno != EEXIST)
      return false;
  }
  return false;
}


/*
** A stale socket is moved aside and probed again there. If a server has taken
** the path in the meantime, its socket is moved back; so is a file that cannot
** be removed. Such a server is without a name for a few microseconds.
*/
static void remove_refused(int probe, const char *path) {
  char aside[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
  if (!is_refused(probe, path) || !move_aside(path, aside))
    return;
  if (!is_socket_file(aside) || !is_refused(probe, aside) || unlink(aside) != 0)
    s99_rename_noreplace(aside, path);
}


/* 0, or the errno of socket(2) if there is no probe. */
static int remove_stale(const char *path) {
  int probe;
  if (!is_socket_file(path))
    return 0;
  probe = socket(AF_UNIX, SOCK_DGRAM | S99_SOCK_CLOEXEC, 0);
  if (probe < 0)
    return errno;
  remove_refused(probe, path);
  close(probe);
  return 0;
}


/*
** Permission bits
*/

/* On Linux bind gives the file the permission bits of the socket, less the umask. */
static bool set_mode_before_bind(int fd, unsigned int mode) {
  return !S99_HAVE_FCHMOD_BEFORE_BIND || fchmod(fd, mode & 0777) == 0;
}


static int set_bits(int file, unsigned int mode) {
  char self[64];
  struct stat status;
  if (fstat(file, &status) != 0)
    return errno;
  if (!S_ISSOCK(status.st_mode))
    return EADDRINUSE;
  if ((status.st_mode & 0777) == (mode & 0777))
    return 0;
  snprintf(self, sizeof(self), "/proc/self/fd/%d", file);
  return chmod(self, mode & 0777) == 0 ? 0 : errno;
}


/* Adds the bits that the umask removed. The descriptor ensures that the file
** that was checked is the one that is changed. */
static int add_missing_bits(const char *path, unsigned int mode) {
  int file, error;
  do {
    file = open(path, S99_O_PATH | O_NOFOLLOW | O_CLOEXEC);
  } while (file < 0 && errno == EINTR);
  if (file < 0)
    return errno;
  error = set_bits(file, mode);
  close(file);
  return error;
}


static int set_mode_after_bind(const char *path, unsigned int mode) {
  if (S99_HAVE_FCHMOD_BEFORE_BIND)
    return add_missing_bits(path, mode);
  return fchmodat(AT_FDCWD, path, mode & 0777, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}


/*
** Bind and listen
*/

static int backlog(const socket99_config *cfg) {
  return cfg->backlog_size > 0 ? cfg->backlog_size : SOMAXCONN;
}


static bool start_listening(struct s99_attempt *attempt) {
  const struct s99_plan *plan = attempt->plan;
  if (plan->type == SOCK_DGRAM || !plan->establish)
    return true;
  if (listen(attempt->fd, backlog(plan->cfg)) == 0)
    return true;
  return s99_attempt_fail(attempt, SOCKET99_ERROR_LISTEN, errno);
}


static bool bind_candidate(struct s99_attempt *attempt) {
  const struct s99_address *candidate = attempt->candidate;
  if (bind(attempt->fd, &candidate->addr.sa, candidate->len) == 0)
    return true;
  return s99_attempt_fail(attempt, SOCKET99_ERROR_BIND, errno);
}


static bool listen_on_file(struct s99_attempt *attempt) {
  const char *path = attempt->candidate->addr.un.sun_path;
  unsigned int mode = attempt->plan->cfg->mode;
  int error = attempt->plan->cfg->unlink_stale ? remove_stale(path) : 0;
  if (error != 0)
    return s99_attempt_fail(attempt, SOCKET99_ERROR_SOCKET, error);
  if (mode != 0 && !set_mode_before_bind(attempt->fd, mode))
    return s99_attempt_fail(attempt, SOCKET99_ERROR_BIND, errno);
  if (!bind_candidate(attempt))
    return false;
  error = mode != 0 ? set_mode_after_bind(path, mode) : 0;
  if (error != 0)
    s99_attempt_fail(attempt, SOCKET99_ERROR_BIND, error);
  else if (start_listening(attempt))
    return true;
  /* EADDRINUSE: another file has taken the place of ours. */
  if (error != EADDRINUSE)
    unlink(path);
  return false;
}


static bool listen_on_address(struct s99_attempt *attempt) {
  return bind_candidate(attempt) && start_listening(attempt);
}


bool s99_listen(struct s99_attempt *attempt) {
  const struct s99_address *candidate = attempt->candidate;
  bool file = candidate->addr.sa.sa_family == AF_UNIX && !s99_is_abstract(candidate);
  if (!s99_create(attempt, attempt->plan->cfg->nonblocking))
    return false;
  attempt->progress = S99_UNCONNECTED;
  if (file ? listen_on_file(attempt) : listen_on_address(attempt))
    return true;
  s99_attempt_discard(attempt);
  return false;
}
