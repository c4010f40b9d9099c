// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the two profiles of limits hold what the model's table says; each limit refuses the first
 * value beyond it and takes the last within; a refusal names the limit, its value, where that comes
 * from and what to write; a limit that is wrong itself refuses nothing.
 */
#include "config/support.h"

#include "config/limits.h"

/* The model's table, as `weir check` and config_print() write it. */
Test(config_limits, profiles)
{
	static const char *const wanted[LIMIT_COUNT][SCHEMA_PROFILES] = {
		[LIMIT_PROFILE] = { "default", "ga-2021" },
		[LIMIT_LISTENERS] = { "100000", "10" },
		[LIMIT_PORTS] = { "65499", "30" },
		[LIMIT_PORT_MAX] = { "65535", "65499" },
		[LIMIT_RESERVED_UDP_PORTS] = { "[]", "[250, 4789, 4790]" },
		[LIMIT_ENDPOINTS] = { "1024", "4" },
		[LIMIT_DEFAULT_GROUPS] = { "10", "1" },
		[LIMIT_VIRTUAL_GROUPS] = { "100", "1" },
		[LIMIT_INSTANCE_ENDPOINTS] = { "true", "false" },
		[LIMIT_RULE_ORDER] = { "priority", "domain_first" },
		[LIMIT_RULE_CONDITIONS] = { "[all]", "[host, path]" },
		[LIMIT_IDLE_HTTP] = { "1s-3600s", "1s-60s" },
		[LIMIT_IDLE_TCP] = { "1s-86400s", "10s-900s" },
		[LIMIT_IDLE_UDP] = { "1s-3600s", "10s-20s" },
	};

	for (enum schema_profile profile = 0; profile < SCHEMA_PROFILES; profile++) {
		struct limits limits;

		cr_assert_eq(limits_of_profile(profile, &limits), 0);
		for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
			_cleanup_(str_fini) struct str text = {};

			limits_print(&limits, limit, &text);
			cr_expect_str_eq(text.text, wanted[limit][profile], "%s",
					 limits_key(limit));
		}
		limits_fini(&limits);
	}
}

struct limits_case {
	const char *limits; /* the value of limits: */
	const char *protocol;
	const char *port;
	const char *idle_timeout;
	const char *endpoints;
	const char *wanted; /* findings; line 2 is limits, 6 port, 7 idle_timeout, 8 endpoints */
};

static void try_case(const struct limits_case *c)
{
	_cleanup_(str_fini) struct str text = {};

	str_add(&text,
		"version: 1\nlimits: { %s }\nlisteners:\n"
		"  - { name: a, protocol: %s, address: 192.0.2.1,\n"
		"      # the port:\n"
		"      port: \"%s\",\n"
		"      idle_timeout: %s,\n"
		"      endpoint_groups: [{ name: g, endpoints: [%s] }] }\n",
		c->limits, c->protocol ?: "tcp", c->port ?: "80", c->idle_timeout ?: "15s",
		c->endpoints ?: "10.0.0.1");
	support_expect(text.text, text.size, c->wanted ?: "");
}

#define TRY_ALL(cases)                                                                             \
	for (size_t i = 0; i < sizeof(cases) / sizeof((cases)[0]); i++)                            \
	try_case(&(cases)[i])

#define FOUR "10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4"
#define GA   "profile: ga-2021"

Test(config_limits, endpoints)
{
	static const struct limits_case cases[] = {
		{ GA, .endpoints = FOUR },
		{ GA, .endpoints = FOUR ", 10.0.0.5",
		  .wanted =
			  "8:88 error 5 endpoints in a group; limit endpoints_per_group is 4 "
			  "(profile ga-2021); to raise it: limits: { endpoints_per_group: 5 }\n" },
		{ GA ", endpoints_per_group: 8", .endpoints = FOUR ", 10.0.0.5" },
		{ "endpoints_per_group: 3", .endpoints = FOUR,
		  .wanted = "8:78 error 4 endpoints in a group; limit endpoints_per_group is 3 "
			    "(line 2); to raise it: limits: { endpoints_per_group: 4 }\n" },
		{ "endpoints_per_group: 4097",
		  .wanted = "2:32 error endpoints_per_group '4097' is out of range; allowed: 1 to "
			    "4096\n" },
	};

	TRY_ALL(cases);
}

