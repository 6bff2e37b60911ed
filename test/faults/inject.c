/*
** inject.c: what LD_PRELOAD puts before the C library: every call that the
** product makes to the system, each of which may fail where a test says so.
**
** Only calls from the product's own code are looked at: those of the
** interpreter, of the C library itself and of the tests go through. A symbol's
** name is given to a function of another name by an assembler label, so that
** no declaration of the system's headers is in the way, and the fortified and
** 64-bit names can be had, too.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "inject.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* One byte of a file, or of a stream. */
#define LEAST 1

enum fault_sabotage fault_sabotage;

static const char *const names[] = {"accept4",
                                    "bind",
                                    "chmod",
                                    "close",
                                    "connect",
                                    "epoll_create1",
                                    "epoll_add",
                                    "epoll_delete",
                                    "eventfd",
                                    "fchmod",
                                    "fcntl",
                                    "fflush",
                                    "fileno",
                                    "fprintf",
                                    "fread",
                                    "fseeko",
                                    "fstat",
                                    "ftello",
                                    "getaddrinfo",
                                    "gethostname",
                                    "getifaddrs",
                                    "getnameinfo",
                                    "getpeername",
                                    "getrlimit",
                                    "getsockname",
                                    "getsockopt",
                                    "if_indextoname",
                                    "if_nametoindex",
                                    "link",
                                    "listen",
                                    "lseek",
                                    "lstat",
                                    "open",
                                    "poll",
                                    "pread",
                                    "pthread_attr_init",
                                    "pthread_cond_init",
                                    "pthread_condattr_init",
                                    "pthread_create",
                                    "pthread_mutex_init",
                                    "pthread_sigmask",
                                    "read",
                                    "recv",
                                    "recvfrom",
                                    "recvmmsg",
                                    "recvmsg",
                                    "renameat2",
                                    "send",
                                    "sendfile",
                                    "sendmmsg",
                                    "sendmsg",
                                    "sendto",
                                    "setsockopt",
                                    "shutdown",
                                    "sigpending",
                                    "sigtimedwait",
                                    "socket",
                                    "socketpair",
                                    "timerfd_create",
                                    "timerfd_settime",
                                    "unlink",
                                    "unsetenv",
                                    "write"};

/* The product's code. */
#define MOST_RANGES 4
static struct range { uintptr_t first, last; } ranges[MOST_RANGES];
static int range_count;

static bool is_on;
static struct fault faults[MOST_FAULTS];
static int fault_count;
static int occurrences[COUNT(names)];
static int noted[MOST_NOTED], noted_count;


/*
** Which calls
*/

int fault_call(const char *name) {
  size_t i;
  for (i = 0; i < COUNT(names); i++) {
    if (strcmp(names[i], name) == 0)
      return (int)i;
  }
  return -1;
}


const char *fault_call_name(int call) {
  return call >= 0 && call < (int)COUNT(names) ? names[call] : NULL;
}


static bool is_product(const char *path) {
  const char *slash = strrchr(path, '/');
  const char *name = slash != NULL ? slash + 1 : path;
  return strcmp(name, "sock99.so") == 0 || strncmp(name, "libsocket99.", 12) == 0;
}


static int note_range(struct dl_phdr_info *object, size_t size, void *unused) {
  int i;
  (void)size;
  (void)unused;
  if (object->dlpi_name == NULL || !is_product(object->dlpi_name))
    return 0;
  for (i = 0; i < object->dlpi_phnum && range_count < MOST_RANGES; i++) {
    const ElfW(Phdr) *header = &object->dlpi_phdr[i];
    if (header->p_type != PT_LOAD || (header->p_flags & PF_X) == 0)
      continue;
    ranges[range_count].first = object->dlpi_addr + header->p_vaddr;
    ranges[range_count].last = ranges[range_count].first + header->p_memsz;
    range_count++;
  }
  return 0;
}


static bool is_ours(const void *caller) {
  uintptr_t address = (uintptr_t)caller;
  int i;
  for (i = 0; i < range_count; i++) {
    if (address >= ranges[i].first && address < ranges[i].last)
      return true;
  }
  return false;
}


void fault_begin(void) {
  range_count = 0;
  dl_iterate_phdr(note_range, NULL);
  memset(occurrences, 0, sizeof(occurrences));
  noted_count = 0;
  __atomic_store_n(&is_on, true, __ATOMIC_SEQ_CST);
}


