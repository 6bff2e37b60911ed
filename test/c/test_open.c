/*
** test_open.c: every kind of socket, opened and talked over.
**
** What is asked for is what is opened: the address, the flags, the options.
*/

#include "sockets.h"

#define LIMIT (sizeof(((struct sockaddr_un *)0)->sun_path))


/*
** Streams
*/

static const struct {
  const char *host; /* where it is bound; NULL: Unix */
  bool ipv6;
  socket99_config server, client;
} streams[] = {
    {"127.0.0.1", false, {.host = "127.0.0.1"}, {.host = "127.0.0.1"}},
    {"127.0.0.1", false, {.ipv4 = "127.0.0.1"}, {.ipv4 = "127.0.0.1"}},
    {"127.0.0.1", false, {.ipv4 = "127.0.0.1"}, {.host = NULL}},
    {"127.0.0.1", false, {.ipv4 = "127.0.0.1"}, {.family = AF_INET}},
    {"127.0.0.1", false, {.host = "::ffff:127.0.0.1"}, {.host = "::ffff:127.0.0.1"}},
    {"0.0.0.0", false, {.family = AF_INET}, {.ipv4 = "127.0.0.1"}},
    {"0.0.0.0", false, {.ipv4 = "0.0.0.0"}, {.ipv4 = "127.0.0.1"}},
    {"::1", true, {.host = "::1"}, {.host = "::1"}},
    {"::1", true, {.ipv6 = "::1"}, {.ipv6 = "::1"}},
    {"::1", true, {.ipv6 = "::1"}, {.host = NULL}},
    {"::1", true, {.ipv6 = "::1"}, {.family = AF_INET6}},
    {"::", true, {.family = AF_INET6}, {.ipv6 = "::1"}},
    {"::", true, {.ipv6 = "::"}, {.ipv6 = "::1"}},
    {"::", true, {.host = NULL}, {.ipv6 = "::1"}},
    {"::", true, {.host = NULL}, {.ipv4 = "127.0.0.1"}},
    {"::", true, {.host = NULL}, {.host = NULL}},
    {NULL, false, {.path = "s"}, {.path = "s"}},
    {NULL, false, {.path = "s", .family = AF_UNIX}, {.path = "./s"}},
    {NULL, false, {.path = "s", .seqpacket = true}, {.path = "s", .seqpacket = true}},
#if defined(__linux__)
    {NULL,
     false,
     {.path = "\0s99\0open", .path_len = 9},
     {.path = "\0s99\0openX", .path_len = 9, .family = AF_UNIX}},
#endif
};


