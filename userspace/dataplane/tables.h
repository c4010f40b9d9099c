/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A plan's slot tables, into lines of the slots map. For sync.c and drift.c. */
#ifndef WEIR_DATAPLANE_TABLES_H
#define WEIR_DATAPLANE_TABLES_H

#include "dataplane/object.h"
#include "plan/plan.h"

/*
 * Gives every table that has changed lines that nobody reads; *ret_lines is behind the last.
 * -ENOSPC or -ENOMEM, with a text. `next` is a whole plan, or some listeners alone. The object
 * remembers which lines are taken, so that a change of few does not ask all: tables_release() or
 * tables_forget() follows.
 */
int tables_place(struct object *object, const struct plan *in_force, struct plan *next,
		 uint32_t *ret_lines, struct err *err);

/* Once nobody reads what these listeners had in force: their former lines are free. */
void tables_release(struct object *object, const struct plan *in_force, const struct plan *part);

/* The next tables_place() looks at the whole plan: after it has changed in any other way. */
void tables_forget(struct object *object);

/* Writes those that have just been given their lines; the object has to have them. */
void tables_write(struct object *object, struct plan *next);

/*
 * Writes a table where it is. Each slot is stored whole, since programs may be reading it; its
 * `previous` before it says MOVING, and only then: whoever has still read MOVING must not find the
 * next owner there.
 */
void tables_write_slots(struct object *object, const struct plan_table *table);

/* Of each family's tables the last deadline, or 0. */
void tables_deadlines(const struct plan_listener *listener, uint32_t ret[PLAN_FAMILIES]);

#endif
