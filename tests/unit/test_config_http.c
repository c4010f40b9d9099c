// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: http and https listeners, virtual groups and tls are read as the language says. What keeps
 * to it has a text, and so has what does not, which gets one error, at its first character, that
 * says what to do.
 */
#include "config/support_http.h"

#include "config/diff.h"

#include <netinet/in.h>

#define TLS "      tls: { certificate: /a.pem, key: /a.key },"

Test(config_http, listeners)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{ HTTP("", ""), "" },
		{ LISTENER("https", "443", TLS, ""), UNSERVED("https") },
		{ LISTENER("https", "443", "", ""), "3:5 error missing key 'tls': protocol https "
						    "needs { certificate: FILE, key: FILE "
						    "}\n" UNSERVED("https") },
		{ HTTP(TLS, ""), "4:7 error tls is for protocol https; this "
				 "listener is http\n" },
		{ LISTENER("https", "443", "      tls: { certificate: a.pem, key: /a.key },", ""),
		  UNSERVED("https") "4:27 error certificate 'a.pem' is not the path of a file; "
				    "write it from the root on, as in /etc/weir/FILE\n" },
		{ LISTENER("https", "443",
			   "      tls: { certificate: /a, key: /a, minimum_version: 1.1 },", ""),
		  UNSERVED("https") "4:57 error unknown minimum_version '1.1'; did you mean '1.2'? "
				    "allowed: 1.2, 1.3\n" },
		{ LISTENER(
			  "https", "443",
			  "      tls: { certificate: /a, key: /a, more_certificates: [{ key: /b }] "
			  "},",
			  ""),
		  UNSERVED("https") "4:60 error missing key 'certificate' (file of the certificate "
				    "and those that it is signed by, PEM)\n" },
		{ LISTENER("http", "'80,81'", "", ""),
		  "3:62 error a listener of protocol http has exactly one port; "
		  "make a listener for each\n" },
		{ LISTENER("http", "80-81", "", ""),
		  "3:58 error a listener of protocol http has exactly one port; "
		  "make a listener for each\n" },
		{ HTTP("      mode: dsr,", ""),
		  "4:13 error mode dsr is for tcp and udp: requests go to "
		  "endpoints "
		  "over connections of weir's own; leave it out\n" },
		{ HTTP("      request_timeout: 180s, upgrade_idle_timeout: 1h,", ""), "" },
		{ HTTP("      request_timeout: 181s,", ""),
		  "4:24 error request_timeout '181s' is out of range; allowed: 1s "
		  "to "
		  "180s\n" },
		{ HTTP("      request_timeout: 0,", ""),
		  "4:24 error request_timeout '0' is out of range; allowed: 1s to "
		  "180s\n" },
		{ HTTP("      x_forwarded: [proto, port, real_ip], trusted_proxies: 10.0.0.0/8,",
		       ""),
		  "" },
		{ HTTP("      x_forwarded: for,", ""), "4:20 error unknown x_forwarded 'for'; "
						       "allowed: proto, port, real_ip\n" },
		{ HTTP("      proxy_protocol_in: { from: 10.0.0.0/8 },", ""), "" },
		{ HTTP("      proxy_protocol_in: {},", ""),
		  "4:26 error missing key 'from' (addresses of the proxies in "
		  "front; "
		  "connections of others are closed)\n" },
		{ HTTP("      proxy_protocol_in: { from: [] },", ""),
		  "4:34 error from is empty; at least 1 needed\n" },
		{ HTTP("      idle_timeout: 3600s,", ""), "" },
		{ HTTP("      idle_timeout: 3601s,", ""),
		  "4:21 error idle_timeout '3601s'; limit idle_timeout_http is "
		  "1s-3600s (profile default); to widen it: limits: { "
		  "idle_timeout_http: 1s-3601s }\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		support_expect(cases[i].text, strlen(cases[i].text), cases[i].wanted);
}

/* Line 4 is the first group. */
#define GROUPS(protocol, groups)                                                                   \
	"version: 1\nlisteners:\n  - { name: a, protocol: " protocol                               \
	", address: 192.0.2.1, port: 80, endpoint_groups: [\n" groups "] }\n"

