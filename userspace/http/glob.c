// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/glob.h"

#include <errno.h>

#define WORD	  64
#define WORDS_MAX (GLOB_SIZE_MAX / WORD + 1)

/*
 * Bit i of a set: the first i elements of the pattern have matched; an element is what is no `*`.
 * Bytes that the pattern does not tell apart are of one class.
 */
struct glob {
	uint16_t words; /* of a set */
	uint16_t last;	/* elements: all have matched */
	uint16_t classes;
	uint8_t class[256];
	/* One for each class, of the elements that take such a byte; then of those behind which any
	 * byte is skipped (`*`), and the rest of a character (`?`). */
	uint64_t sets[];
};

static bool continues(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

static void set_bit(uint64_t *set, unsigned bit)
{
	set[bit / WORD] |= 1ull << bit % WORD;
}

static const uint64_t *set_of(const struct glob *glob, unsigned number)
{
	return glob->sets + glob->words * number;
}

/* Class 1 is of bytes that continue a character and are not in the pattern, class 0 of all others
 * that are not in it. Returns how many there are. */
static unsigned classify(struct slice pattern, uint8_t ret[256])
{
	unsigned count = 2;

	for (unsigned byte = 0; byte < 256; byte++)
		ret[byte] = continues(byte);
	for (size_t i = 0; i < pattern.size; i++) {
		uint8_t byte = pattern.at[i];

		if (byte != '*' && byte != '?' && ret[byte] < 2)
			ret[byte] = count++;
	}
	return count;
}

static void fill(struct glob *glob, struct slice pattern)
{
	uint64_t *skip = (uint64_t *)set_of(glob, glob->classes), *rest = skip + glob->words;
	unsigned at = 0;

	for (size_t i = 0; i < pattern.size; i++) {
		uint8_t byte = pattern.at[i];

		if (byte == '*') {
			set_bit(skip, at);
			continue;
		}
		for (unsigned other = 0; other < 256; other++)
			if (other == byte || (byte == '?' && !continues(other)))
				set_bit(glob->sets + glob->words * glob->class[other], at);
		at++;
		if (byte == '?')
			set_bit(rest, at);
	}
	glob->last = at;
}

int glob_new(struct slice pattern, struct glob **ret)
{
	unsigned words = pattern.size / WORD + 1, classes;
	uint8_t class[256];
	struct glob *glob;

	if (pattern.size > GLOB_SIZE_MAX)
		return -EINVAL;
	classes = classify(pattern, class);
	glob = calloc(1, sizeof(*glob) + (classes + 2) * words * sizeof(uint64_t));
	if (!glob)
		return -ENOMEM;
	memcpy(glob->class, class, sizeof(class));
	glob->words = words;
	glob->classes = classes;
	fill(glob, pattern);
	*ret = glob;
	return 0;
}

void glob_free(struct glob *glob)
{
	free(glob);
}

/* Takes a byte; false: nothing matches any more. */
static bool step(const struct glob *glob, uint8_t byte, uint64_t *now)
{
	const uint64_t *take = set_of(glob, glob->class[byte]);
	const uint64_t *skip = set_of(glob, glob->classes), *rest = skip + glob->words;
	uint64_t carry = 0, any = 0, continued = continues(byte) ? UINT64_MAX : 0;

	for (unsigned i = 0; i < glob->words; i++) {
		uint64_t taken = now[i] & take[i];

		now[i] = taken << 1 | carry | (now[i] & (skip[i] | (rest[i] & continued)));
		carry = taken >> (WORD - 1);
		any |= now[i];
	}
	return any;
}

static bool has_bit(const uint64_t *set, unsigned bit)
{
	return set[bit / WORD] >> bit % WORD & 1;
}

bool glob_match(const struct glob *glob, struct slice text)
{
	bool open = has_bit(set_of(glob, glob->classes), glob->last);
	uint64_t now[WORDS_MAX] = { 1 };

	for (size_t i = 0; i < text.size; i++) {
		/* Behind a last `*` anything may come. */
		if (open && has_bit(now, glob->last))
			return true;
		if (!step(glob, text.at[i], now))
			return false;
	}
	return has_bit(now, glob->last);
}

/* Does the text begin with this part of a pattern, which has no `*`? */
static bool begins_with(const char *text, struct slice part)
{
	for (size_t i = 0; i < part.size; i++)
		if (part.at[i] != '?' && part.at[i] != text[i])
			return false;
	return true;
}

void glob_capture(struct slice pattern, struct slice text, struct slice *ret, size_t count)
{
	const char *star = memchr(pattern.at, '*', pattern.size);
	const char *end = pattern.at + pattern.size;
	const char *at = text.at + (star ? star - pattern.at : 0);

	for (size_t i = 0; i < count; i++) {
		const char *next = star ? memchr(star + 1, '*', end - star - 1) : NULL;
		struct slice part = { star ? star + 1 : end, 0 };
		const char *from = at;

		if (!star) {
			ret[i] = (struct slice){ "", 0 };
			continue;
		}
		part.size = (next ?: end) - part.at;
		if (!next)
			at = text.at + text.size - part.size;
		else
			while (!begins_with(at, part))
				at++;
		ret[i] = (struct slice){ from, at - from };
		at += part.size;
		star = next;
	}
}
