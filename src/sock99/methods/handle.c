/*
** handle.c: methods of every class: close, descriptors, event loops, timeouts and
** counts.
*/

#include "methods.h"

#include <float.h>
#include <poll.h>

/*** @module sock99 */


/*** A socket object: the methods that all have.

After `close`, `detach` and `setfd(-1)` methods return nil and "closed", except
those that need nothing from the system. Calling a method that does not suit the
object's class raises an error.

@type socket
*/


/*** The current class of the object.
@tfield 'tcp{master}'|'tcp{client}'|'tcp{server}'|'udp{connected}'|'udp{unconnected}' class
*/

/*** Close the socket.

Unread bytes are dropped and unclaimed received descriptors are closed. Closing
again does nothing.
@function close
@treturn integer 1
*/
static int l_close(lua_State *L) {
  sock99_close_socket(L, sock99_check_any(L));
  lua_pushinteger(L, 1);
  return 1;
}


static int l_end(lua_State *L) {
  sock99_close_socket(L, sock99_check_any(L));
  return 0;
}


static int l_gc(lua_State *L) {
  sock99_finalize_socket(L, sock99_check_any(L));
  return 0;
}


/*** Release the descriptor: the object is closed, but the descriptor is not.

Unclaimed received descriptors are closed.

@function detach
@treturn[1] integer the descriptor, which the caller must close
@treturn[1] ?string bytes received but not yet read; nil if there are none
@treturn[2] nil
@treturn[2] string "closed", or the error of a connect in progress
@treturn[2] ?integer errno, or the EAI_ code of the stage "getaddrinfo"
@treturn[2] ?string the stage of a failed connect
*/
static int l_detach(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  socket99_result result;
  size_t unread;
  sock99_settle(L, s);
  if (sock99_take_failure(s, &result) && s->fd < 0)
    return sock99_fail_result(L, &result);
  do
    unread = sock99_unread(&s->input);
  while (!sock99_push_piece(L, &s->input, unread, sock99_push_bytes, NULL));
  if (s->fd < 0)
    return sock99_fail(L, SOCK99_CLOSED);
  lua_pushinteger(L, s->fd);
  if (unread > 0)
    lua_insert(L, -2);
  else
    lua_pushnil(L);
  s->fd = -1;
  sock99_close_socket(L, s);
  return 2;
}


/*
** Descriptors
*/

/*** The descriptor, which the object still owns.

If the object is connecting to a name, this waits for the lookup, however long it
takes; the connection then continues with one address, on the descriptor returned.
`pollfd` never waits.
@function getfd
@treturn integer the descriptor; -1 if the object is closed
*/
static int l_getfd(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  sock99_settle(L, s);
  lua_pushinteger(L, sock99_descriptor(s));
  return 1;
}


/*** Give the object another descriptor, or none.

The old one is not closed; unread bytes are dropped.
@function setfd
@tparam integer fd the descriptor that the object owns from now on; -1 closes the object
@treturn[1] integer 1
@treturn[2] nil
@treturn[2] string the error: the descriptor is still the caller's, the object is closed
@treturn[2] integer errno
*/
static int l_setfd(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  int fd = (int)sock99_check_integer(L, 2, "descriptor", -1, INT_MAX);
  int error = 0;
  sock99_release_descriptor(s);
  sock99_close_socket(L, s);
  if (fd >= 0)
    error = sock99_adopt(L, 1, fd);
  if (error != 0)
    return sock99_fail(L, error);
  lua_pushinteger(L, 1);
  return 1;
}


/*** Whether bytes are buffered, so that `receive` can return some without waiting.

@function dirty
@treturn boolean
*/
static int l_dirty(lua_State *L) {
  lua_pushboolean(L, sock99_unread(&sock99_check_any(L)->input) > 0);
  return 1;
}


/*
** For event loops, under the names that cqueues uses
*/

/*** The descriptor for a loop to watch. While the object connects to a name, this is one
that is readable whenever the next call would make progress; query it after each call.

@function pollfd
@treturn integer the descriptor; -1 if the object is closed
*/
static int l_pollfd(lua_State *L) {
  lua_pushinteger(L, sock99_pollfd(sock99_check_any(L)));
  return 1;
}


