// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: groups share new flows as their percentages say, the share of a failed group goes to the
 * next usable one, and nothing is lost or made up: by example, and for random groups.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plan/shares.h"

#define GROUPS 10

/* "50! 100": percentages, nearest first; '!' marks one that is not usable. */
static size_t read_groups(const char *text, struct shares_group *ret)
{
	size_t count = 0;
	int used;

	while (sscanf(text, " %u%n", &ret[count].percentage, &used) == 1) {
		text += used;
		ret[count].usable = *text != '!';
		text += *text == '!';
		count++;
	}
	return count;
}

static void expect(const char *groups_text, const char *wanted)
{
	struct shares_group groups[GROUPS];
	size_t count = read_groups(groups_text, groups), used = 0;
	uint64_t parts[GROUPS], sum = shares_of_groups(groups, count, parts);
	char got[200] = "";

	for (size_t i = 0; i < count; i++)
		used += snprintf(got + used, sizeof(got) - used, "%s%.2f", i ? " " : "",
				 sum ? 100.0 * parts[i] / sum : 0.0);
	cr_expect_str_eq(got, wanted, "%s: got %s, wanted %s", groups_text, got, wanted);
}

/* Row "traffic_percentage": s1 = p1, s2 = (1 - p1) p2, ..., the rest in proportion. */
Test(shares, percentages)
{
	expect("100", "100.00");
	expect("1", "100.00");
	expect("0", "0.00");
	expect("100 100", "100.00 0.00");
	expect("50 100", "50.00 50.00");
	expect("0 100", "0.00 100.00");
	expect("100 0", "100.00 0.00");
	expect("0 0", "0.00 0.00");
	expect("50 50", "66.67 33.33"); /* 50 and 25, and a quarter is left over */
	expect("20 50 100", "20.00 40.00 40.00");
	expect("10 10 10", "36.90 33.21 29.89"); /* 10, 9 and 8.1 of 27.1 */
	expect("0 30 0", "0.00 100.00 0.00");
}

/* Row "group failover": the whole share to the next usable one, whose percentage is ignored. */
Test(shares, failover)
{
	expect("100! 100", "0.00 100.00");
	expect("100! 5", "0.00 100.00");
	expect("100! 0 100", "0.00 100.00 0.00");
	expect("50! 100", "0.00 100.00");
	expect("50 100!", "100.00 0.00");
	expect("20! 50 100", "0.00 60.00 40.00");
	expect("20 50! 100", "20.00 0.00 80.00");
	expect("20 50 100!", "60.00 40.00 0.00"); /* behind the last, the nearest is next */
	expect("20! 50! 100", "0.00 0.00 100.00");
	expect("50! 50!", "0.00 0.00");
	expect("0! 100", "0.00 100.00");
	expect("100 100!", "100.00 0.00");
}

static uint32_t random_below(uint64_t *state, uint32_t limit)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (*state >> 33) % limit;
}

/* In real numbers, as the text of the model has it. */
static void by_the_book(const struct shares_group *groups, size_t count, double *ret)
{
	double left = 1, sum = 0;

	for (size_t i = 0; i < count; i++) {
		ret[i] = left * groups[i].percentage / 100;
		left -= ret[i];
		sum += ret[i];
	}
	for (size_t i = 0; i < count; i++)
		ret[i] = sum > 0 ? ret[i] / sum : 0;
	for (size_t i = 0; i < count; i++) {
		size_t next = i;

		for (size_t step = 0; step < count && !groups[next].usable; step++)
			next = (next + 1) % count;
		if (groups[i].usable)
			continue;
		ret[next] += groups[next].usable ? ret[i] : 0;
		ret[i] = 0;
	}
}

Test(shares, random_groups)
{
	uint64_t state = 7;

	for (int round = 0; round < 100000; round++) {
		struct shares_group groups[GROUPS];
		size_t count = 1 + random_below(&state, GROUPS);
		uint64_t parts[GROUPS], sum, added = 0;
		double exact[GROUPS], all = 0;

		for (size_t i = 0; i < count; i++)
			groups[i] = (struct shares_group){
				.percentage =
					random_below(&state, 3) ? random_below(&state, 101) : 100,
				.usable = random_below(&state, 4),
			};
		sum = shares_of_groups(groups, count, parts);
		by_the_book(groups, count, exact);
		for (size_t i = 0; i < count; i++) {
			added += parts[i];
			all += exact[i];
			cr_assert(groups[i].usable || !parts[i]);
			cr_assert(fabs(exact[i] - (sum ? (double)parts[i] / sum : 0)) < 1e-6,
				  "round %d, group %zu: %f, but %llu of %llu", round, i, exact[i],
				  (unsigned long long)parts[i], (unsigned long long)sum);
		}
		cr_assert_eq(added, sum);
		cr_assert_leq(sum, SHARES_ALL);
		cr_assert(fabs(all - (sum ? 1 : 0)) < 1e-6, "round %d: %f", round, all);
	}
}

Test(shares, scale)
{
	cr_expect_eq(shares_scale(1, 3, 1000000), 333333);
	cr_expect_eq(shares_scale(2, 3, 1000000), 666667);
	cr_expect_eq(shares_scale(1ull << 60, 1ull << 61, UINT32_MAX), 1u << 31);
	cr_expect_eq(shares_scale(0, 5, 100), 0);
	cr_expect_eq(shares_scale(5, 5, 100), 100);
}
