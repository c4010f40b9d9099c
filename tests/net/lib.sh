# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The lab (namespaces with a client, the balancer and three endpoints) and what tests do in it.
# Sourced by tests/net/*.sh, tools/lab and tools/demo; needs bash, root and a build in $BUILD.
#
#   client eth0 ──┐                       ┌── ep1 eth0      one arm: all on br1, 10.77.0.0/24 and
#                 ├─ br1 [fabric] (br2) ──┼── ep2 eth0      fd77::/64. Two arms: the endpoints and
#   lb eth0 ──────┘    └─── lb (eth1) ────┴── ep3 eth0      lb's eth1 on br2, 10.78.0.0/24 and
#                                                           fd78::/64; fabric routes between them.
#
# Last byte of an address: 1 fabric, 2 client, 10 lb, 11 12 13 ep1 ep2 ep3, 100 the listeners' VIP,
# 20 a second balancer, lb2 on br1, where there is one.
# Endpoints: nginx on TCP 80 (keep-alive) and 8080 (none), both answer "NAME\n" to every path but
# /client (who asks, as they see it) and /big (64 MiB), and on 8082, by the PROXY protocol, who asks;
# tests/peer/serve on TCP 53 and 54, UDP 53.

set -euo pipefail
shopt -s inherit_errexit
umask 022 # the daemon is not root

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$ROOT/$BUILD
WEIR=$BUILD/weir
PATH=$PATH:/usr/sbin:/sbin

LABS=/run/weir-lab # one folder per lab: its processes, logs, configuration
LAB=
LAB_DIR=
LAB_TWO_ARM=
DAEMON=
DAEMONS=0
DAEMON_USER=nobody # every host has one
VIP4=10.77.0.100
VIP6=fd77::100
TUNNEL_MTU=1600
ENDPOINTS=(ep1 ep2 ep3)
PATIENCE=${PATIENCE:-3} # how many times as long as usual to wait, on a slow machine
BALANCER=lb # whose weir the functions below speak of: lb or lb2
FAILURES=0

# ---- words ----

# One check that held, and one that did not: tests/run counts these lines.
ok() { echo "  ok     $*"; }
fail() {
	echo "  FAILED $*"
	FAILURES=$((FAILURES + 1))
}
die() {
	fail "$@"
	exit 1
}

# check WHAT COMMAND...: ok or FAILED by the command's exit status.
check() {
	local what=$1
	shift
	if "$@" >"$LAB_DIR/check.out" 2>&1; then
		ok "$what"
	else
		fail "$what"
		tail -n 5 "$LAB_DIR/check.out" | sed 's/^/         /'
	fi
}

# exit_status N COMMAND...: true if the command exits with N.
exit_status() {
	local wanted=$1 status=0
	shift
	"$@" || status=$?
	((status == wanted))
}

# wait_for COMMAND SECONDS: until the shell command succeeds; fails when the time, as often as
# PATIENCE says, is over.
wait_for() {
	local deadline=$((SECONDS + $2 * PATIENCE)) pause=0.05
	((PATIENCE < 10)) || pause=0.5 # a look costs much where all is that slow
	until eval "$1" >/dev/null 2>&1; do
		((SECONDS <= deadline)) || return 1
		sleep $pause
	done
}

# ---- namespaces and processes ----

# on NODE COMMAND...: nsenter, since `ip netns exec` would hide bpffs.
on() {
	local node=$1
	shift
	nsenter --net="/run/netns/$LAB-$node" "$@"
}

# The pid alone may belong to someone else by the time it is to be killed.
process_started() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	read -ra stat <<<"${stat##*) }"
	[[ ${stat[0]} != Z ]] && echo "${stat[19]}"
}

# spawn LOG NODE COMMAND...: in the background, recorded in the lab; its pid is in SPAWNED.
spawn() {
	local log=$1 node=$2
	shift 2
	setsid nsenter --net="/run/netns/$LAB-$node" "$@" </dev/null >"$log" 2>&1 &
	SPAWNED=$!
	echo "$SPAWNED $(process_started "$SPAWNED" || true)" >>"$LAB_DIR/pids"
}

# running PID STARTED
running() { [[ $(process_started "$1" || true) == "$2" && -n $2 ]]; }

# The recorded processes that still run.
recorded() {
	local pid started
	while read -r pid started; do
		! running "$pid" "$started" || echo "$pid"
	done <"$LAB_DIR/pids"
}

kill_recorded() {
	local signal pids i
	for signal in TERM KILL; do
		pids=$(recorded)
		# shellcheck disable=SC2086 # a list
		[[ -z $pids ]] || kill -s $signal $pids 2>/dev/null || true
		for ((i = 0; i < 60 * PATIENCE; i++)); do
			[[ -n $(recorded) ]] || return 0
			sleep 0.05
		done
	done
}

