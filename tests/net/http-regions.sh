#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: requests of clients of three prefixes go to the default group that is near to each, by IPv4 and
# IPv6 and by the address that the PROXY protocol tells, as `weir explain` says, and rules to virtual
# groups as ever; a region's nearest group fails, is drained, and returns for its clients alone; the
# file changes under load, and no request fails; what was known outlives the daemon and the file; who
# does not ask where clients are has nothing of it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib-http.sh
. "$(dirname "$0")/lib-http.sh"

# Of the client: in the near region, in the far one, and in one that is far but has no group.
NEAR4=10.77.0.101 FAR4=10.77.0.102 THIRD4=10.77.0.130 NEAR6=fd77::101 FAR6=fd77::102

# listener NAME PORT [LINE]: ep1 and ep2 are in eu-west-1, ep3 in us-east-1; ep2 is a virtual group's,
# too.
listener() {
	cat <<-END
		  - name: $1
		    protocol: http
		    address: [$VIP4, "$VIP6"]
		    port: $2
		    ${3-}
		    endpoint_groups:
		      - name: near
		        region: eu-west-1
		        health_check: { protocol: tcp, port: 80, interval: 1s, threshold: 2 }
		        endpoints:
		          - { name: ep1, address: $(endpoint_address ep1 4), port: 80 }
		          - { name: ep2, address: "$(endpoint_address ep2 6)", port: 80 }
		      - name: far
		        region: us-east-1
		        health_check: { protocol: tcp, port: 80, interval: 1s, threshold: 2 }
		        endpoints: [{ name: ep3, address: $(endpoint_address ep3 4), port: 80 }]
		      - name: api
		        type: virtual
		        endpoints: [{ name: ep2, address: $(endpoint_address ep2 4), port: 80 }]
		    forwarding_rules:
		      - { path: "/v2/*", forward: api }
		      - { path: "/far/*", forward: far }
	END
}

# config [LINE]: what says where clients are; none unless said.
config() {
	cat <<-END
		version: 1
		node: { region: eu-central-1 }
		interfaces: [eth0]
		regions:
		  - { name: eu-west-1, latency: 20ms }
		  - { name: us-east-1, latency: 85ms }
		  - { name: us-west-1, latency: 140ms, latencies: [{ region: us-east-1, latency: 10ms }] }
		${1-}
		listeners:
	END
	listener web 80
	listener told 81 'proxy_protocol_in: { from: [10.77.0.2, "fd77::2"] }'
}

# tell NEAR-REGION FAR-REGION [LINE]: where clients are.
tell() {
	printf '%s %s\n' $NEAR4 "$1" $FAR4/32 "$2" 10.77.0.128/30 us-west-1 fd77::100/127 "$1" $FAR6 "$2" \
		${3-} >"$LAB_DIR/clients.new"
	mv "$LAB_DIR/clients.new" "$LAB_DIR/clients"
}

# who SOURCE [PATH]: the nodes that answer two dozen requests of one connection, "ep1 ep2".
who() {
	local vip=$VIP4
	[[ $1 != *:* ]] || vip=\\[$VIP6\\]
	{ on client curl -s -m 10 --interface "$1" "http://$vip${2-/}[1-24]" || echo "error $?"; } |
		sort -u | paste -sd' '
}
# who_is SOURCE NODES [PATH]
who_is() {
	local nodes
	nodes=$(who "$1" "${3-/}")
	echo "$1 reaches $nodes"
	[[ $nodes == "$2" ]]
}

# explained CLIENT PATH FILTER: what is said of its request.
explained() {
	local to=$VIP4
	[[ $1 != *:* ]] || to=[$VIP6]
	weir -j explain "$1" "$to:80" --http "GET $2" -H 'Host: a' | jq -ec ".http | $3"
}

# said_of CLIENT REGION NODES: explain has it in the region, all its requests at these endpoints.
said_of() {
	local answer
	answer=$(explained "$1" / '[.region, ([.groups[].endpoints[] | select(.share > 0)] |
		(map(.endpoint) | sort | join(" ")), (map(.share) | add * 100 | round))]')
	echo "explain says of $1: $answer"
	[[ $answer == "[$2,\"$3\",100]" ]]
}

