/*
** far_end.c: listens on port 7001 of the addresses in its arguments, and says
** so. The kernel accepts; nobody else needs to.
**
** It is also a name server, on port 53 of the first address. A name says for which
** families: "a" and "aaaa" in its first label, each with the number of the last
** byte of the address ("a2-aaaa66.half"). It is silent about the other family, and
** about all other names, but says "there is none" where the label has "no"
** ("a2-noaaaa.half").
*/

#include "socket99.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { A = 1, AAAA = 28, HEADER = 12, QUESTION_END = 5, MOST = 512 };


static int open_server(const char *host, int port, bool datagram) {
  socket99_config config = {0};
  socket99_result result;
  config.host = (char *)host;
  config.port = port;
  config.server = true;
  config.datagram = datagram;
  if (!socket99_open(&config, &result)) {
    socket99_fprintf(stderr, &result);
    exit(1);
  }
  return result.fd;
}


/* The word of a label, parted by '-', that begins so; NULL: none does. */
static const char *find_word(const char *label, const char *beginning) {
  const char *word = label;
  while (word != NULL && strncmp(word, beginning, strlen(beginning)) != 0) {
    word = strchr(word, '-');
    if (word != NULL)
      word++;
  }
  return word;
}


/* The record of an answer; 0: none. */
static size_t write_record(unsigned char *to, int type, int number) {
  static const unsigned char inet[] = {10, 9, 0, 0};
  static const unsigned char inet6[16] = {0xfd, 0x09};
  size_t size = type == A ? sizeof(inet) : sizeof(inet6);
  const unsigned char head[] = {0xc0, HEADER, 0, (unsigned char)type, 0, 1, 0, 0,
                                0,    60,     0, (unsigned char)size};
  memcpy(to, head, sizeof(head));
  memcpy(to + sizeof(head), type == A ? inet : inet6, size);
  to[sizeof(head) + size - 1] = (unsigned char)number;
  return sizeof(head) + size;
}


/* Makes an answer of the question; 0: there is none. */
static size_t answer(unsigned char *message, size_t length) {
  char label[64] = "";
  size_t end = HEADER;
  int type;
  const char *word;
  if (length < HEADER + 1 + QUESTION_END || message[HEADER] >= sizeof(label))
    return 0;
  memcpy(label, message + HEADER + 1, message[HEADER]);
  while (end < length && message[end] != 0)
    end += message[end] + 1U;
  end += QUESTION_END;
  if (end > length)
    return 0;
  type = message[end - 3];
  word = find_word(label, type == A ? "a" : "aaaa");
  if (type == A && word != NULL && strncmp(word, "aaaa", 4) == 0)
    word = NULL;
  message[2] = 0x81;
  message[3] = 0x80;
  memset(message + 6, 0, 6);
  if (word != NULL) {
    message[7] = 1;
    return end + write_record(message + end, type, atoi(word + (type == A ? 1 : 4)));
  }
  return find_word(label, type == A ? "noa" : "noaaaa") != NULL ? end : 0;
}


static void serve_names(int server) {
  for (;;) {
    unsigned char message[MOST + 64];
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);
    ssize_t got = recvfrom(server, message, MOST, 0, (struct sockaddr *)&peer, &length);
    size_t size = got < 0 ? 0 : answer(message, (size_t)got);
    if (size > 0)
      sendto(server, message, size, 0, (struct sockaddr *)&peer, length);
  }
}


int main(int argc, char **argv) {
  int i, names = argc > 1 ? open_server(argv[1], 53, true) : -1;
  for (i = 1; i < argc; i++)
    open_server(argv[i], 7001, false);
  puts("ready");
  fflush(stdout);
  serve_names(names);
}
