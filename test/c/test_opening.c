/*
** Openings in steps, over loopback, driven by poll(2) on the one descriptor
** that an opening has. What socket99_start leads to is held against what
** socket99_open says of the same configuration.
**
** A stream listener whose backlog is full is as good as a dead address: on
** Linux it drops what asks to be connected.
*/

#include "sockets.h"

#define PATIENCE_MS 10000

static const char *program;


/*
** Surroundings
*/

static int threads_at_first;


/* The thread of a lookup that was given up has files open for a moment: what
** counts is what is open when all of them have gone. */
static int idle_descriptors(void) {
  int patience;
  for (patience = 0; patience < 1000 && thread_count() > threads_at_first; patience++)
    poll(NULL, 0, 10);
  return descriptors();
}


/* Each test leaves as many descriptors as it found. */
static int count_descriptors(void **state) {
  static int before;
  before = idle_descriptors();
  *state = &before;
  return 0;
}


static int recount_descriptors(void **state) {
  const int *before = *state;
  int after = idle_descriptors();
  if (after == *before)
    return 0;
  print_error("%d descriptors open, %d before\n", after, *before);
  return -1;
}


static long long milliseconds_since(int64_t then) {
  return (long long)((s99_now() - then) / S99_MILLISECOND);
}


static void assert_took(int64_t since, long long least, long long most) {
  long long took = milliseconds_since(since);
  if (took < least || took > most)
    print_error("took %lld ms, not %lld to %lld\n", took, least, most);
  assert_true(took >= least && took <= most);
}


static bool is_readable(int fd, int ms) {
  struct pollfd one = {fd, POLLIN, 0};
  return poll(&one, 1, ms) == 1;
}


/* The listener, and the clients that fill its backlog. */
struct full {
  int listener, port, clients[16];
  size_t count;
};


static bool one_more(struct full *full, const struct s99_address *address) {
  int fd = socket(address->addr.sa.sa_family, SOCK_STREAM | S99_SOCK_NONBLOCK, 0);
  struct pollfd connected = {fd, POLLOUT, 0};
  int error = connect(fd, &address->addr.sa, address->len) == 0 ? 0 : errno;
  assert_true(full->count < COUNT(full->clients));
  full->clients[full->count++] = fd;
  return error == 0 || (error == EINPROGRESS && poll(&connected, 1, 300) == 1);
}


static void fill(struct full *full, socket99_config server) {
  struct s99_address address;
  server.server = true;
  server.backlog_size = 1;
  full->count = 0;
  full->listener = opened(&server);
  own_address(full->listener, &address);
  full->port = ntohs(address.addr.in.sin_port);
  while (one_more(full, &address))
    continue;
}


static void hang_up(struct full *full) {
  while (full->count > 0)
    close(full->clients[--full->count]);
}


static void empty(struct full *full) {
  hang_up(full);
  close(full->listener);
}


static socket99_opening *started(const socket99_config *cfg) {
  socket99_result res;
  socket99_opening *opening = socket99_start(cfg, &res);
  if (opening == NULL)
    socket99_fprintf(stderr, &res);
  assert_non_null(opening);
  return opening;
}


/* Steps whenever the descriptor is readable; returns how many were needed. */
static int drive(socket99_opening *opening, socket99_result *res) {
  int fd = socket99_pollfd(opening), steps = 0;
  bool done;
  do {
    assert_true(is_readable(fd, PATIENCE_MS));
    memset(res, 0x5a, sizeof(*res));
    done = socket99_step(opening, res);
    assert_int_equal(socket99_pollfd(opening), fd);
    steps++;
  } while (!done);
  return steps;
}


static bool open_in_steps(const socket99_config *cfg, socket99_result *res) {
  socket99_opening *opening = socket99_start(cfg, res);
  if (opening == NULL)
    return false;
  drive(opening, res);
  socket99_cancel(opening);
  return res->status == SOCKET99_OK;
}


static void pause_ms(int ms) {
  poll(NULL, 0, ms);
}


/*
** The same result as in one call
*/

static void assert_same_peer(int a, int b) {
  struct s99_address peer_a, peer_b;
  int got_a, got_b;
  peer_a.len = peer_b.len = sizeof(peer_a.addr);
  memset(&peer_a.addr, 0, sizeof(peer_a.addr));
  memset(&peer_b.addr, 0, sizeof(peer_b.addr));
  got_a = getpeername(a, &peer_a.addr.sa, &peer_a.len);
  got_b = getpeername(b, &peer_b.addr.sa, &peer_b.len);
  assert_int_equal(got_a, got_b);
  if (got_a == 0)
    assert_memory_equal(&peer_a.addr, &peer_b.addr, peer_a.len);
}


static void assert_same_socket(int a, int b) {
  struct s99_address own_a, own_b;
  own_address(a, &own_a);
  own_address(b, &own_b);
  assert_int_equal(own_a.addr.sa.sa_family, own_b.addr.sa.sa_family);
  assert_int_equal(option_of(a, SOL_SOCKET, SO_TYPE), option_of(b, SOL_SOCKET, SO_TYPE));
  assert_int_equal(option_of(a, SOL_SOCKET, SO_ACCEPTCONN),
                   option_of(b, SOL_SOCKET, SO_ACCEPTCONN));
  assert_int_equal(option_of(a, SOL_SOCKET, SO_REUSEADDR), option_of(b, SOL_SOCKET, SO_REUSEADDR));
  assert_int_equal(option_of(a, SOL_SOCKET, SO_KEEPALIVE), option_of(b, SOL_SOCKET, SO_KEEPALIVE));
  assert_int_equal(fcntl(a, F_GETFL), fcntl(b, F_GETFL));
  assert_int_equal(fcntl(a, F_GETFD), fcntl(b, F_GETFD));
  assert_same_peer(a, b);
}


