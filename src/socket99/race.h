/*
** race.h: the order of attempts to connect.
*/
#ifndef SOCKET99_RACE_H
#define SOCKET99_RACE_H

#include "internal.h"

struct s99_race {
  size_t count;  /* candidates */
  size_t next;   /* the first that has not started */
  size_t newest; /* the last that has */
  size_t in_flight;
  int64_t delay; /* Connection Attempt Delay */
  int64_t newest_start;
  bool newest_ended;
  bool held; /* `next` waits for one in flight to end */
};

S99_HIDDEN void s99_interleave(struct s99_address *list, size_t count);
S99_HIDDEN void s99_race_init(struct s99_race *race, size_t count, int64_t delay);
S99_HIDDEN int64_t s99_race_next(const struct s99_race *race);
S99_HIDDEN bool s99_race_due(const struct s99_race *race, int64_t now);
S99_HIDDEN size_t s99_race_start(struct s99_race *race, int64_t now);
S99_HIDDEN void s99_race_failed(struct s99_race *race, size_t attempt);
S99_HIDDEN void s99_race_postpone(struct s99_race *race);
S99_HIDDEN bool s99_race_is_lost(const struct s99_race *race);

#endif
