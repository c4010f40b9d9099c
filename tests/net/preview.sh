#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: `weir plan` says what apply would change, and changes nothing: objects, slots, flows,
# overrides - and what someone else has changed in maps, programs, pins, interfaces and routes, all
# of which apply, or a reload, repairs while connections last.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

export -f instance on weir
export BALANCER LAB WEIR VIP4 VIP6
lab_up --dsr
CONFIG=$LAB_DIR/weir.yaml
PINS=/sys/fs/bpf/$LAB
{
	cat <<-END
		acls:
		  - { name: low, prefixes: 0.0.0.0/1 }
		  - { name: high, prefixes: 128.0.0.0/1 }
		  - { name: six, prefixes: "::/0" }
		  - { name: office, prefixes: 10.77.0.0/24 }
	END
	lab_config nat 50 30 20 | sed '/port: 80/a\    allow: [low, high, six]'
	lab_listener held tcp 54 nat 50 30 20 | sed '/port: 54/a\    allow: [office, six]'
	lab_listener lines tcp 53 dsr 50 30 20
} >"$CONFIG"

# plan_is FILTER [FILE]: of its JSON
plan_is() { weir plan ${2+"$2"} -j | jq -e "$1"; }
nothing() { plan_is '.differs == false and .drift == [] and .changes == [] and .tables == []'; }
picture() {
	weir show listeners -j
	weir show endpoints -j | jq 'map([.listener, .group, .endpoint, .address, .weight, .want, .state])'
	weir history -j
	weir show overrides -j
}
unchanged() { diff <(picture) "$LAB_DIR/picture"; }

check "without a daemon there is no plan" exit_status 69 weir plan "$CONFIG"
daemon_start "$CONFIG"
check "of what is in force: nothing" nothing
check "... in words" bash -c "weir plan | grep -q ': nothing would change'"
check "... by exit code" weir plan --exit-code

# ---- what a file would change ----
weir set web/main/ep1 weight=40 >/dev/null
weir drain names/main/ep2 >/dev/null
check "after set and drain: nothing" nothing
for port in 53 54; do
	fresh_ports tcp $VIP4 60
	hold_start "$port" --tcp --to $VIP4 $port --flows 60 --interval 50 --source-ports "$PORTS"
done
sed -e '/name: ep1, address/s/weight: 50/weight: 60/' -e '/name: ep3, address/d' \
	-e 's/128.0.0.0\/1/192.0.0.0\/2/' -e '/name: names/,/port: 53/s/names/other/' \
	-e '/name: lines/,$d' -e 's/10.77.0.0\/24/10.79.0.0\/24/' "$CONFIG" >"$LAB_DIR/other.yaml"
picture >"$LAB_DIR/picture"
check "plan of another file" weir plan "$LAB_DIR/other.yaml"
cp "$LAB_DIR/check.out" "$LAB_DIR/said"
says() { check "... $1" grep -Eq -- "$1" "$LAB_DIR/said"; }
says '^~ acl high$'
says '^    prefixes: - \[128.0.0.0/1\]$'
says '^    prefixes: \+ \[192.0.0.0/2\]$'
says '^- listener names$'
says '^\+ listener other$'
says '^    protocol udp, address \[10.77.0.100, fd77::100\], port 53, mode nat'
says '^- endpoint held/main/ep3$'
says '^~ endpoint held/main/ep1$'
says '^    weight: 50 -> 60$'
says '^  names +ipv4 .* removed$'
says '^  other +ipv6 .* added$'
says '^  held +ipv4 +[0-9]+ +[1-4][0-9]\.[0-9] %$'
says '^  held/main/ep3 +10.77.0.13 +[1-9]'
says '^  lines/main/ep2 +10.77.0.12 +0  recorded; its mode records few$'
says '^  held +- +[1-9][0-9]* +their clients are not let in any more$'
says '^  web/main/ep1: weight 40$'
says '^  names/main/ep2: drained$'
check "... by exit code" exit_status 2 weir plan --exit-code "$LAB_DIR/other.yaml"
check "nothing has changed" unchanged
check "... nor in the log" bash -c "! grep -Eq 'in force|repaired|slots moved' <(sed 1,/uid/d $DAEMON_LOG | tail -n +3)"
check "a bad file has no plan" bash -c "echo 'version: 2' | weir plan /dev/stdin ; (( \$? == 65 ))"
check "nor has one that apply refuses" bash -c \
	"sed 's/10.77.0.11, weight/10.77.0.10, weight/' $CONFIG | weir plan /dev/stdin 2>&1 | grep -q 'is this host itself'"

# What it says of slots is what apply does.
held_slots() { jq -r '[.tables[] | select(.listener == "held" or .listener == "web").moved] | add' "$@"; }
weir plan "$LAB_DIR/other.yaml" -j >"$LAB_DIR/plan.json"
hold_check 53
hold_stop 54 # they end
check "apply it" weir apply "$LAB_DIR/other.yaml" -j
check "... as many slots have moved as was said" test \
	"$(jq .moved "$LAB_DIR/check.out")" == "$(jq .moved "$LAB_DIR/plan.json")"
check "... then nothing is left" plan_is '.differs == false' "$LAB_DIR/other.yaml"
check "and back" weir apply
check "... nothing is left" nothing

