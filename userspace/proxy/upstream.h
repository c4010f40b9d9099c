/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections of a worker to endpoints. One that is free waits for the next request to the same
 * address, the one that was used last first; the others go after a while.
 */
#ifndef WEIR_PROXY_UPSTREAM_H
#define WEIR_PROXY_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "net/addr.h"
#include "proxy/conn.h"

struct engine;
struct stream;

struct upstream {
	struct conn conn; /* the first: see struct source */
	struct engine *engine;
	struct upstreams *to;
	struct stream *stream;	       /* whose exchange it is; NULL: it waits */
	struct upstream *next, **link; /* among those that wait */
	uint64_t since;		       /* ms: waits since then */
	bool connecting;
	bool used;	 /* it has been answered on before */
	uint32_t place;	 /* 1 + that in the programs' maps, where it is lent: see shortcut.h */
	uint64_t cookie; /* ... of its socket */
};

/* All connections to an address and port. */
struct upstreams {
	struct upstreams_key {
		struct addr address;
		uint16_t port;
	} key;
	unsigned references;	  /* of targets in setups, and of connections */
	struct upstream *waiting; /* the last used first */
	struct upstream *lent;	  /* to the kernel */
	struct upstreams **all;
	UT_hash_handle hh;
};

/* Finds or makes it, among all, which begin as NULL; a reference is the caller's. NULL without
 * memory. */
struct upstreams *upstreams_get(struct upstreams **all, const struct addr *address, uint16_t port);
void upstreams_unref(struct upstreams *upstreams);

/* One that waits, for no longer than `most` (ms); NULL: there is none. */
struct upstream *upstream_take(struct upstreams *upstreams, struct engine *engine, uint64_t most);

/* A new one, still connecting. 0 or -errno. */
int upstream_connect(struct upstreams *upstreams, struct engine *engine, struct upstream **ret);

/* After a whole answer: it waits for the next request. */
void upstream_keep(struct upstream *upstream);

/* The same: the kernel has it for requests that it routes. And the answer to one of them is the
 * stream's. */
void upstream_lend(struct upstream *upstream);
void upstream_resume(struct upstream *upstream, struct stream *stream);

/* Of no more use. */
void upstream_close(struct upstream *upstream);

/* Closes one that waits: true if there is one. */
bool upstreams_relinquish(struct upstreams *all);

/* Closes those that have waited too long. */
void upstreams_tidy(struct upstreams *all, uint64_t now);

#endif
