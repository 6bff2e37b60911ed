/*
** test_option.c: options by name, against the kernel's own getsockopt(2).
**
** What a kernel may refuse, since it is old or we are nobody, is accepted
** there by name and told ("skipped: …"); nothing else is.
*/

#include "internal.h"
#include "probe.h"

#include <grp.h>
#include <ifaddrs.h>
#include <stddef.h>
#include <sys/wait.h>

#if defined(__linux__)
#include <linux/filter.h>
#endif

/* Longer than the name of any interface. */
#define A60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Kinds of socket. */
enum endpoint { TCP4, UDP4, TCP6, UDP6, UNIX };

/* What was tried last. */
static const char *constant;

static const struct {
  int family, type;
} endpoints[] = {
    {AF_INET, SOCK_STREAM}, {AF_INET, SOCK_DGRAM},  {AF_INET6, SOCK_STREAM},
    {AF_INET6, SOCK_DGRAM}, {AF_UNIX, SOCK_STREAM},
};


/* -1, said aloud, where the system has no IPv6. */
static int open_endpoint(enum endpoint which) {
  int fd = socket(endpoints[which].family, endpoints[which].type, 0);
  if (fd < 0 && endpoints[which].family == AF_INET6)
    print_message("skipped: IPv6: %s\n", strerror(errno));
  else
    assert_true(fd >= 0);
  return fd;
}


/* An IPv6 datagram socket, IPv4 through it or not. */
static int open_udp6(int v6only) {
  int fd = open_endpoint(UDP6);
  if (fd < 0)
    skip();
  assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)), 0);
  return fd;
}


static socket99_value value_of(enum socket99_kind kind) {
  socket99_value value;
  memset(&value, 0, sizeof(value));
  value.kind = kind;
  return value;
}


static socket99_value boolean(int on) {
  socket99_value value = value_of(SOCKET99_BOOLEAN);
  value.integer = on;
  return value;
}


static socket99_value integer(long long number) {
  socket99_value value = value_of(SOCKET99_INTEGER);
  value.integer = number;
  return value;
}


static socket99_value seconds(double number) {
  socket99_value value = value_of(SOCKET99_SECONDS);
  value.seconds = number;
  return value;
}


static socket99_value bytes(const void *data, size_t length) {
  socket99_value value = value_of(SOCKET99_BYTES);
  value.bytes = data;
  value.length = length;
  return value;
}


static socket99_value text(const char *string) {
  return bytes(string, strlen(string));
}


static socket99_value member(const char *group, const char *interface) {
  socket99_value value = value_of(SOCKET99_MEMBERSHIP);
  value.group = group;
  value.interface = interface;
  return value;
}


static socket99_value source(const char *group, const char *from, const char *interface) {
  socket99_value value = member(group, interface);
  value.source = from;
  return value;
}


static int set(int fd, const char *name, socket99_value value) {
  return socket99_option_set(fd, name, &value);
}


static int get(int fd, const char *name, socket99_value *value) {
  static unsigned char buf[4096];
  return socket99_option_get(fd, name, value, buf, sizeof(buf));
}


static socket99_option named(const char *name, socket99_value value) {
  socket99_option option;
  memset(&option, 0, sizeof(option));
  option.name = name;
  option.value = value;
  return option;
}


static socket99_option numbered(int level, int id, socket99_value value) {
  socket99_option option = named(NULL, value);
  option.level = level;
  option.option_id = id;
  return option;
}


/* What the kernel itself says; int, whatever its width. */
static int ask(int fd, int level, int id) {
  int number = 0;
  socklen_t length = sizeof(number);
  assert_int_equal(getsockopt(fd, level, id, &number, &length), 0);
  return number;
}


static const char *label(const char *name, int type, int family) {
  static char buf[64];
  socket99_option option = named(name, boolean(0));
  s99_option_label(&option, type, family, buf, sizeof(buf));
  return buf;
}


/* What is wrong with a value; "" where nothing is. */
static const char *complaint(const char *name, socket99_value value) {
  static char why[256];
  socket99_option option = named(name, value);
  why[0] = '\0';
  if (s99_option_check(&option, SOCK_STREAM, why, sizeof(why)))
    assert_string_equal(why, "");
  else
    assert_string_not_equal(why, "");
  return why;
}


/* socket(7), tcp(7), udp(7), ip(7), ipv6(7), unix(7), and what came after them. */
/* clang-format off */
static const char *const documented[] = {
  "SO_ACCEPTCONN", "SO_ATTACH_FILTER", "SO_ATTACH_BPF", "SO_ATTACH_REUSEPORT_CBPF",
  "SO_ATTACH_REUSEPORT_EBPF", "SO_BINDTODEVICE", "SO_BROADCAST", "SO_BSDCOMPAT", "SO_DEBUG",
  "SO_DETACH_FILTER", "SO_DETACH_BPF", "SO_DOMAIN", "SO_ERROR", "SO_DONTROUTE",
  "SO_INCOMING_CPU", "SO_INCOMING_NAPI_ID", "SO_KEEPALIVE", "SO_LINGER", "SO_LOCK_FILTER",
  "SO_MARK", "SO_OOBINLINE", "SO_PASSCRED", "SO_PASSSEC", "SO_PEEK_OFF", "SO_PEERCRED",
  "SO_PEERSEC", "SO_PRIORITY", "SO_PROTOCOL", "SO_RCVBUF", "SO_RCVBUFFORCE", "SO_RCVLOWAT",
  "SO_SNDLOWAT", "SO_RCVTIMEO", "SO_SNDTIMEO", "SO_REUSEADDR", "SO_REUSEPORT", "SO_RXQ_OVFL",
  "SO_SELECT_ERR_QUEUE", "SO_SNDBUF", "SO_SNDBUFFORCE", "SO_TIMESTAMP", "SO_TIMESTAMPNS",
  "SO_TYPE", "SO_BUSY_POLL", "TCP_CONGESTION", "TCP_CORK", "TCP_DEFER_ACCEPT", "TCP_INFO",
  "TCP_KEEPCNT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_LINGER2", "TCP_MAXSEG", "TCP_NODELAY",
  "TCP_QUICKACK", "TCP_SYNCNT", "TCP_USER_TIMEOUT", "TCP_WINDOW_CLAMP", "TCP_FASTOPEN",
  "TCP_FASTOPEN_CONNECT", "UDP_CORK", "IP_ADD_MEMBERSHIP", "IP_ADD_SOURCE_MEMBERSHIP",
  "IP_BIND_ADDRESS_NO_PORT", "IP_BLOCK_SOURCE", "IP_DROP_MEMBERSHIP",
  "IP_DROP_SOURCE_MEMBERSHIP", "IP_FREEBIND", "IP_HDRINCL", "IP_MTU",
  "IP_MTU_DISCOVER", "IP_MULTICAST_ALL", "IP_MULTICAST_IF", "IP_MULTICAST_LOOP",
  "IP_MULTICAST_TTL", "IP_NODEFRAG", "IP_OPTIONS", "IP_PASSSEC", "IP_PKTINFO", "IP_RECVERR",
  "IP_RECVOPTS", "IP_RECVORIGDSTADDR", "IP_RECVTOS", "IP_RECVTTL", "IP_RETOPTS",
  "IP_ROUTER_ALERT", "IP_TOS", "IP_TRANSPARENT", "IP_TTL", "IP_UNBLOCK_SOURCE", "IPV6_ADDRFORM",
  "IPV6_ADD_MEMBERSHIP", "IPV6_DROP_MEMBERSHIP", "IPV6_MTU", "IPV6_MTU_DISCOVER",
  "IPV6_MULTICAST_HOPS", "IPV6_MULTICAST_IF", "IPV6_MULTICAST_LOOP", "IPV6_RECVPKTINFO",
  "IPV6_RTHDR", "IPV6_DSTOPTS", "IPV6_HOPOPTS", "IPV6_FLOWINFO", "IPV6_HOPLIMIT",
  "IPV6_RECVERR", "IPV6_ROUTER_ALERT", "IPV6_UNICAST_HOPS", "IPV6_V6ONLY", "TCP_NOTSENT_LOWAT",
  "TCP_ULP", "TCP_SAVE_SYN", "IPV6_TCLASS", "IPV6_DONTFRAG", "IP_MINTTL", "SO_MAX_PACING_RATE",
  "SO_COOKIE", "SO_ZEROCOPY", "SO_TXTIME", "SO_PREFER_BUSY_POLL", "UDP_SEGMENT", "UDP_GRO",
  "IP_LOCAL_PORT_RANGE", "SO_TIMESTAMPING", "SO_INQ", "TCP_INQ", "IPV6_MINHOPCOUNT",
  "IPV6_JOIN_GROUP", "IPV6_LEAVE_GROUP", "IPV6_RECVHOPLIMIT", "IPV6_RECVTCLASS", "IPV6_PKTINFO",
  "IP_RECVFRAGSIZE", "MCAST_JOIN_GROUP", "MCAST_LEAVE_GROUP", "MCAST_JOIN_SOURCE_GROUP",
  "MCAST_LEAVE_SOURCE_GROUP", "MCAST_BLOCK_SOURCE", "MCAST_UNBLOCK_SOURCE",
  "TCP_KEEPALIVE", "SO_NOSIGPIPE", "SO_USELOOPBACK", "SO_REUSEPORT_LB", "TCP_NOPUSH",
};
/* clang-format on */


static void test_every_documented_option_is_known(void **state) {
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(documented); i++) {
    const char *bare = strchr(documented[i], '_') + 1;
    enum socket99_kind kind;
    if (!socket99_option_kind(documented[i], 0, 0, &kind) ||
        !socket99_option_kind(bare, 0, 0, &kind))
      fail_msg("%s is not known", documented[i]);
  }
}


/*
** How Linux answers on a socket of the right kind: the errno of getsockopt(2),
** and that of setsockopt(2) for what was got. `newer` than Linux 3.10.
*/
#define UNTRIED (-1)

