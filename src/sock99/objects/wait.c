/*
** wait.c: an object waits, in poll(2), as long as its two timeouts allow.
*/

#include "objects.h"

#include <poll.h>


void sock99_begin_wait(struct sock99_socket *s, struct sock99_limit *limit) {
  int64_t whole = sock99_nanoseconds(s->whole_call);
  s->wants_writing = false;
  limit->each = sock99_nanoseconds(s->each_wait);
  limit->end = S99_NEVER;
  if (whole != S99_NEVER)
    limit->end = whole == 0 ? 0 : s99_now() + whole;
}


static int poll_until(int fd, short events, int64_t end) {
  struct pollfd polled;
  int ready;
  polled.fd = fd;
  polled.events = events;
  polled.revents = 0;
  ready = sock99_poll(&polled, 1, end);
  if (ready < 0)
    return errno;
  if ((polled.revents & POLLNVAL) != 0)
    return EBADF;
  return ready == 0 ? SOCK99_TIMEOUT : 0;
}


/* An end of 0 has passed already: what the call has just found out counts. */
int sock99_wait_for(struct sock99_socket *s, struct sock99_limit *limit, short events) {
  int64_t end = sock99_wait_end(limit);
  int error = end == 0 ? SOCK99_TIMEOUT : poll_until(s->fd, events, end);
  s->wants_writing = error == SOCK99_TIMEOUT && (events & POLLOUT) != 0;
  return error;
}


int sock99_look_at(int fd, struct sock99_limit *limit, short events) {
  return poll_until(fd, events, sock99_wait_end(limit));
}


int sock99_look_for(struct sock99_socket *s, struct sock99_limit *limit, short events) {
  int error = sock99_look_at(s->fd, limit, events);
  s->wants_writing = error == SOCK99_TIMEOUT && (events & POLLOUT) != 0;
  return error;
}


int sock99_sleep_for_room(struct sock99_socket *s, const struct sock99_limit *limit,
                          struct sock99_retry *retry) {
  int64_t now;
  if (retry->pause == 0) {
    retry->end = sock99_wait_end(limit);
    retry->pause = S99_FIRST_PAUSE;
  }
  now = retry->end == 0 ? 0 : s99_now();
  s->wants_writing = now >= retry->end;
  if (s->wants_writing)
    return SOCK99_TIMEOUT;
  sock99_sleep_until(now + retry->pause < retry->end ? now + retry->pause : retry->end);
  retry->pause = 2 * retry->pause < S99_LONGEST_PAUSE ? 2 * retry->pause : S99_LONGEST_PAUSE;
  return 0;
}


bool sock99_has_timeout(const struct sock99_socket *s) {
  return s->each_wait >= 0 || s->whole_call >= 0;
}


int sock99_message_flags(const struct sock99_socket *s) {
  return SOCK99_MSG_NOSIGNAL | (sock99_has_timeout(s) ? MSG_DONTWAIT : 0);
}
