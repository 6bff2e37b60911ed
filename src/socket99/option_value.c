/*
** option_value.c: converts values to the layout of setsockopt(2), and back from
** that of getsockopt(2).
**
** `s99_forms`, at the end, has a row for each layout: the kinds of value it
** takes, their limits, and the two functions that convert.
*/

#include "option_value.h"

#include <ifaddrs.h>

/* Structures are read into a buffer of this size first. Without it, a caller's buffer
** that is too small would look like one that fits exactly. */
#define STRUCT_SIZE 1024

/* struct sock_filter of Linux */
#define FILTER_INSTRUCTION 8

struct interface {
  unsigned int index;
  struct in_addr address; /* 0.0.0.0 unless the program named the interface by one */
};


static int send_as(struct s99_wire *wire, size_t length) {
  wire->data = &wire->as;
  wire->length = (socklen_t)length;
  return 0;
}


int s99_encode_int(const socket99_value *value, int level, struct s99_wire *wire) {
  (void)level;
  wire->as.integer = (int)value->integer;
  return send_as(wire, sizeof(wire->as.integer));
}


static int encode_uint32(const socket99_value *value, int level, struct s99_wire *wire) {
  (void)level;
  wire->as.uint32 = (unsigned int)value->integer;
  return send_as(wire, sizeof(wire->as.uint32));
}


int s99_encode_bytes(const socket99_value *value, int level, struct s99_wire *wire) {
  (void)level;
  wire->data = value->length > 0 ? value->bytes : "";
  wire->length = (socklen_t)value->length;
  return 0;
}


/* The kernel's type is unsigned long, and all its bits set (-1) means no limit. */
static int encode_uint64(const socket99_value *value, int level, struct s99_wire *wire) {
  if (value->kind == SOCKET99_BYTES)
    return s99_encode_bytes(value, level, wire);
  if (value->integer > 0 && (unsigned long long)value->integer > ULONG_MAX)
    return ERANGE;
  wire->as.pace = (unsigned long)value->integer;
  return send_as(wire, sizeof(wire->as.pace));
}


/* IPv6 takes -1 for the system's default. IPv4's default is 0. */
static int encode_tos(const socket99_value *value, int level, struct s99_wire *wire) {
  bool unset = level == IPPROTO_IP && value->integer < 0;
  wire->as.integer = unset ? 0 : (int)value->integer;
  return send_as(wire, sizeof(wire->as.integer));
}


/* All systems take an unsigned char for IPv4, and some take nothing else. */
static int encode_multicast_ttl(const socket99_value *value, int level, struct s99_wire *wire) {
  if (level != IPPROTO_IP)
    return s99_encode_int(value, level, wire);
  wire->as.octet = value->integer < 0 ? 1 : (unsigned char)value->integer;
  return send_as(wire, sizeof(wire->as.octet));
}


static int encode_multicast_loop(const socket99_value *value, int level, struct s99_wire *wire) {
  return encode_multicast_ttl(value, level, wire);
}


static double seconds_of(const socket99_value *value) {
  return value->kind == SOCKET99_SECONDS ? value->seconds : (double)value->integer;
}


static int encode_linger(const socket99_value *value, int level, struct s99_wire *wire) {
  (void)level;
  wire->as.linger.l_onoff = value->kind != SOCKET99_BOOLEAN;
  wire->as.linger.l_linger = (int)seconds_of(value);
  return send_as(wire, sizeof(wire->as.linger));
}


/*
** Rounds up to a whole microsecond, since 0 would mean no timeout. Adds less than
** a microsecond, or the rounding error of 1.1 - 1 would count as one.
*/
static int encode_timeout(const socket99_value *value, int level, struct s99_wire *wire) {
  double seconds = seconds_of(value);
  long whole = (long)seconds;
  long micro = (long)((seconds - (double)whole) * 1e6 + 0.999);
  (void)level;
  if (seconds > 0 && whole == 0 && micro == 0)
    micro = 1;
  if (micro >= 1000000) {
    whole++;
    micro -= 1000000;
  }
  memset(&wire->as.timeout, 0, sizeof(wire->as.timeout));
  wire->as.timeout.tv_sec = whole;
  wire->as.timeout.tv_usec = (suseconds_t)micro;
  return send_as(wire, sizeof(wire->as.timeout));
}


