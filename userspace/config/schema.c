// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/schema.h"

#include <stdbool.h>

#include <weir/abi.h>

#include "config/model.h"
#include "config/schema_table.h"

static const struct schema_key acl_keys[] = {
	[ACL_NAME] = {
		.name = "name",
		.type = SCHEMA_NAME,
		.flags = SCHEMA_REQUIRED,
		.help = "name of the acl, unique in the file",
	},
	[ACL_PREFIXES] = {
		.name = "prefixes",
		.type = SCHEMA_NETWORK,
		.flags = SCHEMA_REQUIRED | SCHEMA_LIST,
		.help = "its addresses, all of one IP version: 192.0.2.0/24, 198.51.100.7",
	},
};
static const struct schema_object acl = { .name = "acl", KEYS(acl_keys) };

/* clang-format off */
static const struct schema_choice continents[] = {
	{ "AF", 0 }, { "AN", 1 }, { "AS", 2 }, { "EU", 3 }, { "NA", 4 }, { "OC", 5 }, { "SA", 6 }, {}
};
/* clang-format on */

static const struct schema_key latency_keys[] = {
	[LATENCY_REGION] = {
		.name = "region",
		.type = SCHEMA_NAME,
		.flags = SCHEMA_REQUIRED,
		.help = "of an endpoint group",
	},
	[LATENCY_LATENCY] = {
		.name = "latency",
		.type = SCHEMA_DURATION,
		.flags = SCHEMA_REQUIRED,
		.min = 0,
		.max = SECONDS(10),
		.help = "how far it is to there: 25ms",
	},
};
static const struct schema_object latency = { .name = "latency", KEYS(latency_keys) };

static const struct schema_key region_keys[] = {
	[REGION_NAME] = {
		.name = "name",
		.type = SCHEMA_NAME,
		.flags = SCHEMA_REQUIRED,
		.help = "name of the region, unique in the file",
	},
	[REGION_LATENCY] = {
		.name = "latency",
		.type = SCHEMA_DURATION,
		.min = 0,
		.max = SECONDS(10),
		.absent = "farther than any other",
		.help = "how far it is from this balancer: 25ms",
	},
	[REGION_LATENCIES] = {
		.name = "latencies",
		.type = SCHEMA_OBJECT,
		.flags = SCHEMA_LIST,
		.object = &latency,
		.absent = "as far as from this balancer",
		.help = "how far other regions are from here, for clients of this region",
	},
	[REGION_COUNTRIES] = {
		.name = "countries",
		.type = SCHEMA_COUNTRY,
		.flags = SCHEMA_LIST,
		.help = "whose clients are of this region, by client_regions.maxmind: DE, AT",
	},
	[REGION_CONTINENTS] = {
		.name = "continents",
		.type = SCHEMA_CHOICE,
		.flags = SCHEMA_LIST,
		.choices = continents,
		.help = "whose clients are of this region, but for countries that are of another",
	},
};
static const struct schema_object region = { .name = "region", KEYS(region_keys) };

static const struct schema_key client_regions_keys[] = {
	[CLIENT_REGIONS_FILE] = {
		.name = "file",
		.type = SCHEMA_PATH,
		.help = "a file of lines PREFIX REGION; the longest prefix of an address counts",
	},
	[CLIENT_REGIONS_MAXMIND] = {
		.name = "maxmind",
		.type = SCHEMA_PATH,
		.help = "a MaxMind DB of countries, for addresses that are not in 'file'",
	},
};
static const struct schema_object client_regions = { .name = "set of client regions",
						     KEYS(client_regions_keys) };

static const struct schema_key node_keys[] = {
	[NODE_NAME] = {
		.name = "name",
		.type = SCHEMA_NAME,
		.help = "name of this balancer",
	},
	[NODE_REGION] = {
		.name = "region",
		.type = SCHEMA_NAME,
		.absent = SCHEMA_REGION,
		.help = "where this balancer is",
	},
};
static const struct schema_object node = { .name = "node", KEYS(node_keys) };

