#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: what a listener of http says means the same to real requests as in the table of meanings: every
# kind of condition, paths in all their spellings, what rules change of a request, who a client is said
# to be, affinity, groups that stand in for others, fail_open, and endpoints that cannot be reached. The
# endpoint answers /…/head with the head that it got.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib-http.sh
. "$(dirname "$0")/lib-http.sh"

EP1=$(endpoint_address ep1 4) EP2=$(endpoint_address ep2 4) EP3=$(endpoint_address ep3 4)

# listener NAME PORT LINE...
listener() {
	printf '  - name: %s\n    protocol: http\n    address: [%s, "%s"]\n    port: %s\n' "$1" $VIP4 $VIP6 "$2"
	printf '    %s\n' "${@:3}"
}

# rule NAME CONDITION: requests that it takes say so to the endpoint.
rule() { echo "  - { $2, add_header: { X-Rule: $1 }, forward: main }"; }

# shellcheck disable=SC2016 # variables of weir's
config() {
	local sick='{ protocol: tcp, port: 9, interval: 1s, threshold: 2 }' name port
	local told='endpoint_groups: [{ name: main, endpoints: ["'$EP1':9000"] }]'
	printf 'version: 1\nnode: { name: lb, region: near }\ninterfaces: [eth0]\nlisteners:\n'
	listener rules 80 "$told" 'forwarding_rules:' \
		'  - { path: "/admin/*", fixed_response: { code: 403, body: "no" } }' \
		"$(rule host 'host: [h.example, "*.w.example", "~^r[0-9]+[.]example$"]')" \
		"$(rule path 'path: [/exact/head, "/wild/*/head", "/on?/head", "~^/re/[0-9]+/head$"]')" \
		"$(rule header 'header: { X-Env: [blue, "green*"] }')" \
		"$(rule query 'query: { q: "x y" }')" \
		"$(rule method 'method: [PURGE, DELETE]')" \
		"$(rule cookie 'cookie: { sid: "a?c" }')" \
		"$(rule source 'path: /source/head, source_ip: [10.77.0.0/24, "fd77::/64"]')" \
		"$(rule nobody 'path: /source/head')" \
		'  - { path: "/v2/*", rewrite: { path: "/new/${1}", host: "in.example:81", query: "a=b" }, remove_header: [X-Secret], forward: main }' \
		'  - { path: "/to/*", rewrite: { host: "${1}.example" }, forward: main }'
	listener told 81 "$told" 'x_forwarded: [proto, port, real_ip]'
	listener trusting 82 "$told" 'x_forwarded: [proto, port, real_ip]' 'trusted_proxies: [10.77.0.2, "fd77::2"]'
	listener affinity 83 'client_affinity: source_ip' 'proxy_protocol_in: { from: [10.77.0.2, "fd77::2"] }' \
		"endpoint_groups: [{ name: main, endpoints: ['$EP1:80', '$EP2:80', '$EP3:80'] }]"
	listener groups 84 'endpoint_groups:' \
		"  - { name: near, region: near, endpoints: [{ name: one, address: $EP1, port: 80, weight: 0 }] }" \
		"  - { name: far, region: far, endpoints: [{ name: two, address: $EP2, port: 80 }] }"
	for name in open shut; do
		[[ $name == open ]] && port=85 || port=87
		listener $name $port "fail_open: $([[ $port == 85 ]] && echo true || echo false)" 'endpoint_groups:' \
			"  - { name: near, region: near, health_check: $sick, endpoints: [{ name: $name-one, address: $EP1, port: 80 }] }" \
			"  - { name: far, region: far, health_check: $sick, endpoints: [{ name: $name-two, address: $EP2, port: 80 }] }"
	done
	listener mute 88 "endpoint_groups: [{ name: main, endpoints: ['$EP1:9000', '$EP2:80'] }]"
	listener half 86 "endpoint_groups: [{ name: main, endpoints: ['$EP1:80', '$EP2:9'] }]"
}

# head_of PORT PATH [CURL OPTIONS]: the status, and the head that the endpoint got, in small letters.
head_of() {
	on client curl -s -m 10 -w '\n%{http_code}\n' --path-as-is "http://${VIP-$VIP4}:$1$2" "${@:3}" |
		tr '[:upper:]' '[:lower:]' | tr -d '\r'
}
# taken RULE PATH [CURL OPTIONS]: is it this rule that takes the request? "" for none.
taken() { [[ $(head_of 80 "$2" "${@:3}" | sed -n 's/^x-rule: //p') == "$1" ]]; }
# status N PATH [CURL OPTIONS]
status() { [[ $(head_of 80 "$2" "${@:3}" | tail -n 1) == "$1" ]]; }
# says PORT PATH LINE [CURL OPTIONS]: is the line in the head?
says() { head_of "$1" "$2" "${@:4}" | grep -qx -- "$3"; }
hides() { ! head_of "$1" "$2" "${@:4}" | grep -q -- "$3"; }

lab_up
config >"$LAB_DIR/weir.yaml"
spawn "$LAB_DIR/peer.log" ep1 python3 "$ROOT/tests/peer/strict.py" serve 9000
wait_for "on ep1 ss -Htln sport = :9000 | grep -q LISTEN" 10 || die "no endpoint"
daemon_start "$LAB_DIR/weir.yaml"

# ---- conditions ----
for host in h.example H.Example:81 a.b.w.example r17.example; do
	check "host $host" taken host /x/head -H "Host: $host"
done
for host in x.h.example w.example r.example; do
	check "not host $host" taken '' /x/head -H "Host: $host"
done
for path in /exact/head /wild/a/b/head /wild//head /one/head /re/17/head '/exact/head?q' /%65xact/head /x/../exact/./head; do
	check "path $path" taken path "$path"
done
for path in /exact/head/ /Exact/head /wild/head /on/head /re/x/head; do
	check "not path $path" taken '' "$path"
done
check "header" taken header /x/head -H 'x-env: greenish'
check "not header" taken '' /x/head -H 'X-Env: red'
check "query" taken query '/x/head?a=b&q=x%20y'
check "not query" taken '' '/x/head?q=x'
check "method" taken method /x/head -X DELETE
check "not method" taken '' /x/head -X PUT
check "cookie" taken cookie /x/head -H 'Cookie: a=b; sid=abc'
check "not cookie" taken '' /x/head -H 'Cookie: xsid=abc'
check "source_ip" taken source /source/head
VIP="[$VIP6]" check "source_ip of IPv6" taken source /source/head

# ---- a path, however it is written ----
for path in /admin/x /%61dmin/x /a/../admin/x /a/%2e%2e/admin/x /a/.%2E/admin/x /./admin/x /admin/./x /admin/x/..; do
	check "does not slip past: $path" status 403 "$path"
done
for path in //admin/x '/admin;/x' /admin%2Fx /admin%252f/x /ADMIN/x /admin; do
	check "is another path: $path" status 200 "$path"
done
for path in /../admin/x /%2e%2e/x /a%00 '/a\x' /a%2 /a%zz; do
	check "is none: $path" status 400 "$path"
done

# ---- what a rule changes ----
check "rewrite: the path" says 80 /v2/a/head 'get /new/a/head?a=b http/1.1' -H 'X-Secret: 1'
check "... the host" says 80 /v2/a/head 'host: in.example:81'
check "remove_header" hides 80 /v2/a/head secret -H 'X-Secret: 1'
check "... by whatever name scripts take for it" hides 80 /v2/a/head secret -H 'X_Secret: 1'
check "add_header takes the client's place" hides 80 /exact/head mine -H 'X-Rule: mine' -H 'X_Rule: mine'
check "... and says so" says 80 /exact/head 'x-rule: path' -H 'X-Rule: mine'
check "what rules do not name goes on as it came" says 80 /x/%2e%2e/y/%41//head 'get /x/%2e%2e/y/%41//head http/1.1'
check "a host from a path" says 80 /to/head 'host: head.example'
check "... that is none" status 400 /to/a@b/head

# ---- who it is for ----
spoofed=(-H 'X-Forwarded-For: 192.0.2.66' -H 'X-Real-IP: 192.0.2.66' -H 'X-Forwarded-Proto: gopher'
	-H 'X-Forwarded-Port: 66' -H 'Forwarded: for=192.0.2.66' -H 'X-Forwarded-Host: evil' -H 'X_Real_IP: 192.0.2.66')
for line in 'x-forwarded-for: 10.77.0.2' 'x-real-ip: 10.77.0.2' 'x-forwarded-proto: http' 'x-forwarded-port: 81'; do
	check "$line" says 81 /x/head "$line" "${spoofed[@]}"
done
check "... and nothing of what the client says" hides 81 /x/head '192\.0\.2\.66\|evil\|gopher\|: 66' "${spoofed[@]}"
check "nothing unasked but X-Forwarded-For" hides 80 /x/head 'x-forwarded-p\|x-real\|^forwarded'
for line in 'x-forwarded-for: 192.0.2.66, 10.77.0.2' 'x-real-ip: 192.0.2.66' 'x-forwarded-proto: gopher' \
	'x-forwarded-port: 66' 'forwarded: for=192.0.2.66' 'x-forwarded-host: evil'; do
	check "a trusted proxy says $line" says 82 /x/head "$line" "${spoofed[@]}"
done
VIP="[$VIP6]" check "... also by IPv6" says 82 /x/head 'x-forwarded-for: 192.0.2.66, fd77::2' "${spoofed[@]}"
check "... what he does not say weir says" says 82 /x/head 'x-real-ip: 10.77.0.2'

# ---- affinity: by the address that the PROXY protocol gives ----
# shellcheck disable=SC2016 # the inner shell's arguments
on client timeout 60 bash -c 'for client in {1..60} {1..60}; do
		exec 3<>"/dev/tcp/$1/83"
		printf "PROXY TCP4 192.0.2.%s 192.0.2.100 1%s 80\r\nGET / HTTP/1.0\r\n\r\n" "$client" "$client" >&3
		echo "$client $(tail -n 1 <&3)"
	done' affinity $VIP4 >"$LAB_DIR/affinity"
check "120 requests are answered" test "$(grep -c ' ep[123]$' "$LAB_DIR/affinity")" = 120
check "a client keeps its endpoint" test "$(sort -u "$LAB_DIR/affinity" | wc -l)" = 60
check "clients are spread" test "$(cut -d' ' -f2 "$LAB_DIR/affinity" | sort -u | wc -l)" = 3

# ---- groups ----
check "no endpoint of the nearest group is usable: the next one" says 84 / ep2
weir set groups/near/one weight=100 >/dev/null
check "it returns by itself" wait_for "says 84 / ep1" 5
weir set groups/near/one weight=0 groups/far/two weight=0 >/dev/null 2>&1 ||
	{ weir set groups/near/one weight=0 && weir set groups/far/two weight=0; } >/dev/null
check "none is: 503" wait_for "says 84 / 503" 5
check "... in a connection that stays" test "$(on client curl -s -w '%{num_connects} ' \
	-o /dev/null "http://$VIP4:84/" -o /dev/null "http://$VIP4:84/" | xargs)" = "1 0"
check "without fail_open: 503, when nobody is well" wait_for "says 87 / 503" 20
check "fail_open: nobody is well there, either" wait_for "weir -j show checks 'open*' | jq -e 'length == 2 and all(.[]; .health.state == \"abnormal\")'" 20
check "... and the nearest group serves" says 85 / ep1

# ---- endpoints that fail ----
# many PORT PATH METHOD: 40 requests, each answer and how often it came.
many() {
	on client curl -s -m 20 -X "$3" -w '%{http_code}\n' -o /dev/null "http://$VIP4:$1$2?[1-40]" |
		sort | uniq -c | xargs
}
for method in GET POST; do
	check "an endpoint that refuses connections: $method goes to the other" test "$(many 86 / $method)" = "40 200"
done
check "one that hangs up instead of answering: GET goes to the other" test "$(many 88 /a/never GET)" = "40 200"
check "... POST, of which it may have done half, does not" eval '[[ $(many 88 /a/never POST) =~ ^[0-9]+\ 200\ [0-9]+\ 502$ ]]'
