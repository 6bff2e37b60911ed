/*
** Lookups on threads of their own. The program's own getaddrinfo(3) takes the
** place of the system's: it answers by what the name begins with, and holds
** some names until they are released.
*/

#include "internal.h"
#include "sockets.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#define MOST_AT_ONCE 16
#define MOST_THREADS 256

/* Read and written by threads, and by children of fork(2): no locks. */
static int released_waits, released_stuck;
static int calls, queued_calls, inside, inside_waits, most_waits, lists, asked_by_main;
static int threads_fail;
static pthread_t main_thread;
static sigset_t mask_inside;
static size_t stack_inside;
static int detached_inside;
static int threads_made, loads, same_pid;
static int is_frozen;
static struct timespec frozen_at;
static __thread char thread_local_data[512 * 1024];


static int load(const int *counter) {
  return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}


static int add(int *counter, int number) {
  return __atomic_add_fetch(counter, number, __ATOMIC_SEQ_CST);
}


static void store(int *counter, int number) {
  __atomic_store_n(counter, number, __ATOMIC_SEQ_CST);
}


static void pause_ms(int ms) {
  struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
  while (nanosleep(&left, &left) != 0)
    continue;
}


/*
** The resolver
*/

static bool begins(const char *name, const char *beginning) {
  return strncmp(name, beginning, strlen(beginning)) == 0;
}


static struct addrinfo *one_address(int family, int number, struct addrinfo *next) {
  struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in6));
  struct s99_address address;
  memset(&address, 0, sizeof(address));
  address.addr.sa.sa_family = (sa_family_t)family;
  if (family == AF_INET)
    address.addr.in.sin_addr.s_addr = htonl(0xc0000200U + (unsigned int)number);
  else
    address.addr.in6.sin6_addr.s6_addr[15] = (unsigned char)number;
  info->ai_family = family;
  info->ai_addrlen = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
  info->ai_addr = memcpy(info + 1, &address.addr, info->ai_addrlen);
  info->ai_next = next;
  add(&lists, 1);
  return info;
}


void freeaddrinfo(struct addrinfo *info) {
  while (info != NULL) {
    struct addrinfo *next = info->ai_next;
    free(info);
    add(&lists, -1);
    info = next;
  }
}


static void look_around(void) {
  pthread_attr_t attributes;
  pthread_sigmask(SIG_BLOCK, NULL, &mask_inside);
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstacksize(&attributes, &stack_inside);
  pthread_attr_getdetachstate(&attributes, &detached_inside);
  pthread_attr_destroy(&attributes);
}


static void hold(const int *released) {
  while (load(released) == 0)
    pause_ms(1);
}


static void hold_wait(void) {
  int now = add(&inside_waits, 1), most = load(&most_waits);
  while (now > most && !__atomic_compare_exchange_n(&most_waits, &most, now, false,
                                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    continue;
  hold(&released_waits);
  add(&inside_waits, -1);
}


/* "half": a letter for what is answered of both families, of IPv6 alone and of IPv4 alone.
** s: nothing until released as stuck, w: an address when released as waiting, a: an
** address, r: one that refuses, n: no name, t: the server cannot say, u: nor can it, and
** says so when released as waiting. */
static int answer_half(const char *name, int family, struct addrinfo **found) {
  char letter = name[family == AF_UNSPEC ? 5 : family == AF_INET6 ? 6 : 7];
  if (letter == 's')
    hold(&released_stuck);
  if (letter == 'w' || letter == 'u')
    hold(&released_waits);
  if (letter == 'n' || letter == 's')
    return EAI_NONAME;
  if (letter == 't' || letter == 'u')
    return EAI_AGAIN;
  *found = family == AF_INET6 ? NULL : one_address(AF_INET, 0, NULL);
  if (family != AF_INET6) {
    struct sockaddr_in in;
    memcpy(&in, (*found)->ai_addr, sizeof(in));
    in.sin_addr.s_addr = htonl(letter == 'r' ? 0x7f000002 : INADDR_LOOPBACK);
    memcpy((*found)->ai_addr, &in, sizeof(in));
  }
  if (family != AF_INET)
    *found = one_address(AF_INET6, 1, *found);
  return 0;
}


static int answer(const char *name, int family, struct addrinfo **found) {
  if (begins(name, "half"))
    return answer_half(name, family, found);
  if (begins(name, "wait"))
    hold_wait();
  else if (begins(name, "stuck"))
    hold(&released_stuck);
  else if (begins(name, "look"))
    look_around();
  else if (begins(name, "queued"))
    add(&queued_calls, 1);
  if (begins(name, "system")) {
    errno = EMFILE;
    return EAI_SYSTEM;
  }
  if (begins(name, "unknown"))
    return EAI_NONAME;
  *found = one_address(begins(name, "unix") ? AF_UNIX : AF_INET, 1, NULL);
  if (begins(name, "many"))
    *found = one_address(
        AF_INET6, 2,
        one_address(AF_INET6, 3, one_address(AF_INET, 1, one_address(AF_INET, 4, *found))));
  return 0;
}


int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
  int code;
  thread_local_data[sizeof(thread_local_data) / 2] = 1;
  add(&inside, 1);
  if (pthread_equal(pthread_self(), main_thread))
    add(&asked_by_main, 1);
  code =
      answer(service != NULL && begins(service, "stuck") ? service : name, hints->ai_family, found);
  add(&calls, 1);
  add(&inside, -1);
  return code;
}


int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument) {
  union {
    void *object;
    int (*function)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  } system;
  if (load(&threads_fail) != 0)
    return EAGAIN;
  add(&threads_made, 1);
  system.object = dlsym(RTLD_NEXT, "pthread_create");
  return system.function(thread, attributes, run, argument);
}


