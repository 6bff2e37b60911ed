/*
** Memory may run out at any allocation of an opening: it fails and says so,
** and loses no memory and no descriptor.
**
** The functions below stand in for the C library's: they count the blocks
** that the library holds, and fail where a test says so. What the C library
** allocates for itself, for a thread say, is not ours to count.
*/

#include "sockets.h"

#include <dlfcn.h>
#include <pthread.h>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void __libc_free(void *block);

/* Counting, in this thread; the allocation to fail, and whether one did. */
static __thread bool counting;
static int nth;
static bool failed;

/* The blocks of the library that live. */
static struct {
  void *block[256];
  size_t count;
} held;

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;


static void hold(void *block) {
  pthread_mutex_lock(&held_lock);
  assert_true(held.count < COUNT(held.block));
  held.block[held.count++] = block;
  pthread_mutex_unlock(&held_lock);
}


static void drop(const void *block) {
  size_t i;
  pthread_mutex_lock(&held_lock);
  for (i = 0; i < held.count; i++) {
    if (held.block[i] == block)
      held.block[i] = held.block[--held.count];
  }
  pthread_mutex_unlock(&held_lock);
}


static bool fails(void) {
  if (!counting || nth-- != 0)
    return false;
  failed = true;
  errno = ENOMEM;
  return true;
}


void *malloc(size_t size) {
  void *block = fails() ? NULL : __libc_malloc(size);
  if (counting && block != NULL)
    hold(block);
  return block;
}


void *calloc(size_t count, size_t size) {
  void *block = fails() ? NULL : __libc_calloc(count, size);
  if (counting && block != NULL)
    hold(block);
  return block;
}


void free(void *block) {
  if (block != NULL)
    drop(block);
  __libc_free(block);
}


/*
** The resolver: three addresses, the last of which has a listener
*/

static struct addrinfo *found_before(struct addrinfo *next, const char *host, const char *port) {
  struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in));
  struct sockaddr_in *in;
  if (info == NULL)
    return NULL;
  in = (struct sockaddr_in *)(info + 1);
  in->sin_family = AF_INET;
  in->sin_port = htons((uint16_t)strtol(port, NULL, 10));
  inet_pton(AF_INET, host, &in->sin_addr);
  info->ai_family = AF_INET;
  info->ai_addrlen = sizeof(*in);
  info->ai_addr = (struct sockaddr *)in;
  info->ai_next = next;
  return info;
}


void freeaddrinfo(struct addrinfo *info) {
  while (info != NULL) {
    struct addrinfo *next = info->ai_next;
    free(info);
    info = next;
  }
}


int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
  static const char *const hosts[] = {"127.0.0.1", "127.0.0.7", "127.0.0.8"};
  size_t i;
  (void)name;
  (void)hints;
  *found = NULL;
  for (i = 0; i < COUNT(hosts); i++) {
    struct addrinfo *info = found_before(*found, hosts[i], service != NULL ? service : "0");
    if (info == NULL) {
      freeaddrinfo(*found);
      return EAI_MEMORY;
    }
    *found = info;
  }
  return 0;
}


/* Threads are made with memory of the C library's own, and count by themselves. */
struct errand {
  void *(*run)(void *);
  void *argument;
};

static void *run_counting(void *argument) {
  struct errand errand = *(struct errand *)argument;
  __libc_free(argument);
  counting = true;
  return errand.run(errand.argument);
}


int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument) {
  union {
    void *object;
    int (*function)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  } system;
  struct errand *errand = __libc_malloc(sizeof(*errand));
  bool before = counting;
  int error;
  counting = false;
  system.object = dlsym(RTLD_NEXT, "pthread_create");
  errand->run = run;
  errand->argument = argument;
  error = system.function(thread, attributes, run_counting, errand);
  counting = before;
  return error;
}


/*
** Openings
*/

static bool at_once(const socket99_config *cfg, socket99_result *res) {
  return socket99_open(cfg, res);
}