/* clang-format off */
static const struct answer {
  const char *name;
  enum endpoint endpoint;
  int get, set;
  bool newer;
} answers[] = {
  {"add_membership", UDP4, ENOPROTOOPT, 0, false},
  {"add_source_membership", UDP4, ENOPROTOOPT, 0, false},
  {"block_source", UDP4, ENOPROTOOPT, 0, false},
  {"drop_membership", UDP4, ENOPROTOOPT, 0, false},
  {"drop_source_membership", UDP4, ENOPROTOOPT, 0, false},
  {"freebind", UDP4, 0, 0, true},
  {"hdrincl", UDP4, 0, ENOPROTOOPT, false},
  {"ip_bind_address_no_port", UDP4, 0, 0, true},
  {"ip_checksum", UDP4, 0, 0, true},
  {"ip_local_port_range", UDP4, 0, 0, true},
  {"ip_nodefrag", UDP4, 0, ENOPROTOOPT, false},
  {"ip_options", UDP4, 0, 0, false},
  {"ip_passsec", UDP4, 0, 0, false},
  {"ip_pktoptions", UDP4, ENOPROTOOPT, 0, false},
  {"ip_protocol", UDP4, 0, ENOPROTOOPT, true},
  {"ip_recvopts", UDP4, 0, 0, false},
  {"ip_recvretopts", UDP4, 0, 0, false},
  {"ip_retopts", UDP4, 0, 0, false},
  {"ipsec_policy", UDP4, ENOPROTOOPT, 0, false},
  {"ipv6_2292dstopts", UDP6, 0, 0, false},
  {"ipv6_2292hoplimit", UDP6, 0, 0, false},
  {"ipv6_2292hopopts", UDP6, 0, 0, false},
  {"ipv6_2292pktinfo", UDP6, 0, 0, false},
  {"ipv6_2292pktoptions", UDP6, ENOPROTOOPT, 0, false},
  {"ipv6_2292rthdr", UDP6, 0, 0, false},
  {"ipv6_addr_preferences", UDP6, 0, 0, false},
  {"ipv6_addrform", UDP6, ENOTCONN, 0, false},
  {"ipv6_autoflowlabel", UDP6, 0, 0, true},
  {"ipv6_checksum", UDP6, ENOPROTOOPT, 0, true},
  {"ipv6_dstopts", UDP6, 0, 0, false},
  {"ipv6_flowinfo", UDP6, 0, 0, true},
  {"ipv6_flowinfo_send", UDP6, 0, 0, true},
  {"ipv6_flowlabel_mgr", UDP6, ENOENT, 0, false},
  {"ipv6_hoplimit", UDP6, ENOPROTOOPT, 0, false},
  {"ipv6_hopopts", UDP6, 0, 0, false},
  {"ipv6_join_anycast", UDP6, ENOPROTOOPT, 0, false},
  {"ipv6_leave_anycast", UDP6, ENOPROTOOPT, 0, false},
  {"ipv6_nexthop", UDP6, ENOPROTOOPT, 0, false},
  {"ipv6_pathmtu", UDP6, ENOTCONN, 0, false},
  {"ipv6_pktinfo", UDP6, ENOPROTOOPT, 0, false},
  {"ipv6_recvdstopts", UDP6, 0, 0, false},
  {"ipv6_recvhopopts", UDP6, 0, 0, false},
  {"ipv6_recvpathmtu", UDP6, 0, 0, false},
  {"ipv6_recvrthdr", UDP6, 0, 0, false},
  {"ipv6_router_alert_isolate", UDP6, 0, 0, true},
  {"ipv6_rthdr", UDP6, 0, 0, false},
  {"ipv6_rthdrdstopts", UDP6, 0, 0, false},
  {"ipv6_rxdstopts", UDP6, 0, 0, false},
  {"ipv6_rxhopopts", UDP6, 0, 0, false},
  {"ipv6_v6only", UDP6, 0, 0, false},
  {"join_group", UDP4, ENOPROTOOPT, 0, false},
  {"join_source_group", UDP4, ENOPROTOOPT, 0, false},
  {"leave_group", UDP4, ENOPROTOOPT, 0, false},
  {"leave_source_group", UDP4, ENOPROTOOPT, 0, false},
  {"minhopcount", UDP4, 0, 0, false},
  {"minttl", UDP4, 0, 0, false},
  {"mtu", UDP4, ENOTCONN, 0, false},
  {"mtu_discover", UDP4, 0, 0, false},
  {"multicast_all", UDP4, 0, 0, true},
  {"multicast_hops", UDP4, 0, 0, false},
  {"multicast_if", UDP4, 0, 0, false},
  {"multicast_loop", UDP4, 0, 0, false},
  {"multicast_ttl", UDP4, 0, 0, false},
  {"origdstaddr", UDP4, 0, 0, false},
  {"pktinfo", UDP4, 0, 0, false},
  {"pmtudisc", UDP4, 0, 0, false},
  {"recverr", UDP4, 0, 0, false},
  {"recverr_rfc4884", UDP4, 0, 0, true},
  {"recvfragsize", UDP4, 0, 0, true},
  {"recvhoplimit", UDP4, 0, 0, false},
  {"recvorigdstaddr", UDP4, 0, 0, false},
  {"recvpktinfo", UDP4, 0, 0, false},
  {"recvtclass", UDP4, 0, 0, false},
  {"recvtos", UDP4, 0, 0, false},
  {"recvttl", UDP4, 0, 0, false},
  {"router_alert", UDP4, 0, EINVAL, false},
  {"so_acceptconn", TCP4, 0, ENOPROTOOPT, false},
  {"so_attach_bpf", TCP4, ENOPROTOOPT, 0, false},
  {"so_attach_filter", TCP4, 0, UNTRIED, false},
  {"so_attach_reuseport_cbpf", TCP4, ENOPROTOOPT, 0, false},
  {"so_attach_reuseport_ebpf", TCP4, ENOPROTOOPT, 0, false},
  {"so_bindtodevice", TCP4, 0, 0, false},
  {"so_bindtoifindex", TCP4, 0, 0, true},
  {"so_bpf_extensions", TCP4, 0, ENOPROTOOPT, false},
  {"so_broadcast", TCP4, 0, 0, false},
  {"so_bsdcompat", TCP4, 0, 0, false},
  {"so_buf_lock", TCP4, 0, 0, true},
  {"so_busy_poll", TCP4, 0, 0, false},
  {"so_busy_poll_budget", TCP4, ENOPROTOOPT, 0, true},
  {"so_cnx_advice", TCP4, ENOPROTOOPT, 0, true},
  {"so_cookie", TCP4, 0, ENOPROTOOPT, true},
  {"so_debug", TCP4, 0, 0, false},
  {"so_detach_bpf", TCP4, ENOPROTOOPT, 0, false},
  {"so_detach_filter", TCP4, ENOPROTOOPT, 0, false},
  {"so_detach_reuseport_bpf", TCP4, ENOPROTOOPT, 0, true},
  {"so_domain", TCP4, 0, ENOPROTOOPT, false},
  {"so_dontroute", TCP4, 0, 0, false},
  {"so_error", TCP4, 0, ENOPROTOOPT, false},
  {"so_get_filter", TCP4, 0, UNTRIED, false},
  {"so_incoming_cpu", TCP4, 0, 0, false},
  {"so_incoming_napi_id", TCP4, 0, ENOPROTOOPT, true},
  {"so_keepalive", TCP4, 0, 0, false},
  {"so_linger", TCP4, 0, 0, false},
  {"so_linger_sec", TCP4, 0, 0, false},
  {"so_lock_filter", TCP4, 0, 0, false},
  {"so_mark", TCP4, 0, 0, false},
  {"so_max_pacing_rate", TCP4, 0, 0, false},
  {"so_meminfo", TCP4, 0, ENOPROTOOPT, true},
  {"so_netns_cookie", TCP4, 0, ENOPROTOOPT, true},
  {"so_no_check", TCP4, 0, 0, false},
  {"so_nofcs", TCP4, 0, 0, false},
  {"so_oobinline", TCP4, 0, 0, false},
  {"so_passcred", UNIX, 0, 0, false},
  {"so_passsec", UNIX, 0, 0, false},
  {"so_peek_off", UNIX, 0, 0, false},
  {"so_peercred", UNIX, 0, ENOPROTOOPT, false},
  {"so_peergroups", UNIX, ENODATA, 0, true},
  {"so_peername", UNIX, ENOTCONN, 0, false},
  {"so_peersec", UNIX, ENOPROTOOPT, 0, false},
  {"so_prefer_busy_poll", TCP4, 0, 0, true},
  {"so_priority", TCP4, 0, 0, false},
  {"so_protocol", TCP4, 0, ENOPROTOOPT, true},
  {"so_rcvbuf", TCP4, 0, 0, false},
  {"so_rcvbufforce", TCP4, ENOPROTOOPT, 0, false},
  {"so_rcvlowat", TCP4, 0, 0, false},
  {"so_rcvmark", TCP4, 0, 0, true},
  {"so_rcvtimeo", TCP4, 0, 0, false},
  {"so_reserve_mem", TCP4, 0, ENOTSUP, true},
  {"so_reuseaddr", TCP4, 0, 0, false},
  {"so_reuseport", TCP4, 0, 0, false},
  {"so_rxq_ovfl", TCP4, 0, 0, false},
  {"so_select_err_queue", TCP4, 0, 0, false},
  {"so_sndbuf", TCP4, 0, 0, false},
  {"so_sndbufforce", TCP4, ENOPROTOOPT, 0, false},
  {"so_sndlowat", TCP4, 0, ENOPROTOOPT, false},
  {"so_sndtimeo", TCP4, 0, 0, false},
  {"so_timestamp", TCP4, 0, 0, false},
  {"so_timestamping", TCP4, 0, 0, false},
  {"so_timestampns", TCP4, 0, 0, false},
  {"so_txrehash", TCP4, 0, 0, true},
  {"so_txtime", TCP4, 0, 0, true},
  {"so_type", TCP4, 0, ENOPROTOOPT, false},
  {"so_wifi_status", TCP4, 0, 0, false},
  {"so_zerocopy", TCP4, 0, 0, true},
  {"tclass", UDP4, 0, 0, false},
  {"tcp_ao_add_key", TCP4, ENOPROTOOPT, 0, true},
  {"tcp_ao_del_key", TCP4, ENOPROTOOPT, 0, true},
  {"tcp_ao_info", TCP4, ENOPROTOOPT, 0, true},
  {"tcp_ao_repair", TCP4, ENOPROTOOPT, 0, true},
  {"tcp_cc_info", TCP4, 0, ENOPROTOOPT, true},
  {"tcp_congestion", TCP4, 0, 0, false},
  {"tcp_cork", TCP4, 0, 0, false},
  {"tcp_defer_accept", TCP4, 0, 0, false},
  {"tcp_delack_max_us", TCP4, 0, 0, true},
  {"tcp_fastopen", TCP4, 0, 0, false},
  {"tcp_fastopen_connect", TCP4, 0, 0, true},
  {"tcp_fastopen_key", TCP4, 0, EINVAL, true},
  {"tcp_fastopen_no_cookie", TCP4, 0, 0, true},
  {"tcp_info", TCP4, 0, ENOPROTOOPT, false},
  {"tcp_inq", TCP4, 0, 0, true},
  {"tcp_is_mptcp", TCP4, 0, ENOPROTOOPT, true},
  {"tcp_keepalive", TCP4, 0, 0, false},
  {"tcp_keepcnt", TCP4, 0, 0, false},
  {"tcp_keepidle", TCP4, 0, 0, false},
  {"tcp_keepintvl", TCP4, 0, 0, false},
  {"tcp_linger2", TCP4, 0, 0, false},
  {"tcp_maxseg", TCP4, 0, 0, false},
  {"tcp_md5sig", TCP4, ENOPROTOOPT, 0, false},
  {"tcp_md5sig_ext", TCP4, ENOPROTOOPT, 0, true},
  {"tcp_nodelay", TCP4, 0, 0, false},
  {"tcp_nopush", TCP4, 0, 0, false},
  {"tcp_notsent_lowat", TCP4, 0, 0, false},
  {"tcp_queue_seq", TCP4, EINVAL, 0, false},
  {"tcp_quickack", TCP4, 0, 0, false},
  {"tcp_repair", TCP4, 0, 0, false},
  {"tcp_repair_options", TCP4, ENOPROTOOPT, 0, false},
  {"tcp_repair_queue", TCP4, EINVAL, 0, false},
  {"tcp_rto_max_ms", TCP4, 0, 0, true},
  {"tcp_rto_min_us", TCP4, 0, 0, true},
  {"tcp_save_syn", TCP4, 0, 0, true},
  {"tcp_saved_syn", TCP4, 0, EINVAL, true},
  {"tcp_syncnt", TCP4, 0, 0, false},
  {"tcp_thin_dupack", TCP4, 0, 0, false},
  {"tcp_thin_linear_timeouts", TCP4, 0, 0, false},
  {"tcp_timestamp", TCP4, 0, EPERM, false},
  {"tcp_tx_delay", TCP4, 0, 0, true},
  {"tcp_ulp", TCP4, 0, EINVAL, true},
  {"tcp_user_timeout", TCP4, 0, 0, false},
  {"tcp_window_clamp", TCP4, 0, 0, false},
  {"tcp_zerocopy_receive", TCP4, 0, ENOPROTOOPT, true},
  {"tos", UDP4, 0, 0, false},
  {"transparent", UDP4, 0, 0, true},
  {"ttl", UDP4, 0, 0, false},
  {"udp_cork", UDP4, 0, 0, false},
  {"udp_encap", UDP4, 0, 0, false},
  {"udp_gro", UDP4, 0, 0, true},
  {"udp_no_check6_rx", UDP4, 0, 0, true},
  {"udp_no_check6_tx", UDP4, 0, 0, true},
  {"udp_segment", UDP4, 0, 0, true},
  {"unblock_source", UDP4, ENOPROTOOPT, 0, false},
  {"unicast_hops", UDP4, 0, 0, false},
  {"unicast_if", UDP4, 0, 0, false},
  {"xfrm_policy", UDP4, ENOPROTOOPT, 0, false},
};
/* clang-format on */

