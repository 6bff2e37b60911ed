#!/bin/sh
# Every call of the product to the system fails in every way, with one Lua;
# `make faults` does it with each.

set -u
cd "$(dirname "$0")/../.." || exit 1
if ! getconf GNU_LIBC_VERSION >/dev/null 2>&1; then
  echo 'skipped: the injector is for glibc'
  exit 77
fi
if [ -n "${RUNNER:-}" ]; then
  echo 'skipped: the injector and the RUNNER do not go together'
  exit 77
fi
for lua in 5.3 5.4 5.2 5.1 5.5 jit; do
  [ -e "${BUILD:-build}/$lua/faults.so" ] || continue
  scripts/find-lua interpreter "$lua" >/dev/null || continue
  export LUAS=$lua FAULTS_BRIEF=1
  exec test/faults/run
done
echo 'skipped: built for no Lua that is here'
exit 77
