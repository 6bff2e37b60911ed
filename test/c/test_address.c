/*
** test_address.c: addresses to text and back.
*/

#include "sockets.h"

#define LIMIT (sizeof(((struct sockaddr_un *)0)->sun_path))


static bool parse(const char *text, struct s99_address *out) {
  struct sockaddr_storage address;
  socklen_t length = 12345;
  memset(&address, 0x5a, sizeof(address));
  if (!socket99_address_parse(text, &address, &length)) {
    assert_int_equal(length, 12345);
    return false;
  }
  assert_true(length <= sizeof(out->addr));
  memset(out, 0, sizeof(*out));
  memcpy(&out->addr, &address, length);
  out->len = length;
  return true;
}


static void assert_parsed(const char *text, struct s99_address *out) {
  if (!parse(text, out)) {
    print_error("'%s' is refused\n", text);
    fail();
  }
}


static void assert_text(const struct s99_address *address, const char *expected) {
  char text[256];
  int length = socket99_address_text(&address->addr.sa, address->len, text, sizeof(text));
  assert_string_equal(text, expected);
  assert_int_equal(length, strlen(expected));
}


static void assert_same(const char *text) {
  struct s99_address address;
  assert_parsed(text, &address);
  assert_text(&address, text);
}


/*
** IPv4 and IPv6
*/

static void test_numeric_addresses_are_the_same_after_a_round_trip(void **state) {
  static const char *const texts[] = {"127.0.0.1:80",
                                      "0.0.0.0:0",
                                      "255.255.255.255:65535",
                                      "[::]:0",
                                      "[::1]:80",
                                      "[2001:db8::1]:65535",
                                      "[1:2:3:4:5:6:7:8]:1",
                                      "[fe80::1]:80",
                                      "[64:ff9b::c000:201]:443",
                                      "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"};
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(texts); i++)
    assert_same(texts[i]);
}


static void test_the_parts_of_an_ipv4_address(void **state) {
  struct s99_address address;
  (void)state;
  assert_parsed("192.0.2.7:8080", &address);
  assert_int_equal(address.addr.sa.sa_family, AF_INET);
  assert_int_equal(address.len, sizeof(struct sockaddr_in));
  assert_int_equal(ntohl(address.addr.in.sin_addr.s_addr), 0xc0000207);
  assert_int_equal(ntohs(address.addr.in.sin_port), 8080);
}


static void test_the_parts_of_an_ipv6_address(void **state) {
  struct s99_address address;
  (void)state;
  assert_parsed("[::1]:8080", &address);
  assert_int_equal(address.addr.sa.sa_family, AF_INET6);
  assert_int_equal(address.len, sizeof(struct sockaddr_in6));
  assert_true(IN6_IS_ADDR_LOOPBACK(&address.addr.in6.sin6_addr));
  assert_int_equal(ntohs(address.addr.in6.sin6_port), 8080);
  assert_int_equal(address.addr.in6.sin6_scope_id, 0);
}


/* Those that once were IPv4's are written as each libc writes them. */
static void test_other_spellings_are_read(void **state) {
  struct s99_address address;
  char host[INET6_ADDRSTRLEN], expected[INET6_ADDRSTRLEN + 8];
  (void)state;
  assert_parsed("[2001:DB8:0:0:0:0:0:1]:080", &address);
  assert_text(&address, "[2001:db8::1]:80");
  assert_parsed("[::192.0.2.1]:1", &address);
  assert_non_null(inet_ntop(AF_INET6, &address.addr.in6.sin6_addr, host, sizeof(host)));
  snprintf(expected, sizeof(expected), "[%s]:1", host);
  assert_text(&address, expected);
}


static void test_mapped_addresses_are_ipv4(void **state) {
  struct s99_address address;
  (void)state;
  assert_parsed("[::ffff:192.0.2.1]:80", &address);
  assert_int_equal(address.addr.sa.sa_family, AF_INET);
  assert_text(&address, "192.0.2.1:80");
  memset(&address, 0, sizeof(address));
  address.len = sizeof(address.addr.in6);
  address.addr.in6.sin6_family = AF_INET6;
  address.addr.in6.sin6_port = htons(80);
  assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &address.addr.in6.sin6_addr), 1);
  assert_text(&address, "192.0.2.1:80");
}


