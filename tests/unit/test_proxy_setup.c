// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what the plan says of an http listener reaches a worker whole, and the worker sends
 * requests where it says: shares to a slot, a virtual group apart from the default ones, a client
 * with affinity always to the same endpoint, a failed request to somebody else, and each client to
 * the default group that is near to it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "http/rules.h"
#include "plan/support.h"
#include "proxy/choice.h"
#include "proxy/engine.h"
#include "proxy/setup.h"
#include "proxy/snapshot.h"
#include "proxy/upstream.h"
#include "proxy/whereabouts.h"

#define WEB(keys)                                                                                  \
	"version: 1\n"                                                                             \
	"listeners:\n"                                                                             \
	"  - name: web\n"                                                                          \
	"    protocol: http\n"                                                                     \
	"    address: [192.0.2.1, '2001:db8::1']\n"                                                \
	"    port: 80\n" keys "    endpoint_groups:\n"                                             \
	"      - { name: main, endpoints: [10.0.0.1:8080 weight 50, '[2001:db8::2]:80 weight "     \
	"100',"                                                                                    \
	" 10.0.0.3 weight 0] }\n"                                                                  \
	"      - { name: api, type: virtual, endpoints: [10.0.0.4 weight 1, 10.0.0.1:8080 weight " \
	"3]"                                                                                       \
	" }\n"                                                                                     \
	"    forwarding_rules: [{ path: /api, forward: api }]\n"

static struct support_world world;
static struct upstreams *upstreams;

static struct setup *set_up(const char *text, const struct setup *before)
{
	_cleanup_(model_freep) struct model *model = support_parse(text);
	struct snapshot *snapshot, *copy;
	struct setup *setup;
	struct err err = {};
	int fd;

	if (!world.plan)
		world = support_begin();
	support_build(&world, text);
	snapshot = snapshot_new(text, model, world.plan);
	cr_assert(snapshot);
	cr_assert_eq(snapshot_seal(snapshot, &fd, &err), 0, "%s", err.text);
	cr_assert_eq(write(fd, "x", 1), -1, "it is sealed");
	cr_assert_eq(ftruncate(fd, 0), -1);
	cr_assert_eq(snapshot_read(fd, &copy, &err), 0, "%s", err.text);
	cr_expect_str_eq(copy->text, text);
	close(fd);
	cr_assert_eq(snapshot_asks_regions(copy), snapshot_asks_regions(snapshot));
	if (snapshot_asks_regions(copy)) {
		cr_assert_eq(whereabouts_seal(world.plan->clients, &fd, &err), 0, "%s", err.text);
		cr_assert_eq(whereabouts_read(fd, &copy->whereabouts, &err), 0, "%s", err.text);
		close(fd);
	}
	snapshot_free(snapshot);
	cr_assert_eq(setup_new(copy, before, &upstreams, &setup, &err), 0, "%s", err.text);
	return setup;
}

static void tear_down(struct setup *setup)
{
	setup_unref(setup);
	cr_expect_null(upstreams, "nobody needs an endpoint any more");
	support_end(&world);
	world = (struct support_world){};
}

static struct addr client_number(uint32_t number)
{
	struct addr client = support_addr("198.51.100.1");

	client.bytes[13] ^= number >> 16;
	client.bytes[14] ^= number >> 8;
	client.bytes[15] ^= number;
	return client;
}

static const struct target *choose(const struct setup *setup, const struct service *service,
				   struct pool *pool, const struct addr *client,
				   const struct target * not )
{
	static struct engine engine;
	bool full;

	return choice_make(&engine, setup, service, pool, client, not, &full);
}

Test(proxy_setup, plan_of_http)
{
	const struct plan_listener *web;

	world = support_begin();
	support_build(&world, WEB(""));
	web = support_listener(&world, "web");
	cr_expect_eq(web->mode, WEIR_MODE_PROXY);
	cr_expect(!web->table[PLAN_IP4].slots && !web->table[PLAN_IP6].slots);
	cr_expect_eq(support_endpoint(web, "2001:db8::2")->want[PLAN_IP4], 666667);
	cr_expect_eq(support_endpoint(web, "2001:db8::2")->want[PLAN_IP6], 666667);
	cr_expect_eq(support_endpoint(web, "10.0.0.4")->want[PLAN_IP4], 250000);
	cr_expect_eq(world.plan->nat_flows, 0);
	support_end(&world);
}

