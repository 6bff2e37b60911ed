/*
** option_check.c: checks an option's value before there is a socket, and
** describes what is wrong with it.
*/

#include "option_value.h"

#include <stdarg.h>

/* Where to write the reason; nowhere if `size` is 0. */
struct refusal {
  const socket99_option *option;
  char *text;
  size_t size;
};


/* Writes "option rcvbuf: …" or "level 1 option 8: …". Returns `error`. */
static int S99_PRINTF(3, 4) refuse(const struct refusal *why, int error, const char *format, ...) {
  const socket99_option *option = why->option;
  va_list arguments;
  size_t used;
  if (why->size == 0)
    return error;
  if (option->name != NULL)
    snprintf(why->text, why->size, "option %s: ", option->name);
  else
    snprintf(why->text, why->size, "level %d option %d: ", option->level, option->option_id);
  used = strlen(why->text);
  va_start(arguments, format);
  vsnprintf(why->text + used, why->size - used, format, arguments);
  va_end(arguments);
  return error;
}


static int check_kind(const struct refusal *why, enum socket99_kind kind, unsigned int takes,
                      enum socket99_kind given) {
  static const char *const names[] = {"a boolean", "an integer", "a number of seconds", "a string",
                                      "a membership"};
  if (given >= SOCKET99_BOOLEAN && given <= SOCKET99_MEMBERSHIP && (takes & (1u << given)))
    return 0;
  if (given < SOCKET99_BOOLEAN || given > SOCKET99_MEMBERSHIP)
    return refuse(why, EINVAL, "takes %s, not a value of unknown kind %d", names[kind], (int)given);
  return refuse(why, EINVAL, "takes %s, not %s", names[kind], names[given]);
}


static int check_integer(const struct refusal *why, long long integer, long long min,
                         long long max) {
  if (integer >= min && integer <= max)
    return 0;
  return refuse(why, ERANGE, "%lld is not in %lld to %lld", integer, min, max);
}


static int check_boolean(const struct refusal *why, const struct s99_form *form,
                         long long integer) {
  if (integer != 0 && form->kind == SOCKET99_SECONDS)
    return refuse(why, EINVAL, "takes a number of seconds, or false, not true");
  return check_integer(why, integer, 0, 1);
}


static int check_seconds(const struct refusal *why, const struct s99_option_row *row,
                         double seconds) {
  const struct s99_form *form = &s99_forms[row->form];
  if (!(seconds >= (double)form->min && seconds <= (double)form->max))
    return refuse(why, ERANGE, "%.15g s is not in %lld to %lld", seconds, form->min, form->max);
  if (row->form == S99_FORM_LINGER && seconds > (double)(long long)seconds)
    return refuse(why, EINVAL, "%.15g s is not a whole number of seconds", seconds);
  return 0;
}


static int check_bytes(const struct refusal *why, const struct s99_option_row *row,
                       const socket99_value *value) {
  const struct s99_form *form = &s99_forms[row->form];
  bool text =
      row->form != S99_FORM_STRUCT && row->form != S99_FORM_FILTER && row->form != S99_FORM_UINT64;
  if (value->bytes == NULL && value->length > 0)
    return refuse(why, EINVAL, "%zu bytes at NULL", value->length);
  if (value->length > form->longest)
    return refuse(why, ERANGE, "%zu bytes are more than %zu", value->length, form->longest);
  if (row->form == S99_FORM_UINT64 && value->length != form->longest)
    return refuse(why, EINVAL, "%zu bytes are not %zu", value->length, form->longest);
  if (text && value->length > 0 && memchr(value->bytes, '\0', value->length) != NULL)
    return refuse(why, EINVAL, "a NUL byte in the string");
  return 0;
}


static int check_membership(const struct refusal *why, const struct s99_option_row *row,
                            const socket99_value *value) {
  struct sockaddr_storage group, source;
  bool sourced = row->form == S99_FORM_SOURCE;
  if (value->group == NULL)
    return refuse(why, EINVAL, "group is missing");
  if (s99_parse_group(value->group, &group) == AF_UNSPEC)
    return refuse(why, EINVAL, "group '%s' is not a numeric address", value->group);
  if (sourced && value->source == NULL)
    return refuse(why, EINVAL, "source is missing");
  if (!sourced && value->source != NULL)
    return refuse(why, EINVAL, "takes no source");
  if (sourced && s99_parse_group(value->source, &source) == AF_UNSPEC)
    return refuse(why, EINVAL, "source '%s' is not a numeric address", value->source);
  if (sourced && source.ss_family != group.ss_family)
    return refuse(why, EINVAL, "source '%s' is not of the family of group '%s'", value->source,
                  value->group);
  if (row->id == S99_NONE && group.ss_family == AF_INET)
    return refuse(why, EINVAL, "group '%s' is not an IPv6 address", value->group);
  return 0;
}


static int check_named(const struct refusal *why, const struct s99_option_row *row,
                       const socket99_value *value) {
  const struct s99_form *form = &s99_forms[row->form];
  int error = check_kind(why, form->kind, form->takes, value->kind);
  if (error != 0)
    return error;
  switch (value->kind) {
  case SOCKET99_BOOLEAN:
    return check_boolean(why, form, value->integer);
  case SOCKET99_INTEGER:
    return check_integer(why, value->integer, form->min, form->max);
  case SOCKET99_SECONDS:
    return check_seconds(why, row, value->seconds);
  case SOCKET99_BYTES:
    return check_bytes(why, row, value);
  default:
    return check_membership(why, row, value);
  }
}


/* An option by number takes an int, or bytes for the kernel as they are. */
static int check_numbered(const struct refusal *why, const socket99_value *value) {
  int error = check_kind(why, SOCKET99_INTEGER, S99_INTEGERS | S99_STRINGS, value->kind);
  if (error != 0)
    return error;
  if (value->kind == SOCKET99_INTEGER)
    return check_integer(why, value->integer, INT_MIN, INT_MAX);
  if (value->bytes == NULL && value->length > 0)
    return refuse(why, EINVAL, "%zu bytes at NULL", value->length);
  if (value->length > INT_MAX)
    return refuse(why, ERANGE, "%zu bytes are more than %d", value->length, INT_MAX);
  return 0;
}


int s99_option_check_value(const socket99_option *option, const struct s99_option_row *row,
                           char *why, size_t size) {
  struct refusal refusal;
  refusal.option = option;
  refusal.text = why;
  refusal.size = size;
  return row == NULL ? check_numbered(&refusal, &option->value)
                     : check_named(&refusal, row, &option->value);
}
