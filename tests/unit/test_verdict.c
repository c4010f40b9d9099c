// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: an endpoint that a health check finds abnormal loses its slots at once, few others change
 * hands with them (maglev.h) and none of these forgets its flows; when it is back, everything is
 * where it was; config, override and health stay three layers.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "plan/support.h"

static const char text[] =
	"version: 1\n"
	"listeners:\n"
	"- {name: web, protocol: tcp, address: 192.0.2.1, port: 80, mode: %s, endpoint_groups: "
	"[{name: main, health_check: {threshold: 2}, endpoints: [10.0.0.1 weight 50, "
	"10.0.0.2 weight 30, 10.0.0.3 weight 20]}]}\n"
	"- {name: free, protocol: tcp, address: 192.0.2.1, port: 81, mode: %s, endpoint_groups: "
	"[{name: main, endpoints: [10.0.0.1, 10.0.0.2]}]}\n";

static struct support_world world;
static struct verdicts verdicts;
static struct model *model;

static void begin(const char *mode)
{
	char whole[sizeof(text) + 16];

	snprintf(whole, sizeof(whole), text, mode, mode);
	world = support_begin();
	model = support_parse(whole);
	world.facts.verdicts = &verdicts;
	cr_assert_eq(support_build_model(&world, model), 0, "%s", world.err.text);
}

static void end(void)
{
	model_free(model);
	verdicts_fini(&verdicts);
	support_end(&world);
}

/* A health check says so of an endpoint of both listeners; then the plan is built anew. */
static void find(const char *endpoint, uint8_t state)
{
	static const char *const listeners[] = { "web", "free" };
	struct plan *next = NULL;

	for (size_t i = 0; i < 2; i++) {
		struct verdict verdict = { .address = support_addr(endpoint), .group = "main" };
		struct verdict *known;

		strcpy(verdict.listener, listeners[i]);
		strcpy(verdict.endpoint, endpoint);
		known = verdicts_find(&verdicts, listeners[i], "main", endpoint, &verdict.address);
		if (!known) {
			cr_assert_eq(verdicts_add(&verdicts, &verdict), 0);
			known = &verdicts.list.items[verdicts.list.count - 1];
		}
		known->health.state = state;
	}
	cr_assert_eq(
		plan_build(model, &world.overrides, &world.facts, world.plan, &next, &world.err), 0,
		"%s", world.err.text);
	plan_free(world.plan);
	world.plan = next;
}

static struct plan_table *table(void)
{
	return &support_listener(&world, "web")->table[PLAN_IP4];
}

/* The owners of all slots, as places in the block; the caller frees. */
static uint16_t *owners(void)
{
	uint16_t *list = calloc(table()->size, sizeof(*list));

	cr_assert(list);
	for (uint32_t i = 0; i < table()->size; i++)
		list[i] = table()->slots[i].current;
	return list;
}

static uint16_t place(const char *address)
{
	const struct plan_listener *web = support_listener(&world, "web");

	return support_endpoint(web, address)->row - web->block;
}

static void its_slots_move(const char *mode, enum weir_phase left)
{
	_cleanup_(freep) uint16_t *before = NULL;
	bool tracked = left == WEIR_PINNED;
	unsigned others = 0;
	uint16_t dead;

	begin(mode);
	dead = place("10.0.0.2");
	before = owners();
	find("10.0.0.2", WEIR_HEALTH_ABNORMAL);
	for (uint32_t i = 0; i < table()->size; i++) {
		struct slot slot = table()->slots[i];

		cr_assert_neq(slot.current, dead);
		if (before[i] == slot.current) {
			cr_assert_eq(slot.phase, WEIR_STABLE);
		} else if (before[i] != dead) {
			others++;
			cr_assert_eq(slot.phase, tracked ? WEIR_MOVING : WEIR_STABLE);
			cr_assert_eq(slot.previous, tracked ? before[i] : slot.current);
		} else {
			/* Nobody can be with the dead any more: no flow has to be asked for. */
			cr_assert_eq(slot.phase, left);
			cr_assert_eq(slot.previous, slot.current);
		}
	}
	cr_expect_leq(others, table()->size * 3 / 100);
	cr_expect_eq(support_endpoint(support_listener(&world, "web"), "10.0.0.2")->state,
		     WEIR_ENDPOINT_DEAD);
	cr_expect_eq(support_endpoint(support_listener(&world, "web"), "10.0.0.2")->want[PLAN_IP4],
		     0);
	find("10.0.0.2", WEIR_HEALTH_NORMAL);
	for (uint32_t i = 0; i < table()->size; i++)
		cr_assert_eq(table()->slots[i].current, before[i]);
	end();
}

Test(verdict, the_slots_of_the_dead_move_nat)
{
	its_slots_move("nat", WEIR_STABLE);
}

Test(verdict, the_slots_of_the_dead_move_dsr)
{
	its_slots_move("dsr", WEIR_PINNED);
}

