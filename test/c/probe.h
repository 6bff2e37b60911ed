/*
** probe.h: what this machine's kernel can't do, asked by plain system calls,
** before anything of ours is asked for it.
**
** An emulator of another processor (qemu-user) passes only the calls on that
** it knows, and some of them wrongly.
*/
#ifndef TEST_PROBE_H
#define TEST_PROBE_H

#include "platform.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


/* RUNNER is what the tests run under. */
static inline bool emulated(void) {
  const char *runner = getenv("RUNNER");
  return runner != NULL && strstr(runner, "qemu-") != NULL;
}


/* 0 or an errno: what setsockopt(2) says of that value on a new socket. */
static inline int probe_option(int type, int level, int option, const void *value,
                               socklen_t length) {
  int fd = socket(AF_INET, type, 0), error;
  assert_true(fd >= 0);
  error = setsockopt(fd, level, option, value, length) == 0 ? 0 : errno;
  close(fd);
  return error;
}


/* … and of a text that is set, got, and set again as it was got; NULL: of the one
** that is there. */
static inline int probe_text_option(int type, int level, int option, const char *value) {
  char text[64];
  socklen_t length = sizeof(text);
  int fd = socket(AF_INET, type, 0), error = 0;
  assert_true(fd >= 0);
  if ((value != NULL && setsockopt(fd, level, option, value, (socklen_t)strlen(value)) != 0) ||
      getsockopt(fd, level, option, text, &length) != 0 ||
      setsockopt(fd, level, option, text, (socklen_t)strnlen(text, length)) != 0)
    error = errno;
  close(fd);
  return error;
}


/* Skips the rest of the test where a probe failed. */
static inline void need_probed(const char *what, int error) {
  if (error == 0)
    return;
  print_message("skipped: %s, by a plain system call: %s\n", what, strerror(error));
  skip();
}


static inline void need_source_memberships(void) {
#if defined(MCAST_JOIN_SOURCE_GROUP)
  struct group_source_req join;
  struct sockaddr_in address;
  memset(&join, 0, sizeof(join));
  memset(&address, 0, sizeof(address));
  join.gsr_interface = if_nametoindex("lo");
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(0xe8010203);
  memcpy(&join.gsr_group, &address, sizeof(address));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  memcpy(&join.gsr_source, &address, sizeof(address));
  if (join.gsr_interface != 0)
    need_probed("MCAST_JOIN_SOURCE_GROUP",
                probe_option(SOCK_DGRAM, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &join, sizeof(join)));
#endif
}


/* A group joined, and sent to, through an interface that is named by its index. */
static inline void need_memberships_by_index(unsigned int interface) {
#if defined(__linux__)
  struct ip_mreqn join;
  memset(&join, 0, sizeof(join));
  join.imr_multiaddr.s_addr = htonl(0xefff4d63);
  join.imr_ifindex = (int)interface;
  need_probed("IP_ADD_MEMBERSHIP by index",
              probe_option(SOCK_DGRAM, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)));
#endif
  (void)interface;
}


static inline void need_multicast_if_by_index(unsigned int interface) {
#if defined(__linux__)
  struct ip_mreqn send;
  memset(&send, 0, sizeof(send));
  send.imr_ifindex = (int)interface;
  need_probed("IP_MULTICAST_IF by index",
              probe_option(SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_IF, &send, sizeof(send)));
#endif
  (void)interface;
}

#endif
