#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: a health check by HTTP passes on 2xx and 3xx alone; whatever else answers, slowly, wrongly,
# without end or not at all, is abnormal with a reason of its own, and harms nobody else.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# odd_listener CHECK NAME PORT...: endpoints at ep1, one for each server of answers.py.
odd_listener() {
	local check=$1
	cat <<-END
		  - name: odd
		    protocol: tcp
		    address: [$VIP4, "$VIP6"]
		    port: 9000
		    endpoint_groups:
		      - name: main
		        health_check: { $check }
		        endpoints:
	END
	shift
	while (($#)); do
		echo "          - { name: $1, address: $(endpoint_address ep1 4), port: $2 }"
		echo "          - { name: $1-v6, address: \"$(endpoint_address ep1 6)\", port: $2 }"
		shift 2
	done
}

lab_up
echo 503 >"$LAB_DIR/status"
spawn "$LAB_DIR/answers.log" ep1 python3 "$ROOT/tests/peer/answers.py" "$LAB_DIR"
wait_for "on ep1 ss -Htln sport = :9009 | grep -q LISTEN" 10 || die "answers.py does not listen"
check="protocol: http, path: '/health?x=1', host: 'check.example:81', interval: 1s, threshold: 2"
{
	lab_config nat 1 1 1 | sed 's/^\( *\)- name: main$/&\n\1  health_check: { protocol: http, port: 80, interval: 1s }/'
	odd_listener "$check, timeout: 1s" silent 9001 garbage 9002 endless 9003 slow 9004 \
		closing 9005 resetting 9006 status 9007 particular 9008 interim 9009 nobody 9010
} >"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"

verdict_check odd/main/silent abnormal answer_timeout
verdict_check odd/main/garbage abnormal not_http
verdict_check odd/main/endless abnormal too_long
verdict_check odd/main/slow abnormal answer_timeout
verdict_check odd/main/closing abnormal closed
verdict_check odd/main/resetting abnormal reset
verdict_check odd/main/status abnormal status
verdict_check odd/main/nobody abnormal refused
verdict_check odd/main/particular normal
verdict_check odd/main/interim normal
check "the status is told" grep -q "HTTP status 503" <(weir show checks odd)
check "the log says it, too" grep -q "odd/main/status: abnormal: HTTP status 503" "$DAEMON_LOG"
check "nginx is normal at all endpoints" wait_for \
	"weir -j show checks web | jq -e 'length == 6 and all(.[]; .health.state == \"normal\")'" 10
count_flows http $VIP4 80 6000 && share_check "the other listener is served" "$COUNTED" 1 1 1

echo 204 >"$LAB_DIR/status"
verdict_check odd/main/status normal
echo 400 >"$LAB_DIR/status"
verdict_check odd/main/status abnormal status
check "nothing piles up" test "$(find "/proc/$DAEMON/fd" -mindepth 1 | wc -l)" -lt 300

# A timeout takes longer than until the next change, and has its result all the same.
odd_listener "$check, timeout: 1s" late 9001 |
	sed 's/name: odd/name: late/; s/port: 9000/port: 9500/' >>"$LAB_DIR/weir.yaml"
for ((i = 0; i < 20; i++)); do
	weir apply >/dev/null || break
	sleep 0.4
done
check "frequent changes do not keep checks from their results" \
	test "$(weir -j show checks late | jq -r '.[].health.reason' | uniq)" = answer_timeout

# The states outlive a change of how they are found.
sed -i "s|path: '/health?x=1'|path: /|" "$LAB_DIR/weir.yaml"
check "apply" weir apply
verdict_check odd/main/particular abnormal status
check "it was normal until then" \
	test "$(weir -j show checks odd/main/particular | jq '.[0].health.changes')" = 1
daemon_stop
check "weir down" weir down
