/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Regular expressions (PCRE2), compiled where the kernel lets a process write code for itself. The
 * only user of that library.
 */
#ifndef WEIR_CONFIG_REGEX_H
#define WEIR_CONFIG_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "util/cleanup.h"
#include "util/err.h"

struct regex;

/* Where in the text something matched; from == to: nothing. */
struct regex_span {
	size_t from, to;
};

#define REGEX_SPANS 4 /* all of it, and the first three groups */

/* 0; -ENOMEM; or -EINVAL with the text in err and the place of the mistake, in bytes, in *ret_at,
 * which may be NULL. `any_case`: letters match in both cases. */
int regex_new(const char *text, bool any_case, struct regex **ret, size_t *ret_at, struct err *err);

void regex_free(struct regex *regex);
DEFINE_CLEANUP(struct regex *, regex_free)

/* Does it match anywhere in the text? 1: yes, and with `ret` where. 0: no. -ETIME: it took more
 * steps than an honest text needs, so nobody knows. For one thread: uses room that is in it. */
int regex_match(struct regex *regex, const char *text, size_t size,
		struct regex_span ret[REGEX_SPANS]);

#endif
