/*
** unix.c: descriptors and credentials that pass through Unix domain sockets.
**
** A descriptor is the process's from the moment recvmsg(2) returns. It goes
** at once to the object, into room that was there before the call, and leaves
** it only when the list that tells it to Lua is complete; so none is lost,
** whatever fails. A plain recv(2) would drop descriptors: all that reads from
** a Unix socket comes through here.
*/

#include "object.h"

#include <poll.h>

/* What one message may carry (SCM_MAX_FD of Linux). */
#define MOST_FDS 253

/* Room for that, and for what else a socket may be set to tell along with it:
** credentials, security labels, times. */
#define CONTROL_SIZE (CMSG_SPACE(MOST_FDS * sizeof(int)) + 512)

union control {
  struct cmsghdr align;
  char bytes[CONTROL_SIZE];
};

/*** @module sock99 */


/*
** Rights
*/

static bool reserve_rights(struct sock99_socket *s) {
  int count = s->rights != NULL ? s->rights->count : 0, capacity = count + MOST_FDS;
  struct sock99_rights *rights;
  if (s->rights != NULL && s->rights->capacity >= capacity)
    return true;
  rights = realloc(s->rights, sizeof(*rights) + (size_t)capacity * sizeof(int));
  if (rights == NULL)
    return false;
  if (s->rights == NULL)
    memset(rights, 0, sizeof(*rights));
  rights->capacity = capacity;
  s->rights = rights;
  return true;
}


/* An object without unclaimed descriptors holds no room for them. */
static void release_rights(struct sock99_socket *s) {
  if (s->rights == NULL || s->rights->count > 0 || s->rights->truncated)
    return;
  free(s->rights);
  s->rights = NULL;
}


/* Some systems let a message carry more than there is room for. */
static void keep_right(struct sock99_rights *rights, int fd) {
  if (S99_MSG_CMSG_CLOEXEC == 0)
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (rights->count < rights->capacity) {
    rights->fds[rights->count++] = fd;
    return;
  }
  close(fd);
  rights->truncated = true;
}


static void keep_rights(struct sock99_rights *rights, struct msghdr *message) {
  struct cmsghdr *header;
  for (header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
    const unsigned char *data = CMSG_DATA(header);
    size_t left = header->cmsg_len - (size_t)(data - (const unsigned char *)header);
    int fd;
    if (header->cmsg_level != SOL_SOCKET)
      continue;
    for (; left >= sizeof(fd); left -= sizeof(fd), data += sizeof(fd)) {
      memcpy(&fd, data, sizeof(fd));
      if (header->cmsg_type == SCM_RIGHTS)
        keep_right(rights, fd);
      else if (header->cmsg_type == S99_SCM_PIDFD)
        close(fd);
    }
  }
}


ssize_t sock99_receive_message_rights(struct sock99_socket *s, struct msghdr *message, int flags) {
  union control control;
  ssize_t got;
  int error;
  if (!reserve_rights(s)) {
    errno = ENOMEM;
    return -1;
  }
  message->msg_control = &control;
  message->msg_controllen = sizeof(control);
  got = recvmsg(s->fd, message, flags | S99_MSG_CMSG_CLOEXEC);
  error = errno;
  if (got >= 0) {
    keep_rights(s->rights, message);
    if ((message->msg_flags & MSG_CTRUNC) != 0)
      s->rights->truncated = true;
  }
  message->msg_control = NULL;
  release_rights(s);
  errno = error;
  return got;
}


ssize_t sock99_receive_rights(struct sock99_socket *s, void *room, size_t size, int flags) {
  struct msghdr message;
  struct iovec part;
  memset(&message, 0, sizeof(message));
  part.iov_base = room;
  part.iov_len = size;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return sock99_receive_message_rights(s, &message, flags);
}


void sock99_close_rights(struct sock99_socket *s) {
  struct sock99_rights *rights = s->rights;
  s->rights = NULL;
  while (rights != NULL && rights->count > 0)
    close(rights->fds[--rights->count]);
  free(rights);
}


/* nil, message, code; returns 3. */
static int refuse_family(lua_State *L, const char *method) {
  lua_pushnil(L);
  lua_pushfstring(L, "%s: not a Unix domain socket", method);
  lua_pushinteger(L, EAFNOSUPPORT);
  return 3;
}


/*
** Descriptors out
*/

/* Of an open Lua file, too. */
static int check_fd(lua_State *L, int index) {
  FILE *file;
  if (!sock99_isfile(L, index))
    return sock99_check_fd(L, index);
  file = sock99_tofile(L, index);
  return file != NULL ? fileno(file) : -1;
}