/* Finds the interface that has this IPv4 address. */
static int index_of_address(struct in_addr address, unsigned int *index) {
  struct ifaddrs *list, *i;
  int error = EADDRNOTAVAIL;
  if (getifaddrs(&list) != 0)
    return errno;
  *index = 0;
  for (i = list; i != NULL && *index == 0; i = i->ifa_next) {
    struct sockaddr_in in;
    if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET)
      continue;
    memcpy(&in, i->ifa_addr, sizeof(in));
    if (in.sin_addr.s_addr != address.s_addr)
      continue;
    *index = if_nametoindex(i->ifa_name);
    error = *index == 0 ? errno : 0;
  }
  freeifaddrs(list);
  return error;
}


/* `text` must not be empty. */
static bool is_decimal(const char *text) {
  return text[strspn(text, "0123456789")] == '\0';
}


/* Parses a name, an index or an IPv4 address. Empty text leaves the system the choice. */
static int parse_interface(const char *text, size_t length, struct interface *out) {
  char name[INET6_ADDRSTRLEN];
  int error;
  memset(out, 0, sizeof(*out));
  if (length == 0)
    return 0;
  if (length >= sizeof(name))
    return ENODEV;
  memcpy(name, text, length);
  name[length] = '\0';
  out->index = if_nametoindex(name);
  error = errno;
  if (out->index != 0)
    return 0;
  if (is_decimal(name)) {
    unsigned long number = strtoul(name, NULL, 10);
    out->index = (unsigned int)number;
    return number <= INT_MAX ? 0 : ENODEV;
  }
  if (inet_pton(AF_INET, name, &out->address) == 1)
    return out->address.s_addr == INADDR_ANY ? 0 : index_of_address(out->address, &out->index);
  return error;
}


static int value_interface(const socket99_value *value, struct interface *out) {
  if (value->kind == SOCKET99_BYTES)
    return parse_interface(value->bytes, value->length, out);
  memset(out, 0, sizeof(*out));
  out->index = (unsigned int)value->integer;
  return 0;
}


static int encode_multicast_if(const socket99_value *value, int level, struct s99_wire *wire) {
  struct interface interface;
  s99_ipv4_member member;
  int error = value_interface(value, &interface);
  if (error != 0)
    return error;
  if (level == IPPROTO_IPV6) {
    wire->as.uint32 = interface.index;
    return send_as(wire, sizeof(wire->as.uint32));
  }
  memset(&member, 0, sizeof(member));
  S99_SET_INTERFACE(&member, interface.index, interface.address);
  wire->as.interface = S99_INTERFACE_OF(&member);
  return send_as(wire, sizeof(wire->as.interface));
}


static int encode_unicast_if(const socket99_value *value, int level, struct s99_wire *wire) {
  struct interface interface;
  int error = value_interface(value, &interface);
  (void)level;
  wire->as.uint32 = htonl(interface.index);
  return error != 0 ? error : send_as(wire, sizeof(wire->as.uint32));
}


int s99_parse_group(const char *text, struct sockaddr_storage *out) {
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
  memset(out, 0, sizeof(*out));
  memset(&in, 0, sizeof(in));
  memset(&in6, 0, sizeof(in6));
  if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
    in.sin_family = AF_INET;
    memcpy(out, &in, sizeof(in));
    S99_SET_LENGTH(out, sizeof(in));
  } else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
    in6.sin6_family = AF_INET6;
    memcpy(out, &in6, sizeof(in6));
    S99_SET_LENGTH(out, sizeof(in6));
  } else
    out->ss_family = AF_UNSPEC;
  return out->ss_family;
}


