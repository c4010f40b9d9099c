// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: plan_build() gives everything a place and keeps it there over any change; what leaves is
 * freed only when no flow refers to it; shares, states and phases follow the configuration.
 */
#include <criterion/criterion.h>
#include <netinet/in.h>

#include "plan/support.h"

/* One listener, "web", with one group, "main". */
#define WEB_AT(address, mode, endpoints)                                                           \
	"version: 1\n"                                                                             \
	"listeners:\n"                                                                             \
	"  - name: web\n"                                                                          \
	"    protocol: tcp\n"                                                                      \
	"    address: [" address "]\n"                                                             \
	"    port: 80\n"                                                                           \
	"    idle_timeout: 100s\n"                                                                 \
	"    mode: " mode "\n"                                                                     \
	"    endpoint_groups:\n"                                                                   \
	"      - {name: main, endpoints: [" endpoints "]}\n"
#define WEB(mode, endpoints) WEB_AT("192.0.2.1", mode, endpoints)

#define LISTENER(name, protocol, address, endpoints)                                               \
	"  - {name: " name ", protocol: " protocol ", address: " address                           \
	", port: 53, mode: dsr, endpoint_groups: [{name: main, endpoints: [" endpoints "]}]}\n"

/* "0:1 10.0.0.1 active 100; ..." by row: ROW:GENERATION ADDRESS STATE WEIGHT. Caller frees. */
static char *rows_of(const struct plan_listener *listener)
{
	static const char *const states[] = { "free", "active", "draining", "gone" };
	char address[ADDR_PORT_TEXT_MAX];
	struct str out = {};

	for (uint32_t row = 0; row < WEIR_MAX_ENDPOINTS; row++) {
		const struct plan_endpoint *endpoint = plan_find_row(listener, row);

		if (endpoint)
			str_add(&out, "%s%u:%u %s %s %u", out.size ? "; " : "", row,
				endpoint->generation,
				addr_print_port(&endpoint->address, endpoint->port, address),
				states[endpoint->state], endpoint->weight);
	}
	return str_take(&out);
}

static void expect_rows(const struct plan_listener *listener, const char *expected,
			const char *when)
{
	_cleanup_(freep) char *rows = rows_of(listener);

	cr_expect_str_eq(rows, expected, "%s:\n  got      %s\n  expected %s", when, rows, expected);
}

/* Releases what no flow of these rows refers to. */
static bool release(struct support_world *world, const uint32_t *rows, size_t count)
{
	struct plan_references references = {};
	bool freed;

	references.rows = calloc(WEIR_MAX_ENDPOINTS, sizeof(*references.rows));
	for (size_t i = 0; i < count; i++)
		references.rows[rows[i]] = true;
	freed = plan_release(world->plan, &references);
	free(references.rows);
	return freed;
}

/* 1: a first plan: ids, rows and generations begin at the beginning, and all slots are STABLE. */
Test(plan, first)
{
	struct support_world world = support_begin();
	struct plan_listener *web;

	support_build(&world, WEB_AT("192.0.2.1, 2001:db8::99", "dsr",
				     "10.0.0.1 weight 30, 10.0.0.2 weight 10, '2001:db8::1'"));
	web = support_listener(&world, "web");
	cr_expect_eq(web->id, 1);
	cr_expect(web->protocol == IPPROTO_TCP && web->mode == WEIR_MODE_DSR && web->vip_route);
	cr_expect_eq(web->idle_timeout, 100);
	cr_expect(web->ports.count == 1 && web->ports.items[0].first == 80);
	expect_rows(web,
		    "0:1 10.0.0.1 active 30; 1:1 10.0.0.2 active 10; 2:1 2001:db8::1 active 100",
		    "first");
	cr_expect_eq(support_endpoint(web, "10.0.0.1")->want[PLAN_IP4], 750000);
	cr_expect_eq(support_endpoint(web, "10.0.0.1")->want[PLAN_IP6], 0);
	cr_expect_eq(support_endpoint(web, "10.0.0.2")->want[PLAN_IP4], 250000);
	cr_expect_eq(support_endpoint(web, "2001:db8::1")->want[PLAN_IP6], 1000000);
	for (enum plan_family family = 0; family < PLAN_FAMILIES; family++) {
		const struct plan_table *table = &web->table[family];

		cr_expect_eq(slots_count(table->slots, table->size, WEIR_STABLE), table->size);
		cr_expect(table->line == PLAN_NO_LINE && !table->deadline && !table->change.moved);
	}
	cr_expect_eq(web->table[PLAN_IP4].size, 512, "100 * 40 / 10 = 400");
	support_end(&world);
}

