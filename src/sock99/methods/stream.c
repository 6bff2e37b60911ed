/*
** stream.c: bytes of a stream, in and out.
**
** A receive is a loop over two questions: is what was read ahead enough for
** what is asked for (input.c knows), and if not, what does the next read
** bring. Where it ends early, all that is there is the partial result, so that
** the caller can go on from it: with `prefix`, or, in the other direction,
** with the index of the next byte.
*/

#include "methods.h"

#include <poll.h>
#include <sys/uio.h>

/*** @module sock99 */

/* Strings that one system call takes (IOV_MAX is 1,024 on Linux and the BSDs). */
#define BATCH 1024


/*** @type stream */

static struct sock99_socket *check_client(lua_State *L) {
  return sock99_check_socket(L, SOCK99_ONLY(SOCK99_CLIENT), "tcp{client}");
}


/*
** Out
*/

/* Writes what `parts` hold; *sent counts it. 0, or the error that ended it. */
static int write_parts(struct sock99_socket *s, struct sock99_limit *limit, struct iovec *parts,
                       size_t count, uint64_t *sent) {
  int flags = sock99_message_flags(s);
  while (count > 0) {
    struct msghdr message;
    ssize_t written;
    memset(&message, 0, sizeof(message));
    message.msg_iov = parts;
    message.msg_iovlen = (SOCK99_IOV_COUNT)count;
    written = count == 1 ? send(s->fd, parts->iov_base, parts->iov_len, flags)
                         : sendmsg(s->fd, &message, flags);
    if (written < 0) {
      int error = errno;
      if (sock99_would_block(error))
        error = sock99_wait_for(s, limit, POLLOUT);
      if (error != 0 && error != EINTR)
        return error;
      continue;
    }
    s->sent += (uint64_t)written;
    *sent += (uint64_t)written;
    while (count > 0 && (size_t)written >= parts->iov_len) {
      written -= (ssize_t)parts->iov_len;
      parts++;
      count--;
    }
    if (count > 0) {
      parts->iov_base = (char *)parts->iov_base + written;
      parts->iov_len -= (size_t)written;
      /* A peer that takes every byte at once must not keep it from ending. */
      if (sock99_is_over(limit)) {
        s->wants_writing = true;
        return SOCK99_TIMEOUT;
      }
    }
  }
  return 0;
}


/* nil, message, the number of bytes sent, code. */
static int fail_after(lua_State *L, uint64_t sent, struct sock99_failure *failure) {
  sock99_push_count(L, sent);
  failure->has_partial = true;
  return sock99_push_failure(L, failure);
}


static int send_string(lua_State *L, struct sock99_socket *s) {
  size_t first, last;
  const char *data = sock99_check_part(L, 2, &first, &last);
  struct sock99_failure failure;
  struct sock99_limit limit;
  struct iovec part;
  uint64_t sent = 0;
  int error = 0;
  if (!sock99_has_descriptor(L, s, &failure))
    return fail_after(L, first - 1, &failure);
  if (first <= last) {
    /* sendmsg(2) only reads it. */
    part.iov_base = (char *)data + first - 1;
    part.iov_len = last - first + 1;
    sock99_begin_wait(s, &limit);
    error = write_parts(s, &limit, &part, 1, &sent);
  }
  sock99_push_count(L, first - 1 + sent);
  return error == 0 ? 1 : sock99_fail_partial(L, error);
}


/* The next strings of the list at index 2. */
static size_t collect_parts(lua_State *L, int *next, int last, struct iovec *parts) {
  size_t count = 0;
  for (; *next <= last && count < BATCH; (*next)++) {
    size_t length;
    sock99_push_entry(L, 2, *next);
    parts[count].iov_base = (char *)lua_tolstring(L, -1, &length);
    parts[count].iov_len = length;
    count += length > 0;
    lua_pop(L, 1);
  }
  return count;
}


