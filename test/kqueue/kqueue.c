/*
** kqueue.c: kqueue(2) over epoll(7), for tests.
**
** It is as strict as the BSDs where a program may go wrong: what is deleted
** has to be there, a timer takes the milliseconds that it is given (0: at
** once), and fork(2) gives the child no queue: the descriptor is closed there.
**
** A queue's timer is closed with the queue, so programs are linked with
** -Wl,--wrap=close.
*/

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "sys/event.h"

#define MOST_DESCRIPTORS 65536

int __real_close(int fd);
int __wrap_close(int fd);

/* By the queue's descriptor: its timer's, 0 for what is no queue; and whether
** the timer was added and not deleted since. */
static int timer_of[MOST_DESCRIPTORS];
static bool has_alarm[MOST_DESCRIPTORS];


int __wrap_close(int fd) {
  if (fd >= 0 && fd < MOST_DESCRIPTORS && timer_of[fd] != 0) {
    __real_close(timer_of[fd]);
    timer_of[fd] = 0;
  }
  return __real_close(fd);
}


static void lose_queues(void) {
  int fd;
  for (fd = 0; fd < MOST_DESCRIPTORS; fd++) {
    if (timer_of[fd] != 0)
      __wrap_close(fd);
  }
}


static void watch_forks(void) {
  pthread_atfork(NULL, NULL, lose_queues);
}


static int control(int queue, int operation, int fd, uint32_t events) {
  struct epoll_event event;
  memset(&event, 0, sizeof(event));
  event.events = events;
  event.data.fd = fd;
  return epoll_ctl(queue, operation, fd, &event);
}


/* Not close-on-exec: FreeBSD's and macOS's is not, either. */
int kqueue(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  int queue = epoll_create1(0), timer;
  pthread_once(&once, watch_forks);
  if (queue < 0)
    return -1;
  timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (queue >= MOST_DESCRIPTORS || timer <= 0 || control(queue, EPOLL_CTL_ADD, timer, EPOLLIN)) {
    __real_close(queue);
    if (timer >= 0)
      __real_close(timer);
    errno = EMFILE;
    return -1;
  }
  timer_of[queue] = timer;
  has_alarm[queue] = false;
  return queue;
}


static int fail(int error) {
  errno = error;
  return -1;
}


static int change_alarm(int queue, const struct kevent *change) {
  struct itimerspec due;
  memset(&due, 0, sizeof(due));
  if (change->flags & EV_DELETE) {
    if (!has_alarm[queue])
      return fail(ENOENT);
  } else if (change->flags != (EV_ADD | EV_ONESHOT) || change->data < 0) {
    return fail(EINVAL);
  } else {
    due.it_value.tv_sec = change->data / 1000;
    due.it_value.tv_nsec = change->data % 1000 * 1000000 + (change->data == 0);
  }
  has_alarm[queue] = (change->flags & EV_ADD) != 0;
  return timerfd_settime(timer_of[queue], 0, &due, NULL);
}


static int change_watch(int queue, const struct kevent *change) {
  uint32_t events = change->filter == EVFILT_WRITE ? EPOLLOUT : EPOLLIN;
  int fd = (int)change->ident;
  if (change->flags & EV_DELETE)
    return control(queue, EPOLL_CTL_DEL, fd, 0);
  if (change->flags != EV_ADD)
    return fail(EINVAL);
  return control(queue, EPOLL_CTL_ADD, fd, events);
}


/* One change at a time; events are never fetched. */
int kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events,
           int event_count, const struct timespec *timeout) {
  (void)events;
  (void)timeout;
  if (queue < 0 || queue >= MOST_DESCRIPTORS || timer_of[queue] == 0)
    return fail(EBADF);
  if (change_count != 1 || event_count != 0)
    return fail(EINVAL);
  switch (changes->filter) {
  case EVFILT_TIMER:
    return change_alarm(queue, changes);
  case EVFILT_READ:
  case EVFILT_WRITE:
    return change_watch(queue, changes);
  default:
    return fail(EINVAL);
  }
}