static void assert_flags(int fd, const socket99_config *cfg) {
  assert_int_equal((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, cfg->nonblocking);
  assert_int_equal((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0, !cfg->inherit);
}


static void assert_stream(const char *host, socket99_config server, socket99_config client) {
  int listener, connected, peer;
  listener = opened(&server);
  assert_flags(listener, &server);
  if (host != NULL) {
    assert_string_equal(own_host(listener), host);
    assert_true(own_port(listener) > 0);
    client.port = own_port(listener);
  }
  connected = opened(&client);
  assert_flags(connected, &client);
  peer = accepted(listener);
  assert_flows(connected, peer);
  assert_flows(peer, connected);
  assert_int_equal(option_of(listener, SOL_SOCKET, SO_TYPE),
                   server.seqpacket ? SOCK_SEQPACKET : SOCK_STREAM);
  close(peer);
  close(connected);
  close(listener);
  if (server.path != NULL && server.path[0] != '\0')
    assert_int_equal(unlink(server.path), 0);
}


static void test_streams_of_every_kind_carry_data_both_ways(void **state) {
  int before = descriptors();
  bool ipv6 = have_ipv6();
  size_t i;
  int flags;
  (void)state;
  for (i = 0; i < COUNT(streams); i++) {
    socket99_config server = streams[i].server, client = streams[i].client;
    if (streams[i].ipv6 && !ipv6)
      continue;
    server.server = true;
    for (flags = 0; flags < 4; flags++) {
      server.nonblocking = client.nonblocking = (flags & 1) != 0;
      server.inherit = client.inherit = (flags & 2) != 0;
      assert_stream(streams[i].host, server, client);
    }
  }
  assert_int_equal(descriptors(), before);
}


static void test_an_address_asked_for_is_the_only_one_listened_on(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true};
  socket99_config client = {.ipv4 = "127.0.0.2"};
  int listener = opened(&server);
  (void)state;
  client.port = own_port(listener);
  failure(&client, SOCKET99_ERROR_CONNECT, ECONNREFUSED);
  close(listener);
}


static void test_an_explicit_ipv6_wildcard_takes_no_ipv4(void **state) {
  socket99_config server = {.ipv6 = "::", .server = true};
  socket99_config client = {.ipv4 = "127.0.0.1"};
  int listener;
  (void)state;
  need_ipv6();
  listener = opened(&server);
  client.port = own_port(listener);
  assert_int_equal(option_of(listener, IPPROTO_IPV6, IPV6_V6ONLY), 1);
  failure(&client, SOCKET99_ERROR_CONNECT, ECONNREFUSED);
  close(listener);
}


static void test_v6only_said_by_the_program_wins(void **state) {
  socket99_option only = {"v6only", 0, 0, {.kind = SOCKET99_BOOLEAN}};
  socket99_config server = {.ipv6 = "::", .server = true, .options = &only, .option_count = 1};
  socket99_config any = {.server = true, .options = &only, .option_count = 1};
  socket99_config client = {.ipv4 = "127.0.0.1"};
  int listener;
  (void)state;
  need_ipv6();
  listener = opened(&server);
  client.port = own_port(listener);
  assert_listens(listener, client);
  close(listener);

  only.value.integer = 1;
  listener = opened(&any);
  client.port = own_port(listener);
  failure(&client, SOCKET99_ERROR_CONNECT, ECONNREFUSED);
  close(listener);
}


/* An option of both families goes to both on a dual-stack socket, and only there. */
static void test_options_of_both_families_are_set_on_both_where_both_come_in(void **state) {
  socket99_option hops = {"ttl", 0, 0, {.kind = SOCKET99_INTEGER, .integer = 77}};
  socket99_config any = {.server = true, .options = &hops, .option_count = 1};
  socket99_config only6 = {.server = true, .family = AF_INET6, .options = &hops, .option_count = 1};
  int fd;
  (void)state;
  need_ipv6();
  fd = opened(&any);
  assert_int_equal(option_of(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 77);
  assert_int_equal(option_of(fd, IPPROTO_IP, IP_TTL), 77);
  close(fd);
  fd = opened(&only6);
  assert_int_equal(option_of(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 77);
  assert_int_not_equal(option_of(fd, IPPROTO_IP, IP_TTL), 77);
  close(fd);
}


static void test_the_backlog_is_the_one_given(void **state) {
  socket99_config server = {.path = "s", .server = true, .backlog_size = 1};
  socket99_config client = {.path = "s", .unconnected = true, .nonblocking = true};
  struct s99_address address;
  int listener = opened(&server), fds[8], i, refused = 0;
  (void)state;
  assert_true(s99_unix("s", 1, &address));
  for (i = 0; i < 8; i++) {
    fds[i] = opened(&client);
    refused += connect(fds[i], &address.addr.sa, address.len) != 0 && errno == EAGAIN;
  }
  assert_true(refused >= 4);
  for (i = 0; i < 8; i++)
    close(fds[i]);
  close(listener);
  unlink("s");
}


static void test_a_server_can_restart_beside_its_closed_connections(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true};
  socket99_config client = {.ipv4 = "127.0.0.1"};
  int listener = opened(&server), connected, peer;
  (void)state;
  server.port = client.port = own_port(listener);
  connected = opened(&client);
  peer = accepted(listener);
  close(peer);
  close(connected);
  close(listener);
  close(opened(&server));
}


static void test_a_used_port_is_an_error(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true};
  int listener = opened(&server);
  char step[64];
  (void)state;
  server.port = own_port(listener);
  snprintf(step, sizeof(step), "bind 127.0.0.1:%d", server.port);
  assert_string_equal(failure(&server, SOCKET99_ERROR_BIND, EADDRINUSE), told(step, EADDRINUSE));
  close(listener);
}


/* Otherwise a second server would slide from :: to 0.0.0.0. */
static void test_a_used_port_is_final_for_a_server_on_every_address(void **state) {
  socket99_config owner = {.ipv6 = "::1", .server = true};
  socket99_config any = {.server = true};
  int listener;
  (void)state;
  need_ipv6();
  listener = opened(&owner);
  any.port = own_port(listener);
  assert_non_null(strstr(failure(&any, SOCKET99_ERROR_BIND, EADDRINUSE), "bind [::]:"));
  close(listener);
}


/* With a local port of the caller's, any port can be the same at both ends. */
static void assert_not_connected_to_itself(const char *host, const char *bind_host, bool waits) {
  socket99_config cfg = {.host = (char *)host, .server = true};
  socket99_result res;
  int fd = opened(&cfg);
  cfg.server = false;
  cfg.bind_host = bind_host;
  cfg.port = cfg.bind_port = own_port(fd);
  cfg.timeout_ms = waits ? 0 : 5000;
  close(fd);
  if (socket99_open(&cfg, &res))
    fail_msg("connected to itself on %s", host);
  assert_int_equal(res.status, SOCKET99_ERROR_CONNECT);
  assert_int_equal(res.saved_errno, ECONNREFUSED);
}


static void test_a_client_of_a_connection_to_itself_is_refused(void **state) {
  static const char *const hosts[][2] = {{"127.0.0.1", "127.0.0.1"},
                                         {"127.9.9.9", "127.9.9.9"},
                                         {"0.0.0.0", "127.0.0.1"},
                                         {"0.0.0.0", NULL},
                                         {"::1", "::1"},
                                         {"::", "::1"}};
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
    if (strchr(hosts[i][0], ':') != NULL && !have_ipv6())
      continue;
    assert_not_connected_to_itself(hosts[i][0], hosts[i][1], true);
    assert_not_connected_to_itself(hosts[i][0], hosts[i][1], false);
  }
}


