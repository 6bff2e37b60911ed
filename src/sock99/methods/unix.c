/*
** unix.c: passes descriptors and credentials over Unix domain sockets.
*/

#include "methods.h"

#include <poll.h>

/*** @module sock99 */


static int refuse_family(lua_State *L, const char *text, bool has_partial) {
  const struct sock99_failure failure = {
      .error = EAFNOSUPPORT, .text = text, .has_partial = has_partial};
  return sock99_push_failure(L, &failure);
}


/*
** Sending descriptors
*/

/* Reads the descriptors from argument 3 on. Returns how many. */
static int check_fds(lua_State *L, int fds[SOCK99_MOST_FDS]) {
  int i, count = lua_gettop(L) - 2;
  luaL_argcheck(L, count >= 1, 3, "a descriptor, or an object with one, expected");
  if (count > SOCK99_MOST_FDS)
    sock99_raise(L, 3 + SOCK99_MOST_FDS, "more than %d descriptors in one call", SOCK99_MOST_FDS);
  for (i = 0; i < count; i++)
    fds[i] = sock99_check_fd(L, 3 + i);
  return count;
}


static void attach(struct msghdr *message, union sock99_control *control, const int *fds,
                   int count) {
  size_t size = (size_t)count * sizeof(int);
  struct cmsghdr *header;
  memset(control, 0, sizeof(*control));
  message->msg_control = control;
  message->msg_controllen = (SOCK99_CONTROL_LENGTH)CMSG_SPACE(size);
  header = CMSG_FIRSTHDR(message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = (SOCK99_CONTROL_LENGTH)CMSG_LEN(size);
  memcpy(CMSG_DATA(header), fds, size);
}


/* The descriptors go with the first byte; what is left of a stream's data goes
** on without them. */
static int send_with_fds(lua_State *L, struct sock99_socket *s, const char *data, size_t length,
                         const int *fds, int count, size_t *sent) {
  int flags = sock99_message_flags(s), error = 0;
  union sock99_control control;
  struct sock99_limit limit;
  *sent = 0;
  sock99_begin_wait(s, &limit);
  while (error == 0 && *sent < length) {
    struct msghdr message;
    struct iovec part;
    ssize_t written;
    memset(&message, 0, sizeof(message));
    /* sendmsg(2) does not write to it. */
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
      s->wants_writing = *sent < length && sock99_is_over(&limit, (size_t)written);
      error = s->wants_writing ? SOCK99_TIMEOUT : sock99_try_again(L, s, &limit, POLLOUT, EINTR);
    } else {
      error = sock99_try_again(L, s, &limit, POLLOUT, errno);
    }
  }
  return error;
}


/*** The process at the other end.

@record peercred
@tfield integer pid -1 if unknown: the process is in another PID namespace, or the system
does not report it
@tfield integer uid
@tfield integer gid
*/

/*** @type socket */

/*** Send data to a Unix peer, and descriptors with its first byte.

The peer receives duplicates; yours stay open and remain yours. A peer that reads
without requesting descriptors may lose them.
@function sendfds
@tparam string data at least 1 byte
@tparam integer|table|file fd a descriptor, a socket, a Lua file, or any object with
`getfd`; it stays open
@tparam integer|table|file ... more descriptors, at most 253 in total
@treturn[1] integer the number of bytes sent
@treturn[2] nil
@treturn[2] string "timeout", "closed", or another error
@treturn[2] integer the number of bytes sent; if it is not 0, the descriptors have
been sent; continue with `send` and the next byte
@treturn[2] ?integer errno
@usage
assert(worker:sendfds('a connection', client))
client:close()
*/
static int l_sendfds(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  int fds[SOCK99_MOST_FDS], count, error = SOCK99_CLOSED;
  size_t length, sent = 0;
  const char *data = luaL_checklstring(L, 2, &length);
  luaL_argcheck(L, length > 0, 2, "at least 1 byte expected");
  count = check_fds(L, fds);
  if (s->family != AF_UNIX && (s->fd >= 0 || sock99_is_pending(s))) {
    lua_pushinteger(L, 0);
    return refuse_family(L, "sendfds: not a Unix domain socket", true);
  }
  if (s->fd >= 0)
    error = send_with_fds(L, s, data, length, fds, count, &sent);
  sock99_push_count(L, sent);
  return error == 0 ? 1 : sock99_fail_partial(L, error);
}


/*
** Receiving descriptors
*/

/* Pushes a list with space for the descriptors that there are, at most `max`. */
static int push_list(lua_State *L, const struct sock99_socket *s, long long max) {
  int count = s->rights == NULL ? 0 : s->rights->count;
  if (count > max)
    count = (int)max;
  lua_createtable(L, count, 0);
  return count;
}


