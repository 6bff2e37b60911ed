/*
** config.c: reads a Lua table into a socket99_config.
**
** The table is traversed once and each field's value copied to its own stack
** slot, which keeps strings alive whatever a metamethod or a finalizer does; then
** the slots are read in a fixed order. Mistakes in the program itself raise an
** error; anything that may come from user input is returned as an error.
*/

#include "values.h"

#include "internal.h"


/*
** Fields, sorted by name. A field's number is its index in the table of names
** and determines its stack slot, above the only argument.
*/

enum field {
  ATTEMPT_DELAY,
  BACKLOG,
  BIND,
  CLOEXEC,
  CONNECT,
  DATAGRAM,
  FAMILY,
  HOST,
  IPV4,
  IPV6,
  MODE,
  NONBLOCKING,
  PATH,
  PORT,
  SEQPACKET,
  SERVER,
  SOCKOPTS,
  TIMEOUT,
  UNLINK,
  FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {
    "attempt_delay", "backlog", "bind",     "cloexec", "connect",     "datagram", "family",
    "host",          "ipv4",    "ipv6",     "mode",    "nonblocking", "path",     "port",
    "seqpacket",     "server",  "sockopts", "timeout", "unlink"};

enum bind_field { BIND_HOST, BIND_PATH, BIND_PORT, BIND_FIELD_COUNT };

static const char *const bind_field_names[BIND_FIELD_COUNT] = {"host", "path", "port"};

#define SLOT(field) (2 + (int)(field))
#define BIND_SLOT(field) (SLOT(FIELD_COUNT) + (int)(field))
#define LAST_SLOT BIND_SLOT(BIND_FIELD_COUNT - 1)

/* A set of fields. */
#define BIT(field) (1u << (field))

/* Strings of options are kept below the key of the traversal of `sockopts`. */
static const struct sock99_option_place place = {1, LAST_SLOT + 1};


/*
** Mistakes
*/

/* Returns the field that `key` most likely means: one begins with the other, or only a
** few letters differ. */
static const char *nearest_field(const char *key, const char *const names[], int count) {
  const char *nearest = NULL;
  size_t length = strlen(key), best = length < 5 ? 1 : 3;
  int i;
  for (i = 0; i < count; i++) {
    size_t other = strlen(names[i]), common = length < other ? length : other;
    size_t edits =
        common >= 3 && strncasecmp(key, names[i], common) == 0 ? 0 : s99_edits(key, names[i], best);
    if (edits <= best) {
      nearest = names[i];
      if (edits == 0)
        break;
      best = edits - 1;
    }
  }
  return nearest;
}


/* Names that other libraries use, and what does it here. */
static const struct {
  const char *key, *advice;
} synonyms[] = {
    {"type", "datagram = true, or seqpacket = true"},
    {"udp", "datagram = true"},
    {"listen", "server = true"},
    {"address", "host = ..."},
    {"ip", "host = ..."},
    {"unix", "path = ..."},
};


static const char *advice_for(const char *key) {
  size_t i;
  for (i = 0; i < sizeof(synonyms) / sizeof(synonyms[0]); i++) {
    if (strcmp(key, synonyms[i].key) == 0)
      return synonyms[i].advice;
  }
  return NULL;
}


/* The table's key is below the top of the stack. */
SOCK99_NORETURN static void unknown_field(lua_State *L, const char *prefix,
                                          const char *const names[], int count) {
  const char *key, *nearest, *advice;
  if (lua_type(L, -2) == LUA_TNUMBER)
    sock99_raise(L, 1, "unknown field %s[%s]", prefix, lua_tostring(L, -2));
  if (lua_type(L, -2) != LUA_TSTRING)
    sock99_raise(L, 1, "unknown field %s[%s]", prefix, luaL_typename(L, -2));
  key = lua_tostring(L, -2);
  advice = prefix[0] == '\0' ? advice_for(key) : NULL;
  nearest = nearest_field(key, names, count);
  if (advice != NULL)
    sock99_raise(L, 1, "unknown field '%s' (did you mean %s?)", key, advice);
  if (prefix[0] == '\0' && socket99_option_kind(key, 0, 0, NULL) &&
      !sock99_is_read_only_option(key))
    sock99_raise(L, 1, "unknown field '%s' (an option: sockopts = { %s = ... })", key, key);
  if (nearest == NULL)
    sock99_raise(L, 1, "unknown field '%s%s'", prefix, key);
  sock99_raise(L, 1, "unknown field '%s%s' (did you mean '%s%s'?)", prefix, key, prefix, nearest);
}


static void wrong_type(lua_State *L, const char *name, const char *expected, int index) {
  sock99_raise(L, 1, "field '%s': %s expected, got %s", name, expected, luaL_typename(L, index));
}


/*
** Fields to stack slots
*/

static int field_index(const char *key, const char *const names[], int count) {
  int low = 0, high = count - 1;
  while (low <= high) {
    int middle = (low + high) / 2;
    int order = strcmp(key, names[middle]);
    if (order == 0)
      return middle;
    if (order < 0)
      high = middle - 1;
    else
      low = middle + 1;
  }
  return -1;
}


/* Copies the fields of the table itself to the slots from `first` on. Returns the set
** of fields found. */
static unsigned int collect_own(lua_State *L, int table, const char *prefix,
                                const char *const names[], int count, int first) {
  unsigned int given = 0;
  lua_pushnil(L);
  while (lua_next(L, table) != 0) {
    size_t length;
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &length) : NULL;
    int i = key != NULL && strlen(key) == length ? field_index(key, names, count) : -1;
    if (i < 0)
      unknown_field(L, prefix, names, count);
    lua_replace(L, first + i);
    given |= BIT(i);
  }
  return given;
}