/* Known names, though Linux has no such thing, or its headers not yet. */
/* clang-format off */
static const char *const foreign[] = {
  "ip_onesbcast", "ip_recvdstaddr", "ip_recvif", "ipv6_use_min_mtu", "so_acceptfilter",
  "so_bindany", "so_bintime", "so_donttrunc", "so_inq", "so_listenincqlen", "so_listenqlen",
  "so_listenqlimit", "so_net_service_type", "so_noaddrerr", "so_nosigpipe", "so_nread",
  "so_nwrite", "so_passpidfd", "so_passrights", "so_peerpidfd", "so_randomport",
  "so_rcvpriority", "so_reuseport_lb", "so_reuseshareuid", "so_rtable", "so_setfib",
  "so_ts_clock", "so_useloopback", "so_user_cookie", "tcp_connection_info",
  "tcp_connectiontimeout", "tcp_enable_ecn", "tcp_function_blk", "tcp_keepinit", "tcp_noopt",
  "tcp_rxt_conndroptime", "tcp_rxt_findrop", "tcp_sack_enable", "tcp_sendmoreacks",
  "udp_nocksum",
};
/* clang-format on */


static bool is_refusal(const struct answer *answer, int error) {
  bool refused = error == EPERM || (answer->newer && error == ENOPROTOOPT) || emulated();
  if (refused)
    print_message("skipped: %s: %s\n", answer->name, strerror(error));
  return refused;
}


static void expect_answer(const struct answer *answer, int fd) {
  socket99_value value;
  int error = get(fd, answer->name, &value);
  if (error == EOPNOTSUPP && answer->get == ENOPROTOOPT)
    return;
  if (error != answer->get && !is_refusal(answer, error))
    fail_msg("get %s: %s", answer->name, strerror(error));
  if (error != 0 || answer->set == UNTRIED)
    return;
  error = socket99_option_set(fd, answer->name, &value);
  if (error != answer->set && !is_refusal(answer, error))
    fail_msg("set %s: %s", answer->name, strerror(error));
}


static void test_every_option_answers_as_the_kernel_documents(void **state) {
  size_t i;
  (void)state;
#if !defined(__linux__)
  print_message("skipped: the answers are Linux's\n");
  skip();
#endif
  for (i = 0; i < COUNT(answers); i++) {
    int fd = open_endpoint(answers[i].endpoint);
    if (fd >= 0) {
      expect_answer(&answers[i], fd);
      close(fd);
    }
  }
}


/* Name and constant can't drift apart: the label is the constant, as written. */
static void expect_own_label(const char *name) {
  char upper[64];
  size_t i;
  for (i = 0; name[i] != '\0'; i++)
    upper[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
  upper[i] = '\0';
  assert_string_equal(label(name, 0, 0), upper);
}


static bool has_prefix(const char *name) {
  return strncmp(name, "so_", 3) == 0 || strncmp(name, "tcp_", 4) == 0 ||
         strncmp(name, "udp_", 4) == 0 || strncmp(name, "ip_", 3) == 0 ||
         strncmp(name, "ipv6_", 5) == 0;
}


static void test_an_option_is_the_constant_that_its_name_says(void **state) {
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(answers); i++) {
    if (has_prefix(answers[i].name))
      expect_own_label(answers[i].name);
  }
  for (i = 0; i < COUNT(foreign); i++)
    expect_own_label(foreign[i]);
}


/* Names that both families have, and what they are on each. */
/* clang-format off */
static const struct {
  const char *name, *inet, *inet6;
} twins[] = {
  {"ttl", "IP_TTL", "IPV6_UNICAST_HOPS"},
  {"unicast_hops", "IP_TTL", "IPV6_UNICAST_HOPS"},
  {"multicast_ttl", "IP_MULTICAST_TTL", "IPV6_MULTICAST_HOPS"},
  {"multicast_hops", "IP_MULTICAST_TTL", "IPV6_MULTICAST_HOPS"},
  {"add_membership", "IP_ADD_MEMBERSHIP", "IPV6_JOIN_GROUP"},
  {"join_group", "IP_ADD_MEMBERSHIP", "IPV6_JOIN_GROUP"},
  {"drop_membership", "IP_DROP_MEMBERSHIP", "IPV6_LEAVE_GROUP"},
  {"leave_group", "IP_DROP_MEMBERSHIP", "IPV6_LEAVE_GROUP"},
  {"tos", "IP_TOS", "IPV6_TCLASS"},
  {"tclass", "IP_TOS", "IPV6_TCLASS"},
  {"recvtos", "IP_RECVTOS", "IPV6_RECVTCLASS"},
  {"recvtclass", "IP_RECVTOS", "IPV6_RECVTCLASS"},
  {"recvttl", "IP_RECVTTL", "IPV6_RECVHOPLIMIT"},
  {"recvhoplimit", "IP_RECVTTL", "IPV6_RECVHOPLIMIT"},
  {"minttl", "IP_MINTTL", "IPV6_MINHOPCOUNT"},
  {"minhopcount", "IP_MINTTL", "IPV6_MINHOPCOUNT"},
  {"pktinfo", "IP_PKTINFO", "IPV6_RECVPKTINFO"},
  {"recvpktinfo", "IP_PKTINFO", "IPV6_RECVPKTINFO"},
  {"ip_bindany", "IP_BINDANY", "IPV6_BINDANY"},
  {"bound_if", "IP_BOUND_IF", "IPV6_BOUND_IF"},
  {"dontfrag", "IP_DONTFRAG", "IPV6_DONTFRAG"},
  {"freebind", "IP_FREEBIND", "IPV6_FREEBIND"},
  {"hdrincl", "IP_HDRINCL", "IPV6_HDRINCL"},
  {"ipsec_policy", "IP_IPSEC_POLICY", "IPV6_IPSEC_POLICY"},
  {"mtu", "IP_MTU", "IPV6_MTU"},
  {"mtu_discover", "IP_MTU_DISCOVER", "IPV6_MTU_DISCOVER"},
  {"pmtudisc", "IP_MTU_DISCOVER", "IPV6_MTU_DISCOVER"},
  {"multicast_all", "IP_MULTICAST_ALL", "IPV6_MULTICAST_ALL"},
  {"multicast_if", "IP_MULTICAST_IF", "IPV6_MULTICAST_IF"},
  {"multicast_loop", "IP_MULTICAST_LOOP", "IPV6_MULTICAST_LOOP"},
  {"origdstaddr", "IP_ORIGDSTADDR", "IPV6_ORIGDSTADDR"},
  {"recvorigdstaddr", "IP_RECVORIGDSTADDR", "IPV6_RECVORIGDSTADDR"},
  {"portrange", "IP_PORTRANGE", "IPV6_PORTRANGE"},
  {"recverr", "IP_RECVERR", "IPV6_RECVERR"},
  {"recverr_rfc4884", "IP_RECVERR_RFC4884", "IPV6_RECVERR_RFC4884"},
  {"recvfragsize", "IP_RECVFRAGSIZE", "IPV6_RECVFRAGSIZE"},
  {"router_alert", "IP_ROUTER_ALERT", "IPV6_ROUTER_ALERT"},
  {"transparent", "IP_TRANSPARENT", "IPV6_TRANSPARENT"},
  {"unicast_if", "IP_UNICAST_IF", "IPV6_UNICAST_IF"},
  {"xfrm_policy", "IP_XFRM_POLICY", "IPV6_XFRM_POLICY"},
  {"add_source_membership", "MCAST_JOIN_SOURCE_GROUP", "MCAST_JOIN_SOURCE_GROUP"},
  {"drop_source_membership", "MCAST_LEAVE_SOURCE_GROUP", "MCAST_LEAVE_SOURCE_GROUP"},
  {"join_source_group", "MCAST_JOIN_SOURCE_GROUP", "MCAST_JOIN_SOURCE_GROUP"},
  {"leave_source_group", "MCAST_LEAVE_SOURCE_GROUP", "MCAST_LEAVE_SOURCE_GROUP"},
  {"block_source", "MCAST_BLOCK_SOURCE", "MCAST_BLOCK_SOURCE"},
  {"unblock_source", "MCAST_UNBLOCK_SOURCE", "MCAST_UNBLOCK_SOURCE"},
};
/* clang-format on */


