/*
** error.c: makes results of failures, and text of results.
**
** A failure holds numbers and pointers into its opening. They become text here,
** once, when the opening has ended.
*/

#include "internal.h"


/* Sets all members but `where`. */
static void fill(socket99_result *res, enum socket99_status status, int error) {
  res->status = status;
  res->fd = -1;
  res->saved_errno = error;
  res->getaddrinfo_error = 0;
  res->family = AF_UNSPEC;
  res->connected = false;
}


void s99_succeed(socket99_result *res, int fd, int family, bool connected) {
  fill(res, SOCKET99_OK, 0);
  res->fd = fd;
  res->family = family;
  res->connected = connected;
  res->where[0] = '\0';
}


void s99_fail(socket99_result *res, enum socket99_status status, int error) {
  fill(res, status, error);
  res->where[0] = '\0';
}


void s99_fail_call(socket99_result *res, const char *call, int error) {
  s99_fail(res, SOCKET99_ERROR_UNKNOWN, error);
  snprintf(res->where, sizeof(res->where), "%s", call);
}


void s99_refuse(socket99_result *res, int error) {
  fill(res, error == EINVAL ? SOCKET99_ERROR_CONFIGURATION : SOCKET99_ERROR_UNKNOWN, error);
}


/*
** The member `where`
*/

static void address_text(const struct s99_address *address, char *buf, size_t size) {
  socket99_address_text(&address->addr.sa, address->len, buf, size);
}


/* The address that a client binds to, or the candidate. */
static struct s99_address bound_address(const struct s99_plan *plan,
                                        const struct s99_address *candidate) {
  struct s99_address local = *candidate;
  if (!plan->cfg->server)
    s99_local_address(plan, candidate->addr.sa.sa_family, &local);
  return local;
}


static void option_text(const struct s99_plan *plan, const struct s99_failure *failure, char *buf,
                        size_t size) {
  socket99_option numbered;
  const socket99_option *option = failure->option;
  if (option == NULL) {
    memset(&numbered, 0, sizeof(numbered));
    numbered.level = SOL_SOCKET;
    numbered.option_id = failure->option_id;
    option = &numbered;
  }
  s99_option_label(option, plan->type, failure->candidate->addr.sa.sa_family, buf, size);
}


static void lookup_text(const struct s99_plan *plan, char *buf, size_t size) {
  bool both = plan->name != NULL && plan->service != NULL;
  snprintf(buf, size, "%.200s%s%.40s", plan->name != NULL ? plan->name : plan->service,
           both ? ":" : "", both ? plan->service : "");
}


/* Without a candidate the deadline passed in the lookup, else while connecting. */
static void deadline_text(const struct s99_plan *plan, const struct s99_address *candidate,
                          char *buf, size_t size) {
  char peer[SOCKET99_WHERE_SIZE];
  if (candidate == NULL) {
    snprintf(buf, size, "getaddrinfo %.200s", plan->name != NULL ? plan->name : plan->service);
    return;
  }
  if (plan->name != NULL && plan->service != NULL)
    snprintf(peer, sizeof(peer), "%.180s:%.40s", plan->name, plan->service);
  else if (plan->name != NULL)
    snprintf(peer, sizeof(peer), "%.200s:%d", plan->name, plan->port);
  else
    address_text(candidate, peer, sizeof(peer));
  snprintf(buf, size, "connect %.240s", peer);
}


void s99_report(socket99_result *res, const struct s99_plan *plan,
                const struct s99_failure *failure) {
  char *buf = res->where;
  size_t size = sizeof(res->where);
  struct s99_address bound;
  s99_fail(res, failure->stage, failure->error);
  res->getaddrinfo_error = failure->code;
  if (failure->text != NULL)
    snprintf(buf, size, "%s", failure->text);
  else if (failure->option != NULL || failure->option_id != 0)
    option_text(plan, failure, buf, size);
  else if (failure->stage == SOCKET99_ERROR_GETADDRINFO)
    lookup_text(plan, buf, size);
  else if (failure->stage == SOCKET99_ERROR_TIMEOUT)
    deadline_text(plan, failure->candidate, buf, size);
  else if (failure->stage == SOCKET99_ERROR_BIND) {
    bound = bound_address(plan, failure->candidate);
    s99_failed_address_text(&bound, failure->error, buf, size);
  } else if (failure->candidate != NULL)
    s99_failed_address_text(failure->candidate, failure->error, buf, size);
}


/*
** Results as text
*/

const char *socket99_stage(enum socket99_status status) {
  static const char *const names[] = {
      "ok",    "getaddrinfo", "socket",        "bind",       "listen",  "connect",
      "fcntl", "snprintf",    "configuration", "setsockopt", "unknown", "timeout"};
  int index = -(int)status;
  if (index < 0 || index >= (int)(sizeof(names) / sizeof(names[0])))
    return "unknown";
  return names[index];
}


static const char *reason(const socket99_result *res, char *buf, size_t size) {
  if (res->status == SOCKET99_ERROR_GETADDRINFO && res->getaddrinfo_error != EAI_SYSTEM)
    /* The system's words for it are about ai_socktype. */
    return res->getaddrinfo_error == EAI_SERVICE ? "unknown service"
                                                 : gai_strerror(res->getaddrinfo_error);
  return s99_strerror(res->saved_errno, buf, size);
}


int socket99_snprintf(char *buf, size_t buf_size, const socket99_result *res) {
  char words[128];
  const char *stage = socket99_stage(res->status);
  const char *space = res->where[0] == '\0' ? "" : " ";
  if (res->status == SOCKET99_OK)
    return snprintf(buf, buf_size, "%s", stage);
  /* Here `where` includes the step: "connect example.com:443". */
  if (res->status == SOCKET99_ERROR_TIMEOUT)
    return snprintf(buf, buf_size, "%s: %s", res->where, reason(res, words, sizeof(words)));
  if (res->status == SOCKET99_ERROR_CONFIGURATION)
    return snprintf(buf, buf_size, "%s: %s", stage, res->where);
  return snprintf(buf, buf_size, "%s%s%s: %s", stage, space, res->where,
                  reason(res, words, sizeof(words)));
}


int socket99_fprintf(FILE *f, const socket99_result *res) {
  char line[SOCKET99_WHERE_SIZE + 192];
  socket99_snprintf(line, sizeof(line), res);
  return fprintf(f, "%s", line);
}
