#!/bin/sh
# The documentation is true: its programs run and print what it says, every name
# that a program may use is in it, and the table of options is the library's own.
#
# test_docs.sh options     prints that table, for doc/options.md

set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
build=${BUILD:-build}
cc=${CC:-cc}

fail() {
  echo "failed: $*" >&2
  exit 1
}

# One line of Markdown for each option.
options() {
  awk '
    BEGIN {
      value["FLAG"] = "boolean"
      value["MULTICAST_LOOP"] = "boolean"
      value["RETOPTS"] = "boolean; bytes on the BSDs"
      value["ACTION"] = "boolean; true does it"
      value["INT"] = "integer"
      value["UINT32"] = "integer, 0 to 4294967295"
      value["UINT64"] = "integer, or 8 bytes; -1: no limit"
      value["TOS"] = value["MULTICAST_TTL"] = "integer, -1 to 255"
      value["LINGER"] = "whole seconds, or false"
      value["TIMEOUT"] = "seconds, or false"
      value["TEXT"] = "string, up to 15 bytes"
      value["STRUCT"] = value["FILTER"] = "bytes"
      value["MULTICAST_IF"] = value["UNICAST_IF"] = "interface"
      value["MEMBER"] = "membership"
      value["SOURCE"] = "membership with a source"
    }
    /^[A-Z0-9]+[(]/ {
      line = $0
      sub(/^[^(]*[(]/, "", line)
      sub(/[)]$/, "", line)
      count = split(line, part, /, */)
      name = kind = constants = ""
      for (i = 1; i <= count; i++) {
        gsub(/^ +| +$/, "", part[i])
        if (part[i] ~ /^"/ && name == "")
          name = part[i]
        else if (part[i] ~ /^"./ && part[i] != "\"\"")
          constants = part[i]
        else if (part[i] ~ /^S99_FORM_/)
          kind = substr(part[i], 10)
        else if (part[i] ~ /^(SO|TCP|UDP|IP|IPV6|MCAST)_[A-Z0-9_]+$/ && part[i + 1] !~ /^S99_NONE$/)
          constants = constants (constants == "" ? "" : ", ") "`" part[i] "`"
      }
      gsub(/"/, "`", name)
      gsub(/"/, "`", constants)
      if (kind == "")
        kind = part[count]
      if (name == "")
        next
      if (!(kind in value) || constants == "") {
        print "cannot read: " $0
        exit 1
      }
      print "| " name " | " constants " | " value[kind] " |"
    }' src/socket99/option_rows.h
}

if [ "${1:-}" = options ]; then
  options
  exit
fi


# The nth block of code in a Markdown file, by its language; empty if there is none.
block() {
  awk -v fence="\`\`\`$2" -v number="$3" '
    inside && /^```$/ { inside = 0 }
    inside && count == number { print }
    $0 == fence { inside = 1; count++ }' "$1"
}

manual_example() {
  awk '/^\.EE/ { p = 0 } p; /^\.EX/ { p = 1 }' doc/socket99.3 | sed 's/\\e/\\/g; s/\\-/-/g'
}

# runs_c LABEL < PROGRAM: it compiles without a warning, and exits with 0.
runs_c() {
  cat >"$tmp/program.c"
  [ -s "$tmp/program.c" ] || fail "$1: no program"
  # shellcheck disable=SC2086 # flags
  $cc -Wall -Wextra -Wpedantic -Werror -Iinclude -o "$tmp/program" "$tmp/program.c" \
    "$build/libsocket99.a" -pthread ${LDLIBS:--ldl} || fail "$1: it does not compile"
  "$tmp/program" >"$tmp/output" || fail "$1: exit status $?"
  says "$1" "$tmp/program.c"
}

# The output is what the program's comments "--> text" or "/* prints: text */" say.
says() {
  sed -n 's/.*--> //p; s|.*/\* prints: \(.*\) \*/.*|\1|p' "$2" >"$tmp/expected"
  [ ! -s "$tmp/expected" ] || diff "$tmp/expected" "$tmp/output" || fail "$1: other output"
}

# The first Lua that is built, can be run, and has cqueues, which an example needs.
usable_lua() {
  for version in ${LUAS:-5.4 5.3 5.2 jit 5.1 5.5}; do
    [ -e "$build/$version/sock99.so" ] || continue
    if scripts/with-lua "$version" -e 'require "cqueues"' 2>/dev/null; then
      echo "$version"
      return
    fi
  done
  return 1
}

runs_lua() {
  cat >"$tmp/program.lua"
  (cd "$tmp" && BUILD=$absolute_build "$root/scripts/with-lua" "$lua" program.lua) \
    >"$tmp/output" 2>&1 || {
    cat "$tmp/output"
    fail "$1: it ends in an error"
  }
  says "$1" "$tmp/program.lua"
}

# Every word of standard input is in the file, between characters of no word.
names_all() {
  while read -r name; do
    grep -Eq "(^|[^A-Za-z0-9_])$name([^A-Za-z0-9_]|\$)" "$1" || fail "$1 does not have $name"
    echo "$name"
  done >"$tmp/named"
  [ "$(wc -l <"$tmp/named")" -ge "$2" ] || fail "too few names found for $1"
}


root=$PWD
absolute_build=$(cd "$build" && pwd)

# Names
sed -n '/field_names\[FIELD_COUNT\]/,/;/p' src/sock99/values/config.c | grep -o '"[a-z0-9_]*"' |
  sed 's/"/`/g' | names_all README.md 17
sed -n '/^static const luaL_Reg functions/,/^};/p' src/sock99/module.c | grep -o '"[a-z]*"' |
  tr -d '"' | sed 's/.*/sock99\\.&/' | names_all README.md 2
sed -n 's/^function [a-z]*:\([a-z]*\)(.*/\1/p' library/sock99.lua | names_all README.md 35
awk '/^SOCKET99_API/' include/socket99.h | grep -o 'socket99_[a-z_]*(' | tr -d '(' |
  names_all doc/socket99.3 11
sed -n '/^enum socket99_status {/,/^};/p; /^enum socket99_kind {/,/^};/p' include/socket99.h |
  grep -o '^  SOCKET99_[A-Z_]*' | names_all doc/socket99.3 16
sed -n '/^typedef struct socket99_config {/,/^} /p; /^typedef struct socket99_result {/,/^} /p' \
  include/socket99.h | sed 's|/\*.*||; s/\[.*\];/;/' | grep -Eo '[A-Za-z_0-9]+;' | tr -d ';' |
  names_all doc/socket99.3 30

# The rooms that know systems and versions of Lua, as doc/architecture.md has them
systems='__(linux|APPLE|sun|GLIBC|BIONIC|CYGWIN|HAIKU|[A-Za-z]+BSD|DragonFly)__|_WIN32'
if grep -nE "$systems" -r src --include='*.[ch]' | grep -Ev '^src/(socket99/(platform|option_table|option_aliases)\.h|socket99/system\.c|sock99/system/system[a-z_]*\.[ch]):'; then
  fail 'a difference between systems outside of platform.h and system.h'
fi
if grep -nE 'LUA_VERSION_NUM|LUAJIT_' -r src --include='*.[ch]' | grep -v '^src/sock99/values/compat.h:'; then
  fail 'a difference between versions of Lua outside of compat.h'
fi

# The table of options
scripts/option-constants | diff src/socket99/option_constants.h - ||
  fail 'src/socket99/option_constants.h: not what scripts/option-constants prints'
options >"$tmp/options" || fail "$(tail -n 1 "$tmp/options")"
[ "$(wc -l <"$tmp/options")" -gt 200 ] || fail 'too few options found'
# An option out of its place is not found, or hides the one beside it.
cut -d '`' -f 2 "$tmp/options" | LC_ALL=C sort -c || fail 'src/socket99/option_rows.h: not sorted'
grep '^| `' doc/options.md | diff - "$tmp/options" ||
  fail 'doc/options.md: not the table that test_docs.sh options prints'

# Programs
if command -v man >/dev/null && man --version >/dev/null 2>&1; then
  warned=$(LC_ALL=C man --warnings -l doc/socket99.3 2>&1 >/dev/null) || true
  [ -z "$warned" ] || fail "man: $warned"
fi
manual_example | runs_c 'the manual page'

# run_blocks LANGUAGE: every block of it in every text; `ran` counts them.
run_blocks() {
  ran=0
  for file in $texts; do
    number=1
    while block "$file" "$1" $number >"$tmp/block" && [ -s "$tmp/block" ]; do
      "runs_$1" "$file, $1, block $number" <"$tmp/block"
      number=$((number + 1))
      ran=$((ran + 1))
    done
  done
}

# What a block of commands makes is a target.
runs_sh() {
  sed -n 's/^make \([^#]*\).*/\1/p' | xargs -n 1 | grep -v = | while read -r target; do
    grep -Eq "^([a-z -]* )?$target:" Makefile || fail "$1: make $target"
  done
}

runs_json() {
  tr -d ' \n' | grep -Eq '^[{]("[a-z.]+":.*)+[}]$' || fail "$1: it is no JSON"
}

texts=$(find . -maxdepth 1 -name '*.md' && find doc -name '*.md')

# Files that the text names, whole paths without a place for a name of one's own.
# shellcheck disable=SC2086 # a list
for file in $(grep -ohE '`(src|lua|test|scripts|bench|examples|library|include|doc)/[a-z0-9_./-]+[a-z]`' $texts |
  tr -d '`' | sort -u); do
  [ -e "$file" ] || fail "$file is named, and there is no such file"
done

# shellcheck disable=SC2086 # a list
other=$(sed -n 's/^```\(..*\)/\1/p' $texts | grep -Evx 'lua|c|sh|json' || true)
[ -z "$other" ] || fail "blocks that nobody runs: $other"
run_blocks c
[ $ran -ge 1 ] || fail 'no example in C'
run_blocks sh
run_blocks json

if ! lua=$(usable_lua); then
  echo 'skipped: the Lua examples, since no Lua that is built has cqueues'
  exit 77
fi
run_blocks lua
[ $ran -ge 3 ] || fail "only $ran examples in Lua"
