/*
** config.c: any table, to every function that takes one.
**
** An input is how much luck there is (a byte, and so many bytes from the end),
** the function, and the fields: a key and a value each, most of them such as
** the field takes. Whatever they are, a call gives a descriptor or an object,
** or tells what is wrong; and what is wrong with a table is told of a field.
*/

#include "lua.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

#include <sys/socket.h>

#define LENGTH(list) (sizeof(list) / sizeof((list)[0]))
#define PICK(input, list) (list)[input_below(input, LENGTH(list))]

/* Tables within tables. */
#define DEEPEST 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const fields[] = {
    "attempt_delay", "backlog", "bind",     "cloexec", "connect",     "datagram", "family",
    "host",          "ipv4",    "ipv6",     "mode",    "nonblocking", "path",     "port",
    "seqpacket",     "server",  "sockopts", "timeout", "unlink"};

static const char *const near_misses[] = {"hots",
                                          "nonblock",
                                          "timeot",
                                          "HOST",
                                          "reuseaddr",
                                          "ports",
                                          "sockopt",
                                          "",
                                          "ipv",
                                          "unlink_",
                                          "bin",
                                          "x",
                                          "no such field at all",
                                          "nodelay"};

static const char *const texts[] = {"127.0.0.1",
                                    "::1",
                                    "localhost",
                                    "fe80::1%lo",
                                    "fe80::1%nosuch",
                                    "::ffff:1.2.3.4",
                                    "127.1",
                                    "0.0.0.0",
                                    "::",
                                    "::1%",
                                    "255.255.255.255",
                                    "224.0.0.1",
                                    "ff02::1%eth0",
                                    "example.com",
                                    "",
                                    "80",
                                    "http",
                                    "0x50",
                                    " 80 ",
                                    "65536",
                                    "-1",
                                    "1e3",
                                    "nan",
                                    "inf",
                                    "99999999999",
                                    "inet",
                                    "inet6",
                                    "unix",
                                    "inet4",
                                    "0600",
                                    "777",
                                    "8",
                                    "/tmp/x",
                                    "relative",
                                    "lo",
                                    "eth0",
                                    "%s%n%d",
                                    "192.168.0.255"};

static const char *const options[] = {"reuseaddr",
                                      "SO_KEEPALIVE",
                                      "rcvbuf",
                                      "linger",
                                      "nodelay",
                                      "tos",
                                      "ttl",
                                      "broadcast",
                                      "v6only",
                                      "bindtodevice",
                                      "rcvtimeo",
                                      "add_membership",
                                      "reuse-port",
                                      "congestion",
                                      "multicast_if",
                                      "no such",
                                      "so_",
                                      "unicast_if",
                                      "attach_filter",
                                      "max_pacing_rate",
                                      "sndtimeo",
                                      "error",
                                      "multicast_ttl",
                                      "multicast_loop",
                                      "add_source_membership",
                                      "",
                                      "ipv6_tclass",
                                      "type",
                                      "IPV6_JOIN_GROUP",
                                      "udp_segment"};

static const double numbers[] = {0,           1,
                                 -1,          2,
                                 80,          255,
                                 256,         511,
                                 512,         1e9,
                                 40000,       65535,
                                 65536,       2147483647.,
                                 2147483648., -2147483648.,
                                 4294967296., 9007199254740992.,
                                 9.3e18,      -9.3e18,
                                 1e300,       -1e300,
                                 0.5,         80.5,
                                 1e-300,      0.01,
                                 0.25,        0.009,
                                 2,           2.001,
                                 INFINITY,    -INFINITY,
                                 NAN,         -0.0};

/* How often a value was made: what an input may ask for has an end. */
static int budget;

static void push_value(lua_State *L, struct input *input, int depth);
static void push_table(lua_State *L, struct input *input, int depth);


/*
** Strings and numbers
*/

