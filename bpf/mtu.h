/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The path MTU to an endpoint in a tunnel. A router that finds one of our outer packets too big
 * says so to us, not to the client: the endpoint's MTU is lowered in its row, so that the next
 * packet of that size is answered with what it has room for. When that has been so for
 * WEIR_TIMEOUT_MTU, the next packet that is too big puts the route's MTU back and tries: nothing
 * has to age, and no packet that fits pays for it.
 */
#ifndef WEIR_BPF_MTU_H
#define WEIR_BPF_MTU_H

#include "clock.h"
#include "explain.h"
#include "maps.h"
#include "pkt.h"

/* Less than these no link has: a lie (RFC 791 on hosts, RFC 8200). */
#define MTU_MIN_IP4 576
#define MTU_MIN_IP6 1280

/* False: it is not to be believed, or nothing new. */
static __always_inline bool mtu_learn(const struct pkt *pkt, struct weir_endpoint *endpoint,
				      __u32 mtu)
{
	/* Read before it is looked for: if another CPU has lowered it, its entry is found. */
	__u16 now = *(const volatile __u16 *)&endpoint->mtu;
	struct learned_mtu *before = bpf_map_lookup_elem(&learned_mtus, &pkt->endpoint);
	struct learned_mtu learned = {
		.generation = endpoint->generation,
		.seen = clock_now(pkt->control),
		.mtu = mtu,
		.route = now,
	};

	if (mtu >= now || mtu < (addr_is_ip4(endpoint->addr) ? MTU_MIN_IP4 : MTU_MIN_IP6))
		return false;
	if (EXPLAINING) {
		EXPLAIN_WITHHELD(MTU, mtu);
		return true;
	}
	if (before && before->generation == learned.generation)
		learned.route = before->route;
	if (bpf_map_update_elem(&learned_mtus, &pkt->endpoint, &learned, BPF_ANY))
		return false; /* the map is full: it could not be taken back */
	endpoint->mtu = mtu;
	return true;
}

/* Of a packet of `length` bytes that is too big for the endpoint in `row`: is it no longer? A
 * function of its own, as parse_extensions(). */
__noinline bool mtu_recovers(__u32 row, __u32 length, __u32 now)
{
	struct weir_endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &row);
	struct learned_mtu *learned = bpf_map_lookup_elem(&learned_mtus, &row);
	__u16 route;

	if (!learned || !endpoint || !weir_is_over(now, learned->seen, WEIR_TIMEOUT_MTU))
		return false;
	/* Unless the row is somebody else's. When the daemon writes another MTU, it removes what
	 * was learned. */
	route = learned->generation == endpoint->generation ? learned->route : endpoint->mtu;
	if (EXPLAINING) {
		EXPLAIN_WITHHELD(MTU, route);
		return length <= route;
	}
	if (endpoint->mtu != route)
		endpoint->mtu = route;
	bpf_map_delete_elem(&learned_mtus, &row);
	return length <= route;
}

#endif
