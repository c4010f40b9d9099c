/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Modes ipip and gue: the packet travels to the endpoint inside another IP packet, untouched, and
 * the endpoint, which has the listener's address on its loopback, answers the client itself.
 *
 *   ipip   IP | packet               RFC 2003, RFC 2473, RFC 4213
 *   gue    IP | UDP | GUE | packet   draft-ietf-intarea-gue: routers and network cards that look
 *                                    at UDP ports spread the flows, by the source port
 *
 * The outer family is the endpoint's, the inner one the client's. The outer header:
 *
 *   DSCP, ECN    copied (RFC 6040, normal mode)
 *   DF           copied; set around IPv6, which routers do not fragment
 *   TTL          64; the inner one stays, since the endpoint is the listener: no hop was made
 *   flow label   of the flow's hash (RFC 6438)
 *   UDP sum      zero over IPv4, whose own header has a sum; computed over IPv6, where many
 *                firewalls and hosts drop a zero, though RFC 6935 allows it to a tunnel
 */
#ifndef WEIR_BPF_TUNNEL_H
#define WEIR_BPF_TUNNEL_H

#include "csum.h"
#include "forward.h"
#include "parse.h"

#define TUNNEL_TTL	   64
#define TUNNEL_PORT_FIRST  49152u /* RFC 6335: dynamic ports are the upper quarter */
#define TUNNEL_PORT_SHIFT  18 /* of the hash to its 14 highest bits; the lowest chose the slot */
#define TUNNEL_LABEL_SHIFT 12 /* ... to its 20 highest */
#define TUNNEL_CLASS_SHIFT 20 /* of the traffic class in an IPv6 header's first word */
#define TUNNEL_TYPE_MAX	   20 /* offset of the Ethernet type, behind two tags */
#define TUNNEL_IP4	   0x45000000u /* the first word: version, length */
#define TUNNEL_IP6	   0x60000000u
#define IP4_DF		   0x4000
#define GUE_SIZE	   (sizeof(struct udphdr) + sizeof(struct gue_header))

/* Of the inner packet, what the outer headers are made of. */
struct tunnel {
	__u32 length;
	__be16 id;
	__be16 df;
	__u8 tos;
	__u8 protocol; /* IPPROTO_IPIP or IPPROTO_IPV6 */
	bool has_sum;  /* `sum` is known */
	__be16 sum;    /* of its 16-bit words */
	__be16 sport;  /* gue */
};

/*
 * What the words of the inner packet sum up to, without a look at its payload: what its own TCP or
 * UDP checksum covers is the complement of its pseudo header, and an IPv4 header sums up to
 * nothing. Not known of a fragment, of UDP without checksum, behind extension headers. Nothing
 * damaged becomes right by it: the outer sum is as wrong as the inner one then.
 */
static __always_inline void tunnel_sum(const struct pkt *pkt, const void *end,
				       struct tunnel *tunnel)
{
	__u32 header = pkt->version == 6 ? sizeof(*pkt->ip6) : pkt->ip4->ihl * 4;
	__be16 length = bpf_htons(pkt->l3_length - header);
	__be16 protocol = bpf_htons(pkt->flow.protocol);
	const __be16 *half = pkt->l3;

	if (pkt->flags & (PKT_FIRST_FRAGMENT | PKT_LATER_FRAGMENT))
		return;
	if (pkt->flow.protocol == IPPROTO_UDP) {
		if (!within(end, pkt->udp, sizeof(*pkt->udp)) || !pkt->udp->check ||
		    pkt->udp->len != length)
			return;
	} else if (pkt->flow.protocol != IPPROTO_TCP) {
		return;
	}
	if (pkt->version == 4) {
		tunnel->sum = csum_apply(0xffff, (__u64)pkt->ip4->saddr + pkt->ip4->daddr + length +
							 protocol);
		tunnel->has_sum = true;
		return;
	}
	if (pkt->ip6->nexthdr != pkt->flow.protocol)
		return;
	/* Addresses and length are in header and pseudo header, and cancel out. */
	tunnel->sum =
		~csum_apply(0xffff, (__u64)half[0] + half[1] + half[3] + csum_delta16(protocol, 0));
	tunnel->has_sum = true;
}

