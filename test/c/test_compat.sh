#!/bin/sh
# A program for socket99 0.2.2 compiles without a warning, as strictly as each
# compiler here can, with the standards of then and of now.

set -eu
warnings='-pedantic -Wall -Wextra -Werror'
program=test/c/test_compat.c
compiled=0

for compiler in gcc clang musl-gcc; do
  command -v $compiler >/dev/null || continue
  # cmocka belongs to the system's own C library.
  [ $compiler != musl-gcc ] || program=include/socket99.h
  for standard in c99 c11 gnu99 gnu17; do
    # shellcheck disable=SC2086 # flags
    $compiler -Iinclude -std=$standard $warnings -fsyntax-only -x c $program || {
      echo "failed: $compiler -std=$standard $warnings"
      exit 1
    }
    compiled=$((compiled + 1))
  done
done

[ $compiled -gt 0 ] || {
  echo 'skipped: neither gcc nor clang is here'
  exit 77
}