static void test_the_family_decides_between_twins(void **state) {
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(twins); i++) {
    assert_string_equal(label(twins[i].name, SOCK_DGRAM, AF_INET), twins[i].inet);
    assert_string_equal(label(twins[i].name, SOCK_DGRAM, AF_INET6), twins[i].inet6);
  }
}


static void test_case_dashes_and_prefix_do_not_matter(void **state) {
  static const char *const spellings[] = {"reuseaddr", "REUSEADDR", "so_reuseaddr", "SO_REUSEADDR",
                                          "So-ReuseAddr"};
  int fd = open_endpoint(TCP4);
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(spellings); i++) {
    assert_int_equal(set(fd, spellings[i], boolean(1)), 0);
    assert_int_not_equal(ask(fd, SOL_SOCKET, SO_REUSEADDR), 0);
    assert_int_equal(set(fd, spellings[i], boolean(0)), 0);
    assert_int_equal(ask(fd, SOL_SOCKET, SO_REUSEADDR), 0);
  }
  assert_string_equal(label("Add-Membership", 0, AF_INET), "IP_ADD_MEMBERSHIP");
  close(fd);
}


static void test_a_name_that_no_system_has_is_unknown(void **state) {
  static const char *const names[] = {
      "",
      "_",
      "so_",
      "rcvbf",
      "rcvbuf ",
      " rcvbuf",
      "rcvbufx",
      "rcvbu",
      "tcp_rcvbuf",
      "ip_nodelay",
      "so_nodelay",
      "so_so_rcvbuf",
      "udp_nodelay",
      "ipv6_ttl",
      "ip_unicast_hops",
      "mcast_ttl",
      "a_name_that_is_very_much_longer_than_any_constant_of_any_system_could_ever_be"};
  enum socket99_kind kind;
  int fd = open_endpoint(TCP4);
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(names); i++) {
    socket99_value value;
    assert_false(socket99_option_kind(names[i], 0, 0, &kind));
    assert_int_equal(set(fd, names[i], boolean(1)), ENOENT);
    assert_int_equal(get(fd, names[i], &value), ENOENT);
  }
  close(fd);
}


static void test_a_bare_name_goes_by_type_then_family(void **state) {
  (void)state;
  assert_string_equal(label("cork", SOCK_STREAM, AF_INET), "TCP_CORK");
  assert_string_equal(label("cork", SOCK_DGRAM, AF_INET6), "UDP_CORK");
  assert_string_equal(label("tcp_cork", SOCK_DGRAM, AF_INET), "TCP_CORK");
  assert_string_equal(label("inq", SOCK_STREAM, AF_INET6), "TCP_INQ");
  assert_string_equal(label("inq", SOCK_STREAM, AF_UNIX), "SO_INQ");
  assert_string_equal(label("inq", SOCK_DGRAM, AF_INET), "SO_INQ");
  assert_string_equal(label("checksum", SOCK_RAW, AF_INET), "IP_CHECKSUM");
  assert_string_equal(label("checksum", SOCK_RAW, AF_INET6), "IPV6_CHECKSUM");
  assert_string_equal(label("pktinfo", SOCK_DGRAM, AF_INET6), "IPV6_RECVPKTINFO");
  assert_string_equal(label("ipv6_pktinfo", SOCK_DGRAM, AF_INET6), "IPV6_PKTINFO");
}


static void test_so_wins_a_tie_and_the_loser_needs_its_prefix(void **state) {
  (void)state;
  assert_string_equal(label("timestamp", SOCK_STREAM, AF_INET), "SO_TIMESTAMP");
  assert_string_equal(label("tcp_timestamp", SOCK_STREAM, AF_INET), "TCP_TIMESTAMP");
  assert_string_equal(label("keepalive", SOCK_STREAM, AF_INET), "SO_KEEPALIVE");
  assert_string_equal(label("tcp_keepalive", SOCK_STREAM, AF_INET), "TCP_KEEPALIVE");
  assert_string_equal(label("protocol", SOCK_DGRAM, AF_INET), "SO_PROTOCOL");
  assert_string_equal(label("passsec", SOCK_DGRAM, AF_INET), "SO_PASSSEC");
  assert_string_equal(label("ip_passsec", SOCK_DGRAM, AF_INET), "IP_PASSSEC");
  assert_string_equal(label("bindany", SOCK_STREAM, AF_INET), "SO_BINDANY");
}


static void test_the_socket_itself_decides_what_its_name_means(void **state) {
#if defined(UDP_CORK) && defined(TCP_CORK)
  int tcp = open_endpoint(TCP4), udp = open_endpoint(UDP4);
  assert_int_equal(set(tcp, "cork", boolean(1)), 0);
  assert_int_equal(ask(tcp, IPPROTO_TCP, TCP_CORK), 1);
  assert_int_equal(set(udp, "cork", boolean(1)), 0);
  assert_int_equal(ask(udp, IPPROTO_UDP, UDP_CORK), 1);
  close(tcp);
  close(udp);
#else
  print_message("skipped: no UDP_CORK\n");
  skip();
#endif
  (void)state;
}


static void test_another_protocols_option_gets_the_kernels_error(void **state) {
  int udp = open_endpoint(UDP4), unix_fd = open_endpoint(UNIX), one = 1;
  (void)state;
  assert_int_equal(setsockopt(udp, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), -1);
  assert_int_equal(set(udp, "nodelay", boolean(1)), errno);
  assert_int_equal(setsockopt(unix_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), -1);
  assert_int_equal(set(unix_fd, "tcp_nodelay", boolean(1)), errno);
  assert_int_equal(setsockopt(udp, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)), -1);
  assert_int_equal(set(udp, "v6only", boolean(1)), errno);
  close(udp);
  close(unix_fd);
}


static void test_what_is_no_socket_gets_the_kernels_error(void **state) {
  int ends[2];
  (void)state;
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(set(-1, "reuseaddr", boolean(1)), EBADF);
  assert_int_equal(set(-1, "ttl", integer(5)), EBADF);
  assert_int_equal(set(ends[0], "ttl", integer(5)), ENOTSOCK);
  assert_int_equal(set(ends[0], "cork", boolean(1)), ENOTSOCK);
  close(ends[0]);
  close(ends[1]);
}


