/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A snapshot, ready to serve by: listeners found by the address and port that a client has
 * connected to, their rules compiled, their groups as pools that choice.c chooses from. A request
 * under way holds the one that it began with.
 */
#ifndef WEIR_PROXY_SETUP_H
#define WEIR_PROXY_SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include "config/model.h"
#include "net/addr.h"
#include "proxy/snapshot.h"
#include "util/cleanup.h"
#include "util/err.h"

struct rules;
struct rules_verdict;
struct tally_endpoint;
struct tally_listener;
struct upstreams;

/* Somebody to send requests to. */
struct target {
	const struct snapshot_target *endpoint;
	const struct endpoint_group *group; /* of the model */
	struct upstreams *upstreams;	    /* connections to it, over all setups; a reference */

	/* What choice.c goes by. */
	uint32_t most;		       /* requests at a time; 0: any number */
	int row;		       /* in the tally, or -ENOENT */
	struct tally_endpoint *shared; /* in the tally, of those with passive health; or NULL */
	uint64_t since;		       /* ms: takes requests since then; 0: it always did */
	uint32_t walk;		       /* the last of the pool's that has met it */
	bool is_serving;	       /* slots name it */
};

struct pool {
	const struct snapshot_pool *from;
	struct target *targets;
	size_t count;
	uint32_t slots;	 /* of the table, a power of two; 0: nobody takes requests */
	uint16_t *table; /* slot to target; made when it is first needed */
	uint32_t turn;	 /* the slot before the next request's */

	/* What choice.c goes by. */
	bool plain;	     /* nobody has a limit, passive health or a slow start */
	bool is_routable;    /* ... nor the PROXY protocol: the kernel may choose, too */
	uint16_t *sample;    /* targets, for that: see shortcut.c */
	uint32_t serving;    /* targets that slots name */
	uint32_t walk;	     /* the last one's number */
	uint32_t started;    /* the most that any target has of its share, ... */
	uint64_t started_at; /* ... as it was then; ms */
};

struct service {
	const struct listener *listener;
	uint32_t id; /* in listener_http */
	struct rules *rules;
	struct pool *pools; /* as those of the snapshot's listener */
	size_t count;
	bool is_routable; /* the kernel may route requests; its rules ask for host and path only */
	uint16_t
		*pool_of; /* by the group's place in the listener: which of the pools; 0: default */
	const uint16_t
		*near; /* by the client's region: which of them for default groups, or NULL */

	/* Where sight.c counts; the memory is the engine's. */
	struct tally_listener *tally;
	uint64_t **rule_tallies; /* by the rule's index; an array of the service's own */
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
DEFINE_CLEANUP(struct setup *, setup_unref)

/* The service of an address and port, or NULL. */
const struct service *setup_find(const struct setup *setup, const struct addr *address,
				 uint16_t port);

/* The number of the region in which a client is, as far as that makes a difference to the service;
 * 0: of none. */
uint8_t setup_region(const struct setup *setup, const struct service *service,
		     const struct addr *client);

/* Where a request of a client of a region goes that its rules, or none of them, send to endpoints:
 * to a virtual group's, or to those of the default groups that are near to the client. */
struct pool *setup_pool(const struct service *service, const struct rules_verdict *verdict,
			uint8_t region);

#endif
