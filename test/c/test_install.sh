#!/bin/sh
# What is installed can be compiled against, linked both ways and run; only
# public names are exported; uninstalling leaves no file.

set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
make=${MAKE:-make}
stage=$tmp/stage
lib=$stage/opt/s99/lib

fail() {
  echo "failed: $*"
  exit 1
}

installed() {
  "$make" --no-print-directory PREFIX=/opt/s99 DESTDIR="$stage" "$@" >"$tmp/log" 2>&1 || {
    cat "$tmp/log"
    fail "make $*"
  }
}

socket99_config() {
  PKG_CONFIG_PATH=$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$stage pkg-config "$@" socket99
}

exports() {
  nm -D --defined-only "$1" | awk '{ print $3 }'
}

installed install install-lua
for file in lib/libsocket99.a lib/libsocket99.so.1.0.0 lib/libsocket99.so.1 lib/libsocket99.so \
  include/socket99.h lib/pkgconfig/socket99.pc share/man/man3/socket99.3 \
  share/sock99/library/sock99.lua share/sock99/library/sock99/luasocket.lua; do
  [ -e "$stage/opt/s99/$file" ] || fail "no $file"
done
# On package.path the definitions would hide the module.
[ -z "$(find "$stage" -path '*/share/lua/*' -name sock99.lua)" ] || fail 'sock99.lua hides the module'

cat >"$tmp/program.c" <<'C'
#include <socket99.h>
#include <unistd.h>

int main(void) {
  socket99_config cfg = {0};
  socket99_result res;
  cfg.host = (char *)"127.0.0.1";
  cfg.server = true;
  if (!socket99_open(&cfg, &res)) {
    socket99_fprintf(stderr, &res);
    return 1;
  }
  return close(res.fd);
}
C
cp "$tmp/program.c" "$tmp/program.cc"

[ "$(socket99_config --modversion)" = 1.0.0 ] || fail 'pkg-config --modversion'
cc=${CC:-cc}
# shellcheck disable=SC2046 # flags
{
  $cc -o "$tmp/shared" "$tmp/program.c" $(socket99_config --cflags --libs)
  $cc -o "$tmp/static" "$tmp/program.c" $(socket99_config --cflags) "$lib/libsocket99.a" \
    $(socket99_config --static --libs-only-other)
}
LD_LIBRARY_PATH=$lib "$tmp/shared" || fail 'a program linked with libsocket99.so'
"$tmp/static" || fail 'a program linked with libsocket99.a'

include=-I$stage/opt/s99/include
for compiler in gcc clang; do
  command -v $compiler >/dev/null || continue
  $compiler "$include" -std=c99 -pedantic -Wall -Wextra -Werror -fsyntax-only "$tmp/program.c"
done
for compiler in g++ clang++; do
  command -v $compiler >/dev/null || continue
  $compiler "$include" -pedantic -Wall -Wextra -Werror -Wno-missing-field-initializers \
    -o "$tmp/cxx" "$tmp/program.cc" "$lib/libsocket99.a" -pthread
  "$tmp/cxx" || fail "a C++ program by $compiler"
done

readelf -d "$lib/libsocket99.so" | grep -q 'SONAME.*\[libsocket99\.so\.1\]' || fail 'soname'
if exports "$lib/libsocket99.so" | grep -v '^socket99_'; then
  fail 'libsocket99.so exports more than socket99_ names'
fi
exports "$lib/libsocket99.so" | grep -qx socket99_open || fail 'socket99_open is not exported'
for module in "$lib"/lua/*/sock99.so; do
  version=$(basename "$(dirname "$module")")
  for file in lua/sock99/*.lua lua/sock99/*/*.lua; do
    [ -e "$stage/opt/s99/share/lua/$version/${file#lua/}" ] || fail "no $file for Lua $version"
  done
  [ "$(exports "$module" | sort | tr '\n' ' ')" = 'luaopen_sock99 luaopen_sock99_kinds ' ] ||
    fail "$module exports $(exports "$module")"
  readelf -d "$module" | grep -q 'NODELETE' || fail "$module is not linked with -z nodelete"
done

if [ "$(uname -s)" = Linux ] && [ -z "${CFLAGS:-}${CPPFLAGS:-}${LDFLAGS:-}" ]; then
  scripts/hardened "$lib"/libsocket99.a "$lib"/libsocket99.so "$lib"/lua/*/sock99.so
fi

installed uninstall uninstall-lua
left=$(find "$stage" ! -type d)
[ -z "$left" ] || fail "uninstall leaves $left"
