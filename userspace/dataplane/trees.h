/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A plan's trees of address ranges, of its listeners' acls and of clients, into lines of bounds.
 * For sync.c and drift.c. */
#ifndef WEIR_DATAPLANE_TREES_H
#define WEIR_DATAPLANE_TREES_H

#include "dataplane/object.h"
#include "plan/plan.h"

/* Gives every new tree lines that nobody reads; *ret_lines is behind the last. -ENOSPC or -ENOMEM,
 * with a text. */
int trees_place(const struct plan *in_force, struct plan *next, uint32_t *ret_lines,
		struct err *err);

/* Writes those that have just been given their lines; the object has to have them. */
void trees_write(struct object *object, struct plan *next);

/* Of one that has its lines: are they what they should be? Writes them. */
bool trees_is_written(const struct object *object, const struct bounds *tree);
void trees_write_one(struct object *object, const struct bounds *tree);

#endif
