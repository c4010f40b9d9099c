// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: right requests are read as RFC 9110 and 9112 say, cut anywhere; of all others each gets its
 * status. Nothing behind the given bytes is touched, and nobody makes a head cost more than its
 * bytes.
 */
#include "http/support.h"

#include <time.h>

static void read_right(const char *text, struct request *ret)
{
	const char *why = NULL;
	int r = support_request(text, strlen(text), ret, &why);

	cr_assert_eq(r, (int)strlen(text), "%d (%s) of '%s'", r, why ?: "", text);
}

Test(http_request, origin_form)
{
	struct request request;

	read_right("GET /a/b?c=d&e HTTP/1.1\r\nHost: Example.com:8080\r\nUser-Agent: x y\r\n"
		   "Empty:\r\nAccept:\t */* \t\r\n\r\n",
		   &request);
	cr_expect_eq(request.method, METHOD_GET);
	cr_expect_eq(request.form, TARGET_ORIGIN);
	cr_expect_eq(request.minor, 1);
	cr_expect_eq(request.framing, FRAMING_NONE);
	cr_expect(request.keep_alive && request.has_query && request.path_plain);
	cr_expect_eq(request.port, 8080);
	cr_expect_eq(request.count, 4);
	support_expect_slice(request.target, "/a/b?c=d&e");
	support_expect_slice(request.path, "/a/b");
	support_expect_slice(request.query, "c=d&e");
	support_expect_slice(request.host, "Example.com");
	support_expect_slice(request.authority, "Example.com:8080");
	support_expect_slice(request.fields[1].name, "User-Agent");
	support_expect_slice(request.fields[1].value, "x y");
	support_expect_slice(request.fields[2].value, "");
	support_expect_slice(request.fields[3].value, "*/*");
}

Test(http_request, other_forms)
{
	struct request request;

	read_right("GET http://a.example HTTP/1.1\r\nHost: A.example\r\n\r\n", &request);
	cr_expect_eq(request.form, TARGET_ABSOLUTE);
	support_expect_slice(request.path, "/");
	support_expect_slice(request.host, "a.example");
	cr_expect_not(request.has_query);

	read_right("GET HTTPS://a.example:81?x HTTP/1.1\r\nHost: a.example:81\r\n\r\n", &request);
	support_expect_slice(request.path, "/");
	support_expect_slice(request.query, "x");
	support_expect_slice(request.authority, "a.example:81");
	cr_expect_eq(request.port, 81);

	read_right("OPTIONS * HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", &request);
	cr_expect_eq(request.form, TARGET_ASTERISK);
	cr_expect_eq(request.port, 80);
	support_expect_slice(request.path, "*");
	support_expect_slice(request.host, "[2001:db8::1]");

	read_right("OPTIONS http://a.example:81 HTTP/1.1\r\nHost: A.example:81\r\n\r\n", &request);
	cr_expect_eq(request.form, TARGET_ASTERISK);
	support_expect_slice(request.path, "*");
	support_expect_slice(request.host, "a.example");
	read_right("OPTIONS http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", &request);
	cr_expect_eq(request.form, TARGET_ABSOLUTE);
	support_expect_slice(request.path, "/");

	read_right("\r\nPROPFIND /x HTTP/1.1\r\nHost: a\r\n\r\n", &request);
	cr_expect_eq(request.method, METHOD_OTHER);
	support_expect_slice(request.method_text, "PROPFIND");
	support_expect_slice(request.query, "");

	read_right("GET /? HTTP/1.0\r\n\r\n", &request);
	cr_expect(request.has_query && !request.keep_alive);
	support_expect_slice(request.host, "");
	read_right("GET /{a}|[b]?\"<\\> HTTP/1.1\r\nHost: a.\r\n\r\n", &request);
	support_expect_slice(request.host, "a.");
}

Test(http_request, methods)
{
	static const char *const names[] = { "GET",    "HEAD",	  "POST",  "PUT",
					     "DELETE", "OPTIONS", "TRACE", "PATCH" };

	for (enum method method = 0; method < METHOD_OTHER; method++) {
		struct request request;
		char text[80];

		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n\r\n", names[method]);
		read_right(text, &request);
		cr_expect_eq(request.method, method);
		cr_expect_eq(message_is_idempotent(method),
			     method != METHOD_POST && method != METHOD_PATCH);
	}
	cr_expect_not(message_is_idempotent(METHOD_OTHER));
}