static int membership_interface(const socket99_value *value, struct interface *out) {
  const char *text = value->interface != NULL ? value->interface : "";
  return parse_interface(text, strlen(text), out);
}


/* `level` is that of the group's family. */
static int encode_member(const socket99_value *value, int level, struct s99_wire *wire) {
  struct interface interface;
  int error = membership_interface(value, &interface);
  if (error != 0)
    return error;
  if (level == IPPROTO_IPV6) {
    wire->as.member6.ipv6mr_interface = interface.index;
    inet_pton(AF_INET6, value->group, &wire->as.member6.ipv6mr_multiaddr);
    return send_as(wire, sizeof(wire->as.member6));
  }
  S99_SET_INTERFACE(&wire->as.member, interface.index, interface.address);
  inet_pton(AF_INET, value->group, &wire->as.member.imr_multiaddr);
  return send_as(wire, sizeof(wire->as.member));
}


/* The structure of RFC 3678 serves both families. */
static int encode_source(const socket99_value *value, int level, struct s99_wire *wire) {
  struct interface interface;
  int error = membership_interface(value, &interface);
  (void)level;
  wire->as.source.gsr_interface = interface.index;
  s99_parse_group(value->group, &wire->as.source.gsr_group);
  s99_parse_group(value->source, &wire->as.source.gsr_source);
  return error != 0 ? error : send_as(wire, sizeof(wire->as.source));
}


static int read_option(int fd, const struct s99_option_target *target, void *data,
                       socklen_t *length) {
  return getsockopt(fd, target->level, target->id, data, length) == 0 ? 0 : errno;
}


/* Reads an int. Some systems return a byte for some options. */
static int read_int(int fd, const struct s99_option_target *target, int *out) {
  union {
    int integer;
    unsigned char octet;
  } as;
  socklen_t length = sizeof(as);
  int error;
  as.integer = 0;
  error = read_option(fd, target, &as, &length);
  *out = length == 1 ? as.octet : as.integer;
  return error;
}


static int decode_int(int fd, const struct s99_option_target *target, socket99_value *value,
                      void *buf, size_t size) {
  int integer, error = read_int(fd, target, &integer);
  (void)buf;
  (void)size;
  value->kind = SOCKET99_INTEGER;
  value->integer = integer;
  return error;
}


/* The BSDs return the bit of the flag instead of 1. */
static int decode_flag(int fd, const struct s99_option_target *target, socket99_value *value,
                       void *buf, size_t size) {
  int error = decode_int(fd, target, value, buf, size);
  value->kind = SOCKET99_BOOLEAN;
  value->integer = value->integer != 0;
  return error;
}


static int decode_uint32(int fd, const struct s99_option_target *target, socket99_value *value,
                         void *buf, size_t size) {
  int error = decode_int(fd, target, value, buf, size);
  value->integer = (long long)(uint32_t)value->integer;
  return error;
}


/* All bits set means no limit, which is -1 to the program. */
static int decode_uint64(int fd, const struct s99_option_target *target, socket99_value *value,
                         void *buf, size_t size) {
  union {
    uint64_t wide;
    uint32_t narrow;
  } as;
  socklen_t length = sizeof(as);
  int error;
  (void)buf;
  (void)size;
  as.wide = 0;
  error = read_option(fd, target, &as, &length);
  value->kind = SOCKET99_INTEGER;
  value->integer = (long long)as.wide;
  if (length == sizeof(as.narrow))
    value->integer = as.narrow == UINT32_MAX ? -1 : (long long)as.narrow;
  return error;
}


static int decode_linger(int fd, const struct s99_option_target *target, socket99_value *value,
                         void *buf, size_t size) {
  struct linger linger = {0, 0};
  socklen_t length = sizeof(linger);
  int error = read_option(fd, target, &linger, &length);
  (void)buf;
  (void)size;
  value->kind = linger.l_onoff ? SOCKET99_SECONDS : SOCKET99_BOOLEAN;
  value->seconds = linger.l_onoff ? linger.l_linger : 0;
  return error;
}