static void test_a_client_without_a_host_tries_both_loopback_addresses(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true};
  socket99_config client = {.host = NULL};
  char expected[128];
  int fd = opened(&server);
  (void)state;
  client.port = own_port(fd);
  close(fd);
  snprintf(expected, sizeof(expected), "connect 127.0.0.1:%d: Connection refused", client.port);
  assert_string_equal(failure(&client, SOCKET99_ERROR_CONNECT, ECONNREFUSED), expected);
}


static void test_a_full_unix_backlog_is_waited_for(void **state) {
  socket99_config server = {.path = "s", .server = true, .backlog_size = 1};
  socket99_config client = {.path = "s", .nonblocking = true};
  int listener = opened(&server), first = opened(&client), second = opened(&client), third, i;
  pid_t child = fork();
  (void)state;
  assert_true(child >= 0);
  if (child == 0) {
    usleep(100000);
    for (i = 0; i < 3; i++)
      accept(listener, NULL, NULL);
    _exit(0);
  }
  third = opened(&client);
  close(third);
  close(second);
  close(first);
  close(listener);
  assert_int_equal(waitpid(child, &i, 0), child);
  unlink("s");
}


/*
** Datagrams
*/

static void assert_datagrams(socket99_config server, socket99_config client) {
  int receiver, sender, flags;
  server.server = server.datagram = client.datagram = true;
  for (flags = 0; flags < 4; flags++) {
    server.nonblocking = client.nonblocking = (flags & 1) != 0;
    server.inherit = client.inherit = (flags & 2) != 0;
    receiver = opened(&server);
    assert_flags(receiver, &server);
    if (server.path == NULL)
      client.port = own_port(receiver);
    sender = opened(&client);
    assert_flags(sender, &client);
    assert_true(is_connected(sender));
    assert_flows(sender, receiver);
    assert_int_equal(option_of(sender, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
    close(sender);
    close(receiver);
    if (server.path != NULL && server.path[0] != '\0')
      assert_int_equal(unlink(server.path), 0);
  }
}


static void test_datagrams_of_every_kind_arrive(void **state) {
  (void)state;
  assert_datagrams((socket99_config){.host = "127.0.0.1"}, (socket99_config){.host = "127.0.0.1"});
  assert_datagrams((socket99_config){.ipv4 = "127.0.0.1"}, (socket99_config){.ipv4 = "127.0.0.1"});
  assert_datagrams((socket99_config){.host = NULL}, (socket99_config){.ipv4 = "127.0.0.1"});
  assert_datagrams((socket99_config){.path = "d"}, (socket99_config){.path = "d"});
#if defined(__linux__)
  assert_datagrams((socket99_config){.path = "\0s99-d", .path_len = 6},
                   (socket99_config){.path = "\0s99-d", .path_len = 6});
#endif
  if (have_ipv6()) {
    assert_datagrams((socket99_config){.ipv6 = "::1"}, (socket99_config){.host = "::1"});
    assert_datagrams((socket99_config){.host = NULL}, (socket99_config){.ipv6 = "::1"});
  }
}


static void test_errors_of_a_datagrams_peer_arrive(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true, .datagram = true};
  socket99_config client = {.ipv4 = "127.0.0.1", .datagram = true};
  int fd = opened(&server);
  (void)state;
  client.port = own_port(fd);
  close(fd);
  fd = opened(&client);
  assert_int_equal(send(fd, "x", 1, 0), 1);
  await(fd, POLLIN);
  assert_int_equal(option_of(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  close(fd);
}


static void test_two_datagram_servers_do_not_share_a_port(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true, .datagram = true};
  int fd = opened(&server);
  (void)state;
  server.port = own_port(fd);
  failure(&server, SOCKET99_ERROR_BIND, EADDRINUSE);
  close(fd);
}


static void assert_unconnected(socket99_config cfg, int family, int type) {
  struct s99_address own;
  int fd = opened(&cfg);
  assert_flags(fd, &cfg);
  assert_false(is_connected(fd));
  own_address(fd, &own);
  assert_int_equal(own.addr.sa.sa_family, family);
  assert_int_equal(option_of(fd, SOL_SOCKET, SO_TYPE), type);
  assert_int_equal(option_of(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
  close(fd);
}


static void test_a_datagram_client_without_an_address_is_not_connected(void **state) {
  (void)state;
  assert_unconnected((socket99_config){.datagram = true}, AF_INET, SOCK_DGRAM);
  assert_unconnected((socket99_config){.datagram = true, .family = AF_UNIX}, AF_UNIX, SOCK_DGRAM);
  if (have_ipv6())
    assert_unconnected((socket99_config){.datagram = true, .family = AF_INET6}, AF_INET6,
                       SOCK_DGRAM);
}


/* Replies come from others there. */
static void test_a_client_of_a_broadcast_or_multicast_address_is_not_connected(void **state) {
  socket99_option on = {"broadcast", 0, 0, {.kind = SOCKET99_BOOLEAN, .integer = 1}};
  socket99_config cfg = {.datagram = true, .port = 9, .host = "224.0.0.1"};
  (void)state;
  assert_unconnected(cfg, AF_INET, SOCK_DGRAM);
  cfg.host = "255.255.255.255";
  assert_unconnected(cfg, AF_INET, SOCK_DGRAM);
  cfg.options = &on;
  cfg.option_count = 1;
  assert_unconnected(cfg, AF_INET, SOCK_DGRAM);
  cfg.host = "127.255.255.255";
  assert_unconnected(cfg, AF_INET, SOCK_DGRAM);
  cfg.host = "ff02::1";
  if (have_ipv6())
    assert_unconnected(cfg, AF_INET6, SOCK_DGRAM);
}


/*
** Only created
*/

static void test_an_unconnected_socket_is_only_created(void **state) {
  socket99_config cfg = {.unconnected = true};
  int flags;
  (void)state;
  for (flags = 0; flags < 4; flags++) {
    cfg.nonblocking = (flags & 1) != 0;
    cfg.inherit = (flags & 2) != 0;
    assert_unconnected(cfg, AF_INET, SOCK_STREAM);
    cfg.family = AF_UNIX;
    assert_unconnected(cfg, AF_UNIX, SOCK_STREAM);
    cfg.seqpacket = true;
    assert_unconnected(cfg, AF_UNIX, SOCK_SEQPACKET);
    cfg.seqpacket = false;
    cfg.path = "nobody-is-there";
    assert_unconnected(cfg, AF_UNIX, SOCK_STREAM);
    cfg.path = NULL;
    cfg.family = 0;
    cfg.host = "127.0.0.1";
    assert_unconnected(cfg, AF_INET, SOCK_STREAM);
    cfg.port = 9;
    cfg.datagram = true;
    assert_unconnected(cfg, AF_INET, SOCK_DGRAM);
    cfg.host = NULL;
    cfg.datagram = false;
    cfg.port = 0;
  }
}


static void test_an_unconnected_server_is_bound_and_does_not_listen(void **state) {
  socket99_config cfg = {.unconnected = true, .server = true, .ipv4 = "127.0.0.1"};
  int fd = opened(&cfg);
  (void)state;
  assert_true(own_port(fd) > 0);
  assert_int_equal(option_of(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
  assert_int_equal(listen(fd, 1), 0);
  close(fd);
}


/*
** A client's own address
*/

static void test_a_client_comes_from_the_address_it_binds(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true};
  socket99_config client = {.ipv4 = "127.0.0.1", .bind_host = "127.0.0.3"};
  struct s99_address peer;
  int listener = opened(&server), connected, fd, free_port;
  (void)state;
  client.port = own_port(listener);
  connected = opened(&client);
  fd = accepted(listener);
  peer_address(fd, &peer);
  assert_int_equal(ntohl(peer.addr.in.sin_addr.s_addr), 0x7f000003);
  close(fd);
  close(connected);

  /* Free for TCP: one that is free for UDP may be taken there. */
  fd = opened(&server);
  free_port = own_port(fd);
  close(fd);
  client.bind_host = NULL;
  client.bind_port = free_port;
  connected = opened(&client);
  assert_int_equal(own_port(connected), free_port);
  assert_string_equal(own_host(connected), "127.0.0.1");
  close(connected);
  close(listener);
}


static void test_an_unconnected_socket_takes_the_family_of_what_it_binds(void **state) {
  socket99_config cfg = {.unconnected = true, .bind_host = "127.0.0.1"};
  int fd = opened(&cfg);
  (void)state;
  assert_string_equal(own_host(fd), "127.0.0.1");
  close(fd);
  cfg.datagram = true;
  cfg.bind_path = "own";
  cfg.bind_host = NULL;
  assert_unconnected(cfg, AF_UNIX, SOCK_DGRAM);
  assert_int_equal(unlink("own"), 0);
  if (have_ipv6()) {
    cfg.bind_path = NULL;
    cfg.bind_host = "::1";
    fd = opened(&cfg);
    assert_string_equal(own_host(fd), "::1");
    close(fd);
  }
}


static void test_an_own_address_of_another_family_fails_to_bind(void **state) {
  socket99_config cfg = {.ipv4 = "127.0.0.1", .port = 9, .bind_host = "::1", .bind_port = 7};
  (void)state;
  assert_string_equal(failure(&cfg, SOCKET99_ERROR_BIND, EAFNOSUPPORT),
                      told("bind [::1]:7", EAFNOSUPPORT));
  cfg.unconnected = true;
  failure(&cfg, SOCKET99_ERROR_BIND, EAFNOSUPPORT);
  cfg.ipv4 = NULL;
  cfg.ipv6 = "::1";
  cfg.bind_host = "127.0.0.1";
  failure(&cfg, SOCKET99_ERROR_BIND, EAFNOSUPPORT);
}


/* A local port alone is bound in the family of each candidate. */
static void test_a_used_local_port_is_named_with_the_family_of_the_candidate(void **state) {
  socket99_config server = {.server = true};
  socket99_config client = {.ipv4 = "127.0.0.1", .port = 9};
  char step[64];
  int listener;
  (void)state;
  need_ipv6();
  listener = opened(&server);
  client.bind_port = own_port(listener);
  snprintf(step, sizeof(step), "bind 0.0.0.0:%d", client.bind_port);
  assert_string_equal(failure(&client, SOCKET99_ERROR_BIND, EADDRINUSE), told(step, EADDRINUSE));
  client.ipv4 = NULL;
  client.ipv6 = "::1";
  snprintf(step, sizeof(step), "bind [::]:%d", client.bind_port);
  assert_string_equal(failure(&client, SOCKET99_ERROR_BIND, EADDRINUSE), told(step, EADDRINUSE));
  close(listener);
}


/* No host: of ::1 and 127.0.0.1 only the one of bind's family is tried. */
static void test_an_own_address_chooses_the_family(void **state) {
  socket99_config server = {.server = true};
  socket99_config client = {.bind_host = "127.0.0.1"};
  int listener = opened(&server), fd;
  (void)state;
  client.port = own_port(listener);
  fd = opened(&client);
  assert_string_equal(own_host(fd), "127.0.0.1");
  close(fd);
  close(listener);
}


static void test_a_unix_client_may_have_a_name(void **state) {
  socket99_config server = {.path = "s", .server = true, .datagram = true};
  socket99_config client = {.path = "s", .datagram = true, .bind_path = "own"};
  int receiver = opened(&server), sender = opened(&client);
  struct s99_address from;
  char byte;
  (void)state;
  assert_int_equal(send(sender, "x", 1, 0), 1);
  from.len = sizeof(from.addr);
  assert_int_equal(recvfrom(receiver, &byte, 1, 0, &from.addr.sa, &from.len), 1);
  assert_string_equal(from.addr.un.sun_path, "own");
  close(sender);
  assert_int_equal(unlink("own"), 0);
#if defined(__linux__)
  client.bind_path = "\0own";
  client.bind_path_len = 4;
  sender = opened(&client);
  assert_int_equal(send(sender, "x", 1, 0), 1);
  from.len = sizeof(from.addr);
  assert_int_equal(recvfrom(receiver, &byte, 1, 0, &from.addr.sa, &from.len), 1);
  assert_int_equal(from.len, offsetof(struct sockaddr_un, sun_path) + 4);
  assert_memory_equal(from.addr.un.sun_path, "\0own", 4);
  close(sender);
#endif
  close(receiver);
  unlink("s");
}


static void test_a_client_that_fails_leaves_no_file_of_its_own(void **state) {
  socket99_config client = {.path = "nobody", .bind_path = "own"};
  (void)state;
  failure(&client, SOCKET99_ERROR_CONNECT, ENOENT);
  assert_int_equal(access("own", F_OK), -1);
}


static void test_a_client_that_cannot_bind_leaves_the_file_that_is_there(void **state) {
  socket99_config server = {.path = "own", .server = true};
  socket99_config client = {.path = "own", .bind_path = "own"};
  int listener = opened(&server);
  (void)state;
  assert_string_equal(failure(&client, SOCKET99_ERROR_BIND, EADDRINUSE),
                      told("bind own", EADDRINUSE));
  assert_int_equal(access("own", F_OK), 0);
  close(listener);
  unlink("own");
}


/*
** Paths and ports
*/

static void test_a_path_of_exactly_the_limit_is_taken_whole(void **state) {
  char path[LIMIT];
  socket99_config server = {.path = path, .server = true};
  socket99_config client = {.path = path};
  int listener;
  (void)state;
  memset(path, 'p', sizeof(path));
  path[LIMIT - 1] = '\0';
  listener = opened(&server);
  assert_listens(listener, client);
  close(listener);
  assert_int_equal(unlink(path), 0);
}


static void test_a_path_ends_where_its_length_says(void **state) {
  socket99_config server = {.path = "short-and-more", .path_len = 5, .server = true};
  int listener = opened(&server);
  (void)state;
  assert_listens(listener, (socket99_config){.path = "short"});
  close(listener);
  assert_int_equal(unlink("short"), 0);
}


#if defined(__linux__)
static void test_an_abstract_name_has_every_byte_that_is_given(void **state) {
  char name[LIMIT];
  socket99_config server = {.path = name, .path_len = LIMIT, .server = true};
  socket99_config client = {.path = name, .path_len = LIMIT};
  struct s99_address own;
  int listener;
  (void)state;
  memset(name, 'n', sizeof(name));
  name[0] = name[50] = '\0';
  listener = opened(&server);
  own_address(listener, &own);
  assert_int_equal(own.len, sizeof(struct sockaddr_un));
  assert_memory_equal(own.addr.un.sun_path, name, LIMIT);
  assert_listens(listener, client);
  client.path_len = LIMIT - 1;
  failure(&client, SOCKET99_ERROR_CONNECT, ECONNREFUSED);
  close(listener);
}
#endif


static void test_a_service_may_be_a_number(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true, .service = "0"};
  socket99_config client = {.ipv4 = "127.0.0.1"};
  char service[8];
  int listener = opened(&server);
  (void)state;
  snprintf(service, sizeof(service), "%d", own_port(listener));
  client.service = service;
  assert_listens(listener, client);
  close(listener);
}


static void test_an_unknown_service_is_an_error_of_the_lookup(void **state) {
  socket99_config cfg = {.ipv4 = "127.0.0.1", .service = "s99-no-such-service"};
  int before = descriptors();
  socket99_result res;
  (void)state;
  assert_false(socket99_open(&cfg, &res));
  assert_int_equal(res.status, SOCKET99_ERROR_GETADDRINFO);
  assert_int_equal(res.getaddrinfo_error, EAI_SERVICE);
  assert_int_equal(res.fd, -1);
  assert_string_equal(res.where, "s99-no-such-service");
  assert_int_equal(descriptors(), before);
}


/*
** Options
*/

static void test_options_are_set_by_name_and_by_number(void **state) {
  socket99_option options[] = {
      {"rcvbuf", 0, 0, {.kind = SOCKET99_INTEGER, .integer = 20000}},
      {"SO_KEEPALIVE", 0, 0, {.kind = SOCKET99_BOOLEAN, .integer = 1}},
      {"tcp-nodelay", 0, 0, {.kind = SOCKET99_BOOLEAN, .integer = 1}},
      {NULL, SOL_SOCKET, SO_OOBINLINE, {.kind = SOCKET99_INTEGER, .integer = 1}},
      {NULL, IPPROTO_IP, IP_TTL, {.kind = SOCKET99_INTEGER, .integer = 33}},
      {"linger", 0, 0, {.kind = SOCKET99_SECONDS, .seconds = 7}},
  };
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true};
  socket99_config client = {
      .ipv4 = "127.0.0.1", .options = options, .option_count = COUNT(options)};
  struct linger linger;
  socklen_t length = sizeof(linger);
  int listener = opened(&server), fd;
  (void)state;
  client.port = own_port(listener);
  fd = opened(&client);
  assert_true(option_of(fd, SOL_SOCKET, SO_RCVBUF) >= 20000);
  assert_true(option_of(fd, SOL_SOCKET, SO_RCVBUF) <= 40000);
  assert_int_not_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
  assert_int_not_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 0);
  assert_int_not_equal(option_of(fd, SOL_SOCKET, SO_OOBINLINE), 0);
  assert_int_equal(option_of(fd, IPPROTO_IP, IP_TTL), 33);
  assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length), 0);
  assert_int_equal(linger.l_linger, 7);
  close(fd);
  close(listener);
}


