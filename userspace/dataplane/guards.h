/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a plan's listeners demand of clients, into rows of guards and lines of bounds. For sync.c
 * alone. */
#ifndef WEIR_DATAPLANE_GUARDS_H
#define WEIR_DATAPLANE_GUARDS_H

#include "dataplane/object.h"
#include "plan/plan.h"

/* Gives every new tree of ranges lines that nobody reads; *ret_lines is behind the last. -ENOSPC or
 * -ENOMEM, with a text. */
int guards_place_ranges(const struct plan *in_force, struct plan *next, uint32_t *ret_lines,
			struct err *err);

/* Chooses each listener's row, once its trees have their lines: the one in force, if it says what
 * it should; else the listener's other one. */
void guards_place(const struct object *object, struct plan *next);

/* What the row of a listener says, whose trees have their lines. */
struct weir_guard guards_row(const struct plan_listener *listener);

/* Writes trees and rows that are new; the object has to have them. */
void guards_write(struct object *object, struct plan *next);

#endif
