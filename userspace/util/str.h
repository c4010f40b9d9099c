/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Text helpers: a growing string, user text made safe to quote, and "did you mean".
 */
#ifndef WEIR_UTIL_STR_H
#define WEIR_UTIL_STR_H

#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>

/* A growing string: struct str text = {}. Once memory runs out it stays failed, so that a writer
 * of many parts asks only once, at str_take(). */
struct str {
	char *text; /* ends in NUL, or NULL while empty */
	size_t size;
	size_t capacity;
	bool failed;
};

void str_fini(struct str *str);

void str_add(struct str *str, const char *format, ...) __attribute__((format(printf, 2, 3)));
void str_vadd(struct str *str, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

/* In double quotes and with escapes, as YAML and JSON have it. The text is UTF-8. */
void str_add_quoted(struct str *str, const char *text);

/* The text ("" if nothing was added), owned by the caller; NULL if memory ran out. */
char *str_take(struct str *str);

/* Of texts that may be NULL: a copy on the heap (0 or -ENOMEM), and whether they say the same. */
int str_copy(const char *text, char **ret);
bool str_equal(const char *a, const char *b);

#define STR_QUOTE_MAX 192 /* 40 characters of 4 bytes, "...", NUL */

/* The first 40 characters (UTF-8) of user text for a message on one line: control characters
 * become '?', a cut is shown as "...". Returns `ret`. */
const char *str_quote(const char *text, size_t size, char ret[STR_QUOTE_MAX]);

/* The next one, of characters beyond ASCII only. */
size_t str_utf8_beyond_ascii(const char *text, size_t size, unsigned *ret);

/* Length in bytes, 1 to 4, of the UTF-8 character at `text` (`size` > 0 bytes left), or 0. With
 * `ret`, its code point is stored there. */
static inline size_t str_utf8(const char *text, size_t size, unsigned *ret)
{
	if (text[0] & 0x80)
		return str_utf8_beyond_ascii(text, size, ret);
	if (ret)
		*ret = text[0];
	return 1;
}

/* How many of them `size` bytes have: those that do not continue one. */
size_t str_characters(const char *text, size_t size);

/* UTF-8 that a terminal shows as one line: no control characters. */
bool str_is_line(const char *text);

/* Looks for the candidate nearest to a mistyped word: set `word`, offer all, read `best`. */
struct str_nearest {
	const char *word;
	const char *best; /* NULL: nothing is near enough to be meant */
	size_t distance;
};

void str_nearest_offer(struct str_nearest *nearest, const char *candidate);

/* Insertions, deletions, replacements and swaps of neighbours that turn one into the other,
 * regardless of case; SIZE_MAX if a word has more than 64 bytes. */
size_t str_distance(const char *a, const char *b);

#endif
