/*
** sendfile.c: sends a file to a stream.
**
** The kernel copies a seekable file. A file that it cannot copy is read with
** pread(2), so bytes that were not sent remain in the file. A pipe or terminal
** yields each byte only once: bytes that were read but not sent are returned to
** the caller. Such a file, if opened by Lua, is read through its stdio buffer,
** which may already contain bytes.
*/

#include "methods.h"

#include <poll.h>

/* Bytes per system call; Linux sends 0x7ffff000 at most. */
#define LARGEST_PIECE ((uint64_t)1 << 30)

#define NO_COUNT UINT64_MAX

#define BUFFER_SIZE ((size_t)64 * 1024)

/* off_t has 32 bits on some systems. */
#define LARGEST_OFFSET (sizeof(off_t) > 4 ? INT64_MAX : INT32_MAX)


struct source {
  FILE *stream; /* NULL: only a descriptor */
  int fd;
  bool is_seekable;
  bool uses_position; /* starts at the file's position, and moves it */
  off_t offset;       /* of the next byte */
};

struct transfer {
  struct sock99_socket *s;
  struct sock99_limit limit;
  struct source source;
  uint64_t left, sent;
  char *buffer;                 /* a userdata; NULL where the kernel copies */
  size_t unsent, unsent_length; /* in the buffer */
};

/*** @module sock99 */


/*
** Arguments
*/

static void check_source(lua_State *L, struct source *source) {
  source->stream = NULL;
  source->is_seekable = false;
  if (sock99_isfile(L, 2)) {
    source->stream = sock99_tofile(L, 2);
    luaL_argcheck(L, source->stream != NULL, 2, "closed file");
    source->fd = fileno(source->stream);
  } else {
    luaL_argcheck(L, lua_type(L, 2) == LUA_TNUMBER, 2, "a file or a descriptor expected");
    source->fd = (int)sock99_check_integer(L, 2, "descriptor", 0, INT_MAX);
  }
}


static void check_arguments(lua_State *L, struct transfer *transfer) {
  struct source *source = &transfer->source;
  long long offset, count;
  check_source(L, source);
  source->uses_position = lua_isnoneornil(L, 3);
  offset = sock99_opt_integer(L, 3, "offset", 0, LARGEST_OFFSET, 0);
  source->offset = (off_t)offset;
  count = sock99_opt_integer(L, 4, "count", 0, LLONG_MAX, -1);
  transfer->left = count < 0 ? NO_COUNT : (uint64_t)count;
}


/*
** Positions
*/

static off_t current_position(const struct source *source) {
  return source->stream != NULL ? ftello(source->stream) : lseek(source->fd, 0, SEEK_CUR);
}


/* Finds the offset of the next byte, after flushing written bytes to the file. A pipe's
** stream is not flushed: some systems would drop its read buffer. Returns 0 or an
** errno. */
static int find_position(struct source *source) {
  off_t position = current_position(source);
  if (position < 0)
    return errno == ESPIPE && source->uses_position ? 0 : errno;
  while (source->stream != NULL && fflush(source->stream) != 0) {
    /* On BSD, flushing a read-only stream fails with EBADF. */
    if (errno == EBADF)
      break;
    if (errno != EINTR)
      return errno;
  }
  if (source->uses_position)
    source->offset = current_position(source);
  source->is_seekable = source->offset >= 0;
  return source->is_seekable ? 0 : errno;
}


/* Moves the file's position past the bytes sent. Returns 0 or an errno: the next call
** would send the same bytes again. */
static int move_position(const struct source *source) {
  int status = 0;
  if (!source->uses_position || !source->is_seekable || source->offset < 0)
    return 0;
  do {
    status = source->stream != NULL ? fseeko(source->stream, source->offset, SEEK_SET)
             : lseek(source->fd, source->offset, SEEK_SET) < 0 ? -1
                                                               : 0;
  } while (status != 0 && errno == EINTR);
  return status == 0 ? 0 : errno;
}


/*
** Copying in the kernel
*/

static void count_sent(struct transfer *transfer, size_t count) {
  transfer->sent += count;
  transfer->s->sent += count;
  transfer->left -= transfer->left == NO_COUNT ? 0 : count;
}


/* A peer that takes all at once must not keep the call from ending. */
static int end_in_time(struct transfer *transfer, size_t sent) {
  if (transfer->left == 0 || !sock99_is_over(&transfer->limit, sent))
    return 0;
  transfer->s->wants_writing = true;
  return SOCK99_TIMEOUT;
}


