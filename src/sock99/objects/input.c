/*
** input.c: an object's input buffer: bytes read ahead and not yet consumed.
**
** Most bytes are consumed at once, so they never leave the scratch buffer. Each
** Lua state has one; the last reader keeps it until another object reads, and only
** then are its unread bytes moved to the heap. Results larger than the scratch
** buffer grow on the heap, by doubling, as data arrives.
*/

#include "input.h"

/* A buffer that is not worth shrinking. */
#define SMALLEST_TO_SHRINK 256


static bool is_borrowed(const struct sock99_input *input) {
  return input->data != NULL && input->capacity == 0;
}


static void forget(struct sock99_input *input) {
  unsigned int generation = input->generation;
  memset(input, 0, sizeof(*input));
  input->generation = generation + 1;
}


/* Moves the unread bytes to the front of a new heap buffer. */
static bool move_to_heap(struct sock99_input *input, size_t capacity) {
  size_t unread = sock99_unread(input);
  char *data = malloc(capacity);
  if (data == NULL)
    return false;
  if (unread > 0)
    memcpy(data, sock99_unread_bytes(input), unread);
  if (input->capacity > 0)
    free(input->data);
  input->data = data;
  input->capacity = capacity;
  input->begin = 0;
  input->end = unread;
  return true;
}


static bool evict(struct sock99_scratch *scratch) {
  struct sock99_input *user = scratch->user;
  if (user == NULL)
    return true;
  if (sock99_unread(user) == 0)
    forget(user);
  else if (!move_to_heap(user, sock99_unread(user)))
    return false;
  scratch->user = NULL;
  return true;
}


char *sock99_claim_scratch(struct sock99_scratch *scratch) {
  if (scratch->bytes == NULL)
    scratch->bytes = malloc(SOCK99_SCRATCH_SIZE);
  return scratch->bytes != NULL && evict(scratch) ? scratch->bytes : NULL;
}


struct sock99_blocks *sock99_claim_blocks(struct sock99_scratch *scratch, size_t count) {
  struct sock99_blocks *blocks = scratch->blocks;
  scratch->blocks = NULL;
  if (blocks != NULL && blocks->count >= count)
    return blocks;
  free(blocks);
  blocks = malloc(sizeof(*blocks) + count * SOCK99_BLOCK_SIZE);
  if (blocks != NULL)
    blocks->count = count;
  return blocks;
}


void sock99_return_blocks(struct sock99_scratch *scratch, struct sock99_blocks *blocks) {
  free(scratch->blocks);
  scratch->blocks = blocks;
}


/* Moves the unread bytes, which fit, to the scratch buffer. */
static bool borrow(struct sock99_input *input, struct sock99_scratch *scratch) {
  size_t unread = sock99_unread(input);
  char *bytes = sock99_claim_scratch(scratch);
  if (bytes == NULL)
    return false;
  if (unread > 0)
    memcpy(bytes, sock99_unread_bytes(input), unread);
  if (input->capacity > 0)
    free(input->data);
  input->data = bytes;
  input->capacity = 0;
  input->begin = 0;
  input->end = unread;
  scratch->user = input;
  return true;
}


static void move_to_front(struct sock99_input *input) {
  size_t unread = sock99_unread(input);
  memmove(input->data, sock99_unread_bytes(input), unread);
  input->begin = 0;
  input->end = unread;
}


static bool grow(struct sock99_input *input) {
  size_t capacity = 2 * input->capacity;
  char *data = realloc(input->data, capacity);
  if (data == NULL)
    return false;
  input->data = data;
  input->capacity = capacity;
  return true;
}


/* For a result that does not fit into the scratch buffer, or no longer does. */
static bool reserve_on_heap(struct sock99_input *input, struct sock99_scratch *scratch) {
  if (input->capacity < SOCK99_SCRATCH_SIZE) {
    bool borrowed = is_borrowed(input);
    if (!move_to_heap(input, 2 * SOCK99_SCRATCH_SIZE))
      return false;
    if (borrowed)
      scratch->user = NULL;
    return true;
  }
  if (input->capacity - input->end >= SOCK99_LEAST_READ)
    return true;
  if (sock99_unread(input) <= input->capacity / 2) {
    move_to_front(input);
    return true;
  }
  return grow(input);
}