/* An interface of this machine; "" where none is known. */
static const char *first_interface(void) {
  static char name[IF_NAMESIZE];
  struct if_nameindex *all = if_nameindex();
  if (all != NULL) {
    if (all[0].if_name != NULL)
      snprintf(name, sizeof(name), "%s", all[0].if_name);
    if_freenameindex(all);
  }
  return name;
}


static void test_zones_are_interfaces_by_name_or_index(void **state) {
  const char *name = first_interface();
  struct s99_address address;
  char text[128], expected[128];
  (void)state;
  if (*name == '\0') {
    print_message("skipped: no interface is known\n");
    skip();
  }
  snprintf(expected, sizeof(expected), "[fe80::1%%%s]:80", name);
  assert_parsed(expected, &address);
  assert_int_equal(address.addr.in6.sin6_scope_id, if_nametoindex(name));
  assert_text(&address, expected);
  snprintf(text, sizeof(text), "[fe80::1%%%u]:80", if_nametoindex(name));
  assert_parsed(text, &address);
  assert_text(&address, expected);
}


static void test_a_zone_that_has_gone_is_told_as_its_index(void **state) {
  struct s99_address address;
  (void)state;
  assert_same("[fe80::1%999999999]:80");
  assert_same("[fe80::1%4294967295]:80");
  assert_false(parse("[fe80::1%4294967296]:80", &address));
}


static void test_what_is_no_zone_of_ipv6_is_not_numeric(void **state) {
  struct s99_address address;
  char text[128];
  (void)state;
  assert_int_equal(s99_numeric("localhost%lo", &address), S99_NOT_NUMERIC);
  assert_int_equal(s99_numeric("127.0.0.1%lo", &address), S99_NOT_NUMERIC);
  assert_int_equal(s99_numeric("fe80:::1%lo", &address), S99_NOT_NUMERIC);
  memset(text, ':', sizeof(text));
  snprintf(text + 100, sizeof(text) - 100, "%%lo");
  assert_int_equal(s99_numeric(text, &address), S99_NOT_NUMERIC);
  assert_int_equal(s99_numeric("fe80::1%12345678901", &address), S99_UNKNOWN_ZONE);
  assert_int_equal(s99_numeric("fe80::1%1x", &address), S99_UNKNOWN_ZONE);
}


/* One bit more, anywhere. */
static void test_addresses_that_are_like_others(void **state) {
  struct s99_address address, other;
  int word;
  (void)state;
  for (word = 0; word < 4; word++) {
    assert_parsed("[::1]:80", &address);
    other = address;
    assert_true(s99_same_address(&address, &other));
    other.addr.in6.sin6_addr.s6_addr[4 * word] = 1;
    assert_false(s99_same_address(&address, &other));
    assert_parsed("[::]:80", &other);
    assert_true(s99_is_wildcard(&other));
    other.addr.in6.sin6_addr.s6_addr[4 * word] = 1;
    assert_false(s99_is_wildcard(&other));
  }
  assert_parsed("[::1]:80", &other);
  other.addr.in6.sin6_scope_id = 1;
  assert_false(s99_same_address(&address, &other));
  assert_same("[0:1::ffff:c000:201]:80");
  assert_same("[1::ffff:c000:201]:80");
  assert_same("[::1:0:ffff:c000:201]:80");
  assert_same("[::fffe:c000:201]:80");
}


/*
** Unix domain
*/

static void test_paths_are_the_same_after_a_round_trip(void **state) {
  (void)state;
  assert_same("/run/x.sock");
  assert_same("./x");
  assert_same("/");
  assert_same("/run/a b:80");
  assert_same("[::1]/x:80");
}


static void test_a_path_may_have_exactly_the_limit(void **state) {
  char path[LIMIT + 1];
  struct s99_address address;
  (void)state;
  memset(path, 'p', sizeof(path));
  path[0] = '/';
  path[LIMIT] = '\0';
  assert_false(parse(path, &address));
  path[LIMIT - 1] = '\0';
  assert_parsed(path, &address);
  assert_int_equal(address.len, sizeof(struct sockaddr_un));
  assert_text(&address, path);
}


#if defined(__linux__)
static void test_abstract_names_begin_with_an_at_sign(void **state) {
  struct s99_address address;
  (void)state;
  assert_same("@name");
  assert_same("@/run/x");
  assert_same("@");
  assert_parsed("@name", &address);
  assert_int_equal(address.len, offsetof(struct sockaddr_un, sun_path) + 5);
  assert_memory_equal(address.addr.un.sun_path, "\0name", 5);
}