# ---- the lab ----

lab_nodes() { printf '%s\n' fabric client lb "${ENDPOINTS[@]}"; }

# node_sysctls NODE KEY=VALUE...
node_sysctls() {
	local node=$1
	shift
	# A new link takes over `default`: no duplicate address detection, so ready at once.
	on "$node" sysctl -qw net.ipv6.conf.{all,default}.{accept_dad,accept_ra,router_solicitations}=0 \
		net.ipv4.conf.{all,default}.rp_filter=0 "$@"
}

# connect BRIDGE PORT NODE IF HOST: a veth from a node to a bridge, with the node's addresses.
connect() {
	local bridge=$1 port=$2 node=$3 if=$4 host=$5 net=77
	[[ $bridge == br1 ]] || net=78
	ip link add "$if" netns "$LAB-$node" type veth peer name "$port" netns "$LAB-fabric"
	ip -n "$LAB-fabric" link set "$port" master "$bridge" up
	ip -n "$LAB-$node" -batch - <<-END
		link set lo up
		link set $if up
		address add 10.$net.0.$host/24 dev $if
		address add fd$net::$host/64 dev $if nodad
	END
	# XDP cannot finish a checksum that the sender left to its "hardware" (nor split TSO).
	on "$node" ethtool -K "$if" tx off >/dev/null
	# Frames from XDP_TX and XDP_REDIRECT are taken only if the peer runs a program, too.
	if [[ $node == lb* ]]; then
		on fabric ethtool -K "$port" tx off >/dev/null
		on fabric bpftool net attach xdpdrv pinned "/sys/fs/bpf/$LAB-pass" dev "$port"
	fi
}

# flows_stay NODE: packets of a flow are handled by one CPU, as by a card with several queues. Of a veth
# they are handled where they were sent, on two CPUs at once: then Linux 6.18 answers a request by a
# reset, now and then, whose handshake the other CPU is just completing.
flows_stay() {
	on "$1" unshare -m bash -c 'mount -t sysfs sysfs /mnt
		printf %x $(((1 << $(nproc)) - 1)) >/mnt/class/net/eth0/queues/rx-0/rps_cpus'
}

# The other segment is reached through fabric, which stands for the network's router.
lab_routes() {
	local net=77 node
	ip -n "$LAB-fabric" -batch - <<-END
		address add 10.77.0.1/24 dev br1
		address add 10.78.0.1/24 dev br2
		address add fd77::1/64 dev br1 nodad
		address add fd78::1/64 dev br2 nodad
	END
	on fabric sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.{all,br1,br2}.send_redirects=0
	for node in client "${ENDPOINTS[@]}"; do
		[[ $node == client ]] && net=77 || net=78
		ip -n "$LAB-$node" route add default via 10.$net.0.1
		ip -n "$LAB-$node" -6 route add default via fd$net::1
	done
}

# An endpoint of DSR answers as the VIP, but never claims it on the network.
lab_vips() {
	local node
	for node in "${ENDPOINTS[@]}"; do
		on "$node" sysctl -qw net.ipv4.conf.{all,default,eth0}.arp_ignore=1 \
			net.ipv4.conf.{all,default,eth0}.arp_announce=2
		ip -n "$LAB-$node" address add $VIP4/32 dev lo
		ip -n "$LAB-$node" address add $VIP6/128 dev lo nodad
	done
}

# The wires to the endpoints carry what a tunnel adds to the client's 1500 bytes.
lab_tunnel_mtu() {
	local node if
	for if in lb0 ${LAB_TWO_ARM:+lb1} ep1 ep2 ep3; do
		ip -n "$LAB-fabric" link set "$if" mtu $TUNNEL_MTU
	done
	for if in eth0 ${LAB_TWO_ARM:+eth1}; do
		ip -n "$LAB-lb" link set "$if" mtu $TUNNEL_MTU
	done
	for node in "${ENDPOINTS[@]}"; do
		ip -n "$LAB-$node" link set eth0 mtu $TUNNEL_MTU
	done
	[[ -e /run/netns/$LAB-lb2 ]] || return 0
	ip -n "$LAB-fabric" link set lb2 mtu $TUNNEL_MTU
	ip -n "$LAB-lb2" link set eth0 mtu $TUNNEL_MTU
}

# An endpoint's own weir, which needs no daemon: endpoint_weir ep1 ARGS...
endpoint_weir() { on "$1" env WEIR_INSTANCE="$LAB-$1" "$WEIR" "${@:2}"; }

# decap_start native|generic: every endpoint takes tunnels from the balancers' addresses.
decap_start() {
	local node option=()
	[[ $1 == native ]] || option=(--generic)
	[[ ! -e /run/netns/$LAB-lb2 ]] || option+=(--from 10.77.0.20 --from fd77::20)
	for node in "${ENDPOINTS[@]}"; do
		endpoint_weir "$node" attach --decap eth0 --from "$(lb_address 4)" \
			--from "$(lb_address 6)" "${option[@]}" >"$LAB_DIR/decap-$node" ||
			die "$node does not decapsulate"
	done
}

