// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the compiled rules say what the rules say: on examples of every condition, action and
 * order, and on 100 000 random pairs of rules and requests, compared with a reference that tries
 * them one by one. Nobody slips past a rule by writing a path or host in another way, or makes a
 * wildcard or a regular expression take long.
 */
#include "failing.h"
#include "http/support.h"

#include <time.h>

#include "config/config.h"
#include "http/glob.h"
#include "http/rules.h"
#include "http/trie.h"
#include "random.h"
#include "rules_naive.h"

/* A listener that is read from a configuration, and its rules. */
struct setting {
	struct model *model;
	struct rules *rules;
	struct forward_client client;
	struct rules_verdict verdict;
};

static void set_up(const char *order, const char *rules, struct setting *ret)
{
	_cleanup_(findings_fini) struct findings findings = {};
	char text[16384];

	snprintf(text, sizeof(text),
		 "version: 1\nlisteners:\n"
		 "- name: web\n  protocol: http\n  address: 192.0.2.1\n  port: 8080\n"
		 "  rule_order: %s\n"
		 "  endpoint_groups:\n"
		 "  - { name: main, endpoints: 10.0.0.1 }\n"
		 "  - { name: api, type: virtual, endpoints: 10.0.0.2 }\n"
		 "  - { name: old, type: virtual, endpoints: 10.0.0.3 }\n"
		 "  forwarding_rules:\n%s",
		 order, rules);
	*ret = (struct setting){ .client.local_port = 8080 };
	config_parse(text, strlen(text), &ret->model, &findings);
	cr_assert(ret->model, "%s: %s", findings.list.items[findings.list.count - 1].message, text);
	cr_assert_eq(rules_new(&ret->model->listeners.items[0], &ret->rules, NULL), 0);
	addr_parse("192.0.2.77", &ret->client.addr);
	addr_parse("192.0.2.1", &ret->client.local);
}

static void tear_down(struct setting *setting)
{
	rules_free(setting->rules);
	model_free(setting->model);
}

static int match(struct setting *setting, const char *text)
{
	struct head head = { .bytes = text, .size = strlen(text) };
	struct request request;
	int r = request_parse(&head, &support_limits, &request);

	cr_assert_eq(r, (int)head.size, "%d: %s: %s", r, head.why, text);
	return rules_match(setting->rules, &request, &setting->client, &setting->verdict);
}

/* The name of the rule that takes a request; "-" none, "404" none that may. */
static const char *taken(struct setting *setting, const char *line, const char *fields)
{
	const struct rules_verdict *verdict = &setting->verdict;
	char text[4096];

	snprintf(text, sizeof(text), "%s HTTP/1.1\r\n%s\r\n", line, fields);
	cr_assert_eq(match(setting, text), 0);
	if (verdict->kind == RULES_DEFAULT)
		return "-";
	return verdict->kind == RULES_NOT_FOUND ? "404" : verdict->rule->name;
}

struct example {
	const char *host, *path, *rule;
};

static void expect_all(const char *order, const char *rules, const struct example *examples,
		       size_t count)
{
	struct setting setting;

	set_up(order, rules, &setting);
	for (size_t i = 0; i < count; i++) {
		char line[256], host[256];
		const char *rule;

		snprintf(line, sizeof(line), "GET %s", examples[i].path);
		snprintf(host, sizeof(host), "Host: %s\r\n", examples[i].host);
		rule = taken(&setting, line, host);
		cr_expect_str_eq(rule, examples[i].rule, "%s of %s: %s, not %s", examples[i].path,
				 examples[i].host, rule, examples[i].rule);
	}
	tear_down(&setting);
}

#define EXPECT_ALL(order, rules, examples)                                                         \
	expect_all(order, rules, examples, sizeof(examples) / sizeof((examples)[0]))

