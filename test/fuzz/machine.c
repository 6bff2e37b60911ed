/*
** machine.c: the system that the product is linked to in the fuzz targets.
**
** Each call does what the system's would, as far as the product can tell, or
** fails with an errno that its manual page names: the next byte of luck says.
*/

#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FIRST_FD 3
#define MOST_FDS 8192
#define MOST_THREADS 64

struct thing {
  enum machine_kind kind;
  int family, type;
  bool is_open, is_nonblocking, is_cloexec, is_connected, is_connecting, listens;
  struct sockaddr_storage own, peer;
  socklen_t own_length, peer_length;
};

static struct thing things[MOST_FDS];
static int next_fd, open_count, list_count;
static struct input luck;
static int64_t now;

static struct {
  void *(*run)(void *);
  void *argument;
} threads[MOST_THREADS];
static int thread_count;

struct machine_hooks machine_hooks;


void machine_fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("FAILED: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  abort();
}


/*
** Luck
*/

/* Whether the call fails, with one of the errnos of a list that 0 ends. */
static bool fails(const int *errors) {
  uint8_t byte = input_byte(&luck);
  int count = 0;
  if (byte < 128)
    return false;
  while (errors[count] != 0)
    count++;
  errno = errors[(byte - 128) % count];
  return true;
}

#define FAILS(...) fails((const int[]){__VA_ARGS__, 0})


/* One of so many ways to go; 0 is the common one. */
static unsigned int way(unsigned int count) {
  uint8_t byte = input_byte(&luck);
  return byte < 128 ? 0 : (byte - 128u) % count;
}


/* The sanitizers see what is read here. */
static void look_at(const void *bytes, size_t length) {
  const volatile unsigned char *byte = bytes;
  while (length-- > 0)
    (void)*byte++;
}


/*
** Descriptors
*/

void machine_boot(struct input bytes) {
  next_fd = FIRST_FD;
  open_count = list_count = thread_count = 0;
  now = INT64_C(1000000000000);
  luck = bytes;
}


void machine_halt(void) {
  int fd;
  machine_run_threads();
  for (fd = FIRST_FD; open_count > 0 && fd < next_fd; fd++) {
    if (things[fd].is_open)
      machine_fail("descriptor %d was lost", fd);
  }
  if (list_count != 0)
    machine_fail("%d lists of addresses were not freed", list_count);
}


int machine_new(enum machine_kind kind, int family, int type) {
  struct thing *thing;
  if (next_fd == MOST_FDS) {
    errno = EMFILE;
    return -1;
  }
  thing = &things[next_fd];
  memset(thing, 0, sizeof(*thing));
  thing->kind = kind;
  thing->family = family;
  thing->type = type;
  thing->is_open = true;
  open_count++;
  return next_fd++;
}


bool machine_is_open(int fd) {
  return fd >= FIRST_FD && fd < next_fd && things[fd].is_open;
}


static struct thing *thing_of(int fd, const char *call) {
  if (!machine_is_open(fd))
    machine_fail("%s of descriptor %d, which is not open", call, fd);
  return &things[fd];
}


void machine_connect(int fd) {
  thing_of(fd, "connect")->is_connected = true;
}


void machine_close(int fd) {
  thing_of(fd, "close")->is_open = false;
  open_count--;
}


void machine_make_listener(int fd) {
  thing_of(fd, "listen")->listens = true;
}


bool machine_is_nonblocking(int fd) {
  return thing_of(fd, "look")->is_nonblocking;
}


bool machine_is_cloexec(int fd) {
  return thing_of(fd, "look")->is_cloexec;
}


bool machine_is_connected(int fd) {
  return thing_of(fd, "look")->is_connected;
}


int machine_open_count(void) {
  return open_count;
}


int machine_close_call(int fd) {
  machine_close(fd);
  return FAILS(EINTR, EIO) ? -1 : 0;
}


