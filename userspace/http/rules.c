// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/rules_internal.h"

#include <errno.h>

#include "http/chars.h"

/* A place that a rule will stand in. */
struct place {
	/* What is smaller is better, from the first on. */
	uint32_t key[7];
	uint32_t rule, host, path; /* values of its conditions, or RULES_NONE */
};

struct places {
	VEC(struct place) list;
};

size_t rules_normalise_host(struct slice host, char *ret)
{
	char text[ADDR_TEXT_MAX + 1];
	struct addr addr;
	size_t size = 0;

	for (size_t i = 0; i < host.size && size < ADDR_HOST_MAX + 1; i++)
		ret[size++] = chars_lower(host.at[i]);
	if (size > 1 && ret[size - 1] == '.')
		size--;
	if (size < 3 || size > sizeof(text) || ret[0] != '[' || ret[size - 1] != ']')
		return size;
	memcpy(text, ret + 1, size - 2);
	text[size - 2] = '\0';
	if (addr_parse(text, &addr) < 0)
		return size;
	addr_print(&addr, text);
	ret[0] = '[';
	memcpy(ret + 1, text, strlen(text));
	ret[1 + strlen(text)] = ']';
	return strlen(text) + 2;
}

bool rules_trusts(const struct http *http, const struct addr *peer)
{
	for (size_t i = 0; i < http->trusted_proxies.count; i++)
		if (addr_prefix_has(&http->trusted_proxies.items[i], peer))
			return true;
	return false;
}

static void rule_fini(struct rules_rule *rule)
{
	vec_foreach(text, &rule->path_texts)
		free(*text);
	vec_free(&rule->path_texts);
	vec_foreach(condition, &rule->conditions) {
		vec_foreach(value, &condition->values) {
			glob_free(value->glob);
			regex_free(value->regex);
		}
		vec_free(&condition->values);
	}
	vec_free(&rule->conditions);
	template_fini(&rule->url);
	template_fini(&rule->host);
	template_fini(&rule->path);
	template_fini(&rule->query);
}

static void host_fini(struct rules_host *host)
{
	trie_fini(&host->paths);
	vec_foreach(list, &host->lists)
		vec_free(&list->entries);
	vec_free(&host->lists);
	vec_foreach(expression, &host->expressions) {
		regex_free(expression->regex);
		vec_free(&expression->list.entries);
	}
	vec_free(&host->expressions);
	vec_free(&host->pathless.entries);
}

void rules_free(struct rules *rules)
{
	if (!rules)
		return;
	vec_foreach(rule, &rules->rules)
		rule_fini(rule);
	vec_free(&rules->rules);
	vec_foreach(host, &rules->hosts)
		host_fini(host);
	vec_free(&rules->hosts);
	vec_foreach(expression, &rules->expressions)
		regex_free(expression->regex);
	vec_free(&rules->expressions);
	trie_fini(&rules->names);
	vec_free(&rules->by_name);
	free(rules->path);
	free(rules->text);
	free(rules);
}

/* Escapes stand in upper case where paths are compared. */
static char *path_text(const char *text)
{
	char *copy = strdup(text);

	for (char *at = copy ? strchr(copy, '%') : NULL; at; at = strchr(at + 1, '%'))
		for (unsigned i = 1; i <= 2 && at[i]; i++)
			if (at[i] >= 'a' && at[i] <= 'f')
				at[i] -= 'a' - 'A';
	return copy;
}

static int compile_value(const struct pattern *pattern, struct rules_condition *ret,
			 struct err *err)
{
	struct rules_value value = { .text = SLICE(pattern->text) };
	int r = 0;

	if (pattern->kind == PATTERN_REGEX)
		r = regex_new(pattern->text, false, &value.regex, NULL, err);
	else if (pattern->kind == PATTERN_WILDCARD)
		r = glob_new(value.text, &value.glob);
	if (r < 0)
		return r;
	if (vec_push(&ret->values, value) == 0)
		return 0;
	glob_free(value.glob);
	regex_free(value.regex);
	return -ENOMEM;
}

static int compile_condition(const struct http_condition *condition, struct rules_rule *ret,
			     struct err *err)
{
	struct rules_condition *compiled;

