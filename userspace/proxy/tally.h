/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What workers count of http listeners and their rules, beside the traffic that the maps of the
 * data plane have, and what they know together of endpoints: a file, /run/INSTANCE/tally, that they
 * and whoever looks at it map. It outlives the daemon as the maps do, and takes memory only for
 * what is used of it.
 *
 * Each worker has a block of its own, in which nobody else writes, so that it counts without locked
 * instructions; a reader adds up the blocks. A block is held by a lock that ends with its worker;
 * the next one goes on from there, and nothing is forgotten. What happens just now, open
 * connections and requests under way, is only read in blocks that are held.
 *
 * A listener and a rule have the same row in all blocks, named by the daemon and kept for good: a
 * worker that still serves by an older configuration counts where it should. So has an endpoint
 * with a limit or passive health.
 */
#ifndef WEIR_PROXY_TALLY_H
#define WEIR_PROXY_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/nat.h>

#include "config/http.h"
#include "http/accesslog.h"
#include "net/addr.h"
#include "util/cleanup.h"
#include "util/err.h"

#define TALLY_PATH_MAX	96
#define TALLY_LISTENERS 16384u
#define TALLY_RULES	131072u
#define TALLY_ENDPOINTS 32768u
#define TALLY_ENDS	16u

struct tally_listener {
	uint64_t ends[TALLY_ENDS]; /* requests, by enum accesslog_end */
	uint64_t
		took[WEIR_LATENCY_ENTRIES]; /* ... by how long they took in all, as weir_nat_latency
					     */
	uint64_t took_us;		    /* the sum of that */
	uint64_t connections, requests;	    /* open, under way just now */
	uint64_t routed;		    /* of the requests: by the kernel */
};

struct tally_block {
	uint64_t lines_lost; /* of the access log */
	uint8_t pad[4088];
	struct tally_listener listeners[TALLY_LISTENERS];
	uint64_t rules[TALLY_RULES];	/* requests that the rule took */
	uint32_t busy[TALLY_ENDPOINTS]; /* requests that the endpoint has just now */
};

/* An endpoint whose requests fail: what all workers know and change, by atomic operations. */
struct tally_endpoint {
	uint32_t failures; /* in a row */
	uint32_t times;	   /* that it was put aside */
	uint64_t until;	   /* ms, CLOCK_MONOTONIC: it is put aside; 0: it never was */
	uint8_t pad[48];
};

_Static_assert((unsigned)ACCESSLOG_ENDS <= TALLY_ENDS, "each end has its counter");
_Static_assert(sizeof(struct tally_listener) % 64 == 0, "listeners share no cache line");
_Static_assert(sizeof(struct tally_endpoint) == 64, "endpoints share no cache line");
_Static_assert(sizeof(struct tally_block) % 4096 == 0, "blocks are mapped one by one");

/* Who an endpoint is, over all configurations. */
struct tally_name {
	const char *listener, *group, *endpoint;
	const struct addr *address; /* one of a domain's, or its own */
	uint16_t port;
};

struct tally;

/* Where the file of an instance is. */
const char *tally_path(const char *instance, char path[TALLY_PATH_MAX]);

/* Opens the file at `path` to look at it. -ENOENT: there is none; -EPROTO: another version's. */
int tally_open(const char *path, struct tally **ret, struct err *err);

/* The same as the daemon does: it is made where it is missing, or another version's. */
int tally_make(const char *path, struct tally **ret, struct err *err);

void tally_free(struct tally *tally);
DEFINE_CLEANUP(struct tally *, tally_free)

/*
 * A block that no living process holds, as the daemon lends it to a worker: a descriptor of the
 * file, which holds the block for as long as some process has it open. The caller closes it.
 * -EBUSY: all blocks are held.
 */
int tally_lend(struct tally *tally, uint32_t *ret_block);

/* The file as the worker maps it that a block was lent to; the descriptor is the tally's then. */
int tally_attach(int fd, uint32_t block, struct tally **ret);

/* The worker's own. */
struct tally_block *tally_own(struct tally *tally);

/* The row of a listener, of a rule of it, of an endpoint of it, or -ENOENT. */
int tally_find_listener(struct tally *tally, const char *listener);
int tally_find_rule(struct tally *tally, const char *listener, const struct http_rule *rule);
int tally_find_endpoint(struct tally *tally, const struct tally_name *endpoint);

/* The same; the daemon gives them one where they have none. -ENOSPC: there are no more. */
int tally_name_listener(struct tally *tally, const char *listener);
int tally_name_rule(struct tally *tally, const char *listener, const struct http_rule *rule);
int tally_name_endpoint(struct tally *tally, const struct tally_name *endpoint);

/* What is known of an endpoint, by its row; in the file. */
struct tally_endpoint *tally_endpoint(struct tally *tally, int row);

/*
 * A worker takes one of `most` requests that the endpoint may have at a time: false if all workers
 * together have as many. Two that ask at once may both be refused the last one, never both have it.
 */
bool tally_take(struct tally *tally, int row, uint32_t most);
void tally_give(struct tally *tally, int row);

/* Looks which blocks there are, and which are held, for the sums that follow. 0 or -errno. */
int tally_refresh(struct tally *tally);

/* Over all blocks, of a row or (-ENOENT, ...) of nothing. */
void tally_sum_listener(const struct tally *tally, int row, struct tally_listener *ret);
uint64_t tally_sum_rule(const struct tally *tally, int row);

/* What is known of an endpoint just now: nothing, if it has neither a limit nor passive health. */
struct tally_sight {
	bool known;
	uint32_t busy;	/* requests under way; counted where there is a limit */
	uint32_t aside; /* ms that it is put aside for; 0: it is not */
	uint32_t times; /* that it was put aside */
};
void tally_look(struct tally *tally, const struct tally_name *endpoint, struct tally_sight *ret);
uint64_t tally_lines_lost(const struct tally *tally);

/* Adds to a counter that nobody else writes. */
static inline void tally_add(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, *counter + value, __ATOMIC_RELAXED);
}

#endif
