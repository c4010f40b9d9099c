// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <string.h>

#include "config/config.h"
#include "util/str.h"

#define LINE_SHOWN  100 /* characters of a longer line that are shown */
#define SHOWN_AHEAD 40	/* of them before the caret */

#define RESET	    "\033[0m"
#define BOLD	    "\033[1m"
#define RED	    "\033[1;31m"
#define MAGENTA	    "\033[1;35m"
#define GREEN	    "\033[1;32m"

struct printer {
	const char *name;
	const char *text;
	size_t size;
	bool colour;
	FILE *out;
};

void findings_fini(struct findings *findings)
{
	vec_foreach(finding, &findings->list) {
		free(finding->message);
		free(finding->path);
	}
	vec_free(&findings->list);
	findings->errors = 0;
}

static const char *ansi(const struct printer *printer, const char *code)
{
	return printer->colour ? code : "";
}

static void print_head(const struct printer *printer, const struct finding *finding)
{
	bool error = finding->severity == FINDING_ERROR;

	fprintf(printer->out, "%s%s:", ansi(printer, BOLD), printer->name);
	if (finding->line)
		fprintf(printer->out, "%u:%u:", finding->line, finding->column);
	fprintf(printer->out, "%s %s%s:%s %s\n", ansi(printer, RESET),
		ansi(printer, error ? RED : MAGENTA), error ? "error" : "warning",
		ansi(printer, RESET), finding->message);
}

/* Prints one character and returns its bytes; what would move the cursor is replaced. */
static size_t print_character(const struct printer *printer, size_t offset)
{
	const char *at = printer->text + offset;
	unsigned point = 0;
	size_t length = str_utf8(at, printer->size - offset, &point);

	if (point == '\t')
		fputc(' ', printer->out);
	else if (!length || point < 0x20 || (point >= 0x7f && point < 0xa0))
		fputc('?', printer->out);
	else
		fwrite(at, 1, length, printer->out);
	return length ? length : 1;
}

static size_t skip_characters(const struct printer *printer, size_t offset, unsigned count)
{
	for (; count && offset < printer->size; count--) {
		size_t length = str_utf8(printer->text + offset, printer->size - offset, NULL);

		offset += length ? length : 1;
	}
	return offset;
}

static size_t line_begin(const struct printer *printer, size_t offset)
{
	while (offset > 0 && printer->text[offset - 1] != '\n')
		offset--;
	if (!offset && printer->size >= 3 && !memcmp(printer->text, "\xef\xbb\xbf", 3))
		offset = 3;
	return offset;
}

static size_t line_end(const struct printer *printer, size_t offset)
{
	while (offset < printer->size && printer->text[offset] != '\n')
		offset++;
	if (offset > 0 && printer->text[offset - 1] == '\r')
		offset--;
	return offset;
}

/* Prints the source line, cut around the caret if it is long; returns the caret's place in it. */
static unsigned print_line(const struct printer *printer, const struct finding *finding)
{
	size_t at = line_begin(printer, finding->offset);
	size_t end = line_end(printer, finding->offset);
	unsigned before = finding->column - 1, shown = 0;
	bool cut = end - at > LINE_SHOWN && before > SHOWN_AHEAD;

	if (cut) {
		at = skip_characters(printer, at, before - SHOWN_AHEAD);
		before = SHOWN_AHEAD + strlen("...");
		fputs("...", printer->out);
	}
	for (; at < end && shown < LINE_SHOWN; shown++)
		at += print_character(printer, at);
	fputs(at < end ? "...\n" : "\n", printer->out);
	return before;
}

static void print_source(const struct printer *printer, const struct finding *finding)
{
	int width = fprintf(printer->out, "%5u", finding->line);
	unsigned before, marked = finding->length;

	fputs(" | ", printer->out);
	before = print_line(printer, finding);
	if (before + marked > LINE_SHOWN)
		marked = before < LINE_SHOWN ? LINE_SHOWN - before : 1;
	fprintf(printer->out, "%*s | %*s%s^", width, "", (int)before, "", ansi(printer, GREEN));
	while (--marked)
		fputc('~', printer->out);
	fputs(ansi(printer, RESET), printer->out);
	if (*finding->path)
		fprintf(printer->out, "  (%s)", finding->path);
	fputc('\n', printer->out);
}

void findings_print(const struct findings *findings, const char *name, const char *text,
		    size_t size, bool colour, FILE *out)
{
	struct printer printer = {
		.name = name,
		.text = text,
		.size = size,
		.colour = colour,
		.out = out,
	};

	vec_foreach(finding, &findings->list) {
		print_head(&printer, finding);
		if (finding->line && finding->offset <= size)
			print_source(&printer, finding);
	}
}