static int new_flagged(enum machine_kind kind, int family, int type, int flags) {
  int fd = machine_new(kind, family, type);
  if (fd < 0)
    return -1;
  things[fd].is_cloexec = (flags & SOCK_CLOEXEC) != 0;
  things[fd].is_nonblocking = (flags & SOCK_NONBLOCK) != 0;
  return fd;
}


int machine_socket(int family, int type, int protocol) {
  (void)protocol;
  if (FAILS(EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EAFNOSUPPORT, EPROTONOSUPPORT))
    return -1;
  return new_flagged(MACHINE_SOCKET, family, type & 0xf, type);
}


int machine_socketpair(int family, int type, int protocol, int ends[2]) {
  int i;
  if (FAILS(EMFILE, ENFILE, ENOMEM, EOPNOTSUPP))
    return -1;
  for (i = 0; i < 2; i++) {
    ends[i] = machine_socket(family, type, protocol);
    if (ends[i] < 0 && i == 1)
      machine_close(ends[0]);
    if (ends[i] < 0)
      return -1;
    things[ends[i]].is_connected = true;
  }
  return 0;
}


int machine_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
  const struct thing *listener = thing_of(fd, "accept");
  int accepted;
  (void)address;
  (void)length;
  if (FAILS(EAGAIN, ECONNABORTED, EMFILE, EINTR, EPROTO, ENOBUFS))
    return -1;
  accepted = new_flagged(MACHINE_SOCKET, listener->family, listener->type, flags);
  if (accepted >= 0)
    things[accepted].is_connected = true;
  return accepted;
}


/* No /proc: the library asks it for settings as it is loaded, before the machine begins. */
int machine_open(const char *path, int flags, ...) {
  look_at(path, strlen(path) + 1);
  (void)flags;
  if (!strncmp(path, "/proc/", strlen("/proc/"))) {
    errno = ENOENT;
    return -1;
  }
  return FAILS(ENOENT, EACCES, ELOOP, EMFILE) ? -1 : machine_new(MACHINE_FILE, 0, 0);
}


int machine_epoll_create1(int flags) {
  (void)flags;
  return FAILS(EMFILE, ENFILE, ENOMEM) ? -1 : machine_new(MACHINE_OTHER, 0, 0);
}


int machine_eventfd(unsigned int value, int flags) {
  (void)value;
  (void)flags;
  return FAILS(EMFILE, ENFILE, ENOMEM) ? -1 : machine_new(MACHINE_OTHER, 0, 0);
}


int machine_timerfd_create(int clock, int flags) {
  (void)clock;
  (void)flags;
  return FAILS(EMFILE, ENFILE, ENOMEM) ? -1 : machine_new(MACHINE_OTHER, 0, 0);
}


int machine_timerfd_settime(int fd, int flags, const struct itimerspec *due,
                            struct itimerspec *before) {
  (void)flags;
  (void)before;
  thing_of(fd, "timerfd_settime");
  if (due->it_value.tv_sec < 0 || due->it_value.tv_nsec < 0 || due->it_value.tv_nsec > 999999999)
    machine_fail("a timer of %ld s, %ld ns", (long)due->it_value.tv_sec, due->it_value.tv_nsec);
  return 0;
}


int machine_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
  thing_of(epoll, "epoll_ctl");
  thing_of(fd, "epoll_ctl");
  if (operation != EPOLL_CTL_DEL)
    look_at(event, sizeof(*event));
  return operation != EPOLL_CTL_DEL && FAILS(ENOMEM, ENOSPC) ? -1 : 0;
}


