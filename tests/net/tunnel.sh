#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: in modes ipip and gue every share is within 2 points of its weight at the client, endpoints
# of either family serve clients of either family, see the client's own address and answer it
# directly, bulk traffic in packets of full size passes both ways, and no established flow moves
# when weights change — with weir's own decapsulation at the endpoints, native and generic XDP, one
# and two arms, TCP and UDP. The same for a listener whose endpoints have a mode each.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

export IDLE_TIMEOUT=2 # a change settles during the test
CHANGES=12
client4=10.77.0.2
client6=fd77::2

# hold_over_changes PREFIX: flows to `lines` and `names` stay where they are while weights change.
hold_over_changes() {
	local i protocol vip name
	for protocol in tcp udp; do
		for vip in $VIP4 $VIP6; do
			fresh_ports $protocol "$vip" 100
			hold_start "$1-$protocol-$vip" --$protocol --to "$vip" 53 --flows 100 \
				--interval 50 --source-ports "$PORTS"
		done
	done
	fresh_ports tcp $VIP4 100
	hold_start "$1-mixed" --tcp --to $VIP4 54 --flows 100 --interval 50 --source-ports "$PORTS"
	for ((i = 0; i < CHANGES; i++)); do
		weir set "*/main/ep$((i % 3 + 1))*" weight=$((RANDOM % 90 + 10)) >/dev/null
		sleep 0.2
	done
	weir set "*/main/ep1*" weight=50 >/dev/null
	weir set "*/main/ep2*" weight=30 >/dev/null
	weir set "*/main/ep3*" weight=20 >/dev/null
	for name in tcp-$VIP4 tcp-$VIP6 udp-$VIP4 udp-$VIP6 mixed; do hold_check "$1-$name"; done
}

for arms in 'one ipip-native gue-generic' 'two ipip-generic gue-native'; do
	read -r arms first second <<<"$arms"
	if [[ $arms == two ]]; then lab_up --tunnel --two-arm; else lab_up --tunnel; fi
	bulk_start
	for run in "$first" "$second"; do
		mode=${run%-*} xdp=${run#*-} what="$arms-arm $run"
		{
			lab_config "$mode" 50 30 20
			lab_listener lines tcp 53 "$mode" 50 30 20
			lab_listener bulk tcp 5201 "$mode" 1
			lab_listener_mixed mixed tcp 8080 nat ipip gue
			lab_listener_mixed mixed-lines tcp 54 nat ipip gue
		} >"$LAB_DIR/weir.yaml"
		decap_start "$xdp"
		daemon_start "$LAB_DIR/weir.yaml" "$xdp"
		check "$what: attached" xdp_attached "$xdp"
		cell_shares "$what" 50 30 20
		count_flows http $VIP4 8080 10000 && share_check "$what mixed modes" "$COUNTED" 50 30 20
		check "$what: an endpoint sees the client, IPv4" test "$(seen_as $VIP4)" = $client4
		check "$what: an endpoint sees the client, IPv6" test "$(seen_as $VIP6)" = $client6
		bulk_check "$what"
		hold_over_changes "$run"
		check "$what: packets came in a tunnel" test "$(decap_count "$mode")" -gt 80000
		for reason in truncated bad_header internal source inner_not_local; do
			check "$what: none $reason" test "$(decap_count $reason)" = 0
		done
		daemon_stop
		check "$what: weir down" weir down
		for node in "${ENDPOINTS[@]}"; do
			check "$what: $node detached" endpoint_weir "$node" detach --decap eth0
			check "$what: $node has no pins left" test ! -e "/sys/fs/bpf/$LAB-$node-decap"
		done
	done
	check "$arms-arm: no bad checksum" test "$(bad_checksums)" = 0
	lab_down
done
