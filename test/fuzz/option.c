/*
** option.c: any option, by name and by number, with any value, in and out.
**
** An input is an object, then operations: set or get, through Lua or through C.
** The kernel keeps what it was given, and gives it back, or, where the input says
** so, any bytes at all, as long as it likes within the room that it was given. What
** was set and is faithfully kept must be what is got.
*/

#include "lua.h"

#include "socket99.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define LENGTH(list) (sizeof(list) / sizeof((list)[0]))
#define MOST_OPERATIONS 24
#define MOST_KEPT 32
#define MOST_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every name that the product knows. */
#define OPTION(name, ...) name,
#define SOCKET(name, ...) name,
#define TCP(name, ...) name,
#define UDP(name, ...) name,
#define INET(name, ...) name,
#define INET6(name, ...) name,
#define BOTH(name, ...) name,
#define TWIN(prefixes, name, ...) name,
#define GROUP(prefixes, name, ...) name,
static const char *const names[] = {
#include "option_rows.h"
};

/* What the kernel was told. */
static struct {
  int level, option;
  socklen_t length;
  unsigned char bytes[MOST_BYTES];
} kept[MOST_KEPT];
static int kept_count;
static bool is_faithful;

static struct input *input;


/*
** The kernel
*/

static int refuse(void) {
  static const int errors[] = {ENOPROTOOPT, EINVAL, EPERM, ENODEV, EDOM, EBADF};
  errno = errors[input_below(input, LENGTH(errors))];
  return -1;
}


static int find(int level, int option) {
  int i;
  for (i = 0; i < kept_count; i++) {
    if (kept[i].level == level && kept[i].option == option)
      break;
  }
  return i;
}


static int set(int fd, int level, int option, const void *value, socklen_t length) {
  int i = find(level, option);
  (void)fd;
  if (!is_faithful && input_below(input, 4) == 3)
    return refuse();
  if (i == MOST_KEPT || length > MOST_BYTES) {
    errno = ENOMEM;
    return -1;
  }
  kept_count += i == kept_count;
  kept[i].level = level;
  kept[i].option = option;
  kept[i].length = length;
  memcpy(kept[i].bytes, value, length);
  return 0;
}


/* A filter is counted in instructions of 8 bytes, and first asked for with no room. */
static int get_filter(void *value, socklen_t *length) {
  size_t size = *length * (size_t)8;
  if (value == NULL) {
    *length = input_u16(input) % 4097;
    return 0;
  }
  memset(value, input_byte(input), size);
  return 0;
}


static int get(int fd, int level, int option, void *value, socklen_t *length) {
  int i = find(level, option);
  socklen_t given = *length;
  (void)fd;
  if (level == SOL_SOCKET && option == 26 /* SO_GET_FILTER */ && (value == NULL || given < 4097))
    return get_filter(value, length);
  if (is_faithful) {
    if (i == kept_count)
      return refuse();
    *length = kept[i].length < given ? kept[i].length : given;
    memcpy(value, kept[i].bytes, *length);
    return 0;
  }
  if (input_below(input, 8) == 7)
    return refuse();
  *length = given > 0 ? input_u16(input) % (given + 1) : 0;
  memset(value, input_byte(input), *length);
  input_copy(input, value, *length < 8 ? *length : 8);
  return 0;
}


/*
** Names and values
*/

static void choose_name(char *name, size_t size) {
  static const char *const prefixes[] = {"SO_", "tcp_", "IP_", "ipv6-", "udp_", "mcast_"};
  uint8_t how = input_byte(input);
  size_t i, length;
  if (how >= 250) {
    const uint8_t *bytes = input_take(input, input_below(input, 40), &length);
    memcpy(name, bytes, length);
    name[length] = '\0';
    return;
  }
  snprintf(name, size, "%s%s", how < 236 ? "" : prefixes[how % LENGTH(prefixes)],
           names[input_u16(input) % LENGTH(names)]);
  for (i = 0; (how & 64) != 0 && name[i] != '\0'; i++) {
    if (name[i] == '_')
      name[i] = '-';
    else if (name[i] >= 'a' && name[i] <= 'z')
      name[i] = (char)(name[i] - 'a' + 'A');
  }
}


