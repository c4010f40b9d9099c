// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* history: the configurations that were in force, from their files, with or without a daemon. */
#include "daemon/history.h"

#include <stdlib.h>

#include "cli/output.h"
#include "cli/table.h"
#include "util/cleanup.h"

static json_t *history_json(const struct history *history)
{
	json_t *list = json_array();

	vec_foreach(entry, &history->list)
		json_array_append_new(
			list,
			json_pack("{s:I, s:I, s:I, s:s, s:b}", "number", (json_int_t)entry->number,
				  "when", (json_int_t)entry->when, "uid", (json_int_t)entry->who,
				  "how", entry->how, "in_force",
				  entry + 1 == history->list.items + history->list.count));
	return list;
}

static void print_history(const struct history *history)
{
	struct table table = { .align = "rllll" };
	char when[OUTPUT_TIME_MAX];

	for (size_t i = 0; i < 5; i++)
		table_add(&table, "%s", (const char *[]){ "NUMBER", "SINCE", "UID", "HOW", "" }[i]);
	vec_foreach(entry, &history->list) {
		table_add(&table, "%u", entry->number);
		table_add(&table, "%s", output_time(entry->when, when));
		table_add(&table, "%u", entry->who);
		table_add(&table, "%s", entry->how);
		table_add(&table, "%s",
			  entry + 1 == history->list.items + history->list.count ? "in force" : "");
	}
	table_print(&table, stdout);
}

int cli_history(const struct cli *cli, struct err *err)
{
	_cleanup_(history_fini) struct history history = {};
	_cleanup_(freep) char *text = NULL;
	char *end = NULL;
	int r;

	if (cli->argc > 2)
		return err_set(err, CLI_USAGE, "history: name one number at most");
	if (cli->argc == 2) {
		unsigned long number = strtoul(cli->argv[1], &end, 10);

		if (*end || end == cli->argv[1] || number > UINT32_MAX)
			return err_set(err, CLI_USAGE, "history: '%.40s' is no number",
				       cli->argv[1]);
		r = history_text(cli->instance, number, &text, err);
		if (r < 0)
			return err_set(err, r, "the history has no number %lu; see: weir history",
				       number);
		if (cli->json)
			output_json(cli, json_pack("{s:I, s:s}", "number", (json_int_t)number,
						   "text", text));
		else
			fputs(text, stdout);
		return 0;
	}
	r = history_load(cli->instance, &history, err);
	if (r < 0)
		return r;
	if (cli->json)
		output_json(cli, history_json(&history));
	else
		print_history(&history);
	return 0;
}