static void test_options_by_number_override_the_old_ones(void **state) {
  int small = 8000;
  socket99_option large = {NULL, SOL_SOCKET, SO_RCVBUF, {.kind = SOCKET99_INTEGER}};
  socket99_config cfg = {.unconnected = true, .options = &large, .option_count = 1};
  int fd;
  (void)state;
  large.value.integer = 50000;
  cfg.sockopts[0] = (socket99_sockopt){SO_RCVBUF, &small, sizeof(small)};
  fd = opened(&cfg);
  assert_true(option_of(fd, SOL_SOCKET, SO_RCVBUF) >= 50000);
  close(fd);
}


static void test_reuseaddr_is_the_default_of_tcp_servers_only(void **state) {
  socket99_option off = {"reuseaddr", 0, 0, {.kind = SOCKET99_BOOLEAN}};
  int zero = 0;
  socket99_config cfg = {.ipv4 = "127.0.0.1", .server = true};
  int fd = opened(&cfg);
  (void)state;
  assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 1);
  close(fd);

  cfg.options = &off;
  cfg.option_count = 1;
  fd = opened(&cfg);
  assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 0);
  close(fd);

  cfg.option_count = 0;
  cfg.sockopts[0] = (socket99_sockopt){SO_REUSEADDR, &zero, sizeof(zero)};
  fd = opened(&cfg);
  assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 0);
  close(fd);

  cfg.sockopts[0].option_id = 0;
  cfg.datagram = true;
  fd = opened(&cfg);
  assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 0);
  close(fd);
}


