/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Random HTTP listeners that are right: what the language can say, each part of it now and then.
 */
#ifndef WEIR_TESTS_UNIT_CONFIG_RANDOM_HTTP_H
#define WEIR_TESTS_UNIT_CONFIG_RANDOM_HTTP_H

#include <string.h>

#include "random.h"

static inline char *random_pick(struct random *random, const char *const *texts, unsigned count)
{
	return strdup(texts[below(random, count)]);
}

#define RANDOM_PICK(random, ...)                                                                   \
	({                                                                                         \
		static const char *const _texts[] = { __VA_ARGS__ };                               \
		random_pick(random, _texts, sizeof(_texts) / sizeof(_texts[0]));                   \
	})

static inline struct pattern random_pattern(struct random *random, enum http_field field,
					    unsigned number)
{
	static const char *const shapes[][3] = {
		[HTTP_HOST] = { "h%u.example.com", "*.h%u.exampl?.com", "^(a|b)%u\\." },
		[HTTP_PATH] = { "/p%u/%%2F;x//", "/p%u/?*", "^/[\"x]%u$" },
		[HTTP_HEADER] = { "v %u \"quoted\" \\", "*v?%u", "~%u\\d" },
		[HTTP_QUERY] = { "\xc3\xa4 %u", "%u*", "(?i)x%u" },
		[HTTP_METHOD] = { "M", "GET", "PROPFIND" },
		[HTTP_COOKIE] = { "c=%u", "?%u", "[a-f]{%u}" },
	};
	struct pattern pattern = { .kind = field == HTTP_METHOD ? PATTERN_EXACT
								: below(random, 3) };
	char text[64];

	if (field == HTTP_METHOD)
		snprintf(text, sizeof(text), "M%c", 'A' + number);
	else
		snprintf(text, sizeof(text), shapes[field][pattern.kind], number);
	pattern.text = strdup(text);
	return pattern;
}

static inline void random_condition(struct random *random, enum http_field field, unsigned number,
				    struct http_rule *rule)
{
	static const char *const keys[] = { "X-A", "b", "c!" };
	struct http_condition condition = { .field = field };
	unsigned count = 1 + below(random, 3);

	if (field == HTTP_HEADER || field == HTTP_QUERY || field == HTTP_COOKIE)
		condition.key = strdup(keys[number]);
	for (unsigned i = 0; i < count; i++) {
		struct addr_prefix prefix = { make_addr(below(random, 2), 30 + i, 1 + i), 128 };

		if (field == HTTP_SOURCE_IP)
			vec_push(&condition.addresses, prefix);
		else
			vec_push(&condition.values, random_pattern(random, field, i));
	}
	vec_push(&rule->conditions, condition);
}

static inline void random_conditions(struct random *random, struct http_rule *rule)
{
	bool path = false;

	for (enum http_field field = 0; field < HTTP_FIELDS; field++) {
		bool free = field == HTTP_HEADER || field == HTTP_QUERY || field == HTTP_COOKIE;
		unsigned count = below(random, free ? 3 : 2);

		/* A rule needs a path or a host. */
		if (field == HTTP_PATH && !rule->conditions.count)
			count = 1;
		path |= count;
		for (unsigned i = 0; i < count; i++)
			random_condition(random, field, i, rule);
	}
	cr_assert(path);
}

static inline void random_forward(struct random *random, struct http_rule *rule)
{
	rule->group = below(random, 3);
	if (below(random, 2))
		rule->host = RANDOM_PICK(random, "a.example.com", "x-${host}");
	if (below(random, 2))
		rule->path = RANDOM_PICK(random, "/", "${path}", "/a${path}%20");
	if (below(random, 2))
		rule->query = RANDOM_PICK(random, "", "a=b&${query}");
	for (unsigned i = 0; i < below(random, 3); i++) {
		static const char *const names[] = { "X-Env", "Accept" };
		struct http_header header = { strdup(names[i]),
					      RANDOM_PICK(random, "blue", "a: \"b\" # c",
							  "\xe2\x82\xac") };

		vec_push(&rule->add_headers, header);
	}
	for (unsigned i = 0; i < below(random, 3); i++) {
		static const char *const names[] = { "Cookie", "X-~" };

		vec_push(&rule->remove_headers, strdup(names[i]));
	}
}

