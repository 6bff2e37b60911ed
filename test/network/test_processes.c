/*
** The process forks, execs and exits while lookups are in flight.
*/

#include "network.h"

#include <stdio.h>
#include <sys/wait.h>

#define FORKS 100

enum { CONNECTED, LATE, WRONG };


static socket99_opening *start(const char *host, int timeout_ms) {
  socket99_config config = client(host, ALIVE_PORT, timeout_ms);
  socket99_result result;
  socket99_opening *opening = socket99_start(&config, &result);
  assert_non_null(opening);
  assert_false(socket99_step(opening, &result));
  return opening;
}


/* Sixteen lookups run at once; the others are queued. */
static void start_silent(socket99_opening **openings, int count) {
  int i;
  for (i = 0; i < count; i++)
    openings[i] = start("silent.example", 0);
}


static void cancel_all(socket99_opening **openings, int count) {
  int i;
  for (i = 0; i < count; i++)
    socket99_cancel(openings[i]);
}


static void assert_exits_with_0(pid_t child) {
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status))
    fprintf(stderr, "the child died of signal %d\n", WTERMSIG(status));
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}


/* What a child says by its exit status; a hang ends in SIGALRM. */
static bool opens_a_name(void) {
  socket99_config config = client("alive", ALIVE_PORT, 5000);
  socket99_result result;
  if (!socket99_open(&config, &result)) {
    socket99_fprintf(stderr, &result);
    return false;
  }
  close(result.fd);
  return true;
}


static bool is_refused_to_step(socket99_opening *opening) {
  socket99_result result;
  return socket99_step(opening, &result) && result.status == SOCKET99_ERROR_UNKNOWN &&
         result.saved_errno == EPERM && result.fd == -1;
}


static void test_a_child_opens_names_and_cancels_without_disturbing_its_parent(void **state) {
  long long began = now_ms();
  socket99_opening *dead = start("dead6-alive4", 5000);
  socket99_opening *silent = start("silent.example", 0);
  socket99_opening *late = start("silent.example", 700);
  socket99_result result;
  pid_t child;
  (void)state;
  /* Until the first attempt flies. */
  assert_int_equal(wait_readable(socket99_pollfd(dead), 1000), 1);
  assert_false(socket99_step(dead, &result));
  child = fork();
  if (child == 0) {
    bool ok = is_refused_to_step(dead) && is_refused_to_step(silent);
    alarm(10);
    socket99_cancel(dead);
    socket99_cancel(silent);
    socket99_cancel(late);
    _exit(ok && opens_a_name() ? 0 : 1);
  }
  assert_exits_with_0(child);

  assert_true(drive(dead, &result));
  assert_int_equal(result.status, SOCKET99_OK);
  close(result.fd);
  assert_in_range(now_ms() - began, 249, 1000);

  assert_true(drive(late, &result));
  assert_int_equal(result.status, SOCKET99_ERROR_TIMEOUT);
  assert_in_range(now_ms() - began, 699, 1500);

  assert_true(drive(silent, &result));
  assert_int_equal(result.status, SOCKET99_ERROR_GETADDRINFO);
  assert_int_equal(result.getaddrinfo_error, EAI_AGAIN);
  assert_in_range(now_ms() - began, 1900, 4000);

  cancel_all((socket99_opening *[]){dead, silent, late}, 3);
  await_threads(1);
}


static void test_a_child_inherits_no_threads_and_no_queue(void **state) {
  socket99_opening *openings[20];
  pid_t child;
  (void)state;
  start_silent(openings, 20);
  child = fork();
  if (child == 0) {
    alarm(10);
    _exit(count_threads() == 1 && opens_a_name() ? 0 : 1);
  }
  assert_exits_with_0(child);
  cancel_all(openings, 20);
  await_threads(1);
}


static void assert_connected(const socket99_result *result) {
  if (result->status != SOCKET99_OK)
    socket99_fprintf(stderr, result);
  assert_int_equal(result->status, SOCKET99_OK);
  close(result->fd);
}


