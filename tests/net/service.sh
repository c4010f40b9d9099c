#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: a service manager hears what sd_notify(3) promises, from a daemon that packets flow through:
# READY when they do, RELOADING and READY around a reload, a status that tells what is wrong, WATCHDOG
# as long as the event loop turns and not when it is stuck, STOPPING at last. The unit that is
# installed is a valid and hardened one.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

UNITS=$ROOT/tools/systemd

# heard PATTERN: is there such a message?
heard() { grep -qE "^[0-9.]+ $1" "$HEARD"; }

# forget: what was heard so far does not count any more.
forget() { : >"$HEARD"; }

# messages PATTERN: how many of them.
messages() { grep -cE "^[0-9.]+ $1" "$HEARD" || true; }

# order: the first words of what was heard, but for the watchdog's and the status'.
order() { awk '$2 !~ /^(WATCHDOG|STATUS)/ { printf "%s ", $2 }' "$HEARD"; }

# gap: the longest time (ms) between two messages of the watchdog.
gap() {
	awk '/WATCHDOG=1/ { if (last && $1 - last > most) most = $1 - last; last = $1 }
		END { printf "%d", most * 1000 }' "$HEARD"
}

lab_up
CONFIG=$LAB_DIR/weir.yaml
lab_config nat 50 30 20 |
	sed 's/^\( *\)- name: main$/&\n\1  health_check: { protocol: tcp, port: 80, interval: 1s, threshold: 2 }/' >"$CONFIG"

# ---- the unit ----
check "the unit scores 3.0 at most" systemd-analyze security --offline=true --threshold=30 "$UNITS/weir.service"
# What is not installed here cannot be executed, nor looked up by man: both say so, and nothing else.
systemd-analyze verify "$UNITS/weir.service" >"$LAB_DIR/verify" 2>&1 || true
check "... and systemd understands every line" \
	bash -c "! grep -vE 'is not executable|Command .man' $LAB_DIR/verify"
check "its program takes these arguments" \
	bash -c "! sed -n 's|^Exec[A-Za-z]*=+*/usr/sbin/weir \\([a-z]*\\).*|\\1|p' $UNITS/weir.service | sort -u |
		while read -r verb; do $WEIR help \$verb || echo no; done | grep no\$"
check "make install puts it where systemd looks" make -s -C "$ROOT" SAN="$([[ $BUILD == */san ]] && echo 1 || echo 0)" \
	install DESTDIR="$LAB_DIR/root" PREFIX=/opt
for file in systemd/system/weir.service sysusers.d/weir.conf tmpfiles.d/weir.conf; do
	check "... $file" test -s "$LAB_DIR/root/opt/lib/$file"
done
check "... with the path of the program" \
	bash -c "[[ \$(grep -c '/opt/sbin/weir ' $LAB_DIR/root/opt/lib/systemd/system/weir.service) == 3 ]] &&
		! grep -q /usr/sbin/weir $LAB_DIR/root/opt/lib/systemd/system/weir.service"
mkdir -p "$LAB_DIR/root/etc"
check "its user would be made" bash -c "systemd-sysusers --dry-run --root=$LAB_DIR/root $UNITS/weir.sysusers 2>&1 |
	grep -q \"Creating user 'weir'\""

# ---- the messages ----
export NOTIFY_SOCKET=$LAB_DIR/notify WATCHDOG_USEC=2000000
HEARD=$LAB_DIR/heard
forget
spawn "$LAB_DIR/notified.log" lb "$ROOT/tests/peer/notified.py" "$NOTIFY_SOCKET" "$HEARD"
wait_for "[[ -S $NOTIFY_SOCKET ]]" 5 || die "nobody listens"
spawn "$LAB_DIR/early.log" lb env WEIR_INSTANCE="$LAB" "$WEIR" run -c "$CONFIG" --user "$DAEMON_USER"
DAEMON=$SPAWNED
wait_for "heard READY=1" 20 || die "never ready"
check "when it says READY packets flow" \
	flows count --http --to $VIP4 80 --connections 200 --source-ports 20000-20400 --timeout 2000
check "... and it says what there is" heard "READY=1 STATUS=2 listeners, 12 endpoints$"
check "nothing comes before" test "$(order)" = "READY=1 "
sleep 5
check "the watchdog hears from the loop more often than it must" \
	bash -c "(( $(messages WATCHDOG=1) >= 4 && $(gap) < 2000 ))"
check "no status without a change" test "$(messages STATUS=)" = 0

# ---- reload ----
forget
lab_listener late udp 54 nat 1 1 1 >>"$CONFIG"
kill -HUP "$DAEMON"
check "a reload ends" wait_for "heard READY=1" 10
check "... after it was announced" test "$(order)" = "RELOADING=1 READY=1 "
check "... with the time" awk '/RELOADING=1/ { split($3, then, "="); late = $1 - then[2] / 1000000 }
	END { exit !(late > -0.01 && late < 1) }' "$HEARD"
check "... and says what there is then" heard "READY=1 STATUS=3 listeners, 18 endpoints$"
forget
cp "$CONFIG" "$LAB_DIR/good.yaml"
echo "nonsense: 1" >>"$CONFIG"
kill -HUP "$DAEMON"
check "a reload of a bad file ends, too" wait_for "heard READY=1" 10
check "... and the status says so" heard "READY=1 STATUS=$CONFIG is NOT in force"
forget
cp "$LAB_DIR/good.yaml" "$CONFIG"
check "apply of the mended file" weir apply
check "... and the status says that" wait_for "heard 'STATUS=3 listeners, 18 endpoints$'" 10

# ---- what is wrong ----
forget
nginx_stop ep1
check "an endpoint that fails is in the status" wait_for "heard 'STATUS=.*, 4 of them abnormal$'" 15
nginx_start ep1
check "... and out of it" wait_for "heard 'STATUS=3 listeners, 18 endpoints$'" 15

# ---- a loop that is stuck ----
kill -STOP "$DAEMON"
sleep 0.2 # what was underway
forget
sleep 2.5
check "a daemon that is stuck says nothing" test ! -s "$HEARD"
kill -CONT "$DAEMON"
check "... one that goes on does" wait_for "heard WATCHDOG=1" 5

# ---- the end ----
forget
daemon_stop
check "the last word is STOPPING" bash -c "tail -n 1 $HEARD | grep -q 'STOPPING=1 STATUS=stopped; the data plane goes on'"
check "... and it is the only one of its kind" test "$(order)" = "STOPPING=1 "

# ---- whoever listens may go ----
daemon_start "$CONFIG"
rm "$NOTIFY_SOCKET"
sleep 1.5
check "a service manager that is gone is no harm" weir set web/main/ep1 weight=40
unset WATCHDOG_USEC
forget
