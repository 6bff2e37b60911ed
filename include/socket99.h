/*
** socket99: one call opens any socket.
**
** The caller fills in a zeroed struct. The result holds a descriptor that is
** ready for use, or tells which step failed, on which address, and why.
**
**     socket99_config cfg = { .host = "127.0.0.1", .port = 8080, .server = true };
**     socket99_result res;
**     if (!socket99_open(&cfg, &res))
**         socket99_fprintf(stderr, &res);
**
** All functions are thread-safe. They never raise SIGPIPE, never fail with
** EINTR, and keep no pointers into the caller's memory.
** Source-compatible with socket99 0.2.2. Licence: BSD-3-Clause.
*/
#ifndef SOCKET99_H
#define SOCKET99_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <sys/types.h>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOCKET99_VERSION_MAJOR 1
#define SOCKET99_VERSION_MINOR 0
#define SOCKET99_VERSION_PATCH 0

/* The most options in `sockopts`; `options` takes any number. */
#define SOCKET99_MAX_SOCK_OPTS 4

/* The size of `where` in a result. */
#define SOCKET99_WHERE_SIZE 256

/* Marks the functions that the shared library exports. */
#if defined(SOCKET99_PRIVATE) && defined(__GNUC__)
#define SOCKET99_API __attribute__((visibility("hidden")))
#elif defined(__GNUC__)
#define SOCKET99_API __attribute__((visibility("default")))
#else
#define SOCKET99_API
#endif

/*
** The step of an opening that failed. The reason is in saved_errno; for
** SOCKET99_ERROR_GETADDRINFO it is in getaddrinfo_error.
*/
enum socket99_status {
  SOCKET99_OK = 0,
  SOCKET99_ERROR_GETADDRINFO = -1,
  SOCKET99_ERROR_SOCKET = -2,
  SOCKET99_ERROR_BIND = -3,
  SOCKET99_ERROR_LISTEN = -4,
  SOCKET99_ERROR_CONNECT = -5,
  SOCKET99_ERROR_FCNTL = -6,
  SOCKET99_ERROR_SNPRINTF = -7,
  SOCKET99_ERROR_CONFIGURATION = -8,
  SOCKET99_ERROR_SETSOCKOPT = -9,
  SOCKET99_ERROR_UNKNOWN = -10,
  SOCKET99_ERROR_TIMEOUT = -11
};

/* A socket option at SOL_SOCKET, as setsockopt(2) takes it. */
typedef struct socket99_sockopt {
  int option_id;
  void *value;
  socklen_t value_len;
} socket99_sockopt;

/* <netdb.h> hides it from strict ISO C. */
struct addrinfo;

/* The kinds of values that options have. */
enum socket99_kind {
  SOCKET99_BOOLEAN = 0, /* `integer`: 0 or 1 */
  SOCKET99_INTEGER,     /* `integer` */
  SOCKET99_SECONDS,     /* `seconds`, not negative */
  SOCKET99_BYTES,       /* `bytes`, `length`: the option's own layout, or text */
  SOCKET99_MEMBERSHIP   /* `group`, `interface`, `source`, as text */
};

/*
** The value of an option; only the members of its kind count.
**
** linger, rcvtimeo and sndtimeo are SECONDS; BOOLEAN 0 switches them off.
** A membership's `group` and `source` are numeric addresses; `interface` is
** a name, an index, or (IPv4) an address of the interface; NULL leaves the
** choice to the system. multicast_if takes what `interface` takes, as BYTES.
*/
typedef struct socket99_value {
  enum socket99_kind kind;
  long long integer;
  double seconds;
  const void *bytes;
  size_t length;
  const char *group;
  const char *interface;
  const char *source;
} socket99_value;

/*
** An option to set: by name ("rcvbuf", "TCP_NODELAY", "ip_tos"), or, where
** `name` is NULL, by number. A numbered option takes an INTEGER (a C int) or
** BYTES.
*/
typedef struct socket99_option {
  const char *name;
  int level;
  int option_id;
  socket99_value value;
} socket99_option;