# said_all WHAT: explain agrees with near_and_far.
said_all() {
	check "$1: explain: near" said_of $NEAR4 '"eu-west-1"' "ep1 ep2"
	check "$1: explain: far" said_of $FAR4 '"us-east-1"' ep3
	check "$1: explain: nearer to the far one" said_of $THIRD4 '"us-west-1"' ep3
	check "$1: explain: far, IPv6" said_of $FAR6 '"us-east-1"' ep3
	check "$1: explain: in no region" said_of 10.77.0.2 null "ep1 ep2"
}

near_and_far() {
	check "$1: near, IPv4" who_is $NEAR4 "ep1 ep2"
	check "$1: far, IPv4" who_is $FAR4 ep3
	check "$1: in a region without a group, nearer to the far one" who_is $THIRD4 ep3
	check "$1: near, IPv6" who_is $NEAR6 "ep1 ep2"
	check "$1: far, IPv6" who_is $FAR6 ep3
	check "$1: in no region, as near as the node" who_is 10.77.0.2 "ep1 ep2"
}

# told_by VIP FAMILY SOURCE: who answers a client whose address the PROXY protocol tells.
told_by() {
	printf 'PROXY %s %s %s 1 2\r\nGET / HTTP/1.0\r\n\r\n' "$2" "$3" "$3" |
		on client timeout 10 bash -c "exec 3<>/dev/tcp/$1/81; cat >&3; tail -n 1 <&3"
}

# Requests that the workers have sent to an endpoint.
requests() { weir -j stats "web/*/$1" | jq '[.. | objects | select(.endpoint? == "'"$1"'") | .http.requests] | add'; }

said() { grep -q "$1" "$DAEMON_LOG"; }
state_of() { weir -j show groups "web/$1" | jq -r '.[0].state'; }
clients_of() { weir -j show groups "web/$1" | jq -r '.[0].clients_of | join(" ")'; }
# Have workers a copy of where clients are?
workers_know() {
	local pid
	for pid in $(workers); do
		grep -q 'memfd:weir-whereabouts' "/proc/$pid/maps" || return 1
	done
}

lab_up
ip -n "$LAB-client" -batch - <<-END
	address add $NEAR4/24 dev eth0
	address add $FAR4/24 dev eth0
	address add $THIRD4/24 dev eth0
	address add $NEAR6/64 dev eth0 nodad
	address add $FAR6/64 dev eth0 nodad
END
ASK="client_regions: { file: $LAB_DIR/clients }"

# ---- who does not ask ----
config >"$LAB_DIR/plain.yaml"
daemon_start "$LAB_DIR/plain.yaml"
check "nobody asks: all are as near as the node" who_is $FAR4 "ep1 ep2"
check "... and workers know nothing of clients" eval '! workers_know'

# ---- who does ----
tell eu-west-1 us-east-1
config "$ASK" >"$LAB_DIR/weir.yaml"
check "apply" weir apply "$LAB_DIR/weir.yaml"
check "workers know where clients are" workers_know
near_and_far "applied"
said_all "applied"
check "explain says by which addresses" eval "weir explain $FAR4 $VIP4:80 --http 'GET /' -H 'Host: a' |
	grep -qx '  region    the client is in us-east-1, by $FAR4'"
check "... or that there are none" eval "weir explain 10.77.0.2 $VIP4:80 --http 'GET /' -H 'Host: a' |
	grep -qx '  region    the client is in no region that is known here'"
check "... and nothing where a virtual group takes it" eval \
	"! weir explain $FAR4 $VIP4:80 --http 'GET /v2/x' -H 'Host: a' | grep -q '^  region'"
check "... a rule to a default group: all default ones" explained $FAR4 /far/x \
	'[.groups[].endpoints[] | select(.share > 0) | .endpoint] == ["ep3"]'
check "show: far serves its clients" test "$(state_of far)" = serving
check "... of two regions" test "$(clients_of far)" = "us-east-1 us-west-1"
check "... near all others" test "$(state_of near),$(clients_of near)" = serving,
check "... in words" eval "weir show groups web/far | grep -q 'serving.* us-east-1 us-west-1\$'"
check "... with what clients of no region get" eval \
	"weir -j show groups web | jq -e 'map(.want_ip4) == [1, 0]'"
