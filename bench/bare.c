/*
** bare.c: the system calls alone, as a C program would make them that knows
** its address: what everything else is compared with.
*/
#define _GNU_SOURCE 1

#include "bench.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>


static struct sockaddr_in inet_address(const struct where *where) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)where->port);
  inet_pton(AF_INET, where->host, &address.sin_addr);
  return address;
}


static int tcp_server(const struct where *where) {
  struct sockaddr_in address = inet_address(where);
  int on = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, SOMAXCONN) != 0)
    return -1;
  return fd;
}


static int inet_client(const struct where *where, int type) {
  struct sockaddr_in address = inet_address(where);
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
    return -1;
  return fd;
}


static int tcp_client(const struct where *where) {
  return inet_client(where, SOCK_STREAM);
}


static int udp_client(const struct where *where) {
  return inet_client(where, SOCK_DGRAM);
}


static int unix_client(const struct where *where) {
  struct sockaddr_un address;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  memset(&address, 0, sizeof(address));
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, where->path, sizeof(address.sun_path) - 1);
  if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
    return -1;
  return fd;
}


int main(int argc, char **argv) {
  static const struct kind kinds[] = {
      {"tcp_server", tcp_server},
      {"tcp_client", tcp_client},
      {"udp_client", udp_client},
      {"unix_client", unix_client},
      {NULL, NULL},
  };
  return run(argc, argv, kinds);
}