void *dlopen(const char *path, int flags) {
  union {
    void *object;
    void *(*function)(const char *, int);
  } system;
  add(&loads, 1);
  system.object = dlsym(RTLD_NEXT, "dlopen");
  return system.function(path, flags);
}


/* As in a PID namespace whose first process makes one for its child. */
pid_t getpid(void) {
  return load(&same_pid) != 0 ? 1 : (pid_t)syscall(SYS_getpid);
}


/* The clock stands still while a test looks at who waits. */
int clock_gettime(clockid_t clock, struct timespec *at) {
  union {
    void *object;
    int (*function)(clockid_t, struct timespec *);
  } system;
  if (load(&is_frozen) != 0 && clock == CLOCK_MONOTONIC) {
    *at = frozen_at;
    return 0;
  }
  system.object = dlsym(RTLD_NEXT, "clock_gettime");
  return system.function(clock, at);
}


static void freeze(void) {
  clock_gettime(CLOCK_MONOTONIC, &frozen_at);
  store(&is_frozen, 1);
}


static void thaw(void) {
  store(&is_frozen, 0);
}


/*
** Surroundings
*/

static bool becomes(const int *counter, int number) {
  int patience;
  for (patience = 0; patience < 5000 && load(counter) != number; patience++)
    pause_ms(1);
  if (load(counter) != number)
    print_error("%d, not %d\n", load(counter), number);
  return load(counter) == number;
}


static int threads_before, descriptors_before;


/* So many since the test began. An emulator has threads of its own, which come and go. */
static bool threads_are(int more) {
  int now = thread_count();
  return emulated() ? now <= threads_before + more : now == threads_before + more;
}


static int begin(void **state) {
  (void)state;
  store(&released_waits, 0);
  store(&released_stuck, 0);
  store(&calls, 0);
  store(&queued_calls, 0);
  store(&most_waits, 0);
  store(&asked_by_main, 0);
  store(&threads_made, 0);
  threads_before = thread_count();
  descriptors_before = descriptors();
  return 0;
}


/* Nothing is left: no thread, no descriptor, no list of addresses. */
static int end(void **state) {
  int patience;
  (void)state;
  thaw();
  store(&same_pid, 0);
  store(&released_waits, 1);
  store(&released_stuck, 1);
  store(&threads_fail, 0);
  for (patience = 0; patience < 5000; patience++) {
    if (threads_are(0) && descriptors() == descriptors_before && load(&lists) == 0)
      return 0;
    pause_ms(1);
  }
  print_error("threads %d, before %d; descriptors %d, before %d; addresses %d\n", thread_count(),
              threads_before, descriptors(), descriptors_before, load(&lists));
  return -1;
}


static struct s99_lookup *asked(const char *name) {
  struct addrinfo hints;
  struct s99_lookup *lookup;
  int error = 0;
  memset(&hints, 0, sizeof(hints));
  lookup = s99_lookup_start(name, "80", &hints, false, &error);
  assert_int_equal(error, 0);
  assert_non_null(lookup);
  return lookup;
}


static void ask(struct s99_lookup **lookups, size_t count, const char *name) {
  size_t i;
  for (i = 0; i < count; i++)
    lookups[i] = asked(name);
}


static void give_up(struct s99_lookup **lookups, size_t count) {
  size_t i;
  for (i = 0; i < count; i++)
    s99_lookup_end(lookups[i]);
}


static void assert_answered(struct s99_lookup *lookup) {
  struct s99_answer answer;
  await(s99_lookup_fd(lookup), POLLIN);
  assert_true(s99_lookup_take(lookup, &answer));
  assert_int_equal(answer.code, 0);
  assert_non_null(answer.found);
  freeaddrinfo(answer.found);
  s99_lookup_end(lookup);
}


static void assert_all_answered(struct s99_lookup **lookups, size_t count) {
  size_t i;
  for (i = 0; i < count; i++)
    assert_answered(lookups[i]);
}


/*
** Threads
*/

