#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: what the kernel routes (kernel_routing) is answered as the worker would have answered it: weights
# hold, all is counted, and whatever is not plain, of a request, of an answer or of either end, comes to
# the worker with nothing lost, doubled or out of order; changes, drains, endpoints that restart,
# a daemon that is killed and takeovers cost no request; nothing is left behind.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib-http.sh
. "$(dirname "$0")/lib-http.sh"

PEER=$ROOT/tests/peer/routed.py

# config [WEIGHT of ep2] [LISTENER'S KEYS]
config() {
	cat <<-END
		version: 1
		interfaces: [eth0]
		listeners:
		  - name: web
		    protocol: http
		    address: [$VIP4, "$VIP6"]
		    port: 80
		    kernel_routing: true
		    ${2-rule_order: priority}
		    endpoint_groups:
		      - name: main
		        endpoints:
		          - { name: ep1, address: $(endpoint_address ep1 4), port: 80 }
		          - { name: ep2, address: $(endpoint_address ep2 4), port: 80, weight: ${1-200} }
		      - name: v2
		        type: virtual
		        endpoints: [{ name: ep3, address: $(endpoint_address ep3 4), port: 80 }]
		    forwarding_rules:
		      - { name: by-path, host: api.example.com, path: "/v2/*", forward: v2 }
		      - { name: adds, host: adds.example.com, forward: main, add_header: { X-Rule: "1" } }
		      - { name: moved, host: old.example.com, redirect: { url: "https://new.example.com/" } }
		  - name: odd
		    protocol: http
		    address: $VIP4
		    port: 90
		    kernel_routing: true
		    idle_timeout: 2s
		    request_timeout: 2s
		    head_limit: 4096
		    endpoint_groups: [{ name: main, endpoints: ["$(endpoint_address ep1 4):9000"] }]
		  - name: patient
		    protocol: http
		    address: $VIP4
		    port: 91
		    kernel_routing: true
		    endpoint_groups: [{ name: main, endpoints: ["$(endpoint_address ep1 4):9000"] }]
	END
}

# routed LISTENER: how many requests the kernel has.
routed() { weir -j stats "$1" | jq '.[0].http.routed'; }
# sums: is each request in one class, of one endpoint, with a time, and done?
sums() {
	weir -j stats web | jq -e '.[0] | .http as $all | ($all.answers | add) == $all.requests
		and ([.endpoints[].http.requests] | add) == $all.requests
		and $all.ends.done == $all.requests and ([$all.took[].requests] | add) == $all.requests
		and $all.in_flight == 0' >/dev/null
}

lab_up
config >"$LAB_DIR/weir.yaml"
spawn "$LAB_DIR/peer.log" ep1 python3 "$PEER" serve 9000
wait_for "on ep1 ss -Htln sport = :9000 | grep -q LISTEN" 10 || die "no endpoint"
check "the file says what is missing in the end" grep -q 'warning: .*X-Forwarded-For' \
	<(weir check "$LAB_DIR/weir.yaml" 2>&1)
daemon_start "$LAB_DIR/weir.yaml"

# ---- plain ones ----
ask() { on client curl -s -m 5 -w ' %{http_code}\n' "${@}"; }
urls=()
for ((i = 0; i < 60; i++)); do urls+=("http://$VIP4/"); done
check "60 requests of a connection are answered" test "$(ask "${urls[@]}" | grep -cE '^ep[12]$')" = 60
check "... most of them by the kernel" wait_for '(($(routed web) >= 40))' 5
on client h2load --h1 -c8 -n3000 "http://$VIP4/" >"$LAB_DIR/h2load.out"
check "3000 requests, all answered" grep -q '3000 succeeded, 0 failed' "$LAB_DIR/h2load.out"
check "... most of them by the kernel" wait_for '(($(routed web) >= 2700))' 5
check "weights 1:2 hold within two points" jq -e '(.[0].got - 1 / 3 | fabs) < 0.02' \
	<<<"$(weir -j show endpoints web/main)"
check "each is counted once: class, endpoint, end and time" wait_for sums 5

