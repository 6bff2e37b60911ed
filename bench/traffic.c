/*
** traffic.c: the system calls of each kind of traffic, as a C program would
** make them: what the Lua libraries are compared with.
**
** traffic KIND N PORT prints the CPU time of it, user and system, in seconds.
*/
#define _GNU_SOURCE 1

#include "traffic.h"

#include <sys/socket.h>

static char room[STRING_SIZE];


static bool receive_all(int fd, size_t size) {
  size_t have = 0;
  while (have < size) {
    ssize_t got = recv(fd, room + have, size - have, 0);
    if (got <= 0)
      return false;
    have += (size_t)got;
  }
  return true;
}


static bool send_all(int fd, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t sent = send(fd, room + done, size - done, MSG_NOSIGNAL);
    if (sent < 0)
      return false;
    done += (size_t)sent;
  }
  return true;
}


static bool send_strings(int fd, long n) {
  while (n-- > 0) {
    if (!send_all(fd, STRING_SIZE))
      return false;
  }
  return true;
}


static bool receive_strings(int fd, long n) {
  while (n-- > 0) {
    if (!receive_all(fd, STRING_SIZE))
      return false;
  }
  return true;
}


static bool echo(int fd, long n) {
  while (n-- > 0) {
    if (!send_all(fd, ECHO_SIZE) || !receive_all(fd, ECHO_SIZE))
      return false;
  }
  return true;
}


static bool count_lines(int fd, long n) {
  size_t unread = 0;
  while (n > 0) {
    ssize_t got = recv(fd, room + unread, sizeof(room) - unread, 0);
    char *begin = room, *end = room + unread + got, *newline;
    if (got <= 0)
      return false;
    while ((newline = memchr(begin, '\n', (size_t)(end - begin))) != NULL) {
      begin = newline + 1;
      n--;
    }
    unread = (size_t)(end - begin);
    memmove(room, begin, unread);
  }
  return true;
}


static bool receive_one_by_one(int fd) {
  int i;
  for (i = 0; i < BATCH; i++) {
    if (recv(fd, room, sizeof(room), 0) != DATAGRAM_SIZE)
      return false;
  }
  return true;
}


static bool receive_many(int fd) {
  struct mmsghdr messages[64];
  struct iovec parts[64];
  int i, left = BATCH;
  memset(messages, 0, sizeof(messages));
  for (i = 0; i < 64; i++) {
    parts[i].iov_base = room + i * DATAGRAM_SIZE;
    parts[i].iov_len = DATAGRAM_SIZE;
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  while (left > 0) {
    int got = recvmmsg(fd, messages, 64, MSG_WAITFORONE, NULL);
    if (got <= 0)
      return false;
    left -= got;
  }
  return true;
}


/* The clock runs only while a batch that is there is received. */
static bool receive_batches(int fd, long n, bool receive(int fd), clock_t *used) {
  for (; n > 0; n -= BATCH) {
    clock_t start;
    if (send(fd, room, 1, 0) != 1 || getchar() != '\n')
      return false;
    start = clock();
    if (!receive(fd))
      return false;
    *used += clock() - start;
  }
  return true;
}


static bool run(const char *kind, int fd, long n, clock_t *used) {
  static const struct {
    const char *name;
    bool (*run)(int fd, long n);
  } streams[] = {
      {"send", send_strings}, {"receive", receive_strings}, {"echo", echo}, {"lines", count_lines}};
  clock_t start;
  size_t i;
  if (strcmp(kind, "datagrams") == 0)
    return receive_batches(fd, n, receive_one_by_one, used);
  if (strcmp(kind, "many") == 0)
    return receive_batches(fd, n, receive_many, used);
  for (i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
    if (strcmp(streams[i].name, kind) == 0) {
      start = clock();
      if (!streams[i].run(fd, n))
        return false;
      *used = clock() - start;
      return true;
    }
  }
  return false;
}


int main(int argc, char **argv) {
  struct sockaddr_in peer;
  clock_t used = 0;
  bool datagram;
  int fd;
  if (argc != 4)
    return 2;
  datagram = strcmp(argv[1], "datagrams") == 0 || strcmp(argv[1], "many") == 0;
  peer = loopback(atoi(argv[3]));
  fd = socket(AF_INET, datagram ? SOCK_DGRAM : SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)) != 0 ||
      !run(argv[1], fd, atol(argv[2]), &used)) {
    perror(argv[1]);
    return 1;
  }
  printf("%.6f\n", (double)used / CLOCKS_PER_SEC);
  return 0;
}
