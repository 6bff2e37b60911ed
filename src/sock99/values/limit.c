/*
** limit.c: how long a call may take, as pure time.
**
** Two limits, as in LuaSocket: one for each wait within a call, one for the
** whole call; a wait gets what is left of both. The clock is read only where a
** limit needs it. Waits round up, never down, and go on past signals and past
** INT_MAX milliseconds.
*/

#include "values.h"

#include <poll.h>


int64_t sock99_nanoseconds(double seconds) {
  if (seconds < 0 || seconds > 9e9)
    return S99_NEVER;
  return (int64_t)(seconds * 1e9) + ((double)(int64_t)(seconds * 1e9) < seconds * 1e9);
}


int64_t sock99_end_after(double seconds) {
  int64_t duration = sock99_nanoseconds(seconds);
  return duration == S99_NEVER ? S99_NEVER : s99_now() + duration;
}


int64_t sock99_wait_end(const struct sock99_limit *limit) {
  int64_t end;
  if (limit->each == S99_NEVER || limit->each == 0)
    return limit->each == 0 ? 0 : limit->end;
  end = s99_now() + limit->each;
  return end < limit->end ? end : limit->end;
}


bool sock99_is_over(const struct sock99_limit *limit) {
  return limit->end != 0 && limit->end != S99_NEVER && s99_now() >= limit->end;
}


long long sock99_wait_ms(const struct sock99_limit *limit) {
  int64_t end = sock99_wait_end(limit);
  int64_t left;
  if (end == S99_NEVER)
    return 0;
  left = end == 0 ? 0 : end - s99_now();
  return left <= S99_MILLISECOND ? 1 : (left + S99_MILLISECOND - 1) / S99_MILLISECOND;
}


int sock99_poll(struct pollfd *polled, size_t count, int64_t end) {
  int ready;
  do {
    ready = poll(polled, (nfds_t)count, s99_poll_ms(end));
  } while ((ready < 0 && (errno == EINTR || errno == EAGAIN)) ||
           (ready == 0 && s99_poll_ms(end) != 0));
  return ready;
}


/* The clock decides when it is over, whatever poll(2) says. */
void sock99_sleep_until(int64_t end) {
  while (s99_now() < end)
    (void)poll(NULL, 0, s99_poll_ms(end));
}


double sock99_seconds(void) {
  struct timeval now;
  gettimeofday(&now, NULL);
  return (double)now.tv_sec + (double)now.tv_usec / 1e6;
}
