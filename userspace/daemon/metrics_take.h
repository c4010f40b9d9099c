/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Takes a snapshot of what metrics tell, a part at a time, so that the daemon's loop is never kept:
 * reading the counters of a row is two calls of the kernel.
 */
#ifndef WEIR_DAEMON_METRICS_TAKE_H
#define WEIR_DAEMON_METRICS_TAKE_H

#include "daemon/daemon.h"
#include "daemon/metrics_text.h"

struct metrics_taking {
	struct metrics_snapshot *snapshot; /* owned */
	uint64_t generation;		   /* of the plan that it is of */
	size_t listeners;
	size_t next; /* listener of the plan */
	uint64_t nat_flows;
	size_t rows;
	unsigned restarts;
};

/* What the daemon knows beside the maps. */
struct metrics_daemon {
	double start, configuration_time;
	uint32_t configuration;
};

void metrics_take_fini(struct metrics_taking *taking);

/* Goes on, from zeroes on: 1 if there is more to do, 0 when the snapshot is whole. Begins anew
 * where the plan has become another one. */
int metrics_take(struct daemon *daemon, const struct metrics_daemon *known,
		 struct metrics_taking *taking);

#endif