static void test_either_twin_works_on_either_family(void **state) {
  static const char *const hops[] = {"ttl", "unicast_hops", "ip_ttl", "ipv6_unicast_hops"};
  int udp4 = open_endpoint(UDP4), udp6 = open_udp6(1), number;
  socket99_value value;
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(hops); i++) {
    number = 40 + (int)i;
    assert_int_equal(set(udp4, hops[i], integer(number)), 0);
    assert_int_equal(ask(udp4, IPPROTO_IP, IP_TTL), number);
    assert_int_equal(set(udp6, hops[i], integer(number)), 0);
    assert_int_equal(ask(udp6, IPPROTO_IPV6, IPV6_UNICAST_HOPS), number);
    assert_int_equal(get(udp4, hops[i], &value), 0);
    assert_int_equal(value.integer, number);
    assert_int_equal(get(udp6, hops[i], &value), 0);
    assert_int_equal(value.integer, number);
  }
  assert_int_equal(set(udp4, "multicast_hops", integer(7)), 0);
  assert_int_equal(ask(udp4, IPPROTO_IP, IP_MULTICAST_TTL) & 0xff, 7);
  assert_int_equal(set(udp6, "multicast_ttl", integer(8)), 0);
  assert_int_equal(ask(udp6, IPPROTO_IPV6, IPV6_MULTICAST_HOPS), 8);
  assert_int_equal(set(udp4, "tclass", integer(0x20)), 0);
  assert_int_equal(ask(udp4, IPPROTO_IP, IP_TOS), 0x20);
  assert_int_equal(set(udp6, "tos", integer(0x40)), 0);
  assert_int_equal(ask(udp6, IPPROTO_IPV6, IPV6_TCLASS), 0x40);
  assert_int_equal(set(udp6, "pktinfo", boolean(1)), 0);
  assert_int_equal(ask(udp6, IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
  close(udp4);
  close(udp6);
}


static void test_dual_stack_sets_both_families(void **state) {
  int fd = open_udp6(0);
  (void)state;
#if !defined(__linux__)
  print_message("skipped: IPv4 options on an IPv6 socket are Linux's\n");
  skip();
#endif
  assert_int_equal(set(fd, "ttl", integer(33)), 0);
  assert_int_equal(ask(fd, IPPROTO_IP, IP_TTL), 33);
  assert_int_equal(ask(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 33);
  assert_int_equal(set(fd, "ipv6_multicast_hops", integer(9)), 0);
  assert_int_equal(ask(fd, IPPROTO_IP, IP_MULTICAST_TTL), 9);
  assert_int_equal(ask(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS), 9);
  assert_int_equal(set(fd, "multicast_loop", boolean(0)), 0);
  assert_int_equal(ask(fd, IPPROTO_IP, IP_MULTICAST_LOOP), 0);
  assert_int_equal(ask(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP), 0);
  close(fd);
}


static void test_an_ipv6_only_socket_keeps_its_ipv4_options(void **state) {
  int fd = open_udp6(1), before;
  (void)state;
#if !defined(__linux__)
  print_message("skipped: IPv4 options on an IPv6 socket are Linux's\n");
  skip();
#endif
  before = ask(fd, IPPROTO_IP, IP_TTL);
  assert_int_equal(set(fd, "ttl", integer(before + 1)), 0);
  assert_int_equal(ask(fd, IPPROTO_IP, IP_TTL), before);
  assert_int_equal(ask(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), before + 1);
  close(fd);
}


static void test_dual_stack_skips_the_level_that_can_not(void **state) {
  int fd = open_udp6(0);
  (void)state;
  /* IP_MTU is only to be read. */
  assert_int_equal(set(fd, "mtu", integer(1400)), 0);
  assert_int_equal(set(fd, "mtu", integer(7)), EINVAL);
  close(fd);
}


static void test_apply_goes_by_what_it_is_told(void **state) {
  socket99_option option = named("ttl", integer(21));
  int fd = open_udp6(0);
  (void)state;
  assert_int_equal(s99_option_apply(fd, &option, SOCK_DGRAM, AF_INET6, false, &constant), 0);
  assert_int_equal(ask(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 21);
#if defined(__linux__)
  assert_int_not_equal(ask(fd, IPPROTO_IP, IP_TTL), 21);
  assert_int_equal(s99_option_apply(fd, &option, SOCK_DGRAM, AF_INET6, true, &constant), 0);
  assert_int_equal(ask(fd, IPPROTO_IP, IP_TTL), 21);
#endif
  close(fd);
}


static void test_values_out_of_range_are_refused(void **state) {
  static const struct {
    const char *name;
    long long number;
  } cases[] = {
      {"rcvbuf", 4294967296LL},
      {"rcvbuf", (long long)INT_MIN - 1},
      {"sndbuf", LLONG_MAX},
      {"nodelay", 2},
      {"nodelay", -1},
      {"mark", -1},
      {"mark", 4294967296LL},
      {"tos", 256},
      {"tos", -2},
      {"multicast_ttl", 256},
      {"linger", -1},
      {"linger", 2147483648LL},
      {"rcvtimeo", -1},
      {"max_pacing_rate", -2},
      {"multicast_loop", 2},
      {"multicast_if", -1},
      {"notsent_lowat", 4294967296LL},
  };
  int fd = open_endpoint(UDP4);
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(cases); i++) {
    assert_int_equal(set(fd, cases[i].name, integer(cases[i].number)), ERANGE);
    assert_non_null(strstr(complaint(cases[i].name, integer(cases[i].number)), " is not in "));
  }
  assert_int_equal(set(fd, "nodelay", boolean(2)), ERANGE);
  close(fd);
}


static void test_values_of_another_kind_are_refused(void **state) {
  int fd = open_endpoint(TCP4);
  (void)state;
  assert_int_equal(set(fd, "rcvbuf", boolean(1)), EINVAL);
  assert_int_equal(set(fd, "rcvbuf", boolean(0)), EINVAL);
  assert_int_equal(set(fd, "rcvbuf", seconds(1)), EINVAL);
  assert_int_equal(set(fd, "rcvbuf", text("1")), EINVAL);
  assert_int_equal(set(fd, "nodelay", seconds(1)), EINVAL);
  assert_int_equal(set(fd, "nodelay", text("on")), EINVAL);
  assert_int_equal(set(fd, "linger", boolean(1)), EINVAL);
  assert_int_equal(set(fd, "rcvtimeo", boolean(1)), EINVAL);
  assert_int_equal(set(fd, "linger", text("1")), EINVAL);
  assert_int_equal(set(fd, "congestion", integer(1)), EINVAL);
  assert_int_equal(set(fd, "info", integer(1)), EINVAL);
  assert_int_equal(set(fd, "multicast_if", boolean(1)), EINVAL);
  assert_int_equal(set(fd, "add_membership", text("239.1.2.3")), EINVAL);
  assert_int_equal(set(fd, "nodelay", member("239.1.2.3", NULL)), EINVAL);
  assert_int_equal(set(fd, "nodelay", value_of((enum socket99_kind)9)), EINVAL);
  close(fd);
}


static void test_zero_and_one_are_booleans(void **state) {
  int fd = open_endpoint(TCP4);
  socket99_value value;
  (void)state;
  assert_int_equal(set(fd, "nodelay", integer(1)), 0);
  assert_int_equal(get(fd, "nodelay", &value), 0);
  assert_int_equal(value.kind, SOCKET99_BOOLEAN);
  assert_int_equal(value.integer, 1);
  assert_int_equal(set(fd, "nodelay", integer(0)), 0);
  assert_int_equal(ask(fd, IPPROTO_TCP, TCP_NODELAY), 0);
  close(fd);
}


static void test_a_complaint_names_option_value_and_limit(void **state) {
  (void)state;
  assert_string_equal(complaint("rcvbuf", integer(4294967296LL)),
                      "option rcvbuf: 4294967296 is not in -2147483648 to 2147483647");
  assert_string_equal(complaint("linger", seconds(1.5)),
                      "option linger: 1.5 s is not a whole number of seconds");
  assert_string_equal(complaint("linger", boolean(1)),
                      "option linger: takes a number of seconds, or false, not true");
  assert_string_equal(complaint("Add-Membership", member("x", NULL)),
                      "option Add-Membership: group 'x' is not a numeric address");
  assert_string_equal(complaint("add_membership", member(NULL, NULL)),
                      "option add_membership: group is missing");
  assert_string_equal(complaint("block_source", member("239.1.2.3", NULL)),
                      "option block_source: source is missing");
  assert_string_equal(complaint("block_source", source("239.1.2.3", "::1", NULL)),
                      "option block_source: source '::1' is not of the family of group "
                      "'239.1.2.3'");
  assert_string_equal(complaint("nodelay", text("x")),
                      "option nodelay: takes a boolean, not a string");
  assert_string_equal(complaint("rcvbf", integer(1)),
                      "unknown option 'rcvbf' (did you mean 'rcvbuf'?)");
  assert_string_equal(complaint("qqqqqq", integer(1)), "unknown option 'qqqqqq'");
  assert_string_equal(complaint("bindtodevice", text("sixteen-letters-")),
                      "option bindtodevice: 16 bytes are more than 15");
}


static void test_right_values_bring_no_complaint(void **state) {
  (void)state;
  assert_string_equal(complaint("rcvbuf", integer(INT_MAX)), "");
  assert_string_equal(complaint("linger", boolean(0)), "");
  assert_string_equal(complaint("linger", seconds(3)), "");
  assert_string_equal(complaint("rcvtimeo", seconds(0.0001)), "");
  assert_string_equal(complaint("multicast_if", text("no-such-interface")), "");
  assert_string_equal(complaint("add_membership", member("ff02::1", "no-such")), "");
  /* One of two constants of that name takes it: the socket will tell. */
  assert_string_equal(complaint("checksum", integer(6)), "");
  assert_string_equal(complaint("checksum", boolean(1)), "");
  /* Known, though no system has all of them. */
  assert_string_equal(complaint("nosigpipe", boolean(1)), "");
  assert_string_equal(complaint("bindtodevice", text("lo")), "");
  assert_string_equal(complaint("function_blk", bytes("x", 1)), "");
}


static void test_a_short_buffer_for_the_complaint_is_kept_to(void **state) {
  socket99_option option = named("rcvbuf", text("x"));
  char why[12];
  (void)state;
  memset(why, '#', sizeof(why));
  assert_false(s99_option_check(&option, 0, why, 8));
  assert_string_equal(why, "option ");
  assert_int_equal(why[8], '#');
}


static void test_what_the_system_lacks_can_only_be_switched_off(void **state) {
  int fd = open_endpoint(TCP4), lacking = 0;
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(foreign); i++) {
    enum socket99_kind kind;
    socket99_value value;
    assert_true(socket99_option_kind(foreign[i], 0, 0, &kind));
    if (get(fd, foreign[i], &value) != ENOPROTOOPT)
      continue;
    if (kind == SOCKET99_INTEGER)
      assert_int_equal(set(fd, foreign[i], integer(0)), ENOPROTOOPT);
    if (kind != SOCKET99_BOOLEAN)
      continue;
    lacking++;
    assert_int_equal(set(fd, foreign[i], boolean(1)), ENOPROTOOPT);
    assert_int_equal(set(fd, foreign[i], integer(1)), ENOPROTOOPT);
    assert_int_equal(set(fd, foreign[i], boolean(0)), 0);
    assert_int_equal(set(fd, foreign[i], integer(0)), 0);
    assert_int_equal(set(fd, foreign[i], text("x")), EINVAL);
  }
  assert_true(lacking > 0);
  close(fd);
}


static void test_linger_is_whole_seconds_or_off(void **state) {
  struct linger linger = {1, 1};
  socklen_t length = sizeof(linger);
  int fd = open_endpoint(TCP4);
  socket99_value value;
  (void)state;
  assert_int_equal(set(fd, "linger", seconds(7)), 0);
  assert_int_equal(get(fd, "linger", &value), 0);
  assert_int_equal(value.kind, SOCKET99_SECONDS);
  assert_true(value.seconds > 6.9 && value.seconds < 7.1);
  /* Zero seconds is on: close resets the connection. */
  assert_int_equal(set(fd, "linger", integer(0)), 0);
  assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length), 0);
  assert_int_not_equal(linger.l_onoff, 0);
  assert_int_equal(linger.l_linger, 0);
  assert_int_equal(set(fd, "linger", boolean(0)), 0);
  assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length), 0);
  assert_int_equal(linger.l_onoff, 0);
  assert_int_equal(get(fd, "linger", &value), 0);
  assert_int_equal(value.kind, SOCKET99_BOOLEAN);
  assert_int_equal(value.integer, 0);
  assert_int_equal(set(fd, "linger", seconds(1.5)), EINVAL);
  assert_int_equal(set(fd, "linger", seconds(-1)), ERANGE);
  assert_int_equal(set(fd, "linger", seconds(1e300)), ERANGE);
  assert_int_equal(set(fd, "linger", seconds(strtod("nan", NULL))), ERANGE);
  assert_int_equal(set(fd, "linger", seconds(strtod("inf", NULL))), ERANGE);
  close(fd);
}


static void test_timeouts_round_up_and_never_to_forever(void **state) {
  static const double times[] = {0.25, 1.1, 2.000001, 3, 0.999999999, 0.0040004};
  int fd = open_endpoint(UDP4);
  socket99_value value;
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(times); i++) {
    assert_int_equal(set(fd, "rcvtimeo", seconds(times[i])), 0);
    assert_int_equal(get(fd, "rcvtimeo", &value), 0);
    assert_int_equal(value.kind, SOCKET99_SECONDS);
    /* The kernel rounds up to its clock's tick, 10 ms at most. */
    assert_true(value.seconds >= times[i] - 1e-9 && value.seconds <= times[i] + 0.0101);
  }
  assert_int_equal(set(fd, "sndtimeo", seconds(1e-12)), 0);
  assert_int_equal(get(fd, "sndtimeo", &value), 0);
  assert_true(value.seconds > 0 && value.seconds < 0.0101);
  assert_int_equal(set(fd, "sndtimeo", boolean(0)), 0);
  assert_int_equal(get(fd, "sndtimeo", &value), 0);
  assert_true(value.seconds < 1e-9);
  close(fd);
}


