/*
** network.h: what the C programs of this directory share: a clock, openings
** that are driven by their pollfd alone, and what a process holds.
*/
#ifndef NETWORK_H
#define NETWORK_H

#define _DEFAULT_SOURCE

#include "socket99.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ALIVE_PORT 7001
#define REFUSING_PORT 7002

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#if !defined(SANITIZED)
#define SANITIZED 0
#endif


static inline long long now_ms(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (long long)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}


static inline int wait_readable(int fd, int timeout_ms) {
  struct pollfd readable = {0};
  long long until = now_ms() + timeout_ms;
  int ready;
  readable.fd = fd;
  readable.events = POLLIN;
  do {
    long long left = until - now_ms();
    ready = poll(&readable, 1, left > 0 ? (int)left : 0);
  } while (ready < 0 && errno == EINTR);
  return ready;
}


/* True as soon as the opening is done; false if pollfd is silent for long. */
static inline bool drive(socket99_opening *opening, socket99_result *result) {
  while (wait_readable(socket99_pollfd(opening), 20000) == 1) {
    if (socket99_step(opening, result))
      return true;
  }
  return false;
}


static inline socket99_config client(const char *host, int port, int timeout_ms) {
  socket99_config config = {0};
  config.host = (char *)(uintptr_t)host;
  config.port = port;
  config.timeout_ms = timeout_ms;
  return config;
}


static inline int count_entries(const char *path) {
  DIR *directory = opendir(path);
  int count = 0;
  const struct dirent *entry;
  assert_non_null(directory);
  while ((entry = readdir(directory)) != NULL)
    count += entry->d_name[0] != '.';
  closedir(directory);
  return count;
}


static inline int count_fds(void) {
  return count_entries("/proc/self/fd");
}


static inline int count_threads(void) {
  return count_entries("/proc/self/task");
}


/* Threads of abandoned lookups stay until the resolver gives up. */
static inline void await_threads(int expected) {
  long long until = now_ms() + 20000;
  while (count_threads() != expected && now_ms() < until)
    poll(NULL, 0, 5);
  assert_int_equal(count_threads(), expected);
}

#endif