/* 2: rows are kept, given back, and given anew only when no flow refers to them. */
Test(plan, rows_over_changes)
{
	static const struct {
		const char *what;
		const char *text;
		bool release;
		int referenced; /* row; -1: none */
		bool freed;
		const char *rows;
	} steps[] = {
		{ "first", WEB("dsr", "10.0.0.1, 10.0.0.2, 10.0.0.3"), false, -1, false,
		  "0:1 10.0.0.1 active 100; 1:1 10.0.0.2 active 100; 2:1 10.0.0.3 active 100" },
		{ "the same", WEB("dsr", "10.0.0.1, 10.0.0.2, 10.0.0.3"), true, -1, false,
		  "0:1 10.0.0.1 active 100; 1:1 10.0.0.2 active 100; 2:1 10.0.0.3 active 100" },
		{ "another order", WEB("dsr", "10.0.0.3, 10.0.0.1, 10.0.0.2"), true, -1, false,
		  "0:1 10.0.0.1 active 100; 1:1 10.0.0.2 active 100; 2:1 10.0.0.3 active 100" },
		{ "one removed", WEB("dsr", "10.0.0.2, 10.0.0.3"), false, -1, false,
		  "0:1 10.0.0.1 gone 0; 1:1 10.0.0.2 active 100; 2:1 10.0.0.3 active 100" },
		{ "one added meanwhile", WEB("dsr", "10.0.0.2, 10.0.0.3, 10.0.0.4"), true, 0, false,
		  "0:1 10.0.0.1 gone 0; 1:1 10.0.0.2 active 100; 2:1 10.0.0.3 active 100; "
		  "3:1 10.0.0.4 active 100" },
		{ "it returns", WEB("dsr", "10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4"), true, -1,
		  false,
		  "0:1 10.0.0.1 active 100; 1:1 10.0.0.2 active 100; 2:1 10.0.0.3 active 100; "
		  "3:1 10.0.0.4 active 100" },
		{ "two removed, one freed", WEB("dsr", "10.0.0.3, 10.0.0.4"), true, 1, true,
		  "1:1 10.0.0.2 gone 0; 2:1 10.0.0.3 active 100; 3:1 10.0.0.4 active 100" },
		{ "its row has a new owner", WEB("dsr", "10.0.0.3, 10.0.0.4, 10.0.0.5"), false, -1,
		  false,
		  "0:2 10.0.0.5 active 100; 1:1 10.0.0.2 gone 0; 2:1 10.0.0.3 active 100; "
		  "3:1 10.0.0.4 active 100" },
		{ "a former owner of a freed row",
		  WEB("dsr", "10.0.0.1, 10.0.0.3, 10.0.0.4, 10.0.0.5"), true, -1, true,
		  "0:2 10.0.0.5 active 100; 2:1 10.0.0.3 active 100; 3:1 10.0.0.4 active 100; "
		  "4:1 10.0.0.1 active 100" },
		{ "weight 0 drains",
		  WEB("dsr", "10.0.0.1 weight 0, 10.0.0.3, 10.0.0.4, 10.0.0.5 weight 7"), true, -1,
		  false,
		  "0:2 10.0.0.5 active 7; 2:1 10.0.0.3 active 100; 3:1 10.0.0.4 active 100; "
		  "4:1 10.0.0.1 draining 0" },
		{ "another port is another endpoint",
		  WEB("nat", "10.0.0.1:8080, 10.0.0.3, 10.0.0.4, 10.0.0.5"), false, -1, false,
		  "0:2 10.0.0.5 active 100; 1:2 10.0.0.1:8080 active 100; 2:1 10.0.0.3 active 100; "
		  "3:1 10.0.0.4 active 100; 4:1 10.0.0.1 gone 0" },
	};
	struct support_world world = support_begin();

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		uint32_t referenced = steps[i].referenced;

		support_build(&world, steps[i].text);
		if (steps[i].release)
			cr_expect_eq(release(&world, &referenced, steps[i].referenced >= 0),
				     steps[i].freed, "%s", steps[i].what);
		cr_expect_eq(support_listener(&world, "web")->id, 1);
		expect_rows(support_listener(&world, "web"), steps[i].rows, steps[i].what);
	}
	support_end(&world);
}

