#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: request_timeout, idle_timeout and upgrade_idle_timeout of an http listener are what ends a wait,
# and each its own: who keeps others waiting is told apart (408, 504), an upgraded connection may be
# silent, and no answer is cut short because its client takes the last of it late.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

PEER=$ROOT/tests/peer/patience.py
REQUEST=5 IDLE=1 UPGRADE=9

lab_up
{
	printf 'version: 1\ninterfaces: [eth0]\nlisteners:\n'
	for way in copy splice; do
		cat <<-END
			  - name: $way
			    protocol: http
			    address: $VIP4
			    port: $([[ $way == copy ]] && echo 80 || echo 81)
			    tunnel: $way
			    request_timeout: ${REQUEST}s
			    idle_timeout: ${IDLE}s
			    upgrade_idle_timeout: ${UPGRADE}s
			    endpoint_groups: [{ name: main, endpoints: ["$(endpoint_address ep1 4):9000"] }]
		END
	done
} >"$LAB_DIR/weir.yaml"
spawn "$LAB_DIR/peer.log" ep1 python3 "$PEER" serve 9000
wait_for "on ep1 ss -Htln sport = :9000 | grep -q LISTEN" 10 || die "no endpoint"
daemon_start "$LAB_DIR/weir.yaml"
for port in 80 81; do
	on client timeout 120 python3 "$PEER" run $VIP4 $port $REQUEST $IDLE $UPGRADE || fail "some of it by port $port"
done
# Of the cases: no answer, a body not taken, half an answer, an upgraded one; a body not sent, half of
# both, an answer not taken.
for way in copy splice; do
	check "$way: who was late is told apart" wait_for "weir -j stats $way |
		jq -e '.[0].http.ends | .endpoint_timeout == 4 and .client_timeout == 3'" 5
done
