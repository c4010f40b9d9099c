/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How fast may a source open flows? A bucket per listener and source, kept as one word: the time
 * until which the source has used up its pace (the generic cell rate algorithm). A new flow moves
 * it by one interval, and is refused where that would lead too far ahead of now.
 *
 * A bucket whose time is past says nothing, so that none is ever deleted: another source takes its
 * place. A line that is full of sources which are ahead of their pace gives up the one that is
 * least so: under a flood from very many addresses limits may lapse, but nobody is refused for
 * somebody else's flows.
 *
 * A new flow is a SYN without a record, or a UDP packet without one; a stateless listener has no
 * records, so that a SYN sent again counts once more. An IPv6 source is its /64.
 */
#ifndef WEIR_BPF_LIMIT_H
#define WEIR_BPF_LIMIT_H

#include <weir/hash.h>

#include "clock.h"
#include "explain.h"
#include "maps.h"
#include "pkt.h"
#include "stats.h"

#define LIMIT_TRIES	4 /* other CPUs change a source's bucket meanwhile */
#define LIMIT_TAG_SHIFT 48

/* Set before the program is loaded. */
const volatile __u32 source_mask = 0;

/* A new flow of a source. */
struct limit_request {
	__u64 hash;
	__u64 now;   /* us */
	__u32 slack; /* us that a source may be ahead, this flow included */
	__u32 interval;
};

enum limit_result {
	LIMIT_KEPT,   /* let it pass */
	LIMIT_BROKEN, /* refuse it */
	LIMIT_FULL,   /* let it pass; somebody else's bucket has been taken for it */
	LIMIT_RACE,   /* ask again */
};

/* The way of the tag, or else the one whose time is earliest: the verifier walks this once. */
__noinline int limit_way(const struct weir_sources *line, __u64 tag)
{
	__u64 earliest = ~0ull;
	int best = 0;

	if (!line)
		return 0;
	for (int i = 0; i < (int)WEIR_SOURCE_WAYS; i++) {
		__u64 bucket = *(const volatile __u64 *)&line->bucket[i];

		if (bucket >> LIMIT_TAG_SHIFT == tag)
			return i;
		if ((bucket & WEIR_SOURCE_TIME) < earliest) {
			earliest = bucket & WEIR_SOURCE_TIME;
			best = i;
		}
	}
	return best;
}

static __always_inline enum limit_result limit_try(struct weir_sources *line,
						   const struct limit_request *request)
{
	__u64 tag = request->hash >> LIMIT_TAG_SHIFT, before, until;
	__u32 way = limit_way(line, tag);
	enum limit_result result = LIMIT_KEPT;

	/* The compiler knows that it is less, and would leave out the bound; the verifier does not.
	 */
	asm volatile("" : "+r"(way));
	way &= WEIR_SOURCE_WAYS - 1;
	before = *(volatile __u64 *)&line->bucket[way];
	until = before & WEIR_SOURCE_TIME;
	if (before >> LIMIT_TAG_SHIFT != tag) {
		result = until > request->now ? LIMIT_FULL : LIMIT_KEPT;
		until = request->now;
	}
	if (until < request->now)
		until = request->now;
	until += request->interval;
	if (until > request->now + request->slack)
		return LIMIT_BROKEN;
	if (EXPLAINING)
		return result;
	if (__sync_val_compare_and_swap(&line->bucket[way], before,
					tag << LIMIT_TAG_SHIFT | until) != before)
		return LIMIT_RACE;
	return result;
}

/*
 * Of a packet that opens a flow to a listener whose guard has a limit. A function of its own, so
 * that those which have none do not carry it. Returns an enum weir_reason.
 */
__noinline int limit_flow(const struct weir_flow *flow, const struct weir_guard *guard,
			  __u32 listener, bool ip6)
{
	enum limit_result result = LIMIT_RACE;
	struct limit_request request;
	const struct weir_control *all;
	__u32 index = 0;
	struct weir_sources *line;
	__u64 source[2];

	all = bpf_map_lookup_elem(&control, &index);
	if (!flow || !guard || !all)
		return WEIR_R_INTERNAL;
	addr_copy((__u8 *)source, flow->src);
	if (ip6)
		source[1] = 0;
	request = (struct limit_request){
		.hash = weir_hash_source(listener, (__u8 *)source, all->nat_seed),
		.now = clock_us(all),
		.interval = guard->limit_interval,
		.slack = guard->limit_interval * guard->limit_burst,
	};
	index = request.hash & source_mask;
	line = bpf_map_lookup_elem(&sources, &index);
	if (!line)
		return WEIR_R_INTERNAL;
	for (int i = 0; i < LIMIT_TRIES && result == LIMIT_RACE; i++)
		result = limit_try(line, &request);
	if (result == LIMIT_FULL)
		count(listener, WEIR_R_SOURCES_FULL);
	return result == LIMIT_BROKEN || result == LIMIT_RACE ? WEIR_R_SOURCE_LIMITED : GO_ON;
}

#endif
