#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: an endpoint of type ecs or slb has the addresses that the inventory says, of both families,
# and follows it under load: who is Running gets its share, who is stopped or gone no new flows,
# while the flows it has go on; a file that is cut short, no JSON or not there changes nothing, says
# so with its place, and is not missed over a restart either; who has no address is told with why.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# ecs ID STATUS NODE: an instance of DescribeInstances.
ecs() {
	jq -n --arg id "$1" --arg status "$2" --arg ip4 "$(endpoint_address "$3" 4)" \
		--arg ip6 "$(endpoint_address "$3" 6)" '{
			InstanceId: $id, Status: $status, InstanceName: "x", Cpu: 2,
			VpcAttributes: { VpcId: "vpc-1", PrivateIpAddress: { IpAddress: [$ip4] } },
			InnerIpAddress: { IpAddress: [] },
			PublicIpAddress: { IpAddress: ["203.0.113.9"] },
			EipAddress: { IpAddress: "" },
			NetworkInterfaces: { NetworkInterface: [ { Type: "Primary",
				PrimaryIpAddress: $ip4,
				Ipv6Sets: { Ipv6Set: [ { Ipv6Address: $ip6 } ] } } ] } }'
}

# A page of `aliyun ecs DescribeInstances` of those on stdin.
ecs_page() {
	jq -s '{ Instances: { Instance: . }, PageNumber: 1, PageSize: 10,
		TotalCount: length, RequestId: "46" }'
}

# instances FILE STATUS1 STATUS2: two pages, the way files are best replaced.
instances() {
	{ ecs i-one "$2" ep1 | ecs_page && ecs i-two "$3" ep2 | ecs_page; } >"$1.new"
	mv "$1.new" "$1"
}

slb() {
	jq -n --arg ip4 "$(endpoint_address "$1" 4)" --arg ip6 "$(endpoint_address "$1" 6)" '
		{ LoadBalancers: { LoadBalancer: [
			{ LoadBalancerId: "lb-three", LoadBalancerStatus: "active", Address: $ip4,
			  AddressIPVersion: "ipv4", AddressType: "intranet" },
			{ LoadBalancerId: "lb-six", LoadBalancerStatus: "active", Address: $ip6,
			  AddressIPVersion: "ipv6", AddressType: "intranet" } ] }, TotalCount: 2 }'
}

# has NODE...: the addresses that take new flows are those of these endpoints.
has() {
	local wanted node
	wanted=$(for node in "$@"; do endpoint_address "$node" 4 && endpoint_address "$node" 6; done |
		sort | tr '\n' ' ')
	[[ $(weir -j show endpoints lines | jq -r '.[] | select(.weight > 0) | .address' |
		sort | tr '\n' ' ') == "$wanted" ]]
}

# shares PREFIX WEIGHT...: of new flows, both families.
shares() {
	local prefix=$1 vip
	shift
	for vip in $VIP4 $VIP6; do
		count_flows tcp "$vip" 53 5000 && share_check "$prefix $vip" "$COUNTED" "$@"
	done
}

# unresolved ENDPOINT WHY: `weir show endpoints` says so.
unresolved() {
	weir show endpoints | grep -qE "^ +lines/main/$1 .* $2\$" &&
		weir -j show endpoints "lines/main/$1" |
		jq -e --arg why "$2" 'any(.[]; .state == "unresolved" and .why == $why)'
}

resolved() {
	weir -j show endpoints "lines/main/$1" | jq -e 'all(.[]; .state != "unresolved")'
}

# says PATTERN COMMAND...: it succeeds, and its words hold the pattern.
says() { "${@:2}" >"$LAB_DIR/said" 2>&1 && grep -E "$1" "$LAB_DIR/said"; }

logged() { grep -qE "$1" "$DAEMON_LOG"; }

lab_up
ECS=$LAB_DIR/ecs.json
instances "$ECS" Running Running
slb ep3 >"$LAB_DIR/slb.json"
cat >"$LAB_DIR/weir.yaml" <<-END
	version: 1
	interfaces: [eth0]
	inventory: { files: [$ECS, $LAB_DIR/slb.json, $LAB_DIR/later.json] }
	listeners:
	  - name: lines
	    protocol: tcp
	    address: [$VIP4, "$VIP6"]
	    port: 53
	    endpoint_groups:
	      - name: main
	        endpoints:
	          - { address: i-one, type: ecs, weight: 50 }
	          - { address: i-two, type: ecs, weight: 30 }
	          - { address: lb-three, type: slb, weight: 20 }
	          - { address: lb-six, type: slb, weight: 20 }
	          - { address: i-none, type: ecs }
END
check "weir check" "$WEIR" check "$LAB_DIR/weir.yaml"
check "it warns of a file that is not there" says \
	"^$LAB_DIR/weir.yaml:3:[0-9]+: warning: inventory: $LAB_DIR/later.json: No such file or directory" \
	"$WEIR" check "$LAB_DIR/weir.yaml"
check "... at its place" says "^ +\| +\^~*  .inventory.files.2..$" "$WEIR" check "$LAB_DIR/weir.yaml"
check "and of an instance that is in none" says \
	"^$LAB_DIR/weir.yaml:16:[0-9]+: warning: lines/main/i-none: the inventory cannot be read" \
	"$WEIR" check "$LAB_DIR/weir.yaml"
check "... at its place, too" says "^ +\| +\^~~~~~  .listeners.0..endpoint_groups.0..endpoints.4..address.$" \
	"$WEIR" check "$LAB_DIR/weir.yaml"
check "... also in JSON" bash -c "$WEIR -j check $LAB_DIR/weir.yaml |
	jq -e 'map(select(.line == 16 and .severity == \"warning\")) | length == 1'"
