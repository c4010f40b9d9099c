#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: the data plane outlives its daemon. After kill -9 under load connections go on, old and
# new; show and stats work from the pins; a new daemon adopts all of it, overrides included, and
# nothing breaks — nat and dsr, three times each.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# links: the ids of this instance's pinned XDP links. (The program may be a new one.)
links() {
	local pin
	for pin in /sys/fs/bpf/"$LAB"/link-*; do
		bpftool -j link show pinned "$pin" | jq .id
	done
}

lab_up --dsr
for mode in nat dsr; do
	{
		lab_config $mode 50 30 20
		lab_listener lines tcp 53 $mode 50 30 20
	} >"$LAB_DIR/weir.yaml"
	daemon_start "$LAB_DIR/weir.yaml"
	check "$mode: weir set" weir set '*/main/ep1*' weight=10
	for protocol in tcp udp; do
		for vip in $VIP4 $VIP6; do
			fresh_ports $protocol "$vip" 200
			hold_start "$mode-$protocol-$vip" --$protocol --to "$vip" 53 --flows 200 \
				--interval 50 --source-ports "$PORTS"
		done
	done
	fresh_ports tcp $VIP6 8000
	flows_start "new-$mode" count --http --to $VIP6 80 \
		--connections 8000 --rate 1000 --source-ports "$PORTS"

	links=$(links)
	for round in 1 2 3; do
		daemon_kill9
		check "$mode $round: weir show listeners without a daemon" weir show listeners
		check "$mode $round: weir show endpoints without a daemon" weir show endpoints
		check "$mode $round: weir stats without a daemon" weir stats
		check "$mode $round: weir set says that there is no daemon" \
			exit_status 69 weir set web/main/ep1 weight=20
		sleep 0.5
		daemon_start "$LAB_DIR/weir.yaml"
		check "$mode $round: the same links" test "$(links)" = "$links"
	done

	new_flows_check "$mode: new connections all the while" "new-$mode"
	for protocol in tcp udp; do
		hold_check "$mode-$protocol-$VIP4"
		hold_check "$mode-$protocol-$VIP6"
	done
	cell_shares "$mode: the weight set before:" 10 30 20
	daemon_stop
	check "$mode: weir down" weir down
done
