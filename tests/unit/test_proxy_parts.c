// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the parts that workers are made of keep their word: deadlines are met, late by a tick at
 * most, however often they are moved; bytes come out as they went in; the header of the PROXY
 * protocol is read wherever it is cut, and refused where it lies.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/bytes.h"
#include "proxy/preamble.h"
#include "proxy/wheel.h"
#include "random.h"

/* ---- the wheel ---- */

#define TIMERS	500
#define HORIZON 200000 /* ms: farther than the wheel reaches */

static struct wheel wheel;
static struct wheel_timer timers[TIMERS];

/* Everything that is over is found, and nothing else. */
static void pass(uint64_t now)
{
	struct wheel_timer *timer;

	while ((timer = wheel_expire(&wheel, now))) {
		cr_assert(timer->deadline && timer->deadline <= now);
		timer->deadline = 0;
	}
	for (int i = 0; i < TIMERS; i++)
		cr_assert(!timers[i].deadline || timers[i].deadline + 2 * WHEEL_TICK > now,
			  "a deadline of %llu at %llu", (unsigned long long)timers[i].deadline,
			  (unsigned long long)now);
}

Test(proxy, deadlines)
{
	uint64_t random = 1;
	uint64_t now = 123456789;

	wheel_init(&wheel, now);
	cr_expect_eq(wheel_wait(&wheel, now), -1);
	for (int step = 0; step < 20000; step++) {
		struct wheel_timer *timer = &timers[random_below(&random, TIMERS)];

		switch (random_below(&random, 4)) {
		case 0:
			wheel_set(&wheel, timer, 0);
			break;
		case 1:
			wheel_set(&wheel, timer, now + random_below(&random, HORIZON));
			break;
		default:
			wheel_set(&wheel, timer, now + random_below(&random, 1000));
		}
		now += random_below(&random, 3) ? random_below(&random, 20) : 0;
		if (!random_below(&random, 1000))
			now += random_below(&random, HORIZON);
		pass(now);
	}
	for (int i = 0; i < TIMERS; i++)
		wheel_remove(&wheel, &timers[i]);
	cr_expect_eq(wheel.count, 0);
	cr_expect_null(wheel_expire(&wheel, now + HORIZON));
}

Test(proxy, waiting_is_for_the_next_tick)
{
	struct wheel_timer timer = {};

	wheel_init(&wheel, 1000);
	wheel_set(&wheel, &timer, 5000);
	cr_expect(wheel_wait(&wheel, 1000) > 0 && wheel_wait(&wheel, 1000) <= WHEEL_TICK);
	cr_expect_null(wheel_expire(&wheel, 4999));
	cr_expect_eq(wheel_expire(&wheel, 5000 + WHEEL_TICK), &timer);
	cr_expect_eq(wheel_wait(&wheel, 5100), -1);
}

/* ---- bytes ---- */

Test(proxy, bytes)
{
	uint64_t random = 2;
	struct bytes bytes = {};
	uint8_t in = 0, out = 0;

	for (int step = 0; step < 10000; step++) {
		char piece[300];
		size_t size = random_below(&random, sizeof(piece)), taken;

		for (size_t i = 0; i < size; i++)
			piece[i] = (char)in++;
		cr_assert_eq(bytes_add(&bytes, piece, size), 0);
		taken = random_below(&random, bytes.size + 1);
		for (size_t i = 0; i < taken; i++)
			cr_assert_eq((uint8_t)bytes_at(&bytes)[i], out++);
		if (taken)
			bytes_drop(&bytes, taken);
	}
	bytes_drop(&bytes, bytes.size);
	cr_expect_null(bytes.memory, "nothing is held for nothing");
}

/* ---- the PROXY protocol ---- */

static struct addr address(const char *text)
{
	struct addr addr;

	cr_assert_eq(addr_parse(text, &addr), 0);
	return addr;
}

