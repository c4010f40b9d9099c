// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/chars.h"

#include <string.h>

#define T CHARS_TOKEN
#define P CHARS_PATH
#define Q CHARS_QUERY
#define H CHARS_HOST
#define X CHARS_HEX
#define D CHARS_DIGIT
#define S CHARS_SPECIAL

const uint8_t chars_table[256] = {
	['0' ... '9'] = T | P | Q | H | X | D,
	['A' ... 'F'] = T | P | Q | H | X,
	['G' ... 'Z'] = T | P | Q | H,
	['a' ... 'f'] = T | P | Q | H | X,
	['g' ... 'z'] = T | P | Q | H,
	['!'] = T | P | Q,
	['"'] = Q,
	['#'] = T,
	['$'] = T | P | Q,
	['%'] = T | P | Q | S,
	['&' ... '\''] = T | P | Q,
	['(' ... ')'] = P | Q,
	['*' ... '+'] = T | P | Q,
	[','] = P | Q,
	['-'] = T | P | Q | H,
	['.'] = T | P | Q | H | S,
	['/'] = P | Q,
	[':' ... ';'] = P | Q,
	['<'] = Q,
	['='] = P | Q,
	['>' ... '?'] = Q,
	['@'] = P | Q,
	['['] = P | Q,
	['\\'] = Q,
	[']'] = P | Q,
	['^'] = T | P | Q,
	['_'] = T | P | Q | H,
	['`'] = T | P | Q,
	['{'] = P | Q,
	['|'] = T | P | Q,
	['}'] = P | Q,
	['~'] = T | P | Q,
};

#define EACH(byte) (0x0101010101010101ull * (byte))

/* Is any of the eight bytes less than a blank, or DEL? It may be a tab. */
static bool has_control(uint64_t word)
{
	uint64_t del = word ^ EACH(0x7f);
	uint64_t low = (word - EACH(0x20)) & ~word;

	return (low | ((del - EACH(1)) & ~del)) & EACH(0x80);
}

size_t chars_text_span(const char *at, size_t size)
{
	size_t i = 0;

	for (;;) {
		uint64_t word;

		for (; size - i >= sizeof(word); i += sizeof(word)) {
			memcpy(&word, at + i, sizeof(word));
			if (has_control(word))
				break;
		}
		for (size_t end = size - i < sizeof(word) ? size : i + sizeof(word); i < end; i++)
			if (((uint8_t)at[i] < ' ' && at[i] != '\t') || at[i] == 0x7f)
				return i;
		if (i == size)
			return i;
	}
}
