/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The wrapper program and its user: gives packets of a row to a program, and times it. A time is
 * the processor time of the calling thread, which is pinned to one CPU, so that what other
 * processes take does not count.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>

#include "traffic.h"
#include "util/cleanup.h"
#include "util/err.h"

struct measure;

int measure_new(struct measure **ret, struct err *err);
void measure_free(struct measure *measure);
DEFINE_CLEANUP(struct measure *, measure_free)

struct traffic_room *measure_room(struct measure *measure);

/* Makes a program (a descriptor) a target: its index. -errno: it cannot be tail-called. */
int measure_add(struct measure *measure, int program, struct err *err);

/* What to run: `count` packets from flow `position` on, to the target with this index. */
struct measure_run {
	const struct traffic *traffic;
	uint32_t target;
	uint32_t position;
	uint32_t count;
	uint32_t verdict; /* expected */
};

/* Nanoseconds per packet. -EPROTO: another verdict. */
int measure_time(struct measure *measure, const struct measure_run *run, double *ret_ns,
		 struct err *err);

/* Runs all flows of run->traffic once, and learns the flows of the answers. */
int measure_learn(struct measure *measure, const struct measure_run *run, struct traffic *replies,
		  struct err *err);

/* Runs one packet and checks what came of it: its checksums; after XDP_PASS, that it is as it was.
 * -EPROTO: it is not right. */
int measure_check(struct measure *measure, const struct measure_run *run, struct err *err);

#endif
