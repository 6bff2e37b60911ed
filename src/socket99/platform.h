/*
** platform.h: what differs between systems, and nowhere else.
**
** Included first by every file of the C library: it asks the system's headers
** for all they have before any of them is read.
*/
#ifndef SOCKET99_PLATFORM_H
#define SOCKET99_PLATFORM_H

#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64 /* large files where off_t has 32 bits by default */
#endif
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* Linux: accept4, SOCK_CLOEXEC, struct ucred, renameat2 */
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
#include <unistd.h>

#include <time.h>

#if defined(__linux__)
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#endif

/* S99_KQUEUE: the poller of the BSDs where there is that of Linux, for its tests. */
#if defined(__linux__) && !defined(S99_KQUEUE)
#include <sys/epoll.h>
#include <sys/timerfd.h>
#define S99_HAVE_EPOLL 1
#else
#include <sys/event.h>
#define S99_HAVE_EPOLL 0
#endif

/* A child of fork(2) has a copy of an epoll descriptor. Of a kqueue it has none:
** the number is free there. */
#define S99_POLLER_IS_INHERITED S99_HAVE_EPOLL

/* Socket addresses without a file (unix(7)). */
#if defined(__linux__)
#define S99_HAVE_ABSTRACT 1
#else
#define S99_HAVE_ABSTRACT 0
#endif

/* Where a socket's permission bits can be set before it has a name. */
#if defined(__linux__)
#define S99_HAVE_FCHMOD_BEFORE_BIND 1
#else
#define S99_HAVE_FCHMOD_BEFORE_BIND 0
#endif

/* The first port that the system hands out by itself, by its default. */
#if defined(__linux__)
#define S99_FIRST_EPHEMERAL_PORT 32768
#elif defined(__FreeBSD__) || defined(__DragonFly__)
#define S99_FIRST_EPHEMERAL_PORT 10000
#else
#define S99_FIRST_EPHEMERAL_PORT 49152
#endif

/* Type flags of socket(2); 0 where fcntl(2) has to do it (macOS). */
#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK)
#define S99_SOCK_CLOEXEC SOCK_CLOEXEC
#define S99_SOCK_NONBLOCK SOCK_NONBLOCK
#else
#define S99_SOCK_CLOEXEC 0
#define S99_SOCK_NONBLOCK 0
#endif

/* accept(2) with flags. */
#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) ||   \
    defined(__DragonFly__)
#define S99_HAVE_ACCEPT4 1
#else
#define S99_HAVE_ACCEPT4 0
#endif

/* The type of msg_iovlen: POSIX says int, glibc size_t. */
#if defined(__GLIBC__)
#define S99_IOV_COUNT size_t
#else
#define S99_IOV_COUNT int
#endif

/* The type of msg_controllen and cmsg_len: POSIX says socklen_t, glibc size_t. */
#if defined(__GLIBC__)
#define S99_CONTROL_LENGTH size_t
#else
#define S99_CONTROL_LENGTH socklen_t
#endif

/* The type of the flags of sendmmsg and recvmmsg: musl says unsigned. */
#if defined(__linux__) && !defined(__GLIBC__)
#define S99_MMSG_FLAGS unsigned int
#else
#define S99_MMSG_FLAGS int
#endif

/* Open a file for its identity and attributes alone; 0 where there is no such way. */
#if defined(O_PATH)
#define S99_O_PATH O_PATH
#else
#define S99_O_PATH 0
#endif

/* Sending to a peer that has gone: 0 where SO_NOSIGPIPE has to do it (macOS). */
#if defined(MSG_NOSIGNAL)
#define S99_MSG_NOSIGNAL MSG_NOSIGNAL
#else
#define S99_MSG_NOSIGNAL 0
#endif

/* Descriptors that are received are close-on-exec from birth, or by fcntl(2). */
#if defined(MSG_CMSG_CLOEXEC)
#define S99_MSG_CMSG_CLOEXEC MSG_CMSG_CLOEXEC
#else
#define S99_MSG_CMSG_CLOEXEC 0
#endif

