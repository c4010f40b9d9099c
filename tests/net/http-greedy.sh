#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: nobody keeps a worker for himself: neither a client that sends requests, or bytes that nobody
# wants, faster than they are dealt with, nor an endpoint whose interim answers have no end. Others are
# served meanwhile, and what has no end is ended.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

PEER=$ROOT/tests/peer/greedy.py

lab_up
cat >"$LAB_DIR/weir.yaml" <<-CONFIG
	version: 1
	interfaces: [eth0]
	listeners:
	  - name: web
	    protocol: http
	    address: $VIP4
	    port: 80
	    endpoint_groups: [{ name: main, endpoints: ["$(endpoint_address ep1 4):9000"] }]
	    forwarding_rules:
	      - { path: /fixed, fixed_response: { code: 200, body: "enough" } }
CONFIG
spawn "$LAB_DIR/peer.log" ep1 python3 "$PEER" serve 9000
wait_for "on ep1 ss -Htln sport = :9000 | grep -q LISTEN" 10 || die "no endpoint"
daemon_start "$LAB_DIR/weir.yaml"
on client timeout 120 python3 "$PEER" run $VIP4 80 || fail "some of it"