static void test_an_option_that_the_system_refuses_names_itself(void **state) {
  socket99_option none = {NULL, SOL_SOCKET, 9999, {.kind = SOCKET99_INTEGER, .integer = 1}};
  socket99_option misplaced = {"tcp_nodelay", 0, 0, {.kind = SOCKET99_BOOLEAN, .integer = 1}};
  socket99_config cfg = {.server = true, .ipv4 = "127.0.0.1", .options = &none, .option_count = 1};
  int value = 1;
  char expected[128];
  (void)state;
  snprintf(expected, sizeof(expected), "setsockopt level %d option 9999: Protocol not available",
           SOL_SOCKET);
  assert_string_equal(failure(&cfg, SOCKET99_ERROR_SETSOCKOPT, ENOPROTOOPT), expected);
  cfg.option_count = 0;
  cfg.sockopts[0] = (socket99_sockopt){9999, &value, sizeof(value)};
  assert_string_equal(failure(&cfg, SOCKET99_ERROR_SETSOCKOPT, ENOPROTOOPT), expected);
  cfg.sockopts[0] = (socket99_sockopt){SO_RCVBUF, &value, 1};
  failure(&cfg, SOCKET99_ERROR_SETSOCKOPT, EINVAL);

  cfg.sockopts[0].option_id = 0;
  cfg.ipv4 = NULL;
  cfg.path = "s";
  cfg.options = &misplaced;
  cfg.option_count = 1;
  assert_string_equal(failure(&cfg, SOCKET99_ERROR_SETSOCKOPT, EOPNOTSUPP),
                      told("setsockopt TCP_NODELAY", EOPNOTSUPP));
  assert_int_equal(access("s", F_OK), -1);
}


