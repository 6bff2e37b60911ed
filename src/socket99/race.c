/*
** race.c: when each attempt to connect starts (RFC 8305, section 5).
**
** At most S99_MOST_ATTEMPTS are in progress, so that a name with a thousand dead
** addresses does not take all descriptors of the process.
**
** It makes no system calls. The caller passes in the time and the outcome of
** each attempt; the race tells which candidate is due, and when the next one
** will be.
*/

#include "internal.h"


/* Alternates the families, beginning with that of the first address; within a
** family the order stays (RFC 8305, section 4). */
void s99_interleave(struct s99_address *list, size_t count) {
  size_t i;
  for (i = 1; i < count; i++) {
    size_t other = i;
    while (other < count && list[other].addr.sa.sa_family == list[i - 1].addr.sa.sa_family)
      other++;
    if (other < count && other > i) {
      struct s99_address moved = list[other];
      memmove(&list[i + 1], &list[i], (other - i) * sizeof(*list));
      list[i] = moved;
    }
  }
}


void s99_race_init(struct s99_race *race, size_t count, int64_t delay) {
  memset(race, 0, sizeof(*race));
  race->count = count;
  race->delay = delay;
}


void s99_race_join(struct s99_race *race, size_t count) {
  race->count = count;
}


static bool may_start_at_once(const struct s99_race *race) {
  return race->in_progress == 0 || (race->newest_ended && !race->held);
}


/* The time at which the next attempt is due; S99_NEVER if none is left, or if it
** has to wait until another attempt ends. */
int64_t s99_race_next(const struct s99_race *race) {
  if (race->next >= race->count)
    return S99_NEVER;
  if (may_start_at_once(race))
    return 0;
  return race->held ? S99_NEVER : race->newest_start + race->delay;
}


bool s99_race_due(const struct s99_race *race, int64_t now) {
  return s99_race_next(race) <= now && race->next < race->count;
}


/* Before another one can start, the oldest in progress has to give way. */
bool s99_race_is_full(const struct s99_race *race) {
  return race->in_progress >= S99_MOST_ATTEMPTS;
}


size_t s99_race_start(struct s99_race *race, int64_t now) {
  race->newest = race->next++;
  race->newest_start = now;
  race->newest_ended = false;
  race->held = false;
  race->in_progress++;
  return race->newest;
}


void s99_race_failed(struct s99_race *race, size_t attempt) {
  race->in_progress--;
  race->held = false;
  if (attempt == race->newest)
    race->newest_ended = true;
}


/* The newest attempt could not begin because another one holds its local port.
** It is due again when an attempt in progress ends. */
void s99_race_postpone(struct s99_race *race) {
  race->in_progress--;
  race->next = race->newest;
  race->newest_ended = true;
  race->held = true;
}


bool s99_race_is_lost(const struct s99_race *race) {
  return race->in_progress == 0 && race->next >= race->count;
}
