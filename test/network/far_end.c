/*
** far_end.c: listens on port 7001 of the addresses in its arguments, and says
** so. The kernel accepts; nobody else needs to.
*/

#include "socket99.h"

#include <unistd.h>


int main(int argc, char **argv) {
  int i;
  for (i = 1; i < argc; i++) {
    socket99_config config = {0};
    socket99_result result;
    config.host = argv[i];
    config.port = 7001;
    config.server = true;
    if (!socket99_open(&config, &result)) {
      socket99_fprintf(stderr, &result);
      return 1;
    }
  }
  puts("ready");
  fflush(stdout);
  for (;;)
    pause();
}