/* A server's file would be in the way of the second. */
static void assert_same_result(socket99_config cfg) {
  socket99_result at_once, in_steps;
  const char *file = cfg.server && cfg.path != NULL && cfg.path[0] != '\0' ? cfg.path : NULL;
  socket99_open(&cfg, &at_once);
  if (file != NULL)
    unlink(file);
  open_in_steps(&cfg, &in_steps);
  if (file != NULL)
    unlink(file);
  assert_int_equal(in_steps.status, at_once.status);
  assert_int_equal(in_steps.saved_errno, at_once.saved_errno);
  assert_int_equal(in_steps.getaddrinfo_error, at_once.getaddrinfo_error);
  assert_string_equal(in_steps.where, at_once.where);
  if (at_once.status != SOCKET99_OK) {
    assert_int_equal(in_steps.fd, -1);
    return;
  }
  assert_same_socket(at_once.fd, in_steps.fd);
  close(at_once.fd);
  close(in_steps.fd);
}


static void assert_same_with_flags(socket99_config cfg) {
  assert_same_result(cfg);
  cfg.nonblocking = true;
  assert_same_result(cfg);
  cfg.inherit = true;
  assert_same_result(cfg);
  cfg.nonblocking = false;
  cfg.timeout_ms = 5000;
  assert_same_result(cfg);
}


static void test_tcp_clients(void **state) {
  int listener = opened(&(socket99_config){.ipv4 = "127.0.0.1", .server = true});
  socket99_option keepalive = {.name = "keepalive", .value = {.integer = 1}};
  char service[8];
  int port = own_port(listener);
  (void)state;
  snprintf(service, sizeof(service), "%d", port);
  assert_same_with_flags((socket99_config){.host = "127.0.0.1", .port = port});
  assert_same_with_flags((socket99_config){.host = "localhost", .port = port});
  assert_same_with_flags((socket99_config){.host = "localhost", .service = service});
  assert_same_with_flags((socket99_config){.port = port});
  assert_same_result(
      (socket99_config){.ipv4 = "127.0.0.1", .port = port, .bind_host = "127.0.0.2"});
  assert_same_result((socket99_config){
      .ipv4 = "127.0.0.1", .port = port, .options = &keepalive, .option_count = 1});
  assert_same_result((socket99_config){.host = "localhost", .port = port, .unconnected = true});
  close(listener);
}


static void test_tcp_clients_that_fail(void **state) {
  int listener = opened(&(socket99_config){.ipv4 = "127.0.0.1", .server = true});
  int port = own_port(listener);
  (void)state;
  close(listener);
  assert_same_with_flags((socket99_config){.host = "127.0.0.1", .port = port});
  assert_same_with_flags((socket99_config){.host = "localhost", .port = port});
  assert_same_result(
      (socket99_config){.ipv4 = "127.0.0.1", .port = port, .bind_host = "192.0.2.1"});
  assert_same_result((socket99_config){.ipv4 = "127.0.0.1", .port = port, .bind_host = "::1"});
  assert_same_result((socket99_config){.host = "localhost", .service = "no-such-service"});
  assert_same_result((socket99_config){.host = "a..b", .port = port});
  /* To itself */
  assert_same_result((socket99_config){
      .ipv4 = "127.0.0.1", .port = port, .bind_host = "127.0.0.1", .bind_port = port});
}


static void test_udp(void **state) {
  int server = opened(&(socket99_config){.ipv4 = "127.0.0.1", .datagram = true, .server = true});
  (void)state;
  assert_same_with_flags((socket99_config){.datagram = true});
  assert_same_with_flags((socket99_config){.datagram = true, .server = true});
  assert_same_with_flags(
      (socket99_config){.host = "127.0.0.1", .port = own_port(server), .datagram = true});
  assert_same_with_flags(
      (socket99_config){.host = "localhost", .port = own_port(server), .datagram = true});
  close(server);
}


static void test_tcp_servers(void **state) {
  int listener = opened(&(socket99_config){.ipv4 = "127.0.0.1", .server = true});
  (void)state;
  assert_same_with_flags((socket99_config){.server = true});
  assert_same_with_flags((socket99_config){.ipv4 = "127.0.0.1", .server = true});
  assert_same_with_flags((socket99_config){.host = "localhost", .server = true});
  assert_same_result(
      (socket99_config){.ipv4 = "127.0.0.1", .port = own_port(listener), .server = true});
  close(listener);
}


static void test_unix_sockets(void **state) {
  int stream = opened(&(socket99_config){.path = "stream", .server = true});
  int datagram = opened(&(socket99_config){.path = "datagram", .server = true, .datagram = true});
  (void)state;
  assert_same_with_flags((socket99_config){.path = "stream"});
  assert_same_with_flags((socket99_config){.path = "datagram", .datagram = true});
  assert_same_result((socket99_config){.path = "stream", .datagram = true});
  assert_same_result((socket99_config){.path = "nowhere"});
  assert_same_result((socket99_config){.path = "stream", .unconnected = true});
  assert_same_with_flags((socket99_config){.path = "new", .server = true});
  assert_same_result((socket99_config){.path = "new", .server = true, .mode = 0600});
  assert_same_result((socket99_config){.path = "nowhere", .bind_path = "own"});
  assert_int_equal(access("own", F_OK), -1);
  close(stream);
  close(datagram);
  unlink("stream");
  unlink("datagram");
}


