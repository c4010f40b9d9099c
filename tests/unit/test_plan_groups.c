// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: several groups of a listener become one table with the shares that regions, percentages,
 * weights and usability give them; a group that fails hands its share on and has it back, on the
 * same slots, when it returns.
 */
#include <criterion/criterion.h>

#include "plan/support.h"

#define REGIONS                                                                                    \
	"version: 1\n"                                                                             \
	"node: { region: here }\n"                                                                 \
	"regions:\n"                                                                               \
	"  - { name: near, latency: 10ms }\n"                                                      \
	"  - { name: far, latency: 90ms }\n"
#define WEB(keys, groups)                                                                          \
	REGIONS "listeners:\n"                                                                     \
		"  - name: web\n"                                                                  \
		"    protocol: tcp\n"                                                              \
		"    address: [192.0.2.1]\n"                                                       \
		"    port: 80\n"                                                                   \
		"    mode: dsr\n" keys "    endpoint_groups:\n" groups
#define GROUP(name, region, percentage, endpoints)                                                 \
	"      - { name: " name ", region: " region ", traffic_percentage: " percentage            \
	", endpoints: [" endpoints "] }\n"

/* Wants of 10.0.0.1 and following, in hundredths of percent: "50.00 50.00". */
static void expect_wants(const struct support_world *world, const char *wanted, const char *when)
{
	const struct plan_listener *web = support_listener(world, "web");
	char got[200] = "", address[32];
	size_t used = 0;

	for (size_t i = 1; i <= web->endpoints.count; i++) {
		snprintf(address, sizeof(address), "10.0.0.%zu", i);
		used += snprintf(got + used, sizeof(got) - used, "%s%.2f", i > 1 ? " " : "",
				 support_endpoint(web, address)->want[PLAN_IP4] / 1e4);
	}
	cr_expect_str_eq(got, wanted, "%s: got %s, wanted %s", when, got, wanted);
}

static void set_weight(struct support_world *world, const char *group, const char *endpoint,
		       int weight)
{
	struct override *override = overrides_get(&world->overrides, "web", group, endpoint);

	cr_assert(override);
	override->weight = weight;
	override->file_weight = 100;
}

static void drain(struct support_world *world, const char *group, const char *endpoint,
		  bool drained)
{
	overrides_get(&world->overrides, "web", group, endpoint)->drained = drained;
}

/* Rows "region order" and "optimal endpoint": the nearest group takes all, whatever the file's
 * order; a region without a latency is the farthest. */
