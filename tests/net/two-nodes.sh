#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: two balancers run the same file and share nothing. When the clients' packets take the way
# over the second, flows of modes without a flow table go on where they were, whatever weights the
# first one had in force before; nat flows end with the balancer that knew them, TCP with a reset;
# new ones work in every mode. And so it is on the way back.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

MODES=(nat dsr ipip gue) # mode I has TCP and UDP port 5300 + I
HELD=50
export IDLE_TIMEOUT=2

configuration() {
	local i
	echo "version: 1"
	echo "interfaces: [eth0]"
	echo "listeners:"
	for i in "${!MODES[@]}"; do
		lab_listener "${MODES[i]}-tcp" tcp $((5300 + i)) "${MODES[i]}" 50 30 20
		lab_listener "${MODES[i]}-udp" udp $((5300 + i)) "${MODES[i]}" 50 30 20
	done
}

servers_start() {
	local node i ports=()
	for i in "${!MODES[@]}"; do ports+=(--tcp $((5300 + i)) --udp $((5300 + i))); done
	for node in "${ENDPOINTS[@]}"; do
		spawn "$LAB_DIR/$node/lines.log" "$node" "$BUILD/tests/peer/serve" "$node" "${ports[@]}"
	done
}

settled() { ! weir show listeners | grep -qE 'moving|pinned'; }

# for_each_flow COMMAND...: with MODE PROTOCOL VIP PORT.
for_each_flow() {
	local i protocol vip
	for i in "${!MODES[@]}"; do
		for protocol in tcp udp; do
			for vip in $VIP4 $VIP6; do
				"$@" "${MODES[i]}" $protocol "$vip" $((5300 + i))
			done
		done
	done
}

hold() {
	fresh_ports "$2" "$3" $HELD
	hold_start "$1-$2-$3" --"$2" --to "$3" "$4" --flows $HELD --interval 100 --source-ports "$PORTS"
}

# Are they where they were? A nat listener's datagrams find the same table at the other balancer,
# and so their endpoint, but from another address.
stay() {
	if [[ $1 != nat ]]; then
		hold_check "$1-$2-$3"
		return
	fi
	hold_stop "$1-$2-$3"
	if [[ $2 == udp ]]; then
		check "nat-udp-$3: $(jq .moved <<<"$FLOWS") of $HELD moved, all answered" \
			jq -e '.broken == 0' <<<"$FLOWS"
	else
		check "nat-tcp-$3: $(jq .broken <<<"$FLOWS") of $HELD ended with a reset" \
			jq -e ".broken == $HELD" <<<"$FLOWS"
	fi
}

new_ones() {
	count_flows "$2" "$3" "$4" 500
	check "$1-$2-$3: new flows over $BALANCER" jq -e \
		'.failed == 0 and (.endpoints | length) == 3' <<<"$COUNTED"
}

# stateless_packets: how many this balancer has forwarded without a flow table.
stateless_packets() {
	weir -j stats | jq '[.[] | select(.listener | startswith("nat") | not) | .packets] | add'
}

lab_up --tunnel --second
decap_start native
servers_start
configuration >"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"
first=$DAEMON
check "the first: weights for a while" weir set '*/main/ep1*' weight=1
check "the first: and back" weir set '*/main/ep1*' weight=50
BALANCER=lb2
daemon_start "$LAB_DIR/weir.yaml"
BALANCER=lb
check "the first: settled" wait_for settled 10

for next in lb2 lb; do
	for_each_flow hold
	sleep 0.5
	BALANCER=$next
	before=$(stateless_packets)
	way_over $next
	for_each_flow new_ones
	for_each_flow stay
	check "$next: $(($(stateless_packets) - before)) packets came this way" \
		test $(($(stateless_packets) - before)) -gt 5000
done
daemon_stop
DAEMON=$first
daemon_stop