Test(http_rules, by_exactness)
{
	static const struct example examples[] = {
		{ "a.example", "/v2/x", "exact-prefix" },
		{ "a.example", "/v2/x/y", "exact-prefix" },
		{ "a.example", "/v2/", "exact-prefix" },
		{ "a.example", "/v2", "exact-host" },
		{ "a.example", "/v2/long", "exact-exact" },
		{ "a.example", "/v2/longer", "exact-longer" },
		{ "a.example", "/v2/9", "exact-prefix" },
		{ "a.example", "/9", "exact-regex" },
		{ "A.EXAMPLE:81", "/v2/long", "exact-exact" },
		{ "a.example.", "/v2/long", "exact-exact" },
		{ "b.example", "/v2/x", "wild-host" },
		{ "c.b.example", "/", "longer-wild-host" },
		{ "example", "/", "-" },
		{ "example", "/any", "path-alone" },
		{ "x7.other", "/", "regex-host" },
		{ "X7.other", "/any", "regex-host" },
		{ "x77.other", "/any", "path-alone" },
		{ "[2001:db8:0::1]", "/", "v6" },
		{ "[2001:DB8::1]:80", "/", "v6" },
	};

	EXPECT_ALL("priority",
		   "  - { name: path-alone, path: /any, forward: api }\n"
		   "  - { name: regex-host, host: '~^x[0-9]\\.', forward: api }\n"
		   "  - { name: wild-host, host: '*.example', forward: api }\n"
		   "  - { name: longer-wild-host, host: '*.b.example', forward: api }\n"
		   "  - { name: exact-host, host: a.example, forward: api }\n"
		   "  - { name: exact-regex, host: a.example, path: '~^/(v2/)?9$', forward: api }\n"
		   "  - { name: exact-prefix, host: A.example, path: /v2/*, forward: api }\n"
		   "  - { name: exact-longer, host: a.example, path: /v2/l*, forward: api }\n"
		   "  - { name: exact-exact, host: a.example, path: /v2/long, forward: api }\n"
		   "  - { name: v6, host: '[2001:db8::1]', forward: api }\n",
		   examples);
}

Test(http_rules, by_priority)
{
	static const struct example examples[] = {
		{ "a.example", "/", "second" },	   { "a.example", "/x", "first" },
		{ "b.example", "/x", "first" },	   { "b.example", "/", "-" },
		{ "a.example", "/x/y", "second" },
	};

	EXPECT_ALL("priority",
		   "  - { name: third, priority: 30, host: a.example, path: /x, forward: api }\n"
		   "  - { name: second, priority: 2, host: a.*, forward: api }\n"
		   "  - { name: first, priority: 1, path: /x, forward: api }\n",
		   examples);
}

Test(http_rules, by_file)
{
	static const struct example examples[] = {
		{ "a.example", "/x1", "first" },
		{ "a.example", "/x2", "second" },
		{ "a.example", "/x3", "third" },
	};

	EXPECT_ALL("priority",
		   "  - { name: first, path: [/x1, /x4], forward: api }\n"
		   "  - { name: second, path: [/x1, /x2], forward: api }\n"
		   "  - { name: third, path: [/x1, /x2, /x3], forward: api }\n",
		   examples);
}

Test(http_rules, domain_first)
{
	static const struct example examples[] = {
		{ "a.example", "/v2/x", "path" },
		{ "a.example", "/x", "host" },
		{ "b.example", "/v2/x", "b" },
		{ "b.example", "/x", "404" },
		{ "b.example", "/any", "404" },
		{ "c.example", "/any", "any" },
		{ "c.example", "/x", "-" },
		{ "d.wild.example", "/any", "404" },
		{ "e.wild.example", "/w", "wild" },
		{ "exact.wild.example", "/w", "wild" },
		{ "exact.wild.example", "/", "exact" },
		{ "regex7.example", "/any", "404" },
	};

	EXPECT_ALL("domain_first",
		   "  - { name: any, path: /any, forward: api }\n"
		   "  - { name: host, host: a.example, forward: api }\n"
		   "  - { name: path, host: [x.example, a.example], path: /v2/*, forward: api }\n"
		   "  - { name: b, host: b.example, path: [/v2/x, /v2/y], forward: api }\n"
		   "  - { name: wild, host: '*.wild.example', path: /w, forward: api }\n"
		   "  - { name: exact, host: exact.wild.example, forward: api }\n"
		   "  - { name: regex, host: '~^regex[0-9]', path: /r, forward: api }\n",
		   examples);
}

