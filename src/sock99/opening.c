/*
** opening.c: openings, which any event loop can drive.
**
** A full userdata owns the C library's opening from start to cancel, whatever
** became of it; the socket that it delivers is the program's.
*/

#include "module.h"

/*** @module sock99 */


#define OPENING "sock99.opening"

static struct sock99_opening *check_opening(lua_State *L) {
  return luaL_checkudata(L, 1, OPENING);
}


/*** Begin to open the socket that a table describes, without ever blocking.

@function start
@tparam config t as `open` takes it
@treturn[1] opening what to step
@treturn[2] nil
@treturn[2] string what is wrong with the table
@treturn[2] integer errno
@treturn[2] stage
@usage
local opening = assert(sock99.start{ host = 'localhost', port = 80, timeout = 2 })
-- whenever opening:pollfd() is readable:
local socket, message = opening:step()
*/
int sock99_start(lua_State *L) {
  struct sock99_request request;
  socket99_result result;
  struct sock99_opening *opening;
  if (!sock99_read_config(L, &request, &result))
    return sock99_fail_result(L, &result);
  opening = sock99_newuserdata(L, sizeof(*opening));
  opening->running = NULL;
  sock99_prepare(&request.config, &opening->traits);
  luaL_getmetatable(L, OPENING);
  lua_setmetatable(L, -2);
  opening->running = socket99_start(&request.config, &result);
  return opening->running == NULL ? sock99_fail_result(L, &result) : 1;
}


/*** An opening: what `start` returns.
@type opening
*/

/*** Go on as far as it gets. Never blocks.

@function step
@treturn[1] socket an object: it is done
@treturn[2] false not yet done
@treturn[3] nil
@treturn[3] string what failed on what, and why
@treturn[3] integer errno, or the EAI_ code of the stage "getaddrinfo";
EALREADY after the final result, ECANCELED after `cancel`
@treturn[3] stage
*/
static int l_step(lua_State *L) {
  struct sock99_opening *opening = check_opening(L);
  socket99_result result;
  /* First, since the garbage that Lua collects may cancel the opening. */
  sock99_new_socket(L, opening->traits.type == SOCK_DGRAM ? SOCK99_UNCONNECTED : SOCK99_MASTER);
  if (opening->running == NULL) {
    memset(&result, 0, sizeof(result));
    result.status = SOCKET99_ERROR_UNKNOWN;
    result.saved_errno = ECANCELED;
    snprintf(result.where, sizeof(result.where), "opening");
    return sock99_fail_result(L, &result);
  }
  if (!socket99_step(opening->running, &result)) {
    lua_pushboolean(L, 0);
    return 1;
  }
  if (result.status != SOCKET99_OK)
    return sock99_fail_result(L, &result);
  sock99_born(L, &opening->traits, &result);
  return 1;
}


/*** What to wait for: readable whenever a step would get further.

@function pollfd
@treturn integer a descriptor, the same from `start` to `cancel`; -1 after that
*/
static int l_pollfd(lua_State *L) {
  struct sock99_opening *opening = check_opening(L);
  lua_pushinteger(L, opening->running == NULL ? -1 : socket99_pollfd(opening->running));
  return 1;
}


/*** What `pollfd` is to be watched for.

@function events
@treturn 'r'
*/
static int l_events(lua_State *L) {
  check_opening(L);
  lua_pushliteral(L, "r");
  return 1;
}


/*** When a step is due even if `pollfd` is not watched; a hint.

@function timeout
@treturn ?number seconds, or nil where only the network can say
*/
static int l_timeout(lua_State *L) {
  struct sock99_opening *opening = check_opening(L);
  int ms = opening->running == NULL ? -1 : socket99_timeout_ms(opening->running);
  if (ms < 0)
    lua_pushnil(L);
  else
    lua_pushnumber(L, (lua_Number)ms / 1000);
  return 1;
}


/*** End it, whatever its state. Also `__gc` and `__close`.

@function cancel
*/
static int l_cancel(lua_State *L) {
  sock99_cancel(check_opening(L));
  return 0;
}


static int l_tostring(lua_State *L) {
  struct sock99_opening *opening = check_opening(L);
  lua_pushfstring(L, "sock99 opening (%p)", (void *)opening);
  return 1;
}


static const luaL_Reg methods[] = {
    {"step", l_step},       {"pollfd", l_pollfd}, {"events", l_events},
    {"timeout", l_timeout}, {"cancel", l_cancel}, {NULL, NULL},
};


void sock99_register_opening(lua_State *L) {
  luaL_newmetatable(L, OPENING);
  sock99_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, l_cancel);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, l_cancel);
  lua_setfield(L, -2, "__close");
  lua_pushcfunction(L, l_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
}
