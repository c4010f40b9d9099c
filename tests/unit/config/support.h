/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the tests of the configuration share: parsing with the findings as one text.
 */
#ifndef WEIR_TESTS_UNIT_CONFIG_SUPPORT_H
#define WEIR_TESTS_UNIT_CONFIG_SUPPORT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "config/config.h"
#include "util/str.h"

/* "6:11 error MESSAGE" per finding, and nothing else. Caller frees. */
static inline char *support_findings(const struct findings *findings)
{
	struct str out = {};

	vec_foreach(finding, &findings->list)
		str_add(&out, "%u:%u %s %s\n", finding->line, finding->column,
			finding->severity == FINDING_ERROR ? "error" : "warning", finding->message);
	return str_take(&out);
}

/* Parses, and compares the findings with `wanted`, all lines of it. */
static inline void support_expect(const char *text, size_t size, const char *wanted)
{
	_cleanup_(findings_fini) struct findings findings = {};
	_cleanup_(model_freep) struct model *model = NULL;
	_cleanup_(freep) char *got = NULL;
	int r = config_parse(text, size, &model, &findings);

	got = support_findings(&findings);
	cr_expect_str_eq(got, wanted, "got:\n%swanted:\n%sof:\n%.*s", got, wanted,
			 (int)(size > 2000 ? 2000 : size), text);
	cr_expect_eq(r, findings.errors ? -EINVAL : 0);
	cr_expect_eq(model != NULL, r == 0);
}

static inline struct model *support_parse(const char *text)
{
	_cleanup_(findings_fini) struct findings findings = {};
	struct model *model = NULL;
	_cleanup_(freep) char *got = NULL;
	int r = config_parse(text, strlen(text), &model, &findings);

	got = support_findings(&findings);
	cr_assert_eq(r, 0, "%s\nof:\n%s", got, text);
	return model;
}

/* A whole file, relative to the root of the repository; caller frees. */
static inline char *support_read(const char *path, size_t *ret_size)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "r");
	_cleanup_(freep) char *text = NULL;
	size_t room = 0;
	ssize_t size;

	cr_assert(file, "%s: %s", path, strerror(errno));
	size = getdelim(&text, &room, -1, file);
	cr_assert_geq(size, 0, "%s", path);
	*ret_size = size;
	return take_ptr(text);
}

/* What findings_print() writes; caller frees. */
static inline char *support_print(const struct findings *findings, const char *name,
				  const char *text, size_t size, bool colour)
{
	char *out = NULL;
	size_t out_size = 0;
	FILE *file = open_memstream(&out, &out_size);

	cr_assert(file);
	findings_print(findings, name, text, size, colour, file);
	fclose(file);
	return out;
}

#endif
