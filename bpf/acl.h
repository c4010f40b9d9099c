/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whom does a listener let in? Its lists of addresses are ranges, laid out by the daemon as a tree
 * of sorted bounds (abi.h): one cache line per level, no helper, and published with the listener.
 * It takes 26 ns for 16 prefixes and 52 for 10 000 (IPv6: 30 and 74), whatever the address. An LPM
 * trie takes 4 for an address that is far from all of them and 117 for one among 10 000, and cannot
 * be swapped as one.
 */
#ifndef WEIR_BPF_ACL_H
#define WEIR_BPF_ACL_H

#include "explain.h"
#include "maps.h"
#include "pkt.h"

/* What is looked for. */
struct bounds_search {
	struct weir_bound6 addr; /* of IPv4 `low` alone */
	__u32 line;
	__u32 levels;
	__u32 ip6;
	__u32 pad;
};

/* a < b + borrow, as 0 or 1: without a branch, since each would double what the verifier walks.
 * Hacker's Delight, 2-13. */
static __always_inline __u64 borrow(__u64 a, __u64 b, __u64 in)
{
	return ((~a & b) | (~(a ^ b) & (a - b - in))) >> 63;
}

/* How many bounds of the line are not above the address. */
static __always_inline __u32 bounds_count(const struct weir_bounds *line,
					  const struct bounds_search *search)
{
	__u32 count = 0;

	if (search->ip6) {
		for (__u32 i = 0; i < WEIR_BOUNDS_IP6; i++) {
			__u64 low = borrow(search->addr.low, line->of.ip6[i].low, 0);

			count += !borrow(search->addr.high, line->of.ip6[i].high, low);
		}
		return count;
	}
	for (__u32 i = 0; i < WEIR_BOUNDS_IP4; i++) {
		__u64 below = search->addr.low - line->of.ip4[i];

		asm volatile("" : "+r"(below)); /* else it becomes a branch */
		count += 1 - (below >> 63);
	}
	return count;
}

/*
 * The index of the last bound that is not above the address, counted from its line's first one
 * (lines have an even number), or -1. A function of its own: see parse_extensions().
 */
__noinline int bounds_find(const struct bounds_search *search)
{
	__u32 width, node = 0, last = 0;

	if (!search)
		return -1;
	width = search->ip6 ? WEIR_BOUNDS_IP6 : WEIR_BOUNDS_IP4;
	/* 64 bits: Linux 6.1 forgets the value of a smaller counter that is put on the stack. */
	for (__u64 level = 0; level < WEIR_BOUNDS_LEVELS; level++) {
		__u32 index = search->line + node;
		const struct weir_bounds *line;

		if (level == search->levels)
			return last;
		line = bpf_map_lookup_elem(&bounds, &index);
		if (!line)
			return -1;
		last = bounds_count(line, search) - 1; /* the first bound of all is 0 */
		node = node * width + 1 + last;
	}
	return last;
}

/* Of a listener with a guard. */
static __always_inline enum weir_reason acl_check(const struct pkt *pkt,
						  const struct weir_guard *guard)
{
	bool ip6 = pkt->version == 6;
	const struct weir_ranges *ranges = &guard->ranges[ip6];
	struct bounds_search search = {
		.line = ranges->line,
		.levels = ranges->levels,
		.ip6 = ip6,
	};
	int found;

	if (guard->access == WEIR_ACCESS_ALL)
		return GO_ON;
	if (ip6) {
		search.addr.high = bpf_be64_to_cpu(((const __be64 *)pkt->flow.src)[0]);
		search.addr.low = bpf_be64_to_cpu(((const __be64 *)pkt->flow.src)[1]);
	} else {
		search.addr.low = bpf_ntohl(addr_to_ip4(pkt->flow.src));
	}
	found = bounds_find(&search);
	EXPLAIN_NUMBER(BOUND, found);
	if (found < 0)
		return WEIR_R_INTERNAL;
	return (found & 1) == (guard->access == WEIR_ACCESS_ALLOW) ? GO_ON : WEIR_R_ACL_DENIED;
}

#endif
