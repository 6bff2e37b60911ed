/*
** stream.c: sends and receives the bytes of a stream.
**
** A receive reads into the object's input (input.c) until that satisfies the
** request. If it fails, all unread bytes become the partial result, from which
** the caller can continue with `prefix`; a send continues from the index of the
** next byte.
*/

#include "methods.h"

#include <poll.h>
#include <sys/uio.h>

/*** @module sock99 */

/* Strings sent by one system call (IOV_MAX is 1,024 on Linux and the BSDs). */
#define BATCH 1024


/*** @type stream */

static struct sock99_socket *check_client(lua_State *L) {
  return sock99_check_socket(L, SOCK99_ONLY(SOCK99_CLIENT), "tcp{client}");
}


/*
** Sending
*/

/* One call takes all, or where there is a limit, a mebibyte: while the peer takes what
** comes, the system would go on and on. */
static ssize_t write_some(const struct sock99_socket *s, struct iovec *parts, size_t count) {
  int flags = sock99_message_flags(s);
  struct msghdr message;
  size_t size = parts->iov_len, matched = 1;
  if (sock99_has_timeout(s) && size > SOCK99_MOST_AT_ONCE)
    return send(s->fd, parts->iov_base, SOCK99_MOST_AT_ONCE, flags);
  if (count == 1)
    return send(s->fd, parts->iov_base, size, flags);
  while (matched < count &&
         (!sock99_has_timeout(s) || size + parts[matched].iov_len <= SOCK99_MOST_AT_ONCE))
    size += parts[matched++].iov_len;
  memset(&message, 0, sizeof(message));
  message.msg_iov = parts;
  message.msg_iovlen = (SOCK99_IOV_COUNT)matched;
  return sendmsg(s->fd, &message, flags);
}


