/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The time that runs evenly, for how long something takes. */
#ifndef WEIR_UTIL_NOW_H
#define WEIR_UTIL_NOW_H

#include <stdint.h>
#include <time.h>

/* By CLOCK_MONOTONIC (us). */
static inline uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ull + now.tv_nsec / 1000;
}

#endif
