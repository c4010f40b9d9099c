/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Another IP header in front of what a packet carries: room for it behind the Ethernet header, and
 * the header itself. */
#ifndef WEIR_BPF_HEAD_H
#define WEIR_BPF_HEAD_H

#include "csum.h"
#include "parse.h"
#include "pkt.h"

#define HEAD_TYPE_MAX  20 /* offset of the Ethernet type, behind two tags */
#define HEAD_TYPE_MASK 31 /* has it: a bound for the verifier */

/* Of the first two words of an IPv4 header and of the first of an IPv6 header, in host order. */
#define IP4_FIRST	0x45000000u /* version, length */
#define IP4_IHL_MASK	0x0f000000u
#define IP4_TOS_MASK	0x00ff0000u /* an IPv6 header's traffic class is 4 bits further up */
#define IP4_LENGTH_MASK 0x0000ffffu
#define IP4_ID_MASK	0xffff0000u
#define IP4_DF		0x00004000u
#define IP6_FIRST	0x60000000u

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

/* The same where there are no tags, and so nothing of the header comes with it. */
static __always_inline void *head_move_plain(struct xdp_md *ctx, int more, __u32 size,
					     __be16 ethertype, struct ethhdr **ret)
{
	struct ethhdr *eth;

	if (bpf_xdp_adjust_head(ctx, -more))
		return NULL;
	eth = (void *)(long)ctx->data;
	if (!within((void *)(long)ctx->data_end, eth, sizeof(*eth) + size))
		return NULL;
	*(__be16 *)((void *)eth + offsetof(struct ethhdr, h_proto)) = ethertype;
	*ret = eth;
	return eth + 1;
}

/* pkt->eth again, after the packet's first bytes have moved. */
static __always_inline bool head_find(struct pkt *pkt)
{
	const void *end = (void *)(long)pkt->ctx->data_end;

	pkt->eth = (void *)(long)pkt->ctx->data;
	return within(end, pkt->eth, sizeof(*pkt->eth));
}

/* Cuts the frame off behind `size` bytes. */
static __always_inline bool tail_cut(struct xdp_md *ctx, __u64 size)
{
	__u64 has = bpf_xdp_get_buff_len(ctx);

	return has == size || (has > size && !bpf_xdp_adjust_tail(ctx, (int)(size - has)));
}

/* What an IP header says. */
struct head_ip {
	const __u8 *src;
	const __u8 *dst;
	__u32 payload; /* bytes behind it */
	__u32 id;      /* IPv4: identification and DF, host order */
	__u8 tos;      /* or traffic class */
	__u8 ttl;
	__u8 protocol;
};

static __always_inline void head_put_ip4(__be32 *word, const struct head_ip *ip)
{
	/* A quoted header may tell of more than fits here. */
	__u32 length = (sizeof(struct iphdr) + ip->payload) & IP4_LENGTH_MASK;
	__u64 sum;

	word[0] = bpf_htonl(IP4_FIRST | (__u32)ip->tos << 16 | length);
	word[1] = bpf_htonl(ip->id);
	word[2] = bpf_htonl((__u32)ip->ttl << 24 | (__u32)ip->protocol << 16);
	word[3] = addr_to_ip4(ip->src);
	word[4] = addr_to_ip4(ip->dst);
	sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];
	((struct iphdr *)word)->check = csum_apply(0xffff, sum);
}

static __always_inline void head_put_ip6(__be32 *word, const struct head_ip *ip)
{
	word[0] = bpf_htonl(IP6_FIRST | (__u32)ip->tos << 20);
	word[1] = bpf_htonl(ip->payload << 16 | (__u32)ip->protocol << 8 | ip->ttl);
	addr_copy_ip6(word + 2, ip->src);
	addr_copy_ip6(word + 6, ip->dst);
}

#endif
