/*
** event.h: as much of kqueue(2) as the library uses, so that its kqueue side
** runs on Linux, too. See kqueue.c.
*/
#ifndef TEST_KQUEUE_EVENT_H
#define TEST_KQUEUE_EVENT_H

#include <stdint.h>
#include <time.h>

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_TIMER (-7)

#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ONESHOT 0x0010

struct kevent {
  uintptr_t ident;
  short filter;
  unsigned short flags;
  unsigned int fflags;
  intptr_t data;
  void *udata;
};

#define EV_SET(event, identity, filters, flag, fflag, number, user)                                \
  ((event)->ident = (identity), (event)->filter = (filters), (event)->flags = (flag),              \
   (event)->fflags = (fflag), (event)->data = (number), (event)->udata = (void *)(user))

int kqueue(void);
int kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events,
           int event_count, const struct timespec *timeout);

#endif
