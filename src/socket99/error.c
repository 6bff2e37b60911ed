/*
** error.c: results, and results as text.
**
** A result holds what failed, on what, and the system's reason as a number;
** the reason's words are looked up only when somebody asks for the text.
*/

#include "internal.h"

#include <stdarg.h>


bool s99_succeed(socket99_result *res, int fd, int family, bool connected) {
  res->status = SOCKET99_OK;
  res->fd = fd;
  res->saved_errno = 0;
  res->getaddrinfo_error = 0;
  res->family = family;
  res->connected = connected;
  res->where[0] = '\0';
  return true;
}


bool s99_fail(socket99_result *res, enum socket99_status status, int error,
              const struct s99_address *where) {
  res->status = status;
  res->fd = -1;
  res->saved_errno = error;
  res->getaddrinfo_error = 0;
  res->family = AF_UNSPEC;
  res->connected = false;
  res->where[0] = '\0';
  if (where != NULL)
    socket99_address_text(&where->addr.sa, where->len, res->where, sizeof(res->where));
  return false;
}


bool s99_fail_text(socket99_result *res, enum socket99_status status, int error, const char *format,
                   ...) {
  va_list arguments;
  s99_fail(res, status, error, NULL);
  va_start(arguments, format);
  vsnprintf(res->where, sizeof(res->where), format, arguments);
  va_end(arguments);
  return false;
}


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
    return gai_strerror(res->getaddrinfo_error);
  return s99_strerror(res->saved_errno, buf, size);
}


int socket99_snprintf(char *buf, size_t buf_size, const socket99_result *res) {
  char words[128];
  const char *stage = socket99_stage(res->status);
  const char *space = res->where[0] == '\0' ? "" : " ";
  if (res->status == SOCKET99_OK)
    return snprintf(buf, buf_size, "%s", stage);
  /* "connect example.com:443" is where a deadline passed. */
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
