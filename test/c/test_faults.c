/*
** test_faults.c: any system call of an opening may fail, or be interrupted,
** and the world may change between two of them.
**
** The functions below stand in for the C library's: they note each call,
** fail where a test says so, and do what the test wants to happen meanwhile.
** close() leaves an errno of its own behind, as it may.
*/

/* With it, some of these functions would be defined already, inline. */
#undef _FORTIFY_SOURCE

#include "sockets.h"

#if defined(__GLIBC__)

/* The call to fail (its `nth` one), what with, and what happens ahead of it. */
static struct {
  const char *call;
  int nth, error;
  bool done_all_the_same;
  void (*meanwhile)(void);
} fault;

/* A descriptor that what happens meanwhile has opened, or -1. */
static int live = -1;

static bool noting;
static char notes[512];


/* True where the call is to fail; errno says what with. */
static bool fails(const char *call) {
  if (!noting)
    return false;
  snprintf(notes + strlen(notes), sizeof(notes) - strlen(notes), "%s%s", *notes ? " " : "", call);
  if (fault.call == NULL || strcmp(call, fault.call) != 0 || fault.nth-- != 0)
    return false;
  if (fault.meanwhile != NULL) {
    noting = false;
    fault.meanwhile();
    noting = true;
  }
  errno = fault.error;
  return fault.error != 0;
}


int socket(int family, int type, int protocol) {
  return fails("socket") ? -1 : (int)syscall(SYS_socket, family, type, protocol);
}


int setsockopt(int fd, int level, int option, const void *value, socklen_t length) {
  return fails("setsockopt") ? -1 : (int)syscall(SYS_setsockopt, fd, level, option, value, length);
}


int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t length) {
  return fails("bind") ? -1 : (int)syscall(SYS_bind, fd, address.__sockaddr__, length);
}


int listen(int fd, int backlog) {
  return fails("listen") ? -1 : (int)syscall(SYS_listen, fd, backlog);
}


int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t length) {
  if (!fails("connect"))
    return (int)syscall(SYS_connect, fd, address.__sockaddr__, length);
  if (fault.done_all_the_same) {
    syscall(SYS_connect, fd, address.__sockaddr__, length);
    errno = fault.error;
  }
  return -1;
}


int getsockname(int fd, __SOCKADDR_ARG address, socklen_t *length) {
  return fails("getsockname") ? -1
                              : (int)syscall(SYS_getsockname, fd, address.__sockaddr__, length);
}


int open(const char *path, int flags, ...) {
  va_list arguments;
  mode_t mode;
  va_start(arguments, flags);
  mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return fails("open") ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}


int fchmod(int fd, mode_t mode) {
  return fails("fchmod") ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}


int chmod(const char *path, mode_t mode) {
  return fails("chmod") ? -1 : (int)syscall(SYS_fchmodat, AT_FDCWD, path, mode);
}


int poll(struct pollfd *all, nfds_t count, int timeout) {
  struct timespec wait = {timeout / 1000, timeout % 1000 * 1000000L};
  return fails("poll") ? -1
                       : (int)syscall(SYS_ppoll, all, count, timeout < 0 ? NULL : &wait, NULL, 0);
}


int fcntl(int fd, int command, ...) {
  va_list arguments;
  long argument;
  va_start(arguments, command);
  argument = va_arg(arguments, long);
  va_end(arguments);
  return fails("fcntl") ? -1 : (int)syscall(SYS_fcntl, fd, command, argument);
}


int close(int fd) {
  int status = (int)syscall(SYS_close, fd);
  fails("close");
  errno = EBADF;
  return status;
}


static bool open_noting(const socket99_config *cfg, socket99_result *res) {
  bool ok;
  notes[0] = '\0';
  noting = true;
  ok = socket99_open(cfg, res);
  noting = false;
  memset(&fault, 0, sizeof(fault));
  return ok;
}


static void assert_calls(const socket99_config *cfg, const char *expected) {
  socket99_result res;
  assert_true(open_noting(cfg, &res));
  assert_string_equal(notes, expected);
  assert_int_equal(close(res.fd), 0);
}


