// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* show overrides: of the state file, not of the maps: what outlives a restart. */
#include "cli/output.h"
#include "cli/table.h"
#include "daemon/state.h"

/* Who, since when, until when and why; in what an older version has written nobody knows. */
static void add_origin(struct table *table, const struct override_origin *origin)
{
	char text[OUTPUT_TIME_MAX];

	if (!origin->since) {
		for (int i = 0; i < 4; i++)
			table_add(table, "-");
		return;
	}
	table_add(table, "%u", origin->who);
	table_add(table, "%s", output_time(origin->since, text));
	table_add(table, "%s", origin->until ? output_time(origin->until, text) : "-");
	table_add(table, "%s", origin->why[0] ? origin->why : "-");
}

static void add_override(struct table *table, const struct override *override)
{
	if (!override->endpoint[0]) {
		table_add(table, "%s/%s", override->listener, override->group);
		table_add(table, "traffic_percentage %d (file: %u)", override->weight,
			  override->file_weight);
		add_origin(table, &override->weight_origin);
		return;
	}
	if (override->weight >= 0) {
		table_add(table, "%s/%s/%s", override->listener, override->group,
			  override->endpoint);
		table_add(table, "weight %d (file: %u)", override->weight, override->file_weight);
		add_origin(table, &override->weight_origin);
	}
	if (override->drained) {
		table_add(table, "%s/%s/%s", override->listener, override->group,
			  override->endpoint);
		table_add(table, "drained");
		add_origin(table, &override->drain_origin);
	}
}

static json_t *origin_json(const struct override_origin *origin)
{
	return json_pack("{s:I, s:I, s:I, s:s}", "uid", (json_int_t)origin->who, "since",
			 (json_int_t)origin->since, "until", (json_int_t)origin->until, "why",
			 origin->why);
}

static json_t *group_json(const struct override *override)
{
	return json_pack("{s:o, s:i, s:o}", "group",
			 json_sprintf("%s/%s", override->listener, override->group),
			 "traffic_percentage", override->weight, "origin",
			 origin_json(&override->weight_origin));
}

static json_t *override_json(const struct override *override)
{
	json_t *json;

	if (!override->endpoint[0])
		return group_json(override);
	json = json_pack(
		"{s:o, s:o, s:b}", "endpoint",
		json_sprintf("%s/%s/%s", override->listener, override->group, override->endpoint),
		"weight", override->weight < 0 ? json_null() : json_integer(override->weight),
		"drained", override->drained);

	if (override->weight >= 0)
		json_object_set_new(json, "weight_origin", origin_json(&override->weight_origin));
	if (override->drained)
		json_object_set_new(json, "drain_origin", origin_json(&override->drain_origin));
	return json;
}

int cli_show_overrides(const struct cli *cli, struct err *err)
{
	static const char *const head[] = { "ENDPOINT", "WHAT", "UID", "SINCE", "UNTIL", "WHY" };
	_cleanup_(state_fini) struct state state = {};
	struct table table = { .align = "llrlll" };
	json_t *list;
	int r = state_load(cli->instance, &state, err);

	if (r < 0)
		return r;
	if (cli->json) {
		list = json_array();
		vec_foreach(override, &state.overrides.list)
			json_array_append_new(list, override_json(override));
		output_json(cli, list);
		return 0;
	}
	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		table_add(&table, "%s", head[i]);
	vec_foreach(override, &state.overrides.list)
		add_override(&table, override);
	table_print(&table, stdout);
	table_fini(&table);
	return 0;
}
