/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where clients are, for workers: the trees of the plan in force (plan/bounds.h), in a sealed piece
 * of memory beside the snapshot. Workers may not call bpf(2), and the lines of a tree in the map
 * are another's as soon as the data plane has no use for it; so they have a copy, one for all of
 * them, that is made anew only when a tree is another one.
 */
#ifndef WEIR_PROXY_WHEREABOUTS_H
#define WEIR_PROXY_WHEREABOUTS_H

#include <stdint.h>

#include "net/addr.h"
#include "plan/plan.h"
#include "util/cleanup.h"
#include "util/err.h"

struct whereabouts;

/* Of the plan's trees, NULL where nothing is known of a family; the descriptor is the caller's. And
 * back, of a descriptor that stays the caller's. -errno with a text; -EPROTO: another version's. */
int whereabouts_seal(struct bounds *const trees[PLAN_FAMILIES], int *ret, struct err *err);
int whereabouts_read(int fd, struct whereabouts **ret, struct err *err);

void whereabouts_free(struct whereabouts *whereabouts);
DEFINE_CLEANUP(struct whereabouts *, whereabouts_free)

/* The number of the region in which a client is; 0: of none. */
uint8_t whereabouts_region(const struct whereabouts *whereabouts, const struct addr *client);

#endif
