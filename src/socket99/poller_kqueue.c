/*
** poller_kqueue.c: the poller on macOS and the BSDs.
*/

#include "internal.h"

#if !S99_HAVE_EPOLL

#include <sys/event.h>

/* The identifier of the alarm's timer. */
#define ALARM 1

/* The longest time, in milliseconds, that a timer takes where its data has 32 bits: 24.8
** days. Whoever is woken then finds nothing due, and sets the alarm again. */
#define LONGEST INT32_MAX


static int change(struct s99_poller *poller, uintptr_t ident, int filter, int flags, int64_t data) {
  struct kevent event;
  EV_SET(&event, ident, (short)filter, (unsigned short)flags, 0, (intptr_t)data, 0);
  poller->call = "kevent";
  return kevent(poller->fd, &event, 1, NULL, 0, NULL) == 0 ? 0 : errno;
}


int s99_poller_open(struct s99_poller *poller) {
  int error;
  poller->timer = -1;
  poller->call = "kqueue";
  poller->fd = kqueue();
  if (poller->fd < 0)
    return errno;
  poller->call = "fcntl";
  if (fcntl(poller->fd, F_SETFD, FD_CLOEXEC) == 0)
    return 0;
  error = errno;
  s99_poller_close(poller);
  return error;
}


int s99_poller_add(struct s99_poller *poller, int fd, bool for_writing) {
  return change(poller, (uintptr_t)fd, for_writing ? EVFILT_WRITE : EVFILT_READ, EV_ADD, 0);
}


void s99_poller_remove(struct s99_poller *poller, int fd, bool for_writing) {
  change(poller, (uintptr_t)fd, for_writing ? EVFILT_WRITE : EVFILT_READ, EV_DELETE, 0);
}


/* Every kqueue supports milliseconds; the time is rounded up to them. */
int s99_poller_alarm(struct s99_poller *poller, int64_t at) {
  int64_t left = at == S99_NEVER ? 0 : at - s99_now();
  change(poller, ALARM, EVFILT_TIMER, EV_DELETE, 0);
  if (at == S99_NEVER)
    return 0;
  left = left <= 0 ? 0 : (left - 1) / S99_MILLISECOND + 1;
  if (left > LONGEST)
    left = LONGEST;
  return change(poller, ALARM, EVFILT_TIMER, EV_ADD | EV_ONESHOT, left);
}


void s99_poller_close(struct s99_poller *poller) {
  if (poller->fd >= 0)
    close(poller->fd);
  poller->fd = -1;
}

#endif