void fault_end(void) {
  __atomic_store_n(&is_on, false, __ATOMIC_SEQ_CST);
}


void fault_clear(void) {
  fault_count = 0;
}


int fault_add(const struct fault *fault) {
  if (fault_count >= MOST_FAULTS)
    return -1;
  faults[fault_count] = *fault;
  faults[fault_count].fired = 0;
  return fault_count++;
}


int fault_fired(int i) {
  return i < fault_count ? __atomic_load_n(&faults[i].fired, __ATOMIC_SEQ_CST) : 0;
}


int fault_noted_count(void) {
  int count = __atomic_load_n(&noted_count, __ATOMIC_SEQ_CST);
  return count < MOST_NOTED ? count : MOST_NOTED;
}


int fault_noted(int i) {
  return noted[i];
}


/*
** Whether a call fails
*/

static bool counts(const void *caller) {
  return __atomic_load_n(&is_on, __ATOMIC_SEQ_CST) && is_ours(caller);
}


static int spoil(int error) {
  if (fault_sabotage == SABOTAGE_EINTR && error == EINTR)
    return EIO;
  return fault_sabotage == SABOTAGE_ERRNO ? ECHILD : error;
}


/* The fault that this call meets, or NULL. */
static const struct fault *meet(const char *name, const void *caller) {
  int call, nth, place, i;
  if (!counts(caller))
    return NULL;
  call = fault_call(name);
  nth = __atomic_add_fetch(&occurrences[call], 1, __ATOMIC_SEQ_CST);
  place = __atomic_fetch_add(&noted_count, 1, __ATOMIC_SEQ_CST);
  if (place < MOST_NOTED)
    noted[place] = call;
  for (i = 0; i < fault_count; i++) {
    if (faults[i].call == call && nth >= faults[i].first && nth <= faults[i].last) {
      __atomic_add_fetch(&faults[i].fired, 1, __ATOMIC_SEQ_CST);
      return &faults[i];
    }
  }
  return NULL;
}


/* The error that this call fails with, or 0; for calls that know no other fault. */
static int fails(const char *name, const void *caller) {
  const struct fault *fault = meet(name, caller);
  return fault != NULL && fault->mode == FAULT_FAIL ? spoil(fault->error) : 0;
}


typedef void any_function(void);

static any_function *next_of(const char *symbol) {
  any_function *function;
  void *address = dlsym(RTLD_NEXT, symbol);
  if (address == NULL) {
    fprintf(stderr, "no function %s\n", symbol);
    abort();
  }
  memcpy(&function, &address, sizeof(function));
  return function;
}


static int failed(int error) {
  errno = error;
  return -1;
}


static void *failed_pointer(int error) {
  errno = error;
  return NULL;
}


/* A call that has succeeded may leave anything in errno (POSIX, errno). */
static void scribble(bool succeeded, const void *caller) {
  if (succeeded && counts(caller))
    errno = ECHILD;
}


/* What a call gives that tells a failure by -1. */
static ssize_t passed(ssize_t result, const void *caller) {
  scribble(result >= 0, caller);
  return result;
}


/* Calls that do or fail: what the function gives back then follows from `error`. */
#define STAND_IN_WHERE(succeeded, type, symbol, name, parameters, arguments, failure)              \
  EXPORT type stand_in_##symbol parameters __asm__(#symbol);                                       \
  EXPORT type stand_in_##symbol parameters {                                                       \
    static any_function *next;                                                                     \
    const void *caller = __builtin_return_address(0);                                              \
    int error = fails(name, caller);                                                               \
    type result;                                                                                   \
    if (error != 0)                                                                                \
      return failure;                                                                              \
    if (next == NULL)                                                                              \
      next = next_of(#symbol);                                                                     \
    result = ((type(*) parameters)next)arguments;                                                  \
    scribble(succeeded, caller);                                                                   \
    return result;                                                                                 \
  }                                                                                                \
  struct expects_a_semicolon

#define STAND_IN(type, symbol, name, parameters, arguments, failure)                               \
  STAND_IN_WHERE(result >= 0, type, symbol, name, parameters, arguments, failure)


/* For the functions that are written out. */
#define NEXT(function, symbol)                                                                     \
  static any_function *next;                                                                       \
  if (next == NULL)                                                                                \
    next = next_of(symbol);                                                                        \
  function = (__typeof__(function))next


