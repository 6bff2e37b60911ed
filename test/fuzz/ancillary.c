/*
** ancillary.c: whatever comes along with data, and not one descriptor lost.
**
** An input is a row of operations on a stream, a datagram and a record socket of
** the Unix domain. Where an operation reads, the bytes that follow say what
** comes: data, and control messages as a kernel may give them, cut short where
** the room ended. The model is, for each object, the list of descriptors that
** came and that nobody has asked for.
*/

#include "lua.h"

#include <errno.h>
#include <stdio.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define OBJECTS 3
#define MOST_OPERATIONS 100
#define MOST_UNCLAIMED 4096

/* Of one message, on Linux. More of them may be closed, and are told of then. */
#define MOST_OF_MESSAGE 253

/* Of one message. */
#define MOST_DATA 4096

/* Not in every libc: SO_PASSPIDFD. */
#define PIDFD 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct object {
  int fd, type;
  int unclaimed[MOST_UNCLAIMED];
  bool may_be_closed[MOST_UNCLAIMED];
  int count;
  int of_message;
  bool is_cut;   /* the system had no room for some, since the last claim */
  uint32_t came; /* bytes of a stream; messages count anew */
  uint32_t taken;
  bool has_next; /* a message that was looked at before it is taken */
  size_t next_size;
};

static struct object objects[OBJECTS];
static struct input *input;


/*
** The peer
*/

static struct object *object_of(int fd) {
  int i;
  for (i = 0; i < OBJECTS; i++) {
    if (objects[i].fd == fd)
      return &objects[i];
  }
  machine_fail("descriptor %d is nobody's", fd);
}


static char data_at(uint32_t position) {
  return (char)(position * 31 + position / 256);
}


/* What the next control message has, and how long it says it is. */
static size_t fill_message(struct object *o, struct cmsghdr *header, size_t room) {
  static const int types[] = {SCM_RIGHTS,   SCM_RIGHTS,           SCM_RIGHTS, SCM_CREDENTIALS,
                              SO_TIMESTAMP, 3 /* SCM_SECURITY */, PIDFD};
  unsigned char *bytes = CMSG_DATA(header);
  size_t most = room - CMSG_LEN(0), size, i;
  header->cmsg_level = input_below(input, 8) == 7 ? IPPROTO_IP : SOL_SOCKET;
  header->cmsg_type = types[input_below(input, 7)];
  size = input_byte(input) * (header->cmsg_type == SCM_RIGHTS ? sizeof(int) : 1);
  if (header->cmsg_type == PIDFD)
    size = sizeof(int);
  if (size > most)
    size = most;
  memset(bytes, 0xff, size);
  for (i = 0; header->cmsg_level == SOL_SOCKET && i + sizeof(int) <= size; i += sizeof(int)) {
    int fd;
    if (header->cmsg_type != SCM_RIGHTS && header->cmsg_type != PIDFD)
      break;
    fd = machine_new(MACHINE_FILE, 0, 0);
    if (fd < 0 || o->count == MOST_UNCLAIMED)
      machine_fail("the target is out of descriptors");
    memcpy(bytes + i, &fd, sizeof(fd));
    if (header->cmsg_type == SCM_RIGHTS) {
      /* An object keeps one message's worth; the kernel closes what has no room. */
      o->may_be_closed[o->count] =
          o->of_message++ >= MOST_OF_MESSAGE || o->count >= MOST_OF_MESSAGE;
      o->unclaimed[o->count++] = fd;
    }
  }
  header->cmsg_len = CMSG_LEN(size);
  return CMSG_SPACE(size) <= room ? CMSG_SPACE(size) : room;
}


static void fill_control(struct object *o, struct msghdr *message) {
  size_t room = message->msg_controllen, used = 0;
  unsigned int messages = input_below(input, 8);
  o->of_message = 0;
  if (message->msg_control == NULL)
    machine_fail("a read that would drop descriptors");
  while (messages-- > 0 && room - used >= CMSG_LEN(0)) {
    used += fill_message(o, (struct cmsghdr *)((char *)message->msg_control + used), room - used);
  }
  message->msg_controllen = used;
  message->msg_flags = 0;
  if (input_below(input, 8) == 7) {
    message->msg_flags |= MSG_CTRUNC;
    o->is_cut = true;
  }
}


static void fill_name(struct msghdr *message) {
  static const char name[] = "/tmp/peer";
  struct sockaddr_un *un = message->msg_name;
  size_t size = input_below(input, sizeof(name) + 1);
  if (un == NULL)
    return;
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path, name, size);
  message->msg_namelen = (socklen_t)(size == 0 ? 0 : offsetof(struct sockaddr_un, sun_path) + size);
}


static size_t next_size(struct object *o) {
  if (!o->has_next)
    o->next_size = input_u16(input) % MOST_DATA;
  o->has_next = true;
  return o->next_size;
}


