#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: a source that opens connections faster than new_flows_per_source is held to that pace while
# another is served as ever. `allow` and `deny` decide who reaches a listener, in both families and modes; while they
# change under load no request of a client that stays allowed fails, and a client that is no longer
# allowed is cut off at once, its connections included.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

CHANGES=30

# config MODE 'ACLS' ACCESS: `web` with that access, and `lines` for whoever comes.
config() {
	echo "version: 1"
	echo "interfaces: [eth0]"
	echo "acls: $2"
	echo "listeners:"
	lab_listener web tcp 80 "$1" 50 30 20 | sed "/mode:/a\\    $3"
	lab_listener held tcp 53 "$1" 50 30 20 | sed "/mode:/a\\    $3"
}

# get ADDRESS VIP: who answers a request from that address
get() { on client curl -s -m 3 --interface "$1" "http://$2/"; }
let_in() { [[ $(get "$1" "$2") == ep? ]]; }
kept_out() { ! get "$1" "$2"; }
denied() { weir show drops web -j | jq '.[] | select(.listener == "web" and .reason == "acl_denied").packets'; }

friends='[{ name: friends, prefixes: [10.77.0.0/27, 203.0.113.0/24] },
  { name: friends6, prefixes: ["fd77::/120", "2001:db8::/32"] }]'
strangers='[{ name: strangers, prefixes: [198.51.100.0/24, 10.77.0.66] },
  { name: strangers6, prefixes: ["fd77::66", "2001:db8::/32"] }]'
friends=${friends//$'\n'/ } strangers=${strangers//$'\n'/ }

lab_up --dsr
# Deprecated: the client uses them only where it is told to.
ip -n "$LAB-client" -batch - <<-END
	address add 10.77.0.66/24 dev eth0
	address add fd77::1:66/64 dev eth0 nodad preferred_lft 0
	address add fd77::66/64 dev eth0 nodad preferred_lft 0
END
for mode in nat dsr; do
	config $mode "$friends" "allow: [friends, friends6]" >"$LAB_DIR/allow.yaml"
	config $mode "$strangers" "deny: [strangers, strangers6]" >"$LAB_DIR/deny.yaml"
	config $mode "$strangers" "vip: route" >"$LAB_DIR/open.yaml"

	daemon_start "$LAB_DIR/allow.yaml"
	check "$mode, allow: who is in a list is let in" let_in 10.77.0.2 $VIP4
	check "$mode, allow: ... IPv6" let_in fd77::2 "[$VIP6]"
	check "$mode, allow: who is in none is kept out" kept_out 10.77.0.66 $VIP4
	check "$mode, allow: ... IPv6" kept_out fd77::1:66 "[$VIP6]"
	check "$mode: the drops are counted for the listener" test "$(denied)" -gt 0
	check "$mode: show names the lists" bash -c \
		"[[ \$(nsenter --net=/run/netns/$LAB-lb $WEIR -N $LAB show listeners) == *'allow friends, friends6'* ]]"
	check "$mode: apply of deny" weir apply "$LAB_DIR/deny.yaml"
	check "$mode, deny: who is in none is let in" let_in 10.77.0.2 $VIP4
	check "$mode, deny: ... IPv6" let_in fd77::1:66 "[$VIP6]"
	check "$mode, deny: who is in a list is kept out" kept_out 10.77.0.66 $VIP4
	check "$mode, deny: ... IPv6" kept_out fd77::66 "[$VIP6]"

	# ---- changes under load ----
	fresh_ports tcp $VIP4 200
	hold_start "held-$mode" --tcp --to $VIP4 53 --flows 200 --interval 20 --source-ports "$PORTS"
	fresh_ports tcp $VIP6 20000
	spawn "$LAB_DIR/load.json" client "$BUILD/tests/peer/flows" count --http --to $VIP6 80 \
		--connections 8000 --rate 1000 --source-ports "$PORTS" --seconds 40
	load=$SPAWNED
	for ((i = 1; i <= CHANGES; i++)); do
		((i % 3)) && next=allow || next=deny
		# Another list each time, so that another tree has to be written.
		sed "s/203.0.113.0.24/203.0.113.$i, 203.0.112.0\/24/; s/198.51.100.0.24/198.51.100.$i/
			s/2001:db8::.32/2001:db8:$i::\/48/" "$LAB_DIR/$next.yaml" >"$LAB_DIR/next.yaml"
		weir apply "$LAB_DIR/next.yaml" >/dev/null || fail "$mode: change $i"
	done
	wait_for "! kill -0 $load" 40 || fail "$mode: the load does not end"
	run=$(tail -n 1 "$LAB_DIR/load.json")
	check "$mode: $CHANGES changes, 8000 requests of an allowed client, 0 failed: $run" \
		jq -en --argjson r "$run" '$r.failed == 0'
	hold_check "held-$mode"

	# ---- a source over its limit, beside one that is not ----
	config $mode "$strangers" "new_flows_per_source: 20/s burst 60" >"$LAB_DIR/limit.yaml"
	check "$mode: a limit of 20 flows per second and source" weir apply "$LAB_DIR/limit.yaml"
	spawn "$LAB_DIR/greedy.json" client "$BUILD/tests/peer/flows" count --http --to $VIP4 80 \
		--connections 2000 --rate 400 --timeout 500 --seconds 5 --source-ports 1024-9999
	greedy=$SPAWNED
	sleep 1
	served=0
	for ((i = 0; i < 40; i++)); do
		! let_in 10.77.0.66 $VIP4 || served=$((served + 1))
		sleep 0.05
	done
	wait_for "! kill -0 $greedy" 20 || fail "$mode: the greedy source does not end"
	run=$(tail -n 1 "$LAB_DIR/greedy.json")
	check "$mode: the other source is served: $served of 40" test $served = 40
	# 60 at once and 20 per second; a second more, for a slow machine.
	check "$mode: the greedy one is held to its pace: $run" jq -en --argjson r "$run" \
		'$r.connections - $r.failed | . >= 100 and . <= 60 + 20 * ($r.seconds + 1)'
	check "$mode: ... and counted" bash -c \
		"nsenter --net=/run/netns/$LAB-lb $WEIR -N $LAB show drops web -j |
			jq -e '.[] | select(.listener == \"web\" and .reason == \"source_limited\").packets > 100'"

	# ---- cut off at once ----
	check "$mode: open to all" weir apply "$LAB_DIR/open.yaml"
	spawn "$LAB_DIR/bulk.out" client curl -s --limit-rate 2M --interface 10.77.0.66 -o /dev/null \
		-w '%{size_download}' -m 60 "http://$VIP4/big"
	bulk=$SPAWNED
	sleep 1
	check "$mode: deny again" weir apply "$LAB_DIR/deny.yaml"
	before=$(denied)
	sleep 1.5
	check "$mode: packets of the connection are dropped" test "$(denied)" -gt "$before"
	kill "$bulk"
	daemon_stop
	check "$mode: weir down" weir down
done
