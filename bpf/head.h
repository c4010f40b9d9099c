/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Another IP header in front of what a packet carries: room for it, behind the Ethernet header. */
#ifndef WEIR_BPF_HEAD_H
#define WEIR_BPF_HEAD_H

#include "parse.h"
#include "pkt.h"

#define HEAD_TYPE_MAX  20 /* offset of the Ethernet type, behind two tags */
#define HEAD_TYPE_MASK 31 /* has it: a bound for the verifier */

/* Of the first two words of an IPv4 header and of the first of an IPv6 header, in host order. */
#define IP4_FIRST    0x45000000u /* version, length */
#define IP4_TOS_MASK 0x00ff0000u /* an IPv6 header's traffic class is 4 bits further up */
#define IP4_ID_MASK  0xffff0000u
#define IP4_DF	     0x00004000u
#define IP6_FIRST    0x60000000u

/*
 * Moves the Ethernet header, `l2` bytes with its tags, `more` bytes away from what is behind it
 * (nearer if negative), gives it another type, and returns where the next header of `size` bytes
 * (a constant) begins. *ret is where it is now; its addresses are left to forward(). NULL: the
 * driver left no room.
 */
static __always_inline void *head_move(struct xdp_md *ctx, __u64 l2, int more, __u32 size,
				       __be16 ethertype, struct ethhdr **ret)
{
	/* The verifier wants the offset of what is written first, not of what is behind it. */
	__u64 at = (l2 - sizeof(ethertype)) & HEAD_TYPE_MASK;
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 tags[2] = {};
	__be16 *type;

	barrier_var(at); /* what is bounded is what is used, or the verifier objects */
	if (at > 2 * ETH_ALEN) {
		if (!within(end, data, HEAD_TYPE_MAX))
			return NULL;
		tags[0] = *(__u32 *)(data + 2 * ETH_ALEN);
		tags[1] = *(__u32 *)(data + 2 * ETH_ALEN + sizeof(struct vlan_header));
	}
	if (bpf_xdp_adjust_head(ctx, -more))
		return NULL;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	type = data + at;
	barrier_var(type);
	if (!within(end, type, sizeof(*type) + size) || !within(end, data, HEAD_TYPE_MAX))
		return NULL;
	if (at > 2 * ETH_ALEN)
		*(__u32 *)(data + 2 * ETH_ALEN) = tags[0];
	if (at > 2 * ETH_ALEN + sizeof(struct vlan_header))
		*(__u32 *)(data + 2 * ETH_ALEN + sizeof(struct vlan_header)) = tags[1];
	*type = ethertype;
	*ret = data;
	return type + 1;
}

#endif
