/*
** config.c: checks a configuration and makes a plan of it.
**
** The plan holds the candidates, unless they need a resolver. A refusal names
** the field, its value and the limit.
*/

#include "internal.h"

#include <stdarg.h>


/* Messages cut longer values. */
#define QUOTED "%.120s"

/* The only bits of `mode` allowed beside the permission bits. */
#define MODE_TYPE ((unsigned int)S_IFSOCK)


/* Writes the message and returns false, as the result of a check. */
static bool S99_PRINTF(3, 4) refuse(struct s99_plan *plan, int error, const char *format, ...) {
  va_list arguments;
  plan->error = error;
  va_start(arguments, format);
  vsnprintf(plan->message, SOCKET99_WHERE_SIZE, format, arguments);
  va_end(arguments);
  return false;
}

#define wrong(plan, ...) refuse((plan), EINVAL, __VA_ARGS__)


static const char *family_name(int family) {
  switch (family) {
  case AF_INET:
    return "inet";
  case AF_INET6:
    return "inet6";
  default:
    return "unix";
  }
}


/*
** Candidates
*/

static void add_candidate(struct s99_plan *plan, const struct s99_address *address) {
  plan->candidates.inlined[plan->candidates.count++] = *address;
}


/* Adds an address of each family that the plan allows, IPv6 first. */
static void add_both(struct s99_plan *plan, void (*make)(int family, struct s99_address *out)) {
  struct s99_address address;
  if (plan->family != AF_INET) {
    make(AF_INET6, &address);
    add_candidate(plan, &address);
  }
  if (plan->family != AF_INET6) {
    make(AF_INET, &address);
    add_candidate(plan, &address);
  }
}


/* Checks the outcome of parsing `host` into `address`. */
static bool numeric_field(struct s99_plan *plan, const char *field, const char *host,
                          enum s99_numeric parsed, int family, const struct s99_address *address) {
  switch (parsed) {
  case S99_NOT_NUMERIC:
    return wrong(plan, "%s '" QUOTED "' is not a numeric %s address", field, host,
                 family == AF_INET    ? "IPv4"
                 : family == AF_INET6 ? "IPv6"
                                      : "IPv4 or IPv6");
  case S99_UNKNOWN_ZONE:
    return wrong(plan, "%s '" QUOTED "': no interface '%.40s'", field, host, strchr(host, '%') + 1);
  case S99_ZONE_ERROR:
    return refuse(plan, errno, "%s '" QUOTED "'", field, host);
  default:
    break;
  }
  if (family != AF_UNSPEC && address->addr.sa.sa_family != family)
    return wrong(plan, "%s '" QUOTED "' is not an address of family %s", field, host,
                 family_name(family));
  return true;
}


static bool unix_field(struct s99_plan *plan, const char *field, const char *path, size_t length,
                       struct s99_address *out) {
  size_t limit = sizeof(out->addr.un.sun_path);
  bool abstract;
  if (length == 0)
    length = strlen(path);
  if (length == 0)
    return wrong(plan, "%s is empty", field);
  abstract = path[0] == '\0';
  if (abstract && !S99_HAVE_ABSTRACT)
    return wrong(plan, "%s begins with a NUL byte: this system has no abstract names", field);
  if (!abstract && memchr(path, '\0', length) != NULL)
    return wrong(plan, "%s '" QUOTED "' has a NUL byte in it", field, path);
  if (!s99_unix(path, length, out))
    return wrong(plan, "%s '%.60s...' has %zu bytes, the limit is %zu", field,
                 abstract ? "@" : path, length, abstract ? limit : limit - 1);
  return true;
}


/*
** Ports
*/

static bool check_port(struct s99_plan *plan) {
  const socket99_config *cfg = plan->cfg;
  plan->port = cfg->port;
  plan->service = NULL;
  if (cfg->service != NULL) {
    if (cfg->port != 0)
      return wrong(plan, "port %d cannot be combined with service ('" QUOTED "')", cfg->port,
                   cfg->service);
    if (cfg->service[0] == '\0')
      return wrong(plan, "port is empty");
    /* getaddrinfo would read these as numbers and let them overflow. */
    if (strchr(" \t\n\v\f\r+-", cfg->service[0]) != NULL)
      return wrong(plan, "port '" QUOTED "' is neither a number nor a service name", cfg->service);
    if (!s99_port_number(cfg->service, &plan->port)) {
      plan->service = cfg->service;
      return true;
    }
    if (plan->port > 65535)
      return wrong(plan, "port " QUOTED " is not in 0 to 65535", cfg->service);
  }
  if (plan->port < 0 || plan->port > 65535)
    return wrong(plan, "port %d is not in 0 to 65535", plan->port);
  return true;
}


