/*
** system_linux.c: what Linux does in its own way.
*/

#include "platform.h"

#if S99_HAVE_EPOLL

#include <sys/eventfd.h>


int s99_wake_open(int ends[2]) {
  ends[0] = ends[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return ends[0] < 0 ? -1 : 0;
}

#endif
