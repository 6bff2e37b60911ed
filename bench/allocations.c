/*
** allocations.c: what LD_PRELOAD puts before glibc's allocator, to count: how
** often a program asked for memory, and how many bytes it holds at its end.
** Both go into the file that ALLOCATIONS names.
*/
#define _GNU_SOURCE 1

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void __libc_free(void *block);

/* A thread of a lookup may allocate, too. */
static long calls, bytes;


static void *counted(void *block) {
  __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
  __atomic_add_fetch(&bytes, (long)malloc_usable_size(block), __ATOMIC_RELAXED);
  return block;
}


static void forget(void *block) {
  __atomic_sub_fetch(&bytes, (long)malloc_usable_size(block), __ATOMIC_RELAXED);
}


void *malloc(size_t size) {
  return counted(__libc_malloc(size));
}


void *calloc(size_t count, size_t size) {
  return counted(__libc_calloc(count, size));
}


void *realloc(void *block, size_t size) {
  forget(block);
  return counted(__libc_realloc(block, size));
}


void free(void *block) {
  forget(block);
  __libc_free(block);
}


__attribute__((destructor)) static void tell(void) {
  long calls_then = calls, bytes_then = bytes;
  const char *name = getenv("ALLOCATIONS");
  FILE *file = name == NULL ? NULL : fopen(name, "w");
  if (file == NULL)
    return;
  fprintf(file, "%ld %ld\n", calls_then, bytes_then);
  fclose(file);
}