/*
** Plain ones
*/

STAND_IN(int, socket, "socket", (int family, int type, int protocol), (family, type, protocol),
         failed(error));
STAND_IN(int, listen, "listen", (int fd, int backlog), (fd, backlog), failed(error));
STAND_IN(int, setsockopt, "setsockopt",
         (int fd, int level, int option, const void *value, socklen_t length),
         (fd, level, option, value, length), failed(error));
STAND_IN(int, getsockopt, "getsockopt",
         (int fd, int level, int option, void *value, socklen_t *length),
         (fd, level, option, value, length), failed(error));
STAND_IN(int, getsockname, "getsockname", (int fd, void *name, socklen_t *length),
         (fd, name, length), failed(error));
STAND_IN(int, getpeername, "getpeername", (int fd, void *name, socklen_t *length),
         (fd, name, length), failed(error));
STAND_IN(int, accept4, "accept4", (int fd, void *peer, socklen_t *length, int flags),
         (fd, peer, length, flags), failed(error));
STAND_IN(int, socketpair, "socketpair", (int family, int type, int protocol, int *ends),
         (family, type, protocol, ends), failed(error));
STAND_IN(int, shutdown, "shutdown", (int fd, int how), (fd, how), failed(error));

STAND_IN(int, epoll_create1, "epoll_create1", (int flags), (flags), failed(error));
STAND_IN(int, epoll_ctl, what == EPOLL_CTL_DEL ? "epoll_delete" : "epoll_add",
         (int epoll, int what, int fd, struct epoll_event *event), (epoll, what, fd, event),
         failed(error));
STAND_IN(int, timerfd_create, "timerfd_create", (int watch, int flags), (watch, flags),
         failed(error));
STAND_IN(int, timerfd_settime, "timerfd_settime",
         (int fd, int flags, const struct itimerspec *due, struct itimerspec *before),
         (fd, flags, due, before), failed(error));
STAND_IN(int, eventfd, "eventfd", (unsigned int value, int flags), (value, flags), failed(error));

STAND_IN(int, chmod, "chmod", (const char *path, mode_t mode), (path, mode), failed(error));
STAND_IN(int, fchmod, "fchmod", (int fd, mode_t mode), (fd, mode), failed(error));
STAND_IN(int, link, "link", (const char *from, const char *to), (from, to), failed(error));
STAND_IN(int, lstat, "lstat", (const char *path, struct stat *status), (path, status),
         failed(error));
STAND_IN(int, lstat64, "lstat", (const char *path, void *status), (path, status), failed(error));
STAND_IN(int, fstat, "fstat", (int fd, struct stat *status), (fd, status), failed(error));
STAND_IN(int, fstat64, "fstat", (int fd, void *status), (fd, status), failed(error));
STAND_IN(off_t, lseek, "lseek", (int fd, off_t offset, int whence), (fd, offset, whence),
         failed(error));
STAND_IN(int64_t, lseek64, "lseek", (int fd, int64_t offset, int whence), (fd, offset, whence),
         failed(error));
STAND_IN(ssize_t, write, "write", (int fd, const void *bytes, size_t size), (fd, bytes, size),
         failed(error));

STAND_IN(int, fflush, "fflush", (FILE * stream), (stream), failed(error));
STAND_IN(int, fileno, "fileno", (FILE * stream), (stream), failed(error));
STAND_IN(long, ftello, "ftello", (FILE * stream), (stream), failed(error));
STAND_IN(int64_t, ftello64, "ftello", (FILE * stream), (stream), failed(error));
STAND_IN(int, fseeko, "fseeko", (FILE * stream, off_t offset, int whence), (stream, offset, whence),
         failed(error));
STAND_IN(int, fseeko64, "fseeko", (FILE * stream, int64_t offset, int whence),
         (stream, offset, whence), failed(error));

STAND_IN(int, getaddrinfo, "getaddrinfo",
         (const char *name, const char *service, const struct addrinfo *hints,
          struct addrinfo **found),
         (name, service, hints, found), (errno = EMFILE, error));
STAND_IN(int, getnameinfo, "getnameinfo",
         (const void *address, socklen_t length, char *host, socklen_t host_size, char *service,
          socklen_t service_size, int flags),
         (address, length, host, host_size, service, service_size, flags), error);