static const struct schema_key metrics_keys[] = {
	[METRICS_LISTEN] = {
		.name = "listen",
		.type = SCHEMA_LISTEN,
		.flags = SCHEMA_REQUIRED,
		.help = "where Prometheus finds them, by HTTP, for reading only: 127.0.0.1:9700",
	},
};
static const struct schema_object metrics = { .name = "set of metrics", KEYS(metrics_keys) };

static const struct schema_choice instance_addresses[] = { { "private", false },
							   { "public", true },
							   {} };

static const struct schema_key inventory_keys[] = {
	[INVENTORY_FILES] = {
		.name = "files",
		.type = SCHEMA_PATH,
		.flags = SCHEMA_REQUIRED | SCHEMA_LIST,
		.min_items = 1,
		.max_items = MODEL_INVENTORY_FILES,
		.help = "JSON as 'aliyun ecs DescribeInstances' and 'aliyun slb "
			"DescribeLoadBalancers' print it, in one file or several, each with as "
			"many pages as you like; read again when it changes",
	},
	[INVENTORY_ADDRESSES] = {
		.name = "addresses",
		.type = SCHEMA_CHOICE,
		.choices = instance_addresses,
		.fallback = false,
		.absent = "private",
		.help = "private: an ecs instance is reached at the address it has in its network, "
			"and at a public one only if it has no other; public: the other way round",
	},
};
static const struct schema_object inventory = { .name = "inventory",
						KEYS(inventory_keys),
						.scalar = &inventory_keys[INVENTORY_FILES] };

static const struct schema_choice profiles[] = { { "default", SCHEMA_PROFILE_DEFAULT },
						 { "ga-2021", SCHEMA_PROFILE_GA_2021 },
						 {} };
static const struct schema_choice rule_conditions[] = { { "all", (1 << HTTP_FIELDS) - 1 },
							{ "host", 1 << HTTP_HOST },
							{ "path", 1 << HTTP_PATH },
							{ "header", 1 << HTTP_HEADER },
							{ "query", 1 << HTTP_QUERY },
							{ "method", 1 << HTTP_METHOD },
							{ "cookie", 1 << HTTP_COOKIE },
							{ "source_ip", 1 << HTTP_SOURCE_IP },
							{} };

