/*
** wait.c: waits for an object in poll(2), for as long as its limits allow.
**
** poll(2) reports POLLERR while the socket's error queue holds anything (ip(7),
** IP_RECVERR; timestamps of sent data), even if there is nothing to receive, so a
** wait empties the queue. A wait ends on time whatever poll(2) reports.
*/

#include "objects.h"

#include <poll.h>


/* Returns 0 if ready or, without `revents`, interrupted; else SOCK99_TIMEOUT or an errno. */
static int poll_once(lua_State *L, struct pollfd *polled, int64_t end) {
  int ready;
  polled->revents = 0;
  ready = sock99_poll(L, polled, 1, end);
  if (ready < 0)
    return errno == EINTR ? 0 : errno;
  if ((polled->revents & POLLNVAL) != 0)
    return EBADF;
  return ready == 0 ? SOCK99_TIMEOUT : 0;
}


int sock99_wait_for_fd(lua_State *L, int fd, struct sock99_limit *limit, short events) {
  struct pollfd polled = {fd, events, 0};
  int error;
  do
    error = poll_once(L, &polled, sock99_limit_end(limit));
  while (error == 0 && polled.revents == 0);
  return error;
}


/* A handler may have closed the object. */
static int wait_once(lua_State *L, struct sock99_socket *s, int64_t end, short events,
                     bool *is_ready) {
  struct pollfd polled = {s->fd, events, 0};
  int error = poll_once(L, &polled, end);
  if (s->fd < 0)
    error = SOCK99_CLOSED;
  else if (error == 0 && (polled.revents & (POLLERR | events)) == POLLERR)
    error = sock99_empty_error_queue(s->fd);
  s->wants_writing = error == SOCK99_TIMEOUT && (events & POLLOUT) != 0;
  *is_ready = polled.revents != 0;
  return error;
}


int sock99_try_again(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                     short events, int error) {
  bool is_ready;
  int64_t end;
  if (error == EINTR) {
    sock99_run_hooks(L);
    return s->fd < 0 ? SOCK99_CLOSED : 0;
  }
  if (!sock99_would_block(error))
    return error;
  end = sock99_limit_end(limit);
  if (s99_poll_ms(end) != 0)
    return wait_once(L, s, end, events, &is_ready);
  s->wants_writing = (events & POLLOUT) != 0;
  return SOCK99_TIMEOUT;
}


int sock99_wait_for(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                    short events) {
  bool is_ready;
  int error;
  do
    error = wait_once(L, s, sock99_limit_end(limit), events, &is_ready);
  while (error == 0 && !is_ready);
  return error;
}


int sock99_sleep_to_retry(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                          int64_t *pause) {
  int64_t end = sock99_limit_end(limit), now = end == 0 ? 0 : s99_now();
  s->wants_writing = now >= end;
  if (s->wants_writing)
    return SOCK99_TIMEOUT;
  if (*pause == 0)
    *pause = S99_FIRST_PAUSE;
  sock99_sleep_until(L, *pause < end - now ? now + *pause : end);
  *pause = 2 * *pause < S99_LONGEST_PAUSE ? 2 * *pause : S99_LONGEST_PAUSE;
  return s->fd < 0 ? SOCK99_CLOSED : 0;
}
