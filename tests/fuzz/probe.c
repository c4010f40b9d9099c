// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: whatever an endpoint answers to a probe, its status is one of HTTP or there is none, the
 * same wherever the bytes are cut, and nothing is read for ever. The first byte says where.
 */
#include <errno.h>
#include <stdbool.h>

#include "health/http_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static int read_in_pieces(const char *bytes, size_t size, size_t piece, uint16_t *ret)
{
	struct http_answer answer = {};
	int r = HTTP_ANSWER_MORE;

	for (size_t at = 0; at < size && r == HTTP_ANSWER_MORE; at += piece)
		r = http_answer_read(&answer, bytes + at, size - at < piece ? size - at : piece);
	*ret = r == HTTP_ANSWER_DONE ? answer.status : 0;
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data + 1;
	uint16_t whole, cut;
	int r;

	if (!size--)
		return 0;
	r = read_in_pieces(bytes, size, size + 1, &whole);
	require(r == HTTP_ANSWER_DONE || r == HTTP_ANSWER_MORE || r == -EBADMSG || r == -EMSGSIZE);
	require(r != HTTP_ANSWER_MORE || size <= HTTP_ANSWER_MAX);
	if (r == HTTP_ANSWER_DONE)
		require(whole == 101 || (whole >= 200 && whole <= 599));
	require(read_in_pieces(bytes, size, 1 + *data, &cut) == r && cut == whole);
	require(read_in_pieces(bytes, size, 1, &cut) == r && cut == whole);
	return 0;
}
