#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: in nat mode IPv4 clients reach endpoints that have IPv6 only, and the reverse: every share is
# within 2 points of its weight at the client, and bulk traffic passes both ways with right
# checksums and in packets of full size — native and generic XDP, TCP and UDP.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

lab_up
bulk_start
{
	echo "version: 1"
	echo "interfaces: [eth0]"
	echo "listeners:"
	lab_listener_apart web tcp 80 50 30 20
	lab_listener_apart names udp 53 50 30 20
	lab_listener_apart bulk tcp 5201 1
} >"$LAB_DIR/weir.yaml"
for xdp in native generic; do
	daemon_start "$LAB_DIR/weir.yaml" $xdp
	check "$xdp: attached" xdp_attached $xdp
	cell_shares "$xdp" 50 30 20
	check "$xdp: an IPv4 client is seen as the balancer, IPv6" \
		test "$(seen_as $VIP4)" = "$(lb_address 6)"
	check "$xdp: an IPv6 client is seen as the balancer, IPv4" \
		test "$(seen_as $VIP6)" = "$(lb_address 4)"
	bulk_check "$xdp"
	daemon_stop
	check "$xdp: weir down" weir down
done
check "no bad checksum" test "$(bad_checksums)" = 0