/*
** Failures, each with the words of the system
*/

static void test_a_refused_connection_is_told(void **state) {
  socket99_config server = {.ipv4 = "127.0.0.1", .server = true};
  socket99_config client = {.ipv4 = "127.0.0.1", .nonblocking = true};
  char expected[128];
  int fd = opened(&server);
  (void)state;
  client.port = own_port(fd);
  close(fd);
  snprintf(expected, sizeof(expected), "connect 127.0.0.1:%d: Connection refused", client.port);
  assert_string_equal(failure(&client, SOCKET99_ERROR_CONNECT, ECONNREFUSED), expected);
}


static void test_an_address_of_another_machine_cannot_be_listened_on(void **state) {
  socket99_config cfg = {.ipv4 = "203.0.113.7", .server = true, .port = 0};
  (void)state;
  assert_string_equal(failure(&cfg, SOCKET99_ERROR_BIND, EADDRNOTAVAIL),
                      told("bind 203.0.113.7:0", EADDRNOTAVAIL));
}


static void test_missing_files_and_directories_are_told(void **state) {
  (void)state;
  assert_string_equal(failure(&(socket99_config){.path = "none"}, SOCKET99_ERROR_CONNECT, ENOENT),
                      "connect none: No such file or directory");
  assert_string_equal(
      failure(&(socket99_config){.path = "none", .datagram = true}, SOCKET99_ERROR_CONNECT, ENOENT),
      "connect none: No such file or directory");
  assert_string_equal(
      failure(&(socket99_config){.path = "no/where", .server = true}, SOCKET99_ERROR_BIND, ENOENT),
      "bind no/where: No such file or directory");
}


