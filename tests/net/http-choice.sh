#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: an endpoint has no more requests at a time than max_connections, over all workers, also after
# one was killed; one that fails clients' requests is put aside by passive_health, comes back, and is
# still asked where nobody else is left; one that comes back has little of its share first, with
# slow_start. What weir shows of it is so.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-http.sh
. "$(dirname "$0")/lib-http.sh"

PORT=8000
START=20 # s

# Three listeners with the same two endpoints.
config() {
	cat <<-END
		version: 1
		interfaces: [eth0]
		access_log: $LAB_DIR/log/access.log
		metrics: { listen: 127.0.0.1:9700 }
		listeners:
		  - name: few
		    protocol: http
		    address: $VIP4
		    port: 80
		    endpoint_groups:
		      - name: main
		        endpoints:
		          - { name: one, address: $(endpoint_address ep1 4), port: $PORT, max_connections: 3 }
		          - { name: two, address: $(endpoint_address ep2 4), port: $PORT, max_connections: 2 }
		  - name: ill
		    protocol: http
		    address: $VIP4
		    port: 81
		    endpoint_groups:
		      - name: main
		        passive_health: { failures: 3, duration: 8s, server_errors: true }
		        endpoints:
		          - { name: one, address: $(endpoint_address ep1 4), port: $PORT }
		          - { name: two, address: $(endpoint_address ep2 4), port: $PORT }
		  - name: slow
		    protocol: http
		    address: $VIP4
		    port: 82
		    endpoint_groups:
		      - name: main
		        slow_start: ${START}s
		        endpoints:
		          - { name: one, address: $(endpoint_address ep1 4), port: $PORT }
		          - { name: two, address: $(endpoint_address ep2 4), port: $PORT }
	END
}

mode() { echo "$2" >"$LAB_DIR/$1.mode"; }
seen() { wc -l <"$LAB_DIR/$1.seen"; }
forget() { : >"$LAB_DIR/one.seen"; : >"$LAB_DIR/two.seen"; }
peak() { sort -n "$LAB_DIR/$1.seen" | tail -n 1; }

# asked PORT REQUESTS [AT A TIME]: their answers, counted: "200 40,502 2", each on a connection of its own.
asked() {
	# shellcheck disable=SC2016 # the inner shell's arguments
	on client xargs -P "${3-1}" -I {} curl -s -m 20 -o /dev/null -w '%{http_code}\n' -H 'Connection: close' \
		"http://$VIP4:$1/{}" < <(seq "$2") | sort | uniq -c | awk '{ print $2, $1 }' | paste -sd,
}
shown() { weir -j show endpoints "$1" | jq -r ".[0].$2"; }

lab_up
mkdir -p "$LAB_DIR/log"
chmod 777 "$LAB_DIR/log"
config >"$LAB_DIR/weir.yaml"
for i in 1 2; do
	name=$( ((i == 1)) && echo one || echo two)
	mode $name ok
	: >"$LAB_DIR/$name.seen"
	spawn "$LAB_DIR/$name.log" "ep$i" python3 tests/peer/fickle.py $name $PORT "$LAB_DIR"
	check "endpoint $name" wait_for "on ep$i bash -c 'exec 3<>/dev/tcp/127.0.0.1/$PORT'" 5
done
daemon_start "$LAB_DIR/weir.yaml"

# ---- limits ----
mode one "slow 0.5"
mode two "slow 0.5"
answers=$(asked 80 40 20)
check "more than five at a time are refused: $answers" grep -qE '^200 [0-9]+,503 [0-9]+$' <<<"$answers"
check "one has three at a time" test "$(peak one)" = 3
check "two has two" test "$(peak two)" = 2
check "the log says why" grep -q '"end":"endpoints_full"' "$LAB_DIR/log/access.log"
forget
answers=$(asked 80 40 5)
check "five at a time are served: $answers" test "$answers" = "200 40"
check "nothing is left over" test "$(shown few/main/one requests.in_flight)" = 0

