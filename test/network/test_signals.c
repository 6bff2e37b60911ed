/*
** A signal every millisecond, whose handler has no SA_RESTART, changes no
** result and no deadline, and none reaches a resolver's thread.
*/

#include "network.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/wait.h>

#define SLACK_MS 400

static volatile sig_atomic_t signals, astray;
static pthread_t main_thread;
static char path[108];


static void count(int number) {
  (void)number;
  signals++;
  if (!pthread_equal(pthread_self(), main_thread))
    astray++;
}


static void set_storm(int microseconds) {
  struct itimerval storm = {{0}, {0}};
  storm.it_interval.tv_usec = storm.it_value.tv_usec = microseconds;
  assert_int_equal(setitimer(ITIMER_REAL, &storm, NULL), 0);
}


static int begin_storm(void **state) {
  struct sigaction action = {0};
  (void)state;
  main_thread = pthread_self();
  action.sa_handler = count;
  sigaction(SIGALRM, &action, NULL);
  signals = 0;
  set_storm(1000);
  return 0;
}


static int end_storm(void **state) {
  (void)state;
  set_storm(0);
  return astray == 0 ? 0 : -1;
}


static bool open_at_once(const socket99_config *config, socket99_result *result) {
  return socket99_open(config, result);
}


static bool open_in_steps(const socket99_config *config, socket99_result *result) {
  socket99_opening *opening = socket99_start(config, result);
  assert_non_null(opening);
  assert_true(drive(opening, result));
  socket99_cancel(opening);
  return result->status == SOCKET99_OK;
}


static void assert_result(const socket99_config *config, enum socket99_status status, int took,
                          int slack) {
  bool (*ways[])(const socket99_config *, socket99_result *) = {open_at_once, open_in_steps};
  size_t i;
  for (i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
    socket99_result result;
    long long began = now_ms(), ended;
    int before = signals;
    bool ok = ways[i](config, &result);
    ended = now_ms();
    if (result.status != status)
      socket99_fprintf(stderr, &result);
    assert_int_equal(result.status, status);
    assert_int_equal(ok, status == SOCKET99_OK);
    if (ok)
      close(result.fd);
    printf("# %s: %lld ms, %d signals\n", config->host != NULL ? config->host : config->path,
           ended - began, signals - before);
    assert_in_range(ended - began, took, took + slack);
    assert_true(signals - before >= took / 20);
  }
}


static void test_the_deadline_of_a_silent_lookup_holds(void **state) {
  socket99_config config = client("silent.example", ALIVE_PORT, 1000);
  (void)state;
  assert_result(&config, SOCKET99_ERROR_TIMEOUT, 1000, SLACK_MS);
}


static void test_the_deadline_of_dead_addresses_holds(void **state) {
  socket99_config config = client("all-dead", ALIVE_PORT, 1000);
  (void)state;
  assert_result(&config, SOCKET99_ERROR_TIMEOUT, 1000, SLACK_MS);
}


static void test_dead_addresses_cost_what_they_cost(void **state) {
  socket99_config config = client("three-dead", ALIVE_PORT, 0);
  (void)state;
  assert_result(&config, SOCKET99_OK, 749, SLACK_MS);
  config = client("dead6-alive4", ALIVE_PORT, 2000);
  assert_result(&config, SOCKET99_OK, 249, SLACK_MS);
}


static void test_a_hundred_connect_and_a_hundred_are_refused(void **state) {
  socket99_config config;
  int i;
  (void)state;
  for (i = 0; i < 100; i++) {
    config = client("alive", i % 2 == 0 ? ALIVE_PORT : REFUSING_PORT, i % 4 < 2 ? 0 : 1000);
    assert_result(&config, i % 2 == 0 ? SOCKET99_OK : SOCKET99_ERROR_CONNECT, 0, SLACK_MS);
  }
}


/* connect(2) of a blocking socket, interrupted a thousand times. */
static void test_a_late_answer_to_a_blocking_connect_counts(void **state) {
  socket99_config config = client("fd09::70", ALIVE_PORT, 0);
  socket99_result result;
  long long began;
  int before = signals;
  (void)state;
  assert_int_equal(system("bury fd09::70; (sleep 0.6; revive fd09::70) &"), 0);
  began = now_ms();
  assert_true(socket99_open(&config, &result));
  close(result.fd);
  printf("# late answer: %lld ms, %d signals\n", now_ms() - began, signals - before);
  assert_in_range(now_ms() - began, 850, 2900);
}


