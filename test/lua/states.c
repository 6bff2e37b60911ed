/*
** states.c: test_states, Lua states of their own with an allocator of their own:
** one that collects garbage at every allocation, or that has no memory after so
** many of them, or for one of them; and the work that the room of unread bytes
** takes, counted.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "values/compat.h"

#include <lualib.h>

#include <dlfcn.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that the room looks at or copies. */
static double work;

static void *counted_chr(const void *bytes, int byte, size_t size) {
  const char *found = memchr(bytes, byte, size);
  work += (double)(found == NULL ? size : (size_t)(found - (const char *)bytes) + 1);
  return (void *)found;
}

static void *counted_copy(void *to, const void *from, size_t size) {
  work += (double)size;
  return memmove(to, from, size);
}

/* All that is there may have to move. */
static void *counted_realloc(void *block, size_t size) {
  work += (double)size / 2;
  return realloc(block, size);
}

#undef memcpy
#undef memmove
#define memchr counted_chr
#define memcpy counted_copy
#define memmove counted_copy
#define realloc counted_realloc
#include "objects/input.c"
#undef memchr
#undef memcpy
#undef memmove
#undef realloc


/* line_work(bytes, piece): a line of so many bytes that arrives in pieces of so
** many; how many bytes were looked at, copied or moved. */
static int l_line_work(lua_State *L) {
  double bytes = luaL_checknumber(L, 1), arrived;
  size_t piece = (size_t)luaL_checkinteger(L, 2);
  struct sock99_scratch scratch;
  struct sock99_input input;
  memset(&scratch, 0, sizeof(scratch));
  memset(&input, 0, sizeof(input));
  work = 0;
  for (arrived = 0; arrived < bytes; arrived += (double)piece) {
    size_t size, left = piece;
    char *room;
    while (left > 0) {
      size_t some;
      if (!sock99_input_reserve(&input, &scratch, SOCK99_LEAST_READ, &room, &size))
        return luaL_error(L, "not enough memory");
      some = size < left ? size : left;
      memset(room, 'x', some);
      sock99_input_add(&input, some);
      left -= some;
      if (sock99_input_line(&input) != 0)
        return luaL_error(L, "a line without an end");
    }
  }
  sock99_input_drop(&input, &scratch, sock99_unread(&input));
  free(scratch.bytes);
  lua_pushnumber(L, (lua_Number)work);
  return 1;
}


/*
** The allocator
*/

struct heap {
  bool armed;       /* the function runs */
  bool collects;    /* Lua is told that there is no memory, and then that there is */
  bool has_told;    /* it was told the first of these */
  long allocations; /* while armed */
  long left;        /* negative: any number */
  int refusals;     /* after so many there is memory again; negative: never */
  long allocations_refused;
  long mallocs;      /* how many C may have; then, how many it had */
  long *malloc_left; /* that of malloc.c, where it is loaded */
};


/* Not for Lua's own blocks, which are counted apart. */
static void *allocate(const struct heap *heap, void *old, size_t size) {
  long left;
  void *block;
  if (heap->malloc_left == NULL)
    return realloc(old, size);
  left = *heap->malloc_left;
  *heap->malloc_left = -1;
  block = realloc(old, size);
  *heap->malloc_left = left;
  return block;
}


static void *allocator(void *data, void *old, size_t old_size, size_t size) {
  struct heap *heap = data;
  if (size == 0) {
    free(old);
    return NULL;
  }
  if (heap->armed && (old == NULL || size > old_size)) {
    /* Lua collects all garbage, and asks again; but not for a luaL_Buffer. */
    heap->has_told = heap->collects && !heap->has_told && (old != NULL || old_size != 0);
    if (heap->has_told)
      return NULL;
    heap->allocations++;
    if (heap->left == 0) {
      heap->left = --heap->refusals == 0 ? -1 : 0;
      heap->allocations_refused++;
      return NULL;
    }
    heap->left -= heap->left > 0;
  }
  return allocate(heap, old, size);
}


static void collect(lua_State *L, lua_Debug *activation) {
  (void)activation;
  lua_gc(L, LUA_GCCOLLECT, 0);
}


