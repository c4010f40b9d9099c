// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/head.h"

#include <strings.h>

#include "http/chars.h"

/* The first line is still coming when all room is used up. */
static int refuse_size(struct head *head, size_t size)
{
	if (memchr(head->bytes + 2, '\n', size - 2))
		return head_refuse(head, 431, "the header is too large");
	return head_refuse(head, 414, "the first line is too long");
}

/* Lines end in CRLF, here and in what is forwarded; of a bare LF endpoints think differently. */
int head_scan(struct head *head, const struct head_limits *limits)
{
	const char *bytes = head->bytes;
	size_t size = head->size < limits->size ? head->size : limits->size;
	const char *lf;

	/* Who speaks another protocol, as TLS, is told at once. */
	if (size && !chars_are(bytes[0], CHARS_TOKEN) && bytes[0] != '\r')
		return head_refuse(head, 400, "this is not HTTP");
	while (head->scanned < size &&
	       (lf = memchr(bytes + head->scanned, '\n', size - head->scanned))) {
		size_t at = lf - bytes;

		if (!at || bytes[at - 1] != '\r')
			return head_refuse(head, 400, "a line ends in LF without CR");
		head->scanned = at + 1;
		if (at >= 3 && bytes[at - 2] == '\n')
			return at + 1;
	}
	head->scanned = size;
	return size < limits->size ? 0 : refuse_size(head, size);
}

/* One field, which begins at *at: a line that is known to be there. */
static int read_field(struct head *head, const char **at, const char *end, struct field *ret)
{
	const char *name = *at;
	size_t size = chars_span(name, end - name, CHARS_TOKEN);
	const char *value = name + size, *stop;

	if (*value != ':') {
		if (!size && (*name == ' ' || *name == '\t'))
			return head_refuse(head, 400, "a field is continued on another line");
		if (*value == ' ' || *value == '\t')
			return head_refuse(head, 400, "a blank stands behind a field's name");
		return head_refuse(head, 400, "a field's name has a wrong character");
	}
	if (!size)
		return head_refuse(head, 400, "a field has no name");
	do
		value++;
	while (*value == ' ' || *value == '\t');
	stop = value + chars_text_span(value, end - value);
	if (stop[0] != '\r' || stop[1] != '\n')
		return head_refuse(head, 400, "a field's value has a control character");
	*at = stop + 2;
	while (stop > value && (stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	ret->name = (struct slice){ name, size };
	ret->value = (struct slice){ value, stop - value };
	message_identify(ret);
	return 0;
}

int head_read_fields(struct head *head, const char *at, const struct head_limits *limits,
		     struct head_fields *ret)
{
	/* The head ends in CRLF CRLF, which nothing here goes beyond. */
	const char *end = head->bytes + head->scanned;
	uint16_t count = 0;

	while (at[0] != '\r' || at[1] != '\n') {
		int r;

		if (count == limits->fields)
			return head_refuse(head, 431, "there are too many fields");
		r = read_field(head, &at, end, &ret->fields[count++]);
		if (r < 0)
			return r;
	}
	ret->count = count;
	return 0;
}

bool head_read_length(struct slice value, uint64_t *ret)
{
	uint64_t length = 0;

	if (!value.size)
		return false;
	for (size_t i = 0; i < value.size; i++) {
		if (!chars_are(value.at[i], CHARS_DIGIT) || length > (INT64_MAX - 9) / 10)
			return false;
		length = length * 10 + (value.at[i] - '0');
	}
	*ret = length;
	return true;
}

/* An option that is the name of fields, maybe. */
static int name_fields(struct head *head, struct head_fields *fields, struct slice option)
{
	for (uint16_t i = 0; i < fields->count; i++) {
		struct field *field = &fields->fields[i];

		if (field->name.size != option.size ||
		    strncasecmp(field->name.at, option.at, option.size))
			continue;
		if (field->id == FIELD_HOST || field->id == FIELD_CONTENT_LENGTH)
			return head_refuse(head, 400, "Connection names Host or Content-Length");
		field->named = true;
	}
	return 0;
}

int head_read_connection(struct head *head, struct head_fields *fields, struct head_connection *ret)
{
	struct head_connection connection = {};
	unsigned options = 0;

	for (uint16_t i = 0; i < fields->count; i++) {
		struct slice list = fields->fields[i].value, option;

		if (fields->fields[i].id != FIELD_CONNECTION)
			continue;
		while (message_next(&list, &option)) {
			int r;

			if (++options > MESSAGE_FIELDS_MAX)
				return head_refuse(head, 400, "Connection names too many fields");
			connection.close |= message_is(option, "close");
			connection.keep_alive |= message_is(option, "keep-alive");
			connection.upgrade |= message_is(option, "upgrade");
			connection.te |= message_is(option, "te");
			r = name_fields(head, fields, option);
			if (r < 0)
				return r;
		}
	}
	*ret = connection;
	return 0;
}
