// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "rules_naive.h"

#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "http/target.h"
#include "random.h"

#define PICK(source, ...)                                                                          \
	({                                                                                         \
		static const char *const _texts[] = { __VA_ARGS__ };                               \
		_texts[rules_source_below(source, sizeof(_texts) / sizeof(_texts[0]))];            \
	})

uint32_t rules_source_below(struct rules_source *source, uint32_t limit)
{
	if (source->size) {
		source->size--;
		return *source->bytes++ % limit;
	}
	return source->only_bytes ? 0 : random_below(&source->state, limit);
}

bool rules_naive_glob(const char *pattern, const char *end, struct slice text)
{
	struct slice rest = { text.at + 1, text.size - 1 };

	if (pattern == end)
		return !text.size;
	if (*pattern == '*')
		return rules_naive_glob(pattern + 1, end, text) ||
		       (text.size && rules_naive_glob(pattern, end, rest));
	if (!text.size || (*pattern != '?' && *pattern != *text.at))
		return false;
	if (*pattern == '?') {
		if (((uint8_t)*text.at & 0xc0) == 0x80)
			return false;
		while (rest.size && ((uint8_t)*rest.at & 0xc0) == 0x80) {
			/* The character may also end here, if the pattern has its rest. */
			if (rules_naive_glob(pattern + 1, end, rest))
				return true;
			rest = (struct slice){ rest.at + 1, rest.size - 1 };
		}
	}
	return rules_naive_glob(pattern + 1, end, rest);
}

static bool match_regex(const char *text, struct slice subject, bool any_case)
{
	char *copy = strndup(subject.at ?: "", subject.size);
	regex_t regex;
	bool matches;

	if (regcomp(&regex, text, REG_EXTENDED | REG_NOSUB | (any_case ? REG_ICASE : 0)))
		abort();
	matches = !regexec(&regex, copy, 0, NULL, 0);
	regfree(&regex);
	free(copy);
	return matches;
}

static bool match_pattern(const struct pattern *pattern, struct slice text, bool any_case)
{
	switch (pattern->kind) {
	case PATTERN_EXACT:
		return slice_equal(SLICE(pattern->text), text);
	case PATTERN_WILDCARD:
		return rules_naive_glob(pattern->text, pattern->text + strlen(pattern->text), text);
	}
	return match_regex(pattern->text, text, any_case);
}

static bool match_any(const struct http_condition *condition, struct slice text)
{
	vec_foreach(pattern, &condition->values)
		if (match_pattern(pattern, text, false))
			return true;
	return false;
}

/* Of a list of NAME=VALUE, any with this name. Forms are decoded. */
static bool match_pairs(const struct http_condition *condition, struct slice list,
			const char *separators, bool form)
{
	char *copy = strndup(list.at ?: "", list.size), *save = NULL;
	bool found = false;

	for (char *pair = strtok_r(copy, separators, &save); pair && !found;
	     pair = strtok_r(NULL, separators, &save)) {
		char *value = strchr(pair, '='), *out = pair;
		size_t sizes[2] = {};
		char *begins[2] = { pair, value ? value + 1 : "" };

		for (unsigned i = 0; i < (value ? 2 : 1); i++) {
			out = begins[i];
			for (char *at = out; *at && (i || at != value); at++) {
				unsigned byte;

				if (form && *at == '%' && isxdigit(at[1]) && isxdigit(at[2])) {
					sscanf(at + 1, "%2x", &byte);
					at += 2;
				} else {
					byte = form && *at == '+' ? ' ' : *at;
				}
				*out++ = byte;
			}
			sizes[i] = out - begins[i];
		}
		found = slice_equal((struct slice){ begins[0], sizes[0] }, SLICE(condition->key)) &&
			match_any(condition, (struct slice){ begins[1], sizes[1] });
	}
	free(copy);
	return found;
}

static bool match_fields(const struct http_condition *condition, const struct request *request)
{
	for (unsigned i = 0; i < request->count; i++) {
		const struct field *field = &request->fields[i];
		const char *name = condition->field == HTTP_COOKIE ? "cookie" : condition->key;

		if (field->name.size != strlen(name) ||
		    strncasecmp(field->name.at, name, field->name.size))
			continue;
		if (condition->field == HTTP_COOKIE
			    ? match_pairs(condition, field->value, "; ", false)
			    : match_any(condition, field->value))
			return true;
	}
	return false;
}