/* Whether a descriptor is open may be asked of any. */
int machine_fcntl(int fd, int command, ...) {
  struct thing *thing;
  va_list arguments;
  int argument;
  va_start(arguments, command);
  argument = va_arg(arguments, int);
  va_end(arguments);
  if (command == F_GETFD && !machine_is_open(fd)) {
    errno = EBADF;
    return -1;
  }
  thing = thing_of(fd, "fcntl");
  switch (command) {
  case F_GETFD:
    return thing->is_cloexec ? FD_CLOEXEC : 0;
  case F_SETFD:
    thing->is_cloexec = (argument & FD_CLOEXEC) != 0;
    return 0;
  case F_GETFL:
    return O_RDWR | (thing->is_nonblocking ? O_NONBLOCK : 0);
  case F_SETFL:
    if (FAILS(EPERM))
      return -1;
    thing->is_nonblocking = (argument & O_NONBLOCK) != 0;
    return 0;
  default:
    machine_fail("fcntl command %d", command);
  }
}


/*
** Time, and threads, which run when somebody waits
*/

void machine_pass(int milliseconds) {
  now += (int64_t)milliseconds * 1000000;
}


int machine_clock_gettime(clockid_t clock, struct timespec *out) {
  (void)clock;
  now += 1000;
  out->tv_sec = (time_t)(now / 1000000000);
  out->tv_nsec = (long)(now % 1000000000);
  return 0;
}


int machine_gettimeofday(struct timeval *out, void *zone) {
  (void)zone;
  out->tv_sec = (time_t)(now / 1000000000);
  out->tv_usec = (suseconds_t)(now / 1000 % 1000000);
  return 0;
}


pid_t machine_getpid(void) {
  return 4242;
}


int machine_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                           void *(*run)(void *), void *argument) {
  (void)thread;
  (void)attributes;
  if (thread_count == MOST_THREADS || way(2) == 1)
    return EAGAIN;
  threads[thread_count].run = run;
  threads[thread_count++].argument = argument;
  return 0;
}


/* All threads run one after the other: whoever waits, waits in vain. */
int machine_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                                   const struct timespec *until) {
  int64_t at = (int64_t)until->tv_sec * 1000000000 + until->tv_nsec;
  (void)condition;
  (void)lock;
  if (at > now)
    now = at;
  return ETIMEDOUT;
}


void machine_run_threads(void) {
  int i;
  for (i = 0; i < thread_count; i++)
    threads[i].run(threads[i].argument);
  thread_count = 0;
}


/* Some time passes, and perhaps all of it. */
static int wait_in_vain(struct pollfd *polled, nfds_t count, int ms) {
  nfds_t i;
  machine_pass(ms);
  for (i = 0; i < count; i++)
    polled[i].revents = 0;
  return 0;
}


int machine_poll(struct pollfd *polled, nfds_t count, int ms) {
  unsigned int how = way(4);
  int watched = 0;
  nfds_t i;
  for (i = 0; i < count; i++) {
    if (polled[i].fd < 0)
      continue;
    thing_of(polled[i].fd, "poll");
    watched++;
  }
  if (how == 1) {
    errno = EINTR;
    return -1;
  }
  if (watched == 0 || (how == 2 && ms >= 0))
    return wait_in_vain(polled, count, ms);
  machine_run_threads();
  for (i = 0; i < count; i++)
    polled[i].revents = polled[i].fd < 0 ? 0 : how == 3 ? POLLERR | POLLHUP : polled[i].events;
  return watched;
}


ssize_t machine_write(int fd, const void *bytes, size_t size) {
  look_at(bytes, size);
  thing_of(fd, "write");
  if (FAILS(EINTR))
    return -1;
  return (ssize_t)size;
}


/*
** Sockets
*/

static socklen_t fill_name(struct sockaddr *out, socklen_t room,
                           const struct sockaddr_storage *name, socklen_t length) {
  memcpy(out, name, length < room ? length : room);
  return length;
}