static bool has_port(const struct s99_plan *plan) {
  return plan->port != 0 || plan->service != NULL;
}


/*
** The address to open
*/

static bool check_unix(struct s99_plan *plan) {
  const socket99_config *cfg = plan->cfg;
  struct s99_address address;
  if (cfg->family != 0 && cfg->family != AF_UNIX)
    return wrong(plan, "path cannot be combined with family %s", family_name(cfg->family));
  if (cfg->port != 0 || cfg->service != NULL)
    return wrong(plan, "port cannot be combined with path");
  if (!unix_field(plan, "path", cfg->path, cfg->path_len, &address))
    return false;
  plan->family = AF_UNIX;
  add_candidate(plan, &address);
  return true;
}


/* As for the method bind: every address of this machine. */
static bool is_any(const char *host) {
  return strcmp(host, "*") == 0;
}


/* The host, under whichever of the three names it was given; NULL if under none. */
static const char *one_host(const socket99_config *cfg, const char **field, int *family) {
  *family = cfg->family;
  *field = "host";
  if (cfg->ipv4 != NULL) {
    *field = "ipv4";
    *family = AF_INET;
    return cfg->ipv4;
  }
  if (cfg->ipv6 != NULL) {
    *field = "ipv6";
    *family = AF_INET6;
    return cfg->ipv6;
  }
  return cfg->host;
}


static bool check_host(struct s99_plan *plan, const char *field, const char *host) {
  struct s99_address address;
  bool name_allowed = strcmp(field, "host") == 0;
  enum s99_numeric parsed;
  if (host[0] == '\0')
    return wrong(plan, "%s is empty", field);
  if (!has_port(plan) && !plan->cfg->server && plan->establish)
    return wrong(plan, "port is missing: a client of %s '" QUOTED "' needs one, 1 to 65535", field,
                 host);
  parsed = s99_numeric(host, &address);
  if (name_allowed && parsed == S99_NOT_NUMERIC) {
    plan->name = host;
    return true;
  }
  if (!numeric_field(plan, field, host, parsed, plan->family, &address))
    return false;
  add_candidate(plan, &address);
  return true;
}


/* A configuration with neither a host nor a path, or a server on "*". */
static bool check_nowhere(struct s99_plan *plan) {
  const socket99_config *cfg = plan->cfg;
  struct s99_address address;
  if (cfg->server) {
    plan->any = true;
    add_both(plan, s99_wildcard);
    return true;
  }
  if (plan->establish && !cfg->datagram) {
    if (!has_port(plan))
      return wrong(plan, "nothing to connect to: no host, port or path");
    add_both(plan, s99_loopback);
    return true;
  }
  if (has_port(plan))
    return wrong(plan, "port is given without a host: %s is not connected",
                 cfg->datagram ? "a datagram client without an address" : "this socket");
  /* Only the family of this address counts: nothing connects to it. */
  plan->establish = false;
  if (plan->family == AF_UNSPEC)
    plan->family = AF_INET;
  s99_wildcard(plan->family, &address);
  add_candidate(plan, &address);
  return true;
}


static bool check_nameless_unix(struct s99_plan *plan) {
  const socket99_config *cfg = plan->cfg;
  struct s99_address address;
  if (cfg->server || (plan->establish && !cfg->datagram))
    return wrong(plan, "family unix needs a path");
  if (cfg->port != 0 || cfg->service != NULL)
    return wrong(plan, "port cannot be combined with family unix");
  plan->establish = false;
  memset(&address, 0, sizeof(address));
  address.addr.un.sun_family = AF_UNIX;
  address.len = offsetof(struct sockaddr_un, sun_path);
  add_candidate(plan, &address);
  return true;
}


static bool check_exclusive(struct s99_plan *plan) {
  const socket99_config *cfg = plan->cfg;
  const char *given = NULL;
  struct {
    const char *field;
    bool is_given;
  } fields[4];
  size_t i;
  fields[0].field = "host";
  fields[0].is_given = cfg->host != NULL;
  fields[1].field = "path";
  fields[1].is_given = cfg->path != NULL;
  fields[2].field = "ipv4";
  fields[2].is_given = cfg->ipv4 != NULL;
  fields[3].field = "ipv6";
  fields[3].is_given = cfg->ipv6 != NULL;
  for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
    if (!fields[i].is_given)
      continue;
    if (given != NULL)
      return wrong(plan, "%s cannot be combined with %s: give one of them", given, fields[i].field);
    given = fields[i].field;
  }
  return true;
}


