/*
** peer.c: the other end of the traffic benchmark, in a process of its own, so
** that the CPU time of a contender is that of its own end.
**
** peer KIND N COMMAND… listens, runs the command with the port as its last
** argument, and does what its kind of traffic asks of the other end:
**
**   send            reads until the end
**   receive         sends N strings of 64 KiB
**   echo            sends back what it gets
**   lines           sends N lines of 60 bytes
**   datagrams       for each datagram that it gets sends a batch of them, and
**                   a line to the command's standard input once they are there
**   idle            nothing
*/
#define _GNU_SOURCE 1

#include "traffic.h"

#include <sys/socket.h>
#include <sys/wait.h>


static void give_up(const char *what) {
  perror(what);
  exit(1);
}


static void write_all(int fd, const char *data, size_t size) {
  while (size > 0) {
    ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
    if (sent < 0)
      give_up("send");
    data += sent;
    size -= (size_t)sent;
  }
}


static void sink(int fd) {
  static char room[STRING_SIZE];
  while (recv(fd, room, sizeof(room), 0) > 0)
    continue;
}


static void send_strings(int fd, long n) {
  static char string[STRING_SIZE];
  for (; n > 0; n--)
    write_all(fd, string, sizeof(string));
}


static void send_back(int fd) {
  char room[ECHO_SIZE];
  ssize_t got;
  while ((got = recv(fd, room, sizeof(room), 0)) > 0)
    write_all(fd, room, (size_t)got);
}


static void send_lines(int fd, long n) {
  static char lines[1000 * LINE_SIZE];
  size_t i;
  memset(lines, 'x', sizeof(lines));
  for (i = LINE_SIZE - 1; i < sizeof(lines); i += LINE_SIZE)
    lines[i] = '\n';
  for (; n > 1000; n -= 1000)
    write_all(fd, lines, sizeof(lines));
  write_all(fd, lines, (size_t)n * LINE_SIZE);
}


static void send_batches(int fd, int start, long n) {
  char datagram[DATAGRAM_SIZE] = {0};
  for (; n > 0; n -= BATCH) {
    struct sockaddr_in from;
    socklen_t length = sizeof(from);
    int i;
    if (recvfrom(fd, datagram, sizeof(datagram), 0, (struct sockaddr *)&from, &length) < 0)
      give_up("recvfrom");
    for (i = 0; i < BATCH; i++) {
      if (sendto(fd, datagram, sizeof(datagram), 0, (struct sockaddr *)&from, length) < 0)
        give_up("sendto");
    }
    if (write(start, "\n", 1) != 1)
      give_up("write");
  }
}


static int listen_on_loopback(int type, int *port) {
  struct sockaddr_in address = loopback(0);
  socklen_t length = sizeof(address);
  struct timeval limit = {30, 0};
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
      bind(fd, (struct sockaddr *)&address, length) != 0 ||
      (type == SOCK_STREAM && listen(fd, SOMAXCONN) != 0) ||
      getsockname(fd, (struct sockaddr *)&address, &length) != 0)
    give_up("listen");
  *port = ntohs(address.sin_port);
  return fd;
}


/* What is written to `*input` is the command's standard input. */
static pid_t start(char **command, int count, int port, int *input) {
  char text[8];
  char **arguments = calloc((size_t)count + 2, sizeof(*arguments));
  int ends[2];
  pid_t pid = -1;
  snprintf(text, sizeof(text), "%d", port);
  if (arguments == NULL || pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0)
    give_up("start");
  memcpy(arguments, command, (size_t)count * sizeof(*arguments));
  arguments[count] = text;
  if (pid == 0) {
    dup2(ends[0], STDIN_FILENO);
    execvp(arguments[0], arguments);
    give_up(arguments[0]);
  }
  free(arguments);
  close(ends[0]);
  *input = ends[1];
  return pid;
}


static void talk(const char *kind, int fd, long n) {
  if (strcmp(kind, "send") == 0)
    sink(fd);
  else if (strcmp(kind, "receive") == 0)
    send_strings(fd, n);
  else if (strcmp(kind, "echo") == 0)
    send_back(fd);
  else if (strcmp(kind, "lines") == 0)
    send_lines(fd, n);
}


int main(int argc, char **argv) {
  int port, input, listener, status;
  bool datagram;
  pid_t pid;
  if (argc < 4)
    return 2;
  datagram = strcmp(argv[1], "datagrams") == 0;
  listener = listen_on_loopback(datagram ? SOCK_DGRAM : SOCK_STREAM, &port);
  pid = start(argv + 3, argc - 3, port, &input);
  if (datagram) {
    send_batches(listener, input, atol(argv[2]));
  } else if (strcmp(argv[1], "idle") != 0) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
      give_up("accept");
    talk(argv[1], fd, atol(argv[2]));
    close(fd);
  }
  if (waitpid(pid, &status, 0) < 0)
    give_up("waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