/* One thread more waits with them. */
static void test_sixteen_begin_at_once_and_the_rest_wait(void **state) {
  struct s99_lookup *lookups[3 * MOST_AT_ONCE];
  struct s99_answer answer;
  (void)state;
  freeze();
  ask(lookups, COUNT(lookups), "wait");
  assert_true(becomes(&inside, MOST_AT_ONCE));
  pause_ms(20);
  assert_int_equal(load(&inside), MOST_AT_ONCE);
  assert_true(threads_are(MOST_AT_ONCE + 1));
  assert_false(s99_lookup_take(lookups[0], &answer));
  store(&released_waits, 1);
  assert_all_answered(lookups, COUNT(lookups));
  assert_int_equal(load(&calls), COUNT(lookups));
  assert_int_equal(load(&most_waits), MOST_AT_ONCE);
}


static void test_a_queued_lookup_that_is_cancelled_never_runs(void **state) {
  struct s99_lookup *waits[MOST_AT_ONCE], *queued[5], *last;
  (void)state;
  freeze();
  ask(waits, MOST_AT_ONCE, "wait");
  ask(queued, COUNT(queued), "queued");
  s99_lookup_end(queued[2]);
  s99_lookup_end(queued[0]);
  s99_lookup_end(queued[4]);
  s99_lookup_end(queued[1]);
  s99_lookup_end(queued[3]);
  last = asked("later");
  assert_true(becomes(&inside, MOST_AT_ONCE));
  store(&released_waits, 1);
  assert_all_answered(waits, MOST_AT_ONCE);
  assert_answered(last);
  assert_int_equal(load(&queued_calls), 0);
  assert_int_equal(load(&calls), MOST_AT_ONCE + 1);
}


/* The one that is given up makes room for no other that is about to be. */
static void assert_cancels_in_order(size_t first, size_t step) {
  struct s99_lookup *lookups[200];
  size_t i, at = first;
  freeze();
  ask(lookups, COUNT(lookups), "stuck");
  assert_true(becomes(&inside, MOST_AT_ONCE));
  for (i = 0; i < COUNT(lookups); i++) {
    s99_lookup_end(lookups[at]);
    at = (at + step) % COUNT(lookups);
    if (i % 10 == 0)
      pause_ms(1);
  }
  thaw();
  pause_ms(120);
  assert_int_equal(load(&inside), MOST_AT_ONCE);
  assert_int_equal(load(&calls), 0);
  assert_true(load(&threads_made) <= MOST_AT_ONCE + 1);
}


static void test_cancelling_from_the_first_on_begins_none(void **state) {
  (void)state;
  assert_cancels_in_order(0, 1);
}


static void test_cancelling_from_the_last_on_begins_none(void **state) {
  (void)state;
  assert_cancels_in_order(199, 199);
}


static void test_cancelling_here_and_there_begins_none(void **state) {
  (void)state;
  assert_cancels_in_order(7, 77);
}


/* However many others are silent. */
static void test_one_that_has_waited_begins_beside_the_others(void **state) {
  struct s99_lookup *silent[8 * MOST_AT_ONCE];
  (void)state;
  ask(silent, COUNT(silent), "stuck");
  assert_answered(asked("name"));
  assert_true(becomes(&inside, COUNT(silent)));
  assert_answered(asked("name"));
  store(&released_stuck, 1);
  assert_all_answered(silent, COUNT(silent));
}


static void test_those_asked_aside_leave_room_for_the_others(void **state) {
  struct s99_lookup *silent[MOST_THREADS / 2], *more[10], *aside;
  struct addrinfo hints;
  int error;
  (void)state;
  memset(&hints, 0, sizeof(hints));
  ask(silent, COUNT(silent), "stuck");
  assert_true(becomes(&inside, COUNT(silent)));
  aside = s99_lookup_start("queued", "80", &hints, true, &error);
  assert_non_null(aside);
  assert_answered(asked("name"));
  ask(more, COUNT(more), "name");
  assert_all_answered(more, COUNT(more));
  assert_int_equal(load(&queued_calls), 0);
  store(&released_stuck, 1);
  assert_answered(aside);
  assert_all_answered(silent, COUNT(silent));
}


static void test_there_is_a_most_of_all_threads(void **state) {
  struct s99_lookup *silent[MOST_THREADS + 4];
  (void)state;
  ask(silent, COUNT(silent), "stuck");
  assert_true(becomes(&inside, MOST_THREADS));
  pause_ms(250);
  assert_int_equal(load(&inside), MOST_THREADS);
  store(&released_stuck, 1);
  assert_all_answered(silent, COUNT(silent));
}


