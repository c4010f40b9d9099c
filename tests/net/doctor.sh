#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: weir doctor finds what is in weir's way, says what it leads to, and names a command after which
# it is content; each is provoked here but for what a namespace does not have (unit test doctor). It
# works without a daemon, without a configuration and without rights, and writes nothing.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

CONFIG=
FIX=

# doctor ARGS...: of the balancer, with the configuration of the moment.
doctor() { weir doctor ${CONFIG:+-c "$CONFIG"} "$@"; }

# problems CHECK: as a JSON list.
problems() { doctor -j | jq -c --arg check "$1" '[.[] | select(.check == $check and (.severity == "warning" or .severity == "error"))]'; }

content() { [[ $(problems "$1") == "[]" ]]; }

# finds WHAT CHECK SEVERITY PATTERN: ok if there is such a problem, with what it leads to; its command
# is in FIX, "" if there is none.
finds() {
	local found
	found=$(problems "$2" | jq -c --arg severity "$3" --arg pattern "$4" \
		'map(select(.severity == $severity and (.what | test($pattern)) and (.causes | length > 10)))')
	FIX=$(jq -r '[.[].fix // empty] | unique | join("\n")' <<<"$found")
	if jq -e 'length > 0' <<<"$found" >/dev/null; then
		ok "$1"
	else
		fail "$1: doctor says $(problems "$2")"
	fi
}

# mends CHECK: runs the command, and doctor is content.
mends() {
	local output
	if ! output=$(on lb env PATH="$BUILD:$PATH" WEIR_INSTANCE="$LAB" bash -ec "$FIX" 2>&1); then
		fail "... '$FIX' fails: $output"
	elif wait_for "content $1" 5; then
		ok "... mended by: ${FIX%%$'\n'*}"
	else
		fail "... '$FIX' does not mend it: $(problems "$1")"
	fi
}

# ill WHAT CHECK SEVERITY PATTERN COMMAND...: content before the command, finds it after, mends it.
ill() {
	local what=$1 check=$2 severity=$3 pattern=$4
	shift 4
	content "$check" || fail "$what: not content before: $(problems "$check")"
	"$@" >"$LAB_DIR/ill.out" 2>&1 || fail "$what: cannot be provoked: $(<"$LAB_DIR/ill.out")"
	finds "$what" "$check" "$severity" "$pattern"
	mends "$check"
}

lab_up --dsr
GOOD=$LAB_DIR/weir.yaml
lab_config nat 50 30 20 >"$GOOD"

# ---- with nothing ----
check "without a daemon and a configuration" doctor
check "... it says what it could not look at" bash -c "$(declare -f on weir instance doctor)
	BALANCER=lb LAB=$LAB WEIR=$WEIR CONFIG= doctor | grep -q '^- .*interface, xdp, .*: no interface is known; .*-c FILE'"
check "... and writes nothing" bash -c "[[ ! -e /run/$LAB && ! -e /var/lib/$LAB && ! -e /sys/fs/bpf/$LAB ]]"
check "a file that is bad" exit_status 65 weir doctor -c <(echo "nonsense: 1")
check "a file that is not there" exit_status 1 weir doctor -c /nowhere
check "an option that is none" exit_status 64 weir doctor --nonsense

# ---- with a file ----
CONFIG=$GOOD
finds "neighbours that nobody has asked for" neighbour warning "MAC address is not known"
check "... exit status without being asked for it" doctor
check "... and with" exit_status 2 doctor --exit-code
mends neighbour
content xdp || fail "xdp is not content: $(problems xdp)"
check "addresses wait for the daemon" bash -c "$(declare -f on weir instance doctor)
	BALANCER=lb LAB=$LAB WEIR=$WEIR CONFIG=$CONFIG doctor -p | jq -e 'any(.[]; .check == \"address\" and .severity == \"unseen\")'"
sed 's/^interfaces: .*/interfaces: [eth0, eth7]/' "$GOOD" >"$LAB_DIR/absent.yaml"
CONFIG=$LAB_DIR/absent.yaml
finds "an interface that is not there" interface error "no interface 'eth7'"
sed 's/^    mode: .*/&\n    vip: none/' "$GOOD" >"$LAB_DIR/none.yaml"
CONFIG=$LAB_DIR/none.yaml
ill "a host that forwards what weir leaves" forwarding warning "forwards, and $VIP4" \
	on lb sysctl -qw net.ipv4.ip_forward=1
