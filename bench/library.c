/*
** library.c: the same openings by socket99_open.
*/
#include "bench.h"

#include <socket99.h>


static int open_as(const socket99_config *cfg) {
  socket99_result res;
  socket99_open(cfg, &res);
  return res.fd;
}


static int tcp_server(const struct where *where) {
  socket99_config cfg;
  memset(&cfg, 0, sizeof(cfg));
  cfg.host = (char *)where->host;
  cfg.port = where->port;
  cfg.server = true;
  return open_as(&cfg);
}


static int tcp_client(const struct where *where) {
  socket99_config cfg;
  memset(&cfg, 0, sizeof(cfg));
  cfg.host = (char *)where->host;
  cfg.port = where->port;
  return open_as(&cfg);
}


static int udp_client(const struct where *where) {
  socket99_config cfg;
  memset(&cfg, 0, sizeof(cfg));
  cfg.host = (char *)where->host;
  cfg.port = where->port;
  cfg.datagram = true;
  return open_as(&cfg);
}


static int unix_client(const struct where *where) {
  socket99_config cfg;
  memset(&cfg, 0, sizeof(cfg));
  cfg.path = (char *)where->path;
  return open_as(&cfg);
}


int main(int argc, char **argv) {
  static const struct kind kinds[] = {
      {"tcp_server", tcp_server},
      {"tcp_client", tcp_client},
      {"udp_client", udp_client},
      {"unix_client", unix_client},
      {NULL, NULL},
  };
  return run(argc, argv, kinds);
}