/* After a call on the socket that failed. A signal's handler may have closed the file. */
static int try_again(lua_State *L, struct transfer *transfer, int error) {
  error = sock99_try_again(L, transfer->s, &transfer->limit, POLLOUT, error);
  if (transfer->source.stream != NULL && sock99_tofile(L, 2) == NULL) {
    transfer->source.stream = NULL;
    transfer->source.uses_position = false;
    error = EBADF;
  }
  return error;
}


static size_t next_piece(const struct transfer *transfer) {
  uint64_t most = sock99_has_timeout(transfer->s) ? SOCK99_MOST_AT_ONCE : LARGEST_PIECE;
  return (size_t)(transfer->left < most ? transfer->left : most);
}


/* Until all is sent, or the file ends, which is 0; or an error. */
static int copy_in_kernel(struct transfer *transfer) {
  struct source *source = &transfer->source;
  int error = 0;
  while (error == 0 && transfer->left > 0) {
    size_t piece = next_piece(transfer);
    ssize_t sent = sock99_sendfile(transfer->s->fd, source->fd, &source->offset, piece);
    /* EINVAL: such a file has to be read. */
    if (sent < 0)
      return errno == EINVAL ? ENOSYS : errno;
    if (sent == 0)
      return 0;
    count_sent(transfer, (size_t)sent);
    error = end_in_time(transfer, (size_t)sent);
    /* A signal may have ended the call early. */
    if (error == 0 && (size_t)sent < piece && !sock99_has_timeout(transfer->s))
      error = EINTR;
  }
  return error;
}


static int copy_without_sigpipe(struct transfer *transfer) {
  struct sock99_sigpipe held;
  int error = sock99_begin_no_sigpipe(&held);
  if (error != 0)
    return error;
  error = copy_in_kernel(transfer);
  sock99_end_no_sigpipe(&held, error != 0);
  return error;
}


/* The signal is not held back while the call waits. ENOSYS: the file has to be read. */
static int copy_and_wait(lua_State *L, struct transfer *transfer) {
  int error;
  do {
    error = copy_without_sigpipe(transfer);
    if (error == EINTR || sock99_would_block(error)) {
      error = try_again(L, transfer, error);
      if (error == 0)
        continue;
    }
    return error;
  } while (true);
}


/*
** Reading and sending
*/

/* A signal's handler may have closed the file while the call waited for it. */
static int wait_for_source(lua_State *L, struct transfer *transfer) {
  int error = sock99_wait_for_fd(L, transfer->source.fd, &transfer->limit, POLLIN);
  return transfer->source.stream != NULL && sock99_tofile(L, 2) == NULL ? EBADF : error;
}


/* After a read that failed: 0 if it is to be repeated, else the error. */
static int wait_to_read(lua_State *L, struct transfer *transfer, int error) {
  if (error == EINTR)
    sock99_run_hooks(L);
  if (error == EINTR)
    return 0;
  return sock99_would_block(error) ? wait_for_source(L, transfer) : error;
}


static int read_position(lua_State *L, struct transfer *transfer, size_t size, ssize_t *got) {
  const struct source *source = &transfer->source;
  *got = pread(source->fd, transfer->buffer, size, source->offset);
  return *got < 0 ? wait_to_read(L, transfer, errno) : 0;
}


/* A pipe may keep us waiting as long as the object's timeouts allow. */
static int read_descriptor(lua_State *L, struct transfer *transfer, size_t size, ssize_t *got) {
  int error = wait_for_source(L, transfer);
  if (error != 0)
    return error;
  *got = read(transfer->source.fd, transfer->buffer, size);
  return *got < 0 ? wait_to_read(L, transfer, errno) : 0;
}


static int read_stream(lua_State *L, struct transfer *transfer, size_t size, ssize_t *got) {
  FILE *stream = transfer->source.stream;
  int error;
  clearerr(stream);
  *got = (ssize_t)fread(transfer->buffer, 1, size, stream);
  if (*got > 0 || !ferror(stream))
    return 0;
  error = errno;
  clearerr(stream);
  *got = -1;
  return wait_to_read(L, transfer, error);
}