static void test_a_unix_server_of_another_type_is_told(void **state) {
  socket99_config server = {.path = "s", .server = true, .datagram = true};
  int fd = opened(&server);
  (void)state;
  assert_string_equal(failure(&(socket99_config){.path = "s"}, SOCKET99_ERROR_CONNECT, EPROTOTYPE),
                      "connect s: Protocol wrong type for socket");
  close(fd);
  assert_string_equal(
      failure(&(socket99_config){.path = "s"}, SOCKET99_ERROR_CONNECT, ECONNREFUSED),
      "connect s: Connection refused");
  unlink("s");
}


static void test_no_more_descriptors_is_told(void **state) {
  socket99_config cfg = {.ipv4 = "127.0.0.1", .server = true, .port = 0};
  struct rlimit before, none;
  char text[256];
  socket99_result res;
  bool ok;
  (void)state;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = before;
  none.rlim_cur = 0;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  ok = socket99_open(&cfg, &res);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_false(ok);
  socket99_snprintf(text, sizeof(text), &res);
  assert_string_equal(text, told("socket 127.0.0.1:0", EMFILE));
  assert_int_equal(res.fd, -1);
  assert_int_equal(res.saved_errno, EMFILE);
}


/* A result of an earlier call is no matter. */
static void test_a_result_may_be_used_again(void **state) {
  socket99_config bad = {.path = "none"};
  socket99_config good = {.unconnected = true};
  socket99_result res;
  (void)state;
  assert_false(socket99_open(&bad, &res));
  assert_true(socket99_open(&good, &res));
  assert_int_equal(res.status, SOCKET99_OK);
  assert_string_equal(res.where, "");
  close(res.fd);
}


