/*
** option.c: sets an option on a socket, and reads one, by name or number.
**
** option_table.c finds the rows of a name, option_check.c checks the value, and
** option_value.c converts it. This file picks the row and the constant that
** apply to the socket.
**
** On a dual-stack socket, an option that both families have is set at both
** levels, since the kernel keeps IP_TTL and IPV6_UNICAST_HOPS, for instance,
** apart. The level of a membership is that of its group's family.
*/

#include "option_value.h"


static void describe_unknown(const char *name, char *why, size_t size) {
  const char *nearest = socket99_option_nearest(name);
  if (nearest != NULL)
    snprintf(why, size, "unknown option '%s' (did you mean '%s'?)", name, nearest);
  else
    snprintf(why, size, "unknown option '%s'", name);
}


/*
** The socket's family is not known yet, so a value passes if any option of that
** name takes it. s99_option_apply checks again.
*/
bool s99_option_check(const socket99_option *option, int type, char *why, size_t size) {
  struct s99_namesakes found;
  size_t i;
  if (option->name == NULL)
    return s99_option_check_value(option, NULL, why, size) == 0;
  if (!s99_option_find(option->name, &found)) {
    describe_unknown(option->name, why, size);
    return false;
  }
  for (i = 0; i < found.count; i++) {
    if (s99_option_check_value(option, found.row[i], NULL, 0) == 0)
      return true;
  }
  return s99_option_check_value(option, s99_option_choose(&found, type, AF_UNSPEC), why, size) == 0;
}


static int set_wire(int fd, int level, int id, const struct s99_wire *wire) {
  return setsockopt(fd, level, id, wire->data, wire->length) == 0 ? 0 : errno;
}


static int set_numbered(int fd, const socket99_option *option) {
  struct s99_wire wire;
  int error = s99_option_check_value(option, NULL, NULL, 0);
  if (error != 0)
    return error;
  if (option->value.kind == SOCKET99_INTEGER)
    s99_encode_int(&option->value, option->level, &wire);
  else
    s99_encode_bytes(&option->value, option->level, &wire);
  return set_wire(fd, option->level, option->option_id, &wire);
}


static bool switches_off(const struct s99_option_row *row, const socket99_value *value) {
  bool flag = value->kind == SOCKET99_BOOLEAN ||
              (value->kind == SOCKET99_INTEGER && s99_forms[row->form].kind == SOCKET99_BOOLEAN);
  return flag && value->integer == 0;
}


/* `*label` is the name of the constant that was last tried. */
static int set_target(int fd, const struct s99_option_row *row, int family,
                      const socket99_value *value, const char **label) {
  struct s99_option_target target = s99_option_target(row, family);
  struct s99_wire wire;
  int error;
  *label = target.label;
  if (target.id == S99_LACKING)
    return switches_off(row, value) ? 0 : ENOPROTOOPT;
  if (row->form == S99_FORM_ACTION && switches_off(row, value))
    return 0;
  memset(&wire, 0, sizeof(wire));
  error = s99_forms[row->form].encode(value, target.level, &wire);
  return error != 0 ? error : set_wire(fd, target.level, target.id, &wire);
}


/* ENOPROTOOPT of one level is no error if the other takes the value: IP_MTU cannot be
** set, IPV6_MTU can. */
static int set_both(int fd, const struct s99_option_row *row, const socket99_value *value,
                    const char **label) {
  int error6 = set_target(fd, row, AF_INET6, value, label);
  const char *label6 = *label;
  int error4;
  if (error6 != 0 && error6 != ENOPROTOOPT)
    return error6;
  error4 = set_target(fd, row, AF_INET, value, label);
  if (error4 != ENOPROTOOPT)
    return error4;
  *label = label6;
  return error6;
}


static int group_family(const socket99_value *value) {
  struct sockaddr_storage group;
  return s99_parse_group(value->group, &group);
}


/* Without an interface the system looks for a route, which there may not be. */
static const char *without_interface(const char *label) {
  static const char *const texts[] = {"IP_ADD_MEMBERSHIP without an interface",
                                      "IPV6_JOIN_GROUP without an interface",
                                      "MCAST_JOIN_SOURCE_GROUP without an interface"};
  size_t i, length = strlen(label);
  for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    if (strncmp(texts[i], label, length) == 0 && texts[i][length] == ' ')
      return texts[i];
  }
  return label;
}


static int set_membership(int fd, const struct s99_option_row *row, const socket99_value *value,
                          const char **label) {
  int error = set_target(fd, row, group_family(value), value, label);
  if (error == ENODEV && (value->interface == NULL || value->interface[0] == '\0'))
    *label = without_interface(*label);
  return error;
}


static int set_row(int fd, const struct s99_option_row *row, const socket99_value *value,
                   int family, bool dual, const char **label) {
  if (value->kind == SOCKET99_MEMBERSHIP)
    return set_membership(fd, row, value, label);
  if (dual && S99_DUAL_LEVELS && family == AF_INET6 && s99_option_is_twin(row))
    return set_both(fd, row, value, label);
  return set_target(fd, row, family, value, label);
}


