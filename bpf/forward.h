/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Out: the Ethernet addresses and VLAN tags of the next hop, and back on the same interface or to
 * another. */
#ifndef WEIR_BPF_FORWARD_H
#define WEIR_BPF_FORWARD_H

#include "explain.h"
#include "head.h"
#include "maps.h"
#include "pkt.h"
#include "vlan.h"

/* A word and a half: memcpy() of six bytes becomes six stores. */
static __always_inline void mac_copy(__u8 to[ETH_ALEN], const __u8 from[ETH_ALEN])
{
	*(__u32 *)to = *(const __u32 *)from;
	*(__u16 *)(to + 4) = *(const __u16 *)(from + 4);
}

static __always_inline bool mac_same(const __u8 a[ETH_ALEN], const __u8 b[ETH_ALEN])
{
	return *(const __u32 *)a == *(const __u32 *)b &&
	       *(const __u16 *)(a + 4) == *(const __u16 *)(b + 4);
}

/* A packet of which the way out takes no more than `room` bytes. */
static __always_inline enum weir_reason too_big(struct pkt *pkt, __u32 room)
{
	const void *end = (void *)(long)pkt->ctx->data_end;

	pkt->room = room;
	if (pkt->version == 4 && within(end, pkt->ip4, sizeof(*pkt->ip4)) &&
	    !(pkt->ip4->frag_off & bpf_htons(IP4_DF)))
		return WEIR_R_TOO_BIG_NO_DF;
	return WEIR_R_TOO_BIG;
}

/* The next hop is passed as one word, read once: the daemon may change it meanwhile. `length` is
 * what the packet has, where nobody has asked yet whether the interface takes it, or 0. No pointer
 * into the packet is good afterwards. */
static __always_inline enum weir_reason forward_length(struct pkt *pkt, struct weir_nexthop nexthop,
						       __u32 length)
{
	__u32 index = nexthop.egress, ifindex;
	struct ethhdr *eth = pkt->eth;
	const struct weir_egress *out;

	if (!index)
		return WEIR_R_NO_NEXT_HOP;
	out = bpf_map_lookup_elem(&egress, &index);
	EXPLAIN(NEXT_HOP, index, out);
	if (!out)
		return WEIR_R_NO_NEXT_HOP;
	ifindex = out->ifindex;
	if (!ifindex)
		return WEIR_R_NO_NEXT_HOP;
	if (length > out->mtu && out->mtu)
		return too_big(pkt, out->mtu);
	pkt->egress = index;
	mac_copy(eth->h_dest, nexthop.mac);
	mac_copy(eth->h_source, out->mac);
	if (ifindex == pkt->ctx->ingress_ifindex)
		pkt->action = XDP_TX;
	else
		pkt->action = bpf_redirect_map(&tx_ports, index, XDP_DROP);
	if (pkt->action == XDP_DROP)
		return WEIR_R_NO_NEXT_HOP;
	if (vlan_of(out) != pkt->vlan && !vlan_write(pkt->ctx, vlan_of(out)))
		return WEIR_R_NO_HEADROOM;
	return GO_ON;
}

static __always_inline enum weir_reason forward(struct pkt *pkt, struct weir_nexthop nexthop)
{
	return forward_length(pkt, nexthop, 0);
}

static __always_inline struct weir_nexthop nexthop_read(const struct weir_nexthop *nexthop)
{
	struct weir_nexthop copy;

	*(__u64 *)&copy = *(const volatile __u64 *)nexthop;
	return copy;
}

/* The egress index of an interface, in VLANs of it; 0 if it is none of ours. Apart, as
 * parse_extensions(). */
__noinline __u32 egress_find(__u32 ifindex, __u32 vlan)
{
	for (__u32 i = 1; i < WEIR_MAX_EGRESS; i++) {
		__u32 index = i; /* the helper takes an address: the counter stays a register */
		const struct weir_egress *out = bpf_map_lookup_elem(&egress, &index);

		if (out && out->ifindex == ifindex && vlan_of(out) == vlan)
			return i;
	}
	return 0;
}

/* Of the way that the packet at hand came. */
static __always_inline __u32 egress_of_ingress(const struct pkt *pkt)
{
	return egress_find(pkt->ctx->ingress_ifindex, pkt->vlan);
}

#endif
