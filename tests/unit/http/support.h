/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the tests of HTTP share: input that ends at a forbidden page, and heads that are read whole,
 * cut anywhere, and byte by byte.
 */
#ifndef WEIR_TESTS_UNIT_HTTP_SUPPORT_H
#define WEIR_TESTS_UNIT_HTTP_SUPPORT_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "http/request.h"
#include "http/response.h"

#define SUPPORT_ROOM 131072

static const struct head_limits support_limits = { HEAD_SIZE_DEFAULT, MESSAGE_FIELDS_MAX };

/* Room whose last byte is the last that may be touched; a call with the same `slot` (below 4)
 * gives the same room. Returns where `size` bytes begin. */
static inline char *support_guarded(unsigned slot, size_t size)
{
	static char *rooms[4];
	size_t page = sysconf(_SC_PAGESIZE);

	if (!rooms[slot]) {
		rooms[slot] = mmap(NULL, SUPPORT_ROOM + page, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		cr_assert_neq(rooms[slot], MAP_FAILED);
		cr_assert_eq(mprotect(rooms[slot] + SUPPORT_ROOM, page, PROT_NONE), 0);
	}
	cr_assert_leq(size, SUPPORT_ROOM);
	return rooms[slot] + SUPPORT_ROOM - size;
}

static inline const char *support_copy(const char *bytes, size_t size)
{
	return memcpy(support_guarded(0, size), bytes, size);
}

/* The same text? */
#define support_expect_slice(slice, text)                                                          \
	cr_expect(slice_equal(slice, SLICE(text)), "%s:%d: '%.*s', not '%s'", __FILE__, __LINE__,  \
		  (int)(slice).size, (slice).at, text)

static inline struct head support_head(const char *bytes, size_t size, uint32_t scanned)
{
	return (struct head){ .bytes = support_copy(bytes, size),
			      .size = size,
			      .scanned = scanned };
}

/* Reads a head whose bytes come in two parts, the second at another place: what
 * request_parse() says at last. */
static inline int support_request_cut(const char *bytes, size_t size, size_t cut,
				      struct request *ret, const char **ret_why)
{
	struct head head = support_head(bytes, cut, 0);
	int r = request_parse(&head, &support_limits, ret);

	if (r == 0) {
		head = support_head(bytes, size, head.scanned);
		r = request_parse(&head, &support_limits, ret);
	}
	*ret_why = head.why;
	return r;
}

static inline int support_request_bytewise(const char *bytes, size_t size, struct request *ret)
{
	uint32_t scanned = 0;
	int r = 0;

	for (size_t have = 0; have <= size && r == 0; have++) {
		struct head head = support_head(bytes, have, scanned);

		r = request_parse(&head, &support_limits, ret);
		scanned = head.scanned;
	}
	return r;
}

/* Whole, cut at every byte and byte by byte the result is one. Returns it; *ret is that of the
 * whole text. */
static inline int support_request(const char *bytes, size_t size, struct request *ret,
				  const char **ret_why)
{
	struct request other;
	int r;

	for (size_t cut = 0; cut < size; cut++) {
		const char *why = NULL;

		r = support_request_cut(bytes, size, cut, &other, &why);
		*ret_why = NULL;
		cr_assert_eq(r, support_request_cut(bytes, size, size, ret, ret_why),
			     "'%.*s' cut at %zu", (int)size, bytes, cut);
		cr_assert(why == *ret_why || !strcmp(why, *ret_why));
	}
	r = support_request_cut(bytes, size, size, ret, ret_why);
	cr_assert_eq(support_request_bytewise(bytes, size, &other), r, "'%.*s'", (int)size, bytes);
	/* The last one's bytes are to stay. */
	return support_request_cut(bytes, size, size, ret, ret_why);
}

/* The same of responses. */
static inline int support_response(const char *bytes, size_t size, struct response_to to,
				   struct response *ret, const char **ret_why)
{
	for (size_t cut = 0;; cut++) {
		struct head head = support_head(bytes, cut, 0), whole;
		int r = response_parse(&head, &support_limits, &to, ret), at_once;

		if (r == 0 && cut < size) {
			head = support_head(bytes, size, head.scanned);
			r = response_parse(&head, &support_limits, &to, ret);
		}
		whole = support_head(bytes, size, 0);
		at_once = response_parse(&whole, &support_limits, &to, ret);
		cr_assert_eq(r, at_once, "'%.*s' cut at %zu", (int)size, bytes, cut);
		cr_assert(head.why == whole.why || !strcmp(head.why, whole.why));
		*ret_why = whole.why;
		if (cut == size)
			return r;
	}
}

#endif
