/*
** endpoint.c: addresses as arguments and results of methods.
**
** A host is numeric, "*", or a name; names of hosts and services are looked up
** for as long as the object's timeouts allow. An IPv6 object reaches IPv4 through
** mapped addresses (RFC 4291, 2.5.5.2), which arguments and results show as plain
** IPv4.
*/

#include "values.h"


/*
** Addresses to Lua
*/

/* inet_ntop(3), which uses printf, takes as long as receiving a datagram. */
static void push_ipv4(lua_State *L, const struct in_addr *address) {
  unsigned char bytes[4];
  char text[INET_ADDRSTRLEN], *next = text;
  int i;
  memcpy(bytes, address, sizeof(bytes));
  for (i = 0; i < 4; i++) {
    if (i > 0)
      *next++ = '.';
    if (bytes[i] >= 100)
      *next++ = (char)('0' + bytes[i] / 100);
    if (bytes[i] >= 10)
      *next++ = (char)('0' + bytes[i] / 10 % 10);
    *next++ = (char)('0' + bytes[i] % 10);
  }
  lua_pushlstring(L, text, (size_t)(next - text));
}


static void push_host(lua_State *L, const struct s99_address *address) {
  char text[INET6_ADDRSTRLEN], zone[IF_NAMESIZE];
  uint32_t scope;
  if (address->addr.sa.sa_family == AF_INET) {
    push_ipv4(L, &address->addr.in.sin_addr);
    return;
  }
  inet_ntop(AF_INET6, &address->addr.in6.sin6_addr, text, sizeof(text));
  scope = address->addr.in6.sin6_scope_id;
  if (scope == 0) {
    lua_pushstring(L, text);
    return;
  }
  if (if_indextoname(scope, zone) == NULL)
    snprintf(zone, sizeof(zone), "%u", (unsigned int)scope);
  lua_pushfstring(L, "%s%%%s", text, zone);
}


static void push_path(lua_State *L, const struct s99_address *address) {
  size_t first = offsetof(struct sockaddr_un, sun_path);
  size_t length = address->len > first ? (size_t)address->len - first : 0;
  if (length > sizeof(address->addr.un.sun_path))
    length = sizeof(address->addr.un.sun_path);
  if (length > 0 && address->addr.un.sun_path[0] != '\0')
    length = strnlen(address->addr.un.sun_path, length);
  lua_pushlstring(L, address->addr.un.sun_path, length);
}


int sock99_push_endpoint(lua_State *L, const struct s99_address *address) {
  struct s99_address plain = *address;
  if (address->len == 0 || address->addr.sa.sa_family == AF_UNIX) {
    push_path(L, address);
    return 1;
  }
  s99_unmap(&plain);
  push_host(L, &plain);
  if (plain.addr.sa.sa_family == AF_INET) {
    lua_pushinteger(L, ntohs(plain.addr.in.sin_port));
    lua_pushliteral(L, "inet");
  } else {
    lua_pushinteger(L, ntohs(plain.addr.in6.sin6_port));
    lua_pushliteral(L, "inet6");
  }
  return 3;
}


/* A Unix address has no port. */
void sock99_push_sender(lua_State *L, const struct s99_address *from) {
  if (sock99_push_endpoint(L, from) == 1)
    lua_pushnil(L);
  else
    lua_pop(L, 1);
}


/*
** Addresses from Lua
*/

/* ::ffff:a.b.c.d, for an IPv6 socket. */
static void map_ipv4(struct s99_address *address) {
  struct sockaddr_in in = address->addr.in;
  memset(&address->addr.in6, 0, sizeof(address->addr.in6));
  address->addr.in6.sin6_family = AF_INET6;
  address->addr.in6.sin6_port = in.sin_port;
  address->addr.in6.sin6_addr.s6_addr[10] = 0xff;
  address->addr.in6.sin6_addr.s6_addr[11] = 0xff;
  memcpy(&address->addr.in6.sin6_addr.s6_addr[12], &in.sin_addr, sizeof(in.sin_addr));
  address->len = sizeof(address->addr.in6);
}


static bool fit_family(int family, struct s99_address *address) {
  if (family == AF_INET6 && address->addr.sa.sa_family == AF_INET)
    map_ipv4(address);
  return family == address->addr.sa.sa_family;
}


/* Returns false and leaves the message on the stack, which keeps it alive. */
static bool refuse(lua_State *L, struct sock99_failure *failure, int error, const char *format,
                   const char *value) {
  memset(failure, 0, sizeof(*failure));
  failure->error = error;
  failure->stage = socket99_stage(SOCKET99_ERROR_CONFIGURATION);
  failure->text = lua_pushfstring(L, format, value);
  return false;
}


