/*
** input.h: bytes that were read and not yet taken.
**
** It knows nothing of sockets: it gives room to read into, is told how much
** came, finds the end of a line, and lets go of what was taken. The bytes lie
** in one piece: in the scratch buffer of the Lua state while nobody else wants
** it, else on the heap. There is no buffer while there is nothing unread.
*/
#ifndef SOCK99_INPUT_H
#define SOCK99_INPUT_H

#include "values/values.h"

#define SOCK99_SCRATCH_SIZE ((size_t)64 * 1024)

/* What to ask of a read of which nobody knows how much it will bring: less room
** is not worth the call. */
#define SOCK99_LEAST_READ ((size_t)16 * 1024)

struct sock99_input {
  char *data;
  size_t begin, end;       /* the unread bytes */
  size_t capacity;         /* on the heap; 0: in the scratch buffer, or nowhere */
  size_t searched;         /* unread bytes that are known to hold no newline */
  unsigned int generation; /* how often bytes were taken, or dropped */
};

/* Every IP datagram fits. */
#define SOCK99_BLOCK_SIZE ((size_t)64 * 1024)

/* Room for many datagrams. */
struct sock99_blocks {
  size_t count;
  char bytes[];
};

/* One a Lua state, owned by it. */
struct sock99_scratch {
  char *bytes; /* NULL until something is read */
  struct sock99_input *user;
  struct sock99_blocks *blocks; /* NULL while a call has them */
};

static inline size_t sock99_unread(const struct sock99_input *input) {
  return input->end - input->begin;
}

static inline const char *sock99_unread_bytes(const struct sock99_input *input) {
  return input->data + input->begin;
}

/* The scratch buffer for one call's use, whoever used it; NULL: no memory. */
SOCK99_HIDDEN char *sock99_claim_scratch(struct sock99_scratch *scratch);

/* Room for as many datagrams, which is the caller's until it returns it; what is
** returned is kept for the next time. Pages that nothing was written to cost
** nothing. NULL: no memory. */
SOCK99_HIDDEN struct sock99_blocks *sock99_claim_blocks(struct sock99_scratch *scratch,
                                                        size_t count);
SOCK99_HIDDEN void sock99_return_blocks(struct sock99_scratch *scratch,
                                        struct sock99_blocks *blocks);

/* Room for one message, SOCK99_BLOCK_SIZE bytes, which the next call of any object may
** use again: it is good until Lua runs. NULL: no memory. */
static inline char *sock99_message_block(struct sock99_scratch *scratch) {
  if (scratch->blocks == NULL)
    scratch->blocks = sock99_claim_blocks(scratch, 1);
  return scratch->blocks == NULL ? NULL : scratch->blocks->bytes;
}

/* Pushes the string of bytes that lie in the room for one message, which is nobody
** else's until it is there. */
SOCK99_HIDDEN void sock99_push_from_blocks(lua_State *L, const char *bytes, size_t count);

/* Room behind the unread bytes, for `wanted` more of them or as many as one
** read should ask for; false: no memory. */
SOCK99_HIDDEN bool sock99_input_reserve(struct sock99_input *input, struct sock99_scratch *scratch,
                                        size_t least, char **space, size_t *size);
SOCK99_HIDDEN void sock99_input_add(struct sock99_input *input, size_t count);

/* Bytes of the first line, its newline included; 0: it has not ended. */
SOCK99_HIDDEN size_t sock99_input_line(struct sock99_input *input);

/* The first `count` bytes are dropped. With none left, the room goes, too. */
SOCK99_HIDDEN void sock99_input_drop(struct sock99_input *input, struct sock99_scratch *scratch,
                                     size_t count);

/*
** Bytes on their way to a Lua string. While Lua makes one, it may collect garbage,
** whose finalizers may read from this object or any other, and it may run out of
** memory. So what makes it gets a copy of a few bytes, and of many the buffer that
** nobody else has meanwhile; and the bytes are unread until the string is there.
*/
typedef void sock99_push(lua_State *L, const void *context, const char *bytes, size_t count);

/* Small enough for the stack of a thread, in a call within a call. */
#define SOCK99_SMALL_PIECE ((size_t)2 * 1024)

SOCK99_HIDDEN bool sock99_push_copy(lua_State *L, struct sock99_input *input, size_t count,
                                    sock99_push *push, const void *context);
SOCK99_HIDDEN bool sock99_push_large(lua_State *L, struct sock99_input *input, size_t count,
                                     sock99_push *push, const void *context);

/* Pushes one value, what `push` makes of the first `count` bytes, and drops them. False:
** nothing is pushed, since a finalizer took some of them, or closed the object. The
** scratch buffer is that of the running method. */
static inline bool sock99_push_piece(lua_State *L, struct sock99_input *input, size_t count,
                                     sock99_push *push, const void *context) {
  return count <= SOCK99_SMALL_PIECE ? sock99_push_copy(L, input, count, push, context)
                                     : sock99_push_large(L, input, count, push, context);
}

/* The bytes as they are. */
SOCK99_HIDDEN void sock99_push_bytes(lua_State *L, const void *context, const char *bytes,
                                     size_t count);

/* The scratch buffer: one a Lua state, an upvalue of every method. */
SOCK99_HIDDEN void sock99_push_scratch(lua_State *L);

static inline struct sock99_scratch *sock99_scratch_of(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(1));
}

#endif