/* The same for fields that the table has only through __index. */
static unsigned int collect_inherited(lua_State *L, int table, const char *const names[], int count,
                                      int first) {
  unsigned int given = 0;
  int i;
  if (!luaL_getmetafield(L, table, "__index"))
    return 0;
  lua_pop(L, 1);
  for (i = 0; i < count; i++) {
    if (!lua_isnil(L, first + i))
      continue;
    lua_getfield(L, table, names[i]);
    if (!lua_isnil(L, -1))
      given |= BIT(i);
    lua_replace(L, first + i);
  }
  return given;
}


static unsigned int collect(lua_State *L) {
  unsigned int given;
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkstack(L, LAST_SLOT + LUA_MINSTACK, "too many fields");
  lua_settop(L, LAST_SLOT);
  given = collect_own(L, 1, "", field_names, FIELD_COUNT, SLOT(0));
  given |= collect_inherited(L, 1, field_names, FIELD_COUNT, SLOT(0));
  if ((given & BIT(BIND)) == 0)
    return given;
  if (!lua_istable(L, SLOT(BIND)))
    wrong_type(L, "bind", "table", SLOT(BIND));
  collect_own(L, SLOT(BIND), "bind.", bind_field_names, BIND_FIELD_COUNT, BIND_SLOT(0));
  collect_inherited(L, SLOT(BIND), bind_field_names, BIND_FIELD_COUNT, BIND_SLOT(0));
  return given;
}


/*
** Single values. A nil slot leaves the default.
*/

static bool to_flag(lua_State *L, int slot, const char *name) {
  if (!lua_isboolean(L, slot))
    wrong_type(L, name, "boolean", slot);
  return lua_toboolean(L, slot) != 0;
}


/* A NUL byte inside a string would silently truncate it in C. */
static bool to_text(lua_State *L, int slot, const char *name, const char **out,
                    socket99_result *result) {
  size_t length;
  if (lua_isnil(L, slot))
    return true;
  if (lua_type(L, slot) != LUA_TSTRING)
    wrong_type(L, name, "string", slot);
  *out = lua_tolstring(L, slot, &length);
  if (strlen(*out) != length)
    return sock99_refuse(result, "%s '%.120s' has a NUL byte in it", name, *out);
  return true;
}


