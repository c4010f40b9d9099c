/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What shortcut.c (connections) and shortcut_lanes.c (where requests go, and their counts) share.
 */
#ifndef WEIR_PROXY_SHORTCUT_INTERNAL_H
#define WEIR_PROXY_SHORTCUT_INTERNAL_H

#include <weir/plain.h>

#include "dataplane/routing.h"
#include "proxy/engine.h"
#include "proxy/shortcut.h"
#include "proxy/upstream.h"

#define SHORTCUT_HALF (WEIR_ROUTING_LANES / 2)

/* An endpoint by a rule of a service: whom what the kernel has counted is of. */
struct shortcut_lane {
	const struct service *service;
	const struct target *target;
	uint32_t rule; /* its index; UINT32_MAX: none */
	struct weir_routing_lane counted;
};

/* Those of a setup: the one in force and the one before take turns, so that what was under way at
 * a change is counted where it belongs. */
struct shortcut_half {
	struct setup *setup; /* a reference, or NULL */
	uint32_t count;
	struct shortcut_lane lanes[SHORTCUT_HALF];
};

struct shortcut_way {
	struct upstream *upstream; /* NULL: nobody is there */
	uint64_t held;		   /* ms: since then a program may still look at it; 0: none does */
};

struct shortcut_pool {
	struct upstreams_key key;
	bool taken;
	struct shortcut_way ways[WEIR_ROUTING_WAYS];
};

struct shortcut {
	struct source source; /* of what the programs say */
	struct engine *engine;
	struct routing *routing;
	struct weir_routing *memory;
	struct shortcut_half halves[2];
	struct shortcut_pool pools[WEIR_ROUTING_POOLS];
	struct client *clients[WEIR_ROUTING_CLIENTS];
	uint16_t free[WEIR_ROUTING_CLIENTS];  /* places: free_count from free_first on, the oldest
						 first */
	uint64_t freed[WEIR_ROUTING_CLIENTS]; /* ms, of each place; 0: never */
	uint32_t free_first, free_count;
	uint64_t counted, looked; /* ms */
	uint64_t routes;	  /* that were written */
	struct plain_room room;
};

/* The pool of an address, or -ENOSPC. */
int shortcut_pool_of(struct shortcut *shortcut, const struct upstreams_key *key);

/* What the kernel has routed, into the counters of the service. */
void shortcut_count(struct shortcut *shortcut);

#endif
