/*
** test_unix.c: the files of Unix servers: their permissions, and which of
** those that are in the way are removed.
*/

#include "sockets.h"

#include <dirent.h>


static unsigned int mode_of(const char *path) {
  struct stat status;
  assert_int_equal(lstat(path, &status), 0);
  assert_true(S_ISSOCK(status.st_mode));
  return status.st_mode & 07777;
}


/* Bound by the system's own calls; listening where `backlog` is not negative. */
static int bound(const char *path, int type, int backlog) {
  struct s99_address address;
  int fd = socket(AF_UNIX, type, 0);
  assert_true(fd >= 0);
  assert_true(s99_unix(path, strlen(path), &address));
  if (bind(fd, &address.addr.sa, address.len) != 0) {
    print_error("bind %s: %s\n", path, strerror(errno));
    fail();
  }
  if (backlog >= 0)
    assert_int_equal(listen(fd, backlog), 0);
  return fd;
}


static void make_stale(const char *path, int type) {
  close(bound(path, type, -1));
}


static ino_t inode_of(const char *path) {
  struct stat status;
  assert_int_equal(lstat(path, &status), 0);
  return status.st_ino;
}


/* `name` is all there is in the directory; "": nothing is. */
static void assert_nothing_but(const char *name) {
  DIR *all = opendir(".");
  struct dirent *each;
  assert_non_null(all);
  while ((each = readdir(all)) != NULL) {
    if (strcmp(each->d_name, ".") != 0 && strcmp(each->d_name, "..") != 0)
      assert_string_equal(each->d_name, name);
  }
  closedir(all);
}


/*
** Permissions
*/

static const unsigned int modes[] = {
    0777, 0666, 0660, 0600, 0700, 0222, 0007, 0001, S_IFSOCK | 0640, S_IFSOCK};


static void test_a_file_has_exactly_the_mode_asked_for(void **state) {
  static const mode_t masks[] = {0, 022, 077, 0777};
  socket99_config cfg = {.path = "s", .server = true};
  mode_t mask = umask(0);
  size_t i, j;
  int kind, fd;
  (void)state;
  for (i = 0; i < COUNT(masks); i++) {
    umask(masks[i]);
    for (j = 0; j < COUNT(modes); j++) {
      for (kind = 0; kind < 3; kind++) {
        cfg.mode = modes[j];
        cfg.datagram = kind == 1;
        cfg.seqpacket = kind == 2;
        fd = opened(&cfg);
        assert_int_equal(mode_of("s"), modes[j] & 0777);
        close(fd);
        unlink("s");
      }
    }
  }
  umask(mask);
}


static void test_a_file_without_a_mode_goes_by_the_umask(void **state) {
  socket99_config cfg = {.path = "s", .server = true};
  mode_t mask = umask(027);
  int fd = opened(&cfg);
  (void)state;
  umask(mask);
  assert_int_equal(mode_of("s"), 0750);
  close(fd);
  unlink("s");
}


static void test_the_umask_is_left_alone(void **state) {
  socket99_config cfg = {.path = "s", .server = true, .mode = 0660};
  mode_t mask = umask(031);
  int fd = opened(&cfg);
  (void)state;
  assert_int_equal(umask(mask), 031);
  close(fd);
  unlink("s");
}


static void test_a_mode_goes_to_no_file_that_was_there(void **state) {
  socket99_config cfg = {.path = "s", .server = true, .mode = 0777};
  int fd = bound("s", SOCK_STREAM, 1);
  (void)state;
  assert_int_equal(chmod("s", 0600), 0);
  failure(&cfg, SOCKET99_ERROR_BIND, EADDRINUSE);
  assert_int_equal(mode_of("s"), 0600);
  close(fd);
  unlink("s");
}


/*
** Files in the way
*/

static void test_a_stale_file_is_in_the_way_unless_asked_otherwise(void **state) {
  socket99_config cfg = {.path = "s", .server = true};
  (void)state;
  make_stale("s", SOCK_STREAM);
  assert_string_equal(failure(&cfg, SOCKET99_ERROR_BIND, EADDRINUSE), told("bind s", EADDRINUSE));
  assert_int_equal(unlink("s"), 0);
}