	if (vec_push(&ret->conditions, (struct rules_condition){ .condition = condition }) < 0)
		return -ENOMEM;
	compiled = &ret->conditions.items[ret->conditions.count - 1];
	vec_foreach(pattern, &condition->values) {
		int r = compile_value(pattern, compiled, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int compile_paths(const struct http_condition *condition, struct rules_rule *ret)
{
	ret->paths = condition;
	vec_foreach(pattern, &condition->values) {
		_cleanup_(freep) char *text = pattern->kind == PATTERN_REGEX
						      ? strdup(pattern->text)
						      : path_text(pattern->text);

		if (!text || vec_push(&ret->path_texts, text) < 0)
			return -ENOMEM;
		take_ptr(text);
	}
	return 0;
}

static int compile_rule(const struct http_rule *rule, struct rules_rule *ret, struct err *err)
{
	int r = 0;

	ret->rule = rule;
	vec_foreach(condition, &rule->conditions) {
		if (condition->field == HTTP_HOST)
			ret->hosts = condition;
		else if (condition->field == HTTP_PATH)
			r = compile_paths(condition, ret);
		else
			r = compile_condition(condition, ret, err);
		if (r < 0)
			return r;
	}
	if (template_init(rule->url ?: "", &ret->url) < 0 ||
	    template_init(rule->host ?: "", &ret->host) < 0 ||
	    template_init(rule->path ?: "", &ret->path) < 0 ||
	    template_init(rule->query ?: "", &ret->query) < 0)
		return -ENOMEM;
	return 0;
}

/* How exact a value is: the kind, then the length. No condition comes last. */
static void set_key(uint32_t key[2], const struct http_condition *condition, uint32_t value)
{
	const struct pattern *pattern = condition ? &condition->values.items[value] : NULL;

	key[0] = pattern ? pattern->kind : UINT32_MAX;
	key[1] = pattern ? UINT32_MAX - strlen(pattern->text) : 0;
}

static int add_place(const struct rules *rules, uint32_t number, uint32_t host, uint32_t path,
		     struct places *ret)
{
	const struct rules_rule *rule = &rules->rules.items[number];
	bool domain_first = rules->http->rule_order == HTTP_DOMAIN_FIRST;
	struct place place = { .rule = number,
			       .host = rule->hosts ? host : RULES_NONE,
			       .path = rule->paths ? path : RULES_NONE };

	place.key[0] = domain_first ? 0 : rule->rule->priority;
	place.key[1] = domain_first && !rule->paths;
	set_key(place.key + 2, rule->hosts, host);
	set_key(place.key + 4, rule->paths, path);
	place.key[6] = number;
	return vec_push(&ret->list, place);
}

static int add_places(const struct rules *rules, struct places *ret)
{
	for (uint32_t number = 0; number < rules->rules.count; number++) {
		const struct rules_rule *rule = &rules->rules.items[number];
		uint32_t hosts = rule->hosts ? rule->hosts->values.count : 1;
		uint32_t paths = rule->paths ? rule->paths->values.count : 1;

		for (uint32_t host = 0; host < hosts; host++)
			for (uint32_t path = 0; path < paths; path++)
				if (add_place(rules, number, host, path, ret) < 0)
					return -ENOMEM;
	}
	return 0;
}

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	for (size_t i = 0; i < sizeof(a->key) / sizeof(a->key[0]); i++)
		if (a->key[i] != b->key[i])
			return a->key[i] < b->key[i] ? -1 : 1;
	return 0;
}

static int add_host(struct rules *rules, uint32_t *ret)
{
	if (vec_push(&rules->hosts, (struct rules_host){ .rank = RULES_NONE }) < 0)
		return -ENOMEM;
	*ret = rules->hosts.count - 1;
	return 0;
}

static int find_host_expression(struct rules *rules, const char *text, uint32_t *ret,
				struct err *err)
{
	struct rules_host_expression expression = { .text = text };
	int r;

	vec_foreach(other, &rules->expressions) {
		if (strcmp(other->text, text))
			continue;
		*ret = other->host;
		return 0;
	}
	r = add_host(rules, &expression.host);
	if (r == 0)
		r = regex_new(text, true, &expression.regex, NULL, err);
	if (r < 0)
		return r;
	if (vec_push(&rules->expressions, expression) < 0) {
		regex_free(expression.regex);
		return -ENOMEM;
	}
	*ret = expression.host;
	return 0;
}

static int find_host_name(struct rules *rules, const char *text, uint32_t *ret)
{
	char *reversed = rules->reversed;
	size_t size = rules_normalise_host(SLICE(text), rules->host);
	uint32_t item;
	int r;

	for (size_t i = 0; i < size; i++)
		reversed[i] = rules->host[size - 1 - i];
	r = trie_add(&rules->names, (struct slice){ reversed, size }, &item);
	if (r < 0)
		return r;
	if (item == rules->by_name.count) {
		uint32_t host;

		if (add_host(rules, &host) < 0 || vec_push(&rules->by_name, host) < 0)
			return -ENOMEM;
	}
	*ret = rules->by_name.items[item];
	return 0;
}

static int find_host(struct rules *rules, const struct place *place, uint32_t *ret, struct err *err)
{
	const struct http_condition *condition = rules->rules.items[place->rule].hosts;
	const struct pattern *pattern;

	*ret = 0;
	if (!condition)
		return 0;
	pattern = &condition->values.items[place->host];
	if (pattern->kind == PATTERN_REGEX)
		return find_host_expression(rules, pattern->text, ret, err);
	return find_host_name(rules, pattern->text, ret);
}

static int find_expression(struct rules_host *host, const char *text, struct rules_list **ret,
			   struct err *err)
{
	struct rules_expression expression = { .text = text };
	int r;

	vec_foreach(other, &host->expressions) {
		if (strcmp(other->text, text))
			continue;
		*ret = &other->list;
		return 0;
	}
	r = regex_new(text, false, &expression.regex, NULL, err);
	if (r < 0)
		return r;
	if (vec_push(&host->expressions, expression) < 0) {
		regex_free(expression.regex);
		return -ENOMEM;
	}
	*ret = &host->expressions.items[host->expressions.count - 1].list;
	return 0;
}

static int find_list(struct rules *rules, struct rules_host *host, const struct place *place,
		     struct rules_list **ret, struct err *err)
{
	const struct rules_rule *rule = &rules->rules.items[place->rule];
	const char *text;
	uint32_t item;
	int r;

	if (!rule->paths) {
		*ret = &host->pathless;
		return 0;
	}
	text = rule->path_texts.items[place->path];
	if (rule->paths->values.items[place->path].kind == PATTERN_REGEX)
		return find_expression(host, text, ret, err);
	r = trie_add(&host->paths, SLICE(text), &item);
	if (r < 0)
		return r;
	if (item == host->lists.count && vec_push(&host->lists, (struct rules_list){}) < 0)
		return -ENOMEM;
	*ret = &host->lists.items[item];
	return 0;
}

/* Places come in the order of their ranks, so that all lists are in it. */
static int fill(struct rules *rules, const struct places *places, struct err *err)
{
	for (uint32_t rank = 0; rank < places->list.count; rank++) {
		const struct place *place = &places->list.items[rank];
		struct rules_entry entry = { rank, place->rule, place->path };
		struct rules_list *list;
		struct rules_host *host;
		uint32_t number;
		int r = find_host(rules, place, &number, err);

		if (r < 0)
			return r;
		host = &rules->hosts.items[number];
		r = find_list(rules, host, place, &list, err);
		if (r < 0)
			return r;
		if (vec_push(&list->entries, entry) < 0)
			return -ENOMEM;
		host->rank = rank < host->rank ? rank : host->rank;
	}
	return 0;
}

static int compile(struct rules *rules, struct places *places, struct err *err)
{
	uint32_t first;
	int r;

	vec_foreach(rule, &rules->http->rules) {
		if (vec_push(&rules->rules, (struct rules_rule){}) < 0)
			return -ENOMEM;
		r = compile_rule(rule, &rules->rules.items[rules->rules.count - 1], err);
		if (r < 0)
			return r;
	}
	rules->text = malloc(RULES_TEXT_MAX);
	if (!rules->text || add_host(rules, &first) < 0 || add_places(rules, places) < 0)
		return -ENOMEM;
	if (places->list.count)
		qsort(places->list.items, places->list.count, sizeof(struct place), compare_places);
	return fill(rules, places, err);
}

int rules_new(const struct listener *listener, struct rules **ret, struct err *err)
{
	_cleanup_(rules_freep) struct rules *rules = calloc(1, sizeof(*rules));
	struct places places = {};
	int r;

	if (!rules)
		return -ENOMEM;
	rules->listener = listener;
	rules->http = listener->http;
	r = compile(rules, &places, err);
	vec_free(&places.list);
	if (r < 0)
		return r;
	*ret = take_ptr(rules);
	return 0;
}
