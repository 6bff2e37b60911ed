#!/bin/sh
# A thread may be inside a lookup when the library, or the Lua module, is
# unloaded: it comes back to code that is still there. Linked as they are
# here, and without "-z nodelete", as LuaRocks links.

set -eu
build=${BUILD:-build}
cc=${CC:-cc}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

if [ "$(uname -s)" != Linux ]; then
  echo 'skipped: only for Linux, where LD_PRELOAD is'
  exit 77
fi
# For LD_PRELOAD, so a sanitizer's runtime would not be the first library.
if nm -D "$build/libsocket99.so" | grep -Eq '__(asan|tsan)_init'; then
  echo 'skipped: built with a sanitizer'
  exit 77
fi

# The thread comes back once the library was unloaded; the process ends after that.
# Each says so. Who waits for the question sees it in a file, or by a call.
cat >"$tmp/resolver.c" <<'C'
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile int asked, unloaded;

static void pause_ms(long ms) {
  struct timespec left = {0, 0};
  left.tv_nsec = ms * 1000000;
  nanosleep(&left, NULL);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
  (void)name, (void)service, (void)hints, (void)found;
  asked = 1;
  fclose(fopen(getenv("ASKED"), "w"));
  while (!unloaded)
    pause_ms(1);
  asked = 2;
  return EAI_NONAME;
}

void await_question(void) {
  while (asked == 0)
    pause_ms(1);
}

__attribute__((destructor)) static void await_answer(void) {
  if (asked == 0)
    return;
  printf("%s", asked == 1 ? "unloaded meanwhile, " : "too late, ");
  fflush(stdout);
  unloaded = 1;
  while (asked != 2)
    pause_ms(1);
  /* From here it returns to the library. */
  pause_ms(300);
  printf("came back\n");
  fflush(stdout);
}
C

cat >"$tmp/program.c" <<'C'
#include <dlfcn.h>
#include <socket99.h>

void await_question(void);

#define FIND(name) *(void **)&name = dlsym(library, "socket99_" #name)

int main(int count, char **arguments) {
  void *library = dlopen(arguments[count - 1], RTLD_NOW);
  socket99_opening *(*start)(const socket99_config *, socket99_result *);
  bool (*step)(socket99_opening *, socket99_result *);
  void (*cancel)(socket99_opening *);
  socket99_config cfg = {0};
  socket99_result res;
  socket99_opening *opening;
  if (library == NULL)
    return 1;
  FIND(start);
  FIND(step);
  FIND(cancel);
  cfg.host = (char *)"name";
  cfg.port = 1;
  opening = start(&cfg, &res);
  if (opening == NULL || step(opening, &res))
    return 2;
  await_question();
  cancel(opening);
  return dlclose(library);
}
C

cat >"$tmp/program.lua" <<'LUA'
local opening = assert(require 'sock99'.start { host = 'name', port = 1 })
assert(opening:step() == false)
local asked
repeat
  asked = io.open(os.getenv 'ASKED')
until asked
asked:close()
LUA

failed=0
export ASKED="$tmp/asked"

# expect_return LABEL COMMAND…
expect_return() {
  label=$1
  shift
  status=0
  rm -f "$ASKED"
  said=$("$@" 2>&1) || status=$?
  if [ $status -ne 0 ] || [ "$said" != 'unloaded meanwhile, came back' ]; then
    echo "failed: $label: status $status: $said"
    failed=1
  fi
}

$cc -shared -fPIC -o "$tmp/libresolver.so" "$tmp/resolver.c"
$cc -Iinclude -o "$tmp/program" "$tmp/program.c" -L"$tmp" -lresolver -Wl,-rpath,"$tmp" -ldl

$cc -shared -pthread -o "$tmp/libsocket99.so" "$build"/obj/public/socket99/*.o -ldl
expect_return 'the library' "$tmp/program" "$build/libsocket99.so"
expect_return 'the library without nodelete' "$tmp/program" "$tmp/libsocket99.so"
(
  cd "$tmp"
  expect_return 'the library by a relative name' ./program ./libsocket99.so
  exit $failed
) || failed=1

for version in 5.1 5.2 5.3 5.4 5.5 jit; do
  [ -e "$build/$version/sock99.so" ] || continue
  lua=$(scripts/find-lua interpreter $version) || continue
  mkdir -p "$tmp/$version"
  $cc -shared -pthread -o "$tmp/$version/sock99.so" "$build"/obj/private/socket99/*.o \
    "$build/obj/$version"/sock99/*.o "$build/obj/$version"/sock99/*/*.o -ldl
  for directory in "$build" "$tmp"; do
    expect_return "Lua $version, $directory" env LUA_INIT= LUA_CPATH="$directory/$version/?.so" \
      LD_PRELOAD="$tmp/libresolver.so" "$lua" "$tmp/program.lua"
  done
done
exit $failed
