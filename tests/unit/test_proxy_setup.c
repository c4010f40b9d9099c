// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what the plan says of an http listener reaches a worker whole, and the worker sends
 * requests where it says: shares to a slot, a virtual group apart from the default ones, a client
 * with affinity always to the same endpoint, a failed request to somebody else.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plan/support.h"
#include "proxy/setup.h"
#include "proxy/snapshot.h"
#include "proxy/upstream.h"

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
			setup_choose(setup, service, &service->pools[0], &client, NULL);

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
			setup_choose(setup, service, &service->pools[0], &client, NULL);

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
		const struct target *first = setup_choose(setup, service, pool, &client, NULL);
		const struct target *second = setup_choose(setup, service, pool, &client, first);

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
			setup_choose(setup, service, &service->pools[0], &client, NULL);

		cr_assert_eq(setup_choose(setup, service, &service->pools[0], &client, NULL),
			     target);
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

	cr_expect_null(setup_choose(setup, service, &service->pools[0], &client, NULL));
	tear_down(setup);
}

/* Whatever is not whole is refused, wherever it is cut. */
Test(proxy_setup, damaged)
{
	_cleanup_(model_freep) struct model *model = support_parse(WEB(""));
	_cleanup_(snapshot_freep) struct snapshot *snapshot = NULL;
	char bytes[8192];
	ssize_t size;
	int whole;

	world = support_begin();
	support_build(&world, WEB(""));
	snapshot = snapshot_new(WEB(""), model, world.plan);
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
	support_end(&world);
}
