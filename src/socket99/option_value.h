/*
** option_value.h: values of options as the kernel takes and returns them.
*/
#ifndef SOCKET99_OPTION_VALUE_H
#define SOCKET99_OPTION_VALUE_H

#include "option_table.h"

/* A value for setsockopt(2). `data` points to `as`, or to the caller's bytes. */
struct s99_wire {
  union {
    int integer;
    unsigned int uint32;
    unsigned long pace;
    unsigned char octet;
    struct linger linger;
    struct timeval timeout;
    s99_ipv4_member member;
    s99_ipv4_interface interface;
    struct ipv6_mreq member6;
    struct group_source_req source;
  } as;
  const void *data;
  socklen_t length;
};

/* Kinds of value, as bits. */
enum {
  S99_BOOLEANS = 1 << SOCKET99_BOOLEAN,
  S99_INTEGERS = 1 << SOCKET99_INTEGER,
  S99_SECONDS = 1 << SOCKET99_SECONDS,
  S99_STRINGS = 1 << SOCKET99_BYTES,
  S99_MEMBERSHIPS = 1 << SOCKET99_MEMBERSHIP
};

/* One form. `encode` and `decode` return 0 or an errno. */
struct s99_form {
  enum socket99_kind kind; /* of a value that is read */
  unsigned int takes;      /* kinds of value that may be set */
  long long min, max;      /* of integers and seconds */
  size_t longest;          /* of strings, in bytes */
  int (*encode)(const socket99_value *value, int level, struct s99_wire *wire);
  int (*decode)(int fd, const struct s99_option_target *target, socket99_value *value, void *buf,
                size_t size);
};

/* By enum s99_option_form. */
S99_HIDDEN extern const struct s99_form s99_forms[];

S99_HIDDEN int s99_encode_int(const socket99_value *value, int level, struct s99_wire *wire);
S99_HIDDEN int s99_encode_bytes(const socket99_value *value, int level, struct s99_wire *wire);

/* Parses a numeric address. Returns its family; AF_UNSPEC: it is no address. */
S99_HIDDEN int s99_parse_group(const char *text, struct sockaddr_storage *out);

/*
** option_check.c. Returns 0, or EINVAL or ERANGE with the reason in `why`, unless
** `size` is 0. `row` is NULL for an option by number.
*/
S99_HIDDEN int s99_option_check_value(const socket99_option *option,
                                      const struct s99_option_row *row, char *why, size_t size);

#endif
