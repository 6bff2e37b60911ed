/*
** support.c: test_support, the plain system calls that the Lua tests need on
** every Lua, so that no test depends on a library that some Lua lacks.
**
** Results are as luaposix's: what was asked for, or nil, message, errno. An
** address is (host, port), host numeric, or (path). Whatever waits for a peer
** waits PATIENCE at most, so that a fault is a failed test and not a hang.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "values/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#define PATIENCE 5000 /* ms */

/* Under valgrind and some shells the limit is huge, but most tests open few. */
#define MOST_DESCRIPTORS 1024


static int failure(lua_State *L, const char *call) {
  int error = errno;
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", call, strerror(error));
  lua_pushinteger(L, error);
  return 3;
}


static int outcome(lua_State *L, long result, const char *call) {
  if (result < 0)
    return failure(L, call);
  lua_pushinteger(L, (lua_Integer)result);
  return 1;
}


static int check_int(lua_State *L, int index) {
  return (int)luaL_checkinteger(L, index);
}


/*
** Addresses
*/

struct address {
  struct sockaddr_storage storage;
  socklen_t length;
};

static void to_path(lua_State *L, int index, struct address *out) {
  struct sockaddr_un *un = (void *)&out->storage;
  size_t length;
  const char *path = luaL_checklstring(L, index, &length);
  luaL_argcheck(L, length <= sizeof(un->sun_path), index, "path too long");
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path, path, length);
  if (path[0] != '\0' && length < sizeof(un->sun_path))
    length++;
  out->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}


static void to_address(lua_State *L, int index, struct address *out) {
  struct addrinfo hints, *found;
  const char *host;
  memset(out, 0, sizeof(*out));
  if (lua_isnoneornil(L, index + 1)) {
    to_path(L, index, out);
    return;
  }
  host = luaL_checkstring(L, index);
  memset(&hints, 0, sizeof(hints));
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  lua_pushvalue(L, index + 1);
  if (getaddrinfo(host, lua_tostring(L, -1), &hints, &found) != 0)
    luaL_argerror(L, index, "not a numeric address");
  lua_pop(L, 1);
  memcpy(&out->storage, found->ai_addr, found->ai_addrlen);
  out->length = found->ai_addrlen;
  freeaddrinfo(found);
}


