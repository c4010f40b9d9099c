/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How new flows are shared out over endpoint groups: pure arithmetic, exact in integers, so that
 * every node comes to the same result.
 */
#ifndef WEIR_PLAN_SHARES_H
#define WEIR_PLAN_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What reaches the nearest group. */
#define SHARES_ALL (1ull << 32)

struct shares_group {
	uint32_t percentage; /* 0..100, of what reaches the group */
	bool usable;
};

/*
 * Sets ret[0..count) to parts of the returned sum, for groups in the order of their distance. Each
 * takes its percentage of what the nearer ones leave; what all of them leave is shared in
 * proportion, which the sum does. The whole part of an unusable group goes to the next usable one,
 * and behind the last of them to the nearest, whatever its percentage. 0: nobody takes anything,
 * because no group is usable or all percentages are 0.
 */
uint64_t shares_of_groups(const struct shares_group *groups, size_t count, uint64_t *ret);

/* part / whole of `of`, rounded; `part` <= `whole`. */
uint32_t shares_scale(uint64_t part, uint64_t whole, uint32_t of);

#endif
