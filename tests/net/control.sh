#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: the CLI changes what runs as it says: apply adds and removes listeners and endpoints, drain
# keeps the connections there are, overrides outlive the daemon and yield to the file, attach and
# detach work with and without it, output is JSON where asked for, and down leaves nothing.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# weight ENDPOINT: in force
weight() { weir show endpoints -j | jq ".[] | select(.listener == \"web\" and .endpoint == \"$1\").weight"; }
is() { [[ $("${@:2}") == "$1" ]]; }
json() { weir "$@" | jq -e . >/dev/null; }

export -f instance on weir
export BALANCER LAB WEIR
lab_up --dsr
CONFIG=$LAB_DIR/weir.yaml
{
	lab_config nat 50 30 20
	lab_listener lines tcp 53 dsr 50 30 20
} >"$CONFIG"
daemon_start "$CONFIG"

# ---- every verb that has something to say says it in JSON, too ----
for verb in "show listeners" "show maps" "show endpoints" "show endpoints web/main/ep1" "show drops" \
	"show overrides" "stats" "stats web" "version" "check $CONFIG" "set web/main/ep1 weight=50" \
	"drain web/main/ep3" "undrain web/main/ep3" "apply $CONFIG"; do
	# shellcheck disable=SC2086 # words
	check "weir $verb -j" json $verb -j
	# shellcheck disable=SC2086
	check "weir $verb -p" json $verb -p
done
check "any prefix of a verb will do" weir sta
check "maps and pins are readable with bpftool" \
	bash -c "bpftool -j map dump pinned /sys/fs/bpf/$LAB/listener_info | jq -e '.[1].formatted.value.name == \"web\"'"

# ---- drain: no new connections, those there are go on; for a whole listener, too ----
for mode in web lines; do
	[[ $mode == web ]] && port=80 || port=53
	fresh_ports tcp $VIP4 100
	[[ $mode == web ]] || hold_start "held-$mode" --tcp --to $VIP4 $port --flows 100 \
		--interval 50 --source-ports "$PORTS"
	check "$mode: drain" weir drain "$mode/main/ep1*"
	fresh_ports tcp $VIP4 1000
	[[ $mode == web ]] && how=--http || how=--tcp
	run=$(flows count $how --to $VIP4 $port --connections 1000 --source-ports "$PORTS")
	check "$mode: no new connection to the drained endpoint" \
		jq -en --argjson r "$run" '$r.failed == 0 and $r.endpoints.ep1 == null'
	[[ $mode == web ]] || hold_check "held-$mode"
	check "$mode: undrain" weir undrain "$mode/main/ep1*"
done
says() { "${@:2}" 2>&1 | grep -E "$1"; }
check "drain of all of one family says so" says \
	"^weir: lines: no endpoint takes new connections by IPv6 now: refused$" \
	weir drain "lines/main/*-v6"
check "drain of a whole listener says so, too" says \
	"^weir: lines: no endpoint takes new connections now: refused$" weir drain lines
check "... refuses new connections, and counts them" \
	bash -c "! on client timeout 2 curl -s -m 1 telnet://$VIP4:53 </dev/null;
		weir show drops lines -j | jq -e '.[] | select(.listener == \"lines\" and .reason == \"no_endpoint\").packets > 0'"
check "undrain of it" weir undrain lines
check "undrain once more says that it was so" says "^lines/main/ep1: weight [0-9]+, as before$" weir undrain lines

# ---- overrides: they outlive the daemon, and yield to a file that has changed ----
weir set web/main/ep1 weight=7 >/dev/null
weir drain web/main/ep2 >/dev/null
daemon_stop
daemon_start "$CONFIG"
check "a set weight outlives the daemon" is 7 weight ep1
check "a drain outlives the daemon" is 0 weight ep2
check "show overrides lists both" \
	bash -c "weir show overrides -j | jq -e 'length == 2'"
sed 's/weight: 50/weight: 40/' "$CONFIG" >"$LAB_DIR/other.yaml"
check "apply of another weight" \
	bash -c "weir apply $LAB_DIR/other.yaml | grep -q '1 override cleared'"
check "... the file has won" is 40 weight ep1
for what in listeners over; do
	check "... show $what says that it is not the daemon's own file" bash -c \
		"weir show $what 2>&1 >/dev/null | grep -q \"in force by 'apply $LAB_DIR/other.yaml', not by .*$CONFIG,\""
