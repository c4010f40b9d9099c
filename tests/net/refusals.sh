#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: whatever is asked for that cannot be had is refused in words that say what to do, with a
# documented exit code, and what runs goes on untouched: bad files, interfaces that are not there or
# taken, a second daemon, a stale socket, missing capabilities, endpoints out of reach, ports that
# the host uses, strangers on the admin socket.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# refused WHAT STATUS PATTERN COMMAND...: the command exits so, and says so on stderr.
refused() {
	local what=$1 wanted=$2 pattern=$3 status=0
	shift 3
	"$@" >"$LAB_DIR/refused.out" 2>&1 || status=$?
	if ((status != wanted)); then
		fail "$what: exit $status, not $wanted: $(tail -n 2 "$LAB_DIR/refused.out")"
	elif ! grep -qE -- "$pattern" "$LAB_DIR/refused.out"; then
		fail "$what: says $(tail -n 2 "$LAB_DIR/refused.out")"
	else
		ok "$what"
	fi
}

# run ARGS...: `weir run` of this lab's instance, where it is expected to fail.
run() { on lb timeout 20 env WEIR_INSTANCE="$LAB" "$WEIR" run --user "$DAEMON_USER" "$@"; }

# The folder itself is root's to remove, and the daemon is no root.
nothing_left() { [[ -z $(ls -A "/sys/fs/bpf/$LAB" 2>/dev/null) ]]; }

in_force() { weir show endpoints -j | jq -c '[.[] | [.endpoint, .address, .weight]]'; }

