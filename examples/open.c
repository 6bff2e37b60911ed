/*
** open.c: sends a line to a TCP server or a Unix socket, and prints the answer.
**
** Build: cc -Iinclude -o open examples/open.c build/libsocket99.a -pthread
** Run:   ./open host port line, or ./open path line
*/
#include <socket99.h>

#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  socket99_config cfg;
  socket99_result res;
  char text[4096];
  ssize_t count;
  if (argc < 3) {
    fprintf(stderr, "usage: %s host port line, or %s path line\n", argv[0], argv[0]);
    return 2;
  }
  memset(&cfg, 0, sizeof(cfg)); /* zero is the default of every field */
  if (argc == 3) {
    cfg.path = argv[1];
  } else {
    cfg.host = argv[1];
    cfg.service = argv[2]; /* a number or a name, as text */
  }
  if (!socket99_open(&cfg, &res)) {
    socket99_fprintf(stderr, &res); /* no newline at its end */
    return 1;
  }
  snprintf(text, sizeof(text), "%s\n", argv[argc - 1]);
  if (write(res.fd, text, strlen(text)) < 0)
    perror("write");
  while ((count = read(res.fd, text, sizeof(text))) > 0)
    fwrite(text, 1, (size_t)count, stdout);
  return close(res.fd);
}
