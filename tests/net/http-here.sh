#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: endpoints on the balancer's own host are served as any others are: exchanges whose every byte
# is known, heads that need more than one read, and bodies both ways. nginx asks the kernel how much
# is left to read (FIONREAD), so whatever moves bytes past TCP and lets it answer wrongly stops here.
# A listener on the host's own address gets no answers that are for workers, whose connections to
# endpoints leave from any port, be it the listener's.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

PEER=$ROOT/tests/peer/exchanges.py

lab_up
endpoint_start lb
spawn "$LAB_DIR/peer.log" lb python3 "$PEER" serve 9000
cat >"$LAB_DIR/weir.yaml" <<END
version: 1
interfaces: [eth0]
listeners:
  - name: known
    protocol: http
    address: [$VIP4, "$VIP6"]
    port: 90
    endpoint_groups: [{ name: main, endpoints: ["$(lb_address 4):9000"] }]
  - name: nginx
    protocol: http
    address: [$VIP4, "$VIP6"]
    port: 91
    endpoint_groups: [{ name: main, endpoints: ["$(lb_address 4):80", "[$(lb_address 6)]:80"] }]
$(for port in 92 40000; do
	printf '  - name: own-%s\n    protocol: http\n    address: %s\n    port: %s\n' $port "$(lb_address 4)" $port
	printf '    endpoint_groups: [{ name: main, endpoints: ["%s:80", "%s:80"] }]\n' \
		"$(endpoint_address ep1 4)" "$(endpoint_address ep2 4)"
done)
END
daemon_start "$LAB_DIR/weir.yaml"
wait_for "on lb python3 -c 'import socket; socket.create_connection((\"$(lb_address 4)\", 9000))'" 5

for vip in $VIP4 $VIP6; do
	result=$(on client timeout 120 python3 "$PEER" run $vip 90 600 16 1)
	if jq -e '.wrong == 0 and .exchanges >= 600' <<<"$result" >/dev/null; then
		ok "$(jq .exchanges <<<"$result") exchanges, 0 wrong, by $vip"
	else
		fail "exchanges by $vip: $result"
	fi
done

# nginx reads a head of up to 1 KiB in one piece; an endpoint's connection is kept in between.
head_of() {
	local answer
	answer=$(on client curl -s -m $((5 * PATIENCE)) -H "Cookie: $(printf "%$2s" | tr ' ' a)" "http://$1:91/")
	[[ $answer == lb ]]
}
# upload VIP BYTES
upload() {
	local answer
	answer=$(head -c "$2" /dev/zero |
		on client curl -s -m $((10 * PATIENCE)) --data-binary @- "http://$1:91/")
	[[ $answer == lb ]]
}
for vip in $VIP4 "[$VIP6]"; do
	for size in 100 800 1024 1500 4000 7000 100; do
		check "a field of $size bytes, by $vip" head_of $vip $size
	done
	for size in 1000 20000 1000000; do
		check "a body of $size bytes, by $vip" upload $vip $size
	done
	check "64 MiB by $vip" test \
		"$(on client curl -s -m $((30 * PATIENCE)) "http://$vip:91/big" | md5sum)" == "$(md5sum <"$LAB_DIR/lb/big")"
done

# ---- a port of a listener among those that connections leave from ----
# asked PORT: how many of 60 requests are answered.
asked() {
	on client curl -s -m $((20 * PATIENCE)) "http://$(lb_address 4):$1/?[1-60]" | grep -cx "ep[12]" || true
}
on lb sysctl -qw net.ipv4.ip_local_port_range="40000 40000"
answers=$(asked 92)
check "$answers of 60 requests, by way of a listener's port" test "$answers" = 60
check "... from which connections go to endpoints" test -n "$(on lb ss -tanH 'sport = :40000 and dport = :80')"
on lb sysctl -qw net.ipv4.ip_local_port_range="40000 60999" # the other worker needs some, too
answers=$(asked 40000)
check "$answers of 60 requests to that listener" test "$answers" = 60
