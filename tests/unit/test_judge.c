// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the first probe decides, from then on as many in a row as the threshold says, either way;
 * and what people are shown of it is right at every step.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "health/judge.h"

static const struct probe_result passed = { .latency = 1234 };
static const struct probe_result refused = { .reason = WEIR_HEALTH_REFUSED, .detail = 111 };
static const struct probe_result late = { .reason = WEIR_HEALTH_CONNECT_TIMEOUT };

/* '+' passes, '-' is refused, '~' is too late; the states after each: n, a. */
static void expect(const char *probes, uint8_t threshold, const char *states)
{
	struct weir_health health = { .state = WEIR_HEALTH_UNKNOWN };
	uint64_t now = 1000, since = 0;
	unsigned changes = 0;

	for (size_t i = 0; probes[i]; i++, now++) {
		const struct probe_result *result = probes[i] == '+'   ? &passed
						    : probes[i] == '-' ? &refused
								       : &late;
		uint8_t before = health.state;
		bool decided = judge(&health, result, threshold, now);

		cr_assert_eq(health.state,
			     states[i] == 'n' ? WEIR_HEALTH_NORMAL : WEIR_HEALTH_ABNORMAL,
			     "%s, threshold %u: after %zu", probes, threshold, i + 1);
		cr_assert_eq(decided, health.state != before);
		if (decided) {
			since = now;
			changes += i > 0;
		}
		cr_assert_eq(health.since, since);
		cr_assert_eq(health.changes, changes);
		cr_assert_eq(health.threshold, threshold);
		cr_assert_lt(health.streak, threshold);
	}
}

Test(judge, the_first_decides)
{
	expect("+", 3, "n");
	expect("-", 3, "a");
	expect("~", 10, "a");
}

Test(judge, a_threshold_in_a_row_changes_the_state)
{
	expect("+--", 2, "nna");
	expect("+---", 3, "nnna");
	expect("---+++", 3, "aaaaan");
	expect("+-~-", 3, "nnna");
	expect("+---------+", 10, "nnnnnnnnnnn");
	expect("+----------", 10, "nnnnnnnnnna");
}

Test(judge, one_that_differs_begins_the_count_anew)
{
	expect("+--+--+--+---", 3, "nnnnnnnnnnnna");
	expect("-++-++-+++", 3, "aaaaaaaaan");
	expect("+-+-+-+-+-", 2, "nnnnnnnnnn");
	expect("+--++--++", 2, "nnaannaan");
}

Test(judge, says_why)
{
	struct weir_health health = { .state = WEIR_HEALTH_UNKNOWN };

	judge(&health, &passed, 2, 10);
	cr_expect_eq(health.reason, WEIR_HEALTH_NONE);
	cr_expect_eq(health.latency, 1234);
	judge(&health, &refused, 2, 11);
	cr_expect_eq(health.state, WEIR_HEALTH_NORMAL);
	cr_expect_eq(health.streak, 1);
	cr_expect_eq(health.reason, WEIR_HEALTH_REFUSED);
	cr_expect_eq(health.detail, 111);
	judge(&health, &late, 2, 12);
	cr_expect_eq(health.state, WEIR_HEALTH_ABNORMAL);
	cr_expect_eq(health.reason, WEIR_HEALTH_CONNECT_TIMEOUT);
	cr_expect_eq(health.detail, 0);
	/* What it recovers from stays to be seen until it has. */
	judge(&health, &passed, 2, 13);
	cr_expect_eq(health.streak, 1);
	cr_expect_eq(health.reason, WEIR_HEALTH_CONNECT_TIMEOUT);
	judge(&health, &passed, 2, 14);
	cr_expect_eq(health.state, WEIR_HEALTH_NORMAL);
	cr_expect_eq(health.reason, WEIR_HEALTH_NONE);
	cr_expect_eq(health.changes, 2);
	/* A single failure that passes leaves no reason behind. */
	judge(&health, &refused, 2, 15);
	judge(&health, &passed, 2, 16);
	cr_expect_eq(health.reason, WEIR_HEALTH_NONE);
	cr_expect_eq(health.since, 14);
}

Test(judge, a_lower_threshold_holds_at_once)
{
	struct weir_health health = { .state = WEIR_HEALTH_UNKNOWN };

	judge(&health, &passed, 10, 10);
	for (int i = 0; i < 5; i++)
		cr_expect_not(judge(&health, &refused, 10, 11));
	cr_expect(judge(&health, &refused, 2, 12));
	cr_expect_eq(health.state, WEIR_HEALTH_ABNORMAL);
}
