// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: of an endpoint's response is known where it ends, whatever was asked, cut anywhere; what
 * two could read differently is refused.
 */
#include "http/support.h"

static void read_right(const char *text, struct response_to to, struct response *ret)
{
	const char *why = NULL;
	int r = support_response(text, strlen(text), to, ret, &why);

	cr_assert_eq(r, (int)strlen(text), "%d (%s) of '%s'", r, why ?: "", text);
}

static const struct response_to get = { .method = METHOD_GET };
static const struct response_to head = { .method = METHOD_HEAD };
static const struct response_to upgrade = { .method = METHOD_GET, .upgrade = true };

#define OK(fields) "HTTP/1.1 200 OK\r\n" fields "\r\n"

Test(http_response, status_lines)
{
	struct response response;

	read_right("HTTP/1.1 404 Not \t F\xc3\xbcnd\r\nServer: x\r\n\r\n", get, &response);
	cr_expect_eq(response.status, 404);
	cr_expect_eq(response.minor, 1);
	cr_expect_eq(response.count, 1);
	support_expect_slice(response.reason, "Not \t F\xc3\xbcnd");
	read_right("HTTP/1.0 599 \r\n\r\n", get, &response);
	cr_expect_eq(response.status, 599);
	cr_expect_eq(response.minor, 0);
	read_right("HTTP/1.1 200\r\n\r\n", get, &response);
	support_expect_slice(response.reason, "");
}

Test(http_response, framing)
{
	static const struct {
		const char *text;
		const struct response_to *to;
		enum framing framing;
		uint64_t length;
		bool keep_alive;
	} cases[] = {
		{ OK("Content-Length: 7\r\n"), &get, FRAMING_LENGTH, 7, true },
		{ OK("Content-Length: 0\r\n"), &get, FRAMING_NONE, 0, true },
		{ OK("Content-Length: 7\r\nConnection: close\r\n"), &get, FRAMING_LENGTH, 7 },
		{ OK("Content-Length: 7\r\n"), &head, FRAMING_NONE, 7, true },
		{ OK("Transfer-Encoding: CHUNKED\r\n"), &get, FRAMING_CHUNKED, 0, true },
		{ OK("Transfer-Encoding: chunked\r\n"), &head, FRAMING_NONE, 0, true },
		{ OK(""), &get, FRAMING_CLOSE },
		{ OK("Connection: keep-alive\r\n"), &get, FRAMING_CLOSE },
		{ OK(""), &head, FRAMING_NONE, 0, true },
		{ OK("Content_Length: 7\r\n"), &get, FRAMING_CLOSE },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n", &get, FRAMING_LENGTH, 7 },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 7\r\nConnection: Keep-Alive\r\n\r\n", &get,
		  FRAMING_LENGTH, 7, true },
		{ "HTTP/1.1 204 No\r\n\r\n", &get, FRAMING_NONE, 0, true },
		{ "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", &get, FRAMING_NONE, 0, true },
		{ "HTTP/1.1 304 Not\r\nContent-Length: 7\r\n\r\n", &get, FRAMING_NONE, 7, true },
		{ "HTTP/1.1 304 Not\r\nTransfer-Encoding: chunked\r\n\r\n", &get, FRAMING_NONE, 0,
		  true },
		{ "HTTP/1.1 205 Reset\r\nContent-Length: 1\r\n\r\n", &get, FRAMING_LENGTH, 1,
		  true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct response response;

		read_right(cases[i].text, *cases[i].to, &response);
		cr_expect_eq(response.framing, cases[i].framing, "%s", cases[i].text);
		cr_expect_eq(response.content_length, cases[i].length, "%s", cases[i].text);
		cr_expect_eq(response.keep_alive, cases[i].keep_alive, "%s", cases[i].text);
		cr_expect_not(response.interim);
	}
}

Test(http_response, interim)
{
	struct response response;

	read_right("HTTP/1.1 100 Continue\r\n\r\n", get, &response);
	cr_expect(response.interim);
	cr_expect_eq(response.framing, FRAMING_NONE);
	read_right("HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n", head, &response);
	cr_expect(response.interim);
	read_right("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", upgrade,
		   &response);
	cr_expect_not(response.interim);
	cr_expect_not(response.keep_alive);
	support_expect_slice(response.upgrade, "websocket");
}

