// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/message.h"

#include "http/chars.h"

/* Sorted by their sizes. */
static const struct known {
	uint8_t size;
	uint8_t id;
	const char *name;
} known[] = {
	{ 2, FIELD_TE, "te" },
	{ 4, FIELD_HOST, "host" },
	{ 6, FIELD_COOKIE, "cookie" },
	{ 6, FIELD_EXPECT, "expect" },
	{ 7, FIELD_UPGRADE, "upgrade" },
	{ 9, FIELD_FORWARDED, "forwarded" },
	{ 9, FIELD_X_REAL_IP, "x-real-ip" },
	{ 10, FIELD_CONNECTION, "connection" },
	{ 10, FIELD_KEEP_ALIVE, "keep-alive" },
	{ 14, FIELD_CONTENT_LENGTH, "content-length" },
	{ 15, FIELD_X_FORWARDED_FOR, "x-forwarded-for" },
	{ 16, FIELD_PROXY_CONNECTION, "proxy-connection" },
	{ 16, FIELD_X_FORWARDED_PORT, "x-forwarded-port" },
	{ 17, FIELD_TRANSFER_ENCODING, "transfer-encoding" },
	{ 17, FIELD_X_FORWARDED_PROTO, "x-forwarded-proto" },
	{ UINT8_MAX },
};

#define SIZE_MAX_KNOWN 17

/* The first of each size. */
static const uint8_t first[SIZE_MAX_KNOWN + 1] = {
	[0 ... 2] = 0, [3 ... 4] = 1,	[5 ... 6] = 2, [7] = 4,	  [8 ... 9] = 5,
	[10] = 7,      [11 ... 14] = 9, [15] = 10,     [16] = 11, [17] = 13,
};

bool message_is(struct slice text, const char *lower)
{
	for (size_t i = 0; i < text.size; i++)
		if (!lower[i] || chars_lower(text.at[i]) != lower[i])
			return false;
	return !lower[text.size];
}

bool message_next(struct slice *list, struct slice *ret)
{
	const char *end = list->at + list->size, *at = list->at, *stop;

	while (at < end && (*at == ',' || *at == ' ' || *at == '\t'))
		at++;
	if (at == end) {
		list->size = 0;
		return false;
	}
	stop = memchr(at, ',', end - at) ?: end;
	*list = (struct slice){ stop, end - stop };
	while (stop[-1] == ' ' || stop[-1] == '\t')
		stop--;
	*ret = (struct slice){ at, stop - at };
	return true;
}

static char fold(char c)
{
	return c == '_' ? '-' : chars_lower(c);
}

bool message_is_alike(struct slice name, const char *other)
{
	for (size_t i = 0; i < name.size; i++)
		if (!other[i] || fold(name.at[i]) != fold(other[i]))
			return false;
	return !other[name.size];
}

/* A '_' is as good as a '-': what hands fields to scripts as variables confuses the two. */
static bool is_like(struct slice name, const char *lower, size_t size, bool *ret_imitated)
{
	bool imitated = false;

	for (size_t i = 0; i < size; i++) {
		if (chars_lower(name.at[i]) == lower[i])
			continue;
		if (name.at[i] != '_' || lower[i] != '-')
			return false;
		imitated = true;
	}
	*ret_imitated = imitated;
	return true;
}

void message_identify(struct field *field)
{
	static const char prefix[] = "x-forwarded-";
	struct slice name = field->name;

	field->id = FIELD_OTHER;
	field->named = field->imitated = false;
	if (name.size <= SIZE_MAX_KNOWN) {
		for (const struct known *k = &known[first[name.size]]; k->size == name.size; k++) {
			if (!is_like(name, k->name, name.size, &field->imitated))
				continue;
			field->id = k->id;
			return;
		}
	}
	if (name.size >= sizeof(prefix) &&
	    is_like(name, prefix, sizeof(prefix) - 1, &field->imitated))
		field->id = FIELD_X_FORWARDED;
}