static bool check_address(struct s99_plan *plan) {
  const socket99_config *cfg = plan->cfg;
  const char *field, *host;
  int family;
  if (!check_exclusive(plan))
    return false;
  if (cfg->family != 0 && cfg->family != AF_INET && cfg->family != AF_INET6 &&
      cfg->family != AF_UNIX)
    return wrong(plan, "family %d is none of AF_INET, AF_INET6, AF_UNIX", cfg->family);
  if (cfg->path != NULL)
    return check_unix(plan);
  host = one_host(cfg, &field, &family);
  if (host != NULL && cfg->family != 0 && cfg->family != family)
    return wrong(plan, "%s cannot be combined with family %s", field, family_name(cfg->family));
  if (host != NULL && family == AF_UNIX)
    return wrong(plan, "%s cannot be combined with family unix", field);
  plan->family = family;
  if (host == NULL && family == 0 && plan->local.len != 0 && !plan->local_port_only)
    plan->family = plan->local.addr.sa.sa_family;
  if (plan->family == AF_UNIX)
    return check_nameless_unix(plan);
  if (!check_port(plan))
    return false;
  if (host == NULL || (cfg->server && is_any(host)))
    return check_nowhere(plan);
  return check_host(plan, field, host);
}


/*
** A client's local address. It is checked before the address to open, because
** an unconnected socket takes its family from it.
*/

static bool check_local_address(struct s99_plan *plan) {
  const socket99_config *cfg = plan->cfg;
  if (cfg->bind_host == NULL && cfg->bind_port == 0 && cfg->bind_path == NULL)
    return true;
  if (cfg->server)
    return wrong(plan,
                 "bind cannot be combined with server: host, port or path say where it listens");
  if (cfg->bind_path != NULL) {
    if (cfg->bind_host != NULL || cfg->bind_port != 0)
      return wrong(plan, "bind: path cannot be combined with host or port");
    return unix_field(plan, "bind: path", cfg->bind_path, cfg->bind_path_len, &plan->local);
  }
  if (cfg->bind_port < 0 || cfg->bind_port > 65535)
    return wrong(plan, "bind: port %d is not in 0 to 65535", cfg->bind_port);
  if (cfg->bind_host == NULL || is_any(cfg->bind_host)) {
    plan->local_port_only = true;
    s99_wildcard(AF_INET, &plan->local);
  } else if (!numeric_field(plan, "bind: host", cfg->bind_host,
                            s99_numeric(cfg->bind_host, &plan->local), AF_UNSPEC, &plan->local)) {
    return false;
  }
  s99_set_port(&plan->local, cfg->bind_port);
  return true;
}


/* A Unix socket binds to a path, any other to a host and port. IPv4 and IPv6 are
** matched later, when the candidates are known. */
static bool check_local_fits(struct s99_plan *plan) {
  bool local_unix = plan->local.addr.sa.sa_family == AF_UNIX;
  if (plan->local.len == 0 || local_unix == (plan->family == AF_UNIX))
    return true;
  return local_unix ? wrong(plan, "bind: path is for Unix domain sockets")
                    : wrong(plan, "bind: host and port are for TCP and UDP, a Unix domain socket "
                                  "has a path");
}


/*
** Everything else
*/

static bool check_type(struct s99_plan *plan) {
  const socket99_config *cfg = plan->cfg;
  if (cfg->seqpacket && cfg->datagram)
    return wrong(plan, "seqpacket cannot be combined with datagram");
  plan->type = cfg->seqpacket ? SOCK_SEQPACKET : cfg->datagram ? SOCK_DGRAM : SOCK_STREAM;
  return true;
}


static bool check_server(struct s99_plan *plan) {
  const socket99_config *cfg = plan->cfg;
  bool unix_file = plan->family == AF_UNIX && !s99_is_abstract(&plan->candidates.inlined[0]);
  if (cfg->seqpacket && plan->family != AF_UNIX)
    return wrong(plan, "seqpacket is for Unix domain sockets");
  if (cfg->backlog_size < 0)
    return wrong(plan, "backlog %d is negative", cfg->backlog_size);
  if (cfg->backlog_size > 0 && (!cfg->server || cfg->datagram))
    return wrong(plan, "backlog %d is for stream servers", cfg->backlog_size);
  if ((cfg->mode & ~MODE_TYPE) > 0777)
    return wrong(plan, "mode %o is more than 777 (octal)", cfg->mode);
  if (cfg->mode != 0 && !(cfg->server && unix_file))
    return wrong(plan, "mode %o is for servers on a path", cfg->mode & 0777);
  if (cfg->unlink_stale && !(cfg->server && unix_file))
    return wrong(plan, "unlink is for servers on a path");
  return true;
}


