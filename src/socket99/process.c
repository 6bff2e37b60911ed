/*
** process.c: which process this is, and what must be there for as long as it lives.
**
** Both happen when the object is loaded. Later could be too late: a child of
** fork(2) must not call dlopen(3) where another thread of its parent was inside it.
*/

#include "internal.h"

#include <dlfcn.h>
#include <pthread.h>

static int forks;


static void count_fork(void) {
  forks++;
}


/* Keeps this library mapped: a thread may be inside it when the program unloads it. */
static void stay_mapped(void) {
  Dl_info object;
  if (dladdr((const void *)&forks, &object) != 0)
    dlopen(object.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}


S99_AT_LOAD static void begin(void) {
  stay_mapped();
  pthread_atfork(NULL, NULL, count_fork);
}


/* The number of a process is 1 in each PID namespace that begins with it; a child that
** was made without fork(3) is known by its number alone. */
int64_t s99_process(void) {
  return ((int64_t)forks << 32) | (int64_t)getpid();
}