/* All but host and path. */
static bool match_others(const struct http_rule *rule, const struct request *request,
			 const struct forward_client *client)
{
	vec_foreach(condition, &rule->conditions) {
		bool found = condition->field == HTTP_HOST || condition->field == HTTP_PATH;

		if (condition->field == HTTP_HEADER || condition->field == HTTP_COOKIE)
			found = match_fields(condition, request);
		if (condition->field == HTTP_QUERY)
			found = match_pairs(condition, request->query, "&", true);
		if (condition->field == HTTP_METHOD)
			found = match_any(condition, request->method_text);
		for (size_t i = 0; i < condition->addresses.count; i++)
			found |= addr_prefix_has(&condition->addresses.items[i], &client->addr);
		if (!found)
			return false;
	}
	return true;
}

static const struct http_condition *find(const struct http_rule *rule, enum http_field field)
{
	vec_foreach(condition, &rule->conditions)
		if (condition->field == field)
			return condition;
	return NULL;
}

/* How good the best matching value is, as a number that is smaller for a better one; 0: none
 * matches. */
static uint32_t rate(const struct http_condition *condition, struct slice text)
{
	uint32_t best = 0;

	if (!condition)
		return UINT32_MAX;
	vec_foreach(pattern, &condition->values) {
		uint32_t rating = (pattern->kind + 1) * 1000 - strlen(pattern->text);

		if (match_pattern(pattern, text, condition->field == HTTP_HOST) &&
		    (!best || rating < best))
			best = rating;
	}
	return best;
}

void rules_naive_match(const struct listener *listener, const struct request *request,
		       const struct forward_client *client, uint8_t *ret_kind, uint32_t *ret_rule)
{
	bool domain_first = listener->http->rule_order == HTTP_DOMAIN_FIRST, named = false;
	const struct http *http = listener->http;
	char host[256], path[1024];
	struct slice normal_host = { host, 0 }, normal_path = { path, 0 };
	uint64_t best[3] = { UINT64_MAX };
	uint32_t found = UINT32_MAX;

	for (size_t i = 0; i < request->host.size; i++)
		host[normal_host.size++] = tolower((unsigned char)request->host.at[i]);
	if (normal_host.size && host[normal_host.size - 1] == '.')
		normal_host.size--;
	normal_path.size = target_normalise(request->path, path);
	vec_foreach(rule, &http->rules)
		named |= find(rule, HTTP_HOST) && rate(find(rule, HTTP_HOST), normal_host);
	for (uint32_t i = 0; i < http->rules.count; i++) {
		const struct http_rule *rule = &http->rules.items[i];
		uint32_t by_host = rate(find(rule, HTTP_HOST), normal_host);
		uint32_t by_path = rate(find(rule, HTTP_PATH), normal_path);
		uint64_t order[3] = { domain_first ? !find(rule, HTTP_PATH) : rule->priority,
				      (uint64_t)by_host << 32 | by_path, i };

		if (!by_host || !by_path || !match_others(rule, request, client) ||
		    (domain_first && named && !find(rule, HTTP_HOST)))
			continue;
		for (unsigned k = 0; k < 3; k++) {
			if (order[k] == best[k])
				continue;
			if (order[k] < best[k]) {
				memcpy(best, order, sizeof(best));
				found = i;
			}
			break;
		}
	}
	*ret_rule = found;
	*ret_kind = domain_first && named ? RULES_NOT_FOUND : RULES_DEFAULT;
	if (found != UINT32_MAX)
		*ret_kind = RULES_FORWARD + http->rules.items[found].action;
}

static char *random_host(struct rules_source *source)
{
	return strdup(PICK(source, "a.example", "b.example", "a.b.example", "aa.b.example",
			   "b.exam", "*.example", "*.b.example", "a.*", "*a.b.example", "?.example",
			   "a*e", "*.b.*", "*", "??b*", "~^a\\.", "~b", "~EXAMPLE$",
			   "~^(a|aa)\\.b"));
}

static char *random_path(struct rules_source *source)
{
	return strdup(PICK(source, "/", "/a", "/a/b", "/a/b/", "/ab", "/b//a", "/*", "/a*", "/a/*",
			   "/a/*b", "/a/?", "/*/b", "/?*b", "/a/b/*", "/%2F*", "/%2F", "/b?a",
			   "/*a*b*a*b", "~^/a", "~b$", "~/a/b?", "~^/(a|b)+$"));
}

static char *random_value(struct rules_source *source)
{
	return strdup(PICK(source, "x", "y", "x y", "x*", "*y", "?", "*", "??", "~^x", "~y$",
			   "\xc3\xa4", "\xc3?", "?y"));
}