static ssize_t fill_data(struct object *o, struct msghdr *message, int flags) {
  struct iovec *part = message->msg_iov;
  size_t size = next_size(o), there = size < part->iov_len ? size : part->iov_len, i;
  uint32_t first = o->type == SOCK_STREAM ? o->came : 0;
  o->has_next = false;
  for (i = 0; i < there; i++)
    ((char *)part->iov_base)[i] = data_at(first + (uint32_t)i);
  if (o->type == SOCK_STREAM) {
    o->came += (uint32_t)there;
    return (ssize_t)there;
  }
  if (there < size)
    message->msg_flags |= MSG_TRUNC;
  return (ssize_t)((flags & MSG_TRUNC) != 0 ? size : there);
}


static ssize_t receive(int fd, struct msghdr *message, int flags) {
  static const int errors[] = {EAGAIN, EINTR, ECONNRESET, ENOMEM};
  struct object *o = object_of(fd);
  uint8_t how;
  ssize_t got;
  if ((flags & MSG_PEEK) != 0)
    return (ssize_t)next_size(o);
  if ((flags & MSG_CMSG_CLOEXEC) == 0)
    machine_fail("descriptors would be inherited");
  how = input_byte(input);
  if (how >= 224 || input->left == 0) {
    errno = input->left == 0 ? EAGAIN : errors[how % 4];
    return -1;
  }
  fill_control(o, message);
  fill_name(message);
  got = fill_data(o, message, flags);
  return got;
}


/* What is sent with descriptors has one control message, whole. */
static ssize_t send_data(int fd, const struct msghdr *message, int flags) {
  static const int errors[] = {EAGAIN, EINTR, EPIPE, ETOOMANYREFS};
  const struct cmsghdr *header = CMSG_FIRSTHDR(message);
  uint8_t how = input_byte(input);
  (void)fd;
  if ((flags & MSG_NOSIGNAL) == 0)
    machine_fail("a signal might be raised");
  if (header != NULL && (header->cmsg_type != SCM_RIGHTS || header->cmsg_len < CMSG_LEN(4) ||
                         message->msg_controllen != CMSG_SPACE(header->cmsg_len - CMSG_LEN(0))))
    machine_fail("a control message of %d bytes", (int)header->cmsg_len);
  if (how >= 224) {
    errno = errors[how % 4];
    return -1;
  }
  return (ssize_t)(how % 4 == 3 && message->msg_iov[0].iov_len > 1 ? 1
                                                                   : message->msg_iov[0].iov_len);
}


/*
** Expectations
*/

/* What was given is the next of the stream, or a message from its start. */
static void check_data(lua_State *L, int index, struct object *o) {
  size_t length, i;
  const char *data = lua_tolstring(L, index, &length);
  uint32_t first = o->type == SOCK_STREAM ? o->taken : 0;
  if (lua_type(L, index) != LUA_TSTRING)
    machine_fail("%s in the place of data", luaL_typename(L, index));
  for (i = 0; i < length; i++) {
    if (data[i] != data_at(first + (uint32_t)i))
      machine_fail("other data than came");
  }
  if (o->type != SOCK_STREAM)
    return;
  if (length > o->came - o->taken)
    machine_fail("more data than came");
  o->taken += (uint32_t)length;
}


/* What there was no room for is closed. */
static void settle(struct object *o) {
  int i, kept = 0;
  for (i = 0; i < o->count; i++) {
    if (o->may_be_closed[i] && !machine_is_open(o->unclaimed[i])) {
      o->is_cut = true;
      continue;
    }
    o->may_be_closed[kept] = o->may_be_closed[i];
    o->unclaimed[kept++] = o->unclaimed[i];
  }
  o->count = kept;
}


static void forget(struct object *o, size_t count) {
  o->count -= (int)count;
  memmove(o->unclaimed, o->unclaimed + count, (size_t)o->count * sizeof(o->unclaimed[0]));
  memmove(o->may_be_closed, o->may_be_closed + count,
          (size_t)o->count * sizeof(o->may_be_closed[0]));
}


/* Data at `index`, and the list behind it. */
static void check_claimed(lua_State *L, int index, struct object *o, size_t max, int results) {
  size_t due, i;
  settle(o);
  due = (size_t)o->count < max ? (size_t)o->count : max;
  check_data(L, index, o);
  if (!lua_istable(L, index + 1) || lua_rawlen(L, index + 1) != due)
    machine_fail("%d descriptors came, %d were given", (int)due, (int)lua_rawlen(L, index + 1));
  for (i = 0; i < due; i++) {
    int fd;
    lua_rawgeti(L, index + 1, (int)i + 1);
    fd = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (fd != o->unclaimed[i])
      machine_fail("descriptor %d in the place of %d", fd, o->unclaimed[i]);
    machine_close(fd);
  }
  if ((results == 3) != o->is_cut)
    machine_fail("%d results, some were%s lost", results, o->is_cut ? "" : " not");
  forget(o, due);
  o->is_cut = false;
}