/* enum limit of model.h */
static const struct schema_key limits_keys[] = {
	[LIMIT_PROFILE] = {
		.name = "profile",
		.type = SCHEMA_CHOICE,
		.choices = profiles,
		.fallback = SCHEMA_PROFILE_DEFAULT,
		.absent = "default",
		.help = "the values of all limits that are not given here",
	},
	[LIMIT_LISTENERS] = {
		.name = "listeners",
		.type = SCHEMA_NUMBER,
		.min = 1,
		.max = 100000,
		.profiles = { "100000", "10" },
		.help = "most listeners of the file",
	},
	[LIMIT_PORTS] = {
		.name = "ports_per_listener",
		.type = SCHEMA_NUMBER,
		.min = 1,
		.max = 65535,
		.profiles = { "65499", "30" },
		.help = "most ports of a listener",
	},
	[LIMIT_PORT_MAX] = {
		.name = "port_max",
		.type = SCHEMA_NUMBER,
		.min = 1,
		.max = 65535,
		.profiles = { "65535", "65499" },
		.help = "highest port of a listener",
	},
	[LIMIT_RESERVED_UDP_PORTS] = {
		.name = "reserved_udp_ports",
		.type = SCHEMA_PORTS,
		.flags = SCHEMA_LIST,
		.min = 1,
		.max = 65535,
		.profiles = { "", "250,4789,4790" },
		.help = "ports that a listener of protocol udp cannot have",
	},
	[LIMIT_ENDPOINTS] = {
		.name = "endpoints_per_group",
		.type = SCHEMA_NUMBER,
		.min = 1,
		.max = 4096,
		.profiles = { "1024", "4" },
		.help = "most endpoints of a group",
	},
	[LIMIT_DEFAULT_GROUPS] = {
		.name = "default_groups_per_listener",
		.type = SCHEMA_NUMBER,
		.min = 1,
		.max = WEIR_MAX_REGIONS - 1,
		.profiles = { "10", "1" },
		.help = "most endpoint groups of type default of a listener",
	},
	[LIMIT_VIRTUAL_GROUPS] = {
		.name = "virtual_groups_per_listener",
		.type = SCHEMA_NUMBER,
		.max = 10000,
		.profiles = { "100", "1" },
		.help = "most endpoint groups of type virtual of a listener",
	},
	[LIMIT_INSTANCE_ENDPOINTS] = {
		.name = "instance_endpoints",
		.type = SCHEMA_BOOL,
		.profiles = { "true", "false" },
		.help = "true: endpoints may be of type ecs and slb",
	},
	[LIMIT_RULE_ORDER] = {
		.name = "rule_order",
		.type = SCHEMA_CHOICE,
		.choices = schema_rule_orders,
		.profiles = { "priority", "domain_first" },
		.help = "the rule_order of listeners that name none; domain_first: of all",
	},
	[LIMIT_RULE_CONDITIONS] = {
		.name = "rule_conditions",
		.type = SCHEMA_CHOICE,
		.flags = SCHEMA_LIST,
		.choices = rule_conditions,
		.profiles = { "all", "host,path" },
		.help = "conditions that forwarding rules may have",
	},
	[LIMIT_IDLE_TCP] = {
		.name = "idle_timeout_tcp",
		.type = SCHEMA_SPAN,
		.flags = SCHEMA_SECONDS,
		.min = SECONDS(1),
		.max = SECONDS(SCHEMA_IDLE_MAX),
		.profiles = { "1s-86400s", "10s-900s" },
		.help = "shortest and longest idle_timeout of a listener of protocol tcp",
	},
	[LIMIT_IDLE_UDP] = {
		.name = "idle_timeout_udp",
		.type = SCHEMA_SPAN,
		.flags = SCHEMA_SECONDS,
		.min = SECONDS(1),
		.max = SECONDS(SCHEMA_IDLE_MAX),
		.profiles = { "1s-3600s", "10s-20s" },
		.help = "shortest and longest idle_timeout of a listener of protocol udp",
	},
	[LIMIT_IDLE_HTTP] = {
		.name = "idle_timeout_http",
		.type = SCHEMA_SPAN,
		.flags = SCHEMA_SECONDS,
		.min = SECONDS(1),
		.max = SECONDS(SCHEMA_IDLE_MAX),
		.profiles = { "1s-3600s", "1s-60s" },
		.help = "shortest and longest idle_timeout of a listener of protocol http or https",
	},
};
static const struct schema_object limits = { .name = "set of limits", KEYS(limits_keys) };

