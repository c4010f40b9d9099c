/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What stands at the far end of a lane: weir in one of its modes, or what it is compared with. All
 * have the same job where they have one: SUBJECT_VIP4, port SUBJECT_PORT over 100 endpoints on the
 * link that the packets come from, with next hops that are known.
 */
#ifndef BENCH_LIVE_CONTESTANT_H
#define BENCH_LIVE_CONTESTANT_H

#include <stdint.h>

#include "live/pipe.h"
#include "util/cleanup.h"
#include "util/err.h"

struct contestant;

/*
 * By name: `drop` and `tx` are XDP programs that do nothing else, `forward` is the kernel's own
 * forwarding, `nft` an nftables balancer that rewrites the destination, `nft-snat` one that also
 * rewrites the source, as weir's nat does; `nat`, `dsr` are weir's modes. What can be had of
 * nftables for nothing it has: no checksums to verify (a network card does that), no receive
 * offload where there is nothing to merge. -ENOENT: there is no such contestant, or a program that
 * it needs is not installed.
 */
int contestant_new(struct pipe *pipe, const char *name, struct contestant **ret, struct err *err);
void contestant_free(struct contestant *contestant);
DEFINE_CLEANUP(struct contestant *, contestant_free)

/* Forgets all flows. */
int contestant_flush(const struct contestant *contestant, struct err *err);

/* The TCP flags of packets that make a flow known; 0: there is nothing to know. */
uint8_t contestant_opening(const struct contestant *contestant);

/* Nanoseconds per packet; -EPROTO: not all packets became what they should, by what arrives and by
 * the contestant's own counters. */
int contestant_time(struct contestant *contestant, const struct traffic *traffic, uint32_t position,
		    uint32_t count, double *ret_ns, struct err *err);

/* Looks at the checksums of some packets that come out. */
int contestant_check(struct contestant *contestant, const struct traffic *traffic, struct err *err);

/* -EPROTO: it says how many flows it knows, and it is another number. */
int contestant_check_flows(const struct contestant *contestant, uint32_t flows, struct err *err);

#endif
