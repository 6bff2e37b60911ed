/*
** stream.c: bytes of a stream, in and out.
*/

#include "object.h"


const luaL_Reg sock99_stream_methods[] = {{NULL, NULL}};
