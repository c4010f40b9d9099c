/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where is the client, and so which groups are near to it? Only of listeners whose groups lie in
 * several regions, where the configuration says of clients in which they are: their cell has the
 * flag WEIR_CELL_CLIENT_REGIONS, which is read anyway, and others pay nothing.
 */
#ifndef WEIR_BPF_CLIENT_H
#define WEIR_BPF_CLIENT_H

#include "bounds.h"
#include "explain.h"
#include "maps.h"
#include "pkt.h"

/* The number of a bound's region, as bounds_find() returns the bound; or -1. */
static __always_inline int client_region(__u32 bound)
{
	__u32 line = bound / WEIR_BOUNDS_IP4, place = bound % WEIR_BOUNDS_IP4;
	const struct weir_bound_regions *regions = bpf_map_lookup_elem(&bound_regions, &line);

	if (!regions)
		return -1;
	EXPLAIN(REGION, bound, &regions->region[place]);
	return regions->region[place];
}

/*
 * The row of `clients` that names the table for a flow's client, or -1. `block`: where the
 * listener's rows begin, `highest`: the last of its numbers. A function of its own, so that those
 * which have none do not carry it.
 */
__noinline int client_row(const struct weir_flow *flow, __u32 block, __u32 highest, bool ip6)
{
	const struct weir_clients *first = bpf_map_lookup_elem(&clients, &block);
	struct bounds_search search;
	int bound, region;

	if (!flow || !first)
		return -1;
	bounds_ask(&search, &first->of.regions, flow->src, ip6);
	bound = bounds_find(&search);
	if (bound < 0)
		return -1;
	region = client_region(bound);
	if (region < 0 || (__u32)region > highest)
		return -1;
	return block + 1 + region;
}

#endif