static bool read_path(lua_State *L, int first, struct s99_address *out,
                      struct sock99_failure *failure) {
  size_t length;
  const char *path = luaL_checklstring(L, first, &length);
  if (length > 0 && path[0] != '\0' && strlen(path) != length)
    return refuse(L, failure, EINVAL, "path '%s' has a NUL byte in it", path);
  if (length == 0)
    return refuse(L, failure, EINVAL, "path is empty%s", path);
  if (!s99_unix(path, length, out))
    return refuse(L, failure, ENAMETOOLONG, "path '%s' is too long", path);
  return true;
}


/* Turns a failed lookup into a failure of the method. A timeout needs no details. */
static bool refuse_lookup(lua_State *L, const socket99_result *result,
                          struct sock99_failure *failure) {
  if (result->status == SOCKET99_ERROR_TIMEOUT)
    *failure = (struct sock99_failure){.error = SOCK99_TIMEOUT,
                                       .stage = socket99_stage(SOCKET99_ERROR_TIMEOUT)};
  else
    sock99_describe(L, result, failure);
  return false;
}


/* First those of the family, then those that can be mapped to it. */
void sock99_pick_address(const struct sockaddr_storage *found, size_t count, int family,
                         size_t place, struct s99_address *out) {
  bool is_mapped = false;
  size_t i = 0;
  for (;;) {
    if (i == count) {
      is_mapped = true;
      i = 0;
    }
    if ((found[i].ss_family == family) != is_mapped && place-- == 0)
      break;
    i++;
  }
  out->len = found[i].ss_family == AF_INET ? sizeof(out->addr.in) : sizeof(out->addr.in6);
  memcpy(&out->addr, &found[i], out->len);
  (void)fit_family(family, out);
}


/* Reads a number, a numeric string, or the name of a service. */
static bool read_port(lua_State *L, int index, int *port, const char **service,
                      struct sock99_failure *failure) {
  long long number;
  *port = 0;
  *service = NULL;
  if (sock99_tointeger(L, index, &number) && number >= 0 && number <= 65535) {
    *port = (int)number;
    return true;
  }
  if (lua_isnoneornil(L, index))
    return true;
  if (!lua_isnumber(L, index)) {
    *service = luaL_checkstring(L, index);
    return true;
  }
  lua_pushvalue(L, index);
  return refuse(L, failure, EINVAL, "port %s is not an integer in 0 to 65535", lua_tostring(L, -1));
}


static enum sock99_endpoint read_path_endpoint(lua_State *L, int first, struct s99_address *out,
                                               struct sock99_failure *failure) {
  return read_path(L, first, out, failure) ? SOCK99_ADDRESS : SOCK99_NO_ENDPOINT;
}


enum sock99_endpoint sock99_read_endpoint(lua_State *L, int family, int type, int first,
                                          struct s99_address *out, socket99_config *lookup,
                                          struct sock99_failure *failure) {
  const char *host;
  size_t length;
  if (family == AF_UNIX)
    return read_path_endpoint(L, first, out, failure);
  memset(lookup, 0, sizeof(*lookup));
  host = luaL_checklstring(L, first, &length);
  if (strlen(host) != length) {
    refuse(L, failure, EINVAL, "host '%s' has a NUL byte in it", host);
    return SOCK99_NO_ENDPOINT;
  }
  if (!read_port(L, first + 1, &lookup->port, &lookup->service, failure))
    return SOCK99_NO_ENDPOINT;
  if (strcmp(host, "*") == 0)
    host = family == AF_INET6 ? "::" : "0.0.0.0";
  if (lookup->service == NULL && s99_numeric(host, out) == S99_NUMERIC) {
    s99_set_port(out, lookup->port);
    if (fit_family(family, out))
      return SOCK99_ADDRESS;
    refuse(L, failure, EAFNOSUPPORT, "%s is not an address of the socket's family", host);
    return SOCK99_NO_ENDPOINT;
  }
  /* The library does not write to this field, although it is not const. */
  lookup->host = (char *)host;
  lookup->family = family == AF_INET ? AF_INET : AF_UNSPEC;
  lookup->datagram = type == SOCK_DGRAM;
  lookup->unconnected = true;
  return SOCK99_NAME;
}


/* The first of the addresses found. */
static bool look_up(lua_State *L, int family, const socket99_config *lookup,
                    struct s99_address *out, struct sock99_failure *failure) {
  socket99_result result;
  struct sockaddr_storage *found;
  size_t count;
  if (!sock99_find_addresses(L, lookup, &result, &found, &count))
    return refuse_lookup(L, &result, failure);
  sock99_pick_address(found, count, family, 0, out);
  free(found);
  return true;
}


bool sock99_read_address(lua_State *L, int family, int type, int first, struct sock99_limit *limit,
                         struct s99_address *out, struct sock99_failure *failure) {
  socket99_config lookup;
  enum sock99_endpoint endpoint =
      sock99_read_endpoint(L, family, type, first, out, &lookup, failure);
  if (endpoint != SOCK99_NAME)
    return endpoint == SOCK99_ADDRESS;
  lookup.timeout_ms = sock99_limit_ms(limit);
  return look_up(L, family, &lookup, out, failure);
}
