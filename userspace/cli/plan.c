// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* plan: what apply would change. */
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "cli/table.h"
#include "util/cleanup.h"
#include "util/str.h"

static const char *text_of(json_t *item, const char *key)
{
	return json_string_value(json_object_get(item, key));
}

static json_int_t number_of(json_t *item, const char *key)
{
	return json_integer_value(json_object_get(item, key));
}

/* "+ endpoint web/main/ep4", once for all that follows of the same. */
static void print_object(json_t *item, json_t *before)
{
	static const struct {
		const char *change, *sign, *colour;
	} kinds[] = {
		{ "added", "+", "\033[32m" },
		{ "removed", "-", "\033[31m" },
		{ "changed", "~", "\033[33m" },
	};
	const char *change = text_of(item, "change"), *path = text_of(item, "path");
	bool colour = output_colour(stdout);

	if (before && !strcmp(change, text_of(before, "change")) &&
	    !strcmp(path, text_of(before, "path")) &&
	    !strcmp(text_of(item, "object"), text_of(before, "object")))
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].change, change))
			printf("%s%s %s%s%s%s\n", colour ? kinds[i].colour : "", kinds[i].sign,
			       text_of(item, "object"), *path ? " " : "", path,
			       colour ? "\033[0m" : "");
}

static void print_changes(json_t *changes)
{
	json_t *item, *before = NULL;
	size_t i;

	json_array_foreach(changes, i, item) {
		const char *key = text_of(item, "key");
		const char *from = text_of(item, "before"), *to = text_of(item, "after");
		bool list = json_is_true(json_object_get(item, "list"));

		print_object(item, before);
		before = item;
		if (!key && *(from ?: to))
			printf("    %s\n", from ?: to);
		if (key && !list)
			printf("    %s: %s -> %s\n", key, from ?: "none", to ?: "none");
		if (key && list && strcmp(from, "[]") != 0)
			printf("    %s: - %s\n", key, from);
		if (key && list && strcmp(to, "[]") != 0)
			printf("    %s: + %s\n", key, to);
	}
}

/* "ipv4, clients in eu-west-1 us-east-1" */
static char *family_of(json_t *item)
{
	struct str text = {};
	json_t *region;
	size_t i;

	str_add(&text, "%s", text_of(item, "family"));
	json_array_foreach(json_object_get(item, "regions"), i, region)
		str_add(&text, "%s %s", i ? "" : ", clients in", json_string_value(region));
	return str_take(&text);
}

static void print_tables(json_t *answer)
{
	static const char *const head[] = { "LISTENER", "FAMILY", "SLOTS", "MOVED", NULL };
	struct table table = { .align = "llrr", .indent = 2 };
	json_t *tables = json_object_get(answer, "tables"), *item;
	size_t i;

	if (!json_array_size(tables))
		return;
	puts("slots that would move:");
	table_head(&table, head);
	json_array_foreach(tables, i, item) {
		_cleanup_(freep) char *family = family_of(item);
		const char *change = text_of(item, "change");

		table_add(&table, "%s", text_of(item, "listener"));
		table_add(&table, "%s", family ?: "?");
		table_add(&table, "%lld", (long long)number_of(item, "slots"));
		if (strcmp(change, "changed") != 0)
			table_add(&table, "%s", change);
		else
			table_add(&table, "%.1f %%",
				  json_real_value(json_object_get(item, "percent")));
	}
	table_print(&table, stdout);
}

/* "in eu-west-1 us-east-1" */
static char *clients_of(json_t *item)
{
	struct str text = {};
	json_t *region;
	size_t i;

	json_array_foreach(json_object_get(item, "regions"), i, region)
		str_add(&text, "%s %s", i ? "" : "in", json_string_value(region));
	return i ? str_take(&text) : strdup("in no region");
}

static void print_requests(json_t *answer)
{
	static const char *const head[] = { "LISTENER", "CLIENTS", "MOVED", NULL };
	struct table table = { .align = "llr", .indent = 2 };
	json_t *requests = json_object_get(answer, "requests"), *item;
	size_t i;

	if (!json_array_size(requests))
		return;
	puts("requests that would go to other endpoints of default groups:");
	table_head(&table, head);
	json_array_foreach(requests, i, item) {
		_cleanup_(freep) char *clients = clients_of(item);

		table_add(&table, "%s", text_of(item, "listener"));
		table_add(&table, "%s", clients ?: "?");
		table_add(&table, "%.1f %%", json_real_value(json_object_get(item, "percent")));
	}
	table_print(&table, stdout);
}

