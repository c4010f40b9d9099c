// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "health/http_answer.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const char version[] = "HTTP/1.";

/* What comes next. The first states are places in the status line's beginning. */
enum state {
	STATE_VERSION,	    /* a byte of `version`, of which there are line */
	STATE_MINOR,	    /* the digit behind it */
	STATE_SPACE,	    /* before the status */
	STATE_STATUS,	    /* one of its three digits */
	STATE_AFTER,	    /* the space before the reason, or the line's end */
	STATE_REASON,	    /* its text */
	STATE_REASON_LF,    /* after CR */
	STATE_HEADER_BEGIN, /* of an interim answer: a header line, or the empty one */
	STATE_HEADER,	    /* in a header line */
	STATE_HEADER_LF,    /* after its CR */
	STATE_EMPTY_LF,	    /* after the CR of the empty line */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Of a reason or a header: visible, blank, or not ASCII. */
static bool is_text(char c)
{
	return c == '\t' || (unsigned char)c >= 0x20;
}

static int read_status(struct http_answer *answer, char c)
{
	if (!is_digit(c) || (!answer->digits && (c < '1' || c > '5')))
		return -EBADMSG;
	answer->status = answer->status * 10 + (c - '0');
	if (++answer->digits == 3)
		answer->state = STATE_AFTER;
	return HTTP_ANSWER_MORE;
}

/* The status line is over. 101 is the last word of an HTTP/1 connection, the other 1xx are not. */
static int end_line(struct http_answer *answer)
{
	if (answer->status >= 200 || answer->status == 101)
		return HTTP_ANSWER_DONE;
	answer->state = STATE_HEADER_BEGIN;
	answer->line = 0;
	return HTTP_ANSWER_MORE;
}

static int begin_again(struct http_answer *answer)
{
	*answer = (struct http_answer){ .all = answer->all };
	return HTTP_ANSWER_MORE;
}

/* A byte of the status line. */
static int read_line(struct http_answer *answer, char c)
{
	switch (answer->state) {
	case STATE_VERSION:
		if (c != version[answer->line - 1])
			return -EBADMSG;
		if (!version[answer->line])
			answer->state = STATE_MINOR;
		return HTTP_ANSWER_MORE;
	case STATE_MINOR:
		answer->state = STATE_SPACE;
		return is_digit(c) ? HTTP_ANSWER_MORE : -EBADMSG;
	case STATE_SPACE:
		answer->state = STATE_STATUS;
		return c == ' ' ? HTTP_ANSWER_MORE : -EBADMSG;
	case STATE_STATUS:
		return read_status(answer, c);
	case STATE_AFTER:
		if (c != ' ' && c != '\r' && c != '\n')
			return -EBADMSG;
		break;
	case STATE_REASON_LF:
		return c == '\n' ? end_line(answer) : -EBADMSG;
	}
	answer->state = c == '\r' ? STATE_REASON_LF : STATE_REASON;
	if (c == '\n')
		return end_line(answer);
	return c == '\r' || is_text(c) ? HTTP_ANSWER_MORE : -EBADMSG;
}

/* A byte of an interim answer's headers. */
static int read_header(struct http_answer *answer, char c)
{
	bool begin = answer->state == STATE_HEADER_BEGIN;

	switch (answer->state) {
	case STATE_EMPTY_LF:
		return c == '\n' ? begin_again(answer) : -EBADMSG;
	case STATE_HEADER_LF:
		if (c != '\n')
			return -EBADMSG;
		break;
	default:
		if (c == '\r') {
			answer->state = begin ? STATE_EMPTY_LF : STATE_HEADER_LF;
			return HTTP_ANSWER_MORE;
		}
		if (c == '\n' && begin)
			return begin_again(answer);
		if (c != '\n') {
			answer->state = STATE_HEADER;
			return is_text(c) ? HTTP_ANSWER_MORE : -EBADMSG;
		}
	}
	answer->state = STATE_HEADER_BEGIN;
	answer->line = 0;
	return HTTP_ANSWER_MORE;
}

int http_answer_read(struct http_answer *answer, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		int r;

		if (++answer->line > HTTP_ANSWER_LINE_MAX || ++answer->all > HTTP_ANSWER_MAX)
			return -EMSGSIZE;
		r = answer->state < STATE_HEADER_BEGIN ? read_line(answer, bytes[i])
						       : read_header(answer, bytes[i]);
		if (r != HTTP_ANSWER_MORE)
			return r;
	}
	return HTTP_ANSWER_MORE;
}