static void push_bytes(lua_State *L, struct input *input) {
  size_t size;
  const uint8_t *bytes = input_take(input, input_byte(input), &size);
  lua_pushlstring(L, (const char *)bytes, size);
}


/* A long one: limits are at 107 and 108 bytes, and beyond them. */
static void push_run(lua_State *L, struct input *input) {
  char run[5000];
  size_t size = input_u16(input) % sizeof(run);
  memset(run, input_byte(input), sizeof(run));
  run[0] = (char)input_byte(input);
  lua_pushlstring(L, run, size);
}


static void push_double(lua_State *L, struct input *input) {
  double number;
  input_copy(input, &number, sizeof(number));
  lua_pushnumber(L, number);
}


static void push_path(lua_State *L, struct input *input) {
  char path[256];
  size_t size = input_byte(input);
  unsigned int kind = input_below(input, 4);
  memset(path, 'x', sizeof(path));
  if (kind == 0)
    path[0] = '\0';
  else
    memcpy(path, "/tmp/", 5);
  if (kind == 1)
    path[input_byte(input)] = '\0';
  lua_pushlstring(L, path, size);
}


/*
** Tables
*/

static int raise(lua_State *L) {
  return luaL_error(L, "the metamethod raised");
}


/* Another answer each time; and the table that is asked loses what it has. */
static int change(lua_State *L) {
  lua_pushnil(L);
  while (lua_next(L, 1) != 0) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, 1);
  }
  lua_gc(L, LUA_GCCOLLECT, 0);
  lua_pushfstring(L, "127.0.0.%d", (int)(lua_rawlen(L, 2) % 8));
  return 1;
}


/* The table on top of the stack gets a metatable. */
static void bewitch(lua_State *L, struct input *input, int depth) {
  lua_newtable(L);
  switch (input_below(input, 4)) {
  case 0:
    lua_pushcfunction(L, raise);
    break;
  case 1:
    lua_pushcfunction(L, change);
    break;
  default:
    push_table(L, input, depth + 1);
  }
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, raise);
  lua_setfield(L, -2, "__len");
  lua_pushcfunction(L, raise);
  lua_setfield(L, -2, "__pairs");
  lua_setmetatable(L, -2);
}


static void push_list(lua_State *L, struct input *input, int depth) {
  int i, count = (int)input_below(input, 6);
  lua_newtable(L);
  for (i = 1; i <= count; i++) {
    push_value(L, input, depth + 1);
    lua_rawseti(L, -2, i);
  }
}


static void push_membership(lua_State *L, struct input *input) {
  static const char *const groups[] = {"239.0.0.1", "ff02::1", "127.0.0.1", "x", "::ffff:1.2.3.4"};
  static const char *const keys[] = {"group", "interface", "source", "group", "gruop"};
  static const char *const interfaces[] = {"lo", "eth0", "0", "2", "192.168.0.1", "nosuch", ""};
  int i, count = 1 + (int)input_below(input, 3);
  lua_newtable(L);
  for (i = 0; i < count; i++) {
    const char *key = PICK(input, keys);
    lua_pushstring(L, key[0] == 'i' ? PICK(input, interfaces) : PICK(input, groups));
    lua_setfield(L, -2, key);
  }
}


/* {level, option, value} */
static void push_numbered(lua_State *L, struct input *input, int depth) {
  static const int levels[] = {1, 0, 6, 41, 17, 9999, -1, INT_MAX};
  lua_newtable(L);
  lua_pushinteger(L, PICK(input, levels));
  lua_rawseti(L, -2, 1);
  lua_pushinteger(L, input_byte(input));
  lua_rawseti(L, -2, 2);
  push_value(L, input, depth + 1);
  lua_rawseti(L, -2, 3);
}


static void push_option_value(lua_State *L, struct input *input, int depth) {
  switch (input_below(input, 6)) {
  case 0:
    push_membership(L, input);
    break;
  case 1:
    lua_pushboolean(L, (int)input_below(input, 2));
    break;
  case 2:
    lua_pushinteger(L, input_byte(input));
    break;
  default:
    push_value(L, input, depth + 1);
  }
}