# decap_count REASON: how many packets of it, at all endpoints.
decap_count() {
	local node
	for node in "${ENDPOINTS[@]}"; do
		endpoint_weir "$node" -j show decap
	done | jq -s --arg reason "$1" \
		'[.[].reasons[] | select(.reason == $reason) | .packets] | add'
}

# nginx_start ENDPOINT, nginx_stop ENDPOINT: lab_up starts it.
nginx_start() {
	local dir=$LAB_DIR/$1
	spawn "$dir/nginx.log" "$1" nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/error.log"
}
nginx_stop() { kill "$(<"$LAB_DIR/$1/pid")"; }

# nginx_config NAME DIR
nginx_config() {
	local locations="location / { return 200 '$1\\n'; } location = /big { root $2; }
		location = /client { return 200 '\$remote_addr\\n'; }
		location = /forwarded { return 200 '\$http_x_forwarded_for\\n'; }"
	cat <<-END
		daemon off;
		master_process off;
		pid $2/pid;
		error_log $2/error.log;
		worker_rlimit_nofile 8192;
		events { worker_connections 8000; }
		http {
			access_log off;
			default_type text/plain;
			keepalive_requests 1000000;
			client_body_temp_path $2;
			proxy_temp_path $2;
			fastcgi_temp_path $2;
			uwsgi_temp_path $2;
			scgi_temp_path $2;
			server {
				listen 80 backlog=4096;
				listen [::]:80 backlog=4096;
				$locations
			}
			server {
				listen 8080 backlog=4096;
				listen [::]:8080 backlog=4096;
				keepalive_timeout 0;
				$locations
			}
			server {
				listen 8082 proxy_protocol;
				location / { return 200 '\$proxy_protocol_addr\n'; }
			}
		}
	END
}

endpoint_start() {
	local node=$1 dir=$LAB_DIR/$1
	mkdir -p "$dir"
	truncate -s 64M "$dir/big"
	nginx_config "$node" "$dir" >"$dir/nginx.conf"
	nginx_start "$node"
	spawn "$dir/serve.log" "$node" "$BUILD/tests/peer/serve" "$node" --tcp 53 --tcp 54 --udp 53
}

# The balancer's address towards the endpoints: lb_address 4|6
lb_address() {
	local net=77
	[[ -z $LAB_TWO_ARM ]] || net=78
	[[ $1 == 4 ]] && echo 10.$net.0.10 || echo fd$net::10
}

