/*
** The order of attempts to connect, without a network: tables of simulated
** attempts on a simulated clock, against the order of events that RFC 8305,
** section 5, prescribes, computed by other means.
*/

#include "internal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MOST 24
#define TABLES 20000
#define DELAY 250

enum outcome { NEVER, FAILS, CONNECTS };

/* What would become of each attempt, `takes` after its start. An attempt
** cannot begin while one of `blockers`, a set of bits, is in flight. */
struct attempt {
  enum outcome outcome;
  int64_t takes;
  unsigned int blockers;
};

struct events {
  int64_t start[MOST];    /* S99_NEVER: it did not */
  int64_t gave_way[MOST]; /* S99_NEVER: it did not */
  int64_t end;            /* S99_NEVER: it goes on until a deadline */
  int winner;             /* -1: none */
};


/*
** The race under test, on a simulated clock
*/

struct simulation {
  struct s99_race race;
  const struct attempt *table;
  struct events events;
  bool in_flight[MOST];
};


static int64_t end_of(const struct attempt *attempt, int64_t start) {
  return attempt->outcome == NEVER || start == S99_NEVER ? S99_NEVER : start + attempt->takes;
}


static bool is_blocked(const struct simulation *s, size_t i) {
  size_t other;
  for (other = 0; other < s->race.count; other++) {
    if (other != i && s->in_flight[other] && (s->table[i].blockers >> other & 1) != 0)
      return true;
  }
  return false;
}


/* True when one has connected. */
static bool end_attempts(struct simulation *s, int64_t now) {
  size_t i;
  for (i = 0; i < s->race.count; i++) {
    if (!s->in_flight[i] || end_of(&s->table[i], s->events.start[i]) != now)
      continue;
    if (s->table[i].outcome == CONNECTS) {
      s->events.winner = (int)i;
      return true;
    }
    s->in_flight[i] = false;
    s99_race_failed(&s->race, i);
  }
  return false;
}


static void make_room(struct simulation *s, int64_t now) {
  size_t i = 0;
  while (!s->in_flight[i])
    i++;
  s->in_flight[i] = false;
  s->events.gave_way[i] = now;
  s99_race_failed(&s->race, i);
}


/* True when one has connected at once. */
static bool start_due(struct simulation *s, int64_t now) {
  while (s99_race_due(&s->race, now)) {
    size_t i;
    if (s99_race_is_full(&s->race))
      make_room(s, now);
    i = s99_race_start(&s->race, now);
    if (is_blocked(s, i)) {
      s99_race_postpone(&s->race);
      continue;
    }
    s->events.start[i] = now;
    s->in_flight[i] = true;
    if (end_attempts(s, now))
      return true;
  }
  return false;
}


static int64_t next_event(const struct simulation *s, int64_t now) {
  int64_t next = s99_race_next(&s->race);
  size_t i;
  assert_true(next > now);
  for (i = 0; i < s->race.count; i++) {
    int64_t end = s->in_flight[i] ? end_of(&s->table[i], s->events.start[i]) : S99_NEVER;
    if (end < next)
      next = end;
  }
  return next;
}


static struct events simulate(const struct attempt *table, size_t count) {
  struct simulation s;
  int64_t now = 1000000;
  size_t i;
  memset(&s, 0, sizeof(s));
  s.table = table;
  s.events.winner = -1;
  for (i = 0; i < MOST; i++)
    s.events.start[i] = s.events.gave_way[i] = S99_NEVER;
  s99_race_init(&s.race, count, DELAY);
  while (now != S99_NEVER && !end_attempts(&s, now) && !start_due(&s, now) &&
         !s99_race_is_lost(&s.race))
    now = next_event(&s, now);
  s.events.end = now;
  return s.events;
}


/*
** The model: the start of each attempt follows from those before it
*/

static bool is_in_flight_at(const struct attempt *table, const struct events *e, size_t i,
                            int64_t now) {
  return e->start[i] <= now && end_of(&table[i], e->start[i]) > now && e->gave_way[i] > now;
}


