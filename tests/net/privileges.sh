#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: a daemon that never was root, with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON and nothing else,
# does all that a daemon does: attach, every mode, health checks, apply, drain, adoption after
# kill -9. Started as root it becomes such a one, and what a root daemon has left is its own then. Its
# group works the command line; everybody else is told why not, with exit 77.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

KEPT=000000c000001000 # /proc/PID/status: CAP_NET_ADMIN 12, CAP_PERFMON 38, CAP_BPF 39
MEMBER=54321          # users that need no name
STRANGER=54322

# user UID GROUPS ARGS...: the command line of somebody, in the balancer's namespace.
user() {
	on lb setpriv --reuid="$1" --regid="$1" --groups="$2" --bounding-set=-all --inh-caps=-all \
		env WEIR_INSTANCE="$LAB" "$LAB_DIR/weir" "${@:3}"
}

# refused WHAT STATUS PATTERN COMMAND...
refused() {
	local what=$1 wanted=$2 pattern=$3 status=0
	shift 3
	"$@" >"$LAB_DIR/refused.out" 2>&1 || status=$?
	if ((status == wanted)) && grep -qE -- "$pattern" "$LAB_DIR/refused.out"; then
		ok "$what"
	else
		fail "$what: exit $status: $(tail -n 2 "$LAB_DIR/refused.out")"
	fi
}

# unprivileged_start CAPABILITIES: as a service manager would: the folders by root, the daemon by the
# user alone.
unprivileged_start() {
	DAEMONS=$((DAEMONS + 1))
	DAEMON_LOG=$LAB_DIR/daemon-$DAEMONS.log
	on lb env WEIR_INSTANCE="$LAB" "$WEIR" run --prepare --user nobody || die "cannot prepare"
	spawn "$DAEMON_LOG" lb setpriv --reuid=nobody --regid="$GROUP" --clear-groups \
		--inh-caps="-all,$1" --ambient-caps="-all,$1" \
		env WEIR_INSTANCE="$LAB" "$LAB_DIR/weir" run -c "$CONFIG"
	DAEMON=$SPAWNED
	wait_for daemon_ready_or_dead 20 || die "the daemon is not ready"
	kill -0 "$DAEMON" 2>/dev/null || die "the daemon did not start: $(tail -n 3 "$DAEMON_LOG")"
}

# status KEY: of the daemon's process.
status() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$DAEMON/status"; }

# harmless: what /proc says of a daemon that can no more than it needs.
harmless() {
	local key
	for key in CapPrm CapEff; do
		check "... $key" test "$(status $key)" = $KEPT
	done
	for key in CapInh CapAmb; do
		check "... no $key" test "$(status $key)" = 0000000000000000
	done
	check "... user and group" test "$(status Uid | cut -f1-3) $(status Gid | cut -f1-3)" = \
		"$(printf '%s\t%s\t%s' "$NOBODY" "$NOBODY" "$NOBODY") $(printf '%s\t%s\t%s' "$GROUP" "$GROUP" "$GROUP")"
	check "... no groups of root" test "$(status Groups | tr -d ' ')" = "${1-}"
	check "... nothing that it executes can have more" test "$(status NoNewPrivs)" = 1
	check "... nobody looks into it" test "$(stat -c %u "/proc/$DAEMON/environ")" = 0
	check "... says so" grep -q "runs as user 'nobody' with CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and nothing else" "$DAEMON_LOG"
}

# theirs: everything of the instance belongs to the daemon's user.
theirs() {
	[[ -z $(find "/sys/fs/bpf/$LAB" "/var/lib/$LAB" "/run/$LAB" ! -type l \
		\( ! -uid "$NOBODY" -o ! -gid "$GROUP" \)) ]]
}

served() {
	local port
	for port in 80 8080 53 54; do
		count_flows "$([[ $port == *80* ]] && echo http || echo tcp)" "$1" $port 10000 &&
			share_check "$2, port $port of $1" "$COUNTED" 50 30 20
	done
}

NOBODY=$(id -u nobody) GROUP=$(id -g nobody)
lab_up --tunnel
install -m 0755 "$WEIR" "$LAB_DIR/weir" # the folder of the build may be root's alone
decap_start native
CONFIG=$LAB_DIR/weir.yaml
{
	lab_config nat 50 30 20
	lab_listener alternative tcp 8080 dsr 50 30 20
	lab_listener lines tcp 53 ipip 50 30 20
	lab_listener more tcp 54 gue 50 30 20
} | sed 's/^\( *\)- name: main$/&\n\1  health_check: { protocol: tcp, port: 80, interval: 1s, threshold: 2 }/' >"$CONFIG"

