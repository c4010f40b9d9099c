#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: what goes through a listener of http comes out whole and in the right place: thousands of
# exchanges whose every byte is known, cut anywhere, pipelined, in chunks, half closed and reset, with
# bodies that are copied and bodies that are spliced; a large one each way; and a client that stops
# reading makes the balancer hold no more than a mebibyte.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

PEER=$ROOT/tests/peer/exchanges.py

lab_up
cat >"$LAB_DIR/weir.yaml" <<END
version: 1
interfaces: [eth0]
listeners:
  - name: known
    protocol: http
    address: [$VIP4, "$VIP6"]
    port: 80
    endpoint_groups:
      - { name: main, endpoints: ["$(endpoint_address ep1 4):9000", "[$(endpoint_address ep2 6)]:9000"] }
  - name: large
    protocol: http
    address: [$VIP4, "$VIP6"]
    port: 81
    endpoint_groups:
      - { name: main, endpoints: ["$(endpoint_address ep3 4):80"] }
END
for node in ep1 ep2; do spawn "$LAB_DIR/$node/peer.log" $node python3 "$PEER" serve 9000; done
daemon_start "$LAB_DIR/weir.yaml"
for node in ep1 ep2; do
	wait_for "on client python3 -c 'import socket; socket.create_connection((\"$(endpoint_address $node 4)\", 9000))'" 5 ||
		[[ $node == ep2 ]]
done

# exchanges VIP COUNT SEED
exchanges() {
	local result
	result=$(on client timeout 200 python3 "$PEER" run "$1" 80 "$2" 16 "$3")
	if jq -e --argjson n "$2" '.wrong == 0 and .exchanges >= $n' <<<"$result" >/dev/null; then
		ok "$(jq -r '"\(.exchanges) exchanges, \(.bytes / 1000000 | floor) MB, 0 wrong"' <<<"$result") by $1"
	else
		fail "exchanges by $1: $result"
	fi
}
exchanges $VIP4 2400 1
exchanges $VIP6 2400 2

# ---- large ones ----
truth=$(md5sum <"$LAB_DIR/ep3/big")
for vip in $VIP4 "[$VIP6]"; do
	check "64 MiB by $vip" test "$(on client curl -s -m 30 "http://$vip:81/big" | md5sum)" == "$truth"
done

# ---- a client that stops reading ----
spawn "$LAB_DIR/stalled.log" client python3 -c "
import socket, time
s = socket.create_connection(('$VIP4', 81))
s.sendall(b'GET /big HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
time.sleep(60)"
stalled=$SPAWNED
sleep 3
# What waits in the balancer's sockets, and as much as a pipe and its own buffer hold.
queued=$(on lb ss -tnH 'dport = :80 or sport = :81' |
	awk '{ sum += $4 ~ /:81$/ ? $3 : $2 } END { print sum + 0 }')
if ((queued > 0 && queued + (320 << 10) <= 1 << 20)); then
	ok "a client that stops reading: $((queued / 1024)) KiB wait"
else
	fail "a client that stops reading: $queued bytes wait: $(on lb ss -tnH | xargs)"
fi
kill "$stalled"
check "... and nobody else waits for it" eval "on client curl -sf -m 2 -o /dev/null 'http://$VIP4:81/'"