static void test_abstract_and_seqpacket(void **state) {
  char name[] = "\0socket99\0test\0opening";
  socket99_config cfg = {.path = name, .path_len = sizeof(name), .seqpacket = true};
  int listener;
  (void)state;
  if (!S99_HAVE_ABSTRACT)
    skip();
  cfg.server = true;
  listener = opened(&cfg);
  cfg.server = false;
  assert_same_with_flags(cfg);
  cfg.path_len--;
  assert_same_result(cfg);
  close(listener);
}


/*
** Configurations
*/

static void assert_refused_by_both(const socket99_config *cfg, const char *words) {
  socket99_result at_once, at_start;
  assert_false(socket99_open(cfg, &at_once));
  assert_null(socket99_start(cfg, &at_start));
  assert_int_equal(at_start.status, SOCKET99_ERROR_CONFIGURATION);
  assert_int_equal(at_start.saved_errno, EINVAL);
  assert_int_equal(at_start.fd, -1);
  assert_string_equal(at_start.where, at_once.where);
  if (strstr(at_start.where, words) == NULL)
    print_error("\"%s\" lacks \"%s\"\n", at_start.where, words);
  assert_non_null(strstr(at_start.where, words));
}


static void test_configuration_errors_come_from_start(void **state) {
  (void)state;
  assert_refused_by_both(NULL, "NULL");
  assert_refused_by_both(&(socket99_config){.host = "localhost"}, "port");
  assert_refused_by_both(&(socket99_config){.host = "", .port = 1}, "host");
  assert_refused_by_both(&(socket99_config){.host = "x", .path = "y", .port = 1}, "path");
  assert_refused_by_both(&(socket99_config){.port = 1, .option_count = 1}, "option");
}


static void test_times_out_of_range_are_configuration_errors(void **state) {
  (void)state;
  assert_refused_by_both(&(socket99_config){.port = 1, .timeout_ms = -1}, "timeout_ms -1");
  assert_refused_by_both(&(socket99_config){.port = 1, .timeout_ms = LLONG_MIN}, "timeout_ms");
  assert_refused_by_both(&(socket99_config){.port = 1, .attempt_delay_ms = 9}, "10 to 2000");
  assert_refused_by_both(&(socket99_config){.port = 1, .attempt_delay_ms = 2001}, "10 to 2000");
  assert_refused_by_both(&(socket99_config){.port = 1, .attempt_delay_ms = -1}, "10 to 2000");
}


static void test_times_at_the_ends_of_their_range(void **state) {
  static const int delays[] = {0, 10, 2000};
  int listener = opened(&(socket99_config){.ipv4 = "127.0.0.1", .server = true});
  socket99_config cfg = {.ipv4 = "127.0.0.1", .port = own_port(listener)};
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(delays); i++) {
    cfg.attempt_delay_ms = delays[i];
    cfg.timeout_ms = i == 0 ? 0 : LLONG_MAX / (long long)i;
    assert_same_result(cfg);
  }
  close(listener);
}


/*
** The copy of the configuration
*/

static void *borrowed[16];
static size_t borrowed_sizes[16], borrowed_count;


static void *borrow(const void *bytes, size_t size) {
  void *copy = malloc(size);
  assert_true(copy != NULL && borrowed_count < COUNT(borrowed));
  borrowed[borrowed_count] = memcpy(copy, bytes, size);
  borrowed_sizes[borrowed_count++] = size;
  return copy;
}


static char *borrow_text(const char *text) {
  return borrow(text, strlen(text) + 1);
}


static void scribble(void) {
  size_t i;
  for (i = 0; i < borrowed_count; i++) {
    memset(borrowed[i], 0xa5, borrowed_sizes[i]);
    free(borrowed[i]);
  }
  borrowed_count = 0;
}


/* Starts, then takes away all that the configuration points to, and itself. */
static int opened_from_a_copy(const socket99_config *cfg) {
  socket99_config *own = borrow(cfg, sizeof(*cfg));
  socket99_opening *opening = started(own);
  socket99_result res;
  scribble();
  drive(opening, &res);
  if (res.status != SOCKET99_OK)
    socket99_fprintf(stderr, &res);
  assert_int_equal(res.status, SOCKET99_OK);
  socket99_cancel(opening);
  return res.fd;
}


static void test_a_name_a_service_and_options_are_copied(void **state) {
  int listener = opened(&(socket99_config){.ipv4 = "127.0.0.1", .server = true});
  int size = 20000, on = 1, fd;
  socket99_option options[3] = {{.name = borrow_text("keepalive"), .value = {.integer = 1}},
                                {.level = SOL_SOCKET, .option_id = SO_RCVBUF},
                                {.level = IPPROTO_TCP, .option_id = TCP_NODELAY}};
  socket99_config cfg = {.host = borrow_text("localhost"), .bind_host = borrow_text("127.0.0.1")};
  char service[8];
  (void)state;
  snprintf(service, sizeof(service), "%d", own_port(listener));
  cfg.service = borrow_text(service);
  options[1].value.kind = SOCKET99_BYTES;
  options[1].value.bytes = borrow(&size, sizeof(size));
  options[1].value.length = sizeof(size);
  options[2].value.kind = SOCKET99_INTEGER;
  options[2].value.integer = 1;
  cfg.options = borrow(options, sizeof(options));
  cfg.option_count = 3;
  cfg.sockopts[0].option_id = SO_OOBINLINE;
  cfg.sockopts[0].value = borrow(&on, sizeof(on));
  cfg.sockopts[0].value_len = sizeof(on);
  fd = opened_from_a_copy(&cfg);
  assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  assert_int_equal(option_of(fd, SOL_SOCKET, SO_RCVBUF), 40000);
  assert_int_equal(option_of(fd, SOL_SOCKET, SO_OOBINLINE), 1);
  assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  close(fd);
  close(listener);
}


