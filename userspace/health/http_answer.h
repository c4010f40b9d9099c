/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The status of an HTTP/1 answer, out of bytes as they come: RFC 9112, sections 2.2 and 4. Interim
 * answers (1xx but 101) are skipped with their headers. Strict, and bounded in every direction:
 * what answers may be anything.
 */
#ifndef WEIR_HEALTH_HTTP_ANSWER_H
#define WEIR_HEALTH_HTTP_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#define HTTP_ANSWER_LINE_MAX 1024 /* bytes of a status line or header line */
#define HTTP_ANSWER_MAX	     8192 /* ... and of everything up to the end of the status line */

/* Zeroed memory is one of which nothing has come. */
struct http_answer {
	uint16_t status; /* 100 to 599, once it is known */
	uint8_t state;
	uint8_t digits; /* of the status so far */
	uint16_t line;	/* bytes of this line */
	uint16_t all;	/* bytes */
};

enum http_answer_result {
	HTTP_ANSWER_DONE = 0, /* the status is known */
	HTTP_ANSWER_MORE = 1, /* ... not yet */
};

/* Reads on: an enum http_answer_result, -EBADMSG: this is no HTTP, -EMSGSIZE: it is too long. After
 * anything but MORE it is not to be called again. */
int http_answer_read(struct http_answer *answer, const char *bytes, size_t size);

#endif
