#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: `weir explain` names the endpoint that a real connection then lands on — new and established,
# nat and dsr, IPv4 and IPv6, while weights change, and without a daemon; and asking counts nothing
# and opens no flow.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

TRIES=8

# explained SRC DST [ARGS]: the endpoint's node, "ep1" also of ep1-v6; or the reason.
explained() {
	weir explain "$@" -j | jq -r 'if .endpoint then .endpoint | split("/")[2] | sub("-v6$"; "")
		else .reason end'
}

# landed VIP PORT SOURCE-PORT: who answers a connection from that port.
landed() { on client curl -s -m 5 --local-port "$3" "http://${1/#fd*/[$1]}:$2/" || echo "error $?"; }

# agree WHAT VIP PORT FIRST: of TRIES connections from port FIRST on.
agree() {
	local what=$1 vip=$2 port=$3 first=$4 source agreed=0 said got i
	local from=10.77.0.2 to=$2
	[[ $vip != fd* ]] || from=[fd77::2] to=[$vip]
	declare -A nodes=()
	for ((i = 0; i < TRIES; i++)); do
		source=$((first + i))
		said=$(explained "$from:$source" "$to:$port" tcp)
		got=$(landed "$vip" "$port" $source)
		nodes[$got]=1
		if [[ $said == "$got" ]]; then
			agreed=$((agreed + 1))
		else
			echo "$what: port $source: said $said, landed on $got"
		fi
	done
	check "$what: $agreed of $TRIES, on ${#nodes[@]} endpoints" \
		test $agreed -eq $TRIES -a ${#nodes[@]} -ge 2
}

# counted: what packets to listeners change, as far as people can see it. Others come by themselves.
counted() {
	{ weir stats -j && weir show endpoints -j && weir show drops -j | jq 'map(select(.listener))'; } |
		md5sum
}

# silent SRC DST [ARGS]: does asking leave all of that as it is? The connections before may still be
# closing, so one quiet try of three is enough.
silent() {
	local before
	for _ in 1 2 3; do
		before=$(counted)
		weir explain "$@" >/dev/null
		[[ $before != "$(counted)" ]] || return 0
		sleep 1
	done
	return 1
}

lab_up --dsr
{
	lab_config nat 50 30 20
	lab_listener direct tcp 8080 dsr 50 30 20
	lab_listener held tcp 53 dsr 50 30 20
} >"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"

agree "nat, IPv4" $VIP4 80 41000
agree "nat, IPv6" $VIP6 80 41100
agree "dsr, IPv4" $VIP4 8080 41200
agree "dsr, IPv6" $VIP6 8080 41300
check "asking of a new connection counts nothing" silent 10.77.0.2:40001 $VIP4:80
check "asking of one that nobody has counts nothing" silent 10.77.0.2 $VIP4:80 --established
check "asking of a datagram counts nothing" silent 10.77.0.2 $VIP4:53 udp

# Established flows stay where they are when weights change, and explain says so.
hold_start held --tcp --to $VIP4 53 --flows 40 --interval 50 --source-ports 42000-42063
check "weights change" weir set 'held/main/ep1*' weight=0
weir set 'direct/main/ep1*' weight=0 >/dev/null
for source in $(on client ss -Htn state established dport = :53 | awk '{ print $3 }' |
	sed 's/.*://' | head -n 6); do
	peer=$(for node in "${ENDPOINTS[@]}"; do
		[[ -z $(on "$node" ss -Htn state established sport = :53 dport = :"$source") ]] ||
			echo "$node"
	done)
	said=$(explained "10.77.0.2:$source" "$VIP4:53" tcp --established)
	check "established, port $source: on $peer" test "$said" = "$peer"
done
hold_check held
agree "dsr, changed" $VIP4 8080 41400

daemon_kill9
agree "nat without a daemon" $VIP4 80 41500
check "no listener: left to the kernel" \
	test "$(explained 10.77.0.2 $VIP4:81 tcp)" = no_listener
check "no address of weir's" test "$(explained 10.77.0.2 10.77.0.99:80 tcp)" = not_ours
check "an answer of nobody's" \
	test "$(explained 10.77.0.111:80 "$(lb_address 4):40000" tcp --established)" = nat_unknown
check "weir down" weir down
lab_down
