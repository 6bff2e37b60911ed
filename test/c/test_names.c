/*
** test_names.c: names of several addresses, and services.
**
** They need an /etc and a network of their own: the program moves into
** namespaces that only it sees. Where the system makes none for it, each test
** is skipped and says why.
*/

#include "sockets.h"

static char why_not[128] = "namespaces are Linux's";


static void test_names_need_a_world_of_their_own(void **state) {
  (void)state;
  print_message("skipped: %s\n", why_not);
  skip();
}


static int skip_all(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_names_need_a_world_of_their_own)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}


#if defined(__linux__)

#include <net/route.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

/*
** 127.0.0.0/8, 10.99.0.1 and ::1 are this machine's. 198.51.100.0/24 has a
** route, and is not ours; everything else has none.
*/
static const char hosts[] = "127.0.0.1 one.test\n"
                            "127.0.0.1 both.test\n"
                            "::1 both.test\n"
                            "::1 six.test\n"
                            "127.0.0.2 two.test\n"
                            "127.0.0.3 two.test\n"
                            "127.0.0.7 twice.test\n"
                            "127.0.0.7 twice.test\n"
                            "127.0.0.8 twice.test\n"
                            "127.0.0.7 twice.test\n"
                            "127.0.0.11 five.test\n"
                            "127.0.0.12 five.test\n"
                            "127.0.0.13 five.test\n"
                            "127.0.0.14 five.test\n"
                            "127.0.0.15 five.test\n"
                            "198.51.100.7 foreign-first.test\n"
                            "10.99.0.1 foreign-first.test\n"
                            "198.51.100.7 foreign.test\n"
                            "198.51.100.8 foreign.test\n"
                            "127.0.0.2 reachable-first.test\n"
                            "203.0.113.1 reachable-first.test\n"
                            "203.0.113.1 unreachable.test\n"
                            "203.0.113.2 unreachable.test\n"
                            "::ffff:127.0.0.1 mapped.test\n";

static const char services[] = "s99-echo 5001/tcp\n"
                               "s99-echo 5002/udp\n"
                               "s99-stream 5003/tcp\n";

/* The foreign address comes first. */
static const char order[] = "precedence ::ffff:198.51.100.0/120 100\n"
                            "precedence ::1/128 50\n"
                            "precedence ::/0 40\n";

/*
** A world of our own
*/

static bool lacks(const char *what) {
  snprintf(why_not, sizeof(why_not), "%s: %s", what, strerror(errno));
  return false;
}


static bool write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  if (file == NULL)
    return lacks(path);
  fputs(text, file);
  return fclose(file) == 0 || lacks(path);
}


static bool enter_namespaces(void) {
  char map[64];
  uid_t uid = getuid();
  gid_t gid = getgid();
  if (unshare(CLONE_NEWNET | CLONE_NEWNS) == 0)
    return true;
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0)
    return lacks("no namespaces");
  snprintf(map, sizeof(map), "0 %u 1", (unsigned int)uid);
  if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", map))
    return false;
  snprintf(map, sizeof(map), "0 %u 1", (unsigned int)gid);
  return write_file("/proc/self/gid_map", map);
}


static bool replace_etc(void) {
  if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0)
    return lacks("private mounts");
  if (mount("none", "/etc", "tmpfs", 0, NULL) != 0)
    return lacks("mounting /etc");
  return write_file("/etc/hosts", hosts) && write_file("/etc/services", services) &&
         write_file("/etc/nsswitch.conf", "hosts: files\nservices: files\n") &&
         write_file("/etc/gai.conf", order) && write_file("/etc/host.conf", "multi on\n");
}


static struct sockaddr inet(const char *host) {
  struct s99_address address;
  s99_numeric(host, &address);
  return address.addr.sa;
}


static bool set_up_network(void) {
  static char loopback[] = "lo";
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq interface, alias;
  struct rtentry route;
  bool ok;
  memset(&interface, 0, sizeof(interface));
  memset(&alias, 0, sizeof(alias));
  memset(&route, 0, sizeof(route));
  strcpy(interface.ifr_name, loopback);
  interface.ifr_flags = IFF_UP;
  strcpy(alias.ifr_name, "lo:1");
  alias.ifr_addr = inet("10.99.0.1");
  route.rt_dst = inet("198.51.100.0");
  route.rt_genmask = inet("255.255.255.0");
  route.rt_flags = RTF_UP;
  route.rt_dev = loopback;
  ok = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &interface) == 0 && ioctl(fd, SIOCSIFADDR, &alias) == 0;
  alias.ifr_netmask = inet("255.255.255.255");
  ok = ok && ioctl(fd, SIOCSIFNETMASK, &alias) == 0 && ioctl(fd, SIOCADDRT, &route) == 0;
  if (!ok)
    lacks("a network");
  close(fd);
  return ok;
}


