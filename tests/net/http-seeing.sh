#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: what http listeners do can be seen. The access log has a line of right JSON for each request,
# whatever a client sends, says what became of it, and loses none when the file is moved away, when a
# worker or the daemon is killed, or when it cannot be opened; a file that takes nothing delays nobody.
# Counters count what clients have sent, and nothing that is counted is forgotten.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib-http.sh
. "$(dirname "$0")/lib-http.sh"

# seen_config LOG: ep1 and ep2 as ever, a dead endpoint behind /dead, one that says nothing behind
# /mute, and a rule that drops.
seen_config() {
	http_config 50 100 "{ path: /dead, forward: dead }" "{ name: hush, path: /drop, drop: true }" \
		"{ path: /mute, forward: mute }" |
		sed "/^version/a access_log: \"$1\"\nmetrics: { listen: 127.0.0.1:9700 }
			s|^    forwarding_rules:|      - { name: dead, type: virtual, endpoints: [{ name: gone, address: $(endpoint_address ep1 4), port: 9 }] }\n      - { name: mute, type: virtual, endpoints: [{ name: mute, address: $(endpoint_address ep1 4), port: 9001 }] }\n&|"
}

# counted FILE...: endpoints have as many requests as the log has lines of what they have answered.
counted() { (($(lines '.endpoint != null and .end != "connect_failed" and .end != "endpoint_timeout"' "$@") == $(weir -j stats web | jq '.[0].flows'))); }

# ruled FILE...: as many of each rule, by number, as of the listener's three.
ruled() {
	local logged counted
	logged=$(cat "$@" "$LOG" | jq -c -s '[(1, 2, "hush") as $rule | map(select(.rule == $rule)) | length]')
	counted=$(weir -j show rules web | jq -c '[.[] | select(.number <= 2 or .rule == "hush") | .requests]')
	[[ $logged == "$counted" ]]
}

# about FILTER: what is under way.
about() { weir -j stats web | jq -e ".[0].http | $1" >/dev/null; }
metric() { on lb curl -sf -m 5 http://127.0.0.1:9700/metrics | sed -n "s/^$1 //p"; }

# ask N PATH [CURL OPTIONS]: N requests on one connection, in N paths.
ask() { on client curl -s -m 30 -o /dev/null "${@:3}" "http://$VIP4$2?n=[1-$1]"; }

lab_up
install -d -m 0777 "$LAB_DIR/log"
LOG=$LAB_DIR/log/access.log
seen_config "$LOG" >"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"
spawn "$LAB_DIR/mute.log" ep1 python3 -c 'import socket, time; s = socket.create_server(("", 9001)); time.sleep(3600)'
wait_for "on ep1 ss -tlnH 'sport = 9001' | grep -q ." 10 || die "nobody says nothing"

# ---- a line for each ----
ask 300 /a
check "300 requests are 300 lines" logged 300 '.end == "done" and .status == 200'
check "... of a listener, a group, an endpoint" has 300 '.listener == "web" and .group == "main"
	and (.endpoint | test("^ep[12]$")) and .rule == null and .method == "GET" and .version == "1.1"'
check "... with bytes both ways, and times in their order" has 300 '.received > 50 and .sent > 50
	and .head_ms <= .connected_ms and .connected_ms <= .answered_ms and .answered_ms <= .total_ms'
check "... all but some on connections that were there" eval "((\$(lines .reused) > 280))"
check "a rule by its place" answers "ep3 200" api.example.com /v2/x
check "... is seen" logged 1 '.rule == 1 and .group == "api" and .endpoint == "ep3" and .host == "api.example.com"'
check "a redirect" exit_status 0 on client curl -s -o /dev/null -H 'Host: old.example.com' "http://$VIP4/"
check "... is a rule's" logged 1 '.rule == 2 and .status == 301 and .end == "rule" and .endpoint == null'
check "dropped by name" exit_status 56 on client curl -s -o /dev/null "http://$VIP4/drop"
check "... is seen" logged 1 '.rule == "hush" and .status == 0 and .end == "rule"'
check "a dead endpoint" answers "502 Bad Gateway 502" www.example.com /dead
check "... is seen" logged 1 '.status == 502 and .end == "connect_failed" and .endpoint == "gone" and .connected_ms == null'
check "a client of IPv6" exit_status 0 on client curl -s -o /dev/null "http://[$VIP6]/six"
check "... is seen" logged 1 '.target == "/six" and (.client | startswith("["))'

# A request, and a reset right behind it: the worker reads the one when it knows of the other.
check "who is gone before the answer" on client python3 -c '
import socket, struct, sys
for _ in range(50):
    with socket.create_connection((sys.argv[1], 80), 20) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(b"GET /status?gone HTTP/1.1\r\nHost: x\r\n\r\n")' "$VIP4"
check "... is seen" logged 50 '.target == "/status?gone" and (.end == "client_closed" and .status == 0 or .end == "rule" and .status == 200)'

# ---- hostile bytes ----
# shellcheck disable=SC2016 # the inner shell's arguments
raw() { on client timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/80"; printf "$2" >&3; cat <&3 >/dev/null' raw "$VIP4" "$1" || true; }
before=$(lines true)
raw 'GET /\xff\xfe"\\ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
raw 'GET /q"uote{}? HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
raw 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'
raw '\x00\x01\r\n\r\n'
raw 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'
check "each is one line, of right JSON" wait_for "((\$(lines true) == $before + 5))" 5
check "... that says why" eval "((\$(lines '.end == \"client_refused\" and .status == 400 and (.why | length) > 5') >= 3))"

# ---- they agree with what is counted ----
check "as many as are counted" counted
check "... in each class, weir's own answers and all" classes
check "... by how they ended" ends
check "... and of each rule" ruled
check "people see that, too" eval "weir stats web | grep -qE '^web +[0-9]+ +0 .* (us|ms|s) .*client_refused [0-9]+.*connect_failed 1'"
check "... and rules" eval "weir show rules web | grep -qE '^web +hush +- +1 +path /drop +close the connection'"
# (Of the fifty who had gone some may have an answer, see above.)
check "people see them, too" eval "weir stats web | grep -qE '^web +[0-9]+ +0 +3[0-5][0-9] +1 +[3-9] +1 .* (us|ms|s)( |$)'"
check "endpoints have theirs" eval "weir -j stats web | jq -e '.[0].endpoints | map(select(.group == \"main\") | .http.answers[\"2xx\"]) | add == \$n' \\
	--argjson n \"\$(lines '.group == \"main\" and .status == 200')\""
check "times of all their answers" eval "weir -j show latency | jq -e 'map(.first_answers | map(.answers) | add) | add == \$n' \\
	--argjson n \"\$(lines '.endpoint != null and .answered_ms != null')\""
on lb curl -sf -m 5 -o "$LAB_DIR/metrics" http://127.0.0.1:9700/metrics
check "metrics say so" eval "((\$(sed -n 's/^weir_http_requests_total{listener=.web.,class=.4xx.} //p' '$LAB_DIR/metrics') ==
	\$(lines '.status >= 400 and .status < 500')))"