/* The loopback interface's name, where it is up and has an IPv4 address. */
static const char *loopback(char name[IF_NAMESIZE]) {
  struct ifaddrs *list, *i;
  name[0] = '\0';
  assert_int_equal(getifaddrs(&list), 0);
  for (i = list; i != NULL; i = i->ifa_next) {
    if ((i->ifa_flags & IFF_LOOPBACK) && (i->ifa_flags & IFF_UP) && i->ifa_addr != NULL &&
        i->ifa_addr->sa_family == AF_INET)
      snprintf(name, IF_NAMESIZE, "%s", i->ifa_name);
  }
  freeifaddrs(list);
  if (name[0] == '\0') {
    print_message("skipped: no loopback interface is up\n");
    skip();
  }
  return name;
}


static void test_an_ipv4_group_is_joined_by_name_index_and_address(void **state) {
  char name[IF_NAMESIZE], index[16];
  const char *interfaces[3];
  int fd = open_endpoint(UDP4);
  size_t i;
  (void)state;
  interfaces[0] = loopback(name);
  need_memberships_by_index(if_nametoindex(name));
  snprintf(index, sizeof(index), "%u", if_nametoindex(name));
  interfaces[1] = index;
  interfaces[2] = "127.0.0.1";
  for (i = 0; i < COUNT(interfaces); i++) {
    assert_int_equal(set(fd, "add_membership", member("239.255.77.1", interfaces[i])), 0);
    assert_int_equal(set(fd, "join_group", member("239.255.77.1", interfaces[i])), EADDRINUSE);
    assert_int_equal(set(fd, "leave_group", member("239.255.77.1", name)), 0);
    assert_int_equal(set(fd, "drop_membership", member("239.255.77.1", name)), EADDRNOTAVAIL);
  }
  close(fd);
}


static void test_an_ipv6_group_is_joined_by_name_index_and_ipv4_address(void **state) {
  char name[IF_NAMESIZE], index[16];
  const char *interfaces[3];
  int fd = open_udp6(1);
  size_t i;
  (void)state;
  interfaces[0] = loopback(name);
  snprintf(index, sizeof(index), "%u", if_nametoindex(name));
  interfaces[1] = index;
  interfaces[2] = "127.0.0.1";
  for (i = 0; i < COUNT(interfaces); i++) {
    assert_int_equal(set(fd, "add_membership", member("ff02::7701", interfaces[i])), 0);
    assert_int_equal(set(fd, "mcast_join_group", member("ff02::7701", name)), EADDRINUSE);
    assert_int_equal(set(fd, "ipv6_leave_group", member("ff02::7701", name)), 0);
    assert_int_equal(set(fd, "leave_group", member("ff02::7701", name)), EADDRNOTAVAIL);
  }
  close(fd);
}


static void test_the_groups_family_decides_on_dual_stack(void **state) {
  char name[IF_NAMESIZE];
  int fd = open_udp6(0);
  (void)state;
  need_memberships_by_index(if_nametoindex(loopback(name)));
#if defined(__linux__)
  assert_int_equal(set(fd, "join_group", member("239.255.77.2", name)), 0);
  assert_int_equal(set(fd, "ip_drop_membership", member("239.255.77.2", name)), 0);
#endif
  assert_int_equal(set(fd, "ip_add_membership", member("ff02::7702", name)), 0);
  assert_int_equal(set(fd, "leave_group", member("ff02::7702", name)), 0);
  close(fd);
}


static void expect_source_membership(int fd, const char *group, const char *from,
                                     const char *interface) {
  int error = set(fd, "add_source_membership", source(group, from, interface));
  if (error == ENOPROTOOPT) {
    print_message("skipped: source memberships: %s\n", strerror(error));
    return;
  }
  assert_int_equal(error, 0);
  assert_int_equal(set(fd, "join_source_group", source(group, from, interface)), EADDRNOTAVAIL);
  assert_int_equal(set(fd, "drop_source_membership", source(group, from, interface)), 0);
  assert_int_equal(set(fd, "add_membership", member(group, interface)), 0);
  assert_int_equal(set(fd, "block_source", source(group, from, interface)), 0);
  assert_int_equal(set(fd, "unblock_source", source(group, from, interface)), 0);
  assert_int_equal(set(fd, "mcast_unblock_source", source(group, from, interface)), EADDRNOTAVAIL);
  assert_int_equal(set(fd, "leave_group", member(group, interface)), 0);
}


static void test_sources_are_admitted_and_blocked_in_both_families(void **state) {
  char name[IF_NAMESIZE];
  int udp4 = open_endpoint(UDP4), udp6;
  (void)state;
  loopback(name);
  expect_source_membership(udp4, "232.1.77.3", "127.0.0.1", name);
  expect_source_membership(udp4, "232.1.77.3", "127.0.0.1", "127.0.0.1");
  close(udp4);
  udp6 = open_udp6(1);
  expect_source_membership(udp6, "ff32::7703", "::1", name);
  close(udp6);
}


