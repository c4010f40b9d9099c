// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/show_rules.h"

#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/configuration.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/table.h"

static const char *const fields[HTTP_FIELDS] = {
	[HTTP_HOST] = "host",		[HTTP_PATH] = "path",	  [HTTP_HEADER] = "header",
	[HTTP_QUERY] = "query",		[HTTP_METHOD] = "method", [HTTP_COOKIE] = "cookie",
	[HTTP_SOURCE_IP] = "source_ip",
};

static const char *order_name(const struct http *http)
{
	return http->rule_order == HTTP_PRIORITY ? "priority" : "domain_first";
}

static void add_values(const struct http_condition *condition, struct str *out)
{
	char text[ADDR_PREFIX_MAX];
	const char *comma = "";

	vec_foreach(pattern, &condition->values) {
		str_add(out, "%s%s%s", comma, pattern->kind == PATTERN_REGEX ? "~" : "",
			pattern->text);
		comma = ", ";
	}
	vec_foreach(prefix, &condition->addresses) {
		str_add(out, "%s%s", comma, addr_prefix_print(prefix, text));
		comma = ", ";
	}
}

void show_rules_conditions(const struct http_rule *rule, struct str *out)
{
	const char *semicolon = "";

	vec_foreach(condition, &rule->conditions) {
		str_add(out, "%s%s ", semicolon, fields[condition->field]);
		if (condition->key)
			str_add(out, "%s = ", condition->key);
		add_values(condition, out);
		semicolon = "; ";
	}
}

const char *show_rules_action_name(const struct http_rule *rule)
{
	static const char *const names[] = {
		[HTTP_FORWARD] = "forward",
		[HTTP_REDIRECT] = "redirect",
		[HTTP_FIXED_RESPONSE] = "fixed_response",
		[HTTP_DROP] = "drop",
	};

	return names[rule->action];
}

void show_rules_action(const struct listener *listener, const struct http_rule *rule,
		       struct str *out)
{
	bool changes = rule->host || rule->path || rule->query || rule->add_headers.count ||
		       rule->remove_headers.count;

	switch (rule->action) {
	case HTTP_FORWARD:
		str_add(out, "forward to %s%s", listener->groups.items[rule->group].name,
			changes ? ", changed" : "");
		break;
	case HTTP_REDIRECT:
		str_add(out, "redirect, %u: %s", rule->code, rule->url);
		break;
	case HTTP_FIXED_RESPONSE:
		str_add(out, "answer %u", rule->code);
		break;
	case HTTP_DROP:
		str_add(out, "close the connection");
	}
}

/* A name, or the number in the listener. */
static void add_name(struct table *table, const struct listener *listener,
		     const struct http_rule *rule)
{
	if (*rule->name)
		table_add(table, "%s", rule->name);
	else
		table_add(table, "%zu", rule - listener->http->rules.items + 1);
}

/* Of whom what is shown. */
struct rules_shown {
	const struct model *model;
	const char *name;    /* of a listener; NULL: of all */
	struct tally *tally; /* NULL: what they took is not known */
};

static bool is_counted(const struct rules_shown *shown, const struct listener *listener,
		       const struct http_rule *rule, uint64_t *ret)
{
	int row = shown->tally ? tally_find_rule(shown->tally, listener->name, rule) : -ENOENT;

	*ret = row < 0 ? 0 : tally_sum_rule(shown->tally, row);
	return row >= 0;
}

static void add_rule(struct table *table, const struct rules_shown *shown,
		     const struct listener *listener, const struct http_rule *rule)
{
	uint64_t requests;
	_cleanup_(str_fini) struct str conditions = {}, action = {};

	show_rules_conditions(rule, &conditions);
	show_rules_action(listener, rule, &action);
	table->failed |= conditions.failed || action.failed;
	table_add(table, "%s", listener->name);
	add_name(table, listener, rule);
	if (rule->priority)
		table_add(table, "%u", rule->priority);
	else
		table_add(table, "-");
	if (is_counted(shown, listener, rule, &requests))
		table_add(table, "%llu", (unsigned long long)requests);
	else
		table_add(table, "-");
	table_add(table, "%s", conditions.text ?: "");
	table_add(table, "%s", action.text ?: "");
}

static bool is_meant(const struct listener *listener, const char *name)
{
	return listener->http && (!name || !strcmp(listener->name, name));
}

