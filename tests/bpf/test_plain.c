// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: heads that browsers and tools send are routed in the kernel, and so are the answers of
 * common servers; what the kernel takes the worker's codec takes too, and for the same; and the
 * program that the kernel runs says what the same code says here. Needs root.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include <linux/if_ether.h>
#include <string.h>
#include <sys/mman.h>

#include "heads.h"
#include "heads.skel.h"
#include "heads_abi.h"
#include "random.h"

enum kind {
	REQUEST,
	ANSWER,
	ANSWER_TO_HEAD
};

static struct heads *object;
static struct heads_case *cases;
static uint32_t count;	   /* of them, to be read */
static uint32_t taken_all; /* of all that were */

static void load(void)
{
	object = heads__open_and_load();
	cr_assert(object, "heads.bpf.c: %s", strerror(errno));
	cases = mmap(NULL, HEADS_MAX * sizeof(*cases), PROT_READ | PROT_WRITE, MAP_SHARED,
		     bpf_map__fd(object->maps.cases), 0);
	cr_assert_neq(cases, MAP_FAILED, "%s", strerror(errno));
}

static void unload(void)
{
	munmap(cases, HEADS_MAX * sizeof(*cases));
	heads__destroy(object);
}

TestSuite(plain, .init = load, .fini = unload);

static void put(struct heads_case *c, enum kind kind, const char *bytes, size_t size)
{
	cr_assert(size >= PLAIN_LEAST && size < WEIR_ROUTING_HEAD, "a head of %zu bytes", size);
	memset(c, 0, sizeof(*c));
	memcpy(c->room.bytes, bytes, size);
	c->size = size;
	c->is_head = kind == ANSWER_TO_HEAD;
}

static void run_kernel(enum kind kind)
{
	char frame[ETH_HLEN] = {};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = (int)count);
	struct bpf_program *program =
		kind == REQUEST ? object->progs.requests : object->progs.answers;

	object->bss->position = 0;
	cr_assert_eq(bpf_prog_test_run_opts(bpf_program__fd(program), &options), 0, "%s",
		     strerror(errno));
	cr_assert_eq(object->bss->position, count);
}

static void judge(const struct heads_case *c, enum kind kind)
{
	static struct heads_case here;
	const char *why;

	put(&here, kind, c->room.bytes, c->size);
	(kind == REQUEST ? heads_request : heads_answer)(&here);
	why = (kind == REQUEST ? heads_dispute_request : heads_dispute_answer)(c);
	cr_assert(!why, "taken, but %s: '%.*s'", why, (int)c->size, c->room.bytes);
	cr_assert_eq(here.taken, c->taken, "%u here, %u in the kernel: '%.*s'", here.taken,
		     c->taken, (int)c->size, c->room.bytes);
	if (!c->taken)
		return;
	cr_assert(!memcmp(&here.key, &c->key, sizeof(here.key)) && here.is_head == c->is_head &&
		  here.room.status == c->room.status);
	taken_all++;
}

static void run(enum kind kind)
{
	run_kernel(kind);
	for (uint32_t i = 0; i < count; i++)
		judge(&cases[i], kind);
	count = 0;
}

static void add(enum kind kind, const char *bytes, size_t size)
{
	if (size < PLAIN_LEAST || size >= WEIR_ROUTING_HEAD)
		return;
	put(&cases[count++], kind, bytes, size);
	if (count == HEADS_MAX)
		run(kind);
}

/* What the kernel says of one. */
static const struct heads_case *read_one(enum kind kind, const char *text)
{
	put(&cases[0], kind, text, strlen(text));
	count = 1;
	run(kind);
	return &cases[0];
}

/* ---- what is taken ---- */

static const char *const requests[] = {
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"HEAD /index.html HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\nConnection: Keep-Alive\r\n\r\n",
	"GET /a/b%20c;d=e?q=1&r=/?@:!$'()*+,-._~ HTTP/1.1\r\nhost:\texample.com:80\r\n"
	"Cookie: a=b; c=\"d\"\r\nX-Empty:\r\nX_Own: y\r\nAccept: */*\t\r\n\r\n",
	"GET /news HTTP/1.1\r\nHost: www.example.com\r\n"
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
	"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"
	"Connection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\nPriority: u=0, i\r\n\r\n",
};