/* Beyond the most, one begins in the place of an abandoned one. */
static void test_the_abandoned_take_no_place_for_ever(void **state) {
  struct s99_lookup *stuck[MOST_THREADS], *last[3];
  (void)state;
  ask(stuck, COUNT(stuck), "stuck");
  assert_true(becomes(&inside, MOST_THREADS));
  ask(last, COUNT(last), "name");
  pause_ms(120);
  assert_int_equal(load(&calls), 0);
  give_up(stuck, COUNT(stuck));
  assert_all_answered(last, COUNT(last));
  assert_answered(asked("name"));
  assert_int_equal(load(&inside), MOST_THREADS);
}


/* Threads that come back from abandoned lookups do not join in. */
static void test_sixteen_stay_the_most_when_the_abandoned_come_back(void **state) {
  struct s99_lookup *stuck[MOST_AT_ONCE], *waits[3 * MOST_AT_ONCE];
  (void)state;
  ask(stuck, MOST_AT_ONCE, "stuck");
  assert_true(becomes(&inside, MOST_AT_ONCE));
  give_up(stuck, MOST_AT_ONCE);
  freeze();
  ask(waits, COUNT(waits), "wait");
  assert_true(becomes(&inside_waits, MOST_AT_ONCE));
  store(&released_stuck, 1);
  assert_true(becomes(&inside, MOST_AT_ONCE));
  pause_ms(20);
  assert_int_equal(load(&inside_waits), MOST_AT_ONCE);
  store(&released_waits, 1);
  assert_all_answered(waits, COUNT(waits));
  assert_int_equal(load(&most_waits), MOST_AT_ONCE);
}


static void test_a_thread_waits_for_the_next_lookup(void **state) {
  int i;
  (void)state;
  assert_answered(asked("name"));
  freeze();
  assert_answered(asked("name"));
  for (i = 0; i < 20; i++)
    assert_answered(asked("name"));
  assert_true(load(&threads_made) <= 2);
}


static void test_no_signal_reaches_a_lookup(void **state) {
  sigset_t before, after;
  int number;
  (void)state;
  pthread_sigmask(SIG_BLOCK, NULL, &before);
  assert_answered(asked("look"));
  pthread_sigmask(SIG_BLOCK, NULL, &after);
  for (number = 1; number < 32; number++) {
    if (number != SIGKILL && number != SIGSTOP)
      assert_int_equal(sigismember(&mask_inside, number), 1);
    assert_int_equal(sigismember(&after, number), sigismember(&before, number));
  }
}


static void test_threads_are_detached_and_have_more_room_than_others(void **state) {
  pthread_attr_t usual;
  size_t size;
  (void)state;
  assert_int_equal(pthread_attr_init(&usual), 0);
  assert_int_equal(pthread_attr_getstacksize(&usual, &size), 0);
  pthread_attr_destroy(&usual);
  assert_answered(asked("look"));
  assert_int_equal(detached_inside, PTHREAD_CREATE_DETACHED);
  assert_true(stack_inside >= size + (size_t)256 * 1024);
}


/*
** Failures
*/

static void assert_lookup_fails(socket99_config cfg, int error) {
  char text[512], expected[128];
  socket99_result res;
  assert_false(socket99_open(&cfg, &res));
  assert_int_equal(res.status, SOCKET99_ERROR_GETADDRINFO);
  assert_int_equal(res.getaddrinfo_error, EAI_SYSTEM);
  assert_int_equal(res.saved_errno, error);
  assert_int_equal(res.fd, -1);
  socket99_snprintf(text, sizeof(text), &res);
  snprintf(expected, sizeof(expected), "getaddrinfo %s: %s", cfg.host, strerror(error));
  assert_string_equal(text, expected);
}


static void test_without_a_thread_the_lookup_fails_rather_than_blocks(void **state) {
  socket99_config cfg = {.host = "name", .service = "80", .timeout_ms = 5000};
  socket99_opening *opening;
  socket99_result res;
  (void)state;
  store(&threads_fail, 1);
  assert_lookup_fails(cfg, EAGAIN);
  opening = socket99_start(&cfg, &res);
  assert_non_null(opening);
  assert_true(socket99_step(opening, &res));
  assert_int_equal(res.status, SOCKET99_ERROR_GETADDRINFO);
  assert_int_equal(res.getaddrinfo_error, EAI_SYSTEM);
  assert_int_equal(res.saved_errno, EAGAIN);
  socket99_cancel(opening);
  assert_int_equal(load(&calls), 0);
}


static void test_without_a_further_thread_the_lookup_waits_for_one(void **state) {
  struct s99_lookup *first, *second;
  (void)state;
  first = asked("wait");
  assert_true(becomes(&inside, 1));
  store(&threads_fail, 1);
  second = asked("queued");
  pause_ms(10);
  assert_int_equal(load(&queued_calls), 0);
  store(&released_waits, 1);
  assert_answered(first);
  assert_answered(second);
}


static void test_a_system_error_keeps_its_errno(void **state) {
  (void)state;
  assert_lookup_fails((socket99_config){.host = "system", .service = "80"}, EMFILE);
  assert_lookup_fails((socket99_config){.host = "system", .service = "80", .timeout_ms = 5000},
                      EMFILE);
}


