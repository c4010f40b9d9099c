// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: of a body is known where it ends, however its bytes come in; its payload comes out whole
 * and in order; a chunked one that two could read differently is refused before the wrong line is
 * passed on. Bytes end at a forbidden page.
 */
#include "http/support.h"

#include <errno.h>

#include "http/body.h"
#include "random.h"

struct read {
	ssize_t result; /* bytes of the body, or -EBADMSG */
	size_t passed;	/* bytes that were passed on */
	bool ended;
	size_t size; /* of the payload */
	char payload[SUPPORT_ROOM];
};

/* Feeds all that has come up to `have`, and keeps what is not taken. */
static void feed(struct body *body, const char *bytes, size_t have, struct read *read)
{
	while (read->result >= 0) {
		size_t left = have - read->passed;
		struct slice payload;
		ssize_t r =
			body_feed(body, support_copy(bytes + read->passed, left), left, &payload);

		cr_assert_leq(r, (ssize_t)left);
		if (r <= 0) {
			read->result = r < 0 ? r : (ssize_t)read->passed;
			cr_assert(r < 0 || body_ended(body) || left < BODY_LINE_MAX);
			return;
		}
		memcpy(read->payload + read->size, payload.at ?: "", payload.size);
		read->size += payload.size;
		read->passed += r;
	}
}

/* In pieces of random sizes below `most`, or with 0 in two that meet at `cut`. */
static void read_cut(const char *bytes, size_t size, size_t cut, uint64_t *random, size_t most,
		     struct read *ret)
{
	size_t have = 0;
	struct body body;

	ret->result = ret->passed = ret->size = 0;
	body_init(&body, FRAMING_CHUNKED, 0);
	while (have < size && ret->result >= 0) {
		have = most ? have + 1 + random_below(random, most) : (have < cut ? cut : size);
		have = have < size ? have : size;
		feed(&body, bytes, have, ret);
	}
	ret->ended = body_ended(&body);
	if (ret->result < 0) {
		struct slice payload;

		cr_assert(body.why && *body.why);
		cr_assert_eq(body_feed(&body, "", 0, &payload), -EBADMSG);
		cr_assert_not(body_may_close(&body));
	}
}

/* The same however it is cut. */
static const struct read *read_chunked(const char *bytes, size_t size)
{
	static struct read whole, cut;
	uint64_t random = 1;

	read_cut(bytes, size, size, NULL, 0, &whole);
	for (size_t i = 0; i <= size && size < 1000; i++) {
		read_cut(bytes, size, i, &random, i == size, &cut);
		cr_assert_eq(whole.result, cut.result, "'%.*s' cut at %zu: %zd, not %zd", (int)size,
			     bytes, i, cut.result, whole.result);
		if (whole.result < 0)
			continue;
		cr_assert_eq(whole.ended, cut.ended);
		cr_assert_eq(whole.size, cut.size);
		cr_assert_eq(memcmp(whole.payload, cut.payload, cut.size), 0);
	}
	return &whole;
}

static void expect(const char *text, size_t size, const char *payload)
{
	const struct read *read = read_chunked(text, strlen(text));

	cr_expect_eq(read->result, (ssize_t)size, "%zd of '%s'", read->result, text);
	cr_expect(read->ended, "'%s'", text);
	cr_expect(slice_equal((struct slice){ read->payload, read->size }, SLICE(payload)),
		  "'%.*s' of '%s'", (int)read->size, read->payload, text);
}

#define ALL(text) text, sizeof(text) - 1

Test(http_body, chunks)
{
	expect(ALL("0\r\n\r\n"), "");
	expect(ALL("5\r\nhello\r\n0\r\n\r\n"), "hello");
	expect(ALL("5\r\nhello\r\n00a\r\n, world\r\n!\r\n0\r\n\r\n"), "hello, world\r\n!");
	expect(ALL("2;a=b\r\nab\r\n1 \t;x=\"y z\";w\r\nc\r\n000;last\r\n\r\n"), "abc");
	expect(ALL("1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n"), "\r\n");
	expect(ALL("A\r\n0123456789\r\na\r\n0\r\n\r\n01234\r\n0\r\nX-Sum: 1\r\nE:\r\n\r\n"),
	       "01234567890\r\n\r\n01234");
	/* What is behind belongs to the next message. */
	expect("0\r\n\r\nGET / HTTP/1.1\r\n", 5, "");
	expect("1\r\na\r\n0\r\nA: b\r\n\r\n0\r\n\r\n", 17, "a");
}