Test(plan_groups, order)
{
	static const struct {
		const char *text, *wants;
	} cases[] = {
		{ WEB("", GROUP("a", "far", "100", "10.0.0.1") GROUP("b", "near", "100", "10.0.0.2")
				  GROUP("c", "here", "100", "10.0.0.3")),
		  "0.00 0.00 100.00" },
		{ WEB("", GROUP("a", "far", "100", "10.0.0.1") GROUP("b", "near", "100", "10.0.0.2")
				  GROUP("c", "unknown", "100", "10.0.0.3")),
		  "0.00 100.00 0.00" },
		{ WEB("", GROUP("a", "unknown", "100", "10.0.0.1")
				  GROUP("b", "other", "100", "10.0.0.2")),
		  "100.00 0.00" },
		{ WEB("", GROUP("a", "other", "50", "10.0.0.1") GROUP("b", "far", "50", "10.0.0.2")
				  GROUP("c", "near", "20", "10.0.0.3")),
		  "25.00 50.00 25.00" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct support_world world = support_begin();

		support_build(&world, cases[i].text);
		expect_wants(&world, cases[i].wants, cases[i].text);
		support_end(&world);
	}
}

/* Rows "share of an endpoint" and "traffic_percentage": the group's share times weight / sum. */
Test(plan_groups, shares)
{
	struct support_world world = support_begin();

	support_build(&world,
		      WEB("", GROUP("a", "here", "50", "10.0.0.1 weight 30, 10.0.0.2 weight 10")
				      GROUP("b", "far", "100", "10.0.0.3 weight 1")));
	expect_wants(&world, "37.50 12.50 50.00", "50/100");
	cr_expect_eq(support_listener(&world, "web")->table[PLAN_IP4].size, 1024, "100 * 8");

	set_weight(&world, "a", "10.0.0.1", 90);
	support_build(&world,
		      WEB("", GROUP("a", "here", "50", "10.0.0.1 weight 30, 10.0.0.2 weight 10")
				      GROUP("b", "far", "100", "10.0.0.3 weight 1")));
	expect_wants(&world, "45.00 5.00 50.00", "another weight in its group only");
	support_end(&world);
}

#define TWO                                                                                        \
	WEB("", GROUP("a", "here", "100", "10.0.0.1, 10.0.0.2 weight 50")                          \
			GROUP("b", "far", "100", "10.0.0.3, 10.0.0.4"))

static struct slot *copy_slots(const struct plan_table *table)
{
	struct slot *copy = malloc(table->size * sizeof(*copy));

	cr_assert(copy);
	memcpy(copy, table->slots, table->size * sizeof(*copy));
	return copy;
}

/* Rows "weight 0" and "group failover": drained endpoint by endpoint, and back. */
Test(plan_groups, failover_and_return)
{
	struct support_world world = support_begin();
	_cleanup_(freep) struct slot *before = NULL;
	const struct plan_table *table;
	uint32_t size;

	support_build(&world, TWO);
	expect_wants(&world, "66.67 33.33 0.00 0.00", "the nearest takes all");
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	size = table->size;
	before = copy_slots(table);

	drain(&world, "a", "10.0.0.1", true);
	support_build(&world, TWO);
	expect_wants(&world, "0.00 100.00 0.00 0.00", "still usable");
	drain(&world, "a", "10.0.0.2", true);
	support_build(&world, TWO);
	expect_wants(&world, "0.00 0.00 50.00 50.00", "failed over");
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	cr_expect_eq(table->size, size, "the size is the configuration's");
	cr_expect_eq(table->change.moved, table->size);

	drain(&world, "a", "10.0.0.1", false);
	drain(&world, "a", "10.0.0.2", false);
	support_build(&world, TWO);
	expect_wants(&world, "66.67 33.33 0.00 0.00", "returned");
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	cr_assert_eq(table->size, size);
	for (uint32_t i = 0; i < size; i++)
		cr_assert_eq(table->slots[i].current, before[i].current, "slot %u", i);
	support_end(&world);
}

/* Row "usable endpoint": what cannot be reached takes nothing, unless nothing can be. */
Test(plan_groups, out_of_reach)
{
	struct support_world world = support_begin();

	support_build(&world, TWO);
	support_target_at(&world, "10.0.0.1")->resolved = false;
	support_build(&world, TWO);
	expect_wants(&world, "0.00 100.00 0.00 0.00", "one of the nearest");
	support_target_at(&world, "10.0.0.2")->ifindex = 0;
	support_build(&world, TWO);
	expect_wants(&world, "0.00 0.00 50.00 50.00", "both");
	support_target_at(&world, "10.0.0.3")->resolved = false;
	support_target_at(&world, "10.0.0.4")->resolved = false;
	support_build(&world, TWO);
	expect_wants(&world, "66.67 33.33 0.00 0.00", "all, so that packets say so");
	support_target_at(&world, "10.0.0.4")->resolved = true;
	support_build(&world, TWO);
	expect_wants(&world, "0.00 0.00 0.00 100.00", "one is back");
	support_end(&world);
}

/* A group of weights 0 alone, and a listener without any: nobody, also if it fails open. */
Test(plan_groups, nobody)
{
	struct support_world world = support_begin();

	support_build(&world, WEB("", GROUP("a", "here", "100", "10.0.0.1 weight 0")
					      GROUP("b", "far", "0", "10.0.0.2")));
	expect_wants(&world, "0.00 100.00", "its percentage is ignored");
	support_build(&world,
		      WEB("    fail_open: true\n",
			  GROUP("a", "here", "0", "10.0.0.1") GROUP("b", "far", "0", "10.0.0.2")));
	expect_wants(&world, "0.00 0.00", "all percentages 0: the groups are usable");
	support_build(&world, WEB("    fail_open: true\n",
				  GROUP("a", "here", "100", "10.0.0.1 weight 0")
					  GROUP("b", "far", "100", "10.0.0.2 weight 0")));
	expect_wants(&world, "0.00 0.00", "drained is drained");
	support_end(&world);
}

/* What a health check found out about an endpoint of a group. */
static void judge(struct verdicts *verdicts, const char *group, const char *endpoint, bool normal)
{
	struct addr address = support_addr(endpoint);
	struct verdict fresh = { .listener = "web", .address = address };
	struct verdict *known = verdicts_find(verdicts, "web", group, endpoint, &address);

	if (!known) {
		strcpy(fresh.group, group);
		strcpy(fresh.endpoint, endpoint);
		cr_assert_eq(verdicts_add(verdicts, &fresh), 0);
		known = verdicts_find(verdicts, "web", group, endpoint, &address);
	}
	known->health.state = normal ? WEIR_HEALTH_NORMAL : WEIR_HEALTH_ABNORMAL;
}

#define CHECKED(name, region, endpoints)                                                           \
	"      - { name: " name ", region: " region                                                \
	", health_check: { protocol: tcp }, endpoints: [" endpoints "] }\n"
#define CHECKED_TWO(keys)                                                                          \
	WEB(keys, CHECKED("a", "here", "10.0.0.1, 10.0.0.2 weight 0")                              \
			  CHECKED("b", "far", "10.0.0.3, 10.0.0.4"))

/* Rows "group failover" and "weight 0", fail_open: by health checks; only when no group is usable,
 * and then the nearest that has a weight at all. */
Test(plan_groups, health)
{
	_cleanup_(verdicts_fini) struct verdicts verdicts = {};
	struct support_world world = support_begin();

	world.facts.verdicts = &verdicts;
	judge(&verdicts, "a", "10.0.0.1", false);
	support_build(&world, CHECKED_TWO("    fail_open: true\n"));
	expect_wants(&world, "0.00 0.00 50.00 50.00", "failed over");
	judge(&verdicts, "b", "10.0.0.3", false);
	support_build(&world, CHECKED_TWO("    fail_open: true\n"));
	expect_wants(&world, "0.00 0.00 0.00 100.00", "the last one");
	judge(&verdicts, "b", "10.0.0.4", false);
	support_build(&world, CHECKED_TWO(""));
	expect_wants(&world, "0.00 0.00 0.00 0.00", "nobody");
	support_build(&world, CHECKED_TWO("    fail_open: true\n"));
	expect_wants(&world, "100.00 0.00 0.00 0.00", "open");
	cr_expect_eq(support_endpoint(support_listener(&world, "web"), "10.0.0.1")->state,
		     WEIR_ENDPOINT_ACTIVE);
	cr_expect_eq(support_endpoint(support_listener(&world, "web"), "10.0.0.3")->state,
		     WEIR_ENDPOINT_DEAD);
	drain(&world, "a", "10.0.0.1", true);
	support_build(&world, CHECKED_TWO("    fail_open: true\n"));
	expect_wants(&world, "0.00 0.00 50.00 50.00", "the next that has a weight");
	drain(&world, "a", "10.0.0.1", false);
	judge(&verdicts, "a", "10.0.0.1", true);
	support_build(&world, CHECKED_TWO("    fail_open: true\n"));
	expect_wants(&world, "100.00 0.00 0.00 0.00", "returned by itself");
	support_end(&world);
}

#define CHECKED_ONE WEB("    fail_open: true\n", CHECKED("a", "here", "10.0.0.1, 10.0.0.2"))

/* Fails open to both endpoints when the second dies after the first: unrecorded flows of the second
 * stay with it, in the window that every other change has; so do those of rows left behind. */
Test(plan_groups, open_keeps_flows)
{
	_cleanup_(verdicts_fini) struct verdicts verdicts = {};
	struct support_world world = support_begin();
	const struct plan_listener *web;
	const struct plan_table *table;

	world.facts.verdicts = &verdicts;
	judge(&verdicts, "a", "10.0.0.1", false);
	support_build(&world, CHECKED_ONE);
	expect_wants(&world, "0.00 100.00", "the other one");
	judge(&verdicts, "a", "10.0.0.2", false);
	support_build(&world, CHECKED_ONE);
	expect_wants(&world, "50.00 50.00", "open");
	web = support_listener(&world, "web");
	table = &web->table[PLAN_IP4];
	cr_assert_gt(table->change.moved, 0);
	cr_expect_eq(table->change.moving, table->change.moved, "%u", table->change.moving);
	cr_expect_eq(table->change.pinned, 0);
	for (uint32_t i = 0; i < table->size; i++)
		cr_assert_eq(table->slots[i].previous + web->block,
			     support_endpoint(web, "10.0.0.2")->row, "slot %u", i);
	support_build(&world, CHECKED_ONE);
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	cr_expect_eq(table->change.moved, 0, "the same again");

	/* Whom nobody opens is gone, and its flows are. */
	judge(&verdicts, "a", "10.0.0.1", true);
	support_build(&world, CHECKED_ONE);
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	expect_wants(&world, "100.00 0.00", "one is back");
	cr_expect_eq(table->change.moving, 0);
	support_end(&world);
}

#define CHECKED_MANY                                                                               \
	WEB("    fail_open: true\n",                                                               \
	    CHECKED("a", "here",                                                                   \
		    "10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, "       \
		    "10.0.0.8, 10.0.0.9, 10.0.0.10, 10.0.0.11, 10.0.0.12, 10.0.0.13, 10.0.0.14, "  \
		    "10.0.0.15, 10.0.0.16, 10.0.0.17, 10.0.0.18, 10.0.0.19, 10.0.0.20")            \
		    CHECKED("b", "far", "10.0.1.1"))

/* The rows that a block left behind when it grew go with their endpoint. */
Test(plan_groups, open_left_behind)
{
	_cleanup_(verdicts_fini) struct verdicts verdicts = {};
	struct support_world world = support_begin();
	const struct plan_listener *web;
	char address[32];
	unsigned behind = 0;

	world.facts.verdicts = &verdicts;
	support_build(&world, CHECKED_ONE);
	for (unsigned i = 1; i <= 20; i++) {
		snprintf(address, sizeof(address), "10.0.0.%u", i);
		judge(&verdicts, "a", address, false);
	}
	judge(&verdicts, "b", "10.0.1.1", false);
	support_build(&world, CHECKED_MANY);
	web = support_listener(&world, "web");
	vec_foreach(endpoint, &web->endpoints) {
		bool left = !plan_in_block(web, endpoint->row);
		bool nearest = !strcmp(endpoint->group, "a");

		behind += left;
		cr_expect_eq(endpoint->state, left	? WEIR_ENDPOINT_DRAINING
					      : nearest ? WEIR_ENDPOINT_ACTIVE
							: WEIR_ENDPOINT_DEAD);
	}
	cr_expect_eq(behind, 2, "the block has grown: %u", behind);
	support_end(&world);
}

/* The same plan by plan_build() and by plan_reweigh(), which `weir drain` uses. */
Test(plan_groups, reweigh)
{
	_cleanup_(model_freep) struct model *model = support_parse(TWO);
	const struct listener *listener = &model->listeners.items[0];
	struct support_world world = support_begin();
	struct plan *part = NULL;

	support_build(&world, TWO);
	drain(&world, "a", "10.0.0.1", true);
	drain(&world, "a", "10.0.0.2", true);
	cr_assert_eq(plan_reweigh(&listener, 1, &world.overrides, &world.facts, world.plan, &part,
				  &world.err),
		     0);
	plan_merge(world.plan, part);
	plan_free(part);
	expect_wants(&world, "0.00 0.00 50.00 50.00", "reweighed");
	support_build(&world, TWO);
	cr_expect_eq(support_listener(&world, "web")->table[PLAN_IP4].change.moved, 0);

	drain(&world, "a", "10.0.0.1", false);
	drain(&world, "a", "10.0.0.2", false);
	set_weight(&world, "a", "", 40); /* its traffic_percentage */
	cr_assert_eq(plan_reweigh(&listener, 1, &world.overrides, &world.facts, world.plan, &part,
				  &world.err),
		     0);
	plan_merge(world.plan, part);
	plan_free(part);
	expect_wants(&world, "26.67 13.33 30.00 30.00", "dialled down");
	support_build(&world, TWO);
	cr_expect_eq(support_listener(&world, "web")->table[PLAN_IP4].change.moved, 0);
	support_end(&world);
}

/* The table has room for the smallest share that anybody may come to have, and no more. */
Test(plan_groups, size)
{
	static const struct {
		const char *text;
		uint32_t size;
	} cases[] = {
		{ WEB("", GROUP("a", "here", "100", "10.0.0.1")), 512 },
		{ WEB("",
		      GROUP("a", "here", "100", "10.0.0.1") GROUP("b", "far", "100", "10.0.0.2")),
		  512 },
		{ WEB("", GROUP("a", "here", "100", "10.0.0.1")
				  GROUP("b", "far", "100", "10.0.0.2 weight 1, 10.0.0.3 weight 9")),
		  1024 },
		{ WEB("", GROUP("a", "here", "99", "10.0.0.1")
				  GROUP("b", "far", "100", "10.0.0.2, 10.0.0.3")),
		  32768 },
		{ WEB("", GROUP("a", "here", "1", "10.0.0.1 weight 1, 10.0.0.2 weight 255")
				  GROUP("b", "far", "1", "10.0.0.3")),
		  65536 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct support_world world = support_begin();

		support_build(&world, cases[i].text);
		cr_expect_eq(support_listener(&world, "web")->table[PLAN_IP4].size, cases[i].size,
			     "%s: %u", cases[i].text,
			     support_listener(&world, "web")->table[PLAN_IP4].size);
		support_end(&world);
	}
}
