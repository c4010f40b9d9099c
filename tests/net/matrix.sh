#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: TCP in bulk, both ways, and UDP at a steady rate pass every mode without an error and with
# right checksums — native and generic XDP, IPv4 and IPv6, one and two arms, all modes at once in
# one configuration, packets of full size.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

MODES=(nat dsr ipip gue) # mode I has port 5200 + I, at the listener and at ep1's iperf3
RATE=8M         # of UDP, bit/s

port_of() {
	local i
	for i in "${!MODES[@]}"; do
		[[ ${MODES[i]} != "$1" ]] || echo $((5200 + i))
	done
}

# server_start PORT [ADDRESS]: which only its address tells from another of the same port. An
# endpoint that answers clients itself has to do so as the VIP.
server_start() {
	local port=$1 address=${2-}
	spawn "$LAB_DIR/iperf3-$port$address.log" ep1 iperf3 -s -p "$port" ${address:+-B "$address"}
	wait_for "on ep1 ss -Htln sport = :$port | grep -qF '${address:-*}'" 5 ||
		die "iperf3 does not listen on $port"
}

servers_start() {
	local mode port vip
	for mode in "${MODES[@]}"; do
		port=$(port_of "$mode")
		if [[ $mode == nat ]]; then
			server_start "$port"
		else
			for vip in $VIP4 $VIP6; do server_start "$port" "$vip"; done
		fi
	done
}

configuration() {
	local mode
	echo "version: 1"
	echo "interfaces: [eth0${LAB_TWO_ARM:+, eth1}]"
	echo "listeners:"
	for mode in "${MODES[@]}"; do
		lab_listener "$mode-tcp" tcp "$(port_of "$mode")" "$mode" 1 # also iperf3's control
		lab_listener "$mode-udp" udp "$(port_of "$mode")" "$mode" 1
	done
}

# bulk_one FILE ARGS...: iperf3's JSON into a file, without the warning before it that large
# datagrams may be fragmented. A server may be busy for a moment with the end of the run before.
bulk_one() {
	local file=$1 _
	shift
	for _ in {1..25}; do
		on client timeout 30 iperf3 -J -t 1 "$@" 2>&1 | sed -n '/^{/,$p' >"$file" || true
		grep -q 'server is busy' "$file" || return 0
		sleep 0.2
	done
}

# bulk_run NAME VIP ARGS...: iperf3 through all modes at once; the results in $LAB_DIR/NAME-MODE.
bulk_run() {
	local name=$1 vip=$2 mode pids=()
	shift 2
	for mode in "${MODES[@]}"; do
		bulk_one "$LAB_DIR/$name-$mode" -c "$vip" -p "$(port_of "$mode")" "$@" &
		pids+=($!)
	done
	wait "${pids[@]}" || true # the results tell
}

# What a receiver's full socket buffer threw away is no loss of weir's.
overflowed() {
	local node
	for node in client ep1; do
		on "$node" nstat -asz UdpRcvbufErrors Udp6RcvbufErrors
	done | awk '$1 ~ /RcvbufErrors$/ { sum += $2 } END { print sum + 0 }'
}

# bulk_tcp WHAT VIP: a second up, a second down. How much passes is the machine's business, but a
# connection that loses packets of full size gets stuck before the first megabyte.
bulk_tcp() {
	local mode name
	bulk_run up "$2"
	bulk_run down "$2" -R
	for mode in "${MODES[@]}"; do
		for name in up down; do
			check "$1 $mode tcp $name" jq -e \
				'.error == null and .end.sum_received.bytes > 1000000' "$LAB_DIR/$name-$mode"
		done
	done
}

# bulk_udp WHAT VIP: a second up, a second down, in datagrams that fill the MTU.
bulk_udp() {
	local mode name before payload=1472
	[[ $2 != *:* ]] || payload=1452
	before=$(overflowed)
	bulk_run up "$2" -u -b $RATE -l $payload
	bulk_run down "$2" -u -b $RATE -l $payload -R
	for mode in "${MODES[@]}"; do
		for name in up down; do
			check "$1 $mode udp $name" jq -e --argjson overflowed $(($(overflowed) - before)) \
				'.error == null and .end.sum.packets > 500
					and .end.sum.lost_packets <= $overflowed' "$LAB_DIR/$name-$mode"
		done
	done
}

nothing_dropped() {
	weir show drops
	weir -j show drops | jq -e 'map(select(.kind == "drop" or .kind == "answer") | .packets) | add == 0'
}

for arms in one two; do
	if [[ $arms == two ]]; then lab_up --tunnel --two-arm; else lab_up --tunnel; fi
	servers_start
	configuration >"$LAB_DIR/weir.yaml"
	for xdp in native generic; do
		decap_start $xdp
		daemon_start "$LAB_DIR/weir.yaml" $xdp
		check "$arms-arm $xdp: attached" xdp_attached $xdp
		for vip in $VIP4 $VIP6; do
			bulk_tcp "$arms-arm $xdp $vip" "$vip"
			bulk_udp "$arms-arm $xdp $vip" "$vip"
		done
		check "$arms-arm $xdp: nothing dropped" nothing_dropped
		daemon_stop
		check "$arms-arm $xdp: weir down" weir down
	done
	check "$arms-arm: no bad checksum" test "$(bad_checksums)" = 0
	lab_down
done
