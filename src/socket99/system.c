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


/* macOS has no clock but the real one for a condition variable, and a wait for a length
** of time in its place. */
#if defined(__APPLE__)

int s99_condition_init(pthread_cond_t *condition) {
  return pthread_cond_init(condition, NULL);
}


int s99_condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until) {
  int64_t left = until - s99_now();
  struct timespec length = {0, 0};
  if (left > 0) {
    length.tv_sec = (time_t)(left / 1000000000);
    length.tv_nsec = (long)(left % 1000000000);
  }
  return pthread_cond_timedwait_relative_np(condition, lock, &length);
}

#else

int s99_condition_init(pthread_cond_t *condition) {
  pthread_condattr_t attributes;
  int error = pthread_condattr_init(&attributes);
  if (error != 0)
    return error;
  error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  if (error == 0)
    error = pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
  return error;
}


int s99_condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until) {
  struct timespec at;
  at.tv_sec = (time_t)(until / 1000000000);
  at.tv_nsec = (long)(until % 1000000000);
  return pthread_cond_timedwait(condition, lock, &at);
}

#endif