/*
** Starving one call
*/

/* Lua 5.2 and later collect all garbage, and ask a second time. */
#if LUA_VERSION_NUM == 501
#define ASKS_FOR_ONE 1
#else
#define ASKS_FOR_ONE 2
#endif


static void starve(struct heap *heap, bool of_malloc, long left, bool once) {
  heap->allocations_refused = 0;
  if (of_malloc) {
    *(int *)dlsym(RTLD_DEFAULT, "test_malloc_once") = once;
    *(long *)dlsym(RTLD_DEFAULT, "test_malloc_refusals") = 0;
    *heap->malloc_left = left;
    return;
  }
  heap->left = left;
  heap->refusals = once ? ASKS_FOR_ONE : -1;
  heap->armed = true;
}


/* Whether there was less than was asked for. */
static bool feed(struct heap *heap, bool of_malloc) {
  heap->armed = false;
  heap->left = -1;
  if (!of_malloc)
    return heap->allocations_refused > 0;
  *heap->malloc_left = -1;
  return *(long *)dlsym(RTLD_DEFAULT, "test_malloc_refusals") > 0;
}


/* starve(what, n, once, f, ...): calls f as pcall does; "memory" is Lua's, "malloc"
** C's: it is there n times, and then not any more, or not the next time. Whether it
** ran out, and what pcall returns. */
static int l_starve(lua_State *state) {
  struct heap *heap = lua_touserdata(state, lua_upvalueindex(1));
  bool of_malloc = strcmp(luaL_checkstring(state, 1), "malloc") == 0;
  long left = (long)luaL_checkinteger(state, 2);
  bool once = lua_toboolean(state, 3) != 0;
  int status;
  luaL_argcheck(state, !of_malloc || heap->malloc_left != NULL, 1, "malloc.c is not loaded");
  luaL_checktype(state, 4, LUA_TFUNCTION);
  starve(heap, of_malloc, left, once);
  status = lua_pcall(state, lua_gettop(state) - 4, LUA_MULTRET, 0);
  lua_pushboolean(state, feed(heap, of_malloc));
  lua_replace(state, 2);
  lua_pushboolean(state, status == 0);
  lua_replace(state, 3);
  return lua_gettop(state) - 1;
}


/*
** Running. While blocks are counted, the state of the test itself is not touched.
*/

struct script {
  const char *text;
  size_t length;
  const char *path, *cpath;
  const char *argument;
  bool hooks;
  bool starves; /* by itself, with what it is given: l_starve */
};


static const char *package_field(lua_State *L, const char *name) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, name);
  return lua_tostring(L, -1);
}


static long integer_field(lua_State *L, const char *name, long otherwise) {
  lua_getfield(L, 2, name);
  return (long)luaL_optinteger(L, -1, otherwise);
}


static bool boolean_field(lua_State *L, const char *name) {
  lua_getfield(L, 2, name);
  return lua_toboolean(L, -1) != 0;
}


/* The function that the script returns, on top of the stack. */
static int load(lua_State *state, const struct script *script) {
  luaL_openlibs(state);
  lua_getglobal(state, "package");
  lua_pushstring(state, script->path);
  lua_setfield(state, -2, "path");
  lua_pushstring(state, script->cpath);
  lua_setfield(state, -2, "cpath");
  if (luaL_loadbuffer(state, script->text, script->length, "=script") != 0)
    return -1;
  lua_pushstring(state, script->argument);
  return lua_pcall(state, 1, 1, 0);
}


static void begin(struct heap *heap) {
  if (heap->malloc_left != NULL)
    *heap->malloc_left = heap->mallocs;
  heap->armed = true;
}


static void end(struct heap *heap) {
  heap->armed = false;
  if (heap->malloc_left == NULL)
    return;
  heap->mallocs -= *heap->malloc_left;
  *heap->malloc_left = -1;
}


/* What the script left to be done when there is memory again. */
static void clean_up(lua_State *state) {
  lua_getglobal(state, "clean_up");
  if (lua_isfunction(state, -1) && lua_pcall(state, 0, 0, 0) != 0)
    abort();
}


