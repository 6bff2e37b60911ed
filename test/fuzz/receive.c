/*
** receive.c: any bytes, in any pieces, through every way to receive them,
** against a plain model.
**
** An input is a row of operations on three objects: one of TCP, one of Unix
** domain, one that speaks LuaSocket. Where an operation reads, the bytes that
** follow say what the network brings: a piece of the stream, nothing yet, a
** signal, the end. The model is all the bytes that came, and how many of them
** were taken; what a call must give follows from that alone.
*/

#include "lua.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <sys/socket.h>

#define OBJECTS 3
#define LUASOCKET 2

/* Of one object's stream: more than the scratch buffer and what is beyond it. */
#define MOST_BYTES ((size_t)384 * 1024)
#define MOST_OPERATIONS 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the network brings, piece by piece. */
enum event { NOTHING, AGAIN, END, FAILURE };

struct stream {
  int index, fd;
  char *bytes; /* all that ever came */
  size_t count, taken;
  size_t pending;     /* bytes of a piece for which the last read had no room */
  unsigned int shape; /* of the generated piece */
  bool has_ended;
  double each, whole; /* timeouts, as set */
  enum event event;   /* what the last call met */
  int error;
  unsigned int reads;
  char *partial; /* of the last call */
  size_t partial_length;
};

static struct stream streams[OBJECTS];
static struct input *input;


/*
** The network
*/

static struct stream *stream_of(int fd) {
  int i;
  for (i = 0; i < OBJECTS; i++) {
    if (streams[i].fd == fd)
      return &streams[i];
  }
  machine_fail("descriptor %d is nobody's", fd);
}


/* Letters, in a period that no buffer has. */
static const char *letters(size_t position) {
  static char table[65521 + 65536];
  size_t i;
  for (i = 0; table[0] == '\0' && i < sizeof(table); i++)
    table[sizeof(table) - 1 - i] = (char)('a' + (i * 7 + i / 5) % 23);
  return table + position % 65521;
}


/* Lines of a length that the shape says, some of them ended by CR LF, some with a
** CR in the middle. */
static void generate(const struct stream *s, char *room, size_t count) {
  size_t length = 1 + (s->shape & 0xff) * ((s->shape & 0x100) != 0 ? 251 : 1), i, end;
  for (i = 0; i < count; i += 65536)
    memcpy(room + i, letters(s->count + i), count - i < 65536 ? count - i : 65536);
  for (end = length; end < count; end += length + 1) {
    room[end] = '\n';
    if ((s->shape & 0x200) != 0)
      room[end - 1] = '\r';
    if ((s->shape & 0x400) != 0)
      room[end - length / 2 - 1] = '\r';
  }
}


static ssize_t bring(struct stream *s, char *room, size_t size) {
  size_t count = s->pending < size ? s->pending : size;
  if (count > MOST_BYTES - s->count)
    count = MOST_BYTES - s->count;
  generate(s, room, count);
  memcpy(s->bytes + s->count, room, count);
  s->count += count;
  s->pending -= count;
  return (ssize_t)count;
}


/* As they lie in the input. */
static ssize_t bring_literally(struct stream *s, char *room, size_t size) {
  size_t count = input_byte(input);
  const uint8_t *bytes;
  if (count > MOST_BYTES - s->count)
    count = MOST_BYTES - s->count;
  bytes = input_take(input, count < size ? count : size, &count);
  memcpy(room, bytes, count);
  memcpy(s->bytes + s->count, bytes, count);
  s->count += count;
  return (ssize_t)count;
}


static ssize_t end(struct stream *s) {
  s->has_ended = true;
  s->event = END;
  return 0;
}


static ssize_t stop(struct stream *s, enum event event, int error) {
  s->event = event;
  s->error = errno = error;
  return -1;
}


static ssize_t next_piece(struct stream *s, char *room, size_t size) {
  static const int errors[] = {ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOMEM, EPIPE};
  uint8_t how;
  if (s->has_ended || input->left == 0)
    return end(s);
  how = input_byte(input);
  if (how < 96)
    return bring_literally(s, room, size);
  if (how < 176) {
    s->pending = how < 104 ? input_u16(input) * (size_t)4 : input_u16(input) >> (how - 104) / 8;
    s->shape = input_u16(input);
    return bring(s, room, size);
  }
  if (how < 224)
    return stop(s, AGAIN, EAGAIN);
  if (how < 232)
    return stop(s, NOTHING, EINTR);
  if (how < 244)
    return end(s);
  return stop(s, FAILURE, errors[how % (sizeof(errors) / sizeof(errors[0]))]);
}


