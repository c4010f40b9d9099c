/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which clients find a listener's groups near in which order: numbers for their regions, the trees
 * by which the data plane tells a client's, and a slot table for each order. But for
 * plan_clients_recall() called by plan_build() alone.
 */
#ifndef WEIR_PLAN_PLAN_CLIENTS_H
#define WEIR_PLAN_PLAN_CLIENTS_H

#include "plan/plan.h"

/* The regions in which the plan's clients are. */
struct plan_clients_regions {
	const struct model *model;
	const struct plan *plan;		       /* has their names */
	bool present[PLAN_FAMILIES][WEIR_MAX_REGIONS]; /* by number; never 0 */
};

/*
 * Sets the plan's trees, of what facts know, and marks the regions that they name as used. Where
 * facts do not know where clients are, those in force stay. -ENOSPC, -E2BIG: too many regions or
 * ranges, with a text; -ENOMEM.
 */
int plan_clients_begin(struct plan *plan, const struct model *model, const struct facts *facts,
		       struct plan_clients_regions *ret, struct err *err);

/*
 * Gives the listener, whose groups are filled in, a table for each order in which they are near to
 * clients and each table that these have had so far: those slots are in it, order and origin are
 * set. 0 or -ENOMEM.
 */
int plan_clients_arrange(const struct plan_clients_regions *regions,
			 struct plan_listener *listener);

/* After they are built: tables that nothing tells apart any more become one. */
void plan_clients_merge(struct plan_listener *listener);

/* Trees that no listener asks for go. */
void plan_clients_end(struct plan *plan);

/* Of a plan that has been read from the maps, which have no orders: sets those of its tables, by
 * the model that is in force. 0 or -ENOMEM. */
int plan_clients_recall(struct plan *plan, const struct model *model);

#endif
