/*
** sendfile.c: a file to a stream.
**
** Where the file has positions, the kernel copies it, or what it can't copy is
** read at its position; so what was not sent was not taken, either. A pipe, or
** a terminal, gives each byte once: what was read of it and could not be sent
** is told to the caller. A Lua file of that sort is read through its own
** buffer, in which bytes may lie already.
*/

#include "methods.h"

#include <poll.h>

/* What one system call takes at most (Linux: 0x7ffff000). */
#define LARGEST_PIECE ((uint64_t)1 << 30)

#define NO_COUNT UINT64_MAX

/* off_t has 32 bits on some systems. */
#define LARGEST_OFFSET (sizeof(off_t) > 4 ? INT64_MAX : INT32_MAX)


struct source {
  FILE *stream; /* NULL: a plain descriptor */
  int fd;
  bool has_positions;
  bool moves;   /* its own position, when all is done */
  off_t offset; /* of the next byte */
};

struct transfer {
  struct sock99_socket *s;
  struct sock99_limit limit;
  struct source source;
  uint64_t left, sent;
  struct sock99_scratch *scratch;
  struct sock99_rooms *rooms;   /* NULL where the kernel copies */
  size_t unsent, unsent_length; /* in the room */
};

/*** @module sock99 */


/*
** Arguments
*/

static void check_source(lua_State *L, struct source *source) {
  source->stream = NULL;
  source->has_positions = false;
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
  source->moves = lua_isnoneornil(L, 3);
  offset = sock99_opt_integer(L, 3, "offset", 0, LARGEST_OFFSET, 0);
  source->offset = (off_t)offset;
  count = sock99_opt_integer(L, 4, "count", 0, LLONG_MAX, -1);
  transfer->left = count < 0 ? NO_COUNT : (uint64_t)count;
}


/*
** Positions
*/

static off_t own_position(const struct source *source) {
  return source->stream != NULL ? ftello(source->stream) : lseek(source->fd, 0, SEEK_CUR);
}


/* Where the next byte is, when all that was written has come to the file. A
** pipe's stream is not flushed: some systems would drop what it has read. 0 or
** an errno. */
static int find_position(struct source *source) {
  off_t own = own_position(source);
  if (own < 0)
    return errno == ESPIPE && source->moves ? 0 : errno;
  source->has_positions = true;
  while (source->stream != NULL && fflush(source->stream) != 0) {
    /* BSD says EBADF of what is only read. */
    if (errno == EBADF)
      break;
    if (errno != EINTR)
      return errno;
  }
  if (!source->moves)
    return 0;
  source->offset = own_position(source);
  return source->offset < 0 ? errno : 0;
}


/* 0 or an errno: the next call would send the same bytes again. */
static int move_position(const struct source *source) {
  int status = 0;
  if (!source->moves || !source->has_positions || source->offset < 0)
    return 0;
  do {
    status = source->stream != NULL ? fseeko(source->stream, source->offset, SEEK_SET)
             : lseek(source->fd, source->offset, SEEK_SET) < 0 ? -1
                                                               : 0;
  } while (status != 0 && errno == EINTR);
  return status == 0 ? 0 : errno;
}


/*
** The kernel copies
*/

static void count_sent(struct transfer *transfer, size_t count) {
  transfer->sent += count;
  transfer->s->sent += count;
  transfer->left -= transfer->left == NO_COUNT ? 0 : count;
}


/* A peer that takes all at once must not keep the call from ending. */
static int end_in_time(struct transfer *transfer) {
  if (transfer->left == 0 || !sock99_is_over(&transfer->limit))
    return 0;
  transfer->s->wants_writing = true;
  return SOCK99_TIMEOUT;
}


