/*
** read_option.c: reads an option's name, number and value into a
** socket99_option.
**
** Its strings stay on the stack, including those converted from numbers. A value
** of the wrong type raises an error; a number out of range, which may come from
** user input, is returned as an error. The C library checks everything else.
*/

#include "values.h"


static void wrong_type(lua_State *L, int argument, const char *name, const char *expected,
                       int index) {
  sock99_raise(L, argument, "option '%s': %s expected, got %s", name, expected,
               luaL_typename(L, index));
}


void sock99_anchor(lua_State *L, int anchor, int index) {
  luaL_checkstack(L, 4, "too many options");
  lua_pushvalue(L, index);
  lua_insert(L, anchor);
}


/* Options that the system answers and never takes (socket(7), tcp(7), ip(7)): a hint on
** what to set does not name them. */
static const char *const read_only[] = {
    "acceptconn", "cookie",   "domain",     "error",     "incoming_napi_id", "info",     "meminfo",
    "mtu",        "peercred", "peergroups", "peerpidfd", "peersec",          "protocol", "type"};


bool sock99_is_read_only_option(const char *name) {
  size_t i;
  for (i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
    const char *bare = strchr(name, '_');
    if (strcasecmp(name, read_only[i]) == 0 ||
        (bare != NULL && strcasecmp(bare + 1, read_only[i]) == 0))
      return true;
  }
  return false;
}


const char *sock99_check_option_name(lua_State *L, int argument, int index, int type, int family,
                                     enum socket99_kind *kind) {
  size_t length;
  const char *name = lua_tolstring(L, index, &length), *nearest;
  if (strlen(name) == length && socket99_option_kind(name, type, family, kind))
    return name;
  nearest = socket99_option_nearest(name);
  if (nearest == NULL || sock99_is_read_only_option(nearest))
    sock99_raise(L, argument, "unknown option '%s'", name);
  sock99_raise(L, argument, "unknown option '%s' (did you mean '%s'?)", name, nearest);
  return NULL;
}


/*
** Values
*/

static bool read_number(lua_State *L, const struct sock99_option_place *place, const char *name,
                        socket99_value *value, socket99_result *result) {
  switch (sock99_to_whole(L, -1, &value->integer)) {
  case SOCK99_FRACTION:
    sock99_raise(L, place->argument, "option '%s': integer expected, got %f", name,
                 lua_tonumber(L, -1));
    break;
  case SOCK99_TOO_LARGE:
    return sock99_refuse(result, "option %s: %.14g is out of range", name,
                         (double)lua_tonumber(L, -1));
  default:
    break;
  }
  value->kind = SOCKET99_INTEGER;
  return true;
}


static void read_bytes(lua_State *L, const struct sock99_option_place *place,
                       socket99_value *value) {
  sock99_anchor(L, place->anchor, -1);
  value->kind = SOCKET99_BYTES;
  value->bytes = lua_tolstring(L, -1, &value->length);
}


static const char *membership_text(lua_State *L, const struct sock99_option_place *place,
                                   const char *name, const char *field, bool integer_too) {
  const char *text;
  size_t length;
  lua_getfield(L, -1, field);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return NULL;
  }
  if (!(lua_type(L, -1) == LUA_TSTRING || (integer_too && lua_isnumber(L, -1))))
    sock99_raise(L, place->argument, "option '%s': field '%s': string expected, got %s", name,
                 field, luaL_typename(L, -1));
  /* Converts the copy on the stack, not the field. */
  text = lua_tolstring(L, -1, &length);
  if (strlen(text) != length)
    sock99_raise(L, place->argument, "option '%s': field '%s' has a NUL byte in it", name, field);
  sock99_anchor(L, place->anchor, -1);
  lua_pop(L, 1);
  return text;
}


static bool is_membership_key(lua_State *L, int index) {
  const char *key = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
  return strcmp(key, "group") == 0 || strcmp(key, "interface") == 0 || strcmp(key, "source") == 0;
}


