#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: a change that nobody confirms is taken back, by the daemon or by its heir: listeners,
# endpoints, overrides and slots are as before, and flows begun meanwhile go on. What was in force
# can be put in force again by its number.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

export -f instance on weir
export BALANCER LAB WEIR VIP4 VIP6
lab_up --dsr
CONFIG=$LAB_DIR/weir.yaml
{
	lab_config nat 50 30 20
	lab_listener lines tcp 53 dsr 50 30 20
} >"$CONFIG"

# picture: all that a change is about.
picture() {
	weir show listeners -j | jq -S '.[] | .ipv4 |= .digest | .ipv6 |= .digest'
	weir show endpoints -j | jq -S '.[] | [.listener, .endpoint, .address, .weight, .want]'
	weir show overrides -j | jq -S 'sort_by(.endpoint)'
}

as_before() { diff "$LAB_DIR/before" <(picture); }
unconfirmed() { [[ $(weir history -j | jq -r 'last.how') != "not confirmed"* ]]; }
taken_back() { ! unconfirmed; }
number() { weir history -j | jq "$1.number"; }
serves() { on client curl -s -m 5 "http://$VIP4:$1/" | grep -q '^ep'; }

daemon_start "$CONFIG"
weir set web/main/ep1 weight=40 >/dev/null
weir drain web/main/ep3 >/dev/null
{
	lab_config nat 10 30 20 | sed '/name: ep2, address/d'
	lab_listener lines tcp 53 dsr 20 30 50
	lab_listener more tcp 8080 nat 1 1 1
} >"$LAB_DIR/other.yaml"
picture >"$LAB_DIR/before"
check "slots have a digest" test "$(grep -cE '"ipv[46]": "0*[1-9a-f]' "$LAB_DIR/before")" -ge 5

# ---- nobody confirms ----
fresh_ports tcp $VIP4 100
hold_start before --tcp --to $VIP4 53 --flows 100 --interval 50 --source-ports "$PORTS"
check "apply --confirm 4s" weir apply "$LAB_DIR/other.yaml" --confirm 4s
check "... is in force" serves 8080
fresh_ports tcp $VIP6 100
hold_start meanwhile --tcp --to $VIP6 53 --flows 100 --interval 50 --source-ports "$PORTS"
check "... one change at a time" exit_status 75 weir apply "$CONFIG"
check "... not by a signal either" \
	bash -c "kill -HUP $DAEMON && sleep 0.3 && grep -q 'reload: a change waits to be confirmed' $DAEMON_LOG"
check "... it is taken back" wait_for taken_back 10
check "listeners, endpoints, overrides and slots are as before" as_before
check "... the listener that it brought is gone" bash -c "! on client curl -s -m 2 http://$VIP4:8080/"
check "there is nothing left to confirm" exit_status 1 weir confirm
hold_check before
hold_check meanwhile

# ---- what the operator says meanwhile stays said ----
check "apply --confirm again" weir apply "$LAB_DIR/other.yaml" --confirm 60
check "drain while it waits" weir drain web/main/ep1
check "rollback to a number has to" exit_status 75 weir rollback 1
check "rollback does not wait" weir rollback
weir undrain web/main/ep1 >/dev/null
check "... as before but for that" as_before

# ---- and again, in the time that it takes to look away ----
check "apply --confirm 2s" weir apply "$LAB_DIR/other.yaml" --confirm 2s
fresh_ports tcp $VIP4 100
hold_start brief --tcp --to $VIP4 53 --flows 100 --interval 50 --source-ports "$PORTS"
check "... it is taken back" wait_for taken_back 10
check "... as before" as_before
hold_check brief

# ---- confirmed ----
check "apply --confirm, and confirm" bash -c "weir apply $LAB_DIR/other.yaml --confirm 2s && weir confirm"
sleep 3
check "... it stays" serves 8080
check "rollback to the one before" weir rollback
check "... it is in force" bash -c "! on client curl -s -m 2 http://$VIP4:8080/"
check "rollback by number" weir rollback "$(number '.[1]')"
check "... it is in force" serves 8080
check "the text of a number" bash -c "weir history $(number 'last') | cmp - $LAB_DIR/other.yaml"
check "a number that is none" exit_status 1 weir rollback 4711
check "... of history" exit_status 1 weir history 4711
check "apply of the daemon's file" weir apply

# ---- a file that is refused leaves nothing to confirm ----
echo "version: 2" >"$LAB_DIR/bad.yaml"
check "a bad file is refused" exit_status 65 weir apply "$LAB_DIR/bad.yaml" --confirm 2s
check "... and nothing waits" exit_status 1 weir confirm
check "a time that is none" exit_status 64 weir apply --confirm soon

sed 's/^listeners:/hash_seed: 7\n&/' "$CONFIG" >"$LAB_DIR/seed.yaml"
check "what cannot be taken back is refused" \
	bash -c "weir apply $LAB_DIR/seed.yaml --confirm 2s 2>&1 | grep -q 'cannot be taken back'"
check "... and nothing waits" exit_status 1 weir confirm

# ---- what cannot be taken back now is tried again ----
weir apply "$LAB_DIR/other.yaml" --confirm 1s >/dev/null
mv "/var/lib/$LAB/confirm/overrides.json" "$LAB_DIR/overrides.json"
echo '{' >"/var/lib/$LAB/confirm/overrides.json"
check "a damaged file is in the way" wait_for "grep -q 'cannot take the change back yet' $DAEMON_LOG" 10
check "... the change waits" exit_status 75 weir apply
cp "$LAB_DIR/overrides.json" "/var/lib/$LAB/confirm/"
check "... and is taken back" weir rollback
check "... with nothing left" exit_status 1 weir confirm

# ---- the daemon dies meanwhile ----
cp "$CONFIG" "$LAB_DIR/good.yaml"
weir undrain web >/dev/null
weir set web/main/ep1 weight=40 >/dev/null
picture >"$LAB_DIR/before"
cp "$LAB_DIR/other.yaml" "$CONFIG"
check "apply of the daemon's file, changed" weir apply --confirm 60
check "... in force" serves 8080
fresh_ports tcp $VIP4 100
hold_start heir --tcp --to $VIP4 53 --flows 100 --interval 50 --source-ports "$PORTS"
daemon_kill9
check "... without a daemon, too" serves 8080
daemon_start "$CONFIG"
check "the heir has taken it back" as_before
check "... and says that the file is not in force" grep -q "is NOT in force: it holds a change" "$DAEMON_LOG"
daemon_stop
daemon_start "$CONFIG"
check "... nor is it after another restart" as_before
check "another change does not make it good" \
	bash -c "weir apply $LAB_DIR/good.yaml && ls /var/lib/$LAB/confirm/ | grep -x refused.yaml"
weir set web/main/ep1 weight=40 >/dev/null
hold_check heir
check "unless it is meant" weir apply
check "... then it is in force" serves 8080
daemon_stop
daemon_start "$CONFIG"
check "... and stays so" serves 8080
check "history knows all of it, without a daemon, too" \
	bash -c "kill $DAEMON; sleep 0.5; weir history | grep -c 'not confirmed' | grep -qx 4"
DAEMON=
check "weir down" weir down
