// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/clients.h"

#include <errno.h>
#include <string.h>

#include "config/report.h"
#include "util/str.h"

#define TWICE_MAX 100 /* errors beyond which prefixes in two regions are not listed */

void clients_fini(struct clients *clients)
{
	vec_free(&clients->prefixes);
	vec_free(&clients->regions);
	lookup_fini(&clients->by_name);
}

bool clients_find(const struct clients *clients, const char *name, uint32_t *ret)
{
	lookup_foreach(item, &clients->by_name, lookup_hash(0, name, strlen(name))) {
		if (strcmp(clients->regions.items[item].name, name))
			continue;
		*ret = item;
		return true;
	}
	return false;
}

int clients_region(struct clients *clients, const char *name, uint32_t *ret)
{
	struct client_region fresh = {};

	if (clients_find(clients, name, ret))
		return 0;
	strncpy(fresh.name, name, sizeof(fresh.name) - 1);
	if (vec_push(&clients->regions, fresh) < 0)
		return -ENOMEM;
	*ret = clients->regions.count - 1;
	return lookup_add(&clients->by_name, lookup_hash(0, name, strlen(name)), *ret);
}

int clients_add(struct clients *clients, const struct addr_prefix *prefix, const char *region,
		uint32_t line)
{
	struct client_prefix fresh = { .prefix = *prefix, .line = line };
	int r = clients_region(clients, region, &fresh.region);

	return r ?: vec_push(&clients->prefixes, fresh);
}

/* ---- the file's text ---- */

struct reading {
	struct report *report;
	struct clients *clients;
	uint32_t offset; /* of the line */
	uint32_t line;
};