Test(config_limits, ports)
{
	static const struct limits_case cases[] = {
		{ GA, .port = "1-30" },
		{ GA, .port = "1-20,30-39" },
		{ GA, .port = "1-20,30-40",
		  .wanted =
			  "6:13 error 31 ports in a listener; limit ports_per_listener is 30 "
			  "(profile ga-2021); to raise it: limits: { ports_per_listener: 31 }\n" },
		{ "", .port = "1-65499" },
		{ "", .port = "1-65500",
		  .wanted = "6:13 error 65500 ports in a listener; limit ports_per_listener is "
			    "65499 (profile default); to raise it: limits: { ports_per_listener: "
			    "65500 }\n" },
		{ "ports_per_listener: 65535", .port = "1-65535" },
		{ GA, .port = "65499" },
		{ GA, .port = "443,65500",
		  .wanted = "6:18 error port 65500; limit port_max is 65499 (profile ga-2021); to "
			    "raise it: limits: { port_max: 65500 }\n" },
		{ "", .port = "65535" },
		{ GA, .port = "65490-65500",
		  .wanted = "6:14 error port 65500; limit port_max is 65499 (profile ga-2021); to "
			    "raise it: limits: { port_max: 65500 }\n" },
	};

	TRY_ALL(cases);
}

Test(config_limits, instances)
{
	static const struct limits_case cases[] = {
		{ GA, .endpoints = "{ address: 10.0.0.1, type: public_ip }, a.example" },
		{ GA, .endpoints = "{ address: i-a, type: ecs }",
		  .wanted =
			  "8:70 error an endpoint of type ecs; limit instance_endpoints is false "
			  "(profile ga-2021); to change it: limits: { instance_endpoints: true }\n"
			  "8:70 error type ecs needs an inventory to look the instance up in: "
			  "inventory: /etc/weir/FILE.json, as 'aliyun ecs DescribeInstances' "
			  "prints it\n" },
		{ "instance_endpoints: false", .endpoints = "{ address: lb-a, type: slb }",
		  .wanted = "8:71 error an endpoint of type slb; limit instance_endpoints is false "
			    "(line 2); to change it: limits: { instance_endpoints: true }\n"
			    "8:71 error type slb needs an inventory to look the instance up in: "
			    "inventory: /etc/weir/FILE.json, as 'aliyun slb DescribeLoadBalancers' "
			    "prints it\n" },
		{ GA ", instance_endpoints: true }\ninventory: { files: [/a, /b]",
		  .endpoints =
			  "{ address: i-a, type: ecs }, { address: lb-a, type: slb, port: 8 }" },
	};

	TRY_ALL(cases);
}

#define RESERVED(port)                                                                             \
	"error UDP port " port " is reserved; limit reserved_udp_ports is [250, 4789, 4790] "      \
	"(profile ga-2021); to use it, leave it out of limits: { reserved_udp_ports: [...] }\n"

Test(config_limits, reserved_ports)
{
	static const struct limits_case cases[] = {
		{ GA, .port = "250,4789,4790" }, /* of TCP */
		{ "", "udp", "250,4789,4790" },
		{ GA, "udp", "249,251,4788,4791" },
		{ GA, "udp", "250", .wanted = "6:14 " RESERVED("250") },
		{ GA, "udp", "53,4780-4789", .wanted = "6:17 " RESERVED("4789") },
		{ GA, "udp", "4790-4795", .wanted = "6:14 " RESERVED("4790") },
		{ GA ", reserved_udp_ports: []", "udp", "250" },
		{ GA ", reserved_udp_ports: [4789, 4790]", "udp", "250" },
		{ "reserved_udp_ports: \"5-7,9\"", "udp", "6",
		  .wanted = "6:14 error UDP port 6 is reserved; limit reserved_udp_ports is [5-7, "
			    "9] (line 2); to use it, leave it out of limits: { reserved_udp_ports: "
			    "[...] }\n" },
	};

	TRY_ALL(cases);
}

Test(config_limits, idle_timeouts)
{
	static const struct limits_case cases[] = {
		{ "", .idle_timeout = "1s" },
		{ "", .idle_timeout = "86400" },
		{ "", .idle_timeout = "86401",
		  .wanted = "7:21 error idle_timeout '86401' is out of range; allowed: 1s to "
			    "1d\n" },
		{ "", "udp", .idle_timeout = "3600" },
		{ "", "udp", .idle_timeout = "61m",
		  .wanted = "7:21 error idle_timeout '61m'; limit idle_timeout_udp is 1s-3600s "
			    "(profile default); to widen it: limits: { idle_timeout_udp: 1s-3660s "
			    "}\n" },
		{ "idle_timeout_udp: 1s-3660s", "udp", .idle_timeout = "61m" },
		{ GA, .idle_timeout = "10" },
		{ GA, .idle_timeout = "900" },
		{ GA, .idle_timeout = "9s",
		  .wanted = "7:21 error idle_timeout '9s'; limit idle_timeout_tcp is 10s-900s "
			    "(profile ga-2021); to widen it: limits: { idle_timeout_tcp: 9s-900s }"
			    "\n" },
		{ GA, .idle_timeout = "901",
		  .wanted = "7:21 error idle_timeout '901'; limit idle_timeout_tcp is 10s-900s "
			    "(profile ga-2021); to widen it: limits: { idle_timeout_tcp: 10s-901s "
			    "}\n" },
		{ GA, "udp", .idle_timeout = "10" },
		{ GA, "udp", .idle_timeout = "20" },
		{ GA, "udp", .idle_timeout = "21",
		  .wanted = "7:21 error idle_timeout '21'; limit idle_timeout_udp is 10s-20s "
			    "(profile ga-2021); to widen it: limits: { idle_timeout_udp: 10s-21s }"
			    "\n" },
	};

	TRY_ALL(cases);
}

