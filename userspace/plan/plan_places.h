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
#include "util/lookup.h"

/* While one plan is built. */
struct plan_places {
	struct plan *plan; /* begins as a copy of the one in force */
	const struct plan *in_force;
	bool *rows;	       /* taken */
	bool *ids;	       /* taken */
	uint32_t free_run[32]; /* no run of 2^i free rows begins before this */
	uint32_t free_id;      /* no lower one is free */
	struct lookup by_name; /* of plan->listeners */
};

/* 0 or -ENOMEM. The plan's listeners are not to be reordered until plan_places_fini(). */
int plan_places_init(struct plan_places *places, struct plan *plan, const struct plan *in_force);
void plan_places_fini(struct plan_places *places);

/* The listener of this name and protocol, or a new one. -ENOSPC: too many. */
int plan_places_listener(struct plan_places *places, const struct listener *model,
			 struct plan_listener **ret, struct err *err);

/* The same listener as it is in force; NULL: it is new. */
const struct plan_listener *plan_places_before(const struct plan_places *places,
					       const struct plan_listener *listener);

/* Makes the block large enough for `wanted` endpoints beside those that are leaving. */
int plan_places_block(struct plan_places *places, struct plan_listener *listener, size_t wanted,
		      struct err *err);

/* Appends the endpoint in a free row of the block, with the row's next generation. */
int plan_places_row(struct plan_places *places, struct plan_listener *listener,
		    struct plan_endpoint *endpoint, struct err *err);

/* Must it have an index? A VLAN device that leads to no endpoint only leads back to clients. */
bool plan_places_is_needed(const struct facts *facts, const struct facts_interface *interface);

/* An index for every interface that carries the data plane, and the VLAN devices on them, as long
 * as there are any. -ENOSPC: there is none for one that must have it. */
int plan_places_egress(struct plan *plan, const struct facts *facts, struct err *err);

/* The index of an interface; 0: it has none. */
uint32_t plan_places_find_egress(const struct plan *plan, const struct facts_interface *interface);

/* The addresses that flows to an endpoint's address come from: those that the configuration names,
 * or the route's. Their number; 0: the configuration names none of its family, and there is no
 * route. */
size_t plan_places_sources(const struct listener *listener, const struct model *model,
			   const struct facts *facts, const struct addr *to,
			   struct addr ret[WEIR_MAX_SNAT]);

/* Consecutive rows for the source addresses towards an endpoint; sets endpoint->snat, snat_rows.
 * None is set while the endpoint has no route. */
int plan_places_snat(struct plan *plan, const struct listener *listener, const struct model *model,
		     const struct facts *facts, struct plan_endpoint *endpoint, struct err *err);

#endif
