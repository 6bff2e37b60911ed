/*
** rights.c: descriptors received with data from a Unix socket.
**
** The process owns a descriptor as soon as recvmsg(2) returns. The object stores
** it at once, in memory reserved before the call, and gives it up only when the
** Lua list of descriptors is complete; so none leaks, whatever fails. A plain
** recv(2) would drop descriptors, so all reads from a Unix socket are done here.
*/

#include "objects.h"


static bool reserve_rights(struct sock99_socket *s) {
  if (s->rights != NULL)
    return true;
  s->rights = malloc(sizeof(*s->rights) + SOCK99_MOST_FDS * sizeof(int));
  if (s->rights == NULL)
    return false;
  s->rights->count = 0;
  s->rights->truncated = false;
  return true;
}


void sock99_release_rights(struct sock99_socket *s) {
  if (s->rights == NULL || s->rights->count > 0 || s->rights->truncated)
    return;
  free(s->rights);
  s->rights = NULL;
}


/* On some systems a message may carry more descriptors than were reserved. */
static void keep_right(struct sock99_rights *rights, int fd) {
  if (SOCK99_MSG_CMSG_CLOEXEC == 0)
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (rights->count < SOCK99_MOST_FDS) {
    rights->fds[rights->count++] = fd;
    return;
  }
  close(fd);
  rights->truncated = true;
}


static void keep_rights(struct sock99_rights *rights, struct msghdr *message) {
  struct cmsghdr *header;
  for (header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
    const unsigned char *data = CMSG_DATA(header);
    size_t left = header->cmsg_len - (size_t)(data - (const unsigned char *)header);
    int fd;
    if (header->cmsg_level != SOL_SOCKET)
      continue;
    for (; left >= sizeof(fd); left -= sizeof(fd), data += sizeof(fd)) {
      memcpy(&fd, data, sizeof(fd));
      if (header->cmsg_type == SCM_RIGHTS)
        keep_right(rights, fd);
      else if (header->cmsg_type == SOCK99_SCM_PIDFD)
        close(fd);
    }
  }
}


ssize_t sock99_receive_message_rights(struct sock99_socket *s, struct msghdr *message, int flags) {
  union sock99_control control;
  ssize_t got;
  int error;
  if (!reserve_rights(s)) {
    errno = ENOMEM;
    return -1;
  }
  message->msg_control = &control;
  message->msg_controllen = sizeof(control);
  got = recvmsg(s->fd, message, flags | SOCK99_MSG_CMSG_CLOEXEC);
  error = errno;
  if (got >= 0) {
    keep_rights(s->rights, message);
    if ((message->msg_flags & MSG_CTRUNC) != 0)
      s->rights->truncated = true;
  }
  message->msg_control = NULL;
  sock99_release_rights(s);
  errno = error;
  return got;
}


ssize_t sock99_receive_rights(struct sock99_socket *s, void *buffer, size_t size, int flags) {
  struct msghdr message;
  struct iovec part;
  memset(&message, 0, sizeof(message));
  part.iov_base = buffer;
  part.iov_len = size;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return sock99_receive_message_rights(s, &message, flags);
}


void sock99_close_rights(struct sock99_socket *s) {
  struct sock99_rights *rights = s->rights;
  s->rights = NULL;
  while (rights != NULL && rights->count > 0)
    close(rights->fds[--rights->count]);
  free(rights);
}