Test(proxy_setup, shares)
{
	struct setup *setup = set_up(WEB(""), NULL);
	struct addr vip = support_addr("2001:db8::1"), client = client_number(0);
	const struct service *service = setup_find(setup, &vip, 80);
	unsigned counts[3] = {};

	cr_assert(service);
	cr_expect_null(setup_find(setup, &vip, 81));
	cr_expect_null(setup_find(setup, &client, 80));
	cr_assert_eq(service->count, 2);
	cr_assert_eq(service->pools[0].count, 3);
	/* Every slot once in a round: exactly the shares of the table. */
	for (uint32_t i = 0; i < service->pools[0].slots * 3; i++) {
		const struct target *target =
			choose(setup, service, &service->pools[0], &client, NULL);

		counts[target - service->pools[0].targets]++;
	}
	cr_expect_eq(counts[2], 0, "weight 0");
	cr_expect(counts[0] >= service->pools[0].slots - 3 &&
		  counts[0] <= service->pools[0].slots + 3);
	cr_expect_eq(service->pool_of[0], 0);
	cr_expect_eq(service->pool_of[1], 1);
	cr_expect_str_eq(service->pools[1].targets[0].endpoint->name, "10.0.0.4");
	cr_expect_eq(service->pools[1].targets[0].endpoint->port, 80, "the listener's");
	cr_expect_eq(service->pools[0].targets[0].upstreams, service->pools[1].targets[1].upstreams,
		     "connections to an address are of all groups");
	tear_down(setup);
}

Test(proxy_setup, neighbours_take_turns)
{
	struct setup *setup = set_up(WEB(""), NULL);
	struct addr vip = support_addr("192.0.2.1"), client = client_number(0);
	const struct service *service = setup_find(setup, &vip, 80);
	unsigned run = 0;
	const struct target *last = NULL;

	for (int i = 0; i < 3000; i++) {
		const struct target *target =
			choose(setup, service, &service->pools[0], &client, NULL);

		run = target == last ? run + 1 : 1;
		last = target;
		cr_assert_leq(run, 20, "one endpoint has %u requests in a row", run);
	}
	tear_down(setup);
}

Test(proxy_setup, somebody_else)
{
	struct setup *setup = set_up(WEB(""), NULL);
	struct addr vip = support_addr("192.0.2.1"), client = client_number(0);
	const struct service *service = setup_find(setup, &vip, 80);
	struct pool *pool = &service->pools[0];

	for (int i = 0; i < 100; i++) {
		const struct target *first = choose(setup, service, pool, &client, NULL);
		const struct target *second = choose(setup, service, pool, &client, first);

		cr_assert(second && second->upstreams != first->upstreams);
	}
	tear_down(setup);
}

Test(proxy_setup, affinity)
{
	struct setup *setup = set_up(WEB("    client_affinity: source_ip\n"), NULL);
	struct addr vip = support_addr("192.0.2.1");
	const struct service *service = setup_find(setup, &vip, 80);
	unsigned first = 0;

	for (uint32_t i = 0; i < 3000; i++) {
		struct addr client = client_number(i);
		const struct target *target =
			choose(setup, service, &service->pools[0], &client, NULL);

		cr_assert_eq(choose(setup, service, &service->pools[0], &client, NULL), target);
		first += target == &service->pools[0].targets[0];
	}
	cr_expect(first > 900 && first < 1100, "%u of 3000 for a third", first);
	tear_down(setup);
}

/* Another weight: the same compiled text, and the same connections to endpoints. */
Test(proxy_setup, next_setup)
{
	struct setup *before = set_up(WEB(""), NULL), *setup = set_up(WEB(""), before);
	const struct upstreams *known = before->services[0].pools[0].targets[0].upstreams;

	cr_expect_eq(setup->text, before->text);
	cr_expect_neq(setup->number, before->number);
	cr_expect_eq(setup->services[0].pools[0].targets[0].upstreams, known);
	setup_unref(before);
	cr_expect(setup->services[0].rules);
	tear_down(setup);
}

Test(proxy_setup, nobody)
{
	static const char text[] =
		"version: 1\n"
		"listeners:\n"
		"  - { name: web, protocol: http, address: 192.0.2.1, port: 80,\n"
		"      endpoint_groups: [{ name: g, endpoints: 10.0.0.1 weight 0 "
		"}] }\n";
	struct setup *setup = set_up(text, NULL);
	struct addr vip = support_addr("192.0.2.1"), client = client_number(0);
	const struct service *service = setup_find(setup, &vip, 80);

	cr_expect_null(choose(setup, service, &service->pools[0], &client, NULL));
	tear_down(setup);
}