Test(verdict, the_size_of_a_table_is_not_of_health)
{
	uint32_t size;

	begin("dsr");
	size = table()->size;
	find("10.0.0.1", WEIR_HEALTH_ABNORMAL);
	find("10.0.0.2", WEIR_HEALTH_ABNORMAL);
	cr_expect_eq(table()->size, size);
	find("10.0.0.2", WEIR_HEALTH_NORMAL);
	cr_expect_eq(table()->size, size);
	end();
}

Test(verdict, nobody_is_left)
{
	const struct plan_listener *web;

	begin("nat");
	find("10.0.0.1", WEIR_HEALTH_ABNORMAL);
	find("10.0.0.2", WEIR_HEALTH_ABNORMAL);
	find("10.0.0.3", WEIR_HEALTH_ABNORMAL);
	web = support_listener(&world, "web");
	cr_expect_null(web->table[PLAN_IP4].slots);
	cr_expect_eq(web->endpoints.count, 3);
	find("10.0.0.3", WEIR_HEALTH_NORMAL);
	for (uint32_t i = 0; i < table()->size; i++)
		cr_assert_eq(table()->slots[i].current, place("10.0.0.3"));
	end();
}

Test(verdict, what_is_unknown_is_usable)
{
	begin("nat");
	find("10.0.0.1", WEIR_HEALTH_UNKNOWN);
	cr_expect_eq(support_endpoint(support_listener(&world, "web"), "10.0.0.1")->state,
		     WEIR_ENDPOINT_ACTIVE);
	end();
}

Test(verdict, a_group_without_checks_has_none)
{
	const struct plan_endpoint *endpoint;

	begin("nat");
	find("10.0.0.1", WEIR_HEALTH_ABNORMAL); /* of a check that the file had before */
	endpoint = support_endpoint(support_listener(&world, "free"), "10.0.0.1");
	cr_expect_eq(endpoint->state, WEIR_ENDPOINT_ACTIVE);
	cr_expect_eq(endpoint->health.state, WEIR_HEALTH_UNCHECKED);
	end();
}

/* A drained endpoint that dies and is undrained does not come back before it is normal. */
Test(verdict, the_layers_stay_apart)
{
	struct plan_endpoint *endpoint;
	struct override *override;

	begin("nat");
	override = overrides_get(&world.overrides, "web", "main", "10.0.0.1");
	override->drained = true;
	find("10.0.0.1", WEIR_HEALTH_NORMAL);
	endpoint = support_endpoint(support_listener(&world, "web"), "10.0.0.1");
	cr_expect_eq(endpoint->state, WEIR_ENDPOINT_DRAINING);
	find("10.0.0.1", WEIR_HEALTH_ABNORMAL);
	endpoint = support_endpoint(support_listener(&world, "web"), "10.0.0.1");
	cr_expect_eq(endpoint->state, WEIR_ENDPOINT_DEAD);
	override->drained = false;
	find("10.0.0.1", WEIR_HEALTH_ABNORMAL);
	endpoint = support_endpoint(support_listener(&world, "web"), "10.0.0.1");
	cr_expect_eq(endpoint->state, WEIR_ENDPOINT_DEAD);
	cr_expect_eq(endpoint->weight, 50);
	cr_expect_eq(endpoint->file_weight, 50);
	find("10.0.0.1", WEIR_HEALTH_NORMAL);
	endpoint = support_endpoint(support_listener(&world, "web"), "10.0.0.1");
	cr_expect_eq(endpoint->state, WEIR_ENDPOINT_ACTIVE);
	end();
}

static const char *sum_of(unsigned unchecked, unsigned normal, unsigned abnormal)
{
	const struct weir_health none = {}, good = { .state = WEIR_HEALTH_NORMAL },
				 bad = { .state = WEIR_HEALTH_ABNORMAL };
	struct verdict_sum sum = {};

	while (unchecked--)
		verdict_sum_add(&sum, &none);
	while (normal--)
		verdict_sum_add(&sum, &good);
	while (abnormal--)
		verdict_sum_add(&sum, &bad);
	return verdict_sum_name(&sum);
}

Test(verdict, sums)
{
	cr_expect_str_eq(sum_of(2, 0, 0), "unchecked");
	cr_expect_str_eq(sum_of(0, 2, 0), "normal");
	cr_expect_str_eq(sum_of(0, 1, 1), "partially_abnormal");
	cr_expect_str_eq(sum_of(0, 0, 2), "abnormal");
	cr_expect_str_eq(sum_of(1, 0, 2), "partially_abnormal");
}

/* Every reason has a name and words of its own. */
Test(verdict, reasons)
{
	char one[VERDICT_REASON_MAX], other[VERDICT_REASON_MAX];

	for (uint8_t i = 0; i < WEIR_HEALTH_REASON_COUNT; i++) {
		struct weir_health a = { .reason = i };

		for (uint8_t j = 0; j < i; j++) {
			struct weir_health b = { .reason = j };

			cr_expect_str_neq(verdict_reason_name(&a), verdict_reason_name(&b));
			cr_expect_str_neq(verdict_reason(&a, one), verdict_reason(&b, other));
		}
	}
	cr_expect_str_eq(verdict_reason_name(&(struct weir_health){ .reason = 255 }), "?");
}
