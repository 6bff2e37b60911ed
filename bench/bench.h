/*
** bench.h: what the C contenders share: their arguments, the loop, the clock.
**
** PROGRAM KIND N HOST PORT PATH opens and closes a socket of the kind N times,
** and prints the CPU time of that in seconds.
*/
#ifndef BENCH_H
#define BENCH_H

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct where {
  const char *host;
  int port;
  const char *path;
};

/* One kind of socket; `open` returns a descriptor. */
struct kind {
  const char *name;
  int (*open)(const struct where *where);
};


static int run(int argc, char **argv, const struct kind *kind) {
  struct where where;
  long n, i;
  clock_t start;
  if (argc != 6)
    return 2;
  n = atol(argv[2]);
  where.host = argv[3];
  where.port = atoi(argv[4]);
  where.path = argv[5];
  while (kind->name != NULL && strcmp(kind->name, argv[1]) != 0)
    kind++;
  if (kind->name == NULL)
    return 2;
  start = clock();
  for (i = 0; i < n; i++) {
    int fd = kind->open(&where);
    if (fd < 0) {
      perror(argv[1]);
      return 1;
    }
    close(fd);
  }
  printf("%.6f\n", (double)(clock() - start) / CLOCKS_PER_SEC);
  return 0;
}

#endif
