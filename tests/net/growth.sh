#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: a data plane grows under load and nobody notices. From 3 to 303 listeners by `weir apply`,
# then further with the daemon killed on the way: connections go on, old and new, the counters too,
# and the pins are where people look for them — nat and dsr, native and generic.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# config MODE COUNT: web, names and lines, and so many others on one address.
config() {
	local i
	lab_config "$1" 50 30 20
	lab_listener lines tcp 53 "$1" 50 30 20
	for ((i = 0; i < $2; i++)); do
		cat <<-END
			  - { name: x$i, protocol: tcp, address: 10.77.0.101, port: $((20000 + i)), mode: $1,
			      endpoint_groups: [{ name: main, endpoints: ["$(endpoint_address ep1 4)${3-}"] }] }
		END
	done
}

# room: entries of the map of listeners, by the path that people know.
room() { bpftool -j map show pinned "/sys/fs/bpf/$LAB/listener_info" | jq .max_entries; }

# packets: of web, by `weir stats`.
packets() { weir -j stats | jq '.[] | select(.listener == "web").packets'; }

# one_set: whatever happened, one set of pins is left, and every name leads into it.
one_set() {
	local pin
	[[ $(ls -d "/sys/fs/bpf/$LAB"/set-* | wc -l) == 1 ]] || return 1
	for pin in "/sys/fs/bpf/$LAB"/*; do [[ -e $pin ]] || return 1; done
}

links() {
	local pin
	for pin in /sys/fs/bpf/"$LAB"/link-*; do bpftool -j link show pinned "$pin" | jq .id; done
}

lab_up --dsr
for mode in nat dsr; do
	port=:80
	how=native
	if [[ $mode == dsr ]]; then
		port=
		how=generic
	fi
	config $mode 0 >"$LAB_DIR/weir.yaml"
	daemon_start "$LAB_DIR/weir.yaml" $how
	for vip in $VIP4 $VIP6; do
		fresh_ports tcp "$vip" 200
		hold_start "$mode-tcp-$vip" --tcp --to "$vip" 53 --flows 200 --interval 50 \
			--source-ports "$PORTS"
		fresh_ports udp "$vip" 200
		hold_start "$mode-udp-$vip" --udp --to "$vip" 53 --flows 200 --interval 50 \
			--source-ports "$PORTS"
	done
	fresh_ports tcp $VIP6 8000
	flows_start "new-$mode" count --http --to $VIP6 80 --connections 8000 --rate 800 \
		--source-ports "$PORTS"

	links=$(links)
	before=$(room)
	counted=$(packets)
	config $mode 300 $port >"$LAB_DIR/weir.yaml"
	check "$mode: weir apply of 300 listeners more" weir apply
	check "$mode: the maps have grown" test "$(room)" -gt "$before"
	check "$mode: the same links" test "$(links)" = "$links"
	check "$mode: one set of pins" one_set
	check "$mode: the counters go on" test "$(packets)" -gt "$counted"
	if [[ $mode == nat ]]; then
		check "$mode: the last of them answers" \
			on client curl -sf -m 5 http://10.77.0.101:20299/
	fi

	before=$(room)
	counted=$(packets)
	config $mode 1000 $port >"$LAB_DIR/weir.yaml"
	weir apply >"$LAB_DIR/apply.log" 2>&1 &
	apply=$!
	sleep "0.$((RANDOM % 7))$((RANDOM % 10))"
	daemon_kill9
	wait $apply || true
	check "$mode: killed on the way: weir stats" weir stats
	daemon_start "$LAB_DIR/weir.yaml" $how
	check "$mode: ... the next daemon makes the maps grow" test "$(room)" -gt "$before"
	check "$mode: ... the same links" test "$(links)" = "$links"
	check "$mode: ... one set of pins" one_set
	check "$mode: ... the counters go on" test "$(packets)" -ge "$counted"

	new_flows_check "$mode: new connections all the while" "new-$mode"
	for vip in $VIP4 $VIP6; do
		hold_check "$mode-tcp-$vip"
		hold_check "$mode-udp-$vip"
	done
	daemon_stop
	check "$mode: weir down" weir down
done
