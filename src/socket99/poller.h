/*
** poller.h: one descriptor to wait on for many, and for the time.
**
** epoll(7) with a timerfd on Linux, kqueue(2) elsewhere. The poller's own
** descriptor is readable whenever one in it is ready or its alarm is due.
*/
#ifndef SOCKET99_POLLER_H
#define SOCKET99_POLLER_H

#include "internal.h"

struct s99_poller {
  int fd;
  int timer; /* -1 where the poller keeps time itself */
};

/* 0 or an errno. */
S99_HIDDEN int s99_poller_open(struct s99_poller *poller);
S99_HIDDEN int s99_poller_add(struct s99_poller *poller, int fd, bool for_writing);
S99_HIDDEN void s99_poller_remove(struct s99_poller *poller, int fd, bool for_writing);
/* One alarm; a time that has passed: at once; S99_NEVER: none. */
S99_HIDDEN int s99_poller_alarm(struct s99_poller *poller, int64_t at);
S99_HIDDEN void s99_poller_close(struct s99_poller *poller);

#endif
