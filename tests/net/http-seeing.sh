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

# seen_config LOG: ep1 and ep2 as ever, a dead endpoint behind /dead, and a rule that drops.
seen_config() {
	http_config 50 100 "{ path: /dead, forward: dead }" "{ name: hush, path: /drop, drop: true }" |
		sed "/^version/a access_log: \"$1\"\nmetrics: { listen: 127.0.0.1:9700 }
			s|^    forwarding_rules:|      - { name: dead, type: virtual, endpoints: [{ name: gone, address: $(endpoint_address ep1 4), port: 9 }] }\n&|"
}

# lines FILTER [FILE...]: how many lines of the log are so, and all of them are JSON.
lines() { cat "${@:2}" "$LOG" | jq -en "[inputs | select($1)] | length"; }
has() { [[ $(lines "$2") == "$1" ]]; }
logged() { wait_for "has $1 '$2'" 5; }

# counted FILE...: endpoints have as many requests as the log has lines of them.
counted() { (($(lines '.endpoint != null and .end != "connect_failed"' "$@") == $(weir -j stats web | jq '.[0].flows'))); }

# classes FILTER...: does the listener count as many answers of each class as the log has lines?
classes() {
	local logged counted
	logged=$(cat "$@" "$LOG" | jq -sc '[range(1; 6) as $class | map(select(.status / 100 | floor == $class)) | length] + [length]')
	counted=$(weir -j stats web | jq -c '.[0].http | [.answers[]] + [.requests]')
	[[ $logged == "$counted" ]]
}

# ask N PATH [CURL OPTIONS]: N requests on one connection, in N paths.
ask() { on client curl -s -m 30 -o /dev/null "${@:3}" "http://$VIP4$2?n=[1-$1]"; }

lab_up
install -d -m 0777 "$LAB_DIR/log"
LOG=$LAB_DIR/log/access.log
seen_config "$LOG" >"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"

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
check "people see them, too" eval "weir stats web | grep -qE '^web +[0-9]+ +0 +30[0-9] +1 +[3-9] +1 .* (us|ms)'"
check "endpoints have theirs" eval "weir -j stats web | jq -e '.[0].endpoints | map(select(.group == \"main\") | .http.answers[\"2xx\"]) | add == \$n' \\
	--argjson n \"\$(lines '.group == \"main\" and .status == 200')\""
check "times of all their answers" eval "weir -j show latency | jq -e 'map(.first_answers | map(.answers) | add) | add == \$n' \\
	--argjson n \"\$(lines '.endpoint != null and .answered_ms != null')\""
on lb curl -sf -m 5 -o "$LAB_DIR/metrics" http://127.0.0.1:9700/metrics
check "metrics say so" eval "((\$(sed -n 's/^weir_http_requests_total{listener=.web.,class=.4xx.} //p' '$LAB_DIR/metrics') ==
	\$(lines '.status >= 400 and .status < 500')))"
check "... and how many got no answer" grep -qx 'weir_http_requests_total{listener="web",class="none"} 1' "$LAB_DIR/metrics"
check "... and how long answers took" grep -q '^weir_listener_first_answer_seconds_count{listener="web"} 30[0-9]$' "$LAB_DIR/metrics"
check "promtool is silent" bash -c "! { $(tools/promtool) check metrics <$LAB_DIR/metrics 2>&1 || echo FAILED; } | grep ."

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

# ---- killed ----
ask 500 /worker
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
sed '/^access_log/d' "$LAB_DIR/weir.yaml" >"$LAB_DIR/off.yaml"
check "off" weir apply "$LAB_DIR/off.yaml"
before=$(lines true)
ask 20 /off
check "... nothing is written" eval "sleep 0.3; ((\$(lines true) == $before))"
