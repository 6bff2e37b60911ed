/*
** address.c: converts socket addresses to text and back.
**
** Numeric addresses are those that inet_pton(3) accepts, and IPv6 addresses
** with a "%zone". No function here uses a resolver. IPv4-mapped IPv6 addresses
** are treated as IPv4 in both directions.
*/

#include "internal.h"

#include <ifaddrs.h>


/*
** Numeric addresses
*/

void s99_set_port(struct s99_address *address, int port) {
  if (address->addr.sa.sa_family == AF_INET)
    address->addr.in.sin_port = htons((uint16_t)port);
  else
    address->addr.in6.sin6_port = htons((uint16_t)port);
}


int s99_port(const struct s99_address *address) {
  if (address->addr.sa.sa_family == AF_INET)
    return ntohs(address->addr.in.sin_port);
  return ntohs(address->addr.in6.sin6_port);
}


static void set_ipv4(struct s99_address *out, struct in_addr host) {
  memset(&out->addr.in, 0, sizeof(out->addr.in));
  out->addr.in.sin_family = AF_INET;
  out->addr.in.sin_addr = host;
  out->len = sizeof(out->addr.in);
}


static void set_ipv6(struct s99_address *out, const struct in6_addr *host) {
  memset(&out->addr.in6, 0, sizeof(out->addr.in6));
  out->addr.in6.sin6_family = AF_INET6;
  out->addr.in6.sin6_addr = *host;
  out->len = sizeof(out->addr.in6);
}


static struct in_addr mapped_ipv4(const struct in6_addr *host) {
  struct in_addr ipv4;
  memcpy(&ipv4, &host->s6_addr[12], sizeof(ipv4));
  return ipv4;
}


void s99_unmap(struct s99_address *address) {
  int port = s99_port(address);
  if (address->addr.sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->addr.in6.sin6_addr))
    return;
  set_ipv4(address, mapped_ipv4(&address->addr.in6.sin6_addr));
  s99_set_port(address, port);
}


/* The index of an interface; 0, with errno, if no interface has that name. */
static uint32_t zone_index(const char *zone) {
  size_t digits = strspn(zone, "0123456789");
  unsigned long long index = digits > 0 && digits <= 10 ? strtoull(zone, NULL, 10) : UINT64_MAX;
  errno = 0;
  if (zone[digits] == '\0' && index <= UINT32_MAX)
    return (uint32_t)index;
  return if_nametoindex(zone);
}


static enum s99_numeric parse_zoned(const char *host, const char *percent,
                                    struct s99_address *out) {
  char text[INET6_ADDRSTRLEN];
  struct in6_addr ipv6;
  size_t length = (size_t)(percent - host);
  if (length >= sizeof(text))
    return S99_NOT_NUMERIC;
  memcpy(text, host, length);
  text[length] = '\0';
  if (inet_pton(AF_INET6, text, &ipv6) != 1)
    return S99_NOT_NUMERIC;
  set_ipv6(out, &ipv6);
  out->addr.in6.sin6_scope_id = zone_index(percent + 1);
  if (out->addr.in6.sin6_scope_id != 0)
    return S99_NUMERIC;
  return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM
             ? S99_ZONE_ERROR
             : S99_UNKNOWN_ZONE;
}


enum s99_numeric s99_numeric(const char *host, struct s99_address *out) {
  struct in_addr ipv4;
  struct in6_addr ipv6;
  const char *percent;
  if (inet_pton(AF_INET, host, &ipv4) == 1) {
    set_ipv4(out, ipv4);
    return S99_NUMERIC;
  }
  if (strchr(host, ':') == NULL)
    return S99_NOT_NUMERIC;
  percent = strchr(host, '%');
  if (percent != NULL)
    return parse_zoned(host, percent, out);
  if (inet_pton(AF_INET6, host, &ipv6) != 1)
    return S99_NOT_NUMERIC;
  set_ipv6(out, &ipv6);
  s99_unmap(out);
  return S99_NUMERIC;
}


void s99_wildcard(int family, struct s99_address *out) {
  static const struct in_addr any;
  if (family == AF_INET6)
    set_ipv6(out, &in6addr_any);
  else
    set_ipv4(out, any);
}


void s99_loopback(int family, struct s99_address *out) {
  struct in_addr ipv4;
  ipv4.s_addr = htonl(INADDR_LOOPBACK);
  if (family == AF_INET6)
    set_ipv6(out, &in6addr_loopback);
  else
    set_ipv4(out, ipv4);
}