/* Ways to write /admin. */
Test(http_rules, nobody_slips_past)
{
	static const struct example examples[] = {
		{ "a", "/admin", "admin" },
		{ "a", "/admin/x", "below" },
		{ "a", "/%61dmin", "admin" },
		{ "a", "/x/../admin", "admin" },
		{ "a", "/x/%2e%2e/admin", "admin" },
		{ "a", "/./admin", "admin" },
		{ "a", "/%2e/admin", "admin" },
		{ "a", "/admin/%2E%2e/admin/", "below" },
		{ "a", "/admin?x", "admin" },
		{ "a", "/admin?/../..", "admin" },
		/* These are other paths, whatever an endpoint takes them for. */
		{ "a", "//admin", "-" },
		{ "a", "/admin;x", "-" },
		{ "a", "/x%2f../admin", "escaped" },
		{ "a", "/ADMIN", "-" },
		{ "a", "/x%2Fadmin", "escaped" },
	};

	EXPECT_ALL("priority",
		   "  - { name: admin, path: /admin, forward: api }\n"
		   "  - { name: below, path: /admin/*, forward: api }\n"
		   "  - { name: escaped, path: '/x%2f*admin', forward: api }\n",
		   examples);
}

Test(http_rules, other_conditions)
{
	struct setting setting;

	set_up("priority",
	       "  - { name: header, header: { X-Env: [blue, 'green*'] }, forward: api }\n"
	       "  - { name: query, query: { 'a b': 'x y', c: '~^[0-9]+$' }, forward: api }\n"
	       "  - { name: method, method: [PUT, PURGE], forward: api }\n"
	       "  - { name: cookie, cookie: { sid: 'a?c' }, forward: api }\n"
	       "  - { name: hearsay, header: { X-Forwarded-For: '10.*' }, forward: api }\n"
	       "  - { name: source, source_ip: [198.51.100.0/24, '2001:db8::/32'], forward: api "
	       "}\n",
	       &setting);
#define H "Host: a\r\n"
	cr_expect_str_eq(taken(&setting, "GET /", H), "-");
	cr_expect_str_eq(taken(&setting, "GET /", H "x-env: blue\r\n"), "header");
	cr_expect_str_eq(taken(&setting, "GET /", H "x-env: red\r\nX-ENV: greenish\r\n"), "header");
	cr_expect_str_eq(taken(&setting, "GET /", H "x-env: Blue\r\nx-en: blue\r\n"), "-");
	cr_expect_str_eq(taken(&setting, "GET /?a+b=x%20y&c=7", H), "query");
	cr_expect_str_eq(taken(&setting, "GET /?c=x&c=8&a%20b=x+y", H), "query");
	cr_expect_str_eq(taken(&setting, "GET /?a+b=x%20y", H), "-");
	cr_expect_str_eq(taken(&setting, "GET /?a+b=x+y&c=7x", H), "-");
	cr_expect_str_eq(taken(&setting, "PUT /", H), "method");
	cr_expect_str_eq(taken(&setting, "PURGE /", H), "method");
	cr_expect_str_eq(taken(&setting, "Purge /", H), "-");
	cr_expect_str_eq(taken(&setting, "GET /", H "Cookie: x=y; sid=abc\r\n"), "cookie");
	cr_expect_str_eq(taken(&setting, "GET /", H "Cookie: x\r\nCookie: sid=a=c;y\r\n"),
			 "cookie");
	cr_expect_str_eq(taken(&setting, "GET /", H "Cookie: xsid=abc; SID=abc; sid=ac\r\n"), "-");
	cr_expect_str_eq(taken(&setting, "GET /", H "X-Forwarded-For: 10.0.0.1\r\n"), "-",
			 "nobody knows who says so");
	setting.client.trusted = true;
	cr_expect_str_eq(taken(&setting, "GET /", H "X-Forwarded-For: 10.0.0.1\r\n"), "hearsay");
	setting.client.trusted = false;
	addr_parse("198.51.100.9", &setting.client.addr);
	cr_expect_str_eq(taken(&setting, "GET /", H), "source");
	addr_parse("2001:db8:1::9", &setting.client.addr);
	cr_expect_str_eq(taken(&setting, "OPTIONS *", H), "source");
	tear_down(&setting);
}

#define expect_text(slice, text) support_expect_slice(slice, text)