sed "0,/address: 10.77.0.11/s//address: 192.0.2.77/" "$GOOD" >"$LAB_DIR/away.yaml"
CONFIG=$LAB_DIR/away.yaml
finds "an endpoint without a route" route error "no route to endpoint 192.0.2.77"
mends route
sed "0,/address: 10.77.0.11/s//address: 10.77.0.10/" "$GOOD" >"$LAB_DIR/own.yaml"
CONFIG=$LAB_DIR/own.yaml
finds "an endpoint that is this host" route error "10.77.0.10 is this host itself"
sed 's/^interfaces: .*/interfaces: [eth7]/' "$GOOD" >"$LAB_DIR/beside.yaml"
CONFIG=$LAB_DIR/beside.yaml
finds "an endpoint behind an interface that weir is not on" route error "10.77.0.11 is behind eth0, where weir is not"
CONFIG=$GOOD
check "... content with the interface named" content route
sed 's/mode: nat/mode: gue/' "$GOOD" >"$LAB_DIR/tunnel.yaml"
CONFIG=$LAB_DIR/tunnel.yaml
on fabric ip link set dev lb0 mtu 1600
finds "an MTU without room for a tunnel" mtu warning "eth0 carries 1500 bytes, but tunnels need 1500 \+ 52"
mends mtu
on lb ip link set dev eth0 mtu 1500
CONFIG=$GOOD
ill "few ports for SNAT" ports warning "10.77.0.10: .* leave [0-9]+ ports" \
	on lb sysctl -qw net.ipv4.ip_local_port_range="2000 65000"
ill "a strict rp_filter" rp-filter warning "eth0: rp_filter is strict" \
	on lb sysctl -qw net.ipv4.conf.all.rp_filter=1
on lb sysctl -qw net.ipv4.conf.all.rp_filter=0
ill "arp_ignore" address error "eth0 does not answer ARP .*: arp_ignore of all is on" \
	on lb sysctl -qw net.ipv4.conf.all.arp_ignore=1
ill "arp_ignore of one interface" address error "arp_ignore of eth0" \
	on lb sysctl -qw net.ipv4.conf.eth0.arp_ignore=2

ill "nftables that drop answers" nftables warning "chain 'input' of table inet host drops" \
	on lb nft "add table inet host; add chain inet host input { type filter hook input priority 0; policy drop; }"
on lb nft delete table inet host
ill "... of one family, before routing" nftables warning "chain 'early' of table ip raw drops" \
	on lb nft "add table ip raw; add chain ip raw early { type filter hook prerouting priority -300; policy drop; }"
on lb nft delete table ip raw
on lb nft "add table inet out; add chain inet out forward { type filter hook forward priority 0; policy drop; }"
check "what weir's packets do not pass is nobody's business" content nftables
on lb nft delete table inet out

# ---- a veth's other end, in another namespace and in this one ----
ill "a veth whose other end leaves checksums" checksums error "eth0: its other end, lb0, leaves checksums" \
	on fabric ethtool -K lb0 tx on
ill "a veth whose other end has no program" veth error "other end, lb0, has no XDP program" \
	on fabric bpftool net detach xdpdrv dev lb0
on fabric env WEIR_INSTANCE="$LAB" "$WEIR" detach --decap lb0 >/dev/null
on fabric bpftool net attach xdpdrv pinned "/sys/fs/bpf/$LAB-pass" dev lb0
on lb ip link add spare type veth peer name spare1
on lb ip link set dev spare1 up
sed 's/^interfaces: .*/interfaces: [eth0, spare]/' "$GOOD" >"$LAB_DIR/spare.yaml"
CONFIG=$LAB_DIR/spare.yaml
finds "an interface that is down" interface error "spare is down"
mends interface
finds "a veth beside, without a program" veth error "other end, spare1, has no XDP program"
mends veth
finds "... which leaves checksums" checksums error "its other end, spare1"
mends checksums
ill "another XDP program" xdp error "spare: another XDP program is on it \(id [0-9]+\)" \
	on lb bpftool net attach xdpdrv pinned "/sys/fs/bpf/$LAB-pass" dev spare
on lb ip link add dum0 type bridge
on lb ip link set dev dum0 up
sed 's/^interfaces: .*/interfaces: [eth0, dum0]/' "$GOOD" >"$LAB_DIR/bridge.yaml"
CONFIG=$LAB_DIR/bridge.yaml
finds "a driver without native XDP" xdp warning "dum0: its driver \(bridge\) has no native XDP"

# ---- beside a daemon ----
CONFIG=
daemon_start "$GOOD"
# What is the host's alone is not this test's business.
check "beside a daemon all is well" bash -c "$(declare -f on weir instance doctor)
	BALANCER=lb LAB=$LAB WEIR=$WEIR CONFIG= doctor -j |
	jq -e 'all(.[]; (.check | IN(\"clock\", \"jit\", \"unprivileged-bpf\", \"memory\")) or (.severity != \"warning\" and .severity != \"error\"))'"
