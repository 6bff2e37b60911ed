/*
** system_linux.c: what Linux does in its own way.
*/

#include "platform.h"

#if S99_HAVE_PORT_RANGE

#include <pthread.h>

/* 0: not read yet. A child reads it again: it may move to another network. */
static int first_port;
static pthread_once_t forks_are_watched = PTHREAD_ONCE_INIT;


static void forget_first_port(void) {
  __atomic_store_n(&first_port, 0, __ATOMIC_RELAXED);
}


static void watch_forks(void) {
  (void)pthread_atfork(NULL, NULL, forget_first_port);
}


static int read_first_port(void) {
  char text[32] = "";
  int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC);
  int port = 0;
  if (fd >= 0) {
    if (read(fd, text, sizeof(text) - 1) > 0)
      port = (int)strtol(text, NULL, 10);
    close(fd);
  }
  return port > 0 ? port : S99_FIRST_EPHEMERAL_PORT;
}


int s99_first_ephemeral_port(void) {
  int port = __atomic_load_n(&first_port, __ATOMIC_RELAXED);
  if (port != 0)
    return port;
  (void)pthread_once(&forks_are_watched, watch_forks);
  port = read_first_port();
  __atomic_store_n(&first_port, port, __ATOMIC_RELAXED);
  return port;
}


/* So that no opening has to ask. */
S99_AT_LOAD static void ask_at_load(void) {
  (void)s99_first_ephemeral_port();
}

#endif

#if S99_HAVE_EPOLL

#include <sys/eventfd.h>


int s99_wake_open(int ends[2]) {
  ends[0] = ends[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return ends[0] < 0 ? -1 : 0;
}

#endif