static bool reserve(struct sock99_input *input, struct sock99_scratch *scratch, size_t least) {
  size_t unread = sock99_unread(input);
  if (unread > SOCK99_SCRATCH_SIZE || least > SOCK99_SCRATCH_SIZE - unread)
    return reserve_on_heap(input, scratch);
  if (!is_borrowed(input))
    return borrow(input, scratch);
  /* Moving no more bytes than were consumed since the last move is cheap, and makes
  ** space for a large read. */
  if (unread <= input->begin || SOCK99_SCRATCH_SIZE - input->end < least)
    move_to_front(input);
  return true;
}


bool sock99_input_reserve(struct sock99_input *input, struct sock99_scratch *scratch, size_t least,
                          char **space, size_t *size) {
  if (!reserve(input, scratch, least))
    return false;
  *space = input->data + input->end;
  *size = (is_borrowed(input) ? SOCK99_SCRATCH_SIZE : input->capacity) - input->end;
  return true;
}


void sock99_input_add(struct sock99_input *input, size_t count) {
  input->end += count;
}


size_t sock99_input_line(struct sock99_input *input) {
  size_t unread = sock99_unread(input);
  const char *bytes, *newline;
  if (unread == input->searched)
    return 0;
  bytes = sock99_unread_bytes(input);
  newline = memchr(bytes + input->searched, '\n', unread - input->searched);
  if (newline != NULL)
    return (size_t)(newline - bytes) + 1;
  input->searched = unread;
  return 0;
}


static void release(struct sock99_input *input, struct sock99_scratch *scratch) {
  if (scratch->user == input)
    scratch->user = NULL;
  if (input->capacity > 0)
    free(input->data);
  forget(input);
}


/* A few remaining bytes must not keep a large buffer allocated. */
static void shrink(struct sock99_input *input) {
  size_t unread = sock99_unread(input);
  if (input->capacity > SMALLEST_TO_SHRINK && unread < input->capacity / 4)
    (void)move_to_heap(input, unread);
}


void sock99_input_drop(struct sock99_input *input, struct sock99_scratch *scratch, size_t count) {
  input->begin += count;
  input->searched = 0;
  input->generation++;
  if (input->begin == input->end)
    release(input, scratch);
  else
    shrink(input);
}


/*
** Pieces, and the function that turns them into strings in a protected call. It is
** kept in the registry, since creating it for each call could collect garbage.
*/

static const char pusher_key = 0;

struct piece {
  sock99_push *push;
  const void *context;
  const char *bytes;
  size_t count;
};


void sock99_push_bytes(lua_State *L, const void *context, const char *bytes, size_t count) {
  (void)context;
  lua_pushlstring(L, bytes, count);
}


/* Called through lua_pcall with a struct piece. */
static int l_push(lua_State *L) {
  const struct piece *piece = lua_touserdata(L, 1);
  piece->push(L, piece->context, piece->bytes, piece->count);
  return 1;
}


/* Allocates nothing, except on LuaJIT, for an address in a part of the memory where it
** has seen none before. */
static void push_pusher(lua_State *L, struct piece *piece) {
  lua_pushlightuserdata(L, (void *)&pusher_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  lua_pushlightuserdata(L, piece);
}


/*
** Scratch buffers
*/

static int l_free(lua_State *L) {
  struct sock99_scratch *scratch = lua_touserdata(L, 1);
  free(scratch->bytes);
  free(scratch->blocks);
  memset(scratch, 0, sizeof(*scratch));
  return 0;
}


static void push_new_scratch(lua_State *L) {
  struct sock99_scratch *scratch = sock99_newuserdata(L, sizeof(*scratch));
  memset(scratch, 0, sizeof(*scratch));
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_free);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
}