static void push_options(lua_State *L, struct input *input, int depth) {
  int i, count = (int)input_below(input, 24);
  lua_newtable(L);
  for (i = 1; i <= count; i++) {
    if (input_below(input, 3) == 0) {
      push_numbered(L, input, depth);
      lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
    } else {
      lua_pushstring(L, PICK(input, options));
      push_option_value(L, input, depth);
      lua_rawset(L, -3);
    }
  }
}


/* What the field takes, as a rule. */
static void push_apt(lua_State *L, struct input *input, const char *field, int depth) {
  if (strcmp(field, "bind") == 0 && depth == 0) {
    static const char *const keys[] = {"host", "port", "path", "hots"};
    int i, count = (int)input_below(input, 4);
    lua_newtable(L);
    for (i = 0; i < count; i++) {
      const char *key = PICK(input, keys);
      push_apt(L, input, key, depth + 1);
      lua_setfield(L, -2, key);
    }
  } else if (strcmp(field, "sockopts") == 0) {
    push_options(L, input, depth);
  } else if (strcmp(field, "path") == 0) {
    push_path(L, input);
  } else if (strcmp(field, "port") == 0) {
    lua_pushinteger(L, input_u16(input));
  } else if (strstr("host ipv4 ipv6 family mode", field) != NULL) {
    lua_pushstring(L, PICK(input, texts));
  } else if (strstr("backlog timeout attempt_delay", field) != NULL) {
    lua_pushnumber(L, PICK(input, numbers));
  } else {
    lua_pushboolean(L, (int)input_below(input, 2));
  }
}


static void add_field(lua_State *L, struct input *input, int depth) {
  uint8_t how = input_byte(input);
  if (how < 224) {
    const char *field = fields[how % LENGTH(fields)];
    if (how < 190)
      push_apt(L, input, field, depth);
    else
      push_value(L, input, depth + 1);
    lua_setfield(L, -2, field);
    return;
  }
  if (how < 236)
    lua_pushstring(L, PICK(input, near_misses));
  else if (how < 246)
    push_bytes(L, input);
  else if (how < 250)
    lua_pushboolean(L, 1);
  else
    lua_pushnumber(L, (lua_Number)input_byte(input) / 2);
  push_value(L, input, depth + 1);
  lua_rawset(L, -3);
}


static void push_table(lua_State *L, struct input *input, int depth) {
  uint8_t how = input_byte(input);
  int i;
  lua_newtable(L);
  for (i = 0; i < how % 16; i++)
    add_field(L, input, depth);
  if (how >= 192 && depth < DEEPEST)
    bewitch(L, input, depth);
}


static void push_value(lua_State *L, struct input *input, int depth) {
  uint8_t how = input_byte(input) % 16;
  luaL_checkstack(L, LUA_MINSTACK, "too deep");
  if (depth > DEEPEST || budget-- < 0)
    how = 0;
  switch (how) {
  case 0:
  case 1:
    lua_pushboolean(L, how);
    break;
  case 2:
    lua_pushinteger(L, (int8_t)input_byte(input));
    break;
  case 3:
    lua_pushinteger(L, (int32_t)input_u32(input));
    break;
  case 4:
    push_double(L, input);
    break;
  case 5:
  case 6:
    lua_pushstring(L, PICK(input, texts));
    break;
  case 7:
    push_bytes(L, input);
    break;
  case 8:
    push_run(L, input);
    break;
  case 9:
    push_table(L, input, depth);
    break;
  case 10:
    push_list(L, input, depth);
    break;
  case 11:
    push_options(L, input, depth);
    break;
  case 12:
    lua_pushcfunction(L, raise);
    break;
  case 13:
    lua_newuserdata(L, input_byte(input));
    break;
  case 14:
    lua_newthread(L);
    break;
  default:
    lua_pushnumber(L, PICK(input, numbers));
  }
}


