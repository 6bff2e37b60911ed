/*
** attempt.h: one attempt to connect, in the time that it takes.
*/
#ifndef SOCKET99_ATTEMPT_H
#define SOCKET99_ATTEMPT_H

#include "internal.h"

enum s99_flight {
  S99_ENDED,     /* failed, or not begun: there is no descriptor */
  S99_IN_FLIGHT, /* writable once it has ended */
  S99_WAITING,   /* a Unix listener's backlog is full: connect again later */
  S99_CONNECTED
};

struct s99_attempt {
  enum s99_flight flight;
  int fd;
};

/* Each leaves a failure in `res` where the attempt has ended. */
S99_HIDDEN void s99_attempt_begin(const struct s99_plan *plan, const struct s99_address *candidate,
                                  struct s99_attempt *attempt, socket99_result *res);
S99_HIDDEN void s99_attempt_again(const struct s99_plan *plan, const struct s99_address *candidate,
                                  struct s99_attempt *attempt, socket99_result *res);
S99_HIDDEN void s99_attempt_check(const struct s99_plan *plan, const struct s99_address *candidate,
                                  struct s99_attempt *attempt, socket99_result *res);
S99_HIDDEN void s99_attempt_end(const struct s99_plan *plan, struct s99_attempt *attempt);
/* The descriptor of a connected one into `res`, blocking as the caller wants it. */
S99_HIDDEN bool s99_attempt_deliver(const struct s99_plan *plan,
                                    const struct s99_address *candidate,
                                    struct s99_attempt *attempt, socket99_result *res);

#endif
