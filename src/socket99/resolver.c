/*
** resolver.c: turns a host name, a service name, or both into candidates.
**
** Names are looked up with getaddrinfo(3), which follows /etc/hosts,
** nsswitch.conf and the rest of the system's configuration. The hints name the
** socket type, so that each address is returned once. They leave out
** AI_ADDRCONFIG, which hides loopback addresses on a machine that is offline.
*/

#include "internal.h"


void socket99_set_hints(const socket99_config *cfg, struct addrinfo *hints) {
  memset(hints, 0, sizeof(*hints));
  hints->ai_family = cfg->family;
  if (cfg->ipv4 != NULL)
    hints->ai_family = AF_INET;
  else if (cfg->ipv6 != NULL)
    hints->ai_family = AF_INET6;
  hints->ai_socktype = cfg->datagram ? SOCK_DGRAM : SOCK_STREAM;
  hints->ai_flags = cfg->server ? AI_PASSIVE : 0;
}


void s99_candidates_free(struct s99_candidates *candidates) {
  if (candidates->list != candidates->inlined)
    free(candidates->list);
  candidates->list = candidates->inlined;
  candidates->count = 0;
}


static bool is_listed(const struct s99_candidates *candidates, const struct s99_address *address) {
  size_t i;
  for (i = 0; i < candidates->count; i++) {
    if (s99_same_address(&candidates->list[i], address))
      return true;
  }
  return false;
}


static void append(struct s99_candidates *candidates, const struct addrinfo *found, int family) {
  struct s99_address address;
  if (found->ai_family != AF_INET && found->ai_family != AF_INET6)
    return;
  memset(&address, 0, sizeof(address));
  memcpy(&address.addr, found->ai_addr, found->ai_addrlen);
  address.len = found->ai_addrlen;
  s99_unmap(&address);
  if (family != AF_UNSPEC && family != address.addr.sa.sa_family)
    return;
  if (!is_listed(candidates, &address))
    candidates->list[candidates->count++] = address;
}


/* Those of `old`, then those of the answer. False: no memory. */
static bool copy_candidates(struct s99_candidates *out, const struct s99_candidates *old,
                            const struct addrinfo *found, int family) {
  const struct addrinfo *each;
  size_t most = old->count;
  for (each = found; each != NULL; each = each->ai_next)
    most++;
  out->list = out->inlined;
  if (most > S99_INLINE_CANDIDATES || old->count > 0)
    out->list = malloc(most * sizeof(*out->list));
  if (out->list == NULL) {
    out->list = out->inlined;
    return false;
  }
  if (old->count > 0)
    memcpy(out->list, old->list, old->count * sizeof(*out->list));
  out->count = old->count;
  for (each = found; each != NULL; each = each->ai_next)
    append(out, each, family);
  return true;
}


/* The address was known; the lookup was for the port of a service. */
static void take_port(struct s99_plan *plan, const struct addrinfo *found) {
  const struct sockaddr_in *in = (const void *)found->ai_addr;
  size_t i;
  for (i = 0; i < plan->candidates.count; i++)
    s99_set_port(&plan->candidates.list[i], ntohs(in->sin_port));
}


static bool take_candidates(const struct s99_plan *plan, const struct s99_candidates *old,
                            const struct addrinfo *found, struct s99_candidates *out) {
  size_t i;
  out->count = 0;
  if (!copy_candidates(out, old, found, plan->family))
    return false;
  if (plan->service == NULL) {
    for (i = old->count; i < out->count; i++)
      s99_set_port(&out->list[i], plan->port);
  }
  return true;
}


void s99_query(const struct s99_plan *plan, struct s99_query *query) {
  query->name = plan->name != NULL ? plan->name : "127.0.0.1";
  query->service = plan->service;
  socket99_set_hints(plan->cfg, &query->hints);
  query->hints.ai_family = plan->name != NULL ? plan->family : AF_INET;
}


bool s99_take_answer(struct s99_plan *plan, struct s99_answer *answer) {
  struct s99_candidates none;
  bool ok = true;
  memset(&none, 0, sizeof(none));
  if (answer->code != 0)
    return false;
  if (plan->name == NULL) {
    take_port(plan, answer->found);
  } else {
    s99_candidates_free(&plan->candidates);
    ok = take_candidates(plan, &none, answer->found, &plan->candidates);
  }
  freeaddrinfo(answer->found);
  if (!ok)
    answer->code = EAI_MEMORY;
  else if (plan->candidates.count == 0)
    answer->code = EAI_NONAME;
  return answer->code == 0;
}


bool s99_join_answer(const struct s99_plan *plan, struct s99_answer *answer,
                     struct s99_candidates *joined) {
  bool ok;
  if (answer->code != 0)
    return false;
  ok = take_candidates(plan, &plan->candidates, answer->found, joined);
  freeaddrinfo(answer->found);
  if (ok && joined->count > plan->candidates.count)
    return true;
  answer->code = ok ? EAI_NONAME : EAI_MEMORY;
  s99_candidates_free(joined);
  return false;
}


void s99_resolve(const struct s99_plan *plan, struct s99_answer *answer) {
  struct s99_query query;
  s99_query(plan, &query);
  answer->found = NULL;
  answer->code = getaddrinfo(query.name, query.service, &query.hints, &answer->found);
  answer->error = errno;
}
