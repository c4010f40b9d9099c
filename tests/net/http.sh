#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: a listener of http serves real requests by its rules and weights, in both families; a rule, a
# weight, a worker and the daemon change or die under load, and no request fails but those that a
# killed worker had; slow clients are cut and harm nobody; what can be asked of weir says so.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib-http.sh
. "$(dirname "$0")/lib-http.sh"

WORKERS=$(nproc)

# shares WHAT N URL WEIGHT...: who answers N requests over few connections, within 2 points.
shares() {
	local what=$1 n=$2 url=$3
	shift 3
	share_check "$what" "$(on client curl -s -m 20 "$url[1-$n]" | sort | uniq -c |
		jq -cRn --argjson n "$n" '[inputs | split(" ") | map(select(. != ""))
			| {key: .[1], value: (.[0] | tonumber)}] | from_entries
			| {connections: $n, failed: ($n - (add // 0)), endpoints: .}')" "$@"
}

lab_up
http_config 50 100 >"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"

# ---- connections to endpoints ----
opened() { on ep1 nstat -asz TcpPassiveOpens | awk '/PassiveOpens/ { print $2 }'; }
before=$(opened)
on client curl -s -m 60 -o /dev/null -H "Host: a.example" "http://$VIP4/big?[1-24]" || true
check "a large answer leaves its connection to the next request" test $(($(opened) - before)) -le 2

# ---- rules ----
check "a host and a path lead to a virtual group" answers "ep3 200" api.example.com /v2/x
check "... whatever the host's case and port" answers "ep3 200" API.example.com:80 /v2/x
check "the path matters: 404, since rules name the host" answers "404 Not Found 404" \
	api.example.com /v1/x
check "a redirect" answers " 301 https://www.example.com/new?a=1" old.example.com '/new?a=1' \
	-o /dev/null -w ' %{http_code} %{redirect_url}'
check "a fixed response" answers "all is well 200" www.example.com /status
check "another host goes to the default group" test "$(answer other.example.com /)" != "404 Not Found 404"
check "an escaped dot segment does not slip past" answers "404 Not Found 404" \
	api.example.com '/v2/%2e%2e/x' --path-as-is
shares "1:2 by IPv4:" 3000 "http://$VIP4/" 50 100
shares "1:2 by IPv6:" 3000 "http://\\[$VIP6\\]/" 50 100
check "X-Forwarded-For is the client's" answers "10.77.0.2 200" www.example.com /forwarded \
	-H 'X-Forwarded-For: 192.0.2.66'

# ---- what weir says ----
check "weir show listeners" eval "weir -j show listeners | jq -e '.[0].mode == \"proxy\"'"
check "weir stats counts requests" eval \
	"weir -j stats | jq -e '.[] | select(.listener == \"web\") | .flows >= 6000'"
check "packets are counted as the host's" eval \
	"weir -j show drops | jq -e '.[] | select(.listener == \"web\" and .reason == \"local\") | .packets > 6000'"

# ---- what would become of a request, by what is in force ----
# explained FILTER PATH [EXPLAIN OPTIONS]
explained() { weir -j explain 10.77.0.2 "$VIP4:80" --http "GET $2" "${@:3}" | jq -e ".http | $1" >/dev/null; }
check "explain: both endpoints, 1:2" explained '.groups[0].endpoints | map({ (.endpoint): (.share * 3 | round) }) | add == { ep1: 1, ep2: 2 }' / -H 'Host: a'
check "... a rule's group" explained '.rule_number == 1 and (.groups | map(.endpoints[] | .endpoint + .state) == ["ep3active"])' \
	/v2/x -H 'Host: api.example.com'
check "... in words" eval \
	"weir explain 10.77.0.2 $VIP4:80 --http 'GET /v2/x' -H 'Host: api.example.com' | grep -qx '  endpoint  ep3, 100.0 % of requests'"
weir drain web/main/ep1 >/dev/null
check "... one is drained: the other, as workers do" explained \
	'.groups[0].endpoints | map({ (.endpoint): .share }) | add == { ep1: 0, ep2: 1 }' / -H 'Host: a'
shares "which they do:" 100 "http://$VIP4/" 0 1
weir set web/main/ep2 weight=0 >/dev/null
check "... nobody: 503" explained '.status == 503 and (.groups[0].endpoints | length == 2)' / -H 'Host: a'
check "... which clients get" eval "[[ \$(answer www.example.com /) == *' 503' ]]"
weir undrain web/main/ep1 web/main/ep2 >/dev/null 2>&1 || { weir undrain web/main/ep1 && weir set web/main/ep2 weight=100; } >/dev/null
check "... again" explained '.groups[0].endpoints | map({ (.endpoint): (.share * 3 | round) }) | add == { ep1: 1, ep2: 2 }' / -H 'Host: a'

# ---- workers ----
check "a worker for each CPU" worker_count "$WORKERS"
for pid in $(workers); do
	check "worker $pid has no privileges" grep -Pzq \
		'(?s)Uid:\t1\t1\t1\t1\n.*CapPrm:\t0+\nCapEff:\t0+\n.*NoNewPrivs:\t1\nSeccomp:\t2' "/proc/$pid/status"
done
load_start
sleep 1
before=$(workers)
daemon_kill9
check "the daemon is killed: requests are served" answers "ep3 200" api.example.com /v2/x
check "... by the same workers" test "$(workers)" == "$before"
daemon_start "$LAB_DIR/weir.yaml"
check "a new daemon serves" answers "ep3 200" api.example.com /v2/x
load_check "kill -9 of the daemon under load, and the next one"
check "the workers before have drained" wait_for "worker_count $WORKERS" 20
check "others than before" test "$(workers)" != "$before"

# ---- slow ones ----
spawn "$LAB_DIR/mute.log" ep1 python3 "$ROOT/tests/peer/slow.py" serve 9001
http_config 50 100 "{ path: /slow, forward: mute }" |
	sed "s|^    forwarding_rules:|      - { name: mute, type: virtual, endpoints: ['$(endpoint_address ep1 4):9001'] }\n&|" \
		>"$LAB_DIR/slow.yaml"
wait_for "on ep1 ss -tlnH 'sport = 9001' | grep -q ." 10 || die "no slow endpoint"
weir apply "$LAB_DIR/slow.yaml" >/dev/null
spawn "$LAB_DIR/slow.log" client python3 "$ROOT/tests/peer/slow.py" "$VIP4" 80 300 300 500
wait_for "grep -q opened '$LAB_DIR/slow.log'" 30
took=$(on client curl -s -m 20 -o /dev/null -w '%{http_code} in %{time_total} s' "http://$VIP4/")
cut=$(grep -c '^[1-9][0-9]* cut' "$LAB_DIR/slow.log" || true)
check "300 slow heads, 300 slow bodies, 500 idle: a request is served ($took)" test "${took%% *}" = 200
check "... before any of them is cut" test "$cut" = 0
check "slow ones are cut" wait_for "grep -q 'idle ones' '$LAB_DIR/slow.log'" 60
check "... heads by 408" grep -qx '300 heads: 408' "$LAB_DIR/slow.log"
check "... bodies by 408" grep -qx '300 bodies: 408' "$LAB_DIR/slow.log"
weir apply "$LAB_DIR/weir.yaml" >/dev/null

# ---- the end ----
sed 's/port: 80$/port: 81/' "$LAB_DIR/weir.yaml" >"$LAB_DIR/moved.yaml"
check "another port" weir apply "$LAB_DIR/moved.yaml"
check "... is served" exit_status 0 on client curl -sf -m 2 -o /dev/null "http://$VIP4:81/"
check "... and the one before no more" exit_status 7 on client curl -s -m 2 "http://$VIP4/"
check "listeners of tcp alone" eval 'lab_config nat 50 30 20 >"$LAB_DIR/tcp.yaml"; weir apply "$LAB_DIR/tcp.yaml"'
check "... need no workers" wait_for "worker_count 0" 20
check "... and no steering" test ! -e "/sys/fs/bpf/$LAB/steering-link"
weir apply "$LAB_DIR/weir.yaml" >/dev/null
daemon_stop
check "a stopped daemon leaves its workers" answers "ep3 200" api.example.com /v2/x
check "weir down" weir down
check "... ends them" wait_for "worker_count 0" 3
