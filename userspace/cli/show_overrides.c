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
	char path[OVERRIDE_PATH_MAX];

	override_path(override, path);
	if (override->weight >= 0) {
		table_add(table, "%s", path);
		table_add(table, "%s %d (file: %u)",
			  override->endpoint[0] ? "weight" : "traffic_percentage", override->weight,
			  override->file_weight);
		add_origin(table, &override->weight_origin);
	}
	if (override->drained) {
		table_add(table, "%s", path);
		table_add(table, "drained");
		add_origin(table, &override->drain_origin);
	}
	if (override->disabled) {
		table_add(table, "%s", path);
		table_add(table, "disabled");
		add_origin(table, &override->disable_origin);
	}
}

static json_t *origin_json(const struct override_origin *origin)
{
	return json_pack("{s:I, s:I, s:I, s:s}", "uid", (json_int_t)origin->who, "since",
			 (json_int_t)origin->since, "until", (json_int_t)origin->until, "why",
			 origin->why);
}

static json_t *weight_json(const struct override *override)
{
	return override->weight < 0 ? json_null() : json_integer(override->weight);
}

static json_t *override_json(const struct override *override)
{
	char path[OVERRIDE_PATH_MAX];
	json_t *json;

	override_path(override, path);
	if (override->endpoint[0])
		json = json_pack("{s:s, s:o, s:b}", "endpoint", path, "weight",
				 weight_json(override), "drained", override->drained);
	else if (override->group[0])
		json = json_pack("{s:s, s:o}", "group", path, "traffic_percentage",
				 weight_json(override));
	else
		json = json_pack("{s:s}", "listener", path);
	json_object_set_new(json, "disabled", json_boolean(override->disabled));
	if (override->weight >= 0)
		json_object_set_new(json, override->endpoint[0] ? "weight_origin" : "origin",
				    origin_json(&override->weight_origin));
	if (override->drained)
		json_object_set_new(json, "drain_origin", origin_json(&override->drain_origin));
	if (override->disabled)
		json_object_set_new(json, "disable_origin", origin_json(&override->disable_origin));
	return json;
}

void cli_show_disabled(const struct cli *cli)
{
	_cleanup_(state_fini) struct state state = {};
	char path[OVERRIDE_PATH_MAX];

	if (state_load(cli->instance, &state, NULL) < 0)
		return;
	vec_foreach(override, &state.overrides.list)
		if (override->disabled)
			printf("%s  disabled (weir show overrides)\n",
			       override_path(override, path));
}

int cli_show_overrides(const struct cli *cli, struct err *err)
{
	static const char *const head[] = { "WHERE", "WHAT", "UID", "SINCE", "UNTIL", "WHY" };
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