static void test_each_place_for_an_option_is_copied(void **state) {
  int on = 1, i;
  socket99_config cfg = {.host = "127.0.0.1", .server = true};
  static const int ids[] = {SO_KEEPALIVE, SO_OOBINLINE, SO_BROADCAST, SO_REUSEADDR};
  static const socket99_option no_bytes = {
      NULL, SOL_SOCKET, SO_KEEPALIVE, {.kind = SOCKET99_BYTES}};
  socket99_result res;
  socket99_opening *opening;
  int fd;
  (void)state;
  for (i = 0; i < SOCKET99_MAX_SOCK_OPTS; i++)
    cfg.sockopts[i] = (socket99_sockopt){ids[i], borrow(&on, sizeof(on)), sizeof(on)};
  fd = opened_from_a_copy(&cfg);
  for (i = 0; i < SOCKET99_MAX_SOCK_OPTS; i++)
    assert_true(option_of(fd, SOL_SOCKET, ids[i]) != 0);
  close(fd);
  memset(cfg.sockopts, 0, sizeof(cfg.sockopts));
  opening = started(&(socket99_config){
      .host = "127.0.0.1", .server = true, .options = &no_bytes, .option_count = 1});
  assert_true(socket99_step(opening, &res));
  assert_int_equal(res.status, SOCKET99_ERROR_SETSOCKOPT);
  socket99_cancel(opening);
  cfg.sockopts[0].option_id = SO_KEEPALIVE;
  opening = started(&cfg);
  assert_true(socket99_step(opening, &res));
  assert_int_equal(res.status, SOCKET99_ERROR_SETSOCKOPT);
  socket99_cancel(opening);
}


/* One for the poller, and on Linux another for its timer. */
static void test_without_a_descriptor_an_opening_does_not_start(void **state) {
  socket99_config cfg = {.ipv4 = "127.0.0.1", .server = true};
  struct rlimit limit, less;
  socket99_result res;
  socket99_opening *opening;
  int failures = 0, next = dup(0);
  (void)state;
  close(next);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  less = limit;
  less.rlim_cur = (rlim_t)next;
  do {
    int before = descriptors();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
    opening = socket99_start(&cfg, &res);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (opening == NULL) {
      failures++;
      assert_int_equal(descriptors(), before);
      assert_int_equal(res.status, SOCKET99_ERROR_UNKNOWN);
      assert_int_equal(res.saved_errno, EMFILE);
      assert_true(strlen(res.where) > 0);
    }
    less.rlim_cur++;
  } while (opening == NULL && failures < 10);
  assert_true(failures > 0 && failures < 10);
  socket99_cancel(opening);
}


static void test_membership_strings_are_copied(void **state) {
  socket99_option join = {.name = borrow_text("ip_add_source_membership"),
                          .value = {.kind = SOCKET99_MEMBERSHIP,
                                    .group = borrow_text("232.1.2.3"),
                                    .interface = borrow_text("127.0.0.1"),
                                    .source = borrow_text("127.0.0.1")}};
  socket99_config cfg = {.ipv4 = borrow_text("127.0.0.1"), .server = true, .datagram = true};
  (void)state;
  need_source_memberships();
  cfg.options = borrow(&join, sizeof(join));
  cfg.option_count = 1;
  close(opened_from_a_copy(&cfg));
}


static void test_paths_with_nuls_are_copied_by_length(void **state) {
  char name[] = "\0socket99\0copied", own[] = "\0socket99\0own";
  struct s99_address address;
  int listener, fd;
  (void)state;
  if (!S99_HAVE_ABSTRACT)
    skip();
  listener = opened(&(socket99_config){.path = name, .path_len = sizeof(name) - 1, .server = true});
  /* Without the NUL that the compiler adds: exactly the bytes that count. */
  fd = opened_from_a_copy(&(socket99_config){.path = borrow(name, sizeof(name) - 1),
                                             .path_len = sizeof(name) - 1,
                                             .bind_path = borrow(own, sizeof(own) - 1),
                                             .bind_path_len = sizeof(own) - 1});
  own_address(fd, &address);
  assert_int_equal(address.len, offsetof(struct sockaddr_un, sun_path) + sizeof(own) - 1);
  assert_memory_equal(address.addr.un.sun_path, own, sizeof(own) - 1);
  close(fd);
  close(listener);
}


static void test_a_path_without_a_length_is_copied(void **state) {
  int listener = opened(&(socket99_config){.path = "copied", .server = true});
  (void)state;
  close(opened_from_a_copy(
      &(socket99_config){.path = borrow_text("copied"), .bind_path = borrow_text("mine")}));
  close(listener);
  assert_int_equal(unlink("copied"), 0);
  assert_int_equal(unlink("mine"), 0);
}


/*
** Life and end
*/

static void assert_already(socket99_opening *opening) {
  socket99_result res;
  memset(&res, 0x5a, sizeof(res));
  assert_true(socket99_step(opening, &res));
  assert_int_equal(res.status, SOCKET99_ERROR_UNKNOWN);
  assert_int_equal(res.saved_errno, EALREADY);
  assert_int_equal(res.fd, -1);
}


