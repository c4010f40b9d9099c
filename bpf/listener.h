/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose packet is it? The listener table is an open-addressed hash inside an array, laid out by
 * the daemon: a lookup reads one cache line, rarely two, and calls no helper. An address has a cell
 * of its own (port 0), so that one probe rejects what is not for us; it carries one of its
 * listeners as well, so that for most packets it is the only one. Ranges of ports are not spelled
 * out: an address that has any names a sorted list of them, which is asked last.
 */
#ifndef WEIR_BPF_LISTENER_H
#define WEIR_BPF_LISTENER_H

#include <weir/hash.h>

#include "explain.h"
#include "maps.h"
#include "pkt.h"

static __always_inline const struct weir_half *listener_half(const struct weir_control *control)
{
	__u32 generation = *(const volatile __u32 *)&control->generation;
	const struct weir_half *half = &control->half[generation & 1];

	barrier_var(half); /* one pointer, not one for each of its fields */
	return half;
}

/* What tells a cell from others of its address: a word of it, from `port` on. */
struct listener_key {
	__u16 port;
	__u8 protocol;
	__u8 kind;
};

static __always_inline bool listener_is(const struct weir_listener *cell, const __u8 addr[16],
					__u16 port, __u8 protocol)
{
	struct listener_key key = {
		.port = port,
		.protocol = protocol,
		.kind = port ? WEIR_CELL_LISTENER : WEIR_CELL_ADDRESS,
	};
	__u32 word;

	__builtin_memcpy(&word, &key, sizeof(word));
	return *(const __u32 *)&cell->port == word && addr_same(cell->addr, addr);
}

/* What a probe beyond the first looks for. */
struct listener_search {
	__u8 addr[16];
	__u16 port;
	__u8 protocol;
	__u8 pad;
	__u32 hash;
	__u32 first;
	__u32 mask;
} __attribute__((aligned(8))); /* for addr_copy() */

/* Where the key is, from the second probe on: its index, or -1. A function of its own: see
 * parse_extensions(). */
__noinline int listener_search(const struct listener_search *search)
{
	if (!search)
		return -1;
	for (__u32 i = 1; i < WEIR_MAX_PROBES; i++) {
		__u32 index = search->first + ((search->hash + i) & search->mask);
		const struct weir_listener *cell = bpf_map_lookup_elem(&listeners, &index);

		if (!cell || cell->kind == WEIR_CELL_FREE)
			return -1;
		if (listener_is(cell, search->addr, search->port, search->protocol))
			return index;
	}
	return -1;
}

static __always_inline void listener_explain(__u16 port, __u32 index,
					     const struct weir_listener *cell)
{
	if (port)
		EXPLAIN(LISTENER, index, cell);
	else
		EXPLAIN(ADDRESS, index, cell);
}

/* A cell, or NULL. An address cell has port 0 and protocol 0. */
static __always_inline const struct weir_listener *listener_cell(const struct weir_half *half,
								 const __u8 addr[16], __u16 port,
								 __u8 protocol)
{
	__u32 hash = weir_hash_listener(addr, port, protocol, half->seed);
	__u32 index = half->first + (hash & half->mask);
	const struct weir_listener *cell = bpf_map_lookup_elem(&listeners, &index);
	struct listener_search search;

	if (cell && listener_is(cell, addr, port, protocol)) {
		listener_explain(port, index, cell);
		return cell;
	}
	if (!cell || cell->kind == WEIR_CELL_FREE) {
		listener_explain(port, index, NULL);
		return NULL;
	}
	search = (struct listener_search){
		.port = port,
		.protocol = protocol,
		.hash = hash,
		.first = half->first,
		.mask = half->mask,
	};
	addr_copy(search.addr, addr);
	index = listener_search(&search);
	cell = bpf_map_lookup_elem(&listeners, &index);
	listener_explain(port, index, cell);
	return cell;
}

/* Where in the table an address's ranges are, and which port is looked for. */
struct listener_ranges {
	__u32 first;
	__u32 count; /* below 2^16: each has two ports or more */
	__u16 port;
	__u8 protocol;
	__u8 pad;
};

#define LISTENER_HALVINGS 17

/* The index of the range that has the port, or -1. A function of its own, as listener_search(). */
__noinline int listener_range(const struct listener_ranges *ranges)
{
	__u32 low = 0, high;

	if (!ranges)
		return -1;
	high = ranges->count;
	for (int i = 0; i < LISTENER_HALVINGS && low < high; i++) {
		__u32 middle = (low + high) / 2, index = ranges->first + middle;
		const struct weir_listener *cell = bpf_map_lookup_elem(&listeners, &index);

		if (!cell)
			return -1;
		if (cell->protocol < ranges->protocol ||
		    (cell->protocol == ranges->protocol && cell->last_port < ranges->port))
			low = middle + 1;
		else if (cell->protocol > ranges->protocol || cell->port > ranges->port)
			high = middle;
		else
			return index;
	}
	return -1;
}

/* Does the address's own cell speak for the port? */
static __always_inline bool listener_is_first(const struct weir_listener *address, __u16 port,
					      __u8 protocol)
{
	return port >= address->first_port && port <= address->last_port &&
	       protocol == address->first_protocol;
}

/* The listener of any other port of an address, or NULL. */
static __always_inline const struct weir_listener *listener_of_port(
	const struct weir_half *half, const struct weir_listener *address, __u16 port,
	__u8 protocol)
{
	const struct weir_listener *cell = listener_cell(half, address->addr, port, protocol);
	struct listener_ranges ranges = {
		.first = half->first + address->range_first,
		.count = address->range_count,
		.port = port,
		.protocol = protocol,
	};
	__u32 index;

	if (cell || !(address->flags & WEIR_CELL_HAS_RANGES))
		return cell;
	index = listener_range(&ranges);
	cell = bpf_map_lookup_elem(&listeners, &index);
	listener_explain(port, index, cell);
	return cell;
}

/* The listener of a flow to the address of this cell, or NULL. */
static __always_inline const struct weir_listener *listener_of(const struct weir_half *half,
							       const struct weir_listener *address,
							       const struct weir_flow *flow)
{
	const struct weir_listener *listener = address;

	if (listener_is_first(address, flow->dport, flow->protocol))
		EXPLAIN(FIRST, 0, listener);
	else
		listener = listener_of_port(half, address, flow->dport, flow->protocol);
	return listener;
}

/* Loopback, multicast, unspecified and broadcast send nothing to a listener; nor does itself. */
static __always_inline bool listener_bad_source(const struct pkt *pkt)
{
	const __u8 *src = pkt->flow.src;

	if (addr_same(src, pkt->flow.dst))
		return true;
	if (pkt->version == 4)
		return src[12] == 0 || src[12] == 127 || src[12] >= 224;
	if (src[0] == 0xff)
		return true;
	/* ::, ::1, and IPv4 in disguise. */
	return ((const __u64 *)src)[0] == 0 &&
	       (((const __u32 *)src)[2] == 0 || ((const __u32 *)src)[2] == bpf_htonl(0xffff));
}

#endif
