// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: every line of the access log is one line of right JSON with what was given, whatever a
 * client sends.
 */
#include "http/support.h"

#include <errno.h>
#include <jansson.h>
#include <weir/abi.h>

#include "http/accesslog.h"
#include "random.h"

static const char *write_line(const struct accesslog_entry *entry)
{
	char *room = support_guarded(0, ACCESSLOG_LINE_MAX);
	ssize_t size = accesslog_write(entry, room, ACCESSLOG_LINE_MAX);

	cr_assert_gt(size, 0);
	cr_assert_eq(room[size - 1], '\n');
	cr_assert_null(memchr(room, '\n', size - 1));
	room[size - 1] = '\0';
	return room;
}

static struct accesslog_entry example(void)
{
	struct accesslog_entry entry = {
		.time = 784111777000042,
		.client_port = 40000,
		.listener = "web",
		.rule = "api",
		.rule_number = 2,
		.group = "g",
		.endpoint = "10.0.0.1:80",
		.method = SLICE("GET"),
		.host = SLICE("a.example"),
		.target = SLICE("/a?b"),
		.minor = 1,
		.status = 200,
		.received = 120,
		.sent = 5000000000,
		.head = 12,
		.connected = 1034,
		.answered = 2000000,
		.ended = 2000001,
	};

	addr_parse("2001:db8::1", &entry.client);
	return entry;
}

Test(accesslog, lines)
{
	struct accesslog_entry entry = example();

	cr_expect_str_eq(
		write_line(&entry),
		"{\"time\":\"1994-11-06T08:49:37.000042Z\",\"client\":\"[2001:db8::1]:40000\","
		"\"listener\":\"web\",\"rule\":\"api\",\"group\":\"g\","
		"\"endpoint\":\"10.0.0.1:80\",\"method\":\"GET\",\"host\":\"a.example\","
		"\"target\":\"/a?b\",\"version\":\"1.1\",\"status\":200,\"received\":120,"
		"\"sent\":5000000000,\"head_ms\":0.012,\"connected_ms\":1.034,"
		"\"answered_ms\":2000.000,\"total_ms\":2000.001,\"retries\":0,\"reused\":false,"
		"\"end\":\"done\",\"why\":null}");
	entry.rule = "";
	entry.reused = true;
	cr_expect(strstr(write_line(&entry), "\"rule\":2,"));
	cr_expect(strstr(write_line(&entry), "\"reused\":true,"));
	entry = (struct accesslog_entry){ .listener = "web",
					  .head = ACCESSLOG_NEVER,
					  .connected = ACCESSLOG_NEVER,
					  .answered = ACCESSLOG_NEVER,
					  .status = 400,
					  .end = ACCESSLOG_CLIENT_REFUSED,
					  .why = "Host is not valid" };
	addr_parse("192.0.2.1", &entry.client);
	entry.client_port = 1;
	cr_expect_str_eq(write_line(&entry),
			 "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"client\":\"192.0.2.1:1\","
			 "\"listener\":\"web\",\"rule\":null,\"group\":null,\"endpoint\":null,"
			 "\"method\":null,\"host\":null,\"target\":null,\"version\":null,"
			 "\"status\":400,\"received\":0,\"sent\":0,\"head_ms\":null,"
			 "\"connected_ms\":null,\"answered_ms\":null,\"total_ms\":0.000,"
			 "\"retries\":0,\"reused\":false,\"end\":\"client_refused\","
			 "\"why\":\"Host is not valid\"}");
}

Test(accesslog, ends)
{
	for (enum accesslog_end end = 0; end < ACCESSLOG_ENDS; end++) {
		struct accesslog_entry entry = example();

		entry.end = end;
		cr_assert(accesslog_end_name(end));
		cr_expect(strstr(write_line(&entry), accesslog_end_name(end)));
	}
}

/* Any bytes: jansson reads the line, and finds the bytes that are text. */
Test(accesslog, any_bytes)
{
	uint64_t random = 9;

	for (unsigned i = 0; i < 20000; i++) {
		struct accesslog_entry entry = example();
		char target[64];
		size_t size = random_below(&random, sizeof(target));
		bool ascii = random_one_in(&random, 2);
		json_error_t error;
		json_t *line;

		for (size_t k = 0; k < size; k++)
			target[k] =
				ascii ? 1 + random_below(&random, 127) : random_below(&random, 256);
		entry.target =
			(struct slice){ memcpy(support_guarded(1, size), target, size), size };
		line = json_loads(write_line(&entry), 0, &error);
		cr_assert(line || strstr(error.text, "\\u0000"), "%s", error.text);
		if (ascii)
			cr_assert(slice_equal(entry.target, SLICE(json_string_value(json_object_get(
								    line, "target")))));
		json_decref(line);
	}
}

/* The worst that can be given fits; with less room than that nothing is written. */
Test(accesslog, long_ones)
{
	static char text[HEAD_SIZE_DEFAULT], name[WEIR_NAME_MAX];
	struct accesslog_entry entry = example();

	memset(text, '"', sizeof(text));
	memset(name, 'x', sizeof(name) - 1);
	entry.target = entry.host = entry.method = (struct slice){ text, sizeof(text) };
	entry.listener = entry.rule = entry.group = entry.endpoint = name;
	entry.received = entry.sent = UINT64_MAX;
	entry.retries = entry.head = entry.connected = UINT32_MAX;
	write_line(&entry);
	cr_expect_eq(accesslog_write(&entry, text, ACCESSLOG_LINE_MAX - 1), -ENOBUFS);
}