static void test_descriptors_run_out(void **state) {
  struct rlimit limit, none;
  socket99_config cfg = {.host = "name", .service = "80", .timeout_ms = 5000};
  (void)state;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  none = limit;
  none.rlim_cur = 0;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  assert_lookup_fails(cfg, EMFILE);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  assert_int_equal(load(&calls), 0);
}


/*
** Openings
*/

static void assert_resolves_to(socket99_config cfg, const char *const *expected, size_t count) {
  struct sockaddr_storage *addresses;
  socket99_result res;
  size_t got, i;
  assert_true(socket99_resolve(&cfg, &res, &addresses, &got));
  assert_int_equal(got, count);
  for (i = 0; i < count; i++) {
    char text[64];
    socket99_address_text((const void *)&addresses[i], sizeof(addresses[i]), text, sizeof(text));
    assert_string_equal(text, expected[i]);
  }
  free(addresses);
}


static void test_only_a_deadline_takes_a_thread(void **state) {
  static const char *const expected[] = {"192.0.2.1:80"};
  (void)state;
  assert_resolves_to((socket99_config){.host = "name", .port = 80}, expected, 1);
  assert_int_equal(load(&asked_by_main), 1);
  assert_resolves_to((socket99_config){.host = "name", .port = 80, .timeout_ms = 5000}, expected,
                     1);
  assert_int_equal(load(&asked_by_main), 1);
  assert_int_equal(load(&calls), 2);
}


static void test_numbers_are_not_looked_up(void **state) {
  static const char *const expected[] = {"192.0.2.7:80"};
  (void)state;
  assert_resolves_to((socket99_config){.host = "192.0.2.7", .port = 80, .timeout_ms = 5000},
                     expected, 1);
  assert_resolves_to((socket99_config){.ipv4 = "192.0.2.7", .service = "80"}, expected, 1);
  assert_int_equal(load(&calls), 0);
}


static void test_each_address_comes_once_in_the_resolvers_order(void **state) {
  static const char *const expected[] = {"[::2]:80", "[::3]:80", "192.0.2.1:80", "192.0.2.4:80"};
  (void)state;
  assert_resolves_to((socket99_config){.host = "many", .port = 80}, expected, 4);
  assert_resolves_to((socket99_config){.host = "many", .port = 80, .timeout_ms = 5000}, expected,
                     4);
}


static void test_an_answer_of_no_use_is_no_name(void **state) {
  struct sockaddr_storage *addresses;
  socket99_config cfg = {.host = "unix", .port = 80, .timeout_ms = 5000};
  socket99_result res;
  size_t count;
  (void)state;
  assert_false(socket99_resolve(&cfg, &res, &addresses, &count));
  assert_int_equal(res.status, SOCKET99_ERROR_GETADDRINFO);
  assert_int_equal(res.getaddrinfo_error, EAI_NONAME);
}


static void assert_deadline_holds(socket99_config cfg) {
  char text[512];
  socket99_result res;
  int64_t begun = s99_now(), took;
  assert_false(socket99_open(&cfg, &res));
  took = (s99_now() - begun) / S99_MILLISECOND;
  assert_true(took >= 100 && took < 2000);
  assert_int_equal(res.status, SOCKET99_ERROR_TIMEOUT);
  assert_int_equal(res.saved_errno, ETIMEDOUT);
  socket99_snprintf(text, sizeof(text), &res);
  assert_string_equal(text, told("getaddrinfo stuck", ETIMEDOUT));
}


static void test_the_deadline_holds_in_a_lookup(void **state) {
  (void)state;
  assert_deadline_holds((socket99_config){.host = "stuck", .port = 80, .timeout_ms = 100});
  assert_deadline_holds((socket99_config){.service = "stuck", .server = true, .timeout_ms = 100});
}


/* A server's lookup counts, too, and so does the time in the queue. */
static void test_the_deadline_holds_in_the_queue(void **state) {
  struct s99_lookup *waits[MOST_AT_ONCE];
  socket99_config cfg = {.host = "stuck", .port = 80, .server = true, .timeout_ms = 50};
  socket99_result res;
  (void)state;
  ask(waits, MOST_AT_ONCE, "wait");
  assert_true(becomes(&inside, MOST_AT_ONCE));
  assert_false(socket99_open(&cfg, &res));
  assert_int_equal(res.status, SOCKET99_ERROR_TIMEOUT);
  store(&released_waits, 1);
  assert_all_answered(waits, MOST_AT_ONCE);
}