/* All that nobody has claimed is open, and nothing else: neither lost nor kept. */
static void check_open(void) {
  int i, k, open = OBJECTS;
  for (i = 0; i < OBJECTS; i++) {
    settle(&objects[i]);
    open += objects[i].count;
    if (objects[i].count > MOST_OF_MESSAGE)
      machine_fail("%d descriptors are kept", objects[i].count);
    for (k = 0; k < objects[i].count; k++) {
      if (!machine_is_open(objects[i].unclaimed[k]))
        machine_fail("descriptor %d was closed", objects[i].unclaimed[k]);
    }
  }
  if (machine_open_count() != open)
    machine_fail("%d descriptors are open, not %d", machine_open_count(), open);
}


/*
** Operations
*/

static void receive_fds(lua_State *L, int index, struct object *o) {
  size_t max = input_below(input, 4) == 3 ? 1 + input_below(input, 16) : MOST_UNCLAIMED;
  int results;
  fuzz_push_method(L, index, "receivefds");
  if (max == MOST_UNCLAIMED)
    lua_pushnil(L);
  else
    lua_pushinteger(L, (lua_Integer)max);
  results = fuzz_must(L, 2);
  if (lua_isnil(L, -results))
    fuzz_check_failure(L, -results, results);
  else
    check_claimed(L, lua_gettop(L) - results + 1, o, max, results);
}


/* As data alone; what came along stays. */
static void receive_data(lua_State *L, int index, struct object *o) {
  static const char *const methods[] = {"receive", "receiveany"};
  int results, first;
  if (o->type == SOCK_STREAM)
    fuzz_push_method(L, index, methods[input_below(input, 2)]);
  else
    fuzz_push_method(L, index,
                     o->type == SOCK_DGRAM && input_below(input, 2) ? "receivefrom" : "receive");
  lua_pushinteger(L, 1 + (lua_Integer)input_byte(input));
  results = fuzz_must(L, 2);
  first = lua_gettop(L) - results + 1;
  if (!lua_isnil(L, first)) {
    check_data(L, first, o);
  } else {
    fuzz_check_failure(L, first, 2);
    if (results > 2 && lua_type(L, first + 2) == LUA_TSTRING)
      check_data(L, first + 2, o);
  }
}


static void send_fds(lua_State *L, int index) {
  int i, results, count = 1 + (int)input_byte(input);
  luaL_checkstack(L, count + 8, "too many descriptors");
  fuzz_push_method(L, index, "sendfds");
  lua_pushliteral(L, "some data");
  for (i = 0; i < count; i++)
    lua_pushinteger(L, i);
  results = fuzz_call(L, count + 2);
  if ((results < 0) != (count > 253))
    machine_fail("%d descriptors: %s", count, lua_tostring(L, -1));
}


static void close_unclaimed(struct object *o) {
  int i;
  for (i = 0; i < o->count; i++) {
    if (machine_is_open(o->unclaimed[i]))
      machine_fail("descriptor %d stays open", o->unclaimed[i]);
  }
  o->count = 0;
  o->is_cut = false;
  o->taken = o->came;
}


/* The object drops what it has, and goes on. */
static void drop(lua_State *L, int index, struct object *o) {
  bool detaches = input_below(input, 2) == 1;
  fuzz_push_method(L, index, detaches ? "detach" : "setfd");
  lua_pushinteger(L, -1);
  fuzz_must(L, 2);
  close_unclaimed(o);
  fuzz_push_method(L, index, "setfd");
  lua_pushinteger(L, o->fd);
  if (fuzz_must(L, 2) != 1)
    machine_fail("setfd: %s", lua_tostring(L, -2));
}


static void operate(lua_State *L) {
  int index = 1 + (int)input_below(input, OBJECTS);
  struct object *o = &objects[index - 1];
  uint8_t how = input_byte(input);
  if (how < 110)
    receive_fds(L, index, o);
  else if (how < 200)
    receive_data(L, index, o);
  else if (how < 220)
    send_fds(L, index);
  else if (how < 245)
    drop(L, index, o);
  else
    lua_gc(L, LUA_GCCOLLECT, 0);
  lua_settop(L, OBJECTS);
  check_open();
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int types[OBJECTS] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  struct input bytes = {data, size}, none = {NULL, 0};
  lua_State *L = fuzz_begin(none);
  int i;
  input = &bytes;
  machine_hooks.receive = receive;
  machine_hooks.send = send_data;
  for (i = 0; i < OBJECTS; i++) {
    struct object *o = &objects[i];
    o->type = types[i];
    o->fd = fuzz_push_socket(L, AF_UNIX, types[i], true);
    o->count = 0;
    o->is_cut = o->has_next = false;
    o->came = o->taken = 0;
    fuzz_push_method(L, -1, "settimeout");
    lua_pushinteger(L, 0);
    fuzz_must(L, 2);
    lua_settop(L, i + 1);
  }
  for (i = 0; i < MOST_OPERATIONS && bytes.left > 0; i++)
    operate(L);
  fuzz_end(L);
  return 0;
}
