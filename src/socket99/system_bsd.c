/*
** system_bsd.c: the same on macOS, the BSDs and any other system.
*/

#include "platform.h"

#if !S99_HAVE_PORT_RANGE


int s99_first_ephemeral_port(void) {
  return S99_FIRST_EPHEMERAL_PORT;
}

#endif

#if !S99_HAVE_EPOLL


#if S99_HAVE_PIPE2

int s99_wake_open(int ends[2]) {
  return pipe2(ends, O_CLOEXEC | O_NONBLOCK);
}

#else

static int set_cloexec_nonblocking(int fd) {
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fcntl(fd, F_SETFL, O_NONBLOCK) : -1;
}


int s99_wake_open(int ends[2]) {
  if (pipe(ends) != 0)
    return -1;
  if (set_cloexec_nonblocking(ends[0]) == 0 && set_cloexec_nonblocking(ends[1]) == 0)
    return 0;
  s99_close_quietly(ends[0]);
  s99_close_quietly(ends[1]);
  return -1;
}

#endif

#endif