static inline void random_rule(struct random *random, unsigned number, bool priorities,
			       struct listener *listener)
{
	static const uint16_t redirects[] = { 301, 302, 303, 307, 308 };
	static const uint16_t statuses[] = { 200, 299, 400, 404, 503, 599 };
	struct http_rule rule = { .action = below(random, 4) };

	if (below(random, 2))
		random_name(random, number, rule.name);
	rule.priority = priorities ? 1 + number * 7 : 0;
	random_conditions(random, &rule);
	if (rule.action == HTTP_FORWARD)
		random_forward(random, &rule);
	if (rule.action == HTTP_REDIRECT) {
		rule.code = redirects[below(random, 5)];
		rule.url = RANDOM_PICK(random, "/new", "https://example.com${path}?${query}",
				       "${protocol}://${host}:${port}/");
	}
	if (rule.action == HTTP_FIXED_RESPONSE) {
		rule.code = statuses[below(random, 6)];
		rule.content_type = RANDOM_PICK(random, "text/plain", "text/html; charset=utf-8");
		if (below(random, 2))
			rule.body = RANDOM_PICK(random, "no", "a\n\tb \"c\"\\\r\n", " \xc3\xa4");
	}
	vec_push(&listener->http->rules, rule);
}

static inline void random_prefixes(struct random *random, unsigned most, struct addr_prefixes *ret)
{
	for (unsigned i = 0; i < below(random, most + 1); i++) {
		struct addr_prefix prefix = { make_addr(below(random, 2), 40 + i, 0), 112 };

		vec_push(ret, prefix);
	}
}

static inline void random_tls(struct random *random, struct http *http)
{
	http->tls = true;
	http->tls_minimum = 12 + below(random, 2);
	if (below(random, 2))
		http->client_ca = strdup("/etc/a b.pem");
	for (unsigned i = 0; i <= below(random, 3); i++) {
		struct http_certificate pair = { RANDOM_PICK(random, "/a.pem", "/\"b\".pem"),
						 RANDOM_PICK(random, "/a.key", "/\\") };

		vec_push(&http->certificates, pair);
	}
}

/* The listener has one port and three groups, the last two of which may become virtual. */
static inline void random_http_listener(struct random *random, const struct model *model,
					struct listener *listener)
{
	struct http *http = calloc(1, sizeof(*http));
	bool priorities = below(random, 2);

	listener->http = http;
	http->rule_order = below(random, 2);
	http->x_forwarded = below(random, 8);
	http->tunnel = below(random, 3);
	http->syn_cookies = below(random, 2);
	http->request_timeout = 1 + below(random, 180);
	http->upgrade_idle_timeout = 1 + below(random, 86400);
	http->header_timeout = 1 + below(random, 180);
	http->connect_timeout = 100 + below(random, 59901);
	http->head_limit = 1024 + below(random, 48129);
	http->kernel_routing =
		!http->x_forwarded && !listener->client_affinity && !model->access_log;
	random_prefixes(random, 2, &http->trusted_proxies);
	random_prefixes(random, 2, &http->proxy_sources);
	if (below(random, 2))
		random_tls(random, http);
	for (unsigned i = 0; i < below(random, 5); i++)
		random_rule(random, i, priorities, listener);
	for (unsigned i = 0; i < listener->groups.count; i++) {
		struct endpoint_group *group = &listener->groups.items[i];

		group->is_virtual = i && below(random, 2);
		group->backend_https = below(random, 2);
		group->slow_start = below(random, 2) * (1000 + below(random, 3599001));
		if (below(random, 2))
			group->passive_health = (struct passive_health){
				.failures = 1 + below(random, 1000),
				.duration = 1000 + below(random, 3599001),
				.server_errors = below(random, 2),
			};
		vec_foreach(endpoint, &group->endpoints) {
			endpoint->mode = WEIR_MODE_NAT;
			endpoint->proxy_protocol = below(random, 3);
			endpoint->max_connections = below(random, 2) * below(random, 1000001);
		}
	}
}

#endif
