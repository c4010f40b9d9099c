/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a plan's listeners demand of clients, into rows of guards. For sync.c alone. */
#ifndef WEIR_DATAPLANE_GUARDS_H
#define WEIR_DATAPLANE_GUARDS_H

#include "dataplane/object.h"
#include "plan/plan.h"

/* Chooses each listener's row, once its trees have their lines: the one in force, if it says what
 * it should; else the listener's other one. */
void guards_place(const struct object *object, struct plan *next);

/* What the row of a listener says, whose trees have their lines. */
struct weir_guard guards_row(const struct plan_listener *listener);

/* Writes those that are new; the object has to have them. */
void guards_write(struct object *object, const struct plan *next);

#endif
