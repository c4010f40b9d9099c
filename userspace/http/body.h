/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A body as it passes through: what of the bytes belongs to it, and when it ends. Chunk sizes,
 * extensions and trailers are checked before they are passed on.
 */
#ifndef WEIR_HTTP_BODY_H
#define WEIR_HTTP_BODY_H

#include <sys/types.h>

#include "http/message.h"

#define BODY_LINE_MAX	  4096 /* bytes of a chunk's first line, or of a trailer */
#define BODY_TRAILERS_MAX 8192 /* ... of all trailers */

struct body {
	uint64_t left;	   /* bytes of payload that follow before anything else does */
	uint16_t trailers; /* bytes so far */
	uint8_t state;
	const char *why; /* set when a body is refused: a static text */
};

/* `length` counts with FRAMING_LENGTH. */
void body_init(struct body *body, enum framing framing, uint64_t length);

/*
 * Takes of the bytes what belongs to the body and can be passed on as it is, but at most up to the
 * end of one run of payload: > 0, and *ret_payload is that run, or empty. 0: the body has ended
 * (body_ended(), the bytes are those of the next message), or more bytes are needed behind these,
 * which are fewer than BODY_LINE_MAX and must be kept. -EBADMSG: body->why.
 */
ssize_t body_feed(struct body *body, const char *bytes, size_t size, struct slice *ret_payload);

/* Nothing more belongs to it. One that ends with the connection never does. */
bool body_ended(const struct body *body);

/* Bytes of payload that follow and may be moved unseen; UINT64_MAX: up to the connection's end. */
uint64_t body_run(const struct body *body);

/* So many of them, at most body_run(), have been moved. */
void body_skip(struct body *body, uint64_t size);

/* May the connection end here? Else it ends too early. */
bool body_may_close(const struct body *body);

#endif
