/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whom listeners let in. The acls that a listener names become one tree of ranges per IP version,
 * built once however many listeners name the same, and kept from plan to plan while it stays as it
 * is. Called by plan_build() alone.
 */
#ifndef WEIR_PLAN_PLAN_ACCESS_H
#define WEIR_PLAN_PLAN_ACCESS_H

#include "plan/plan.h"

struct plan_access_acls {
	const struct addr_prefixes **items; /* the model's */
	size_t count;
	size_t capacity;
};

struct plan_access_entry {
	bool ip6;
	struct plan_access_acls acls; /* of which it was built */
	struct bounds *bounds;	      /* some listener of the plan holds it */
};

/* What has been built for the plan so far. */
struct plan_access {
	const struct model *model;
	const struct plan *in_force;
	VEC(struct plan_access_entry) built;
};

void plan_access_fini(struct plan_access *access);

/* Sets access, lists and ranges of `to`, in which those in force still stand. */
int plan_access_listener(struct plan_access *access, const struct listener *from,
			 struct plan_listener *to, struct err *err);

/* Lets everybody in. */
void plan_access_drop(struct plan_listener *listener);

#endif
