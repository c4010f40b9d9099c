#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: what is disabled is as if it were not in the file, and enabled as the file has it: endpoint,
# group, listener, over a restart, and for a time. drain --wait ends when the last connection of what
# is drained has ended, not before, and tells how many are left; with dsr not before all that may be
# left have shown.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

export -f instance on weir
export BALANCER LAB WEIR VIP4 VIP6
export IDLE_TIMEOUT=3
lab_up --dsr
CONFIG=$LAB_DIR/weir.yaml
{
	lab_config nat 50 30 20
	lab_listener held tcp 54 nat 50 30 20
	lab_listener lines tcp 53 dsr 50 30
	cat <<-END
		      - name: spare
		        region: far
		        endpoints: ["$(endpoint_address ep3 4)", "$(endpoint_address ep3 6)"]
	END
} >"$CONFIG"
daemon_start "$CONFIG"

serves() { on client curl -s -m 5 "http://$VIP4:$1/" | grep -q '^ep'; }
endpoints() { weir show endpoints "$1" -j | jq -r '.[].endpoint' | sort | xargs; }
# says WHAT COMMAND...: a check whose output is in said
says() {
	check "$@"
	cp "$LAB_DIR/check.out" "$LAB_DIR/said"
}
is() { [[ $("${@:2}") == "$1" ]]; }
count() { # LISTENER-PORT: 1000 new connections by TCP, in COUNTED
	count_flows tcp $VIP4 "$1" 1000
}
has_no() { jq -en --argjson r "$COUNTED" "\$r.failed == 0 and \$r.endpoints.$1 == null"; }
has() { jq -en --argjson r "$COUNTED" "\$r.failed == 0 and \$r.endpoints.$1 > 0"; }

# ---- an endpoint ----
for port in 53 54; do
	fresh_ports tcp $VIP4 60
	hold_start "$port" --tcp --to $VIP4 $port --flows 60 --interval 50 --source-ports "$PORTS"
done
says "disable an endpoint" weir disable held/main/ep1 --reason disk
check "... says so" grep -qx 'held/main/ep1: disabled' "$LAB_DIR/said"
count 54
check "... no new connection" has_no ep1
check "... it is not among those in force" is "ep1-v6 ep2 ep2-v6 ep3 ep3-v6" endpoints held
check "... but is told of" bash -c "weir show endpoints | grep -qx 'held/main/ep1  disabled (weir show overrides)'"
check "... and why" bash -c "weir show overrides | grep -Eq '^held/main/ep1 +disabled .* disk$'"
hold_stop 54
check "... its connections have ended, and no others" jq -en --argjson r "$FLOWS" \
	'$r.broken > 0 and $r.broken == $r.broken_of.ep1 and $r.moved == 0'
check "plan knows of nothing to do" weir plan --exit-code
daemon_kill9
daemon_start "$CONFIG"
count 54
check "after a restart no new connection" has_no ep1
check "set of what is disabled" weir set held/main/ep1 weight=50
check "enable of another" bash -c "weir enable held/main/ep2 | grep -q 'nothing there was disabled'"
check "enable it" weir enable held/main/ep1
count 54
check "... it has connections again" has ep1
hold_check 53

# ---- groups ----
says "disable groups, several at once" weir disable '*/main'
check "... lists them" is "held/main: disabled lines/main: disabled names/main: disabled web/main: disabled" \
	bash -c "grep disabled $LAB_DIR/said | sort | xargs -d '\n'"
check "... the next group has all" bash -c "weir show groups lines/spare -j | jq -e 'all(.[]; .state == \"serving\")'"
count 53
check "... and serves" jq -en --argjson r "$COUNTED" '$r.failed == 0 and $r.endpoints.ep3 == 1000'
check "... where there is none, connections are refused" exit_status 7 on client curl -sm 5 "http://$VIP4/"
check "enable of an endpoint alone does not do it" \
	bash -c "weir enable held/main/ep1 | grep -qx 'held/main is disabled still'"
check "enable their listeners" weir enable '*'
check "... with all that is in them" is 0 bash -c "weir show overrides -j | jq length"
check "... it serves" serves 80