static const char *text(void) {
  static const char *const texts[] = {"239.0.0.1",
                                      "ff02::1",
                                      "lo",
                                      "eth0",
                                      "0",
                                      "2",
                                      "",
                                      "127.0.0.1",
                                      "nosuch",
                                      "192.168.0.1",
                                      "4294967296",
                                      "cubic",
                                      "::ffff:239.0.0.1",
                                      "a name that is longer than any interface's"};
  return texts[input_below(input, LENGTH(texts))];
}


static double number(void) {
  static const double numbers[] = {
      0,    1,      2,         255,  256,      65536,  2147483647., 2147483648.,
      -1,   0.5,    1.1,       1e-9, 1e300,    -1e300, 4294967295., 4294967296.,
      9e15, 9.3e18, 1.9999999, 60,   0.000001, -0.0,   INFINITY,    NAN};
  double value;
  if (input_below(input, 4) != 0)
    return numbers[input_below(input, LENGTH(numbers))];
  input_copy(input, &value, sizeof(value));
  return value;
}


/* On the heap, as long as it is, so that the sanitizers see its end. */
static void *bytes_of(size_t *length) {
  const uint8_t *bytes = input_take(input, input_byte(input), length);
  void *copy = malloc(*length > 0 ? *length : 1);
  memcpy(copy, bytes, *length);
  return copy;
}


static void push_membership(lua_State *L) {
  lua_newtable(L);
  lua_pushstring(L, text());
  lua_setfield(L, -2, "group");
  if (input_below(input, 2) == 1) {
    lua_pushstring(L, text());
    lua_setfield(L, -2, "interface");
  }
  if (input_below(input, 2) == 1) {
    lua_pushstring(L, text());
    lua_setfield(L, -2, "source");
  }
}


static void push_value(lua_State *L) {
  size_t length;
  const char *bytes;
  switch (input_below(input, 8)) {
  case 0:
    lua_pushboolean(L, (int)input_below(input, 2));
    break;
  case 1:
    lua_pushinteger(L, (lua_Integer)(int32_t)input_u32(input));
    break;
  case 2:
    lua_pushnumber(L, number());
    break;
  case 3:
    bytes = (const char *)input_take(input, input_byte(input), &length);
    lua_pushlstring(L, bytes, length);
    break;
  case 4:
    lua_pushstring(L, text());
    break;
  case 5:
    lua_newtable(L);
    push_membership(L);
    lua_rawseti(L, -2, 1);
    break;
  case 6:
    push_membership(L);
    break;
  default:
    lua_pushnil(L);
  }
}


/* {level, option, value or size} */
static void push_numbered(lua_State *L) {
  static const int levels[] = {SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6, 9999};
  lua_newtable(L);
  lua_pushinteger(L, levels[input_below(input, LENGTH(levels))]);
  lua_rawseti(L, -2, 1);
  lua_pushinteger(L, input_byte(input));
  lua_rawseti(L, -2, 2);
  push_value(L);
  lua_rawseti(L, -2, 3);
}


/*
** Through Lua
*/

static void check_raised(const char *message) {
  if (message == NULL ||
      (strstr(message, "option") == NULL && strstr(message, "{level, option, value}") == NULL &&
       strstr(message, "string expected") == NULL))
    machine_fail("raised: %s", message);
}


static void operate_in_lua(lua_State *L) {
  bool sets = input_below(input, 2) == 1, by_number = input_below(input, 4) == 3;
  char name[64];
  int results;
  fuzz_push_method(L, 1, sets ? "setoption" : "getoption");
  if (by_number) {
    push_numbered(L);
  } else {
    choose_name(name, sizeof(name));
    lua_pushstring(L, name);
  }
  if (!by_number && sets && input_below(input, 8) != 7)
    push_value(L);
  results = fuzz_call(L, lua_gettop(L) - 2);
  if (results < 0)
    check_raised(lua_tostring(L, -1));
  else if (results > 1)
    fuzz_check_failure(L, -results, results);
  else if (results != 1 || lua_isnil(L, -1))
    machine_fail("%d results", results);
}


/*
** Through C, there and back
*/