mode one "slow 15"
mode two "slow 15"
asked 80 5 5 >"$LAB_DIR/answers" &
asking=$!
check "all five are busy" wait_for \
	"[[ \$(weir -j show endpoints few | jq -c '[.[].requests.in_flight]') == '[3,2]' ]]" 10
for pid in $(workers); do kill -9 "$pid"; done
wait $asking || true
mode one "slow 0.5"
mode two "slow 0.5"
check "others take over" wait_for "worker_count $(nproc)" 10
forget
answers=$(asked 80 20 5)
check "what the dead had is free again: $answers" test "$answers" = "200 20"

# ---- passive health ----
mode one ok
mode two ok
check "both are asked: $(asked 81 20)" test "$(shown ill/main/one state)" = active
forget
mode one close
answers=$(asked 81 30)
check "whom one fails another serves: $answers" test "$answers" = "200 30"
# More than three only over connections that had waited: they may have been closed before.
failed=$(seen one)
check "it failed three ($failed)" test "$failed" -ge 3
answers=$(asked 81 20)
check "... and is asked no more: $answers" test "$answers $(seen one)" = "200 20 $failed"
check "weir shows it" test "$(shown ill/main/one state)" = aside
check "for how long" grep -Eq 'one .*aside, [1-8] s more' <(weir show endpoints ill)
check "the log says it" grep -q "ill/main/one: put aside for 8000 ms: it has failed 3 requests in a row" "$DAEMON_LOG"
on lb curl -s http://127.0.0.1:9700/metrics | grep -E '^weir_endpoint_(put_aside|aside)' >"$LAB_DIR/metrics"
check "so do metrics" grep -qE 'put_aside_total\{listener="ill",group="main",endpoint="one",.*\} 1$' "$LAB_DIR/metrics"
check "others are not" grep -qE 'aside_seconds\{listener="ill",group="main",endpoint="two",.*\} 0$' "$LAB_DIR/metrics"
check "other listeners put nobody aside" test "$(grep -c 'listener="slow"' "$LAB_DIR/metrics")" = 0
check "it comes back" wait_for "test \$(shown ill/main/one state) = active" 10
# ... beside those over connections that wait, which it may have closed before.
waiting=$(on ep1 ss -tnH state established "sport = $PORT" | wc -l)
answers=$(asked 81 10)
more=$(($(seen one) - failed))
check "one failure more is enough: $answers ($more, $waiting waited)" \
	test "$answers" = "200 10" -a $more -ge 1 -a $more -le $((1 + waiting))
mode one ok
check "it comes back again" wait_for "test \$(shown ill/main/one state) = active" 10
forget
asked 81 60 >/dev/null
check "it has its share ($(seen one) of 60)" test "$(seen one)" -ge 20

forget
mode two error
answers=$(asked 81 20)
check "errors of the server count, too: $answers" test "$answers" = "200 17,503 3"
mode one error
forget
answers=$(asked 81 20)
check "where all are put aside all are asked: $answers" test "$answers" = "503 20"
check "... each of them ($(seen one), $(seen two))" test "$(seen one)" -gt 3 -a "$(seen two)" -gt 3

# ---- slow start ----
mode one ok
mode two ok
forget
asked 82 100 >/dev/null
check "who was there at the beginning starts at once ($(seen one))" test "$(seen one)" -ge 35
weir drain slow/main/one >/dev/null
forget
asked 82 40 >/dev/null
check "drained" test "$(seen one)" = 0
weir undrain slow/main/one >/dev/null
forget
asked 82 100 10 >/dev/null
check "who comes back has little of its share ($(seen one) of 100)" test "$(seen one)" -le 30
sleep $START
forget
asked 82 100 >/dev/null
check "... and all of it in the end ($(seen one) of 100)" test "$(seen one)" -ge 35