# ---- what someone else has changed ----
bytes() { printf '0x%02x 0x%02x 0x%02x 0x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) 0; }
# spoil MAP KEY OFFSET: turns over the lowest bit of a byte of a value
spoil() {
	local value
	# shellcheck disable=SC2046 # words
	value=$(bpftool -j map lookup pinned "$PINS/$1" key $(bytes "$2") |
		jq -r --argjson at "$3" '.value | to_entries[] |
			if .key == $at then
				(.value[2:] | explode | map(if . > 90 then . - 87 else . - 48 end) |
				 .[0] * 16 + .[1]) | if . % 2 == 1 then . - 1 else . + 1 end
			else .value end')
	# shellcheck disable=SC2046,SC2086
	bpftool map update pinned "$PINS/$1" key $(bytes "$2") value $value
}
# place MAP FILTER: the key of the first value that passes
place() { bpftool -j map dump pinned "$PINS/$1" | jq "[.[] | select(.formatted.value | $2)][0].formatted.key"; }
# cell FILTER WHAT: .key or .value.FIELD of such a cell of the listener table in force
cell() {
	local first last
	first=$(bpftool -j map dump pinned "$PINS/control" | jq '.[0].formatted.value | .half[.generation % 2].first')
	last=$(bpftool -j map dump pinned "$PINS/control" | jq '.[0].formatted.value | .half[.generation % 2] | .first + .mask')
	bpftool -j map dump pinned "$PINS/listeners" |
		jq "[.[] | select(.formatted.key >= $first and .formatted.key <= $last
			and (.formatted.value | $1))][0].formatted | $2"
}
# drifted WHERE WHAT: plan tells of it, and of nothing else
drifted() {
	weir plan -j | jq -e --arg where "$1" --arg what "$2" \
		'(.drift | length) == 1 and (.drift[0].where | test($where)) and (.drift[0].what | test($what))'
}
# mended WHAT WHERE DETAIL: after something was spoiled
mended() {
	check "$1: plan tells" drifted "$2" "$3"
	check "... by exit code" exit_status 2 weir plan --exit-code
	check "... apply repairs, and says so" bash -c "weir apply | grep -Eq '^repaired: .*$3'"
	check "... nothing is left" nothing
}

row=$(place endpoint_info '.name == "ep1" and .group == "main"')
id=$(place listener_info '.name == "held"')
line=$(cell '.kind == 2 and .port == 54' .value.slot_line)
guard=$(cell '.kind == 2 and .port == 80' .value.guard)
for port in 53 54; do
	fresh_ports tcp $VIP6 60
	hold_start "$port" --tcp --to $VIP6 $port --flows 60 --interval 50 --source-ports "$PORTS"
done
spoil control 0 20 && mended "control" '^control\[0\]$' answers_per_second
cell=$(cell '.kind == 2 and .port == 54 and .protocol == 6' .key)
spoil listeners "$cell" 36 && mended "a listener's cell" "^listeners\[$cell\]$" held
spoil slots "$line" 1 && mended "a slot" '^slots$' 'held, IPv[46]: 1 of [0-9]+ slots'
spoil slots "$line" 0 && kill -HUP "$DAEMON"
check "a reload repairs, too" wait_for "grep -q 'slots: held.*repaired' $DAEMON_LOG" 5
check "... nothing is left" nothing
spoil endpoints "$row" 40 && mended "an endpoint" "^endpoints\[$row\]$" 'main/ep1: idle_timeout'
spoil endpoint_info "$row" 0 && mended "its name" "^endpoint_info\[$row\]$" 'name'
spoil listener_info "$id" 68 && mended "a listener's notes" "^listener_info\[$id\]$" 'held: idle_timeout'
spoil guards "$guard" 32 && mended "a guard" "^guards\[$guard\]$" 'web: '
spoil bounds 1 3 && mended "addresses of an acl" '^bounds$' '(web|held), IPv[46]: addresses of'
spoil egress 1 10 && mended "an interface" '^egress\[1\]$' 'eth0: mtu'
spoil snat 1 20 && mended "a source address" '^snat\[1\]$' ranges
spoil region_info 1 0 && mended "a region" '^region_info\[1\]$' name
spoil endpoints 100 30 && mended "a row of nobody's" '^endpoints\[100\]$' "nobody.s"
bpftool map delete pinned "$PINS/tx_ports" key 1 0 0 0 && mended "a way out" '^tx_ports\[1\]$' eth0
bpftool map delete pinned "$PINS/stages" key 1 0 0 0 && mended "a program" '^stages\[1\]$' 'no program'
rm "$PINS/slots" && mended "a link to a pin" '^slots$' 'the link to it is missing'
rm "$PINS/current/exceptions" && mended "a pin" '^exceptions$' 'the pin is missing'
rm "$PINS/current/endpoints" && mended "a pin of a mapped map" '^endpoints$' 'the pin is missing'
on lb ip route del local $VIP4 table local proto 87 &&
	mended "a route" '^routes$' "does not answer for $VIP4"
hold_check 53
hold_check 54
# Until it is attached again, the host itself answers, with resets.
bpftool link detach pinned "$PINS/link-eth0" && mended "the program" '^eth0$' 'not attached'
check "a client is served" bash -c "on client curl -s -m 5 http://$VIP4/ | grep -q '^ep'"
check "weir down" weir down
DAEMON=
