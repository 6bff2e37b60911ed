/*
** limit.c: time limits of calls, independent of sockets.
**
** The limit of a call is counted from its beginning, however often the call waits. The
** clock is read only if a limit needs it. Waits are rounded up to milliseconds, and are
** restarted after INT_MAX of them.
*/

#include "values.h"

#include <poll.h>


int64_t sock99_nanoseconds(double seconds) {
  if (seconds < 0 || seconds > 9e9)
    return S99_NEVER;
  return (int64_t)(seconds * 1e9) + ((double)(int64_t)(seconds * 1e9) < seconds * 1e9);
}


/* Avoids an overflow of the sum. */
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


struct listener {
  lua_State *L;
  bool has_error; /* which is on top of the stack */
};


static bool run_handlers(void *context) {
  struct listener *listener = context;
  if (lua_gethook(listener->L) != NULL)
    listener->has_error = sock99_pcall(listener->L, l_nothing) != 0;
  return !listener->has_error;
}


/* The library has released all other resources of the opening. */
bool sock99_open_now(lua_State *L, const socket99_config *config, socket99_result *result) {
  struct listener listener = {L, false};
  const struct s99_interruption interruption = {run_handlers, &listener};
  bool is_open = s99_open(config, &interruption, result);
  if (!listener.has_error)
    return is_open;
  if (is_open)
    close(result->fd);
  return lua_error(L) != 0;
}


bool sock99_find_addresses(lua_State *L, const socket99_config *config, socket99_result *result,
                           struct sockaddr_storage **addresses, size_t *count) {
  struct listener listener = {L, false};
  const struct s99_interruption interruption = {run_handlers, &listener};
  bool is_found = s99_find_addresses(config, &interruption, result, addresses, count);
  if (!listener.has_error)
    return is_found;
  free(*addresses);
  *addresses = NULL;
  return lua_error(L) != 0;
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