static bool enter_world(void) {
  return enter_namespaces() && replace_etc() && set_up_network();
}


/* The order is the resolver's own (RFC 6724): what it says is what counts. */
static void assert_order(const char *name, int family, const char *expected) {
  struct addrinfo hints, *found, *each;
  char text[512] = "";
  memset(&hints, 0, sizeof(hints));
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  assert_int_equal(getaddrinfo(name, NULL, &hints, &found), 0);
  for (each = found; each != NULL; each = each->ai_next) {
    char host[64];
    getnameinfo(each->ai_addr, each->ai_addrlen, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
    snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? " " : "", host);
  }
  freeaddrinfo(found);
  assert_string_equal(text, expected);
}


static int free_port(const char *host) {
  char copy[64];
  socket99_config cfg = {.host = copy, .server = true};
  int fd, port;
  snprintf(copy, sizeof(copy), "%s", host);
  fd = opened(&cfg);
  port = own_port(fd);
  close(fd);
  return port;
}


static const char *lookup_failure(const socket99_config *cfg, int code) {
  static char text[512];
  int before = descriptors();
  socket99_result res;
  memset(&res, 0x5a, sizeof(res));
  assert_false(socket99_open(cfg, &res));
  socket99_snprintf(text, sizeof(text), &res);
  assert_int_equal(res.status, SOCKET99_ERROR_GETADDRINFO);
  assert_int_equal(res.getaddrinfo_error, code);
  assert_int_equal(res.saved_errno, 0);
  assert_int_equal(res.fd, -1);
  assert_int_equal(descriptors(), before);
  return text;
}


/*
** Candidates
*/

static void test_each_address_of_a_name_is_a_candidate_once(void **state) {
  socket99_config cfg = {.host = "twice.test", .port = 80};
  char message[SOCKET99_WHERE_SIZE];
  struct s99_answer answer;
  struct s99_plan plan;
  char text[64];
  (void)state;
  assert_true(s99_check(&cfg, &plan, message));
  s99_resolve(&plan, &answer);
  assert_true(s99_take_answer(&plan, &answer));
  assert_int_equal(plan.candidates.count, 2);
  socket99_address_text(&plan.candidates.list[0].addr.sa, plan.candidates.list[0].len, text,
                        sizeof(text));
  assert_string_equal(text, "127.0.0.7:80");
  socket99_address_text(&plan.candidates.list[1].addr.sa, plan.candidates.list[1].len, text,
                        sizeof(text));
  assert_string_equal(text, "127.0.0.8:80");
  s99_candidates_free(&plan.candidates);
}


static void test_a_name_may_have_many_addresses(void **state) {
  socket99_config cfg = {.host = "five.test"};
  char expected[128];
  (void)state;
  assert_order("five.test", AF_UNSPEC, "127.0.0.11 127.0.0.12 127.0.0.13 127.0.0.14 127.0.0.15");
  cfg.port = free_port("127.0.0.15");
  snprintf(expected, sizeof(expected), "connect 127.0.0.15:%d: Connection refused", cfg.port);
  assert_string_equal(failure(&cfg, SOCKET99_ERROR_CONNECT, ECONNREFUSED), expected);
}


static void test_only_addresses_of_the_family_asked_for_count(void **state) {
  socket99_config cfg = {.host = "both.test", .server = true, .family = AF_INET6};
  int fd = opened(&cfg);
  (void)state;
  assert_string_equal(own_host(fd), "::1");
  close(fd);
  cfg.family = AF_INET;
  fd = opened(&cfg);
  assert_string_equal(own_host(fd), "127.0.0.1");
  close(fd);
}


static void test_a_name_without_an_address_of_the_family_is_not_found(void **state) {
  socket99_config cfg = {.host = "one.test", .port = 80, .family = AF_INET6};
  socket99_result res;
  (void)state;
  assert_false(socket99_open(&cfg, &res));
  assert_int_equal(res.status, SOCKET99_ERROR_GETADDRINFO);
  /* EAI_NONAME, EAI_NODATA, EAI_ADDRFAMILY: systems differ. */
  assert_int_not_equal(res.getaddrinfo_error, 0);
  assert_string_equal(res.where, "one.test");
}


/* Without a name server it is unknown to some, others would try again. */
static void test_an_unknown_name_is_told(void **state) {
  char expected[128];
  struct addrinfo *found = NULL;
  int code = getaddrinfo("nosuch.test", NULL, NULL, &found);
  (void)state;
  assert_true(code == EAI_NONAME || code == EAI_AGAIN);
  snprintf(expected, sizeof(expected), "getaddrinfo nosuch.test: %s", gai_strerror(code));
  assert_string_equal(lookup_failure(&(socket99_config){.host = "nosuch.test", .port = 80}, code),
                      expected);
  assert_string_equal(
      lookup_failure(&(socket99_config){.host = "nosuch.test", .server = true}, code), expected);
}