/* host, port; or path, which is "" for a socket without a name. */
static int push_address(lua_State *L, const struct address *address) {
  const struct sockaddr_un *un = (const void *)&address->storage;
  char host[NI_MAXHOST], port[NI_MAXSERV];
  size_t length;
  if (address->storage.ss_family != AF_UNIX) {
    if (getnameinfo((const void *)&address->storage, address->length, host, sizeof(host), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
      return 0;
    lua_pushstring(L, host);
    lua_pushinteger(L, atoi(port));
    return 2;
  }
  length = address->length - offsetof(struct sockaddr_un, sun_path);
  if (length > 0 && un->sun_path[0] != '\0')
    length = strnlen(un->sun_path, length);
  lua_pushlstring(L, un->sun_path, length);
  return 1;
}


static int push_name(lua_State *L, int (*get)(int, struct sockaddr *, socklen_t *),
                     const char *call) {
  struct address address;
  memset(&address, 0, sizeof(address));
  address.length = sizeof(address.storage);
  if (get(check_int(L, 1), (void *)&address.storage, &address.length) != 0)
    return failure(L, call);
  return push_address(L, &address);
}


static int l_getsockname(lua_State *L) {
  return push_name(L, getsockname, "getsockname");
}


static int l_getpeername(lua_State *L) {
  return push_name(L, getpeername, "getpeername");
}


/*
** Sockets
*/

static int l_socket(lua_State *L) {
  static const char *const families[] = {"inet", "inet6", "unix", "route", NULL};
  static const char *const types[] = {"stream", "dgram", "seqpacket", "raw", NULL};
  static const int family_numbers[] = {AF_INET, AF_INET6, AF_UNIX, AF_ROUTE};
  static const int type_numbers[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW};
  int family = family_numbers[luaL_checkoption(L, 1, NULL, families)];
  int type = type_numbers[luaL_checkoption(L, 2, "stream", types)];
  return outcome(L, socket(family, type, type == SOCK_RAW ? IPPROTO_ICMP : 0), "socket");
}


static int l_bind(lua_State *L) {
  struct address address;
  to_address(L, 2, &address);
  return outcome(L, bind(check_int(L, 1), (void *)&address.storage, address.length), "bind");
}


static int l_connect(lua_State *L) {
  struct address address;
  to_address(L, 2, &address);
  return outcome(L, connect(check_int(L, 1), (void *)&address.storage, address.length), "connect");
}


static int l_listen(lua_State *L) {
  return outcome(L, listen(check_int(L, 1), check_int(L, 2)), "listen");
}


static bool is_ready(int fd, short events, int ms) {
  struct pollfd polled;
  polled.fd = fd;
  polled.events = events;
  polled.revents = 0;
  if (poll(&polled, 1, ms) > 0)
    return true;
  errno = ETIMEDOUT;
  return false;
}


static int l_accept(lua_State *L) {
  int fd = check_int(L, 1);
  if (!is_ready(fd, POLLIN, PATIENCE))
    return failure(L, "accept");
  return outcome(L, accept(fd, NULL, NULL), "accept");
}


/* send(fd, data) or send(fd, data, host, port) or send(fd, data, path) */
static int l_send(lua_State *L) {
  struct address address;
  size_t length;
  const char *data = luaL_checklstring(L, 2, &length);
  int fd = check_int(L, 1);
  if (lua_isnoneornil(L, 3))
    return outcome(L, send(fd, data, length, MSG_NOSIGNAL), "send");
  to_address(L, 3, &address);
  return outcome(
      L, sendto(fd, data, length, MSG_NOSIGNAL, (void *)&address.storage, address.length), "send");
}


/* data, and where it came from */
static int l_recv(lua_State *L) {
  struct address from;
  char data[65536];
  int fd = check_int(L, 1);
  ssize_t length;
  memset(&from, 0, sizeof(from));
  from.length = sizeof(from.storage);
  if (!is_ready(fd, POLLIN, PATIENCE))
    return failure(L, "recv");
  length = recvfrom(fd, data, sizeof(data), 0, (void *)&from.storage, &from.length);
  if (length < 0)
    return failure(L, "recv");
  lua_pushlstring(L, data, (size_t)length);
  return from.length > sizeof(sa_family_t) ? 1 + push_address(L, &from) : 1;
}


#define MOST_FDS 64

union control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(MOST_FDS * sizeof(int))];
};

static void one_part(struct msghdr *message, struct iovec *part, void *data, size_t length,
                     union control *control) {
  memset(message, 0, sizeof(*message));
  memset(control, 0, sizeof(*control));
  part->iov_base = data;
  part->iov_len = length;
  message->msg_iov = part;
  message->msg_iovlen = 1;
  message->msg_control = control;
  message->msg_controllen = sizeof(*control);
}


/* send_fds(fd, data, {fd, ...}) */
static int l_send_fds(lua_State *L) {
  size_t length, i, count = (size_t)lua_rawlen(L, 3);
  const char *data = luaL_checklstring(L, 2, &length);
  struct msghdr message;
  struct iovec part;
  union control control;
  struct cmsghdr *header;
  luaL_argcheck(L, count <= MOST_FDS, 3, "too many");
  one_part(&message, &part, (void *)data, length, &control);
  message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(count * sizeof(int));
  for (i = 0; i < count; i++) {
    int fd;
    lua_rawgeti(L, 3, (int)i + 1);
    fd = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    memcpy(CMSG_DATA(header) + i * sizeof(fd), &fd, sizeof(fd));
  }
  return outcome(L, sendmsg(check_int(L, 1), &message, MSG_NOSIGNAL), "sendmsg");
}