static void print_rules(const struct rules_shown *shown)
{
	static const char *const head[] = { "LISTENER",	  "RULE",   "PRIORITY", "REQUESTS",
					    "CONDITIONS", "ACTION", NULL };
	struct table table = { .align = "llrrll" };

	table_head(&table, head);
	vec_foreach(listener, &shown->model->listeners)
		if (is_meant(listener, shown->name))
			vec_foreach(rule, &listener->http->rules)
				add_rule(&table, shown, listener, rule);
	table_print(&table, stdout);
}

static json_t *values_json(const struct http_condition *condition)
{
	char text[ADDR_PREFIX_MAX];
	json_t *list = json_array();

	vec_foreach(pattern, &condition->values)
		json_array_append_new(list, json_sprintf("%s%s",
							 pattern->kind == PATTERN_REGEX ? "~" : "",
							 pattern->text));
	vec_foreach(prefix, &condition->addresses)
		json_array_append_new(list, json_string(addr_prefix_print(prefix, text)));
	return list;
}

static json_t *rule_json(const struct rules_shown *shown, const struct listener *listener,
			 const struct http_rule *rule)
{
	json_t *conditions = json_array();
	uint64_t requests;
	bool counted = is_counted(shown, listener, rule, &requests);
	const char *group =
		rule->action == HTTP_FORWARD ? listener->groups.items[rule->group].name : NULL;

	vec_foreach(condition, &rule->conditions)
		json_array_append_new(conditions,
				      json_pack("{s:s, s:s?, s:o}", "field",
						fields[condition->field], "key", condition->key,
						"values", values_json(condition)));
	return json_pack("{s:s, s:s, s:i, s:s?, s:o, s:o, s:s, s:s?, s:o, s:s?, s:o}", "listener",
			 listener->name, "rule_order", order_name(listener->http), "number",
			 (int)(rule - listener->http->rules.items + 1), "rule",
			 *rule->name ? rule->name : NULL, "priority",
			 rule->priority ? json_integer(rule->priority) : json_null(), "conditions",
			 conditions, "action", show_rules_action_name(rule), "group", group,
			 "status", rule->code ? json_integer(rule->code) : json_null(), "url",
			 rule->url, "requests",
			 counted ? json_integer((json_int_t)requests) : json_null());
}

static json_t *rules_json(const struct rules_shown *shown)
{
	json_t *list = json_array();

	vec_foreach(listener, &shown->model->listeners)
		if (is_meant(listener, shown->name))
			vec_foreach(rule, &listener->http->rules)
				json_array_append_new(list, rule_json(shown, listener, rule));
	return list;
}

static int unknown_listener(const struct model *model, const char *name, struct err *err)
{
	struct str_nearest nearest = { .word = name };

	vec_foreach(listener, &model->listeners)
		if (listener->http)
			str_nearest_offer(&nearest, listener->name);
	return err_set(err, -ESRCH, "no http or https listener '%.60s'%s%s%s", name,
		       nearest.best ? "; did you mean '" : "", nearest.best ?: "",
		       nearest.best ? "'?" : "");
}

int show_rules(const struct cli *cli, struct err *err)
{
	_cleanup_(model_freep) struct model *model = NULL;
	_cleanup_(tally_freep) struct tally *tally = NULL;
	const char *file = NULL, *name = NULL;
	struct rules_shown shown;
	const struct listener *listener;
	int r;

	for (int i = 2; i < cli->argc; i++) {
		if (!strcmp(cli->argv[i], "-c") && i + 1 < cli->argc)
			file = cli->argv[++i];
		else if (cli->argv[i][0] == '-' || name)
			return err_set(err, CLI_USAGE, "show rules: unexpected '%.40s'",
				       cli->argv[i]);
		else
			name = cli->argv[i];
	}
	r = configuration_read(cli->instance, file, &model, NULL, err);
	if (r < 0)
		return r;
	listener = name ? model_find_listener(model, name) : NULL;
	if (name && !(listener && listener->http))
		return unknown_listener(model, name, err);
	r = file ? 0 : report_open_tally(cli, &tally, err);
	if (r < 0)
		return r;
	shown = (struct rules_shown){ model, name, tally };
	if (cli->json)
		output_json(cli, rules_json(&shown));
	else
		print_rules(&shown);
	return 0;
}