# The address of an endpoint: endpoint_address ep2 4|6
endpoint_address() {
	local net=77 host=1${1#ep}
	[[ -z $LAB_TWO_ARM ]] || net=78
	[[ $2 == 4 ]] && echo "10.$net.0.$host" || echo "fd$net::$host"
}

endpoint_answers() {
	local address
	for address in "$(endpoint_address "$1" 4)" "[$(endpoint_address "$1" 6)]"; do
		[[ $(on client curl -s -m $((2 * PATIENCE)) "http://$address/") == "$1" ]] || return 1
	done
	on client "$BUILD/tests/peer/flows" count --udp --to "$(endpoint_address "$1" 4)" 53 \
		--connections 1 | grep -q '"failed":0'
}

# A second balancer, on the one arm. Packets to the VIPs take the way that a route says.
lab_second() {
	ip netns add "$LAB-lb2"
	node_sysctls lb2
	connect br1 lb2 lb2 eth0 20
	way_over lb
}

# way_over lb|lb2: the client reaches the VIPs through this balancer.
way_over() {
	local host=10
	[[ $1 == lb ]] || host=20
	ip -n "$LAB-client" route replace $VIP4 via 10.77.0.$host
	ip -n "$LAB-client" -6 route replace $VIP6 via fd77::$host
}

# lab_up [--two-arm] [--dsr|--tunnel] [--second] [--name NAME]: makes the lab and waits until its
# servers answer. From here on it goes away when the script ends, however that comes about.
lab_up() {
	local name='' dsr='' tunnel='' second='' node bridge=br1 i
	LAB_TWO_ARM=
	while (($#)); do
		case $1 in
		--two-arm) LAB_TWO_ARM=1 ;;
		--dsr) dsr=1 ;;
		--second) second=1 ;;
		--tunnel) dsr=1 tunnel=1 ;;
		--name) shift && name=$1 ;;
		*) die "lab_up: unknown option $1" ;;
		esac
		shift
	done
	((EUID == 0)) || die "namespaces need root"
	LAB=weir-${name:-$(printf '%04x' $((RANDOM * 2 + RANDOM % 2)))}
	LAB_DIR=$LABS/$LAB
	[[ ! -e $LAB_DIR ]] || die "the lab $LAB exists; remove it with: tools/lab down"
	mkdir -p "$LAB_DIR"
	: >"$LAB_DIR/pids"
	echo $$ >"$LAB_DIR/owner"
	echo "LAB=$LAB LAB_DIR=$LAB_DIR LAB_TWO_ARM=$LAB_TWO_ARM" >"$LAB_DIR/env"
	export WEIR_INSTANCE=$LAB
	trap lab_exit EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP

	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	for node in $(lab_nodes); do ip netns add "$LAB-$node"; done
	node_sysctls fabric
	# Netfilter, where it is in the kernel, would look at every bridged packet.
	on fabric sysctl -eqw net.bridge.bridge-nf-call-{iptables,ip6tables,arptables}=0
	for i in br1 br2; do
		ip -n "$LAB-fabric" link add $i type bridge stp_state 0 forward_delay 0 mcast_snooping 0
		ip -n "$LAB-fabric" link set $i up
	done

	# One client stands for thousands, and one lab for many runs of weir: SNAT ports come back while
	# the endpoint still holds them in TIME_WAIT. It takes them at once if timestamps grow, as they do
	# without random offsets (2); else the SYN waits for its retransmission, with any NAT.
	node_sysctls client net.ipv4.ip_local_port_range='40000 65535' \
		net.ipv4.tcp_tw_reuse=1 net.ipv4.tcp_timestamps=2
	node_sysctls lb
	# Not by `ip link set xdp`, which leaves folders in bpffs.
	bpftool prog load "$BUILD/tests/lib/pass.bpf.o" "/sys/fs/bpf/$LAB-pass"
	connect br1 client client eth0 2
	connect br1 lb0 lb eth0 10
	if [[ -n $LAB_TWO_ARM ]]; then
		bridge=br2
		connect br2 lb1 lb eth1 10
	fi
	for i in 1 2 3; do
		node_sysctls ep$i
		connect $bridge ep$i ep$i eth0 1$i
	done
	[[ -z $LAB_TWO_ARM ]] || lab_routes
	[[ -z $dsr ]] || lab_vips
	[[ -z $second ]] || lab_second
	[[ -z $tunnel ]] || lab_tunnel_mtu

	for node in "${ENDPOINTS[@]}"; do
		flows_stay "$node"
		endpoint_start "$node"
	done
	for node in "${ENDPOINTS[@]}"; do
		wait_for "endpoint_answers $node" 10 || die "$node does not answer; see $LAB_DIR/$node"
	done
}

# Removes the lab and everything the instance left. Safe on a half-made lab.
lab_down() {
	local node
	[[ -n $LAB && -d $LAB_DIR ]] || return 0
	kill_recorded
	for BALANCER in lb2 lb; do
		if [[ -d /sys/fs/bpf/$(instance) && -x $WEIR && -e /run/netns/$LAB-$BALANCER ]]; then
			weir down >/dev/null 2>&1 || echo "weir down failed" >&2
		fi
		rm -rf "/sys/fs/bpf/$(instance)" "/var/lib/$(instance)" "/run/$(instance)"
	done
	for node in $(lab_nodes) lb2; do
		[[ ! -e /run/netns/$LAB-$node ]] || ip netns del "$LAB-$node" || true
		rm -rf "/sys/fs/bpf/$LAB-$node-decap"
	done
	rm -rf "/sys/fs/bpf/$LAB-pass" "$LAB_DIR"
	rmdir "$LABS" 2>/dev/null || true
	LAB=
}

# The EXIT trap of whoever made a lab.
lab_exit() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP # the removal is not interrupted
	set +e
	if [[ -n $LAB ]]; then
		((DAEMONS == 0)) || daemon_verdict
		((status == 0 && FAILURES == 0)) || lab_evidence
		lab_down
	fi
	((status != 0 || FAILURES == 0)) || status=1
	exit $status
}

# What helps to understand a failure, before it is removed.
lab_evidence() {
	local log
	for log in "$LAB_DIR"/daemon-*.log; do
		[[ -s $log ]] || continue
		echo "--- ${log##*/}: a sanitizer's report, or the end"
		grep -E -m1 -A30 'Sanitizer|runtime error:' "$log" || tail -n 30 "$log"
	done
	[[ -d /sys/fs/bpf/$LAB && -x $WEIR ]] || return 0
	echo "--- weir show drops"
	weir show drops 2>&1 | head -n 40
}