/* As a flag of recv(2): tell the whole length of what was cut; 0: not told. */
#if defined(__linux__)
#define S99_MSG_WHOLE_LENGTH MSG_TRUNC
#else
#define S99_MSG_WHOLE_LENGTH 0
#endif

/* Ancillary data that is a descriptor, and not one that the peer sent
** (SO_PASSPIDFD); -1: there is none. Not every libc has the constant. */
#if defined(__linux__)
#define S99_SCM_PIDFD 4
#else
#define S99_SCM_PIDFD (-1)
#endif

/* The option of SOL_SOCKET whose value the kernel counts in instructions, while it
** counts bytes everywhere else; -1: there is none. */
#if defined(SO_GET_FILTER)
#define S99_COUNTED_OPTION SO_GET_FILTER
#else
#define S99_COUNTED_OPTION (-1)
#endif

/* Many messages in one system call. */
#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__)
#define S99_HAVE_MMSG 1
#define s99_mmsghdr mmsghdr
#else
#define S99_HAVE_MMSG 0
struct s99_mmsghdr {
  struct msghdr msg_hdr;
  unsigned int msg_len;
};
#endif

#if !defined(EAI_SYSTEM)
#define EAI_SYSTEM 11
#endif


/* strerror(3) for threads: glibc's own signature, or POSIX's. musl has the words of
** error 0 for all that it does not know. */
static inline const char *s99_strerror(int error, char *buf, size_t size) {
#if defined(__GLIBC__)
  return strerror_r(error, buf, size);
#else
  char none[64];
  if (strerror_r(error, buf, size) != 0 ||
      (error != 0 && strerror_r(0, none, sizeof(none)) == 0 && strcmp(buf, none) == 0))
    snprintf(buf, size, "Unknown error %d", error);
  return buf;
#endif
}


/* Writing to a peer that has gone is an error, not a signal (BSD, macOS). */
static inline int s99_no_sigpipe(int fd) {
#if defined(SO_NOSIGPIPE)
  int on = 1;
  return setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#else
  (void)fd;
  return 0;
#endif
}


/* sendfile(2) from an offset, which moves on by what was sent. Where it can't, and
** the file has to be read: EINVAL or ENOSYS. Elsewhere than on Linux it always has
** to, since each system has a call of its own. */
static inline ssize_t s99_sendfile(int fd, int file, off_t *offset, size_t count) {
#if defined(__linux__)
  return sendfile(fd, file, offset, count);
#else
  (void)fd;
  (void)file;
  (void)offset;
  (void)count;
  errno = ENOSYS;
  return -1;
#endif
}


/* Between these two this thread gets no SIGPIPE, which s99_sendfile would raise;
** one that was pending before still is. */
struct s99_sigpipe {
  bool was_pending;
#if defined(__linux__)
  sigset_t mask;
#endif
};

/* 0 or an errno. */
static inline int s99_begin_no_sigpipe(struct s99_sigpipe *held) {
#if defined(__linux__)
  sigset_t pending, sigpipe;
  held->was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
  sigemptyset(&sigpipe);
  sigaddset(&sigpipe, SIGPIPE);
  return held->was_pending ? 0 : pthread_sigmask(SIG_BLOCK, &sigpipe, &held->mask);
#else
  held->was_pending = true;
  return 0;
#endif
}


static inline void s99_end_no_sigpipe(const struct s99_sigpipe *held, bool may_have_come) {
#if defined(__linux__)
  static const struct timespec at_once = {0, 0};
  sigset_t sigpipe;
  if (held->was_pending)
    return;
  sigemptyset(&sigpipe);
  sigaddset(&sigpipe, SIGPIPE);
  while (may_have_come && sigtimedwait(&sigpipe, NULL, &at_once) < 0 && errno == EINTR)
    continue;
  pthread_sigmask(SIG_SETMASK, &held->mask, NULL);
#else
  (void)held;
  (void)may_have_come;
#endif
}


