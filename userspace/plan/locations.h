/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where clients are, as plan_build() wants to know it: for every address of either family one
 * region, or none. Made of what is read from files (config/clients.h).
 */
#ifndef WEIR_PLAN_LOCATIONS_H
#define WEIR_PLAN_LOCATIONS_H

#include <stdint.h>

#include "config/clients.h"
#include "util/cleanup.h"

#define LOCATIONS_NOWHERE UINT32_MAX

/* From an address to the one before the next range's. */
struct location {
	struct addr first;
	uint32_t region; /* place in `regions`; LOCATIONS_NOWHERE */
};

struct locations {
	VEC(struct client_region) regions;
	/* By family, IPv4 first: in order, neighbours differ, the first begins with the lowest
	 * address. */
	VEC(struct location) ranges[2];
};

/*
 * Of layers, `count` pointers: what the first does not know, the next may. Within one the longest
 * prefix counts. 0 or -ENOMEM.
 */
int locations_build(const struct clients *const *layers, size_t count, struct locations **ret);

void locations_free(struct locations *locations);
DEFINE_CLEANUP(struct locations *, locations_free)

#endif
