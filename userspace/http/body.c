// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/body.h"

#include <errno.h>
#include <strings.h>

#include "http/chars.h"

/* What comes next. */
enum state {
	STATE_ENDED,
	STATE_LENGTH,	/* payload, then nothing */
	STATE_CLOSE,	/* payload up to the connection's end */
	STATE_SIZE,	/* the line before a chunk */
	STATE_DATA,	/* payload of a chunk */
	STATE_DATA_END, /* CRLF behind it */
	STATE_TRAILER,	/* a field, or the empty line */
	STATE_REFUSED,
};

#define SIZE_DIGITS_MAX 15 /* hexadecimal: 2^60 bytes are enough for a chunk */

void body_init(struct body *body, enum framing framing, uint64_t length)
{
	static const uint8_t states[] = {
		[FRAMING_NONE] = STATE_ENDED,
		[FRAMING_LENGTH] = STATE_LENGTH,
		[FRAMING_CHUNKED] = STATE_SIZE,
		[FRAMING_CLOSE] = STATE_CLOSE,
	};

	*body = (struct body){ .state = states[framing] };
	if (framing == FRAMING_LENGTH)
		body->left = length;
	if (framing == FRAMING_CLOSE)
		body->left = UINT64_MAX;
	if (framing == FRAMING_LENGTH && !length)
		body->state = STATE_ENDED;
}

bool body_ended(const struct body *body)
{
	return body->state == STATE_ENDED;
}

bool body_may_close(const struct body *body)
{
	return body->state == STATE_ENDED || body->state == STATE_CLOSE;
}

uint64_t body_run(const struct body *body)
{
	return body->left;
}

void body_skip(struct body *body, uint64_t size)
{
	if (body->state == STATE_CLOSE)
		return;
	body->left -= size;
	if (!body->left)
		body->state = body->state == STATE_DATA ? STATE_DATA_END : STATE_ENDED;
}

static ssize_t refuse(struct body *body, const char *why)
{
	body->state = STATE_REFUSED;
	body->left = 0;
	body->why = why;
	return -EBADMSG;
}

/* "1a;name=value" CRLF. */
static ssize_t read_size(struct body *body, struct slice line)
{
	size_t digits = chars_span(line.at, line.size, CHARS_HEX), i = digits;
	uint64_t size = 0;

	if (!digits || digits > SIZE_DIGITS_MAX)
		return refuse(body, "a chunk's size is not a hexadecimal number");
	for (size_t d = 0; d < digits; d++)
		size = size << 4 | chars_hex(line.at[d]);
	while (line.at[i] == ' ' || line.at[i] == '\t')
		i++;
	if (line.at[i] != ';' && i + 2 != line.size)
		return refuse(body, "junk stands behind a chunk's size");
	if (line.at[i] != ';' && i != digits)
		return refuse(body, "a blank stands behind a chunk's size");
	if (i + chars_text_span(line.at + i, line.size - i) != line.size - 2)
		return refuse(body, "a chunk's extension has a control character");
	body->left = size;
	body->state = size ? STATE_DATA : STATE_TRAILER;
	return line.size;
}

/* RFC 9110, 6.5.1: what frames, routes, or changes how a message is read, comes before it. */
static bool is_forbidden(struct slice name)
{
	static const char *const names[] = {
		"age",
		"authorization",
		"cache-control",
		"content-encoding",
		"content-range",
		"content-type",
		"date",
		"expires",
		"location",
		"max-forwards",
		"pragma",
		"proxy-authenticate",
		"range",
		"proxy-authorization",
		"retry-after",
		"set-cookie",
		"trailer",
		"vary",
		"www-authenticate",
	};
	struct field field = { .name = name };

	message_identify(&field);
	if (field.id != FIELD_OTHER || (name.size > 3 && !strncasecmp(name.at, "if-", 3)))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (message_is(name, names[i]))
			return true;
	return false;
}

static ssize_t read_trailer(struct body *body, struct slice line)
{
	size_t size = chars_span(line.at, line.size, CHARS_TOKEN);

	if (line.size == 2) {
		body->state = STATE_ENDED;
		return line.size;
	}
	body->trailers += line.size;
	if (body->trailers > BODY_TRAILERS_MAX)
		return refuse(body, "the trailers are too large");
	if (!size || line.at[size] != ':')
		return refuse(body, "a trailer's name has a wrong character");
	if (size + chars_text_span(line.at + size, line.size - size) != line.size - 2)
		return refuse(body, "a trailer's value has a control character");
	if (is_forbidden((struct slice){ line.at, size }))
		return refuse(body, "a trailer is one that may only stand in the header");
	return line.size;
}

/* A whole line, or nothing of it. */
static ssize_t read_line(struct body *body, const char *bytes, size_t size)
{
	size_t most = size < BODY_LINE_MAX ? size : BODY_LINE_MAX;
	const char *lf = most ? memchr(bytes, '\n', most) : NULL;
	struct slice line = { bytes, lf ? lf + 1 - bytes : 0 };

	if (!lf)
		return most < BODY_LINE_MAX ? 0 : refuse(body, "a line of the body is too long");
	if (line.size < 2 || lf[-1] != '\r')
		return refuse(body, "a line of the body ends in LF without CR");
	return body->state == STATE_SIZE ? read_size(body, line) : read_trailer(body, line);
}

static ssize_t read_data_end(struct body *body, const char *bytes, size_t size)
{
	if ((size >= 1 && bytes[0] != '\r') || (size >= 2 && bytes[1] != '\n'))
		return refuse(body, "a chunk is longer than its size");
	if (size < 2)
		return 0;
	body->state = STATE_SIZE;
	return 2;
}

/* What is left of a run of payload, as far as it is there. */
static ssize_t read_payload(struct body *body, const char *bytes, size_t size,
			    struct slice *ret_payload)
{
	size_t here = body->left < size ? body->left : size;

	*ret_payload = (struct slice){ bytes, here };
	body_skip(body, here);
	return here;
}

ssize_t body_feed(struct body *body, const char *bytes, size_t size, struct slice *ret_payload)
{
	struct slice payload = {};
	size_t used = 0;
	ssize_t r;

	do {
		if (body->state == STATE_ENDED)
			break;
		if (body->state == STATE_REFUSED)
			return -EBADMSG;
		if (body->state == STATE_DATA_END)
			r = read_data_end(body, bytes + used, size - used);
		else if (body->state == STATE_SIZE || body->state == STATE_TRAILER)
			r = read_line(body, bytes + used, size - used);
		else if (!payload.size)
			r = read_payload(body, bytes + used, size - used, &payload);
		else
			break;
		if (r < 0)
			return r;
		used += r;
	} while (r);
	*ret_payload = payload;
	return used;
}
