/*
** test_config.c: what a configuration may not say, and the words for it.
*/

#include "sockets.h"

#define A10 "aaaaaaaaaa"
#define A50 A10 A10 A10 A10 A10
#define A100 A50 A50

/* sun_path has 108 bytes on Linux, 104 elsewhere. */
#if defined(__linux__)
#define LONG_PATH A100 "12345678"
#define LONG_PATH_SAYS "has 108 bytes, the limit is 107"
#else
#define LONG_PATH A100 "1234"
#define LONG_PATH_SAYS "has 104 bytes, the limit is 103"
#endif

static const socket99_option unknown_name = {"recvbuf", 0, 0, {.kind = SOCKET99_INTEGER}};
static const socket99_option wrong_kind = {
    "rcvbuf", 0, 0, {.kind = SOCKET99_BYTES, .bytes = "x", .length = 1}};
static const socket99_option out_of_range = {
    "rcvbuf", 0, 0, {.kind = SOCKET99_INTEGER, .integer = 1LL << 40}};
static const socket99_option null_bytes = {
    NULL, SOL_SOCKET, SO_RCVBUF, {.kind = SOCKET99_BYTES, .length = 4}};

static const struct {
  const char *says;
  socket99_config cfg;
} wrong[] = {
    /* contradictions */
    {"host cannot be combined with path: give one of them", {.host = "127.0.0.1", .path = "x"}},
    {"host cannot be combined with ipv4: give one of them",
     {.host = "localhost", .ipv4 = "127.0.0.1"}},
    {"host cannot be combined with ipv6: give one of them", {.host = "localhost", .ipv6 = "::1"}},
    {"path cannot be combined with ipv4: give one of them", {.path = "x", .ipv4 = "127.0.0.1"}},
    {"path cannot be combined with ipv6: give one of them", {.path = "x", .ipv6 = "::1"}},
    {"ipv4 cannot be combined with ipv6: give one of them", {.ipv4 = "127.0.0.1", .ipv6 = "::1"}},
    {"port cannot be combined with path", {.path = "x", .port = 80}},
    {"port cannot be combined with path", {.path = "x", .service = "http"}},
    {"port 80 cannot be combined with service ('http')",
     {.host = "127.0.0.1", .port = 80, .service = "http"}},
    {"seqpacket cannot be combined with datagram",
     {.path = "x", .seqpacket = true, .datagram = true}},

    /* ports */
    {"port 70000 is not in 0 to 65535", {.host = "127.0.0.1", .port = 70000}},
    {"port 65536 is not in 0 to 65535", {.server = true, .port = 65536}},
    {"port -1 is not in 0 to 65535", {.host = "127.0.0.1", .port = -1}},
    {"port 65536 is not in 0 to 65535", {.host = "127.0.0.1", .service = "65536"}},
    {"port 4294967376 is not in 0 to 65535", {.host = "127.0.0.1", .service = "4294967376"}},
    {"port is empty", {.host = "127.0.0.1", .service = ""}},
    {"port ' 80' is neither a number nor a service name", {.host = "127.0.0.1", .service = " 80"}},
    {"port '+80' is neither a number nor a service name", {.host = "127.0.0.1", .service = "+80"}},
    {"port is missing: a client of host '127.0.0.1' needs one, 1 to 65535", {.host = "127.0.0.1"}},
    {"port is missing: a client of host 'localhost' needs one, 1 to 65535", {.host = "localhost"}},
    {"port is missing: a client of ipv6 '::1' needs one, 1 to 65535",
     {.ipv6 = "::1", .datagram = true}},
    {"port is missing: a client of host '127.0.0.1' needs one, 1 to 65535",
     {.host = "127.0.0.1", .service = "0"}},
    {"port is given without a host: a datagram client without an address is not connected",
     {.port = 80, .datagram = true}},
    {"port is given without a host: this socket is not connected",
     {.port = 80, .unconnected = true}},
    {"nothing to connect to: no host, port or path", {.host = NULL}},

    /* hosts */
    {"host is empty", {.host = "", .port = 80}},
    {"ipv4 is empty", {.ipv4 = "", .port = 80}},
    {"ipv6 is empty", {.ipv6 = "", .port = 80}},
    {"ipv4 'localhost' is not a numeric IPv4 address", {.ipv4 = "localhost", .port = 80}},
    {"ipv4 '127.1' is not a numeric IPv4 address", {.ipv4 = "127.1", .port = 80}},
    {"ipv4 '0x7f.0.0.1' is not a numeric IPv4 address", {.ipv4 = "0x7f.0.0.1", .port = 80}},
    {"ipv4 ' 127.0.0.1' is not a numeric IPv4 address", {.ipv4 = " 127.0.0.1", .port = 80}},
    {"ipv6 'localhost' is not a numeric IPv6 address", {.ipv6 = "localhost", .port = 80}},
    {"ipv6 '[::1]' is not a numeric IPv6 address", {.ipv6 = "[::1]", .port = 80}},
    {"ipv6 '::1%s99none': no interface 's99none'", {.ipv6 = "::1%s99none", .port = 80}},
    {"host 'fe80::1%s99none': no interface 's99none'", {.host = "fe80::1%s99none", .port = 80}},
    {"host 'fe80::1%': no interface ''", {.host = "fe80::1%", .port = 80}},
    {"ipv4 '::1' is not an address of family inet", {.ipv4 = "::1", .port = 80}},
    {"ipv6 '127.0.0.1' is not an address of family inet6", {.ipv6 = "127.0.0.1", .port = 80}},
    {"host '::1' is not an address of family inet", {.host = "::1", .port = 80, .family = AF_INET}},
    {"host '127.0.0.1' is not an address of family inet6",
     {.host = "127.0.0.1", .port = 80, .family = AF_INET6}},

    /* families */
    {"family 9999 is none of AF_INET, AF_INET6, AF_UNIX", {.host = "x", .family = 9999}},
    {"family -1 is none of AF_INET, AF_INET6, AF_UNIX", {.host = "x", .family = -1}},
    {"ipv4 cannot be combined with family inet6",
     {.ipv4 = "127.0.0.1", .port = 1, .family = AF_INET6}},
    {"ipv6 cannot be combined with family inet", {.ipv6 = "::1", .port = 1, .family = AF_INET}},
    {"ipv4 cannot be combined with family unix",
     {.ipv4 = "127.0.0.1", .port = 1, .family = AF_UNIX}},
    {"host cannot be combined with family unix",
     {.host = "localhost", .port = 1, .family = AF_UNIX}},
    {"path cannot be combined with family inet", {.path = "x", .family = AF_INET}},
    {"path cannot be combined with family inet6", {.path = "x", .family = AF_INET6}},
    {"family unix needs a path", {.family = AF_UNIX}},
    {"family unix needs a path", {.family = AF_UNIX, .server = true}},
    {"family unix needs a path", {.family = AF_UNIX, .server = true, .datagram = true}},
    {"port cannot be combined with family unix",
     {.family = AF_UNIX, .unconnected = true, .port = 80}},
    {"port cannot be combined with family unix",
     {.family = AF_UNIX, .unconnected = true, .service = "http"}},

    /* paths */
    {"path is empty", {.path = ""}},
    {"path is empty", {.path = "", .server = true}},
    {"path '" A50 A10 "...' " LONG_PATH_SAYS, {.path = LONG_PATH, .server = true}},
    {"path '" A50 A10 "...' " LONG_PATH_SAYS, {.path = LONG_PATH}},
    {"path 'a' has a NUL byte in it", {.path = "a\0b", .path_len = 3}},
    {"path 'a' has a NUL byte in it", {.path = "a", .path_len = 2}},
#if defined(__linux__)
    {"path '@...' has 109 bytes, the limit is 108", {.path = "\0" LONG_PATH, .path_len = 109}},
#endif

    /* bind */
    {"bind cannot be combined with server: host, port or path say where it listens",
     {.server = true, .bind_port = 80}},
    {"bind cannot be combined with server: host, port or path say where it listens",
     {.server = true, .bind_host = "127.0.0.1"}},
    {"bind cannot be combined with server: host, port or path say where it listens",
     {.path = "x", .server = true, .bind_path = "y"}},
    {"bind: path cannot be combined with host or port",
     {.path = "x", .bind_path = "y", .bind_host = "127.0.0.1"}},
    {"bind: path cannot be combined with host or port",
     {.path = "x", .bind_path = "y", .bind_port = 80}},
    {"bind: path is empty", {.path = "x", .bind_path = ""}},
    {"bind: path '" A50 A10 "...' " LONG_PATH_SAYS, {.path = "x", .bind_path = LONG_PATH}},
    {"bind: path is for Unix domain sockets", {.host = "127.0.0.1", .port = 1, .bind_path = "y"}},
    {"bind: host and port are for TCP and UDP, a Unix domain socket has a path",
     {.path = "x", .bind_host = "127.0.0.1"}},
    {"bind: host and port are for TCP and UDP, a Unix domain socket has a path",
     {.path = "x", .bind_port = 80}},
    {"bind: port 65536 is not in 0 to 65535", {.host = "127.0.0.1", .port = 1, .bind_port = 65536}},
    {"bind: port -1 is not in 0 to 65535", {.host = "127.0.0.1", .port = 1, .bind_port = -1}},
    {"bind: host 'localhost' is not a numeric IPv4 or IPv6 address",
     {.host = "127.0.0.1", .port = 1, .bind_host = "localhost"}},
    {"bind: host '' is not a numeric IPv4 or IPv6 address",
     {.host = "127.0.0.1", .port = 1, .bind_host = ""}},

    /* what goes with some sockets only */
    {"seqpacket is for Unix domain sockets", {.host = "127.0.0.1", .port = 1, .seqpacket = true}},
    {"seqpacket is for Unix domain sockets", {.unconnected = true, .seqpacket = true}},
    {"backlog -1 is negative", {.server = true, .backlog_size = -1}},
    {"backlog 5 is for stream servers", {.path = "x", .backlog_size = 5}},
    {"backlog 5 is for stream servers", {.server = true, .datagram = true, .backlog_size = 5}},
    {"mode 1000 is more than 777 (octal)", {.path = "x", .server = true, .mode = 01000}},
    {"mode 4755 is more than 777 (octal)", {.path = "x", .server = true, .mode = 04755}},
    {"mode 600 is for servers on a path", {.path = "x", .mode = 0600}},
    {"mode 600 is for servers on a path", {.server = true, .mode = 0600}},
    {"mode 600 is for servers on a path", {.host = "127.0.0.1", .port = 1, .mode = 0600}},
    {"mode 0 is for servers on a path", {.server = true, .mode = S_IFSOCK}},
    {"unlink is for servers on a path", {.path = "x", .unlink_stale = true}},
    {"unlink is for servers on a path", {.server = true, .unlink_stale = true}},
#if defined(__linux__)
    {"mode 600 is for servers on a path",
     {.path = "\0x", .path_len = 2, .server = true, .mode = 0600}},
    {"unlink is for servers on a path",
     {.path = "\0x", .path_len = 2, .server = true, .unlink_stale = true}},
#endif

    /* options */
    {"option_count is 1, but options is NULL", {.server = true, .option_count = 1}},
    {"unknown option 'recvbuf' (did you mean 'rcvbuf'?)",
     {.server = true, .options = &unknown_name, .option_count = 1}},
    {"option rcvbuf: takes an integer, not a string",
     {.server = true, .options = &wrong_kind, .option_count = 1}},
    {"option rcvbuf: 1099511627776 is not in -2147483648 to 2147483647",
     {.server = true, .options = &out_of_range, .option_count = 1}},
};


