#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: kill -9 of the daemon at random moments of an apply (KILLS of them, 40 unless said). What is
# in force then is the old configuration or the new one, never a mixture; the next daemon has the
# one of its file, with maps, programs and pins just as a daemon that was never killed has them;
# nothing is left over. Connections that there are, and new ones all the while, do not notice.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

KILLS=${KILLS:-40}
export -f instance on weir
export BALANCER LAB WEIR VIP4 VIP6
export IDLE_TIMEOUT=5
lab_up --dsr
CONFIG=$LAB_DIR/weir.yaml

{
	echo 'acls: [{ name: four, prefixes: [0.0.0.0/1, 128.0.0.0/1] }, { name: six, prefixes: "::/0" }]'
	lab_config nat 50 30 20
	lab_listener lines tcp 53 dsr 50 30 20
} >"$LAB_DIR/a.yaml"
# Other weights, ports, access, an endpoint less, a listener more: every map has something to change.
{
	echo 'acls: [{ name: four, prefixes: 0.0.0.0/0 }, { name: six, prefixes: ["::/1", "8000::/1"] }]'
	lab_config nat 20 30 50 | sed -e '/port: 80/a\    allow: [four, six]' -e '/port: 53/,$s/.*name: ep1,.*//'
	lab_listener lines tcp 53,55 dsr 10 30 60
	lab_listener more tcp 8080 nat 1 1 1
} | sed '/^ *$/d' >"$LAB_DIR/b.yaml"

# What packets go by: the cells and tables in force.
cells() {
	weir show listeners -j | jq -S 'map({ listener, addresses, ports, mode, client_affinity,
		ip4: .ipv4.digest, ip6: .ipv6.digest })'
}
# ... and what people see.
picture() {
	cells
	weir show endpoints -j | jq -S 'map([.listener, .group, .endpoint, .address, .weight, .want])'
}
sets() { find "/sys/fs/bpf/$LAB" -maxdepth 1 -name 'set-*' | wc -l; }

daemon_start "$LAB_DIR/a.yaml"
for file in b a; do
	weir apply "$LAB_DIR/$file.yaml" >/dev/null
	cells >"$LAB_DIR/cells-$file"
	picture >"$LAB_DIR/picture-$file"
done
check "the two differ" bash -c "! cmp $LAB_DIR/cells-a $LAB_DIR/cells-b"

# ---- load: connections that are held, and 200 new ones a second ----
fresh_ports tcp $VIP6 100
hold_start held --tcp --to $VIP6 53 --flows 100 --interval 50 --seconds $((100 + 10 * KILLS)) --source-ports "$PORTS"
# loop NAME ARGS...: `flows count` again and again; a line of JSON each
loop() {
	# shellcheck disable=SC2016 # the inner shell's
	spawn "$LAB_DIR/loop-$1.json" client sh -c \
		'until [ -e "$0" ]; do "$@" || exit; done' "$LAB_DIR/stop" "$BUILD/tests/peer/flows" \
		count --rate 100 --connections 200 "${@:2}"
	LOOPS+=("$SPAWNED")
}
LOOPS=()
loop nat --http --to $VIP4 80 --source-ports 1024-20000
loop dsr --tcp --to $VIP4 53 --source-ports 20001-39999

# ---- kills ----
began=$(date +%s%N)
weir apply "$LAB_DIR/b.yaml" >/dev/null
span=$((($(date +%s%N) - began) / 1000000 + 10)) # ms
weir apply "$LAB_DIR/a.yaml" >/dev/null
now=a mixed=0 old=0 new=0 wrong=0 drifted=0 left=0
for ((i = 0; i < KILLS; i++)); do
	[[ $now == a ]] && next=b || next=a
	weir apply "$LAB_DIR/$next.yaml" >/dev/null 2>&1 &
	apply=$!
	sleep "$(printf '0.%03d' $((RANDOM % span)))"
	daemon_kill9
	wait $apply || true
	cells >"$LAB_DIR/cells"
	if cmp -s "$LAB_DIR/cells" "$LAB_DIR/cells-$now"; then
		old=$((old + 1))
	elif cmp -s "$LAB_DIR/cells" "$LAB_DIR/cells-$next"; then
		new=$((new + 1))
		now=$next
	else
		mixed=$((mixed + 1))
		diff "$LAB_DIR/cells" "$LAB_DIR/cells-$now" | head -20 || true
	fi
	daemon_start "$LAB_DIR/$now.yaml"
	picture >"$LAB_DIR/picture"
	cmp -s "$LAB_DIR/picture" "$LAB_DIR/picture-$now" || wrong=$((wrong + 1))
	weir plan --exit-code >"$LAB_DIR/plan" || { drifted=$((drifted + 1)); cat "$LAB_DIR/plan"; }
	(($(sets) == 1)) || left=$((left + 1))
done
check "$KILLS kills: $old times the old one was in force, $new times the new one, never a mixture" \
	test $mixed -eq 0
check "... both of them came up" test $old -gt 0 -a $new -gt 0
check "the next daemon has its file's in force" test $wrong -eq 0
check "... whole: maps, programs and pins" test $drifted -eq 0
check "... and nothing else is there" test $left -eq 0

touch "$LAB_DIR/stop"
wait "${LOOPS[@]}" || true
for name in nat dsr; do
	sum=$(jq -s '{ connections: (map(.connections) | add), failed: (map(.failed) | add) }' "$LAB_DIR/loop-$name.json")
	check "$name: $(jq -r .connections <<<"$sum") new connections meanwhile, none failed" \
		jq -en --argjson s "$sum" '$s.failed == 0 and $s.connections > 200'
done
hold_check held
check "weir down" weir down
DAEMON=
