/*
** spelling.h: how far a word that nobody knows is from one that is known.
*/
#ifndef SOCKET99_SPELLING_H
#define SOCKET99_SPELLING_H

#include "internal.h"

/* Characters of a known word. */
#define S99_LONGEST_WORD 40

S99_HIDDEN size_t s99_edits(const char *a, const char *b, size_t limit);

#endif
