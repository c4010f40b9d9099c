#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: two groups of a listener in two regions. With 100 and 100 percent the nearest takes all; with
# 50 and 100 each takes half, within 2 points. When the nearest is drained, or its endpoints are gone
# from the network, the other takes all, and gives it back when they return; no flow breaks because
# of it - nat and dsr, TCP and UDP, IPv4 and IPv6.
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
		    endpoint_groups:
		      - name: far
		        region: us-east-1
		        traffic_percentage: $6
		        endpoints:
		          - { name: ep3, address: $(endpoint_address ep3 4) }
		          - { name: ep3-v6, address: "$(endpoint_address ep3 6)" }
		      - name: near
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

lab_up --dsr
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
	weir drain '*/near' >/dev/null
	settle
	cell_shares "$mode: the nearest drained, all far:" 0 0 100
	weir undrain '*/near' >/dev/null
	settle
	cell_shares "$mode: it returned:" 20 60 0

	region_config $mode 50 100 >"$LAB_DIR/weir.yaml"
	check "$mode: another percentage" weir apply "$LAB_DIR/weir.yaml"
	settle
	cell_shares "$mode: 50/100, half and half:" 12.5 37.5 50
	for vip in $VIP4 $VIP6; do
		hold_check "$mode-tcp-$vip"
		hold_check "$mode-udp-$vip"
	done
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
