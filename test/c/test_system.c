/*
** test_system.c: the calls of the module's system.h whose failures matter.
*/

#include "system/system.h"

#include "sockets.h"


static bool is_pending(int number) {
  sigset_t pending;
  assert_int_equal(sigpending(&pending), 0);
  return sigismember(&pending, number) == 1;
}


/* That of somebody else, while it is blocked, is not taken for ours. */
static void test_a_sigpipe_that_was_pending_stays_so(void **state) {
  sigset_t sigpipe, before;
  struct sock99_sigpipe held;
  int number = 0;
  (void)state;
  sigemptyset(&sigpipe);
  sigaddset(&sigpipe, SIGPIPE);
  assert_int_equal(pthread_sigmask(SIG_BLOCK, &sigpipe, &before), 0);
  assert_int_equal(raise(SIGPIPE), 0);
  sock99_begin_no_sigpipe(&held);
  sock99_end_no_sigpipe(&held, true);
  assert_true(is_pending(SIGPIPE));
  assert_int_equal(sigwait(&sigpipe, &number), 0);
  assert_int_equal(number, SIGPIPE);
  assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}


static void test_credentials_of_no_socket_are_an_error(void **state) {
  struct sock99_credentials peer;
  (void)state;
  assert_int_equal(sock99_peer_credentials(-1, &peer), -1);
  assert_int_equal(errno, EBADF);
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_sigpipe_that_was_pending_stays_so),
      cmocka_unit_test(test_credentials_of_no_socket_are_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
