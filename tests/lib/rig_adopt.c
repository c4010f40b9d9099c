// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "rig_adopt.h"

#include <string.h>

#include "dataplane/drift.h"
#include "dataplane/sync.h"

struct plan *rig_adopt(void)
{
	struct plan *plan = NULL;
	struct err err = {};

	cr_assert_eq(sync_adopt(rig.object, &plan, &err), 0, "%s", err.text);
	return plan;
}

static bool has_address(const struct plan_listener *listener, const struct addr *address)
{
	vec_foreach(one, &listener->addresses)
		if (addr_equal(one, address))
			return true;
	return false;
}

static void expect_same_endpoint(const struct plan_endpoint *a, const struct plan_endpoint *b,
				 const char *when)
{
	cr_assert_str_eq(a->name, b->name, "%s", when);
	cr_assert_str_eq(a->group, b->group, "%s: %s", when, a->name);
	cr_assert(addr_equal(&a->address, &b->address), "%s: %s", when, a->name);
	cr_assert_eq(a->port, b->port, "%s: %s", when, a->name);
	cr_assert_eq(a->weight, b->weight, "%s: %s: weight %u, %u", when, a->name, a->weight,
		     b->weight);
	cr_assert_eq(a->file_weight, b->file_weight, "%s: %s", when, a->name);
	cr_assert_eq(a->undrained_weight, b->undrained_weight, "%s: %s", when, a->name);
	cr_assert_eq(a->sharers, b->sharers, "%s: %s", when, a->name);
	cr_assert_eq(a->state, b->state, "%s: %s: state %u, %u", when, a->name, a->state, b->state);
	cr_assert_eq(a->generation, b->generation, "%s: %s", when, a->name);
	cr_assert_arr_eq(&a->nexthop, &b->nexthop, sizeof(a->nexthop), "%s: %s", when, a->name);
	cr_assert_eq(a->snat, b->snat, "%s: %s", when, a->name);
	cr_assert_eq(a->snat_rows, b->snat_rows, "%s: %s", when, a->name);
	cr_assert_arr_eq(a->want, b->want, sizeof(a->want), "%s: %s", when, a->name);
	cr_assert_eq(a->group_place, b->group_place, "%s: %s", when, a->name);
	cr_assert_eq(a->reachable, b->reachable, "%s: %s", when, a->name);
}

static void expect_same_access(const struct plan_listener *a, const struct plan_listener *b,
			       const char *when)
{
	cr_assert_eq(a->access, b->access, "%s: %s", when, a->name);
	cr_assert_eq(a->guard, b->guard, "%s: %s", when, a->name);
	cr_assert_str_eq(a->lists, b->lists, "%s: %s", when, a->name);
	cr_assert_eq(a->cookies.kind, b->cookies.kind, "%s: %s", when, a->name);
	cr_assert_eq(a->cookies.wscale, b->cookies.wscale, "%s: %s", when, a->name);
	cr_assert_eq(a->new_flows_per_source.count, b->new_flows_per_source.count, "%s: %s", when,
		     a->name);
	cr_assert_eq(a->new_flows_per_source.seconds, b->new_flows_per_source.seconds);
	cr_assert_eq(a->new_flows_per_source.burst, b->new_flows_per_source.burst);
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		cr_assert_eq(!a->ranges[family], !b->ranges[family], "%s: %s", when, a->name);
		if (!a->ranges[family])
			continue;
		cr_assert(bounds_equal(a->ranges[family], b->ranges[family]), "%s: %s", when,
			  a->name);
		cr_assert_eq(a->ranges[family]->line, b->ranges[family]->line, "%s: %s", when,
			     a->name);
	}
}

static void expect_same_table(const struct plan_table *a, const struct plan_table *b,
			      const char *when)
{
	cr_assert_eq(a->slots == NULL, b->slots == NULL, "%s", when);
	/* An adopted window begins anew. */
	cr_assert_eq(a->deadline == 0, b->deadline == 0, "%s: deadline %u, %u", when, a->deadline,
		     b->deadline);
	if (!a->slots)
		return;
	cr_assert_eq(a->size, b->size, "%s", when);
	cr_assert_eq(a->line, b->line, "%s", when);
	cr_assert_arr_eq(a->slots, b->slots, a->size * sizeof(*a->slots), "%s", when);
}

