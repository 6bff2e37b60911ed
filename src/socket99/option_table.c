/*
** option_table.c: finds the rows of an option by its name.
**
** option_rows.h has a line for each option. A row with two constants serves
** both families under either name: "ttl" and "unicast_hops" are the same
** option.
**
** A row refers to its texts by their offsets in one structure. Pointers would
** cost a relocation each, and private memory in every process that loads the
** shared object.
*/

#include "option_constants.h"
#include "internal.h"

#define SOCKET(name, id, form)                                                                     \
  OPTION(name, S99_SO, S99_FORM_##form, SOL_SOCKET, id, S99_NONE, #id, "")
#define TCP(name, id, form)                                                                        \
  OPTION(name, S99_TCP, S99_FORM_##form, IPPROTO_TCP, id, S99_NONE, #id, "")
#define UDP(name, id, form)                                                                        \
  OPTION(name, S99_UDP, S99_FORM_##form, IPPROTO_UDP, id, S99_NONE, #id, "")
#define INET(name, id, form)                                                                       \
  OPTION(name, S99_IP, S99_FORM_##form, IPPROTO_IP, id, S99_NONE, #id, "")
#define INET6(name, id6, form)                                                                     \
  OPTION(name, S99_IPV6, S99_FORM_##form, IPPROTO_IP, S99_NONE, id6, "", #id6)
#define TWIN(prefixes, name, id, id6, form)                                                        \
  OPTION(name, prefixes, S99_FORM_##form, IPPROTO_IP, id, id6, #id, #id6)
#define BOTH(name, id, id6, form)                                                                  \
  OPTION(name, S99_IP | S99_IPV6, S99_FORM_##form, IPPROTO_IP, id, id6, #id, #id6)
/* RFC 3678: one constant for both families. */
#define GROUP(prefixes, name, id, form)                                                            \
  OPTION(name, prefixes, S99_FORM_##form, IPPROTO_IP, id, id, #id, #id)

/* Each line has three texts, named after its line number. */
#define JOINED(a, b) a##b
#define OF_LINE(text, line) JOINED(text, line)
#define NAME OF_LINE(name_, __LINE__)
#define LABEL OF_LINE(label_, __LINE__)
#define LABEL6 OF_LINE(label6_, __LINE__)

#define OPTION(name, prefixes, form, level, id, id6, label, label6)                                \
  char NAME[sizeof(name)], LABEL[sizeof(label)], LABEL6[sizeof(label6)];
static const struct texts {
#include "option_rows.h"
#undef OPTION
#define OPTION(name, prefixes, form, level, id, id6, label, label6) name, label, label6,
} texts = {
#include "option_rows.h"
};
#undef OPTION

#define OPTION(name, prefixes, form, level, id, id6, label, label6)                                \
  {offsetof(struct texts, NAME),                                                                   \
   offsetof(struct texts, LABEL),                                                                  \
   offsetof(struct texts, LABEL6),                                                                 \
   prefixes,                                                                                       \
   form,                                                                                           \
   level,                                                                                          \
   id,                                                                                             \
   id6},
static const struct s99_option_row rows[] = {
#include "option_rows.h"
};
#undef OPTION


#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* Longer than any name with its prefix. */
#define NAME_SIZE 40


/* To lower case, and '-' to '_'. False if the name is too long to be known. */
static bool normalize(const char *name, char out[NAME_SIZE]) {
  size_t i;
  memset(out, 0, NAME_SIZE);
  for (i = 0; name[i] != '\0'; i++) {
    if (i == NAME_SIZE - 1)
      return false;
    out[i] = name[i];
    if (name[i] >= 'A' && name[i] <= 'Z')
      out[i] = (char)(name[i] - 'A' + 'a');
    else if (name[i] == '-')
      out[i] = '_';
  }
  return true;
}


/* Moves `name` past its prefix and returns the prefix; 0: it has none. */
static unsigned take_prefix(const char **name) {
  static const struct {
    const char *text;
    size_t length;
    unsigned prefix;
  } known[] = {{"so_", 3, S99_SO}, {"tcp_", 4, S99_TCP},   {"udp_", 4, S99_UDP},
               {"ip_", 3, S99_IP}, {"ipv6_", 5, S99_IPV6}, {"mcast_", 6, S99_MCAST}};
  size_t i;
  for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    if (strncmp(*name, known[i].text, known[i].length) == 0) {
      *name += known[i].length;
      return known[i].prefix;
    }
  }
  return 0;
}


static const char *text_at(size_t offset) {
  return (const char *)&texts + offset;
}


static const char *name_of(const struct s99_option_row *row) {
  return text_at(row->name);
}


/* The first row whose name is not less than `name`. */
static size_t lower_bound(const char *name) {
  size_t low = 0, high = ROW_COUNT;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (strcmp(name_of(&rows[middle]), name) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}


bool s99_option_find(const char *name, struct s99_namesakes *found) {
  char buf[NAME_SIZE];
  const char *bare = buf;
  unsigned prefix;
  size_t i;
  found->count = 0;
  if (!normalize(name, buf))
    return false;
  prefix = take_prefix(&bare);
  for (i = lower_bound(bare); i < ROW_COUNT && strcmp(name_of(&rows[i]), bare) == 0; i++) {
    if (prefix != 0 && !(rows[i].prefixes & prefix))
      continue;
    if (found->count < S99_MAX_NAMESAKES)
      found->row[found->count++] = &rows[i];
    if (prefix == 0 && rows[i].level == SOL_SOCKET)
      break;
  }
  return found->count > 0;
}


bool s99_option_is_twin(const struct s99_option_row *row) {
  return row->id != S99_NONE && row->id6 != S99_NONE;
}


struct s99_option_target s99_option_target(const struct s99_option_row *row, int family) {
  bool ipv6 = row->id6 != S99_NONE && (row->id == S99_NONE || family == AF_INET6);
  struct s99_option_target target;
  target.level = ipv6 ? IPPROTO_IPV6 : row->level;
  target.id = ipv6 ? row->id6 : row->id;
  target.label = text_at(ipv6 ? row->label6 : row->label);
  return target;
}


/* Whether the system has the constant does not matter: newer headers would otherwise
** change the meaning of a name. */
static bool fits(const struct s99_option_row *row, int type, int family) {
  switch (row->level) {
  case IPPROTO_TCP:
    return type == SOCK_STREAM && family != AF_UNIX;
  case IPPROTO_UDP:
    return type == SOCK_DGRAM;
  case IPPROTO_IP:
    return (family == AF_INET && row->id != S99_NONE) ||
           (family == AF_INET6 && row->id6 != S99_NONE);
  default:
    return true;
  }
}


const struct s99_option_row *s99_option_choose(const struct s99_namesakes *found, int type,
                                               int family) {
  size_t i;
  for (i = 0; i < found->count; i++) {
    if (fits(found->row[i], type, family))
      return found->row[i];
  }
  return found->row[0];
}


static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}


/* Compares with the whole name of the constant, in case the prefix is misspelt. */
static size_t distance_to_label(const char *name, const char *label, size_t limit) {
  char buf[NAME_SIZE];
  if (label[0] == '\0')
    return limit + 1;
  normalize(label, buf);
  return s99_edits(name, buf, limit);
}


static const struct s99_option_row *nearest_by_edits(const char *name, const char *bare) {
  const struct s99_option_row *nearest = NULL;
  size_t best = least(strlen(bare) / 3, 2) + 1, i;
  for (i = 0; i < ROW_COUNT && best > 0; i++) {
    size_t edits = s99_edits(bare, name_of(&rows[i]), best);
    edits = least(edits, distance_to_label(name, text_at(rows[i].label), best));
    edits = least(edits, distance_to_label(name, text_at(rows[i].label6), best));
    if (edits < best) {
      best = edits;
      nearest = &rows[i];
    }
  }
  return nearest;
}


/* "keep" suggests "keepcnt", and "rcvbufsize" suggests "rcvbuf": of the names with the
** same beginning, the one nearest in length. */
static const struct s99_option_row *nearest_by_beginning(const char *bare) {
  const struct s99_option_row *nearest = NULL, *row;
  size_t length = strlen(bare), best = NAME_SIZE;
  for (row = rows; row < rows + ROW_COUNT; row++) {
    size_t other = strlen(name_of(row)), common = least(length, other);
    size_t apart = length > other ? length - other : other - length;
    if (common >= 4 && apart < best && strncmp(bare, name_of(row), common) == 0) {
      best = apart;
      nearest = row;
    }
  }
  return nearest;
}


const char *socket99_option_nearest(const char *name) {
  char buf[NAME_SIZE];
  const char *bare = buf;
  const struct s99_option_row *nearest;
  if (name == NULL || !normalize(name, buf))
    return NULL;
  take_prefix(&bare);
  nearest = nearest_by_edits(buf, bare);
  if (nearest == NULL)
    nearest = nearest_by_beginning(bare);
  return nearest != NULL ? name_of(nearest) : NULL;
}
