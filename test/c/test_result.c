/*
** test_result.c: results as text.
*/

#include "sockets.h"


static socket99_result result_of(enum socket99_status status, int error, int code,
                                 const char *where) {
  socket99_result res;
  memset(&res, 0, sizeof(res));
  res.status = status;
  res.fd = -1;
  res.saved_errno = error;
  res.getaddrinfo_error = code;
  snprintf(res.where, sizeof(res.where), "%s", where);
  return res;
}


static void assert_text(socket99_result res, const char *expected) {
  char text[512], printed[512] = "";
  FILE *file = tmpfile();
  assert_int_equal(socket99_snprintf(text, sizeof(text), &res), strlen(expected));
  assert_string_equal(text, expected);
  assert_non_null(file);
  assert_int_equal(socket99_fprintf(file, &res), strlen(expected));
  rewind(file);
  assert_int_equal(fread(printed, 1, sizeof(printed) - 1, file), strlen(expected));
  fclose(file);
  assert_string_equal(printed, expected);
}


static void test_each_stage_has_its_name(void **state) {
  static const struct {
    enum socket99_status status;
    int number;
    const char *name;
  } stages[] = {
      {SOCKET99_OK, 0, "ok"},
      {SOCKET99_ERROR_GETADDRINFO, -1, "getaddrinfo"},
      {SOCKET99_ERROR_SOCKET, -2, "socket"},
      {SOCKET99_ERROR_BIND, -3, "bind"},
      {SOCKET99_ERROR_LISTEN, -4, "listen"},
      {SOCKET99_ERROR_CONNECT, -5, "connect"},
      {SOCKET99_ERROR_FCNTL, -6, "fcntl"},
      {SOCKET99_ERROR_SNPRINTF, -7, "snprintf"},
      {SOCKET99_ERROR_CONFIGURATION, -8, "configuration"},
      {SOCKET99_ERROR_SETSOCKOPT, -9, "setsockopt"},
      {SOCKET99_ERROR_UNKNOWN, -10, "unknown"},
  };
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(stages); i++) {
    assert_int_equal(stages[i].status, stages[i].number);
    assert_string_equal(socket99_stage(stages[i].status), stages[i].name);
  }
  assert_string_equal(socket99_stage((enum socket99_status)1), "unknown");
  assert_string_equal(socket99_stage((enum socket99_status) - 100), "unknown");
}


static void test_text_says_what_failed_on_what_and_why(void **state) {
  (void)state;
  assert_text(result_of(SOCKET99_ERROR_BIND, EACCES, 0, "127.0.0.1:80"),
              "bind 127.0.0.1:80: Permission denied");
  assert_text(result_of(SOCKET99_ERROR_CONNECT, ECONNREFUSED, 0, "[::1]:9"),
              "connect [::1]:9: Connection refused");
  assert_text(result_of(SOCKET99_ERROR_CONNECT, ENOENT, 0, "/run/x.sock"),
              "connect /run/x.sock: No such file or directory");
  assert_text(result_of(SOCKET99_ERROR_SOCKET, EMFILE, 0, ""), told("socket", EMFILE));
  assert_text(result_of(SOCKET99_ERROR_CONFIGURATION, EINVAL, 0, "path is empty"),
              "configuration: path is empty");
  assert_text(result_of(SOCKET99_OK, 0, 0, ""), "ok");
}


static void test_the_lookups_code_is_told_in_its_own_words(void **state) {
  char expected[256];
  (void)state;
  snprintf(expected, sizeof(expected), "getaddrinfo nosuch.test: %s", gai_strerror(EAI_NONAME));
  assert_text(result_of(SOCKET99_ERROR_GETADDRINFO, EINVAL, EAI_NONAME, "nosuch.test"), expected);
}


static void test_the_systems_error_in_a_lookup_is_told_as_such(void **state) {
  (void)state;
  assert_text(result_of(SOCKET99_ERROR_GETADDRINFO, EMFILE, EAI_SYSTEM, "nosuch.test"),
              told("getaddrinfo nosuch.test", EMFILE));
}


static void test_an_errno_of_no_name_is_told_by_number(void **state) {
  socket99_result res = result_of(SOCKET99_ERROR_CONNECT, 99999, 0, "x");
  char text[256];
  (void)state;
  socket99_snprintf(text, sizeof(text), &res);
  assert_non_null(strstr(text, "99999"));
}


