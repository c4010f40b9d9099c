// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a configuration would change: plan. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "daemon/call.h"
#include "daemon/confirm.h"
#include "daemon/preview.h"
#include "plan/plan_requests.h"

static json_t *changes_json(const struct diff *diff)
{
	static const char *const kinds[] = {
		[DIFF_ADDED] = "added",
		[DIFF_REMOVED] = "removed",
		[DIFF_CHANGED] = "changed",
	};
	json_t *list = json_array();

	vec_foreach(item, &diff->items)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?, s:b}",
						      "change", kinds[item->kind], "object",
						      item->object, "path", item->path, "key",
						      item->key, "before", item->before, "after",
						      item->after, "list", item->list));
	return list;
}

/* Names of the regions whose clients have the table; none: of all others. */
static json_t *regions_json(const struct plan *plan, const struct plan_listener *listener,
			    enum plan_family family, size_t number)
{
	json_t *list = json_array();

	for (size_t i = 1; number && i < plan->regions.count; i++)
		if (listener->clients[family].table_of[i] == number)
			json_array_append_new(list, json_string(plan->regions.items[i].name));
	return list;
}

/* A table that was there and is not any more has lost all its slots. */
static void add_table(json_t *list, const char *listener, enum plan_family family,
		      const struct plan_table *from, const struct plan_table *to, json_t *regions,
		      json_int_t sums[2])
{
	_cleanup_(json_decrefp) json_t *owned = regions;
	bool had = from && from->slots, has = to && to->slots;
	json_int_t slots = has ? to->size : had ? from->size : 0;
	json_int_t moved = has && had ? to->change.moved : 0;
	const char *change = has && had ? "changed" : has ? "added" : "removed";

	if ((!has && !had) || (has && had && !moved))
		return;
	sums[0] += has && had ? slots : 0;
	sums[1] += moved;
	json_array_append_new(list,
			      json_pack("{s:s, s:s, s:O, s:s, s:I, s:I, s:f}", "listener", listener,
					"family", family == PLAN_IP4 ? "ipv4" : "ipv6", "regions",
					owned, "change", change, "slots", slots, "moved", moved,
					"percent", 100.0 * moved / slots));
}

/* Of a listener that is there afterwards: each table against the one that its clients have had. */
static void add_tables_of(json_t *list, const struct plan *next, const struct plan_listener *before,
			  const struct plan_listener *now, json_int_t sums[2])
{
	plan_foreach_table(table, now)
	{
		enum plan_family family = plan_table_family(now, table);
		const struct plan_table *from = NULL;

		if (before)
			from = plan_table_at(before, family, table->origin);
		add_table(list, now->name, family, from, table,
			  regions_json(next, now, family, plan_table_number(now, table)), sums);
	}
}

static void add_tables(struct call *call, const struct plan *next)
{
	const struct plan *plan = call->daemon->plan;
	json_int_t sums[2] = {};
	json_t *list = json_array();

	vec_foreach(listener, &plan->listeners) {
		const struct plan_listener *now = plan_find_id(next, listener->id);

		if (now)
			add_tables_of(list, next, listener, now, sums);
		for (int family = 0; !now && family < PLAN_FAMILIES; family++)
			add_table(list, listener->name, family, &listener->table[family], NULL,
				  json_array(), sums);
	}
	vec_foreach(listener, &next->listeners)
		if (!plan_find_id(plan, listener->id))
			add_tables_of(list, next, NULL, listener, sums);
	json_object_set_new(call->answer, "tables", list);
	json_object_set_new(call->answer, "slots", json_integer(sums[0]));
	json_object_set_new(call->answer, "moved", json_integer(sums[1]));
}

/* Have its clients of the region a table that is not all others'? */
static bool has_table(const struct plan_listener *listener, size_t region)
{
	for (int family = 0; family < PLAN_FAMILIES; family++)
		if (listener->clients[family].tables.count &&
		    listener->clients[family].table_of[region])
			return true;
	return false;
}

/* Of the items from `first` on, that of regions of which as many requests move; a new one where
 * there is none, and for clients of no region ("") always. */
static json_t *item_of(json_t *list, size_t first, const char *listener, const char *region,
		       double percent)
{
	json_t *item;

	for (size_t i = first; *region && i < json_array_size(list); i++) {
		item = json_array_get(list, i);
		if (json_array_size(json_object_get(item, "regions")) &&
		    json_real_value(json_object_get(item, "percent")) == percent)
			return item;
	}
	item = json_pack("{s:s, s:[], s:f}", "listener", listener, "regions", "percent", percent);
	json_array_append_new(list, item);
	return item;
}

