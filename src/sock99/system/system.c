/*
** system.c: the module's system calls that are the same on every system.
*/

#include "system/system.h"


/* Without accept4, a BSD lets the connection inherit the listener's O_NONBLOCK. */
int sock99_accept(int listener, bool nonblocking, struct sockaddr *peer, socklen_t *length) {
  int fd = SOCK99_ACCEPT(listener, peer, length,
                         S99_SOCK_CLOEXEC | (nonblocking ? S99_SOCK_NONBLOCK : 0));
  if (fd < 0 || SOCK99_HAVE_ACCEPT4)
    return fd;
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
      fcntl(fd, F_SETFL, nonblocking ? O_NONBLOCK : 0) == 0 && s99_no_sigpipe(fd) == 0)
    return fd;
  s99_close_quietly(fd);
  return -1;
}


bool sock99_concerns_the_connection(int error) {
  return error == EINTR || error == ECONNABORTED || sock99_is_network_error(error);
}


static bool finish_end(int fd, bool cloexec, bool nonblocking) {
  if (cloexec && S99_SOCK_CLOEXEC == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    return false;
  if (nonblocking && S99_SOCK_NONBLOCK == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
    return false;
  return s99_no_sigpipe(fd) == 0;
}


int sock99_socketpair(int type, bool cloexec, bool nonblocking, int ends[2]) {
  int flags = (cloexec ? S99_SOCK_CLOEXEC : 0) | (nonblocking ? S99_SOCK_NONBLOCK : 0);
  if (socketpair(AF_UNIX, type | flags, 0, ends) != 0)
    return -1;
  if (finish_end(ends[0], cloexec, nonblocking) && finish_end(ends[1], cloexec, nonblocking))
    return 0;
  s99_close_quietly(ends[0]);
  s99_close_quietly(ends[1]);
  return -1;
}


int sock99_disconnect(int fd) {
  struct sockaddr nobody;
  int status;
  memset(&nobody, 0, sizeof(nobody));
  nobody.sa_family = AF_UNSPEC;
  do {
    status = connect(fd, &nobody, sizeof(nobody));
  } while (status != 0 && errno == EINTR);
  return status == 0 || SOCK99_HAS_DISCONNECTED(errno) ? 0 : -1;
}


#if SOCK99_HAVE_MMSG

int sock99_send_many(int fd, struct sock99_mmsghdr *messages, int count, int flags) {
  return (int)sendmmsg(fd, messages, (unsigned int)count, (SOCK99_MMSG_FLAGS)flags);
}


int sock99_receive_many(int fd, struct sock99_mmsghdr *messages, int count, int flags) {
  return (int)recvmmsg(fd, messages, (unsigned int)count,
                       (SOCK99_MMSG_FLAGS)(flags | MSG_WAITFORONE), NULL);
}

#else

int sock99_send_many(int fd, struct sock99_mmsghdr *messages, int count, int flags) {
  int i;
  for (i = 0; i < count; i++) {
    ssize_t sent = sendmsg(fd, &messages[i].msg_hdr, flags);
    if (sent < 0)
      return i > 0 ? i : -1;
    messages[i].msg_len = (unsigned int)sent;
  }
  return count;
}


int sock99_receive_many(int fd, struct sock99_mmsghdr *messages, int count, int flags) {
  int i;
  for (i = 0; i < count; i++) {
    ssize_t got = recvmsg(fd, &messages[i].msg_hdr, i > 0 ? flags | MSG_DONTWAIT : flags);
    if (got < 0)
      return i > 0 ? i : -1;
    messages[i].msg_len = (unsigned int)got;
  }
  return count;
}

#endif


void sock99_ignore_sigpipe(void) {
  struct sigaction action;
  if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL &&
      (action.sa_flags & SA_SIGINFO) == 0) {
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
  }
}