static void test_a_stale_file_is_replaced(void **state) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  static const char *const paths[] = {"s", "a-longer-name.sock", "./x"};
  char path[64];
  size_t i, j;
  (void)state;
  for (i = 0; i < COUNT(types); i++) {
    for (j = 0; j < COUNT(paths); j++) {
      socket99_config cfg = {.path = path, .server = true, .unlink_stale = true, .mode = 0600};
      int fd;
      snprintf(path, sizeof(path), "%s", paths[j]);
      make_stale(path, types[i]);
      fd = opened(&cfg);
      assert_listens(fd, (socket99_config){.path = path});
      assert_nothing_but(path[0] == '.' ? path + 2 : path);
      close(fd);
      unlink(path);
    }
  }
}


static void test_a_stale_file_of_the_longest_path_is_replaced(void **state) {
  char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
  socket99_config cfg = {.path = path, .server = true, .unlink_stale = true};
  (void)state;
  memset(path, 'p', sizeof(path));
  path[sizeof(path) - 1] = '\0';
  make_stale(path, SOCK_STREAM);
  close(opened(&cfg));
  assert_int_equal(unlink(path), 0);
  assert_nothing_but("");
}


static void test_without_a_file_there_is_nothing_to_replace(void **state) {
  socket99_config cfg = {.path = "s", .server = true, .unlink_stale = true};
  int fd = opened(&cfg);
  (void)state;
  assert_listens(fd, (socket99_config){.path = "s"});
  close(fd);
  unlink("s");
}


static void assert_left_alone(const char *path) {
  char name[64];
  socket99_config cfg = {.path = name, .server = true, .unlink_stale = true};
  ino_t before = inode_of(path);
  snprintf(name, sizeof(name), "%s", path);
  failure(&cfg, SOCKET99_ERROR_BIND, EADDRINUSE);
  cfg.datagram = true;
  failure(&cfg, SOCKET99_ERROR_BIND, EADDRINUSE);
  assert_int_equal(inode_of(path), before);
  assert_nothing_but(path);
}


static void test_a_live_server_is_left_alone(void **state) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  struct pollfd poller = {-1, POLLIN, 0};
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(types); i++) {
    poller.fd = bound("s", types[i], types[i] == SOCK_DGRAM ? -1 : 5);
    assert_left_alone("s");
    /* No phantom of a connection, either. */
    assert_int_equal(poll(&poller, 1, 0), 0);
    close(poller.fd);
    unlink("s");
  }
}


static void test_a_server_that_is_bound_and_does_not_listen_yet_is_left_alone(void **state) {
  int fd = bound("s", SOCK_STREAM, -1);
  (void)state;
  assert_left_alone("s");
  assert_int_equal(listen(fd, 1), 0);
  assert_listens(fd, (socket99_config){.path = "s"});
  close(fd);
  unlink("s");
}


static void test_a_server_with_a_full_backlog_is_left_alone(void **state) {
  socket99_config client = {.path = "s"};
  int fd = bound("s", SOCK_STREAM, 0), first = opened(&client);
  (void)state;
  assert_left_alone("s");
  close(first);
  close(fd);
  unlink("s");
}


static void test_a_connected_datagram_server_is_left_alone(void **state) {
  int fd = bound("s", SOCK_DGRAM, -1), other = bound("other", SOCK_DGRAM, -1);
  struct s99_address address;
  (void)state;
  assert_true(s99_unix("other", 5, &address));
  assert_int_equal(connect(fd, &address.addr.sa, address.len), 0);
  unlink("other");
  assert_left_alone("s");
  close(other);
  close(fd);
  unlink("s");
}


static void test_what_is_no_socket_is_left_alone(void **state) {
  int fd = open("s", O_CREAT | O_WRONLY, 0600);
  (void)state;
  assert_true(fd >= 0);
  close(fd);
  assert_left_alone("s");
  unlink("s");
  assert_int_equal(mkdir("s", 0700), 0);
  assert_left_alone("s");
  rmdir("s");
  assert_int_equal(mkfifo("s", 0600), 0);
  assert_left_alone("s");
  unlink("s");
  assert_int_equal(symlink("nowhere", "s"), 0);
  assert_left_alone("s");
  unlink("s");
}