static bool is_same(const socket99_value *value, const socket99_value *got) {
  switch (got->kind) {
  case SOCKET99_BOOLEAN:
    return value->kind == SOCKET99_SECONDS || (value->integer != 0) == (got->integer != 0);
  case SOCKET99_INTEGER:
    return value->kind != SOCKET99_INTEGER || value->integer == got->integer;
  case SOCKET99_SECONDS:
    return value->kind != SOCKET99_SECONDS ||
           (got->seconds >= value->seconds && got->seconds < value->seconds + 1e-5);
  default:
    return value->kind != SOCKET99_BYTES || got->length <= value->length ||
           got->length == sizeof(long long) || memchr(got->bytes, '.', got->length) != NULL;
  }
}


static void *choose_value(socket99_value *value) {
  void *bytes = NULL;
  memset(value, 0, sizeof(*value));
  value->kind = (enum socket99_kind)input_below(input, 6);
  switch (value->kind) {
  case SOCKET99_BOOLEAN:
    value->integer = input_below(input, 3);
    break;
  case SOCKET99_SECONDS:
    value->seconds = number();
    break;
  case SOCKET99_BYTES:
    bytes = bytes_of(&value->length);
    value->bytes = bytes;
    break;
  case SOCKET99_MEMBERSHIP:
    value->group = input_below(input, 4) == 3 ? NULL : text();
    value->interface = input_below(input, 2) == 1 ? NULL : text();
    value->source = input_below(input, 2) == 1 ? NULL : text();
    break;
  default:
    value->integer = input_below(input, 2) == 1 ? (long long)(int32_t)input_u32(input)
                                                : (long long)input_byte(input);
  }
  return bytes;
}


/* These are not kept as they are: -1 stands for what the system has, of a multicast
** option only IPv4's byte may be left, a filter goes in as a pointer, and the machine
** knows by itself what a socket is. */
static bool is_kept(const socket99_value *value, const char *name) {
  static const char *const others[] = {"multicast", "filter", "acceptconn", "type"};
  size_t i;
  for (i = 0; i < LENGTH(others); i++) {
    if (strcasestr(name, others[i]) != NULL)
      return false;
  }
  return value->integer >= 0;
}


static void operate_in_c(int fd) {
  char name[64];
  socket99_value value, got;
  size_t room;
  void *bytes, *buffer;
  int set_error, get_error;
  choose_name(name, sizeof(name));
  bytes = choose_value(&value);
  room = input_u16(input) % (MOST_BYTES + 1);
  buffer = malloc(room > 0 ? room : 1);
  is_faithful = input_below(input, 2) == 1;
  set_error = socket99_option_set(fd, name, &value);
  get_error = socket99_option_get(fd, name, &got, room > 0 ? buffer : NULL, room);
  if (set_error < 0 || get_error < 0 || (set_error == ENOENT) != (get_error == ENOENT))
    machine_fail("%s: errors %d and %d", name, set_error, get_error);
  if (get_error == 0 && got.kind == SOCKET99_BYTES && got.length > room)
    machine_fail("%s: %d bytes in a buffer of %d", name, (int)got.length, (int)room);
  if (is_faithful && set_error == 0 && get_error == 0 && is_kept(&value, name) &&
      !is_same(&value, &got))
    machine_fail("%s: %lld, %f was set, %lld, %f is got, of kinds %d and %d", name, value.integer,
                 value.seconds, got.integer, got.seconds, (int)value.kind, (int)got.kind);
  is_faithful = false;
  free(bytes);
  free(buffer);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int families[] = {AF_INET, AF_INET6, AF_UNIX};
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
  struct input bytes = {data, size}, none = {NULL, 0};
  lua_State *L = fuzz_begin(none);
  int i, fd;
  input = &bytes;
  kept_count = 0;
  is_faithful = false;
  fd = fuzz_push_socket(L, families[input_below(input, 3)], types[input_below(input, 2)], false);
  machine_hooks.getsockopt = get;
  machine_hooks.setsockopt = set;
  for (i = 0; i < MOST_OPERATIONS && bytes.left > 0; i++) {
    lua_settop(L, 1);
    if (input_below(input, 2) == 0)
      operate_in_lua(L);
    else
      operate_in_c(fd);
  }
  fuzz_end(L);
  return 0;
}
