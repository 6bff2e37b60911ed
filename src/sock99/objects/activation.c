/*
** activation.c: sockets passed to this process by systemd
** (sd_listen_fds_with_names(3)).
**
** If LISTEN_PID is this process, descriptors from 3 on are ours; LISTEN_FDS is
** their number, LISTEN_FDNAMES their names, separated by colons. All memory is
** allocated before the first descriptor is adopted, so an error loses none.
*/

#include "objects.h"

#define FIRST_FD 3

/*** @module sock99 */


/* Parses a string of decimal digits. Returns -1 for anything else. */
static long long decimal(const char *text) {
  char *end;
  long long number;
  if (text == NULL || text[0] < '0' || text[0] > '9')
    return -1;
  errno = 0;
  number = strtoll(text, &end, 10);
  return *end == '\0' && errno == 0 ? number : -1;
}


/* Returns how many descriptors were passed; 0 if the environment is wrong or one of them
** is not open. */
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


/* Pushes the next name and advances *names; a missing name is "unknown". */
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


/* Pushes a list of {name=, fd=, socket=}, whose sockets have no descriptor yet, and the
** key "socket". */
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
  lua_pushliteral(L, "socket");
}


/* Gives a descriptor to object `i` of the list below the key on top of the stack.
** Allocates nothing. */
static void adopt(lua_State *L, int fd, int i) {
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
    /* accept(2) would block if the peer had gone since poll(2) reported it. */
    (void)sock99_set_nonblocking(s);
  }
  lua_settop(L, entry - 1);
}


/*** A socket passed by systemd.

@record passed
@tfield string name the FileDescriptorName of the socket unit, or "unknown" if it has
none
@tfield integer fd
@tfield ?socket socket the object that owns the descriptor; nil if that is not a TCP,
UDP or Unix domain socket
*/

/*** Get the sockets passed by systemd, or by another program with its protocol.

They become close-on-exec, and the variables LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES and
LISTEN_PIDFDID are removed from the environment, so child processes do not see them and
a second call returns an empty list.
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
  unsetenv("LISTEN_PIDFDID");
  for (i = 0; i < count; i++)
    adopt(L, FIRST_FD + i, i + 1);
  lua_pop(L, 1);
  return 1;
}
