#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: whatever changes under load, no request fails and no connection is reset: 100 changes of rules,
# weights and virtual groups; 20 takeovers by a new `weir run`, after the one before was stopped or
# killed, while a download goes on from the first worker to the last. A killed worker takes only its
# own connections along, and others serve at once.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib-http.sh
. "$(dirname "$0")/lib-http.sh"

CHANGES=${CHANGES:-100}
TAKEOVERS=${TAKEOVERS:-20}
WORKERS=$(nproc)

# patient ARGS...: http_config, for clients that take nothing for a while.
patient() { http_config "$@" | sed 's/request_timeout: .*/request_timeout: 60s/'; }

# The configuration of a change: weights move, rules come and go, one of them to a default group, and
# every other time one to a virtual group of its own.
change() {
	local i=$1
	patient $((1 + i % 100)) $((100 - i % 90)) "{ path: \"/main$i\", forward: main }" \
		"{ path: \"/extra$i\", forward: $( ((i % 2)) && echo extra || echo api) }" |
		if ((i % 2)); then
			sed "s|^    forwarding_rules:|      - { name: extra, type: virtual, endpoints: [$(endpoint_address ep1 4):80] }\n&|"
		else
			cat
		fi
}

# changed I: is it in force?
changed() {
	answers "$( (($1 % 2)) && echo ep1 || echo ep3) 200" www.example.com "/extra$1" &&
		[[ $(answer www.example.com "/main$1") == ep[12]" 200" ]]
}

lab_up
patient 50 100 >"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"

load_start
wrong=()
for ((i = 0; i < CHANGES; i++)); do
	change $i >"$LAB_DIR/next.yaml"
	weir apply "$LAB_DIR/next.yaml" >"$LAB_DIR/apply.out" 2>&1 && changed $i || wrong+=("$i")
done
check "each of $CHANGES changes is in force when apply returns" test "${#wrong[@]}" = 0
load_check "$CHANGES changes under load"
check "apply" weir apply "$LAB_DIR/weir.yaml"

load_start "http://[$VIP6]/"
spawn "$LAB_DIR/download" client curl -s --limit-rate 1M "http://$VIP4/big"
download=$SPAWNED
wait_for "test -s $LAB_DIR/download" 10 || fail "the download does not begin"
for ((i = 0; i < TAKEOVERS; i++)); do
	if ((i % 2)); then daemon_kill9; else daemon_stop; fi
	daemon_start "$LAB_DIR/weir.yaml"
	answers "ep3 200" api.example.com /v2/x || fail "takeover $i: the new daemon's workers do not serve"
done
load_check "$TAKEOVERS takeovers under load"
if kill -0 "$download" 2>/dev/null; then
	check "those with nothing left to do have ended" wait_for "worker_count $((WORKERS + 1))" 40
	kill "$download"
	size=$(stat -c %s "$LAB_DIR/download")
	check "a download over all of them: whole so far" cmp -n "$size" "$LAB_DIR/download" "$LAB_DIR/ep1/big"
else
	check "a download over all of them" cmp "$LAB_DIR/download" "$LAB_DIR/ep1/big"
fi
check "and the last" wait_for "worker_count $WORKERS" 20

for ((i = 0; i < 5; i++)); do
	load_start
	sleep 0.5
	victim=$(workers | sed -n $((i % WORKERS + 1))p)
	kill -9 "$victim"
	began=${EPOCHREALTIME/./}
	# Those that it has not accepted yet go with it: one may be lost, the next is not.
	wait_for 'on client curl -sf -m 5 -o /dev/null "http://$VIP4/"' 5 || fail "nobody serves"
	ok "a killed worker: a new connection is served after $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
	check "... and it is replaced" wait_for "worker_count $WORKERS" 10
	load_check "only its connections are lost" 32
done