static void test_a_datagram_arrives_through_a_membership(void **state) {
  struct timeval patience = {2, 0};
  struct sockaddr_in group;
  socklen_t length = sizeof(group);
  char name[IF_NAMESIZE], byte = 0;
  int in = open_endpoint(UDP4), out = open_endpoint(UDP4);
  (void)state;
  need_memberships_by_index(if_nametoindex(loopback(name)));
  need_multicast_if_by_index(if_nametoindex(name));
  memset(&group, 0, sizeof(group));
  group.sin_family = AF_INET;
  assert_int_equal(bind(in, (struct sockaddr *)&group, sizeof(group)), 0);
  assert_int_equal(getsockname(in, (struct sockaddr *)&group, &length), 0);
  assert_int_equal(inet_pton(AF_INET, "239.255.77.4", &group.sin_addr), 1);
  assert_int_equal(set(in, "add_membership", member("239.255.77.4", name)), 0);
  assert_int_equal(set(out, "multicast_if", text(name)), 0);
  assert_int_equal(setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
  assert_int_equal(sendto(out, "x", 1, 0, (struct sockaddr *)&group, sizeof(group)), 1);
  assert_int_equal(recv(in, &byte, 1, 0), 1);
  assert_int_equal(byte, 'x');
  close(in);
  close(out);
}


static void test_memberships_that_make_no_sense_are_refused(void **state) {
  char name[IF_NAMESIZE];
  int fd = open_endpoint(UDP4);
  (void)state;
  loopback(name);
  assert_int_equal(set(fd, "add_membership", member("localhost", name)), EINVAL);
  assert_int_equal(set(fd, "add_membership", member("239.1", name)), EINVAL);
  assert_int_equal(set(fd, "add_membership", member(NULL, name)), EINVAL);
  assert_int_equal(set(fd, "add_membership", source("239.1.1.1", "127.0.0.1", name)), EINVAL);
  assert_int_equal(set(fd, "block_source", source("239.1.1.1", "x", name)), EINVAL);
  assert_int_equal(set(fd, "join_anycast", member("239.1.1.1", name)), EINVAL);
  assert_int_not_equal(set(fd, "join_anycast", member("2001:db8::1", name)), 0);
  assert_int_equal(set(fd, "add_membership", member("127.0.0.1", name)), EINVAL);
  assert_int_not_equal(set(fd, "add_membership", member("239.1.1.1", "no-such-thing")), 0);
  assert_int_equal(set(fd, "add_membership", member("239.1.1.1", "99999999999")), ENODEV);
  assert_int_equal(set(fd, "add_membership", member("239.1.1.1", "192.0.2.199")), EADDRNOTAVAIL);
  assert_int_equal(set(fd, "add_membership", member("239.1.1.1", A60)), ENODEV);
  assert_int_equal(set(fd, "block_source", source("239.1.1.1", "127.0.0.1", A60)), ENODEV);
  assert_int_not_equal(set(fd, "add_membership", member("ff02::1", name)), 0);
  close(fd);
}


static void test_multicast_if_takes_name_index_and_address(void **state) {
  char name[IF_NAMESIZE];
  int udp4 = open_endpoint(UDP4), udp6, index;
  socket99_value value;
  (void)state;
  index = (int)if_nametoindex(loopback(name));
  need_multicast_if_by_index(if_nametoindex(name));
  assert_int_equal(set(udp4, "multicast_if", text("127.0.0.1")), 0);
  assert_int_equal(get(udp4, "multicast_if", &value), 0);
  assert_int_equal(value.kind, SOCKET99_BYTES);
  assert_int_equal(value.length, strlen("127.0.0.1"));
  assert_memory_equal(value.bytes, "127.0.0.1", value.length);
  assert_int_equal(set(udp4, "multicast_if", text(name)), 0);
  assert_int_equal(set(udp4, "multicast_if", integer(index)), 0);
  assert_int_equal(set(udp4, "multicast_if", text("")), 0);
  assert_int_not_equal(set(udp4, "multicast_if", text("no-such")), 0);
  assert_int_equal(set(udp4, "multicast_if", bytes("l\0o", 3)), EINVAL);
  close(udp4);
  udp6 = open_udp6(0);
  assert_int_equal(set(udp6, "multicast_if", integer(index)), 0);
  assert_int_equal(get(udp6, "multicast_if", &value), 0);
  assert_int_equal(value.kind, SOCKET99_INTEGER);
  assert_int_equal(value.integer, index);
  assert_int_equal(set(udp6, "multicast_if", integer(0)), 0);
  assert_int_equal(set(udp6, "multicast_if", text("127.0.0.1")), 0);
  assert_int_equal(ask(udp6, IPPROTO_IPV6, IPV6_MULTICAST_IF), index);
  close(udp6);
}


static void test_unicast_if_is_told_as_an_index(void **state) {
  char name[IF_NAMESIZE];
  int fd = open_endpoint(UDP4);
  socket99_value value;
  int error;
  (void)state;
  loopback(name);
  error = set(fd, "unicast_if", text(name));
  if (error == ENOPROTOOPT) {
    print_message("skipped: unicast_if: %s\n", strerror(error));
    skip();
  }
  assert_int_equal(error, 0);
  assert_int_equal(get(fd, "unicast_if", &value), 0);
  assert_int_equal(value.integer, if_nametoindex(name));
  assert_int_equal(set(fd, "unicast_if", text("no-such-thing")), ENODEV);
  close(fd);
}


static void test_minus_one_is_the_systems_default(void **state) {
  int fd = open_endpoint(UDP4);
  (void)state;
  assert_int_equal(set(fd, "tos", integer(0x20)), 0);
  assert_int_equal(set(fd, "tos", integer(-1)), 0);
  assert_int_equal(ask(fd, IPPROTO_IP, IP_TOS), 0);
  assert_int_equal(set(fd, "multicast_ttl", integer(9)), 0);
  assert_int_equal(set(fd, "multicast_ttl", integer(-1)), 0);
  assert_int_equal(ask(fd, IPPROTO_IP, IP_MULTICAST_TTL) & 0xff, 1);
  close(fd);
}


static void test_text_comes_back_without_its_nul(void **state) {
  int fd = open_endpoint(TCP4);
  socket99_value value, again;
  char buf[16];
  (void)state;
#if defined(TCP_CONGESTION)
  need_probed("TCP_CONGESTION", probe_text_option(SOCK_STREAM, IPPROTO_TCP, TCP_CONGESTION, NULL));
#else
  skip();
#endif
  assert_int_equal(socket99_option_get(fd, "congestion", &value, buf, sizeof(buf)), 0);
  assert_int_equal(value.kind, SOCKET99_BYTES);
  assert_true(value.length > 0 && value.length < sizeof(buf));
  assert_null(memchr(value.bytes, '\0', value.length));
  assert_int_equal(set(fd, "congestion", value), 0);
  assert_int_equal(socket99_option_get(fd, "congestion", &again, buf, value.length), 0);
  assert_int_equal(socket99_option_get(fd, "congestion", &again, buf, value.length - 1), ERANGE);
  assert_int_equal(socket99_option_get(fd, "congestion", &again, NULL, 0), ERANGE);
  assert_int_equal(set(fd, "congestion", text("no_such_thing")), ENOENT);
  assert_int_equal(set(fd, "congestion", text("longer_than_sixteen_letters")), ERANGE);
  assert_int_equal(set(fd, "congestion", bytes("re\0no", 5)), EINVAL);
  close(fd);
}


static void test_bindtodevice_binds_and_unbinds(void **state) {
  char name[IF_NAMESIZE];
  int fd = open_endpoint(UDP4);
  socket99_value value;
  int error;
  (void)state;
  loopback(name);
#if defined(SO_BINDTODEVICE)
  if (emulated())
    need_probed("SO_BINDTODEVICE",
                probe_text_option(SOCK_DGRAM, SOL_SOCKET, SO_BINDTODEVICE, name));
#endif
  error = set(fd, "bindtodevice", text(name));
  if (error == EPERM || error == ENOPROTOOPT) {
    print_message("skipped: bindtodevice: %s\n", strerror(error));
    skip();
  }
  assert_int_equal(error, 0);
  assert_int_equal(get(fd, "bindtodevice", &value), 0);
  assert_int_equal(value.length, strlen(name));
  assert_memory_equal(value.bytes, name, value.length);
  error = set(fd, "bindtodevice", text(""));
  if (error == EPERM) {
    print_message("skipped: bindtodevice: %s\n", strerror(error));
    skip();
  }
  assert_int_equal(error, 0);
  assert_int_equal(get(fd, "bindtodevice", &value), 0);
  assert_int_equal(value.length, 0);
  close(fd);
}


static void test_structures_come_back_whole_or_not_at_all(void **state) {
  int fds[2];
  socket99_value value;
  unsigned char buf[2048];
  size_t length;
  (void)state;
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  if (socket99_option_get(fds[0], "peercred", &value, buf, sizeof(buf)) == ENOPROTOOPT) {
    print_message("skipped: no peercred\n");
    skip();
  }
#if defined(SO_PEERCRED) && defined(__linux__)
  {
    struct ucred cred;
    assert_int_equal(value.length, sizeof(cred));
    memcpy(&cred, buf, sizeof(cred));
    assert_int_equal(cred.pid, getpid());
    assert_int_equal(cred.uid, getuid());
  }
#endif
  length = value.length;
  assert_int_equal(socket99_option_get(fds[0], "peercred", &value, buf, length), 0);
  assert_int_equal(value.length, length);
  memset(buf, '#', sizeof(buf));
  assert_int_equal(socket99_option_get(fds[0], "peercred", &value, buf, length - 1), ERANGE);
  assert_int_equal(buf[length - 1], '#');
  assert_int_equal(socket99_option_get(fds[0], "peercred", &value, NULL, 0), ERANGE);
  close(fds[0]);
  close(fds[1]);
}


static void test_a_filter_is_attached_read_back_and_detached(void **state) {
#if defined(__linux__)
  struct sock_filter all[3] = {
      {BPF_LD | BPF_IMM, 0, 0, 7}, {BPF_MISC | BPF_TAX, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 0xffff}};
  struct sock_fprog program = {3, all};
  socklen_t count = 0;
  unsigned char buf[sizeof(all) + 8];
  int fd = open_endpoint(UDP4);
  socket99_value value;
  assert_int_equal(set(fd, "attach_filter", bytes(&program, sizeof(program))), 0);
  need_probed("SO_GET_FILTER",
              getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &count) == 0 ? 0 : errno);
  /* The kernel counts instructions, not bytes, and would write past the end. */
  memset(buf, '#', sizeof(buf));
  assert_int_equal(socket99_option_get(fd, "get_filter", &value, buf, sizeof(all)), 0);
  assert_int_equal(value.length, sizeof(all));
  assert_memory_equal(buf, all, sizeof(all));
  assert_memory_equal(buf + sizeof(all), "########", 8);
  assert_int_equal(socket99_option_get(fd, "get_filter", &value, buf, sizeof(all) - 1), ERANGE);
  assert_int_equal(socket99_option_get(fd, "get_filter", &value, NULL, sizeof(buf)), ERANGE);
  assert_int_equal(set(fd, "detach_filter", boolean(0)), 0);
  assert_int_equal(set(fd, "detach_filter", integer(0)), 0);
  assert_int_equal(get(fd, "get_filter", &value), 0);
  assert_int_equal(value.length, sizeof(all));
  assert_int_equal(set(fd, "detach_filter", boolean(1)), 0);
  assert_int_equal(get(fd, "get_filter", &value), 0);
  assert_int_equal(value.length, 0);
  close(fd);
#else
  print_message("skipped: socket filters are Linux's\n");
  skip();
#endif
  (void)state;
}


static void test_wide_values_are_whole(void **state) {
  unsigned long long bits = 0x9000000000000001ULL;
  int fd = open_endpoint(TCP4);
  socket99_value value;
  int error = set(fd, "max_pacing_rate", integer(5000000000LL));
  (void)state;
  if (error == ENOPROTOOPT || error == ERANGE) {
    print_message("skipped: max_pacing_rate: %s\n", strerror(error));
    skip();
  }
  assert_int_equal(error, 0);
  assert_int_equal(get(fd, "max_pacing_rate", &value), 0);
  assert_true(value.integer == 5000000000LL);
  assert_int_equal(set(fd, "max_pacing_rate", bytes(&bits, sizeof(bits))), 0);
  assert_int_equal(get(fd, "max_pacing_rate", &value), 0);
  assert_true((unsigned long long)value.integer == bits);
  assert_int_equal(set(fd, "max_pacing_rate", bytes(&bits, 3)), EINVAL);
  /* No limit. */
  assert_int_equal(set(fd, "max_pacing_rate", integer(-1)), 0);
  assert_int_equal(get(fd, "max_pacing_rate", &value), 0);
  assert_true(value.integer == -1);
  close(fd);
}


static void test_unsigned_values_use_all_their_bits(void **state) {
  int fd = open_endpoint(TCP4), error = set(fd, "notsent_lowat", integer(4294967295LL));
  socket99_value value;
  (void)state;
  if (error == ENOPROTOOPT) {
    print_message("skipped: notsent_lowat: %s\n", strerror(error));
    skip();
  }
  assert_int_equal(error, 0);
  assert_int_equal(get(fd, "notsent_lowat", &value), 0);
  assert_true(value.integer == 4294967295LL);
  close(fd);
}


