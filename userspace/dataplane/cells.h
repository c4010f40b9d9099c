/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The listener table: an open-addressed hash inside an array, so that BPF looks it up inline in one
 * or two cache lines (bpf/listener.h). The writer chooses size and seed such that no key lies more
 * than WEIR_MAX_PROBES cells from its place. A single port is a key; a range of ports is a cell
 * behind the hash table, in the list of its address.
 */
#ifndef WEIR_DATAPLANE_CELLS_H
#define WEIR_DATAPLANE_CELLS_H

#include <weir/abi.h>

#include "plan/plan.h"

struct cells_places {
	VEC(uint32_t) list;
};

/* So many cells for keys (addresses, and single ports of addresses) are roomy. */
uint64_t cells_wanted(uint64_t keys);

/*
 * Writes a listener that is in the table anew: another slot table, or none. Its cells' places, from
 * the first of the half on, are added to *ret. 0 or -ENOMEM.
 */
int cells_rewrite(struct weir_listener *cells, const struct weir_half *half,
		  const struct plan_listener *listener, struct cells_places *ret);

/* Cells of a half, the ranges' included. */
uint32_t cells_count(const struct weir_half *half);

/*
 * Lays out the plan's addresses and listeners. All of half but `first` is set. *ret has
 * cells_count(half) cells and is the caller's: more than `room` only where that would be more than
 * half full. -ENOSPC: too many addresses x ports.
 */
int cells_build(const struct plan *plan, uint32_t room, struct weir_half *half,
		struct weir_listener **ret, struct err *err);

/*
 * Calls `each` with every cell, by its place in the map (`first` is that of `cells`), that is not
 * as it would be for this plan, and the name of its listener. A cell of an address that is SNAT's
 * alone may be there and say more than is needed: it outlives what needed it. 0 or -ENOMEM.
 */
int cells_compare(const struct plan *plan, const struct weir_listener *cells,
		  const struct weir_half *half, uint32_t first,
		  void each(void *user, uint32_t place, const char *listener), void *user);

#endif