/*** The event to watch `pollfd` for.

@function events
@treturn 'r'|'w' "w" after a call that timed out while sending or connecting; else "r",
also while a name is looked up or its addresses are raced
*/
static int l_events(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  short events = s->wants_writing ? POLLOUT : POLLIN;
  if (sock99_is_pending(s))
    (void)sock99_poll_target(s, &events);
  lua_pushstring(L, events == POLLOUT ? "w" : "r");
  return 1;
}


/*** Whether the object is ready regardless of its descriptor.

@function timeout
@treturn ?integer 0 if bytes are buffered or a failure of `connect` is unreported;
else nil
*/
static int l_timeout(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  if ((sock99_unread(&s->input) > 0 && !s->wants_writing) || sock99_has_failed(s))
    lua_pushinteger(L, 0);
  else
    lua_pushnil(L);
  return 1;
}


/*
** Timeouts and counts
*/

/*** Limit how long calls on the object may take.

A limit covers a whole call, however often the call waits. Each mode sets one limit,
and the shorter one applies. With 0 a call never waits, and a call that always finds
more to do ends after a mebibyte.
@function settimeout
@tparam ?number seconds nil, negative or math.huge: no limit
@tparam[opt="b"] 'b'|'t' mode the limit to set
@treturn integer 1
@usage
client:settimeout(5) -- no call is longer than 5 seconds
*/
static int l_settimeout(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  lua_Number seconds = luaL_optnumber(L, 2, -1);
  const char *mode = luaL_optstring(L, 3, "b");
  luaL_argcheck(L, seconds == seconds, 2, "not a number");
  if (seconds < 0 || seconds > (lua_Number)DBL_MAX)
    seconds = -1;
  if (mode[0] == 'b')
    s->each_wait = (double)seconds;
  else if (mode[0] == 't' || mode[0] == 'r')
    s->whole_call = (double)seconds;
  else
    luaL_argerror(L, 3, "invalid timeout mode");
  lua_pushinteger(L, 1);
  return 1;
}


/*** The limits set by `settimeout`.

@function gettimeout
@treturn number seconds, mode "b"; -1: no limit
@treturn number seconds, mode "t"; -1: no limit
*/
static int l_gettimeout(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  lua_pushnumber(L, s->each_wait);
  lua_pushnumber(L, s->whole_call);
  return 2;
}


/*** The object's traffic and age.

@function getstats
@treturn integer bytes received
@treturn integer bytes sent
@treturn number the object's age, in seconds
*/
static int l_getstats(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  sock99_push_count(L, s->received);
  sock99_push_count(L, s->sent);
  lua_pushnumber(L, sock99_seconds() - s->created);
  return 3;
}


static uint64_t opt_stat(lua_State *L, int index, const char *name, uint64_t missing) {
  return (uint64_t)sock99_opt_integer(L, index, name, 0, LLONG_MAX, (long long)missing);
}


/*** Set the counts that `getstats` returns.

@function setstats
@tparam[opt] integer received bytes; unchanged if missing
@tparam[opt] integer sent bytes
@tparam[opt] number age in seconds
@treturn integer 1
*/
static int l_setstats(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  uint64_t received = opt_stat(L, 2, "received", s->received);
  uint64_t sent = opt_stat(L, 3, "sent", s->sent);
  double now = sock99_seconds(), age = (double)luaL_optnumber(L, 4, now - s->created);
  s->received = received;
  s->sent = sent;
  s->created = now - age;
  lua_pushinteger(L, 1);
  return 1;
}


static int l_tostring(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  lua_pushfstring(L, "%s: %p", sock99_class_names[s->class], (const void *)s);
  return 1;
}


const luaL_Reg sock99_handle_methods[] = {
    {"close", l_close},
    {"detach", l_detach},
    {"getfd", l_getfd},
    {"setfd", l_setfd},
    {"dirty", l_dirty},
    {"pollfd", l_pollfd},
    {"events", l_events},
    {"timeout", l_timeout},
    {"getstats", l_getstats},
    {"setstats", l_setstats},
    {"settimeout", l_settimeout},
    {"gettimeout", l_gettimeout},
    {NULL, NULL},
};

const luaL_Reg sock99_handle_metamethods[] = {
    {"__gc", l_gc}, {"__close", l_end}, {"__tostring", l_tostring}, {NULL, NULL}};
