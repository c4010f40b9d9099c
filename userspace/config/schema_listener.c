// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The part of the table that is about listeners, groups and endpoints. */
#include <netinet/in.h>
#include <stdbool.h>

#include <weir/abi.h>
#include <weir/decap.h>

#include "config/model.h"
#include "config/schema_table.h"

const struct schema_choice schema_rule_orders[] = { { "priority", HTTP_PRIORITY },
						    { "domain_first", HTTP_DOMAIN_FIRST },
						    {} };
static const struct schema_choice protocols[] = { { "tcp", IPPROTO_TCP },
						  { "udp", IPPROTO_UDP },
						  { "http", SCHEMA_PROTOCOL_HTTP },
						  { "https", SCHEMA_PROTOCOL_HTTPS },
						  {} };
static const struct schema_choice modes[] = { { "nat", WEIR_MODE_NAT },
					      { "dsr", WEIR_MODE_DSR },
					      { "ipip", WEIR_MODE_IPIP },
					      { "gue", WEIR_MODE_GUE },
					      {} };
static const struct schema_choice vips[] = { { "route", true }, { "none", false }, {} };
static const struct schema_choice affinities[] = { { "none", false }, { "source_ip", true }, {} };
static const struct schema_choice group_types[] = { { "default", false }, { "virtual", true }, {} };
static const struct schema_choice backend_protocols[] = { { "http", false },
							  { "https", true },
							  {} };
static const struct schema_choice proxy_protocols[] = {
	{ "none", 0 }, { "v1", 1 }, { "v2", 2 }, {}
};
static const struct schema_choice tunnels[] = { { "auto", HTTP_TUNNEL_AUTO },
						{ "copy", HTTP_TUNNEL_COPY },
						{ "splice", HTTP_TUNNEL_SPLICE },
						{} };
static const struct schema_choice x_forwarded[] = { { "proto", HTTP_X_FORWARDED_PROTO },
						    { "port", HTTP_X_FORWARDED_PORT },
						    { "real_ip", HTTP_X_REAL_IP },
						    {} };
static const struct schema_choice endpoint_types[] = {
	{ "custom_ip", TYPE_CUSTOM_IP },
	{ "public_ip", TYPE_PUBLIC_IP },
	{ "custom_domain", TYPE_CUSTOM_DOMAIN },
	{ "ecs", TYPE_ECS },
	{ "slb", TYPE_SLB },
	{},
};

static const struct schema_key endpoint_keys[] = {
	[ENDPOINT_NAME] = {
		.name = "name",
		.type = SCHEMA_NAME,
		.absent = "its HOST[:PORT]",
		.help = "name of the endpoint, unique in its group",
	},
	[ENDPOINT_TYPE] = {
		.name = "type",
		.type = SCHEMA_CHOICE,
		.choices = endpoint_types,
		.absent = "custom_ip, or of a name: custom_domain",
		.help = "what the address is: custom_ip and public_ip: one; custom_domain: a name "
			"in DNS, whose addresses share the weight; ecs, slb: the id of an "
			"instance, whose addresses 'inventory' has",
	},
	[ENDPOINT_ADDRESS] = {
		.name = "address",
		.type = SCHEMA_ENDPOINT_ADDRESS,
		.flags = SCHEMA_REQUIRED,
		.help = "IP address of the endpoint, its name in DNS, or the id of its instance",
	},
	[ENDPOINT_PORT] = {
		.name = "port",
		.type = SCHEMA_NUMBER,
		.min = 1,
		.max = 65535,
		.absent = "the listener's port",
		.help = "port of the endpoint, with mode nat; with the others it is the listener's",
	},
	[ENDPOINT_WEIGHT] = {
		.name = "weight",
		.type = SCHEMA_NUMBER,
		.min = 0,
		.max = 255,
		.fallback = 100,
		.absent = "100",
		.help = "share of the group's new flows, relative to the other weights; 0 drains",
	},
	[ENDPOINT_MODE] = {
		.name = "mode",
		.type = SCHEMA_CHOICE,
		.choices = modes,
		.absent = "the listener's mode",
		.help = "how packets get to this endpoint",
	},
	[ENDPOINT_PROXY_PROTOCOL] = {
		.name = "proxy_protocol",
		.type = SCHEMA_CHOICE,
		.flags = SCHEMA_HTTP,
		.choices = proxy_protocols,
		.absent = "none",
		.help = "version of the PROXY protocol by which the endpoint of an http or https "
			"listener learns the client's address",
	},
	[ENDPOINT_MAX_CONNECTIONS] = {
		.name = "max_connections",
		.type = SCHEMA_NUMBER,
		.flags = SCHEMA_HTTP,
		.min = 1,
		.max = 1000000,
		.absent = "no limit",
		.help = "with http and https: requests that the endpoint (of a domain: each address) "
			"has at a time, over all workers; more go to other endpoints, and where "
			"all are at their limits clients get 503",
	},
};
static const struct schema_object endpoint = { .name = "endpoint", KEYS(endpoint_keys) };