check "a rule to a virtual group is of all clients" who_is $FAR4 ep2 /v2/
check "... near ones, too" who_is $NEAR4 ep2 /v2/
check "one to a default group: the near one of all default ones" who_is $NEAR4 "ep1 ep2" /far/
check "... or the far one" who_is $FAR4 ep3 /far/
check "the PROXY protocol says who it is: far" test "$(told_by $VIP4 TCP4 $FAR4)" = ep3
check "... near" grep -q 'ep[12]' <<<"$(told_by $VIP4 TCP4 $NEAR4)"
check "... of the other family" test "$(told_by $VIP4 TCP6 $FAR6)" = ep3
check "... in no region" grep -q 'ep[12]' <<<"$(told_by $VIP4 TCP4 192.0.2.7)"

# ---- under load, whose own region changes ----
load_start
for region in us-east-1 eu-west-1 us-west-1 eu-west-1 us-east-1; do
	tell eu-west-1 us-east-1 "10.77.0.2 $region"
	wanted=ep3
	[[ $region != eu* ]] || wanted="ep1 ep2"
	check "under load: the file says $region" wait_for "who_is 10.77.0.2 '$wanted'" 10
done
asked() {
	local before
	before=$(requests "$1")
	sleep 0.5
	echo "$1: $before, then $(requests "$1")"
	(($(requests "$1") > before))
}
check "... connections that were there before follow, too" asked ep3
check "... away from near" eval '! asked ep1'
check "under load: far is drained" weir drain '*/far'
check "... its clients go to near" who_is 10.77.0.2 "ep1 ep2"
check "... far does not serve" test "$(state_of far)" = unusable
check "under load: far is back" weir undrain '*/far'
check "... and has its clients" who_is 10.77.0.2 ep3
load_check "a file that changes, a region's group that goes and comes"

# ---- the nearest group fails ----
tell eu-west-1 us-east-1
check "back" wait_for "who_is 10.77.0.2 'ep1 ep2'" 10
near_and_far "back"
check "far serves its clients" test "$(state_of far)" = serving
nginx_stop ep3
check "the nearest group of a region fails" wait_for "who_is $FAR4 'ep1 ep2'" 15
check "... of the other region, too" wait_for "who_is $THIRD4 'ep1 ep2'" 15
check "... others stay where they are" who_is $NEAR4 "ep1 ep2"
check "... explain agrees" said_of $FAR4 '"us-east-1"' "ep1 ep2"
check "... and far does not serve" wait_for '[[ $(state_of far) == unusable ]]' 15
nginx_start ep3
check "... it returns" wait_for "who_is $FAR4 ep3" 15
check "... for all" wait_for "who_is $THIRD4 ep3" 15
check "... and serves" test "$(state_of far),$(clients_of far)" = "serving,us-east-1 us-west-1"

# ---- what is bad, or gone ----
echo "10.77.0.256 eu-west-1" >>"$LAB_DIR/clients"
check "a bad line is named" wait_for "said \"clients:.*'10.77.0.256' is neither a prefix\"" 10
near_and_far "after a bad line"
rm "$LAB_DIR/clients"
check "a file that is gone is named" wait_for "said 'clients: .*; what was last read'" 10
daemon_kill9
near_and_far "without a daemon"
said_all "without a daemon"
check "... far serves its clients" test "$(state_of far)" = serving
daemon_start "$LAB_DIR/weir.yaml"
near_and_far "after a restart without the file"
said_all "after a restart without the file"
tell us-east-1 eu-west-1
check "the file is back, the other way round" wait_for "who_is $NEAR4 ep3" 10
check "... far is near" who_is $FAR4 "ep1 ep2"
check "nothing is taken for drift" eval \
	"weir -j plan $LAB_DIR/weir.yaml | jq -e '.drifted == 0 and .differs == false'"

sed 's/latency: 10ms/latency: 500ms/' "$LAB_DIR/weir.yaml" >"$LAB_DIR/other.yaml"
check "plan: another latency, and whose requests move" eval "weir -j plan $LAB_DIR/other.yaml | jq -e '.differs and
	(.requests | map([.listener, .regions, .percent])) ==
		([\"web\", \"told\"] | map([., [\"us-west-1\"], 100]))'"
check "... in words" eval "weir plan $LAB_DIR/other.yaml | grep -Eqx '  web +in us-west-1 +100.0 %'"
check "... as apply does it" weir apply "$LAB_DIR/other.yaml"
check "... near" who_is $THIRD4 "ep1 ep2"

check "nobody asks any more" weir apply "$LAB_DIR/plain.yaml"
check "... all are as near as the node" who_is $NEAR4 "ep1 ep2"
check "... and workers have forgotten" wait_for '! workers_know' 15
daemon_stop
check "weir down" weir down
