// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/value_http.h"

#include <errno.h>
#include <string.h>

#include "config/pattern.h"
#include "util/str.h"

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define TOKEN UPPER LOWER "0123456789!#$%&'*+-.^_`|~" /* RFC 9110, 5.6.2 */

struct text {
	const struct schema_key *key;
	const char *text;
	char quoted[STR_QUOTE_MAX];
	struct err *err;
};

static int check_length(const struct text *text)
{
	size_t count = str_characters(text->text, strlen(text->text));

	if (count >= (size_t)text->key->min && count <= (size_t)text->key->max)
		return 0;
	return err_set(text->err, -EINVAL, "%s has %zu characters; at most %lld allowed",
		       text->key->name, count, (long long)text->key->max);
}

static bool has_control(const char *text, const char *allowed)
{
	for (; *text; text++)
		if (((unsigned char)*text < ' ' || *text == 0x7f) && !strchr(allowed, *text))
			return true;
	return false;
}

/* A text of one line, which will stand in a line of HTTP. */
static int check_text(const struct text *text)
{
	size_t size = strlen(text->text);

	if (check_length(text) < 0)
		return -EINVAL;
	if (has_control(text->text, "\t"))
		return err_set(text->err, -EINVAL, "%s '%s' has a line break or control character",
			       text->key->name, text->quoted);
	if (strchr(" \t", text->text[0]) || strchr(" \t", text->text[size - 1]))
		return err_set(text->err, -EINVAL, "%s '%s' begins or ends with a blank",
			       text->key->name, text->quoted);
	return 0;
}

static int check_body(const struct text *text)
{
	if (check_length(text) < 0)
		return -EINVAL;
	if (has_control(text->text, "\t\r\n"))
		return err_set(text->err, -EINVAL, "%s '%s' has a control character",
			       text->key->name, text->quoted);
	return 0;
}

static int check_token(const struct text *text)
{
	if (check_length(text) < 0)
		return -EINVAL;
	if (text->text[strspn(text->text, TOKEN)])
		return err_set(text->err, -EINVAL,
			       "%s '%s' must be of letters, digits and !#$%%&'*+-.^_`|~",
			       text->key->name, text->quoted);
	return 0;
}

static int check_method(const struct text *text)
{
	size_t size = strlen(text->text);

	if (size <= (size_t)text->key->max && strspn(text->text, UPPER "-_") == size)
		return 0;
	return err_set(text->err, -EINVAL,
		       "method '%s' must be of capital letters, as in GET, at most %lld",
		       text->quoted, (long long)text->key->max);
}

static int check_pattern(const struct text *text)
{
	if (!strcmp(text->text, "~"))
		return err_set(text->err, -EINVAL, "behind '~' a regular expression is missing");
	return check_text(text);
}

static int check_host(const struct text *text)
{
	return pattern_check_host(text->text, text->err);
}

static int check_path(const struct text *text)
{
	return pattern_check_path(text->text, text->err);
}

/* Every "${" begins a variable. A rewrite has those of what the path matched, besides. */
static int check_variables(const struct text *text)
{
	static const char *const names[] = { "${protocol}", "${host}", "${port}", "${path}",
					     "${query}",    "${1}",    "${2}",	  "${3}" };
	bool rewrite = text->key->type != SCHEMA_URL;
	const char *at = text->text;

	while ((at = strstr(at, "${"))) {
		bool known = false;

		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) - (rewrite ? 0 : 3); i++)
			known |= !strncmp(at, names[i], strlen(names[i]));
		if (!known)
			return err_set(text->err, -EINVAL,
				       "%s '%s' has an unknown variable; there are ${protocol}, "
				       "${host}, ${port}, ${path} and ${query}%s",
				       text->key->name, text->quoted,
				       rewrite ? ", and ${1} to ${3} of what the path matched"
					       : "");
		at += 2;
	}
	return 0;
}

static int check_template(const struct text *text)
{
	int r = check_length(text);

	if (r < 0)
		return r;
	for (const char *at = text->text; *at; at++)
		if ((unsigned char)*at <= ' ' || (*at & 0x80) || *at == 0x7f ||
		    strchr("\\\"<>", *at))
			return err_set(text->err, -EINVAL,
				       "%s '%s' has a character that is in no URL; write it "
				       "percent-encoded",
				       text->key->name, text->quoted);
	return check_variables(text);
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static int check_template_path(const struct text *text)
{
	int r = check_template(text);

	if (r < 0 || text->text[0] == '/' || begins(text->text, "${path}"))
		return r;
	return err_set(text->err, -EINVAL, "%s '%s' must begin with '/' or ${path}",
		       text->key->name, text->quoted);
}

static int check_url(const struct text *text)
{
	const char *url = text->text;
	int r = check_template(text);

	if (r < 0 || (url[0] == '/' && url[1] != '/'))
		return r;
	for (size_t i = 0; i < 3; i++) {
		const char *scheme =
			(const char *const[]){ "http://", "https://", "${protocol}://" }[i];

		if (begins(url, scheme) && url[strlen(scheme)] && url[strlen(scheme)] != '/')
			return 0;
	}
	return err_set(text->err, -EINVAL,
		       "%s '%s' must be https://HOST..., http://HOST..., ${protocol}://HOST..., or "
		       "begin with one '/'",
		       text->key->name, text->quoted);
}

static int check_media_type(const struct text *text)
{
	size_t type = strspn(text->text, TOKEN);
	const char *rest = text->text + type;
	size_t subtype = *rest == '/' ? strspn(rest + 1, TOKEN) : 0;

	rest += subtype ? 1 + subtype : 0;
	if (type && subtype && strlen(text->text) <= 100 && !has_control(rest, "") &&
	    (!*rest || *rest == ';'))
		return 0;
	return err_set(text->err, -EINVAL,
		       "%s '%s' is not a media type like text/html or text/html; charset=utf-8",
		       text->key->name, text->quoted);
}

static int check_status(const struct text *text)
{
	const char *digits = text->text;

	if (strlen(digits) == 3 && strspn(digits, "0123456789") == 3 && strchr("245", digits[0]))
		return 0;
	return err_set(text->err, -EINVAL,
		       "%s '%s' is not allowed: a fixed response has 200 to 299, 400 to 499 or 500 "
		       "to 599%s",
		       text->key->name, text->quoted,
		       digits[0] == '3' ? "; for 3xx there is 'redirect:'" : "");
}

int value_http_check(const struct schema_key *key, const char *text, struct err *err)
{
	static int (*const checks[])(const struct text *) = {
		[SCHEMA_TEXT] = check_text,
		[SCHEMA_BODY] = check_body,
		[SCHEMA_TOKEN] = check_token,
		[SCHEMA_METHOD] = check_method,
		[SCHEMA_PATTERN] = check_pattern,
		[SCHEMA_HOST] = check_host,
		[SCHEMA_URL_PATH] = check_path,
		[SCHEMA_TEMPLATE] = check_template,
		[SCHEMA_TEMPLATE_PATH] = check_template_path,
		[SCHEMA_URL] = check_url,
		[SCHEMA_MEDIA_TYPE] = check_media_type,
		[SCHEMA_STATUS] = check_status,
	};
	struct text value = { .key = key, .text = text, .err = err };

	if (key->type >= sizeof(checks) / sizeof(checks[0]) || !checks[key->type])
		return -EPROTOTYPE;
	str_quote(text, strlen(text), value.quoted);
	return checks[key->type](&value);
}