check "... and how many got no answer" eval "((\$(sed -n 's/^weir_http_requests_total{listener=.web.,class=.none.} //p' '$LAB_DIR/metrics') ==
	\$(lines '.status == 0')))"
check "... and how long answers took" grep -q '^weir_listener_first_answer_seconds_count{listener="web"} 30[0-9]$' "$LAB_DIR/metrics"
check "... and why not" grep -qx 'weir_http_requests_ended_total{listener="web",end="connect_failed"} 1' "$LAB_DIR/metrics"
check "... and by rules" grep -qx 'weir_http_rule_requests_total{listener="web",rule="hush"} 1' "$LAB_DIR/metrics"
check "... and how long it all took" eval "((\$(sed -n 's/^weir_http_request_seconds_count{listener=.web.} //p' '$LAB_DIR/metrics') == \$(lines true)))"
check "promtool is silent" bash -c "! { $(tools/promtool) check metrics <$LAB_DIR/metrics 2>&1 || echo FAILED; } | grep ."

# ---- under way ----
# shellcheck disable=SC2016 # the inner shell's arguments
hold() { spawn "$LAB_DIR/hold.log" client bash -c 'exec 3<>"/dev/tcp/$1/80"; printf "$2" >&3; sleep 60' hold "$VIP4" "$1"; }
check "nothing is under way" wait_for "about '.connections == 0 and .in_flight == 0'" 15
HELD=()
for head in '' 'GET / HT' 'GET /mute HTTP/1.1\r\nHost: a\r\n\r\n'; do
	hold "$head"
	HELD+=("$SPAWNED")
done
check "three connections, one request" wait_for "about '.connections == 3 and .in_flight == 1'" 5
check "... in metrics" test "$(metric 'weir_http_connections{listener="web"}') $(metric 'weir_http_requests_in_flight{listener="web"}')" = "3 1"
kill "${HELD[2]}" # which has sent its request whole, and may still want the answer
check "two, none" wait_for "about '.connections == 2 and .in_flight == 0'" 20
kill "${HELD[@]:0:2}"
check "all are gone" wait_for "about '.connections == 0'" 20

# ---- moved away ----
spawn "$LAB_DIR/wrk.log" client wrk -t2 -c16 -d4 "http://$VIP4/rotated"
LOADER=$SPAWNED
for i in 1 2 3 4 5; do
	sleep 0.5
	mv "$LOG" "$LOG.$i"
	if ((i % 2)); then kill -USR1 "$DAEMON"; else weir apply "$LAB_DIR/weir.yaml" >/dev/null; fi
	check "file $i is opened anew" wait_for "test -s '$LOG'" 5