STAND_IN(int, getifaddrs, "getifaddrs", (void **all), (all), failed(error));
STAND_IN_WHERE(result != 0, unsigned int, if_nametoindex, "if_nametoindex", (const char *name),
               (name), (errno = error, 0));
STAND_IN_WHERE(result != 0, char *, if_indextoname, "if_indextoname",
               (unsigned int index, char *name), (index, name), failed_pointer(error));
STAND_IN(int, gethostname, "gethostname", (char *name, size_t size), (name, size), failed(error));
STAND_IN(int, getrlimit, "getrlimit", (int what, void *limit), (what, limit), failed(error));
STAND_IN(int, getrlimit64, "getrlimit", (int what, void *limit), (what, limit), failed(error));
STAND_IN(int, unsetenv, "unsetenv", (const char *name), (name), failed(error));

STAND_IN(int, pthread_condattr_init, "pthread_condattr_init", (pthread_condattr_t * attributes),
         (attributes), error);
STAND_IN(int, pthread_attr_init, "pthread_attr_init", (pthread_attr_t * attributes), (attributes),
         error);
STAND_IN(int, pthread_mutex_init, "pthread_mutex_init",
         (pthread_mutex_t * mutex, const pthread_mutexattr_t *attributes), (mutex, attributes),
         error);
STAND_IN(int, sigpending, "sigpending", (sigset_t * set), (set), failed(error));
STAND_IN(int, sigtimedwait, "sigtimedwait",
         (const sigset_t *set, siginfo_t *info, const struct timespec *timeout),
         (set, info, timeout), failed(error));


/*
** Those with arguments that vary
*/

static int open_stand_in(const char *symbol, const void *caller, const char *path, int flags,
                         mode_t mode) {
  int (*function)(const char *, int, mode_t);
  int error = fails("open", caller);
  if (error != 0)
    return failed(error);
  function = (__typeof__(function))next_of(symbol);
  return (int)passed(function(path, flags, mode), caller);
}


#define OPEN(symbol)                                                                               \
  EXPORT int stand_in_##symbol(const char *path, int flags, ...) __asm__(#symbol);                 \
  EXPORT int stand_in_##symbol(const char *path, int flags, ...) {                                 \
    mode_t mode = 0;                                                                               \
    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {                                                    \
      va_list arguments;                                                                           \
      va_start(arguments, flags);                                                                  \
      mode = va_arg(arguments, mode_t);                                                            \
      va_end(arguments);                                                                           \
    }                                                                                              \
    return open_stand_in(#symbol, __builtin_return_address(0), path, flags, mode);                 \
  }                                                                                                \
  struct expects_a_semicolon

OPEN(open);
OPEN(open64);


STAND_IN(int, __open_2, "open", (const char *path, int flags), (path, flags), failed(error));
STAND_IN(int, __open64_2, "open", (const char *path, int flags), (path, flags), failed(error));


static int fcntl_stand_in(const char *symbol, const void *caller, int fd, int command,
                          void *argument) {
  int (*function)(int, int, void *);
  int error = fails("fcntl", caller);
  if (error != 0)
    return failed(error);
  function = (__typeof__(function))next_of(symbol);
  return (int)passed(function(fd, command, argument), caller);
}


#define FCNTL(symbol)                                                                              \
  EXPORT int stand_in_##symbol(int fd, int command, ...) __asm__(#symbol);                         \
  EXPORT int stand_in_##symbol(int fd, int command, ...) {                                         \
    va_list arguments;                                                                             \
    void *argument;                                                                                \
    va_start(arguments, command);                                                                  \
    argument = va_arg(arguments, void *);                                                          \
    va_end(arguments);                                                                             \
    return fcntl_stand_in(#symbol, __builtin_return_address(0), fd, command, argument);            \
  }                                                                                                \
  struct expects_a_semicolon

FCNTL(fcntl);
FCNTL(fcntl64);


/* The one call that is made through it: renameat2(2). */
EXPORT long stand_in_syscall(long number, ...) __asm__("syscall");
EXPORT long stand_in_syscall(long number, ...) {
  long (*function)(long, ...);
  long a[6];
  va_list arguments;
  const void *caller = __builtin_return_address(0);
  int i, error = fails("renameat2", caller);
  va_start(arguments, number);
  for (i = 0; i < 6; i++)
    a[i] = va_arg(arguments, long);
  va_end(arguments);
  if (error != 0)
    return failed(error);
  NEXT(function, "syscall");
  return passed(function(number, a[0], a[1], a[2], a[3], a[4], a[5]), caller);
}


