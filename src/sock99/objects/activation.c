/*
** activation.c: sockets that were opened for this process before it began, as
** systemd does it (sd_listen_fds_with_names(3)).
**
** Descriptors from 3 on are ours if LISTEN_PID is this process; LISTEN_FDS says
** how many, LISTEN_FDNAMES their names, with colons between. All that may run
** out of memory comes before the first of them is taken, so an error loses none.
*/

#include "objects.h"

#define FIRST_FD 3

/*** @module sock99 */


/* A number that is nothing but decimal digits; -1: it is none. */
static long long decimal(const char *text) {
  char *end;
  long long number;
  if (text == NULL || text[0] < '0' || text[0] > '9')
    return -1;
  errno = 0;
  number = strtoll(text, &end, 10);
  return *end == '\0' && errno == 0 ? number : -1;
}


/* How many there are for this process, all of them open; 0 where what the
** environment says of them is not true. */
static int count_passed(void) {
  long long count = decimal(getenv("LISTEN_FDS"));
  int i;
  if (decimal(getenv("LISTEN_PID")) != getpid() || count > INT_MAX - FIRST_FD)
    return 0;
  for (i = 0; i < count; i++) {
    if (fcntl(FIRST_FD + i, F_GETFD) < 0)
      return 0;
  }
  return count > 0 ? (int)count : 0;
}


/* Pushes the next name, and takes it off the list; missing ones are "unknown". */
static void push_name(lua_State *L, const char **names) {
  size_t length;
  if (*names == NULL) {
    lua_pushliteral(L, "unknown");
    return;
  }
  length = strcspn(*names, ":");
  lua_pushlstring(L, *names, length);
  *names = (*names)[length] == ':' ? *names + length + 1 : NULL;
}


/* A list of {name=, fd=, socket=}, each socket a closed object yet. */
static void push_list(lua_State *L, int count) {
  const char *names;
  int i;
  lua_pushstring(L, getenv("LISTEN_FDNAMES"));
  names = lua_tostring(L, -1);
  lua_createtable(L, count, 0);
  for (i = 0; i < count; i++) {
    lua_createtable(L, 0, 3);
    push_name(L, &names);
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, FIRST_FD + i);
    lua_setfield(L, -2, "fd");
    sock99_new_socket(L, SOCK99_MASTER);
    lua_setfield(L, -2, "socket");
    lua_rawseti(L, -2, i + 1);
  }
  /* The key that "socket" is taken away by. */
  lua_pushliteral(L, "socket");
}


/* The object of the list below the key on top of the stack gets its descriptor;
** nothing here makes anything. */
static void take(lua_State *L, int fd, int i) {
  struct sock99_socket *s;
  int entry = lua_gettop(L) + 1;
  lua_rawgeti(L, -2, i);
  lua_pushvalue(L, -2);
  lua_rawget(L, entry);
  s = lua_touserdata(L, -1);
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (sock99_adopt(L, entry + 1, fd) != 0) {
    lua_pushvalue(L, entry - 1);
    lua_pushnil(L);
    lua_rawset(L, entry);
  } else if (s->class == SOCK99_SERVER) {
    /* accept(2) would hang where the peer has gone after poll(2) told of it. */
    (void)sock99_set_nonblocking(s);
  }
  lua_settop(L, entry - 1);
}


/*** A socket that systemd passed.

@record passed
@tfield string name what the socket unit gives (FileDescriptorName), "unknown" where
it gives none
@tfield integer fd
@tfield ?socket socket the object that owns the descriptor; nil where that is no TCP,
UDP or Unix domain socket
*/

/*** The sockets that systemd, or whoever speaks its protocol, has passed.

They are close-on-exec from then on, and child processes are told nothing of
them: the variables LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES are removed from
the environment. So a second call gives an empty list.
@function listen_fds
@treturn passed[]
@usage
for _, passed in ipairs(sock99.listen_fds()) do
  print(passed.name, passed.fd, passed.socket)
end
*/
int sock99_listen_fds(lua_State *L) {
  int count = count_passed(), i;
  push_list(L, count);
  unsetenv("LISTEN_PID");
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_FDNAMES");
  for (i = 0; i < count; i++)
    take(L, FIRST_FD + i, i + 1);
  lua_pop(L, 1);
  return 1;
}
