/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The complete parser: at most two VLAN tags, IPv4 with options or IPv6 with extension headers,
 * fragments, packets in several buffers, and whatever is damaged.
 *
 * parse_all() tells more than good or bad: where the destination could be read, pkt->version is set
 * and the caller decides whether a fault is its business; a damaged packet to somebody else is
 * left to the kernel.
 */
#ifndef WEIR_BPF_PARSE_ALL_H
#define WEIR_BPF_PARSE_ALL_H

#include "vlan.h"

#define PARSE_MAX_L2	     VLAN_MAX_L2
#define PARSE_MAX_EXTENSIONS 6
#define PARSE_MAX_OFFSET     4095 /* of layer 4 from layer 3: a bound for the verifier */

#define IP4_FRAGMENT_OFFSET  0x1fff
#define IP4_MORE_FRAGMENTS   0x2000
#define IP6_FRAGMENT_OFFSET  0xfff8
#define IP6_MORE_FRAGMENTS   0x0001

/* No UAPI header names it. */
struct ip6_extension {
	__u8 next;
	__u8 length;	 /* units depend on the header */
	__be16 fragment; /* of a fragment header */
	__be32 id;
};

/* Are `size` bytes from `start` on in the packet, counting the fragments of a multi-buffer one? */
static __always_inline bool in_packet(const struct pkt *pkt, const void *start, __u32 size)
{
	const void *end = (void *)(long)pkt->ctx->data_end;
	const void *data = (void *)(long)pkt->ctx->data;

	if (start + size <= end)
		return true;
	return (start - data) + (__u64)size <= bpf_xdp_get_buff_len(pkt->ctx);
}

static __always_inline enum weir_reason parse_l4(struct pkt *pkt, const void *end, __u32 l4_length)
{
	if (pkt->flags & PKT_LATER_FRAGMENT)
		return WEIR_R_FRAGMENT_PASSED;
	if (pkt->flow.protocol == IPPROTO_TCP)
		return parse_tcp(pkt, end, l4_length);
	if (pkt->flow.protocol == IPPROTO_UDP)
		return parse_udp(pkt, end, l4_length);
	return WEIR_R_NOT_TCP_UDP;
}

static __always_inline enum weir_reason parse_ip4(struct pkt *pkt, const void *end)
{
	struct iphdr *ip = pkt->l3;
	__u32 header;
	__u16 fragment;

	if (!within(end, ip, sizeof(*ip)))
		return WEIR_R_NOT_OURS;
	addr_from_ip4(pkt->flow.src, ip->saddr);
	addr_from_ip4(pkt->flow.dst, ip->daddr);
	pkt->version = 4;
	pkt->flow.protocol = ip->protocol;

	header = ip->ihl * 4;
	pkt->l3_length = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || header < sizeof(*ip) || pkt->l3_length < header)
		return WEIR_R_BAD_HEADER;
	if (!in_packet(pkt, ip, pkt->l3_length))
		return WEIR_R_TRUNCATED;

	fragment = bpf_ntohs(ip->frag_off);
	if (fragment & IP4_FRAGMENT_OFFSET)
		pkt->flags |= PKT_LATER_FRAGMENT;
	else if (fragment & IP4_MORE_FRAGMENTS)
		pkt->flags |= PKT_FIRST_FRAGMENT;
	pkt->fragment_id = ip->id;
	pkt->l4 = pkt->l3 + header;
	return parse_l4(pkt, end, pkt->l3_length - header);
}

/* What the walk over extension headers found. */
struct ip6_walk {
	__u32 offset; /* of the layer 4 header from l3; 0: there is none within the bounds */
	__be32 fragment_id;
	__u8 protocol;
	__u8 flags; /* enum pkt_flags */
	__u8 pad[2];
};

static __always_inline bool is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
	       next == IPPROTO_FRAGMENT || next == IPPROTO_AH;
}

/*
 * Walks from the fixed IPv6 header, `l3` bytes into the packet, to the first header that is no
 * extension. A function of its own: the verifier walks it once instead of once per caller's state,
 * and few packets need it. Returns an enum weir_reason: GO_ON, or why there is no such header.
 * The caller spells the reasons out, since the verifier knows nothing of a function's result.
 */