/*
** The child of a process whose threads were anywhere in getaddrinfo(3): glibc
** may leave it a lock of its own taken (2.36: in __check_pf), and then no name
** can be looked up there. The deadline holds even so, and nothing else is told.
*/
static int opens_a_name_or_keeps_the_deadline(void) {
  socket99_config config = client("alive", ALIVE_PORT, 300);
  socket99_result result;
  long long began = now_ms();
  if (socket99_open(&config, &result))
    return CONNECTED;
  return result.status == SOCKET99_ERROR_TIMEOUT && now_ms() - began < 2000 ? LATE : WRONG;
}


static int exit_status(pid_t child) {
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}


/* At any moment: threads are taking, answering and ending lookups. */
static void test_forks_at_any_moment_leave_both_sides_working(void **state) {
  socket99_config config = client("alive", ALIVE_PORT, 5000);
  int verdicts[256] = {0};
  int i, each;
  (void)state;
  for (i = 0; i < FORKS; i++) {
    socket99_opening *openings[8];
    socket99_result results[8];
    bool done[8];
    pid_t child;
    for (each = 0; each < 8; each++) {
      openings[each] = socket99_start(&config, &results[each]);
      assert_non_null(openings[each]);
      done[each] = socket99_step(openings[each], &results[each]);
    }
    child = fork();
    if (child == 0) {
      alarm(10);
      cancel_all(openings, 4);
      _exit(opens_a_name_or_keeps_the_deadline());
    }
    for (each = 0; each < 8; each++) {
      assert_true(done[each] || drive(openings[each], &results[each]));
      assert_connected(&results[each]);
    }
    verdicts[exit_status(child)]++;
    cancel_all(openings, 8);
  }
  printf("# children: %d connected, %d kept the deadline\n", verdicts[CONNECTED], verdicts[LATE]);
  assert_int_equal(verdicts[WRONG], 0);
  assert_true(verdicts[CONNECTED] > FORKS / 2);
  await_threads(1);
}


/* Generations: the child of a child has a queue of its own as well. */
static void test_a_grandchild_opens_names(void **state) {
  socket99_opening *openings[3];
  pid_t child;
  (void)state;
  start_silent(openings, 3);
  child = fork();
  if (child == 0) {
    pid_t grandchild;
    int status = 1;
    alarm(10);
    start("silent.example", 0);
    grandchild = fork();
    if (grandchild == 0)
      _exit(opens_a_name() ? 0 : 1);
    waitpid(grandchild, &status, 0);
    _exit(status == 0 && opens_a_name() ? 0 : 1);
  }
  assert_exits_with_0(child);
  cancel_all(openings, 3);
  await_threads(1);
}


static void test_exec_ends_lookups_and_inherits_no_descriptor(void **state) {
  int fds = count_fds();
  pid_t child = fork();
  (void)state;
  if (child == 0) {
    socket99_opening *openings[20];
    char script[80];
    alarm(10);
    start_silent(openings, 20);
    /* The shell's glob holds the directory open. */
    snprintf(script, sizeof(script), "set -- /proc/self/fd/*; test $# -le %d", fds + 1);
    execl("/bin/sh", "sh", "-c", script, (char *)NULL);
    _exit(1);
  }
  assert_exits_with_0(child);
}


static void test_exit_waits_for_no_lookup(void **state) {
  long long began = now_ms();
  int round;
  (void)state;
  for (round = 0; round < 20; round++) {
    pid_t child = fork();
    if (child == 0) {
      socket99_opening *openings[20];
      start_silent(openings, 20);
      cancel_all(openings, round);
      fclose(stdout);
      exit(0);
    }
    assert_exits_with_0(child);
  }
  printf("# 20 exits with lookups in flight: %lld ms\n", now_ms() - began);
  assert_in_range(now_ms() - began, 0, 5000);
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_child_opens_names_and_cancels_without_disturbing_its_parent),
      cmocka_unit_test(test_a_child_inherits_no_threads_and_no_queue),
      cmocka_unit_test(test_forks_at_any_moment_leave_both_sides_working),
      cmocka_unit_test(test_a_grandchild_opens_names),
      cmocka_unit_test(test_exec_ends_lookups_and_inherits_no_descriptor),
      cmocka_unit_test(test_exit_waits_for_no_lookup),
  };
  if (SANITIZED) {
    puts("1..0 # SKIP the sanitizers have threads and an exit of their own");
    return 0;
  }
  setvbuf(stdout, NULL, _IONBF, 0);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