static void test_an_abstract_name_may_have_exactly_the_limit(void **state) {
  char name[LIMIT + 2];
  struct s99_address address;
  (void)state;
  memset(name, 'n', sizeof(name));
  name[0] = '@';
  name[LIMIT + 1] = '\0';
  assert_false(parse(name, &address));
  name[LIMIT] = '\0';
  assert_parsed(name, &address);
  assert_int_equal(address.len, sizeof(struct sockaddr_un));
  assert_text(&address, name);
}


static void test_every_nul_of_an_abstract_name_is_shown(void **state) {
  struct s99_address address;
  (void)state;
  assert_true(s99_unix("\0a\0\0b\0", 6, &address));
  assert_text(&address, "@a@@b@");
}


/* The kernel may return one byte more than sockaddr_un has (unix(7)). */
static void test_a_path_without_a_terminator_ends_with_the_struct(void **state) {
  char text[LIMIT + 8], expected[LIMIT + 1];
  struct sockaddr_un un;
  (void)state;
  memset(&un, 'p', sizeof(un));
  un.sun_family = AF_UNIX;
  memset(expected, 'p', LIMIT);
  expected[LIMIT] = '\0';
  socket99_address_text((struct sockaddr *)&un, sizeof(un), text, sizeof(text));
  assert_string_equal(text, expected);
  socket99_address_text((struct sockaddr *)&un, sizeof(un) + 1, text, sizeof(text));
  assert_string_equal(text, expected);
}
#endif


static void test_an_unnamed_address_is_empty(void **state) {
  struct s99_address address;
  int pair[2];
  (void)state;
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  own_address(pair[0], &address);
  assert_text(&address, "");
  close(pair[0]);
  close(pair[1]);
}


static void test_what_the_kernel_tells_is_what_was_asked_for(void **state) {
  socket99_config cfg = {.server = true, .ipv4 = "127.0.0.1"};
  struct s99_address own;
  char expected[64];
  int fd = opened(&cfg);
  (void)state;
  own_address(fd, &own);
  snprintf(expected, sizeof(expected), "127.0.0.1:%d", own_port(fd));
  assert_text(&own, expected);
  close(fd);
}


/*
** Limits
*/

static void test_text_is_cut_as_snprintf_cuts(void **state) {
  struct s99_address address;
  char text[8] = "untouch";
  (void)state;
  assert_parsed("127.0.0.1:80", &address);
  assert_int_equal(socket99_address_text(&address.addr.sa, address.len, text, 0), 12);
  assert_string_equal(text, "untouch");
  assert_int_equal(socket99_address_text(&address.addr.sa, address.len, NULL, 0), 12);
  assert_int_equal(socket99_address_text(&address.addr.sa, address.len, text, 1), 12);
  assert_string_equal(text, "");
  assert_int_equal(socket99_address_text(&address.addr.sa, address.len, text, sizeof(text)), 12);
  assert_string_equal(text, "127.0.0");
}


static void test_an_address_of_another_family_is_told_as_such(void **state) {
  struct sockaddr other;
  char text[64];
  (void)state;
  memset(&other, 0, sizeof(other));
  other.sa_family = 99;
  socket99_address_text(&other, sizeof(other), text, sizeof(text));
  assert_string_equal(text, "address of family 99");
}


/* As accept(2) tells the address of an unnamed peer on some systems. */
static void test_an_address_of_no_length_is_read_no_further(void **state) {
  struct sockaddr *nothing = malloc(1);
  char text[64];
  (void)state;
  assert_non_null(nothing);
  assert_true(socket99_address_text(nothing, 0, text, sizeof(text)) >= 0);
  free(nothing);
}