/* Of the family, and all of it. */
static void check_address(const struct thing *thing, const struct sockaddr *address,
                          socklen_t length, const char *call) {
  socklen_t least = thing->family == AF_INET    ? sizeof(struct sockaddr_in)
                    : thing->family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                : offsetof(struct sockaddr_un, sun_path) + 1;
  look_at(address, length);
  if (length < sizeof(sa_family_t) || length > sizeof(struct sockaddr_un))
    machine_fail("%s with an address of %u bytes", call, (unsigned int)length);
  if (address->sa_family == AF_UNSPEC)
    return;
  if (address->sa_family != thing->family)
    machine_fail("%s of a socket of family %d with an address of family %d", call, thing->family,
                 address->sa_family);
  if (length < least)
    machine_fail("%s with an address of %u bytes", call, (unsigned int)length);
}


int machine_bind(int fd, const struct sockaddr *address, socklen_t length) {
  struct thing *thing = thing_of(fd, "bind");
  check_address(thing, address, length, "bind");
  if (machine_hooks.setname != NULL)
    return machine_hooks.setname(fd, address, length);
  if (FAILS(EADDRINUSE, EACCES, EADDRNOTAVAIL, EINVAL, EAFNOSUPPORT, ENOENT, ENOTDIR, EROFS))
    return -1;
  thing->own_length = length;
  memcpy(&thing->own, address, length);
  return 0;
}


int machine_listen(int fd, int backlog) {
  struct thing *thing = thing_of(fd, "listen");
  if (backlog <= 0)
    machine_fail("a backlog of %d", backlog);
  if (FAILS(EADDRINUSE, EOPNOTSUPP))
    return -1;
  thing->listens = true;
  return 0;
}


int machine_connect_call(int fd, const struct sockaddr *address, socklen_t length) {
  static const int others[] = {ECONNREFUSED, ENETUNREACH, EHOSTUNREACH,  ETIMEDOUT, EINPROGRESS,
                               EACCES,       EPERM,       EADDRNOTAVAIL, EINTR,     0};
  static const int unix_ones[] = {ECONNREFUSED, ENOENT, EPROTOTYPE, EACCES, EAGAIN, EINTR, 0};
  struct thing *thing = thing_of(fd, "connect");
  check_address(thing, address, length, "connect");
  if (machine_hooks.setname != NULL)
    return machine_hooks.setname(fd, address, length);
  thing->is_connected = false;
  if (address->sa_family == AF_UNSPEC)
    return 0;
  thing->peer_length = length;
  memcpy(&thing->peer, address, length);
  if (fails(thing->family == AF_UNIX ? unix_ones : others)) {
    thing->is_connecting = errno == EINPROGRESS || (errno == EINTR && thing->family != AF_UNIX);
    return -1;
  }
  thing->is_connected = true;
  /* A closed port of this machine, which got connected to itself. */
  if (way(2) == 1) {
    thing->own = thing->peer;
    thing->own_length = length;
  }
  return 0;
}


int machine_shutdown(int fd, int how) {
  (void)how;
  thing_of(fd, "shutdown");
  return FAILS(ENOTCONN, EINVAL) ? -1 : 0;
}


int machine_getsockname(int fd, struct sockaddr *address, socklen_t *length) {
  static const struct sockaddr_storage none;
  struct thing *thing = thing_of(fd, "getsockname");
  if (machine_hooks.getname != NULL)
    return machine_hooks.getname(fd, address, length);
  if (thing->kind != MACHINE_SOCKET) {
    errno = ENOTSOCK;
    return -1;
  }
  if (FAILS(ENOBUFS))
    return -1;
  if (thing->own_length > 0) {
    *length = fill_name(address, *length, &thing->own, thing->own_length);
    return 0;
  }
  *length = fill_name(address, *length, &none,
                      thing->family == AF_INET    ? sizeof(struct sockaddr_in)
                      : thing->family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                  : sizeof(sa_family_t));
  address->sa_family = (sa_family_t)thing->family;
  return 0;
}