# unchanged WHAT: configuration and traffic are as they were.
unchanged() {
	local now
	now=$(in_force)
	if [[ $now == "$BEFORE" && $(on client curl -s -m 5 http://$VIP4/) == ep* ]]; then
		ok "$1: what runs goes on"
	else
		fail "$1: in force is now $now"
	fi
}

# with TEXT...: the lab's configuration with another endpoint in `web`.
with() { sed "0,/{ name: ep1,/s//$*, weight: 1 }\n          - &/" "$CONFIG"; }

export -f instance on run weir
export BALANCER DAEMON_USER LAB WEIR
lab_up
CONFIG=$LAB_DIR/weir.yaml
lab_config nat 50 30 20 >"$CONFIG"
BAD=$LAB_DIR/bad.yaml

# ---- before there is a daemon ----
refused "show without a data plane" 69 "weir run" weir show endpoints
refused "apply without a daemon" 69 "weir run -c" weir apply "$CONFIG"
refused "attach without anything" 69 "weir run" weir attach eth0
sed 's/weight: 50/wieght: 50/' "$CONFIG" >"$BAD"
refused "run with a bad file" 65 "did you mean 'weight'" run -c "$BAD"
check "... leaves nothing behind" nothing_left
sed 's/protocol: tcp/protocol: http/; 0,/name: main$/s//&\n        backend_protocol: https/' "$CONFIG" >"$BAD"
refused "run with an endpoint of HTTPS" 65 "listener '.*': this version does not serve backend_protocol: https" run -c "$BAD"
check "... leaves nothing behind" nothing_left
refused "run with an interface that is not there" 1 "no such interface" run -c "$CONFIG" -i eth7
check "... leaves nothing behind" nothing_left
sed '/^interfaces/d' "$CONFIG" >"$BAD"
refused "run without an interface" 65 "name one with -i" run -c "$BAD"
on lb ip link add dum0 type bridge
refused "run on a driver without native XDP" 1 "--generic" run -c "$CONFIG" -i dum0
on lb bpftool net attach xdpdrv pinned "/sys/fs/bpf/$LAB-pass" dev eth0
refused "run where another XDP program is" 1 "another XDP program .*ip link set" run -c "$CONFIG"
on lb bpftool net detach xdpdrv dev eth0
refused "run without capabilities" 77 "CAP_BPF, CAP_NET_ADMIN" \
	on lb setpriv --bounding-set=-all --inh-caps=-all env WEIR_INSTANCE="$LAB" "$WEIR" run -c "$CONFIG"
refused "run without CAP_NET_ADMIN" 77 "missing capabilities: CAP_NET_ADMIN;" \
	on lb setpriv --bounding-set=-net_admin env WEIR_INSTANCE="$LAB" "$WEIR" run -c "$CONFIG"

# ---- beside a running one ----
daemon_start "$CONFIG"
BEFORE=$(in_force)
refused "a second daemon" 1 "has a daemon already \(pid $DAEMON\)" run -c "$CONFIG"
unchanged "a second daemon"
sed 's/weight: 50/weight: 300/; s/port: 80/port: 80abc/' "$CONFIG" >"$BAD"
refused "apply a bad file" 65 "5 errors; nothing has changed" weir apply "$BAD"
refused "... with line and column" 65 "bad.yaml:[0-9]+:[0-9]+: error: .*80abc" weir apply "$BAD"
unchanged "apply a bad file"
sed 's/protocol: tcp/protocol: http/; 0,/name: main$/s//&\n        backend_protocol: https/' "$CONFIG" >"$BAD"
refused "apply an endpoint of HTTPS" 65 "listener '.*': this version does not serve backend_protocol: https" \
	weir apply "$BAD"
unchanged "apply an endpoint of HTTPS"
with '{ name: far, address: 10.99.0.1' >"$BAD"
refused "apply an endpoint behind no attached interface" 0 "in force" weir apply "$BAD"
check "... it has no next hop, and says so" \
	bash -c "weir show endpoints web | grep -q 'far.*no next hop'"
weir apply "$CONFIG" >/dev/null
on lb ip link add dum1 type bridge
on lb ip link set dum1 up
on lb ip address add 10.98.0.1/24 dev dum1
with '{ name: far, address: 10.98.0.2' >"$BAD"
refused "apply an endpoint behind another interface" 1 "reached through dum1.*weir attach dum1" \
	weir apply "$BAD"
unchanged "apply an endpoint behind another interface"
check "... whose neighbours are not looked after" \
	bash -c "! on lb ip neigh | grep -q '10.98.0.2 .*managed'"
with '{ name: self, address: 10.77.0.10' >"$BAD"
refused "apply an endpoint that is the balancer" 1 "this host itself" weir apply "$BAD"
unchanged "apply an endpoint that is the balancer"
spawn "$LAB_DIR/host.log" lb "$BUILD/tests/peer/serve" lb --tcp 2222 --udp 2222
wait_for "on lb ss -Htln sport = :2222 | grep -q LISTEN" 5
sed "s/address: \[$VIP4/address: [10.77.0.10, $VIP4/; 0,/port: 80/s//port: [80, 2222]/" "$CONFIG" >"$BAD"
refused "apply a listener on a port of the host" 1 "itself listens on 10.77.0.10:2222.*steal_ports" \
	weir apply "$BAD"
unchanged "apply a listener on a port of the host"
sed -i 's/^version: 1/&\nsteal_ports: true/' "$BAD"
check "... which steal_ports allows" weir apply "$BAD"
weir apply "$CONFIG" >/dev/null

lab_listener lines tcp 53 dsr 1 1 1 >"$LAB_DIR/dsr.part"
cat "$CONFIG" "$LAB_DIR/dsr.part" >"$BAD"
weir apply "$BAD" >/dev/null
sed -i 's/^version: 1/&\nhash_seed: 7/' "$BAD"
refused "apply another hash_seed beside dsr" 1 "hash_seed cannot change.*weir down" weir apply "$BAD"
weir apply "$CONFIG" >/dev/null
refused "set of an endpoint that is not there" 1 "did you mean 'web/main/ep1'" \
	weir set web/main/epp1 weight=3
refused "set of a whole listener" 1 "weight= needs an endpoint" weir set web weight=3
refused "set to 80abc" 64 "no weight" weir set web/main/ep1 weight=80abc
refused "set to 256" 64 "no weight" weir set web/main/ep1 weight=256
refused "drain of nothing" 1 "no listener matches" weir drain 'nothing*'
refused "attach to an interface that is not there" 1 "no such interface" weir attach eth7
refused "detach where nothing is" 1 "not attached" weir detach dum0
refused "detach of the interface the endpoints are behind" 1 "is the way to endpoint" weir detach eth0
unchanged "refused commands"

# A stranger on the socket: rubbish, half a line, a line without an end, many at once.
socket=/run/$LAB/admin.sock
strangers() {
	python3 - "$socket" <<-'END'
		import json, socket, sys
		def connect():
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(20)
		    s.connect(sys.argv[1])
		    return s
		for line in [b"rubbish\n", b"[]\n", b"{}\n", b"\xff\xfe\n", b'{"call":"set"}\n', b"\0\n",
		             b'{"call":"nothing"}\n', b'{"call":"apply","text":7}\n', b"[" * 100000 + b"\n",
		             b'{"call":"set","selector":"a/b/c/d","weight":1}\n',
		             b'{"call":"attach","interface":""}\n']:
		    s = connect()
		    s.sendall(line)
		    answer = json.loads(s.makefile().readline())
		    assert answer["ok"] is False and answer["error"], answer
		half = connect()
		half.sendall(b'{"call":')
		long = connect()
		try:
		    for _ in range(140 << 4): # a file may have 64 MiB
		        long.sendall(b"x" * 65536)
		    assert b"too long" in long.recv(4096)
		except (BrokenPipeError, ConnectionResetError):
		    pass
		crowd = [connect() for _ in range(40)]
		for s in crowd:
		    s.close()
		s = connect()
		s.sendall(b'{"call":"status"}\n')
		assert json.loads(s.makefile().readline())["ok"]
	END
}
check "strangers on the admin socket are told off, and the daemon lives" strangers
unchanged "strangers"

# A file that has become bad, at reload and at start.
sed 's/weight: 50/weight: 5000/' "$CONFIG" >"$BAD"
cp "$CONFIG" "$LAB_DIR/good.yaml"
cp "$BAD" "$CONFIG"
kill -HUP "$DAEMON"
wait_for "grep -q 'error: reload' $DAEMON_LOG" 5 || fail "a bad file at SIGHUP is not reported"
unchanged "SIGHUP with a bad file"
# Who has asked a daemon that dies meanwhile, here when it is about to write (renameat, 264).
daemon_hold renameat 264
spawn "$LAB_DIR/set.log" lb env WEIR_INSTANCE="$(instance)" "$WEIR" set web/main/ep1 weight=50
setter=$SPAWNED
check "a daemon is being asked" wait_for daemon_held 10
kill -9 "$DAEMON"
daemon_let
daemon_gone
wait "$setter" || true
check "when it dies, who asked is told what may be" \
	grep -q 'did not answer: .*; what was asked for may be in force' "$LAB_DIR/set.log"
check "the socket of a dead daemon is stale" test -S "$socket"
daemon_start "$CONFIG"
check "start with a bad file beside a data plane says so" grep -q 'NOT in force' "$DAEMON_LOG"
unchanged "start with a bad file"
cp "$LAB_DIR/good.yaml" "$CONFIG"
kill -HUP "$DAEMON"
wait_for "grep -q 'reload: .* is in force' $DAEMON_LOG" 5 || fail "SIGHUP with the mended file"
unchanged "SIGHUP with the mended file"

# A file that parses, and cannot be put in force beside what is there.
cat "$LAB_DIR/good.yaml" "$LAB_DIR/dsr.part" >"$CONFIG"
weir apply >/dev/null
daemon_kill9
sed -i 's/^version: 1/&\nhash_seed: 7/' "$CONFIG"
BEFORE=$(in_force)
daemon_start "$CONFIG"
check "start with a file that is refused says so" grep -q 'NOT in force' "$DAEMON_LOG"
unchanged "start with a file that is refused"
check "... and show, too" bash -c "weir show listeners 2>&1 >/dev/null | grep -q 'is not in force, but what was before'"

# An interface that is not there: what is attached stays, and packets go on.
cp "$LAB_DIR/good.yaml" "$CONFIG"
weir apply >/dev/null
daemon_kill9
BEFORE=$(in_force)
on lb env WEIR_INSTANCE="$(instance)" "$WEIR" run -c "$CONFIG" -i eth7 --user "$DAEMON_USER" \
	>"$LAB_DIR/run.log" 2>&1 || RUN=$?
check "run -i with an interface that is not there is refused" test "${RUN-0}" == 1
check "... and says why" grep -q "eth7: there is no such interface" "$LAB_DIR/run.log"
check "... what is attached stays" xdp_attached native
unchanged "... after it"
sed -i 's/^interfaces: .*/interfaces: [eth7]/' "$CONFIG"
daemon_start "$CONFIG"
check "start with a file that names it keeps what was" grep -q 'NOT in force' "$DAEMON_LOG"
check "... attached, too" xdp_attached native
unchanged "start with a file that names it"
check "weir down" weir down
check "then nothing is in force, and show says no more" bash -c \
	"! weir show listeners 2>&1 | grep 'in force'"
