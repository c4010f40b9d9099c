#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: /metrics is what promtool likes and the manual lists, and says what `weir stats` says, of
# traffic that has come; nothing counted goes back over a restart of the daemon; it reads and does
# nothing else, whoever asks for what; slow, silent and greedy peers neither keep others from it for
# long nor the daemon from its work; it is where the configuration says, or nowhere.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

PROMTOOL=$(tools/promtool)
PORT=9700

# scrape [CURL OPTION...]: the text, in $LAB_DIR/metrics.
scrape() {
	on lb curl -sS -m $((20 * PATIENCE)) --fail "$@" -o "$LAB_DIR/metrics" \
		"http://127.0.0.1:$PORT/metrics"
}

# value SERIES: of the last scrape.
value() { awk -v series="$1" '{ n = split($0, part, " "); value = part[n]
	sub(/ [^ ]*$/, "") } $0 == series { print value; found = 1 } END { exit !found }' \
	"$LAB_DIR/metrics"; }

# total NAME REGEX: the sum of its series that match.
total() { awk -v name="$1{" -v labels="$2" 'index($0, name) == 1 && $0 ~ labels { sum += $NF }
	END { printf "%d\n", sum }' "$LAB_DIR/metrics"; }

# answers STATUS CURL ARGS...: curl gets it.
answers() {
	local wanted=$1 status
	status=$(on lb curl -s -m $((5 * PATIENCE)) -o "$LAB_DIR/answer" -w '%{http_code}' "${@:2}")
	[[ $status == "$wanted" ]]
}

# raw TEXT: bytes as they are; what comes back.
raw() {
	# shellcheck disable=SC2016 # the inner shell's arguments
	on lb timeout $((8 * PATIENCE)) bash -c \
		'exec 3<>/dev/tcp/127.0.0.1/$1; printf "$2" >&3; cat <&3' raw "$PORT" "$1" || true
}

lab_up
lab_config nat 50 30 20 | sed "/^version/a metrics: { listen: 127.0.0.1:$PORT }
	s/^      - name: main/&\n        health_check: { interval: 1s, threshold: 2, port: 80 }/" \
	>"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"
check "a scrape" scrape
check "promtool is silent" bash -c "! { $PROMTOOL check metrics <$LAB_DIR/metrics 2>&1 || echo FAILED; } | grep ."
diff <(sed -n 's/^# HELP \([a-z_]*\) .*/\1/p' "$LAB_DIR/metrics" | sort) \
	<("$WEIR" help --man 7 | sed -n 's/^\.It Ic "\(weir_.*\)"$/\1/p' | sort) >"$LAB_DIR/diff" &&
	ok "the manual lists what is there" || fail "the manual differs: $(<"$LAB_DIR/diff")"
[[ $(grep -c 'weir_endpoint_.*listener="web".*endpoint="ep1",' "$LAB_DIR/metrics") == 9 ]] &&
	ok "an endpoint has 9 series" || fail "an endpoint has $(grep -c 'endpoint="ep1",' "$LAB_DIR/metrics")"
check "of which kind it says" grep -q "^weir_build_info{version=\"$("$WEIR" version |
	cut -d' ' -f2)\",abi=\"[0-9]*\"} 1$" "$LAB_DIR/metrics"
check "the interface" grep -q '^weir_interface_attached{interface="eth0",mode="native"} 1$' "$LAB_DIR/metrics"

# ---- it says what has happened ----
before=$(total weir_listener_flows_total 'listener="web"')
count_flows http $VIP4 80 3000
check "a scrape" scrape
[[ $(total weir_listener_flows_total 'listener="web"') == $((before + 3000)) ]] &&
	ok "3000 flows are 3000" || fail "3000 flows are $(total weir_listener_flows_total 'listener="web"')"
[[ $(total weir_endpoint_flows_total 'listener="web"') == $(total weir_listener_flows_total 'listener="web"') ]] &&
	ok "the endpoints' add up" || fail "the endpoints' flows do not add up"
share=$(jq -n "$(total weir_endpoint_flows_total 'endpoint="ep1"') / 3000")
jq -en "$share > 0.47 and $share < 0.53" >/dev/null &&
	ok "a share is what is wanted, 0.5: $share" || fail "the share of ep1 is $share"
check "what is wanted" grep -qE '^weir_endpoint_want_ratio\{listener="web",group="main",endpoint="ep1",.*\} 0\.(49|5)' "$LAB_DIR/metrics"
stats=$(weir -j stats web | jq '[.[].packets] | add')
check "a scrape" scrape
((stats <= $(total weir_endpoint_packets_total 'listener="web"'))) &&
	ok "packets as in weir stats" || fail "weir stats counts $stats packets"
[[ $(value 'weir_listener_first_answer_seconds_count{listener="web"}') -ge 3000 ]] &&
	ok "first answers are in the histogram" || fail "the histogram has no 3000 answers"
on client curl -s -m 1 "http://$VIP4:81/" >/dev/null || true
check "a packet without a listener" wait_for \
	"scrape && (( \$(value 'weir_packets_total{listener=\"\",kind=\"pass\",reason=\"no_listener\"}') > 0 ))" 5
check "weir set" weir set web/main/ep1 weight=7
# What the first result finds is no change.
check "an endpoint is known to be normal" wait_for \
	"weir -j show checks web/main/ep2 | jq -e '.[0].health.state == \"normal\"'" 10
nginx_stop ep2
check "an endpoint that is dead is down" wait_for "scrape &&
	grep -q '^weir_endpoint_up{listener=\"web\",group=\"main\",endpoint=\"ep2\",.*} 0$' $LAB_DIR/metrics" 15