daemon_start "$LAB_DIR/weir.yaml"

check "instances have their addresses, from the start" has ep1 ep2 ep3
check "the file that is not there is said" logged \
	"^error: inventory: $LAB_DIR/later.json: No such file"
check "an instance that none of the files has, too" unresolved i-none "the inventory cannot be read"
shares "each its weight:" 50 30 20

fresh_ports tcp $VIP4 90
hold_start held --tcp --to $VIP4 53 --flows 90 --interval 50 --source-ports "$PORTS"
fresh_ports tcp $VIP4 8000
flows_start new count --tcp --to $VIP4 53 --connections 8000 --rate 800 --source-ports "$PORTS"
instances "$ECS" Running Stopped
check "one is stopped" wait_for "has ep1 ep3" 10
check "which is said" logged "^warning: inventory: ecs/i-two: is Stopped; it gets no new flows"
check "and shown" unresolved i-two "is Stopped"
check "the file has been there by now" touch "$LAB_DIR/later.json"
shares "the others have its share:" 50 0 20
check "an empty file is none" wait_for "logged '^error: inventory: .*later.json: is empty'" 10
{ ecs i-none Running ep2; ecs i-more Running ep1; } | ecs_page |
	jq '.TotalCount = 12' >"$LAB_DIR/later.json"
check "an instance comes with a file" wait_for "has ep1 ep2 ep3" 10
check "one page of several is said" logged "is one page of several, 10 more are not in it"
rm "$LAB_DIR/later.json"
check "a file that goes is said" wait_for \
	"[[ \$(grep -c 'later.json: No such file' $DAEMON_LOG) == 2 ]]" 10
check "and what it said stays" has ep1 ep2 ep3
instances "$ECS" Running Running
{ ecs i-other Running ep1; } | ecs_page >"$LAB_DIR/later.json"
check "an instance that is gone from its file goes" wait_for "unresolved i-none 'is not in the inventory'" 10
check "one that runs again is back" wait_for "resolved i-two" 10
shares "as before:" 50 30 20

head -c 700 "$ECS" >"$LAB_DIR/half" && cat "$LAB_DIR/half" >"$ECS"
check "half a file is said, with its place" wait_for \
	"logged '^error: inventory: $ECS: [0-9]+:[0-9]+: is no JSON: .*; what was known of its'" 10
shares "and changes nothing:" 50 30 20
echo '{ "Instances": { "Instance": [ { "InstanceId": "i-one", "VpcAttributes": 7 } ] } }' >"$ECS"
check "a wrong type is said, with its place" wait_for \
	"logged 'Instances.Instance.0..VpcAttributes: expected an object, not a number'" 10
new_flows_check "new connections all the while" new
hold_check held
daemon_kill9
daemon_start "$LAB_DIR/weir.yaml"
check "a bad file is not missed over a restart" has ep1 ep2 ep3
shares "no more than before:" 50 30 20
check "apply says that it is bad" says \
	"^$LAB_DIR/weir.yaml:3:[0-9]+: warning: inventory: $ECS: Instances.Instance\[0\].VpcAttributes" weir apply

# Reading may take long: it keeps nobody waiting but who needs what is in the file.
daemon_hold openat 257 "$ECS"
instances "$ECS" Running Running
check "a file is being read" wait_for daemon_held 10
spawn "$LAB_DIR/apply.log" lb env WEIR_INSTANCE="$(instance)" "$WEIR" apply
apply=$SPAWNED
check "... so long the command line goes on" weir set "lines/main/lb-*" weight=10
check "... and what it does is in force" wait_for "weir -j show endpoints lines/main/lb-three |
	jq -e 'all(.[]; .weight == 10)'" 10
check "... while it is being read" daemon_held
check "... and apply waits for it" kill -0 "$apply"
daemon_let
check "apply, once it is read" wait "$apply"
check "... has nothing to warn of but who is in no file" \
	test "$(grep -c warning: "$LAB_DIR/apply.log")" == 1
shares "with the weights of meanwhile:" 50 30 10
check "undone" weir set "lines/main/lb-*" weight=20
instances "$ECS" Stopped Running
check "apply, at once after a file has changed" weir apply
check "... knows what is in it" unresolved i-one "is Stopped"
daemon_hold openat 257 "$ECS"
instances "$ECS" Running Running
check "it is being read again" wait_for daemon_held 10
kill "$DAEMON"
daemon_let
check "a daemon that reads stops when it has" wait_for "! kill -0 $DAEMON" 10
daemon_gone
daemon_start "$LAB_DIR/weir.yaml"

# As Kubernetes replaces a file: a link to a folder of the generation.
mkdir "$LAB_DIR/a" "$LAB_DIR/b"
instances "$LAB_DIR/a/ecs.json" Running Running
instances "$LAB_DIR/b/ecs.json" Stopped Running
ln -s a "$LAB_DIR/now"
rm "$ECS"
ln -s now/ecs.json "$ECS"
check "a link to a good file is" wait_for "logged '^inventory: $ECS: 2 instances'" 10
ln -sfn b "$LAB_DIR/now"
check "a link that leads elsewhere is followed" wait_for "has ep2 ep3" 10
shares "with what is there:" 0 30 20
sed -i 's/^inventory:.*/limits: { profile: ga-2021, endpoints_per_group: 8 }/' "$LAB_DIR/weir.yaml"
check "where limits do not allow it, apply refuses and names the limit" says \
	"limit instance_endpoints is false .profile ga-2021." exit_status 65 weir apply
daemon_stop
check "weir down" weir down
