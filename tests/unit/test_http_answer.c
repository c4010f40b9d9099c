// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the status of any right answer is read, cut into pieces anywhere; what is no HTTP is
 * refused at its first wrong byte, and nothing is read for ever. The input ends at a forbidden
 * page.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "health/http_answer.h"

/* A copy whose end is the end of what may be read. */
static const char *guarded(const char *bytes, size_t size)
{
	static char *page;
	size_t room = 4 * (size_t)sysconf(_SC_PAGESIZE);

	if (!page) {
		page = mmap(NULL, room + sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		cr_assert_neq(page, MAP_FAILED);
		cr_assert_eq(mprotect(page + room, sysconf(_SC_PAGESIZE), PROT_NONE), 0);
	}
	cr_assert_leq(size, room);
	memcpy(page + room - size, bytes, size);
	return page + room - size;
}

static int read_all(const char *bytes, size_t size, uint16_t *ret)
{
	struct http_answer answer = {};
	int r = http_answer_read(&answer, guarded(bytes, size), size);

	*ret = answer.status;
	return r;
}

/* In two pieces, and byte by byte. */
static void expect_split(const char *bytes, size_t size, int result, uint16_t status)
{
	for (size_t cut = 0; cut <= size; cut++) {
		struct http_answer answer = {};
		int r = http_answer_read(&answer, guarded(bytes, cut), cut);

		if (r == HTTP_ANSWER_MORE)
			r = http_answer_read(&answer, guarded(bytes + cut, size - cut), size - cut);
		cr_assert_eq(r, result, "'%.*s' cut at %zu: %d", (int)size, bytes, cut, r);
		if (r == HTTP_ANSWER_DONE)
			cr_assert_eq(answer.status, status);
	}
}

static void expect(const char *text, int result, uint16_t status)
{
	struct http_answer answer = {};
	int r = HTTP_ANSWER_MORE;

	expect_split(text, strlen(text), result, status);
	for (size_t i = 0; text[i] && r == HTTP_ANSWER_MORE; i++)
		r = http_answer_read(&answer, guarded(text + i, 1), 1);
	cr_assert_eq(r, result, "'%s' byte by byte: %d", text, r);
}

Test(http_answer, right_ones)
{
	expect("HTTP/1.1 200 OK\r\n", HTTP_ANSWER_DONE, 200);
	expect("HTTP/1.0 204 No Content\r\nServer: x\r\n\r\n", HTTP_ANSWER_DONE, 204);
	expect("HTTP/1.1 200 \r\n", HTTP_ANSWER_DONE, 200);
	expect("HTTP/1.1 200\r\n", HTTP_ANSWER_DONE, 200);
	expect("HTTP/1.1 200 OK\n", HTTP_ANSWER_DONE, 200);
	expect("HTTP/1.1 302 Found\tthere \xc3\xa4\r\n", HTTP_ANSWER_DONE, 302);
	expect("HTTP/1.1 599 \r\n", HTTP_ANSWER_DONE, 599);
	expect("HTTP/1.1 101 Switching Protocols\r\n", HTTP_ANSWER_DONE, 101);
}

Test(http_answer, interim_ones_are_skipped)
{
	expect("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", HTTP_ANSWER_DONE, 200);
	expect("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nB: c\r\n\r\n"
	       "HTTP/1.1 100 Continue\n\nHTTP/1.1 503 Gone\r\n",
	       HTTP_ANSWER_DONE, 503);
	expect("HTTP/1.1 100 Continue\r\n\r\nHTTX", -EBADMSG, 0);
	expect("HTTP/1.1 100 Continue\r\n\rx", -EBADMSG, 0);
	expect("HTTP/1.1 103 Hints\r\nLink: a\rb", -EBADMSG, 0);
	expect("HTTP/1.1 103 Hints\r\nLi\001", -EBADMSG, 0);
}

Test(http_answer, halves)
{
	static const char text[] = "HTTP/1.1 100 C\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n";
	uint16_t status;

	for (size_t size = 0; size < sizeof(text) - 1; size++)
		cr_assert_eq(read_all(text, size, &status), HTTP_ANSWER_MORE, "%zu", size);
	cr_assert_eq(read_all(text, sizeof(text) - 1, &status), HTTP_ANSWER_DONE);
}

Test(http_answer, wrong_ones)
{
	static const char *const texts[] = {
		"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/2 200\r\n",	   "HTTP/1.x 200 OK\r\n",
		"HTTP/1.1  200 OK\r\n",	   "HTTP/1.1 20 OK\r\n",   "HTTP/1.1 2000 OK\r\n",
		"HTTP/1.1 000 OK\r\n",	   "HTTP/1.1 600 OK\r\n",  "HTTP/1.1 2x0 OK\r\n",
		"http/1.1 200 OK\r\n",	   "\r\nHTTP/1.1 200\r\n", "HTTP/1.1\t200 OK\r\n",
		"HTTP/1.1 200OK\r\n",	   "HTTP/1.1 200 O\rK",	   "HTTP/1.1 200 O\001K\r\n",
		"HTTP/1.1 200\r\r\n",	   "220 mail ESMTP\r\n",   "\x16\x03\x01",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect(texts[i], -EBADMSG, 0);
	expect_split("\0\0\0\0", 4, -EBADMSG, 0);
	expect_split("HTTP/1.1 200 O\0K\r\n", 18, -EBADMSG, 0);
}

/* Every single byte in the place of every byte of an answer: read, refused, or waited for. */
Test(http_answer, any_byte_anywhere)
{
	static const char right[] = "HTTP/1.1 200 OK\r\n";
	char text[sizeof(right)];
	uint16_t status;

	for (size_t i = 0; i < sizeof(right) - 1; i++) {
		for (int c = 0; c < 256; c++) {
			int r;

			memcpy(text, right, sizeof(text));
			text[i] = (char)c;
			r = read_all(text, sizeof(text) - 1, &status);
			cr_assert(r == HTTP_ANSWER_DONE || r == HTTP_ANSWER_MORE || r == -EBADMSG);
			if (r == HTTP_ANSWER_DONE)
				cr_assert(status >= 200 && status <= 599);
		}
	}
}

/* A peer that never comes to an end is left. */
Test(http_answer, endless_ones)
{
	struct http_answer reason = {}, header = {}, many = {};
	int r = http_answer_read(&reason, "HTTP/1.1 200 ", 13);
	size_t read = 13;

	for (; r == HTTP_ANSWER_MORE; read++)
		r = http_answer_read(&reason, "x", 1);
	cr_expect_eq(r, -EMSGSIZE);
	cr_expect_leq(read, HTTP_ANSWER_LINE_MAX + 1);

	r = http_answer_read(&header, "HTTP/1.1 100 C\r\n", 16);
	for (read = 0; r == HTTP_ANSWER_MORE; read++)
		r = http_answer_read(&header, "x", 1);
	cr_expect_eq(r, -EMSGSIZE);
	cr_expect_leq(read, HTTP_ANSWER_LINE_MAX + 1);

	r = HTTP_ANSWER_MORE;
	for (read = 0; r == HTTP_ANSWER_MORE; read += 18)
		r = http_answer_read(&many, "HTTP/1.1 100 C\r\n\r\n", 18);
	cr_expect_eq(r, -EMSGSIZE);
	cr_expect_leq(read, HTTP_ANSWER_MAX + 18);
}
