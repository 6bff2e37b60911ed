/*
** capi.c: the Lua module `faults_capi`: the C API of libsocket99.so, so that the
** same scenarios, rules and checks go for it.
*/

#include "values/compat.h"

#include <socket99.h>

#include <errno.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))


static const char *text_field(lua_State *L, const char *name) {
  const char *text;
  lua_getfield(L, 1, name);
  text = lua_tostring(L, -1);
  lua_pop(L, 1); /* the table holds it */
  return text;
}


static int int_field(lua_State *L, const char *name) {
  int value;
  lua_getfield(L, 1, name);
  value = lua_isboolean(L, -1) ? lua_toboolean(L, -1) : (int)lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}


static void read_config(lua_State *L, socket99_config *cfg) {
  luaL_checktype(L, 1, LUA_TTABLE);
  memset(cfg, 0, sizeof(*cfg));
  cfg->host = (char *)text_field(L, "host");
  cfg->path = (char *)text_field(L, "path");
  cfg->bind_host = text_field(L, "bind_host");
  cfg->port = int_field(L, "port");
  cfg->server = int_field(L, "server") != 0;
  cfg->datagram = int_field(L, "datagram") != 0;
  cfg->nonblocking = int_field(L, "nonblocking") != 0;
  cfg->unlink_stale = int_field(L, "unlink") != 0;
  cfg->mode = (unsigned int)int_field(L, "mode");
  cfg->timeout_ms = int_field(L, "timeout_ms");
}


/* nil, message, code, stage */
static int push_failure(lua_State *L, const socket99_result *res) {
  char text[512];
  socket99_snprintf(text, sizeof(text), res);
  lua_pushnil(L);
  lua_pushstring(L, text);
  lua_pushinteger(L, res->status == SOCKET99_ERROR_GETADDRINFO ? res->getaddrinfo_error
                                                               : res->saved_errno);
  lua_pushstring(L, socket99_stage(res->status));
  return 4;
}


static int push_result(lua_State *L, bool ok, const socket99_result *res) {
  if (!ok)
    return push_failure(L, res);
  lua_pushinteger(L, res->fd);
  return 1;
}


static int l_open(lua_State *L) {
  socket99_config cfg;
  socket99_result res;
  bool ok;
  read_config(L, &cfg);
  ok = socket99_open(&cfg, &res);
  return push_result(L, ok, &res);
}


static int l_resolve(lua_State *L) {
  socket99_config cfg;
  socket99_result res;
  struct sockaddr_storage *addresses;
  size_t count;
  read_config(L, &cfg);
  cfg.unconnected = true;
  if (!socket99_resolve(&cfg, &res, &addresses, &count))
    return push_failure(L, &res);
  free(addresses);
  lua_pushinteger(L, (lua_Integer)count);
  return 1;
}


/*
** Openings
*/

static int l_start(lua_State *L) {
  socket99_config cfg;
  socket99_result res;
  socket99_opening *opening;
  read_config(L, &cfg);
  opening = socket99_start(&cfg, &res);
  if (opening == NULL)
    return push_failure(L, &res);
  *(socket99_opening **)lua_newuserdata(L, sizeof(opening)) = opening;
  return 1;
}


static socket99_opening *to_opening(lua_State *L) {
  return *(socket99_opening **)lua_touserdata(L, 1);
}


/* step(opening) → false, or as open; the number of a descriptor to wait for is pollfd's */
static int l_step(lua_State *L) {
  socket99_result res;
  if (!socket99_step(to_opening(L), &res)) {
    lua_pushboolean(L, 0);
    return 1;
  }
  return push_result(L, res.status == SOCKET99_OK, &res);
}


static int l_pollfd(lua_State *L) {
  lua_pushinteger(L, socket99_pollfd(to_opening(L)));
  return 1;
}


static int l_cancel(lua_State *L) {
  socket99_cancel(to_opening(L));
  return 0;
}


/*
** Options, and text
*/

static int push_outcome(lua_State *L, int error) {
  if (error != 0) {
    lua_pushnil(L);
    lua_pushstring(L, strerror(error));
    lua_pushinteger(L, error);
    return 3;
  }
  lua_pushboolean(L, 1);
  return 1;
}


/* option(fd): sets keepalive, and gets it */
static int l_option(lua_State *L) {
  socket99_value value;
  int fd = (int)luaL_checknumber(L, 1), error;
  memset(&value, 0, sizeof(value));
  value.kind = SOCKET99_BOOLEAN;
  value.integer = 1;
  error = socket99_option_set(fd, "keepalive", &value);
  value.integer = 0;
  if (error == 0)
    error = socket99_option_get(fd, "keepalive", &value, NULL, 0);
  if (error == 0 && value.integer == 0)
    error = ERANGE;
  return push_outcome(L, error);
}


/* print(): a result, to a file of no use */
static int l_print(lua_State *L) {
  socket99_result res;
  FILE *file = tmpfile();
  int error;
  memset(&res, 0, sizeof(res));
  res.status = SOCKET99_ERROR_BIND;
  res.saved_errno = EACCES;
  if (file == NULL)
    return luaL_error(L, "no temporary file");
  error = socket99_fprintf(file, &res) < 0 ? errno : 0;
  fclose(file);
  return push_outcome(L, error);
}


static const luaL_Reg functions[] = {
    {"open", l_open},     {"resolve", l_resolve}, {"start", l_start},
    {"step", l_step},     {"pollfd", l_pollfd},   {"cancel", l_cancel},
    {"option", l_option}, {"print", l_print},     {NULL, NULL}};

EXPORT int luaopen_faults_capi(lua_State *L);

int luaopen_faults_capi(lua_State *L) {
  sock99_newlib(L, functions);
  return 1;
}