static void test_a_link_to_a_stale_socket_is_left_alone(void **state) {
  socket99_config cfg = {.path = "link", .server = true, .unlink_stale = true};
  (void)state;
  make_stale("s", SOCK_STREAM);
  assert_int_equal(symlink("s", "link"), 0);
  failure(&cfg, SOCKET99_ERROR_BIND, EADDRINUSE);
  assert_int_equal(access("s", F_OK), 0);
  unlink("link");
  unlink("s");
}


/* Whatever a race has left. */
static void empty_directory(void) {
  DIR *all = opendir(".");
  struct dirent *each;
  assert_non_null(all);
  while ((each = readdir(all)) != NULL)
    unlink(each->d_name);
  closedir(all);
}


/* Opens once `go` is closed, closes `done`, stays until `stay` is closed. */
static void race(int go, int done, int stay, const socket99_config *cfg) {
  socket99_result res;
  char byte;
  bool ok;
  if (read(go, &byte, 1) != 0)
    _exit(3);
  ok = socket99_open(cfg, &res);
  close(done);
  if (read(stay, &byte, 1) != 0)
    _exit(3);
  _exit(ok ? 0 : res.saved_errno == EADDRINUSE ? 1 : 2);
}


/*
** Nearly always it is one; the microseconds in which a live server's file is
** aside are what is left (test_faults.c has what happens between looks).
*/
static void test_of_many_that_replace_a_stale_file_not_all_lose(void **state) {
  enum { rounds = 20, racers = 6 };
  socket99_config cfg = {.path = "s", .server = true, .unlink_stale = true};
  int round, i, winners = 0;
  (void)state;
  for (round = 0; round < rounds; round++) {
    int go[2], done[2], stay[2], status, won = 0;
    pid_t children[racers];
    char byte;
    make_stale("s", SOCK_STREAM);
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(done), 0);
    assert_int_equal(pipe(stay), 0);
    for (i = 0; i < racers; i++) {
      children[i] = fork();
      assert_true(children[i] >= 0);
      if (children[i] == 0) {
        close(go[1]);
        close(done[0]);
        close(stay[1]);
        race(go[0], done[1], stay[0], &cfg);
      }
    }
    close(go[0]);
    close(done[1]);
    close(stay[0]);
    close(go[1]);
    assert_int_equal(read(done[0], &byte, 1), 0);
    close(done[0]);
    close(stay[1]);
    for (i = 0; i < racers; i++) {
      assert_int_equal(waitpid(children[i], &status, 0), children[i]);
      assert_true(WIFEXITED(status));
      assert_true(WEXITSTATUS(status) < 2);
      won += WEXITSTATUS(status) == 0;
    }
    assert_true(won >= 1);
    winners += won;
    empty_directory();
  }
  assert_true(winners <= rounds + rounds / 2);
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_file_has_exactly_the_mode_asked_for),
      cmocka_unit_test(test_a_file_without_a_mode_goes_by_the_umask),
      cmocka_unit_test(test_the_umask_is_left_alone),
      cmocka_unit_test(test_a_mode_goes_to_no_file_that_was_there),
      cmocka_unit_test(test_a_stale_file_is_in_the_way_unless_asked_otherwise),
      cmocka_unit_test(test_a_stale_file_is_replaced),
      cmocka_unit_test(test_a_stale_file_of_the_longest_path_is_replaced),
      cmocka_unit_test(test_without_a_file_there_is_nothing_to_replace),
      cmocka_unit_test(test_a_live_server_is_left_alone),
      cmocka_unit_test(test_a_server_that_is_bound_and_does_not_listen_yet_is_left_alone),
      cmocka_unit_test(test_a_server_with_a_full_backlog_is_left_alone),
      cmocka_unit_test(test_a_connected_datagram_server_is_left_alone),
      cmocka_unit_test(test_what_is_no_socket_is_left_alone),
      cmocka_unit_test(test_a_link_to_a_stale_socket_is_left_alone),
      cmocka_unit_test(test_of_many_that_replace_a_stale_file_not_all_lose),
  };
  return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
