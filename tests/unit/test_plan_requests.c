// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: how many requests another plan sends elsewhere is said as it is, of clients of each region:
 * by a weight, a percentage, an endpoint that comes, goes or has nobody beside it, an order of
 * groups; and none where nothing that matters has changed.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "plan/plan_clients.h"
#include "plan/plan_requests.h"
#include "plan/support.h"

#define WEB(latency, percentage, near, far)                                                        \
	"version: 1\n"                                                                             \
	"node: { region: eu }\n"                                                                   \
	"regions:\n"                                                                               \
	"  - { name: us, latency: 80ms }\n"                                                        \
	"  - { name: ap, latency: 120ms, latencies: [{ region: us, latency: " latency " }] }\n"    \
	"client_regions: { file: /nowhere }\n"                                                     \
	"listeners:\n"                                                                             \
	"  - name: web\n"                                                                          \
	"    protocol: http\n"                                                                     \
	"    address: 192.0.2.1\n"                                                                 \
	"    port: 80\n"                                                                           \
	"    endpoint_groups:\n"                                                                   \
	"      - { name: here, region: eu, traffic_percentage: " percentage ", endpoints: [" near  \
	"] }\n"                                                                                    \
	"      - { name: there, region: us, endpoints: [" far "] }\n"

static const char file[] = "198.51.100.0/24 us\n203.0.113.0/24 ap\n";

/* From one configuration to another: of clients in no region, in us and in ap. */
static void expect_moved(const char *from, const char *to, const double wanted[3])
{
	static const char *const regions[] = { NULL, "us", "ap" };
	struct support_world world = support_begin();
	struct locations *locations = support_clients(&world, file);
	struct plan *before;

	support_build(&world, from);
	before = plan_copy(world.plan);
	cr_assert(before);
	support_build(&world, to);
	for (int i = 0; i < 3; i++) {
		uint32_t number = regions[i] ? plan_region_number(world.plan, regions[i]) : 0;
		double moved;

		cr_assert_eq(plan_requests_moved(plan_find_listener(before, "web"),
						 plan_find_listener(world.plan, "web"), number,
						 &moved),
			     0);
		cr_expect(fabs(moved - wanted[i]) < 1e-6, "%s: %f, not %f, from\n%s\nto\n%s",
			  regions[i] ?: "no region", moved, wanted[i], from, to);
	}
	plan_free(before);
	support_end(&world);
	locations_free(locations);
}
#define EXPECT_MOVED(from, to, none, us, ap)                                                       \
	expect_moved(from, to, (const double[]){ none, us, ap })

Test(plan_requests, weights)
{
	static const char one[] =
		WEB("200ms", "100", "10.0.0.1 weight 50, 10.0.0.2 weight 50", "10.0.0.3");

	EXPECT_MOVED(one, one, 0, 0, 0);
	EXPECT_MOVED(one,
		     WEB("200ms", "100", "10.0.0.1 weight 50, 10.0.0.2 weight 150", "10.0.0.3"),
		     0.25, 0, 0.25);
	EXPECT_MOVED(one, WEB("200ms", "100", "10.0.0.2 weight 50, 10.0.0.1 weight 50", "10.0.0.3"),
		     0, 0, 0);
	EXPECT_MOVED(one, WEB("200ms", "100", "10.0.0.1", "10.0.0.3, 10.0.0.4"), 0.5, 0.5, 0.5);
	EXPECT_MOVED(one, WEB("200ms", "50", "10.0.0.1, 10.0.0.2", "10.0.0.3"), 0.5, 0, 0.5);
}

Test(plan_requests, orders)
{
	static const char far[] = WEB("200ms", "100", "10.0.0.1", "10.0.0.3");
	static const char near[] = WEB("10ms", "100", "10.0.0.1", "10.0.0.3");

	EXPECT_MOVED(far, near, 0, 0, 1);
	EXPECT_MOVED(near, far, 0, 0, 1);
	EXPECT_MOVED(near, near, 0, 0, 0);
}

Test(plan_requests, nobody)
{
	static const char nobody[] = WEB("200ms", "100", "10.0.0.1 weight 0", "10.0.0.3 weight 0");
	static const char far[] = WEB("200ms", "100", "10.0.0.1 weight 0", "10.0.0.3");

	EXPECT_MOVED(nobody, nobody, 0, 0, 0);
	EXPECT_MOVED(nobody, far, 1, 1, 1);
	EXPECT_MOVED(far, nobody, 1, 1, 1);
}

/* Another address of the block is no other endpoint. */
Test(plan_requests, a_block_that_moves)
{
	static const char one[] = WEB("200ms", "100", "10.0.0.1", "10.0.0.3");

	EXPECT_MOVED(one,
		     WEB("200ms", "100",
			 "10.0.0.1, 10.0.0.11 weight 0, 10.0.0.12 weight 0, 10.0.0.13 weight 0",
			 "10.0.0.3, 10.0.0.14 weight 0, 10.0.0.15 weight 0"),
		     0, 0, 0);
}

/* Read from the maps a plan has no orders: the model says them. */
Test(plan_requests, recalled)
{
	static const char text[] = WEB("10ms", "100", "10.0.0.1", "10.0.0.3");
	_cleanup_(model_freep) struct model *model = support_parse(text);
	struct support_world world = support_begin();
	struct locations *locations = support_clients(&world, file);
	struct addr client = support_addr("203.0.113.7");
	struct plan_table *table;

	support_build(&world, text);
	table = plan_table_of(world.plan, support_listener(&world, "web"), &client);
	cr_assert(table->order && table->order[0] == 1 && table->order[1] == 0);
	free(table->order);
	table->order = NULL;
	cr_assert_eq(plan_clients_recall(world.plan, model), 0);
	cr_assert(table->order && table->order[0] == 1 && table->order[1] == 0);
	support_end(&world);
	locations_free(locations);
}
