// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/http_check.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "config/check.h"
#include "config/fields.h"
#include "util/lookup.h"
#include "util/str.h"

/* Of so many one may be what was meant. */
#define NAMES_OFFERED 1000

static const unsigned conditions[] = { RULE_HOST,   RULE_PATH,	 RULE_HEADER,	RULE_QUERY,
				       RULE_METHOD, RULE_COOKIE, RULE_SOURCE_IP };
static const unsigned actions[] = { RULE_FORWARD, RULE_REDIRECT, RULE_FIXED_RESPONSE, RULE_DROP };
static const unsigned changes[] = { RULE_REWRITE, RULE_ADD_HEADER, RULE_REMOVE_HEADER };

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool has_any(const struct tree_node *rule, const unsigned *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (rule->fields[ids[i]])
			return true;
	return false;
}

/* Compiles what stands behind `~`, and points at its first mistake. */
static void check_regex(struct report *report, struct tree_node *value, bool any_case)
{
	struct tree_node *place;
	struct err err = {};
	size_t at, size;
	int r;

	if (value->kind != TREE_TEXT || !(value->flags & TREE_GOOD) || value->text[0] != '~')
		return;
	r = pattern_check_regex(value->text + 1, any_case, &at, &err);
	if (r == -ENOMEM)
		report->error = r;
	if (r != -EINVAL)
		return;
	size = strlen(value->text);
	place = tree_derive(report, value, at + 1 < size ? at + 1 : size - 1, 1, value);
	if (place)
		tree_error(report, place, "%s", err.text);
}

static void check_patterns(struct report *report, const struct tree_node *list, bool any_case)
{
	if (!list || list->kind != TREE_LIST)
		return;
	vec_foreach(value, &list->items)
		check_regex(report, *value, any_case);
}

static void check_conditions(struct report *report, struct tree_node *rule,
			     enum http_rule_order order)
{
	check_patterns(report, fields_get(rule, RULE_HOST), true);
	check_patterns(report, fields_get(rule, RULE_PATH), false);
	for (size_t i = 0; i < COUNT(conditions); i++) {
		const struct tree_node *map = fields_get(rule, conditions[i]);

		if (!map || map->schema->type != SCHEMA_MAP)
			continue;
		vec_foreach(values, &map->items)
			check_patterns(report, *values, false);
	}
	check_items(report, rule, RULE_HOST, "host");
	check_items(report, rule, RULE_PATH, "path");
	check_items(report, rule, RULE_METHOD, "method");
	check_items(report, rule, RULE_SOURCE_IP, "prefix");
	if (rule->flags & TREE_OPEN)
		return;
	if (!has_any(rule, conditions, COUNT(conditions)))
		tree_error(report, rule,
			   "a rule needs a condition: host, path, header, query, method, cookie or "
			   "source_ip; 'path: /*' is all requests");
	else if (order == HTTP_DOMAIN_FIRST && !rule->fields[RULE_HOST] && !rule->fields[RULE_PATH])
		tree_error(report, rule,
			   "with rule_order domain_first a rule needs a host or a path");
}

/* The endpoint groups of a listener, by name. */
struct targets {
	const struct tree_node *list;
	struct lookup by_name;
	bool all_known;
};

static uint32_t hash_of(const char *name)
{
	return lookup_hash(0, name, strlen(name));
}