static ssize_t receive(int fd, struct msghdr *message, int flags) {
  struct stream *s = stream_of(fd);
  char *room = message->msg_iov[0].iov_base;
  size_t size = message->msg_iov[0].iov_len;
  ssize_t got;
  if (message->msg_iovlen != 1 || size == 0)
    machine_fail("a read without room");
  if (((flags & MSG_DONTWAIT) != 0) != (s->each >= 0 || s->whole >= 0))
    machine_fail("MSG_DONTWAIT does not go with the timeouts");
  message->msg_controllen = 0;
  message->msg_flags = 0;
  s->reads++;
  got = s->pending > 0 ? bring(s, room, size) : next_piece(s, room, size);
  /* 0 bytes would be the end. */
  return got == 0 ? end(s) : got;
}


/*
** Expectations
*/

/* What a result must be: the prefix, then bytes of the stream. */
struct expected {
  char *bytes;
  size_t length;
};

/* A partial result, with new ones behind it, is never more than all that came, and
** the prefixes from the input. */
static char expected_bytes[MOST_BYTES + MOST_OPERATIONS * 16];


static void append(struct expected *expected, const char *bytes, size_t length) {
  memcpy(expected->bytes + expected->length, bytes, length);
  expected->length += length;
}


static void append_without_crs(struct expected *expected, const char *bytes, size_t length) {
  size_t i;
  for (i = 0; i < length; i++) {
    if (bytes[i] != '\r')
      append(expected, &bytes[i], 1);
  }
}


static void compare(lua_State *L, int index, const struct expected *expected, const char *what) {
  size_t length;
  const char *bytes;
  if (lua_type(L, index) != LUA_TSTRING)
    machine_fail("%s: %s in the place of a string", what, luaL_typename(L, index));
  bytes = lua_tolstring(L, index, &length);
  if (length != expected->length)
    machine_fail("%s: %d bytes in the place of %d", what, (int)length, (int)expected->length);
  if (length > 0 && memcmp(bytes, expected->bytes, length) != 0)
    machine_fail("%s: other bytes than came", what);
}


static const char *word_of(const struct stream *s) {
  if (s->event == END || s->error == ECONNRESET || s->error == EPIPE)
    return "closed";
  return s->event == AGAIN ? "timeout" : strerror(s->error);
}


/* A timeout may pass at any time where there is one. */
static bool may_time_out(const struct stream *s) {
  return s->event == AGAIN || s->each > 0 || s->whole > 0;
}


/* nil, message, partial, code */
static void check_stopped(lua_State *L, const struct stream *s, int results,
                          const struct expected *partial) {
  const char *message;
  bool own_words = s->index == LUASOCKET;
  if (results != (own_words ? 3 : 4) || !lua_isnil(L, -results))
    machine_fail("%d results, the first %s", results, luaL_typename(L, -results));
  message = lua_tostring(L, -results + 1);
  compare(L, -results + 2, partial, "partial");
  if (strcmp(message, "timeout") == 0 && may_time_out(s))
    return;
  if (s->event == NOTHING)
    machine_fail("'%s', and nothing had happened", message);
  if (strcmp(message, word_of(s)) != 0)
    machine_fail("'%s' in the place of '%s'", message, word_of(s));
  if (!own_words && (s->event == END) != lua_isnil(L, -1))
    machine_fail("the code of '%s' is %s", message, luaL_typename(L, -1));
}


/*
** Receiving. `until` is as the method has it, '*l', '*L', '*a', without the star; n is
** a number, y is receiveany.
*/

struct request {
  char until;
  size_t count;
  const char *prefix;
  size_t prefix_length;
};


