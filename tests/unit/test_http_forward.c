// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: a forwarded head says what the one that came said, but for the fields of one connection;
 * nobody can make an endpoint believe in another client; rules change what they name. Room ends at
 * a forbidden page.
 */
#include "http/support.h"

#include <errno.h>

#include "http/answer.h"
#include "http/forward.h"

static struct forward_client client = { .local_port = 8080 };
static struct http http;
static struct forward_rewrite rewrite;
static struct http_rule rule;

static void setup(void)
{
	cr_assert_eq(addr_parse("192.0.2.7", &client.addr), 0);
	cr_assert_eq(addr_parse("192.0.2.1", &client.local), 0);
}

TestSuite(http_forward, .init = setup);

static struct forward_request plain(const struct request *request)
{
	return (struct forward_request){ .request = request,
					 .client = &client,
					 .http = &http,
					 .host = "10.0.0.1:80",
					 .keep_alive = true };
}

/* Writes into room that is just enough, and into room that is too small. */
static const char *write_request(const struct forward_request *what)
{
	static char text[4096];
	ssize_t size = forward_request(what, text, sizeof(text) - 1);

	cr_assert_gt(size, 0);
	cr_assert_eq(forward_request(what, support_guarded(1, size), size), size);
	cr_assert_eq(memcmp(support_guarded(1, size), text, size), 0);
	for (ssize_t room = 0; room < size; room++)
		cr_assert_eq(forward_request(what, support_guarded(1, room), room), -ENOBUFS);
	text[size] = '\0';
	return text;
}

static struct request parse(const char *text)
{
	struct request request;
	const char *why = NULL;
	int r = support_request(text, strlen(text), &request, &why);

	cr_assert_eq(r, (int)strlen(text), "%s: %s", text, why ?: "");
	return request;
}

#define FOR "X-Forwarded-For: 192.0.2.7\r\n"

static void expect(const char *text, const char *wanted)
{
	struct request request = parse(text);
	struct forward_request what = plain(&request);

	cr_expect_str_eq(write_request(&what), wanted);
}

Test(http_forward, targets_and_hosts)
{
	expect("GET /a/../b%41?c HTTP/1.1\r\nA: b\r\nHost: A.example:81\r\nC:d\r\n\r\n",
	       "GET /a/../b%41?c HTTP/1.1\r\nHost: A.example:81\r\nA: b\r\nC: d\r\n" FOR "\r\n");
	expect("GET http://a.example?c HTTP/1.1\r\nHost: A.Example\r\n\r\n",
	       "GET /?c HTTP/1.1\r\nHost: a.example\r\n" FOR "\r\n");
	expect("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
	       "OPTIONS * HTTP/1.1\r\nHost: a\r\n" FOR "\r\n");
	expect("GET /? HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
	       "GET /? HTTP/1.1\r\nHost: 10.0.0.1:80\r\n" FOR "\r\n");
}

Test(http_forward, framing)
{
	expect("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\nExpect: 100-continue\r\n\r\n",
	       "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" FOR
	       "Content-Length: 7\r\n\r\n");
	expect("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
	       "POST / HTTP/1.1\r\nHost: a\r\n" FOR "Content-Length: 0\r\n\r\n");
	expect("POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: CHUNKED\r\nTrailer: X\r\n\r\n",
	       "POST / HTTP/1.1\r\nHost: a\r\nTrailer: X\r\n" FOR
	       "Transfer-Encoding: chunked\r\n\r\n");
}

Test(http_forward, fields_of_a_connection)
{
	expect("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Private,cookie\r\n"
	       "Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nX-Private: 1\r\nx-private: 2\r\n"
	       "Cookie: a\r\nX-Privat: 3\r\nUpgrade: websocket\r\nTE: trailers\r\n\r\n",
	       "GET / HTTP/1.1\r\nHost: a\r\nX-Privat: 3\r\n" FOR "\r\n");
	expect("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, te\r\nUpgrade: websocket\r\n"
	       "TE: trailers, gzip\r\nSec-WebSocket-Key: x\r\n\r\n",
	       "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: x\r\n" FOR
	       "TE: trailers\r\nUpgrade: websocket\r\nConnection: upgrade, TE\r\n\r\n");
	expect("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\n"
	       "Upgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
	       "GET / HTTP/1.1\r\nHost: a\r\n" FOR "\r\n");
}

Test(http_forward, to_be_closed)
{
	struct request request = parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	struct forward_request what = plain(&request);

	what.keep_alive = false;
	cr_expect_str_eq(write_request(&what),
			 "GET / HTTP/1.1\r\nHost: a\r\n" FOR "Connection: close\r\n\r\n");
}

