#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: clients of two regions reach the group that is near to them, by a file of prefixes and by a
# MaxMind DB, in nat and dsr, IPv4 and IPv6, as `weir explain` says; both files are read again when
# they change, under load and without a failed request; what is bad or gone says so, and what was
# known stays, also over a restart; a region's nearest group fails and returns for its clients alone.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

NEAR4=10.77.0.101 FAR4=10.77.0.102 NEAR6=fd77::101 FAR6=fd77::102
export NEAR4 FAR4 NEAR6 FAR6

# config MODE [KEY: VALUE of client_regions]: ep1 and ep2 are in eu-west-1, ep3 in us-east-1.
config() {
	cat <<-END
		version: 1
		node: { region: eu-central-1 }
		interfaces: [eth0]
		regions:
		  - { name: eu-west-1, latency: 20ms, continents: EU }
		  - { name: us-east-1, latency: 85ms, countries: US }
		client_regions: { ${2-file: $LAB_DIR/clients} }
		listeners:
		  - name: web
		    protocol: tcp
		    address: [$VIP4, "$VIP6"]
		    port: "53,80"
		    mode: $1
		    idle_timeout: 3s
		    endpoint_groups:
		      - name: near
		        region: eu-west-1
		        health_check: { protocol: tcp, port: 80, interval: 1s, threshold: 2 }
		        endpoints:
		          - { name: ep1, address: $(endpoint_address ep1 4) }
		          - { name: ep1-v6, address: "$(endpoint_address ep1 6)" }
		          - { name: ep2, address: $(endpoint_address ep2 4) }
		          - { name: ep2-v6, address: "$(endpoint_address ep2 6)" }
		      - name: far
		        region: us-east-1
		        health_check: { protocol: tcp, port: 80, interval: 1s, threshold: 2 }
		        endpoints:
		          - { name: ep3, address: $(endpoint_address ep3 4) }
		          - { name: ep3-v6, address: "$(endpoint_address ep3 6)" }
	END
}

# tell NEAR-REGION FAR-REGION: where the two addresses of each family are.
tell() {
	printf '# PREFIX REGION\n%s %s\n%s/32 %s\nfd77::100/127 %s\n%s %s # and no other\n' \
		"$NEAR4" "$1" "$FAR4" "$2" "$1" "$NEAR6" "$1" >"$LAB_DIR/clients.new"
	printf '%s\t%s\n' "$FAR6" "$2" >>"$LAB_DIR/clients.new"
	mv "$LAB_DIR/clients.new" "$LAB_DIR/clients"
}

# who SOURCE: the nodes that answer two dozen connections from there, "ep1 ep2": one of two that share
# them is missed once in eight million times.
who() {
	local vip=$VIP4
	[[ $1 != *:* ]] || vip=[$VIP6]
	for _ in {1..24}; do
		on client curl -s -m 5 --interface "$1" "http://$vip/" || echo "error $?"
	done | sort -u | paste -sd' '
}
who_is() {
	local nodes
	nodes=$(who "$1")
	echo "$1 reaches $nodes"
	[[ $nodes == "$2" ]]
}
export -f who who_is on

# near_and_far WHAT: each client in its region.
near_and_far() {
	check "$1: near, IPv4" who_is $NEAR4 "ep1 ep2"
	check "$1: far, IPv4" who_is $FAR4 "ep3"
	check "$1: near, IPv6" who_is $NEAR6 "ep1 ep2"
	check "$1: far, IPv6" who_is $FAR6 "ep3"
}

explained() { weir explain "$1" "$2" -j | jq -r '.endpoint | split("/")[1]'; }
said() { grep -q "$1" "$DAEMON_LOG"; }

lab_up --dsr
export -f instance weir said
export BALANCER LAB WEIR DAEMON_LOG
ip -n "$LAB-client" -batch - <<-END
	address add $NEAR4/24 dev eth0
	address add $FAR4/24 dev eth0
	address add $NEAR6/64 dev eth0 nodad
	address add $FAR6/64 dev eth0 nodad
END

