/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a worker serves by: the configuration's text, which it compiles itself, and of each http
 * listener whom its groups' requests go to, as the plan in force has it. Written by the daemon,
 * sealed, and never changed: any change is a new snapshot.
 */
#ifndef WEIR_PROXY_SNAPSHOT_H
#define WEIR_PROXY_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/abi.h>

#include "net/addr.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/vec.h"

struct model;
struct plan;
struct whereabouts;

/* An endpoint of a pool. */
struct snapshot_target {
	struct addr address;
	uint16_t port;
	uint8_t proxy_protocol; /* version that it is spoken to with; 0: none */
	uint8_t pad;
	uint32_t row;	 /* in endpoint_http */
	uint32_t weight; /* any scale; 0: gets no requests */
	char group[WEIR_NAME_MAX];
	char name[WEIR_NAME_MAX];
};

/* Whom the requests of a group go to. The first pool of a listener is that of its default groups;
 * where these are near to clients of some regions in another order, each order has one more, for
 * them. The others are those of its virtual groups. */
struct snapshot_pool {
	char group[WEIR_NAME_MAX]; /* "": the default ones */
	uint32_t slots;		   /* that a table for them needs; 0: nobody takes any */
	VEC(struct snapshot_target) targets;
};

struct snapshot_listener {
	char name[WEIR_NAME_MAX];
	uint32_t id; /* in listener_http */
	VEC(struct snapshot_pool) pools;
	/* Owned: WEIR_MAX_REGIONS, by the number of the client's region, which of them is that of
	 * the default groups. NULL: the first, wherever clients are. */
	uint16_t *near;
};

struct snapshot {
	char *text; /* owned */
	uint32_t hash_seed;
	VEC(struct snapshot_listener) listeners;
	/* Owned, and not in the memory: of a listener that asks for it workers set it, or else it
	 * is NULL. */
	struct whereabouts *whereabouts;
};

void snapshot_free(struct snapshot *snapshot);
DEFINE_CLEANUP(struct snapshot *, snapshot_free)

/* Of the model (with addresses for domains) and the plan in force. NULL without memory. */
struct snapshot *snapshot_new(const char *text, const struct model *model, const struct plan *plan);

/* Does it ask where clients are? */
bool snapshot_asks_regions(const struct snapshot *snapshot);

/* Into a sealed piece of memory, whose descriptor is the caller's; and back, of a descriptor that
 * stays the caller's. -errno with a text; -EPROTO: another version's. */
int snapshot_seal(const struct snapshot *snapshot, int *ret, struct err *err);
int snapshot_read(int fd, struct snapshot **ret, struct err *err);

#endif
