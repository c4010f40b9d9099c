// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/report.h"

#include <string.h>

#include "util/str.h"

/* A file that is not a configuration at all must not fill the memory with findings. */
#define FINDINGS_MAX 1000

#define WHOLE	     UINT32_MAX /* as `length` until report_place(): no place */

static void clean(char *message)
{
	for (char *c = message; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
}

/* Takes message and path. Behind those with the same place. */
static int insert(struct report *report, struct finding finding)
{
	struct findings *findings = report->findings;
	size_t i;

	if (!finding.message || !finding.path || vec_push(&findings->list, finding) < 0) {
		free(finding.message);
		free(finding.path);
		return -ENOMEM;
	}
	for (i = findings->list.count - 1; i > 0; i--) {
		if (findings->list.items[i - 1].offset <= finding.offset)
			break;
		findings->list.items[i] = findings->list.items[i - 1];
	}
	findings->list.items[i] = finding;
	return 0;
}

static void add(struct report *report, struct finding finding)
{
	if (finding.severity == FINDING_ERROR)
		report->findings->errors++;
	if (insert(report, finding) < 0)
		report->error = -ENOMEM;
}

static void add_last(struct report *report)
{
	struct finding last = {
		.severity = FINDING_WARNING,
		.offset = SIZE_MAX,
		.length = WHOLE,
		.message = strdup("there are more findings than these; they are left out"),
		.path = strdup(""),
	};

	add(report, last);
}

void report_add(struct report *report, enum finding_severity severity, struct span span, char *path,
		const char *format, va_list arguments)
{
	struct finding finding = {
		.severity = severity,
		.offset = span.offset,
		.length = span.size ? span.size : 1,
		.path = path,
	};
	struct str message = {};

	if (report->findings->list.count >= FINDINGS_MAX) {
		if (report->findings->list.count == FINDINGS_MAX)
			add_last(report);
		report->findings->errors += severity == FINDING_ERROR;
		free(path);
		return;
	}
	str_vadd(&message, format, arguments);
	finding.message = str_take(&message);
	if (finding.message)
		clean(finding.message);
	add(report, finding);
}

void report_error(struct report *report, struct span span, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report_add(report, FINDING_ERROR, span, strdup(""), format, arguments);
	va_end(arguments);
}

void report_whole(struct report *report, const char *format, ...)
{
	struct span whole = { .size = WHOLE };
	va_list arguments;

	va_start(arguments, format);
	report_add(report, FINDING_ERROR, whole, strdup(""), format, arguments);
	va_end(arguments);
}

/* Stray bytes are at least one. */
static unsigned count_characters(const char *text, size_t size)
{
	return str_characters(text, size) ?: 1;
}

static size_t line_end(const struct report *report, size_t offset)
{
	const char *end = memchr(report->text + offset, '\n', report->size - offset);
	size_t at = end ? (size_t)(end - report->text) : report->size;

	return at > offset && report->text[at - 1] == '\r' ? at - 1 : at;
}

static size_t text_begin(const struct report *report)
{
	return report->size >= 3 && !memcmp(report->text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

/* Findings are in order, so that the text is walked once, however long its lines are. */
void report_place(struct report *report)
{
	size_t at = text_begin(report);
	unsigned line = 1, column = 1;

	vec_foreach(finding, &report->findings->list) {
		size_t end;

		if (finding->length == WHOLE) {
			finding->offset = finding->line = finding->column = 0;
			finding->length = 1;
			continue;
		}
		for (; at < finding->offset && at < report->size; at++) {
			bool next = report->text[at] == '\n';

			line += next;
			column = next ? 1 : column + ((report->text[at] & 0xc0) != 0x80);
		}
		end = line_end(report, at);
		if (end > at + finding->length)
			end = at + finding->length;
		finding->line = line;
		finding->column = column;
		finding->length = end > at ? count_characters(report->text + at, end - at) : 1;
	}
}