tell eu-west-1 us-east-1
for mode in nat dsr; do
	config $mode >"$LAB_DIR/weir.yaml"
	daemon_start "$LAB_DIR/weir.yaml"
	near_and_far "$mode"
	check "$mode: who is in no region is as near as the node" who_is 10.77.0.2 "ep1 ep2"
	check "$mode: explain: near" test "$(explained $NEAR4:1000 $VIP4:80)" = near
	check "$mode: explain: far" test "$(explained $FAR4:1000 $VIP4:80)" = far
	check "$mode: explain: far, IPv6" test "$(explained [$FAR6]:1000 [$VIP6]:80)" = far
	check "$mode: ... names the region and its addresses" bash -c \
		"weir explain $FAR4 $VIP4:80 | grep -q '$FAR4 is in us-east-1, by $FAR4\$'"

	fresh_ports tcp $VIP4 50
	hold_start "$mode-held" --tcp --to $VIP4 53 --flows 50 --interval 100 --source-ports "$PORTS"
	tell us-east-1 eu-west-1
	check "$mode: the file has changed: near" wait_for "who_is $FAR4 'ep1 ep2'" 10
	check "$mode: ... far" wait_for "who_is $NEAR4 ep3" 10
	tell eu-west-1 us-east-1
	check "$mode: ... and back" wait_for "who_is $FAR4 ep3" 10
	hold_check "$mode-held"
	daemon_stop
	check "$mode: weir down" weir down
done

config nat >"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"
fresh_ports tcp $VIP4 8000
flows_start load count --http --to $VIP4 80 --connections 8000 --rate 500 --source-ports "$PORTS"
for region in us-east-1 eu-west-1 us-east-1 eu-west-1; do
	# The load's own region changes, too.
	{ cat "$LAB_DIR/clients" && echo "10.77.0.2 $region"; } | awk '!/^10.77.0.2 / || $2 == r' \
		r=$region >"$LAB_DIR/clients.new"
	mv "$LAB_DIR/clients.new" "$LAB_DIR/clients"
	wanted="ep1 ep2"
	[[ $region != us* ]] || wanted=ep3
	check "under load: $region" wait_for "who_is 10.77.0.2 '$wanted'" 10
done
echo "10.77.0.256 eu-west-1" >>"$LAB_DIR/clients"
check "a bad line is named" wait_for "said \"clients:.*'10.77.0.256' is neither a prefix\"" 10
near_and_far "after a bad line"
chmod 600 "$LAB_DIR/clients"
check "a file that the daemon may not read is named, with what would let him" \
	wait_for "said 'clients: user .*, whom the daemon runs as, may not read it; let him: chgrp '" 10
chmod 644 "$LAB_DIR/clients"
rm "$LAB_DIR/clients"
check "a file that is gone is named" wait_for "said 'clients: .*; what was last read'" 10
near_and_far "after the file is gone"
check "... weir apply goes on, and warns" bash -c \
	"weir apply $LAB_DIR/weir.yaml 2>&1 | grep -q 'warning: client_regions: .*/clients: '"
daemon_kill9
daemon_start "$LAB_DIR/weir.yaml"
near_and_far "after a restart without the file"
tell eu-west-1 us-east-1
check "the file is back" wait_for "said 'clients: [0-9]* prefixes, 2 regions'" 10
near_and_far "with the file again"
new_flows_check "under load: new connections" load

state_of() { weir -j show groups "*/$1" | jq -r '.[0].state'; }
check "far serves its clients" test "$(state_of far)" = serving
check "... near serves" test "$(state_of near)" = serving
nginx_stop ep3
check "the nearest group of a region fails" wait_for "who_is $FAR4 'ep1 ep2'" 15
# Its endpoint of the other family fails its checks by itself.
check "... far does not serve" wait_for '[[ $(state_of far) == unusable ]]' 15
check "... others stay where they are" who_is $NEAR4 "ep1 ep2"
nginx_start ep3
check "... and returns" wait_for "who_is $FAR4 ep3" 15

config nat "file: $LAB_DIR/nowhere" >"$LAB_DIR/other.yaml"
check "a file that is not there is refused" exit_status 65 weir apply "$LAB_DIR/other.yaml"
check "... plan says it, too" exit_status 65 weir plan "$LAB_DIR/other.yaml"
near_and_far "nothing has changed"