static void test_after_the_end_a_step_fails_and_nothing_is_due(void **state) {
  int listener = opened(&(socket99_config){.ipv4 = "127.0.0.1", .server = true});
  socket99_opening *opening =
      started(&(socket99_config){.ipv4 = "127.0.0.1", .port = own_port(listener)});
  socket99_result res;
  (void)state;
  drive(opening, &res);
  assert_int_equal(res.status, SOCKET99_OK);
  assert_already(opening);
  assert_already(opening);
  assert_int_equal(socket99_timeout_ms(opening), -1);
  assert_false(is_readable(socket99_pollfd(opening), 30));
  socket99_cancel(opening);
  assert_true(fcntl(res.fd, F_GETFD) >= 0);
  close(res.fd);
  close(listener);
}


static void test_after_a_failure_a_step_fails(void **state) {
  socket99_opening *opening = started(&(socket99_config){.path = "nowhere"});
  socket99_result res;
  (void)state;
  drive(opening, &res);
  assert_int_equal(res.saved_errno, ENOENT);
  assert_already(opening);
  socket99_cancel(opening);
}


static void test_a_connection_works_and_is_in_no_poller(void **state) {
  int listener = opened(&(socket99_config){.ipv4 = "127.0.0.1", .server = true});
  socket99_opening *opening =
      started(&(socket99_config){.ipv4 = "127.0.0.1", .port = own_port(listener)});
  socket99_result res;
  char path[64], line[256], watched[16];
  int peer;
  FILE *info;
  (void)state;
  drive(opening, &res);
  assert_int_equal(res.status, SOCKET99_OK);
  peer = accept(listener, NULL, NULL);
  assert_int_equal(send(res.fd, "x", 1, 0), 1);
  assert_int_equal(recv(peer, line, 1, 0), 1);
  snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", socket99_pollfd(opening));
  snprintf(watched, sizeof(watched), "%d", res.fd);
  info = fopen(path, "r");
  while (info != NULL && fgets(line, sizeof(line), info) != NULL) {
    char number[16];
    if (sscanf(line, "tfd: %15s", number) == 1)
      assert_string_not_equal(number, watched);
  }
  if (info != NULL)
    fclose(info);
  close(peer);
  close(res.fd);
  socket99_cancel(opening);
  close(listener);
}


static void test_cancel_before_the_first_step(void **state) {
  (void)state;
  socket99_cancel(NULL);
  socket99_cancel(started(&(socket99_config){.host = "localhost", .port = 1}));
  socket99_cancel(started(&(socket99_config){.path = "new", .server = true}));
  assert_int_equal(access("new", F_OK), -1);
}


static void test_cancel_in_the_lookup(void **state) {
  int i;
  (void)state;
  for (i = 0; i < 100; i++) {
    socket99_opening *opening = started(&(socket99_config){.host = "localhost", .port = 1});
    socket99_result res;
    if (!socket99_step(opening, &res) && i % 2 == 0)
      pause_ms(1);
    socket99_cancel(opening);
  }
}


static void test_cancel_in_the_race(void **state) {
  struct full full;
  socket99_opening *opening;
  socket99_result res;
  (void)state;
  fill(&full, (socket99_config){.ipv4 = "127.0.0.1"});
  opening = started(&(socket99_config){.ipv4 = "127.0.0.1", .port = full.port});
  assert_false(socket99_step(opening, &res));
  assert_false(socket99_step(opening, &res));
  assert_int_equal(socket99_timeout_ms(opening), -1);
  assert_false(is_readable(socket99_pollfd(opening), 30));
  socket99_cancel(opening);
  empty(&full);
}


static void test_cancel_while_a_unix_listener_is_full(void **state) {
  struct full full;
  socket99_opening *opening;
  socket99_result res;
  (void)state;
  fill(&full, (socket99_config){.path = "full"});
  opening = started(&(socket99_config){.path = "full", .bind_path = "own"});
  assert_false(socket99_step(opening, &res));
  assert_int_equal(access("own", F_OK), 0);
  socket99_cancel(opening);
  assert_int_equal(access("own", F_OK), -1);
  empty(&full);
  unlink("full");
}


/*
** A Unix listener whose backlog is full
*/

static void test_a_full_unix_listener_is_tried_again_until_it_accepts(void **state) {
  struct full full;
  socket99_opening *opening;
  socket99_result res;
  int64_t begun;
  int steps;
  (void)state;
  fill(&full, (socket99_config){.path = "full"});
  opening = started(&(socket99_config){.path = "full"});
  begun = s99_now();
  for (steps = 0; steps < 15; steps++) {
    assert_true(is_readable(socket99_pollfd(opening), PATIENCE_MS));
    assert_false(socket99_step(opening, &res));
    assert_true(socket99_timeout_ms(opening) >= 0 && socket99_timeout_ms(opening) <= 20);
  }
  /* After 1, 2, 4, 8, 16, then 20 ms */
  assert_true(milliseconds_since(begun) >= 1 + 2 + 4 + 8 + 16 + 9 * 20);
  close(accept(full.listener, NULL, NULL));
  drive(opening, &res);
  assert_int_equal(res.status, SOCKET99_OK);
  socket99_cancel(opening);
  close(res.fd);
  empty(&full);
  unlink("full");
}


static void test_a_full_unix_listener_cannot_outlast_the_deadline(void **state) {
  struct full full;
  socket99_config cfg = {.path = "full", .bind_path = "own", .timeout_ms = 150};
  socket99_result res;
  int64_t begun;
  (void)state;
  fill(&full, (socket99_config){.path = "full"});
  begun = s99_now();
  assert_false(socket99_open(&cfg, &res));
  assert_took(begun, 150, 2000);
  assert_int_equal(res.status, SOCKET99_ERROR_TIMEOUT);
  assert_int_equal(res.saved_errno, ETIMEDOUT);
  assert_string_equal(res.where, "connect full");
  begun = s99_now();
  assert_false(open_in_steps(&cfg, &res));
  assert_took(begun, 150, 2000);
  assert_int_equal(res.status, SOCKET99_ERROR_TIMEOUT);
  assert_int_equal(access("own", F_OK), -1);
  empty(&full);
  unlink("full");
}