static void print_flows(json_t *answer)
{
	static const char *const head[] = { "WHERE", "ADDRESS", "FLOWS", "", NULL };
	struct table table = { .align = "llrl", .indent = 2 };
	json_t *flows = json_object_get(answer, "flows"), *item;
	size_t i;

	if (!json_array_size(flows))
		return;
	puts("flows that would end, or go to another endpoint:");
	table_head(&table, head);
	json_array_foreach(flows, i, item) {
		bool all = json_is_true(json_object_get(item, "all"));

		const char *listener = text_of(item, "listener");

		table_add(&table, "%s", listener ?: text_of(item, "endpoint"));
		table_add(&table, "%s", text_of(item, "address") ?: "-");
		table_add(&table, "%lld", (long long)number_of(item, "flows"));
		table_add(&table, "%s%s%s", all ? "" : "recorded; its mode records few",
			  all || !listener ? "" : "; ",
			  listener ? "their clients are not let in any more" : "");
	}
	table_print(&table, stdout);
}

static void print_cleared(json_t *answer)
{
	json_t *cleared = json_object_get(answer, "cleared"), *item, *value;
	size_t i;

	if (json_array_size(cleared))
		puts("overrides that would be cleared:");
	json_array_foreach(cleared, i, item) {
		printf("  %s:", text_of(item, "path"));
		value = json_object_get(item, "weight");
		if (value)
			printf(" weight %lld", (long long)json_integer_value(value));
		value = json_object_get(item, "traffic_percentage");
		if (value)
			printf(" traffic_percentage %lld", (long long)json_integer_value(value));
		if (json_is_true(json_object_get(item, "drained")))
			printf(" drained");
		if (json_is_true(json_object_get(item, "disabled")))
			printf(" disabled");
		puts("");
	}
}

static void print_drift(json_t *answer)
{
	struct table table = { .align = "ll", .indent = 2 };
	json_t *drift = json_object_get(answer, "drift"), *item;
	size_t i;

	if (!json_array_size(drift))
		return;
	puts("changed by someone else; apply repairs it:");
	json_array_foreach(drift, i, item) {
		table_add(&table, "%s", text_of(item, "where"));
		table_add(&table, "%s", text_of(item, "what"));
	}
	table_print(&table, stdout);
	if (number_of(answer, "drifted") > (json_int_t)json_array_size(drift))
		printf("  ... %lld in all\n", (long long)number_of(answer, "drifted"));
}

static void print_plan(json_t *answer)
{
	if (!json_is_true(json_object_get(answer, "differs")))
		printf("%s: nothing would change\n", text_of(answer, "file"));
	print_changes(json_object_get(answer, "changes"));
	print_tables(answer);
	print_requests(answer);
	print_flows(answer);
	print_cleared(answer);
	print_drift(answer);
	if (number_of(answer, "unconfirmed"))
		printf("a change waits to be confirmed, for %lld s more: apply has to wait, too\n",
		       (long long)number_of(answer, "unconfirmed"));
}

int cli_plan(const struct cli *cli, struct err *err)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	json_t *request = json_pack("{s:s}", "call", "plan");
	bool exit_code = false, differs;
	const char *path = NULL;
	int r = 0;

	for (int i = 1; !r && i < cli->argc; i++) {
		if (!strcmp(cli->argv[i], "--exit-code"))
			exit_code = true;
		else if (path)
			r = err_set(err, CLI_USAGE, "plan: name one file");
		else
			path = cli->argv[i];
	}
	if (!r && path)
		r = client_add_file(request, path, err);
	if (r) {
		json_decref(request);
		return r;
	}
	r = client_call(cli, request, &answer, err);
	if (r < 0)
		return r;
	differs = json_is_true(json_object_get(answer, "differs"));
	if (cli->json)
		output_json(cli, take_ptr(answer));
	else
		print_plan(answer);
	return exit_code && differs ? CLI_DIFFERS : 0;
}
