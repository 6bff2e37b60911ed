/*
** sockets.h: what the tests of openings share.
**
** Each opening is held to what holds for all of them: a failure gives -1 and
** leaves no descriptor behind, a success says so in every field.
*/
#ifndef TEST_SOCKETS_H
#define TEST_SOCKETS_H

#include "internal.h"
#include "probe.h"

#include <dirent.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))


static inline int descriptors(void) {
  int fd, open = 0;
  for (fd = 0; fd < 256; fd++)
    open += fcntl(fd, F_GETFD) >= 0;
  return open;
}


/* Of this process; 0 where nobody tells. */
static inline int thread_count(void) {
  DIR *tasks = opendir("/proc/self/task");
  int count = 0;
  const struct dirent *each;
  if (tasks == NULL)
    return 0;
  while ((each = readdir(tasks)) != NULL)
    count += each->d_name[0] != '.';
  closedir(tasks);
  return count;
}


static inline int opened(const socket99_config *cfg) {
  char text[512];
  socket99_result res;
  memset(&res, 0x5a, sizeof(res));
  if (!socket99_open(cfg, &res)) {
    socket99_snprintf(text, sizeof(text), &res);
    print_error("%s\n", text);
    fail();
  }
  assert_true(res.fd >= 0);
  assert_int_equal(res.status, SOCKET99_OK);
  assert_int_equal(res.saved_errno, 0);
  assert_int_equal(res.getaddrinfo_error, 0);
  assert_string_equal(res.where, "");
  return res.fd;
}


/* The text of a failure of that stage and errno; valid until the next call. */
static inline const char *failure(const socket99_config *cfg, enum socket99_status status,
                                  int error) {
  static char text[512];
  int before = descriptors();
  socket99_result res;
  memset(&res, 0x5a, sizeof(res));
  assert_false(socket99_open(cfg, &res));
  assert_int_equal(descriptors(), before);
  socket99_snprintf(text, sizeof(text), &res);
  if (res.status != status || res.saved_errno != error)
    print_error("%s\n", text);
  assert_int_equal(res.status, status);
  assert_int_equal(res.saved_errno, error);
  assert_int_equal(res.fd, -1);
  if (status != SOCKET99_ERROR_GETADDRINFO)
    assert_int_equal(res.getaddrinfo_error, 0);
  return text;
}


/* What is told of a step that failed with that errno; each libc has its own words.
** Valid until the next call. */
static inline const char *told(const char *step, int error) {
  static char text[512];
  snprintf(text, sizeof(text), "%s: %s", step, strerror(error));
  return text;
}


static inline void own_address(int fd, struct s99_address *own) {
  memset(own, 0, sizeof(*own));
  own->len = sizeof(own->addr);
  assert_int_equal(getsockname(fd, &own->addr.sa, &own->len), 0);
}


static inline void peer_address(int fd, struct s99_address *peer) {
  memset(peer, 0, sizeof(*peer));
  peer->len = sizeof(peer->addr);
  assert_int_equal(getpeername(fd, &peer->addr.sa, &peer->len), 0);
}


static inline int own_port(int fd) {
  struct s99_address own;
  own_address(fd, &own);
  return ntohs(own.addr.sa.sa_family == AF_INET ? own.addr.in.sin_port : own.addr.in6.sin6_port);
}


/* "127.0.0.1", "::1": where it is bound, without the port. */
static inline const char *own_host(int fd) {
  static char text[INET6_ADDRSTRLEN];
  struct s99_address own;
  own_address(fd, &own);
  if (own.addr.sa.sa_family == AF_INET)
    inet_ntop(AF_INET, &own.addr.in.sin_addr, text, sizeof(text));
  else
    inet_ntop(AF_INET6, &own.addr.in6.sin6_addr, text, sizeof(text));
  return text;
}


static inline int option_of(int fd, int level, int option) {
  int value = -1;
  socklen_t length = sizeof(value);
  assert_int_equal(getsockopt(fd, level, option, &value, &length), 0);
  return value;
}


static inline bool is_connected(int fd) {
  struct s99_address peer;
  peer.len = sizeof(peer.addr);
  return getpeername(fd, &peer.addr.sa, &peer.len) == 0;
}


static inline void await(int fd, short events) {
  struct pollfd poller = {fd, events, 0};
  assert_int_equal(poll(&poller, 1, 10000), 1);
}


static inline int accepted(int listener) {
  int fd;
  await(listener, POLLIN);
  fd = accept(listener, NULL, NULL);
  assert_true(fd >= 0);
  return fd;
}


static inline void assert_flows(int from, int to) {
  char buf[16] = "";
  assert_int_equal(send(from, "sock99", 6, MSG_NOSIGNAL), 6);
  await(to, POLLIN);
  assert_int_equal(recv(to, buf, sizeof(buf), 0), 6);
  assert_memory_equal(buf, "sock99", 6);
}


static inline void assert_listens(int listener, socket99_config client) {
  int fd = opened(&client);
  int peer = accepted(listener);
  assert_flows(fd, peer);
  assert_flows(peer, fd);
  close(peer);
  close(fd);
}


static inline bool have_ipv6(void) {
  socket99_config cfg = {.ipv6 = "::1", .server = true};
  socket99_result res;
  if (!socket99_open(&cfg, &res))
    return false;
  close(res.fd);
  return true;
}


static inline void need_ipv6(void) {
  if (have_ipv6())
    return;
  print_message("skipped: this machine has no ::1\n");
  skip();
}


/* A directory of the test's own to be in; leaving it fails where files are left. */
static char directory[] = "/tmp/socket99-test-XXXXXX";

static inline int enter_directory(void **state) {
  (void)state;
  return mkdtemp(directory) != NULL && chdir(directory) == 0 ? 0 : -1;
}


static inline int leave_directory(void **state) {
  (void)state;
  return chdir("/") == 0 && rmdir(directory) == 0 ? 0 : -1;
}

#endif