static const struct schema_key root_keys[] = {
	[ROOT_VERSION] = {
		.name = "version",
		.type = SCHEMA_NUMBER,
		.flags = SCHEMA_REQUIRED,
		.min = 1,
		.max = 1,
		.help = "version of the grammar",
	},
	[ROOT_NODE] = {
		.name = "node",
		.type = SCHEMA_OBJECT,
		.object = &node,
		.help = "where this balancer runs",
	},
	[ROOT_INTERFACES] = {
		.name = "interfaces",
		.type = SCHEMA_INTERFACE,
		.flags = SCHEMA_LIST,
		.max_items = WEIR_MAX_EGRESS - 1,
		.help = "network interfaces that weir works on",
	},
	[ROOT_SNAT] = {
		.name = "snat",
		.type = SCHEMA_ADDRESS,
		.flags = SCHEMA_LIST,
		.absent = "the address the route prefers",
		.help = "source addresses towards the endpoints, with mode nat",
	},
	[ROOT_NAMESERVERS] = {
		.name = "nameservers",
		.type = SCHEMA_ADDRESS,
		.flags = SCHEMA_LIST,
		.absent = "those of /etc/resolv.conf",
		.help = "who is asked for the addresses of endpoints of type custom_domain",
	},
	[ROOT_INVENTORY] = {
		.name = "inventory",
		.type = SCHEMA_OBJECT,
		.object = &inventory,
		.help = "where the addresses of endpoints of type ecs and slb are looked up; those that "
			"are Running, or active, get new flows",
	},
	[ROOT_TUNNEL_SOURCE] = {
		.name = "tunnel_source",
		.type = SCHEMA_PREFIX,
		.flags = SCHEMA_LIST,
		.absent = "the address the route prefers",
		.help = "outer source address towards the endpoints, with modes ipip and gue; a "
			"prefix is spread over by flow",
	},
	[ROOT_STEAL_PORTS] = {
		.name = "steal_ports",
		.type = SCHEMA_BOOL,
		.fallback = false,
		.absent = "false",
		.help = "true: a listener may take a port that the host itself listens on",
	},
	[ROOT_HASH_SEED] = {
		.name = "hash_seed",
		.type = SCHEMA_NUMBER,
		.min = 0,
		.max = UINT32_MAX,
		.fallback = 0,
		.absent = "0",
		.help = "of the choice of endpoints; balancers that share addresses need the same",
	},
	[ROOT_NAT_FLOWS] = {
		.name = "nat_flows",
		.type = SCHEMA_NUMBER,
		.min = SCHEMA_FLOWS_MIN,
		.max = WEIR_MAX_NAT_FLOWS,
		.fallback = SCHEMA_FLOWS,
		.absent = "131072",
		.help = "flows that listeners of mode nat can have at once",
	},
	[ROOT_RECORDED_FLOWS] = {
		.name = "recorded_flows",
		.type = SCHEMA_NUMBER,
		.min = SCHEMA_FLOWS_MIN,
		.max = WEIR_MAX_EXCEPTIONS,
		.fallback = SCHEMA_FLOWS,
		.absent = "131072",
		.help = "flows of other modes that can be kept in place while shares change",
	},
	[ROOT_ANSWERS_PER_SECOND] = {
		.name = "answers_per_second",
		.type = SCHEMA_NUMBER,
		.min = 0,
		.max = 1000000,
		.fallback = 1000,
		.absent = "1000",
		.help = "most resets, and most ICMP errors of a kind, that weir itself sends; 0: none",
	},
	[ROOT_LIMITS] = {
		.name = "limits",
		.type = SCHEMA_OBJECT,
		.object = &limits,
		.absent = "profile: default",
		.help = "what the file may ask for: a profile, and single limits that differ from it",
	},
	[ROOT_ACLS] = {
		.name = "acls",
		.type = SCHEMA_OBJECT,
		.flags = SCHEMA_LIST,
		.object = &acl,
		.help = "lists of addresses, for 'allow' and 'deny' of listeners",
	},
	[ROOT_REGIONS] = {
		.name = "regions",
		.type = SCHEMA_OBJECT,
		.flags = SCHEMA_LIST,
		.max_items = WEIR_MAX_REGIONS - 1,
		.object = &region,
		.help = "how far regions are, and whose clients are there",
	},
	[ROOT_CLIENT_REGIONS] = {
		.name = "client_regions",
		.type = SCHEMA_OBJECT,
		.object = &client_regions,
		.absent = "every client counts as near to this balancer",
		.help = "where clients are, by their addresses: flows, and requests of http and "
			"https, go to the groups that are near to them",
	},
	[ROOT_METRICS] = {
		.name = "metrics",
		.type = SCHEMA_OBJECT,
		.object = &metrics,
		.absent = "off",
		.help = "what is counted and measured, for Prometheus",
	},
	[ROOT_ACCESS_LOG] = {
		.name = "access_log",
		.type = SCHEMA_PATH,
		.absent = "off",
		.help = "a line of JSON for each request of an http listener is added to this file; "
			"SIGUSR1 and 'weir apply' open it anew, after it was moved away",
	},
	[ROOT_LISTENERS] = {
		.name = "listeners",
		.type = SCHEMA_OBJECT,
		.flags = SCHEMA_LIST,
		.object = &schema_listener,
		.help = "what is balanced",
	},
};
static const struct schema_object root = { .name = "configuration", KEYS(root_keys) };

const struct schema_key schema_root = { .name = "", .type = SCHEMA_OBJECT, .object = &root };
