/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Weighted Maglev: which endpoint gets which slot of a table. Pure and deterministic: the same
 * endpoints give byte-identical tables on every node, whatever their order in the file, and a
 * change moves few slots beyond those it must (how few, and what cannot be avoided when several
 * weights change at once, stands in maglev.c).
 *
 * Source: Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
 * section 3.4, with weights and quotas: endpoints go through their permutations at a pace in
 * proportion to the weight, and stop at their exact share (largest remainder).
 */
#ifndef WEIR_PLAN_MAGLEV_H
#define WEIR_PLAN_MAGLEV_H

#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"

struct maglev_endpoint {
	struct addr address; /* identity, with the port */
	uint16_t port;
	uint32_t weight; /* relative, any scale; 0: gets no slot */
};

/*
 * Slots that a table for these endpoints needs: the smallest power of two >= 100 * sum / smallest
 * weight > 0 and >= 100 * count (at least 512), at most max(WEIR_MAX_TABLE, 128 * count rounded up
 * to a power of two). 0 if all weights are 0.
 */
uint32_t maglev_size(const struct maglev_endpoint *endpoints, size_t count);

/* The same, of `count` endpoints whose weights have this sum, and this smallest but 0. */
uint32_t maglev_slots(size_t count, uint64_t sum, uint32_t smallest);

/*
 * The number of classes that slots fall into (maglev.c), if there are so many endpoints. Class c of
 * those beyond a power of two P is half of class c - P: a 1 / (2 * P) of all slots.
 */
uint32_t maglev_classes(size_t count);

/*
 * Fills table[0..size), size a power of two, with indices into `endpoints`. Each endpoint with a
 * weight has size * weight / sum slots, rounded by largest remainder (ties by identity), at least
 * one. Tables of the same `count` are alike, those of different sizes too, and those of one more or
 * less nearly: list all that may have a weight at some time. 0, or -ENOMEM, or -EINVAL if no
 * endpoint has a weight or there are more of them than slots.
 */
int maglev_fill(const struct maglev_endpoint *endpoints, size_t count, uint32_t size,
		uint16_t *table);

#endif
