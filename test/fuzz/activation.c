/*
** activation.c: whatever the environment says of descriptors that were passed.
**
** An input is three lines, LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, each
** missing where it begins with '-'; then a byte for each descriptor that is
** there. This process is number 4242. The model is sd_listen_fds(3) as its page
** has it.
*/

#include "lua.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <sys/socket.h>

#define FIRST 3
#define LINES 3
#define MOST_FDS 100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[LINES] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"};
static char *variables[LINES];


static char **variable(const char *name) {
  int i;
  for (i = 0; i < LINES; i++) {
    if (strcmp(name, names[i]) == 0)
      return &variables[i];
  }
  machine_fail("the environment was asked for %s", name);
}


static const char *get(const char *name) {
  return *variable(name);
}


/* LISTEN_PIDFDID is removed unread. */
static void unset(const char *name) {
  if (strcmp(name, "LISTEN_PIDFDID") == 0)
    return;
  free(*variable(name));
  *variable(name) = NULL;
}


/* Neither a line's end nor a NUL is in it. */
static char *read_line(struct input *input) {
  char *line = malloc(input->left + 1);
  size_t length = 0;
  while (input->left > 0) {
    uint8_t byte = input_byte(input);
    if (byte == '\n')
      break;
    if (byte != '\0')
      line[length++] = (char)byte;
  }
  line[length] = '\0';
  if (line[0] != '-')
    return line;
  free(line);
  return NULL;
}


/*
** The model
*/

/* Of decimal digits alone, and not too many; -1: it is not. */
static long long number_of(const char *text) {
  long long number = 0;
  if (text == NULL || *text == '\0')
    return -1;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9' || number > LLONG_MAX / 20)
      return -1;
    number = number * 10 + (*text - '0');
  }
  return number;
}


static int count_due(int there) {
  long long count = number_of(variables[1]);
  if (number_of(variables[0]) != 4242 || count < 0 || count > there)
    return 0;
  return (int)count;
}


/* The next name of the list, which moves on; NULL: there are no more. */
static const char *next_name(const char **list, size_t *length) {
  const char *name = *list;
  if (name == NULL) {
    *length = strlen("unknown");
    return "unknown";
  }
  *length = strcspn(name, ":");
  *list = name[*length] == ':' ? name + *length + 1 : NULL;
  return name;
}


/*
** Descriptors
*/

/* Whether an object can be made of it: it is a socket, of a family and of a type. */
static void pass(uint8_t how, bool *fits) {
  static const struct {
    enum machine_kind kind;
    int family, type;
    bool fits;
  } kinds[] = {{MACHINE_SOCKET, AF_INET, SOCK_STREAM, true},
               {MACHINE_SOCKET, AF_UNIX, SOCK_STREAM, true},
               {MACHINE_SOCKET, AF_INET6, SOCK_DGRAM, true},
               {MACHINE_SOCKET, AF_UNIX, SOCK_SEQPACKET, true},
               {MACHINE_FILE, 0, 0, false},
               {MACHINE_SOCKET, AF_INET, SOCK_RAW, false},
               {MACHINE_SOCKET, AF_NETLINK, SOCK_DGRAM, false}};
  size_t i = how % (sizeof(kinds) / sizeof(kinds[0]));
  int fd = machine_new(kinds[i].kind, kinds[i].family, kinds[i].type);
  *fits = kinds[i].fits;
  if ((how & 0x80) != 0 && kinds[i].type == SOCK_STREAM)
    machine_make_listener(fd);
}


/*
** What comes out
*/

/* An entry of the list, on top of the stack. */
static void check_entry(lua_State *L, int fd, bool fits, const char *name, size_t length) {
  size_t told_length;
  const char *told;
  lua_getfield(L, -1, "name");
  told = lua_tolstring(L, -1, &told_length);
  if (told == NULL || told_length != length || memcmp(told, name, length) != 0)
    machine_fail("descriptor %d has the name '%s'", fd, told);
  lua_getfield(L, -2, "fd");
  if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) != fd)
    machine_fail("%d in the place of descriptor %d", (int)lua_tointeger(L, -1), fd);
  lua_getfield(L, -3, "socket");
  if (lua_isnil(L, -1) == fits)
    machine_fail("descriptor %d is %s", fd, luaL_typename(L, -1));
  if (!machine_is_cloexec(fd))
    machine_fail("descriptor %d would be inherited", fd);
  lua_pop(L, 3);
}


static void check_list(lua_State *L, int count, const bool *fits, const char *list) {
  int i;
  if (!lua_istable(L, -1) || (int)lua_rawlen(L, -1) != count)
    machine_fail("%d entries, not %d", (int)lua_rawlen(L, -1), count);
  for (i = 0; i < count; i++) {
    size_t length;
    const char *name = next_name(&list, &length);
    lua_rawgeti(L, -1, i + 1);
    check_entry(L, FIRST + i, fits[i], name, length);
    lua_pop(L, 1);
  }
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, size}, none = {NULL, 0};
  lua_State *L = fuzz_begin(none);
  bool fits[MOST_FDS];
  int i, there = 0, count;
  char *list;
  for (i = 0; i < LINES; i++)
    variables[i] = read_line(&input);
  for (; there < MOST_FDS && input.left > 0; there++)
    pass(input_byte(&input), &fits[there]);
  count = count_due(there);
  list = variables[2] != NULL ? strdup(variables[2]) : NULL;
  machine_hooks.getenv = get;
  machine_hooks.unsetenv = unset;
  for (i = 0; i < 2; i++) {
    fuzz_push_function(L, "listen_fds");
    if (fuzz_must(L, 0) != 1)
      machine_fail("%d results", lua_gettop(L));
    check_list(L, i == 0 ? count : 0, fits, list);
  }
  free(list);
  for (i = 0; i < LINES; i++) {
    if (variables[i] != NULL)
      machine_fail("%s is still set", names[i]);
  }
  /* Whatever no object took is the program's. */
  for (i = 0; i < there; i++) {
    if (i >= count || !fits[i])
      machine_close(FIRST + i);
  }
  fuzz_end(L);
  return 0;
}