/* The errno of what cannot be done at once. POSIX allows for two. */
static inline bool s99_would_block(int error) {
#if EWOULDBLOCK == EAGAIN
  return error == EAGAIN;
#else
  return error == EAGAIN || error == EWOULDBLOCK;
#endif
}


/* close(2) after a failure, whose errno is still to be read. */
static inline void s99_close_quietly(int fd) {
  int error = errno;
  close(fd);
  errno = error;
}


/* rename(2) that fails with EEXIST where `to` is taken. */
static inline int s99_rename_noreplace(const char *from, const char *to) {
#if defined(__APPLE__)
  return renamex_np(from, to, RENAME_EXCL);
#else
  int error;
#if defined(SYS_renameat2)
  /* 1: RENAME_NOREPLACE. Not every libc has the function. */
  if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return -1;
#endif
  if (link(from, to) != 0)
    return -1;
  if (unlink(from) == 0)
    return 0;
  error = errno;
  unlink(to);
  errno = error;
  return -1;
#endif
}


/* sendmmsg(2): how many were sent; -1 where the first failed. */
static inline int s99_send_many(int fd, struct s99_mmsghdr *messages, int count, int flags) {
#if S99_HAVE_MMSG
  return (int)sendmmsg(fd, messages, (unsigned int)count, (S99_MMSG_FLAGS)flags);
#else
  int i;
  for (i = 0; i < count; i++) {
    ssize_t sent = sendmsg(fd, &messages[i].msg_hdr, flags);
    if (sent < 0)
      return i > 0 ? i : -1;
    messages[i].msg_len = (unsigned int)sent;
  }
  return count;
#endif
}


/* recvmmsg(2): the first as `flags` say, the rest without waiting. */
static inline int s99_receive_many(int fd, struct s99_mmsghdr *messages, int count, int flags) {
#if S99_HAVE_MMSG
  return (int)recvmmsg(fd, messages, (unsigned int)count, (S99_MMSG_FLAGS)(flags | MSG_WAITFORONE),
                       NULL);
#else
  int i;
  for (i = 0; i < count; i++) {
    ssize_t got = recvmsg(fd, &messages[i].msg_hdr, i > 0 ? flags | MSG_DONTWAIT : flags);
    if (got < 0)
      return i > 0 ? i : -1;
    messages[i].msg_len = (unsigned int)got;
  }
  return count;
#endif
}


/* How much room the next message needs at most; waits for it as recv(2) does. */
static inline ssize_t s99_next_message_size(int fd, int flags) {
  char byte;
#if defined(__linux__)
  return recv(fd, &byte, sizeof(byte), flags | MSG_PEEK | MSG_TRUNC);
#else
  int queued;
  if (recv(fd, &byte, sizeof(byte), flags | MSG_PEEK) < 0)
    return -1;
  return ioctl(fd, FIONREAD, &queued) == 0 ? queued : -1;
#endif
}


/* A datagram socket forgets its peer; BSD does so, and says EAFNOSUPPORT or EINVAL. */
static inline int s99_disconnect(int fd) {
  struct sockaddr nobody;
  int status;
  memset(&nobody, 0, sizeof(nobody));
  nobody.sa_family = AF_UNSPEC;
  do {
    status = connect(fd, &nobody, sizeof(nobody));
  } while (status != 0 && errno == EINTR);
#if defined(__linux__)
  return status;
#else
  return status == 0 || errno == EAFNOSUPPORT || errno == EINVAL ? 0 : -1;
#endif
}


struct s99_credentials {
  long long pid, uid, gid; /* -1: not known */
};

