// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what a model prints parses to an equal model; the report of findings is exact to the
 * character (golden files; WEIR_GOLDEN=update writes them); good files have no findings.
 */
#include "config/support.h"

#include "config/diff.h"
#include "config/limits.h"
#include "config/random_http.h"

#include <glob.h>
#include <netinet/in.h>
#include <stdlib.h>

#define DIRECTORY "tests/unit/config/"

static void random_ports(struct random *random, struct listener *listener)
{
	unsigned at = 1 + below(random, 1000);

	for (unsigned i = below(random, 4) + 1; i > 0; i--) {
		unsigned last = at + (below(random, 2) ? below(random, 30) : 0);

		vec_push(&listener->ports, ((struct port_range){ at, last }));
		at = last + 1 + below(random, 3);
	}
}

static void random_endpoints(struct random *random, unsigned number, struct listener *listener,
			     struct endpoint_group *group)
{
	/* Each family that the listener has at least once. */
	for (unsigned i = 0; i < 2 + below(random, 6); i++) {
		struct endpoint endpoint = {
			.address = make_addr(i % 2, 100 + number, 1 + i),
			.weight = i ? below(random, 256) : 100,
			.mode = below(random, 3) ? listener->mode : below(random, WEIR_MODE_COUNT),
		};
		char host[MODEL_HOST_MAX];

		if (i > 1 && !below(random, 4)) {
			snprintf(host, sizeof(host), "a%u-%u.example.com", number, i);
			endpoint.domain = strdup(host);
			endpoint.address = (struct addr){};
			endpoint.type = TYPE_CUSTOM_DOMAIN;
		} else if (i > 1 && !below(random, 3)) {
			snprintf(host, sizeof(host), "i-a%u-%u", number, i);
			endpoint.domain = strdup(host);
			endpoint.address = (struct addr){};
			endpoint.type = below(random, 2) ? TYPE_ECS : TYPE_SLB;
		} else if (!below(random, 4)) {
			endpoint.type = TYPE_PUBLIC_IP;
		}
		if (endpoint.mode == WEIR_MODE_NAT && below(random, 2))
			endpoint.port = 1 + below(random, 65535);
		if (below(random, 2))
			random_name(random, i, endpoint.name);
		else
			memccpy(endpoint.name, model_endpoint_host(&endpoint, host), '\0',
				sizeof(endpoint.name));
		vec_push(&group->endpoints, endpoint);
	}
}

static void random_health_check(struct random *random, struct endpoint_group *group)
{
	if (below(random, 2))
		return;
	group->health_check = calloc(1, sizeof(*group->health_check));
	*group->health_check = (struct health_check){
		.protocol = HEALTH_TCP,
		.threshold = 2 + below(random, 9),
		.port = below(random, 2) ? 1 + below(random, 65535) : 0,
		.interval = 1000 + below(random, 49001),
		.timeout = 100 + below(random, 49901),
	};
	if (below(random, 2)) {
		group->health_check->protocol = HEALTH_HTTP;
		group->health_check->path = strdup(below(random, 2) ? "/" : "/a?b=\"c\\d'%20");
		if (below(random, 2))
			group->health_check->host = strdup("[2001:db8::1]:8080");
	}
	if (group->health_check->path && below(random, 2)) {
		group->health_check->protocol = HEALTH_HTTPS;
		group->health_check->verify = below(random, 2);
		if (group->health_check->verify && below(random, 2))
			group->health_check->ca_file = strdup("/etc/ssl/a \"b\"/ca.pem");
		if (below(random, 2))
			group->health_check->server_name = strdup("2001:db8::1");
	}
}

static void random_group(struct random *random, unsigned number, struct listener *listener)
{
	struct endpoint_group group = { .traffic_percentage = below(random, 101) };

	random_name(random, number, group.name);
	random_name(random, number, group.region);
	random_health_check(random, &group);
	random_endpoints(random, number, listener, &group);
	vec_push(&listener->groups, group);
}