static const struct schema_choice health_protocols[] = {
	{ "tcp", HEALTH_TCP }, { "http", HEALTH_HTTP }, { "https", HEALTH_HTTPS }, {}
};

static const struct schema_key health_check_keys[] = {
	[HEALTH_CHECK_PROTOCOL] = {
		.name = "protocol",
		.type = SCHEMA_CHOICE,
		.choices = health_protocols,
		.fallback = HEALTH_TCP,
		.absent = "tcp",
		.help = "tcp: an endpoint that accepts connections is normal; http, https: one that "
			"answers a request with a status of 200 to 399",
	},
	[HEALTH_CHECK_PORT] = {
		.name = "port",
		.type = SCHEMA_NUMBER,
		.min = 1,
		.max = 65535,
		.absent = "the endpoint's, or else the listener's first",
		.help = "port of the endpoints that is asked",
	},
	[HEALTH_CHECK_INTERVAL] = {
		.name = "interval",
		.type = SCHEMA_DURATION,
		.min = SECONDS(1),
		.max = SECONDS(50),
		.fallback = SECONDS(2),
		.absent = "2s",
		.help = "from one probe of an endpoint to the next",
	},
	[HEALTH_CHECK_THRESHOLD] = {
		.name = "threshold",
		.type = SCHEMA_NUMBER,
		.min = 2,
		.max = 10,
		.fallback = 3,
		.absent = "3",
		.help = "as many probes in a row change an endpoint's state, either way; the first "
			"decides at once",
	},
	[HEALTH_CHECK_TIMEOUT] = {
		.name = "timeout",
		.type = SCHEMA_DURATION,
		.min = 100,
		.max = SECONDS(50),
		.fallback = SECONDS(3),
		.absent = "3s",
		.help = "a probe that has not passed by then has failed",
	},
	[HEALTH_CHECK_PATH] = {
		.name = "path",
		.type = SCHEMA_TARGET,
		.absent = "/",
		.help = "what is asked for, with http and https",
	},
	[HEALTH_CHECK_HOST] = {
		.name = "host",
		.type = SCHEMA_AUTHORITY,
		.absent = "the endpoint's address and port",
		.help = "the Host header of the request, with http and https",
	},
	[HEALTH_CHECK_VERIFY] = {
		.name = "verify",
		.type = SCHEMA_BOOL,
		.fallback = true,
		.absent = "true",
		.help = "false: any certificate will do, with https",
	},
	[HEALTH_CHECK_CA_FILE] = {
		.name = "ca_file",
		.type = SCHEMA_PATH,
		.absent = "the certificates that this host trusts",
		.help = "certificates (PEM) of who may sign the endpoints', with https; read when the "
			"configuration is",
	},
	[HEALTH_CHECK_SERVER_NAME] = {
		.name = "server_name",
		.type = SCHEMA_SERVER,
		.absent = "that of 'host', or else the endpoint's address",
		.help = "name or address that the endpoints' certificates must be for, with https",
	},
};
static const struct schema_object health_check = { .name = "health check",
						   KEYS(health_check_keys) };

static const struct schema_key passive_health_keys[] = {
	[PASSIVE_HEALTH_FAILURES] = {
		.name = "failures",
		.type = SCHEMA_NUMBER,
		.min = 1,
		.max = 1000,
		.fallback = 5,
		.absent = "5",
		.help = "as many requests in a row that an endpoint has failed put it aside: it could "
			"not be reached, closed the connection before the end of its answer, said "
			"something else than HTTP, or nothing in time",
	},
	[PASSIVE_HEALTH_DURATION] = {
		.name = "duration",
		.type = SCHEMA_DURATION,
		.min = SECONDS(1),
		.max = SECONDS(3600),
		.fallback = SECONDS(10),
		.absent = "10s",
		.help = "how long it gets no requests, unless all endpoints of the group are put "
			"aside; afterwards the first failure puts it aside again",
	},
	[PASSIVE_HEALTH_SERVER_ERRORS] = {
		.name = "server_errors",
		.type = SCHEMA_BOOL,
		.fallback = false,
		.absent = "false",
		.help = "true: an answer with a status of 500 to 599 is a failure, too",
	},
};
static const struct schema_object passive_health = { .name = "passive health",
						     KEYS(passive_health_keys) };

