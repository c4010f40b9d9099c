#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: 100 random weight changes while flows are open: no established flow moves or breaks, no new
# connection fails, no change moves more slots than it must (and 3 points), and new flows follow the
# last weights — nat and dsr, TCP and UDP, IPv4 and IPv6.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# So short that slots pass through all their phases during the test; far longer than the pause
# between two packets of a held flow.
export IDLE_TIMEOUT=2
CHANGES=100
SEED=${SEED:-$RANDOM} # to have a failure's changes again
RANDOM=$SEED

# needed BEFORE... AFTER...: the share, in points, that must change hands between three weights.
needed() {
	awk -v w="$*" 'BEGIN {
		split(w, v); before = v[1] + v[2] + v[3]; after = v[4] + v[5] + v[6]
		for (i = 1; i <= 3; i++) {
			gain = 100 * (v[i + 3] / after - v[i] / before)
			sum += gain > 0 ? gain : 0
		}
		print sum
	}'
}

# change_weight INDEX WEIGHT: of one endpoint in all listeners; notes the change if it moved more
# slots than allowed, whatever size of table the new weights want.
change_weight() {
	local before=("${weights[@]}") result slots moved
	weights[$1]=$2
	result=$(weir -j set "*/main/ep$(($1 + 1))*" weight="$2")
	read -r slots moved < <(jq -r '"\(.slots) \(.moved)"' <<<"$result")
	if ((slots > 0)) && awk -v need="$(needed "${before[@]}" "${weights[@]}")" \
		-v slots="$slots" -v moved="$moved" 'BEGIN { exit !(100 * moved / slots > need + 3) }'; then
		excess+=("${before[*]} to ${weights[*]}: $moved of $slots")
	fi
}

lab_up --dsr
for mode in nat dsr; do
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

	weights=(50 30 20)
	excess=()
	for ((i = 0; i < CHANGES; i++)); do
		index=$((RANDOM % 3))
		weight=$((RANDOM % 101))
		# Never all zero: that is another test's.
		((weights[0] + weights[1] + weights[2] > weights[index])) || weight=$((weight + 1))
		change_weight $index $weight
		sleep 0.0$((RANDOM % 10))
	done
	ok "$mode: $CHANGES changes"
	check "$mode: none moved more slots than it may (SEED=$SEED)" test -z "${excess[*]-}"

	new_flows_check "$mode: new connections while weights changed" "new-$mode"
	change_weight 0 50
	change_weight 1 30
	change_weight 2 20
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
