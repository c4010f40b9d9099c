#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: a name server that answers wrongly, too much, too slowly, without an end or not at all makes
# no endpoint of what it says, takes away none that was known, and keeps neither the daemon from its
# work nor the names beside it from their answers.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

GOOD=$(endpoint_address ep1 4)

# addresses NAME: that new flows go to.
addresses() {
	weir -j show endpoints "lines/main/$1.example" |
		jq -r '[.[] | select(.weight > 0 and .address) | .address] | sort | join(" ")'
}
is() { [[ $(addresses "$1") == "$2" ]]; }
none() { [[ -z $(addresses "$1" 2>/dev/null) ]]; }

RIGHT=(good truncated chain slow)
WRONG=(garbage half foreign martians loop silent refused other)

lab_up
spawn "$LAB_DIR/names.log" client python3 tests/peer/names.py 10.77.0.2 "$GOOD"
wait_for "on client ss -Hltn sport = :53 | grep -q LISTEN" 10 || die "no name server"
# config NAME...: each at a port of its own, as two names of one address are one endpoint.
config() {
	local name port=53
	cat <<-END
		version: 1
		interfaces: [eth0]
		nameservers: 10.77.0.2
		listeners:
		  - name: lines
		    protocol: tcp
		    address: [$VIP4]
		    port: 53
		    endpoint_groups:
		      - name: main
		        endpoints:
		          - $(endpoint_address ep2 4)
	END
	for name in "$@"; do
		echo "          - { name: $name.example, address: $name.example, port: $port, weight: 1 }"
		port=$((port + 1))
	done
}

# How many questions for a name have come.
asked() { grep -c "^$1\$" "$LAB_DIR/names.log"; }

config "${RIGHT[@]}" "${WRONG[@]}" flips many >"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"
for name in "${RIGHT[@]}"; do
	check "$name: has its address" wait_for "is $name $GOOD" 30
done
check "flips: has its address" wait_for "is flips $GOOD" 10
check "many: 64 of 3000" wait_for "[[ \$(addresses many | wc -w) == 64 ]]" 20
check "silence is said" wait_for "grep -q 'silent.example: cannot be resolved' $DAEMON_LOG" 30
check "what is no answer is said" wait_for "grep -q 'garbage.example: cannot be resolved' $DAEMON_LOG" 30
for name in "${WRONG[@]}"; do
	check "$name: has none" none "$name"
done
check "flips: when the answers become garbage, what was known stays" wait_for \
	"grep -q 'flips.example: cannot be resolved' $DAEMON_LOG && is flips $GOOD" 30
start=$(date +%s%N)
for _ in 1 2 3 4 5 6 7 8 9 10; do weir -j show endpoints lines >/dev/null; weir plan >/dev/null || true; done
took=$((($(date +%s%N) - start) / 1000000))
((took < 10000 * PATIENCE)) && ok "20 calls of the command line: $took ms" || fail "20 calls took $took ms"
# A stream that does not end is in nobody's way: neither for names that need none, nor for those that
# need one of the same server, known or new; nor are more of them than have streams at a time.
ENDLESS=(endless)
for i in {1..70}; do ENDLESS+=("endless.n$i"); done
config "${RIGHT[@]}" "${ENDLESS[@]}" many.again >"$LAB_DIR/weir.yaml"
check "answers without an end" weir apply
check "a new name: 64 of 3000, beside them" wait_for "[[ \$(addresses many.again | wc -w) == 64 ]]" 30
check "is said" wait_for "grep -q 'endless.example: cannot be resolved' $DAEMON_LOG" 60
check "of the last one, too" wait_for "grep -q 'endless.n70.example: cannot be resolved' $DAEMON_LOG" 60
before=$(asked "truncated by tcp")
check "who needs a stream goes on being asked" \
	wait_for "((\$(asked 'truncated by tcp') > before + 2))" 30
before=$(asked good)
check "the others go on being asked" wait_for "((\$(asked good) > before + 2))" 15
for name in "${RIGHT[@]}"; do
	check "$name: has its address still" is "$name" "$GOOD"
done
check "and it has none" none endless
check "weir show says so" bash -c "grep -q 'endless.example.*has no address in DNS' <<<'$(weir show endpoints)'"
daemon_stop
check "weir down" weir down
