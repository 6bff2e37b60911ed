/*
** traffic.h: what both ends of the traffic benchmark agree on; traffic.lua has
** the same figures.
*/
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STRING_SIZE 65536
#define ECHO_SIZE 64
#define LINE_SIZE 61 /* its end included */
#define DATAGRAM_SIZE 64
#define BATCH 200 /* datagrams that a receive buffer holds */

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

#endif
