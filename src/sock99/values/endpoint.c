/*
** endpoint.c: the addresses that methods take and give.
**
** A host is numeric, or "*", or a name, which is looked up for as long as the
** object's timeouts allow; of a service only the resolver knows the port, too.
** IPv4 goes through an IPv6 object as a mapped address (RFC 4291, 2.5.5.2), and
** is told, and taken, as plain IPv4.
*/

#include "object.h"


/*
** Out
*/

/* A datagram's worth of time goes to inet_ntop(3) and its printf. */
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


int sock99_push_address(lua_State *L, const struct s99_address *address) {
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


/*
** In
*/

bool sock99_is_port(lua_State *L, int index) {
  lua_Number port = lua_tonumber(L, index);
  return lua_isnumber(L, index) && port >= 0 && port <= 65535 && (lua_Number)(int)port == port;
}


static int tell(lua_State *L, int error, const char *format, const char *value) {
  lua_pushnil(L);
  lua_pushfstring(L, format, value);
  lua_pushinteger(L, error);
  return SOCK99_TOLD;
}


/* ::ffff:a.b.c.d, for a socket that takes both. */
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


static int read_path(lua_State *L, int first, struct s99_address *out) {
  size_t length;
  const char *path = luaL_checklstring(L, first, &length);
  if (length > 0 && path[0] != '\0' && strlen(path) != length)
    return tell(L, EINVAL, "path '%s' has a NUL byte in it", path);
  if (!s99_unix(path, length, out))
    return tell(L, EINVAL, length == 0 ? "path is empty%s" : "path '%s' is too long",
                length == 0 ? "" : path);
  return 0;
}


/* The first address of the family, or the first that can be mapped to it. */
static int look_up(lua_State *L, const struct sock99_socket *s, const char *host,
                   const char *service, int port, struct sock99_wait *wait,
                   struct s99_address *out) {
  socket99_config config;
  socket99_result result;
  struct sockaddr_storage *found;
  size_t count;
  memset(&config, 0, sizeof(config));
  /* The old fields are not const, but nothing is written to them. */
  config.host = (char *)host;
  config.port = port;
  config.service = service;
  config.family = s->family == AF_INET ? AF_INET : AF_UNSPEC;
  config.datagram = s->type == SOCK_DGRAM;
  config.unconnected = true;
  config.timeout_ms = sock99_wait_ms(wait);
  if (!socket99_resolve(&config, &result, &found, &count)) {
    if (result.status == SOCKET99_ERROR_TIMEOUT)
      return SOCK99_TIMEOUT;
    (void)sock99_push_failure(L, &result);
    lua_pop(L, 1);
    return SOCK99_TOLD;
  }
  memcpy(&out->addr, &found[0], sizeof(out->addr.in6));
  out->len = found[0].ss_family == AF_INET ? sizeof(out->addr.in) : sizeof(out->addr.in6);
  free(found);
  (void)fit_family(s->family, out);
  return 0;
}


/* A number, or what converts to one; else a service's name. */
static int read_port(lua_State *L, int index, int *port, const char **service) {
  lua_Number number;
  *port = 0;
  *service = NULL;
  if (lua_isnoneornil(L, index))
    return 0;
  if (!lua_isnumber(L, index)) {
    *service = luaL_checkstring(L, index);
    return 0;
  }
  number = lua_tonumber(L, index);
  if (number >= 0 && number <= 65535 && (lua_Number)(int)number == number) {
    *port = (int)number;
    return 0;
  }
  lua_pushvalue(L, index);
  return tell(L, EINVAL, "port %s is not an integer in 0 to 65535", lua_tostring(L, -1));
}


int sock99_read_address(lua_State *L, const struct sock99_socket *s, int first,
                        struct sock99_wait *wait, struct s99_address *out) {
  const char *host, *service;
  size_t length;
  int port, error;
  if (s->family == AF_UNIX)
    return read_path(L, first, out);
  host = luaL_checklstring(L, first, &length);
  if (strlen(host) != length)
    return tell(L, EINVAL, "host '%s' has a NUL byte in it", host);
  error = read_port(L, first + 1, &port, &service);
  if (error != 0)
    return error;
  if (strcmp(host, "*") == 0)
    host = s->family == AF_INET6 ? "::" : "0.0.0.0";
  if (service != NULL || s99_numeric(host, out) != S99_NUMERIC)
    return look_up(L, s, host, service, port, wait, out);
  if (!fit_family(s->family, out))
    return tell(L, EAFNOSUPPORT, "%s is no address of the socket's family", host);
  s99_set_port(out, port);
  return 0;
}