/* With eight in flight, the one that started first gives way to attempt `i`. Returns
** which one; `i`: none. */
static size_t give_way(const struct attempt *table, struct events *e, size_t i) {
  size_t before, oldest = i, in_flight = 0;
  for (before = i; before > 0; before--) {
    if (!is_in_flight_at(table, e, before - 1, e->start[i]))
      continue;
    in_flight++;
    oldest = before - 1;
  }
  if (e->start[i] == S99_NEVER || in_flight < 8)
    return i;
  e->gave_way[oldest] = e->start[i];
  return oldest;
}


static bool is_blocked_at(const struct attempt *table, const struct events *e, size_t i,
                          int64_t now) {
  size_t before;
  for (before = 0; before < i; before++) {
    if ((table[i].blockers >> before & 1) != 0 && is_in_flight_at(table, e, before, now))
      return true;
  }
  return false;
}


/* The first end of an earlier attempt that lets this one begin. */
static int64_t unblocked(const struct attempt *table, const struct events *e, size_t i,
                         int64_t now) {
  int64_t first = S99_NEVER;
  size_t before;
  if (!is_blocked_at(table, e, i, now))
    return now;
  for (before = 0; before < i; before++) {
    int64_t end = end_of(&table[before], e->start[before]);
    if (end > now && end < first && !is_blocked_at(table, e, i, end))
      first = end;
  }
  return first;
}


static int64_t prescribed_start(const struct attempt *table, const struct events *e, size_t i) {
  int64_t last = e->start[i - 1], failed = end_of(&table[i - 1], last);
  int64_t start = last + DELAY;
  if (last == S99_NEVER)
    return S99_NEVER;
  if (table[i - 1].outcome == FAILS && failed < start)
    start = failed;
  return unblocked(table, e, i, start);
}


static struct events prescribe(const struct attempt *table, size_t count) {
  struct events e;
  int64_t connected = S99_NEVER, lost = 0;
  size_t evicted[MOST], i;
  e.winner = -1;
  for (i = 0; i < MOST; i++)
    e.start[i] = e.gave_way[i] = S99_NEVER;
  for (i = 0; i < count; i++) {
    e.start[i] = i == 0 ? 1000000 : prescribed_start(table, &e, i);
    evicted[i] = give_way(table, &e, i);
  }
  for (i = 0; i < count; i++) {
    int64_t end = end_of(&table[i], e.start[i]);
    if (e.gave_way[i] < end)
      end = e.gave_way[i];
    else if (table[i].outcome == CONNECTS && end < connected) {
      connected = end;
      e.winner = (int)i;
    }
    if (end > lost)
      lost = end;
  }
  e.end = e.winner < 0 ? lost : connected;
  for (i = 0; i < count; i++) {
    if (e.winner < 0 || e.start[i] < e.end || (e.start[i] == e.end && (int)i <= e.winner))
      continue;
    e.start[i] = S99_NEVER;
    e.gave_way[evicted[i]] = S99_NEVER;
  }
  return e;
}


/*
** Tests
*/

static unsigned int seed;


static unsigned int below(unsigned int limit) {
  seed = seed * 1664525U + 1013904223U;
  return (seed >> 8) % limit;
}


/* Round times, so that many coincide, or any; some outlast eight attempt delays. */
static int64_t any_time(void) {
  if (below(4) == 0)
    return 1500 + 50 * (int64_t)below(14);
  return below(2) == 0 ? 50 * (int64_t)below(14) : (int64_t)below(700);
}


static size_t any_table(struct attempt *table) {
  size_t count = 1 + below(MOST), i;
  bool ports_are_held = count <= S99_MOST_ATTEMPTS && below(4) == 0;
  for (i = 0; i < count; i++) {
    table[i].outcome = (enum outcome)below(3);
    table[i].takes = any_time();
    table[i].blockers = ports_are_held ? below(1U << MOST) : 0;
  }
  return count;
}