# ---- a listener ----
check "disable a listener, for a time" weir disable web --for 3
check "... the host does not know it" is "[\"held\",\"lines\",\"names\"]" \
	bash -c "weir show listeners -j | jq -c '[.[].listener] | sort'"
check "... it does not serve" bash -c "! on client curl -s -m 2 http://$VIP4/"
count 54
check "... another one on the address does" has ep1
check "... plan has nothing to do, nor has apply" bash -c "weir plan --exit-code && weir apply | grep -q 'in force; 0.0 %'"
check "... after its time it is back" wait_for "serves 80" 10
check "... and no longer an override" wait_for '[[ $(weir show overrides -j | jq length) == 0 ]]' 5

# ---- nothing of the name ----
says "no such listener" exit_status 1 weir disable wep
check "... did you mean" grep -q "no listener matches 'wep'; did you mean 'web'?" "$LAB_DIR/said"
says "no such group" exit_status 1 weir enable web/mein
check "... did you mean" grep -q "no group matches 'web/mein'; did you mean 'web/main'?" "$LAB_DIR/said"
check "a star does not cross a slash" exit_status 1 weir disable 'w*1'
check "--wait is drain's" exit_status 64 weir disable web --wait
check "--timeout is of --wait" exit_status 64 weir drain web --timeout 3

# ---- drain --wait ----
for port in 53 54; do
	fresh_ports tcp $VIP4 60
	hold_start "$port" --tcp --to $VIP4 $port --flows 60 --interval 50 --source-ports "$PORTS"
done
says "drain --wait of what is held: its time is over" exit_status 75 weir drain held/main/ep1 --wait --timeout 2
check "... and tells how many are left" grep -Eq 'after 2 s [1-9][0-9]* flows are left: held/main/ep1 [1-9]' "$LAB_DIR/said"
left=$(grep -Eo 'after 2 s [0-9]+' "$LAB_DIR/said" | grep -Eo '[0-9]+$')
check "... as many as there are" is "$left" bash -c "weir show flows held/main/ep1 --count -j | jq .flows"
check "... no connection broke" hold_check 54
says "drain --wait ends with the last connection" weir drain held/main/ep1 --wait --timeout 60
check "... and says so" grep -Eqx 'empty after [0-9]+ s' "$LAB_DIR/said"
check "... in JSON, too" bash -c "weir drain held/main/ep1 --wait -j | jq -e '.left == [{\"endpoint\":\"held/main/ep1\",\"flows\":0,\"all\":true}]'"
says "dsr: not while connections are held" exit_status 75 weir drain lines/main/ep1 --wait --timeout 6
check "... each of which has shown" grep -Eq 'flows are left: lines/main/ep1 [1-9]' "$LAB_DIR/said"
hold_check 53
check "dsr: with nobody left it ends" weir drain 'lines/main/ep1*' --wait --timeout 60
weir undrain lines >/dev/null
wait_for "! weir show listeners lines | grep -Eq 'moving|pinned'" 30 || die "the slots do not settle"
fresh_ports tcp $VIP4 60
hold_start silent --tcp --to $VIP4 53 --flows 60 --interval 50 --source-ports "$PORTS"
kill -STOP "$(<"$LAB_DIR/flows-silent.pid")"
says "dsr: what is idle may still show" exit_status 75 weir drain lines/main/ep1 --wait --timeout 1
check "... which it says" grep -q 'no flow is known to be left, but one that is idle may show' "$LAB_DIR/said"
kill -CONT "$(<"$LAB_DIR/flows-silent.pid")"
check "... and does not take it for empty before it is" exit_status 75 weir drain lines/main/ep1 --wait --timeout 6
hold_check silent
check "progress on a terminal" bash -c \
	"script -qec 'nsenter --net=/run/netns/$LAB-lb env WEIR_INSTANCE=$LAB $WEIR drain lines --wait --timeout 1' /dev/null | grep -q 'flows left, [01] s'"
check "weir down" weir down
DAEMON=
