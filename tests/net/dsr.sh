#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: in dsr mode every share is within 2 points of its weight at the client, endpoints see the
# client's own address and answer it directly, and bulk traffic passes both ways — native and
# generic XDP, one and two arms, IPv4 and IPv6, TCP and UDP.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

client4=10.77.0.2
client6=fd77::2
for arms in one two; do
	if [[ $arms == two ]]; then lab_up --dsr --two-arm; else lab_up --dsr; fi
	bulk_start
	{
		lab_config dsr 50 30 20
		lab_listener bulk tcp 5201 dsr 1
	} >"$LAB_DIR/weir.yaml"
	for xdp in native generic; do
		daemon_start "$LAB_DIR/weir.yaml" $xdp
		check "$arms-arm $xdp: attached" xdp_attached $xdp
		cell_shares "$arms-arm $xdp" 50 30 20
		check "$arms-arm $xdp: an endpoint sees the client, IPv4" \
			test "$(seen_as $VIP4)" = $client4
		check "$arms-arm $xdp: an endpoint sees the client, IPv6" \
			test "$(seen_as $VIP6)" = $client6
		bulk_check "$arms-arm $xdp"
		daemon_stop
		check "$arms-arm $xdp: weir down" weir down
	done
	check "$arms-arm: no bad checksum" test "$(bad_checksums)" = 0
	lab_down
done
