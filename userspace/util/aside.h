/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One piece of work beside an event loop, in a thread of its own, for what would keep the loop from
 * everything else: reading a large file. It touches nothing that the loop's thread may change
 * meanwhile, and writes no log: what it has found out, it leaves for who is called when it is done.
 */
#ifndef WEIR_UTIL_ASIDE_H
#define WEIR_UTIL_ASIDE_H

#include "util/loop.h"

struct aside;

struct aside_work {
	void (*work)(void *user); /* in the thread */
	void (*done)(void *user); /* on the loop, afterwards */
	void *user;
};

/* Begins. -errno: there is no thread to be had. The loop's signals stay the loop's. */
int aside_start(struct loop *loop, const struct aside_work *work, struct aside **ret);

/* Waits for the work, if it is not done yet; then nobody is called. NULL is fine, and so is a call
 * within done(). */
void aside_free(struct aside *aside);

#endif