/* A bad entry must not be found when half of them are sent. Whether there are
** numbers among them. */
static bool check_parts(lua_State *L, int count) {
  bool has_numbers = false;
  int i;
  for (i = 1; i <= count; i++) {
    sock99_push_entry(L, 2, i);
    has_numbers |= lua_type(L, -1) == LUA_TNUMBER;
    lua_pop(L, 1);
  }
  return has_numbers;
}


/* Numbers become strings in a list that nobody else knows: to make them is to
** collect garbage, and a finalizer may drop strings from the program's own. */
static void copy_parts(lua_State *L, int count) {
  int i;
  lua_createtable(L, count, 0);
  for (i = 1; i <= count; i++) {
    sock99_push_entry(L, 2, i);
    lua_tostring(L, -1);
    lua_rawseti(L, 3, i);
  }
  lua_replace(L, 2);
}


/* The iovecs lie in the room that all objects share: nothing here runs Lua. */
static int send_batches(lua_State *L, struct sock99_socket *s, int last, uint64_t *sent) {
  struct sock99_scratch *scratch = sock99_scratch_of(L);
  struct sock99_rooms *rooms = sock99_take_rooms(scratch, 1);
  struct iovec *parts = rooms == NULL ? NULL : (void *)rooms->bytes;
  struct sock99_limit limit;
  int next = 1, error = parts == NULL ? ENOMEM : 0;
  sock99_begin_wait(s, &limit);
  while (error == 0 && next <= last) {
    size_t count = collect_parts(L, &next, last, parts);
    error = write_parts(s, &limit, parts, count, sent);
  }
  sock99_return_rooms(scratch, rooms);
  return error;
}


static int send_list(lua_State *L, struct sock99_socket *s) {
  struct sock99_failure failure;
  uint64_t sent = 0;
  int last = (int)lua_rawlen(L, 2), error;
  lua_settop(L, 2);
  if (check_parts(L, last))
    copy_parts(L, last);
  if (!sock99_has_descriptor(L, s, &failure))
    return fail_after(L, 0, &failure);
  error = send_batches(L, s, last, &sent);
  sock99_push_count(L, sent);
  return error == 0 ? 1 : sock99_fail_partial(L, error);
}


/*** Send bytes.

@function send
@tparam string|number|table data what to send; a list of strings and numbers
goes in one system call for each 1,024 of them
@tparam[opt=1] integer i the first byte to send, as in `string.sub`
@tparam[opt=-1] integer j the last one
@treturn[1] integer index of the last byte sent; of a list, the number of bytes
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not
@treturn[2] integer the same index or number: go on with the byte after it
@treturn[2] ?integer errno
@usage
local last, message, partial = client:send(data)
if message == 'timeout' then last = client:send(data, partial + 1) end
*/
static int l_send(lua_State *L) {
  struct sock99_socket *s = check_client(L);
  if (s->type == SOCK_SEQPACKET)
    return sock99_send_message(L, s);
  return lua_istable(L, 2) ? send_list(L, s) : send_string(L, s);
}


/*
** In
*/

enum until { UNTIL_NEWLINE, UNTIL_COUNT, UNTIL_END, UNTIL_ANY };

struct request {
  enum until until;
  size_t count;   /* bytes, the prefix not among them */
  bool keep;      /* the newline is part of the line */
  bool drops_crs; /* every CR is ignored, as LuaSocket does */
  const char *prefix;
  size_t prefix_length;
};


static ssize_t read_some(struct sock99_socket *s, void *room, size_t size) {
  int flags = sock99_message_flags(s) & ~SOCK99_MSG_NOSIGNAL;
  if (s->family == AF_UNIX)
    return sock99_receive_rights(s, room, size, flags);
  return recv(s->fd, room, size, flags);
}


int sock99_fill(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit, size_t wanted) {
  for (;;) {
    char *room;
    size_t size;
    ssize_t got;
    int error;
    if (!sock99_input_room(&s->input, sock99_scratch_of(L), wanted, &room, &size))
      return ENOMEM;
    got = read_some(s, room, size);
    if (got > 0) {
      sock99_input_add(&s->input, (size_t)got);
      s->received += (uint64_t)got;
      return 0;
    }
    if (got == 0)
      return SOCK99_CLOSED;
    error = errno;
    if (sock99_would_block(error))
      error = sock99_wait_for(s, limit, POLLIN);
    if (error != 0 && error != EINTR)
      return error;
  }
}