__noinline int parse_extensions(struct xdp_md *ctx, __u32 l3, struct ip6_walk *walk)
{
	__u32 offset = sizeof(struct ipv6hdr);

	if (!walk)
		return WEIR_R_TOO_MANY_HEADERS; /* never so, but asked for */
	for (int i = 0; i < PARSE_MAX_EXTENSIONS; i++) {
		struct ip6_extension extension;
		__u8 is = walk->protocol;

		if (bpf_xdp_load_bytes(ctx, l3 + offset, &extension, sizeof(extension)))
			return WEIR_R_TRUNCATED;
		if (is == IPPROTO_FRAGMENT) {
			if (extension.fragment & bpf_htons(IP6_FRAGMENT_OFFSET))
				walk->flags |= PKT_LATER_FRAGMENT;
			else if (extension.fragment & bpf_htons(IP6_MORE_FRAGMENTS))
				walk->flags |= PKT_FIRST_FRAGMENT;
			walk->fragment_id = extension.id;
			offset += 8;
		} else if (is == IPPROTO_AH) {
			offset += (extension.length + 2) * 4;
		} else {
			offset += (extension.length + 1) * 8;
		}
		walk->protocol = extension.next;
		walk->offset = offset;
		if ((walk->flags & PKT_LATER_FRAGMENT) || !is_extension(extension.next))
			return GO_ON;
	}
	return WEIR_R_TOO_MANY_HEADERS;
}

static __always_inline enum weir_reason parse_ip6(struct pkt *pkt, const void *end)
{
	struct ip6_walk walk = { .offset = sizeof(struct ipv6hdr) };
	struct ipv6hdr *ip = pkt->l3;

	if (!within(end, ip, sizeof(*ip)))
		return WEIR_R_NOT_OURS;
	addr_copy_ip6(pkt->flow.src, &ip->saddr);
	addr_copy_ip6(pkt->flow.dst, &ip->daddr);
	pkt->version = 6;

	pkt->l3_length = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	if (ip->version != 6)
		return WEIR_R_BAD_HEADER;
	if (!in_packet(pkt, ip, pkt->l3_length))
		return WEIR_R_TRUNCATED;
	walk.protocol = ip->nexthdr;
	if (is_extension(walk.protocol)) {
		int fault =
			parse_extensions(pkt->ctx, pkt->l3 - (void *)(long)pkt->ctx->data, &walk);

		if (fault)
			return fault == WEIR_R_TRUNCATED ? WEIR_R_TRUNCATED
							 : WEIR_R_TOO_MANY_HEADERS;
	}
	if (walk.offset > pkt->l3_length || walk.offset > PARSE_MAX_OFFSET)
		return WEIR_R_BAD_HEADER;
	pkt->flow.protocol = walk.protocol;
	pkt->flags |= walk.flags;
	pkt->fragment_id = walk.fragment_id;
	pkt->l4 = pkt->l3 + walk.offset;
	return parse_l4(pkt, end, pkt->l3_length - walk.offset);
}

/* GO_ON with all of pkt filled in; otherwise what is the matter. */
static __always_inline enum weir_reason parse_all(struct pkt *pkt)
{
	__u64 tags = vlan_parse(pkt->ctx), l2 = VLAN_PARSED_L2(tags);
	void *end = (void *)(long)pkt->ctx->data_end;
	void *data = (void *)(long)pkt->ctx->data;
	__u16 type = VLAN_PARSED_TYPE(tags);

	pkt->vlan = VLAN_PARSED_TAGS(tags);
	if (l2 > PARSE_MAX_L2 || !within(end, data, sizeof(struct ethhdr)))
		return WEIR_R_NOT_IP;
	pkt->eth = data;
	pkt->l3 = data + l2;
	if (type == ETH_P_IP)
		return parse_ip4(pkt, end);
	if (type == ETH_P_IPV6)
		return parse_ip6(pkt, end);
	return WEIR_R_NOT_IP;
}

#endif
