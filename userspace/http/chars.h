/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which bytes stand where in HTTP, by one table.
 */
#ifndef WEIR_HTTP_CHARS_H
#define WEIR_HTTP_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum chars_class {
	CHARS_TOKEN = 1, /* methods, names of fields: RFC 9110, 5.6.2 */
	CHARS_PATH = 2,	 /* visible ASCII but \ # " < > ? */
	CHARS_QUERY = 4, /* visible ASCII but # */
	CHARS_HOST = 8,	 /* of a name or an IPv4 address */
	CHARS_HEX = 16,	 /* hexadecimal digits */
	CHARS_DIGIT = 32,
	CHARS_SPECIAL = 64, /* of a path: % and . may make it another one */
};

extern const uint8_t chars_table[256];

static inline bool chars_are(char c, enum chars_class class)
{
	return chars_table[(uint8_t)c] & class;
}

/* Of ASCII letters; other bytes are as they are. */
static inline char chars_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* How many of the bytes, from the first on, are of the class. */
static inline size_t chars_span(const char *at, size_t size, enum chars_class class)
{
	size_t i = 0;

	while (i < size && chars_are(at[i], class))
		i++;
	return i;
}

/* ... may stand in the value of a field: all but control characters, of which the tab may. */
size_t chars_text_span(const char *at, size_t size);

/* The value of a hexadecimal digit. */
static inline unsigned chars_hex(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

#endif