static void test_a_number_reaches_the_kernel_untouched(void **state) {
  int fd = open_endpoint(TCP4), one = 1, zero = 0;
  socket99_option option = numbered(SOL_SOCKET, SO_KEEPALIVE, integer(1));
  char why[128];
  (void)state;
  assert_true(s99_option_check(&option, SOCK_STREAM, why, sizeof(why)));
  assert_int_equal(s99_option_apply(fd, &option, SOCK_STREAM, AF_INET, false, &constant), 0);
  assert_int_not_equal(ask(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
  option.value = bytes(&zero, sizeof(zero));
  assert_int_equal(s99_option_apply(fd, &option, SOCK_STREAM, AF_INET, false, &constant), 0);
  assert_int_equal(ask(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
  option.value = bytes(&one, 1);
  assert_int_equal(s99_option_apply(fd, &option, SOCK_STREAM, AF_INET, false, &constant), EINVAL);
  option.value = boolean(1);
  assert_int_equal(s99_option_apply(fd, &option, SOCK_STREAM, AF_INET, false, &constant), EINVAL);
  option = numbered(1, 8, integer(4294967296LL));
  assert_int_equal(s99_option_apply(fd, &option, SOCK_STREAM, AF_INET, false, &constant), ERANGE);
  assert_false(s99_option_check(&option, SOCK_STREAM, why, sizeof(why)));
  assert_string_equal(why, "level 1 option 8: 4294967296 is not in -2147483648 to 2147483647");
  s99_option_label(&option, SOCK_STREAM, AF_INET, why, sizeof(why));
  assert_string_equal(why, "level 1 option 8");
  close(fd);
}


static void test_an_option_is_recognized_by_name_or_number(void **state) {
  socket99_option option = named("reuseaddr", boolean(0));
  (void)state;
  assert_true(s99_option_is(&option, SOL_SOCKET, SO_REUSEADDR));
  assert_false(s99_option_is(&option, SOL_SOCKET, SO_BROADCAST));
  assert_false(s99_option_is(&option, IPPROTO_IP, SO_REUSEADDR));
  option = named("SO_REUSEADDR", boolean(0));
  assert_true(s99_option_is(&option, SOL_SOCKET, SO_REUSEADDR));
  option = named("v6only", boolean(0));
  assert_true(s99_option_is(&option, IPPROTO_IPV6, IPV6_V6ONLY));
  option = named("ttl", integer(1));
  assert_true(s99_option_is(&option, IPPROTO_IP, IP_TTL));
  assert_true(s99_option_is(&option, IPPROTO_IPV6, IPV6_UNICAST_HOPS));
  option = named("no_such_name", integer(1));
  assert_false(s99_option_is(&option, SOL_SOCKET, SO_REUSEADDR));
  option = numbered(SOL_SOCKET, SO_REUSEADDR, integer(1));
  assert_true(s99_option_is(&option, SOL_SOCKET, SO_REUSEADDR));
  assert_false(s99_option_is(&option, SOL_SOCKET, SO_TYPE));
}


static void test_kinds_are_told(void **state) {
  static const struct {
    const char *name;
    enum socket99_kind kind;
  } cases[] = {{"reuseaddr", SOCKET99_BOOLEAN},      {"rcvbuf", SOCKET99_INTEGER},
               {"linger", SOCKET99_SECONDS},         {"rcvtimeo", SOCKET99_SECONDS},
               {"congestion", SOCKET99_BYTES},       {"info", SOCKET99_BYTES},
               {"multicast_if", SOCKET99_BYTES},     {"add_membership", SOCKET99_MEMBERSHIP},
               {"cookie", SOCKET99_INTEGER},         {"block_source", SOCKET99_MEMBERSHIP},
               {"pktinfo", SOCKET99_BOOLEAN},        {"ipv6_pktinfo", SOCKET99_BYTES},
               {"max_pacing_rate", SOCKET99_INTEGER}};
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(cases); i++) {
    enum socket99_kind kind;
    assert_true(socket99_option_kind(cases[i].name, 0, 0, &kind));
    assert_int_equal(kind, cases[i].kind);
  }
}


static void test_the_nearest_name_is_found(void **state) {
  static const struct {
    const char *name, *nearest;
  } cases[] = {
      {"rcvbf", "rcvbuf"},
      {"nodealy", "nodelay"},
      {"tcp_nodely", "nodelay"},
      {"tpc_nodelay", "nodelay"},
      {"RUSEADDR", "reuseaddr"},
      {"reuse-addr", "reuseaddr"},
      {"rcvbufsize", "rcvbuf"},
      {"keepinterval", NULL},
      {"multicast-lop", "multicast_loop"},
      {"conges", "congestion"},
      {"linger", "linger"},
      {"membership", NULL},
      {"tlt", "ttl"},
      {"x", NULL},
      {"", NULL},
      {"completely_else", NULL},
      {"ipv6_ttl", "ttl"},
      {A60, NULL},
  };
  size_t i;
  (void)state;
  for (i = 0; i < COUNT(cases); i++) {
    const char *nearest = socket99_option_nearest(cases[i].name);
    if (cases[i].nearest == NULL)
      assert_null(nearest);
    else {
      assert_non_null(nearest);
      assert_string_equal(nearest, cases[i].nearest);
    }
  }
  assert_null(socket99_option_nearest(NULL));
}


static void test_a_word_longer_than_any_that_is_known_is_far_from_all(void **state) {
  char word[S99_LONGEST_WORD + 2];
  (void)state;
  memset(word, 'x', sizeof(word) - 1);
  word[sizeof(word) - 1] = '\0';
  assert_int_equal(s99_edits(word, word, 2), 3);
  assert_int_equal(s99_edits(word + 1, word + 1, 2), 0);
}


/* What was not checked, by those who check. */
static void test_an_unknown_name_is_refused_and_told_as_it_is(void **state) {
  socket99_option option = named("no_such_thing", integer(1));
  socket99_value value;
  char buf[64];
  int fd = open_endpoint(UDP4);
  (void)state;
  assert_int_equal(s99_option_apply(fd, &option, SOCK_DGRAM, AF_INET, false, &constant), ENOENT);
  s99_option_label(&option, SOCK_DGRAM, AF_INET, buf, sizeof(buf));
  assert_string_equal(buf, "no_such_thing");
  assert_false(s99_option_is(&option, SOL_SOCKET, SO_BROADCAST));
  option = named("ttl", text("x"));
  assert_int_equal(s99_option_apply(fd, &option, SOCK_DGRAM, AF_INET, false, &constant), EINVAL);
  assert_false(socket99_option_kind(NULL, SOCK_DGRAM, AF_INET, NULL));
  assert_int_equal(set(fd, NULL, integer(1)), ENOENT);
  assert_int_equal(get(fd, NULL, &value), ENOENT);
  close(fd);
}


static void test_no_room_is_too_little(void **state) {
  unsigned char buf[2048];
  socket99_value value;
  int fd = open_endpoint(TCP4);
  (void)state;
  assert_int_equal(get(fd, "congestion", &value), 0);
  assert_int_equal(socket99_option_get(fd, "congestion", &value, NULL, sizeof(buf)), ERANGE);
  assert_true(value.length > 0);
  if (get(fd, "bindtodevice", &value) == 0)
    assert_int_equal(socket99_option_get(fd, "bindtodevice", &value, NULL, 0), 0);
  assert_int_equal(get(-1, "ttl", &value), EBADF);
  if (get(fd, "tcp_info", &value) == 0) {
    assert_int_equal(
        socket99_option_get(fd, "tcp_info", &value, buf, (size_t)INT_MAX + sizeof(buf)), 0);
    assert_true(value.length <= sizeof(buf));
  }
  assert_int_not_equal(get(-1, "get_filter", &value), 0);
  close(fd);
}


/* The kernel says ERANGE itself, and how much it has. */
static void test_a_structure_larger_than_any_buffer_tells_its_length(void **state) {
#if defined(__linux__)
  gid_t groups[400], got[400];
  socket99_value value;
  int ends[2];
  size_t i;
  pid_t child;
  int status;
  (void)state;
  if (emulated()) {
    print_message("skipped: an emulator does not pass the length on\n");
    skip();
  }
  child = fork();
  if (child == 0) {
    for (i = 0; i < 400; i++)
      groups[i] = (gid_t)(1000 + i);
    if (setgroups(400, groups) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
      _exit(77);
    assert_int_equal(socket99_option_get(ends[0], "peergroups", &value, NULL, 0), ERANGE);
    assert_int_equal(value.length, sizeof(groups));
    assert_int_equal(socket99_option_get(ends[0], "peergroups", &value, got, 100), ERANGE);
    assert_int_equal(value.length, sizeof(groups));
    assert_int_equal(socket99_option_get(ends[0], "peergroups", &value, got, sizeof(got)), 0);
    assert_int_equal(value.length, sizeof(groups));
    assert_memory_equal(got, groups, sizeof(groups));
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  if (status == 77 << 8)
    skip();
  assert_int_equal(status, 0);
#else
  (void)state;
  skip();
#endif
}


int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_documented_option_is_known),
      cmocka_unit_test(test_every_option_answers_as_the_kernel_documents),
      cmocka_unit_test(test_an_option_is_the_constant_that_its_name_says),
      cmocka_unit_test(test_the_family_decides_between_twins),
      cmocka_unit_test(test_case_dashes_and_prefix_do_not_matter),
      cmocka_unit_test(test_a_name_that_no_system_has_is_unknown),
      cmocka_unit_test(test_a_bare_name_goes_by_type_then_family),
      cmocka_unit_test(test_so_wins_a_tie_and_the_loser_needs_its_prefix),
      cmocka_unit_test(test_the_socket_itself_decides_what_its_name_means),
      cmocka_unit_test(test_another_protocols_option_gets_the_kernels_error),
      cmocka_unit_test(test_what_is_no_socket_gets_the_kernels_error),
      cmocka_unit_test(test_either_twin_works_on_either_family),
      cmocka_unit_test(test_dual_stack_sets_both_families),
      cmocka_unit_test(test_an_ipv6_only_socket_keeps_its_ipv4_options),
      cmocka_unit_test(test_dual_stack_skips_the_level_that_can_not),
      cmocka_unit_test(test_apply_goes_by_what_it_is_told),
      cmocka_unit_test(test_values_out_of_range_are_refused),
      cmocka_unit_test(test_values_of_another_kind_are_refused),
      cmocka_unit_test(test_zero_and_one_are_booleans),
      cmocka_unit_test(test_a_complaint_names_option_value_and_limit),
      cmocka_unit_test(test_right_values_bring_no_complaint),
      cmocka_unit_test(test_a_short_buffer_for_the_complaint_is_kept_to),
      cmocka_unit_test(test_what_the_system_lacks_can_only_be_switched_off),
      cmocka_unit_test(test_linger_is_whole_seconds_or_off),
      cmocka_unit_test(test_timeouts_round_up_and_never_to_forever),
      cmocka_unit_test(test_an_ipv4_group_is_joined_by_name_index_and_address),
      cmocka_unit_test(test_an_ipv6_group_is_joined_by_name_index_and_ipv4_address),
      cmocka_unit_test(test_the_groups_family_decides_on_dual_stack),
      cmocka_unit_test(test_sources_are_admitted_and_blocked_in_both_families),
      cmocka_unit_test(test_a_datagram_arrives_through_a_membership),
      cmocka_unit_test(test_memberships_that_make_no_sense_are_refused),
      cmocka_unit_test(test_multicast_if_takes_name_index_and_address),
      cmocka_unit_test(test_unicast_if_is_told_as_an_index),
      cmocka_unit_test(test_minus_one_is_the_systems_default),
      cmocka_unit_test(test_text_comes_back_without_its_nul),
      cmocka_unit_test(test_bindtodevice_binds_and_unbinds),
      cmocka_unit_test(test_structures_come_back_whole_or_not_at_all),
      cmocka_unit_test(test_a_filter_is_attached_read_back_and_detached),
      cmocka_unit_test(test_wide_values_are_whole),
      cmocka_unit_test(test_unsigned_values_use_all_their_bits),
      cmocka_unit_test(test_a_number_reaches_the_kernel_untouched),
      cmocka_unit_test(test_an_option_is_recognized_by_name_or_number),
      cmocka_unit_test(test_kinds_are_told),
      cmocka_unit_test(test_the_nearest_name_is_found),
      cmocka_unit_test(test_a_word_longer_than_any_that_is_known_is_far_from_all),
      cmocka_unit_test(test_an_unknown_name_is_refused_and_told_as_it_is),
      cmocka_unit_test(test_no_room_is_too_little),
      cmocka_unit_test(test_a_structure_larger_than_any_buffer_tells_its_length),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
