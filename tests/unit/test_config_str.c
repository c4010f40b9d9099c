// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: suggestions are what was meant, and user text in a message is one short, harmless line.
 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/str.h"

Test(config_str, distance)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} cases[] = {
		{ "", "", 0 },
		{ "a", "", 1 },
		{ "", "abc", 3 },
		{ "port", "port", 0 },
		{ "prot", "port", 1 },
		{ "Port", "port", 0 },
		{ "wieght", "weight", 1 },
		{ "weght", "weight", 1 },
		{ "weeight", "weight", 1 },
		{ "kitten", "sitting", 3 },
		{ "ab", "ba", 1 },
		{ "abc", "cab", 2 },
	};
	char big[66];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(str_distance(cases[i].a, cases[i].b), cases[i].distance, "%s %s",
			     cases[i].a, cases[i].b);
		cr_expect_eq(str_distance(cases[i].b, cases[i].a), cases[i].distance);
	}
	memset(big, 'a', 65);
	big[65] = '\0';
	cr_expect_eq(str_distance(big, "a"), SIZE_MAX);
	cr_expect_eq(str_distance(big + 1, "a"), 63);
}

Test(config_str, one_line)
{
	static const char *const lines[] = { "", "disk is bad", "Wartung für ü",
					     "\xf0\x9f\x94\xa5" };
	static const char *const others[] = { "a\nb",
					      "a\tb",
					      "\x1b[2J",
					      "\x7f",
					      "\xc2\x9b"
					      "2J",
					      "\xe2\x80\xa8",
					      "\xff",
					      "cut \xc3" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		cr_expect(str_is_line(lines[i]), "%s", lines[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_expect_not(str_is_line(others[i]), "%zu", i);
}

Test(config_str, nearest)
{
	static const struct {
		const char *word, *best;
	} cases[] = {
		{ "wieght", "weight" },
		{ "prot", "port" },
		{ "nmae", "name" },
		{ "adress", "address" },
		{ "Mode", "mode" },
		{ "x", NULL },
		{ "", NULL },
		{ "health_check", NULL },
		{ "idletimeout", "idle_timeout" },
	};
	static const char *const words[] = { "name",   "port",	  "mode",
					     "weight", "address", "idle_timeout" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str_nearest nearest = { .word = cases[i].word };

		for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++)
			str_nearest_offer(&nearest, words[j]);
		if (cases[i].best)
			cr_expect_str_eq(nearest.best, cases[i].best);
		else
			cr_expect_null(nearest.best, "%s: %s", cases[i].word, nearest.best);
	}
}

Test(config_str, quote)
{
	static const struct {
		const char *text;
		size_t size;
		const char *quoted;
	} cases[] = {
		{ "", 0, "" },
		{ "abc", 3, "abc" },
		{ "a\nb\0c\x1b[1m", 9, "a?b?c?[1m" },
		{ "\xc3\xa4\xff\xc3", 4, "\xc3\xa4??" },
		{ "\xc2\x85\xe2\x80\xa8", 5, "??" },
		{ "1234567890123456789012345678901234567890", 40,
		  "1234567890123456789012345678901234567890" },
		{ "12345678901234567890123456789012345678901", 41,
		  "1234567890123456789012345678901234567890..." },
	};
	char quoted[STR_QUOTE_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(str_quote(cases[i].text, cases[i].size, quoted), cases[i].quoted);
}

Test(config_str, utf8)
{
	static const struct {
		const char *text;
		size_t size, length;
		unsigned point;
	} cases[] = {
		{ "a", 1, 1, 'a' },
		{ "\0", 1, 1, 0 },
		{ "\xc2\x80", 2, 2, 0x80 },
		{ "\xe2\x82\xac", 3, 3, 0x20ac },
		{ "\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff },
		{ "\xf4\x90\x80\x80", 4, 0, 0 }, /* above U+10FFFF */
		{ "\xc1\xbf", 2, 0, 0 },	 /* too long for what it says */
		{ "\xe0\x9f\xbf", 3, 0, 0 },
		{ "\xf0\x8f\xbf\xbf", 4, 0, 0 },
		{ "\xed\xa0\x80", 3, 0, 0 }, /* surrogate */
		{ "\xe2\x82", 2, 0, 0 },     /* broken off */
		{ "\x80", 1, 0, 0 },
		{ "\xe2\x28\xa1", 3, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned point = 0;

		cr_expect_eq(str_utf8(cases[i].text, cases[i].size, &point), cases[i].length,
			     "case %zu", i);
		cr_expect_eq(point, cases[i].point, "case %zu", i);
	}
}

Test(config_str, grows)
{
	struct str str = {};
	char *text;

	for (int i = 0; i < 1000; i++)
		str_add(&str, "%03d", i);
	text = str_take(&str);
	cr_assert(text && strlen(text) == 3000);
	cr_expect(!strncmp(text + 2997, "999", 3));
	cr_expect(!str.text && !str.size);
	free(text);
	text = str_take(&str);
	cr_expect_str_eq(text, "");
	free(text);
}