done
check "... but not into JSON's way" bash -c "! weir -j show listeners 2>&1 >/dev/null | grep ."
check "... where it says nothing new, it has not" is 0 weight ep2
check "apply alone reads the daemon's own file again" weir apply
check "... with its weight" is 50 weight ep1
check "... and show has nothing to say" bash -c "! weir show listeners 2>&1 >/dev/null | grep ."
weir apply "$LAB_DIR/other.yaml" >/dev/null
kill -HUP "$DAEMON"
check "... nor after SIGHUP" wait_for "! weir show listeners 2>&1 >/dev/null | grep ." 10
check "a reason is one line" bash -c \
	"weir set web/main/ep1 weight=7 --reason \"\$0\" 2>&1 | grep -q 'must be one line'" $'a\e[2Jb'
check "... or nothing is set" is 50 weight ep1
check "show flows of what there is not" bash -c \
	"weir show flows wob 2>&1 | grep -q \"no listener matches 'wob'; did you mean 'web'?\""
check "... stats, too" bash -c \
	"weir stats web/main/ep9 2>&1 | grep -q \"no endpoint matches 'web/main/ep9'; did you mean 'web/main/ep\""
check "... of who has none is none" bash -c "weir -j show flows names/main/ep3 | jq -e 'length == 0'"
check "the text of the history in JSON" bash -c "weir -j history 1 | jq -e '.number == 1 and (.text | test(\"^version: 1\"))'"
weir undrain web >/dev/null

# ---- ... and end by themselves when they shall ----
origin() { weir show overrides -j | jq -r ".[] | select(.endpoint == \"web/main/ep1\").$1"; }
check "set for a time, with a reason" weir set web/main/ep1 weight=7 --for 3s --reason "a new disk"
check "... which show overrides tells" is "a new disk" origin weight_origin.why
check "... and who it was" is 0 origin weight_origin.uid
check "... until when" bash -c "weir show overrides | grep 'web/main/ep1 .*weight 7 (file: 50)' | grep -Eq '(20[0-9-]+ [0-9:]+ +){2}a new disk'"
check "drain for a time" weir drain web/main/ep2 --for 2
check "... is in force" is 0 weight ep2
check "the weight ends by itself" wait_for "is 50 weight ep1" 10
check "... the drain, too" wait_for "is 30 weight ep2" 10
check "... and neither is listed" bash -c "weir show overrides -j | jq -e 'length == 0'"
weir drain web/main/ep2 --for 1s >/dev/null
daemon_kill9
sleep 1.5
daemon_start "$CONFIG"
check "what ends while there is no daemon is not there for the next" is 30 weight ep2
check "a time that is none" exit_status 64 weir drain web --for soon
check "... or too long" grep -q "^weir: --for '367d' is out of range; allowed: 1s to 366d$" \
	<(weir drain web --for 367d 2>&1)
check "ten days" weir set web/main/ep1 weight=7 --for 10d
check "... are 864000 s" is 864000 origin 'weight_origin | .until - .since'
weir set web/main/ep1 weight=50 >/dev/null
check "a reason that is missing" exit_status 64 weir set web/main/ep1 weight=7 --reason

# ---- apply: listeners and endpoints come and go while connections last ----
fresh_ports tcp $VIP6 100
hold_start lasting --tcp --to $VIP6 53 --flows 100 --interval 50 --source-ports "$PORTS"
lab_config nat 50 30 20 >"$LAB_DIR/fewer.yaml"
{
	cat "$CONFIG"
	lab_listener more tcp 8080 nat 1 1 1
} >"$LAB_DIR/more.yaml"
check "apply one listener more" weir apply "$LAB_DIR/more.yaml"
check "... it serves" bash -c "[[ \$(on client curl -s -m 5 http://$VIP4:8080/) == ep* ]]"
check "apply without it" weir apply "$CONFIG"
check "... it is gone" bash -c "! on client curl -s -m 2 http://$VIP4:8080/"
sed '/name: ep1, address/d' "$CONFIG" >"$LAB_DIR/without.yaml"
check "apply without ep1, for IPv4" weir apply "$LAB_DIR/without.yaml"
hold_check lasting
count_flows http $VIP4 80 1000
check "... it gets nothing" jq -en --argjson r "$COUNTED" '$r.failed == 0 and $r.endpoints.ep1 == null'
check "apply with it again" weir apply "$CONFIG"
count_flows http $VIP4 80 10000
share_check "it is back" "$COUNTED" 50 30 20
check "apply without the dsr listener" weir apply "$LAB_DIR/fewer.yaml"
check "... show knows two" bash -c "weir show listeners -j | jq -e 'length == 2'"
check "an address that no listener has any more is not answered for" \
	bash -c "sed 's/$VIP4, //' $LAB_DIR/fewer.yaml | grep -v '10\.77' >$LAB_DIR/six.yaml &&
		weir apply $LAB_DIR/six.yaml &&
		! on lb ip route show table local proto 87 | grep -q $VIP4"