static void test_a_mapped_address_of_a_name_is_ipv4(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true};
  socket99_config client = {.host = "mapped.test", .bind_host = "127.0.0.1"};
  int listener = opened(&server);
  struct s99_address peer;
  int fd;
  (void)state;
  client.port = own_port(listener);
  fd = opened(&client);
  peer_address(fd, &peer);
  assert_int_equal(peer.addr.sa.sa_family, AF_INET);
  close(fd);
  close(listener);
  client.family = AF_INET6;
  client.bind_host = NULL;
  lookup_failure(&client, EAI_NONAME);
}


/*
** Clients
*/

static void test_a_client_tries_every_address(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.3", .server = true};
  socket99_config client = {.host = "two.test"};
  int listener = opened(&server);
  (void)state;
  assert_order("two.test", AF_UNSPEC, "127.0.0.2 127.0.0.3");
  client.port = own_port(listener);
  assert_listens(listener, client);
  close(listener);
}


static void test_a_datagram_client_takes_the_first_address(void **state) {
  socket99_config cfg = {.host = "two.test", .port = 9, .datagram = true};
  struct s99_address peer;
  int fd = opened(&cfg);
  (void)state;
  peer_address(fd, &peer);
  assert_int_equal(ntohl(peer.addr.in.sin_addr.s_addr), 0x7f000002);
  close(fd);
}


static void test_the_last_refusal_is_told_rather_than_an_unreachable_address(void **state) {
  socket99_config cfg = {.host = "reachable-first.test"};
  char expected[128];
  (void)state;
  assert_order("reachable-first.test", AF_UNSPEC, "127.0.0.2 203.0.113.1");
  cfg.port = free_port("127.0.0.2");
  snprintf(expected, sizeof(expected), "connect 127.0.0.2:%d: Connection refused", cfg.port);
  assert_string_equal(failure(&cfg, SOCKET99_ERROR_CONNECT, ECONNREFUSED), expected);
}


static void test_the_last_of_two_refusals_is_told(void **state) {
  socket99_config cfg = {.host = "two.test"};
  char expected[128];
  (void)state;
  cfg.port = free_port("127.0.0.3");
  snprintf(expected, sizeof(expected), "connect 127.0.0.3:%d: Connection refused", cfg.port);
  assert_string_equal(failure(&cfg, SOCKET99_ERROR_CONNECT, ECONNREFUSED), expected);
}


static void test_the_last_is_told_where_none_can_be_reached(void **state) {
  socket99_config cfg = {.host = "unreachable.test", .port = 80};
  (void)state;
  assert_string_equal(failure(&cfg, SOCKET99_ERROR_CONNECT, ENETUNREACH),
                      told("connect 203.0.113.2:80", ENETUNREACH));
}


static void test_a_clients_own_address_leaves_the_other_family_out(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true};
  socket99_config client = {.host = "both.test", .bind_host = "127.0.0.5"};
  int listener = opened(&server), peer_of_ours, fd;
  struct s99_address peer;
  (void)state;
  client.port = own_port(listener);
  fd = opened(&client);
  peer_of_ours = accepted(listener);
  peer_address(peer_of_ours, &peer);
  assert_int_equal(ntohl(peer.addr.in.sin_addr.s_addr), 0x7f000005);
  close(peer_of_ours);
  close(fd);
  close(listener);
  assert_string_equal(
      failure(&(socket99_config){.host = "six.test", .port = 80, .bind_host = "127.0.0.5"},
              SOCKET99_ERROR_BIND, EAFNOSUPPORT),
      told("bind 127.0.0.5:0", EAFNOSUPPORT));
}


/*
** Servers
*/

static void test_a_server_moves_on_from_an_address_that_is_not_its_machines(void **state) {
  socket99_config cfg = {.host = "foreign-first.test", .server = true};
  int fd;
  (void)state;
  assert_order("foreign-first.test", AF_UNSPEC, "198.51.100.7 10.99.0.1");
  fd = opened(&cfg);
  assert_string_equal(own_host(fd), "10.99.0.1");
  cfg.server = false;
  cfg.port = own_port(fd);
  cfg.host = "10.99.0.1";
  assert_listens(fd, cfg);
  close(fd);
}


