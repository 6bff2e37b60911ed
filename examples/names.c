/* names.c: connect to many names at once, with poll(2).
** Run: cc names.c -lsocket99 && ./a.out PORT NAME ... */
#include <poll.h>
#include <socket99.h>
#include <unistd.h>

#define MOST 100

int main(int argc, char **argv) {
  socket99_opening *openings[MOST];
  struct pollfd polled[MOST];
  int count = argc - 2 < MOST ? argc - 2 : MOST, left = count, connected = 0;
  for (int i = 0; i < count; i++) {
    socket99_config cfg = {.host = argv[i + 2], .service = argv[1], .timeout_ms = 5000};
    socket99_result res;
    openings[i] = socket99_start(&cfg, &res);
    if (openings[i] == NULL)
      return socket99_fprintf(stderr, &res), 1;
    polled[i] = (struct pollfd){.fd = socket99_pollfd(openings[i]), .events = POLLIN};
  }
  while (left > 0 && poll(polled, (nfds_t)count, -1) > 0) {
    for (int i = 0; i < count; i++) {
      socket99_result res;
      if (polled[i].revents == 0 || !socket99_step(openings[i], &res))
        continue;
      if (res.fd >= 0)
        connected += close(res.fd) == 0;
      else
        socket99_fprintf(stdout, &res), puts("");
      socket99_cancel(openings[i]);
      polled[i].fd = -1; /* poll(2) passes it over */
      left--;
    }
  }
  printf("%d of %d connected\n", connected, count);
  return 0;
}