/* Writes what `parts` hold; *sent counts it. 0, or the error that ended it. */
static int write_parts(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                       struct iovec *parts, size_t count, uint64_t *sent) {
  while (count > 0) {
    ssize_t written = write_some(s, parts, count);
    size_t left;
    if (written < 0) {
      int error = sock99_try_again(L, s, limit, POLLOUT, errno);
      if (error != 0)
        return error;
      continue;
    }
    s->sent += (uint64_t)written;
    *sent += (uint64_t)written;
    left = (size_t)written;
    while (count > 0 && left >= parts->iov_len) {
      left -= parts->iov_len;
      parts++;
      count--;
    }
    if (count > 0) {
      parts->iov_base = (char *)parts->iov_base + left;
      parts->iov_len -= left;
      /* A peer that takes every byte at once must not keep it from ending. */
      if (sock99_is_over(limit, (size_t)written)) {
        s->wants_writing = true;
        return SOCK99_TIMEOUT;
      }
      /* A signal ends a blocking call early. */
      sock99_run_hooks(L);
      if (s->fd < 0)
        return SOCK99_CLOSED;
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
  sock99_begin_wait(s, &limit);
  if (!sock99_has_descriptor(L, s, &limit, &failure))
    return fail_after(L, first - 1, &failure);
  if (first <= last) {
    /* send(2) does not write to it. */
    part.iov_base = (char *)data + first - 1;
    part.iov_len = last - first + 1;
    error = write_parts(L, s, &limit, &part, 1, &sent);
  }
  sock99_push_count(L, first - 1 + sent);
  return error == 0 ? 1 : sock99_fail_partial(L, error);
}


/* The part of the list at index 2 that is still to be sent. */
struct span {
  int next, last; /* entries */
  size_t skipped; /* bytes of the next one to skip */
  size_t left;    /* bytes to be sent */
};


/* Collects the next strings, which stay on the stack: the handler of a signal may remove
** them from the list while the call waits. */
static size_t collect_parts(lua_State *L, struct span *span, struct iovec *parts) {
  size_t count = 0;
  lua_settop(L, 3);
  for (; span->left > 0 && span->next <= span->last && count < BATCH; span->next++) {
    size_t length, skipped = span->skipped;
    const char *bytes;
    sock99_push_entry(L, 2, span->next);
    bytes = lua_tolstring(L, -1, &length);
    span->skipped = skipped < length ? 0 : skipped - length;
    if (skipped >= length) {
      lua_pop(L, 1);
      continue;
    }
    length = length - skipped < span->left ? length - skipped : span->left;
    span->left -= length;
    parts[count].iov_base = (char *)bytes + skipped;
    parts[count++].iov_len = length;
  }
  return count;
}


/* Checks all entries before anything is sent. Returns whether some are numbers. */
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


/* Converts numbers to strings in a private copy of the list: the conversion may collect
** garbage, and a finalizer could remove strings from the program's list. */
static void copy_parts(lua_State *L, int count) {
  int i;
  lua_createtable(L, count, 0);
  for (i = 1; i <= count; i++) {
    sock99_push_entry(L, 2, i);
    lua_tostring(L, -1);
    lua_rawseti(L, 5, i);
  }
  lua_replace(L, 2);
}


static size_t list_length(lua_State *L, int count) {
  size_t total = 0, length;
  int i;
  for (i = 1; i <= count; i++) {
    sock99_push_entry(L, 2, i);
    (void)lua_tolstring(L, -1, &length);
    total += length;
    lua_pop(L, 1);
  }
  return total;
}


static int send_batches(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                        struct span *span, uint64_t *sent) {
  size_t size = span->last < BATCH ? (size_t)span->last : BATCH, count;
  struct iovec *parts = sock99_newuserdata(L, size * sizeof(*parts));
  int error = s->fd < 0 ? SOCK99_CLOSED : 0;
  luaL_checkstack(L, (int)size + LUA_MINSTACK, "too many strings");
  while (error == 0 && (count = collect_parts(L, span, parts)) > 0) {
    uint64_t before = *sent;
    error = write_parts(L, s, limit, parts, count, sent);
    if (error == 0 && span->left > 0 && span->next <= span->last &&
        sock99_is_over(limit, (size_t)(*sent - before))) {
      s->wants_writing = true;
      error = SOCK99_TIMEOUT;
    }
  }
  return error;
}


/* The indexes count bytes of the list as if it were one string. */
static int send_list(lua_State *L, struct sock99_socket *s) {
  struct sock99_failure failure;
  struct sock99_limit limit;
  struct span span = {1, (int)lua_rawlen(L, 2), 0, SIZE_MAX};
  size_t first = 1, last;
  uint64_t sent = 0;
  int error;
  lua_settop(L, 4);
  if (check_parts(L, span.last))
    copy_parts(L, span.last);
  if (!lua_isnil(L, 3) || !lua_isnil(L, 4)) {
    sock99_check_range(L, 3, list_length(L, span.last), &first, &last);
    span.skipped = first - 1;
    span.left = first <= last ? last - first + 1 : 0;
  }
  lua_settop(L, 2);
  sock99_begin_wait(s, &limit);
  if (!sock99_has_descriptor(L, s, &limit, &failure))
    return fail_after(L, first - 1, &failure);
  error = send_batches(L, s, &limit, &span, &sent);
  sock99_push_count(L, first - 1 + sent);
  return error == 0 ? 1 : sock99_fail_partial(L, error);
}


/*** Send bytes.

@function send
@tparam string|number|(string|number)[] data the bytes; a list of strings and numbers
is sent with one system call for every 1,024 entries
@tparam[opt=1] integer i the first byte to send, as in `string.sub`
@tparam[opt=-1] integer j the last one
@treturn[1] integer index of the last byte sent; the bytes of a list are counted as if
it were one string
@treturn[2] nil
@treturn[2] string "timeout", "closed", or another error
@treturn[2] integer the same index; continue with the next byte
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
** Receiving
*/

enum until { UNTIL_NEWLINE, UNTIL_COUNT, UNTIL_END, UNTIL_ANY };

struct request {
  enum until until;
  size_t count;   /* of bytes, without the prefix */
  bool keep;      /* the result includes the newline */
  bool drops_crs; /* every CR is ignored, as LuaSocket does */
  const char *prefix;
  size_t prefix_length;
};


static ssize_t read_some(struct sock99_socket *s, void *buffer, size_t size) {
  int flags = sock99_message_flags(s) & ~SOCK99_MSG_NOSIGNAL;
  if (s->family == AF_UNIX)
    return sock99_receive_rights(s, buffer, size, flags);
  return recv(s->fd, buffer, size, flags);
}


int sock99_fill(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit, size_t read_size,
                size_t *count) {
  char *buffer;
  size_t size;
  ssize_t got;
  *count = 0;
  if (!sock99_input_reserve(&s->input, sock99_scratch_of(L), read_size, &buffer, &size))
    return ENOMEM;
  got = read_some(s, buffer, size);
  if (got < 0)
    return sock99_try_again(L, s, limit, POLLIN, errno);
  if (got == 0)
    return SOCK99_CLOSED;
  *count = (size_t)got;
  sock99_input_add(&s->input, *count);
  s->received += *count;
  return 0;
}


/* Returns how many unread bytes satisfy the request; 0 if more must be read. */
static size_t match(struct sock99_input *input, const struct request *request) {
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


/* Returns the size of the next read, if it is known; otherwise the least worth a read. */
static size_t read_size(const struct sock99_input *input, const struct request *request) {
  if (request->until == UNTIL_COUNT)
    return request->count - sock99_unread(input);
  return SOCK99_LEAST_READ;
}


/* Pushes the prefix and the bytes as one string. */
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


/* The call that returned the prefix has already dropped its CRs. */
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


/* Removes LF and one CR before it, which may be the last byte of the prefix. */
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


/* sock99_push functions for a complete and for a partial result. */
static void push_match(lua_State *L, const void *request, const char *bytes, size_t count) {
  if (((const struct request *)request)->until == UNTIL_NEWLINE)
    push_line(L, request, bytes, count);
  else
    push_joined(L, request, bytes, count);
}


static void push_partial(lua_State *L, const void *request, const char *bytes, size_t count) {
  push_text(L, request, bytes, count);
}


/* Until there is enough; *taken bytes answer the request. Bytes that never end must not
** keep the call from ending. */
static int read_match(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                      const struct request *request, size_t *matched) {
  int error = s->fd < 0 ? SOCK99_CLOSED : 0;
  *matched = error == 0 ? match(&s->input, request) : 0;
  while (error == 0 && *matched == 0) {
    size_t count;
    error = sock99_fill(L, s, limit, read_size(&s->input, request), &count);
    if (error == 0)
      *matched = match(&s->input, request);
    if (error == 0 && *matched == 0 && count > 0 && sock99_is_over(limit, count))
      error = SOCK99_TIMEOUT;
  }
  return error;
}


/* Pushes the result and returns 0, or pushes a partial result and returns the error.
** Starts again if a finalizer has consumed some of the bytes. */
static int push_received(lua_State *L, struct sock99_socket *s, struct sock99_limit *limit,
                         const struct request *request) {
  for (;;) {
    size_t matched;
    int error = read_match(L, s, limit, request, &matched);
    if (error != 0)
      matched = sock99_unread(&s->input);
    if (error == SOCK99_CLOSED && request->until == UNTIL_END && matched > 0)
      error = 0;
    if (sock99_push_piece(L, &s->input, matched, error == 0 ? push_match : push_partial, request))
      return error;
  }
}


/* Subtracts the prefix from the requested count. Returns true, and pushes the result, if
** the prefix is long enough. */
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
  struct sock99_limit limit;
  int error;
  sock99_begin_wait(s, &limit);
  if (!sock99_has_descriptor(L, s, &limit, &failure))
    return fail_before(L, request, &failure);
  if (is_in_prefix(L, request))
    return 1;
  error = push_received(L, s, &limit, request);
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
  if (pattern[0] == '\0' || strchr("alL", pattern[0]) == NULL)
    sock99_raise(L, index, "invalid receive pattern '%s': a number, '*l', '*L' or '*a' expected",
                 lua_tostring(L, index));
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
@tparam[opt="*l"] integer|'*l'|'*L'|'*a'|'l'|'L'|'a' pattern a number: that many
bytes; `"*l"` or `"l"`: a line without its end (LF or CR LF); `"*L"` or `"L"`: a line
with its end; `"*a"` or `"a"`: everything until the peer ends the stream
@tparam[opt=""] string prefix the partial result of an earlier call; the result
begins with it, and a number of bytes includes it
@treturn[1] string the bytes or the line
@treturn[2] nil
@treturn[2] string "timeout", "closed", or another error
@treturn[2] string the partial result, which begins with the prefix
@treturn[2] ?integer errno; nil if the peer ended the stream
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


/* For receive(0), LuaSocket waits for data and leaves it unread. */
static int receive_nothing(lua_State *L, struct sock99_socket *s, struct request *request) {
  struct sock99_failure failure;
  struct sock99_limit limit;
  size_t count;
  int error = 0;
  sock99_begin_wait(s, &limit);
  if (!sock99_has_descriptor(L, s, &limit, &failure))
    return fail_before(L, request, &failure);
  while (error == 0 && sock99_unread(&s->input) == 0)
    error = sock99_fill(L, s, &limit, 1, &count);
  push_joined(L, request, "", 0);
  return error == 0 ? 1 : sock99_fail_partial(L, error);
}


/* LuaSocket truncates a count with a fraction. */
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
  if (s->type == SOCK_SEQPACKET)
    return sock99_receive_message(L, s);
  cut_fraction(L, 2);
  read_request(L, &request);
  request.drops_crs = request.until == UNTIL_NEWLINE && !request.keep;
  if (request.until == UNTIL_COUNT && request.count == 0 && request.prefix_length == 0)
    return receive_nothing(L, s, &request);
  return receive(L, s, &request);
}


/*** Receive available bytes, at least one.

@function receiveany
@tparam[opt] integer max at most this many bytes
@treturn[1] string the bytes
@treturn[2] nil
@treturn[2] string "timeout", "closed", or another error
@treturn[2] string ""
@treturn[2] ?integer errno; nil if the peer ended the stream
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
** Lines. The iterator's upvalues are the scratch buffer, the object, and whether
** lines keep their ends.
*/

static int raise_failure(lua_State *L, const struct sock99_failure *failure) {
  if (failure->text != NULL)
    lua_pushstring(L, failure->text);
  else
    sock99_push_reason(L, failure->error);
  return luaL_error(L, "%s", lua_tostring(L, -1));
}


static int next_record(lua_State *L, struct sock99_socket *s) {
  struct sock99_message in;
  int error;
  in.wants_from = false;
  error = sock99_receive_into_block(L, s, &in);
  if (error == SOCK99_CLOSED || (error == 0 && in.length == 0))
    return 0;
  if (error != 0)
    return raise_failure(L, &(struct sock99_failure){.error = error});
  sock99_push_message(L, &in, SIZE_MAX);
  return 1;
}


static int next_line(lua_State *L) {
  struct sock99_socket *s = lua_touserdata(L, lua_upvalueindex(2));
  struct sock99_failure failure;
  struct sock99_limit limit;
  struct request request;
  size_t matched;
  int error;
  if (s->type == SOCK_SEQPACKET)
    return next_record(L, s);
  memset(&request, 0, sizeof(request));
  request.prefix = "";
  request.until = UNTIL_NEWLINE;
  request.keep = lua_toboolean(L, lua_upvalueindex(3)) != 0;
  sock99_begin_wait(s, &limit);
  if (sock99_is_pending(s) && !sock99_await_descriptor(L, s, &limit, &failure))
    return raise_failure(L, &failure);
  do {
    error = read_match(L, s, &limit, &request, &matched);
    if (error != 0 && error != SOCK99_CLOSED)
      return raise_failure(L, &(struct sock99_failure){.error = error});
    if (error != 0)
      matched = sock99_unread(&s->input);
    if (matched == 0)
      return 0;
  } while (
      !sock99_push_piece(L, &s->input, matched, error == 0 ? push_match : push_partial, &request));
  return 1;
}


/*** Iterate over lines until the peer ends the stream.

A last line without an end is returned, too. Over SOCK_SEQPACKET, an iteration returns
a whole record. Any other error is raised.
@function lines
@tparam[opt=false] boolean keep whether lines keep their ends
@treturn fun():string|nil an iterator
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
