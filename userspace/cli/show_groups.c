// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/show_groups.h"

#include <string.h>

#include "cli/table.h"
#include "plan/plan_shares.h"
#include "util/str.h"

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

/* Do slots name it? */
static bool has_slots(const struct plan_listener *listener, const struct plan_table *table,
		      const struct plan_group *group)
{
	uint16_t last = WEIR_SLOT_NONE;

	for (uint32_t i = 0; table->slots && i < table->size; i++) {
		uint16_t current = table->slots[i].current;

		if (current != WEIR_SLOT_NONE && current != last && is_in(listener, group, current))
			return true;
		last = current;
	}
	return false;
}

/* Of an http listener, which has no slots: do requests go there, in the table's order? */
static bool has_share(const struct plan_listener *listener, const struct plan_table *table,
		      const struct plan_group *group)
{
	_cleanup_(plan_shares_fini) struct plan_shares shares = {};
	enum plan_family family = plan_table_family(listener, table);

	if (plan_shares_fold(listener, family, table->order, &shares) < 0)
		return false;
	for (size_t i = 0; i < shares.count; i++)
		if (shares.endpoints[i].weight &&
		    !strcmp(listener->endpoints.items[shares.places[i]].group, group->name))
			return true;
	return false;
}

/* Do clients of a region get it who have a table of their own? */
static bool serves_region(const struct plan_listener *listener, const struct plan_group *group,
			  size_t region)
{
	for (enum plan_family family = 0; family < PLAN_FAMILIES; family++) {
		const struct plan_clients *clients = &listener->clients[family];
		const struct plan_table *table;

		if (!clients->tables.count || !clients->table_of[region])
			continue;
		table = plan_table_at(listener, family, clients->table_of[region]);
		if (listener->mode == WEIR_MODE_PROXY ? has_share(listener, table, group)
						      : has_slots(listener, table, group))
			return true;
	}
	return false;
}

/* Names of regions whose clients get it, if groups are near to them otherwise than to the node. */
static json_t *regions_json(const struct report *report, const struct plan_listener *listener,
			    const struct plan_group *group)
{
	const struct plan *plan = report->plan;
	json_t *list = json_array();

	for (size_t i = 1; i < plan->regions.count; i++)
		if (serves_region(listener, group, i))
			json_array_append_new(list, json_string(plan->regions.items[i].name));
	return list;
}

static const char *state_of(const struct sum *sum, json_t *regions)
{
	if (sum->want[PLAN_IP4] > 0 || sum->want[PLAN_IP6] > 0 || json_array_size(regions))
		return "serving";
	return sum->usable ? "standby" : "unusable";
}

/* Does it have clients of the family? */
static bool has_want(const struct plan_listener *listener, enum plan_family family)
{
	if (listener->mode != WEIR_MODE_PROXY)
		return listener->table[family].slots;
	vec_foreach(address, &listener->addresses)
		if (plan_family_of(address) == family)
			return true;
	return false;
}

static void add_regions(struct table *table, json_t *regions)
{
	_cleanup_(str_fini) struct str text = {};
	json_t *region;
	size_t i;

	json_array_foreach(regions, i, region)
		str_add(&text, "%s%s", i ? " " : "", json_string_value(region));
	table_add(table, "%s", text.text ?: "-");
}

static void add_want(struct table *table, const struct report_listener *listener,
		     const struct sum *sum, enum plan_family family)
{
	if (has_want(listener->plan, family))
		table_add(table, "%.1f", 100 * sum->want[family]);
	else
		table_add(table, "-");
}

/* `told`: clients are told apart by their regions. */
static void add_group(struct table *table, const struct report *report,
		      const struct report_listener *listener, const struct plan_group *group,
		      bool told)
{
	_cleanup_(json_decrefp) json_t *regions = regions_json(report, listener->plan, group);
	struct sum sum = sum_of(listener, group);

	if (!sum.endpoints) /* the selector has left them out */
		return;
	table_add(table, "%s/%s", listener->plan->name, group->name);
	table_add(table, "%s", group->region);
	table_add(table, "%u", group->traffic_percentage);
	table_add(table, "%s", state_of(&sum, regions));
	table_add(table, "%s", verdict_sum_name(&sum.health));
	table_add(table, "%u of %u", sum.usable, sum.endpoints);
	add_want(table, listener, &sum, PLAN_IP4);
	add_want(table, listener, &sum, PLAN_IP6);
	table_add(table, "%llu", (unsigned long long)sum.flows);
	if (told)
		add_regions(table, regions);
}

static bool tells_regions(const struct report *report)
{
	vec_foreach(listener, &report->listeners)
		if (plan_count_tables(listener->plan) > PLAN_FAMILIES)
			return true;
	return false;
}

void show_groups_print(const struct report *report)
{
	static const char *const head[] = { "LISTENER/GROUP", "REGION", "PERCENT", "STATE",
					    "HEALTH",	      "USABLE", "WANT4",   "WANT6",
					    "FLOWS",	      NULL };
	bool told = tells_regions(report);
	struct table table = { .align = told ? "llrllrrrrl" : "llrllrrrr" };

	for (const char *const *name = head; *name; name++)
		table_add(&table, "%s", *name);
	if (told)
		table_add(&table, "CLIENTS OF");
	vec_foreach(listener, &report->listeners)
		vec_foreach(group, &listener->plan->groups)
			add_group(&table, report, listener, group, told);
	table_print(&table, stdout);
}

static json_t *want_json(const struct report_listener *listener, const struct sum *sum,
			 enum plan_family family)
{
	return has_want(listener->plan, family) ? json_real(sum->want[family]) : json_null();
}

/* The nearest group of a listener comes first. */
json_t *show_groups_json(const struct report *report)
{
	json_t *list = json_array();

	vec_foreach(listener, &report->listeners) {
		vec_foreach(group, &listener->plan->groups) {
			struct sum sum = sum_of(listener, group);
			json_t *regions;

			if (!sum.endpoints)
				continue;
			regions = regions_json(report, listener->plan, group);
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:i, s:o, "
						"s:o, s:o, s:I}",
						"listener", listener->plan->name, "group",
						group->name, "region", group->region,
						"traffic_percentage", group->traffic_percentage,
						"state", state_of(&sum, regions), "health",
						verdict_sum_name(&sum.health), "endpoints",
						sum.endpoints, "usable", sum.usable, "want_ip4",
						want_json(listener, &sum, PLAN_IP4), "want_ip6",
						want_json(listener, &sum, PLAN_IP6), "clients_of",
						regions, "flows", (json_int_t)sum.flows));
		}
	}
	return list;
}
