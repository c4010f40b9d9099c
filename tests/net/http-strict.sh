#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: nothing ambiguous passes, in either direction. What could be read in two ways is refused and
# never reaches an endpoint, whole or in parts; what an endpoint gets wrong never reaches a client, and
# its connection serves nobody else; interim and bodiless answers, upgrades, Expect, retries and the
# fields of one connection are what RFC 9110 and 9112 say. The endpoint tells what it was sent.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

PEER=$ROOT/tests/peer/strict.py

lab_up
cat >"$LAB_DIR/weir.yaml" <<END
version: 1
interfaces: [eth0]
listeners:
  - name: strict
    protocol: http
    address: [$VIP4, "$VIP6"]
    port: 80
    endpoint_groups:
      - { name: main, endpoints: ["$(endpoint_address ep1 4):9000"] }
END
spawn "$LAB_DIR/ep1/peer.log" ep1 python3 "$PEER" serve 9000
wait_for "on client curl -sf 'http://$(endpoint_address ep1 4):9000/seen'" 10 || die "no endpoint"
daemon_start "$LAB_DIR/weir.yaml"
for vip in $VIP4 $VIP6; do
	on client timeout 120 python3 "$PEER" run "$vip" 80 "$(endpoint_address ep1 4)" 9000 ||
		fail "some of it by $vip"
done
