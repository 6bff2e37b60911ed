/*
** limit.c: time limits of calls; knows no sockets.
**
** A call has one end, however often it waits: the time at which it began plus its
** limit. The clock is read only if a limit needs it. Waits are rounded up, and are
** restarted after INT_MAX milliseconds.
*/

#include "values.h"

#include <poll.h>


int64_t sock99_nanoseconds(double seconds) {
  if (seconds < 0 || seconds > 9e9)
    return S99_NEVER;
  return (int64_t)(seconds * 1e9) + ((double)(int64_t)(seconds * 1e9) < seconds * 1e9);
}


/* A machine may have been up for longer than the clock has room beside the duration. */
static int64_t after(int64_t duration) {
  int64_t now = s99_now();
  return duration < S99_NEVER - now ? now + duration : S99_NEVER;
}


int64_t sock99_end_after(double seconds) {
  return after(sock99_nanoseconds(seconds));
}


int64_t sock99_limit_end(struct sock99_limit *limit) {
  if (limit->duration == S99_NEVER || limit->duration == 0)
    return limit->duration;
  if (limit->end == 0)
    limit->end = after(limit->duration);
  return limit->end;
}


bool sock99_is_over(struct sock99_limit *limit, size_t bytes) {
  if (limit->duration == S99_NEVER)
    return false;
  limit->bytes += bytes;
  if (limit->duration == 0)
    return limit->bytes >= SOCK99_MOST_AT_ONCE;
  if (limit->end != 0)
    return s99_now() >= limit->end;
  limit->end = after(limit->duration);
  return false;
}


long long sock99_limit_ms(struct sock99_limit *limit) {
  int64_t end = sock99_limit_end(limit);
  int64_t left;
  if (end == S99_NEVER)
    return 0;
  left = end == 0 ? 0 : end - s99_now();
  return left <= S99_MILLISECOND ? 1 : (left + S99_MILLISECOND - 1) / S99_MILLISECOND;
}


/*
** Waiting
*/

static int l_nothing(lua_State *L) {
  (void)L;
  return 0;
}


/* Lua runs hooks when a function is called. */
void sock99_run_hooks(lua_State *L) {
  if (lua_gethook(L) == NULL)
    return;
  lua_pushcfunction(L, l_nothing);
  lua_call(L, 0, 0);
}


int sock99_poll(lua_State *L, struct pollfd *polled, size_t count, int64_t end) {
  int ready, error;
  do {
    ready = poll(polled, (nfds_t)count, s99_poll_ms(end));
  } while ((ready < 0 && errno == EAGAIN) || (ready == 0 && s99_poll_ms(end) != 0));
  error = errno;
  if (ready < 0 && error == EINTR)
    sock99_run_hooks(L);
  errno = error;
  return ready;
}


/* poll(2) may return early, so the clock decides. */
void sock99_sleep_until(lua_State *L, int64_t end) {
  while (s99_now() < end)
    (void)sock99_poll(L, NULL, 0, end);
}


double sock99_seconds(void) {
  struct timeval now;
  gettimeofday(&now, NULL);
  return (double)now.tv_sec + (double)now.tv_usec / 1e6;
}
