#!/bin/sh
# Openings in a network of their own: two namespaces, joined by one cable.
#
# The programs of test/network/ run at the near end. At the far end are
# addresses that answer on port 7001 and refuse on all others. A neighbour entry
# with a MAC that nobody has makes an address that swallows packets. Names and their
# addresses are in the table below; the name server, which far_end.c describes, is
# silent about all but those of its own.
# ONLY=race: that program alone.

set -eu
near=s99near$$
far=s99far$$
build=${BUILD:-build}
tmp=$(mktemp -d)
server=

skip() {
  echo "skipped: $*"
  exit 77
}

# shellcheck disable=SC2317 # the trap calls it
clean_up() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  for name in $near $far; do
    ip netns del "$name" 2>/dev/null || true
    rm -rf "/etc/netns/$name"
  done
  rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

[ -z "${RUNNER:-}" ] || skip 'under a runner, times say nothing'
command -v ip >/dev/null || skip 'there is no ip(8)'
ip netns add "$near" 2>"$tmp/why" || skip "no network namespaces: $(cat "$tmp/why")"

find_lua() {
  for version in ${LUAS:-5.3 5.1 5.2 5.4 5.5 jit}; do
    [ -e "$build/$version/sock99.so" ] || continue
    if scripts/with-lua "$version" -e 'require "posix.poll" require "luaunit"' 2>/dev/null; then
      echo "$version"
      return
    fi
  done
}
lua=$(find_lua)


# The cable

dead_mac=02:00:00:00:00:66
far_mac=02:00:00:00:00:02

ip netns add "$far"
ip -n "$near" link add cable type veth peer name cable address $far_mac netns "$far" ||
  skip 'no veth'
for name in $near $far; do
  ip netns exec "$name" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 || skip 'no IPv6'
  ip -n "$name" link set lo up
  ip -n "$name" link set cable up
done

# Our address is near the dead ones, so that these come first (RFC 6724, rule 9).
ip -n "$near" addr add 10.9.0.65/24 dev cable
ip -n "$near" addr add fd09::65/64 dev cable nodad
for last in 2 71 72; do
  ip -n "$far" addr add 10.9.0.$last/24 dev cable
done
ip -n "$far" addr add fd09::2/64 dev cable nodad

# A source that does not match puts this one after IPv4 (rule 5).
ip -n "$far" addr add 2001:db8:9::2/64 dev cable nodad
ip -n "$near" route add 2001:db8:9::/64 via fd09::2

for last in 66 67; do
  ip -n "$near" neigh add 10.9.0.$last lladdr $dead_mac dev cable
  ip -n "$near" neigh add fd09::$last lladdr $dead_mac dev cable
done

dead=$(seq 98 127)
for last in $dead; do
  ip -n "$near" neigh add "10.9.0.$last" lladdr $dead_mac dev cable
done

# fd09::70 and 10.9.0.71 are dead at the near end until their entries are corrected.
ip -n "$far" addr add fd09::70/64 dev cable nodad

# Unreachable: 10.9.1.1 at once, 10.9.0.200 when nobody answered for 60 ms.
ip -n "$near" route add unreachable 10.9.1.0/24
ip netns exec "$near" sysctl -qw net.ipv4.neigh.cable.retrans_time_ms=20

mkdir -p "/etc/netns/$near"
cat >"/etc/netns/$near/resolv.conf" <<'CONF'
nameserver 10.9.0.2
options timeout:2 attempts:1
CONF
echo 'hosts: files dns' >"/etc/netns/$near/nsswitch.conf"
cat >"/etc/netns/$near/hosts" <<'HOSTS'
fd09::66        dead6-alive4
10.9.0.2        dead6-alive4
10.9.0.66       dead4-alive6
2001:db8:9::2   dead4-alive6
fd09::66        three-dead
10.9.0.66       three-dead
10.9.0.67       three-dead
10.9.0.2        three-dead
fd09::66        families
fd09::67        families
10.9.0.2        families
fd09::66        all-dead
10.9.0.66       all-dead
10.9.0.67       all-dead
fd09::2         alive
10.9.0.2        alive
10.9.0.2        unreachable-last
10.9.1.1        unreachable-last
fd09::2         unreachable-later
10.9.0.200       unreachable-later
10.9.0.200       unreachable
10.9.1.1        unreachable
fd09::70        late6-dead4
10.9.0.66       late6-dead4
fd09::70        late6-refused4
10.9.0.72       late6-refused4
10.9.0.66       dead4-alive4
10.9.0.2        dead4-alive4
10.9.0.71       late-refusal4-alive4
10.9.0.2        late-refusal4-alive4
10.9.0.2        thirty-dead
HOSTS
for last in $dead; do
  echo "10.9.0.$last       thirty-dead" >>"/etc/netns/$near/hosts"
done


# The far end

ip netns exec "$far" "$build/test/network/far_end" 10.9.0.2 fd09::2 2001:db8:9::2 fd09::70 \
  >"$tmp/server.log" 2>&1 &
server=$!
patience=100
until grep -qs ready "$tmp/server.log" || [ $((patience = patience - 1)) -eq 0 ]; do
  sleep 0.1
done
grep -q ready "$tmp/server.log" || {
  cat "$tmp/server.log"
  exit 1
}


# The near end. `revive ADDRESS` corrects its neighbour entry, `bury` undoes that.

cat >"$tmp/revive" <<SH
#!/bin/sh
exec ip neigh replace "\$1" lladdr $far_mac dev cable
SH
cat >"$tmp/bury" <<SH
#!/bin/sh
exec ip neigh replace "\$1" lladdr $dead_mac dev cable
SH
chmod +x "$tmp/revive" "$tmp/bury"
export PATH="$tmp:$PATH" TMP_DIR="$tmp"

status=0
# Ahead of whatever else the machine does: times are asserted. A program that
# fails has a second try, since a busy machine can miss 50 ms once.
near() {
  ip netns exec "$near" nice -n -20 "$@" && return
  echo "# a second try: $*"
  ip netns exec "$near" nice -n -20 "$@" || status=1
}

for program in test/network/test_*"${ONLY:-}"*; do
  case $program in
  *.c)
    near "$build/${program%.c}"
    ;;
  *.lua)
    if [ -n "$lua" ]; then
      near scripts/with-lua "$lua" "$program" -o tap
    else
      echo "$program: no Lua here has sock99, luaposix and luaunit"
    fi
    ;;
  esac
done
exit $status