int machine_getpeername(int fd, struct sockaddr *address, socklen_t *length) {
  struct thing *thing = thing_of(fd, "getpeername");
  if (!thing->is_connected) {
    errno = ENOTCONN;
    return -1;
  }
  if (machine_hooks.getname != NULL || thing->peer_length == 0)
    return machine_getsockname(fd, address, length);
  *length = fill_name(address, *length, &thing->peer, thing->peer_length);
  return 0;
}


/* The result of a connect that went on by itself. */
static int take_error(struct thing *thing) {
  int error = FAILS(ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ECONNRESET) ? errno : 0;
  thing->is_connected = thing->is_connected || (error == 0 && thing->is_connecting);
  thing->is_connecting = false;
  return error;
}


/* True: the machine knows the answer. */
static bool own_option(struct thing *thing, int level, int option, int *value) {
  if (level == SOL_SOCKET && option == SO_TYPE)
    *value = thing->type;
  else if (level == SOL_SOCKET && option == SO_ACCEPTCONN)
    *value = thing->listens;
  else if (level == SOL_SOCKET && option == SO_ERROR && machine_hooks.getsockopt == NULL)
    *value = take_error(thing);
  else
    return false;
  return true;
}


/* Of any descriptor at all, since this is how a program finds out what it is. */
int machine_getsockopt(int fd, int level, int option, void *value, socklen_t *length) {
  int integer;
  if (!machine_is_open(fd) || things[fd].kind != MACHINE_SOCKET) {
    errno = machine_is_open(fd) ? ENOTSOCK : EBADF;
    return -1;
  }
  if (own_option(&things[fd], level, option, &integer)) {
    *length = *length < sizeof(integer) ? *length : sizeof(integer);
    memcpy(value, &integer, *length);
    return 0;
  }
  if (machine_hooks.getsockopt != NULL)
    return machine_hooks.getsockopt(fd, level, option, value, length);
  if (FAILS(ENOPROTOOPT, EINVAL, ENOBUFS))
    return -1;
  memset(value, 0, *length);
  return 0;
}


int machine_setsockopt(int fd, int level, int option, const void *value, socklen_t length) {
  thing_of(fd, "setsockopt");
  look_at(value, length);
  if (machine_hooks.setsockopt != NULL)
    return machine_hooks.setsockopt(fd, level, option, value, length);
  return FAILS(ENOPROTOOPT, EINVAL, EPERM, ENODEV, EADDRINUSE, EDOM, ENOBUFS) ? -1 : 0;
}


/*
** Data
*/

ssize_t machine_recvmsg(int fd, struct msghdr *message, int flags) {
  thing_of(fd, "recvmsg");
  return machine_hooks.receive == NULL ? 0 : machine_hooks.receive(fd, message, flags);
}


ssize_t machine_recvfrom(int fd, void *room, size_t size, int flags, struct sockaddr *address,
                         socklen_t *length) {
  struct iovec part = {room, size};
  struct msghdr message;
  ssize_t got;
  memset(&message, 0, sizeof(message));
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_name = address;
  message.msg_namelen = length != NULL ? *length : 0;
  got = machine_recvmsg(fd, &message, flags);
  if (length != NULL)
    *length = message.msg_namelen;
  return got;
}


ssize_t machine_recv(int fd, void *room, size_t size, int flags) {
  return machine_recvfrom(fd, room, size, flags, NULL, NULL);
}


