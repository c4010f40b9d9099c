/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The head of a request, strictly: in doubt it is refused, since whoever is behind may read it
 * otherwise.
 */
#ifndef WEIR_HTTP_REQUEST_H
#define WEIR_HTTP_REQUEST_H

#include "http/head.h"

/*
 * The length of the head, > 0: *ret is set, and its slices point into head->bytes. 0: the head is
 * not whole, call again with more bytes. Else minus the status to answer with (400, 414, 417, 431,
 * 501, 505), head->why says why, *ret is undefined, and the connection is to be closed: where the
 * next request would begin cannot be known.
 *
 * One empty line before the request is skipped, and counts for its length.
 */
int request_parse(struct head *head, const struct head_limits *limits, struct request *ret);

/* May Host say so? "example.com", "10.0.0.1:80", "[2001:db8::1]:80". */
bool request_is_authority(struct slice text);

#endif