/* How many bytes of those that came answer the request; 0: not yet. */
static size_t answer(const struct stream *s, const struct request *request, size_t came) {
  size_t unread = came - s->taken;
  const char *first = s->bytes + s->taken, *newline;
  switch (request->until) {
  case 'l':
  case 'L':
    newline = memchr(first, '\n', unread);
    return newline == NULL ? 0 : (size_t)(newline - first) + 1;
  case 'n':
    return unread >= request->count ? request->count : 0;
  case 'y':
    return unread < request->count ? unread : request->count;
  default:
    return 0;
  }
}


static void expect_line(const struct stream *s, const struct request *request, size_t count,
                        struct expected *expected) {
  const char *first = s->bytes + s->taken;
  append(expected, request->prefix, request->prefix_length);
  if (request->until != 'l') {
    append(expected, first, count);
  } else if (s->index == LUASOCKET) {
    append_without_crs(expected, first, count - 1);
  } else {
    append(expected, first, count - 1);
    if (expected->length > 0 && expected->bytes[expected->length - 1] == '\r')
      expected->length--;
  }
}


static void expect_rest(struct stream *s, const struct request *request,
                        struct expected *expected) {
  const char *first = s->bytes + s->taken;
  append(expected, request->prefix, request->prefix_length);
  if (s->index == LUASOCKET && request->until == 'l')
    append_without_crs(expected, first, s->count - s->taken);
  else
    append(expected, first, s->count - s->taken);
  s->taken = s->count;
}


static void keep_partial(struct stream *s, const struct expected *expected) {
  free(s->partial);
  s->partial = malloc(expected->length + 1);
  s->partial_length = expected->length;
  memcpy(s->partial, expected->bytes, expected->length);
}


/* The results of a receive are on top of the stack; `before` bytes had come when it
** was called. */
static void check_received(lua_State *L, struct stream *s, const struct request *request,
                           size_t before, int results) {
  struct expected expected = {expected_bytes, 0};
  size_t count = answer(s, request, s->count);
  if (answer(s, request, before) > 0 && s->reads > 0)
    machine_fail("it read on, with enough there");
  if (count > 0) {
    if (results != 1)
      machine_fail("%d results, and %d bytes had come", results, (int)count);
    expect_line(s, request, count, &expected);
    s->taken += count;
    compare(L, -1, &expected, "result");
  } else if (request->until == 'a' && s->event == END && s->count > s->taken) {
    expect_rest(s, request, &expected);
    compare(L, -1, &expected, "all of it");
  } else {
    expect_rest(s, request, &expected);
    check_stopped(L, s, results, &expected);
    keep_partial(s, &expected);
  }
}


/* Of as many bytes as the prefix has, the prefix is all. */
static bool check_prefix_alone(lua_State *L, const struct stream *s, struct request *request,
                               int results) {
  struct expected expected = {(char *)request->prefix, request->prefix_length};
  if (request->until != 'n')
    return false;
  if (request->count > request->prefix_length) {
    request->count -= request->prefix_length;
    return false;
  }
  if (results != 1 || s->reads > 0)
    machine_fail("%d results and %u reads for nothing", results, s->reads);
  compare(L, -1, &expected, "prefix");
  return true;
}


/* LuaSocket waits for something, and leaves it. */
static void check_nothing(lua_State *L, const struct stream *s, int results) {
  struct expected expected = {NULL, 0};
  if (s->count == s->taken)
    check_stopped(L, s, results, &expected);
  else
    compare(L, -1, &expected, "nothing");
}


static void push_pattern(lua_State *L, const struct request *request) {
  uint8_t how = input_byte(input);
  char pattern[8];
  if (request->until == 'n' && (how & 1) != 0)
    lua_pushinteger(L, (lua_Integer)request->count);
  else if (request->until == 'n')
    lua_pushfstring(L, "%d", (int)request->count);
  else if (request->until == 'l' && how < 64)
    lua_pushnil(L);
  else {
    snprintf(pattern, sizeof(pattern), "%s%c%s", (how & 1) != 0 ? "*" : "", request->until,
             (how & 2) != 0 ? "x" : "");
    lua_pushstring(L, pattern);
  }
}


static void choose_prefix(struct stream *s, struct request *request) {
  uint8_t how = input_byte(input);
  request->prefix = "";
  request->prefix_length = 0;
  if (how < 64) {
    request->prefix = (const char *)input_take(input, how % 16, &request->prefix_length);
  } else if (how < 192 && s->partial != NULL) {
    request->prefix = s->partial;
    request->prefix_length = s->partial_length;
  }
}