static void assert_told(const socket99_config *cfg, enum socket99_status status, int error,
                        const char *expected) {
  int before = descriptors();
  socket99_result res;
  char text[512];
  assert_false(open_noting(cfg, &res));
  socket99_snprintf(text, sizeof(text), &res);
  assert_string_equal(text, expected);
  assert_int_equal(res.status, status);
  assert_int_equal(res.saved_errno, error);
  assert_int_equal(res.fd, -1);
  assert_int_equal(descriptors(), before + (live >= 0));
}


/*
** The plain cases make no call too many
*/

static void test_each_plain_opening_is_a_straight_line_of_calls(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true};
  socket99_config client = {.ipv4 = "127.0.0.1"};
  int listener = opened(&server);
  socket99_option option = {"keepalive", 0, 0, {.kind = SOCKET99_BOOLEAN, .integer = 1}};
  (void)state;
  client.port = own_port(listener);
  assert_calls(&server, "socket setsockopt bind listen");
  if (client.port < S99_FIRST_EPHEMERAL_PORT)
    assert_calls(&client, "socket connect");
  else
    assert_calls(&client, "socket connect getsockname");
  client.datagram = true;
  assert_calls(&client, "socket connect");
  client.options = &option;
  client.option_count = 1;
  assert_calls(&client, "socket setsockopt connect");
  assert_calls(&(socket99_config){.ipv4 = "127.0.0.1", .server = true, .datagram = true},
               "socket bind");
  assert_calls(&(socket99_config){.path = "s", .server = true}, "socket bind listen");
  unlink("s");
  assert_calls(&(socket99_config){.path = "s", .server = true, .nonblocking = true},
               "socket bind listen");
  unlink("s");
  assert_calls(&(socket99_config){.unconnected = true, .nonblocking = true, .inherit = true},
               "socket");
  if (have_ipv6())
    assert_calls(&(socket99_config){.server = true}, "socket setsockopt setsockopt bind listen");
  close(listener);
}


/*
** Failures
*/

static void fail_at(const char *call, int nth, int error) {
  fault.call = call;
  fault.nth = nth;
  fault.error = error;
}


static void test_each_step_of_a_server_may_fail(void **state) {
  socket99_config cfg = {.ipv4 = "127.0.0.1", .server = true};
  (void)state;
  fail_at("socket", 0, EMFILE);
  assert_told(&cfg, SOCKET99_ERROR_SOCKET, EMFILE, "socket 127.0.0.1:0: Too many open files");
  fail_at("setsockopt", 0, EPERM);
  assert_told(&cfg, SOCKET99_ERROR_SETSOCKOPT, EPERM,
              "setsockopt SO_REUSEADDR: Operation not permitted");
  fail_at("bind", 0, EACCES);
  assert_told(&cfg, SOCKET99_ERROR_BIND, EACCES, "bind 127.0.0.1:0: Permission denied");
  fail_at("listen", 0, EADDRINUSE);
  assert_told(&cfg, SOCKET99_ERROR_LISTEN, EADDRINUSE,
              "listen 127.0.0.1:0: Address already in use");
}


static void test_each_step_of_a_client_may_fail(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true};
  socket99_config client = {.ipv4 = "127.0.0.1", .nonblocking = true, .bind_host = "127.0.0.1"};
  char expected[128];
  int listener = opened(&server);
  (void)state;
  client.port = own_port(listener);
  fail_at("bind", 0, EACCES);
  assert_told(&client, SOCKET99_ERROR_BIND, EACCES, "bind 127.0.0.1:0: Permission denied");
  fail_at("connect", 0, ENETUNREACH);
  snprintf(expected, sizeof(expected), "connect 127.0.0.1:%d: Network is unreachable", client.port);
  assert_told(&client, SOCKET99_ERROR_CONNECT, ENETUNREACH, expected);
  fail_at("fcntl", 0, ENOMEM);
  snprintf(expected, sizeof(expected), "fcntl 127.0.0.1:%d: Cannot allocate memory", client.port);
  assert_told(&client, SOCKET99_ERROR_FCNTL, ENOMEM, expected);
  close(listener);
}