/* 3: a full block is left for a larger one: same places, old rows for old flows, until released. */
Test(plan, block_growth)
{
	static const char few[] = WEB("dsr", "10.0.0.1, 10.0.0.2, 10.0.0.3 weight 0");
	static const char many[] = WEB("dsr", "10.0.0.1, 10.0.0.2, 10.0.0.3 weight 0, 10.0.0.4, "
					      "10.0.0.5, 10.0.0.6");
	struct support_world world = support_begin();
	const struct plan_listener *web;
	const uint32_t flows[] = { 1, 2 };

	support_build(&world, few);
	cr_expect_eq(support_listener(&world, "web")->block_size, 8);
	support_build(&world, many);
	web = support_listener(&world, "web");
	cr_expect(web->block == 16 && web->block_size == 16);
	expect_rows(web,
		    "0:1 10.0.0.1 draining 0; 1:1 10.0.0.2 draining 0; 2:1 10.0.0.3 draining 0; "
		    "16:1 10.0.0.1 active 100; 17:1 10.0.0.2 active 100; 18:1 10.0.0.3 draining 0; "
		    "19:1 10.0.0.4 active 100; 20:1 10.0.0.5 active 100; 21:1 10.0.0.6 active 100",
		    "grown");
	for (uint32_t i = 0; i < web->table[PLAN_IP4].size; i++) {
		struct slot slot = web->table[PLAN_IP4].slots[i];

		cr_assert_lt(slot.previous, 6);
		cr_assert(slot.phase == WEIR_STABLE ? slot.current < 2 : slot.previous < 2);
	}

	cr_expect(release(&world, flows, 2), "old row 0 has no flow any more");
	expect_rows(support_listener(&world, "web"),
		    "1:1 10.0.0.2 draining 0; 2:1 10.0.0.3 draining 0; "
		    "16:1 10.0.0.1 active 100; 17:1 10.0.0.2 active 100; 18:1 10.0.0.3 draining 0; "
		    "19:1 10.0.0.4 active 100; 20:1 10.0.0.5 active 100; 21:1 10.0.0.6 active 100",
		    "released");
	cr_expect(!release(&world, flows, 2));

	support_build(&world, WEB("dsr", "10.0.0.4, 10.0.0.2"));
	expect_rows(support_listener(&world, "web"),
		    "1:1 10.0.0.2 draining 0; 2:1 10.0.0.3 gone 0; "
		    "16:1 10.0.0.1 gone 0; 17:1 10.0.0.2 active 100; 18:1 10.0.0.3 gone 0; "
		    "19:1 10.0.0.4 active 100; 20:1 10.0.0.5 gone 0; 21:1 10.0.0.6 gone 0",
		    "shrunk");
	cr_expect(release(&world, NULL, 0));
	expect_rows(support_listener(&world, "web"),
		    "17:1 10.0.0.2 active 100; 19:1 10.0.0.4 active 100", "all released");
	support_end(&world);
}