#define SPOOFED                                                                                    \
	"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.1\r\nX_Forwarded_For: 1\r\n"     \
	"X-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\nX-Real-IP: 198.51.100.2\r\n"           \
	"Forwarded: for=198.51.100.3\r\nX-Forwarded-For: 198.51.100.4\r\n\r\n"

Test(http_forward, client_is_not_believed)
{
	struct request request = parse(SPOOFED);
	struct forward_request what = plain(&request);

	cr_expect_str_eq(write_request(&what), "GET / HTTP/1.1\r\nHost: a\r\n" FOR "\r\n");
	http.x_forwarded = HTTP_X_FORWARDED_PROTO | HTTP_X_FORWARDED_PORT | HTTP_X_REAL_IP;
	cr_expect_str_eq(write_request(&what),
			 "GET / HTTP/1.1\r\nHost: a\r\n" FOR "X-Forwarded-Proto: http\r\n"
			 "X-Forwarded-Port: 8080\r\nX-Real-IP: 192.0.2.7\r\n\r\n");
}

Test(http_forward, proxy_is_believed)
{
	struct request request = parse(SPOOFED);
	struct forward_request what = plain(&request);

	client.trusted = true;
	http.tls = true;
	http.x_forwarded = HTTP_X_FORWARDED_PROTO | HTTP_X_FORWARDED_PORT | HTTP_X_REAL_IP;
	cr_expect_str_eq(
		write_request(&what),
		"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\n"
		"X-Real-IP: 198.51.100.2\r\nForwarded: for=198.51.100.3\r\n"
		"X-Forwarded-For: 198.51.100.1, 198.51.100.4, 192.0.2.7\r\n"
		"X-Forwarded-Port: 8080\r\n\r\n");
	request = parse("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For:\r\n\r\n");
	http.x_forwarded = HTTP_X_FORWARDED_PROTO;
	cr_expect_str_eq(write_request(&what),
			 "GET / HTTP/1.1\r\nHost: a\r\n" FOR "X-Forwarded-Proto: https\r\n\r\n");
}

Test(http_forward, changes_of_a_rule)
{
	struct request request = parse("GET /a?b HTTP/1.1\r\nHost: a\r\nX-Env: green\r\n"
				       "Cookie: c\r\nX-Real-IP: 1\r\nX_Env: red\r\n"
				       "X_None: 1\r\n\r\n");
	struct http_header added[] = { { "x-env", "blue" }, { "X-Real-IP", "me" } };
	char *removed[] = { "COOKIE", "X-None" };
	struct forward_request what = plain(&request);

	what.rule = &rule;
	what.rewrite = &rewrite;
	http.x_forwarded = HTTP_X_REAL_IP;
	rule.add_headers.items = added;
	rule.add_headers.count = 2;
	rule.remove_headers.items = removed;
	rule.remove_headers.count = 2;
	cr_expect_str_eq(write_request(&what), "GET /a?b HTTP/1.1\r\nHost: a\r\n" FOR
					       "x-env: blue\r\nX-Real-IP: me\r\n\r\n");
	rewrite.host = SLICE("other:1");
	rewrite.path = SLICE("/x");
	rule.add_headers.count = rule.remove_headers.count = http.x_forwarded = 0;
	request = parse("GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect_str_eq(write_request(&what), "GET /x?b HTTP/1.1\r\nHost: other:1\r\n" FOR "\r\n");
	rewrite.query = SLICE("");
	cr_expect_str_eq(write_request(&what), "GET /x HTTP/1.1\r\nHost: other:1\r\n" FOR "\r\n");
	rewrite.query = SLICE("q");
	request = parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect_str_eq(write_request(&what),
			 "OPTIONS * HTTP/1.1\r\nHost: other:1\r\n" FOR "\r\n");
}

static void expect_response(const char *text, struct response_to to, struct forward_response what,
			    const char *wanted)
{
	char got[1024];
	struct response response;
	const char *why = NULL;
	ssize_t size;

	cr_assert_eq(support_response(text, strlen(text), to, &response, &why), (int)strlen(text),
		     "%s: %s", text, why ?: "");
	what.response = &response;
	size = forward_response(&what, got, sizeof(got) - 1);
	cr_assert_gt(size, 0);
	cr_assert_eq(forward_response(&what, support_guarded(1, size), size), size);
	cr_assert_eq(forward_response(&what, support_guarded(1, size - 1), size - 1), -ENOBUFS);
	got[size] = '\0';
	cr_expect_str_eq(got, wanted);
}

Test(http_forward, responses)
{
	struct response_to get = {}, head = { .method = METHOD_HEAD },
			   upgrade = { .upgrade = true };
	struct forward_response keep = { .minor = 1, .keep_alive = true };
	struct forward_response close = { .minor = 1 }, old = {}, old_keep = { .keep_alive = true };

	expect_response("HTTP/1.0 200 All right\r\nContent-Length: 5\r\nServer: x\r\n"
			"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n"
			"X-Forwarded-For: y\r\nContent_Length: 7\r\n\r\n",
			get, keep,
			"HTTP/1.1 200 All right\r\nServer: x\r\nX-Forwarded-For: y\r\n"
			"Content_Length: 7\r\nContent-Length: 5\r\n\r\n");
	expect_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", get, keep,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	expect_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", get, old,
			"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	expect_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", head, keep,
			"HTTP/1.1 200 OK\r\n\r\n");
	expect_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", head, old_keep,
			"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n");
	expect_response("HTTP/1.1 200\r\n\r\n", get, close,
			"HTTP/1.1 200 \r\nConnection: close\r\n\r\n");
	expect_response("HTTP/1.1 204 N\r\nContent-Length: 0\r\n\r\n", get, keep,
			"HTTP/1.1 204 N\r\n\r\n");
	expect_response("HTTP/1.1 304 N\r\nContent-Length: 9\r\nETag: x\r\n\r\n", get, keep,
			"HTTP/1.1 304 N\r\nETag: x\r\nContent-Length: 9\r\n\r\n");
	expect_response("HTTP/1.1 103 H\r\nLink: a\r\nConnection: x\r\nX: y\r\n\r\n", get, close,
			"HTTP/1.1 103 H\r\nLink: a\r\n\r\n");
	expect_response("HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade, a\r\nA: b\r\n"
			"Sec-WebSocket-Accept: x\r\n\r\n",
			upgrade, keep,
			"HTTP/1.1 101 S\r\nSec-WebSocket-Accept: x\r\nUpgrade: websocket\r\n"
			"Connection: upgrade\r\n\r\n");
}

