/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What all sequences of test_sequences.c come to, and what of it would show a test of nothing. */
#ifndef WEIR_TESTS_BPF_SEQUENCES_TOTALS_H
#define WEIR_TESTS_BPF_SEQUENCES_TOTALS_H

#include <criterion/criterion.h>
#include <stdint.h>

#define SEQUENCES 200 /* unless others are asked for */

struct totals {
	uint64_t packets, asked, changes, windows, lost;
	uint64_t single, beyond; /* changes of one endpoint; that moved 3 points needlessly */
	uint64_t redealt;
	double worst_single, worst_several;
	uint64_t stable, stable_moved, other, other_moved, nat, nat_broken;
};

static inline void totals_report(const struct totals *totals, uint64_t first, uint64_t count)
{
	cr_log_info("%lu sequences from seed %lu: %lu packets, %lu of them explained before, %lu "
		    "changes, %lu of them in the window of another, %lu flows lost with their "
		    "endpoint",
		    count, first, totals->packets, totals->asked, totals->changes, totals->windows,
		    totals->lost);
	cr_log_info("%lu changes of one endpoint moved at most %.2f points of slots too many, %lu "
		    "of them more than 3; several at once %.2f; %lu tables in part dealt anew",
		    totals->single, totals->worst_single, totals->beyond, totals->worst_several,
		    totals->redealt);
	cr_assert_leq(totals->beyond * 100, totals->single);
	/* All of it happened, or the test shows nothing. */
	cr_assert(count < SEQUENCES ||
		  (totals->packets > 100000 * count && totals->windows > 5 * count &&
		   totals->lost > 100 * count && totals->redealt > count / 2 &&
		   totals->stable > 1000 * count && totals->other_moved && totals->nat_broken));
	cr_log_info("takeover: %lu flows in STABLE slots, %lu moved; %lu in others, %lu moved; %lu "
		    "nat flows, %lu broken",
		    totals->stable, totals->stable_moved, totals->other, totals->other_moved,
		    totals->nat, totals->nat_broken);
}

#endif