/* Requests of a listener's clients: of no region first, and then of those that have tables. */
static int add_requests_of(json_t *list, const struct plan *next,
			   const struct plan_listener *before, const struct plan_listener *now)
{
	size_t first = json_array_size(list);

	for (size_t i = 0; i < next->regions.count; i++) {
		const char *region = next->regions.items[i].name;
		json_t *item;
		double moved;

		if (i && !has_table(before, i) && !has_table(now, i))
			continue;
		if (plan_requests_moved(before, now, i, &moved) < 0)
			return -ENOMEM;
		moved = round(1000 * moved) / 10;
		if (moved == 0)
			continue;
		item = item_of(list, first, now->name, region, moved);
		if (*region)
			json_array_append_new(json_object_get(item, "regions"),
					      json_string(region));
	}
	return 0;
}

/* What of requests is to slots of flows. */
static int add_requests(struct call *call, const struct plan *next, struct err *err)
{
	json_t *list = json_array();
	int r = 0;

	json_object_set_new(call->answer, "requests", list);
	vec_foreach(listener, &call->daemon->plan->listeners) {
		const struct plan_listener *now = plan_find_id(next, listener->id);

		if (now && listener->mode == WEIR_MODE_PROXY && now->mode == WEIR_MODE_PROXY)
			r = r ?: add_requests_of(list, next, listener, now);
	}
	return r < 0 ? err_set(err, r, "out of memory") : 0;
}

/* Of an endpoint that goes, or of a listener's clients who are shut out. */
static json_t *flows_json(const struct preview *preview)
{
	json_t *list = json_array(), *one;
	char text[ADDR_TEXT_MAX];

	vec_foreach(flows, &preview->flows) {
		if (flows->group[0])
			one = json_pack("{s:o, s:s}", "endpoint",
					json_sprintf("%s/%s/%s", flows->listener, flows->group,
						     flows->endpoint),
					"address", addr_print(&flows->address, text));
		else
			one = json_pack("{s:s}", "listener", flows->listener);
		json_object_set_new(one, "flows", json_integer(flows->flows));
		json_object_set_new(one, "all", json_boolean(flows->counted));
		json_array_append_new(list, one);
	}
	return list;
}

static json_t *overrides_json(const struct overrides *overrides)
{
	json_t *list = json_array();

	vec_foreach(override, &overrides->list) {
		char path[OVERRIDE_PATH_MAX];
		json_t *one =
			json_pack("{s:s, s:b, s:b}", "path", override_path(override, path),
				  "drained", override->drained, "disabled", override->disabled);

		if (override->weight >= 0)
			json_object_set_new(one,
					    *override->endpoint ? "weight" : "traffic_percentage",
					    json_integer(override->weight));
		json_array_append_new(list, one);
	}
	return list;
}

json_t *call_drift_json(const struct drift *drift)
{
	json_t *list = json_array();

	vec_foreach(item, &drift->list)
		json_array_append_new(
			list, json_pack("{s:s, s:s}", "where", item->where, "what", item->what));
	return list;
}

int call_plan(struct call *call, struct err *err)
{
	_cleanup_(preview_fini) struct preview preview = {};
	_cleanup_(change_fini) struct change change = {};
	_cleanup_(model_freep) struct model *model = NULL;
	_cleanup_(freep) char *text = NULL;
	json_t *answer = call->answer;
	const char *name;
	size_t size;
	int r;

	r = call_read_text(call, &name, &text, &size, err);
	r = r ?: change_parse(name, text, size, &model, &change, err);
	r = r ?: change_ready(call->daemon, model, err);
	r = r ?: preview_make(call->daemon, model, &preview, err);
	if (change.report)
		json_object_set_new(answer, "report", json_string(change.report));
	if (r < 0)
		return r;
	json_object_set_new(answer, "file", json_string(name));
	json_object_set_new(answer, "changes", changes_json(&preview.diff));
	add_tables(call, preview.plan);
	r = add_requests(call, preview.plan, err);
	if (r < 0)
		return r;
	json_object_set_new(answer, "differs",
			    json_boolean(preview_differs(&preview) ||
					 json_array_size(json_object_get(answer, "requests"))));
	json_object_set_new(answer, "flows", flows_json(&preview));
	json_object_set_new(answer, "cleared", overrides_json(&preview.cleared));
	json_object_set_new(answer, "drift", call_drift_json(&preview.drift));
	json_object_set_new(answer, "drifted", json_integer(preview.drift.count));
	json_object_set_new(answer, "unconfirmed", json_integer(confirm_left(call->daemon)));
	return 0;
}
