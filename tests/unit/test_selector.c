// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Goal: a selector names exactly the part of the configuration that it seems to. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "config/selector.h"

#define NAME_63 "a23456789012345678901234567890123456789012345678901234567890123"

static struct selector parse(const char *text)
{
	struct selector selector;
	struct err err = {};

	cr_assert_eq(selector_parse(text, &selector, &err), 0, "%s: %s", text, err.text);
	return selector;
}

/* 1: parts are taken apart, and what is none is refused with a text that shows it. */
Test(selector, parse)
{
	static const struct {
		const char *text;
		int parts; /* 0: refused */
		const char *complaint;
	} cases[] = {
		{ "web", 1, NULL },
		{ "*", 1, NULL },
		{ "web/main", 2, NULL },
		{ "web/main/10.0.0.1:80", 3, NULL },
		{ "web/main/[2001:db8::1]:80", 3, NULL },
		{ NAME_63 "/" NAME_63 "/" NAME_63, 3, NULL },
		{ "", 0, "selector '': an empty name; write LISTENER[/GROUP[/ENDPOINT]]" },
		{ "/", 0, "an empty name" },
		{ "web/", 0, "selector 'web/': an empty name" },
		{ "/main", 0, "an empty name" },
		{ "web//a", 0, "an empty name" },
		{ "web/main/a/", 0, "more parts than LISTENER/GROUP/ENDPOINT" },
		{ "web/main/a/b", 0, "selector 'web/main/a/b': has more parts than" },
		{ NAME_63 "4", 0, "an overlong name" },
		{ "web/" NAME_63 "4", 0, "an overlong name" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct selector selector = { .parts = 77 };
		struct err err = {};
		int r = selector_parse(cases[i].text, &selector, &err);

		cr_expect_eq(r, cases[i].parts ? 0 : -EINVAL, "%s", cases[i].text);
		cr_expect_eq(selector.parts, cases[i].parts ? cases[i].parts : 77, "%s",
			     cases[i].text);
		if (cases[i].complaint)
			cr_expect(strstr(err.text, cases[i].complaint), "%s: %s", cases[i].text,
				  err.text);
	}
}

/* 2: which endpoints it matches. */
Test(selector, matches)
{
	static const struct {
		const char *text;
		const char *listener, *group, *endpoint;
		bool expected;
	} cases[] = {
		{ "web", "web", "main", "a", true },
		{ "web", "webs", "main", "a", false },
		{ "web", "we", "main", "a", false },
		{ "web", "WEB", "main", "a", false },
		{ "web/main", "web", "main", "a", true },
		{ "web/main", "web", "other", "a", false },
		{ "web/main/a", "web", "main", "a", true },
		{ "web/main/a", "web", "main", "ab", false },
		{ "web/main/a", "dns", "main", "a", false },
		{ "*", "web", "main", "a", true },
		{ "*/*/a", "web", "main", "a", true },
		{ "*/*/a", "web", "main", "b", false },
		{ "w*", "web", "main", "a", true },
		{ "*b", "web", "main", "a", true },
		{ "*x", "web", "main", "a", false },
		{ "w*b/m*n/*", "web", "main", "a", true },
		{ "we*b", "web", "main", "a", true },
		{ "w**b", "web", "main", "a", true },
		{ "web*", "web", "main", "a", true },
		{ "*web", "web", "main", "a", true },
		{ "web**", "web", "main", "a", true },
		{ "a*a", "a", "main", "a", false },
		{ "*ab*ab", "abxab", "main", "a", true },
		{ "*ab*ab", "xab", "main", "a", false },
		{ "*a*b*c", "aXbXbc", "main", "a", true },
		{ "*/*/10.0.0.*:80", "web", "main", "10.0.0.1:80", true },
		{ "*/*/10.0.0.*:80", "web", "main", "10.0.0.1:8080", false },
		{ "*/*/10.0.0.1:80", "web", "main", "10.0.001:80", false },
		{ "web/main/?", "web", "main", "a", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct selector selector = parse(cases[i].text);

		cr_expect_eq(selector_matches(&selector, cases[i].listener, cases[i].group,
					      cases[i].endpoint),
			     cases[i].expected, "%s against %s/%s/%s", cases[i].text,
			     cases[i].listener, cases[i].group, cases[i].endpoint);
	}
}

/* 3: a star never crosses a slash: the parts are matched one by one. */
Test(selector, star_and_slash)
{
	struct selector selector = parse("w*a");

	cr_expect_not(selector_matches(&selector, "web", "main", "a"));
	selector = parse("*");
	cr_expect_eq(selector.parts, 1);
}

/* 4: without parts it matches everything; a listener is matched by the first part alone. */
Test(selector, listeners)
{
	struct selector selector = {};

	cr_expect(selector_matches(&selector, "web", "main", "a"));
	cr_expect(selector_matches_listener(&selector, "web"));
	selector = parse("web/other/b");
	cr_expect(selector_matches_listener(&selector, "web"));
	cr_expect_not(selector_matches_listener(&selector, "webs"));
	selector = parse("w*");
	cr_expect(selector_matches_listener(&selector, "webs"));
}

/* 5: many stars against a long name take no time to speak of. */
Test(selector, no_explosion, .timeout = 5)
{
	struct selector selector = parse("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b");
	char name[WEIR_NAME_MAX];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_expect_not(selector_matches_listener(&selector, name));
}
