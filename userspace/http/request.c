// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/request.h"

#include <strings.h>

#include "http/chars.h"
#include "http/target.h"
#include "net/addr.h"

#define METHOD_SIZE_MAX 32

static const char *const methods[] = {
	[METHOD_GET] = "GET",	  [METHOD_HEAD] = "HEAD",     [METHOD_POST] = "POST",
	[METHOD_PUT] = "PUT",	  [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS",
	[METHOD_TRACE] = "TRACE", [METHOD_PATCH] = "PATCH",
};

static enum method method_of(struct slice text)
{
	for (enum method method = 0; method < METHOD_OTHER; method++)
		if (slice_equal(text, SLICE(methods[method])))
			return method;
	return METHOD_OTHER;
}

/* "get" is no GET, but an endpoint that is not strict may take it for one, past the rules. */
static bool is_disguised(struct slice text)
{
	for (enum method method = 0; method < METHOD_OTHER; method++)
		if (text.size == strlen(methods[method]) &&
		    !strncasecmp(text.at, methods[method], text.size))
			return true;
	return false;
}

/* A name, an IPv4 address, or an IPv6 address in brackets; no empty label but the root's. */
static bool is_host(struct slice host)
{
	char text[ADDR_TEXT_MAX];
	struct addr addr;

	if (!host.size || host.size > ADDR_HOST_MAX + 1)
		return false;
	if (host.at[0] == '[') {
		if (host.size < 4 || host.size - 2 >= sizeof(text) ||
		    host.at[host.size - 1] != ']' || !memchr(host.at, ':', host.size))
			return false;
		memcpy(text, host.at + 1, host.size - 2);
		text[host.size - 2] = '\0';
		return !addr_parse(text, &addr);
	}
	for (size_t i = 0; i < host.size; i++)
		if (host.at[i] == '.' ? !i || host.at[i - 1] == '.'
				      : !chars_are(host.at[i], CHARS_HOST))
			return false;
	return true;
}

/* "example.com", "example.com:80", "[2001:db8::1]:80". */
static bool read_authority(struct slice authority, struct slice *ret_host, uint16_t *ret_port)
{
	const char *end = authority.at + authority.size;
	const char *bracket = authority.size && *authority.at == '['
				      ? memchr(authority.at, ']', authority.size)
				      : NULL;
	const char *from = bracket ?: authority.at;
	const char *colon = from < end ? memchr(from, ':', end - from) : NULL;
	struct slice host = { authority.at, (colon ?: end) - authority.at };
	unsigned port = 0;

	if (!is_host(host))
		return false;
	if (colon) {
		struct slice digits = { colon + 1, end - colon - 1 };

		if (!digits.size || digits.size > 5 ||
		    chars_span(digits.at, digits.size, CHARS_DIGIT) != digits.size)
			return false;
		for (size_t i = 0; i < digits.size; i++)
			port = port * 10 + (digits.at[i] - '0');
		if (!port || port > UINT16_MAX)
			return false;
	}
	*ret_host = host;
	*ret_port = port;
	return true;
}

bool request_is_authority(struct slice text)
{
	struct slice host;
	uint16_t port;

	return read_authority(text, &host, &port);
}

/* OPTIONS of a whole server. */
static void set_asterisk(struct request *ret)
{
	ret->form = TARGET_ASTERISK;
	ret->path = SLICE("*");
	ret->path_plain = true;
}

static int read_path(struct head *head, struct slice text, struct request *ret)
{
	const char *mark = memchr(text.at, '?', text.size);
	const char *end = text.at + text.size;
	int r;

	ret->path = (struct slice){ text.at, (mark ?: end) - text.at };
	if (mark) {
		ret->has_query = true;
		ret->query = (struct slice){ mark + 1, end - mark - 1 };
		if (chars_span(ret->query.at, ret->query.size, CHARS_QUERY) != ret->query.size)
			return head_refuse(head, 400, "the query has a wrong character");
	}
	if (!ret->path.size && ret->form == TARGET_ABSOLUTE)
		ret->path = SLICE("/");
	r = target_check(ret->path, &head->why);
	if (r < 0)
		return -400;
	ret->path_plain = !r;
	return 0;
}

/* A target that is neither a path nor "*". */
static int read_absolute(struct head *head, struct request *ret)
{
	static const char *const schemes[] = { "http://", "https://" };
	const char *at = ret->target.at, *end = at + ret->target.size;

	ret->form = TARGET_ABSOLUTE;
	for (size_t i = 0; i < 2; i++) {
		size_t size = strlen(schemes[i]);
		const char *stop;

		if (ret->target.size < size || strncasecmp(at, schemes[i], size))
			continue;
		at += size;
		for (stop = at; stop < end && *stop != '/' && *stop != '?';)
			stop++;
		ret->authority = (struct slice){ at, stop - at };
		if (!read_authority(ret->authority, &ret->host, &ret->port))
			return head_refuse(head, 400, "the request's target has no valid host");
		if (ret->method == METHOD_OPTIONS && stop == end) { /* RFC 9112, 3.2.4 */
			set_asterisk(ret);
			return 0;
		}
		return read_path(head, (struct slice){ stop, end - stop }, ret);
	}
	return head_refuse(head, 400, "the request's target is neither a path nor an http URL");
}

static int read_target(struct head *head, struct request *ret)
{
	if (!ret->target.size)
		return head_refuse(head, 400, "the request line is malformed");
	if (ret->target.at[0] == '/')
		return read_path(head, ret->target, ret);
	if (!slice_equal(ret->target, SLICE("*")))
		return read_absolute(head, ret);
	if (ret->method != METHOD_OPTIONS)
		return head_refuse(head, 400, "only OPTIONS has the target *");
	set_asterisk(ret);
	return 0;
}

/* "HTTP/1.1" CRLF, and what is behind it. */
static int read_version(struct head *head, const char *at, const char **ret_next,
			struct request *ret)
{
	static const char version[] = "HTTP/";
	size_t size = sizeof(version) - 1;

	/* What is shorter differs before the head's end. */
	if (strncmp(at, version, size) || !chars_are(at[size], CHARS_DIGIT) ||
	    at[size + 1] != '.' || !chars_are(at[size + 2], CHARS_DIGIT) || at[size + 3] != '\r' ||
	    at[size + 4] != '\n')
		return head_refuse(head, 400, "the request line does not end in HTTP/1.1");
	if (at[size] != '1' || at[size + 2] > '1')
		return head_refuse(head, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
	ret->minor = at[size + 2] - '0';
	*ret_next = at + size + 5;
	return 0;
}

static int read_line(struct head *head, const char **ret_next, struct request *ret)
{
	const char *at = head->bytes, *end = at + head->scanned, *blank;
	size_t size;
	int r;

	if (at[0] == '\r' && at[1] == '\n')
		at += 2;
	size = chars_span(at, end - at, CHARS_TOKEN);
	if (!size || size > METHOD_SIZE_MAX || at[size] != ' ')
		return head_refuse(head, 400, "the request line is malformed");
	ret->method_text = (struct slice){ at, size };
	ret->method = method_of(ret->method_text);
	if (ret->method == METHOD_OTHER && is_disguised(ret->method_text))
		return head_refuse(head, 400, "the method is not in capital letters");
	at += size + 1;
	/* Whatever is no visible character ends the target; the parts of it are stricter. */
	for (blank = at; *blank > ' ' && *blank < 0x7f;)
		blank++;
	if (*blank != ' ')
		return head_refuse(head, 400,
				   *blank == '\r' ? "the request line has no version"
						  : "the request's target has a wrong character");
	ret->target = (struct slice){ at, blank - at };
	r = read_version(head, blank + 1, ret_next, ret);
	if (r < 0)
		return r;
	if (slice_equal(ret->method_text, SLICE("CONNECT")))
		return head_refuse(head, 501, "CONNECT is not served");
	return read_target(head, ret);
}

/* What a target has of a host counts, and the field must agree. */
static int read_host(struct head *head, struct slice value, struct request *ret)
{
	struct slice host;
	uint16_t port;

	if (!read_authority(value, &host, &port))
		return head_refuse(head, 400, "Host is not valid");
	if (!ret->authority.size) {
		ret->authority = value;
		ret->host = host;
		ret->port = port;
		return 0;
	}
	if (host.size != ret->host.size || strncasecmp(host.at, ret->host.at, host.size) ||
	    port != ret->port)
		return head_refuse(head, 400, "Host is another one than in the request's target");
	return 0;
}

static int read_coding(struct head *head, struct slice value, struct request *ret)
{
	if (ret->minor == 0)
		return head_refuse(head, 400, "HTTP/1.0 has no Transfer-Encoding");
	if (!message_is(value, "chunked"))
		return head_refuse(head, 501, "the only Transfer-Encoding here is chunked");
	ret->framing = FRAMING_CHUNKED;
	return 0;
}

static int read_expectation(struct head *head, struct slice value, struct request *ret)
{
	if (ret->minor == 0)
		return 0;
	if (!message_is(value, "100-continue"))
		return head_refuse(head, 417, "the only expectation here is 100-continue");
	ret->expect_continue = true;
	return 0;
}

/* How often a field is there that may be there once. */
struct seen {
	unsigned host, length, coding, expect;
};

static int read_field(struct head *head, const struct field *field, struct seen *seen,
		      struct request *ret)
{
	if (field->id < FIELD_KEPT && field->imitated)
		return head_refuse(head, 400, "a field that frames requests is written with '_'");
	switch (field->id) {
	case FIELD_HOST:
		if (seen->host++)
			return head_refuse(head, 400, "there are several Host fields");
		return read_host(head, field->value, ret);
	case FIELD_CONTENT_LENGTH:
		if (seen->length++)
			return head_refuse(head, 400, "there are several Content-Length fields");
		if (!head_read_length(field->value, &ret->content_length))
			return head_refuse(head, 400, "Content-Length is not a number of bytes");
		ret->has_length = true;
		return 0;
	case FIELD_TRANSFER_ENCODING:
		if (seen->coding++)
			return head_refuse(head, 400, "there are several Transfer-Encoding fields");
		return read_coding(head, field->value, ret);
	case FIELD_EXPECT:
		if (seen->expect++)
			return head_refuse(head, 417, "there are several expectations");
		return read_expectation(head, field->value, ret);
	}
	return 0;
}

/* An upgrade is passed on but for that to HTTP/2, whose requests no rule would see, and one with a
 * body: two could think differently of where the other protocol begins. */
static void read_upgrade(const struct field *field, struct request *ret)
{
	struct slice list = field->value, protocol;

	if (ret->framing != FRAMING_NONE)
		return;

	while (message_next(&list, &protocol))
		if ((protocol.size >= 2 && !strncasecmp(protocol.at, "h2", 2)) ||
		    (protocol.size >= 4 && !strncasecmp(protocol.at, "http", 4)))
			return;
	ret->upgrade = field->value;
}

static void read_options(const struct head_connection *connection, struct request *ret)
{
	unsigned upgrades = 0;

	ret->keep_alive = !connection->close && (ret->minor || connection->keep_alive);
	for (uint16_t i = 0; i < ret->count; i++) {
		const struct field *field = &ret->fields[i];
		struct slice list = field->value, item;

		if (field->id == FIELD_UPGRADE && connection->upgrade && ret->minor && !upgrades++)
			read_upgrade(field, ret);
		else if (field->id == FIELD_UPGRADE)
			ret->upgrade = (struct slice){};
		while (field->id == FIELD_TE && connection->te && message_next(&list, &item))
			ret->te_trailers |= message_is(item, "trailers");
	}
}

/* Do all agree that there may be a body? RFC 1945 has none for these. */
static bool may_have_body(const struct request *request)
{
	return request->minor || (request->method != METHOD_GET && request->method != METHOD_HEAD &&
				  request->method != METHOD_DELETE);
}

static int read_fields(struct head *head, const char *at, const struct head_limits *limits,
		       struct request *ret)
{
	struct head_fields fields = { .fields = ret->fields };
	struct head_connection connection;
	struct seen seen = {};
	int r = head_read_fields(head, at, limits, &fields);

	ret->count = fields.count;
	for (uint16_t i = 0; r == 0 && i < ret->count; i++)
		r = read_field(head, &ret->fields[i], &seen, ret);
	if (r < 0)
		return r;
	if (!seen.host && ret->minor)
		return head_refuse(head, 400, "there is no Host");
	if (seen.length && seen.coding)
		return head_refuse(head, 400, "there are Content-Length and Transfer-Encoding");
	if (ret->content_length)
		ret->framing = FRAMING_LENGTH;
	if (ret->framing != FRAMING_NONE && !may_have_body(ret))
		return head_refuse(head, 400, "in HTTP/1.0 this method has no body");
	r = head_read_connection(head, &fields, &connection);
	if (r < 0)
		return r;
	read_options(&connection, ret);
	return 0;
}

int request_parse(struct head *head, const struct head_limits *limits, struct request *ret)
{
	int size = head_scan(head, limits);
	const char *next;
	int r;

	if (size <= 0)
		return size;
	memset(ret, 0, offsetof(struct request, fields));
	r = read_line(head, &next, ret);
	if (r == 0)
		r = read_fields(head, next, limits, ret);
	return r < 0 ? r : size;
}
