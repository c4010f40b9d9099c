// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/answer.h"

#include <stdio.h>

#include "http/writer.h"

const char *answer_reason(uint16_t status)
{
	static const struct {
		uint16_t status;
		const char *reason;
	} reasons[] = {
		{ 100, "Continue" },
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 205, "Reset Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 418, "I'm a teapot" },
		{ 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" },
		{ 425, "Too Early" },
		{ 426, "Upgrade Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 451, "Unavailable For Legal Reasons" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

/* RFC 9110, 5.6.7. */
static void write_date(struct writer *out, time_t date)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	char text[64];
	struct tm tm;

	gmtime_r(&date, &tm);
	snprintf(text, sizeof(text), "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
		 days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
		 tm.tm_min, tm.tm_sec);
	writer_text(out, text);
}

ssize_t answer_write(const struct answer *answer, char *buffer, size_t room)
{
	bool bodyless = answer->status < 200 || answer->status == 204;
	struct slice body = answer->body;
	struct writer out;
	char line[64];

	snprintf(line, sizeof(line), "%u %s\n", answer->status, answer_reason(answer->status));
	if (!body.at)
		body = answer->status == 205 ? (struct slice){ "", 0 } : SLICE(line);
	writer_init(&out, buffer, room);
	writer_text(&out, "HTTP/1.1 ");
	writer_bytes(&out, line, strlen(line) - 1);
	writer_text(&out, "\r\n");
	if (answer->status >= 200)
		write_date(&out, answer->date);
	if (answer->url.size)
		writer_field(&out, SLICE("Location"), answer->url);
	if (!bodyless) {
		if (body.size)
			writer_field(&out, SLICE("Content-Type"),
				     answer->content_type.size ? answer->content_type
							       : SLICE("text/plain"));
		writer_text(&out, "Content-Length: ");
		writer_number(&out, body.size);
		writer_text(&out, "\r\n");
	}
	if (answer->status >= 200 && !answer->keep_alive)
		writer_text(&out, "Connection: close\r\n");
	else if (answer->status >= 200 && !answer->minor)
		writer_text(&out, "Connection: keep-alive\r\n");
	writer_text(&out, "\r\n");
	if (!bodyless && !answer->head)
		writer_slice(&out, body);
	return writer_size(&out);
}