static void to_path(lua_State *L, int slot, const char *name, const char **out, size_t *length) {
  if (lua_isnil(L, slot))
    return;
  if (lua_type(L, slot) != LUA_TSTRING)
    wrong_type(L, name, "string", slot);
  *out = lua_tolstring(L, slot, length);
}


static bool to_int(lua_State *L, int slot, const char *name, const char *limit, int *out,
                   socket99_result *result) {
  long long number = 0;
  enum sock99_whole whole;
  if (lua_isnil(L, slot))
    return true;
  if (lua_type(L, slot) != LUA_TNUMBER)
    wrong_type(L, name, "integer", slot);
  whole = sock99_to_whole(L, slot, &number);
  if (whole == SOCK99_FRACTION)
    sock99_raise(L, 1, "field '%s': integer expected, got %f", name, lua_tonumber(L, slot));
  if (whole == SOCK99_TOO_LARGE || number < INT_MIN || number > INT_MAX)
    return sock99_refuse(result, "%s %.14g is not in %s", name, (double)lua_tonumber(L, slot),
                         limit);
  *out = (int)number;
  return true;
}


static bool is_finite(lua_Number number) {
  return number - number == 0;
}


/* Reads a number, a numeric string ("8080", "0x50"), or a service name. */
static bool to_port(lua_State *L, int slot, const char *name, int *port, const char **service,
                    socket99_result *result) {
  long long number = 0;
  const char *text = NULL;
  enum sock99_whole whole;
  if (lua_type(L, slot) != LUA_TSTRING)
    return to_int(L, slot, name, "0 to 65535", port, result);
  if (!to_text(L, slot, name, &text, result))
    return false;
  if (!lua_isnumber(L, slot) || !is_finite(lua_tonumber(L, slot))) {
    if (service == NULL)
      return sock99_refuse(result, "%s '%.120s' is not a number", name, text);
    *service = text;
    return true;
  }
  whole = sock99_to_whole(L, slot, &number);
  if (whole == SOCK99_FRACTION)
    return sock99_refuse(result, "%s '%.120s' is not an integer", name, text);
  if (whole == SOCK99_TOO_LARGE || number < 0 || number > 65535)
    return sock99_refuse(result, "%s '%.120s' is not in 0 to 65535", name, text);
  *port = (int)number;
  return true;
}


static bool to_family(lua_State *L, int slot, int *out, socket99_result *result) {
  static const struct {
    const char *name;
    int family;
  } families[] = {{"inet", AF_INET}, {"inet4", AF_INET}, {"inet6", AF_INET6}, {"unix", AF_UNIX}};
  const char *name = "";
  size_t i;
  if (!to_text(L, slot, "family", &name, result))
    return false;
  for (i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
    if (strcmp(name, families[i].name) == 0) {
      *out = families[i].family;
      return true;
    }
  }
  return sock99_refuse(result, "family '%.120s' is none of 'inet', 'inet6', 'unix'", name);
}


/* Returns the value of a string of octal digits, or some number above 0777 if it is
** larger than that. */
static unsigned int octal(const char *digits) {
  unsigned int bits = 0;
  for (; *digits != '\0' && bits <= 0777; digits++)
    bits = bits * 8 + (unsigned int)(*digits - '0');
  return bits;
}


static bool to_mode(lua_State *L, int slot, unsigned int *out, socket99_result *result) {
  int number = 0;
  const char *digits = "";
  if (lua_type(L, slot) != LUA_TSTRING) {
    if (!to_int(L, slot, "mode", "0 to 511", &number, result))
      return false;
    if (number < 0 || number > 0777)
      return sock99_refuse(
          result, "mode %d is not in 0 to 511; Lua has no octal numbers: write mode = '%04d'",
          number, number);
    *out = S_IFSOCK | (unsigned int)number;
    return true;
  }
  if (!to_text(L, slot, "mode", &digits, result))
    return false;
  if (digits[0] == '\0' || digits[strspn(digits, "01234567")] != '\0')
    return sock99_refuse(result, "mode '%.120s' is not made of octal digits", digits);
  if (octal(digits) > 0777)
    return sock99_refuse(result, "mode '%.120s' is more than '0777'", digits);
  *out = S_IFSOCK | octal(digits);
  return true;
}