/*
** The socket to open. Zero the whole struct first; zero always means the
** default. The library does not write to it and does not keep it.
*/
typedef struct socket99_config {
  /* Name or numeric address to connect to, or to listen on. A server on "*" listens
  ** on every address. NULL: so does a server, a stream client connects to this
  ** machine, a datagram client stays unconnected. */
  char *host;
  /* 0-65535. 0: any free port (servers). */
  int port;
  /* Unix domain socket. An abstract name (Linux) begins with a NUL byte and
  ** has `path_len` bytes. */
  char *path;

  /* Bind and listen instead of connect; a datagram server binds. */
  bool server;
  /* SOCK_DGRAM instead of SOCK_STREAM. */
  bool datagram;
  /* The descriptor has O_NONBLOCK set. The opening itself still completes. */
  bool nonblocking;

  /* A numeric address of that family, instead of `host`. Both spellings name the
  ** same field. */
#if defined(__GNUC__)
  __extension__ union {
    char *IPv4;
    char *ipv4;
  };
  __extension__ union {
    char *IPv6;
    char *ipv6;
  };
#else
  char *ipv4;
  char *ipv6;
#endif

  /* The length of a stream server's queue of connections. 0: SOMAXCONN. */
  int backlog_size;

  /* Options at SOL_SOCKET; an option_id of 0 ends the list. They are set before
  ** bind and connect, and before `options`. */
  socket99_sockopt sockopts[SOCKET99_MAX_SOCK_OPTS];

  /* Since 1.0 */

  /* Bytes of `path`. 0: strlen(path). */
  size_t path_len;
  /* The port as text, a number or a service name, instead of `port`. */
  const char *service;
  /* AF_INET, AF_INET6, AF_UNIX: only addresses of this family. 0: any. */
  int family;
  /* Only create the socket, set its options and bind it: neither connect nor
  ** listen. */
  bool unconnected;
  /* The descriptor survives exec; false: close-on-exec, from birth. */
  bool inherit;
  /* SOCK_SEQPACKET, Unix domain only. */
  bool seqpacket;
  /* A Unix server replaces a socket file that nobody listens on. */
  bool unlink_stale;
  /* Permission bits of the file that a Unix server creates, up to 0777.
  ** 0: the umask decides. S_IFSOCK may be set as well, so that S_IFSOCK | 0 asks
  ** for no permissions at all. */
  unsigned int mode;
  /* The local address of a client: numeric host or "*", port, or path. */
  const char *bind_host;
  int bind_port;
  const char *bind_path;
  size_t bind_path_len;
  /* Milliseconds for the whole opening, name lookup and all attempts to connect,
  ** on the monotonic clock. 0: no deadline. */
  long long timeout_ms;
  /* Milliseconds after which the next address is tried, while an attempt to connect
  ** is still in progress (RFC 8305, Connection Attempt Delay), 10 to 2000. 0: 250.
  ** With 8 attempts in progress the oldest of them gives way to the next.
  ** Where a name is looked up on a thread (timeout_ms, socket99_start), also those
  ** after which each family is asked for alone, while the answer for both is missing
  ** (RFC 8305, section 3). What comes first is used, and what comes later joins the race. */
  int attempt_delay_ms;
  /* Options of any level, set in this order. */
  const socket99_option *options;
  size_t option_count;
} socket99_config;

/* The result of an opening. The caller closes `fd`; on failure it is -1. */
typedef struct socket99_result {
  enum socket99_status status;
  int fd;
  /* The errno of the call that failed first; EINVAL for a configuration error. */
  int saved_errno;
  /* An EAI_ code, see gai_strerror(3). For EAI_SYSTEM, see saved_errno as well. */
  int getaddrinfo_error;
  /* On success: the descriptor's family, AF_INET, AF_INET6 or AF_UNIX, and
  ** whether it has a peer (a datagram client of a broadcast or multicast
  ** address has none). */
  int family;
  bool connected;
  /* The address or option that the failing step used ("127.0.0.1:80",
  ** "/run/x.sock"), or the error in the configuration; "" on success. */
  char where[SOCKET99_WHERE_SIZE];
} socket99_result;

/*
** Opens the socket that `cfg` describes. True: res->fd is the descriptor. False:
** the result tells which step failed, and nothing stays open. res must not be
** NULL.
*/
SOCKET99_API bool socket99_open(const socket99_config *cfg, socket99_result *res);

