/*
** system.c: calls that need more than one of POSIX's, and are the same on every
** system. system_linux.c and system_bsd.c have those that are not.
*/

#include "platform.h"


/* The strerror_r of glibc and Android returns the text, POSIX's an error. musl describes
** unknown errors as it describes error 0. */
const char *s99_strerror(int error, char *buf, size_t size) {
#if defined(__GLIBC__) || (defined(__ANDROID__) && defined(_GNU_SOURCE))
  return strerror_r(error, buf, size);
#else
  char none[64];
  if (strerror_r(error, buf, size) != 0 ||
      (error != 0 && strerror_r(0, none, sizeof(none)) == 0 && strcmp(buf, none) == 0))
    snprintf(buf, size, "Unknown error %d", error);
  return buf;
#endif
}


int64_t s99_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}


void s99_close_quietly(int fd) {
  int error = errno;
  close(fd);
  errno = error;
}


int s99_no_sigpipe(int fd) {
  int on = 1;
  if (S99_SO_NOSIGPIPE < 0)
    return 0;
  return setsockopt(fd, SOL_SOCKET, S99_SO_NOSIGPIPE, &on, sizeof(on));
}


/* link(2), too, fails if `to` exists. */
int s99_rename_noreplace(const char *from, const char *to) {
  int error;
  if (S99_RENAME_EXCLUSIVE(from, to) == 0)
    return 0;
  if ((errno != EINVAL && errno != ENOSYS) || link(from, to) != 0)
    return -1;
  if (unlink(from) == 0)
    return 0;
  error = errno;
  unlink(to);
  errno = error;
  return -1;
}


/* An eventfd takes exactly eight bytes. */
void s99_wake(int end) {
  uint64_t one = 1;
  while (write(end, &one, sizeof(one)) < 0 && errno == EINTR)
    continue;
}
