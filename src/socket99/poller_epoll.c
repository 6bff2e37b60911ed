/*
** poller_epoll.c: the poller on Linux.
*/

#include "internal.h"

#if S99_HAVE_EPOLL

#include <sys/epoll.h>
#include <sys/timerfd.h>


static int add(struct s99_poller *poller, int fd, uint32_t events) {
  struct epoll_event event;
  memset(&event, 0, sizeof(event));
  event.events = events;
  event.data.fd = fd;
  poller->call = "epoll_ctl";
  return epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}


void s99_poller_close(struct s99_poller *poller) {
  if (poller->timer >= 0)
    close(poller->timer);
  if (poller->fd >= 0)
    close(poller->fd);
  poller->timer = poller->fd = -1;
}


int s99_poller_open(struct s99_poller *poller) {
  int error;
  poller->timer = -1;
  poller->call = "epoll_create1";
  poller->fd = epoll_create1(EPOLL_CLOEXEC);
  if (poller->fd < 0)
    return errno;
  poller->call = "timerfd_create";
  poller->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  error = poller->timer < 0 ? errno : add(poller, poller->timer, EPOLLIN);
  if (error != 0)
    s99_poller_close(poller);
  return error;
}


int s99_poller_add(struct s99_poller *poller, int fd, bool for_writing) {
  return add(poller, fd, for_writing ? EPOLLOUT : EPOLLIN);
}


void s99_poller_remove(struct s99_poller *poller, int fd, bool for_writing) {
  (void)for_writing;
  epoll_ctl(poller->fd, EPOLL_CTL_DEL, fd, NULL);
}


/* A timer that is set is unreadable until it is due; a time of 0 would disarm it. */
int s99_poller_alarm(struct s99_poller *poller, int64_t at) {
  struct itimerspec due;
  memset(&due, 0, sizeof(due));
  if (at != S99_NEVER) {
    if (at <= 0)
      at = 1;
    due.it_value.tv_sec = (time_t)(at / 1000000000);
    due.it_value.tv_nsec = (long)(at % 1000000000);
  }
  poller->call = "timerfd_settime";
  return timerfd_settime(poller->timer, TFD_TIMER_ABSTIME, &due, NULL) == 0 ? 0 : errno;
}

#endif