/*
** What may come out
*/

static void check_raised(const char *message) {
  static const char *const blames[] = {"unknown field",    "field '",        "option '",
                                       "an option's ",     "unknown option", "table expected",
                                       "metamethod raised"};
  size_t i;
  for (i = 0; i < LENGTH(blames); i++) {
    if (message != NULL && strstr(message, blames[i]) != NULL)
      return;
  }
  machine_fail("raised: %s", message);
}


static bool names_a_field(const char *message) {
  size_t i;
  for (i = 0; i < LENGTH(fields); i++) {
    if (strstr(message, fields[i]) != NULL)
      return true;
  }
  return strstr(message, "option") != NULL;
}


/* nil, message, code, stage */
static void check_refused(lua_State *L, int results) {
  static const char *const stages[] = {"getaddrinfo", "socket",        "setsockopt", "bind",
                                       "listen",      "connect",       "fcntl",      "snprintf",
                                       "timeout",     "configuration", "unknown"};
  const char *message = fuzz_check_failure(L, -results, results);
  const char *stage = lua_tostring(L, -1);
  size_t i;
  if (results != 4 || stage == NULL || lua_isnil(L, -2))
    machine_fail("%d results: %s", results, message);
  for (i = 0; i < LENGTH(stages) && strcmp(stage, stages[i]) != 0; i++)
    continue;
  if (i == LENGTH(stages))
    machine_fail("the stage is '%s'", stage);
  if (strcmp(stage, "timeout") != 0 && strncmp(message, stage, strlen(stage)) != 0)
    machine_fail("at the stage '%s': %s", stage, message);
  if (strcmp(stage, "configuration") == 0 && !names_a_field(message))
    machine_fail("of no field: %s", message);
}


/* What the table's own field says, where it is a plain table. */
static bool is_set(lua_State *L, int table, const char *field, bool missing) {
  bool set = missing;
  lua_pushstring(L, field);
  lua_rawget(L, table);
  if (!lua_isnil(L, -1))
    set = lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  return set;
}


/* The table is at index 1. */
static void check_flags(lua_State *L, int fd, bool is_object) {
  bool nonblocking = is_set(L, 1, "nonblocking", false);
  if (lua_getmetatable(L, 1)) {
    lua_pop(L, 1);
    return;
  }
  if (machine_is_cloexec(fd) != is_set(L, 1, "cloexec", true))
    machine_fail("close-on-exec is not what cloexec says");
  if (is_object && is_set(L, 1, "server", false))
    return;
  if (machine_is_nonblocking(fd) != nonblocking)
    machine_fail("O_NONBLOCK is not what nonblocking says");
}


/* A descriptor on top of the stack. */
static void check_fd(lua_State *L) {
  int fd = (int)lua_tointeger(L, -1);
  if (!lua_isinteger(L, -1) || !machine_is_open(fd))
    machine_fail("open gave %s", luaL_tolstring(L, -1, NULL));
  check_flags(L, fd, false);
  if (machine_open_count() != 1)
    machine_fail("%d descriptors are open", machine_open_count());
  fuzz_push_function(L, "close");
  lua_pushinteger(L, fd);
  fuzz_must(L, 1);
}


/* One on top of the stack, of which nobody else has a descriptor. */
static void check_object(lua_State *L, int open) {
  int fd;
  fuzz_push_method(L, -1, "getfd");
  fuzz_must(L, 1);
  fd = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  check_flags(L, fd, true);
  if (machine_open_count() != open)
    machine_fail("%d descriptors are open", machine_open_count());
  fuzz_push_method(L, -1, "getfamily");
  fuzz_must(L, 1);
  lua_pop(L, 1);
}