/*
** Unix domain addresses
*/

bool s99_unix(const char *path, size_t length, struct s99_address *out) {
  bool abstract = length > 0 && path[0] == '\0';
  size_t limit = sizeof(out->addr.un.sun_path) - (abstract ? 0 : 1);
  if (length == 0 || length > limit)
    return false;
  memset(&out->addr.un, 0, sizeof(out->addr.un));
  out->addr.un.sun_family = AF_UNIX;
  memcpy(out->addr.un.sun_path, path, length);
  out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
  return true;
}


/* `address` is a Unix address. */
bool s99_is_abstract(const struct s99_address *address) {
  return address->addr.un.sun_path[0] == '\0';
}


/*
** Properties of Internet addresses
*/

bool s99_is_wildcard(const struct s99_address *address) {
  if (address->addr.sa.sa_family == AF_INET)
    return address->addr.in.sin_addr.s_addr == htonl(INADDR_ANY);
  return IN6_IS_ADDR_UNSPECIFIED(&address->addr.in6.sin6_addr);
}


bool s99_same_address(const struct s99_address *a, const struct s99_address *b) {
  if (a->addr.sa.sa_family != b->addr.sa.sa_family || s99_port(a) != s99_port(b))
    return false;
  if (a->addr.sa.sa_family == AF_INET)
    return a->addr.in.sin_addr.s_addr == b->addr.in.sin_addr.s_addr;
  return IN6_ARE_ADDR_EQUAL(&a->addr.in6.sin6_addr, &b->addr.in6.sin6_addr) &&
         a->addr.in6.sin6_scope_id == b->addr.in6.sin6_scope_id;
}


/* Whether it is a multicast address or 255.255.255.255. */
bool s99_is_group(const struct s99_address *address) {
  if (address->addr.sa.sa_family == AF_INET)
    return IN_MULTICAST(ntohl(address->addr.in.sin_addr.s_addr)) ||
           address->addr.in.sin_addr.s_addr == htonl(INADDR_BROADCAST);
  return IN6_IS_ADDR_MULTICAST(&address->addr.in6.sin6_addr);
}


static bool is_broadcast_of(const struct ifaddrs *interface, struct in_addr host) {
  const struct sockaddr_in *local = (const void *)interface->ifa_addr;
  const struct sockaddr_in *mask = (const void *)interface->ifa_netmask;
  if (local == NULL || mask == NULL || local->sin_family != AF_INET)
    return false;
  /* Networks of one or two addresses have no broadcast address. */
  if ((ntohl(mask->sin_addr.s_addr) & 3) != 0)
    return false;
  return host.s_addr == (local->sin_addr.s_addr | ~mask->sin_addr.s_addr);
}


/* Tells whether it is the broadcast address of one of this machine's networks.
** Returns 0, or the errno of getifaddrs(3). */
int s99_find_local_broadcast(const struct s99_address *address, bool *is_broadcast) {
  struct ifaddrs *all, *interface;
  *is_broadcast = false;
  if (address->addr.sa.sa_family != AF_INET)
    return 0;
  if (getifaddrs(&all) != 0)
    return errno;
  for (interface = all; interface != NULL && !*is_broadcast; interface = interface->ifa_next)
    *is_broadcast = is_broadcast_of(interface, address->addr.in.sin_addr);
  freeifaddrs(all);
  return 0;
}


/*
** To text
*/

/* If the system does not know which network a link-local address is in, Linux answers
** EINVAL, or that there is no route, as the BSDs do. */
bool s99_lacks_zone(const struct s99_address *address, int error) {
  bool may_be_why =
      error == EINVAL || error == ENETUNREACH || error == EHOSTUNREACH || error == EADDRNOTAVAIL;
  return may_be_why && address->addr.sa.sa_family == AF_INET6 &&
         IN6_IS_ADDR_LINKLOCAL(&address->addr.in6.sin6_addr) &&
         address->addr.in6.sin6_scope_id == 0;
}


void s99_failed_address_text(const struct s99_address *address, int error, char *buf, size_t size) {
  int length = socket99_address_text(&address->addr.sa, address->len, buf, size);
  if (length > 0 && (size_t)length < size && s99_lacks_zone(address, error))
    snprintf(buf + length, size - (size_t)length, " (zone missing, as in fe80::1%%eth0)");
}


static int ipv4_text(struct in_addr host, int port, char *buf, size_t size) {
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &host, text, sizeof(text));
  return snprintf(buf, size, "%s:%d", text, port);
}