/* The descriptors from argument 3 on; how many. */
static int check_fds(lua_State *L, int fds[MOST_FDS]) {
  int i, count = lua_gettop(L) - 2;
  luaL_argcheck(L, count >= 1, 3, "a descriptor, or an object with one, expected");
  if (count > MOST_FDS) {
    lua_pushfstring(L, "more than %d descriptors in one call", MOST_FDS);
    luaL_argerror(L, 3 + MOST_FDS, lua_tostring(L, -1));
  }
  for (i = 0; i < count; i++)
    fds[i] = check_fd(L, 3 + i);
  return count;
}


static void attach(struct msghdr *message, union control *control, const int *fds, int count) {
  size_t size = (size_t)count * sizeof(int);
  struct cmsghdr *header;
  memset(control, 0, sizeof(*control));
  message->msg_control = control;
  message->msg_controllen = (S99_CONTROL_LENGTH)CMSG_SPACE(size);
  header = CMSG_FIRSTHDR(message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = (S99_CONTROL_LENGTH)CMSG_LEN(size);
  memcpy(CMSG_DATA(header), fds, size);
}


/* The descriptors go with the first byte; what is left of a stream's data goes
** on without them. */
static int send_with_fds(struct sock99_socket *s, const char *data, size_t length, const int *fds,
                         int count, size_t *sent) {
  int flags = sock99_message_flags(s), error = 0;
  union control control;
  struct sock99_wait wait;
  *sent = 0;
  sock99_begin_wait(s, &wait);
  while (error == 0 && *sent < length) {
    struct msghdr message;
    struct iovec part;
    ssize_t written;
    memset(&message, 0, sizeof(message));
    /* sendmsg(2) only reads it. */
    part.iov_base = (char *)data + *sent;
    part.iov_len = length - *sent;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (*sent == 0)
      attach(&message, &control, fds, count);
    written = sendmsg(s->fd, &message, flags);
    if (written >= 0) {
      *sent += (size_t)written;
      s->sent += (uint64_t)written;
      s->wants_writing = *sent < length && sock99_is_over(&wait);
      error = s->wants_writing ? SOCK99_TIMEOUT : 0;
    } else if (s99_would_block(errno)) {
      error = sock99_wait_for(s, &wait, POLLOUT);
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  return error;
}


/*** @type socket */

/*** Send data to a Unix peer, and descriptors with its first byte.

The peer gets descriptors of its own; yours stay open, and yours. A peer that
reads without asking for descriptors may lose them.
@function sendfds
@tparam string data at least 1 byte
@param fd a descriptor, a socket, a Lua file, or any object with `getfd`
@param ... more of them, 253 in all
@treturn[1] integer the number of bytes sent
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not
@treturn[2] integer the number of bytes sent; if it is not 0, the descriptors are sent, and
`send` goes on with the byte after them
@treturn[2] ?integer errno
@usage
assert(worker:sendfds('a connection', client))
client:close()
*/
static int l_sendfds(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  int fds[MOST_FDS], count, error = SOCK99_CLOSED;
  size_t length, sent = 0;
  const char *data = luaL_checklstring(L, 2, &length);
  luaL_argcheck(L, length > 0, 2, "at least 1 byte expected");
  count = check_fds(L, fds);
  if (s->fd >= 0 && s->family != AF_UNIX) {
    (void)refuse_family(L, "sendfds");
    lua_pushinteger(L, 0);
    lua_insert(L, -2);
    return 4;
  }
  if (s->fd >= 0)
    error = send_with_fds(s, data, length, fds, count, &sent);
  sock99_push_count(L, sent);
  return error == 0 ? 1 : sock99_push_partial(L, error);
}


/*
** Descriptors in
*/

static bool push_message_data(lua_State *L, struct sock99_socket *s) {
  int first, results;
  if (s->rights != NULL) {
    lua_pushliteral(L, "");
    return true;
  }
  lua_settop(L, 1);
  results = sock99_receive_message(L, s);
  first = lua_gettop(L) - results + 1;
  if (!lua_isnil(L, first)) {
    lua_settop(L, first);
    return true;
  }
  if (results == 4)
    lua_remove(L, first + 2);
  return false;
}


/* As many as there are, at most `max`, in a list on top of the stack. For the list
** Lua may collect garbage, and so close the object. */
static int push_list(lua_State *L, const struct sock99_socket *s, lua_Integer max) {
  int i, count = s->rights == NULL ? 0 : s->rights->count;
  if (count > max)
    count = (int)max;
  lua_createtable(L, count, 0);
  for (i = 0; i < count && s->rights != NULL; i++) {
    lua_pushinteger(L, s->rights->fds[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return i;
}


/* The first `count` belong to the caller from now on. */
static void hand_over(struct sock99_socket *s, int count) {
  struct sock99_rights *rights = s->rights;
  if (rights == NULL)
    return;
  rights->count -= count;
  memmove(rights->fds, rights->fds + count, (size_t)rights->count * sizeof(int));
  rights->truncated = false;
  release_rights(s);
}


/* The list is made before the bytes are taken: they stay if there is no memory for it. */
static int receive_stream_fds(lua_State *L, struct sock99_socket *s, lua_Integer max) {
  struct sock99_wait wait;
  int count;
  sock99_begin_wait(s, &wait);
  do {
    int error = s->fd < 0 ? SOCK99_CLOSED : 0;
    lua_settop(L, 1);
    if (error == 0 && s->rights == NULL && sock99_unread(&s->input) == 0)
      error = sock99_fill(L, s, &wait, 1);
    if (error != 0)
      return sock99_push_errno_failure(L, error);
    if (s->rights != NULL && s->rights->truncated)
      lua_pushliteral(L, "truncated");
    count = push_list(L, s, max);
  } while (!sock99_push_piece(L, &s->input, sock99_unread(&s->input), sock99_push_bytes, NULL));
  lua_insert(L, 2);
  if (lua_gettop(L) > 3)
    lua_insert(L, 3);
  hand_over(s, count);
  return lua_gettop(L) - 1;
}


static int receive_message_fds(lua_State *L, struct sock99_socket *s, lua_Integer max) {
  bool truncated;
  int count;
  if (!push_message_data(L, s))
    return 3;
  truncated = s->rights != NULL && s->rights->truncated;
  if (truncated)
    lua_pushliteral(L, "truncated");
  count = push_list(L, s, max);
  if (truncated)
    lua_insert(L, -2);
  hand_over(s, count);
  return truncated ? 3 : 2;
}


/*** Receive data, and the descriptors that came with it.

They are close-on-exec, and yours to close. What `receive` has read ahead, and
the descriptors that came with it, are there at once. `close` closes those that
nobody has asked for.
@function receivefds
@tparam[opt] integer max how many descriptors at most; more stay for the next
call, whose data is "" then
@treturn[1] string data: a message, or what is there of a stream
@treturn[1] table list of descriptors
@treturn[1] ?string "truncated" where the system had to close some, since the
process has too many open
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not
@treturn[2] ?integer errno; nil where the peer ended the stream
@usage
local data, fds = assert(master:receivefds())
local client = assert(sock99.wrap(fds[1]))
*/
static int l_receivefds(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  lua_Integer max = luaL_optinteger(L, 2, INT_MAX);
  luaL_argcheck(L, max >= 1, 2, "a number of descriptors, 1 or more, expected");
  if (s->fd < 0)
    return sock99_push_errno_failure(L, SOCK99_CLOSED);
  if (s->family != AF_UNIX)
    return refuse_family(L, "receivefds");
  return s->type == SOCK_STREAM ? receive_stream_fds(L, s, max) : receive_message_fds(L, s, max);
}


/*
** Credentials
*/

static void set_number(lua_State *L, const char *name, long long number) {
  if (number < 0)
    return;
  lua_pushinteger(L, (lua_Integer)number);
  lua_setfield(L, -2, name);
}


/*** Who is at the other end of a Unix domain connection.

It is who connected, listened, or made the pair; descriptors may have passed to
others since.
@function getpeercred
@treturn[1] table `pid`, `uid`, `gid`; macOS and the BSDs may not tell `pid`
@treturn[2] nil
@treturn[2] string why not
@treturn[2] ?integer errno
*/
static int l_getpeercred(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  struct s99_credentials peer;
  if (s->fd < 0)
    return sock99_push_errno_failure(L, SOCK99_CLOSED);
  if (s->family != AF_UNIX)
    return refuse_family(L, "getpeercred");
  if (s99_peer_credentials(s->fd, &peer) != 0)
    return sock99_push_errno_failure(L, errno);
  lua_createtable(L, 0, 3);
  set_number(L, "pid", peer.pid);
  set_number(L, "uid", peer.uid);
  set_number(L, "gid", peer.gid);
  return 1;
}


const luaL_Reg sock99_unix_methods[] = {
    {"sendfds", l_sendfds},
    {"receivefds", l_receivefds},
    {"getpeercred", l_getpeercred},
    {NULL, NULL},
};