/* A copy of its own size, so that a sanitizer sees a look beyond its end. */
static ssize_t read_copy(const char *bytes, size_t size, struct preamble *ret)
{
	char *copy = malloc(size ?: 1);
	ssize_t r;

	cr_assert(copy);
	memcpy(copy, bytes, size);
	r = preamble_read(copy, size, ret);
	free(copy);
	return r;
}

Test(proxy, preamble_there_and_back)
{
	static const char *const pairs[][2] = {
		{ "192.0.2.1", "198.51.100.9" },
		{ "2001:db8::1", "2001:db8::ffff" },
		{ "192.0.2.1", "2001:db8::1" },
	};

	for (int i = 0; i < 3; i++) {
		for (uint8_t version = 1; version <= 2; version++) {
			struct preamble wanted = { .from = address(pairs[i][0]),
						   .to = address(pairs[i][1]),
						   .from_port = 56324,
						   .to_port = 443 };
			struct preamble got;
			char text[PREAMBLE_MAX + 3];
			size_t size = preamble_write(&wanted, version, text);

			cr_assert_leq(size, PREAMBLE_MAX);
			memcpy(text + size, "GET", 3);
			for (size_t cut = 0; cut < size; cut++)
				cr_assert_eq(read_copy(text, cut, &got), 0, "%zu", cut);
			cr_assert_eq(read_copy(text, size + 3, &got), (ssize_t)size);
			cr_assert(got.known);
			cr_expect(addr_equal(&got.from, &wanted.from));
			cr_expect(addr_equal(&got.to, &wanted.to));
			cr_expect(got.from_port == 56324 && got.to_port == 443);
		}
	}
}

/* Of two families both are written as those of IPv6: a line of the other end's family alone. */
Test(proxy, preamble_of_two_families)
{
	const struct preamble mixed = { .from = address("192.0.2.1"),
					.to = address("2001:db8::1"),
					.from_port = 1,
					.to_port = 2 };
	static const char line[] = "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 2\r\n";
	char text[PREAMBLE_MAX];

	cr_assert_eq(preamble_write(&mixed, 1, text), sizeof(line) - 1);
	cr_expect_eq(memcmp(text, line, sizeof(line) - 1), 0);
}

Test(proxy, preamble_of_nobody)
{
	static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
	static const char unix_socket[] = "\r\n\r\n\0\r\nQUIT\n\x21\x31\0\4abcd";
	struct preamble got;

	cr_expect_eq(read_copy("PROXY UNKNOWN\r\nGET", 18, &got), 15);
	cr_expect_not(got.known);
	cr_expect_eq(read_copy("PROXY UNKNOWN ff::1 x 1 2\r\n", 27, &got), 27);
	cr_expect_not(got.known);
	cr_expect_eq(read_copy(local, sizeof(local) - 1, &got), 16);
	cr_expect_not(got.known);
	cr_expect_eq(read_copy(unix_socket, sizeof(unix_socket) - 1, &got), 20);
	cr_expect_not(got.known);
}

Test(proxy, preamble_refused)
{
	static const char *const texts[] = {
		"GET / HTTP/1.1\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
		"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
		"PROXY TCP4 ::ffff:192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP6 2001:db8::1 192.0.2.2 1 2\r\n",
		"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
		"PROXY \r\n",
	};
	static const char version[] = "\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c";
	static const char small[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\4abcd";
	static const char huge[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff";
	char endless[200];
	struct preamble got;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect_eq(read_copy(texts[i], strlen(texts[i]), &got), -EBADMSG, "%s", texts[i]);
	cr_expect_eq(read_copy(version, sizeof(version) - 1, &got), -EBADMSG);
	cr_expect_eq(read_copy(small, sizeof(small) - 1, &got), -EBADMSG);
	cr_expect_eq(read_copy(huge, sizeof(huge) - 1, &got), -EBADMSG);
	memset(endless, 'x', sizeof(endless));
	memcpy(endless, "PROXY ", 6);
	cr_expect_eq(read_copy(endless, sizeof(endless), &got), -EBADMSG);
}