# Removes labs whose maker was killed before it could.
lab_reap() {
	local dir
	for dir in "$LABS"/*/; do
		[[ -e $dir/owner && ! -d /proc/$(<"$dir/owner") ]] || continue
		LAB=$(basename "$dir")
		LAB_DIR=$LABS/$LAB
		lab_down
	done
}

# ---- weir in the lab ----

# The instance of weir: one for each balancer, since they share bpffs here.
instance() { [[ $BALANCER == lb ]] && echo "$LAB" || echo "$LAB-$BALANCER"; }

# weir ARGS...: the CLI, in the balancer's namespace, of its instance.
weir() { on "$BALANCER" env WEIR_INSTANCE="$(instance)" "$WEIR" "$@"; }

# verdict_is LISTENER/GROUP/ENDPOINT STATE [REASON]: of its health checks, in both families.
verdict_is() {
	weir -j show checks "$1*" | jq -e --arg state "$2" --arg reason "${3-}" \
		'length == 2 and all(.[]; .health.state == $state
			and (.health.reason // "") == $reason)'
}

# The same, waited for, as a check.
verdict_check() {
	check "$1 is $2${3:+: $3}" wait_for "verdict_is $1 $2 ${3-}" 10
}

# lab_listener NAME PROTOCOL PORT MODE WEIGHT...: one listener on both VIPs; the first weight is
# ep1's and ep1-v6's, and so on. IDLE_TIMEOUT (s) if it is set.
lab_listener() {
	local name=$1 protocol=$2 port=$3 mode=$4 i
	shift 4
	cat <<-END
		  - name: $name
		    protocol: $protocol
		    address: [$VIP4, "$VIP6"]
		    port: $port
		    mode: $mode
	END
	[[ -z ${IDLE_TIMEOUT-} ]] || echo "    idle_timeout: $IDLE_TIMEOUT"
	cat <<-END
		    endpoint_groups:
		      - name: main
		        endpoints:
	END
	for ((i = 1; i <= $#; i++)); do
		echo "          - { name: ep$i, address: $(endpoint_address ep$i 4), weight: ${!i} }"
		echo "          - { name: ep$i-v6, address: \"$(endpoint_address ep$i 6)\", weight: ${!i} }"
	done
}

# lab_endpoints FAMILY WEIGHT...: the endpoints of a listener, by one of their addresses.
lab_endpoints() {
	local family=$1 i
	shift
	printf '    endpoint_groups:\n      - name: main\n        endpoints:\n'
	for ((i = 1; i <= $#; i++)); do
		echo "          - { name: ep$i, address: \"$(endpoint_address ep$i "$family")\", weight: ${!i} }"
	done
}

# lab_listener_apart NAME PROTOCOL PORT WEIGHT...: a listener per family, with endpoints of the other.
lab_listener_apart() {
	local family vip=$VIP6
	for family in 4 6; do
		cat <<-END
			  - name: $1-to$family
			    protocol: $2
			    address: "$vip"
			    port: $3
		END
		lab_endpoints $family "${@:4}"
		vip=$VIP4
	done
}

# lab_listener_mixed NAME PROTOCOL PORT MODE...: ep1, ep2, ... with a mode each, by IPv4, with the
# weights 50 30 20.
lab_listener_mixed() {
	local weights=(50 30 20) endpoints=() mode
	for mode in "${@:4}"; do endpoints+=("${weights[${#endpoints[@]}]}, mode: $mode"); done
	cat <<-END
		  - name: $1
		    protocol: $2
		    address: [$VIP4, "$VIP6"]
		    port: $3
	END
	[[ -z ${IDLE_TIMEOUT-} ]] || echo "    idle_timeout: $IDLE_TIMEOUT"
	lab_endpoints 4 "${endpoints[@]}"
}

# lab_config MODE WEIGHT...: a configuration with `web` (TCP 80) and `names` (UDP 53); append more
# with lab_listener.
lab_config() {
	echo "version: 1"
	echo "interfaces: [eth0${LAB_TWO_ARM:+, eth1}]"
	echo "listeners:"
	lab_listener web tcp 80 "$@"
	lab_listener names udp 53 "$@"
}

# http_config WEIGHT WEIGHT [RULE...]: `web`, a listener of http on both VIPs: ep1 and ep2 in its default
# group, with these weights, ep3 in a virtual one.
http_config() {
	cat <<-END
		version: 1
		interfaces: [eth0${LAB_TWO_ARM:+, eth1}]
		listeners:
		  - name: web
		    protocol: http
		    address: [$VIP4, "$VIP6"]
		    port: 80
		    request_timeout: 5s
		    rule_order: domain_first
		    endpoint_groups:
		      - name: main
		        endpoints:
		          - { name: ep1, address: $(endpoint_address ep1 4), port: 80, weight: $1 }
		          - { name: ep2, address: "$(endpoint_address ep2 6)", port: 80, weight: $2 }
		      - name: api
		        type: virtual
		        endpoints: [{ name: ep3, address: $(endpoint_address ep3 4), port: 80 }]
		    forwarding_rules:
		      - { host: api.example.com, path: "/v2/*", forward: api }
		      - { host: old.example.com, redirect: { url: "https://www.example.com\${path}?\${query}", code: 301 } }
		      - { path: /status, fixed_response: { code: 200, body: "all is well" } }
	END
	shift 2
	while (($#)); do
		echo "      - $1"
		shift
	done
}

# daemon_start CONFIG [native|generic]: `weir run` until it answers. Started as root, it becomes
# $DAEMON_USER with the capabilities that it needs, as it would on an operator's host.
daemon_start() {
	local config=$1 option=()
	[[ ${2-native} == native ]] || option=(--generic)
	DAEMONS=$((DAEMONS + 1))
	DAEMON_LOG=$LAB_DIR/daemon-$DAEMONS.log
	spawn "$DAEMON_LOG" "$BALANCER" env WEIR_INSTANCE="$(instance)" \
		"$WEIR" run -c "$config" --user "$DAEMON_USER" --http-user daemon "${option[@]}"
	DAEMON=$SPAWNED
	wait_for daemon_ready_or_dead 60 || die "the daemon is not ready after $((60 * PATIENCE)) s"
	kill -0 "$DAEMON" 2>/dev/null || die "the daemon did not start: $(tail -n 3 "$DAEMON_LOG")"
}

# xdp_attached native|generic: is that what every interface of the balancer runs?
xdp_attached() {
	local if mode
	[[ $1 == native ]] && mode=1 || mode=2
	for if in eth0 ${LAB_TWO_ARM:+eth1}; do
		ip -n "$LAB-lb" -j link show "$if" | jq -e ".[0].xdp.mode == $mode" || return 1
	done
}

# Its own word counts: `weir show` works as soon as there are pins, also those of the daemon before.
daemon_ready() { grep -q '^ready' "$DAEMON_LOG" && weir show listeners; }
daemon_ready_or_dead() { daemon_ready || ! kill -0 "$DAEMON"; }

# No word from the shell about a child that was killed.
daemon_gone() {
	wait "$DAEMON" 2>/dev/null || true
	DAEMON=
}

daemon_kill9() {
	kill -9 "$DAEMON"
	daemon_gone
}

daemon_stop() {
	kill "$DAEMON"
	wait_for "! kill -0 $DAEMON" 10 || die "the daemon ignores SIGTERM"
	daemon_gone
}

# daemon_hold SYSCALL NUMBER [PATH]: whatever thread of the daemon makes that call (of the path) stands
# still at it, until daemon_let.
daemon_hold() {
	# shellcheck disable=SC2086 # none, or two words
	spawn "$LAB_DIR/strace.log" "$BALANCER" strace -f -p "$DAEMON" ${3:+-P $3} -e trace="$1" \
		-e inject="$1":delay_enter=300000000
	STRACE=$SPAWNED
	HELD=$2
	wait_for "grep -q attached $LAB_DIR/strace.log" 10 || die "strace: $(<"$LAB_DIR/strace.log")"
}
daemon_held() { grep -q "^$HELD " /proc/"$DAEMON"/task/*/syscall; }
daemon_let() { kill "$STRACE" && { wait "$STRACE" || true; }; }