/* data, {fd, ...} */
static int l_recv_fds(lua_State *L) {
  char data[4096];
  int fd = check_int(L, 1), i = 0;
  ssize_t length;
  struct msghdr message;
  struct iovec part;
  union control control;
  struct cmsghdr *header;
  one_part(&message, &part, data, sizeof(data), &control);
  if (!is_ready(fd, POLLIN, PATIENCE) || (length = recvmsg(fd, &message, 0)) < 0)
    return failure(L, "recvmsg");
  lua_pushlstring(L, data, (size_t)length);
  lua_newtable(L);
  header = CMSG_FIRSTHDR(&message);
  if (header == NULL)
    return 2;
  for (; CMSG_LEN((size_t)(i + 1) * sizeof(fd)) <= header->cmsg_len; i++) {
    memcpy(&fd, CMSG_DATA(header) + (size_t)i * sizeof(fd), sizeof(fd));
    lua_pushinteger(L, fd);
    lua_rawseti(L, -2, i + 1);
  }
  return 2;
}


/* readable(fd, seconds) */
static int l_readable(lua_State *L) {
  lua_pushboolean(L, is_ready(check_int(L, 1), POLLIN, (int)(luaL_checknumber(L, 2) * 1000)));
  return 1;
}


/* arrived(fd): how many bytes of a stream wait in the system to be read */
static int l_arrived(lua_State *L) {
  int count = 0;
  if (ioctl(check_int(L, 1), FIONREAD, &count) != 0)
    return failure(L, "ioctl");
  return outcome(L, count, "ioctl");
}


/* Where there is none, the end of a stream is seen by reading only. */
#if !defined(POLLRDHUP)
#define POLLRDHUP POLLHUP
#endif

/* ended(fd): whether the peer has ended its stream, or it was reset; waits for it */
static int l_ended(lua_State *L) {
  lua_pushboolean(L, is_ready(check_int(L, 1), POLLRDHUP, PATIENCE));
  return 1;
}


static int l_getsockopt(lua_State *L) {
  int value = 0;
  socklen_t length = sizeof(value);
  if (getsockopt(check_int(L, 1), check_int(L, 2), check_int(L, 3), &value, &length) != 0)
    return failure(L, "getsockopt");
  return outcome(L, value, "getsockopt");
}


static int l_linger(lua_State *L) {
  struct linger value;
  socklen_t length = sizeof(value);
  if (getsockopt(check_int(L, 1), SOL_SOCKET, SO_LINGER, &value, &length) != 0)
    return failure(L, "getsockopt");
  lua_pushboolean(L, value.l_onoff);
  lua_pushinteger(L, value.l_linger);
  return 2;
}


/*
** Descriptors
*/

static int l_nonblocking(lua_State *L) {
  lua_pushboolean(L, fcntl(check_int(L, 1), F_GETFL) & O_NONBLOCK);
  return 1;
}


/* Of all descriptors that share it. */
static int l_set_nonblocking(lua_State *L) {
  int fd = check_int(L, 1), flags = fcntl(fd, F_GETFL);
  flags = lua_toboolean(L, 2) ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  return outcome(L, fcntl(fd, F_SETFL, flags), "fcntl");
}


static int l_dup(lua_State *L) {
  return outcome(L, dup(check_int(L, 1)), "dup");
}


static int l_cloexec(lua_State *L) {
  lua_pushboolean(L, fcntl(check_int(L, 1), F_GETFD) & FD_CLOEXEC);
  return 1;
}


/* descriptors([most]): the open ones, as keys. */
static int l_descriptors(lua_State *L) {
  int most = (int)luaL_optinteger(L, 1, MOST_DESCRIPTORS);
  int fd;
  lua_newtable(L);
  for (fd = 0; fd < most; fd++) {
    if (fcntl(fd, F_GETFD) < 0)
      continue;
    lua_pushboolean(L, 1);
    lua_rawseti(L, -2, fd);
  }
  return 1;
}


static int l_close(lua_State *L) {
  return outcome(L, close(check_int(L, 1)), "close");
}


/* dup2(fd, other): `other` outlives exec, whatever fd does. */
static int l_dup2(lua_State *L) {
  return outcome(L, dup2(check_int(L, 1), check_int(L, 2)), "dup2");
}


static int l_read(lua_State *L) {
  char data[4096];
  ssize_t length = read(check_int(L, 1), data, sizeof(data));
  if (length < 0)
    return failure(L, "read");
  lua_pushlstring(L, data, (size_t)length);
  return 1;
}