/* Who connected, or whom we connected to. */
static inline int s99_peer_credentials(int fd, struct s99_credentials *peer) {
#if defined(SO_PEERCRED)
#if defined(__OpenBSD__)
  struct sockpeercred told;
#else
  struct ucred told;
#endif
  socklen_t length = sizeof(told);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &told, &length) != 0)
    return -1;
  if (told.pid <= 0) {
    errno = ENOTCONN;
    return -1;
  }
  peer->pid = told.pid;
  peer->uid = told.uid;
  peer->gid = told.gid;
#else
  uid_t uid;
  gid_t gid;
  if (getpeereid(fd, &uid, &gid) != 0)
    return -1;
  peer->pid = -1;
  peer->uid = uid;
  peer->gid = gid;
#if defined(LOCAL_PEERPID)
  {
    pid_t pid;
    socklen_t length = sizeof(pid);
    if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &pid, &length) == 0)
      peer->pid = pid;
  }
#endif
#endif
  return 0;
}


/* Nanoseconds of a clock that nobody sets. */
static inline int64_t s99_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}


static inline int s99_set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}


/* accept(2), close-on-exec, and non-blocking only if so asked for. */
static inline int s99_accept(int listener, bool nonblocking) {
#if S99_HAVE_ACCEPT4
  return accept4(listener, NULL, NULL, SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0));
#else
  int fd = accept(listener, NULL, NULL);
  if (fd < 0)
    return -1;
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
      fcntl(fd, F_SETFL, nonblocking ? O_NONBLOCK : 0) == 0 && s99_no_sigpipe(fd) == 0)
    return fd;
  s99_close_quietly(fd);
  return -1;
#endif
}


/* What accept(2) tells of a connection that has gone already, or, on Linux, of the
** network that it came from: the next one may be good. */
static inline bool s99_concerns_the_connection(int error) {
  switch (error) {
  case EINTR:
  case ECONNABORTED:
#if defined(__linux__)
  case ENETDOWN:
  case EPROTO:
  case ENOPROTOOPT:
  case EHOSTDOWN:
  case ENONET:
  case EHOSTUNREACH:
  case EOPNOTSUPP:
  case ENETUNREACH:
#endif
    return true;
  default:
    return false;
  }
}


/* socketpair(2) of Unix domain sockets. */
static inline int s99_socketpair(int type, bool cloexec, bool nonblocking, int ends[2]) {
  int flags = (cloexec ? S99_SOCK_CLOEXEC : 0) | (nonblocking ? S99_SOCK_NONBLOCK : 0);
  int i;
  if (socketpair(AF_UNIX, type | flags, 0, ends) != 0)
    return -1;
  for (i = 0; i < 2; i++) {
    if ((cloexec && S99_SOCK_CLOEXEC == 0 && fcntl(ends[i], F_SETFD, FD_CLOEXEC) != 0) ||
        (nonblocking && S99_SOCK_NONBLOCK == 0 && fcntl(ends[i], F_SETFL, O_NONBLOCK) != 0) ||
        s99_no_sigpipe(ends[i]) != 0) {
      s99_close_quietly(ends[0]);
      s99_close_quietly(ends[1]);
      return -1;
    }
  }
  return 0;
}


static inline int s99_set_cloexec_nonblocking(int fd) {
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fcntl(fd, F_SETFL, O_NONBLOCK) : -1;
}


/* What one thread wakes another with: an eventfd (both ends one), or a pipe. */
static inline int s99_wake_open(int ends[2]) {
#if defined(__linux__)
  ends[0] = ends[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return ends[0] < 0 ? -1 : 0;
#else
  int error;
  if (pipe(ends) != 0)
    return -1;
  if (s99_set_cloexec_nonblocking(ends[0]) == 0 && s99_set_cloexec_nonblocking(ends[1]) == 0)
    return 0;
  error = errno;
  close(ends[0]);
  close(ends[1]);
  errno = error;
  return -1;
#endif
}


static inline void s99_wake(int end) {
  uint64_t one = 1;
  while (write(end, &one, sizeof(one)) < 0 && errno == EINTR)
    continue;
}

#endif
