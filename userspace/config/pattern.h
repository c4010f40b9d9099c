/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the values of a condition look like: exact texts, wildcards (`*` is any run, `?` one
 * character; the whole text must fit) and, behind a `~`, regular expressions.
 */
#ifndef WEIR_CONFIG_PATTERN_H
#define WEIR_CONFIG_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

enum pattern_kind {
	PATTERN_EXACT,
	PATTERN_WILDCARD,
	PATTERN_REGEX,
};

struct pattern {
	uint8_t kind; /* enum pattern_kind */
	char *text;   /* without the `~`; owned */
};

/* Kind and text of what a file says. -ENOMEM. */
int pattern_new(const char *text, struct pattern *ret);

/*
 * Is this the host, or the path, of a request, or a pattern of some? Lengths count without the `~`.
 * 0, or -EINVAL with the text in err. The regular expression itself is not looked at.
 */
int pattern_check_host(const char *text, struct err *err);
int pattern_check_path(const char *text, struct err *err);

/* Compiles the regular expression (without the `~`). 0; -ENOMEM; or -EINVAL with the text in err
 * and the place of the mistake, in bytes, in *ret_at. */
int pattern_check_regex(const char *text, bool any_case, size_t *ret_at, struct err *err);

#endif