static int ipv6_text(const struct sockaddr_in6 *in6, char *buf, size_t size) {
  char text[INET6_ADDRSTRLEN];
  char zone[IF_NAMESIZE];
  int port = ntohs(in6->sin6_port);
  if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
    return ipv4_text(mapped_ipv4(&in6->sin6_addr), port, buf, size);
  inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
  if (in6->sin6_scope_id == 0)
    return snprintf(buf, size, "[%s]:%d", text, port);
  if (if_indextoname(in6->sin6_scope_id, zone) == NULL)
    snprintf(zone, sizeof(zone), "%u", (unsigned int)in6->sin6_scope_id);
  return snprintf(buf, size, "[%s%%%s]:%d", text, zone, port);
}


/* NULs become '@', as in ss(8) and netstat(8). */
static int unix_text(const struct sockaddr_un *un, socklen_t length, char *buf, size_t size) {
  char text[sizeof(un->sun_path) + 1];
  size_t bytes = (size_t)length - offsetof(struct sockaddr_un, sun_path);
  size_t i;
  if ((size_t)length <= offsetof(struct sockaddr_un, sun_path))
    return snprintf(buf, size, "%s", "");
  if (bytes > sizeof(un->sun_path))
    bytes = sizeof(un->sun_path);
  if (un->sun_path[0] != '\0')
    bytes = strnlen(un->sun_path, bytes);
  for (i = 0; i < bytes; i++)
    text[i] = un->sun_path[i] == '\0' ? '@' : un->sun_path[i];
  text[bytes] = '\0';
  return snprintf(buf, size, "%s", text);
}


int socket99_address_text(const struct sockaddr *address, socklen_t length, char *buf,
                          size_t buf_size) {
  /* The caller's bytes may have no more than the alignment of a sockaddr. */
  union s99_sockaddr copy;
  memset(&copy, 0, sizeof(copy));
  /* A path that fills sun_path counts a terminator that is not there (unix(7)). */
  memcpy(&copy, address, length < sizeof(copy.un) ? length : sizeof(copy.un));
  if (copy.sa.sa_family == AF_INET)
    return ipv4_text(copy.in.sin_addr, ntohs(copy.in.sin_port), buf, buf_size);
  if (copy.sa.sa_family == AF_INET6)
    return ipv6_text(&copy.in6, buf, buf_size);
  if (copy.sa.sa_family == AF_UNIX)
    return unix_text(&copy.un, length, buf, buf_size);
  return snprintf(buf, buf_size, "address of family %d", copy.sa.sa_family);
}


/*
** From text
*/

bool s99_port_number(const char *text, int *port) {
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || text[digits] != '\0')
    return false;
  *port = digits > 9 ? INT_MAX : (int)strtol(text, NULL, 10);
  return true;
}


/* "host:port" or "[host]:port" */
static bool parse_inet(const char *text, struct s99_address *out) {
  char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
  const char *colon = strrchr(text, ':');
  bool bracketed = text[0] == '[' && colon != NULL && colon[-1] == ']';
  const char *first = bracketed ? text + 1 : text;
  size_t length;
  int port;
  if (colon == NULL || !s99_port_number(colon + 1, &port) || port > 65535)
    return false;
  length = (size_t)(colon - first) - (bracketed ? 1 : 0);
  if (length >= sizeof(host))
    return false;
  memcpy(host, first, length);
  host[length] = '\0';
  if (bracketed != (strchr(host, ':') != NULL))
    return false;
  if (s99_numeric(host, out) != S99_NUMERIC)
    return false;
  s99_set_port(out, port);
  return true;
}


static bool parse_unix(const char *text, struct s99_address *out) {
  char name[sizeof(out->addr.un.sun_path)];
  size_t length = strlen(text);
  if (text[0] != '@')
    return strchr(text, '/') != NULL && s99_unix(text, length, out);
  if (!S99_HAVE_ABSTRACT || length > sizeof(name))
    return false;
  memcpy(name, text, length);
  name[0] = '\0';
  return s99_unix(name, length, out);
}


bool socket99_address_parse(const char *text, struct sockaddr_storage *address, socklen_t *length) {
  struct s99_address out;
  if (!parse_inet(text, &out) && !parse_unix(text, &out))
    return false;
  memset(address, 0, sizeof(*address));
  memcpy(address, &out.addr, out.len);
  *length = out.len;
  return true;
}
