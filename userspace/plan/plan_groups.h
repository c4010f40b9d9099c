/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A listener's groups by their distance from the node, and their regions. Called by plan_build()
 * alone. */
#ifndef WEIR_PLAN_PLAN_GROUPS_H
#define WEIR_PLAN_PLAN_GROUPS_H

#include "plan/plan.h"

/*
 * Sets to->groups: those in the node's own region first, the others by their latency, those of
 * which none is known last; the file's order decides where that is the same. 0 or -ENOMEM.
 */
int plan_groups_fill(const struct model *model, const struct overrides *overrides,
		     const struct listener *from, struct plan_listener *to);

/*
 * Numbers for the regions of the plan: those of the one in force keep theirs, and none is given
 * anew before the plan after it. plan_groups_begin() first, plan_groups_end() last. -ENOSPC: more
 * than there are numbers.
 */
void plan_groups_begin(struct plan *plan);
int plan_groups_region(struct plan *plan, const char *name, struct err *err);
void plan_groups_end(struct plan *plan);

/* In listener->groups; their number if there is none of this name. */
uint16_t plan_groups_place(const struct plan_listener *listener, const char *name);

#endif