/*
** Deadlines and races
*/

static void test_a_dead_address_cannot_outlast_the_deadline(void **state) {
  struct full full;
  socket99_config cfg = {.ipv4 = "127.0.0.1", .timeout_ms = 150};
  char expected[64];
  socket99_result res;
  int64_t begun;
  (void)state;
  fill(&full, (socket99_config){.ipv4 = "127.0.0.1"});
  cfg.port = full.port;
  snprintf(expected, sizeof(expected), "connect 127.0.0.1:%d", full.port);
  begun = s99_now();
  assert_false(socket99_open(&cfg, &res));
  assert_took(begun, 150, 2000);
  assert_int_equal(res.status, SOCKET99_ERROR_TIMEOUT);
  assert_string_equal(res.where, expected);
  begun = s99_now();
  assert_false(open_in_steps(&cfg, &res));
  assert_took(begun, 150, 2000);
  assert_int_equal(res.status, SOCKET99_ERROR_TIMEOUT);
  assert_int_equal(res.saved_errno, ETIMEDOUT);
  assert_string_equal(res.where, expected);
  empty(&full);
}


static void test_the_timeout_tells_when_a_step_is_due(void **state) {
  struct full full;
  socket99_opening *opening;
  socket99_result res;
  (void)state;
  fill(&full, (socket99_config){.ipv4 = "127.0.0.1"});
  opening =
      started(&(socket99_config){.ipv4 = "127.0.0.1", .port = full.port, .timeout_ms = 20000});
  assert_int_equal(socket99_timeout_ms(opening), 0);
  assert_true(is_readable(socket99_pollfd(opening), 0));
  assert_false(socket99_step(opening, &res));
  assert_true(socket99_timeout_ms(opening) > 10000 && socket99_timeout_ms(opening) <= 20000);
  socket99_cancel(opening);
  empty(&full);
}


/* A deadline that passed while nobody stepped does not undo a connection. */
static void test_a_connection_that_is_there_wins_over_the_deadline(void **state) {
  struct full full;
  socket99_opening *opening;
  socket99_result res;
  int64_t begun;
  (void)state;
  fill(&full, (socket99_config){.ipv4 = "127.0.0.1"});
  begun = s99_now();
  opening = started(&(socket99_config){.ipv4 = "127.0.0.1", .port = full.port, .timeout_ms = 700});
  assert_false(socket99_step(opening, &res));
  hang_up(&full);
  while (is_readable(full.listener, 0))
    close(accept(full.listener, NULL, NULL));
  /* The kernel asks again after a second. */
  assert_true(is_readable(full.listener, PATIENCE_MS));
  assert_true(milliseconds_since(begun) > 700);
  drive(opening, &res);
  assert_int_equal(res.status, SOCKET99_OK);
  socket99_cancel(opening);
  close(res.fd);
  empty(&full);
}


/* On ::1 a listener whose backlog is full, on 127.0.0.1 one that is not. */
static int listen_beside_full(struct full *full) {
  socket99_config cfg = {.ipv4 = "127.0.0.1", .server = true};
  socket99_result res;
  int tries;
  for (tries = 0; tries < 10; tries++) {
    fill(full, (socket99_config){.ipv6 = "::1"});
    cfg.port = full->port;
    if (socket99_open(&cfg, &res))
      return res.fd;
    empty(full);
  }
  fail();
  return -1;
}


/* A client without a host: this machine, first ::1, then 127.0.0.1. The kernel
** asks ::1 again after a second. */
static void test_a_dead_first_address_costs_one_attempt_delay(void **state) {
  int alive;
  socket99_config cfg = {.attempt_delay_ms = 80};
  socket99_result res;
  struct full full;
  int64_t begun;
  (void)state;
  need_ipv6();
  alive = listen_beside_full(&full);
  cfg.port = full.port;
  begun = s99_now();
  assert_true(socket99_open(&cfg, &res));
  assert_took(begun, 80, 900);
  close(res.fd);
  begun = s99_now();
  assert_true(open_in_steps(&cfg, &res));
  assert_took(begun, 80, 900);
  close(res.fd);
  close(alive);
  empty(&full);
}


/*
** Processes
*/

static void assert_succeeded(pid_t child) {
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}


/* In a child: 0, or the number of what does not hold. */
static int leave_to_the_parent(socket99_opening *opening) {
  socket99_result res;
  int fd = socket99_pollfd(opening);
  if (!socket99_step(opening, &res) || res.status == SOCKET99_OK || res.fd != -1)
    return 1;
  socket99_cancel(opening);
  if (fcntl(fd, F_GETFD) >= 0)
    return 2;
  return access("own", F_OK) == 0 ? 0 : 3;
}


static void test_a_child_cannot_disturb_its_parents_opening(void **state) {
  struct full full;
  socket99_opening *opening;
  socket99_result res;
  pid_t child;
  (void)state;
  fill(&full, (socket99_config){.path = "full"});
  opening = started(&(socket99_config){.path = "full", .bind_path = "own"});
  assert_false(socket99_step(opening, &res));
  child = fork();
  if (child == 0)
    _exit(leave_to_the_parent(opening));
  assert_succeeded(child);
  close(accept(full.listener, NULL, NULL));
  drive(opening, &res);
  assert_int_equal(res.status, SOCKET99_OK);
  assert_int_equal(access("own", F_OK), 0);
  socket99_cancel(opening);
  close(res.fd);
  unlink("own");
  empty(&full);
  unlink("full");
}