static void test_each_step_of_a_unix_server_may_fail_and_leaves_no_file(void **state) {
  static const struct {
    const char *call;
    enum socket99_status status;
    const char *text;
  } steps[] = {
      {"socket", SOCKET99_ERROR_SOCKET, "socket s: Permission denied"},
      {"fchmod", SOCKET99_ERROR_BIND, "bind s: Permission denied"},
      {"bind", SOCKET99_ERROR_BIND, "bind s: Permission denied"},
      {"chmod", SOCKET99_ERROR_BIND, "bind s: Permission denied"},
      {"listen", SOCKET99_ERROR_LISTEN, "listen s: Permission denied"},
  };
  socket99_config cfg = {.path = "s", .server = true, .mode = 0777};
  mode_t mask = umask(077);
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(steps); i++) {
    fail_at(steps[i].call, 0, EACCES);
    assert_told(&cfg, steps[i].status, EACCES, steps[i].text);
    assert_int_equal(access("s", F_OK), -1);
  }
  umask(mask);
}


static void test_a_candidate_that_fails_at_any_step_makes_way_for_the_next(void **state) {
  static const char *const steps[] = {"socket", "connect"};
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true};
  socket99_config client = {.host = NULL};
  int listener = opened(&server);
  socket99_result res;
  size_t i;
  (void)state;
  client.port = own_port(listener);
  for (i = 0; i < COUNT(steps); i++) {
    fail_at(steps[i], 0, EACCES);
    assert_true(open_noting(&client, &res));
    assert_string_equal(own_host(res.fd), "127.0.0.1");
    close(res.fd);
  }
  close(listener);
}


static void test_a_server_on_every_address_does_without_ipv6(void **state) {
  static const struct {
    const char *call;
    int error;
  } lacks[] = {{"socket", EAFNOSUPPORT}, {"bind", EADDRNOTAVAIL}, {"bind", EAFNOSUPPORT}};
  socket99_config cfg = {.server = true};
  socket99_result res;
  size_t i;
  (void)state;
  need_ipv6();
  for (i = 0; i < COUNT(lacks); i++) {
    fail_at(lacks[i].call, 0, lacks[i].error);
    assert_true(open_noting(&cfg, &res));
    assert_int_equal(res.status, SOCKET99_OK);
    assert_string_equal(res.where, "");
    assert_string_equal(own_host(res.fd), "0.0.0.0");
    close(res.fd);
  }
  fail_at("bind", 0, EACCES);
  assert_told(&cfg, SOCKET99_ERROR_BIND, EACCES, "bind [::]:0: Permission denied");
}


static void test_the_error_told_says_more_than_unreachable(void **state) {
  static const int little[] = {ENETUNREACH, EHOSTUNREACH,  ENETDOWN,
                               EHOSTDOWN,   EADDRNOTAVAIL, EAFNOSUPPORT};
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true};
  socket99_config client = {.host = NULL};
  char expected[128];
  socket99_result res;
  size_t i;
  int fd = opened(&server);
  (void)state;
  need_ipv6();
  client.port = own_port(fd);
  close(fd);
  for (i = 0; i < COUNT(little); i++) {
    fail_at("connect", 1, little[i]);
    snprintf(expected, sizeof(expected), "connect [::1]:%d: Connection refused", client.port);
    assert_told(&client, SOCKET99_ERROR_CONNECT, ECONNREFUSED, expected);
    fail_at("connect", 0, little[i]);
    snprintf(expected, sizeof(expected), "connect 127.0.0.1:%d: Connection refused", client.port);
    assert_told(&client, SOCKET99_ERROR_CONNECT, ECONNREFUSED, expected);
  }
  /* Both say as much: the last. */
  fail_at("connect", 0, EACCES);
  assert_told(&client, SOCKET99_ERROR_CONNECT, ECONNREFUSED, expected);
  fail_at("connect", 1, EACCES);
  assert_false(open_noting(&client, &res));
  assert_int_equal(res.saved_errno, EACCES);
}


static void test_a_result_of_the_lookup_tells_its_own_code(void **state) {
  socket99_config cfg = {.ipv4 = "127.0.0.1", .service = "s99-no-such-service"};
  socket99_result res;
  char text[512];
  (void)state;
  assert_false(open_noting(&cfg, &res));
  socket99_snprintf(text, sizeof(text), &res);
  assert_string_equal(text, "getaddrinfo s99-no-such-service: unknown service");
  assert_int_equal(res.saved_errno, 0);
}


/*
** Interruptions
*/

