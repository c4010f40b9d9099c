#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: an endpoint that says nothing, stops half way or cannot be reached costs a client no more than
# the listener's timeouts, one that is slow but goes on is waited for, and without a usable endpoint the
# answer is 503 at once: 504, 503 or half an answer, the access log and the counts say whose fault it was.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib-http.sh
. "$(dirname "$0")/lib-http.sh"

DARK=(10.77.0.98 10.77.0.99) # nobody answers there, and nobody says so

# group NAME ENDPOINT...: a virtual one.
group() {
	local name=$1
	shift
	printf '      - { name: %s, type: virtual, endpoints: [%s] }\n' "$name" "$(IFS=, && echo "$*")"
}

config() {
	cat <<-END
		version: 1
		interfaces: [eth0]
		access_log: "$LOG"
		listeners:
		  - name: web
		    protocol: http
		    address: $VIP4
		    port: 80
		    request_timeout: 2s
		    connect_timeout: 500ms
		    endpoint_groups:
		      - { name: main, endpoints: [{ name: halting, address: $(endpoint_address ep1 4), port: 9000 }] }
		$(group dark "${DARK[0]}:80")
		$(group darker "${DARK[0]}:80" "${DARK[1]}:80")
		$(group one-refuses "$(endpoint_address ep2 4):9" "$(endpoint_address ep3 4):80")
		$(group none "$(endpoint_address ep2 4):80 weight 0")
		      - name: dead
		        type: virtual
		        health_check: { interval: 1s, threshold: 2 }
		        endpoints: ["$(endpoint_address ep2 4):9"]
		    forwarding_rules:
		$(for name in dark darker one-refuses none dead; do echo "      - { path: /$name, forward: $name }"; done)
	END
}

# gets WHAT "STATUS EXIT BYTES" LEAST MOST PATH [CURL OPTIONS]: status, curl's exit status and the body's
# size are so, within these ms.
gets() {
	local got ms
	got=$(on client curl -s -m 30 -o /dev/null "${@:6}" "http://$VIP4$5" \
		-w '%{http_code} %{exitcode} %{size_download} %{time_total}' || true)
	ms=$(awk '{ print int($4 * 1000) }' <<<"$got")
	check "$1 ($got s)" test "${got% *}" = "$2" -a "$ms" -ge "$3" -a "$ms" -le "$4"
}
# said WHAT TARGET FILTER: the log has one line about it, which is so.
said() { check "$1" logged 1 ".target == \"$2\" and ($3)"; }

lab_up
for address in "${DARK[@]}"; do
	ip -n "$LAB-lb" neighbour replace "$address" lladdr 02:00:00:00:00:99 dev eth0 nud permanent
done
install -d -m 0777 "$LAB_DIR/log"
LOG=$LAB_DIR/log/access.log
config >"$LAB_DIR/weir.yaml"
spawn "$LAB_DIR/peer.log" ep1 python3 "$ROOT/tests/peer/patience.py" serve 9000
wait_for "on ep1 ss -Htln sport = :9000 | grep -q LISTEN" 10 || die "no endpoint"
daemon_start "$LAB_DIR/weir.yaml"

# ---- no whole head of an answer: request_timeout, 504 ----
for half in never interim half-a-head; do
	gets "an endpoint says no more than $half: 504" "504 0 20" 2000 8000 "/$half"
	said "... its fault" "/$half" '.status == 504 and .end == "endpoint_timeout" and .group == "main"
		and .endpoint == "halting" and .connected_ms != null and .answered_ms == null
		and .total_ms >= 2000'
done
gets "... also after a body" "504 0 20" 2000 8000 '/never?body' -d hello
said "... which was sent once" '/never?body' '.status == 504 and .retries == 0'
check "the endpoint's connections serve nobody else" wait_for \
	"! on ep1 ss -tnH state established 'sport = 9000' | grep -q ." 10
answer=$(on client curl -s -m 30 -o /dev/null -o /dev/null -w '%{http_code} %{num_connects},' \
	"http://$VIP4/never?first" "http://$VIP4/2")
check "the client's serves its next request ($answer)" test "$answer" = "504 1,200 0,"

# ---- half a body: the status is sent, so the connection breaks ----
gets "half a body: what there is of it" "200 56 500" 2000 8000 /half/1000
gets "half a chunk: what there is of it" "200 56 500" 2000 8000 /half-a-chunk
for target in /half/1000 /half-a-chunk; do
	said "... the endpoint's fault" $target '.status == 200 and .end == "endpoint_timeout"
		and .answered_ms != null and .sent > 500'
done
gets "a body that is slow, but goes on, is waited for" "200 0 12" 5000 15000 /trickle/12
said "... and is no failure" /trickle/12 '.status == 200 and .end == "done"'

# ---- no connection: connect_timeout, another try, 504 ----
gets "the only endpoint is silent: 504" "504 0 20" 1000 6000 /dark
said "... after two attempts" /dark '.status == 504 and .end == "connect_failed"
	and .group == "dark" and .connected_ms == null and .retries == 1 and .total_ms >= 1000'
gets "both endpoints are: 504" "504 0 20" 1000 6000 /darker
said "... after an attempt with each" /darker '.status == 504 and .end == "connect_failed" and .retries == 1'

# ---- a connection refused: the next endpoint is asked, on a connection that is there ----
check "one of two refuses: all are answered" test 40 == \
	"$(on client curl -s -m 30 "http://$VIP4/one-refuses?[1-40]" | grep -c '^ep3$')"
check "... the log has them" logged 40 '.group == "one-refuses" and .endpoint == "'"$(endpoint_address ep3 4)"':80"'
check "... some after an attempt with each" test "$(lines '.group == "one-refuses" and .retries == 1')" -gt 5
check "... over one connection" test 1 == \
	"$(on ep3 ss -tnH state established 'sport = 80' | wc -l)"

# ---- nobody to ask: 503 ----
dead() { weir -j show checks web/dead | jq -e 'map(.health.state) == ["abnormal"]'; }
check "an endpoint is found dead" wait_for dead 15
weir drain web/main/halting >/dev/null
for target in /none /dead /1; do
	gets "no usable endpoint for $target: 503 at once" "503 0 24" 0 1900 $target
	said "... and why" $target '.status == 503 and .end == "no_endpoint" and .endpoint == null'
done
weir undrain web/main/halting >/dev/null
gets "as soon as there is one" "200 0 7" 0 1900 /7

# ---- they agree with what is counted ----
check "the counts of each class are the log's" wait_for classes 5
check "... and of each end" wait_for ends 5
check "... which people see" eval "weir stats web | grep -E 'no_endpoint 3' | grep -E 'endpoint_timeout 7' | grep -q 'connect_failed 2'"