static void assert_same_events(const struct attempt *table, size_t count, unsigned int which) {
  static const char *const outcomes[] = {"never", "fails", "connects"};
  struct events got = simulate(table, count), expected = prescribe(table, count);
  size_t i;
  if (memcmp(got.start, expected.start, sizeof(got.start)) == 0 &&
      memcmp(got.gave_way, expected.gave_way, sizeof(got.gave_way)) == 0 &&
      got.end == expected.end && got.winner == expected.winner)
    return;
  print_error("table %u: winner %d at %lld, expected %d at %lld\n", which, got.winner,
              (long long)got.end, expected.winner, (long long)expected.end);
  for (i = 0; i < count; i++)
    print_error("  %s after %lld: start %lld, expected %lld; gave way %lld, expected %lld\n",
                outcomes[table[i].outcome], (long long)table[i].takes, (long long)got.start[i],
                (long long)expected.start[i], (long long)got.gave_way[i],
                (long long)expected.gave_way[i]);
  fail();
}


static void test_random_tables_keep_the_prescribed_order(void **state) {
  unsigned int which;
  (void)state;
  seed = 8305;
  for (which = 0; which < TABLES; which++) {
    struct attempt table[MOST];
    size_t count = any_table(table);
    assert_same_events(table, count, which);
  }
}


static void test_the_next_starts_one_delay_after_the_newest(void **state) {
  struct s99_race race;
  (void)state;
  s99_race_init(&race, 3, DELAY);
  assert_true(s99_race_due(&race, 0));
  assert_int_equal(s99_race_start(&race, 10), 0);
  assert_false(s99_race_due(&race, 10 + DELAY - 1));
  assert_true(s99_race_next(&race) == 10 + DELAY);
  assert_true(s99_race_due(&race, 10 + DELAY));
  assert_int_equal(s99_race_start(&race, 1000), 1);
  assert_true(s99_race_next(&race) == 1000 + DELAY);
}


static void test_none_is_due_after_the_last(void **state) {
  struct s99_race race;
  (void)state;
  s99_race_init(&race, 1, DELAY);
  s99_race_start(&race, 0);
  assert_true(s99_race_next(&race) == S99_NEVER);
  assert_false(s99_race_due(&race, S99_NEVER));
  assert_false(s99_race_is_lost(&race));
  s99_race_failed(&race, 0);
  assert_false(s99_race_due(&race, S99_NEVER));
  assert_true(s99_race_is_lost(&race));
}


static void test_at_once_when_the_newest_failed(void **state) {
  struct s99_race race;
  (void)state;
  s99_race_init(&race, 3, DELAY);
  s99_race_start(&race, 0);
  s99_race_start(&race, DELAY);
  s99_race_failed(&race, 1);
  assert_true(s99_race_due(&race, DELAY + 1));
}


static void test_not_at_once_when_an_older_one_failed(void **state) {
  struct s99_race race;
  (void)state;
  s99_race_init(&race, 3, DELAY);
  s99_race_start(&race, 0);
  s99_race_start(&race, DELAY);
  s99_race_failed(&race, 0);
  assert_false(s99_race_due(&race, DELAY + 1));
  assert_true(s99_race_next(&race) == 2 * DELAY);
}


static void test_a_postponed_attempt_waits_for_another_to_end(void **state) {
  struct s99_race race;
  (void)state;
  s99_race_init(&race, 3, DELAY);
  s99_race_start(&race, 0);
  assert_int_equal(s99_race_start(&race, DELAY), 1);
  s99_race_postpone(&race);
  assert_false(s99_race_due(&race, 100 * DELAY));
  assert_true(s99_race_next(&race) == S99_NEVER);
  assert_false(s99_race_is_lost(&race));
  s99_race_failed(&race, 0);
  assert_true(s99_race_due(&race, DELAY + 1));
  assert_int_equal(s99_race_start(&race, DELAY + 1), 1);
  assert_false(s99_race_due(&race, DELAY + 2));
  s99_race_failed(&race, 1);
  assert_int_equal(s99_race_start(&race, DELAY + 3), 2);
  s99_race_failed(&race, 2);
  assert_true(s99_race_is_lost(&race));
}


static void test_the_earliest_candidate_wins_a_tie(void **state) {
  const struct attempt table[] = {{CONNECTS, 2 * DELAY, 0}, {CONNECTS, DELAY, 0}};
  (void)state;
  assert_int_equal(simulate(table, 2).winner, 0);
}


static void test_a_late_answer_wins_when_the_others_are_worse(void **state) {
  const struct attempt table[] = {{CONNECTS, 900, 0}, {FAILS, 100, 0}, {NEVER, 0, 0}};
  struct events e = simulate(table, 3);
  (void)state;
  assert_int_equal(e.winner, 0);
  assert_true(e.end - e.start[0] == 900);
}


