#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: datagrams larger than a packet reach endpoints and come back in every mode, in fragments that
# find one another; and where a link behind the balancer takes less than the client sends, path MTU
# discovery works: in mode nat by what a router says of weir's packets, to clients of the other
# family, too, and in tunnels by what weir says itself. Native and generic XDP, IPv4 and IPv6.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

LARGE=1900 # bytes of a datagram: two fragments of 1500
SMALL=1400 # bytes, MTU of the narrow link

# fragments WHAT: to both VIPs, and the answers.
fragments() {
	local vip
	for vip in $VIP4 $VIP6; do
		check "$1: fragments to $vip and back" \
			on client "$ROOT/tests/peer/datagrams.py" "$vip" 53 $LARGE 20
	done
}

# upload VIP: more than a window, in packets as large as the client believes it may send.
upload() {
	local host=$1
	[[ $host != *:* ]] || host="[$host]"
	[[ $(on client curl -s -m 15 --data-binary "@$LAB_DIR/body" "http://$host/") == ep1 ]]
}

# learned VIP MTU: does the client know that packets to it may have no more than that?
learned() { on client ip route get "$1" | grep -q "mtu $2"; }

forget() {
	on client ip route flush cache
	on client ip -6 route flush cache
}

# discovery WHAT MTU4 MTU6: the client learns these by uploading.
discovery() {
	forget
	check "$1: an upload to $VIP4" upload $VIP4
	check "$1: ... whose client has learned $2" learned $VIP4 "$2"
	check "$1: an upload to $VIP6" upload $VIP6
	check "$1: ... whose client has learned $3" learned $VIP6 "$3"
}

# ---- fragments ----
lab_up --tunnel
for node in "${ENDPOINTS[@]}"; do # their wires take more than the client's, which gets answers
	ip -n "$LAB-$node" route replace 10.77.0.0/24 dev eth0 mtu 1500
	ip -n "$LAB-$node" -6 route replace fd77::/64 dev eth0 proto kernel metric 256 mtu 1500
done
for xdp in native generic; do
	decap_start $xdp
	for mode in nat dsr ipip gue; do
		{
			echo "version: 1"
			echo "interfaces: [eth0]"
			lab_listener names udp 53 $mode 50 30 20 | sed '1i listeners:'
		} >"$LAB_DIR/weir.yaml"
		daemon_start "$LAB_DIR/weir.yaml" $xdp
		fragments "$mode, $xdp"
		daemon_stop
		check "$mode, $xdp: weir down" weir down
	done
	for node in "${ENDPOINTS[@]}"; do endpoint_weir "$node" detach --decap eth0 >/dev/null; done
done
daemon_verdict
lab_down

# ---- path MTU discovery: the way to the endpoints leads through a router ----
lab_up --two-arm
head -c 900000 /dev/zero >"$LAB_DIR/body"
ip -n "$LAB-lb" link set eth1 down
ip -n "$LAB-lb" route add 10.78.0.0/24 via 10.77.0.1
ip -n "$LAB-lb" -6 route add fd78::/64 via fd77::1
LAB_TWO_ARM='' # as far as weir is concerned
configuration() {
	echo "version: 1"
	echo "interfaces: [eth0]"
	echo "listeners:"
	echo "- {name: web4, protocol: tcp, address: $VIP4, port: 80, endpoint_groups:"
	echo "  [{name: main, endpoints: [{name: ep1, address: '$1'}]}]}"
	echo "- {name: web6, protocol: tcp, address: '$VIP6', port: 80, endpoint_groups:"
	echo "  [{name: main, endpoints: [{name: ep1, address: '$2'}]}]}"
}
for xdp in native generic; do
	configuration 10.78.0.11 fd78::11 >"$LAB_DIR/own.yaml"
	configuration fd78::11 10.78.0.11 >"$LAB_DIR/other.yaml"
	ip -n "$LAB-fabric" link set br2 mtu $SMALL
	daemon_start "$LAB_DIR/own.yaml" $xdp
	discovery "a router's word, $xdp" $SMALL $SMALL
	daemon_stop
	check "$xdp: weir down, once more" weir down
	daemon_start "$LAB_DIR/other.yaml" $xdp
	discovery "... between families, $xdp" $((SMALL - 20)) $((SMALL + 20))
	daemon_stop
	check "$xdp: weir down" weir down
	ip -n "$LAB-fabric" link set br2 mtu 1500
done
daemon_verdict
lab_down

# ---- path MTU discovery: outer headers on links that take no more than the client's ----
lab_up --dsr
head -c 900000 /dev/zero >"$LAB_DIR/body"
for xdp in native generic; do
	decap_start $xdp
	for mode in ipip gue; do
		{
			echo "version: 1"
			echo "interfaces: [eth0]"
			echo "listeners:"
			echo "- {name: web, protocol: tcp, address: [$VIP4, '$VIP6'], port: 80, mode: $mode,"
			echo "  endpoint_groups: [{name: main, endpoints: [{name: ep1, address: 10.77.0.11}]}]}"
		} >"$LAB_DIR/weir.yaml"
		[[ $mode == ipip ]] && mtu=1480 || mtu=1468
		daemon_start "$LAB_DIR/weir.yaml" $xdp
		discovery "weir's own word, $mode, $xdp" "$mtu" "$mtu"
		daemon_stop
		check "$mode, $xdp: weir down" weir down
	done
	for node in "${ENDPOINTS[@]}"; do endpoint_weir "$node" detach --decap eth0 >/dev/null; done
done
check "no bad checksum" test "$(bad_checksums)" = 0
