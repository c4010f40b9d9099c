#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: an endpoint whose health check fails leaves within threshold x interval and returns by
# itself; of the flows only its own break, of new connections none fails; people see why and since
# when; a daemon that is killed and comes back goes on from what was known.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

export IDLE_TIMEOUT=5

# health_config MODE [KEY: VALUE,...]: `web`, and `lines`, whose servers live on when the nginx that
# is asked is gone: so flows end because weir ends them.
health_config() {
	local check="{ protocol: tcp, port: 80, interval: 1s, threshold: 2${2:+, $2} }"
	{
		echo "version: 1"
		echo "interfaces: [eth0]"
		echo "listeners:"
		lab_listener web tcp 80 "$1" 1 1 1
		lab_listener lines tcp 53 "$1" 1 1 1
	} | sed "s/^\( *\)- name: main\$/&\n\1  health_check: $check/"
}

# state_is STATE SELECTOR: of all endpoints that the selector names.
state_is() {
	weir -j show checks "$2" | jq -e --arg state "$1" \
		'length > 0 and all(.[]; .health.state == $state)' >/dev/null
}

# health FIELD SELECTOR: of the first endpoint.
health() { weir -j show checks "$2" | jq -r ".[0].health.$1"; }

# listener_is HEALTH LISTENER
listener_is() { [[ $(weir -j show listeners "$2" | jq -r '.[0].health') == "$1" ]]; }

# only_broken_of NAME ENDPOINT: of the held flows those of the endpoint broke, no other; none moved.
only_broken_of() {
	hold_stop "$1"
	if jq -en --argjson r "$FLOWS" --arg ep "$2" '$r.moved == 0
		and ($r.broken_of | keys == [$ep]) and $r.broken == $r.broken_of[$ep]
		and $r.broken > 0 and $r.broken < $r.flows' >/dev/null; then
		ok "$1: $(jq -nr --argjson r "$FLOWS" '"\($r.broken) of \($r.flows) flows broke"'), all of $2"
	else
		fail "$1: $FLOWS $(<"$LAB_DIR/flows-$1.err")"
	fi
}

# An endpoint dies and comes back, under load.
cell_death() {
	local mode=$1 vip since new
	for vip in $VIP4 $VIP6; do
		fresh_ports tcp "$vip" 90
		hold_start "$mode-$vip" --tcp --to "$vip" 53 --flows 90 --interval 50 \
			--source-ports "$PORTS"
	done
	new_flows_start "new-$mode" $VIP4 53 3000

	nginx_stop ep2
	# By when it must have left is a matter of the machine's load, too; that it does is not.
	check "$mode: ep2 is abnormal after two refusals" wait_for "state_is abnormal '*/*/ep2*'" 10
	check "$mode: ep1 is not" state_is normal '*/*/ep1*'
	check "$mode: ep3 is not" state_is normal '*/*/ep3*'
	check "$mode: the reason" test "$(health reason '*/*/ep2')" = refused
	check "$mode: the listener is partially abnormal" listener_is partially_abnormal lines
	count_flows tcp $VIP4 53 3000 && share_check "$mode: without ep2: tcp4" "$COUNTED" 1 0 1
	count_flows tcp $VIP6 53 3000 && share_check "$mode: without ep2: tcp6" "$COUNTED" 1 0 1

	since=$(health since '*/*/ep2')
	daemon_kill9
	daemon_start "$LAB_DIR/weir.yaml"
	check "$mode: a new daemon knows it" test "$(health since '*/*/ep2')" = "$since"
	count_flows tcp $VIP4 53 500 && share_check "$mode: and keeps to it" "$COUNTED" 1 0 1

	nginx_start ep2
	check "$mode: ep2 returns by itself" wait_for "state_is normal '*/*/ep2*'" 10
	check "$mode: the listener is normal" listener_is normal lines
	check "$mode: the changes are counted" test "$(health changes '*/*/ep2')" = 2
	count_flows tcp $VIP4 53 3000 && share_check "$mode: with ep2 again: tcp4" "$COUNTED" 1 1 1
	dying_check "$mode: new connections all the while" "new-$mode" ep2
	only_broken_of "$mode-$VIP4" ep2
	only_broken_of "$mode-$VIP6" ep2
}

# Nobody is left, then somebody is.
cell_nobody() {
	for node in "${ENDPOINTS[@]}"; do nginx_stop "$node"; done
	check "all are abnormal" wait_for "state_is abnormal lines" 10
	check "the listener is abnormal" listener_is abnormal lines
	check "a connection is refused" exit_status 7 on client curl -s -m 5 "http://$VIP4:53/"
	nginx_start ep1
	check "ep1 returns" wait_for "state_is normal 'lines/*/ep1*'" 10
	count_flows tcp $VIP4 53 300 && share_check "ep1 has all" "$COUNTED" 1 0 0
	nginx_start ep2
	nginx_start ep3
	check "all return" wait_for "state_is normal lines" 10
}

# What is not answered at all.
cell_silent() {
	ip -n "$LAB-ep3" route add blackhole 10.77.0.10
	ip -n "$LAB-ep3" -6 route add blackhole fd77::10
	check "a silent endpoint is abnormal" wait_for "state_is abnormal 'lines/*/ep3*'" 20
	check "the reason is the timeout" test "$(health reason 'lines/*/ep3')" = connect_timeout
	check "in words, too" grep -q "no answer to the connection attempt" <(weir show checks)
	ip -n "$LAB-ep3" route del blackhole 10.77.0.10
	ip -n "$LAB-ep3" -6 route del blackhole fd77::10
	check "it returns" wait_for "state_is normal 'lines/*/ep3*'" 10
}

lab_up --dsr
for mode in nat dsr; do
	health_config $mode "timeout: 1s" >"$LAB_DIR/weir.yaml"
	daemon_start "$LAB_DIR/weir.yaml"
	check "$mode: all are normal" wait_for "state_is normal '*'" 10
	cell_death $mode
	[[ $mode != nat ]] || cell_nobody
	[[ $mode != nat ]] || cell_silent
	daemon_stop
	check "$mode: weir down" weir down
done