static void read_membership(lua_State *L, const struct sock99_option_place *place, const char *name,
                            socket99_value *value) {
  if (!lua_istable(L, -1))
    wrong_type(L, place->argument, name, "table {group=, interface=}", -1);
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    if (!is_membership_key(L, -2))
      sock99_raise(L, place->argument,
                   "option '%s': a membership has the fields group, interface and source", name);
    lua_pop(L, 1);
  }
  value->kind = SOCKET99_MEMBERSHIP;
  value->group = membership_text(L, place, name, "group", false);
  value->interface = membership_text(L, place, name, "interface", true);
  value->source = membership_text(L, place, name, "source", false);
}


static bool read_integer(lua_State *L, const struct sock99_option_place *place, const char *name,
                         socket99_value *value, socket99_result *result) {
  int type = lua_type(L, -1);
  if (type == LUA_TNUMBER)
    return read_number(L, place, name, value, result);
  /* An 8-byte string holds a 64-bit integer that a Lua number cannot. */
  if (type != LUA_TSTRING || lua_rawlen(L, -1) != sizeof(value->integer))
    wrong_type(L, place->argument, name, "integer", -1);
  read_bytes(L, place, value);
  return true;
}


bool sock99_read_option_value(lua_State *L, const struct sock99_option_place *place,
                              const char *name, enum socket99_kind kind, socket99_value *value,
                              socket99_result *result) {
  int type = lua_type(L, -1);
  memset(value, 0, sizeof(*value));
  value->kind = kind;
  switch (kind) {
  case SOCKET99_BOOLEAN:
    if (type != LUA_TBOOLEAN)
      wrong_type(L, place->argument, name, "boolean", -1);
    value->integer = lua_toboolean(L, -1);
    return true;
  case SOCKET99_INTEGER:
    return read_integer(L, place, name, value, result);
  case SOCKET99_SECONDS:
    if (type == LUA_TBOOLEAN && !lua_toboolean(L, -1))
      value->kind = SOCKET99_BOOLEAN;
    else if (type != LUA_TNUMBER)
      wrong_type(L, place->argument, name, "seconds (a number) or false", -1);
    value->seconds = (double)lua_tonumber(L, -1);
    return true;
  case SOCKET99_BYTES:
    if (type == LUA_TNUMBER)
      return read_number(L, place, name, value, result);
    if (type != LUA_TSTRING)
      wrong_type(L, place->argument, name, "string", -1);
    read_bytes(L, place, value);
    return true;
  case SOCKET99_MEMBERSHIP:
    break;
  }
  read_membership(L, place, name, value);
  return true;
}


/*
** Options by number
*/

static bool read_part(lua_State *L, const struct sock99_option_place *place, int part, int *out,
                      socket99_result *result) {
  static const char *const names[] = {"level", "number"};
  const char *name = names[part - 1];
  socket99_value value = {SOCKET99_INTEGER, 0, 0, NULL, 0, NULL, NULL, NULL};
  lua_rawgeti(L, -1, part);
  if (lua_type(L, -1) != LUA_TNUMBER)
    sock99_raise(L, place->argument, "an option's %s: integer expected, got %s", name,
                 luaL_typename(L, -1));
  if (!read_number(L, place, name, &value, result))
    return false;
  if (value.integer < INT_MIN || value.integer > INT_MAX)
    return sock99_refuse(result, "an option's %s: %lld is out of range", name, value.integer);
  *out = (int)value.integer;
  lua_pop(L, 1);
  return true;
}


bool sock99_read_option_number(lua_State *L, const struct sock99_option_place *place,
                               socket99_option *option, socket99_result *result) {
  memset(option, 0, sizeof(*option));
  return read_part(L, place, 1, &option->level, result) &&
         read_part(L, place, 2, &option->option_id, result);
}


bool sock99_read_numbered_option(lua_State *L, const struct sock99_option_place *place,
                                 socket99_option *option, socket99_result *result) {
  bool ok = true;
  if (!sock99_read_option_number(L, place, option, result))
    return false;
  lua_rawgeti(L, -1, 3);
  if (lua_type(L, -1) == LUA_TNUMBER)
    ok = read_number(L, place, "number", &option->value, result);
  else if (lua_type(L, -1) == LUA_TSTRING)
    read_bytes(L, place, &option->value);
  else
    wrong_type(L, place->argument, "{level, option, value}", "integer or string", -1);
  lua_pop(L, 1);
  return ok;
}
