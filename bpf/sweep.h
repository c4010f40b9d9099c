/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the daemon runs now and then (BPF_PROG_TEST_RUN), for the time when no new flows come that
 * would remove what is over. A program, since it finishes what it began even if the daemon is
 * killed, and since there is one piece of code that writes the NAT table.
 */
#ifndef WEIR_BPF_SWEEP_H
#define WEIR_BPF_SWEEP_H

#include "nat_claim.h"

static long sweep_one(__u32 i, struct weir_nat_sweep *sweep)
{
	__u32 index = sweep->first + i;
	const struct weir_nat_tags *tags = nat_bucket_tags(index / WEIR_NAT_WAYS);

	if (!tags)
		return 1;
	if (tags->tag[index % WEIR_NAT_WAYS] && nat_remove_if_over(index, sweep->now))
		sweep->removed++;
	return 0;
}

SEC("syscall")
int weir_sweep(struct weir_nat_sweep *context)
{
	struct weir_nat_sweep sweep = { .first = context->first, .now = context->now };

	bpf_loop(context->count, sweep_one, &sweep, 0);
	context->removed = sweep.removed;
	return 0;
}

#endif
