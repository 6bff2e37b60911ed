/*
** select.c: waits until any of many sockets is ready.
**
** The tables are traversed twice: before the wait, to get each entry's descriptor,
** and after it, to collect the ready entries. In between there are only numbers, in
** memory that Lua owns, since any object's methods may raise an error.
** An object that connects to a name is stepped before the wait. If it is not finished,
** its opening's descriptor is polled; when this is ready, everything is repeated.
** A descriptor is polled once, however many entries refer to it: poll(2) accepts no
** more of them than the process may have open.
*/

#include "objects.h"

#include <poll.h>

/* Up to this number of entries nothing is allocated. */
#define INLINE_ENTRIES 32

/* Stack indices: the two tables, and the userdata for longer lists. */
#define READERS 1
#define WRITERS 2
#define ENTRIES 4
#define POLLED 5

struct entry {
  int index; /* in its table */
  int fd;
  int place; /* index in `polled` */
  short events;
  bool is_pending; /* the descriptor belongs to an opening */
  bool is_ready;
};

struct selection {
  struct entry *entries; /* readers, then writers */
  int count, reader_count, capacity;
  bool is_ready; /* without waiting */
  struct pollfd *polled;
  int polled_count;
  int *slots; /* hash table from descriptors to `polled`; -1: free */
  unsigned int slot_mask;
  struct entry inline_entries[INLINE_ENTRIES];
  struct pollfd inline_polled[INLINE_ENTRIES];
  int inline_slots[2 * INLINE_ENTRIES];
};

/*** @module sock99 */


/*
** Before the wait: descriptors
*/

static short events_for(int table) {
  return table == READERS ? POLLIN : POLLOUT;
}


static struct entry *add_entry(lua_State *L, struct selection *selection, int table, int index,
                               int fd, bool is_ready) {
  struct entry *entry;
  if (selection->count == selection->capacity) {
    size_t bytes = (size_t)selection->capacity * sizeof(*entry);
    struct entry *larger = sock99_newuserdata(L, 2 * bytes);
    memcpy(larger, selection->entries, bytes);
    lua_replace(L, ENTRIES);
    selection->entries = larger;
    selection->capacity *= 2;
  }
  entry = &selection->entries[selection->count++];
  entry->index = index;
  entry->fd = fd;
  entry->events = events_for(table);
  entry->is_pending = false;
  entry->is_ready = is_ready;
  selection->is_ready = selection->is_ready || is_ready;
  return entry;
}


/* Adds an object that connects to a name; it is ready if that has failed. */
static void add_pending(lua_State *L, struct selection *selection, int table, int index,
                        const struct sock99_socket *s) {
  short events;
  int fd = sock99_poll_target(s, &events);
  struct entry *entry = add_entry(L, selection, table, index, fd, sock99_has_failed(s));
  entry->events = events;
  entry->is_pending = true;
}


/* Returns the number on top of the stack as a descriptor; -1 if it is not a valid one. */
static int to_descriptor(lua_State *L) {
  long long fd = -1;
  if (sock99_to_whole(L, -1, &fd) != SOCK99_WHOLE || fd < 0 || fd > INT_MAX)
    return -1;
  return (int)fd;
}


static int number_to_fd(lua_State *L, int table, int index) {
  int fd = to_descriptor(L);
  if (fd < 0)
    sock99_raise(L, table, "entry %d: %s is not a descriptor", index, lua_tostring(L, -1));
  return fd;
}


/* Pushes a method of the object on top of the stack, or nothing if there is none. */
static bool push_method(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  if (!lua_isnil(L, -1))
    return true;
  lua_pop(L, 1);
  return false;
}


/* Calls the method on top of the stack with the object below it; the result replaces the
** method. */
static void call_method(lua_State *L) {
  lua_pushvalue(L, -2);
  lua_call(L, 1, 1);
}


