#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: in nat mode every share is within 2 points of its weight at the client, and bulk traffic
# passes both ways with right checksums — native and generic XDP, one and two arms, IPv4 and IPv6,
# TCP and UDP.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# Of an endpoint, as `weir check` says.
flows_possible() {
	on "$BALANCER" "$WEIR" check "$LAB_DIR/weir.yaml" | sed -n 's/^  bulk: \([0-9]*\) flows .*/\1/p'
}

# From 1024 on, without the kernel's own: nobody listens in this namespace.
ports_free() {
	on "$BALANCER" cat /proc/sys/net/ipv4/ip_local_port_range | awk '{ print 65536 - 1024 - ($2 - $1 + 1) }'
}

for arms in one two; do
	if [[ $arms == two ]]; then lab_up --two-arm; else lab_up; fi
	bulk_start
	{
		lab_config nat 50 30 20
		lab_listener bulk tcp 5201 nat 1
	} >"$LAB_DIR/weir.yaml"
	for xdp in native generic; do
		daemon_start "$LAB_DIR/weir.yaml" $xdp
		check "$arms-arm $xdp: attached" xdp_attached $xdp
		check "$arms-arm $xdp: as many flows as ports" test "$(flows_possible)" = "$(ports_free)"
		cell_shares "$arms-arm $xdp" 50 30 20
		check "$arms-arm $xdp: an endpoint sees the balancer, IPv4" \
			test "$(seen_as $VIP4)" = "$(lb_address 4)"
		check "$arms-arm $xdp: an endpoint sees the balancer, IPv6" \
			test "$(seen_as $VIP6)" = "$(lb_address 6)"
		bulk_check "$arms-arm $xdp"
		daemon_stop
		check "$arms-arm $xdp: weir down" weir down
	done
	check "$arms-arm: no bad checksum" test "$(bad_checksums)" = 0
	lab_down
done