static void random_acl(struct random *random, unsigned number, struct model *model)
{
	bool v6 = below(random, 2);
	struct acl acl = {};

	random_name(random, number, acl.name);
	for (unsigned i = 0; i < below(random, 5); i++) {
		unsigned cut = below(random, 2) * 16;
		struct addr_prefix prefix = {
			.addr = make_addr(v6, 1 + i, cut ? 0 : 1),
			.bits = 128 - cut,
		};

		vec_push(&acl.prefixes, prefix);
	}
	vec_push(&model->acls, acl);
}

static void random_access(struct random *random, const struct model *model,
			  struct listener *listener)
{
	listener->access = below(random, 3);
	listener->allow_nobody = listener->access == WEIR_ACCESS_ALLOW;
	for (unsigned i = 0; listener->access && i < model->acls.count; i++)
		if (below(random, 2))
			vec_push(&listener->acls, model->acls.count - 1 - i);
}

static void random_source(struct random *random, struct tunnel_source *source)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		unsigned bits = below(random, v6 ? 64 : 16); /* of the host */
		struct addr_prefix prefix = { make_addr(v6, 202, 0), 128 - bits };

		if (below(random, 2))
			vec_push(&source->list, prefix);
	}
}

static void random_listener(struct random *random, unsigned number, const struct model *model,
			    struct listener *listener)
{
	random_name(random, number, listener->name);
	listener->protocol = below(random, 2) ? IPPROTO_TCP : IPPROTO_UDP;
	listener->mode = below(random, WEIR_MODE_COUNT);
	listener->gue_port = 1 + below(random, 65535);
	random_source(random, &listener->tunnel_source);
	listener->vip_route = below(random, 2);
	listener->client_affinity = below(random, 2);
	listener->idle_timeout = 1 + below(random, 3600);
	for (unsigned i = 0; i <= below(random, 3); i++)
		vec_push(&listener->addresses, make_addr(below(random, 2), number, 1 + i));
	random_ports(random, listener);
	for (unsigned i = 0; i < below(random, 3); i++)
		vec_push(&listener->snat, make_addr(below(random, 2), 200, 1 + i));
	random_access(random, model, listener);
	if (below(random, 2) && listener->protocol == IPPROTO_TCP) {
		listener->new_flows_per_source = (struct rate){
			.count = 1 + below(random, 100000),
			.seconds = below(random, 2) ? 1 : 60,
		};
		listener->new_flows_per_source.burst = listener->new_flows_per_source.count;
		if (below(random, 2))
			listener->new_flows_per_source.burst = 1 + below(random, 60);
	}
	listener->fail_open = below(random, 2);
	if (listener->protocol == IPPROTO_TCP && listener->mode == WEIR_MODE_NAT &&
	    below(random, 2)) {
		listener->ports.count = 1;
		listener->ports.items[0].last = listener->ports.items[0].first;
		for (unsigned i = 0; i < 3; i++)
			random_group(random, i, listener);
		random_http_listener(random, model, listener);
		return;
	}
	for (unsigned i = 0; i <= below(random, 3); i++)
		random_group(random, i, listener);
}

static void random_codes(struct random *random, unsigned number, struct region *region)
{
	static const char *const continents[] = { "AF", "AN", "AS", "EU", "NA", "OC", "SA" };
	struct region_code code;

	for (unsigned i = 0; i < below(random, 3); i++) {
		snprintf(code.text, sizeof(code.text), "%c%c", 'A' + number, 'A' + i);
		vec_push(&region->countries, code);
	}
	if (number < 7 && below(random, 2)) {
		memcpy(code.text, continents[number], sizeof(code.text));
		vec_push(&region->continents, code);
	}
}

