#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: two groups of a listener in two regions, also as `weir show groups` has it. With 100 and 100
# percent the nearest takes all; with 50 and 100 each takes half, within 2 points. When the nearest is drained, or its endpoints are gone
# from the network, or fail their health checks, the other takes all, and gives it back when they
# return; no flow to an endpoint that lives breaks because of it - nat and dsr, TCP and UDP, IPv4 and
# IPv6.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

export IDLE_TIMEOUT=2

# region_listener NAME PROTOCOL PORT MODE NEAR FAR: ep1 and ep2 are near, ep3 is far.
region_listener() {
	cat <<-END
		  - name: $1
		    protocol: $2
		    address: [$VIP4, "$VIP6"]
		    port: $3
		    mode: $4
		    idle_timeout: $IDLE_TIMEOUT
		    fail_open: ${FAIL_OPEN-false}
		    endpoint_groups:
		      - name: far
		        ${CHECK-}
		        region: us-east-1
		        traffic_percentage: $6
		        endpoints:
		          - { name: ep3, address: $(endpoint_address ep3 4) }
		          - { name: ep3-v6, address: "$(endpoint_address ep3 6)" }
		      - name: near
		        ${CHECK-}
		        region: eu-west-1
		        traffic_percentage: $5
		        endpoints:
		          - { name: ep1, address: $(endpoint_address ep1 4), weight: 20 }
		          - { name: ep1-v6, address: "$(endpoint_address ep1 6)", weight: 20 }
		          - { name: ep2, address: $(endpoint_address ep2 4), weight: 60 }
		          - { name: ep2-v6, address: "$(endpoint_address ep2 6)", weight: 60 }
	END
}

# region_config MODE NEAR FAR
region_config() {
	cat <<-END
		version: 1
		node: { region: eu-central-1 }
		interfaces: [eth0]
		regions:
		  - { name: eu-west-1, latency: 20ms }
		  - { name: us-east-1, latency: 85ms }
		listeners:
	END
	region_listener web tcp 80 "$@"
	region_listener names udp 53 "$@"
	region_listener lines tcp 53 "$@"
}

# In dsr a UDP flow cannot be told to be new until the change is an idle timeout old.
settle() {
	[[ $mode == nat ]] || wait_for "! weir show listeners | grep -q '[1-9]0* moving'" 20 ||
		die "the slots do not settle"
}

