/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Forwarding rules as the manual says them, one by one and slowly, to compare the compiled ones
 * with; and random rules and requests that have much to do with each other.
 */
#ifndef TESTS_LIB_RULES_NAIVE_H
#define TESTS_LIB_RULES_NAIVE_H

#include "http/rules.h"

/* Where choices come from: the bytes, while there are some, or else numbers that follow from the
 * state. */
struct rules_source {
	uint64_t state;
	const uint8_t *bytes;
	size_t size;
	bool only_bytes; /* behind the last all are 0 */
};

uint32_t rules_source_below(struct rules_source *source, uint32_t limit);

/* A listener of protocol http with three groups and some rules. Freed with rules_listener_free().
 */
struct listener *rules_random_listener(struct rules_source *source);
void rules_listener_free(struct listener *listener);

/* A right request, as text with NUL at its end, and who sends it. */
void rules_random_request(struct rules_source *source, char *ret, size_t room,
			  struct forward_client *ret_client);

/* What kind of verdict, and with which rule (UINT32_MAX: none). */
void rules_naive_match(const struct listener *listener, const struct request *request,
		       const struct forward_client *client, uint8_t *ret_kind, uint32_t *ret_rule);

/* Does a wildcard match? By trying everything. */
bool rules_naive_glob(const char *pattern, const char *end, struct slice text);

#endif