static void random_region(struct random *random, unsigned number, struct model *model)
{
	struct region region = { .latency = MODEL_UNKNOWN_LATENCY };

	random_name(random, number, region.name);
	if (below(random, 2))
		region.latency = below(random, 10001);
	for (unsigned i = 0; i < below(random, 3); i++) {
		struct region_latency latency = { .ms = below(random, 10001) };

		random_name(random, 100 + i, latency.region);
		vec_push(&region.latencies, latency);
	}
	random_codes(random, number, &region);
	vec_push(&model->regions, region);
}

static void random_regions(struct random *random, struct model *model)
{
	bool codes = false;

	for (unsigned i = 0; i < below(random, 9); i++)
		random_region(random, i, model);
	vec_foreach(region, &model->regions)
		codes |= region->countries.count || region->continents.count;
	if (below(random, 2))
		model->clients_file = strdup("/a \"b\"\\c");
	if (codes && below(random, 2))
		model->clients_maxmind = strdup("/d.mmdb");
}

/* Of profile default, whose limits are all above what random_listener() makes, or wide. */
static void random_limits(struct random *random, struct limits *limits)
{
	cr_assert_eq(limits_of_profile(below(random, SCHEMA_PROFILES), limits), 0);
	for (enum limit limit = LIMIT_LISTENERS; limit < LIMIT_COUNT; limit++) {
		uint32_t min = limit >= LIMIT_IDLE_TCP ? 1 : 4000 + below(random, 96);
		bool wide = limits->range[LIMIT_PROFILE].max == SCHEMA_PROFILE_GA_2021;

		if (limit == LIMIT_RESERVED_UDP_PORTS || limit == LIMIT_RULE_ORDER)
			continue;
		if (limit == LIMIT_DEFAULT_GROUPS)
			min = 9 + below(random, 200);
		if (limit == LIMIT_INSTANCE_ENDPOINTS)
			min = true;
		if (limit == LIMIT_RULE_CONDITIONS)
			min = (1 << HTTP_FIELDS) - 1;
		if (wide || below(random, 2))
			limits->range[limit] = (struct limit_range){
				min,
				limit >= LIMIT_IDLE_TCP ? 3600 + below(random, 1000) : min,
			};
	}
	/* Any rule_order may be in a listener. */
	limits->range[LIMIT_RULE_ORDER] = (struct limit_range){ HTTP_PRIORITY, HTTP_PRIORITY };
	vec_free(&limits->reserved_udp_ports);
	for (unsigned i = 0; i < below(random, 3); i++)
		vec_push(&limits->reserved_udp_ports,
			 ((struct port_range){ 9000 + 9 * i, 9004 + 9 * i }));
}

static struct model *random_model(struct random *random)
{
	static const char *const interfaces[] = { "eth0", "a\"b", "null", "x\\y", "#1", "- z" };
	struct model *model = calloc(1, sizeof(*model));

	if (below(random, 2))
		random_name(random, 0, model->node_name);
	random_name(random, 1, model->node_region);
	model->steal_ports = below(random, 2);
	model->hash_seed = below(random, UINT32_MAX);
	model->nat_flows = 1024 + below(random, WEIR_MAX_NAT_FLOWS - 1024);
	model->recorded_flows = 1024 + below(random, WEIR_MAX_EXCEPTIONS - 1024);
	model->answers_per_second = below(random, 1000001);
	random_limits(random, &model->limits);
	for (unsigned i = 0; i < below(random, 5); i++)
		vec_push(&model->interfaces, strdup(interfaces[i]));
	for (unsigned i = 0; i < below(random, 3); i++)
		vec_push(&model->snat, make_addr(below(random, 2), 201, 1 + i));
	for (unsigned i = 0; i < below(random, 3); i++)
		vec_push(&model->nameservers, make_addr(below(random, 2), 203, 1 + i));
	for (unsigned i = 0; i < below(random, 4); i++)
		random_acl(random, i, model);
	for (unsigned i = 0; i < 1 + below(random, 2); i++)
		vec_push(&model->inventory.files, strdup(i ? "/a \"b\"\\c" : "/etc/ecs.json"));
	model->inventory.prefer_public = below(random, 2);
	if (below(random, 2)) {
		model->metrics.address = make_addr(below(random, 2), 204, 1);
		model->metrics.port = 1 + below(random, 65535);
	}
	if (below(random, 2))
		model->access_log = strdup("/a \"b\"\\c");
	random_source(random, &model->tunnel_source);
	random_regions(random, model);
	for (unsigned i = 0; i < below(random, 8); i++) {
		struct listener listener = {};

		random_listener(random, i, model, &listener);
		vec_push(&model->listeners, listener);
	}
	return model;
}