static void test_text_is_cut_as_snprintf_cuts(void **state) {
  socket99_result res = result_of(SOCKET99_ERROR_CONNECT, ECONNREFUSED, 0, "[::1]:9");
  const char *whole = "connect [::1]:9: Connection refused";
  char text[64];
  size_t size;
  (void)state;
  for (size = 0; size < sizeof(text); size++) {
    memset(text, 'x', sizeof(text));
    assert_int_equal(socket99_snprintf(text, size, &res), strlen(whole));
    if (size == 0) {
      assert_int_equal(text[0], 'x');
    } else if (size <= strlen(whole)) {
      assert_int_equal(strlen(text), size - 1);
      assert_memory_equal(text, whole, size - 1);
    } else {
      assert_string_equal(text, whole);
    }
    assert_true(size >= strlen(whole) || text[size] == 'x');
  }
  assert_int_equal(socket99_snprintf(NULL, 0, &res), strlen(whole));
}


static void test_the_longest_text_is_printed_whole(void **state) {
  char where[SOCKET99_WHERE_SIZE], expected[512];
  (void)state;
  memset(where, 'w', sizeof(where));
  where[sizeof(where) - 1] = '\0';
  snprintf(expected, sizeof(expected), "getaddrinfo %s: %s", where, "unknown service");
  assert_text(result_of(SOCKET99_ERROR_GETADDRINFO, 0, EAI_SERVICE, where), expected);
}


static void test_a_file_that_takes_nothing_is_told(void **state) {
  socket99_result res = result_of(SOCKET99_ERROR_CONNECT, ECONNREFUSED, 0, "x");
  FILE *file = fopen("/dev/null", "r");
  (void)state;
  assert_non_null(file);
  assert_true(socket99_fprintf(file, &res) < 0);
  fclose(file);
}


/* printf's signs in a name are text. */
static void test_percent_signs_are_text(void **state) {
  (void)state;
  assert_text(result_of(SOCKET99_ERROR_CONNECT, ENOENT, 0, "/tmp/%s%n%d"),
              "connect /tmp/%s%n%d: No such file or directory");
  assert_string_equal(failure(&(socket99_config){.path = "%s%n"}, SOCKET99_ERROR_CONNECT, ENOENT),
                      "connect %s%n: No such file or directory");
  assert_string_equal(
      failure(&(socket99_config){.ipv4 = "%s%n", .port = 1}, SOCKET99_ERROR_CONFIGURATION, EINVAL),
      "configuration: ipv4 '%s%n' is not a numeric IPv4 address");
}


static void test_hints_fit_the_configuration(void **state) {
  struct addrinfo hints;
  (void)state;
  memset(&hints, 0x5a, sizeof(hints));
  socket99_set_hints(&(socket99_config){.host = NULL}, &hints);
  assert_int_equal(hints.ai_family, AF_UNSPEC);
  assert_int_equal(hints.ai_socktype, SOCK_STREAM);
  assert_int_equal(hints.ai_flags, 0);
  assert_int_equal(hints.ai_protocol, 0);
  assert_null(hints.ai_next);
  socket99_set_hints(&(socket99_config){.ipv4 = "127.0.0.1", .server = true}, &hints);
  assert_int_equal(hints.ai_family, AF_INET);
  assert_int_equal(hints.ai_flags, AI_PASSIVE);
  socket99_set_hints(&(socket99_config){.ipv6 = "::1", .datagram = true}, &hints);
  assert_int_equal(hints.ai_family, AF_INET6);
  assert_int_equal(hints.ai_socktype, SOCK_DGRAM);
  socket99_set_hints(&(socket99_config){.family = AF_INET6}, &hints);
  assert_int_equal(hints.ai_family, AF_INET6);
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_stage_has_its_name),
      cmocka_unit_test(test_text_says_what_failed_on_what_and_why),
      cmocka_unit_test(test_the_lookups_code_is_told_in_its_own_words),
      cmocka_unit_test(test_the_systems_error_in_a_lookup_is_told_as_such),
      cmocka_unit_test(test_an_errno_of_no_name_is_told_by_number),
      cmocka_unit_test(test_text_is_cut_as_snprintf_cuts),
      cmocka_unit_test(test_the_longest_text_is_printed_whole),
      cmocka_unit_test(test_a_file_that_takes_nothing_is_told),
      cmocka_unit_test(test_percent_signs_are_text),
      cmocka_unit_test(test_hints_fit_the_configuration),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