static const char *const answers[] = {
	"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT\r\n"
	"Content-Type: text/html\r\nContent-Length: 612\r\nConnection: keep-alive\r\n"
	"ETag: \"6447f6a1-264\"\r\nAccept-Ranges: bytes\r\n\r\n<!DOCTYPE html>",
	"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nset-cookie: a=b; Path=/\r\n\r\n",
	"HTTP/1.1 204 No Content\r\nX_Own: y\r\n\r\n",
	"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 5\r\n\r\n",
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

Test(plain, common_requests)
{
	for (size_t i = 0; i < COUNT(requests); i++)
		cr_expect_eq(read_one(REQUEST, requests[i])->taken, strlen(requests[i]), "'%s'",
			     requests[i]);
}

Test(plain, key_is_path_and_host)
{
	const struct heads_case *c = read_one(REQUEST, requests[2]);

	cr_expect_eq(c->key.path_size, strlen("/a/b%20c;d=e"));
	cr_expect_eq(c->key.host_size, strlen("example.com:80"));
	cr_expect_str_eq(c->key.text, "/a/b%20c;d=eexample.com:80");
	cr_expect_not(c->is_head);
	cr_expect(read_one(REQUEST, requests[1])->is_head);
}

Test(plain, common_answers)
{
	static const uint32_t bodies[] = { 612, 0, 0, 0 };

	for (size_t i = 0; i < COUNT(answers); i++) {
		uint32_t head = strstr(answers[i], "\r\n\r\n") + 4 - answers[i];

		cr_expect_eq(read_one(ANSWER, answers[i])->taken, head + bodies[i], "'%s'",
			     answers[i]);
		cr_expect_eq(read_one(ANSWER_TO_HEAD, answers[i])->taken, head, "'%s'", answers[i]);
	}
}

/* ---- what is not ---- */

#define GET(fields) "GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define OK(fields)  "HTTP/1.1 200 OK\r\n" fields "\r\n"
#define LENGTH	    "Content-Length: 5\r\n"

Test(plain, requests_of_the_worker)
{
	static const char *const texts[] = {
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
		"get / HTTP/1.1\r\nHost: a\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: \r\n\r\n",
		"GET / HTTP/1.1\nHost: a\n\n",
		"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		GET("Host: a\r\n"),
		GET(LENGTH) "12345",
		GET("") "GET",
		GET("Content-Length: 0\r\n"),
		GET("Transfer-Encoding: chunked\r\n"),
		GET("Transfer_Encoding: chunked\r\n"),
		GET("Connection: close\r\n"),
		GET("Connection: keep-alive, te\r\n"),
		GET("Connection: keep-alive\r\nConnection: keep-alive\r\n"),
		GET("Connection: keep\ralive\r\n"),
		GET("Keep-Alive: timeout=5\r\n"),
		GET("Upgrade: websocket\r\n"),
		GET("Expect: 100-continue\r\n"),
		GET("TE: trailers\r\n"),
		GET("Forwarded: for=10.0.0.1\r\n"),
		GET("X-Forwarded-For: 10.0.0.1\r\n"),
		GET("x_forwarded_for: 10.0.0.1\r\n"),
		GET("X-Forwarded-Anything: 1\r\n"),
		GET("X-Real-IP: 10.0.0.1\r\n"),
		GET("Proxy-Connection: keep-alive\r\n"),
		GET("Name : value\r\n"),
		GET(" folded\r\n"),
		GET("Name: a\r\n b\r\n"),
		GET("Name: \001\r\n"),
		GET("Name: \xc3\xa4\r\n"),
		GET(": nothing\r\n"),
	};

	for (size_t i = 0; i < COUNT(texts); i++)
		cr_expect_eq(read_one(REQUEST, texts[i])->taken, 0, "'%s'", texts[i]);
}

Test(plain, answers_of_the_worker)
{
	static const char *const texts[] = {
		OK(""),
		OK("Transfer-Encoding: chunked\r\n") "5\r\n",
		OK(LENGTH LENGTH) "12345",
		OK("Content-Length: 8193\r\n"),
		OK("Content-Length: 4294967296\r\n"),
		OK("Content-Length: 1000000\r\n"),
		OK("Content-Length: +5\r\n"),
		OK("Content-Length: 5 \r\n"),
		OK("Content-Length:\r\n"),
		OK(LENGTH "Connection: close\r\n"),
		OK(LENGTH "Keep-Alive: timeout=5\r\n"),
		OK(LENGTH "Upgrade: h2c\r\n"),
		OK(LENGTH "Trailer: x\r\n"),
		OK(LENGTH "Name : x\r\n"),
		"HTTP/1.0 200 OK\r\n" LENGTH "\r\n12345",
		"HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
		"HTTP/1.1 204 No\r\n" LENGTH "\r\n",
		"HTTP/1.1 408 Timeout\r\n" LENGTH "\r\n",
		"HTTP/1.1 500 Oh\r\n" LENGTH "\r\n",
		"HTTP/1.1 999 Oh\r\n" LENGTH "\r\n",
		"HTTP/1.1 2x0 OK\r\n" LENGTH "\r\n",
		"HTTP/1.1 200\r\n" LENGTH "\r\n",
		"HTTP/1.1 200 OK\n" LENGTH "\n",
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		cr_expect_eq(read_one(ANSWER, texts[i])->taken, 0, "'%s'", texts[i]);
		if (i > 3) /* to HEAD no body follows, whatever the head says */
			cr_expect_eq(read_one(ANSWER_TO_HEAD, texts[i])->taken, 0, "'%s'",
				     texts[i]);
	}
}

/* As many fields as WEIR_ROUTING_HEAD has room for, and as the kernel counts. */
Test(plain, many_fields)
{
	char text[WEIR_ROUTING_HEAD];

	for (uint32_t fields = PLAIN_FIELDS - 1; fields <= PLAIN_FIELDS; fields++) {
		size_t size = sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");

		for (uint32_t i = 0; i < fields; i++)
			size += sprintf(text + size, "X-%u: %u\r\n", i, i);
		sprintf(text + size, "\r\n");
		cr_expect_eq(read_one(REQUEST, text)->taken != 0, fields < PLAIN_FIELDS);
	}
}

/* A key has room for WEIR_ROUTING_TEXT bytes: one more, and the worker is asked. */
Test(plain, long_paths)
{
	char text[WEIR_ROUTING_HEAD], path[WEIR_ROUTING_TEXT + 1];

	memset(path, 'x', sizeof(path));
	for (int size = WEIR_ROUTING_TEXT - 3; size < (int)WEIR_ROUTING_TEXT + 1; size++) {
		sprintf(text, "GET /%.*s?%s HTTP/1.1\r\nHost: a\r\n\r\n", size - 1, path, "query");
		cr_expect_eq(read_one(REQUEST, text)->taken != 0, size < (int)WEIR_ROUTING_TEXT,
			     "a path of %d bytes", size);
	}
}

/* ---- the codec agrees, whatever comes ---- */

/* Each byte replaced by each other, doubled, left out, and all that begins as the text does. */
static void vary(enum kind kind, const char *text)
{
	size_t size = strlen(text);
	char bytes[WEIR_ROUTING_HEAD];

	for (size_t at = 0; at < size; at++) {
		memcpy(bytes, text, size);
		for (uint32_t c = 0; c < 256; c++) {
			bytes[at] = (char)c;
			add(kind, bytes, size);
		}
		memcpy(bytes + at, text + at + 1, size - at - 1);
		add(kind, bytes, size - 1);
		memcpy(bytes + at + 1, text + at, size - at);
		bytes[at] = text[at];
		add(kind, bytes, size + 1);
		add(kind, text, at);
	}
}

/* Parts of two texts, and of what breaks parsers, one behind the other. */
static void shuffle(enum kind kind, const char *const *texts, size_t texts_count, uint64_t *random)
{
	static const char *const parts[] = {
		"\r\n",
		"\r",
		"\n",
		"\r\n\r\n",
		":",
		" ",
		"\t",
		"HTTP/1.1",
		"HTTP/1.0",
		"GET /",
		"Host: a\r\n",
		"Connection: keep-alive\r\n",
		"Connection: close\r\n",
		"Content-Length: 5\r\n",
		"Transfer-Encoding: chunked\r\n",
		"X-Forwarded-For: a\r\n",
		"TE: trailers\r\n",
		"Keep-Alive: 5\r\n",
		"Upgrade: x\r\n",
		"Expect: 100-continue\r\n",
	};
	const char *a = texts[random_below(random, texts_count)];
	const char *b = texts[random_below(random, texts_count)];
	const char *part = parts[random_below(random, COUNT(parts))];
	size_t from = random_below(random, strlen(a)), to = random_below(random, strlen(b));
	char bytes[WEIR_ROUTING_HEAD];

	if (random_one_in(random, 2))
		b = a, to = from;
	add(kind, bytes, snprintf(bytes, sizeof(bytes), "%.*s%s%s", (int)from, a, part, b + to));
}

Test(plain, requests_vary, .timeout = 120)
{
	uint64_t random = 1;

	for (size_t i = 0; i < COUNT(requests); i++)
		vary(REQUEST, requests[i]);
	for (uint32_t i = 0; i < 100000; i++)
		shuffle(REQUEST, requests, COUNT(requests), &random);
	run(REQUEST);
	cr_expect_gt(taken_all, 10000, "of all %u are taken: nothing was shown", taken_all);
}

Test(plain, answers_vary, .timeout = 120)
{
	uint64_t random = 1;

	for (enum kind kind = ANSWER; kind <= ANSWER_TO_HEAD; kind++) {
		for (size_t i = 0; i < COUNT(answers); i++)
			vary(kind, answers[i]);
		for (uint32_t i = 0; i < 100000; i++)
			shuffle(kind, answers, COUNT(answers), &random);
		run(kind);
	}
	cr_expect_gt(taken_all, 10000, "of all %u are taken: nothing was shown", taken_all);
}
