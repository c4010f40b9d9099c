/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which table is whose: blocks of rows in clients, of listeners with tables by their clients'
 * regions. For sync.c and drift.c. */
#ifndef WEIR_DATAPLANE_BLOCKS_H
#define WEIR_DATAPLANE_BLOCKS_H

#include "dataplane/object.h"
#include "plan/plan.h"

/*
 * Once trees and tables have their lines: each listener keeps the block in force if that says what
 * it should, and else gets one that nobody reads; *ret_rows is behind the last of these. -ENOSPC or
 * -ENOMEM, with a text.
 */
int blocks_place(const struct object *object, const struct plan *in_force, struct plan *next,
		 uint32_t *ret_rows, struct err *err);

/* Writes those that have just been given; the object has to have them. */
void blocks_write(struct object *object, struct plan *next);

/* Of one listener's, which has its rows: are they what they should be? Writes them. `tree`: the
 * plan's, of the family. */
bool blocks_is_written(const struct object *object, const struct plan_listener *listener,
		       enum plan_family family, const struct bounds *tree);
void blocks_write_one(struct object *object, const struct plan_listener *listener,
		      enum plan_family family, const struct bounds *tree);

#endif
