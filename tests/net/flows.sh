#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: `weir show flows` and `weir show latency` tell what is there, by every filter, with or
# without a daemon; what is over goes also while no daemon runs.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

count() { weir show flows --count "$@"; }
is() { test "$1" = "$2"; } # for check, which names what failed

lab_up
{
	lab_config nat 1 1 1
	lab_listener lasting tcp 53 nat 1 1 1
	IDLE_TIMEOUT=10s lab_listener brief udp 5353 nat 1
} >"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"
hold_start tcp4 --tcp --to $VIP4 53 --flows 120 --interval 200
hold_start udp6 --udp --to $VIP6 53 --flows 60 --interval 200

check "all flows are counted" is "$(count)" 180
check "by listener" is "$(count lasting)" 120
check "by group and endpoint: the endpoints together have them all" \
	is "$(($(count lasting/main/ep1) + $(count lasting/main/ep2) + $(count lasting/main/ep3)))" 120
check "by protocol" is "$(count --protocol udp)" 60
client4=$(weir show flows lasting -j | jq -r '.[0].client')
check "by the client's address" is "$(count --client "$client4")" 120
check "by a prefix" is "$(count --client "${client4%.*}.0/24" lasting)" 120
check "by another prefix" is "$(count --client 203.0.113.0/24)" 0
check "by state" is "$(count --state open)" 180
check "by no state of theirs" is "$(count --state reset)" 0
snat_port=$(weir show flows lasting -j | jq -r '.[7].snat_port')
check "by a SNAT port: the flow is there" \
	jq -en --argjson f "$(weir show flows -j --port "$snat_port")" --argjson p "$snat_port" \
	'any($f[]; .snat_port == $p and .listener == "lasting")'
check "a flow has two ends, a listener and an endpoint" \
	jq -en --argjson f "$(weir show flows names -j)" --arg vip $VIP6 \
	'$f | length == 60 and all(.[]; .address == $vip and .port == 53 and .protocol == "udp" and
	.tracked == "nat" and .state == "open" and .idle <= 10 and .snat_port > 0 and
	(.endpoint | endswith("-v6")))'
check "the answering endpoint sees weir by the listed address" \
	is "$(weir show flows lasting -j | jq -r '.[0].snat')" "$(lb_address 4)"
check "no two flows have one port towards one endpoint" \
	jq -en --argjson f "$(weir show flows -j)" \
	'[$f[] | [.endpoint, .listener, .snat_port]] | length == (unique | length)'
check "the list ends at the limit" \
	is "$(weir show flows --limit 5 2>"$LAB_DIR/limit" | wc -l)" 6
check "and says so" grep -q '5 of 180 flows' "$LAB_DIR/limit"
check "the table has a head" bash -c "[[ \$(head -n 1 <<<'$(weir show flows --limit 1 2>/dev/null)') == LISTENER* ]]"

check "first answers are counted once per connection" \
	jq -en --argjson l "$(weir show latency lasting -j)" \
	'[$l[].first_answers[].answers] | add == 120'
check "and took less than a second" \
	jq -en --argjson l "$(weir show latency lasting -j)" \
	'[$l[].first_answers[] | select(.below_us != null and .below_us < 1e6).answers] | add == 120'

daemon_kill9
check "without a daemon" is "$(count)" 180
on client bash -c "for i in {1..300}; do echo question >/dev/udp/$VIP4/5353; done"
brief=$(count brief)
check "brief flows are there" test "$brief" -gt 0
sleep 12
check "brief flows are over" is "$(count brief)" 0
check "the others go on" is "$(count --state open lasting)" 120
hold_check tcp4
hold_check udp6
