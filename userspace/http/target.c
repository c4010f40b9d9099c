// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/target.h"

#include <errno.h>

#include "http/chars.h"

static bool is_unreserved(unsigned c)
{
	return chars_are(c, CHARS_HOST) || c == '~';
}

/* The byte that %XX stands for. */
static unsigned decode(const char *percent)
{
	return chars_hex(percent[1]) << 4 | chars_hex(percent[2]);
}

/* The size of a dot segment that begins at `at`, with its slash; 0: it is none. *ret_dots is how
 * many dots it has. */
static size_t dot_segment(const char *at, const char *end, unsigned *ret_dots)
{
	const char *next = at;
	unsigned dots = 0;

	while (next < end && *next != '/') {
		if (*next != '.' && (*next != '%' || decode(next) != '.'))
			return 0;
		next += *next == '%' ? 3 : 1;
		if (++dots > 2)
			return 0;
	}
	*ret_dots = dots;
	return dots ? next - at + (next < end) : 0;
}

static bool is_above_root(struct slice path)
{
	const char *at = path.at + 1, *end = path.at + path.size;
	size_t depth = 0;

	while (at < end) {
		unsigned dots;
		size_t size = dot_segment(at, end, &dots);

		if (!size) {
			at = memchr(at, '/', end - at) ?: end;
			depth++;
			at++;
		} else {
			at += size;
			if (dots == 2 && !depth--)
				return true;
		}
	}
	return false;
}

/* A '%' at *at, of a path that ends at `end`. */
static const char *wrong_escape(const char *at, const char *end)
{
	if (end - at < 3 || !chars_are(at[1], CHARS_HEX) || !chars_are(at[2], CHARS_HEX))
		return "the path has a '%' without two hexadecimal digits";
	return decode(at) ? NULL : "the path has a %00";
}

int target_check(struct slice path, const char **ret_why)
{
	const char *end = path.at + path.size;
	const char *why = NULL;
	bool plain = true;

	for (const char *at = path.at; at < end && !why; at++) {
		if (!chars_are(*at, CHARS_PATH | CHARS_SPECIAL))
			why = *at == '\\' ? "the path has a backslash"
					  : "the path has a wrong character";
		else if (!chars_are(*at, CHARS_SPECIAL))
			continue;
		else if (*at == '%') {
			why = wrong_escape(at, end);
			plain = false;
		} else if (at > path.at && at[-1] == '/') {
			plain = false;
		}
	}
	if (!why && (!path.size || path.at[0] != '/'))
		why = "the path does not begin with '/'";
	if (!why && !plain && is_above_root(path))
		why = "the path leads above the root";
	if (!why)
		return !plain;
	*ret_why = why;
	return -EINVAL;
}

static char *parent(char *at, char *root)
{
	at--; /* the slash behind it */
	while (at > root && at[-1] != '/')
		at--;
	return at;
}

size_t target_normalise(struct slice path, char *ret)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = path.at + 1, *end = path.at + path.size;
	char *out = ret;

	*out++ = '/';
	while (at < end) {
		unsigned dots, byte;
		size_t size = out[-1] == '/' ? dot_segment(at, end, &dots) : 0;

		if (size) {
			at += size;
			out = dots == 2 ? parent(out, ret + 1) : out;
		} else if (*at != '%') {
			*out++ = *at++;
		} else {
			byte = decode(at);
			at += 3;
			if (is_unreserved(byte)) {
				*out++ = byte;
				continue;
			}
			*out++ = '%';
			*out++ = digits[byte >> 4];
			*out++ = digits[byte & 15];
		}
	}
	return out - ret;
}