static void random_condition(struct rules_source *source, enum http_field field,
			     struct http_rule *rule)
{
	struct http_condition condition = { .field = field };
	unsigned count = 1 + rules_source_below(source, 2);

	if (field == HTTP_HEADER || field == HTTP_QUERY || field == HTTP_COOKIE)
		condition.key = strdup(PICK(source, "k", "l"));
	while (count--) {
		struct addr_prefix prefix;
		struct pattern pattern;
		char *text = NULL;

		if (field == HTTP_SOURCE_IP) {
			addr_prefix_parse(
				PICK(source, "192.0.2.1", "192.0.2.0/31", "2001:db8::/64"),
				&prefix);
			vec_push(&condition.addresses, prefix);
			continue;
		}
		text = field == HTTP_HOST     ? random_host(source)
		       : field == HTTP_PATH   ? random_path(source)
		       : field == HTTP_METHOD ? strdup(PICK(source, "GET", "POST", "PURGE"))
					      : random_value(source);
		if (pattern_new(text, &pattern) == 0)
			vec_push(&condition.values, pattern);
		free(text);
	}
	vec_push(&rule->conditions, condition);
}

static void random_rule(struct rules_source *source, unsigned number, bool priorities,
			struct http *http)
{
	struct http_rule rule = { .action = rules_source_below(source, 4) };

	rule.priority = priorities ? 1 + (number * 7 + 3) % 31 : 0;
	for (enum http_field field = 0; field < HTTP_FIELDS; field++)
		if (!rules_source_below(source, field <= HTTP_PATH ? 2 : 8))
			random_condition(source, field, &rule);
	if (!rule.conditions.count ||
	    (http->rule_order == HTTP_DOMAIN_FIRST && rule.conditions.items[0].field > HTTP_PATH)) {
		http_rule_fini(&rule);
		rule = (struct http_rule){ .priority = rule.priority };
		random_condition(source, HTTP_PATH, &rule);
	}
	if (rule.action == HTTP_FORWARD)
		rule.path = strdup("/${1}${2}${3}");
	if (rule.action == HTTP_REDIRECT)
		rule.url = strdup("${protocol}://${host}:${port}${path}?${query}");
	vec_push(&http->rules, rule);
}

struct listener *rules_random_listener(struct rules_source *source)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	struct http *http = calloc(1, sizeof(*http));
	bool priorities = rules_source_below(source, 2);

	listener->http = http;
	http->rule_order = rules_source_below(source, 2) ? HTTP_PRIORITY : HTTP_DOMAIN_FIRST;
	for (unsigned i = 0, count = rules_source_below(source, 12); i < count; i++)
		random_rule(source, i, priorities, http);
	return listener;
}

void rules_listener_free(struct listener *listener)
{
	http_free(listener->http);
	free(listener);
}

void rules_random_request(struct rules_source *source, char *ret, size_t room,
			  struct forward_client *ret_client)
{
	static const char *const segments[] = { "/",	"/a",  "/b",   "/ab",	 "a",
						"/a/b", "%2f", "/%61", "/b/../a" };
	char path[64] = "/";
	const char *query;
	size_t size;

	for (unsigned n = rules_source_below(source, 5); n; n--)
		strcat(path, segments[rules_source_below(source, 9)]);
	query = PICK(source, "", "?", "?k=x", "?l=y&k=%c3%a4", "?k=x+y&&l", "?%6b=x%20y&l=xx",
		     "?k=%&l=%4&=x", "?k=x=y");
	size = snprintf(ret, room, "%s %s%s HTTP/1.1\r\nHost: %s\r\n",
			PICK(source, "GET", "POST", "PURGE"), path[1] == '/' ? path + 1 : path,
			query,
			PICK(source, "a.example", "B.Example", "a.b.example", "AA.b.example.",
			     "c.exam", "[2001:db8::1]", "aab.example:80"));
	if (rules_source_below(source, 2))
		size += snprintf(ret + size, room - size, "%s: %s\r\n", PICK(source, "K", "l", "X"),
				 PICK(source, "x", "y", "xy", "\xc3\xa4", "", "x y"));
	if (rules_source_below(source, 2))
		size += snprintf(ret + size, room - size, "Cookie: %s\r\n",
				 PICK(source, "k=x", "l=y; k=xy", "k=; l", "m=x; k=y=x; l=x"));
	snprintf(ret + size, room - size, "\r\n");
	addr_parse(PICK(source, "192.0.2.1", "192.0.2.0", "2001:db8::5", "203.0.113.1"),
		   &ret_client->addr);
}