/* Nothing follows from a limit that is wrong, and nothing hides behind it. */
Test(config_limits, wrong_limits)
{
	static const struct limits_case cases[] = {
		{ "profile: ga-2020", .port = "1-65500",
		  .wanted = "2:20 error unknown profile 'ga-2020'; did you mean 'ga-2021'? "
			    "allowed: default, ga-2021\n" },
		{ GA ", endpoints_per_group: x, ports_per_listener: 1", .port = "80-81",
		  .endpoints = FOUR ", 10.0.0.5",
		  .wanted = "2:50 error endpoints_per_group 'x' is not a whole number in plain "
			    "digits; allowed: 1 to 4096\n"
			    "6:13 error 2 ports in a listener; limit ports_per_listener is 1 (line "
			    "2); to raise it: limits: { ports_per_listener: 2 }\n" },
		{ "idle_timeout_tcp: 20s",
		  .wanted = "2:29 error idle_timeout_tcp '20s' is not two durations like 10s-900s; "
			    "allowed: 1s to 1d\n" },
		{ "idle_timeout_tcp: 20s-10s",
		  .wanted = "2:29 error idle_timeout_tcp '20s-10s' ends before it begins; write "
			    "the shorter duration first\n" },
		{ "idle_timeout_tcp: 0s-10s",
		  .wanted = "2:29 error idle_timeout_tcp '0s-10s' is out of range; allowed: 1s to "
			    "1d\n" },
		{ "idle_timeout_tcp: 1s-10w",
		  .wanted = "2:29 error idle_timeout_tcp '1s-10w' is not two durations like "
			    "10s-900s; allowed: 1s to 1d\n" },
		{ "idle_timeout_tcp: 1500ms-10s",
		  .wanted = "2:29 error idle_timeout_tcp '1500ms-10s' is not in whole seconds; "
			    "allowed: 1s to 1d\n" },
		{ "endpoints: 5",
		  .wanted = "2:11 error unknown key 'endpoints'; a set of limits has: profile, "
			    "listeners, ports_per_listener, port_max, reserved_udp_ports, "
			    "endpoints_per_group, default_groups_per_listener, "
			    "virtual_groups_per_listener, instance_endpoints, rule_order, "
			    "rule_conditions, "
			    "idle_timeout_tcp, idle_timeout_udp, idle_timeout_http\n" },
	};

	TRY_ALL(cases);
}

Test(config_limits, listeners)
{
	for (unsigned count = 10; count <= 11; count++) {
		_cleanup_(str_fini) struct str text = {};

		str_add(&text, "version: 1\nlimits: { profile: ga-2021 }\nlisteners:\n");
		for (unsigned i = 0; i < count; i++)
			str_add(&text,
				"  - { name: l%u, protocol: tcp, address: 192.0.2.1, port: %u, "
				"endpoint_groups: [{ name: g, endpoints: 10.0.0.1 }] }\n",
				i, 1 + i);
		support_expect(text.text, text.size,
			       count == 10 ? ""
					   : "14:5 error 11 listeners; limit listeners is 10 "
					     "(profile ga-2021); to raise it: limits: { listeners: "
					     "11 }\n");
	}
}

/* A default is within the limits, too. */
Test(config_limits, defaults_follow)
{
	_cleanup_(model_freep) struct model *model =
		support_parse("version: 1\n"
			      "limits: { idle_timeout_tcp: 1s-60s, idle_timeout_udp: 30s-40s }\n"
			      "listeners:\n"
			      "  - { name: t, protocol: tcp, address: 192.0.2.1, port: 80,\n"
			      "      endpoint_groups: [{ name: g, endpoints: 10.0.0.1 }] }\n"
			      "  - { name: u, protocol: udp, address: 192.0.2.1, port: 80,\n"
			      "      endpoint_groups: [{ name: g, endpoints: 10.0.0.1 }] }\n");

	cr_expect_eq(model->listeners.items[0].idle_timeout, 60);
	cr_expect_eq(model->listeners.items[1].idle_timeout, 30);
}