/* 4: rows that a block left behind are nobody else's while they have flows. */
Test(plan, rows_left_behind)
{
	struct support_world world = support_begin();
	const uint32_t flows[] = { 0 };

	support_build(&world, WEB("dsr", "10.0.0.1, 10.0.0.2"));
	support_build(&world, WEB("dsr", "10.0.0.1, 10.0.0.2, 10.0.0.3"));
	cr_expect_eq(support_listener(&world, "web")->block, 8, "4 rows were too few");
	support_build(&world, WEB("dsr", "10.0.0.1, 10.0.0.2, 10.0.0.3")
				      LISTENER("dns", "udp", "192.0.2.1", "10.0.1.1, 10.0.1.2"));
	cr_expect_eq(support_listener(&world, "dns")->block, 4, "0 and 1 are taken");
	release(&world, flows, 1);
	support_build(&world,
		      WEB("dsr", "10.0.0.1, 10.0.0.2, 10.0.0.3")
			      LISTENER("dns", "udp", "192.0.2.1", "10.0.1.1, 10.0.1.2")
				      LISTENER("two", "udp", "192.0.2.2", "10.0.1.1, 10.0.1.2"));
	cr_expect_eq(support_listener(&world, "two")->block, 16, "0 still is");
	release(&world, NULL, 0);
	support_build(&world,
		      WEB("dsr", "10.0.0.1, 10.0.0.2, 10.0.0.3")
			      LISTENER("dns", "udp", "192.0.2.1", "10.0.1.1, 10.0.1.2")
				      LISTENER("two", "udp", "192.0.2.2", "10.0.1.1, 10.0.1.2")
					      LISTENER("three", "udp", "192.0.2.3", "10.0.1.1"));
	cr_expect_eq(support_listener(&world, "three")->block, 0);
	cr_expect_eq(support_listener(&world, "three")->endpoints.items[0].generation, 2);
	support_end(&world);
}

/* 5: removed listeners keep id and rows until their flows are over; a name may come back. */
Test(plan, listeners_come_and_go)
{
	static const char none[] = "version: 1\nlisteners: []\n";
	struct support_world world = support_begin();
	const uint32_t flows[] = { 0 };

	support_build(&world, "version: 1\nlisteners:\n" LISTENER("a", "udp", "192.0.2.1",
								  "10.0.0.1, 10.0.0.2")
				      LISTENER("b", "udp", "192.0.2.2", "10.0.0.1"));
	cr_expect_eq(support_listener(&world, "a")->id, 1);
	cr_expect_eq(support_listener(&world, "b")->id, 2);

	support_build(&world,
		      "version: 1\nlisteners:\n" LISTENER("b", "udp", "192.0.2.2", "10.0.0.1"));
	cr_expect_null(plan_find_listener(world.plan, "a"));
	cr_assert(plan_find_id(world.plan, 1));
	expect_rows(plan_find_id(world.plan, 1), "0:1 10.0.0.1 gone 0; 1:1 10.0.0.2 gone 0",
		    "removed");
	cr_expect_null(plan_find_id(world.plan, 1)->table[PLAN_IP4].slots);
	cr_expect(release(&world, flows, 1));
	expect_rows(plan_find_id(world.plan, 1), "0:1 10.0.0.1 gone 0", "held by a flow");

	/* Of the same name, but TCP: somebody else. */
	support_build(&world,
		      "version: 1\nlisteners:\n" LISTENER("a", "tcp", "192.0.2.1", "10.0.0.1")
			      LISTENER("b", "udp", "192.0.2.2", "10.0.0.1"));
	cr_expect_eq(support_listener(&world, "a")->id, 3);
	/* And back: the id and the row with the flow are its own again. */
	support_build(&world,
		      "version: 1\nlisteners:\n" LISTENER("a", "udp", "192.0.2.1", "10.0.0.1"));
	cr_expect_eq(support_listener(&world, "a")->id, 1);
	expect_rows(support_listener(&world, "a"), "0:1 10.0.0.1 active 100", "back");

	support_build(&world, none);
	cr_expect(release(&world, NULL, 0));
	cr_expect_eq(world.plan->listeners.count, 0);
	cr_expect(!release(&world, NULL, 0));
	support_build(&world,
		      "version: 1\nlisteners:\n" LISTENER("c", "udp", "192.0.2.1", "10.0.0.9"));
	cr_expect_eq(support_listener(&world, "c")->id, 1);
	expect_rows(support_listener(&world, "c"), "0:2 10.0.0.9 active 100", "a new generation");
	support_end(&world);
}