/* A hint, and a descriptor that stays the same. */
static void check_loop(lua_State *L, int opening, lua_Integer pollfd) {
  fuzz_push_method(L, opening, "timeout");
  fuzz_must(L, 1);
  if (!lua_isnil(L, -1) && lua_tonumber(L, -1) < 0)
    machine_fail("a timeout of %f", lua_tonumber(L, -1));
  fuzz_push_method(L, opening, "pollfd");
  fuzz_must(L, 1);
  if (lua_tointeger(L, -1) != pollfd)
    machine_fail("pollfd is %d, and was %d", (int)lua_tointeger(L, -1), (int)pollfd);
}


/* It has ended, and says so. */
static void check_ended(lua_State *L, int opening, const char *words) {
  fuzz_push_method(L, opening, "step");
  check_refused(L, fuzz_must(L, 1));
  if (strstr(lua_tostring(L, -3), words) == NULL)
    machine_fail("a step after the end: %s", lua_tostring(L, -3));
}


/* True: that was the last step. */
static bool step(lua_State *L, int opening) {
  int results;
  fuzz_push_method(L, opening, "step");
  results = fuzz_must(L, 1);
  if (results == 4)
    check_refused(L, results);
  else if (lua_isuserdata(L, -1))
    check_object(L, 3);
  else if (results == 1 && lua_isboolean(L, -1) && !lua_toboolean(L, -1))
    return false;
  else
    machine_fail("step gave %s", luaL_tolstring(L, -1, NULL));
  check_ended(L, opening, "already");
  return true;
}


/* An opening on top of the stack is driven until it ends, or until the input says. */
static void drive(lua_State *L, struct input *input) {
  static const int pauses[] = {0, 1, 30, 300, 3000};
  int i, opening = lua_gettop(L);
  lua_Integer pollfd;
  fuzz_push_method(L, opening, "pollfd");
  fuzz_must(L, 1);
  pollfd = lua_tointeger(L, -1);
  for (i = 0; i < 64; i++) {
    uint8_t how = input_byte(input);
    lua_settop(L, opening);
    check_loop(L, opening, pollfd);
    if (how >= 224)
      break;
    if (how & 1)
      machine_run_threads();
    machine_pass(pauses[how / 2 % LENGTH(pauses)]);
    if (step(L, opening))
      break;
  }
  if (input_below(input, 2) == 0)
    return;
  fuzz_push_method(L, opening, "cancel");
  fuzz_must(L, 1);
  check_ended(L, opening, "ancel");
}


static void check_addresses(lua_State *L) {
  size_t i, count = lua_rawlen(L, -1);
  if (!lua_istable(L, -1) || count == 0)
    machine_fail("resolve gave %s", luaL_tolstring(L, -1, NULL));
  for (i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, (int)i);
    lua_getfield(L, -1, "host");
    if (lua_rawlen(L, -1) == 0)
      machine_fail("an address without a host");
    lua_pop(L, 2);
  }
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const functions[] = {"open", "socket", "start", "resolve", "pair"};
  struct input input = {data, size}, luck = {NULL, 0};
  const char *function;
  lua_State *L;
  size_t share = input_byte(&input);
  int results;
  luck.left = share < input.left ? share : input.left;
  input.left -= luck.left;
  luck.next = input.next + input.left;
  L = fuzz_begin(luck);
  budget = 200;
  function = PICK(&input, functions);
  if (input_byte(&input) < 250)
    push_table(L, &input, 0);
  else
    push_value(L, &input, 0);
  fuzz_push_function(L, function);
  lua_pushvalue(L, 1);
  results = fuzz_call(L, 1);
  if (results < 0)
    check_raised(lua_tostring(L, -1));
  else if (results == 4)
    check_refused(L, results);
  else if (strcmp(function, "open") == 0)
    check_fd(L);
  else if (strcmp(function, "start") == 0)
    drive(L, &input);
  else if (strcmp(function, "resolve") == 0)
    check_addresses(L);
  else
    check_object(L, results);
  fuzz_end(L);
  return 0;
}
