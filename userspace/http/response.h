/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The head of an endpoint's response, as strict as that of a request.
 */
#ifndef WEIR_HTTP_RESPONSE_H
#define WEIR_HTTP_RESPONSE_H

#include "http/head.h"

/* What was asked. */
struct response_to {
	uint8_t method; /* enum method */
	bool upgrade;	/* an upgrade was forwarded, so that 101 may come */
};

/*
 * The length of the head, > 0: *ret is set, and its slices point into head->bytes. 0: the head is
 * not whole, call again with more bytes. -502: this is no answer to pass on, head->why says why.
 * After an interim response the next head is read with a new struct head.
 */
int response_parse(struct head *head, const struct head_limits *limits,
		   const struct response_to *to, struct response *ret);

#endif