static bool is_zero(const void *bytes, size_t length) {
  const unsigned char *byte = bytes;
  while (length > 0 && byte[length - 1] == 0)
    length--;
  return length == 0;
}


static bool value_is_on(const socket99_value *value) {
  if (value->kind == SOCKET99_BYTES)
    return value->bytes != NULL && !is_zero(value->bytes, value->length);
  return value->integer != 0;
}


static bool check_options(struct s99_plan *plan) {
  const socket99_config *cfg = plan->cfg;
  char why[SOCKET99_WHERE_SIZE];
  size_t i;
  for (i = 0; i < SOCKET99_MAX_SOCK_OPTS && cfg->sockopts[i].option_id != 0; i++) {
    const socket99_sockopt *option = &cfg->sockopts[i];
    bool on = option->value != NULL && !is_zero(option->value, option->value_len);
    if (option->option_id == SO_REUSEADDR)
      plan->reuseaddr = on ? S99_ON : S99_OFF;
    if (option->option_id == SO_BROADCAST)
      plan->broadcast = on ? S99_ON : S99_OFF;
  }
  if (cfg->option_count > 0 && cfg->options == NULL)
    return wrong(plan, "option_count is %zu, but options is NULL", cfg->option_count);
  for (i = 0; i < cfg->option_count; i++) {
    const socket99_option *option = &cfg->options[i];
    if (!s99_option_check(option, plan->type, why, sizeof(why)))
      return wrong(plan, "%s", why);
    if (s99_option_is(option, SOL_SOCKET, SO_REUSEADDR))
      plan->reuseaddr = value_is_on(&option->value) ? S99_ON : S99_OFF;
    if (s99_option_is(option, SOL_SOCKET, SO_BROADCAST))
      plan->broadcast = value_is_on(&option->value) ? S99_ON : S99_OFF;
    if (s99_option_is(option, IPPROTO_IPV6, IPV6_V6ONLY))
      plan->v6only = value_is_on(&option->value) ? S99_ON : S99_OFF;
  }
  return true;
}


static bool check_times(struct s99_plan *plan) {
  const socket99_config *cfg = plan->cfg;
  if (cfg->timeout_ms < 0)
    return wrong(plan, "timeout_ms %lld is negative", cfg->timeout_ms);
  if (cfg->attempt_delay_ms != 0 && (cfg->attempt_delay_ms < 10 || cfg->attempt_delay_ms > 2000))
    return wrong(plan, "attempt_delay_ms %d is not in 10 to 2000", cfg->attempt_delay_ms);
  plan->delay = (cfg->attempt_delay_ms != 0 ? cfg->attempt_delay_ms : 250) * S99_MILLISECOND;
  plan->deadline = S99_NEVER;
  /* A timeout of 146 years or more could overflow the clock; it counts as none. */
  if (cfg->timeout_ms > 0 && cfg->timeout_ms < S99_NEVER / S99_MILLISECOND / 2)
    plan->deadline = s99_now() + cfg->timeout_ms * S99_MILLISECOND;
  return true;
}


static void set_ports(struct s99_plan *plan) {
  size_t i;
  if (plan->family == AF_UNIX)
    return;
  for (i = 0; i < plan->candidates.count; i++)
    s99_set_port(&plan->candidates.inlined[i], plan->port);
}


bool s99_check(const socket99_config *cfg, struct s99_plan *plan, char *message) {
  memset(plan, 0, sizeof(*plan));
  plan->cfg = cfg;
  plan->message = message;
  if (cfg == NULL)
    return wrong(plan, "cfg is NULL");
  plan->establish = !cfg->unconnected;
  plan->candidates.list = plan->candidates.inlined;
  if (!check_times(plan) || !check_type(plan) || !check_local_address(plan))
    return false;
  if (!check_address(plan) || !check_local_fits(plan) || !check_server(plan) ||
      !check_options(plan))
    return false;
  set_ports(plan);
  return true;
}