static int printed(const char *format, va_list arguments, FILE *stream, const void *caller) {
  int error = fails("fprintf", caller);
  return error != 0 ? failed(error) : vfprintf(stream, format, arguments);
}


EXPORT int stand_in_fprintf(FILE *stream, const char *format, ...) __asm__("fprintf")
    __attribute__((format(printf, 2, 3)));
EXPORT int stand_in_fprintf(FILE *stream, const char *format, ...) {
  va_list arguments;
  int count;
  va_start(arguments, format);
  count = printed(format, arguments, stream, __builtin_return_address(0));
  va_end(arguments);
  return count;
}


EXPORT int stand_in_fprintf_chk(FILE *stream, int flag, const char *format,
                                ...) __asm__("__fprintf_chk") __attribute__((format(printf, 3, 4)));
EXPORT int stand_in_fprintf_chk(FILE *stream, int flag, const char *format, ...) {
  va_list arguments;
  int count;
  (void)flag;
  va_start(arguments, format);
  count = printed(format, arguments, stream, __builtin_return_address(0));
  va_end(arguments);
  return count;
}


/*
** Those that may be done all the same
*/

EXPORT int stand_in_close(int fd) __asm__("close");
EXPORT int stand_in_close(int fd) {
  int (*function)(int);
  const void *caller = __builtin_return_address(0);
  const struct fault *fault = meet("close", caller);
  int status;
  NEXT(function, "close");
  if (fault_sabotage == SABOTAGE_CLOSE && counts(caller))
    return 0;
  if (fault != NULL && fault->mode == FAULT_FAIL)
    return failed(spoil(fault->error));
  status = function(fd);
  return fault != NULL ? failed(spoil(fault->error)) : (int)passed(status, caller);
}


EXPORT int stand_in_unlink(const char *path) __asm__("unlink");
EXPORT int stand_in_unlink(const char *path) {
  int (*function)(const char *);
  const void *caller = __builtin_return_address(0);
  int error = fails("unlink", caller);
  NEXT(function, "unlink");
  if (error != 0)
    return failed(error);
  return fault_sabotage == SABOTAGE_UNLINK && counts(caller) ? 0
                                                             : (int)passed(function(path), caller);
}


EXPORT int stand_in_bind(int fd, const void *address, socklen_t length) __asm__("bind");
EXPORT int stand_in_bind(int fd, const void *address, socklen_t length) {
  int (*function)(int, const void *, socklen_t);
  const void *caller = __builtin_return_address(0);
  int error = fails("bind", caller);
  NEXT(function, "bind");
  if (fault_sabotage == SABOTAGE_CRASH && counts(caller))
    abort();
  return error != 0 ? failed(error) : (int)passed(function(fd, address, length), caller);
}


/* A connect over IP that is interrupted goes on by itself; a Unix one has not begun. */
EXPORT int stand_in_connect(int fd, const struct sockaddr *address,
                            socklen_t length) __asm__("connect");
EXPORT int stand_in_connect(int fd, const struct sockaddr *address, socklen_t length) {
  int (*function)(int, const struct sockaddr *, socklen_t);
  const void *caller = __builtin_return_address(0);
  const struct fault *fault = meet("connect", caller);
  bool goes_on;
  NEXT(function, "connect");
  if (fault == NULL)
    return (int)passed(function(fd, address, length), caller);
  goes_on = address->sa_family != AF_UNIX &&
            (fault->error == EINTR || fault->error == EINPROGRESS || fault->error == EALREADY);
  if (goes_on && function(fd, address, length) != 0 && errno != EINPROGRESS && errno != EALREADY)
    return -1;
  return failed(spoil(fault->error));
}


static void *stay(void *unused) {
  (void)unused;
  for (;;)
    pause();
  return NULL;
}


