#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: who a client is passes through: the PROXY protocol is read from those who may speak it, however
# it is cut, and whatever else they say is refused; endpoints (nginx) understand it in both versions.
# A crowd that takes all descriptors of the workers keeps others waiting and harms nobody: those who are
# there are served, nothing spins, it is said, and all is well when the crowd has gone.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib-http.sh
. "$(dirname "$0")/lib-http.sh"

PEER=$ROOT/tests/peer

# listener NAME PORT ENDPOINT [LINE...]
listener() {
	printf '  - name: %s\n    protocol: http\n    address: [%s, "%s"]\n    port: %s\n' "$1" $VIP4 $VIP6 "$2"
	printf '    endpoint_groups: [{ name: main, endpoints: [%s] }]\n' "$3"
	shift 3
	(($# == 0)) || printf '    %s\n' "$@"
}

lab_up
plain="{ address: $(endpoint_address ep1 4), port: 80 }"
told="address: $(endpoint_address ep1 4), port: 8082, proxy_protocol"
{
	printf 'version: 1\ninterfaces: [eth0]\nlisteners:\n'
	listener plain 80 "$plain"
	listener told 81 "$plain" 'proxy_protocol_in: { from: [10.77.0.2, "fd77::2"] }' 'header_timeout: 2s' 'forwarding_rules:' \
		'  - { source_ip: 203.0.113.0/24, fixed_response: { code: 200, body: "by its address" } }'
	listener strangers 82 "$plain" 'proxy_protocol_in: { from: [10.77.0.3, "fd77::3"] }'
	listener v1 83 "{ $told: v1 }"
	listener v2 84 "{ $told: v2 }"
	listener through 85 "{ $told: v2 }" 'proxy_protocol_in: { from: [10.77.0.2, "fd77::2"] }'
	listener mixed 86 "{ $told: v1 }" 'proxy_protocol_in: { from: [10.77.0.2, "fd77::2"] }'
} >"$LAB_DIR/weir.yaml"

# ---- who it is ----
daemon_start "$LAB_DIR/weir.yaml"
for vip in $VIP4 $VIP6; do
	on client timeout 120 python3 "$PEER/preambles.py" $vip 81 82 || fail "some of it by $vip"
done
for port in 83 84; do
	check "an endpoint is told who it is, by IPv4: $port" test \
		"$(on client curl -s -m 5 "http://$VIP4:$port/" "http://$VIP4:$port/" | uniq)" = 10.77.0.2
	check "... by IPv6" test "$(on client curl -s -m 5 "http://[$VIP6]:$port/")" = fd77::2
done
check "what one proxy says another is told" test \
	"$(printf 'PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\nGET / HTTP/1.0\r\n\r\n' |
		on client timeout 10 bash -c "exec 3<>/dev/tcp/$VIP4/85; cat >&3; tail -n 1 <&3")" = 192.0.2.7
check "... also of IPv4, by IPv6" test \
	"$(printf 'PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\nGET / HTTP/1.0\r\n\r\n' |
		on client timeout 10 bash -c "exec 3<>/dev/tcp/$VIP6/86; cat >&3; tail -n 1 <&3")" = ::ffff:192.0.2.7
check "who does not say it in time is closed, without an answer" test \
	"$(on client timeout 20 bash -c "exec 3<>/dev/tcp/$VIP4/81; printf 'PROXY TCP4 192' >&3; cat <&3" && echo closed)" = closed
daemon_stop
weir down >/dev/null

# ---- a crowd ----
printf '#!/bin/sh\nulimit -n 256\nexec %s "$@"\n' "$WEIR" >"$LAB_DIR/limited"
chmod +x "$LAB_DIR/limited"
WEIR=$LAB_DIR/limited daemon_start "$LAB_DIR/weir.yaml"
mapfile -t pids < <(workers)
result=$(on client timeout 100 python3 "$PEER/crowd.py" $VIP4 80 40 600 "${pids[@]}")
check "a crowd takes all descriptors: $result" jq -e \
	'.first == 40 and .again == 40 and .after == 10 and .busy < 50' <<<"$result"
check "... and that is said, once" test "$(grep -c 'connections are open' "$DAEMON_LOG")" -le "${#pids[@]}"
check "... at all" grep -q 'connections are open' "$DAEMON_LOG"
check "by the same workers" test "$(workers | xargs)" = "${pids[*]}"