static void expect_phases(const struct plan_table *table, uint32_t stable, uint32_t moving,
			  uint32_t pinned, uint32_t deadline, const char *what)
{
	cr_expect_eq(slots_count(table->slots, table->size, WEIR_STABLE), stable, "%s", what);
	cr_expect_eq(slots_count(table->slots, table->size, WEIR_MOVING), moving, "%s", what);
	cr_expect_eq(slots_count(table->slots, table->size, WEIR_PINNED), pinned, "%s", what);
	cr_expect_eq(table->deadline, deadline, "%s", what);
}

/* 6: dsr: a drained endpoint's slots move, and no more when nobody is left; nat: there is no
 * table then. */
Test(plan, phases_of_dsr)
{
	struct support_world world = support_begin();
	const struct plan_table *table;

	support_build(&world, WEB("dsr", "10.0.0.1, 10.0.0.2"));
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	cr_assert_eq(table->size, 512);
	expect_phases(table, 512, 0, 0, 0, "first");

	world.facts.now = 2000;
	support_build(&world, WEB("dsr", "10.0.0.1, 10.0.0.2 weight 0"));
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	expect_phases(table, 256, 256, 0, 2100, "one drained");
	cr_expect_eq(table->change.moved, 256);

	world.facts.now = 2050;
	support_build(&world, WEB("dsr", "10.0.0.1, 10.0.0.2 weight 0"));
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	expect_phases(table, 256, 256, 0, 2100, "nothing new: the window is the same");
	cr_expect_eq(table->change.moved, 0);

	world.facts.now = 2060;
	support_build(&world, WEB("dsr", "10.0.0.1 weight 0, 10.0.0.2 weight 0"));
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	cr_assert_eq(table->size, 512);
	expect_phases(table, 0, 512, 0, 2160, "all drained");
	for (uint32_t i = 0; i < table->size; i++)
		cr_assert_eq(table->slots[i].current, WEIR_SLOT_NONE);

	world.facts.now = 2070;
	support_build(&world, WEB("dsr", "10.0.0.1 weight 0, 10.0.0.2"));
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	expect_phases(table, 0, 256, 256, 2170, "one is back: its own slots are PINNED");

	support_build(&world, WEB("dsr", "10.0.0.2"));
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	expect_phases(table, 0, 0, 512, 0, "the other is gone: there is nobody to belong to");
	support_end(&world);
}

#define WEB_IDLE(timeout, endpoints)                                                               \
	"version: 1\n"                                                                             \
	"listeners:\n"                                                                             \
	"  - {name: web, protocol: tcp, address: 192.0.2.1, port: 80, mode: dsr,\n"                \
	"     idle_timeout: " timeout ", endpoint_groups: [{name: main, endpoints: [" endpoints    \
	"]}]}\n"