# A sanitizer's report fails the test, even where nobody looked at the exit status.
daemon_verdict() {
	# Not daemon_stop: what dies here would keep the lab from being removed.
	if [[ -n $DAEMON ]] && kill "$DAEMON" 2>/dev/null; then
		wait_for "! kill -0 $DAEMON" 10 || fail "the daemon ignores SIGTERM"
	fi
	if grep -qE 'Sanitizer|runtime error:' "$LAB_DIR"/daemon-*.log; then
		fail "a sanitizer reported: $(grep -hE -m1 'Sanitizer|runtime error:' "$LAB_DIR"/daemon-*.log)"
	fi
}

# ---- traffic ----

# flows ARGS...: tests/peer/flows at the client.
flows() { on client "$BUILD/tests/peer/flows" "$@"; }

# fresh_ports tcp|udp VIP N: source ports for N new flows, in PORTS. New ones for every run, since a
# UDP flow that weir still knows would stay where it is. TCP leaves the kernel's own range alone;
# there is some room for the odd port that is in use.
declare -A NEXT_PORT=()
fresh_ports() {
	local first=${NEXT_PORT[$1 $2]:-1024} last max=65535
	[[ $1 == udp ]] || max=39999
	last=$((first + $3 + 63))
	if ((last > max)); then
		first=1024
		last=$((first + $3 + 63))
	fi
	PORTS=$first-$last
	NEXT_PORT[$1 $2]=$((last + 1))
}

