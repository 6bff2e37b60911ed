/*
** option_table.c: an option's name in, the row that says all about it out.
**
** The table is sorted by name; where protocols share a bare name, SO_ comes
** first and wins if this system has it, then TCP_, UDP_, IP_, IPV6_. A new
** option is a new row here and, unless every system has it, three lines in
** option_constants.h.
**
** A row with two constants serves both families, whichever of the two names
** it goes by: "ttl" and "unicast_hops" are the same thing.
*/

#include "option_constants.h"
#include "spelling.h"

#define SOCKET(name, id, form)                                                                     \
  { name, S99_SO, S99_FORM_##form, SOL_SOCKET, id, S99_NONE, #id, NULL }
#define TCP(name, id, form)                                                                        \
  { name, S99_TCP, S99_FORM_##form, IPPROTO_TCP, id, S99_NONE, #id, NULL }
#define UDP(name, id, form)                                                                        \
  { name, S99_UDP, S99_FORM_##form, IPPROTO_UDP, id, S99_NONE, #id, NULL }
#define INET(name, id, form)                                                                       \
  { name, S99_IP, S99_FORM_##form, IPPROTO_IP, id, S99_NONE, #id, NULL }
#define INET6(name, id6, form)                                                                     \
  { name, S99_IPV6, S99_FORM_##form, IPPROTO_IP, S99_NONE, id6, NULL, #id6 }
#define TWIN(prefixes, name, id, id6, form)                                                        \
  { name, prefixes, S99_FORM_##form, IPPROTO_IP, id, id6, #id, #id6 }
#define BOTH(name, id, id6, form)                                                                  \
  { name, S99_IP | S99_IPV6, S99_FORM_##form, IPPROTO_IP, id, id6, #id, #id6 }
/* RFC 3678: one constant for both families. */
#define GROUP(prefixes, name, id, form)                                                            \
  { name, prefixes, S99_FORM_##form, IPPROTO_IP, id, id, #id, #id }

/* clang-format off */
static const struct s99_option_row rows[] = {
  INET6("2292dstopts", IPV6_2292DSTOPTS, FLAG),
  INET6("2292hoplimit", IPV6_2292HOPLIMIT, FLAG),
  INET6("2292hopopts", IPV6_2292HOPOPTS, FLAG),
  INET6("2292pktinfo", IPV6_2292PKTINFO, FLAG),
  INET6("2292pktoptions", IPV6_2292PKTOPTIONS, STRUCT),
  INET6("2292rthdr", IPV6_2292RTHDR, FLAG),
  SOCKET("acceptconn", SO_ACCEPTCONN, FLAG),
  SOCKET("acceptfilter", SO_ACCEPTFILTER, STRUCT),
  BOTH("add_membership", IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP, MEMBER),
  GROUP(S99_IP, "add_source_membership", MCAST_JOIN_SOURCE_GROUP, SOURCE),
  INET6("addr_preferences", IPV6_ADDR_PREFERENCES, INT),
  INET6("addrform", IPV6_ADDRFORM, INT),
  TCP("ao_add_key", TCP_AO_ADD_KEY, STRUCT),
  TCP("ao_del_key", TCP_AO_DEL_KEY, STRUCT),
  TCP("ao_get_keys", TCP_AO_GET_KEYS, STRUCT),
  TCP("ao_info", TCP_AO_INFO, STRUCT),
  TCP("ao_repair", TCP_AO_REPAIR, STRUCT),
  SOCKET("attach_bpf", SO_ATTACH_BPF, INT),
  SOCKET("attach_filter", SO_ATTACH_FILTER, FILTER),
  SOCKET("attach_reuseport_cbpf", SO_ATTACH_REUSEPORT_CBPF, STRUCT),
  SOCKET("attach_reuseport_ebpf", SO_ATTACH_REUSEPORT_EBPF, INT),
  INET6("authhdr", IPV6_AUTHHDR, FLAG),
  INET6("autoflowlabel", IPV6_AUTOFLOWLABEL, FLAG),
  INET("bind_address_no_port", IP_BIND_ADDRESS_NO_PORT, FLAG),
  SOCKET("bindany", SO_BINDANY, FLAG),
  BOTH("bindany", IP_BINDANY, IPV6_BINDANY, FLAG),
  SOCKET("bindtodevice", SO_BINDTODEVICE, TEXT),
  SOCKET("bindtoifindex", SO_BINDTOIFINDEX, INT),
  SOCKET("bintime", SO_BINTIME, FLAG),
  GROUP(S99_IP | S99_MCAST, "block_source", MCAST_BLOCK_SOURCE, SOURCE),
  BOTH("bound_if", IP_BOUND_IF, IPV6_BOUND_IF, INT),
  SOCKET("bpf_extensions", SO_BPF_EXTENSIONS, INT),
  SOCKET("broadcast", SO_BROADCAST, FLAG),
  SOCKET("bsdcompat", SO_BSDCOMPAT, FLAG),
  SOCKET("buf_lock", SO_BUF_LOCK, INT),
  SOCKET("busy_poll", SO_BUSY_POLL, INT),
  SOCKET("busy_poll_budget", SO_BUSY_POLL_BUDGET, INT),
  TCP("cc_info", TCP_CC_INFO, STRUCT),
  INET("checksum", IP_CHECKSUM, FLAG),
  INET6("checksum", IPV6_CHECKSUM, INT),
  SOCKET("cnx_advice", SO_CNX_ADVICE, INT),
  TCP("congestion", TCP_CONGESTION, TEXT),
  TCP("connection_info", TCP_CONNECTION_INFO, STRUCT),
  TCP("connectiontimeout", TCP_CONNECTIONTIMEOUT, INT),
  SOCKET("cookie", SO_COOKIE, UINT64),
  TCP("cookie_transactions", TCP_COOKIE_TRANSACTIONS, STRUCT),
  TCP("cork", TCP_CORK, FLAG),
  UDP("cork", UDP_CORK, FLAG),
  SOCKET("debug", SO_DEBUG, FLAG),
  TCP("defer_accept", TCP_DEFER_ACCEPT, INT),
  TCP("delack_max_us", TCP_DELACK_MAX_US, INT),
  SOCKET("detach_bpf", SO_DETACH_BPF, ACTION),
  SOCKET("detach_filter", SO_DETACH_FILTER, ACTION),
  SOCKET("detach_reuseport_bpf", SO_DETACH_REUSEPORT_BPF, ACTION),
  SOCKET("domain", SO_DOMAIN, INT),
  BOTH("dontfrag", IP_DONTFRAG, IPV6_DONTFRAG, FLAG),
  SOCKET("dontroute", SO_DONTROUTE, FLAG),
  SOCKET("donttrunc", SO_DONTTRUNC, FLAG),
  BOTH("drop_membership", IP_DROP_MEMBERSHIP, IPV6_LEAVE_GROUP, MEMBER),
  GROUP(S99_IP, "drop_source_membership", MCAST_LEAVE_SOURCE_GROUP, SOURCE),
  INET6("dstopts", IPV6_DSTOPTS, STRUCT),
  TCP("enable_ecn", TCP_ENABLE_ECN, FLAG),
  UDP("encap", UDP_ENCAP, INT),
  SOCKET("error", SO_ERROR, INT),
  TCP("fastopen", TCP_FASTOPEN, INT),
  TCP("fastopen_connect", TCP_FASTOPEN_CONNECT, FLAG),
  TCP("fastopen_key", TCP_FASTOPEN_KEY, STRUCT),
  TCP("fastopen_no_cookie", TCP_FASTOPEN_NO_COOKIE, FLAG),
  INET6("flowinfo", IPV6_FLOWINFO, FLAG),
  INET6("flowinfo_send", IPV6_FLOWINFO_SEND, FLAG),
  INET6("flowlabel_mgr", IPV6_FLOWLABEL_MGR, STRUCT),
  BOTH("freebind", IP_FREEBIND, IPV6_FREEBIND, FLAG),
  TCP("function_blk", TCP_FUNCTION_BLK, STRUCT),
  SOCKET("get_filter", SO_GET_FILTER, FILTER),
  UDP("gro", UDP_GRO, FLAG),
  BOTH("hdrincl", IP_HDRINCL, IPV6_HDRINCL, FLAG),
  INET6("hoplimit", IPV6_HOPLIMIT, FLAG),
  INET6("hopopts", IPV6_HOPOPTS, STRUCT),
  SOCKET("incoming_cpu", SO_INCOMING_CPU, INT),
  SOCKET("incoming_napi_id", SO_INCOMING_NAPI_ID, INT),
  TCP("info", TCP_INFO, STRUCT),
  SOCKET("inq", SO_INQ, FLAG),
  TCP("inq", TCP_INQ, FLAG),
  BOTH("ipsec_policy", IP_IPSEC_POLICY, IPV6_IPSEC_POLICY, STRUCT),
  TCP("is_mptcp", TCP_IS_MPTCP, FLAG),
  INET6("join_anycast", IPV6_JOIN_ANYCAST, MEMBER),
  TWIN(S99_IPV6 | S99_MCAST, "join_group", IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP, MEMBER),
  GROUP(S99_MCAST, "join_source_group", MCAST_JOIN_SOURCE_GROUP, SOURCE),
  SOCKET("keepalive", SO_KEEPALIVE, FLAG),
  TCP("keepalive", TCP_KEEPALIVE, INT),
  TCP("keepcnt", TCP_KEEPCNT, INT),
  TCP("keepidle", TCP_KEEPIDLE, INT),
  TCP("keepinit", TCP_KEEPINIT, INT),
  TCP("keepintvl", TCP_KEEPINTVL, INT),
  INET6("leave_anycast", IPV6_LEAVE_ANYCAST, MEMBER),
  TWIN(S99_IPV6 | S99_MCAST, "leave_group", IP_DROP_MEMBERSHIP, IPV6_LEAVE_GROUP, MEMBER),
  GROUP(S99_MCAST, "leave_source_group", MCAST_LEAVE_SOURCE_GROUP, SOURCE),
  {"linger", S99_SO, S99_FORM_LINGER, SOL_SOCKET, SO_LINGER_SEC, S99_NONE, "SO_LINGER", NULL},
  TCP("linger2", TCP_LINGER2, INT),
  SOCKET("linger_sec", SO_LINGER_SEC, LINGER),
  SOCKET("listenincqlen", SO_LISTENINCQLEN, INT),
  SOCKET("listenqlen", SO_LISTENQLEN, INT),
  SOCKET("listenqlimit", SO_LISTENQLIMIT, INT),
  INET("local_port_range", IP_LOCAL_PORT_RANGE, UINT32),
  SOCKET("lock_filter", SO_LOCK_FILTER, FLAG),
  SOCKET("mark", SO_MARK, UINT32),
  SOCKET("max_pacing_rate", SO_MAX_PACING_RATE, UINT64),
  TCP("maxseg", TCP_MAXSEG, INT),
  TCP("md5sig", TCP_MD5SIG, STRUCT),
  TCP("md5sig_ext", TCP_MD5SIG_EXT, STRUCT),
  SOCKET("meminfo", SO_MEMINFO, STRUCT),
  TWIN(S99_IPV6, "minhopcount", IP_MINTTL, IPV6_MINHOPCOUNT, INT),
  TWIN(S99_IP, "minttl", IP_MINTTL, IPV6_MINHOPCOUNT, INT),
  INET("msfilter", IP_MSFILTER, STRUCT),
  GROUP(S99_MCAST, "msfilter", MCAST_MSFILTER, STRUCT),
  BOTH("mtu", IP_MTU, IPV6_MTU, INT),
  BOTH("mtu_discover", IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, INT),
  BOTH("multicast_all", IP_MULTICAST_ALL, IPV6_MULTICAST_ALL, FLAG),
  TWIN(S99_IPV6, "multicast_hops", IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, MULTICAST_TTL),
  BOTH("multicast_if", IP_MULTICAST_IF, IPV6_MULTICAST_IF, MULTICAST_IF),
  BOTH("multicast_loop", IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, MULTICAST_LOOP),
  TWIN(S99_IP, "multicast_ttl", IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, MULTICAST_TTL),
  SOCKET("net_service_type", SO_NET_SERVICE_TYPE, INT),
  SOCKET("netns_cookie", SO_NETNS_COOKIE, UINT64),
  INET6("nexthop", IPV6_NEXTHOP, STRUCT),
  SOCKET("no_check", SO_NO_CHECK, FLAG),
  UDP("no_check6_rx", UDP_NO_CHECK6_RX, FLAG),
  UDP("no_check6_tx", UDP_NO_CHECK6_TX, FLAG),
  SOCKET("noaddrerr", SO_NOADDRERR, FLAG),
  UDP("nocksum", UDP_NOCKSUM, FLAG),
  INET("nodefrag", IP_NODEFRAG, FLAG),
  TCP("nodelay", TCP_NODELAY, FLAG),
  SOCKET("nofcs", SO_NOFCS, FLAG),
  TCP("noopt", TCP_NOOPT, FLAG),
  TCP("nopush", TCP_NOPUSH, FLAG),
  SOCKET("nosigpipe", SO_NOSIGPIPE, FLAG),
  TCP("notsent_lowat", TCP_NOTSENT_LOWAT, UINT32),
  SOCKET("nread", SO_NREAD, INT),
  SOCKET("nwrite", SO_NWRITE, INT),
  INET("onesbcast", IP_ONESBCAST, FLAG),
  SOCKET("oobinline", SO_OOBINLINE, FLAG),
  INET("options", IP_OPTIONS, STRUCT),
  BOTH("origdstaddr", IP_ORIGDSTADDR, IPV6_ORIGDSTADDR, FLAG),
  SOCKET("passcred", SO_PASSCRED, FLAG),
  SOCKET("passpidfd", SO_PASSPIDFD, FLAG),
  SOCKET("passrights", SO_PASSRIGHTS, FLAG),
  SOCKET("passsec", SO_PASSSEC, FLAG),
  INET("passsec", IP_PASSSEC, FLAG),
  INET6("pathmtu", IPV6_PATHMTU, STRUCT),
  SOCKET("peek_off", SO_PEEK_OFF, INT),
  SOCKET("peercred", SO_PEERCRED, STRUCT),
  SOCKET("peergroups", SO_PEERGROUPS, STRUCT),
  SOCKET("peername", SO_PEERNAME, STRUCT),
  SOCKET("peerpidfd", SO_PEERPIDFD, INT),
  SOCKET("peersec", SO_PEERSEC, TEXT),
  TWIN(S99_IP, "pktinfo", IP_PKTINFO, IPV6_RECVPKTINFO, FLAG),
  INET6("pktinfo", IPV6_PKTINFO, STRUCT),
  INET("pktoptions", IP_PKTOPTIONS, STRUCT),
  TWIN(S99_IP, "pmtudisc", IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, INT),
  BOTH("portrange", IP_PORTRANGE, IPV6_PORTRANGE, INT),
  SOCKET("prefer_busy_poll", SO_PREFER_BUSY_POLL, FLAG),
  SOCKET("priority", SO_PRIORITY, INT),
  SOCKET("protocol", SO_PROTOCOL, INT),
  INET("protocol", IP_PROTOCOL, INT),
  TCP("queue_seq", TCP_QUEUE_SEQ, UINT32),
  TCP("quickack", TCP_QUICKACK, FLAG),
  SOCKET("randomport", SO_RANDOMPORT, FLAG),
  SOCKET("rcvbuf", SO_RCVBUF, INT),
  SOCKET("rcvbufforce", SO_RCVBUFFORCE, INT),
  SOCKET("rcvlowat", SO_RCVLOWAT, INT),
  SOCKET("rcvmark", SO_RCVMARK, FLAG),
  SOCKET("rcvpriority", SO_RCVPRIORITY, FLAG),
  SOCKET("rcvtimeo", SO_RCVTIMEO, TIMEOUT),
  INET("recvdstaddr", IP_RECVDSTADDR, FLAG),
  INET6("recvdstopts", IPV6_RECVDSTOPTS, FLAG),
  BOTH("recverr", IP_RECVERR, IPV6_RECVERR, FLAG),
  BOTH("recverr_rfc4884", IP_RECVERR_RFC4884, IPV6_RECVERR_RFC4884, FLAG),
  BOTH("recvfragsize", IP_RECVFRAGSIZE, IPV6_RECVFRAGSIZE, FLAG),
  TWIN(S99_IPV6, "recvhoplimit", IP_RECVTTL, IPV6_RECVHOPLIMIT, FLAG),
  INET6("recvhopopts", IPV6_RECVHOPOPTS, FLAG),
  INET("recvif", IP_RECVIF, FLAG),
  INET("recvopts", IP_RECVOPTS, FLAG),
  BOTH("recvorigdstaddr", IP_RECVORIGDSTADDR, IPV6_RECVORIGDSTADDR, FLAG),
  INET6("recvpathmtu", IPV6_RECVPATHMTU, FLAG),
  BOTH("recvpktinfo", IP_PKTINFO, IPV6_RECVPKTINFO, FLAG),
  INET("recvretopts", IP_RECVRETOPTS, FLAG),
  INET6("recvrthdr", IPV6_RECVRTHDR, FLAG),
  TWIN(S99_IPV6, "recvtclass", IP_RECVTOS, IPV6_RECVTCLASS, FLAG),
  TWIN(S99_IP, "recvtos", IP_RECVTOS, IPV6_RECVTCLASS, FLAG),
  TWIN(S99_IP, "recvttl", IP_RECVTTL, IPV6_RECVHOPLIMIT, FLAG),
  TCP("repair", TCP_REPAIR, INT),
  TCP("repair_options", TCP_REPAIR_OPTIONS, STRUCT),
  TCP("repair_queue", TCP_REPAIR_QUEUE, INT),
  TCP("repair_window", TCP_REPAIR_WINDOW, STRUCT),
  SOCKET("reserve_mem", SO_RESERVE_MEM, INT),
  INET("retopts", IP_RETOPTS, FLAG),
  SOCKET("reuseaddr", SO_REUSEADDR, FLAG),
  SOCKET("reuseport", SO_REUSEPORT, FLAG),
  SOCKET("reuseport_lb", SO_REUSEPORT_LB, FLAG),
  SOCKET("reuseshareuid", SO_REUSESHAREUID, FLAG),
  BOTH("router_alert", IP_ROUTER_ALERT, IPV6_ROUTER_ALERT, INT),
  INET6("router_alert_isolate", IPV6_ROUTER_ALERT_ISOLATE, FLAG),
  SOCKET("rtable", SO_RTABLE, INT),
  INET6("rthdr", IPV6_RTHDR, STRUCT),
  INET6("rthdrdstopts", IPV6_RTHDRDSTOPTS, STRUCT),
  TCP("rto_max_ms", TCP_RTO_MAX_MS, INT),
  TCP("rto_min_us", TCP_RTO_MIN_US, INT),
  INET6("rxdstopts", IPV6_RXDSTOPTS, STRUCT),
  INET6("rxhopopts", IPV6_RXHOPOPTS, STRUCT),
  SOCKET("rxq_ovfl", SO_RXQ_OVFL, FLAG),
  TCP("rxt_conndroptime", TCP_RXT_CONNDROPTIME, INT),
  TCP("rxt_findrop", TCP_RXT_FINDROP, FLAG),
  TCP("sack_enable", TCP_SACK_ENABLE, FLAG),
  TCP("save_syn", TCP_SAVE_SYN, INT),
  TCP("saved_syn", TCP_SAVED_SYN, STRUCT),
  SOCKET("security_authentication", SO_SECURITY_AUTHENTICATION, INT),
  SOCKET("security_encryption_network", SO_SECURITY_ENCRYPTION_NETWORK, INT),
  SOCKET("security_encryption_transport", SO_SECURITY_ENCRYPTION_TRANSPORT, INT),
  UDP("segment", UDP_SEGMENT, INT),
  SOCKET("select_err_queue", SO_SELECT_ERR_QUEUE, FLAG),
  TCP("sendmoreacks", TCP_SENDMOREACKS, FLAG),
  SOCKET("setfib", SO_SETFIB, INT),
  SOCKET("sndbuf", SO_SNDBUF, INT),
  SOCKET("sndbufforce", SO_SNDBUFFORCE, INT),
  SOCKET("sndlowat", SO_SNDLOWAT, INT),
  SOCKET("sndtimeo", SO_SNDTIMEO, TIMEOUT),
  TCP("syncnt", TCP_SYNCNT, INT),
  TWIN(S99_IPV6, "tclass", IP_TOS, IPV6_TCLASS, TOS),
  TCP("thin_dupack", TCP_THIN_DUPACK, FLAG),
  TCP("thin_linear_timeouts", TCP_THIN_LINEAR_TIMEOUTS, FLAG),
  SOCKET("timestamp", SO_TIMESTAMP, FLAG),
  TCP("timestamp", TCP_TIMESTAMP, UINT32),
  SOCKET("timestamping", SO_TIMESTAMPING, INT),
  SOCKET("timestampns", SO_TIMESTAMPNS, FLAG),
  TWIN(S99_IP, "tos", IP_TOS, IPV6_TCLASS, TOS),
  BOTH("transparent", IP_TRANSPARENT, IPV6_TRANSPARENT, FLAG),
  SOCKET("ts_clock", SO_TS_CLOCK, INT),
  TWIN(S99_IP, "ttl", IP_TTL, IPV6_UNICAST_HOPS, INT),
  TCP("tx_delay", TCP_TX_DELAY, INT),
  SOCKET("txrehash", SO_TXREHASH, INT),
  SOCKET("txtime", SO_TXTIME, STRUCT),
  SOCKET("type", SO_TYPE, INT),
  TCP("ulp", TCP_ULP, TEXT),
  GROUP(S99_IP | S99_MCAST, "unblock_source", MCAST_UNBLOCK_SOURCE, SOURCE),
  TWIN(S99_IPV6, "unicast_hops", IP_TTL, IPV6_UNICAST_HOPS, INT),
  BOTH("unicast_if", IP_UNICAST_IF, IPV6_UNICAST_IF, UNICAST_IF),
  INET6("use_min_mtu", IPV6_USE_MIN_MTU, INT),
  SOCKET("useloopback", SO_USELOOPBACK, FLAG),
  SOCKET("user_cookie", SO_USER_COOKIE, UINT32),
  TCP("user_timeout", TCP_USER_TIMEOUT, INT),
  INET6("v6only", IPV6_V6ONLY, FLAG),
  SOCKET("wifi_status", SO_WIFI_STATUS, FLAG),
  TCP("window_clamp", TCP_WINDOW_CLAMP, INT),
  BOTH("xfrm_policy", IP_XFRM_POLICY, IPV6_XFRM_POLICY, STRUCT),
  SOCKET("zerocopy", SO_ZEROCOPY, FLAG),
  TCP("zerocopy_receive", TCP_ZEROCOPY_RECEIVE, STRUCT),
};
/* clang-format on */

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* Longer than any name with its prefix. */
#define NAME_SIZE 40


/* Lower case, '_' for '-'. False where it is too long to be a known name. */
static bool normalize(const char *name, char out[NAME_SIZE]) {
  size_t i;
  memset(out, 0, NAME_SIZE);
  for (i = 0; name[i] != '\0'; i++) {
    if (i == NAME_SIZE - 1)
      return false;
    out[i] = name[i];
    if (name[i] >= 'A' && name[i] <= 'Z')
      out[i] = (char)(name[i] - 'A' + 'a');
    else if (name[i] == '-')
      out[i] = '_';
  }
  return true;
}


/* Moves `name` past its prefix and returns which it was; 0: none. */
static unsigned take_prefix(const char **name) {
  static const struct {
    const char *text;
    size_t length;
    unsigned prefix;
  } known[] = {{"so_", 3, S99_SO}, {"tcp_", 4, S99_TCP},   {"udp_", 4, S99_UDP},
               {"ip_", 3, S99_IP}, {"ipv6_", 5, S99_IPV6}, {"mcast_", 6, S99_MCAST}};
  size_t i;
  for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    if (strncmp(*name, known[i].text, known[i].length) == 0) {
      *name += known[i].length;
      return known[i].prefix;
    }
  }
  return 0;
}


/* The first row whose name is not less than `name`. */
static size_t lower_bound(const char *name) {
  size_t low = 0, high = ROW_COUNT;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (strcmp(rows[middle].name, name) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}


bool s99_option_find(const char *name, struct s99_namesakes *found) {
  char buf[NAME_SIZE];
  const char *bare = buf;
  unsigned prefix;
  size_t i;
  found->count = 0;
  if (!normalize(name, buf))
    return false;
  prefix = take_prefix(&bare);
  for (i = lower_bound(bare); i < ROW_COUNT && strcmp(rows[i].name, bare) == 0; i++) {
    if (prefix != 0 && !(rows[i].prefixes & prefix))
      continue;
    if (found->count < S99_MAX_NAMESAKES)
      found->row[found->count++] = &rows[i];
    if (prefix == 0 && rows[i].level == SOL_SOCKET && rows[i].id != S99_LACKING)
      break;
  }
  return found->count > 0;
}


bool s99_option_is_twin(const struct s99_option_row *row) {
  return row->id != S99_NONE && row->id6 != S99_NONE;
}


struct s99_option_target s99_option_target(const struct s99_option_row *row, int family) {
  bool ipv6 = row->id6 != S99_NONE && (row->id == S99_NONE || family == AF_INET6);
  struct s99_option_target target;
  target.level = ipv6 ? IPPROTO_IPV6 : row->level;
  target.id = ipv6 ? row->id6 : row->id;
  target.label = ipv6 ? row->label6 : row->label;
  return target;
}


/* A constant that this system lacks does not stand in the way of one it has. */
static bool fits(const struct s99_option_row *row, int type, int family) {
  if (s99_option_target(row, family).id == S99_LACKING)
    return false;
  switch (row->level) {
  case IPPROTO_TCP:
    return type == SOCK_STREAM;
  case IPPROTO_UDP:
    return type == SOCK_DGRAM;
  case IPPROTO_IP:
    return (family == AF_INET && row->id != S99_NONE) ||
           (family == AF_INET6 && row->id6 != S99_NONE);
  default:
    return true;
  }
}


const struct s99_option_row *s99_option_choose(const struct s99_namesakes *found, int type,
                                               int family) {
  size_t i;
  for (i = 0; i < found->count; i++) {
    if (fits(found->row[i], type, family))
      return found->row[i];
  }
  return found->row[0];
}


static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}


/* A misspelt prefix is found by the constant's whole name. */
static size_t distance_to_label(const char *name, const char *label, size_t limit) {
  char buf[NAME_SIZE];
  if (label == NULL || !normalize(label, buf))
    return limit + 1;
  return s99_edits(name, buf, limit);
}


static const struct s99_option_row *nearest_by_edits(const char *name, const char *bare) {
  const struct s99_option_row *nearest = NULL;
  size_t best = least(strlen(bare) / 3, 2) + 1, i;
  for (i = 0; i < ROW_COUNT && best > 0; i++) {
    size_t edits = s99_edits(bare, rows[i].name, best);
    edits = least(edits, distance_to_label(name, rows[i].label, best));
    edits = least(edits, distance_to_label(name, rows[i].label6, best));
    if (edits < best) {
      best = edits;
      nearest = &rows[i];
    }
  }
  return nearest;
}


/* "keep" for "keepcnt", "rcvbufsize" for "rcvbuf": the one nearest in length. */
static const struct s99_option_row *nearest_by_beginning(const char *bare) {
  const struct s99_option_row *nearest = NULL, *row;
  size_t length = strlen(bare), best = NAME_SIZE;
  for (row = rows; row < rows + ROW_COUNT; row++) {
    size_t other = strlen(row->name), common = least(length, other);
    size_t apart = length > other ? length - other : other - length;
    if (common >= 4 && apart < best && strncmp(bare, row->name, common) == 0) {
      best = apart;
      nearest = row;
    }
  }
  return nearest;
}


const char *socket99_option_nearest(const char *name) {
  char buf[NAME_SIZE];
  const char *bare = buf;
  const struct s99_option_row *nearest;
  if (name == NULL || !normalize(name, buf))
    return NULL;
  take_prefix(&bare);
  nearest = nearest_by_edits(buf, bare);
  if (nearest == NULL)
    nearest = nearest_by_beginning(bare);
  return nearest != NULL ? nearest->name : NULL;
}
