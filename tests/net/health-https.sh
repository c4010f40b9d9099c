#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Goal: a health check by HTTPS passes only with a certificate that is valid now, signed by who is
# trusted, for the name that is asked for; each other one is abnormal with a reason of its own, and
# a file of certificates that cannot be read is refused, not guessed.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# certificate NAME SUBJECTS DAYS [FROM]: a key and a certificate of the test's own authority.
certificate() {
	local dir=$LAB_DIR/tls
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
		-keyout "$dir/$1.key" -out "$dir/$1.csr"
	openssl ca -batch -config "$dir/ca.conf" -in "$dir/$1.csr" -out "$dir/$1.pem" -notext \
		-startdate "$3" -enddate "$4" -extfile <(echo "subjectAltName=$2")
}

certificates() {
	local dir=$LAB_DIR/tls names="DNS:good.example,IP:10.77.0.11,IP:fd77::11"
	mkdir -p "$dir/new"
	: >"$dir/index"
	cat >"$dir/ca.conf" <<-END
		[ca]
		default_ca = test
		[test]
		database = $dir/index
		new_certs_dir = $dir/new
		rand_serial = yes
		unique_subject = no
		certificate = $dir/ca.pem
		private_key = $dir/ca.key
		default_md = sha256
		policy = any
		[any]
		commonName = supplied
	END
	for ca in ca other; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
			-subj "/CN=$ca" -keyout "$dir/$ca.key" -out "$dir/$ca.pem"
	done
	certificate good "$names" 20200101000000Z 20990101000000Z
	certificate old "$names" 20200101000000Z 20210101000000Z
	certificate young "$names" 20980101000000Z 20990101000000Z
	certificate else DNS:else.example 20200101000000Z 20990101000000Z
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
		-subj "/CN=own" -addext "subjectAltName=$names" -keyout "$dir/own.key" -out "$dir/own.pem"
}

# listener NAME PORT CHECK ENDPOINT PORT...
listener() {
	cat <<-END
		  - name: $1
		    protocol: tcp
		    address: [$VIP4, "$VIP6"]
		    port: $2
		    endpoint_groups:
		      - name: main
		        health_check: { protocol: https, interval: 1s, threshold: 2, timeout: 1s, $3 }
		        endpoints:
	END
	shift 3
	while (($#)); do
		echo "          - { name: $1, address: $(endpoint_address ep1 4), port: $2 }"
		echo "          - { name: $1-v6, address: \"$(endpoint_address ep1 6)\", port: $2 }"
		shift 2
	done
}

lab_up
mkdir -p "$LAB_DIR/tls"
certificates >"$LAB_DIR/tls/log" 2>&1 || die "no certificates: $(tail -n 3 "$LAB_DIR/tls/log")"
servers=()
port=9443
for name in good old young else own; do
	servers+=("$LAB_DIR/tls/$name.pem" "$LAB_DIR/tls/$name.key" $port)
	port=$((port + 1))
done
echo 200 >"$LAB_DIR/status"
spawn "$LAB_DIR/answers.log" ep1 python3 "$ROOT/tests/peer/answers.py" "$LAB_DIR" "${servers[@]}"
wait_for "on ep1 ss -Htln sport = :9447 | grep -q LISTEN" 10 || die "answers.py does not listen"
ca="ca_file: $LAB_DIR/tls/ca.pem"
{
	lab_config nat 1 1 1
	# By the address; by a name; with others to trust; with the system's; with anybody.
	listener address 9001 "$ca" good 9443 old 9444 young 9445 else 9446 own 9447 plain 9007 \
		silent 9001 garbage 9002
	listener name 9002 "$ca, host: 'good.example:9443'" good 9443 else 9446
	listener server 9003 "$ca, host: x.example, server_name: else.example" good 9443 else 9446
	listener other 9004 "ca_file: $LAB_DIR/tls/other.pem" good 9443
	listener system 9005 "path: /" good 9443
	listener early 9007 "$ca, path: /early" good 9443
	listener anybody 9006 "verify: false" good 9443 old 9444 else 9446 own 9447 plain 9007
} >"$LAB_DIR/weir.yaml"
daemon_start "$LAB_DIR/weir.yaml"

verdict_check address/main/good normal
verdict_check address/main/old abnormal expired
verdict_check address/main/young abnormal not_yet
verdict_check address/main/else abnormal name
verdict_check address/main/own abnormal self_signed
verdict_check address/main/plain abnormal tls
verdict_check address/main/silent abnormal tls_timeout
verdict_check address/main/garbage abnormal tls
verdict_check name/main/good normal
verdict_check name/main/else abnormal name
verdict_check server/main/good abnormal name
verdict_check server/main/else normal
verdict_check other/main/good abnormal untrusted
verdict_check early/main/good normal
verdict_check system/main/good abnormal untrusted
for name in good old else own; do verdict_check anybody/main/$name normal; done
verdict_check anybody/main/plain abnormal tls
check "people are told" grep -q "the certificate has expired" <(weir show checks)

sed "s|ca_file: .*/other.pem|ca_file: $LAB_DIR/tls/none.pem|" "$LAB_DIR/weir.yaml" >"$LAB_DIR/none.yaml"
check "certificates that are not there are refused" exit_status 1 weir apply "$LAB_DIR/none.yaml"
sed "s|ca_file: .*/other.pem|ca_file: $LAB_DIR/weir.yaml|" "$LAB_DIR/weir.yaml" >"$LAB_DIR/none.yaml"
weir apply "$LAB_DIR/none.yaml" >"$LAB_DIR/refused" 2>&1 || true
check "no certificates: refused with the file's name" grep -q \
	"listener other: .*weir.yaml: .*certificates in PEM" "$LAB_DIR/refused"
mkfifo "$LAB_DIR/tls/pipe"
for odd in "$LAB_DIR/tls/pipe" /dev/zero; do
	sed "s|ca_file: .*/other.pem|ca_file: $odd|" "$LAB_DIR/weir.yaml" >"$LAB_DIR/none.yaml"
	on "$BALANCER" env WEIR_INSTANCE="$(instance)" timeout 10 "$WEIR" apply "$LAB_DIR/none.yaml" \
		>"$LAB_DIR/refused" 2>&1 || true
	check "$odd: refused without waiting for its end" grep -q \
		"$odd: .*not a regular file" "$LAB_DIR/refused"
done
check "a configuration may come by a pipe" bash -c "'$WEIR' check <(cat '$LAB_DIR/weir.yaml')"
check "nothing has changed" verdict_is address/main/good normal

# Whoever is trusted can change: the file is read again with the configuration.
cp "$LAB_DIR/tls/ca.pem" "$LAB_DIR/tls/other.pem"
check "apply" weir apply
verdict_check other/main/good normal
rm "$LAB_DIR/tls/other.pem"
daemon_kill9
daemon_start "$LAB_DIR/weir.yaml"
check "a daemon that finds the file gone keeps what was known" verdict_is other/main/good normal
check "and says so" grep -q "other.pem: .*No such file" "$DAEMON_LOG"
daemon_stop
check "weir down" weir down
