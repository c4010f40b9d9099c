// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/syntax.h"

#include <errno.h>
#include <string.h>

#include "util/str.h"

#define TEXT_MAX (64u << 20)

struct advice {
	const char *problem; /* how libyaml's text begins */
	const char *advice;
	bool at_context; /* the place to look at is where the construct begins */
};

static const struct advice advices[] = {
	{ "mapping values are not allowed", "unexpected ':'; indent a key like its siblings, and "
					    "quote a value that has ': ' in it or "
					    "ends with ':'" },
	{ "did not find expected '-' indicator", "this line does not fit the list before it; begin "
						 "all its items with '- ' in one column" },
	{ "did not find expected key", "this line does not fit the mapping before it; begin all "
				       "its keys in one column, and quote "
				       "a value that begins with '[', '{', '\"' or \"'\"" },
	{ "block sequence entries are not allowed",
	  "a list item cannot begin here; put '- ' on a line of its own" },
	{ "could not find expected ':'", "a key must be followed by ': ' and its value", true },
	{ "did not find expected ',' or ']'", "this '[' is not closed, or a ',' is missing", true },
	{ "did not find expected ',' or '}'", "this '{' is not closed, or a ',' is missing", true },
	{ "found unexpected end of stream", "the quote that begins here is not closed", true },
	{ "found unexpected document indicator", "the quote that begins here is not closed", true },
	{ "found unknown escape character", "unknown escape in a text in double quotes; use single "
					    "quotes, or '\\\\' for a backslash" },
	{ "found unexpected ':'", "quote a value that has ':' before ',' or a bracket", true },
	{ "did not find expected node content", "a value is missing here; close every '[' and '{', "
						"and quote a value that begins with ':'" },
	{ "did not find expected <document start>",
	  "this line does not fit what is before it; indent it like its siblings" },
	{ "found a tab character", "use blanks for indentation, not tabs" },
};

static char byte_at(const struct report *report, size_t at)
{
	return at < report->size ? report->text[at] : '\0';
}

static struct span span_at(const struct report *report, size_t at, size_t size)
{
	size_t last = report->size ? report->size - 1 : 0;

	return (struct span){ .offset = at < last ? at : last, .size = size };
}

/* The text that begins at a place, up to one of the characters. */
static size_t size_until(const struct report *report, size_t at, const char *characters)
{
	size_t size = 0;

	while (at + size < report->size && !strchr(characters, report->text[at + size]))
		size++;
	return size;
}

/* The same of a plain text, up to a blank or what ends it in a list. */
static size_t word_size(const struct report *report, size_t at)
{
	return size_until(report, at, " \t\r\n,]}#");
}

/* *.example.com: libyaml sees an alias. */
static bool explain_alias(struct report *report, const struct syntax_problem *problem)
{
	size_t at = problem->context_at, size;
	char quoted[STR_QUOTE_MAX];

	if (!problem->context || !strstr(problem->context, "alias") || byte_at(report, at) != '*')
		return false;
	size = word_size(report, at);
	str_quote(report->text + at, size, quoted);
	report_error(report, span_at(report, at, size),
		     "a value that begins with '*' is an alias in YAML; quote it: \"%s\"", quoted);
	return true;
}

/* [v6]:port: libyaml sees a list, and text behind it. */
static bool explain_brackets(struct report *report, const struct syntax_problem *problem)
{
	size_t at = problem->problem_at, size;
	char quoted[STR_QUOTE_MAX];

	if (byte_at(report, at) != ':' || !at || report->text[at - 1] != ']')
		return false;
	while (at > 0 && report->text[at] != '[' && report->text[at] != '\n')
		at--;
	if (report->text[at] != '[')
		return false;
	size = problem->problem_at - at;
	size += word_size(report, problem->problem_at);
	str_quote(report->text + at, size, quoted);
	report_error(report, span_at(report, at, size),
		     "a value that begins with '[' is a list in YAML; quote it: \"%s\"", quoted);
	return true;
}

/* { path: ~^/v[0-9]+ }: in brackets, YAML ends a plain value at a bracket. */
static bool explain_glued(struct report *report, const struct syntax_problem *problem)
{
	size_t at = problem->problem_at, size;
	char quoted[STR_QUOTE_MAX];
	char bracket = byte_at(report, at);

	if (strncmp(problem->problem, "did not find expected ',' or", 28) ||
	    (bracket != '[' && bracket != '{') || !at || strchr(" \t\n,[{]}", report->text[at - 1]))
		return false;
	while (at > 0 && !strchr(" \t\n,[{", report->text[at - 1]))
		at--;
	size = size_until(report, at, " \t\r\n");
	if (size > 1 && report->text[at + size - 1] == ',')
		size--;
	str_quote(report->text + at, size, quoted);
	report_error(report, span_at(report, at, size),
		     "within brackets YAML ends a value at '%c'; quote it: '%s'", bracket, quoted);
	return true;
}

static bool explain_character(struct report *report, const struct syntax_problem *problem)
{
	char c = byte_at(report, problem->problem_at);
	struct span span = span_at(report, problem->problem_at, 1);

	if (!strstr(problem->problem, "cannot start any token"))
		return false;
	if (c == '\t')
		report_error(report, span, "use blanks for indentation, not tabs");
	else
		report_error(report, span, "a value cannot begin with '%c'; quote it", c);
	return true;
}

void syntax_report(struct report *report, const struct syntax_problem *problem)
{
	if (explain_alias(report, problem) || explain_brackets(report, problem) ||
	    explain_glued(report, problem) || explain_character(report, problem))
		return;
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		const struct advice *advice = &advices[i];

		if (strncmp(problem->problem, advice->problem, strlen(advice->problem)))
			continue;
		report_error(report,
			     span_at(report,
				     advice->at_context ? problem->context_at : problem->problem_at,
				     1),
			     "%s", advice->advice);
		return;
	}
	report_error(report, span_at(report, problem->problem_at, 1),
		     "this is not YAML: %s; look at quotes, brackets and indentation",
		     problem->problem);
}

/* What YAML allows besides line breaks and tabs. */
static bool is_printable(unsigned point)
{
	if (point < 0x80)
		return (point >= 0x20 && point != 0x7f) || point == '\t' || point == '\n' ||
		       point == '\r';
	return point >= 0xa0 && point != 0xfeff && point != 0xfffe && point != 0xffff;
}

/* `length`: 0 if it is no UTF-8. */
static void refuse_character(struct report *report, size_t at, size_t length, unsigned point)
{
	struct span span = { .offset = at, .size = 1 };

	if (!length)
		report_error(report, span, "byte 0x%02x is not UTF-8; save the file as UTF-8 text",
			     (unsigned char)report->text[at]);
	else if (!point)
		report_error(report, span, "NUL byte; a configuration is plain text");
	else
		report_error(report, span, "control character U+%04X is not allowed", point);
}

int syntax_check_bytes(struct report *report)
{
	size_t at = 0, length;
	unsigned point;

	if (report->size > TEXT_MAX) {
		report_whole(report, "the file has %zu bytes; a configuration has at most %u MiB",
			     report->size, TEXT_MAX >> 20);
		return -EINVAL;
	}
	if (report->size >= 3 && !memcmp(report->text, "\xef\xbb\xbf", 3))
		at = 3;
	for (; at < report->size; at += length) {
		length = str_utf8(report->text + at, report->size - at, &point);
		if (!length || !is_printable(point)) {
			refuse_character(report, at, length, point);
			return -EINVAL;
		}
	}
	return 0;
}
