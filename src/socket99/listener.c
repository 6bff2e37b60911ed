/*
** listener.c: one candidate to one bound and listening descriptor.
**
** A Unix path is the delicate case: its file must not be open to more than
** `mode` allows at any instant, and a file that is in the way is removed only
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
** Nobody listens there: a connect is refused. It is a datagram socket that
** asks, since a stream socket would be queued by a live listener, would call
** one that is bound but does not listen yet dead, and could block.
*/
static bool is_refused(int asking, const char *path) {
  struct s99_address address;
  int status;
  if (!s99_unix(path, strlen(path), &address))
    return false;
  do {
    status = connect(asking, &address.addr.sa, address.len);
  } while (status != 0 && errno == EINTR);
  return status != 0 && errno == ECONNREFUSED;
}


/* Beside `path`, as long as it, and taken by nobody: its last characters differ. */
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
** What is stale is moved aside and asked again there: a server that took the
** path in the meantime is put back, and so is what cannot be removed. Between
** the look and the rename remain a few microseconds in which it has no name.
*/
static void remove_refused(int asking, const char *path) {
  char aside[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
  if (!is_refused(asking, path) || !move_aside(path, aside))
    return;
  if (!is_socket_file(aside) || !is_refused(asking, aside) || unlink(aside) != 0)
    s99_rename_noreplace(aside, path);
}


/* 0, or the errno of a question that could not be asked. */
static int remove_stale(const char *path) {
  int asking;
  if (!is_socket_file(path))
    return 0;
  asking = socket(AF_UNIX, SOCK_DGRAM | S99_SOCK_CLOEXEC, 0);
  if (asking < 0)
    return errno;
  remove_refused(asking, path);
  close(asking);
  return 0;
}


/*
** Permission bits
*/

/* Linux: the file gets the socket's bits, less the umask's, when it is made. */
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


/* Add what the umask took, on the very file that was looked at. */
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
