/*
** platform.h: the differences between systems that macros can bridge, and the
** calls that system.c, system_linux.c and system_bsd.c make of the others.
**
** Every file of the C library includes it first, since it tells the system's
** headers to declare all they have.
*/
#ifndef SOCKET99_PLATFORM_H
#define SOCKET99_PLATFORM_H

#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64 /* large files where off_t has 32 bits by default */
#endif
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* Linux: accept4, SOCK_CLOEXEC, struct ucred */
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE 1
#endif
#ifndef __APPLE_USE_RFC_3542
#define __APPLE_USE_RFC_3542 1 /* macOS: IPV6_RECVPKTINFO and its kin */
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/syscall.h>
#endif

/* Runs when the library is loaded, where the compiler can say so. */
#if defined(__GNUC__)
#define S99_AT_LOAD __attribute__((constructor))
#else
#define S99_AT_LOAD
#endif

/* Not exported from the shared object, whatever the compiler's default. */
#if defined(__GNUC__)
#define S99_HIDDEN __attribute__((visibility("hidden")))
#define S99_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define S99_AT_LOAD __attribute__((constructor))
#else
#define S99_HIDDEN
#define S99_PRINTF(text, first)
#define S99_AT_LOAD
#endif

/* epoll(7), timerfd and eventfd. S99_KQUEUE makes Linux do without, to test the code
** of the BSDs. */
#if defined(__linux__) && !defined(S99_KQUEUE)
#define S99_HAVE_EPOLL 1
#else
#define S99_HAVE_EPOLL 0
#endif

/* A child of fork(2) inherits an epoll descriptor. It does not inherit a kqueue, so
** the number may belong to another file there. */
#define S99_POLLER_IS_INHERITED S99_HAVE_EPOLL

/* Unix addresses without a file (unix(7)). */
#if defined(__linux__)
#define S99_HAVE_ABSTRACT 1
#else
#define S99_HAVE_ABSTRACT 0
#endif

/* fchmod(2) on a socket that has no name yet sets the mode of its file. */
#if defined(__linux__)
#define S99_HAVE_FCHMOD_BEFORE_BIND 1
#else
#define S99_HAVE_FCHMOD_BEFORE_BIND 0
#endif

/* The first ephemeral port, unless an administrator has changed it. */
#if defined(__linux__)
#define S99_FIRST_EPHEMERAL_PORT 32768
#elif defined(__FreeBSD__) || defined(__DragonFly__)
#define S99_FIRST_EPHEMERAL_PORT 10000
#else
#define S99_FIRST_EPHEMERAL_PORT 49152
#endif

/* Whether /proc tells what the administrator has set. */
#if defined(__linux__)
#define S99_HAVE_PORT_RANGE 1
#else
#define S99_HAVE_PORT_RANGE 0
#endif

/* The option that leaves the choice of a port to connect(2); -1: there is none. */
#if defined(IP_BIND_ADDRESS_NO_PORT)
#define S99_IP_BIND_ADDRESS_NO_PORT IP_BIND_ADDRESS_NO_PORT
#elif defined(__linux__)
#define S99_IP_BIND_ADDRESS_NO_PORT 24 /* headers have it since 2015 */
#else
#define S99_IP_BIND_ADDRESS_NO_PORT (-1)
#endif

/* Type flags of socket(2); 0 on systems that need fcntl(2) instead (macOS). Those with the
** flags have pipe2(2) as well. */
#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK)
#define S99_SOCK_CLOEXEC SOCK_CLOEXEC
#define S99_SOCK_NONBLOCK SOCK_NONBLOCK
#define S99_HAVE_PIPE2 1
#else
#define S99_SOCK_CLOEXEC 0
#define S99_SOCK_NONBLOCK 0
#define S99_HAVE_PIPE2 0
#endif

/* The option that turns SIGPIPE into an error (BSD, macOS); -1: there is none. */
#if defined(SO_NOSIGPIPE)
#define S99_SO_NOSIGPIPE SO_NOSIGPIPE
#else
#define S99_SO_NOSIGPIPE (-1)
#endif

/* The flag of open(2) for a file's identity and attributes alone; 0: there is none. */
#if defined(O_PATH)
#define S99_O_PATH O_PATH
#else
#define S99_O_PATH 0
#endif

/* rename(2) that fails with EEXIST if `to` exists. glibc before 2.28 and musl have no
** renameat2, and its flag RENAME_NOREPLACE is 1. */
#if defined(__APPLE__)
#define S99_RENAME_EXCLUSIVE(from, to) renamex_np(from, to, RENAME_EXCL)
#elif defined(SYS_renameat2)
#define S99_RENAME_EXCLUSIVE(from, to) syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1)
#else
#define S99_RENAME_EXCLUSIVE(from, to) (errno = ENOSYS, -1)
#endif

#if !defined(EAI_SYSTEM)
#define EAI_SYSTEM 11
#endif


/* strerror(3) for threads. Returns `buf` or a string constant. */
S99_HIDDEN const char *s99_strerror(int error, char *buf, size_t size);

/* Nanoseconds of the monotonic clock. */
S99_HIDDEN int64_t s99_now(void);

/* close(2) that leaves errno as it was. */
S99_HIDDEN void s99_close_quietly(int fd);

/* Makes writing to a peer that has gone an error instead of a signal, if an option can. */
S99_HIDDEN int s99_no_sigpipe(int fd);

/* rename(2) that fails with EEXIST if `to` exists. */
S99_HIDDEN int s99_rename_noreplace(const char *from, const char *to);

/* The first ephemeral port as the administrator has set it. The system is asked when the
** library is loaded, and once in a child of fork(2). */
S99_HIDDEN int s99_first_ephemeral_port(void);

/* Opens what one thread wakes another with: the second end is written, the first is
** read. Both are one descriptor on Linux. */
S99_HIDDEN int s99_wake_open(int ends[2]);
S99_HIDDEN void s99_wake(int end);

/* A condition variable whose waits end at a time of s99_now()'s clock. 0 or an errno. */
S99_HIDDEN int s99_condition_init(pthread_cond_t *condition);
S99_HIDDEN int s99_condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until);

#endif