/*
** Finds the addresses that `cfg` would open, in the resolver's order, within
** timeout_ms. If the resolver is silent about one family, those of the other, 50 ms
** after they came. With `unconnected` no port is needed. True: *addresses holds
** *count addresses; the caller frees it with free(3).
*/
SOCKET99_API bool socket99_resolve(const socket99_config *cfg, socket99_result *res,
                                   struct sockaddr_storage **addresses, size_t *count);

/*
** An opening does the work of socket99_open in steps that never block, not even
** in a name lookup. It belongs to the process that started it.
**
** socket99_start returns NULL and fills in the result if the configuration is
** wrong, or if memory or descriptors run out. It copies `cfg` and everything it
** points to, except data behind pointers inside an option's bytes
** (attach_filter has one).
** socket99_step returns true when the opening has ended; the result tells how.
** The caller then owns the descriptor, and another step fails with EALREADY.
** socket99_pollfd returns a descriptor that is readable whenever a step would
** make progress. It stays the same until socket99_cancel.
** socket99_timeout_ms returns the most milliseconds until a step is due even if
** nothing happens; -1: there is no such time.
** socket99_cancel ends the opening in any state and frees it. NULL is allowed. A
** descriptor that was returned stays open.
*/
typedef struct socket99_opening socket99_opening;

SOCKET99_API socket99_opening *socket99_start(const socket99_config *cfg, socket99_result *res);
SOCKET99_API bool socket99_step(socket99_opening *opening, socket99_result *res);
SOCKET99_API int socket99_pollfd(const socket99_opening *opening);
SOCKET99_API int socket99_timeout_ms(const socket99_opening *opening);
SOCKET99_API void socket99_cancel(socket99_opening *opening);

/*
** Write the result as one line of text, without a newline:
** "bind 127.0.0.1:80: Permission denied". They return what snprintf(3) and
** fprintf(3) return.
*/
SOCKET99_API int socket99_snprintf(char *buf, size_t buf_size, const socket99_result *res);
SOCKET99_API int socket99_fprintf(FILE *f, const socket99_result *res);

/* The name of a step: "getaddrinfo", "socket", …; "ok" for SOCKET99_OK. */
SOCKET99_API const char *socket99_stage(enum socket99_status status);

/* Fills in the getaddrinfo(3) hints that fit `cfg`. */
SOCKET99_API void socket99_set_hints(const socket99_config *cfg, struct addrinfo *hints);

/*
** Options by name. The names are the system's constants in any case, with '-' or
** '_', and with or without their prefix SO_, TCP_, IP_, IPV6_, UDP_. `type`
** (SOCK_STREAM, …) and `family` (AF_INET, …) choose between constants that share
** a name without prefix; 0: not known yet.
**
** socket99_option_kind tells whether an option exists, and the kind of its
** value.
** socket99_option_nearest returns the known name most similar to `name`, or
** NULL.
** socket99_option_set and socket99_option_get return 0 or an errno: ENOENT for a
** name that no system has, ENOPROTOOPT for one that this system lacks (turning
** it off is no error), EINVAL for a value of another kind, ERANGE for a value
** that does not fit, or the errno of setsockopt(2) or getsockopt(2). Get stores
** BYTES in buf, which may be NULL for other kinds, and their number in
** value->length.
*/
SOCKET99_API bool socket99_option_kind(const char *name, int type, int family,
                                       enum socket99_kind *kind);
SOCKET99_API const char *socket99_option_nearest(const char *name);
SOCKET99_API int socket99_option_set(int fd, const char *name, const socket99_value *value);
SOCKET99_API int socket99_option_get(int fd, const char *name, socket99_value *value, void *buf,
                                     size_t buf_size);

/*
** Addresses as text: "127.0.0.1:80", "[fe80::1%eth0]:80", "/run/x.sock",
** "@abstract". IPv4-mapped addresses are written as IPv4.
**
** socket99_address_text returns the length of the text, as snprintf(3) does.
** socket99_address_parse reads such a text; false: it is not an address. Hosts
** and ports must be numeric. Other text is a path if it has a '/'.
*/
SOCKET99_API int socket99_address_text(const struct sockaddr *address, socklen_t length, char *buf,
                                       size_t buf_size);
SOCKET99_API bool socket99_address_parse(const char *text, struct sockaddr_storage *address,
                                         socklen_t *length);

#ifdef __cplusplus
}
#endif

#endif
