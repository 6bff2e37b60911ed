/*
** system.h: the module's interface to the system, in addition to the C library's
** platform.h. It is the bottom floor of the module and does not depend on Lua.
**
** Differences of one line are macros here. system.c has the calls that are the same
** on every system, system_linux.c and system_bsd.c the others.
*/
#ifndef SOCK99_SYSTEM_H
#define SOCK99_SYSTEM_H

#include "platform.h"

#include <signal.h>

/* accept(2) with the type flags of socket(2). */
#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) ||   \
    defined(__DragonFly__)
#define SOCK99_HAVE_ACCEPT4 1
#define SOCK99_ACCEPT(listener, address, length, flags) accept4(listener, address, length, flags)
#else
#define SOCK99_HAVE_ACCEPT4 0
#define SOCK99_ACCEPT(listener, address, length, flags)                                            \
  ((void)(flags), accept(listener, address, length))
#endif

/* The type of msg_iovlen: int in POSIX, size_t in glibc. */
#if defined(__GLIBC__)
#define SOCK99_IOV_COUNT size_t
#else
#define SOCK99_IOV_COUNT int
#endif

/* The type of msg_controllen and cmsg_len: socklen_t in POSIX, size_t in glibc. */
#if defined(__GLIBC__)
#define SOCK99_CONTROL_LENGTH size_t
#else
#define SOCK99_CONTROL_LENGTH socklen_t
#endif

/* The flag of send(2) against SIGPIPE; 0 on systems with SO_NOSIGPIPE instead (macOS). */
#if defined(MSG_NOSIGNAL)
#define SOCK99_MSG_NOSIGNAL MSG_NOSIGNAL
#else
#define SOCK99_MSG_NOSIGNAL 0
#endif

/* The flag of recvmsg(2) for close-on-exec descriptors; 0: fcntl(2) is needed. */
#if defined(MSG_CMSG_CLOEXEC)
#define SOCK99_MSG_CMSG_CLOEXEC MSG_CMSG_CLOEXEC
#else
#define SOCK99_MSG_CMSG_CLOEXEC 0
#endif

/* The flag of recv(2) to return the whole length of a truncated message; 0: there is
** none. */
#if defined(__linux__)
#define SOCK99_MSG_WHOLE_LENGTH MSG_TRUNC
#else
#define SOCK99_MSG_WHOLE_LENGTH 0
#endif

/* The type of ancillary data with a descriptor from the kernel (SO_PASSPIDFD), which old
** headers lack; -1: there is none. */
#if defined(__linux__)
#define SOCK99_SCM_PIDFD 4
#else
#define SOCK99_SCM_PIDFD (-1)
#endif

/* The one option of SOL_SOCKET whose length counts instructions instead of bytes; -1:
** there is none. */
#if defined(SO_GET_FILTER)
#define SOCK99_COUNTED_OPTION SO_GET_FILTER
#else
#define SOCK99_COUNTED_OPTION (-1)
#endif

/* Many messages in one call. musl's flags are unsigned. */
#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__)
#define SOCK99_HAVE_MMSG 1
#define sock99_mmsghdr mmsghdr
#else
#define SOCK99_HAVE_MMSG 0
struct sock99_mmsghdr {
  struct msghdr msg_hdr;
  unsigned int msg_len;
};
#endif
#if defined(__linux__) && !defined(__GLIBC__)
#define SOCK99_MMSG_FLAGS unsigned int
#else
#define SOCK99_MMSG_FLAGS int
#endif

/* connect(2) to AF_UNSPEC fails on the BSDs after it has disconnected. */
#if defined(__linux__)
#define SOCK99_HAS_DISCONNECTED(error) false
#else
#define SOCK99_HAS_DISCONNECTED(error) ((error) == EAFNOSUPPORT || (error) == EINVAL)
#endif


/* POSIX allows two errors for a call that would block. Inline, since receive and send
** call it often. */
static inline bool sock99_would_block(int error) {
#if EWOULDBLOCK == EAGAIN
  return error == EAGAIN;
#else
  return error == EAGAIN || error == EWOULDBLOCK;
#endif
}

/* accept(2). The descriptor is close-on-exec, and non-blocking only if requested. */
S99_HIDDEN int sock99_accept(int listener, bool nonblocking, struct sockaddr *peer,
                             socklen_t *length);

/* Whether a stream without a peer, which does not listen, once had one (a reset connection,
** for instance) or is connecting. Leaves the socket's pending error in place. */
S99_HIDDEN bool sock99_was_connected(int fd);

/* Whether an error of accept(2) concerns only one connection, so that the next may succeed. */
S99_HIDDEN bool sock99_concerns_the_connection(int error);

/* On Linux, accept(2) also returns errors of the connection's network (accept(2)). */
S99_HIDDEN bool sock99_is_network_error(int error);

/* socketpair(2) of Unix domain sockets. */
S99_HIDDEN int sock99_socketpair(int type, bool cloexec, bool nonblocking, int ends[2]);

/* Removes the peer of a datagram socket. */
S99_HIDDEN int sock99_disconnect(int fd);

/* sendmmsg(2): returns the number of messages sent; -1 if the first failed. */
S99_HIDDEN int sock99_send_many(int fd, struct sock99_mmsghdr *messages, int count, int flags);

/* recvmmsg(2): waits for the first message unless `flags` forbid it, never for others. */
S99_HIDDEN int sock99_receive_many(int fd, struct sock99_mmsghdr *messages, int count, int flags);

/* An upper bound for the next message's size. Waits for the message as recv(2) does. */
S99_HIDDEN ssize_t sock99_next_message_size(int fd, int flags);

/* Linux's sendfile(2) from an offset, which it advances. EINVAL or ENOSYS: the file must
** be read instead, as on all other systems. */
S99_HIDDEN ssize_t sock99_sendfile(int fd, int file, off_t *offset, size_t count);

/* Suppresses SIGPIPE in this thread between begin, which returns 0 or an errno, and end.
** A signal that was already pending stays pending. Only sock99_sendfile needs this. */
struct sock99_sigpipe {
  bool was_pending;
  sigset_t mask;
};

S99_HIDDEN int sock99_begin_no_sigpipe(struct sock99_sigpipe *held);
S99_HIDDEN void sock99_end_no_sigpipe(const struct sock99_sigpipe *held, bool may_have_come);

/* Ignores SIGPIPE in this process if the signal has its default action. */
S99_HIDDEN void sock99_ignore_sigpipe(void);

/* Empties the socket's error queue (recvmsg(2), MSG_ERRQUEUE), for which poll(2) reports
** POLLERR. If the socket has a pending error, which a call would have returned, this
** returns the queue's first error; otherwise 0. */
S99_HIDDEN int sock99_empty_error_queue(int fd);

struct sock99_credentials {
  long long pid; /* -1: unknown */
  long long uid, gid;
};

/* Credentials of the process at the other end of a Unix socket. */
S99_HIDDEN int sock99_peer_credentials(int fd, struct sock99_credentials *peer);

#endif
