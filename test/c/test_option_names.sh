#!/bin/sh
# The meaning of a name does not depend on the headers of the build: the table of
# options is compiled as if they had no constant of an option, and as if they had all;
# each name means the same constant, on every kind of socket.

set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cc=${CC:-cc}

constants() {
  sed -n 's/^#ifndef \([A-Z0-9_]*[A-Z0-9]\)$/\1/p' src/socket99/option_constants.h |
    grep -v '^SOCKET99_'
}

# meanings NAME: what the table says that was compiled with $tmp/NAME.h.
meanings() {
  cat >"$tmp/$1.c" <<END
#include "option_table.h"
#include "$1.h"
#include "option_table.c"

static const char *meaning(const char *name, int type, int family) {
  struct s99_namesakes found;
  if (!s99_option_find(name, &found))
    return "unknown";
  return s99_option_target(s99_option_choose(&found, type, family), family).label;
}

int main(void) {
  static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX};
  static const int types[] = {0, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW};
  size_t i, f, t;
  for (i = 0; i < ROW_COUNT; i++)
    for (f = 0; f < 4; f++)
      for (t = 0; t < 5; t++)
        printf("%s %d %d %s\n", name_of(&rows[i]), families[f], types[t],
               meaning(name_of(&rows[i]), types[t], families[f]));
  return 0;
}
END
  $cc -std=c99 -Iinclude -Isrc/socket99 -I"$tmp" -o "$tmp/$1" "$tmp/$1.c" src/socket99/spelling.c
  "$tmp/$1"
}

constants | sed 's/.*/#undef &/' >"$tmp/oldest.h"
constants | awk '{ print "#undef " $0 "\n#define " $0 " " NR }' >"$tmp/newest.h"
: >"$tmp/here.h"
for headers in oldest newest here; do
  meanings $headers >"$tmp/$headers.txt"
done
[ "$(wc -l <"$tmp/here.txt")" -gt 4000 ] || {
  echo 'too few names found'
  exit 1
}
grep -q '^inq .* SO_INQ$' "$tmp/here.txt" && grep -q '^inq .* TCP_INQ$' "$tmp/here.txt"
diff "$tmp/oldest.txt" "$tmp/newest.txt"
diff "$tmp/oldest.txt" "$tmp/here.txt"
