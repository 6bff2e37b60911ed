/*
** test_compat.c: programs written for socket99 0.2.2, as they were written.
**
** It sees no more than the public header; test_compat.sh compiles it as
** strictly as such a program may be.
*/
#define _POSIX_C_SOURCE 200809L

#include "socket99.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>


static int port_of(int fd) {
  struct sockaddr_in own;
  socklen_t length = sizeof(own);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &length), 0);
  return ntohs(own.sin_port);
}


static void assert_talk(int client, int listener) {
  char buf[8] = {0};
  int peer = accept(listener, NULL, NULL);
  assert_true(peer >= 0);
  assert_int_equal(write(client, "hello", 5), 5);
  assert_int_equal(read(peer, buf, sizeof(buf)), 5);
  assert_string_equal(buf, "hello");
  close(peer);
}


static socket99_result open_by_value(socket99_config cfg) {
  socket99_result res;
  if (!socket99_open(&cfg, &res)) {
    socket99_fprintf(stderr, &res);
    fail();
  }
  return res;
}


/* The first example of its README. */
static void test_a_server_and_a_client(void **state) {
  int on = 1;
  socket99_config server = {
      .host = "127.0.0.1",
      .port = 0,
      .server = true,
      .nonblocking = false,
      .backlog_size = 16,
      .sockopts[0] = {SO_REUSEADDR, &on, sizeof(on)},
      .sockopts[1] = {.option_id = SO_KEEPALIVE, .value = &on, .value_len = sizeof(on)},
  };
  socket99_result listening = open_by_value(server);
  socket99_config client = {
      .host = "127.0.0.1",
      .port = port_of(listening.fd),
  };
  socket99_result connected = open_by_value(client);
  int value = 0;
  socklen_t length = sizeof(value);
  (void)state;
  assert_int_equal(listening.status, SOCKET99_OK);
  assert_int_equal(getsockopt(listening.fd, SOL_SOCKET, SO_REUSEADDR, &value, &length), 0);
  assert_int_not_equal(value, 0);
  assert_int_equal(getsockopt(listening.fd, SOL_SOCKET, SO_KEEPALIVE, &value, &length), 0);
  assert_int_not_equal(value, 0);
  assert_talk(connected.fd, listening.fd);
  close(connected.fd);
  close(listening.fd);
}


static void test_every_place_for_an_option(void **state) {
  int on = 1, size = 9000;
  struct timeval wait = {3, 0}, told = {0, 0};
  socklen_t length = sizeof(told);
  socket99_config cfg = {
      .host = "127.0.0.1",
      .server = true,
      .sockopts = {{SO_REUSEADDR, &on, sizeof(on)},
                   {SO_RCVBUF, &size, sizeof(size)},
                   {SO_RCVTIMEO, &wait, sizeof(wait)},
                   {SO_OOBINLINE, &on, sizeof(on)}},
  };
  socket99_result res = open_by_value(cfg);
  (void)state;
  assert_int_equal(SOCKET99_MAX_SOCK_OPTS, 4);
  assert_int_equal(getsockopt(res.fd, SOL_SOCKET, SO_RCVTIMEO, &told, &length), 0);
  assert_int_equal(told.tv_sec, 3);
  close(res.fd);
}


static void test_an_option_without_a_value_is_the_systems_to_refuse(void **state) {
  int on = 1;
  socket99_config cfg = {.host = "127.0.0.1",
                         .server = true,
                         .datagram = true,
                         .sockopts = {{SO_BROADCAST, &on, sizeof(on)}}};
  socket99_result res = open_by_value(cfg);
  (void)state;
  close(res.fd);
  cfg.sockopts[1].option_id = SO_REUSEADDR;
  assert_false(socket99_open(&cfg, &res));
  assert_int_equal(res.status, SOCKET99_ERROR_SETSOCKOPT);
}


static void test_both_spellings_of_the_address_fields(void **state) {
  socket99_config older = {.IPv4 = "127.0.0.1", .server = true};
  socket99_config newer = {.ipv4 = "127.0.0.1", .server = true};
  socket99_config six = {.IPv6 = "::1", .port = 1};
  socket99_result res = open_by_value(older);
  (void)state;
  close(res.fd);
  res = open_by_value(newer);
  close(res.fd);
  assert_string_equal(older.ipv4, newer.IPv4);
  assert_string_equal(six.ipv6, "::1");
}