static bool in_steps(const socket99_config *cfg, socket99_result *res) {
  socket99_opening *opening = socket99_start(cfg, res);
  if (opening == NULL)
    return false;
  do
    await(socket99_pollfd(opening), POLLIN);
  while (!socket99_step(opening, res));
  socket99_cancel(opening);
  return res->status == SOCKET99_OK;
}


static bool only_resolved(const socket99_config *cfg, socket99_result *res) {
  struct sockaddr_storage *addresses;
  size_t count;
  bool ok = socket99_resolve(cfg, res, &addresses, &count);
  free(addresses);
  return ok;
}


static void assert_says_memory(const socket99_result *res) {
  bool looked_up = res->status == SOCKET99_ERROR_GETADDRINFO;
  assert_int_equal(res->fd, -1);
  if (looked_up && res->getaddrinfo_error != EAI_SYSTEM)
    assert_int_equal(res->getaddrinfo_error, EAI_MEMORY);
  else
    assert_int_equal(res->saved_errno, ENOMEM);
}


/* Fails each allocation in turn, until there are no more; returns how many. The
** queue of the lookups is made once, and is all that stays. */
static int fail_each(bool (*way)(const socket99_config *, socket99_result *),
                     const socket99_config *cfg) {
  int allocations, before = descriptors(), threads = thread_count();
  for (allocations = 0;; allocations++) {
    socket99_result res;
    int patience;
    bool ok;
    nth = allocations;
    failed = false;
    counting = true;
    ok = way(cfg, &res);
    counting = false;
    if (ok && res.fd >= 0)
      close(res.fd);
    if (cfg->server && cfg->path != NULL)
      unlink(cfg->path);
    for (patience = 0; patience < 1000 && thread_count() > threads; patience++)
      poll(NULL, 0, 5);
    assert_int_equal(descriptors(), before);
    assert_true(held.count <= 1);
    if (!failed) {
      assert_true(ok);
      return allocations;
    }
    assert_false(ok);
    assert_says_memory(&res);
  }
}


static void test_memory_may_run_out_at_any_allocation(void **state) {
  int on = 1;
  socket99_option options[] = {
      {"keepalive", 0, 0, {.kind = SOCKET99_BOOLEAN, .integer = 1}},
      {NULL, SOL_SOCKET, SO_RCVBUF, {.kind = SOCKET99_BYTES, .bytes = &on, .length = sizeof(on)}},
  };
  socket99_config name = {.host = "name", .options = options, .option_count = COUNT(options)};
  socket99_config timed, server = {.host = "name", .server = true};
  socket99_config path = {.path = "s", .server = true, .mode = 0600, .unlink_stale = true};
  socket99_config number = {.ipv4 = "127.0.0.1"};
  char port[16];
  int listener = opened(&(socket99_config){.ipv4 = "127.0.0.1", .server = true});
  (void)state;
  snprintf(port, sizeof(port), "%d", number.port = name.port = own_port(listener));
  timed = name;
  timed.timeout_ms = 60000;

  /* The plain cases allocate nothing. */
  assert_int_equal(fail_each(at_once, &number), 0);
  assert_int_equal(fail_each(at_once, &path), 0);
  assert_true(fail_each(at_once, &name) > 3);
  assert_true(fail_each(at_once, &timed) > 4);
  assert_true(fail_each(at_once, &server) > 3);
  assert_true(fail_each(only_resolved, &name) > 4);
  assert_true(fail_each(only_resolved, &timed) > 5);
  assert_int_equal(fail_each(in_steps, &path), 2);
  assert_true(fail_each(in_steps, &number) > 2);
  assert_true(fail_each(in_steps, &name) > 6);
  assert_true(fail_each(in_steps, &server) > 6);
  close(listener);
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_memory_may_run_out_at_any_allocation),
  };
  return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}

#else

static void test_the_functions_stood_in_for_are_those_of_glibc(void **state) {
  (void)state;
  print_message("skipped: the functions stood in for are glibc's, or a sanitizer's own\n");
  skip();
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_functions_stood_in_for_are_those_of_glibc),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