/* It goes on by itself: a second connect would say EALREADY or EISCONN. */
static void test_an_interrupted_tcp_connect_is_waited_for(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true};
  socket99_config client = {.ipv4 = "127.0.0.1"};
  socket99_result res;
  int listener = opened(&server), peer;
  (void)state;
  client.port = own_port(listener);
  fail_at("connect", 0, EINTR);
  fault.done_all_the_same = true;
  assert_true(open_noting(&client, &res));
  assert_null(strstr(strstr(notes, "connect") + 1, "connect"));
  assert_non_null(strstr(notes, "poll"));
  peer = accepted(listener);
  assert_flows(res.fd, peer);
  assert_int_equal(fcntl(res.fd, F_GETFL) & O_NONBLOCK, 0);
  close(peer);
  close(res.fd);
  close(listener);
}


static void test_an_interrupted_unix_connect_is_called_again(void **state) {
  socket99_config server = {.path = "s", .server = true};
  socket99_config client = {.path = "s"};
  int listener = opened(&server);
  (void)state;
  fail_at("connect", 0, EINTR);
  assert_calls(&client, "socket connect connect");
  close(listener);
  unlink("s");
}


static void test_a_connect_that_the_programs_own_limit_ends_has_timed_out(void **state) {
  socket99_config client = {.ipv4 = "127.0.0.1", .port = 9};
  (void)state;
  fail_at("connect", 0, EINPROGRESS);
  assert_told(&client, SOCKET99_ERROR_CONNECT, ETIMEDOUT,
              "connect 127.0.0.1:9: Connection timed out");
}


/*
** Stale files: what happens between two looks
*/

static int bound_at(const char *path) {
  struct s99_address address;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  assert_true(s99_unix(path, strlen(path), &address));
  assert_int_equal(bind(fd, &address.addr.sa, address.len), 0);
  return fd;
}


static void leave_live(void) {
  close(live);
  live = -1;
  unlink("s");
}


static void become_live(void) {
  unlink("s");
  live = bound_at("s");
}


static void become_a_file(void) {
  unlink("s");
  live = open("s", O_CREAT | O_WRONLY, 0600);
}


static void vanish(void) {
  unlink("s");
}


/* Where the look says "refused", the real one has just done so, too. */
static void while_looking(void (*meanwhile)(void)) {
  fail_at("connect", 0, ECONNREFUSED);
  fault.meanwhile = meanwhile;
}


static void test_a_server_that_appears_between_looks_is_left_alone(void **state) {
  socket99_config cfg = {.path = "s", .server = true, .unlink_stale = true};
  struct stat before, after;
  (void)state;
  close(bound_at("s"));
  while_looking(become_live);
  assert_told(&cfg, SOCKET99_ERROR_BIND, EADDRINUSE, "bind s: Address already in use");
  assert_int_equal(fstat(live, &before), 0);
  assert_int_equal(lstat("s", &after), 0);
  assert_true(S_ISSOCK(after.st_mode));
  assert_int_equal(listen(live, 1), 0);
  assert_listens(live, (socket99_config){.path = "s"});
  leave_live();
}


static void test_a_file_that_appears_between_looks_is_left_alone(void **state) {
  socket99_config cfg = {.path = "s", .server = true, .unlink_stale = true};
  struct stat before, after;
  (void)state;
  close(bound_at("s"));
  while_looking(become_a_file);
  assert_told(&cfg, SOCKET99_ERROR_BIND, EADDRINUSE, "bind s: Address already in use");
  assert_int_equal(fstat(live, &before), 0);
  assert_int_equal(lstat("s", &after), 0);
  assert_int_equal(before.st_ino, after.st_ino);
  leave_live();
}


static void test_a_stale_file_that_vanishes_meanwhile_is_no_matter(void **state) {
  socket99_config cfg = {.path = "s", .server = true, .unlink_stale = true};
  socket99_result res;
  (void)state;
  close(bound_at("s"));
  while_looking(vanish);
  assert_true(open_noting(&cfg, &res));
  assert_listens(res.fd, (socket99_config){.path = "s"});
  close(res.fd);
  unlink("s");
}


static void test_a_server_that_binds_first_keeps_the_path(void **state) {
  socket99_config cfg = {.path = "s", .server = true, .unlink_stale = true};
  (void)state;
  close(bound_at("s"));
  fail_at("bind", 0, 0);
  fault.meanwhile = become_live;
  assert_told(&cfg, SOCKET99_ERROR_BIND, EADDRINUSE, "bind s: Address already in use");
  assert_int_equal(listen(live, 1), 0);
  assert_listens(live, (socket99_config){.path = "s"});
  leave_live();
}


