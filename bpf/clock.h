/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one place where BPF reads the time; control.clock_offset lets tests advance it. */
#ifndef WEIR_BPF_CLOCK_H
#define WEIR_BPF_CLOCK_H

#include "pkt.h"

#define NANOSECONDS 1000000000ull

/* Seconds, as user space reads them from CLOCK_MONOTONIC_COARSE. */
static __always_inline __u32 clock_now(const struct weir_control *control)
{
	return bpf_ktime_get_coarse_ns() / NANOSECONDS + control->clock_offset;
}

#endif