/* How much of what is unread the request takes; 0: there is not enough yet. */
static size_t enough(struct sock99_input *input, const struct request *request) {
  size_t unread = sock99_unread(input);
  switch (request->until) {
  case UNTIL_NEWLINE:
    return sock99_input_line(input);
  case UNTIL_COUNT:
    return unread >= request->count ? request->count : 0;
  case UNTIL_ANY:
    return unread < request->count ? unread : request->count;
  default:
    return 0;
  }
}


/* What to ask of the next read. A line's length is not known, nor that of all. */
static size_t wanted(const struct sock99_input *input, const struct request *request) {
  if (request->until == UNTIL_COUNT)
    return request->count - sock99_unread(input);
  return SOCK99_LEAST_ROOM;
}


/* The result, a string on top of the stack: the prefix and the bytes. */
static void push_joined(lua_State *L, const struct request *request, const char *bytes,
                        size_t count) {
  if (request->prefix_length == 0) {
    lua_pushlstring(L, bytes, count);
    return;
  }
  if (count == 0) {
    lua_pushlstring(L, request->prefix, request->prefix_length);
    return;
  }
  lua_pushlstring(L, request->prefix, request->prefix_length);
  lua_pushlstring(L, bytes, count);
  lua_concat(L, 2);
}


/* The prefix has had its CRs dropped by the call that returned it. */
static void push_without_crs(lua_State *L, const struct request *request, const char *bytes,
                             size_t count) {
  char *kept = sock99_newuserdata(L, count);
  size_t i, length = 0;
  for (i = 0; i < count; i++) {
    if (bytes[i] != '\r')
      kept[length++] = bytes[i];
  }
  push_joined(L, request, kept, length);
  lua_remove(L, -2);
}


static void push_text(lua_State *L, const struct request *request, const char *bytes,
                      size_t count) {
  if (!request->drops_crs || memchr(bytes, '\r', count) == NULL)
    push_joined(L, request, bytes, count);
  else if (memchr(bytes, '\r', count) == bytes + count - 1)
    push_joined(L, request, bytes, count - 1);
  else
    push_without_crs(L, request, bytes, count);
}


/* LF goes, and the one CR before it, which may be the prefix's last byte. */
static void push_line(lua_State *L, const struct request *request, const char *bytes,
                      size_t count) {
  if (request->keep) {
    push_joined(L, request, bytes, count);
    return;
  }
  count--;
  if (!request->drops_crs) {
    size_t length = request->prefix_length;
    if (count > 0 && bytes[count - 1] == '\r') {
      count--;
    } else if (count == 0 && length > 0 && request->prefix[length - 1] == '\r') {
      lua_pushlstring(L, request->prefix, length - 1);
      return;
    }
  }
  push_text(L, request, bytes, count);
}


/* The two ways to make a string of bytes: what was asked for, and all that is there,
** which ended without it. */
static void push_answer(lua_State *L, const void *request, const char *bytes, size_t count) {
  if (((const struct request *)request)->until == UNTIL_NEWLINE)
    push_line(L, request, bytes, count);
  else
    push_joined(L, request, bytes, count);
}


static void push_rest(lua_State *L, const void *request, const char *bytes, size_t count) {
  push_text(L, request, bytes, count);
}


/* Until there is enough; *taken bytes answer the request. */
static int gather(lua_State *L, struct sock99_socket *s, const struct request *request,
                  size_t *taken) {
  struct sock99_limit limit;
  int error = s->fd < 0 ? SOCK99_CLOSED : 0;
  *taken = 0;
  sock99_begin_wait(s, &limit);
  for (;;) {
    if (error != 0 || (*taken = enough(&s->input, request)) > 0)
      return error;
    error = sock99_fill(L, s, &limit, wanted(&s->input, request));
    /* Bytes that never end must not keep the call from ending. */
    if (error == 0 && sock99_is_over(&limit) && enough(&s->input, request) == 0)
      error = SOCK99_TIMEOUT;
  }
}