int s99_option_apply(int fd, const socket99_option *option, int type, int family, bool dual,
                     const char **label) {
  const struct s99_option_row *row;
  struct s99_namesakes found;
  int error;
  *label = NULL;
  if (option->name == NULL)
    return set_numbered(fd, option);
  if (!s99_option_find(option->name, &found))
    return ENOENT;
  row = s99_option_choose(&found, type, family);
  error = s99_option_check_value(option, row, NULL, 0);
  return error != 0 ? error : set_row(fd, row, &option->value, family, dual, label);
}


/* The only family whose sockets have the option; AF_UNSPEC if there is no such one. */
static int family_of_option(const socket99_option *option, int type, int family) {
  const struct s99_option_row *row;
  struct s99_namesakes found;
  if (option->name == NULL)
    return option->level == IPPROTO_IPV6 ? AF_INET6
           : option->level == IPPROTO_IP ? AF_INET
                                         : AF_UNSPEC;
  if (!s99_option_find(option->name, &found))
    return AF_UNSPEC;
  row = s99_option_choose(&found, type, family);
  if (option->value.kind == SOCKET99_MEMBERSHIP)
    return group_family(&option->value);
  if (row->level != IPPROTO_IP || s99_option_is_twin(row))
    return AF_UNSPEC;
  return row->id == S99_NONE ? AF_INET6 : AF_INET;
}


bool s99_option_is_foreign(const socket99_option *option, int type, int family) {
  int own = family_of_option(option, type, family);
  return own != AF_UNSPEC && own != family;
}


void s99_option_label(const socket99_option *option, int type, int family, char *buf, size_t size) {
  struct s99_namesakes found;
  if (option->name == NULL)
    snprintf(buf, size, "level %d option %d", option->level, option->option_id);
  else if (s99_option_find(option->name, &found))
    snprintf(buf, size, "%s",
             s99_option_target(s99_option_choose(&found, type, family), family).label);
  else
    snprintf(buf, size, "%s", option->name);
}


bool s99_option_is(const socket99_option *option, int level, int option_id) {
  struct s99_namesakes found;
  size_t i;
  if (option->name == NULL)
    return option->level == level && option->option_id == option_id;
  if (!s99_option_find(option->name, &found))
    return false;
  for (i = 0; i < found.count; i++) {
    const struct s99_option_row *row = found.row[i];
    if ((row->level == level && row->id == option_id) ||
        (level == IPPROTO_IPV6 && row->id6 == option_id))
      return true;
  }
  return false;
}


/*
** Picks the row for a descriptor. Asks the kernel for the type and the family
** only if the choice depends on them, and leaves them 0 otherwise.
*/
static int row_of_descriptor(int fd, const struct s99_namesakes *found, int *type, int *family,
                             const struct s99_option_row **row) {
  struct sockaddr_storage local;
  socklen_t length = sizeof(local);
  memset(&local, 0, sizeof(local));
  *type = 0;
  *family = AF_UNSPEC;
  *row = found->row[0];
  if (found->count == 1 && !s99_option_is_twin(*row))
    return 0;
  if (getsockname(fd, (struct sockaddr *)&local, &length) != 0)
    return errno;
  *family = local.ss_family;
  length = sizeof(*type);
  if (found->count > 1 && getsockopt(fd, SOL_SOCKET, SO_TYPE, type, &length) != 0)
    return errno;
  *row = s99_option_choose(found, *type, *family);
  return 0;
}


static bool is_dual_stack(int fd) {
  int only = 1;
  socklen_t length = sizeof(only);
  return getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &length) == 0 && !only;
}


bool socket99_option_kind(const char *name, int type, int family, enum socket99_kind *kind) {
  struct s99_namesakes found;
  if (name == NULL || !s99_option_find(name, &found))
    return false;
  if (kind != NULL)
    *kind = s99_forms[s99_option_choose(&found, type, family)->form].kind;
  return true;
}


int s99_option_set(int fd, const char *name, const socket99_value *value, const char **label) {
  const struct s99_option_row *row;
  struct s99_namesakes found;
  int error, type, family;
  socket99_option option = {name, 0, 0, *value};
  bool dual;
  *label = NULL;
  if (name == NULL || !s99_option_find(name, &found))
    return ENOENT;
  error = row_of_descriptor(fd, &found, &type, &family, &row);
  if (error == 0)
    error = s99_option_check_value(&option, row, NULL, 0);
  if (error != 0)
    return error;
  dual = S99_DUAL_LEVELS && family == AF_INET6 && s99_option_is_twin(row) && is_dual_stack(fd);
  return set_row(fd, row, value, family, dual, label);
}


int socket99_option_set(int fd, const char *name, const socket99_value *value) {
  const char *label;
  return s99_option_set(fd, name, value, &label);
}


int socket99_option_get(int fd, const char *name, socket99_value *value, void *buf,
                        size_t buf_size) {
  const struct s99_option_row *row;
  struct s99_option_target target;
  struct s99_namesakes found;
  int error, type, family;
  memset(value, 0, sizeof(*value));
  if (name == NULL || !s99_option_find(name, &found))
    return ENOENT;
  error = row_of_descriptor(fd, &found, &type, &family, &row);
  if (error != 0)
    return error;
  target = s99_option_target(row, family);
  if (target.id == S99_LACKING)
    return ENOPROTOOPT;
  return s99_forms[row->form].decode(fd, &target, value, buf, buf_size);
}
