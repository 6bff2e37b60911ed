/*
** test_threads.c: eight threads open and close side by side, and each gets
** the results of its own calls.
*/

#include "sockets.h"

#include <pthread.h>

enum { threads = 8, rounds = 2000 };

struct worker {
  pthread_t thread;
  int number;
  int listening_port; /* of a listener that all share */
  const char *wrong;  /* what a result said that it should not; NULL: nothing */
  char told[512];
};


static const char *check_told(struct worker *worker, const socket99_config *cfg,
                              enum socket99_status status, int error, const char *expected) {
  socket99_result res;
  if (socket99_open(cfg, &res)) {
    close(res.fd);
    return expected;
  }
  socket99_snprintf(worker->told, sizeof(worker->told), &res);
  if (res.fd != -1 || res.status != status || res.saved_errno != error)
    return expected;
  return strcmp(worker->told, expected) == 0 ? NULL : expected;
}


/* A server that is bound where it was asked to be, closed with its round. */
static const char *check_server(struct worker *worker) {
  char host[32];
  socket99_config cfg = {.ipv4 = host, .server = true};
  struct s99_address own;
  socket99_result res;
  bool right;
  snprintf(host, sizeof(host), "127.0.1.%d", worker->number + 1);
  if (!socket99_open(&cfg, &res)) {
    socket99_snprintf(worker->told, sizeof(worker->told), &res);
    return "a server";
  }
  own.len = sizeof(own.addr);
  right = getsockname(res.fd, &own.addr.sa, &own.len) == 0 &&
          ntohl(own.addr.in.sin_addr.s_addr) == 0x7f000100u + (unsigned int)worker->number + 1 &&
          (fcntl(res.fd, F_GETFD) & FD_CLOEXEC) != 0;
  close(res.fd);
  return right ? NULL : "a server's own address";
}


static const char *check_client(struct worker *worker) {
  socket99_config cfg = {.ipv4 = "127.0.0.1", .port = worker->listening_port, .datagram = true};
  struct s99_address peer;
  socket99_result res;
  bool right;
  if (!socket99_open(&cfg, &res)) {
    socket99_snprintf(worker->told, sizeof(worker->told), &res);
    return "a client";
  }
  peer.len = sizeof(peer.addr);
  right = getpeername(res.fd, &peer.addr.sa, &peer.len) == 0 &&
          ntohs(peer.addr.in.sin_port) == worker->listening_port;
  close(res.fd);
  return right ? NULL : "a client's peer";
}


static const char *check_missing_path(struct worker *worker) {
  char path[32], expected[128];
  socket99_config cfg = {.path = path};
  snprintf(path, sizeof(path), "/none-%d/s", worker->number);
  snprintf(expected, sizeof(expected), "connect %s: No such file or directory", path);
  return check_told(worker, &cfg, SOCKET99_ERROR_CONNECT, ENOENT, expected) ? "a missing path"
                                                                            : NULL;
}


static const char *check_configuration(struct worker *worker) {
  char expected[128];
  socket99_config cfg = {.ipv4 = "127.0.0.1", .port = 70000 + worker->number};
  snprintf(expected, sizeof(expected), "configuration: port %d is not in 0 to 65535", cfg.port);
  return check_told(worker, &cfg, SOCKET99_ERROR_CONFIGURATION, EINVAL, expected)
             ? "a wrong configuration"
             : NULL;
}


static const char *check_foreign_address(struct worker *worker) {
  char host[32], expected[128];
  socket99_config cfg = {.ipv4 = host, .server = true};
  snprintf(host, sizeof(host), "203.0.113.%d", worker->number + 1);
  snprintf(expected, sizeof(expected), "bind %s:0: %s", host, strerror(EADDRNOTAVAIL));
  return check_told(worker, &cfg, SOCKET99_ERROR_BIND, EADDRNOTAVAIL, expected)
             ? "an address of another machine"
             : NULL;
}


static void *work(void *argument) {
  static const char *(*const checks[])(struct worker * worker) = {
      check_server, check_client, check_missing_path, check_configuration, check_foreign_address};
  struct worker *worker = argument;
  int round;
  for (round = 0; round < rounds && worker->wrong == NULL; round++)
    worker->wrong = checks[(size_t)(round + worker->number) % COUNT(checks)](worker);
  return NULL;
}


static void test_threads_get_the_results_of_their_own_calls(void **state) {
  socket99_config cfg = {.ipv4 = "127.0.0.1", .server = true, .datagram = true};
  int listener = opened(&cfg), before = descriptors(), i;
  struct worker workers[threads];
  (void)state;
  memset(workers, 0, sizeof(workers));
  for (i = 0; i < threads; i++) {
    workers[i].number = i;
    workers[i].listening_port = own_port(listener);
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (i = 0; i < threads; i++)
    assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
  for (i = 0; i < threads; i++) {
    if (workers[i].wrong != NULL) {
      print_error("thread %d, %s: %s\n", i, workers[i].wrong, workers[i].told);
      fail();
    }
  }
  assert_int_equal(descriptors(), before);
  close(listener);
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_threads_get_the_results_of_their_own_calls),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