/* Rounds up to whole milliseconds. */
static long long to_ms(double seconds) {
  double ms = seconds * 1000;
  long long whole = (long long)ms;
  return (double)whole < ms ? whole + 1 : whole;
}


static double to_seconds(lua_State *L, int slot, const char *name) {
  if (lua_type(L, slot) != LUA_TNUMBER)
    wrong_type(L, name, "seconds (a number)", slot);
  return (double)lua_tonumber(L, slot);
}


static bool to_times(lua_State *L, socket99_config *config, socket99_result *result) {
  if (!lua_isnil(L, SLOT(TIMEOUT))) {
    double seconds = to_seconds(L, SLOT(TIMEOUT), "timeout");
    if (!(seconds > 0))
      return sock99_refuse(result, "timeout %.14g is not more than 0 seconds", seconds);
    config->timeout_ms = seconds < 1e12 ? to_ms(seconds) : LLONG_MAX;
  }
  if (!lua_isnil(L, SLOT(ATTEMPT_DELAY))) {
    double seconds = to_seconds(L, SLOT(ATTEMPT_DELAY), "attempt_delay");
    if (!(seconds >= 0.01 && seconds <= 2))
      return sock99_refuse(result, "attempt_delay %.14g is not in 0.01 to 2 seconds", seconds);
    config->attempt_delay_ms = (int)(seconds * 1000 + 0.5);
  }
  return true;
}


/*
** Options
*/

static socket99_option *new_option(lua_State *L, struct sock99_request *request) {
  socket99_option *option;
  if (request->config.option_count == request->capacity) {
    size_t bytes = request->capacity * sizeof(socket99_option);
    socket99_option *larger = sock99_newuserdata(L, 2 * bytes);
    lua_insert(L, place.anchor);
    memcpy(larger, request->options, bytes);
    request->options = larger;
    request->capacity *= 2;
  }
  option = &request->options[request->config.option_count++];
  memset(option, 0, sizeof(*option));
  return option;
}


static bool add_option(lua_State *L, struct sock99_request *request, const char *name,
                       enum socket99_kind kind, socket99_result *result) {
  socket99_option *option = new_option(L, request);
  option->name = name;
  return sock99_read_option_value(L, &place, name, kind, &option->value, result);
}


/* The value is one membership or a list of them. Anything else raises an error. */
static bool add_memberships(lua_State *L, struct sock99_request *request, const char *name,
                            socket99_result *result) {
  size_t count = lua_istable(L, -1) ? (size_t)lua_rawlen(L, -1) : 0;
  size_t i;
  if (count == 0)
    return add_option(L, request, name, SOCKET99_MEMBERSHIP, result);
  for (i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, (int)i);
    (void)add_option(L, request, name, SOCKET99_MEMBERSHIP, result);
    lua_pop(L, 1);
  }
  return true;
}


static bool add_named_option(lua_State *L, struct sock99_request *request, int type, int family,
                             socket99_result *result) {
  enum socket99_kind kind;
  const char *name = sock99_check_option_name(L, 1, -2, type, family, &kind);
  sock99_anchor(L, place.anchor, -2);
  if (kind == SOCKET99_MEMBERSHIP)
    return add_memberships(L, request, name, result);
  return add_option(L, request, name, kind, result);
}


/* {level, option, value} on top of the stack. */
static bool add_numbered_option(lua_State *L, struct sock99_request *request,
                                socket99_result *result) {
  if (!lua_istable(L, -1) || lua_rawlen(L, -1) != 3)
    sock99_raise(L, 1,
                 "field 'sockopts': an entry without a name is {level, option, value}, got %s",
                 luaL_typename(L, -1));
  return sock99_read_numbered_option(L, &place, new_option(L, request), result);
}


