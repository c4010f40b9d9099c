/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one place where BPF reads the time; control.clock_offset lets tests advance it. */
#ifndef WEIR_BPF_CLOCK_H
#define WEIR_BPF_CLOCK_H

#include <weir/clock.h>

#include "pkt.h"

#define NANOSECONDS 1000000000ull

/* Seconds, as user space makes them of CLOCK_MONOTONIC_COARSE. */
static __always_inline __u32 clock_now(const struct weir_control *control)
{
	return weir_seconds(bpf_ktime_get_coarse_ns()) + control->clock_offset;
}

/* Microseconds of the same clock, exact. */
static __always_inline __u64 clock_us(const struct weir_control *control)
{
	return bpf_ktime_get_ns() / 1000 + control->clock_offset * 1000000ull;
}

#endif