/* Reads the inner header; whether it is there, parse() has checked. */
static __always_inline bool tunnel_read(const struct pkt *pkt, bool sum, struct tunnel *tunnel)
{
	const void *end = (void *)(long)pkt->ctx->data_end;

	tunnel->length = pkt->l3_length;
	if (pkt->version == 6) {
		if (!within(end, pkt->ip6, sizeof(*pkt->ip6)))
			return false;
		tunnel->tos = bpf_ntohl(*(const __be32 *)pkt->ip6) >> TUNNEL_CLASS_SHIFT;
		tunnel->df = bpf_htons(IP4_DF);
		tunnel->protocol = IPPROTO_IPV6;
	} else {
		if (!within(end, pkt->ip4, sizeof(*pkt->ip4)))
			return false;
		tunnel->tos = pkt->ip4->tos;
		tunnel->df = pkt->ip4->frag_off & bpf_htons(IP4_DF);
		/* Who may be fragmented is told apart by it (RFC 6864). */
		if (!tunnel->df)
			tunnel->id = pkt->ip4->id;
		tunnel->protocol = IPPROTO_IPIP;
	}
	if (sum)
		tunnel_sum(pkt, end, tunnel);
	return true;
}

/* Ethernet's padding must not become the inner packet's. */
static __always_inline bool tunnel_trim(const struct pkt *pkt)
{
	__u64 head = pkt->l3 - (void *)(long)pkt->ctx->data;
	__u64 size = (void *)(long)pkt->ctx->data_end - (void *)(long)pkt->ctx->data;

	if (size < head + pkt->l3_length)
		size = bpf_xdp_get_buff_len(pkt->ctx);
	if (size <= head + pkt->l3_length)
		return true;
	return !bpf_xdp_adjust_tail(pkt->ctx, (int)(head + pkt->l3_length - size));
}

/* The VLAN tags, up to `type_at`, stood `size` bytes further on. */
static __always_inline bool tunnel_move_tags(void *data, const void *end, __u64 type_at, __u32 size)
{
	for (__u32 at = 2 * ETH_ALEN; at < type_at; at += sizeof(struct vlan_header)) {
		const struct vlan_header *from = data + size + at;

		if (at >= TUNNEL_TYPE_MAX || !within(end, from, sizeof(*from)))
			return false;
		*(struct vlan_header *)(data + at) = *from;
	}
	return true;
}

/*
 * Makes room for `size` bytes, a constant, between the Ethernet header and the packet, and returns
 * where they are. NULL: the driver left no room.
 */
static __always_inline void *tunnel_open(struct pkt *pkt, __u32 size, __be16 ethertype)
{
	/* The verifier wants the offset of what is written, not of what lies behind it. */
	__u64 at = pkt->l3 - (void *)pkt->eth - sizeof(ethertype);
	void *data, *end;
	__be16 *type;

	barrier_var(at); /* what is checked is what is used, or the verifier objects */
	if (at > TUNNEL_TYPE_MAX || !tunnel_trim(pkt) || bpf_xdp_adjust_head(pkt->ctx, -(int)size))
		return NULL;
	data = (void *)(long)pkt->ctx->data;
	end = (void *)(long)pkt->ctx->data_end;
	type = data + at;
	barrier_var(type);
	if (!within(end, type, sizeof(*type) + size) || !within(end, data, sizeof(struct ethhdr)) ||
	    !tunnel_move_tags(data, end, at, size))
		return NULL;
	pkt->eth = data;
	*type = ethertype;
	return type + 1;
}

/* The source is a prefix whose last bits are the flow's. */
static __always_inline __be32 tunnel_source_bits(const struct pkt *pkt,
						 const struct weir_endpoint *endpoint)
{
	return bpf_htonl((__u64)pkt->hash >> (32 - endpoint->source_bits));
}

/* UDP and GUE headers; `pseudo` is what the outer IP header adds to the sum. */
static __always_inline void tunnel_put_gue(void *at, const struct pkt *pkt,
					   const struct weir_endpoint *endpoint,
					   const struct tunnel *tunnel, __u64 pseudo)
{
	__u32 ports =
		(TUNNEL_PORT_FIRST | pkt->hash >> TUNNEL_PORT_SHIFT) << 16 | endpoint->gue_port;
	__be16 length = bpf_htons(tunnel->length + GUE_SIZE);
	__be32 *word = at;
	__be16 *half = at;
	__u64 sum;

	word[0] = bpf_htonl(ports);
	word[1] = 0;
	half[2] = length;
	word[2] = bpf_htonl((__u32)tunnel->protocol << 16);
	if (!tunnel->has_sum)
		return;
	sum = pseudo + word[0] + 2 * length + word[2] + bpf_htons(IPPROTO_UDP) + tunnel->sum;
	half[3] = csum_apply(0xffff, sum) ?: 0xffff;
}

