/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A snapshot, ready to serve by: listeners found by the address and port that a client has
 * connected to, their rules compiled, their groups as pools to choose from. A request under way
 * holds the one that it began with.
 */
#ifndef WEIR_PROXY_SETUP_H
#define WEIR_PROXY_SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include "config/model.h"
#include "net/addr.h"
#include "proxy/snapshot.h"
#include "util/err.h"

struct rules;
struct upstreams;

/* Somebody to send requests to. */
struct target {
	const struct snapshot_target *endpoint;
	struct upstreams *upstreams; /* connections to it, over all setups; a reference */
};

struct pool {
	struct target *targets;
	size_t count;
	uint32_t slots;	 /* of the table, a power of two; 0: nobody takes requests */
	uint16_t *table; /* slot to target; made when it is first needed */
	uint32_t turn;	 /* the slot before the next request's */
};

struct service {
	const struct listener *listener;
	uint32_t id; /* in listener_http */
	struct rules *rules;
	struct pool *pools; /* the first: of default groups */
	size_t count;
	uint16_t *pool_of; /* by the group's place in the listener: which of the pools */
};

struct setup {
	unsigned references;
	uint64_t number; /* of those of a worker: another one may come to lie where this one did */
	struct snapshot *snapshot;
	struct setup_text *text; /* the model; as long as the text is the same, it is shared */
	struct service *services;
	size_t count;
	struct lookup by_address;
};

/* Takes the snapshot. `before` (NULL: there is none) may share its compiled text, and `upstreams`
 * are all that there are. One reference is the caller's. */
int setup_new(struct snapshot *snapshot, const struct setup *before, struct upstreams **upstreams,
	      struct setup **ret, struct err *err);
struct setup *setup_ref(struct setup *setup);
void setup_unref(struct setup *setup);

/* The service of an address and port, or NULL. */
const struct service *setup_find(const struct setup *setup, const struct addr *address,
				 uint16_t port);

/*
 * Whom the next request goes to: by weight, or, with client affinity, by the client's address.
 * `not` (NULL: anybody) has failed already. NULL: there is nobody, or nobody else.
 */
const struct target *setup_choose(const struct setup *setup, const struct service *service,
				  struct pool *pool, const struct addr *client,
				  const struct target * not );

#endif