/* A kqueue is not inherited: its number may be another descriptor's in a child. */
static int cancel_beside(socket99_opening *opening) {
  int fd = socket99_pollfd(opening);
  bool lost = fcntl(fd, F_GETFD) < 0;
  if (lost && dup2(0, fd) != fd)
    return 1;
  socket99_cancel(opening);
  return (fcntl(fd, F_GETFD) >= 0) == lost ? 0 : 2;
}


static void test_a_child_closes_nothing_that_took_the_place_of_a_poller(void **state) {
  socket99_opening *opening = started(&(socket99_config){.datagram = true});
  pid_t child = fork();
  (void)state;
  if (child == 0)
    _exit(cancel_beside(opening));
  assert_succeeded(child);
  socket99_cancel(opening);
}


/* How many descriptors linger. */
static int lingering(void) {
  int fd, count = 0;
  for (fd = 0; fd < 256; fd++) {
    struct linger linger = {0, 0};
    socklen_t length = sizeof(linger);
    if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length) == 0 && linger.l_onoff)
      count++;
  }
  return count;
}


static void test_a_child_leaves_the_options_alone(void **state) {
  struct linger on = {1, 5};
  socket99_option option = {"linger", 0, 0, {.kind = SOCKET99_SECONDS, .seconds = 5}};
  socket99_config cfgs[] = {
      {.path = "full", .options = &option, .option_count = 1},
      {.path = "full", .sockopts = {{SO_LINGER, &on, sizeof(on)}}},
  };
  struct full full;
  size_t i;
  (void)state;
  fill(&full, (socket99_config){.path = "full"});
  for (i = 0; i < COUNT(cfgs); i++) {
    socket99_opening *opening = started(&cfgs[i]);
    socket99_result res;
    pid_t child;
    assert_false(socket99_step(opening, &res));
    assert_int_equal(lingering(), 1);
    child = fork();
    if (child == 0) {
      socket99_cancel(opening);
      _exit(lingering());
    }
    assert_succeeded(child);
    assert_int_equal(lingering(), 1);
    socket99_cancel(opening);
  }
  empty(&full);
  unlink("full");
}


static void test_a_child_leaves_the_parents_poller_alone(void **state) {
  struct full full;
  socket99_opening *opening;
  socket99_result res;
  pid_t child;
  (void)state;
  fill(&full, (socket99_config){.ipv4 = "127.0.0.1"});
  opening = started(&(socket99_config){.ipv4 = "127.0.0.1", .port = full.port});
  assert_false(socket99_step(opening, &res));
  child = fork();
  if (child == 0) {
    socket99_cancel(opening);
    _exit(0);
  }
  assert_succeeded(child);
  /* Room for one: it is connected when it asks again, a second later. */
  while (is_readable(full.listener, 0))
    close(accept(full.listener, NULL, NULL));
  drive(opening, &res);
  assert_int_equal(res.status, SOCKET99_OK);
  socket99_cancel(opening);
  close(res.fd);
  empty(&full);
}


/*
** socket99_resolve
*/

static void assert_resolves(socket99_config cfg, size_t least, int port) {
  struct sockaddr_storage *addresses;
  socket99_result res;
  size_t count, i;
  assert_true(socket99_resolve(&cfg, &res, &addresses, &count));
  assert_int_equal(res.status, SOCKET99_OK);
  assert_int_equal(res.fd, -1);
  assert_true(count >= least);
  for (i = 0; i < count; i++) {
    const struct sockaddr_in *in = (const void *)&addresses[i];
    assert_int_equal(ntohs(in->sin_port), port);
  }
  free(addresses);
}


static void test_resolve_tells_the_addresses(void **state) {
  (void)state;
  assert_resolves((socket99_config){.host = "127.0.0.1", .port = 80}, 1, 80);
  assert_resolves((socket99_config){.host = "localhost", .port = 80}, 1, 80);
  assert_resolves((socket99_config){.host = "localhost", .service = "81", .timeout_ms = 5000}, 1,
                  81);
  assert_resolves((socket99_config){.host = "localhost", .unconnected = true}, 1, 0);
  assert_resolves((socket99_config){.ipv6 = "::1", .unconnected = true}, 1, 0);
  assert_resolves((socket99_config){.server = true}, 1, 0);
}


static void assert_does_not_resolve(socket99_config cfg, enum socket99_status status) {
  struct sockaddr_storage *addresses = (void *)&cfg;
  socket99_result res;
  size_t count = 7;
  assert_false(socket99_resolve(&cfg, &res, &addresses, &count));
  assert_int_equal(res.status, status);
  assert_int_equal(res.fd, -1);
  assert_null(addresses);
  assert_int_equal(count, 0);
}


static void test_resolve_tells_why_not(void **state) {
  (void)state;
  assert_does_not_resolve((socket99_config){.host = "localhost"}, SOCKET99_ERROR_CONFIGURATION);
  assert_does_not_resolve((socket99_config){.host = "a..b", .port = 1}, SOCKET99_ERROR_GETADDRINFO);
  assert_does_not_resolve((socket99_config){.host = "a..b", .port = 1, .timeout_ms = 5000},
                          SOCKET99_ERROR_GETADDRINFO);
  assert_does_not_resolve((socket99_config){.ipv4 = "::1", .port = 1},
                          SOCKET99_ERROR_CONFIGURATION);
}


