// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: every address of a domain is an endpoint that shares the weight with the others of its
 * clients; one that goes is left to its flows, and few slots change hands.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "plan/names.h"
#include "plan/support.h"

static const char text[] =
	"version: 1\n"
	"listeners:\n"
	"- {name: web, protocol: tcp, address: [192.0.2.1, '2001:db8::1'], port: 80, mode: %s, "
	"endpoint_groups: [{name: main, endpoints: [a.example weight 90, 10.0.0.9 weight 30, "
	"'2001:db8::9 weight 30']}]}\n";

static struct support_world world;
static struct names names;
static struct model *model;

static void begin(const char *mode)
{
	char whole[sizeof(text) + 16];

	snprintf(whole, sizeof(whole), text, mode);
	world = support_begin();
	model = support_parse(whole);
	cr_assert(names_needed(model));
}

static void end(void)
{
	model_free(model);
	names_fini(&names);
	support_end(&world);
}

/* DNS says so of a.example; "" ends the list. */
static bool set(int family, uint64_t now, const char *const *list)
{
	struct addr addresses[64];
	size_t count = 0;

	for (; *list; list++)
		addresses[count++] = support_addr(*list);
	return names_set(names_get(&names, "a.example"), family, addresses, count, now);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void build(void)
{
	_cleanup_(model_freep) struct model *expanded =
		names_expand(&names, &(struct names){}, model);
	struct plan *next = NULL;

	cr_assert(expanded);
	support_gather(&world, expanded);
	cr_assert_eq(
		plan_build(expanded, &world.overrides, &world.facts, world.plan, &next, &world.err),
		0, "%s", world.err.text);
	plan_free(world.plan);
	world.plan = next;
}

static double want(const char *address)
{
	const struct plan_endpoint *endpoint =
		support_endpoint(support_listener(&world, "web"), address);

	return endpoint->want[plan_family_of(&endpoint->address)] / 1e4;
}

Test(names, addresses_share_a_weight)
{
	begin("nat");
	cr_expect(set(AF_INET, 1, LIST("10.0.0.3", "10.0.0.1", "10.0.0.2")));
	cr_expect(set(AF_INET6, 1, LIST("2001:db8::2")));
	build();
	cr_expect_float_eq(want("10.0.0.1"), 25, 0.1);
	cr_expect_float_eq(want("10.0.0.2"), 25, 0.1);
	cr_expect_float_eq(want("10.0.0.3"), 25, 0.1);
	cr_expect_float_eq(want("10.0.0.9"), 25, 0.1);
	cr_expect_float_eq(want("2001:db8::2"), 75, 0.1);
	cr_expect_float_eq(want("2001:db8::9"), 25, 0.1);
	end();
}

/* A tunnel's endpoints serve both families, and so share with those of both. */
Test(names, addresses_share_with_who_serves_the_same_clients)
{
	begin("ipip");
	set(AF_INET, 1, LIST("10.0.0.1", "10.0.0.2"));
	set(AF_INET6, 1, LIST("2001:db8::2"));
	build();
	cr_expect_float_eq(want("10.0.0.1"), 20, 0.1);
	cr_expect_float_eq(want("2001:db8::2"), 20, 0.1);
	cr_expect_float_eq(want("10.0.0.9"), 20, 0.1);
	end();
}

Test(names, nothing_known_is_no_endpoint)
{
	begin("nat");
	build();
	cr_expect_eq(support_listener(&world, "web")->endpoints.count, 2);
	cr_expect_float_eq(want("10.0.0.9"), 100, 0.1);
	end();
}

Test(names, who_leaves_keeps_its_flows)
{
	const struct plan_endpoint *left;

	begin("dsr");
	set(AF_INET, 1, LIST("10.0.0.1", "10.0.0.2"));
	build();
	cr_expect(set(AF_INET, 100, LIST("10.0.0.2", "10.0.0.3")));
	build();
	left = support_endpoint(support_listener(&world, "web"), "10.0.0.1");
	cr_expect_eq(left->state, WEIR_ENDPOINT_DRAINING);
	cr_expect_eq(left->weight, 0);
	cr_expect_float_eq(want("10.0.0.3"), 37.5, 0.1);
	/* No override gives it new flows. */
	overrides_get(&world.overrides, "web", "main", "a.example")->weight = 100;
	build();
	left = support_endpoint(support_listener(&world, "web"), "10.0.0.1");
	cr_expect_eq(left->weight, 0);
	/* It may come back. */
	cr_expect(set(AF_INET, 200, LIST("10.0.0.1", "10.0.0.2")));
	build();
	left = support_endpoint(support_listener(&world, "web"), "10.0.0.1");
	cr_expect_eq(left->state, WEIR_ENDPOINT_ACTIVE);
	/* And it is forgotten, but not before its time. */
	cr_expect_not(names_expire(names_find(&names, "a.example"), 199));
	cr_expect(names_expire(names_find(&names, "a.example"), 200));
	cr_expect_eq(names_find(&names, "a.example")->addresses.count, 2);
	end();
}

Test(names, few_slots_change_hands)
{
	const struct plan_table *table;
	unsigned moved;

	begin("dsr");
	set(AF_INET, 1, LIST("10.0.0.1", "10.0.0.2", "10.0.0.3"));
	build();
	set(AF_INET, 2, LIST("10.0.0.2", "10.0.0.3", "10.0.0.4"));
	build();
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	moved = table->change.moved;
	/* One of four is another: a quarter must, and Maglev adds to that when several weights
	 * change at once (maglev.c). */
	cr_expect(moved >= table->size * 24 / 100 && moved <= table->size / 2,
		  "%u of %u slots moved", moved, table->size);
	end();
}

Test(names, only_changes_are_changes)
{
	begin("nat");
	cr_expect(set(AF_INET, 1, LIST("10.0.0.1", "10.0.0.2")));
	cr_expect_not(set(AF_INET, 2, LIST("10.0.0.2", "10.0.0.1")));
	cr_expect_not(set(AF_INET, 2, LIST("10.0.0.2", "10.0.0.1", "10.0.0.2")));
	cr_expect_eq(names_find(&names, "A.Example")->addresses.count, 2);
	cr_expect(set(AF_INET6, 3, LIST("2001:db8::2")));
	cr_expect(names_set(names_get(&names, "a.example"), AF_INET6, NULL, 0, 4));
	cr_expect_not(names_set(names_get(&names, "a.example"), AF_INET6, NULL, 0, 5));
	end();
}

/* A name that has other addresses every second does not fill the tables. */
Test(names, those_that_left_are_bounded)
{
	char address[ADDR_TEXT_MAX];

	begin("nat");
	for (unsigned i = 1; i < 200; i++) {
		snprintf(address, sizeof(address), "10.0.1.%u", i);
		set(AF_INET, i, LIST(address));
	}
	cr_expect_eq(names_find(&names, "a.example")->addresses.count, NAMES_LEAVING + 1);
	vec_foreach(known, &names_find(&names, "a.example")->addresses)
		cr_expect(!known->left || known->left >= 200 - NAMES_LEAVING - 1);
	end();
}

/* Two names for one address, or a name for one that stands there itself: one endpoint. */
Test(names, an_address_is_there_once)
{
	begin("nat");
	set(AF_INET, 1, LIST("10.0.0.9", "10.0.0.1"));
	build();
	cr_expect_eq(support_listener(&world, "web")->endpoints.count, 3);
	end();
}

/* What one instance has given back is another's before the flows of the first are over. */
Test(names, an_address_changes_hands)
{
	static const char two[] =
		"version: 1\ninventory: /a\nlisteners:\n"
		"- {name: web, protocol: tcp, address: 192.0.2.1, port: 80, endpoint_groups: "
		"[{name: "
		"main, endpoints: [{address: i-a, type: ecs}, {address: i-b, type: ecs}]}]}\n";
	_cleanup_(model_freep) struct model *instances = support_parse(two);
	_cleanup_(model_freep) struct model *expanded = NULL;
	const struct endpoint_group *group;
	struct addr first = support_addr("10.0.0.3"), second = support_addr("10.0.0.4");

	names_set(names_get(&names, "ecs/i-a"), AF_INET, &first, 1, 1);
	names_set(names_get(&names, "ecs/i-a"), AF_INET, &second, 1, 2);
	names_set(names_get(&names, "ecs/i-b"), AF_INET, &first, 1, 2);
	expanded = names_expand(&(struct names){}, &names, instances);
	cr_assert(expanded);
	group = &expanded->listeners.items[0].groups.items[0];
	cr_assert_eq(group->endpoints.count, 2);
	cr_expect_str_eq(group->endpoints.items[0].name, "i-a");
	cr_expect(addr_equal(&group->endpoints.items[0].address, &second));
	cr_expect_str_eq(group->endpoints.items[1].name, "i-b");
	cr_expect(addr_equal(&group->endpoints.items[1].address, &first));
	cr_expect(!group->endpoints.items[1].leaving);
	names_fini(&names);
}

static bool begins_with_a(void *user, const char *name)
{
	(void)user;
	return *name == 'a';
}

Test(names, are_kept_and_found)
{
	char name[32];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%c%d.Example", "ab"[i % 2], i);
		cr_assert(names_get(&names, name));
	}
	names_keep(&names, begins_with_a, NULL);
	cr_expect_eq(names.list.count, 500);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%c%d.eXample", "ab"[i % 2], i);
		cr_expect_eq(names_find(&names, name) != NULL, i % 2 == 0);
	}
	names_fini(&names);
}
