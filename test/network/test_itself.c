/*
** Nobody listens, and connect(2) chooses the local port from few, one of which is the
** peer's: Linux then connects the socket to itself. The opening is refused instead, on
** every address of the machine, wherever the range begins.
*/

#define _GNU_SOURCE

#include "network.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define OWN "10.99.0.1"
#define OWN6 "fd99::1"
#define TRIES 400


static void run(const char *command) {
  if (system(command) != 0)
    fail_msg("%s", command);
}


/* A network of this process alone. */
static void enter_network(int first, int last) {
  char command[128];
  assert_int_equal(unshare(CLONE_NEWNET), 0);
  run("ip link set lo up && ip addr add " OWN "/32 dev lo && ip addr add " OWN6 "/128 dev lo");
  snprintf(command, sizeof(command), "sysctl -qw net.ipv4.ip_local_port_range='%d %d'", first,
           last);
  run(command);
}


static int own_connections(const char *host, int port, long long timeout_ms) {
  socket99_config config = {0};
  socket99_result result;
  int i, count = 0;
  config.host = (char *)host;
  config.port = port;
  config.timeout_ms = timeout_ms;
  for (i = 0; i < TRIES; i++) {
    if (socket99_open(&config, &result)) {
      count++;
      close(result.fd);
    } else {
      assert_int_equal(result.saved_errno, ECONNREFUSED);
    }
  }
  return count;
}


/* In a child, since a process that has asked for the range keeps it. */
static void in_network(int first, int last, void (*f)(int port)) {
  pid_t child = fork();
  int status;
  assert_true(child >= 0);
  if (child == 0) {
    enter_network(first, last);
    f(first);
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}


static void try_every_address(int port) {
  static const char *const hosts[] = {"127.0.0.1", "127.7.7.7", "0.0.0.0", OWN, "::1", "::", OWN6};
  size_t i;
  for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
    int at_once = own_connections(hosts[i], port, 0);
    int in_race = own_connections(hosts[i], port, 5000);
    if (at_once + in_race > 0) {
      print_error("%s, port %d: connected to itself %d times\n", hosts[i], port, at_once + in_race);
      _exit(1);
    }
  }
}


static void test_no_address_is_connected_to_itself(void **state) {
  (void)state;
  in_network(40000, 40031, try_every_address);
}


static void test_nor_where_the_range_begins_low(void **state) {
  (void)state;
  in_network(1024, 1055, try_every_address);
  in_network(20000, 20031, try_every_address);
}


/* Without the check this network is one in which it happens. */
static void connect_plainly(int port) {
  struct sockaddr_in peer = {0};
  int i;
  peer.sin_family = AF_INET;
  peer.sin_port = htons((unsigned short)port);
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (i = 0; i < TRIES; i++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (const void *)&peer, sizeof(peer)) == 0)
      return;
    close(fd);
  }
  _exit(1);
}


static void test_a_plain_connect_is(void **state) {
  (void)state;
  in_network(20000, 20031, connect_plainly);
}


/* Twenty local ports serve twenty connections to each of two peers. */
static void connect_to_two_servers(int first) {
  static const char *const hosts[] = {"127.0.0.1", "::1"};
  size_t family;
  for (family = 0; family < 2; family++) {
    int i;
    for (i = 0; i < 30; i++) {
      socket99_config config = {0};
      socket99_result result;
      config.host = (char *)hosts[family];
      config.port = 7000 + i % 2;
      config.server = true;
      if (i < 2)
        assert_true(socket99_open(&config, &result));
      config.server = false;
      config.bind_host = hosts[family];
      if (!socket99_open(&config, &result)) {
        print_error("connection %d, from %d on: ", i, first);
        socket99_fprintf(stderr, &result);
        _exit(1);
      }
    }
  }
}


static void test_local_ports_are_shared_by_peers(void **state) {
  (void)state;
  in_network(40000, 40019, connect_to_two_servers);
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_no_address_is_connected_to_itself),
      cmocka_unit_test(test_nor_where_the_range_begins_low),
      cmocka_unit_test(test_a_plain_connect_is),
      cmocka_unit_test(test_local_ports_are_shared_by_peers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
