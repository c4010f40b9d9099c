# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The contestants of `make bench-http`: each a listener of http that chooses by host and path,
# speaks of the client in X-Forwarded-For, keeps connections to both sides and writes no log; each
# with one thread or process for requests, and with room for bodies that makes the rows as fast as it
# can. Sourced by run.

IDLE=4000      # connections that are held to see what one costs
RULE_HOSTS=500 # of "a thousand rules", two each

# What the backend answers, by path: bytes.
FILES=(128:128 16k:16384 1m:1048576)

backend_config() {
	cat <<-END
		daemon off;
		worker_processes 1;
		pid $LAB_DIR/backend.pid;
		error_log $LAB_DIR/backend.log;
		events { worker_connections 10000; }
		http {
			access_log off;
			sendfile on;
			tcp_nopush on;
			keepalive_requests 1000000000;
			server { listen 8000 backlog=4096; listen [::]:8000; root $LAB_DIR/files; }
		}
	END
}

nginx_peer_config() {
	cat <<-END
		daemon off;
		worker_processes 1;
		pid $LAB_DIR/nginx-peer.pid;
		error_log $LAB_DIR/nginx-peer.log;
		events { worker_connections 16000; }
		http {
			access_log off;
			keepalive_requests 1000000000;
			keepalive_timeout 600s;
			proxy_http_version 1.1;
			proxy_buffer_size 32k;
			proxy_buffers 16 32k;
			proxy_max_temp_file_size 0;
			proxy_set_header Connection "";
			proxy_set_header Host \$host;
			proxy_set_header X-Forwarded-For \$remote_addr;
			upstream main { server $(endpoint_address ep1 4):8000; keepalive 256; keepalive_requests 1000000000; }
			upstream api { server $(endpoint_address ep1 4):8000; keepalive 256; keepalive_requests 1000000000; }
			server {
				listen 80 backlog=4096 default_server;
				location / { proxy_pass http://main; }
			}
			server {
				listen 80;
				server_name api.example.com;
				location /v2/ { proxy_pass http://api; }
				location / { return 404; }
			}
		}
	END
}

# haproxy_config [splice]
haproxy_config() {
	cat <<-END
		global
			nbthread 1
			maxconn 6000
			tune.bufsize 32768
		defaults
			mode http
			timeout client 600s
			timeout server 600s
			timeout connect 5s
			option forwardfor
			http-reuse always
			${1:+option splice-response}
		frontend web
			bind :80 backlog 4096
			acl api hdr(host) -i api.example.com
			http-request return status 404 if api !{ path_beg /v2/ }
			use_backend api if api
			default_backend main
		backend main
			server ep1 $(endpoint_address ep1 4):8000
		backend api
			server ep1 $(endpoint_address ep1 4):8000
	END
}

# weir_config [RULE]...: more rules before its own.
weir_config() {
	cat <<-END
		version: 1
		interfaces: [eth0]
		listeners:
		  - name: web
		    protocol: http
		    address: $VIP4
		    port: 80
		    idle_timeout: 600s
		    rule_order: domain_first
		    endpoint_groups:
		      - name: main
		        endpoints: [{ name: ep1, address: $(endpoint_address ep1 4), port: 8000 }]
		      - name: api
		        type: virtual
		        endpoints: [{ name: ep1, address: $(endpoint_address ep1 4), port: 8000 }]
		    forwarding_rules:
		      - { host: api.example.com, path: "/v2/*", forward: api }
	END
	(($# == 0)) || printf '      - %s\n' "$@"
}

# rules N: hosts with two paths each, of which requests ask for the last.
rules() {
	local i
	for ((i = 1; i <= $1; i++)); do
		echo "{ host: h$i.example.com, path: '/a/*', forward: api }"
		echo "{ host: h$i.example.com, path: '/*', forward: main }"
	done
}

make_files() {
	local file
	mkdir -p "$LAB_DIR/files"
	for file in "${FILES[@]}"; do
		head -c "${file#*:}" /dev/zero | tr '\0' x >"$LAB_DIR/files/${file%:*}"
	done
	chmod -R a+rX "$LAB_DIR" "$LAB_DIR/files"
}

# pinned CPU FUNCTION...: what it starts stays on that CPU.
pinned() {
	taskset -pc "$1" $$ >/dev/null
	"${@:2}"
	taskset -pc 1 $$ >/dev/null
}

peer_spawn() {
	spawn "$LAB_DIR/$1.out" "${@:2}"
	PID[$1]=$SPAWNED
}

# The processes of a contestant that hold requests.
processes_of() {
	[[ $1 != weir-routed ]] || pgrep '^kworker' # they send what is redirected
	[[ $1 != weir* ]] || { pgrep -P "$DAEMON" | while read -r pid; do pgrep -P "$pid"; echo "$pid"; done; return; }
	echo "${PID[${1%-xdp}]}"
	pgrep -P "${PID[${1%-xdp}]}" || true
}

url_of() {
	case ${1%-xdp} in
	weir*) echo "http://$VIP4" ;;
	nginx) echo "http://10.77.0.20" ;;
	haproxy) echo "http://10.77.0.20:81" ;;
	haproxy-splice) echo "http://10.77.0.20:82" ;;
	esac
}

# All of them listen at once; only one at a time has work.
contestants_start() {
	make_files
	backend_config >"$LAB_DIR/backend.conf"
	spawn "$LAB_DIR/backend.out" ep1 nginx -c "$LAB_DIR/backend.conf"
	BACKEND=$SPAWNED
	nginx_peer_config >"$LAB_DIR/nginx-peer.conf"
	haproxy_config | sed 's/bind :80/bind :81/' >"$LAB_DIR/haproxy.cfg"
	haproxy_config splice | sed 's/bind :80/bind :82/' >"$LAB_DIR/haproxy-splice.cfg"
	weir_config >"$LAB_DIR/weir.yaml"
	# Without XDP on its interface, which listeners of http can do without.
	weir_config | sed 's/eth0/spare0/' >"$LAB_DIR/weir-detached.yaml"
	# Bodies by one way alone.
	weir_config | sed 's/idle_timeout:/tunnel: copy\n    &/' >"$LAB_DIR/weir-copy.yaml"
	weir_config | sed 's/idle_timeout:/tunnel: splice\n    &/' >"$LAB_DIR/weir-splice.yaml"
	# Small requests by the kernel.
	weir_config | sed 's/idle_timeout:/kernel_routing: true\n    &/' >"$LAB_DIR/weir-routed.yaml"
	pinned 0 peer_spawn nginx lb2 nginx -c "$LAB_DIR/nginx-peer.conf"
	pinned 0 peer_spawn haproxy lb2 haproxy -db -f "$LAB_DIR/haproxy.cfg"
	pinned 0 peer_spawn haproxy-splice lb2 haproxy -db -f "$LAB_DIR/haproxy-splice.cfg"
	pinned 0 daemon_start "$LAB_DIR/weir.yaml"
	local who
	for who in weir nginx haproxy haproxy-splice; do
		wait_for "on client curl -sf -m 2 -o /dev/null $(url_of $who)/128" 10 ||
			die "$who does not answer: $(tail -n 3 "$LAB_DIR/$who.out" 2>/dev/null)"
	done
}
