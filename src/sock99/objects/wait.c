/*
** wait.c: how long a call on an object may take.
**
** Two timeouts, as in LuaSocket: one for each wait within a call, one for the
** whole call; what is left of both is what the next wait gets. The clock is
** read only where a timeout needs it. Waits round up, never down, and go on
** past signals and past INT_MAX milliseconds.
*/

#include "object.h"

#include <poll.h>


/* Waits of centuries are waits for ever. */
static int64_t to_nanoseconds(double seconds) {
  if (seconds < 0 || seconds > 9e9)
    return S99_NEVER;
  return (int64_t)(seconds * 1e9) + ((double)(int64_t)(seconds * 1e9) < seconds * 1e9);
}


int64_t sock99_end_after(double seconds) {
  int64_t duration = to_nanoseconds(seconds);
  return duration == S99_NEVER ? S99_NEVER : s99_now() + duration;
}


void sock99_begin_wait(struct sock99_socket *s, struct sock99_wait *wait) {
  int64_t whole = to_nanoseconds(s->whole_call);
  s->wants_writing = false;
  wait->each = to_nanoseconds(s->each_wait);
  wait->end = S99_NEVER;
  if (whole != S99_NEVER)
    wait->end = whole == 0 ? 0 : s99_now() + whole;
}


int sock99_poll(struct pollfd *polled, size_t count, int64_t end) {
  int ready;
  do {
    ready = poll(polled, (nfds_t)count, s99_poll_ms(end));
  } while ((ready < 0 && (errno == EINTR || errno == EAGAIN)) ||
           (ready == 0 && s99_poll_ms(end) != 0));
  return ready;
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


int64_t sock99_wait_end(const struct sock99_wait *wait) {
  int64_t end;
  if (wait->each == S99_NEVER || wait->each == 0)
    return wait->each == 0 ? 0 : wait->end;
  end = s99_now() + wait->each;
  return end < wait->end ? end : wait->end;
}


bool sock99_is_over(const struct sock99_wait *wait) {
  return wait->end != 0 && wait->end != S99_NEVER && s99_now() >= wait->end;
}


/* An end of 0 has passed already: what the call has just found out counts. */
int sock99_wait_for(struct sock99_socket *s, struct sock99_wait *wait, short events) {
  int64_t end = sock99_wait_end(wait);
  int error = end == 0 ? SOCK99_TIMEOUT : poll_until(s->fd, events, end);
  s->wants_writing = error == SOCK99_TIMEOUT && (events & POLLOUT) != 0;
  return error;
}


int sock99_look_at(int fd, struct sock99_wait *wait, short events) {
  return poll_until(fd, events, sock99_wait_end(wait));
}


int sock99_look_for(struct sock99_socket *s, struct sock99_wait *wait, short events) {
  int error = sock99_look_at(s->fd, wait, events);
  s->wants_writing = error == SOCK99_TIMEOUT && (events & POLLOUT) != 0;
  return error;
}


/* Whatever poll(2) says: it is the clock that counts. */
void sock99_sleep_until(int64_t end) {
  while (s99_now() < end)
    (void)poll(NULL, 0, s99_poll_ms(end));
}


int sock99_sleep_for_room(struct sock99_socket *s, const struct sock99_wait *wait,
                          struct sock99_retry *retry) {
  int64_t now;
  if (retry->pause == 0) {
    retry->end = sock99_wait_end(wait);
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


long long sock99_wait_ms(const struct sock99_wait *wait) {
  int64_t end = sock99_wait_end(wait);
  int64_t left;
  if (end == S99_NEVER)
    return 0;
  left = end == 0 ? 0 : end - s99_now();
  return left <= S99_MILLISECOND ? 1 : (left + S99_MILLISECOND - 1) / S99_MILLISECOND;
}


bool sock99_has_timeout(const struct sock99_socket *s) {
  return s->each_wait >= 0 || s->whole_call >= 0;
}


int sock99_message_flags(const struct sock99_socket *s) {
  return S99_MSG_NOSIGNAL | (sock99_has_timeout(s) ? MSG_DONTWAIT : 0);
}


double sock99_seconds(void) {
  struct timeval now;
  gettimeofday(&now, NULL);
  return (double)now.tv_sec + (double)now.tv_usec / 1e6;
}