static void test_an_opening_steps_through_a_lookup(void **state) {
  socket99_config cfg = {.host = "wait", .port = 80, .datagram = true};
  socket99_opening *opening;
  socket99_result res;
  (void)state;
  freeze();
  opening = socket99_start(&cfg, &res);
  assert_non_null(opening);
  assert_false(socket99_step(opening, &res));
  assert_int_equal(socket99_timeout_ms(opening), 250);
  assert_true(becomes(&inside, 1));
  assert_false(socket99_step(opening, &res));
  store(&released_waits, 1);
  await(socket99_pollfd(opening), POLLIN);
  assert_true(socket99_step(opening, &res));
  if (res.status == SOCKET99_OK)
    close(res.fd);
  else
    assert_int_equal(res.status, SOCKET99_ERROR_CONNECT);
  socket99_cancel(opening);
  assert_int_equal(load(&asked_by_main), 0);
}


/*
** A resolver that answers half
*/

static socket99_config half(const char *name, int port) {
  socket99_config cfg = {.host = (char *)name, .port = port};
  cfg.attempt_delay_ms = 10;
  cfg.timeout_ms = 10000;
  return cfg;
}


/* In steps, without a deadline; what waits is released when there is nothing else to do. */
static bool opens_in_steps(socket99_config cfg, socket99_result *res) {
  socket99_opening *opening;
  bool ended = false;
  cfg.timeout_ms = 0;
  opening = socket99_start(&cfg, res);
  assert_non_null(opening);
  while (!ended) {
    struct pollfd ready = {.fd = socket99_pollfd(opening), .events = POLLIN};
    if (poll(&ready, 1, 200) == 0)
      store(&released_waits, 1);
    ended = socket99_step(opening, res);
  }
  socket99_cancel(opening);
  return res->status == SOCKET99_OK;
}


static void assert_connected_to(int fd, int listener) {
  struct s99_address peer;
  peer_address(fd, &peer);
  assert_int_equal(ntohs(peer.addr.in.sin_port), own_port(listener));
  close(fd);
}


static int listener_v4(void) {
  return opened(&(socket99_config){.ipv4 = "127.0.0.1", .server = true});
}


static void test_half_an_answer_is_enough_for_a_client(void **state) {
  static const char *const names[] = {"half ssa", "half sna", "half sta", "half saa"};
  int listener = listener_v4();
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(names); i++) {
    socket99_config cfg = half(names[i], own_port(listener));
    socket99_result res;
    assert_connected_to(opened(&cfg), listener);
    assert_true(opens_in_steps(cfg, &res));
    assert_connected_to(res.fd, listener);
  }
  close(listener);
}


/* The address that came first refuses. */
static void test_what_comes_later_joins_the_race(void **state) {
  static const char *const names[] = {"half saw", "half wsr", "half wtr", "half usw"};
  int listener = listener_v4();
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(names); i++) {
    socket99_result res;
    store(&released_waits, 0);
    assert_true(opens_in_steps(half(names[i], own_port(listener)), &res));
    assert_connected_to(res.fd, listener);
  }
  close(listener);
}


static void test_a_server_and_a_datagram_client_take_half(void **state) {
  socket99_config server = half("half ssa", 0), client = half("half ssa", 9);
  socket99_result res;
  (void)state;
  server.server = true;
  client.datagram = true;
  close(opened(&server));
  close(opened(&client));
  assert_true(opens_in_steps(server, &res));
  close(res.fd);
  assert_true(opens_in_steps(client, &res));
  close(res.fd);
}


static void test_half_an_answer_is_resolved(void **state) {
  static const char *const inet[] = {"127.0.0.1:80"}, *const inet6[] = {"[::1]:80"};
  static const char *const both[] = {"[::1]:80", "127.0.0.1:80"};
  (void)state;
  assert_resolves_to(half("half ssa", 80), inet, 1);
  assert_resolves_to(half("half sas", 80), inet6, 1);
  assert_resolves_to(half("half sna", 80), inet, 1);
  assert_resolves_to(half("half ass", 80), both, 2);
}


static void test_a_local_address_waits_for_its_family(void **state) {
  socket99_config cfg = half("half saw", 0);
  int listener = listener_v4();
  socket99_result res;
  (void)state;
  cfg.port = own_port(listener);
  cfg.bind_host = "127.0.0.1";
  assert_true(opens_in_steps(cfg, &res));
  assert_connected_to(res.fd, listener);
  close(listener);
}


static void assert_half_fails(const char *name, enum socket99_status status, int code, int error) {
  socket99_config cfg = half(name, 1);
  socket99_result res;
  cfg.timeout_ms = 300;
  assert_false(socket99_open(&cfg, &res));
  assert_int_equal(res.status, status);
  assert_int_equal(res.getaddrinfo_error, code);
  if (error != 0)
    assert_int_equal(res.saved_errno, error);
}