# ---- a capability less ----
for missing in bpf net_admin perfmon; do
	others=+bpf,+net_admin,+perfmon
	others=${others/+$missing/-$missing}
	refused "without CAP_${missing^^}" 77 "missing capabilities: CAP_${missing^^}; .*AmbientCapabilities=" \
		on lb timeout 20 setpriv --reuid=nobody --inh-caps="-all,$others" --ambient-caps="-all,$others" \
		env WEIR_INSTANCE="$LAB" "$LAB_DIR/weir" run -c "$CONFIG"
	refused "... as root" 77 "missing capabilities: CAP_${missing^^}; .*CapabilityBoundingSet=" \
		on lb timeout 20 setpriv --bounding-set="-$missing,-sys_admin" env WEIR_INSTANCE="$LAB" "$WEIR" run -c "$CONFIG"
done
refused "without folders that root has made" 77 "cannot make /run/$LAB: .*weir run --prepare" \
	on lb setpriv --reuid=nobody --inh-caps=-all,+bpf,+net_admin,+perfmon \
	--ambient-caps=-all,+bpf,+net_admin,+perfmon env WEIR_INSTANCE="$LAB" "$LAB_DIR/weir" run -c "$CONFIG"
refused "a user that is none" 1 "no user 'nemo'; .*useradd" weir run -c "$CONFIG" --user nemo
refused "prepared by a stranger" 77 "only root" user $STRANGER $STRANGER run --prepare
refused "another user by a stranger" 77 "only root can become|missing capabilities" \
	user $STRANGER $STRANGER run -c "$CONFIG" --user nobody

# A bpffs as Debian mounts it, and none at all.
check "prepare lets the user through to its pins" unshare -m bash -c "umount -R /sys/fs/bpf
	mount -t bpf -o mode=0700 bpf /sys/fs/bpf && $WEIR -N $LAB run --prepare --user nobody &&
	[[ \$(stat -c %a /sys/fs/bpf) == *711 && \$(stat -c '%a %U' /sys/fs/bpf/$LAB) == '750 nobody' ]]"
check "... and mounts what is not there" unshare -m bash -c "umount -R /sys/fs/bpf
	$WEIR -N $LAB run --prepare --user nobody && [[ \$(stat -c '%a %U' /sys/fs/bpf/$LAB) == '750 nobody' ]]"

# ---- never root ----
unprivileged_start +bpf,+net_admin,+perfmon
ok "a daemon of user nobody is ready"
harmless
check "everything is its own" theirs
check "... closed to others" test "$(stat -c %a "/sys/fs/bpf/$LAB" "/var/lib/$LAB" "/run/$LAB" \
	"/run/$LAB/admin.sock" | tr '\n' ' ')" = "750 750 750 660 "
served $VIP4 "never root"
served $VIP6 "never root"
verdict_check web/main/ep1 normal
nginx_stop ep1
verdict_check web/main/ep1 abnormal refused
nginx_start ep1
verdict_check web/main/ep1 normal
check "attach" xdp_attached native
lab_listener late udp 54 nat 1 1 1 >>"$CONFIG"
check "apply" weir apply
check "set" weir set web/main/ep1 weight=40
check "... and back" weir set web/main/ep1 weight=50
check "drain" weir drain names
check "undrain" weir undrain names
fresh_ports tcp $VIP4 100
hold_start lasting --tcp --to $VIP4 53 --flows 100 --interval 50 --source-ports "$PORTS"
daemon_kill9
check "show while it is dead" weir show endpoints
unprivileged_start +bpf,+net_admin,+perfmon
check "adopted after kill -9" grep -q "adopted the data plane" "$DAEMON_LOG"
hold_check lasting
served $VIP4 "adopted"

# ---- the command line of others ----
check "a member of the group sees" user $MEMBER "$GROUP" show endpoints
check "... statistics" user $MEMBER "$GROUP" stats
check "... flows" user $MEMBER "$GROUP" show flows
check "... history" user $MEMBER "$GROUP" history
check "... sets a weight" user $MEMBER "$GROUP" set web/main/ep1 weight=45 --reason test
check "... by his own name" bash -c "$(declare -f on); on lb env WEIR_INSTANCE=$LAB $WEIR show overrides -j |
	jq -e '.[0].weight_origin.uid == $MEMBER'"
