/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Folds a listener's groups, their percentages and the weights of their endpoints into one weight
 * for each endpoint that takes new flows: what a slot table is made of, and a worker's pool.
 *
 * Who takes new flows: endpoints of usable groups, and a group is usable if one of its endpoints
 * is. An endpoint is usable if it has a weight, if health checks have nothing against it
 * (plan_is_usable()), and if a packet to it would leave. Where none could be reached, that is
 * forgotten: their packets then say so. Where still none is left, a listener that fails open uses
 * the endpoints of the nearest group that have a weight.
 */
#ifndef WEIR_PLAN_PLAN_SHARES_H
#define WEIR_PLAN_PLAN_SHARES_H

#include "plan/maglev.h"
#include "plan/plan.h"

struct plan_shares {
	/* Whom slots can name; those that are drained, dead or stand by with the weight 0. */
	struct maglev_endpoint *endpoints;
	uint32_t *places; /* of these, in listener->endpoints */
	size_t count;
	uint64_t sum; /* of their weights; 0: nobody takes new flows */
	/*
	 * How many slots the endpoints want, by configuration alone, whatever is drained or dead
	 * and whatever table is in force, so that every node deals them alike, and who comes back
	 * after an hour finds the others where they were.
	 */
	uint32_t slots;
};

/*
 * For clients of a family to whom the groups are near in this order (of places in
 * listener->groups; NULL: as they stand). 0 or -ENOMEM; plan_shares_fini() frees.
 */
int plan_shares_fold(const struct plan_listener *listener, enum plan_family family,
		     const uint16_t *order, struct plan_shares *ret);

/* The same of one group of an http listener alone, a virtual one; whoever it is that asks. */
int plan_shares_group(const struct plan_listener *listener, const char *group,
		      struct plan_shares *ret);
void plan_shares_fini(struct plan_shares *shares);

/* Do clients of a family find nobody who takes new flows? False where they have no address to come
 * to, and without memory. */
bool plan_shares_nobody(const struct plan_listener *listener, enum plan_family family);

#endif
