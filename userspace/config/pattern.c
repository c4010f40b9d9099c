// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/pattern.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "config/regex.h"
#include "util/str.h"

#define HOST_LENGTH_MIN 3
#define HOST_LENGTH_MAX 128
#define PATH_LENGTH_MAX 128
#define LETTERS		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS		"0123456789"
#define UNRESERVED	LETTERS DIGITS "-._~" /* RFC 3986, 2.3 */

int pattern_new(const char *text, struct pattern *ret)
{
	bool regex = text[0] == '~';
	struct pattern pattern = {
		.kind = regex ? PATTERN_REGEX
			      : (strpbrk(text, "*?") ? PATTERN_WILDCARD : PATTERN_EXACT),
		.text = strdup(text + regex),
	};

	if (!pattern.text)
		return -ENOMEM;
	*ret = pattern;
	return 0;
}

static int check_length(const char *what, const char *text, size_t min, size_t max, struct err *err)
{
	const char *written = text + (text[0] == '~');
	size_t count = str_characters(written, strlen(written));

	if (count >= min && count <= max)
		return 0;
	return err_set(err, -EINVAL, "a %s condition has %zu to %zu characters, not %zu", what, min,
		       max, count);
}

/* What cannot be in the host of a request, or 0. */
static char wrong_in_host(const char *text)
{
	/* Brackets hold an IPv6 address. */
	const char *allowed =
		text[0] == '[' ? "0123456789abcdefABCDEF:.[]*?" : LETTERS DIGITS "-._*?";

	return text[strspn(text, allowed)];
}

int pattern_check_host(const char *text, struct err *err)
{
	char quoted[STR_QUOTE_MAX];
	char wrong;

	if (check_length("host", text, HOST_LENGTH_MIN, HOST_LENGTH_MAX, err) < 0)
		return -EINVAL;
	wrong = text[0] == '~' ? 0 : wrong_in_host(text);
	if (!wrong)
		return 0;
	str_quote(text, strlen(text), quoted);
	if (wrong == ':')
		return err_set(err, -EINVAL,
			       "host '%s': leave the port out, that of a request is ignored",
			       quoted);
	if (wrong == '/')
		return err_set(err, -EINVAL,
			       "host '%s': write the host name alone, the rest goes under 'path:'",
			       quoted);
	if (wrong & 0x80)
		return err_set(err, -EINVAL,
			       "host '%s': write it as clients send it, in ASCII (xn--...)",
			       quoted);
	return err_set(err, -EINVAL, "host '%s' has a character that is in no host name: '%c'",
		       quoted, wrong);
}

static int hex_value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* The first %XX that requests do not have when they are compared, or NULL: what stands for an
 * unreserved character has been decoded. */
static const char *wrong_percent(const char *path)
{
	for (const char *at = strchr(path, '%'); at; at = strchr(at + 1, '%')) {
		int value;

		if (!isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]))
			return at;
		value = hex_value(at[1]) << 4 | hex_value(at[2]);
		if (!value || strchr(UNRESERVED, value))
			return at;
	}
	return NULL;
}

/* Has it a segment "." or ".."? Requests have none when they are compared. */
static bool has_dots(const char *path)
{
	while (*path == '/') {
		size_t size = strcspn(path + 1, "/");

		if ((size == 1 || size == 2) && !strncmp(path + 1, "..", size))
			return true;
		path += 1 + size;
	}
	return false;
}

int pattern_check_path(const char *text, struct err *err)
{
	char quoted[STR_QUOTE_MAX];
	const char *why = NULL;

	if (check_length("path", text, 1, PATH_LENGTH_MAX, err) < 0)
		return -EINVAL;
	if (text[0] == '~')
		return 0;
	str_quote(text, strlen(text), quoted);
	if (text[0] != '/')
		return err_set(err, -EINVAL,
			       "path '%s' must begin with '/', or with '~' if it is a regular "
			       "expression",
			       quoted);
	for (const char *at = text; *at && !why; at++) {
		if (*at & 0x80)
			why = "write what is not ASCII percent-encoded, as clients send it";
		else if (*at <= ' ' || *at == 0x7f || strchr("\\#\"<>", *at))
			why = "it has a character that is in no path";
	}
	if (!why && has_dots(text))
		why = "requests are compared without '/./' and '/../'";
	if (!why && wrong_percent(text))
		why = "requests are compared with letters, digits and -._~ decoded, and a '%' has "
		      "two hexadecimal digits";
	return why ? err_set(err, -EINVAL, "path '%s' can match no request: %s", quoted, why) : 0;
}

int pattern_check_regex(const char *text, bool any_case, size_t *ret_at, struct err *err)
{
	_cleanup_(regex_freep) struct regex *regex = NULL;

	return regex_new(text, any_case, &regex, ret_at, err);
}