static const struct schema_key group_keys[] = {
	[GROUP_NAME] = {
		.name = "name",
		.type = SCHEMA_NAME,
		.flags = SCHEMA_REQUIRED,
		.help = "name of the group, unique in its listener",
	},
	[GROUP_TYPE] = {
		.name = "type",
		.type = SCHEMA_CHOICE,
		.choices = group_types,
		.absent = "default",
		.help = "default: takes what no rule sends elsewhere; virtual: with protocol http "
			"and https, takes only what a rule sends there",
	},
	[GROUP_REGION] = {
		.name = "region",
		.type = SCHEMA_NAME,
		.absent = "the node's region",
		.help = "where the endpoints are",
	},
	[GROUP_TRAFFIC_PERCENTAGE] = {
		.name = "traffic_percentage",
		.type = SCHEMA_NUMBER,
		.min = 0,
		.max = 100,
		.fallback = 100,
		.absent = "100",
		.help = "how much the group takes of the new flows that nearer groups leave to it",
	},
	[GROUP_HEALTH_CHECK] = {
		.name = "health_check",
		.type = SCHEMA_OBJECT,
		.object = &health_check,
		.absent = "the endpoints are not checked",
		.help = "how weir finds out which endpoints can serve; those that cannot get no "
			"flows",
	},
	[GROUP_PASSIVE_HEALTH] = {
		.name = "passive_health",
		.type = SCHEMA_OBJECT,
		.flags = SCHEMA_HTTP,
		.object = &passive_health,
		.absent = "requests that fail say nothing about their endpoint",
		.help = "with http and https, beside health_check or without: endpoints that fail "
			"requests of clients are put aside for a while; {} is enough",
	},
	[GROUP_SLOW_START] = {
		.name = "slow_start",
		.type = SCHEMA_DURATION,
		.flags = SCHEMA_HTTP,
		.min = SECONDS(1),
		.max = SECONDS(3600),
		.absent = "an endpoint has its whole share at once",
		.help = "with http and https: an endpoint that comes, or comes back, among others has "
			"a tenth of its share first, and all of it so long afterwards",
	},
	[GROUP_BACKEND_PROTOCOL] = {
		.name = "backend_protocol",
		.type = SCHEMA_CHOICE,
		.flags = SCHEMA_HTTP,
		.choices = backend_protocols,
		.fallback = false,
		.absent = "http",
		.help = "what the endpoints of an http or https listener speak",
	},
	[GROUP_PORT_OVERRIDE] = {
		.name = "port_override",
		.type = SCHEMA_NUMBER,
		.min = 1,
		.max = 65535,
		.absent = "the listener's port",
		.help = "port of all endpoints of the group that name none",
	},
	[GROUP_ENDPOINTS] = {
		.name = "endpoints",
		.type = SCHEMA_ENDPOINT,
		.flags = SCHEMA_REQUIRED | SCHEMA_LIST,
		.min_items = 1,
		.object = &endpoint,
		.help = "who serves: HOST[:PORT] [weight N], or a mapping",
	},
};
static const struct schema_object group = { .name = "endpoint group", KEYS(group_keys) };