static int l_write(lua_State *L) {
  size_t length;
  const char *data = luaL_checklstring(L, 2, &length);
  return outcome(L, write(check_int(L, 1), data, length), "write");
}


static int l_pipe(lua_State *L) {
  int ends[2];
  if (pipe(ends) != 0)
    return failure(L, "pipe");
  lua_pushinteger(L, ends[0]);
  lua_pushinteger(L, ends[1]);
  return 2;
}


/*
** Files
*/

static const char *file_type(mode_t mode) {
  switch (mode & S_IFMT) {
  case S_IFSOCK:
    return "socket";
  case S_IFREG:
    return "file";
  case S_IFDIR:
    return "directory";
  case S_IFLNK:
    return "link";
  case S_IFIFO:
    return "fifo";
  default:
    return "other";
  }
}


/* type, permission bits, inode; of a symbolic link, not of what it leads to */
static int l_stat(lua_State *L) {
  struct stat status;
  if (lstat(luaL_checkstring(L, 1), &status) != 0)
    return failure(L, "lstat");
  lua_pushstring(L, file_type(status.st_mode));
  lua_pushinteger(L, status.st_mode & 0777);
  lua_pushnumber(L, (lua_Number)status.st_ino);
  return 3;
}


/* mkdtemp([parent]) */
static int l_mkdtemp(lua_State *L) {
  char path[100];
  snprintf(path, sizeof(path), "%s/sock99-XXXXXX", luaL_optstring(L, 1, "/tmp"));
  if (mkdtemp(path) == NULL)
    return failure(L, "mkdtemp");
  lua_pushstring(L, path);
  return 1;
}


static int l_mkdir(lua_State *L) {
  return outcome(L, mkdir(luaL_checkstring(L, 1), 0700), "mkdir");
}


static int l_chdir(lua_State *L) {
  return outcome(L, chdir(luaL_checkstring(L, 1)), "chdir");
}


static int l_chmod(lua_State *L) {
  return outcome(L, chmod(luaL_checkstring(L, 1), (mode_t)check_int(L, 2)), "chmod");
}


static int l_symlink(lua_State *L) {
  return outcome(L, symlink(luaL_checkstring(L, 1), luaL_checkstring(L, 2)), "symlink");
}


static int l_umask(lua_State *L) {
  return outcome(L, (long)umask((mode_t)check_int(L, 1)), "umask");
}


/*
** Processes
*/

static int l_fork(lua_State *L) {
  return outcome(L, fork(), "fork");
}


static int l_exit(lua_State *L) {
  _exit(check_int(L, 1));
  return 0;
}


/* The exit status; above 128: the signal that ended it. */
static int l_wait(lua_State *L) {
  int status;
  pid_t pid = check_int(L, 1);
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR)
      return failure(L, "waitpid");
  }
  return outcome(L, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), "waitpid");
}


/* kill(pid): SIGKILL, so that it ends whatever it does */
static int l_kill(lua_State *L) {
  pid_t pid = check_int(L, 1);
  luaL_argcheck(L, pid > 1, 1, "not a process of ours");
  return outcome(L, kill(pid, SIGKILL), "kill");
}


/* Does not return if all is well: a shell runs the command in this process. */
static int l_execute(lua_State *L) {
  const char *command = luaL_checkstring(L, 1);
  execl("/bin/sh", "sh", "-c", command, (char *)NULL);
  return failure(L, "execl");
}


/* SIGALRM ends this process after so many seconds. */
static int l_end_after(lua_State *L) {
  alarm((unsigned int)check_int(L, 1));
  return 0;
}


/* end_with_parent(pid): from here on this process ends when its parent does,
** which was `pid` before the fork. Elsewhere than on Linux it outlives it. */
static int l_end_with_parent(lua_State *L) {
#if defined(__linux__)
  prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  if (getppid() != check_int(L, 1))
    _exit(1);
  return 0;
}


static int l_getpid(lua_State *L) {
  return outcome(L, getpid(), "getpid");
}


