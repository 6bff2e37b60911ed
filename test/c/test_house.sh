#!/bin/sh
# scripts/house.lua, which `scripts/check house` runs, lets a house stand whose calls
# run down, and names the path of one that runs up or comes back to where it began.

set -eu
cc=${CC:-cc}
house=$PWD/scripts/house.lua
for version in 5.4 5.3 5.2 5.1 jit 5.5; do
  lua=$(scripts/find-lua interpreter $version) && break
done
if [ -z "$lua" ] || ! command -v nm >/dev/null; then
  echo 'skipped: there is no Lua, or no nm'
  exit 77
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
failed=0

# room FILE: a file of src/, from standard input, and its object.
room() {
  case $1 in
  socket99/*) object=build/obj/private/${1%.c}.o ;;
  *) object=build/obj/5.4/${1%.c}.o ;;
  esac
  mkdir -p "$(dirname "src/$1")" "$(dirname "$object")"
  cat >"src/$1"
  $cc -fPIC -fvisibility=hidden -c -o "$object" "src/$1"
}

# A sound house: a table of functions at the top, calls and data on the way down.
build_house() {
  rm -rf src build
  room socket99/empty.c <<'C'
typedef int nothing;
C
  room socket99/address.c <<'C'
const int s99_family = 4;
int s99_address(void) { return s99_family; }
C
  room socket99/open.c <<'C'
int s99_address(void);
int s99_open(void) { return s99_address(); }
C
  room sock99/values/config.c <<'C'
int s99_open(void);
int sock99_config(void) { return s99_open(); }
C
  room sock99/objects/wait.c <<'C'
int sock99_wait(void) { return 0; }
C
  room sock99/methods/stream.c <<'C'
int sock99_wait(void);
extern const int s99_family;
int sock99_receive(void) { return sock99_wait() + s99_family; }
C
  room sock99/methods/class.c <<'C'
int sock99_receive(void);
int (*const sock99_methods[])(void) = { sock99_receive };
C
  room sock99/module.c <<'C'
extern int (*const sock99_methods[])(void);
int sock99_config(void);
int luaopen_sock99(void) { return sock99_methods[0]() + sock99_config(); }
C
}

# expect LABEL STATUS OUTPUT [OPTION]
expect() {
  label=$1 wanted=$2 output=$3 status=0
  shift 3
  said=$("$lua" "$house" "$@" build 5.4 2>&1) || status=$?
  if [ $status -ne "$wanted" ] || [ "$said" != "$output" ]; then
    printf 'failed: %s: status %s:\n%s\n' "$label" $status "$said"
    failed=1
  fi
}

build_house
expect 'calls that run down' 0 ''
expect 'the graph' 0 'src/sock99/
  module.c         sock99/methods/class.c sock99/values/config.c

src/sock99/methods/
  class.c          stream.c
  stream.c         sock99/objects/wait.c socket99/address.c

src/sock99/objects/
  wait.c

src/sock99/values/
  config.c         socket99/open.c

src/socket99/
  open.c           address.c
  address.c
  empty.c' --graph

room sock99/values/config.c <<'C'
int sock99_wait(void);
int sock99_config(void) { return sock99_wait(); }
C
expect 'a call that runs up' 1 'up: sock99/values/config.c -> sock99/objects/wait.c (sock99_wait)'

build_house
room socket99/address.c <<'C'
int luaopen_sock99(void);
const int s99_family = 4;
int s99_address(void) { return luaopen_sock99(); }
C
expect 'the library calls the module' 1 \
  'up: socket99/address.c -> sock99/module.c (luaopen_sock99)'

build_house
room sock99/objects/wait.c <<'C'
extern int (*const sock99_methods[])(void);
int sock99_wait(void) { return sock99_methods[0] != 0; }
C
expect 'a table that is used from below' 1 \
  'up: sock99/objects/wait.c -> sock99/methods/class.c (sock99_methods)'

build_house
room sock99/methods/stream.c <<'C'
int sock99_fill(void), sock99_flush(void);
int sock99_receive(void) { return sock99_fill() + sock99_flush(); }
C
room sock99/methods/unix.c <<'C'
extern int (*const sock99_methods[])(void);
int sock99_fill(void) { return sock99_methods[0] != 0; }
int sock99_flush(void) { return 0; }
C
expect 'a circle within a folder' 1 'circle: sock99/methods/class.c
    -> sock99/methods/stream.c (sock99_receive)
    -> sock99/methods/unix.c (sock99_fill, sock99_flush)
    -> sock99/methods/class.c (sock99_methods)'

build_house
room socket99/race.c <<'C'
int s99_open(void);
int s99_race(void) { return s99_open(); }
C
room socket99/open.c <<'C'
int s99_race(void), s99_first(void);
int s99_open(void) { return s99_race() + s99_first(); }
C
room socket99/attempt.c <<'C'
int s99_open(void);
int s99_first(void) { return s99_open(); }
C
expect 'two circles with a file in common' 1 'circle: socket99/attempt.c
    -> socket99/open.c (s99_open)
    -> socket99/attempt.c (s99_first)
circle: socket99/open.c
    -> socket99/race.c (s99_race)
    -> socket99/open.c (s99_open)'

build_house
room sock99/cellar/config.c <<'C'
int sock99_config(void);
int sock99_cellar(void) { return sock99_config(); }
C
expect 'a folder that has no floor' 1 \
  'src/sock99/cellar/config.c: its folder has no floor in scripts/house.lua'

build_house
rm build/obj/5.4/sock99/objects/wait.o
expect 'a file that was not compiled' 1 'build/obj/5.4/sock99/objects/wait.o is not there'

exit $failed
