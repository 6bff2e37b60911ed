/*
** open.c: socket99_open, and the opening as a state machine:
** check → resolve → connect or listen → done.
**
** Each state does its work and names the next one; a failure anywhere ends in
** S99_FAILED with the result filled in. In the plain case, one numeric
** candidate, that is a straight line of system calls.
*/

#include "internal.h"


enum state { S99_RESOLVE, S99_CONNECT, S99_LISTEN, S99_DONE, S99_FAILED };

struct opening {
  enum state state;
  struct s99_plan plan;
};


/*
** The error to tell where several candidates failed: that of the last in list
** order that says more than "unreachable", else that of the last.
*/
static bool says_little(int error) {
  switch (error) {
  case ENETUNREACH:
  case EHOSTUNREACH:
  case ENETDOWN:
  case EHOSTDOWN:
  case EADDRNOTAVAIL:
  case EAFNOSUPPORT:
    return true;
  default:
    return false;
  }
}


static void keep_telling(socket99_result *told, const socket99_result *failure) {
  if (told->status == SOCKET99_OK || says_little(told->saved_errno) ||
      !says_little(failure->saved_errno))
    *told = *failure;
}


/*
** States
*/

static enum state first_state(const struct s99_plan *plan) {
  if (plan->name != NULL || plan->service != NULL)
    return S99_RESOLVE;
  return plan->cfg->server ? S99_LISTEN : S99_CONNECT;
}


static enum state resolve(struct opening *opening, socket99_result *res) {
  if (!s99_resolve(&opening->plan, res))
    return S99_FAILED;
  return opening->plan.cfg->server ? S99_LISTEN : S99_CONNECT;
}


/* A client's own address rules out candidates of the other family. */
static bool fits_own_address(const struct s99_plan *plan, const struct s99_address *candidate) {
  return plan->own.len == 0 || plan->own_port_only ||
         plan->own.addr.sa.sa_family == candidate->addr.sa.sa_family;
}


static enum state connect_first(struct opening *opening, socket99_result *res) {
  const struct s99_plan *plan = &opening->plan;
  socket99_result failure;
  size_t i;
  res->status = SOCKET99_OK;
  for (i = 0; i < plan->candidates.count; i++) {
    const struct s99_address *candidate = &plan->candidates.list[i];
    if (!fits_own_address(plan, candidate))
      continue;
    if (s99_connect(plan, candidate, &failure)) {
      res->fd = failure.fd;
      return S99_DONE;
    }
    keep_telling(res, &failure);
  }
  if (res->status == SOCKET99_OK)
    s99_fail(res, SOCKET99_ERROR_BIND, EAFNOSUPPORT, &plan->own);
  return S99_FAILED;
}


/*
** A server goes on to the next candidate only when the machine lacks the
** address or its family: a second server on a name must not slide to the
** next address of that name while both believe that they own it.
*/
static enum state listen_first(struct opening *opening, socket99_result *res) {
  const struct s99_plan *plan = &opening->plan;
  size_t i;
  for (i = 0; i < plan->candidates.count; i++) {
    if (s99_listen(plan, &plan->candidates.list[i], res))
      return S99_DONE;
    if (res->saved_errno != EAFNOSUPPORT && res->saved_errno != EADDRNOTAVAIL)
      break;
  }
  return S99_FAILED;
}


static enum state step(struct opening *opening, socket99_result *res) {
  switch (opening->state) {
  case S99_RESOLVE:
    return resolve(opening, res);
  case S99_CONNECT:
    return connect_first(opening, res);
  case S99_LISTEN:
    return listen_first(opening, res);
  default:
    return opening->state;
  }
}


bool socket99_open(const socket99_config *cfg, socket99_result *res) {
  struct opening opening;
  if (cfg == NULL)
    return s99_fail_text(res, SOCKET99_ERROR_CONFIGURATION, EINVAL, "cfg is NULL");
  if (!s99_check(cfg, &opening.plan, res))
    return false;
  opening.state = first_state(&opening.plan);
  while (opening.state != S99_DONE && opening.state != S99_FAILED)
    opening.state = step(&opening, res);
  s99_candidates_free(&opening.plan.candidates);
  if (opening.state == S99_FAILED)
    return false;
  res->status = SOCKET99_OK;
  res->saved_errno = 0;
  res->getaddrinfo_error = 0;
  res->where[0] = '\0';
  return true;
}