/* All objects share one, even if the module is loaded more than once, since any method
** may be called on any of them. */
void sock99_push_scratch(lua_State *L) {
  static const char key = 0;
  lua_pushlightuserdata(L, (void *)&key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  if (!lua_isnil(L, -1))
    return;
  lua_pop(L, 1);
  lua_pushlightuserdata(L, (void *)&pusher_key);
  lua_pushcfunction(L, l_push);
  lua_rawset(L, LUA_REGISTRYINDEX);
  push_new_scratch(L);
  lua_pushlightuserdata(L, (void *)&key);
  lua_pushvalue(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
}


/*
** Bytes to strings
*/

bool sock99_push_copy(lua_State *L, struct sock99_input *input, size_t count, sock99_push *push,
                      const void *context) {
  char copy[SOCK99_SMALL_PIECE];
  unsigned int generation = input->generation;
  if (count > 0)
    memcpy(copy, sock99_unread_bytes(input), count);
  push(L, context, copy, count);
  if (input->generation != generation) {
    lua_pop(L, 1);
    return false;
  }
  sock99_input_drop(input, sock99_scratch_of(L), count);
  return true;
}


/* Pushes some of the unread bytes from a copy on the heap. */
static bool push_part(lua_State *L, struct sock99_input *input, struct piece *piece) {
  unsigned int generation = input->generation;
  char *copy = malloc(piece->count);
  int status;
  if (copy == NULL)
    return luaL_error(L, "not enough memory") != 0;
  memcpy(copy, sock99_unread_bytes(input), piece->count);
  piece->bytes = copy;
  status = lua_pcall(L, 1, 1, 0);
  free(copy);
  if (status != 0)
    lua_error(L);
  if (input->generation != generation) {
    lua_pop(L, 1);
    return false;
  }
  sock99_input_drop(input, sock99_scratch_of(L), piece->count);
  return true;
}


/* The state may have a new scratch buffer by now. */
static void return_buffer(struct sock99_scratch *scratch, const struct sock99_input *taken) {
  if (taken->capacity == 0 && scratch->bytes == NULL)
    scratch->bytes = taken->data;
  else
    free(taken->data);
}


/* Restores the input that push_all detached. */
static void put_back(struct sock99_input *input, struct sock99_scratch *scratch,
                     const struct sock99_input *taken) {
  *input = *taken;
  if (taken->capacity > 0)
    return;
  if (scratch->bytes == NULL) {
    scratch->bytes = taken->data;
    scratch->user = input;
  } else {
    input->capacity = SOCK99_SCRATCH_SIZE;
  }
}


/* Pushes all unread bytes. No object owns the buffer while the string is created. */
static bool push_all(lua_State *L, struct sock99_input *input, struct piece *piece) {
  struct sock99_scratch *scratch = sock99_scratch_of(L);
  struct sock99_input taken = *input;
  unsigned int generation;
  int status;
  piece->bytes = sock99_unread_bytes(input);
  if (is_borrowed(input)) {
    scratch->user = NULL;
    scratch->bytes = NULL;
  }
  forget(input);
  generation = input->generation;
  status = lua_pcall(L, 1, 1, 0);
  if (status == 0 || input->generation != generation || input->data != NULL)
    return_buffer(scratch, &taken);
  else
    put_back(input, scratch, &taken);
  if (status != 0)
    lua_error(L);
  return true;
}


bool sock99_push_large(lua_State *L, struct sock99_input *input, size_t count, sock99_push *push,
                       const void *context) {
  struct piece piece = {push, context, NULL, count};
  push_pusher(L, &piece);
  return sock99_unread(input) == count ? push_all(L, input, &piece) : push_part(L, input, &piece);
}


void sock99_push_from_blocks(lua_State *L, const char *bytes, size_t count) {
  struct piece piece = {sock99_push_bytes, NULL, bytes, count};
  struct sock99_scratch *scratch = sock99_scratch_of(L);
  struct sock99_blocks *blocks;
  int status;
  push_pusher(L, &piece);
  blocks = sock99_claim_blocks(scratch, 1);
  status = lua_pcall(L, 1, 1, 0);
  sock99_return_blocks(scratch, blocks);
  if (status != 0)
    lua_error(L);
}
