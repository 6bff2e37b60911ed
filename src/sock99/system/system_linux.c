/*
** system_linux.c: the module's system calls that are specific to Linux.
*/

#include "system/system.h"

#if defined(__linux__)

#include <poll.h>
#include <sys/sendfile.h>


bool sock99_is_network_error(int error) {
  switch (error) {
  case ENETDOWN:
  case EPROTO:
  case ENOPROTOOPT:
  case EHOSTDOWN:
  case ENONET:
  case EHOSTUNREACH:
  case EOPNOTSUPP:
  case ENETUNREACH:
    return true;
  default:
    return false;
  }
}


/* A fresh socket has hung up, but its end is not readable. */
bool sock99_was_connected(int fd) {
  struct pollfd polled = {fd, POLLIN, 0};
  if (poll(&polled, 1, 0) < 0)
    return false;
  return (polled.revents & POLLIN) != 0 || (polled.revents & POLLHUP) == 0;
}


ssize_t sock99_next_message_size(int fd, int flags) {
  char byte;
  return recv(fd, &byte, sizeof(byte), flags | MSG_PEEK | MSG_TRUNC);
}


ssize_t sock99_sendfile(int fd, int file, off_t *offset, size_t count) {
  return sendfile(fd, file, offset, count);
}


static void only_sigpipe(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGPIPE);
}


int sock99_begin_no_sigpipe(struct sock99_sigpipe *held) {
  sigset_t pending, sigpipe;
  held->was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
  only_sigpipe(&sigpipe);
  return held->was_pending ? 0 : pthread_sigmask(SIG_BLOCK, &sigpipe, &held->mask);
}


void sock99_end_no_sigpipe(const struct sock99_sigpipe *held, bool may_have_come) {
  static const struct timespec at_once = {0, 0};
  sigset_t sigpipe;
  if (held->was_pending)
    return;
  only_sigpipe(&sigpipe);
  while (may_have_come && sigtimedwait(&sigpipe, NULL, &at_once) < 0 && errno == EINTR)
    continue;
  pthread_sigmask(SIG_SETMASK, &held->mask, NULL);
}


int sock99_peer_credentials(int fd, struct sock99_credentials *peer) {
  struct ucred credentials;
  socklen_t length = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
    return -1;
  /* A process in another PID namespace has no pid here; without a peer the user is unknown,
  ** too. */
  if (credentials.pid <= 0 && credentials.uid == (uid_t)-1) {
    errno = ENOTCONN;
    return -1;
  }
  peer->pid = credentials.pid > 0 ? credentials.pid : -1;
  peer->uid = credentials.uid;
  peer->gid = credentials.gid;
  return 0;
}

/* A limit for one call, since the network may add entries as fast as they are read. */
#define MOST_ENTRIES 1000

/* Returns the errno of an entry that the network or this host has caused: the first four
** bytes of struct sock_extended_err (ip(7)); its origin is the next byte. Returns 0 for
** other entries, such as timestamps. */
static int entry_error(struct msghdr *message) {
  struct cmsghdr *header;
  for (header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
    const unsigned char *data = CMSG_DATA(header);
    uint32_t error;
    if (!(header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR) &&
        !(header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR))
      continue;
    memcpy(&error, data, sizeof(error));
    return data[sizeof(error)] >= 1 && data[sizeof(error)] <= 3 ? (int)error : 0;
  }
  return 0;
}


/* Whether network errors are also added to the queue. */
static bool queues_errors(int fd) {
  int is_on = 0;
  socklen_t length = sizeof(is_on);
  if (getsockopt(fd, IPPROTO_IP, IP_RECVERR, &is_on, &length) == 0 && is_on)
    return true;
  length = sizeof(is_on);
  return getsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &is_on, &length) == 0 && is_on;
}


/* The kernel clears the pending error when the last entry is read, so it is read first. If
** errors are not queued, it is left for the next call. */
int sock99_empty_error_queue(int fd) {
  union {
    struct cmsghdr align;
    char bytes[512];
  } control;
  int i, pending = 0, first = 0;
  socklen_t length = sizeof(pending);
  if (queues_errors(fd))
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &length);
  for (i = 0; i < MOST_ENTRIES; i++) {
    struct msghdr message;
    memset(&message, 0, sizeof(message));
    message.msg_control = &control;
    message.msg_controllen = sizeof(control);
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
      break;
    if (first == 0)
      first = entry_error(&message);
  }
  return pending != 0 && first != 0 ? first : pending;
}

#endif