EXPORT int stand_in_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                                   void *(*run)(void *), void *argument) __asm__("pthread_create");
EXPORT int stand_in_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                                   void *(*run)(void *), void *argument) {
  int (*function)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  const void *caller = __builtin_return_address(0);
  int error = fails("pthread_create", caller);
  NEXT(function, "pthread_create");
  if (error != 0)
    return error;
  if (fault_sabotage == SABOTAGE_THREAD && counts(caller)) {
    pthread_t extra;
    function(&extra, attributes, stay, NULL);
  }
  return function(thread, attributes, run, argument);
}


/* What dlsym(3) finds after this object is the C library's oldest version, of another
** layout. */
EXPORT int
stand_in_pthread_cond_init(pthread_cond_t *condition,
                           const pthread_condattr_t *attributes) __asm__("pthread_cond_init");
EXPORT int stand_in_pthread_cond_init(pthread_cond_t *condition,
                                      const pthread_condattr_t *attributes) {
  static const pthread_cond_t none = PTHREAD_COND_INITIALIZER;
  int error = fails("pthread_cond_init", __builtin_return_address(0));
  (void)attributes;
  if (error == 0)
    *condition = none;
  return error;
}


/* The time has come at once: an idle thread ends, and is not in the way of the next case. */
EXPORT int
stand_in_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                                const struct timespec *until) __asm__("pthread_cond_timedwait");
EXPORT int stand_in_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                                           const struct timespec *until) {
  (void)condition;
  (void)until;
  pthread_mutex_unlock(lock);
  sched_yield();
  pthread_mutex_lock(lock);
  return ETIMEDOUT;
}


EXPORT int stand_in_pthread_sigmask(int how, const sigset_t *set,
                                    sigset_t *before) __asm__("pthread_sigmask");
EXPORT int stand_in_pthread_sigmask(int how, const sigset_t *set, sigset_t *before) {
  int (*function)(int, const sigset_t *, sigset_t *);
  const void *caller = __builtin_return_address(0);
  int error = fails("pthread_sigmask", caller);
  NEXT(function, "pthread_sigmask");
  /* Nothing is said of what it leaves there then. */
  if (error != 0 && before != NULL)
    sigfillset(before);
  if (error != 0)
    return error;
  if (fault_sabotage == SABOTAGE_MASK && counts(caller) && how == SIG_SETMASK)
    return 0;
  return function(how, set, before);
}


/*
** Waits
*/

static int say_ready(struct pollfd *all, nfds_t count, bool which) {
  nfds_t i;
  for (i = 0; i < count; i++)
    all[i].revents = which && all[i].fd >= 0 ? all[i].events : 0;
  return which ? (int)count : 1;
}


static void hang(void) {
  for (;;)
    pause();
}


/* False: nothing was decided. */
static bool polled(const void *caller, struct pollfd *all, nfds_t count, int *status) {
  const struct fault *fault = meet("poll", caller);
  if (fault_sabotage == SABOTAGE_HANG && counts(caller))
    hang();
  if (fault == NULL)
    return false;
  switch (fault->mode) {
  case FAULT_READY:
    *status = say_ready(all, count, true);
    return true;
  case FAULT_BLANK:
    *status = say_ready(all, count, false);
    return true;
  case FAULT_QUIET:
    say_ready(all, count, false);
    *status = 0;
    return true;
  default:
    *status = failed(spoil(fault->error));
    return true;
  }
}


EXPORT int stand_in_poll(struct pollfd *all, nfds_t count, int timeout) __asm__("poll");
EXPORT int stand_in_poll(struct pollfd *all, nfds_t count, int timeout) {
  int (*function)(struct pollfd *, nfds_t, int);
  const void *caller = __builtin_return_address(0);
  int status;
  NEXT(function, "poll");
  if (polled(caller, all, count, &status))
    return status;
  return (int)passed(function(all, count, timeout), caller);
}


EXPORT int stand_in_poll_chk(struct pollfd *all, nfds_t count, int timeout,
                             size_t size) __asm__("__poll_chk");
EXPORT int stand_in_poll_chk(struct pollfd *all, nfds_t count, int timeout, size_t size) {
  int (*function)(struct pollfd *, nfds_t, int);
  const void *caller = __builtin_return_address(0);
  int status;
  (void)size;
  NEXT(function, "poll");
  if (polled(caller, all, count, &status))
    return status;
  return (int)passed(function(all, count, timeout), caller);
}


/*
** Data. A short call does a part of its work; a message is never cut.
*/

static bool is_stream(int fd) {
  int type = 0;
  socklen_t length = sizeof(type);
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type == SOCK_STREAM;
}


