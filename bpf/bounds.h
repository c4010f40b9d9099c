/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Between which bounds does an address lie? The daemon lays ranges of addresses out as a tree of
 * sorted bounds (abi.h): one cache line per level, no helper. acl.h asks it whom a listener lets
 * in, client.h where a client is.
 */
#ifndef WEIR_BPF_BOUNDS_H
#define WEIR_BPF_BOUNDS_H

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
 * Which bound is the last that is not above the address: WEIR_BOUNDS_IP4 times its line in the map,
 * and its place in that, which is odd within a range; or -1. A function of its own: see
 * parse_extensions().
 */
__noinline int bounds_find(const struct bounds_search *search)
{
	__u32 width, node = 0, last, found = 0;

	if (!search)
		return -1;
	width = search->ip6 ? WEIR_BOUNDS_IP6 : WEIR_BOUNDS_IP4;
	/* 64 bits: Linux 6.1 forgets the value of a smaller counter that is put on the stack. */
	for (__u64 level = 0; level < WEIR_BOUNDS_LEVELS; level++) {
		__u32 index = search->line + node;
		const struct weir_bounds *line;

		if (level == search->levels)
			return found;
		line = bpf_map_lookup_elem(&bounds, &index);
		if (!line)
			return -1;
		last = bounds_count(line, search) - 1; /* the first bound of all is 0 */
		found = index * WEIR_BOUNDS_IP4 + last;
		node = node * width + 1 + last;
	}
	return found;
}

/* What to look for: an address in a tree of its family. */
static __always_inline void bounds_ask(struct bounds_search *search,
				       const struct weir_ranges *ranges, const __u8 addr[16],
				       bool ip6)
{
	*search = (struct bounds_search){
		.line = ranges->line,
		.levels = ranges->levels,
		.ip6 = ip6,
	};
	if (ip6) {
		search->addr.high = bpf_be64_to_cpu(((const __be64 *)addr)[0]);
		search->addr.low = bpf_be64_to_cpu(((const __be64 *)addr)[1]);
	} else {
		search->addr.low = bpf_ntohl(addr_to_ip4(addr));
	}
}

#endif