static __always_inline bool tunnel_put_ip4(struct pkt *pkt, const struct weir_endpoint *endpoint,
					   const struct tunnel *tunnel, bool gue)
{
	__u32 size = sizeof(struct iphdr) + (gue ? GUE_SIZE : 0);
	__be32 *word = tunnel_open(pkt, size, bpf_htons(ETH_P_IP));
	__u8 protocol = gue ? IPPROTO_UDP : tunnel->protocol;
	__be32 w[5] = {
		bpf_htonl(TUNNEL_IP4 | (__u32)tunnel->tos << 16 | (tunnel->length + size)),
		bpf_htonl((__u32)bpf_ntohs(tunnel->id) << 16 | bpf_ntohs(tunnel->df)),
		bpf_htonl(TUNNEL_TTL << 24 | (__u32)protocol << 16),
		addr_to_ip4(endpoint->source) | tunnel_source_bits(pkt, endpoint),
		addr_to_ip4(endpoint->addr),
	};
	__u64 sum = (__u64)w[0] + w[1] + w[2] + w[3] + w[4];

	if (!word)
		return false;
	for (int i = 0; i < 5; i++)
		word[i] = w[i];
	((struct iphdr *)word)->check = csum_apply(0xffff, sum);
	if (gue)
		tunnel_put_gue(word + 5, pkt, endpoint, tunnel, 0);
	return true;
}

static __always_inline bool tunnel_put_ip6(struct pkt *pkt, const struct weir_endpoint *endpoint,
					   const struct tunnel *tunnel, bool gue)
{
	__u32 size = sizeof(struct ipv6hdr) + (gue ? GUE_SIZE : 0);
	__be32 *word = tunnel_open(pkt, size, bpf_htons(ETH_P_IPV6));
	__u32 length = tunnel->length + (gue ? GUE_SIZE : 0);
	__u8 protocol = gue ? IPPROTO_UDP : tunnel->protocol;
	const __be32 *source = (const __be32 *)endpoint->source;
	const __be32 *addr = (const __be32 *)endpoint->addr;

	if (!word)
		return false;
	word[0] = bpf_htonl(TUNNEL_IP6 | (__u32)tunnel->tos << TUNNEL_CLASS_SHIFT |
			    pkt->hash >> TUNNEL_LABEL_SHIFT);
	word[1] = bpf_htonl(length << 16 | (__u32)protocol << 8 | TUNNEL_TTL);
	for (int i = 0; i < 4; i++) {
		word[2 + i] = source[i];
		word[6 + i] = addr[i];
	}
	word[5] |= tunnel_source_bits(pkt, endpoint);
	if (gue)
		tunnel_put_gue(word + 10, pkt, endpoint, tunnel,
			       csum_addr((__u8 *)(word + 2)) + csum_addr((__u8 *)(word + 6)));
	return true;
}

static __always_inline enum weir_reason tunnel_forward(struct pkt *pkt,
						       const struct weir_endpoint *endpoint,
						       bool gue)
{
	bool ip4 = addr_is_ip4(endpoint->addr), room;
	__u32 outer = (ip4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) + (gue ? GUE_SIZE : 0);
	struct weir_nexthop nexthop = nexthop_read(&endpoint->nexthop);
	struct tunnel tunnel = {};

	if (!tunnel_read(pkt, gue && !ip4, &tunnel))
		return WEIR_R_INTERNAL;
	if (tunnel.length + outer > endpoint->mtu) {
		pkt->room = endpoint->mtu - outer;
		return tunnel.df ? WEIR_R_TOO_BIG : WEIR_R_TOO_BIG_NO_DF;
	}
	room = ip4 ? tunnel_put_ip4(pkt, endpoint, &tunnel, gue)
		   : tunnel_put_ip6(pkt, endpoint, &tunnel, gue);
	if (!room)
		return WEIR_R_NO_HEADROOM;
	pkt->new_flow = pkt->flags & PKT_SYN;
	return forward(pkt, nexthop);
}

#endif
