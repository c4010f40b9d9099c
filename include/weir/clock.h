/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The time of flows and deadlines, one rule for both halves. */
#ifndef WEIR_CLOCK_H
#define WEIR_CLOCK_H

#include <linux/types.h>

/*
 * Seconds of nanoseconds, for 30 years of them: too few by one second in 60 years, but without a
 * division, which takes a processor as long as half a dozen loads.
 */
static inline __attribute__((always_inline)) __u32 weir_seconds(__u64 ns)
{
	return (ns >> 24) * 288230376 >> 34; /* 2^58 / 10^9 */
}

#endif