# Of the database the file's addresses have nothing to say.
printf '%s/32 US NA\n%s/32 FR EU\n' $FAR4 $NEAR4 | perl tests/lib/mmdb.pl 6 "$LAB_DIR/countries"
config nat "maxmind: $LAB_DIR/countries" >"$LAB_DIR/weir.yaml"
check "a MaxMind DB" weir apply "$LAB_DIR/weir.yaml"
check "... near, by its continent" who_is $NEAR4 "ep1 ep2"
check "... far, by its country" who_is $FAR4 ep3
check "... who is not in it is near" who_is $FAR6 "ep1 ep2"
printf '%s/32 US NA\n%s/128 US NA\n' $NEAR4 $FAR6 | perl tests/lib/mmdb.pl 6 "$LAB_DIR/new"
mv "$LAB_DIR/new" "$LAB_DIR/countries"
check "... another: far" wait_for "who_is $NEAR4 ep3" 10
check "... another: far, IPv6" who_is $FAR6 ep3
printf '%s eu-west-1\n' $NEAR4 >"$LAB_DIR/clients"
config nat "file: $LAB_DIR/clients, maxmind: $LAB_DIR/countries" >"$LAB_DIR/weir.yaml"
check "the file comes before the database" weir apply "$LAB_DIR/weir.yaml"
check "... near, by the file" who_is $NEAR4 "ep1 ep2"
check "... far, by the database" who_is $FAR6 ep3
echo damaged >"$LAB_DIR/countries"
check "a damaged database is named" wait_for "said 'countries: is no MaxMind DB'" 10
check "... and what was known stays" who_is $FAR6 ep3

# Reading may take long: here its thread is held where it copies the file.
hold_reading() { daemon_hold memfd_create 319; }

# database NAME ADDRESS: the address alone is in the US.
database() {
	printf '%s US NA\n' "$2" | perl tests/lib/mmdb.pl 6 "$LAB_DIR/new"
	mv "$LAB_DIR/new" "$LAB_DIR/$1"
}
database countries $FAR4/32
database other $NEAR4/32
config nat "maxmind: $LAB_DIR/countries" >"$LAB_DIR/weir.yaml"
config nat "maxmind: $LAB_DIR/other" >"$LAB_DIR/other.yaml"
check "by a database alone" weir apply "$LAB_DIR/weir.yaml"
check "... far" who_is $FAR4 ep3
hold_reading
database countries $FAR6/128
check "a database is being read" wait_for daemon_held 10
spawn "$LAB_DIR/apply-gone.log" lb env WEIR_INSTANCE="$(instance)" "$WEIR" apply "$LAB_DIR/other.yaml"
gone=$SPAWNED
spawn "$LAB_DIR/apply.log" lb env WEIR_INSTANCE="$(instance)" "$WEIR" apply "$LAB_DIR/other.yaml"
apply=$SPAWNED
nginx_stop ep3
check "... health checks go on, and what follows from them" wait_for "who_is $FAR4 'ep1 ep2'" 15
nginx_start ep3
check "... also the other way" wait_for "who_is $FAR4 ep3" 15
check "... so does the command line" weir set web/near/ep1 weight=50
kill "$gone"
check "... while it is being read" daemon_held
check "... and apply waits for it" kill -0 "$apply"
daemon_let
check "apply, once it is read" wait "$apply"
check "... is in force" who_is $NEAR4 ep3
check "... and nothing else" who_is $FAR6 "ep1 ep2"
hold_reading
kill -HUP "$DAEMON"
check "a reload reads" wait_for daemon_held 10
check "... and is not in force yet" who_is $NEAR4 ep3
daemon_let
check "... but then" wait_for "said 'reload: .*weir.yaml is in force'" 10
check "... as the file says" who_is $FAR6 ep3
check "a change that is not confirmed" weir apply "$LAB_DIR/other.yaml" --confirm 2s
check "... is in force" who_is $NEAR4 ep3
hold_reading
check "... when its time is over, what was before is read" wait_for daemon_held 10
daemon_let
check "... and in force" wait_for "said 'the configuration before is in force again'" 10
check "... as it was" who_is $FAR6 ep3
hold_reading
database countries $FAR4/32
check "... and read again" wait_for daemon_held 10
kill "$DAEMON"
daemon_let
check "a daemon that reads stops when it has" wait_for "! kill -0 $DAEMON" 10
daemon_gone
check "weir down, again" weir down