static void test_a_dead_address_costs_one_delay(void **state) {
  const struct attempt table[] = {{NEVER, 0, 0}, {NEVER, 0, 0}, {NEVER, 0, 0}, {CONNECTS, 7, 0}};
  struct events e = simulate(table, 4);
  (void)state;
  assert_int_equal(e.winner, 3);
  assert_true(e.end - e.start[0] == 3 * DELAY + 7);
}


static void test_the_oldest_of_eight_gives_way(void **state) {
  struct attempt table[MOST];
  struct events e;
  size_t i;
  (void)state;
  for (i = 0; i < MOST; i++) {
    table[i].outcome = i == 20 ? CONNECTS : NEVER;
    table[i].takes = 7;
    table[i].blockers = 0;
  }
  e = simulate(table, MOST);
  assert_int_equal(e.winner, 20);
  assert_true(e.end - e.start[0] == 20 * DELAY + 7);
  for (i = 0; i < MOST; i++)
    assert_true(e.gave_way[i] == (i < 13 ? e.start[i] + 8 * DELAY : S99_NEVER));
}


static void test_the_last_eight_have_as_long_as_they_need(void **state) {
  struct attempt table[MOST];
  struct events e;
  size_t i;
  (void)state;
  for (i = 0; i < MOST; i++) {
    table[i].outcome = CONNECTS;
    table[i].takes = 100 * DELAY;
    table[i].blockers = 0;
  }
  e = simulate(table, MOST);
  assert_int_equal(e.winner, MOST - 8);
}


/*
** Interleaving
*/

static struct s99_address address(int family, unsigned int number) {
  struct s99_address made;
  memset(&made, 0, sizeof(made));
  made.addr.sa.sa_family = (sa_family_t)family;
  made.len = number;
  return made;
}


static void interleave_plainly(const struct s99_address *list, size_t count,
                               struct s99_address *out) {
  size_t at[2] = {0, 0}, i, turn = 0;
  int families[2];
  families[0] = list[0].addr.sa.sa_family;
  families[1] = families[0] == AF_INET ? AF_INET6 : AF_INET;
  for (i = 0; i < count; turn = 1 - turn) {
    while (at[turn] < count && list[at[turn]].addr.sa.sa_family != families[turn])
      at[turn]++;
    if (at[turn] < count)
      out[i++] = list[at[turn]++];
  }
}


static void test_families_alternate_each_in_its_own_order(void **state) {
  struct s99_address list[12], expected[12];
  unsigned int which;
  (void)state;
  seed = 6555;
  for (which = 0; which < TABLES; which++) {
    size_t count = 1 + below(12), i;
    for (i = 0; i < count; i++)
      list[i] = address(below(3) == 0 ? AF_INET : AF_INET6, (unsigned int)i);
    interleave_plainly(list, count, expected);
    s99_interleave(list, count);
    for (i = 0; i < count; i++)
      assert_int_equal(list[i].len, expected[i].len);
  }
}


static void test_no_candidates_need_no_interleaving(void **state) {
  (void)state;
  s99_interleave(NULL, 0);
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_tables_keep_the_prescribed_order),
      cmocka_unit_test(test_the_next_starts_one_delay_after_the_newest),
      cmocka_unit_test(test_none_is_due_after_the_last),
      cmocka_unit_test(test_at_once_when_the_newest_failed),
      cmocka_unit_test(test_not_at_once_when_an_older_one_failed),
      cmocka_unit_test(test_a_postponed_attempt_waits_for_another_to_end),
      cmocka_unit_test(test_the_earliest_candidate_wins_a_tie),
      cmocka_unit_test(test_a_late_answer_wins_when_the_others_are_worse),
      cmocka_unit_test(test_a_dead_address_costs_one_delay),
      cmocka_unit_test(test_the_oldest_of_eight_gives_way),
      cmocka_unit_test(test_the_last_eight_have_as_long_as_they_need),
      cmocka_unit_test(test_families_alternate_each_in_its_own_order),
      cmocka_unit_test(test_no_candidates_need_no_interleaving),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