/* The loop over the list would miss a numeric key outside 1 to #sockopts. */
static void check_entry_key(lua_State *L, int index) {
  long long key = 0;
  enum sock99_whole whole = sock99_to_whole(L, index, &key);
  if (whole != SOCK99_WHOLE || key < 1 || key > (long long)lua_rawlen(L, SLOT(SOCKOPTS)))
    sock99_raise(L, 1, "field 'sockopts': [%f] is neither a name nor an index of the list",
                 lua_tonumber(L, index));
}


static bool read_named_options(lua_State *L, struct sock99_request *request, int type, int family,
                               socket99_result *result) {
  lua_pushnil(L);
  while (lua_next(L, SLOT(SOCKOPTS)) != 0) {
    if (lua_type(L, -2) == LUA_TSTRING) {
      if (!add_named_option(L, request, type, family, result))
        return false;
    } else if (lua_type(L, -2) == LUA_TNUMBER) {
      check_entry_key(L, -2);
    } else {
      sock99_raise(L, 1, "field 'sockopts': a key is an option's name, got %s",
                   luaL_typename(L, -2));
    }
    lua_pop(L, 1);
  }
  return true;
}


static bool read_options(lua_State *L, struct sock99_request *request, int type, int family,
                         socket99_result *result) {
  size_t count, i;
  if (!lua_istable(L, SLOT(SOCKOPTS)))
    wrong_type(L, "sockopts", "table", SLOT(SOCKOPTS));
  if (!read_named_options(L, request, type, family, result))
    return false;
  count = (size_t)lua_rawlen(L, SLOT(SOCKOPTS));
  for (i = 1; i <= count; i++) {
    bool ok;
    luaL_checkstack(L, 4, "too many options");
    lua_rawgeti(L, SLOT(SOCKOPTS), (int)i);
    ok = add_numbered_option(L, request, result);
    lua_pop(L, 1);
    if (!ok)
      return false;
  }
  return true;
}


/*
** The whole table
*/

static bool read_bind(lua_State *L, socket99_config *config, socket99_result *result) {
  if (!to_text(L, BIND_SLOT(BIND_HOST), "bind.host", &config->bind_host, result) ||
      !to_port(L, BIND_SLOT(BIND_PORT), "bind.port", &config->bind_port, NULL, result))
    return false;
  to_path(L, BIND_SLOT(BIND_PATH), "bind.path", &config->bind_path, &config->bind_path_len);
  if (config->bind_host == NULL && config->bind_path == NULL && config->bind_port == 0)
    return sock99_refuse(result, "bind is empty: give host, port or path");
  return true;
}


/* Most tables lack most fields, so absent ones are skipped without a call. */
static bool read_address(lua_State *L, unsigned int given, socket99_config *config,
                         socket99_result *result) {
  const char *path = NULL, *host = NULL, *ipv4 = NULL, *ipv6 = NULL;
  if (given & BIT(PATH))
    to_path(L, SLOT(PATH), "path", &path, &config->path_len);
  if ((given & BIT(HOST)) && !to_text(L, SLOT(HOST), "host", &host, result))
    return false;
  if ((given & BIT(IPV4)) && !to_text(L, SLOT(IPV4), "ipv4", &ipv4, result))
    return false;
  if ((given & BIT(IPV6)) && !to_text(L, SLOT(IPV6), "ipv6", &ipv6, result))
    return false;
  if ((given & BIT(PORT)) &&
      !to_port(L, SLOT(PORT), "port", &config->port, &config->service, result))
    return false;
  if ((given & BIT(FAMILY)) && !to_family(L, SLOT(FAMILY), &config->family, result))
    return false;
  /* The library does not write to these fields, although they are not const. */
  config->path = (char *)path;
  config->host = (char *)host;
  config->ipv4 = (char *)ipv4;
  config->ipv6 = (char *)ipv6;
  return (given & BIT(BIND)) == 0 || read_bind(L, config, result);
}