static int l_getuid(lua_State *L) {
  return outcome(L, (long)geteuid(), "geteuid");
}


static int l_setuid(lua_State *L) {
  return outcome(L, setuid((uid_t)check_int(L, 1)), "setuid");
}


/* Above the hard limit only root gets. */
static int l_limit_descriptors(lua_State *L) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = (rlim_t)check_int(L, 1);
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_cur > limit.rlim_max)
    limit.rlim_max = limit.rlim_cur;
  return outcome(L, setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
}


/* Files of this process end there; a write beyond fails with EFBIG. */
static int l_limit_file_size(lua_State *L) {
  struct rlimit limit;
  limit.rlim_cur = limit.rlim_max = (rlim_t)luaL_checkinteger(L, 1);
  signal(SIGXFSZ, SIG_IGN);
  return outcome(L, setrlimit(RLIMIT_FSIZE, &limit), "setrlimit");
}


#if defined(__linux__)

/* A network of this process's own, without any interface that is up. */
static int l_unshare_network(lua_State *L) {
  int result = unshare(CLONE_NEWNET);
  if (result != 0 && errno == EPERM)
    result = unshare(CLONE_NEWUSER | CLONE_NEWNET);
  return outcome(L, result, "unshare");
}


/* What deny knows: the call, and which of its arguments must be what; any
** call of that number where `argument` is negative. */
static const struct {
  const char *name;
  int number;
  int argument;
  int value;
} calls[] = {
    {"socket", SYS_socket, -1, 0},
    {"socket inet", SYS_socket, 0, AF_INET},
    {"socket inet6", SYS_socket, 0, AF_INET6},
    {"bind inet6", SYS_bind, 2, sizeof(struct sockaddr_in6)},
    {"listen", SYS_listen, -1, 0},
    {"fchmod", SYS_fchmod, -1, 0},
    {"fcntl F_SETFL", SYS_fcntl, 1, F_SETFL},
#if defined(SYS_chmod)
    {"chmod", SYS_chmod, -1, 0},
#else
    {"chmod", SYS_fchmodat, -1, 0},
#endif
};


/* From here on that system call fails, with that errno. */
static int deny(size_t call, int error) {
  bool any = calls[call].argument < 0;
  size_t argument = any ? 0 : (size_t)calls[call].argument;
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)calls[call].number, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
               (unsigned int)(offsetof(struct seccomp_data, args) + argument * 8)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)calls[call].value, 0, any ? 0 : 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter;
  filter.len = sizeof(program) / sizeof(program[0]);
  filter.filter = program;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return -1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}


static int l_deny(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  size_t i;
  for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
    if (strcmp(name, calls[i].name) == 0)
      return outcome(L, deny(i, check_int(L, 2)), "seccomp");
  }
  return luaL_argerror(L, 1, "unknown call");
}

#else

static int l_unshare_network(lua_State *L) {
  errno = ENOSYS;
  return failure(L, "unshare");
}


static int l_deny(lua_State *L) {
  errno = ENOSYS;
  return failure(L, "seccomp");
}

#endif


static int l_interface_up(lua_State *L) {
  struct ifreq request;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  int result;
  memset(&request, 0, sizeof(request));
  strncpy(request.ifr_name, luaL_checkstring(L, 1), sizeof(request.ifr_name) - 1);
  request.ifr_flags = IFF_UP;
  result = ioctl(fd, SIOCSIFFLAGS, &request);
  close(fd);
  return outcome(L, result, "SIOCSIFFLAGS");
}


/*
** Time and signals
*/

static volatile sig_atomic_t alarms;

static void count_alarm(int signal) {
  (void)signal;
  alarms++;
}


/* SIGALRM every so many seconds, interrupting what waits; 0 ends it and tells
** how often it came. */
static int l_alarms(lua_State *L) {
  double seconds = luaL_checknumber(L, 1);
  struct itimerval timer;
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = count_alarm;
  if (seconds > 0) {
    alarms = 0;
    sigaction(SIGALRM, &action, NULL);
  }
  timer.it_interval.tv_sec = (time_t)seconds;
  timer.it_interval.tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6);
  timer.it_value = timer.it_interval;
  if (setitimer(ITIMER_REAL, &timer, NULL) != 0)
    return failure(L, "setitimer");
  return outcome(L, alarms, "setitimer");
}