Test(config_print, reads_back_equal)
{
	struct random random = { .state = 20240607 };

	for (unsigned i = 0; i < 2000; i++) {
		_cleanup_(model_freep) struct model *model = random_model(&random);
		_cleanup_(model_freep) struct model *again = NULL;
		_cleanup_(freep) char *text = config_print(model);

		cr_assert(text);
		again = support_parse(text);
		cr_assert(model_equal(model, again), "model %u:\n%s", i, text);
	}
}

Test(config_print, copies_are_equal_and_apart)
{
	struct random random = { .state = 7 };

	for (unsigned i = 0; i < 200; i++) {
		_cleanup_(model_freep) struct model *model = random_model(&random);
		_cleanup_(model_freep) struct model *copy = model_copy(model);
		_cleanup_(freep) char *before = config_print(copy);
		_cleanup_(freep) char *after = NULL;
		_cleanup_(diff_fini) struct diff diff = {};

		cr_assert(model_equal(model, copy));
		cr_assert_eq(diff_models(model, copy, &diff), 0);
		cr_assert_eq(diff.items.count, 0);
		model->hash_seed++;
		cr_assert(!model_equal(model, copy));
		vec_foreach(listener, &model->listeners)
			listener->groups.items[0].endpoints.items[0].weight++;
		after = config_print(copy);
		cr_assert_str_eq(before, after);
	}
}

static void expect_difference(const struct model *a, const struct model *b, const char *name_a,
			      const char *name_b)
{
	_cleanup_(diff_fini) struct diff diff = {};

	cr_expect(!model_equal(a, b), "%s, %s", name_a, name_b);
	cr_assert_eq(diff_models(a, b, &diff), 0);
	cr_expect(diff.items.count, "%s, %s", name_a, name_b);
}

/* Each field of the model makes a difference. */
Test(config_print, differences_are_seen)
{
	static const char *const texts[] = {
		"interfaces: [a]",
		"interfaces: [b]",
		"interfaces: [a, b]",
		"snat: 10.0.0.1",
		"snat: 10.0.0.2",
		"steal_ports: true",
		"tunnel_source: 10.0.0.1",
		"tunnel_source: 10.0.0.2",
		"tunnel_source: 10.0.0.2/31",
		"hash_seed: 1",
		"node: { name: a }",
		"node: { region: a }",
		"nat_flows: 1024",
		"nat_flows: 1025",
		"recorded_flows: 1024",
		"answers_per_second: 0",
		"limits: { profile: ga-2021 }",
		"limits: { endpoints_per_group: 8 }",
		"limits: { listeners: 8 }",
		"limits: { idle_timeout_tcp: 1-86399 }",
		"limits: { idle_timeout_tcp: 2-86400 }",
		"limits: { reserved_udp_ports: 7 }",
		"limits: { reserved_udp_ports: 7-8 }",
		"limits: { instance_endpoints: false }",
		"metrics: { listen: 127.0.0.1:9700 }",
		"metrics: { listen: 127.0.0.1:9701 }",
		"metrics: { listen: \"[::]:9700\" }",
		"access_log: /a",
		"access_log: /b",
		"inventory: /a",
		"inventory: /b",
		"inventory: { files: [/a, /b] }",
		"inventory: { files: /a, addresses: public }",
		"acls: [{ name: a, prefixes: 10.0.0.0/8 }]",
		"acls: [{ name: a, prefixes: 10.0.0.0/9 }]",
		"acls: [{ name: b, prefixes: 10.0.0.0/8 }]",
		"regions: [{ name: a }]",
		"regions: [{ name: a, latency: 1ms }]",
		"regions: [{ name: a, latency: 2ms }]",
		"regions: [{ name: a, latencies: [{ region: b, latency: 1ms }] }]",
		"regions: [{ name: a, latencies: [{ region: b, latency: 2ms }] }]",
		"regions: [{ name: a, countries: DE }]",
		"regions: [{ name: a, countries: [DE, AT] }]",
		"regions: [{ name: a, continents: EU }]",
		"client_regions: { file: /a }",
		"client_regions: { file: /b }",
		"regions: [{ name: b, countries: DE }]\nclient_regions: { maxmind: /a }",
	};
	enum {
		COUNT = sizeof(texts) / sizeof(texts[0])
	};
	struct model *models[COUNT];
	char text[100];

	for (int i = 0; i < COUNT; i++) {
		snprintf(text, sizeof(text), "version: 1\n%s\n", texts[i]);
		models[i] = support_parse(text);
		for (int j = 0; j < i; j++)
			expect_difference(models[i], models[j], texts[i], texts[j]);
	}
	for (int i = 0; i < COUNT; i++)
		model_free(models[i]);
}

