/*
** lookup.h: a name lookup that nobody waits for inside a call.
*/
#ifndef SOCKET99_LOOKUP_H
#define SOCKET99_LOOKUP_H

#include "internal.h"

struct s99_lookup;

/* What getaddrinfo(3) said; `found` is the taker's to free. */
struct s99_answer {
  int code, error;
  struct addrinfo *found;
};

/* NULL with an errno where memory, descriptors or threads run out. */
S99_HIDDEN struct s99_lookup *s99_lookup_start(const char *name, const char *service,
                                               const struct addrinfo *hints, int *error);
/* Readable once the answer is there. */
S99_HIDDEN int s99_lookup_fd(const struct s99_lookup *lookup);
S99_HIDDEN bool s99_lookup_take(struct s99_lookup *lookup, struct s99_answer *answer);
/* Frees it, now or when its thread comes back; closes its descriptor. */
S99_HIDDEN void s99_lookup_end(struct s99_lookup *lookup);

#endif