Test(http_rules, actions)
{
	struct setting setting;
	const struct rules_verdict *verdict = &setting.verdict;

	set_up("priority",
	       "  - { path: /drop, drop: true }\n"
	       "  - { path: /fixed, fixed_response: { code: 403, body: no } }\n"
	       "  - { path: '/r*', redirect: 'https://${host}:${port}/new${path}?${query}' }\n"
	       "  - { path: /q, redirect: '${protocol}://x.example/?a=b&${query}' }\n"
	       "  - { path: /plain, forward: old }\n"
	       "  - { path: '/w/*/x/*', forward: api, rewrite: { path: '/${2}/${1}/${3}', "
	       "host: "
	       "'x-${host}', query: '' } }\n"
	       "  - { path: '~^/([a-z]+)-([0-9]+)$', forward: api, rewrite: "
	       "'/${2}/${1}${3}' }\n"
	       "  - { path: '/h/*', forward: api, rewrite: { host: '${1}.x' } }\n"
	       "  - { method: OPTIONS, redirect: 'https://x.example${path}' }\n",
	       &setting);
	cr_expect_str_eq(taken(&setting, "GET /drop", H), "");
	cr_expect_eq(verdict->kind, RULES_DROP);
	cr_expect_eq(verdict->index, 0);
	taken(&setting, "GET /fixed", H);
	cr_expect_eq(verdict->kind, RULES_FIXED_RESPONSE);
	cr_expect_eq(verdict->rule->code, 403);
	taken(&setting, "GET /r/%41?b=c", "Host: A.example\r\n");
	cr_expect_eq(verdict->kind, RULES_REDIRECT);
	expect_text(verdict->url, "https://A.example:8080/new/r/%41?b=c");
	taken(&setting, "GET /r", "Host: [2001:db8::1]:81\r\n");
	expect_text(verdict->url, "https://[2001:db8::1]:81/new/r");
	cr_assert_eq(match(&setting, "GET /r HTTP/1.0\r\n\r\n"), 0);
	expect_text(verdict->url, "https://192.0.2.1:8080/new/r");
	taken(&setting, "GET /q", H);
	expect_text(verdict->url, "http://x.example/?a=b");
	taken(&setting, "GET /plain", H);
	cr_expect_eq(verdict->kind, RULES_FORWARD);
	cr_expect_eq(verdict->group, 2);
	cr_expect(!verdict->rewrite.path.at && !verdict->rewrite.host.at &&
		  !verdict->rewrite.query.at);
	taken(&setting, "GET /w/a/x/b/x/c?q", "Host: h:1\r\n");
	cr_expect_eq(verdict->group, 1);
	expect_text(verdict->rewrite.path, "/b/x/c/a/");
	expect_text(verdict->rewrite.host, "x-h");
	expect_text(verdict->rewrite.query, "");
	cr_expect(verdict->rewrite.query.at);
	cr_expect_eq(match(&setting, "GET /h/a@b HTTP/1.1\r\n" H "\r\n"), -400);
	cr_expect_str_eq(verdict->why, "what the rule makes of Host is no host");
	taken(&setting, "GET /h/a", H);
	expect_text(verdict->rewrite.host, "a.x");
	taken(&setting, "GET /%61bc-12", H);
	expect_text(verdict->rewrite.path, "/12/abc");
	taken(&setting, "OPTIONS *", H);
	expect_text(verdict->url, "https://x.example/");
	tear_down(&setting);
}

