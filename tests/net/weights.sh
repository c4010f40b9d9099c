#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: 100 random weight changes while flows are open: no established flow moves or breaks, no new
# connection fails, and new flows follow the last weights — nat and dsr, TCP and UDP, IPv4 and IPv6.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# So short that slots pass through all their phases during the test; far longer than the pause
# between two packets of a held flow.
IDLE_TIMEOUT=2
CHANGES=100

# change_weights LISTENER: one endpoint of it gets a random weight; never all zero.
declare -A weights
change_weights() {
	local listener=$1 ep=ep$((RANDOM % 3 + 1)) weight=$((RANDOM % 101)) other sum=0
	weights[$listener/$ep]=$weight
	for other in "${ENDPOINTS[@]}"; do sum=$((sum + ${weights[$listener/$other]:-1})); done
	((sum > 0)) || weights[$listener/$ep]=$((weight = 1))
	weir set "$listener/main/$ep*" weight=$weight
}

lab_up --dsr
for mode in nat dsr; do
	weights=()
	{
		lab_config $mode 50 30 20
		lab_listener lines tcp 53 $mode 50 30 20
	} >"$LAB_DIR/weir.yaml"
	daemon_start "$LAB_DIR/weir.yaml"
	for protocol in tcp udp; do
		for vip in $VIP4 $VIP6; do
			fresh_ports $protocol "$vip" 200
			hold_start "$mode-$protocol-$vip" --$protocol --to "$vip" 53 --flows 200 \
				--interval 50 --source-ports "$PORTS"
		done
	done
	fresh_ports tcp $VIP4 8000
	flows_start "new-$mode" count --http --to $VIP4 80 \
		--connections 8000 --rate 800 --source-ports "$PORTS"

	for ((i = 0; i < CHANGES; i++)); do
		for listener in web lines names; do
			change_weights $listener >/dev/null || fail "$mode: weir set failed"
		done
		sleep 0.0$((RANDOM % 10))
	done
	ok "$mode: $CHANGES changes of each listener"

	new_flows_check "$mode: new connections while weights changed" "new-$mode"
	for ep in 1:50 2:30 3:20; do
		weir set "*/main/ep${ep%:*}*" weight=${ep#*:} >/dev/null
	done
	# In dsr a UDP flow cannot be told to be new until the change is an idle timeout old.
	[[ $mode == nat ]] || sleep $((2 * IDLE_TIMEOUT + 1))
	cell_shares "$mode: new flows:" 50 30 20
	for protocol in tcp udp; do
		hold_check "$mode-$protocol-$VIP4"
		hold_check "$mode-$protocol-$VIP6"
	done
	daemon_stop
	check "$mode: weir down" weir down
done