/* Returns -1 if the object currently has no descriptor. */
static int foreign_fd(lua_State *L, int table, int index) {
  int type = lua_type(L, -1), fd = -1;
  /* LuaJIT has types beyond Lua's own. */
  if (type != LUA_TTABLE && type != LUA_TUSERDATA && type <= LUA_TTHREAD)
    sock99_raise(L, table, "entry %d: a socket or a descriptor expected, got %s", index,
                 luaL_typename(L, -1));
  if (!push_method(L, "getfd") && !push_method(L, "pollfd"))
    sock99_raise(L, table, "entry %d: it has neither getfd nor pollfd", index);
  call_method(L);
  if (lua_type(L, -1) == LUA_TNUMBER) {
    long long whole;
    if (sock99_to_whole(L, -1, &whole) == SOCK99_FRACTION)
      sock99_raise(L, table, "entry %d: its descriptor is %s: integer expected", index,
                   lua_tostring(L, -1));
    fd = to_descriptor(L);
  }
  lua_pop(L, 1);
  return fd;
}


static bool is_foreign_dirty(lua_State *L) {
  bool is_dirty;
  if (!push_method(L, "dirty"))
    return false;
  call_method(L);
  is_dirty = lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  return is_dirty;
}


static void add_socket(lua_State *L, struct selection *selection, int table, int index,
                       struct sock99_socket *s) {
  bool is_ready = sock99_unread(&s->input) > 0 || s->pending_error != 0;
  sock99_step(s);
  if (sock99_is_pending(s))
    add_pending(L, selection, table, index, s);
  else if (s->fd >= 0)
    add_entry(L, selection, table, index, s->fd, is_ready && table == READERS);
}


/* Adds the entry on top of the stack. */
static void read_entry(lua_State *L, struct selection *selection, int table, int index) {
  struct sock99_socket *s = sock99_test_socket(L, -1);
  bool is_ready = false;
  int fd;
  if (s != NULL) {
    add_socket(L, selection, table, index, s);
    return;
  }
  if (lua_type(L, -1) == LUA_TNUMBER) {
    fd = number_to_fd(L, table, index);
  } else {
    fd = foreign_fd(L, table, index);
    is_ready = fd >= 0 && table == READERS && is_foreign_dirty(L);
  }
  if (fd >= 0)
    add_entry(L, selection, table, index, fd, is_ready);
}


/* The table may be a proxy with __index. */
static void push_entry(lua_State *L, int table, int index) {
  lua_pushinteger(L, index);
  lua_gettable(L, table);
}


