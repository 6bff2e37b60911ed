/*
** dns.c: the lookups of LuaSocket's `dns` beyond sock99.resolve: names of addresses
** and services, the canonical name, and this machine's name.
**
** As in LuaSocket, these calls take as long as the system's resolver does.
** Failures are nil, message, EAI_ code, "getaddrinfo"; those of hostname are nil, message.
*/

#include "module.h"

#define ANSWER "sock99.answer"

#define LONGEST_NAME 1025
#define LONGEST_SERVICE 32


/* The result of getaddrinfo(3), which Lua frees even if an error is raised. */
struct answer {
  struct addrinfo *list;
};


static int l_free_answer(lua_State *L) {
  struct answer *answer = lua_touserdata(L, 1);
  if (answer->list != NULL)
    freeaddrinfo(answer->list);
  answer->list = NULL;
  return 0;
}


static struct answer *new_answer(lua_State *L) {
  struct answer *answer = sock99_newuserdata(L, sizeof(*answer));
  answer->list = NULL;
  if (luaL_newmetatable(L, ANSWER)) {
    lua_pushcfunction(L, l_free_answer);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return answer;
}


/* `system_error` is errno after the failed call. */
static int push_lookup_error(lua_State *L, int error, int system_error) {
  char words[128];
  lua_pushnil(L);
  if (error == EAI_SYSTEM)
    lua_pushstring(L, s99_strerror(system_error, words, sizeof(words)));
  else
    lua_pushstring(L, gai_strerror(error));
  lua_pushinteger(L, error);
  lua_pushliteral(L, "getaddrinfo");
  return 4;
}


/* hostname() → this machine's name */
static int l_hostname(lua_State *L) {
  char name[LONGEST_NAME];
  char words[128];
  name[sizeof(name) - 1] = '\0';
  if (gethostname(name, sizeof(name) - 1) == 0) {
    lua_pushstring(L, name);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, s99_strerror(errno, words, sizeof(words)));
  return 2;
}


/* canonical(name) → the canonical name and the list of its IPv4 addresses */
static int l_canonical(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  struct answer *answer = new_answer(L);
  struct addrinfo hints;
  const struct addrinfo *one;
  int error, count = 0;
  memset(&hints, 0, sizeof(hints));
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_CANONNAME;
  error = getaddrinfo(name, NULL, &hints, &answer->list);
  if (error != 0)
    return push_lookup_error(L, error, errno);
  lua_pushstring(L, answer->list->ai_canonname);
  lua_newtable(L);
  for (one = answer->list; one != NULL; one = one->ai_next) {
    char text[INET_ADDRSTRLEN];
    struct sockaddr_in in;
    memcpy(&in, one->ai_addr, sizeof(in));
    lua_pushstring(L, inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text)));
    lua_rawseti(L, -2, ++count);
  }
  return 2;
}


/* Sets entry `count` of the list at index `list` to the address's name, and sets
** `service`. */
static int append_name(lua_State *L, const struct addrinfo *one, int flags, int list, int count,
                       char *service, int *system_error) {
  char name[LONGEST_NAME];
  int error = getnameinfo(one->ai_addr, one->ai_addrlen, name, sizeof(name), service,
                          LONGEST_SERVICE, flags);
  *system_error = errno;
  if (error == 0) {
    lua_pushstring(L, name);
    lua_rawseti(L, list, count);
  }
  return error;
}


/* names(host, service, required) → the names of the host's addresses, and the service's
** name. For an address without a name the call fails if `required`, else the list has
** the numeric address. */
static int l_names(lua_State *L) {
  const char *host = luaL_optstring(L, 1, NULL), *service = luaL_optstring(L, 2, NULL);
  int flags = lua_toboolean(L, 3) ? NI_NAMEREQD : 0;
  struct answer *answer = new_answer(L);
  struct addrinfo hints;
  const struct addrinfo *one;
  char found[LONGEST_SERVICE] = "";
  int error, system_error, list, count = 0;
  memset(&hints, 0, sizeof(hints));
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  error = getaddrinfo(host, service, &hints, &answer->list);
  system_error = errno;
  lua_newtable(L);
  list = lua_gettop(L);
  for (one = answer->list; error == 0 && one != NULL; one = one->ai_next)
    error = append_name(L, one, flags, list, ++count, found, &system_error);
  if (error != 0)
    return push_lookup_error(L, error, system_error);
  lua_pushstring(L, found);
  return 2;
}


void sock99_add_dns(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"hostname", l_hostname}, {"canonical", l_canonical}, {"names", l_names}, {NULL, NULL}};
  const luaL_Reg *f;
  for (f = functions; f->name != NULL; f++) {
    lua_pushcfunction(L, f->func);
    lua_setfield(L, -2, f->name);
  }
}
