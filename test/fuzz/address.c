/*
** address.c: addresses as text, as bytes, and as Lua has them.
**
** The first byte of an input chooses what the rest is: a text to be parsed and
** written again; an address as a system may give it, of any length, to be written
** and parsed again; or a host and a port, with a line between them, for the methods
** that take these. What is read back must be what was written.
*/

#include "lua.h"

#include "socket99.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <arpa/inet.h>

/* Longer than any address: the longest Unix path, or IPv6 with zone and port. */
#define TEXT_SIZE 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the system says, or was told. */
static struct sockaddr_storage told;
static socklen_t told_length;


/* As text, through a buffer that has one byte to spare: what snprintf(3) promises
** holds of any size. */
static int write_text(const struct sockaddr *address, socklen_t length, char *text) {
  char small[TEXT_SIZE];
  size_t size;
  int written = socket99_address_text(address, length, text, TEXT_SIZE);
  if (written < 0 || written >= TEXT_SIZE || strlen(text) != (size_t)written)
    machine_fail("%d bytes of text: '%s'", written, text);
  size = (size_t)written / 2;
  if (socket99_address_text(address, length, small, size) != written)
    machine_fail("another length into a smaller buffer");
  if (size > 0 && (strncmp(small, text, size - 1) != 0 || small[size - 1] != '\0'))
    machine_fail("'%s' is not cut as it should be", small);
  return written;
}


static void check_same(const struct sockaddr_storage *a, socklen_t a_length,
                       const struct sockaddr_storage *b, socklen_t b_length, const char *text) {
  if (a_length != b_length || memcmp(a, b, a_length) != 0)
    machine_fail("'%s' is another address", text);
}


/*
** Text
*/

static void check_parsed(const struct sockaddr_storage *address, socklen_t length) {
  socklen_t due = address->ss_family == AF_INET    ? sizeof(struct sockaddr_in)
                  : address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                   : length;
  if (length != due || length > sizeof(struct sockaddr_un))
    machine_fail("an address of %u bytes", (unsigned int)length);
  if (address->ss_family == AF_INET6 &&
      IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)address)->sin6_addr) &&
      ((const struct sockaddr_in6 *)address)->sin6_scope_id == 0)
    machine_fail("IPv4 as IPv6");
}


static void try_text(const char *text) {
  struct sockaddr_storage address, again;
  socklen_t length = 0, again_length = 0;
  char written[TEXT_SIZE];
  if (!socket99_address_parse(text, &address, &length))
    return;
  check_parsed(&address, length);
  write_text((struct sockaddr *)&address, length, written);
  if (!socket99_address_parse(written, &again, &again_length))
    machine_fail("'%s' was written as '%s', which is none", text, written);
  /* An IPv4-mapped address in a zone is written without both. */
  if (address.ss_family == again.ss_family)
    check_same(&address, length, &again, again_length, written);
}


/*
** Bytes
*/

static void check_ipv4(const uint8_t *bytes, const struct sockaddr_storage *again,
                       const char *text) {
  struct sockaddr_in in;
  memcpy(&in, bytes, sizeof(in));
  memset(in.sin_zero, 0, sizeof(in.sin_zero));
  if (memcmp(&in, again, sizeof(in)) != 0)
    machine_fail("'%s' is another IPv4 address", text);
}


static void check_ipv6(const uint8_t *bytes, const struct sockaddr_storage *again,
                       const char *text) {
  struct sockaddr_in6 in6;
  memcpy(&in6, bytes, sizeof(in6));
  in6.sin6_flowinfo = 0;
  if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) ? again->ss_family != AF_INET
                                           : memcmp(&in6, again, sizeof(in6)) != 0)
    machine_fail("'%s' is another IPv6 address", text);
}


static void try_bytes(const uint8_t *bytes, size_t size) {
  struct sockaddr_storage again;
  /* Not a byte more may be read than there are. */
  struct sockaddr *exact = malloc(size > 0 ? size : 1);
  socklen_t again_length = 0;
  char text[TEXT_SIZE];
  bool read;
  memcpy(exact, bytes, size);
  write_text(exact, (socklen_t)size, text);
  read = socket99_address_parse(text, &again, &again_length);
  if (size >= sizeof(struct sockaddr_in) && exact->sa_family == AF_INET) {
    if (!read)
      machine_fail("'%s' is no address", text);
    check_ipv4(bytes, &again, text);
  } else if (size >= sizeof(struct sockaddr_in6) && exact->sa_family == AF_INET6) {
    if (!read)
      machine_fail("'%s' is no address", text);
    check_ipv6(bytes, &again, text);
  }
  free(exact);
}


/*
** Lua
*/

static int get_name(int fd, struct sockaddr *address, socklen_t *length) {
  (void)fd;
  memcpy(address, &told, told_length < *length ? told_length : *length);
  *length = told_length;
  return 0;
}


static int set_name(int fd, const struct sockaddr *address, socklen_t length) {
  (void)fd;
  memset(&told, 0, sizeof(told));
  memcpy(&told, address, length);
  told_length = length;
  return 0;
}