static void test_the_lookup_of_both_families_tells_the_failure(void **state) {
  (void)state;
  assert_half_fails("half tnn", SOCKET99_ERROR_GETADDRINFO, EAI_AGAIN, 0);
  assert_half_fails("half nss", SOCKET99_ERROR_GETADDRINFO, EAI_NONAME, 0);
  assert_half_fails("half naa", SOCKET99_ERROR_GETADDRINFO, EAI_NONAME, 0);
  assert_half_fails("half sss", SOCKET99_ERROR_TIMEOUT, 0, ETIMEDOUT);
  assert_half_fails("half snn", SOCKET99_ERROR_TIMEOUT, 0, ETIMEDOUT);
}


static void test_a_refusal_is_told_when_nothing_else_came(void **state) {
  (void)state;
  assert_half_fails("half ssr", SOCKET99_ERROR_CONNECT, 0, ECONNREFUSED);
  assert_half_fails("half snr", SOCKET99_ERROR_CONNECT, 0, ECONNREFUSED);
}


static void test_one_family_is_asked_once(void **state) {
  static const char *const inet[] = {"127.0.0.1:80"};
  socket99_config cfg = half("half aaw", 80);
  (void)state;
  cfg.family = AF_INET;
  cfg.timeout_ms = 100;
  assert_false(opens_in_steps((socket99_config){.host = "half nnn", .port = 80, .family = AF_INET},
                              &(socket99_result){0}));
  assert_int_equal(load(&calls), 1);
  store(&released_waits, 1);
  assert_resolves_to(cfg, inet, 1);
  assert_int_equal(load(&calls), 2);
}


/*
** Processes
*/

/* The sanitizers' own locks may be held by threads that the child lacks, and the
** emulator's, too: the child waits for ever, within qemu. */
static void need_fork_amid_threads(bool threads_are_busy) {
#if defined(__SANITIZE_THREAD__)
  bool harmful = true;
#elif defined(__SANITIZE_ADDRESS__)
  bool harmful = threads_are_busy;
#else
  bool harmful = emulated();
#endif
  (void)threads_are_busy;
  if (!harmful)
    return;
  print_message("skipped: a sanitized or emulated program cannot fork here\n");
  skip();
}


/* In a child: 0 if a lookup of its own is answered. */
static int look_up_in_child(void) {
  struct sockaddr_storage *addresses;
  socket99_config cfg = {.host = "name", .port = 80, .timeout_ms = 5000};
  socket99_result res;
  size_t count;
  alarm(10);
  if (!socket99_resolve(&cfg, &res, &addresses, &count)) {
    socket99_fprintf(stderr, &res);
    return 1;
  }
  free(addresses);
  return count == 1 ? 0 : 2;
}


/* By way of exec, so that no checker looks for what threads left behind that
** the child has not. */
static void leave_child(int status) {
  execlp(status == 0 ? "true" : "false", "child", (char *)NULL);
  _exit(127);
}


static void assert_succeeded(pid_t child) {
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}


static void test_a_child_looks_up_while_its_parents_lookups_are_in_flight(void **state) {
  struct s99_lookup *lookups[MOST_AT_ONCE + 4];
  pid_t child;
  (void)state;
  need_fork_amid_threads(false);
  ask(lookups, COUNT(lookups), "wait");
  assert_true(becomes(&inside, MOST_AT_ONCE));
  child = fork();
  if (child == 0) {
    int status;
    give_up(lookups, COUNT(lookups));
    status = look_up_in_child();
    leave_child(status != 0 ? status : descriptors() != descriptors_before);
  }
  assert_succeeded(child);
  store(&released_waits, 1);
  assert_all_answered(lookups, COUNT(lookups));
}


/* Some of these forks happen while a thread holds the lock. */
static void test_forks_amid_lookups_harm_neither_side(void **state) {
  int i;
  (void)state;
  need_fork_amid_threads(true);
  for (i = 0; i < 100; i++) {
    struct s99_lookup *lookups[8];
    pid_t child;
    ask(lookups, COUNT(lookups), "name");
    child = fork();
    if (child == 0)
      leave_child(look_up_in_child());
    assert_all_answered(lookups, COUNT(lookups));
    assert_succeeded(child);
  }
}


/* An object that is unloaded amid lookups is kept when it is loaded: not now. */
static void test_no_lookup_loads_anything(void **state) {
  int before = load(&loads);
  pid_t child;
  (void)state;
  need_fork_amid_threads(false);
  child = fork();
  if (child == 0) {
    int status = look_up_in_child();
    leave_child(status != 0 ? status : load(&loads) != before);
  }
  assert_succeeded(child);
  assert_answered(asked("name"));
  assert_int_equal(load(&loads), before);
}


