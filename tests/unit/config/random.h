/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A small generator of its own, so that a failure comes again on every machine.
 */
#ifndef WEIR_TESTS_UNIT_CONFIG_RANDOM_H
#define WEIR_TESTS_UNIT_CONFIG_RANDOM_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "config/model.h"

struct random {
	uint64_t state;
};

static inline unsigned below(struct random *random, unsigned limit)
{
	random->state = random->state * 6364136223846793005u + 1442695040888963407u;
	return (random->state >> 33) % limit;
}

static inline void random_name(struct random *random, unsigned number, char name[WEIR_NAME_MAX])
{
	static const char letters[] = "abcXYZ0189._-";
	size_t size = 1 + below(random, 40);

	name[0] = 'a' + below(random, 26);
	for (size_t i = 1; i < size; i++)
		name[i] = letters[below(random, sizeof(letters) - 1)];
	/* Unique among siblings. */
	snprintf(name + size, WEIR_NAME_MAX - size, "-%u", number);
}

static inline struct addr make_addr(bool v6, unsigned net, unsigned host)
{
	char text[ADDR_TEXT_MAX];
	struct addr addr;

	snprintf(text, sizeof(text), v6 ? "2001:db8:%x::%x" : "10.%u.0.%u", net, host);
	cr_assert_eq(addr_parse(text, &addr), 0);
	return addr;
}

#endif
