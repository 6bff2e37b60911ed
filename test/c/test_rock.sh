#!/bin/sh
# The rock: its lists of sources and Lua files are the tree's; `luarocks make`
# builds it offline into an empty tree, and what is there can be required and
# exports luaopen_sock99 and luaopen_sock99_kinds alone.
# The definitions for editors are where they hide nothing.

set -eu
rockspec=$PWD/rockspecs/luasock99-1.0.0-1.rockspec
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

grep -oE '"(src/[^"]*\.c|lua/[^"]*\.lua)"' "$rockspec" | tr -d '"' | sort >"$tmp/listed"
printf '%s\n' src/socket99/*.c src/sock99/*.c src/sock99/*/*.c lua/sock99/*.lua lua/sock99/*/*.lua |
  sort >"$tmp/there"
if ! diff "$tmp/listed" "$tmp/there"; then
  echo 'the rockspec does not list what is in src/ and lua/'
  exit 1
fi

if ! command -v luarocks >/dev/null; then
  echo 'skipped: no luarocks'
  exit 77
fi

# luarocks puts objects beside their sources, and a cache into HOME.
cp -R include src rockspecs scripts lua doc library "$tmp"
cd "$tmp"
unset LUA_PATH LUA_CPATH MAKEFLAGS
export HOME="$tmp"
version=$(luarocks config lua_version)
lua=$(luarocks config lua_interpreter)
# As SECURITY.md says: luarocks has compiler's flags of its own, ours go in their place.
luarocks make --tree="$tmp/tree" \
  CFLAGS='-O2 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2' \
  LIBFLAG='-shared -Wl,-z,relro -Wl,-z,now' "rockspecs/$(basename "$rockspec")"

definitions=$(luarocks --tree="$tmp/tree" show --rock-dir luasock99)/library/sock99.lua
if [ ! -f "$definitions" ]; then
  echo "there is no $definitions"
  exit 1
fi

cd /
LUA_PATH="$tmp/tree/share/lua/$version/?.lua" LUA_CPATH="$tmp/tree/lib/lua/$version/?.so" \
  "$lua" -e 'assert(require("sock99").open, "no sock99.open")
    assert(require("sock99.install").tcp, "no sock99.luasocket")
    assert(require("socket").bind, "no substitute of socket.lua")'

exported=$(nm -D --defined-only "$tmp/tree/lib/lua/$version/sock99.so" | awk '{ print $3 }' | xargs)
if [ "$exported" != 'luaopen_sock99 luaopen_sock99_kinds' ]; then
  echo "sock99.so exports: $exported"
  exit 1
fi

[ "$(uname -s)" = Linux ] || exit 0
# luarocks writes in where it found Lua.
"$tmp/scripts/hardened" "$tmp/tree/lib/lua/$version/sock99.so" >"$tmp/told" || true
if grep -v ': RPATH$' "$tmp/told"; then
  exit 1
fi
