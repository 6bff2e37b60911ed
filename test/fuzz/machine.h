/*
** machine.h: a machine of no descriptors, no network and no time of its own.
**
** The product is linked to it in the place of the system (machine.syms): so no
** byte leaves the process, nothing waits, and what the system answers is up to
** the input. It stops the program where a real one would suffer in silence: a
** descriptor that is closed twice, used after its end, or never closed.
*/
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include "input.h"

#include <stdbool.h>

#include <sys/socket.h>

enum machine_kind { MACHINE_SOCKET, MACHINE_FILE, MACHINE_OTHER };

/* Prints why, and stops. */
void machine_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* At the beginning of every input. A byte of `luck` decides of each call that may
** fail: less than 128, or none left, is luck. */
void machine_boot(struct input luck);

/* At the end: nothing may be left open, or unfreed. */
void machine_halt(void);

/* Numbers count up from 3 and are never used again. */
int machine_new(enum machine_kind kind, int family, int type);
void machine_connect(int fd);
void machine_make_listener(int fd);
void machine_close(int fd);
bool machine_is_open(int fd);
bool machine_is_nonblocking(int fd);
bool machine_is_cloexec(int fd);
bool machine_is_connected(int fd);
int machine_open_count(void);

/* Lookups that wait for a thread are answered. */
void machine_run_threads(void);

/* Time goes on. */
void machine_pass(int milliseconds);

/* What a target wants to see and answer itself; NULL: the machine does. As the
** system calls: -1 and errno. */
struct machine_hooks {
  ssize_t (*receive)(int fd, struct msghdr *message, int flags);
  ssize_t (*send)(int fd, const struct msghdr *message, int flags);
  int (*getsockopt)(int fd, int level, int option, void *value, socklen_t *length);
  int (*setsockopt)(int fd, int level, int option, const void *value, socklen_t length);
  int (*getname)(int fd, struct sockaddr *address, socklen_t *length);
  int (*setname)(int fd, const struct sockaddr *address, socklen_t length);
  const char *(*getenv)(const char *name);
  void (*unsetenv)(const char *name);
};
extern struct machine_hooks machine_hooks;

#endif
