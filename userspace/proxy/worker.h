/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A worker: the process that reads what clients of http listeners send. It has no privileges and no
 * file but those that it is handed: listening sockets, snapshots of the configuration, the maps
 * that it counts in. Whoever may connect to its control socket tells it what to do; that is the
 * daemon, or the next one. It does not end with the daemon: it serves by the last snapshot.
 */
#ifndef WEIR_PROXY_WORKER_H
#define WEIR_PROXY_WORKER_H

#include <stdint.h>

struct logger;

enum worker_order {
	WORKER_LISTEN = 1,   /* with a listening TCP socket: where connections come from */
	WORKER_SNAPSHOT = 2, /* with a sealed snapshot, and the maps listener_http, endpoint_http,
			      * nat_latency: answered once it is in force; with `regions`, where
			      * clients are; with a file, the access log's, from then on */
	WORKER_LOG = 5,	     /* the file has been opened anew: with it */
	WORKER_TALLY = 6, /* with the file that it counts in, and a block of it, which it has for as
			   * long as it lives; before the first snapshot */
	WORKER_ROUTING = 7, /* with the maps of enum routing_map, which it has for as long as it
			     * lives */
	WORKER_DRAIN = 3,   /* takes no new connections; ends with the last of those it has */
	WORKER_END = 4,	    /* at once */
};

/* A message to a worker. */
struct worker_message {
	uint32_t order;		       /* enum worker_order */
	uint32_t listeners, endpoints; /* of SNAPSHOT: entries of the maps */
	uint32_t regions; /* of SNAPSHOT: 1: there are whereabouts, behind the maps; or 0 */
	uint64_t number;  /* of SNAPSHOT: comes back with the answer; of TALLY: a block */
};

/* And its answer to a snapshot. */
struct worker_answer {
	uint64_t number;
	int32_t error; /* 0, or -errno: the one before is still in force */
	uint32_t pad;
};

/* With a control socket, which listens, so many descriptors, and what the access log is written by.
 * Returns the exit status of the process. */
int worker_run(int control, uint32_t number, uint32_t descriptors, struct logger *logger);

#endif
