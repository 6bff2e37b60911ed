/*
** malloc.c: what LD_PRELOAD puts before glibc's allocator, to count the blocks
** that are not freed, and to run out of memory where a test says so. Where
** there is another C library, this is empty.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__GLIBC__)

#define EXPORT __attribute__((visibility("default")))

/* Blocks that are not freed; allocations until there is no memory any more, negative:
** there always is; whether only one of them has none; how many had none. A thread of
** a lookup may allocate, too. */
EXPORT long test_malloc_blocks;
EXPORT long test_malloc_left = -1;
EXPORT int test_malloc_once;
EXPORT long test_malloc_refusals;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);


static int is_over(void) {
  long left = __atomic_load_n(&test_malloc_left, __ATOMIC_RELAXED);
  if (left < 0)
    return 0;
  if (left == 0) {
    if (test_malloc_once)
      __atomic_store_n(&test_malloc_left, -1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&test_malloc_refusals, 1, __ATOMIC_RELAXED);
    errno = ENOMEM;
    return 1;
  }
  __atomic_sub_fetch(&test_malloc_left, 1, __ATOMIC_RELAXED);
  return 0;
}


static void *counted(void *block) {
  if (block != NULL)
    __atomic_add_fetch(&test_malloc_blocks, 1, __ATOMIC_RELAXED);
  return block;
}


EXPORT void *malloc(size_t size) {
  return is_over() ? NULL : counted(__libc_malloc(size));
}


EXPORT void *calloc(size_t count, size_t size) {
  return is_over() ? NULL : counted(__libc_calloc(count, size));
}


EXPORT void free(void *block) {
  if (block == NULL)
    return;
  __atomic_sub_fetch(&test_malloc_blocks, 1, __ATOMIC_RELAXED);
  __libc_free(block);
}


EXPORT void *realloc(void *block, size_t size) {
  if (block == NULL)
    return malloc(size);
  if (size == 0) {
    free(block);
    return NULL;
  }
  return is_over() ? NULL : __libc_realloc(block, size);
}


EXPORT void *memalign(size_t alignment, size_t size) {
  return is_over() ? NULL : counted(__libc_memalign(alignment, size));
}


EXPORT void *aligned_alloc(size_t alignment, size_t size) {
  return memalign(alignment, size);
}


EXPORT int posix_memalign(void **block, size_t alignment, size_t size) {
  *block = memalign(alignment, size);
  return *block == NULL ? ENOMEM : 0;
}

#else

extern int test_malloc_is_empty;

#endif