#define WITH(fields)   "POST / HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define WITH_0(fields) "POST / HTTP/1.0\r\n" fields "\r\n"

Test(http_request, framing)
{
	struct request request;

	read_right(WITH("Content-Length: 0\r\n"), &request);
	cr_expect_eq(request.framing, FRAMING_NONE);
	cr_expect(request.has_length);
	read_right(WITH("content-length:0042 \r\n"), &request);
	cr_expect_eq(request.framing, FRAMING_LENGTH);
	cr_expect_eq(request.content_length, 42);
	read_right(WITH("Content-Length: 9223372036854775799\r\n"), &request);
	cr_expect_eq(request.content_length, 9223372036854775799ull);
	read_right(WITH("Transfer-Encoding: Chunked\r\nTrailer: X\r\n"), &request);
	cr_expect_eq(request.framing, FRAMING_CHUNKED);
	read_right(WITH("Expect: 100-Continue\r\nContent-Length: 1\r\n"), &request);
	cr_expect(request.expect_continue);
	read_right(WITH_0("Expect: 100-continue\r\nContent-Length: 1\r\n"), &request);
	cr_expect_not(request.expect_continue);
	read_right("GET / HTTP/1.0\r\nContent-Length: 0\r\n\r\n", &request);
	cr_expect_eq(request.framing, FRAMING_NONE);
	read_right("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", &request);
	cr_expect_eq(request.framing, FRAMING_LENGTH);
}

Test(http_request, connection)
{
	struct request request;

	read_right(WITH("Connection: close\r\n"), &request);
	cr_expect_not(request.keep_alive);
	read_right(WITH("Connection: x, CLOSE ,keep-alive\r\n"), &request);
	cr_expect_not(request.keep_alive);
	read_right(WITH_0("Connection: ,keep-alive,,\r\n"), &request);
	cr_expect(request.keep_alive);
	read_right(WITH("Connection: x-a\r\nX-B: 1\r\nX-A: 2\r\nConnection: x-a, X-C\r\nx-a: 3\r\n"
			"X-AA: 4\r\n"),
		   &request);
	for (unsigned i = 0; i < request.count; i++)
		cr_expect_eq(request.fields[i].named,
			     !strncasecmp(request.fields[i].name.at, "X-A:", 4));
	read_right(WITH("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"), &request);
	support_expect_slice(request.upgrade, "websocket");
	read_right(WITH("Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: b\r\n"), &request);
	support_expect_slice(request.upgrade, "");
	read_right(WITH("Upgrade: websocket\r\n"), &request);
	support_expect_slice(request.upgrade, "");
	read_right(WITH("Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 0\r\n"), &request);
	support_expect_slice(request.upgrade, "x");
	read_right(WITH("Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n"), &request);
	support_expect_slice(request.upgrade, "");
	read_right(WITH("Transfer-Encoding: chunked\r\nUpgrade: x\r\nConnection: Upgrade\r\n"),
		   &request);
	support_expect_slice(request.upgrade, "");
	read_right(WITH_0("Connection: Upgrade\r\nUpgrade: websocket\r\n"), &request);
	support_expect_slice(request.upgrade, "");
	read_right(WITH("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: x, H2C\r\n"
			"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"),
		   &request);
	support_expect_slice(request.upgrade, "");
	read_right(WITH("Connection: te\r\nTE: gzip, trailers\r\n"), &request);
	cr_expect(request.te_trailers);
	read_right(WITH("TE: trailers\r\n"), &request);
	cr_expect_not(request.te_trailers);
}

