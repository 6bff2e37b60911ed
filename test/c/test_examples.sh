#!/bin/sh
# Every example runs to its end and prints what it should, on each Lua that has
# luaposix. One that does not run here, or has more than 40 lines, is a failure.

set -eu
tmp=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
build=${BUILD:-build}
port=$((10000 + $$ % 20000))

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
  case $name in
  *.c) "$tmp/$name.program" "$@" >"$tmp/$name" 2>&1 ;;
  *) scripts/with-lua "$lua" "examples/$name" "$@" >"$tmp/$name" 2>&1 ;;
  esac
}

# run_on_a_port NAME: with one port after the other, until one is free.
run_on_a_port() {
  until run "$1" $((port = port + 1)); do
    expect "$1" 'Address already in use'
  done
}

# serve NAME ARGUMENT…: in the background; fails if it ends instead of listening.
serve() {
  name=$1
  shift
  : >"$tmp/$name"
  scripts/with-lua "$lua" "examples/$name" "$@" >>"$tmp/$name" 2>&1 &
  server=$!
  until grep -q '^listening' "$tmp/$name"; do
    kill -0 $server 2>/dev/null || return 1
    sleep 0.02
  done
}

served() {
  wait $server || fail "$1: exit status $?"
  server=
}


test_tour() {
  run tour.lua || broken tour.lua
  expect tour.lua '^TCP over IPv4 .*127\.0\.0\.1:' '^TCP over IPv6 ' '^UDP .*127\.0\.0\.1:' \
    '^Unix stream .*/stream ' '^Unix datagram .*/datagram ' '^Unix seqpacket .*/seqpacket ' \
    "^abstract .* @sock99.* knock, knock - who's there? .* us$" '^[67] kinds of sockets opened'
}

test_tcp() {
  until serve tcp_server.lua $((port = port + 1)) 2; do
    expect tcp_server.lua 'Address already in use'
  done
  run tcp_client.lua localhost "$port" 'good morning' || broken tcp_client.lua
  expect tcp_client.lua '^good morning$'
  run open.c 127.0.0.1 "$port" 'good night' || broken open.c
  expect open.c '^good night$'
  served tcp_server.lua
  expect tcp_server.lua '^client 1: 13 bytes echoed$' '^client 2: 11 bytes echoed$'
  run tcp_client.lua 127.0.0.1 "$port" && fail 'tcp_client.lua: connected to nobody'
  expect tcp_client.lua 'Connection refused' 'is the server running?'
}

test_unix_server() {
  path=$tmp/hello.sock
  serve unix_server.lua "$path" || broken unix_server.lua
  run open.c "$path" world || broken open.c
  expect open.c '^hello, world$'
  served unix_server.lua
  expect unix_server.lua "^listening on $path, mode 0660$" '^greeted world$'
  [ ! -e "$path" ] || fail "unix_server.lua leaves $path"
}

test_udp_pair() {
  run_on_a_port udp_pair.lua
  expect udp_pair.lua '^server: "what is the time?" from 127\.0\.0\.1$' \
    '^client: "[0-9:]*"$' '^client: Connection refused$'
}

test_options() {
  run_on_a_port options.lua
  expect options.lua '^two descriptors on one port$' '^recv:.*temporarily unavailable' \
    '^without reuseport:.*Address already in use' "^raised:.*did you mean 'reuseport'" \
    "^raised:.*'rcvtimeo'.*got string"
}


# names NAME: a hundred openings at once in one event loop, then one refused.
names() {
  hundred=$(yes localhost | head -n 100)
  until serve tcp_server.lua $((port = port + 1)) 100; do
    expect tcp_server.lua 'Address already in use'
  done
  # shellcheck disable=SC2086 # a hundred words
  run "$1" "$port" $hundred || broken "$1"
  expect "$1" '^100 of 100 connected$'
  served tcp_server.lua
  run "$1" "$port" localhost || broken "$1"
  expect "$1" '^localhost.*Connection refused$\|^connect .*Connection refused$' '^0 of 1 connected$'
}

test_names() {
  names names_poll.lua
  names names.c
  for library in cqueues luv; do
    if "$interpreter" -e "require '$library'" 2>/dev/null; then
      names "names_$library.lua"
    else
      echo "# skip: names_$library.lua on Lua $lua: no $library"
      [ -e "$tmp/names_$library.lua" ] || : >"$tmp/names_$library.lua"
    fi
  done
}


for program in open.c names.c; do
  ${CC:-cc} -std=c99 -Wall -Wextra -pedantic -Werror -Iinclude -o "$tmp/$program.program" \
    "examples/$program" "$build/libsocket99.a" -pthread
done

luas=
for lua in ${LUAS:-5.1 5.2 5.3 5.4 5.5 jit}; do
  [ -e "$build/$lua/sock99.so" ] || continue
  interpreter=$(scripts/find-lua interpreter "$lua") || continue
  "$interpreter" -e 'require "posix.sys.socket"' 2>/dev/null || continue
  luas="$luas $lua"
  test_tour
  test_tcp
  test_unix_server
  test_udp_pair
  test_options
  test_names
done
if [ -z "$luas" ]; then
  echo 'skipped: no Lua that was built for has luaposix'
  exit 77
fi

for example in examples/*; do
  name=${example#examples/}
  [ -e "$tmp/$name" ] || fail "$name is run by no test"
  [ "$name" = tour.lua ] || [ "$(wc -l <"$example")" -le 40 ] || fail "$name has over 40 lines"
done
