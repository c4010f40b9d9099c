/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where things go: listener ids, endpoint rows, egress and SNAT indices. What is already there
 * keeps its place; what is new takes one that nothing refers to. Called by plan_build() alone.
 *
 * A listener's rows are one block with room to grow, since slots count from its start. When the
 * block is full it moves to a larger one: places in it stay the same, and the old rows remain
 * beside the new ones as long as flows name them.
 */
#ifndef WEIR_PLAN_PLAN_PLACES_H
#define WEIR_PLAN_PLAN_PLACES_H

#include "plan/plan.h"

/* The listener of this name and protocol, or a new one. -ENOSPC: too many. */
int plan_places_listener(struct plan *plan, const struct listener *model,
			 struct plan_listener **ret, struct err *err);

/* Makes the block large enough for `wanted` endpoints beside those that are leaving. */
int plan_places_block(struct plan *plan, struct plan_listener *listener, size_t wanted,
		      struct err *err);

/* Appends the endpoint in a free row of the block, with the row's next generation. */
int plan_places_row(struct plan *plan, struct plan_listener *listener,
		    struct plan_endpoint *endpoint, struct err *err);

/* An index for every interface that carries the data plane. */
int plan_places_egress(struct plan *plan, const struct facts *facts, struct err *err);

/* Consecutive rows for the source addresses towards an endpoint; sets endpoint->snat, snat_rows.
 * None is set while the endpoint has no route. */
int plan_places_snat(struct plan *plan, const struct listener *listener, const struct model *model,
		     const struct facts *facts, struct plan_endpoint *endpoint, struct err *err);

#endif