Test(http_body, halves)
{
	static const char text[] = "5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n";

	for (size_t size = 0; size < sizeof(text) - 1; size++) {
		const struct read *read = read_chunked(text, size);

		cr_assert_geq(read->result, 0, "%zu", size);
		cr_assert_not(read->ended, "%zu", size);
	}
}

Test(http_body, refusals)
{
	static const struct {
		const char *text;
		size_t passed; /* before the wrong line */
	} cases[] = {
		{ "\r\n" },
		{ "g\r\n" },
		{ "0x5\r\n" },
		{ "+5\r\n" },
		{ "-5\r\n" },
		{ " 5\r\n" },
		{ "5 \r\n" },
		{ "5\t\r\n" },
		{ "5,5\r\n" },
		{ "5 5\r\n" },
		{ "5\n" },
		{ "5;a\nb\r\n" },
		{ "5;a\rb\r\n" },
		{ "5;a=\x01\r\n" },
		{ "5\r\r\n" },
		{ "5\r6\r\n" },
		{ "\xff\r\n" },
		{ "1000000000000000\r\n" },
		{ "ffffffffffffffffffff\r\n" },
		{ "0000000000000005\r\n" },
		{ "5\r\nhello0\r\n\r\n" },
		{ "5\r\nhello\n0\r\n\r\n" },
		{ "5\r\nhello\r0\r\n\r\n" },
		{ "5\r\nhello!\r\n0\r\n\r\n" },
		{ "5\r\nhell\r\n0\r\n\r\n" },
		{ "0\r\nA b: c\r\n\r\n" },
		{ "0\r\n A: c\r\n\r\n" },
		{ "0\r\nA : c\r\n\r\n" },
		{ "0\r\nA\r\n\r\n" },
		{ "0\r\n: c\r\n\r\n" },
		{ "0\r\nA: c\n\r\n" },
		{ "0\r\nA: c\rd\r\n\r\n" },
		{ "0\r\nA: \x7f\r\n\r\n" },
		{ "0\r\nA: b\r\n continued\r\n\r\n" },
		{ "0\r\nContent-Length: 5\r\n\r\n" },
		{ "0\r\ntransfer-encoding: chunked\r\n\r\n" },
		{ "0\r\nHost: a\r\n\r\n" },
		{ "0\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n" },
		{ "0\r\nX_Real_IP: 192.0.2.1\r\n\r\n" },
		{ "0\r\nAuthorization: x\r\n\r\n" },
		{ "0\r\nSet-Cookie: x\r\n\r\n" },
		{ "0\r\nCookie: x\r\n\r\n" },
		{ "0\r\nIf-Match: x\r\n\r\n" },
		{ "0\r\nContent-Type: x\r\n\r\n" },
		{ "0\r\nTrailer: x\r\n\r\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(read_chunked(cases[i].text, strlen(cases[i].text))->result, -EBADMSG,
			     "'%s'", cases[i].text);
	/* NUL, in a place for text. */
	cr_expect_eq(read_chunked("5;\0\r\n", 5)->result, -EBADMSG);
	cr_expect_eq(read_chunked("0\r\nA: \0\r\n\r\n", 11)->result, -EBADMSG);
}

/* What is refused has not been passed on: neither its line nor anything behind it. */
Test(http_body, nothing_wrong_is_passed_on)
{
	static const char text[] = "1\r\na\r\n5;\x01\r\nhello\r\n";
	static struct read read;

	for (size_t cut = 0; cut < sizeof(text) - 1; cut++) {
		read_cut(text, sizeof(text) - 1, cut, NULL, 0, &read);
		cr_assert_eq(read.result, -EBADMSG);
		cr_assert_leq(read.passed, 6);
	}
}

Test(http_body, endless_lines)
{
	static char text[2 * BODY_TRAILERS_MAX];
	size_t size = 3;

	memset(text, 'a', sizeof(text));
	text[0] = '0';
	text[1] = ';';
	cr_expect_eq(read_chunked(text, BODY_LINE_MAX)->result, -EBADMSG);
	cr_expect_eq(read_chunked(text, BODY_LINE_MAX - 1)->result, 0);
	memcpy(text + BODY_LINE_MAX - 2, "\r\n\r\n", 4);
	cr_expect_eq(read_chunked(text, BODY_LINE_MAX + 2)->result, BODY_LINE_MAX + 2);
	memcpy(text, "0\r\n", 3);
	while (size + 8 < sizeof(text))
		size += sprintf(text + size, "A: b\r\n");
	cr_expect_eq(read_chunked(text, size)->result, -EBADMSG);
	memcpy(text + 3 + 6 * (BODY_TRAILERS_MAX / 6), "\r\n", 2);
	cr_expect_gt(read_chunked(text, size)->result, 0);
}

Test(http_body, length)
{
	struct slice payload;
	struct body body;

	body_init(&body, FRAMING_NONE, 5);
	cr_expect(body_ended(&body) && body_may_close(&body));
	cr_expect_eq(body_feed(&body, "x", 1, &payload), 0);
	body_init(&body, FRAMING_LENGTH, 0);
	cr_expect(body_ended(&body));
	body_init(&body, FRAMING_LENGTH, 5);
	cr_expect_eq(body_run(&body), 5);
	cr_expect_eq(body_feed(&body, "", 0, &payload), 0);
	cr_expect_eq(body_feed(&body, support_copy("ab", 2), 2, &payload), 2);
	cr_expect_eq(payload.size, 2);
	cr_expect_not(body_may_close(&body));
	body_skip(&body, 2);
	cr_expect_eq(body_run(&body), 1);
	cr_expect_eq(body_feed(&body, support_copy("ef", 2), 2, &payload), 1);
	cr_expect_eq(payload.size, 1);
	cr_expect(body_ended(&body) && body_may_close(&body) && !body_run(&body));
	cr_expect_eq(body_feed(&body, "f", 1, &payload), 0);

	body_init(&body, FRAMING_CLOSE, 0);
	cr_expect_eq(body_run(&body), UINT64_MAX);
	cr_expect_eq(body_feed(&body, support_copy("abc", 3), 3, &payload), 3);
	cr_expect_eq(payload.size, 3);
	body_skip(&body, 1ull << 40);
	cr_expect_eq(body_run(&body), UINT64_MAX);
	cr_expect(!body_ended(&body) && body_may_close(&body));
}

/* Chunks whose payload is moved unseen. */
Test(http_body, skipped)
{
	struct slice payload;
	struct body body;

	body_init(&body, FRAMING_CHUNKED, 0);
	cr_expect_eq(body_run(&body), 0);
	cr_expect_eq(body_feed(&body, "ffffff\r\nxy", 10, &payload), 10);
	cr_expect_eq(payload.size, 2);
	cr_expect_eq(body_run(&body), 0xfffffd);
	body_skip(&body, 0xfffff0);
	cr_expect_eq(body_run(&body), 13);
	body_skip(&body, 13);
	cr_expect_eq(body_run(&body), 0);
	cr_expect_eq(body_feed(&body, "\r\n0\r\n\r\n", 7, &payload), 7);
	cr_expect(body_ended(&body));
}

/* Random chunks, random cuts, random damage: what comes out is what went in, or a refusal. */
Test(http_body, random_streams)
{
	static char text[SUPPORT_ROOM], wanted[SUPPORT_ROOM];
	static struct read read;
	uint64_t random = 7;

	for (unsigned round = 0; round < 3000; round++) {
		size_t size = 0, payload = 0;

		for (unsigned n = random_below(&random, 8); n; n--) {
			size_t chunk = 1 + random_below(&random, 1 << random_below(&random, 12));

			size += sprintf(text + size, random_one_in(&random, 2) ? "%zx%s" : "%zX%s",
					chunk,
					random_one_in(&random, 3) ? " ; a=\"b\"\r\n" : "\r\n");
			for (size_t i = 0; i < chunk; i++)
				text[size++] = wanted[payload++] =
					"\r\n0a"[random_below(&random, 4)];
			size += sprintf(text + size, "\r\n");
		}
		size += sprintf(text + size, "0\r\n%s\r\n",
				random_one_in(&random, 2) ? "" : "a: b\r\n");
		read_cut(text, size, 0, &random, 1 + random_below(&random, 3000), &read);
		cr_assert_eq(read.result, (ssize_t)size);
		cr_assert(read.ended && read.size == payload);
		cr_assert_eq(memcmp(read.payload, wanted, payload), 0);
		text[random_below(&random, size)] = random_below(&random, 256);
		read_cut(text, size, 0, &random, 1 + random_below(&random, 3000), &read);
	}
}