static lua_State *alarmed;
static int handler = LUA_NOREF;

static void run_handler(lua_State *L, lua_Debug *event) {
  (void)event;
  lua_sethook(L, NULL, 0, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, handler);
  lua_call(L, 0, 0);
}


static void hook_handler(int signal) {
  (void)signal;
  lua_sethook(alarmed, run_handler, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}


/* on_alarm(seconds, f): calls f once, in a hook, as lua(1) and luaposix run the handlers
** of signals. */
static int l_on_alarm(lua_State *L) {
  double seconds = luaL_checknumber(L, 1);
  struct itimerval timer;
  struct sigaction action;
  luaL_checktype(L, 2, LUA_TFUNCTION);
  luaL_unref(L, LUA_REGISTRYINDEX, handler);
  lua_settop(L, 2);
  handler = luaL_ref(L, LUA_REGISTRYINDEX);
  alarmed = L;
  memset(&action, 0, sizeof(action));
  action.sa_handler = hook_handler;
  sigaction(SIGALRM, &action, NULL);
  memset(&timer, 0, sizeof(timer));
  timer.it_value.tv_sec = (time_t)seconds;
  timer.it_value.tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6);
  return outcome(L, setitimer(ITIMER_REAL, &timer, NULL), "setitimer");
}


/* Whoever started us may have had SIGPIPE ignored. */
static int l_default_sigpipe(lua_State *L) {
  signal(SIGPIPE, SIG_DFL);
  (void)L;
  return 0;
}


static int l_sleep(lua_State *L) {
  poll(NULL, 0, (int)(luaL_checknumber(L, 1) * 1000));
  return 0;
}


static int l_now(lua_State *L) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
  return 1;
}


/*
** Memory
*/

static struct {
  lua_Alloc function;
  void *data;
  long left;
} allocator;


static void *starving(void *data, void *old, size_t old_size, size_t size) {
  if (size > (old != NULL ? old_size : 0) && allocator.left-- <= 0)
    return NULL;
  return allocator.function(data, old, old_size, size);
}


/* starve(n, f): calls f, where Lua gets memory n times and then no more; true
** unless it raised. */
static int l_starve(lua_State *L) {
  int status;
  allocator.left = (long)luaL_checkinteger(L, 1);
  lua_settop(L, 2);
  allocator.function = lua_getallocf(L, &allocator.data);
  lua_setallocf(L, starving, allocator.data);
  status = lua_pcall(L, 0, 0, 0);
  lua_setallocf(L, allocator.function, allocator.data);
  lua_pushboolean(L, status == 0);
  return 1;
}


/* attach_filter(fd, count): of so many instructions; it takes every packet. */
static int l_attach_filter(lua_State *L) {
#if defined(__linux__)
  struct sock_filter program[4096];
  struct sock_fprog filter = {0, program};
  int count = check_int(L, 2);
  luaL_argcheck(L, count >= 1 && count <= 4096, 2, "1 to 4096 expected");
  for (; filter.len < count; filter.len++) {
    struct sock_filter take = BPF_STMT(BPF_RET | BPF_K, 0xffff);
    program[filter.len] = take;
  }
  return outcome(L,
                 setsockopt(check_int(L, 1), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)),
                 "setsockopt");
#else
  lua_pushnil(L);
  lua_pushliteral(L, "this system has none");
  return 2;
#endif
}


/* lose(n): n bytes of C's memory, for tests that must notice a leak. */
static int l_lose(lua_State *L) {
  static void *volatile lost;
  lost = malloc((size_t)luaL_checkinteger(L, 1));
  lua_pushboolean(L, lost != NULL);
  return 1;
}


