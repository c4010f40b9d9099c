/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * VLAN tags: those that a frame has, and those of its way out in their place. A frame leaves in the
 * VLANs of its next hop, whichever it came in; where they are the same, nothing is written, so that
 * a tag which only tells a priority stays, too.
 */
#ifndef WEIR_BPF_VLAN_H
#define WEIR_BPF_VLAN_H

#include "parse.h"
#include "pkt.h"

#define VLAN_MAX_L2   22     /* bytes of Ethernet header, tags included */
#define VLAN_PRIORITY 0xf000 /* of a tag: PCP, and DEI, which goes with it */

/* What vlan_parse() returns, from the lowest bits on: bytes of the Ethernet header with its tags,
 * type of what follows in host order, and the tags as in weir_egress.vlan. */
#define VLAN_TYPE_SHIFT		 16
#define VLAN_TAGS_SHIFT		 32
#define VLAN_PARSED_L2(parsed)	 ((parsed)&0xffff)
#define VLAN_PARSED_TYPE(parsed) ((__u16)((parsed) >> VLAN_TYPE_SHIFT))
#define VLAN_PARSED_TAGS(parsed) ((__u32)((parsed) >> VLAN_TAGS_SHIFT))

/* Tags as single ones, and as the word that they are compared by. */
union vlan_tags {
	__u16 tag[WEIR_VLANS];
	__u32 word;
};

/* As above; all ones: it is not there. A function of its own, as parse_extensions(): the verifier
 * knows nothing of its result, and so walks what follows once instead of once per number of tags.
 */
__noinline __u64 vlan_parse(struct xdp_md *ctx)
{
	const void *end = (void *)(long)ctx->data_end;
	const struct ethhdr *eth = (void *)(long)ctx->data;
	const struct vlan_header *header = (void *)(eth + 1);
	__u32 size = sizeof(*eth);
	__u16 outer = 0, inner = 0;
	union vlan_tags tags;
	__be16 type;

	if (!within(end, eth, sizeof(*eth)))
		return ~0ull;
	type = eth->h_proto;
	for (__u32 i = 0; i < WEIR_VLANS; i++, header++, size += sizeof(*header)) {
		__u16 tag;

		if (!vlan_header_follows(type))
			break;
		if (!within(end, header, sizeof(*header)))
			return ~0ull;
		tag = bpf_ntohs(header->tci) & WEIR_VLAN_ID;
		if (tag && type == bpf_htons(ETH_P_8021AD))
			tag |= WEIR_VLAN_8021AD;
		if (!outer)
			outer = tag;
		else
			inner = tag;
		type = header->ethertype;
	}
	tags = (union vlan_tags){ .tag = { outer, inner } };
	return (__u64)tags.word << VLAN_TAGS_SHIFT | (__u64)bpf_ntohs(type) << VLAN_TYPE_SHIFT |
	       size;
}

/* Ethernet, from `eth` on, with these tags, each of that priority; the addresses are there. */
static __always_inline void vlan_put(struct ethhdr *eth, union vlan_tags tags, __be16 priority,
				     __be16 type)
{
	__be16 *at = (void *)eth + offsetof(struct ethhdr, h_proto);

	for (__u32 i = 0; i < WEIR_VLANS; i++) {
		if (!tags.tag[i])
			break;
		*at++ = bpf_htons(tags.tag[i] & WEIR_VLAN_8021AD ? ETH_P_8021AD : ETH_P_8021Q);
		*at++ = priority | bpf_htons(tags.tag[i] & WEIR_VLAN_ID);
	}
	*at = type;
}

/*
 * The frame gets these tags instead of its own, and each of them the priority of its outermost one.
 * No pointer into the packet is good afterwards. A function of its own, as parse_extensions().
 * False: the driver left no room.
 */
__noinline bool vlan_write(struct xdp_md *ctx, __u32 word)
{
	union vlan_tags tags = { .word = word };
	__u64 parsed = vlan_parse(ctx), l2 = VLAN_PARSED_L2(parsed);
	int size = sizeof(struct ethhdr) + (tags.tag[0] ? sizeof(struct vlan_header) : 0) +
		   (tags.tag[1] ? sizeof(struct vlan_header) : 0);
	struct ethhdr *eth = (void *)(long)ctx->data;
	__be16 type = bpf_htons(VLAN_PARSED_TYPE(parsed));
	const struct vlan_header *outer = (void *)(eth + 1);
	__u32 addresses[3];
	__be16 priority = 0;

	if (l2 > VLAN_MAX_L2 || !within((void *)(long)ctx->data_end, eth, VLAN_MAX_L2))
		return false;
	if (l2 > sizeof(*eth))
		priority = outer->tci & bpf_htons(VLAN_PRIORITY);
	for (int i = 0; i < 3; i++)
		addresses[i] = ((const __u32 *)eth)[i];
	if (bpf_xdp_adjust_head(ctx, (int)l2 - size))
		return false;
	eth = (void *)(long)ctx->data;
	if (!within((void *)(long)ctx->data_end, eth, VLAN_MAX_L2))
		return false;
	for (int i = 0; i < 3; i++)
		((__u32 *)eth)[i] = addresses[i];
	vlan_put(eth, tags, priority, type);
	return true;
}

/* The tags of a way out, in one load. */
static __always_inline __u32 vlan_of(const struct weir_egress *out)
{
	return *(const __u32 *)out->vlan;
}

#endif
