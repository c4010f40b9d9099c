/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Deadlines of many connections, without a system call for any: a wheel of slots, each a list of
 * what may be over in its tick. A deadline that moves back is left where it is, and looked at again
 * when its slot comes round: so a connection that is busy costs nothing here.
 */
#ifndef WEIR_PROXY_WHEEL_H
#define WEIR_PROXY_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_TICK  64 /* ms; a deadline is met at most so much late */
#define WHEEL_SLOTS 1024

struct wheel_timer {
	struct wheel_timer *next, **link; /* link: NULL while it is in no slot */
	uint64_t deadline;		  /* ms; 0: none */
	uint64_t tick;			  /* whose slot it is in */
};

struct wheel {
	struct wheel_timer *slots[WHEEL_SLOTS];
	uint64_t tick; /* the last that was looked at */
	uint32_t count;
};

void wheel_init(struct wheel *wheel, uint64_t now);

/* From now on the deadline (ms); 0: none. */
void wheel_set(struct wheel *wheel, struct wheel_timer *timer, uint64_t deadline);

/* Out of the wheel: before its memory goes. */
void wheel_remove(struct wheel *wheel, struct wheel_timer *timer);

/* The next one that is over at `now`, and in no slot any more; NULL: there is none. */
struct wheel_timer *wheel_expire(struct wheel *wheel, uint64_t now);

/* How long to wait for the next tick (ms); -1: for ever. */
int wheel_wait(const struct wheel *wheel, uint64_t now);

#endif
