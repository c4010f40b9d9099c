/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Responses of weir itself: error pages, redirects, fixed responses; whole, with their bodies.
 */
#ifndef WEIR_HTTP_ANSWER_H
#define WEIR_HTTP_ANSWER_H

#include <sys/types.h>
#include <time.h>

#include "http/message.h"

struct answer {
	uint16_t status;
	bool keep_alive;	   /* else Connection: close */
	bool head;		   /* to a HEAD: without the body */
	uint8_t minor;		   /* of the request: HTTP/1.0 is told when the connection stays */
	time_t date;		   /* of now */
	struct slice url;	   /* Location; "": none */
	struct slice content_type; /* "": text/plain */
	struct slice body;	   /* at == NULL: "status reason" in one line */
};

/* Writes it. Its size, or -ENOBUFS. */
ssize_t answer_write(const struct answer *answer, char *buffer, size_t room);

/* "Not Found", or "" for a status without a well-known reason. */
const char *answer_reason(uint16_t status);

#endif
