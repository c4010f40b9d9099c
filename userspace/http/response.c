// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/response.h"

#include "http/chars.h"

/* "HTTP/1.1 200 OK" CRLF, and what is behind it. */
static int read_line(struct head *head, const char **ret_next, struct response *ret)
{
	static const char version[] = "HTTP/1.";
	const char *at = head->bytes, *end = at + head->scanned;
	size_t size = sizeof(version) - 1;

	/* What is shorter differs before the head's end. */
	if (strncmp(at, version, size) || at[size] < '0' || at[size] > '1' || at[size + 1] != ' ')
		return head_refuse(head, 502, "the status line does not begin with HTTP/1.1");
	ret->minor = at[size] - '0';
	at += size + 2;
	if (chars_span(at, end - at, CHARS_DIGIT) != 3 || at[0] < '1' || at[0] > '5')
		return head_refuse(head, 502, "the status is not a number from 100 to 599");
	ret->status = (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
	at += 3;
	if (*at == ' ')
		at++;
	else if (*at != '\r')
		return head_refuse(head, 502, "the status line is malformed");
	ret->reason = (struct slice){ at, chars_text_span(at, end - at) };
	at += ret->reason.size;
	if (at[0] != '\r' || at[1] != '\n')
		return head_refuse(head, 502, "the status line has a control character");
	*ret_next = at + 2;
	return 0;
}

struct seen {
	unsigned length, coding;
};

static int read_field(struct head *head, const struct field *field, struct seen *seen,
		      struct response *ret)
{
	if (field->imitated)
		return 0;
	switch (field->id) {
	case FIELD_CONTENT_LENGTH:
		if (seen->length++)
			return head_refuse(head, 502, "there are several Content-Length fields");
		if (!head_read_length(field->value, &ret->content_length))
			return head_refuse(head, 502, "Content-Length is not a number of bytes");
		ret->has_length = true;
		return 0;
	case FIELD_TRANSFER_ENCODING:
		if (seen->coding++)
			return head_refuse(head, 502, "there are several Transfer-Encoding fields");
		if (!ret->minor)
			return head_refuse(head, 502, "HTTP/1.0 has no Transfer-Encoding");
		if (!message_is(field->value, "chunked"))
			return head_refuse(head, 502, "the only Transfer-Encoding here is chunked");
		return 0;
	case FIELD_UPGRADE:
		if (ret->status == 101)
			ret->upgrade = field->value;
	}
	return 0;
}

static int read_framing(struct head *head, const struct response_to *to, const struct seen *seen,
			struct response *ret)
{
	bool bodyless = ret->status < 200 || ret->status == 204;

	if (seen->length && seen->coding)
		return head_refuse(head, 502, "there are Content-Length and Transfer-Encoding");
	if (bodyless && (seen->coding || ret->content_length))
		return head_refuse(head, 502, "a status that has no body comes with one");
	if (ret->status == 101 && !to->upgrade)
		return head_refuse(head, 502, "an upgrade comes that was not asked for");
	ret->interim = ret->status < 200 && ret->status != 101;
	if (bodyless || ret->status == 304 || to->method == METHOD_HEAD)
		ret->framing = FRAMING_NONE;
	else if (seen->coding)
		ret->framing = FRAMING_CHUNKED;
	else if (seen->length)
		ret->framing = ret->content_length ? FRAMING_LENGTH : FRAMING_NONE;
	else
		ret->framing = FRAMING_CLOSE;
	return 0;
}

static int read_fields(struct head *head, const char *at, const struct head_limits *limits,
		       const struct response_to *to, struct response *ret)
{
	struct head_fields fields = { .fields = ret->fields };
	struct head_connection connection;
	struct seen seen = {};
	int r = head_read_fields(head, at, limits, &fields);

	ret->count = fields.count;
	for (uint16_t i = 0; r == 0 && i < ret->count; i++)
		r = read_field(head, &ret->fields[i], &seen, ret);
	if (r == 0)
		r = read_framing(head, to, &seen, ret);
	if (r == 0)
		r = head_read_connection(head, &fields, &connection);
	if (r < 0)
		return r;
	ret->keep_alive = ret->framing != FRAMING_CLOSE && ret->status != 101 &&
			  !connection.close && (ret->minor || connection.keep_alive);
	if (ret->status == 101 && (!connection.upgrade || !ret->upgrade.size))
		return head_refuse(head, 502, "the upgrade does not say to what");
	return 0;
}

int response_parse(struct head *head, const struct head_limits *limits,
		   const struct response_to *to, struct response *ret)
{
	int size = head_scan(head, limits);
	const char *next;
	int r;

	if (size == 0)
		return 0;
	if (size > 0) {
		memset(ret, 0, offsetof(struct response, fields));
		r = read_line(head, &next, ret);
		if (r == 0)
			r = read_fields(head, next, limits, to, ret);
		if (r == 0)
			return size;
	}
	return -502;
}