static const struct schema_key listener_keys[] = {
	[LISTENER_NAME] = {
		.name = "name",
		.type = SCHEMA_NAME,
		.flags = SCHEMA_REQUIRED,
		.help = "name of the listener, unique in the file",
	},
	[LISTENER_PROTOCOL] = {
		.name = "protocol",
		.type = SCHEMA_CHOICE,
		.flags = SCHEMA_REQUIRED,
		.choices = protocols,
		.help = "what the clients speak",
	},
	[LISTENER_ADDRESS] = {
		.name = "address",
		.type = SCHEMA_ADDRESS,
		.flags = SCHEMA_REQUIRED | SCHEMA_LIST,
		.min_items = 1,
		.help = "IP addresses that the clients connect to",
	},
	[LISTENER_PORT] = {
		.name = "port",
		.type = SCHEMA_PORTS,
		.flags = SCHEMA_REQUIRED | SCHEMA_LIST,
		.min = 1,
		.max = 65535,
		.min_items = 1,
		.help = "ports and ranges that the clients connect to: 80,443,7000-7099",
	},
	[LISTENER_MODE] = {
		.name = "mode",
		.type = SCHEMA_CHOICE,
		.choices = modes,
		.fallback = WEIR_MODE_NAT,
		.absent = "nat",
		.help = "nat: replies come back through weir; dsr, ipip, gue: the endpoint answers "
			"itself and gets the packet by its MAC, in IP, in UDP",
	},
	[LISTENER_VIP] = {
		.name = "vip",
		.type = SCHEMA_CHOICE,
		.choices = vips,
		.fallback = true,
		.absent = "route",
		.help = "route: weir makes the host answer for the addresses; none: you do",
	},
	[LISTENER_CLIENT_AFFINITY] = {
		.name = "client_affinity",
		.type = SCHEMA_CHOICE,
		.choices = affinities,
		.fallback = false,
		.absent = "none",
		.help = "source_ip: all connections of a client address go to one endpoint",
	},
	[LISTENER_IDLE_TIMEOUT] = {
		.name = "idle_timeout",
		.type = SCHEMA_DURATION,
		.flags = SCHEMA_SECONDS,
		.min = SECONDS(1),
		.max = SECONDS(SCHEMA_IDLE_MAX),
		.absent = "tcp 900s, udp 20s, http and https 15s",
		.help = "a flow without packets for this long is forgotten",
	},
	[LISTENER_SNAT] = {
		.name = "snat",
		.type = SCHEMA_ADDRESS,
		.flags = SCHEMA_LIST,
		.absent = "the file's snat",
		.help = "source addresses towards the endpoints, with mode nat",
	},
	[LISTENER_TUNNEL_SOURCE] = {
		.name = "tunnel_source",
		.type = SCHEMA_PREFIX,
		.flags = SCHEMA_LIST,
		.absent = "the file's tunnel_source",
		.help = "outer source address towards the endpoints, with modes ipip and gue; a "
			"prefix is spread over by flow",
	},
	[LISTENER_GUE_PORT] = {
		.name = "gue_port",
		.type = SCHEMA_NUMBER,
		.min = 1,
		.max = 65535,
		.fallback = WEIR_GUE_PORT,
		.absent = "6080",
		.help = "UDP port of the endpoints' tunnel, with mode gue",
	},
	[LISTENER_ALLOW] = {
		.name = "allow",
		.type = SCHEMA_NAME,
		.flags = SCHEMA_LIST,
		.absent = "everybody",
		.help = "acls: only clients that are in one of them reach the listener",
	},
	[LISTENER_DENY] = {
		.name = "deny",
		.type = SCHEMA_NAME,
		.flags = SCHEMA_LIST,
		.absent = "nobody",
		.help = "acls: clients that are in one of them do not reach the listener",
	},
	[LISTENER_ALLOW_NOBODY] = {
		.name = "allow_nobody",
		.type = SCHEMA_BOOL,
		.fallback = false,
		.absent = "false",
		.help = "true: 'allow' may have no address of an IP version, or none at all",
	},
	[LISTENER_NEW_FLOWS_PER_SOURCE] = {
		.name = "new_flows_per_source",
		.type = SCHEMA_RATE,
		.min = 1,
		.max = 1000000,
		.absent = "no limit",
		.help = "most connections that an address (IPv6: a /64) may open: 100/s, 30/m burst "
			"50",
	},
	[LISTENER_FAIL_OPEN] = {
		.name = "fail_open",
		.type = SCHEMA_BOOL,
		.fallback = false,
		.absent = "false",
		.help = "true: when no group is usable, those endpoints of the nearest that have a "
			"weight are used",
	},
	[LISTENER_REQUEST_TIMEOUT] = {
		.name = "request_timeout",
		.type = SCHEMA_DURATION,
		.flags = SCHEMA_SECONDS | SCHEMA_HTTP,
		.min = SECONDS(1),
		.max = SECONDS(180),
		.fallback = SECONDS(60),
		.absent = "60s",
		.help = "with http and https: an endpoint that has not answered by then is given "
			"up, and the client gets 504",
	},
	[LISTENER_UPGRADE_IDLE_TIMEOUT] = {
		.name = "upgrade_idle_timeout",
		.type = SCHEMA_DURATION,
		.flags = SCHEMA_SECONDS | SCHEMA_HTTP,
		.min = SECONDS(1),
		.max = SECONDS(SCHEMA_IDLE_MAX),
		.fallback = SECONDS(3600),
		.absent = "3600s",
		.help = "with http and https: the idle_timeout of connections that have become "
			"others, like WebSocket",
	},
	[LISTENER_HEADER_TIMEOUT] = {
		.name = "header_timeout",
		.type = SCHEMA_DURATION,
		.flags = SCHEMA_SECONDS | SCHEMA_HTTP,
		.min = SECONDS(1),
		.max = SECONDS(180),
		.fallback = SECONDS(10),
		.absent = "10s",
		.help = "with http and https: a request whose headers are not whole so long after the "
			"connection came about, or, if others came before it, after its first byte, "
			"gets 408",
	},
	[LISTENER_CONNECT_TIMEOUT] = {
		.name = "connect_timeout",
		.type = SCHEMA_DURATION,
		.flags = SCHEMA_HTTP,
		.min = 100,
		.max = SECONDS(60),
		.fallback = SECONDS(5),
		.absent = "5s",
		.help = "with http and https: an endpoint that no connection comes about with by "
			"then is given up, and another one is tried",
	},
	[LISTENER_HEAD_LIMIT] = {
		.name = "head_limit",
		.type = SCHEMA_NUMBER,
		.flags = SCHEMA_HTTP,
		.min = 1024,
		.max = HTTP_HEAD_LIMIT_MAX,
		.fallback = HTTP_HEAD_LIMIT,
		.absent = "32768",
		.help = "with http and https: bytes of a request's line and headers; one with more "
			"gets 431",
	},
	[LISTENER_TUNNEL] = {
		.name = "tunnel",
		.type = SCHEMA_CHOICE,
		.flags = SCHEMA_HTTP,
		.choices = tunnels,
		.fallback = HTTP_TUNNEL_AUTO,
		.absent = "auto",
		.help = "with http and https: how bodies are moved; copy: through the worker's "
			"memory; splice: within the kernel; auto: large ones within the kernel",
	},
	[LISTENER_KERNEL_ROUTING] = {
		.name = "kernel_routing",
		.type = SCHEMA_BOOL,
		.flags = SCHEMA_HTTP,
		.fallback = false,
		.absent = "false",
		.help = "with http: true: small requests and answers are moved by the kernel alone, "
			"without X-Forwarded-For, where rules ask for host and path only",
	},
	[LISTENER_SYN_COOKIES] = {
		.name = "syn_cookies",
		.type = SCHEMA_BOOL,
		.flags = SCHEMA_HTTP,
		.fallback = false,
		.absent = "false",
		.help = "with http and https: true: the host's SYN cookies are sent by the data "
			"plane, when net.ipv4.tcp_syncookies says that they are to be sent",
	},
	[LISTENER_X_FORWARDED] = {
		.name = "x_forwarded",
		.type = SCHEMA_CHOICE,
		.flags = SCHEMA_LIST | SCHEMA_HTTP,
		.choices = x_forwarded,
		.help = "with http and https: besides X-Forwarded-For, endpoints get X-Forwarded-Proto, "
			"X-Forwarded-Port, X-Real-IP",
	},
	[LISTENER_TRUSTED_PROXIES] = {
		.name = "trusted_proxies",
		.type = SCHEMA_NETWORK,
		.flags = SCHEMA_LIST | SCHEMA_HTTP,
		.absent = "nobody",
		.help = "with http and https: whose X-Forwarded headers are kept and added to",
	},
	[LISTENER_PROXY_PROTOCOL_IN] = {
		.name = "proxy_protocol_in",
		.type = SCHEMA_OBJECT,
		.flags = SCHEMA_HTTP,
		.object = &schema_proxy_protocol_in,
		.absent = "clients speak HTTP at once",
		.help = "with http and https: connections begin with the PROXY protocol",
	},
	[LISTENER_TLS] = {
		.name = "tls",
		.type = SCHEMA_OBJECT,
		.flags = SCHEMA_HTTP,
		.object = &schema_tls,
		.help = "with https: certificate and key, and what is spoken",
	},
	[LISTENER_GROUPS] = {
		.name = "endpoint_groups",
		.type = SCHEMA_OBJECT,
		.flags = SCHEMA_REQUIRED | SCHEMA_LIST,
		.min_items = 1,
		.object = &group,
		.help = "the endpoints, by place",
	},
	[LISTENER_RULE_ORDER] = {
		.name = "rule_order",
		.type = SCHEMA_CHOICE,
		.flags = SCHEMA_HTTP,
		.choices = schema_rule_orders,
		.absent = "limits.rule_order",
		.help = "priority: the smallest priority that matches; domain_first: if a rule names "
			"the host, only such rules count",
	},
	[LISTENER_RULES] = {
		.name = "forwarding_rules",
		.type = SCHEMA_OBJECT,
		.flags = SCHEMA_LIST | SCHEMA_HTTP,
		.object = &schema_rule,
		.help = "with http and https: where requests go that are not for the default group",
	},
};

const struct schema_object schema_listener = { .name = "listener", KEYS(listener_keys) };
