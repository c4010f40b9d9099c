/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * LISTENER[/GROUP[/ENDPOINT]]: names a part of the configuration on the command line. A short
 * selector means its whole subtree; `*` stands for any run of characters, never for '/'.
 */
#ifndef WEIR_CONFIG_SELECTOR_H
#define WEIR_CONFIG_SELECTOR_H

#include <stdbool.h>

#include <weir/abi.h>

#include "util/err.h"
#include "util/str.h"

#define SELECTOR_PARTS 3

struct selector {
	char part[SELECTOR_PARTS][WEIR_NAME_MAX]; /* listener, group, endpoint */
	int parts;				  /* 0 matches everything */
};

/* -EINVAL with a text for more than three parts, an empty or an overlong one. */
int selector_parse(const char *text, struct selector *ret, struct err *err);

bool selector_matches(const struct selector *selector, const char *listener, const char *group,
		      const char *endpoint);
bool selector_matches_listener(const struct selector *selector, const char *listener);

/* The nearest of the paths that are offered, for who has mistyped one: { .nearest.word = TEXT }. */
struct selector_search {
	struct str_nearest nearest;
	char path[SELECTOR_PARTS * WEIR_NAME_MAX]; /* the last one */
	char best[SELECTOR_PARTS * WEIR_NAME_MAX]; /* "": none is near */
};

/* What there is, with as many parts as the selector has; `group` and `endpoint` may be "". */
void selector_offer(struct selector_search *search, const char *listener, const char *group,
		    const char *endpoint);

/* -ESRCH, with the nearest. */
int selector_no_match(const struct selector_search *search, const struct selector *selector,
		      struct err *err);

#endif