static void test_a_server_of_no_address_of_its_machine_tells_the_last(void **state) {
  (void)state;
  assert_string_equal(failure(&(socket99_config){.host = "foreign.test", .server = true},
                              SOCKET99_ERROR_BIND, EADDRNOTAVAIL),
                      told("bind 198.51.100.8:0", EADDRNOTAVAIL));
}


/* Or two servers would both believe that they own the name. */
static void test_a_used_port_of_the_first_address_is_final(void **state) {
  socket99_config owner = {.ipv4 = "127.0.0.2", .server = true};
  socket99_config cfg = {.host = "two.test", .server = true};
  char step[64];
  int listener = opened(&owner);
  (void)state;
  cfg.port = own_port(listener);
  snprintf(step, sizeof(step), "bind 127.0.0.2:%d", cfg.port);
  assert_string_equal(failure(&cfg, SOCKET99_ERROR_BIND, EADDRINUSE), told(step, EADDRINUSE));
  cfg.datagram = true;
  close(opened(&cfg));
  close(listener);
}


static void test_a_used_port_of_the_second_address_is_no_matter(void **state) {
  socket99_config owner = {.ipv4 = "127.0.0.3", .server = true};
  socket99_config cfg = {.host = "two.test", .server = true};
  int listener = opened(&owner), fd;
  (void)state;
  cfg.port = own_port(listener);
  fd = opened(&cfg);
  assert_string_equal(own_host(fd), "127.0.0.2");
  close(fd);
  close(listener);
}


/*
** Services
*/

static void test_a_service_is_looked_up_for_the_type_of_the_socket(void **state) {
  static const char *const names[] = {NULL, "127.0.0.1", "one.test"};
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(names); i++) {
    char host[32] = "";
    socket99_config cfg = {.server = true, .service = "s99-echo"};
    int fd;
    if (names[i] != NULL) {
      snprintf(host, sizeof(host), "%s", names[i]);
      cfg.host = host;
    }
    fd = opened(&cfg);
    assert_int_equal(own_port(fd), 5001);
    assert_listens(fd, (socket99_config){.host = "one.test", .service = "s99-echo"});
    assert_listens(fd, (socket99_config){.ipv4 = "127.0.0.1", .service = "s99-echo"});
    assert_listens(fd, (socket99_config){.family = AF_INET, .service = "s99-echo"});
    close(fd);
    cfg.datagram = true;
    fd = opened(&cfg);
    assert_int_equal(own_port(fd), 5002);
    close(fd);
  }
}


static void test_a_service_of_another_type_is_not_found(void **state) {
  char expected[128];
  (void)state;
  snprintf(expected, sizeof(expected), "getaddrinfo one.test:s99-stream: %s",
           "unknown service");
  assert_string_equal(
      lookup_failure(
          &(socket99_config){.host = "one.test", .service = "s99-stream", .datagram = true},
          EAI_SERVICE),
      expected);
  snprintf(expected, sizeof(expected), "getaddrinfo s99-stream: %s", "unknown service");
  assert_string_equal(
      lookup_failure(
          &(socket99_config){.ipv4 = "127.0.0.1", .service = "s99-stream", .datagram = true},
          EAI_SERVICE),
      expected);
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_address_of_a_name_is_a_candidate_once),
      cmocka_unit_test(test_a_name_may_have_many_addresses),
      cmocka_unit_test(test_only_addresses_of_the_family_asked_for_count),
      cmocka_unit_test(test_a_name_without_an_address_of_the_family_is_not_found),
      cmocka_unit_test(test_an_unknown_name_is_told),
      cmocka_unit_test(test_a_mapped_address_of_a_name_is_ipv4),
      cmocka_unit_test(test_a_client_tries_every_address),
      cmocka_unit_test(test_a_datagram_client_takes_the_first_address),
      cmocka_unit_test(test_the_last_refusal_is_told_rather_than_an_unreachable_address),
      cmocka_unit_test(test_the_last_of_two_refusals_is_told),
      cmocka_unit_test(test_the_last_is_told_where_none_can_be_reached),
      cmocka_unit_test(test_a_clients_own_address_leaves_the_other_family_out),
      cmocka_unit_test(test_a_server_moves_on_from_an_address_that_is_not_its_machines),
      cmocka_unit_test(test_a_server_of_no_address_of_its_machine_tells_the_last),
      cmocka_unit_test(test_a_used_port_of_the_first_address_is_final),
      cmocka_unit_test(test_a_used_port_of_the_second_address_is_no_matter),
      cmocka_unit_test(test_a_service_is_looked_up_for_the_type_of_the_socket),
      cmocka_unit_test(test_a_service_of_another_type_is_not_found),
  };
  return enter_world() ? cmocka_run_group_tests(tests, NULL, NULL) : skip_all();
}

#else

int main(void) {
  return skip_all();
}

#endif