/* 7: a window that is open is as long as flows may be idle. */
Test(plan, window_follows_idle_timeout)
{
	struct support_world world = support_begin();

	support_build(&world, WEB_IDLE("100", "10.0.0.1, 10.0.0.2"));
	support_build(&world, WEB_IDLE("100", "10.0.0.1, 10.0.0.2 weight 0"));
	cr_expect_eq(support_listener(&world, "web")->table[PLAN_IP4].deadline, 1100);
	world.facts.now = 1050;
	support_build(&world, WEB_IDLE("900", "10.0.0.1, 10.0.0.2 weight 0"));
	cr_expect_eq(support_listener(&world, "web")->table[PLAN_IP4].deadline, 1900);
	support_build(&world, WEB_IDLE("10", "10.0.0.1, 10.0.0.2 weight 0"));
	cr_expect_eq(support_listener(&world, "web")->table[PLAN_IP4].deadline, 1900,
		     "those that are idle keep their time");
	support_listener(&world, "web")->table[PLAN_IP4].deadline = 0;
	support_build(&world, WEB_IDLE("10", "10.0.0.1, 10.0.0.2 weight 0"));
	cr_expect_eq(support_listener(&world, "web")->table[PLAN_IP4].deadline, 1060,
		     "one that was lost");
	support_end(&world);
}

/* 8: nat: the flow entry decides, so slots are always STABLE. */
Test(plan, phases_of_nat)
{
	struct support_world world = support_begin();
	const struct plan_table *table;

	support_build(&world, WEB("nat", "10.0.0.1, 10.0.0.2"));
	support_build(&world, WEB("nat", "10.0.0.1, 10.0.0.2 weight 0"));
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	expect_phases(table, 512, 0, 0, 0, "one drained");
	cr_expect_eq(table->change.moved, 256);
	support_build(&world, WEB("nat", "10.0.0.1 weight 0, 10.0.0.2 weight 0"));
	cr_expect_null(support_listener(&world, "web")->table[PLAN_IP4].slots);
	expect_rows(support_listener(&world, "web"),
		    "0:1 10.0.0.1 draining 0; 1:1 10.0.0.2 draining 0", "all drained");
	support_build(&world, WEB("nat", "10.0.0.1, 10.0.0.2"));
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	expect_phases(table, table->size, 0, 0, 0, "back");
	support_end(&world);
}

/* 9: a table never shrinks, grows with inheritance, and only an unchanged one keeps its lines. */
Test(plan, table_sizes_and_lines)
{
	struct support_world world = support_begin();
	struct plan_table *table;

	support_build(&world, WEB("dsr", "10.0.0.1, 10.0.0.2"));
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	table->line = 77;
	support_build(&world, WEB("dsr", "10.0.0.2, 10.0.0.1"));
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	cr_expect_eq(table->line, 77);
	support_build(&world, WEB("dsr", "10.0.0.2 weight 10, 10.0.0.1"));
	table = &support_listener(&world, "web")->table[PLAN_IP4];
	cr_expect_eq(table->line, PLAN_NO_LINE);
	cr_expect_eq(table->size, 2048, "100 * 110 / 10");
	support_build(&world, WEB("dsr", "10.0.0.2, 10.0.0.1"));
	cr_expect_eq(support_listener(&world, "web")->table[PLAN_IP4].size, 2048);
	support_end(&world);
}

/* 10: one table per client family; it goes with the listener's last address of that family. */
Test(plan, families)
{
	struct support_world world = support_begin();
	const struct plan_listener *web;

	support_build(&world, WEB_AT("192.0.2.1, '2001:db8::99'", "dsr",
				     "10.0.0.1, '2001:db8::1 weight 1', '2001:db8::2 weight 3'"));
	web = support_listener(&world, "web");
	cr_expect(web->table[PLAN_IP4].slots && web->table[PLAN_IP6].slots);
	cr_expect_eq(support_endpoint(web, "2001:db8::2")->want[PLAN_IP6], 750000);
	cr_expect_eq(support_endpoint(web, "2001:db8::2")->want[PLAN_IP4], 0);

	support_build(&world, WEB_AT("192.0.2.1, '2001:db8::99'", "dsr",
				     "10.0.0.1, '2001:db8::1 weight 0', '2001:db8::2 weight 0'"));
	web = support_listener(&world, "web");
	expect_phases(&web->table[PLAN_IP6], 0, 512, 0, 1100, "IPv6 drained");
	expect_phases(&web->table[PLAN_IP4], 512, 0, 0, 0, "IPv4 not touched");

	support_build(&world, WEB("dsr", "10.0.0.1"));
	web = support_listener(&world, "web");
	cr_expect(web->table[PLAN_IP4].slots && !web->table[PLAN_IP6].slots);
	cr_expect(!web->table[PLAN_IP6].size && !web->table[PLAN_IP6].deadline);
	support_end(&world);
}

