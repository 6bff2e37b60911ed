/*
** system_bsd.c: the same calls on macOS, the BSDs and any other system.
*/

#include "system/system.h"

#if !defined(__linux__)

#include <poll.h>


bool sock99_is_network_error(int error) {
  (void)error;
  return false;
}


/* A former connection is readable, at its end. */
bool sock99_was_connected(int fd) {
  struct pollfd polled = {fd, POLLIN, 0};
  return poll(&polled, 1, 0) > 0 && (polled.revents & POLLIN) != 0;
}


ssize_t sock99_next_message_size(int fd, int flags) {
  char byte;
  int queued;
  if (recv(fd, &byte, sizeof(byte), flags | MSG_PEEK) < 0)
    return -1;
  return ioctl(fd, FIONREAD, &queued) == 0 ? queued : -1;
}


/* These systems have a different sendfile(2), or none. */
ssize_t sock99_sendfile(int fd, int file, off_t *offset, size_t count) {
  (void)fd;
  (void)file;
  (void)offset;
  (void)count;
  errno = ENOSYS;
  return -1;
}


int sock99_begin_no_sigpipe(struct sock99_sigpipe *held) {
  held->was_pending = true;
  return 0;
}


void sock99_end_no_sigpipe(const struct sock99_sigpipe *held, bool may_have_come) {
  (void)held;
  (void)may_have_come;
}


/* Returns -1 if unknown. */
static long long peer_pid(int fd) {
#if defined(LOCAL_PEERPID)
  pid_t pid;
  socklen_t length = sizeof(pid);
  return getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &pid, &length) == 0 ? pid : -1;
#elif defined(__OpenBSD__)
  struct sockpeercred peer;
  socklen_t length = sizeof(peer);
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 ? peer.pid : -1;
#else
  (void)fd;
  return -1;
#endif
}


int sock99_peer_credentials(int fd, struct sock99_credentials *peer) {
  uid_t uid;
  gid_t gid;
  if (getpeereid(fd, &uid, &gid) != 0)
    return -1;
  peer->pid = peer_pid(fd);
  peer->uid = uid;
  peer->gid = gid;
  return 0;
}

/* These systems have no error queue; the next call returns the error. */
int sock99_empty_error_queue(int fd) {
  (void)fd;
  return 0;
}

#endif