check "apply all again" weir apply "$CONFIG"

# ---- what the host opens meanwhile is in nobody's way ----
fresh_ports tcp $VIP4 200
flows_start served count --http --to $VIP4 80 --connections 4000 --rate 1000 --source-ports 10000-15000
spawn "$LAB_DIR/host.log" lb "$BUILD/tests/peer/serve" lb --tcp 20000 --udp 20001
for port in 5000 9000 14000 19000 23000 27000 31000 62000 64000; do
	spawn "$LAB_DIR/host.log" lb "$BUILD/tests/peer/serve" lb --tcp $port --udp $port
done
weir set web/main/ep1 weight=49 >/dev/null
new_flows_check "connections while the host opens ports" served

# ---- attach and detach ----
on lb ip link add spare type veth peer name spare1
check "attach another interface" weir attach spare
check "... its other end leaves checksums, says attach" \
	bash -c "weir attach spare 2>&1 | grep -q 'ethtool -K spare1 tx off'"
on lb ethtool -K spare1 tx off >/dev/null
check "... no longer" bash -c "! weir attach spare 2>&1 | grep ethtool"
check "... natively" bash -c "ip -n $LAB-lb -j link show spare | jq -e '.[0].xdp.mode == 1'"
check "detach it" weir detach spare
check "... the host does not answer there any more" \
	bash -c "! ip -n $LAB-lb -6 address show dev spare | grep -q $VIP6"
check "attach in generic mode" weir attach spare --generic
check "... generic" bash -c "ip -n $LAB-lb -j link show spare | jq -e '.[0].xdp.mode == 2'"
daemon_kill9
check "the way to endpoints stays attached without a daemon, too" exit_status 1 weir detach eth0
check "detach without a daemon" weir detach spare
check "attach without a daemon" weir attach spare
check "nobody's ip link can take it off" bash -c "! ip -n $LAB-lb link set dev spare xdp off"
daemon_start "$CONFIG"
check "a daemon's interfaces are as attach and detach left them last" \
	bash -c "ip -n $LAB-lb -j link show spare | jq -e '.[0].xdp.mode'"

# ---- a daemon that died leaves nothing that its heir does not know of ----
daemon_kill9
grep -v '10\.77' "$LAB_DIR/six.yaml" >"$LAB_DIR/heir.yaml"
daemon_start "$LAB_DIR/heir.yaml"
check "an address that only the dead daemon knew is not answered for" \
	bash -c "! on lb ip route show table local proto 87 | grep -q $VIP4"

# ---- down ----
check "down ends the daemon and removes the data plane" weir down
DAEMON=
check "... pins" test ! -e "/sys/fs/bpf/$LAB"
check "... programs" bash -c "! ip -n $LAB-lb link show | grep -q xdp"
check "... routes and addresses" \
	bash -c "! ip -n $LAB-lb route show table all | grep -q $VIP4 && ! ip -n $LAB-lb -6 address | grep -q $VIP6"
check "... neighbours" bash -c "! ip -n $LAB-lb neigh | grep -q managed"
check "down again is no error" weir down

# ---- and again, with addresses that are the operator's own business ----
sed 's/^    mode: .*/&\n    vip: none/' "$CONFIG" >"$LAB_DIR/none.yaml"
daemon_start "$LAB_DIR/none.yaml"
check "vip: none adds nothing to the host" \
	bash -c "! on lb ip route show table local proto 87 | grep -q . && ! on lb ip -6 address | grep -q $VIP6"
