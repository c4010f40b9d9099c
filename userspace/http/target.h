/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths as rules see them. One path can be written in many ways, and a rule must not be slipped
 * past by writing it in another. For matching alone:
 *
 *   %41, %7e           unreserved characters (RFC 3986, 2.3: letters, digits, -._~) are decoded,
 * once %2f                other escapes stay, their digits in upper case: %2F /a/./b, /a/../b dot
 * segments are resolved, also %2e%2e; above the root the request is refused
 *   //, ;, %2F, %5C    stay: whether they mean something only the endpoint knows
 *   %00, \             the request is refused, also for a '%' without two hexadecimal digits
 *
 * What is forwarded is what the client sent.
 */
#ifndef WEIR_HTTP_TARGET_H
#define WEIR_HTTP_TARGET_H

#include "http/message.h"

/* Is this the path of a request? 0: it is its own normal form. 1: it is not. -EINVAL. */
int target_check(struct slice path, const char **ret_why);

/* Writes the normal form of a path that was checked; it is never longer. Returns its size, >= 1. */
size_t target_normalise(struct slice path, char *ret);

#endif
