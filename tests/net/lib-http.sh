# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What tests of http listeners do in the lab. Sourced after lib.sh.

# answer HOST PATH [CURL OPTIONS]: "body status" of a request by IPv4.
answer() { on client curl -s -m 5 -w ' %{http_code}' -H "Host: $1" "${@:3}" "http://$VIP4$2" | tr -d '\n'; }
answers() { [[ $(answer "${@:2}") == "$1" ]]; }

# The processes of the workers. Others end while all are looked at, which grep takes for a failure.
workers() {
	local space pid
	space=$(on "$BALANCER" readlink /proc/self/ns/net)
	{ grep -lx "weir-http/[0-9]*" /proc/[0-9]*/comm 2>/dev/null || true; } | cut -d/ -f3 | sort -n |
		while read -r pid; do [[ $(readlink "/proc/$pid/ns/net") != "$space" ]] || echo "$pid"; done
}
worker_count() { [[ $(workers | wc -l) == "$1" ]]; }

# load_start [URL]: wrk in the background, until load_check.
load_start() {
	spawn "$LAB_DIR/wrk.log" client wrk -t2 -c32 -d1h "${1-http://$VIP4/}"
	LOADER=$SPAWNED
	LOAD_RESETS=$(client_resets)
}

# load_check WHAT [LOST]: ends it; every request was answered, by 200, but for at most LOST, and no
# more connections were reset.
load_check() {
	local lost resets
	resets=$(($(client_resets) - LOAD_RESETS))
	kill -INT "$LOADER"
	wait "$LOADER" || true
	lost=$(sed -nE 's/.*Socket errors: connect ([0-9]+), read ([0-9]+), write ([0-9]+), timeout ([0-9]+).*/\1+\2+\3+\4/p' \
		"$LAB_DIR/wrk.log")
	lost=$((lost + 0))
	if grep -q '[1-9][0-9]* requests in' "$LAB_DIR/wrk.log" && ! grep -q 'Non-2xx' "$LAB_DIR/wrk.log" &&
		((lost <= ${2-0} && resets <= ${2-0})); then
		ok "$1: $(sed -nE 's/ *([0-9]+ requests) in.*/\1/p' "$LAB_DIR/wrk.log"), $lost lost, $resets resets"
	else
		fail "$1: $lost lost, $resets resets; $(grep -E 'requests in|errors|Non' "$LAB_DIR/wrk.log" | xargs)"
	fi
}

# How many connections of the client have been reset or refused.
client_resets() {
	on client nstat -asz TcpEstabResets TcpAttemptFails |
		awk '$1 ~ /^Tcp/ { sum += $2 } END { print sum + 0 }'
}

# ---- the access log, which is $LOG ----

# lines FILTER [FILE...]: how many lines of the log are so, and all of them are JSON.
lines() { cat "${@:2}" "$LOG" | jq -en "[inputs | select($1)] | length"; }
has() { [[ $(lines "$2") == "$1" ]]; }
logged() { wait_for "has $1 '$2'" 5; }

# classes FILTER...: does the listener count as many answers of each class as the log has lines?
classes() {
	local logged counted
	logged=$(cat "$@" "$LOG" | jq -sc '[range(1; 6) as $class | map(select(.status / 100 | floor == $class)) | length] + [length]')
	counted=$(weir -j stats web | jq -c '.[0].http | [.answers[]] + [.requests]')
	[[ $logged == "$counted" ]]
}

# ends FILE...: as many of each end, and times of all.
ends() {
	local logged counted
	logged=$(cat "$@" "$LOG" | jq -Sc -s '[group_by(.end)[] | { key: .[0].end, value: length }] | from_entries')
	counted=$(weir -j stats web | jq -Sc '.[0].http.ends | with_entries(select(.value > 0))')
	[[ $logged == "$counted" ]] &&
		weir -j stats web | jq -e '.[0].http | .requests == (.took | map(.requests) | add)' >/dev/null
}
