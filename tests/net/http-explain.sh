#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: with client_affinity `weir explain --http` names the endpoint that a client's requests go to,
# of default groups and of a virtual one, in both families: after another weight, a drain, a death, a
# change of a domain's addresses, with no daemon and with the next one; without affinity it names the
# shares alone.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib-http.sh
. "$(dirname "$0")/lib-http.sh"

CLIENTS=(10.77.0.{30..33} fd77::{30..31})

# config AFFINITY: two default groups, one of which has an endpoint with two addresses, and a virtual
# one.
config() {
	cat <<-END
		version: 1
		interfaces: [eth0]
		nameservers: 10.77.0.2
		listeners:
		  - name: web
		    protocol: http
		    address: [$VIP4, "$VIP6"]
		    port: 80
		    client_affinity: $1
		    endpoint_groups:
		      - name: main
		        health_check: { interval: 1s, threshold: 2 }
		        endpoints:
		          - { name: ep1, address: $(endpoint_address ep1 4), port: 80, weight: 50 }
		          - { name: ep2, address: "$(endpoint_address ep2 6)", port: 80, weight: 100 }
		          - { name: ep3, address: $(endpoint_address ep3 4), port: 80, weight: 3 }
		      - name: api
		        type: virtual
		        endpoints:
		          - { name: ep3, address: $(endpoint_address ep3 4), port: 80, weight: 60 }
		          - { name: named, address: both.example, type: custom_domain, port: 80, weight: 90 }
		    forwarding_rules:
		      - { path: "/v2/*", forward: api }
	END
}

# explained CLIENT PATH: the node of the endpoint that is said to get it: their addresses end alike.
explained() {
	local to=$VIP4
	[[ $1 != fd* ]] || to=[$VIP6]
	weir -j explain "$1" "$to:80" --http "GET $2" -H 'Host: a' |
		jq -r '.http.groups[].endpoints[] | select(.chosen) | "ep" + .address[-1:]'
}

# landed CLIENT PATH: who answers it.
landed() {
	local to=$VIP4
	[[ $1 != fd* ]] || to=[$VIP6]
	on client curl -s -m 5 --interface "$1" "http://$to$2" || echo "nobody: $?"
}

# agree WHAT [ENDPOINTS]: each client's request goes where explain says, to so many endpoints at least;
# every other one's to the virtual group.
agree() {
	local path=/ said got agreed=0 client
	declare -A nodes=()
	for client in "${CLIENTS[@]}"; do
		said=$(explained "$client" "$path")
		got=$(landed "$client" "$path")
		nodes[$got]=1
		if [[ $said == "$got" ]]; then
			agreed=$((agreed + 1))
		else
			echo "$1: $client$path: said ${said:-nobody}, landed on $got"
		fi
		[[ $path == / ]] && path=/v2/x || path=/
	done
	check "$1: $agreed of ${#CLIENTS[@]}, on ${#nodes[@]} endpoints" \
		test $agreed -eq ${#CLIENTS[@]} -a ${#nodes[@]} -ge "${2-2}"
}

# says NODE...: the addresses of both.example from now on.
says() {
	local node
	for node in "$@"; do printf '%s both.example\n' "$(endpoint_address "$node" 4)"; done >"$LAB_DIR/hosts"
	[[ -z ${NAMESERVER-} ]] || kill -HUP "$NAMESERVER"
}
named() { [[ $(weir -j show endpoints web/api/named | jq 'map(select(.weight > 0)) | length') == "$1" ]]; }
ep2_is() { weir -j show checks web/main/ep2 | jq -e --arg state "$1" 'map(.health.state) == [$state]'; }

lab_up
for client in "${CLIENTS[@]}"; do
	if [[ $client == fd* ]]; then
		ip -n "$LAB-client" address add "$client/64" dev eth0 nodad
	else
		ip -n "$LAB-client" address add "$client/24" dev eth0
	fi
done
says ep1 ep2
spawn "$LAB_DIR/dnsmasq.log" client dnsmasq --keep-in-foreground --user=root --pid-file= \
	--conf-file=/dev/null --no-resolv --no-hosts --addn-hosts="$LAB_DIR/hosts" \
	--local=/example/ --local-ttl=1 --bind-interfaces --interface=eth0 --log-facility=-
NAMESERVER=$SPAWNED
wait_for "on client ss -Hlun sport = :53 | grep -q ." 10 || die "dnsmasq does not listen"
config source_ip >"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"

check "the domain has two addresses" wait_for "named 2" 10
agree "both groups" 3
check "... in words" eval "weir explain 10.77.0.30 $VIP4:80 --http 'GET /' -H 'Host: a' |
	grep -Ec '^  endpoint  ep[123], [0-9.]+ % of requests, all of this client.s$' | grep -qx 1"

weir set web/main/ep2 weight=10 >/dev/null
weir set web/api/ep3 weight=10 >/dev/null
agree "after other weights" 3
weir drain web/main/ep3 >/dev/null # which had the smallest one: the table is as large as before
weir drain web/main/ep1 >/dev/null
weir set web/main/ep3 weight=200 >/dev/null
agree "with two drained, and a weight for after the drain"
weir undrain web/main/ep1 >/dev/null
weir undrain web/main/ep3 >/dev/null
agree "after the drains" 3

nginx_stop ep2
check "an endpoint dies" wait_for "ep2_is abnormal" 15
says ep1
check "the domain has one address" wait_for "named 1" 10
agree "without them"

daemon_kill9
agree "without a daemon"
daemon_start "$LAB_DIR/weir.yaml"
agree "with the next daemon"
nginx_start ep2
check "the endpoint is back" wait_for "ep2_is normal" 15
agree "as before its death"

config none >"$LAB_DIR/turns.yaml"
weir apply "$LAB_DIR/turns.yaml" >/dev/null
check "without affinity: nobody is named" test -z "$(explained 10.77.0.30 /)"
check "... but the shares" eval "weir -j explain 10.77.0.30 $VIP4:80 --http 'GET /' -H 'Host: a' |
	jq -e '.http.groups[0].endpoints | map(.share) | add > 0.99'"