static bool read_flags(lua_State *L, unsigned int given, socket99_config *config,
                       socket99_result *result) {
  static const struct {
    enum field field;
    size_t where;
    bool is_negated;
  } flags[] = {
      {SERVER, offsetof(socket99_config, server), false},
      {DATAGRAM, offsetof(socket99_config, datagram), false},
      {SEQPACKET, offsetof(socket99_config, seqpacket), false},
      {NONBLOCKING, offsetof(socket99_config, nonblocking), false},
      {UNLINK, offsetof(socket99_config, unlink_stale), false},
      {CLOEXEC, offsetof(socket99_config, inherit), true},
      {CONNECT, offsetof(socket99_config, unconnected), true},
  };
  bool has_address = (given & (BIT(HOST) | BIT(PATH) | BIT(IPV4) | BIT(IPV6))) != 0;
  size_t i;
  for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
    if (given & BIT(flags[i].field))
      *(bool *)((char *)config + flags[i].where) =
          to_flag(L, SLOT(flags[i].field), field_names[flags[i].field]) != flags[i].is_negated;
  }
  if (lua_toboolean(L, SLOT(CONNECT)) && config->datagram && !config->server && !has_address)
    return sock99_refuse(result, "connect needs an address: give host, ipv4, ipv6 or path");
  return true;
}


static int type_of(const socket99_config *config) {
  if (config->seqpacket)
    return SOCK_SEQPACKET;
  return config->datagram ? SOCK_DGRAM : SOCK_STREAM;
}


bool sock99_read_config(lua_State *L, struct sock99_request *request, socket99_result *result) {
  socket99_config *config = &request->config;
  unsigned int given;
  memset(config, 0, sizeof(*config));
  request->options = request->inlined;
  request->capacity = SOCK99_INLINE_OPTIONS;
  given = collect(L);
  if (!read_address(L, given, config, result) || !read_flags(L, given, config, result))
    return false;
  if ((given & BIT(BACKLOG)) &&
      !to_int(L, SLOT(BACKLOG), "backlog", "0 to 2147483647", &config->backlog_size, result))
    return false;
  if ((given & BIT(MODE)) && !to_mode(L, SLOT(MODE), &config->mode, result))
    return false;
  if ((given & (BIT(TIMEOUT) | BIT(ATTEMPT_DELAY))) && !to_times(L, config, result))
    return false;
  if ((given & BIT(SOCKOPTS)) && !read_options(L, request, type_of(config), config->family, result))
    return false;
  config->options = request->options;
  return true;
}


/* Raises an error if the table has a field that is not in `fields`. */
static void check_only(lua_State *L, unsigned int fields, const char *purpose) {
  int field;
  for (field = 0; field < FIELD_COUNT; field++) {
    if ((fields & BIT(field)) == 0 && !lua_isnil(L, SLOT(field)))
      sock99_raise(L, 1, "field '%s' is not for a %s", field_names[field], purpose);
  }
}


bool sock99_read_lookup(lua_State *L, struct sock99_request *request, socket99_result *result) {
  socket99_config *config = &request->config;
  if (!sock99_read_config(L, request, result))
    return false;
  check_only(
      L, BIT(HOST) | BIT(IPV4) | BIT(IPV6) | BIT(PORT) | BIT(FAMILY) | BIT(DATAGRAM) | BIT(TIMEOUT),
      "lookup");
  if (config->host == NULL && config->ipv4 == NULL && config->ipv6 == NULL)
    return sock99_refuse(result, "nothing to look up: no host, ipv4 or ipv6");
  config->unconnected = true;
  return true;
}


bool sock99_read_pair(lua_State *L, struct sock99_request *request, socket99_result *result) {
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    lua_newtable(L);
  }
  if (!sock99_read_config(L, request, result))
    return false;
  check_only(L, BIT(DATAGRAM) | BIT(SEQPACKET) | BIT(NONBLOCKING) | BIT(CLOEXEC), "pair");
  if (request->config.datagram && request->config.seqpacket)
    return sock99_refuse(result, "datagram cannot be combined with seqpacket: give one of them");
  return true;
}
