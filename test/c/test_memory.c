/*
** Memory may run out at any allocation of any function of the library: it fails and
** says so, loses no memory and no descriptor, and succeeds when there is memory again.
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
extern void *__libc_realloc(void *block, size_t size);
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


void *realloc(void *block, size_t size) {
  void *moved = fails() ? NULL : __libc_realloc(block, size);
  if (counting && moved != NULL) {
    drop(block);
    hold(moved);
  }
  return moved;
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
  do {
    assert_true(socket99_timeout_ms(opening) >= -1);
    await(socket99_pollfd(opening), POLLIN);
  } while (!socket99_step(opening, res));
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


/* What allocates nothing. */
static bool by_option(const socket99_config *cfg, socket99_result *res) {
  socket99_value value = {.kind = SOCKET99_BOOLEAN, .integer = 1};
  enum socket99_kind kind;
  bool ok = socket99_open(cfg, res) && socket99_option_kind("keepalive", 0, 0, &kind) &&
            socket99_option_set(res->fd, "keepalive", &value) == 0 &&
            socket99_option_get(res->fd, "keepalive", &value, NULL, 0) == 0;
  return ok && strcmp(socket99_option_nearest("keepalife"), "keepalive") == 0;
}


static bool as_text(const socket99_config *cfg, socket99_result *res) {
  struct sockaddr_storage address;
  struct addrinfo hints;
  socklen_t length;
  char text[256];
  memset(res, 0, sizeof(*res));
  res->fd = -1;
  res->status = SOCKET99_ERROR_BIND;
  res->saved_errno = EACCES;
  socket99_set_hints(cfg, &hints);
  return socket99_address_parse("[::1]:80", &address, &length) &&
         socket99_address_text((struct sockaddr *)&address, length, text, sizeof(text)) == 8 &&
         socket99_snprintf(text, sizeof(text), res) > 0 &&
         strcmp(socket99_stage(res->status), "bind") == 0;
}


/* It has a buffer already. */
static FILE *nowhere;

static bool to_stream(const socket99_config *cfg, socket99_result *res) {
  return as_text(cfg, res) && socket99_fprintf(nowhere, res) > 0;
}


static void assert_says_memory(const socket99_result *res) {
  bool looked_up = res->status == SOCKET99_ERROR_GETADDRINFO;
  assert_int_equal(res->fd, -1);
  if (looked_up && res->getaddrinfo_error != EAI_SYSTEM)
    assert_int_equal(res->getaddrinfo_error, EAI_MEMORY);
  else
    assert_int_equal(res->saved_errno, ENOMEM);
}


typedef bool way_of_use(const socket99_config *cfg, socket99_result *res);

static int cases;

/* With the nth allocation failing. The queue of the lookups is made once, and is all
** that stays. */
static bool use(way_of_use *way, const socket99_config *cfg, int failing, socket99_result *res) {
  int patience, before = descriptors(), threads = thread_count();
  bool ok;
  nth = failing;
  failed = false;
  counting = true;
  ok = way(cfg, res);
  counting = false;
  if (ok && res->fd >= 0)
    close(res->fd);
  if (cfg->server && cfg->path != NULL)
    unlink(cfg->path);
  for (patience = 0; patience < 1000 && thread_count() > threads; patience++)
    poll(NULL, 0, 5);
  assert_int_equal(descriptors(), before);
  assert_true(held.count <= 1);
  return ok;
}


/* Fails each allocation in turn, until there are no more; returns how many. */
static int fail_each(way_of_use *way, const socket99_config *cfg) {
  int allocations;
  for (allocations = 0;; allocations++) {
    socket99_result res;
    bool ok = use(way, cfg, allocations, &res);
    if (!failed) {
      assert_true(ok);
      return allocations;
    }
    assert_false(ok);
    assert_says_memory(&res);
    cases++;
    assert_true(use(way, cfg, INT_MAX, &res));
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
  static char buffer[BUFSIZ];
  int listener = opened(&(socket99_config){.ipv4 = "127.0.0.1", .server = true});
  (void)state;
  nowhere = fopen("/dev/null", "w");
  assert_non_null(nowhere);
  setvbuf(nowhere, buffer, _IOFBF, sizeof(buffer));
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
  assert_int_equal(fail_each(by_option, &number), 0);
  assert_int_equal(fail_each(as_text, &number), 0);
  assert_int_equal(fail_each(to_stream, &number), 0);
  print_message("# %d cases\n", cases);
  fclose(nowhere);
  close(listener);
}


/* In which of the ways above each function is called. */
static const struct {
  const char *function;
  way_of_use *way;
} uses[] = {
    {"socket99_address_parse", as_text}, {"socket99_address_text", as_text},
    {"socket99_cancel", in_steps},       {"socket99_fprintf", to_stream},
    {"socket99_open", at_once},          {"socket99_option_get", by_option},
    {"socket99_option_kind", by_option}, {"socket99_option_nearest", by_option},
    {"socket99_option_set", by_option},  {"socket99_pollfd", in_steps},
    {"socket99_resolve", only_resolved}, {"socket99_set_hints", as_text},
    {"socket99_snprintf", as_text},      {"socket99_stage", as_text},
    {"socket99_start", in_steps},        {"socket99_step", in_steps},
    {"socket99_timeout_ms", in_steps},
};


static bool is_used(const char *function) {
  size_t i;
  for (i = 0; i < COUNT(uses); i++) {
    if (strcmp(uses[i].function, function) == 0)
      return true;
  }
  return false;
}


static void test_no_function_of_the_library_is_left_out(void **state) {
  const char *build = getenv("BUILD");
  char command[600], name[256], type;
  size_t found = 0;
  FILE *names;
  (void)state;
  snprintf(command, sizeof(command), "nm -D --defined-only '%s/libsocket99.so' 2>&1",
           build != NULL ? build : "build");
  names = popen(command, "r");
  assert_non_null(names);
  while (fscanf(names, " %*[0-9a-f] %c %255s", &type, name) == 2) {
    if (strncmp(name, "socket99_", 9) != 0)
      continue;
    if (!is_used(name))
      print_error("%s has no scenario\n", name);
    assert_true(is_used(name));
    found++;
  }
  if (pclose(names) != 0) {
    print_message("skipped: nm or the shared library is missing\n");
    skip();
  }
  assert_int_equal(found, COUNT(uses));
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_memory_may_run_out_at_any_allocation),
      cmocka_unit_test(test_no_function_of_the_library_is_left_out),
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