int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_streams_of_every_kind_carry_data_both_ways),
    cmocka_unit_test(test_an_address_asked_for_is_the_only_one_listened_on),
    cmocka_unit_test(test_an_explicit_ipv6_wildcard_takes_no_ipv4),
    cmocka_unit_test(test_v6only_said_by_the_program_wins),
    cmocka_unit_test(test_options_of_both_families_are_set_on_both_where_both_come_in),
    cmocka_unit_test(test_the_backlog_is_the_one_given),
    cmocka_unit_test(test_a_server_can_restart_beside_its_closed_connections),
    cmocka_unit_test(test_a_used_port_is_an_error),
    cmocka_unit_test(test_a_used_port_is_final_for_a_server_on_every_address),
    cmocka_unit_test(test_a_client_of_a_connection_to_itself_is_refused),
    cmocka_unit_test(test_a_client_without_a_host_tries_both_loopback_addresses),
    cmocka_unit_test(test_a_full_unix_backlog_is_waited_for),
    cmocka_unit_test(test_datagrams_of_every_kind_arrive),
    cmocka_unit_test(test_errors_of_a_datagrams_peer_arrive),
    cmocka_unit_test(test_two_datagram_servers_do_not_share_a_port),
    cmocka_unit_test(test_a_datagram_client_without_an_address_is_not_connected),
    cmocka_unit_test(test_a_client_of_a_broadcast_or_multicast_address_is_not_connected),
    cmocka_unit_test(test_an_unconnected_socket_is_only_created),
    cmocka_unit_test(test_an_unconnected_server_is_bound_and_does_not_listen),
    cmocka_unit_test(test_a_client_comes_from_the_address_it_binds),
    cmocka_unit_test(test_an_unconnected_socket_takes_the_family_of_what_it_binds),
    cmocka_unit_test(test_an_own_address_of_another_family_fails_to_bind),
    cmocka_unit_test(test_a_used_local_port_is_named_with_the_family_of_the_candidate),
    cmocka_unit_test(test_an_own_address_chooses_the_family),
    cmocka_unit_test(test_a_unix_client_may_have_a_name),
    cmocka_unit_test(test_a_client_that_fails_leaves_no_file_of_its_own),
    cmocka_unit_test(test_a_client_that_cannot_bind_leaves_the_file_that_is_there),
    cmocka_unit_test(test_a_path_of_exactly_the_limit_is_taken_whole),
    cmocka_unit_test(test_a_path_ends_where_its_length_says),
#if defined(__linux__)
    cmocka_unit_test(test_an_abstract_name_has_every_byte_that_is_given),
#endif
    cmocka_unit_test(test_a_service_may_be_a_number),
    cmocka_unit_test(test_an_unknown_service_is_an_error_of_the_lookup),
    cmocka_unit_test(test_options_are_set_by_name_and_by_number),
    cmocka_unit_test(test_options_by_number_override_the_old_ones),
    cmocka_unit_test(test_reuseaddr_is_the_default_of_tcp_servers_only),
    cmocka_unit_test(test_an_option_that_the_system_refuses_names_itself),
    cmocka_unit_test(test_a_refused_connection_is_told),
    cmocka_unit_test(test_an_address_of_another_machine_cannot_be_listened_on),
    cmocka_unit_test(test_missing_files_and_directories_are_told),
    cmocka_unit_test(test_a_unix_server_of_another_type_is_told),
    cmocka_unit_test(test_no_more_descriptors_is_told),
    cmocka_unit_test(test_a_result_may_be_used_again),
  };
  return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