Test(http_request, known_fields)
{
	static const struct {
		const char *name;
		enum field_id id;
		bool imitated;
	} fields[] = {
		{ "CONNECTION", FIELD_CONNECTION },
		{ "Content-Length", FIELD_CONTENT_LENGTH },
		{ "Content_length", FIELD_CONTENT_LENGTH, true },
		{ "host", FIELD_HOST },
		{ "keep-alive", FIELD_KEEP_ALIVE },
		{ "Proxy-Connection", FIELD_PROXY_CONNECTION },
		{ "TE", FIELD_TE },
		{ "Transfer-Encoding", FIELD_TRANSFER_ENCODING },
		{ "Upgrade", FIELD_UPGRADE },
		{ "Cookie", FIELD_COOKIE },
		{ "Expect", FIELD_EXPECT },
		{ "Forwarded", FIELD_FORWARDED },
		{ "X-Forwarded-Host", FIELD_X_FORWARDED },
		{ "x_forwarded-server", FIELD_X_FORWARDED, true },
		{ "X-Forwarded-By-The-Way", FIELD_X_FORWARDED },
		{ "X-Forwarded-For", FIELD_X_FORWARDED_FOR },
		{ "X_Forwarded_For", FIELD_X_FORWARDED_FOR, true },
		{ "X-Forwarded-Port", FIELD_X_FORWARDED_PORT },
		{ "X-Forwarded-Proto", FIELD_X_FORWARDED_PROTO },
		{ "X-Real-IP", FIELD_X_REAL_IP },
		{ "X-Forwarded-", FIELD_OTHER },
		{ "X-Forwarded", FIELD_OTHER },
		{ "Accept", FIELD_OTHER },
		{ "tf", FIELD_OTHER },
		{ "T", FIELD_OTHER },
		{ "Content-LengtX", FIELD_OTHER },
		{ "Hos", FIELD_OTHER },
		{ "Transfer-Encodings", FIELD_OTHER },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t size = strlen(fields[i].name);
		struct field field = { .name = { support_copy(fields[i].name, size), size } };

		message_identify(&field);
		cr_expect_eq(field.id, fields[i].id, "%s: %d", fields[i].name, field.id);
		cr_expect_eq(field.imitated, fields[i].imitated, "%s", fields[i].name);
	}
}