static const struct {
	const char *text;
	size_t size;
} refusals[] = {
	{ OK("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") },
	{ OK("Content-Length: 5\r\nContent-Length: 5\r\n") },
	{ OK("Content-Length: 5, 5\r\n") },
	{ OK("Content-Length: 18446744073709551616\r\n") },
	{ OK("Content-Length: x\r\n") },
	{ OK("Content-Length : 5\r\n") },
	{ OK("Transfer-Encoding: gzip, chunked\r\n") },
	{ OK("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") },
	{ "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" },
	{ "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n" },
	{ "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n" },
	{ "HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\n" },
	{ "HTTP/1.1 100 C\r\nTransfer-Encoding: chunked\r\n\r\n" },
	{ "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" },
	{ OK("A: b\r\n c\r\n") },
	{ OK("A: \x01\r\n") },
	{ OK("A: b\nC: d\r\n") },
	{ OK("A: b\rC: d\r\n") },
	{ OK("A B: d\r\n") },
	{ OK("A\r\n") },
	{ OK("Connection: content-length\r\nContent-Length: 5\r\n") },
	{ "HTTP/1.1 200 OK\nA: b\r\n\r\n" },
	{ "HTTP/1.1 200 O\rK\r\n\r\n" },
	{ "HTTP/1.1 200 O\x7fK\r\n\r\n" },
	{ "HTTP/1.1 20 OK\r\n\r\n" },
	{ "HTTP/1.1 2000 OK\r\n\r\n" },
	{ "HTTP/1.1 099 OK\r\n\r\n" },
	{ "HTTP/1.1 600 OK\r\n\r\n" },
	{ "HTTP/1.1 2x0 OK\r\n\r\n" },
	{ "HTTP/1.1 200OK\r\n\r\n" },
	{ "HTTP/1.1  200 OK\r\n\r\n" },
	{ "HTTP/1.1\r\n\r\n" },
	{ "HTTP/1.1 \r\n\r\n" },
	{ "HTTP/1.\r\n\r\n" },
	{ "HTTP/1.2 200 OK\r\n\r\n" },
	{ "HTTP/2 200 OK\r\n\r\n" },
	{ "http/1.1 200 OK\r\n\r\n" },
	{ "\r\nHTTP/1.1 200 OK\r\n\r\n" },
	{ "\r\n\r\n" },
	{ "SSH-2.0-OpenSSH_9.2\r\n\r\n" },
	{ "HTTP/1.1 200 O\0K\r\n\r\n", 20 },
};

Test(http_response, refusals)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct response response;
		const char *why = NULL;
		int r = support_response(refusals[i].text,
					 refusals[i].size ?: strlen(refusals[i].text), get,
					 &response, &why);

		cr_expect_eq(r, -502, "%d of '%s'", r, refusals[i].text);
		cr_expect(why && *why);
	}
}

Test(http_response, upgrades_that_say_nothing)
{
	static const char *const texts[] = {
		"HTTP/1.1 101 S\r\nConnection: upgrade\r\n\r\n",
		"HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n",
		"HTTP/1.1 101 S\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct response response;
		const char *why;

		cr_expect_eq(support_response(texts[i], strlen(texts[i]), upgrade, &response, &why),
			     -502);
	}
}

Test(http_response, any_byte_anywhere)
{
	static const char right[] = OK("Connection: te\r\nContent-Length: 12\r\nX: 12345678 \r\n");
	char text[sizeof(right)];

	for (size_t i = 0; i < sizeof(right) - 1; i++) {
		for (int c = 0; c < 256; c++) {
			struct response response;
			struct head input;
			int r;

			memcpy(text, right, sizeof(text));
			text[i] = (char)c;
			input = support_head(text, sizeof(text) - 1, 0);
			r = response_parse(&input, &support_limits, &get, &response);
			cr_assert(r == -502 || (r >= 0 && r < (int)sizeof(text)));
		}
	}
}
