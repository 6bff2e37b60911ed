/*
** test_platform.c: the calls of platform.h whose failures matter.
*/

#include "sockets.h"


static void test_closing_quietly_keeps_the_error(void **state) {
  int fd = dup(0);
  (void)state;
  assert_true(fd >= 0);
  errno = EACCES;
  s99_close_quietly(fd);
  assert_int_equal(errno, EACCES);
  assert_int_equal(fcntl(fd, F_GETFD), -1);
  errno = EACCES;
  s99_close_quietly(fd);
  assert_int_equal(errno, EACCES);
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_closing_quietly_keeps_the_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