/* 0 and what came, nothing at the end; or an error. */
static int read_some(lua_State *L, struct transfer *transfer, ssize_t *got) {
  const struct source *source = &transfer->source;
  size_t size = transfer->left < BUFFER_SIZE ? (size_t)transfer->left : BUFFER_SIZE;
  int error = 0;
  *got = -1;
  while (error == 0 && *got < 0) {
    if (source->is_seekable)
      error = read_position(L, transfer, size, got);
    else if (source->stream != NULL)
      error = read_stream(L, transfer, size, got);
    else
      error = read_descriptor(L, transfer, size, got);
  }
  return error;
}


static int send_block(lua_State *L, struct transfer *transfer, size_t count) {
  int flags = sock99_message_flags(transfer->s), error = 0;
  size_t done = 0;
  while (error == 0 && done < count) {
    ssize_t sent = send(transfer->s->fd, transfer->buffer + done, count - done, flags);
    if (sent >= 0) {
      count_sent(transfer, (size_t)sent);
      transfer->source.offset += sent;
      done += (size_t)sent;
      continue;
    }
    error = try_again(L, transfer, errno);
  }
  transfer->unsent = done;
  transfer->unsent_length = transfer->source.is_seekable ? 0 : count - done;
  return error;
}


static int copy_through_block(lua_State *L, struct transfer *transfer) {
  int error = 0;
  transfer->buffer = sock99_newuserdata(L, BUFFER_SIZE);
  while (error == 0 && transfer->left > 0) {
    ssize_t got = 0;
    error = read_some(L, transfer, &got);
    if (error == 0 && got == 0)
      break;
    if (error == 0)
      error = send_block(L, transfer, (size_t)got);
    if (error == 0)
      error = end_in_time(transfer, (size_t)got);
  }
  return error;
}


/*
** The whole transfer
*/

/* sendfile(2) has no flag like MSG_DONTWAIT. */
static int copy(lua_State *L, struct transfer *transfer) {
  int error = find_position(&transfer->source);
  if (error == 0)
    error = sock99_unblock(transfer->s);
  if (error == 0 && transfer->source.is_seekable) {
    error = copy_and_wait(L, transfer);
    if (error != ENOSYS)
      return error;
    error = 0;
  }
  return error == 0 ? copy_through_block(L, transfer) : error;
}


static int fail(lua_State *L, const struct transfer *transfer, int error) {
  int count;
  sock99_push_count(L, transfer->sent);
  count = sock99_fail_partial(L, error);
  if (transfer->unsent_length == 0)
    return count;
  lua_pushlstring(L, transfer->buffer + transfer->unsent, transfer->unsent_length);
  return count + 1;
}


/*** @type stream */

/*** Send a file without passing its contents through Lua.

A Lua file is flushed first. Without `offset`, the file's position moves past the
bytes sent, so after a timeout the same call continues. The object's timeouts
apply to sending, and to reading from a descriptor that cannot seek (a pipe).
@function sendfile
@tparam file|integer file a Lua file or a descriptor
@tparam[opt] integer offset of the first byte to send, from 0; default: the file's
position
@tparam[opt] integer count number of bytes; default: up to the end of the file
@treturn[1] integer bytes sent; fewer than `count` if the file has ended
@treturn[2] nil
@treturn[2] string "timeout", "closed", or another error
@treturn[2] integer bytes sent so far
@treturn[2] ?integer errno
@treturn[2] ?string bytes that were read from a pipe but not sent; they cannot be
read again
@usage
local file = assert(io.open('index.html', 'rb'))
assert(client:sendfile(file))
*/
static int l_sendfile(lua_State *L) {
  struct sock99_failure failure;
  struct transfer transfer;
  int error, late_error;
  transfer.sent = transfer.unsent_length = 0;
  transfer.buffer = NULL;
  transfer.s = sock99_check_socket(L, SOCK99_ONLY(SOCK99_CLIENT), "tcp{client}");
  check_arguments(L, &transfer);
  sock99_begin_wait(transfer.s, &transfer.limit);
  if (!sock99_has_descriptor(L, transfer.s, &transfer.limit, &failure)) {
    lua_pushinteger(L, 0);
    failure.has_partial = true;
    return sock99_push_failure(L, &failure);
  }
  if (transfer.s->type != SOCK_STREAM)
    return fail(L, &transfer, EOPNOTSUPP);
  error = copy(L, &transfer);
  late_error = move_position(&transfer.source);
  if (error == 0)
    error = late_error;
  if (error != 0)
    return fail(L, &transfer, error);
  sock99_push_count(L, transfer.sent);
  return 1;
}


const luaL_Reg sock99_sendfile_methods[] = {{"sendfile", l_sendfile}, {NULL, NULL}};
