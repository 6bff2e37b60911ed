/*
** inquiry.c: the lookups of one opening.
**
** The first is for both families, so that the usual case costs one lookup and has the
** system's order. A resolver that answers for one family and never for the other makes
** it wait as long as the resolver waits. So when it has been silent for the attempt
** delay, each family is asked for alone, beside it (RFC 8305, section 3).
*/

#include "internal.h"


/* The name server could not say. */
static bool is_temporary(int code) {
  return code == EAI_AGAIN || code == EAI_FAIL || code == EAI_SYSTEM || code == EAI_MEMORY;
}


static int ask(struct s99_inquiry *inquiry, enum s99_question question,
               const struct s99_query *query, struct s99_poller *poller) {
  int error = 0;
  struct s99_lookup *lookup =
      s99_lookup_start(query->name, query->service, &query->hints, question != S99_WHOLE, &error);
  if (lookup == NULL)
    return error;
  if (poller->fd >= 0)
    error = s99_poller_add(poller, s99_lookup_fd(lookup), false);
  if (error == 0)
    inquiry->lookups[question] = lookup;
  else
    s99_lookup_end(lookup);
  return error;
}


static void end_lookup(struct s99_inquiry *inquiry, size_t question, struct s99_poller *poller) {
  struct s99_lookup *lookup = inquiry->lookups[question];
  if (poller->fd >= 0)
    s99_poller_remove(poller, s99_lookup_fd(lookup), false);
  s99_lookup_end(lookup);
  inquiry->lookups[question] = NULL;
}


int s99_inquiry_begin(struct s99_inquiry *inquiry, const struct s99_plan *plan,
                      struct s99_poller *poller) {
  struct s99_query query;
  int error;
  s99_query(plan, &query);
  inquiry->begun = true;
  error = ask(inquiry, S99_WHOLE, &query, poller);
  if (error == 0 && query.hints.ai_family == AF_UNSPEC)
    inquiry->more_at = s99_now() + plan->delay;
  return error;
}


/* What cannot be asked is not missed: the whole is still asked. */
void s99_inquiry_ask_more(struct s99_inquiry *inquiry, const struct s99_plan *plan,
                          struct s99_poller *poller) {
  struct s99_query query;
  if (s99_now() < inquiry->more_at)
    return;
  inquiry->more_at = S99_NEVER;
  s99_query(plan, &query);
  query.hints.ai_family = AF_INET6;
  (void)ask(inquiry, S99_INET6_ALONE, &query, poller);
  query.hints.ai_family = AF_INET;
  (void)ask(inquiry, S99_INET_ALONE, &query, poller);
}


enum s99_question s99_inquiry_take(struct s99_inquiry *inquiry, struct s99_poller *poller,
                                   struct s99_answer *answer) {
  size_t i;
  for (i = 0; i < S99_QUESTIONS; i++) {
    if (inquiry->lookups[i] == NULL || !s99_lookup_take(inquiry->lookups[i], answer))
      continue;
    end_lookup(inquiry, i, poller);
    inquiry->known[i] = !is_temporary(answer->code);
    if (i == S99_WHOLE)
      inquiry->more_at = S99_NEVER;
    break;
  }
  return (enum s99_question)i;
}


bool s99_inquiry_is_over(const struct s99_inquiry *inquiry) {
  size_t i;
  for (i = 0; i < S99_QUESTIONS; i++) {
    if (inquiry->lookups[i] != NULL)
      return false;
  }
  return true;
}


bool s99_inquiry_knows_all(const struct s99_inquiry *inquiry) {
  return inquiry->known[S99_WHOLE] ||
         (inquiry->known[S99_INET6_ALONE] && inquiry->known[S99_INET_ALONE]);
}


void s99_inquiry_give_way(const struct s99_inquiry *inquiry) {
  if (inquiry->lookups[S99_WHOLE] != NULL)
    s99_lookup_give_way(inquiry->lookups[S99_WHOLE]);
}


void s99_inquiry_polled(const struct s99_inquiry *inquiry, struct pollfd *polled) {
  size_t i;
  for (i = 0; i < S99_QUESTIONS; i++) {
    polled[i].fd = inquiry->lookups[i] == NULL ? -1 : s99_lookup_fd(inquiry->lookups[i]);
    polled[i].events = POLLIN;
    polled[i].revents = 0;
  }
}


void s99_inquiry_end(struct s99_inquiry *inquiry, struct s99_poller *poller) {
  size_t i;
  for (i = 0; i < S99_QUESTIONS; i++) {
    if (inquiry->lookups[i] != NULL)
      end_lookup(inquiry, i, poller);
  }
  inquiry->more_at = S99_NEVER;
}