static void read_table(lua_State *L, struct selection *selection, int table) {
  int index;
  if (lua_isnil(L, table))
    return;
  for (index = 1;; index++) {
    push_entry(L, table, index);
    if (lua_isnil(L, -1))
      break;
    read_entry(L, selection, table, index);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}


/*
** The wait
*/

/* Allocates a descriptor to poll for each entry, and the hash table. */
static void allocate_polled(lua_State *L, struct selection *selection) {
  size_t count = (size_t)selection->count, slots = 2 * (size_t)INLINE_ENTRIES, i;
  selection->polled = selection->inline_polled;
  selection->slots = selection->inline_slots;
  if (count > INLINE_ENTRIES) {
    while (slots < 2 * count)
      slots *= 2;
    selection->polled =
        sock99_newuserdata(L, count * sizeof(struct pollfd) + slots * sizeof(*selection->slots));
    lua_replace(L, POLLED);
    selection->slots = (int *)(void *)(selection->polled + count);
  }
  selection->slot_mask = (unsigned int)slots - 1;
  for (i = 0; i < slots; i++)
    selection->slots[i] = -1;
}


/* Descriptors are small and dense: they are their own hash. */
static int place_of(struct selection *selection, int fd) {
  unsigned int slot = (unsigned int)fd & selection->slot_mask;
  struct pollfd *polled;
  while (selection->slots[slot] >= 0) {
    if (selection->polled[selection->slots[slot]].fd == fd)
      return selection->slots[slot];
    slot = (slot + 1) & selection->slot_mask;
  }
  polled = &selection->polled[selection->polled_count];
  polled->fd = fd;
  polled->events = polled->revents = 0;
  selection->slots[slot] = selection->polled_count;
  return selection->polled_count++;
}


static int table_of(const struct selection *selection, int i) {
  return i < selection->reader_count ? READERS : WRITERS;
}


static void place_entries(lua_State *L, struct selection *selection) {
  int i;
  allocate_polled(L, selection);
  for (i = 0; i < selection->count; i++) {
    struct entry *entry = &selection->entries[i];
    entry->place = place_of(selection, entry->fd);
    selection->polled[entry->place].events |= entry->events;
  }
}


static bool has_error(int fd) {
  struct pollfd polled = {fd, 0, 0};
  return poll(&polled, 1, 0) > 0;
}


/* If poll(2) reports nothing but POLLERR, the cause may be just an entry in the error
** queue. An error that a call would have returned is kept in the object. */
static void check_error_queue(lua_State *L, const struct entry *entry, int table,
                              struct pollfd *polled) {
  struct sock99_socket *s;
  push_entry(L, table, entry->index);
  s = sock99_test_socket(L, -1);
  if (s != NULL && s->fd == entry->fd && s->pending_error == 0) {
    s->pending_error = sock99_empty_error_queue(s->fd);
    if (s->pending_error == 0 && !has_error(s->fd))
      polled->revents = 0;
  }
  lua_pop(L, 1);
}


/* Returns whether any entry is ready. */
static bool check_error_queues(lua_State *L, const struct selection *selection) {
  bool is_ready = false;
  int i;
  for (i = 0; i < selection->count; i++) {
    const struct entry *entry = &selection->entries[i];
    struct pollfd *polled = &selection->polled[entry->place];
    if (polled->revents == POLLERR)
      check_error_queue(L, entry, table_of(selection, i), polled);
    is_ready = is_ready || polled->revents != 0;
  }
  return is_ready;
}


static void wait_for_any(lua_State *L, const struct selection *selection, int64_t end) {
  char words[128];
  int ready;
  if (selection->is_ready)
    end = 0;
  do {
    ready = sock99_poll(L, selection->polled, (size_t)selection->polled_count, end);
    if (ready < 0 && errno != EINTR)
      luaL_error(L, "poll: %s", s99_strerror(errno, words, sizeof(words)));
  } while (ready != 0 && !(ready > 0 && check_error_queues(L, selection)) && s99_poll_ms(end) != 0);
}


/*
** After the wait: results
*/

static void check_open(lua_State *L, const struct selection *selection) {
  int i;
  for (i = 0; i < selection->count; i++) {
    const struct entry *entry = &selection->entries[i];
    /* A method called since then may have ended an opening. */
    if (entry->is_pending || (selection->polled[entry->place].revents & POLLNVAL) == 0)
      continue;
    sock99_raise(L, table_of(selection, i), "entry %d: descriptor %d is not open", entry->index,
                 entry->fd);
  }
}


/* Appends the value on top of the stack to the result below it, unless it is there. An
** object is also a key; a number is not, since it would be mistaken for an index. */
static void append(lua_State *L, struct pollfd *polled, short events, int *count) {
  bool again;
  if (lua_type(L, -1) == LUA_TNUMBER) {
    again = (polled->events & events) == 0;
    polled->events = (short)(polled->events & ~events);
  } else {
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    again = !lua_isnil(L, -1);
    lua_pop(L, 1);
  }
  /* Methods called meanwhile may have changed the table. */
  if (again || lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return;
  }
  ++*count;
  if (lua_type(L, -1) != LUA_TNUMBER) {
    lua_pushvalue(L, -1);
    lua_pushinteger(L, *count);
    lua_rawset(L, -4);
  }
  lua_rawseti(L, -2, *count);
}


static bool is_ready(const struct selection *selection, const struct entry *entry, int table) {
  short events = events_for(table) | POLLERR | POLLHUP;
  if (entry->is_pending)
    return entry->is_ready;
  return entry->is_ready || (selection->polled[entry->place].revents & events) != 0;
}


/* Pushes the list of one table's ready entries. Returns their number. */
static int push_ready(lua_State *L, const struct selection *selection, int table) {
  int i = table == READERS ? 0 : selection->reader_count;
  int last = table == READERS ? selection->reader_count : selection->count;
  int count = 0;
  lua_newtable(L);
  for (; i < last; i++) {
    const struct entry *entry = &selection->entries[i];
    if (is_ready(selection, entry, table)) {
      push_entry(L, table, entry->index);
      append(L, &selection->polled[entry->place], events_for(table), &count);
    }
  }
  return count;
}


/* Whether an opening can make progress while no entry is ready. */
static bool must_repeat(const struct selection *selection) {
  bool has_progress = false;
  int i;
  for (i = 0; i < selection->count; i++) {
    const struct entry *entry = &selection->entries[i];
    if (is_ready(selection, entry, table_of(selection, i)))
      return false;
    if (entry->is_pending && selection->polled[entry->place].revents != 0)
      has_progress = true;
  }
  return has_progress;
}


/* Reads the tables and waits until `end`. */
static void read_and_wait(lua_State *L, struct selection *selection, int64_t end) {
  lua_settop(L, POLLED);
  selection->entries = selection->inline_entries;
  selection->capacity = INLINE_ENTRIES;
  selection->count = selection->polled_count = 0;
  selection->is_ready = false;
  read_table(L, selection, READERS);
  selection->reader_count = selection->count;
  read_table(L, selection, WRITERS);
  place_entries(L, selection);
  wait_for_any(L, selection, end);
  check_open(L, selection);
}


/* A table with objects as keys, or with names as keys, would seem to be empty. */
static void check_table(lua_State *L, int index) {
  if (lua_isnil(L, index))
    return;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_rawgeti(L, index, 1);
  if (lua_isnil(L, -1) && !luaL_getmetafield(L, index, "__index")) {
    lua_pushnil(L);
    if (lua_next(L, index) != 0)
      sock99_raise(L, index, "a list expected, got a table without an entry 1");
  }
  lua_settop(L, POLLED);
}


/*** An entry for `select`.

@union selectable
@tfield integer descriptor
@tfield socket object
@tfield opening opening to be listed among the readers
@tfield {getfd=fun(self:table):integer} other any object with `getfd`
*/

/*** Wait until any of the given sockets is ready for reading or writing.

An entry is a socket object, a descriptor, or any object with `getfd` (and `dirty`,
which reports buffered input) or with `pollfd`, such as an opening, which is listed
among the readers. Objects with a negative descriptor are skipped. An object with an
unreported error, or whose stream has ended, is ready. This call also continues a
connect to a name; the object is ready for writing once it is connected.
@function select
@tparam ?selectable[] readers
@tparam ?selectable[] writers
@tparam ?number timeout seconds; nil or negative: no limit; 0: do not wait
@treturn table the ready readers: a list that also maps each object to its index
@treturn table the ready writers, likewise
@treturn ?'timeout' if none is ready
@raise if an entry is none of these, or its descriptor is not open
@usage
local readable = sock99.select({ server, client }, nil, 1)
if readable[server] then client = server:accept() end
*/
int sock99_select(lua_State *L) {
  struct selection selection;
  lua_Number seconds = luaL_optnumber(L, 3, -1);
  int64_t end;
  int count;
  luaL_argcheck(L, seconds == seconds, 3, "not a number");
  lua_settop(L, POLLED);
  check_table(L, READERS);
  check_table(L, WRITERS);
  end = seconds == 0 ? 0 : sock99_end_after((double)seconds);
  do
    read_and_wait(L, &selection, end);
  while (must_repeat(&selection) && s99_now() < end);
  count = push_ready(L, &selection, READERS);
  count += push_ready(L, &selection, WRITERS);
  if (count > 0)
    return 2;
  lua_pushliteral(L, "timeout");
  return 3;
}