static void expect_answer(struct answer answer, const char *wanted)
{
	char got[1024];
	ssize_t size = answer_write(&answer, got, sizeof(got) - 1);

	cr_assert_gt(size, 0);
	cr_assert_eq(answer_write(&answer, support_guarded(1, size), size), size);
	for (ssize_t room = 0; room < size; room++)
		cr_assert_eq(answer_write(&answer, support_guarded(1, room), room), -ENOBUFS);
	got[size] = '\0';
	cr_expect_str_eq(got, wanted);
}

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

Test(http_forward, answers)
{
	struct answer answer = { .status = 404, .minor = 1, .date = 784111777, .keep_alive = true };

	expect_answer(answer, "HTTP/1.1 404 Not Found\r\n" DATE "Content-Type: text/plain\r\n"
			      "Content-Length: 14\r\n\r\n404 Not Found\n");
	answer.head = true;
	answer.keep_alive = false;
	expect_answer(answer, "HTTP/1.1 404 Not Found\r\n" DATE "Content-Type: text/plain\r\n"
			      "Content-Length: 14\r\nConnection: close\r\n\r\n");
	answer = (struct answer){ .status = 302, .date = 784111777, .keep_alive = true };
	answer.url = SLICE("https://a/");
	expect_answer(answer, "HTTP/1.1 302 Found\r\n" DATE "Location: https://a/\r\n"
			      "Content-Type: text/plain\r\nContent-Length: 10\r\n"
			      "Connection: keep-alive\r\n\r\n302 Found\n");
	answer =
		(struct answer){ .status = 299, .date = 784111777, .minor = 1, .keep_alive = true };
	answer.content_type = SLICE("text/html");
	answer.body = SLICE("<p>");
	expect_answer(answer, "HTTP/1.1 299 \r\n" DATE "Content-Type: text/html\r\n"
			      "Content-Length: 3\r\n\r\n<p>");
	answer =
		(struct answer){ .status = 204, .date = 784111777, .minor = 1, .keep_alive = true };
	expect_answer(answer, "HTTP/1.1 204 No Content\r\n" DATE "\r\n");
	answer.status = 205;
	expect_answer(answer, "HTTP/1.1 205 Reset Content\r\n" DATE "Content-Length: 0\r\n\r\n");
	answer.status = 100;
	expect_answer(answer, "HTTP/1.1 100 Continue\r\n\r\n");
}