/* The string of the answer, or of all that is there, on top of the stack; and why it
** is not the answer. What a finalizer takes meanwhile, it has taken first. */
static int take(lua_State *L, struct sock99_socket *s, const struct request *request) {
  for (;;) {
    size_t taken;
    int error = gather(L, s, request, &taken);
    if (error != 0)
      taken = sock99_unread(&s->input);
    if (error == SOCK99_CLOSED && request->until == UNTIL_END && taken > 0)
      error = 0;
    if (sock99_push_piece(L, &s->input, taken, error == 0 ? push_answer : push_rest, request))
      return error;
  }
}


/* The prefix counts among the bytes asked for; true: it is enough. */
static bool is_in_prefix(lua_State *L, struct request *request) {
  if (request->until != UNTIL_COUNT)
    return false;
  if (request->count > request->prefix_length) {
    request->count -= request->prefix_length;
    return false;
  }
  lua_pushlstring(L, request->prefix, request->prefix_length);
  return true;
}


/* nil, message, the prefix, code. */
static int fail_before(lua_State *L, const struct request *request,
                       struct sock99_failure *failure) {
  lua_pushlstring(L, request->prefix, request->prefix_length);
  failure->has_partial = true;
  return sock99_push_failure(L, failure);
}


static int receive(lua_State *L, struct sock99_socket *s, struct request *request) {
  struct sock99_failure failure;
  int error;
  if (!sock99_has_descriptor(L, s, &failure))
    return fail_before(L, request, &failure);
  if (is_in_prefix(L, request))
    return 1;
  error = take(L, s, request);
  return error == 0 ? 1 : sock99_fail_partial(L, error);
}


static void read_pattern(lua_State *L, int index, struct request *request) {
  const char *pattern;
  request->until = UNTIL_NEWLINE;
  if (lua_isnoneornil(L, index))
    return;
  if (lua_isnumber(L, index)) {
    request->until = UNTIL_COUNT;
    request->count = sock99_check_size(L, index, "count", 0);
    return;
  }
  pattern = luaL_checkstring(L, index);
  if (pattern[0] == '*')
    pattern++;
  request->until = pattern[0] == 'a' ? UNTIL_END : UNTIL_NEWLINE;
  request->keep = pattern[0] == 'L';
  luaL_argcheck(L, pattern[0] != '\0' && strchr("alL", pattern[0]) != NULL, index,
                "invalid receive pattern");
}


static void read_request(lua_State *L, struct request *request) {
  memset(request, 0, sizeof(*request));
  read_pattern(L, 2, request);
  request->prefix = "";
  if (!lua_isnoneornil(L, 3))
    request->prefix = luaL_checklstring(L, 3, &request->prefix_length);
}


/*** Receive bytes.

@function receive
@tparam[opt="*l"] integer|string pattern a number: so many bytes; `"*l"` or `"l"`:
a line, without its end (LF, or CR LF); `"*L"` or `"L"`: a line with it; `"*a"` or
`"a"`: all, until the peer ends the stream
@tparam[opt=""] string prefix what an earlier call returned as partial; it is
put before the result, and counts among the bytes asked for
@treturn[1] string what was asked for
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not
@treturn[2] string what came so far, the prefix before it
@treturn[2] ?integer errno; nil where the peer ended the stream
@usage
local line, message, partial = client:receive()
if not line and message == 'timeout' then line = client:receive('*l', partial) end
*/
static int l_receive(lua_State *L) {
  struct sock99_socket *s = check_client(L);
  struct request request;
  if (s->type == SOCK_SEQPACKET)
    return sock99_receive_message(L, s);
  read_request(L, &request);
  return receive(L, s, &request);
}