/* Read from the maps, a plan lists them otherwise than the one that was built. */
Test(proxy_setup, whatever_the_order_of_endpoints)
{
	_cleanup_(model_freep) struct model *model = support_parse(WEB(""));
	struct plan_endpoint *endpoints, first;
	char bytes[2][8192] = {};

	world = support_begin();
	support_build(&world, WEB(""));
	endpoints = support_listener(&world, "web")->endpoints.items;
	for (int i = 0; i < 2; i++) {
		_cleanup_(snapshot_freep) struct snapshot *snapshot =
			snapshot_new(WEB(""), model, world.plan);
		_cleanup_(closep) int fd = -1;

		cr_assert_eq(snapshot_seal(snapshot, &fd, NULL), 0);
		cr_assert(pread(fd, bytes[i], sizeof(bytes[i]), 0) > 0);
		first = endpoints[0];
		endpoints[0] = endpoints[1];
		endpoints[1] = first;
	}
	cr_expect_arr_eq(bytes[0], bytes[1], sizeof(bytes[0]));
	support_end(&world);
}

/* ---- client_regions ---- */

#define NEAR(keys, address, weight)                                                                \
	"version: 1\n"                                                                             \
	"node: { region: eu }\n"                                                                   \
	"regions:\n"                                                                               \
	"  - { name: us, latency: 80ms }\n"                                                        \
	"  - { name: ap, latency: 120ms, latencies: [{ region: us, latency: 10ms }] }\n" keys      \
	"listeners:\n"                                                                             \
	"  - name: web\n"                                                                          \
	"    protocol: http\n"                                                                     \
	"    address: " address "\n"                                                               \
	"    port: 80\n"                                                                           \
	"    endpoint_groups:\n"                                                                   \
	"      - { name: here, region: eu, endpoints: 10.0.0.1 }\n"                                \
	"      - { name: there, region: us, endpoints: 10.0.0.2 weight " weight " }\n"             \
	"      - { name: api, type: virtual, endpoints: 10.0.0.4 }\n"                              \
	"    forwarding_rules: [{ path: /api, forward: api }, { path: /there, forward: there }]\n"

#define CLIENTS "client_regions: { file: /nowhere }\n"
#define BOTH	"[192.0.2.1, '2001:db8::1']"

static const char near_file[] = "198.51.100.0/24 us\n"
				"198.51.100.128/25 eu\n"
				"203.0.113.0/24 ap\n"
				"2001:db8:c::/48 us\n"
				"2001:db8:d::/48 mars\n";

/* The endpoint that takes a client's request, by a rule that names the group of this place. */
#define BY_NO_RULE -1
static const char *taker(const struct setup *setup, const char *client, int group)
{
	const struct rules_verdict verdict = {
		.kind = group < 0 ? RULES_DEFAULT : RULES_FORWARD,
		.group = group,
	};
	struct addr vip = support_addr("192.0.2.1"), from = support_addr(client);
	const struct service *service = setup_find(setup, &vip, 80);
	uint8_t region = setup_region(setup, service, &from);
	const struct target *target =
		choose(setup, service, setup_pool(service, &verdict, region), &from, NULL);

	return target ? target->endpoint->name : "nobody";
}

static void expect_near(const struct setup *setup, const char *us)
{
	cr_expect_str_eq(taker(setup, "198.51.100.7", BY_NO_RULE), us);
	cr_expect_str_eq(taker(setup, "198.51.100.200", BY_NO_RULE), "10.0.0.1",
			 "the longest prefix");
	cr_expect_str_eq(taker(setup, "203.0.113.1", BY_NO_RULE), us, "ap is nearer to us");
	cr_expect_str_eq(taker(setup, "192.0.2.77", BY_NO_RULE), "10.0.0.1", "in no region");
	cr_expect_str_eq(taker(setup, "2001:db8:c::1", BY_NO_RULE), us);
	cr_expect_str_eq(taker(setup, "2001:db8:d::1", BY_NO_RULE), "10.0.0.1",
			 "nobody knows that one");
	cr_expect_str_eq(taker(setup, "::1", BY_NO_RULE), "10.0.0.1");
}

Test(proxy_setup, near)
{
	struct locations *locations;
	struct setup *setup;
	const struct service *service;

	world = support_begin();
	locations = support_clients(&world, near_file);
	setup = set_up(NEAR(CLIENTS, BOTH, "1"), NULL);
	service = &setup->services[0];
	expect_near(setup, "10.0.0.2");
	cr_expect_eq(service->count, 3, "one order has one pool, whatever the family");
	cr_expect_str_eq(taker(setup, "198.51.100.7", 1), "10.0.0.2");
	cr_expect_str_eq(taker(setup, "192.0.2.77", 1), "10.0.0.1",
			 "one default group is all of them");
	cr_expect_str_eq(taker(setup, "198.51.100.7", 2), "10.0.0.4");
	cr_expect_str_eq(taker(setup, "192.0.2.77", 2), "10.0.0.4");
	cr_expect_eq(support_endpoint(support_listener(&world, "web"), "10.0.0.2")->want[0], 0);
	cr_expect(support_endpoint(support_listener(&world, "web"), "10.0.0.2")->named);
	tear_down(setup);
	locations_free(locations);
}

