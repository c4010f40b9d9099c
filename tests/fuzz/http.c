// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: no bytes make the codec of HTTP crash or read beyond them; in pieces they mean what they
 * mean at once; and what it accepts and forwards it accepts again, with the same meaning, so that
 * an endpoint that is as strict sees the same message. What the kernel's parser (weir/plain.h)
 * takes, the codec takes for the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/body.h"
#include "http/forward.h"
#include "http/request.h"
#include "http/response.h"
#include "http/target.h"
#include "heads.h"
#include "heads_abi.h"
#include "random.h"

#define ROOM 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct head_limits limits = { 4096, MESSAGE_FIELDS_MAX };

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static int parse(struct head *head, const struct response_to *to, void *ret)
{
	return to ? response_parse(head, &limits, to, ret) : request_parse(head, &limits, ret);
}

/* In pieces of random sizes, each time in memory of its own, without a byte more. */
static int parse_pieces(const char *bytes, size_t size, uint64_t *random,
			const struct response_to *to, void *ret)
{
	uint32_t scanned = 0;
	size_t have = 0;
	int r = 0;

	while (r == 0 && have < size) {
		struct head head = { .scanned = scanned };
		char *copy;

		have += 1 + random_below(random, 40);
		have = have < size ? have : size;
		copy = malloc(have);
		head.bytes = memcpy(copy, bytes, have);
		head.size = have;
		r = parse(&head, to, ret);
		require(r >= 0 || head.why);
		scanned = head.scanned;
		free(copy);
	}
	return r;
}

static void check_target(const struct request *request)
{
	char normal[4096], again[4096];
	struct slice slice = { normal, 0 };
	const char *why;

	if (request->form == TARGET_ASTERISK)
		return;
	slice.size = target_normalise(request->path, normal);
	require(slice.size >= 1 && slice.size <= request->path.size && normal[0] == '/');
	require(target_check(slice, &why) >= 0);
	require(target_normalise(slice, again) == slice.size);
	require(!memcmp(normal, again, slice.size));
	require(!request->path_plain || slice_equal(request->path, slice));
}

static void forward_one(const struct request *request)
{
	static char buffer[ROOM];
	static struct request again;
	struct forward_client client = {};
	struct http http = {};
	struct forward_request what = { .request = request,
					.client = &client,
					.http = &http,
					.host = "10.0.0.1",
					.keep_alive = request->keep_alive };
	ssize_t size = forward_request(&what, buffer, sizeof(buffer));
	struct head head = { .bytes = buffer, .size = size };
	struct head_limits more = { ROOM, MESSAGE_FIELDS_MAX };
	int r;

	require(size > 0);
	/* X-Forwarded-For and what is written anew may be some fields too many. */
	r = request_parse(&head, &more, &again);
	require(r == size || (r == -431 && request->count > MESSAGE_FIELDS_MAX - 8));
	if (r < 0)
		return;
	require(again.method == request->method && again.framing == request->framing);
	require(again.content_length == request->content_length);
	require(slice_equal(again.path, request->path) && slice_equal(again.query, request->query));
	require(!request->host.size || slice_equal(again.host, request->host));
	require(again.port == request->port && again.expect_continue == request->expect_continue);
	require(slice_equal(again.upgrade, request->upgrade));
}

/* As the kernel's programs read it, of a request or of an answer. */
static void try_plain(const char *bytes, size_t size, bool is_answer, bool is_head)
{
	static struct heads_case c;

	if (size < PLAIN_LEAST || size >= WEIR_ROUTING_HEAD)
		return;
	memset(&c, 0, sizeof(c));
	memcpy(c.room.bytes, bytes, size);
	c.size = size;
	c.is_head = is_head;
	(is_answer ? heads_answer : heads_request)(&c);
	require(!(is_answer ? heads_dispute_answer : heads_dispute_request)(&c));
}

