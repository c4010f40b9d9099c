/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Wildcards: `*` is any run of bytes, `?` one character (of UTF-8, where there is more than ASCII);
 * the whole text must fit. All ways to match are followed at once, a bit each (Baeza-Yates and
 * Gonnet, 1992), so that the time is linear in the text whatever the two are.
 */
#ifndef WEIR_HTTP_GLOB_H
#define WEIR_HTTP_GLOB_H

#include "http/message.h"
#include "util/cleanup.h"

#define GLOB_SIZE_MAX 1023 /* bytes of a pattern */

struct glob;

/* 0, -ENOMEM, or -EINVAL for a longer pattern. */
int glob_new(struct slice pattern, struct glob **ret);

void glob_free(struct glob *glob);
DEFINE_CLEANUP(struct glob *, glob_free)

bool glob_match(const struct glob *glob, struct slice text);

/* Of an ASCII text that the pattern matches: what its first `count` `*` stand for, each as short as
 * can be, the first ones first. Those that it has not got become empty. */
void glob_capture(struct slice pattern, struct slice text, struct slice *ret, size_t count);

#endif