# group_is GROUP STATE SHARE: in all listeners, as a fraction; who serves does so with all of it.
group_is() {
	weir -j show groups "*/$1" | jq -e --arg state "$2" --argjson share "$3" 'length == 3 and
		all(.[]; .state == $state and ((.want_ip4 // 0) - $share | fabs) < 0.01
			and ((.want_ip6 // 0) - $share | fabs) < 0.01
			and (.state != "serving" or .usable == .endpoints))' >/dev/null
}

# moved_in_time MS: slots moved so soon after every probe that decided.
moved_in_time() {
	sed -nE 's/.*slots moved, ([0-9.]+) ms after the probe.*/\1/p' "$DAEMON_LOG" |
		jq -es "length > 0 and max <= $1"
}

lab_up --dsr
export -f instance on weir
export BALANCER LAB WEIR
for mode in nat dsr; do
	region_config $mode 100 100 >"$LAB_DIR/weir.yaml"
	daemon_start "$LAB_DIR/weir.yaml"
	cell_shares "$mode: 100/100, all near:" 20 60 0

	for vip in $VIP4 $VIP6; do
		for protocol in tcp udp; do
			fresh_ports $protocol "$vip" 100
			hold_start "$mode-$protocol-$vip" --$protocol --to "$vip" 53 --flows 100 \
				--interval 50 --source-ports "$PORTS"
		done
	done
	check "$mode: near serves" group_is near serving 1
	check "$mode: far stands by" group_is far standby 0
	weir drain '*/near' >/dev/null
	check "$mode: near is unusable" group_is near unusable 0
	check "$mode: far serves" group_is far serving 1
	settle
	cell_shares "$mode: the nearest drained, all far:" 0 0 100
	weir undrain '*/near' >/dev/null
	settle
	cell_shares "$mode: it returned:" 20 60 0

	if [[ $mode == nat ]]; then
		region_config $mode 50 100 >"$LAB_DIR/weir.yaml"
		check "$mode: another percentage" weir apply "$LAB_DIR/weir.yaml"
	else
		check "$mode: another percentage" weir set '*/near' traffic_percentage=50
		check "... which is remembered" \
			bash -c "weir show overrides | grep -q 'names/near *traffic_percentage 50 (file: 100)'"
		daemon_kill9
		daemon_start "$LAB_DIR/weir.yaml"
	fi
	settle
	cell_shares "$mode: 50/100, half and half:" 12.5 37.5 50
	for vip in $VIP4 $VIP6; do
		hold_check "$mode-tcp-$vip"
		hold_check "$mode-udp-$vip"
	done
	weir set '*/near' traffic_percentage=100 >/dev/null # or it would outlive `weir down`
	daemon_stop
	check "$mode: weir down" weir down
done

# Nobody answers for their addresses: what a daemon that starts then finds out by itself.
region_config nat 100 100 >"$LAB_DIR/weir.yaml"
for node in ep1 ep2; do ip -n "$LAB-$node" link set eth0 down; done
ip -n "$LAB-lb" neigh flush all
daemon_start "$LAB_DIR/weir.yaml"
cell_shares "the nearest is not on the network, all far:" 0 0 100
for node in ep1 ep2; do
	ip -n "$LAB-$node" link set eth0 up
	ip -n "$LAB-$node" address replace "$(endpoint_address $node 6)/64" dev eth0 nodad
done
check "... it is back" wait_for \
	"! weir show endpoints | grep -q 'no next hop'" 20
cell_shares "... and has it all:" 20 60 0
daemon_stop
check "weir down" weir down

# What is asked is nginx; what serves `lines` lives on.
CHECK="health_check: { protocol: tcp, port: 80, interval: 1s, threshold: 2 }"
region_config nat 100 100 >"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"
check "checked: near serves" wait_for "group_is near serving 1" 10
new_flows_start new $VIP4 53 6000
for node in ep1 ep2; do nginx_stop $node; done
check "checked: near fails" wait_for "group_is near unusable 0" 15
check "... far serves" group_is far serving 1
check "... within 2 intervals and 50 ms of the deciding probes" moved_in_time 2050
count_flows tcp $VIP4 53 3000 && share_check "... all far: tcp4" "$COUNTED" 0 0 1
count_flows tcp $VIP6 53 3000 && share_check "... all far: tcp6" "$COUNTED" 0 0 1
count_flows udp $VIP4 53 3000 && share_check "... all far: udp4" "$COUNTED" 0 0 1
for node in ep1 ep2; do nginx_start $node; done
check "... near returns by itself" wait_for "group_is near serving 1" 15
count_flows tcp $VIP4 53 10000 && share_check "... all near: tcp4" "$COUNTED" 20 60 0
count_flows tcp $VIP6 53 10000 && share_check "... all near: tcp6" "$COUNTED" 20 60 0
dying_check "... new connections meanwhile" new ep1 ep2

for node in ep1 ep2 ep3; do nginx_stop $node; done
check "all fail: no group serves" wait_for "group_is near unusable 0 && group_is far unusable 0" 15
check "... a new connection is refused" exit_status 7 on client curl -sm 5 "http://$VIP4/"
FAIL_OPEN=true
region_config nat 100 100 >"$LAB_DIR/weir.yaml"
check "... unless the listener fails open" weir apply "$LAB_DIR/weir.yaml"
check "... which is abnormal still, and not usable" bash -c "weir -j show groups '*/near' |
	jq -e 'all(.[]; .health == \"abnormal\" and .usable == 0 and .state == \"serving\")'"
check "... with the nearest" bash -c "weir -j show groups '*/near' | jq -e 'all(.[]; .want_ip4 > 0.99)'"
count_flows tcp $VIP4 53 10000 && share_check "... tcp4" "$COUNTED" 20 60 0
for node in ep3; do nginx_start $node; done
check "... while no group is usable" wait_for "group_is far serving 1 && group_is near unusable 0" 15

daemon_stop
check "weir down, again" weir down