static int full_listener(void) {
  socket99_config config = {0};
  socket99_result result;
  int server;
  config.path = path;
  config.server = true;
  config.backlog_size = 1;
  unlink(path);
  assert_true(socket99_open(&config, &result));
  server = result.fd;
  config.server = false;
  config.backlog_size = 0;
  config.timeout_ms = 20;
  while (socket99_open(&config, &result))
    continue;
  assert_int_equal(result.status, SOCKET99_ERROR_TIMEOUT);
  return server;
}


static void test_the_deadline_of_a_full_unix_listener_holds(void **state) {
  socket99_config config = {0};
  int server = full_listener();
  (void)state;
  config.path = path;
  config.timeout_ms = 500;
  assert_result(&config, SOCKET99_ERROR_TIMEOUT, 500, SLACK_MS);
  close(server);
  unlink(path);
}


/* No deadline: connect(2) itself waits for room. */
static void test_room_in_a_full_unix_listener_is_found(void **state) {
  socket99_config config = {0};
  socket99_result result;
  long long began = now_ms();
  int server = full_listener();
  pid_t child = fork();
  (void)state;
  if (child == 0) {
    poll(NULL, 0, 300);
    accept(server, NULL, NULL);
    _exit(0);
  }
  config.path = path;
  assert_true(socket99_open(&config, &result));
  assert_in_range(now_ms() - began, 290, 2000);
  close(result.fd);
  close(server);
  unlink(path);
  while (waitpid(child, NULL, 0) < 0)
    assert_int_equal(errno, EINTR);
}


/* The kernel forgets how long it has waited whenever a signal comes. */
static void assert_send_timeout_holds(socket99_config *config) {
  socket99_option option = {"sndtimeo", 0, 0, {.kind = SOCKET99_SECONDS, .seconds = 0.5}};
  socket99_result result;
  long long began = now_ms();
  int before = signals;
  config->options = &option;
  config->option_count = 1;
  assert_false(socket99_open(config, &result));
  assert_int_equal(result.status, SOCKET99_ERROR_CONNECT);
  assert_int_equal(result.saved_errno, ETIMEDOUT);
  assert_in_range(now_ms() - began, 490, 500 + SLACK_MS);
  assert_true(signals - before >= 25);
}


static void test_the_send_timeout_of_a_blocking_connect_holds(void **state) {
  socket99_config config = client("10.9.0.66", ALIVE_PORT, 0);
  (void)state;
  assert_send_timeout_holds(&config);
  config = client("fd09::66", ALIVE_PORT, 0);
  assert_send_timeout_holds(&config);
}


static void test_the_send_timeout_of_a_full_unix_listener_holds(void **state) {
  socket99_config config = {0};
  int server = full_listener();
  (void)state;
  config.path = path;
  assert_send_timeout_holds(&config);
  close(server);
  unlink(path);
}


/* What is left of it is set for a while; the descriptor comes with the whole. */
static void test_the_send_timeout_is_afterwards_what_it_was(void **state) {
  socket99_option option = {"sndtimeo", 0, 0, {.kind = SOCKET99_SECONDS, .seconds = 5}};
  socket99_config config = {0};
  socket99_value value;
  socket99_result result;
  int server = full_listener();
  pid_t child;
  (void)state;
  child = fork();
  if (child == 0) {
    poll(NULL, 0, 300);
    accept(server, NULL, NULL);
    _exit(0);
  }
  config.path = path;
  config.options = &option;
  config.option_count = 1;
  assert_true(socket99_open(&config, &result));
  assert_int_equal(socket99_option_get(result.fd, "sndtimeo", &value, NULL, 0), 0);
  assert_true(value.seconds == 5);
  close(result.fd);
  close(server);
  unlink(path);
  while (waitpid(child, NULL, 0) < 0)
    assert_int_equal(errno, EINTR);
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_deadline_of_a_silent_lookup_holds),
      cmocka_unit_test(test_the_deadline_of_dead_addresses_holds),
      cmocka_unit_test(test_dead_addresses_cost_what_they_cost),
      cmocka_unit_test(test_a_hundred_connect_and_a_hundred_are_refused),
      cmocka_unit_test(test_a_late_answer_to_a_blocking_connect_counts),
      cmocka_unit_test(test_the_deadline_of_a_full_unix_listener_holds),
      cmocka_unit_test(test_room_in_a_full_unix_listener_is_found),
      cmocka_unit_test(test_the_send_timeout_of_a_blocking_connect_holds),
      cmocka_unit_test(test_the_send_timeout_of_a_full_unix_listener_holds),
      cmocka_unit_test(test_the_send_timeout_is_afterwards_what_it_was),
  };
  const char *directory = getenv("TMP_DIR");
  snprintf(path, sizeof(path), "%s/full.sock", directory != NULL ? directory : "/tmp");
  return cmocka_run_group_tests(tests, begin_storm, end_storm);
}