ssize_t machine_sendmsg(int fd, const struct msghdr *message, int flags) {
  ssize_t size = 0;
  size_t i;
  thing_of(fd, "sendmsg");
  for (i = 0; i < message->msg_iovlen; i++) {
    look_at(message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
    size += (ssize_t)message->msg_iov[i].iov_len;
  }
  look_at(message->msg_control, message->msg_controllen);
  return machine_hooks.send == NULL ? size : machine_hooks.send(fd, message, flags);
}


ssize_t machine_sendto(int fd, const void *bytes, size_t size, int flags,
                       const struct sockaddr *address, socklen_t length) {
  struct iovec part = {(void *)bytes, size};
  struct msghdr message;
  memset(&message, 0, sizeof(message));
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (address != NULL)
    check_address(thing_of(fd, "sendto"), address, length, "sendto");
  return machine_sendmsg(fd, &message, flags);
}


ssize_t machine_send(int fd, const void *bytes, size_t size, int flags) {
  return machine_sendto(fd, bytes, size, flags, NULL, 0);
}


int machine_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags) {
  unsigned int i;
  for (i = 0; i < count; i++)
    messages[i].msg_len = (unsigned int)machine_sendmsg(fd, &messages[i].msg_hdr, flags);
  return (int)count;
}


int machine_recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags,
                     struct timespec *timeout) {
  ssize_t got = machine_recvmsg(fd, &messages[0].msg_hdr, flags);
  (void)count;
  (void)timeout;
  messages[0].msg_len = (unsigned int)got;
  return got < 0 ? -1 : 1;
}


/*
** Files
*/

static int describe_file(struct stat *out, unsigned int how) {
  memset(out, 0, sizeof(*out));
  out->st_mode = (how == 1 ? S_IFSOCK | 0777 : how == 2 ? S_IFSOCK : S_IFREG | 0644);
  return 0;
}


int machine_stat(int fd, struct stat *out) {
  static const unsigned int kinds[] = {1, 2, 3};
  thing_of(fd, "fstat");
  return FAILS(EIO) ? -1 : describe_file(out, kinds[way(3)]);
}


/* Nothing is there, as a rule. */
int machine_lstat(const char *path, struct stat *out) {
  unsigned int how = way(5);
  look_at(path, strlen(path) + 1);
  if (how > 0 && how < 4)
    return describe_file(out, how);
  errno = how == 0 ? ENOENT : EACCES;
  return -1;
}


int machine_unlink(const char *path) {
  look_at(path, strlen(path) + 1);
  return FAILS(ENOENT, EACCES, EISDIR) ? -1 : 0;
}


int machine_link(const char *from, const char *to) {
  look_at(from, strlen(from) + 1);
  look_at(to, strlen(to) + 1);
  return FAILS(EEXIST, EACCES) ? -1 : 0;
}


int machine_chmod(const char *path, mode_t mode) {
  look_at(path, strlen(path) + 1);
  if (mode > 0777)
    machine_fail("chmod to %o", (unsigned int)mode);
  return FAILS(EPERM, ENOENT) ? -1 : 0;
}


int machine_fchmod(int fd, mode_t mode) {
  thing_of(fd, "fchmod");
  if (mode > 0777)
    machine_fail("fchmod to %o", (unsigned int)mode);
  return FAILS(EPERM, EINVAL) ? -1 : 0;
}


/* renameat2(2), which is all that needs it. */
long machine_syscall(long number, ...) {
  (void)number;
  return FAILS(EEXIST, ENOSYS, EINVAL, EACCES, ENOENT) ? -1 : 0;
}


/*
** Names
*/

int machine_getnameinfo(const struct sockaddr *address, socklen_t length, char *host,
                        socklen_t host_size, char *service, socklen_t service_size, int flags) {
  look_at(address, length);
  if ((flags & NI_NUMERICHOST) == 0 && host != NULL)
    return EAI_NONAME;
  return getnameinfo(address, length, host, host_size, service, service_size, flags);
}


unsigned int machine_if_nametoindex(const char *name) {
  if (strcmp(name, "lo") == 0)
    return 1;
  if (strcmp(name, "eth0") == 0)
    return 2;
  errno = ENODEV;
  return 0;
}


char *machine_if_indextoname(unsigned int index, char *name) {
  if (index == 1 || index == 2)
    return strcpy(name, index == 1 ? "lo" : "eth0");
  errno = ENXIO;
  return NULL;
}


