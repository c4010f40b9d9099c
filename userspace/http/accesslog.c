// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/accesslog.h"

#include <stdio.h>
#include <time.h>

#include "http/writer.h"
#include "util/str.h"

static const char *const ends[ACCESSLOG_ENDS] = {
	[ACCESSLOG_DONE] = "done",
	[ACCESSLOG_RULE] = "rule",
	[ACCESSLOG_CLIENT_REFUSED] = "client_refused",
	[ACCESSLOG_CLIENT_CLOSED] = "client_closed",
	[ACCESSLOG_CLIENT_TIMEOUT] = "client_timeout",
	[ACCESSLOG_NO_ENDPOINT] = "no_endpoint",
	[ACCESSLOG_ENDPOINTS_FULL] = "endpoints_full",
	[ACCESSLOG_CONNECT_FAILED] = "connect_failed",
	[ACCESSLOG_ENDPOINT_REFUSED] = "endpoint_refused",
	[ACCESSLOG_ENDPOINT_CLOSED] = "endpoint_closed",
	[ACCESSLOG_ENDPOINT_TIMEOUT] = "endpoint_timeout",
};

const char *accesslog_end_name(enum accesslog_end end)
{
	return ends[end];
}

/* A byte that is no UTF-8 becomes the character of its number. */
static void write_string(struct writer *out, struct slice text)
{
	size_t i = 0;

	writer_bytes(out, "\"", 1);
	while (i < text.size) {
		uint8_t byte = text.at[i];
		size_t size = str_utf8(text.at + i, text.size - i, NULL);
		char escape[8];

		if (byte == '"' || byte == '\\') {
			writer_bytes(out, "\\", 1);
			writer_bytes(out, text.at + i, 1);
		} else if (byte < ' ' || byte == 0x7f || !size) {
			snprintf(escape, sizeof(escape), "\\u%04x", byte);
			writer_text(out, escape);
		} else {
			writer_bytes(out, text.at + i, size);
		}
		i += size ?: 1;
	}
	writer_bytes(out, "\"", 1);
}

static void write_key(struct writer *out, const char *key)
{
	writer_text(out, out->at[-1] == '{' ? "\"" : ",\"");
	writer_text(out, key);
	writer_text(out, "\":");
}

static void write_text(struct writer *out, const char *key, const char *text)
{
	write_key(out, key);
	if (text)
		write_string(out, SLICE(text));
	else
		writer_text(out, "null");
}

static void write_slice(struct writer *out, const char *key, struct slice text)
{
	write_key(out, key);
	if (text.at)
		write_string(out, text);
	else
		writer_text(out, "null");
}

static void write_number(struct writer *out, const char *key, uint64_t number)
{
	write_key(out, key);
	writer_number(out, number);
}

/* Of us, as ms. */
static void write_span(struct writer *out, const char *key, uint32_t us)
{
	char text[24];

	snprintf(text, sizeof(text), "%u.%03u", us / 1000, us % 1000);
	write_key(out, key);
	writer_text(out, us == ACCESSLOG_NEVER ? "null" : text);
}

/* RFC 3339. */
static void write_time(struct writer *out, uint64_t us)
{
	time_t seconds = us / 1000000;
	char text[80];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06uZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		 (unsigned)(us % 1000000));
	write_text(out, "time", text);
}

static struct slice cut(struct slice text, size_t size)
{
	return (struct slice){ text.at, text.size < size ? text.size : size };
}

static void write_way(struct writer *out, const struct accesslog_entry *entry)
{
	write_text(out, "listener", entry->listener);
	if (entry->rule_number && !(entry->rule && *entry->rule))
		write_number(out, "rule", entry->rule_number);
	else
		write_text(out, "rule", entry->rule_number ? entry->rule : NULL);
	write_text(out, "group", entry->group);
	write_text(out, "endpoint", entry->endpoint);
}

static void write_request(struct writer *out, const struct accesslog_entry *entry)
{
	write_slice(out, "method", cut(entry->method, 64));
	write_slice(out, "host", cut(entry->host, ADDR_HOST_MAX + 2));
	write_slice(out, "target", cut(entry->target, ACCESSLOG_TARGET_MAX));
	write_text(out, "version", !entry->method.at ? NULL : entry->minor ? "1.1" : "1.0");
}

ssize_t accesslog_write(const struct accesslog_entry *entry, char *buffer, size_t room)
{
	char client[ADDR_PORT_TEXT_MAX];
	struct writer out;

	if (room < ACCESSLOG_LINE_MAX)
		return -ENOBUFS;
	writer_init(&out, buffer, room);
	writer_text(&out, "{");
	write_time(&out, entry->time);
	write_text(&out, "client", addr_print_port(&entry->client, entry->client_port, client));
	write_way(&out, entry);
	write_request(&out, entry);
	write_number(&out, "status", entry->status);
	write_number(&out, "received", entry->received);
	write_number(&out, "sent", entry->sent);
	write_span(&out, "head_ms", entry->head);
	write_span(&out, "connected_ms", entry->connected);
	write_span(&out, "answered_ms", entry->answered);
	write_span(&out, "total_ms", entry->ended);
	write_number(&out, "retries", entry->retries);
	write_key(&out, "reused");
	writer_text(&out, entry->reused ? "true" : "false");
	write_text(&out, "end", ends[entry->end]);
	write_text(&out, "why", entry->why);
	writer_text(&out, "}\n");
	return writer_size(&out);
}