Test(config_http, groups)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		/* The same endpoint may be in groups for different requests, but not twice in one.
		 */
		{ LISTENER("http", "80", "", ""), "" },
		{ GROUPS("http", "{ name: g, endpoints: [10.0.0.1, '10.0.0.1:80'] }"),
		  "4:34 error endpoint '10.0.0.1:80' is given twice; first in line "
		  "4\n" },
		{ GROUPS("http",
			 "{ name: g, port_override: 81, endpoints: [10.0.0.1, '10.0.0.1:81']"
			 " }"),
		  "4:53 error endpoint '10.0.0.1:81' is given twice; first in line "
		  "4\n" },
		{ GROUPS("http", "{ name: g, type: virtual, endpoints: 10.0.0.1 }"),
		  "3:79 error a listener needs a default group, for requests that "
		  "no "
		  "rule is about\n"
		  "4:9 warning no rule forwards to virtual group 'g', so it gets "
		  "no "
		  "requests\n" },
		{ GROUPS("http", "{ name: g, endpoints: 10.0.0.1 },\n"
				 "{ name: v, type: virtual, endpoints: 10.0.0.1 }"),
		  "5:9 warning no rule forwards to virtual group 'v', so it gets "
		  "no "
		  "requests\n" },
		{ GROUPS("http", "{ name: g, backend_protocol: https, endpoints: [{ address: "
				 "10.0.0.1, proxy_protocol: v2 }] }"),
		  "" },
		{ GROUPS("http",
			 "{ name: g, endpoints: [{ address: 10.0.0.1, proxy_protocol: v3 }] "
			 "}"),
		  "4:61 error unknown proxy_protocol 'v3'; did you mean 'v1'? "
		  "allowed: none, v1, "
		  "v2\n" },
		{ GROUPS("http", "{ name: g, endpoints: [{ address: 10.0.0.1, mode: ipip }] }"),
		  "4:51 error mode ipip is for tcp and udp: requests go to "
		  "endpoints "
		  "over connections of weir's own; leave it out\n" },
		{ GROUPS("http", "{ name: g, passive_health: { failures: 0, duration: 2h }, "
				 "slow_start: 10ms, endpoints: [{ address: 10.0.0.1, "
				 "max_connections: 0 }] }"),
		  "4:40 error failures '0' is out of range; allowed: 1 to 1000\n"
		  "4:53 error duration '2h' is out of range; allowed: 1s to 1h\n"
		  "4:71 error slow_start '10ms' is out of range; allowed: 1s to 1h\n"
		  "4:127 error max_connections '0' is out of range; allowed: 1 to 1000000\n" },
		/* Families do not matter to a proxy. */
		{ GROUPS("http", "{ name: g, endpoints: '2001:db8::1' }"), "" },
		{ GROUPS("tcp", "{ name: g, type: virtual, endpoints: 10.0.0.1 }"),
		  "4:18 error virtual groups are for listeners of protocol http and https\n" },
		{ GROUPS("udp", "{ name: g, backend_protocol: http, endpoints: 10.0.0.1 }"),
		  "4:12 error backend_protocol is for listeners of protocol http and https\n" },
		{ GROUPS("tcp", "{ name: g, endpoints: [{ address: 10.0.0.1, proxy_protocol: v1 }] "
				"}"),
		  "4:45 error proxy_protocol is for listeners of protocol http and https\n" },
		{ GROUPS("udp", "{ name: g, passive_health: {}, slow_start: 5s, endpoints: "
				"[{ address: 10.0.0.1, max_connections: 5 }] }"),
		  "4:12 error passive_health is for listeners of protocol http and https\n"
		  "4:32 error slow_start is for listeners of protocol http and https\n"
		  "4:81 error max_connections is for listeners of protocol http and https\n" },
		{ GROUPS("tcp", "{ name: g, port_override: 81, endpoints: 10.0.0.1 }"), "" },
		{ GROUPS("tcp", "{ name: g, port_override: 81, endpoints: [{ address: 10.0.0.1, "
				"mode: dsr }, { address: 10.0.0.2, mode: dsr }] }"),
		  "4:27 error with mode dsr the endpoint gets the listener's port 80; leave the "
		  "port "
		  "out\n" },
		{ GROUPS("tcp", "{ name: g, port_override: 80, endpoints: 192.0.2.1 }"),
		  "4:42 error this endpoint is listener 'a' itself: a loop\n" },
		{ GROUPS("tcp", "{ name: g, port_override: 81, endpoints: 192.0.2.1 }"), "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		support_expect(cases[i].text, strlen(cases[i].text), cases[i].wanted);
}

