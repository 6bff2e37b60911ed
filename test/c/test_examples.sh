#!/bin/sh
# Every example in C compiles, runs to its end and prints what it should. One
# that does not run here, or has more than 40 lines, is a failure. What they talk
# to is an example in Lua; test_examples.lua runs all of those.

set -eu
tmp=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
build=${BUILD:-build}

fail() {
  echo "failed: $*"
  exit 1
}

# broken NAME: what it printed says why.
broken() {
  cat "$tmp/$1"
  fail "$1"
}

# expect NAME PATTERN…: what the example printed has a line like each of these.
expect() {
  name=$1
  shift
  for pattern; do
    grep -q -e "$pattern" "$tmp/$name" && continue
    echo "no '$pattern'"
    broken "$name"
  done
}

# run NAME ARGUMENT…: an example to its end.
run() {
  name=$1
  shift
  "$tmp/$name.program" "$@" >"$tmp/$name" 2>&1
}

# serve NAME ARGUMENT…: in the background, until it listens.
serve() {
  name=$1
  shift
  : >"$tmp/$name"
  scripts/with-lua "$lua" "examples/$name" "$@" >>"$tmp/$name" 2>&1 &
  server=$!
  until grep -q '^listening' "$tmp/$name"; do
    kill -0 $server 2>/dev/null || broken "$name"
    sleep 0.02
  done
  address=$(sed -n 's/^listening on \([^,]*\).*/\1/p' "$tmp/$name")
}

served() {
  wait $server || fail "$1: exit status $?"
  server=
}


test_open() {
  serve tcp_server.lua 0 1
  run open.c "${address%:*}" "${address##*:}" 'good night' || broken open.c
  expect open.c '^good night$'
  served tcp_server.lua
  run open.c "${address%:*}" "${address##*:}" 'good night' && fail 'open.c: connected to nobody'
  expect open.c 'Connection refused'
  serve unix_server.lua "$tmp/hello.sock"
  run open.c "$address" world || broken open.c
  expect open.c '^hello, world$'
  served unix_server.lua
}

# A hundred openings at once in one event loop, then one refused.
test_names() {
  serve tcp_server.lua 0 100
  # shellcheck disable=SC2046 # a hundred words
  run names.c "${address##*:}" $(yes localhost | head -n 100) || broken names.c
  expect names.c '^100 of 100 connected$'
  served tcp_server.lua
  run names.c "${address##*:}" localhost || broken names.c
  expect names.c 'Connection refused$' '^0 of 1 connected$'
}


for program in open.c names.c; do
  ${CC:-cc} -std=c99 -Wall -Wextra -pedantic -Werror -Iinclude -o "$tmp/$program.program" \
    "examples/$program" "$build/libsocket99.a" -pthread
done
for example in examples/*.c; do
  name=${example#examples/}
  [ -e "$tmp/$name.program" ] || fail "$name is run by no test"
  [ "$(wc -l <"$example")" -le 40 ] || fail "$name has over 40 lines"
done

for lua in ${LUAS:-5.4 5.3 5.2 jit 5.1 5.5}; do
  [ -e "$build/$lua/sock99.so" ] || continue
  scripts/find-lua interpreter "$lua" >/dev/null || continue
  test_open
  test_names
  exit
done
echo 'skipped: no Lua that was built for can be run'
exit 77