/* A word of a line. */
struct word {
	const char *text;
	size_t size;
	struct span span;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word from *at on, size 0 where there is none; a comment is none. */
static struct word next_word(const struct reading *reading, const char *line, size_t size,
			     size_t *at)
{
	struct word word;
	size_t begin;

	while (*at < size && is_space(line[*at]))
		++*at;
	begin = *at;
	if (begin < size && line[begin] == '#')
		*at = begin = size;
	while (*at < size && !is_space(line[*at]))
		++*at;
	word = (struct word){ .text = line + begin, .size = *at - begin };
	word.span = (struct span){ reading->offset + (uint32_t)begin, (uint32_t)word.size };
	return word;
}

static bool read_prefix(struct reading *reading, const struct word *word, struct addr_prefix *ret)
{
	char text[ADDR_PREFIX_MAX] = "", meant[ADDR_PREFIX_MAX], quoted[STR_QUOTE_MAX];
	int r = -EINVAL;

	if (word->size < sizeof(text) && !memchr(word->text, '\0', word->size)) {
		memcpy(text, word->text, word->size);
		r = addr_prefix_parse(text, ret);
	}
	str_quote(word->text, word->size, quoted);
	if (r == -ERANGE)
		report_error(reading->report, word->span,
			     "'%s' has bits beyond the prefix; write %s, or the address alone",
			     quoted, addr_prefix_print(ret, meant));
	else if (r < 0)
		report_error(reading->report, word->span,
			     "'%s' is neither a prefix like 192.0.2.0/24 nor an IP address",
			     quoted);
	return !r;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* As the configuration wants names. */
static bool is_name(const struct word *word)
{
	if (!word->size || word->size >= WEIR_NAME_MAX || !is_letter(word->text[0]))
		return false;
	for (size_t i = 0; i < word->size; i++) {
		char c = word->text[i];

		if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

static bool read_region(struct reading *reading, const struct word *prefix, const struct word *word,
			char ret[WEIR_NAME_MAX])
{
	char quoted[STR_QUOTE_MAX];

	if (!word->size) {
		report_error(reading->report, prefix->span,
			     "%s has no region behind it; a line is PREFIX REGION",
			     str_quote(prefix->text, prefix->size, quoted));
		return false;
	}
	if (!is_name(word)) {
		report_error(reading->report, word->span,
			     "region '%s' must begin with a letter and go on with letters, digits, "
			     "'.', '_' or '-', at most %u in all",
			     str_quote(word->text, word->size, quoted), WEIR_NAME_MAX - 1);
		return false;
	}
	memset(ret, 0, WEIR_NAME_MAX);
	memcpy(ret, word->text, word->size);
	return true;
}

static int read_line(struct reading *reading, const char *line, size_t size)
{
	char quoted[STR_QUOTE_MAX], name[WEIR_NAME_MAX];
	struct word prefix, region, more;
	struct addr_prefix parsed;
	bool good;
	size_t at = 0;

	prefix = next_word(reading, line, size, &at);
	if (!prefix.size)
		return 0;
	region = next_word(reading, line, size, &at);
	more = next_word(reading, line, size, &at);
	good = read_prefix(reading, &prefix, &parsed);
	good &= read_region(reading, &prefix, &region, name);
	if (more.size) {
		report_error(reading->report, more.span,
			     "unexpected '%s'; a line is PREFIX REGION, and # begins a comment",
			     str_quote(more.text, more.size, quoted));
		good = false;
	}
	return good ? clients_add(reading->clients, &parsed, name, reading->line) : 0;
}

static int compare_prefixes(const void *left, const void *right)
{
	const struct client_prefix *a = *(struct client_prefix *const *)left;
	const struct client_prefix *b = *(struct client_prefix *const *)right;
	int order = addr_compare(&a->prefix.addr, &b->prefix.addr);

	if (!order)
		order = a->prefix.bits - b->prefix.bits;
	return order ?: (a->line > b->line) - (a->line < b->line);
}

/* Where a line begins. */
static uint32_t offset_of(const struct report *report, uint32_t line)
{
	size_t at = 0;

	while (--line) {
		const char *end = memchr(report->text + at, '\n', report->size - at);

		at = end ? (size_t)(end - report->text) + 1 : report->size;
	}
	return at;
}

/* One prefix can be said twice, but not to be in two regions. */
static int check_twice(struct report *report, const struct clients *clients)
{
	_cleanup_(freep) struct client_prefix **sorted = NULL;
	size_t count = clients->prefixes.count;
	char text[ADDR_PREFIX_MAX];

	if (!count)
		return 0;
	sorted = malloc(count * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &clients->prefixes.items[i];
	qsort(sorted, count, sizeof(*sorted), compare_prefixes);
	for (size_t i = 1; i < count; i++) {
		const struct client_prefix *a = sorted[i - 1], *b = sorted[i];
		struct span span = {};

		if (!addr_prefix_equal(&a->prefix, &b->prefix) || a->region == b->region)
			continue;
		span.offset = offset_of(report, b->line);
		report_error(report, span, "%s is in region %s already, by line %u",
			     addr_prefix_print(&b->prefix, text),
			     clients->regions.items[a->region].name, a->line);
		if (report->findings->errors >= TWICE_MAX)
			break;
	}
	return 0;
}

int clients_parse(const char *text, size_t size, struct clients *ret, struct findings *findings)
{
	_cleanup_(clients_fini) struct clients clients = {};
	struct report report = { .text = text, .size = size, .findings = findings };
	struct reading reading = { .report = &report, .clients = &clients };
	size_t at = size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
	int r = 0;

	while (!r && at < size) {
		const char *end = memchr(text + at, '\n', size - at);
		size_t length = end ? (size_t)(end - text) - at : size - at;

		reading.offset = at;
		reading.line++;
		r = read_line(&reading, text + at, length);
		at += length + 1;
	}
	r = r ?: check_twice(&report, &clients);
	r = r ?: report.error;
	if (r < 0)
		return r;
	report_place(&report);
	if (findings->errors)
		return -EINVAL;
	*ret = clients;
	clients = (struct clients){};
	return 0;
}
