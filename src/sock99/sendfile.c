/*
** sendfile.c: a file to a stream.
*/

#include "object.h"


const luaL_Reg sock99_sendfile_methods[] = {{NULL, NULL}};