static const luaL_Reg functions[] = {
    {"socket", l_socket},
    {"bind", l_bind},
    {"connect", l_connect},
    {"listen", l_listen},
    {"accept", l_accept},
    {"send", l_send},
    {"recv", l_recv},
    {"send_fds", l_send_fds},
    {"recv_fds", l_recv_fds},
    {"readable", l_readable},
    {"arrived", l_arrived},
    {"ended", l_ended},
    {"getsockname", l_getsockname},
    {"getpeername", l_getpeername},
    {"getsockopt", l_getsockopt},
    {"attach_filter", l_attach_filter},
    {"linger", l_linger},
    {"nonblocking", l_nonblocking},
    {"set_nonblocking", l_set_nonblocking},
    {"dup", l_dup},
    {"cloexec", l_cloexec},
    {"descriptors", l_descriptors},
    {"close", l_close},
    {"dup2", l_dup2},
    {"read", l_read},
    {"write", l_write},
    {"pipe", l_pipe},
    {"stat", l_stat},
    {"mkdtemp", l_mkdtemp},
    {"mkdir", l_mkdir},
    {"chdir", l_chdir},
    {"chmod", l_chmod},
    {"symlink", l_symlink},
    {"umask", l_umask},
    {"fork", l_fork},
    {"exit", l_exit},
    {"wait", l_wait},
    {"kill", l_kill},
    {"execute", l_execute},
    {"end_after", l_end_after},
    {"end_with_parent", l_end_with_parent},
    {"getpid", l_getpid},
    {"getuid", l_getuid},
    {"setuid", l_setuid},
    {"limit_descriptors", l_limit_descriptors},
    {"limit_file_size", l_limit_file_size},
    {"unshare_network", l_unshare_network},
    {"deny", l_deny},
    {"interface_up", l_interface_up},
    {"alarms", l_alarms},
    {"on_alarm", l_on_alarm},
    {"default_sigpipe", l_default_sigpipe},
    {"sleep", l_sleep},
    {"now", l_now},
    {"starve", l_starve},
    {"lose", l_lose},
    {NULL, NULL},
};


static const struct {
  const char *name;
  int number;
} constants[] = {
    {"ETIMEDOUT", ETIMEDOUT},
    {"SOL_SOCKET", SOL_SOCKET},
    {"SO_REUSEADDR", SO_REUSEADDR},
    {"SO_KEEPALIVE", SO_KEEPALIVE},
    {"SO_BROADCAST", SO_BROADCAST},
    {"SO_RCVBUF", SO_RCVBUF},
    {"SO_TYPE", SO_TYPE},
    {"SO_ACCEPTCONN", SO_ACCEPTCONN},
    {"SO_ERROR", SO_ERROR},
    {"SOCK_STREAM", SOCK_STREAM},
    {"SOCK_DGRAM", SOCK_DGRAM},
    {"SOCK_SEQPACKET", SOCK_SEQPACKET},
    {"AF_INET", AF_INET},
    {"AF_INET6", AF_INET6},
    {"AF_UNIX", AF_UNIX},
    {"IPPROTO_TCP", IPPROTO_TCP},
    {"TCP_NODELAY", TCP_NODELAY},
    {"TCP_MAXSEG", TCP_MAXSEG},
    {"IPPROTO_IP", IPPROTO_IP},
    {"IP_TOS", IP_TOS},
    {"IP_TTL", IP_TTL},
    {"IPPROTO_IPV6", IPPROTO_IPV6},
    {"IPV6_V6ONLY", IPV6_V6ONLY},
    {"IPV6_UNICAST_HOPS", IPV6_UNICAST_HOPS},
#if defined(__linux__)
    {"SO_DOMAIN", SO_DOMAIN},
    {"TCP_KEEPIDLE", TCP_KEEPIDLE},
    {"TCP_USER_TIMEOUT", TCP_USER_TIMEOUT},
#endif
};


SOCK99_EXPORT int luaopen_test_support(lua_State *L);

int luaopen_test_support(lua_State *L) {
  size_t i;
  sock99_newlib(L, functions);
  for (i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
    lua_pushinteger(L, constants[i].number);
    lua_setfield(L, -2, constants[i].name);
  }
  lua_pushinteger(L, (lua_Integer)sizeof(((struct sockaddr_un *)0)->sun_path));
  lua_setfield(L, -2, "PATH_SIZE");
  return 1;
}