/* 11: overrides decide weight and state, and never the file's weight. */
Test(plan, overrides_in_force)
{
	struct support_world world = support_begin();
	struct override *override;
	const struct plan_listener *web;

	override = overrides_get(&world.overrides, "web", "main", "10.0.0.1");
	override->weight = 50;
	override = overrides_get(&world.overrides, "web", "main", "10.0.0.2");
	override->drained = true;
	override = overrides_get(&world.overrides, "web", "main", "10.0.0.3");
	override->weight = 0;
	support_build(&world, WEB("dsr", "10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4 weight 150"));
	web = support_listener(&world, "web");
	expect_rows(web,
		    "0:1 10.0.0.1 active 50; 1:1 10.0.0.2 draining 0; 2:1 10.0.0.3 draining 0; "
		    "3:1 10.0.0.4 active 150",
		    "overridden");
	cr_expect_eq(support_endpoint(web, "10.0.0.1")->want[PLAN_IP4], 250000);
	cr_expect_eq(support_endpoint(web, "10.0.0.1")->file_weight, 100);
	cr_expect_eq(support_endpoint(web, "10.0.0.2")->file_weight, 100);
	support_end(&world);
}

/* 12: a copy is equal in everything and shares nothing. */
Test(plan, copy)
{
	struct support_world world = support_begin();
	_cleanup_(plan_freep) struct plan *copy = NULL;

	support_build(&world, WEB_AT("192.0.2.1, '2001:db8::99'", "nat",
				     "10.0.0.1:80, 10.0.0.2 weight 7, '[2001:db8::1]:80'")
				      LISTENER("dns", "udp", "192.0.2.1", "10.0.1.1, 10.0.1.2"));
	support_build(&world, WEB("nat", "10.0.0.2")
				      LISTENER("dns", "udp", "192.0.2.1", "10.0.1.2, 10.0.1.3"));
	copy = plan_copy(world.plan);
	cr_assert(copy);
	support_expect_same(world.plan, copy, true);
	vec_foreach(listener, &copy->listeners) {
		vec_foreach(endpoint, &listener->endpoints)
			endpoint->weight++;
		for (int family = 0; family < PLAN_FAMILIES; family++)
			if (listener->table[family].slots)
				listener->table[family].slots[0].current = 9;
	}
	cr_assert_eq(plan_set_generation(copy, 0, 77), 0);
	cr_expect_neq(world.plan->generations.items[0], 77);
	support_expect_same(world.plan, copy, false);
	support_build(&world, WEB("nat", "10.0.0.2"));
	support_end(&world);
}

/* 13: the same input gives the same plan to the byte, and the order of endpoints in the file does
 * not matter to who gets which slot. */
