// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/schema_pattern.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"

#define OCTET  "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define IPV4   OCTET "(\\." OCTET "){3}"
#define IPV6   "[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*"
#define NAME   "[A-Za-z][A-Za-z0-9._-]{0,62}"
#define TOKEN  "[!#$%%&'*+.^_`|~0-9A-Za-z-]"
#define LABEL  "[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?"
#define DOMAIN LABEL "(\\." LABEL ")*\\.?"

/* What is in a URL, and no unknown ${variable}. */
#define KNOWN "(?!.*\\$\\{(?!(protocol|host|port|path|query)\\}))"
#define URL   "[!#-;=?-\\[\\]-~]"

/* Numbers of as many digits, of which both begin alike where the digits are the same. */
static void add_digits(int64_t first, int64_t last, struct str *out)
{
	char low[24], high[24];

	snprintf(low, sizeof(low), "%" PRId64, first);
	snprintf(high, sizeof(high), "%" PRId64, last);
	for (size_t i = 0; low[i]; i++) {
		if (low[i] == high[i])
			str_add(out, "%c", low[i]);
		else
			str_add(out, "[%c-%c]", low[i], high[i]);
	}
}

/* The end of the longest run from `first` on whose numbers differ in their last digits alone, all
 * of which they have, but for the first of these. */
static int64_t run_end(int64_t first, int64_t last)
{
	int64_t end = first, unit = 1;

	while (first % (unit * 10) == 0 && first && first + unit * 10 - 1 <= last)
		unit *= 10;
	end = first + unit - 1;
	/* As many more as fit before the digit before them changes. */
	while (end + unit <= last && (end + unit) / (unit * 10) == first / (unit * 10))
		end += unit;
	return end;
}

void schema_pattern_number(int64_t min, int64_t max, struct str *out)
{
	const char *bar = "";

	str_add(out, "(");
	while (min <= max) {
		int64_t end = run_end(min, max);

		str_add(out, "%s", bar);
		add_digits(min, end, out);
		bar = "|";
		min = end + 1;
	}
	str_add(out, ")");
}

/* In each unit as many as are in the range, which is in ms. */
static void add_duration(const struct schema_key *key, struct str *out)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "s?", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
	const char *bar = "";
	int64_t thousands = key->min / 1000 ?: 1;

	str_add(out, "(");
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int64_t min = (key->min + units[i].ms - 1) / units[i].ms;

		if (min > key->max / units[i].ms)
			continue;
		str_add(out, "%s", bar);
		schema_pattern_number(min, key->max / units[i].ms, out);
		str_add(out, "%s", units[i].name);
		bar = "|";
	}
	str_add(out, "%s", bar);
	if (key->flags & SCHEMA_SECONDS) {
		schema_pattern_number(thousands, key->max / 1000, out);
		str_add(out, "000ms%s", key->min ? "" : "|0ms");
	} else {
		schema_pattern_number(key->min, key->max, out);
		str_add(out, "ms");
	}
	str_add(out, ")");
}

static void add_ports(const struct schema_key *key, struct str *out)
{
	_cleanup_(str_fini) struct str port = {};

	schema_pattern_number(key->min, key->max, &port);
	str_add(out, "%s(-%s)?(, *%s(-%s)?)*", port.text, port.text, port.text, port.text);
}

static void add_rate(const struct schema_key *key, struct str *out)
{
	schema_pattern_number(key->min, key->max, out);
	str_add(out, "/[sm]( +burst +");
	schema_pattern_number(key->min, key->max, out);
	str_add(out, ")?");
}

static void add_network(struct str *out)
{
	str_add(out, "(" IPV4 "(/");
	schema_pattern_number(0, 32, out);
	str_add(out, ")?|" IPV6 "(/");
	schema_pattern_number(0, 128, out);
	str_add(out, ")?)");
}

/* "{1,128}" characters, or bytes where they are the same. */
static void add_length(const struct schema_key *key, struct str *out)
{
	str_add(out, "{%" PRId64 ",%" PRId64 "}", key->min, key->max);
}

