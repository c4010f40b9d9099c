/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What makes numbers steady. */
#ifndef BENCH_STEADY_H
#define BENCH_STEADY_H

#include <stddef.h>

#include "util/err.h"

/* -EBUSY: the kernel is set up in a way that would cost more than what is measured. */
int steady_kernel(struct err *err);

/* One CPU, and before other processes: both make times steadier, neither is needed. */
void steady_processor(void);

/* Sorts the numbers. */
double steady_median(double *numbers, size_t count);

#endif