static void test_garbage_is_refused(void **state) {
  static const char *const garbage[] = {"",
                                        " ",
                                        ":",
                                        ":80",
                                        "80",
                                        "localhost",
                                        "localhost:80",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "127.0.0.1:65536",
                                        "127.0.0.1:-1",
                                        "127.0.0.1:+1",
                                        "127.0.0.1: 80",
                                        "127.0.0.1:80 ",
                                        " 127.0.0.1:80",
                                        "127.0.0.1:http",
                                        "[::1",
                                        "[::1:80",
                                        "[127.0.0.1:80",
                                        "127.0.0.1:0x50",
                                        "127.0.0.1:99999999999999999999",
                                        "127.1:80",
                                        "0x7f.0.0.1:80",
                                        "127.0.0.1.1:80",
                                        "256.0.0.1:80",
                                        "010.0.0.1:80",
                                        "::1",
                                        "::1:80",
                                        "[::1]",
                                        "[::1]:",
                                        "[::1]80",
                                        "[::1:80",
                                        "::1]:80",
                                        "[]:80",
                                        "[:80",
                                        "]:80",
                                        "[::1]:65536",
                                        "[::1]]:80",
                                        "[[::1]]:80",
                                        "[::g]:80",
                                        "[1:2:3:4:5:6:7:8:9]:80",
                                        "[fe80::1%]:80",
                                        "[fe80::1%s99none]:80",
                                        "[%lo]:80",
                                        "[::1%0]:80",
                                        "127.0.0.1%lo:80",
                                        "[fe80::1%99999999999999999999]:80",
                                        "[127.0.0.1]:80",
                                        "x",
                                        "x.sock"};
  struct s99_address address;
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(garbage); i++) {
    if (parse(garbage[i], &address)) {
      print_error("'%s' is taken\n", garbage[i]);
      fail();
    }
  }
}


static void test_very_long_garbage_is_refused(void **state) {
  static char text[100000];
  struct s99_address address;
  (void)state;
  memset(text, ':', sizeof(text) - 1);
  assert_false(parse(text, &address));
  memset(text, '[', sizeof(text) - 1);
  assert_false(parse(text, &address));
  memset(text, '1', sizeof(text) - 1);
  memcpy(text + sizeof(text) - 4, ":80", 3);
  assert_false(parse(text, &address));
  memset(text, '/', sizeof(text) - 1);
  assert_false(parse(text, &address));
  text[0] = '@';
  assert_false(parse(text, &address));
}


/* Whatever is taken is the same after another round. */
static void test_random_text_is_refused_or_stable(void **state) {
  static const char letters[] = "0123456789abcdef:::...[]%@/ lo";
  struct s99_address first, second;
  char text[64], again[256];
  unsigned int seed = 1;
  int round, i;
  (void)state;
  for (round = 0; round < 50000; round++) {
    int length;
    seed = seed * 1103515245u + 12345u;
    length = (int)(seed >> 16) % 24;
    for (i = 0; i < length; i++) {
      seed = seed * 1103515245u + 12345u;
      text[i] = letters[(seed >> 16) % (sizeof(letters) - 1)];
    }
    text[length] = '\0';
    if (!parse(text, &first))
      continue;
    socket99_address_text(&first.addr.sa, first.len, again, sizeof(again));
    assert_parsed(again, &second);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(&first.addr, &second.addr, first.len);
  }
}


int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_numeric_addresses_are_the_same_after_a_round_trip),
    cmocka_unit_test(test_the_parts_of_an_ipv4_address),
    cmocka_unit_test(test_the_parts_of_an_ipv6_address),
    cmocka_unit_test(test_other_spellings_are_read),
    cmocka_unit_test(test_mapped_addresses_are_ipv4),
    cmocka_unit_test(test_zones_are_interfaces_by_name_or_index),
    cmocka_unit_test(test_a_zone_that_has_gone_is_told_as_its_index),
    cmocka_unit_test(test_what_is_no_zone_of_ipv6_is_not_numeric),
    cmocka_unit_test(test_addresses_that_are_like_others),
    cmocka_unit_test(test_paths_are_the_same_after_a_round_trip),
    cmocka_unit_test(test_a_path_may_have_exactly_the_limit),
#if defined(__linux__)
    cmocka_unit_test(test_abstract_names_begin_with_an_at_sign),
#endif
#if defined(__linux__)
    cmocka_unit_test(test_an_abstract_name_may_have_exactly_the_limit),
#endif
#if defined(__linux__)
    cmocka_unit_test(test_every_nul_of_an_abstract_name_is_shown),
#endif
#if defined(__linux__)
    cmocka_unit_test(test_a_path_without_a_terminator_ends_with_the_struct),
#endif
    cmocka_unit_test(test_an_unnamed_address_is_empty),
    cmocka_unit_test(test_what_the_kernel_tells_is_what_was_asked_for),
    cmocka_unit_test(test_text_is_cut_as_snprintf_cuts),
    cmocka_unit_test(test_an_address_of_another_family_is_told_as_such),
    cmocka_unit_test(test_an_address_of_no_length_is_read_no_further),
    cmocka_unit_test(test_garbage_is_refused),
    cmocka_unit_test(test_very_long_garbage_is_refused),
    cmocka_unit_test(test_random_text_is_refused_or_stable),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
