/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs and maps by which the kernel routes requests for one worker of http listeners
 * (bpf/router.bpf.c). The daemon loads them and hands the maps to the worker, which needs no
 * privileges to use them; they end with it.
 */
#ifndef WEIR_DATAPLANE_ROUTING_H
#define WEIR_DATAPLANE_ROUTING_H

#include <stdint.h>

#include <weir/routing.h>

#include "util/cleanup.h"
#include "util/err.h"

enum routing_map {
	ROUTING_CLIENT_SOCKETS,
	ROUTING_UPSTREAM_SOCKETS,
	ROUTING_PLACES,
	ROUTING_ROUTES,
	ROUTING_MEMORY,
	ROUTING_SAID,
	ROUTING_MAPS,
};

/* New maps, with the programs on them: their descriptors are the caller's. 0 or -errno with a text
 * that says what the kernel has said. */
int routing_load(int ret[ROUTING_MAPS], struct err *err);

struct routing;

/* The worker's end; the descriptors are the routing's then. 0 or -errno. */
int routing_open(const int fds[ROUTING_MAPS], struct routing **ret);
void routing_close(struct routing *routing);
DEFINE_CLEANUP(struct routing *, routing_close)

/* What both sides write: single words, and those that both change by atomic operations. */
struct weir_routing *routing_memory(struct routing *routing);

/*
 * A connected socket that has a place from now on: with WEIR_ROUTING_IS_UPSTREAM it is one to an
 * endpoint. It leaves with close(2); its cookie is forgotten by routing_forget(). -EOPNOTSUPP: it
 * is not connected any more; -E2BIG: there is no room.
 */
int routing_enter(struct routing *routing, uint32_t place, int socket, uint64_t *ret_cookie);
void routing_forget(struct routing *routing, uint64_t cookie);

/* Where what is asked for goes from now on; NULL: no longer anywhere. */
int routing_set(struct routing *routing, const struct weir_routing_key *key,
		const struct weir_routing_route *route);

/* Becomes readable when the programs have something to say. */
int routing_descriptor(const struct routing *routing);

/* Calls `said` with each place that they name, with WEIR_ROUTING_IS_UPSTREAM where it is one. */
void routing_hear(struct routing *routing, void (*said)(void *user, uint32_t place), void *user);

#endif
