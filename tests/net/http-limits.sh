#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: header_timeout, connect_timeout and head_limit of an http listener hold, for that listener
# alone: `web` has small ones, `roomy` what goes without saying.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-http.sh
. "$(dirname "$0")/lib-http.sh"

SILENT=10.77.0.99 # nobody answers there, and nobody says so

# Two listeners: the second on port 81, each with an endpoint that is there and one that is not.
config() {
	local port
	printf 'version: 1\ninterfaces: [eth0]\nlisteners:\n'
	for port in 80 81; do
		cat <<-END
			  - name: l$port
			    protocol: http
			    address: $VIP4
			    port: $port
		END
		((port == 81)) || printf '    %s\n' 'header_timeout: 4s' 'connect_timeout: 200ms' 'head_limit: 2048'
		cat <<-END
			    endpoint_groups:
			      - name: main
			        endpoints: [$(endpoint_address ep1 4):80, $SILENT:80]
		END
	done
}

# begun PORT: a head that is never whole. Prints what came back, when the connection ends.
begun() {
	on client timeout 30 bash -c 'exec 3<>/dev/tcp/'$VIP4'/'"$1"'; printf "GET / HTTP/1.1\r\nHost: a\r\n" >&3; cat <&3'
}
# held [SECONDS TEXT]...: a connection to port 80 on which each text is sent so long after the one
# before. Prints every status that came back, and how many ms after it was there the connection ended.
held() {
	# shellcheck disable=SC2016 # the inner shell's arguments
	on client timeout 60 bash -c 'exec 3<>"/dev/tcp/$1/80"; shift; from=${EPOCHREALTIME/./}
		while (($#)); do sleep "$1"; printf "$2" >&3; shift 2; done
		grep -aoP "^HTTP/1.1 \K\d+" <&3; echo $(((${EPOCHREALTIME/./} - from) / 1000))' held "$VIP4" "$@" | xargs
}
# ended LEAST MOST "STATUS... MS": as many ms, at least and at most?
ended() { ((${3##* } >= $1 && ${3##* } <= $2)); }
status_of() { head -n 1 | cut -d' ' -f2; }
# large PORT BYTES: the status of a request with so many bytes of headers, 6000 each: nginx takes no
# larger ones.
large() {
	local left headers=()
	for ((left = $2; left > 0; left -= 6000)); do
		headers+=(-H "X: $(head -c $((left < 6000 ? left : 6000)) /dev/zero | tr '\0' x)")
	done
	on client curl -s -m 8 -o /dev/null -w '%{http_code}' "${headers[@]}" "http://$VIP4:$1/"
}
# reached PORT PATIENCE: how many of 20 requests, each on a connection of its own, were answered.
reached() {
	local i
	for i in {1..20}; do
		on client curl -s -m "$2" -o /dev/null -w '%{http_code}\n' "http://$VIP4:$1/" || true
	done | grep -cx 200 || true
}

lab_up
ip -n "$LAB-lb" neighbour replace $SILENT lladdr 02:00:00:00:00:99 dev eth0 nud permanent
config >"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"

begun 81 >"$LAB_DIR/roomy" &
roomy=$!
answer=$(begun 80 | status_of)
check "header_timeout: 408 ($answer)" test "$answer" = 408
check "header_timeout: a listener with more patience waits on" test ! -s "$LAB_DIR/roomy"
wait $roomy || true
answer=$(status_of <"$LAB_DIR/roomy")
check "header_timeout: in the end it has none either ($answer)" test "$answer" = 408

# Of a first head from the connection on, of further ones from their first byte.
HALF='GET / HTTP/1.1\r\nHost: a\r\n'
answer=$(held 3 "$HALF")
check "header_timeout: a head that begins late has no longer ($answer ms)" ended 4000 6500 "$answer"
check "... 408" test "${answer% *}" = 408
answer=$(held)
check "header_timeout: nothing at all is closed, unanswered ($answer ms)" ended 4000 7000 "$answer"
check "... by no status" test "${answer#* }" = "$answer"
answer=$(held 0 "$HALF\r\n" 5 "$HALF")
check "header_timeout: a further head has it from its first byte on ($answer ms)" ended 9000 13000 "$answer"
check "... 200, 408" test "${answer% *}" = "200 408"

answer=$(large 80 1500)
check "head_limit: less is served ($answer)" test "$answer" = 200
answer=$(large 80 2048)
check "head_limit: more is not ($answer)" test "$answer" = 431
answer=$(large 81 18000)
check "head_limit: another listener serves more ($answer)" test "$answer" = 200
answer=$(large 81 33000)
check "head_limit: but no more than 32 KiB ($answer)" test "$answer" = 431

# The other endpoint of a listener is tried when one is given up: only with a short timeout within the
# client's patience.
answered=$(reached 80 4)
check "connect_timeout: another endpoint is tried in time ($answered of 20)" test "$answered" = 20
answered=$(reached 81 1)
check "connect_timeout: others wait longer ($answered of 20)" test "$answered" -lt 20
