#!/bin/sh
# What is built is hardened (scripts/hardened says what that is); the check fails
# where it is not.

set -eu
build=${BUILD:-build}
command -v readelf >/dev/null || {
  echo 'skipped: no readelf'
  exit 77
}
[ "$(uname -s)" = Linux ] || {
  echo 'skipped: not Linux'
  exit 77
}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

[ -z "${CFLAGS:-}${CPPFLAGS:-}${LDFLAGS:-}" ] || {
  echo 'skipped: built with other flags than ours'
  exit 77
}

scripts/hardened "$build/libsocket99.a" "$build/libsocket99.so" "$build"/*/sock99.so
for source in test/c/test_*.c; do
  program=$build/${source%.c}
  [ ! -x "$program" ] || scripts/hardened "$program"
done

# It can fail.
cat >"$tmp/weak.c" <<'C'
#include <string.h>
int weak(const char *text);
int weak(const char *text) {
  char copy[64];
  strcpy(copy, text);
  return copy[0];
}
C
${CC:-cc} -O2 -fPIC -shared -fno-stack-protector -U_FORTIFY_SOURCE -Wl,-z,norelro -Wl,-z,lazy \
  -Wl,-z,execstack -Wl,-rpath,/nowhere -o "$tmp/weak.so" "$tmp/weak.c" 2>/dev/null
scripts/hardened "$tmp/weak.so" >"$tmp/told" && {
  echo 'failed: a library without any hardening passes'
  exit 1
}
for complaint in GNU_RELRO executed BIND_NOW RPATH 'stack protector' fortified; do
  grep -q "$complaint" "$tmp/told" || {
    echo "failed: '$complaint' is not told of a library that lacks it"
    exit 1
  }
done
