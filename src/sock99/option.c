/*
** option.c: options of an object.
*/

#include "object.h"


const luaL_Reg sock99_option_methods[] = {{NULL, NULL}};