check "... it knows what is in force" bash -c "$(declare -f on weir instance doctor)
	BALANCER=lb LAB=$LAB WEIR=$WEIR CONFIG= doctor | grep -q '6 addresses of endpoints have a way'"
ill "an address whose route somebody took away" address error "does not answer for $VIP4 of listener 'web'" \
	on lb ip route delete local "$VIP4" table local
chmod 0600 "$GOOD"
finds "a file that the daemon cannot read" files error "weir.yaml: user 'nobody', .*, may not read it"
mends files
mkdir -m 0700 "$LAB_DIR/closed"
install -m 0644 "$GOOD" "$LAB_DIR/closed/weir.yaml"
CONFIG=$LAB_DIR/closed/weir.yaml
finds "a folder that the daemon cannot pass" files error "user 'nobody' cannot pass $LAB_DIR/closed "
mends files
sed 's/^\( *\)- name: main$/&\n\1  health_check: { protocol: https, ca_file: \/nowhere\/ca.pem }/' "$GOOD" >"$LAB_DIR/ca.yaml"
CONFIG=$LAB_DIR/ca.yaml
finds "a file that is not there" files error "/nowhere/ca.pem: No such file"
CONFIG=
weir attach spare --generic >/dev/null
finds "generic mode on a driver that can do better" xdp warning "spare: in generic mode, though its driver \(veth\)"
mends xdp
weir attach spare --generic >/dev/null
ill "merged packets in generic mode" merging warning "spare merges packets before weir sees them" \
	on lb ethtool -K spare gro on
weir detach spare >/dev/null
CONFIG=$LAB_DIR/http.yaml
sed 's/protocol: tcp/protocol: http/' "$GOOD" >"$CONFIG"
on lb ethtool -K eth0 gro on
ill "packets that go up to http one by one" merging warning "eth0 does not merge what weir leaves" \
	on lb ethtool -K eth0 gro off
on lb ethtool -K eth0 gro off
CONFIG=
check "... which are nobody's business without http" content merging
ill "pins that others find" bpffs warning "/sys/fs/bpf/$LAB is open to others" chmod 0755 "/sys/fs/bpf/$LAB"
on lb ip link add late type veth peer name late1
CONFIG=$LAB_DIR/late.yaml
sed 's/^interfaces: .*/interfaces: [eth0, late]/' "$GOOD" >"$CONFIG"
on lb ip link set dev late1 up
on lb ip link set dev late up
finds "an interface that the daemon is not on" interface error "late: weir runs, and is not attached"
mends interface
CONFIG=
weir detach late >/dev/null
touch "$LAB_DIR/before"
BEFORE=$(on lb ip -j address; on lb ip -j route show table all; find "/var/lib/$LAB" "/run/$LAB" "/sys/fs/bpf/$LAB" -newer "$LAB_DIR/before" | sort)
doctor >/dev/null
check "it has written nothing" test "$BEFORE" = "$(on lb ip -j address; on lb ip -j route show table all; find "/var/lib/$LAB" "/run/$LAB" "/sys/fs/bpf/$LAB" -newer "$LAB_DIR/before" | sort)"

# ---- who has no rights ----
install -m 0755 "$WEIR" "$LAB_DIR/weir" # the folder of the build may be root's alone
stranger() { on lb setpriv --reuid=54321 --regid=54321 --clear-groups env WEIR_INSTANCE="$LAB" "$LAB_DIR/weir" doctor -j "$@"; }
check "a stranger is told what he lacks, and how to see all" bash -c "$(declare -f on stranger)
	LAB=$LAB LAB_DIR=$LAB_DIR; stranger | jq -e 'any(.[]; .check == \"capabilities\" and .fix == \"sudo weir doctor\"
		and (.what | test(\"CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON\")))'"
check "... and sees what a file makes known" bash -c "$(declare -f on stranger)
	LAB=$LAB LAB_DIR=$LAB_DIR; stranger -c $GOOD | jq -e 'any(.[]; .check == \"route\" and .severity == \"ok\")'"

# ---- bpffs: in a mount namespace of its own ----
bpffs() {
	unshare -m bash -c "umount -R /sys/fs/bpf; $1
		doctor() { $WEIR -N $LAB-none doctor -j | jq -c '[.[] | select(.check == \"bpffs\" and .severity == \"warning\")]'; }
		fix=\$(doctor | jq -er '.[0].fix') && bash -c \"\$fix\" && [[ \$(doctor) == '[]' ]]"
}
check "no bpffs, mended by its command" bpffs ""
check "a bpffs that only root passes, mended by its command" bpffs "mount -t bpf -o mode=0700 bpf /sys/fs/bpf"