static struct sockaddr_in lo = {.sin_family = AF_INET, .sin_addr = {0x0100007f}},
                          lo_mask = {.sin_family = AF_INET, .sin_addr = {0x000000ff}},
                          eth0 = {.sin_family = AF_INET, .sin_addr = {0x0100a8c0}},
                          eth0_mask = {.sin_family = AF_INET, .sin_addr = {0x00ffffff}};


/* One of them has no address yet. */
static struct ifaddrs interfaces[] = {{.ifa_next = &interfaces[1],
                                       .ifa_name = (char *)"lo",
                                       .ifa_addr = (struct sockaddr *)&lo,
                                       .ifa_netmask = (struct sockaddr *)&lo_mask},
                                      {.ifa_next = &interfaces[2], .ifa_name = (char *)"eth1"},
                                      {.ifa_name = (char *)"eth0",
                                       .ifa_addr = (struct sockaddr *)&eth0,
                                       .ifa_netmask = (struct sockaddr *)&eth0_mask}};


int machine_getifaddrs(struct ifaddrs **out) {
  if (FAILS(ENOMEM, ENOBUFS))
    return -1;
  *out = interfaces;
  list_count++;
  return 0;
}


void machine_freeifaddrs(struct ifaddrs *list) {
  if (list == interfaces)
    list_count--;
}


/* An entry and its address in one block. */
struct entry {
  struct addrinfo info;
  struct sockaddr_storage address;
};


static struct addrinfo *new_entry(int family, int type, int port, unsigned int number) {
  struct entry *entry = calloc(1, sizeof(*entry));
  entry->info.ai_family = family;
  entry->info.ai_socktype = type;
  entry->info.ai_addr = (struct sockaddr *)&entry->address;
  if (family == AF_INET) {
    struct sockaddr_in *in = (struct sockaddr_in *)&entry->address;
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)port);
    in->sin_addr.s_addr = htonl(0x7f000001 + number);
    entry->info.ai_addrlen = sizeof(*in);
  } else {
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&entry->address;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons((uint16_t)port);
    in6->sin6_addr.s6_addr[15] = (uint8_t)(1 + number);
    in6->sin6_addr.s6_addr[10] = in6->sin6_addr.s6_addr[11] = number == 3 ? 0xff : 0;
    in6->sin6_scope_id = number == 2 ? 2 : 0;
    entry->info.ai_addrlen = sizeof(*in6);
  }
  return &entry->info;
}


int machine_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                        struct addrinfo **out) {
  static const int errors[] = {EAI_NONAME,  EAI_AGAIN,  EAI_FAIL,  EAI_MEMORY,
                               EAI_SERVICE, EAI_SYSTEM, EAI_FAMILY};
  unsigned int how = way(16), count = how > 7 ? how - 7 : 1, i;
  int port = service == NULL ? 0 : atoi(service);
  struct addrinfo **last = out;
  if (name != NULL)
    look_at(name, strlen(name) + 1);
  errno = EMFILE;
  if (how > 0 && how < 8)
    return errors[how - 1];
  for (i = 0; i < count; i++) {
    int family = hints->ai_family != AF_UNSPEC ? hints->ai_family : i % 2 == 0 ? AF_INET6 : AF_INET;
    *last = new_entry(family, hints->ai_socktype, service != NULL && port == 0 ? 80 : port, i / 2);
    last = &(*last)->ai_next;
  }
  list_count++;
  return 0;
}


void machine_freeaddrinfo(struct addrinfo *list) {
  list_count--;
  while (list != NULL) {
    struct addrinfo *next = list->ai_next;
    free(list);
    list = next;
  }
}


/*
** The environment
*/

char *machine_getenv(const char *name) {
  return machine_hooks.getenv == NULL ? NULL : (char *)machine_hooks.getenv(name);
}


int machine_unsetenv(const char *name) {
  if (machine_hooks.unsetenv != NULL)
    machine_hooks.unsetenv(name);
  return 0;
}
