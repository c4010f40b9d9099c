// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what is due first comes first, through any sequence of changes; probes come within their
 * interval, never later, spread out over it, and the first ones within a second.
 */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>

#include "health/schedule.h"

#define ENTRIES 300

static uint64_t state = 1;

static uint32_t random32(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return state >> 32;
}

static void expect_first(const struct schedule *schedule, const struct schedule_entry *entries)
{
	const struct schedule_entry *first = schedule_first(schedule);
	size_t count = 0;

	for (size_t i = 0; i < ENTRIES; i++) {
		if (!entries[i].place)
			continue;
		count++;
		cr_assert(first && first->due <= entries[i].due);
		cr_assert_eq(schedule->heap.items[entries[i].place - 1], &entries[i]);
	}
	cr_assert_eq(schedule->heap.count, count);
	cr_assert_eq(!first, !count);
}

Test(schedule, the_first_is_first)
{
	static struct schedule_entry entries[ENTRIES];
	struct schedule schedule = {};
	uint64_t last = 0;

	for (int i = 0; i < 20000; i++) {
		struct schedule_entry *entry = &entries[random32() % ENTRIES];

		if (random32() % 3)
			cr_assert_eq(schedule_set(&schedule, entry, random32() % 1000), 0);
		else
			schedule_remove(&schedule, entry);
		if (i % 16 == 0)
			expect_first(&schedule, entries);
	}
	while (schedule_first(&schedule)) {
		cr_assert_geq(schedule_first(&schedule)->due, last);
		last = schedule_first(&schedule)->due;
		schedule_remove(&schedule, schedule_first(&schedule));
	}
	expect_first(&schedule, entries);
	schedule_fini(&schedule);
}

Test(schedule, probes_come_within_their_interval)
{
	cr_expect_eq(schedule_next(5000, 1000, 0, 5001), 6000);
	cr_expect_eq(schedule_next(5000, 1000, UINT32_MAX, 5001), 5900);
	cr_expect_eq(schedule_next(5000, 50000, UINT32_MAX, 5001), 50000);
	/* A probe that takes longer than the interval is followed at once by the next. */
	cr_expect_eq(schedule_next(5000, 1000, 0, 8000), 8000);
	for (int i = 0; i < 1000; i++) {
		uint64_t next = schedule_next(5000, 2000, random32(), 5001);

		cr_assert(next >= 6800 && next <= 7000);
	}
}

Test(schedule, the_first_ones_within_a_second)
{
	for (int i = 0; i < 1000; i++) {
		uint64_t first = schedule_begin(50000, random32(), 7000);

		cr_assert(first >= 7000 && first <= 8000);
	}
}

/* A thousand endpoints that begin together do not stay together. */
Test(schedule, many_spread_out)
{
	unsigned in[10] = {};

	for (int i = 0; i < 1000; i++) {
		uint64_t due = schedule_begin(1000, random32(), 0);

		for (int round = 0; round < 20; round++)
			due = schedule_next(due, 1000, random32(), due);
		in[due % 1000 / 100]++;
	}
	for (int i = 0; i < 10; i++)
		cr_expect(in[i] > 50 && in[i] < 200, "tenth %d: %u of 1000", i, in[i]);
}