/* Where each is the first process of a PID namespace of its own. */
static void test_a_child_with_the_same_number_is_another_process(void **state) {
  static struct s99_lookup *lookups[MOST_AT_ONCE + 4];
  socket99_config cfg = {.host = "wait", .port = 80};
  socket99_opening *opening;
  socket99_result res;
  pid_t child;
  (void)state;
  need_fork_amid_threads(false);
  store(&same_pid, 1);
  ask(lookups, COUNT(lookups), "wait");
  opening = socket99_start(&cfg, &res);
  assert_non_null(opening);
  assert_false(socket99_step(opening, &res));
  assert_true(becomes(&inside, MOST_AT_ONCE));
  child = fork();
  if (child == 0) {
    int status = look_up_in_child();
    if (!socket99_step(opening, &res) || res.saved_errno != EPERM ||
        strcmp(res.where, "opening of process 1") != 0)
      status = 3;
    give_up(lookups, COUNT(lookups));
    socket99_cancel(opening);
    leave_child(status != 0 ? status : descriptors() != descriptors_before);
  }
  assert_succeeded(child);
  assert_false(socket99_step(opening, &res));
  store(&released_waits, 1);
  assert_all_answered(lookups, COUNT(lookups));
  socket99_cancel(opening);
}


/*
** At random
*/

static unsigned int below(unsigned int limit) {
  static unsigned int seed = 99;
  seed = seed * 1664525U + 1013904223U;
  return (seed >> 8) % limit;
}


static void test_nothing_is_lost_when_lookups_end_at_any_moment(void **state) {
  static const char *const names[] = {"name", "many", "unknown", "system", "queued"};
  struct s99_lookup *lookups[40];
  size_t i;
  int round;
  (void)state;
  memset(lookups, 0, sizeof(lookups));
  for (round = 0; round < 5000; round++) {
    struct s99_answer answer;
    i = below(COUNT(lookups));
    if (lookups[i] == NULL) {
      lookups[i] = asked(names[below(COUNT(names))]);
      continue;
    }
    if (below(2) == 0 && s99_lookup_take(lookups[i], &answer) && answer.code == 0)
      freeaddrinfo(answer.found);
    s99_lookup_end(lookups[i]);
    lookups[i] = NULL;
  }
  for (i = 0; i < COUNT(lookups); i++) {
    if (lookups[i] != NULL)
      s99_lookup_end(lookups[i]);
  }
}


#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void *do_nothing(void *argument) {
  return argument;
}


/* ThreadSanitizer has a thread of its own, from the first one on. */
static int start_the_checkers_thread(void **state) {
  pthread_t thread;
  (void)state;
  return pthread_create(&thread, NULL, do_nothing, NULL) != 0 || pthread_join(thread, NULL) != 0;
}


int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_sixteen_begin_at_once_and_the_rest_wait),
      TEST(test_a_queued_lookup_that_is_cancelled_never_runs),
      TEST(test_cancelling_from_the_first_on_begins_none),
      TEST(test_cancelling_from_the_last_on_begins_none),
      TEST(test_cancelling_here_and_there_begins_none),
      TEST(test_one_that_has_waited_begins_beside_the_others),
      TEST(test_those_asked_aside_leave_room_for_the_others),
      TEST(test_there_is_a_most_of_all_threads),
      TEST(test_the_abandoned_take_no_place_for_ever),
      TEST(test_sixteen_stay_the_most_when_the_abandoned_come_back),
      TEST(test_a_thread_waits_for_the_next_lookup),
      TEST(test_no_signal_reaches_a_lookup),
      TEST(test_threads_are_detached_and_have_more_room_than_others),
      TEST(test_without_a_thread_the_lookup_fails_rather_than_blocks),
      TEST(test_without_a_further_thread_the_lookup_waits_for_one),
      TEST(test_a_system_error_keeps_its_errno),
      TEST(test_descriptors_run_out),
      TEST(test_only_a_deadline_takes_a_thread),
      TEST(test_numbers_are_not_looked_up),
      TEST(test_each_address_comes_once_in_the_resolvers_order),
      TEST(test_an_answer_of_no_use_is_no_name),
      TEST(test_the_deadline_holds_in_a_lookup),
      TEST(test_the_deadline_holds_in_the_queue),
      TEST(test_an_opening_steps_through_a_lookup),
      TEST(test_half_an_answer_is_enough_for_a_client),
      TEST(test_what_comes_later_joins_the_race),
      TEST(test_a_server_and_a_datagram_client_take_half),
      TEST(test_half_an_answer_is_resolved),
      TEST(test_a_local_address_waits_for_its_family),
      TEST(test_the_lookup_of_both_families_tells_the_failure),
      TEST(test_a_refusal_is_told_when_nothing_else_came),
      TEST(test_one_family_is_asked_once),
      TEST(test_a_child_looks_up_while_its_parents_lookups_are_in_flight),
      TEST(test_forks_amid_lookups_harm_neither_side),
      TEST(test_no_lookup_loads_anything),
      TEST(test_a_child_with_the_same_number_is_another_process),
      TEST(test_nothing_is_lost_when_lookups_end_at_any_moment),
  };
  main_thread = pthread_self();
  return cmocka_run_group_tests(tests, start_the_checkers_thread, NULL);
}
