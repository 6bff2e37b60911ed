/*
** control.c: the Lua module `faults`: it tells inject.c what to fail, and what
** a case must leave as it was: descriptors, threads, the signal mask.
**
** It is one object with the injector, so that the module that a script requires
** is the library that was preloaded.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "values/compat.h"
#include "inject.h"

#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static const char *const mode_names[] = {"fail", "done", "short", "ready", "quiet", "blank", NULL};
static const char *const sabotage_names[] = {"none", "close",  "unlink", "eintr", "errno", "byte",
                                             "mask", "thread", "hang",   "crash", NULL};


/*
** Faults
*/

static int int_field(lua_State *L, const char *name, int missing) {
  int value = missing;
  lua_getfield(L, -1, name);
  if (!lua_isnil(L, -1))
    value = (int)luaL_checknumber(L, -1);
  lua_pop(L, 1);
  return value;
}


static int mode_field(lua_State *L) {
  int mode;
  lua_getfield(L, -1, "mode");
  mode = luaL_checkoption(L, -1, "fail", mode_names);
  lua_pop(L, 1);
  return mode;
}


/* begin{{call=, nth=, last=, mode=, error=}, …} */
static int l_begin(lua_State *L) {
  int i, count = (int)lua_rawlen(L, 1);
  fault_clear();
  for (i = 1; i <= count; i++) {
    struct fault fault;
    memset(&fault, 0, sizeof(fault));
    lua_rawgeti(L, 1, i);
    lua_getfield(L, -1, "call");
    fault.call = fault_call(luaL_checkstring(L, -1));
    luaL_argcheck(L, fault.call >= 0, 1, "unknown call");
    lua_pop(L, 1);
    fault.first = int_field(L, "nth", 1);
    fault.last = int_field(L, "last", fault.first);
    fault.error = int_field(L, "error", 0);
    fault.mode = (enum fault_mode)mode_field(L);
    if (fault_add(&fault) < 0)
      return luaL_error(L, "too many faults");
    lua_pop(L, 1);
  }
  fault_begin();
  return 0;
}