/* What is left of `size` where the fault makes it short; 0 and an error: it fails. */
static size_t share(const struct fault *fault, int fd, size_t size, int *error) {
  *error = 0;
  if (fault == NULL)
    return size;
  if (fault->mode != FAULT_SHORT) {
    *error = spoil(fault->error);
    return 0;
  }
  return size > LEAST && is_stream(fd) ? LEAST : size;
}


static ssize_t lose_byte(ssize_t got, int fd, const void *caller) {
  if (fault_sabotage != SABOTAGE_BYTE || got < 2 || !counts(caller) || !is_stream(fd))
    return got;
  return got - 1;
}


/* Each has the same tail: the fault, the size, the call itself. */
#define TRANSFER(symbol, name, parameters, arguments, size)                                        \
  EXPORT ssize_t stand_in_##symbol parameters __asm__(#symbol);                                    \
  EXPORT ssize_t stand_in_##symbol parameters {                                                    \
    static any_function *next;                                                                     \
    const void *caller = __builtin_return_address(0);                                              \
    int error;                                                                                     \
    size = share(meet(name, caller), fd, size, &error);                                            \
    if (error != 0)                                                                                \
      return failed(error);                                                                        \
    if (next == NULL)                                                                              \
      next = next_of(#symbol);                                                                     \
    return lose_byte(passed(((ssize_t(*) parameters)next)arguments, caller), fd, caller);          \
  }                                                                                                \
  struct expects_a_semicolon

TRANSFER(recv, "recv", (int fd, void *bytes, size_t size, int flags), (fd, bytes, size, flags),
         size);
TRANSFER(__recv_chk, "recv", (int fd, void *bytes, size_t size, size_t room, int flags),
         (fd, bytes, size, room, flags), size);
TRANSFER(recvfrom, "recvfrom",
         (int fd, void *bytes, size_t size, int flags, void *from, socklen_t *length),
         (fd, bytes, size, flags, from, length), size);
TRANSFER(__recvfrom_chk, "recvfrom",
         (int fd, void *bytes, size_t size, size_t room, int flags, void *from, socklen_t *length),
         (fd, bytes, size, room, flags, from, length), size);
TRANSFER(read, "read", (int fd, void *bytes, size_t size), (fd, bytes, size), size);
TRANSFER(__read_chk, "read", (int fd, void *bytes, size_t size, size_t room),
         (fd, bytes, size, room), size);
TRANSFER(pread, "pread", (int fd, void *bytes, size_t size, off_t offset),
         (fd, bytes, size, offset), size);
TRANSFER(pread64, "pread", (int fd, void *bytes, size_t size, int64_t offset),
         (fd, bytes, size, offset), size);
TRANSFER(__pread_chk, "pread", (int fd, void *bytes, size_t size, off_t offset, size_t room),
         (fd, bytes, size, offset, room), size);
TRANSFER(__pread64_chk, "pread", (int fd, void *bytes, size_t size, int64_t offset, size_t room),
         (fd, bytes, size, offset, room), size);
TRANSFER(send, "send", (int fd, const void *bytes, size_t size, int flags),
         (fd, bytes, size, flags), size);
TRANSFER(sendto, "sendto",
         (int fd, const void *bytes, size_t size, int flags, const void *to, socklen_t length),
         (fd, bytes, size, flags, to, length), size);
TRANSFER(sendfile, "sendfile", (int fd, int file, off_t *offset, size_t size),
         (fd, file, offset, size), size);
TRANSFER(sendfile64, "sendfile", (int fd, int file, int64_t *offset, size_t size),
         (fd, file, offset, size), size);


/* The first byte of the first part that has any. */
static struct iovec least_part(const struct msghdr *message) {
  struct iovec part = {NULL, 0};
  size_t i;
  for (i = 0; i < message->msg_iovlen && part.iov_len == 0; i++)
    part = message->msg_iov[i];
  if (part.iov_len > LEAST)
    part.iov_len = LEAST;
  return part;
}