/*
** The budget of system calls: this program again, under strace, between two
** calls that nothing else makes.
*/

static int low_port_listener(void) {
  socket99_config cfg = {.ipv4 = "127.0.0.1", .server = true};
  socket99_result res;
  for (cfg.port = 10000; cfg.port < 32000; cfg.port++) {
    if (socket99_open(&cfg, &res))
      return res.fd;
  }
  return -1;
}


static int open_once(const char *what) {
  int listener = low_port_listener();
  socket99_config cfg = {.ipv4 = "127.0.0.1", .port = own_port(listener)};
  socket99_result res;
  if (strstr(what, "unix") != NULL)
    cfg = (socket99_config){.path = "budget"};
  cfg.server = strstr(what, "server") != NULL;
  cfg.datagram = strstr(what, "udp") != NULL;
  if (cfg.server && cfg.path == NULL)
    cfg.port = 0;
  getppid();
  socket99_open(&cfg, &res);
  getppid();
  _exit(res.status != SOCKET99_OK);
}


/* It traces this machine's programs only, and not where it may not. */
static bool strace_works(void) {
  return !emulated() && system("strace -o /dev/null true >/dev/null 2>&1") == 0;
}


/* The names of the calls between the marks. */
static void calls_in_trace(char *calls, size_t size) {
  char line[512];
  FILE *trace = fopen("trace", "r");
  int marks = 0;
  assert_non_null(trace);
  calls[0] = '\0';
  while (fgets(line, sizeof(line), trace) != NULL) {
    size_t used = strlen(calls);
    line[strcspn(line, "(")] = '\0';
    if (strcmp(line, "getppid") == 0)
      marks++;
    else if (marks == 1)
      snprintf(calls + used, size - used, "%s%s", used > 0 ? " " : "", line);
  }
  fclose(trace);
  assert_int_equal(marks, 2);
}


static void assert_budget(const char *what, const char *expected) {
  char command[1024], calls[1024];
  snprintf(command, sizeof(command), "strace -o trace -e 'trace=!futex,brk,mmap,munmap' %s %s",
           program, what);
  assert_int_equal(system(command), 0);
  calls_in_trace(calls, sizeof(calls));
  assert_string_equal(calls, expected);
  unlink("trace");
}


static void test_one_candidate_and_no_deadline_cost_nothing_more(void **state) {
  int listener;
  (void)state;
  if (!strace_works()) {
    print_message("skipped: strace does not work here\n");
    skip();
  }
  assert_budget("tcp-client", "socket connect");
  assert_budget("udp-client", "socket connect");
  assert_budget("tcp-server", "socket setsockopt bind listen");
  assert_budget("unix-server", "socket bind listen");
  unlink("budget");
  listener = opened(&(socket99_config){.path = "budget", .server = true});
  assert_budget("unix-client", "socket connect");
  close(listener);
  unlink("budget");
}


#define TEST(name) cmocka_unit_test_setup_teardown(name, count_descriptors, recount_descriptors)

int main(int count, char **arguments) {
  static char absolute[PATH_MAX];
  const struct CMUnitTest tests[] = {
      TEST(test_tcp_clients),
      TEST(test_tcp_clients_that_fail),
      TEST(test_udp),
      TEST(test_tcp_servers),
      TEST(test_unix_sockets),
      TEST(test_abstract_and_seqpacket),
      TEST(test_configuration_errors_come_from_start),
      TEST(test_times_out_of_range_are_configuration_errors),
      TEST(test_times_at_the_ends_of_their_range),
      TEST(test_a_name_a_service_and_options_are_copied),
      TEST(test_each_place_for_an_option_is_copied),
      TEST(test_without_a_descriptor_an_opening_does_not_start),
      TEST(test_membership_strings_are_copied),
      TEST(test_paths_with_nuls_are_copied_by_length),
      TEST(test_a_path_without_a_length_is_copied),
      TEST(test_after_the_end_a_step_fails_and_nothing_is_due),
      TEST(test_after_a_failure_a_step_fails),
      TEST(test_a_connection_works_and_is_in_no_poller),
      TEST(test_cancel_before_the_first_step),
      TEST(test_cancel_in_the_lookup),
      TEST(test_cancel_in_the_race),
      TEST(test_cancel_while_a_unix_listener_is_full),
      TEST(test_a_full_unix_listener_is_tried_again_until_it_accepts),
      TEST(test_a_full_unix_listener_cannot_outlast_the_deadline),
      TEST(test_a_dead_address_cannot_outlast_the_deadline),
      TEST(test_the_timeout_tells_when_a_step_is_due),
      TEST(test_a_connection_that_is_there_wins_over_the_deadline),
      TEST(test_a_dead_first_address_costs_one_attempt_delay),
      TEST(test_a_child_cannot_disturb_its_parents_opening),
      TEST(test_a_child_leaves_the_parents_poller_alone),
      TEST(test_a_child_closes_nothing_that_took_the_place_of_a_poller),
      TEST(test_a_child_leaves_the_options_alone),
      TEST(test_resolve_tells_the_addresses),
      TEST(test_resolve_tells_why_not),
      TEST(test_one_candidate_and_no_deadline_cost_nothing_more),
  };
  if (count > 1)
    return open_once(arguments[1]);
  program = realpath(arguments[0], absolute);
  threads_at_first = thread_count();
#if defined(__SANITIZE_THREAD__)
  threads_at_first++; /* the sanitizer's own, which comes with the first of ours */
#endif
  return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