/* Nothing is asked for, but LuaSocket waits for something, and leaves it. */
static int receive_nothing(lua_State *L, struct sock99_socket *s, struct request *request) {
  struct sock99_failure failure;
  struct sock99_limit limit;
  int error = 0;
  if (!sock99_has_descriptor(L, s, &failure))
    return fail_before(L, request, &failure);
  sock99_begin_wait(s, &limit);
  if (sock99_unread(&s->input) == 0)
    error = sock99_fill(L, s, &limit, 1);
  push_joined(L, request, "", 0);
  return error == 0 ? 1 : sock99_fail_partial(L, error);
}


/* Half a byte more is not asked for. */
static void cut_fraction(lua_State *L, int index) {
  lua_Number count = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : 0;
  if (!(count > 0 && count < (lua_Number)(SIZE_MAX / 4)) || count == (lua_Number)(size_t)count)
    return;
  lua_pushnumber(L, (lua_Number)(size_t)count);
  lua_replace(L, index);
}


int sock99_receive_luasocket(lua_State *L) {
  struct sock99_socket *s = check_client(L);
  struct request request;
  cut_fraction(L, 2);
  read_request(L, &request);
  request.drops_crs = request.until == UNTIL_NEWLINE && !request.keep;
  if (request.until == UNTIL_COUNT && request.count == 0 && request.prefix_length == 0)
    return receive_nothing(L, s, &request);
  return receive(L, s, &request);
}


/*** Receive what is there: at least one byte.

@function receiveany
@tparam[opt] integer max at most so many bytes
@treturn[1] string the bytes
@treturn[2] nil
@treturn[2] string "timeout", "closed", or why not
@treturn[2] string ""
@treturn[2] ?integer errno; nil where the peer ended the stream
*/
static int l_receiveany(lua_State *L) {
  struct sock99_socket *s = check_client(L);
  struct request request;
  if (s->type == SOCK_SEQPACKET)
    return sock99_receive_message(L, s);
  memset(&request, 0, sizeof(request));
  request.until = UNTIL_ANY;
  request.count = sock99_opt_max(L, 2, 1);
  request.prefix = "";
  return receive(L, s, &request);
}


/*
** Lines. The iterator's upvalues: the scratch buffer, the object, whether the
** line's end stays on.
*/

static void raise_failure(lua_State *L, const struct sock99_failure *failure) {
  if (failure->text != NULL)
    lua_pushstring(L, failure->text);
  else
    sock99_push_reason(L, failure->error);
  luaL_error(L, "%s", lua_tostring(L, -1));
}


static int next_line(lua_State *L) {
  struct sock99_socket *s = lua_touserdata(L, lua_upvalueindex(2));
  struct sock99_failure failure;
  struct request request;
  size_t taken;
  int error;
  if (sock99_is_pending(s) && !sock99_arrive(L, s, &failure))
    raise_failure(L, &failure);
  memset(&request, 0, sizeof(request));
  request.prefix = "";
  request.until = UNTIL_NEWLINE;
  request.keep = lua_toboolean(L, lua_upvalueindex(3)) != 0;
  do {
    error = gather(L, s, &request, &taken);
    if (error != 0 && error != SOCK99_CLOSED)
      raise_failure(L, &(struct sock99_failure){.error = error});
    if (error != 0)
      taken = sock99_unread(&s->input);
    if (taken == 0)
      return 0;
  } while (!sock99_push_piece(L, &s->input, taken, error == 0 ? push_answer : push_rest, &request));
  return 1;
}


/*** Iterate over lines, until the peer ends the stream.

A last line without an end counts, too. Whatever else ends it is raised.
@function lines
@tparam[opt=false] boolean keep the line's end stays on
@treturn function an iterator
@usage
for line in client:lines() do print(line) end
*/
static int l_lines(lua_State *L) {
  bool keep = lua_toboolean(L, 2) != 0;
  check_client(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_pushboolean(L, keep);
  lua_pushcclosure(L, next_line, 3);
  return 1;
}


const luaL_Reg sock99_stream_methods[] = {
    {"send", l_send},   {"receive", l_receive}, {"receiveany", l_receiveany},
    {"lines", l_lines}, {NULL, NULL},
};