/* EPERM, EACCES and the like: no proof that nobody is there. */
static void test_a_look_that_fails_otherwise_leaves_the_file(void **state) {
  static const int errors[] = {EACCES, EPERM, EPROTOTYPE, ENOENT, EAGAIN, ENOBUFS};
  socket99_config cfg = {.path = "s", .server = true, .unlink_stale = true};
  size_t i;
  (void)state;
  close(bound_at("s"));
  for (i = 0; i < COUNT(errors); i++) {
    fail_at("connect", 0, errors[i]);
    assert_told(&cfg, SOCKET99_ERROR_BIND, EADDRINUSE, "bind s: Address already in use");
    assert_int_equal(access("s", F_OK), 0);
  }
  assert_int_equal(unlink("s"), 0);
}


/* The first socket is the server's, the second asks. */
static void test_a_look_that_cannot_be_had_says_why(void **state) {
  socket99_config cfg = {.path = "s", .server = true, .unlink_stale = true};
  (void)state;
  close(bound_at("s"));
  fail_at("socket", 1, EMFILE);
  assert_told(&cfg, SOCKET99_ERROR_SOCKET, EMFILE, "socket s: Too many open files");
  assert_int_equal(unlink("s"), 0);
}


/*
** mode: the file may have been replaced before its bits are set
*/

static void replace_by_a_link(void) {
  unlink("s");
  assert_int_equal(symlink("victim", "s"), 0);
}


static void test_a_link_that_took_the_files_place_is_neither_followed_nor_removed(void **state) {
  socket99_config cfg = {.path = "s", .server = true, .mode = 0666};
  socket99_result res;
  struct stat status;
  int victim = open("victim", O_CREAT | O_WRONLY, 0600);
  mode_t mask = umask(077);
  (void)state;
  assert_true(victim >= 0);
  close(victim);
  fail_at("open", 0, 0);
  fault.meanwhile = replace_by_a_link;
  assert_false(open_noting(&cfg, &res));
  umask(mask);
  assert_int_equal(res.status, SOCKET99_ERROR_BIND);
  assert_int_equal(res.saved_errno, EADDRINUSE);
  assert_int_equal(stat("victim", &status), 0);
  assert_int_equal(status.st_mode & 0777, 0600);
  assert_int_equal(unlink("s"), 0);
  unlink("victim");
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_plain_opening_is_a_straight_line_of_calls),
      cmocka_unit_test(test_each_step_of_a_server_may_fail),
      cmocka_unit_test(test_each_step_of_a_client_may_fail),
      cmocka_unit_test(test_each_step_of_a_unix_server_may_fail_and_leaves_no_file),
      cmocka_unit_test(test_a_candidate_that_fails_at_any_step_makes_way_for_the_next),
      cmocka_unit_test(test_a_server_on_every_address_does_without_ipv6),
      cmocka_unit_test(test_the_error_told_says_more_than_unreachable),
      cmocka_unit_test(test_a_result_of_the_lookup_tells_its_own_code),
      cmocka_unit_test(test_an_interrupted_tcp_connect_is_waited_for),
      cmocka_unit_test(test_an_interrupted_unix_connect_is_called_again),
      cmocka_unit_test(test_a_connect_that_the_programs_own_limit_ends_has_timed_out),
      cmocka_unit_test(test_a_server_that_appears_between_looks_is_left_alone),
      cmocka_unit_test(test_a_file_that_appears_between_looks_is_left_alone),
      cmocka_unit_test(test_a_stale_file_that_vanishes_meanwhile_is_no_matter),
      cmocka_unit_test(test_a_server_that_binds_first_keeps_the_path),
      cmocka_unit_test(test_a_look_that_fails_otherwise_leaves_the_file),
      cmocka_unit_test(test_a_look_that_cannot_be_had_says_why),
      cmocka_unit_test(test_a_link_that_took_the_files_place_is_neither_followed_nor_removed),
  };
  return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}

#else

static void test_the_calls_stood_in_for_are_those_of_glibc(void **state) {
  (void)state;
  print_message("skipped: the calls stood in for are those of glibc\n");
  skip();
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_calls_stood_in_for_are_those_of_glibc),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