static void expect_same_listener(const struct plan_listener *a, const struct plan_listener *b,
				 const char *when)
{
	cr_assert_str_eq(a->name, b->name, "%s", when);
	cr_assert_eq(a->protocol, b->protocol, "%s", when);
	cr_assert_eq(a->mode, b->mode, "%s", when);
	cr_assert_eq(a->vip_route, b->vip_route, "%s", when);
	cr_assert_eq(a->idle_timeout, b->idle_timeout, "%s", when);
	cr_assert_eq(a->block, b->block, "%s", when);
	cr_assert_eq(a->block_size, b->block_size, "%s", when);
	cr_assert_eq(a->addresses.count, b->addresses.count, "%s: %s", when, a->name);
	vec_foreach(address, &a->addresses)
		cr_assert(has_address(b, address), "%s: %s", when, a->name);
	cr_assert_eq(a->ports.count, b->ports.count, "%s: %s", when, a->name);
	for (size_t i = 0; i < a->ports.count; i++)
		cr_assert_arr_eq(&a->ports.items[i], &b->ports.items[i], sizeof(struct port_range));
	cr_assert_eq(a->fail_open, b->fail_open, "%s: %s", when, a->name);
	cr_assert_eq(a->groups.count, b->groups.count, "%s: %s", when, a->name);
	for (size_t i = 0; i < a->groups.count; i++)
		cr_assert_arr_eq(&a->groups.items[i], &b->groups.items[i],
				 sizeof(struct plan_group), "%s: %s", when, a->name);
	cr_assert_eq(a->endpoints.count, b->endpoints.count, "%s: %s", when, a->name);
	vec_foreach(endpoint, &a->endpoints) {
		const struct plan_endpoint *same = plan_find_row(b, endpoint->row);

		cr_assert(same, "%s: %s: row %u", when, endpoint->name, endpoint->row);
		expect_same_endpoint(endpoint, same, when);
	}
	expect_same_access(a, b, when);
	cr_assert_eq(plan_count_tables(a), plan_count_tables(b), "%s: %s", when, a->name);
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		const struct plan_clients *x = &a->clients[family], *y = &b->clients[family];

		for (size_t i = 0; i <= x->tables.count; i++)
			expect_same_table(plan_table_at(a, family, i), plan_table_at(b, family, i),
					  when);
		cr_assert_eq(x->block, y->block, "%s: %s", when, a->name);
		if (x->tables.count)
			cr_assert_arr_eq(x->table_of, y->table_of, WEIR_MAX_REGIONS, "%s: %s", when,
					 a->name);
	}
}

/* Everything but what plan_build() did: places and contents. Lists of rows may end in free ones. */
void rig_expect_same_plan(const struct plan *a, const struct plan *b, const char *when)
{
	cr_assert_eq(a->hash_seed, b->hash_seed, "%s", when);
	cr_assert_eq(a->answers_per_second, b->answers_per_second, "%s", when);
	cr_assert_eq(a->listeners.count, b->listeners.count, "%s", when);
	vec_foreach(listener, &a->listeners) {
		const struct plan_listener *same = plan_find_id(b, listener->id);

		cr_assert(same, "%s: listener %u", when, listener->id);
		expect_same_listener(listener, same, when);
	}
	for (size_t i = 1; i < WEIR_MAX_EGRESS; i++) {
		struct weir_egress x = {}, y = {};

		x = i < a->egress.count ? a->egress.items[i] : x;
		y = i < b->egress.count ? b->egress.items[i] : y;
		cr_assert_arr_eq(&x, &y, sizeof(x), "%s: egress %zu", when, i);
	}
	for (size_t i = 1; i < WEIR_MAX_SNAT; i++) {
		struct plan_snat x = {}, y = {};

		x = i < a->snat.count ? a->snat.items[i] : x;
		y = i < b->snat.count ? b->snat.items[i] : y;
		cr_assert_arr_eq(&x.row, &y.row, sizeof(x.row), "%s: snat %zu: ports %u, %u", when,
				 i, x.row.ports, y.row.ports);
		cr_assert_eq(x.used, y.used, "%s: snat %zu", when, i);
	}
	cr_assert_eq(a->generations.count, b->generations.count, "%s", when);
	for (size_t i = 0; i < a->generations.count; i++)
		cr_assert_eq(a->generations.items[i], b->generations.items[i], "%s: row %zu", when,
			     i);
}

/* Nothing that nobody else has changed is taken for it. */
static void expect_no_drift(const char *when)
{
	_cleanup_(drift_fini) struct drift drift = {};

	drift_find(rig.object, rig.plan, DRIFT_LOOK, &drift);
	cr_assert(!drift.failed);
	vec_foreach(item, &drift.list)
		cr_assert(false, "%s: %s: %s", when, item->where, item->what);
}

void rig_expect_adopted(const char *when)
{
	struct plan *adopted = rig_adopt();

	rig_expect_same_plan(rig.plan, adopted, when);
	plan_free(adopted);
	expect_no_drift(when);
}

/* A plan made anew from the same model: nothing moves, and no table needs other lines. */
void rig_expect_settled(const char *when)
{
	struct plan *again = rig_plan();

	rig_expect_same_plan(rig.plan, again, when);
	vec_foreach(listener, &again->listeners)
		for (int family = 0; family < PLAN_FAMILIES; family++)
			if (listener->table[family].slots)
				cr_assert_eq(listener->table[family].change.moved, 0, "%s", when);
	plan_free(again);
}