/* A text that a variable makes too long is refused, not cut. */
Test(http_rules, too_long)
{
	static char text[HEAD_SIZE_DEFAULT];
	struct setting setting;
	size_t size = sprintf(text, "GET /");

	set_up("priority",
	       "  - { path: '/*', redirect: 'https://a${path}${path}${path}${path}' }\n", &setting);
	memset(text + size, 'a', 20000);
	strcpy(text + size + 20000, " HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect_eq(match(&setting, text), -414);
	cr_expect(setting.verdict.why);
	tear_down(&setting);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

/* A regular expression that would take for ever is given up, and the request refused: it may be
 * one that a rule is to keep out. */
Test(http_rules, endless_expressions)
{
	struct setting setting;
	double begin = seconds();

	set_up("priority", "  - { name: bad, path: '~^/(a|aa)+$', forward: api }\n", &setting);
	cr_expect_eq(match(&setting,
			   "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"
			   " HTTP/1.1\r\nHost: a\r\n\r\n"),
		     -400);
	cr_expect(setting.verdict.why);
	cr_expect_lt(seconds() - begin, 2);
	tear_down(&setting);
}

/* The time of a wildcard is linear: that of trying everything would not end. */
Test(http_rules, endless_wildcards)
{
	_cleanup_(glob_freep) struct glob *glob = NULL;
	static char text[HEAD_SIZE_DEFAULT];
	double begin = seconds();

	cr_assert_eq(glob_new(SLICE("*a*a*a*a*a*a*a*a*a*a*a?a*a*a*a*a*a*a*a*a*a*a*a*ab"), &glob),
		     0);
	memset(text, 'a', sizeof(text));
	for (unsigned i = 0; i < 20; i++)
		cr_assert_not(glob_match(glob, (struct slice){ text, sizeof(text) }));
	text[sizeof(text) - 1] = 'b';
	cr_assert(glob_match(glob, (struct slice){ text, sizeof(text) }));
	cr_expect_lt(seconds() - begin, 2);
}

Test(http_rules, random_wildcards)
{
	static const char *const parts[] = { "a", "b", "*", "?", "\xc3\xa4", "\xa4" };
	uint64_t random = 3;

	for (unsigned i = 0; i < 100000; i++) {
		_cleanup_(glob_freep) struct glob *glob = NULL;
		unsigned count = random_below(&random, i % 100 ? 9 : 140);
		char pattern[600] = "", text[64] = "";
		struct slice subject;
		bool wanted;

		while (count--)
			strcat(pattern, parts[random_below(&random, strlen(pattern) > 8 ? 3 : 6)]);
		for (count = random_below(&random, 9); count; count--)
			strcat(text, parts[random_below(&random, 12) % 6 == 2
						   ? 4
						   : random_below(&random, 2)]);
		subject = (struct slice){ support_copy(text, strlen(text)), strlen(text) };
		cr_assert_eq(glob_new(SLICE(pattern), &glob), 0);
		wanted = strlen(pattern) < 40 &&
			 rules_naive_glob(pattern, pattern + strlen(pattern), subject);
		if (strlen(pattern) < 40)
			cr_assert_eq(glob_match(glob, subject), wanted, "'%s' of '%s'", text,
				     pattern);
	}
}

Test(http_rules, captures)
{
	static const struct {
		const char *pattern, *text, *captured[3];
	} cases[] = {
		{ "/a", "/a", { "", "", "" } },
		{ "/*", "/", { "", "", "" } },
		{ "/*", "/a/b", { "a/b", "", "" } },
		{ "/*/*", "/a/b/c", { "a", "b/c", "" } },
		{ "/*x*y*", "/axbxcyd", { "a", "bxc", "d" } },
		{ "/*?b", "/aab", { "a", "", "" } },
		{ "/**/?*", "/ab/cd", { "", "ab", "d" } },
		{ "*a", "aaa", { "aa", "", "" } },
		{ "*a*a", "aaa", { "", "a", "" } },
		{ "/*/*/*/*", "/a/b/c/d", { "a", "b", "c" } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice captured[3];

		glob_capture(SLICE(cases[i].pattern), SLICE(cases[i].text), captured, 3);
		for (unsigned k = 0; k < 3; k++)
			expect_text(captured[k], cases[i].captured[k]);
	}
}

static void check_random(struct rules_source *source, unsigned *taken_count)
{
	struct listener *listener = rules_random_listener(source);
	struct rules *rules = NULL;

	cr_assert_eq(rules_new(listener, &rules, NULL), 0);
	for (unsigned i = 0; i < 50; i++) {
		struct forward_client client = {};
		struct rules_verdict verdict;
		struct request request;
		char text[512];
		struct head head;
		uint32_t wanted;
		uint8_t kind;
		int r;

		rules_random_request(source, text, sizeof(text), &client);
		head = support_head(text, strlen(text), 0);
		r = request_parse(&head, &support_limits, &request);
		cr_assert_eq(r, (int)strlen(text), "%d (%s): %s", r, head.why, text);
		cr_assert_eq(rules_match(rules, &request, &client, &verdict), 0);
		rules_naive_match(listener, &request, &client, &kind, &wanted);
		cr_assert_eq(verdict.kind, kind, "%u, not %u: %s", verdict.kind, kind, text);
		cr_assert_eq(verdict.rule ? verdict.index : UINT32_MAX, wanted, "%d, not %d: %s",
			     verdict.rule ? (int)verdict.index : -1, (int)wanted, text);
		*taken_count += verdict.rule != NULL;
	}
	rules_free(rules);
	rules_listener_free(listener);
}

Test(http_rules, random_rules)
{
	struct rules_source source = { .state = 11 };
	unsigned taken_count = 0;

	for (unsigned i = 0; i < 2000; i++)
		check_random(&source, &taken_count);
	/* Neither all nor none, so that it means something. */
	cr_expect(taken_count > 30000 && taken_count < 90000, "%u", taken_count);
}

/* Without memory there are no rules, and nothing is left of them. */
Test(http_rules, no_memory)
{
	struct rules_source source = { .state = 4 };

	for (unsigned i = 0; i < 20; i++) {
		struct listener *listener = rules_random_listener(&source);
		unsigned n = 0;

		do {
			struct rules *rules = NULL;
			int r;

			until_failure = ++n;
			has_failed = false;
			live = 0;
			counting = true;
			r = rules_new(listener, &rules, NULL);
			cr_assert(r == 0 ? rules != NULL : r == -ENOMEM && !rules);
			rules_free(rules);
			counting = false;
			cr_assert_eq(live, 0);
		} while (has_failed);
		cr_assert_gt(n, 2);
		rules_listener_free(listener);
	}
}

/* A long path needs memory: without any the request is refused. */
Test(http_rules, no_memory_for_a_request)
{
	struct setting setting;

	set_up("priority", "  - { name: a, path: '/*', forward: api }\n", &setting);
	until_failure = 1;
	has_failed = false;
	counting = true;
	cr_expect_eq(match(&setting, "GET /%41 HTTP/1.1\r\nHost: a\r\n\r\n"), -503);
	counting = false;
	cr_expect_str_eq(taken(&setting, "GET /%41", H), "a");
	tear_down(&setting);
}

/* Each of a thousand hosts with its paths is found, and nothing else. */
Test(http_rules, thousand)
{
	struct listener listener = { .http = calloc(1, sizeof(struct http)) };
	struct setting setting = {};

	listener.http->rule_order = HTTP_PRIORITY;
	for (unsigned i = 0; i < 1000; i++) {
		struct http_condition host = { .field = HTTP_HOST }, path = { .field = HTTP_PATH };
		struct http_rule rule = {};
		struct pattern pattern;
		char text[64];

		snprintf(text, sizeof(text), i % 3 ? "h%u.example.com" : "*.h%u.example.com",
			 i / 2);
		pattern_new(text, &pattern);
		vec_push(&host.values, pattern);
		snprintf(text, sizeof(text), i % 2 ? "/p%u/*" : "/p%u", i);
		pattern_new(text, &pattern);
		vec_push(&path.values, pattern);
		vec_push(&rule.conditions, host);
		vec_push(&rule.conditions, path);
		vec_push(&listener.http->rules, rule);
	}
	cr_assert_eq(rules_new(&listener, &setting.rules, NULL), 0);
	for (unsigned i = 0; i < 1000; i++) {
		char text[256];

		snprintf(text, sizeof(text),
			 "GET /p%u%s HTTP/1.1\r\nHost: %sh%u.example.com\r\n\r\n", i,
			 i % 2 ? "/x" : "", i % 3 ? "" : "x.", i / 2);
		cr_assert_eq(match(&setting, text), 0);
		cr_assert(setting.verdict.rule && setting.verdict.index == i, "%u", i);
		snprintf(text, sizeof(text), "GET /p%u HTTP/1.1\r\nHost: %sh%u.example.com\r\n\r\n",
			 i + 1, i % 3 ? "" : "x.", i / 2 + 1);
		cr_assert_eq(match(&setting, text), 0);
		cr_assert(!setting.verdict.rule || setting.verdict.index == i + 1);
	}
	rules_free(setting.rules);
	http_free(listener.http);
}

Test(http_rules, trusted_proxies)
{
	struct addr_prefix prefix;
	struct http http = {};
	struct addr addr;

	addr_parse("192.0.2.9", &addr);
	cr_expect_not(rules_trusts(&http, &addr));
	addr_prefix_parse("192.0.2.0/28", &prefix);
	vec_push(&http.trusted_proxies, prefix);
	cr_expect(rules_trusts(&http, &addr));
	addr_parse("192.0.2.16", &addr);
	cr_expect_not(rules_trusts(&http, &addr));
	vec_free(&http.trusted_proxies);
}
