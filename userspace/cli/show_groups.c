// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/show_groups.h"

#include <string.h>

#include "cli/table.h"

/* What its endpoints say of a group. */
struct sum {
	unsigned endpoints;
	unsigned usable;
	double want[PLAN_FAMILIES]; /* of the family's new flows, 0..1 */
	uint64_t flows;		    /* tracked at the moment */
	struct verdict_sum health;
};

/* Who is abnormal stays so where its listener fails open. */
static bool is_usable(const struct plan_endpoint *endpoint)
{
	return endpoint->weight && endpoint->reachable && plan_is_usable(endpoint) &&
	       endpoint->health.state != WEIR_HEALTH_ABNORMAL;
}

static struct sum sum_of(const struct report_listener *listener, const struct plan_group *group)
{
	struct sum sum = {};

	vec_foreach(endpoint, &listener->endpoints) {
		const struct plan_endpoint *plan = endpoint->plan;

		if (strcmp(plan->group, group->name))
			continue;
		sum.endpoints++;
		sum.usable += is_usable(plan);
		verdict_sum_add(&sum.health, &plan->health);
		sum.flows += endpoint->flows;
		for (int family = 0; family < PLAN_FAMILIES; family++)
			sum.want[family] += plan->want[family] / 1e6;
	}
	return sum;
}

static bool is_in(const struct plan_listener *listener, const struct plan_group *group,
		  uint16_t place)
{
	const struct plan_endpoint *endpoint = plan_find_row(listener, listener->block + place);

	return endpoint && !strcmp(endpoint->group, group->name);
}

/* Do clients of some region get it, if not those of none? */
static bool serves_regions(const struct plan_listener *listener, const struct plan_group *group)
{
	uint16_t last = WEIR_SLOT_NONE;

	for (int family = 0; family < PLAN_FAMILIES; family++) {
		vec_foreach(table, &listener->clients[family].tables) {
			for (uint32_t i = 0; i < table->size; i++) {
				uint16_t current = table->slots[i].current;

				if (current != WEIR_SLOT_NONE && current != last &&
				    is_in(listener, group, current))
					return true;
				last = current;
			}
		}
	}
	return false;
}

static const char *state_of(const struct sum *sum, const struct plan_listener *listener,
			    const struct plan_group *group)
{
	if (sum->want[PLAN_IP4] > 0 || sum->want[PLAN_IP6] > 0 || serves_regions(listener, group))
		return "serving";
	return sum->usable ? "standby" : "unusable";
}

static void add_want(struct table *table, const struct report_listener *listener,
		     const struct sum *sum, enum plan_family family)
{
	if (listener->plan->table[family].slots)
		table_add(table, "%.1f", 100 * sum->want[family]);
	else
		table_add(table, "-");
}

static void add_group(struct table *table, const struct report_listener *listener,
		      const struct plan_group *group)
{
	struct sum sum = sum_of(listener, group);

	if (!sum.endpoints) /* the selector has left them out */
		return;
	table_add(table, "%s/%s", listener->plan->name, group->name);
	table_add(table, "%s", group->region);
	table_add(table, "%u", group->traffic_percentage);
	table_add(table, "%s", state_of(&sum, listener->plan, group));
	table_add(table, "%s", verdict_sum_name(&sum.health));
	table_add(table, "%u of %u", sum.usable, sum.endpoints);
	add_want(table, listener, &sum, PLAN_IP4);
	add_want(table, listener, &sum, PLAN_IP6);
	table_add(table, "%llu", (unsigned long long)sum.flows);
}

void show_groups_print(const struct report *report)
{
	static const char *const head[] = { "LISTENER/GROUP", "REGION", "PERCENT", "STATE",
					    "HEALTH",	      "USABLE", "WANT4",   "WANT6",
					    "FLOWS",	      NULL };
	struct table table = { .align = "llrllrrrr" };

	for (const char *const *name = head; *name; name++)
		table_add(&table, "%s", *name);
	vec_foreach(listener, &report->listeners)
		vec_foreach(group, &listener->plan->groups)
			add_group(&table, listener, group);
	table_print(&table, stdout);
}

static json_t *want_json(const struct report_listener *listener, const struct sum *sum,
			 enum plan_family family)
{
	return listener->plan->table[family].slots ? json_real(sum->want[family]) : json_null();
}

/* The nearest group of a listener comes first. */
json_t *show_groups_json(const struct report *report)
{
	json_t *list = json_array();

	vec_foreach(listener, &report->listeners) {
		vec_foreach(group, &listener->plan->groups) {
			struct sum sum = sum_of(listener, group);

			if (!sum.endpoints)
				continue;
			json_array_append_new(
				list,
				json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:i, s:o, s:o, s:I}",
					  "listener", listener->plan->name, "group", group->name,
					  "region", group->region, "traffic_percentage",
					  group->traffic_percentage, "state",
					  state_of(&sum, listener->plan, group), "health",
					  verdict_sum_name(&sum.health), "endpoints", sum.endpoints,
					  "usable", sum.usable, "want_ip4",
					  want_json(listener, &sum, PLAN_IP4), "want_ip6",
					  want_json(listener, &sum, PLAN_IP6), "flows",
					  (json_int_t)sum.flows));
		}
	}
	return list;
}