Test(plan, deterministic)
{
	static const char *const texts[] = {
		WEB("dsr", "10.0.0.1, 10.0.0.2 weight 33, 10.0.0.3 weight 7"),
		WEB("dsr", "10.0.0.1, 10.0.0.3 weight 7, 10.0.0.4"),
		WEB("dsr", "10.0.0.2 weight 33, 10.0.0.3 weight 7, 10.0.0.4, 10.0.0.5, 10.0.0.6"),
	};
	struct support_world one = support_begin(), other = support_begin();
	const struct plan_listener *a, *b;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		support_build(&one, texts[i]);
		support_build(&other, texts[i]);
		support_expect_same(one.plan, other.plan, true);
	}
	support_end(&other);
	other = support_begin();
	support_build(&other,
		      WEB("dsr", "10.0.0.6, 10.0.0.5, 10.0.0.4, 10.0.0.3 weight 7, 10.0.0.2 "
				 "weight 33"));
	a = support_listener(&one, "web");
	b = support_listener(&other, "web");
	cr_assert_eq(a->table[PLAN_IP4].size, b->table[PLAN_IP4].size);
	for (uint32_t i = 0; i < a->table[PLAN_IP4].size; i++)
		cr_assert(addr_equal(
			&support_in_block(a, a->table[PLAN_IP4].slots[i].current)->address,
			&support_in_block(b, b->table[PLAN_IP4].slots[i].current)->address));
	support_end(&one);
	support_end(&other);
}

/* Where the listener's IPv4 clients whose hash ends in these bits go: last byte of the address. */
static unsigned goes_to(const struct plan_listener *listener, uint32_t hash)
{
	const struct plan_table *table = &listener->table[PLAN_IP4];

	return support_in_block(listener, table->slots[hash & (table->size - 1)].current)
		->address.bytes[15];
}

/* 14: whatever was in force before, a flow's hash means the same endpoint as on a node that never
 * had anything else in force. */
Test(plan, a_past_does_not_show)
{
	struct support_world old = support_begin(), fresh = support_begin();
	const struct plan_listener *a, *b;

	support_build(&old, WEB("dsr", "10.0.0.1, 10.0.0.2 weight 1, 10.0.0.3"));
	support_build(&old, WEB("dsr", "10.0.0.1, 10.0.0.2 weight 50, 10.0.0.4"));
	support_build(&fresh, WEB("dsr", "10.0.0.1, 10.0.0.2 weight 50, 10.0.0.4"));
	a = support_listener(&old, "web");
	b = support_listener(&fresh, "web");
	cr_assert_eq(a->table[PLAN_IP4].size, 32768, "100 * 201 / 1, and never less");
	cr_assert_eq(b->table[PLAN_IP4].size, 512, "100 * 250 / 50");
	for (uint32_t hash = 0; hash < 32768; hash++)
		cr_assert_eq(goes_to(a, hash), goes_to(b, hash), "%u", hash);
	support_end(&old);
	support_end(&fresh);
}

/* 15: who is drained counts for the size of the table as before: only his slots move. */
Test(plan, a_drain_moves_its_own_slots)
{
	struct support_world world = support_begin();
	const struct plan_listener *web;
	struct override *drain;
	unsigned before[2048];

	support_build(&world, WEB("dsr", "10.0.0.1, 10.0.0.2 weight 10, 10.0.0.3"));
	web = support_listener(&world, "web");
	cr_assert_eq(web->table[PLAN_IP4].size, 4096, "100 * 210 / 10");
	for (uint32_t hash = 0; hash < 2048; hash++)
		before[hash] = goes_to(web, hash);

	drain = overrides_get(&world.overrides, "web", "main", "10.0.0.2");
	drain->drained = true;
	support_build(&world, WEB("dsr", "10.0.0.1, 10.0.0.2 weight 10, 10.0.0.3"));
	web = support_listener(&world, "web");
	cr_expect_lt(web->table[PLAN_IP4].change.moved, 4096 / 10, "%u moved, 195 had to",
		     web->table[PLAN_IP4].change.moved);

	drain->drained = false;
	support_build(&world, WEB("dsr", "10.0.0.1, 10.0.0.2 weight 10, 10.0.0.3"));
	web = support_listener(&world, "web");
	for (uint32_t hash = 0; hash < 2048; hash++)
		cr_expect_eq(goes_to(web, hash), before[hash]);
	support_end(&world);
}
