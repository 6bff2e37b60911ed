/*
** opening.c: openings, which any event loop can drive.
**
** A full userdata owns the C library's opening from start to cancel, however it
** ends; the program owns the resulting socket.
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
@treturn[1] opening the opening, to be stepped
@treturn[2] nil
@treturn[2] string the mistake in the table
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
  sock99_derive_settings(&request.config, &opening->settings);
  luaL_getmetatable(L, OPENING);
  lua_setmetatable(L, -2);
  opening->running = socket99_start(&request.config, &result);
  return opening->running == NULL ? sock99_fail_result(L, &result) : 1;
}


/*** An opening, as `start` returns it.
@type opening
*/

/*** Continue as far as possible without blocking.

@function step
@treturn[1] socket the object; the opening has succeeded
@treturn[2] false not yet done
@treturn[3] nil
@treturn[3] string the stage that failed, the address or option, and the reason
@treturn[3] integer errno, or the EAI_ code of the stage "getaddrinfo";
EALREADY after the final result, ECANCELED after `cancel`
@treturn[3] stage
*/
static int l_step(lua_State *L) {
  struct sock99_opening *opening = check_opening(L);
  socket99_result result;
  /* Created first: Lua may collect garbage here, and a finalizer may cancel the opening. */
  sock99_new_socket(L, opening->settings.type == SOCK_DGRAM ? SOCK99_UNCONNECTED : SOCK99_MASTER);
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
  sock99_finish_opening(L, &opening->settings, &result);
  return 1;
}


/*** The descriptor to wait for: readable whenever a step would make progress.

@function pollfd
@treturn integer the descriptor, the same from `start` to `cancel`; -1 afterwards
*/
static int l_pollfd(lua_State *L) {
  struct sock99_opening *opening = check_opening(L);
  lua_pushinteger(L, opening->running == NULL ? -1 : socket99_pollfd(opening->running));
  return 1;
}


/*** The event to watch `pollfd` for.

@function events
@treturn 'r'
*/
static int l_events(lua_State *L) {
  check_opening(L);
  lua_pushliteral(L, "r");
  return 1;
}


/*** The time until the next step is due if `pollfd` is not watched; a hint.

@function timeout
@treturn ?number seconds, or nil if it depends on the network alone
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


/*** Cancel the opening in any state. Also `__gc` and `__close`.

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