# count_flows tcp|http|udp VIP PORT N: the JSON of `flows count`, in COUNTED.
count_flows() {
	fresh_ports "${1/http/tcp}" "$2" "$4"
	# shellcheck disable=SC2034 # the caller's
	COUNTED=$(flows count --"$1" --to "$2" "$3" --connections "$4" --source-ports "$PORTS" \
		--timeout $((5000 * PATIENCE)) --seconds $((30 * PATIENCE)))
}

# worst_share JSON WEIGHT...: the largest distance of a share from its weight, in points; 100 if
# any flow failed or an endpoint answered that has no weight.
worst_share() {
	local json=$1
	shift
	jq -n --argjson run "$json" '[$ARGS.positional[] | tonumber] as $w | ($w | add) as $sum
		| if $run.failed > 0 or (($run.endpoints | add) // 0) != $run.connections
			or ($run.endpoints | keys - [range($w | length) | "ep\(. + 1)"] | length) > 0
		  then 100
		  else [range($w | length) | 100 * $w[.] / $sum
			- 100 * ($run.endpoints["ep\(. + 1)"] // 0) / $run.connections | fabs] | max
		  end | . * 100 | round / 100' --args "$@"
}

# share_check WHAT JSON WEIGHT...: ok if every share is within 2 points of its weight. Where nobody
# answered at all, everything after it would only wait for its time to be over: the test ends.
share_check() {
	local what=$1 json=$2 worst
	worst=$(worst_share "${@:2}")
	if jq -en "$worst <= 2" >/dev/null; then
		ok "$what: shares within $worst points"
	elif [[ $json == *'"endpoints":{}'* ]]; then
		die "$what: no answer at all: $json"
	else
		fail "$what: a share is $worst points off: $json"
	fi
}

# cell_shares PREFIX WEIGHT...: 10000 new flows by each protocol and family, to `web` and `names`.
cell_shares() {
	local prefix=$1
	shift
	count_flows http $VIP4 80 10000 && share_check "$prefix tcp4" "$COUNTED" "$@"
	count_flows http $VIP6 80 10000 && share_check "$prefix tcp6" "$COUNTED" "$@"
	count_flows udp $VIP4 53 10000 && share_check "$prefix udp4" "$COUNTED" "$@"
	count_flows udp $VIP6 53 10000 && share_check "$prefix udp6" "$COUNTED" "$@"
}

# bulk_start: an iperf3 server at ep1, for a listener with ep1 alone on TCP 5201.
bulk_start() {
	spawn "$LAB_DIR/iperf3.log" ep1 iperf3 -s
	wait_for "on ep1 ss -Htln sport = :5201 | grep -q LISTEN" 5 || die "iperf3 does not listen"
}

# bulk_check PREFIX: a second of bulk each way by each family.
bulk_check() {
	local vip
	for vip in $VIP4 $VIP6; do
		check "$1 upload to $vip" on client timeout $((20 * PATIENCE)) iperf3 -c "$vip" -t 1
		check "$1 download from $vip" on client timeout $((20 * PATIENCE)) iperf3 -c "$vip" -t 1 -R
	done
}

# bad_checksums: how many packets arrived with one, at the client or any endpoint.
bad_checksums() {
	local node
	for node in client "${ENDPOINTS[@]}"; do
		on "$node" nstat -asz TcpInCsumErrors UdpInCsumErrors Udp6InCsumErrors
	done | awk '$1 ~ /InCsumErrors$/ { sum += $2 } END { print sum + 0 }'
}

# seen_as VIP: the client's address as an endpoint sees it.
seen_as() { on client curl -s -m $((5 * PATIENCE)) "http://${1/#fd*/[$1]}/client"; }

# flows_start NAME ARGS...: `flows ARGS` in the background.
flows_start() {
	local name=$1
	shift
	# shellcheck disable=SC2016 # the inner shell's arguments
	spawn "$LAB_DIR/flows-$name.json" client sh -c 'exec "$@" 2>"$0"' "$LAB_DIR/flows-$name.err" \
		"$BUILD/tests/peer/flows" "$@"
	echo "$SPAWNED" >"$LAB_DIR/flows-$name.pid"
}

# flows_wait NAME: until it has ended by itself; its JSON in FLOWS. Not in a subshell, which could
# not wait for its parent's child.
flows_wait() {
	local pid
	pid=$(<"$LAB_DIR/flows-$1.pid")
	wait "$pid" || die "$1: $(<"$LAB_DIR/flows-$1.err")"
	FLOWS=$(<"$LAB_DIR/flows-$1.json")
}

# new_flows_check WHAT NAME: the end of a `flows count` in the background; ok if none failed.
new_flows_check() {
	flows_wait "$2"
	if jq -en --argjson r "$FLOWS" '$r.failed == 0' >/dev/null; then
		ok "$1: none failed"
	else
		fail "$1: $FLOWS $(<"$LAB_DIR/flows-$2.err")"
	fi
}

# new_flows_start NAME VIP PORT N: `flows count` of N new TCP flows in the background, 500 a second, of
# each of which it is known what became. Returns when 200 have: before anything happens to endpoints.
new_flows_start() {
	fresh_ports tcp "$2" "$4"
	flows_start "$1" count --tcp --to "$2" "$3" --connections "$4" --rate 500 \
		--source-ports "$PORTS" --log "$LAB_DIR/flows-$1.log"
	echo "$2 $3" >"$LAB_DIR/flows-$1.to"
	wait_for "((\$(wc -l <$LAB_DIR/flows-$1.log) >= 200))" 15 || die "$1: no flows"
}

# chosen_for NAME PORT: the endpoint (node) that a flow of `flows NAME` goes to while all of them live.
chosen_for() {
	local vip port
	read -r vip port <"$LAB_DIR/flows-$1.to"
	weir -j explain "10.77.0.2:$2" "$vip:$port" | jq -r '.endpoint | split("/")[2]'
}

# in_time LOG NUMBER ENDPOINT: was the endpoint there when the flow of this number began, and not when
# it had ended? In the order of flows, since clocks of a busy machine say little: the endpoint has
# answered one of the hundred before it and those beside it (64 at once), and none of four hundred
# behind them.
in_time() {
	awk -v n="$2" -v endpoint="$3" '
		$3 == endpoint && $1 > n - 100 && $1 <= n + 64 { before++ }
		$3 == endpoint && $1 > n + 64 && $1 <= n + 464 { behind++ }
		END { exit !(before && !behind) }' "$1"
}

# died_with LOG NUMBER CHOSEN DEAD...: was the flow under way to an endpoint that died at that moment?
# To the one that the table has for it, or, if that one was dead already, to one that had its share.
died_with() {
	local log=$1 number=$2 chosen=$3 endpoint
	shift 3
	[[ " $* " == *" $chosen "* ]] || return 1
	! in_time "$log" "$number" "$chosen" || return 0
	! awk -v n="$number" -v endpoint="$chosen" \
		'$3 == endpoint && $1 > n - 100 && $1 <= n + 464 { alive++ } END { exit !alive }' "$log" ||
		return 1
	for endpoint in "$@"; do
		! in_time "$log" "$number" "$endpoint" || return 0
	done
	return 1
}

# dying_check WHAT NAME DEAD...: the end of new_flows_start NAME, after everybody has come back; ok if
# no flow failed but those that were under way to one of the DEAD at the moment when it died.
dying_check() {
	local what=$1 name=$2 log=$LAB_DIR/flows-$2.log number port why chosen wrong="" died=0
	shift 2
	flows_wait "$name"
	# What the table says now is what it said in the beginning, or nothing could be judged by it.
	while read -r number port why; do
		[[ $(chosen_for "$name" "$port") == "$why" ]] ||
			wrong+="flow $number was to go to $(chosen_for "$name" "$port"), not $why; "
	done < <(awk '$1 < 150 && $1 % 15 == 0' "$log")
	while read -r number port why; do
		chosen=$(chosen_for "$name" "$port")
		if died_with "$log" "$number" "$chosen" "$@"; then
			died=$((died + 1))
		else
			wrong+="flow $number, of $chosen: $why; "
		fi
	done < <(awk '$3 == "-"' "$log")
	if [[ -z $wrong ]] && jq -en --argjson r "$FLOWS" --argjson died "$died" \
		'$r.failed == $died' >/dev/null; then
		ok "$what: none failed, but for $died under way to who died"
	else
		fail "$what: $wrong$FLOWS $(<"$LAB_DIR/flows-$name.err")"
	fi
}

# hold_start NAME ARGS...: `flows hold` in the background, once all its flows have had an answer.
hold_start() {
	flows_start "$1" hold "${@:2}"
	wait_for "grep -q ready $LAB_DIR/flows-$1.err" 15 ||
		die "$1: the flows are not up: $(<"$LAB_DIR/flows-$1.err")"
}

# hold_stop NAME: its JSON in FLOWS. It may have ended by itself, if nothing was left to hold.
hold_stop() {
	kill "$(<"$LAB_DIR/flows-$1.pid")" 2>/dev/null || true
	flows_wait "$1"
}

# hold_check NAME: stops it; ok if no flow moved or broke.
hold_check() {
	hold_stop "$1"
	if jq -en --argjson r "$FLOWS" '$r.moved == 0 and $r.broken == 0 and $r.exchanges > $r.flows' \
		>/dev/null; then
		ok "$1: $(jq -nr --argjson r "$FLOWS" \
			'"\($r.flows) flows, \($r.exchanges) exchanges, 0 moved, 0 broken"')"
	else
		fail "$1: $FLOWS $(<"$LAB_DIR/flows-$1.err")"
	fi
}
