/*
** failure.c: turns an error into the results of a call.
**
** LuaSocket returns nil, a message, and the part of the work that was done. We
** add the error's number and, for an opening, its stage. A kind may have its own
** messages: a function of code, stage and text in upvalue 2 of its methods.
*/

#include "values.h"

#include <stdarg.h>

/* The `where` of a result, the stage and the system's reason. */
#define MESSAGE_SIZE (SOCKET99_WHERE_SIZE + 192)


static bool has_kind_messages(lua_State *L) {
  return lua_isfunction(L, lua_upvalueindex(2));
}


static void push_system_message(lua_State *L, int error) {
  char text[128];
  lua_pushstring(L, s99_strerror(error, text, sizeof(text)));
}


/* Calls the kind's function and leaves its result, the message, on the stack. */
static void push_kind_message(lua_State *L, const struct sock99_failure *failure) {
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_pushinteger(L, failure->error);
  lua_pushstring(L, failure->stage);
  lua_pushstring(L, failure->text);
  lua_call(L, 3, 1);
}


/* The messages that every kind has. Event loops meet them all the time, so no function
** is called. */
static const char *common_reason(int error) {
  switch (error) {
  case SOCK99_TIMEOUT:
    return "timeout";
  case SOCK99_CLOSED:
  case ECONNRESET:
  case EPIPE:
    return "closed";
  default:
    return NULL;
  }
}


void sock99_push_reason(lua_State *L, int error) {
  const struct sock99_failure failure = {.error = error};
  const char *reason = common_reason(error);
  if (reason != NULL)
    lua_pushstring(L, reason);
  else if (has_kind_messages(L))
    push_kind_message(L, &failure);
  else
    push_system_message(L, error);
}


/* EAI_ codes are negative, too, but have their text. */
static void push_message(lua_State *L, const struct sock99_failure *failure) {
  char text[128];
  if (failure->text == NULL && (failure->call == NULL || failure->error < 0))
    sock99_push_reason(L, failure->error);
  else if (has_kind_messages(L))
    push_kind_message(L, failure);
  else if (failure->text != NULL)
    lua_pushstring(L, failure->text);
  else
    lua_pushfstring(L, "%s%s%s: %s", failure->call, failure->what == NULL ? "" : " ",
                    failure->what == NULL ? "" : failure->what,
                    s99_strerror(failure->error, text, sizeof(text)));
}


static void push_code(lua_State *L, int error) {
  if (error == SOCK99_CLOSED)
    lua_pushnil(L);
  else
    lua_pushinteger(L, error == SOCK99_TIMEOUT ? ETIMEDOUT : error);
}


int sock99_push_failure(lua_State *L, const struct sock99_failure *failure) {
  int first = lua_gettop(L);
  lua_pushnil(L);
  push_message(L, failure);
  if (failure->has_partial)
    lua_pushvalue(L, first);
  if (has_kind_messages(L))
    return lua_gettop(L) - first;
  /* A negative error that comes with a text is an EAI_ code. */
  if (failure->text != NULL)
    lua_pushinteger(L, failure->error);
  else
    push_code(L, failure->error);
  if (failure->stage != NULL)
    lua_pushstring(L, failure->stage);
  return lua_gettop(L) - first;
}


int sock99_fail(lua_State *L, int error) {
  const struct sock99_failure failure = {.error = error};
  return sock99_push_failure(L, &failure);
}


int sock99_fail_partial(lua_State *L, int error) {
  const struct sock99_failure failure = {.error = error, .has_partial = true};
  return sock99_push_failure(L, &failure);
}


int sock99_fail_call(lua_State *L, const char *call, const char *what, int error) {
  const struct sock99_failure failure = {.error = error, .call = call, .what = what};
  return sock99_push_failure(L, &failure);
}


int sock99_fail_stage(lua_State *L, const char *stage, const char *what, int error) {
  struct sock99_failure failure = {.error = error, .call = stage, .what = what, .stage = stage};
  if (error == SOCK99_CLOSED)
    failure.stage = NULL;
  else if (error == SOCK99_TIMEOUT)
    failure.stage = socket99_stage(SOCKET99_ERROR_TIMEOUT);
  return sock99_push_failure(L, &failure);
}


int sock99_fail_address(lua_State *L, const char *stage, const struct s99_address *address,
                        int error) {
  char where[SOCKET99_WHERE_SIZE];
  s99_failed_address_text(address, error, where, sizeof(where));
  return sock99_fail_stage(L, stage, where, error);
}


void sock99_describe(lua_State *L, const socket99_result *result, struct sock99_failure *failure) {
  char message[MESSAGE_SIZE];
  memset(failure, 0, sizeof(*failure));
  failure->error = result->saved_errno;
  if (result->status == SOCKET99_ERROR_GETADDRINFO)
    failure->error = result->getaddrinfo_error;
  failure->stage = socket99_stage(result->status);
  socket99_snprintf(message, sizeof(message), result);
  failure->text = lua_pushfstring(L, "%s", message);
}


int sock99_fail_result(lua_State *L, const socket99_result *result) {
  struct sock99_failure failure;
  sock99_describe(L, result, &failure);
  return sock99_push_failure(L, &failure);
}


int sock99_push_done(lua_State *L) {
  lua_pushinteger(L, 1);
  return 1;
}


bool sock99_refuse(socket99_result *result, const char *format, ...) {
  va_list arguments;
  memset(result, 0, sizeof(*result));
  result->status = SOCKET99_ERROR_CONFIGURATION;
  result->fd = -1;
  result->saved_errno = EINVAL;
  va_start(arguments, format);
  vsnprintf(result->where, sizeof(result->where), format, arguments);
  va_end(arguments);
  return false;
}