static void add_http(const struct schema_key *key, struct str *out)
{
	switch (key->type) {
	case SCHEMA_TEXT:
		str_add(out, "(?![ \\t])(?!.*[ \\t]$)[^\\u0000-\\u0008\\u000a-\\u001f\\u007f]");
		add_length(key, out);
		break;
	case SCHEMA_PATTERN:
		str_add(out, "(?!~$)(?![ \\t])(?!.*[ \\t]$)"
			     "[^\\u0000-\\u0008\\u000a-\\u001f\\u007f]");
		add_length(key, out);
		break;
	case SCHEMA_BODY:
		str_add(out, "[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f]");
		add_length(key, out);
		break;
	case SCHEMA_TOKEN:
		str_add(out, TOKEN "{1,%" PRId64 "}", key->max);
		break;
	case SCHEMA_METHOD:
		str_add(out, "[A-Z_-]{1,%" PRId64 "}", key->max);
		break;
	case SCHEMA_HOST:
		str_add(out, "(~[^\\n]{3,128}|[A-Za-z0-9._*?-]{3,128}|"
			     "(?=.{3,128}$)\\[[0-9A-Fa-f:.\\[\\]*?]*)");
		break;
	case SCHEMA_URL_PATH:
		str_add(out, "(~[^\\n]{1,128}|(?!.*/\\.\\.?(/|$))(?!.*%%(?![0-9A-Fa-f]{2}))"
			     "(?!.*%%(00|2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|"
			     "7[0-9aAeE]))/[!$-;=?-\\[\\]-~]{0,127})");
		break;
	case SCHEMA_TEMPLATE:
		str_add(out, KNOWN URL);
		add_length(key, out);
		break;
	case SCHEMA_TEMPLATE_PATH:
		str_add(out, KNOWN "(?=/|\\$\\{path\\})" URL);
		add_length(key, out);
		break;
	case SCHEMA_URL:
		str_add(out, KNOWN "(?=/(?!/)|(https?|\\$\\{protocol\\})://[^/])" URL);
		add_length(key, out);
		break;
	case SCHEMA_MEDIA_TYPE:
		str_add(out, "(?=.{1,100}$)" TOKEN "+/" TOKEN "+(;[^\\u0000-\\u001f\\u007f]*)?");
		break;
	case SCHEMA_STATUS:
		str_add(out, "[245][0-9]{2}");
		break;
	default: /* of which nothing is said here */
		str_add(out, "[^\\u0000]*");
	}
}

static void add_type(const struct schema_key *key, struct str *out)
{
	switch (key->type) {
	case SCHEMA_NAME:
		str_add(out, NAME);
		break;
	case SCHEMA_INTERFACE:
		str_add(out, "(?!\\.\\.?$)[^\\u0000- \\u007f/:]{1,15}");
		break;
	case SCHEMA_PATH:
		str_add(out, "/[^\\u0000-\\u001f\\u007f]*");
		break;
	case SCHEMA_COUNTRY:
		str_add(out, "[A-Z]{2}");
		break;
	case SCHEMA_ADDRESS:
		str_add(out, "(" IPV4 "|" IPV6 ")");
		break;
	case SCHEMA_NETWORK:
	case SCHEMA_PREFIX:
		add_network(out);
		break;
	case SCHEMA_NUMBER:
		schema_pattern_number(key->min, key->max, out);
		break;
	case SCHEMA_DURATION:
		add_duration(key, out);
		break;
	case SCHEMA_SPAN:
		add_duration(key, out);
		str_add(out, "-");
		add_duration(key, out);
		break;
	case SCHEMA_RATE:
		add_rate(key, out);
		break;
	case SCHEMA_PORTS:
		add_ports(key, out);
		break;
	case SCHEMA_TARGET:
		str_add(out, "/[!\"$-~]{0,1023}");
		break;
	case SCHEMA_ENDPOINT_ADDRESS:
	case SCHEMA_SERVER:
		str_add(out, "(" IPV4 "|" IPV6 "|" DOMAIN ")");
		break;
	case SCHEMA_LISTEN:
		str_add(out, "(\\[" IPV6 "\\]|" IPV4 "):");
		schema_pattern_number(1, 65535, out);
		break;
	case SCHEMA_AUTHORITY:
		str_add(out, "(\\[" IPV6 "\\]|" IPV4 "|" DOMAIN ")(:");
		schema_pattern_number(1, 65535, out);
		str_add(out, ")?");
		break;
	default:
		add_http(key, out);
	}
}

void schema_pattern(const struct schema_key *key, struct str *out)
{
	bool none = key->type == SCHEMA_OBJECT || key->type == SCHEMA_ENDPOINT ||
		    key->type == SCHEMA_MAP || key->type == SCHEMA_BOOL ||
		    key->type == SCHEMA_CHOICE;

	if (none)
		return;
	str_add(out, "^");
	add_type(key, out);
	str_add(out, "$");
}

void schema_pattern_endpoint(const struct schema_object *endpoint, struct str *out)
{
	const struct schema_key *port = &endpoint->keys[ENDPOINT_PORT];
	const struct schema_key *weight = &endpoint->keys[ENDPOINT_WEIGHT];

	str_add(out, "^[ \\t]*((" IPV4 "|\\[" IPV6 "\\]|%s)(:",
		endpoint->keys[ENDPOINT_ADDRESS].type == SCHEMA_ADDRESS ? IPV4 : DOMAIN);
	schema_pattern_number(port->min, port->max, out);
	str_add(out, ")?|" IPV6 ")([ \\t]+weight[ \\t]+");
	schema_pattern_number(weight->min, weight->max, out);
	str_add(out, ")?[ \\t]*$");
}
