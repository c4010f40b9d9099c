#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: an endpoint with a domain has its addresses, of both families, which share its weight and
# follow DNS within the time to live; flows with an address that is gone go on; where DNS is silent,
# says that there is no such name, or that it has no address, what was known stays, also over a
# restart of the daemon.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# says NAME ENDPOINT...: what the name server says of a name, from now on.
says() {
	local name=$1 node
	sed -i "/ $name\$/d" "$LAB_DIR/hosts"
	shift
	for node in "$@"; do
		printf '%s %s\n' "$(endpoint_address "$node" 4)" "$name" \
			"$(endpoint_address "$node" 6)" "$name" >>"$LAB_DIR/hosts"
	done
	[[ -z ${NAMESERVER-} ]] || kill -HUP "$NAMESERVER"
}

# A real one, at the client, whose answers live for a second.
nameserver_start() {
	spawn "$LAB_DIR/dnsmasq.log" client dnsmasq --keep-in-foreground --user=root --pid-file= \
		--conf-file=/dev/null --no-resolv --no-hosts --addn-hosts="$LAB_DIR/hosts" \
		--local=/example/ --local-ttl=1 --cname=alias.example,origin.example \
		--bind-interfaces --interface=eth0 --log-facility=-
	NAMESERVER=$SPAWNED
	wait_for "on client ss -Hlun sport = :53 | grep -q ." 10 || die "dnsmasq does not listen"
}

# has SELECTOR ENDPOINT...: the addresses that take new flows are those of these endpoints.
has() {
	local selector=$1 wanted node
	shift
	wanted=$(for node in "$@"; do endpoint_address "$node" 4 && endpoint_address "$node" 6; done |
		sort | tr '\n' ' ')
	[[ $(weir -j show endpoints "$selector" |
		jq -r '.[] | select(.weight > 0) | .address' | sort | tr '\n' ' ') == "$wanted" ]]
}

# shares PREFIX WEIGHT...: of new flows, both families.
shares() {
	local prefix=$1 vip
	shift
	for vip in $VIP4 $VIP6; do
		count_flows tcp "$vip" 53 5000 && share_check "$prefix $vip" "$COUNTED" "$@"
	done
}

domain_listener() {
	cat <<-END
		  - name: $1
		    protocol: tcp
		    address: [$VIP4, "$VIP6"]
		    port: $2
		    endpoint_groups:
		      - name: main
		        health_check: { interval: 1s }
		        endpoints:
		          - $3
	END
}

lab_up
: >"$LAB_DIR/hosts"
says origin.example ep1 ep2
nameserver_start
{
	echo "version: 1"
	echo "interfaces: [eth0]"
	echo "nameservers: 10.77.0.2"
	echo "listeners:"
	domain_listener lines 53 "origin.example weight 100"
	echo "          - $(endpoint_address ep3 4) weight 100"
	echo "          - \"$(endpoint_address ep3 6) weight 100\""
	domain_listener alias 54 "alias.example"
	domain_listener later 80 "{ name: l, address: later.example, type: custom_domain, port: 80 }"
} >"$LAB_DIR/weir.yaml"
check "weir check" "$WEIR" check "$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"

check "a name has its addresses" wait_for "has lines/main/origin.example ep1 ep2" 10
check "an alias has those of its name" wait_for "has alias ep1 ep2" 10
check "they are checked" wait_for "weir -j show checks lines | jq -e 'length == 6 and
	all(.[]; .health.state == \"normal\")'" 10
shares "two share a weight:" 25 25 50
check "a name that is not there is said" wait_for \
	"grep -q 'later.example: cannot be resolved.*not found' $DAEMON_LOG" 10
says later.example ep3
check "and found when it is" wait_for "has later ep3" 30

fresh_ports tcp $VIP4 90
hold_start held --tcp --to $VIP4 53 --flows 90 --interval 50 --source-ports "$PORTS"
fresh_ports tcp $VIP4 4000
flows_start new count --tcp --to $VIP4 53 --connections 4000 --rate 800 --source-ports "$PORTS"
says origin.example ep2
check "a change is followed" wait_for "has lines/main/origin.example ep2" 10
shares "the one that is left has the weight:" 0 50 50
says origin.example ep1 ep2
check "and back" wait_for "has lines/main/origin.example ep1 ep2" 10
shares "as before:" 25 25 50
check "a weight holds for all addresses" weir set lines/main/origin.example weight=50
shares "half the weight:" 25 25 100

says origin.example
check "a name that is gone is said" wait_for \
	"grep -q '^warning: origin.example: cannot be resolved' $DAEMON_LOG" 15
shares "what was known stays:" 25 25 100
kill -STOP "$NAMESERVER"
daemon_kill9
daemon_start "$LAB_DIR/weir.yaml"
shares "and over a restart, with a silent server:" 25 25 100
check "which is said" wait_for \
	"grep -q 'origin.example: cannot be resolved.*\(Timeout\|contact\)' $DAEMON_LOG" 30
says origin.example ep1
kill -CONT "$NAMESERVER"
kill -HUP "$NAMESERVER"
check "it is asked until it answers" wait_for "has lines/main/origin.example ep1" 40
check "and that is said" grep -q "origin.example: is resolved again" "$DAEMON_LOG"
shares "the new answer holds:" 50 0 100
new_flows_check "new connections all the while" new
hold_check held
daemon_stop
check "weir down" weir down