static int decode_timeout(int fd, const struct s99_option_target *target, socket99_value *value,
                          void *buf, size_t size) {
  struct timeval timeout = {0, 0};
  socklen_t length = sizeof(timeout);
  int error = read_option(fd, target, &timeout, &length);
  (void)buf;
  (void)size;
  value->kind = SOCKET99_SECONDS;
  value->seconds = (double)timeout.tv_sec + (double)timeout.tv_usec / 1e6;
  return error;
}


static int give_bytes(socket99_value *value, const void *bytes, size_t length, void *buf,
                      size_t size) {
  value->kind = SOCKET99_BYTES;
  value->bytes = buf;
  value->length = length;
  if (length > size || (buf == NULL && length > 0))
    return ERANGE;
  if (length > 0)
    memmove(buf, bytes, length);
  return 0;
}


/* Some options say with ERANGE how large the buffer must be (SO_PEERGROUPS, SO_PEERSEC). */
static int tell_length(int error, socket99_value *value, socklen_t length) {
  value->kind = SOCKET99_BYTES;
  value->length = error == ERANGE ? length : 0;
  return error;
}


static int decode_struct(int fd, const struct s99_option_target *target, socket99_value *value,
                         void *buf, size_t size) {
  unsigned char local[STRUCT_SIZE];
  bool direct = buf != NULL && size > sizeof(local) && size <= INT_MAX;
  void *bytes = direct ? buf : local;
  socklen_t length = (socklen_t)(direct ? size : sizeof(local));
  int error;
  memset(bytes, 0, length);
  error = read_option(fd, target, bytes, &length);
  if (error != 0)
    return tell_length(error, value, length);
  return give_bytes(value, bytes, length, buf, size);
}


static int decode_text(int fd, const struct s99_option_target *target, socket99_value *value,
                       void *buf, size_t size) {
  char text[STRUCT_SIZE];
  socklen_t length = sizeof(text);
  int error = read_option(fd, target, text, &length);
  if (error != 0)
    return tell_length(error, value, length);
  while (length > 0 && text[length - 1] == '\0')
    length--;
  return give_bytes(value, text, length, buf, size);
}


/* The kernel counts instructions, not bytes. The first call asks for their number. */
static int decode_filter(int fd, const struct s99_option_target *target, socket99_value *value,
                         void *buf, size_t size) {
  socklen_t count = 0;
  int error = read_option(fd, target, NULL, &count);
  value->kind = SOCKET99_BYTES;
  value->bytes = buf;
  value->length = (size_t)count * FILTER_INSTRUCTION;
  if (error != 0 || count == 0)
    return error;
  if (buf == NULL || value->length > size)
    return ERANGE;
  /* valgrind believes that the kernel writes `count` bytes, not instructions. */
  memset(buf, 0, value->length);
  /* Another thread may have attached a shorter filter. */
  error = read_option(fd, target, buf, &count);
  value->length = (size_t)count * FILTER_INSTRUCTION;
  return error;
}


/* IPv4 returns the address that was set, which becomes text. IPv6 returns the index. */
static int decode_multicast_if(int fd, const struct s99_option_target *target,
                               socket99_value *value, void *buf, size_t size) {
  char text[INET_ADDRSTRLEN];
  struct in_addr address = {0};
  socklen_t length = sizeof(address);
  int error;
  if (target->level == IPPROTO_IPV6)
    return decode_int(fd, target, value, buf, size);
  error = read_option(fd, target, &address, &length);
  if (error != 0)
    return error;
  inet_ntop(AF_INET, &address, text, sizeof(text));
  return give_bytes(value, text, strlen(text), buf, size);
}


