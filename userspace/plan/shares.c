// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/shares.h"

/* Where the part of a failed group goes; `count` if no group is usable. */
static size_t successor(const struct shares_group *groups, size_t count, size_t failed)
{
	for (size_t step = 1; step < count; step++) {
		size_t next = failed + step;

		/* Behind the last one the nearest is next. */
		if (groups[next < count ? next : next - count].usable)
			return next < count ? next : next - count;
	}
	return count;
}

uint64_t shares_of_groups(const struct shares_group *groups, size_t count, uint64_t *ret)
{
	uint64_t reaches = SHARES_ALL, sum = 0;

	for (size_t i = 0; i < count; i++) {
		ret[i] = reaches * groups[i].percentage / 100;
		reaches -= ret[i];
	}
	/* What a successor is given is not passed on: it is usable. */
	for (size_t i = 0; i < count; i++) {
		size_t next = groups[i].usable ? i : successor(groups, count, i);
		uint64_t part = ret[i];

		if (next == i)
			continue;
		ret[i] = 0;
		if (next < count)
			ret[next] += part;
	}
	for (size_t i = 0; i < count; i++)
		sum += ret[i];
	return sum;
}

uint32_t shares_scale(uint64_t part, uint64_t whole, uint32_t of)
{
	return ((unsigned __int128)part * of + whole / 2) / whole;
}