Test(config_print, defaults)
{
	_cleanup_(model_freep) struct model *model = support_parse(
		"version: 1\n"
		"node: { region: r }\n"
		"listeners:\n"
		"  - { name: t, protocol: tcp, address: 192.0.2.1, port: \"90,80\",\n"
		"      endpoint_groups: [{ name: g, endpoints: \"::ffff:10.0.0.1\" }] }\n"
		"  - { name: u, protocol: udp, address: 192.0.2.1, port: 80,\n"
		"      endpoint_groups: [{ name: g, endpoints: [\"10.0.0.1:8\"], region: s }] }\n");
	const struct listener *tcp = &model->listeners.items[0], *udp = tcp + 1;
	const struct endpoint *endpoint = &tcp->groups.items[0].endpoints.items[0];

	cr_expect_str_eq(model->node_name, "");
	cr_expect(!model->steal_ports && !model->hash_seed && !model->interfaces.count);
	cr_expect(model->nat_flows == 131072 && model->recorded_flows == 131072);
	cr_expect_eq(model->answers_per_second, 1000);
	cr_expect(tcp->idle_timeout == 900 && udp->idle_timeout == 20);
	cr_expect(tcp->mode == WEIR_MODE_NAT && tcp->vip_route && !tcp->snat.count);
	cr_expect(!tcp->tunnel_source.list.count && tcp->gue_port == 6080);
	cr_expect(endpoint->mode == WEIR_MODE_NAT);
	cr_expect(tcp->ports.items[0].first == 80 && tcp->ports.items[1].first == 90);
	cr_expect_str_eq(tcp->groups.items[0].region, "r");
	cr_expect_str_eq(udp->groups.items[0].region, "s");
	cr_expect_str_eq(endpoint->name, "10.0.0.1");
	cr_expect(endpoint->weight == 100 && !endpoint->port);
	cr_expect(!tcp->fail_open && tcp->groups.items[0].traffic_percentage == 100);
	cr_expect(!model->regions.count && !model->clients_file && !model->clients_maxmind);
	cr_expect_str_eq(udp->groups.items[0].endpoints.items[0].name, "10.0.0.1:8");
}