static void try_request(const char *bytes, size_t size, uint64_t *random)
{
	static struct request whole, pieces;
	struct head head = { .bytes = bytes, .size = size };
	int r = request_parse(&head, &limits, &whole);

	try_plain(bytes, size, false, false);
	require(parse_pieces(bytes, size, random, NULL, &pieces) == r);
	require(r >= 0 || (head.why && r > -600));
	if (r <= 0)
		return;
	require(whole.count == pieces.count && whole.framing == pieces.framing);
	require(whole.content_length == pieces.content_length);
	require(whole.keep_alive == pieces.keep_alive);
	check_target(&whole);
	forward_one(&whole);
}

static void try_response(const char *bytes, size_t size, uint64_t *random)
{
	static char buffer[ROOM];
	static struct response whole, pieces, again;
	struct response_to to = { .method = random_below(random, METHOD_OTHER + 1),
				  .upgrade = random_one_in(random, 2) };
	struct head head = { .bytes = bytes, .size = size };
	struct forward_response what = { .response = &whole, .minor = 1 };
	int r = response_parse(&head, &limits, &to, &whole);
	ssize_t written;

	try_plain(bytes, size, true, to.method == METHOD_HEAD);
	require(parse_pieces(bytes, size, random, &to, &pieces) == r);
	require(r >= 0 || (r == -502 && head.why));
	if (r <= 0)
		return;
	require(whole.status == pieces.status && whole.framing == pieces.framing);
	what.keep_alive = whole.keep_alive;
	written = forward_response(&what, buffer, sizeof(buffer));
	require(written > 0);
	head = (struct head){ .bytes = buffer, .size = written };
	r = response_parse(&head, &(struct head_limits){ ROOM, MESSAGE_FIELDS_MAX }, &to, &again);
	require(r == written || (whole.count > MESSAGE_FIELDS_MAX - 4 && r == -502));
	if (r < 0)
		return;
	require(again.status == whole.status && again.framing == whole.framing);
	require(whole.interim || again.keep_alive == whole.keep_alive);
	require(again.content_length == whole.content_length || whole.status == 204);
}

/* What one way to feed a body says of it. */
struct outcome {
	bool refused, ended;
	size_t passed, payload;
	uint32_t sum;
};

/* Pieces of at most `most` bytes; what is not taken is given again. */
static struct outcome feed(const char *bytes, size_t size, uint64_t *random, uint32_t most,
			   enum framing framing)
{
	struct outcome outcome = {};
	struct body body;
	size_t have = 0;

	body_init(&body, framing, 1000);
	while (have < size && !outcome.refused) {
		ssize_t r = 1;

		have += 1 + random_below(random, most);
		have = have < size ? have : size;
		while (r > 0) {
			size_t left = have - outcome.passed;
			char *copy = malloc(left ?: 1);
			struct slice payload;

			memcpy(copy, bytes + outcome.passed, left);
			r = body_feed(&body, copy, left, &payload);
			require(r <= (ssize_t)left);
			for (size_t i = 0; r > 0 && i < payload.size; i++)
				outcome.sum = outcome.sum * 31 + (uint8_t)payload.at[i];
			outcome.payload += r > 0 ? payload.size : 0;
			outcome.passed += r > 0 ? r : 0;
			outcome.refused = r < 0;
			require(r >= 0 || body.why);
			require(r != 0 || body_ended(&body) || left < BODY_LINE_MAX);
			free(copy);
		}
	}
	outcome.ended = body_ended(&body);
	return outcome;
}

static void try_body(const char *bytes, size_t size, uint64_t *random)
{
	enum framing framing = random_one_in(random, 8) ? FRAMING_LENGTH : FRAMING_CHUNKED;
	struct outcome whole = feed(bytes, size, random, UINT32_MAX, framing);
	struct outcome pieces = feed(bytes, size, random, 30, framing);

	require(whole.refused == pieces.refused && whole.ended == pieces.ended);
	if (whole.refused)
		return;
	require(whole.passed == pieces.passed && whole.payload == pieces.payload);
	require(whole.sum == pieces.sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const char *, size_t, uint64_t *) = { try_request,
									   try_response, try_body };
	uint64_t random;
	char *copy;

	if (size < 2)
		return 0;
	random = data[1];
	copy = malloc(size - 2 ?: 1);
	memcpy(copy, data + 2, size - 2);
	tries[data[0] % 3](copy, size - 2, &random);
	free(copy);
	return 0;
}