/* The fields are the program's: char *, and it may free them. */
static void test_fields_belong_to_the_program(void **state) {
  socket99_config cfg;
  socket99_result res;
  (void)state;
  memset(&cfg, 0, sizeof(cfg));
  cfg.host = malloc(16);
  assert_non_null(cfg.host);
  strcpy(cfg.host, "127.0.0.1");
  cfg.host[8] = '2';
  cfg.server = true;
  assert_true(socket99_open(&cfg, &res));
  free(cfg.host);
  close(res.fd);
}


static void test_a_result_may_be_copied(void **state) {
  socket99_config cfg = {.path = "/none/such"};
  socket99_result first, second;
  char text[128], copied[128];
  (void)state;
  assert_false(socket99_open(&cfg, &first));
  second = first;
  memset(&first.where, 0, sizeof(first.where));
  switch (second.status) {
  case SOCKET99_ERROR_CONNECT:
    break;
  case SOCKET99_OK:
  case SOCKET99_ERROR_GETADDRINFO:
  case SOCKET99_ERROR_SOCKET:
  case SOCKET99_ERROR_BIND:
  case SOCKET99_ERROR_LISTEN:
  case SOCKET99_ERROR_FCNTL:
  case SOCKET99_ERROR_SNPRINTF:
  case SOCKET99_ERROR_CONFIGURATION:
  case SOCKET99_ERROR_SETSOCKOPT:
  case SOCKET99_ERROR_UNKNOWN:
  default:
    fail();
  }
  assert_int_equal(second.saved_errno, ENOENT);
  assert_int_equal(second.getaddrinfo_error, 0);
  assert_int_equal(second.fd, -1);
  assert_true(socket99_snprintf(text, 128, &second) > 0);
  assert_true((size_t)socket99_snprintf(copied, sizeof(copied), &second) < sizeof(copied));
  assert_string_equal(text, copied);
}


static void test_unix_and_datagram_sockets(void **state) {
  char directory[] = "/tmp/socket99-test-XXXXXX", path[64], buf[8] = {0};
  socket99_config cfg = {.path = path, .server = true, .datagram = true, .nonblocking = true};
  socket99_result receiver, sender;
  (void)state;
  assert_non_null(mkdtemp(directory));
  snprintf(path, sizeof(path), "%s/s", directory);
  receiver = open_by_value(cfg);
  assert_true((fcntl(receiver.fd, F_GETFL) & O_NONBLOCK) != 0);
  cfg.server = false;
  sender = open_by_value(cfg);
  assert_int_equal(write(sender.fd, "hello", 5), 5);
  assert_int_equal(read(receiver.fd, buf, sizeof(buf)), 5);
  close(sender.fd);
  close(receiver.fd);
  unlink(path);
  rmdir(directory);
}


/* For those who send datagrams themselves: its hints, one's own lookup. */
static void test_hints_for_a_lookup_of_ones_own(void **state) {
  socket99_config cfg = {.host = "127.0.0.1", .port = 9, .datagram = true, .IPv4 = "127.0.0.1"};
  struct addrinfo hints, *found = NULL;
  (void)state;
  socket99_set_hints(&cfg, &hints);
  assert_int_equal(getaddrinfo(cfg.host, "9", &hints, &found), 0);
  assert_non_null(found);
  assert_int_equal(found->ai_family, AF_INET);
  assert_int_equal(found->ai_socktype, SOCK_DGRAM);
  assert_null(found->ai_next);
  freeaddrinfo(found);
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_server_and_a_client),
      cmocka_unit_test(test_every_place_for_an_option),
      cmocka_unit_test(test_an_option_without_a_value_is_the_systems_to_refuse),
      cmocka_unit_test(test_both_spellings_of_the_address_fields),
      cmocka_unit_test(test_fields_belong_to_the_program),
      cmocka_unit_test(test_a_result_may_be_copied),
      cmocka_unit_test(test_unix_and_datagram_sockets),
      cmocka_unit_test(test_hints_for_a_lookup_of_ones_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
