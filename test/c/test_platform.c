/*
** test_platform.c: what the rooms expect of platform.h where it can go wrong.
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


static bool is_pending(int number) {
  sigset_t pending;
  assert_int_equal(sigpending(&pending), 0);
  return sigismember(&pending, number) == 1;
}


/* That of somebody else, while it is blocked, is not taken for ours. */
static void test_a_sigpipe_that_was_pending_stays_so(void **state) {
  sigset_t sigpipe, before;
  struct s99_sigpipe held;
  int number = 0;
  (void)state;
  sigemptyset(&sigpipe);
  sigaddset(&sigpipe, SIGPIPE);
  assert_int_equal(pthread_sigmask(SIG_BLOCK, &sigpipe, &before), 0);
  assert_int_equal(raise(SIGPIPE), 0);
  s99_begin_no_sigpipe(&held);
  s99_end_no_sigpipe(&held, true);
  assert_true(is_pending(SIGPIPE));
  assert_int_equal(sigwait(&sigpipe, &number), 0);
  assert_int_equal(number, SIGPIPE);
  assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}


static void test_credentials_of_no_socket_are_an_error(void **state) {
  struct s99_credentials peer;
  (void)state;
  assert_int_equal(s99_peer_credentials(-1, &peer), -1);
  assert_int_equal(errno, EBADF);
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_closing_quietly_keeps_the_error),
      cmocka_unit_test(test_a_sigpipe_that_was_pending_stays_so),
      cmocka_unit_test(test_credentials_of_no_socket_are_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
