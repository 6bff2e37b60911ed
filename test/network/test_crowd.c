/*
** A thousand openings in one loop: some answered, some refused, some silent,
** half of them cancelled at random moments. What the process holds is then
** what it held before. Also under the address and the thread sanitizer.
*/

#include "network.h"

#include <sys/resource.h>

#define CROWD 1000
#define LONGEST_LIFE 1000
#define ROUNDS 3

enum kind {
  ANSWERED,
  REFUSED,
  SILENT,
  ANSWERED_NAME,
  REFUSED_NAME,
  DEAD_FIRST_NAME,
  SILENT_NAME,
  KINDS
};

struct member {
  enum kind kind;
  socket99_opening *opening;
  int pollfd;
  long long cancel_at; /* -1: never */
};

static unsigned int seed;


static int random_below(int limit) {
  seed = seed * 1103515245U + 12345U;
  return (int)(seed >> 16 & 0x7fff) % limit;
}


/* Any scale up to a second: some openings live for a millisecond. */
static int random_moment(void) {
  return random_below(1 << random_below(11));
}


/* Only the silent ones need a deadline; names may wait for the threads that
** those of silent names occupy. */
static socket99_config config_of(enum kind kind) {
  switch (kind) {
  case ANSWERED:
    return client("fd09::2", ALIVE_PORT, 0);
  case REFUSED:
    return client("10.9.0.2", REFUSING_PORT, 0);
  case SILENT:
    return client("10.9.0.66", ALIVE_PORT, 1 + random_below(LONGEST_LIFE));
  case ANSWERED_NAME:
    return client("alive", ALIVE_PORT, 0);
  case REFUSED_NAME:
    return client("alive", REFUSING_PORT, 0);
  case DEAD_FIRST_NAME:
    return client("dead6-alive4", ALIVE_PORT, 0);
  default:
    return client("silent.example", ALIVE_PORT, 1 + random_below(LONGEST_LIFE));
  }
}


static enum socket99_status expected(enum kind kind) {
  switch (kind) {
  case REFUSED:
  case REFUSED_NAME:
    return SOCKET99_ERROR_CONNECT;
  case SILENT:
  case SILENT_NAME:
    return SOCKET99_ERROR_TIMEOUT;
  default:
    return SOCKET99_OK;
  }
}


static void join(struct member *member, int number) {
  socket99_config config;
  socket99_result result;
  member->kind = (enum kind)(number % KINDS);
  config = config_of(member->kind);
  member->cancel_at = random_below(2) == 0 ? -1 : now_ms() + random_moment();
  member->opening = socket99_start(&config, &result);
  if (member->opening == NULL)
    socket99_fprintf(stderr, &result);
  assert_non_null(member->opening);
  member->pollfd = socket99_pollfd(member->opening);
}


static void leave(struct member *member) {
  socket99_cancel(member->opening);
  member->opening = NULL;
}


static void step(struct member *member) {
  socket99_result result;
  assert_int_equal(socket99_pollfd(member->opening), member->pollfd);
  if (!socket99_step(member->opening, &result))
    return;
  if (result.status != expected(member->kind))
    socket99_fprintf(stderr, &result);
  assert_int_equal(result.status, expected(member->kind));
  if (result.status == SOCKET99_OK)
    close(result.fd);
  leave(member);
}


static int fill(struct pollfd *polled, const struct member *crowd) {
  int i, present = 0;
  for (i = 0; i < CROWD; i++) {
    polled[i].fd = crowd[i].opening == NULL ? -1 : crowd[i].pollfd;
    polled[i].events = POLLIN;
    polled[i].revents = 0;
    present += crowd[i].opening != NULL;
  }
  return present;
}


/* How many were cancelled. */
static int live_through(struct member *crowd) {
  static struct pollfd polled[CROWD];
  long long until = now_ms() + 60000;
  int i, cancelled = 0;
  while (fill(polled, crowd) > 0) {
    assert_true(now_ms() < until);
    assert_true(poll(polled, CROWD, 2) >= 0);
    for (i = 0; i < CROWD; i++) {
      if (crowd[i].opening == NULL)
        continue;
      if (crowd[i].cancel_at >= 0 && now_ms() >= crowd[i].cancel_at) {
        leave(&crowd[i]);
        cancelled++;
      } else if (polled[i].revents != 0) {
        step(&crowd[i]);
      }
    }
  }
  return cancelled;
}


static long resident_kib(void) {
  FILE *statm = fopen("/proc/self/statm", "r");
  long total = 0, resident = 0;
  assert_non_null(statm);
  assert_int_equal(fscanf(statm, "%ld %ld", &total, &resident), 2);
  fclose(statm);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}


/* The thread sanitizer has a thread of its own, from the first of ours on. */
static int resting_threads(void) {
  socket99_config config = client("alive", ALIVE_PORT, 1000);
  socket99_result result;
  assert_true(socket99_open(&config, &result));
  close(result.fd);
  poll(NULL, 0, 1000);
  return count_threads();
}


static void test_a_thousand_openings_leave_nothing_behind(void **state) {
  static struct member crowd[CROWD];
  int fds = count_fds(), threads = resting_threads();
  long after_first = 0;
  int round, i;
  (void)state;
  seed = 99;
  for (round = 0; round < ROUNDS; round++) {
    long long began = now_ms();
    int cancelled;
    for (i = 0; i < CROWD; i++)
      join(&crowd[i], i);
    cancelled = live_through(crowd);
    printf("# %d openings, %d cancelled: %lld ms; %d threads left\n", CROWD, cancelled,
           now_ms() - began, count_threads() - threads);
    await_threads(threads);
    assert_int_equal(count_fds(), fds);
    printf("# resident: %ld KiB\n", resident_kib());
    if (round == 0)
      after_first = resident_kib();
  }
  if (!SANITIZED)
    assert_true(resident_kib() - after_first < 512);
}


/* Four descriptors each, and as many again for attempts. */
static bool have_descriptors(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return false;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= 8 * CROWD;
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_thousand_openings_leave_nothing_behind),
  };
  if (!have_descriptors()) {
    puts("1..0 # SKIP too few descriptors allowed");
    return 0;
  }
  setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
