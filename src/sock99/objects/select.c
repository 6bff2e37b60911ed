/*
** select.c: which of many are ready.
**
** The tables are walked twice: before the wait, to learn each entry's
** descriptor, and after it, for those that are ready. Between the two there are
** only numbers, in memory that Lua owns, since any object's methods may raise.
** An object that connects to a name goes on before the wait. If that is not enough,
** its opening's descriptor is polled; once this is ready, all begins anew.
** A descriptor is polled once, however many entries mean it: poll(2) takes no
** more of them than the process may have open.
*/

#include "objects.h"

#include <poll.h>

/* So many entries make no garbage. */
#define INLINE_ENTRIES 32

/* Stack indices: the two tables, then what holds longer lists. */
#define READERS 1
#define WRITERS 2
#define ENTRIES 4
#define POLLED 5

struct entry {
  int index; /* in its table */
  int fd;
  int place; /* among the descriptors that are polled */
  short events;
  bool is_pending; /* the descriptor is that of its opening */
  bool is_ready;
};

struct selection {
  struct entry *entries; /* readers, then writers */
  int count, reader_count, capacity;
  bool is_ready; /* without waiting */
  struct pollfd *polled;
  int polled_count;
  int *slots; /* where a descriptor is polled, by its hash; -1: free */
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


/* An object that connects to a name; if that has failed, it is ready to say so. */
static void add_pending(lua_State *L, struct selection *selection, int table, int index,
                        const struct sock99_socket *s) {
  short events;
  int fd = sock99_watched(s, &events);
  struct entry *entry = add_entry(L, selection, table, index, fd, sock99_has_failed(s));
  entry->events = events;
  entry->is_pending = true;
}


/* The number on top of the stack as a descriptor; -1 where none can be that number. */
static int to_descriptor(lua_State *L) {
  long long fd = -1;
  if (sock99_to_whole(L, -1, &fd) != SOCK99_WHOLE || fd < 0 || fd > INT_MAX)
    return -1;
  return (int)fd;
}


static int number_to_fd(lua_State *L, int table, int index) {
  int fd = to_descriptor(L);
  if (fd < 0)
    sock99_raise(L, table, "entry %d: %s is no descriptor", index, lua_tostring(L, -1));
  return fd;
}


/* Pushes a method of the object on top of the stack, if it has it. */
static bool push_method(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  if (!lua_isnil(L, -1))
    return true;
  lua_pop(L, 1);
  return false;
}


/* Calls a method that was pushed; its result is on top, above the object. */
static void call_method(lua_State *L) {
  lua_pushvalue(L, -2);
  lua_call(L, 1, 1);
}


/* -1: it has none at the moment. */
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


/* The entry on top of the stack. */
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


/* Any table, a proxy with __index too. */
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

/* Room for as many descriptors as there are entries, and slots to find them. */
static void make_room(lua_State *L, struct selection *selection) {
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
  make_room(L, selection);
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


/* An object of which poll(2) says only that it has an error to report may have nothing
** but an entry in its error queue. What a call has to return instead waits in the
** object. */
static void settle_error(lua_State *L, const struct entry *entry, int table,
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


/* Whether any is ready. */
static bool settle_errors(lua_State *L, const struct selection *selection) {
  bool is_ready = false;
  int i;
  for (i = 0; i < selection->count; i++) {
    const struct entry *entry = &selection->entries[i];
    struct pollfd *polled = &selection->polled[entry->place];
    if (polled->revents == POLLERR)
      settle_error(L, entry, table_of(selection, i), polled);
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
  } while (ready != 0 && !(ready > 0 && settle_errors(L, selection)) && s99_poll_ms(end) != 0);
}


/*
** After the wait: results
*/

static void check_open(lua_State *L, const struct selection *selection) {
  int i;
  for (i = 0; i < selection->count; i++) {
    const struct entry *entry = &selection->entries[i];
    /* A method that was called since may have ended an opening. */
    if (entry->is_pending || (selection->polled[entry->place].revents & POLLNVAL) == 0)
      continue;
    sock99_raise(L, table_of(selection, i), "entry %d: descriptor %d is not open", entry->index,
                 entry->fd);
  }
}


/* Appends the value on top of the stack to the result below it, once. An object
** is a key, too; a number is not, since it would pass for an index. */
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
  /* Methods that were called may have changed the table. */
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


/* Pushes the list of those of one table's entries that are ready; returns how many. */
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


/* Whether an opening gets further, and nothing is ready. */
static bool begins_anew(const struct selection *selection) {
  bool gets_further = false;
  int i;
  for (i = 0; i < selection->count; i++) {
    const struct entry *entry = &selection->entries[i];
    if (is_ready(selection, entry, table_of(selection, i)))
      return false;
    if (entry->is_pending && selection->polled[entry->place].revents != 0)
      gets_further = true;
  }
  return gets_further;
}


/* Reads the tables, and waits until then. */
static void look(lua_State *L, struct selection *selection, int64_t end) {
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


/* A table with objects as keys, or by name, would be waited for without any of them. */
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


/*** What `select` takes.

@union selectable
@tfield integer descriptor
@tfield socket object
@tfield opening opening belongs among the readers
@tfield {getfd=fun(self:table):integer} other any object with `getfd`
*/

/*** Wait until some of many can be read or written without waiting.

An entry is a socket object, a descriptor, or any object with `getfd` (and
`dirty`, which says that something was read ahead), or else with `pollfd`, as
openings have it: they belong among the readers. Objects whose descriptor is
negative are skipped. One that has an error to tell, or has ended, is ready. An
object that connects to a name gets further with this call, and can be written to
once it is connected.
@function select
@tparam ?selectable[] readers
@tparam ?selectable[] writers
@tparam ?number timeout seconds; nil or negative: no limit; 0: only look
@treturn table the readers that are ready: a list, in which each object is a key,
too, whose value is its index
@treturn table the writers that are ready
@treturn ?'timeout' where none is
@raise where an entry is none of these, or its descriptor is not open
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
    look(L, &selection, end);
  while (begins_anew(&selection) && s99_now() < end);
  count = push_ready(L, &selection, READERS);
  count += push_ready(L, &selection, WRITERS);
  if (count > 0)
    return 2;
  lua_pushliteral(L, "timeout");
  return 3;
}
