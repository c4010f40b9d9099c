/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is due when: thousands of moments behind one timer. A binary heap of entries that their
 * owner keeps; pure, so that tests bring the clock.
 */
#ifndef WEIR_HEALTH_SCHEDULE_H
#define WEIR_HEALTH_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "util/vec.h"

struct schedule_entry {
	uint64_t due; /* ms */
	size_t place; /* in the heap, + 1; 0: it is in none */
};

struct schedule {
	VEC(struct schedule_entry *) heap;
};

void schedule_fini(struct schedule *schedule);

/* Enters it, or moves it to another moment. 0 or -ENOMEM, which only an entry that is new gets. */
int schedule_set(struct schedule *schedule, struct schedule_entry *entry, uint64_t due);

/* Takes it out, if it is in. */
void schedule_remove(struct schedule *schedule, struct schedule_entry *entry);

/* The one that is due first, NULL if there is none. */
struct schedule_entry *schedule_first(const struct schedule *schedule);

/*
 * When the probe after one that began at `begun` is due: an interval later, or up to a tenth of it
 * sooner, by a number that is random (0 to UINT32_MAX), so that the probes of many endpoints spread
 * out and stay so. Never before `now`.
 */
uint64_t schedule_next(uint64_t begun, uint32_t interval, uint32_t random, uint64_t now);

/* When the first one is: within the interval, but within a second, since it decides. */
uint64_t schedule_begin(uint32_t interval, uint32_t random, uint64_t now);

#endif
