/*
** system_linux.c: calls of the module that Linux has in its own way.
*/

#include "system/system.h"

#if defined(__linux__)

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
  if (credentials.pid <= 0) {
    errno = ENOTCONN;
    return -1;
  }
  peer->pid = credentials.pid;
  peer->uid = credentials.uid;
  peer->gid = credentials.gid;
  return 0;
}

#endif