static void test_each_wrong_configuration_is_told_in_its_own_words(void **state) {
  char expected[512];
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(wrong); i++) {
    snprintf(expected, sizeof(expected), "configuration: %s", wrong[i].says);
    assert_string_equal(failure(&wrong[i].cfg, SOCKET99_ERROR_CONFIGURATION, EINVAL), expected);
  }
}


static void test_bytes_at_null_are_told(void **state) {
  socket99_config cfg = {.server = true, .options = &null_bytes, .option_count = 1};
  char expected[128];
  (void)state;
  snprintf(expected, sizeof(expected), "configuration: level %d option %d: 4 bytes at NULL",
           SOL_SOCKET, SO_RCVBUF);
  assert_string_equal(failure(&cfg, SOCKET99_ERROR_CONFIGURATION, EINVAL), expected);
}


/* What looks at a value before it is set. */
static void test_an_option_may_be_bytes(void **state) {
  static const int on = 1, off = 0;
  socket99_option options[2] = {
      {NULL, SOL_SOCKET, SO_REUSEADDR, {.kind = SOCKET99_BYTES, .length = sizeof(int)}},
      {NULL, SOL_SOCKET, SO_BROADCAST, {.kind = SOCKET99_BYTES, .length = sizeof(int)}}};
  socket99_config cfg = {
      .host = "127.0.0.1", .server = true, .options = options, .option_count = 2};
  int fd, each;
  (void)state;
  for (each = 0; each < 2; each++) {
    options[0].value.bytes = options[1].value.bytes = each == 0 ? &off : &on;
    fd = opened(&cfg);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEADDR), each);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_BROADCAST), each);
    close(fd);
  }
  options[0].value.length = 0;
  options[0].value.bytes = NULL;
  (void)failure(&cfg, SOCKET99_ERROR_SETSOCKOPT, EINVAL);
}