EXPORT ssize_t stand_in_sendmsg(int fd, const struct msghdr *message, int flags) __asm__("sendmsg");
EXPORT ssize_t stand_in_sendmsg(int fd, const struct msghdr *message, int flags) {
  ssize_t (*function)(int, const struct msghdr *, int);
  const void *caller = __builtin_return_address(0);
  const struct fault *fault = meet("sendmsg", caller);
  struct msghdr cut = *message;
  struct iovec part;
  NEXT(function, "sendmsg");
  if (fault != NULL && fault->mode != FAULT_SHORT)
    return failed(spoil(fault->error));
  if (fault != NULL && is_stream(fd)) {
    part = least_part(message);
    cut.msg_iov = &part;
    cut.msg_iovlen = 1;
  }
  return passed(function(fd, &cut, flags), caller);
}


EXPORT ssize_t stand_in_recvmsg(int fd, struct msghdr *message, int flags) __asm__("recvmsg");
EXPORT ssize_t stand_in_recvmsg(int fd, struct msghdr *message, int flags) {
  ssize_t (*function)(int, struct msghdr *, int);
  const void *caller = __builtin_return_address(0);
  const struct fault *fault = meet("recvmsg", caller);
  struct iovec part, *whole = message->msg_iov;
  size_t count = message->msg_iovlen;
  ssize_t got;
  NEXT(function, "recvmsg");
  if (fault != NULL && fault->mode != FAULT_SHORT)
    return failed(spoil(fault->error));
  if (fault != NULL && is_stream(fd)) {
    part = least_part(message);
    message->msg_iov = &part;
    message->msg_iovlen = 1;
  }
  got = passed(function(fd, message, flags), caller);
  message->msg_iov = whole;
  message->msg_iovlen = count;
  return lose_byte(got, fd, caller);
}


static unsigned int fewer(const struct fault *fault, unsigned int count, int *error) {
  *error = fault != NULL && fault->mode != FAULT_SHORT ? spoil(fault->error) : 0;
  return fault != NULL && fault->mode == FAULT_SHORT && count > 1 ? 1 : count;
}


EXPORT int stand_in_sendmmsg(int fd, void *messages, unsigned int count,
                             int flags) __asm__("sendmmsg");
EXPORT int stand_in_sendmmsg(int fd, void *messages, unsigned int count, int flags) {
  int (*function)(int, void *, unsigned int, int);
  const void *caller = __builtin_return_address(0);
  int error;
  count = fewer(meet("sendmmsg", caller), count, &error);
  NEXT(function, "sendmmsg");
  return error != 0 ? failed(error) : (int)passed(function(fd, messages, count, flags), caller);
}


EXPORT int stand_in_recvmmsg(int fd, void *messages, unsigned int count, int flags,
                             struct timespec *timeout) __asm__("recvmmsg");
EXPORT int stand_in_recvmmsg(int fd, void *messages, unsigned int count, int flags,
                             struct timespec *timeout) {
  int (*function)(int, void *, unsigned int, int, struct timespec *);
  const void *caller = __builtin_return_address(0);
  int error;
  count = fewer(meet("recvmmsg", caller), count, &error);
  NEXT(function, "recvmmsg");
  return error != 0 ? failed(error)
                    : (int)passed(function(fd, messages, count, flags, timeout), caller);
}


/* glibc's bit for what ferror(3) tells. */
#define ERROR_SEEN 0x20

static size_t read_items(const void *caller, void *bytes, size_t size, size_t count, FILE *stream) {
  size_t (*function)(void *, size_t, size_t, FILE *);
  const struct fault *fault = meet("fread", caller);
  NEXT(function, "fread");
  if (fault == NULL)
    return function(bytes, size, count, stream);
  if (fault->mode == FAULT_SHORT)
    return function(bytes, size, count > LEAST ? LEAST : count, stream);
  stream->_flags |= ERROR_SEEN;
  errno = spoil(fault->error);
  return 0;
}


EXPORT size_t stand_in_fread(void *bytes, size_t size, size_t count, FILE *stream) __asm__("fread");
EXPORT size_t stand_in_fread(void *bytes, size_t size, size_t count, FILE *stream) {
  return read_items(__builtin_return_address(0), bytes, size, count, stream);
}


EXPORT size_t stand_in_fread_chk(void *bytes, size_t room, size_t size, size_t count,
                                 FILE *stream) __asm__("__fread_chk");
EXPORT size_t stand_in_fread_chk(void *bytes, size_t room, size_t size, size_t count,
                                 FILE *stream) {
  (void)room;
  return read_items(__builtin_return_address(0), bytes, size, count, stream);
}
