// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTE_CHARACTERS 40
#define WORD_MAX	 64

void str_fini(struct str *str)
{
	free(str->text);
	*str = (struct str){};
}

static bool make_room(struct str *str, size_t more)
{
	size_t capacity = str->capacity ? str->capacity : 128;
	char *text;

	while (capacity - str->size <= more)
		capacity *= 2;
	if (capacity == str->capacity)
		return true;
	text = realloc(str->text, capacity);
	if (!text)
		return false;
	str->text = text;
	str->capacity = capacity;
	return true;
}

void str_vadd(struct str *str, const char *format, va_list arguments)
{
	va_list again;
	int length;

	if (str->failed)
		return;
	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0 || !make_room(str, length)) {
		str->failed = true;
		return;
	}
	vsnprintf(str->text + str->size, str->capacity - str->size, format, arguments);
	str->size += length;
}

void str_add(struct str *str, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	str_vadd(str, format, arguments);
	va_end(arguments);
}

void str_add_quoted(struct str *str, const char *text)
{
	str_add(str, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			str_add(str, "\\%c", *text);
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			str_add(str, "\\u%04x", *text);
		else
			str_add(str, "%c", *text);
	}
	str_add(str, "\"");
}

char *str_take(struct str *str)
{
	char *text;

	str_add(str, "%s", "");
	if (str->failed) {
		str_fini(str);
		return NULL;
	}
	text = str->text;
	*str = (struct str){};
	return text;
}

int str_copy(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

bool str_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

size_t str_utf8_beyond_ascii(const char *text, size_t size, unsigned *ret)
{
	static const unsigned smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = text[0];
	size_t length = first < 0xc2   ? 0
			: first < 0xe0 ? 2
			: first < 0xf0 ? 3
			: first < 0xf5 ? 4
				       : 0;
	unsigned point = first & (0x7f >> length);

	if (!length || length > size)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3f);
	}
	if (point < smallest[length] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return 0;
	if (ret)
		*ret = point;
	return length;
}

size_t str_characters(const char *text, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += (text[i] & 0xc0) != 0x80;
	return count;
}

static bool is_control(unsigned point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 ||
	       point == 0x2029;
}

bool str_is_line(const char *text)
{
	size_t size = strlen(text), length;
	unsigned point;

	for (; size; text += length, size -= length) {
		length = str_utf8(text, size, &point);
		if (!length || is_control(point))
			return false;
	}
	return true;
}

const char *str_quote(const char *text, size_t size, char ret[STR_QUOTE_MAX])
{
	size_t from = 0, to = 0;

	for (int i = 0; i < QUOTE_CHARACTERS && from < size; i++) {
		unsigned point = 0;
		size_t length = str_utf8(text + from, size - from, &point);

		if (!length || is_control(point)) {
			ret[to++] = '?';
			from += length ? length : 1;
			continue;
		}
		memcpy(ret + to, text + from, length);
		to += length;
		from += length;
	}
	strcpy(ret + to, from < size ? "..." : "");
	return ret;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t less = a < b ? a : b;

	return less < c ? less : c;
}

static bool same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment; three rows of the usual matrix are enough. */
size_t str_distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	size_t a_size = strlen(a), b_size = strlen(b);

	if (a_size > WORD_MAX || b_size > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_size; j++)
		above[j] = j;
	for (size_t i = 1; i <= a_size; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			bool same = same_letter(a[i - 1], b[j - 1]);

			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]))
				row[j] = min3(row[j], before[j - 2] + 1, SIZE_MAX);
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[b_size];
}

/* One slip in three letters still looks like the same word; a word of two letters must only be in
 * the wrong order or case. */
void str_nearest_offer(struct str_nearest *nearest, const char *candidate)
{
	size_t distance = str_distance(nearest->word, candidate);
	size_t allowed = (strlen(nearest->word) + 1) / 3;

	if (allowed > 3)
		allowed = 3;
	if (distance > allowed || (nearest->best && distance >= nearest->distance))
		return;
	nearest->best = candidate;
	nearest->distance = distance;
}