Test(config_http, kernel_routing)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{ HTTP("      kernel_routing: false,", ""), "" },
		{ HTTP("      kernel_routing: true,", ""),
		  "4:23 warning requests that the kernel routes come to endpoints without "
		  "X-Forwarded-For: they see this host's address alone\n" },
		{ HTTP("      kernel_routing: true, client_affinity: source_ip,", ""),
		  "4:23 error the kernel routes requests of all clients alike; leave out "
		  "kernel_routing or client_affinity\n" },
		{ "access_log: /a\n" HTTP("      kernel_routing: true,", ""),
		  "5:23 error requests that the kernel routes would be missing in the access log; "
		  "leave out kernel_routing or access_log\n" },
		{ "access_log: /a\n" HTTP("      kernel_routing: false,", ""), "" },
		{ HTTP("      kernel_routing: true, x_forwarded: proto,", ""),
		  "4:23 error the kernel adds no fields to the requests that it routes; leave out "
		  "kernel_routing or x_forwarded\n" },
		{ HTTP("      kernel_routing: true,", "{ path: /x, method: PUT, drop: true },"),
		  "10:21 warning the kernel routes no requests of this listener: it sees their "
		  "host "
		  "and path alone, and this rule asks for more\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		support_expect(cases[i].text, strlen(cases[i].text), cases[i].wanted);
}

Test(config_http, not_for_tcp)
{
	static const char *const keys[] = {
		"request_timeout: 9",
		"upgrade_idle_timeout: 9",
		"x_forwarded: port",
		"trusted_proxies: 10.0.0.1",
		"proxy_protocol_in: { from: 10.0.0.1 }",
		"tls: { certificate: /a, key: /a }",
		"tunnel: copy",
		"kernel_routing: false",
		"syn_cookies: true",
		"header_timeout: 5",
		"connect_timeout: 5",
		"head_limit: 2048",
		"rule_order: priority",
		"forwarding_rules: [{ path: /, forward: g }]",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		_cleanup_(str_fini) struct str text = {}, wanted = {};

		str_add(&text,
			"version: 1\nlisteners:\n  - name: a\n    protocol: udp\n"
			"    address: 192.0.2.1\n    port: 80\n    %s\n"
			"    endpoint_groups: [{ name: g, endpoints: 10.0.0.1 }]\n",
			keys[i]);
		str_add(&wanted, "7:5 error %.*s is for listeners of protocol http and https\n",
			(int)strcspn(keys[i], ":"), keys[i]);
		support_expect(text.text, text.size, wanted.text);
	}
}

/* TCP, HTTP and HTTPS are all over TCP. */
Test(config_http, shared_ports)
{
	static const char *const protocols[] = { "tcp", "http", "https", "udp" };

	for (int i = 0; i < 4; i++) {
		_cleanup_(str_fini) struct str text = {}, wanted = {};

		str_add(&text,
			"version: 1\nlisteners:\n"
			"  - { name: a, protocol: http, address: 192.0.2.1, port: 80,\n"
			"      endpoint_groups: [{ name: g, endpoints: 10.0.0.1 }] }\n"
			"  - { name: b, protocol: %s, address: 192.0.2.1,%s\n"
			"      port: 80, endpoint_groups: [{ name: g, endpoints: 10.0.0.1 }] }\n",
			protocols[i], i == 2 ? " tls: { certificate: /a, key: /a }," : "");
		if (i == 2)
			str_add(&wanted, "5:26 warning this version does not serve https yet: weir "
					 "run and weir apply refuse the file\n");
		if (i < 3)
			str_add(&wanted,
				"6:13 error TCP port 80 of 192.0.2.1 belongs to listener 'a'\n");
		support_expect(text.text, text.size, wanted.text ?: "");
	}
}

#define GA "limits: { profile: ga-2021 }\n"