/* 0: all of it, or an error; ENOSYS where the file has to be read. */
static int copy_in_kernel(struct transfer *transfer) {
  struct source *source = &transfer->source;
  while (transfer->left > 0) {
    size_t piece = (size_t)(transfer->left < LARGEST_PIECE ? transfer->left : LARGEST_PIECE);
    ssize_t sent = sock99_sendfile(transfer->s->fd, source->fd, &source->offset, piece);
    int error = sent < 0 ? errno : 0;
    if (sent == 0)
      return 0;
    if (sent > 0) {
      count_sent(transfer, (size_t)sent);
      error = end_in_time(transfer);
    } else if (error == EINVAL) {
      return ENOSYS;
    } else if (sock99_would_block(error)) {
      error = sock99_wait_for(transfer->s, &transfer->limit, POLLOUT);
    }
    if (error != 0 && error != EINTR)
      return error;
  }
  return 0;
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


/*
** Reading and sending
*/

/* After a read that failed: 0 if it is to be repeated, else the error. */
static int wait_to_read(struct transfer *transfer, int error) {
  if (error == EINTR)
    return 0;
  if (sock99_would_block(error))
    return sock99_look_at(transfer->source.fd, &transfer->limit, POLLIN);
  return error;
}


static int read_position(struct transfer *transfer, size_t size, ssize_t *got) {
  const struct source *source = &transfer->source;
  *got = pread(source->fd, transfer->rooms->bytes, size, source->offset);
  return *got < 0 ? wait_to_read(transfer, errno) : 0;
}


/* A pipe may keep us waiting as long as the object's timeouts allow. */
static int read_descriptor(struct transfer *transfer, size_t size, ssize_t *got) {
  int error = sock99_look_at(transfer->source.fd, &transfer->limit, POLLIN);
  if (error != 0)
    return error;
  *got = read(transfer->source.fd, transfer->rooms->bytes, size);
  return *got < 0 ? wait_to_read(transfer, errno) : 0;
}


static int read_stream(struct transfer *transfer, size_t size, ssize_t *got) {
  FILE *stream = transfer->source.stream;
  int error;
  clearerr(stream);
  *got = (ssize_t)fread(transfer->rooms->bytes, 1, size, stream);
  if (*got > 0 || !ferror(stream))
    return 0;
  error = errno;
  clearerr(stream);
  *got = -1;
  return wait_to_read(transfer, error);
}


/* 0 and what came, nothing at the end; or an error. */
static int read_some(struct transfer *transfer, ssize_t *got) {
  const struct source *source = &transfer->source;
  size_t size = transfer->left < SOCK99_ROOM_SIZE ? (size_t)transfer->left : SOCK99_ROOM_SIZE;
  int error = 0;
  *got = -1;
  while (error == 0 && *got < 0) {
    if (source->has_positions)
      error = read_position(transfer, size, got);
    else if (source->stream != NULL)
      error = read_stream(transfer, size, got);
    else
      error = read_descriptor(transfer, size, got);
  }
  return error;
}


static int send_room(struct transfer *transfer, size_t count) {
  int flags = sock99_message_flags(transfer->s), error = 0;
  size_t done = 0;
  while (error == 0 && done < count) {
    ssize_t sent = send(transfer->s->fd, transfer->rooms->bytes + done, count - done, flags);
    if (sent >= 0) {
      count_sent(transfer, (size_t)sent);
      transfer->source.offset += sent;
      done += (size_t)sent;
      continue;
    }
    error = errno == EINTR ? 0 : errno;
    if (sock99_would_block(error))
      error = sock99_wait_for(transfer->s, &transfer->limit, POLLOUT);
  }
  transfer->unsent = done;
  transfer->unsent_length = transfer->source.has_positions ? 0 : count - done;
  return error;
}


static int copy_through_room(struct transfer *transfer) {
  int error = 0;
  transfer->rooms = sock99_take_rooms(transfer->scratch, 1);
  if (transfer->rooms == NULL)
    return ENOMEM;
  while (error == 0 && transfer->left > 0) {
    ssize_t got;
    error = read_some(transfer, &got);
    if (error == 0 && got == 0)
      break;
    if (error == 0)
      error = send_room(transfer, (size_t)got);
    if (error == 0)
      error = end_in_time(transfer);
  }
  return error;
}


/*
** All of it
*/

/* sendfile(2) has no flag like MSG_DONTWAIT. */
static int copy(struct transfer *transfer) {
  int error = find_position(&transfer->source);
  if (error == 0)
    error = sock99_unblock(transfer->s);
  if (error == 0 && transfer->source.has_positions) {
    error = copy_without_sigpipe(transfer);
    if (error != ENOSYS)
      return error;
    error = 0;
  }
  return error == 0 ? copy_through_room(transfer) : error;
}


/* The bytes that were read and not sent, on top of the stack, where there are any. */
static void take_unsent(lua_State *L, struct transfer *transfer) {
  if (transfer->unsent_length > 0)
    sock99_push_from_rooms(L, transfer->rooms->bytes + transfer->unsent, transfer->unsent_length,
                           transfer->rooms);
  else if (transfer->rooms != NULL)
    sock99_return_rooms(transfer->scratch, transfer->rooms);
}


static int fail(lua_State *L, const struct transfer *transfer, int error) {
  int count, unsent = lua_gettop(L);
  sock99_push_count(L, transfer->sent);
  count = sock99_fail_partial(L, error);
  if (transfer->unsent_length == 0)
    return count;
  lua_pushvalue(L, unsent);
  return count + 1;
}


/*** @type stream */

/*** Send a file, without its passing through Lua.

What was written to a Lua file is flushed first. The file's own position, where
none is given, moves by what was sent; so after a timeout the same call goes on.
The timeouts of the object are for sending, and for what a descriptor without
positions (a pipe) has to say.
@function sendfile
@tparam file|integer file a file of Lua's, or a descriptor
@tparam[opt] integer offset where to begin; 0 is the first byte, nil the file's own
position
@tparam[opt] integer count bytes; to the end of the file where it is missing
@treturn[1] integer bytes sent: fewer than `count` where the file has ended
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not
@treturn[2] integer bytes sent so far
@treturn[2] ?integer errno
@treturn[2] ?string what was read from a pipe, which does not give it a second
time, and not sent
@usage
local file = assert(io.open('index.html', 'rb'))
assert(client:sendfile(file))
*/
static int l_sendfile(lua_State *L) {
  struct sock99_failure failure;
  struct transfer transfer;
  int error, late_error;
  transfer.sent = transfer.unsent_length = 0;
  transfer.scratch = sock99_scratch_of(L);
  transfer.rooms = NULL;
  transfer.s = sock99_check_socket(L, SOCK99_ONLY(SOCK99_CLIENT), "tcp{client}");
  check_arguments(L, &transfer);
  if (!sock99_has_descriptor(L, transfer.s, &failure)) {
    lua_pushinteger(L, 0);
    failure.has_partial = true;
    return sock99_push_failure(L, &failure);
  }
  if (transfer.s->type != SOCK_STREAM)
    return fail(L, &transfer, EOPNOTSUPP);
  sock99_begin_wait(transfer.s, &transfer.limit);
  error = copy(&transfer);
  late_error = move_position(&transfer.source);
  if (error == 0)
    error = late_error;
  take_unsent(L, &transfer);
  if (error != 0)
    return fail(L, &transfer, error);
  sock99_push_count(L, transfer.sent);
  return 1;
}


const luaL_Reg sock99_sendfile_methods[] = {{"sendfile", l_sendfile}, {NULL, NULL}};