static void forget_events(struct stream *s) {
  s->event = NOTHING;
  s->error = 0;
  s->reads = 0;
}


static void receive_pattern(lua_State *L, struct stream *s, char until, size_t count) {
  struct request request = {until, count, NULL, 0};
  size_t before = s->count;
  int results;
  forget_events(s);
  choose_prefix(s, &request);
  fuzz_push_method(L, s->index + 1, "receive");
  push_pattern(L, &request);
  lua_pushlstring(L, request.prefix, request.prefix_length);
  results = fuzz_must(L, 3);
  if (s->index == LUASOCKET && until == 'n' && count == 0 && request.prefix_length == 0)
    check_nothing(L, s, results);
  else if (!check_prefix_alone(L, s, &request, results))
    check_received(L, s, &request, before, results);
}


static void receive_any(lua_State *L, struct stream *s, size_t count) {
  struct request request = {'y', count == 0 ? SIZE_MAX : count, "", 0};
  size_t before = s->count;
  forget_events(s);
  fuzz_push_method(L, s->index + 1, "receiveany");
  if (count > 0)
    lua_pushinteger(L, (lua_Integer)count);
  else
    lua_pushnil(L);
  check_received(L, s, &request, before, fuzz_must(L, 2));
}


/* One step of a new iterator: what is read ahead belongs to the object. */
static void iterate(lua_State *L, struct stream *s, bool keep) {
  struct request request = {keep ? 'L' : 'l', 0, "", 0};
  struct expected expected = {expected_bytes, 0};
  size_t before = s->count;
  int results;
  /* The iterator is everybody's, so a kind's own line is not in it. */
  struct stream plain;
  fuzz_push_method(L, s->index + 1, "lines");
  lua_pushboolean(L, keep);
  fuzz_must(L, 2);
  forget_events(s);
  results = fuzz_call(L, 0);
  plain = *s;
  plain.index = 0;
  if (answer(s, &request, s->count) > 0) {
    check_received(L, &plain, &request, before, results);
    s->taken = plain.taken;
  } else if (results < 0) {
    if (s->event != FAILURE && !may_time_out(s))
      machine_fail("raised: %s", lua_tostring(L, -1));
  } else if (s->event != END) {
    machine_fail("the iterator ended, and the stream did not");
  } else if (s->count > s->taken) {
    expect_rest(&plain, &request, &expected);
    s->taken = plain.taken;
    compare(L, -1, &expected, "the last line");
  } else if (results != 0) {
    machine_fail("%d results at the end", results);
  }
}


/*
** What else an object does
*/

static void check_counts(lua_State *L, const struct stream *s) {
  fuzz_push_method(L, s->index + 1, "getstats");
  fuzz_must(L, 1);
  if ((size_t)lua_tointeger(L, -3) != s->count)
    machine_fail("%d bytes were received, of %d", (int)lua_tointeger(L, -3), (int)s->count);
  fuzz_push_method(L, s->index + 1, "dirty");
  fuzz_must(L, 1);
  if ((lua_toboolean(L, -1) != 0) != (s->count > s->taken))
    machine_fail("dirty is not what is unread");
}


static void set_timeout(lua_State *L, struct stream *s) {
  static const double seconds[] = {0, -1, 0.5, 0.000001};
  double value = seconds[input_below(input, 4)];
  bool whole = input_below(input, 2) == 1;
  if (whole)
    s->whole = value;
  else
    s->each = value;
  fuzz_push_method(L, s->index + 1, "settimeout");
  lua_pushnumber(L, value);
  lua_pushstring(L, whole ? "t" : "b");
  fuzz_must(L, 3);
}


static void set_descriptor(lua_State *L, struct stream *s) {
  fuzz_push_method(L, s->index + 1, "setfd");
  lua_pushinteger(L, s->fd);
  fuzz_must(L, 2);
  s->taken = s->count;
}