done
wait "$LOADER" || true
sent=$(sed -nE 's/ *([0-9]+) requests in.*/\1/p' "$LAB_DIR/wrk.log")
# What wrk leaves unanswered at its end, it has sent, and does not count.
rotated() { total=$(lines '.target == "/rotated" and .end == "done"' "$LOG".[1-5]); }
check "no line is lost" wait_for "rotated && ((total >= sent && total <= sent + 16))" 10
check "as many as are counted" wait_for "counted $LOG.[1-5]" 5

# ---- in maps that grow ----
# many N: so many endpoints more, which nobody uses.
many() {
	sed "s|^    forwarding_rules:|      - { name: many, type: virtual, endpoints: [$(seq -s ', ' -f '10.9.0.%g' "$1")] }\n&|" \
		"$LAB_DIR/weir.yaml" >"$LAB_DIR/many.yaml"
	weir apply "$LAB_DIR/many.yaml" >/dev/null
}
spawn "$LAB_DIR/wrk.log" client wrk -t2 -c16 -d6 "http://$VIP4/growing"
LOADER=$SPAWNED
held=$(weir -j show maps | jq '.[] | select(.map == "endpoint_http") | .entries')
for count in 40 80 160 250; do
	sleep 0.5
	check "$count endpoints more" many "$count"
done
check "for which maps have grown" eval \
	"weir -j show maps | jq -e '.[] | select(.map == \"endpoint_http\") | .entries > $held'"
wait "$LOADER" || true
check "nothing is lost meanwhile" wait_for "counted $LOG.[1-5]" 10
check "... of no class" wait_for "classes $LOG.[1-5]" 10
weir apply "$LAB_DIR/weir.yaml" >/dev/null

# ---- killed ----
ask 500 /worker
hold 'GET /mute HTTP/1.1\r\nHost: a\r\n\r\n'
check "something is under way" wait_for "about '.connections == 1 and .in_flight == 1'" 5
for pid in $(workers); do kill -9 "$pid"; done
check "what killed workers have answered is written" logged 500 '.target | startswith("/worker")'
check "... and counted" counted "$LOG".[1-5]
check "others are there" wait_for 'answers "ep3 200" api.example.com /v2/x' 5
daemon_kill9
ask 500 /alone
check "without a daemon" logged 500 '.target | startswith("/alone")'
daemon_start "$LAB_DIR/weir.yaml"
ask 500 /next
check "with the next one" logged 500 '.target | startswith("/next")'
check "nothing is forgotten" counted "$LOG".[1-5]
check "... in no class" classes "$LOG".[1-5]
check "... of no end" ends "$LOG".[1-5]
check "... of no rule" ruled "$LOG".[1-5]
check "what died is not under way any more" about '.connections == 0 and .in_flight == 0'
# Another rule before them, and one that is none of theirs.
sed 's|^    forwarding_rules:|&\n      - { path: /first, forward: api }|' "$LAB_DIR/weir.yaml" >"$LAB_DIR/first.yaml"
before=$(weir -j show rules web | jq -c 'map(.requests)')
weir apply "$LAB_DIR/first.yaml" >/dev/null
check "rules keep what is theirs, wherever they stand" test "$(weir -j show rules web | jq -c 'map(.requests)')" = "[0,${before#[}"

# ---- a file that cannot be, or takes nothing ----
seen_config "$LAB_DIR/log/none/access.log" >"$LAB_DIR/wrong.yaml"
weir apply "$LAB_DIR/wrong.yaml" >"$LAB_DIR/refusal" 2>&1 && fail "a file in no folder is taken" ||
	check "a file in no folder is refused, with what to do" grep -q 'access_log: .*make its folder' "$LAB_DIR/refusal"
mkfifo -m 0666 "$LAB_DIR/log/pipe"
sleep 60 <>"$LAB_DIR/log/pipe" &
READER=$!
seen_config "$LAB_DIR/log/pipe" >"$LAB_DIR/pipe.yaml"
check "a pipe that nobody empties" weir apply "$LAB_DIR/pipe.yaml"
load=$(on client wrk -t2 -c16 -d4 "http://$VIP4/full")
check "delays no request" test -z "$(grep -E 'Socket errors|Non-2xx' <<<"$load")"
check "... of thousands" eval "((\$(sed -nE 's/ *([0-9]+) requests in.*/\\1/p' <<<'$load') > 1000))"
kill "$READER"
check "what was dropped is counted" wait_for "((\$(metric weir_access_log_lines_lost_total) > 0))" 5
sed '/^access_log/d' "$LAB_DIR/weir.yaml" >"$LAB_DIR/off.yaml"
check "off" weir apply "$LAB_DIR/off.yaml"
before=$(lines true)
ask 20 /off
check "... nothing is written" eval "sleep 0.3; ((\$(lines true) == $before))"
