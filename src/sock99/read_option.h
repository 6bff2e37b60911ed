/*
** read_option.h: options as Lua has them, to the C library's.
*/
#ifndef SOCK99_READ_OPTION_H
#define SOCK99_READ_OPTION_H

#include "sock99.h"

/* Where an option is read: the argument that an error is told of, and the stack
** index at which strings are kept until the call ends. What lies there moves
** up, so indices of the values to read count from the top. */
struct sock99_option_place {
  int argument;
  int anchor;
};

/* Keeps the value at `index` alive until the call ends. */
SOCK99_HIDDEN void sock99_anchor(lua_State *L, int anchor, int index);

/* The option's name at `index`, and its kind; raises where no system has it. */
SOCK99_HIDDEN const char *sock99_check_option_name(lua_State *L, int argument, int index, int type,
                                                   int family, enum socket99_kind *kind);

/* The value on top of the stack, as the option's kind has it; of a membership
** one, not a list. Raises for other types. False: the result says why it cannot
** be. */
SOCK99_HIDDEN bool sock99_read_option_value(lua_State *L, const struct sock99_option_place *place,
                                            const char *name, enum socket99_kind kind,
                                            socket99_value *value, socket99_result *result);

/* {level, option, value} on top of the stack; the same. */
SOCK99_HIDDEN bool sock99_read_numbered_option(lua_State *L,
                                               const struct sock99_option_place *place,
                                               socket99_option *option, socket99_result *result);

/* level and option of such a table on top of the stack. */
SOCK99_HIDDEN bool sock99_read_option_number(lua_State *L, const struct sock99_option_place *place,
                                             socket99_option *option, socket99_result *result);

#endif