check "its state has changed" grep -qE \
	'^weir_endpoint_health_changes_total\{listener="web",group="main",endpoint="ep2",.*\} [1-9]' "$LAB_DIR/metrics"
check "a weight that was set" grep -qE \
	'^weir_endpoint_weight\{listener="web",group="main",endpoint="ep1",.*\} 7$' "$LAB_DIR/metrics"
check "as an override" grep -qx 'weir_overrides [12]' "$LAB_DIR/metrics"
check "flows are in a table" bash -c "grep -E '^weir_map_entries.map=\"nat_flows\". [1-9]' $LAB_DIR/metrics"

# ---- nothing goes back ----
cp "$LAB_DIR/metrics" "$LAB_DIR/before"
daemon_kill9
daemon_start "$LAB_DIR/weir.yaml"
check "a scrape after kill -9" scrape
awk '/^weir_[a-z_]*(_total|_bucket|_count)\{/ { value = $NF; sub(/ [^ ]*$/, "") }
	!/^weir_[a-z_]*(_total|_bucket|_count)\{/ { next }
	NR == FNR { before[$0] = value; next } { now[$0] = value }
	END { for (series in before) if (now[series] + 0 < before[series] + 0)
		{ print series, before[series], now[series]; bad = 1 } exit bad }' \
	"$LAB_DIR/before" "$LAB_DIR/metrics" >"$LAB_DIR/back" &&
	ok "no counter has gone back" || fail "gone back: $(head -n 3 "$LAB_DIR/back")"

# ---- who asks for what ----
url=http://127.0.0.1:$PORT
check "HTTP/1.0, without chunks" scrape --http1.0
check "promtool is silent about it" bash -c "! { $PROMTOOL check metrics <$LAB_DIR/metrics 2>&1 || echo FAILED; } | grep ."
check "with a query" answers 200 "$url/metrics?x=1"
check "another path" answers 404 "$url/"
check "a path that only looks so" answers 404 "$url/metrics/"
check "POST" answers 405 -X POST "$url/metrics"
check "HEAD" answers 405 -I "$url/metrics"
check "a body" answers 400 -X GET -d x "$url/metrics"
check "a large head" answers 431 -H "X: $(printf '%09000d' 0)" "$url/metrics"
check "no HTTP" bash -c "[[ \$(cat) == 'HTTP/1.1 400 '* ]]" < <(raw 'hello\r\n\r\n')
check "another version" bash -c "[[ \$(cat) == 'HTTP/1.1 505 '* ]]" < <(raw 'GET /metrics HTTP/2.0\r\nHost: a\r\n\r\n')
check "no host" bash -c "[[ \$(cat) == 'HTTP/1.1 400 '* ]]" < <(raw 'GET /metrics HTTP/1.1\r\n\r\n')
check "a folded line" bash -c "[[ \$(cat) == 'HTTP/1.1 400 '* ]]" < <(raw 'GET /metrics HTTP/1.1\r\nHost: a\r\n b\r\n\r\n')
check "a NUL" bash -c "[[ \$(tr -d '\\0') == 'HTTP/1.1 400 '* ]]" < <(raw 'GET /metrics HTTP/1.1\r\nHost: a\000\r\n\r\n')
check "two requests at once are one" bash -c "[[ \$(grep -c ^HTTP/1.1) == 1 ]]" < <(
	raw 'GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n')

# ---- peers that keep it ----
for _ in 1 2 3 4 5 6 7 8 9 10; do
	spawn "$LAB_DIR/idle.log" lb bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT; printf 'GET /metr' >&3; sleep 60"
done
check "silent peers keep it" wait_for "! scrape" 3
check "but the daemon answers" weir -j show endpoints
check "and not for long" wait_for scrape 12

# ---- where it listens ----
check "it is not elsewhere" exit_status 7 on client curl -s -m 2 "http://$(lb_address 4):$PORT/metrics"
sed -i "s/^metrics:.*/metrics: { listen: \"[::]:$PORT\" }/" "$LAB_DIR/weir.yaml"
check "to all addresses" weir apply
check "by IPv6" answers 200 "http://[::1]:$PORT/metrics"
check "from outside" on client curl -sS -m 5 -o "$LAB_DIR/metrics" --fail "http://[$(lb_address 6)]:$PORT/metrics"
spawn "$LAB_DIR/taken.log" lb python3 -m http.server --bind 127.0.0.1 --directory "$LAB_DIR/ep1" 9701
check "another has a port" wait_for "on lb ss -Htln sport = :9701 | grep -q LISTEN" 5
sed -i "s/^metrics:.*/metrics: { listen: 127.0.0.1:9701 }/" "$LAB_DIR/weir.yaml"
check "one that is taken is refused" exit_status 1 weir apply
check "with a word" grep -q "metrics.listen 127.0.0.1:9701: Address already in use" <<<"$(weir apply 2>&1)"
check "and it stays where it was" answers 200 "http://[::1]:$PORT/metrics"
sed -i "s/^metrics:.*/metrics: { listen: 127.0.0.1:$PORT }/" "$LAB_DIR/weir.yaml"
check "back to one address" weir apply
check "and there it is" scrape
sed -i '/^metrics:/d' "$LAB_DIR/weir.yaml"
check "without metrics" weir apply
check "nobody listens" exit_status 7 on lb curl -s -m 2 "http://127.0.0.1:$PORT/metrics"
daemon_stop
check "weir down" weir down