before=$(routed web)
on client h2load --h1 -c4 -n400 -H ':authority: api.example.com' "http://$VIP4/v2/x" >"$LAB_DIR/h2load.out"
check "a rule's requests go to its group, too" wait_for \
	"[[ \$(weir -j show endpoints web/v2 | jq .[0].flows) == 400 ]]" 5
check "... by the kernel" wait_for "((\$(routed web) - before >= 300))" 5
check "... and are counted of the rule" wait_for \
	"[[ \$(weir -j show rules web | jq '.[] | select(.rule == \"by-path\").requests') == 400 ]]" 5

before=$(routed web)
on client h2load --h1 -c4 -n200 -H ':authority: adds.example.com' "http://$VIP4/" >"$LAB_DIR/h2load.out"
check "what a rule adds is the worker's" wait_for sums 5
check "... all of it" test "$(routed web)" = "$before"
check "a redirect stays one" grep -q " 30[0-9]$" <(ask -o /dev/null -H 'Host: old.example.com' "http://$VIP4/")

# ---- all the others ----
while read -r line; do
	name=$(jq -r .case <<<"$line") why=$(jq -r '.why // ""' <<<"$line")
	if [[ -z $why ]]; then ok "$name"; else fail "$name: $why"; fi
done < <(on client timeout 300 python3 "$PEER" ask $VIP4 90)
check "the kernel has had those connections" test "$(routed odd)" -gt 300

# ---- nobody reads ----
spawn "$LAB_DIR/patient.log" client python3 "$PEER" patient $VIP4 91 20000
wait_for "grep -q sent $LAB_DIR/patient.log" 30
queued=$(on lb ss -tnmH 'sport = :91 or dport = :9000' | sed -nE 's/.*skmem:\(r([0-9]+),.*,w([0-9]+),.*/\1\n\2/p' |
	awk '{ sum += $1 } END { print sum + 0 }')
check "a client that asks 20000 times and does not read holds $((queued >> 10)) KiB of the balancer's" \
	test "$queued" -le $((1 << 20))
check "... and then gets all its answers, in order" wait_for "grep -qx 20000 $LAB_DIR/patient.log" 60

# ---- under load ----
apply() { config "$@" >"$LAB_DIR/weir.yaml" && weir apply "$LAB_DIR/weir.yaml" >"$LAB_DIR/apply.log" 2>&1; }
load_start
before=$(routed web)
for weight in 100 255 0 200; do
	apply $weight || fail "apply $weight: $(cat "$LAB_DIR/apply.log")"
	sleep 0.5
done
weir drain web/main/ep1 >/dev/null
sleep 1.2
served=$(weir -j show endpoints web/main/ep1 | jq .[0].flows)
sleep 1
check "an endpoint that is drained gets nothing, by the kernel neither" \
	test "$(weir -j show endpoints web/main/ep1 | jq .[0].flows)" = "$served"
weir undrain web/main/ep1 >/dev/null
for node in ep1 ep2; do
	nginx_stop $node
	sleep 0.5
	nginx_start $node
	sleep 0.5
done
daemon_kill9
sleep 0.5
daemon_start "$LAB_DIR/weir.yaml"
sleep 1
apply 100 || fail "apply to the next daemon: $(cat "$LAB_DIR/apply.log")"
load_check "changes, a drain, endpoints that restart, a daemon killed and the next one"
check "... most of them by the kernel" wait_for '(($(routed web) - before > 5000))' 5

check "nothing is left: no connection of a client" wait_for "[[ -z \$(on lb ss -tnH 'sport = :80 or sport = :90 or sport = :91') ]]" 20
check "... and those to endpoints go, too" wait_for "[[ -z \$(on lb ss -tnH 'dport = :80 or dport = :9000') ]]" 40

# ---- what cannot be ----
config 200 "client_affinity: source_ip" >"$LAB_DIR/bad.yaml"
check "affinity and kernel_routing are refused" grep -q 'error: the kernel routes requests of all clients alike' \
	<(weir check "$LAB_DIR/bad.yaml" 2>&1)
{ config && echo "access_log: $LAB_DIR/log"; } >"$LAB_DIR/bad.yaml"
check "... and an access log" grep -q 'error: requests that the kernel routes would be missing' \
	<(weir check "$LAB_DIR/bad.yaml" 2>&1)