/* host, port, family; or a path. */
static void check_name(lua_State *L, int results, const char *text) {
  char joined[TEXT_SIZE];
  const char *host = lua_tostring(L, -results);
  if (results == 1)
    return;
  if (results != 3 || host == NULL || !lua_isinteger(L, -2))
    machine_fail("%d results of '%s'", results, text);
  snprintf(joined, sizeof(joined), strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host,
           (int)lua_tointeger(L, -2));
  if (strcmp(joined, text) != 0)
    machine_fail("'%s' and '%s' are one address", joined, text);
  if ((strchr(host, ':') != NULL) != (strcmp(lua_tostring(L, -1), "inet6") == 0))
    machine_fail("%s is of family %s", host, lua_tostring(L, -1));
}


/* As the system tells the address of a socket. Of TCP it is whole. */
static void try_name(lua_State *L, const uint8_t *bytes, size_t size) {
  static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
  char text[TEXT_SIZE];
  int family, results;
  memset(&told, 0, sizeof(told));
  if (size < sizeof(sa_family_t))
    return;
  memcpy(&told, bytes, size < sizeof(struct sockaddr_un) ? size : sizeof(struct sockaddr_un));
  family = families[told.ss_family % 3];
  told.ss_family = (sa_family_t)family;
  told_length = family == AF_INET    ? sizeof(struct sockaddr_in)
                : family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                     : (socklen_t)(size < 111 ? size : 111);
  fuzz_push_socket(L, family, SOCK_STREAM, true);
  machine_hooks.getname = get_name;
  fuzz_push_method(L, 1, "getpeername");
  results = fuzz_must(L, 1);
  write_text((struct sockaddr *)&told, told_length, text);
  check_name(L, results, text);
  if (family == AF_UNIX && results != 1)
    machine_fail("%d results of a path", results);
}


/* What a method was given, as one text; false where it is not numeric. */
static bool join(const char *host, const char *port, int family, char *text) {
  char *end;
  double number = strtod(port, &end);
  if (end == port || *end != '\0' || number < 0 || number > 65535 || number != (int)number)
    return false;
  if (strcmp(host, "*") == 0)
    host = family == AF_INET ? "0.0.0.0" : "::";
  return snprintf(text, TEXT_SIZE, strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host,
                  (int)number) < TEXT_SIZE;
}


/* An IPv6 socket is told of IPv4 as a mapped address. */
static void unmap(struct sockaddr_storage *address, socklen_t *length) {
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
  struct sockaddr_in in;
  if (in6->sin6_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) ||
      in6->sin6_scope_id != 0)
    return;
  memset(&in, 0, sizeof(in));
  in.sin_family = AF_INET;
  in.sin_port = in6->sin6_port;
  memcpy(&in.sin_addr, &in6->sin6_addr.s6_addr[12], 4);
  memset(address, 0, sizeof(*address));
  memcpy(address, &in, sizeof(in));
  *length = sizeof(in);
}


/* To bind, connect and setpeername. `text` has a host, a newline, a port. */
static void try_methods(lua_State *L, char *text, size_t size, unsigned int how) {
  static const int families[] = {AF_INET, AF_INET6, AF_UNIX};
  static const char *const methods[] = {"bind", "connect", "setpeername"};
  const char *method = methods[how / 3 % 3];
  int family = families[how % 3], results;
  char *port = memchr(text, '\n', size), joined[TEXT_SIZE];
  struct sockaddr_storage due;
  socklen_t due_length = 0;
  if (port == NULL)
    return;
  *port++ = '\0';
  fuzz_push_socket(L, family, strcmp(method, "setpeername") == 0 ? SOCK_DGRAM : SOCK_STREAM, false);
  machine_hooks.setname = set_name;
  told_length = 0;
  fuzz_push_method(L, 1, method);
  lua_pushlstring(L, text, (size_t)(port - text) - 1);
  lua_pushlstring(L, port, size - (size_t)(port - text));
  results = fuzz_must(L, 3);
  if (results > 1)
    fuzz_check_failure(L, -results, results);
  /* A NUL byte: neither is what C takes it for. */
  if (strlen(text) + 1 + strlen(port) != size)
    return;
  /* This takes the peer away. */
  if (strcmp(method, "setpeername") == 0 && strcmp(text, "*") == 0)
    return;
  if (family == AF_UNIX || !join(text, port, family, joined) ||
      !socket99_address_parse(joined, &due, &due_length) || due.ss_family == AF_UNIX ||
      due.ss_family > family)
    return;
  /* Port 0 is nothing to connect to. */
  if (told_length == 0 && ((struct sockaddr_in *)&due)->sin_port == 0)
    return;
  if (told_length == 0)
    machine_fail("'%s' was not taken: %s", joined, lua_tostring(L, 3));
  unmap(&told, &told_length);
  check_same(&told, told_length, &due, due_length, joined);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, size}, none = {NULL, 0};
  uint8_t how = input_byte(&input);
  lua_State *L = fuzz_begin(none);
  char *text = malloc(input.left + 1);
  memcpy(text, input.next, input.left);
  text[input.left] = '\0';
  if (how == 't')
    try_text(text);
  else if (how == 'b')
    try_bytes(input.next, input.left);
  else if (how == 'n')
    try_name(L, input.next, input.left);
  else
    try_methods(L, text, input.left, how);
  free(text);
  fuzz_end(L);
  return 0;
}