static int decode_unicast_if(int fd, const struct s99_option_target *target, socket99_value *value,
                             void *buf, size_t size) {
  int error = decode_int(fd, target, value, buf, size);
  value->integer = (long long)ntohl((uint32_t)value->integer);
  return error;
}


static int decode_nothing(int fd, const struct s99_option_target *target, socket99_value *value,
                          void *buf, size_t size) {
  (void)fd;
  (void)target;
  (void)value;
  (void)buf;
  (void)size;
  return ENOPROTOOPT;
}


const struct s99_form s99_forms[] = {
    [S99_FORM_FLAG] = {SOCKET99_BOOLEAN, S99_BOOLEANS | S99_INTEGERS, 0, 1, 0, s99_encode_int,
                       decode_flag},
    [S99_FORM_ACTION] = {SOCKET99_BOOLEAN, S99_BOOLEANS | S99_INTEGERS, 0, 1, 0, s99_encode_int,
                         decode_nothing},
    [S99_FORM_INT] = {SOCKET99_INTEGER, S99_INTEGERS, INT_MIN, INT_MAX, 0, s99_encode_int,
                      decode_int},
    [S99_FORM_UINT32] = {SOCKET99_INTEGER, S99_INTEGERS, 0, UINT32_MAX, 0, encode_uint32,
                         decode_uint32},
    [S99_FORM_UINT64] = {SOCKET99_INTEGER, S99_INTEGERS | S99_STRINGS, -1, LLONG_MAX,
                         sizeof(uint64_t), encode_uint64, decode_uint64},
    [S99_FORM_TOS] = {SOCKET99_INTEGER, S99_INTEGERS, -1, 255, 0, encode_tos, decode_int},
    [S99_FORM_MULTICAST_TTL] = {SOCKET99_INTEGER, S99_INTEGERS, -1, 255, 0, encode_multicast_ttl,
                                decode_int},
    [S99_FORM_MULTICAST_LOOP] = {SOCKET99_BOOLEAN, S99_BOOLEANS | S99_INTEGERS, 0, 1, 0,
                                 encode_multicast_loop, decode_flag},
    [S99_FORM_LINGER] = {SOCKET99_SECONDS, S99_SECONDS | S99_INTEGERS | S99_BOOLEANS, 0, INT_MAX, 0,
                         encode_linger, decode_linger},
    [S99_FORM_TIMEOUT] = {SOCKET99_SECONDS, S99_SECONDS | S99_INTEGERS | S99_BOOLEANS, 0, INT_MAX,
                          0, encode_timeout, decode_timeout},
    /* Linux cuts longer names of interfaces and algorithms without an error. */
    [S99_FORM_TEXT] = {SOCKET99_BYTES, S99_STRINGS, 0, 0, 15, s99_encode_bytes, decode_text},
    [S99_FORM_STRUCT] = {SOCKET99_BYTES, S99_STRINGS, 0, 0, INT_MAX, s99_encode_bytes,
                         decode_struct},
    [S99_FORM_FILTER] = {SOCKET99_BYTES, S99_STRINGS, 0, 0, INT_MAX, s99_encode_bytes,
                         decode_filter},
    [S99_FORM_MULTICAST_IF] = {SOCKET99_BYTES, S99_STRINGS | S99_INTEGERS, 0, INT_MAX,
                               INET6_ADDRSTRLEN, encode_multicast_if, decode_multicast_if},
    [S99_FORM_UNICAST_IF] = {SOCKET99_BYTES, S99_STRINGS | S99_INTEGERS, 0, INT_MAX,
                             INET6_ADDRSTRLEN, encode_unicast_if, decode_unicast_if},
    [S99_FORM_MEMBER] = {SOCKET99_MEMBERSHIP, S99_MEMBERSHIPS, 0, 0, 0, encode_member,
                         decode_nothing},
    [S99_FORM_SOURCE] = {SOCKET99_MEMBERSHIP, S99_MEMBERSHIPS, 0, 0, 0, encode_source,
                         decode_nothing},
};