/* Its one result is the function's. */
static int run_starving(lua_State *state, struct heap *heap) {
  lua_pushlightuserdata(state, heap);
  lua_pushcclosure(state, l_starve, 1);
  return lua_pcall(state, 1, 1, 0);
}


static int run(lua_State *state, struct heap *heap, const struct script *script) {
  int status = load(state, script);
  if (status != 0)
    return status;
  if (script->starves)
    return run_starving(state, heap);
  if (script->hooks)
    lua_sethook(state, collect, LUA_MASKCOUNT, 1);
  begin(heap);
  status = lua_pcall(state, 0, 0, 0);
  end(heap);
  lua_sethook(state, NULL, 0, 0);
  return status;
}


/* 0 where malloc.c is not loaded. A thread of a lookup may need some time. */
static long blocks_since(long before) {
  const long *blocks = dlsym(RTLD_DEFAULT, "test_malloc_blocks");
  int i;
  if (blocks == NULL)
    return 0;
  for (i = 0; before != 0 && i < 500 && *blocks != before; i++)
    poll(NULL, 0, 1);
  return *blocks - before;
}


/*
** run(text, how, argument): runs the function that a script returns, which gets
** the argument, a string. `how`, which is for the function alone: collect: all
** garbage at every allocation, without finalizers; hook: at every instruction,
** with them; memory: so many allocations of Lua; malloc: of C; starves: it gets
** l_starve, and says itself when there is how much. Returns true, or false; an
** error's message, or what the function returned as text; and, in a table, the
** numbers of allocations (C's where malloc.c is loaded), and of C's blocks that are
** lost. Raises where Lua takes no allocator.
*/
static int l_run(lua_State *L) {
  struct script script;
  struct heap heap;
  char message[1024] = "";
  lua_State *state;
  long before;
  int status;
  luaL_checktype(L, 2, LUA_TTABLE);
  memset(&heap, 0, sizeof(heap));
  heap.malloc_left = dlsym(RTLD_DEFAULT, "test_malloc_left");
  heap.left = integer_field(L, "memory", -1);
  heap.mallocs = integer_field(L, "malloc", INT_MAX);
  heap.collects = boolean_field(L, "collect");
  script.hooks = boolean_field(L, "hook");
  script.starves = boolean_field(L, "starves");
  heap.refusals = -1;
  script.text = luaL_checklstring(L, 1, &script.length);
  script.argument = luaL_optstring(L, 3, "");
  script.path = package_field(L, "path");
  script.cpath = package_field(L, "cpath");
  before = blocks_since(0);
  state = sock99_newstate(allocator, &heap);
  if (state == NULL)
    return luaL_error(L, "this Lua takes no allocator");
  status = run(state, &heap, &script);
  if ((status != 0 || script.starves) && lua_tostring(state, -1) != NULL)
    strncpy(message, lua_tostring(state, -1), sizeof(message) - 1);
  clean_up(state);
  lua_close(state);
  before = blocks_since(before);
  lua_pushboolean(L, status == 0);
  lua_pushstring(L, message);
  lua_newtable(L);
  lua_pushinteger(L, (lua_Integer)heap.allocations);
  lua_setfield(L, -2, "allocations");
  lua_pushinteger(L, (lua_Integer)heap.mallocs);
  lua_setfield(L, -2, "mallocs");
  lua_pushinteger(L, (lua_Integer)before);
  lua_setfield(L, -2, "lost");
  return 3;
}


/* Whether malloc.c is loaded. */
static int l_counts_blocks(lua_State *L) {
  lua_pushboolean(L, dlsym(RTLD_DEFAULT, "test_malloc_blocks") != NULL);
  return 1;
}


SOCK99_EXPORT int luaopen_test_states(lua_State *L);

int luaopen_test_states(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"run", l_run}, {"counts_blocks", l_counts_blocks}, {"line_work", l_line_work}, {NULL, NULL}};
  sock99_newlib(L, functions);
  return 1;
}
