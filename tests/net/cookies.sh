#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: `syn_cookies: true` of an http listener. SYNs are answered before they reach the stack, with
# cookies that it takes back from real clients, IPv4 and IPv6; always, during a flood alone, or never, as
# the host's sysctl says. No worker is left out, connections stay while it is switched on and off, and a
# daemon that is started anew goes on with it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-http.sh
. "$(dirname "$0")/lib-http.sh"

REQUESTS=200
FLOOD=4000
QUEUE=32 # connections that may be half open

config() { http_config 1 1 | sed "s/rule_order:.*/&\n    syn_cookies: $1/"; }

# cookies WHAT: how many the balancer's stack has Sent itself, or taken back (Recv).
cookies() { on "$BALANCER" nstat -asz "TcpExtSyncookies$1" | awk '$1 ~ /^Tcp/ { print $2 }'; }
setting() { on "$BALANCER" sysctl -qw "$@"; }

# requests VIP: so many, each on a connection of its own. Prints how many were answered.
requests() {
	on client bash -c 'for ((i = 0; i < '$REQUESTS'; i++)); do
		curl -s -m 5 -o /dev/null -w "%{http_code}\n" "http://'"$1"'/"; done' | grep -cx 200 || true
}

# compare WHAT: of $REQUESTS requests, are all answered; the cookies taken back and those that the stack
# sent are in $TAKEN and $OWN.
compare() {
	local taken own answered
	taken=$(cookies Recv) own=$(cookies Sent)
	answered=$(requests "$2")
	TAKEN=$(($(cookies Recv) - taken)) OWN=$(($(cookies Sent) - own))
	check "$1: $answered of $REQUESTS answered" test "$answered" = $REQUESTS
}

lab_up
ip -n "$LAB-lb" route add 198.18.0.0/15 via 10.77.0.2 # where the flood seems to come from
setting net.core.somaxconn=$QUEUE net.ipv4.tcp_syncookies=2
config true >"$LAB_DIR/on.yaml"
config false >"$LAB_DIR/off.yaml"

daemon_start "$LAB_DIR/on.yaml"
check "show listeners names it" bash -c \
	"[[ \$(nsenter --net=/run/netns/$LAB-lb $WEIR -N $LAB show listeners) == *'SYN cookies'* ]]"
for vip in $VIP4 "[$VIP6]"; do
	compare "always, $vip" "$vip"
	check "always, $vip: each by a cookie ($TAKEN)" test "$TAKEN" = $REQUESTS
	check "always, $vip: none of them is the stack's own ($OWN)" test "$OWN" = 0
done

# Each worker is given connections: they are as many as open descriptors come.
count=$(workers | wc -l)
held() { for pid in $(workers); do find "/proc/$pid/fd" -lname 'socket:*' | wc -l; done; }
before=$(held | sort -n | head -n 1)
spawn "$LAB_DIR/slow" client "$ROOT/tests/peer/slow.py" $VIP4 80 $REQUESTS 0 0
slow=$SPAWNED
all_held() { (($(held | awk '{ sum += $1 } END { print sum }') >= REQUESTS)); }
check "so many connections at a time" wait_for all_held 10
least=$(held | sort -n | head -n 1)
check "each of $count workers has its share of them (the least: $((least - before)))" \
	test $((least - before)) -gt $((REQUESTS / count / 3))
kill "$slow" && wait "$slow" || true

check "apply without it" weir apply "$LAB_DIR/off.yaml"
compare "switched off" $VIP4
check "switched off: the stack sends its own ($OWN, $TAKEN taken)" test "$OWN" -ge $REQUESTS
check "apply with it" weir apply "$LAB_DIR/on.yaml"

setting net.ipv4.tcp_syncookies=0
compare "never" $VIP4
check "never: no cookie ($TAKEN)" test "$TAKEN" = 0

setting net.ipv4.tcp_syncookies=1
compare "in peace" $VIP4
check "in peace: no cookie ($TAKEN)" test "$TAKEN" = 0
spawn "$LAB_DIR/syns" client "$ROOT/tests/peer/syns.py" $VIP4 80 $FLOOD
wait "$SPAWNED"
compare "in a flood" $VIP4
check "in a flood: by cookies ($TAKEN)" test "$TAKEN" -gt $((REQUESTS / 2))
check "in a flood: none of them is the stack's own ($OWN)" test "$OWN" = 0

setting net.ipv4.tcp_syncookies=2
daemon_stop
daemon_start "$LAB_DIR/on.yaml"
compare "after a restart" $VIP4
check "after a restart: each by a cookie ($TAKEN), none of the stack's own ($OWN)" \
	test "$TAKEN $OWN" = "$REQUESTS 0"