Test(config_http, limits)
{
	static const struct {
		const char *limits, *rule, *more, *wanted;
	} cases[] = {
		{ "", "host: abc, method: GET", "", "" },
		{ GA, "host: abc, path: /x", "", "" },
		{ GA, "host: abc, method: GET", "",
		  "9:42 error condition method; limit rule_conditions is [host, path] (profile "
		  "ga-2021); to change it: limits: { rule_conditions: [host, path, method] }\n" },
		{ "limits: { profile: ga-2021, rule_conditions: all }\n", "host: abc, method: GET",
		  "", "" },
		{ GA, "host: abc", "rule_order: priority, ",
		  "4:74 error rule_order 'priority'; limit rule_order is domain_first (profile "
		  "ga-2021); to change it: limits: { rule_order: priority }\n" },
		{ "limits: { rule_order: domain_first }\n", "method: GET", "",
		  "9:7 error with rule_order domain_first a rule needs a host or a path\n" },
		{ GA, "host: abc", "idle_timeout: 61, ",
		  "4:76 error idle_timeout '61'; limit idle_timeout_http is 1s-60s (profile "
		  "ga-2021); to widen it: limits: { idle_timeout_http: 1s-61s }\n" },
		{ "limits: { virtual_groups_per_listener: 0 }\n", "host: abc", "",
		  "7:9 error 1 virtual groups in a listener; limit virtual_groups_per_listener is "
		  "0 "
		  "(line 2); to raise it: limits: { virtual_groups_per_listener: 1 }\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(str_fini) struct str text = {}, wanted = {};

		str_add(&text,
			"version: 1\n%slisteners:\n"
			"  - { name: a, protocol: http, address: 192.0.2.1, port: 80, %s\n"
			"      endpoint_groups: [\n"
			"        { name: main, endpoints: 10.0.0.1 },\n"
			"        { name: api, type: virtual, endpoints: 10.0.0.1 }],\n"
			"      forwarding_rules: [\n"
			"      { forward: api, %s } ] }\n",
			cases[i].limits, cases[i].more, cases[i].rule);
		str_add(&wanted, "%s", cases[i].wanted);
		support_expect(text.text, text.size, wanted.text);
	}
}

Test(config_http, defaults)
{
	_cleanup_(model_freep) struct model *model = support_parse(
		"version: 1\nlisteners:\n"
		"  - { name: a, protocol: http, address: 192.0.2.1, port: 80,\n"
		"      endpoint_groups: [{ name: g, port_override: 81, endpoints: [10.0.0.1, "
		"'10.0.0.2:9'] }],\n"
		"      forwarding_rules: [{ host: [ABC.Example, '~Xyz', '*.Y'], path: /A, "
		"redirect: "
		"/x "
		"},\n"
		"        { path: /b, fixed_response: 404 }] }\n"
		"  - { name: b, protocol: https, address: 192.0.2.1, port: 443,\n"
		"      tls: { certificate: /a, key: /b },\n"
		"      endpoint_groups: [{ name: g, endpoints: 10.0.0.1 }] }\n");
	const struct listener *listener = &model->listeners.items[0];
	const struct endpoint *endpoints = listener->groups.items[0].endpoints.items;
	const struct http *http = listener->http, *https = model->listeners.items[1].http;
	const struct http_rule *rule = http->rules.items;
	const struct pattern *hosts = rule->conditions.items[0].values.items;

	cr_expect(listener->protocol == IPPROTO_TCP && listener->idle_timeout == 15);
	cr_expect(!http->tls && https->tls && https->tls_minimum == 12 && !https->client_ca);
	cr_expect(http->request_timeout == 60 && http->upgrade_idle_timeout == 3600);
	cr_expect(http->rule_order == HTTP_PRIORITY && !http->x_forwarded);
	cr_expect(!http->trusted_proxies.count && !http->proxy_sources.count);
	cr_expect(endpoints[0].port == 81 && endpoints[1].port == 9);
	cr_expect_str_eq(endpoints[0].name, "10.0.0.1:81");
	cr_expect(!endpoints[0].proxy_protocol && !listener->groups.items[0].backend_https);
	cr_expect(rule[0].code == 302 && !rule[0].priority && !*rule[0].name);
	/* Hosts are alike in any case, expressions are compiled so. */
	cr_expect_str_eq(hosts[0].text, "abc.example");
	cr_expect_str_eq(hosts[1].text, "Xyz");
	cr_expect_str_eq(hosts[2].text, "*.y");
	cr_expect(hosts[0].kind == PATTERN_EXACT && hosts[1].kind == PATTERN_REGEX &&
		  hosts[2].kind == PATTERN_WILDCARD);
	cr_expect_str_eq(rule[0].conditions.items[1].values.items[0].text, "/A");
	cr_expect(rule[1].code == 404 && !rule[1].body);
	cr_expect_str_eq(rule[1].content_type, "text/plain");
}

static void expect_difference(const struct model *a, const struct model *b, const char *name)
{
	_cleanup_(diff_fini) struct diff diff = {};

	cr_expect(!model_equal(a, b), "%s", name);
	cr_assert_eq(diff_models(a, b, &diff), 0);
	cr_expect(diff.items.count, "%s", name);
}

/* Each differs from the others. */
static const char *const different_listeners[] = {
	"protocol: http",
	"protocol: http, request_timeout: 9",
	"protocol: http, upgrade_idle_timeout: 9",
	"protocol: http, tunnel: copy",
	"protocol: http, tunnel: splice",
	"protocol: http, syn_cookies: true",
	"protocol: http, kernel_routing: true",
	"protocol: http, header_timeout: 9",
	"protocol: http, connect_timeout: 9",
	"protocol: http, head_limit: 2048",
	"protocol: http, rule_order: domain_first",
	"protocol: http, x_forwarded: port",
	"protocol: http, x_forwarded: proto",
	"protocol: http, trusted_proxies: 10.0.0.1",
	"protocol: http, proxy_protocol_in: { from: 10.0.0.1 }",
	"protocol: https, tls: { certificate: /a, key: /a }",
	"protocol: https, tls: { certificate: /b, key: /a }",
	"protocol: https, tls: { certificate: /a, key: /b }",
	"protocol: https, tls: { certificate: /a, key: /a, minimum_version: 1.3 }",
	"protocol: https, tls: { certificate: /a, key: /a, client_ca: /a }",
	"protocol: https, tls: { certificate: /a, key: /a, more_certificates: [{ "
	"certificate: /a, key: /a }] }",
};

/* Each field of the model makes a difference. */
Test(config_http, differences_are_seen)
{
	static const char *const rules[] = {
		"path: /a, drop: true",
		"path: /b, drop: true",
		"path: /*, drop: true",
		"path: [/a, /b], drop: true",
		"path: ~/a, drop: true",
		"host: [abc], drop: true",
		"name: a, path: /a, drop: true",
		"priority: 1, path: /a, drop: true",
		"header: { a: b }, drop: true",
		"header: { b: b }, drop: true",
		"cookie: { a: b }, drop: true",
		"query: { a: b }, drop: true",
		"source_ip: 10.0.0.1, drop: true",
		"source_ip: 10.0.0.2, drop: true",
		"path: /a, forward: g",
		"path: /a, forward: h",
		"path: /a, forward: g, rewrite: /b",
		"path: /a, forward: g, rewrite: { host: b }",
		"path: /a, forward: g, rewrite: { query: b }",
		"path: /a, forward: g, add_header: { a: b }",
		"path: /a, forward: g, add_header: { a: c }",
		"path: /a, forward: g, remove_header: a",
		"path: /a, redirect: /a",
		"path: /a, redirect: { url: /a, code: 301 }",
		"path: /a, fixed_response: 404",
		"path: /a, fixed_response: { code: 404, body: a }",
		"path: /a, fixed_response: { code: 404, content_type: a/b }",
	};
	enum {
		FIRST = sizeof(different_listeners) / sizeof(different_listeners[0]),
		COUNT = FIRST + sizeof(rules) / sizeof(rules[0])
	};
	struct model *models[COUNT];

	for (int i = 0; i < COUNT; i++) {
		_cleanup_(str_fini) struct str text = {};
		_cleanup_(model_freep) struct model *copy = NULL;

		str_add(&text,
			"version: 1\nlisteners:\n"
			"  - { name: a, address: 192.0.2.1, port: 80, %s, endpoint_groups: [{ "
			"name: "
			"g, endpoints: 10.0.0.1 }, { name: h, type: virtual, endpoints: 10.0.0.2 "
			"}],\n"
			"      forwarding_rules: [%s%s%s] }\n",
			i < FIRST ? different_listeners[i] : "protocol: http",
			i < FIRST ? "" : "{ ", i < FIRST ? "" : rules[i - FIRST],
			i < FIRST ? "" : " }");
		models[i] = support_parse(text.text);
		copy = model_copy(models[i]);
		cr_expect(model_equal(models[i], copy), "%s", text.text);
		for (int j = 0; j < i; j++)
			expect_difference(models[i], models[j], text.text);
	}
	for (int i = 0; i < COUNT; i++)
		model_free(models[i]);
}
