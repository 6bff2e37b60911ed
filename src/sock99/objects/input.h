/*
** input.h: an object's input buffer: bytes read ahead and not yet consumed.
**
** It knows nothing of sockets: it reserves space to read into, adds the bytes
** read, finds the end of a line, and drops consumed bytes. The bytes are
** contiguous: in the scratch buffer of the Lua state until another object needs
** it, otherwise on the heap. An empty input has no buffer.
*/
#ifndef SOCK99_INPUT_H
#define SOCK99_INPUT_H

#include "values/values.h"

#define SOCK99_SCRATCH_SIZE ((size_t)64 * 1024)

/* The least space to reserve for a read of unknown length: less is not worth the system
** call. */
#define SOCK99_LEAST_READ ((size_t)16 * 1024)

struct sock99_input {
  char *data;
  size_t begin, end;       /* the unread bytes */
  size_t capacity;         /* of the heap buffer; 0: in the scratch buffer, or none */
  size_t searched;         /* unread bytes known to contain no newline */
  unsigned int generation; /* changes whenever bytes are dropped */
};

/* Any IP datagram fits into a block. */
#define SOCK99_BLOCK_SIZE ((size_t)64 * 1024)

/* Contiguous blocks, one for each message of a call. */
struct sock99_blocks {
  size_t count;
  char bytes[];
};

/* Buffers shared by all objects of a Lua state, which owns them. */
struct sock99_scratch {
  char *bytes; /* NULL until the first read */
  struct sock99_input *user;
  struct sock99_blocks *blocks; /* NULL while a call uses them */
};

static inline size_t sock99_unread(const struct sock99_input *input) {
  return input->end - input->begin;
}

static inline const char *sock99_unread_bytes(const struct sock99_input *input) {
  return input->data + input->begin;
}

/* Returns the scratch buffer, after moving another object's unread bytes out of it.
** NULL: no memory. */
SOCK99_HIDDEN char *sock99_claim_scratch(struct sock99_scratch *scratch);

/* Returns `count` blocks, which the caller owns until it returns them. Returned blocks
** are kept for the next call. Untouched pages use no memory. NULL: no memory. */
SOCK99_HIDDEN struct sock99_blocks *sock99_claim_blocks(struct sock99_scratch *scratch,
                                                        size_t count);
SOCK99_HIDDEN void sock99_return_blocks(struct sock99_scratch *scratch,
                                        struct sock99_blocks *blocks);

/* Returns a block for one message, which the next call of any object may overwrite: it
** is valid until Lua runs. NULL: no memory. */
static inline char *sock99_message_block(struct sock99_scratch *scratch) {
  if (scratch->blocks == NULL)
    scratch->blocks = sock99_claim_blocks(scratch, 1);
  return scratch->blocks == NULL ? NULL : scratch->blocks->bytes;
}

/* Pushes bytes in the shared block as a string. No other call gets the block until the
** string exists. */
SOCK99_HIDDEN void sock99_push_from_blocks(lua_State *L, const char *bytes, size_t count);

/* Reserves space after the unread bytes for `least` more, or for as many as one read
** should request. Returns false if there is no memory. */
SOCK99_HIDDEN bool sock99_input_reserve(struct sock99_input *input, struct sock99_scratch *scratch,
                                        size_t least, char **space, size_t *size);
SOCK99_HIDDEN void sock99_input_add(struct sock99_input *input, size_t count);

/* Returns the length of the first line, including its newline; 0 if it is incomplete. */
SOCK99_HIDDEN size_t sock99_input_line(struct sock99_input *input);

/* Drops the first `count` bytes, and the buffer if none are left. */
SOCK99_HIDDEN void sock99_input_drop(struct sock99_input *input, struct sock99_scratch *scratch,
                                     size_t count);

/*
** Bytes to Lua strings. While Lua creates a string it may collect garbage, whose
** finalizers may read from this object or any other, and it may run out of memory.
** So `push` gets a copy of the bytes, or the whole buffer, detached from the object;
** and the bytes stay unread until the string exists.
*/
typedef void sock99_push(lua_State *L, const void *context, const char *bytes, size_t count);

/* Small enough for the stack of a thread, even in nested calls. */
#define SOCK99_SMALL_PIECE ((size_t)2 * 1024)

SOCK99_HIDDEN bool sock99_push_copy(lua_State *L, struct sock99_input *input, size_t count,
                                    sock99_push *push, const void *context);
SOCK99_HIDDEN bool sock99_push_large(lua_State *L, struct sock99_input *input, size_t count,
                                     sock99_push *push, const void *context);

/* Calls `push`, which pushes one value made from the first `count` bytes, and drops
** these. Returns false and pushes nothing if a finalizer consumed some of them or closed
** the object. The scratch buffer is that of the running method. */
static inline bool sock99_push_piece(lua_State *L, struct sock99_input *input, size_t count,
                                     sock99_push *push, const void *context) {
  return count <= SOCK99_SMALL_PIECE ? sock99_push_copy(L, input, count, push, context)
                                     : sock99_push_large(L, input, count, push, context);
}

/* A `push` that makes a string of the bytes unchanged. */
SOCK99_HIDDEN void sock99_push_bytes(lua_State *L, const void *context, const char *bytes,
                                     size_t count);

/* Pushes the scratch buffer, one for each Lua state and an upvalue of every method. */
SOCK99_HIDDEN void sock99_push_scratch(lua_State *L);

static inline struct sock99_scratch *sock99_scratch_of(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(1));
}

#endif