/* The nearest group of a region fails and returns. */
Test(proxy_setup, near_fails)
{
	struct setup *before, *setup;
	struct locations *locations;

	world = support_begin();
	locations = support_clients(&world, near_file);
	before = set_up(NEAR(CLIENTS, BOTH, "1"), NULL);
	setup = set_up(NEAR(CLIENTS, BOTH, "0"), before);
	expect_near(setup, "10.0.0.1");
	expect_near(before, "10.0.0.2");
	setup_unref(setup);
	setup = set_up(NEAR(CLIENTS, BOTH, "1"), before);
	expect_near(setup, "10.0.0.2");
	setup_unref(before);
	tear_down(setup);
	locations_free(locations);
}

/* Other weights alone make no other plan of where clients are. */
Test(proxy_setup, near_reweighed)
{
	_cleanup_(model_freep) struct model *model = support_parse(NEAR(CLIENTS, BOTH, "0"));
	const struct listener *listener = model_find_listener(model, "web");
	struct locations *locations;
	struct plan *part = NULL;
	struct setup *setup;

	world = support_begin();
	locations = support_clients(&world, near_file);
	setup = set_up(NEAR(CLIENTS, BOTH, "1"), NULL);
	cr_assert_eq(plan_reweigh(&listener, 1, &world.overrides, &world.facts, world.plan, &part,
				  &world.err),
		     0, "%s", world.err.text);
	cr_expect_eq(part->listeners.items[0].clients[PLAN_IP4].tables.count, 1);
	cr_expect_eq(part->clients[PLAN_IP4], world.plan->clients[PLAN_IP4]);
	cr_expect_not(support_endpoint(&part->listeners.items[0], "10.0.0.2")->named);
	plan_free(part);
	tear_down(setup);
	locations_free(locations);
}

/* Nobody asks, nobody pays. */
Test(proxy_setup, near_to_the_node_alone)
{
	struct locations *locations;
	struct setup *setup;

	world = support_begin();
	locations = support_clients(&world, near_file);
	setup = set_up(NEAR("", BOTH, "1"), NULL);
	cr_expect_null(setup->services[0].near);
	cr_expect_null(setup->snapshot->whereabouts);
	cr_expect(!world.plan->clients[PLAN_IP4] && !world.plan->clients[PLAN_IP6]);
	cr_expect_str_eq(taker(setup, "198.51.100.7", BY_NO_RULE), "10.0.0.1");
	tear_down(setup);
	locations_free(locations);
}

/* Clients of the other family come by the PROXY protocol alone. */
Test(proxy_setup, near_of_the_other_family)
{
	struct locations *locations;
	struct setup *setup;

	world = support_begin();
	locations = support_clients(&world, near_file);
	setup = set_up(NEAR(CLIENTS, "192.0.2.1", "1"), NULL);
	cr_expect_null(world.plan->clients[PLAN_IP6]);
	cr_expect_str_eq(taker(setup, "198.51.100.7", BY_NO_RULE), "10.0.0.2");
	setup_unref(setup);
	setup = set_up(NEAR(CLIENTS, "192.0.2.1\n    proxy_protocol_in: { from: 10.0.0.0/8 }", "1"),
		       NULL);
	cr_expect(world.plan->clients[PLAN_IP6]);
	expect_near(setup, "10.0.0.2");
	tear_down(setup);
	locations_free(locations);
}

/* Whatever is not whole is refused, wherever it is cut. */
static void expect_damaged(const char *text)
{
	_cleanup_(model_freep) struct model *model = support_parse(text);
	_cleanup_(snapshot_freep) struct snapshot *snapshot = NULL;
	char bytes[8192];
	ssize_t size;
	int whole;

	support_build(&world, text);
	snapshot = snapshot_new(text, model, world.plan);
	cr_assert(snapshot);
	cr_assert_eq(snapshot_seal(snapshot, &whole, NULL), 0);
	size = pread(whole, bytes, sizeof(bytes), 0);
	cr_assert(size > 0 && size < (ssize_t)sizeof(bytes));
	for (ssize_t cut = 1; cut < size; cut += 7) {
		_cleanup_(closep) int fd = memfd_create("cut", MFD_CLOEXEC);
		struct snapshot *copy;

		cr_assert_eq(write(fd, bytes, cut), cut);
		cr_assert_eq(snapshot_read(fd, &copy, NULL), -EPROTO, "%zd", cut);
	}
	close(whole);
}

Test(proxy_setup, damaged)
{
	struct locations *locations;

	world = support_begin();
	locations = support_clients(&world, near_file);
	expect_damaged(WEB(""));
	expect_damaged(NEAR(CLIENTS, BOTH, "1"));
	support_end(&world);
	locations_free(locations);
}
