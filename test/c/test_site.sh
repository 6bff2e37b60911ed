#!/bin/sh
# The site that `make doc` writes is whole: test/site/check.lua says what that is.

set -eu
for tool in ldoc mandoc; do
  if ! command -v $tool >/dev/null; then
    echo "skipped: there is no $tool"
    exit 77
  fi
done
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT

scripts/build-doc "$site"
for version in 5.4 5.3 5.2 5.1 jit 5.5; do
  if lua=$(scripts/find-lua interpreter $version); then
    "$lua" test/site/check.lua "$site"
    exit
  fi
done
echo 'skipped: there is no Lua'
exit 77