/* What was not taken comes with the descriptor. */
static void detach(lua_State *L, struct stream *s) {
  struct expected unread = {s->bytes + s->taken, s->count - s->taken};
  fuzz_push_method(L, s->index + 1, "detach");
  if (fuzz_must(L, 1) != 2 || lua_tointeger(L, -2) != s->fd)
    machine_fail("detach gave %s", luaL_tolstring(L, -2, NULL));
  if (unread.length > 0)
    compare(L, -1, &unread, "unread");
  else if (!lua_isnil(L, -1))
    machine_fail("there was nothing unread");
  lua_settop(L, OBJECTS);
  set_descriptor(L, s);
}


static void operate(lua_State *L, struct stream *s) {
  uint8_t how = input_byte(input);
  if (how < 60)
    receive_pattern(L, s, 'l', 0);
  else if (how < 90)
    receive_pattern(L, s, 'L', 0);
  else if (how < 105)
    receive_pattern(L, s, 'a', 0);
  else if (how < 140)
    receive_pattern(L, s, 'n', input_byte(input));
  else if (how < 170)
    receive_pattern(L, s, 'n', (input_u16(input) * (size_t)4) >> (how - 140) / 2);
  else if (how < 200)
    receive_any(L, s, how < 185 ? 0 : input_u16(input));
  else if (how < 225)
    iterate(L, s, how % 2 == 1);
  else if (how < 235)
    set_timeout(L, s);
  else if (how < 240)
    set_descriptor(L, s);
  else if (how < 245)
    detach(L, s);
  else
    lua_gc(L, LUA_GCCOLLECT, 0);
  lua_settop(L, OBJECTS);
  check_counts(L, s);
  lua_settop(L, OBJECTS);
}


/*
** All of it
*/

/* message(code, stage, text) → what LuaSocket calls that */
static int luasocket_message(lua_State *L) {
  const char *stage = luaL_optstring(L, 2, "");
  lua_Integer code = luaL_optinteger(L, 1, 0);
  if (strcmp(stage, "timeout") == 0)
    lua_pushliteral(L, "timeout");
  else if (code == EPIPE || code == ECONNRESET)
    lua_pushliteral(L, "closed");
  else if (lua_isnoneornil(L, 3))
    lua_pushstring(L, strerror((int)code));
  else
    lua_settop(L, 3);
  return 1;
}


/* One for all inputs: a kind is a table of every method five times. */
static void push_kind(lua_State *L) {
  if (lua_getfield(L, LUA_REGISTRYINDEX, "luasocket") == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  fuzz_push_kinds_function(L, "kind");
  lua_pushcfunction(L, luasocket_message);
  fuzz_must(L, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, "luasocket");
}


static void push_luasocket_socket(lua_State *L, int fd) {
  fuzz_push_kinds_function(L, "new");
  push_kind(L);
  lua_pushinteger(L, 2);
  fuzz_must(L, 2);
  fuzz_push_method(L, -1, "setfd");
  lua_pushinteger(L, fd);
  fuzz_must(L, 2);
  lua_pop(L, 1);
}


static void begin(lua_State *L, struct stream *s, int index) {
  char *bytes = s->bytes != NULL ? s->bytes : malloc(MOST_BYTES);
  memset(s, 0, sizeof(*s));
  s->index = index;
  s->bytes = bytes;
  s->whole = -1;
  if (index == LUASOCKET) {
    s->fd = machine_new(MACHINE_SOCKET, AF_INET, SOCK_STREAM);
    machine_connect(s->fd);
    push_luasocket_socket(L, s->fd);
  } else {
    s->fd = fuzz_push_socket(L, index == 0 ? AF_INET : AF_UNIX, SOCK_STREAM, true);
  }
  fuzz_push_method(L, index + 1, "settimeout");
  lua_pushinteger(L, 0);
  fuzz_must(L, 2);
  lua_settop(L, index + 1);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input bytes = {data, size}, none = {NULL, 0};
  lua_State *L = fuzz_begin(none);
  int i;
  input = &bytes;
  machine_hooks.receive = receive;
  for (i = 0; i < OBJECTS; i++)
    begin(L, &streams[i], i);
  for (i = 0; i < MOST_OPERATIONS && bytes.left > 0; i++)
    operate(L, &streams[input_below(&bytes, OBJECTS)]);
  for (i = 0; i < OBJECTS; i++)
    free(streams[i].partial);
  fuzz_end(L);
  return 0;
}