/* So that nothing is cut to what setsockopt(2) takes. */
static void test_more_bytes_than_an_int_can_count_are_told(void **state) {
  socket99_option option = {
      NULL,
      SOL_SOCKET,
      SO_RCVBUF,
      {.kind = SOCKET99_BYTES, .bytes = &option, .length = (size_t)INT_MAX + 1}};
  socket99_config cfg = {.server = true, .options = &option, .option_count = 1};
  (void)state;
  assert_non_null(strstr(failure(&cfg, SOCKET99_ERROR_CONFIGURATION, EINVAL),
                         ": 2147483648 bytes are more than 2147483647"));
  option.name = "congestion";
  option.value.bytes = NULL;
  option.value.length = 3;
  assert_non_null(strstr(failure(&cfg, SOCKET99_ERROR_CONFIGURATION, EINVAL),
                         "option congestion: 3 bytes at NULL"));
}


static void test_no_configuration_is_an_error(void **state) {
  (void)state;
  assert_string_equal(failure(NULL, SOCKET99_ERROR_CONFIGURATION, EINVAL),
                      "configuration: cfg is NULL");
}


/* A value of any length is quoted in part, and the result stays a string. */
static void test_a_very_long_value_is_cut_in_the_message(void **state) {
  static char host[100000];
  socket99_config cfg = {.ipv4 = host, .port = 1};
  socket99_result res;
  (void)state;
  memset(host, '1', sizeof(host) - 1);
  assert_false(socket99_open(&cfg, &res));
  assert_int_equal(res.status, SOCKET99_ERROR_CONFIGURATION);
  assert_true(strlen(res.where) < sizeof(res.where));
  assert_non_null(strstr(res.where, "1' is not a numeric IPv4 address"));
}


static void test_a_path_needs_no_terminator_where_its_length_is_given(void **state) {
  char path[200];
  socket99_config cfg = {.path = path, .path_len = sizeof(path), .server = true};
  (void)state;
  memset(path, 'p', sizeof(path));
  assert_non_null(
      strstr(failure(&cfg, SOCKET99_ERROR_CONFIGURATION, EINVAL), "has 200 bytes, the limit is"));
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_wrong_configuration_is_told_in_its_own_words),
      cmocka_unit_test(test_bytes_at_null_are_told),
      cmocka_unit_test(test_an_option_may_be_bytes),
      cmocka_unit_test(test_more_bytes_than_an_int_can_count_are_told),
      cmocka_unit_test(test_no_configuration_is_an_error),
      cmocka_unit_test(test_a_very_long_value_is_cut_in_the_message),
      cmocka_unit_test(test_a_path_needs_no_terminator_where_its_length_is_given),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