/* fault_end → how often each has occurred */
static int l_end(lua_State *L) {
  int i;
  fault_end();
  lua_createtable(L, MOST_FAULTS, 0);
  for (i = 0; i < MOST_FAULTS; i++) {
    lua_pushinteger(L, fault_fired(i));
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}


/* The names of the calls since begin, in order. */
static int l_noted(lua_State *L) {
  int i, count = fault_noted_count();
  lua_createtable(L, count, 0);
  for (i = 0; i < count; i++) {
    lua_pushstring(L, fault_call_name(fault_noted(i)));
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}


static int l_knows(lua_State *L) {
  lua_pushboolean(L, fault_call(luaL_checkstring(L, 1)) >= 0);
  return 1;
}


static int l_sabotage(lua_State *L) {
  fault_sabotage = (enum fault_sabotage)luaL_checkoption(L, 1, "none", sabotage_names);
  return 0;
}


/*
** What must stay as it was
*/

static int count_entries(const char *directory) {
  DIR *open = opendir(directory);
  int count = 0;
  if (open == NULL)
    return -1;
  while (readdir(open) != NULL)
    count++;
  closedir(open);
  return count;
}


/* remains() → descriptors, threads, the blocked signals */
static int l_remains(lua_State *L) {
  char blocked[_NSIG + 1];
  sigset_t mask;
  int i;
  lua_pushinteger(L, count_entries("/proc/self/fd"));
  lua_pushinteger(L, count_entries("/proc/self/task"));
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  for (i = 0; i < _NSIG; i++)
    blocked[i] = i > 0 && sigismember(&mask, i) == 1 ? '1' : '0';
  lua_pushlstring(L, blocked, _NSIG);
  return 3;
}


/* files(directory) → the sorted names in it */
static int l_files(lua_State *L) {
  struct dirent **found;
  int i, count = scandir(luaL_checkstring(L, 1), &found, NULL, alphasort);
  lua_newtable(L);
  for (i = 0; i < count; i++) {
    lua_pushstring(L, found[i]->d_name);
    lua_rawseti(L, -2, i + 1);
    free(found[i]);
  }
  if (count >= 0)
    free(found);
  return 1;
}


/*
** Processes
*/

/* A text that the parent sees even after its child has crashed. */
#define NOTE_SIZE 512
static char *note;

static int l_note(lua_State *L) {
  const char *text = luaL_optstring(L, 1, NULL);
  if (note == NULL)
    note = mmap(NULL, NOTE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (note == MAP_FAILED)
    return luaL_error(L, "mmap: %s", strerror(errno));
  if (text != NULL)
    snprintf(note, NOTE_SIZE, "%s", text);
  lua_pushstring(L, note);
  return 1;
}


/* alarm(seconds): the process ends then; 0: no more. */
static int l_alarm(lua_State *L) {
  alarm((unsigned int)luaL_checknumber(L, 1));
  return 0;
}


/* wait(pid) → "exit" or "signal", its number */
static int l_wait(lua_State *L) {
  int status;
  while (waitpid((pid_t)luaL_checknumber(L, 1), &status, 0) < 0) {
    if (errno != EINTR)
      return luaL_error(L, "waitpid: %s", strerror(errno));
  }
  lua_pushstring(L, WIFSIGNALED(status) ? "signal" : "exit");
  lua_pushinteger(L, WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  return 2;
}


/* cpu() → seconds of this process and of its children */
static int l_cpu(lua_State *L) {
  struct rusage own, children;
  getrusage(RUSAGE_SELF, &own);
  getrusage(RUSAGE_CHILDREN, &children);
  lua_pushnumber(L, (lua_Number)(own.ru_utime.tv_sec + own.ru_stime.tv_sec +
                                 children.ru_utime.tv_sec + children.ru_stime.tv_sec) +
                        (lua_Number)(own.ru_utime.tv_usec + own.ru_stime.tv_usec +
                                     children.ru_utime.tv_usec + children.ru_stime.tv_usec) /
                            1e6);
  return 1;
}


static int l_setenv(lua_State *L) {
  setenv(luaL_checkstring(L, 1), luaL_checkstring(L, 2), 1);
  return 0;
}


/*
** Numbers of errors
*/

#define E(name)                                                                                    \
  { #name, name }

static const struct {
  const char *name;
  int number;
} errors[] = {
    E(EACCES),       E(EADDRINUSE),   E(EADDRNOTAVAIL),   E(EAFNOSUPPORT),   E(EAGAIN),
    E(EALREADY),     E(EBADF),        E(EBUSY),           E(ECANCELED),      E(ECONNABORTED),
    E(ECONNREFUSED), E(ECONNRESET),   E(EDESTADDRREQ),    E(EDOM),           E(EDQUOT),
    E(EEXIST),       E(EFAULT),       E(EFBIG),           E(EHOSTDOWN),      E(EHOSTUNREACH),
    E(EILSEQ),       E(EINPROGRESS),  E(EINTR),           E(EINVAL),         E(EIO),
    E(EISCONN),      E(EISDIR),       E(ELOOP),           E(EMFILE),         E(EMLINK),
    E(EMSGSIZE),     E(ENAMETOOLONG), E(ENETDOWN),        E(ENETUNREACH),    E(ENFILE),
    E(ENOBUFS),      E(ENODEV),       E(ENOENT),          E(ENOMEM),         E(ENONET),
    E(ENOPROTOOPT),  E(ENOSPC),       E(ENOSR),           E(ENOSYS),         E(ENOTCONN),
    E(ENOTDIR),      E(ENOTEMPTY),    E(ENOTSOCK),        E(ENXIO),          E(EOPNOTSUPP),
    E(EOVERFLOW),    E(EPERM),        E(EPIPE),           E(EPROTO),         E(EPROTONOSUPPORT),
    E(EPROTOTYPE),   E(EROFS),        E(ESOCKTNOSUPPORT), E(ESPIPE),         E(ETIMEDOUT),
    E(ETOOMANYREFS), E(ETXTBSY),      E(EXDEV),           E(EAI_ADDRFAMILY), E(EAI_AGAIN),
    E(EAI_BADFLAGS), E(EAI_FAIL),     E(EAI_FAMILY),      E(EAI_MEMORY),     E(EAI_NODATA),
    E(EAI_NONAME),   E(EAI_OVERFLOW), E(EAI_SERVICE),     E(EAI_SOCKTYPE),   E(EAI_SYSTEM)};


static void push_errors(lua_State *L) {
  size_t i;
  lua_newtable(L);
  for (i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
    lua_pushinteger(L, errors[i].number);
    lua_setfield(L, -2, errors[i].name);
  }
}


/* words(errno) → the system's */
static int l_words(lua_State *L) {
  lua_pushstring(L, strerror((int)luaL_checknumber(L, 1)));
  return 1;
}


static const luaL_Reg functions[] = {
    {"begin", l_begin},       {"stop", l_end},      {"noted", l_noted}, {"knows", l_knows},
    {"remains", l_remains},   {"files", l_files},   {"note", l_note},   {"alarm", l_alarm},
    {"wait", l_wait},         {"setenv", l_setenv}, {"cpu", l_cpu},     {"words", l_words},
    {"sabotage", l_sabotage}, {NULL, NULL}};

EXPORT int luaopen_faults(lua_State *L);

int luaopen_faults(lua_State *L) {
  sock99_newlib(L, functions);
  push_errors(L);
  lua_setfield(L, -2, "errors");
  return 1;
}