check "... takes it back" user $MEMBER "$GROUP" set web/main/ep1 weight=50
refused "... but loads no program to explain" 77 "CAP_BPF" user $MEMBER "$GROUP" explain 10.77.0.2 $VIP4:80
refused "... nor takes the data plane down" 77 "missing capabilities" user $MEMBER "$GROUP" down
check "... the daemon goes on" kill -0 "$DAEMON"
for verb in "show endpoints" "stats" "apply" "set web/main/ep1 weight=1" "drain web" "history" "rollback"; do
	# shellcheck disable=SC2086 # words
	refused "a stranger's $verb" 77 "not permitted; run as root, or be in the group 'nogroup': sudo usermod" \
		user $STRANGER $STRANGER $verb
done
refused "a stranger's down" 77 "missing capabilities" user $STRANGER $STRANGER down
refused "a stranger's run" 77 "missing capabilities" user $STRANGER $STRANGER run -c "$CONFIG"

# ---- a file that it may not read ----
chmod 0600 "$CONFIG"
check "a file that only root may read is not applied" exit_status 77 weir apply
daemon_stop
unprivileged_start +bpf,+net_admin,+perfmon
check "... nor does a start heed it" grep -q "NOT in force" "$DAEMON_LOG"
check "... and says what it needs" grep -q "chgrp nogroup $CONFIG .* chmod g+r $CONFIG" "$DAEMON_LOG"
chmod 0644 "$CONFIG"
served $VIP4 "with the file before"

# ---- what root does without a daemon is the daemon's ----
daemon_stop
on lb ip link add spare type veth peer name spare1
check "root attaches while there is no daemon" weir attach spare
check "... everything is the daemon's" theirs
unprivileged_start +bpf,+net_admin,+perfmon
check "... who goes on with it" bash -c "ip -n $LAB-lb -j link show spare | jq -e '.[0].xdp.mode == 1'"

# ---- where CAP_SYS_ADMIN stands for what an old container runtime does not know ----
daemon_stop
DAEMONS=$((DAEMONS + 1))
DAEMON_LOG=$LAB_DIR/daemon-$DAEMONS.log
spawn "$DAEMON_LOG" lb setpriv --bounding-set=-bpf,-perfmon env WEIR_INSTANCE="$LAB" \
	"$WEIR" run -c "$CONFIG" --user nobody
DAEMON=$SPAWNED
wait_for daemon_ready_or_dead 20 || die "the daemon is not ready"
check "a daemon with CAP_SYS_ADMIN instead" \
	grep -q "runs as user 'nobody' with CAP_NET_ADMIN, CAP_SYS_ADMIN and nothing else" "$DAEMON_LOG"
check "... serves" weir set web/main/ep1 weight=49
weir set web/main/ep1 weight=50 >/dev/null

# ---- root, as before, and then no more ----
daemon_stop
DAEMON_USER=root
daemon_start "$CONFIG"
check "a daemon that stays root" grep -q "runs as user 'root' with CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and nothing else" "$DAEMON_LOG"
check "... has the three capabilities alone" test "$(status CapEff) $(status CapBnd)" = "$KEPT $KEPT"
weir set web/main/ep2 weight=31 >/dev/null
fresh_ports tcp $VIP4 100
hold_start upgraded --tcp --to $VIP4 54 --flows 100 --interval 50 --source-ports "$PORTS"
daemon_kill9
echo secret >"$LAB_DIR/elsewhere"
ln "$LAB_DIR/elsewhere" "/run/$LAB/linked"
ln -s "$LAB_DIR/elsewhere" "/var/lib/$LAB/pointing"
DAEMON_USER=nobody
daemon_start "$CONFIG"
check "an heir of its own user takes over" grep -q "adopted the data plane" "$DAEMON_LOG"
harmless "$GROUP"
check "... with the bounding set" test "$(status CapBnd)" = $KEPT
check "... what lies elsewhere stays root's" test "$(stat -c %u "$LAB_DIR/elsewhere")" = 0
rm "/run/$LAB/linked"
check "... all else is its own" theirs
hold_check upgraded
check "... the override, too" bash -c "$(declare -f on); on lb env WEIR_INSTANCE=$LAB $WEIR show overrides -j |
	jq -e '.[0].weight == 31'"
weir set web/main/ep2 weight=30 >/dev/null
served $VIP4 "root before"
check "down" weir down
DAEMON=
check "... leaves nothing" bash -c "[[ ! -e /sys/fs/bpf/$LAB ]] && ! ip -n $LAB-lb link | grep -q xdp"