Test(config_print, good_files)
{
	glob_t files;

	cr_assert_eq(glob(DIRECTORY "good/*.yaml", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		size_t size;
		_cleanup_(freep) char *text = support_read(files.gl_pathv[i], &size);

		support_expect(text, size, "");
	}
	globfree(&files);
}

static void compare_golden(const char *path, const char *got)
{
	const char *update = getenv("WEIR_GOLDEN");
	_cleanup_(freep) char *wanted = NULL;
	size_t size;

	if (update && !strcmp(update, "update")) {
		_cleanup_(fclosep) FILE *file = fopen(path, "w");

		cr_assert(file && fputs(got, file) >= 0);
		return;
	}
	wanted = support_read(path, &size);
	cr_expect_str_eq(got, wanted, "%s: got:\n%s", path, got);
}

/* NAME.yaml is reported as NAME.golden says. */
static size_t try_golden(const char *path)
{
	_cleanup_(findings_fini) struct findings findings = {};
	_cleanup_(model_freep) struct model *model = NULL;
	_cleanup_(freep) char *text = NULL, *got = NULL;
	char golden[200];
	size_t size;

	text = support_read(path, &size);
	snprintf(golden, sizeof(golden), "%.*s.golden", (int)strlen(path) - 5, path);
	cr_expect_eq(config_parse(text, size, &model, &findings), -EINVAL, "%s", path);
	got = support_print(&findings, strrchr(path, '/') + 1, text, size, false);
	compare_golden(golden, got);
	return findings.errors;
}

Test(config_print, eight_errors_in_one_pass)
{
	cr_expect_eq(try_golden(DIRECTORY "eight.yaml"), 8);
}

Test(config_print, bad_files)
{
	glob_t files;

	cr_assert_eq(glob(DIRECTORY "bad/*.yaml", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++)
		try_golden(files.gl_pathv[i]);
	globfree(&files);
}

static void try_report(const char *text, bool colour, const char *wanted)
{
	_cleanup_(findings_fini) struct findings findings = {};
	_cleanup_(freep) char *got = NULL;
	struct model *model = NULL;

	cr_assert_eq(config_parse(text, strlen(text), &model, &findings), -EINVAL);
	got = support_print(&findings, "f", text, strlen(text), colour);
	cr_expect_str_eq(got, wanted, "got:\n%s", got);
}

#define BLANKS_50 "                                                  "

Test(config_print, report_layout)
{
	try_report("", false,
		   "f: error: there is no configuration in it; the first key is 'version: 1'\n");
	try_report(
		"vers: 1", true,
		"\033[1mf:1:1:\033[0m \033[1;31merror:\033[0m unknown key 'vers'; a configuration "
		"has: version, node, interfaces, snat, nameservers, inventory, tunnel_source, "
		"steal_ports, "
		"hash_seed, "
		"nat_flows, recorded_flows, answers_per_second, limits, acls, regions, "
		"client_regions, metrics, access_log, listeners\n"
		"    1 | vers: 1\n"
		"      | \033[1;32m^~~~\033[0m\n"
		"\033[1mf:1:1:\033[0m \033[1;31merror:\033[0m missing key 'version' (version of "
		"the "
		"grammar)\n"
		"    1 | vers: 1\n"
		"      | \033[1;32m^~~~\033[0m\n");
	/* Columns are characters, the byte order mark is none, a CR ends the line. */
	try_report("\xef\xbb\xbfversion: \"\xc3\xa4\xe2\x82\xac\"\r\n", false,
		   "f:1:10: error: version '\xc3\xa4\xe2\x82\xac' is not a whole number in plain "
		   "digits; allowed: 1\n"
		   "    1 | version: \"\xc3\xa4\xe2\x82\xac\"\n"
		   "      |          ^~~~  (version)\n");
	/* A tab is one blank, a value of several lines is marked to the end of its first. */
	try_report(
		"version:\t\"a\n  b\"\n", false,
		"f:1:10: error: version 'a b' is not a whole number in plain digits; allowed: 1\n"
		"    1 | version: \"a\n"
		"      |          ^~  (version)\n");
	/* A long line is cut on both sides. */
	try_report("version: " BLANKS_50 BLANKS_50 "x #" BLANKS_50 BLANKS_50 ".\n", false,
		   "f:1:110: error: version 'x' is not a whole number in plain digits; allowed: 1\n"
		   "    1 | ...                                        x #" BLANKS_50 "       ...\n"
		   "      |                                            ^  (version)\n");
}