static int read_targets(const struct tree_node *listener, struct targets *ret)
{
	ret->list = fields_get(listener, LISTENER_GROUPS);
	ret->all_known = ret->list;
	if (!ret->list)
		return 0;
	vec_foreach(group, &ret->list->items) {
		if (!((*group)->flags & TREE_GOOD) || !fields_get(*group, GROUP_NAME))
			ret->all_known = false;
		else if (lookup_add(&ret->by_name, hash_of(fields_text(*group, GROUP_NAME)),
				    (*group)->index) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void unknown_group(struct report *report, const struct targets *targets,
			  struct tree_node *forward)
{
	struct str_nearest nearest = { .word = forward->text };
	size_t offered = 0;

	vec_foreach(group, &targets->list->items)
		if (offered++ < NAMES_OFFERED)
			str_nearest_offer(&nearest, fields_text(*group, GROUP_NAME));
	if (nearest.best)
		tree_error(report, forward,
			   "this listener has no endpoint group '%s'; did you mean '%s'?",
			   forward->text, nearest.best);
	else
		tree_error(report, forward,
			   "this listener has no endpoint group '%s'; add one of type virtual",
			   forward->text);
}

static void check_forward(struct report *report, const struct targets *targets,
			  struct tree_node *forward)
{
	lookup_foreach(item, &targets->by_name, hash_of(forward->text)) {
		const struct tree_node *group = targets->list->items.items[item];

		if (strcmp(fields_text(group, GROUP_NAME), forward->text))
			continue;
		forward->value.number = item;
		return;
	}
	forward->value.number = -1;
	if (targets->all_known)
		unknown_group(report, targets, forward);
}

/* Headers that frame a message or belong to one connection are not the user's to change. */
static void check_header(struct report *report, struct tree_node *node, const char *name, bool key)
{
	static const struct {
		const char *name;
		const char *advice;
	} kept[] = {
		{ "Host", "change it with 'rewrite: { host: ... }'" },
		{ "X-Forwarded-For", "weir sends it, see 'trusted_proxies:'" },
		{ "Connection", "weir sends its own" },
		{ "Content-Length", "weir sends its own" },
		{ "Keep-Alive", "weir sends its own" },
		{ "Proxy-Connection", "weir sends its own" },
		{ "TE", "weir sends its own" },
		{ "Trailer", "weir sends its own" },
		{ "Transfer-Encoding", "weir sends its own" },
		{ "Upgrade", "weir sends its own" },
	};

	for (size_t i = 0; i < COUNT(kept); i++) {
		if (strcasecmp(kept[i].name, name))
			continue;
		if (key)
			tree_error_at_key(report, node, "header %s cannot be set: %s", name,
					  kept[i].advice);
		else
			tree_error(report, node, "header %s cannot be removed: %s", name,
				   kept[i].advice);
	}
}

/* Is there something in the paths of the rule that ${1} to ${3} can stand for? */
static bool has_captures(const struct tree_node *rule)
{
	const struct tree_node *paths = rule->fields[RULE_PATH];

	if (!paths || paths->kind != TREE_LIST)
		return paths;
	vec_foreach(path, &paths->items)
		if (!((*path)->flags & TREE_GOOD) || (*path)->text[0] == '~' ||
		    strchr((*path)->text, '*'))
			return true;
	return false;
}

static void check_captures(struct report *report, const struct tree_node *rule,
			   const struct tree_node *rewrite)
{
	static const unsigned parts[] = { REWRITE_HOST, REWRITE_PATH, REWRITE_QUERY };

	for (size_t i = 0; i < COUNT(parts); i++) {
		struct tree_node *text = fields_get(rewrite, parts[i]);
		const char *at = text ? strchr(text->text, '$') : NULL;

		for (; at; at = strchr(at + 1, '$')) {
			if (at[1] != '{' || !strchr("123", at[2]) || has_captures(rule))
				continue;
			tree_error(report, text,
				   "${%c} is what a '*' of the path matched, or a group of a "
				   "regular expression; this rule has no such path",
				   at[2]);
			break;
		}
	}
}

static void check_changes(struct report *report, const struct tree_node *rule)
{
	struct tree_node *rewrite = fields_get(rule, RULE_REWRITE);
	struct tree_node *add = fields_get(rule, RULE_ADD_HEADER);
	struct tree_node *removed = fields_get(rule, RULE_REMOVE_HEADER);

	if (rewrite && !rewrite->items.count && !(rewrite->flags & TREE_OPEN))
		tree_error(report, rewrite, "rewrite is empty; name host, path or query");
	if (rewrite)
		check_captures(report, rule, rewrite);
	if (add)
		vec_foreach(header, &add->items)
			if ((*header)->flags & TREE_GOOD)
				check_header(report, *header, (*header)->key->text, true);
	if (removed)
		vec_foreach(header, &removed->items)
			if ((*header)->flags & TREE_GOOD)
				check_header(report, *header, (*header)->text, false);
	check_items(report, rule, RULE_REMOVE_HEADER, "header");
}

static void check_response(struct report *report, const struct tree_node *rule)
{
	const struct tree_node *response = fields_get(rule, RULE_FIXED_RESPONSE);
	struct tree_node *body;
	int64_t code;

	if (!response)
		return;
	body = fields_get(response, FIXED_RESPONSE_BODY);
	code = fields_number(response, FIXED_RESPONSE_CODE);
	if (body && *body->text && (code == 204 || code == 205))
		tree_error(report, body, "an answer with status %d has no body", (int)code);
}

/* One of forward, redirect, fixed_response, drop; the others come before a forward. */
static void check_actions(struct report *report, const struct targets *targets,
			  struct tree_node *rule)
{
	struct tree_node *action = NULL;

	for (size_t i = 0; i < COUNT(actions); i++) {
		struct tree_node *other = rule->fields[actions[i]];

		if (other && action)
			tree_error_at_key(report, other,
					  "a rule has one of forward, redirect, fixed_response and "
					  "drop; this one has '%s' already, in line %u",
					  action->schema->name, action->line);
		action = action ?: other;
	}
	if (!action && !(rule->flags & TREE_OPEN))
		tree_error(report, rule,
			   "a rule needs an action: forward, redirect, fixed_response or drop");
	for (size_t i = 0; action && i < COUNT(changes); i++) {
		struct tree_node *change = rule->fields[changes[i]];

		if (change && action->schema != &rule->schema->object->keys[RULE_FORWARD])
			tree_error_at_key(
				report, change,
				"%s is for requests that are forwarded; this rule has '%s'",
				change->schema->name, action->schema->name);
	}
	if (fields_get(rule, RULE_FORWARD))
		check_forward(report, targets, fields_get(rule, RULE_FORWARD));
	check_response(report, rule);
	check_changes(report, rule);
}

static int compare_priorities(const void *left, const void *right)
{
	const struct tree_node *a = *(struct tree_node *const *)left;
	const struct tree_node *b = *(struct tree_node *const *)right;

	if (a->value.number != b->value.number)
		return a->value.number < b->value.number ? -1 : 1;
	return a->span.offset < b->span.offset ? -1 : 1;
}

/* Each rule has another one, or none has any. */
static void check_priorities(struct report *report, const struct node_list *rules)
{
	_cleanup_(fields_items_fini) struct node_list priorities = {};
	struct tree_node *first = NULL, *without = NULL;
	struct tree_node **nodes;

	vec_foreach(rule, &rules->nodes) {
		struct tree_node *priority = fields_get(*rule, RULE_PRIORITY);

		first = first ?: (*rule)->fields[RULE_PRIORITY];
		if (!(*rule)->fields[RULE_PRIORITY])
			without = without ?: *rule;
		if (priority && vec_push(&priorities.nodes, priority) < 0)
			report->error = -ENOMEM;
	}
	if (first && without)
		tree_error(
			report, without,
			"this rule has no priority, but that of line %u has; either all rules of "
			"a listener have one or none",
			first->line);
	nodes = priorities.nodes.items;
	if (priorities.nodes.count)
		qsort(nodes, priorities.nodes.count, sizeof(*nodes), compare_priorities);
	for (size_t i = 1; i < priorities.nodes.count; i++)
		if (nodes[i]->value.number == nodes[i - 1]->value.number)
			tree_error(report, nodes[i], "priority %d is given twice; first in line %u",
				   (int)nodes[i]->value.number, nodes[i - 1]->line);
}

static void warn_of_priority(struct report *report, const struct node_list *rules)
{
	vec_foreach(rule, &rules->nodes) {
		struct tree_node *priority = fields_get(*rule, RULE_PRIORITY);

		if (!priority)
			continue;
		tree_warning(report, priority,
			     "priority has no effect with rule_order domain_first");
		return;
	}
}

void http_check_rules(struct report *report, const struct tree_node *listener,
		      enum http_rule_order order)
{
	_cleanup_(fields_items_fini) struct node_list rules = {};
	struct targets targets = {};

	if (fields_items(listener, LISTENER_RULES, &rules) < 0 ||
	    read_targets(listener, &targets) < 0)
		report->error = -ENOMEM;
	check_names(report, listener, LISTENER_RULES, RULE_NAME, "forwarding rule name");
	vec_foreach(rule, &rules.nodes) {
		check_conditions(report, *rule, order);
		check_actions(report, &targets, *rule);
	}
	check_priorities(report, &rules);
	if (order == HTTP_DOMAIN_FIRST)
		warn_of_priority(report, &rules);
	lookup_fini(&targets.by_name);
}
