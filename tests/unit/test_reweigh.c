// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: a plan of a few listeners alone is what the whole plan would have made of them, whatever
 * weights, drains and results of health checks come in whatever order, and the others are left as
 * they are.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "plan/support.h"

#define LISTENERS 3
#define ENDPOINTS 4
#define ROUNDS	  300

static uint32_t random_below(uint32_t bound)
{
	static uint64_t state = 0x9e3779b97f4a7c15ull;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull >> 32) * bound >> 32);
}

static const char text[] =
	"version: 1\n"
	"client_regions: {file: /nowhere}\n"
	"listeners:\n"
	"- {name: l0, protocol: tcp, address: [192.0.2.1, '2001:db8::1'], port: 80, mode: dsr, "
	"endpoint_groups: [{name: g, health_check: {protocol: tcp}, endpoints: [10.0.0.1, "
	"10.0.0.2, "
	"'fd00::3', 'fd00::4']}]}\n"
	"- {name: l1, protocol: udp, address: 192.0.2.1, port: 53, mode: nat, "
	"endpoint_groups: [{name: g, health_check: {port: 80}, endpoints: ['10.0.0.1:53', "
	"'10.0.0.2:5353', 10.0.0.3, "
	"10.0.0.4]}]}\n"
	"- {name: l2, protocol: tcp, address: 192.0.2.3, port: '80,443', mode: dsr, "
	"endpoint_groups: [{name: g, endpoints: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4]}, "
	"{name: h, region: far, endpoints: [10.0.0.5, 10.0.0.6]}]}\n";

static char *dump(const struct plan_listener *listener)
{
	size_t size;
	char *bytes;
	FILE *out = open_memstream(&bytes, &size);

	support_dump_listener(listener, out);
	fclose(out);
	return bytes;
}

static void expect_same(const struct plan *whole, const struct plan *part, const char *name)
{
	_cleanup_(freep) char *a = dump(plan_find_listener(whole, name));
	_cleanup_(freep) char *b = dump(plan_find_listener(part, name));
	const struct plan_listener *x = plan_find_listener(whole, name);
	const struct plan_listener *y = plan_find_listener(part, name);

	cr_assert_str_eq(a, b, "%s", name);
	cr_assert_eq(plan_count_tables(x), plan_count_tables(y));
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		for (size_t i = 0; i <= x->clients[family].tables.count; i++) {
			const struct plan_table *table = plan_table_at(x, family, i);

			if (table->slots)
				cr_assert_arr_eq(table->slots, plan_table_at(y, family, i)->slots,
						 table->size * sizeof(struct slot));
		}
	}
}

static void change_override(struct overrides *overrides, const struct listener *listener)
{
	const struct endpoint_group *group = &listener->groups.items[0];
	const struct endpoint *endpoint = &group->endpoints.items[random_below(ENDPOINTS)];
	struct override *override =
		overrides_get(overrides, listener->name, group->name, endpoint->name);

	cr_assert(override);
	override->file_weight = endpoint->weight;
	if (random_below(3) == 0)
		override->drained = !override->drained;
	else
		override->weight = (int)random_below(6) * 50;
}

static void change_verdict(struct verdicts *verdicts, const struct listener *listener)
{
	const struct endpoint_group *group = &listener->groups.items[0];
	const struct endpoint *endpoint = &group->endpoints.items[random_below(ENDPOINTS)];
	struct verdict fresh = { .address = endpoint->address };
	struct verdict *known = verdicts_find(verdicts, listener->name, group->name, endpoint->name,
					      &endpoint->address);

	if (!known) {
		strcpy(fresh.listener, listener->name);
		strcpy(fresh.group, group->name);
		strcpy(fresh.endpoint, endpoint->name);
		cr_assert_eq(verdicts_add(verdicts, &fresh), 0);
		known = &verdicts->list.items[verdicts->list.count - 1];
	}
	known->health.state = WEIR_HEALTH_UNKNOWN + random_below(3);
}

Test(reweigh, is_what_the_whole_plan_makes)
{
	struct support_world world = support_begin();
	_cleanup_(model_freep) struct model *model = support_parse(text);
	_cleanup_(verdicts_fini) struct verdicts verdicts = {};
	_cleanup_(locations_freep) struct locations *locations =
		support_clients(&world, "198.51.100.0/24 far\n203.0.113.0/24 default\n");

	cr_assert_eq(support_build_model(&world, model), 0, "%s", world.err.text);
	world.facts.verdicts = &verdicts;
	for (unsigned round = 0; round < ROUNDS; round++) {
		const struct listener *listeners[LISTENERS];
		struct plan *whole = NULL, *part = NULL;
		size_t count = 0;

		for (unsigned i = 0; i < LISTENERS; i++) {
			if (i && random_below(2))
				continue;
			listeners[count++] = &model->listeners.items[i];
			if (random_below(2))
				change_override(&world.overrides, &model->listeners.items[i]);
			else
				change_verdict(&verdicts, &model->listeners.items[i]);
		}
		world.facts.now += random_below(40);
		cr_assert_eq(plan_build(model, &world.overrides, &world.facts, world.plan, &whole,
					&world.err),
			     0, "%s", world.err.text);
		cr_assert_eq(plan_reweigh(listeners, count, &world.overrides, &world.facts,
					  world.plan, &part, &world.err),
			     0, "%s", world.err.text);
		cr_assert_eq(part->listeners.count, count);
		for (size_t i = 0; i < count; i++)
			expect_same(whole, part, listeners[i]->name);
		plan_merge(world.plan, part);
		plan_free(part);
		for (size_t i = 0; i < count; i++)
			expect_same(whole, world.plan, listeners[i]->name);
		plan_free(whole);
	}
	cr_assert_eq(support_listener(&world, "l2")->clients[PLAN_IP4].tables.count, 1);
	support_end(&world);
}

Test(reweigh, refuses_what_is_not_in_force)
{
	struct support_world world = support_begin();
	_cleanup_(model_freep) struct model *model = support_parse(text);
	_cleanup_(model_freep) struct model *other = model_copy(model);
	const struct listener *listener = &other->listeners.items[0];
	struct plan *part = NULL;

	cr_assert_eq(support_build_model(&world, model), 0, "%s", world.err.text);
	other->listeners.items[0].groups.items[0].endpoints.items[0].address =
		support_addr("10.0.0.99");
	cr_expect_eq(plan_reweigh(&listener, 1, &world.overrides, &world.facts, world.plan, &part,
				  &world.err),
		     -ESRCH);
	strcpy(other->listeners.items[0].name, "unknown");
	cr_expect_eq(plan_reweigh(&listener, 1, &world.overrides, &world.facts, world.plan, &part,
				  &world.err),
		     -ESRCH);
	cr_expect_null(part);
	support_end(&world);
}
