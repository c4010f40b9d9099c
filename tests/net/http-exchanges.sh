#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: what goes through a listener of http comes out whole and in the right place, however its bodies
# are moved (tunnel: copy, splice, auto): thousands of exchanges whose every byte is known (EXCHANGES by
# each way, 1200 unless said), cut at every byte, pipelined, in chunks, half closed, reset, read slowly;
# 100 MB each way; a client that stops reading makes the balancer hold no more than a mebibyte; and
# more bodies at once than the kernel grants pipes for are moved all the same, by none too small.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib-http.sh
. "$(dirname "$0")/lib-http.sh"

PEER=$ROOT/tests/peer/exchanges.py
EXCHANGES=${EXCHANGES:-1200}
LARGE=100000000 # bytes
STALLED=16
declare -A PORTS=([copy]=81 [splice]=82 [auto]=80 [kernel]=83)

listeners() {
	local way
	printf 'version: 1\ninterfaces: [eth0]\nlisteners:\n'
	for way in "${!PORTS[@]}"; do
		cat <<-END
			  - name: $way
			    protocol: http
			    address: [$VIP4, "$VIP6"]
			    port: ${PORTS[$way]}
			    $(if [[ $way == kernel ]]; then echo 'kernel_routing: true'; else echo "tunnel: $way"; fi)
			    endpoint_groups:
			      - name: main
			        endpoints:
			          - "$(endpoint_address ep1 4):9000"
			          - "[$(endpoint_address ep2 6)]:9000"
		END
	done
}

# peer_check WHAT LEAST ARGS...: what the client's end has to say of at least so many exchanges.
peer_check() {
	local result
	result=$(on client timeout 250 python3 "$PEER" "${@:3}")
	if jq -e --argjson n "$2" '.wrong == 0 and .exchanges >= $n' <<<"$result" >/dev/null; then
		ok "$1: $(jq -r '"\(.exchanges) exchanges, \(.bytes / 1000000 | floor) MB, 0 wrong"' <<<"$result")"
	else
		fail "$1: $result"
	fi
}

# What the balancer holds for clients, in bytes: the workers' memory, the queues of their sockets, with
# all that the kernel keeps for them, and what is in their pipes.
held() {
	local pid
	{
		on lb ss -tnmH 'sport = :80 or sport = :81 or sport = :82 or sport = :83 or dport = :9000' |
			sed -nE 's/.*skmem:\(r([0-9]+),.*,w([0-9]+),.*/\1\n\2/p'
		for pid in $(workers); do
			awk '/^RssAnon/ { print $2 * 1024 }' "/proc/$pid/status"
			python3 "$ROOT/tests/peer/pipes.py" "$pid" | cut -d' ' -f1
		done
	} | awk '{ sum += $1 } END { print sum + 0 }'
}

# settled: what is held, once that hardly grows.
settled() {
	local before=-1 now
	now=$(held)
	while ((now > before + (256 << 10))); do
		before=$now
		sleep 1
		now=$(held)
	done
	echo "$now"
}

lab_up
listeners >"$LAB_DIR/weir.yaml"
for node in ep1 ep2; do spawn "$LAB_DIR/$node/peer.log" $node python3 "$PEER" serve 9000; done
for node in ep1 ep2; do
	wait_for "on $node ss -Htln sport = :9000 | grep -q LISTEN" 10 || die "$node: no endpoint"
done
daemon_start "$LAB_DIR/weir.yaml"

for way in copy splice auto kernel; do
	port=${PORTS[$way]}
	peer_check "$way by IPv4" $((EXCHANGES / 2)) run $VIP4 $port $((EXCHANGES / 2)) 16 1
	peer_check "$way by IPv6" $((EXCHANGES / 2)) run $VIP6 $port $((EXCHANGES / 2)) 16 2
	peer_check "$way, cut at every byte" 259 cut $VIP4 $port
	peer_check "$way, large ones" 2 large $VIP6 $port $LARGE
	check "$way: both endpoints have served" jq -e 'length == 2 and all(.got > 0.3)' \
		<<<"$(weir -j show endpoints $way)"
done

for way in copy splice auto kernel; do
	before=$(held)
	spawn "$LAB_DIR/stalled.log" client python3 "$PEER" stall $VIP4 ${PORTS[$way]} $LARGE $STALLED
	wait_for "(( \$(held) - before > STALLED * (64 << 10) ))" 20 || fail "$way: nothing is on its way"
	each=$((($(settled) - before) / STALLED))
	if ((each <= 1 << 20)); then
		ok "$way: a client that stops reading makes the balancer hold $((each / 1024)) KiB"
	else
		fail "$way: a client that stops reading makes the balancer hold $((each / 1024)) KiB"
		on lb ss -tnmH | head -n 4
	fi
	check "... and nobody else waits for it" on client curl -sf -m 20 -o /dev/null \
		"http://$VIP4:${PORTS[$way]}/1/1/1000/length"
	kill "$SPAWNED"
	wait_for "[[ -z \$(on lb ss -tnH 'sport = :${PORTS[$way]}') ]]" 20 || fail "$way: they do not go"
done

# rooms: of each pipe of the workers.
rooms() {
	local pid
	for pid in $(workers); do
		python3 "$ROOT/tests/peer/pipes.py" "$pid" | tr ' ' '\n' | tail -n +2
	done
}
GRANTED=$(($(sysctl -n fs.pipe-user-pages-soft) / 64))
spawn "$LAB_DIR/stalled.log" client python3 "$PEER" stall $VIP4 ${PORTS[splice]} 1500000 $((GRANTED + 24))
wait_for "(( \$(on lb ss -tnH 'sport = :${PORTS[splice]}' | awk '\$3 > 0' | wc -l) == GRANTED + 24 ))" 60 ||
	fail "not all have stalled"
check "$((GRANTED + 24)) bodies wait, and none in a pipe of a few pages" \
	test "$(rooms | awk '$1 < 65536' | wc -l)" == 0
check "... nor is one cut short meanwhile" test 1000000 == \
	"$(on client curl -s -m $((20 * PATIENCE)) "http://$VIP4:${PORTS[splice]}/1/1/1000000/length" | wc -c)"
kill "$SPAWNED"