/* Moves up to `count` descriptors, which belong to the caller from now on, to the list at
** index `list`, which has space for them: nothing here allocates, so no finalizer runs.
** Returns whether some were lost. */
static bool hand_over(lua_State *L, struct sock99_socket *s, int list, int count) {
  struct sock99_rights *rights = s->rights;
  bool truncated;
  int i;
  if (rights == NULL)
    return false;
  if (count > rights->count)
    count = rights->count;
  for (i = 0; i < count; i++) {
    lua_pushinteger(L, rights->fds[i]);
    lua_rawseti(L, list, i + 1);
  }
  truncated = rights->truncated;
  rights->truncated = false;
  rights->count -= count;
  memmove(rights->fds, rights->fds + count, (size_t)rights->count * sizeof(int));
  sock99_release_rights(s);
  return truncated;
}


/* Pushes data, list and, if some descriptors were lost, "truncated": the data is on top
** of the stack, the list below it, both as long as the object keeps its descriptors. */
static int push_fds(lua_State *L, struct sock99_socket *s, int count) {
  int data = lua_gettop(L);
  bool truncated = hand_over(L, s, data - 1, count);
  lua_pushvalue(L, data - 1);
  if (!truncated)
    return 2;
  lua_pushliteral(L, "truncated");
  return 3;
}


/* Creates the list before consuming the bytes, so that they stay if memory runs out. */
static int receive_stream_fds(lua_State *L, struct sock99_socket *s, long long max) {
  struct sock99_limit limit;
  size_t size;
  int count;
  sock99_begin_wait(s, &limit);
  do {
    int error = s->fd < 0 ? SOCK99_CLOSED : 0;
    lua_settop(L, 1);
    while (error == 0 && s->rights == NULL && sock99_unread(&s->input) == 0)
      error = sock99_fill(L, s, &limit, 1, &size);
    if (error != 0)
      return sock99_fail(L, error);
    count = push_list(L, s, max);
  } while (!sock99_push_piece(L, &s->input, sock99_unread(&s->input), sock99_push_bytes, NULL));
  return push_fds(L, s, count);
}


/* Pushes the next message, or "" if descriptors of the last one remain. */
static int push_data(lua_State *L, struct sock99_socket *s) {
  struct sock99_message in;
  int error;
  if (s->rights != NULL) {
    lua_pushliteral(L, "");
    return 0;
  }
  in.wants_from = false;
  error = sock99_receive_into_block(L, s, &in);
  if (error == 0 && in.length == 0 && s->type == SOCK_SEQPACKET)
    error = SOCK99_CLOSED;
  if (error == 0)
    sock99_push_message(L, &in, SIZE_MAX);
  return error;
}


/* The system no longer has the message, so it comes first. */
static int receive_message_fds(lua_State *L, struct sock99_socket *s, long long max) {
  int count, error = push_data(L, s);
  if (error != 0)
    return sock99_fail(L, error);
  count = push_list(L, s, max);
  lua_insert(L, -2);
  return push_fds(L, s, count);
}


/*** Receive data and the descriptors sent with it.

They are close-on-exec, and yours to close. Data that `receive` has read ahead, and
descriptors sent with it, are returned at once. `close` closes descriptors that were
not requested.
@function receivefds
@tparam[opt] integer max how many descriptors at most; the next call returns the
others, with the data ""
@treturn[1] string data: a message, or the available bytes of a stream
@treturn[1] integer[] descriptors
@treturn[1] ?'truncated' if the system closed some because the process has too many
open
@treturn[2] nil
@treturn[2] string "timeout", "closed", or another error
@treturn[2] ?integer errno; nil if the peer ended the stream
@usage
local data, fds = assert(master:receivefds())
local client = assert(sock99.wrap(fds[1]))
*/
static int l_receivefds(lua_State *L) {
  struct sock99_socket *s = sock99_check_any(L);
  long long max = sock99_opt_integer(L, 2, "max", 0, LLONG_MAX, INT_MAX);
  if (s->fd < 0 && !sock99_is_pending(s))
    return sock99_fail(L, SOCK99_CLOSED);
  if (s->family != AF_UNIX)
    return refuse_family(L, "receivefds: not a Unix domain socket", false);
  return s->type == SOCK_STREAM ? receive_stream_fds(L, s, max) : receive_message_fds(L, s, max);
}


/*
** Credentials
*/

static void set_number(lua_State *L, const char *name, long long number) {
  lua_pushinteger(L, (lua_Integer)number);
  lua_setfield(L, -2, name);
}


/*** Get the credentials of the peer of a Unix domain connection.

They are those of the process that connected, listened or created the pair; its
descriptor may have been passed to another process since.
@function getpeercred
@treturn[1] peercred
@treturn[2] nil
@treturn[2] string "closed" or another error
@treturn[2] ?integer errno
*/
static int l_getpeercred(lua_State *L) {
  const struct sock99_socket *s = sock99_check_any(L);
  struct sock99_credentials peer;
  if (s->fd < 0 && !sock99_is_pending(s))
    return sock99_fail(L, SOCK99_CLOSED);
  if (s->family != AF_UNIX)
    return refuse_family(L, "getpeercred: not a Unix domain socket", false);
  if (sock99_peer_credentials(s->fd, &peer) != 0)
    return sock99_fail(L, errno);
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
