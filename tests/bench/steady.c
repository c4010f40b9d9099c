// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "steady.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "util/cleanup.h"

#define STATS_FILE "/proc/sys/kernel/bpf_stats_enabled"

/* The kernel's own statistics would cost more than what is measured. */
int steady_kernel(struct err *err)
{
	_cleanup_(fclosep) FILE *file = fopen(STATS_FILE, "re");

	if (file && fgetc(file) == '1')
		return err_set(err, -EBUSY,
			       "kernel.bpf_stats_enabled is 1, which costs 95 ns per run; run: "
			       "sysctl kernel.bpf_stats_enabled=0");
	return 0;
}

void steady_processor(void)
{
	cpu_set_t allowed, one;

	setpriority(PRIO_PROCESS, 0, -20);
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static int compare_numbers(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double steady_median(double *numbers, size_t count)
{
	qsort(numbers, count, sizeof(*numbers), compare_numbers);
	return (numbers[(count - 1) / 2] + numbers[count / 2]) / 2;
}