static const struct refusal {
	int status;
	const char *text;
	size_t size; /* 0: up to NUL */
} refusals[] = {
	/* Where one reads another request than the next, there is smuggling. */
	{ 400, WITH("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") },
	{ 400, WITH("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n") },
	{ 400, WITH("Content-Length: 5\r\nContent-Length: 5\r\n") },
	{ 400, WITH("Content-Length: 5\r\nContent-Length: 6\r\n") },
	{ 400, WITH("Content-Length: 5, 5\r\n") },
	{ 400, WITH("Content-Length: +5\r\n") },
	{ 400, WITH("Content-Length: -1\r\n") },
	{ 400, WITH("Content-Length: 0x5\r\n") },
	{ 400, WITH("Content-Length: 5 5\r\n") },
	{ 400, WITH("Content-Length: 5.0\r\n") },
	{ 400, WITH("Content-Length: \r\n") },
	{ 400, WITH("Content-Length:\r\n") },
	{ 400, WITH("Content-Length: 9223372036854775808\r\n") },
	{ 400, WITH("Content-Length: 18446744073709551616\r\n") },
	{ 400, WITH("Content-Length: 18446744073709551621\r\n") },
	{ 400, WITH("Content-Length: 99999999999999999999999999999999\r\n") },
	{ 400, WITH("Content-Length : 5\r\n") },
	{ 400, WITH("Content-Length\t: 5\r\n") },
	{ 400, WITH("Content_Length: 5\r\n") },
	{ 400, WITH("Transfer_Encoding: chunked\r\n") },
	{ 400, WITH("Transfer-Encoding : chunked\r\n") },
	{ 400, WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") },
	{ 400, WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n") },
	{ 501, WITH("Transfer-Encoding: identity\r\n") },
	{ 501, WITH("Transfer-Encoding: gzip, chunked\r\n") },
	{ 501, WITH("Transfer-Encoding: chunked, gzip\r\n") },
	{ 501, WITH("Transfer-Encoding: chunked, chunked\r\n") },
	{ 501, WITH("Transfer-Encoding: chunked;q=1\r\n") },
	{ 501, WITH("Transfer-Encoding: xchunked\r\n") },
	{ 501, WITH("Transfer-Encoding: \"chunked\"\r\n") },
	{ 400, WITH("Transfer-Encoding: chunked \v\r\n") },
	{ 400, WITH("Transfer-Encoding: \x0b"
		    "chunked\r\n") },
	{ 501, WITH("Transfer-Encoding: ,chunked\r\n") },
	{ 501, WITH("Transfer-Encoding:\r\n") },
	{ 400, WITH_0("Transfer-Encoding: chunked\r\n") },
	{ 400, WITH_0("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") },
	{ 400, "GET / HTTP/1.0\r\nContent-Length: 5\r\n\r\n" },
	{ 400, "HEAD / HTTP/1.0\r\nContent-Length: 5\r\n\r\n" },
	{ 400, "DELETE / HTTP/1.0\r\nContent-Length: 5\r\n\r\n" },
	{ 400, WITH(" Content-Length: 5\r\n") },
	{ 400, WITH("A: b\r\n Content-Length: 5\r\n") },
	{ 400, WITH("A: b\r\n\tc\r\n") },
	{ 400, WITH("Transfer-Encoding:\r\n chunked\r\n") },
	{ 400, WITH("A: b\nTransfer-Encoding: chunked\r\n") },
	{ 400, WITH("A: b\rTransfer-Encoding: chunked\r\n") },
	{ 400, WITH("A: b\r\r\n") },
	{ 400, WITH("A\r: b\r\n") },
	{ 400, WITH("A: b\vc\r\n") },
	{ 400, WITH("A: b\x7f\r\n") },
	{ 400, WITH("A: b\x1f"
		    "2345678\r\n") },
	{ 400, WITH("A: 1234567\x01\r\n") },
	{ 400, WITH("A: 12345678\x08\r\n") },
	{ 400, WITH("A B: c\r\n") },
	{ 400, WITH("A(B): c\r\n") },
	{ 400, WITH("\xc3\xa4: c\r\n") },
	{ 400, WITH("A\r\n") },
	{ 400, WITH(": c\r\n") },
	{ 400, WITH(":\r\n") },
	{ 400, WITH("Connection: content-length\r\nContent-Length: 5\r\n") },
	{ 400, WITH("Connection: close, host\r\n") },
	{ 417, WITH("Expect: 200-ok\r\n") },
	{ 417, WITH("Expect: 100-continue\r\nExpect: 100-continue\r\n") },
	/* Host. */
	{ 400, "GET / HTTP/1.1\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" },
	{ 400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a%41\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a..b\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: .a\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: .\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a:\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a:0\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: :80\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: 2001:db8::1\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: [2001:db8::1\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: [2001:db8::1]x\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: [fe80::1%eth0]\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: [10.0.0.1]\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: [v1.x:]\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: []\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: *.a\r\n\r\n" },
	{ 400, "GET http://a/ HTTP/1.1\r\n\r\n" },
	{ 400, "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n" },
	{ 400, "GET http://a:80/ HTTP/1.1\r\nHost: a:81\r\n\r\n" },
	{ 400, "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET http://a@b/ HTTP/1.1\r\nHost: a@b\r\n\r\n" },
	{ 400, "OPTIONS http://a HTTP/1.1\r\nHost: b\r\n\r\n" },
	{ 400, "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "OPTIONS *x HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 501, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n" },
	/* The first line. */
	{ 400, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n" },
	{ 400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\nHost: a\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\rHost: a\r\n\r\n" },
	{ 400, "get / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "Delete / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET /\r\nHost: a\r\n\r\n" },
	{ 400, "GET\r\n\r\n" },
	{ 400, "GET \r\n\r\n" },
	{ 400, "GET / \r\n\r\n" },
	{ 400, "GET / H\r\n\r\n" },
	{ 400, "GET / HTTP/\r\n\r\n" },
	{ 400, "GET / HTTP/1\r\n\r\n" },
	{ 400, "GET / HTTP/1.\r\n\r\n" },
	{ 400, "GET / http/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n" },
	{ 400, "GET / HTTP/11\r\nHost: a\r\n\r\n" },
	{ 505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n" },
	{ 505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n" },
	{ 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
	{ 400, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "\r\r\n\r\n" },
	{ 400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "\x16\x03\x01\x02" },
	{ 400, "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 29 },
	{ 400, "GET / HTTP/1.1\r\nHost: a\r\nA: \0\r\n\r\n", 34 },
	{ 400, "GET / HTTP/1.1\r\nHost: a\r\nA\0: b\r\n\r\n", 35 },
	{ 400, "GET / HTTP/1.1\r\nHost: \0\r\n\r\n", 28 },
	/* Targets; see test_http_target, too. */
	{ 400, "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET /?a#b HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET /\\a HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET /\"a HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET /?\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET /../a HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET http://a/%2e%2e/a HTTP/1.1\r\nHost: a\r\n\r\n" },
};

Test(http_request, refusals)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *refusal = &refusals[i];
		struct request request;
		const char *why = NULL;
		int r = support_request(refusal->text, refusal->size ?: strlen(refusal->text),
					&request, &why);

		cr_expect_eq(r, -refusal->status, "%d (%s), not %d, of '%s'", r, why ?: "",
			     -refusal->status, refusal->text);
		cr_expect(why && *why);
	}
}

/* Before the end of a head nothing is decided but that it is none. */
Test(http_request, halves)
{
	static const char text[] = WITH("Content-Length: 5\r\n");
	struct request request;

	for (size_t size = 0; size < sizeof(text) - 1; size++) {
		struct head head = support_head(text, size, 0);

		cr_assert_eq(request_parse(&head, &support_limits, &request), 0, "%zu", size);
	}
}

/* What is behind a head is another's. */
Test(http_request, pipelined)
{
	static const char text[] = WITH("") WITH("X: y\r\n");
	struct request request;
	struct head head = support_head(text, sizeof(text) - 1, 0);
	int size = request_parse(&head, &support_limits, &request);

	cr_assert_eq(size, (int)strlen(WITH("")));
	head = support_head(text + size, sizeof(text) - 1 - size, 0);
	cr_assert_eq(request_parse(&head, &support_limits, &request),
		     (int)strlen(WITH("X: y\r\n")));
	cr_expect_eq(request.count, 2);
}

static int parse_limited(const char *text, size_t size, struct head_limits limits)
{
	struct head head = support_head(text, size, 0);
	struct request request;

	return request_parse(&head, &limits, &request);
}

Test(http_request, limits)
{
	static const char text[] = WITH("A: b\r\nC: d\r\n");
	size_t size = sizeof(text) - 1;
	char line[400];

	cr_expect_eq(parse_limited(text, size, (struct head_limits){ size, 3 }), (int)size);
	cr_expect_eq(parse_limited(text, size, (struct head_limits){ size - 1, 3 }), -431);
	cr_expect_eq(parse_limited(text, size - 1, (struct head_limits){ size - 1, 3 }), -431);
	cr_expect_eq(parse_limited(text, size - 2, (struct head_limits){ size - 1, 3 }), 0);
	cr_expect_eq(parse_limited(text, size, (struct head_limits){ size, 2 }), -431);
	memset(line, 'x', sizeof(line));
	cr_expect_eq(parse_limited(line, 300, (struct head_limits){ 300, 3 }), -414);
	cr_expect_eq(parse_limited(line, 299, (struct head_limits){ 300, 3 }), 0);
	/* What is behind the limit does not count, however much has come. */
	line[350] = '\n';
	cr_expect_eq(parse_limited(line, 400, (struct head_limits){ 300, 3 }), -414);
	memcpy(line, "\r\n", 2);
	cr_expect_eq(parse_limited(line, 300, (struct head_limits){ 300, 3 }), -414);
}

/* Every byte in the place of every byte: read or refused, and never touched what is behind. */
Test(http_request, any_byte_anywhere)
{
	static const char right[] = "GET /a%41/.?b HTTP/1.1\r\nHost: a:80\r\n"
				    "Connection: te\r\nX-A: 12345678 \r\n\r\n";
	char text[sizeof(right)];

	for (size_t i = 0; i < sizeof(right) - 1; i++) {
		for (int c = 0; c < 256; c++) {
			int r;

			memcpy(text, right, sizeof(text));
			text[i] = (char)c;
			r = parse_limited(text, sizeof(text) - 1, support_limits);
			cr_assert(r <= (int)sizeof(text) - 1 && r > -600);
		}
	}
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

/* 32 KiB that come byte by byte, or name each field a hundred times, cost no more than their
 * bytes: quadratic work would take seconds under the sanitizers. */
Test(http_request, no_quadratic_work)
{
	static char text[HEAD_SIZE_DEFAULT];
	struct head_limits limits = support_limits;
	double begin = seconds();
	struct head head = { .bytes = text };
	struct request request;
	size_t size;

	memset(text, 'x', sizeof(text));
	for (head.size = 0; head.size < sizeof(text); head.size++)
		cr_assert_eq(request_parse(&head, &limits, &request), 0);
	size = sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\nConnection: ");
	while (size < sizeof(text) - 4)
		size += sprintf(text + size, "a,");
	memcpy(text + sizeof(text) - 4, "\r\n\r\n", 4);
	for (unsigned i = 0; i < 100; i++) {
		head = (struct head){ .bytes = text, .size = sizeof(text) };
		cr_assert_eq(request_parse(&head, &limits, &request), -400);
	}
	cr_expect_lt(seconds() - begin, 2, "%g s", seconds() - begin);
}
